"""Small maps that play a run's epochs."""

import base64
import html
import io
import itertools

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from semidml import planes
from semidml.plots.pictures import map_image
from semidml.runs.run import Run
from semidml.ui import cache, words


def draw_small_map(run: Run, name: str) -> None:
    """A run's last frame as a small picture, of which a screen reader tells the run's name."""
    try:
        picture = paint_small_map(run)
    except ValueError as error:
        st.caption(f"The newest map of this run cannot be drawn: {words.as_code(str(error))}.")
        return
    if picture is None:
        st.caption("This run has kept no map.")
    else:
        source, words_of_map = base64.b64encode(picture).decode(), html.escape(f"Map of the run {name}", quote=True)
        style = "width: 100%; aspect-ratio: 1; display: block"
        st.html(f'<img src="data:image/png;base64,{source}" alt="{words_of_map}" style="{style}">')


@cache.until_changed(st.cache_resource(show_spinner=False), "config.json", shared=True)
def paint_small_map(run: Run) -> bytes | None:
    frame = cache.read_newest(run)
    if frame is None:
        return None
    labels = frame.rows["labels"]
    return map_image(planes.apart_in_plane(frame.latents, labels), labels, size=240)


MAP_WORDS = "Points that move from one cloud into groups of one colour each while a network is trained"
LIVING_FRAMES, LIVING_STEPS, LIVING_SIZE, MILLISECONDS = 9, 4, 300, 90


def draw_living_map(run: Run, place: DeltaGenerator) -> None:
    """A run's frames as a picture that moves by itself from before training to the end, over and over; it stands
    still for those who asked their system for less motion. Its last frame is there at once."""
    try:
        picture = paint_small_map(run)
    except ValueError:
        return  # the gallery says so
    if picture is None:
        return
    still = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    place.html(frame_picture(f'<img src="{still}" alt="{MAP_WORDS}">'))
    moving = f"data:image/webp;base64,{paint_living_map(run)}"
    source = f'<source media="(prefers-reduced-motion: reduce)" srcset="{still}">'
    place.html(frame_picture(f'<picture>{source}<img src="{moving}" alt="{MAP_WORDS}"></picture>'))


def frame_picture(picture: str = "") -> str:
    """The same room for the still and the moving picture, and before either is there."""
    style = ".living, .living img {width: 100%; max-width: 440px; aspect-ratio: 1; display: block; margin: auto;}"
    return f'<style>{style}</style><div class="living">{picture}</div>'


@cache.until_changed(st.cache_resource(show_spinner=False), "config.json", shared=True)
def paint_living_map(run: Run) -> str:
    """WebP in base64: a few frames, with straight ways between them, each scaled to one size."""
    epochs = run.frames()
    last = cache.read_frame(run, epochs[-1])
    labels = last.rows["labels"]
    share = np.linspace(0, 1, min(LIVING_FRAMES, len(epochs))) ** 1.6  # most happens early
    kept = sorted({epochs[round(s * (len(epochs) - 1))] for s in share})
    clouds = [
        planes.apart_in_plane(cache.read_frame(run, epoch).latents, labels, last.latents).astype(np.float32)
        for epoch in kept
    ]
    clouds = [(cloud - cloud.mean(0)) / (np.abs(cloud - cloud.mean(0)).max() or 1) for cloud in clouds]
    ways = [
        (1 - step) * before + step * after
        for before, after in itertools.pairwise(clouds)
        for step in np.linspace(0, 1, LIVING_STEPS, endpoint=False)
    ]
    drawn = [map_image(way, labels, LIVING_SIZE, 1.5, 1500) for way in (*ways, clouds[-1])]
    pictures = [Image.open(io.BytesIO(png)) for png in drawn]
    moving = io.BytesIO()
    times = [900] + [MILLISECONDS] * (len(pictures) - 2) + [2500]
    options = {"append_images": pictures[1:], "duration": times[: len(pictures)], "loop": 0, "quality": 70}
    pictures[0].save(moving, "WEBP", save_all=True, **options)
    return base64.b64encode(moving.getvalue()).decode()
