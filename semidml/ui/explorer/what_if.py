"""What if a component of the prior were elsewhere: dragged on Explore's map, answered at once, and nothing is trained.

    after = what_if.place_components(run, before, movable)  the points, with components where the visitor has put them
    what_if.move(run, after, *middles_of(sent, K))    a component was dropped on the map
    what_if.draw_answer(run, before, after, ...)             what that would change
    what_if.follow_moved(run, before, text)                  they are where a link has them, as `moved_text` writes it

The places stay in the session until they are put back, or another run or epoch is looked at."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from semidml.explore import decode, points
from semidml.explore.points import stamp
from semidml.frames import Frame
from semidml.priors import density, given
from semidml.priors.words import MOST_COUNTED
from semidml.runs.run import Run
from semidml.scores import components
from semidml.ui import cache, controls, knobs, links, pictures
from semidml.ui.frame import show_error
from semidml.ui.words import values_of
from semidml.words import decimals


def place_components(run: Run, frame: Frame, movable: bool) -> Frame:
    """The frame with the components where the visitor has put them; itself where they were not moved.
    What was moved in another frame is put back."""
    of, middles = st.session_state.get("moved components", (None, None))
    if of is None:
        return frame
    if not movable or of != _key_of(run, frame) or len(middles) != len(frame.components[0]):
        put_back()
        return frame
    return replace(frame, component_means=middles)


def _key_of(run: Run, frame: Frame) -> tuple:
    return run.id, frame.epoch, *stamp(run, f"frames/{frame.epoch:04d}.npz")


def move(run: Run, after: Frame, number: int, middles: Sequence[tuple[float, float]]) -> None:
    """All components lie there now; it was the visitor's move of that number. Raises ValueError in words."""
    st.session_state["component moves"] = number
    if not (np.abs(middles) <= given.MOST_FAR).all():
        raise ValueError(f"a component can be moved to places within {given.MOST_FAR:g} of the origin")
    places = np.array(middles, dtype=np.float32)
    changed = np.flatnonzero((places != after.components[0]).any(1))
    st.session_state["moved components"] = _key_of(run, after), places
    if len(changed):
        st.session_state["moved last"] = int(changed[0])


def list_moved(run: Run, frame: Frame) -> dict[int, tuple[float, float]]:
    """Where the visitor has put components of this frame, by their numbers from 0, the one moved last at the end: those
    that are elsewhere there."""
    of, middles = st.session_state.get("moved components", (None, None))
    if of != _key_of(run, frame):
        return {}
    last = st.session_state.get("moved last")
    changed = sorted(np.flatnonzero((middles != frame.components[0]).any(1)), key=lambda number: number == last)
    return {int(number): (float(middles[number][0]), float(middles[number][1])) for number in changed}


def moved_text(moved: dict[int, tuple[float, float]]) -> str:
    """Moved components as a link has them, numbered from 1: `2:1.5,-0.5;7:0,1`."""
    return ";".join(f"{number + 1}:{links.numbers_text(place)}" for number, place in moved.items())


def follow_moved(run: Run, frame: Frame, text: str) -> None:
    """Puts components where a link has them. Raises: ValueError in words."""
    middles = frame.components[0].astype(np.float32)
    for part in text.split(";", len(middles)):
        number, _, place = part.partition(":")
        if not (number.isascii() and number.isdigit() and len(number) < 6 and 1 <= int(number) <= len(middles)):
            raise ValueError(f"moved must be components from 1 to {len(middles)} with their places, got {part[:60]!r}")
        middles[int(number) - 1] = links.numbers_of("moved", 2)(place)
    move(run, frame, st.session_state.get("component moves", 0), middles)
    st.session_state["moved last"] = int(number) - 1


def put_back() -> None:
    """Every component where the run has it."""
    st.session_state.pop("moved components", None)
    st.session_state["what if"] = False


def draw_reminder() -> None:
    """That components are not where the run has them, while the page answers something else."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Components of the prior have been moved.")
        st.button("What if?", on_click=lambda: st.session_state.update({"what if": True}), key="ask again")
        st.button("Put back", icon=":material/undo:", on_click=put_back, key="put back")


def draw_answer(run: Run, before: Frame, after: Frame, names: list[str], visible: np.ndarray) -> None:
    """What the moved components would change at once, for the points that are drawn, `visible`."""
    latents, labels = before.latents[visible], before.rows["labels"][visible]
    change = components.what_if(latents, labels, before.components, after.components, len(names))
    if not change.moved:
        st.caption("Every component is where the run has it: drag one by its ring.")
        return
    means = after.components[0]
    if len(change.moved) == 1:
        (x, y), number = means[change.moved[0]], change.moved[0] + 1
        st.header(f"What if component {number} were at {x:.3g}, {y:.3g}", anchor=False)
    else:
        st.header(f"What if {len(change.moved)} components were elsewhere", anchor=False)
    with st.container(horizontal=True):
        st.button("Put back", icon=":material/undo:", on_click=put_back, key="put back")
        if run.config().prior == "gmm" and len(means) <= MOST_COUNTED:
            config = knobs.config_of(values_with(run, after))
            problem = controls.cannot_work(config)
            about = problem or "Trains this run's setting with the components placed so, and shows the run."
            act = {"on_click": controls.train_setting, "args": (config, run.id), "disabled": bool(problem)}
            st.button("Train with it", icon=":material/play_arrow:", key="train what if", help=about, **act)
    what = "it" if len(change.moved) == 1 else "them"
    taken = [sum(counts) for counts in change.counts]
    st.markdown(
        f"Nothing is trained: the points stay. Of the {len(visible):,} drawn, {taken[0]:,} belong to {what} now and "
        f"{taken[1]:,} would then."
    )
    counts = dict(zip(("now", "then"), change.counts, strict=True))
    pictures.draw_counts("what if", points.with_unlabelled(labels, names)[1], counts)
    amis = [decimals(value, 3) for value in change.component_ami or ()]
    lines = [("AMI", amis, "how well components name the points' classes")] if amis else []
    lines += [
        ("Surprise", [decimals(value, 2) for value in change.surprise], "the mean of -log p(z) at the points, in nats"),
    ]
    if len(means) <= MOST_COUNTED:
        modes = [str(mode_count(*mixture)) for mixture in (before.components, after.components)]
        lines.append(("Modes", modes, "hills of the density"))
    st.markdown("\n".join(f"- {name} **{now} → {then}**, {words}" for name, (now, then), words in lines))
    last = st.session_state.get("moved last")
    if last not in change.moved or not run.config().trains_decoder:
        return
    try:
        places = np.stack([frame.components[0][last] for frame in (before, after)])
        images = decode.decode_latents(cache.load_model(run), places)
    except ValueError as error:
        show_error(error)
    else:
        pictures.draw_pictures(images, [f"component {last + 1} now", f"component {last + 1} there"], pictures.PICTURE)
        st.caption("Decoded by the newest weights kept.")


@st.cache_data(max_entries=64, show_spinner=False)
def mode_count(means: np.ndarray, log_vars: np.ndarray, weights: np.ndarray) -> int:
    return len(density.modes(means, log_vars, weights))


def values_with(run: Run, after: Frame) -> dict[str, Any]:
    """The run's knobs with these components."""
    positions = given.rounded(after.components[0].tolist(), float(after.components[1].max()))
    return values_of(run.config()) | {"placement": "given", "positions": given.positions_text(positions)}
