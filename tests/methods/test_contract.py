"""What `semidml.methods` asks of a model, of every model of the table and of two that are not in it."""

import pytest
import torch

from semidml.config import RunConfig, declared_knobs
from semidml.methods import METHODS, MODELS, Batch, corners_of, method_of, methods, models_of, with_prior
from semidml.train.task import seeded_model

NAMES = [*MODELS, "barlow-twins", "supervised-ae"]
FACTS = {"decoder", "prior", "labels", "clusters", "directions", "claim"}
SHAPE, CLASSES = (1, 8, 8), 10
x = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(0))

pytestmark = pytest.mark.usefixtures("newcomers")


def config(name: str, **values: object) -> RunConfig:
    return RunConfig.of({"model": name, "latent_dim": 3, "device": "cpu"} | values)


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_is_whole(name: str) -> None:
    entry = MODELS[name]
    assert FACTS <= set(entry.facts) <= FACTS | {"alone", "method", "images", "most", "side_by_side"}
    assert {*entry.knobs, *entry.defaults, *entry.facts.get("most", {})} <= set(declared_knobs())
    assert set(entry.facts.get("side_by_side") or ()) <= set(declared_knobs())
    assert ("prior" in entry.knobs) == entry.facts["prior"] == (entry.defaults.get("prior", "none") != "none")
    assert name in models_of(method_of(name).name) and method_of(name).name in methods()


@pytest.mark.parametrize("name", NAMES)
def test_the_method_has_what_its_entry_says(name: str) -> None:
    facts, its = MODELS[name].facts, config(name)
    made = seeded_model(its, SHAPE, CLASSES).eval()
    assert set(made.weights(0.5, 0.5, 1.0)) <= set(made.reads) and list(made.encoder.parameters())
    assert all(set(rows) <= set(Batch._fields) for rows in made.reads.values())
    assert any("labelled" in rows for rows in made.reads.values()) == facts["labels"]
    with torch.no_grad():
        z = made.embed(x)
        assert z.shape == (6, 3) and (torch.allclose(z.norm(dim=1), torch.ones(6), atol=1e-5) or not its.on_sphere)
        if facts["decoder"]:
            drawn = made.decode(z)
            assert drawn.shape == x.shape and drawn.min() >= 0 and drawn.max() <= 1
        if facts["prior"]:
            assert all(part.shape == z.shape for part in made.posterior(x))
            assert made.prior.log_prob(z).shape == (6,)
        if facts["clusters"]:
            representations, embeddings, logits = made.heads(x)
            assert len(representations) == len(logits) == 6 and torch.equal(embeddings, z) and not made.lonely_steps
        if its.draws_clusters:
            assert made.draw(representations).shape == x.shape
        if "loss" in its.used():
            assert made.with_lengths(x).shape == z.shape


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_likelihood_is_of_all_pixels_whatever_the_training_averages(likelihood: str) -> None:
    settings = {"likelihood": likelihood, "pseudo_inputs": 4}
    summed, averaged = (
        seeded_model(config("metric-vae", reconstruction=how, **settings), SHAPE, CLASSES).eval()
        for how in ("sum", "mean")
    )
    with torch.no_grad():
        z = summed.embed(x)
        drawn = summed.decode(z)
        per_pixel = (x - drawn).square() / 2
        if likelihood == "bernoulli":
            per_pixel = -(x * drawn.log() + (1 - x) * (1 - drawn).log())
        expected = per_pixel.flatten(1).sum(1).mean()
        for made in (summed, averaged):
            torch.testing.assert_close(made.nll(z, x), expected, rtol=1e-4, atol=1e-4)


def test_a_prior_is_sought_within_the_method() -> None:
    found = {name: with_prior(name) for name in NAMES}
    square = {"dml": "dml-prior", "dml-ae": "metric-vae", "dml-prior": "dml-prior", "metric-vae": "metric-vae"}
    assert found == dict.fromkeys(NAMES) | square
    assert corners_of("square")[False, True] == "dml-prior" and not corners_of("twins")
    assert list(methods()) == [*METHODS, "barlow-twins", "supervised-ae"]
