"""The supervisor and its worker process: a queue in order, quick stops, nothing lost to a kill, nothing left."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from semidml import jobs, runs, worker
from semidml.config import RunConfig
from semidml.jobs import Jobs

PACKAGE = str(Path(runs.__file__).parents[1])


def until(true, seconds=60.0):
    """Wait for something that another process brings about; what `true` gives in the end."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def config(**values):
    return RunConfig.of({"epochs": 5} | values)


def lives(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- with a worker that needs no torch: `latent_dim` says what it does with a run

PRETENDER = """
import json, os, sys, time
from pathlib import Path
from semidml import runs
from semidml.runs import Run, Status
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "fetch" in message:
        name = message["fetch"]
        print(json.dumps({"began": name}), flush=True)
        print(json.dumps({"at": name, "fraction": 0.5, "text": "half"}), flush=True)
        state = "failed" if name == "nowhere" else "done"
        reason = "no network" if state == "failed" else ""
        print(json.dumps({"ended": name, "state": state, "reason": reason}), flush=True)
        continue
    run = Run(message["run"])
    print(json.dumps({"began": message["run"]}), flush=True)
    status = Status("running", epochs=5, updated=time.time(), owner=runs.this_process())
    does = run.config().latent_dim
    if does == 9:
        os._exit(3)
    if does == 8:
        print(json.dumps({"ended": message["run"], "state": "failed", "reason": "not to be had"}), flush=True)
        continue
    runs.write_status(run, status)
    if does == 7:
        os.kill(os.getpid(), 9)
    while does == 6 and not (run.path / "stop").exists():
        time.sleep(0.01)
    (run.path / "trace").write_text(str(time.time()))
    runs.write_status(run, Status("stopped" if does == 6 else "done", updated=time.time()))
    print(json.dumps({"ended": message["run"], "state": "done", "reason": ""}), flush=True)
"""
DONE, REFUSED, KILLED, WAITS, EXITS = 2, 8, 7, 6, 9


@pytest.fixture
def supervisor(tmp_path):
    script = tmp_path / "pretender.py"
    script.write_text(PRETENDER)
    made = Jobs(tmp_path / "runs", [sys.executable, str(script)])
    yield made
    made.close()


def test_runs_go_one_after_the_other_in_their_order(supervisor):
    submitted = [supervisor.submit(config(latent_dim=DONE)) for _ in range(4)]
    for run in submitted:
        assert supervisor.wait(run.id, 30).state == "done"
    traces = [float((run.path / "trace").read_text()) for run in submitted]
    assert traces == sorted(traces)
    assert supervisor.running() is None and supervisor.queue() == []


def test_a_waiting_run_is_stopped_at_once_and_a_running_one_soon(supervisor):
    first, second, third = (supervisor.submit(config(latent_dim=WAITS)) for _ in range(3))
    until(lambda: first.status().state == "running")
    assert supervisor.running() == first and supervisor.queue() == [second, third]
    supervisor.stop(second.id)
    assert second.status().state == "stopped" and supervisor.queue() == [third]
    third.stop()  # from the command line, say, which knows nothing of this queue
    assert third.status().state == "stopped" and supervisor.queue() == []
    supervisor.stop(first.id)
    assert supervisor.wait(first.id, 10).state == "stopped"
    assert not (second.path / "trace").exists() and not (third.path / "trace").exists()
    with pytest.raises(ValueError, match="is not running: it is stopped"):
        supervisor.stop(first.id)


def test_a_stopped_waiting_run_can_be_resumed_once(supervisor):
    first, second = supervisor.submit(config(latent_dim=WAITS)), supervisor.submit(config(latent_dim=DONE))
    supervisor.stop(second.id)
    supervisor.resume(second.id)
    with pytest.raises(ValueError, match="is queued already"):
        supervisor.resume(second.id)
    until(lambda: first.status().state == "running")
    supervisor.stop(first.id)
    assert supervisor.wait(second.id, 10).state == "done"
    with pytest.raises(ValueError, match="cannot be resumed: it is done"):
        supervisor.resume(second.id)


@pytest.mark.parametrize(
    ("does", "state", "words"),
    [
        (
            KILLED,
            "interrupted",
            r"the worker process ended \(signal 9: killed, perhaps for lack of memory\); resume starts",
        ),
        (EXITS, "interrupted", r"the worker process ended \(exit code 3"),
        (REFUSED, "failed", "not to be had"),
    ],
)
def test_a_worker_that_dies_costs_one_run_and_the_queue_goes_on(supervisor, does, state, words):
    bad, good = supervisor.submit(config(latent_dim=does)), supervisor.submit(config(latent_dim=DONE))
    status = supervisor.wait(bad.id, 30)
    assert status.state == state
    assert re.search(words, status.reason)
    assert supervisor.wait(good.id, 30).state == "done"


def test_an_idle_worker_that_was_killed_is_replaced(supervisor):
    supervisor.warm()
    until(lambda: supervisor.ready)
    old = supervisor.worker_pid()
    os.kill(old, signal.SIGKILL)
    run = supervisor.submit(config(latent_dim=DONE))
    assert supervisor.wait(run.id, 30).state == "done" and supervisor.worker_pid() != old


def test_a_run_sent_to_a_worker_that_dies_before_it_reads_is_given_to_a_new_one(supervisor):
    supervisor.warm()
    until(lambda: supervisor.ready)
    old = supervisor.worker_pid()
    os.kill(old, signal.SIGSTOP)  # it is there and its pipe takes the message, but it reads nothing any more
    run = supervisor.submit(config(latent_dim=DONE))
    until(lambda: supervisor.running() == run)
    time.sleep(0.2)  # the message is in the pipe
    assert run.status().state == "queued" and supervisor.worker_pid() == old
    os.kill(old, signal.SIGKILL)
    assert supervisor.wait(run.id, 30).state == "done" and supervisor.worker_pid() != old


def test_a_worker_that_cannot_begin_fails_the_run_and_is_not_tried_for_ever(tmp_path):
    supervisor = Jobs(tmp_path / "runs", [sys.executable, "-c", "import sys; sys.exit(5)"])
    supervisor.warm()
    run = supervisor.submit(config())
    status = supervisor.wait(run.id, 30)
    assert status.state in ("interrupted", "failed") and "exit code 5" in status.reason
    supervisor.close()
    supervisor = Jobs(tmp_path / "runs", [str(tmp_path / "no such program")])
    supervisor.warm()
    run = supervisor.submit(config())
    assert "no worker process could be started" in supervisor.wait(run.id, 30).reason
    supervisor.close()


def test_the_queue_is_bounded_in_words(supervisor, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_WAITING", 2)
    monkeypatch.setattr(jobs, "LEAVE", 0.2)
    first = supervisor.submit(config(latent_dim=WAITS))
    until(lambda: supervisor.running() == first)
    for _ in range(2):
        supervisor.submit(config(latent_dim=WAITS))
    with pytest.raises(ValueError, match="2 runs are waiting already"):
        supervisor.submit(config(latent_dim=WAITS))
    assert len(list(supervisor.root.iterdir())) == 3


def test_many_browsers_may_ask_at_once(supervisor):
    submitted, errors = [], []

    def browse():
        try:
            for _ in range(3):
                submitted.append(supervisor.submit(config(latent_dim=DONE)))
                supervisor.queue(), supervisor.running(), supervisor.orphans()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=browse) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and len({run.id for run in submitted}) == 15
    for run in submitted:
        assert supervisor.wait(run.id, 60).state == "done"


def test_a_deleted_waiting_run_is_passed_over(supervisor):
    first, second, third = (supervisor.submit(config(latent_dim=d)) for d in (WAITS, DONE, DONE))
    second.delete()
    until(lambda: first.status().state == "running")
    supervisor.stop(first.id)
    assert supervisor.wait(third.id, 30).state == "done" and not second.path.exists()


def test_runs_that_an_ended_app_left_waiting_are_offered_again(supervisor):
    gone = runs.this_process() | {"pid": 2**22 + 1}
    left = runs.create(config(latent_dim=DONE), path=supervisor.root / "left", owner=gone)
    rebooted = runs.create(config(), path=supervisor.root / "rebooted", owner=runs.this_process() | {"place": "old"})
    runs.create(config(), path=supervisor.root / "alive")
    runs.create(config(), path=supervisor.root / "elsewhere", owner={"host": "elsewhere", "pid": 1})
    assert supervisor.orphans() == [left, rebooted]
    supervisor.resume("left")
    assert supervisor.wait("left", 30).state == "done" and supervisor.orphans() == [rebooted]
    for name in ("alive", "elsewhere"):
        with pytest.raises(ValueError, match="cannot be resumed: it is queued"):
            supervisor.resume(name)


def test_downloads_go_beside_the_runs(supervisor):
    busy = supervisor.submit(config(latent_dim=WAITS))
    supervisor.fetch("somewhere")
    supervisor.fetch("nowhere")
    until(lambda: [f.state for f in supervisor.fetching()] == ["done", "failed"])
    somewhere, nowhere = supervisor.fetching()
    assert (somewhere.fraction, somewhere.reason) == (1.0, "") and nowhere.reason == "no network"
    assert busy.status().state in ("queued", "running")
    until(lambda: busy.status().state == "running")
    supervisor.stop(busy.id)


def test_there_is_one_supervisor_of_a_folder_even_after_a_reload(tmp_path):
    first = jobs.jobs(tmp_path / "runs")
    assert jobs.jobs(tmp_path / "runs") is first and jobs.jobs(tmp_path / "other") is not first
    module = sys.modules.pop("semidml.jobs")
    try:
        from semidml.jobs import jobs as again

        assert again(tmp_path / "runs") is first
    finally:
        sys.modules["semidml.jobs"] = module
        sys.modules["semidml"].jobs = module


@pytest.mark.parametrize("name", ["../x", "missing", ""])
def test_only_runs_of_the_folder_are_touched(supervisor, name):
    for act in (supervisor.stop, supervisor.resume):
        with pytest.raises(ValueError, match=r"no run called|80 letters"):
            act(name)


# ---- with the real worker


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    made = Jobs(tmp_path_factory.mktemp("real") / "runs")
    made.warm()
    yield made
    made.close()


def records(run):
    return [replace(r, seconds=0) for r in run.history()]


def test_a_run_stopped_and_then_killed_ends_with_the_same_records(real, monkeypatch):
    whole = real.submit(config(epochs=20, labelled_per_class=4))
    parts = real.submit(config(epochs=20, labelled_per_class=4))
    assert real.wait(whole.id, 120).state == "done", whole.status()
    until(lambda: parts.status().epoch >= 2)
    began = time.monotonic()
    real.stop(parts.id)
    assert real.wait(parts.id, 30).state == "stopped"
    stopped_after = time.monotonic() - began
    assert "resume continues from epoch" in parts.status().reason
    at = parts.resume_epoch()
    real.resume(parts.id)
    until(lambda: parts.status().state == "running" and parts.status().epoch > at)
    os.kill(real.worker_pid(), signal.SIGKILL)
    status = real.wait(parts.id, 30)
    assert status.state == "interrupted" and "signal 9: killed, perhaps for lack of memory" in status.reason
    real.resume(parts.id)
    assert real.wait(parts.id, 120).state == "done", parts.status()
    assert records(parts) == records(whole)
    assert {k: v for k, v in parts.metrics().items() if k != "seconds"} == {
        k: v for k, v in whole.metrics().items() if k != "seconds"
    }
    machine = whole.details()["machine"]
    assert machine["threads"] == max(1, worker.cores() - 1)
    assert machine["matmul_precision"] in ("medium", "highest")
    assert stopped_after < 1 + max(0.0, os.getloadavg()[0] / worker.cores() - 1)  # a busy machine takes its time


APP = """
import sys, time
from semidml.config import RunConfig
from semidml.jobs import Jobs
supervisor = Jobs(sys.argv[1])
run = supervisor.submit(RunConfig.of({"data": "digits", "epochs": 9000}))
while run.status().epoch < 2:
    time.sleep(0.02)
print(run.id, supervisor.worker_pid(), flush=True)
time.sleep(600)
"""


def test_a_worker_is_gone_soon_after_its_app_was_killed_in_the_middle_of_a_run(tmp_path):
    environment = os.environ | {"PYTHONPATH": PACKAGE}
    app = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(APP), str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    with app:
        run_id, pid = app.stdout.readline().split()
        app.kill()
        app.wait()
        until(lambda: not lives(pid), seconds=3)
    status = runs.Run(tmp_path / run_id).status()
    assert status.state == "interrupted" and "the app that started it ended" in status.reason


def test_prints_of_libraries_do_not_get_into_the_protocol():
    code = """
        import os, sys
        from semidml import worker
        def warm_up(asked):
            print("hello")
            os.write(1, b"hello from C\\n")
        worker.warm_up = warm_up
        worker.main()
    """
    environment = os.environ | {"PYTHONPATH": PACKAGE}
    words = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(words, stdin=-1, stdout=-1, stderr=-1, text=True, env=environment) as process:
        assert json.loads(process.stdout.readline()) == {"ready": True}
        process.stdin.close()
        assert process.stdout.read() == "" and sorted(process.stderr.read().split("\n")) == [
            "",
            "hello",
            "hello from C",
        ]
        assert process.wait(10) == 0
