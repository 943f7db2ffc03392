"""A run's folder: never half a file, one writer, many readers, a quota, and strangers' zips."""

import errno
import io
import json
import math
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from semidml import execute as executing
from semidml.config import RunConfig
from semidml.data import store
from semidml.disk import files as files_module
from semidml.execute import execute, score_run, train_in
from semidml.explore import take_away
from semidml.frames import Frame, Record
from semidml.methods import MODELS
from semidml.presets import SHIPPED
from semidml.runs import changes, heartbeat, lineage, listing, places, process, quota, trained_on, transfer
from semidml.runs import run as run_folder
from semidml.runs import writer as writer_module
from semidml.runs.parent import name_parent
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.runs.writer import Writer, kept_frames
from semidml.train.task import seeded_model

ROWS = 30
IMAGES = {"title": "Paper", "shape": [1, 4, 4], "class_names": list("abcdefghij")}


class FakeTraining:
    """What `loop.fit` gives, in a few numbers that depend on the epoch alone."""

    facts = {"device": "cpu", "device_name": "paper", "matmul_precision": "highest", "threads": 1, "seen_labels": 7}  # noqa: RUF012

    def __init__(self, config, state=None, steps=2, fails=None):
        self.config, self.steps, self.fails = config, steps, fails or {}
        self.epoch = self.now = int(state["epoch"]) if state else 0
        self.model = seeded_model(config, (1, 4, 4), 10).state_dict()

    def __iter__(self):
        if self.epoch == 0:
            yield self.record(0, 0)
        while self.epoch < self.config.epochs:
            for step in range(1, self.steps):
                self.now = self.epoch
                yield self.record(self.epoch, step)
            if error := self.fails.get(self.epoch + 1):
                raise error
            self.epoch += 1
            yield self.record(self.epoch, 0)

    def record(self, epoch, step):
        return Record(epoch, step, self.steps, time.monotonic(), {"metric": 1 / (1 + epoch)}, {"metric": 1.0})

    def rows(self):
        return {
            "split": np.zeros(ROWS, np.uint8),
            "row": np.arange(ROWS, dtype=np.int32),
            "labels": np.zeros(ROWS, np.int16),
            "seen": np.ones(ROWS, bool),
            "shown": np.arange(2, dtype=np.int32),
        }

    def frame(self):
        latents, predictions = np.full((ROWS, 2), self.epoch, np.float32), np.full(ROWS, self.epoch % 10, np.int16)
        return Frame(self.rows(), latents, predictions, reconstructions=np.zeros((2, 1, 4, 4), np.uint8))

    def state(self):
        chance = torch.Generator().get_state()
        return {f"model.{name}": tensor for name, tensor in self.weights().items()} | {
            **{"epoch": torch.tensor(self.epoch), "seconds": torch.tensor(1.0, dtype=torch.float64)},
            **{"generator": chance, "noise_generator": chance.clone()},
        }

    def weights(self):
        """All of them are the epoch."""
        return {name: torch.full_like(tensor, self.epoch) for name, tensor in self.model.items()}

    def finish(self, full=False, progress=None):
        return {"knn_accuracy": 0.5, "knn_ami": float("nan"), "collapsed": False, "seconds": 1.0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(places, "shipped", lambda: tmp_path / "checkpoints")
    return tmp_path / "runs"


@pytest.fixture
def faked(monkeypatch):
    """Runs train on FakeTraining; gives a dictionary of what it is made with."""
    given = {}

    def open_training(writer, config, threads, progress):
        training = FakeTraining(config, writer.saved_state(), **given)
        writer.describe(machine={"device": "cpu"}, facts={"seen_labels": 7}, data=IMAGES)
        return training

    monkeypatch.setattr(executing, "open_training", open_training)
    return given


def config(**values):
    return RunConfig.of({"epochs": 5} | values)


def until(true, seconds=10.0):
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def python(*words, **options):
    """Run Python in a process of its own, with the package importable."""
    environment = os.environ | {"PYTHONPATH": str(Path(run_folder.__file__).parents[2])}
    return subprocess.run([*words], capture_output=True, text=True, env=environment, **options)


def finished(run_id="first", **values):
    run = listing.create_run(config(**values), run_id)
    for _ in execute(run):
        continue
    return run


def content(run):
    return {p.relative_to(run.path).as_posix() for p in run.path.rglob("*") if p.is_file()}


def test_an_end_waits_for_no_heartbeat(faked, monkeypatch):
    """Whoever trains many short runs one after the other would sleep between them."""
    ends, end = [], Writer.end

    def timed(writer, *how):
        began = time.monotonic()
        status = end(writer, *how)
        ends.append(time.monotonic() - began)
        return status

    monkeypatch.setattr(Writer, "end", timed)
    for name in "abcdefgh":
        finished(name, epochs=1)
    assert min(ends) < 0.03


# ---- names


@pytest.mark.parametrize(
    "name", ["../../etc", "..", ".", "", "a/b", "a\\b", "/etc", ".hidden", "a" * 81, "a\n", "a b", "é", "-rf"]
)
def test_a_name_cannot_lead_out_of_the_folder(name):
    assert not places.valid_id(name)
    with pytest.raises(ValueError, match="there is no run called" if name == "a/b" else "80 letters"):
        listing.open_run(name)  # SWEEP/RUN is a name, of a run that is not there
    with pytest.raises(ValueError, match="80 letters"):
        listing.create_run(config(), name)


def test_a_link_out_of_the_folder_is_no_run(folder, tmp_path, faked):
    finished("inside")
    shutil.copytree(folder / "inside", tmp_path / "outside")
    (folder / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(ValueError, match="no run called 'link'"):
        listing.open_run("link")
    assert [run.id for run in listing.list_runs()] == ["inside"]


def test_new_names_are_valid_readable_and_differ():
    names = {places.new_id(config(data="../some place/x y.npz")) for _ in range(50)}
    assert len(names) > 45 and all(places.valid_id(n) and n.startswith("x-y-dml-ae-pl100-") for n in names)


def test_a_name_is_taken_once():
    listing.create_run(config(), "first")
    with pytest.raises(ValueError, match="already a run called first"):
        listing.create_run(config(), "first")


def test_the_name_of_a_shipped_run_is_taken(tmp_path, faked):
    """A run of its name would stand in its place."""
    (tmp_path / "checkpoints" / "gift").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"already a run called gift: it ships"):
        listing.create_run(config(), "gift")
    run = finished()
    with pytest.raises(ValueError, match="already a run called gift"):
        changes.rename(run, "gift")
    assert run.status().state == "done"


def test_importing_runs_loads_no_torch():
    code = "import sys; from semidml.jobs import queue, worker; print('torch' in sys.modules)"
    assert python(sys.executable, "-c", code).stdout == "False\n"


# ---- a run from its beginning to its end


def test_a_finished_run_has_everything_and_nothing_else(faked):
    run = finished()
    status = run.status()
    assert (status.state, status.reason, status.epoch, status.epochs) == ("done", "", 5, 5)
    assert [r.epoch for r in run.history()] == [0, 1, 2, 3, 4, 5]
    assert run.frames() == [0, 1, 2, 3, 4, 5] and (run.frame(3).latents == 3).all()
    assert (run.live().latents == 5).all() and run.rows()["labels"].shape == (ROWS,)
    assert run.metrics()["knn_accuracy"] == 0.5
    assert run.metrics()["knn_ami"] is None and run.metrics()["failed"] == {"knn_ami": "not finite"}
    frames = {f"frames/{e:04d}.npz" for e in range(6)}
    files = {"config.json", "status.json", "history.jsonl", "rows.npz", "weights.safetensors", "metrics.json"}
    assert content(run) == frames | files
    assert run.details()["versions"]["torch"] and run.config() == config()
    before = {name: (run.path / name).stat().st_mtime_ns for name in content(run)}
    assert list(execute(run)) == run.history()[-1:], "asked once more, it has its result already"
    assert {name: (run.path / name).stat().st_mtime_ns for name in content(run)} == before


def test_a_stop_keeps_what_is_finished_and_a_resume_goes_on_from_there(faked):
    run = listing.create_run(config(), "first")
    for record in execute(run):
        if (record.epoch, record.step) == (3, 1):
            changes.stop(run)
    status = run.status()
    assert (status.state, status.epoch, status.reason) == ("stopped", 3, "resume continues from epoch 3")
    assert [r.epoch for r in run.history()] == [0, 1, 2, 3] and not (run.path / "stop").exists()
    assert run.metrics() is None and "lock" not in content(run)
    with pytest.raises(ValueError, match="not running: it is stopped"):
        changes.stop(run)
    changes.make_ready(run)
    assert run.status().state == "queued"
    resumed = [r.epoch for r in execute(run)]
    assert resumed[0] == 3
    assert run.status().state == "done" and [r.epoch for r in run.history()] == [0, 1, 2, 3, 4, 5]
    assert "state.safetensors" not in content(run)


def test_to_stop_iterating_stops_the_run(faked):
    run = listing.create_run(config(), "first")
    ticks = execute(run)
    for _ in range(6):
        next(ticks)
    until(lambda: run.status().fraction > 0)
    assert run.status().state == "running"
    ticks.close()
    assert run.status().state == "stopped" and run.resume_epoch() == run.history()[-1].epoch == 2


def test_what_follows_the_saved_state_is_cut_at_a_resume(faked):
    faked["fails"] = {4: KeyboardInterrupt()}
    run = finished()
    assert run.status().state == "stopped" and run.resume_epoch() == 3
    with open(run.path / "history.jsonl", "a") as file:  # a killed writer had come farther than its last state
        file.write(replace(run.history()[-1], epoch=4, terms={"metric": 99.0}).to_json() + '\n{"epoch": 5, "st')
    shutil.copy(run.path / "frames/0003.npz", run.path / "frames/0004.npz")
    (run.path / "frames/.0005.npz.77-1.tmp").write_bytes(b"half")
    assert [r.epoch for r in run.history()] == [0, 1, 2, 3, 4]
    faked["fails"] = {}
    for _ in execute(run):
        continue
    assert [r.terms["metric"] for r in run.history()] == [1 / (1 + e) for e in range(6)]
    assert (run.frame(4).latents == 4).all() and not any(".tmp" in name for name in content(run))


def test_a_last_line_without_its_end_is_not_a_record_yet(faked):
    run = finished()
    path = run.path / "history.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole) - 40, len(whole)):
        path.write_bytes(whole[:cut])
        assert [r.epoch for r in run.history()] == [0, 1, 2, 3, 4]
    path.write_bytes(whole)
    assert len(run.history()) == 6


def test_the_history_is_read_anew_when_it_was_cut_and_grew_again(faked):
    run = finished()
    records = run.history()
    (run.path / "history.jsonl").write_text("".join(replace(r, seconds=-1.0).to_json() + "\n" for r in records))
    assert {r.seconds for r in run.history()} == {-1.0}


def test_frames_are_thinned_evenly(faked):
    run = finished(epochs=1000)
    kept = run.frames()
    assert len(kept) == 200 and kept[0] == 0 and kept[-1] == 1000
    assert set(np.diff(kept)) <= {5, 6}
    assert len(run.history()) == 1001
    assert kept_frames(199) == set(range(200)) and len(kept_frames(10_000)) == 200
    wide = kept_frames(10_000, latent_dim=128)
    assert len(wide) == 25 and {0, 10_000} <= wide and len(kept_frames(10_000, latent_dim=512)) == 20


def test_between_kept_frames_there_is_the_newest(faked, monkeypatch):
    monkeypatch.setattr(Writer, "_pace", lambda self, began: None)  # as if frames took no time
    run = listing.create_run(config(epochs=1000), "first")
    for record in execute(run):
        assert (run.live().epoch, run.live().step) == (record.epoch, record.step)
        if record.epoch == 12:
            break
    assert run.frames() == [0, 5, 10, 12]


def test_the_newest_frame_never_falls_back(faked, monkeypatch):
    """Where no frame is due at an epoch's end, the last one from within the epoch is still the newest."""
    due = iter(record % 7 == 0 for record in range(10_000))
    monkeypatch.setattr(Writer, "_pace", lambda self, began: setattr(self, "_frame_due", math.inf))
    run, shown = listing.create_run(config(epochs=1000), "first"), []
    with Writer(run) as writer:
        for record in train_in(writer):
            shown.append((run.live().epoch, run.live().step))
            writer._frame_due = 0.0 if next(due) else math.inf
            if record.epoch == 12:
                break
    assert shown == sorted(shown) and any(step for _, step in shown) and len(set(shown)) > 5


# ---- one writer, many readers


def test_readers_never_see_half_a_file(tmp_path):
    path, stop, seen = tmp_path / "frame.npz", threading.Event(), []

    def write(value):
        files_module.replace_file(path, lambda f: np.savez(f, a=np.full(20_000, value)), durable=False)

    def read():
        while not stop.is_set():
            with np.load(path) as arrays:
                a = arrays["a"]
            seen.append(a.shape == (20_000,) and bool((a == a[0]).all()))

    write(0)
    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for value in range(150):
        write(value)
    stop.set()
    for reader in readers:
        reader.join()
    assert len(seen) > 20 and all(seen)


def test_the_status_is_whole_at_every_moment(faked):
    run = listing.create_run(config(epochs=60), "first")
    states, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            states.append(run.status())
            run.history(), run.live()

    reader = threading.Thread(target=read)
    reader.start()
    for _ in execute(run):
        time.sleep(0.002)
    stop.set()
    reader.join()
    assert {s.state for s in states} <= {"queued", "running", "done"} and len(states) > 10


def test_a_second_writer_is_refused_in_words(faked):
    run = listing.create_run(config(), "first")
    with (
        Writer(run),
        pytest.raises(ValueError, match=f"first is being written by pid {os.getpid()} on {socket.gethostname()}"),
    ):
        Writer(run)
    assert "lock" not in content(run)


def test_a_writer_on_another_machine_is_respected_until_it_falls_silent(faked, monkeypatch):
    monkeypatch.setattr(writer_module, "HEARTBEAT", 0.1)
    run = listing.create_run(config(), "first")
    other = {"host": "elsewhere", "pid": 7, "place": "x", "born": "1"}
    write_status(run, Status("running", owner=other, updated=time.time()))
    (run.path / "lock").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="being written by pid 7 on elsewhere"):
        next(execute(run))
    assert run.recorded().owner == other
    os.utime(run.path / "status.json", (time.time() - 16,) * 2)
    heartbeat.forget()  # as another process looks
    assert run.status().state == "interrupted" and "last heard of 16 s ago" in run.status().reason
    assert [r.epoch for r in execute(run)][-1] == 5


def test_a_run_whose_process_has_ended_is_interrupted_at_once():
    run = listing.create_run(config(), "first")
    code = "import json; from semidml.runs import process; print(json.dumps(process.this_process()))"
    owner = json.loads(python(sys.executable, "-c", code).stdout)
    write_status(run, Status("running", owner=owner, updated=time.time()))
    assert run.status().state == "interrupted" and run.status().reason == "its process ended; resume starts anew"
    write_status(run, Status("running", owner=process.this_process(), updated=time.time()))
    assert run.status().state == "running"


def test_the_heartbeat_tells_even_without_ticks(monkeypatch):
    monkeypatch.setattr(writer_module, "HEARTBEAT", 0.1)
    run = listing.create_run(config(), "first")
    with Writer(run):
        first = run.status().updated
        until(lambda: run.status().updated > first)


# ---- what goes wrong ends the run, and says why


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FloatingPointError("the metric loss was no longer finite in epoch 3"), "no longer finite in epoch 3"),
        (MemoryError(), r"out of memory: lower batch_size \(now 256\)"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "out of memory: lower batch_size"),
        (ValueError("pl must be larger"), "pl must be larger"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_an_error_ends_the_run_with_its_reason_and_keeps_the_last_epoch(faked, error, words):
    faked["fails"] = {3: error}
    run = finished()
    status = run.status()
    assert status.state == "failed" and status.reason.endswith("; resume continues from epoch 2")
    assert re.search(words, status.reason)
    assert (run.path / "error.txt").exists() == isinstance(error, KeyError | RuntimeError)
    faked["fails"] = {}
    for _ in execute(run):
        continue
    assert run.status().state == "done" and not (run.path / "error.txt").exists()


def test_a_state_that_is_not_finite_does_not_replace_a_good_one(faked, monkeypatch):
    monkeypatch.setattr(writer_module, "STATE_EVERY", 0.0)
    good = FakeTraining.state
    broken = {"epoch": torch.tensor(3), "model.w": torch.tensor([float("nan")])}
    monkeypatch.setattr(FakeTraining, "state", lambda self: broken if self.epoch >= 3 else good(self))
    faked["fails"] = {4: FloatingPointError("not finite")}
    assert finished().resume_epoch() == 2


@pytest.mark.parametrize(
    "what", ["state.safetensors", "history.jsonl", "status.json", "weights.safetensors", "0003.npz"]
)
def test_a_full_disk_fails_the_run_and_keeps_the_earlier_state(faked, monkeypatch, what):
    monkeypatch.setattr(writer_module, "STATE_EVERY", 0.0)
    run = listing.create_run(config(epochs=8), "first")
    full = [False]
    replace_file, write = run_folder.os.replace, os.write

    def refuse(source, target):
        if full[0] and str(target).endswith(what):
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace_file(source, target)

    def refuse_half(handle, data):
        if full[0] and what == "history.jsonl" and len(data) > 50:
            write(handle, data[:20])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(run_folder.os, "replace", refuse)
    monkeypatch.setattr(run_folder.os, "write", refuse_half)
    for record in execute(run):
        if what == "status.json":
            time.sleep(0.15)  # the heartbeat meets it
        full[0] = record.epoch >= (1 if what == "0003.npz" else 2)
    monkeypatch.undo()
    status = run.status()
    assert status.state == "failed" and status.reason.startswith("the disk is full: ")
    assert 1 <= run.resume_epoch() <= 8 and f"epoch {run.resume_epoch()}" in status.reason
    assert [r.epoch for r in run.history()] == list(range(len(run.history())))
    assert not any(".part" in name or name == "lock" for name in content(run))


ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_runs as t
from semidml import execute as executing
from semidml.runs import listing, writer
os.environ["SEMIDML_RUNS"] = {mount!r}
writer.STATE_EVERY = 0.0
def open_training(writer, config, threads, progress):
    training = t.FakeTraining(config, writer.saved_state())
    writer.describe(data=t.IMAGES)
    return training
executing.open_training = open_training
run = listing.create_run(t.config(epochs=50), "first")
for record in executing.execute(run):
    if record.epoch == 4 and record.step == 0:
        other = os.open(Path({mount!r}) / "other", os.O_WRONLY | os.O_CREAT)
        try:
            while os.write(other, bytes(1024)):
                continue
        except OSError as error:
            print(error)
        os.close(other)
print(run.status().state, "|", run.status().reason, "|", run.resume_epoch(), len(run.history()))
(Path({mount!r}) / "other").unlink()
print([r.epoch for r in executing.execute(run)][-1:], run.status().state, run.status().reason)
"""


def test_a_disk_that_is_really_full(tmp_path):
    mount = str(tmp_path / "small")
    os.mkdir(mount)
    alone = ["unshare", "--mount", "--map-root-user"]
    script = tmp_path / "fill.py"
    script.write_text(ON_A_FULL_DISK.format(tests=os.path.dirname(__file__), mount=mount))
    commands = f"mount -t tmpfs -o size=8m tmpfs {mount} && exec {sys.executable} {script}"
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk of their own")
    done = python(*alone, "sh", "-c", commands)
    assert done.returncode == 0, done.stderr
    full, first, second = done.stdout.splitlines()
    assert "No space left" in full
    assert first.startswith("failed | the disk is full: ") and "resume continues from epoch" in first, done
    assert second.strip() == "[50] done", second


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", "{"),
        ("config.json", '{"config": {"alpha": 7}}'),
        ("config.json", "[1]"),
        ("status.json", '{"state": "flying"}'),
        ("status.json", '{"state": "done", "updated": "now"}'),
        ("status.json", "\0"),
        ("metrics.json", '{"knn_accuracy": 0.'),
    ],
)
def test_a_damaged_folder_is_listed_as_failed(faked, name, text):
    finished("good")
    (finished("bad").path / name).write_text(text)
    found = {run.id: run.status() for run in listing.list_runs()}
    assert found["good"].state == "done"
    assert found["bad"].state == "failed" and "this run's folder is damaged" in found["bad"].reason
    assert listing.open_run("bad").damage() in found["bad"].reason and not listing.open_run("good").damage()


def test_a_run_older_than_some_knobs_trains_what_it_did(faked):
    """Its authors' formulas brought no other knobs; those of a run of today do."""
    run = listing.create_run(RunConfig.of({"model": "cbswr", "formulas": "authors"}), "old")
    assert run.config().head_dropout == 0.6 and run.config().positives == "neighbours"
    details = run.details()
    for name in ("head_dropout", "targets", "positives", "last_batch", "momentum"):
        del details["config"][name]
    (run.path / "config.json").write_text(json.dumps(details))
    old = run.config()
    assert (old.head_dropout, old.targets, old.positives, old.last_batch) == (0, "pixels", "twins", "filled")
    assert (old.optimizer, old.momentum, old.clusters) == ("sgd", 0.9, 100)
    assert not run.status().reason


# ---- quota


@pytest.mark.parametrize(
    ("text", "size"), [("500MB", 500e6), ("2 GB", 2e9), ("1.5g", 1.5e9), ("123", 123), ("10kb", 1e4)]
)
def test_a_quota_is_read_as_people_write_it(monkeypatch, text, size):
    monkeypatch.setenv("SEMIDML_QUOTA", text)
    assert quota.allowed_bytes() == size


def test_beyond_the_quota_nothing_is_created_and_the_largest_is_named(faked, monkeypatch, folder):
    finished("small")
    big = finished("big")
    (big.path / "weights.safetensors").write_bytes(bytes(2_000_000))
    monkeypatch.setenv("SEMIDML_QUOTA", "3MB")
    with pytest.raises(ValueError, match=r"of the 3.0 MB they may.*the largest are big \(.* MB\), small"):
        listing.create_run(config(), "third")
    assert not (folder / "third").exists()
    changes.delete(big)
    listing.create_run(config(), "third")
    monkeypatch.setenv("SEMIDML_QUOTA", "much")
    with pytest.raises(ValueError, match="SEMIDML_QUOTA must be a size"):
        quota.allowed_bytes()


# ---- moving about


def test_rename_and_delete(faked, folder):
    run = finished()
    finished("second")
    with pytest.raises(ValueError, match="already a run called second"):
        changes.rename(run, "second")
    with pytest.raises(ValueError, match="80 letters"):
        changes.rename(run, "../third")
    third = changes.rename(run, "third")
    assert third.id == "third" and third.status().state == "done" and not run.path.exists()
    changes.delete(third)
    assert {p.name for p in folder.iterdir()} == {"second"}
    with pytest.raises(ValueError, match="no run called"):
        changes.delete(third)


def test_what_a_killed_process_left_half_deleted_is_swept(folder):
    listing.create_run(config(), "first")
    for name, age in ((".deleted-old", 4000), (".import-new", 10)):
        (folder / name).mkdir()
        os.utime(folder / name, (time.time() - age,) * 2)
    listing.create_run(config(), "second")
    assert {p.name for p in folder.iterdir()} == {"first", "second", ".import-new"}


def test_a_running_run_is_neither_renamed_nor_deleted(faked):
    run = listing.create_run(config(), "first")
    for record in execute(run):
        if record.epoch == 2:
            with pytest.raises(ValueError, match="first is running: stop it before it is renamed"):
                changes.rename(run, "second")
            with pytest.raises(ValueError, match="first is running: stop it before it is deleted"):
                changes.delete(run)
    assert run.status().state == "done"


def test_a_shipped_run_stays_as_it_is(faked, tmp_path):
    finished().path.rename((tmp_path / "checkpoints").mkdir() or tmp_path / "checkpoints" / "gift")
    gift = listing.open_run("gift")
    assert gift in listing.list_runs() and gift not in listing.list_runs(include_shipped=False)
    for act in (changes.delete, lambda run: changes.rename(run, "mine"), changes.make_ready):
        with pytest.raises(ValueError, match="gift ships with the project"):
            act(gift)


def test_the_newest_is_listed_first(faked):
    for name in ("b", "a", "c"):
        listing.create_run(config(), name)
        time.sleep(0.005)
    assert [run.id for run in listing.list_runs()] == ["c", "a", "b"]


def test_the_user_s_runs_are_listed_first_and_shipped_ones_as_the_project_has_them(faked, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    names = [*list(SHIPPED)[:3], "unknown"]
    for name in reversed(names):
        finished(name).path.rename(tmp_path / "checkpoints" / name)
    finished("own")
    assert [run.id for run in listing.list_runs()] == ["own", *names]


def test_a_projection_is_kept_with_the_run(faked):
    run = finished()
    assert run.projection("pca") is None
    run.keep_projection("pca", points=np.ones((ROWS, 2), np.float32))
    assert (run.projection("pca")["points"] == 1).all()


def test_a_projection_of_what_a_resume_trains_anew_is_dropped(faked):
    faked["fails"] = {4: KeyboardInterrupt()}
    run = finished()
    faked["fails"] = {}
    for name in ("tsne-0002", "tsne-0003", "tsne-0004", "other"):
        run.keep_projection(name, points=np.ones((ROWS, 2), np.float32))
    changes.make_ready(run)
    for _ in execute(run):
        continue
    kept = {file.stem for file in run.path.glob("projections/*.npz")}
    assert kept == {"tsne-0002", "tsne-0003", "other"}


# ---- zips


def zipped(run):
    file = io.BytesIO()
    transfer.export_zip(run, file)
    file.seek(0)
    return file


def test_a_run_comes_back_from_its_zip_as_it_was(faked, folder):
    run = finished()
    run.keep_projection("pca", points=np.ones((ROWS, 2), np.float32))
    back = transfer.import_zip(zipped(run))
    assert back.id == "first-2" and back.status().state == "done" and back.status().epoch == 5
    assert back.history() == run.history() and back.frames() == run.frames() and back.metrics() == run.metrics()
    assert (back.path / "weights.safetensors").read_bytes() == (run.path / "weights.safetensors").read_bytes()
    assert content(back) == content(run)
    assert transfer.import_zip(zipped(run), "mine").id == "mine"
    with pytest.raises(ValueError, match="already a run called mine"):
        transfer.import_zip(zipped(run), "mine")
    assert {p.name for p in folder.iterdir()} == {"first", "first-2", "mine"}


def test_an_interrupted_run_goes_on_after_its_journey(faked):
    faked["fails"] = {4: KeyboardInterrupt()}
    run = finished()
    faked["fails"] = {}
    back = transfer.import_zip(zipped(run), "back")
    assert back.status().state == "stopped" and back.status().epoch == 3
    changes.make_ready(back)
    for _ in execute(back):
        continue
    assert [r.epoch for r in back.history()] == [0, 1, 2, 3, 4, 5] and back.status().state == "done"


def test_an_imported_run_may_not_name_paths(faked):
    run = listing.create_run(config(data="/etc/passwd"), "first", paths=True)
    for _ in execute(run):
        continue
    assert run.details()["paths"] is True
    assert transfer.import_zip(zipped(run)).details()["paths"] is False


def test_an_imported_run_remembers_what_it_was_made_from_and_a_forged_parent_is_refused(faked):
    parent = listing.create_run(config(), "first")
    run = listing.create_run(config(), "second", parent=name_parent(parent))
    for _ in execute(run):
        continue
    back = transfer.import_zip(zipped(run), "back")
    assert lineage.find_parent(back) == parent and set(lineage.list_children(parent)) == {run, back}
    for forged in (
        "first",
        {"id": "../x", "created": 1.0},
        {"id": "a", "created": -1.0},
        {"id": "a" * 99, "created": 1.0},
    ):
        details = run.details() | {"parent": forged}
        (run.path / "config.json").write_text(json.dumps(details))
        assert lineage.parent_of(run) is None
        with pytest.raises(ValueError, match=r"parent of config\.json is not what a run holds there"):
            transfer.import_zip(zipped(run), "forged")


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def giant():
    """An npz of 8 kB whose header promises 8 TB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, archive.open("latents.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 2)})
        member.write(bytes(8000))
    return file.getvalue()


def frame(**changes):
    whole = {"latents": np.zeros((ROWS, 2), np.float32), "predictions": np.zeros(ROWS, np.int16)}
    return npz(**(whole | changes))


def clustered(number, **more):
    """A frame with three clusters, all rows in that one."""
    three = {"cluster_sizes": np.zeros(3, np.int32), "cluster_entropies": np.zeros(3, np.float32)}
    return frame(clusters=np.full(ROWS, number, np.int16), **three | more)


def drawn(number):
    return {"cluster_shown": np.array([number], np.int16), "cluster_images": np.zeros((1, 1, 4, 4), np.uint8)}


def its_rows(**changes):
    whole = {"split": np.zeros(ROWS, np.uint8), "row": np.zeros(ROWS, np.int32), "labels": np.zeros(ROWS, np.int16)}
    return npz(**(whole | {"seen": np.ones(ROWS, bool), "shown": np.zeros(1, np.int32)} | changes))


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/semidml-was-here",))


def pickled():
    import pickle

    return pickle.dumps(Evil())


MALICIOUS = {
    "parent": ("first/../../evil.json", b"{}", "no file of a run"),
    "absolute": ("/tmp/evil.json", b"{}", "no file of a run"),
    "backslash": ("first/..\\evil.json", b"{}", "no file of a run"),
    "program": ("first/run.py", b"print()", "no file of a run"),
    "stop": ("first/stop", b"", "no file of a run"),
    "pickled weights": ("first/weights.safetensors", pickled(), "does not hold weights in the safetensors format"),
    "empty weights": ("first/weights.safetensors", b"", "does not hold weights in the safetensors format"),
    "objects": ("first/frames/0001.npz", frame(latents=np.array([Evil()], dtype=object)), "no run has there"),
    "other array": ("first/frames/0001.npz", frame(more=np.zeros(3)), "no run has there"),
    "other dtype": ("first/frames/0001.npz", frame(latents=np.zeros((ROWS, 2))), "no run has there"),
    "other rows": ("first/frames/0001.npz", frame(latents=np.zeros((3, 2), np.float32)), "not what a run holds"),
    "giant array": ("first/frames/0001.npz", giant(), "no run has there"),
    "lone clusters": ("first/frames/0001.npz", frame(clusters=np.zeros(ROWS, np.int16)), "not what a run holds"),
    "a fourth cluster": ("first/frames/0001.npz", clustered(3), "not what a run holds"),
    "a cluster below": ("first/frames/0001.npz", clustered(-1), "not what a run holds"),
    "a picture of none": ("first/frames/0001.npz", clustered(2, **drawn(3)), "not what a run holds"),
    "pictures of nobody": ("first/frames/0001.npz", clustered(2, cluster_shown=np.zeros(1, np.int16)), "not what a"),
    "other class": ("first/rows.npz", its_rows(labels=np.full(ROWS, 10, np.int16)), "rows.npz is not what a run holds"),
    "other split": ("first/rows.npz", its_rows(split=np.full(ROWS, 2, np.uint8)), "rows.npz is not what a run holds"),
    "other place": ("first/rows.npz", its_rows(shown=np.full(1, ROWS, np.int32)), "rows.npz is not what a run holds"),
    "no class": ("first/frames/0001.npz", frame(predictions=np.full(ROWS, 10, np.int16)), "not what a run holds"),
    "not finite": ("first/frames/0001.npz", frame(latents=np.full((ROWS, 2), np.nan, np.float32)), "not what a run"),
    "no weight": (
        "first/frames/0001.npz",
        frame(
            component_means=np.zeros((3, 2), np.float32),
            component_log_vars=np.zeros((3, 2), np.float32),
            component_weights=np.zeros(3, np.float32),
        ),
        "not what a run holds",
    ),
    "other images": (
        "first/frames/0001.npz",
        clustered(2, cluster_shown=np.zeros(1, np.int16), cluster_images=np.zeros((1, 3, 4, 4), np.uint8)),
        "not what a run holds",
    ),
    "many shown": ("first/rows.npz", its_rows(shown=np.zeros(20_000, np.int32)), "rows.npz is not what a run holds"),
    "text for a score": ("first/metrics.json", b'{"knn_accuracy": "abc"}', "metrics.json is not what a run holds"),
    "no npz": ("first/frames/0001.npz", b"latents", "cannot be read"),
    "config": ("first/config.json", b'{"config": {"alpha": 7}}', "alpha must be between 0 and 1"),
    "deep config": ("first/config.json", b'{"config":' * 50_000, "cannot be read"),
    "metrics": ("first/metrics.json", b'{"knn_accuracy": [1]}', "metrics.json is not what a run holds"),
    "infinite metrics": ("first/metrics.json", b'{"knn_accuracy": Infinity}', "metrics.json is not what"),
    "history": ("first/history.jsonl", b'{"epoch": 0}\n', "a line is not a record"),
}


@pytest.mark.parametrize("kind", MALICIOUS)
def test_a_malicious_zip_is_refused_and_leaves_nothing_behind(faked, folder, tmp_path, kind):
    name, bad, words = MALICIOUS[kind]
    source = zipped(finished())
    file = io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            if info.filename != name:
                new.writestr(info, old.read(info))
        new.writestr(name, bad)
    before = {p for p in tmp_path.rglob("*")}
    with pytest.raises(ValueError, match=words):
        transfer.import_zip(file, "evil")
    assert {p for p in tmp_path.rglob("*")} == before
    assert not os.path.exists("/tmp/semidml-was-here") and not os.path.exists("/tmp/evil.json")


def test_a_link_in_a_zip_is_refused(faked, folder):
    file = zipped(finished())
    with zipfile.ZipFile(file, "a") as archive:
        info = zipfile.ZipInfo("first/frames/0099.npz")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match="no file of a run"):
        transfer.import_zip(file, "evil")
    assert {p.name for p in folder.iterdir()} == {"first"}


def test_a_bomb_is_refused_before_it_is_unpacked(faked, folder):
    file = zipped(finished())
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first/frames/0099.npz", bytes(201 * 10**6))
    assert len(file.getvalue()) < 10**6
    with pytest.raises(ValueError, match=r"frames/0099.npz unpacks to 201.0 MB"):
        transfer.import_zip(file, "evil")
    lots = io.BytesIO()
    with zipfile.ZipFile(lots, "w") as archive:
        for i in range(1001):
            archive.writestr(f"first/frames/{i:04d}.npz", b"")
    with pytest.raises(ValueError, match="holds 1001 files"):
        transfer.import_zip(lots, "evil")
    assert {p.name for p in folder.iterdir()} == {"first"}


def test_a_torn_zip_is_refused(faked, folder):
    whole = zipped(finished()).getvalue()
    for cut in (0, 100, len(whole) // 2, len(whole) - 30):
        with pytest.raises(ValueError, match="the zip cannot be read"):
            transfer.import_zip(io.BytesIO(whole[:cut]), "torn")
    middle = len(whole) // 2
    with pytest.raises(ValueError):
        transfer.import_zip(io.BytesIO(whole[:middle] + bytes(500) + whole[middle + 500 :]), "torn")
    assert {p.name for p in folder.iterdir()} == {"first"}


def test_the_quota_holds_for_a_zip_too(faked, monkeypatch):
    file = zipped(finished())
    monkeypatch.setenv("SEMIDML_QUOTA", "20kB")
    with pytest.raises(ValueError, match="and this needs"):
        transfer.import_zip(file, "second")


def test_a_time_that_cannot_be_is_the_folders_own(faked):
    run = finished()
    for made in ("1e300", "-5", "NaN", '"soon"'):
        (run.path / "config.json").write_text(
            re.sub(r'"created": [0-9.e+]+', f'"created": {made}', (run.path / "config.json").read_text())
        )
        assert abs(run.created() - time.time()) < 3600
        (run.path / "config.json").write_text(
            re.sub(r'"created": [^,\n]+', '"created": 1.0', (run.path / "config.json").read_text())
        )


def test_a_run_that_was_trained_to_its_end_is_not_trained_over(faked):
    run = finished()
    weights = (run.path / "weights.safetensors").read_bytes()
    for name in ("metrics.json", "status.json"):
        kept = (run.path / name).read_bytes()
        (run.path / name).write_text("{")
        assert run.status().state == "failed" and run.is_complete()
        with pytest.raises(ValueError, match="it was trained to its end"):
            changes.make_ready(run)
        (run.path / name).write_bytes(kept)
    assert run.status().state == "done" and (run.path / "weights.safetensors").read_bytes() == weights


@pytest.mark.parametrize("line", [b"\0" * 40, b"{}", b'{"epoch": 1', b"[1]"])
def test_a_damaged_line_of_the_history_is_said(faked, line):
    run = finished()
    with (run.path / "history.jsonl").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(ValueError, match=r"history\.jsonl is damaged"):
        run.history()


def test_any_byte_of_a_frame_may_be_another(faked):
    path = finished().path / "frames" / "0001.npz"
    whole, run = path.read_bytes(), listing.open_run("first")
    for at in range(0, min(len(whole), 400)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        try:
            run.frame(1)
        except ValueError as error:
            assert "0001.npz is damaged" in str(error)


def test_a_frame_with_clusters_is_taken_in(faked, folder):
    file = zipped(finished())
    whole = zipfile.ZipFile(file)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as new:
        for info in whole.infolist():
            good = {"frames/0001.npz": clustered(2, **drawn(2))}
            new.writestr(info, good.get(info.filename.removeprefix("first/")) or whole.read(info))
    assert set(transfer.import_zip(file, "good").frame(1).clusters) == {2}


# ---- with real digits


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("latent_dim", [2, 17])  # wide latents are stored as float16
def test_a_run_of_each_model_comes_back_from_its_zip(digits, model, latent_dim):
    prior = {"placement": "sphere"} if model == "dml-prior" else {}  # a cube has too many vertices there
    run = finished(model=model, data="digits", latent_dim=latent_dim, epochs=1, batch_size=256, **prior)
    assert run.status().state == "done"
    back = transfer.import_zip(zipped(run), "back")
    assert content(back) == content(run) and back.metrics() == run.metrics()
    for epoch in run.frames():
        was, its = run.frame(epoch).arrays(), back.frame(epoch).arrays()
        assert was.keys() == its.keys()
        for name in was:
            np.testing.assert_array_equal(was[name], its[name])


def test_a_stopped_digits_run_ends_with_the_records_of_one_that_was_not(digits):
    whole, parts = listing.create_run(config(epochs=3), "whole"), listing.create_run(config(epochs=3), "parts")
    for _ in execute(whole):
        continue
    for record in execute(parts):
        if record.epoch == 1 and record.ends_epoch:
            changes.stop(parts)
    assert parts.status().state == "stopped" and parts.resume_epoch() == 1
    assert parts.model() is not None
    for _ in execute(parts):
        continue
    assert [replace(r, seconds=0) for r in parts.history()] == [replace(r, seconds=0) for r in whole.history()]
    assert {k: v for k, v in parts.metrics().items() if k != "seconds"} == {
        k: v for k, v in whole.metrics().items() if k != "seconds"
    }
    again = score_run(whole)
    assert again["knn_accuracy"] == whole.metrics()["knn_accuracy"]
    back = transfer.import_zip(zipped(whole), "back")
    assert all(torch.equal(a, b) for a, b in zip(back.model().parameters(), whole.model().parameters(), strict=True))
    machine = whole.details()["machine"]
    assert machine["device"] in ("cpu", "cuda", "mps") and machine["threads"] >= 1 and machine["matmul_precision"]
    assert whole.details()["data"]["shape"] == [1, 8, 8]


def test_another_data_set_of_the_same_name_and_shape_is_refused(tmp_path, monkeypatch):
    """Whether labels differ or pixels do; a run that does not say what it was trained on is read as before."""
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 8, 8), np.uint8)

    def upload(images, labels):
        (tmp_path / "uploads").mkdir(exist_ok=True)
        np.savez(tmp_path / "uploads" / "mine.npz", train_images=images, train_labels=labels)
        return store.load("mine")

    labels = np.arange(120) % 3
    upload(images, labels)
    run, parts = finished(data="mine", epochs=1), listing.create_run(config(data="mine", epochs=3), "parts")
    for record in execute(parts):
        if record.epoch == 1 and record.ends_epoch:
            changes.stop(parts)
    assert re.fullmatch("[0-9a-f]{64}", run.details()["data"]["digest"])
    assert transfer.import_zip(zipped(run), "back").details()["data"] == run.details()["data"]
    for other, what in (
        ((255 - images, labels), "some of its images are others"),
        ((images, (labels + 1) % 3), "labels of its images are others"),
    ):
        said = f"mine here is another data set than the one that {{}} was trained on: {what}, or"
        data = upload(*other)
        for ask, given in ((score_run, ()), (trained_on.read_splits, (data,)), (take_away.all_rows, (data,))):
            with pytest.raises(ValueError, match=said.format("first")):
                ask(run, *given)
        assert [record for record in execute(parts)] == [] and parts.status().reason.startswith(said.format("parts"))
        changes.make_ready(parts)
    data = upload(255 - images, labels)
    details = run.details()
    for name in ("digest", "labels", "pixels"):
        del details["data"][name]
    (run.path / "config.json").write_text(json.dumps(details))
    assert score_run(run) and trained_on.read_splits(run, data), "a run of version 0.2"
    upload(images, labels)
    assert [record.epoch for record in execute(parts) if record.ends_epoch] == [2, 3]


def test_data_that_are_not_here_fail_the_run_with_a_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "none"))
    run = finished(data="mnist", epochs=1)
    assert run.status().state == "failed" and "MNIST" in run.status().reason
    run = finished("second", data=str(tmp_path))
    assert run.status().state == "failed" and "data set" in run.status().reason and str(tmp_path) in run.status().reason
    assert isinstance(run, Run)


def test_only_contents_of_an_ordinary_size_are_kept():
    read = []
    parse = run_folder.for_contents(lambda content, *more: read.append(content) or len(content))
    small, large = b"x", b"x" * (run_folder.ORDINARY + 1)
    assert [parse(small), parse(small), parse(large), parse(large)] == [1, 1, len(large), len(large)]
    assert read == [small, large, large]
