"""Priors are densities, KL divergences are what integrals say, and components lie where they should."""

import math

import numpy as np
import pytest
import torch

from semidml.config import RunConfig
from semidml.methods.latent import KL, Batch, build
from semidml.priors import PRIORS, density, mixture, places
from semidml.priors.gmm import Gmm, Unit
from semidml.priors.vamp import reflected
from semidml.priors.words import describe

SHAPE = (1, 4, 4)


def model(**values):
    torch.manual_seed(0)
    return build(RunConfig.of({"model": "metric-vae", "pseudo_inputs": 7} | values), SHAPE, 3).double()


def batch_of(made, images: torch.Tensor) -> Batch:
    """For the KL term alone."""
    batch = Batch(None, torch.zeros(0), None, images)
    return batch._replace(noise=made.noise(batch, [KL], torch.Generator().manual_seed(3)).to(images))


def grid(dimensions: int, reach: float = 14.0, n: int = 801) -> tuple[torch.Tensor, float]:
    """Points (n^D, D) of a grid and the volume of a cell."""
    axis = torch.linspace(-reach, reach, n, dtype=torch.float64)
    return torch.cartesian_prod(*[axis] * dimensions).reshape(-1, dimensions), (2 * reach / (n - 1)) ** dimensions


def some_mixture(dimensions: int) -> Gmm:
    generator = torch.Generator().manual_seed(1)
    means = 2 * torch.randn(4, dimensions, generator=generator)
    log_vars = torch.randn(4, dimensions, generator=generator) / 2
    return Gmm(means, log_vars, torch.tensor([0.1, 0.2, 0.3, 0.4])).double()


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("prior", [name for name in PRIORS if name != "none"])
def test_the_density_integrates_to_one(prior, dimensions):
    its = model(prior=prior, latent_dim=dimensions).requires_grad_(False).prior
    points, cell = grid(dimensions)
    assert float(its.log_prob(points).exp().sum()) * cell == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("prior", [name for name in PRIORS if name != "none"])
def test_the_contract(prior):
    its = model(prior=prior, latent_dim=3).requires_grad_(False).prior
    means, log_vars, weights = its.components()
    assert means.shape == log_vars.shape == (len(weights), 3) and float(weights.sum()) == pytest.approx(1)
    drawn = its.sample(20_000, torch.Generator().manual_seed(0))
    assert drawn.shape == (20_000, 3) and its.log_prob(drawn).shape == (20_000,)
    expected = (weights[:, None] * means).sum(0)
    variance = (weights[:, None] * (log_vars.exp() + means.square())).sum(0) - expected.square()
    assert torch.allclose(drawn.mean(0), expected, atol=5 * float((variance / 20_000).sqrt().max()))
    assert torch.allclose(drawn.var(0), variance, rtol=0.08)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_kl_in_closed_form_and_by_samples_is_the_integral(dimensions):
    mean, log_var = torch.full((1, dimensions), 0.7).double(), torch.full((1, dimensions), -0.4).double()
    points, cell = grid(dimensions)
    log_q = mixture.gaussian_log_density(points[:, None], mean, log_var)[:, 0]
    z = (
        mean
        + (log_var / 2).exp() * torch.randn(40_000, 1, dimensions, generator=torch.Generator().manual_seed(0)).double()
    )
    for prior in (Unit(dimensions).double(), some_mixture(dimensions)):
        integral = float((log_q.exp() * (log_q - prior.log_prob(points))).sum()) * cell
        draws = mixture.gaussian_log_density(z, mean, log_var) - prior.log_prob(z)  # (S, 1)
        error = float(draws.std()) / math.sqrt(len(draws))
        found = float(mixture.kl_monte_carlo(z, mean, log_var, prior.log_prob(z)))
        assert abs(found - integral) < 3 * error
        if isinstance(prior, Unit):
            assert float(prior.kl(z, mean, log_var)) == pytest.approx(integral, abs=1e-6)


def test_vamp_is_the_mean_of_the_posteriors_of_its_pseudo_inputs():
    made = model(prior="vamp")
    z = torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).double()
    summed = torch.zeros(5).double()
    for pseudo_input in made.prior.pseudo_inputs:
        mean, log_var = made.posterior(pseudo_input[None])
        variance = log_var.exp()
        summed += ((-((z - mean) ** 2) / variance / 2).exp() / (2 * math.pi * variance).sqrt()).prod(1) / 7
    assert torch.allclose(made.prior.log_prob(z), summed.log())


@pytest.mark.parametrize("samples", [1, 4])
def test_gradients_reach_the_pseudo_inputs(samples):
    made = model(prior="vamp", kl_samples=samples)
    images = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0)).double()
    made.terms(batch_of(made, images), [KL])[KL].backward()
    assert float(made.prior.free.grad.abs().sum()) > 0


def test_every_pixel_of_a_pseudo_input_has_a_gradient_at_its_bounds_too():
    made = model(prior="vamp")
    with torch.no_grad():
        made.prior.free.copy_(torch.tensor([0.0, 1.0, 0.5, 2.0, -1.0, 1e-9, 1 - 1e-9]).view(7, 1, 1, 1).double())
    made.prior.pseudo_inputs.sum().backward()
    assert (made.prior.free.grad.abs() == 1).all()


def test_a_pixel_is_reflected_where_it_would_leave_its_range():
    free = torch.tensor([0.0, 0.25, 1.0, 1.25, 2.0, 2.25, -0.25, -1.0, -1.25], dtype=torch.float64)
    assert reflected(free).tolist() == [0, 0.25, 1, 0.75, 0, 0.25, 0.25, 1, 0.75]


def test_pixels_that_start_at_a_bound_move_as_all_others_do():
    """Four of five pixels of MNIST are exactly 0 or 1; none of them moved where they were cut off there."""
    made = model(prior="vamp")
    images = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0)).double().round()  # 0 and 1 only
    with torch.no_grad():
        made.prior.free.copy_(images.repeat(2, 1, 1, 1)[:7])
    optimizer = torch.optim.Adam(made.parameters(), lr=0.01)
    with_gradient = torch.zeros_like(made.prior.free, dtype=torch.bool)
    before = made.prior.pseudo_inputs.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        made.terms(batch_of(made, images), [KL])[KL].backward()
        with_gradient |= made.prior.free.grad != 0
        optimizer.step()
    after = made.prior.pseudo_inputs.detach()
    assert with_gradient.all() and ((after != before) == with_gradient).all()
    assert (after >= 0).all() and (after <= 1).all()


def test_weights_with_pixels_that_were_cut_off_give_the_same_pseudo_inputs():
    made = model(prior="vamp")
    weights = made.state_dict()
    old = torch.linspace(-0.5, 1.5, weights["prior.free"].numel()).view_as(weights["prior.free"]).double()
    del weights["prior.free"]
    made.load_state_dict(weights | {"prior.pixels": old})
    assert torch.equal(made.prior.pseudo_inputs, old.clamp(0, 1))


def test_terms_take_the_pseudo_inputs_along_and_find_the_same_kl():
    made = model(prior="vamp")
    images = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0)).double()
    batch = batch_of(made, images)
    together = made.terms(batch, [KL])[KL]
    mean, log_var = made.posterior(images)
    z = mean + (log_var / 2).exp() * batch.noise
    assert torch.allclose(together, made.prior.kl(z[None], mean, log_var).mean())


def test_pseudo_inputs_start_from_different_training_images():
    images = torch.arange(50, dtype=torch.uint8)[:, None, None, None].expand(50, *SHAPE)
    its = model().prior.float()
    its.start(images, torch.Generator().manual_seed(0))
    values = (its.pseudo_inputs * 255).round()
    assert (values == values[:, :1, :1, :1]).all() and len(values[:, 0, 0, 0].unique()) == 7


# ---- balance and modes


def test_sinkhorn_shares_rows_evenly():
    scores = 3 * torch.randn(60, 6, generator=torch.Generator().manual_seed(0))
    scores[:, 0] += 5  # one component would take nearly all
    q = mixture.sinkhorn(scores, torch.full((6,), 1 / 6), rounds=200)
    assert torch.allclose(q.sum(1), torch.ones(60), atol=1e-5) and torch.allclose(
        q.sum(0), torch.full((6,), 10.0), atol=1e-3
    )
    assert mixture.sinkhorn(scores.requires_grad_(), torch.full((6,), 1 / 6)).grad_fn is None


def test_sinkhorn_shares_rows_by_weight():
    scores = 3 * torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    q = mixture.sinkhorn(scores, torch.tensor([0.5, 0.3, 0.2]), rounds=200)
    assert torch.allclose(q.sum(1), torch.ones(60), atol=1e-5)
    assert torch.allclose(q.sum(0), torch.tensor([30.0, 18.0, 12.0]), atol=1e-3)


def test_with_even_responsibilities_the_balance_changes_nothing_but_their_entropy():
    """Where every component is equally responsible, Q = r, and the two forms differ by H(r) = log K."""
    prior = Gmm(torch.tensor([[0.0, 1.0], [0.0, -1.0]]), torch.zeros(2, 2), balanced=True)
    mean, log_var = torch.tensor([[0.5, 0.0], [2.0, 0.0]]), torch.zeros(2, 2)
    joint = mixture.log_joint(mean[None], *prior.components()[:2], prior.weights.log())
    entropy = (1 + math.log(2 * math.pi)) * torch.ones(2)
    assert torch.allclose(prior.kl(mean[None], mean, log_var), -prior.log_prob(mean) - entropy + math.log(2))
    assert joint.shape == (1, 2, 2)


@pytest.mark.parametrize(("distance", "modes"), [(1.9, 1), (2.1, 2), (6.0, 2)])
@pytest.mark.parametrize("dimensions", [1, 2, 4])
def test_two_equal_gaussians_merge_below_two_sigma(distance, modes, dimensions):
    means = torch.zeros(2, dimensions)
    means[1, 0] = distance * math.exp(0.3 / 2)
    found = density.modes(means.numpy(), np.full((2, dimensions), 0.3), np.full(2, 0.5))
    assert len(found) == modes


def described(placement, components, latent_dim, spacing, log_var, positions="", weights=""):
    """What is said of a mixture of these knobs."""
    places_and_weights = {"placement": placement, "positions": positions, "component_weights": weights}
    shape = {"components": components, "component_spacing": spacing, "component_log_var": log_var}
    return describe(RunConfig(model="dml-prior", prior="gmm", latent_dim=latent_dim, **places_and_weights, **shape))


def test_the_papers_mixture_has_one_mode():
    """Vertices 2 apart with log-variance 1: counted by the rule for cubes and by ascent."""
    for dimensions in (1, 2, 3, 4):
        corners = 2 * places.place("vertices", 0, dimensions)
        equal = np.full(2**dimensions, 0.5**dimensions)
        assert len(density.modes(corners, np.ones_like(corners), equal)) == 1
        assert "merge into 1 mode" in described("vertices", 10, dimensions, 2.0, 1.0)
        assert len(density.modes(corners, np.full_like(corners, -2.0), equal)) == 2**dimensions
        assert f"**{2**dimensions} modes**" in described("vertices", 10, dimensions, 2.0, -2.0)
    assert "**10 modes**" in described("lattice", 10, 2, 2.67, -1.0)
    assert "not counted" in described("sphere", 400, 5, 1.0, -3.0)


def test_words_say_the_smallest_distance_reached():
    """Ten points of a circle are 2 sin(pi / 10) of its radius apart; eight on a ball, a twisted cube, 1.215 of it
    (Schuette and van der Waerden 1951)."""
    assert "the nearest two 2.5 apart, 0.62 of the sphere's radius 4.05" in described("sphere", 10, 2, 2.5, -2.0)
    assert "the nearest two 1 apart, 1.21 of the sphere's radius 0.824" in described("sphere", 8, 3, 1.0, -2.0)
    assert "the nearest two 0.5 apart" in described("given", 10, 2, 2.0, -6.0, "0,0; 0.3,0.4; 9,9")
    assert described("given", 10, 2, 2.0, 0.0, "0,0").startswith("1 component, sigma 1.00: **1 mode**")


def test_weights_count_when_modes_are():
    """Two Gaussians 2.2 sigma apart: equal ones keep both modes, beside one of a hundred times its weight it drowns."""
    assert "**2 modes**" in described("given", 10, 2, 2.0, 0.0, "0,0; 2.2,0", "")
    assert "merge into 1 mode" in described("given", 10, 2, 2.0, 0.0, "0,0; 2.2,0", "100,1")
    assert "**4 modes**" in described("vertices", 10, 2, 2.2, 0.0)
    assert "merge into 1 mode" in described("vertices", 10, 2, 2.2, 0.0, "", "100,1,1,1")


# ---- places


@pytest.mark.parametrize(("placement", "dimensions"), [("vertices", 3), ("lattice", 2), ("sphere", 2), ("sphere", 3)])
def test_neighbours_are_one_unit_apart_around_the_origin(placement, dimensions):
    points = places.place(placement, 8, dimensions)
    assert points.shape == (8, dimensions)
    assert places.smallest_distance(points) == pytest.approx(1, abs=1e-5)
    assert np.abs(points.mean(0)).max() < 0.02


@pytest.mark.parametrize("dimensions", [2, 3, 5, 9])
def test_up_to_d_plus_one_points_on_a_sphere_are_a_simplex(dimensions):
    """The known optimum: all distances are sqrt(2 K / (K - 1))."""
    for k in {2, dimensions, dimensions + 1}:
        if dimensions == 2 and k == 3:
            continue  # a polygon, below
        distances = torch.pdist(torch.from_numpy(places.repel(k, dimensions)).float())
        assert torch.allclose(distances, torch.full_like(distances, math.sqrt(2 * k / (k - 1))), atol=2e-3)


def test_on_the_circle_the_repulsion_finds_the_polygon():
    for k in (3, 5, 8):
        assert places.smallest_distance(places.repel(k, 2)) == pytest.approx(2 * math.sin(math.pi / k), abs=2e-3)


def test_six_points_on_the_ball_are_an_octahedron():
    assert places.smallest_distance(places.repel(6, 3)) == pytest.approx(math.sqrt(2), abs=2e-3)


def test_ten_places_of_a_lattice_are_rows_of_three_four_and_three():
    rows = np.round(places.place("lattice", 10, 2)[:, 1], 3)
    assert sorted(np.unique(rows, return_counts=True)[1].tolist()) == [3, 3, 4]
