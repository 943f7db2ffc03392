"""Stops in good order: whoever ends a training, and however, its last finished epoch is kept, its status says so, and a
resume ends with the records of a run that nobody disturbed. And of several who change a run at once one does."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from semidml.config import RunConfig
from semidml.disk import files
from semidml.execute import train_in
from semidml.frames import Record
from semidml.jobs.queue import Jobs
from semidml.memory import cores
from semidml.runs import changes, listing
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.runs.writer import Writer

PACKAGE = str(Path(__file__).parents[2])
LONG = 300.0  # seconds: how late a busy machine may be; waits end with what they wait for
EPOCHS = 25


def until(true: Callable[[], object], seconds: float = LONG) -> object:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def config(**values: object) -> RunConfig:
    """A training of some seconds, in many short epochs: far more of them than states are written in that time."""
    return RunConfig.of({"epochs": EPOCHS, "labelled_per_class": 4, "device": "cpu"} | values)


def records(run: Run) -> list[Record]:
    return [replace(record, seconds=0) for record in run.history()]


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory):
    made = Jobs(tmp_path_factory.mktemp("stops") / "runs")
    yield made
    made.close()


def trained(supervisor: Jobs, run: Run) -> Run:
    until(lambda: run not in supervisor.queue() and run != supervisor.running())
    assert run.status().state == "done", run.status()
    return run


@pytest.fixture(scope="module")
def undisturbed(supervisor) -> list[Record]:
    return records(trained(supervisor, supervisor.submit(config())))


def check_kept(run: Run, state: str, least: int = 3) -> Status:
    """The last finished epoch is on the disk, and the status says so."""
    status = run.status()
    assert status.state == state, status
    saved = run.resume_epoch()
    assert least <= saved < EPOCHS
    assert (status.epoch, status.step) == (saved, 0) and status.latest["epoch"] == saved
    assert f"resume continues from epoch {saved}" in status.reason
    assert run.history()[-1].epoch in (saved, saved + 1)  # an epoch that ended while this was written is trained anew
    return status


def check_resumed(supervisor: Jobs, run: Run, undisturbed: list[Record]) -> None:
    supervisor.resume(run.id)
    assert records(trained(supervisor, run)) == undisturbed


# ---- the command line


def heed_signals() -> None:
    """In a child: as in a terminal, whatever these tests run in ignores."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def command_line(folder: Path, *words: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": PACKAGE, "SEMIDML_RUNS": str(folder)}
    command = [sys.executable, "-m", "semidml", *words]
    return subprocess.Popen(command, env=environment, stderr=-1, text=True, preexec_fn=heed_signals)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_the_command_line_told_to_end_stops_its_run_at_the_last_epoch(supervisor, undisturbed, name):
    run, number = Run(supervisor.root / f"by-{name}"), getattr(signal, name)
    words = [f"--{knob.replace('_', '-')}={value}" for knob, value in config().changed().items()]
    with command_line(supervisor.root, "train", *words, "--device=cpu", f"--out={run.path}") as process:
        until(lambda: run.path.is_dir() and run.status().epoch >= 4)
        os.kill(process.pid, number)
        said = process.stderr.read()
    assert process.returncode == 128 + number and "semidml: stopped: resume continues from epoch" in said
    check_kept(run, "stopped")
    check_resumed(supervisor, run, undisturbed)


def test_a_signal_that_is_ignored_for_the_command_line_stays_so(supervisor):
    """As under nohup, whose terminal may be closed."""
    run = Run(supervisor.root / "nohup")
    ignore = f"import os, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv({sys.executable!r}, "
    ignore += f"[{sys.executable!r}, '-m', 'semidml', 'train', '--epochs=8', '--device=cpu', '--out={run.path}'])"
    environment = os.environ | {"PYTHONPATH": PACKAGE}
    with subprocess.Popen([sys.executable, "-c", ignore], env=environment, stdout=-1, stderr=-1) as process:
        until(lambda: run.path.is_dir() and run.status().state == "running")
        os.kill(process.pid, signal.SIGHUP)
        process.communicate()
    assert process.returncode == 0 and run.status().state == "done"


# ---- the worker, alone and with its app


def test_a_worker_told_to_end_keeps_the_last_epoch(supervisor, undisturbed):
    run = supervisor.submit(config())
    until(lambda: run.status().state == "running" and run.status().epoch >= 4)
    os.kill(supervisor.training.pid, signal.SIGTERM)
    until(lambda: run != supervisor.running())
    status = check_kept(run, "interrupted")
    assert "its process was told to end (signal 15); resume" in status.reason
    check_resumed(supervisor, run, undisturbed)


def test_the_button_stop_keeps_the_last_epoch(supervisor, undisturbed):
    run = supervisor.submit(config())
    until(lambda: run.status().epoch >= 4)
    supervisor.stop(run.id)
    until(lambda: run != supervisor.running())
    check_kept(run, "stopped")
    check_resumed(supervisor, run, undisturbed)


APP = """
import sys, time
from semidml.config import RunConfig
from semidml.jobs.queue import Jobs
supervisor = Jobs(sys.argv[1])
run = supervisor.submit(RunConfig.of(eval(sys.argv[2])))
while run.status().epoch < 4:
    time.sleep(0.01)
print(run.id, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(("name", "everyone"), [("SIGINT", True), ("SIGHUP", True), ("SIGTERM", False)])
def test_an_app_that_ends_keeps_the_last_epoch_of_its_run(supervisor, undisturbed, name, everyone):
    """Ctrl-C in its terminal and closing that reach the whole group of processes, a signal of the system the app."""
    values = config().changed() | {"device": "cpu"}
    words = [sys.executable, "-c", textwrap.dedent(APP), str(supervisor.root), repr(values)]
    environment = os.environ | {"PYTHONPATH": PACKAGE}
    options = {"env": environment, "start_new_session": True, "preexec_fn": heed_signals}
    with subprocess.Popen(words, stdout=-1, stderr=-1, text=True, **options) as app:
        run = Run(supervisor.root / app.stdout.readline().strip())
        (os.killpg if everyone else os.kill)(app.pid, getattr(signal, name))
        app.communicate()  # ends when the worker, who shares the pipe, has ended too
    status = check_kept(run, "interrupted")
    assert "the app that started it ended" in status.reason or "its process was told to end" in status.reason
    check_resumed(supervisor, run, undisturbed)


# ---- the second in which a worker must end


@pytest.fixture
def half_trained(tmp_path):
    """A run that has come some epochs beyond its last saved state: its writer, and its records still to come."""
    run = listing.create_run(config(), path=tmp_path / "half")
    with Writer(run) as writer:
        coming = train_in(writer)
        until(lambda: next(coming).epoch >= 6)
        assert run.resume_epoch() == 1, "states are written every few seconds"
        yield run, writer, coming
        coming.close()


def test_what_a_full_disk_says_when_the_process_must_end(half_trained, monkeypatch):
    run, writer, _ = half_trained

    def full(path, *_):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace_file", full)  # neither the state nor a new status
        writer.interrupted("the app ended")
    status = run.status()
    assert (status.state, status.epoch, status.latest["epoch"]) == ("interrupted", 1, 1)
    assert status.reason == (
        "the app ended; its last epochs could not be saved: the disk is full: delete some runs or other files, then "
        "try again; resume continues from epoch 1"
    )


def test_a_run_that_is_done_at_that_moment_stays_done(half_trained):
    run, writer, coming = half_trained
    for _ in coming:
        pass
    writer.interrupted("the app ended")
    assert run.status().state == "done" and run.metrics()


def test_an_interruption_between_two_steps_of_an_epochs_end_loses_nothing(tmp_path, supervisor, undisturbed):
    """A KeyboardInterrupt may come anywhere: here the epoch is in the training, and not in the history yet."""
    run = listing.create_run(config(), path=supervisor.root / "between")
    with Writer(run) as writer:
        append = writer._append

        def interrupted(line):
            if b'"epoch": 7' in line:
                raise KeyboardInterrupt
            append(line)

        writer._append = interrupted
        for _ in train_in(writer, threads=max(1, cores() - 1)):
            pass
    assert run.status().state == "stopped" and run.history()[-1].epoch == 6 == run.resume_epoch()
    check_resumed(supervisor, run, undisturbed)


# ---- two at once


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    run = listing.create_run(config(), "first")
    write_status(run, Status("stopped", epochs=EPOCHS, updated=time.time()))
    return run


@pytest.fixture
def slowly(monkeypatch):
    """Each who has looked whether a run may be changed waits a moment before changing it."""
    for name in ("_check_idle", "_check_resumable"):
        check = getattr(changes, name)

        def late(*given, check=check):
            check(*given)
            time.sleep(0.2)

        monkeypatch.setattr(changes, name, late)


def both(*acts: Callable[[], object]) -> list[str]:
    """What came of acts done at once: "" of one that was done."""
    said: list[str] = []

    def act(one: Callable[[], object]) -> None:
        try:
            one()
            said.append("")
        except ValueError as error:
            said.append(str(error))

    threads = [threading.Thread(target=act, args=(one,)) for one in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(said)


def test_of_two_who_resume_a_run_one_has_it_and_the_other_is_told(stopped, slowly):
    said = both(*[lambda: changes.make_ready(stopped)] * 2)
    assert said[0] == "" and f"first cannot be resumed: it is queued, by pid {os.getpid()} on " in said[1]
    assert not (stopped.path / "lock").exists()


def test_two_processes_that_resume_a_run_are_told_apart(stopped, tmp_path):
    code = f"""
        import sys
        from semidml.runs import changes
        from semidml.runs.run import Run
        print("ready", flush=True)
        sys.stdin.readline()
        try:
            changes.make_ready(Run({str(stopped.path)!r}))
            print("ok", flush=True)
        except ValueError as error:
            print(error, flush=True)
        sys.stdin.readline()
    """
    words, environment = [sys.executable, "-c", textwrap.dedent(code)], os.environ | {"PYTHONPATH": PACKAGE}
    pair = [subprocess.Popen(words, stdin=-1, stdout=-1, text=True, env=environment) for _ in range(2)]
    for process in pair:
        assert process.stdout.readline() == "ready\n"
    for process in pair:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {process.pid: process.stdout.readline().strip() for process in pair}
    for process in pair:
        process.communicate("end\n")
    assert list(said.values()).count("ok") == 1
    (winner,) = (pid for pid, words in said.items() if words == "ok")
    assert any(f"it is queued, by pid {winner} on " in words for words in said.values())


def test_the_command_line_is_told_that_the_app_resumes_a_run(stopped):
    changes.make_ready(stopped)
    with command_line(stopped.path.parent, "runs", "resume", "first") as process:
        said = process.stderr.read()
    assert process.returncode == 2 and f"it is queued, by pid {os.getpid()} on " in said


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (lambda run: changes.delete(run), "there is no run called 'first'"),
        (lambda run: changes.rename(run, "second"), "there is no run called 'first'|is queued: stop it"),
        (lambda run: changes.make_ready(run), "there is no run called 'first'"),
    ],
    ids=["delete", "rename", "resume"],
)
def test_a_run_is_not_deleted_under_whoever_changes_it(stopped, slowly, other, words):
    said = both(lambda: changes.delete(stopped), lambda: other(stopped))
    gone = not stopped.path.exists()
    if said == ["", ""]:  # it was resumed, and its waiting taken back by deleting it
        assert gone and not stopped.path.with_name("second").exists()
    else:
        assert said[0] == "" and "there is no run called 'first'" in said[1]
    assert not list(stopped.path.parent.glob(".*"))


def test_a_run_is_not_renamed_under_whoever_resumes_it(stopped, slowly):
    said = both(lambda: changes.rename(stopped, "second"), lambda: changes.make_ready(stopped))
    assert said[0] == ""
    renamed = Run(stopped.path.with_name("second"))
    if renamed.path.exists():
        assert said[1] == "there is no run called 'first'" and renamed.status().state == "stopped"
    else:
        assert said[1] == "first is queued: stop it before it is renamed" and stopped.status().state == "queued"


def test_two_runs_do_not_get_one_name(stopped, slowly):
    other = listing.create_run(config(), "other")
    write_status(other, Status("stopped", updated=time.time()))
    said = both(lambda: changes.rename(stopped, "both"), lambda: changes.rename(other, "both"))
    assert said == ["", "there is already a run called both"]
    assert len(listing.list_runs(include_shipped=False)) == 2
