"""What it costs to train many runs at once, beside the training itself.

    python benchmarks/sweeps.py [--smoke]

Four numbers: what a run that has nothing left to train takes on one worker; how many of those eight workers do in a
second, and what processor time that costs the process with the scheduler; how much faster two workers train the same
runs of the digits than one, in turn, from the first that begins to the last that is done; and when the first run of a
cluster that has just been started begins, and is done. Workers are processes of this machine, one thread each.
"""

import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from common import SINGLE, arguments, busy_words, machine, markdown, others_busy, report

from semidml.config import RunConfig
from semidml.runs import listing
from semidml.sweeps.engine import train_folders


class Timed(NamedTuple):
    """Seconds since the engine was called, of each run."""

    began: list[float]
    ended: list[float]
    processor: float  # seconds of processor time that this process took between the first and the last end


def make_runs(folder: Path, count: int, epochs: int) -> list[Path]:
    """New runs of the digits, which differ in their seed."""
    knobs = {"data": "digits", "device": "cpu", "epochs": epochs, **SINGLE}
    return [
        listing.create_run(RunConfig.of(knobs | {"seed": seed}), path=folder / f"run-{seed}").path
        for seed in range(count)
    ]


def timed(folders: list[Path], workers: int) -> Timed:
    """When each run began and ended on so many workers.
    Raises: ValueError when one is not done."""
    start, own = time.perf_counter(), psutil.Process()
    times = Timed([], [], 0.0)
    processor = 0.0
    for event in train_folders(folders, workers=workers):
        if event is None:
            continue
        if event.state not in ("running", "done"):
            raise ValueError(f"{event.folder.name} is {event.state}: {event.why}")
        (times.began if event.state == "running" else times.ended).append(time.perf_counter() - start)
        if len(times.ended) == 1 and event.state == "done":
            processor = sum(own.cpu_times()[:2])
    return times._replace(processor=sum(own.cpu_times()[:2]) - processor)


def rate(folder: Path, count: int, workers: int) -> tuple[float, float]:
    """Finished runs answered in a second, and milliseconds of this process's time for each."""
    times = timed([folder] * count, workers)
    seconds = times.ended[-1] - times.ended[0]
    return (count - 1) / seconds, 1000 * times.processor / (count - 1)


def main() -> None:
    asked = arguments(__doc__, table=False)
    count, thin, rounds, runs, epochs = (12, 2, 1, 2, 1) if asked.smoke else (1000, 8, 3, 8, 20)
    before = others_busy(asked.smoke)
    ratios, first = [], []
    with tempfile.TemporaryDirectory() as top:
        for number in range(rounds):
            seconds = {}
            for workers in (1, 2):
                times = timed(make_runs(Path(top, f"{number}-{workers}"), runs, epochs), workers)
                seconds[workers] = times.ended[-1] - times.began[0]
                first.append((times.began[0], times.ended[0]))
            ratios.append(seconds[1] / seconds[2])
        done = Path(top, "0-1", "run-0")
        alone, _ = rate(done, max(5, count // 10), 1)
        together, milliseconds = rate(done, count, thin)
    after = others_busy(asked.smoke)
    begins, ends = (statistics.median(values) for values in zip(*first, strict=True))
    numbers = {
        "seconds_a_run": 1 / alone,
        "runs_a_second": together,
        "driver_milliseconds_a_run": milliseconds,
        "two_workers_times": ratios,
        "first_begins_seconds": begins,
        "first_done_seconds": ends,
        "others_busy_cores": [before, after],
    }
    rows = [
        ["a finished run, asked for again, on one worker", f"{1000 / alone:.0f} ms"],
        [f"{count:,} of them on {thin} workers", f"{together:,.0f} a second"],
        ["processor time of scheduler and driver together, a run", f"{milliseconds:.1f} ms"],
        [f"two workers beside one, {runs} runs of {epochs} epochs", f"{statistics.median(ratios):.2f} times"],
        ["from the start of a cluster until its first run begins", f"{begins:.1f} s"],
        ["... and is done", f"{ends:.1f} s"],
    ]
    text = "\n\n".join(
        [
            f"Runs of the digits on workers of this machine, one thread each; medians of {rounds} interleaved rounds; "
            f"{machine()}. {busy_words(before, after)}",
            markdown(["what", "it takes"], rows),
        ]
    )
    report("sweeps", text, numbers)


if __name__ == "__main__":
    main()
