"""Sweeps, many runs each: train one, or go on with it; a table of them; stop, add to, rename, delete, export.

What reads tables is imported by the command that needs it: pandas takes half a second, and no other command any.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from semidml.cli.command import add_command, heeded_signals, read_data
from semidml.cli.train import add_knobs, given_knobs
from semidml.data import store
from semidml.disk import files
from semidml.sweeps import reuse
from semidml.sweeps import sweep as folders
from semidml.sweeps.plan import Plan, name_by, parse_axes, parse_seeds
from semidml.sweeps.sweep import Sweep
from semidml.words import seconds_words, size_words, value_words

if TYPE_CHECKING:  # at run time these would import pandas
    from semidml.sweeps.driver import Progress
    from semidml.sweeps.table import Table

SEEDS = "5"  # of a sweep that says nothing of them
VARIED = ("seed",)  # no option of its own: seeds are given together
BAR_EVERY = 0.2  # seconds between two looks of the bar on a terminal
LINE_EVERY = 30.0  # seconds between two lines of progress where there is none


def add_commands(commands: Any) -> None:
    about = "train many runs: each combination of the varied knobs' values, with each seed; or go on with a sweep"
    training = add_command(commands, "sweep", do_sweep, about)
    training.add_argument("known", nargs="?", metavar="NAME", help="a sweep to go on with: its missing runs alone")
    add_axes(training, f"how many, like 10, or which, like 3,5,8 (default {SEEDS})")
    training.add_argument("--name", help="of a new sweep (default: by data, model and what is varied)")
    training.add_argument("--scheduler", help="address of a Dask cluster, tcp://... (default: this machine)")
    training.add_argument("--workers", type=int, help="processes on this machine (default: one a core)")
    add_knobs(training, but=VARIED)

    about = "a table of sweeps; also stop, resume, add, rename, delete, export"
    acts = add_command(commands, "sweeps", do_list, about).add_subparsers(metavar="ACT")
    add_command(acts, "show", do_show, "a sweep's table: mean, sd and n of each setting").add_argument("sweep")
    add_command(acts, "stop", do_stop, "stop a sweep: its running runs within a tick").add_argument("sweep")
    resuming = add_command(acts, "resume", do_resume, "go on with a sweep: its missing runs alone")
    resuming.add_argument("sweep")
    resuming.add_argument("--scheduler", help="address of a Dask cluster, tcp://... (default: this machine)")
    resuming.add_argument("--workers", type=int, help="processes on this machine (default: one a core)")
    adding = add_command(acts, "add", do_add, "add values and seeds to a sweep's plan; resume then trains them")
    adding.add_argument("sweep")
    add_axes(adding, "further seeds, as of `sweep`")
    add_command(acts, "rename", do_rename, "give a sweep another name", "sweep", "new")
    add_command(acts, "delete", do_delete, "delete a sweep with all its runs").add_argument("sweep")
    about = "write a sweep to FILE: .zip with all its runs, .csv or .parquet its table"
    add_command(acts, "export", do_export, about, "sweep", "file")


def add_axes(command: Any, seeds: str) -> None:
    about = "a knob and its values, alpha=0.01,0.1,0.5 or alpha=0..1/5, evenly; may be given for up to four knobs"
    command.add_argument("--vary", action="append", default=[], metavar="KNOB=VALUES", help=about)
    command.add_argument("--seeds", metavar="SEEDS", help=seeds)


def do_sweep(asked: argparse.Namespace) -> int:
    given = given_knobs(asked, but=VARIED)
    if asked.known:
        if given or asked.vary or asked.seeds or asked.name:
            raise ValueError(
                f"{asked.known} has its plan: go on with `sweep {asked.known}`, add to it with `sweeps add "
                f"{asked.known} --vary KNOB=VALUES`"
            )
        return train(folders.open_sweep(asked.known), asked)
    if not asked.vary and not asked.seeds:
        raise ValueError(
            "say what is varied, like --vary alpha=0.01,0.1,0.5, or --seeds alone, or the name of a sweep to go on with"
        )
    axes, seeds = parse_axes(asked.vary), parse_seeds(asked.seeds or SEEDS)
    values = {"name": asked.name or name_by(given, axes), "seeds": seeds, "paths": True}
    Plan.of(values | {"base": given, "axes": axes})  # what is wrong in it is said before data are looked for
    plan = Plan.of(values | settle_data(given, axes))
    read_data(plan.data_names)
    known = reuse.find_sweep(plan)
    count = known.plan().count if known else 0
    sweep = reuse.find_or_create(plan)
    if known and (more := sweep.plan().count - count):
        print(f"{more:,} runs are added to {plan.name}", file=sys.stderr)
    return train(sweep, asked)


def settle_data(base: Mapping[str, Any], axes: Mapping[str, Any]) -> dict[str, Any]:
    """Base and axes with data under names by which they are found from any folder.
    Raises: ValueError when there are none."""
    settled = {"data": store.settle_name(base["data"])} if "data" in base else {}
    varied = {"data": [store.settle_name(name) for name in axes["data"]]} if "data" in axes else {}
    return {"base": {**base, **settled}, "axes": {**axes, **varied}}


def train(sweep: Sweep, asked: argparse.Namespace) -> int:
    """Trains what a sweep lacks, with a progress bar, and prints means over seeds; told to end, it stops in order.
    Failed runs make the exit status 1."""
    from semidml.sweeps.driver import train_sweep
    from semidml.sweeps.table import read_table

    print(f"{sweep.plan().command()}\nsweep folder: {sweep.path}", file=sys.stderr)
    with heeded_signals() as signals, progress_bar() as draw:
        steps = train_sweep(sweep, scheduler=asked.scheduler, workers=asked.workers, told=lambda: bool(signals))
        with closing(steps):
            for progress in steps:
                draw(progress)
    table = read_table(sweep)
    show_means(table)
    counts = table.counts
    if counts["done"] + counts["failed"] < sum(counts.values()):
        print(f"semidml: stopped: go on with python -m semidml sweep {sweep.name}", file=sys.stderr)
        return 128 + signals[0] if signals else 1
    return 1 if counts["failed"] else 0


@contextmanager
def progress_bar() -> Iterator[Callable[["Progress"], None]]:
    """What draws progress on stderr: a bar on a terminal, else a line now and then. News are lines of their own."""
    began, due = time.monotonic(), time.monotonic() + LINE_EVERY
    bar_due = began
    with tqdm(total=0, unit="run", file=sys.stderr, dynamic_ncols=True, disable=None) as bar:

        def draw(progress: "Progress") -> None:
            nonlocal due, bar_due
            for words in progress.news:
                bar.write(words, file=sys.stderr)
            now = time.monotonic()
            if bar.disable:
                if now >= due:
                    print(f"{seconds_words(now - began)}: {progress_words(progress)}", file=sys.stderr, flush=True)
                    due = now + LINE_EVERY
                return
            bar.total, bar.n = progress.all, progress.ended
            bar.set_postfix_str(progress_words(progress), refresh=False)
            if now >= bar_due:
                bar.refresh()
                bar_due = now + BAR_EVERY

        yield draw


def progress_words(progress: "Progress") -> str:
    """`12 of 40 done, 1 failed, 2 running, about 3 min left`."""
    counts = progress.counts
    parts = [f"{counts['done']:,} of {progress.all:,} done"]
    parts += [f"{counts[state]:,} {state}" for state in ("failed", "running") if counts[state]]
    if progress.is_stopping:
        parts.append("stopping")
    elif progress.seconds_left:
        parts.append(f"about {seconds_words(progress.seconds_left)} left")
    return ", ".join(parts)


def show_means(table: "Table") -> None:
    """Mean, sd and n over seeds of each setting, of the usual scores that there are, and the best setting."""
    from semidml.sweeps.table import HELD_OUT, TESTED, chosen_by, list_means, score_of

    columns = [f"{prefix}{name}" for name in chosen_by() for prefix in (HELD_OUT, TESTED)]
    columns = [name for name in columns if name in table.frame and table.frame[name].notna().any()]
    if not columns:
        print("no run is done yet")
        return
    cells = [[*table.axes, *columns]]
    words = [list_means(table, column) for column in columns]
    for lines in zip(*words, strict=True):
        cells.append([*map(value_words, lines[0][0].values()), *(number for _, number in lines)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if table.axes:
        held_out = [score_of(name).name for name in columns if name.startswith(HELD_OUT)]
        print(f"best: {best_words(table, *held_out[:1])}")


def best_words(table: "Table", *score: str) -> str:
    """The best setting, by the usual score or another one, or why none is said to be."""
    from semidml.sweeps.table import best

    try:
        return best(table, *score).words
    except ValueError as error:
        return f"not said: {error}"


def do_list(asked: argparse.Namespace) -> None:
    from semidml.sweeps.table import read_table

    row = "{:32} {:>13} {:>7}  {:10} {:>9}  {}"
    print(row.format("name", "done / all", "failed", "state", "size", "best, chosen by held-out images"))
    for sweep in folders.list_sweeps():
        try:
            table = read_table(sweep)
        except ValueError as error:
            print(row.format(sweep.name, "", "", "damaged", size_words(sweep.size()), error))
            continue
        counts = table.counts
        ended, every = counts["done"] + counts["failed"], sum(counts.values())
        state = "running" if sweep.driver() else "ended" if ended == every else "stopped"
        numbers = (f"{counts['done']:,} / {every:,}", f"{counts['failed']:,}")
        print(row.format(sweep.name, *numbers, state, size_words(sweep.size()), best_words(table)))


def do_show(asked: argparse.Namespace) -> None:
    from semidml.sweeps.table import read_table

    sweep = folders.open_sweep(asked.sweep)
    print(sweep.plan().command(), file=sys.stderr)
    table = read_table(sweep)
    show_means(table)
    for why, cells in table.frame[table.frame["state"] == "failed"].groupby("why")["cell"]:
        print(f"{len(cells):,} failed: {why}", file=sys.stderr)


def do_stop(asked: argparse.Namespace) -> None:
    folders.open_sweep(asked.sweep).stop()


def do_resume(asked: argparse.Namespace) -> int:
    return train(folders.open_sweep(asked.sweep), asked)


def do_add(asked: argparse.Namespace) -> None:
    if not (asked.vary or asked.seeds):
        raise ValueError("say what is added: --vary KNOB=VALUES, --seeds SEEDS")
    sweep = folders.open_sweep(asked.sweep)
    seeds = parse_seeds(asked.seeds) if asked.seeds else []
    count = folders.extend(sweep, parse_axes(asked.vary), seeds)
    print(f"{count:,} runs are added: train them with python -m semidml sweep {sweep.name}")


def do_rename(asked: argparse.Namespace) -> None:
    print(folders.rename(folders.open_sweep(asked.sweep), asked.new).path)


def do_delete(asked: argparse.Namespace) -> None:
    folders.delete(folders.open_sweep(asked.sweep))


def do_export(asked: argparse.Namespace) -> None:
    from semidml.sweeps.table import read_table, write_csv, write_parquet

    sweep, target = folders.open_sweep(asked.sweep), Path(asked.file)
    writers = {".csv": write_csv, ".parquet": write_parquet}
    if target.suffix == ".zip":
        files.replace_file(target, lambda file: folders.export_zip(sweep, file))
    elif target.suffix in writers:
        table = read_table(sweep)
        files.replace_file(target, lambda file: writers[target.suffix](table, file))
    else:
        raise ValueError(f"a sweep is written to a .zip, a .csv or a .parquet, got {target.name[:80]!r}")
    print(target)
