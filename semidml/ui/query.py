"""Ask a run for images like one image."""

import numpy as np
import streamlit as st

from semidml.explore import pictures, points
from semidml.explore.near import nearest_rows
from semidml.frames import SPLITS, Frame
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scatter import bundle, sent
from semidml.ui import cache
from semidml.ui.explorer.answers import WORDS
from semidml.ui.manage import perform
from semidml.ui.pictures import image_source, pictures_html, say_missing
from semidml.words import class_name

QUERIES, ANSWERS = 16, 8
ANSWER = 80  # pixels across: the query and its answers are one row beside the knobs of a laptop
SHARP = 128  # pixels a side, at most, of an answer, which is shown at ANSWER; of what is shown smaller, `reduced`'s own


def ask(run_id: str, position: int) -> None:
    st.session_state["query"] = {run_id: position}


def draw_query(run: Run, frame: Frame) -> None:
    """An image that the visitor picks, and its nearest other images of the same split, right and wrong marked."""
    st.header("Ask for what is alike")
    if say_missing(run):
        return
    rows, names = frame.rows, points.class_names(run)
    offered = [int(position) for position in rows["shown"][:QUERIES]]
    chosen = st.session_state.get("query", {}).get(run.id, offered[0])
    chosen = chosen if 0 <= chosen < len(rows["labels"]) else offered[0]
    labels = rows["labels"][offered]
    words = [f"query: an image of {names[c]}" if c >= 0 else "query: an image without a label" for c in labels]
    key = f"gallery {run.id}"

    def picked() -> None:
        ask(run.id, offered[sent.picked_of(st.session_state[key]["picked"], len(offered))])

    draw = st.components.v2.component(
        bundle.GALLERY, html=bundle.GALLERY_HTML, css=bundle.css(), js=bundle.javascript("gallery")
    )
    gallery = {
        "images": offered_images(run.id, seen_last(run)),
        "words": words,
        "chosen": offered.index(chosen) if chosen in offered else -1,
    }
    draw(data=gallery, key=key, on_picked_change=lambda: perform(picked), height="content")
    picture, words_below = answers(run.id, chosen, seen_last(run, frame), frame, names)
    st.html(picture)
    st.caption(words_below)


def seen_last(run: Run, frame: Frame | None = None) -> tuple[int, ...]:
    """A key for what is drawn of a run, or of one frame of it: while nothing new is written, nothing is drawn anew."""
    moment = () if frame is None else (frame.epoch, frame.step)
    return (*points.stamp(run, "config.json", "rows.npz"), *moment)


@cache.bounded(st.cache_data(show_spinner=False))
def offered_images(run_id: str, key: tuple) -> list[str]:
    """The images that can be picked, as addresses."""
    run = listing.open_run(run_id)
    rows = run.rows()
    images = pictures.read_pictures(cache.images_of(run), rows, rows["shown"][:QUERIES])
    return [image_source(image) for image in pictures.reduce_images(images)]


@cache.bounded(st.cache_data(show_spinner=False))
def answers(run_id: str, chosen: int, key: tuple, _frame: Frame, _names: list[str]) -> tuple[str, str]:
    """(a query with its answers as HTML, what they are in words)."""
    labels, split = _frame.rows["labels"], _frame.rows["split"]
    near = nearest_rows(_frame.latents, split == split[chosen], chosen, ANSWERS).positions
    images = pictures.read_pictures(cache.images_of(listing.open_run(run_id)), _frame.rows, [chosen, *near])
    told = (labels[near] >= 0) & (labels[chosen] >= 0)
    right = told & (labels[near] == labels[chosen])
    marks = np.where(right, "✓ ", np.where(told, "✗ ", ""))
    captions = [f"query: {class_name(_names, labels[chosen])}"]
    captions += [f"{mark}{class_name(_names, labels[i])}" for mark, i in zip(marks, near, strict=True)]
    part = WORDS[SPLITS[split[chosen]]].lower()
    of = "them" if told.all() else f"the {int(told.sum())} with a label"
    words = (
        f"The {len(near)} nearest of the {part} images drawn, by cosine, nearest first"
        + (f"; {int(right.sum())} of {of} are of the query's class" if told.any() else "")
        + ". Pick an image above, or click a point of the map."
    )
    return pictures_html(pictures.reduce_images(images, SHARP), captions, ANSWER), words
