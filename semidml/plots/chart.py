"""A chart as numbers and words, which the browser draws in place from what it is sent: `scatter/curves.js`.

Colours are those of lines, and show on light and on dark; ink is the page's own. What grows while a run goes on is one
element that receives a `Chart` after the other, so that nothing blinks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

INK = ""  # the colour of what belongs to no series


@dataclass(frozen=True)
class Series:
    """What one colour stands for: y over x, None where there is nothing, and what is told of each place. `line`: a
    curve; `bar`: parts that are stacked on one another, what is negative below zero; `mean`: a dotted curve beside
    another one. sds: to either side of a curve, its band. Unless `labelled`, no name stands at its end."""

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float | None]
    words: Sequence[str]
    kind: Literal["line", "bar", "mean"] = "line"
    labelled: bool = True
    sds: Sequence[float] = ()  # NaN where one value has none
    more: Mapping[str, Sequence[float | None]] = field(default_factory=dict)  # further columns of its table, by title

    def __post_init__(self) -> None:
        counts = {len(self.x), len(self.y), len(self.words), *map(len, self.more.values())}
        counts |= {len(self.sds)} if len(self.sds) else set()
        if len(counts) != 1:
            raise ValueError(f"{self.name} needs as many values and words as places, got {sorted(counts)}")


@dataclass(frozen=True)
class Level:
    """A value that needs no training, as a line across."""

    name: str
    at: float
    colour: str = INK
    dash: Literal["dash", "dot"] = "dash"


@dataclass(frozen=True)
class Axis:
    """From low to high. `ticks`: (where, words), of an axis whose places are no numbers; else there are round ones."""

    title: str
    low: float
    high: float
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Chart:
    """Series over one axis. `words`: a sentence below it; `bar`: the width of a bar on the x axis."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    levels: Sequence[Level] = ()
    words: str = ""
    bar: float = 1.0

    def sent(self) -> dict[str, Any]:
        """What the browser is sent, as JSON has it: no number in it is NaN or infinite."""
        return finite(asdict(self))


def finite(value: Any) -> Any:
    """The same with None for every number that is not finite."""
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def span(series: Sequence[Series], levels: Sequence[Level] = ()) -> tuple[float, float]:
    """(low, high) that hold all curves with their bands, and all levels, with a little room; 0 and 1 of none."""
    known = [level.at for level in levels]
    for curve in series:
        sds = curve.sds or [0.0] * len(curve.y)
        for y, sd in zip(curve.y, sds, strict=True):
            if y is not None and math.isfinite(y):
                known += [y - sd, y + sd] if math.isfinite(sd) else [y]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    room = 0.06 * (high - low) or 0.05
    return low - room, high + room


def axis_end(newest: float, last: int | None = None) -> float:
    """Where an axis of epochs ends: at the last of a short training from its beginning on, so that nothing is drawn
    anew to another scale; of a long one at the next of 10, 20, 50, 100, ..."""
    if last is None or newest >= last:
        return max(newest, 1.0)
    if last <= SHORT:
        return float(last)
    power = 10.0 ** math.floor(math.log10(max(newest, SHORT)))
    return min(float(last), next(times * power for times in (1, 2, 5, 10) if times * power >= max(newest, SHORT)))


SHORT = 50  # epochs of a training whose axis is whole from the beginning
