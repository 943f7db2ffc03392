"""Latents and labels in, scores out: how well a latent space separates classes, read with many labels and with few.

Every function takes numpy arrays and returns plain numbers. Rows that a score needs are named by role: the *gallery* is
searched or fitted on, the *queries* are scored. What cannot be computed raises ValueError in words; `score_latents`
turns that into None and keeps the words, as for what `meaning.judge` finds to mean nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np

from semidml.scores import agreement, checks, classifiers, collapse, meaning, neighbours, retrieval
from semidml.scores.clusters import kmeans, kmeans_scores
from semidml.scores.meaning import Judged
from semidml.scores.table import (
    KMEANS_ROWS,
    NEIGHBOURS,
    PIXELS,
    RAW,
    RECALL_AT,
    SCATTER,
    SCORES,
    Score,
    Scored,
    without_labels,
)
from semidml.tasks import Progress

LIVE_GALLERY, LIVE_QUERIES, LIVE_POINTS = 5_000, 2_000, 1_000
LIVE_ROUNDS = 15  # of k-means, for numbers that are replaced within a second
OF_KMEANS, OF_SEEN = ("kmeans_ami", "kmeans_nmi", "kmeans_accuracy"), ("knn", "knn1")
OF_RECALL = tuple(f"recall_at_{k}" for k in RECALL_AT)
Step = tuple[tuple[str, ...], Callable[[], tuple]]  # names of scores and what gives as many values


def score_latents(
    given: Scored,
    *,
    reconstruction_mse: Callable[[], float] | None = None,
    full: bool = False,
    scale: float = 1.0,
    device: str = "cpu",
    class_names: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The content of metrics.json: one number a key of SCORES (all but the floors, seconds and what belongs to a
    prior), those whose entry has a target among them.

    Labels of rows that are not seen enter only the scores that say "all labels". reconstruction_mse: gives the score
    called so, where there is one. full adds random_forest_* and mlp_*. scale: see `collapse`.

    Where no test row is of a training class, as in metric learning (Song et al. 2016, arXiv 1511.06452), a classifier
    of the training classes cannot be right: knn*, seen_class_ceiling, random_forest_* and mlp_* are then absent.

    Rows without a label are no rows of a score that needs them (`Score.needs_labels`): classifiers are neither fitted
    on them nor asked about them, k-means, Recall@K and MAP@R are of test rows with a label among one another. Where no
    test row has one, or none of training for a classifier, such a score is absent and "failed" has the reason.

    A score that cannot be computed, or whose value is forced whatever the latents are (`meaning.judge`), is None, with
    the reason under "failed": {name: reason}; "notes" has remarks on scores that were computed (few rows, a class of
    one row, which class_names name, a fit that has not settled). Either is absent when empty."""
    test, truth = given.tested
    asks_classes = given.shares_classes or not len(truth) or not len(given.every[1])  # else none can be right
    reader, clusters, at = _Reader(given, device), len(np.unique(truth)), [0, ""]

    def begin(step: int, name: str) -> None:
        at[:] = step, SCORES[name].title
        within(0.0)

    def within(fraction: float) -> None:
        """Tells how much of the present step is done."""
        if progress:
            progress((at[0] + fraction) / len(steps), at[1])

    steps = _neighbour_steps(reader) if asks_classes else []
    steps += _cluster_and_retrieval_steps(given, clusters, device, within) + _spread_steps(given, scale)
    if reconstruction_mse is not None:
        steps.append((("reconstruction_mse",), lambda: (reconstruction_mse(),)))
    steps += _classifier_steps(reader) if full and asks_classes else []
    steps += [step for entry, step in _entry_steps(given) if asks_classes or not entry.fitted_on]

    (points,) = checks.subset(KMEANS_ROWS, given.seed, truth)
    labels = (given.every[1], given.few[1], given.test_labels, points)
    result, failed, judged = _take_steps(steps, (*labels, clusters, test.shape[1], class_names), begin)
    if progress:
        progress(1.0, "scores")
    return meaning.told(result | {"failed": failed, "notes": reader.notes}, judged)


class _Reader:
    """What classifiers say of the test rows, fitted on the training rows with a label or, with the suffix _labelled, on
    the seen ones. Each is asked once; notes: {score: what it remarked}."""

    def __init__(self, given: Scored, device: str) -> None:
        self.given, self.device = given, device
        self.test, self.truth = given.tested
        self.rows_of = {"": given.every, "_labelled": given.few}
        self.notes: dict[str, str] = {}
        self._sees_all = np.array_equal(given.seen, np.flatnonzero(given.train_labels >= 0))
        self._near, self._read_once = cache(self._find_near), cache(self._score)

    def read(self, kind: str, suffix: str, names: tuple[str, ...] = ()) -> tuple[float, float]:
        """Accuracy and AMI of what a classifier says; what it remarks is noted of the scores of these names."""
        scores, remarks = self._read_once(kind, "" if self._sees_all else suffix)  # who reads one has read the other
        self.notes.update({name: remark for remark in remarks for name in names})
        return scores

    def _score(self, kind: str, suffix: str) -> tuple[tuple[float, float], list[str]]:
        remarks: list[str] = []
        predicted = self._predict(kind, suffix, remarks)
        return (agreement.accuracy(self.truth, predicted), agreement.ami(self.truth, predicted)), remarks

    def _predict(self, kind: str, suffix: str, remarks: list[str]) -> np.ndarray:
        """The class of each test row (M,) in a classifier's eyes; what there is to remark is added."""
        if kind == "knn":
            return classifiers.vote(self._near(suffix), self.given.classes)
        if kind == "knn1":
            return self._near(suffix)[:, 0]
        rows, seed = self.rows_of[suffix], self.given.seed
        if kind == "random_forest":
            return classifiers.forest_classify(*rows, self.test, seed)
        return classifiers.mlp_classify(*rows, self.test, seed, remarks.append)

    def _find_near(self, suffix: str) -> np.ndarray:
        """Labels of the nearest of these rows to each test row: (M, k), nearest first."""
        latents, labels = self.rows_of[suffix]
        return labels[neighbours.knn(latents, self.test, NEIGHBOURS, self.device)[0]]


def _neighbour_steps(reader: _Reader) -> list[Step]:
    """The scores of nearest neighbours, and the best that any classifier of the seen classes can reach."""
    seen_labels = reader.rows_of["_labelled"][1]
    return [
        (("knn_accuracy", "knn_ami"), partial(reader.read, "knn", "")),
        (
            tuple(f"{knn}_{score}_labelled" for knn in OF_SEEN for score in ("accuracy", "ami")),
            lambda: tuple(value for knn in OF_SEEN for value in reader.read(knn, "_labelled")),
        ),
        (("seen_class_ceiling",), lambda: (agreement.seen_class_ceiling(seen_labels, reader.truth),)),
    ]


def _classifier_steps(reader: _Reader) -> list[Step]:
    """The scores of classifiers that take long to fit."""
    steps: list[Step] = []
    for kind, suffix in product(("random_forest", "mlp"), reader.rows_of):
        names = (f"{kind}_accuracy{suffix}", f"{kind}_ami{suffix}")
        steps.append((names, partial(reader.read, kind, suffix, names)))
    return steps


def _cluster_and_retrieval_steps(
    given: Scored, clusters: int, device: str, within: Callable[[float], None]
) -> list[Step]:
    """The scores of test rows with a label among one another; within: is told how much of a step is done."""
    test, truth = given.tested
    return [
        (
            OF_KMEANS + tuple(f"{name}{SCATTER}" for name in OF_KMEANS),
            lambda: kmeans_scores(test, truth, clusters, seed=given.seed),
        ),
        (OF_RECALL, lambda: retrieval.recall_at(test, truth, device=device)),
        (("map_at_r",), lambda: (retrieval.map_at_r(test, truth, device, within),)),
    ]


def _spread_steps(given: Scored, scale: float) -> list[Step]:
    """The scores of how all test rows lie; scale: see `collapse`."""
    test, seed = given.test, given.seed
    return [
        (("mean_pairwise_distance",), lambda: (collapse.mean_pairwise_distance(test, seed=seed),)),
        (("spread",), lambda: (collapse.spread(test),)),
        (("effective_rank",), lambda: (collapse.effective_rank(test),)),
        (("collapsed",), lambda: (collapse.collapse(checks.finite(test), scale, seed=seed) is not None,)),
    ]


def _entry_steps(given: Scored) -> Iterator[tuple[Score, Step]]:
    """The scores whose entry has a target, each with its entry."""

    def compute(entry: Score) -> tuple:
        return (entry.resolve()(given.labelled if entry.needs_labels else given),)

    for entry in SCORES.values():
        if entry.target:
            yield entry, ((entry.name,), partial(compute, entry))


def as_raw(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores of latents with their lengths under the names that say so, with what is said of them."""
    of_latents = {f"{name}{RAW}": value for name, value in scores.items() if f"{name}{RAW}" in SCORES}
    words = {table: as_raw(scores[table]) for table in ("failed", "notes") if table in scores}
    return of_latents | {table: texts for table, texts in words.items() if texts}


def live_scores(given: Scored) -> dict[str, float | None]:
    """Seven scores, cheap enough for every tick: knn_accuracy, knn_ami, knn_accuracy_labelled, kmeans_ami (1,000 test
    rows, 3 starts), mean_pairwise_distance (500 test rows), spread, effective_rank. None where one cannot be computed,
    or means nothing (`meaning.judge`).

    Where no test row is of a training class the three of knn are absent, as in `score_latents`, and where none has a
    label that of k-means is too.

    Of at most 5,000 gallery rows and 2,000 queries (1,000 beyond 6 dimensions), drawn by the seed, the same at each
    call with the same sizes. 20 to 35 ms at D = 2, 50 to 90 ms at D = 10 (two busy cores, median of 20, November 2026).

    `seen` are rows of `train` as given, so a caller who embeds a part of the training set appends its seen rows. The
    first call imports scikit-learn (about 1 s)."""
    dimensions, seed = given.test.shape[1], given.seed
    most = LIVE_QUERIES if dimensions <= neighbours.TREE_DIMENSIONS else LIVE_QUERIES // 2
    gallery, few, (queries, labels) = _drawn_rows(given, most)
    points, point_labels = checks.subset(LIVE_POINTS, seed, queries, labels)
    shown, shown_labels = checks.subset(most, seed, given.test, given.test_labels)
    clusters = len(np.unique(given.tested[1]))

    def predict(rows: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        return classifiers.knn_classify(*rows, queries, given.classes)

    def read_all() -> tuple[float, float]:
        predicted = predict(gallery)
        return agreement.accuracy(labels, predicted), agreement.ami(labels, predicted)

    fitted: list[Step] = [
        (("knn_accuracy", "knn_ami"), read_all),
        (("knn_accuracy_labelled",), lambda: (agreement.accuracy(labels, predict(few)),)),
    ]
    steps: list[Step] = [
        *(fitted if given.shares_classes else ()),
        (("kmeans_ami",), lambda: (agreement.ami(point_labels, kmeans(points, clusters, 3, seed, LIVE_ROUNDS)),)),
        (("mean_pairwise_distance",), lambda: (collapse.mean_pairwise_distance(shown, 500, seed),)),
        (("spread",), lambda: (collapse.spread(shown),)),
        (("effective_rank",), lambda: (collapse.effective_rank(shown),)),
    ]
    scores, _, judged = _take_steps(steps, (gallery[1], few[1], shown_labels, point_labels, clusters, dimensions))
    return known_scores(scores | dict.fromkeys(judged.failed), given.test_labels)


def known_scores(scores: dict[str, float | None], test_labels: np.ndarray) -> dict[str, float | None]:
    """Live scores without those that need labels where no test row (M,) has one."""
    return scores if (test_labels >= 0).any() else {name: scores[name] for name in without_labels(scores)}


def live_retrieval(test: np.ndarray, test_labels: np.ndarray, seed: int = 0) -> dict[str, float | None]:
    """Five scores of the test rows alone, for every tick: recall_at_1, recall_at_2, recall_at_4, recall_at_8 of at most
    2,000 rows (M, D), kmeans_nmi of at most 1,000 of them (one start, as many clusters as classes in test_labels (M,)).
    None where one cannot be computed; none where no row has a label, since the others are no part of them.

    The rows are drawn by the seed. Recall grows with the number of rows searched, so that of all rows lies above."""
    has = test_labels >= 0
    rows, labels = checks.subset(LIVE_QUERIES, seed, test[has], test_labels[has])
    points, point_labels = checks.subset(LIVE_POINTS, seed, rows, labels)
    clusters, nothing = len(np.unique(test_labels[has])), labels[:0]
    steps: list[Step] = [
        (OF_RECALL, lambda: retrieval.recall_at(rows, labels)),
        (("kmeans_nmi",), lambda: (agreement.nmi(point_labels, kmeans(points, clusters, 1, seed, LIVE_ROUNDS)),)),
    ]
    scores, _, judged = _take_steps(steps, (nothing, nothing, labels, point_labels, clusters, test.shape[1]))
    return known_scores(scores | dict.fromkeys(judged.failed), test_labels)


def _drawn_rows(given: Scored, queries: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Training rows with a label, those with a seen label, and test rows with one, as many as a tick has time for, each
    with their labels."""
    seed = given.seed
    return (
        checks.subset(LIVE_GALLERY, seed, *given.every),
        checks.subset(LIVE_GALLERY, seed, *given.few),
        checks.subset(queries, seed, *given.tested),
    )


def _take_steps(
    steps: Sequence[Step], of: tuple, begin: Callable[[int, str], None] = lambda step, name: None
) -> tuple[dict[str, Any], dict[str, str], Judged]:
    """(the values of all steps by name, None where one cannot be computed; why, in words; what is to be said of them).

    of: what `_judge` is told beside the names; begin is told each step's number and first name."""
    judged = _judge([name for names, _ in steps for name in names], *of)
    values: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for number, (names, compute) in enumerate(steps):
        begin(number, names[0])
        try:
            forced = all(name in judged.failed for name in names)
            values |= dict.fromkeys(names) if forced else dict(zip(names, compute(), strict=True))
        except ValueError as error:
            values |= dict.fromkeys(names)
            failed |= dict.fromkeys(names, str(error))
    return values, failed, judged


def _judge(
    names: Iterable[str],
    train_labels: np.ndarray,
    few_labels: np.ndarray,
    test_labels: np.ndarray,
    points: np.ndarray,
    clusters: int,
    dimensions: int,
    class_names: Sequence[str] = (),
) -> Judged:
    """What is to be said of scores by name; points: labels of the rows that k-means gets."""
    of_kmeans = {name for name in names if SCORES[name].rows == "drawn"}
    on_few = {name for name in names if SCORES[name].fitted_on == "seen"}
    rest = [name for name in names if name not in of_kmeans | on_few]
    judge, drawn = partial(meaning.judge, class_names=class_names), len(points) < (test_labels >= 0).sum()
    parts = (
        judge(rest, test_labels, fitted_on=train_labels, dimensions=dimensions),
        judge(on_few, test_labels, fitted_on=few_labels),
        judge(of_kmeans, points, clusters=clusters, drawn=drawn),
    )
    if not len(train_labels):
        parts[1].failed.update({name: meaning.NO_TRAINING_LABEL for name in on_few - set(parts[1].failed)})
    return Judged(*({name: words for part in parts for name, words in part[i].items()} for i in (0, 1)))


def floors(given: Scored) -> dict[str, float]:
    """What needs no training, to hold scores against, from raw pixels (N, C H W) in the place of latents, any number
    type: chance (share of the test rows of the commonest training class), the live kNN scores, pixel_knn_accuracy and
    pixel_knn_accuracy_labelled, on the subsets of `live_scores`, and pixel_recall_at_1, that of `live_retrieval`.

    Where no test row is of a training class there is pixel_recall_at_1 alone; what means nothing (`meaning.judge`), as
    recall of a single test row, is left out. The pixel scores of a gallery of 5,000 lie below those of a larger one."""
    if given.shares_classes and not len(given.seen):
        raise ValueError("no label is seen; at least one is needed")
    gallery, few, (queries, labels) = (
        (pixels.astype(np.float32), of) for pixels, of in _drawn_rows(given, LIVE_QUERIES)
    )
    accuracies = {f"{PIXELS}knn_accuracy": gallery, f"{PIXELS}knn_accuracy_labelled": few}
    accuracies, recall = accuracies if given.shares_classes else {}, f"{PIXELS}recall_at_1"
    nothing = _judge([*accuracies, recall], gallery[1], few[1], labels, labels, 0, 0).failed
    scores = {}
    if given.shares_classes:
        commonest = np.bincount(given.every[1], minlength=given.classes).argmax()
        scores["chance"] = float((given.tested[1] == commonest).mean())
    for name, rows in accuracies.items():
        if name not in nothing:
            scores[name] = agreement.accuracy(labels, classifiers.knn_classify(*rows, queries, given.classes))
    if recall not in nothing:
        scores[recall] = retrieval.recall_at(queries, labels, (1,))[0]
    return scores
