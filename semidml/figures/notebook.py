"""A run, a comparison or a lesson as a Jupyter notebook that runs as it is, from top to bottom.

It calls what the pages call: whoever changes a cell goes on from where the page stops. A run is opened by its name, its
folder or its zip (`transfer.open_source`).
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from semidml import __version__
from semidml.explore import titles
from semidml.figures.shown import LETTERS, MOST_RUNS, last_epoch
from semidml.lessons import PAPER, Lesson
from semidml.plots.colours import Kind
from semidml.runs import listing

if TYPE_CHECKING:
    from semidml.runs.run import Run

FORMAT = {"nbformat": 4, "nbformat_minor": 5}
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}

BEGIN = """\
# semidml is found in this folder or in one above it, else where it is installed.
import sys
from pathlib import Path

for folder in (Path.cwd(), *Path.cwd().parents):
    if (folder / "semidml" / "figures").is_dir():
        sys.path.insert(0, str(folder))
        break

from IPython.display import Image

from semidml.explore import decode, points, titles
from semidml.figures import canvas, curves, maps, shown
from semidml.runs.transfer import open_source


def show(figure):
    \"\"\"A figure in the notebook; `canvas.as_bytes(figure, "pdf")` is the file for a paper.\"\"\"
    return Image(canvas.as_bytes(figure, "png"), width=900)"""
SCORES = """\
import pandas as pd

from semidml.scores.table import SCORES

{metrics}
pd.DataFrame(
    {{
        name: {{SCORES[key].title: titles.score_with_scatter(key, scores) for key in scores if key in SCORES}}
        for name, scores in metrics.items()
    }}
).fillna("–")"""
DECODED = """\
# What the decoder makes of places of the plane.
from PIL import Image as Picture

from semidml.plots.pictures import lattice_image

model = run.model()
Picture.fromarray(lattice_image(decode.decode_lattice(model, frame.latents)))"""
WALKED = """\
# One point, moved along each latent dimension alone, from two standard deviations below the mean to two above.
from PIL import Image as Picture

from semidml.plots.pictures import image_strip

model = run.model()
path = decode.walks(frame.latents, points.telling_point(frame), steps=11)
Picture.fromarray(image_strip([decode.decode_latents(model, line) for line in path]))"""


def run_notebook(run: "Run", *, colour: Kind = "class") -> bytes:
    """A run as a notebook: map, scores, curves, latents and, with a decoder, what it draws.
    Raises: ValueError in words where the run has stored no points."""
    last_epoch(run)
    config = run.config()
    cells = [
        _words(f"# {_heading(titles.setting_words(config))}\n\n{_about(run)}"),
        _code(BEGIN),
        _code(f"run = open_source({run.id!r})  # its name, its folder or its zip\nrun.config().changed()"),
        _words("## The map"),
        _code(
            "# epoch=..., colour='prediction', plane='umap' where that was computed, part='test'\n"
            f"show(maps.map_figure(shown.show_run(run, colour={colour!r})))"
        ),
        _words("## Scores\n\nWhat *seen labels* says is of a classifier that has these alone."),
        _code(SCORES.format(metrics='metrics = {"score": run.metrics() or {}}')),
        *([_code("show(curves.curves_figure(run))")] if run.history() else []),
        _words("## The latents"),
        _code(
            "frame = points.read_frame(run, shown.last_epoch(run))\n"
            "names = points.class_names(run)\n"
            "frame.latents.shape, frame.rows['labels'][:10], frame.predictions[:10], names"
        ),
    ]
    if config.trains_decoder and (run.path / "weights.safetensors").exists():
        cells += [_words("## The decoder"), _code(DECODED if config.latent_dim == 2 else WALKED)]
    cells += [_words("## Train it again"), _code(_training(config))]
    return _whole(cells)


def comparison_notebook(runs: Sequence["Run"], *, colour: Kind = "class") -> bytes:
    """Two to four runs as a notebook. Raises: ValueError for fewer or more."""
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"a comparison is of two to {MOST_RUNS} runs; got {len(runs)}")
    for run in runs:
        last_epoch(run)
    about = "\n".join(
        f"- **{letter}**: {_heading(titles.setting_words(run.config()))} (`{run.id}`)"
        for letter, run in zip(LETTERS, runs, strict=False)
    )
    cells = [_words(f"# A comparison of runs\n\n{about}"), _code(BEGIN), *_compared(runs, colour)]
    return _whole(cells)


def lesson_notebook(lesson: Lesson) -> bytes:
    """A lesson as a notebook: its claim and question, its runs side by side, the answer, and a knob to turn."""
    asked = lesson.prediction
    runs = [listing.open_run(side.run) for side in lesson.sides]
    maths = "\n\n".join(f"$${line}$$" for line in lesson.maths)
    choices = "\n".join(f"- {choice}" for choice in asked.choices)
    sides = "\n".join(
        f"- **{letter}, {side.title}**: {side.words}" for letter, side in zip(LETTERS, lesson.sides, strict=False)
    )
    cells = [
        _words(f"# {lesson.title}\n\n{lesson.claim}\n\n{maths}\n\n{lesson.maths_words} [{lesson.source}]({PAPER})."),
        _words(f"## Predict\n\n{asked.question}\n\n{choices}\n\nChoose before you run the next cells."),
        _code(BEGIN),
        _words(f"## See\n\n{sides}"),
        *_compared(runs, "class"),
        _words(f"It is: **{asked.choices[asked.right]}**. {asked.why}"),
        _words(f"## The answer so far\n\n{lesson.answer}"),
        _words("## Turn a knob\n\nChange a value of `config` and train: the digits take some seconds."),
        _code(_training(lesson.sides[lesson.turn].config())),
    ]
    return _whole(cells)


def _compared(runs: Sequence["Run"], colour: Kind) -> list[dict[str, Any]]:
    named = ", ".join(repr(run.id) for run in runs)
    letters = f"metrics = {{letter: run.metrics() or {{}} for letter, run in zip({LETTERS!r}, runs, strict=False)}}"
    cells = [
        _code(f"runs = [open_source(name) for name in ({named},)]\n[run.config().changed() for run in runs]"),
        _code(f"show(maps.comparison_figure(shown.show_runs(runs, colour={colour!r})))"),
        _code(SCORES.format(metrics=letters)),
    ]
    scored = any(record.scores.get("knn_accuracy") is not None for run in runs for record in run.history())
    return [*cells, *([_code("show(curves.compared_curves_figure(runs))")] if scored else [])]


def _training(config: Any) -> str:
    """A cell that trains a setting, an epoch of it: short, and it says how to train the whole."""
    values = {"data": config.data, "model": config.model} | config.changed() | {"epochs": 1}
    return (
        "from semidml.config import RunConfig\n"
        "from semidml.data import store\n"
        "from semidml.train import fit\n\n"
        f"config = RunConfig.of({values!r})  # epochs: {config.epochs} for the whole\n"
        "if any(data.name == config.data and data.here for data in store.available()):\n"
        "    for tick in fit(config, store.load(config.data)):\n"
        "        if tick.scores:\n"
        "            print(tick.epoch, tick.terms, tick.scores.get('knn_accuracy'))\n"
        "else:\n"
        "    print(f'The data set {config.data} is not here: python -m semidml data fetch NAME')"
    )


def _about(run: "Run") -> str:
    config = run.config()
    setting = ", ".join(titles.unusual_words(config)) or "what suits its data and model"
    return (
        f"The run `{run.id}`: {_heading(setting)}. Made with semidml {__version__}. Where the run is not on this "
        f"machine, put its zip beside this notebook: Explore and `python -m semidml runs export` write it."
    )


def _heading(words: str) -> str:
    """Words that may be a stranger's, for Markdown: no tag, no link, on one line."""
    for sign, code in (("&", "&amp;"), ("<", "&lt;"), ("[", "\\["), ("`", "'")):
        words = words.replace(sign, code)
    return " ".join(words.split())


def _words(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _code(text: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": text}


def _whole(cells: Sequence[dict[str, Any]]) -> bytes:
    named = [{"id": f"cell-{number}"} | cell for number, cell in enumerate(cells)]
    return json.dumps({"cells": named, "metadata": KERNEL} | FORMAT, indent=1, ensure_ascii=False).encode()
