"""What a sweep trains: values in bounds, cells that are the same training, words for what cannot be."""

import json
import re
import time

import pytest

from semidml.config import RunConfig, declared_knobs
from semidml.sweeps.plan import MOST_CELLS, Plan, axis_text, parse_axes, parse_axis, parse_seeds, read_value, seeds_text
from tests.sweeps.made import DIGEST, plan


def known(axes=None, **more):
    """A plan whose data are known, so that its cells have names."""
    made = plan(axes=axes, **more)
    return Plan.of(made.model_dump() | {"data": dict.fromkeys(made.data_names, DIGEST)})


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("alpha=0.01,0.1,0.5", ("alpha", [0.01, 0.1, 0.5])),
        ("latent-dim=2, 4,10", ("latent_dim", [2, 4, 10])),
        ("model=dml,dml-ae", ("model", ["dml", "dml-ae"])),
        ("alpha=0..1/5", ("alpha", [0.0, 0.25, 0.5, 0.75, 1.0])),
        ("component_log_var=-3..1/3", ("component_log_var", [-3.0, -1.0, 1.0])),
        ("latent_dim=2..10/3", ("latent_dim", [2, 6, 10])),
        ("alpha=0.1..0.3/3", ("alpha", [0.1, 0.2, 0.3])),
        ("positions=0,0; 3,0|0,0; 0,3; 3,3", ("positions", ["0,0; 3,0", "0,0; 0,3; 3,3"])),
        ("positions=0,0; 3,0", ("positions", ["0,0; 3,0"])),
        ("component_weights=1,1|1,2", ("component_weights", ["1,1", "1,2"])),
        ("data=./a,b|", ("data", ["./a,b"])),
        ("data=./a,b|digits", ("data", ["./a,b", "digits"])),
    ],
)
def test_an_axis_is_read_and_written(text, axis):
    assert parse_axis(text) == axis
    assert parse_axis(axis_text(*axis)) == axis


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha", "alpha=0.01,0.1,0.5"),
        ("alpha=", "alpha must be between 0 and 1, got nothing"),
        ("alpha=0.1,,0.2", "alpha must be between 0 and 1, got nothing"),
        ("alpha=0.1,2", "alpha must be between 0 and 1, got 2"),
        ("alpha=nan", "alpha must be between 0 and 1, got nan"),
        ("alpha=0..2/3", "alpha must be between 0 and 1, got 2"),
        ("alpha=0..1/1", "a range of alpha must have 2 to 1,000 values, got 1"),
        ("alpha=0..1/999999999", "a range of alpha must have 2 to 1,000 values, got 999,999,999"),
        ("latent_dim=2..3/3", "latent_dim must be a whole number between 1 and 512, got 2.5"),
        ("alpah=1", "there is no knob called 'alpah'; there are data, model"),
        ("model=dml,vae", "model must be one of dml"),
        ("mining=all,some", "mining must be one of all, semihard, hard, got some"),
        ("alpha=" + ",".join(["0.1"] * 1001), "alpha must have 1 to 1,000 values, got 1,001"),
    ],
)
def test_what_is_no_axis_is_said(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        parse_axis(text)


def test_a_knob_is_varied_once():
    with pytest.raises(ValueError, match="alpha is varied twice: give all its values at once"):
        parse_axes(["alpha=0.1", "alpha=0.2"])


@pytest.mark.parametrize(("text", "seeds"), [("3", [0, 1, 2]), ("3,5,8", [3, 5, 8]), ("7,", [7]), ("1", [0])])
def test_seeds_are_how_many_or_which(text, seeds):
    assert parse_seeds(text) == seeds and parse_seeds(seeds_text(seeds)) == seeds


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "", "1,-2", "1001", "9" * 400])
def test_what_are_no_seeds_is_said(text):
    with pytest.raises(ValueError, match="seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("name", declared_knobs())
def test_the_default_of_each_knob_is_a_value_of_it(name):
    default = declared_knobs()[name].default
    assert read_value(name, default) == default == read_value(name, str(default))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": {name: [0.5] for name in ("alpha", "gamma", "pl", "margin", "lr")}}, "varies at most 4 knobs, got 5"),
        ({"axes": {"alpha": []}}, "alpha must have 1 to 1,000 values, got 0"),
        ({"axes": {"alpha": [0.1, 0.10]}}, "alpha has the value 0.1 twice"),
        ({"axes": {"alpha": [0.1] * 5000}}, "alpha must have 1 to 1,000 values, got more"),
        ({"axes": {"epochs": [2]}}, "epochs is varied, and is set to 1 as well: do one"),
        ({"axes": {"seed": [1, 2]}}, "give them as seeds"),
        ({"base": {"seed": 3}}, "give them as seeds"),
        ({"base": {"alpah": 1}}, "there is no knob called 'alpah'"),
        ({"base": {"pl": 0}}, "pl must be above 0 and at most 100, got 0"),
        ({"seeds": []}, "a sweep has 1 to 1,000 seeds, got 0"),
        ({"seeds": [-1]}, "seed must be a whole number between 0 and"),
        ({"seeds": [1, 1]}, "the seed 1 is there twice"),
        ({"seeds": [True]}, "seeds.0: Input should be a valid integer"),
        ({"seeds": "12"}, "seeds: Input should be a valid list"),
        (
            {"axes": {"alpha": [i / 1000 for i in range(1000)]}, "seeds": list(range(1000))},
            "1,000 x 1,000 are 1,000,000",
        ),
        ({"name": "../x"}, "a sweep's name is 1 to 80 letters"),
        ({"name": ""}, "a sweep's name is 1 to 80 letters"),
        ({"name": "x" * 200}, "a sweep's name is 1 to 80 letters"),
        ({"name": 3}, "name: Input should be a valid string"),
        ({"more": 1}, "more: Extra inputs are not permitted"),
        ({"data": {"digits": "0"}}, "the digest of the data 'digits' is not one"),
        ({"data": {"mnist": DIGEST}}, "a sweep of digits has digests of mnist"),
        ({"created": -1}, "created: Input should be greater than or equal to 0"),
        ({"created": float("nan")}, "created: "),
        ({"axes": [1]}, "axes: Input should be a valid dictionary"),
        ({"axes": {"alpha": 0.1}}, "axes.alpha: Input should be a valid list"),
        ({"axes": {"alpha": [[0.1]]}}, "alpha must be between 0 and 1, got [0.1]"),
        ({"axes": {"model": [None]}}, "model must be one of"),
        (
            {"base": {"model": "metric-vae", "prior": "none"}},
            "every setting of this sweep is refused: metric-vae needs",
        ),
    ],
)
def test_a_plan_that_cannot_be_is_said_in_words(change, words):
    """Given by hand in plan.json or as words, out of bounds, of another type, too many."""
    values = plan().model_dump() | change
    with pytest.raises(ValueError, match=re.escape(words)):
        Plan.of(values)


@pytest.mark.parametrize(
    "read",
    [
        lambda: parse_axis(f"alpha={'.' * 40_000}"),
        lambda: parse_axis(f"alpha=0{'..1/2' * 20_000}x"),
        lambda: Plan.of(plan().model_dump() | {"seeds": list(range(300_000))}),
    ],
)
def test_what_is_much_too_long_is_refused_at_once(read):
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"alpha must be|a sweep has 1 to 1,000 seeds, got 300,000"):
        read()
    assert time.perf_counter() - began < 0.5


def test_ten_thousand_cells_are_allowed_and_no_more():
    values = plan().model_dump() | {"axes": {"alpha": [i / 1000 for i in range(1000)]}}
    assert Plan.of(values | {"seeds": list(range(10))}).count == MOST_CELLS
    with pytest.raises(ValueError, match="1,000 x 11 are 11,000 runs; a sweep has at most 10,000"):
        Plan.of(values | {"seeds": list(range(11))})


def test_cells_are_all_combinations_with_all_seeds():
    made = known({"alpha": [0.1, 0.5], "pl": [1, 100]}, seeds=(3, 5))
    cells = [(cell.values["alpha"], cell.values["pl"], cell.seed) for cell in made.cells]
    assert cells[:4] == [(0.1, 1, 3), (0.1, 100, 3), (0.5, 1, 3), (0.5, 100, 3)]
    assert len(set(cells)) == len({cell.name for cell in made.cells}) == made.count == 8
    for cell in made.cells:
        whole = {"epochs": 1, **cell.values, "seed": cell.seed, "evaluate_on": "validation"}
        assert cell.config == RunConfig.of(whole) and re.fullmatch("[0-9a-f]{16}", cell.name)


def test_a_setting_that_is_refused_is_a_cell_with_its_reason():
    made = known({"latent_dim": [2, 3]}, model="dml-prior", prior="gmm", placement="lattice")
    refused = [cell for cell in made.cells if cell.problem]
    assert [cell.values["latent_dim"] for cell in refused] == [3, 3] and len(made.cells) == 4
    assert all(cell.problem.startswith("a lattice lies in the plane") and not cell.name for cell in refused)


def test_names_tell_what_is_trained_on_which_data():
    """The same whatever else is varied, in which order, how a number is written; another for another knob or data."""
    first = {cell.name for cell in known().cells}
    other = {cell.name for cell in known({"epochs": [1, 2], "alpha": [0.5, "0.10"]}, epochs=None).cells}
    assert len(first & other) == 4 and len(other) == 8
    moved = known().model_dump() | {"data": {"digits": DIGEST[::-1]}}
    assert first.isdisjoint(cell.name for cell in Plan.of(moved).cells)
    assert first.isdisjoint(cell.name for cell in known(latent_dim=3).cells)
    assert first.isdisjoint(cell.name for cell in known(evaluate_on="test").cells)


def test_cells_that_differ_in_what_has_no_effect_are_one_training():
    made = known({"model": ["dml", "dml-ae"], "beta": [1, 2]}, seeds=[0])
    by_model = {model: {c.name for c in made.cells if c.values["model"] == model} for model in ("dml", "dml-ae")}
    assert "beta" not in RunConfig.of({"model": "dml"}).used()
    assert {model: len(names) for model, names in by_model.items()} == {"dml": 1, "dml-ae": 1}


def test_more_values_and_seeds_leave_the_cells_that_are_there():
    first, longer = known(), known().extended({"alpha": [0.5, 0.9]}, [1, 2])
    assert longer.axes == {"alpha": [0.1, 0.5, 0.9]} and longer.seeds == [0, 1, 2]
    assert {cell.name for cell in first.cells} < {cell.name for cell in longer.cells} and len(longer.cells) == 9
    with pytest.raises(ValueError, match="first does not vary pl: it varies alpha"):
        first.extended({"pl": [1]})


def test_the_same_setting_is_what_trains_the_same():
    assert known().same_setting(known(model="dml-ae", beta=1)) and not known().same_setting(known(lr=0.5))
    assert known(model="dml").same_setting(known(model="dml", beta=2))  # which it does not read
    models = known({"model": ["dml", "dml-ae"]}, seeds=[0])
    assert not models.same_setting(known({"model": ["dml"]}, seeds=[0], reconstruction="mean"))
    assert not known().same_setting(known({"pl": [1]}))


def test_settings_are_chosen_on_held_out_images_unless_the_plan_says_otherwise():
    assert {cell.config.evaluate_on for cell in known().cells} == {"validation"}
    assert {cell.config.evaluate_on for cell in known(evaluate_on="test").cells} == {"test"}
    both = known({"evaluate_on": ["test", "validation"]})
    assert {cell.config.evaluate_on for cell in both.cells} == {"test", "validation"}


def test_a_plan_is_json_and_the_same_when_it_is_read():
    made = known({"positions": ["0,0; 3,0", "0,0; 0,3"]}, model="dml-prior", prior="gmm", placement="given")
    again = Plan.of(json.loads(json.dumps(made.model_dump())))
    assert again == made and again.cells == made.cells


def test_its_command_makes_the_same_plan():
    import shlex

    from semidml.cli import parser
    from semidml.cli.train import given_knobs

    made = known({"component_log_var": [-2.0, 1.0], "latent_dim": [2, 3]}, model="dml-prior", prior="gmm", seeds=[4])
    asked = parser().parse_args(shlex.split(made.command())[3:])
    values = {"base": given_knobs(asked, but=("seed",)), "axes": parse_axes(asked.vary), "name": asked.name}
    again = Plan.of(values | {"seeds": parse_seeds(asked.seeds)})
    assert (again.base, again.axes, again.seeds, again.name) == (made.base, made.axes, made.seeds, made.name)


def test_cells_of_a_plan_are_let_go_of_when_memory_has_no_room_for_them(monkeypatch):
    monkeypatch.setattr("semidml.memory.budget_bytes", lambda: 0)
    first, second = (plan(name=name) for name in ("first", "second"))
    assert "cells" in vars(second), "the newest stay"
    assert "cells" not in vars(first)
    assert [cell.name for cell in first.cells] == [cell.name for cell in second.cells] and len(first.cells) == 4
