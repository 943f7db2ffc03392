"""Home and Train open, alone and from the menu, and say what stands in the way."""

import io
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from semidml import presets
from semidml.cli.shown import shown_score
from semidml.config import RunConfig
from semidml.data import store, uploads
from semidml.execute import execute
from semidml.explore import drawing
from semidml.runs import changes, lineage, listing
from semidml.runs.parent import name_parent
from semidml.runs.run import Run
from semidml.scores.table import SCORES
from semidml.sweeps import seeds, sweep
from semidml.train import device
from semidml.ui import cache, frame, maps, mixture, pictures, scores
from semidml.ui.knobs import config_of
from semidml.ui.words import escape_markdown, run_words, setting_words
from semidml.words import percent
from tests.apptest import map_of, opened, press, scores_of, words
from tests.sweeps.made import plan

ROOT = Path(__file__).parents[1]
TRAIN = "pages/1_Train.py"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))


def test_home_opens() -> None:
    assert "See a latent space form" in opened().title[0].value


def test_home_and_the_sidebar_tell_of_sweeps_where_there_are_some(tmp_path: Path) -> None:
    assert "Sweeps:" not in words(opened())
    for count, label in ((1, "A sweep of many runs is on the page"), (2, "2 sweeps of many runs each are on the page")):
        sweep.create_sweep(plan(f"number-{count}"))
        home = opened()
        assert f"{label} Many at once" in [link.proto.label for link in home.get("page_link")]
        assert "Sweeps: " in words(home) and "of 20.0 GB" in words(home)


def test_train_opens_with_the_defaults() -> None:
    app = opened(TRAIN)
    assert app.session_state["data"] == "digits"
    assert "all 1,297 labels" in words(app)


def test_a_link_sets_the_knobs() -> None:
    app = opened(TRAIN, alpha="0.5", latent_dim="4", pl="5")
    assert (app.session_state["alpha"], app.session_state["latent_dim"], app.session_state["pl"]) == (0.5, 4, 5.0)
    assert "65 of 1,297 labels" in words(app)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("alpha", "99", "alpha must be between 0 and 1, got 99"),
        ("alpha", "nan", "alpha must be between 0 and 1, got nan"),
        ("data", "../../no-such-place", "data must be one of digits"),
        ("epochs", "many", "epochs must be a whole number"),
        ("model", "<script>", "model must be one of dml"),
    ],
)
def test_what_a_link_says_wrongly_is_said(name: str, value: str, said: str) -> None:
    app = opened(TRAIN, **{name: value})
    assert said in words(app)
    assert app.session_state["data"] == "digits"


def test_a_request_with_an_old_address_takes_nothing_back() -> None:
    """While knobs move quickly, a request may still carry the address from before the last move."""
    app = opened(TRAIN, alpha="0.5")
    next(slider for slider in app.select_slider if slider.key == "alpha").set_value(0.1).run()
    app.query_params["alpha"] = "0.5"
    app.run()
    assert app.session_state["alpha"] == 0.1
    app.query_params["alpha"] = "0.3"  # this one was never the page's own: somebody followed a link
    app.run()
    assert app.session_state["alpha"] == 0.3 and not app.exception


def test_alpha_goes_with_the_decoder() -> None:
    app = opened(TRAIN, model="dml", alpha="1")
    assert "alpha" not in [slider.key for slider in app.select_slider]
    assert "leaves dml without any loss" not in words(app)  # a knob without effect cannot stand in the way


def test_data_that_are_not_here_are_said() -> None:
    app = opened(TRAIN, data="mnist")
    assert "MNIST is not on this machine yet" in words(app)
    assert next(b for b in app.button if b.label == "Train").disabled


def test_too_few_labels_are_said_before_training() -> None:
    app = opened(TRAIN, pl="0.1")
    assert "a metric loss needs at least 3" in words(app)
    assert next(b for b in app.button if b.label == "Train").disabled


def test_a_precision_that_is_imitated_is_said_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "bfloat16_crawls", lambda device: True)
    monkeypatch.setattr(frame, "is_warm", lambda: True)
    said = "This processor has no bfloat16 maths: torch imitates it"
    assert said in words(opened(TRAIN, precision="bfloat16", device="cpu")) and said not in words(opened(TRAIN))


def upload(classes: int, rows: int = 8) -> None:
    """A data set `mine` of so many classes with as many training rows each, and two test rows of each."""
    y = np.repeat(np.arange(classes), rows)
    test = np.repeat(np.arange(classes), 2)
    file = io.BytesIO()
    shape = (12, 12)
    np.savez(
        file,
        train_images=np.zeros((len(y), *shape), np.uint8),
        train_labels=y,
        test_images=np.zeros((len(test), *shape), np.uint8),
        test_labels=test,
    )
    uploads.save_upload("mine", file.getvalue(), "mine.npz")


def works(app: AppTest) -> bool:
    return not next(b for b in app.button if b.label == "Train").disabled


@pytest.mark.parametrize(
    ("classes", "link", "said"),
    [
        (2, {}, "mine has images of 2 classes; splitting by classes needs at least 3"),
        (3, {}, "Split by classes, the training has 10 images of 1 class: the images with a label are all"),
        (5, {"evaluate_on": "validation"}, "mine has 2 training classes, and other classes to test"),
        (6, {"evaluate_on": "validation"}, "Split by classes, the training has 10 images of 1 class"),
        (4, {"model": "metric-vae", "prior": "vamp", "pseudo_inputs": "21"}, "training images, 20, got 21"),
        (4, {"pl": "9"}, "pl = 9 of 20 images is 2 labels"),
    ],
)
def test_what_a_half_of_the_classes_cannot_do_is_said_before_training(
    classes: int, link: dict[str, str], said: str
) -> None:
    upload(classes)
    assert works(opened(TRAIN, data="mine", **link | {"evaluate_on": "test"}))
    app = opened(TRAIN, data="mine", split="classes", **link)
    assert said in words(app) and not works(app)


def test_more_classes_than_a_step_can_hold_are_said_before_training() -> None:
    upload(120, rows=4)
    link = {"data": "mine", "model": "dml", "augment": "on"}
    assert works(opened(TRAIN, **link)), "the default fits itself"
    app = opened(TRAIN, **link, labelled_per_class="21")
    assert "120 seen classes with up to 21 labelled rows each make 2,520 rows" in words(app) and not works(app)
    assert "lower labelled_per_class to 15" in words(app)
    assert works(opened(TRAIN, **link, labelled_per_class="15"))


def test_labels_are_counted_in_rows_of_the_split() -> None:
    app = opened(TRAIN, split="classes", pl="10")
    assert "90 of 901 labels (about 18 a class)" in words(app) and works(app)


def test_the_split_of_the_field_is_named_where_another_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "is_here", lambda *_: True)
    said = "Scores of CUB-200-2011 64x64 that are published in metric learning are of classes that"
    assert said in words(opened(TRAIN, data="cub200"))
    assert said not in words(opened(TRAIN, data="cub200", split="classes"))
    assert "published in metric learning" not in words(opened(TRAIN))


def finished(**knobs: object) -> Run:
    """A run of the digits, trained here."""
    run = listing.create_run(RunConfig(**{"model": "dml", "epochs": 1} | knobs))
    for _ in execute(run):
        pass
    return run


PRIOR = "pages/4_Prior.py"


def test_the_square_chooses_the_model_and_its_prior() -> None:
    app = opened(TRAIN)
    square = {group.key: group for group in app.segmented_control}
    square["square prior"].set_value("gmm").run()
    assert not app.exception and ui_model(app) == {"model": "metric-vae", "prior": "gmm"}
    assert "merge into 1 mode" in words(app)
    next(group for group in app.segmented_control if group.key == "square decoder").set_value(False).run()
    assert not app.exception and ui_model(app) == {"model": "dml-prior", "prior": "gmm"}
    next(group for group in app.segmented_control if group.key == "square prior").set_value("none").run()
    assert not app.exception and ui_model(app) == {"model": "dml", "prior": "none"}


def ui_model(app: AppTest) -> dict[str, str]:
    return {name: value for name, value in app.session_state["chosen knobs"].items() if name in ("model", "prior")}


def test_a_link_with_a_prior_is_followed_and_one_that_cannot_be_is_said() -> None:
    app = opened(TRAIN, model="metric-vae", prior="unit")
    assert (app.session_state["square decoder"], app.session_state["square prior"]) == (True, "unit")
    app = opened(TRAIN, model="dml", prior="gmm")
    assert "dml has no prior" in words(app) and app.session_state["square prior"] == "none"
    app = opened(TRAIN, model="dml-prior", latent_dim="20")
    assert "a cube in latent_dim 20 has 2^20 = 1,048,576 vertices" in words(app)


def test_the_prior_page_counts_modes_and_leads_to_train() -> None:
    app = opened(PRIOR)
    assert "merge into 1 mode" in words(app) and "No finished run has a decoder" not in words(app)
    press(app, "Ten on a lattice")
    assert "**10 modes**" in words(app)
    next(box for box in app.number_input if box.key == "my component_log_var").set_value(3.0).run()
    assert not app.exception and "merge into 1 mode" in words(app)
    press(app, "Ten on a ring")
    press(app, "Train with it")
    assert app.title[0].value == "Train"
    chosen = app.session_state["chosen knobs"]
    assert (chosen["model"], chosen["placement"], chosen["balance"]) == ("dml-prior", "sphere", "sinkhorn")
    (made,) = listing.list_runs(include_shipped=False)
    assert made.config() == config_of(chosen) and app.session_state["shown run"] == made.id  # one press trains it
    assert made.status().active or made.status().state == "done"


def test_a_mixture_that_cannot_be_trained_stays_on_its_page_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(PRIOR)
    monkeypatch.setenv("SEMIDML_QUOTA", "1")
    press(app, "Train with it")
    assert app.title[0].value == "The prior" and "the runs take" in words(app)
    assert not listing.list_runs(include_shipped=False)
    state = app.session_state
    assert "chosen knobs" not in state or "placement" not in state["chosen knobs"], "no knob has moved"


def test_samples_are_drawn_by_the_newest_run_with_the_same_prior() -> None:
    """Or what became of it is told: the paper's mixture, with which a shipped run has collapsed."""
    app = opened(PRIOR)
    said = words(app)
    assert "`digits-paper-prior` was trained with this prior and **collapsed**" in said and "31.2 %" in said
    press(app, "Ten on a lattice")
    said = words(app)
    assert "collapsed" not in said and "has no decoder: the training image that lies nearest to each sample" in said
    assert app.selectbox(key="decoder of digits-ten-places").value == "digits-ten-places"
    press(app, "Tighter")
    assert "No finished run has this prior" in words(app) and "as the decoder draws it" in words(app)
    values = mixture.mixture_of(presets.MIXTURES[1]) | {"model": "metric-vae", "prior": "gmm", "warmup_epochs": 0.0}
    own = finished(**values, alpha=0.02, epochs=3)
    assert not own.metrics()["collapsed"]
    said = words(app.run())
    assert "Each sample as the decoder draws it: this run was trained with this prior." in said
    assert app.selectbox(key=f"decoder of {own.id}").value == own.id


def test_given_components_start_where_they_are_and_train_takes_them() -> None:
    app = opened(PRIOR)
    press(app, "Tighter")
    next(box for box in app.selectbox if box.key == "my placement").set_value("given").run()
    assert not app.exception and "4 components, the nearest two 2 apart, sigma 0.37: **4 modes**" in words(app)
    assert "my component_spacing" not in [box.key for box in app.number_input]
    press(app, "Train with it")
    assert app.title[0].value == "Train"
    assert next(box for box in app.text_input if box.key == "positions").value == "-1,-1; -1,1; 1,-1; 1,1"
    assert not {"components", "component_spacing"} & set(app.session_state["chosen knobs"])


def test_given_components_can_be_typed_on_train() -> None:
    app = opened(TRAIN, model="dml-prior", placement="given", positions="0,0; 3,0", component_weights="1,2")
    typed = {box.key: box for box in app.text_input}
    assert (typed["positions"].value, typed["component_weights"].value) == ("0,0; 3,0", "1,2")
    typed["positions"].set_value("0,0; 1,nan").run()
    assert not app.exception and "component 2 has 'nan'" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled
    next(box for box in app.text_input if box.key == "positions").set_value("0,0; 1,2").run()
    assert not app.exception and "component 2 has" not in words(app)
    app = opened(TRAIN, model="dml-prior", placement="given", positions="0,0; inf,0")
    assert "component 2 has 'inf'" in words(app)


def test_a_prior_from_a_run() -> None:
    app = opened(PRIOR)
    press(app, "Fit a mixture")
    assert "**10 modes**" in words(app) and "fitted to all 1,297 training images, without their labels" in words(app)
    mine = app.session_state["my mixture"]
    assert mine["placement"] == "given" and mine["positions"].count(";") == 9
    next(box for box in app.selectbox if box.key == "fit to").set_value(
        listing.open_run("digits-metric-vae-averaged")
    ).run()
    press(app, "Fit a mixture")
    assert "digits-metric-vae-averaged has collapsed" in words(app) and app.session_state["my mixture"] == mine
    press(app, "Train with it")
    assert app.session_state["chosen knobs"]["positions"] == mine["positions"]
    assert app.session_state["chosen knobs"]["epochs"] == listing.open_run("digits-dml-all-labels").config().epochs


def test_a_run_with_a_prior_is_drawn_with_its_components() -> None:
    run = finished(model="metric-vae", prior="vamp", pseudo_inputs=12, epochs=2)
    app = opened(TRAIN, run=run.id)
    said = words(app)
    assert "components used" in said and "pseudo-inputs" in said and "Vamp" in run_words(run)
    assert len(drawing.ellipses(cache.read_newest(run))) == 12
    assert not opened("pages/2_Explore.py", run=run.id).exception
    deep = finished(model="dml-prior", latent_dim=4, component_log_var=-2.0)
    drawn = drawing.ellipses(cache.read_newest(deep))
    assert len(drawn) == 16 and all(a >= b > 0 for _, _, a, b, _, _ in drawn)
    assert all(abs(a - math.exp(-1)) < 1e-3 for _, _, a, _, _, _ in drawn)  # a round Gaussian stays round


EXPLORE = "pages/2_Explore.py"


def test_explore_colours_by_component_and_draws_the_priors_density() -> None:
    run = finished(model="dml-prior", component_log_var=-2.0, epochs=2)
    app = opened(EXPLORE, run=run.id)
    assert map_of(app)["density"] is None and map_of(app)["names"] == [str(digit) for digit in range(10)]
    app.session_state["colour"] = "component"
    app.toggle(key="density").set_value(True).run()
    assert not app.exception
    its = map_of(app)
    assert its["density"]["masses"] == [0.5, 0.9] and len(its["ellipses"]) == 4
    assert set(its["names"]) <= {f"component {k}" for k in (1, 2, 3, 4)} and ["strength", "u1"] in its["columns"]
    assert "most responsible component" in words(app) and "The shaded regions hold 50% and 90%" in words(app)


def test_a_colour_that_a_run_does_not_have_gives_way() -> None:
    deep, plain = finished(model="dml-prior", latent_dim=4, component_log_var=-2.0), finished()
    app = opened(EXPLORE, run=deep.id)
    app.session_state["colour"] = "component"
    app.run()
    assert not app.exception and "The prior is drawn as ellipses only" in words(app)
    assert "density" not in {toggle.key for toggle in app.toggle}
    app.selectbox(key="explored run").set_value(plain.id).run()
    assert not app.exception and app.session_state["colour"] == "class"
    assert "most responsible" not in words(app) and "ellipses only" not in words(app)


def test_the_live_map_gets_the_density_of_a_prior_in_the_plane_only() -> None:
    plane, deep = finished(model="dml-prior", prior="unit"), finished(model="dml-prior", latent_dim=4)
    assert maps.prior_regions(cache.read_newest(deep)) is None
    assert maps.prior_regions(cache.read_newest(finished())) is None
    its = maps.prior_regions(cache.read_newest(plane))
    assert its.share.min() < 0.01 and maps.prior_regions(cache.read_newest(plane)) is its, (
        "computed anew only when components have moved"
    )
    assert not opened(TRAIN, run=plane.id).exception


def test_train_offers_the_knob_that_the_schedule_weighs_with() -> None:
    app = opened(TRAIN, schedule="additive", gamma="3")
    sliders = {slider.key for slider in app.select_slider}
    assert "gamma" in sliders and "alpha" not in sliders and "L_U + gamma L_S" in words(app)
    next(box for box in app.selectbox if box.key == "schedule").set_value("balanced").run()
    sliders = {slider.key for slider in app.select_slider}
    assert not app.exception and "alpha" in sliders and "gamma" not in sliders and "equally long" in words(app)


def test_the_loss_is_taken_apart_in_a_sentence() -> None:
    run = finished(model="dml-ae", epochs=3, alpha=0.1)
    app = opened(TRAIN, run=run.id)
    assert "stacked; epoch 3: 0.9 × metric" in words(app) and "+ 0.1 × reconstruction" in words(app)


def test_a_link_to_a_run_brings_its_knobs_and_a_visitor_s_own_are_compared_with_it() -> None:
    run = finished(seed=5, epochs=2, latent_dim=4)
    app = opened(TRAIN, run=run.id)
    chosen = app.session_state["chosen knobs"]
    assert config_of(chosen) == run.config() and "this run:" not in words(app)
    assert (app.session_state["square decoder"], app.session_state["epochs"]) == (False, 2)
    next(field for field in app.number_input if field.key == "epochs").set_value(3).run()
    assert "The knobs have moved on since this run: epochs 2 → 3." in words(app)
    press(app, "Back to its knobs")
    assert "this run:" not in words(app) and app.session_state["epochs"] == 2


def test_knobs_that_a_link_to_a_run_names_win_and_are_said() -> None:
    run = finished(seed=5, epochs=2)
    app = opened(TRAIN, run=run.id, seed="7", latent_dim="many")
    assert config_of(app.session_state["chosen knobs"]) == RunConfig(model="dml", epochs=2, seed=7)
    assert "The link sets other knobs than this run's: seed 5 → 7." in words(app)
    assert "latent_dim must be a whole number" in words(app)
    press(app, "Back to its knobs")
    assert "this run" not in words(app).partition("Settings")[0].partition("link sets")[2]
    assert app.session_state["seed"] == 5


def test_the_link_of_a_run_with_turned_knobs_gives_these_knobs_again() -> None:
    """A knob that is back at its default, where the run has another value, is in the link too."""
    run = finished(seed=5, epochs=2)
    app = opened(TRAIN, run=run.id)
    next(field for field in app.number_input if field.key == "seed").set_value(0).run()
    link = {name: "".join(value) for name, value in app.query_params.items()}
    assert link["run"] == run.id and link["seed"] == "0"
    again = opened(TRAIN, **link)
    assert config_of(again.session_state["chosen knobs"]) == config_of(app.session_state["chosen knobs"])
    assert "The link sets other knobs than this run's: seed 5 → 0." in words(again)


def test_a_run_of_a_fresh_page_is_not_said_to_be_moved_on_from() -> None:
    finished(seed=5)
    app = opened(TRAIN)
    assert "The knobs are not those of this run" in words(app) and "have moved on" not in words(app)
    press(app, "Take its knobs")
    assert app.session_state["seed"] == 5 and "not those of this run" not in words(app)


def test_a_run_is_compared_with_the_one_that_it_was_made_from_and_no_other() -> None:
    parent, other = finished(seed=5), finished(seed=6)
    app = opened(TRAIN, run=parent.id)
    assert "Beside the run" not in words(app), "it was made from none"
    next(field for field in app.number_input if field.key == "epochs").set_value(2).run()
    press(app, "Train")
    made = next(run for run in listing.list_runs() if run not in (parent, other))
    assert lineage.find_parent(made) == parent and app.session_state["knobs' run"] == made.id
    for _ in execute(made):
        pass
    said = words(opened(TRAIN, run=made.id))
    assert "Beside the run that it was made from" in said and "Settings: epochs 1 → 2." in said
    page = opened("pages/2_Explore.py", run=made.id)
    assert f"Made from: {parent.id}" in [link.proto.label for link in page.get("page_link")]
    page = opened("pages/2_Explore.py", run=parent.id)
    assert "epochs 1 → 2" in [link.proto.label for link in page.get("page_link")]
    changes.delete(parent)
    assert "which is not here (any more) to compare with" in words(opened(TRAIN, run=made.id))


def test_a_rerun_with_one_knob_changed_and_a_sweep_of_seeds_name_their_run() -> None:
    parent = finished(seed=5)
    app = opened(TRAIN, run=parent.id)
    next(field for field in app.text_input if field.key == f"rerun value {parent.id} seed").set_value("8").run()
    press(app, "Train with it")
    made = next(run for run in listing.list_runs() if run != parent)
    assert made.config().seed == 8 and lineage.find_parent(made) == parent
    assert seeds.plan_seeds(parent).parent == name_parent(parent)


def test_the_words_of_a_run_stay_the_same_while_it_goes_on() -> None:
    """A select box knows a choice by its words: with others, the page would lose the run it shows."""
    run = listing.create_run(RunConfig(epochs=1, model="dml"))
    before = run_words(run)
    for _ in execute(run):
        assert run_words(run) == before
    assert run.status().state == "done" and run_words(run) == before


def test_a_damaged_run_and_a_missing_one_do_not_break_the_page() -> None:
    run = listing.create_run(RunConfig())
    (run.path / "config.json").write_text("{")
    assert "damaged" in words(opened(TRAIN, run=run.id))
    assert "is not here (any more)" in words(opened(TRAIN, run="../../no-such-place"))
    opened()


def test_the_pages_load_nothing_heavy() -> None:
    """torch, scikit-learn and the like load where they are used, so that a cold app shows its first page at once."""
    code = (
        "import sys\nfrom semidml.ui import clusters, lesson, manage, mixture, runs, uploads\n"
        "from semidml.ui.explorer import answers, downloads, map, own, questions, sections\n"
        "print([m for m in ('torch', 'sklearn', 'umap', 'torchvision', 'medmnist', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_mixture_too_wide_to_be_given_stays_as_it_was() -> None:
    app = opened(PRIOR)
    press(app, "Ten on a lattice")
    next(field for field in app.number_input if field.key == "my component_spacing").set_value(1000.0).run()
    next(box for box in app.selectbox if box.key == "my placement").set_value("given").run()
    assert not app.exception and "positions must be between -1,000 and 1,000" in words(app)
    assert app.session_state["my mixture"]["placement"] == "lattice"


def test_the_first_mixture_is_trained_as_its_words_say() -> None:
    app = opened(PRIOR)
    press(app, "Train with it")
    chosen = app.session_state["chosen knobs"]
    assert (chosen["schedule"], chosen["alpha"]) == ("epoch", 0.5)


def test_a_strangers_words_stay_words() -> None:
    assert escape_markdown("![x](https://example.org/x.png)") == "!\\[x](https://example.org/x.png)"
    assert "!\\[" in setting_words(RunConfig(data="![x](y)"))


def test_counts_are_told_as_whole_numbers() -> None:
    assert (
        scores.score_words("classes_alone", 10.0) == "10"
        and scores.difference_words("classes_alone", 10.0, 6.0) == "-4"
    )
    assert scores.difference_words("knn_accuracy", 0.5, 0.512) == "+1.2 points"


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert scores.score_words("kl_nats", -0.0004) == "0.00" and scores.score_words("kl_nats", -0.4) == "-0.40"
    assert percent(-0.0001) == "0.0 %"
    assert shown_score(-0.00001) == "0.0000"
    assert scores.difference_words("knn_accuracy", 0.5, 0.49999) == "+0.0 points"


@pytest.mark.parametrize("name", SCORES)
def test_a_difference_is_told_in_the_unit_of_its_scores(name: str) -> None:
    assert scores.score_words(name, 0.5).endswith(" %") == scores.difference_words(name, 0.5, 0.512).endswith(" points")


def test_recall_stands_on_train_only_where_it_is_known_on_the_way() -> None:
    run = finished()
    assert "recall_at_1" in run.metrics()
    app = opened(TRAIN, run=run.id)
    assert "recall at 1" not in scores_of(app) and "recall at 1)" not in words(app)
    new_classes = finished(split="classes")
    recall = scores_of(opened(TRAIN, run=new_classes.id))["recall at 1"]
    assert recall["value"] != "–" and recall["before"] in ("", "before –"), (
        "no other score is known, and none from before training"
    )


def test_remarks_reasons_and_scatter_stand_on_train_and_at_home() -> None:
    run = finished(epochs=3, seed=5)
    path = run.path / "metrics.json"
    metrics = json.loads(path.read_text()) | {"kmeans_ami": 0.4812, "kmeans_ami_sd": 0.0104}
    metrics |= {"knn_accuracy_labelled": None, "failed": {"knn_accuracy_labelled": "no label is seen"}}
    path.write_text(json.dumps(metrics | {"notes": {"knn_accuracy": "of 12 test images only", "spread": "few"}}))
    app = opened(TRAIN, run=run.id)
    assert scores_of(app)["k-means AMI"]["value"] == "0.48 ± 0.01"
    captions = [caption.value for caption in app.caption]
    assert ":material/info: kNN, all labels: of 12 test images only" in captions
    assert ":material/error: kNN, seen labels: no label is seen" in captions and "few" not in words(app).split()
    assert "kNN on all labels (of 12 test images only)" in words(opened(""))


def test_a_run_whose_data_set_has_changed_since_says_so() -> None:
    run = finished(epochs=4)
    path = run.path / "config.json"
    details = json.loads(path.read_text())
    details["data"]["shape"] = [1, 9, 9]
    path.write_text(json.dumps(details))
    cache.forget_runs()
    told = words(opened(TRAIN, run=run.id))
    assert "Chance and raw pixels are not known: digits here is another data set than the one that" in told
    assert "its images are 8 x 8 pixels with 1 channel, they were 9 x 9 pixels with 1 channel" in told


def test_long_curves_are_thinned() -> None:
    assert (
        pictures.thinned_history([]) == []
        and pictures.thinned_history([7]) == [7]
        and pictures.thinned_history([*range(200)]) == [*range(200)]
    )
    kept = pictures.thinned_history([*range(10_001)])
    assert len(kept) <= pictures.MOST_RECORDS + 1 and kept[0] == 0 and kept[-1] == 10_000
