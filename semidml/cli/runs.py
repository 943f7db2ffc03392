"""Runs: a table of them; tag, note, stop, resume, rename, delete, export, import; figures, films, documents of them."""

import argparse
from pathlib import Path
from typing import Any

from semidml.cli import figures
from semidml.cli.command import add_command, find_run
from semidml.cli.shown import shown_score, shown_weight
from semidml.cli.train import train
from semidml.disk import files
from semidml.runs import changes, lineage, listed, notes, query, transfer
from semidml.scores.table import SCORES, shown_at
from semidml.words import value_words

COLUMNS = {"model", "data", "pl"}  # knobs that the table has in any case
WIDTH = len("-0.1234 [10]")  # of a column of scores


def add_commands(commands: Any) -> None:
    about = (
        "a table of runs; also tag, note, stop, resume, rename, delete, export, import, figure, film, notebook, page"
    )
    listing_of_runs = add_command(commands, "runs", do_list, about)
    add_query(listing_of_runs)
    acts = listing_of_runs.add_subparsers(metavar="ACT")
    tagging = add_command(acts, "tag", do_tag, "give a run tags, or take them from it; prints those that it has", "run")
    tagging.add_argument("tags", nargs="*", metavar="tag", help="a word or a few")
    tagging.add_argument("--remove", nargs="+", default=[], metavar="tag", help="tags to take from it")
    noting = add_command(acts, "note", do_note, "replace the note of a run; prints the one that it has", "run")
    noting.add_argument("text", nargs="?", help="a few words or lines; '' for none")
    add_command(
        acts, "stop", lambda asked: changes.stop(find_run(asked.run)), "stop a running run within a tick", "run"
    )
    about = "go on with a stopped, interrupted or failed run"
    add_command(acts, "resume", do_resume, about, "run")
    add_command(acts, "rename", do_rename, "give a run another id", "run", "new")
    add_command(acts, "delete", lambda asked: changes.delete(find_run(asked.run)), "delete a run's folder", "run")
    add_command(acts, "export", do_export, "write a run as a zip", "run", "zip")
    importing = add_command(acts, "import", do_import, "take in a run, or several, from a zip", "zip")
    importing.add_argument("--name", help="id to give it")
    figures.add_commands(acts)


def add_query(command: argparse.ArgumentParser) -> None:
    """Which runs, and in which order, as the page Runs asks for them."""
    about = f"""only runs that are so, as "pl<1", "knn_accuracy>=90%%" or "model=dml-ae": a knob, a score or one of
        {", ".join(query.WORDS)}, a relation of {" ".join(query.RELATIONS)} (contains), a value; again for more"""
    command.add_argument("--where", action="append", default=[], metavar="CONDITION", help=about)
    command.add_argument("--tag", action="append", default=[], help="only runs with this tag; again for more")
    command.add_argument(
        "--search", default="", metavar="WORDS", help="only runs with these words in name, tags or note"
    )
    command.add_argument("--sort", default="", metavar="FIELD", help="best or newest first: created, a knob or a score")
    command.add_argument("--reverse", action="store_true", help="in the other order")


def do_list(asked: argparse.Namespace) -> None:
    where = tuple(map(query.parse_condition, asked.where))
    chosen = query.Query(where, tuple(map(notes.check_tag, asked.tag)), asked.search, asked.sort, asked.reverse)
    every = listed.list_rows()
    family, rows = lineage.list_families(every), chosen.apply(every)
    names = shown_at("runs")
    names += [name for name in chosen.fields if name in SCORES and name not in names]
    line = "{:32} {:12} {:10} {:14} {:>8} {:>11}  {}"
    titles = "  ".join(f"{name:{WIDTH}}" for name in names).rstrip()
    print(line.format("id", "state", "model", "data", "pl", "weight", titles))
    marks: dict[str, str] = {}  # of what is to be said of a score
    for row in rows:
        run = row.run
        try:
            config, metrics = run.config(), run.metrics() or {}
        except ValueError as error:
            print(line.format(run.id, row.state, "", "", "", "", str(error)))
            continue
        remarks, cells = metrics.get("notes", {}) | metrics.get("failed", {}), []
        for name in names:
            mark = marks.setdefault(remarks[name], f" [{len(marks) + 1}]") if name in remarks else ""
            cells.append(f"{shown_score(metrics.get(name)) + mark:{max(len(name), WIDTH)}}")
        setting = (config.model, config.data[-14:], value_words(config.pl), shown_weight(config))
        print(line.format(run.id, row.state, *setting, "  ".join(cells).rstrip()))
        if knobs := [
            f"{name} {value_words(query.value_of(row, name))}" for name in chosen.fields if name in row.used - COLUMNS
        ]:
            print(f"  {', '.join(knobs)}")
        show_notes(row.notes)
        if row.parent:
            parent = family.parents.get(run)
            print(f"  made from {parent.id if parent else f'{row.parent.id}, which is gone'}")
        for child in family.children.get(run, ()):
            print(f"  made into {child.id}")
    if len(rows) < len(every):
        print(f"{len(rows):,} of {len(every):,} runs")
    for words, mark in marks.items():
        print(mark.strip(), "".join(filter(str.isprintable, str(words))))  # an imported run may say anything


def show_notes(written: notes.Notes) -> None:
    """The tags of a run, and the first line of its note."""
    if written.tags:
        print(f"  tags: {', '.join(written.tags)}")
    if written.note:
        first, _, more = written.note.partition("\n")
        print(f"  note: {first}{' …' if more else ''}")


def do_tag(asked: argparse.Namespace) -> None:
    run = find_run(asked.run)
    add, remove = ([tag for text in texts for tag in notes.split_tags(text)] for texts in (asked.tags, asked.remove))
    written = notes.change_tags(run, add, remove) if add or remove else notes.read_notes(run)
    print(", ".join(written.tags) or f"{run.id} has no tags")


def do_note(asked: argparse.Namespace) -> None:
    run = find_run(asked.run)
    written = notes.read_notes(run) if asked.text is None else notes.write_note(run, asked.text)
    print(written.note or f"{run.id} has no note")


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
        runs = [transfer.import_zip(file, asked.name)] if asked.name else transfer.import_zips(file)
    print(*(run.path for run in runs), sep="\n")
