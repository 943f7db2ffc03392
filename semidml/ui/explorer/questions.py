"""What the visitor asked of the map, kept from one rerun to the next."""

import numpy as np
import streamlit as st

from semidml.frames import TEST, TRAIN, Frame
from semidml.runs.run import Run

NO_QUESTION = {"chosen point": None, "chosen place": None, "region": [], "line": None, "what if": False}


# ---- the map


def chosen_epoch(run: Run, epochs: list[int]) -> int:
    """The epoch that is looked at: the last, until another is chosen."""
    key = f"epoch {run.id}"
    if st.session_state.get(key) not in epochs:
        st.session_state[key] = epochs[-1]
    return st.session_state[key]


def forget_question() -> None:
    """Nothing has been asked."""
    st.session_state.update(NO_QUESTION)


def epoch_slider(run: Run, epochs: list[int]) -> int:
    """The epoch that is drawn, by a slider of the page."""
    # The value is also given as the default: the slider may appear long after the epoch was chosen on the map.
    chosen = chosen_epoch(run, epochs)
    return st.select_slider("Epoch", epochs, chosen, key=f"epoch {run.id}", help="0 is before training.")


def positions_of(frame: Frame, part: str) -> np.ndarray:
    split = frame.rows["split"]
    return np.arange(len(split)) if part == "both" else np.flatnonzero(split == (TRAIN if part == "train" else TEST))


# ---- what was asked


def ask_at(x: float, y: float, point: int, *, count: int, places: bool) -> None:
    """A click: on a point, or on an empty place of the plane."""
    if 0 <= point < count:
        choose_point(point)
    elif places:
        forget_question()
        st.session_state["chosen place"] = (x, y)


def choose_point(position: int | None) -> None:
    """The point that answers."""
    forget_question()
    st.session_state["chosen point"] = position


def choose_region(chosen: list[int]) -> None:
    if len(chosen) == 1:
        choose_point(chosen[0])
        return
    forget_question()
    st.session_state["region"] = chosen


def choose_line(ends: tuple) -> None:
    forget_question()
    st.session_state["line"] = ends


def asked_region(frame: Frame) -> list[int]:
    return [position for position in st.session_state.get("region", []) if position < len(frame.latents)]


def chose_in_list() -> None:
    choose_point(st.session_state["point"])


def chose_error(wrong: np.ndarray) -> None:
    choose_point(int(np.random.default_rng().choice(wrong)))
