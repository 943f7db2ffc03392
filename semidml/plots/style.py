"""What all charts share."""

from collections.abc import Sequence
from itertools import chain
from numbers import Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LINE_COLOURS = ("#3377cc", "#d55e00", "#009473", "#b0559a", "#8c7500")  # thin lines: at least 3 to either background
INK = {True: ("#e4e9f0", "#2d3744"), False: ("#1c2430", "#dfe4ea"), None: ("#7b8494", "rgba(123,132,148,0.28)")}
MOST_TOLD = 40  # bars or cells of a chart that are put in words
FONT = "'Source Sans', 'Source Sans Pro', system-ui, sans-serif"  # Streamlit's own


def layout(dark: bool | None, height: int, revision: str) -> dict[str, Any]:
    ink, _ = INK[dark]
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": ink, "size": 12, "family": FONT},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "height": height,
        "uirevision": revision,
    }


def axis(dark: bool | None) -> dict[str, Any]:
    ink, grid = INK[dark]
    return {
        "automargin": True,
        "gridcolor": grid,
        "zeroline": False,
        "linecolor": grid,
        "tickfont": {"color": ink},
        "title_font": {"color": ink},
        "title_standoff": 6,
    }


def dress(
    figure: "Figure", dark: bool | None, height: int, revision: str, x: dict[str, Any], y: dict[str, Any]
) -> None:
    """The common frame of a chart with a legend above it and axes of which x and y say more."""
    legend = {"orientation": "h", "x": 0, "y": 1.02, "xanchor": "left", "yanchor": "bottom"}
    figure.update_layout(**layout(dark, height, revision), hovermode="x unified", legend=legend)
    figure.update_xaxes(**axis(dark), **x)
    figure.update_yaxes(**axis(dark), **y)


def chart_words(figure: "Figure") -> str:
    """A figure in a few sentences, for those who hear a page: what its axes are, and of each line where it begins and
    ends, of bars each with its name, of cells what is written at the mouse."""
    axes = [axis.title.text for axis in (figure.layout.yaxis, figure.layout.xaxis) if axis.title.text]
    sentences = [f"Chart: {' by '.join(axes)}." if axes else "Chart."]
    sentences += [words for trace in figure.data if (words := _trace_words(trace, figure))]
    return " ".join(sentences)


def _trace_words(trace: Any, figure: "Figure") -> str:
    if trace.type == "image":
        return f"A row of images for each of: {', '.join(map(str, figure.layout.yaxis.ticktext or ()))}."
    if trace.type == "heatmap":
        cells = zip(chain(*trace.hovertext), chain(*trace.z), strict=True)
        return f"{_listed([words for words, share in cells if share], '; ')}."
    if trace.hoverinfo == "skip" or trace.y is None:
        return ""  # a band, whose middle is a line of its own
    name = f"{trace.name}: " if trace.name else ""
    across = range(len(trace.y)) if trace.x is None else trace.x  # as Plotly counts them
    places = [(x, y) for x, y in zip(across, trace.y, strict=True) if y is not None]
    if trace.type == "bar" and trace.orientation == "h":
        return f"{name}{_listed([f'{y} {number_words(x)}' for x, y in places], ', ')}."
    ends = [f"{number_words(y)} at {number_words(x)}" for x, y in dict.fromkeys([*places[:1], *places[-1:]])]
    return f"{name}{' to '.join(ends)}." if ends else ""


def _listed(parts: Sequence[str], between: str) -> str:
    return between.join([*parts[:MOST_TOLD], *(["…"] if len(parts) > MOST_TOLD else [])])


def number_words(value: Any) -> str:
    """A number in few digits; a name as it is."""
    return f"{value:.4g}" if isinstance(value, Real) else str(value)


def distinct(names: Sequence[str]) -> list[str]:
    """Names as axis categories, of which two must not be equal: a number is put before those that are."""
    return [name if list(names).count(name) == 1 else f"{i} {name}" for i, name in enumerate(names)]
