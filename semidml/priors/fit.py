"""A mixture fitted to latents, as the knobs that make it a prior."""

import math
import warnings
from typing import Any

import numpy as np

from semidml.priors import MOST_COMPONENTS, given

STARTS, ROUNDS = 5, 500  # of expectation-maximisation; the best start counts
DIGITS = 3  # of a weight


def fit(latents: np.ndarray, components: int, seed: int) -> dict[str, Any]:
    """placement, positions, component_weights and component_log_var of a mixture of `components` round Gaussians
    fitted to latents (N, D) by expectation-maximisation (Dempster, Laird and Rubin 1977, JRSS B 39), the likeliest of a
    few seeded starts. No label is used.

    The fit gives each component a variance v_k of its own; the prior has one for all, their mean sum_k w_k v_k.
    Positions are rounded to a hundredth of its sigma, and go from left to right.

    Raises: ValueError in words for more components than different rows, and where the latents are no finite numbers or
    too narrow or wide for a prior."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if not 1 <= components <= MOST_COMPONENTS:
        raise ValueError(f"components must be between 1 and {MOST_COMPONENTS:,}, got {components:,}")
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must be between 0 and {2**31 - 1}, got {seed}")
    if not np.isfinite(latents).all():
        raise ValueError("some latents are not finite numbers: no mixture can be fitted to them")
    different = len(np.unique(latents, axis=0))
    if different < components:
        raise ValueError(f"components must be at most the number of different latents, {different:,}, got {components}")
    model = GaussianMixture(components, covariance_type="spherical", n_init=STARTS, max_iter=ROUNDS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model.fit(latents.astype(np.float64))
        except ConvergenceWarning:
            raise ValueError(
                f"{components} components did not settle on these latents within {ROUNDS} rounds: choose another "
                "number of components, or another seed"
            ) from None
    log_var = round(math.log(float(model.weights_ @ model.covariances_)), 2)
    order = np.lexsort(model.means_.T[::-1])
    return {
        "placement": "given",
        "positions": given.positions_text(given.rounded(model.means_[order], log_var)),
        "component_weights": given.weights_text(float(f"{w:.{DIGITS}g}") for w in model.weights_[order]),
        "component_log_var": log_var,
    }
