"""Images of the rows that a run draws, large ones reduced."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from semidml import frames
from semidml.frames import Rows

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset


PIXELS_AT_ONCE = 1 << 24  # numbers of the images that are taken from a data set together
SMALL_SIDE = 32  # pixels a side, of images that are drawn small or only compared


def read_pictures(data: "Dataset", rows: Rows, positions: Sequence[int] | np.ndarray) -> np.ndarray:
    """Images of the points at `positions`: uint8 (m, C, H, W). `data` has the run's splits (`trained_on.read_splits`).

    Raises ValueError when a row is not in the data set."""
    at = np.asarray(positions, dtype=np.int64)
    images = np.empty((len(at), *data.shape), dtype=np.uint8)
    for split, part in ((frames.TRAIN, data.train), (frames.TEST, data.test)):
        own = np.flatnonzero(rows["split"][at] == split)
        wanted = rows["row"][at[own]].astype(np.int64)
        if (outside := wanted[(wanted < 0) | (wanted >= len(part.images))]).size:
            few = f"{len(part.images):,} {frames.SPLITS[split]} images"
            raise ValueError(f"the run draws row {outside[0]:,}, but {data.name} has {few} here: another data set")
        images[own] = part.images[wanted].numpy()
    return images


def read_in_parts(data: "Dataset", rows: Rows, positions: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
    """The images of `read_pictures`, some at a time and in order: thousands of large ones are gigabytes."""
    at = max(1, PIXELS_AT_ONCE // math.prod(data.shape))
    for start in range(0, len(positions), at):
        yield read_pictures(data, rows, positions[start : start + at])


def small_pictures(data: "Dataset", rows: Rows, most: int = SMALL_SIDE) -> np.ndarray:
    """The images of all points, `reduce_images`: uint8 (n, C, h, w)."""
    return np.concatenate(
        [reduce_images(part, most) for part in read_in_parts(data, rows, np.arange(len(rows["row"])))]
    )


def mean_picture(data: "Dataset", rows: Rows, positions: Sequence[int] | np.ndarray) -> np.ndarray:
    """The mean image of the points at `positions`: uint8 (C, H, W)."""
    total = sum(part.sum(axis=0, dtype=np.int64) for part in read_in_parts(data, rows, positions))
    return (total / len(positions)).round().astype(np.uint8)


def reduce_images(images: np.ndarray, most: int = 64) -> np.ndarray:
    """Images of at most `most` pixels a side, means over square blocks: uint8 (m, C, H, W) -> uint8 (m, C, h, w)."""
    times = times_smaller(*images.shape[2:], most)
    if times == 1:
        return images
    height, width = (side // times for side in images.shape[2:])
    blocks = images[:, :, : height * times, : width * times].reshape(*images.shape[:2], height, times, width, times)
    return blocks.mean(axis=(3, 5)).round().astype(np.uint8)


def times_smaller(height: int, width: int, most: int = 64) -> int:
    """How many times smaller a side is after `reduce_images`; 1 of images that are small already."""
    return -(-max(height, width) // most)


def centre_image(image: np.ndarray) -> np.ndarray:
    """An image uint8 (C, H, W), light on dark, moved by whole pixels so that its light has its middle in the middle, as
    MNIST's digits have (LeCun et al. 1998, doi 10.1109/5.726791); what leaves the image is lost."""
    light = image.astype(np.float64).sum(axis=0)
    if not light.any():
        return image
    moved = image
    for axis in (0, 1):
        middle = (light.sum(axis=1 - axis) * np.arange(light.shape[axis])).sum() / light.sum()
        by = round((light.shape[axis] - 1) / 2 - middle)
        moved = np.roll(moved, by, axis=axis + 1)
        edge = [slice(None)] * 3
        edge[axis + 1] = slice(0, by) if by > 0 else slice(light.shape[axis] + by, None) if by < 0 else slice(0, 0)
        moved[tuple(edge)] = 0
    return moved


def is_inverted(image: np.ndarray, others: np.ndarray) -> bool:
    """Whether an image (C, H, W) lies on a light ground and those of its data set (m, C, H, W) on a dark one, or the
    other way round, by the pixels of the border."""
    border = np.ones(image.shape[1:], bool)
    border[1:-1, 1:-1] = False
    return bool(abs(float(np.median(image[:, border])) - float(np.median(others[:, :, border]))) > 127)
