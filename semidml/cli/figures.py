"""What one looks at, as files: a run's map and curves, its training as a film, a notebook, a page."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from semidml.cli.command import add_command, percent_bar
from semidml.disk import files
from semidml.figures import canvas, curves, film, maps, notebook, page, shown
from semidml.planes import PROJECTIONS
from semidml.runs import transfer
from semidml.runs.run import Run
from semidml.tasks import Progress

RUNS = "id, folder or zip of a run"


def add_commands(acts: Any) -> None:
    """`figure`, `film`, `notebook` and `page` beneath `runs`."""
    several = f"{RUNS}; two to four make a comparison"
    figure = _add_act(acts, "figure", do_figure, "write a map, or curves, as SVG, PDF or PNG", several, "+")
    figure.add_argument("--out", required=True, metavar="FILE", help="a name that ends in .svg, .pdf or .png")
    figure.add_argument("--what", choices=("map", "curves"), default="map", help="(default: map)")
    figure.add_argument("--size", choices=canvas.SIZES, default="slide", help="1920 x 1080, or 85 mm (default: slide)")
    figure.add_argument("--epoch", type=int, help="(default: the last)")
    figure.add_argument(
        "--plane", choices=PROJECTIONS, default="pca", help="of more than two dimensions (default: pca)"
    )
    about = "write a training as MP4 or GIF: its kept epochs, with scores"
    filming = _add_act(acts, "film", do_film, about, RUNS)
    filming.add_argument("--out", required=True, metavar="FILE", help="a name that ends in .mp4 or .gif")
    about = "write a Jupyter notebook that opens the run, or compares two to four"
    writing = _add_act(acts, "notebook", do_notebook, about, several, "+")
    writing.add_argument("--out", metavar="FILE", help="(default: ID.ipynb)")
    about = "write one HTML file that plays the run, or two to four, without a server"
    paging = _add_act(acts, "page", do_page, about, several, "+")
    paging.add_argument("--out", metavar="FILE", help="(default: ID.html)")
    for act in (figure, filming, writing, paging):
        act.add_argument("--colour", choices=shown.COLOURED, default="class", help="of points (default: class)")
    for act in (figure, filming, paging):
        act.add_argument("--rows", choices=shown.PARTS, default="both", help="that are drawn (default: both)")


def _add_act(acts: Any, name: str, do: Callable[..., None], about: str, runs: str, count: str | None = None) -> Any:
    act = add_command(acts, name, do, about)
    act.add_argument("run", nargs=count, help=runs)
    return act


def do_figure(asked: argparse.Namespace) -> None:
    kind, runs = canvas.kind_of(asked.out, canvas.FORMATS), _open(asked.run)
    if asked.what == "curves":
        alone = len(runs) == 1
        figure = curves.curves_figure(runs[0], asked.size) if alone else curves.compared_curves_figure(runs, asked.size)
    else:
        how = {"epoch": asked.epoch, "colour": asked.colour, "plane": asked.plane, "part": asked.rows}
        with percent_bar() as progress:
            several = shown.show_runs(runs, compute=progress, **how)
        alone = len(several) == 1
        figure = maps.map_figure(several[0], asked.size) if alone else maps.comparison_figure(several, asked.size)
    _write(asked.out, canvas.as_bytes(figure, kind, runs[0].id))


def do_film(asked: argparse.Namespace) -> None:
    kind, (run,) = canvas.kind_of(asked.out, film.KINDS), _open([asked.run])
    with percent_bar() as progress:
        content = film.film_bytes(run, kind, progress, colour=asked.colour, part=asked.rows)
    _write(asked.out, content)


def do_notebook(asked: argparse.Namespace) -> None:
    runs = _open(asked.run)
    out = _named(asked.out, runs, "ipynb")
    alone = len(runs) == 1
    make = notebook.run_notebook if alone else notebook.comparison_notebook
    _write(out, make(runs[0] if alone else runs, colour=asked.colour))


def do_page(asked: argparse.Namespace) -> None:
    runs = _open(asked.run)
    out = _named(asked.out, runs, "html")

    def make(progress: Progress) -> bytes:
        alone = len(runs) == 1
        return (page.run_page if alone else page.comparison_page)(
            runs[0] if alone else runs, progress, colour=asked.colour, part=asked.rows
        )

    with percent_bar() as progress:
        content = make(progress)
    _write(out, content)


def _open(names: list[str]) -> list[Run]:
    return [transfer.open_source(name) for name in names]


def _named(out: str | None, runs: list[Run], ending: str) -> str:
    if out is None:
        return "-".join(run.path.name for run in runs)[:120] + f".{ending}"
    canvas.kind_of(out, (ending,))
    return out


def _write(out: str, content: bytes) -> None:
    """The whole file or none: where the disk is full, what was there stays."""
    files.replace_file(Path(out), lambda file: file.write(content))
    print(out)
