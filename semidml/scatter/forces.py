"""A dozen points that one drags, and what each term of a loss does to them: what `forces.js` draws and moves.

Each point moves by itself, where a training moves all of them through one network; all else is as there. The losses are
the formulas of `semidml.losses` and `semidml.priors`, written once more in `pull.js`; a test holds one against the
other. A decoder that stays as it is draws a picture of 5 x 5 pixels at each place; each point's own picture is what it
draws at that point's `home`, so that the reconstruction is least there."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from semidml.config import declared_knobs
from semidml.presets import PAPERS_MIXTURE
from semidml.priors import PRIORS
from semidml.priors.places import place_components

Place = tuple[float, float]


class Point(NamedTuple):
    """An image of the drawing."""

    label: int
    seen: bool  # whether a loss knows its label
    start: Place
    home: Place  # where the decoder draws it


class Prior(NamedTuple):
    """A prior that can be chosen, by the knobs of `place_components`; without any a unit Gaussian."""

    title: str
    knobs: Mapping[str, Any] = MappingProxyType({})

    def mixture(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """means (K, 2), log_vars (K, 2), weights (K,)."""
        unit = {"placement": "lattice", "components": 1, "component_spacing": 1.0, "component_log_var": 0.0}
        return place_components(2, **({"components": 0, **self.knobs} if self.knobs else unit))


CLASSES = "ABC"
POINTS = (
    *(Point(0, True, (-0.6, -0.5), (-1.6, 0.9)), Point(0, True, (1.3, 0.2), (-1.1, 1.4))),
    *(Point(0, False, (0.3, 1.5), (-1.9, 0.3)), Point(0, False, (-0.2, 0.4), (-0.2, 0.9))),
    *(Point(1, True, (-1.4, 0.5), (1.7, 0.8)), Point(1, True, (0.5, -1.2), (1.2, 1.4))),
    *(Point(1, False, (-0.9, 1.2), (1.9, 0.2)), Point(1, False, (1.8, -0.7), (0.6, 0.5))),
    *(Point(2, True, (0.6, 0.8), (0.2, -1.8)), Point(2, True, (-1.5, -1.2), (-0.5, -1.4))),
    *(Point(2, False, (1.5, 1.2), (0.7, -1.5)), Point(2, False, (-0.4, -1.7), (-0.2, -0.6))),
)
SIDE = 5  # pixels
# What lights up to the right, upward, and everywhere: + gains, - loses, of one logit a latent unit.
RIGHT = "..+../..+../--.--/..+../..+.."
UP = "+++++/+...+/+.-.+/+...+/+++++"
EVERYWHERE = "-...-/.+++./.+++./.+++./-...-"
SIGNS = {"+": 1.0, ".": 0.0, "-": -1.0}
BRIGHT = -0.6  # logit of a pixel that nothing lights
PRIORS_SHOWN = {
    "unit": Prior(PRIORS["unit"].title),
    "paper": Prior("the paper's four wide hills", PAPERS_MIXTURE),
    "three": Prior(  # one near most points at the start, two farther off
        "three separate hills",
        {"placement": "given", "positions": "-0.4,0; 2.2,1.6; 2.2,-1.6", "component_spacing": 1.0}
        | {"component_log_var": -1.0},
    ),
}
TERMS = {"triplet": "Triplet", "reconstruction": "Reconstruction", "prior": "Prior"}
MARGINS = (0.1, 3.0)  # of the slider; alpha's are its knob's
RATE = 0.02  # of a step down the gradient of a sum over the points


def decoder() -> tuple[np.ndarray, np.ndarray]:
    """weights (pixels, 2) and offsets (pixels,) of the logits, pixels row by row from the top."""
    right, up, lit = (np.array([SIGNS[sign] for sign in text.replace("/", "")]) for text in (RIGHT, UP, EVERYWHERE))
    return np.stack([right, up], axis=1), BRIGHT + lit


def images() -> np.ndarray:
    """What the points are pictures of: (points, pixels) in [0, 1]."""
    weights, offsets = decoder()
    return 1 / (1 + np.exp(-(np.array([point.home for point in POINTS]) @ weights.T + offsets)))


def scene(
    looks: Sequence[tuple[str, str]],
    terms: Collection[str],
    priors: Collection[str] = (),
    alpha: float = 0.5,
    reductions: Collection[str] = ("sum",),
) -> dict[str, Any]:
    """What the component gets: the points, the terms in this order, the priors and ways to sum over pixels that can be
    chosen, the first of each at first; knobs with their words. looks: of each class its colour, and that of ink on
    it."""
    weights, offsets = decoder()
    known = declared_knobs()
    mixtures = []
    for name in priors:
        means, log_vars, shares = PRIORS_SHOWN[name].mixture()
        numbers = {"means": means.tolist(), "logVars": log_vars.tolist(), "weights": shares.tolist()}
        mixtures.append({"name": name, "title": PRIORS_SHOWN[name].title, **numbers})
    return {
        "points": [
            {
                "label": CLASSES[p.label],
                "colour": looks[p.label][0],
                "ink": looks[p.label][1],
                "seen": p.seen,
                "start": p.start,
                "image": image,
            }
            for p, image in zip(POINTS, images().tolist(), strict=True)
        ],
        "side": SIDE,
        "decoder": {"weights": weights.tolist(), "offsets": offsets.tolist()},
        "terms": [{"name": name, "title": TERMS[name]} for name in terms],
        "priors": mixtures,
        "reductions": list(reductions),
        "alpha": alpha,
        "margin": known["margin"].default,
        "margins": MARGINS,
        "rate": RATE,
        "help": {
            name: f"{known[name].help.capitalize()}." for name in ("margin", "alpha", "balance", "reconstruction")
        },
    }
