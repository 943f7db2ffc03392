"""The scores beside a map are of its moment: in the middle of an epoch, at an old one, at the end."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semidml.config import RunConfig
from semidml.execute import execute
from semidml.explore import moment
from semidml.frames import Frame
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.runs.status import write_status
from semidml.scores.table import shown_at
from semidml.ui import frame as frames
from semidml.ui import moments
from tests.apptest import checked, opened, words

EPOCHS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("moments")


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A finished run with a decoder and a prior, trained once."""
    monkeypatch.setenv("SEMIDML_RUNS", str(folder / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(folder / "data"))
    if (folder / "runs" / "whole").exists():
        return listing.open_run("whole")
    whole = listing.create_run(RunConfig(model="metric-vae", prior="gmm", epochs=EPOCHS), "whole")
    for _ in execute(whole):
        continue
    return whole


def in_the_middle(run: Run) -> Frame:
    """What the map shows after some steps of the third epoch, in which each class has found a place of its own."""
    last = run.frame(2)
    angle = 2 * np.pi * last.rows["labels"] / 10
    steps = run.history()[-1].steps
    return replace(last, step=steps // 2, latents=np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32))


def test_a_frame_is_scored_as_its_training_has_scored_it(run: Run) -> None:
    for epoch in (0, 2):
        shown, record = run.frame(epoch), next(r for r in run.history() if r.epoch == epoch)
        scored = moment.score_frame(run, shown)
        assert set(record.scores) - set(scored) == {"reconstruction_mse"}, "what needs more than the latents"
        for name, value in scored.items():
            assert value == pytest.approx(record.scores[name], abs=0.02), (name, epoch)  # a file rounds latents


def test_scores_are_those_of_the_frame_in_the_middle_of_an_epoch(run: Run) -> None:
    frames.warm_up().join()
    shown = in_the_middle(run)
    here, record = moments.read_moment(run, shown), moment.record_of(run.history(), run.frame(2))
    assert here.now["knn_accuracy"] == here.now["kmeans_ami"] == 1 > record.scores["knn_accuracy"]
    assert here.when == "At epoch 2.5" and not here.final
    assert here.now["reconstruction_mse"] == record.scores["reconstruction_mse"]
    assert moments.late_words(here, shown_at("train")) == "reconstruction error: of epoch 2; next after epoch 3"


def test_scores_of_an_old_epoch_are_its_own_and_of_the_last_the_final_ones(run: Run) -> None:
    first, last = (moments.read_moment(run, run.frame(epoch)) for epoch in (0, EPOCHS))
    assert first.words == "Before training, of the test points drawn" and first.now == run.history()[0].scores
    assert last.words == "At the end, of all test images" and last.now == run.metrics() and not first.late


def test_an_epoch_that_nobody_scored_is_scored_from_its_points(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    frames.warm_up().join()
    unscored = [replace(record, scores={}) for record in run.history()]
    monkeypatch.setattr(Run, "history", lambda self: unscored)
    here = moments.read_moment(run, run.frame(1))
    assert here.now["knn_accuracy"] > 0.1 and here.when == "After epoch 1" and not here.late


def test_train_scores_the_epoch_that_is_chosen_and_the_middle_of_one(run: Run) -> None:
    app = opened("pages/1_Train.py", run=run.id)
    assert "At the end, of all test images" in words(app)
    app.select_slider(key=f"epoch {run.id}").set_value(0).run()
    said = words(checked(app))
    assert "Before training, of the test points drawn" in said and "At the end" not in said
    assert run.history()[0].scores["spread"] != run.metrics()["spread"]
    assert f"spread {run.history()[0].scores['spread']:.2g}" in said

    frames.warm_up().join()
    shown, status = in_the_middle(run), run.recorded()
    (run.path / "frames" / f"{EPOCHS:04d}.npz").rename(run.path / "frames" / "away")
    metrics = (run.path / "metrics.json").rename(run.path / "away.json")
    np.savez(run.path / "frames" / "live.npz", **shown.arrays())
    write_status(run, replace(status, state="stopped"))
    try:
        said = words(opened("pages/1_Train.py", run=run.id))
        assert "At epoch 2.5, of the test points drawn" in said
        assert "reconstruction error: of epoch 2; next after epoch 3" in said
    finally:
        (run.path / "frames" / "live.npz").unlink()
        (run.path / "frames" / "away").rename(run.path / "frames" / f"{EPOCHS:04d}.npz")
        metrics.rename(run.path / "metrics.json")
        write_status(run, status)
