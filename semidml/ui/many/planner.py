"""The plan of a sweep: where it starts from, the knobs that are varied with their values, seeds."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml.config import FEW, allowed, declared_knobs
from semidml.disk import files
from semidml.presets import GRIDS, Grid
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.sweeps import reuse
from semidml.sweeps.plan import Plan, axis_text, name_by, parse_axis, parse_seeds, seeds_text
from semidml.sweeps.sweep import open_sweep
from semidml.ui import frame, knobs, links
from semidml.ui.many.lattice import SEED
from semidml.ui.names import choice_words
from semidml.ui.shared import Shared
from semidml.ui.words import (
    as_code,
    entry_title,
    knob_title,
    setting_words,
    short_value,
    values_of,
)
from semidml.words import value_words

NOT_VARIED = ("seed", "device")  # seeds have a place of their own
NO_KNOB = ""
EDGES = ("columns", "rows")  # of the sheet, as the link calls them
PLACES = (*EDGES, "third", "fourth")  # of knobs in a link: those that lie along no edge come with a sweep's plan
TITLES = ("Varied along the bottom", "Along the side", "Varied besides", "Varied besides")
SEEDS = "3"
FIRST = {"alpha": (0.02, 0.1, 0.5, 0.9), "pl": (5.0, 20.0, 100.0), "latent_dim": (2, 4, 10)}  # what is varied at first
CELL_BYTES = 6000  # that a plan takes for a cell: 10,000 take 58 MB
MOST_CHECKED = 60  # settings that are looked at one by one before they are trained


class Chosen(NamedTuple):
    """What is chosen of the axes: knobs and their values as text, the text of the seeds, a name or "" for its own."""

    axes: tuple[tuple[str, str], ...]
    seeds: str
    name: str


def chosen() -> Chosen:
    """What this visitor has chosen; at first knobs that have an effect with those of Train."""
    if "chosen axes" not in st.session_state:
        used = knobs.used_of(knobs.chosen_knobs())
        names = [name for name in FIRST if name in used][:2]
        choose([(name, text_of(name, FIRST[name])) for name in names], SEEDS, "")
    return st.session_state["chosen axes"]


def text_of(name: str, values: Sequence[Any]) -> str:
    """Values as they are typed."""
    return axis_text(name, values).partition("=")[2]


def choose(axes: Sequence[tuple[str, str]], seeds: str, name: str) -> None:
    st.session_state["chosen axes"] = Chosen(tuple(axes), seeds, name)


def take_grid(grid: Grid) -> None:
    """Starts from a preset."""
    knobs.set_knobs(grid.values)
    choose([(name, text_of(name, values)) for name, values in grid.axes.items()], str(grid.seeds), grid.name)


def take_sweep(plan: Plan) -> None:
    """Starts from the plan of a sweep that is there."""
    knobs.set_knobs(plan.base)
    choose([(name, text_of(name, values)) for name, values in plan.axes.items()], seeds_text(plan.seeds), plan.name)


def read_link() -> None:
    """The plan as the link says: knobs, axes and seeds, or the setting of the run that it names."""
    links.read_link()
    asked = {name: links.asked_of_link(name, f"plan {name}") for name in (*PLACES, "seeds", "run")}
    if asked["run"] is not None:
        start_from_link(asked["run"])
        st.query_params.pop("run", None)
    if all(asked[name] is None for name in (*PLACES, "seeds")):
        take_linked_sweep()
        return
    axes, known = [], chosen()
    for name in PLACES:
        knob, _, values = (asked[name] or "").partition("=")
        knob = knob.strip().replace("-", "_")
        if knob == SEED and name == "columns" and not values:
            continue
        if knob in declared_knobs() and knob not in NOT_VARIED:
            axes.append((knob, values))
        elif asked[name]:
            words = f"no knob called {as_code(knob)} can be varied"
            st.warning(f"The link was not followed in one place: {words}.", icon=":material/link_off:")
    is_of_seeds = asked["columns"] == SEED
    choose(axes if axes or is_of_seeds else known.axes, asked["seeds"] or known.seeds, "")


def start_from_link(run_id: str) -> None:
    """Starts from the setting of the run that the link names, or says why it cannot."""
    words = f"There is no run called {as_code(run_id)} here to start from."
    try:
        run = listing.open_run(run_id)
        words = f"The run {as_code(run_id)} is damaged, and so no start."
        take_run(run)
    except ValueError:
        st.warning(words, icon=":material/link_off:")


def take_linked_sweep() -> None:
    """Starts from the plan of the sweep that the link names, where it names no plan itself."""
    name = st.query_params.get("sweep", "")
    if not name or {*PLACES, "seeds"} & set(st.query_params) or not links.is_new("shown sweep", name):
        return
    try:
        take_sweep(open_sweep(name).plan())
    except ValueError:  # the sweep's own part of the page says what is wrong with it
        return


def take_run(run: Run) -> None:
    """Starts from the setting of a run."""
    knobs.set_knobs({name: value for name, value in values_of(run.config()).items() if name != "seed"})
    choose(chosen().axes, chosen().seeds, "")


def write_link(plan: Plan) -> None:
    """Puts the plan into the link."""
    link = {name: value_words(value) for name, value in plan.base.items() if (name, value) != USUAL}
    link |= {place: axis_text(*axis) for place, axis in zip(PLACES, plan.axes.items(), strict=False)}
    link |= {"seeds": seeds_text(plan.seeds)} | ({} if plan.axes else {"columns": SEED})
    parts = {*declared_knobs(), *PLACES, "seeds"}
    others = {name: st.query_params[name] for name in st.query_params if name not in parts}
    if dict(st.query_params) != others | link:
        st.query_params.from_dict(others | link)
    links.note_written("knobs", {name: value for name, value in link.items() if name in declared_knobs()})
    for name in (*PLACES, "seeds"):
        if name in link:
            links.note_written(f"plan {name}", link[name])


USUAL = ("evaluate_on", "validation")  # which a plan has where nothing is said


# ---- the widgets


def draw_starts() -> None:
    """Settings to start from: presets, and runs."""
    with st.container(horizontal=True, vertical_alignment="center"):
        for grid in GRIDS:
            act = {"on_click": take_grid, "args": (grid,), "help": grid.words}
            st.button(grid.title, key=f"grid {grid.name}", icon=":material/grid_on:", **act)
        with st.popover("From a run's setting", icon=":material/history:"):
            called = choice_words(runs := listing.list_runs())
            run = st.selectbox("Run", runs, None, lambda run: called[run.id], key="many start run")
            act = {"on_click": take_run, "args": (run,), "disabled": run is None, "key": "many start"}
            st.button("Start from it", icon=":material/arrow_forward:", **act)


def draw_base() -> None:
    """The knobs that all runs share: the few of Train, of which the others are kept as they are there."""
    varied = {name for name, _ in chosen().axes}
    kept = {name: value for name, value in knobs.chosen_knobs().items() if name not in varied}
    try:
        words = setting_words(knobs.config_of(kept))
    except ValueError:  # which the plan says
        words = "what they share"
    with st.expander(f"All runs: {words}", icon=":material/tune:"):
        if "data" not in varied:
            knobs.draw_knob("data", options=knobs.data_names())
        if not varied & {"model", "prior"}:
            knobs.choose_method()
            knobs.choose_model()
        used = knobs.used_of(knobs.chosen_knobs())
        for name, knob in declared_knobs().items():
            if knob.group == FEW and name in used and name not in {"data", "model", "prior", *varied, *NOT_VARIED}:
                knobs.draw_knob(name)
        others = {name: value for name, value in kept.items() if name in used and declared_knobs()[name].group != FEW}
        if others:
            st.caption("Besides: " + ", ".join(f"{knob_title(n).lower()} {short_value(v)}" for n, v in others.items()))
        st.page_link(frame.TRAIN, label="All knobs: on Train", icon=":material/play_circle:")


def draw_axes() -> DeltaGenerator:
    """The knobs and their values, one or two or those of the plan it starts from, and the seeds; gives the place of the
    button beside these."""
    draw_axis(0, SEED)
    if chosen().axes:
        for position in range(1, max(len(EDGES), len(chosen().axes))):
            draw_axis(position, NO_KNOB)
    left, right = st.columns([1, 1.3], vertical_alignment="bottom")
    set_widget("many seeds", chosen().seeds)
    left.text_input(
        "Seeds",
        key="many seeds",
        max_chars=2000,
        on_change=lambda: choose(chosen().axes, st.session_state["many seeds"], chosen().name),
        help="How many, like 10, or which, like 3,5,8. Each setting is trained once with each.",
    )
    return right


def set_widget(key: str, value: Any) -> None:
    """What a widget shows before it is drawn: its own value follows what is chosen."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value


def take_axis(position: int, name: str, text: str) -> None:
    """A knob along an edge was chosen, or its values were: NO_KNOB, or SEED instead of all knobs."""
    axes = [axis for i, axis in enumerate(chosen().axes) if i != position and name != SEED]
    own = [] if name in (NO_KNOB, SEED) else [(name, text)]
    choose([*axes[:position], *own, *axes[position:]], chosen().seeds, "")


def draw_axis(position: int, without: str) -> None:
    """A knob that is varied, and its values: chips where it has choices, else as text. without: what is chosen where
    none is, NO_KNOB or SEED."""
    axes = chosen().axes
    name, text = axes[position] if position < len(axes) else (without, "")
    others = {knob for i, (knob, _) in enumerate(axes) if i != position}
    offered = [knob for knob in declared_knobs() if knob not in NOT_VARIED and knob not in others]
    offered = [without, *offered]
    key = f"many knob {position}"
    set_widget(key, name)

    def take_knob() -> None:
        new, known = st.session_state[key], chosen().axes
        if position < len(known) and known[position][0] == new:
            return  # the browser is late: a preset chose this knob meanwhile, and its values may be typed
        take_axis(position, new, "" if new == without else usual_values(new))

    st.selectbox(
        TITLES[position],
        offered,
        format_func=lambda knob: {NO_KNOB: "no further knob", SEED: "seeds alone"}.get(knob) or knob_title(knob),
        key=key,
        on_change=take_knob,
    )
    if name == without:
        return
    knob = declared_knobs()[name]
    choices = knobs.data_names() if name == "data" else knob.choices
    label = f"Values of {knob_title(name)[:1].lower()}{knob_title(name)[1:]}"
    values = f"many values {position} {name}"
    if choices:
        set_widget(values, [value for value in text.split(",") if value in choices])
        st.multiselect(
            label,
            choices,
            format_func=lambda choice: entry_title(name, choice),
            key=values,
            on_change=lambda: take_axis(position, name, ",".join(st.session_state[values])),
        )
        return
    set_widget(values, text)
    told = f"{knob.help.capitalize()}. Each value must be {allowed(knob)}; 0..1/5 means five values from 0 to 1."
    took = {"on_change": lambda: take_axis(position, name, st.session_state[values])}
    st.text_input(label, key=values, max_chars=20_000, help=told, **took)


def usual_values(name: str) -> str:
    """Values of a knob to begin with: some of its choices, or its value and what lies around it."""
    knob = declared_knobs()[name]
    if knob.choices:
        names = knobs.data_names() if name == "data" else list(knob.choices)
        return ",".join(names[:3])
    value = knobs.current_value(name)
    if knob.kind is int and knob.low is not None and knob.high is not None:
        around = {max(int(knob.low), value // 2), value, min(int(knob.high), value * 2 or 1)}
    elif knob.kind is float and knob.low is not None and knob.high is not None:
        around = {
            float(value_words(max(knob.low, value / 2))),
            value,
            float(value_words(min(knob.high, value * 2 or 0.1))),
        }
    else:
        return value_words(value)
    return ",".join(value_words(each) for each in sorted(around) if not (knob.low_is_open and each == knob.low))


def choose_plan() -> Plan | None:
    """The plan of what is chosen, under the name that Train gives it, or None after saying, in the words of the command
    line, why there is none."""
    known = chosen()
    try:
        axes = dict(parse_axis(f"{name}={text}") for name, text in known.axes)
        if foreign := [name for name in axes.get("data", ()) if name not in knobs.data_names()]:
            raise ValueError(f"data must be one of {', '.join(knobs.data_names())}, got {foreign[0][:60]!r}")
        seeds = parse_seeds(known.seeds)
        base = base_of(knobs.chosen_knobs(), axes)
        content = {"base": base, "axes": axes, "seeds": seeds, "name": known.name or name_by(base, axes)}
        return reuse.with_free_name(plan_of(files.as_json(content)))
    except ValueError as error:
        frame.show_error(error)
        return None


plans = Shared(130_000_000)  # two of the largest: as it is chosen, and on the data that are here


def plan_of(content: bytes) -> Plan:
    """The plan that a JSON object tells, with its cells, which take a while."""

    def read() -> Plan:
        return Plan.of(files.json_object(content, "plan"))

    return plans.get(content, read, lambda plan: plan.count * CELL_BYTES)


def base_of(values: Mapping[str, Any], axes: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The knobs of these that are not varied and that have an effect in some cell."""
    kept = {name: value for name, value in values.items() if name not in axes and name != "seed"}
    used = knobs.used_of(kept)
    for name, choices in axes.items():
        for choice in choices[:MOST_CHECKED]:
            if isinstance(choice, str):
                used |= knobs.used_of(kept | {name: choice})
    return {name: value for name, value in kept.items() if name in used}
