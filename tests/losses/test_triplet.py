import math

import pytest
import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch.func import vmap
from torch.nn.functional import normalize

from semidml.losses import triplet
from semidml.losses.pairs import pairs_of
from semidml.losses.triplet import triplet_loss


def rows(seed, b=24, d=3, classes=4):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(b, d, generator=g, dtype=torch.float64)
    return z, torch.randint(classes, (b,), generator=g)


def plain(z, y, margin, mining, reduction):
    """The definition, one triplet at a time."""
    d = (z[:, None] - z[None]).norm(dim=2).tolist()
    everyone, hinges = range(len(y)), []
    for a in everyone:
        positives = [j for j in everyone if y[j] == y[a] and j != a]
        negatives = [j for j in everyone if y[j] != y[a]]
        if not positives or not negatives:
            continue
        if mining == "all":
            chosen = [(p, n) for p in positives for n in negatives]
        elif mining == "semihard":
            chosen = []
            for p in positives:
                farther = [n for n in negatives if d[a][n] > d[a][p]]
                n = min(farther, key=lambda n: d[a][n]) if farther else max(negatives, key=lambda n: d[a][n])
                chosen.append((p, n))
        else:
            chosen = [(max(positives, key=lambda p: d[a][p]), min(negatives, key=lambda n: d[a][n]))]
        hinges += [max(0.0, d[a][p] - d[a][n] + margin) for p, n in chosen]
    counted = hinges if reduction == "all" else [h for h in hinges if h > 0]
    return math.fsum(counted) / max(1, len(counted))


@pytest.mark.parametrize("reduction", ["all", "nonzero"])
@pytest.mark.parametrize("mining", ["all", "semihard", "hard"])
@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_equals_the_plain_loop(mining, reduction, margin):
    for seed in range(3):
        z, y = rows(seed)
        ours = triplet_loss(z, y, margin, mining, reduction)
        assert ours.item() == pytest.approx(plain(z, y, margin, mining, reduction), abs=1e-12)


@pytest.mark.parametrize("margin", [0.05, 1.0])
@pytest.mark.parametrize("reduction", ["all", "nonzero"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_pytorch_metric_learning_in_value_and_gradient(margin, reduction, dtype):
    """Its defaults: embeddings L2-normalised, mean over the triplets above 0 (and over all). Up to 25 rows, as beyond
    them its distances come from products and round more."""
    reducer = MeanReducer() if reduction == "all" else None
    z, y = rows(1, b=20, d=10)
    z = z.to(dtype)
    theirs, ours = (z.clone().requires_grad_() for _ in range(2))
    expected = TripletMarginLoss(margin=margin, reducer=reducer)(theirs, y)
    expected.backward()
    value = triplet_loss(normalize(ours), y, margin, reduction=reduction)
    value.backward()
    assert value.item() == pytest.approx(expected.item(), abs=1e-6)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)


def test_pairs_of_the_layout_give_the_same():
    z, y = rows(2)
    for mining in ("all", "semihard", "hard"):
        assert torch.equal(triplet_loss(z, y, mining=mining), triplet_loss(z, None, mining=mining, pairs=pairs_of(y)))


@pytest.mark.parametrize("mining", ["all", "semihard", "hard"])
@pytest.mark.parametrize("reduction", ["all", "nonzero"])
def test_points_that_coincide_lose_exactly_the_margin(mining, reduction):
    z = torch.full((10, 2), 3.7)
    y = torch.arange(10) % 3
    assert triplet_loss(z, y, 1.0, mining, reduction).item() == 1.0
    assert triplet_loss(z, y, 0.3, mining, reduction).item() == pytest.approx(0.3, rel=1e-6)


def test_five_points_on_a_circle():
    """Labels 0 0 1 1 2 at 0, 80, 180, 260 and 45 degrees; a distance is a chord, 2 sin(angle / 2)."""
    angle = torch.deg2rad(torch.tensor([0.0, 80, 180, 260, 45]))
    z, y = torch.stack([angle.cos(), angle.sin()], 1), torch.tensor([0, 0, 1, 1, 2])

    def chord(degrees):
        return 2 * math.sin(math.radians(degrees) / 2)

    def hinge(degrees):  # the positive is 80 degrees away from each anchor, the negative that far; margin .3
        return max(0.0, chord(80) - chord(degrees) + 0.3)

    negatives = {0: (180, 100, 45), 80: (100, 180, 35), 180: (180, 100, 135), 260: (100, 180, 145)}  # of each anchor
    every = [hinge(n) for anchor in negatives.values() for n in anchor]
    assert triplet_loss(z, y, 0.3).item() == pytest.approx(sum(every) / 12, abs=1e-6)
    assert triplet_loss(z, y, 0.3, reduction="nonzero").item() == pytest.approx(sum(every) / 6, abs=1e-6)
    # semihard: for each the nearest beyond 80 degrees is the one at 100
    assert triplet_loss(z, y, 0.3, "semihard").item() == pytest.approx(hinge(100), abs=1e-6)
    hardest = [hinge(45), hinge(35), hinge(100), hinge(100)]
    assert triplet_loss(z, y, 0.3, "hard").item() == pytest.approx(sum(hardest) / 4, abs=1e-6)


@pytest.mark.parametrize("mining", ["all", "semihard", "hard"])
@pytest.mark.parametrize("reduction", ["all", "nonzero"])
def test_gradient_against_differences(mining, reduction):
    z, y = rows(5, b=12, d=2)
    assert torch.autograd.gradcheck(lambda z: triplet_loss(z, y, 0.5, mining, reduction), z.requires_grad_())


def test_blocks_of_anchors_change_nothing(monkeypatch):
    z, y = rows(6)
    whole = triplet_loss(z, y)
    monkeypatch.setitem(triplet.CHUNK, "cpu", 1)
    torch.testing.assert_close(triplet_loss(z, y), whole)


@pytest.mark.parametrize("mining", ["all", "semihard", "hard"])
def test_several_batches_or_margins_at_once_are_each_alone(mining):
    z, y = torch.stack([rows(seed)[0] for seed in range(3)]), rows(0)[1]
    margins = torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)

    pairs = pairs_of(y)

    def loss(z, margin):
        return triplet_loss(z, y, margin, mining, "nonzero", pairs)

    alone = [loss(its, margin) for its, margin in zip(z, margins, strict=True)]
    torch.testing.assert_close(vmap(loss)(z, margins), torch.stack(alone))
    of_one = [loss(z[0], margin) for margin in margins]
    torch.testing.assert_close(vmap(loss, (None, 0))(z[0], margins), torch.stack(of_one))


@pytest.mark.parametrize("reduction", ["all", "nonzero"])
def test_the_gradient_by_distances_is_counts_of_active_triplets(reduction):
    """To the bit: +1 for each negative within the margin of a positive, -1 for each positive that it is too near to,
    over the number of triplets; a triplet whose hinge is exactly 0 counts for neither."""
    z, y = rows(8, b=15, classes=3)
    d = (z[:, None] - z).norm(dim=2).float()
    positive = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool)
    triplets = positive[:, :, None] & (y[:, None] != y)[:, None, :]  # (B, B, B) anchor, positive, negative
    active = triplets & (d[:, :, None] + 0.5 > d[:, None, :])
    total = triplets.sum() if reduction == "all" else active.sum()
    d.requires_grad_()
    value = triplet.all_triplets(d, pairs_of(y), 0.5, reduction)
    value.backward()
    counts = active.sum(2) - active.sum(1)
    assert torch.equal(d.grad, counts.float() / total)
    hinges = (d[:, :, None] - d[:, None, :] + 0.5)[active].double().sum() / total
    assert value.item() == pytest.approx(hinges.item(), rel=1e-6)


def test_far_from_the_origin_the_value_is_that_of_double_precision():
    """Distances of about 300 beside a margin of 1: what is left is more than rounding."""
    z, y = rows(9, b=60, d=8)
    z = 100 * z
    for margin in (0.1, 1.0, 10.0):
        exact = triplet_loss(z, y, margin, reduction="nonzero").item()
        assert triplet_loss(z.float(), y, margin, reduction="nonzero").item() == pytest.approx(exact, rel=1e-5)


def test_an_unknown_mining_is_refused():
    z, y = rows(0)
    with pytest.raises(ValueError, match="mining must be one of all, semihard, hard; got 'easy'"):
        triplet_loss(z, y, mining="easy")
    with pytest.raises(ValueError, match="reduction must be all or nonzero; got 'sum'"):
        triplet_loss(z, y, reduction="sum")
