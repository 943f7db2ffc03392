"""The prior: place, spread and count components, see what they offer, draw from them, train with them."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from semidml import presets
from semidml.config import RunConfig, declared_knobs
from semidml.explore import drawing, points
from semidml.frames import Frame
from semidml.plots import counts
from semidml.priors.words import MOST_COUNTED
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scatter.pack import Drawing
from semidml.ui import cache, controls, knobs, links, maps, mixture, pictures, prior_samples
from semidml.ui.frame import TRAIN, begin_page, draw_bar, draw_recipe, follow_press, show_error
from semidml.ui.words import as_code, escape_markdown, estimate_words, python_of

SHADES = tuple(tenths / 10 for tenths in range(1, 10))  # of the prior's mass, each in a shade more than the next
SAMPLE_LOOK = ("#8a94a3", "circle")


def draw_offer(config: RunConfig, whole: bool) -> None:
    """What the mixture has to offer, the map of it, and the way between two neighbours."""
    st.markdown(cache.prior_words(config))
    mixed = mixture.picture()
    map_place, between = st.columns([2, 1])
    with map_place:
        draw_mixture(mixed, whole)
    with between:
        state = tuple(mixture.mine().values())
        pictures.draw_chart("between", state, lambda dark: counts.profile_figure(mixed, dark))
        st.caption(
            "The way from a component to its nearest neighbour: each one's share, and the whole density. Two equal "
            "Gaussians keep a valley between them only when they are more than 2 sigma apart."
        )
    if shown := next((preset.words for preset in presets.MIXTURES if mixture.mixture_of(preset) == mixture.mine()), ""):
        st.markdown(shown)  # below the map, which a drag would move otherwise
    prior_samples.draw_samples(mixed)


def draw_mixture(mixed: dict[str, Any], whole: bool) -> None:
    """Density, components, modes, and behind them samples or the run that the mixture was fitted to."""
    run, frame, words = choose_points(mixed)
    means, sigma = mixed["means"], mixed["sigma"]
    placed = mixed["samples"] if frame is None else frame.latents
    shown = np.concatenate([means - 3 * sigma, means + 3 * sigma])
    if frame is not None:
        shown = np.concatenate([shown, np.percentile(placed, [0.5, 99.5], axis=0)])
    view = f"prior {st.session_state.get('my view', 0)}"
    ranges = maps.map_extent(view, np.stack([shown.min(0), shown.max(0)]))
    largest = float(mixed["weights"].max())
    ellipses = [
        (x, y, sigma, sigma, 0.0, weight / largest) for (x, y), weight in zip(means, mixed["weights"], strict=True)
    ]
    about = {"words": f"A mixture of {len(means)} components with {len(mixed['modes'])} modes", "run": view}
    if frame is None:
        none = np.zeros(len(placed), bool)
        drawn = Drawing(placed, none.astype(int), none, none, ["sample"], [SAMPLE_LOOK], *ranges, **about, images=False)
    else:
        drawn = replace(drawing.draw_frame(frame, placed, points.class_names(run), ranges, **about), epoch=0)
    drawn = replace(
        drawn,
        ellipses=ellipses,
        movable=whole and len(means) <= MOST_COUNTED,
        moves=st.session_state.get("my moves", 0),
        address="view",
        start=links.start_of(mixture.PAGE, view),
        modes=mixed["modes"],
        density=mixed["regions"],
        masses=SHADES,
    )
    maps.draw_map(drawn, "map of the prior", moved=mixture.take_dropped)
    held = "Drag a component by its ring, or move it with the arrow keys." if whole else "First complete the table."
    marks = "Each shade inwards holds 10 % less of the density; an orange cross is a mode, a circle one or two sigma."
    st.caption(f"{held} {marks} {words}")


def choose_points(mixed: dict[str, Any]) -> tuple[Run | None, Frame | None, str]:
    """(the run that the mixture was fitted to, its newest frame, None and None for samples; which points these are, in
    words)."""
    chosen = st.session_state.get("my run")
    run = next((run for run in listing.list_runs() if chosen and run.id == chosen[0]), None)
    try:
        frame = cache.read_newest(run) if run else None
    except ValueError as error:
        show_error(error)
        frame = None
    if frame is None:
        return None, None, f"Points: {len(mixed['samples'])} samples of the mixture."
    fitted = f"fitted to {escape_markdown(chosen[1])}, without their labels" if chosen[1] else "the link names it"
    return run, frame, f"Points: the last map of the run {as_code(run.id)}; {fitted}."


begin_page("Prior", [*mixture.PARTS, *declared_knobs()])
if st.session_state.pop("to train", False):
    st.switch_page(TRAIN)
bar = draw_bar("The prior")
button_place = bar.container(width="content")
bar.container(key="about").caption(
    "A prior says where latents should lie, whatever their labels. **Can classes settle on its hills?** Only if it has "
    "hills: place the components, spread them, and see how many remain."
)
mixture.read_link()
problem_place = st.container()
knob_column, picture_column = st.columns([1, 3.25], gap="medium")
with knob_column, st.container(key="knobs"):
    whole = mixture.choose_mixture()
data = knobs.current_value("data")
try:
    others = {"data": data} | st.session_state.get("my others", mixture.others_of(presets.MIXTURES[0].values))
    # What goes with a fitted mixture is its run's whole setting.
    steps = presets.DIGITS_STEPS if data == "digits" and "my run" not in st.session_state else {}
    config = knobs.config_of(steps | mixture.TWO_D | others | mixture.mine())
except ValueError as error:
    with picture_column:
        show_error(error)
else:
    problem = controls.cannot_work(config)
    button_place.button(
        "Train with it",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not whole or bool(problem),  # what is drawn is not what stands in the table
        on_click=controls.train_setting,
        args=(config, st.session_state.get("my run", ("",))[0]),
        help=f"Trains with this prior, by a schedule that suits it, and shows the run. {estimate_words(config)}",
    )
    if problem:
        with picture_column:
            st.warning(escape_markdown(problem), icon=":material/block:")
    with picture_column, st.container(key="picture"):
        draw_offer(config, whole)
    with st.expander("The maths", icon=":material/functions:"):
        st.latex(r"p(z) = \sum_k w_k \, \mathcal N(z;\, m_k,\, \sigma^2 I), \qquad \sigma = e^{\text{log-variance}/2}")
        st.latex(r"L = w_S\, L_S + w_U\, \beta\, \mathrm{KL}\big(q(z|x)\,\|\,p(z)\big)")
        st.markdown(
            "The KL divergence of a mixture has no closed form; it is the mean over samples of log q(z|x) - log p(z). "
            "`balance = sinkhorn` puts responsibilities in its place that share a batch over the components, each "
            "taking what its weight says."
        )
    mixture.write_link(config)
    draw_recipe(config.command(), python_of(config), linked=True)
with problem_place:
    links.say_problems(mixture.PAGE)
follow_press()
