"""Scores: equal to scikit-learn's and to double loops, blind to hidden labels, honest when they cannot be had."""

import itertools
import json
import time
import tracemalloc

import numpy as np
import pytest

from semidml import planes
from semidml.scores import agreement, checks, classifiers, collapse, neighbours, protocol, retrieval
from semidml.scores.clusters import (
    _agreement,
    _expected_information,
    _for_clusters,
    kmeans,
    kmeans_quick,
    kmeans_scores,
    kmeans_starts,
)
from semidml.scores.table import RAW, RECALL_AT, SCORES


def blobs(n=600, dims=2, classes=5, apart=4.0, seed=0):
    """One Gaussian a class, its centre drawn anew."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return (rng.normal(size=(classes, dims)) * apart)[labels] + rng.normal(size=(n, dims)), labels


def halves(**how):
    """The arguments of `scores`: train, labels, 40 seen rows, test, labels, classes."""
    points, labels = blobs(**how)
    n = len(points) * 2 // 3
    return points[:n], labels[:n], np.arange(0, n, n // 40)[:40], points[n:], labels[n:], how.get("classes", 5)


# --- neighbours and votes


@pytest.mark.parametrize("dims", [1, 2, 6, 8, 16])
@pytest.mark.parametrize("k", [1, 5])
def test_knn_classifies_as_scikit_learn_does(dims, k):
    from sklearn.neighbors import KNeighborsClassifier

    train, labels, _, test, _, classes = halves(dims=dims, apart=1.0)
    theirs = KNeighborsClassifier(k).fit(train, labels).predict(test)
    assert np.array_equal(classifiers.knn_classify(train, labels, test, classes, k), theirs)


@pytest.mark.parametrize("search", [neighbours._by_tree, lambda *a: neighbours._by_search(*a, "cpu")])
@pytest.mark.parametrize("offset", [0.0, 1_000.0])
def test_neighbours_are_those_of_all_distances(search, offset):
    rng = np.random.default_rng(0)
    gallery, queries = (rng.normal(size=(n, 7)).astype(np.float32) + np.float32(offset) for n in (700, 90))
    all_distances = np.linalg.norm(gallery[None].astype(float) - queries[:, None], axis=2)
    rows, distances = search(gallery, queries, 9)
    assert np.array_equal(rows, np.argsort(all_distances, axis=1)[:, :9])
    assert np.allclose(distances, np.sort(all_distances, axis=1)[:, :9], rtol=1e-4)


def test_a_tie_goes_to_the_smallest_label():
    assert classifiers.vote(np.array([[2, 1, 1, 2], [3, 0, 3, 1], [4, 4, 4, 0]]), 5).tolist() == [1, 3, 4]


def test_with_fewer_points_than_neighbours_all_are_asked():
    rows, _ = neighbours.knn(np.array([[0.0], [5.0]]), np.array([[4.0]]), 5)
    assert rows.tolist() == [[1, 0]]
    rows, _ = neighbours._by_search(np.array([[0.0], [5.0]]), np.array([[4.0]]), 2, "cpu")
    assert rows.tolist() == [[1, 0]]


def test_neighbours_of_a_place_come_nearest_first():
    rows, distances = neighbours.knn(np.array([[0.0, 0], [3, 4], [1, 0]]), np.zeros((1, 2)), 3)
    assert rows.tolist() == [[0, 2, 1]] and distances.tolist() == [[0, 1, 5]]


def test_many_points_at_one_place_cost_no_more_than_others():
    gallery = np.zeros((60_000, 2), np.float32)
    gallery[::3] = 1  # two piles
    start = time.process_time()
    rows, distances = neighbours.knn(gallery, gallery[:10_000], 5)
    assert time.process_time() - start < 5  # a plain tree takes some 4 s a thousand; this one 0.1 in all
    assert not distances.any()
    assert np.array_equal(gallery[rows[:, 4]], gallery[:10_000])
    assert (np.sort(rows, axis=1)[:, 1:] > np.sort(rows, axis=1)[:, :-1]).all()  # no row twice


@pytest.mark.parametrize("dims", [2, 9, 16])  # by a tree, by a tree where it is small, by search
def test_rows_that_coincide_change_no_distance_and_come_as_often_as_others(dims):
    rng = np.random.default_rng(0)
    gallery = rng.integers(0, 2, (900, 2)).astype(np.float32) @ rng.normal(size=(2, dims)).astype(np.float32)
    queries = rng.normal(size=(4_000, dims))
    all_distances = np.sort(np.linalg.norm(gallery[:, None].astype(float) - queries[None, :50], axis=2), axis=0)
    rows, distances = neighbours.knn(gallery, queries, 7)
    assert np.allclose(distances[:50], all_distances[:7].T, rtol=1e-5)
    assert np.allclose(np.linalg.norm(gallery[rows] - queries[:, None], axis=2), distances, rtol=1e-5)
    assert (np.diff(np.sort(rows, axis=1), axis=1) > 0).all(), "no row twice"
    _, of = neighbours.coincident(gallery)
    for pile in range(4):  # of some 225 rows
        its = np.bincount(rows[of[rows[:, 0]] == pile].ravel(), minlength=900)[of == pile]
        assert its.mean() < 20 or (its.min() > 0 and its.std() < 4 * its.mean() ** 0.5)
    assert np.array_equal(rows, neighbours.knn(gallery, queries, 7)[0])


def test_no_rows_coincide_where_none_does_and_zero_has_no_sign():
    rng = np.random.default_rng(0)
    apart = np.c_[np.ones(100), rng.permutation(100)].astype(np.float32)
    assert neighbours.coincident(apart) is None and neighbours.coincident(rng.normal(size=(100, 3))) is None
    places, of = neighbours.coincident(np.array([[0.0, 1], [2, 3], [-0.0, 1]]))
    assert len(places) == 2 and of[0] == of[2] != of[1] and np.array_equal(places[of[1]], [2, 3])


@pytest.mark.parametrize("dims", [2, 16])
@pytest.mark.parametrize("rows", [60, 5_000])
def test_a_collapsed_space_is_read_by_chance_whatever_the_order_of_its_rows(dims, rows):
    """Sorted by class the first rows of a pile are all of one class."""
    from scipy.stats import hypergeom

    labels = np.sort(np.random.default_rng(0).permutation(rows) % 10 < 3).astype(int)  # three tenths are of class 1
    ones = int(labels.sum())
    voted = hypergeom(rows, ones, 5).sf(2)  # of 5 rows at least 3
    test, truth = np.zeros((4_000, dims), np.float32), np.arange(4_000) % 2
    for order in (np.arange(rows), np.random.default_rng(1).permutation(rows)):
        for k, share in ((5, voted), (1, ones / rows)):
            predicted = classifiers.knn_classify(np.zeros((rows, dims), np.float32), labels[order], test, 2, k)
            assert (predicted == 1).mean() == pytest.approx(share, abs=0.04)
            assert abs(agreement.ami(truth, predicted)) < 0.01


# --- recall


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


@pytest.mark.parametrize("dims", [2, 12])
def test_a_point_is_not_its_own_neighbour_even_where_many_coincide(dims):
    points, labels = np.zeros((500, dims)), np.arange(500)  # no two of a class
    assert retrieval.recall_at(points, labels) == (0, 0, 0, 0)


@pytest.mark.parametrize("dims", [2, 32])
def test_the_nearest_others_of_some_rows_are_those_among_all(dims):
    points = blobs(n=300, dims=dims)[0]
    some = np.array([7, 0, 299, 7])
    everyone = neighbours.others(points, 3)
    assert np.array_equal(neighbours.others(points, 3, of=some), everyone[some])
    far = np.linalg.norm(points[some][:, None] - points, axis=2)
    far[np.arange(4), some] = np.inf
    assert np.array_equal(everyone[some], far.argsort(1)[:, :3])
    assert neighbours.others(points, 3, of=some[:0]).shape == (0, 3)
    assert neighbours.others(points[:1], 3, of=some[:0]).shape == (0, 0)
    same = neighbours.others(np.ones((5, dims)), 1, of=np.array([4, 2]))
    assert same.shape == (2, 1) and (same[:, 0] != [4, 2]).all(), "rows at one place are one another's, not their own"


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


# --- agreement and clusters


def test_ami_is_zero_for_shuffled_labels_and_one_for_renamed_ones():
    labels = np.random.default_rng(0).integers(0, 10, 5_000)
    shuffled = np.random.default_rng(1).permutation(labels)
    assert abs(agreement.ami(labels, shuffled)) < 0.01 < agreement.nmi(labels, np.arange(5_000) % 500)
    assert agreement.ami(labels, 9 - labels) == pytest.approx(1) == agreement.nmi(labels, 9 - labels)


def test_the_best_pairing_of_clusters_and_classes_is_found():
    rng = np.random.default_rng(0)
    for clusters in (2, 4, 6):  # fewer than classes, as many, more
        true, found = rng.integers(0, 4, 60) * 10, rng.integers(0, clusters, 60)
        names = [*np.unique(true), *[-1] * (clusters - 4)]  # -1: paired with no class
        pairings = itertools.permutations(names, clusters)
        expected = max((true == np.array(pairing)[found]).mean() for pairing in pairings)
        assert agreement.clustering_accuracy(true, found) == pytest.approx(expected)
    assert agreement.clustering_accuracy(true, 7 - true) == 1
    assert agreement.clustering_accuracy(np.array([0, 0, 0, 1]), np.zeros(4, int)) == 0.75


def test_kmeans_finds_clusters_that_are_apart():
    points, labels = blobs(apart=50)
    assert kmeans_scores(points, labels, 5)[:3] == pytest.approx((1, 1, 1))
    assert agreement.ami(labels, kmeans_quick(points, 5, starts=10)) == pytest.approx(1)


def test_kmeans_is_scikit_learns_of_the_same_seed_and_the_same_again():
    from sklearn.cluster import KMeans
    from sklearn.metrics import normalized_mutual_info_score

    points, labels = blobs(apart=1.5)
    scaled = (points - points.mean(0)) / np.sqrt(np.square(points - points.mean(0)).mean())
    theirs = KMeans(5, n_init=20, random_state=3).fit_predict(scaled)
    assert kmeans_scores(points, labels, 5, seed=3)[1] == normalized_mutual_info_score(labels, theirs)
    assert kmeans_scores(points, labels, 5, seed=3) == kmeans_scores(points, labels, 5, seed=3)


def test_kmeans_does_not_mind_place_and_scale():
    points, _ = blobs(apart=8)
    moved = kmeans(points * 1e-6 + 3, 5)
    assert agreement.ami(moved, kmeans(points, 5)) == pytest.approx(1)


@pytest.mark.parametrize(("rows", "dims", "classes"), [(300, 2, 5), (700, 8, 12)])
def test_the_starts_of_kmeans_are_those_of_scikit_learn(rows, dims, classes):
    """To the bit, though they are made one by one."""
    from sklearn.cluster import KMeans

    points, _ = blobs(rows, dims, classes=classes, apart=1.5)
    scaled = _for_clusters(points, classes)
    for seed in range(3):
        for starts in (1, 7, 20):
            theirs = KMeans(classes, n_init=starts, random_state=seed).fit(scaled)
            ours = kmeans_starts(points, classes, starts, seed)
            assert np.array_equal(ours.clusters[ours.best], theirs.labels_)
            assert ours.inertias[ours.best] == theirs.inertia_ and len(ours.inertias) == starts


@pytest.mark.parametrize("apart", [0.8, 1.5])
def test_the_scatter_of_kmeans_is_that_of_real_restarts(apart):
    points, labels = blobs(800, 4, classes=12, apart=apart)
    restarts = [kmeans_scores(points, labels, 12, seed=seed) for seed in range(24)]
    real = np.std([found[:3] for found in restarts], axis=0, ddof=1)
    told = np.sqrt(np.mean(np.square([found[3:] for found in restarts]), axis=0))
    assert (real > 0.002).all() and (told > 0.6 * real).all() and (told < 1.7 * real).all(), (real, told)


def test_the_scatter_of_kmeans_is_none_where_all_starts_agree_and_its_bootstrap_is_exact():
    points, labels = blobs(apart=50, classes=3)
    assert kmeans_scores(points, labels, 3) == pytest.approx((1, 1, 1, 0, 0, 0))
    rng, drawn = np.random.default_rng(0), np.random.default_rng(1).permutation(20)  # ranks of 20 starts
    best = np.bincount(drawn[rng.integers(0, 20, (200_000, 20))].min(1), minlength=20) / 200_000
    j = np.arange(1, 21)
    assert np.allclose(best, ((21 - j) / 20) ** 20 - ((20 - j) / 20) ** 20, atol=0.004)


def test_agreement_by_a_table_is_scikit_learns():
    rng = np.random.default_rng(0)
    true, found = rng.integers(0, 5, 400), rng.integers(0, 7, 400)
    found = np.where(rng.random(400) < 0.5, true, found)
    table = agreement.table(true, found, 7)
    ami, nmi, accuracy = _agreement(table, _expected_information(table))
    assert ami == pytest.approx(agreement.ami(true, found)) and nmi == pytest.approx(agreement.nmi(true, found))
    assert accuracy == agreement.clustering_accuracy(true, found)


@pytest.mark.parametrize("cluster", [kmeans, kmeans_quick])
def test_clusters_of_points_that_coincide_are_refused_in_words(cluster):
    with pytest.raises(ValueError, match="as many distinct points, got 1"):
        cluster(np.ones((100, 2)), 5)


def test_confusion_counts_true_by_predicted():
    matrix = agreement.confusion(np.array([0, 0, 1, 2], np.int16), np.array([0, 1, 1, 0], np.int16), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_confusion_of_many_classes_does_not_overflow():
    assert agreement.confusion(np.array([299], np.int16), np.array([299], np.int16), 300)[299, 299] == 1


def test_the_ceiling_is_the_share_of_classes_with_a_seen_label():
    assert agreement.seen_class_ceiling(np.array([0, 2, 2]), np.array([0, 1, 2, 1])) == 0.5


# --- shape


@pytest.mark.parametrize("dims", [1, 2, 7, 64])
def test_effective_rank_of_a_ball_is_its_dimension_and_of_a_line_one(dims):
    rng = np.random.default_rng(0)
    assert collapse.effective_rank(rng.normal(size=(20_000, dims))) == pytest.approx(dims, rel=0.01)
    line = rng.normal(size=(500, 1)) * rng.normal(size=(1, dims))
    assert collapse.effective_rank(line * 1e-20) == pytest.approx(1, abs=1e-4)


def test_effective_rank_is_that_of_the_singular_values():
    points = blobs(dims=4)[0]
    values = np.linalg.svd(points - points.mean(0), compute_uv=False)
    p = values / values.sum()
    assert collapse.effective_rank(points) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_distance_and_spread_are_those_of_a_normal_cloud():
    points = np.random.default_rng(0).normal(size=(5_000, 3)) * 2
    assert collapse.spread(points) == pytest.approx(2, rel=0.02)
    assert collapse.mean_pairwise_distance(points) == pytest.approx(
        2 * 4 / np.sqrt(np.pi), rel=0.02
    )  # E |x - y|, D = 3


def test_collapse_is_said_for_a_point_and_a_line_only():
    cloud = np.random.default_rng(0).normal(size=(500, 2))
    assert collapse.collapse(cloud) is None
    assert collapse.collapse(cloud[:, :1]) is None
    assert "nearly coincide" in collapse.collapse(cloud * 0.01)
    assert "nearly coincide" in collapse.collapse(np.ones((50, 2)))
    assert collapse.collapse(cloud * 0.01, scale=0.01) is None
    assert "on a line" in collapse.collapse(cloud * [1, 0.005])
    assert "not finite" in collapse.collapse(cloud * np.nan)


# --- all of them


@pytest.mark.parametrize("dims", [1, 2, 12])
def test_scores_are_whole_and_fit_into_json(dims):
    result = protocol.score_latents(*halves(dims=dims), seed=1)
    assert "failed" not in result and "notes" not in result
    assert set(result) == set(SCORES) - {
        *(k for k in SCORES if k.startswith(("random_forest", "mlp", "pixel", "component", "cluster"))),
        *("reconstruction_mse", "chance", "seconds", "classes_alone", "kl_nats", "elbo_nats"),
        *("marginal_entropy", "conditional_entropy"),
        *(k for k in SCORES if k.endswith(RAW)),
    }
    assert all(type(value) in (float, bool) for value in result.values())
    json.dumps(result, allow_nan=False)
    assert result == protocol.score_latents(*halves(dims=dims), seed=1)


def test_scores_are_those_of_the_parts():
    train, labels, seen, test, test_labels, classes = halves(apart=1.5)
    result = protocol.score_latents(train, labels, seen, test, test_labels, classes)
    few = classifiers.knn_classify(train[seen], labels[seen], test, classes, 1)
    assert result["knn1_accuracy_labelled"] == (few == test_labels).mean()
    assert result["knn1_ami_labelled"] == agreement.ami(test_labels, few)
    assert 0.3 < result["knn_accuracy_labelled"] < 0.99
    assert result["recall_at_1"] < result["recall_at_2"] < result["recall_at_4"] < result["recall_at_8"]


@pytest.mark.parametrize("full", [False, True])
def test_labels_that_are_not_seen_change_no_score_on_seen_labels(full):
    train, labels, seen, test, test_labels, classes = halves(n=300)
    hidden = np.setdiff1d(np.arange(len(labels)), seen)
    other = labels.copy()
    other[hidden] = np.random.default_rng(5).permutation(labels[hidden])
    ours, theirs = (
        protocol.score_latents(train, y, seen, test, test_labels, classes, full=full) for y in (labels, other)
    )
    blind = [
        k
        for k in ours
        if k.endswith("_labelled") or k == "seen_class_ceiling" or k.startswith(("kmeans", "recall", "map"))
    ]
    assert len(blind) == (20 if full else 16) and {k: ours[k] for k in blind} == {k: theirs[k] for k in blind}
    assert ours["knn_accuracy"] != theirs["knn_accuracy"]


def test_full_scores_learn_what_is_easy():
    result = protocol.score_latents(*halves(n=2_400, apart=10), full=True)
    for name in ("random_forest", "mlp"):
        assert result[f"{name}_accuracy"] > 0.98 and result[f"{name}_ami"] > 0.95
        assert result[f"{name}_accuracy_labelled"] > 0.9


def test_a_fit_that_does_not_settle_is_used_and_noted(monkeypatch):
    from sklearn.neural_network import MLPClassifier

    start = MLPClassifier.__init__
    monkeypatch.setattr(MLPClassifier, "__init__", lambda self, **how: start(self, **how | {"max_iter": 3}))
    said = []
    train, labels, _, test, _, classes = halves(n=300, apart=0.5)
    predicted = classifiers.mlp_classify(train, labels, test, classes, remark=said.append)
    assert len(predicted) == len(test) and said == ["the MLP had not settled after 3 passes"]


def test_one_seen_label_is_enough_for_every_classifier():
    train, labels, _, test, test_labels, classes = halves(n=300)
    result = protocol.score_latents(train, labels, np.array([7]), test, test_labels, classes, full=True)
    share = (test_labels == labels[7]).mean()
    for name in ("knn", "knn1", "random_forest", "mlp"):
        assert result[f"{name}_accuracy_labelled"] == share == result["seen_class_ceiling"]
        assert result[f"{name}_ami_labelled"] == 0


def test_no_seen_label_fails_in_words_and_leaves_the_rest():
    train, labels, _, test, test_labels, classes = halves()
    result = protocol.score_latents(train, labels, np.array([], np.int64), test, test_labels, classes)
    assert result["knn_accuracy_labelled"] is None and result["knn1_ami_labelled"] is None
    assert "at least one seen label" in result["failed"]["knn_accuracy_labelled"]
    assert result["knn_accuracy"] > 0.5 and result["seen_class_ceiling"] == 0


def test_latents_that_are_not_finite_fail_in_words():
    train, labels, seen, test, test_labels, classes = halves()
    test[3] = np.nan
    result = protocol.score_latents(train, labels, seen, test, test_labels, classes, full=True)
    assert all(result[k] is None for k in result if k not in ("failed", "seen_class_ceiling"))
    assert set(result["failed"].values()) == {"1 of 200 rows hold numbers that are not finite"}
    json.dumps(result, allow_nan=False)
    live = protocol.live_scores(train, labels, seen, test, test_labels, classes)
    assert set(live.values()) == {None}


def test_a_collapsed_space_is_said_so():
    train, labels, seen, test, test_labels, classes = halves()
    result = protocol.score_latents(train * 0, labels, seen, test * 0, test_labels, classes)
    assert result["collapsed"] is True and result["spread"] == 0 == result["mean_pairwise_distance"]
    assert set(result["failed"]) == {"kmeans_ami", "kmeans_nmi", "kmeans_accuracy", "effective_rank"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test": np.zeros((200, 3))}, "latents must be"),
        ({"train_labels": np.zeros(3, int)}, "as many labels"),
        ({"classes": 3}, "between 0 and 2"),
        ({"seen": np.array([400])}, "between 0 and 399"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, words):
    names = ("train", "train_labels", "seen", "test", "test_labels", "classes")
    with pytest.raises(ValueError, match=words):
        protocol.score_latents(**dict(zip(names, halves(), strict=True)) | change)


def test_progress_goes_from_nothing_to_all():
    told = []
    protocol.score_latents(*halves(), progress=lambda fraction, text: told.append((fraction, text)))
    fractions = [fraction for fraction, _ in told]
    assert fractions[0] == 0 and fractions[-1] == 1 and fractions == sorted(fractions) and all(text for _, text in told)


def test_live_scores_are_the_scores_of_small_sets():
    arrays = halves()
    live, final = protocol.live_scores(*arrays), protocol.score_latents(*arrays)
    assert set(live) == {"knn_accuracy", "knn_ami", "knn_accuracy_labelled", "kmeans_ami", "mean_pairwise_distance",
                         "spread", "effective_rank"}  # fmt: skip
    for name in set(live) - {"kmeans_ami"}:  # of fewer starts
        assert live[name] == pytest.approx(final[name]), name


def apart():
    """The arguments of `scores` when classes 0 to 4 are trained on and 5 to 7 are tested on."""
    points, labels = blobs(n=800, classes=8, dims=3)
    trained = labels < 5
    train, test = np.flatnonzero(trained), np.flatnonzero(~trained)
    return points[train], labels[train], np.arange(40), points[test], labels[test], 8


def test_scores_of_classes_that_were_not_trained_on_are_those_that_need_no_training_class():
    train, labels, seen, test, test_labels, classes = apart()
    result = protocol.score_latents(*apart(), full=True)
    assert set(result) == {
        *("kmeans_ami", "kmeans_nmi", "kmeans_accuracy", "kmeans_ami_sd", "kmeans_nmi_sd", "kmeans_accuracy_sd"),
        *("map_at_r", *(f"recall_at_{k}" for k in RECALL_AT)),
        *("mean_pairwise_distance", "spread", "effective_rank", "collapsed"),
    }
    expected = kmeans_scores(test, test_labels, 3)[:3]  # as many clusters as classes are tested, not 8
    assert (result["kmeans_ami"], result["kmeans_nmi"], result["kmeans_accuracy"]) == expected
    live = protocol.live_scores(*apart())
    assert set(live) == {"kmeans_ami", "mean_pairwise_distance", "spread", "effective_rank"}
    assert live["kmeans_ami"] == agreement.ami(test_labels, kmeans_quick(test, 3))
    images = [rows.reshape(-1, 1, 1, 3) for rows in (train, test)]
    floors = protocol.floors(images[0], labels, seen, images[1], test_labels, classes)
    assert floors == {"pixel_recall_at_1": pytest.approx(result["recall_at_1"], abs=0.01)}


def test_live_retrieval_is_that_of_a_small_set():
    _, _, _, test, test_labels, _ = apart()
    live = protocol.live_retrieval(test, test_labels)
    recall = retrieval.recall_at(test, test_labels)
    assert live == {
        **{f"recall_at_{k}": value for k, value in zip(RECALL_AT, recall, strict=True)},
        "kmeans_nmi": agreement.nmi(test_labels, kmeans_quick(test, 3, 1)),
    }
    points, labels = blobs(30_000)
    assert protocol.live_retrieval(points, labels, 1) == protocol.live_retrieval(points, labels, 1)
    assert protocol.live_retrieval(points, labels, 1) != protocol.live_retrieval(points, labels, 2)
    assert set(protocol.live_retrieval(points * np.nan, labels).values()) == {None}
    collapsed = protocol.live_retrieval(points * 0, labels)
    assert collapsed["kmeans_nmi"] is None and collapsed["recall_at_1"] is not None


def test_live_scores_are_quick():
    arrays = halves(n=30_000, classes=10)
    protocol.live_scores(*arrays)  # imports
    spans = []
    for _ in range(5):
        start = time.perf_counter()
        protocol.live_scores(*arrays)
        spans.append(time.perf_counter() - start)
    assert min(spans) < 0.25  # 0.02 to 0.035 on two busy cores


# --- pictures, floors, projections


def test_reconstruction_error_is_the_mean_square_in_units_of_the_range():
    images = np.zeros((3, 1, 2, 2), np.uint8)
    assert checks.reconstruction_mse(images, np.full((3, 1, 2, 2), 0.5)) == 0.25
    assert checks.reconstruction_mse(images, images + 255) == 1
    with pytest.raises(ValueError, match="same shape"):
        checks.reconstruction_mse(images, images[:2])


def test_scores_reconstruct_in_parts_what_was_embedded():
    train, labels, seen, _, _, classes = halves(n=2_000)
    images = np.random.default_rng(0).random((len(train), 1, 1, 2)).astype(np.float32)
    sizes = []

    def reconstruct(latents):
        sizes.append(len(latents))
        return latents.reshape(-1, 1, 1, 2)

    test = images.reshape(-1, 2) + np.float32(0.1)
    result = protocol.score_latents(
        train, labels, seen, test, labels, classes, test_images=images, reconstruct=reconstruct
    )
    assert result["reconstruction_mse"] == pytest.approx(0.01, rel=1e-4)
    assert sum(sizes) == len(images) and max(sizes) <= 1_000


def test_floors_are_chance_and_pixels():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 60 + [1] * 40)
    images = (labels[:, None] * 200 + rng.integers(0, 50, (100, 16))).astype(np.uint8).reshape(-1, 1, 4, 4)
    found = protocol.floors(images, labels, np.array([0, 1, 2, 70, 71, 72]), images, labels, 2)
    assert found == {
        "chance": 0.6,
        "pixel_knn_accuracy": 1.0,
        "pixel_knn_accuracy_labelled": 1.0,
        "pixel_recall_at_1": 1.0,
    }
    assert set(found) <= set(SCORES)


def test_floors_of_one_test_row_have_no_recall():
    images = np.array([0, 190, 200, 210, 205], np.uint8).reshape(-1, 1, 1, 1)
    found = protocol.floors(images[:4], np.array([0, 1, 1, 1]), np.array([0, 2, 3]), images[4:], np.array([1]), 2)
    assert found == {"chance": 1.0, "pixel_knn_accuracy": 1.0, "pixel_knn_accuracy_labelled": 1.0}
    assert protocol.floors(images[:2], np.array([0, 0]), np.array([0]), images[4:], np.array([1]), 2) == {}


def test_pca_is_scikit_learns_up_to_sign():
    from sklearn.decomposition import PCA

    points = blobs(dims=5)[0].astype(np.float32)
    ours, theirs = planes.project(points, "pca"), PCA(2).fit_transform(points)
    assert np.allclose(np.abs(ours), np.abs(theirs), atol=1e-3)


def test_tsne_keeps_clusters_together():
    """As UMAP does, which tests/test_jobs.py asks the worker for: it is compiled once a process, for ten seconds."""
    points, labels = blobs(120, dims=6, classes=3, apart=10)
    told = []
    flat = planes.project(points, "tsne", seed=1, progress=lambda fraction, text: told.append(fraction))
    assert flat.shape == (120, 2) and flat.dtype == np.float32
    assert (classifiers.knn_classify(flat, labels, flat, 3) == labels).mean() > 0.95
    assert told[0] == 0 and told[-1] == 1


def test_projections_say_what_they_need():
    with pytest.raises(ValueError, match="at least 5 rows"):
        planes.project(np.zeros((4, 3)), "pca")
    with pytest.raises(ValueError, match="pca, umap, tsne"):
        planes.project(np.zeros((9, 3)), "sne")


CLOUD = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("latents", "words"),
    [
        (np.full((40, 3), 0.7, np.float32), "all 40 rows are equal, as far as float32 can tell"),
        (np.where(np.arange(15).reshape(5, 3) % 2, 0.0, -0.0), "all 5 rows are equal"),
        ((0.7 + 1e-30 * CLOUD).astype(np.float32), "all 40 rows are equal"),
        (0.7 + 1e-12 * CLOUD.astype(np.float64), "all 40 rows are equal"),
        (np.float32(1000) + np.float32(2**-14) * (CLOUD > 0), "all 40 rows are equal"),  # one step of float32
        (1e-200 * CLOUD.astype(np.float64), "all 40 rows are equal"),
        (CLOUD[:4], "at least 5 rows, got 4"),
        (np.where(CLOUD > 2, np.nan, CLOUD), "1 of 40 rows hold numbers that are not finite"),
        (np.where(CLOUD > 2, np.inf, CLOUD), "1 of 40 rows hold numbers that are not finite"),
        (1e300 * CLOUD.astype(np.float64), "float32 does not hold them"),
        (np.zeros((9, 0), np.float32), "all 9 rows are equal"),
    ],
)
@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_what_cannot_be_laid_out_is_told_before_a_library_is_asked(latents, words, method):
    with pytest.raises(ValueError, match=words):
        planes.to_project(latents, method)


def test_latents_of_an_ordinary_size_are_projected_as_they_are():
    for latents in (CLOUD, 1000 * CLOUD, CLOUD / 1000, CLOUD + 50, np.where(CLOUD > 1, CLOUD, 0)):
        assert (planes.to_project(latents, "tsne") == latents.astype(np.float32)).all()
    assert (planes.to_project(CLOUD[:, :1], "umap") == np.pad(CLOUD[:, :1], ((0, 0), (0, 1)))).all()


@pytest.mark.parametrize(("size", "where"), [(1e-30, 0), (1e-44, 0), (1e-8, 0), (1e30, 0), (3e37, 0), (1, 1e5)])
def test_an_honest_spread_of_any_size_is_brought_to_one_that_the_libraries_can_square(size, where):
    latents = (where + size * CLOUD.astype(np.float64)).astype(np.float32)
    points = planes.to_project(latents, "tsne")
    assert points.dtype == np.float32 and 0.5 < np.abs(points).max() <= 1
    exact = latents.astype(np.float64)
    distances = np.linalg.norm(exact[1:] - exact[0], axis=1) / np.linalg.norm(points[1:] - points[0], axis=1)
    assert np.log2(distances) == pytest.approx(round(np.log2(distances[0])), abs=1e-5), (
        "but for a power of two the same"
    )


@pytest.mark.parametrize("latents", [np.zeros((9, 3)), np.full((9, 3), 1e-42), 1e30 * CLOUD, np.eye(9, 2) * 3e38])
def test_principal_components_are_finite_wherever_the_latents_are(latents):
    latents = latents.astype(np.float32)
    places = planes.project(latents, "pca")
    assert places.dtype == np.float32 and np.isfinite(places).all()
    assert np.ptp(places.astype(np.float64), axis=0).max() <= 4 * np.ptp(latents.astype(np.float64), axis=0).max()


def test_places_that_float32_does_not_hold_are_said():
    with pytest.raises(ValueError, match="found no finite place for 2 of 9 rows: choose another one"):
        planes.project(np.diag([3.3e38, 0, 0, 0, 0, 0, 0, 0, -3.3e38]) @ np.ones((9, 9)), "pca")
    with pytest.raises(ValueError, match="no finite place for 1 of 2 rows"):
        planes.finite_places(np.array([[0, np.nan], [1, 2]]))


def test_every_title_says_its_rows_or_its_unit():
    for name, score in SCORES.items():
        assert score.title and len(score.title) < 40 and score.summary.endswith("."), name
