"""What every data set is: images as one uint8 tensor, labels as one int64 tensor, in up to three splits."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from semidml.data import augment_strength, find_entry, splits, twins
from semidml.data.fingerprint import digest_labels, digest_pixels

HELD_OUT = 0.2  # share of the rows that becomes the test split of data that come without one
HELD_OUT_SEED = 0
DIGESTED = 4 << 20
HELD_OUT_NOTE = "There was no test split: 20 % of each class, drawn with a fixed seed, were held out as one."
HELD_UNLABELLED_NOTE = (
    "There was no test split: 20 % of the images without a label, drawn with a fixed seed, were held out as one."
)


class Split(NamedTuple):
    images: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64 (N,), 0 to classes - 1; -1 for a row without a label


@dataclass(frozen=True)
class Dataset:
    """Images and labels of a data set. `test` is what scores are of; pl is a percentage of `official_train` labels.

    Rows without a label, -1, are rows of their split like others. Those of training train what learns from images and
    are never seen; those of testing have latents and reconstructions, and no score that needs a class is of them."""

    name: str
    title: str
    train: Split
    test: Split
    validation: Split | None  # the official one, where there is one
    class_names: tuple[str, ...]  # none where no row has a label
    notes: tuple[str, ...] = ()  # what was decided while reading it, in sentences for the page
    held_back: int = 0  # training labels that `for_selection` took away
    halves: tuple[Split, Split] | None = None  # the splits of `by_classes`, where they lie ready on the disk
    files: str = ""  # `fingerprint.digest_files` of the image files that it was read from; "" where there were none
    told_pixels: str | None = None  # `pixels`, where it is known without reading them all

    def __post_init__(self) -> None:
        for split in self.parts.values():
            check(split, len(self.class_names))
            if split.images.shape[1:] != self.train.images.shape[1:]:
                raise ValueError(
                    f"images of all splits must have one shape; got {tuple(self.train.images.shape[1:])} for training "
                    f"and {tuple(split.images.shape[1:])} for another split"
                )

    @property
    def parts(self) -> dict[str, Split]:
        """Its splits, by name: train, test and, where there is one, validation."""
        known = {"train": self.train, "test": self.test}
        return known | {"validation": self.validation} if self.validation else known

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return tuple(self.train.images.shape[1:])  # type: ignore[return-value]

    @cached_property
    def digest(self) -> str:
        """Of all labels and of up to DIGESTED bytes of each split's images, of rows as far apart as can be: another
        data set of this name and shape has another one, as far as these tell. 64 hexadecimal digits.
        Runs up to version 0.3 know their data by it alone."""
        seen = hashlib.sha256()
        for split in self.parts.values():
            rows = min(len(split.labels), max(1, DIGESTED // split.images[0].numel()))
            seen.update(split.labels.numpy().tobytes())
            seen.update(split.images[torch.arange(rows) * len(split.labels) // rows].numpy().tobytes())
        return seen.hexdigest()

    @cached_property
    def pixels(self) -> str:
        """Of every byte of all images (`fingerprint.digest_pixels`); "" where they were decoded onto the disk, and are
        known by their files: to read them all would take long."""
        if self.told_pixels is not None:
            return self.told_pixels
        return digest_pixels({split: part.images for split, part in self.parts.items()})

    @property
    def label_digest(self) -> str:
        """See `fingerprint.digest_labels`."""
        return digest_labels(part.labels for part in self.parts.values())

    @property
    def official_train(self) -> int:
        """Labels of the official training set, as many as its rows where each has one, whatever is held back of it for
        choosing settings."""
        return len(known(self.train.labels)) + self.held_back

    @property
    def unlabelled(self) -> int:
        """Training rows without a label."""
        return int((self.train.labels < 0).sum())

    @property
    def augment_strength(self) -> float:
        """How strongly these images may be turned, scaled and shifted (`augment.affine_parameters`)."""
        return augment_strength(self.shape)

    @property
    def twins(self) -> str:
        """Which random transforms suit these images, `signs` or `photographs`: a key of `augment.TWINS`."""
        entry = find_entry(self.name)
        return entry.facts["twins"] if entry else twins(self.shape)

    @property
    def disjoint(self) -> bool:
        """Whether there are test rows of classes, and of none that has training rows."""
        tested = known(self.test.labels)
        return len(tested) > 0 and not torch.isin(tested, known(self.train.labels)).any()

    def by_classes(self) -> "Dataset":
        """The data set split as the field of metric learning does (Song et al. 2016, arXiv 1511.06452): all rows of the
        first half of the classes are trained on, all rows of the others are tested on. An odd class is tested on, and
        classes without rows do not count. Rows without a label, which may be of a test class, are left out.
        Raises: ValueError for fewer than 3 classes."""
        parts = [part for part in (self.train, self.validation, self.test) if part]
        labels = torch.cat([part.labels for part in parts])
        classes = len(known(labels).unique())
        splits.check_half(classes, self.title)
        first = first_half(labels)
        halves = self.halves if len(known(labels)) == len(labels) else None
        train, test = halves or (
            Split(*(torch.cat(rows) for rows in zip(*(take(part, where(part)) for part in parts), strict=True)))
            for where in (
                lambda part: torch.isin(part.labels, first),
                lambda part: (part.labels >= 0) & ~torch.isin(part.labels, first),
            )
        )
        note = (
            f"Split by classes: the first {len(first):,} of {classes:,} classes are trained on, the other "
            f"{classes - len(first):,} are tested on."
        )
        if left := len(labels) - len(known(labels)):
            note += f" {left:,} images without a label may be of either, and are left out."
        notes = (*(n for n in self.notes if n not in (HELD_OUT_NOTE, HELD_UNLABELLED_NOTE)), note)
        return replace(self, train=train, test=test, validation=None, notes=notes, held_back=0, halves=None)

    def for_selection(self, seed: int) -> "Dataset":
        """The data set to choose settings on: scores are then of the official validation split or, where there is none,
        of 10 % of the training rows that have a label, as evenly of the classes as can be (`held_evenly`), drawn by the
        seed; rows without a label stay in training, and the test rows are left alone. Where no class has two training
        rows, 10 % of those without a label are drawn. Where the test classes are new ones, so are those that settings
        are chosen on: the last fifth of the training classes, at least 2.
        Raises: ValueError when too few rows or classes would be left, or too many would have to be copied."""
        if self.validation:
            return replace(self, test=self.validation, validation=None, halves=None)
        labels = self.train.labels
        has, classes = labels >= 0, known(labels).unique()
        if len(classes) and self.disjoint:
            splits.check_last(len(classes), self.title)
            held = torch.isin(labels, classes[-splits.last_classes(len(classes)) :])
        else:
            offered = has if has.all() or has.sum() > len(classes) else ~has
            groups, held = labels[offered].clamp(min=0), torch.zeros(len(labels), dtype=torch.bool)
            held[offered] = held_evenly(groups, splits.held_rows(len(groups), len(groups.unique()), self.title), seed)
        train, test = take(self.train, ~held), take(self.train, held)
        return replace(self, train=train, test=test, held_back=len(known(test.labels)), halves=None)


def known(labels: Tensor) -> Tensor:
    """The labels of the rows that have one: (N,) -> (n,)."""
    return labels[labels >= 0]


def label_facts(labels: Mapping[str, Tensor], classes: int, shape: tuple[int, ...]) -> dict[str, Any]:
    """The facts of `store.facts` that the labels (N,) of each split tell, and the shape (C, H, W)."""
    by_class = sum(known(y).bincount(minlength=classes) for y in labels.values()).tolist()
    facts: dict[str, Any] = {"classes": classes, "by_class": tuple(by_class), "shape": shape}
    trained_on, labelled = len(known(labels["train"]).unique()), {split: len(known(y)) for split, y in labels.items()}
    facts |= {} if trained_on == classes else {"training_classes": trained_on}
    rows = {split: len(y) for split, y in labels.items()}
    return rows | facts | ({} if labelled == rows else {"labelled": labelled})


def take(split: Split, rows: Tensor) -> Split:
    """The given rows of a split, their numbers or a bool for each: views where they follow one another, else copies.
    Raises: ValueError when too much would be copied."""
    if rows.dtype == torch.bool:
        rows = rows.nonzero().flatten()
    if len(rows) and (rows.diff() == 1).all():
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        return Split(split.images[part], split.labels[part])
    splits.check_copied(len(rows), math.prod(split.images.shape[1:]))
    return Split(split.images[rows], split.labels[rows])


def first_half(labels: Tensor) -> Tensor:
    """The classes that `Dataset.by_classes` trains on, of the labels (N,) of all rows: (floor(n / 2),)."""
    classes = known(labels).unique()
    return classes[: splits.half(len(classes))]


def held_rows(labels: Tensor) -> Tensor:
    """Which rows are held out for testing: bool (N,). HELD_OUT of each class, rounded, drawn with a fixed seed; at
    least one of a class with two rows or more, and never all of a class. Rows without a label stay in training; where
    no class has two rows, HELD_OUT of them are held out instead.
    Raises: ValueError when there are not two of these either."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(HELD_OUT_SEED))
    held = torch.zeros(len(order), dtype=torch.bool)
    for group in (known(labels).unique().tolist(), [-1]):
        for c in group:
            rows = order[labels[order] == c]
            held[rows[: min(max(1, round(HELD_OUT * len(rows))), max(len(rows) - 1, 0))]] = True
        if held.any():
            return held
    raise ValueError("no class has two images, so none can be held out for testing; add images or a test split")


def held_note(held: Tensor) -> str:
    """Which rows `held_rows` held out, in a sentence for the page: those with these labels (M,)."""
    return HELD_OUT_NOTE if len(known(held)) else HELD_UNLABELLED_NOTE


def held_evenly(labels: Tensor, count: int, seed: int) -> Tensor:
    """Which `count` rows are held out, bool (N,), by the seed: the j-th row drawn of a class of n has (j - 1/2) / n,
    and the smallest are held, never a class's last. So shares are kept as evenly as whole rows allow
    (Sainte-Laguë's method), and every class is trained on."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    sizes, drawn = labels.bincount(), labels[order]
    rank = torch.empty_like(order)
    for c in drawn.unique():
        rank[drawn == c] = torch.arange(int(sizes[c]))
    share = (rank + 0.5) / sizes[drawn].double()
    share[rank == sizes[drawn] - 1] = math.inf
    held = torch.zeros(len(order), dtype=torch.bool)
    held[order[share.argsort(stable=True)[:count]]] = True  # of equal shares the first drawn
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
    if labels.min() < -1 or labels.max() >= classes:
        allowed = (
            f"lie between 0 and {classes - 1}, or be -1 for none" if classes else "be -1 where there are no classes"
        )
        raise ValueError(f"labels must {allowed}; got {labels.min().item()} to {labels.max().item()}")
