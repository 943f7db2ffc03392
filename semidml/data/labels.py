"""Which labels are seen: the draw, and in words what it amounts to. torch loads only when labels are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semidml.data.splits import seen_labels
from semidml.words import value_words

if TYPE_CHECKING:
    from torch import Tensor

MAX_REDRAWS = 1000
MOST_ROWS = 2048  # labelled rows of a step
MOST_COMPARISONS = 50_000_000  # (anchor, positive) pairs x rows: 200 MB of float32 a temporary
MOST_LABEL = np.iinfo(np.int64).max


def whole_labels(name: str, values: np.ndarray) -> np.ndarray:
    """The labels in an array of a file, whole numbers of any type: the same as int64. -1 is that of a row
    without.
    Raises: ValueError, which names the first row whose label is negative or beyond int64."""
    wrong = (values < -1) if values.dtype.kind == "i" else (values > np.uint64(MOST_LABEL)) & (values.dtype.kind == "u")
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{name} has {int(values[at])} in row {at[0]:,}, counted from 0; a label is a whole number from 0 to "
            f"{MOST_LABEL:,}, or -1 for none"
        )
    return values.astype(np.int64)


class Seen(NamedTuple):
    rows: Tensor  # int64 (n,), sorted
    redraws: int  # draws thrown away because a metric loss could not have learned from them


def draw(labels: Tensor, pl: float, sampling: str, seed: int, official: int, needs_pairs: int, views: bool) -> Seen:
    """The rows of `labels` (N,) whose labels are seen: `splits.seen_labels(pl, official)` of them, at most those that
    have one. Rows without a label, -1, are never drawn, and the draw among the others is as if they were not there.

    uniform: without replacement, each row alike; with one seed, fewer labels are a part of more labels. balanced: n //
    K of each class and one more of random classes; a class with fewer rows gives all it has and the others fill up.

    With `needs_pairs` (a metric loss over pairs or triplets) a draw must hold two classes, and so many of its classes a
    positive pair, that is two rows; with `views` two augmented views of a row are a positive pair, so that two classes
    suffice. A draw that does not is drawn again with the next sub-seed (seed, 1), (seed, 2), ... and counted.
    Raises: ValueError where no draw can do, or none of 1,001 did."""
    import torch

    y = labels.cpu().numpy()
    labelled = np.flatnonzero(y >= 0)
    n = min(seen_labels(pl, official), len(labelled))
    counts = np.unique(y[labelled], return_counts=True)[1]
    largest = int(np.sort(counts)[-max(1, min(needs_pairs, len(counts)))]) if len(counts) else 0
    if reason := problem(pl, official, sampling, len(counts), needs_pairs, views, rows=len(labelled), largest=largest):
        raise ValueError(reason)
    for attempt in range(MAX_REDRAWS + 1):
        rows = labelled[_order(y[labelled], sampling, np.random.default_rng((seed, attempt)))[:n]]
        of_class = np.unique(y[rows], return_counts=True)[1]
        pairs = int((of_class >= 2).sum())
        if not needs_pairs or (len(of_class) >= 2 and (views or pairs >= needs_pairs)):
            return Seen(torch.from_numpy(np.sort(rows)), attempt)
    of_each = "two rows of each of two classes" if needs_pairs > 1 else "two classes and two rows of one class"
    wanted = "two classes" if views else of_each
    raise ValueError(
        f"{MAX_REDRAWS + 1:,} draws of {n:,} labels from {len(labelled):,} images did not once hold {wanted}; "
        "see more labels (a larger pl), or choose balanced label sampling"
    )


def _order(y: np.ndarray, sampling: str, rng: np.random.Generator) -> np.ndarray:
    """All rows, in the order in which they are seen."""
    rows = rng.permutation(len(y))
    if sampling == "uniform":
        return rows
    classes, which = np.unique(y[rows], return_inverse=True)
    round_of = np.empty(len(rows), dtype=np.int64)  # a row's place among the rows of its class
    for c in range(len(classes)):
        own = np.flatnonzero(which == c)
        round_of[own] = np.arange(len(own))
    turn = rng.permutation(len(classes))  # which class is dealt first
    return rows[np.lexsort((turn[which], round_of))]


def problem(
    pl: float,
    official: int,
    sampling: str,
    classes: int,
    needs_pairs: int,
    views: bool,
    rows: int | None = None,
    largest: int | None = None,
) -> str:
    """Why no draw of these labels can teach a metric loss, in words; "" where one can. `rows`: images with a label
    there are to draw from, where fewer than `official`; `largest`: rows of the largest class, where known, or of the
    second largest if two classes need a pair."""
    if sampling not in ("uniform", "balanced"):
        raise ValueError(f"label_sampling must be uniform or balanced, got {sampling!r}")
    if not needs_pairs:
        return ""
    n = min(seen_labels(pl, official), official if rows is None else rows)
    given = f"pl = {value_words(pl)} of {official:,} images is {n:,} label{'s' * (n != 1)}"
    least = 2 if views else 2 + needs_pairs
    if not official or not classes:
        return "no training image has a label: a metric loss needs some"
    if classes < 2:
        return f"the images are all of {classes} class: a metric loss needs two"
    if n < least:
        of_two = "two of each of two classes" if needs_pairs > 1 else "two of one class and one of another"
        pair = "one of each of two classes" if views else of_two
        return (
            f"{given}: a metric loss needs at least {least}, {pair}; pl must be at least {_percentage(least, official)}"
        )
    if views:
        return ""
    if sampling == "balanced" and n < classes + needs_pairs and largest != 1:
        two = "fewer than two have two, so there are not two pairs"
        pairs = two if needs_pairs > 1 else "no class has two, so there is no positive pair"
        return (
            f"{given}: balanced over {classes} classes, {pairs}; choose uniform label sampling, augmentation, or a pl "
            f"of at least {_percentage(classes + needs_pairs, official)}"
        )
    if largest == 1:
        few = "fewer than two" if needs_pairs > 1 else "none"
        pair = "are not two positive pairs" if needs_pairs > 1 else "is no positive pair"
        return f"{few} of the {classes:,} classes has two images, so there {pair}; switch augmentation on"
    return ""


def most_per_class(classes: int) -> int:
    """How many labelled rows of each of so many classes a step may hold; 0 where one is too many."""
    m = MOST_ROWS // max(classes, 1)
    while m and not _fits(m * classes, m * (m - 1) * classes):
        m -= 1
    return m


def _fits(rows: int, pairs: int) -> bool:
    return rows <= MOST_ROWS and pairs * rows <= MOST_COMPARISONS


def _pairs(blocks: Sequence[int]) -> int:
    """(anchor, positive) pairs of blocks of so many rows."""
    return sum(m * (m - 1) for m in blocks)


def fit_per_class(sizes: Sequence[int], most: int, views: bool) -> int:
    """How many labelled rows of each class a step can hold, at most `most` and at least 2, of classes with so many seen
    rows; with `views` a class with fewer rows fills its block. Where 2 are too many, `too_large` says so."""
    for each in range(most, 2, -1):
        blocks = [each if views else min(each, size) for size in sizes]
        if _fits(sum(blocks), _pairs(blocks)):
            return each
    return 2


def describe_step(facts: Mapping[str, Any]) -> str:
    """What a training's facts (`Training.facts`) say of a step that was fitted to its many classes, in a sentence; ""
    where it was not."""
    each = facts.get("labelled_per_class")
    if not isinstance(each, int):
        return ""
    return f"labelled_per_class is {each} here: more labelled rows of each of so many classes do not fit into a step."


def too_large(blocks: Sequence[int], per_class: int) -> str:
    """Why a step cannot hold blocks of so many labelled rows (`per_class` at most) of each class; "" where it can."""
    rows, pairs = sum(blocks), _pairs(blocks)
    if _fits(rows, pairs):
        return ""
    most = most_per_class(len(blocks))
    return (
        f"{len(blocks)} seen classes with up to {per_class} labelled rows each make {rows:,} rows and {pairs * rows:,} "
        f"comparisons a step; at most {MOST_ROWS:,} and {MOST_COMPARISONS:,} are allowed: lower labelled_per_class"
        + (f" to {most}" if most > 1 else ", or see fewer classes")
    )


def _percentage(n: int, official: int) -> str:
    """The smallest percentage, to three digits, that sees n of `official` labels."""
    exact = 100 * (n - 0.5) / official
    digits = 2 - int(np.floor(np.log10(exact)))
    return value_words(float(min(np.ceil(exact * 10.0**digits) / 10.0**digits, 100)))


def hidden(labels: Tensor, rows: Tensor) -> Tensor:
    """Labels (N,) with -1 wherever the row is not among the seen `rows`."""
    import torch

    kept = torch.full_like(labels, -1)
    kept[rows] = labels[rows]
    return kept


def describe(pl: float, official: int, sampling: str, classes: int, unlabelled: int = 0) -> str:
    """How many labels are seen, in words: `60 of 60,000 labels (about 6 a class)`, and of how many images there is none
    to be seen: `60 of 600 labels (about 6 a class), 50,000 images without`."""
    without = f", {unlabelled:,} image{'s' * (unlabelled != 1)} without" if unlabelled else ""
    return f"{_seen_words(pl, official, sampling, classes)}{without}"


def _seen_words(pl: float, official: int, sampling: str, classes: int) -> str:
    n = seen_labels(pl, official)
    if n >= official:
        return "the only label" if official == 1 else f"all {official:,} labels" if official else "no labels"
    few, more = n // classes, -(-n // classes)
    if n < classes:
        spread = f"{n} of {classes} classes" if sampling == "balanced" else f"at most {n} of {classes} classes"
    elif sampling == "balanced":
        spread = f"{few:,} a class" if few == more else f"{few:,} or {more:,} a class"
    else:
        spread = f"about {round(n / classes):,} a class"
    return f"{n:,} of {official:,} labels ({spread})"
