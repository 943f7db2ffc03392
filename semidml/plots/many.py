"""What the charts of many runs show: curves with bands over one knob, parallel coordinates. The browser draws them from
numbers that it is sent, in place, so that nothing blinks while runs end: `curves.js` and `parallel.js`.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from semidml.plots.chart import Axis, Chart, Level, Series, span
from semidml.plots.colours import heat_colour
from semidml.plots.style import LINE_COLOURS


class Curve(NamedTuple):
    """A mean with its standard deviation at each value, NaN where there is none, and what is told of each."""

    name: str
    means: Sequence[float]
    sds: Sequence[float]
    words: Sequence[str]


class Coordinate(NamedTuple):
    """An axis of parallel coordinates: where each line crosses it, 0 to 1, NaN where it does not; ticks."""

    title: str
    places: Sequence[float]
    ticks: Sequence[tuple[float, str]]


def band_curves(
    title: str,
    over: str,
    values: Sequence[str],
    curves: Sequence[Curve],
    floors: Sequence[tuple[float, str]] = (),
) -> Chart:
    """Curves over the `values` of the knob `over`, with the levels that need no training (value, words). A single curve
    is named by the title alone."""
    series = [
        Series(
            curve.name, line_colour(number, len(curves)), list(range(len(values))), list(curve.means),
            list(curve.words), labelled=len(curves) > 1, sds=list(curve.sds), more={"sd": list(curve.sds)},
        )
        for number, curve in enumerate(curves)
    ]  # fmt: skip
    levels = [Level(words, at) for at, words in floors]
    edge = 0 if len(values) > 1 else 0.5
    across = Axis(over, -edge, len(values) - 1 + edge, ticks=list(enumerate(values)))
    return Chart(title, across, Axis("", *span(series, levels)), series, levels)


def parallel_lines(
    axes: Sequence[Coordinate], shares: Sequence[float], words: Sequence[str], numbers: Sequence[int], about: str = ""
) -> dict[str, Any]:
    """A line a setting through all axes. shares: what a line's colour goes by, 0 to 1, NaN for grey; numbers: what is
    told when it is clicked."""
    lines = [
        {
            "at": [_or_none(axis.places[k]) for axis in axes],
            "colour": "#8b95a3" if math.isnan(share) else heat_colour(0.9 * share),
            "number": number,
            "words": text,
        }
        for k, (share, text, number) in enumerate(zip(shares, words, numbers, strict=True))
    ]
    shown = [{"title": axis.title, "ticks": [[at, text] for at, text in axis.ticks]} for axis in axes]
    return {"axes": shown, "lines": lines, "words": about}


def line_colour(number: int, count: int) -> str:
    """The colour of a line among several: of few each its own, of many one after the other on a scale."""
    if count <= len(LINE_COLOURS):
        return LINE_COLOURS[number]
    return heat_colour(0.3 + 0.6 * number / (count - 1))


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
