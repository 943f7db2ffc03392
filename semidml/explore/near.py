"""The rows nearest to a row or to a place."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semidml import frames
from semidml.frames import Rows

if TYPE_CHECKING:
    pass


NEIGHBOURS = 5  # as many as vote on a prediction


class Near(NamedTuple):
    """Neighbours of a point, the nearest first."""

    positions: np.ndarray  # int64 (k,)
    distances: np.ndarray  # float64 (k,), Euclidean, in units of the latent space


def nearest_rows(latents: np.ndarray, among: np.ndarray, position: int, k: int = NEIGHBOURS) -> Near:
    """The k drawn points nearest to one of them in all D dimensions, itself excepted, among those that are marked, bool
    (n,): as those whose label is seen, or those of a split."""
    others = np.flatnonzero(among)
    return _nearest_of(latents, others[others != position], latents[position], k)


def rows_nearest_to(
    latents: np.ndarray, rows: Rows, latent: np.ndarray, *, of_training: bool, seen: bool = False, k: int = NEIGHBOURS
) -> Near:
    """The k drawn points nearest to a latent (D,) in all D dimensions: among the training images, of them those whose
    label is seen, or among all."""
    others = np.flatnonzero((rows["split"] == frames.TRAIN) | (not of_training))
    return _nearest_of(latents, others[rows["seen"][others]] if seen else others, latent, k)


def _nearest_of(latents: np.ndarray, positions: np.ndarray, place: np.ndarray, k: int) -> Near:
    """The k of these positions that are nearest to a place (D,); see `neighbours.knn`."""
    from semidml.scores import neighbours

    if not len(positions):
        return Near(positions, np.zeros(0))
    rows, distances = neighbours.knn(latents[positions].astype(np.float64), np.asarray(place, np.float64)[None], k)
    return Near(positions[rows[0]], distances[0])


def vote(labels: np.ndarray, classes: int) -> int:
    """The class that most of these labels (m,) have, of several the smallest; -1 of none."""
    from semidml.scores import classifiers

    return int(classifiers.vote(labels[None], classes)[0]) if len(labels) else -1


def usual_distance(latents: np.ndarray, most: int = 2_000) -> float:
    """Median distance of a point (n, D) to its nearest other one that lies elsewhere, of at most `most` points, evenly
    drawn; 0 where all points coincide."""
    from scipy.spatial import cKDTree

    distinct = np.unique(latents.astype(np.float64), axis=0)
    if len(distinct) < 2:
        return 0.0
    asked = distinct[np.linspace(0, len(distinct) - 1, min(most, len(distinct))).astype(int)]
    return float(np.median(cKDTree(distinct).query(asked, k=2)[0][:, 1]))
