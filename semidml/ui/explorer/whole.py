"""All points of a run on its map, not only those that it draws as it goes: computed in the background when asked for.

frame = whole.take_frame(run, frame, epochs, chosen)   the same moment with all its points, once they are there
whole.draw_offer(run, frame, epochs, chosen)           the button for them, or how far they are
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from semidml import memory, tasks
from semidml.explore import points
from semidml.frames import Frame
from semidml.jobs import queue
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.ui import cache
from semidml.ui.frame import SECONDS_LIVE, draw_task, show_error

if TYPE_CHECKING:
    from semidml.ui.explorer.controls import Controls

MOST_POINTS = 70_000  # that the map draws at 50 frames a second; of more rows an even part


def _key_of(run: Run) -> tuple:
    return "all points", str(run.path), *points.stamp(run, "weights.safetensors", "rows.npz")


def take_frame(run: Run, frame: Frame, epochs: list[int], chosen: "Controls") -> Frame:
    """A frame with all of the run's points where they are asked for and there, else the frame itself. Its own points
    come first, in their order."""
    task = tasks.find_task(_key_of(run))
    if not (_is_wanted(run) and _may_have(run, frame, epochs, chosen)) or task is None or task.result is None:
        return frame
    memory.touch(_key_of(run))
    return replace(frame, **task.result)


def draw_offer(run: Run, frame: Frame, epochs: list[int], chosen: "Controls") -> None:
    """A button that brings all points, how far they are, or a button back. frame: as it is drawn now."""
    if not _may_have(run, frame, epochs, chosen):
        return
    key, drawn, count = _key_of(run), len(cache.read_rows(run)["row"]), _count_rows(run)
    if min(count, MOST_POINTS) <= drawn:
        return
    task = tasks.find_task(key)
    if not _is_wanted(run) or task is None:  # or memory had no room for them any more, or the app has begun anew
        title = f"All {count:,} points" if count <= MOST_POINTS else f"{MOST_POINTS:,} of {count:,} points"
        about = (
            "All training and test images through the weights of the end, computed once; the epochs before have no "
            "more points than those drawn now."
        )
        st.button(title, icon=":material/grain:", on_click=ask_for_all, args=(run,), key="all points", help=about)
    elif not task.done:
        st.fragment(draw_task, run_every=SECONDS_LIVE)(key, "All points: {0.text}, {0.seconds:.0f} s".format)
    else:
        if task.error:
            show_error(task.error)
        back = f"Back to the {drawn:,} that every epoch has"
        st.button(back, icon=":material/undo:", on_click=_let_go, args=(run,), key="drawn points")


def ask_for_all(run: Run) -> None:
    """All of a run's points are computed, if they are not there, and from then on drawn."""
    st.session_state["all points of"] = run.id
    run_id, key, rows = run.id, _key_of(run), cache.read_rows(run)

    def compute(progress: tasks.Progress) -> dict:
        arrays = queue.jobs().everything(listing.open_run(run_id), progress)
        whole = gather(arrays, rows)
        memory.keep(key, memory.buffers_of(whole), lambda: tasks.forget_task(key))
        return whole

    known = tasks.find_task(key)
    if known is None or known.error:
        tasks.start_task(key, compute)


def _let_go(run: Run) -> None:
    st.session_state.pop("all points of", None)
    task = tasks.find_task(_key_of(run))
    if task is not None and task.error:
        tasks.forget_task(_key_of(run))


def _is_wanted(run: Run) -> bool:
    return st.session_state.get("all points of") == run.id


def _may_have(run: Run, frame: Frame, epochs: list[int], chosen: "Controls") -> bool:
    """Whether the weights that the run has kept are those of this frame, and every image is here. A projection that was
    computed is of the points that were drawn; clusters are known of these only."""
    is_last = frame.epoch == epochs[-1] and not frame.step and run.is_complete()
    return is_last and chosen.method == "pca" and frame.clusters is None and not cache.missing_images(run)


def _count_rows(run: Run) -> int:
    splits = cache.images_of(run)
    return len(splits.train.labels) + len(splits.test.labels)


def gather(arrays: dict[str, np.ndarray], rows: dict[str, np.ndarray], most: int = MOST_POINTS) -> dict:
    """What a frame has of all rows, from `take_away.all_rows`: rows, latents and predictions, first of those rows that
    the run draws, so that what is known of them by their number stays true. Of more than `most` an even part."""
    number = [(part["split"].astype(np.int64) << 32) + part["row"] for part in (rows, arrays)]
    sorter = np.argsort(number[1], kind="stable")
    own = sorter[np.searchsorted(number[1], number[0], sorter=sorter)]
    others = np.setdiff1d(np.arange(len(number[1])), own)
    room = max(0, most - len(own))
    if len(others) > room:
        others = others[np.linspace(0, len(others) - 1, room).round().astype(int)]
    at = np.concatenate([own, others])
    named = {name: arrays[name][at] for name in ("split", "row", "labels", "seen")}
    return {
        "rows": named | {"shown": rows["shown"]},
        "latents": arrays["latents"][at],
        "predictions": arrays["predictions"][at],
    }
