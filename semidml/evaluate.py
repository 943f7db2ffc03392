"""Latents and labels in, scores out: how well a latent space separates classes, read with many labels and with few.

Every function takes numpy arrays and returns plain numbers. Rows that a score needs are named by role: the *gallery* is
searched or fitted on, the *queries* are scored. What cannot be computed raises ValueError in words; `scores` turns that
into None and keeps the words, as for what `meaning.judge` finds to mean nothing.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semidml import meaning
from semidml.score_table import KMEANS_ROWS, KMEANS_STARTS, NEIGHBOURS, RAW, RECALL_AT, SCATTER, SCORES, Score, Scored

if TYPE_CHECKING:
    import torch

RARE = 0.005  # chance below which a start is not asked for the scatter of k-means
TINY = 1e-12  # nats, below which an entropy is 0
LIVE_GALLERY, LIVE_QUERIES, LIVE_POINTS = 5_000, 2_000, 1_000
PILES_SEED = 0  # of the draw among rows that coincide
COINCIDE, LINE, NARROW = 0.1, 1.1, 0.3  # see `collapse`; two opposite places, nine of ten points at one: .36
# A tree beats the search of all rows on a CPU up to 6 dimensions, and up to 10 for small tasks, where it also does not
# wait for busy cores as torch's threads do. 60,000 x 10,000 rows, 5 neighbours, two cores, scipy 1.17, torch 2.15,
# November 2026: 0.05 s against 0.6 at D = 2; 0.1 against 0.6 at D = 6; 0.4 (ten clusters) to 5.5 (one Gaussian) against
# 0.6 at D = 10.
TREE_DIMENSIONS, SMALL_TREE_DIMENSIONS, SMALL = 6, 10, 20_000_000
DISTANCES_AT_ONCE = 2**22  # of `map_at_r`: 32 MB
TIED = 2.0**-46  # of squared distances computed in double precision, 64 steps: no farther apart they count as equal
EXTRA = 8  # candidates beyond k whose distances are computed again without the rounding of the expanded square

Progress = Callable[[float, str], None]
Step = tuple[tuple[str, ...], Callable[[], tuple]]  # names of scores and what gives as many values


def scores(
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
    one row, which class_names name, a fit that has not settled). Either is absent when empty. Raises ValueError when
    shapes do not fit together.
    """
    _fit_together(train, train_labels, seen, test, test_labels, classes)
    few, few_labels = train[seen], train_labels[seen]
    shared, clusters = _shared(train_labels, test_labels), len(np.unique(test_labels))
    notes: dict[str, str] = {}

    def within(fraction: float) -> None:
        """Tells how much of the present step, `at`, is done."""
        if progress:
            progress((at[0] + fraction) / len(steps), at[1])

    def both(
        classifier: Callable[..., np.ndarray], gallery: np.ndarray, labels: np.ndarray, **more: Any
    ) -> tuple[float, ...]:
        predicted = classifier(gallery, labels, test, classes, **more)
        return accuracy(test_labels, predicted), ami(test_labels, predicted)

    def labelled() -> tuple[float, ...]:
        near = few_labels[knn(few, test, NEIGHBOURS, device)[0]]  # (M, k), nearest first
        five, one = vote(near, classes), near[:, 0]
        return accuracy(test_labels, five), ami(test_labels, five), accuracy(test_labels, one), ami(test_labels, one)

    labelled_names = ("knn_accuracy_labelled", "knn_ami_labelled", "knn1_accuracy_labelled", "knn1_ami_labelled")
    fitted: list[Step] = [
        (("knn_accuracy", "knn_ami"), lambda: both(knn_classify, train, train_labels, device=device)),
        (labelled_names, labelled),
        (("seen_class_ceiling",), lambda: (seen_class_ceiling(few_labels, test_labels),)),
    ]
    kmeans_names = ("kmeans_ami", "kmeans_nmi", "kmeans_accuracy")
    kmeans_names += tuple(f"{name}{SCATTER}" for name in kmeans_names)
    steps: list[Step] = [
        *(fitted if shared else ()),
        (kmeans_names, lambda: kmeans_scores_and_scatter(test, test_labels, clusters, seed=seed)),
        (tuple(f"recall_at_{k}" for k in RECALL_AT), lambda: recall_at(test, test_labels, RECALL_AT, device=device)),
        (("map_at_r",), lambda: (map_at_r(test, test_labels, device, within),)),
        (("mean_pairwise_distance",), lambda: (mean_pairwise_distance(test, seed=seed),)),
        (("spread",), lambda: (spread(test),)),
        (("effective_rank",), lambda: (effective_rank(test),)),
        (("collapsed",), lambda: (collapse(finite(test), scale, seed=seed) is not None,)),
    ]
    if reconstruct is not None and test_images is not None:
        codes = test if coded is None else coded
        steps.append((("reconstruction_mse",), lambda: (_reconstruction_mse(test_images, codes, reconstruct),)))
    for classifier, prefix in ((forest_classify, "random_forest"), (mlp_classify, "mlp")) if full and shared else ():
        for suffix, rows in (("", (train, train_labels)), ("_labelled", (few, few_labels))):
            names = (f"{prefix}_accuracy{suffix}", f"{prefix}_ami{suffix}")
            remark = partial(_note, notes, names)
            steps.append((names, partial(both, classifier, *rows, seed=seed, remark=remark)))
    given = Scored(train, train_labels, seen, test, test_labels, classes, seed)
    for entry in SCORES.values():
        if entry.target and (shared or not entry.fitted_on):
            steps.append(((entry.name,), partial(_computed, entry, given)))

    (points,) = subset(KMEANS_ROWS, seed, test_labels)
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


def _computed(score: Score, given: Scored) -> tuple[float | bool | None]:
    return (score.resolve()(given),)


def raw(found: dict[str, Any]) -> dict[str, Any]:
    """Scores of latents with their lengths under the names that say so, with what is said of them."""
    of_latents = {f"{name}{RAW}": value for name, value in found.items() if f"{name}{RAW}" in SCORES}
    said = {
        table: {f"{name}{RAW}": text for name, text in found[table].items() if f"{name}{RAW}" in SCORES}
        for table in ("failed", "notes")
        if table in found
    }
    return of_latents | {table: texts for table, texts in said.items() if texts}


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

    Where no test row is of a training class the three of knn are absent, as in `scores`.

    Of at most 5,000 gallery rows and 2,000 queries (1,000 beyond 6 dimensions), drawn by the seed, the same at each
    call with the same sizes. 20 to 35 ms at D = 2, 50 to 90 ms at D = 10 (two busy cores, median of 20, November 2026).

    `seen` are rows of `train` as given, so a caller who embeds a part of the training set appends its seen rows. The
    first call imports scikit-learn (about 1 s).
    """
    _fit_together(train, train_labels, seen, test, test_labels, classes)
    few_dimensions = test.shape[1] <= TREE_DIMENSIONS
    queries, labels = subset(LIVE_QUERIES if few_dimensions else LIVE_QUERIES // 2, seed, test, test_labels)
    gallery = subset(LIVE_GALLERY, seed, train, train_labels)
    few = subset(LIVE_GALLERY, seed, train[seen], train_labels[seen])
    points, point_labels = subset(LIVE_POINTS, seed, queries, labels)
    clusters = len(np.unique(test_labels))

    def knn_all() -> tuple[float, float]:
        predicted = knn_classify(*gallery, queries, classes, device=device)
        return accuracy(labels, predicted), ami(labels, predicted)

    fitted: tuple[Step, ...] = (
        (("knn_accuracy", "knn_ami"), knn_all),
        (("knn_accuracy_labelled",), lambda: (accuracy(labels, knn_classify(*few, queries, classes, device=device)),)),
    )
    return _now(
        lambda names: _judged(names, gallery[1], few[1], labels, point_labels, clusters, test.shape[1]),
        *(fitted if _shared(train_labels, test_labels) else ()),
        (("kmeans_ami",), lambda: (ami(point_labels, kmeans_quick(points, clusters, seed=seed)),)),
        (("mean_pairwise_distance",), lambda: (mean_pairwise_distance(queries, 500, seed),)),
        (("spread",), lambda: (spread(queries),)),
        (("effective_rank",), lambda: (effective_rank(queries),)),
    )


def live_retrieval(test: np.ndarray, test_labels: np.ndarray, seed: int = 0) -> dict[str, float | None]:
    """Five scores of the test rows alone, for every tick: recall_at_1, recall_at_2, recall_at_4, recall_at_8 of at most
    2,000 rows (M, D), kmeans_nmi of at most 1,000 of them (one start, as many clusters as classes in test_labels (M,)).
    None where one cannot be computed.

    The rows are drawn by the seed. Recall grows with the number of rows searched, so that of all rows lies above.
    """
    rows, labels = subset(LIVE_QUERIES, seed, test, test_labels)
    points, point_labels = subset(LIVE_POINTS, seed, rows, labels)
    clusters = len(np.unique(test_labels))
    nothing = labels[:0]
    return _now(
        lambda names: _judged(names, nothing, nothing, labels, point_labels, clusters, test.shape[1]),
        (tuple(f"recall_at_{k}" for k in RECALL_AT), lambda: recall_at(rows, labels)),
        (("kmeans_nmi",), lambda: (nmi(point_labels, kmeans_quick(points, clusters, 1, seed)),)),
    )


def _now(judge: Callable[[list[str]], meaning.Judged], *steps: Step) -> dict[str, float | None]:
    """The values of all steps by name; None where one cannot be computed, or means nothing."""
    result: dict[str, float | None] = {}
    without = judge([name for names, _ in steps for name in names]).failed
    for names, compute in steps:
        try:
            result |= dict(zip(names, compute(), strict=True))
        except ValueError:  # the reasons are in `scores`; a tick has room for "not now" only
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
) -> meaning.Judged:
    """What is to be said of scores by name; points: labels of the rows that k-means gets."""
    of_kmeans = {name for name in names if SCORES[name].rows == "drawn"}
    on_few = {name for name in names if SCORES[name].fitted_on == "seen"}
    rest = [name for name in names if name not in of_kmeans | on_few]
    parts = (
        meaning.judge(
            rest,
            test_labels,
            fitted_on=train_labels,
            dimensions=dimensions,
            class_names=class_names,
        ),
        meaning.judge(on_few, test_labels, fitted_on=few_labels, class_names=class_names),
        meaning.judge(
            of_kmeans, points, clusters=clusters, drawn=len(points) < len(test_labels), class_names=class_names
        ),
    )
    failed, notes = ({name: words for part in parts for name, words in part[i].items()} for i in (0, 1))
    return meaning.Judged(failed, notes)


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
    Images (N, C, H, W), any number type. The pixel scores of a gallery of 5,000 lie below those of a larger one.
    """
    queries, labels = _flat(subset(LIVE_QUERIES, seed, test_images, test_labels))
    shared = _shared(train_labels, test_labels)
    if shared and not len(seen):
        raise ValueError("no label is seen; at least one is needed")
    gallery = _flat(subset(LIVE_GALLERY, seed, train_images, train_labels))
    few = _flat(subset(LIVE_GALLERY, seed, train_images[seen], train_labels[seen]))
    names = [*(("pixel_knn_accuracy", "pixel_knn_accuracy_labelled") if shared else ()), "pixel_recall_at_1"]
    nothing = _judged(names, gallery[1], few[1], labels, labels, 0, 0).failed
    found = {}
    if shared:
        commonest = np.bincount(train_labels, minlength=classes).argmax()
        found["chance"] = float((test_labels == commonest).mean())
    for name, its in (("pixel_knn_accuracy", gallery), ("pixel_knn_accuracy_labelled", few)):
        if shared and name not in nothing:
            found[name] = accuracy(labels, knn_classify(*its, queries, classes))
    if "pixel_recall_at_1" not in nothing:
        found["pixel_recall_at_1"] = recall_at(queries, labels, (1,))[0]
    return found


def _note(notes: dict[str, str], names: tuple[str, ...], text: str) -> None:
    notes.update(dict.fromkeys(names, text))


# --- agreement of two labellings


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """Share of rows whose prediction is right, (M,), (M,) -> 0 to 1."""
    return float((true == predicted).mean())


def ami(true: np.ndarray, predicted: np.ndarray) -> float:
    """Adjusted mutual information, (I - E[I]) / (mean of the entropies - E[I]): 0 at chance (it may be a little below),
    1 for the same partition. Vinh, Epps and Bailey 2010, JMLR 11; scikit-learn's, with the arithmetic mean."""
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(true, predicted))


def nmi(true: np.ndarray, predicted: np.ndarray) -> float:
    """Normalised mutual information, I / mean of the entropies, 0 to 1, not adjusted for chance; scikit-learn's."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(true, predicted))


def clustering_accuracy(true: np.ndarray, found: np.ndarray) -> float:
    """Share of rows that are right under the best pairing of clusters and classes: (M,), (M,) -> 0 to 1.

        max over m of 1/M sum_i 1[true_i = m(found_i)], m one to one

    Xie, Girshick and Farhadi 2016, arXiv 1511.06335, equation 10; m by the Hungarian method (scipy's). With more
    clusters than classes, or fewer, those left over pair with nothing and their rows are wrong. Any labels will do."""
    from scipy.optimize import linear_sum_assignment

    (_, row), (names, column) = (np.unique(its, return_inverse=True) for its in (_some(true), found))
    counts = _table(row, column, len(names))
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(true))


def confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many rows of each true class (first axis) got each prediction (second axis): (M,), (M,) -> (K, K) int64."""
    return np.bincount(np.asarray(true, np.int64) * classes + predicted, minlength=classes**2).reshape(classes, classes)


def seen_class_ceiling(seen_labels: np.ndarray, test_labels: np.ndarray) -> float:
    """Share of the test rows whose class has a seen label: the most that a classifier fitted on the seen labels can
    reach."""
    return float(np.isin(test_labels, seen_labels).mean())


# --- classifiers: gallery (N, D), labels (N,), queries (M, D) -> predictions (M,) int64


def knn_classify(
    gallery: np.ndarray, labels: np.ndarray, queries: np.ndarray, classes: int, k: int = NEIGHBOURS, device: str = "cpu"
) -> np.ndarray:
    """Majority of the k nearest gallery rows' labels (of all rows when there are fewer); ties go to the smallest
    label."""
    return vote(labels[knn(gallery, queries, k, device)[0]], classes)


def predictions(
    latents: np.ndarray,
    labels: np.ndarray,
    seen: np.ndarray,
    split: np.ndarray,
    classes: int,
    *,
    disjoint: bool,
) -> np.ndarray:
    """What is said of each row's class: (N, D), labels (N,), seen bool (N,), split (N,) -> (N,) int64.

    By the 5 nearest rows with a seen label, itself among them. Where the classes of the splits are disjoint these are
    wrong for every test row, so there the 5 nearest other rows of the same split vote."""
    if not disjoint:
        return knn_classify(latents[seen], labels[seen], latents, classes)
    found = np.empty(len(latents), np.int64)
    for part in np.unique(split):
        own = split == part
        found[own] = vote(labels[own][others(latents[own], NEIGHBOURS)], classes)
    return found


def forest_classify(
    gallery: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    classes: int,
    *,
    seed: int = 0,
    remark: Callable[[str], None] = lambda text: None,
) -> np.ndarray:
    """Random forest, 100 trees, scikit-learn's defaults (Breiman 2001), on at most two threads."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_estimators=100, n_jobs=2, random_state=seed)
    return forest.fit(_some(finite(gallery)), labels).predict(finite(queries)).astype(np.int64)


def mlp_classify(
    gallery: np.ndarray,
    labels: np.ndarray,
    queries: np.ndarray,
    classes: int,
    *,
    seed: int = 0,
    remark: Callable[[str], None] = lambda text: None,
) -> np.ndarray:
    """Perceptron with one hidden layer of 100 units on standardised latents, scikit-learn's defaults but for when it
    stops: from 1,000 rows on Adam until a held-out tenth stops improving, below that L-BFGS (nothing can be held out of
    a few labels).

    A fit that has not settled after its last pass is used all the same; `remark` is told so.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    gallery, queries = _some(finite(gallery)), finite(queries)
    present, counts = np.unique(labels, return_counts=True)
    if len(present) == 1:
        return np.full(len(queries), present[0], np.int64)
    centre, unit = gallery.mean(0), gallery.std(0)
    unit = np.where(unit > 0, unit, 1)
    holds_out = len(labels) >= max(1_000, 10 * len(present)) and counts.min() >= 2
    how = {"early_stopping": True} if holds_out else {"solver": "lbfgs", "max_iter": 1_000, "max_fun": 100_000}
    model = MLPClassifier(random_state=seed, **how)
    with threadpool_limits(1), warnings.catch_warnings():  # one thread: see `kmeans`
        warnings.simplefilter("ignore", ConvergenceWarning)  # said by `remark` instead
        model.fit((gallery - centre) / unit, labels)
    if model.n_iter_ >= model.max_iter:
        remark(f"the MLP had not settled after {model.n_iter_} passes")
    return model.predict((queries - centre) / unit).astype(np.int64)


def vote(neighbour_labels: np.ndarray, classes: int) -> np.ndarray:
    """The commonest label of each row, the smallest of several, as scikit-learn's: (M, k) -> (M,) int64."""
    rows = np.arange(len(neighbour_labels))
    counts = np.zeros((len(rows), classes), np.int32)
    for column in neighbour_labels.T:
        counts[rows, column] += 1
    return counts.argmax(1)  # the first of the largest


# --- nearest neighbours


def knn(gallery: np.ndarray, queries: np.ndarray, k: int, device: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """The k nearest gallery rows of each query, nearest first, exact: (N, D), (M, D) -> rows (M, k) int64, distances
    (M, k).

    Euclidean. k is lowered to N. In few dimensions by a tree on the CPU, else by search of all rows on the device.
    Places are searched, not rows: of rows that coincide exactly (a collapsed space) each query is given some at random,
    with a fixed seed, so that the order of the rows decides nothing and many cost no more than one.
    """
    gallery, queries = _some(finite(gallery)), finite(queries)
    k = min(k, len(gallery))
    piles = coincident(gallery)
    if piles is None:
        return _nearest(gallery, queries, k, device)
    places, of = piles
    return _drawn_from(of, *_nearest(places, queries, min(k, len(places)), device), k)


def coincident(points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The places where rows lie, in an order of their own, and which is whose: (N, D) -> (P, D), (N,); None where no
    two rows coincide."""
    _, where, counts = np.unique(points[:, 0], return_inverse=True, return_counts=True)
    suspects = np.flatnonzero(counts[where] > 1)
    if not len(suspects) or len(np.unique(_as_keys(points[suspects]))) == len(suspects):
        return None
    _, first, of = np.unique(_as_keys(points), return_index=True, return_inverse=True)
    return points[first], of


def _as_keys(points: np.ndarray) -> np.ndarray:
    """One value a row that can be compared, (N, D) -> (N,): its bytes, those of -0 as those of 0."""
    rows = np.ascontiguousarray(points + points.dtype.type(0))
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


def _drawn_from(of: np.ndarray, near: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """k rows of the nearest places of each query, in their order, those of a place drawn anew for each query: the place
    of each row (N,), places (M, p) and distances (M, p) -> rows (M, k), distances (M, k)."""
    rng, rows, sizes = np.random.default_rng(PILES_SEED), np.argsort(of, kind="stable"), np.bincount(of)
    begins = sizes.cumsum() - sizes  # of each place in `rows`
    ends = sizes[near].cumsum(1)  # (M, p) rows up to each place
    which = (ends[:, :, None] <= np.arange(k)).sum(1)  # (M, k) whose row it will be
    places = np.take_along_axis(near, which, 1)
    before = np.arange(k) - np.take_along_axis(ends, which, 1) + sizes[places]  # rows drawn from there already
    drawn = (rng.random(places.shape) * (sizes[places] - before)).astype(np.int64)  # among those not yet drawn
    for j in range(1, k):
        earlier = np.where(places[:, :j] == places[:, [j]], drawn[:, :j], len(of))
        for taken in np.sort(earlier, axis=1).T:
            drawn[:, j] += taken <= drawn[:, j]
    return rows[begins[places] + drawn], np.take_along_axis(distances, which, 1)


def _nearest(places: np.ndarray, queries: np.ndarray, k: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """As `knn`, of rows that do not coincide."""
    if _takes_tree(places, queries, device):
        return _by_tree(places, queries, k)
    return _by_search(places, queries, k, device)


def _takes_tree(gallery: np.ndarray, queries: np.ndarray, device: str) -> bool:
    small = len(gallery) * len(queries) <= SMALL
    return device == "cpu" and gallery.shape[1] <= (SMALL_TREE_DIMENSIONS if small else TREE_DIMENSIONS)


def _by_tree(gallery: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that coincide cost much: a leaf cannot split them, and 60,000 of them take 0.4 s per 1,000 queries."""
    from scipy.spatial import cKDTree

    distances, rows = cKDTree(gallery).query(queries, k=range(1, k + 1), workers=-1 if len(queries) > 5_000 else 1)
    return rows.astype(np.int64), distances


def _by_search(gallery: np.ndarray, queries: np.ndarray, k: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """All distances, 500 queries at a time, never (M, N) at once. |x|^2 - 2 x q orders the rows (the query's own square
    is the same for all); the k smallest of a row lie in the k blocks of 128 with the smallest minima, which is 4 times
    faster than top-k over 60,000 (two cores, November 2026). The order of the best k + 8 is then settled by plain
    differences, free of cancellation."""
    import torch

    centre = gallery.mean(0, dtype=np.float64)
    place = {"device": device, "dtype": torch.float32}
    x, q = (torch.as_tensor(points - centre, **place) for points in (gallery, queries))
    near_enough, width = min(k + EXTRA, len(x)), 128
    padding = -len(x) % width
    squares = torch.nn.functional.pad(x.square().sum(1), (0, padding), value=torch.inf)  # (N',)
    columns = torch.nn.functional.pad(x, (0, 0, 0, padding)).T.contiguous()  # (D, N')
    blocks = columns.shape[1] // width
    rows, distances = [], []
    for part in q.split(500):
        values = torch.addmm(squares, part, columns, alpha=-2).view(len(part), blocks, width)
        block = values.amin(2).topk(min(near_enough, blocks), largest=False, sorted=False).indices
        inside = values.gather(1, block[:, :, None].expand(-1, -1, width)).flatten(1)
        best = inside.topk(near_enough, largest=False).indices
        best = block.gather(1, best // width) * width + best % width  # (500, k + 8) rows of the gallery
        exact, order = (x[best] - part[:, None]).square().sum(2).sqrt().topk(k, largest=False)
        rows.append(best.gather(1, order).cpu())
        distances.append(exact.cpu())
    if not rows:
        return np.zeros((0, k), np.int64), np.zeros((0, k))
    return torch.cat(rows).numpy(), torch.cat(distances).double().numpy()


def recall_at(
    latents: np.ndarray, labels: np.ndarray, ks: Iterable[int] = RECALL_AT, device: str = "cpu"
) -> tuple[float, ...]:
    """Share of rows with one of their class among their k nearest other rows, for each k: (M, D), (M,) -> 0 to 1.

    Gallery and queries are the same rows, the query itself left out; a row alone in its class counts as missed (Song et
    al. 2016, arXiv 1511.06452). With fewer than k others all of them are looked at. Of rows at the same distance any
    may come first: a query counts with its chance of a hit,

        1 - C(t - c, k - s) / C(t, k - s)

    s: rows nearer than any of its class; t: rows as far as the first of its class, c of them of its class. So a
    collapsed space has the recall of rows drawn at random, whatever their order."""
    if len(latents) < 2:
        raise ValueError(f"recall needs at least 2 rows, got {len(latents)}")
    ks, count = tuple(ks), len(latents)
    places, of = coincident(finite(latents)) or (latents, np.arange(count))
    classes, label = np.unique(labels, return_inverse=True)
    there, rows = np.unique(of * len(classes) + label, return_counts=True)  # (Q,) a place and a class, and their rows
    place, own = np.divmod(there, len(classes))
    sizes = np.bincount(of)  # (P,)

    def of_class(near: np.ndarray, its: np.ndarray) -> np.ndarray:
        """How many rows of a class lie at each place: (B, m), (B,) -> (B, m)."""
        if len(places) == count:
            return own[near] == its[:, None]
        wanted = near * len(classes) + its[:, None]
        found = np.searchsorted(there, wanted).clip(max=len(there) - 1)
        return np.where(there[found] == wanted, rows[found], 0)

    hits, pending = np.zeros(len(ks)), np.arange(len(there))
    look_at = max(ks) + 1  # places; more where rows at one distance may go on beyond
    while len(pending):
        asked, at = np.unique(place[pending], return_inverse=True)
        near, tied, ends = (values[at] for values in _other_places(places, asked, look_at, device))
        around = np.c_[sizes[place[pending]] - 1, sizes[near]]  # (B, 1 + m) rows at one's own place, at the next, ...
        same = np.c_[rows[pending] - 1, of_class(near, own[pending])]  # those of them of the query's class
        tied, ends = (np.c_[np.zeros(len(at), bool), values] for values in (tied, ends))
        first = np.where(same.any(1), (same > 0).argmax(1), (around.cumsum(1) < max(ks)).sum(1))
        sure = ~np.take_along_axis(np.c_[ends, ends[:, -1:]], first[:, None], 1)[:, 0]
        chances = _chance_of_a_hit(around[sure], same[sure], tied[sure], ks)
        hits += rows[pending[sure]] @ chances
        pending, look_at = pending[~sure], 4 * look_at
    return tuple(float(share) for share in hits / count)


def _chance_of_a_hit(around: np.ndarray, same: np.ndarray, tied: np.ndarray, ks: tuple[int, ...]) -> np.ndarray:
    """See `recall_at`, for each query and k (B, len(ks)): how many rows lie at each place, in order of distance, how
    many of them are of the query's class, whether a place is as far as the one before it (B, m)."""
    if not tied.any() and not around[:, 0].any() and around.max(initial=0) <= 1:  # no two rows at one distance
        return np.stack([same[:, : k + 1].any(1) for k in ks], 1)
    group = (~tied).cumsum(1)
    first = np.take_along_axis(group, (same > 0).argmax(1)[:, None], 1)  # (B, 1) the group of the first hit, if any
    s = (around * (group < first)).sum(1)
    t, c = ((values * (group == first)).sum(1) for values in (around, same))
    drawn = np.arange(max(ks))  # so many of those tied are drawn before
    miss = ((t - c)[:, None] - drawn).clip(min=0) / (t[:, None] - drawn).clip(min=1)  # (B, max k) of the next one
    all_missed = np.c_[np.ones(len(t)), miss.cumprod(1)]
    return np.stack([1 - all_missed[np.arange(len(t)), (k - s).clip(0, np.minimum(t, k))] for k in ks], 1)


def _other_places(
    places: np.ndarray, asked: np.ndarray, k: int, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k places nearest to each asked one (B,) of (P, D), fewer where there are not as many, in order of distance
    (B, m); whether a place is as far as the one before it (B, m); whether others that are not listed may be as far
    (B, m)."""
    near, distances = _nearest(places, places[asked], min(k + 1, len(places)), device)
    near, distances = (values[_not_itself(near, asked)].reshape(len(asked), -1) for values in (near, distances))
    tied = np.zeros(near.shape, bool)
    if near.shape[1] == 0:
        return near, tied, tied
    same, rounding = _errors_of_distance(places, _takes_tree(places, places[asked], device))
    close = (np.diff(distances, axis=1) <= rounding).any(1)
    if close.any():  # in single precision equal distances may look different, and others equal
        ends = (places[rows].astype(np.float64) for rows in (near[close], asked[close, None]))
        exact = np.linalg.norm(np.subtract(*ends), axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        exact = np.take_along_axis(exact, order, 1)
        tied[close, 1:] = np.diff(exact, axis=1) <= same
        turned = tied[close].any(1)  # the others keep their order
        again = np.flatnonzero(close)[turned]
        near[again], distances[again] = np.take_along_axis(near[close], order, 1)[turned], exact[turned]
    return near, tied, (distances >= distances[:, -1:] - rounding) & (near.shape[1] < len(places) - 1)


def _errors_of_distance(places: np.ndarray, by_tree: bool) -> tuple[float, float]:
    """How far equal distances between places (P, D) may lie apart by rounding: when computed from the differences in
    double precision, and when found by `_nearest`, which searches in single precision unless it takes a tree."""
    largest = max(float(places.max()), -float(places.min())) * places.shape[1] ** 0.5  # none is farther from 0
    double = 8 * float(np.finfo(np.float64).eps) * largest
    if by_tree:
        return double, double
    centred = places - places.mean(0)
    farthest = float(np.einsum("pd,pd->p", centred, centred).max()) ** 0.5
    return double, double + 8 * float(np.finfo(np.float32).eps) * farthest


def _not_itself(near: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """All but one of each query's nearest rows (B, k), the query itself or, where it is missing among many at the same
    place, the last one, which is then one too many: bool (B, k)."""
    itself = near == queries[:, None]
    itself[~itself.any(1), -1] = True
    return ~itself


def map_at_r(
    latents: np.ndarray,
    labels: np.ndarray,
    device: str = "cpu",
    progress: Callable[[float], None] = lambda fraction: None,
) -> float:
    """Mean average precision at R, of all rows, each searched for among the others: (M, D), (M,) -> 0 to 1.

        mean over queries of 1/R sum_{i <= R} P(i) 1[the i-th neighbour is of the query's class]

    R: the other rows of the query's class. P(i): their share among the i nearest. Musgrave, Belongie and Lim 2020,
    arXiv 2003.08505, section 3.2. A query alone in its class has R = 0 and is left out, as by their
    pytorch-metric-learning (`recall_at` counts it as missed). Of rows at the same distance any may come first: the
    mean over all orders counts, see `_expected_average_precision`; theirs come as they fall. Raises ValueError when no
    class has two rows.

    Exact in double precision (on the CPU where the device has none), some 2^22 distances at a time, never (M, M). R can
    be thousands: what is selected and sorted are the distances alone, the lowest bit of each saying whose class it is.
    `progress` is told the share that is done, and may raise to end it.
    """
    import torch

    finite(latents)
    _, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    others = sizes[of] - 1  # (M,) R of each row
    order = np.lexsort((of, others))  # rows of a class stand together, and queries of about the same R
    of, others = of[order], others[order]
    alone, n = int(np.searchsorted(others, 1)), len(order)
    if alone == n:
        raise ValueError("MAP@R needs a class with at least 2 rows")
    points = latents - latents.mean(0, dtype=np.float64)  # centred, so that |x|^2 - 2 x q + |q|^2 loses no digits
    x = torch.as_tensor(points[order], dtype=torch.float64, device="cpu" if device == "mps" else device)  # (M, D)
    r, square, one = torch.as_tensor(others, device=x.device), x.square().sum(1, True), x.new_ones(n, 1)
    gallery, queries = torch.cat([x, square, one], 1).T, torch.cat([-2 * x, one, square], 1)  # one product, |x - q|^2
    edges = np.flatnonzero(np.diff(of, prepend=-1, append=-1))  # where each class begins, and the end
    total, step = 0.0, max(1, DISTANCES_AT_ONCE // n)
    for begin in range(alone, n, step):
        end = min(begin + step, n)
        progress((begin - alone) / (n - alone))
        keys = (queries[begin:end] @ gallery).view(torch.int64)  # (B, M): numbers from 0 on keep their order as bits
        keys.bitwise_and_(torch.iinfo(torch.int64).max - 1)  # no sign, which only rounding can have set, no lowest bit
        for i in range(np.searchsorted(edges, begin, "right") - 1, np.searchsorted(edges, end)):
            keys[max(edges[i] - begin, 0) : edges[i + 1] - begin, edges[i] : edges[i + 1]] |= 1  # of the same class
        keys[:, begin:end].fill_diagonal_(torch.iinfo(torch.int64).max)  # a row is not its own neighbour
        of_query, squares = r[begin:end, None], square[begin:end]
        ranked = _smallest(keys, int(others[end - 1]) + 1)  # (B, R + 1)
        same, position = ranked & 1, torch.arange(1, ranked.shape[1], device=x.device)
        hits = same[:, :-1] * (position <= of_query)  # (B, R)
        averages = (hits.cumsum(1) / position.double() * hits).sum(1) / of_query[:, 0]
        decides = (same[:, 1:] != same[:, :-1]) | (position == of_query)  # the order of a row and the next one, if tied
        unsure = (_ties(ranked, squares) & decides & (position <= of_query)).any(1).nonzero()[:, 0]
        for rows in unsure.split(max(1, step // 8)) if len(unsure) else ():
            every = _smallest(keys[rows], n)
            averages[rows] = _expected_average_precision(every, squares[rows], of_query[rows])
        total += float(averages.sum())
    return total / (n - alone)


def _ties(ranked: "torch.Tensor", squares: "torch.Tensor") -> "torch.Tensor":
    """Whether a row is as far from the query as the next one, but for rounding: squared distances in order, as
    `map_at_r` has them (B, m), the query's own square (B, 1) -> bool (B, m - 1)."""
    import torch

    distances = (ranked & ~1).view(torch.float64)
    nearer = distances[:, :-1]
    return distances[:, 1:] - nearer <= TIED * (4 * squares + nearer)


def _expected_average_precision(ranked: "torch.Tensor", squares: "torch.Tensor", r: "torch.Tensor") -> "torch.Tensor":
    """Average precision at R, its mean over all orders of rows at the same distance: all rows in order as `map_at_r`
    has them (B, M), the query's own square (B, 1), R (B, 1) -> (B,).

        1/R sum_{i <= R} c/t (h + 1 + (i - s - 1) (c - 1) / (t - 1)) / i

    s: rows nearer than the i-th, h of them of the query's class; t: rows as far as it, c of them of its class. The i-th
    is of its class with probability c/t; then so are, on average, (c - 1) / (t - 1) of those tied that came before."""
    import torch

    m, k = ranked.shape[1], int(r.max())
    same, place, new = ranked & 1, torch.arange(m, device=ranked.device), ~_ties(ranked, squares)
    begins, ends = (torch.nn.functional.pad(new, side, value=True) for side in ((1, 0), (0, 1)))
    s = torch.where(begins, place, 0)[:, :k].cummax(1).values
    end = torch.where(ends, place + 1, m).flip(1).cummin(1).values.flip(1)[:, :k]
    hits = same.cumsum(1)
    h = hits.gather(1, s) - same.gather(1, s)
    t, c, i = end - s, hits.gather(1, end - 1) - h, place[:k] + 1
    c = c.double()
    expected = c / t * (h + 1 + (i - s - 1) * (c - 1) / (t - 1).clamp(min=1)) / i
    return (expected * (i <= r)).sum(1) / r[:, 0]


def _smallest(keys: "torch.Tensor", k: int) -> "torch.Tensor":
    """The k smallest of each row in order: (B, M) -> (B, k). On a CPU by numpy, with k = 6,000 of 60,000 four times as
    fast as torch's top-k, which carries indices (two cores, November 2026)."""
    import torch

    if keys.device.type != "cpu":
        return keys.topk(k, largest=False).values
    return torch.from_numpy(np.sort(np.partition(keys.numpy(), k - 1, axis=1)[:, :k], axis=1))


def others(latents: np.ndarray, k: int, device: str = "cpu", of: np.ndarray | None = None) -> np.ndarray:
    """The k nearest other rows of each row, or of the rows `of` (R,), nearest first, fewer where there are not as many:
    (M, D) -> (M, k) or (R, k) int64."""
    queries, own = (latents, np.arange(len(latents))) if of is None else (latents[of], of)
    rows, _ = knn(latents, queries, k + 1, device)
    return rows[_not_itself(rows, own)].reshape(len(rows), rows.shape[1] - 1)


# --- clusters


class Starts(NamedTuple):
    """What S starts of k-means made of M rows."""

    clusters: np.ndarray  # int32 (S, M)
    inertias: np.ndarray  # float64 (S,), sums of squared distances to the own centre
    best: int  # the start of the lowest inertia


def kmeans(
    latents: np.ndarray, clusters: int, starts: int = KMEANS_STARTS, seed: int = 0, rounds: int = 300
) -> np.ndarray:
    """Clusters of k-means, the start of the lowest inertia: (M, D) -> (M,) int64. scikit-learn's, k-means++ starts, at
    most `rounds` rounds each. Raises ValueError when there are fewer distinct points than clusters."""
    found = kmeans_starts(latents, clusters, starts, seed, rounds)
    return found.clusters[found.best].astype(np.int64)


def kmeans_starts(
    latents: np.ndarray, clusters: int, starts: int = KMEANS_STARTS, seed: int = 0, rounds: int = 300
) -> Starts:
    """Every start of `kmeans`, one by one from one random stream, so that the best is that of scikit-learn's `n_init`.

    On one thread: its threads wait for each other when the cores are busy (9 s instead of 0.2 s measured). Raises
    ValueError when there are fewer distinct points than clusters."""
    import sklearn
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    points, random, found, inertias, best = _for_clusters(latents, clusters), np.random.RandomState(seed), [], [], 0
    with threadpool_limits(1), warnings.catch_warnings(), sklearn.config_context(assume_finite=True):
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the best it is said below
        for start in range(starts):
            model = KMeans(clusters, n_init=1, max_iter=rounds, random_state=random).fit(points)
            found.append(model.labels_)
            inertias.append(float(model.inertia_))
            if inertias[start] < inertias[best] and not _refines(found[start], found[best], clusters):
                best = start
    if (distinct := len(np.unique(found[best]))) < clusters:
        raise ValueError(f"k-means did not find {clusters} clusters, only {distinct}: the points nearly coincide")
    return Starts(np.stack(found), np.array(inertias), best)


def _refines(clusters: np.ndarray, others: np.ndarray, count: int) -> bool:
    """Whether each of the clusters lies in one of the others, (M,), (M,): of as many, that they are the same."""
    pairs = np.bincount(clusters.astype(np.int64) * count + others, minlength=count**2).reshape(count, count)
    return bool(((pairs > 0).sum(1) <= 1).all())


def kmeans_quick(latents: np.ndarray, clusters: int, starts: int = 3, seed: int = 0) -> np.ndarray:
    """As `kmeans` with few starts and at most 15 rounds: for numbers that are replaced within a second."""
    return kmeans(latents, clusters, starts, seed, rounds=15)


def kmeans_scores(
    latents: np.ndarray,
    labels: np.ndarray,
    clusters: int,
    starts: int = KMEANS_STARTS,
    rows: int = KMEANS_ROWS,
    seed: int = 0,
) -> tuple[float, float, float]:
    """AMI, NMI and `clustering_accuracy` of true classes and k-means clusters of the same latents, of at most `rows`
    rows drawn by the seed."""
    return kmeans_scores_and_scatter(latents, labels, clusters, starts, rows, seed)[:3]


def kmeans_scores_and_scatter(
    latents: np.ndarray,
    labels: np.ndarray,
    clusters: int,
    starts: int = KMEANS_STARTS,
    rows: int = KMEANS_ROWS,
    seed: int = 0,
) -> tuple[float, float, float, float, float, float]:
    """`kmeans_scores`, and the standard deviation of each over restarts, a restart being the best of as many starts.

    The bootstrap over the starts that were made (Efron 1979, doi 10.1214/aos/1176344552) needs no draw: of n starts
    drawn with replacement the best is the j-th best of all with probability

        ((n - j + 1) / n)^n - ((n - j) / n)^n

    Those below RARE are left out, and the variance is that of weighted samples, divided by 1 - sum p^2. AMI's expected
    information is that of the best start for all of them: it depends on the clusters' sizes alone, which hardly differ,
    and takes longer than the rest."""
    points, true = subset(rows, seed, latents, labels)
    found = kmeans_starts(points, clusters, starts, seed)
    best, row = found.clusters[found.best].astype(np.int64), np.unique(true, return_inverse=True)[1]
    n, j = starts, np.arange(1, starts + 1)
    p = ((n - j + 1) / n) ** n - ((n - j) / n) ** n
    p = p[p >= RARE] / p[p >= RARE].sum()
    asked = np.argsort(found.inertias, kind="stable")[: len(p)]
    expected = _expected_information(_table(row, best, clusters))
    each = np.array([_agreement(_table(row, found.clusters[start], clusters), expected) for start in asked])  # (j, 3)
    scatter = np.sqrt(p @ np.square(each - p @ each) / max(1 - p @ p, TINY))
    return ami(true, best), nmi(true, best), clustering_accuracy(true, best), *map(float, scatter)


def _table(true: np.ndarray, found: np.ndarray, clusters: int) -> np.ndarray:
    """How many rows each class has in each cluster, both numbered from 0: (M,), (M,) -> int64 (classes, clusters)."""
    cells = true * clusters + found
    return np.bincount(cells, minlength=(int(true.max()) + 1) * clusters).reshape(-1, clusters)


def _expected_information(table: np.ndarray) -> float:
    """Mean mutual information of two labellings with these class and cluster sizes, in nats (Vinh et al. 2010)."""
    from scipy.sparse import csr_matrix
    from sklearn.metrics.cluster import expected_mutual_information

    return float(expected_mutual_information(csr_matrix(table), int(table.sum())))


def _agreement(table: np.ndarray, expected: float) -> tuple[float, float, float]:
    """AMI with that expected information, NMI and `clustering_accuracy` of a `_table`."""
    from scipy.optimize import linear_sum_assignment

    p = table / table.sum()
    together, classes, clusters = (
        -float((q[q > 0] * np.log(q[q > 0])).sum()) for q in (p.ravel(), p.sum(1), p.sum(0))
    )  # entropies in nats
    mutual, mean = classes + clusters - together, (classes + clusters) / 2
    right = table[linear_sum_assignment(table, maximize=True)].sum() / table.sum()
    return (mutual - expected) / max(mean - expected, TINY), mutual / max(mean, TINY), float(right)


def _for_clusters(latents: np.ndarray, clusters: int) -> np.ndarray:
    """Latents in float64, centred and of unit spread, which k-means does not mind and rounding does."""
    points = finite(latents).astype(np.float64)
    piles = coincident(points)
    distinct = len(points) if piles is None else len(piles[0])
    if distinct < clusters:
        raise ValueError(f"k-means with {clusters} clusters needs as many distinct points, got {distinct}")
    points -= points.mean(0)
    return points / (np.sqrt(np.square(points).mean()) or 1)


# --- shape of the cloud


def mean_pairwise_distance(latents: np.ndarray, rows: int = 2_000, seed: int = 0) -> float:
    """Mean Euclidean distance over all pairs of at most `rows` rows drawn by the seed, (N, D) -> units of the latent
    space."""
    from scipy.spatial.distance import pdist

    (points,) = subset(rows, seed, finite(latents))
    if len(points) < 2:
        raise ValueError(f"a distance needs at least 2 rows, got {len(points)}")
    return float(pdist(points).mean())


def spread(latents: np.ndarray) -> float:
    """Root of the variance's mean over dimensions, (N, D) -> units of the latent space."""
    return float(np.sqrt(_some(finite(latents)).var(axis=0, dtype=np.float64).mean()))


def effective_rank(latents: np.ndarray) -> float:
    """exp(-sum_d p_d ln p_d), p = singular values of the centred latents over their sum, (N, D) -> 1 to D.

    Roy and Vetterli, EUSIPCO 2007. 1 for points on a line, D for a ball. Raises ValueError when all points coincide.
    """
    points = _some(finite(latents)).astype(np.float64)
    points -= points.mean(0)
    largest = np.abs(points).max()
    if not largest:
        raise ValueError("all points coincide: they spread in no direction")
    points /= largest  # so that squares of tiny latents do not vanish
    values = np.sqrt(np.linalg.eigvalsh(points.T @ points).clip(0))  # (D,) singular values
    p = values / values.sum()
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def directions(latents: np.ndarray) -> np.ndarray:
    """Latents scaled to length 1, those of length 0 as they are: (N, D) -> (N, D)."""
    lengths = np.linalg.norm(latents.astype(np.float64), axis=1, keepdims=True)  # (N, 1); no square underflows
    return (latents / np.where(lengths > 0, lengths, 1)).astype(latents.dtype)


def collapse(latents: np.ndarray, scale: float = 1.0, seed: int = 0, directions_of: int = 0) -> str | None:
    """A sentence for the visitor when the latents (N, D) have collapsed, else None.

    Collapsed is: the mean distance of two points is below a tenth of `scale`, the distance that the loss asks for
    between classes (the margin of a triplet loss; 1 where there is none); or, for D > 1, the effective rank is below
    1.1, which in two dimensions is a cloud 50 times as long as wide. An untrained network may count as collapsed: ask
    from the first epoch's end on.

    directions_of: the number of classes, where the latents are `directions`. On the sphere points that lie on a line,
    and not within a narrow arc, lie at two opposite places: as good as can be for two classes, a collapse for more."""
    if found := coincide(latents, scale, seed):
        return found
    if latents.shape[1] > 1 and directions_of != 2 and effective_rank(latents) < LINE:
        if directions_of:
            apart = mean_pairwise_distance(latents, seed=seed) > NARROW
            words = f"All points lie in one direction or its opposite, although there are {directions_of} classes."
            return words if apart else None
        return f"All points lie nearly on a line, although the space has {latents.shape[1]} dimensions."
    return None


def coincide(latents: np.ndarray, scale: float = 1.0, seed: int = 0) -> str | None:
    """The first half of `collapse`: a sentence when latents (N, D) nearly coincide or are not finite, else None."""
    try:
        distance = mean_pairwise_distance(latents, seed=seed)
    except ValueError as error:
        return f"The latent space cannot be read: {error}."
    if distance < COINCIDE * scale:
        return f"All points nearly coincide: two are {distance:.2g} apart on average, on a scale of {scale:g}."
    return None


# --- reconstructions and projections


def reconstruction_mse(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Mean over pixels and rows of the squared difference; both (M, C, H, W), uint8 (then over 255) or in [0, 1]."""
    if images.shape != reconstructions.shape:
        raise ValueError(f"images {images.shape} and reconstructions {reconstructions.shape} must have the same shape")
    return float(np.square(_unit(finite(images)) - _unit(finite(reconstructions))).mean(dtype=np.float64))


def _reconstruction_mse(
    images: np.ndarray, latents: np.ndarray, reconstruct: Callable[[np.ndarray], np.ndarray], rows: int = 1_000
) -> float:
    finite(latents)
    parts = [slice(i, i + rows) for i in range(0, len(images), rows)]
    errors = [reconstruction_mse(images[part], np.asarray(reconstruct(latents[part]))) for part in parts]
    return float(np.average(errors, weights=[len(images[part]) for part in parts]))


# --- checks


def finite(values: np.ndarray) -> np.ndarray:
    """The same values; raises ValueError when rows hold NaN or infinity."""
    bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if bad.any():
        raise ValueError(f"{bad.sum():,} of {len(values):,} rows hold numbers that are not finite")
    return values


def subset(rows: int, seed: int, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same random rows of each array, in order, at most `rows`; the arrays themselves when they are no longer."""
    n = len(arrays[0])
    if n <= rows:
        return arrays
    chosen = np.sort(np.random.default_rng(seed).choice(n, rows, replace=False))
    return tuple(array[chosen] for array in arrays)


def _some(rows: np.ndarray) -> np.ndarray:
    if not len(rows):
        raise ValueError("there is no row to learn from; at least one seen label is needed")
    return rows


def _fit_together(
    train: np.ndarray,
    train_labels: np.ndarray,
    seen: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    classes: int,
) -> None:
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise ValueError(f"latents must be (N, D) and (M, D), got {train.shape} and {test.shape}")
    for latents, labels in ((train, train_labels), (test, test_labels)):
        if labels.shape != latents.shape[:1] or not len(labels):
            raise ValueError(f"{latents.shape[0]} latents need as many labels, and at least one; got {labels.shape}")
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"labels must lie between 0 and {classes - 1}; got {labels.min()} to {labels.max()}")
    if len(seen) and (seen.min() < 0 or seen.max() >= len(train)):
        raise ValueError(f"seen rows must lie between 0 and {len(train) - 1}; got {seen.min()} to {seen.max()}")


def _shared(train_labels: np.ndarray, test_labels: np.ndarray) -> bool:
    """Whether a test row is of a training class."""
    return bool(np.isin(test_labels, train_labels).any())


def _unit(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images


def _flat(rows: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    images, labels = rows
    return images.reshape(len(images), -1).astype(np.float32), labels
