"""What every data set is: images as one uint8 tensor, labels as one int64 tensor, in up to three splits."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor


class Split(NamedTuple):
    images: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,), 0 to classes - 1


@dataclass(frozen=True)
class Dataset:
    """Images and labels of a data set. `test` is what scores are of; `official_train` counts the rows that pl is a percentage of."""

    name: str
    title: str
    train: Split
    test: Split
    validation: Split | None  # the official one, where there is one
    class_names: tuple[str, ...]
    upright: bool = True  # may be turned, scaled and shifted a little without changing its class

    def __post_init__(self) -> None:
        for split in (self.train, self.test, *([self.validation] if self.validation else [])):
            check(split, len(self.class_names))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return tuple(self.train.images.shape[1:])  # type: ignore[return-value]

    def for_selection(self, seed: int) -> "Dataset":
        """The data set to choose settings on: scores are then of the official validation split or, where there is none, of
        10 % of the training rows, held out by the seed; the test rows are left alone."""
        if self.validation:
            return replace(self, test=self.validation, validation=None)
        order = torch.randperm(len(self.train.labels), generator=torch.Generator().manual_seed(seed))
        held, kept = order.split([len(order) // 10, len(order) - len(order) // 10])
        return replace(self, train=take(self.train, kept.sort().values), test=take(self.train, held.sort().values))


def take(split: Split, rows: Tensor) -> Split:
    """The given rows of a split."""
    return Split(split.images[rows], split.labels[rows])


def check(split: Split, classes: int) -> None:
    """Raises ValueError when images and labels are not what a split is made of."""
    images, labels = split
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be uint8 (N, 1 or 3, H, W); got {images.dtype} {tuple(images.shape)}")
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        raise ValueError(f"{len(images)} images need {len(images)} int64 labels; got {labels.dtype} {tuple(labels.shape)}")
    if not len(labels):
        raise ValueError("a split must hold at least one image; got none")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"labels must lie between 0 and {classes - 1}; got {labels.min().item()} to {labels.max().item()}")
