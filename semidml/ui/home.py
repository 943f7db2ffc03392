"""Home: what this is, one living map, the gallery of finished runs, what runs now."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml import presets
from semidml import words as words_module
from semidml.lessons import LESSONS
from semidml.methods import MODELS
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scores.meaning import list_left_out
from semidml.sweeps.sweep import list_sweeps
from semidml.ui import frame, links, living
from semidml.ui.words import escape_markdown, setting_words
from semidml.words import age_words

GALLERY = 8


def draw_home() -> None:
    """The page, whole."""
    frame.begin_page("semidml")
    finished = [run for run in listing.list_runs() if run.status().state == "done"]
    own, shipped = [r for r in finished if not r.is_shipped], [r for r in finished if r.is_shipped]
    star = choose_best(shipped or own)
    place = draw_heading(star)
    draw_starts()
    draw_gallery(own[: GALLERY - min(4, len(shipped))] + shipped)
    draw_sweeps()
    if star is not None:
        living.draw_living_map(star, place)


def draw_heading(run: Run | None) -> DeltaGenerator:
    """The sentence, and beside it the place of the living map, which is drawn last because it takes longest."""
    words, picture = st.columns([1, 1.25], gap="large", vertical_alignment="center")
    with words:
        st.title("See a latent space form")
        st.markdown(
            "Move a knob, press Train, and watch within seconds what a reconstruction, a prior and a handful of labels "
            "do to the space in which a network arranges images."
        )
        st.page_link(frame.TRAIN, label="Train on the digits", icon=":material/play_circle:")
        if run is not None:
            frame.link_run(frame.EXPLORE, "Explore this map", "travel_explore", run)
    with picture:
        if run is None:
            with st.container(border=True):
                st.markdown("Here a map will move, once there is a finished run. **Train** makes one in a few seconds.")
        else:
            place = st.empty()
            meaning = "A point is an image, a colour a class."
            st.caption(f"{setting_words(run.config())}, from before training to its end. {meaning}")
            return place
    return st.empty()


def draw_gallery(finished: list[Run]) -> None:
    """Finished runs as small maps, the newest first, then the shipped."""
    st.header("Finished runs")
    if not finished:
        st.markdown("None yet. They appear here with their map, their setting and their score.")
        return
    for start in range(0, min(len(finished), GALLERY), 4):
        for column, run in zip(st.columns(4), finished[start : start + 4], strict=False):
            with column:
                draw_card(run)
    if len(finished) > GALLERY:
        st.caption(f"And {len(finished) - GALLERY} more in the list on the pages Train and Explore.")


def draw_sweeps() -> None:
    """How many sweeps there are, where there are some: their runs are in no list."""
    if count := len(list_sweeps()):
        label = (
            "A sweep of many runs is on the page"
            if count == 1
            else f"{count:,} sweeps of many runs each are on the page"
        )
        st.page_link(frame.MANY, label=f"{label} Many at once", icon=":material/grid_on:")


def draw_card(run: Run) -> None:
    with st.container(border=True):
        living.draw_small_map(run)
        metrics = run.metrics() or {}
        score, title, remark = headline_words(run, metrics)
        st.markdown(f"**{setting_words(run.config())}: {score}**")
        kind = "; all points coincide" if metrics.get("collapsed") else ""
        st.caption(f"{title}{remark}; {'shipped' if run.is_shipped else age_words(run.created())}{kind}")
        frame.link_run(frame.TRAIN, "Look at it", "arrow_forward", run)


def headline_words(run: Run, metrics: dict) -> tuple[str, str, str]:
    """(the score of a run that tells most, what it is, what there is to know of it or ""): one that fits nothing to
    labels where the run saw none, and where no test class was trained on."""
    retrieved = "recall_at_1" in metrics and "knn_accuracy" not in metrics
    by_recall = retrieved or not MODELS[run.config().model].facts["labels"]
    if left_out := [words for words in list_left_out(metrics) if not {"recall_at_1", "knn_accuracy"} & set(metrics)]:
        return "no labels", left_out[0].rstrip("."), ""
    name = "recall_at_1" if by_recall else "knn_accuracy"
    note = metrics.get("notes", {}).get(name, "")
    remark, percent = f" ({escape_markdown(note)})" if note else "", words_module.percent(metrics.get(name))
    if by_recall:
        return f"R@1 {percent}", "Nearest other test image of the same class", remark
    return percent, "kNN on all labels", remark


def draw_starts() -> None:
    """The three claims, and settings to begin with."""
    st.header("Start with a claim")
    for column, lesson in zip(st.columns(len(LESSONS)), LESSONS.values(), strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{lesson.title}**")
            st.markdown(lesson.prediction.question)
            st.page_link(lesson.page, label="Predict, then see", icon=":material/school:")
    st.header("Or with a setting")
    for column, preset in zip(st.columns(len(presets.START)), presets.START, strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{preset.title}**")
            st.markdown(preset.words)
            link = links.link_of(preset.config())
            st.page_link(frame.TRAIN, label="Set the knobs so", icon=":material/tune:", query_params=link)


def choose_best(finished: list[Run]) -> Run | None:
    """The run whose map says most: of those in two dimensions the one with the highest kNN accuracy."""
    flat = [run for run in finished if run.config().latent_dim == 2]
    return max(flat or finished, key=lambda run: (run.metrics() or {}).get("knn_accuracy") or 0, default=None)
