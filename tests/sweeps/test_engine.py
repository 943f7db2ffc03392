"""Many folders are trained: in order, as many at a time as there are workers, and whatever befalls a worker, a
scheduler or a driver, nothing is lost and nothing goes on for nobody."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from distributed.comm import connect
from distributed.core import send_recv
from distributed.scheduler import KilledWorker
from distributed.security import Security

from semidml import __version__
from semidml.execute import execute
from semidml.runs.run import Run
from semidml.runs.trained_on import describe_data, digest_of
from semidml.sweeps import cell, cluster, engine, parcels
from semidml.sweeps.engine import train_folders
from tests.faults.lives import content, records
from tests.sweeps.clusters import Cluster, driver, make_run
from tests.test_jobs import until


@pytest.fixture(scope="module")
def standing(tmp_path_factory) -> Iterator[Cluster]:
    """A cluster with two workers that see the disk; runs called `deadly` end them, and so do `stumbling` ones."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    for name in ("first", "second"):
        made.add_worker(name, again=True, ODD_DEADLY="deadly", ODD_STUMBLES="stumbling")
    yield made
    made.close()


@pytest.fixture
def alone(tmp_path) -> Iterator[Cluster]:
    """A cluster without workers yet."""
    made = Cluster(tmp_path / "cluster")
    yield made
    made.close()


def trained(runs, scheduler, **options):
    """{name: the states it went through}, and {name: why it ended so}."""
    states: dict[str, list[str]] = {}
    whys: dict[str, str] = {}
    for event in train_folders([run.path for run in runs], scheduler=scheduler, **options):
        if event is not None:
            states.setdefault(event.folder.name, []).append(event.state)
            whys[event.folder.name] = event.why
    return states, whys


def rest_of(folder: Path) -> set[str]:
    """What lies hidden in a folder of runs."""
    return {path.name for path in folder.iterdir() if path.name.startswith(".")}


# ---- a cluster that stands already


def test_each_run_is_trained_and_told_in_order(standing, tmp_path):
    runs = [make_run(tmp_path / f"run-{seed}", seed=seed) for seed in range(5)]
    states, _ = trained(runs, standing.address)
    assert states == {run.id: ["running", "done"] for run in runs}
    undisturbed = make_run(tmp_path / "elsewhere" / "run-3", seed=3)
    list(execute(undisturbed, threads=1, watched=False))
    assert content(runs[3]) == content(undisturbed)
    assert all(run.status().state == "done" for run in runs)
    assert rest_of(tmp_path) == set()
    before = {run.id: (run.path / "weights.safetensors").stat().st_mtime_ns for run in runs}
    states, _ = trained(runs, standing.address)
    assert states == {run.id: ["done"] for run in runs}
    assert before == {run.id: (run.path / "weights.safetensors").stat().st_mtime_ns for run in runs}


def test_what_goes_wrong_with_one_run_is_its_own(standing, tmp_path):
    runs = {name: make_run(tmp_path / name) for name in ("good", "other", "missing", "damaged", "deadly")}
    runs["nan"] = make_run(tmp_path / "nan", lr=1.0, optimizer="sgd", momentum=0.99, epochs=40)
    details = runs["missing"].details()
    details["config"]["data"] = "no such data"
    (runs["missing"].path / "config.json").write_text(json.dumps(details))
    (runs["damaged"].path / "config.json").write_text("{")
    states, whys = trained(list(runs.values()), standing.address)
    assert states["good"] == states["other"] == ["running", "done"]
    assert states["missing"] == states["damaged"] == ["failed"]
    assert states["nan"][-1] == "failed" and "no longer finite" in whys["nan"]  # its answer may be lost with a worker
    assert states["deadly"][-1] == "failed"
    assert "there is no data set called 'no such data'" in whys["missing"]
    assert "config.json" in whys["damaged"]
    assert "ended 4 times before it came further" in whys["deadly"]
    for name in ("missing", "nan", "deadly"):
        assert runs[name].status().state == "failed" and runs[name].status().reason, name
    assert runs["deadly"].status().reason.startswith("its worker process ended")


def test_a_run_that_comes_further_outlives_as_many_workers_as_it_takes(standing, tmp_path):
    """This cluster's scheduler gives up a run that has lost four workers, whether it came further or not."""
    run = make_run(tmp_path / "stumbling", epochs=7)
    undisturbed = make_run(tmp_path / "elsewhere" / "stumbling", epochs=7)
    list(execute(undisturbed, threads=1, watched=False))
    states, whys = trained([run], standing.address)
    assert states["stumbling"][-1] == "done", whys
    assert content(run) == content(undisturbed)


def test_to_stop_is_to_stop_within_a_tick_and_to_leave_alone_what_waits(standing, tmp_path):
    runs = [make_run(tmp_path / f"run-{seed}", epochs=5000, seed=seed) for seed in range(6)]
    states: dict[str, list[str]] = {}
    asked = 0.0

    def stop() -> bool:
        nonlocal asked
        if all(len(run.history()) > 2 for run in runs if run.id in states) and len(states) == 2:
            asked = asked or time.monotonic()
        return bool(asked)

    for event in train_folders([run.path for run in runs], scheduler=standing.address, stop=stop):
        if event is not None:
            states.setdefault(event.folder.name, []).append(event.state)
    assert time.monotonic() - asked < 30  # of a busy machine
    assert list(states.values()) == [["running", "stopped"]] * 2
    assert sorted(run.status().state for run in runs) == ["queued"] * 4 + ["stopped"] * 2
    assert not list(tmp_path.glob("*/stop")) and rest_of(tmp_path) == set()
    assert all(run.resume_epoch() > 0 for run in runs if run.id in states)


def test_the_stop_file_of_one_run_stops_that_one(standing, tmp_path):
    runs = [make_run(tmp_path / "long", epochs=5000), make_run(tmp_path / "short", epochs=3)]
    states: dict[str, list[str]] = {}
    for event in train_folders([run.path for run in runs], scheduler=standing.address):
        if event is not None:
            states.setdefault(event.folder.name, []).append(event.state)
            if event.folder.name == "long" and event.state == "running":
                (event.folder / "stop").touch()
    assert states == {"long": ["running", "stopped"], "short": ["running", "done"]}
    details = runs[0].details()
    details["config"]["epochs"] = runs[0].resume_epoch() + 1
    (runs[0].path / "config.json").write_text(json.dumps(details))
    (runs[0].path / "stop").touch()  # left from before
    assert trained(runs[:1], standing.address)[0] == {"long": ["running", "done"]}


def test_to_leave_is_to_stop(standing, tmp_path):
    run = make_run(tmp_path / "run", epochs=5000)
    events = train_folders([run.path], scheduler=standing.address)
    next(event for event in events if event is not None)
    events.close()
    until(lambda: run.status().state == "stopped", 60)


def test_folders_are_asked_for_as_workers_become_free(standing, tmp_path):
    done = make_run(tmp_path / "run-0", epochs=1)
    list(execute(done, threads=1))
    pulled = ended = most = 0

    def folders() -> Iterator[Path]:
        nonlocal pulled, most
        for _ in range(100):
            pulled += 1
            most = max(most, pulled - ended)
            yield done.path

    for event in train_folders(folders(), scheduler=standing.address):
        ended += event is not None
    assert ended == 100
    assert most <= engine.AHEAD * 2 + 1


def test_a_beat_comes_each_half_second_and_no_scheduler_is_said_within_five(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    silent = socket.create_server(("127.0.0.1", 0))
    says_nothing = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
    for address in (says_nothing, nobody, "nonsense://x", "tcp://", "tcp://127.0.0.1:port", "tls://127.0.0.1:1"):
        began = last = time.monotonic()
        with pytest.raises(cluster.Unreachable, match=r"no Dask scheduler answers at .*: start one there") as told:
            for event in train_folders([], scheduler=address):
                assert event is None and time.monotonic() - last < 2
                last = time.monotonic()
        assert time.monotonic() - began < 10  # 5 on a quiet machine
        assert "\n" not in str(told.value)
        if address == says_nothing:
            monkeypatch.setattr(cluster, "REACH_SECONDS", 0.5)  # the others say no more in four
    silent.close()
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        next(train_folders([], workers=0))


def test_the_address_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("SEMIDML_SCHEDULER", "nonsense://x")
    with pytest.raises(cluster.Unreachable, match="nonsense://x"):
        list(train_folders([]))


# ---- workers that are not alike


def test_a_worker_that_cannot_train_a_run_says_why_and_others_do(alone, tmp_path):
    alone.add_worker("old", ODD_VERSION="0.1.0")
    runs = [make_run(tmp_path / f"run-{seed}", seed=seed) for seed in range(2)]
    states, whys = trained(runs, alone.address)
    assert states == {run.id: ["failed"] for run in runs}
    expected = f"semidml 0.1.0 is installed there, and {__version__} where the runs are: install the same version"
    assert expected in whys["run-1"] and socket.gethostname() in whys["run-1"]
    assert runs[0].status().state == "failed" and expected in runs[0].status().reason
    alone.add_worker("new", cold=True)
    alone.wait_for_workers(2)
    told: list[str] = []
    states, _ = trained(runs, alone.address, told=told.append)
    assert states == {run.id: ["running", "done"] for run in runs}
    assert all(expected in words for words in told)


def test_a_run_is_not_trained_on_other_data_of_that_name(standing, tmp_path, digits):
    """By what a run was trained on or, before that, is planned for; the others that come after it are trained."""
    runs = [make_run(tmp_path / f"run-{seed}", epochs=1) for seed in range(8)]
    other, own = "0" * 64, digest_of(describe_data(digits))
    tells = [{"data": {"digest": other}}, {"planned_data": other}, {"data": {"digest": digits.digest}}]
    for run, told in zip(runs, [*tells, *[{"planned_data": own}] * 5], strict=True):
        (run.path / "config.json").write_text(json.dumps(run.details() | told))
    states, whys = trained(runs, standing.address)
    failed = {"run-0": ["failed"], "run-1": ["failed"]}
    assert states == failed | {run.id: ["running", "done"] for run in runs[2:]}
    assert "digits here is another data set than the one that run-0 was trained on" in whys["run-0"]
    assert "digits here is another data set than the one that run-1 is planned for" in whys["run-1"]


def test_without_a_common_disk_runs_travel_and_are_as_if_they_had_not(alone, tmp_path):
    worker = alone.add_worker("far", ODD_BLIND="1")
    runs = [make_run(tmp_path / f"run-{seed}", seed=seed) for seed in range(2)]
    long = make_run(tmp_path / "long", epochs=5000)
    undisturbed = make_run(tmp_path / "elsewhere" / "run-1", seed=1)
    list(execute(undisturbed, threads=1, watched=False))
    states, whys = trained(runs, alone.address)
    assert states == {run.id: ["running", "done"] for run in runs}, whys
    assert content(runs[1]) == content(undisturbed)
    assert runs[1].status().state == "done" and runs[1].details()["paths"] is False
    assert "imported" not in runs[1].details()

    events = train_folders([long.path], scheduler=alone.address)
    for event in events:
        if event is not None and event.state == "running":
            until(lambda: list((alone.folder / "data" / "cells").glob("*/state.safetensors")))
            (long.path / "stop").touch()
        elif event is not None:
            assert event.state == "stopped"
    assert long.resume_epoch() > 0 and not (long.path / "stop").exists()
    reached = records(long)

    details = long.details()
    details["config"]["epochs"] = long.resume_epoch() + 2
    (long.path / "config.json").write_text(json.dumps(details))
    states, whys = trained([long], alone.address)
    assert states == {"long": ["running", "done"]}, whys
    assert records(long)[: len(reached)] == reached
    assert rest_of(tmp_path) == set()
    assert worker.poll() is None


# ---- what travels


@pytest.fixture(scope="module")
def done_run(tmp_path_factory) -> Run:
    run = make_run(tmp_path_factory.mktemp("done") / "run", epochs=3)
    list(execute(run, threads=1))
    return run


@pytest.mark.parametrize(
    ("knobs", "cut", "words"),
    [
        ({"epochs": 3, "seed": 5}, None, "is another run"),
        ({"epochs": 3}, 2000, "the zip cannot be read"),
        ({"epochs": 3}, 0, "the zip cannot be read"),
    ],
)
def test_what_comes_back_must_be_the_run_that_was_sent(done_run, tmp_path, knobs, cut, words):
    run = make_run(tmp_path / "run", **knobs)
    before = content(run)
    with pytest.raises(ValueError, match=words):
        parcels.take_back(run, parcels.pack_run(done_run)[:cut])
    assert content(run) == before and run.recorded().state == "queued" and rest_of(tmp_path) == set()


def test_what_comes_back_must_be_of_the_same_data_and_of_a_size_that_can_be(done_run, tmp_path, monkeypatch):
    run, packed = make_run(tmp_path / "run", epochs=3), parcels.pack_run(done_run)
    details = run.details() | {"data": {"digest": "0" * 64}}
    (run.path / "config.json").write_text(json.dumps(details))
    with pytest.raises(ValueError, match="is another run"):
        parcels.take_back(run, packed)
    details = {key: value for key, value in details.items() if key != "data"} | {"planned_data": "0" * 64}
    (run.path / "config.json").write_text(json.dumps(details))
    with pytest.raises(ValueError, match="is another run"):
        parcels.take_back(run, packed)
    monkeypatch.setattr(parcels, "MOST_SENT", 1000)
    with pytest.raises(ValueError, match=r"at most 1.0 kB are taken"):
        parcels.take_back(run, packed)
    with pytest.raises(ValueError, match=r"at most 1.0 kB are sent between machines: give them a disk"):
        parcels.pack_run(done_run)


def test_a_parcel_goes_on_from_what_is_further(done_run, tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    packed = parcels.pack_run(make_run(tmp_path / "run", epochs=3))
    run = parcels.open_parcel(packed, "cell")
    assert run.recorded().state == "interrupted" and run.path == parcels.cells_folder() / "cell"
    list(execute(run, threads=1))
    assert parcels.open_parcel(packed, "cell").recorded().state == "done"
    again = make_run(tmp_path / "again", epochs=3)
    for _ in execute(again, threads=1):
        if again.resume_epoch():
            break
    ahead = parcels.open_parcel(parcels.pack_run(again), "other")
    assert ahead.resume_epoch() == again.resume_epoch() > 0
    hour = time.time() - 2 * 3600
    os.utime(run.path, (hour, hour))
    parcels.open_parcel(packed, "third")
    assert not run.path.exists()


# ---- this machine's own


@pytest.mark.parametrize(
    ("cores", "free", "gpus", "workers"),
    [(2, 8e9, 0, 2), (8, 2e9, 0, 2), (8, 0, 0, 1), (64, 1e12, 4, 4), (1, 1e12, 0, 1), (16, 1e9, 8, 1)],
)
def test_as_many_workers_as_cores_or_gpus_and_memory_hold(cores, free, gpus, workers):
    assert cluster.count_workers(cores, int(free), gpus) == workers


def test_workers_share_cores_and_gpus(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    given = [cluster.worker_environment(number, 4, 16, ["0", "GPU-7"]) for number in range(4)]
    assert [own["CUDA_VISIBLE_DEVICES"] for own in given] == ["0", "GPU-7", "0", "GPU-7"]
    assert {own["OMP_NUM_THREADS"] for own in given} == {"4"}
    assert cluster.worker_environment(0, 2, 2, [])["OMP_NUM_THREADS"] == "1"
    assert cluster.worker_environment(2, 3, 2, [])["OMP_NUM_THREADS"] == "1"
    assert "CUDA_VISIBLE_DEVICES" not in cluster.worker_environment(0, 2, 2, [])
    for asked, threads in (("1", "1"), ("3", "3"), ("64", "8"), ("0", "8"), ("4,2", "8")):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert cluster.worker_environment(0, 2, 16, [])["OMP_NUM_THREADS"] == threads


@pytest.mark.parametrize(("given", "gpus"), [("", []), ("-1", []), ("3, 1", ["3", "1"]), ("GPU-ab", ["GPU-ab"])])
def test_the_gpus_are_those_that_this_process_may_use(monkeypatch, given, gpus):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert cluster.memory.list_gpus() == gpus


@pytest.mark.parametrize(("given", "threads"), [("3", 3), ("", 1), ("many", 1), ("0", 1)])
def test_a_workers_threads_are_what_its_environment_says(monkeypatch, given, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert cell.worker_threads() == threads


HOSTILE = {  # Dask's configuration for another cluster
    "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
    "DASK_DISTRIBUTED__WORKER__PRELOAD": "['no.such.module']",
    "DASK_DISTRIBUTED__SCHEDULER__PRELOAD": "['no.such.module']",
    "DASK_DISTRIBUTED__WORKER__DAEMON": "false",
    "DASK_DISTRIBUTED__WORKER__RESOURCES": "{'GPU': 1}",
}


STRANGERS = {"tcp": Security(), "tls": Security.temporary()}  # of another account: with none, or its own, certificate


def answers_a_stranger(address: str) -> bool:
    """Whether Dask's own greeting is answered there."""

    async def greet() -> object:
        given = STRANGERS[address.partition(":")[0]].get_connection_args("client")
        comm = await connect(address, timeout=2, **given)
        try:
            return await send_recv(comm, op="identity", reply=True)
        finally:
            comm.abort()

    async def greet_in_time() -> object:
        return await asyncio.wait_for(greet(), 3)

    try:
        with ThreadPoolExecutor(1) as pool:  # the main thread may have a loop that runs, of a browser
            return bool(pool.submit(asyncio.run, greet_in_time()).result())
    except (TimeoutError, OSError, MemoryError):  # TLS' first bytes taken for a length
        return False


@contextmanager
def usual_dashboard() -> Iterator[None]:
    """Somebody has taken the port of Dask's own pages, as another cluster of this machine does."""
    with socket.socket() as taken:
        with suppress(OSError):  # it is
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        yield


def test_a_cluster_of_its_own_serves_this_machine_only_and_ends_with_its_driver(tmp_path):
    short = [make_run(tmp_path / f"short-{seed}", seed=seed) for seed in range(2)]
    long = [make_run(tmp_path / f"long-{seed}", epochs=5000, seed=seed) for seed in range(3)]
    with usual_dashboard(), driver(tmp_path, short + long, **HOSTILE) as first:
        first.wait_for("long-0", "running")
        first.wait_for("long-1", "running")
        workers = first.workers()
        assert len(workers) == 2
        listening = [
            at.laddr
            for listener in (psutil.Process(first.process.pid), *workers)
            for at in listener.net_connections()
            if at.status == psutil.CONN_LISTEN
        ]
        assert {at.ip for at in listening} == {"127.0.0.1"} and len(listening) >= 3
        with ThreadPoolExecutor() as pool:  # each waits for seconds in vain
            asked = [f"{kind}://127.0.0.1:{at.port}" for at in listening for kind in STRANGERS]
            assert not any(pool.map(answers_a_stranger, asked))
        assert all(
            worker.nice() == min(19, psutil.Process(first.process.pid).nice() + cell.YIELDS) for worker in workers
        )
        until(lambda: all(run.history() for run in long[:2]))
        first.process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=15)  # 5 s on a quiet machine
        assert not alive
        assert "already in use" not in first.errors()
    assert [run.status().state for run in (*short, *long)] == ["done"] * 2 + ["interrupted"] * 2 + ["queued"]
    with driver(tmp_path, long, workers=1) as second:  # at once: it goes on
        second.wait_for("long-0", "running")
        for worker in second.workers():
            worker.send_signal(signal.SIGINT)  # Ctrl-C in a terminal: for the driver
        second.stop_file.touch()
        lines = second.finish()
        assert lines[-1]["longest"] < 3  # half a second on a quiet machine
        assert second.errors() == ""
    ends = {line["name"]: line["state"] for line in lines if "name" in line}
    assert ends == {"long-0": "stopped"}
    assert rest_of(tmp_path) <= {next(iter(rest_of(tmp_path)), "")}  # the token of the killed one, until it is swept


def test_a_scheduler_that_goes_is_said_and_the_same_again_goes_on(alone, tmp_path):
    alone.add_worker("first")
    run = make_run(tmp_path / "run", epochs=5000)
    with pytest.raises(cluster.Unreachable, match=r"the scheduler at tcp://\S+ has gone, .* goes on from there"):
        for event in train_folders([run.path], scheduler=alone.address):
            if event is not None and event.state == "running":
                until(lambda: run.resume_epoch() > 0)
                alone.scheduler.kill()
    until(lambda: run.status().state == "stopped", 60)  # the worker ends in good order
    reached = run.resume_epoch()
    assert reached > 0 and rest_of(tmp_path) == set()


def test_a_run_whose_workers_end_before_it_begins_is_given_up(tmp_path, monkeypatch):
    """What waits on a worker is lost with it, too, and is handed out again; but not for ever."""
    cell_run = make_run(tmp_path / "run")
    made = engine.Engine(SimpleNamespace(client=object()), lambda words: None)
    orders = []
    monkeypatch.setattr(made, "_submit", lambda cell: orders.append(cell) or iter(()))
    cell_of_run = engine.Cell(cell_run, "", "")
    error = KilledWorker("order", SimpleNamespace(address="tcp://nowhere"), 0)
    ends = []
    while not ends and len(orders) < 100:
        ends = list(made._end_in_error(cell_of_run, error))
    assert len(orders) == engine.EARLY_ATTEMPTS - 1 and cell_run.recorded().state == "failed"
    assert "ended 12 times before it began" in ends[0].why
