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
from semidml.scatter.pack import MOST_RINGS
from semidml.ui import links
from semidml.ui.explorer import planes, what_if

COLOURS = {
    "class": "Class",
    "cluster": "Cluster",
    "prediction": "Prediction",
    "seen": "Seen or hidden",
    "error": "Error",
}
OF_PRIOR = {"component": "Component"}
MOST_MOVABLE = 128  # components that have a handle each
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
                on_change=lambda: planes.begin(run, frame, st.session_state["projection"]),
                help="  \n".join(f"**{entry.title}**: {entry.summary}." for entry in PROJECTIONS.values()),
                **common,
            )
        layers = dict.fromkeys(LAYERS, False)
        for name, layer in offer_layers(run, frame, method).items():
            act = {"on_change": what_if.put_back} if name == "movable" else {}
            st.session_state.setdefault(layer.key, layer.first)
            layers[name] = st.toggle(layer.title, key=layer.key, help=layer.help, persist_state="session", **act)
    layers["density"] |= dimensions == 2 and is_many(frame)
    return Controls(colour, part, method, **layers)


def is_many(frame: Frame) -> bool:
    """Whether a prior has so many components that its density is drawn in any case, in the place of their rings."""
    return frame.components is not None and len(frame.components[0]) > MOST_RINGS


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


class Layer(NamedTuple):
    """What can lie under or over the points."""

    title: str
    help: str
    key: str  # of its switch
    first: bool = False  # whether it is drawn unless somebody says otherwise


def offer_layers(run: Run, frame: Frame, method: str = "pca") -> dict[str, Layer]:
    """What can lie under and over the points of a run, of LAYERS."""
    dimensions, prior = run.config().latent_dim, PRIORS[run.config().prior]
    components = 0 if frame.components is None else len(frame.components[0])
    offered = {}
    if dimensions == 2 and prior.facts and not is_many(frame):
        masses = " and ".join(f"{mass:.0%}" for mass in MASSES)
        about = f"The smallest regions that hold {masses} of the prior."
        offered["density"] = Layer("Prior's density", about, "density")
    if dimensions == 2 and run.config().trains_decoder:
        about = "What the decoder makes of each place of the map, under the points; finer when you zoom in."
        offered["lattice"] = Layer("Decoded places", about, "lattice")
    is_drawn = dimensions > 1 and 0 < components <= drawing.MOST_ELLIPSES and method == "pca"
    if is_drawn and frame.pseudo_inputs is not None and frame.pictures is not None:
        about = "The learned images whose latents are the prior's components, where these lie and have room."
        offered["pictures"] = Layer("Pseudo-inputs", about, "pseudo-inputs shown", True)
    elif is_drawn and frame.pictures is not None:
        about = "What the decoder makes of the middle of each component, drawn there."
        offered["pictures"] = Layer("Components' pictures", about, "pictures")
    if dimensions == 2 and 0 < components <= MOST_MOVABLE and np.isfinite(frame.components[0]).all():
        about = "Drag a component of the prior, or move it with the arrow keys: what would change?"
        offered["movable"] = Layer("What if", about, "movable")
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
