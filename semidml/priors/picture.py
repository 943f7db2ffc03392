"""A mixture in the plane as numbers to draw: density, modes, samples, and the way from a component to its neighbour; in
plain numpy, for a page that draws it before torch is loaded."""

from typing import Any

import numpy as np

from semidml.priors.density import log_joint, modes, regions
from semidml.priors.places import place_components
from semidml.priors.words import MOST_COUNTED

PROFILE, SAMPLES = 161, 400


def mixture_picture(**knobs: Any) -> dict[str, Any]:
    """Arrays of the mixture that `gmm.build` makes of these knobs in two dimensions: regions, see `density.regions`;
    means (K, 2), weights (K,), sigma (), modes (M, 2), samples (400, 2). Along the line through two nearest neighbours,
    from 3 sigma before the first to 3 sigma behind the second: along (161,) in latent units from the middle, whole
    (161,) the density, parts (2, 161) the two components' shares of it. With one component the line runs along x; with
    more than `MOST_COUNTED` no modes are looked for."""
    means, log_vars, weights = place_components(2, **knobs)
    sigma = float(np.exp(knobs["component_log_var"] / 2))
    first, second = _neighbours(means)
    towards = second - first
    apart = float(np.linalg.norm(towards))
    direction = towards / apart if apart else np.array([1.0, 0.0])
    along = np.linspace(-apart / 2 - 3 * sigma, apart / 2 + 3 * sigma, PROFILE)
    line = (first + second) / 2 + along[:, None] * direction
    joint = np.exp(log_joint(line, means, log_vars, weights))  # (161, K)
    nearest = [int(((means - component) ** 2).sum(1).argmin()) for component in (first, second)]
    generator = np.random.default_rng(0)
    chosen = generator.choice(len(means), SAMPLES, p=weights / weights.sum(dtype=np.float64))
    return {
        "means": means,
        "weights": weights,
        "modes": modes(means, log_vars, weights) if len(means) <= MOST_COUNTED else means[:0],
        "samples": (means[chosen] + sigma * generator.normal(size=(SAMPLES, 2))).astype(np.float32),
        "along": along,
        "whole": joint.sum(1),
        "parts": joint[:, nearest].T,
        "sigma": sigma,
        "regions": regions(means, log_vars, weights),
    }


def _neighbours(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two components that are nearest to one another, of these the ones nearest to the origin; with one component it
    twice."""
    if len(means) == 1:
        return means[0], means[0]
    lengths = np.linalg.norm(means, axis=1)
    distances = np.linalg.norm(means[:, None] - means, axis=2) + 1e-3 * (lengths[:, None] + lengths)
    np.fill_diagonal(distances, np.inf)
    i, j = divmod(int(distances.argmin()), len(means))
    return means[min(i, j)], means[max(i, j)]
