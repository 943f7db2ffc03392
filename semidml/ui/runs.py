"""The run that a page shows: which, how far, what one can do with it."""

from collections.abc import Callable

import streamlit as st

from semidml.config import RunConfig, declared_knobs
from semidml.frames import Frame
from semidml.jobs import queue
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.runs.status import Status
from semidml.ui import cache, controls, frame, knobs, links, manage
from semidml.ui.words import (
    alarm_words,
    as_code,
    change_words,
    entry_title,
    knob_title,
    reason_words,
    run_words,
    state_words,
    values_of,
)
from semidml.words import value_words

# ---- which run


def pick_run(method: str = "") -> Run | None:
    """The run that Train shows: the link's, the one just started, the one that runs now, the newest; None without any.
    Of one method's models only, if it is named."""
    every = {run.id: run for run in listing.list_runs()}
    offered = {name: run for name, run in every.items() if not method or controls.is_of(run, method)}

    def say_gone(name: str) -> None:
        if name not in every:  # else it is another page's
            st.info(f"The run {as_code(name)} is not here (any more). Here is another one.", icon=":material/delete:")

    if st.session_state.get("shown run") not in (None, *offered):
        say_gone(st.session_state.pop("shown run"))
    return _choose_run(offered, "shown run", say_gone, "run shown", lambda run: run.status().active)


def pick_explored() -> Run | None:
    """The run that Explore is about: the link's, the one chosen here, the newest with something to show; None without
    any."""

    def say_gone(name: str) -> None:
        st.warning(f"There is no run called {as_code(name)} here (any more).", icon=":material/link_off:")

    every = {run.id: run for run in listing.list_runs()}
    return _choose_run(every, "explored", say_gone, "explored run", lambda run: bool(run.frames()))


def _choose_run(
    offered: dict[str, Run], kept: str, say_gone: Callable[[str], None], key: str, prefer: Callable[[Run], bool]
) -> Run | None:
    name = links.choose_linked(
        "run",
        {name: run_words(run) for name, run in offered.items()},
        kept,
        say_gone,
        key=key,
        prefer=lambda name: prefer(offered[name]),
        label="Run",
        help="Every run of this machine's folder, newest first, then the runs that come with the project.",
    )
    return name and offered[name]


def going_on(run_id: str, frames: int) -> None:
    """Progress of a run that goes on, and a way to its newest points; what is drawn stays until it is asked for."""
    try:
        run = listing.open_run(run_id)
    except ValueError:
        st.rerun()
    status = run.status()
    if not status.active:
        st.rerun()
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.progress(status.fraction, text=state_words(run, status))
    new = len(run.frames()) - frames
    if new and button.button(f"Show {new} new epoch{'s' * (new > 1)}", key="show new", width="stretch"):
        st.session_state.pop(f"epoch {run_id}", None)
        st.rerun()


# ---- the run that is shown


def live_run(run_id: str, was_active: bool) -> tuple[Run, Status, Frame] | None:
    """What a fragment that follows a run begins with: heading and state; then (run, status, newest frame), or
    None after saying why there is nothing to draw. Reruns the page when what stands outside has to follow."""
    try:
        run = listing.open_run(run_id)
        status = run.status()
    except ValueError:
        st.rerun()
    if status.active != was_active or st.session_state.get("shown run") != run_id or manage.has_outcome():
        st.rerun()
    draw_heading(run, status)
    if status.state == "failed" and (run.damage() or not run.frames()):
        return None
    try:
        newest = cache.read_newest(run)
        run.history()  # which its scores and curves read again
    except ValueError as error:
        frame.show_error(error)
        return None
    if newest is None:
        st.info(
            "Waiting for the first points: they come before the first step of the training.",
            icon=":material/hourglass_top:",
        )
        return None
    return run, status, newest


def moved_on(run: Run, config: RunConfig | None) -> None:
    """Says so when the knobs differ from the shown run's."""
    if config is None:
        return
    try:
        trained = run.config()
    except ValueError:
        return
    changes = change_words(trained, config)
    if not changes:
        return
    words, button = st.columns([3, 1.3], vertical_alignment="center")
    words.caption(f":material/tune: The knobs have moved on since this run: {changes}.")
    button.button(
        "Back to its knobs",
        on_click=knobs.set_knobs,
        args=(values_of(trained),),
        width="stretch",
        key="back to its knobs",
    )


def draw_heading(run: Run, status: Status) -> None:
    """State, progress, and what can be done now."""
    state, actions = st.columns([2, 1.2], vertical_alignment="center")
    with state:
        draw_state(run, status)
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        if status.active:
            st.button("Stop", icon=":material/stop:", on_click=controls.stop_run, args=(run.id,), key="stop")
        elif not run.is_shipped and status.state in ("stopped", "interrupted", "failed") and not run.is_complete():
            st.button(
                "Resume",
                icon=":material/resume:",
                on_click=controls.resume_run,
                args=(run.id,),
                key="resume",
                type="primary",
            )
        if not status.active:
            with st.popover("Rerun", icon=":material/replay:", help="The same setting with one knob changed"):
                rerun_one(run)
            if not run.is_shipped:
                with st.popover("", icon=":material/delete:", help="Delete this run"):
                    st.write("Delete this run and its folder?")
                    st.button(
                        "Delete", icon=":material/delete:", on_click=controls.delete_run, args=(run.id,), key="delete"
                    )
    draw_alarms(status)


def draw_state(run: Run, status: Status) -> None:
    """How far a run is."""
    if status.active:
        st.progress(status.fraction, text=state_words(run, status))
    else:
        st.markdown(state_words(run, status))


def draw_alarms(status: Status, unsaid: str = "") -> None:
    """Why a run ended before its end, `unsaid` where it does not say, and what is wrong with its newest points."""
    if status.state in ("failed", "interrupted") and (words := reason_words(status) or unsaid):
        st.warning(words, icon=":material/warning:")
    for alarm in alarm_words(status):
        st.warning(alarm, icon=":material/notification_important:")


def rerun_one(run: Run) -> None:
    """The setting of a run with one knob changed."""
    try:
        config = run.config()
    except ValueError as error:
        frame.show_error(error)
        return
    names = [name for name in declared_knobs() if name in config.used() and name not in ("data", "device")]
    name = st.selectbox(
        "Knob to change", names, format_func=knob_title, key=f"rerun knob {run.id}", index=names.index("seed")
    )
    known, value = declared_knobs()[name], getattr(config, name)
    key = f"rerun value {run.id} {name}"
    if known.choices:
        new = st.selectbox(
            "New value",
            known.choices,
            known.choices.index(value),
            key=key,
            format_func=lambda c: entry_title(name, c),
        )
    else:
        new = st.text_input("New value", value_words(value), key=key)
    st.button(
        "Train with it", icon=":material/play_arrow:", on_click=start_changed, args=(config, name, new), key="rerun"
    )


def start_changed(config: RunConfig, name: str, value: object) -> None:
    def submit() -> None:
        changed = knobs.config_of(values_of(config) | {name: value})
        knobs.set_knobs(values_of(changed))
        controls.show_run(queue.jobs().submit(changed).id)

    manage.perform(submit)


def choose_epoch(run: Run, newest: Frame) -> Frame:
    """The frame of the epoch that the visitor chose among those kept; at first the last."""
    epochs = run.frames()
    if len(epochs) < 2:
        return newest
    epoch = st.select_slider("Epoch", epochs, epochs[-1], key=f"epoch {run.id}", help="0 is before training.")
    if epoch == epochs[-1]:
        return newest
    try:
        return cache.read_frame(run, epoch)
    except ValueError as error:
        frame.show_error(f"Here are the last points: {error}.")
    return newest


def draw_queue(shown: str) -> None:
    """Other runs that wait, and those that an app which is gone left waiting."""
    supervisor = queue.jobs()
    waiting = [run for run in supervisor.queue() if run.id != shown]
    orphans = [run for run in supervisor.orphans() if run.id != shown]
    if waiting:
        st.markdown("**Waiting for their turn**")
    for run in waiting:
        waiting_row(run, "Stop", controls.stop_run)
    if orphans:
        st.markdown("**Left waiting when the app was last closed**")
    for run in orphans:
        waiting_row(run, "Resume", controls.resume_run)


def waiting_row(run: Run, word: str, do: Callable[[str], None]) -> None:
    words, button = st.columns([3, 1], vertical_alignment="center")
    words.caption(run_words(run))
    button.button(word, key=f"{word} {run.id}", on_click=do, args=(run.id,), width="stretch")
