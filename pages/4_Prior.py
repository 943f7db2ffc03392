"""The prior: place, spread and count components, see what they offer, draw from them, train with them."""

from typing import Any

import streamlit as st

from semidml import plots, presets, runs, ui
from semidml.config import RunConfig, knobs

TWO_D = {"model": "dml-prior", "prior": "gmm", "latent_dim": 2}
OWN = ("placement", "positions", "components", "component_spacing", "component_log_var", "component_weights")
SAMPLES_DECODED = 16


def mine() -> dict[str, Any]:
    """This page's mixture; at first the paper's."""
    return st.session_state.setdefault("my mixture", mixture_of(presets.MIXTURES[0]))


def mixture_of(preset: presets.Preset) -> dict[str, Any]:
    return {name: preset.values.get(name, knobs()[name].default) for name in OWN}


def take(preset: presets.Preset) -> None:
    st.session_state["my mixture"] = mixture_of(preset)
    st.session_state["my others"] = {name: value for name, value in preset.values.items() if name not in OWN}


def choose() -> None:
    """Presets, and the knobs of the mixture."""
    st.markdown("**Start from**")
    for preset in presets.MIXTURES:
        kind = "primary" if mixture_of(preset) == mine() else "secondary"
        key = f"preset {preset.title}"
        st.button(preset.title, on_click=take, args=(preset,), width="stretch", type=kind, key=key)
    known = knobs()
    used = ui.used_of(TWO_D | mine())
    for name in OWN:
        if name not in used:
            continue
        knob, key = known[name], f"my {name}"
        if st.session_state.get(key) != mine()[name]:
            st.session_state[key] = mine()[name]
        common = {"key": key, "on_change": moved, "args": (name,), "help": knob.help.capitalize() + "."}
        if knob.choices:
            st.selectbox(ui.title(name), knob.choices, knob.choices.index(mine()[name]), **common)
        elif knob.form:
            st.text_input(ui.title(name), mine()[name], placeholder=knob.form, **common)
        elif knob.kind is int:
            st.number_input(ui.title(name), int(knob.low), 64, int(mine()[name]), step=1, **common)
        else:
            step = 0.5 if name == "component_log_var" else 0.1
            low = float(0.1 if knob.low_is_open else knob.low)
            st.number_input(
                ui.title(name), low, float(knob.high), float(mine()[name]), step=step, format="%g", **common
            )


def moved(name: str) -> None:
    mine()[name] = st.session_state[f"my {name}"]


def train_with(config: RunConfig) -> None:
    ui.set_knobs(ui.values_of(config))
    st.session_state["to train"] = True


def offer(config: RunConfig) -> None:
    """What the mixture has to offer, its density, and the way between two neighbours."""
    st.markdown(f"### {ui.prior_words(config)}")
    its = ui.prior_picture(**{name: getattr(config, name) for name in OWN})
    shown = next((preset.words for preset in presets.MIXTURES if mixture_of(preset) == mine()), None)
    if shown:
        st.markdown(shown)
    state = (*mine().values(), ui.dark())
    density, between = st.columns([1.5, 1])
    with density:
        ui.chart("density", state, lambda: plots.density_figure(its, ui.dark()))
        st.caption("Density, with components at one sigma, modes as crosses and 400 samples.")
    with between:
        ui.chart("between", state, lambda: plots.profile_figure(its, ui.dark()))
        st.caption(
            "The way from a component to its nearest neighbour: each one's share, and the whole density. Two equal "
            "Gaussians keep a valley between them only when they are more than 2 sigma apart."
        )
    decoded(its)


def decoded(its: dict[str, Any]) -> None:
    """Samples as a run's decoder sees them."""
    able = [run for run in runs.list_runs() if run.status().state == "done" and ui.decodes_plane(run)]
    st.markdown("**Samples, decoded**")
    if not able:
        st.caption("No finished run has a decoder and two dimensions: train one, and it can draw these samples.")
        return
    chosen = st.selectbox("By the decoder of", able, format_func=ui.run_words, key="decoder of")
    ui.pixels(ui.decoded_samples(chosen.id, its["samples"][:SAMPLES_DECODED]), "samples of the prior, decoded")
    if chosen.config().prior == "none":
        st.caption(
            "This run was trained without a prior: its decoder has seen images elsewhere than where these samples lie."
        )


ui.page("Prior", ":material/bubble_chart:")
if st.session_state.pop("to train", False):
    st.switch_page(ui.TRAIN)
st.title("The prior")
st.markdown(
    "A prior says where latents should lie, whatever their labels. **Can classes settle on its hills?** Only if it has "
    "hills: place the components, spread them, and see how many remain."
)
knob_column, picture_column = st.columns([1, 2.9], gap="large")
with knob_column:
    choose()
data = ui.current("data")
try:
    others = st.session_state.get("my others", {}) | (presets.DIGITS_STEPS if data == "digits" else {})
    config = RunConfig.of(TWO_D | {"data": data} | mine() | others)
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
            on_click=train_with,
            args=(config,),
            help="Sets the knobs of Train to this prior, with a schedule that suits it; there you press Train.",
        )
    with picture_column:
        offer(config)
    with st.expander("The maths", icon=":material/functions:"):
        st.latex(r"p(z) = \sum_k w_k \, \mathcal N(z;\, m_k,\, \sigma^2 I), \qquad \sigma = e^{\text{log-variance}/2}")
        st.latex(r"L = w_S\, L_S + w_U\, \beta\, \mathrm{KL}\big(q(z|x)\,\|\,p(z)\big)")
        st.markdown(
            "The KL divergence of a mixture has no closed form; it is the mean over samples of log q(z|x) - log p(z). "
            "`balance = sinkhorn` puts responsibilities in its place that share a batch evenly over the components."
        )
    ui.foot(config.command(), ui.python_of(config))
