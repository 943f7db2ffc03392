"""What it costs to train many runs at once, beside the training itself.

    python benchmarks/sweeps.py [--smoke | --write]

First a sweep of 64 runs of the digits, as the page Many at once starts it: when its first run is done, and all are, and
what a worker does beside the steps of its runs. Then how much faster two workers train the same runs than one, in turn,
from the first that begins to the last that is done. And what a run that has nothing left to train takes on one worker,
how many of those eight workers do in a second, and what processor time that costs the process with the scheduler.
Workers are processes of this machine, one thread each. Last what a sweep leaves to a visitor who presses Train: how
soon a single run begins beside a sweep of two workers, and how many steps a second it does there and alone, in turn.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from common import SINGLE, arguments, busy_words, machine, markdown, others_busy, report

from semidml.config import RunConfig
from semidml.jobs.queue import Jobs
from semidml.runs import listing
from semidml.runs.status import Status
from semidml.sweeps import attended
from semidml.sweeps.engine import train_folders
from semidml.sweeps.plan import Plan
from semidml.sweeps.sweep import create_sweep, list_runs

ALPHAS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8]
LOG_VARS = [-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0]


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


class Sheet(NamedTuple):
    """Seconds of a sweep: since its start, and of its runs."""

    first_done: float
    all_done: float
    steps: float  # median of a run's epochs
    scoring: float  # ... of all else between its first and its last word: its data, scores on two splits, its files
    between: float  # ... from a run's end to the next one's first word on the same worker


def time_sheet(folder: Path, alphas: list[float], log_vars: list[float], epochs: int) -> Sheet:
    """A sweep of two knobs, as the page starts it.
    Raises: ValueError when a run is not done."""
    os.environ["SEMIDML_SWEEPS"] = str(folder)
    base = {"data": "digits", "model": "dml-prior", "prior": "gmm", "placement": "lattice", "components": 10}
    base |= {"epochs": epochs, "device": "cpu", **SINGLE}
    axes = {"alpha": alphas, "component_log_var": log_vars}
    sweep = create_sweep(Plan.of({"name": "sheet", "base": base, "axes": axes, "seeds": [0]}))
    start = time.time()
    attended.start(sweep)
    while attended.is_starting(sweep):
        time.sleep(0.1)
    runs = list_runs(sweep)
    lives = sorted((status.started, status.updated, status.latest["seconds"]) for status in (r.status() for r in runs))
    if len(lives) < len(alphas) * len(log_vars) or any(run.status().state != "done" for run in runs):
        raise ValueError("\n".join(["some runs are not done", *attended.last_words(sweep)]))
    return Sheet(
        min(end for _, end, _ in lives) - start,
        max(end for _, end, _ in lives) - start,
        statistics.median(steps for *_, steps in lives),
        statistics.median(end - begin - steps for begin, end, steps in lives),
        statistics.median(pauses([life[:2] for life in lives])),
    )


def pauses(lives: list[tuple[float, float]]) -> list[float]:
    """Seconds between runs of the same worker: each run goes to the one that has waited for the shortest time."""
    ends, found = [], []
    for begin, end in lives:
        if free := [other for other in ends if other <= begin]:
            ends.remove(max(free))
            found.append(begin - max(free))
        ends.append(end)
    return found or [0.0]


def rate(folder: Path, count: int, workers: int) -> tuple[float, float]:
    """Finished runs answered in a second, and milliseconds of this process's time for each."""
    times = timed([folder] * count, workers)
    seconds = times.ended[-1] - times.ended[0]
    return (count - 1) / seconds, 1000 * times.processor / (count - 1)


class Visit(NamedTuple):
    """A run that somebody trains from a page."""

    begins: float  # seconds from the press to its first step
    rate: float  # steps a second from then on


def visit(jobs: Jobs, epochs: int, seconds: float) -> Visit:
    """Train the digits as Train does, with a worker that is warm, for so many seconds."""
    pressed = time.time()
    run = jobs.submit(RunConfig.of({"data": "digits", "device": "cpu", "epochs": epochs, **SINGLE}))
    while not steps_of(begun := run.status()):
        time.sleep(0.02)
    until = begun
    while until.active and (until.updated < begun.updated + seconds or steps_of(until) == steps_of(begun)):
        time.sleep(0.1)
        until = run.status()
    if until.state not in ("running", "done"):
        raise ValueError(f"{run.id} is {until.state}: {until.reason}")
    if run.status().active:
        jobs.stop(run.id)
    while run.status().active:
        time.sleep(0.1)
    done = steps_of(until) - steps_of(begun)
    return Visit(begun.updated - pressed, done / (until.updated - begun.updated))


def steps_of(status: Status) -> int:
    """How many a run has done."""
    return status.epoch * int((status.latest or {}).get("steps", 0)) + status.step


def time_visits(top: Path, rounds: int, epochs: int, seconds: float) -> dict[str, list[Visit]]:
    """Visits alone and beside a sweep whose two workers both train, in turn."""
    os.environ["SEMIDML_SWEEPS"], jobs = str(top / "sweeps"), Jobs(top / "runs")
    visits: dict[str, list[Visit]] = {"alone": [], "beside": []}
    try:
        visit(jobs, epochs, 0.0)  # the worker is warm from now on
        for number in range(rounds):
            visits["alone"].append(visit(jobs, epochs, seconds))
            base = {"data": "digits", "device": "cpu", "epochs": epochs, **SINGLE}
            sweep = create_sweep(Plan.of({"name": f"beside-{number}", "base": base, "axes": {}, "seeds": [0, 1, 2, 3]}))
            attended.start(sweep)
            while sum(run.status().state == "running" for run in list_runs(sweep)) < 2:
                if not attended.is_starting(sweep):
                    raise ValueError("\n".join(["the sweep has ended", *attended.last_words(sweep)]))
                time.sleep(0.1)
            visits["beside"].append(visit(jobs, epochs, seconds))
            attended.stop(sweep)
            while attended.is_starting(sweep):
                time.sleep(0.1)
    finally:
        jobs.close()
    return visits


def main() -> None:
    asked = arguments(__doc__)
    count, thin, rounds, runs, epochs = (12, 2, 1, 2, 1) if asked.smoke else (1000, 8, 3, 16, 60)
    side = 1 if asked.smoke else 8
    alphas, log_vars = ALPHAS[:side], LOG_VARS[:side]
    visitors = 1 if asked.smoke else 3
    os.environ["OMP_NUM_THREADS"] = "1"  # one worker alone would have the threads of two
    before = others_busy(asked.smoke)
    ratios = []
    with tempfile.TemporaryDirectory() as top:
        sheet = time_sheet(Path(top, "sweeps"), alphas, log_vars, epochs)
        for number in range(rounds):
            seconds = {}
            for workers in (1, 2):
                times = timed(make_runs(Path(top, f"{number}-{workers}"), runs, epochs), workers)
                seconds[workers] = times.ended[-1] - times.began[0]
            ratios.append(seconds[1] / seconds[2])
        done = Path(top, "0-1", "run-0")
        alone, _ = rate(done, max(5, count // 10), 1)
        together, milliseconds = rate(done, count, thin)
        visits = time_visits(Path(top, "visits"), visitors, 1_000, 1.0 if asked.smoke else 10.0)
    after = others_busy(asked.smoke)
    begins = {way: statistics.median(each.begins for each in own) for way, own in visits.items()}
    kept = statistics.median(b.rate / a.rate for a, b in zip(visits["alone"], visits["beside"], strict=True))
    numbers = {
        "seconds_a_run": 1 / alone,
        "runs_a_second": together,
        "driver_milliseconds_a_run": milliseconds,
        "two_workers_times": ratios,
        **sheet._asdict(),
        "visit_begins": begins,
        "visit_rate_beside_over_alone": kept,
        "others_busy_cores": [before, after],
    }
    rows = [
        [f"a sweep of {side * side} runs of {epochs} epochs, until its first run is done", f"{sheet.first_done:.1f} s"],
        ["... and until all are", f"{sheet.all_done:.1f} s"],
        ["a run's steps in it", f"{sheet.steps:.2f} s"],
        ["all else of the run: its data, scores on two splits, its files", f"{sheet.scoring:.2f} s"],
        ["from a run's end to the next one's begin on the same worker", f"{sheet.between:.2f} s"],
        [f"two workers beside one, {runs} runs of {epochs} epochs", f"{statistics.median(ratios):.2f} times"],
        ["a finished run, asked for again, on one worker", f"{1000 / alone:.0f} ms"],
        [f"{count:,} of them on {thin} workers", f"{together:,.0f} a second"],
        ["processor time of scheduler and driver together, a run", f"{milliseconds:.1f} ms"],
        ["from Train to the first step of a single run, alone", f"{begins['alone']:.2f} s"],
        ["... beside a sweep of two workers", f"{begins['beside']:.2f} s"],
        ["its steps a second there, as a share of those alone", f"{kept:.2f}"],
    ]
    text = "\n\n".join(
        [
            "Runs of the digits on workers of this machine, one thread each; medians of the sweep's runs, and of "
            f"{rounds} rounds of two workers and one; {machine()}. {busy_words(before, after)}",
            markdown(["what", "it takes"], rows),
        ]
    )
    report("sweeps", text, numbers, asked.write)


if __name__ == "__main__":
    main()
