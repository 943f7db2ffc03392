"""More than two dimensions in the plane: by PCA at once, by t-SNE and UMAP when computed."""

import numpy as np
import streamlit as st

from semidml import planes, tasks, words
from semidml.explore import points
from semidml.explore.points import read_plane
from semidml.frames import Frame
from semidml.jobs import queue
from semidml.planes import PROJECTIONS
from semidml.runs.run import Run
from semidml.ui import cache
from semidml.ui.frame import SECONDS_LIVE, draw_task, show_error


def in_plane(run: Run, frame: Frame, method: str, last: int) -> tuple[np.ndarray, str]:
    """(points as they are drawn, (n, 2); what the axes are, in words)."""
    dimensions = frame.latents.shape[1]
    if dimensions > 2 and method != "pca":
        projected = draw_projection(run, frame, method)
        if projected is not None:
            return projected, f"{PROJECTIONS[method].title} of {dimensions} dimensions"
    axes_of = cache.read_frame(run, last).latents if dimensions > 2 else None
    drawn, how = planes.in_plane(frame.latents, frame.rows["labels"], axes_of)
    if dimensions <= 2:
        return drawn, how
    kept = planes.variance_kept(frame.latents, drawn)
    return drawn, f"PCA of {dimensions} dimensions: the plane holds {words.percent(kept)} of the variance"


def begin(run: Run, frame: Frame, method: str) -> None:
    """What a visitor has chosen is computed in the background, unless it is there: the choice is the only press."""
    if method != "pca" and frame.latents.shape[1] > 2 and known_projection(run, frame, method) is None:
        key, is_kept = _task_key(run, frame, method), not frame.step
        tasks.start_task(
            key, lambda progress: queue.jobs().plane(run, frame.epoch, method, frame.latents, progress, is_kept)
        )


def draw_projection(run: Run, frame: Frame, method: str) -> np.ndarray | None:
    """A projection that is there already, else how far it is, or, where nobody has chosen it for this epoch, a button
    that computes it in the background. Of a frame in the middle of an epoch it is not kept with the run."""
    key = _task_key(run, frame, method)
    task, projected = tasks.find_task(key), known_projection(run, frame, method)
    if task is not None and task.done and task.text.startswith(tasks.NOT_KEPT):
        st.warning(f"This projection was computed and is shown for now, but {task.text}.", icon=":material/save:")
    if projected is not None:
        return projected
    title = PROJECTIONS[method].title
    if task is not None and not task.done:
        st.fragment(draw_task, run_every=SECONDS_LIVE)(key, (title + ": {0.text}, {0.seconds:.0f} s").format)
        return None
    if task is not None and task.error:
        show_error(task.error)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Compute {title} of epoch {frame.epoch}",
            icon=":material/function:",
            on_click=begin,
            args=(run, frame, method),
            key="compute projection",
        )
        loads = "Its import alone takes about 13 s the first time. " if method == "umap" else ""
        kept = "for now: its epoch is not over" if frame.step else "with the run"
        st.caption(f"{loads}Computed once, then kept {kept}; until then PCA is drawn.")
    return None


def known_projection(run: Run, frame: Frame, method: str) -> np.ndarray | None:
    """A projection that is kept with the run or was computed here, (n, 2); None where there is none (yet)."""
    projected = None if frame.step else read_plane(run, frame.epoch, method)
    task = tasks.find_task(_task_key(run, frame, method))
    if projected is None and task is not None and task.done and not task.error:
        projected = task.result
    return projected if projected is not None and len(projected) == len(frame.latents) else None


def _task_key(run: Run, frame: Frame, method: str) -> tuple:
    file = "live" if frame.step else f"{frame.epoch:04d}"
    return "projection", str(run.path), method, frame.epoch, frame.step, *points.stamp(run, f"frames/{file}.npz")
