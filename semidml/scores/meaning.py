"""Which scores mean something, and which need a remark: told from labels alone, before a latent is looked at.

A score means nothing where its value is forced whatever the latents are, as every agreement of a single class with
anything. It then is None, with the reason. A score of few rows, or with a class of one row, means less than it seems to
and carries a remark. `judge` decides both, by a score's entry in the table.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from semidml.scores.table import SCATTER, SCORES, Score

NO_TEST_LABEL, NO_TRAINING_LABEL = "no test image has a label", "no training image has a label"
FEW = 30  # rows below which a score carries a remark
NAMED = 3  # classes that a remark names


class Judged(NamedTuple):
    """Of the scores asked for, by name: why one means nothing; what to know of one."""

    failed: dict[str, str]
    notes: dict[str, str]


def judge(
    names: Iterable[str],
    labels: np.ndarray,
    *,
    fitted_on: np.ndarray | None = None,
    clusters: int = 0,
    dimensions: int = 0,
    drawn: bool = False,
    class_names: Sequence[str] = (),
) -> Judged:
    """What is to be said of scores of rows with these labels (M,), M at least 1. Rows without one, -1, are rows of the
    scores that need none alone.

    fitted_on: labels of the rows that classifiers are fitted on. clusters: how many k-means is asked for. dimensions:
    of the latents. drawn: whether the rows are some of the test rows. class_names: how classes are called; numbers
    where there are none."""
    kind = "drawn test image" if drawn else "test image"
    whole, labelled = (
        _Rows(*np.unique(of, return_counts=True), kind, class_names) for of in (labels, labels[labels >= 0])
    )
    known = labels[:0] if fitted_on is None else fitted_on[fitted_on >= 0]
    known = _Rows(*np.unique(known, return_counts=True), "", class_names)
    failed, notes = {}, {}
    for name in names:
        of = labelled if SCORES[name].needs_labels else whole
        if of is labelled and not of.count:
            failed[name] = NO_TEST_LABEL
        elif SCORES[name].fitted_on == "all" and fitted_on is not None and not known.count:
            failed[name] = NO_TRAINING_LABEL
        elif reason := _reason(SCORES[name], of, known, clusters, dimensions):
            failed[name] = reason
        elif remarks := [remark for remark in _remarks(SCORES[name], of, known) if remark]:
            notes[name] = "; ".join(remarks)
    return Judged(failed, notes)


def told(scores: Mapping[str, Any], judged: Judged) -> dict[str, Any]:
    """Scores as `protocol.score_latents` gives them: None for what means nothing, reasons and remarks added to those
    that are there under "failed" and "notes". The scatter of a score that is None is left out, and so is a score that
    needs labels where no row has one, of which the reason remains."""
    failed = {**scores.get("failed", {}), **{name: why for name, why in judged.failed.items() if name in scores}}
    notes = dict(scores.get("notes", {}))
    for name, remark in judged.notes.items():
        if name in scores and name not in failed:
            notes[name] = "; ".join([*([notes[name]] if name in notes else []), remark])
    kept = {name: None if name in judged.failed else value for name, value in scores.items()}
    absent = {name for name, reason in failed.items() if reason in (NO_TEST_LABEL, NO_TRAINING_LABEL)}
    lost = {f"{name}{SCATTER}" for name, value in kept.items() if value is None}
    kept = {name: value for name, value in kept.items() if name not in {"failed", "notes"} | lost | absent}
    notes = {name: remark for name, remark in notes.items() if name in kept}
    failed = {name: reason for name, reason in failed.items() if name in kept or name in absent - lost}
    return kept | ({"failed": failed} if failed else {}) | ({"notes": notes} if notes else {})


def list_left_out(metrics: Mapping[str, Any]) -> list[str]:
    """Why scores are absent from those of `told`, in sentences."""
    reasons = Counter(why for name, why in metrics.get("failed", {}).items() if name in SCORES and name not in metrics)
    return [f"{n} scores that need labels are left out: {reason}." for reason, n in reasons.items()]


class _Rows(NamedTuple):
    """The rows that scores are of."""

    classes: np.ndarray  # (K,) those that have rows
    sizes: np.ndarray  # (K,) rows of each
    kind: str  # what a row is, in words
    names: Sequence[str]

    @property
    def count(self) -> int:
        return int(self.sizes.sum())

    @property
    def all(self) -> str:
        """`all 20 test images`, `the only test image`."""
        return f"the only {self.kind}" if self.count == 1 else f"all {self.count:,} {self.kind}s"

    @property
    def single(self) -> str:
        """`all 20 test images are of class 3`; "" where there are several classes."""
        verb = "is" if self.count == 1 else "are"
        return f"{self.all} {verb} of {self.named(int(self.classes[0]))}" if len(self.classes) == 1 else ""

    def named(self, label: int) -> str:
        name = str(self.names[label]) if 0 <= label < len(self.names) else ""
        return f"class {name[:24] if name.isprintable() and name else label}"


def _reason(score: Score, of: _Rows, known: _Rows, clusters: int, dimensions: int) -> str:
    """Why a score of these rows means nothing, in words; "" where it means something."""
    n, alone = of.count, len(of.classes) == of.count
    none_alike = f"no two {of.kind}s are of one class"
    if score.kind == "agreement":
        if of.single:
            return f"{of.single}, so there are no classes to tell apart"
        if alone:
            return f"{none_alike}, so there is nothing that a group could agree with"
        if score.rows == "drawn" and clusters >= n:
            return f"{clusters:,} clusters for {n:,} {of.kind}s: each is a cluster of its own, wherever it lies"
    elif score.fitted_on:
        if of.single and len(known.classes) == 1:
            return f"{of.single}, and so is all that the classifier knows: it cannot be wrong"
    elif score.kind == "recall":
        if alone:
            return f"{none_alike}: none can be found" if n > 1 else f"there is no other {of.kind} to find"
        if of.single:
            return f"{of.single}: whichever is nearest, it is of that class"
        if all(size == 1 or score.neighbours > n - size for size in of.sizes.tolist()):
            few = f"of {n:,} {of.kind}s so few are of other classes"
            return f"{few} that one of its own is always among {score.neighbours}"
    elif score.kind == "precision":
        if alone:
            return f"{none_alike}: none can be found"
        if of.single:
            return f"{of.single}: whatever the order, all others are of that class"
    elif score.kind in ("shape", "line"):
        if n == 1:
            return "a single point has no spread"
        if n == 2 and dimensions > 1 and score.kind == "line":
            return "two points always lie on a line"
    elif score.kind == "sharing" and of.single:
        return f"{of.single}: there is no other class to share a component with"
    elif score.unit == "count" and n == 1:
        return f"there is one {of.kind} only, which belongs to one"
    return ""


def _remarks(score: Score, of: _Rows, known: _Rows) -> list[str]:
    """What to know of a score of these rows, "" where there is nothing."""
    if score.rows == "none" or score.is_scatter:
        return []
    n = of.count
    is_share = n > 1 and score.unit == "share"
    few = f"of {n:,} {of.kind}{'s' * (n > 1)} only" + (f"; each is {100 / n:.2g} % of it" if is_share else "")
    return [
        few if n < FEW else "",
        f"{of.single}: it says nothing of the others" if score.fitted_on and of.single else _singles(score, of),
        _certain(score, known),
    ]


def _certain(score: Score, known: _Rows) -> str:
    """What a classifier says of every image, wherever it lies; "" where it depends."""
    if not score.fitted_on or not known.count:
        return ""
    if len(known.classes) == 1:
        only = known.named(int(known.classes[0]))
        return f"{only} is all that it knows: it takes every image for that, wherever it lies"
    if known.count <= score.neighbours:
        winner = known.named(int(known.classes[known.sizes.argmax()]))
        return f"all {known.count} labels vote on every image: it takes each for {winner}, wherever it lies"
    return ""


def _singles(score: Score, of: _Rows) -> str:
    """What classes of one row do to a score."""
    single = of.classes[of.sizes == 1].tolist()
    if not single:
        return ""
    if score.kind == "recall":
        ends = "it can only be missed", "they can only be missed"
    elif score.kind == "precision":
        ends = "it is left out", "they are left out"
    elif score.rows == "drawn":
        ends = "k-means is to find a cluster for it alone", "k-means is to find a cluster for each alone"
    elif score.fitted_on or score.kind == "agreement":
        ends = "of this class it says all or nothing", "of each of these classes it says all or nothing"
    else:
        return ""
    if len(single) == 1:
        return f"{of.named(single[0])} has one {of.kind}: {ends[0]}"
    listed = ", ".join(of.named(label).removeprefix("class ") for label in single[:NAMED])
    more = ", ..." if len(single) > NAMED else ""
    return f"{len(single):,} classes ({listed}{more}) have one {of.kind} each: {ends[1]}"
