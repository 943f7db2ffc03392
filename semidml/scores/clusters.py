"""k-means of latents, and the clusters that a model has of its own."""

import warnings
from typing import NamedTuple

import numpy as np
import torch

from semidml.losses.twins import entropies
from semidml.scores import agreement, checks, meaning, neighbours
from semidml.scores.table import KMEANS_ROWS, KMEANS_STARTS
from semidml.scores.threads import on_one_thread

RARE = 0.005  # chance below which a start is not asked for the scatter of k-means
TINY = 1e-12  # nats, below which an entropy is 0


class Starts(NamedTuple):
    """What S starts of k-means made of M rows."""

    clusters: np.ndarray  # int32 (S, M)
    inertias: np.ndarray  # float64 (S,), sums of squared distances to the own centre
    best: int  # the start of the lowest inertia


def kmeans(
    latents: np.ndarray, clusters: int, starts: int = KMEANS_STARTS, seed: int = 0, rounds: int = 300
) -> np.ndarray:
    """Clusters of k-means, the start of the lowest inertia: (M, D) -> (M,) int64. scikit-learn's, k-means++ starts, at
    most `rounds` rounds each.

    Raises: ValueError when there are fewer distinct points than clusters."""
    every = kmeans_starts(latents, clusters, starts, seed, rounds)
    return every.clusters[every.best].astype(np.int64)


def kmeans_starts(
    latents: np.ndarray, clusters: int, starts: int = KMEANS_STARTS, seed: int = 0, rounds: int = 300
) -> Starts:
    """Every start of `kmeans`, one by one from one random stream, so that the best is that of scikit-learn's `n_init`.

    On one thread: its threads wait for each other when the cores are busy (9 s instead of 0.2 s measured).

    Raises: ValueError when there are fewer distinct points than clusters."""
    import sklearn
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    points, random = _for_clusters(latents, clusters), np.random.RandomState(seed)
    assignments, inertias, best = [], [], 0
    checked = {"assume_finite": True, "skip_parameter_validation": True}
    with on_one_thread(), warnings.catch_warnings(), sklearn.config_context(**checked):
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the best it is said below
        for start in range(starts):
            model = KMeans(clusters, n_init=1, max_iter=rounds, random_state=random).fit(points)
            assignments.append(model.labels_)
            inertias.append(float(model.inertia_))
            if inertias[start] < inertias[best] and not _are_same(assignments[start], assignments[best], clusters):
                best = start
    if (distinct := len(np.unique(assignments[best]))) < clusters:
        raise ValueError(f"k-means did not find {clusters} clusters, only {distinct}: the points nearly coincide")
    return Starts(np.stack(assignments), np.array(inertias), best)


def _are_same(ones: np.ndarray, others: np.ndarray, count: int) -> bool:
    """Whether two clusterings (M,) of as many clusters are the same but for their numbers."""
    return bool(((agreement.count_pairs(ones, others, count, count) > 0).sum(1) <= 1).all())


def kmeans_scores(
    latents: np.ndarray,
    labels: np.ndarray,
    clusters: int,
    starts: int = KMEANS_STARTS,
    rows: int = KMEANS_ROWS,
    seed: int = 0,
) -> tuple[float, float, float, float, float, float]:
    """AMI, NMI and `clustering_accuracy` of true classes and k-means clusters of the same latents, of at most `rows`
    rows drawn by the seed; then the standard deviation of each over restarts, a restart being the best of as many
    starts.

    The bootstrap over the starts that were made (Efron 1979, doi 10.1214/aos/1176344552) needs no draw: of n starts
    drawn with replacement the best is the j-th best of all with probability

        ((n - j + 1) / n)^n - ((n - j) / n)^n

    Those below RARE are left out, and the variance is that of weighted samples, divided by 1 - sum p^2. AMI's expected
    information is that of the best start for all of them: it depends on the clusters' sizes alone, which hardly differ,
    and takes longer than the rest."""
    points, true = checks.subset(rows, seed, latents, labels)
    every = kmeans_starts(points, clusters, starts, seed)
    best, row = every.clusters[every.best].astype(np.int64), np.unique(true, return_inverse=True)[1]
    n, j = starts, np.arange(1, starts + 1)
    p = ((n - j + 1) / n) ** n - ((n - j) / n) ** n
    p = p[p >= RARE] / p[p >= RARE].sum()
    asked = np.argsort(every.inertias, kind="stable")[: len(p)]
    pairs = [agreement.count_pairs(row, made, int(row.max()) + 1, clusters) for made in (best, *every.clusters[asked])]
    expected = agreement.expected_information(pairs[0].sum(1), pairs[0].sum(0))
    each = np.array([_agreement(of_start, expected) for of_start in pairs[1:]])  # (j, 3)
    scatter = np.sqrt(p @ np.square(each - p @ each) / max(1 - p @ p, TINY))
    measures = (agreement.ami, agreement.nmi, agreement.clustering_accuracy)
    return *(measure(true, best) for measure in measures), *map(float, scatter)


def _agreement(pairs: np.ndarray, expected: float) -> tuple[float, float, float]:
    """AMI with that expected information, NMI and `clustering_accuracy`, of rows by class and cluster."""
    from scipy.stats import entropy

    together, classes, clusters = (float(entropy(rows)) for rows in (pairs.ravel(), pairs.sum(1), pairs.sum(0)))  # nats
    mutual, mean = classes + clusters - together, (classes + clusters) / 2
    return (mutual - expected) / max(mean - expected, TINY), mutual / max(mean, TINY), agreement.matched_share(pairs)


def _for_clusters(latents: np.ndarray, clusters: int) -> np.ndarray:
    """Latents in float64, centred and of unit spread, which k-means does not mind and rounding does."""
    points = checks.finite(latents).astype(np.float64)
    piles = neighbours.coincident(points)
    distinct = len(points) if piles is None else len(piles[0])
    if distinct < clusters:
        raise ValueError(f"k-means with {clusters} clusters needs as many distinct points, got {distinct}")
    points -= points.mean(0)
    return points / (np.sqrt(np.square(points).mean()) or 1)


def cluster_scores(logits: np.ndarray, labels: np.ndarray) -> dict[str, float | int | None]:
    """What the clustering head knows of the classes, from its logits (M, K) and labels (M,), -1 for none: cluster_ami,
    cluster_nmi, cluster_accuracy, clusters_used, and its two entropies in nats, marginal_entropy and
    conditional_entropy. None where one means nothing (`meaning.judge`), as those of classes where no row has one."""
    (clusters, sizes, _), has = clustered(logits), labels >= 0
    told = (labels[has], clusters[has])
    marginal, conditional = entropies(torch.from_numpy(logits))
    scores = {
        "cluster_ami": agreement.ami(*told),
        "cluster_nmi": agreement.nmi(*told),
        "cluster_accuracy": agreement.clustering_accuracy(*told) if has.any() else None,
        "clusters_used": int((sizes > 0).sum()),
        "marginal_entropy": float(marginal),
        "conditional_entropy": float(conditional),
    }
    return scores | dict.fromkeys(meaning.judge(scores, labels).failed)


def clustered(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(each row's likeliest cluster, rows of each cluster, mean entropy of these rows in nats, NaN where there is
    none): (N, K) -> (N,), (K,), (K,)."""
    log_p = torch.from_numpy(logits).log_softmax(1)
    entropy = -(log_p.exp() * log_p).sum(1).numpy()
    clusters, k = logits.argmax(1), logits.shape[1]
    sizes = np.bincount(clusters, minlength=k)
    totals = np.bincount(clusters, weights=entropy, minlength=k)
    return clusters, sizes, np.divide(totals, sizes, out=np.full(k, np.nan), where=sizes > 0)
