"""Splits without any label: what nothing is said of cannot test, and so is learned from. Torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING

from semidml.data.names import SPLIT_TITLES

if TYPE_CHECKING:  # a layout leaves mute splits out itself
    from semidml.data.layout import Item


def mute_splits(splits: Collection[str], labelled: Collection[str]) -> list[str]:
    """Those of `splits` that have no label, where training has some; `labelled`: those that have any."""
    return sorted(set(splits) - set(labelled)) if "train" in labelled else []


def mute_note(split: str, images: int) -> str:
    """What is said of a split without any label."""
    return (
        f"{images:,} {SPLIT_TITLES[split]} images were read as images without a label: nothing says what they show, "
        "so they cannot test."
    )


def without_mute(items: list[Item]) -> tuple[list[Item], list[str]]:
    """(items, notes): where training images have labels, and those of another split have none, the latter are images of
    training without a label."""
    count = Counter(item.split for item in items)
    mute = mute_splits(count, {item.split for item in items if item.class_name is not None})
    notes = [mute_note(split, count[split]) for split in mute]
    return [item._replace(split="train") if item.split in mute else item for item in items], notes
