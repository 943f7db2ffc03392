"""An image of the visitor's own: drawn on a pad or dropped as a file, and what a run makes of it."""

import hashlib

import numpy as np
import streamlit as st

from semidml import planes
from semidml.explore import decode, near, pictures
from semidml.frames import Frame
from semidml.runs.run import Run
from semidml.scatter import bundle, sent
from semidml.ui import cache, words
from semidml.ui.explorer import answers
from semidml.ui.frame import show_error
from semidml.ui.manage import perform
from semidml.ui.pictures import PICTURE, draw_pictures, say_missing

LIGHT_ON_DARK = ("digits", "mnist", "kmnist", "fashionmnist")
CENTRED = ("digits", "mnist", "kmnist")  # whose images have their light in the middle


def draw_own(run: Run, frame: Frame, names: list[str]) -> None:
    """A pad and a place for a file; beside them where the encoder puts the image and what lies there."""
    if say_missing(run):
        return
    data = cache.images_of(run)
    shape = tuple(data.shape)
    left, right = st.columns([1, 2.4], gap="large")
    with left:
        image = ask_image(run, shape, np.asarray(data.train.images[:200]))
    with right:
        if image is None:
            st.caption(
                "Draw on the pad, or drop an image: the encoder says where on the map it belongs, the decoder what it "
                "has understood of it, and its neighbours which class it would have."
            )
        else:
            draw_answer(run, names, image)


def ask_image(run: Run, shape: tuple[int, int, int], others: np.ndarray) -> np.ndarray | None:
    """The image uint8 (C, H, W) that was drawn or dropped last; None so far."""
    key = f"own image {run.id}"
    name = run.config().data
    if shape[0] == 1:
        st.subheader("Draw", anchor=False)
        parts = {"html": bundle.PAD_HTML, "css": bundle.css(), "js": bundle.javascript("pad")}
        pad = st.components.v2.component(bundle.PAD, **parts)

        def drew() -> None:
            drawn = sent.drawn_of(st.session_state[f"pad {run.id}"]["drawn"], *shape[1:])
            is_light = name in LIGHT_ON_DARK or not pictures.is_inverted(drawn, others)
            st.session_state[key] = drawn if is_light else 255 - drawn

        size = {"height": shape[1], "width": shape[2]}
        pad(data=size, key=f"pad {run.id}", on_drawn_change=lambda: perform(drew))
    file = st.file_uploader("Or an image", type=["png", "jpg", "jpeg", "webp", "bmp", "gif"], key=f"own file {run.id}")
    if file is not None:
        content = file.getvalue()
        mark = hashlib.sha256(content).hexdigest()
        if st.session_state.get(f"own file taken {run.id}") != mark:
            st.session_state[f"own file taken {run.id}"] = mark
            from semidml.data import decoding

            try:
                taken = decoding.read_content(content, file.name, shape)
                st.session_state[key] = 255 - taken if pictures.is_inverted(taken, others) else taken
            except ValueError as error:
                show_error(error)
    image = st.session_state.get(key)
    if image is None or image.shape != shape:
        return None
    if st.toggle("Centre it", value=name in CENTRED, key=f"own centred {run.id}", help="As MNIST's digits are."):
        image = pictures.centre_image(image)
    return image


def place_on_map(run: Run, latent: np.ndarray, last: Frame) -> tuple[float, float] | None:
    """Where a latent (D,) lies on the map of two dimensions or of PCA; None for one dimension, whose strips are
    classes."""
    if len(latent) == 1:
        return None
    drawn = planes.project(latent[None], "pca", axes_of=last.latents) if len(latent) > 2 else latent[None]
    return float(drawn[0, 0]), float(drawn[0, 1])


def draw_answer(run: Run, names: list[str], image: np.ndarray) -> None:
    """Image, reconstruction, class by neighbours, neighbours; the map marks its place."""
    model = cache.load_model(run)
    latent = decode.encode_images(model, image[None])[0]
    shown, captions = [image], ["as the encoder sees it"]
    if run.config().trains_decoder:
        decoded = decode.decode_latents(model, latent[None])
        shown.append(decoded[0])
        captions.append("reconstruction")
    draw_pictures(shown, captions, PICTURE)
    st.caption("It stays here: a link to this page does not bring your image along.")
    last = cache.read_frame(run, run.frames()[-1])
    around, told, usual = near.surroundings_of(last, latent), [], cache.usual_distance(run, last.epoch)
    for which, neighbours in (("seen labels", around.voters), ("of all training images drawn", around.alike)):
        labels = last.rows["labels"][neighbours.positions]
        label, voters = near.vote(labels, len(names)), int((labels >= 0).sum())
        if label >= 0:
            told.append(f"by the {voters} nearest {which} {words.as_code(names[label])}")
    far = around.away / usual if usual else 0.0
    st.markdown(f"Its class: {', '.join(told)}." if told else "No image near it has a label.")
    trust = " Far from all data: the run has seen nothing like it, and its answer means little." if far > 10 else ""
    st.caption(
        f"It lies at {', '.join(f'{z:.3g}' for z in latent[:8])}{', …' if len(latent) > 8 else ''}; the nearest "
        f"training image is {far:.1f} times as far away as neighbours usually are.{trust} By the newest weights kept."
    )
    st.subheader("Nearest training images", anchor=False)
    answers.draw_neighbours(run, last, names, around.alike, False)
    place = place_on_map(run, latent, last)
    if place is not None and st.session_state.get("own place") != (run.id, place):
        st.session_state["own place"] = (run.id, place)
        st.rerun()  # the map above marks it
