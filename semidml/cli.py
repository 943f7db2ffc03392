"""The command line: python -m semidml train | evaluate | fit-prior | runs | data. Same names, bounds and errors as the
pages."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from semidml import __version__
from semidml.config import FAMILIES, RunConfig, allowed, declared_knobs
from semidml.data import store
from semidml.data.labels import describe_step
from semidml.data.store import Available
from semidml.disk import files
from semidml.execute import cores, execute, score_run
from semidml.explore import prior
from semidml.rules import list_remarks
from semidml.runs import changes, listing, transfer
from semidml.runs.run import Run
from semidml.scores.meaning import list_left_out
from semidml.scores.table import GROUPS, RAW, SCATTER, SCORES, shown_at
from semidml.words import trouble_words, value_words

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
[the README](../README.md#reading-the-scores).

## Images without a label

A label of -1, NaN or an empty text says that an image has none, and so does its place beside class folders. To remove
labels is the same as to hide them: a training on what is left has the same weights as one whose `--pl` sees just those.

- **Training.** An epoch is a pass over all training images. Reconstruction, prior and CBSwR learn from those without a
  label as from all others; the metric loss never sees them, and `--labelled-per-class` counts images with a seen label.
- **Labels seen.** `--pl` is a percentage of the labels that the training split has: 60 of 600 labels, 50,000 images
  without. They are drawn as if the other images were not there.
- **Splits.** What is held out, for testing where there is no test split and for `--evaluate-on validation`, is held out
  of the images with a label, evenly of the classes; the others stay in training. Where no class has two images it is a
  share of those without a label. `--split classes` leaves them out: they may be of a test class.
- **Scores.** Classifiers are fitted on images with a label. k-means, recall, MAP@R, and how clusters and components
  agree with classes, are of test images with a label, among one another; spread, rank, reconstruction, KL and
  entropies are of all. Where no test image has a label the former are absent, and `failed` in `metrics.json` says why.
- **Maps and tables.** An image without a label has a grey of its own and perhaps a prediction, and is neither right nor
  wrong. In a downloaded table its class is empty, in arrays -1.
- **Without two classes** what learns from labels is refused, with what can be trained instead."""
WIDTH = len("-0.1234 [10]")  # of a column of scores


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command; what was asked for wrongly is said in one line on stderr, with exit status 2."""
    asked = parser().parse_args(words)
    try:
        return asked.do(asked) or 0
    except (ValueError, OSError) as error:
        words = trouble_words(error) if isinstance(error, OSError) else error
        print(f"semidml: {words}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("semidml: stopped", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole command line; the options of `train` are the knobs of RunConfig."""
    top = argparse.ArgumentParser(prog="python -m semidml", description="Latent spaces from a few labels.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    training = add_command(commands, "train", do_train, "train a run and print its scores")
    for knob in declared_knobs().values():
        about = f"{knob.help} ({allowed(knob)}; default {value_words(knob.default)})".replace("%", "%%")
        training.add_argument(f"--{knob.name.replace('_', '-')}", help=about, metavar=knob.name.upper())
    training.add_argument("--out", type=Path, help="folder of the run (default: a new one among the runs)")
    training.add_argument("--full", action="store_true", help="also score a random forest and an MLP classifier")

    about = "score a finished run anew from its weights, and print metrics.json"
    scoring = add_command(commands, "evaluate", do_evaluate, about, "run")
    scoring.add_argument("--full", action="store_true", help="also a random forest and an MLP classifier")

    about = "fit a mixture to a finished run's latents, and print the command that trains with it as prior"
    fitting = add_command(commands, "fit-prior", do_fit_prior, about, "run")
    fitting.add_argument("--components", type=int, help="of the mixture (default: as many as classes)")
    fitting.add_argument("--seed", type=int, default=0, help="of the fit's starts (default 0)")

    about = "a table of runs; also stop, resume, rename, delete, export, import"
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

    acts = add_command(commands, "data", do_data, "a table of data sets; also fetch").add_subparsers(metavar="ACT")
    add_command(acts, "fetch", do_fetch, "download a data set into the data folder", "name")
    about = "say what the data at a path are understood to be; choose otherwise; keep the choices"
    look = add_command(acts, "look", do_look, about, "path")
    look.add_argument("choice", nargs="*", help="level=2, label=any, no_label=255, 'folder:extra=left out', ...")
    look.add_argument("--json", action="store_true", help="as JSON")
    look.add_argument("--keep", action="store_true", help="keep these choices: `train --data PATH` then reads so")
    look.add_argument("--forget", action="store_true", help="begin without the choices that are kept")
    about = "tables of models, losses, data sets, knobs and scores, in Markdown"
    add_command(commands, "knobs", lambda asked: print(tables()), about)
    return top


def add_command(commands: Any, name: str, do: Callable[..., int | None], about: str, *words: str) -> Any:
    """A command, what it does (None is exit status 0) and the words that it takes: a run by `run`, others as named."""
    command = commands.add_parser(name, help=about)
    command.set_defaults(do=do)
    for word in words:
        command.add_argument(word, help="id or folder of a run" if word == "run" else None)
    return command


def do_train(asked: argparse.Namespace) -> int:
    from semidml.train.device import machine_remarks

    given = {name: value for name in declared_knobs() if (value := getattr(asked, name)) is not None}
    config = RunConfig.of(given)
    config = RunConfig.of(given | {"data": store.settle_name(config.data)})  # a path that is found from any folder
    with percent_bar() as progress:
        store.facts(config.data, allow_paths=True, progress=progress)
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


@contextmanager
def heeded_signals() -> Iterator[list[int]]:
    """The signals to end that came within the block, where they are told instead of ending the process: Ctrl-C,
    SIGTERM, a closed terminal. A second Ctrl-C raises KeyboardInterrupt: what goes on may take long to hear of it."""
    signals: list[int] = []

    def tell(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        if len(signals) > 1 and number == signal.SIGINT:
            raise KeyboardInterrupt

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]  # as under nohup
    before = {number: signal.signal(number, tell) for number in heeded}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def percent_bar() -> Iterator[Callable[[float, str], None]]:
    """A progress bar on stderr, from the first word on, which goes at the end. What it gives is called with the share
    that is done, 0 to 1, and what is done now."""
    with ExitStack() as opened:
        bars: list[tqdm] = []

        def progress(share: float, what: str) -> None:
            if not bars:
                bars.append(opened.enter_context(tqdm(total=100, unit="%", file=sys.stderr, leave=False)))
            bars[0].set_description_str(what, refresh=False)
            bars[0].n = round(100 * share)
            bars[0].refresh()

        yield progress


def do_evaluate(asked: argparse.Namespace) -> None:
    with percent_bar() as progress:
        metrics = score_run(find_run(asked.run), asked.full, progress)
    print(json.dumps(metrics, indent=2, allow_nan=False))


def do_fit_prior(asked: argparse.Namespace) -> None:
    fitted = prior.fit_prior(find_run(asked.run), asked.components, asked.seed)
    print(f"fitted to {fitted.rows}, without their labels", file=sys.stderr)
    print(fitted.config.command())


def do_list(asked: argparse.Namespace) -> None:
    row, names = "{:32} {:12} {:10} {:14} {:>8} {:>11}  {}", shown_at("runs")
    titles = "  ".join(f"{name:{WIDTH}}" for name in names).rstrip()
    print(row.format("id", "state", "model", "data", "pl", "weight", titles))
    marks: dict[str, str] = {}  # of what is to be said of a score
    for run in listing.list_runs():
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


def tables() -> str:
    """What can be chosen, turned and scored, as Markdown: semidml/REFERENCE.md, whole."""
    parts = [REFERENCE]
    for family, plural in PLURALS.items():
        rows = []
        for entry in FAMILIES[family].values():
            file = f"`{entry.target.partition(':')[0].replace('.', '/')}.py`" if entry.target else ""
            rows.append((f"`{entry.name}`", entry.title, entry.summary, entry.paper, file))
        table = markdown(("name", "what", "in words", "source", "file"), rows)
        parts.append(f"## {plural}\n\n`--{family}`\n\n{table}")
    rows = []
    for name, knob in declared_knobs().items():
        bounds = "see above" if name in FAMILIES else allowed(knob)
        rows.append((f"`--{name.replace('_', '-')}`", knob.help, value_words(knob.default), bounds))
    parts.append("## Knobs\n\n" + markdown(("option", "what", "default", "allowed"), rows))
    scores = [score for score in SCORES.values() if not score.name.endswith(RAW)]
    rows = [(f"`{s.name}`", s.title, s.summary, s.unit, s.better, GROUPS[s.group].title.lower()) for s in scores]
    head = ("in metrics.json", "what", "of which rows, and its range", "unit", "better", "group")
    parts.append("## Scores\n\n" + markdown(head, rows))
    raw = f"A name with `{RAW}` after it is the same score of the latents as they are, however long"
    parts.append(f"{raw}, where the loss trains directions and the score without it is of those.")
    return "\n\n".join(parts)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; a bar within a cell is no border."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def find_run(name: str) -> Run:
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
    print(*list_left_out(metrics), sep="\n", end="\n" * bool(list_left_out(metrics)))


def shown_weight(config: RunConfig) -> str:
    """What the schedule weighs the two losses with, `alpha 0.02`; a dash where there is only one loss."""
    weighed = set(config.entries()["schedule"].knobs) & config.used()
    return ", ".join(f"{name} {value_words(getattr(config, name))}" for name in weighed) or "-"


def shown_score(value: float | None) -> str:
    """A score with four digits; what could not be computed as a dash."""
    return "-" if value is None else f"{value:.4f}"
