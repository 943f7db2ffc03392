"""What the map sends back, checked: points, regions, lines, views."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

TOOLS = ("pick", "region", "line", "epoch")


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Raises ValueError for what is not as the program sends it: who can open the page can send what they like."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(f"{what} that cannot be read") from None


def middles_of(moved: Any, count: int) -> tuple[int, list[tuple[float, float]]]:
    """(number of the move, the middles of all `count` components after it). Raises ValueError for anything else."""
    with readable("the map has sent a move"):
        move, middles = int(moved["move"]), [(float(x), float(y)) for x, y in moved["middles"]]
    if len(middles) != count:
        raise ValueError(f"the map has moved one of {len(middles)} components, and there are {count}")
    return move, middles


def asked_of(sent: Any) -> tuple[float, float, int]:
    """(x, y, number of the point there or -1) of a click. Raises ValueError for anything else."""
    with readable("the map has sent a click"):
        (x, y), point = _place([sent["x"], sent["y"]]), int(sent["point"])
    return x, y, point


def picked_of(sent: Any, count: int) -> int:
    """Which of `count` images was picked. Raises ValueError for anything else."""
    with readable("the gallery has sent a choice"):
        number = int(sent)
    if not 0 <= number < count:
        raise ValueError(f"the gallery has {count} images, and image {number} was picked")
    return number


def region_of(sent: Any, count: int) -> list[int]:
    """Which of `count` points were chosen by a box or lasso. Raises ValueError for anything else."""
    with readable("the map has sent a region"):
        return sorted({int(i) for i in sent["points"] if 0 <= int(i) < count})


def line_of(sent: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """The two ends of a line. Raises ValueError for anything else."""
    with readable("the map has sent a line"):
        first, last = sent["ends"]
        return _place(first), _place(last)


def box_of(sent: Any) -> tuple[tuple[float, float, float, float], float, float]:
    """(x0, y0, x1, y1 that a map shows, its width and height in pixels). Raises ValueError for anything else."""
    with readable("the map has sent a view"):
        (x0, y0), (x1, y1) = _place(sent["box"][:2]), _place(sent["box"][2:])
        width, height = _place([sent["width"], sent["height"]])
    if not (x0 < x1 and y0 < y1 and 0 < width < 20_000 and 0 < height < 20_000):
        raise ValueError("the map has sent a view without an inside")
    return (x0, y0, x1, y1), width, height


def drawn_of(sent: Any, height: int, width: int) -> np.ndarray:
    """The image uint8 (1, height, width) that was drawn on a pad. Raises ValueError for anything else."""
    with readable("the pad has sent a drawing"):
        pixels = np.array(sent["pixels"], dtype=np.float64)
    if pixels.shape != (height * width,) or not ((pixels >= 0) & (pixels <= 255)).all():
        raise ValueError(f"the pad has sent something other than {height} x {width} pixels from 0 to 255")
    return pixels.round().astype(np.uint8).reshape(1, height, width)


def _place(sent: Any) -> tuple[float, float]:
    x, y = (float(value) for value in sent)
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("not finite")
    return x, y
