"""NT-Xent with labels: on the unit sphere, each positive must win against the negatives of its anchor."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from semidml.losses.pairs import PairLoss, Pairs, log_sum_exp_where, mean_where, pairs_of


def build(latent_dim: int, classes: int, temperature: float) -> PairLoss:
    return PairLoss(ntxent_loss, {"temperature": temperature})


def ntxent_loss(z: Tensor, y: Tensor, temperature: float | Tensor = 0.1, pairs: Pairs | None = None) -> Tensor:
    """Mean over positive pairs of -log [exp(s_ap) / (exp(s_ap) + sum_n exp(s_an))]: (B, D), (B,) -> (), in nats.

    s_ij = cosine of z_i and z_j / temperature, n the negatives of a. Chen et al. 2020 (SimCLR), arXiv 2002.05709, eq.
    1, with labels saying who is negative, as pytorch-metric-learning does; written here because its form holds every
    pair of a positive and a negative pair at once (137 million numbers for 10 classes of 20 rows; here (B, B)). 0 with
    a gradient path where there is no triplet. With `pairs` given y is not read."""
    pairs = pairs_of(y) if pairs is None else pairs
    unit = normalize(z, dim=1)
    s = unit @ unit.T / temperature  # (B, B)
    s_ap = s.gather(1, pairs.slots)  # (B, M)
    rivals = log_sum_exp_where(s, pairs.negatives)[:, None]  # (B, 1)
    return mean_where(torch.logaddexp(s_ap, rivals) - s_ap, pairs.filled & pairs.negatives.any(1, keepdim=True))
