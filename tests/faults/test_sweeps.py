"""Many runs train while workers, drivers and schedulers are killed: all are done in the end, none by halves, and each
is as if nobody had disturbed it."""

import random
import threading
from pathlib import Path

import pytest

from semidml.execute import execute
from semidml.runs import listing, process
from semidml.runs.run import Run
from tests.faults.lives import content, differences, end_process
from tests.sweeps.clusters import Cluster, Driver, end_tree, make_run

AS_IF = "all runs are done, with the records, weights and scores of undisturbed ones; none began anew"
MODELS = (
    {"model": "dml"},
    {"model": "dml-ae", "pl": 20},
    {"model": "metric-vae"},
    {"model": "dml-prior", "components": 4},
)


def make_runs(folder: Path, count: int, epochs: int) -> list[Run]:
    return [
        make_run(folder / f"run-{number:02d}", epochs=epochs, seed=number, **MODELS[number % len(MODELS)])
        for number in range(count)
    ]


def disturb(driver: Driver, runs: list[Run], every: float, ends: int, chance: random.Random) -> None:
    """Kill a worker that trains each so many seconds, until `ends` runs are done or the driver ends."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(every):
            states = [run.recorded() for run in runs]
            owners = [status.owner for status in states if status.state == "running" and process.is_here(status.owner)]
            if owners:
                end_process(chance.choice(owners)["pid"], "SIGKILL")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        done = 0
        for event in driver.events():
            done += event.get("state") == "done"
            if done >= ends:
                return
    finally:
        over.set()
        killer.join()


@pytest.mark.often(1, 2)
def test_workers_drivers_and_schedulers_are_killed(tmp_path, pytestconfig, tell, number):
    """number 0: workers of the driver's own; 1: a cluster that stands already."""
    whole = pytestconfig.getoption("whole")
    count, epochs, every = (64, 400, 10.0) if whole else (4, 200, 6.0)
    tell(f"{count} runs; a worker killed each {every:.0f} s, the {('driver', 'scheduler')[number]} killed twice", AS_IF)
    chance, runs = random.Random(f"sweep {number}"), make_runs(tmp_path / "runs", count, epochs)
    for part in (count // 3, 2 * count // 3):
        cluster = _start(tmp_path) if number else None
        driver = Driver(tmp_path, runs, cluster.address if cluster else None)
        try:
            disturb(driver, runs, every, part, chance)
            if cluster:
                cluster.scheduler.kill()
                said = list(driver.events())
                assert any("has gone" in event.get("words", "") for event in said), said
            else:
                driver.process.kill()
        finally:
            end_tree(driver.process)
            if cluster:
                cluster.close()
    cluster = _start(tmp_path) if number else None
    driver = Driver(tmp_path, runs, cluster.address if cluster else None)
    try:
        disturb(driver, runs, every, count + 1, chance)
        assert driver.process.wait() == 0, driver.errors()
    finally:
        end_tree(driver.process)
        if cluster:
            cluster.close()
    assert [run.id for run in runs if run.status().state != "done"] == []
    for run in runs[:: 1 if whole else count]:
        undisturbed = listing.create_run(run.config(), path=tmp_path / "undisturbed" / run.id)
        list(execute(undisturbed, threads=1, watched=False))
        assert differences(run, content(undisturbed)) == []


def _start(folder: Path) -> Cluster:
    cluster = Cluster(folder / "cluster")
    for name in ("first", "second"):
        cluster.add_worker(name)
    return cluster
