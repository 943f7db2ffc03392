"""Two labellings agree as scikit-learn and a pairing by hand say."""

import itertools

import numpy as np
import pytest

from semidml.scores import agreement
from semidml.scores.clusters import kmeans_scores
from tests.scores.clouds import blobs


def test_ami_is_zero_for_shuffled_labels_and_one_for_renamed_ones():
    labels = np.random.default_rng(0).integers(0, 10, 5_000)
    shuffled = np.random.default_rng(1).permutation(labels)
    assert abs(agreement.ami(labels, shuffled)) < 0.01 < agreement.nmi(labels, np.arange(5_000) % 500)
    assert agreement.ami(labels, 9 - labels) == pytest.approx(1) == agreement.nmi(labels, 9 - labels)


def test_ami_and_nmi_are_scikit_learns_to_the_bit():
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    rng = np.random.default_rng(0)
    for rows in (1, 2, 3, 50, 1_000):
        for classes, clusters in ((1, 1), (1, 4), (3, 1), (2, 2), (10, 10), (7, 40), (rows, rows)):
            true, other = rng.integers(-1, classes - 1, rows), rng.integers(0, clusters, rows) * 3
            for pair in ((true, other), (true, true), (true, np.where(rng.random(rows) < 0.9, true, other))):
                assert agreement.ami(*pair) == adjusted_mutual_info_score(*pair)
                assert agreement.nmi(*pair) == normalized_mutual_info_score(*pair)
    assert agreement.ami(true[:0], true[:0]) == 1.0 == agreement.nmi(true[:0], true[:0])


def test_the_information_expected_of_the_same_sizes_is_computed_once(monkeypatch):
    from sklearn.metrics import cluster

    asked, compute = [], cluster.expected_mutual_information
    monkeypatch.setattr(cluster, "expected_mutual_information", lambda *of: asked.append(of) or compute(*of))
    labels, rng = np.arange(701) % 7, np.random.default_rng(0)  # sizes that no other test has
    for _ in range(20):
        agreement.ami(labels, rng.permutation(labels))
    assert len(asked) == 1
    kmeans_scores(*blobs(n=602, classes=6), 6)
    assert len(asked) == 2, "its AMI and the scatter of that"


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


def test_confusion_counts_true_by_predicted():
    matrix = agreement.count_pairs(np.array([0, 0, 1, 2], np.int16), np.array([0, 1, 1, 0], np.int16), 3, 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_confusion_of_many_classes_does_not_overflow():
    assert agreement.count_pairs(np.array([299], np.int16), np.array([299], np.int16), 300, 300)[299, 299] == 1


def test_the_ceiling_is_the_share_of_classes_with_a_seen_label():
    assert agreement.seen_class_ceiling(np.array([0, 2, 2]), np.array([0, 1, 2, 1])) == 0.5
