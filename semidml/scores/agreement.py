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
    from scipy.optimize import linear_sum_assignment

    (_, row), (names, column) = (
        np.unique(labels, return_inverse=True) for labels in (checks.require_rows(true), clusters)
    )
    counts = table(row, column, len(names))
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(true))


def confusion(true: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How many rows of each true class (first axis) got each prediction (second axis): (M,), (M,) -> (K, K) int64."""
    return np.bincount(np.asarray(true, np.int64) * classes + predicted, minlength=classes**2).reshape(classes, classes)


def seen_class_ceiling(seen_labels: np.ndarray, test_labels: np.ndarray) -> float:
    """Share of the test rows whose class has a seen label: the most that a classifier fitted on the seen labels can
    reach."""
    return float(np.isin(test_labels, seen_labels).mean())


def table(true: np.ndarray, cluster: np.ndarray, clusters: int) -> np.ndarray:
    """How many rows each class has in each cluster, both numbered from 0: (M,), (M,) -> int64 (classes, clusters)."""
    cells = true * clusters + cluster
    return np.bincount(cells, minlength=(int(true.max()) + 1) * clusters).reshape(-1, clusters)
