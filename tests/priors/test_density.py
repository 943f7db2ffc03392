"""A mixture's density in numpy: torch's formula, and regions that hold the mass they say."""

import numpy as np
import pytest
import torch

from semidml.priors import density, mixture
from semidml.priors.density import MASSES, REACH, regions

LATTICE = np.array([[x + y / 2, y * 3**0.5 / 2] for x in (-1, 0, 1) for y in (-1, 0, 1)]) * 2.67
MIXTURES = {
    "one": (np.array([[1.0, -2.0]]), np.array([[0.5, 0.5]]), np.ones(1)),
    "oblong": (np.array([[0.0, 0.0]]), np.array([[-3.0, 1.0]]), np.ones(1)),
    "lattice": (LATTICE, np.full((9, 2), -1.0), np.full(9, 1 / 9)),
    "merged": (np.array([[-1.0, -1], [-1, 1], [1, -1], [1, 1]]), np.ones((4, 2)), np.full(4, 0.25)),
    "unequal": (np.array([[0.0, 0], [5, 5]]), np.array([[0.0, 0], [-2, -1]]), np.array([0.2, 0.8])),
}


def test_it_is_the_formula_of_the_training():
    generator = np.random.default_rng(0)
    z, means, log_vars = (generator.normal(size=(n, 3)) for n in (40, 7, 7))
    weights = generator.dirichlet(np.ones(7))
    told = mixture.log_joint(*(torch.from_numpy(part) for part in (z, means, log_vars, np.log(weights)))).numpy()
    assert np.allclose(density.log_joint(z, means, log_vars, weights), told)


def test_a_component_without_weight_has_no_part():
    joint = density.log_joint(np.zeros((1, 2)), np.zeros((2, 2)), np.zeros((2, 2)), np.array([1.0, 0.0]))
    assert joint[0, 1] == -np.inf and np.isfinite(joint[0, 0])


@pytest.mark.parametrize("mass", MASSES)
@pytest.mark.parametrize("name", MIXTURES)
def test_a_region_holds_the_mass_that_it_says(name, mass):
    """Of 100,000 samples; as tight as their number allows (4 standard errors) and the grid (half a per cent)."""
    means, log_vars, weights = MIXTURES[name]
    generator = np.random.default_rng(1)
    own = generator.choice(len(means), 100_000, p=weights)
    z = means[own] + np.exp(log_vars[own] / 2) * generator.normal(size=(len(own), 2))
    held = float((between(regions(means, log_vars, weights), z) <= mass).mean())
    assert held == pytest.approx(mass, abs=4 * (mass * (1 - mass) / len(z)) ** 0.5 + 0.005)


def test_a_round_gaussian_s_regions_are_its_circles():
    """Radius sigma sqrt(2 ln 1 / (1 - mass))."""
    its = regions(np.zeros((1, 2)), np.zeros((1, 2)), np.ones(1))
    assert its.x[0] == -REACH and its.share.shape == (len(its.y), len(its.x))
    for mass in MASSES:
        radius = (2 * np.log(1 / (1 - mass))) ** 0.5
        around = np.linspace(0, 2 * np.pi, 60)
        on_it = between(its, radius * np.stack([np.cos(around), np.sin(around)], axis=1))
        assert np.abs(on_it - mass).max() < 0.01


def test_what_is_narrower_than_a_cell_is_drawn_a_cell_wide():
    means = np.array([[-5.0, 0.03], [5.0, 0.0]])
    share = regions(means, np.full((2, 2), -12.0), np.full(2, 0.5)).share
    assert 5 < (share <= 0.9).sum() < 0.02 * share.size, "neither nothing nor a smear"
    left, right = (share[:, :48] <= 0.9).sum(), (share[:, 48:] <= 0.9).sum()
    assert left > 0 and right > 0


def test_regions_are_of_the_plane():
    with pytest.raises(ValueError, match="need two dimensions, got 3"):
        regions(np.zeros((1, 3)), np.zeros((1, 3)), np.ones(1))


def between(its, z):
    """The shares at points (N, 2), linearly between the grid's; 1 outside."""
    i, j = ((z[:, d] - axis[0]) / (axis[1] - axis[0]) for d, axis in ((0, its.x), (1, its.y)))
    inside = (i >= 0) & (j >= 0) & (i < len(its.x) - 1) & (j < len(its.y) - 1)
    left, low = (np.where(inside, at, 0).astype(int) for at in (i, j))
    a, b = np.where(inside, i, 0) - left, np.where(inside, j, 0) - low
    share = its.share
    lower = (1 - a) * share[low, left] + a * share[low, left + 1]
    upper = (1 - a) * share[low + 1, left] + a * share[low + 1, left + 1]
    return np.where(inside, (1 - b) * lower + b * upper, 1.0)
