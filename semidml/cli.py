"""The command line: python -m semidml train | evaluate | fit-prior | runs | data. Same names, bounds and errors as the
pages."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from semidml import __version__
from semidml.config import FAMILIES, RunConfig, allowed, declared_knobs
from semidml.data import store
from semidml.data.store import Available
from semidml.disk import files
from semidml.execute import cores, execute, score_run
from semidml.explore import prior
from semidml.registry import Entry
from semidml.rules import list_remarks
from semidml.runs import changes, listing, transfer
from semidml.runs.run import Run
from semidml.scores.table import GROUPS, RAW, SCATTER, SCORES, shown_at
from semidml.words import value_words

PLURALS = {  # of the families, as the reference heads their tables
    "model": "Models",
    "prior": "Priors",
    "loss": "Losses",
    "encoder": "Encoders",
    "schedule": "Schedules",
    "variant": "Variants of CBSwR",
    "formulas": "Formulas of CBSwR",
    "data": "Data sets",
}
REFERENCE = """# Reference

What can be chosen, turned and scored, as `python -m semidml knobs` prints it out of the tables in the code. Names are
the same on the command line, on the pages, in links and in `config.json`. How to read the scores is told in
[the README](../README.md#reading-the-scores)."""
WIDTH = len("-0.1234 [10]")  # of a column of scores


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command; what was asked for wrongly is said in one line on stderr, with exit status 2."""
    asked = parser().parse_args(words)
    try:
        return asked.do(asked)
    except (ValueError, OSError) as error:
        print(f"semidml: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("semidml: stopped", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole command line; the options of `train` are the knobs of RunConfig."""
    top = argparse.ArgumentParser(prog="python -m semidml", description="Latent spaces from a few labels.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a run and print its scores")
    for knob in declared_knobs().values():
        about = f"{knob.help} ({allowed(knob)}; default {value_words(knob.default)})".replace("%", "%%")
        train.add_argument(f"--{knob.name.replace('_', '-')}", help=about, metavar=knob.name.upper())
    train.add_argument("--out", type=Path, help="folder of the run (default: a new one among the runs)")
    train.add_argument("--full", action="store_true", help="also score a random forest and an MLP classifier")
    train.set_defaults(do=do_train)

    score = commands.add_parser("evaluate", help="score a finished run anew from its weights, and print metrics.json")
    score.add_argument("run", help="id or folder of a run")
    score.add_argument("--full", action="store_true", help="also a random forest and an MLP classifier")
    score.set_defaults(do=do_evaluate)

    fitted = commands.add_parser(
        "fit-prior",
        help="fit a mixture to a finished run's latents, and print the command that trains with it as prior",
    )
    fitted.add_argument("run", help="id or folder of a run")
    fitted.add_argument("--components", type=int, help="of the mixture (default: as many as classes)")
    fitted.add_argument("--seed", type=int, default=0, help="of the fit's starts (default 0)")
    fitted.set_defaults(do=do_fit_prior)

    listed = commands.add_parser("runs", help="a table of runs; also stop, resume, rename, delete, export, import")
    listed.set_defaults(do=do_list)
    acts = listed.add_subparsers(metavar="ACT")
    for name, do, about, further in (
        ("stop", do_stop, "stop a running run within a tick", ()),
        ("resume", do_resume, "go on with a stopped, interrupted or failed run", ()),
        ("rename", do_rename, "give a run another id", ("new",)),
        ("delete", do_delete, "delete a run's folder", ()),
        ("export", do_export, "write a run as a zip", ("zip",)),
    ):
        act = acts.add_parser(name, help=about)
        act.add_argument("run", help="id or folder of a run")
        for word in further:
            act.add_argument(word)
        act.set_defaults(do=do)
    bring = acts.add_parser("import", help="take in a run from a zip")
    bring.add_argument("zip", type=Path)
    bring.add_argument("--name", help="id to give it")
    bring.set_defaults(do=do_import)

    data = commands.add_parser("data", help="a table of data sets; also fetch")
    data.set_defaults(do=do_data)
    fetch = data.add_subparsers(metavar="ACT").add_parser("fetch", help="download a data set into the data folder")
    fetch.add_argument("name")
    fetch.set_defaults(do=do_fetch)
    told = commands.add_parser("knobs", help="tables of models, losses, data sets, knobs and scores, in Markdown")
    told.set_defaults(do=do_knobs)
    return top


def do_train(asked: argparse.Namespace) -> int:
    from semidml.train.device import machine_remarks

    config = RunConfig.of({name: value for name in declared_knobs() if (value := getattr(asked, name)) is not None})
    without_effect = [
        name for name in declared_knobs() if getattr(asked, name) is not None and name not in config.used()
    ]
    if without_effect:
        print(f"note: without effect here: {', '.join(without_effect)}", file=sys.stderr)
    for remark in [*list_remarks(config), *machine_remarks(config)]:
        print(f"note: {remark}", file=sys.stderr)
    run = listing.create_run(config, path=asked.out, paths=True)
    return train(run, asked.full)


def train(run: Run, full: bool = False) -> int:
    """Trains or resumes a run in this process, with a progress bar; its status is the exit status."""
    from tqdm import tqdm

    began, bar = time.perf_counter(), None
    print(f"{run.config().command()}\nrun folder: {run.path}", file=sys.stderr)
    for record in execute(run, threads=max(1, cores() - 1), full=full):
        if bar is None:
            bar = tqdm(total=run.config().epochs * record.steps, unit="step", file=sys.stderr, dynamic_ncols=True)
        bar.update(record.epoch * record.steps + record.step - bar.n)
        bar.set_postfix_str(" ".join(f"{name} {value:.3g}" for name, value in record.terms.items()), refresh=False)
        for alarm in record.alarms:
            bar.write(f"epoch {record.epoch}: {alarm}", file=sys.stderr)
    if bar is not None:
        bar.close()
    status = run.status()
    if status.state != "done":
        print(f"semidml: {status.state}: {status.reason}", file=sys.stderr)
        return 1
    show_scores(run.metrics())
    print(f"{status.state} in {time.perf_counter() - began:.1f} s, of which training {run.metrics()['seconds']:.1f} s")
    return 0


def do_evaluate(asked: argparse.Namespace) -> int:
    from tqdm import tqdm

    with tqdm(total=100, unit="%", file=sys.stderr, disable=not asked.full) as bar:

        def progress(share: float, what: str) -> None:
            bar.set_description_str(what)
            bar.update(round(100 * share) - bar.n)

        metrics = score_run(find(asked.run), asked.full, progress)
    print(json.dumps(metrics, indent=2, allow_nan=False))
    return 0


def do_fit_prior(asked: argparse.Namespace) -> int:
    found = prior.fit_prior(find(asked.run), asked.components, asked.seed)
    print(f"fitted to {found.rows}, without their labels", file=sys.stderr)
    print(found.config.command())
    return 0


def do_list(asked: argparse.Namespace) -> int:
    row, names = "{:32} {:12} {:10} {:14} {:>8} {:>11}  {}", shown_at("runs")
    titles = "  ".join(f"{name:{WIDTH}}" for name in names).rstrip()
    print(row.format("id", "state", "model", "data", "pl", "weight", titles))
    marks: dict[str, str] = {}  # of what is to be said of a score
    for run in listing.list_runs():
        status = run.status()
        try:
            config, metrics = run.config(), run.metrics() or {}
        except ValueError as error:
            print(row.format(run.id, status.state, "", "", "", "", str(error)))
            continue
        said = metrics.get("notes", {}) | metrics.get("failed", {})
        cells = [
            shown_score(metrics.get(name))
            + (marks.setdefault(said[name], f" [{len(marks) + 1}]") if name in said else "")
            for name in names
        ]
        scores = "  ".join(f"{cell:{max(len(name), WIDTH)}}" for name, cell in zip(names, cells, strict=True)).rstrip()
        print(
            row.format(
                run.id,
                status.state,
                config.model,
                config.data[-14:],
                value_words(config.pl),
                shown_weight(config),
                scores,
            )
        )
    for words, mark in marks.items():
        print(mark.strip(), "".join(filter(str.isprintable, str(words))))  # an imported run may say anything
    return 0


def do_stop(asked: argparse.Namespace) -> int:
    changes.stop(find(asked.run))
    return 0


def do_resume(asked: argparse.Namespace) -> int:
    return train(find(asked.run))


def do_rename(asked: argparse.Namespace) -> int:
    print(changes.rename(find(asked.run), asked.new).path)
    return 0


def do_delete(asked: argparse.Namespace) -> int:
    changes.delete(find(asked.run))
    return 0


def do_export(asked: argparse.Namespace) -> int:
    run = find(asked.run)
    files.replace_file(Path(asked.zip), lambda file: transfer.export_zip(run, file))
    print(asked.zip)
    return 0


def do_import(asked: argparse.Namespace) -> int:
    with open(asked.zip, "rb") as file:
        print(transfer.import_zip(file, asked.name).path)
    return 0


def do_data(asked: argparse.Namespace) -> int:
    print(f"data folder: {store.data_folder()}")
    row = "{:16} {:24} {:>10}  {}"
    print(row.format("name", "title", "MB", "here"))
    for there in store.available():
        print(row.format(there.name, there.title[:24], f"{there.megabytes:g}", here(there)))
    return 0


def here(there: Available) -> str:
    """Whether a data set can be loaded, and what to do if not."""
    if there.here:
        return "yes"
    if there.problem:
        return f"no: {there.problem}"
    if there.facts.get("by_hand"):
        return f"no: put {', '.join((*there.facts['files'], *there.facts['folders']))} there, from a copy that you find"
    return f"no: python -m semidml data fetch {there.name}"


def do_fetch(asked: argparse.Namespace) -> int:
    from tqdm import tqdm

    with tqdm(total=100, unit="%", file=sys.stderr) as bar:

        def progress(share: float, what: str) -> None:
            bar.set_description_str(what)
            bar.update(round(100 * share) - bar.n)

        data = store.load(asked.name, download=True, progress=progress)
    print(f"{data.title}: {len(data.train.labels):,} training and {len(data.test.labels):,} test images")
    return 0


def do_knobs(asked: argparse.Namespace) -> int:
    print(tables())
    return 0


def tables() -> str:
    """What can be chosen, turned and scored, as Markdown: semidml/REFERENCE.md, whole."""
    parts = [REFERENCE]
    for family, plural in PLURALS.items():
        rows = [(f"`{e.name}`", e.title, e.summary, e.paper, file_of(e)) for e in FAMILIES[family].values()]
        table = markdown(("name", "what", "in words", "source", "file"), rows)
        parts.append(f"## {plural}\n\n`--{family}`\n\n{table}")
    rows = [
        (
            f"`--{k.name.replace('_', '-')}`",
            k.help,
            value_words(k.default),
            "see above" if k.name in FAMILIES else allowed(k),
        )
        for k in declared_knobs().values()
    ]
    parts.append("## Knobs\n\n" + markdown(("option", "what", "default", "allowed"), rows))
    its = [score for score in SCORES.values() if not score.name.endswith(RAW)]
    rows = [(f"`{s.name}`", s.title, s.summary, s.unit, s.better, GROUPS[s.group].title.lower()) for s in its]
    head = ("in metrics.json", "what", "of which rows, and its range", "unit", "better", "group")
    parts.append("## Scores\n\n" + markdown(head, rows))
    raw = f"A name with `{RAW}` after it is the same score of the latents as they are, however long"
    parts.append(f"{raw}, where the loss trains directions and the score without it is of those.")
    return "\n\n".join(parts)


def file_of(entry: Entry) -> str:
    """The file of an entry's code, as Markdown; nothing where it has none."""
    return f"`{entry.target.partition(':')[0].replace('.', '/')}.py`" if entry.target else ""


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; a bar within a cell is no border."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def find(name: str) -> Run:
    """A run by its id or, if the folder is one of a run, by its folder. Raises ValueError when there is none: a folder
    without the files of a run is never taken for one, because runs can be deleted and renamed."""
    folder = Path(name)
    if folder.is_dir() and not folder.is_symlink() and (folder / "config.json").is_file():
        return Run(folder)
    return listing.open_run(name)


def show_scores(metrics: dict) -> None:
    """Every score with its title and, where it is known, its scatter; what failed with its reason, others with their
    remarks."""
    words = metrics.get("notes", {}) | metrics.get("failed", {})
    for name, score in SCORES.items():
        if name in metrics and not score.is_scatter:
            scatter = metrics.get(f"{name}{SCATTER}")
            value = shown_score(metrics[name]) + ("" if scatter is None else f" ± {shown_score(scatter)}")
            print(f"{score.title:52} {value} {words.get(name, '')}".rstrip())


def shown_weight(config: RunConfig) -> str:
    """What the schedule weighs the two losses with, `alpha 0.02`; a dash where there is only one loss."""
    weighed = set(config.entries()["schedule"].knobs) & config.used()
    return ", ".join(f"{name} {value_words(getattr(config, name))}" for name in weighed) or "-"


def shown_score(value: float | None) -> str:
    """A score with four digits; what could not be computed as a dash."""
    return "-" if value is None else f"{value:.4f}"
