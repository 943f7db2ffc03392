"""What data sets come as besides folders of image files: one reader a format, each of which gives `Arrays` or items.

Nothing that is read here may run code; sizes are taken from headers before anything is unpacked.
"""

from typing import NamedTuple

import numpy as np

from semidml import memory
from semidml.data.layout import Question

UNLABELLED = "unlabelled"  # what holds images of training without a label, beside the splits
MAX_BYTES = 2 << 30  # of arrays, unpacked


class Arrays(NamedTuple):
    """What a format holds, as it is: nothing is understood yet."""

    kind: str  # what it is, in words
    splits: dict[str, tuple[np.ndarray, np.ndarray | None]]  # {split or UNLABELLED: (images, labels)}
    class_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    questions: tuple[Question, ...] = ()
    transposed: bool = False  # whether rows and columns are known to be swapped


def check_bytes(size: int, name: str) -> None:
    """Raises ValueError when arrays would take too much memory, or more than is free."""
    if size > MAX_BYTES:
        raise ValueError(f"{name} unpacks to {size / 2**30:,.1f} GiB; at most {MAX_BYTES / 2**30:g} GiB are read")
    memory.check_free(size, f"unpacking {name}")
