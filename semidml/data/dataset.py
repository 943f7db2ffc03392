"""What every data set is: images as one uint8 tensor, labels as one int64 tensor, in up to three splits."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from semidml.data import augment_strength

HELD_OUT = 0.2  # share of the rows that becomes the test split of data that come without one
HELD_OUT_SEED = 0


class Split(NamedTuple):
    images: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,), 0 to classes - 1


@dataclass(frozen=True)
class Dataset:
    """Images and labels of a data set. `test` is what scores are of; `official_train` counts the rows that pl is a
    percentage of."""

    name: str
    title: str
    train: Split
    test: Split
    validation: Split | None  # the official one, where there is one
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()  # what was decided while reading it, in sentences for the page
    held_back: int = 0  # training rows that `for_selection` took away

    def __post_init__(self) -> None:
        for split in (self.train, self.test, *([self.validation] if self.validation else [])):
            check(split, len(self.class_names))
            if split.images.shape[1:] != self.train.images.shape[1:]:
                raise ValueError(
                    f"images of all splits must have one shape; got {tuple(self.train.images.shape[1:])} for training "
                    f"and {tuple(split.images.shape[1:])} for another split"
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return tuple(self.train.images.shape[1:])  # type: ignore[return-value]

    @property
    def official_train(self) -> int:
        """Rows of the official training set, whatever is held back of it for choosing settings."""
        return len(self.train.labels) + self.held_back

    @property
    def augment_strength(self) -> float:
        """How strongly these images may be turned, scaled and shifted: the `strength` of
        `augment.affine_parameters`."""
        return augment_strength(self.shape)

    def for_selection(self, seed: int) -> "Dataset":
        """The data set to choose settings on: scores are then of the official validation split or, where there is
        none, of 10 % of the training rows, held out by the seed; the test rows are left alone."""
        if self.validation:
            return replace(self, test=self.validation, validation=None)
        if len(self.train.labels) < 2:
            raise ValueError(
                f"{self.title} has 1 training row; holding some out for choosing settings needs at least 2"
            )
        held = max(1, len(self.train.labels) // 10)
        order = torch.randperm(len(self.train.labels), generator=torch.Generator().manual_seed(seed))
        test, train = order[:held].sort().values, order[held:].sort().values
        return replace(self, train=take(self.train, train), test=take(self.train, test), held_back=held)


def take(split: Split, rows: Tensor) -> Split:
    """The given rows of a split."""
    return Split(split.images[rows], split.labels[rows])


def hold_out(split: Split) -> tuple[Split, Split]:
    """(kept, held out) rows of a split, by `held_rows`. Raises ValueError when no class has two rows."""
    held = held_rows(split.labels)
    if not held.any():
        raise ValueError("no class has two images, so none can be held out for testing; add images or a test split")
    return take(split, (~held).nonzero().flatten()), take(split, held.nonzero().flatten())


def held_rows(labels: Tensor) -> Tensor:
    """Which rows are held out for testing: bool (N,). HELD_OUT of each class, rounded, drawn with a fixed seed; at
    least one of a class with two rows or more, and never all of a class."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(HELD_OUT_SEED))
    held = torch.zeros(len(order), dtype=torch.bool)
    for c in labels.unique():
        rows = order[labels[order] == c]
        held[rows[: min(max(1, round(HELD_OUT * len(rows))), len(rows) - 1)]] = True
    return held


def check(split: Split, classes: int) -> None:
    """Raises ValueError when images and labels are not what a split is made of."""
    images, labels = split
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be uint8 (N, 1 or 3, H, W); got {images.dtype} {tuple(images.shape)}")
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"{len(images)} images need {len(images)} int64 labels; got {labels.dtype} {tuple(labels.shape)}"
        )
    if not len(labels):
        raise ValueError("a split must hold at least one image; got none")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels must lie between 0 and {classes - 1}; got {labels.min().item()} to {labels.max().item()}"
        )
