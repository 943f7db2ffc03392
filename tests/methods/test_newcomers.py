"""A method is one file and one entry: two that nobody else knows of train, stop and resume, and every page speaks of
them as they are."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from semidml import cli
from semidml.config import FAMILIES, RunConfig, declared_knobs
from semidml.execute import execute
from semidml.methods import METHODS, MODELS
from semidml.registry import Entry
from semidml.rules import list_remarks
from semidml.runs import listing, places
from semidml.runs.run import Run
from semidml.train.loop import fit
from semidml.ui import cache
from tests import apptest

HOME, TRAIN, EXPLORE = "", "pages/1_Train.py", "pages/2_Explore.py"
PRIOR, COMPARE, CLUSTERS = "pages/4_Prior.py", "pages/8_Compare.py", "pages/9_Clusters.py"
NAMES = ("barlow-twins", "supervised-ae")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(places, "shipped", lambda: tmp_path / "none")
    cache.forget_runs()
    yield


pytestmark = pytest.mark.usefixtures("newcomers")


def config(model: str, **values: object) -> RunConfig:
    return RunConfig.of({"data": "digits", "device": "cpu", "model": model, "pl": 10, "epochs": 2} | values)


def finished(model: str, **values: object) -> Run:
    run = listing.create_run(config(model, **values))
    for _ in execute(run):
        pass
    assert run.status().state == "done", run.status().reason
    return run


# ---- its entry


@pytest.mark.parametrize("name", NAMES)
def test_the_entry_says_which_knobs_there_are(name: str, newcomers: dict[str, Entry]) -> None:
    its = config(name)
    of_others = {knob for family in FAMILIES.values() for entry in family.values() for knob in entry.knobs}
    assert its.used() & of_others == set(newcomers[name].knobs)
    assert all(getattr(its, knob) == value for knob, value in newcomers[name].defaults.items())
    assert name in declared_knobs()["model"].choices and f"| `{name}` |" in cli.tables()


def test_the_entry_says_what_is_refused() -> None:
    said = (
        "latent_dim must be at most 128 for the model barlow-twins, which correlates every dimension with every other"
    )
    with pytest.raises(ValueError, match=said):
        config("barlow-twins", latent_dim=200)
    with pytest.raises(ValueError, match="supervised-ae has no prior: choose one of the models dml-prior, metric-vae"):
        config("supervised-ae", prior="gmm")
    assert config("barlow-twins", latent_dim=1) and config("supervised-ae", latent_dim=1)


def test_knobs_of_others_change_nothing() -> None:
    for alpha in (0, 1):  # without a schedule neither loss is ever left out
        its = config("supervised-ae", alpha=alpha, warmup_epochs=2)
        assert its.uses_labels and its.trains_decoder and not its.by_direction and not its.needs_pairs
    its = config("barlow-twins", loss="supcon")
    assert not (its.uses_labels or its.trains_decoder or its.by_direction or its.draws_clusters or list_remarks(its))


# ---- its training


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_stops_and_resumes(name: str, digits) -> None:
    def ends(training) -> list:
        return [replace(tick, seconds=0) for tick in training if tick.ends_epoch]

    whole = fit(config(name), digits)
    records = ends(whole)
    begun = fit(config(name), digits)
    next(tick for tick in begun if tick.epoch == 1 and tick.ends_epoch)
    assert ends(fit(config(name), digits, begun.state())) == records[2:]
    assert set(records[2].terms) == set(whole.method.reads) and not records[2].alarms
    total = [sum(tick.weights[term] * value for term, value in tick.terms.items()) for tick in records[1:]]
    assert total[1] < total[0]
    found = whole.finish()
    assert found["knn_accuracy"] > records[0].scores["knn_accuracy"] + 0.1
    assert ("reconstruction_mse" in found) == (name == "supervised-ae")
    assert not [key for key in found if key.startswith(("cluster", "component", "kl_", "elbo"))]


@pytest.mark.parametrize("name", NAMES)
def test_one_that_never_moved_says_so(name: str, digits) -> None:
    training = fit(config(name, lr=1e-30, epochs=1), digits)
    assert len(list(itertools.islice(training, 10_000))) >= 2
    with pytest.raises(ValueError, match="no weight of the encoder has moved"):
        training.finish()


def test_the_command_line_trains_it(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    asked = ["train", "--model", "barlow-twins", "--epochs", "1", "--device", "cpu", "--alpha", "0.5"]
    assert cli.main([*asked, "--out", str(tmp_path / "runs" / "own")]) == 0
    assert "without effect here: alpha" in capsys.readouterr().err and listing.open_run("own").metrics()
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert re.search(r"cbswr,\s+barlow-twins,\s+supervised-ae", capsys.readouterr().out)


# ---- the pages


def opened(page: str, **link: str) -> AppTest:
    return checked(apptest.opened(page, **link))


def checked(app: AppTest) -> AppTest:
    assert not app.exception and not app.error, (app.exception, app.error)
    return app


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.warning, app.info, app.header, app.subheader)
    return "\n".join(element.value for kind in kinds for element in kind)


def knobs_of(app: AppTest) -> set[str]:
    kinds = (app.number_input, app.selectbox, app.segmented_control, app.select_slider)
    return {box.key for kind in kinds for box in kind} & set(declared_knobs())


def switch(app: AppTest, key: str, value: str) -> AppTest:
    next(group for group in app.segmented_control if group.key == key).set_value(value).run()
    return checked(app)


def test_train_offers_both_and_each_method_keeps_its_knobs() -> None:
    app = opened(TRAIN, model="dml", epochs="7", seed="3")
    labelled = dict(app.session_state["chosen knobs"])
    method = next(group for group in app.segmented_control if group.key == "method")
    assert method.options == ["With labels", "Without labels", "Barlow Twins", "Supervised autoencoder"]
    switch(app, "method", "barlow-twins")
    assert app.session_state["chosen knobs"] == {"model": "barlow-twins"} and "twins teach the space" in words(app)
    assert {"twin_strength", "marginal_weight"} <= knobs_of(app)
    assert not {"loss", "alpha", "schedule", "variant", "clusters", "prior", "model"} & knobs_of(app)
    assert not {"square decoder", "square prior"} & {group.key for group in app.segmented_control}
    assert "CBSwR" not in words(app)
    next(box for box in app.number_input if box.key == "marginal_weight").set_value(0.5).run()
    switch(checked(app), "method", "supervised-ae")
    assert {"labelled_per_class", "reconstruction_weight"} <= knobs_of(app)
    assert not {"alpha", "loss", "twin_strength"} & knobs_of(app)
    assert app.session_state["chosen knobs"] == {"model": "supervised-ae"}
    switch(app, "method", "barlow-twins")
    assert app.session_state["chosen knobs"] == {"model": "barlow-twins", "marginal_weight": 0.5}
    switch(app, "method", "square")
    assert app.session_state["chosen knobs"] == labelled


def test_a_link_names_it() -> None:
    app = opened(TRAIN, model="supervised-ae", labelled_per_class="5")
    assert app.session_state["chosen knobs"] == {"model": "supervised-ae", "labelled_per_class": 5}
    assert app.session_state["method"] == "supervised-ae" and "The link was not followed" not in words(app)
    assert "--model supervised-ae --labelled-per-class 5" in "\n".join(code.value for code in app.code)


def test_models_of_one_method_are_chosen_by_name(newcomers: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "new", Entry("new", "New", "what nobody else has"))
    for name, entry in newcomers.items():
        monkeypatch.setitem(MODELS, name, replace(entry, facts={**entry.facts, "method": "new"}))
    app = switch(opened(TRAIN), "method", "new")
    model = next(box for box in app.selectbox if box.key == "model")
    assert (model.value, model.options) == ("barlow-twins", ["Barlow Twins", "supervised autoencoder"])
    model.set_value("supervised-ae").run()
    assert checked(app).session_state["method"] == "new" and "reconstruction_weight" in knobs_of(app)


@pytest.mark.parametrize("name", NAMES)
def test_every_page_speaks_of_its_run_as_it_is(name: str, newcomers: dict[str, Entry]) -> None:
    its, title = finished(name, latent_dim=2, epochs=1), newcomers[name].title
    other = finished("dml-ae", epochs=1)
    labels = "no labels" if name == "barlow-twins" else "130 labels"
    wrong = r"CBSwR|cluster AMI|clusters used|of its own|[Cc]omponent|mixture"
    home = opened(HOME)
    assert f":gray-badge[{labels}]" in words(home)
    assert f"**{title[0].upper()}{title[1:]}**" in [link.proto.label for link in home.get("page_link")]

    app = opened(TRAIN, run=its.id)
    assert "1,797 points" in words(app) and not re.search(wrong, words(app))

    app = opened(EXPLORE, run=its.id)
    toggles = {toggle.key for toggle in app.toggle}
    assert ("lattice" in toggles) == (name == "supervised-ae") and not {"density", "pictures", "movable"} & toggles
    for section in ("Scores", "Curves", "Reconstructions", "Your own image"):
        app.session_state["section"] = section
        said = words(checked(app.run()))
        assert "1,797 points" in said and not re.search(wrong, said)
        if section == "Reconstructions":
            assert ("Best" in said) == (name == "supervised-ae")

    app = opened(COMPARE, runs=f"{other.id},{its.id}")
    said = words(app)
    assert f"| Model | DML autoencoder | {title} |" in said and "of A's variance" in said
    assert its.id not in words(opened(CLUSTERS)) and "Nothing has been trained here yet" in words(opened(CLUSTERS))
    fitted = next(box for box in opened(PRIOR).selectbox if box.key == "fit to")
    assert len(fitted.options) == 1, "only the run that has a counterpart with a prior"


def test_its_points_are_told_apart_from_directions() -> None:
    """Neither has directions for latents: neighbours and scores are of the latents as they are."""
    from semidml.explore.points import read_frame

    for name in NAMES:
        run = finished(name, epochs=1)
        points = read_frame(run, 1)
        assert not points.by_direction and np.array_equal(points.compared, points.latents)
