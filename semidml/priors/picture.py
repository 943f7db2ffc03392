"""A mixture in the plane as numbers to draw: density, modes, samples, and the way from a component to its neighbour."""

from typing import Any

import numpy as np
import torch

from semidml.priors import mixture
from semidml.priors.density import regions
from semidml.priors.gmm import build
from semidml.priors.words import MOST_COUNTED

PROFILE, SAMPLES = 161, 400


def mixture_picture(**knobs: Any) -> dict[str, Any]:
    """Arrays of the mixture that `gmm.build` makes of these knobs in two dimensions: regions, see `density.regions`;
    means (K, 2), weights (K,), sigma (), modes (M, 2), samples (400, 2). Along the line through two nearest neighbours,
    from 3 sigma before the first to 3 sigma behind the second: along (161,) in latent units from the middle, whole
    (161,) the density, parts (2, 161) the two components' shares of it. With one component the line runs along x; with
    more than `MOST_COUNTED` no modes are looked for."""
    prior = build(2, (1, 1, 1), **knobs)
    means, log_vars, weights = prior.components()
    sigma = float(np.exp(knobs["component_log_var"] / 2))
    first, second = _neighbours(means)
    towards = second - first
    apart = float(towards.norm())
    direction = towards / apart if apart else torch.tensor([1.0, 0.0])
    along = torch.linspace(-apart / 2 - 3 * sigma, apart / 2 + 3 * sigma, PROFILE)
    line = (first + second) / 2 + along[:, None] * direction
    joint = mixture.log_joint(line, means, log_vars, weights.log()).exp()  # (161, K)
    nearest = [int((means - component).square().sum(1).argmin()) for component in (first, second)]
    arrays = {
        "means": means,
        "weights": weights,
        "modes": mixture.modes(means, log_vars, weights) if len(means) <= MOST_COUNTED else means[:0],
        "samples": prior.sample(SAMPLES, torch.Generator().manual_seed(0)),
        "along": along,
        "whole": joint.sum(1),
        "parts": joint[:, nearest].T,
    }
    drawn = regions(means.numpy(), log_vars.numpy(), weights.numpy())
    return {name: tensor.numpy() for name, tensor in arrays.items()} | {"sigma": sigma, "regions": drawn}


def _neighbours(means: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two components that are nearest to one another, of these the ones nearest to the origin; with one component it
    twice."""
    if len(means) == 1:
        return means[0], means[0]
    distances = torch.cdist(means, means) + 1e-3 * (means.norm(dim=1)[:, None] + means.norm(dim=1))
    distances.fill_diagonal_(torch.inf)
    i, j = divmod(int(distances.argmin()), len(means))
    return means[min(i, j)], means[max(i, j)]
