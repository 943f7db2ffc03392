"""Runs that another machine writes on a shared disk, whose clock is ahead, behind, or jumps."""

import io
import itertools
import os
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from semidml.config import RunConfig
from semidml.disk import files
from semidml.runs import changes, heartbeat, listing, process, quota, transfer
from semidml.runs import writer as writer_module
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.runs.writer import Writer

OTHER = {"host": "elsewhere", "pid": 7, "place": "another boot", "born": "1"}
HOUR = 3600.0


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(heartbeat, "STALE", 0.6)
    heartbeat.forget()
    return tmp_path / "runs"


def written(updated: float, silent: float = 0.0, owner: dict = OTHER) -> Run:
    """A run whose last heartbeat came so many seconds ago by the disk, and at `updated` by its writer's clock."""
    run = listing.create_run(RunConfig(epochs=5), "far")
    write_status(run, Status("running", epochs=5, updated=updated, owner=owner))
    then = time.time() - silent
    os.utime(run.path / "status.json", (then, then))
    return run


@contextmanager
def beating(run: Run, clock, owner: dict = OTHER, modified: float | None = None):
    """A writer elsewhere, whose clock says what `clock` gives; `modified`: how far its disk's times are off."""
    ended = threading.Event()

    def beat() -> None:
        for step in itertools.count():
            write_status(run, Status("running", epochs=5, step=step, updated=clock(), owner=owner), durable=False)
            if modified is not None:
                os.utime(run.path / "status.json", (time.time() + modified,) * 2)
            if ended.wait(0.05):
                return

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("ahead", [-HOUR, 0.0, HOUR, 24 * HOUR])
def test_a_run_that_died_elsewhere_is_interrupted_whatever_its_clock_said(ahead):
    run = written(time.time() + ahead, silent=60)
    assert run.status().state == "interrupted"
    assert "its process (pid 7 on elsewhere) was last heard of 60 s ago; resume starts anew" in run.status().reason


@pytest.mark.parametrize("ahead", [-HOUR, 0.0, HOUR])
@pytest.mark.parametrize("modified", [0.0, -HOUR], ids=["now", "in the future"])
def test_one_that_has_just_died_goes_on_as_far_as_is_known_and_is_interrupted_soon(ahead, modified):
    run = written(time.time() + ahead, silent=modified)
    first = run.status()
    assert first.state == "running" and "as far as is known" in first.reason
    time.sleep(0.7)
    assert run.status().state == "interrupted"


def test_a_process_that_looks_later_knows_since_when_nothing_has_changed():
    """As the command line does, which looks once: the file's own time, an hour ahead, says nothing."""
    run = written(time.time() + HOUR, silent=-HOUR)
    assert run.status().state == "running"
    heartbeat.forget()
    assert run.status().state == "running"
    time.sleep(0.7)
    heartbeat.forget()
    assert run.status().state == "interrupted"


def test_the_command_line_says_so_too():
    run = written(time.time() + HOUR, silent=-HOUR)
    assert run.status().state == "running"
    command = [sys.executable, "-m", "semidml", "runs"]
    environment = os.environ | {"PYTHONPATH": str(Path(heartbeat.__file__).parents[2])}
    (note,) = run.path.glob(heartbeat.NOTE)
    os.utime(note, (time.time() - 60,) * 2)  # when it was seen first
    table = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert "interrupted" in next(line for line in table.splitlines() if line.startswith("far"))


CLOCKS = {
    "right": time.time,
    "behind": lambda: time.time() - HOUR,
    "ahead": lambda: time.time() + 48 * HOUR,
    "of another zone": lambda: time.time() - 9 * HOUR,
    "jumps": lambda: time.time() + HOUR * (int(time.time() * 20) % 3 - 1),
    "stands still": lambda: 1e9,
    "before 1970": lambda: -5.0,
}


@pytest.mark.parametrize("clock", CLOCKS)
def test_one_that_lives_elsewhere_runs_whatever_its_clock_says(clock):
    run = written(CLOCKS[clock]())
    with beating(run, CLOCKS[clock]):
        for _ in range(15):
            assert run.status().state == "running"
            time.sleep(0.1)
        assert not run.status().reason, "it was seen to change"
        heartbeat.forget()
        assert run.status().state == "running"
    time.sleep(0.7)
    assert run.status().state == "interrupted"


def test_a_page_that_was_closed_for_long_asks_the_disk_again():
    run = written(time.time())
    assert run.status().state == "running"
    time.sleep(0.7)
    write_status(run, Status("running", epochs=5, step=1, updated=time.time(), owner=OTHER))
    os.utime(run.path / "status.json", (time.time() - 60,) * 2)  # it died a minute ago, after some more steps
    assert run.status().state == "interrupted"


@pytest.mark.parametrize(("hours", "first"), [(0, "running"), (1, "running"), (-1, "running"), (72, "interrupted")])
def test_on_a_disk_that_can_only_be_read_a_second_look_tells(monkeypatch, hours, first):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    run = written(time.time() + HOUR, silent=hours * HOUR)
    monkeypatch.setattr(files, "disk_time", refuse)
    assert run.status().state == first
    time.sleep(0.7)
    assert run.status().state == "interrupted" and not (run.path / heartbeat.NOTE).exists()


def test_a_process_of_this_machine_is_judged_by_itself():
    run = written(time.time() - HOUR, silent=HOUR, owner=process.this_process())
    assert run.status().state == "running" and not run.status().reason
    assert {path.name for path in run.path.iterdir()} == {"config.json", "status.json"}


def test_of_another_container_of_this_host_the_heartbeat_tells():
    run = written(time.time() + HOUR, silent=60, owner=process.this_process() | {"place": "another container"})
    assert run.status().state == "interrupted"


@pytest.mark.parametrize("queued", [False, True])
def test_nobody_writes_beside_a_writer_whose_disk_has_strange_times(monkeypatch, queued):
    """Its heartbeat looks an hour old: a page calls it interrupted, and somebody presses Resume."""
    monkeypatch.setattr(writer_module, "HEARTBEAT", 0.2)
    run = written(time.time() - HOUR, silent=HOUR)
    (run.path / "lock").write_bytes(files.as_json(OTHER))
    assert run.status().state == "interrupted"
    if queued:
        changes.make_ready(run)
    with (
        beating(run, lambda: time.time() - HOUR, modified=-HOUR),
        pytest.raises(ValueError, match="far is being written by pid 7 on elsewhere"),
    ):
        Writer(run)


def test_one_that_died_elsewhere_is_resumed_and_the_note_leaves_with_it(monkeypatch):
    monkeypatch.setattr(writer_module, "HEARTBEAT", 0.05)
    run = written(time.time() + HOUR, silent=60)
    (run.path / "lock").write_bytes(files.as_json(OTHER))
    assert run.status().state == "interrupted" and (run.path / heartbeat.NOTE).exists()
    file = io.BytesIO()
    transfer.export_zip(run, file)
    assert set(zipfile.ZipFile(file).namelist()) == {"far/config.json", "far/status.json"}
    changes.make_ready(run)
    with Writer(run) as writer:
        assert not (run.path / heartbeat.NOTE).exists()
        writer.end("stopped")
    assert run.status().state == "stopped"
    changes.delete(run)


def test_many_looks_write_one_note():
    run = written(time.time())
    before = {run.status().state for _ in range(50)}
    assert before == {"running"}
    assert {path.name for path in run.path.iterdir()} == {"config.json", "status.json", heartbeat.NOTE}


def test_what_another_machine_imports_now_is_not_swept_away_by_a_clock_ahead(folder, monkeypatch):
    folder.mkdir()
    (folder / ".import-theirs").mkdir()
    (folder / ".deleted-old").mkdir()
    os.utime(folder / ".deleted-old", (time.time() - 2 * HOUR,) * 2)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 2 * HOUR)
    quota.sweep_runs()
    assert [path.name for path in folder.iterdir()] == [".import-theirs"]
