"""RunConfig is the one declaration: bounds hold at the door, errors speak, and every form of it comes back the same."""

import json
import math
import shlex

import pytest

from semidml.config import FAMILIES, RunConfig, allowed, knobs, seen_labels

MINE = {"model": "dml-prior", "placement": "given"}


def test_defaults_are_a_valid_run_on_bundled_data():
    config = RunConfig.of({})
    assert config.data == "digits" and config.entries().keys() == FAMILIES.keys()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alpha": "nan"}, "alpha must be between 0 and 1, got nan"),
        ({"alpha": math.inf}, "alpha must be between 0 and 1, got inf"),
        ({"alpha": 1.5}, "alpha must be between 0 and 1, got 1.5"),
        ({"pl": 0}, "pl must be above 0 and at most 100, got 0"),
        ({"epochs": 10**9}, "epochs must be a whole number between 1 and 10000, got 1000000000"),
        ({"latent_dim": 513}, "latent_dim must be a whole number between 1 and 512, got 513"),
        ({"latent_dim": "two"}, "latent_dim must be a whole number between 1 and 512, got two"),
        ({"mining": "easy"}, "mining must be one of all, semihard, hard, got easy"),
        ({"model": "gan"}, "model must be one of dml, dml-ae, dml-prior, metric-vae, cbswr; got 'gan'"),
        ({"model": "dml", "prior": "gmm"}, "dml has no prior: choose one of the models dml-prior, metric-vae"),
        ({"model": "dml-prior", "prior": "none"}, "dml-prior needs a prior: one of unit, gmm, vamp"),
        ({"model": "dml-prior", "components": 0}, "components must be a whole number between 1 and 500, got 0"),
        (
            {"model": "dml-prior", "component_log_var": 1e9},
            "component_log_var must be between -12 and 6, got 1000000000",
        ),
        ({"model": "dml-prior", "latent_dim": 20}, "a cube in latent_dim 20 has 2^20 = 1,048,576 vertices"),
        ({"model": "dml-prior", "placement": "lattice", "latent_dim": 4}, "a lattice lies in the plane"),
        (MINE, "placement given needs positions, like 0,0; 2.5,0"),
        (MINE | {"positions": "0,0; nan,1"}, "component 2 has 'nan'"),
        (MINE | {"positions": "0,0,0"}, "positions must have as many coordinates as latent_dim, 2, and have 3"),
        (MINE | {"positions": "0,0; 1,1", "component_weights": "1,1,1"}, "as many as there are components, 2, got 3"),
        ({"model": "dml-prior", "component_weights": "1,1,1"}, "as many as there are components, 4, got 3"),
        ({"positions": "0,0; 1"}, "positions must all have as many coordinates, got 1 and 2"),
        ({"positions": 7}, "positions must be a text, a component a semicolon: 0,0; 2.5,0, got 7"),
        (
            {"component_weights": "1,0"},
            "component_weights must be numbers between 1e-06 and 1,000,000, and weight 2 is '0'",
        ),
        ({"model": "metric-vae", "pseudo_inputs": 0}, "pseudo_inputs must be a whole number between 1 and 500, got 0"),
        ({"colour": 1}, "there is no knob called 'colour'"),
        ({"optimizer": "sgd", "momentum": 1}, "momentum must be between 0 and 0.999, got 1"),
        ({"momentum": -0.1}, "momentum must be between 0 and 0.999, got -0.1"),
        ({"momentum": "nan"}, "momentum must be between 0 and 0.999, got nan"),
        ({"model": "cbswr", "head_dropout": 1}, "head_dropout must be between 0 and 0.95, got 1"),
        (
            {"model": "cbswr", "last_batch": "dropped", "batch_size": 1298},
            "with last_batch dropped, batch_size must be at most the number of training images, 1,297, got 1,298: "
            "lower it, or choose last_batch filled",
        ),
        ({"model": "dml", "alpha": 1}, "alpha = 1 leaves dml without any loss"),
        ({"warmup_epochs": 7, "epochs": 5}, "warmup_epochs must be at most epochs (5), got 7"),
        ({"alpha": 2, "pl": -1}, "alpha must be between 0 and 1, got 2; pl must be above 0 and at most 100, got -1"),
        ({"model": "dml", "alpha": 1}, "alpha = 1 leaves dml without any loss"),
        ({"warmup_epochs": 7, "epochs": 5}, "warmup_epochs must be at most epochs (5), got 7"),
        ({"alpha": 2, "pl": -1}, "alpha must be between 0 and 1, got 2; pl must be above 0 and at most 100, got -1"),
    ],
)
def test_a_bad_value_is_refused_in_words(given, said):
    with pytest.raises(ValueError) as error:
        RunConfig.of(given)
    assert said in str(error.value)


def test_numbers_may_be_text_as_in_links():
    assert RunConfig.of({"alpha": "0.25", "latent_dim": "3"}) == RunConfig.of({"alpha": 0.25, "latent_dim": 3})


def test_json_both_ways():
    config = RunConfig.of({"data": "mnist", "pl": 0.1, "alpha": 0.3, "loss": "contrastive"})
    assert RunConfig.of(json.loads(config.model_dump_json())) == config


@pytest.mark.parametrize(
    "given",
    [
        {"data": "mnist", "model": "dml", "pl": 0.1, "latent_dim": 10, "augment": "on", "epochs": 7},
        MINE | {"positions": "-1,0; 2.5,0; 1,-1.5", "component_weights": "1,1,2", "component_log_var": -2},
    ],
)
def test_the_command_line_says_the_same(given):
    from semidml.cli import parser

    config = RunConfig.of(given)
    words = shlex.split(config.command())[3:]
    asked = vars(parser().parse_args(words))
    assert RunConfig.of({k: v for k, v in asked.items() if k in knobs() and v is not None}) == config


def test_a_data_set_suggests_its_own_epochs_and_the_visitor_overrules():
    suggested = FAMILIES["data"]["mnist"].defaults["epochs"]
    assert RunConfig.of({"data": "mnist"}).epochs == suggested != RunConfig.of({"data": "digits"}).epochs
    assert RunConfig.of({"data": "mnist", "epochs": 3}).epochs == 3


def test_every_knob_that_an_entry_names_exists():
    for family in FAMILIES.values():
        for entry in family.values():
            assert set(entry.knobs) | set(entry.defaults) <= set(knobs())


def test_knobs_without_effect_are_known():
    assert "schedule" not in RunConfig.of({"model": "dml"}).used()
    assert {"schedule", "margin"} <= RunConfig.of({"model": "dml-ae"}).used()
    assert "margin" not in RunConfig.of({"loss": "supcon"}).used()
    mine = RunConfig.of(MINE | {"positions": "0,0"})
    assert "positions" in mine.used() and not {"components", "component_spacing"} & mine.used()
    assert not {"positions", "components"} & RunConfig.of({"model": "dml-prior"}).used()


def test_momentum_has_an_effect_with_sgd_only():
    assert "momentum" in RunConfig.of({"optimizer": "sgd"}).used()
    assert "momentum" not in RunConfig.of({"optimizer": "adam"}).used()
    assert RunConfig.of({"optimizer": "sgd"}).momentum == 0.9, "what sgd always had"


@pytest.mark.parametrize("knob", knobs().values(), ids=lambda knob: knob.name)
def test_each_bound_is_the_last_value_accepted(knob):
    assert knob.help and allowed(knob)
    if knob.low is None:
        return
    base = {"epochs": 10_000} if "warmup_epochs" in knob.name else {"model": "dml-ae"}
    getattr(RunConfig.of(base | {knob.name: knob.kind(knob.high)}), knob.name)
    below = knob.low if knob.low_is_open else knob.low - 1
    for bad in (below, knob.high + 1):
        with pytest.raises(ValueError, match=f"{knob.name} must be"):
            RunConfig.of(base | {knob.name: knob.kind(bad)})


@pytest.mark.parametrize(("pl", "n", "labels"), [(0.01, 60_000, 6), (0.1, 60_000, 60), (0.01, 34_561, 3), (100, 7, 7)])
def test_pl_in_labels(pl, n, labels):
    assert seen_labels(pl, n) == labels


def test_a_tiny_pl_is_still_one_label():
    assert seen_labels(0.001, 100) == 1
