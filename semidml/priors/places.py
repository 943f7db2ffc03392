"""Where the components of a mixture lie: points (K, D) around the origin, nearest neighbours one unit apart."""

import itertools
import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

LATTICE_ROW = math.sqrt(3) / 2  # between the rows of a triangular lattice of unit spacing
STARTS, POWERS = 4, (2, 8, 32, 128)  # of `repel`


def place(placement: str, components: int, latent_dim: int) -> Tensor:
    """(K, D) points of that placement, with K = 2^D for the vertices. What cannot be placed is refused by
    RunConfig. On torch's meta device there are shapes and no numbers."""
    if torch.get_default_device().type == "meta":
        return torch.empty(2**latent_dim if placement == "vertices" else components, latent_dim)
    if placement == "vertices":
        return torch.tensor(list(itertools.product((-0.5, 0.5), repeat=latent_dim)))  # the paper's at a spacing of 2
    return {"lattice": _lattice, "sphere": _sphere}[placement](components, latent_dim)


def _lattice(k: int, latent_dim: int = 2) -> Tensor:
    """The K points of a triangular lattice that lie nearest to their own middle: ten are rows of 3, 4 and 3.

    Of all centres in a cell of the lattice on a grid of 24 x 24, the one whose K nearest points have the least moment
    of inertia, and of those the fewest rows."""
    reach = math.ceil(math.sqrt(k)) + 2
    cells = torch.cartesian_prod(torch.arange(-reach, reach + 1), torch.arange(-reach, reach + 1)).double()
    basis = torch.tensor([[1, 0], [0.5, LATTICE_ROW]], dtype=torch.float64)
    points, steps, chosen = cells @ basis, torch.arange(24).double() / 24, []
    for centre in torch.cartesian_prod(steps, steps) @ basis:
        chosen.append(points[(points - centre).square().sum(1).topk(k, largest=False, sorted=False).indices])
    best = min(chosen, key=lambda nearest_cells: (_inertia(nearest_cells), len(nearest_cells[:, 1].unique())))
    best = best[(best[:, 0] * 1e-3 + best[:, 1]).argsort()]
    return (best - best.mean(0)).float()


def _inertia(points: Tensor) -> float:
    """Sum of squared distances from the middle, rounded so that equal ones are equal."""
    return round(float((points - points.mean(0)).square().sum()), 9)


@cache
def _sphere(k: int, latent_dim: int) -> Tensor:
    """K points evenly on a sphere, nearest neighbours one unit apart: a regular polygon in the plane, a simplex for
    K <= D + 1, else what `repel` finds."""
    if k == 1:
        return torch.zeros(1, latent_dim)
    if latent_dim == 1:
        return torch.tensor([[-0.5], [0.5]])
    if latent_dim == 2:
        angles = torch.arange(k) / k * 2 * math.pi
        points = torch.stack([angles.sin(), angles.cos()], dim=1)
    else:
        points = repel(k, latent_dim)
    return points / smallest_distance(points)


def repel(k: int, latent_dim: int, seed: int = 0) -> Tensor:
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
        arrangements.append(torch.from_numpy(x.reshape(k, -1)))
    return max(arrangements, key=smallest_distance).float()


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


def smallest_distance(points: Tensor) -> float:
    """Of any two of the points (K, D), K >= 2."""
    return float(torch.pdist(points.double()).min())
