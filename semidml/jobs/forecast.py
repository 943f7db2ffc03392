"""When a run that waits will begin, going by what was measured here: the pace of the run that trains, and how long runs
like those before it took. A sweep, or whatever else takes the processor, slows the one that trains, and so is counted
for those that follow.
"""

from collections.abc import Callable, Sequence
from statistics import median

from semidml.config import RunConfig
from semidml.runs import listing
from semidml.runs.run import Run

ALIKE = ("data", "model", "prior", "variant", "encoder", "augment", "mining", "split")  # what a step's time depends on
TELLING_EPOCHS = 2  # that have ended before a pace says how fast the machine is now
MOST_MEASURED = 200  # of the newest runs


def measure_alike(config: RunConfig, others: Sequence[Run] = ()) -> tuple[float, int] | None:
    """(seconds that a training by this config takes here, how many finished runs say so, `others` beside the user's
    own); None where nothing like it was measured. Runs of the same batch size count, if there are any; else the time
    goes with the number of steps."""
    times: list[tuple[bool, float]] = []
    for run in [*listing.list_runs(include_shipped=False)[:MOST_MEASURED], *others]:
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


def seconds_left(
    run: Run, pace: float | None, measured: Callable[[RunConfig], float | None], slower: float = 1.0
) -> float | None:
    """How long a run that has not begun will train: `slower` times as long as runs like it took (`measured`), or as its
    epochs take at a `pace`, in seconds an epoch; None where neither is known."""
    status = run.status()
    try:
        seconds = measured(run.config())
    except ValueError:  # deleted meanwhile, or damaged: it will hold nobody up
        return 0.0
    if seconds:
        return seconds * slower * (1 - status.fraction)
    return None if pace is None else pace * status.epochs * (1 - status.fraction)


def how_much_slower(run: Run, pace: float, measured: Callable[[RunConfig], float | None]) -> float:
    """How many times as long as runs like it took a run takes that trains at a `pace`, in seconds an epoch: more than 1
    while a sweep trains beside it. 1 where nothing like it was measured, or in the first epochs, which tell little."""
    status = run.status()
    if status.epoch < TELLING_EPOCHS:
        return 1.0
    try:
        seconds = measured(run.config())
    except ValueError:  # deleted meanwhile, or damaged
        return 1.0
    return max(1.0, pace * status.epochs / seconds) if seconds else 1.0


def begin_times(runs: Sequence[Run], measured: Callable[[RunConfig], float | None]) -> list[float | None]:
    """In how many seconds each of some runs begins that train one after the other, of which the first may train
    already, and, last, one behind them; None where it is not known of all before."""
    times: list[float | None] = [0.0]
    pace, slower = None, 1.0
    for run in runs:
        status = run.status()
        if status.state == "running" and (pace := seconds_an_epoch(run)):
            seconds = pace * status.epochs * (1 - status.fraction)
            slower = how_much_slower(run, pace, measured)
        else:
            seconds = seconds_left(run, pace, measured, slower)
        times.append(None if times[-1] is None or seconds is None else times[-1] + seconds)
    return times
