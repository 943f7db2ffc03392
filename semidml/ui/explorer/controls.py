"""What the map is drawn by: epoch, colours, projection, parts."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from semidml.explore import drawing
from semidml.frames import Frame
from semidml.planes import PROJECTIONS
from semidml.priors import PRIORS
from semidml.priors.density import MASSES
from semidml.runs.run import Run
from semidml.scatter.pack import MOST_RINGS
from semidml.ui.explorer import what_if

COLOURS = {
    "class": "Class",
    "cluster": "Cluster",
    "prediction": "Prediction",
    "seen": "Seen or hidden",
    "error": "Error",
}
OF_PRIOR = {"component": "Component"}
MOST_MOVABLE = 128  # components that have a handle each
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
    dimensions, prior = run.config().latent_dim, PRIORS[run.config().prior]
    colours = list_colours(frame) | (OF_PRIOR if prior.facts.get("components") else {})
    first = next(iter(colours))
    if st.session_state.get("colour") not in colours:  # the run before had components
        st.session_state["colour"] = first
    density = lattice = pictures = movable = False
    method = "pca"
    components = 0 if frame.components is None else len(frame.components[0])
    many = components > MOST_RINGS  # their rings are not drawn, so the density is
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        common: dict[str, Any] = {"required": True, "persist_state": "session"}
        toggle = partial(st.toggle, persist_state="session")
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
        if dimensions == 2 and prior.facts and not many:
            masses = " and ".join(f"{mass:.0%}" for mass in MASSES)
            about = f"The smallest regions that hold {masses} of the prior."
            density = toggle("Prior's density", key="density", help=about)
        if dimensions == 2 and run.config().trains_decoder:
            about = "What the decoder makes of each place of the map, under the points; finer when you zoom in."
            lattice = toggle("Decoded places", key="lattice", help=about)
        is_drawn = dimensions > 1 and 0 < components <= drawing.MOST_ELLIPSES and method == "pca"
        if is_drawn and frame.pictures is not None:
            title = "Components' pictures"
            about = "What the decoder makes of the middle of each component, drawn there."
            if frame.pseudo_inputs is not None:
                title = "Pseudo-inputs"
                about = "The learned images whose latents are the prior's components, where these lie and have room."
                pictures = toggle(title, key="pseudo-inputs shown", value=True, help=about)
            else:
                pictures = toggle(title, key="pictures", help=about)
        if dimensions == 2 and 0 < components <= MOST_MOVABLE and np.isfinite(frame.components[0]).all():
            about = "Drag a component of the prior, or move it with the arrow keys: what would change?"
            movable = toggle("What if", key="movable", help=about, on_change=what_if.put_back)
    return Controls(colour, part, method, density or (many and dimensions == 2), lattice, pictures, movable)


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
