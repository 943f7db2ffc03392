"""Two labellings agree as scikit-learn and a pairing by hand say."""

import itertools

import numpy as np
import pytest

from semidml.scores import agreement


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


def test_confusion_counts_true_by_predicted():
    matrix = agreement.count_pairs(np.array([0, 0, 1, 2], np.int16), np.array([0, 1, 1, 0], np.int16), 3, 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_confusion_of_many_classes_does_not_overflow():
    assert agreement.count_pairs(np.array([299], np.int16), np.array([299], np.int16), 300, 300)[299, 299] == 1


def test_the_ceiling_is_the_share_of_classes_with_a_seen_label():
    assert agreement.seen_class_ceiling(np.array([0, 2, 2]), np.array([0, 1, 2, 1])) == 0.5
