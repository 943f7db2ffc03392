"""What version 0.2.0 left behind is read as it was meant: its runs, a zip, an upload, links and command lines.

`old_runs/` was written by that version (commit 8d93d65): small runs of digits and of a data set that somebody uploaded.
`expected.json` holds what that version itself says of them.
"""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

from semidml.cli import main, parser
from semidml.cli.train import do_train
from semidml.config import RunConfig, declared_knobs
from semidml.execute import execute, score_run
from semidml.explore.clusters import list_clusters
from semidml.explore.decode import decode_latents
from semidml.explore.points import class_names, most_responsible, read_frame
from semidml.explore.prior import fit_prior
from semidml.runs import changes, listing, transfer
from semidml.scores import components, protocol
from semidml.scores.table import Scored
from semidml.train.alarms import latent_scale
from semidml.ui import links
from tests.apptest import opened, words

OLD = Path(__file__).parent / "old_runs"
EXPECTED = json.loads((OLD / "expected.json").read_text())
DONE = EXPECTED["runs"]
FROM_WEIGHTS = 0.01  # that a share may differ where weights encode on another processor: 5 of 500 test rows


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """The old runs and the old upload, where the app looks for runs and uploads; the zip is imported."""
    shutil.copytree(OLD, tmp_path / "runs", ignore=shutil.ignore_patterns("*.zip", "expected.json"))
    (tmp_path / "data" / "uploads").mkdir(parents=True)
    (tmp_path / "runs" / "stripes.npz").rename(tmp_path / "data" / "uploads" / "stripes.npz")
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    with open(OLD / "old-gmm.zip", "rb") as file:
        transfer.import_zip(file)


def test_each_is_listed_with_what_became_of_it(capsys):
    states = {run.id: run.status().state for run in listing.list_runs(include_shipped=False)}
    assert states == dict.fromkeys(DONE, "done") | {"old-stopped": "stopped", "old-failed": "failed"}
    assert listing.open_run("old-failed").status().reason.startswith("there is no data set called 'stripes'")
    assert listing.open_run("old-stopped").status().reason == "resume continues from epoch 1"
    assert main(["runs"]) == 0
    table = capsys.readouterr().out
    assert all(name in table for name in states)


@pytest.mark.parametrize("name", DONE)
def test_it_is_read_and_explored(name):
    run, expected = listing.open_run(name), DONE[name]
    config, epoch = run.config(), run.frames()[-1]
    assert epoch == config.epochs == run.history()[-1].epoch and not run.damage()
    frame = read_frame(run, epoch)
    assert frame.latents[::100] == pytest.approx(np.array(expected["latents"]), abs=1e-5)
    assert frame.predictions[::37].tolist() == expected["predictions"]
    assert len(class_names(run)) == (3 if name == "old-upload" else 10)
    assert (frame.components is not None) == ("component_ami" in expected["scores"])
    if frame.components is not None:
        assert (most_responsible(frame)[1] >= 0.1).all()
    if "decoded" in expected:
        decoded = decode_latents(run.model(), frame.latents[:3]).reshape(3, -1).astype(int)
        assert abs(decoded - np.array(expected["decoded"])).max() <= 1
    if name == "old-cbswr":
        clusters = list_clusters(frame)
        assert sum(cluster.size for cluster in clusters) == len(frame.latents) and clusters[0].drawn is not None


@pytest.mark.parametrize("name", DONE)
def test_its_stored_points_have_the_scores_that_they_had(name):
    run, expected = listing.open_run(name), DONE[name]["scores"]
    frame, config = read_frame(run, run.frames()[-1]), run.config()
    labels, train = frame.rows["labels"].astype(np.int64), frame.rows["split"] == 0
    latents, seen = frame.latents, np.flatnonzero(frame.rows["seen"][train])
    of_rows = (latents[train], labels[train], seen, latents[~train], labels[~train])
    given = Scored(*of_rows, len(class_names(run)), config.seed)
    scores = protocol.score_latents(given, scale=latent_scale(config))
    if frame.components is not None:
        scores |= components.component_scores(latents[~train], labels[~train], *frame.components)
    assert {score: scores[score] for score in expected} == pytest.approx(expected, abs=1e-9, rel=0)


@pytest.mark.parametrize("name", DONE)
def test_its_weights_have_the_scores_that_they_had(name):
    run = listing.open_run(name)
    recorded = run.metrics()
    anew = score_run(run, full=name == "old-dml-ae")
    assert anew.keys() == recorded.keys() - {"seconds"} and anew["collapsed"] == recorded["collapsed"]
    assert anew.get("failed") == recorded.get("failed") and anew.get("notes") == recorded.get("notes")
    shares = ("knn_accuracy", "knn_accuracy_labelled", "recall_at_1", "recall_at_8", "random_forest_accuracy")
    for score in recorded.keys() & {*shares, "spread", "reconstruction_mse", "component_ami", "cluster_ami"}:
        assert anew[score] == pytest.approx(recorded[score], abs=FROM_WEIGHTS), score


def test_the_stopped_one_goes_on_to_the_end_that_it_would_have_had():
    run = listing.open_run("old-stopped")
    changes.make_ready(run)
    assert [record.epoch for record in execute(run) if record.ends_epoch] == [2, 3]
    assert run.status().state == "done" and run.frames() == [0, 1, 2, 3]
    expected, scores = EXPECTED["stopped, had it gone on"], run.metrics()
    for score in ("knn_accuracy", "knn_accuracy_labelled", "recall_at_1", "kmeans_ami", "spread"):
        assert scores[score] == pytest.approx(expected[score], abs=0.03), score


def test_the_failed_one_trains_once_its_data_are_here():
    run = listing.open_run("old-failed")
    changes.make_ready(run)
    assert [record.epoch for record in execute(run)][-1] == 4
    assert run.status().state == "done"
    assert run.metrics()["knn_accuracy"] == listing.open_run("old-upload").metrics()["knn_accuracy"]


def test_a_prior_is_fitted_to_an_old_run():
    config = fit_prior(listing.open_run("old-gmm")).config
    assert (config.model, config.placement, config.component_count()) == ("dml-prior", "given", 10)


@pytest.mark.parametrize(
    "case", EXPECTED["links"], ids=lambda case: "&".join(f"{k}={v}" for k, v in case["link"].items())
)
def test_a_link_gives_the_setting_that_it_gave(case):
    config = RunConfig.of(case["link"]).model_dump()
    assert {knob: config[knob] for knob in case["config"]} == case["config"]
    assert links.link_of(RunConfig.of(case["link"])) == case["link"]


@pytest.mark.parametrize("line", EXPECTED["commands"])
def test_a_command_of_the_old_readme_means_something(line):
    given = parser().parse_args(shlex.split(line, comments=True))
    assert callable(given.do)
    if given.do is do_train:
        RunConfig.of({name: value for name in declared_knobs() if (value := getattr(given, name)) is not None})


def test_pages_follow_old_links():
    train = opened("pages/1_Train.py", model="dml-ae", alpha="0.5", pl="10")
    assert "not followed" not in words(train)
    chosen = train.session_state["chosen knobs"]
    assert (chosen["model"], chosen["alpha"], chosen["pl"]) == ("dml-ae", 0.5, 10)
    for page, run in (("pages/2_Explore.py", "old-gmm"), ("pages/1_Train.py", "old-stopped")):
        assert run in [choice.value for choice in opened(page, run=run).selectbox]
    compared = opened("pages/8_Compare.py", runs="old-dml-ae,old-gmm")
    assert compared.multiselect(key="compared").value == ["old-dml-ae", "old-gmm"]
