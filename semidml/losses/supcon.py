"""Supervised contrastive loss: on the unit sphere, each row must pick its positives out of all other rows."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from semidml.losses.pairs import PairLoss, Pairs, log_sum_exp_where, mean_where, pairs_of


def build(latent_dim: int, classes: int, temperature: float) -> PairLoss:
    return PairLoss(supcon_loss, {"temperature": temperature})


def supcon_loss(z: Tensor, y: Tensor, temperature: float | Tensor = 0.1, pairs: Pairs | None = None) -> Tensor:
    """Mean over anchors i of -1/|P(i)| sum_{p in P(i)} log [exp(s_ip) / sum_{a in A(i)} exp(s_ia)].

    (B, D), (B,) -> (), in nats. s_ij = cosine of z_i and z_j / temperature; P(i) the positives of i, A(i) all other
    rows. Khosla et al. 2020, arXiv 2004.11362, eq. 2 (L_out), as a mean over the anchors that have a positive where
    the paper writes a sum; 0 with a gradient path where none has. A row that is the anchor itself again (`same_row` of
    `pairs_of`) is not in A(i). With `pairs` given y is not read."""
    pairs = pairs_of(y) if pairs is None else pairs
    unit = normalize(z, dim=1)
    s = unit @ unit.T / temperature  # (B, B)
    s_ap = s.gather(1, pairs.slots)  # (B, M)
    others = log_sum_exp_where(torch.cat([s, s_ap], 1), torch.cat([pairs.negatives, pairs.filled], 1))  # (B,)
    positives = pairs.filled.sum(1)  # (B,)
    mean_s_ap = torch.where(pairs.filled, s_ap, 0).sum(1) / positives.clamp_min(1)
    return mean_where(others - mean_s_ap, positives > 0)
