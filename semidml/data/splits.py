"""Which classes and rows the splits of `Dataset` take, counted before an image is read. Torch-free."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from semidml import memory

CLASSES_A_HELD_OUT_ONE = 5  # one of so many training classes is chosen on, where test classes are new ones
ROWS_A_HELD_OUT_ONE = 10  # one of so many training rows is chosen on, where there is no validation split
MAX_COPIED = 2 << 30  # bytes of images that a split may copy to memory, as many as those of an .npz


class Training(NamedTuple):
    """What a split trains on."""

    official: int  # labels that pl is a percentage of: as many as rows, but for those without one
    rows: int  # without those held back for choosing settings
    classes: int  # of these rows
    unlabelled: int = 0  # of these rows: those without a label

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        return self.rows - self.unlabelled


def half(classes: int) -> int:
    """How many of the classes that have rows a split by classes trains on."""
    return classes // 2


def check_half(classes: int, title: str) -> None:
    """Raises ValueError for fewer than 3 classes."""
    if classes < 3:
        raise ValueError(
            f"{title} has images of {classes} {'class' if classes == 1 else 'classes'}; splitting by classes "
            "needs at least 3, so that there are two to tell apart in the test half"
        )


def last_classes(classes: int) -> int:
    """How many training classes settings are chosen on where test classes are new, perhaps too many (`check_last`)."""
    return max(2, classes // CLASSES_A_HELD_OUT_ONE)


def check_last(classes: int, title: str) -> None:
    """Raises ValueError when too few training classes would be left."""
    held = last_classes(classes)
    if held >= classes:
        raise ValueError(
            f"{title} has {classes} training {'class' if classes == 1 else 'classes'}, and other classes to test; "
            f"holding {held} out for choosing settings needs at least {held + 1}"
        )


def held_rows(rows: int, classes: int, title: str) -> int:
    """How many training rows settings are chosen on, of so many classes that have some: one of ROWS_A_HELD_OUT_ONE, at
    least one, and never a class's last.
    Raises: ValueError where every class has a single row."""
    if rows <= classes:
        raise ValueError(
            f"{title} has one training row of each class; holding some out for choosing settings needs a class with at "
            "least 2: add images, or bring a validation split"
        )
    return min(max(1, rows // ROWS_A_HELD_OUT_ONE), rows - classes)


def check_copied(rows: int, size: int) -> None:
    """Raises ValueError when rows of `size` bytes that do not lie side by side are too many to be copied to memory."""
    if rows * size > MAX_COPIED:
        raise ValueError(
            f"{rows:,} images of {size:,} bytes each do not lie side by side, and would be {rows * size / 2**30:.1f} "
            f"GiB in memory; at most {MAX_COPIED / 2**30:g} GiB are copied: take fewer or smaller images, or bring a "
            "validation split (a folder val) to choose settings on"
        )
    memory.check_free(rows * size, f"a copy of {rows:,} images that do not lie side by side")


def training(facts: Mapping[str, Any], title: str, split: str, evaluate_on: str) -> Training:
    """What RunConfig's `split` and `evaluate_on` train on, of a data set with the facts of `store.facts`. Without
    `by_class` among them, each class counts as having as many rows.
    Raises: ValueError as `Dataset` would."""
    choosing = evaluate_on == "validation"
    if split == "classes":
        own = _rows_of_half(facts, title)
        if choosing:
            check_last(len(own), title)
        kept = own[: -last_classes(len(own))] if choosing else own
        return Training(round(sum(own)), round(sum(kept)), len(kept))
    rows = facts["train"]
    official = facts.get("labelled", facts)["train"]
    unlabelled = rows - official
    if choosing and not facts.get("validation"):
        classes = facts.get("training_classes", facts["classes"])
        of_labelled = official > classes or not unlabelled
        held = held_rows(official, classes, title) if of_labelled else held_rows(unlabelled, 1, title)
        rows, unlabelled = rows - held, unlabelled if of_labelled else unlabelled - held
        check_copied(rows, math.prod(facts["shape"]))
    return Training(official, rows, facts.get("training_classes", facts["classes"]), unlabelled)


def _rows_of_half(facts: Mapping[str, Any], title: str) -> list[float]:
    """Rows of each class that a split by classes trains on."""
    if "by_class" in facts:
        sizes = [rows for rows in facts["by_class"] if rows]
        check_half(len(sizes), title)
        return sizes[: half(len(sizes))]
    check_half(facts["classes"], title)
    classes = half(facts["classes"])
    total = sum(facts.get(split, 0) for split in ("train", "validation", "test"))
    return [facts.get("half", classes * total / facts["classes"]) / classes] * classes


def seen_labels(pl: float, n: int) -> int:
    """How many of n training labels `pl` percent are: max(1, round(pl / 100 * n)), of none none."""
    return min(n, max(1, math.floor(pl / 100 * n + 0.5)))
