"""Home: what this is, one living map, the gallery of finished runs, what runs now."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml import presets
from semidml.lessons import LESSONS
from semidml.runs import listed
from semidml.runs.run import Run
from semidml.sweeps.sweep import list_sweeps
from semidml.ui import frame, gallery, links, living
from semidml.ui.words import setting_words

GALLERY = 8


def draw_home() -> None:
    """The page, whole."""
    frame.begin_page("semidml")
    finished = [row.run for row in listed.list_rows() if row.state == "done"]
    own, shipped = [r for r in finished if not r.is_shipped], [r for r in finished if r.is_shipped]
    star = choose_best(shipped or own)
    place = draw_heading(star)
    draw_starts()
    draw_finished(own[: GALLERY - min(4, len(shipped))] + shipped)
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
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Train on the digits", type="primary", icon=":material/play_circle:"):
                st.switch_page(frame.TRAIN)
            if run is not None:
                frame.link_run(frame.EXPLORE, "Explore this map", "travel_explore", run)
    with picture:
        if run is None:
            with frame.draw_empty("Here a map will move"):
                st.markdown("Once there is a finished run: **Train** makes one in a few seconds.")
        else:
            place = st.empty()
            place.html(living.frame_picture())
            meaning = "A point is an image, a colour a class."
            st.caption(f"{setting_words(run.config())}, from before training to its end. {meaning}")
            return place
    return st.empty()


def draw_finished(finished: list[Run]) -> None:
    """Finished runs as small maps, the newest first, then the shipped."""
    st.header("Finished runs")
    if not finished:
        st.markdown("None yet. They appear here with their map, their setting and their score.")
        return
    gallery.draw_gallery(finished[:GALLERY])
    if len(finished) > GALLERY:
        st.page_link(frame.RUNS, label=f"All {len(finished):,} as a table", icon=":material/table_rows:")


def draw_sweeps() -> None:
    """How many sweeps there are, where there are some: their runs are in no list."""
    if count := len(list_sweeps()):
        label = (
            "A sweep of many runs is on the page"
            if count == 1
            else f"{count:,} sweeps of many runs each are on the page"
        )
        st.page_link(frame.MANY, label=f"{label} Many at once", icon=":material/grid_on:")


def draw_starts() -> None:
    """The three claims, and settings to begin with."""
    st.header("Start with a claim")
    for column, lesson in zip(st.columns(len(LESSONS)), LESSONS.values(), strict=True):
        with column, st.container(border=True, key=f"card-{lesson.name}", height="stretch"):
            st.subheader(lesson.title, anchor=False)
            st.markdown(lesson.prediction.question)
            st.page_link(lesson.page, label="Predict, then see", icon=":material/school:")
    st.header("Or with a setting")
    for column, preset in zip(st.columns(len(presets.START)), presets.START, strict=True):
        with column, st.container(border=True, key=f"card-{preset.title}", height="stretch"):
            st.subheader(preset.title, anchor=False)
            st.markdown(preset.words)
            link = links.link_of(preset.config())
            st.page_link(frame.TRAIN, label="Set the knobs so", icon=":material/tune:", query_params=link)


def choose_best(finished: list[Run]) -> Run | None:
    """The run whose map says most: of those in two dimensions the one with the highest kNN accuracy."""
    flat = [run for run in finished if run.config().latent_dim == 2]
    return max(flat or finished, key=lambda run: (run.metrics() or {}).get("knn_accuracy") or 0, default=None)
