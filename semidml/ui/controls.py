"""The button Train, what stands in its way, what is to be known before; stop and resume."""

import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml.config import RunConfig
from semidml.jobs import queue
from semidml.rules import list_remarks
from semidml.runs import changes, listing
from semidml.runs.ready import check_ready
from semidml.runs.run import Run
from semidml.ui import frame, knobs, words
from semidml.ui.manage import NOT_STARTED, draw_outcome, perform, queue_run, visitor
from semidml.ui.words import as_code

SECONDS_TO_STOP = 0.8  # a run stops within a tick, which is half a second


def draw_start(config: RunConfig | None, place: DeltaGenerator) -> None:
    """Train, drawn in `place`; here what stands in its way, and what came of the last act."""
    problem = config and cannot_work(config)
    if problem:
        st.warning(words.escape_markdown(problem), icon=":material/block:")
        if config and not words.is_here(config.data):
            st.page_link(frame.DATA, label="Fetch it on the page Data", icon=":material/download:")

    place.button(
        "Train",
        type="primary",
        icon=":material/play_arrow:",
        disabled=config is None or bool(problem),
        on_click=perform,
        args=(lambda: start_run(config), "", NOT_STARTED),
        help=words.estimate_words(config) if config and not problem else None,
    )
    draw_outcome()


def draw_remarks(config: RunConfig | None) -> None:
    """How long a training takes that can be started, and what is to be known of it."""
    if config is None or cannot_work(config):
        return
    st.caption(words.estimate_words(config))
    remarks = list_remarks(config)
    if frame.is_warm():  # before, torch is not there
        from semidml.train import device

        remarks = [*remarks, *device.machine_remarks(config)]
    for remark in remarks:
        st.caption(f":material/info: {remark}")


def start_run(config: RunConfig) -> None:
    """Trains the knobs' setting, made from the run that they came from, and shows it.
    Raises: as `queue_run`."""
    run = queue_run(config, _find_parent(knobs.run_of_knobs()))
    knobs.note_run(run.id)
    show_run(run.id)
    frame.follow("picture")


def train_setting(config: RunConfig, made_from: str = "") -> None:
    """Trains a setting that another page has made, from a run if it is named, and goes to Train, which shows it with
    its knobs. Where it cannot be started the page stays and says why, and no knob has moved."""

    def start() -> None:
        run = queue_run(config, _find_parent(made_from))
        knobs.set_knobs(words.values_of(config), run.id)
        show_run(run.id)
        frame.follow("picture")
        st.session_state["to train"] = True

    perform(start, failed=NOT_STARTED)


def _find_parent(run_id: str | None) -> Run | None:
    """The run that another one is made from; None where none is named, or it was deleted since."""
    try:
        return listing.open_run(run_id) if run_id else None
    except ValueError:
        return None


def cannot_work(config: RunConfig) -> str:
    """Why this config cannot be trained here, in words; "" when nothing is known against it."""
    if not words.is_here(config.data):
        return f"{words.entry_title('data', config.data)} is not on this machine yet."
    try:
        check_ready(config)
    except ValueError as error:
        return str(error)
    return ""


def resume_run(run_id: str) -> None:
    perform(lambda: queue.jobs().resume(run_id, visitor()), failed=f"{as_code(run_id)} could not be resumed")


def stop_run(run_id: str) -> None:
    """Stops a run of this app, or one that was started elsewhere; waits a moment for it, so that the page that follows
    can already say so."""

    def stop() -> None:
        supervisor, run = queue.jobs(), listing.open_run(run_id)
        if run.path.parent == supervisor.root:
            supervisor.stop(run_id)
        else:
            changes.stop(run)
        patience = time.monotonic() + SECONDS_TO_STOP
        while run.status().active and time.monotonic() < patience:
            time.sleep(0.02)

    perform(stop, failed=f"{as_code(run_id)} could not be stopped")


def show_run(run_id: str) -> None:
    st.session_state["shown run"] = run_id
