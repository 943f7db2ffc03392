"""A figure as a file: its size on a slide or in a column, its fonts, its SVG, PDF or PNG.

Figures are matplotlib's, by its object interface: pyplot keeps figures in one place for all threads, and pages run in
threads. What matplotlib draws is drawn by one thread at a time (`DRAWING`), since its fonts and caches are shared.
"""

import base64
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from semidml.registry import choose
from semidml.words import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PALE, PAPER = "#1c2430", "#5b6472", "#ffffff"
FORMATS = ("svg", "pdf", "png")
FONT = "DejaVu Sans"  # comes with matplotlib, so that a figure looks alike everywhere
BEYOND = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "Arial Unicode MS",
)
MOST_VECTOR = 20_000  # points that an SVG or PDF draws one by one; more lie in it as a picture, the text stays text
MOST_NAME = 28  # letters of a class's name


class Size(NamedTuple):
    """Where a figure is to stand: inches, dots an inch, and what suits them in points."""

    width: float
    height: float  # of what is as high as it needs to be: the least
    dots: int
    font: float
    line: float
    point: tuple[float, float]  # smallest and largest diameter of a point
    is_wide: bool  # whether words stand beside the picture, else under it


SIZES = {
    "slide": Size(1920 / 144, 1080 / 144, 144, 15.0, 1.6, (1.6, 7.0), True),  # 1920 x 1080 pixels
    "column": Size(85 / 25.4, 85 / 25.4, 600, 6.5, 0.7, (0.6, 2.4), False),  # 85 mm, for print
}
DRAWING = threading.RLock()


@contextmanager
def alone() -> Iterator[None]:
    """One thread at a time draws within, with the fonts that figures have. Also a decorator."""
    with DRAWING:
        _choose_fonts()
        yield


@cache
def _choose_fonts() -> None:
    """Once: text stays text in SVG, whole fonts in PDF, and the same figure has the same bytes."""
    import matplotlib
    from matplotlib import font_manager

    here = set(font_manager.get_font_names())
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "semidml",
            "pdf.fonttype": 42,
            "font.family": [FONT, *(name for name in BEYOND if name in here)],
            "path.simplify": True,
            "axes.unicode_minus": True,
        }
    )


def new_figure(size: Size, height: float | None = None) -> "Figure":
    """An empty figure on white paper; height in inches, where it is not the size's own."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((size.width, height or size.height), dpi=size.dots, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


@alone()
def as_bytes(figure: "Figure", kind: str, title: str = "") -> bytes:
    """A figure as a file of one of FORMATS, its fonts within it. Raises: ValueError for another format."""
    choose(dict.fromkeys(FORMATS), kind, "a figure's format")
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a class may be called $x$
    file = io.BytesIO()
    about: dict[str, Any] = {"Title": title, "Creator": "semidml"}
    dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    named = {"Title": title, "Software": "semidml"} if kind == "png" else about
    figure.savefig(file, format=kind, facecolor=PAPER, metadata=named | dated)
    content = file.getvalue()
    return _with_fonts(content) if kind == "svg" else content


def kind_of(path: str | Path, kinds: tuple[str, ...]) -> str:
    """The format that a file's name ends in. Raises: ValueError in words where it is none of these."""
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in kinds:
        ends = ", ".join(f".{name}" for name in kinds)
        raise ValueError(f"the name of the file must end in one of {ends}; got {Path(path).name[:80]!r}")
    return kind


def plain(text: str, most: int = MOST_NAME) -> str:
    """Words that may be a stranger's for a figure: printable, on one line, cut."""
    text = printable(" ".join(str(text).split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _with_fonts(svg: bytes) -> bytes:
    """The letters that an SVG's text needs, as fonts within it: it looks alike where they are not installed."""
    text = svg.decode()
    letters = "".join(re.findall(r">([^<]*)</text>", text)) + " "
    styles = [
        f"@font-face {{ font-family: '{FONT}'; font-weight: {weight}; src: url(data:font/woff;base64,{font}); }}"
        for weight in ("normal", "bold")
        for font in [base64.b64encode(_font_of(weight, "".join(sorted(set(unescape(letters)))))).decode()]
    ]
    style = f"<style>{' '.join(styles)}</style>"
    return text.replace("<defs>", f"<defs>\n  {style}", 1).encode()


def _font_of(weight: str, letters: str) -> bytes:
    """A font of matplotlib's with these letters alone, WOFF."""
    from fontTools import subset
    from matplotlib import font_manager

    properties = font_manager.FontProperties(family=FONT, weight=weight)
    path = font_manager.findfont(properties, fallback_to_default=False)
    options = subset.Options(flavor="woff", layout_features=["kern"], notdef_outline=True, drop_tables=["FFTM"])
    file = io.BytesIO()
    with subset.load_font(path, options) as font:
        chosen = subset.Subsetter(options)
        chosen.populate(text=letters)
        chosen.subset(font)
        subset.save_font(font, file, options)
    return file.getvalue()
