"""Maps of runs, as Train, Compare and the lessons draw them."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from semidml.explore import drawing
from semidml.ui import cache, pictures
from semidml.ui.words import frame_words

if TYPE_CHECKING:
    from semidml.priors.density import Regions
    from semidml.runs.run import Run


def prior_regions(frame: Mapping[str, Any]) -> "Regions | None":
    """The regions of a frame's prior in the plane; None without a prior, and in one or more than two dimensions, where
    the map is not the latent space itself."""
    import numpy as np

    means = frame.get("component_means")
    if means is None or means.shape[1] != 2 or not np.isfinite(means).all():
        return None
    return cache.regions(means, frame["component_log_vars"], frame["component_weights"])


def draw_map(packed: bytes, key: str, **listeners: Callable[[Any], None]) -> None:
    """The map that the browser draws from what `pack.pack` packed. A listener by the name of what the map sends,
    `moved` or `asked`, takes what it has sent; see `scatter`."""
    from semidml.scatter import bundle

    def heard(name: str) -> Callable[[], None]:
        return lambda: listeners[name](st.session_state[key][name])

    draw = st.components.v2.component(bundle.NAME, html=bundle.HTML, css=bundle.css(), js=bundle.javascript())
    draw(data=packed, key=key, **{f"on_{name}_change": heard(name) for name in listeners})


def send_to_maps(packed: bytes, key: str) -> None:
    """Sends what belongs to a run and not to one frame of it to the maps of this page: images, a film, a lattice."""
    from semidml.scatter import bundle

    st.components.v2.component(bundle.STORE, html="", js=bundle.store_javascript())(
        data=packed, key=key, height="content"
    )


def draw_run_map(
    run: "Run",
    frame: Mapping[str, Any],
    its_rows: Mapping[str, Any],
    newest: Mapping[str, Any],
    key: str,
    **more: Any,
) -> None:
    """The live map of a run's frame, with what it shows in words; its axes only grow. `newest` gives the axes of more
    than two dimensions; `more` goes to `pack.pack`."""
    from semidml import planes
    from semidml.plots import colours
    from semidml.priors.density import MASSES
    from semidml.scatter import pack

    points, how = planes.in_plane(frame["latents"], its_rows["labels"], newest["latents"])
    drawn = drawing.ellipses(frame, newest)
    x_range, y_range = map_extent(run.id, points, drawn)
    names, words = cache.class_names(run), frame_words(run, frame, its_rows, how)
    packed = pack.pack(
        points,
        its_rows["labels"],
        seen=its_rows["seen"],
        test=its_rows["split"] == 1,
        names=names,
        looks=colours.class_looks(len(names)),
        x_range=x_range,
        y_range=y_range,
        words=f"Map of the latent space. {words}",
        ellipses=drawn,
        density=prior_regions(frame),
        masses=MASSES,
        run=run.id,
        epoch=int(frame["epoch"]),
        dark=pictures.is_dark(),
        **more,
    )
    draw_map(packed, key)
    st.caption(words)


def map_extent(
    run_id: str, points: Any, rings: Sequence[Sequence[float]] = ()
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of x and y for a run's map that only grow while this visitor looks, so that nothing jumps: they hold
    all but the outermost 0.2 % of the points at either side and the components' rings at one sigma (see `ellipses`),
    so that a heap is seen to be one, and are widened in steps of a quarter."""
    import numpy as np

    known = st.session_state.setdefault("extents", {})
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    if rings:
        middles, reach = np.array([ring[:2] for ring in rings]), np.array([max(ring[2:4]) for ring in rings])[:, None]
        low, high = np.minimum(low, (middles - reach).min(0)), np.maximum(high, (middles + reach).max(0))
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    if run_id in known:
        (left, right), (bottom, top) = known[run_id]
        old_low, old_high = np.array([left, bottom]), np.array([right, top])
        room = 0.25 * (old_high - old_low)
        low = np.where(low < old_low, np.minimum(low, old_low - room), old_low)
        high = np.where(high > old_high, np.maximum(high, old_high + room), old_high)
    known[run_id] = ((float(low[0]), float(high[0])), (float(low[1]), float(high[1])))
    while len(known) > 32:
        known.pop(next(iter(known)))
    return known[run_id]
