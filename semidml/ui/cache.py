"""What pages keep of runs and data sets, until their files change."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from semidml import planes, tasks
from semidml.config import RunConfig
from semidml.data import store
from semidml.explore import decode, near, pictures, points
from semidml.frames import TEST, TRAIN, Frame, Rows
from semidml.plots.pictures import image_strip
from semidml.priors import density
from semidml.priors.words import describe
from semidml.runs import listing, trained_on
from semidml.runs.run import Run
from semidml.scatter import pack
from semidml.scores.table import Scored
from semidml.ui.words import escape_markdown
from semidml.words import percent

if TYPE_CHECKING:  # at run time these would import torch
    from semidml.data.dataset import Dataset


def read_newest(run: Run) -> Frame | None:
    """The newest frame of a run; None before its first. Raises ValueError when it is damaged."""
    try:
        return run.live()
    except FileNotFoundError:  # not begun, or deleted between two looks
        return None


kept_of_runs: list[Any] = []  # the caches that `until_remade` made


def until_remade(cache: Callable[[Callable], Callable]) -> Callable[[Callable], Callable]:
    """What a function of a run's id, and perhaps of more, gives is kept in this cache until the id means another run,
    whoever made it: a page, or the command line."""

    def decorate(make: Callable) -> Callable:
        @wraps(make)
        def of(made: tuple, *given: Any) -> Any:
            return make(*given)

        kept = cache(of)

        @wraps(make)
        def ask(run_id: str, *given: Any) -> Any:
            return kept(points.stamp(listing.open_run(run_id), "config.json"), run_id, *given)

        kept_of_runs.append(kept)
        return ask

    return decorate


def forget_runs() -> None:
    """Drop what is kept of runs, of which some were deleted, renamed or imported."""
    for kept in kept_of_runs:
        kept.clear()


def load_model(run: Run) -> Any:
    """A run's model with its newest weights, on the CPU, in evaluation mode. Shared by all visitors. Raises ValueError
    when it has none."""
    return _model_of(run.id, points.weights_stamp(run))


@st.cache_resource(max_entries=4, show_spinner="Loading the model …")
def _model_of(run_id: str, stamp: tuple) -> Any:
    return listing.open_run(run_id).model()


@until_remade(st.cache_data(max_entries=16, show_spinner=False))
def read_rows(run_id: str) -> dict[str, Any]:
    """Which rows a run's map draws: see `Training.rows`."""
    return listing.open_run(run_id).rows()


@until_remade(st.cache_data(max_entries=16, show_spinner=False))
def shown_images(run_id: str) -> Any:
    """The images whose reconstructions a run's frames hold: uint8 (m, C, H, W). Raises ValueError if not here."""
    run = listing.open_run(run_id)
    its_rows = read_rows(run_id)
    data = trained_on.read_splits(run, store.load(run.config().data))[0]
    return pictures.read_pictures(data, its_rows, its_rows["shown"])


@until_remade(st.cache_data(max_entries=16, show_spinner=False))
def read_floors(run_id: str) -> dict[str, float]:
    """What needs no training, on the rows that a run's map draws: chance, kNN on raw pixels, those of large images
    reduced (`pictures.small_pictures`). See `protocol.floors`; `floors_or_reason` says what it raises."""
    from semidml.scores import protocol

    run = listing.open_run(run_id)
    its_rows, data = read_rows(run_id), trained_on.read_splits(run, store.load(run.config().data))[0]
    train, test = np.flatnonzero(its_rows["split"] == 0), np.flatnonzero(its_rows["split"] == 1)
    images, labels = pictures.small_pictures(data, its_rows).reshape(len(its_rows["row"]), -1), its_rows["labels"]
    seen, classes = np.flatnonzero(its_rows["seen"][train]), len(data.class_names)
    return protocol.floors(Scored(images[train], labels[train], seen, images[test], labels[test], classes))


def floors_or_reason(run: Run) -> tuple[dict[str, float], str]:
    """(the `read_floors` of a run, ""), or ({}, why there are none, in words): its data set may have changed since."""
    try:
        return read_floors(run.id), ""
    except ValueError as error:
        return {}, f"Chance and raw pixels are not known: {escape_markdown(str(error))}"


@st.cache_resource(max_entries=32, show_spinner=False)  # anew only when the components have moved
def regions(means: Any, log_vars: Any, weights: Any) -> density.Regions:
    return density.regions(means, log_vars, weights)


@st.cache_data(max_entries=64, show_spinner=False)
def prior_words(config: RunConfig) -> str:
    """What a mixture has to offer, in a sentence: how many components and, if it can be counted, modes."""
    return describe(config)


@st.cache_data(max_entries=32, show_spinner="Placing the components …")
def prior_picture(**knobs: Any) -> Any:
    """A mixture in the plane as numbers to draw, from the knobs of it: see `priors.picture.mixture_picture`."""
    from semidml.priors.picture import mixture_picture

    return mixture_picture(**knobs)


def decodes_plane(run: Run) -> bool:
    """Whether a run has a trained decoder of two latent dimensions."""
    try:
        config = run.config()
    except ValueError:
        return False
    return config.latent_dim == 2 and config.trains_decoder


@until_remade(st.cache_data(max_entries=32, show_spinner=False))
def decoded_samples(run_id: str, latents: Any) -> Any:
    """Latents (n, 2) as a run's decoder draws them, in one strip: uint8 (height, width, 4)."""
    import torch

    with torch.no_grad():
        images = load_model(listing.open_run(run_id)).decode(torch.from_numpy(latents)).numpy()
    return image_strip([images], scale=1)


BY_ID = {"semidml.data.dataset.Dataset": id}  # which the answer of `kept_splits` keeps alive
SECONDS_ERRORS = 0.15  # for which the map waits for the errors of reconstruction


# ---- caches: by file times, since a name may be used again


def read_frame(run: Run, epoch: int) -> Frame:
    """The stored frame of an epoch. Raises ValueError in words."""
    return _frame_of(run.id, epoch, points.stamp(run, f"frames/{epoch:04d}.npz", "rows.npz", "config.json"))


@st.cache_data(max_entries=128, show_spinner=False)
def _frame_of(run_id: str, epoch: int, stamp: tuple) -> Frame:
    return points.read_frame(listing.open_run(run_id), epoch)


def usual_distance(run: Run, frame: Frame) -> float:
    return usual_distance_of(run.id, frame.epoch, points.stamp(run, f"frames/{frame.epoch:04d}.npz"), frame.latents)


@st.cache_data(max_entries=64, show_spinner=False)
def usual_distance_of(run_id: str, epoch: int, stamp: tuple, _latents: np.ndarray) -> float:
    return near.usual_distance(_latents)


def images_of(run: Run) -> Any:
    """The run's splits of its data set. Raises ValueError when they are not on this machine."""
    data = store.load(run.config().data)
    return kept_splits(run.id, points.stamp(run, "config.json", "rows.npz"), data)[0]


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs=BY_ID)
def kept_splits(run_id: str, stamp: tuple, data: "Dataset") -> "tuple[Dataset, Dataset]":
    run = listing.open_run(run_id)
    splits = trained_on.read_splits(run, data)[0]
    if (run.path / "rows.npz").exists():
        rows = run.rows()
        pictures.read_pictures(splits, rows, furthest(rows))  # raises ValueError where such rows are not there
    return splits, data


def furthest(rows: Rows) -> list[int]:
    """The position of the last row that is drawn of each split."""
    parts = (np.flatnonzero(rows["split"] == split) for split in (TRAIN, TEST))
    return [int(part[rows["row"][part].argmax()]) for part in parts if len(part)]


def missing_images(run: Run) -> str:
    """Why the pictures cannot be shown, in words; "" when they can."""
    try:
        with st.spinner("Loading the images …"):
            images_of(run)
    except ValueError as error:
        return f"The pictures of this run cannot be shown: {error}"
    return ""


@st.cache_data(max_entries=4, show_spinner=False)
def packed_images(run_id: str, stamp: tuple) -> bytes:
    """The images of a run's drawn points, for the mouse."""
    run = listing.open_run(run_id)
    rows = run.rows()
    return pack.pack_images(run_id, pictures.small_pictures(images_of(run), rows))


@st.cache_data(max_entries=4, show_spinner=False)
def packed_film(run_id: str, name: str, epochs: tuple[int, ...], stamp: tuple) -> bytes | None:
    """A run's points at its epochs, in the plane of the last one; None where a frame is damaged."""
    run = listing.open_run(run_id)
    try:
        last = read_frame(run, epochs[-1])
        kept, labels = pack.thinned(epochs, len(last.latents)), last.rows["labels"]
        clouds = [planes.in_plane(read_frame(run, epoch).latents, labels, last.latents)[0] for epoch in kept]
        scores = {record.epoch: record.scores.get("knn_accuracy") for record in run.history() if record.scores}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # the frame's own words are shown when it is chosen
    words = [f"kNN {percent(scores[epoch])}" if scores.get(epoch) is not None else "" for epoch in kept]
    return pack.pack_film(name, kept, clouds, words)


def point_errors(run: Run) -> np.ndarray | None:
    """Errors of reconstruction, (n,), once they are known: many images take a while, in which the map is there. None
    before, and where the run has no decoder or no weights that fit, which `image_and_reconstruction` says."""
    if not run.config().trains_decoder:
        return None
    key = ("errors", str(run.path), *points.weights_stamp(run), *points.stamp(run, "rows.npz"))
    data = images_of(run)
    task = tasks.find_task(key) or tasks.start_task(
        key, lambda _: decode.errors_of_points(listing.open_run(run.id), data)
    )
    return task.wait(SECONDS_ERRORS).result
