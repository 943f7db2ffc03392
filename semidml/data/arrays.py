"""What arrays of images mean: which axis is which, which number is white, and which row is of which class."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy as np
import torch

from semidml.data.choices import Choices
from semidml.data.dataset import Split
from semidml.data.formats import UNLABELLED, Arrays
from semidml.data.label_values import Labels, read_labels
from semidml.data.layout import Question
from semidml.data.mute import mute_note, mute_splits
from semidml.data.values import BLACK_OR_WHITE, EIGHT_BITS, Range, as_bytes, plain_range, understand_range

CHANNELS = (1, 3, 4)
SIDES = (4, 256)  # pixels that an image may be wide or high
CHUNK = 1 << 24
FEW = 3  # images that are kept in the numbers they are written in


class Understood(NamedTuple):
    """Arrays as a data set."""

    splits: dict[str, Split]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    questions: tuple[Question, ...]
    low: float  # of the numbers that images are written in
    high: float
    swapped: bool = False  # whether rows and columns of the images were
    ranges: tuple[Range, Range, Range] | None = None  # that could be black and white: see `look.Contrast`
    written: np.ndarray | None = None  # (n, C, H, W), a few training images in those numbers; with `ranges` alone

    @property
    def bytes(self) -> int:
        return sum(part.images.nbytes for part in self.splits.values())


Keep = Callable[[tuple[Hashable, ...], Callable[[], Any]], Any]  # (key, make) -> what was made


def understand(
    source: Arrays,
    choices: Choices,
    keep: Keep = lambda key, make: make(),
    beat: Callable[[], object] = lambda: None,
) -> Understood:
    """The splits that arrays are. keep: has what was made of these arrays before; beat: called now and then, and may
    raise to end it.
    Raises: ValueError in words."""
    labels = _labels(source, choices)
    pixels, notes = {}, []
    for split in [split for split in ("train", "val", "test", UNLABELLED) if split in source.splits]:
        images, of_rows = source.splits[split]
        pixels[split], told = arrange(images, None if of_rows is None else len(of_rows), f"{split} images")
        notes += [told] if told and told not in notes else []
        rows, labelled = len(pixels[split]), len(labels.splits[split])
        if rows != labelled:
            raise ValueError(f"there are {labelled:,} {split} labels, but {rows:,} images; there must be as many")
        if pixels[split].shape[1:] != pixels["train"].shape[1:]:
            raise ValueError(
                f"{split} images have shape {pixels[split].shape[1:]}, training images {pixels['train'].shape[1:]}; "
                "all must have one shape"
            )
    swapped = choices.transposed == "yes" or (source.transposed and choices.transposed != "no")
    if swapped:
        pixels = {split: images.swapaxes(2, 3) for split, images in pixels.items()}
        notes.append("Rows and columns of the images were swapped: letters of this set are stored lying on their side.")
    low = min(float(_extreme(images, np.min)) for images in pixels.values())
    high = max(float(_extreme(images, np.max)) for images in pixels.values())
    kinds = {images.dtype for images in pixels.values()}
    ends, told, ranges, written = EIGHT_BITS, "", None, None
    if kinds == {np.dtype(bool)}:
        ends, told = Range(0, 1), "Pixels are true or false: white or black."
    elif kinds == {np.dtype(np.uint8)} and high == 1 and not choices.values:
        ends, told = Range(0, 1), BLACK_OR_WHITE
    elif kinds != {np.dtype(np.uint8)} or choices.values:
        whole = all(kind.kind in "iub" for kind in kinds)
        ends, told = understand_range(low, high, whole, choices.values)
        ranges = plain_range(high, whole), understand_range(low, high, whole)[0], Range(low, high)
        written = pixels["train"][:: max(1, len(pixels["train"]) // FEW)][:FEW].copy()

    def convert() -> dict[str, torch.Tensor]:
        return {split: torch.from_numpy(in_bytes(images, ends, beat)) for split, images in pixels.items()}

    shown = keep(("bytes", choices.values, swapped), convert)
    splits = {split: Split(images, torch.from_numpy(labels.splits[split])) for split, images in shown.items()}
    splits, moved = _without_mute(splits)
    notes = (*source.notes, *notes, *((told,) if told else ()), *labels.notes, *moved)
    questions = (*source.questions, *labels.questions)
    return Understood(splits, labels.class_names, notes, questions, low, high, swapped, ranges, written)


def _without_mute(splits: dict[str, Split]) -> tuple[dict[str, Split], tuple[str, ...]]:
    """(splits, notes): images without a label belong to training, those of a whole split too where training has
    labels."""
    labelled = [split for split, part in splits.items() if (part.labels >= 0).any()]
    further = [split for split in splits if split == UNLABELLED]
    mute = [*mute_splits(splits.keys() - {UNLABELLED}, labelled), *further]
    if not mute:
        return splits, ()
    own = [splits[split] for split in ("train", *mute)]
    train = Split(torch.cat([part.images for part in own]), torch.cat([part.labels for part in own]))
    notes = tuple(mute_note(split, len(splits[split].labels)) for split in mute if split not in further)
    notes += tuple(
        f"{len(splits[split].labels):,} further images were read as images of training without a label."
        for split in further
    )
    return {"train": train} | {split: part for split, part in splits.items() if split not in ("train", *mute)}, notes


def _labels(source: Arrays, choices: Choices) -> Labels:
    """The labels of all splits; a split that comes without any has rows without a label."""
    written = {split: labels for split, (_, labels) in source.splits.items() if labels is not None}
    known = read_labels(written, source.class_names, choices) if written else Labels({}, ())
    bare = {
        split: np.full(len(arrange(images, None, f"{split} images")[0]), -1, np.int64)
        for split, (images, labels) in source.splits.items()
        if labels is None
    }
    return known._replace(splits=known.splits | bare)


def arrange(images: np.ndarray, rows: int | None, name: str) -> tuple[np.ndarray, str]:
    """(a view (N, 1, 3 or 4, H, W) of images, how it was read or "" where it is as usual). `rows`: how many labels
    there are, which tells the axis of the rows where it is the last.
    Raises: ValueError in words."""
    shape = images.shape
    told = ""
    if images.ndim in (3, 4) and rows is not None and shape[0] != rows == shape[-1]:
        images = np.moveaxis(images, -1, 0)
        told = "The last axis of the images was read as the rows."
    if images.ndim == 2:
        images, told = _unflattened(images, name)
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in CHANNELS:
        images = np.moveaxis(images, 3, 1)
    elif images.ndim == 4 and images.shape[1] in CHANNELS:
        told = f"Images have shape {shape[1:]}: colours were read as the axis before height and width."
    else:
        raise ValueError(f"{name} have shape {shape}; it must be (N, H, W) for grey or (N, H, W, 3) for colour images")
    if not len(images):
        raise ValueError(f"the array of {name} is empty; each split that is there must hold at least one image")
    if not all(SIDES[0] <= side <= SIDES[1] for side in images.shape[2:]):
        height, width = images.shape[2:]
        raise ValueError(f"{name} are {height} x {width} pixels; {SIDES[0]} to {SIDES[1]} a side are read")
    return images, told


def _unflattened(images: np.ndarray, name: str) -> tuple[np.ndarray, str]:
    """Rows of pixels as square images: grey where their number is a square, else three colours one after the other."""
    count = images.shape[1]
    side = math.isqrt(count)
    if side * side == count:
        return images.reshape(-1, side, side), f"Rows of {count:,} pixels were read as images of {side} x {side}."
    side = math.isqrt(count // 3)
    if 3 * side * side == count:
        told = (
            f"Rows of {count:,} numbers were read as images of {side} x {side} in colour, one colour after the other."
        )
        return images.reshape(-1, 3, side, side), told
    raise ValueError(
        f"{name} have {count:,} numbers a row, which make no square image; it must be (N, H, W) or (N, H, W, 3)"
    )


def _extreme(images: np.ndarray, which: object) -> float:
    """The least or the greatest of finite numbers.
    Raises: ValueError where there are none."""
    if images.dtype.kind == "f":
        finite = images[np.isfinite(images)]
        if not finite.size:
            raise ValueError("the images hold no number at all, only NaN or infinity")
        return which(finite)
    return which(images)


def in_bytes(images: np.ndarray, ends: Range, beat: Callable[[], object] = lambda: None) -> np.ndarray:
    """Images (N, 1, 3 or 4, H, W) of any numbers as uint8 (N, 1 or 3, H, W), piece by piece; what is transparent
    is made white."""
    count, channels, height, width = images.shape
    result = np.empty((count, min(channels, 3), height, width), np.uint8)
    step = max(1, CHUNK // (channels * height * width))
    for first in range(0, count, step):
        beat()
        piece = as_bytes(np.ascontiguousarray(images[first : first + step]), ends)
        if channels == 4:
            opaque = piece[:, 3:].astype(np.uint16)
            piece = ((piece[:, :3] * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)
        result[first : first + step] = piece
    return result
