"""Distances between the rows of a batch, and which rows belong together: what the losses over pairs share."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Pairs(NamedTuple):
    """Who is positive and who negative to whom in a batch of B rows, as index arrays: a step with given pairs has
    static shapes. `slots` and `filled` hold the positives once more, a row for each anchor, padded to the M of the one
    that has most."""

    anchor: Tensor  # (P,) int64, ascending
    positive: Tensor  # (P,) int64; ordered pairs: (a, p) and (p, a) are both there, a != p
    negatives: Tensor  # (B, B) bool, the labels differ
    slots: Tensor  # (B, M) int64, M >= 1: the positives of each anchor; 0 where not filled
    filled: Tensor  # (B, M) bool


def pairs_of(y: Tensor, same_row: Tensor | None = None) -> Pairs:
    """The pairs of a batch with labels y (B,).

    `same_row` (B, B) bool marks rows that show the same image in the same view, which are no positives of one another:
    a row is its own positive only as two different augmented views. Reads sizes back from the device: call it once for
    a constant layout, not in the step."""
    negatives = y[:, None] != y
    alike = ~negatives
    alike.fill_diagonal_(False)
    if same_row is not None:
        alike &= ~same_row
    anchor, positive = alike.nonzero(as_tuple=True)
    counts = alike.sum(1)  # (B,)
    filled = torch.arange(max(1, int(counts.max())), device=y.device) < counts[:, None]
    slots = torch.zeros_like(filled, dtype=torch.int64).masked_scatter_(filled, positive)  # both are in anchors' order
    return Pairs(anchor, positive, negatives, slots, filled)


class PairLoss(nn.Module):
    """loss(z, y, pairs=None) of a function and its knobs. Those that are numbers are buffers (), so that models which
    are stepped together may have different ones (`semidml.train.step`); a saved model does not hold them, its config
    does."""

    def __init__(self, loss: Callable[..., Tensor], numbers: Mapping[str, float], **others: str):
        super().__init__()
        self.loss, self.others = loss, others
        for name, number in numbers.items():
            self.register_buffer(name, torch.tensor(float(number)), persistent=False)

    def forward(self, z: Tensor, y: Tensor, pairs: Pairs | None = None) -> Tensor:
        return self.loss(z, y, pairs=pairs, **self._buffers, **self.others)


def distances(z: Tensor) -> Tensor:
    """Euclidean distances between the rows of z, (B, D) -> (B, B).

    From the differences, not as |a|^2 + |b|^2 - 2ab, which cancels: in float32 that is off by up to 4e-3 for near
    points of norm 10, and by far more where matrix products are rounded to bfloat16 or TF32, which is also why the
    gradient is not written as a product (1.2 times faster at D = 10, 1.6 at 64; B = 200, one thread of an Intel Xeon,
    n = 9). Where a distance is 0 its gradient is 0, one of the subgradients."""
    if z.device.type == "mps":  # no gradient of cdist there (PyTorch issue 141287)
        return torch.linalg.vector_norm(z[:, None] - z, dim=2)
    return torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` over the entries of `mask`, of the same shape -> (); 0 where the mask is empty."""
    return torch.where(mask, values, 0).sum() / mask.sum().clamp_min(1)


def log_sum_exp_where(values: Tensor, mask: Tensor) -> Tensor:
    """log sum exp over the second axis of the entries of `mask`, (B, M) -> (B,). A row without any gives a number that
    is very low but finite, so that a caller who masks it out has no NaN in the gradient."""
    return values.masked_fill(~mask, torch.finfo(values.dtype).min).logsumexp(1)
