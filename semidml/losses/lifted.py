"""Lifted structure loss: each positive pair against all negatives of both of its rows."""

import torch
from torch import Tensor

from semidml.losses.pairs import PairLoss, Pairs, distances, log_sum_exp_where, mean_where, pairs_of


def build(latent_dim: int, classes: int, margin: float) -> PairLoss:
    return PairLoss(lifted_loss, {"margin": margin})


def lifted_loss(z: Tensor, y: Tensor, margin: float | Tensor = 1.0, pairs: Pairs | None = None) -> Tensor:
    """Mean over positive pairs of 1/2 max(0, J_ij)^2: (B, D), (B,) -> (), in squared Euclidean distance, where

    J_ij = d_ij + log [sum over negatives k of i of exp(margin - d_ik) + sum over negatives l of j of exp(margin -
    d_jl)].

    Oh Song et al. 2016, arXiv 1511.06452, eq. 4 and its smooth form, on z as it is. Equal to pytorch-metric-learning's
    with embeddings not normalised; written here because that one holds every pair of a positive and a negative pair at
    once (137 million numbers for 10 classes of 20 rows; here (B, B)). 0 with a gradient path where there is no
    triplet. With `pairs` given y is not read."""
    pairs = pairs_of(y) if pairs is None else pairs
    d = distances(z)  # (B, B)
    push = log_sum_exp_where(margin - d, pairs.negatives)  # (B,)
    j = d.gather(1, pairs.slots) + torch.logaddexp(push[:, None], push[pairs.slots])  # (B, M)
    return mean_where(j.clamp_min(0).square() / 2, pairs.filled & pairs.negatives.any(1, keepdim=True))
