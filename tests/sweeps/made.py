"""Sweeps whose runs nobody trains: an engine that writes what a training would leave, and one that trains here."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from semidml.disk import files
from semidml.execute import execute
from semidml.runs import changes, process
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.sweeps.plan import Plan

DIGEST = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Event:
    folder: Path
    state: str
    why: str = ""
    seconds: float = 0.0


def plan(name: str = "first", axes: dict | None = None, seeds: Iterable[int] = (0, 1), **base: object) -> Plan:
    """A plan of digits, by default of four cells; a base of None is left out."""
    varied = {"alpha": [0.1, 0.5]} if axes is None else axes
    known = {knob: value for knob, value in {"epochs": 1, **base}.items() if value is not None}
    return Plan.of({"name": name, "base": known, "axes": varied, "seeds": list(seeds)})


def finish(run: Run, held_out: float = 0.5, tested: float = 0.4) -> None:
    """What a training leaves of scores and state, without any weight."""
    config = run.config()
    metrics = {"knn_accuracy": held_out, "kmeans_ami": 0.25, "seconds": 2.0}
    if config.evaluate_on == "test":
        metrics["knn_accuracy"] = tested
    else:
        files.replace_file(run.path / "test_metrics.json", files.as_json({"knn_accuracy": tested}))
    files.replace_file(run.path / "metrics.json", files.as_json(metrics))
    latest = {"seconds": 2.0}
    write_status(run, Status("done", epoch=config.epochs, epochs=config.epochs, updated=time.time(), latest=latest))


def score_by_alpha(run: Run) -> tuple[float, float]:
    """(of held-out, of test images): the larger alpha is, the better on the former and the worse on the latter."""
    config = run.config()
    return config.alpha + config.seed / 100, 0.9 - config.alpha


class Engine:
    """Finishes a run a step. `ends`: what becomes of the run with a number, instead: failed, or lost, and why."""

    def __init__(self, ends: dict[int, tuple[str, str]] | None = None):
        self.ends, self.begun = ends or {}, []

    def __call__(
        self,
        folders: Iterable[Path],
        *,
        scheduler: str | None,
        workers: int | None,
        stop: Callable[[], bool],
        told: Callable[[str], None],
    ) -> Iterator[Event | None]:
        yield None
        for number, folder in enumerate(folders):
            run = Run(folder)
            self.begun.append(folder.name)
            running = Status("running", epochs=run.config().epochs, updated=time.time(), owner=process.this_process())
            write_status(run, running)
            yield Event(folder, "running")
            if stop():
                write_status(run, replace(running, state="stopped", owner={}))
                yield Event(folder, "stopped")
                return
            state, why = self.ends.get(number, ("done", ""))
            if state == "done":
                finish(run, *score_by_alpha(run))
            elif state == "failed":
                write_status(run, replace(running, state="failed", reason=why, owner={}))
            yield Event(folder, "failed" if state == "lost" else state, why, 2.0)


def train_here(
    folders: Iterable[Path],
    *,
    scheduler: str | None,
    workers: int | None,
    stop: Callable[[], bool],
    told: Callable[[str], None],
) -> Iterator[Event | None]:
    """Trains one run after the other in this process."""
    for folder in folders:
        run = Run(folder)
        yield Event(folder, "running")
        for _ in execute(run):
            if stop():
                changes.stop(run)
            yield None
        status = run.status()
        yield Event(folder, status.state, status.reason)
        if stop():
            return
