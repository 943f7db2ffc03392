"""A step has no hidden inputs: models that differ in numbers are stepped together as each would be alone."""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from semidml.config import RunConfig
from semidml.data.dataset import Dataset, Split
from semidml.losses import LOSSES
from semidml.methods import VARIANTS, Batch
from semidml.priors import PRIORS
from semidml.train.loop import Training, fit
from semidml.train.step import descend, terms_of

STEPS = 20
NEAR = {"rtol": 1e-5, "atol": 1e-5}
OWN_ROWS = ("labelled", "images", "twins", "noise")  # of a model that is stepped with others
TOGETHER = [name for name, entry in LOSSES.items() if entry.facts["side_by_side"] is not None]
NUMBERS = {  # of three models that are stepped together
    **{"alpha": (0.2, 0.5, 0.8), "gamma": (0.5, 1, 3), "beta": (0.5, 1, 2)},
    **{"margin": (0.1, 0.5, 1), "temperature": (0.1, 0.2, 0.5), "center_weight": (0.01, 0.1, 0.3)},
    **{"component_spacing": (2, 3, 4), "component_log_var": (-2, -1, 0)},
    **{"component_weights": ("", "1,2,3,4", "4,3,2,1"), "pseudo_init": ("images", "noise", "images")},
    **{"metric_weight": (0.9, 0.5, 0.2), "clustering_weight": (0.3, 0.5, 1), "twins_weight": (0.1, 0.2, 0.5)},
    **{"marginal_weight": (1, 1.5, 2), "l2": (0.001, 0.01, 0.1), "reconstruction_weight": (0.001, 0.01, 0.1)},
}


def may_differ(config: RunConfig) -> list[str] | None:
    """The knobs that the entries of these choices let differ; None where one of them cannot be stepped with others."""
    facts = [
        entry.facts.get("side_by_side", ()) for family, entry in config.entries().items() if family in config.used()
    ]
    return None if None in facts else [name for names in facts for name in names if name in config.used()]


def three(**values) -> list[RunConfig]:
    """Settings that differ in the seed and in every knob that may."""
    base = {"data": "digits", "pl": 20, "label_sampling": "balanced", "batch_size": 10, "lr": 1e-4, "lr_decay": "none"}
    base |= {"device": "cpu"} | values
    names = may_differ(RunConfig.of(base))
    return [RunConfig.of(base | {"seed": i} | {name: NUMBERS[name][i] for name in names}) for i in range(3)]


class Alone(NamedTuple):
    """One training, and what each of its steps was given and found."""

    untrained: nn.Module
    training: Training
    batches: list[Batch]
    weights: list[dict[str, float]]
    terms: list[dict[str, Tensor]]


def train_alone(config: RunConfig, digits: Dataset) -> Alone:
    """In double precision: in single, rounding decides which way Adam takes a number whose gradient is nearly 0."""
    training, batches = fit(config, digits), []
    untrained = deepcopy(training.method.double().train())
    in_single = training._batch

    def in_double(*rows: Any) -> Batch:
        batches.append(Batch(*(part.double() if is_float(part) else part for part in in_single(*rows))))
        return batches[-1]

    training._batch = in_double
    rows = training.batches.epoch(training.generator)
    steps = []
    for step in range(STEPS):
        labelled, views, images, twins = (None if part is None else part[step] for part in rows)
        steps.append(training._step(step, labelled, views, images, twins, None))
    return Alone(untrained, training, batches, [weights for _, weights in steps], [terms for terms, _ in steps])


def is_float(part: object) -> bool:
    return isinstance(part, Tensor) and part.is_floating_point()


def assert_together_as_alone(settings: list[RunConfig], digits: Dataset) -> None:
    """The same terms in every step, and the same parameters and buffers in the end."""
    every = [train_alone(config, digits) for config in settings]
    first, optimizer = every[0], every[0].training.optimizer
    parameters, buffers = stack_module_state([one.untrained for one in every])
    stacked = type(optimizer)(parameters.values(), **optimizer.defaults)
    for step in range(STEPS):
        batches = [one.batches[step] for one in every]
        assert all(torch.equal(batch.y, batches[0].y) for batch in batches)
        own = {
            name: torch.stack(parts) for name in OWN_ROWS if is_float((parts := [getattr(b, name) for b in batches])[0])
        }
        batch, axes = batches[0]._replace(**own), Batch(**dict.fromkeys(Batch._fields) | dict.fromkeys(own, 0))
        its = partial(terms_of, first.untrained, active=list(first.terms[step]))
        terms, buffers = vmap(its, in_dims=(0, 0, axes))(parameters, buffers, batch)
        known = {name: torch.stack([one.terms[step][name] for one in every]) for name in first.terms[step]}
        torch.testing.assert_close({name: term.detach() for name, term in terms.items()}, known, **NEAR)
        weights = {
            name: torch.tensor([one.weights[step][name] for one in every], dtype=torch.float64) for name in terms
        }
        descend(stacked, terms, weights)
    assert all(len(set(term.tolist())) == 3 for term in terms.values())
    for i, one in enumerate(every):
        trained = dict(one.training.method.named_parameters()) | dict(one.training.method.named_buffers())
        found = {name: tensor[i] for name, tensor in (parameters | buffers).items()}
        torch.testing.assert_close(found, trained, **NEAR)


CASES = (
    [{"model": model, "loss": loss} for model in ("dml", "metric-vae") for loss in TOGETHER]
    + [{"model": model, "prior": prior} for model in ("dml-prior", "metric-vae") for prior in PRIORS if prior != "none"]
    + [{"model": "dml", "mining": mining} for mining in ("semihard", "hard")]
    + [{"model": "dml-prior", "balance": "sinkhorn", "kl_samples": 3}]
    + [{"model": "dml-ae", "schedule": schedule} for schedule in ("epoch", "batch", "additive")]
    + [{"model": "dml-ae", "encoder": "conv"}]
    + [{"model": "cbswr", "variant": variant} for variant in VARIANTS]
    + [{"model": "cbswr", "formulas": "authors", "clusters": 10}]
)


@pytest.mark.parametrize("values", CASES, ids=lambda values: "-".join(map(str, values.values())))
def test_models_that_differ_in_numbers_are_stepped_together_as_each_alone(digits, values):
    few = replace(digits, train=Split(digits.train.images[:200], digits.train.labels[:200]))
    assert_together_as_alone(three(**values), few)


@pytest.mark.parametrize("loss", [name for name in LOSSES if name not in TOGETHER])
def test_a_loss_that_cannot_be_mapped_over_models_is_refused_by_torch(loss):
    entry, y = LOSSES[loss], torch.arange(12) % 3
    two = [entry.resolve()(2, 3, **{name: getattr(RunConfig(), name) for name in entry.knobs}) for _ in range(2)]
    z = torch.randn(2, 12, 2, generator=torch.Generator().manual_seed(0))
    assert all(its(rows, y).isfinite() for its, rows in zip(two, z, strict=True))
    with pytest.raises(RuntimeError, match="vmap"):
        vmap(lambda *state: functional_call(two[0], state[:2], (state[2], y)))(*stack_module_state(two), z)


@pytest.mark.parametrize(
    "values",
    [{"model": "dml-ae", "encoder": "conv", "loss": "center"}, {"model": "cbswr"}],
    ids=lambda values: values["model"],
)
def test_what_a_step_is_given_stays_as_it_is(digits, values):
    """The model, and the buffers in place of its own; what batch normalisation, centers and counts become comes out."""
    training = fit(three(**values)[0], digits)
    method, rows = training.method.train(), training.batches.epoch(training.generator)
    weights = method.weights(0.5, 0.5)
    active = [name for name, weight in weights.items() if weight]
    batch = training._batch(
        active,
        *(None if part is None else part[0] for part in rows[:3]),
        rows.twins[0] if training.batches.twins else None,
        None,
    )
    own = {name: tensor.clone() for name, tensor in method.state_dict(keep_vars=False).items()}
    buffers = {name: buffer.clone() for name, buffer in method.named_buffers()}
    given = {name: buffer.clone() for name, buffer in buffers.items()}
    terms, after = terms_of(method, dict(method.named_parameters()), given, batch, active)
    again, _ = terms_of(method, dict(method.named_parameters()), given, batch, active)
    assert all(torch.equal(term, again[name]) for name, term in terms.items())
    assert all(torch.equal(tensor, own[name]) for name, tensor in method.state_dict().items())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in given.items())
    moved = {name for name in after if not torch.equal(after[name], buffers[name])}
    assert moved == {name for name in after if "running" in name or "num_batches" in name or "centers" in name}


@pytest.mark.parametrize(
    "values",
    [
        {"model": "metric-vae", "prior": "vamp", "pseudo_inputs": 20, "kl_samples": 2},
        {"model": "cbswr", "formulas": "authors"},
    ],
    ids=lambda values: values["model"],
)
def test_training_neither_draws_from_torchs_own_generator_nor_goes_by_it(digits, values):
    trained = []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            before = torch.get_rng_state()
            training = fit(RunConfig.of({"data": "digits", "pl": 10, "epochs": 1, "device": "cpu"} | values), digits)
            list(training)
            scores = training.finish() | {"seconds": 0}
            assert torch.equal(torch.get_rng_state(), before)
        trained.append((training.weights(), scores))
    assert trained[0][1] == trained[1][1]
    assert all(torch.equal(tensor, trained[1][0][name]) for name, tensor in trained[0][0].items())
