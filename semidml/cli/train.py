"""Train a run, score one anew, fit a prior to one."""

import argparse
import json
import sys
import time
from collections.abc import Collection
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from tqdm import tqdm

from semidml.cli.command import add_command, find_run, heeded_signals, percent_bar, read_data
from semidml.cli.shown import show_scores
from semidml.config import RunConfig, allowed, declared_knobs
from semidml.data import store
from semidml.data.labels import describe_step
from semidml.execute import execute, score_run
from semidml.explore import prior
from semidml.memory import cores
from semidml.rules import list_remarks
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.words import value_words


def add_commands(commands: Any) -> None:
    training = add_command(commands, "train", do_train, "train a run and print its scores")
    add_knobs(training)
    training.add_argument("--out", type=Path, help="folder of the run (default: a new one among the runs)")
    training.add_argument("--full", action="store_true", help="also score a random forest and an MLP classifier")

    about = "score a finished run anew from its weights, and print metrics.json"
    scoring = add_command(commands, "evaluate", do_evaluate, about, "run")
    scoring.add_argument("--full", action="store_true", help="also a random forest and an MLP classifier")

    about = "fit a mixture to a finished run's latents, and print the command that trains with it as prior"
    fitting = add_command(commands, "fit-prior", do_fit_prior, about, "run")
    fitting.add_argument("--components", type=int, help="of the mixture (default: as many as classes)")
    fitting.add_argument("--seed", type=int, default=0, help="of the fit's starts (default 0)")


def add_knobs(command: Any, but: Collection[str] = ()) -> None:
    """An option for each knob, `but` some."""
    for knob in declared_knobs().values():
        if knob.name not in but:
            about = f"{knob.help} ({allowed(knob)}; default {value_words(knob.default)})".replace("%", "%%")
            command.add_argument(f"--{knob.name.replace('_', '-')}", help=about, metavar=knob.name.upper())


def given_knobs(asked: argparse.Namespace, but: Collection[str] = ()) -> dict[str, str]:
    """The knobs that were given, as text."""
    names = [name for name in declared_knobs() if name not in but]
    return {name: value for name in names if (value := getattr(asked, name)) is not None}


def do_train(asked: argparse.Namespace) -> int:
    from semidml.train.device import machine_remarks

    given = given_knobs(asked)
    config = RunConfig.of(given)
    config = RunConfig.of(given | {"data": store.settle_name(config.data)})  # a path that is found from any folder
    read_data([config.data])
    if idle := [name for name in given if name not in config.used()]:
        print(f"note: without effect here: {', '.join(idle)}", file=sys.stderr)
    for remark in [*list_remarks(config), *machine_remarks(config)]:
        print(f"note: {remark}", file=sys.stderr)
    with listing.new_run(config, path=asked.out, paths=True) as run:
        return train(run, asked.full)


def train(run: Run, full: bool = False) -> int:
    """Trains or resumes a run in this process, with a progress bar; its status is the exit status. Told to
    end, it stops the run at the last finished epoch."""
    began, bar = time.perf_counter(), None
    print(f"{run.config().command()}\nrun folder: {run.path}", file=sys.stderr)
    with heeded_signals() as signals, ExitStack() as reading:
        threads, progress = max(1, cores() - 1), reading.enter_context(percent_bar())
        records = execute(run, threads=threads, full=full, told=lambda: bool(signals), progress=progress)
        with closing(records):  # whatever happens to the terminal that the bar is drawn on
            for record in records:
                if bar is None:
                    reading.close()
                    bar = tqdm(
                        total=run.config().epochs * record.steps, unit="step", file=sys.stderr, dynamic_ncols=True
                    )
                    if remark := describe_step(run.details().get("facts", {})):
                        bar.write(f"note: {remark}", file=sys.stderr)
                bar.update(record.epoch * record.steps + record.step - bar.n)
                terms = " ".join(f"{name} {value:.3g}" for name, value in record.terms.items())
                bar.set_postfix_str(terms, refresh=False)
                for alarm in record.alarms:
                    bar.write(f"epoch {record.epoch}: {alarm}", file=sys.stderr)
    if bar is not None:
        bar.close()
    status = run.status()
    if status.state != "done":
        print(f"semidml: {status.state}: {status.reason}", file=sys.stderr)
        return 128 + signals[0] if signals else 1
    show_scores(run.metrics())
    print(f"{status.state} in {time.perf_counter() - began:.1f} s, of which training {run.metrics()['seconds']:.1f} s")
    return 0


def do_evaluate(asked: argparse.Namespace) -> None:
    with percent_bar() as progress:
        metrics = score_run(find_run(asked.run), asked.full, progress)
    print(json.dumps(metrics, indent=2, allow_nan=False))


def do_fit_prior(asked: argparse.Namespace) -> None:
    fitted = prior.fit_prior(find_run(asked.run), asked.components, asked.seed)
    print(f"fitted to {fitted.rows}, without their labels", file=sys.stderr)
    print(fitted.config.command())
