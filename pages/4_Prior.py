"""The prior: place, spread and count components, see what they offer, draw from them, train with them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from semidml import explore, jobs, plots, presets, runs, scatter, ui
from semidml.config import RunConfig, knobs
from semidml.methods import with_prior
from semidml.priors import given
from semidml.priors.words import MOST_COUNTED

TWO_D = {"model": "dml-prior", "prior": "gmm", "latent_dim": 2}
OWN = ("placement", "positions", "components", "component_spacing", "component_log_var", "component_weights")
SAMPLES_DECODED = 16
SHADES = tuple(tenths / 10 for tenths in range(1, 10))  # of the prior's mass, each in a shade more than the next
SAMPLE_LOOK = ("#8a94a3", "circle")


# ---- this page's mixture


def mine() -> dict[str, Any]:
    """This page's mixture; at first the paper's."""
    return st.session_state.setdefault("my mixture", mixture_of(presets.MIXTURES[0]))


def mixture_of(preset: presets.Preset) -> dict[str, Any]:
    return {name: preset.values.get(name, knobs()[name].default) for name in OWN}


def others_of(preset: presets.Preset) -> dict[str, Any]:
    """What else it is trained with."""
    return {name: value for name, value in preset.values.items() if name not in OWN}


def change(values: dict[str, Any], *, seen_anew: bool = True) -> None:
    """Knobs of the mixture, other than by its table, which is filled anew; the map too finds its frame anew, if it is
    to be seen anew."""
    mine().update(values)
    st.session_state["my table"] = st.session_state.get("my table", 0) + 1
    st.session_state["my view"] = st.session_state.get("my view", 0) + seen_anew
    st.session_state.pop("my trouble", None)


def take(preset: presets.Preset) -> None:
    st.session_state["my others"] = others_of(preset)
    st.session_state.pop("my run", None)
    change(mixture_of(preset))


def picture() -> dict[str, Any]:
    return ui.prior_picture(**mine())


def as_given(middles: Any) -> dict[str, Any]:
    """The knobs of a mixture whose components lie there."""
    positions = given.rounded(middles, mine()["component_log_var"])
    return {"placement": "given", "positions": given.positions_text(positions)}


def moved(name: str) -> None:
    """A knob was moved. Components that are to be given start from where they are now; weights belong to given ones."""
    value = st.session_state[f"my {name}"]
    if name != "placement":
        change({name: value})
    elif value == "given":
        give(lambda: picture()["means"], seen_anew=True)
    else:
        change({"placement": value, "component_weights": ""})


def dropped(sent: Any) -> None:
    """A component was moved on the map: wherever they were placed before, all of them are given now."""

    def middles() -> Any:
        number, found = scatter.middles_of(sent, len(picture()["means"]))
        st.session_state["my moves"] = number
        return found

    give(middles, seen_anew=False)


def give(middles: Callable[[], Any], *, seen_anew: bool) -> None:
    """The components are given from now on; where they cannot be, the mixture stays, and the page says why."""
    try:
        values = as_given(middles())
        given.positions_of(values["positions"])
    except ValueError as error:
        st.session_state["my trouble"] = str(error)
    else:
        change(values, seen_anew=seen_anew)


def train_with(config: RunConfig) -> None:
    ui.set_knobs(ui.values_of(config))
    st.session_state["to train"] = True


# ---- left: presets, a run's mixture, knobs


def choose() -> bool:
    """Presets, and the knobs of the mixture; whether these are whole: a row of the table may not be filled in yet."""
    st.markdown("**Start from**")
    for preset in presets.MIXTURES:
        kind = "primary" if mixture_of(preset) == mine() else "secondary"
        key = f"preset {preset.title}"
        st.button(preset.title, on_click=take, args=(preset,), width="stretch", type=kind, key=key)
    from_a_run()
    if trouble := st.session_state.get("my trouble"):
        ui.trouble(trouble)
    known, used = knobs(), ui.used_of(TWO_D | mine())
    whole = True
    for name in OWN:
        knob, key = known[name], f"my {name}"
        if name not in used or name == "component_weights":
            continue
        if name == "positions":
            whole = table()
            continue
        if st.session_state.get(key) != mine()[name]:
            st.session_state[key] = mine()[name]
        common = {"key": key, "on_change": moved, "args": (name,), "help": knob.help.capitalize() + "."}
        if knob.choices:
            st.selectbox(ui.title(name), knob.choices, knob.choices.index(mine()[name]), **common)
        elif knob.kind is int:
            st.number_input(ui.title(name), int(knob.low), MOST_COUNTED, int(mine()[name]), step=1, **common)
        else:
            step = 0.5 if name == "component_log_var" else 0.1
            low = float(0.1 if knob.low_is_open else knob.low)
            st.number_input(
                ui.title(name), low, float(knob.high), float(mine()[name]), step=step, format="%g", **common
            )
    return whole


def table() -> bool:
    """Positions and weights, a row a component. What is not whole yet is said, and stays in the table; until it is, the
    mixture stays as it was."""
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
    rows, said = st.session_state["my rows"][1], st.container()
    filled = st.data_editor(
        rows, num_rows="dynamic", hide_index=False, column_config=columns, key=f"my table {version}"
    )
    try:
        if len(filled) > MOST_COUNTED:
            raise ValueError(f"this page shows at most {MOST_COUNTED} components, got {len(filled)}")
        positions, weights = given.of_table(filled.itertuples(index=False))
    except ValueError as error:
        with said:
            ui.trouble(error)
        return False
    mine().update(positions=positions, component_weights=weights)
    return True


def from_a_run() -> None:
    """A mixture fitted to a finished run's latents."""
    done = [(run, run.config()) for run in runs.list_runs() if run.status().state == "done"]
    flat = [run for run, its in done if its.latent_dim == 2 and with_prior(its.model)]
    with st.expander("From a run", icon=":material/scatter_plot:"):
        if not flat:
            st.caption("No finished run with labels has two dimensions: train one, and its latents can make a prior.")
            return
        st.caption("Fits a mixture to the latents of a finished run; no label is used.")
        best = max(flat, key=lambda run: (run.metrics() or {}).get("knn_accuracy") or 0)  # its map says most
        run = st.selectbox("Run", flat, flat.index(best), format_func=ui.run_words, key="fit to")
        try:
            classes = min(MOST_COUNTED, len(ui.class_names(run)))
        except (ValueError, FileNotFoundError):  # fitting to it says why
            classes = 1
        count = st.number_input("Components", 1, MOST_COUNTED, classes, step=1, key=f"components of {run.id}")
        if st.button("Fit a mixture", width="stretch"):
            with st.spinner("Fitting …"):
                fit_to(run, count)
            st.rerun()


def fit_to(run: runs.Run, components: int) -> None:
    try:
        found = jobs.jobs().fit_prior(run, components)
    except (ValueError, FileNotFoundError) as error:
        st.session_state["my trouble"] = str(error)
        return
    values = ui.values_of(found.config)
    st.session_state["my others"] = {name: value for name, value in values.items() if name not in OWN}
    st.session_state["my run"] = run.id, found.rows
    change({name: getattr(found.config, name) for name in OWN})


# ---- right: what it offers


def offer(config: RunConfig, whole: bool) -> None:
    """What the mixture has to offer, the map of it, and the way between two neighbours."""
    st.markdown(f"### {ui.prior_words(config)}")
    its = picture()
    map_place, between = st.columns([1.5, 1])
    with map_place:
        its_map(its, whole)
    with between:
        ui.chart("between", (*mine().values(), ui.dark()), lambda: plots.profile_figure(its, ui.dark()))
        st.caption(
            "The way from a component to its nearest neighbour: each one's share, and the whole density. Two equal "
            "Gaussians keep a valley between them only when they are more than 2 sigma apart."
        )
    if shown := next((preset.words for preset in presets.MIXTURES if mixture_of(preset) == mine()), ""):
        st.markdown(shown)  # below the map, which a drag would move otherwise
    decoded(its)


def its_map(its: dict[str, Any], whole: bool) -> None:
    """Density, components, modes, and behind them samples or the run that the mixture was fitted to."""
    drawn, words = behind(its)
    means, sigma = its["means"], its["sigma"]
    shown = np.concatenate([means - 3 * sigma, means + 3 * sigma])
    if drawn["images"]:
        shown = np.concatenate([shown, np.percentile(drawn["points"], [0.5, 99.5], axis=0)])
    view = f"prior {st.session_state.get('my view', 0)}"
    x_range, y_range = ui.extent(view, np.stack([shown.min(0), shown.max(0)]))
    largest = float(its["weights"].max())
    ellipses = [
        (x, y, sigma, sigma, 0.0, weight / largest) for (x, y), weight in zip(means, its["weights"], strict=True)
    ]
    packed = scatter.pack(
        **drawn,
        x_range=x_range,
        y_range=y_range,
        words=f"A mixture of {len(means)} components with {len(its['modes'])} modes",
        ellipses=ellipses,
        movable=whole and len(means) <= MOST_COUNTED,
        moves=st.session_state.get("my moves", 0),
        modes=its["modes"],
        density=its["regions"],
        masses=SHADES,
        run=view,
        dark=ui.dark(),
    )
    ui.live_map(packed, "map of the prior", moved=dropped)
    held = "Drag a component by its ring, or move it with the arrow keys." if whole else "First complete the table."
    marks = "Each shade inwards holds 10 % less of the density; an orange cross is a mode, a circle one or two sigma."
    st.caption(f"{held} {marks} {words}")


def behind(its: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """(points for `scatter.pack`, what they are, in words)."""
    chosen = st.session_state.get("my run")
    run = next((run for run in runs.list_runs() if chosen and run.id == chosen[0]), None)
    try:
        found = ui.look(run) if run else None
    except ValueError as error:
        ui.trouble(error)
        found = None
    if found is None:
        n = len(its["samples"])
        none = np.zeros(n, bool)
        points = {"points": its["samples"], "categories": np.zeros(n, int), "seen": none, "test": none, "images": False}
        return points | {"names": ["sample"], "looks": [SAMPLE_LOOK]}, f"Points: {n} samples of the mixture."
    frame, rows = found
    names = ui.class_names(run)
    points = {"points": frame["latents"], "categories": rows["labels"], "images": True}
    points |= {"seen": rows["seen"], "test": rows["split"] == explore.TEST}
    fitted = f"fitted to {ui.inert(chosen[1])}, without their labels"
    words = f"Points: the last map of the run {ui.plain(run.id)}; {fitted}."
    return points | {"names": names, "looks": plots.class_looks(len(names))}, words


def decoded(its: dict[str, Any]) -> None:
    """Samples as a run's decoder sees them."""
    able = [run for run in runs.list_runs() if run.status().state == "done" and ui.decodes_plane(run)]
    st.markdown("**Samples, decoded**")
    if not able:
        st.caption("No finished run has a decoder and two dimensions: train one, and it can draw these samples.")
        return
    chosen = st.selectbox("By the decoder of", able, format_func=ui.run_words, key="decoder of")
    try:
        strip = ui.decoded_samples(chosen.id, its["samples"][:SAMPLES_DECODED])
    except ValueError as error:
        ui.trouble(error)
        return
    ui.pixels(strip, "samples of the prior, decoded")
    config = chosen.config()
    if config.prior != "gmm" or any(getattr(config, name) != value for name, value in mine().items()):
        st.caption("This run was not trained with this prior: its decoder has seen images in other places.")


ui.page("Prior", ":material/bubble_chart:")
if st.session_state.pop("to train", False):
    st.switch_page(ui.TRAIN)
st.title("The prior")
st.markdown(
    "A prior says where latents should lie, whatever their labels. **Can classes settle on its hills?** Only if it has "
    "hills: place the components, spread them, and see how many remain."
)
knob_column, picture_column = st.columns([1.1, 2.8], gap="large")
with knob_column:
    whole = choose()
data = ui.current("data")
try:
    others = {"data": data} | st.session_state.get("my others", others_of(presets.MIXTURES[0]))
    # What goes with a fitted mixture is its run's whole setting.
    steps = presets.DIGITS_STEPS if data == "digits" and "my run" not in st.session_state else {}
    config = ui.config_of(steps | TWO_D | others | mine())
except ValueError as error:
    with picture_column:
        ui.trouble(error)
else:
    with knob_column:
        st.button(
            "Train with it",
            type="primary",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=not whole,  # what is drawn is not what stands in the table
            on_click=train_with,
            args=(config,),
            help="Sets the knobs of Train to this prior, with a schedule that suits it; there you press Train.",
        )
    with picture_column:
        offer(config, whole)
    with st.expander("The maths", icon=":material/functions:"):
        st.latex(r"p(z) = \sum_k w_k \, \mathcal N(z;\, m_k,\, \sigma^2 I), \qquad \sigma = e^{\text{log-variance}/2}")
        st.latex(r"L = w_S\, L_S + w_U\, \beta\, \mathrm{KL}\big(q(z|x)\,\|\,p(z)\big)")
        st.markdown(
            "The KL divergence of a mixture has no closed form; it is the mean over samples of log q(z|x) - log p(z). "
            "`balance = sinkhorn` puts responsibilities in its place that share a batch over the components, each "
            "taking what its weight says."
        )
    ui.foot(config.command(), ui.python_of(config))
