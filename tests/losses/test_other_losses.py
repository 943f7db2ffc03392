"""The losses but the triplet's against double loops, numbers worked by hand and pytorch-metric-learning."""

import math

import pytest
import torch
from pytorch_metric_learning import distances as theirs_of
from pytorch_metric_learning import losses as theirs
from torch.nn.functional import cosine_similarity, cross_entropy

from semidml.losses.center import CenterLoss, SoftmaxCenterLoss
from semidml.losses.contrastive import contrastive_loss
from semidml.losses.lifted import lifted_loss
from semidml.losses.ntxent import ntxent_loss
from semidml.losses.pairs import pairs_of
from semidml.losses.pml import Angular, ArcFace, n_pairs
from semidml.losses.supcon import supcon_loss


def rows(seed=0, b=20, d=3, classes=4):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(b, d, generator=g, dtype=torch.float64)
    return z, torch.randint(classes, (b,), generator=g)


def same_value_and_gradient(ours, expected, z, y):
    mine, other = z.clone().requires_grad_(), z.clone().requires_grad_()
    a, b = ours(mine, y), expected(other, y)
    a.backward()
    b.backward()
    assert a.item() == pytest.approx(b.item(), abs=1e-6)
    torch.testing.assert_close(mine.grad, other.grad, rtol=1e-6, atol=1e-9)


def test_contrastive_is_the_double_loop():
    z, y = rows()
    together, apart = [], []
    for i in range(20):
        for j in range(20):
            d = (z[i] - z[j]).norm().item()
            if i != j and y[i] == y[j]:
                together.append(d**2)
            elif i != j:
                apart.append(max(0, 1.5 - d) ** 2)
    expected = math.fsum(together) / len(together) + math.fsum(apart) / len(apart)
    assert contrastive_loss(z, y, margin=1.5).item() == pytest.approx(expected, abs=1e-12)


def test_contrastive_of_points_that_coincide_is_the_margin_squared():
    assert contrastive_loss(torch.ones(6, 2), torch.arange(6) % 2, margin=2.0).item() == 4.0


def test_supcon_is_the_double_loop():
    z, y = rows()
    y[7] = 9  # alone in its class: no anchor, but among the others of every anchor
    t, losses = 0.3, []
    for i in range(20):
        others = [a for a in range(20) if a != i]
        s = {a: cosine_similarity(z[i], z[a], dim=0).item() / t for a in others}
        below = math.log(math.fsum(math.exp(s[a]) for a in others))
        positives = [a for a in others if y[a] == y[i]]
        if positives:
            losses.append(-math.fsum(s[p] - below for p in positives) / len(positives))
    assert supcon_loss(z, y, temperature=t).item() == pytest.approx(math.fsum(losses) / len(losses), abs=1e-12)


def test_supcon_of_points_that_coincide_is_the_log_of_the_others():
    assert supcon_loss(torch.ones(8, 2), torch.arange(8) % 2).item() == pytest.approx(math.log(7), abs=1e-5)


def test_the_same_row_twice_is_not_among_the_others_of_supcon():
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    y, image = torch.tensor([0, 0, 0, 1]), torch.tensor([5, 5, 6, 7])
    pairs = pairs_of(y, same_row=image[:, None] == image)
    # anchors 0 and 1: only the third row is positive, the fourth negative; anchor 2: both copies, at cosine 0
    first = -math.log(math.exp(0) / (math.exp(0) + math.exp(-1)))
    third = -math.log(1 / 3)
    assert supcon_loss(z, y, 1.0, pairs=pairs).item() == pytest.approx((2 * first + third) / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (lambda z, y: supcon_loss(z, y, 0.2), theirs.SupConLoss(temperature=0.2)),
        (lambda z, y: ntxent_loss(z, y, 0.2), theirs.NTXentLoss(temperature=0.2)),
        (
            lambda z, y: lifted_loss(z, y, 1.5),
            theirs.LiftedStructureLoss(neg_margin=1.5, distance=theirs_of.LpDistance(normalize_embeddings=False)),
        ),
    ],
    ids=["supcon", "ntxent", "lifted"],
)
def test_equals_pytorch_metric_learning_in_value_and_gradient(ours, expected):
    for seed in range(3):
        same_value_and_gradient(ours, expected, *rows(seed))


@pytest.mark.parametrize("loss", [contrastive_loss, supcon_loss, ntxent_loss, lifted_loss])
def test_gradient_against_differences(loss):
    z, y = rows(b=10, d=2)
    assert torch.autograd.gradcheck(lambda z: loss(z, y), z.requires_grad_())


def test_centers_move_as_worked_by_hand():
    """Class 0 has rows (2, 0) and (4, 3), class 1 has (0, 6), class 2 none; centers start at 0, the rate is .5."""
    loss = CenterLoss(2, 3)
    z, y = torch.tensor([[2.0, 0.0], [4.0, 3.0], [0.0, 6.0]]), torch.tensor([0, 0, 1])
    assert loss(z, y).item() == pytest.approx((4 + 25 + 36) / 2 / 3)
    # .5 * (6, 3) / (1 + 2) and .5 * (0, 6) / (1 + 1)
    torch.testing.assert_close(loss.centers, torch.tensor([[1.0, 0.5], [0.0, 1.5], [0.0, 0.0]]))
    expected = ((1 + 0.25) + (9 + 6.25) + 20.25) / 2 / 3
    assert loss(z, y).item() == pytest.approx(expected)
    # (1, .5) + .5 * ((1, -.5) + (3, 2.5)) / 3
    torch.testing.assert_close(loss.centers[0], torch.tensor([1 + 2 / 3, 0.5 + 1 / 3]))


def test_centers_stay_where_nothing_is_learned():
    loss = CenterLoss(2, 3)
    z, y = torch.ones(3, 2), torch.tensor([0, 1, 2])
    with torch.no_grad():
        loss(z, y)
    loss.eval()(z, y)
    assert torch.equal(loss.centers, torch.zeros(3, 2))


def test_the_gradient_of_the_center_loss_is_the_way_to_the_center():
    loss = CenterLoss(2, 2)
    loss.centers += torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    z = torch.tensor([[2.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss(z, torch.tensor([0, 1])).backward()
    torch.testing.assert_close(z.grad, torch.tensor([[0.5, 0.0], [0.0, -0.5]]))


def test_center_is_softmax_plus_weighted_center_loss():
    joint, z, y = SoftmaxCenterLoss(3, 4, center_weight=0.2), rows()[0].float(), rows()[1]
    alone = z.square().sum(1).mean() / 2  # the centers are at 0
    expected = cross_entropy(z @ joint.classifier.weight.T + joint.classifier.bias, y) + 0.2 * alone
    torch.testing.assert_close(joint(z, y), expected)


def test_a_resume_has_the_centers():
    loss, again = SoftmaxCenterLoss(3, 4, 0.1), SoftmaxCenterLoss(3, 4, 0.1)
    z, y = rows()
    loss(z.float(), y)
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again.center.centers, loss.center.centers)
    assert loss.center.centers.abs().sum() > 0


def test_center_alone_collapses_and_the_classifier_prevents_it():
    def spread(loss):
        z, y = rows()
        z = (z.float() + 2).requires_grad_()
        parameters = list(loss.parameters())
        optimiser = torch.optim.SGD([z, *parameters], lr=0.5)
        for _ in range(300):
            value = loss(z, y)
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        return z.detach().std(0).mean().item()

    torch.manual_seed(0)
    assert spread(CenterLoss(3, 4)) < 0.5 * spread(SoftmaxCenterLoss(3, 4, 0.01))


def test_arcface_is_finite_where_a_row_meets_its_class_weight():
    torch.manual_seed(0)
    loss = ArcFace(2, 3, temperature=0.1)
    z = loss.W.detach().T.clone().requires_grad_()
    loss(z, torch.arange(3)).backward()
    assert z.grad.isfinite().all()
    assert loss.W.grad.isfinite().all()


def test_angular_is_the_triple_loop_on_the_unit_sphere():
    """Eq. 8: log(1 + sum_n exp(4 tan^2(40 deg) (a + p) n - 2 (1 + tan^2(40 deg)) a p)), a mean over positive pairs."""
    z, y = rows(b=8)
    unit, tan2, losses = z / z.norm(dim=1, keepdim=True), math.tan(math.radians(40)) ** 2, []
    for a in range(8):
        for p in range(8):
            if a != p and y[a] == y[p]:
                apart = [4 * tan2 * ((unit[a] + unit[p]) @ unit[n]).item() for n in range(8) if y[n] != y[a]]
                together = 2 * (1 + tan2) * (unit[a] @ unit[p]).item()
                losses.append(math.log1p(math.fsum(math.exp(f - together) for f in apart)))
    assert Angular(3, 4)(z, y).item() == pytest.approx(math.fsum(losses) / len(losses), abs=1e-9)


def test_n_pairs_is_the_cross_entropy_of_dot_products():
    z, y = torch.tensor([[1.0, 0.0], [2.0, 0.5], [0.0, 1.0], [-1.0, 3.0]]), torch.tensor([0, 0, 1, 1])
    scores = torch.tensor([[2.0, -1.0], [0.5, 3.0]])  # anchors 0 and 2 with positives 1 and 3
    torch.testing.assert_close(n_pairs(2, 2)(z, y), cross_entropy(scores, torch.tensor([0, 1])))


def test_arcface_equals_the_library_elsewhere():
    z, y = rows(d=8)
    torch.manual_seed(0)
    ours = ArcFace(8, 4, temperature=1 / 64).double()
    torch.manual_seed(0)
    same_value_and_gradient(ours, theirs.ArcFaceLoss(4, 8).double(), z, y)
