"""When a run that waits will begin, going by what was measured here: the pace of the run that trains, and how long runs
like those before it took.
"""

from collections.abc import Callable, Sequence
from statistics import median

from semidml.config import RunConfig
from semidml.runs import listing
from semidml.runs.run import Run

ALIKE = ("data", "model", "prior", "variant", "encoder", "augment", "mining", "split")  # what a step's time depends on
MOST_MEASURED = 200  # of the newest runs


def measure_alike(config: RunConfig) -> tuple[float, int] | None:
    """(seconds that a training by this config takes here, how many finished runs say so); None where nothing like it
    was measured. Runs of the same batch size count, if there are any; else the time goes with the number of steps."""
    times: list[tuple[bool, float]] = []
    for run in listing.list_runs(include_shipped=False)[:MOST_MEASURED]:
        if run.status().state != "done":
            continue
        other, seconds = run.config(), (run.metrics() or {}).get("seconds")
        if seconds and all(getattr(other, name) == getattr(config, name) for name in ALIKE):
            steps = other.epochs / other.batch_size
            times.append((other.batch_size == config.batch_size, seconds / steps))
    if not times:
        return None
    same = [seconds for is_same, seconds in times if is_same] or [seconds for _, seconds in times]
    return median(same) * config.epochs / config.batch_size, len(same)


def seconds_an_epoch(run: Run) -> float | None:
    """How long an epoch of a run has taken so far; None before there is a measure."""
    status = run.status()
    epochs, seconds = status.fraction * status.epochs, (status.latest or {}).get("seconds", 0)
    return seconds / epochs if epochs and seconds else None


def seconds_left(run: Run, running: Run | None, measured: Callable[[RunConfig], float | None]) -> float | None:
    """How long a run has still to train: by its own pace once it runs; else as long as runs like it took (`measured`),
    or as its epochs would take at the pace of the one that runs now; None where neither is known."""
    status = run.status()
    epochs = status.epochs * (1 - status.fraction)
    if run == running and (pace := seconds_an_epoch(run)):
        return pace * epochs
    if seconds := measured(run.config()):
        return seconds * (1 - status.fraction)
    pace = seconds_an_epoch(running) if running and running != run else None
    return pace * epochs if pace else None


def seconds_until(before: Sequence[Run], measured: Callable[[RunConfig], float | None]) -> float | None:
    """How long those that go before a run, the running one first, will train; None where of one it is not known."""
    running = before[0] if before and before[0].status().state == "running" else None
    total = 0.0
    for run in before:
        seconds = seconds_left(run, running, measured)
        if seconds is None:
            return None
        total += seconds
    return total
