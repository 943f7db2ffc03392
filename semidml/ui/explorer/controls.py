"""What the map is drawn by: epoch, colours, projection, parts."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from semidml.explore import drawing
from semidml.frames import Frame
from semidml.planes import PROJECTIONS
from semidml.priors import PRIORS
from semidml.priors.density import MASSES
from semidml.runs.run import Run
from semidml.ui import links
from semidml.ui.explorer import what_if

COLOURS = {
    "class": "Class",
    "cluster": "Cluster",
    "prediction": "Prediction",
    "seen": "Seen or hidden",
    "error": "Error",
}
OF_PRIOR = {"component": "Component"}
LAYERS = ("density", "lattice", "pictures", "movable")
PARTS = {"both": "Both", "train": "Training", "test": "Test"}


class Controls(NamedTuple):
    """How the map is drawn."""

    colour: str  # of COLOURS or OF_PRIOR
    part: str  # of PARTS
    method: str  # of PROJECTIONS
    density: bool  # of the prior
    lattice: bool  # decoded places under the points
    pictures: bool  # at the prior's components
    movable: bool  # whether these can be dragged


def choose_controls(run: Run, frame: Frame) -> Controls:
    """The widgets above the map."""
    dimensions, colours, method = run.config().latent_dim, offer_colours(run, frame), "pca"
    first = next(iter(colours))
    if st.session_state.get("colour") not in colours:  # the run before had components
        st.session_state["colour"] = first
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        common: dict[str, Any] = {"required": True, "persist_state": "session"}
        colour = st.segmented_control("Colour", colours, format_func=colours.get, default=first, key="colour", **common)
        part = st.segmented_control("Rows", PARTS, format_func=PARTS.get, default="both", key="part", **common)
        if dimensions > 2:
            method = st.segmented_control(
                f"{dimensions} dimensions, drawn by",
                PROJECTIONS,
                format_func=lambda name: PROJECTIONS[name].title,
                default="pca",
                key="projection",
                help="  \n".join(f"**{entry.title}**: {entry.summary}." for entry in PROJECTIONS.values()),
                **common,
            )
        layers = dict.fromkeys(LAYERS, False)
        for name, (title, about) in offer_layers(run, frame, method).items():
            act = {"on_change": what_if.put_back} if name == "movable" else {}
            layers[name] = st.toggle(title, key=name, help=about, persist_state="session", **act)
    return Controls(colour, part, method, **layers)


def offer_colours(run: Run, frame: Frame) -> dict[str, str]:
    """What the points of a run can have their colours by, and how that is called."""
    return list_colours(frame) | (OF_PRIOR if PRIORS[run.config().prior].facts.get("components") else {})


def choose_common_colour(page: str, frames: Mapping[Run, Frame]) -> str:
    """The widget of the colours of several runs' points on a page: what all of them can be coloured by."""
    every = [offer_colours(run, frame) for run, frame in frames.items()]
    colours = {name: title for name, title in every[0].items() if all(name in other for other in every)}
    if not colours:
        return "class"
    first, key = next(iter(colours)), f"{page} colour"

    def take(text: str) -> None:
        st.session_state[key] = links.choose_of("colour", colours)(text)

    links.follow_part(page, "colour", take)
    if st.session_state.get(key) not in colours:
        st.session_state[key] = first
    colour = st.segmented_control("Colour", colours, default=first, format_func=colours.get, key=key, required=True)
    links.write_parts(page, {"colour": colour if colour != first else ""})
    return colour


def offer_layers(run: Run, frame: Frame, method: str = "pca") -> dict[str, tuple[str, str]]:
    """What can lie under and over the points of a run, of LAYERS, with title and help."""
    dimensions, has_prior = run.config().latent_dim, bool(PRIORS[run.config().prior].facts)
    few = frame.components is not None and len(frame.components[0]) <= drawing.MOST_ELLIPSES
    offered = {}
    if dimensions == 2 and has_prior:
        masses = " and ".join(f"{mass:.0%}" for mass in MASSES)
        offered["density"] = "Prior's density", f"The smallest regions that hold {masses} of the prior."
    if dimensions == 2 and run.config().trains_decoder:
        about = "What the decoder makes of each place of the map, under the points; finer when you zoom in."
        offered["lattice"] = "Decoded places", about
    if dimensions > 1 and few and frame.pictures is not None and method == "pca":
        title = "Components' pictures"
        about = "What the decoder makes of the middle of each component, drawn there."
        if frame.pseudo_inputs is not None:
            title = "Pseudo-inputs"
            about = "The learned images whose latents are the prior's components, drawn where these lie."
        offered["pictures"] = title, about
    if dimensions == 2 and few and np.isfinite(frame.components[0]).all():
        offered["movable"] = (
            "What if",
            "Drag a component of the prior, or move it with the arrow keys: what would change?",
        )
    return offered


def list_colours(frame: Frame) -> dict[str, str]:
    """What a frame's points can have their colours by, of COLOURS: without any label the class is left out where there
    are clusters, since all would be grey."""
    has = {
        "class": frame.clusters is None or bool((frame.rows["labels"] >= 0).any()),
        "cluster": frame.clusters is not None,
        "prediction": bool((frame.predictions >= 0).any()),
        "seen": bool(frame.rows["seen"].any()),
        "error": bool(frame.told.any()),
    }
    return {name: title for name, title in COLOURS.items() if has[name]}
