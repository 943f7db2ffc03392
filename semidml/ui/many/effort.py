"""What a plan will take, what stands in its way, and its start."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml import memory
from semidml.config import RunConfig
from semidml.disk import files
from semidml.jobs import forecast
from semidml.runs import estimate
from semidml.runs.run import Run
from semidml.sweeps import attended, quota, reuse
from semidml.sweeps import sweep as folders
from semidml.sweeps.plan import Plan
from semidml.sweeps.seeds import DECIDING
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import read_table
from semidml.ui import controls, frame
from semidml.ui.manage import NOT_STARTED, perform
from semidml.ui.many.planner import MOST_CHECKED, plan_of
from semidml.ui.words import as_code, entry_title, escape_markdown, is_here
from semidml.words import seconds_words, size_words

SAMPLED = 5  # settings by which time and room are told
START_SECONDS = 8.0  # that the workers take to begin


def draw_start(plan: Plan | None, place: DeltaGenerator) -> None:
    """Train, at its place, and what it will take; or what stands in its way."""
    missing = [name for name in plan.data_names if not is_here(name)] if plan else []
    problems = list_problems(plan) if plan and not missing else []
    for name in missing:
        st.warning(f"{entry_title('data', name)} is not on this machine yet.", icon=":material/block:")
        st.page_link(frame.DATA, label="Fetch it on the page Data", icon=":material/download:")
    is_hopeless = bool(plan) and len(problems) == len(settings_of(plan)) and bool(problems)
    if problems:
        number = len(problems)
        words = "Every setting" if is_hopeless else f"{number} setting{'s' * (number > 1)}"
        st.warning(f"{words} cannot be trained: {escape_markdown(problems[0])}", icon=":material/block:")
    whole = merge_plan(plan) if plan else None
    disabled = plan is None or whole is None or bool(missing) or is_hopeless
    act = {"on_click": perform, "args": (lambda: start(plan), "", NOT_STARTED), "disabled": disabled}
    place.button("Train", type="primary", icon=":material/play_arrow:", width="stretch", key="train many", **act)
    if plan is not None and whole is not None and not missing:
        try:
            words = effort_words(plan, whole)
        except ValueError as error:  # of what sweeps may take, which somebody has set wrongly
            frame.show_error(error)
        else:
            st.caption(words)


def merge_plan(plan: Plan) -> Plan | None:
    """What Train trains: see `reuse.merge_plan`; None after saying why it cannot."""
    try:
        return reuse.merge_plan(plan)
    except ValueError as error:
        frame.show_error(error)
        return None


def settings_of(plan: Plan) -> list[RunConfig]:
    """The configs of its settings that are not refused, with the first seed."""
    settings = plan.cells[: plan.count // len(plan.seeds)]
    return [cell.config for cell in settings if cell.config is not None]


def count_words(count: int, noun: str) -> str:
    """`1 run`, `2,000 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def count_refused(plan: Plan) -> int:
    return sum(bool(cell.problem) for cell in plan.cells)


def list_problems(plan: Plan) -> list[str]:
    """What is known against some of its settings, each once a setting, of the first MOST_CHECKED."""
    return [problem for config in settings_of(plan)[:MOST_CHECKED] if (problem := controls.cannot_work(config))]


def effort_words(plan: Plan, whole: Plan) -> str:
    """How many runs, how many of them are there, how long what is trained will take, and how much room. whole: see
    `merge_plan`."""
    there = count_there(plan)
    seeds = count_words(len(plan.seeds), "seed")
    factors = " × ".join([*(f"{len(values):,}" for values in plan.axes.values()), seeds])
    is_there = f"; {there:,} {'is' if there == 1 else 'are'} here already" if there else ""
    words = [f"**{count_words(plan.count, 'run')}**: {factors}{is_there}."]
    refused = count_refused(plan)
    if refused:
        problem = next(cell.problem for cell in plan.cells if cell.problem)
        words.append(f"{refused:,} of them {'is' if refused == 1 else 'are'} refused: {escape_markdown(problem)}.")
    if len(whole.seeds) < DECIDING:
        words.append(f"They show where to look: fewer than {DECIDING} seeds decide nothing.")
    left = max(0, plan.count - refused - there)
    if whole.count > plan.count:
        every = max(0, whole.count - count_refused(whole) - count_there(whole))
        if every > left:
            others = count_words(every - left, "run")
            words.append(
                f"They belong to the sweep {as_code(plan.name)}, which lacks {others} besides: **Train** trains all "
                f"{every:,}."
            )
        left = every
    if not left:
        return "  \n".join([*words, "Nothing is left to train."])
    settings = settings_of(whole)
    sampled = settings[:: max(1, len(settings) // SAMPLED)]
    known = [seconds for config in sampled if (seconds := seconds_of_run(config)) is not None]
    if known:
        at_once = min(memory.cores(), left)
        seconds = START_SECONDS + sum(known) / len(known) * left / at_once
        words.append(f"About {seconds_words(seconds)} on this machine, {at_once} at a time.")
    else:
        words.append("How long a run takes was not measured here yet.")
    if frame.is_warm():  # before, torch is not there
        more = left * max(bytes_of_run(config) for config in sampled)
        room = room_words(more)
        words.append(f"They take about {size_words(more)}. {room}")
    return "  \n".join(words)


@st.cache_data(max_entries=256, ttl=60, show_spinner=False)
def seconds_of_run(config: RunConfig) -> float | None:
    """How long a run by this config takes, going by finished runs and by those of sweeps."""
    measured = forecast.measure_alike(config, [run for sweep in folders.list_sweeps()[:5] for run in some_done(sweep)])
    return measured and measured[0]


def some_done(sweep: Sweep) -> list[Run]:
    """A few runs of a sweep that are done."""
    try:
        table = read_table(sweep).frame
    except (ValueError, OSError):
        return []
    done = table[(table["state"] == "done") & (table["cell"] != "")].drop_duplicates("cell")
    return [sweep.run_of(cell) for cell in done["cell"].iloc[:: max(1, len(done) // 20)]]


@st.cache_data(max_entries=256, show_spinner=False)
def bytes_of_run(config: RunConfig) -> int:
    return estimate.kept_bytes(config)


@st.cache_data(max_entries=64, ttl=20, show_spinner=False)
def room_words(more: int) -> str:
    """How much sweeps take, and whether `more` bytes fit."""
    room = quota.Room()
    lack = room.lack_words(more)
    used = f"Sweeps take {size_words(room.used)} of {size_words(quota.allowed_bytes())}."
    return f"{used} {lack[:1].upper()}{lack[1:]}." if lack else used


def count_there(plan: Plan) -> int:
    """How many of its runs are finished already, in the sweep of its name, in others or, of seeds alone, in none."""
    return _count_there(plan.model_dump_json(exclude={"created", "versions"}))


@st.cache_data(max_entries=16, ttl=15, show_spinner=False)
def _count_there(content: str) -> int:
    plan, digests = plan_of(content.encode()), {}
    sweeps = folders.list_sweeps()
    for sweep in sweeps:
        try:
            digests |= {name: digest for name, digest in sweep.plan().data.items() if name not in digests}
        except ValueError:  # it is said where this sweep is shown
            continue
    if not set(plan.data_names) <= set(digests):
        return 0
    named = plan_of(
        files.as_json(files.json_object(content.encode(), "plan") | {"data": {n: digests[n] for n in plan.data_names}})
    )
    wanted, there = {cell.name for cell in named.cells if cell.name}, set()
    for sweep in sweeps:
        try:
            table = read_table(sweep).frame
        except (ValueError, OSError):
            continue
        there |= wanted & set(table.loc[table["state"] == "done", "cell"])
    if not plan.axes:
        there |= folders.find_alone(named.cells).keys()
    return sum(cell.name in there for cell in named.cells)


# ---- the start


def start(plan: Plan) -> None:
    """Trains what a plan lacks, in the sweep of its name: a new one, or one that varies the same.
    Raises: ValueError in words when it cannot be."""
    sweep = reuse.find_or_create(reuse.with_free_name(plan))
    attended.start(sweep)
    st.session_state["shown sweep"] = sweep.name
    st.session_state["chosen cell"] = ""
