"""A run that nobody watches: the same weights and scores to the bit, and little else."""

from dataclasses import replace

import pytest

from semidml.config import RunConfig
from semidml.execute import execute
from semidml.methods import MODELS, VARIANTS
from semidml.runs import changes, listing, places, writer
from semidml.runs.run import Run
from semidml.runs.writer import Writer
from semidml.scores import protocol
from semidml.train import loop
from semidml.train.loop import fit
from semidml.train.views import View
from tests.apptest import checked, opened, words

EVERY = [
    *({"model": model} for model in MODELS),
    *({"model": "metric-vae", "prior": prior} for prior in ("unit", "gmm", "vamp")),
    {"model": "dml-prior", "placement": "given", "positions": "0,0; 3,0; 0,3", "component_weights": "1,1,2"},
    *({"model": "cbswr", "variant": variant} for variant in VARIANTS),
    {"encoder": "conv", "batch_size": 700},
    {"loss": "supcon", "pl": 100},
    {"split": "classes"},
    {"lr": 1.0, "epochs": 3},
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(places, "shipped", lambda: tmp_path / "checkpoints")


def trained(name: str, watched: bool, stop_after: int | None = None, **values) -> Run:
    """A run of digits, done, or stopped after an epoch; begun before where there is one of that name."""
    setting = {"data": "digits", "epochs": 2, "batch_size": 256, "device": "cpu"} | values
    path = places.runs_folder() / name
    run = Run(path) if path.exists() else listing.create_run(RunConfig.of(setting), name)
    for record in execute(run, watched=watched):
        if record.ends_epoch and record.epoch == stop_after:
            changes.stop(run)
    assert run.status().state == ("done" if stop_after is None else "stopped"), run.status().reason
    return run


def result(run: Run) -> tuple:
    """What a training comes to: weights, final scores, terms by epoch, the alarms of its end."""
    scores = {name: value for name, value in run.metrics().items() if name != "seconds"}
    records = run.history()
    terms = [replace(record, seconds=0, scores={}, alarms=[]) for record in records]
    return (run.path / "weights.safetensors").read_bytes(), scores, terms, records[-1].alarms


@pytest.mark.parametrize("values", EVERY, ids=lambda values: "-".join(map(str, values.values())))
def test_weights_scores_and_last_alarms_are_those_of_a_watched_run(values):
    seen, unseen = trained("seen", True, **values), trained("unseen", False, **values)
    assert result(unseen) == result(seen)
    assert unseen.frames() == [0, seen.config().epochs]
    for epoch in unseen.frames():
        ours, theirs = (run.frame(epoch).arrays() for run in (unseen, seen))
        assert {name: array.tobytes() for name, array in ours.items()} == {k: a.tobytes() for k, a in theirs.items()}


def test_an_alarm_that_is_read_from_latents_is_raised_at_the_end():
    alarms = [record.alarms for record in trained("heap", False, lr=1.0, epochs=4, seed=1).history()]
    assert alarms[-1] and not any(alarms[:-1]), "of lr = 1 the points are a heap"


@pytest.mark.parametrize("first", [True, False])
def test_it_may_be_begun_in_one_way_and_resumed_in_the_other(first):
    whole = trained("whole", True, epochs=4)
    trained("parts", first, stop_after=2, epochs=4)
    parts = trained("parts", not first)
    assert result(parts) == result(whole)
    assert parts.frames() == ([0, 1, 2, 4] if first else [0, 3, 4]), "what was kept stays"
    assert [bool(record.scores) for record in parts.history()] == [(e <= 2) == first for e in range(5)]


def test_it_looks_at_its_latents_at_its_start_and_end_alone(digits, monkeypatch):
    looked = []
    for owner, name in ((View, "scores"), (protocol, "live_scores"), (loop.alarms, "of_latents")):
        answer = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *of, answer=answer, name=name: looked.append(name) or answer(*of))
    training = fit(RunConfig.of({"data": "digits", "epochs": 6}), digits, watched=False)
    records = [record for record in training if record.ends_epoch]
    assert looked == ["of_latents"] and [record.scores for record in records] == [{}] * 7
    assert all(record.terms for record in records[1:])


def test_it_writes_as_many_files_whatever_its_epochs(monkeypatch):
    monkeypatch.setattr(Writer, "_write_heartbeat", lambda self: None)  # one every two seconds, however long it takes
    monkeypatch.setattr(writer, "STATE_EVERY", 1e6)
    written, replace_file = [], writer.files.replace_file

    def note(path, *how, **more):
        written.append(path.name)
        replace_file(path, *how, **more)

    monkeypatch.setattr(writer.files, "replace_file", note)
    by_epochs = {}
    for epochs in (2, 9):
        written.clear()
        trained(f"of-{epochs}", False, epochs=epochs)
        by_epochs[epochs] = sorted(written)
    assert [name.replace("0009", "0002") for name in by_epochs[9]] == by_epochs[2]
    assert "state.safetensors" not in by_epochs[9] and "live.npz" not in by_epochs[9]


def test_its_ticks_cost_no_heartbeat(monkeypatch):
    beats, beat = [], Writer._write_heartbeat
    monkeypatch.setattr(writer, "HEARTBEAT", 1e6)
    monkeypatch.setattr(Writer, "_write_heartbeat", lambda self: beats.append(1) or beat(self))
    trained("unseen", False, epochs=3)
    assert len(beats) == 1, "the one that its end wakes"
    trained("seen", True, epochs=3)
    assert len(beats) > 2


def test_a_state_is_saved_as_often_as_of_any_run_once_there_is_something_to_lose(monkeypatch):
    saved, save = [], Writer.save_state
    monkeypatch.setattr(Writer, "save_state", lambda self: saved.append(1) or save(self))
    for seconds, count in ((1e6, 0), (0.0, 4)):  # three ends of epochs, and before the final scores
        saved.clear()
        monkeypatch.setattr(writer, "STATE_EVERY", seconds)
        trained(f"every-{seconds}", False, epochs=3)
        assert len(saved) == count


def test_pages_show_it_and_say_why_no_epoch_was_scored():
    trained("unseen", False)
    trained("other", False, model="cbswr")
    explored = opened("pages/2_Explore.py", run="unseen")
    explored.session_state["section"] = "Curves"
    compared = opened("pages/8_Compare.py", runs="unseen,other")
    for page in (checked(explored.run()), compared, opened("pages/9_Clusters.py", run="other")):
        assert "Nobody watched this training" in words(page), words(page)
