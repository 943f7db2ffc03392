"""Everything of a run to take away."""

import numpy as np
import streamlit as st

from semidml import tasks, words
from semidml.explore import points, take_away
from semidml.frames import Frame
from semidml.jobs import queue
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.ui.cache import missing_images
from semidml.ui.frame import show_error


def downloads(run: Run, frame: Frame, names: list[str]) -> None:
    """Everything to take away; made when it is asked for."""
    missing = missing_images(run)
    has_weights = (run.path / "weights.safetensors").exists()
    why = missing or ("" if has_weights else "This run has no final weights (yet).")
    run_id = run.id

    key = ("all rows", str(run.path), *points.stamp(run, "weights.safetensors"))

    def everything() -> dict[str, np.ndarray]:
        task = tasks.start_task(key, lambda _: queue.jobs().everything(listing.open_run(run_id))).wait()
        if task.error:
            raise ValueError(task.error)
        tasks.forget_task(key)  # large, and in the visitor's hands
        return task.result

    if (task := tasks.find_task(key)) and task.error:
        show_error(task.error)  # a button for a download can only say that there is none
    st.markdown("**Latents, labels and predictions of all rows**, training and test, by the weights of the end")
    with st.container(horizontal=True):
        st.download_button(
            "NumPy (.npz)",
            lambda: take_away.as_npz(everything()),
            f"{run_id}-latents.npz",
            on_click="ignore",
            icon=":material/download:",
            disabled=bool(why),
            key="npz",
        )
        st.download_button(
            "Table (.csv)",
            lambda: take_away.as_csv(everything(), names),
            f"{run_id}-latents.csv",
            on_click="ignore",
            icon=":material/download:",
            disabled=bool(why),
            key="csv",
        )
    if why:
        st.caption(why)
    st.markdown("**The run**")
    metrics = run.metrics()
    with st.container(horizontal=True):
        st.download_button(
            "Scores (.json)",
            take_away.as_json(metrics or {}),
            f"{run_id}-scores.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
            disabled=metrics is None,
            key="scores json",
        )
        st.download_button(
            "Config (.json)",
            take_away.as_json(run.details()),
            f"{run_id}-config.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
            key="config json",
        )
        st.download_button(
            "Whole run (.zip)",
            lambda: take_away.as_zip(listing.open_run(run_id)),
            f"{run_id}.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/folder_zip:",
            key="run zip",
            help=f"{words.size_words(run.size())}; it can be imported again, here or elsewhere.",
        )
