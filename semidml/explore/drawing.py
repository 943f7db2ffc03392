"""What a map is to draw, gathered from a frame."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semidml import planes
from semidml.explore import points
from semidml.frames import TEST, Frame
from semidml.plots.colours import FAINT, UNLABELLED, Kind, class_looks
from semidml.scatter.pack import Drawing
from semidml.words import NO_LABEL

MOST_ELLIPSES = 500

Range = tuple[float, float]


def draw_frame(
    frame: Frame,
    placed: np.ndarray,
    names: Sequence[str],
    ranges: tuple[Range, Range],
    *,
    words: str,
    run: str,
    colour: Kind = "class",
) -> Drawing:
    """A frame's points where they are placed in the plane (n, 2), in their colours, where ranges of x and y show them.
    What else a map has is added with `dataclasses.replace`. names: of the classes."""
    rows, colours = frame.rows, colour_points(frame, names, colour)
    return Drawing(
        placed,
        colours.categories,
        rows["seen"],
        rows["split"] == TEST,
        colours.names,
        colours.looks,
        *ranges,
        words=words,
        run=run,
        epoch=frame.epoch,
        strength=colours.strength,
        labels=rows["labels"],
        label_names=names,
        rows=rows["row"],
        clusters=frame.clusters,
    )


class Colouring(NamedTuple):
    """What the points of a map have their colours by: n points of K categories."""

    categories: np.ndarray  # int (n,)
    names: list[str]  # (K,)
    looks: list[tuple[str, str]]  # (K,): colour, symbol
    strength: np.ndarray | None = None  # (n,) 0 (grey) to 1


def colour_points(frame: Frame, names: Sequence[str], kind: Kind) -> Colouring:
    """Points by their label ("class") or their prediction; by their label where that was seen ("seen") or where it was
    predicted wrongly ("error"), grey otherwise; by the "component" of the prior that is most responsible, the less, the
    greyer; or by their "cluster". What has no label, or no prediction, has a grey of its own. Raises ValueError where
    the frame has none of these."""
    labels, own_grey = frame.rows["labels"], (UNLABELLED, "circle")
    if kind in ("class", "prediction"):
        values, none = (labels, NO_LABEL) if kind == "class" else (frame.predictions, "no prediction")
        numbers, called = points.with_unlabelled(values, names, none)
        return Colouring(numbers, called, [*class_looks(len(names)), own_grey][: len(called)])
    if kind in ("seen", "error"):
        strong, grey = (frame.rows["seen"], "label not seen") if kind == "seen" else (frame.wrong, "right")
        told, none = (labels >= 0, NO_LABEL) if kind == "seen" else (frame.told, "no label or no prediction")
        looks = [*class_looks(len(names)), (FAINT, "circle")]
        numbers, called = points.with_unlabelled(
            np.where(told, np.where(strong, labels, len(names)), -1), [*names, grey], none
        )
        return Colouring(numbers, called, [*looks, own_grey][: len(called)])
    if kind == "cluster" and frame.clusters is None:
        raise ValueError("a map by cluster needs clusters")
    number, strength = points.most_responsible(frame) if kind == "component" else (frame.clusters, None)
    count = int(number.max(initial=0)) + 1
    return Colouring(number, [f"{kind} {n}" for n in range(1, count + 1)], class_looks(count), strength)


def ellipses(frame: Frame, axes_of: np.ndarray | None = None) -> list[list[float]]:
    """The prior's components of a frame on the map that `planes.in_plane` makes, on the axes of the latents `axes_of`:
    for each its middle x, y, its two half axes at one sigma, their angle in radians, its weight relative to the
    largest. None for one dimension and where there are too many to be told apart."""
    means = frame.component_means
    if means is None or means.shape[1] == 1 or len(means) > MOST_ELLIPSES or not np.isfinite(means).all():
        return []
    dimensions, variances = means.shape[1], np.exp(frame.component_log_vars.astype(np.float64))
    if dimensions == 2:
        middles, axes = means, np.eye(2)
    else:
        axes_of = frame.latents if axes_of is None else axes_of
        middles = planes.project(means, "pca", axes_of=axes_of)
        axes = planes.principal_axes(axes_of)[1]  # (D, 2)
    drawn = []
    largest = float(frame.component_weights.max())
    for middle, variance, weight in zip(middles, variances, frame.component_weights, strict=True):
        spread, turn = np.linalg.eigh(axes.T @ (variance[:, None] * axes))
        half = np.sqrt(np.maximum(spread, 0))
        angle = float(np.arctan2(turn[1, 1], turn[0, 1]))
        drawn.append([*map(float, middle), float(half[1]), float(half[0]), angle, float(weight) / largest])
    return drawn
