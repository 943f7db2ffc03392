"""Classifiers fitted on latents, kNN, random forest, MLP: gallery (N, D), labels (N,), queries (M, D) -> (M,) int64."""

import warnings
from collections.abc import Callable

import numpy as np

from semidml.scores import checks, neighbours
from semidml.scores.table import NEIGHBOURS
from semidml.scores.threads import on_one_thread


def knn_classify(
    gallery: np.ndarray, labels: np.ndarray, queries: np.ndarray, classes: int, k: int = NEIGHBOURS, device: str = "cpu"
) -> np.ndarray:
    """Majority of the k nearest gallery rows' labels (of all rows when there are fewer); ties go to the smallest
    label."""
    return vote(labels[neighbours.knn(gallery, queries, k, device)[0]], classes)


def predictions(
    latents: np.ndarray, labels: np.ndarray, seen: np.ndarray, split: np.ndarray, classes: int, *, disjoint: bool
) -> np.ndarray:
    """What is said of each row's class: (N, D), labels (N,), seen bool (N,), split (N,) -> (N,) int64.

    By the 5 nearest rows with a seen label, itself among them. Where the classes of the splits are disjoint these are
    wrong for every test row, so there the 5 nearest other rows of the same split that have a label vote. -1 where
    there is none that could."""
    predicted = np.full(len(latents), -1, np.int64)
    if not disjoint:
        return knn_classify(latents[seen], labels[seen], latents, classes) if seen.any() else predicted
    for part in np.unique(split):
        own = split == part
        voters = np.flatnonzero(own & (labels >= 0))
        if len(voters) == own.sum() > 1:
            predicted[own] = vote(labels[own][neighbours.others(latents[own], NEIGHBOURS)], classes)
        elif len(voters):
            predicted[own] = _vote_of_others(latents, labels, voters, np.flatnonzero(own), classes)
    return predicted


def _vote_of_others(
    latents: np.ndarray, labels: np.ndarray, voters: np.ndarray, asked: np.ndarray, classes: int
) -> np.ndarray:
    """What the nearest of the rows `voters` say of each of the rows `asked`, none of itself: (m,), -1 where there is no
    other."""
    near = voters[neighbours.knn(latents[voters], latents[asked], NEIGHBOURS + 1)[0]]  # (m, k)
    votes = np.zeros((len(asked), classes), np.int32)
    for place in range(near.shape[1]):
        counts = (near[:, place] != asked) & (votes.sum(1) < NEIGHBOURS)
        votes[counts, labels[near[counts, place]]] += 1
    return np.where(votes.any(1), votes.argmax(1), -1)


def forest_classify(gallery: np.ndarray, labels: np.ndarray, queries: np.ndarray, seed: int = 0) -> np.ndarray:
    """Random forest, 100 trees, scikit-learn's defaults (Breiman 2001), on at most two threads."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(n_estimators=100, n_jobs=2, random_state=seed)
    forest.fit(checks.require_rows(checks.finite(gallery)), labels)
    return forest.predict(checks.finite(queries)).astype(np.int64)


def mlp_classify(
    gallery: np.ndarray, labels: np.ndarray, queries: np.ndarray, seed: int, remark: Callable[[str], None]
) -> np.ndarray:
    """Perceptron with one hidden layer of 100 units on standardised latents, scikit-learn's defaults but for when it
    stops: from 1,000 rows on Adam until a held-out tenth stops improving, below that L-BFGS (nothing can be held out of
    a few labels).

    A fit that has not settled after its last pass is used all the same; `remark` is told so."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    gallery, queries = checks.require_rows(checks.finite(gallery)), checks.finite(queries)
    present, counts = np.unique(labels, return_counts=True)
    if len(present) == 1:
        return np.full(len(queries), present[0], np.int64)
    centre, unit = gallery.mean(0), gallery.std(0)
    unit = np.where(unit > 0, unit, 1)
    holds_out = len(labels) >= max(1_000, 10 * len(present)) and counts.min() >= 2
    how = {"early_stopping": True} if holds_out else {"solver": "lbfgs", "max_iter": 1_000, "max_fun": 100_000}
    model = MLPClassifier(random_state=seed, **how)
    with on_one_thread(), warnings.catch_warnings():  # one thread: see `kmeans`
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
