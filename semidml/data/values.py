"""What the numbers of a set of images mean: which of them is black, which is white. Torch-free."""

from typing import NamedTuple

import numpy as np

from semidml.words import value_words

HALF_OF_16_BITS = 32767  # a set of 16 bits that goes beyond is read as using all of them
CHUNK = 1 << 22  # numbers that are turned into bytes at a time


class Range(NamedTuple):
    """The numbers that become 0 and 255."""

    low: float
    high: float


EIGHT_BITS = Range(0, 255)
SIXTEEN_BITS = Range(0, 65535)
THIRTY_TWO_BITS = Range(0, 2**32 - 1)
BLACK_OR_WHITE = "Pixels are 0 or 1: black or white."


def plain_range(high: float, whole: bool) -> Range:
    """What numbers up to `high` are where nothing is stretched: bytes, or whole numbers of 16 or 32 bits."""
    return next((ends for ends in (EIGHT_BITS, SIXTEEN_BITS) if not whole or high <= ends.high), THIRTY_TWO_BITS)


def understand_range(low: float, high: float, whole: bool, values: str = "") -> tuple[Range, str]:
    """(what becomes black and white, that in a sentence) of a set whose numbers lie between `low` and `high`; whole:
    whether they are whole ones. values: what was chosen, see `Choices`."""
    if values == "as they are":
        ends = plain_range(high, whole)
        return ends, f"Pixel values were read as they are, from 0 to {value_words(float(ends.high))}."
    if values != "stretched":
        if low >= 0 and 127 < high <= 255:
            return EIGHT_BITS, "Pixel values are numbers from 0 to 255."
        if whole and low >= 0 and HALF_OF_16_BITS < high <= 65535:
            return (
                SIXTEEN_BITS,
                f"Pixel values reach {value_words(float(high))}: they were read as 16 bits, 65535 is white.",
            )
        if not whole and low >= 0 and 0.5 < high <= 1:
            return Range(0, 1), "Pixel values from 0 to 1 were read as black to white."
        if not whole and -1 <= low < -0.5 and 0.5 < high <= 1:
            return Range(-1, 1), "Pixel values from -1 to 1 were read as black to white."
    ends = f"{value_words(float(low))} to {value_words(float(high))}"
    return Range(low, high), f"Pixel values lie from {ends} in the whole set; they were stretched to black and white."


def as_bytes(pixels: np.ndarray, ends: Range) -> np.ndarray:
    """Numbers as uint8 of the same shape; what is no number becomes black."""
    if pixels.dtype == np.uint8 and ends == EIGHT_BITS:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * np.uint8(255)
    result = np.empty(pixels.shape, np.uint8)
    rows = max(1, CHUNK // max(1, pixels[:1].size))
    for first in range(0, len(pixels), rows):
        result[first : first + rows] = _chunk_as_bytes(pixels[first : first + rows], ends)
    return result


def _chunk_as_bytes(pixels: np.ndarray, ends: Range) -> np.ndarray:
    if ends == SIXTEEN_BITS:
        return (pixels.clip(0, 65535).astype(np.uint32) // 257).astype(np.uint8)
    own = np.nan_to_num(pixels.astype(np.float64), nan=ends.low, posinf=ends.high, neginf=ends.low)
    return np.clip(np.rint((own - ends.low) * (255 / ((ends.high - ends.low) or 1))), 0, 255).astype(np.uint8)
