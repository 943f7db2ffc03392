"""Latents and labels in, scores out: how well a latent space separates classes, read with many labels and with few.

Every function takes numpy arrays and returns plain numbers. Rows that a score needs are named by role: the *gallery* is
searched or fitted on, the *queries* are scored. What cannot be computed raises ValueError in words; `score_latents`
turns that into None and keeps the words, as for what `meaning.judge` finds to mean nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from semidml.scores import agreement, checks, classifiers, collapse, meaning, neighbours, retrieval
from semidml.scores.clusters import kmeans_quick, kmeans_scores
from semidml.scores.meaning import Judged
from semidml.scores.table import KMEANS_ROWS, NEIGHBOURS, RAW, RECALL_AT, SCATTER, SCORES, Scored
from semidml.tasks import Progress

LIVE_GALLERY, LIVE_QUERIES, LIVE_POINTS = 5_000, 2_000, 1_000
Step = tuple[tuple[str, ...], Callable[[], tuple]]  # names of scores and what gives as many values


def score_latents(
    train: np.ndarray,
    train_labels: np.ndarray,
    seen: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    classes: int,
    *,
    test_images: np.ndarray | None = None,
    reconstruct: Callable[[np.ndarray], np.ndarray] | None = None,
    coded: np.ndarray | None = None,
    full: bool = False,
    seed: int = 0,
    scale: float = 1.0,
    device: str = "cpu",
    class_names: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The content of metrics.json: one number a key of SCORES (all but the floors, seconds and what belongs to a
    prior), those whose entry has a target among them.

    train (N, D) with labels (N,), test (M, D) with labels (M,); seen: rows of train whose labels the training saw.
    Labels of other rows enter only the scores that say "all labels". `test_images` (M, C, H, W), uint8 or in [0, 1],
    and `reconstruct`, latents (n, D) -> (n, C, H, W) in [0, 1], add reconstruction_mse; it gets `test`, or `coded`
    (M, D) where these are not what the decoder knows. full adds random_forest_* and mlp_*. scale: see `collapse`.

    Where no test row is of a training class, as in metric learning (Song et al. 2016, arXiv 1511.06452), a classifier
    of the training classes cannot be right: knn*, seen_class_ceiling, random_forest_* and mlp_* are then absent.

    A score that cannot be computed, or whose value is forced whatever the latents are (`meaning.judge`), is None, with
    the reason under "failed": {name: reason}; "notes" has remarks on scores that were computed (few rows, a class of
    one row, which class_names name, a fit that has not settled). Either is absent when empty.

    Raises: ValueError when shapes do not fit together."""
    checks.fit_together(train, train_labels, seen, test, test_labels, classes)
    few, few_labels = train[seen], train_labels[seen]
    shared, clusters = checks.shared(train_labels, test_labels), len(np.unique(test_labels))
    notes: dict[str, str] = {}

    def within(fraction: float) -> None:
        """Tells how much of the present step, `at`, is done."""
        if progress:
            progress((at[0] + fraction) / len(steps), at[1])

    def note(names: tuple[str, ...], text: str) -> None:
        notes.update(dict.fromkeys(names, text))

    def both(
        classifier: Callable[..., np.ndarray], gallery: np.ndarray, labels: np.ndarray, **more: Any
    ) -> tuple[float, ...]:
        predicted = classifier(gallery, labels, test, classes, **more)
        return agreement.accuracy(test_labels, predicted), agreement.ami(test_labels, predicted)

    def labelled() -> tuple[float, ...]:
        near = few_labels[neighbours.knn(few, test, NEIGHBOURS, device)[0]]  # (M, k), nearest first
        five, first = classifiers.vote(near, classes), near[:, 0]
        return (
            agreement.accuracy(test_labels, five),
            agreement.ami(test_labels, five),
            agreement.accuracy(test_labels, first),
            agreement.ami(test_labels, first),
        )

    labelled_names = ("knn_accuracy_labelled", "knn_ami_labelled", "knn1_accuracy_labelled", "knn1_ami_labelled")
    fitted: list[Step] = [
        (("knn_accuracy", "knn_ami"), lambda: both(classifiers.knn_classify, train, train_labels, device=device)),
        (labelled_names, labelled),
        (("seen_class_ceiling",), lambda: (agreement.seen_class_ceiling(few_labels, test_labels),)),
    ]
    kmeans_names = ("kmeans_ami", "kmeans_nmi", "kmeans_accuracy")
    kmeans_names += tuple(f"{name}{SCATTER}" for name in kmeans_names)
    steps: list[Step] = [
        *(fitted if shared else ()),
        (kmeans_names, lambda: kmeans_scores(test, test_labels, clusters, seed=seed)),
        (
            tuple(f"recall_at_{k}" for k in RECALL_AT),
            lambda: retrieval.recall_at(test, test_labels, RECALL_AT, device=device),
        ),
        (("map_at_r",), lambda: (retrieval.map_at_r(test, test_labels, device, within),)),
        (("mean_pairwise_distance",), lambda: (collapse.mean_pairwise_distance(test, seed=seed),)),
        (("spread",), lambda: (collapse.spread(test),)),
        (("effective_rank",), lambda: (collapse.effective_rank(test),)),
        (("collapsed",), lambda: (collapse.collapse(checks.finite(test), scale, seed=seed) is not None,)),
    ]
    if reconstruct is not None and test_images is not None:
        codes = test if coded is None else coded
        steps.append(
            (("reconstruction_mse",), lambda: (checks.reconstruction_mse_of(test_images, codes, reconstruct),))
        )
    for classifier, prefix in (
        ((classifiers.forest_classify, "random_forest"), (classifiers.mlp_classify, "mlp")) if full and shared else ()
    ):
        for suffix, rows in (("", (train, train_labels)), ("_labelled", (few, few_labels))):
            names = (f"{prefix}_accuracy{suffix}", f"{prefix}_ami{suffix}")
            steps.append((names, partial(both, classifier, *rows, seed=seed, remark=partial(note, names))))
    given = Scored(train, train_labels, seen, test, test_labels, classes, seed)
    for entry in SCORES.values():
        if entry.target and (shared or not entry.fitted_on):
            steps.append(((entry.name,), partial(lambda entry: (entry.resolve()(given),), entry)))

    (points,) = checks.subset(KMEANS_ROWS, seed, test_labels)
    names = [name for names, _ in steps for name in names]
    judged = _judged(names, train_labels, few_labels, test_labels, points, clusters, test.shape[1], class_names)
    result: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for number, (names, compute) in enumerate(steps):
        at = number, SCORES[names[0]].title
        within(0.0)
        if all(name in judged.failed for name in names):
            result |= dict.fromkeys(names)
            continue
        try:
            result |= dict(zip(names, compute(), strict=True))
        except ValueError as error:
            result |= dict.fromkeys(names)
            failed |= dict.fromkeys(names, str(error))
    if progress:
        progress(1.0, "scores")
    return meaning.told(result | {"failed": failed, "notes": notes}, judged)


def as_raw(scores: dict[str, Any]) -> dict[str, Any]:
    """Scores of latents with their lengths under the names that say so, with what is said of them."""
    of_latents = {f"{name}{RAW}": value for name, value in scores.items() if f"{name}{RAW}" in SCORES}
    words = {
        table: {f"{name}{RAW}": text for name, text in scores[table].items() if f"{name}{RAW}" in SCORES}
        for table in ("failed", "notes")
        if table in scores
    }
    return of_latents | {table: texts for table, texts in words.items() if texts}


def live_scores(
    train: np.ndarray,
    train_labels: np.ndarray,
    seen: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    classes: int,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, float | None]:
    """Seven scores, cheap enough for every tick: knn_accuracy, knn_ami, knn_accuracy_labelled, kmeans_ami (1,000 test
    rows, 3 starts), mean_pairwise_distance (500 test rows), spread, effective_rank. None where one cannot be computed,
    or means nothing (`meaning.judge`).

    Where no test row is of a training class the three of knn are absent, as in `score_latents`.

    Of at most 5,000 gallery rows and 2,000 queries (1,000 beyond 6 dimensions), drawn by the seed, the same at each
    call with the same sizes. 20 to 35 ms at D = 2, 50 to 90 ms at D = 10 (two busy cores, median of 20, November 2026).

    `seen` are rows of `train` as given, so a caller who embeds a part of the training set appends its seen rows. The
    first call imports scikit-learn (about 1 s)."""
    checks.fit_together(train, train_labels, seen, test, test_labels, classes)
    few_dimensions = test.shape[1] <= neighbours.TREE_DIMENSIONS
    queries, labels = checks.subset(LIVE_QUERIES if few_dimensions else LIVE_QUERIES // 2, seed, test, test_labels)
    gallery = checks.subset(LIVE_GALLERY, seed, train, train_labels)
    few = checks.subset(LIVE_GALLERY, seed, train[seen], train_labels[seen])
    points, point_labels = checks.subset(LIVE_POINTS, seed, queries, labels)
    clusters = len(np.unique(test_labels))

    def knn_all() -> tuple[float, float]:
        predicted = classifiers.knn_classify(*gallery, queries, classes, device=device)
        return agreement.accuracy(labels, predicted), agreement.ami(labels, predicted)

    fitted: tuple[Step, ...] = (
        (("knn_accuracy", "knn_ami"), knn_all),
        (
            ("knn_accuracy_labelled",),
            lambda: (agreement.accuracy(labels, classifiers.knn_classify(*few, queries, classes, device=device)),),
        ),
    )
    return _now(
        lambda names: _judged(names, gallery[1], few[1], labels, point_labels, clusters, test.shape[1]),
        *(fitted if checks.shared(train_labels, test_labels) else ()),
        (("kmeans_ami",), lambda: (agreement.ami(point_labels, kmeans_quick(points, clusters, seed=seed)),)),
        (("mean_pairwise_distance",), lambda: (collapse.mean_pairwise_distance(queries, 500, seed),)),
        (("spread",), lambda: (collapse.spread(queries),)),
        (("effective_rank",), lambda: (collapse.effective_rank(queries),)),
    )


def live_retrieval(test: np.ndarray, test_labels: np.ndarray, seed: int = 0) -> dict[str, float | None]:
    """Five scores of the test rows alone, for every tick: recall_at_1, recall_at_2, recall_at_4, recall_at_8 of at most
    2,000 rows (M, D), kmeans_nmi of at most 1,000 of them (one start, as many clusters as classes in test_labels (M,)).
    None where one cannot be computed.

    The rows are drawn by the seed. Recall grows with the number of rows searched, so that of all rows lies above."""
    rows, labels = checks.subset(LIVE_QUERIES, seed, test, test_labels)
    points, point_labels = checks.subset(LIVE_POINTS, seed, rows, labels)
    clusters = len(np.unique(test_labels))
    nothing = labels[:0]
    return _now(
        lambda names: _judged(names, nothing, nothing, labels, point_labels, clusters, test.shape[1]),
        (tuple(f"recall_at_{k}" for k in RECALL_AT), lambda: retrieval.recall_at(rows, labels)),
        (("kmeans_nmi",), lambda: (agreement.nmi(point_labels, kmeans_quick(points, clusters, 1, seed)),)),
    )


def _now(judge: Callable[[list[str]], Judged], *steps: Step) -> dict[str, float | None]:
    """The values of all steps by name; None where one cannot be computed, or means nothing."""
    result: dict[str, float | None] = {}
    without = judge([name for names, _ in steps for name in names]).failed
    for names, compute in steps:
        try:
            result |= dict(zip(names, compute(), strict=True))
        except ValueError:  # the reasons are in `score_latents`; a tick has room for "not now" only
            result |= dict.fromkeys(names)
    return result | dict.fromkeys(without)


def _judged(
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
    parts = (
        meaning.judge(rest, test_labels, fitted_on=train_labels, dimensions=dimensions, class_names=class_names),
        meaning.judge(on_few, test_labels, fitted_on=few_labels, class_names=class_names),
        meaning.judge(
            of_kmeans, points, clusters=clusters, drawn=len(points) < len(test_labels), class_names=class_names
        ),
    )
    failed, notes = ({name: words for part in parts for name, words in part[i].items()} for i in (0, 1))
    return Judged(failed, notes)


def floors(
    train_images: np.ndarray,
    train_labels: np.ndarray,
    seen: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    classes: int,
    seed: int = 0,
) -> dict[str, float]:
    """What needs no training, to hold scores against: chance (share of the test rows of the commonest training class),
    the live kNN scores of raw pixels, pixel_knn_accuracy and pixel_knn_accuracy_labelled, on the subsets of
    `live_scores`, and pixel_recall_at_1, that of `live_retrieval`.

    Where no test row is of a training class there is pixel_recall_at_1 alone; what means nothing (`meaning.judge`), as
    recall of a single test row, is left out.
    Images (N, C, H, W), any number type. The pixel scores of a gallery of 5,000 lie below those of a larger one."""
    queries, labels = checks.flat(checks.subset(LIVE_QUERIES, seed, test_images, test_labels))
    shared = checks.shared(train_labels, test_labels)
    if shared and not len(seen):
        raise ValueError("no label is seen; at least one is needed")
    gallery = checks.flat(checks.subset(LIVE_GALLERY, seed, train_images, train_labels))
    few = checks.flat(checks.subset(LIVE_GALLERY, seed, train_images[seen], train_labels[seen]))
    names = [*(("pixel_knn_accuracy", "pixel_knn_accuracy_labelled") if shared else ()), "pixel_recall_at_1"]
    nothing = _judged(names, gallery[1], few[1], labels, labels, 0, 0).failed
    scores = {}
    if shared:
        commonest = np.bincount(train_labels, minlength=classes).argmax()
        scores["chance"] = float((test_labels == commonest).mean())
    for name, rows in (("pixel_knn_accuracy", gallery), ("pixel_knn_accuracy_labelled", few)):
        if shared and name not in nothing:
            scores[name] = agreement.accuracy(labels, classifiers.knn_classify(*rows, queries, classes))
    if "pixel_recall_at_1" not in nothing:
        scores["pixel_recall_at_1"] = retrieval.recall_at(queries, labels, (1,))[0]
    return scores
