"""Recall@K and MAP@R: those of double loops and of pytorch-metric-learning; ties by the mean over all orders."""

import itertools
import tracemalloc

import numpy as np
import pytest

from semidml.scores import neighbours, retrieval
from semidml.scores.clusters import (
    kmeans,
    kmeans_scores,
)
from semidml.scores.table import RECALL_AT
from tests.scores.clouds import blobs


@pytest.mark.parametrize("dims", [2, 12])
def test_recall_is_that_of_a_double_loop(dims):
    points, labels = blobs(150, dims, apart=0.7)
    expected = dict.fromkeys(RECALL_AT, 0)
    for i in range(len(points)):
        others = sorted((j for j in range(len(points)) if j != i), key=lambda j: np.linalg.norm(points[i] - points[j]))
        for k in expected:
            expected[k] += any(labels[j] == labels[i] for j in others[:k])
    assert retrieval.recall_at(points, labels) == pytest.approx([n / len(points) for n in expected.values()])


def by_random_orders(points, labels, ks, times=3_000):
    """Recall, each time with the rows at one distance in another order: its mean and that mean's standard error."""
    rng, n, found = np.random.default_rng(0), len(points), []
    distances = np.square(points[:, None].astype(float) - points[None].astype(float)).sum(2).round(9)
    np.fill_diagonal(distances, np.inf)
    for _ in range(times):
        order = rng.permutation(n)
        nearest = order[np.argsort(distances[:, order], axis=1, kind="stable")][:, :-1]
        hits = labels[nearest] == labels[:, None]
        found.append([hits[:, :k].any(1).mean() for k in ks])
    return np.mean(found, 0), np.std(found, 0) / times**0.5


@pytest.mark.parametrize("dims", [1, 2, 12])
@pytest.mark.parametrize("kind", ["one place", "piles", "a few twice", "a lattice", "a cube"])
def test_recall_among_rows_at_one_distance_is_that_of_random_orders(dims, kind):
    rng = np.random.default_rng(dims)
    points = {
        "one place": np.full((40, dims), 0.1, np.float32),
        "piles": rng.normal(size=(8, dims))[rng.integers(0, 8, 40)],
        "a few twice": rng.normal(size=(36, dims))[np.r_[0:36, 0:4]].astype(np.float32),
        "a lattice": rng.integers(0, 3, (40, dims)) * 0.1 + 7,  # whose distances rounding would tell apart
        "a cube": rng.integers(0, 2, (40, dims)).astype(np.float32),
    }[kind]
    labels = rng.integers(0, 6, 40)
    expected, error = by_random_orders(points, labels, RECALL_AT)
    order = np.argsort(labels, kind="stable")
    for its in (np.arange(40), order, order[::-1]):
        found = np.array(retrieval.recall_at(points[its], labels[its]))
        assert (np.abs(found - expected) <= 5 * error + 1e-12).all(), (found, expected, error)


@pytest.mark.parametrize("dims", [3, 16])
def test_recall_of_a_collapsed_space_is_that_of_rows_drawn_at_random(dims):
    """In closed form: 1 - C(others of other classes, k) / C(others, k)."""
    from math import comb

    labels = np.repeat([0, 1, 2, 3], [1, 9, 30, 160])
    n, sizes = len(labels), np.bincount(labels)[labels]
    expected = [np.mean([1 - comb(n - size, k) / comb(n - 1, k) for size in sizes]) for k in (1, 2, 4, 8, 190)]
    for order in (np.arange(n), np.random.default_rng(0).permutation(n)):
        found = retrieval.recall_at(np.zeros((n, dims), np.float32), labels[order], (1, 2, 4, 8, 190))
        assert found == pytest.approx(expected, rel=1e-12)


def test_recall_of_60_000_rows_at_few_places_searches_the_places_alone(monkeypatch):
    nearest, searched = neighbours.nearest, []
    monkeypatch.setattr(neighbours, "nearest", lambda *of: searched.append((len(of[0]), len(of[1]))) or nearest(*of))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 60_000)
    points = rng.normal(size=(50, 16)).astype(np.float32)[rng.integers(0, 50, 60_000)]
    found = retrieval.recall_at(points, labels)
    assert searched == [(50, 50)], "each row searched for among all others takes minutes"
    assert found == pytest.approx([1 - 0.9**k for k in RECALL_AT], abs=0.01)


@pytest.mark.parametrize("dims", [2, 8, 24])
def test_recall_without_ties_is_that_of_the_nearest_rows(dims):
    """To the bit, however near others lie."""
    for offset in (0, 1_000):
        points, labels = blobs(3_000, dims, classes=20, apart=0.7)
        points += offset
        hits = labels[neighbours.others(points, 8)] == labels[:, None]
        expected = tuple(float(hits[:, :k].any(1).mean()) for k in RECALL_AT)
        assert retrieval.recall_at(points, labels) == expected


def test_recall_among_few_rows_looks_at_all_others():
    assert retrieval.recall_at(np.array([[0.0], [1.0], [5.0]]), np.array([0, 1, 0])) == pytest.approx(
        (0, 2 / 3, 2 / 3, 2 / 3)
    )
    with pytest.raises(ValueError, match="at least 2 rows"):
        retrieval.recall_at(np.zeros((1, 2)), np.zeros(1, int))


@pytest.fixture
def uneven():
    """Seven classes of 2 to 80 rows in nine dimensions, every third row there twice (the copies of its class)."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(7) * 3, [2, 5, 12, 20, 40, 60, 80])
    points = (rng.normal(size=(20, 9))[labels] + rng.normal(size=(len(labels), 9))).astype(np.float32)
    order = rng.permutation(np.r_[: len(labels), 0 : len(labels) : 3])
    return points[order], labels[order]


def test_retrieval_is_that_of_pytorch_metric_learning(uneven):
    import torch
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    points, labels = uneven
    names = ("precision_at_1", "mean_average_precision_at_r", "NMI")
    theirs = AccuracyCalculator(
        include=names,
        device=torch.device("cpu"),
        knn_func=CustomKNN(LpDistance(normalize_embeddings=False)),  # its default needs faiss
        kmeans_func=lambda rows, clusters: torch.from_numpy(kmeans(rows.numpy(), clusters)),
    )

    def check(points, labels):
        found = theirs.get_accuracy(torch.from_numpy(points), torch.from_numpy(labels))
        assert retrieval.map_at_r(points, labels) == pytest.approx(found["mean_average_precision_at_r"], abs=1e-6)
        return found

    found = check(points, labels)
    assert retrieval.recall_at(points, labels, (1,))[0] == pytest.approx(found["precision_at_1"])
    assert kmeans_scores(points, labels, 7)[1] == pytest.approx(found["NMI"])
    check(np.r_[points, points[:2] + 1], np.r_[labels, 100, 101])  # two rows alone in their classes


@pytest.mark.parametrize("at_once", [1, 1_000, 2**22])  # a query at a time, a few, all
@pytest.mark.parametrize("offset", [0, 1_000])
def test_map_at_r_is_that_of_a_double_loop(uneven, monkeypatch, at_once, offset):
    monkeypatch.setattr(retrieval, "DISTANCES_AT_ONCE", at_once)
    points, labels = uneven
    points, labels = np.r_[points, points[:1] + 1] + np.float32(offset), np.r_[labels, 99]  # one alone: left out
    averages = []
    for i in range(len(points)):
        others = [j for j in range(len(points)) if j != i]
        others.sort(key=lambda j: np.linalg.norm(points[i].astype(float) - points[j]))
        same = [labels[j] == labels[i] for j in others]
        if r := sum(same):
            averages.append(sum(sum(same[: k + 1]) / (k + 1) for k in range(r) if same[k]) / r)
    assert len(averages) == len(points) - 1
    assert retrieval.map_at_r(points, labels) == pytest.approx(np.mean(averages), abs=1e-12)


def test_map_at_r_can_be_ended(uneven, monkeypatch):
    """Between two parts; nothing is computed after that."""

    class Ended(Exception):
        pass

    def end(fraction: float) -> None:
        told.append(fraction)
        if fraction > 0:
            raise Ended

    told: list[float] = []
    points, labels = uneven
    monkeypatch.setattr(retrieval, "DISTANCES_AT_ONCE", len(points))
    with pytest.raises(Ended):
        retrieval.map_at_r(points, labels, progress=end)
    assert told[0] == 0 and 0 < told[-1] < 1 and len(told) == 2


def test_map_at_r_by_hand():
    points, labels = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([0, 1, 0, 0])
    # neighbours of rows 0, 2, 3 by class: 1 0; 1 0; 0 1 (row 1 is alone)
    assert retrieval.map_at_r(points, labels) == pytest.approx((1 / 4 + 1 / 4 + 1 / 2) / 3)
    with pytest.raises(ValueError, match="at least 2 rows"):
        retrieval.map_at_r(points, np.arange(4))
    with pytest.raises(ValueError, match="not finite"):
        retrieval.map_at_r(points * np.nan, labels)


def test_map_at_r_of_coinciding_points_is_not_luck():
    labels = np.repeat(np.arange(5), 40)
    by_chance = sum((1 + (i - 1) * 38 / 198) / i for i in range(1, 40)) / 199  # 39 of 199 are right, R is 39
    assert retrieval.map_at_r(np.full((200, 3), 0.1, np.float32), labels) == pytest.approx(by_chance, rel=1e-12)
    assert (
        retrieval.map_at_r(labels[:, None] * np.ones(3), labels) == 1
    )  # all of a class at one place: not itself first
    assert retrieval.map_at_r(np.zeros((40, 3)), labels[:40]) == 1


@pytest.mark.parametrize("at_once", [1, 2**22])
@pytest.mark.parametrize("seed", range(4))
def test_map_at_r_of_ties_is_the_mean_over_all_orders(monkeypatch, seed, at_once):
    """Rows that coincide, and others at one distance on either side, of a grid that floats do not hit."""
    monkeypatch.setattr(retrieval, "DISTANCES_AT_ONCE", at_once)
    rng = np.random.default_rng(seed)
    places, labels = rng.integers(0, 4, 7), rng.permutation([0, 0, 0, 0, 1, 1, 1])
    averages = []
    for i in range(7):
        rest, r = [j for j in range(7) if j != i], (labels == labels[i]).sum() - 1
        for order in itertools.permutations(rest):
            same = [labels[j] == labels[i] for j in sorted(order, key=lambda j: abs(places[i] - places[j]))]
            averages.append(sum(sum(same[: k + 1]) / (k + 1) for k in range(r) if same[k]) / r)
    points = places[:, None] * [0.1, 0.7]
    assert retrieval.map_at_r(points, labels) == pytest.approx(np.mean(averages), rel=1e-12)
    assert retrieval.map_at_r(points[::-1] + 3, labels[::-1]) == pytest.approx(np.mean(averages), rel=1e-12)


def test_map_at_r_never_holds_all_distances(monkeypatch):
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        elements = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                self.elements = max(self.elements, result.numel())
            return result

    points, labels = blobs(8_000, 16, classes=4)  # R about 2,000
    monkeypatch.setattr(retrieval, "DISTANCES_AT_ONCE", 2**20)
    with Largest() as largest:
        retrieval.map_at_r(points[:100], labels[:100])  # imports
        tracemalloc.start()  # sees numpy's copies
        try:
            retrieval.map_at_r(points, labels)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert 2**19 < largest.elements <= 2**20 < len(points) ** 2 / 60
    assert peak < 3 * 8 * 2**20
