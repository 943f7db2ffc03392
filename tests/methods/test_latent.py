"""The latent model's terms, against the formulas written out."""

import pytest
import torch

from semidml.config import RunConfig
from semidml.losses.pairs import pairs_of
from semidml.methods.latent import METRIC, RECONSTRUCTION, Batch, build

SHAPE = (1, 4, 4)


def model(**values):
    torch.manual_seed(0)
    return build(RunConfig.of(values), SHAPE, 3)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    y = torch.tensor([0, 0, 1, 1, 2, 2])
    return Batch(torch.rand(6, *SHAPE, generator=generator), y, pairs_of(y), torch.rand(5, *SHAPE, generator=generator))


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_bernoulli_is_the_log_likelihood_of_each_pixel(batch, reduction):
    made = model(reconstruction=reduction)
    term = made.terms(batch, [RECONSTRUCTION])[RECONSTRUCTION]
    p = made.decode(made.embed(batch.images))
    by_hand = -(batch.images * p.log() + (1 - batch.images) * (1 - p).log()).flatten(1)
    by_hand = by_hand.sum(1) if reduction == "sum" else by_hand.mean(1)
    assert torch.allclose(term, by_hand.mean(), rtol=1e-5)


def test_gaussian_is_half_the_squared_error(batch):
    made = model(likelihood="gaussian")
    by_hand = (batch.images - made.decode(made.embed(batch.images))).square().flatten(1).sum(1).mean() / 2
    assert torch.allclose(made.terms(batch, [RECONSTRUCTION])[RECONSTRUCTION], by_hand, rtol=1e-5)


def test_only_what_is_asked_for_is_computed(batch):
    made = model()
    made.decoder.forward = None  # would fail if it were called
    assert made.terms(batch, [METRIC]).keys() == {METRIC}


def test_both_terms_side_by_side_equal_each_alone(batch):
    """With an encoder that has no batch statistics."""
    made = model()
    together = made.terms(batch, [METRIC, RECONSTRUCTION])
    for name, term in together.items():
        assert torch.allclose(term, made.terms(batch, [name])[name], rtol=1e-5)


def test_weights_of_the_corners():
    assert model().weights(0.7, 0.3) == {METRIC: 0.7, RECONSTRUCTION: 0.3}
    assert model(model="dml").weights(0.7, 0.3) == {METRIC: 1.0}, "without an L_U the weight of L_S is 1"


def test_a_model_without_decoder_says_so():
    with pytest.raises(ValueError, match="has no decoder"):
        model(model="dml").decode(torch.zeros(1, 2))
