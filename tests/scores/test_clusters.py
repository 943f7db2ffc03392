"""k-means and its scatter over restarts are scikit-learn's."""

import numpy as np
import pytest

from semidml.scores import agreement
from semidml.scores.clusters import (
    _agreement,
    _for_clusters,
    kmeans,
    kmeans_scores,
    kmeans_starts,
)
from semidml.scores.threads import on_one_thread
from tests.scores.clouds import blobs


def test_kmeans_finds_clusters_that_are_apart():
    points, labels = blobs(apart=50)
    assert kmeans_scores(points, labels, 5)[:3] == pytest.approx((1, 1, 1))
    assert agreement.ami(labels, kmeans(points, 5, starts=10, rounds=15)) == pytest.approx(1)


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
            with on_one_thread():  # as ours: several add up in another order
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
    from scipy.sparse import csr_matrix
    from sklearn.metrics.cluster import expected_mutual_information

    rng = np.random.default_rng(0)
    true, found = rng.integers(0, 5, 400), rng.integers(0, 7, 400)
    found = np.where(rng.random(400) < 0.5, true, found)
    pairs = agreement.count_pairs(true, found, 5, 7)
    ami, nmi, accuracy = _agreement(pairs, expected_mutual_information(csr_matrix(pairs), 400))
    assert ami == pytest.approx(agreement.ami(true, found)) and nmi == pytest.approx(agreement.nmi(true, found))
    assert accuracy == agreement.clustering_accuracy(true, found)


def test_clusters_of_points_that_coincide_are_refused_in_words():
    with pytest.raises(ValueError, match="as many distinct points, got 1"):
        kmeans(np.ones((100, 2)), 5)
