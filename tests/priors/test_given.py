"""Positions and weights as text: what is read is what was written, all else is refused in words, and it is the mixture
that is trained with."""

import math

import numpy as np
import pytest
import torch

from semidml.config import RunConfig
from semidml.methods.latent import build
from semidml.priors import MOST_COMPONENTS, given, mixture
from semidml.priors.density import REACH, modes
from semidml.priors.picture import mixture_picture
from semidml.priors.places import place_components
from semidml.priors.words import PLACED

MINE = {"model": "dml-prior", "placement": "given"}
GIVEN = {"components": 10, "placement": "given", "component_spacing": 2.0, "component_log_var": -2.0}
THREE = {"positions": "-2,0.5; 2.5,0; 1,-1.5", "component_weights": "1,1,2", "component_log_var": -0.5}


def prior_of(**values):
    return build(RunConfig.of(MINE | values), (1, 4, 4), 3).double().requires_grad_(False).prior


@pytest.mark.parametrize("text", ["0,0", "0,0; 2.5,0; 1,-1.5", "1", "-0.001,1e-05,1000", "1,2; 1,2"])
def test_text_to_positions_to_text(text):
    assert given.positions_text(given.positions_of(text)) == text


def test_text_may_be_untidy():
    assert given.positions_of(" 0 ,-0;2.50,1e2 ; ") == ((0, 0), (2.5, 100))
    assert given.positions_text([(-0.0, 1 / 3)]) == "0,0.3333333333"
    assert given.weights_of(" 1, 2.5 ,") == (1, 2.5) and given.weights_of(" ") == given.positions_of("") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,0; inf,0", "component 2 has 'inf'"),
        ("0,0; 1,", "component 2 has ''"),
        ("0,0; 1,two", "component 2 has 'two'"),
        ("0,0;; 1,1", "component 2 is empty"),
        ("0,0; 1", "as many coordinates, got 1 and 2"),
        ("0,0; 1000.1,0", "between -1,000 and 1,000, and component 2 has 1000.1"),
        ("0;" * MOST_COMPONENTS + "0", "at most 1,024 components, got 1,025"),
        ("0" * 20_001, "at most 20,000 characters long, got 20,001"),
    ],
)
def test_positions_that_are_refused(text, said):
    with pytest.raises(ValueError, match=r"^positions must") as error:
        given.positions_of(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "text", ["1,-1", "1,0", "nan", "inf,1", "1,,2", "1;2", "1,1e-9", "1e39,2e39", "1e-60,1e-60", "1," * 1025 + "1"]
)
def test_weights_that_are_refused(text):
    with pytest.raises(ValueError, match=r"^component_weights must"):
        given.weights_of(text)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(0, 0, 1), (None, 1, 1)], "component 2 has no x"),
        ([(0, math.nan, 1)], "component 1 has no y"),
        ([(0, 0, None)], "component 1 has no weight"),
        ([(0, 0, -1)], "weight 1 is '-1'"),
        ([(0, 5000, 1)], "component 1 has 5000"),
        ([], "at least one component"),
    ],
)
def test_a_table_that_is_refused(rows, said):
    with pytest.raises(ValueError) as error:
        given.of_table(rows)
    assert said in str(error.value)


def test_a_table_becomes_texts():
    assert given.of_table([(0, 0.5, 1), (2, -1, 3)]) == ("0,0.5; 2,-1", "1,3")
    assert given.of_table([(0, 0.5, 2), (2, -1, 2)]) == ("0,0.5; 2,-1", "")


def test_rounding_moves_nothing_by_more_than_a_hundredth_of_sigma():
    for log_var in (-12.0, -2.0, 0.0, 1.0, 6.0):
        exact = [(math.pi, -math.e), (100 / 3, 1e-7)]
        near = given.rounded(exact, log_var)
        off = max(abs(a - b) for one, other in zip(exact, near, strict=True) for a, b in zip(one, other, strict=True))
        assert off <= math.exp(log_var / 2) / 100
        assert len(given.positions_text(near)) < 40


def test_positions_and_weights_reach_components_and_density():
    its = prior_of(**THREE)
    means, log_vars, weights = its.components()
    assert torch.allclose(means, torch.tensor([[-2, 0.5], [2.5, 0], [1, -1.5]]).double())
    assert torch.allclose(weights, torch.tensor([0.25, 0.25, 0.5]).double()) and (log_vars == -0.5).all()
    z, variance = torch.tensor([0.3, -0.2]).double(), math.exp(-0.5)
    shares = [
        w * math.exp(-float((z - m).square().sum()) / 2 / variance) / (2 * math.pi * variance)
        for w, m in zip((0.25, 0.25, 0.5), means, strict=True)
    ]
    assert float(its.log_prob(z[None])) == pytest.approx(math.log(sum(shares)))


def test_a_weighted_given_mixture_integrates_to_one():
    axis = torch.linspace(-10, 10, 601, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    assert float(prior_of(**THREE).log_prob(points).exp().sum()) * (20 / 600) ** 2 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("placement", "k"), [("vertices", 4), ("lattice", 7), ("sphere", 7)])
def test_every_placement_takes_weights(placement, k):
    weights = ",".join(str(number) for number in range(1, k + 1))
    its = prior_of(placement=placement, components=7, component_weights=weights)
    assert its.weights.tolist() == pytest.approx([2 * number / k / (k + 1) for number in range(1, k + 1)])


def test_balanced_responsibilities_follow_the_weights():
    """Were columns shared evenly whatever the weights, these would change no gradient."""
    z, flat = torch.randn(1, 40, 2, generator=torch.Generator().manual_seed(0)).double(), torch.zeros(40, 2).double()
    gradients = []
    for weights in ("", "1,1,2"):
        prior = prior_of(**THREE | {"component_weights": weights, "balance": "sinkhorn"})
        at = z.clone().requires_grad_()
        prior.kl(at, flat, flat).sum().backward()
        gradients.append(at.grad)
    assert float((gradients[0] - gradients[1]).abs().max()) > 0.1


def test_the_picture_holds_all_components():
    its = mixture_picture(positions="5,5; 9,5; 5,7", component_weights="1,1,2", **GIVEN)
    assert its["means"].tolist() == [[5, 5], [9, 5], [5, 7]] and its["weights"].tolist() == [0.25, 0.25, 0.5]
    sigma = math.exp(-1)
    x, y, share = its["regions"]
    assert x[0] == pytest.approx(5 - REACH * sigma) and x[-1] == pytest.approx(9 + REACH * sigma)
    row, column = divmod(int(share.argmin()), len(x))  # the densest place
    assert (x[column], y[row]) == pytest.approx((5, 7), abs=0.1)


def test_what_is_drawn_is_what_is_trained_with():
    """The page places components without torch, a training with it: at the same places, with the same weights."""
    for values in (
        THREE | {"placement": "given"},
        *({"placement": name} for name in ("vertices", "lattice", "sphere")),
    ):
        config = RunConfig.of({"model": "dml-prior", "latent_dim": 2, "components": 7} | values)
        means, log_vars, weights = config.make("prior", 2, (1, 1, 1)).components()
        its = mixture_picture(**{name: getattr(config, name) for name in PLACED})
        assert torch.equal(means, torch.from_numpy(its["means"])) and torch.allclose(
            weights, torch.tensor(its["weights"])
        )
        assert its["sigma"] == pytest.approx(float((log_vars[0, 0] / 2).exp()))
        joint = mixture.log_joint(torch.zeros(1, 2), means, log_vars, weights.log())
        assert joint.logsumexp(1).exp().item() == pytest.approx(float(density_at(its)), rel=1e-3)
        assert len(its["samples"]) == 400
        scatter = its["samples"].mean(0) - its["weights"] @ its["means"]
        assert abs(scatter).max() < 0.2 + 0.1 * abs(its["means"]).max()


def density_at(its):
    """The density of a drawn mixture at the origin, by its formula."""
    squares = (its["means"] ** 2).sum(1) / its["sigma"] ** 2
    return (its["weights"] * np.exp(-squares / 2)).sum() / (2 * math.pi * its["sigma"] ** 2)


def test_components_in_one_place_are_one_mode():
    its = mixture_picture(positions="1,1; 1,1", **GIVEN)
    assert len(its["modes"]) == 1 and len(modes(*place_components(2, **GIVEN, positions="1,1; 1,1"))) == 1
