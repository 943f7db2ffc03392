"""What a mixture has to offer, in words, without torch."""

import math

import numpy as np

from semidml.config import RunConfig
from semidml.priors import density, given, places

PLACED = ("components", "placement", "component_spacing", "component_log_var", "positions", "component_weights")
MOST_COUNTED = 64  # components whose modes are counted


def describe(config: RunConfig) -> str:
    """What the Gaussian mixture of a config offers, in words: its components, the smallest distance between two of
    them, their sigma, and how many modes it really has.

    Counted by ascent from every mean (`density.modes`); at the vertices of a cube the density is a product over
    dimensions, each of two equal Gaussians, which have two modes when they are more than 2 sigma apart. On a sphere the
    smallest distance is also told as a share of the radius, which is what the arrangement reached."""
    sigma, k, spacing = math.exp(config.component_log_var / 2), config.component_count(), config.component_spacing
    distance = spacing if k > 1 else math.inf  # of the components of a placement, which is scaled so
    radius, modes = None, None
    if config.placement == "given":
        distance = given.nearest(given.positions_of(config.positions))
    if config.placement == "vertices" and not config.component_weights:
        modes = k if spacing > 2 * sigma else 1
    elif k <= MOST_COUNTED:
        knobs = {name: getattr(config, name) for name in PLACED}
        means, log_vars, weights = places.place_components(config.latent_dim, **knobs)
        modes = len(density.modes(means, log_vars, weights))
        radius = float(np.linalg.norm(means, axis=1).mean()) if config.placement == "sphere" else None

    told = [f"{k} component{'s' if k > 1 else ''}"]
    if math.isfinite(distance):
        told.append(f"the nearest two {distance:.3g} apart")
    if radius:
        told.append(f"{distance / radius:.2f} of the sphere's radius {radius:.3g}")
    told.append(f"sigma {sigma:.2f}")
    if modes is None:
        return f"{', '.join(told)}: so many that their modes are not counted here."
    if modes == 1 < k:
        return (
            f"{', '.join(told)}: **they merge into 1 mode**, so there are no separate places to offer. Equal "
            "neighbours merge when they are less than 2 sigma apart."
        )
    return f"{', '.join(told)}: **{modes} mode{'s' if modes > 1 else ''}**."
