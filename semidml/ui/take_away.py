"""Buttons that let what one looks at leave as a file. What is quick is made when it is pressed; a film in the
background, with words on how far it is."""

import io
import mmap
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import streamlit as st

from semidml import tasks
from semidml.figures import canvas, curves, maps, notebook, page, shown
from semidml.figures.sheet import sheet_figure
from semidml.lessons import Lesson
from semidml.runs.run import Run
from semidml.scatter.sheet import Sheet
from semidml.ui.frame import SECONDS_LIVE, draw_task, show_error

MIME = {
    ".json": "application/json",
    ".zip": "application/zip",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
}
ICONS = {
    ".zip": "folder_zip",
    ".mp4": "movie",
    ".gif": "gif_box",
    ".html": "web",
    ".ipynb": "code_blocks",
    ".svg": "image",
    ".pdf": "picture_as_pdf",
    ".png": "image",
}
SIZES = {"slide": "Slide, 1920 x 1080", "column": "Column, 85 mm"}


class OnDisk(io.RawIOBase):
    """A large download: `write` writes it into a file without a name on the disk of `folder`, and Streamlit is given
    that file's bytes in place (a memoryview), which it keeps until the page runs again. They take no memory of the
    process's own; as bytes they would take it once to be kept and once more to be sent. The file goes with the object.
    Raises: OSError when the disk is full."""

    def __init__(self, write: Callable[[IO[bytes]], object], folder: Path):
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            write(file)
            file.flush()
            self._content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Streamlit goes to the start, before it reads all."""
        return 0

    def read(self, size: int = -1) -> memoryview:
        """All of it, in place."""
        return self._content


def draw_download(
    label: str,
    content: bytes | Callable[[], bytes | OnDisk],
    file: str,
    key: str,
    disabled: bool = False,
    help: str = "",
) -> None:
    """A button for a download, whose content may be made when it is pressed."""
    ending = Path(file).suffix
    icon = f":material/{ICONS.get(ending, 'download')}:"
    st.download_button(
        label, content, file, MIME.get(ending), on_click="ignore", icon=icon, disabled=disabled, key=key, help=help
    )


def draw_size(key: str) -> str:
    """Where a figure is to stand, of `canvas.SIZES`."""
    return st.segmented_control(
        "Size of figures",
        list(canvas.SIZES),
        format_func=SIZES.__getitem__,
        default="slide",
        required=True,
        key=key,
        help="Fonts lie within the file, text stays text in SVG and PDF, the ground is white.",
    )


def draw_figures(name: str, key: str, make: Callable[[str], bytes], what: str = "") -> None:
    """A figure as SVG, PDF and PNG. make: of a format the file."""
    for kind in canvas.FORMATS:
        label = f"{what} ({kind.upper()})" if what else kind.upper()
        draw_download(label, lambda kind=kind: make(kind), f"{name}.{kind}", f"{key} {kind}")


def draw_made(label: str, key: tuple, file: str, make: Callable[[tasks.Progress], bytes], help: str = "") -> None:
    """A file that takes a while: a button that makes it in the background, how far that is, then a button for the
    file. key: of the task; it changes with what the file would hold."""
    task = tasks.find_task(key)
    if task is not None and not task.done:
        st.fragment(draw_task, run_every=SECONDS_LIVE)(key, (label + ": {0.text}, {0.seconds:.0f} s").format)
        return
    if task is not None and not task.error:
        draw_download(f"Save the {label}", task.result, file, f"save {label}")
        return
    if task is not None:
        show_error(task.error)
    icon = f":material/{ICONS.get(Path(file).suffix, 'download')}:"
    st.button(
        f"Make the {label}", icon=icon, on_click=tasks.start_task, args=(key, make), key=f"make {label}", help=help
    )


def draw_documents(name: str, key: str, make_notebook: Callable[[], bytes], make_page: Callable[[], bytes]) -> None:
    """A notebook and a page that plays without a server."""
    about = "A Jupyter notebook that runs as it is where semidml is: map, scores, curves, what the decoder draws."
    draw_download("Notebook (.ipynb)", make_notebook, f"{name}.ipynb", f"{key} notebook", help=about)
    about = "One file that plays in any browser without a server or a network: map, scrubber, rows, scores by epoch."
    draw_download("Page (.html)", make_page, f"{name}.html", f"{key} page", help=about)


def draw_comparison(runs: Sequence[Run]) -> None:
    """A button behind which a comparison leaves: maps with common axes, curves, a notebook, a page."""
    with st.popover("Take it away", icon=":material/download:"):
        size, name = draw_size("comparison size"), "comparison"

        def make_maps(kind: str) -> bytes:
            return canvas.as_bytes(maps.comparison_figure(shown.show_runs(runs), size), kind, "A comparison of runs")

        def make_curves(kind: str) -> bytes:
            return canvas.as_bytes(curves.compared_curves_figure(runs, size), kind, "Scores by epoch")

        with st.container(horizontal=True):
            draw_figures(f"{name}-{size}", "comparison figure", make_maps, "Maps")
        if any(record.scores for run in runs for record in run.history()):
            with st.container(horizontal=True):
                draw_figures(f"{name}-curves-{size}", "compared figure", make_curves, "Curves")
        with st.container(horizontal=True):
            make = partial(notebook.comparison_notebook, runs), partial(page.comparison_page, runs)
            draw_documents(name, "comparison", *make)


def draw_lesson(lesson: Lesson) -> None:
    """A lesson as a notebook and as a page that plays without a server."""
    name = lesson.name.replace(" ", "-")
    st.header("Take the lesson away", anchor=False)
    st.caption("With its question, its runs and its answer.")
    with st.container(horizontal=True):
        make = partial(notebook.lesson_notebook, lesson), partial(page.lesson_page, lesson)
        draw_documents(f"lesson-{name}", f"lesson {name}", *make)


def draw_sheet(sheet: Sheet, name: str) -> None:
    """A button behind which the sheet of a sweep leaves."""
    with st.popover("Take it away", icon=":material/download:"):
        size = draw_size("sheet size")

        def make(kind: str) -> bytes:
            return canvas.as_bytes(sheet_figure(sheet, name, size), kind, name)

        with st.container(horizontal=True):
            draw_figures(f"{name}-{size}", "sheet figure", make, "Sheet")
