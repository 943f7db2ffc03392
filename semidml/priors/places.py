"""Where the components of a mixture lie: points (K, D) around the origin, nearest neighbours one unit apart. In plain
numpy: the page The prior draws them before torch is loaded."""

import itertools
import math
from functools import cache

import numpy as np

from semidml.priors import given

LATTICE_ROW = math.sqrt(3) / 2  # between the rows of a triangular lattice of unit spacing
STARTS, POWERS = 4, (2, 8, 32, 128)  # of `repel`


def place_components(
    latent_dim: int,
    components: int,
    placement: str,
    component_spacing: float,
    component_log_var: float,
    positions: str = "",
    component_weights: str = "",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """means (K, D), log_vars (K, D), weights (K,) of the mixture of these knobs, float32; weights sum to 1. What cannot
    be placed is refused by RunConfig."""
    if placement == "given":
        means = np.array(given.positions_of(positions), np.float32)
    else:
        means = np.float32(component_spacing) * place(placement, components, latent_dim)
    weights = np.array(given.weights_of(component_weights) or [1] * len(means), np.float32)
    return means, np.full_like(means, component_log_var), weights / weights.sum()


def place(placement: str, components: int, latent_dim: int) -> np.ndarray:
    """float32 (K, D) points of that placement, with K = 2^D for the vertices."""
    if placement == "vertices":
        corners = list(itertools.product((-0.5, 0.5), repeat=latent_dim))  # the paper's at a spacing of 2
        return np.array(corners, np.float32)
    return {"lattice": _lattice, "sphere": _sphere}[placement](components, latent_dim)


@cache
def _lattice(k: int, latent_dim: int = 2) -> np.ndarray:
    """The K points of a triangular lattice that lie nearest to their own middle: ten are rows of 3, 4 and 3.

    Of all centres in a cell of the lattice on a grid of 24 x 24, the one whose K nearest points have the least moment
    of inertia, and of those the fewest rows."""
    reach = math.ceil(math.sqrt(k)) + 2
    cells = np.array(list(itertools.product(range(-reach, reach + 1), repeat=2)))
    basis = np.array([[1, 0], [0.5, LATTICE_ROW]])
    points, chosen = cells @ basis, []
    for centre in np.array(list(itertools.product(np.arange(24) / 24, repeat=2))) @ basis:
        chosen.append(points[np.argsort(((points - centre) ** 2).sum(1), kind="stable")[:k]])
    best = min(chosen, key=lambda nearest_cells: (_inertia(nearest_cells), len(np.unique(nearest_cells[:, 1]))))
    best = best[np.argsort(best[:, 0] * 1e-3 + best[:, 1])]
    return (best - best.mean(0)).astype(np.float32)


def _inertia(points: np.ndarray) -> float:
    """Sum of squared distances from the middle, rounded so that equal ones are equal."""
    return round(float(((points - points.mean(0)) ** 2).sum()), 9)


@cache
def _sphere(k: int, latent_dim: int) -> np.ndarray:
    """K points evenly on a sphere, nearest neighbours one unit apart: a regular polygon in the plane, a simplex for
    K <= D + 1, else what `repel` finds."""
    if k == 1:
        return np.zeros((1, latent_dim), np.float32)
    if latent_dim == 1:
        return np.array([[-0.5], [0.5]], np.float32)
    if latent_dim == 2:
        angles = np.arange(k) / k * 2 * math.pi
        points = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    else:
        points = repel(k, latent_dim)
    return (points / smallest_distance(points)).astype(np.float32)


def repel(k: int, latent_dim: int, seed: int = 0) -> np.ndarray:
    """K points (K, D) on the unit sphere that push one another away: the least sum_{i<j} |x_i - x_j|^-s with s growing
    to 128, so that in the end the smallest distance counts (Saff and Kuijlaars 1997, doi 10.1007/BF03024331), by
    L-BFGS; the best of a few seeded starts. For K <= D + 1 it finds the simplex, which is optimal; beyond that a good
    arrangement, which need not be the best."""
    from scipy.optimize import minimize

    generator = np.random.default_rng(seed)
    arrangements = []
    for _ in range(STARTS if k <= 64 else 1):
        x = generator.normal(size=k * latent_dim)
        for power in POWERS:
            x = minimize(_energy, x, (k, power), "L-BFGS-B", jac=True, options={"maxiter": 300}).x
            x = (x.reshape(k, -1) / np.linalg.norm(x.reshape(k, -1), axis=1, keepdims=True)).ravel()
        arrangements.append(x.reshape(k, -1))
    return max(arrangements, key=smallest_distance)


def _energy(x: np.ndarray, k: int, power: float) -> tuple[float, np.ndarray]:
    """log sum_{i<j} d_ij^-s / s over the points x / |x|, and its gradient: (K D,) -> (), (K D,)."""
    x = x.reshape(k, -1)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    u = x / norms  # (K, D)
    squares = np.maximum(2 - 2 * u @ u.T, 1e-12)  # (K, K) d_ij^2
    np.fill_diagonal(squares, np.inf)
    logs = -power / 2 * np.log(squares)
    top = logs.max()
    shares = np.exp(logs - top)  # each pair twice
    total = shares.sum()
    pull = shares / total * 2 / squares  # -dE / d(d_ij) / d_ij, of a pair seen from either end
    to_u = pull @ u - pull.sum(1, keepdims=True) * u
    to_x = (to_u - (to_u * u).sum(1, keepdims=True) * u) / norms
    return float((top + np.log(total / 2)) / power), to_x.ravel()


def smallest_distance(points: np.ndarray) -> float:
    """Of any two of the points (K, D), K >= 2."""
    points = points.astype(np.float64)
    return float(min(np.linalg.norm(points[i + 1 :] - point, axis=1).min() for i, point in enumerate(points[:-1])))
