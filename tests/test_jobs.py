"""The supervisor and its worker processes: queues in order, quick stops, nothing lost to a kill, nothing left."""

import errno
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

import numpy as np
import pytest

from semidml import planes
from semidml.config import RunConfig
from semidml.execute import execute
from semidml.explore import points, prior, take_away
from semidml.explore.points import read_plane
from semidml.jobs import lane, queue, worker
from semidml.jobs.queue import Jobs
from semidml.memory import cores
from semidml.runs import changes, listing
from semidml.runs import run as run_folder
from semidml.runs.process import this_process
from semidml.runs.run import Run
from semidml.runs.status import write_status
from semidml.scores import classifiers
from semidml.tasks import find_task, start_task

PACKAGE = str(Path(run_folder.__file__).parents[2])


LONG = 300.0  # seconds: how late a busy machine may be; waits end with what they wait for


def until(true, seconds=LONG):
    """Wait for something that another process brings about; what `true` gives in the end."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def ended(supervisor, run):
    """The status of a run of this queue once it has ended."""
    until(lambda: run not in supervisor.queue() and run != supervisor.running())
    return run.status()


def config(**values):
    return RunConfig.of({"epochs": 5} | values)


def lives(pid):
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# ---- with a worker that needs no torch: `latent_dim` says what it does with a run, the first latent with a question

PRETENDER = """
import json, os, sys, time
from pathlib import Path
import numpy as np
from semidml.runs.process import this_process
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "ask" in message:
        name, latents = message["job"], np.load(message["given"])["latents"]
        print(json.dumps({"began": name}), flush=True)
        print(json.dumps({"at": name, "fraction": 0.5, "text": f"half, by {sys.argv[1:]}"}), flush=True)
        does = latents[0, 0]
        while does == 6 and not Path(__file__).with_name("go").exists():
            time.sleep(0.01)
        if does in (7, 9, 11):
            os.kill(os.getpid(), int(does))
        state, reason = ("failed", "not to be had") if does == 8 else ("done", "")
        np.savez(message["into"], places=latents[:, :2] + np.float32(time.time() % 1000))
        print(json.dumps({"ended": name, "state": state, "reason": reason, "found": None}), flush=True)
        continue
    run = Run(message["run"])
    print(json.dumps({"began": message["run"]}), flush=True)
    status = Status("running", epochs=5, updated=time.time(), owner=this_process())
    does = run.config().latent_dim
    if does == 9:
        os._exit(3)
    if does == 8:
        print(json.dumps({"ended": message["run"], "state": "failed", "reason": "not to be had"}), flush=True)
        continue
    write_status(run, status)
    if does == 7:
        os.kill(os.getpid(), 9)
    while does == 6 and not (run.path / "stop").exists():
        time.sleep(0.01)
    (run.path / "trace").write_text(str(time.time()))
    write_status(run, Status("stopped" if does == 6 else "done", updated=time.time()))
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
        assert ended(supervisor, run).state == "done"
    traces = [float((run.path / "trace").read_text()) for run in submitted]
    assert traces == sorted(traces)
    assert supervisor.running() is None and supervisor.queue() == []


def test_a_waiting_run_is_stopped_at_once_and_a_running_one_soon(supervisor):
    first, second, third = (supervisor.submit(config(latent_dim=WAITS)) for _ in range(3))
    until(lambda: first.status().state == "running")
    assert supervisor.running() == first and supervisor.queue() == [second, third]
    supervisor.stop(second.id)
    assert second.status().state == "stopped" and supervisor.queue() == [third]
    changes.stop(third)  # from the command line, say, which knows nothing of this queue
    assert third.status().state == "stopped" and supervisor.queue() == []
    supervisor.stop(first.id)
    assert ended(supervisor, first).state == "stopped"
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
    assert ended(supervisor, second).state == "done"
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
    status = ended(supervisor, bad)
    assert status.state == state
    assert re.search(words, status.reason)
    assert ended(supervisor, good).state == "done"


def test_an_idle_worker_that_was_killed_is_replaced(supervisor):
    supervisor.warm()
    until(lambda: supervisor.training.ready)
    old = supervisor.training.pid
    os.kill(old, signal.SIGKILL)
    run = supervisor.submit(config(latent_dim=DONE))
    assert ended(supervisor, run).state == "done" and supervisor.training.pid != old


def test_a_run_sent_to_a_worker_that_dies_before_it_reads_is_given_to_a_new_one(supervisor):
    supervisor.warm()
    until(lambda: supervisor.training.ready)
    old = supervisor.training.pid
    os.kill(old, signal.SIGSTOP)  # it is there and its pipe takes the message, but it reads nothing any more
    run = supervisor.submit(config(latent_dim=DONE))
    until(lambda: supervisor.running() == run)
    time.sleep(0.2)  # the message is in the pipe
    assert run.status().state == "queued" and supervisor.training.pid == old
    os.kill(old, signal.SIGKILL)
    assert ended(supervisor, run).state == "done" and supervisor.training.pid != old


def test_a_worker_that_cannot_begin_fails_the_run_and_is_not_tried_for_ever(tmp_path):
    supervisor = Jobs(tmp_path / "runs", [sys.executable, "-c", "import sys; sys.exit(5)"])
    supervisor.warm()
    run = supervisor.submit(config())
    status = ended(supervisor, run)
    assert status.state in ("interrupted", "failed") and "exit code 5" in status.reason
    supervisor.close()
    supervisor = Jobs(tmp_path / "runs", [str(tmp_path / "no such program")])
    supervisor.warm()
    run = supervisor.submit(config())
    assert "no worker process could be started" in ended(supervisor, run).reason
    supervisor.close()


def test_the_queue_is_bounded_in_words(supervisor, monkeypatch):
    monkeypatch.setattr(queue, "MOST_WAITING", 2)
    monkeypatch.setattr(lane, "LEAVE", 0.2)
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
        assert ended(supervisor, run).state == "done"


def test_a_deleted_waiting_run_is_passed_over(supervisor):
    first, second, third = (supervisor.submit(config(latent_dim=d)) for d in (WAITS, DONE, DONE))
    changes.delete(second)
    until(lambda: first.status().state == "running")
    supervisor.stop(first.id)
    assert ended(supervisor, third).state == "done" and not second.path.exists()


def test_runs_that_an_ended_app_left_waiting_are_offered_again(supervisor):
    def queued_by(owner, name, **knobs):
        run = listing.create_run(config(**knobs), path=supervisor.root / name)
        write_status(run, replace(run.recorded(), owner=owner))
        return run

    left = queued_by(this_process() | {"pid": 2**22 + 1}, "left", latent_dim=DONE)
    rebooted = queued_by(this_process() | {"place": "old"}, "rebooted")
    queued_by(this_process(), "alive")
    queued_by({"host": "elsewhere", "pid": 1}, "elsewhere")
    assert supervisor.orphans() == [left, rebooted]
    supervisor.resume("left")
    assert ended(supervisor, left).state == "done" and supervisor.orphans() == [rebooted]
    for name in ("alive", "elsewhere"):
        with pytest.raises(ValueError, match="cannot be resumed: it is queued"):
            supervisor.resume(name)


def latents(does=DONE, rows=5):
    """Of a run in three dimensions, the first of which tells the worker what to do."""
    return np.concatenate([np.full((rows, 1), does), np.eye(rows, 2)], axis=1).astype(np.float32)


@pytest.fixture
def asked(supervisor):
    """Asks for t-SNE of latents in a thread: a task, as a page has it."""
    run, number = listing.create_run(config(latent_dim=3), path=supervisor.root / "asked"), iter(range(100))

    def ask(does=DONE):
        key, epoch = ("asked", supervisor, next(number)), 1
        work = lambda progress: supervisor.plane(run, epoch, "tsne", latents(does), progress, keep=False)  # noqa: E731
        return start_task(key, work)

    return ask


def go(supervisor):
    (supervisor.root.parent / "go").touch()


def test_questions_and_runs_do_not_wait_for_one_another(supervisor, asked):
    assert supervisor.questions.pid is None, "nothing is started before it is needed"
    busy = supervisor.submit(config(latent_dim=WAITS))
    until(lambda: busy.status().state == "running")
    assert asked().wait(LONG).result.shape == (5, 2)
    supervisor.stop(busy.id)
    waits = asked(WAITS)
    until(lambda: waits.text == "half, by ['--cold']")
    run = supervisor.submit(config(latent_dim=DONE))
    assert waits.fraction == 0.5 and ended(supervisor, run).state == "done"
    assert not waits.done and supervisor.questions.pid != supervisor.training.pid
    go(supervisor)
    assert waits.wait(LONG).result is not None


def test_two_idle_lanes_let_one_another_sleep(supervisor, asked, monkeypatch):
    run = supervisor.submit(config(latent_dim=DONE))
    assert ended(supervisor, run).state == "done" and asked().wait(LONG).result is not None
    until(lambda: supervisor.training.current is None and supervisor.questions.current is None)
    time.sleep(0.2)  # what they had to say is said
    heard = []
    monkeypatch.setattr(supervisor._changed, "notify_all", lambda: heard.append(threading.current_thread().name))
    with supervisor._changed:
        supervisor._changed.notify(9)  # both wake up, and find nothing to do
    time.sleep(0.5)
    assert not heard


def test_questions_are_answered_in_their_turn(supervisor, asked):
    first = asked(WAITS)
    until(lambda: first.fraction)
    rest = []
    for _ in range(3):
        rest.append(asked())
        until(lambda: len(supervisor.questions.waiting) == len(rest))
    assert {task.text for task in rest} == {"waiting for its turn"}
    go(supervisor)
    times = [float(task.wait(LONG).result[0, 1]) for task in (first, *rest)]
    assert times == sorted(times)


@pytest.mark.parametrize(("does", "how"), [(11, "signal 11: a crash in native code"), (9, "signal 9: killed, perhaps")])
def test_a_question_that_ends_its_process_gets_words_and_the_next_an_answer(supervisor, asked, does, how):
    busy = supervisor.submit(config(latent_dim=WAITS))
    until(lambda: busy.status().state == "running")
    bad, good = asked(does), asked()
    said = bad.wait(LONG).error
    assert said.startswith(f"t-SNE of epoch 1 of asked could not be computed: the worker process ended ({how}")
    assert "The app and all runs are unharmed: compute it once more, or choose another projection" in said
    assert good.wait(LONG).result.shape == (5, 2) and not good.error
    assert busy.status().state == "running"
    supervisor.stop(busy.id)


def test_why_a_question_has_no_answer_is_said(supervisor, asked):
    assert asked(REFUSED).wait(LONG).error == "not to be had"


def test_an_app_that_ends_lets_go_of_who_waits_for_an_answer(supervisor, asked, monkeypatch):
    monkeypatch.setattr(lane, "LEAVE", 0.2)
    first = asked(WAITS)
    until(lambda: first.fraction)
    tasks = first, asked()
    until(lambda: supervisor.questions.waiting)
    pid = supervisor.questions.pid
    supervisor.close()
    assert not lives(pid)
    tasks += (asked(),)  # after it has ended
    assert {task.wait(LONG).error for task in tasks} == {
        "t-SNE of epoch 1 of asked could not be computed: the app ends"
    }


def test_latents_that_cannot_be_projected_start_no_process(supervisor):
    run = listing.create_run(config(latent_dim=3), path=supervisor.root / "equal")
    with pytest.raises(ValueError, match="all 5 rows are equal"):
        supervisor.plane(run, 1, "tsne", np.ones((5, 3), np.float32), lambda fraction, text: None)
    assert supervisor.questions.pid is None


def test_there_is_one_supervisor_of_a_folder_even_after_a_reload(tmp_path):
    first = queue.jobs(tmp_path / "runs")
    assert queue.jobs(tmp_path / "runs") is first and queue.jobs(tmp_path / "other") is not first
    module = sys.modules.pop("semidml.jobs.queue")
    try:
        from semidml.jobs.queue import jobs

        assert jobs(tmp_path / "runs") is first
    finally:
        sys.modules["semidml.jobs.queue"] = module
        sys.modules["semidml.jobs"].queue = module


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "error::RuntimeWarning")  # of a worker too
        yield made
    made.close()


@pytest.fixture(scope="module")
def done(real):
    """A run of the digits that has been trained."""
    run = listing.create_run(config(latent_dim=2, model="dml", epochs=2, pl=10, device="cpu"), path=real.root / "done")
    for _ in execute(run):
        pass
    assert run.status().state == "done", run.status().reason
    return run


CLOUD = np.random.default_rng(0).normal(size=(60, 3))
TWO = np.repeat([[0, 0, 0], [1, 2, 3]], 30, axis=0)
ODD = {
    "equal rows": (np.full((60, 3), 0.5), "all 60 rows are equal"),
    "zeros": (np.zeros((60, 3)), "all 60 rows are equal"),
    "noise of 1e-30": (0.5 + 1e-30 * CLOUD, "all 60 rows are equal"),
    "five equal rows": (np.ones((5, 3)), "all 5 rows are equal"),
    "4 rows": (CLOUD[:4], "at least 5 rows, got 4"),
    "nan": (np.where(CLOUD > 2, np.nan, CLOUD), "not finite"),
    "spread of 1e-30": (1e-30 * CLOUD, ""),
    "spread of 1e30": (1e30 * CLOUD, ""),
    "two values": (TWO, ""),
    "one row elsewhere": (np.eye(60, 3) * [1, 0, 0], ""),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("method", ["tsne", "umap", "pca"])
def test_odd_latents_get_finite_places_or_words_and_no_process_ends(real, done, method, name):
    odd, words = ODD[name]
    odd, ask = odd.astype(np.float32), lambda latents: real.plane(done, 1, method, latents, print, keep=False)
    before = real.questions.pid
    if words and not (method == "pca" and "equal" in words):  # all at one place is what PCA has to say
        with pytest.raises(ValueError, match=words):
            ask(odd)
    else:
        places = ask(odd)
        assert places.shape == (len(odd), 2) and places.dtype == np.float32 and np.isfinite(places).all()
        if name == "two values":
            within = np.concatenate([places[:30] - places[:30].mean(0), places[30:] - places[30:].mean(0)])
            assert np.abs(within).max() < np.linalg.norm(places[:30].mean(0) - places[30:].mean(0))
    assert before in (None, real.questions.pid), "it is the same process still"


def test_the_workers_yield_to_the_app(real, done):
    """On a busy machine a page does not wait for a training; on an idle one the training has all there is."""
    real.plane(done, 1, "pca", CLOUD.astype(np.float32), print, keep=False)
    for pid in (real.questions.pid, real.training.pid):
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + worker.YIELDS)


def test_umap_keeps_clusters_together(real, done):
    labels, told = np.arange(120) % 3, []
    blobs = np.random.default_rng(0).normal(size=(120, 6)) + 10 * np.eye(3, 6)[labels]
    progress = lambda fraction, text: told.append(fraction)  # noqa: E731
    flat = real.plane(done, 1, "umap", blobs.astype(np.float32), progress, keep=False)
    assert flat.shape == (120, 2) and flat.dtype == np.float32
    assert (classifiers.knn_classify(flat, labels, flat, 3) == labels).mean() > 0.95
    assert told[0] == 0 and told[-1] == 1


def test_the_worker_answers_as_this_process_would(real, done, digits):
    latents = points.read_frame(done, 2).latents
    places = real.plane(done, 2, "pca", latents, print)
    assert places == pytest.approx(planes.project(latents, "pca"), abs=1e-4)
    assert (read_plane(done, 2, "pca") == places).all(), "kept with the run"
    assert real.fit_prior(done, 3) == prior.fit_prior(done, 3)
    with pytest.raises(ValueError, match="components must be between 1 and"):
        real.fit_prior(done, 0)
    rows, here = real.everything(done), take_away.all_rows(done, digits)
    assert rows.keys() == here.keys() and all((rows[key] == here[key]).all() for key in rows if key != "latents")
    assert rows["latents"] == pytest.approx(here["latents"], abs=1e-5)


def test_all_scores_come_from_the_worker_with_how_far_they_are(real, done):
    before, told = done.metrics(), []
    found = real.all_scores(done, lambda fraction, text: told.append((fraction, text)))
    assert {name: found[name] for name in before} == pytest.approx(before) and found == done.metrics()
    assert found["mlp_accuracy"] > 0.5 < found["random_forest_accuracy"]
    assert "MLP, all labels" in {text for _, text in told} and told[-1] == (1.0, "scores")


def test_a_projection_whose_process_is_killed_gets_words_and_the_next_works(real, done):
    trains = real.submit(config(epochs=9000))
    large = np.random.default_rng(0).normal(size=(4000, 3)).astype(np.float32)
    ask = lambda progress: real.plane(done, 1, "tsne", large, progress, keep=False)  # noqa: E731
    task = start_task(("killed",), ask)
    until(lambda: task.fraction >= 0.2)
    os.kill(real.questions.pid, signal.SIGSEGV)
    assert "the worker process ended (signal 11: " in task.wait(LONG).error
    assert "all runs are unharmed" in task.error and find_task(("killed",)).error, "until it is asked again"
    assert real.plane(done, 1, "tsne", large[:20], print, keep=False).shape == (20, 2)
    until(lambda: trains.status().state == "running")
    real.stop(trains.id)
    assert ended(real, trains).state == "stopped"


def records(run):
    return [replace(r, seconds=0) for r in run.history()]


def test_a_run_stopped_and_then_killed_ends_with_the_same_records(real, monkeypatch):
    whole = real.submit(config(epochs=20, labelled_per_class=4))
    parts = real.submit(config(epochs=20, labelled_per_class=4))
    assert ended(real, whole).state == "done", whole.status()
    until(lambda: parts.status().epoch >= 2)
    real.stop(parts.id)
    assert ended(real, parts).state == "stopped", "within the second that its other epochs take"
    assert "resume continues from epoch" in parts.status().reason
    at = parts.resume_epoch()
    real.resume(parts.id)
    until(lambda: parts.status().state == "running" and parts.status().epoch > at)
    os.kill(real.training.pid, signal.SIGKILL)
    status = ended(real, parts)
    assert status.state == "interrupted" and "signal 9: killed, perhaps for lack of memory" in status.reason
    real.resume(parts.id)
    assert ended(real, parts).state == "done", parts.status()
    assert records(parts) == records(whole)
    assert {k: v for k, v in parts.metrics().items() if k != "seconds"} == {
        k: v for k, v in whole.metrics().items() if k != "seconds"
    }
    machine = whole.details()["machine"]
    assert machine["threads"] == max(1, cores() - 1)
    assert machine["matmul_precision"] in ("medium", "highest")


APP = """
import sys, time
from semidml.config import RunConfig
from semidml.jobs.queue import Jobs
supervisor = Jobs(sys.argv[1])
run = supervisor.submit(RunConfig.of({"data": "digits", "epochs": 9000}))
while run.status().epoch < 2:
    time.sleep(0.02)
print(run.id, supervisor.training.pid, flush=True)
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
        until(lambda: not lives(pid))
    status = Run(tmp_path / run_id).status()
    assert status.state == "interrupted" and "the app that started it ended" in status.reason


ASKING = """
import sys, threading, time
import numpy as np
from semidml.config import RunConfig
from semidml.jobs.queue import Jobs
from semidml.runs import listing
supervisor = Jobs(sys.argv[1])
run = listing.create_run(RunConfig(), path=supervisor.root / "asked")
latents = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)
told = lambda fraction, text: print(fraction, supervisor.questions.pid, flush=True)
threading.Thread(target=supervisor.plane, args=(run, 1, "tsne", latents, told), daemon=True).start()
time.sleep(600)
"""


def test_a_worker_is_gone_soon_after_its_app_was_killed_in_the_middle_of_a_projection(tmp_path):
    environment = os.environ | {"PYTHONPATH": PACKAGE, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(ASKING), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as app:
        pid = next(line.split()[1] for line in app.stdout if line.startswith("0.2 "))
        app.kill()
        app.wait()
        until(lambda: not lives(pid), seconds=60)
    assert not list(tmp_path.glob("semidml-*")), "nor does a file stay behind"


def test_prints_of_libraries_do_not_get_into_the_protocol():
    code = """
        import os, sys
        from semidml.jobs import worker
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
        assert process.wait(LONG) == 0


def test_a_temporary_folder_that_is_full_is_said(supervisor, asked, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(queue.tempfile, "TemporaryDirectory", full)
    error = asked().wait(LONG).error
    assert "t-SNE of epoch 1 of asked could not be computed: " in error
    assert "has no room or cannot be written to (No space left on device)" in error
