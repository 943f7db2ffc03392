"""The button Train and what stands in its way; stop and resume."""

import time

import streamlit as st

from semidml.config import RunConfig
from semidml.data import labels, store
from semidml.data.splits import seen_labels
from semidml.jobs import queue
from semidml.rules import explain_no_labels, explain_too_few, list_remarks
from semidml.runs import changes, listing
from semidml.ui import frame, words
from semidml.ui.manage import NOT_STARTED, draw_outcome, perform, queue_run, visitor
from semidml.ui.words import as_code

SECONDS_TO_STOP = 0.8  # a run stops within a tick, which is half a second


def draw_start(config: RunConfig | None) -> None:
    """Train, with what it will take; or what stands in its way."""
    problem = config and cannot_work(config)
    if problem:
        st.warning(words.escape_markdown(problem), icon=":material/block:")
        if config and not words.is_here(config.data):
            st.page_link(frame.DATA, label="Fetch it on the page Data", icon=":material/download:")
    st.button(
        "Train",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=config is None or bool(problem),
        on_click=perform,
        args=(lambda: show_run(queue_run(config).id), "", NOT_STARTED),
    )
    if config and not problem:
        st.caption(words.estimate_words(config))
        remarks = list_remarks(config)
        if frame.is_warm():  # before, torch is not there
            from semidml.train import device

            remarks = [*remarks, *device.machine_remarks(config)]
        for remark in remarks:
            st.caption(f":material/info: {remark}")
    draw_outcome()


def cannot_work(config: RunConfig) -> str:
    """Why this config cannot be trained here, in words; "" when nothing is known against it."""
    try:
        if not words.is_here(config.data):
            return f"{words.entry_title('data', config.data)} is not on this machine yet."
        of = store.training(config.data, config.split, config.evaluate_on)
    except ValueError as error:
        return str(error)
    problem = explain_too_few(config, of.rows) or explain_no_labels(config, of.labelled, of.classes)
    problem = problem or labels.problem(
        config.pl,
        of.official,
        config.label_sampling,
        of.classes,
        needs_pairs=config.needs_pairs,
        views=config.augment == "on",
        rows=of.labelled,
    )
    if not problem and config.uses_labels and config.augment == "on":  # views fill the block of each class that is seen
        seen = min(seen_labels(config.pl, of.official), of.labelled)
        if config.label_sampling == "balanced" or seen == of.labelled:
            each = config.labelled_per_class
            problem = labels.too_large([each] * min(of.classes, seen), each)
    if problem and config.split == "classes":
        classes = "1 class" if of.classes == 1 else f"{of.classes:,} classes"
        return f"Split by classes, the training has {of.rows:,} images of {classes}: {problem}"
    return problem


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
