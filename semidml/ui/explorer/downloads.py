"""Everything of a run to take away."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st

from semidml import tasks, words
from semidml.disk import files
from semidml.explore import points, take_away
from semidml.frames import Frame
from semidml.jobs import queue
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.ui.cache import missing_images
from semidml.ui.frame import show_error

MIME = {".json": "application/json", ".zip": "application/zip"}


def draw_downloads(run: Run, frame: Frame, names: list[str]) -> None:
    """Everything to take away; made when it is asked for."""
    run_id, why = run.id, missing_images(run)
    if not why and not (run.path / "weights.safetensors").exists():
        why = "This run has no final weights (yet)."
    key = ("all rows", str(run.path), *points.stamp(run, "weights.safetensors"))

    def everything() -> dict[str, np.ndarray]:
        task = tasks.start_task(key, lambda _: queue.jobs().everything(listing.open_run(run_id))).wait()
        if task.error:
            raise ValueError(task.error)
        tasks.forget_task(key)  # large, and in the visitor's hands
        return task.result

    if (task := tasks.find_task(key)) and task.error:
        show_error(task.error)  # a button for a download can only say that there is none
    st.subheader("Latents, labels and predictions", anchor=False)
    st.caption("Of all rows, training and test, by the weights of the end.")
    with st.container(horizontal=True):
        rows = {".npz": ("NumPy", lambda: take_away.as_npz(everything()))}
        rows[".csv"] = ("Table", lambda: take_away.as_csv(everything(), names))
        for end, (title, content) in rows.items():
            draw_download(f"{title} ({end})", content, f"{run_id}-latents{end}", end[1:], bool(why))
    if why:
        st.caption(why)
    st.subheader("The run", anchor=False)
    metrics = run.metrics()
    scores, config = files.as_json(metrics or {}), files.as_json(run.details())
    with st.container(horizontal=True):
        draw_download("Scores (.json)", scores, f"{run_id}-scores.json", "scores json", metrics is None)
        draw_download("Config (.json)", config, f"{run_id}-config.json", "config json")
        about = f"{words.size_words(run.size())}; it can be imported again, here or elsewhere."
        draw_download("Whole run (.zip)", lambda: take_away.as_zip(run), f"{run_id}.zip", "run zip", help=about)


def draw_download(
    label: str, content: bytes | Callable[[], bytes], file: str, key: str, disabled: bool = False, help: str = ""
) -> None:
    """A button for a download, whose content may be made when it is pressed."""
    icon = ":material/folder_zip:" if file.endswith(".zip") else ":material/download:"
    kind = MIME.get(Path(file).suffix)
    st.download_button(label, content, file, kind, on_click="ignore", icon=icon, disabled=disabled, key=key, help=help)
