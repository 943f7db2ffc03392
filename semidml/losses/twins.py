"""Losses of images and their twins (each image transformed at random), without a label: the parts of CBSwR.

Nguyen et al., *Deep Metric Learning Meets Deep Clustering*, BMVC 2020, arXiv 2009.04091, and its baseline SME, Ye et
al. 2019, arXiv 1904.03436. n = 2 B rows: row i and row i + B are an image and its twin. All in nats, natural
logarithms. As in the authors' program the second factor of every inner product - partner, other rows, centroids -
passes no gradient. Shapes are static: a cluster without a row is masked, not left out.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize


def entropies(logits: Tensor) -> tuple[Tensor, Tensor]:
    """(H(Y) of the batch's mean probabilities, H(Y|X), the mean entropy of a row), in nats: (n, K) -> (), ()."""
    log_y = logits.log_softmax(1)
    log_mean = log_y.logsumexp(0) - math.log(len(logits))
    return -(log_mean.exp() * log_mean).sum(), -(log_y.exp() * log_y).sum(1).mean()


def rim(logits: Tensor, marginal_weight: float = 1.0) -> Tensor:
    """Clusters that are sure and even: H(Y|X) - marginal_weight H(Y), at least -marginal_weight ln K: (n, K) -> (), in
    nats.

    Eq. 1 of the paper, -lambda [H(Y) - H(Y|X)], over lambda, and without the regulariser R(theta) of the parameters
    (Gomes, Krause and Perona 2010). A weight above 1 keeps more clusters in use."""
    marginal, conditional = entropies(logits)
    return conditional - marginal_weight * marginal


def rim_of_authors(logits: Tensor, marginal_weight: float = 1.0) -> Tensor:
    """H(Y|X) / ln n + 1 - marginal_weight H(Y) / ln K of logits that are first scaled to length 1: (n, K) -> ().

    The authors' program; it differs from `rim` in the scaling, after which no row can be sure (H(Y|X) / ln K stays
    above .99 for K = 32), and in ln n, which depends on the batch."""
    n, clusters = logits.shape
    marginal, conditional = entropies(normalize(logits, dim=1))
    return conditional / math.log(n) + 1 - marginal_weight * marginal / math.log(clusters)


def twin_cross_entropy(logits: Tensor) -> Tensor:
    """An image and its twin belong to the same cluster: mean over rows of -sum_k y_ik ln y_i'k: (n, K) -> (), in nats.

    Gradients pass through both. Not in the paper; with it clusters come to be classes."""
    log_y = logits.log_softmax(1)
    return -(log_y.exp() * _twins(log_y)).sum(1).mean()


def sme(f: Tensor, temperature: float = 0.1) -> Tensor:
    """Each row finds its twin, and no other row takes it for theirs: unit embeddings (n, D) -> (), in nats.

    -(1/n) [sum_i ln P_ii' + sum_i sum_{j not i, i'} ln(1 - P_ij)], P_ij = exp(f_i . f_j / T) / sum_{k != i} exp(f_i .
    f_k / T) (Ye et al. 2019)."""
    n = len(f)
    rows = torch.arange(n, device=f.device)
    itself = rows[:, None] == rows  # (n, n)
    s = (f @ f.detach().T / temperature).masked_fill(itself, -math.inf)
    log_p = s - s.logsumexp(1, keepdim=True)  # (n, n)
    twin = (rows + n // 2) % n
    others = ~(itself | (rows == twin[:, None]))
    return -(log_p[rows, twin].sum() + _log_of_rest(s, others).sum()) / n


def centroids(representations: Tensor, clusters: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """(mean of each cluster's rows (K, R), 0 where it has none; how many rows it has (K,)): (n, R), (n,) -> ..."""
    member = (clusters[:, None] == torch.arange(count, device=clusters.device)).to(representations)  # (n, K)
    sizes = member.sum(0)
    return member.T @ representations / sizes.clamp_min(1)[:, None], sizes


def center_softmax(
    f: Tensor,
    g: Tensor,
    sizes: Tensor,
    clusters: Tensor,
    temperature: float = 0.1,
    others_weight: float = 1.0,
    own_in_sum: bool = True,
) -> Tensor:
    """Center-based softmax: each row lies near its twin and far from the centroids of other clusters, in nats.

    f (n, D) unit embeddings, g (K, D) unit embeddings of the centroids, sizes (K,) the rows of each cluster, clusters
    (n,) each row's -> (). With a_iu = exp(f_i . g_u / T) over the clusters u that have rows, c_i the row's own and
    P_iu = a_iu / sum_v a_iv:

    -(1/n) [sum_i ln(exp(f_i . f_i' / T) / sum_u a_iu) + others_weight sum_i sum_{u != c_i} ln(1 - P_iu)]

    `own_in_sum`: whether the first sum has u = c_i too, as in the authors' loss file; their training script leaves it
    out. `others_weight` is their alpha. Eq. 3 as the authors' page on the paper prints it has ln P_iu in the
    second sum, which would pull rows to other clusters' centroids; both programs have 1 - P_iu. With fewer than two
    clusters in use there are no other centroids: 0 with a gradient path, where the authors' programs give NaN."""
    n = len(f)
    filled = sizes > 0  # (K,)
    own = clusters[:, None] == torch.arange(len(g), device=g.device)  # (n, K)
    s = (f @ g.detach().T / temperature).masked_fill(~filled, -math.inf)
    summed = s if own_in_sum else s.masked_fill(own & (filled.sum() > 1), -math.inf)
    twins = (f * _twins(f).detach()).sum(1) / temperature
    first = (twins - summed.logsumexp(1)).sum()
    second = _log_of_rest(s, filled & ~own).sum()
    return torch.where(filled.sum() > 1, -(first + others_weight * second) / n, 0 * f.sum())


def _twins(rows: Tensor) -> Tensor:
    """Each row's twin in its place."""
    return rows.roll(len(rows) // 2, 0)


def _log_of_rest(s: Tensor, where: Tensor) -> Tensor:
    """ln(1 - p) of p = softmax(s) where asked for, 0 elsewhere: (n, K), (n, K) bool -> (n, K).

    Of a row's largest p from the sum of the others, so that it has its gradient where single precision rounds p to 1: a
    row that lies on another cluster's centroid is pushed away from there, and would rest for ever otherwise."""
    log_p = s - s.logsumexp(1, keepdim=True)
    largest = s.argmax(1, keepdim=True) == torch.arange(s.shape[1], device=s.device)  # (n, K)
    others = s.masked_fill(largest, -math.inf)
    alone = others.isneginf().all(1, keepdim=True)  # nothing is left: nothing is asked for, and nothing must be NaN
    of_largest = others.masked_fill(alone, 0).logsumexp(1, keepdim=True) - s.logsumexp(1, keepdim=True)  # (n, 1)
    of_rest = (-torch.expm1(torch.where(where & ~largest, log_p, -1.0))).log()  # p is at most a half
    return torch.where(where, torch.where(largest, of_largest, of_rest), 0)
