"""Contrastive loss: positives together, negatives at least a margin apart."""

from torch import Tensor

from semidml.losses.pairs import PairLoss, Pairs, distances, mean_where, pairs_of


def build(latent_dim: int, classes: int, margin: float) -> PairLoss:
    return PairLoss(contrastive_loss, {"margin": margin})


def contrastive_loss(z: Tensor, y: Tensor, margin: float | Tensor = 1.0, pairs: Pairs | None = None) -> Tensor:
    """Mean of d(a, p)^2 over positive pairs + mean of max(0, margin - d(a, n))^2 over negative pairs.

    (B, D), (B,) -> (), in squared Euclidean distance; d is the distance itself. Hadsell, Chopra and LeCun 2006, doi
    10.1109/CVPR.2006.100, eq. 4, doubled (there is a 1/2 before each square) and with a mean for each kind of pair, so
    that nine negatives to a positive do not drown it. With no pair of a kind that term is 0, with a gradient path.
    With `pairs` given y is not read."""
    pairs = pairs_of(y) if pairs is None else pairs
    d = distances(z)  # (B, B)
    together = mean_where(d.gather(1, pairs.slots).square(), pairs.filled)
    apart = mean_where((margin - d).clamp_min(0).square(), pairs.negatives)
    return together + apart
