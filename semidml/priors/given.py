"""Components that a visitor gives: positions and weights as text, `0,0; 2.5,0; 1,-1.5` and `1,1,2`, both ways. No torch
here: RunConfig reads these texts."""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

from semidml.priors import MOST_COMPONENTS
from semidml.words import value_words

MOST_FAR = 1000.0  # of a coordinate, in latent units
MOST_TEXT = 20_000  # characters: an address with more is refused by servers
MOST_UNEVEN = 1e6  # the largest weight over the smallest: single precision still sees both
GRAINS = 100  # into which a sigma is divided where positions are rounded

Positions = tuple[tuple[float, ...], ...]


def positions_of(text: str) -> Positions:
    """The components of `0,0; 2.5,0`, one a semicolon, coordinates by commas; () of an empty text.

    Raises: ValueError in words: for what is no finite number within `MOST_FAR`, for components of different length, for
    too many."""
    parts = _parts("positions", text, ";")
    if len(parts) > MOST_COMPONENTS:
        raise ValueError(f"positions must be of at most {MOST_COMPONENTS:,} components, got {len(parts):,}")
    positions = []
    for number, part in enumerate(parts, 1):
        if not part.strip():
            raise ValueError(f"positions must be like 0,0; 2.5,0, and component {number} is empty")
        values = tuple(_number(word) for word in part.split(","))
        for word, value in zip(part.split(","), values, strict=True):
            if not math.isfinite(value):
                shown = f"component {number} has {_quoted(word)}"
                raise ValueError(f"positions must be finite numbers like 0,0; 2.5,0, and {shown}")
            if abs(value) > MOST_FAR:
                bounds = f"between -{MOST_FAR:,.0f} and {MOST_FAR:,.0f}"
                raise ValueError(f"positions must be {bounds}, and component {number} has {value:g}")
        positions.append(values)
    lengths = sorted({len(position) for position in positions})
    if len(lengths) > 1:
        raise ValueError(f"positions must all have as many coordinates, got {lengths[0]} and {lengths[-1]}")
    return tuple(positions)


def positions_text(positions: Iterable[Sequence[float]]) -> str:
    """The text of positions: what `positions_of` reads. A minus before a zero says nothing."""
    return "; ".join(",".join(value_words(float(value) + 0.0) for value in position) for position in positions)


def weights_of(text: str) -> tuple[float, ...]:
    """The weights of `1,1,2`, relative to one another; () of an empty text, for equal ones.

    Raises: ValueError in words for what is no number between 1e-6 and 1e6, and for weights that are too unequal to be
    told from zero."""
    weights = []
    for number, word in enumerate(_parts("component_weights", text, ","), 1):
        value = _number(word)
        if not 1 / MOST_UNEVEN <= value <= MOST_UNEVEN:
            raise ValueError(
                f"component_weights must be numbers between {1 / MOST_UNEVEN:g} and {MOST_UNEVEN:,.0f}, and weight "
                f"{number} is {_quoted(word)}"
            )
        weights.append(value)
    if len(weights) > MOST_COMPONENTS:
        raise ValueError(f"component_weights must be at most {MOST_COMPONENTS:,}, got {len(weights):,}")
    if weights and max(weights) / min(weights) > MOST_UNEVEN:
        raise ValueError(
            f"component_weights must differ by a factor of at most {MOST_UNEVEN:,.0f}, got {min(weights):g} and "
            f"{max(weights):g}"
        )
    return tuple(weights)


def weights_text(weights: Iterable[float]) -> str:
    """The text of weights: what `weights_of` reads."""
    return ",".join(value_words(float(weight)) for weight in weights)


def rounded(positions: Iterable[Sequence[float]], log_var: float) -> Positions:
    """Positions with as many digits as can be seen: to a hundredth of the components' sigma or finer."""
    digits = max(0, math.ceil(-math.log10(math.exp(log_var / 2) / GRAINS)))
    return tuple(tuple(round(float(value), digits) for value in position) for position in positions)


def of_table(rows: Iterable[Sequence[float | None]]) -> tuple[str, str]:
    """(positions, component_weights) of a table with x, y and a weight in each row; no weights where all are equal.

    Raises: ValueError in words, also for a cell that is empty."""
    rows = [tuple(row) for row in rows]
    for number, row in enumerate(rows, 1):
        for name, value in zip(("x", "y", "weight"), row, strict=True):
            if value is None or math.isnan(value):
                raise ValueError(f"component {number} has no {name}: fill it in, or remove the row")
    if not rows:
        raise ValueError("a mixture needs at least one component: add a row")
    positions = positions_of(positions_text(row[:2] for row in rows))
    weights = weights_of(weights_text(row[2] for row in rows))
    return positions_text(positions), weights_text(weights) if len(set(weights)) > 1 else ""


def count(placement: str, components: int, latent_dim: int, positions: str) -> int:
    """How many components a mixture of these knobs has."""
    if placement == "given":
        return len(positions_of(positions))
    return 2**latent_dim if placement == "vertices" else components


def nearest(positions: Positions) -> float:
    """The smallest distance of two components, in latent units; infinity where there is only one."""
    return min((math.dist(a, b) for a, b in combinations(positions, 2)), default=math.inf)


def _parts(name: str, text: str, mark: str) -> list[str]:
    """The text between the marks; one mark at its end is allowed."""
    if len(text) > MOST_TEXT:
        raise ValueError(f"{name} must be at most {MOST_TEXT:,} characters long, got {len(text):,}")
    text = text.strip().removesuffix(mark)
    return text.split(mark) if text.strip() else []


def _number(word: str) -> float:
    """NaN where it is none."""
    try:
        return float(word)
    except ValueError:
        return math.nan


def _quoted(word: str) -> str:
    return repr(word.strip()[:20])
