"""Many runs train while workers, drivers and schedulers are killed: all are done in the end, none by halves, and each
is as if nobody had disturbed it."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from semidml.execute import execute
from semidml.runs import listing, process
from semidml.runs.run import Run
from tests.faults.lives import content, differences, end_process
from tests.sweeps.clusters import Cluster, Driver, driver, make_run

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


class Disturbed:
    """Runs that drivers train, one driver after the other, while their workers are killed."""

    def __init__(self, folder: Path, runs: list[Run], is_standing: bool, chance: random.Random):
        """is_standing: on a cluster that stands already, not on workers of the driver's own."""
        self.folder, self.runs, self.is_standing, self.chance = folder, runs, is_standing, chance
        self.killed: dict[str, int] = {}  # the epoch that a run goes on from, at least, whose worker was killed
        self.kills = 0

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """A driver, and a cluster of which it is the only one."""
        cluster = Cluster(self.folder / "cluster") if self.is_standing else None
        try:
            for name in ("first", "second") if cluster else ():
                cluster.add_worker(name, again=True)
            with driver(self.folder, self.runs, cluster.address if cluster else None, often=True) as made:
                made.cluster = cluster
                yield made
        finally:
            if cluster:
                cluster.close()

    def watch(self, made: Driver, every: float, most: int, ends: int) -> None:
        """Kill a worker that trains each so many seconds, until `ends` runs are done and `most` workers were killed, or
        the driver ends. A run goes on from where it was, whatever ended its worker."""
        over, before, done = threading.Event(), self.kills, 0

        def kill() -> None:
            while self.kills - before < most and not over.wait(every):
                self.kill_worker()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            for event in made.events():
                done += event.get("state") == "done"
                if event.get("state") == "running":
                    epoch = int((event["why"] or "0").removeprefix("from epoch "))
                    assert epoch >= self.killed.get(event["name"], 0), event
                assert event.get("state") != "failed", event
                if done >= ends and self.kills > before:
                    return
        finally:
            over.set()
            killer.join()

    def kill_worker(self) -> None:
        """Kill a worker that trains a run which has come further since it last lost one, if there is any."""
        for run in self.chance.sample(self.runs, len(self.runs)):
            status, epoch = run.recorded(), run.resume_epoch()
            if status.state == "running" and process.is_here(status.owner) and epoch > self.killed.get(run.id, 0):
                self.killed[run.id] = epoch
                self.kills += 1
                end_process(status.owner["pid"], "SIGKILL")
                return


@pytest.mark.often(1, 2)
def test_workers_drivers_and_schedulers_are_killed(tmp_path, pytestconfig, tell, number):
    """number 0: workers of the driver's own; 1: a cluster that stands already."""
    whole = pytestconfig.getoption("whole")
    count, epochs, every, most, parts = (64, 100, 10.0, 10**6, (21, 21)) if whole else (3, 80, 0.1, 1, (1,))
    kills = f"a worker killed each {every:.0f} s" if whole else "a worker of each driver killed"
    tell(f"{count} runs; {kills}, the {('driver', 'scheduler')[number]} killed {len(parts)} times", AS_IF)
    runs = make_runs(tmp_path / "runs", count, epochs)
    disturbed = Disturbed(tmp_path, runs, bool(number), random.Random(f"sweep {number}"))
    for part in parts:
        with disturbed.driver() as made:
            disturbed.watch(made, every, most, part)
            if made.cluster:
                made.cluster.scheduler.kill()
                said = list(made.events())
                assert any("has gone" in event.get("words", "") for event in said), said
            else:
                made.process.kill()
    with disturbed.driver() as made:
        disturbed.watch(made, every, most, count + 1)
        assert made.process.wait() == 0, made.errors()
    assert disturbed.kills > len(parts)
    assert [run.id for run in runs if run.status().state != "done"] == []
    for run in runs[::3] if whole else runs[:1]:  # each third is of another model
        undisturbed = listing.create_run(run.config(), path=tmp_path / "undisturbed" / run.id)
        list(execute(undisturbed, threads=1, watched=False))
        assert differences(run, content(undisturbed)) == []
