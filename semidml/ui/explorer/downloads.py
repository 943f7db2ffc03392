"""Everything of a run to take away."""

from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from semidml import tasks, words
from semidml.disk import files
from semidml.explore import points
from semidml.explore.take_away import as_csv, as_npz
from semidml.figures import canvas, curves, film, maps, notebook, page, shown
from semidml.frames import Frame
from semidml.jobs import queue
from semidml.runs import listing, places, transfer
from semidml.runs.run import Run
from semidml.ui import take_away
from semidml.ui.cache import missing_images
from semidml.ui.explorer import controls
from semidml.ui.explorer.planes import known_projection
from semidml.ui.frame import show_error

LOOK = (  # of the map, in the session
    *("colour", "part", "projection", "density", "pictures", "pseudo-inputs shown", "chosen point"),
)


def keep_pace() -> None:
    """Draws the whole page anew where the downloads below are of another look of the map than it has now: the map is
    drawn without them, and what they would hand out is settled when they are drawn."""
    state = st.session_state
    look = [state.get(name) for name in LOOK]
    if state.get("section") == "Downloads" and state.get("look below", look) != look:
        state["look below"] = look
        st.rerun()


def draw_downloads(run: Run, frame: Frame, names: list[str]) -> None:
    """Everything to take away; made when it is asked for."""
    draw_pictures(run, frame)
    draw_rows(run, names)
    draw_run(run)


def draw_pictures(run: Run, frame: Frame) -> None:
    """The map as it is shown above, curves, the training as a film, a notebook and a page."""
    state, name = st.session_state, f"{run.path.name}-epoch{frame.epoch}"
    state["look below"] = [state.get(key) for key in LOOK]
    colour, part = state.get("colour") or "class", state.get("part") or "both"
    plane = (state.get("projection") or "pca") if frame.latents.shape[1] > 2 else "pca"
    placed = known_projection(run, frame, plane) if plane != "pca" else None
    plane, point = "pca" if placed is None else plane, state.get("chosen point")
    look = {"colour": colour, "part": part}
    layer = controls.offer_layers(run, frame, plane).get("pictures")
    density = bool(state.get("density")) or controls.is_many(frame)
    pictured = layer is not None and bool(state.get(layer.key, layer.first))

    def draw_map(kind: str, size: str) -> bytes:
        how = {"epoch": frame.epoch, "plane": plane, "density": density, "placed": placed}
        seen = shown.show_run(run, **how, **look)
        drawn = replace(seen.drawn, marked=[point] if point is not None and point < len(frame.latents) else [])
        if pictured and drawn.ellipses:
            drawn = replace(drawn, pictures=frame.pictures)
        return canvas.as_bytes(maps.map_figure(replace(seen, drawn=drawn), size), kind, seen.title)

    st.markdown("**Figures**: the map as it is shown above, with its colours, rows, epoch and prior; and the curves")
    size = take_away.draw_size("figure size")
    with st.container(horizontal=True):
        take_away.draw_figures(f"{name}-{size}", "map figure", lambda kind: draw_map(kind, size), "Map")
        if run.history() and any(record.epoch for record in run.history()):
            make = partial(draw_curves, run, size)
            take_away.draw_figures(f"{run.path.name}-curves-{size}", "curves figure", make, "Curves")
    st.markdown("**The training**: as a film, as a page that plays without a server, as a notebook to go on with")
    epochs = run.frames()
    with st.container(horizontal=True, vertical_alignment="center"):
        for kind in film.KINDS if len(epochs) > 1 else ():
            key = ("film", str(run.path), kind, colour, part, *points.stamp(run, "history.jsonl"), len(epochs))
            make = partial(film.film_bytes, run, kind, **look)
            about = "The kept epochs in order, 2 to 10 s, with epoch and scores; some seconds of work."
            take_away.draw_made(f"film ({kind.upper()})", key, f"{run.path.name}.{kind}", make, about)
        take_away.draw_documents(
            run.path.name,
            "run",
            partial(notebook.run_notebook, run, colour=colour),
            partial(page.run_page, run, **look),
        )
    if len(epochs) < 2:
        st.caption("A film needs the points of two epochs or more.")


def draw_curves(run: Run, size: str, kind: str) -> bytes:
    return canvas.as_bytes(curves.curves_figure(run, size), kind, run.id)


def draw_rows(run: Run, names: list[str]) -> None:
    """Latents, labels and predictions of all rows."""
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
        rows = {".npz": ("NumPy", lambda: as_npz(everything()))}
        rows[".csv"] = ("Table", lambda: as_csv(everything(), names))
        for end, (title, content) in rows.items():
            take_away.draw_download(f"{title} ({end})", content, f"{run_id}-latents{end}", end[1:], bool(why))
    if why:
        st.caption(why)


def draw_run(run: Run) -> None:
    """The run itself, its scores and its config."""
    run_id = run.id
    st.subheader("The run", anchor=False)
    metrics = run.metrics()
    scores, config = files.as_json(metrics or {}), files.as_json(run.details())
    with st.container(horizontal=True):
        take_away.draw_download("Scores (.json)", scores, f"{run_id}-scores.json", "scores json", metrics is None)
        take_away.draw_download("Config (.json)", config, f"{run_id}-config.json", "config json")
        zipped = partial(take_away.OnDisk, partial(transfer.export_zip, run), places.runs_folder())
        about = f"{words.size_words(run.size())}; it can be imported again, here or elsewhere."
        take_away.draw_download("Whole run (.zip)", zipped, f"{run_id}.zip", "run zip", help=about)
