"""What every page that trains has: the button and what stands in its way, the run that is shown, its state, stop,
resume, rerun, delete, the queue."""

import time
from collections.abc import Callable

import streamlit as st

from semidml import jobs, runs, ui
from semidml.config import RunConfig, knobs, seen_labels
from semidml.data import labels, store
from semidml.methods import method_of

SECONDS_TO_STOP = 0.8  # a run stops within a tick, which is half a second


def start_button(config: RunConfig | None) -> None:
    """Train, with what it will take; or what stands in its way."""
    problem = config and cannot_work(config)
    if problem:
        st.warning(ui.inert(problem), icon=":material/block:")
        if config and not ui.is_here(config.data):
            st.page_link(ui.DATA, label="Fetch it on the page Data", icon=":material/download:")
    st.button(
        "Train",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=config is None or bool(problem),
        on_click=start,
        args=(config,),
    )
    if config and not problem:
        st.caption(ui.estimate(config))
        for remark in [*config.remarks(), *machine_remarks(config)]:
            st.caption(f":material/info: {remark}")
    if error := st.session_state.pop("train error", None):
        ui.trouble(error)


def machine_remarks(config: RunConfig) -> list[str]:
    """See `train.machine_remarks`; nothing before torch is there."""
    if not ui.is_warm():
        return []
    from semidml import train

    return train.machine_remarks(config)


def cannot_work(config: RunConfig) -> str:
    """Why this config cannot be trained here, in words; "" when nothing is known against it."""
    try:
        if not ui.is_here(config.data):
            return f"{ui.entry_title('data', config.data)} is not on this machine yet."
        of = store.training(config.data, config.split, config.evaluate_on)
    except ValueError as error:
        return str(error)
    problem = config.too_few(of.rows) or labels.problem(
        config.pl,
        of.official,
        config.label_sampling,
        of.classes,
        needs_pairs=config.needs_pairs,
        views=config.augment == "on",
        rows=of.rows,
    )
    if not problem and config.uses_labels and config.augment == "on":  # views fill the block of each class that is seen
        seen = min(seen_labels(config.pl, of.official), of.rows)
        if config.label_sampling == "balanced" or seen == of.rows:
            each = config.labelled_per_class
            problem = labels.too_large([each] * min(of.classes, seen), each)
    if problem and config.split == "classes":
        classes = "1 class" if of.classes == 1 else f"{of.classes:,} classes"
        return f"Split by classes, the training has {of.rows:,} images of {classes}: {problem}"
    return problem


def start(config: RunConfig) -> None:
    act(lambda: show(jobs.jobs().submit(config).id))


def resume(run_id: str) -> None:
    act(lambda: jobs.jobs().resume(run_id))


def stop(run_id: str) -> None:
    act(lambda: stop_wherever(run_id))


def stop_wherever(run_id: str) -> None:
    """Stops a run of this app, or one that was started elsewhere; waits a moment for it, so that the page that follows
    can already say so."""
    supervisor = jobs.jobs()
    run = runs.get(run_id)
    if run.path.parent == supervisor.root:
        supervisor.stop(run_id)
    else:
        run.stop()
    patience = time.monotonic() + SECONDS_TO_STOP
    while run.status().active and time.monotonic() < patience:
        time.sleep(0.02)


def delete(run_id: str) -> None:
    act(lambda: runs.get(run_id).delete())
    ui.forget_runs()


def act(what: Callable[[], object]) -> None:
    """Does it; an error is kept for the page to say."""
    try:
        what()
    except (ValueError, OSError) as error:
        st.session_state["train error"] = str(error)


def show(run_id: str) -> None:
    st.session_state["shown run"] = run_id


# ---- the run that is shown


def pick_run(method: str = "") -> runs.Run | None:
    """The run that is shown: the link's, the one just started, the one that runs now, the newest; None without any. Of
    one method's models only, if it is named."""
    there = {run.id: run for run in runs.list_runs() if not method or is_of(run, method)}
    asked = st.query_params.get("run")
    if asked and ui.is_news("run", asked):
        ui.wrote("run", asked)
        show(asked)
    wanted = st.session_state.get("shown run")
    if wanted and wanted not in there and method and wanted in {run.id for run in runs.list_runs()}:
        wanted = None  # another page's
    if wanted and wanted not in there:
        st.info(f"The run {ui.plain(wanted)} is not here (any more). Here is another one.", icon=":material/delete:")
        st.session_state.pop("shown run")
        wanted = None
    if not there:
        return None
    if not wanted:
        active = [run for run in there.values() if run.status().active]
        wanted = (active or list(there.values()))[0].id
    st.session_state["run shown"] = wanted
    chosen = st.selectbox(
        "Run",
        list(there),
        format_func=lambda run_id: ui.run_words(there[run_id]),
        key="run shown",
        on_change=lambda: show(st.session_state["run shown"]),
        help="Every run of this machine's folder, newest first, then the runs that come with the project.",
    )
    ui.wrote("run", chosen)
    show(chosen)
    st.query_params["run"] = chosen
    return there[chosen]


def its_config(run: runs.Run) -> RunConfig | None:
    """The config of a run; None where it cannot be read."""
    try:
        return run.config()
    except ValueError:
        return None


def is_of(run: runs.Run, method: str) -> bool:
    """Whether a run is of a model of this method."""
    config = its_config(run)
    return config is not None and method_of(config.model).name == method


def live_run(run_id: str, was_active: bool) -> tuple[runs.Run, runs.Status, dict, dict] | None:
    """What a fragment that follows a run begins with: heading and state; then (run, status, newest frame, rows), or
    None after saying why there is nothing to draw. Reruns the page when what stands outside has to follow."""
    state = st.session_state
    try:
        run = runs.get(run_id)
        status = run.status()
    except ValueError:
        st.rerun()
    if status.active != was_active or state.get("shown run") != run_id or "train error" in state:
        st.rerun()
    heading(run, status)
    if status.state == "failed" and (run.damage() or not run.frames()):
        return None
    try:
        live = ui.look(run)
        run.history()  # which its scores and curves read again
    except ValueError as error:
        ui.trouble(error)
        return None
    if live is None:
        st.info(
            "Waiting for the first points: they come before the first step of the training.",
            icon=":material/hourglass_top:",
        )
        return None
    return run, status, *live


def moved_on(run: runs.Run, config: RunConfig | None) -> None:
    """Says so when the knobs differ from the shown run's."""
    if config is None:
        return
    try:
        its = run.config()
    except ValueError:
        return
    changes = ui.changes(its, config)
    if not changes:
        return
    words, button = st.columns([3, 1.3], vertical_alignment="center")
    words.caption(f":material/tune: The knobs have moved on since this run: {changes}.")
    button.button(
        "Back to its knobs", on_click=ui.set_knobs, args=(ui.values_of(its),), width="stretch", key="back to its knobs"
    )


def heading(run: runs.Run, status: runs.Status) -> None:
    """State, progress, and what can be done now."""
    state, actions = st.columns([2, 1.2], vertical_alignment="center")
    with state:
        if status.active:
            text = ui.state_words(run, status)
            st.progress(status.fraction, text=text)
        else:
            st.markdown(ui.state_words(run, status))
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        if status.active:
            st.button("Stop", icon=":material/stop:", on_click=stop, args=(run.id,), key="stop")
        elif not run.is_shipped and status.state in ("stopped", "interrupted", "failed") and not run.is_complete():
            st.button("Resume", icon=":material/resume:", on_click=resume, args=(run.id,), key="resume", type="primary")
        if not status.active:
            with st.popover("Rerun", icon=":material/replay:", help="The same setting with one knob changed"):
                rerun_one(run)
            if not run.is_shipped:
                with st.popover("", icon=":material/delete:", help="Delete this run"):
                    st.write("Delete this run and its folder?")
                    st.button("Delete", icon=":material/delete:", on_click=delete, args=(run.id,), key="delete")
    if status.reason and status.state in ("failed", "interrupted"):
        st.warning(ui.reason(status), icon=":material/warning:")
    for alarm in ui.alarms(status):
        st.warning(alarm, icon=":material/notification_important:")


def rerun_one(run: runs.Run) -> None:
    """The setting of a run with one knob changed."""
    try:
        config = run.config()
    except ValueError as error:
        ui.trouble(error)
        return
    names = [name for name in knobs() if name in config.used() and name not in ("data", "device")]
    name = st.selectbox(
        "Knob to change", names, format_func=ui.title, key=f"rerun knob {run.id}", index=names.index("seed")
    )
    known, value = knobs()[name], getattr(config, name)
    key = f"rerun value {run.id} {name}"
    if known.choices:
        new = st.selectbox(
            "New value",
            known.choices,
            known.choices.index(value),
            key=key,
            format_func=lambda c: ui.entry_title(name, c),
        )
    else:
        new = st.text_input("New value", ui.shown(value), key=key)
    st.button(
        "Train with it", icon=":material/play_arrow:", on_click=start_changed, args=(config, name, new), key="rerun"
    )


def start_changed(config: RunConfig, name: str, value: object) -> None:
    def submit() -> None:
        changed = ui.config_of(ui.values_of(config) | {name: value})
        ui.set_knobs(ui.values_of(changed))
        show(jobs.jobs().submit(changed).id)

    act(submit)


def replay(run: runs.Run, newest: dict) -> dict:
    """The frame of the epoch that the visitor chose among those kept; at first the last."""
    epochs = run.frames()
    if len(epochs) < 2:
        return newest
    epoch = st.select_slider("Epoch", epochs, epochs[-1], key=f"epoch {run.id}", help="0 is before training.")
    if epoch == epochs[-1]:
        return newest
    try:
        return ui.frame(run.id, epoch)
    except FileNotFoundError:
        ui.trouble(f"The points of epoch {epoch} are not kept any more. Here are the last.")
    except ValueError as error:
        ui.trouble(f"The points of epoch {epoch} cannot be read: {error}. Here are the last.")
    return newest


def queue(shown: str) -> None:
    """Other runs that wait, and those that an app which is gone left waiting."""
    supervisor = jobs.jobs()
    waiting = [run for run in supervisor.queue() if run.id != shown]
    orphans = [run for run in supervisor.orphans() if run.id != shown]
    if waiting:
        st.markdown("**Waiting for their turn**")
    for run in waiting:
        waiting_row(run, "Stop", stop)
    if orphans:
        st.markdown("**Left waiting when the app was last closed**")
    for run in orphans:
        waiting_row(run, "Resume", resume)


def waiting_row(run: runs.Run, word: str, do: Callable[[str], None]) -> None:
    words, button = st.columns([3, 1], vertical_alignment="center")
    words.caption(ui.run_words(run))
    button.button(word, key=f"{word} {run.id}", on_click=do, args=(run.id,), width="stretch")
