"""The sweep that the page shows: which, how far it is, what can be done with it."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from semidml.runs.writer import read_holder
from semidml.sweeps import attended
from semidml.sweeps import sweep as folders
from semidml.sweeps.sweep import LOCK, Sweep
from semidml.sweeps.table import Table
from semidml.ui import frame, links, manage
from semidml.ui.words import as_code, escape_markdown
from semidml.words import age_words, seconds_words

if TYPE_CHECKING:
    import pandas as pd

SECONDS_TO_STOP = 1.5
MOST_REASONS = 8
LOOK_PARTS = 4  # a look takes at most one part in so many of the time between two


def pick_sweep() -> Sweep | None:
    """The sweep that is shown: the link's, the one just started, the one that is trained now, the newest; None without
    any."""
    sweeps = {sweep.name: sweep for sweep in folders.list_sweeps()}

    def say_gone(name: str) -> None:
        words = f"There is no sweep called {as_code(name)} here (any more)."
        st.warning(f"{words} The link's plan is beside: Train makes it anew.", icon=":material/link_off:")

    name = links.choose_linked(
        "sweep",
        {name: name for name in sweeps},
        "shown sweep",
        say_gone,
        key="sweep shown",
        prefer=[lambda name: is_active(sweeps[name])],
        label="Sweep",
        help="Every sweep of this machine's folder, the one that was changed last first.",
    )
    return sweeps[name] if name else None


def is_active(sweep: Sweep) -> bool:
    """Whether it is trained now, or a process of this app is about to."""
    return bool(sweep.driver()) or attended.is_starting(sweep)


def draw_head(sweep: Sweep, table: Table, was_active: bool) -> None:
    """How far it is, and the way to stop it or to go on."""
    state, button = st.columns([3, 1], vertical_alignment="center")
    counts, whole = table.counts, len(table.frame)
    with state:
        if was_active or counts["done"] < whole:
            st.progress((counts["done"] + counts["failed"]) / whole, text=far_words(table, was_active))
        else:
            st.caption(f"{far_words(table, False)}. {about_words(sweep, table)}")
    with button:
        if was_active:
            st.button("Stop", key="stop many", icon=":material/stop:", width="stretch", on_click=stop, args=(sweep,))
        elif ((table.frame["state"] != "done") & (table.frame["cell"] != "")).any():
            act = {"on_click": go_on, "args": (sweep,), "type": "primary", "width": "stretch"}
            st.button("Go on", key="go on", icon=":material/resume:", **act)
    if not was_active and counts["done"] + counts["failed"] < whole and (words := end_words(sweep)):
        st.info(words, icon=":material/pause_circle:")
    draw_failures(table.frame)


def far_words(table: Table, is_going: bool) -> str:
    """How many runs are in which state, and how long the others take."""
    counts, whole = table.counts, len(table.frame)
    words = [f"{counts['done']:,} of {whole:,} runs are done"]
    words += [f"{counts['running']:,} training"] if counts["running"] else []
    words += [f"{counts['failed']:,} failed"] if counts["failed"] else []
    if is_going:
        left = seconds_left(table)
        words.append(
            "starting" if not counts["running"] else "" if left is None else f"about {seconds_words(left)} left"
        )
    return " · ".join(filter(None, words))


def seconds_left(table: Table) -> float | None:
    """How long the runs take that are left, as many at a time as now, each as long as those that are done took."""
    done = table.frame.loc[table.frame["state"] == "done", "seconds"].dropna()
    counts = table.counts
    left = len(table.frame) - counts["done"] - counts["failed"]
    return float(done.mean()) * left / max(1, counts["running"]) if len(done) else None


def end_words(sweep: Sweep) -> str:
    """Why it is not trained, where that can be told, for Markdown."""
    if read_holder(sweep.path / LOCK):
        return "It was being trained, and the process that did so has ended: **Go on** trains what is missing."
    said = attended.last_words(sweep)
    if said:
        return f"{escape_markdown(said[-1][:500])} **Go on** trains what is missing."
    return "**Go on** trains what is missing."


def draw_failures(frame: "pd.DataFrame") -> None:
    """Which runs failed, and why, each reason once."""
    failed = frame[frame["state"] == "failed"]
    if failed.empty:
        return
    reasons = failed["why"].replace("", "no reason was given").value_counts()
    with st.expander(f"{len(failed):,} failed", icon=":material/error:"):
        for reason, count in list(reasons.items())[:MOST_REASONS]:
            st.markdown(f"- {count:,} ×: {escape_markdown(str(reason)[:400])}")
        if len(reasons) > MOST_REASONS:
            st.caption(f"And {len(reasons) - MOST_REASONS:,} more reasons: the table has them all.")
        st.caption("**Go on** tries them once more, but for those whose setting is refused.")


# ---- acts


def stop(sweep: Sweep) -> None:
    """Asks it to stop, and waits a moment, so that the page that follows can already say so."""

    def act() -> None:
        attended.stop(sweep)
        patience = time.monotonic() + SECONDS_TO_STOP
        while is_active(sweep) and time.monotonic() < patience:
            time.sleep(0.05)

    manage.perform(act, failed=f"{as_code(sweep.name)} could not be stopped")


def go_on(sweep: Sweep) -> None:
    manage.perform(lambda: attended.start(sweep), failed=f"{as_code(sweep.name)} could not be started")


def seconds_between() -> float:
    """Seconds between two looks at what changes: so many that most of them are left for everything else, however large
    the sweep is that the last look was at."""
    return max(frame.SECONDS_LIVE, LOOK_PARTS * st.session_state.get("look took", 0.0))


def follow(
    sweep: Sweep,
    was_active: bool,
    every: float | None,
    draw: Callable[[Sweep, bool], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """The living part of the page, drawn by `draw` each `every` seconds: the whole page is drawn anew where what stands
    outside has to follow, or where looks take much longer than they did, or much shorter."""
    if not (sweep.path / folders.PLAN).exists() or is_active(sweep) != was_active or manage.has_outcome():
        st.rerun()
    began = clock()
    draw(sweep, was_active)
    st.session_state["look took"] = clock() - began
    if every is not None and not every / 4 <= seconds_between() <= 2 * every:
        st.rerun()


def about_words(sweep: Sweep, table: Table) -> str:
    """When it was made, and how long its runs trained."""
    seconds = table.frame.drop_duplicates("cell")["seconds"].sum()
    trained = f", {seconds_words(seconds)} of training" if seconds and not math.isnan(seconds) else ""
    return f"Made {age_words(sweep.plan().created)}{trained}."
