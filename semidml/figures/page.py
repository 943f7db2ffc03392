"""A run, a comparison or a lesson as one HTML file that plays without a server or a network: map, scrubber, play, what
is under the mouse, scores by epoch.

Its program is that of the live map (`scatter/page.js`); its policy lets no other program run, and load nothing. What a
run says of itself stands in it escaped, or in data that the program draws as text.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semidml import __version__
from semidml.explore import pictures, points, titles
from semidml.figures import shown as showing
from semidml.figures.shown import LETTERS, MOST_RUNS, Shown
from semidml.lessons import PAPER, Lesson
from semidml.plots.colours import Kind
from semidml.runs import listing, trained_on
from semidml.scatter import bundle, pack
from semidml.scores.table import SCORES, shown_at
from semidml.tasks import Progress
from semidml.words import percent, printable

if TYPE_CHECKING:
    from semidml.runs.run import Run

MOST_FRAMES = 12_000_000  # bytes of all frames of a page; of more epochs an even part is there
MOST_IMAGES = 3_000_000  # bytes of a run's images
MOST_SCORES = 5  # columns of scores by epoch
TOLD = "Point at a dot for its row; click it for its way through the epochs. Drag to move, scroll to zoom."


class Played(NamedTuple):
    """A run on the page: how it is called there, what is shown of it, what the program needs."""

    title: str
    words: str
    run: "Run"
    epochs: list[int]
    shown: Shown  # at the last of them
    data: dict[str, Any]


def run_page(run: "Run", progress: Progress | None = None, *, colour: Kind = "class", part: str = "both") -> bytes:
    """A run as one HTML file. part: of `shown.PARTS`. Raises: ValueError in words where there is nothing to draw."""
    report = progress or (lambda share, words: None)
    report(0.1, "gathering the epochs")
    played = play_run(run, 1, colour, part)
    return _whole(played.shown.title, f"<p>{_text(played.words)}</p>", [played])


def comparison_page(
    runs: Sequence["Run"], progress: Progress | None = None, *, colour: Kind = "class", part: str = "both"
) -> bytes:
    """Two to four runs as one HTML file, with what differs. Raises: ValueError for fewer or more."""
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"a comparison is of two to {MOST_RUNS} runs; got {len(runs)}")
    report = progress or (lambda share, words: None)
    differing = showing.differing_words([run.config() for run in runs])
    link = "compared" if share_rows(runs) else ""
    several = []
    for letter, run, words in zip(LETTERS, runs, differing, strict=False):
        report(len(several) / len(runs), f"gathering the epochs of {letter}")
        title = f"{letter} · {titles.setting_words(run.config())}"
        several.append(play_run(run, len(runs), colour, part, title=title, words=words, link=link))
    about = "<p>Maps side by side share zoom and mouse: a dot is the same image in each.</p>" if link else ""
    return _whole("A comparison of runs", about, several, final_table(several))


def lesson_page(lesson: Lesson, progress: Progress | None = None) -> bytes:
    """A lesson as one HTML file: its claim, its question, and once that is answered its runs and the answer so far."""
    report = progress or (lambda share, words: None)
    several = []
    for side in lesson.sides:
        report(len(several) / len(lesson.sides), "gathering the runs")
        run = listing.open_run(side.run)
        several.append(play_run(run, len(lesson.sides), "class", "both", title=side.title, words=side.words))
    asked = lesson.prediction
    choices = "".join(
        f'<label><input type="radio" name="choice" value="{number}"> {_text(choice)}</label>'
        for number, choice in enumerate(asked.choices)
    )
    right = _text(asked.choices[asked.right])
    question = (
        f'<form class="predict" data-reveals="reveal" data-right="{asked.right}"><h2>Predict</h2>'
        f'<p>{_marked(asked.question)}</p>{choices}<button>Show me</button><div class="answer" hidden>'
        f'<p class="yes"><strong>So it is:</strong> {right}.</p>'
        f'<p class="no"><strong>It is:</strong> {right}.</p><p>{_marked(asked.why)}</p></div></form>'
    )
    paper = f'<a href="{PAPER}" rel="noreferrer">{_marked(lesson.source)}</a>'
    begin = f'<p>{_marked(lesson.claim)}</p><p class="pale">{_marked(lesson.maths_words)} {paper}</p>{question}'
    end = f"{final_table(several, lesson.scores)}<h2>The answer so far</h2><p>{_marked(lesson.answer)}</p>"
    return _whole(lesson.title, begin, several, end, hidden=True)


def share_rows(runs: Sequence["Run"]) -> bool:
    """Whether these runs draw the same rows of the same data, so that a point of one is a point of the others."""
    if len({run.config().data for run in runs}) > 1:
        return False
    first, *others = [run.rows() for run in runs]
    return all(np.array_equal(first[name], other[name]) for other in others for name in ("split", "row"))


def play_run(
    run: "Run", of: int, colour: Kind, part: str, *, title: str = "", words: str = "", link: str = ""
) -> Played:
    """What a page needs to play a run that is one of `of`: frames packed as for the live map, on common axes."""
    last = points.read_frame(run, showing.last_epoch(run))
    each = 16 * len(last.latents)
    kept = run.frames()
    most = max(2, MOST_FRAMES // of // each)
    epochs = [kept[k] for k in np.unique(np.linspace(0, len(kept) - 1, min(most, len(kept))).round().astype(int))]
    several = showing.with_common_view([showing.show_run(run, epoch=e, colour=colour, part=part) for e in epochs])
    names, packed = points.class_names(run), []
    for epoch, shown in zip(epochs, several, strict=True):
        frame = points.read_frame(run, epoch)
        drawn = replace(
            shown.drawn,
            words=f"Map of the latent space. {shown.title}, {shown.words}",
            images_of=run.id,
            labels=frame.rows["labels"],
            label_names=names,
            predictions=frame.predictions,
            tools=("pick", "epoch"),
            link=link,
        )
        packed.append(_base64(pack.pack(drawn)))
    records = {record.epoch: record.scores for record in run.history() if not record.step}
    told = [
        f"kNN {percent(score)}" if (score := records.get(epoch, {}).get("knn_accuracy")) is not None else ""
        for epoch in epochs
    ]
    data = {
        "epochs": epochs,
        "frames": packed,
        "rows": last.rows["row"].tolist(),
        "film": _base64(pack.pack_film(run.id, epochs, [shown.drawn.points for shown in several], told)),
        "images": read_images(run),
    }
    shown = several[-1]
    words = words or "; ".join(word for word in (shown.settings, shown.words) if word)
    return Played(title, words, run, epochs, shown, data)


def read_images(run: "Run") -> str:
    """A run's images for the mouse, in base64; "" where they are not on this machine."""
    try:
        data, _ = trained_on.read_splits(run, trained_on.load_data(run))
        images = pictures.small_pictures(data, run.rows())
    except ValueError:
        return ""  # the map does without: which images they are is told by their rows
    while images.size > MOST_IMAGES and min(images.shape[2:]) > 8:
        images = images[:, :, ::2, ::2]
    return _base64(pack.pack_images(run.id, images)) if images.size <= MOST_IMAGES else ""


# ---- HTML


def final_table(several: Sequence[Played], names: Sequence[str] = ()) -> str:
    """The final scores of several runs, side by side."""
    metrics = [played.run.metrics() or {} for played in several]
    known = [name for name in names or shown_at("compare") if any(scores.get(name) is not None for scores in metrics)]
    heads = [played.title.split(" · ")[0] if not names else played.title for played in several]
    rows = [[SCORES[name].title, *(titles.score_with_scatter(name, scores) for scores in metrics)] for name in known]
    return _table("Scores after the last epoch, of all test images", ["score", *heads], rows) if rows else ""


def epoch_table(played: Played) -> str:
    """The live scores of the epochs that the page holds."""
    records = {record.epoch: record.scores for record in played.run.history() if not record.step}
    names = [name for name in shown_at("train") if any(records.get(e, {}).get(name) is not None for e in played.epochs)]
    names = names[:MOST_SCORES]
    if not names:
        return ""
    rows = [
        [str(epoch), *(titles.score_words(name, records.get(epoch, {}).get(name)) for name in names)]
        for epoch in played.epochs
    ]
    heads = ["epoch", *(SCORES[name].title for name in names)]
    return _table("By epoch, of the drawn test images", heads, rows, numbers=played.epochs)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    marks = [f' data-epoch="{number}"' for number in numbers] or [""] * len(rows)
    body = "".join(
        f'<tr{mark}><th scope="row">{_text(row[0])}</th>{"".join(f"<td>{_text(cell)}</td>" for cell in row[1:])}</tr>'
        for mark, row in zip(marks, rows, strict=True)
    )
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in heads)
    return f"<table><caption>{_text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _section(played: Played, is_alone: bool) -> str:
    heading = "" if is_alone else f'<h2>{_text(played.title)}</h2><p class="pale">{_text(played.words)}</p>'
    final = final_table([played._replace(title="value")]) if is_alone else ""
    return (
        f'<section class="run">{heading}{bundle.HTML}<p class="told" aria-live="polite">{TOLD}</p>'
        f'<p class="pale">{_text(played.shown.note)}</p>'
        f'<div class="tables">{epoch_table(played)}{final}</div></section>'
    )


def _whole(title: str, begin: str, several: Sequence[Played], end: str = "", hidden: bool = False) -> bytes:
    """The page: nothing in it is loaded from anywhere, and only its own program runs."""
    program = bundle.javascript("page")
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"
    runs = json.dumps([played.data for played in several], allow_nan=False).replace("<", "\\u003c")
    maps = "".join(_section(played, len(several) == 1) for played in several)
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(title)}</title><style>{bundle.css()}{bundle.css('page')}</style></head><body><main>"
        f'<h1>{_text(title)}</h1>{begin}<div id="reveal"{" hidden" * hidden}><div class="runs">{maps}</div>{end}</div>'
        f"<footer>Made by semidml {_text(__version__)}; this file needs no server and no network.</footer></main>"
        f'<script type="application/json" id="runs">{runs}</script>'
        f'<script type="module">{program}</script></body></html>'
    )
    return text.encode()


def _text(words: str) -> str:
    """Words for HTML, in which nothing of them is a tag."""
    return html.escape(printable(str(words)))


def _marked(words: str) -> str:
    """Our own words, in which ** and * mark what is strong and what is stressed."""
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", _text(words)))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
