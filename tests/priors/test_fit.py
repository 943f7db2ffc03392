"""A fitted mixture finds the blobs that points were drawn from, as knobs that RunConfig takes."""

import math

import numpy as np
import pytest

from semidml.config import RunConfig
from semidml.explore.prior import after
from semidml.priors import given
from semidml.priors.fit import fit

CENTRES = np.array([[-6.0, -1.0], [-2.0, 5.0], [1.0, -4.0], [5.0, 3.0]])  # from left to right
SHARES, SIGMA = np.array([0.1, 0.2, 0.3, 0.4]), 0.5


def blobs(dimensions: int = 2, n: int = 4000) -> np.ndarray:
    """Rows (n, D) of four round blobs, with zeros in the dimensions beyond the second of their centres."""
    rng = np.random.default_rng(0)
    middles = np.pad(CENTRES, ((0, 0), (0, dimensions - 2)))[rng.choice(4, n, p=SHARES)]
    return (middles + SIGMA * rng.normal(size=(n, dimensions))).astype(np.float32)


@pytest.mark.parametrize("dimensions", [2, 5])
def test_four_blobs_are_found(dimensions):
    """Centres to five standard errors of the rarest blob's mean, its share to five of a binomial."""
    found = fit(blobs(dimensions), 4, seed=0)
    positions, weights = given.positions_of(found["positions"]), given.weights_of(found["component_weights"])
    assert np.abs(np.array(positions)[:, :2] - CENTRES).max() < 5 * SIGMA / math.sqrt(400)
    assert np.abs(np.array(weights) / sum(weights) - SHARES).max() < 5 * math.sqrt(0.25 / 4000)
    assert found["component_log_var"] == pytest.approx(2 * math.log(SIGMA), abs=0.05)
    assert len(found["positions"]) < 4 * dimensions * 8
    model = {"model": "dml-prior", "latent_dim": dimensions}
    assert RunConfig.of(model | found).component_count() == 4


def test_one_variance_is_the_weighted_mean():
    """A component alone has the variance of all points, their mean over dimensions."""
    latents = blobs()
    found = fit(latents, 1, seed=0)
    assert found["component_log_var"] == pytest.approx(math.log(latents.var(axis=0).mean()), abs=0.006)
    assert found["component_weights"] == "1"


def test_the_same_seed_gives_the_same_mixture():
    assert fit(blobs(n=500), 7, seed=3) == fit(blobs(n=500), 7, seed=3)


@pytest.mark.parametrize(
    ("latents", "components", "said"),
    [
        (np.zeros((50, 2)), 2, "at most the number of different latents, 1, got 2"),
        (blobs(n=3), 4, "at most the number of different latents, 3, got 4"),
        (np.full((50, 2), np.nan), 2, "not finite"),
        (blobs(), 0, "components must be between 1 and 1,024, got 0"),
    ],
)
def test_what_cannot_be_fitted_is_said(latents, components, said):
    with pytest.raises(ValueError) as error:
        fit(latents, components, seed=0)
    assert said in str(error.value)


def test_latents_too_wide_for_a_prior_are_refused():
    with pytest.raises(ValueError, match="positions must be between -1,000 and 1,000"):
        after(RunConfig.of({}), fit(blobs() * 1000, 4, seed=0))


@pytest.mark.parametrize(
    ("old", "model"),
    [
        ({"model": "dml", "pl": 5}, "dml-prior"),
        ({"model": "dml-ae", "alpha": 1, "warmup_epochs": 2}, "metric-vae"),
        ({"model": "dml-prior", "placement": "lattice", "components": 12, "balance": "sinkhorn"}, "dml-prior"),
        ({"model": "metric-vae", "pseudo_inputs": 50}, "metric-vae"),
    ],
)
def test_the_next_setting_keeps_what_has_an_effect(old, model):
    config, fitted = RunConfig.of(old), fit(blobs(), 4, seed=0)
    new = after(config, fitted)
    assert (new.model, new.prior) == (model, "gmm") and set(new.changed()) <= new.used()
    assert all(getattr(new, name) == value for name, value in fitted.items())
    same = set(config.changed()) & new.used() - set(fitted) - {"model", "prior"}
    assert all(getattr(new, name) == getattr(config, name) for name in same)


def test_a_run_without_labels_has_no_counterpart_with_a_prior():
    found = fit(blobs(), 4, seed=0)
    with pytest.raises(ValueError, match="no counterpart with a prior"):
        after(RunConfig.of({"model": "cbswr", "latent_dim": 2}), found)
