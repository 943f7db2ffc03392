"""The queue between visitors: nobody takes it for himself, each has his turn, and who waits is told for what and how
long."""

import sys
import time
from dataclasses import replace

import pytest

from semidml.jobs import forecast, lane, queue
from semidml.jobs.queue import Jobs
from semidml.runs import listing
from semidml.runs.process import this_process
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.ui import manage
from tests.apptest import opened, press, words
from tests.test_jobs import DONE, PRETENDER, WAITS, config, ended, until

TRAIN = "pages/1_Train.py"


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    monkeypatch.setattr(lane, "LEAVE", 0.2)
    script = tmp_path / "pretender.py"
    script.write_text(PRETENDER)
    made = Jobs(tmp_path / "runs", [sys.executable, str(script)])
    yield made
    made.close()


def busy(supervisor: Jobs, visitor: str = "") -> Run:
    """A run that trains until it is stopped."""
    run = supervisor.submit(config(latent_dim=WAITS), visitor)
    until(lambda: run.status().state == "running")
    return run


# ---- shares and turns


def test_a_visitor_has_a_share_of_the_queue_and_no_more(supervisor, monkeypatch):
    monkeypatch.setattr(queue, "MOST_EACH", 3)
    busy(supervisor, "greedy")
    own = [supervisor.submit(config(latent_dim=DONE), "greedy") for _ in range(3)]
    with pytest.raises(ValueError, match="3 of your runs are waiting already, which is the most that one visitor may"):
        supervisor.submit(config(latent_dim=DONE), "greedy")
    assert len(list(supervisor.root.iterdir())) == 4, "a refused run leaves nothing behind"
    supervisor.submit(config(latent_dim=DONE), "modest")
    supervisor.stop(own[0].id)
    supervisor.resume(own[0].id, "greedy")
    with pytest.raises(ValueError, match="3 of your runs are waiting already"):
        supervisor.submit(config(latent_dim=DONE), "greedy")
    supervisor.submit(config(latent_dim=DONE))  # of a program, which is no visitor


def test_visitors_take_turns(supervisor):
    first = busy(supervisor, "a")
    of = {}

    def submit(visitor):
        run = supervisor.submit(config(latent_dim=DONE), visitor)
        of[run.id] = visitor
        return run

    for visitor in "aaaabbc":
        submit(visitor)
    waiting = supervisor.queue()
    assert [of[run.id] for run in waiting] == list("bcabaaa")  # a's first runs already
    assert supervisor.before(waiting[0]) == [first] and supervisor.before(waiting[2]) == [first, *waiting[:2]]
    assert supervisor.before(first) is None
    supervisor.stop(first.id)
    for run in waiting:
        assert ended(supervisor, run).state == "done"
    traces = [float((run.path / "trace").read_text()) for run in waiting]
    assert traces == sorted(traces), "they began in that order"


def test_who_has_just_had_a_turn_waits_for_the_next_round(supervisor):
    first = busy(supervisor, "a")
    second = supervisor.submit(config(latent_dim=WAITS), "b")
    third = supervisor.submit(config(latent_dim=WAITS), "c")
    supervisor.stop(first.id)
    until(lambda: second.status().state == "running")
    again = supervisor.submit(config(latent_dim=DONE), "a")
    newcomer = supervisor.submit(config(latent_dim=DONE), "d")
    assert supervisor.queue() == [third, newcomer, again]
    for run in (second, third):
        until(lambda run=run: run.status().state == "running")
        supervisor.stop(run.id)
    assert ended(supervisor, again).state == "done"
    assert supervisor._next_turn("a") == 0, "an idle queue remembers nobody"


# ---- when it begins


def running(folder, epoch, epochs, seconds, **values) -> Run:
    run = listing.create_run(config(epochs=epochs, **values), path=folder / f"running-{epoch}")
    latest = {"epoch": epoch, "seconds": seconds}
    now = {"epoch": epoch, "epochs": epochs, "updated": time.time(), "owner": this_process(), "latest": latest}
    write_status(run, Status("running", **now))
    return run


def waiting(folder, name, epochs, **values) -> Run:
    return listing.create_run(config(epochs=epochs, **values), path=folder / name)


def test_a_run_begins_when_those_before_it_have_ended_by_what_was_measured(tmp_path):
    unknown, alike = lambda config: None, lambda config: 2.0 * config.epochs + 1
    now = running(tmp_path, 5, 20, 10.0)  # 2 s an epoch
    assert forecast.begin_times([now], unknown)[-1] == pytest.approx(30)
    short = waiting(tmp_path, "short", 3)
    assert forecast.begin_times([now, short], unknown)[-1] == pytest.approx(30 + 3 * 2), (
        "at the pace of the one that runs"
    )
    assert forecast.begin_times([now, short], alike)[-1] == pytest.approx(30 + 7), "as long as runs like it took"
    begun = running(tmp_path, 0, 20, 0.0)
    assert forecast.begin_times([begun], unknown)[-1] is None, "nothing is measured yet"
    assert forecast.begin_times([begun], alike)[-1] == 41 and forecast.begin_times([], unknown)[-1] == 0


def test_what_slows_the_run_that_trains_slows_those_after_it(tmp_path):
    """As a sweep on all cores does: runs like these took half a second an epoch, this one takes two."""
    alike = lambda config: 0.5 * config.epochs  # noqa: E731
    now, short = running(tmp_path, 5, 20, 10.0), waiting(tmp_path, "short", 4)
    assert forecast.begin_times([now, short], alike) == pytest.approx([0, 30, 30 + 4 * 2])
    first = running(tmp_path, 1, 20, 10.0)  # an epoch of which the first use of everything is a part
    assert forecast.begin_times([first, short], alike)[-1] == pytest.approx(190 + 4 * 0.5)
    faster = lambda config: 8.0 * config.epochs  # noqa: E731
    assert forecast.begin_times([now, short], faster)[-1] == pytest.approx(30 + 4 * 8), "never sooner than was measured"


def test_a_run_that_goes_on_from_an_epoch_needs_the_rest_only(tmp_path):
    resumed = waiting(tmp_path, "resumed", 20)
    write_status(resumed, Status("queued", epoch=15, epochs=20, updated=time.time(), owner=this_process()))
    assert forecast.begin_times([resumed], lambda config: 8.0)[-1] == pytest.approx(2)


# ---- what the page says


@pytest.fixture
def page(supervisor, tmp_path, monkeypatch):
    """The app, over this queue."""
    monkeypatch.setenv("SEMIDML_RUNS", str(supervisor.root))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(queue, "jobs", lambda: supervisor)
    return supervisor


def paced(run: Run, epoch: int, seconds: float) -> None:
    """A running run seems to have come so far in this time."""
    latest = {"epoch": epoch, "seconds": seconds}
    heard = time.time() + 3600  # the pretender has no heartbeat, and pages may take long on a busy machine
    now = {"epoch": epoch, "epochs": run.config().epochs, "latest": latest, "updated": heard}
    write_status(run, replace(run.recorded(), **now))


def test_a_new_tab_shows_the_run_that_trains_before_one_that_waits(page):
    first = busy(page)
    page.submit(config(latent_dim=DONE))
    assert opened(TRAIN).session_state["shown run"] == first.id


def test_who_waits_is_told_the_place_what_goes_before_and_when_it_begins(page):
    first = busy(page)
    paced(first, 2, 40.0)  # of five epochs: a minute is left
    second, third = (page.submit(config(latent_dim=DONE, epochs=3)) for _ in range(2))
    said = opened_words(second)
    assert "Waiting for its turn, next in the queue: it begins in about 60 s" in said
    assert "Before it: " in said and "(epoch 2 of 5)." in said
    said = opened_words(third)
    assert "number 2 in the queue: it begins in about 2 min" in said, "at the first one's pace"
    assert "(epoch 2 of 5); " in said and "(3 epochs)." in said
    said = words(opened(TRAIN, run="digits-dml-all-labels"))
    assert "Waiting for their turn" in said and "it begins in about 60 s" in said and "it begins in about 2 min" in said
    paced(first, 0, 0.0)
    assert "when it begins cannot be told yet" in opened_words(third)


def opened_words(run: Run) -> str:
    app = opened(TRAIN, run=run.id)
    return "\n".join([words(app), *(bar.proto.text for bar in app.get("progress"))])


def test_who_wants_more_than_a_share_is_told_on_the_page(page, monkeypatch):
    monkeypatch.setattr(queue, "MOST_EACH", 1)
    busy(page)
    app = press(opened(TRAIN), "Train")
    assert not app.error
    assert "1 of your runs are waiting already" in press(app, "Train").error[0].value
    assert not press(opened(TRAIN), "Train").error, "another visitor has a share too"


def test_of_several_trainings_it_is_said_how_many_are_queued(page, monkeypatch):
    monkeypatch.setattr(queue, "MOST_EACH", 2)
    busy(page)
    asked = [config(latent_dim=DONE)] * 3
    with pytest.raises(ValueError, match=r"2 of 3 trainings are queued, the next is not: 2 of your runs are waiting"):
        manage.queue_runs(asked)
    with pytest.raises(ValueError, match=r"^2 of your runs are waiting already"):
        manage.queue_runs(asked)


def test_a_run_that_waits_elsewhere_says_so(page):
    run = listing.create_run(config(), path=page.root / "elsewhere")
    write_status(run, replace(run.recorded(), owner={"host": "box", "pid": 7}))
    assert "Waiting for its turn in another program, pid 7 on box" in opened_words(run)
