"""What a map is to draw, gathered from a frame."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


MOST_ELLIPSES = 128


def ellipses(frame: Mapping[str, Any], axes_of: Mapping[str, Any] | None = None) -> list[list[float]]:
    """The prior's components of a frame on the map that `planes.in_plane` makes: for each its middle x, y, its two half
    axes at one sigma, their angle in radians, its weight relative to the largest. None for one dimension and where
    there are too many to be told apart."""
    import numpy as np

    from semidml import planes

    means = frame.get("component_means")
    if means is None or means.shape[1] == 1 or len(means) > MOST_ELLIPSES or not np.isfinite(means).all():
        return []
    dimensions, variances = means.shape[1], np.exp(frame["component_log_vars"].astype(np.float64))
    if dimensions == 2:
        middles, axes = means, np.eye(2)
    else:
        base = (axes_of or frame)["latents"]
        middles = planes.project(means, "pca", axes_of=base)
        axes = planes.principal_axes(base)[1]  # (D, 2)
    drawn = []
    largest = float(frame["component_weights"].max())
    for middle, variance, weight in zip(middles, variances, frame["component_weights"], strict=True):
        spread, turn = np.linalg.eigh(axes.T @ (variance[:, None] * axes))
        half = np.sqrt(np.maximum(spread, 0))
        angle = float(np.arctan2(turn[1, 1], turn[0, 1]))
        drawn.append([*map(float, middle), float(half[1]), float(half[0]), angle, float(weight) / largest])
    return drawn
