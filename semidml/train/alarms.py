"""What a training must not do in silence: collapse, or put everything into one component."""

from collections.abc import Mapping

import numpy as np

from semidml.config import RunConfig
from semidml.losses import LOSSES
from semidml.methods import MODELS
from semidml.scores import collapse as collapse_module
from semidml.scores.collapse import coincide
from semidml.train import outputs

DIRECTIONS = 0.2  # see `collapse`


def latent_scale(config: RunConfig) -> float:
    """The distance that the loss asks for in the latent space, which a collapse is measured by: the margin, where it is
    one of Euclidean distance; otherwise 1."""
    return config.margin if "margin" in config.used() and not LOSSES[config.loss].facts["normalised"] else 1.0


def collapse(config: RunConfig, latents: np.ndarray, classes: int, seed: int = 0) -> str | None:
    """The alarm that latents (N, D) have collapsed, or None: of their directions where the loss trains these, and with
    a prior, which knows how long they are, of the latents as they are too.

    No loss by direction asks for a distance, so what counts as one place on the sphere is measured: the directions of
    trainings that went on well are .030 apart and more (proxy anchor in the plane; digits, n=3 seeds, ten epochs),
    those of broken ones (lr = 1) at most .017. The bound is a tenth of DIRECTIONS, about one degree."""
    if not config.by_direction:
        return collapse_module.collapse(latents, latent_scale(config), seed)
    found = collapse_module.collapse(outputs.as_compared(config, latents), DIRECTIONS, seed, classes)
    if found is None and MODELS[config.model].facts["prior"]:
        return coincide(latents, 1.0, seed)
    return found


def one_for_all(scores: Mapping[str, float | None]) -> str | None:
    """The alarm that one component of several holds everything, or None."""
    if scores.get("components_used") == 1:
        return "One component holds nearly all points: the prior's other components are empty."
    return None
