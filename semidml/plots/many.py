"""What the charts of many runs show: curves with bands over one knob, parallel coordinates. The browser draws them from
numbers that it is sent, in place, so that nothing blinks while runs end: `bands.js` and `parallel.js`.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from semidml.plots.colours import heat_colour
from semidml.plots.style import LINE_COLOURS

TICKS = 5


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
    values: Sequence[str],
    curves: Sequence[Curve],
    floors: Sequence[tuple[float, str]] = (),
    words: str = "",
) -> dict[str, Any]:
    """Curves over the `values` of the knob `title`, with the levels that need no training (value, words)."""
    edges = [
        m + sign * (0.0 if math.isnan(s) else s)
        for c in curves
        for m, s in zip(c.means, c.sds, strict=True)
        for sign in (-1, 1)
    ]
    known = [edge for edge in edges if not math.isnan(edge)] + [at for at, _ in floors]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = 0.06 * (high - low) or 0.05
    low, high = low - room, high + room
    return {
        "title": title,
        "values": list(values),
        "low": low,
        "high": high,
        "ticks": [[at, text] for at, text in round_ticks(low, high)],
        "floors": [{"at": at, "words": text} for at, text in floors],
        "words": words,
        "series": [
            {
                "name": curve.name,
                "colour": line_colour(number, len(curves)),
                "means": [_or_none(mean) for mean in curve.means],
                "sds": [_or_none(sd) for sd in curve.sds],
                "words": list(curve.words),
            }
            for number, curve in enumerate(curves)
        ],
    }


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


def round_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """About TICKS round numbers between two, with their words."""
    rough = (high - low) / TICKS
    if not rough > 0 or not math.isfinite(rough):
        return [(low, f"{low:.3g}")]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough)
    first, digits = math.ceil(low / step - 1e-9), max(0, -math.floor(math.log10(step) + 1e-9))
    numbers = [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
    return [(number, f"{number:.{digits}f}") for number in numbers]


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
