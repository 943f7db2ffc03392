"""Words of the pages: titles, settings, states, estimates."""

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from semidml import words
from semidml.config import RunConfig, declared_knobs
from semidml.data import store
from semidml.explore import pictures, titles
from semidml.explore.titles import entry_title, knob_title, short_value
from semidml.frames import Frame
from semidml.jobs import forecast, queue
from semidml.methods import MODELS
from semidml.runs import process
from semidml.runs.run import Run
from semidml.runs.status import Status
from semidml.words import printable

MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:])")  # has a meaning there
MOST_NAMED = 3  # of the runs before one that waits


def escape_markdown(text: str) -> str:
    """Untrusted words for Markdown: no image in it comes alive, and no link but one that shows where
    it leads."""
    return text.replace("[", "\\[")


def plain_markdown(text: str) -> str:
    """A sentence with a visitor's words in it for Markdown, in which none of its signs means anything."""
    return MARKDOWN.sub(r"\\\1", text)


def as_code(text: str) -> str:
    """A visitor's text as code in Markdown, cut to a line."""
    return "`" + printable(text[:60]).replace("`", "'") + "…" * (len(text) > 60) + "`"


def values_of(config: RunConfig) -> dict[str, Any]:
    """What to choose to get this config: data, model, and what differs from what suits them."""
    return {"data": config.data, "model": config.model} | config.changed()


def change_words(before: RunConfig, after: RunConfig) -> str:
    """What changed between two settings, for Markdown: `alpha 0.02 → 0.5, seed 0 → 1`; "" when nothing that has an
    effect did."""
    names = before.used() | after.used()
    return ", ".join(
        f"{'labels seen (%)' if name == 'pl' else knob_title(name).lower()} {_told(name, before)} → "
        f"{_told(name, after)}"
        for name in declared_knobs()
        if name in names and getattr(before, name) != getattr(after, name)
    )


def _told(name: str, config: RunConfig) -> str:
    return escape_markdown(entry_title(name, short_value(getattr(config, name)))) if name in config.used() else "none"


def setting_words(config: RunConfig) -> str:
    """A config in words, for Markdown, see `titles.setting_words`."""
    return escape_markdown(titles.setting_words(config))


def is_here(name: str) -> bool:
    """Whether the data set can be loaded without a download."""
    return any(data.name == name and data.here for data in store.available())


def config_of(run: Run) -> RunConfig | None:
    """The config of a run; None where it cannot be read."""
    try:
        return run.config()
    except ValueError:
        return None


def run_words(run: Run) -> str:
    """A run in a list: setting, what else is unusual about it, when it was made, the end of its name. The same at any
    time: a select box knows its choices by their words, and would lose one whose words change."""
    if config := config_of(run):
        unusual = titles.unusual_words(config)
        name = " · ".join([setting_words(config), *([", ".join(unusual[:3])] if unusual else [])])
    else:
        name = "damaged"
    when = "shipped" if run.is_shipped else time.strftime("%-d %b, %H:%M", time.localtime(run.created()))
    return f"{name} · {when} · {run.id if len(run.id) < 20 or run.is_shipped else run.id[-4:]}"


def state_words(run: Run, status: Status) -> str:
    """Where a run stands, for the reader."""
    if status.state == "queued":
        return waiting_words(run, status)
    seconds = (status.latest or {}).get("seconds", 0)
    at = f"epoch {status.epoch} of {status.epochs}"
    if status.state == "running":
        if status.preparing:
            return f"{escape_markdown(status.preparing)} ({100 * status.prepared:.0f} %)"
        if status.epoch == status.epochs:
            return f"Scoring all images ({seconds:.0f} s of training)"
        return f"Training: {at}, {seconds:.0f} s"
    if status.state == "done":
        seconds = (run.metrics() or {}).get("seconds", seconds)
    ends = {"done": "Done", "stopped": "Stopped", "interrupted": "Interrupted", "failed": "Failed"}
    return f"**{ends[status.state]}** · {at}" + (f" · {words.seconds_words(seconds)} of training" if seconds else "")


def waiting_words(run: Run, status: Status) -> str:
    """What a run waits for, which place it has in the queue, and when it will begin."""
    supervisor = queue.jobs()
    if before := supervisor.before(run):
        waiting = sum(other.status().state == "queued" for other in before)
        place = f"number {waiting + 1}" if waiting else "next"
        begins = forecast.begin_times(before, seconds_of_alike)[-1]
        return f"Waiting for its turn, {place} in the queue: {begin_words(begins)}"
    if before is None and process.has_ended(status.owner, elsewhere=True):
        return "Left waiting when the app was last closed"
    if before is None and run != supervisor.running() and status.owner.get("pid") != os.getpid():
        return f"Waiting for its turn in another program, {process.words_for(status.owner)}"
    is_ready = supervisor.training.ready
    return "Waiting for its turn" if is_ready else "Starting the process that trains: some seconds, once"


def begin_words(seconds: float | None) -> str:
    """When a run begins that waits."""
    if seconds is None:
        return "when it begins cannot be told yet, as nothing like what goes before it was measured here"
    return f"it begins in about {words.seconds_words(seconds)}"


def before_words(before: Sequence[Run]) -> str:
    """What goes before a run that waits, for Markdown: a few by name, with how far they are."""
    named = []
    for run in before[:MOST_NAMED]:
        status = run.status()
        far = f"epoch {status.epoch} of {status.epochs}" if status.state == "running" else f"{status.epochs} epochs"
        config = config_of(run)
        named.append(f"{setting_words(config) if config else as_code(run.id)} ({far})")
    more = [f"and {len(before) - MOST_NAMED} more"] if len(before) > MOST_NAMED else []
    return f"Before it: {'; '.join([*named, *more])}."


def reason_words(status: Status) -> str:
    """Why a run is in its state, with a capital letter at the start, for Markdown."""
    return escape_markdown(status.reason[:1].upper() + status.reason[1:])


def python_of(config: RunConfig) -> str:
    """The Python that trains this config."""
    values = ", ".join(f"{name}={value!r}" for name, value in values_of(config).items())
    return (
        "from semidml.config import RunConfig\nfrom semidml.data import store\nfrom semidml.train import fit\n\n"
        f"config = RunConfig({values})\n"
        "training = fit(config, store.load(config.data))\n"
        "for tick in training:\n    print(tick.epoch, tick.terms, tick.scores)\n"
        "print(training.finish())"
    )


def short_path(path: Path) -> str:
    """A path with ~ for the home folder."""
    home = str(Path.home())
    return str(path).replace(home, "~", 1) if str(path).startswith(home) else str(path)


@st.cache_data(max_entries=64, ttl=30, show_spinner=False)
def measured_seconds(config: RunConfig) -> tuple[float, int] | None:
    """See `forecast.measure_alike`."""
    return forecast.measure_alike(config)


def seconds_of_alike(config: RunConfig) -> float | None:
    """How long a training by this config takes here, if anything like it was measured."""
    measured = measured_seconds(config)
    return measured and measured[0]


def estimate_words(config: RunConfig) -> str:
    """How long this config takes here, from this machine's finished runs; says so when nothing like it was measured."""
    measured = measured_seconds(config)
    if measured is None:
        return "How long it takes was not measured here yet."
    seconds, count = measured
    runs_words = "a finished run" if count == 1 else f"{count} finished runs"
    return f"About {words.seconds_words(seconds)} of training on this machine, going by {runs_words}."


def pixels_words(run: Run) -> str:
    """Which pixels the floors of a run are of: `raw pixels`, of large images `pixels reduced to 32 x 32`."""
    shape = (run.details().get("data") or {}).get("shape") or (1, 1, 1)
    height, width = shape[1:]
    times = pictures.times_smaller(height, width, pictures.SMALL_SIDE)
    return "raw pixels" if times == 1 else f"pixels reduced to {width // times} x {height // times}"


def frame_words(run: Run, frame: Frame, how: str) -> str:
    """What a map shows: epoch, how many points of how many, and how they came to the plane."""
    epoch, step, split = frame.epoch, frame.step, frame.rows["split"]
    when = "Before training" if epoch == 0 and step == 0 else f"Epoch {epoch} of {run.config().epochs}"
    when = f"In epoch {epoch + 1} of {run.config().epochs}, step {step}" if step else when
    train, test = int((split == 0).sum()), int((split == 1).sum())
    has_labels = MODELS[run.config().model].facts["labels"]
    seen = f" ({int(frame.rows['seen'].sum()):,} with a seen label)" if has_labels else ""
    directions = direction_words(run)
    return (
        f"{when} · {train + test:,} points: {train:,} training images{seen} and {test:,} test images, always the same"
        f"{f' · {how}' if how else ''}{f'. {directions}' if directions else ''}"
    )


def direction_words(run: Run) -> str:
    """What is to be known of a run whose loss learns from directions alone, in sentences; "" of others."""
    config = run.config()
    if not config.loss_by_direction:
        return ""
    loss = f"The loss {entry_title('loss', config.loss)} learns from directions alone: "
    if config.on_sphere:
        meaning = f"{loss}each latent is scaled to length 1, on the map and for every score."
    else:
        reads = "decoder" if MODELS[config.model].facts["decoder"] else "prior"
        meaning = f"{loss}scores and neighbours are of directions; the map shows lengths too, which the {reads} reads."
    made_by = str((run.details().get("versions") or {}).get("semidml", ""))
    if not made_by.startswith("0.1."):
        return meaning
    kept = f"The scores kept with this run were made by version {as_code(made_by)}, of latents with their lengths."
    return f"{meaning} {kept}"
