"""How far two labellings agree: accuracy, AMI, NMI, clustering accuracy."""

import numpy as np

from semidml.scores import checks


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


def clustering_accuracy(true: np.ndarray, clusters: np.ndarray) -> float:
    """Share of rows that are right under the best pairing of clusters and classes: (M,), (M,) -> 0 to 1.

        max over m of 1/M sum_i 1[true_i = m(clusters_i)], m one to one

    Xie, Girshick and Farhadi 2016, arXiv 1511.06335, equation 10; m by the Hungarian method (scipy's). With more
    clusters than classes, or fewer, those left over pair with nothing and their rows are wrong. Any labels will do."""
    (classes, row), (names, column) = (
        np.unique(labels, return_inverse=True) for labels in (checks.require_rows(true), clusters)
    )
    return matched_share(count_pairs(row, column, len(classes), len(names)))


def matched_share(pairs: np.ndarray) -> float:
    """`clustering_accuracy` of how many rows each class has in each cluster."""
    from scipy.optimize import linear_sum_assignment

    return float(pairs[linear_sum_assignment(pairs, maximize=True)].sum() / pairs.sum())


def count_pairs(true: np.ndarray, other: np.ndarray, classes: int, others: int) -> np.ndarray:
    """How many rows of each class (first axis) got each prediction, or lie in each cluster (second axis), all numbered
    from 0: (M,), (M,) -> (classes, others) int64."""
    return np.bincount(true.astype(np.int64) * others + other, minlength=classes * others).reshape(classes, others)


def seen_class_ceiling(seen_labels: np.ndarray, test_labels: np.ndarray) -> float:
    """Share of the test rows whose class has a seen label: the most that a classifier fitted on the seen labels can
    reach."""
    return float(np.isin(test_labels, seen_labels).mean())
