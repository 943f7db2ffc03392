"""What if a component of the prior were elsewhere: dragged on Explore's map, answered at once, and nothing is trained.

    after = what_if.placed(run, before)                 the points, with components where the visitor has put them
    what_if.move(run, after, *middles_of(sent, K))      a component was dropped on the map
    what_if.answer(run, before, after, names, decode)   what that would change

The places stay in the session until they are put back, or another run or epoch is looked at."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from semidml import bias, explore, plots, runs, ui
from semidml.explore import Points
from semidml.priors import given
from semidml.priors.words import MOST_COUNTED

PICTURE = 136  # pixels across
Decode = Callable[[np.ndarray], np.ndarray]


def can_be_moved(run: runs.Run) -> bool:
    """Whether the plane of the map is the latent space, and there are components in it that can be told apart."""
    config, found = run.config(), run.frames()
    if config.latent_dim != 2 or config.prior == "none" or not found:
        return False
    means = ui.frame(run.id, found[-1]).get("component_means")
    return means is not None and len(means) <= ui.MOST_ELLIPSES


def placed(run: runs.Run, found: Points) -> Points:
    """The points of a frame with the components where the visitor has put them."""
    of, middles = st.session_state.get("moved components", (None, None))
    if of != (run.id, found.epoch) or len(middles) != len(found.components[0]):
        return found
    return found._replace(components=(np.array(middles, dtype=np.float32), *found.components[1:]))


def moves() -> int:
    """The number of the last move that is known."""
    return st.session_state.get("component moves", 0)


def move(run: runs.Run, after: Points, number: int, middles: list[tuple[float, float]]) -> None:
    """All components lie there now; it was the visitor's move of that number. Raises ValueError in words."""
    if not np.isfinite(middles).all():
        raise ValueError("the map has moved a component to no place")
    st.session_state["component moves"] = number
    st.session_state["moved components"] = (run.id, after.epoch), middles
    st.session_state["what if"] = True


def put_back() -> None:
    """Every component where the run has it."""
    st.session_state.pop("moved components", None)
    st.session_state["what if"] = False


def answer(run: runs.Run, before: Points, after: Points, names: list[str], decode: Decode | None) -> None:
    """What the moved components would change at once; `decode` takes places (n, 2) and gives images."""
    its = bias.what_if(before.latents, before.rows["labels"], before.components, after.components)
    if not its.moved:
        st.caption("Every component is where the run has it: drag one by its ring.")
        return
    means = after.components[0]
    if len(its.moved) == 1:
        (x, y), number = means[its.moved[0]], its.moved[0] + 1
        st.markdown(f"**What if component {number} were at {x:.3g}, {y:.3g}**")
    else:
        st.markdown(f"**What if {len(its.moved)} components were elsewhere**")
    what = "it" if len(its.moved) == 1 else "them"
    n, taken = len(before.latents), [sum(counts) for counts in its.counts]
    st.markdown(
        f"Nothing is trained: the points stay. Of the {n:,} drawn, {taken[0]:,} belong to {what} now and "
        f"{taken[1]:,} would then."
    )
    state = ("what if", run.id, before.epoch, means.tobytes(), tuple(names), ui.dark())
    counts = {"now": its.counts[0], "then": its.counts[1]}
    padded = {word: [*of, *[0] * (len(names) - len(of))] for word, of in counts.items()}
    ui.chart("what if", state, lambda: plots.class_counts(explore.in_charts(names), padded, ui.dark()))
    lines = [
        ("Component AMI", [f"{value:.3f}" for value in its.component_ami], "how well components name the classes"),
        ("Surprise", [f"{value:.2f}" for value in its.surprise], "the mean of -log p(z) in nats, which the KL pays"),
    ]
    if len(means) <= MOST_COUNTED:
        modes = [str(mode_count(*mixture)) for mixture in (before.components, after.components)]
        lines.append(("Modes", modes, "hills of the density"))
    st.markdown("\n".join(f"- {name} **{now} → {then}**, {words}" for name, (now, then), words in lines))
    if decode is not None:
        places = np.stack([points.components[0][its.moved[-1]] for points in (before, after)])
        ui.pictures(decode(places), ["decoded now", "decoded there"], PICTURE)
    with st.container(horizontal=True):
        st.button("Put back", icon=":material/undo:", on_click=put_back, key="put back")
        if run.config().prior == "gmm" and len(means) <= MOST_COUNTED:
            st.button(
                "Train with it",
                icon=":material/play_arrow:",
                on_click=train_with,
                args=(run, after),
                key="train what if",
                help="Sets the knobs of Train to this run's with the components placed so; there you press Train.",
            )


@st.cache_data(max_entries=64, show_spinner=False)
def mode_count(means: np.ndarray, log_vars: np.ndarray, weights: np.ndarray) -> int:
    import torch

    from semidml.priors import mixture

    return len(mixture.modes(*(torch.from_numpy(values) for values in (means, log_vars, weights))))


def train_with(run: runs.Run, after: Points) -> None:
    """The run's knobs with these components."""
    values = ui.values_of(run.config())
    positions = given.rounded(after.components[0].tolist(), float(after.components[1].max()))
    values |= {"placement": "given", "positions": given.positions_text(positions)}
    ui.set_knobs(values)
    st.session_state["to train"] = True
