"""Train: choose a setting, press Train, watch the points move."""

import streamlit as st

from semidml.config import RunConfig, declared_knobs
from semidml.data import labels, store
from semidml.data.splits import seen_labels
from semidml.frames import Frame
from semidml.methods import MODELS, VARIANTS, method_of
from semidml.plots.curves import score_curves
from semidml.plots.pictures import image_sheet
from semidml.priors import PRIORS
from semidml.runs.run import Run
from semidml.runs.status import Status
from semidml.schedules import SCHEDULES
from semidml.scores.table import PIXELS, SCORES
from semidml.ui import cache, knobs, lineage, maps, pictures, runs
from semidml.ui.frame import PRIOR, begin_page, draw_bar, is_warm
from semidml.ui.moments import read_moment, shown_names
from semidml.ui.words import pixels_words
from semidml.words import percent

PERCENTAGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
ALPHAS = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
GAMMAS = (0, 0.1, 0.3, 1, 3, 10, 20, 50, 100, 200, 500, 1000, 10_000)
DIMENSIONS = (1, 2, 3, 4, 6, 8, 10, 16, 32, 64)


def choose_config() -> RunConfig | None:
    """The knobs; the config that they make, or None after saying why they make none."""
    knobs.choose_method()
    knobs.choose_model()
    model = MODELS[knobs.current_value("model")]
    about = f"{model.summary[0].upper()}{model.summary[1:]}."
    st.caption(f"**{model.title[0].upper()}{model.title[1:]}**: *{model.facts['claim']}*", help=about)
    knobs.draw_knob("data", options=knobs.data_names())
    used = knobs.used_of(knobs.chosen_knobs())
    if "variant" in used:
        knobs.draw_knob("variant", horizontal=True)
        summary = VARIANTS[knobs.current_value("variant")].summary
        st.caption(f"{summary[0].upper()}{summary[1:]}.")
    if page := (facts := method_of(model.name).facts).get("page"):
        st.page_link(page, label=f"Its own page: {facts['shows']}", icon=":material/bubble_chart:")
    draw_seen_slider()
    parts = ["reconstruction"] * model.facts["decoder"] + ["prior"] * model.facts["prior"]
    unsupervised = " and the ".join(parts) or "loss of all images"
    only = "prior" if model.facts["prior"] and not model.facts["decoder"] else "images"
    if "alpha" in used:
        knobs.draw_knob("alpha", label=f"Alpha: weight of the {unsupervised}", options=ALPHAS, slider=True)
        knobs.draw_ends("0: labels only", f"1: {only} only")
    if "gamma" in used:
        label = f"Gamma: weight of the labels beside the {unsupervised}"
        knobs.draw_knob("gamma", label=label, options=GAMMAS, slider=True)
        knobs.draw_ends(f"0: {only} only", "labels above all")
    left, right = st.columns(2)
    with left:
        knobs.draw_knob("latent_dim", label="Dimensions", options=DIMENSIONS, format_func=str)
    with right:
        knobs.draw_knob("epochs")
    if "prior" in used:
        draw_prior_knobs(used)

    def draw_schedule() -> None:
        if "schedule" in used:
            knobs.draw_knob("schedule")
            st.caption(f"{SCHEDULES[knobs.current_value('schedule')].summary}.")

    of_prior = {name for entry in PRIORS.values() for name in entry.knobs} | {"beta", "beta_warmup_epochs"}
    return knobs.draw_more_knobs({*of_prior, "variant"}, draw_schedule)


def draw_prior_knobs(used: set[str]) -> None:
    """What a prior has of its own, and what a mixture offers."""
    prior, place = PRIORS[knobs.current_value("prior")], st.container()
    with st.expander(f"The prior: {prior.title}", icon=":material/bubble_chart:"):
        for name in (*prior.knobs, "beta", "beta_warmup_epochs"):
            if name in used:
                knobs.draw_knob(name)
        at_vertices = knobs.current_value("placement") == "vertices"
        simple = at_vertices and not knobs.current_value("component_weights")  # told without torch
        if prior.name == "gmm" and (is_warm() or simple):
            try:
                place.caption(cache.prior_words(knobs.chosen_config()))
            except ValueError as error:
                place.caption(f":material/block: {error}")
            st.page_link(PRIOR, label="Play with it alone", icon=":material/bubble_chart:")


def draw_seen_slider() -> None:
    """The labels that are seen: logarithmic, counted in labels."""
    pl = knobs.current_value("pl")
    try:
        images = store.training(*map(knobs.current_value, ("data", "split", "evaluate_on")))
    except ValueError:
        knobs.draw_knob("pl")
        return
    counts = {step: seen_labels(step, images.official) for step in (*PERCENTAGES, pl)}
    steps = {count: step for step, count in counts.items()}.values()  # a percentage a count
    if len(steps) > 1:
        knobs.draw_knob("pl", options=steps, slider=True, format_func=lambda step: f"{counts[step]:,}")
    sampling, told = knobs.current_value("label_sampling"), (images.classes, images.unlabelled)
    st.caption(labels.describe(pl, images.official, sampling, *told) if images.official else "No image has a label.")


def draw_map(run: Run, status: Status, newest: Frame) -> Frame:
    """The map of a run at the epoch that is chosen, the newest while it goes on."""
    map_place = st.container()
    with st.container():
        shown = runs.choose_epoch(run, newest, status.active)
    with map_place:
        maps.draw_run_map(run, shown, newest, "map", page=runs.page_name())
    return shown


def draw_details(run: Run, status: Status, frame: Frame) -> None:
    """What else changes while a run goes on."""
    draw_floors(run, frame)
    with st.container():
        pictures.draw_reconstructions(run, frame)
    with st.container():
        draw_prior_pictures(frame)
    draw_curves(run)
    if status.state == "done":
        lineage.draw_beside_parent(run)


def draw_floors(run: Run, frame: Frame) -> None:
    """The floors that need no training, and what else the scores of a frame say."""
    here = read_moment(run, frame)
    now = here.now
    floors, why = cache.floors_or_reason(run)
    words = [
        f"{pixels_words(run)} {percent(floors[f'{PIXELS}{name}'])} ({SCORES[name].title})"
        for name in shown_names(run, here, "train")
        if f"{PIXELS}{name}" in floors
    ]
    words += [f"chance {percent(floors['chance'])}"] if "chance" in floors else []
    words += [f"spread {now['spread']:.2g}"] if now.get("spread") is not None else []
    words += [f"effective rank {now['effective_rank']:.1f}"] if now.get("effective_rank") is not None else []
    if now.get("component_ami") is not None:
        words += [f"components used {now['components_used']:.0f}"]
        words += [f"distance to the own component {now['component_distance']:.2f} sigma a dimension"]
        kinds = {"component_ami_rotated": "latents turned", "component_ami_random": "components anywhere"}
        amis = [f"{kind} {now[name]:.2f}" for name, kind in kinds.items() if now.get(name) is not None]
        words += [f"component AMI without their places: {', '.join(amis)}"] if amis else []
    with st.container(key="floors"):
        st.caption(f"To hold the scores against: {' · '.join([*words, *([why] if why else [])])}")


def draw_prior_pictures(frame: Frame) -> None:
    """What the decoder makes of the components' means, and a VampPrior's pseudo-inputs."""
    strips = {
        "The prior's components, decoded at their means": frame.component_images,
        "The pseudo-inputs: images that were learned, whose latents are the prior's components": frame.pseudo_inputs,
    }
    for words, images in strips.items():
        if images is not None:
            pictures.draw_pixels(image_sheet(images, columns=min(16, len(images)), scale=1), words)
            st.caption(words)


def draw_curves(run: Run) -> None:
    history, epochs = run.history(), run.config().epochs
    floors, _ = cache.floors_or_reason(run)
    loss, score = st.columns(2)
    with loss:
        pictures.draw_losses(history, epochs)
    with score:
        chart = score_curves(pictures.thinned_history(history), floors, epochs=epochs)
        pictures.draw_scores("scores", history, chart)


# ---- the page

begin_page("Train", ["run", *runs.OF_RUN, *declared_knobs()])
bar = draw_bar("Train")
st.caption("Choose a setting, press **Train**, watch the points move. Each point is an image; its colour is its class.")
runs.draw_trainer(bar, choose_config, draw_map, draw_details, "a few", "train")
