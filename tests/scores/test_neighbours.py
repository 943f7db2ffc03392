"""Neighbours and their votes: those of scikit-learn and of all distances, whatever coincides."""

import time

import numpy as np
import pytest

from semidml.scores import agreement, classifiers, neighbours, retrieval
from tests.scores.clouds import blobs, halves


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
