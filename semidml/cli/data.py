"""Data sets: a table of them, fetch one, say what the data at a path are understood to be."""

import argparse
import json
from typing import Any

from semidml.cli.command import add_command, percent_bar
from semidml.data import store
from semidml.data.store import Available


def add_commands(commands: Any) -> None:
    acts = add_command(commands, "data", do_data, "a table of data sets; also fetch").add_subparsers(metavar="ACT")
    add_command(acts, "fetch", do_fetch, "download a data set into the data folder", "name")
    about = "say what the data at a path are understood to be; choose otherwise; keep the choices"
    look = add_command(acts, "look", do_look, about, "path")
    look.add_argument("choice", nargs="*", help="level=2, label=any, no_label=255, 'folder:extra=left out', ...")
    look.add_argument("--json", action="store_true", help="as JSON")
    look.add_argument("--keep", action="store_true", help="keep these choices: `train --data PATH` then reads so")
    look.add_argument("--forget", action="store_true", help="begin without the choices that are kept")


def do_data(asked: argparse.Namespace) -> None:
    print(f"data folder: {store.data_folder()}")
    row = "{:16} {:24} {:>10}  {}"
    print(row.format("name", "title", "MB", "here"))
    for dataset in store.available():
        print(row.format(dataset.name, dataset.title[:24], f"{dataset.megabytes:g}", tell_presence(dataset)))


def tell_presence(dataset: Available) -> str:
    """Whether a data set can be loaded, and what to do if not."""
    if dataset.here:
        return "yes"
    if dataset.problem:
        return f"no: {dataset.problem}"
    if (facts := dataset.facts).get("by_hand"):
        return f"no: put {', '.join((*facts['files'], *facts['folders']))} there, from a copy that you find"
    return f"no: python -m semidml data fetch {dataset.name}"


def do_fetch(asked: argparse.Namespace) -> None:
    with percent_bar() as progress:
        data = store.load(asked.name, download=True, progress=progress)
    print(f"{data.title}: {len(data.train.labels):,} training and {len(data.test.labels):,} test images")


def do_look(asked: argparse.Namespace) -> None:
    from semidml.data.choices import Choices, file_for, keep_choices
    from semidml.data.look import look

    folder = store.data_folder()
    place = store.find_place(asked.path, folder)
    choices = (Choices() if asked.forget else place.choices(folder)).with_words(asked.choice)
    with percent_bar() as progress:
        known = look(asked.path, choices, folder, pictures=False, progress=progress)
    if asked.keep:
        keep_choices(file_for(folder, place.path), choices)
    print(json.dumps(known.as_json(), indent=1) if asked.json else "\n".join(known.sentences()))
