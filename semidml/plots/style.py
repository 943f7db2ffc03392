"""What all charts share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

LINE_COLOURS = ("#3377cc", "#d55e00", "#009473", "#b0559a", "#8c7500")  # thin lines: at least 3 to either background
INK = {True: ("#e4e9f0", "#2d3744"), False: ("#1c2430", "#dfe4ea"), None: ("#7b8494", "rgba(123,132,148,0.28)")}
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


def distinct(names: Sequence[str]) -> list[str]:
    """Names as axis categories, of which two must not be equal: a number is put before those that are."""
    return [name if list(names).count(name) == 1 else f"{i} {name}" for i, name in enumerate(names)]
