"""What a map is to draw, gathered from a frame."""

from collections.abc import Sequence

import numpy as np

from semidml import planes
from semidml.explore import points
from semidml.frames import TEST, Frame
from semidml.plots.colours import Kind, colouring
from semidml.scatter.pack import Drawing

MOST_ELLIPSES = 128

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
    rows = frame.rows
    colours = colouring(
        colour,
        rows["labels"],
        names,
        seen=rows["seen"],
        predictions=frame.predictions,
        components=points.most_responsible(frame) if colour == "component" else None,
        clusters=frame.clusters,
    )
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
    )


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
