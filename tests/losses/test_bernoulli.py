"""The likelihood of pixels is torch's, value and gradient, and stays so where logits are large."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from semidml.losses.bernoulli import bernoulli_nll


def both(logits, targets):
    found = []
    for loss in (bernoulli_nll, binary_cross_entropy_with_logits):
        x = logits.clone().requires_grad_()
        value = loss(x, targets)
        value.backward()
        found.append((value.detach(), x.grad))
    return found


@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_it_is_torch_s_value_and_gradient(dtype, near):
    generator = torch.Generator().manual_seed(0)
    x, t = 10 * torch.randn(50, 1, 4, 4, generator=generator), torch.rand(50, 1, 4, 4, generator=generator)
    (value, gradient), (expected, its) = both(x.to(dtype), t.to(dtype))
    assert torch.allclose(value, expected, rtol=near, atol=0) and torch.allclose(gradient, its, rtol=near, atol=near)


def test_large_logits_and_targets_at_their_bounds_stay_finite():
    x = torch.tensor([-1e4, -100.0, -1e-30, 0.0, 1e-30, 100.0, 1e4])
    for t in (0.0, 0.5, 1.0):
        (value, gradient), (expected, its) = both(x, torch.full_like(x, t))
        assert value.isfinite() and torch.allclose(value, expected) and torch.allclose(gradient, its)


def test_the_gradient_is_that_of_finite_differences():
    x = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    t = torch.rand(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert torch.autograd.gradcheck(lambda logits: bernoulli_nll(logits, t), (x,))


def test_many_at_once_are_each_alone():
    generator = torch.Generator().manual_seed(3)
    x, t = torch.randn(4, 6, 5, generator=generator), torch.rand(4, 6, 5, generator=generator)
    alone = torch.stack([bernoulli_nll(*pair) for pair in zip(x, t, strict=True)])
    assert torch.allclose(torch.func.vmap(bernoulli_nll)(x, t), alone)
