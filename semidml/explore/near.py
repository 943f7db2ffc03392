"""The rows nearest to a row or to a place."""

from typing import NamedTuple

import numpy as np

from semidml import frames
from semidml.frames import Frame, Rows

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


def training_rows_near(
    latents: np.ndarray, rows: Rows, latent: np.ndarray, *, seen: bool = False, k: int = NEIGHBOURS
) -> Near:
    """The k drawn training points nearest to a latent (D,) in all D dimensions, or those whose label is seen."""
    train = rows["split"] == frames.TRAIN
    return _nearest_of(latents, np.flatnonzero(train & rows["seen"] if seen else train), latent, k)


class Surroundings(NamedTuple):
    """What lies around a latent among a frame's training points."""

    voters: Near  # with a seen label, as the frame's run compares
    alike: Near  # among all, as the run compares
    away: float  # Euclidean distance to the nearest, in units of the latent space; 0 where there is none


def surroundings_of(frame: Frame, latent: np.ndarray) -> Surroundings:
    """What lies around a latent (D,)."""
    compared, asked = frame.compared, frame.as_compared(latent)
    away = training_rows_near(frame.latents, frame.rows, latent, k=1).distances
    voters = training_rows_near(compared, frame.rows, asked, seen=True)
    return Surroundings(voters, training_rows_near(compared, frame.rows, asked), float(away[0]) if len(away) else 0.0)


def _nearest_of(latents: np.ndarray, positions: np.ndarray, place: np.ndarray, k: int) -> Near:
    """The k of these positions that are nearest to a place (D,); see `neighbours.knn`."""
    from semidml.scores import neighbours

    if not len(positions):
        return Near(positions, np.zeros(0))
    rows, distances = neighbours.knn(latents[positions].astype(np.float64), np.asarray(place, np.float64)[None], k)
    return Near(positions[rows[0]], distances[0])


def vote(labels: np.ndarray, classes: int) -> int:
    """The class that most of these labels (m,) have, of several the smallest; -1 where there is none among them."""
    from semidml.scores import classifiers

    labels = labels[labels >= 0]
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
