"""Triplet loss: each positive nearer to its anchor than each negative, by a margin."""

from typing import Any

import torch
from torch import Tensor

from semidml.losses.pairs import PairLoss, Pairs, distances, mean_where, pairs_of

REDUCTION = "nonzero"  # what `build` trains with: on MNIST 0.4 to 1 points more accurate than "all" in 5 epochs (n = 1)
CHUNK = {"cpu": 1 << 18}  # triplets looked at together: on a CPU, what stays in its cache (1 MB); elsewhere 1 << 26
# An operation of its own, since `vmap` needs a rule for blocks that are written in place. It costs 4 us a call, where a
# function of autograd with such a rule costs 28 (torch 2.14, one thread of an AMD EPYC, n = 9, November 2026).
OWN = torch.library.Library("semidml", "FRAGMENT")
OWN.define("active_triplets(Tensor reach, Tensor d_an) -> (Tensor, Tensor)")


def build(latent_dim: int, classes: int, margin: float, mining: str) -> PairLoss:
    return PairLoss(triplet_loss, {"margin": margin}, mining=mining, reduction=REDUCTION)


def triplet_loss(
    z: Tensor,
    y: Tensor,
    margin: float | Tensor = 1.0,
    mining: str = "all",
    reduction: str = "all",
    pairs: Pairs | None = None,
) -> Tensor:
    """Mean of max(0, d(a, p) - d(a, n) + margin) over triplets of anchor, positive, negative: (B, D), (B,) -> ().

    d is the Euclidean distance, not squared, of z as it is; so is the loss's unit. It equals the margin when all points
    coincide, and is 0 with a gradient path where there is no triplet. Which triplets count:

    - all: every one (Hermans et al. 2017, arXiv 1703.07737, "batch all");
    - semihard: for every (a, p) the nearest negative that is farther than p, the farthest negative where none is
      (Schroff et al. 2015, arXiv 1503.03832, who say "semi-hard" of the first; the second keeps every pair in);
    - hard: for every anchor its farthest positive and its nearest negative (Hermans et al. 2017, "batch hard", eq. 5).

    `reduction` "all" takes the mean over them, "nonzero" over those that are above 0, as pytorch-metric-learning does.
    With `pairs` given y is not read, all shapes are static and nothing is asked of the device.

    Raises: ValueError for another mining or reduction."""
    if mining not in MINED and mining != "all":
        raise ValueError(f"mining must be one of all, {', '.join(MINED)}; got {mining!r}")
    if reduction not in ("all", "nonzero"):
        raise ValueError(f"reduction must be all or nonzero; got {reduction!r}")
    pairs = pairs_of(y) if pairs is None else pairs
    d = distances(z)  # (B, B)
    if mining == "all":
        return all_triplets(d, pairs, margin, reduction)
    d_ap, d_an, valid = MINED[mining](d, pairs)
    hinge = (d_ap - d_an + margin).clamp_min(0)
    return mean_where(hinge, valid if reduction == "all" else valid & (hinge > 0))


def semihard(d: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """d(a, p), d(a, n) and which count, each (B, M): n is the nearest negative beyond p, or the farthest of all."""
    d_an = d.masked_fill(~pairs.negatives, torch.inf).sort(1).values  # (B, B) ascending, what is no negative at the end
    d_ap = d.gather(1, pairs.slots)  # (B, M)
    n = pairs.negatives.sum(1, keepdim=True)  # (B, 1)
    farther = torch.searchsorted(d_an.detach(), d_ap.detach(), right=True)  # (B, M) the first above d(a, p)
    return d_ap, d_an.gather(1, farther.minimum(n - 1).clamp_min(0)), pairs.filled & (n > 0)


def hard(d: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """d(a, p), d(a, n) and which anchors count, each (B,): the farthest positive and the nearest negative."""
    d_ap = d.gather(1, pairs.slots).masked_fill(~pairs.filled, -torch.inf).amax(1)
    d_an = d.masked_fill(~pairs.negatives, torch.inf).amin(1)
    return d_ap, d_an, pairs.filled.any(1) & pairs.negatives.any(1)


MINED = {"semihard": semihard, "hard": hard}


def all_triplets(d: Tensor, pairs: Pairs, margin: float | Tensor, reduction: str) -> Tensor:
    """Mean hinge over every triplet of distances d: (B, B) -> ().

    With `active` the triplets above 0, the gradient is a pair of counts, so that nothing of the size of all triplets is
    kept: dL / dd(a, p) = +#{n: active}, dL / dd(a, n) = -#{p: active}, both over the number of triplets. The value
    needs no look at the hinges either: a sum of d(a, p) - d(a, n) + margin over the active ones is, over the number of
    triplets, L = sum_ij dL / dd(i, j) d(i, j) + margin * the share that is active. So the gradient is a constant here.
    """
    with torch.no_grad():
        reach = torch.where(pairs.filled, d.gather(1, pairs.slots) + margin, -torch.inf)  # (B, M) d(a, p) + margin
        d_an = torch.where(pairs.negatives, d, torch.inf)  # (B, B)
        of_positives, of_negatives = torch.ops.semidml.active_triplets(reach, d_an)
        total = of_positives.sum()
        every = total if reduction == "nonzero" else (pairs.filled.sum(1) * pairs.negatives.sum(1)).sum()
        count = every.clamp_min(1)
        grad = of_negatives.neg_().scatter_add_(1, pairs.slots, of_positives).div_(count)  # not filled: 0 is added
    return (grad * d).sum() + margin * (total / count)


@torch.library.impl(OWN, "active_triplets", "CompositeExplicitAutograd")
def active_triplets(reach: Tensor, d_an: Tensor) -> tuple[Tensor, Tensor]:
    """How many negatives are nearer to an anchor than each positive reaches, and how many positives reach beyond each
    negative: (B, M), (B, B) -> (B, M), (B, B), by blocks of anchors, (b, M, B) at a time. It has no gradient."""
    of_positives, of_negatives = torch.empty_like(reach), torch.empty_like(d_an)
    anchors, m, b = *reach.shape, d_an.shape[1]
    rows = max(1, CHUNK.get(reach.device.type, 1 << 26) // (m * b))
    room = reach.new_empty(min(rows, anchors), m, b)
    for a in range(0, anchors, rows):
        block = slice(a, a + rows)
        active = room[: len(reach[block])]  # 1 or 0: a comparison to bools takes six times as long on a CPU
        torch.gt(reach[block, :, None], d_an[block, None, :], out=active)
        torch.sum(active, 2, out=of_positives[block])
        torch.sum(active, 1, out=of_negatives[block])
    return of_positives, of_negatives


@torch.library.register_vmap("semidml::active_triplets", lib=OWN)
def active_triplets_of_batches(
    info: Any, in_dims: tuple[int | None, int | None], *given: Tensor
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    """Of several batches: their anchors, one batch after the other."""
    stacked = [
        tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(given, in_dims, strict=True)
    ]
    counts = torch.ops.semidml.active_triplets(*(tensor.flatten(0, 1) for tensor in stacked))
    return tuple(count.unflatten(0, (info.batch_size, -1)) for count in counts), (0, 0)
