"""RunConfig is the one declaration: bounds hold at the door, errors speak, and every form of it comes back the same."""

import json
import math
import shlex

import pytest

from semidml.config import FAMILIES, RunConfig, allowed, declared_knobs
from semidml.data.splits import seen_labels
from semidml.rules import explain_too_few

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
        ({"model": "dml", "loss": "supcon", "latent_dim": 1}, "latent_dim must be at least 2 for the loss supcon"),
        ({"model": "dml-ae", "loss": "arcface", "latent_dim": 1}, "on a line a direction is a sign"),
        ({"model": "cbswr", "latent_dim": 1}, "latent_dim must be at least 2 for cbswr, which learns from directions"),
        ({"model": "dml-prior", "alpha": 1, "beta": 0}, "beta = 0 leaves dml-prior without any loss"),
        ({"colour": 1}, "there is no knob called 'colour'"),
        ({"optimizer": "sgd", "momentum": 1}, "momentum must be between 0 and 0.999, got 1"),
        ({"momentum": -0.1}, "momentum must be between 0 and 0.999, got -0.1"),
        ({"momentum": "nan"}, "momentum must be between 0 and 0.999, got nan"),
        ({"model": "cbswr", "head_dropout": 1}, "head_dropout must be between 0 and 0.95, got 1"),
        ({"model": "cbswr", "formulas": "theirs"}, "formulas must be one of paper, authors; got 'theirs'"),
        (
            {"model": "cbswr", "last_batch": "dropped", "batch_size": 1298},
            "with last_batch dropped, batch_size must be at most the number of training images, 1,297, got 1,298: "
            "lower it, or choose last_batch filled",
        ),
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


def test_where_a_loss_by_direction_is_never_computed_one_dimension_will_do():
    assert not RunConfig.of({"loss": "supcon", "latent_dim": 1, "alpha": 1}).by_direction
    assert RunConfig.of({"loss": "supcon"}).by_direction and not RunConfig.of({"loss": "supcon"}).on_sphere
    assert RunConfig.of({"loss": "supcon", "model": "dml"}).on_sphere
    assert not RunConfig.of({"loss": "n-pairs", "model": "dml", "latent_dim": 1}).by_direction


def test_json_both_ways():
    config = RunConfig.of({"data": "mnist", "pl": 0.1, "alpha": 0.3, "loss": "contrastive"})
    assert RunConfig.of(json.loads(config.model_dump_json())) == config


@pytest.mark.parametrize(
    "given",
    [
        {"data": "mnist", "model": "dml", "pl": 0.1, "latent_dim": 10, "augment": "on", "epochs": 7},
        {"model": "cbswr", "formulas": "authors"},
        {"model": "cbswr", "formulas": "authors", "optimizer": "adam", "clusters": 32, "temperature": 0.2},
        {"model": "cbswr", "formulas": "authors", "variant": "sme", "momentum": 0.5},
        {"data": "mnist", "model": "dml", "formulas": "authors"},
        MINE | {"positions": "-1,0; 2.5,0; 1,-1.5", "component_weights": "1,1,2", "component_log_var": -2},
    ],
)
def test_the_command_line_says_the_same(given):
    from semidml.cli import parser

    config = RunConfig.of(given)
    words = shlex.split(config.command())[3:]
    asked = vars(parser().parse_args(words))
    assert RunConfig.of({k: v for k, v in asked.items() if k in declared_knobs() and v is not None}) == config
    assert RunConfig.of({"data": config.data, "model": config.model} | config.changed()) == config


def test_a_data_set_suggests_its_own_epochs_and_the_visitor_overrules():
    suggested = FAMILIES["data"]["mnist"].defaults["epochs"]
    assert RunConfig.of({"data": "mnist"}).epochs == suggested != RunConfig.of({"data": "digits"}).epochs
    assert RunConfig.of({"data": "mnist", "epochs": 3}).epochs == 3


def test_every_knob_that_an_entry_names_exists():
    for family in FAMILIES.values():
        for entry in family.values():
            assert set(entry.knobs) | set(entry.defaults) <= set(declared_knobs())


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


AUTHORS = {  # as train.py of github.com/aioz-ai/BMVC20_CBSwR sets them, for CUB-200-2011
    **{"clusters": 100, "head_dropout": 0.6, "own_centroid": "spared", "temperature": 0.1, "targets": "centred"},
    **{"positives": "neighbours", "twin_views": "both", "twin_colours": 0, "batch_size": 64, "last_batch": "dropped"},
    **{"optimizer": "sgd", "momentum": 0, "lr": 0.001, "lr_decay": "none", "latent_dim": 128},
    **{"metric_weight": 0.9, "clustering_weight": 0.3, "reconstruction_weight": 0.001, "marginal_weight": 1},
    "twins_weight": 0,
}


@pytest.mark.parametrize("data", ["digits", "mnist", "cub200", "somebodys.zip"])
def test_the_authors_formulas_bring_the_knobs_of_their_program(data):
    config = RunConfig.of({"data": data, "model": "cbswr", "formulas": "authors"})
    assert {name: getattr(config, name) for name in AUTHORS} == AUTHORS
    assert config.epochs == RunConfig.of({"data": data, "model": "cbswr"}).epochs
    assert AUTHORS.keys() <= config.used() and "l2" not in config.used(), "their loss has no R"
    assert config.drops_last and config.seeks_neighbours


@pytest.mark.parametrize("name", AUTHORS)
def test_each_of_these_knobs_can_be_set_back_alone(name):
    paper = RunConfig.of({"model": "cbswr"})
    config = RunConfig.of({"model": "cbswr", "formulas": "authors", name: getattr(paper, name)})
    others = {other: AUTHORS[other] for other in AUTHORS if other != name}
    assert {other: getattr(config, other) for other in others} == others
    assert getattr(config, name) == getattr(paper, name)


def test_formulas_that_have_no_effect_bring_no_knobs():
    for given in ({"model": "dml"}, {"model": "cbswr", "variant": "sme"}):
        assert "formulas" not in RunConfig.of(given).used()
        plain, others = (RunConfig.of(given | {"formulas": its}).model_dump() for its in ("paper", "authors"))
        assert plain | {"formulas": "authors"} == others


YOUNG = ("head_dropout", "targets", "positives", "last_batch", "momentum")


@pytest.mark.parametrize("formulas", ["paper", "authors"])
def test_a_file_that_is_older_than_some_knobs_means_what_it_meant(formulas):
    """The authors' formulas were then a clustering loss, and nothing else."""
    given = {"model": "cbswr", "formulas": formulas, "optimizer": "sgd", "clusters": 7, "own_centroid": "counted"}
    whole = RunConfig.of({"model": "cbswr"}).model_dump() | given
    old = {name: value for name, value in whole.items() if name not in YOUNG}
    kept = RunConfig.kept(old)
    assert {name: getattr(kept, name) for name in old} == old
    assert [getattr(kept, name) for name in YOUNG] == [0, "pixels", "twins", "filled", 0.9]
    assert RunConfig.kept(kept.model_dump()) == kept
    theirs = RunConfig.of({"model": "cbswr", "formulas": "authors"})
    assert RunConfig.kept(theirs.model_dump()) == theirs


@pytest.mark.parametrize("bad", [{"formulas": []}, {"model": ["cbswr"]}, {"formulas": "theirs", "model": "cbswr"}])
def test_names_that_are_none_are_refused_in_words(bad):
    for read in (RunConfig.of, RunConfig.kept):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} must be"):
            read(bad)


def test_too_few_training_images_are_said():
    config = RunConfig.of({"model": "cbswr", "formulas": "authors"})
    assert "batch_size must be at most the number of training images, 63, got 64" in explain_too_few(config, 63)
    assert explain_too_few(config, 64) == "" and explain_too_few(RunConfig.of({"model": "cbswr"}), 1) == ""
    filled = RunConfig.of({"model": "cbswr", "formulas": "authors", "last_batch": "filled"})
    assert "needs at least 2 training images" in explain_too_few(filled, 1) and explain_too_few(filled, 2) == ""
    without_effect = RunConfig.of({"model": "dml", "last_batch": "dropped", "batch_size": 8192})
    assert explain_too_few(without_effect, 1) == ""


@pytest.mark.parametrize("knob", declared_knobs().values(), ids=lambda knob: knob.name)
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
