"""The run that a page shows: which, how far, what one can do with it; and the page that trains one."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml.config import RunConfig, declared_knobs
from semidml.data import labels
from semidml.frames import Frame
from semidml.jobs import queue
from semidml.jobs.forecast import begin_times
from semidml.methods import method_of
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.runs.status import Status
from semidml.scores.table import shown_at
from semidml.ui import cache, controls, frame, knobs, links, manage, moments, seeds
from semidml.ui.names import choice_words
from semidml.ui.words import (
    as_code,
    before_words,
    begin_words,
    change_words,
    config_of,
    entry_title,
    escape_markdown,
    knob_title,
    python_of,
    reason_words,
    run_words,
    seconds_of_alike,
    state_words,
    values_of,
)
from semidml.words import value_words

OF_RUN = ("epoch", *links.OF_MAPS)  # parts of a link: how a run is shown on Train
CARD = "score-card"  # key of the container of the scores beside a map
PARTS = ("colour", "plane", "point", *OF_RUN)  # and where it is shown with its clusters


def draw_trainer(
    bar: DeltaGenerator,
    choose: Callable[[], RunConfig | None],
    draw_map: Callable[[Run, Status, Frame], Frame],
    draw_details: Callable[[Run, Status, Frame], None],
    seconds: str,
    place: str,
    method: str = "",
    draw_below: Callable[[Run], None] | None = None,
) -> None:
    """A page that trains. Its `bar` (see `frame.draw_bar`) gets the button Train and how far the run is that is shown,
    of one method's models if it is named; below it stand the knobs, and beside them the run: its map, drawn by
    `draw_map` of the newest frame, which gives the frame that it has drawn, the scores of that frame that are shown at
    `place`, and under them what `draw_details` draws of it; once it has ended `draw_below` too. At the end the same
    without the page."""
    links.read_link(method, *knobs_of_link(method))
    if method:
        knobs.switch_method(method)
    button_place, state_place, told = bar.container(width="content"), bar.container(), st.container()
    with st.container(key="trainer"):
        knob_column, picture_column = st.columns([1, 3.25], gap="medium")
    with knob_column, st.container(key="knobs"):
        config = choose()
        controls.draw_remarks(config)
    with told:
        controls.draw_start(config, button_place)
    with picture_column, st.container(key="run"):
        linked = st.query_params.get("run")
        with st.container(key="inline run"):
            run = pick_run(method)
        if run is None:
            with st.container(key="picture"), frame.draw_empty("Nothing has been trained here yet"):
                st.markdown(f"Press **Train**: the digits need no download and take {seconds} seconds.")
        else:
            follow_shown(run, linked)
            problem_place = st.container()
            is_active = run.status().active
            every = frame.SECONDS_LIVE if is_active else None

            def draw_run(run_id: str, was_active: bool) -> None:
                with st.container(key="picture"):
                    live = live_run(run_id, was_active)
                    if live:
                        status, newest = live[1:]
                        shown = draw_picture(run, status, newest, draw_map, place)
                with st.container(key="details"):
                    with st.container():
                        say_moved_on(run, config)
                    if live:
                        draw_details(run, status, shown)
                    if run.status().state == "done":
                        seeds.draw_seeds(run, shown_at("train"))
                    if live:
                        draw_queue(run_id)

            def draw_while_there(draw: Callable[..., None], *given: Any) -> None:
                try:
                    draw(*given)
                except (ValueError, OSError):
                    if (run.path / "config.json").exists():
                        raise
                    st.rerun()  # deleted while it was drawn

            with state_place:
                st.fragment(draw_while_there, run_every=every)(draw_state_bar, run.id, is_active, place)
            with st.container(key=frame.LIVE):
                st.fragment(draw_while_there, run_every=every)(draw_run, run.id, is_active)
            with problem_place:
                links.say_problems(page_name())
            if draw_below and not is_active:
                with st.container(key="below"):
                    st.fragment(draw_below, run_every=frame.SECONDS_IDLE)(run)
    if config is not None:
        links.write_link(config, config_of(run) if run else None)
        frame.draw_recipe(config.command(), python_of(config), linked=True)
    moments.watch_card(CARD)
    frame.follow_press()


def draw_picture(
    run: Run, status: Status, newest: Frame, draw_map: Callable[[Run, Status, Frame], Frame], place: str
) -> Frame:
    """The map of a run and beside it the scores of the frame that it shows, which is given back, and what is wrong with
    its newest points: there nothing moves when that is said."""
    map_column, score_column = st.columns([3.6, 1], gap="small")
    with map_column:
        shown = draw_map(run, status, newest)
    with score_column:
        with st.container(key=CARD):
            moments.draw_scores(run, shown, place)
        draw_alarms(status)
    return shown


def page_name() -> str:
    """The page that a run is shown on, as its link's parts are noted under."""
    return st.session_state["page"]


def follow_shown(run: Run, linked: str | None) -> None:
    """Shows of a run what the link says. linked: the run that the link is about."""
    page = page_name()
    links.begin_shown(page, run.id, linked, PARTS)
    if epochs := run.frames():
        links.follow_epoch(page, run.id, epochs)
        links.follow_view(page)


def knobs_of_link(method: str = "") -> tuple[str, dict[str, Any]]:
    """(the run that the link brings, its knobs), "" and none where it brings none, or one that another page shows."""
    name = st.query_params.get("run", "")
    if not name or not (st.session_state.get("arrived") or links.is_new("shown run", name)):
        return "", {}
    try:
        config = listing.open_run(name).config()
    except ValueError:  # whoever shows it says so
        return "", {}
    return (name, values_of(config)) if not method or method_of(config.model).name == method else ("", {})


def pick_run(method: str = "") -> Run | None:
    """The run that Train shows: the link's, the one just started, the one that runs now, the newest; None without any.
    Of one method's models only, if it is named."""
    every = list_with_linked("shown run")
    offered = every
    if method:
        configs = {name: config_of(run) for name, run in every.items()}
        offered = {name: every[name] for name, c in configs.items() if c and method_of(c.model).name == method}

    def say_gone(name: str) -> None:
        where = "is another page's" if name in every else "is not here (any more)"
        st.info(f"The run {as_code(name)} {where}. Here is another one.", icon=":material/delete:")

    prefer = (lambda run: run.status().state == "running", lambda run: run.status().active)
    if st.session_state.get("shown run") not in (None, *offered):
        gone = st.session_state.pop("shown run")
        if gone not in every:  # else it was chosen on another page
            say_gone(gone)
    return _choose_run(offered, "shown run", say_gone, "run shown", prefer)


def list_with_linked(kept: str) -> dict[str, Run]:
    """All runs by name, the one of a sweep first that the link asks for, or that was chosen here before."""
    return runs_of_sweeps([st.query_params.get("run"), st.session_state.get(kept)]) | {
        run.id: run for run in listing.list_runs()
    }


def runs_of_sweeps(names: Iterable[str | None]) -> dict[str, Run]:
    """Those of these runs that are of sweeps, and are there: no list has them, and a link may name them."""
    known = {}
    for name in names:
        if name and "/" in name:
            with suppress(ValueError):  # it is gone: whoever chooses says so
                known[name] = listing.open_run(name)
    return known


def pick_explored() -> Run | None:
    """The run that Explore is about: the link's, the one chosen here, the newest with something to show; None without
    any."""

    def say_gone(name: str) -> None:
        st.warning(
            f"There is no run called {as_code(name)} here (any more). Here is another one.", icon=":material/link_off:"
        )

    every = list_with_linked("explored")
    return _choose_run(every, "explored", say_gone, "explored run", (lambda run: bool(run.frames()),))


def _choose_run(
    offered: dict[str, Run],
    kept: str,
    say_gone: Callable[[str], None],
    key: str,
    prefer: Sequence[Callable[[Run], bool]],
) -> Run | None:
    if st.session_state.get(kept) not in (None, *offered):
        say_gone(st.session_state.pop(kept))
    name = links.choose_linked(
        "run",
        choice_words(offered.values()),
        kept,
        say_gone,
        key=key,
        prefer=[lambda name, prefers=prefers: prefers(offered[name]) for prefers in prefer],
        label="Run",
        help="Every run of this machine's folder, newest first, then the runs that come with the project.",
    )
    return name and offered[name]


def draw_progress(run_id: str, frames: int) -> None:
    """Progress of a run that goes on, and a way to its newest points; what is drawn stays until it is asked for."""
    try:
        run = listing.open_run(run_id)
    except ValueError:
        st.rerun()
    status = run.status()
    if not status.active:
        st.rerun()
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.progress(status.prepared or status.fraction, text=state_words(run, status))
    new = len(run.frames()) - frames
    if new and button.button(f"Show {new} new epoch{'s' * (new > 1)}", key="show new", width="stretch"):
        st.session_state.pop(f"epoch {run_id}", None)
        st.rerun()


def follow_run(run_id: str, was_active: bool) -> tuple[Run, Status]:
    """What a fragment that follows a run begins with. Reruns the page when what stands outside has to follow."""
    try:
        run = listing.open_run(run_id)
        status = run.status()
    except ValueError:
        st.rerun()
    if status.active != was_active or st.session_state.get("shown run") != run_id or manage.has_outcome():
        st.rerun()
    return run, status


def live_run(run_id: str, was_active: bool) -> tuple[Run, Status, Frame] | None:
    """(run, status, newest frame) of the run that a fragment follows, or None after saying why there is nothing to
    draw.

    What is there at times only, has a container that is always there: what comes after it would be made anew."""
    run, status = follow_run(run_id, was_active)
    with st.container():
        draw_waiting(run, status)
        draw_reason(status)
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
    with st.container():
        if remark := labels.describe_step(run.details().get("facts", {})):
            st.caption(f":material/info: {remark}")
    return run, status, newest


def say_moved_on(run: Run, config: RunConfig | None) -> None:
    """Says so when the knobs differ from the shown run's, and who has set them so."""
    trained = config_of(run)
    changes = change_words(trained, config) if config and trained else ""
    if not changes:
        return
    if knobs.run_of_knobs() != run.id:
        sentence = "The knobs are not those of this run"
    elif st.session_state.get("link's own knobs"):
        sentence = "The link sets other knobs than this run's"
    else:
        sentence = "The knobs have moved on since this run"
    words, button = st.columns([3, 1.3], vertical_alignment="center")
    words.caption(f":material/tune: {sentence}: {changes}.")
    back = {"on_click": knobs.set_knobs, "args": (values_of(trained), run.id), "key": "back to its knobs"}
    title = "Back to its knobs" if knobs.run_of_knobs() == run.id else "Take its knobs"
    if button.button(title, width="stretch", **back):
        st.rerun()  # the knobs stand outside of what is drawn while a run goes on


def draw_state_bar(run_id: str, was_active: bool, place: str) -> None:
    """State, progress, what can be done now, and the two scores of a place that say most."""
    run, status = follow_run(run_id, was_active)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="state"):
        with st.container(key="progress"):
            draw_state(run, status)
        with st.container(horizontal=True, width="content", gap="xsmall", key="actions"):
            draw_actions(run, status)
        st.html(moments.headlines_html(run, place), width="content")


def draw_actions(run: Run, status: Status) -> None:
    """Stop, resume, rerun, delete: what can be done with a run now."""
    is_left = run.is_orphan()  # by an app that has ended: it waits for nobody
    if status.active and not is_left:
        st.button("Stop", icon=":material/stop:", on_click=controls.stop_run, args=(run.id,), key="stop")
    elif run.is_own and (is_left or status.state != "done") and not run.is_complete():
        common = {"icon": ":material/resume:", "on_click": controls.resume_run, "args": (run.id,)}
        st.button("Resume", key="resume", type="primary", **common)
    if not status.active:
        with st.popover("Rerun", icon=":material/replay:", help="The same setting with one knob changed"):
            draw_rerun(run)
        if run.is_own:
            with st.popover("", icon=":material/delete:", help="Delete this run"):
                st.write("Delete this run and its folder?")
                act = {"on_click": manage.delete_run, "args": (run.id,)}
                st.button("Delete", icon=":material/delete:", key="delete", **act)


def draw_state(run: Run, status: Status) -> None:
    if status.active:
        st.progress(status.prepared or status.fraction, text=state_words(run, status))
    else:
        st.markdown(state_words(run, status))


def draw_waiting(run: Run, status: Status) -> None:
    """What goes before a run that waits."""
    if status.state == "queued" and (before := queue.jobs().before(run)):
        st.caption(before_words(before))


def draw_reason(status: Status, unsaid: str = "") -> None:
    """Why a run ended before its end, `unsaid` where it does not say."""
    if status.state in ("failed", "interrupted") and (words := reason_words(status) or unsaid):
        st.warning(words, icon=":material/warning:")


def draw_alarms(status: Status) -> None:
    """What is wrong with a run's newest points."""
    for alarm in (status.latest or {}).get("alarms", []):
        st.warning(escape_markdown(alarm), icon=":material/notification_important:")


def draw_rerun(run: Run) -> None:
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
        titles = {choice: entry_title(name, choice) for choice in known.choices}
        new = st.selectbox("New value", titles, known.choices.index(value), key=key, format_func=titles.get)
    else:
        new = st.text_input("New value", value_words(value), key=key)

    def submit() -> None:
        changed = knobs.config_of(values_of(config) | {name: new})
        started = manage.queue_run(changed, run)
        knobs.set_knobs(values_of(changed), started.id)
        controls.show_run(started.id)
        frame.follow("picture")

    act = {"on_click": manage.perform, "args": (submit, "", manage.NOT_STARTED)}
    st.button("Train with it", icon=":material/play_arrow:", key="rerun", **act)


def choose_epoch(run: Run, newest: Frame, is_active: bool = False) -> Frame:
    """The frame of the epoch that the visitor chose among those kept; at first the last. While the run goes on, the
    newest, and how far it is, in the room that the choice takes then."""
    if is_active:
        st.session_state[f"progress {run.id}"] = newest.epoch
        last = max(1, run.config().epochs)
        st.slider(
            "Epoch", 0, last, key=f"progress {run.id}", disabled=True, help="To be chosen when the run has ended."
        )
        return newest
    epochs = run.frames()
    if len(epochs) < 2:
        return newest
    epoch = st.select_slider("Epoch", epochs, epochs[-1], key=f"epoch {run.id}", help="0 is before training.")
    links.write_parts(page_name(), {"epoch": str(epoch) if epoch != epochs[-1] else ""})
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
    waiting = supervisor.queue()
    begins = begin_times([*filter(None, [supervisor.running()]), *waiting], seconds_of_alike) if waiting else []
    begin_of = dict(zip(reversed(waiting), reversed(begins[:-1]), strict=False))  # the first may be the one that runs
    for title, queued, word, act in (
        ("Waiting for their turn", waiting, "Stop", controls.stop_run),
        ("Left waiting when the app was last closed", supervisor.orphans(), "Resume", controls.resume_run),
    ):
        others = [run for run in queued if run.id != shown]
        if others:
            st.header(title, anchor=False)
        for run in others:
            words, button = st.columns([3, 1], vertical_alignment="center")
            words.caption(" · ".join([run_words(run), *([begin_words(begin_of[run])] if run in begin_of else [])]))
            button.button(word, key=f"{word} {run.id}", on_click=act, args=(run.id,), width="stretch")
