"""How far two labellings agree: accuracy, AMI, NMI, clustering accuracy."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semidml.scores import checks


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    """Share of rows whose prediction is right, (M,), (M,) -> 0 to 1."""
    return float((true == predicted).mean())


def ami(true: np.ndarray, predicted: np.ndarray) -> float:
    """Adjusted mutual information, (I - E[I]) / (mean of the entropies - E[I]): 0 at chance (it may be a little below),
    1 for the same partition. Vinh, Epps and Bailey 2010, JMLR 11; scikit-learn's, with the arithmetic mean, to the bit.

    Put together from its parts, as `nmi` is: of some hundred rows scikit-learn's checks take ten times as long as the
    sums, a run with a prior asks for 130 of these, and E[I] is often that of the labellings before."""
    table = _count_cells(true, predicted)
    if 1 in table.shape or 0 in table.shape:
        return float(table.shape[0] == table.shape[1])
    expected, mean = expected_information(table.sizes, table.others), _mean_entropy(table)
    return float(_off_zero(_mutual_information(table) - expected) / _off_zero(mean - expected))


class _Table(NamedTuple):
    """How many rows two labellings of the same rows have in common: one entry each pair of labels that occurs."""

    row: np.ndarray  # int64 (P,) number of the label in the one
    column: np.ndarray  # int64 (P,) ... in the other
    counts: np.ndarray  # int64 (P,) rows that have both
    sizes: np.ndarray  # int64 (R,) rows of each label of the one
    others: np.ndarray  # int64 (C,) ... of the other

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.sizes), len(self.others)


def _count_cells(true: np.ndarray, other: np.ndarray) -> _Table:
    """(M,), (M,) -> their table; any labels that can be sorted."""
    (names, row), (other_names, column) = (np.unique(labels, return_inverse=True) for labels in (true, other))
    cells, counts = np.unique(row * len(other_names) + column, return_counts=True)
    sizes, others = np.bincount(row, minlength=len(names)), np.bincount(column, minlength=len(other_names))
    return _Table(*np.divmod(cells, max(1, len(other_names))), counts, sizes, others)


def _mutual_information(table: _Table) -> float:
    """I of two labellings, in nats; what is closer to 0 than rounding counts as 0, as scikit-learn's."""
    total = table.counts.sum()
    shares = table.counts / total
    independent = -np.log(table.sizes[table.row] * table.others[table.column]) + math.log(total) + math.log(total)
    parts = shares * (np.log(table.counts) - math.log(total)) + shares * independent
    return max(0.0, float(np.where(np.abs(parts) < np.finfo(np.float64).eps, 0.0, parts).sum()))


def _mean_entropy(table: _Table) -> float:
    """Arithmetic mean of the entropies of two labellings, in nats."""
    return float(np.mean([_entropy(table.others), _entropy(table.sizes)]))


def expected_information(sizes: Sequence[int] | np.ndarray, others: Sequence[int] | np.ndarray) -> float:
    """E[I] of two labellings of the same rows at random, in nats, from how many rows have each label in the one (R,)
    and in the other (C,): AMI's, which scikit-learn computes. The last ones are kept."""
    return _expected_information(tuple(map(int, sizes)), tuple(map(int, others)))


@lru_cache(256)
def _expected_information(sizes: tuple[int, ...], others: tuple[int, ...]) -> float:
    from sklearn.metrics.cluster import expected_mutual_information

    table = np.zeros((len(sizes), len(others)), np.int64)  # any with these sums
    table[:, 0], table[0] = sizes, others
    table[0, 0] = sizes[0] + others[0] - sum(sizes)
    return float(expected_mutual_information(table, sum(sizes)))


def _entropy(sizes: np.ndarray) -> float:
    """Of a labelling, in nats, from how many rows have each label (K,), none of them 0."""
    return float(-np.sum(sizes / sizes.sum() * (np.log(sizes) - math.log(sizes.sum()))))


def _off_zero(value: float) -> float:
    """A value that is not closer to 0 than rounding, its sign kept: of a perfect match both differences are 0."""
    least = np.finfo(np.float64).eps
    return min(value, -least) if value < 0 else max(value, least)


def nmi(true: np.ndarray, predicted: np.ndarray) -> float:
    """Normalised mutual information, I / mean of the entropies, 0 to 1, not adjusted for chance; scikit-learn's, with
    the arithmetic mean, to the bit."""
    table = _count_cells(true, predicted)
    if table.shape in ((0, 0), (1, 1)):
        return 1.0
    mutual = 0.0 if 1 in table.shape else _mutual_information(table)
    return mutual / _mean_entropy(table) if mutual else 0.0


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
