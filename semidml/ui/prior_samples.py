"""Samples of the mixture on the page The prior, as a run that was trained with it sees them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from semidml.explore import near, pictures
from semidml.plots.pictures import image_strip
from semidml.runs import listed
from semidml.runs.listed import Listed
from semidml.runs.run import Run
from semidml.ui import cache, frame, links, living, mixture
from semidml.ui.names import choice_words
from semidml.ui.pictures import draw_pixels
from semidml.ui.words import as_code
from semidml.words import decimals, percent

SAMPLES_DRAWN = 16


def draw_samples(mixed: Mapping[str, Any]) -> None:
    """Samples as a run with the same prior draws them, the newest at first; where it has no decoder, the images that it
    put nearest to them; where it collapsed, that and what it means. Of a mixture that nobody has trained with, by a
    decoder that learned other places."""
    done = [row for row in listed.list_rows() if row.state == "done"]
    same = [row for row in done if has_prior(row, mixture.mine())]
    others = [row for row in done if row not in same and cache.decodes_plane(row.run)]
    st.header("Samples, as a run sees them", anchor=False)
    if not (same or others):
        st.caption("No finished run has this prior, or a decoder and two dimensions: train one, and it can draw these.")
        return
    row = choose_run(same, others)
    if row not in same:
        st.caption("No finished run has this prior: **Train with it** makes one. This decoder knows other places.")
    elif row.scores.get("collapsed"):
        draw_collapse(row, mixed)
        return
    if not frame.is_warm():
        st.caption(cache.COLD)
        return
    samples = mixed["samples"][:SAMPLES_DRAWN]
    try:
        if cache.decodes_plane(row.run):
            draw_pixels(cache.decoded_samples(row.run, samples), "samples of the prior, decoded")
            told = "Each sample as the decoder draws it"
            told += ": this run was trained with this prior" if row in same else ""
        else:
            draw_pixels(nearest_images(row.run, samples), "the images nearest to samples of the prior")
            told = (
                "This run was trained with this prior and has no decoder: the training image that lies nearest to each"
            )
            told += " sample on its map"
    except ValueError as error:
        frame.show_error(error)
        return
    st.caption(f"{told}.")


def has_prior(row: Listed, values: Mapping[str, Any]) -> bool:
    """Whether a run was trained with this mixture, in the plane."""
    config = row.config
    if config is None or "prior" not in row.used or config.prior != "gmm" or config.latent_dim != 2:
        return False
    return all(getattr(config, name) == values[name] for name in mixture.OWN if name in row.used)


def choose_run(same: list[Listed], others: list[Listed]) -> Listed:
    """The run that draws the samples: the link's, or the one chosen here, at first the newest with this prior."""
    named = {row.name: row for row in [*same, *others]}
    called = choice_words(row.run for row in named.values())
    first = next(iter(named))
    key = f"decoder of {same[0].name if same else ''}"  # another mixture begins with its own run

    def take(name: str) -> None:
        st.session_state[key] = links.choose_of("decoder", named)(name)

    links.follow_part(mixture.PAGE, "decoder", take)
    if st.session_state.get(key) not in (None, *named):
        del st.session_state[key]  # it is gone
    count = len(same)
    about = f"{'One has' if count == 1 else f'{count:,} have' if count else 'None has'} this prior; these come first."
    chosen = st.selectbox("By the run", list(named), format_func=called.__getitem__, key=key, help=about)
    links.write_parts(mixture.PAGE, {"decoder": chosen if chosen != first else ""})
    return named[chosen]


def draw_collapse(row: Listed, mixed: Mapping[str, Any]) -> None:
    """What a run that collapsed says of its prior: a sentence and its map."""
    picture, words = st.columns([1, 3], gap="medium", vertical_alignment="center")
    with picture:
        living.draw_small_map(row.run, f"{row.name}, which collapsed")
    with words:
        accuracy = row.scores.get("knn_accuracy")
        right = "" if accuracy is None else f" (its neighbours name {percent(accuracy)} of them rightly)"
        st.markdown(
            f"The run {as_code(row.name)} was trained with this prior and **collapsed**: all its points lie on one heap"
            f"{right}, far smaller than a component, whose sigma is {decimals(mixed['sigma'], 2)}, so that no sample "
            "is the place of any class."
        )
        frame.link_run(frame.EXPLORE, "Look at its map", "travel_explore", row.run)


@cache.until_changed(st.cache_data(show_spinner=False), "config.json", "rows.npz")
def nearest_images(run: Run, latents: np.ndarray) -> Any:
    """The training images that a run put nearest to some latents (n, 2), in one strip: uint8 (height, width, 4).
    Raises: ValueError in words where its points or its images are not here."""
    newest = cache.read_newest(run)
    if newest is None:
        raise ValueError(f"{run.id} has kept no points")
    rows, at = newest.rows, [near.training_rows_near(newest.latents, newest.rows, z, k=1).positions for z in latents]
    positions = np.concatenate(at)
    return image_strip([pictures.reduce_images(pictures.read_pictures(cache.images_of(run), rows, positions))], scale=1)
