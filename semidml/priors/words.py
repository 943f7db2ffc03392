"""What a mixture has to offer, in words; torch is loaded only where modes must be searched for."""

import math

MOST_COUNTED = 64  # components whose modes are counted


def describe(placement: str, components: int, latent_dim: int, spacing: float, log_var: float) -> str:
    """What a mixture of these knobs offers, in words: its components, their sigma, and how many modes it really has.

    Counted by ascent from every mean (`mixture.modes`); at the vertices of a cube the density is a product over
    dimensions, each of two equal Gaussians, which have two modes when they are more than 2 sigma apart.
    """
    sigma = math.exp(log_var / 2)
    k = 2**latent_dim if placement == "vertices" else components
    if placement == "vertices":
        modes = k if spacing > 2 * sigma else 1
    elif k <= MOST_COUNTED:
        from semidml.priors.gmm import build
        from semidml.priors.mixture import modes as modes_of

        its = build(latent_dim, (1, 1, 1), components, placement, spacing, log_var, "none", 1)
        modes = len(modes_of(*its.components()))
    else:
        modes = None
    told = f"{k} components, neighbours {spacing:g} apart, sigma {sigma:.2f}"
    if modes is None:
        return f"{told}: so many that their modes are not counted here."
    if modes == 1 < k:
        return (
            f"{told}: **they merge into 1 mode**, so there are no separate places to offer. Equal neighbours merge "
            "when they are less than 2 sigma apart."
        )
    return f"{told}: **{modes} mode{'s' if modes > 1 else ''}**."
