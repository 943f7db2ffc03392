"""Maps of runs, as Train, Compare and the lessons draw them, and what every map shares."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from semidml import planes
from semidml.explore import drawing, points
from semidml.frames import Frame
from semidml.priors.density import MASSES, Regions
from semidml.runs.run import Run
from semidml.scatter import bundle, pack
from semidml.ui import cache, links, pictures
from semidml.ui.words import frame_words

BEGINNING = 2.0  # times the extent of the points, which the map shows of the prior before training


def prior_regions(frame: Frame) -> Regions | None:
    """The regions of a frame's prior in the plane; None without a prior, and in one or more than two dimensions, where
    the map is not the latent space itself."""
    means = frame.component_means
    if means is None or means.shape[1] != 2 or not np.isfinite(means).all():
        return None
    return cache.regions(*frame.components)


def draw_map(drawn: pack.Drawing, key: str, **listeners: Callable[[Any], None]) -> None:
    """The map that the browser draws, anew in another theme. A listener by the name of what the map sends, `moved` or
    `asked`, takes what it has sent; see `scatter`."""

    def heard(name: str) -> Callable[[], None]:
        return lambda: listeners[name](st.session_state[key][name])

    draw = st.components.v2.component(bundle.NAME, html=bundle.HTML, css=bundle.css(), js=bundle.javascript())
    packed = pack.pack(replace(drawn, dark=pictures.is_dark()))
    draw(data=packed, key=key, **{f"on_{name}_change": heard(name) for name in listeners})


def send_to_maps(packed: bytes, key: str) -> None:
    """Sends what belongs to a run and not to one frame of it to the maps of this page: images, a film, a lattice."""
    send = st.components.v2.component(bundle.STORE, html="", js=bundle.javascript("store"))
    send(data=packed, key=key, height="content")


def send_images(run: Run) -> None:
    """A run's images, for the mouse, where they are here."""
    if not cache.missing_images(run):
        send_to_maps(cache.packed_images(run), f"images {run.id}")


def send_film(run: Run, view: str, epochs: Sequence[int]) -> None:
    """A run's epochs, for the scrubber of its map, which the page has called `view`; nothing where there is one."""
    if len(epochs) > 1 and (film := cache.packed_film(run, view, tuple(epochs))):
        send_to_maps(film, f"film {run.id}")


def draw_run_map(
    run: Run,
    frame: Frame,
    newest: Frame,
    key: str,
    link: str = "",
    told: bool = False,
    *,
    colour: str = "class",
    page: str = "",
    under: bool = True,
) -> str:
    """The live map of a run's frame; its axes only grow. `newest` gives the axes of more than two dimensions. Maps of
    the same link share zoom and choices; told: whether images and predictions are shown at the mouse. page: the page in
    whose link its zoom is, "" where it is in none. Returns what it shows in words; under: whether they stand under
    it."""
    placed, how = planes.in_plane(frame.latents, frame.rows["labels"], newest.latents)
    rings = drawing.ellipses(frame, newest.latents)
    words = ". ".join([frame_words(run, frame, how), *many_words(frame)])
    names, ranges = points.class_names(run), map_extent(run.id, placed, rings, begins=frame.epoch == 0)
    about = {"words": f"Map of the latent space. {words}", "run": run.id, "colour": colour}
    drawn = drawing.draw_frame(frame, placed, names, ranges, **about)
    drawn = replace(drawn, ellipses=rings, density=prior_regions(frame), masses=MASSES, link=link)
    if page:
        drawn = replace(drawn, address="view", start=links.start_of(page, run.id))
    draw_map(replace(drawn, images_of=run.id, predictions=frame.predictions) if told else drawn, key)
    if under:
        st.caption(words)
    return words


def many_words(frame: Frame) -> list[str]:
    """How a prior of many components is drawn, in a sentence; none where there is none or each has its rings."""
    means = frame.component_means
    if means is None or len(means) <= pack.MOST_RINGS or means.shape[1] == 1:
        return []
    return [f"The dots of no class's colour are the {len(means):,} components, by weight: point at one for its rings."]


def map_extent(
    run_id: str, placed: np.ndarray, rings: Sequence[Sequence[float]] = (), begins: bool = False
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of x and y for a run's map that only grow while this visitor looks, so that nothing jumps: they hold the
    `pack.extent` of the points placed (n, 2) and of the components' rings at one sigma (see `ellipses`), so that a heap
    is seen to be one, and are widened in steps of a quarter. begins: the first epoch is not over: what the prior has
    does not show yet beyond BEGINNING times the points' extent, or they would be one dot between giant rings."""
    known = st.session_state.setdefault("extents", {})
    low, high = pack.extent(placed)
    if rings:
        middles, reach = np.array([ring[:2] for ring in rings]), np.array([max(ring[2:4]) for ring in rings])[:, None]
        edges = np.concatenate([middles - reach, middles + reach])
        if begins:
            room = (BEGINNING - 1) / 2 * (high - low)
            edges = edges.clip(low - room, high + room)
        low, high = pack.extent(placed, edges)
    if run_id in known:
        old_low, old_high = np.array(known[run_id]).T
        room = 0.25 * (old_high - old_low)
        low = np.where(low < old_low, np.minimum(low, old_low - room), old_low)
        high = np.where(high > old_high, np.maximum(high, old_high + room), old_high)
    known[run_id] = ((float(low[0]), float(high[0])), (float(low[1]), float(high[1])))
    while len(known) > 32:
        known.pop(next(iter(known)))
    return known[run_id]
