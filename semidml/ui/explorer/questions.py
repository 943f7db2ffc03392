"""What the visitor asked of the map, kept from one rerun to the next."""

from typing import Any

import numpy as np
import streamlit as st

from semidml.frames import TEST, TRAIN, Frame
from semidml.runs.run import Run

NO_QUESTION = {"chosen point": None, "chosen place": None, "region": [], "line": None, "what if": False}


def chosen_epoch(run: Run, epochs: list[int]) -> int:
    """The epoch that is looked at: the last, until another is chosen."""
    key = f"epoch {run.id}"
    if st.session_state.get(key) not in epochs:
        st.session_state[key] = epochs[-1]
    return st.session_state[key]


def ask(**question: Any) -> None:
    """The map answers this from now on, instead of what was asked before; nothing where nothing is asked."""
    st.session_state.update(NO_QUESTION | question)


def draw_epoch_slider(run: Run, epochs: list[int]) -> None:
    """The epoch that is drawn, by a slider of the page."""
    # The value is also given as the default: the slider may appear long after the epoch was chosen on the map.
    chosen = chosen_epoch(run, epochs)
    st.select_slider("Epoch", epochs, chosen, key=f"epoch {run.id}", help="0 is before training.")


def positions_of(frame: Frame, part: str) -> np.ndarray:
    split = frame.rows["split"]
    return np.arange(len(split)) if part == "both" else np.flatnonzero(split == (TRAIN if part == "train" else TEST))


def ask_at(x: float, y: float, point: int, *, count: int, places: bool) -> None:
    """A click: on a point, or on an empty place of the plane."""
    if 0 <= point < count:
        ask_point(point)
    elif places:
        ask(**{"chosen place": (x, y)})


def ask_point(position: int | None) -> None:
    ask(**{"chosen point": position})


def ask_region(positions: list[int]) -> None:
    if len(positions) == 1:
        ask_point(positions[0])
    else:
        ask(region=positions)


def asked_region(frame: Frame) -> list[int]:
    return [position for position in st.session_state.get("region", []) if position < len(frame.latents)]
