"""What pages keep of runs and data sets, until their files change."""

import itertools
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from semidml import memory, planes, tasks
from semidml.config import RunConfig
from semidml.explore import decode, near, pictures, points
from semidml.frames import TEST, TRAIN, Frame
from semidml.plots.pictures import image_strip
from semidml.priors import density
from semidml.priors.words import describe
from semidml.runs import listing, trained_on
from semidml.runs.run import Run
from semidml.scatter import pack
from semidml.scores.table import Scored
from semidml.ui import frame
from semidml.ui.shared import Shared
from semidml.ui.words import config_of, escape_markdown, is_here
from semidml.words import percent

if TYPE_CHECKING:  # at run time these would import torch
    from semidml.data.dataset import Dataset


kept_of_runs: list[Any] = []  # the caches that `until_changed` made


def bounded(cache: Callable[[Callable], Callable], shared: bool = False) -> Callable[[Callable], Callable]:
    """What a function gives is kept in this cache within the budget of `memory`, and so needs no number of entries.
    shared: whether the cache gives its callers one object, and no copies."""

    def decorate(make: Callable) -> Callable:
        @cache
        @wraps(make)
        def kept(*given: Any, **more: Any) -> tuple[int, Any]:
            return next(_numbers), make(*given, **more)

        @wraps(make)
        def ask(*given: Any, **more: Any) -> Any:
            number, value = kept(*given, **more)
            if not memory.touch(("page", number)):
                buffers = memory.buffers_of(value)
                if not shared:  # what is counted here is a copy, whose places are soon others'
                    buffers = {-number: sum(buffers.values())}
                memory.keep(("page", number), buffers, lambda: kept.clear(*given, **more))
            return value

        ask.clear = kept.clear
        return ask

    return decorate


_numbers = itertools.count(1)


def until_changed(
    cache: Callable[[Callable], Callable], *files: str, shared: bool = False
) -> Callable[[Callable], Callable]:
    """What a function of a run, and perhaps of more, gives is kept in this cache, see `bounded`, until one of these
    files of the run changes, whoever writes it: a page, or the command line. `{0}` in a file's name is the first thing
    given besides."""

    def decorate(make: Callable) -> Callable:
        @(cache if isinstance(cache, Shared) else bounded(cache, shared))
        @wraps(make)
        def kept(stamp: tuple, run_id: str, *given: Any) -> Any:
            return make(listing.open_run(run_id), *given)

        @wraps(make)
        def ask(run: Run, *given: Any) -> Any:
            return kept(points.stamp(run, *(file.format(*given) for file in files)), run.id, *given)

        kept_of_runs.append(kept)
        return ask

    return decorate


def forget_runs() -> None:
    """Drop what is kept of runs, of which some were deleted, renamed or imported."""
    for kept in kept_of_runs:
        kept.clear()


@until_changed(
    st.cache_resource(show_spinner="Loading the model …"), "weights.safetensors", "state.safetensors", shared=True
)
def load_model(run: Run) -> Any:
    """A run's model with its newest weights, on the CPU, in evaluation mode. Shared by all visitors. Raises ValueError
    when it has none."""
    return run.model()


@until_changed(st.cache_data(show_spinner=False), "config.json")
def read_rows(run: Run) -> dict[str, Any]:
    """Which rows a run's map draws: see `Training.rows`."""
    return run.rows()


def read_newest(run: Run) -> Frame | None:
    """The newest frame of a run; None before its first. Raises ValueError when it is damaged."""
    try:
        return run.live()
    except FileNotFoundError:  # not begun, or deleted between two looks
        return None


@until_changed(Shared(192_000_000), "frames/{0:04d}.npz", "rows.npz", "config.json")
def read_frame(run: Run, epoch: int) -> Frame:
    """The stored frame of an epoch. Raises ValueError in words."""
    return points.read_frame(run, epoch)


@until_changed(st.cache_data(show_spinner=False), "frames/{0:04d}.npz")
def usual_distance(run: Run, epoch: int) -> float:
    """See `near.usual_distance`."""
    return near.usual_distance(read_frame(run, epoch).latents)


@until_changed(st.cache_data(show_spinner=False), "config.json")
def shown_images(run: Run) -> Any:
    """The images whose reconstructions a run's frames hold: uint8 (m, C, H, W). Raises ValueError if not here."""
    rows = read_rows(run)
    return pictures.read_pictures(trained_on.read_splits(run, trained_on.load_data(run))[0], rows, rows["shown"])


@until_changed(st.cache_data(show_spinner=False), "config.json")
def read_floors(run: Run) -> dict[str, float]:
    """What needs no training, on the rows that a run's map draws: chance, kNN on raw pixels, those of large images
    reduced (`pictures.small_pictures`). See `protocol.floors`; `floors_or_reason` says what it raises."""
    from semidml.scores import protocol

    rows, data = read_rows(run), trained_on.read_splits(run, trained_on.load_data(run))[0]
    train, test = np.flatnonzero(rows["split"] == TRAIN), np.flatnonzero(rows["split"] == TEST)
    images, labels = pictures.small_pictures(data, rows).reshape(len(rows["row"]), -1), rows["labels"]
    seen = np.flatnonzero(rows["seen"][train])
    return protocol.floors(
        Scored(images[train], labels[train], seen, images[test], labels[test], len(data.class_names))
    )


def floors_or_reason(run: Run) -> tuple[dict[str, float], str]:
    """(the `read_floors` of a run, ""), or ({}, why there are none, in words): its data set may have changed since.
    Without its data set, which the page says, and before torch is loaded, no word."""
    if not frame.is_warm() or not has_data(run):
        return {}, ""
    try:
        return read_floors(run), ""
    except ValueError as error:
        return {}, f"Chance and raw pixels are not known: {escape_markdown(str(error))}"


@bounded(st.cache_resource(show_spinner=False), shared=True)  # anew only when the components have moved
def regions(means: Any, log_vars: Any, weights: Any) -> density.Regions:
    return density.regions(means, log_vars, weights)


@st.cache_data(max_entries=64, show_spinner=False)
def prior_words(config: RunConfig) -> str:
    """What a mixture has to offer, in a sentence: how many components and, if it can be counted, modes."""
    return describe(config)


@bounded(st.cache_data(show_spinner="Placing the components …"))
def prior_picture(**knobs: Any) -> Any:
    """A mixture in the plane as numbers to draw, from the knobs of it: see `priors.picture.mixture_picture`."""
    from semidml.priors.picture import mixture_picture

    return mixture_picture(**knobs)


def decodes_plane(run: Run) -> bool:
    """Whether a run has a trained decoder of two latent dimensions."""
    config = config_of(run)
    return config is not None and config.latent_dim == 2 and config.trains_decoder


@until_changed(st.cache_data(show_spinner=False), "config.json")
def decoded_samples(run: Run, latents: Any) -> Any:
    """Latents (n, 2) as a run's decoder draws them, in one strip: uint8 (height, width, 4)."""
    return image_strip([decode.decode_latents(load_model(run), latents)], scale=1)


BY_ID = {"semidml.data.dataset.Dataset": id}  # which the answer of `kept_splits` keeps alive
COLD = "Images follow in a few seconds: the app has just been started."
SECONDS_ERRORS = 0.15  # for which the map waits for the errors of reconstruction


def has_data(run: Run) -> bool:
    """Whether a run's data set is here without a download; of a path that the command line was given, who reads it
    tells."""
    return trained_on.is_of_path(run) or is_here(run.config().data)


def images_of(run: Run) -> Any:
    """The run's splits of its data set. Raises ValueError when they are not on this machine."""
    return kept_splits(run, trained_on.load_data(run))[0]


@until_changed(st.cache_resource(show_spinner=False, hash_funcs=BY_ID), "config.json", "rows.npz", shared=True)
def kept_splits(run: Run, data: "Dataset") -> "tuple[Dataset, Dataset]":
    splits = trained_on.read_splits(run, data)[0]
    if (run.path / "rows.npz").exists():
        rows = run.rows()
        # Raises ValueError where the last rows that are drawn of each split are not there.
        parts = (np.flatnonzero(rows["split"] == split) for split in (TRAIN, TEST))
        furthest = [int(part[rows["row"][part].argmax()]) for part in parts if len(part)]
        pictures.read_pictures(splits, rows, furthest)
    return splits, data


def missing_images(run: Run) -> str:
    """Why the pictures cannot be shown, in words; "" when they can. No page waits with its map until torch is loaded,
    which images need."""
    if not frame.is_warm():
        return COLD
    try:
        with st.spinner("Loading the images …"):
            images_of(run)
    except ValueError as error:
        return f"The pictures of this run cannot be shown: {error}"
    return ""


@until_changed(Shared(96_000_000), "rows.npz")
def packed_images(run: Run) -> bytes:
    """The images of a run's drawn points, for the mouse."""
    return pack.pack_images(run.id, pictures.small_pictures(images_of(run), run.rows()))


@until_changed(Shared(96_000_000), "config.json", "history.jsonl")
def packed_film(run: Run, view: str, epochs: tuple[int, ...]) -> bytes | None:
    """A run's points at its epochs, in the plane of the last one, for the map that the page has called `view`; None
    where a frame is damaged."""
    try:
        last = read_frame(run, epochs[-1])
        kept, labels = pack.thinned(epochs, len(last.latents)), last.rows["labels"]
        clouds = [planes.in_plane(read_frame(run, epoch).latents, labels, last.latents)[0] for epoch in kept]
        scores = {record.epoch: record.scores.get("knn_accuracy") for record in run.history() if record.scores}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # the frame's own words are shown when it is chosen
    words = [f"kNN {percent(scores[epoch])}" if scores.get(epoch) is not None else "" for epoch in kept]
    return pack.pack_film(view, kept, clouds, words)


def point_errors(run: Run) -> np.ndarray | None:
    """Errors of reconstruction, (n,), once they are known: many images take a while, in which the map is there. None
    before, and where the run has no decoder or no weights that fit, which `answers.draw_reconstruction` says."""
    if not run.config().trains_decoder:
        return None
    key = ("errors", str(run.path), *points.weights_stamp(run), *points.stamp(run, "rows.npz"))
    data = images_of(run)
    task = tasks.find_task(key) or tasks.start_task(
        key, lambda _: decode.errors_of_points(listing.open_run(run.id), data)
    )
    return task.wait(SECONDS_ERRORS).result
