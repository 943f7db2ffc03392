"""Train: choose a setting, press Train, watch the points move."""

from collections.abc import Mapping
from typing import Any

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
from semidml.schedules import SCHEDULES
from semidml.scores.table import PIXELS, SCORES, live_where, shown_at
from semidml.ui import cache, knobs, lineage, maps, pictures, runs
from semidml.ui.frame import PRIOR, begin_page, is_warm
from semidml.ui.scores import score_row, scores_now, tests_labels
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
    st.caption(f"**{model.title[0].upper()}{model.title[1:]}**: {model.summary}.  \n*{model.facts['claim']}*")
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
    if "schedule" in used:
        knobs.draw_knob("schedule")
        st.caption(f"{SCHEDULES[knobs.current_value('schedule')].summary}.")
    if "prior" in used:
        draw_prior_knobs(used)
    of_prior = {name for entry in PRIORS.values() for name in entry.knobs} | {"beta", "beta_warmup_epochs"}
    return knobs.draw_more_knobs({*of_prior, "variant"})


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


def draw_run(run_id: str, was_active: bool) -> None:
    """All that changes while a run goes on."""
    live = runs.live_run(run_id, was_active)
    if live is None:
        return
    run, status, newest = live
    draw_scores(run)
    floor_place = st.container() if is_warm() else st.empty()
    if not is_warm():  # floors need torch, which a cold app is still loading: the map does not wait for it
        floor_place.caption("Chance and raw pixels follow when PyTorch has been loaded.")
    map_place = st.container()
    with st.container():
        frame = runs.choose_epoch(run, newest, status.active)
    with map_place:
        maps.draw_run_map(run, frame, newest, "map", page=runs.page_name())
    if floors := floor_words(run):
        floor_place.caption(floors)
    with st.container():
        pictures.draw_reconstructions(run, frame)
    with st.container():
        draw_prior_pictures(frame)
    draw_curves(run)
    runs.draw_seeds(run, status)
    if status.state == "done":
        lineage.draw_beside_parent(run)
    runs.draw_queue(run_id)


def draw_scores(run: Run) -> None:
    """Scores now and before training, and what else is known of the latents."""
    before, now, failed = scores_now(run)
    always = live_where("always", *(() if now or before else ("classes",)), labels=tests_labels(run))
    words = [f"Scores of {'all test images' if run.metrics() else 'the drawn test points'}"]
    words += [f"spread {now['spread']:.2g}"] if now.get("spread") is not None else []
    words += [f"effective rank {now['effective_rank']:.1f}"] if now.get("effective_rank") is not None else []
    if now.get("component_ami") is not None:
        words += [f"components used {now['components_used']:.0f}"]
        words += [f"distance to the own component {now['component_distance']:.2f} sigma a dimension"]
        kinds = {"component_ami_rotated": "latents turned", "component_ami_random": "components anywhere"}
        amis = [f"{kind} {now[name]:.2f}" for name, kind in kinds.items() if now.get(name) is not None]
        words += [f"component AMI without their places: {', '.join(amis)}"] if amis else []
    score_row(scored_names(run, before, now), before, now, failed, always=always, words=" · ".join(words), of=run.id)


def scored_names(run: Run, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The scores that Train shows: recall where it is known while the run goes on, or stands for the kNN scores."""
    has_recall = "recall_at_1" in before or ("knn_accuracy" not in now and tests_labels(run))
    return [name for name in shown_at("train") if name != "recall_at_1" or has_recall]


def floor_words(run: Run) -> str:
    """What needs no training, in words, or why it is not known; it is the same while a run goes on."""
    floors, why = cache.floors_or_reason(run)
    before, now, _ = scores_now(run)
    words = [
        f"{pixels_words(run)} {percent(floors[f'{PIXELS}{name}'])} ({SCORES[name].title})"
        for name in scored_names(run, before, now)
        if f"{PIXELS}{name}" in floors
    ]
    words += [f"chance {percent(floors['chance'])}"] if "chance" in floors else []
    told = f"Without training: {' · '.join(words)}" if words else ""
    return " · ".join(filter(None, [told, why]))


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

begin_page("Train", ["run", *runs.PARTS[-2:], *declared_knobs()])
st.title("Train")
st.markdown(
    "Choose a setting, press **Train**, watch the points move. Each point is an image; its colour is its class."
)
runs.draw_trainer(choose_config, draw_run, "a few")
