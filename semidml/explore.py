"""Questions to a run: what lies behind a point, what is near it, what the decoder makes of it; maps in the plane.

    data = explore.splits_of(run, store.load(run.config().data))
    explore.pictures(data, rows, [17])                    uint8 (1, C, H, W), the image behind a point
    explore.nearest(latents, rows["seen"], 17)            its neighbours among the seen labels
    explore.make_plane(run, 5, "umap", latents, progress) (n, 2), computed once and cached with the run
    explore.start(("umap", run.id, 5), work)              work in a background thread that a page looks at

What is long and native - projections but PCA, forest and MLP, mixtures, all rows - may take its process with it: pages
have it computed by a worker, through functions of the same names (`jobs.Jobs`). A point is named by its position among
the rows that a run's frames hold (`Training.rows`). No Streamlit here.
"""

import csv
import io
import json
import math
import threading
import time
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semidml import bias, planes, transfer
from semidml.config import RunConfig, knobs
from semidml.data.labels import most_per_class
from semidml.presets import COMPARATOR
from semidml.record import COMPONENTS

if TYPE_CHECKING:
    from torch.nn import Module

    from semidml.data.dataset import Dataset
    from semidml.runs import Run

Progress = Callable[[float, str], None]
Rows = Mapping[str, np.ndarray]
TRAIN, TEST = 0, 1  # values of rows["split"]
SPLITS = ("train", "test")
ROW_KEYS = ("split", "row", "labels", "seen")
NEIGHBOURS = 5  # as many as vote on a prediction
AT_ONCE = 1024  # images encoded or decoded together
PIXELS_AT_ONCE = 1 << 24  # numbers of the images that are taken from a data set together
SMALL_SIDE = 32  # pixels a side, of images that are drawn small or only compared
MOST_LATTICE = 700  # images of decoded places on a map
MOST_PICTURED = 64  # components that have a picture on a map
LABEL_COUNTS = (20, 50, 100, 200, 500, 1_000, 2_000, 5_000)  # with which plain deep metric learning is compared
MOST_FITTED = 10_000  # training images to which a prior is fitted: more change nothing that can be seen


# ---- what a run has stored


class Points(NamedTuple):
    """What a run's map draws after an epoch: n points of D dimensions, and the rows behind them (`Training.rows`)."""

    epoch: int
    latents: np.ndarray  # float32 (n, D)
    predictions: np.ndarray  # int16 (n,), see `evaluate.predictions`
    rows: dict[str, np.ndarray]  # split, row, labels, seen: (n,) each
    components: tuple[np.ndarray, ...] | None = None  # of the prior: means (K, D), log_vars (K, D), weights (K,)
    pictures: np.ndarray | None = None  # uint8 (k, C, H, W) of the first k <= K components
    are_pseudo_inputs: bool = False  # the pictures; else they are what the decoder makes of the components' means
    by_direction: bool = False  # nothing but directions was learned

    @property
    def compared(self) -> np.ndarray:
        """The latents as neighbours are found by: of length 1 where the loss learned from directions alone."""
        from semidml import evaluate

        return evaluate.directions(self.latents) if self.by_direction else self.latents

    def as_compared(self, latent: np.ndarray) -> np.ndarray:
        """Another latent (D,) in the same way."""
        from semidml import evaluate

        return evaluate.directions(latent[None])[0] if self.by_direction else latent

    @property
    def wrong(self) -> np.ndarray:
        """Whether the prediction is not the label: bool (n,)."""
        return self.predictions != self.rows["labels"]

    @property
    def disjoint(self) -> bool:
        """Whether no class has both training and test rows, so that rows of the same split vote on a prediction."""
        train, test = (self.rows["labels"][self.rows["split"] == split] for split in (TRAIN, TEST))
        return not np.isin(test, train).any()


def points(run: "Run", epoch: int) -> Points:
    """The stored frame of an epoch. Raises ValueError in words when it is not there or cannot be read."""
    try:
        frame, rows = run.frame(epoch), run.rows()
        prior = tuple(frame[key] for key in COMPONENTS) if COMPONENTS[0] in frame else None
        its_rows, shown = {key: rows[key] for key in ROW_KEYS}, _pictures(frame)
        learned = shown is not None and "pseudo_inputs" in frame
        by_direction, latents = run.config().by_direction, frame["latents"]
        found = Points(epoch, latents, frame["predictions"], its_rows, prior, shown, learned, by_direction)
        lengths = {len(found.latents), len(found.predictions), *(len(values) for values in found.rows.values())}
    except FileNotFoundError:
        raise ValueError(f"epoch {epoch} is not among the frames that {run.id} has kept") from None
    except (KeyError, TypeError, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the frame of epoch {epoch} is damaged and cannot be drawn: {error}") from None
    if found.latents.ndim != 2 or len(lengths) != 1 or not len(found.latents):
        raise ValueError(f"the frame of epoch {epoch} is damaged and cannot be drawn: its arrays differ in length")
    if not np.isfinite(found.latents).all():
        raise ValueError(f"the frame of epoch {epoch} cannot be drawn: some latents are not finite numbers")
    return found


def _pictures(frame: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """A frame's pictures of its components, no more than there are components; None where there are none to draw."""
    pictures = frame.get("pseudo_inputs", frame.get("component_images"))
    means = frame.get(COMPONENTS[0])
    if pictures is None or means is None or pictures.ndim != 4 or pictures.dtype != np.uint8 or not pictures.size:
        return None
    return pictures[: min(len(means), MOST_PICTURED)]


def telling_point(points: Points) -> int:
    """The position of a point to begin with: a test row whose prediction is wrong, else the first test row."""
    test = np.flatnonzero(points.rows["split"] == TEST)
    wrong = test[points.wrong[test]]
    return int([*wrong[:1], *test[:1], 0][0])


def point_words(points: Points, names: Sequence[str]) -> list[str]:
    """Each point in a few words: `test 123 · 7`, or `test 123 · 7, taken for 2`."""
    rows = points.rows
    every = zip(rows["split"], rows["row"], rows["labels"], points.predictions, strict=True)
    return [
        f"{SPLITS[split]} {row:,} · {names[label]}" + (f", taken for {names[taken]}" if taken != label else "")
        for split, row, label, taken in every
    ]


def most_responsible(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """(component (n,) that is most responsible for each point, how responsible it is (n,), at least 1 / K). Raises
    ValueError for points without a prior."""
    if points.components is None:
        raise ValueError("this run has no prior: no component is responsible for its points")
    shares = bias.responsibilities(points.latents, *points.components)
    return shares.argmax(1), shares.max(1)


def stamp(run: "Run", *names: str) -> tuple[int, ...]:
    """Times and sizes of files of a run: changes when one of them does. A key for caches: names may be used again."""
    found: list[int] = []
    for name in names:
        try:
            about = (run.path / name).stat()
        except OSError:
            found.append(0)
        else:
            found += [about.st_mtime_ns, about.st_size]
    return tuple(found)


def weights_stamp(run: "Run") -> tuple[int, ...]:
    """A stamp of a run's newest weights."""
    return stamp(run, "weights.safetensors", "state.safetensors")


def class_names(run: "Run", points: Points | None = None) -> list[str]:
    """The names of a run's classes: its own, else numbers for as many as occur among the points."""
    known = (run.details().get("data") or {}).get("class_names")
    occur = 0 if points is None else 1 + int(max(points.rows["labels"].max(), points.predictions.max()))
    names = [str(name) for name in known] if known else []
    return names + [str(c) for c in range(len(names), occur)]


def in_charts(names: Sequence[str], most: int = 24) -> list[str]:
    """Names as Plotly may draw them: it reads a part of HTML, so `<` and `&` are escaped; long ones are cut."""
    cut = [name if len(name) <= most else f"{name[: most - 1]}…" for name in names]
    return [name.replace("&", "&amp;").replace("<", "&lt;") for name in cut]


# ---- a point and its pictures


def splits_of(run: "Run", data: "Dataset") -> "Dataset":
    """The splits that a run was trained and scored on. Raises ValueError when `data` is not what it was trained on, or
    when its rows would be others (`Run.check_rows`)."""
    from semidml.train import prepare

    known = run.details().get("data") or {}
    shape, names = known.get("shape"), known.get("class_names")
    if shape and tuple(shape) != tuple(data.shape):
        raise ValueError(
            f"the images called {data.name} here are {_size(data.shape)}; the run was trained on {_size(shape)}: "
            "another data set of the same name"
        )
    if names and list(names) != list(data.class_names):
        raise ValueError(
            f"the classes of {data.name} here are not those that the run was trained on: another data set of that name"
        )
    found = prepare(run.config(), data)[0]
    run.check_rows(found)
    return found


def _size(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} pixels with {channels} channel{'s' * (channels != 1)}"


def pictures(data: "Dataset", rows: Rows, positions: Sequence[int] | np.ndarray) -> np.ndarray:
    """Images of the points at `positions`: uint8 (m, C, H, W). `data` has the run's splits (`splits_of`).

    Raises ValueError when a row is not in the data set."""
    at = np.asarray(positions, dtype=np.int64)
    found = np.empty((len(at), *data.shape), dtype=np.uint8)
    for split, part in ((TRAIN, data.train), (TEST, data.test)):
        mine = np.flatnonzero(rows["split"][at] == split)
        wanted = rows["row"][at[mine]].astype(np.int64)
        if (outside := wanted[(wanted < 0) | (wanted >= len(part.images))]).size:
            few = f"{len(part.images):,} {SPLITS[split]} images"
            raise ValueError(f"the run draws row {outside[0]:,}, but {data.name} has {few} here: another data set")
        found[mine] = part.images[wanted].numpy()
    return found


def in_parts(data: "Dataset", rows: Rows, positions: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
    """The images of `pictures`, some at a time and in order: thousands of large ones are gigabytes."""
    at = max(1, PIXELS_AT_ONCE // math.prod(data.shape))
    for start in range(0, len(positions), at):
        yield pictures(data, rows, positions[start : start + at])


def small_pictures(data: "Dataset", rows: Rows, most: int = SMALL_SIDE) -> np.ndarray:
    """The images of all points, `reduced`: uint8 (n, C, h, w)."""
    return np.concatenate([reduced(part, most) for part in in_parts(data, rows, np.arange(len(rows["row"])))])


def mean_picture(data: "Dataset", rows: Rows, positions: Sequence[int] | np.ndarray) -> np.ndarray:
    """The mean image of the points at `positions`: uint8 (C, H, W)."""
    total = sum(part.sum(axis=0, dtype=np.int64) for part in in_parts(data, rows, positions))
    return (total / len(positions)).round().astype(np.uint8)


def reduced(images: np.ndarray, most: int = 64) -> np.ndarray:
    """Images of at most `most` pixels a side, means over square blocks: uint8 (m, C, H, W) -> uint8 (m, C, h, w)."""
    times = times_smaller(*images.shape[2:], most)
    if times == 1:
        return images
    height, width = (side // times for side in images.shape[2:])
    blocks = images[:, :, : height * times, : width * times].reshape(*images.shape[:2], height, times, width, times)
    return blocks.mean(axis=(3, 5)).round().astype(np.uint8)


def times_smaller(height: int, width: int, most: int = 64) -> int:
    """How many times smaller a side is after `reduced`; 1 of images that are small already."""
    return -(-max(height, width) // most)


class Near(NamedTuple):
    """Neighbours of a point, the nearest first."""

    positions: np.ndarray  # int64 (k,)
    distances: np.ndarray  # float64 (k,), Euclidean, in units of the latent space


def nearest(latents: np.ndarray, among: np.ndarray, position: int, k: int = NEIGHBOURS) -> Near:
    """The k drawn points nearest to one of them in all D dimensions, itself excepted, among those that are marked, bool
    (n,): as those whose label is seen, or those of a split."""
    others = np.flatnonzero(among)
    return _nearest_of(latents, others[others != position], latents[position], k)


def nearest_to(
    latents: np.ndarray, rows: Rows, latent: np.ndarray, *, of_training: bool, seen: bool = False, k: int = NEIGHBOURS
) -> Near:
    """The k drawn points nearest to a latent (D,) in all D dimensions: among the training images, of them those whose
    label is seen, or among all."""
    others = np.flatnonzero((rows["split"] == TRAIN) | (not of_training))
    return _nearest_of(latents, others[rows["seen"][others]] if seen else others, latent, k)


def _nearest_of(latents: np.ndarray, positions: np.ndarray, place: np.ndarray, k: int) -> Near:
    """The k of these positions that are nearest to a place (D,); see `evaluate.knn`."""
    from semidml import evaluate

    if not len(positions):
        return Near(positions, np.zeros(0))
    rows, distances = evaluate.knn(latents[positions].astype(np.float64), np.asarray(place, np.float64)[None], k)
    return Near(positions[rows[0]], distances[0])


def vote(labels: np.ndarray, classes: int) -> int:
    """The class that most of these labels (m,) have, of several the smallest; -1 of none."""
    from semidml import evaluate

    return int(evaluate.vote(labels[None], classes)[0]) if len(labels) else -1


def usual_distance(latents: np.ndarray, most: int = 2_000) -> float:
    """Median distance of a point (n, D) to its nearest other one that lies elsewhere, of at most `most` points, evenly
    drawn; 0 where all points coincide."""
    from scipy.spatial import cKDTree

    distinct = np.unique(latents.astype(np.float64), axis=0)
    if len(distinct) < 2:
        return 0.0
    asked = distinct[np.linspace(0, len(distinct) - 1, min(most, len(distinct))).astype(int)]
    return float(np.median(cKDTree(distinct).query(asked, k=2)[0][:, 1]))


def grouped(values: np.ndarray, order: Sequence[int] | np.ndarray, most: int) -> np.ndarray:
    """At most `most` positions, as many of each value as there are of the one with fewest, in the order given.

    values: (N,), one of each position; order: positions."""
    ranked = np.asarray(order, dtype=np.int64)
    rank = np.empty(len(ranked), dtype=np.int64)
    for value in np.unique(values[ranked]):
        own = np.flatnonzero(values[ranked] == value)
        rank[own] = np.arange(len(own))
    return ranked[np.argsort(rank, kind="stable")][:most]


# ---- a data set


def class_counts(data: "Dataset") -> tuple[list[str], list[int], list[int]]:
    """(class names, training rows of each class, test rows of each)."""
    names = list(data.class_names)
    train, test = (np.bincount(part.labels.numpy(), minlength=len(names)).tolist() for part in (data.train, data.test))
    return names, train, test


def of_each_class(data: "Dataset", classes: Sequence[int], most: int, seed: int) -> list[np.ndarray]:
    """Training images of each of the classes, drawn with the seed, at most `most`, `reduced`: a list of uint8
    (m, C, h, w)."""
    labels, rng = data.train.labels.numpy(), np.random.default_rng(seed)
    rows = [np.flatnonzero(labels == c) for c in classes]
    return [reduced(data.train.images[rng.permutation(of_class)[:most]].numpy()) for of_class in rows]


class SeenImages(NamedTuple):
    """The training images whose labels a setting sees."""

    n: int  # seen labels
    redraws: int  # draws thrown away because a metric loss could not have learned from them
    counts: list[int]  # of each class
    images: np.ndarray  # uint8 (m, C, h, w), class after class, `reduced`


def seen_images(config: RunConfig, data: "Dataset", most: int) -> SeenImages:
    """What `config` sees of the labels, with at most `most` of its images, as many of each class as there are of the
    rarest. Raises ValueError when no draw can teach a metric loss."""
    from semidml.train import prepare

    splits, drawn = prepare(config, data)
    rows, labels = drawn.rows.numpy(), splits.train.labels.numpy()
    shown = grouped(labels, rows, most)
    shown = shown[np.argsort(labels[shown], kind="stable")]
    counts = np.bincount(labels[rows], minlength=len(data.class_names)).tolist()
    return SeenImages(len(rows), drawn.redraws, counts, reduced(splits.train.images[shown].numpy()))


# ---- an image of the visitor's


def centred(image: np.ndarray) -> np.ndarray:
    """An image uint8 (C, H, W), light on dark, moved by whole pixels so that its light has its middle in the middle, as
    MNIST's digits have (LeCun et al. 1998, doi 10.1109/5.726791); what leaves the image is lost."""
    light = image.astype(np.float64).sum(axis=0)
    if not light.any():
        return image
    moved = image
    for axis in (0, 1):
        middle = (light.sum(axis=1 - axis) * np.arange(light.shape[axis])).sum() / light.sum()
        by = round((light.shape[axis] - 1) / 2 - middle)
        moved = np.roll(moved, by, axis=axis + 1)
        edge = [slice(None)] * 3
        edge[axis + 1] = slice(0, by) if by > 0 else slice(light.shape[axis] + by, None) if by < 0 else slice(0, 0)
        moved[tuple(edge)] = 0
    return moved


def is_inverted(image: np.ndarray, others: np.ndarray) -> bool:
    """Whether an image (C, H, W) lies on a light ground and those of its data set (m, C, H, W) on a dark one, or the
    other way round, by the pixels of the border."""
    border = np.ones(image.shape[1:], bool)
    border[1:-1, 1:-1] = False
    return bool(abs(float(np.median(image[:, border])) - float(np.median(others[:, :, border]))) > 127)


# ---- what the decoder makes of it


def decoder_trained(run: "Run") -> bool:
    """Whether the run has a decoder that learned something."""
    return run.config().trains_decoder


def decode(model: "Module", latents: np.ndarray) -> np.ndarray:
    """What the decoder draws for latents (m, D): uint8 (m, C, H, W). Raises ValueError where there is no decoder."""
    import torch

    with torch.inference_mode():
        parts = [model.decode(torch.from_numpy(np.asarray(part, dtype=np.float32))) for part in _parts(latents)]
    return (torch.cat(parts) * 255).round().to(torch.uint8).numpy()


def squared_errors(images: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Mean over pixels (0 to 1) of the squared difference, of each pair: uint8 (m, C, H, W) twice -> float64 (m,)."""
    difference = (images.astype(np.float64) - decoded) / 255
    return (difference**2).reshape(len(images), -1).mean(axis=1)


def reconstruct(model: "Module", images: np.ndarray) -> np.ndarray:
    """Images, encoded and decoded again: uint8 (m, C, H, W) -> uint8 (m, C, H, W)."""
    return decode(model, latents_of(model, images))


def latents_of(model: "Module", images: np.ndarray) -> np.ndarray:
    """uint8 (m, C, H, W) -> float32 (m, D)."""
    import torch

    from semidml.train import embed

    return embed(model, torch.from_numpy(np.ascontiguousarray(images)))


class Reconstructed(NamedTuple):
    """Test points with what became of them, in the order of their error."""

    positions: np.ndarray  # int64 (m,)
    errors: np.ndarray  # float64 (m,), mean squared error over pixels in [0, 1]
    originals: np.ndarray  # uint8 (m, C, H, W)
    decoded: np.ndarray  # uint8 (m, C, H, W)


def reconstructions(model: "Module", data: "Dataset", rows: Rows) -> Reconstructed:
    """Every drawn test point, encoded and decoded, the best first. data: the run's splits."""
    positions = np.flatnonzero(rows["split"] == TEST)
    originals = pictures(data, rows, positions)
    parts = [(part, reconstruct(model, part)) for part in in_parts(data, rows, positions)]
    decoded = np.concatenate([drawn for _, drawn in parts])
    errors = np.concatenate([squared_errors(*part) for part in parts])  # (m,)
    order = np.argsort(errors, kind="stable")
    return Reconstructed(positions[order], errors[order], originals[order], decoded[order])


def errors_of_points(run: "Run", data: "Dataset") -> np.ndarray:
    """Squared error of each drawn point's reconstruction by the newest weights: float64 (n,). data: the run's splits.
    Raises ValueError where there are no weights."""
    rows, model = run.rows(), run.model()
    parts = in_parts(data, rows, np.arange(len(rows["row"])))
    return np.concatenate([squared_errors(part, reconstruct(model, part)) for part in parts])


def lattice(model: "Module", latents: np.ndarray, side: int = 16) -> np.ndarray:
    """What the decoder draws on a square lattice over the points of a 2-D run (2nd to 98th percentile of each axis):
    uint8 (side, side, C, H, W), the first at the upper left. Raises ValueError for other dimensions."""
    if latents.shape[1] != 2:
        raise ValueError(f"a lattice needs 2 latent dimensions; this run has {latents.shape[1]}")
    (left, low), (right, high) = np.percentile(latents, [2, 98], axis=0)
    x, y = np.meshgrid(np.linspace(left, right, side), np.linspace(high, low, side))
    images = decode(model, np.stack([x.ravel(), y.ravel()], axis=1))
    return images.reshape(side, side, *images.shape[1:])


def lattice_over(
    model: "Module", box: Sequence[float], width: float, height: float
) -> tuple[tuple[float, float, float, float], np.ndarray]:
    """(box, picture uint8 (h, w, C)) of what the decoder of a 2-D run draws over the part x0, y0, x1, y1 of the plane
    that a map of width x height pixels shows, one image each 28 to 56 pixels, at most MOST_LATTICE in all. The box is
    that of the images' edges."""
    x0, y0, x1, y1 = box
    side = max(28.0, (width * height / MOST_LATTICE) ** 0.5)
    columns, rows = max(1, round(width / side)), max(1, round(height / side))
    x = x0 + (np.arange(columns) + 0.5) / columns * (x1 - x0)
    y = y1 - (np.arange(rows) + 0.5) / rows * (y1 - y0)
    across, down = np.meshgrid(x, y)
    images = reduced(decode(model, np.stack([across.ravel(), down.ravel()], axis=1)), 32)  # (rows * columns, C, H, W)
    tiles = images.reshape(rows, columns, *images.shape[1:]).transpose(0, 3, 1, 4, 2)
    return (x0, y0, x1, y1), tiles.reshape(rows * images.shape[2], columns * images.shape[3], images.shape[1])


def walks(latents: np.ndarray, position: int, steps: int) -> np.ndarray:
    """A point moved along each dimension alone, from two standard deviations below the mean of all points (n, D) to
    two above: float32 (D, steps, D)."""
    mean, spread = latents.mean(axis=0), latents.std(axis=0)
    dimensions = latents.shape[1]
    path = np.tile(latents[position], (dimensions, steps, 1)).astype(np.float32)
    for d in range(dimensions):
        path[d, :, d] = mean[d] + np.linspace(-2, 2, steps) * spread[d]
    return path


def _parts(values: np.ndarray) -> list[np.ndarray]:
    return [values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]


# ---- clusters of a run without labels


class Cluster(NamedTuple):
    """A cluster of a frame."""

    number: int
    size: int  # rows drawn that belong to it
    entropy: float  # mean of these rows' cluster probabilities, in nats
    label: int  # its commonest class
    share: float  # of that class among its rows, 0 to 1
    members: np.ndarray  # int64 (m,), positions of the rows nearest to its middle
    drawn: np.ndarray | None  # uint8 (C, H, W), what the decoder makes of its mean representation


def clusters(frame: Mapping[str, np.ndarray], rows: Rows, members: int = 8) -> list[Cluster]:
    """The clusters of a frame that have rows, the largest first."""
    own, latents = frame["clusters"], frame["latents"]
    pictures = dict(zip(frame.get("cluster_shown", ()), frame.get("cluster_images", ()), strict=True))
    found = []
    for number in np.argsort(-frame["cluster_sizes"], kind="stable"):
        its = np.flatnonzero(own == number)
        if not len(its):
            break
        counts = np.bincount(rows["labels"][its])
        far = np.square(latents[its] - latents[its].mean(axis=0)).sum(axis=1)
        found.append(
            Cluster(
                int(number),
                len(its),
                float(frame["cluster_entropies"][number]),
                int(counts.argmax()),
                float(counts.max() / len(its)),
                its[np.argsort(far, kind="stable")[:members]],
                pictures.get(number),
            )
        )
    return found


def views(config: RunConfig, data: "Dataset", images: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Twins of images as a training of this config makes them: uint8 (m, C, H, W) -> uint8 (count, m, C, H, W). Raises
    ValueError for a model that has none."""
    import torch

    from semidml.data.augment import view
    from semidml.train import pixels, twins_of, unit

    how = twins_of(config, data)
    if how is None:
        raise ValueError(f"{config.model} has no twins")
    amounts = how.amounts(count, len(images), torch.Generator().manual_seed(seed))
    plain = unit(torch.from_numpy(np.ascontiguousarray(images)))
    return np.stack([pixels(view(plain, its)) for its in amounts])


def with_labels(
    config: RunConfig, rows: int, classes: int, counts: Sequence[int] = LABEL_COUNTS
) -> dict[int, RunConfig]:
    """Plain deep metric learning (`presets.COMPARATOR`) on the data of a run without labels, with as many epochs: its
    setting by the number of labels seen, of `rows` training images of so many classes."""
    each = knobs()["labelled_per_class"]
    same = {name: getattr(config, name) for name in ("data", "split", "evaluate_on", "epochs", "seed", "device")}
    own = {"labelled_per_class": max(int(each.low), min(each.default, most_per_class(classes)))}
    steps = {"batch_size": min(2 * config.batch_size, int(knobs()["batch_size"].high))}  # as many images as with twins
    return {
        count: RunConfig.of(COMPARATOR | same | own | steps | {"pl": 100 * count / rows})
        for count in counts
        if count <= rows
    }


def labels_worth(counts: Sequence[int], scores: Sequence[float], level: float) -> float | None:
    """The number of labels at which a score first reaches `level`, between two counts in proportion on a logarithmic
    scale; the smallest count if that is enough; None where no count is. counts: rising."""
    for i, (count, score) in enumerate(zip(counts, scores, strict=True)):
        if score >= level:
            if i == 0:
                return float(count)
            share = (level - scores[i - 1]) / (score - scores[i - 1])
            return float(np.exp(np.log(counts[i - 1]) + share * (np.log(count) - np.log(counts[i - 1]))))
    return None


# ---- maps in two dimensions


def plane(run: "Run", epoch: int, method: str) -> np.ndarray | None:
    """A projection that is cached with the run, (n, 2), or None. A damaged one counts as none."""
    try:
        found = run.projection(f"{method}-{epoch:04d}")
        points = None if found is None else np.asarray(found["points"], dtype=np.float32)
    except (KeyError, ValueError, OSError, EOFError):
        return None
    return (
        points
        if points is not None and points.ndim == 2 and points.shape[1] == 2 and np.isfinite(points).all()
        else None
    )


def make_plane(
    run: "Run",
    epoch: int,
    method: str,
    latents: np.ndarray,
    progress: Progress,
    keep: bool = True,
    flat: Callable[..., np.ndarray] = planes.project,
) -> np.ndarray:
    """Computes a projection, float32 (n, 2), by `flat`. It is cached with the run if it is to be kept, but for a
    shipped run. Raises ValueError when there is nothing to project."""
    points = flat(latents, method, run.config().seed, progress=progress)
    if keep and not run.is_shipped:
        run.keep_projection(f"{method}-{epoch:04d}", points=points)
    return points


# ---- all rows, to take away


def everything(run: "Run", data: "Dataset") -> dict[str, np.ndarray]:
    """Every training and test row through the final weights: split uint8 (n,) (0 train, 1 test), row int32, labels
    int16, seen bool, predictions int16 (`evaluate.predictions`) and latents float32 (n, D).

    data: as loaded."""
    from semidml import evaluate
    from semidml.train import as_compared, embed, prepare

    splits_of(run, data)
    splits, drawn = prepare(run.config(), data)
    model = run.model()
    parts = [embed(model, part.images) for part in (splits.train, splits.test)]
    latents, n_train = np.concatenate(parts), len(parts[0])
    labels = np.concatenate([part.labels.numpy() for part in (splits.train, splits.test)])
    rows = drawn.rows.numpy()
    seen, split = np.zeros(len(latents), dtype=bool), (np.arange(len(latents)) >= n_train).astype(np.uint8)
    seen[rows] = True
    compared, classes = as_compared(run.config(), latents), len(splits.class_names)
    predicted = evaluate.predictions(compared, labels, seen, split, classes, disjoint=splits.disjoint)
    return {
        "split": split,
        "row": np.concatenate([np.arange(len(part)) for part in parts]).astype(np.int32),
        "labels": labels.astype(np.int16),
        "seen": seen,
        "predictions": predicted.astype(np.int16),
        "latents": latents,
    }


def some_points(points: Points, positions: Sequence[int]) -> dict[str, np.ndarray]:
    """Some of the points drawn, in the form of `everything`."""
    at = np.asarray(positions, dtype=np.int64)
    rows = {key: points.rows[key][at] for key in ROW_KEYS}
    return rows | {"predictions": points.predictions[at], "latents": points.latents[at]}


# ---- a prior from a run


class Fitted(NamedTuple):
    """A mixture fitted to a run's latents."""

    config: RunConfig  # trains anew, with the mixture as its prior
    rows: str  # which latents it was fitted to, in words


def training_latents(run: "Run", seed: int = 0) -> tuple[np.ndarray, str]:
    """(latents (N, D) of a run's training images, which these are, in words): all of them, or `MOST_FITTED` drawn with
    the seed; where the images are not here, those that its last frame holds. Raises ValueError when there are none."""
    from semidml.data import store

    try:
        images = splits_of(run, store.load(run.config().data)).train.images
    except ValueError as error:
        epochs = run.frames()
        if not epochs:
            raise ValueError(f"{run.id} has kept no map, and its images cannot be read: {error}") from None
        last = points(run, epochs[-1])
        latents = last.latents[last.rows["split"] == TRAIN]
        return latents, f"the {len(latents):,} training images of its map, since its images cannot be read: {error}"
    from semidml.train import embed

    if len(images) <= MOST_FITTED:
        return embed(run.model(), images), f"all {len(images):,} training images"
    rows = np.sort(np.random.default_rng(seed).choice(len(images), MOST_FITTED, replace=False))
    return embed(run.model(), images[rows]), f"{MOST_FITTED:,} of {len(images):,} training images"


def fit_prior(run: "Run", components: int | None = None, seed: int = 0) -> Fitted:
    """A mixture fitted to a finished run's latents, to be the prior of another; as many components as classes unless
    told. (Safir et al. 2022 leave such a prior to future work.) Raises ValueError in words for a
    run that is not done, and one that has collapsed."""
    from semidml.priors.fit import after, fit
    from semidml.train import collapse

    status, config = run.status(), run.config()
    if status.state != "done":
        raise ValueError(f"{run.id} is {status.state}: a prior is fitted to the latents of a finished run")
    latents, rows = training_latents(run, seed)
    if collapsed := collapse(config, latents, len(class_names(run)), seed):
        raise ValueError(f"{run.id} has collapsed, there is nothing to fit: {collapsed}")
    if components is None:
        components = len(class_names(run))
    return Fitted(after(config, fit(latents, components, seed)), rows)


def as_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Plain arrays as a compressed .npz, without pickles."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def as_csv(arrays: Mapping[str, np.ndarray], class_names: Sequence[str]) -> bytes:
    """`everything` as a table: split, row, label, seen, prediction, then z1 to zD; UTF-8, one header line. A class name
    that a spreadsheet would take for a formula is led by an apostrophe."""
    names = [f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name for name in class_names]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["split", "row", "label", "seen", "prediction", *(f"z{i + 1}" for i in range(arrays["latents"].shape[1]))]
    )
    columns = (arrays[key].tolist() for key in ("split", "row", "labels", "seen", "predictions", "latents"))
    for split, row, label, seen, prediction, latent in zip(*columns, strict=True):
        writer.writerow([SPLITS[split], row, names[label], int(seen), names[prediction], *(f"{z:.6g}" for z in latent)])
    return text.getvalue().encode()


def as_zip(run: "Run") -> bytes:
    """The whole run as a zip that can be imported again."""
    file = io.BytesIO()
    transfer.export_zip(run, file)
    return file.getvalue()


def as_json(values: Any) -> bytes:
    return (json.dumps(values, indent=1, allow_nan=False) + "\n").encode()


# ---- work in the background


class Task:
    """Work in a background thread: how far it is, and then its result or what went wrong. Read from any thread."""

    def __init__(self, work: Callable[[Progress], Any]):
        self.fraction, self.text = 0.0, "waiting for its turn"
        self.result: Any = None
        self.error: str = ""  # in words; empty while there is none
        self.started = time.monotonic()
        self._work = work
        self._thread = threading.Thread(target=self._run, name="explore", daemon=True)

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    @property
    def seconds(self) -> float:
        """Since it was asked for."""
        return time.monotonic() - self.started

    def begin(self) -> "Task":
        self._thread.start()
        return self

    def wait(self, seconds: float | None = None) -> "Task":
        self._thread.join(seconds)
        return self

    def _run(self) -> None:
        try:
            self.result = self._work(self._progress)
        except Exception as error:  # whatever it was, the page says it
            self.error = str(error) or type(error).__name__

    def _progress(self, fraction: float, text: str) -> None:
        self.fraction, self.text = min(1.0, max(0.0, fraction)), text


KEPT_TASKS = 32
_tasks: OrderedDict[tuple, Task] = OrderedDict()
_tasks_lock = threading.Lock()


def start(key: tuple, work: Callable[[Progress], Any]) -> Task:
    """The task called `key`: the one that runs, or a new one."""
    with _tasks_lock:
        running = _tasks.get(key)
        if running is not None and not running.done:
            return running
        made = _tasks[key] = Task(work).begin()
        _tasks.move_to_end(key)
        for old in [k for k, t in _tasks.items() if t.done][: max(0, len(_tasks) - KEPT_TASKS)]:
            del _tasks[old]
        return made


def task(key: tuple) -> Task | None:
    """The task called `key`, running or over, if anyone started it in this process."""
    return _tasks.get(key)


def forget(key: tuple) -> None:
    """Drop a task that is over."""
    with _tasks_lock:
        if key in _tasks and _tasks[key].done:
            del _tasks[key]
