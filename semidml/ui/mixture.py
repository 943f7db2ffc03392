"""The mixture that the page The prior changes."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from semidml import presets
from semidml.config import RunConfig, declared_knobs
from semidml.explore import points
from semidml.jobs import queue
from semidml.methods import with_prior
from semidml.priors import given
from semidml.priors.words import MOST_COUNTED
from semidml.runs import listed, listing
from semidml.runs.run import Run
from semidml.scatter.sent import middles_of
from semidml.ui import cache, frame, knobs, links, manage, words
from semidml.ui.names import choice_words
from semidml.ui.unread import list_repeated

TWO_D = {"model": "dml-prior", "prior": "gmm", "latent_dim": 2}
PAGE = "prior"
PARTS = ("run", "decoder", "view")  # of its link, beside the knobs
OWN = ("placement", "positions", "components", "component_spacing", "component_log_var", "component_weights")


def mine() -> dict[str, Any]:
    """This page's mixture; at first the paper's."""
    return st.session_state.setdefault("my mixture", mixture_of(presets.MIXTURES[0]))


def mixture_of(preset: presets.Preset) -> dict[str, Any]:
    return {name: preset.values.get(name, declared_knobs()[name].default) for name in OWN}


def others_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What else a mixture is trained with."""
    return {name: value for name, value in values.items() if name not in OWN}


def change(values: dict[str, Any], *, seen_anew: bool = True) -> None:
    """Knobs of the mixture, other than by its table, which is filled anew; the map too finds its frame anew, if it is
    to be seen anew."""
    mine().update(values)
    st.session_state["my table"] = st.session_state.get("my table", 0) + 1
    st.session_state["my view"] = st.session_state.get("my view", 0) + seen_anew


def read_link() -> None:
    """The mixture, and what it is trained with, as the link says; what is wrong with it stays on the page until the
    mixture is changed."""
    raw = {name: st.query_params[name] for name in st.query_params if name in declared_knobs()}
    if any(links.is_new(f"{PAGE} {name}", text) for name, text in raw.items()):
        values, wrong = links.parse_knobs(raw, TWO_D["model"])
        repeated = "; ".join(list_repeated(declared_knobs()))
        links.keep_problems(PAGE, wrong | ({"data": repeated} if repeated else {}))
        for name, text in raw.items():
            links.note_written(f"{PAGE} {name}", text)
        try:
            take_values(values)
        except ValueError as error:
            links.keep_problems(PAGE, {"positions": f"it does not make a mixture that this page shows: {error}"})
    links.follow_part(PAGE, "run", take_run)
    links.follow_view(PAGE)


def take_values(values: Mapping[str, Any]) -> None:
    """The mixture of these knobs, in the plane. Raises: ValueError in words where they make none."""
    config = knobs.config_of(TWO_D | values)
    given_count = len(given.positions_of(config.positions)) if config.positions else 0
    count = given_count or config.components
    if config.prior != "gmm" or config.latent_dim != 2:
        raise ValueError("it must be a Gaussian mixture in two dimensions")
    if config.placement != "vertices" and count > MOST_COUNTED:
        raise ValueError(f"this page shows at most {MOST_COUNTED} components, got {count:,}")
    if "data" in values:
        knobs.move_knob("data", values["data"])
    st.session_state["my others"] = {name: value for name, value in others_of(values).items() if name != "data"}
    change({name: getattr(config, name) for name in OWN})


def take_run(run_id: str) -> None:
    """Behind the mixture lies the map of the run that the link names. Raises: ValueError where it has none of two
    dimensions."""
    run = listing.open_run(run_id)
    if run.config().latent_dim != 2 or not run.frames():
        raise ValueError(f"the run {run_id} has no map of two dimensions")
    st.session_state["my run"] = run.id, ""


def write_link(config: RunConfig) -> None:
    """Puts the mixture, what it is trained with, and the run behind it into the link."""
    behind = st.session_state.get("my run", ("",))[0]
    links.write_parts(PAGE, dict.fromkeys(declared_knobs(), "") | links.link_of(config) | {"run": behind})


def take(preset: presets.Preset) -> None:
    st.session_state["my others"] = others_of(preset.values)
    st.session_state.pop("my run", None)
    change(mixture_of(preset))
    frame.follow("picture")


def picture() -> dict[str, Any]:
    return cache.prior_picture(**mine())


def take_moved(name: str) -> None:
    """A knob was moved. Components that are to be given start from where they are now; weights belong to given ones."""
    value = st.session_state[f"my {name}"]
    if name != "placement":
        change({name: value})
    elif value == "given":
        give(lambda: picture()["means"], seen_anew=True)
    else:
        change({"placement": value, "component_weights": ""})


def take_dropped(sent: Any) -> None:
    """A component was moved on the map: wherever they were placed before, all of them are given now."""

    def read_middles() -> Any:
        st.session_state["my moves"], middles = middles_of(sent, len(picture()["means"]))
        return middles

    give(read_middles, seen_anew=False)


def give(read_middles: Callable[[], Any], *, seen_anew: bool) -> None:
    """The components are given from now on; where they cannot be, the mixture stays, and the page says why."""

    def place() -> None:
        positions = given.positions_text(given.rounded(read_middles(), mine()["component_log_var"]))
        given.positions_of(positions)
        change({"placement": "given", "positions": positions}, seen_anew=seen_anew)

    manage.perform(place)


def choose_mixture() -> bool:
    """Presets, and the knobs of the mixture; whether these are whole: a row of the table may not be filled in yet."""
    st.caption("Start from")
    with st.container(horizontal=True, gap="xsmall"):
        for preset in presets.MIXTURES:
            kind = "primary" if mixture_of(preset) == mine() else "secondary"
            st.button(preset.title, on_click=take, args=(preset,), type=kind, key=f"preset {preset.title}")
    offer_runs()
    manage.draw_outcome()
    known, used, whole = declared_knobs(), knobs.used_of(TWO_D | mine()), True
    for name in OWN:
        knob, key = known[name], f"my {name}"
        if name not in used or name == "component_weights":
            continue
        if name == "positions":
            whole = edit_table()
            continue
        if st.session_state.get(key) != mine()[name]:
            st.session_state[key] = mine()[name]
        common = {"key": key, "on_change": take_moved, "args": (name,), "help": knob.help.capitalize() + "."}
        title, value = words.knob_title(name), mine()[name]
        if knob.choices:
            st.selectbox(title, knob.choices, knob.choices.index(value), **common)
        elif knob.kind is int:
            st.number_input(title, int(knob.low), MOST_COUNTED, int(value), step=1, **common)
        else:
            low, step = float(0.1 if knob.low_is_open else knob.low), 0.5 if name == "component_log_var" else 0.1
            st.number_input(
                title, min(low, float(value)), float(knob.high), float(value), step=step, format="%g", **common
            )
    return whole


def edit_table() -> bool:
    """Positions and weights, a row a component. What is not whole yet is said, and stays in the table; until it is, the
    mixture stays as it was."""
    import pandas as pd

    version = st.session_state.get("my table", 0)
    if st.session_state.get("my rows", (None,))[0] != version:  # filled anew only when others have moved the mixture
        positions = given.positions_of(mine()["positions"])
        weights = given.weights_of(mine()["component_weights"]) or (1.0,) * len(positions)
        rows = [(*position, weight) for position, weight in zip(positions, weights, strict=True)]
        index = pd.RangeIndex(1, len(rows) + 1)
        st.session_state["my rows"] = version, pd.DataFrame(rows, index, ["x", "y", "weight"], dtype=float)
    number = partial(st.column_config.NumberColumn, format="%g", width=52)
    columns = {"_index": st.column_config.Column("", width=24), "x": number(), "y": number()}
    columns["weight"] = number("w", default=1.0, help="Weight, relative to the others.")
    rows, error_place = st.session_state["my rows"][1], st.container()
    key = f"my table {version}"
    filled = st.data_editor(rows, num_rows="dynamic", hide_index=False, column_config=columns, key=key)
    try:
        if len(filled) > MOST_COUNTED:
            raise ValueError(f"this page shows at most {MOST_COUNTED} components, got {len(filled)}")
        positions, weights = given.of_table(filled.itertuples(index=False))
    except ValueError as error:
        with error_place:
            frame.show_error(error)
        return False
    mine().update(positions=positions, component_weights=weights)
    return True


def offer_runs() -> None:
    """A mixture fitted to a finished run's latents."""
    done = [row for row in listed.list_rows() if row.state == "done"]
    flat = [row for row in done if row.config.latent_dim == 2 and with_prior(row.config.model)]
    with st.expander("From a run", icon=":material/scatter_plot:"):
        if not flat:
            st.caption("No finished run with labels has two dimensions: train one, and its latents can make a prior.")
            return
        st.caption("Fits a mixture to the latents of a finished run; no label is used.")
        runs = {row.run: row.scores.get("knn_accuracy", 0) for row in flat}
        best, called = max(runs, key=runs.get), choice_words(runs)  # the best one's map says most
        place = list(runs).index(best)
        run = st.selectbox("Run", runs, place, format_func=lambda run: called[run.id], key="fit to")
        try:
            classes = max(1, min(MOST_COUNTED, len(points.class_names(run))))
        except (ValueError, FileNotFoundError):  # fitting to it says why
            classes = 1
        count = st.number_input("Components", 1, MOST_COUNTED, classes, step=1, key=f"components of {run.id}")
        if st.button("Fit a mixture", width="stretch"):
            with st.spinner("Fitting …"):
                manage.perform(lambda: fit_to(run, count), failed="The mixture could not be fitted")
            st.rerun()


def fit_to(run: Run, components: int) -> None:
    """This page's mixture becomes the one that fits a run's latents. Raises ValueError when there is none."""
    fit = queue.jobs().fit_prior(run, components)
    st.session_state["my others"] = others_of(words.values_of(fit.config))
    st.session_state["my run"] = run.id, fit.rows
    change({name: getattr(fit.config, name) for name in OWN})
