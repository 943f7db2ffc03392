"""The latent model's terms, against the formulas written out."""

import pytest
import torch

from semidml.config import RunConfig
from semidml.losses.pairs import pairs_of
from semidml.methods.latent import KL, METRIC, RECONSTRUCTION, Batch, build

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


def gradient(made, loss):
    return torch.autograd.grad(loss, list(made.encoder.modules())[-1].weight, retain_graph=True)[0]


BALANCEABLE = [{"model": "dml-ae"}, {"model": "dml-prior"}, {"model": "metric-vae", "pseudo_inputs": 4}]


@pytest.mark.parametrize("given", BALANCEABLE, ids=lambda given: given["model"])
def test_balanced_gradients_are_as_alpha_says(batch, given):
    """At the encoder's last layer, whatever the losses' scales; the parts of L_U keep their shares."""
    made = model(**given, beta=3.0, reconstruction="mean")
    if made.prior is not None and made.prior.pseudo_inputs is not None:
        made.prior.start((batch.images * 255).to(torch.uint8), torch.Generator().manual_seed(0))
    active = [name for name in (METRIC, RECONSTRUCTION, KL) if name in made.weights(1.0, 1.0)]
    terms = made.terms(batch._replace(noise=made.noise(batch, active, torch.Generator().manual_seed(0))), active)
    weights = made.balanced(terms, 0.8, 0.2, 0.5)
    unsupervised = sum(weights[name] * term for name, term in terms.items() if name != METRIC)
    of_s, of_u = gradient(made, weights[METRIC] * terms[METRIC]).norm(), gradient(made, unsupervised).norm()
    assert weights[METRIC] == 0.8 and torch.allclose(of_u / of_s, torch.tensor(0.25), rtol=1e-4)
    assert not any(weight.requires_grad for name, weight in weights.items() if name != METRIC)
    if KL in active and RECONSTRUCTION in active:
        assert torch.allclose(weights[KL], 3.0 * 0.5 * weights[RECONSTRUCTION])


def test_summed_and_averaged_pixels_are_the_same_when_balanced(batch):
    """All gradients of the weighted losses, not only those of the last layer."""
    found = []
    for reduction in ("sum", "mean"):
        made = model(reconstruction=reduction)
        terms = made.terms(batch, [METRIC, RECONSTRUCTION])
        weights = made.balanced(terms, 0.7, 0.3)
        sum(weights[name] * term for name, term in terms.items()).backward()
        found.append([parameter.grad for parameter in made.parameters()])
    for summed, averaged in zip(*found, strict=True):
        assert torch.allclose(summed, averaged, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(("active", "w_s", "w_u"), [((METRIC,), 1.0, 0.0), ((RECONSTRUCTION,), 0.0, 1.0)])
def test_one_loss_alone_has_nothing_to_balance(batch, active, w_s, w_u):
    made = model()
    terms = made.terms(batch, active)
    made._at_last_layer = None  # would fail if it were called
    assert made.balanced(terms, w_s, w_u) == made.weights(w_s, w_u)
    alone = model(model="dml")
    assert alone.balanced(alone.terms(batch, [METRIC]), 0.5, 0.5) == {METRIC: 1.0}


def test_balance_leaves_the_images_their_loss_when_the_labels_have_none(batch):
    """All triplets satisfied: the ratio would be 0, and nothing would be trained."""
    made = model(model="dml-ae")
    terms = made.terms(batch, [METRIC, RECONSTRUCTION])
    weights = made.balanced(terms | {METRIC: terms[METRIC] * 0}, 0.7, 0.3)
    assert float(weights[RECONSTRUCTION]) == pytest.approx(0.3)
