"""What every loss of the table promises: newcomers are tested on arrival."""

import pytest
import torch

from semidml.config import RunConfig
from semidml.losses import LOSSES
from semidml.losses.pairs import pairs_of

CLASSES = 4
COUNTED = {  # what a batch holds: what a loss may need
    "one row": {"row"},
    "one class": {"row", "pair", "positive pair"},
    "all classes differ": {"row", "pair"},
    "one pair": {"row", "pair", "positive pair", "triplet"},
    "two pairs": {"row", "pair", "positive pair", "triplet", "two positive pairs"},
}
LABELS = {
    **{"one row": [2], "one class": [1, 1, 1], "all classes differ": [0, 1, 2, 3]},
    **{"one pair": [0, 0, 1], "two pairs": [0, 0, 1, 1]},
}


@pytest.fixture(params=LOSSES.values(), ids=LOSSES)
def entry(request):
    return request.param


def made(entry, d=2, dtype=torch.float32):
    """The loss as the model makes it, from the defaults of its knobs, always the same."""
    config = RunConfig()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loss = entry.resolve()(d, CLASSES, **{name: getattr(config, name) for name in entry.knobs})
    return loss.to(dtype) if isinstance(loss, torch.nn.Module) else loss


def batch(b=20, d=2, dtype=torch.float32):
    g = torch.Generator().manual_seed(1)
    return torch.randn(b, d, generator=g).to(dtype).requires_grad_(), torch.arange(b) * 7 % CLASSES


@pytest.mark.parametrize("d", [1, 2, 64])
def test_a_finite_number_and_a_gradient_that_reaches_the_rows(entry, d):
    z, y = batch(d=d)
    value = made(entry, d)(z, y)
    assert value.shape == ()
    assert value.isfinite()
    value.backward()
    assert z.grad.isfinite().all()
    if d > 1 or not entry.facts["normalised"]:  # on the line a direction is a sign: nothing to move
        assert z.grad.abs().sum() > 0


def test_every_parameter_gets_a_gradient(entry):
    loss = made(entry)
    if isinstance(loss, torch.nn.Module):
        z, y = batch()
        loss(z, y).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in loss.parameters())


@pytest.mark.parametrize("rows", LABELS)
def test_without_what_it_needs_the_loss_is_zero_with_a_gradient_path(entry, rows):
    y = torch.tensor(LABELS[rows])
    z = batch(len(y))[0]
    value = made(entry)(z, y)
    value.backward()
    assert z.grad.isfinite().all()
    if entry.facts["needs"] in COUNTED[rows]:
        assert value.isfinite()
        assert value > 0
    else:
        assert value.item() == 0
        assert torch.equal(z.grad, torch.zeros_like(z))


@pytest.mark.parametrize("place", [[0.4, -0.3], [1.0, 0.0], [0.0, 0.0]])
def test_points_that_coincide_have_a_finite_gradient(entry, place):
    y = batch()[1]
    z = torch.tensor(place).repeat(len(y), 1).requires_grad_()
    value = made(entry)(z, y)
    value.backward()
    assert value.isfinite()
    assert z.grad.isfinite().all()


def test_the_order_of_rows_does_not_matter(entry):
    z, y = batch(dtype=torch.float64)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(2))
    shuffled, value = made(entry, dtype=torch.float64)(z[order], y[order]), made(entry, dtype=torch.float64)(z, y)
    if entry.facts["every_row"]:
        torch.testing.assert_close(shuffled, value)
    else:
        assert shuffled.isfinite()


def test_moving_or_scaling_all_rows_changes_nothing_where_the_table_says_so(entry):
    z, y = batch(dtype=torch.float64)
    still = made(entry, dtype=torch.float64)(z, y)
    moved = made(entry, dtype=torch.float64)(z + torch.tensor([3.0, -8.0]), y)
    scaled = made(entry, dtype=torch.float64)(z * 5, y)
    assert torch.allclose(still, moved) == entry.facts["distances"]
    assert torch.allclose(still, scaled) == entry.facts["normalised"]


def test_given_pairs_are_what_it_computes_itself(entry):
    if entry.facts["pairs"]:
        z, y = batch()
        loss = made(entry)
        assert torch.equal(loss(z, y), loss(z, torch.full_like(y, -1), pairs=pairs_of(y)))


def test_a_static_loss_asks_the_device_for_nothing(entry):
    """On the meta device there are shapes but no numbers: whoever asks for one fails."""
    if not entry.facts["static"]:
        return
    z, y = batch()
    given = {"pairs": type(pairs_of(y))(*(t.to("meta") for t in pairs_of(y)))} if entry.facts["pairs"] else {}
    loss = made(entry)
    loss = loss.to("meta") if isinstance(loss, torch.nn.Module) else loss
    z = z.detach().to("meta").requires_grad_()
    value = loss(z, y.to("meta"), **given)
    value.backward()
    assert z.grad.shape == z.shape


def test_descent_on_three_clouds_that_overlap(entry):
    g = torch.Generator().manual_seed(3)
    y = torch.arange(30) % 3
    z = torch.tensor([[1.0, 0.2], [0.3, 1.0], [-0.8, 0.6]])[y] + 0.5 * torch.randn(30, 2, generator=g)
    z.requires_grad_()
    loss = made(entry)
    parameters = list(loss.parameters()) if isinstance(loss, torch.nn.Module) else []
    optimiser = torch.optim.SGD([z, *parameters], lr=0.02)
    values = []
    for _ in range(20):
        value = loss(z, y)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        values.append(value.item())
    assert values[-1] < values[0]


def test_the_table_resolves_and_says_what_it_is(entry):
    assert callable(entry.resolve())
    assert entry.title
    assert entry.summary
    assert entry.paper
    assert entry.facts["needs"] in {"row", "pair", "positive pair", "triplet", "two positive pairs"}
