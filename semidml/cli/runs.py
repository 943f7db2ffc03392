"""Runs: a table of them; stop, resume, rename, delete, export, import; figures, films, notebooks and pages of them."""

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

from semidml.cli import figures
from semidml.cli.command import add_command, find_run
from semidml.cli.shown import shown_score, shown_weight
from semidml.cli.train import train
from semidml.disk import files
from semidml.runs import changes, lineage, listing, transfer
from semidml.scores.table import shown_at
from semidml.words import value_words

WIDTH = len("-0.1234 [10]")  # of a column of scores


def add_commands(commands: Any) -> None:
    about = "a table of runs; also stop, resume, rename, delete, export, import, figure, film, notebook, page"
    acts = add_command(commands, "runs", do_list, about).add_subparsers(metavar="ACT")
    add_command(
        acts, "stop", lambda asked: changes.stop(find_run(asked.run)), "stop a running run within a tick", "run"
    )
    about = "go on with a stopped, interrupted or failed run"
    add_command(acts, "resume", do_resume, about, "run")
    add_command(acts, "rename", do_rename, "give a run another id", "run", "new")
    add_command(acts, "delete", lambda asked: changes.delete(find_run(asked.run)), "delete a run's folder", "run")
    add_command(acts, "export", do_export, "write a run as a zip", "run", "zip")
    importing = add_command(acts, "import", do_import, "take in a run from a zip", "zip")
    importing.add_argument("--name", help="id to give it")
    figures.add_commands(acts)


def do_list(asked: argparse.Namespace) -> None:
    row, names = "{:32} {:12} {:10} {:14} {:>8} {:>11}  {}", shown_at("runs")
    runs, children = listing.list_runs(), defaultdict(list)
    parents = {run: lineage.find_parent(run) for run in runs}
    for run in runs:
        children[parents[run]].append(run.id)
    titles = "  ".join(f"{name:{WIDTH}}" for name in names).rstrip()
    print(row.format("id", "state", "model", "data", "pl", "weight", titles))
    marks: dict[str, str] = {}  # of what is to be said of a score
    for run in runs:
        state = run.status().state
        try:
            config, metrics = run.config(), run.metrics() or {}
        except ValueError as error:
            print(row.format(run.id, state, "", "", "", "", str(error)))
            continue
        remarks, cells = metrics.get("notes", {}) | metrics.get("failed", {}), []
        for name in names:
            mark = marks.setdefault(remarks[name], f" [{len(marks) + 1}]") if name in remarks else ""
            cells.append(f"{shown_score(metrics.get(name)) + mark:{max(len(name), WIDTH)}}")
        setting = (config.model, config.data[-14:], value_words(config.pl), shown_weight(config))
        print(row.format(run.id, state, *setting, "  ".join(cells).rstrip()))
        if told := lineage.parent_of(run):
            print(f"  made from {parents[run].id if parents[run] else f'{told.id}, which is gone'}")
        for child in children[run]:
            print(f"  made into {child}")
    for words, mark in marks.items():
        print(mark.strip(), "".join(filter(str.isprintable, str(words))))  # an imported run may say anything


def do_rename(asked: argparse.Namespace) -> None:
    print(changes.rename(find_run(asked.run), asked.new).path)


def do_resume(asked: argparse.Namespace) -> int:
    run = find_run(asked.run)
    if run.recorded().state != "done":
        changes.make_ready(run)  # nobody else resumes it from now on
    return train(run)


def do_export(asked: argparse.Namespace) -> None:
    run = find_run(asked.run)
    files.replace_file(Path(asked.zip), lambda file: transfer.export_zip(run, file))
    print(asked.zip)


def do_import(asked: argparse.Namespace) -> None:
    with open(asked.zip, "rb") as file:
        print(transfer.import_zip(file, asked.name).path)
