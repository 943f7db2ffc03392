"""What a training must not do in silence: collapse, put everything into one place, or learn nothing."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from semidml.config import RunConfig
from semidml.data.batches import Batches
from semidml.losses import LOSSES
from semidml.methods import MODELS
from semidml.scores import collapse as collapses
from semidml.train.outputs import ROWS_AT_ONCE, as_compared

DIRECTIONS = 0.2  # see `collapse`
ROUNDING = 1e-6  # of a gradient beside its loss: what single precision may make of one that is 0


def of_latents(config: RunConfig, latents: np.ndarray, classes: int, components_used: float | None) -> list[str]:
    """The alarms of an epoch, in sentences, that the watched latents (n, D) raise, and how many of the prior's
    components they use, None where that is not known."""
    alarms = [collapsed] if (collapsed := collapse(config, latents, classes)) else []
    if components_used == 1:
        alarms.append("One component holds nearly all points: the prior's other components are empty.")
    return alarms


def of_steps(config: RunConfig, method: nn.Module, silent: Iterable[str]) -> list[str]:
    """The alarms of an epoch, in sentences, that its steps raise: of the terms `silent`, which have given the encoder
    no gradient so far, and of what the method has counted."""
    alarms = []
    if MODELS[config.model].facts["clusters"] and (steps := int(method.lonely_steps)):  # since the last epoch
        method.lonely_steps.zero_()
        held = f"One cluster held all images of a step, {steps:,} times in this epoch"
        alarms.append(f"{held}: its metric loss rested there.")
    return alarms + [
        f"The {term} loss has given the encoder no gradient so far: nothing is learned from it." for term in silent
    ]


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
        return collapses.collapse(latents, latent_scale(config), seed)
    alarm = collapses.collapse(as_compared(config, latents), DIRECTIONS, seed, classes)
    if alarm is None and MODELS[config.model].facts["prior"]:
        return collapses.coincide(latents, 1.0, seed)
    return alarm


def gives_gradient(term: Tensor, encoder: nn.Module) -> bool:
    """Whether a term has a gradient with respect to the encoder, beyond rounding. Asks the device for numbers, so it is
    called only until a term has had one, in its first step, and else a few times an epoch."""
    gradients = torch.autograd.grad(term, list(encoder.parameters()), retain_graph=True, allow_unused=True)
    largest = max((float(g.abs().max()) for g in gradients if g is not None), default=0.0)
    return not largest <= ROUNDING * abs(float(term.detach()))  # NaN teaches: it is said as what it is


def shows_one_image(config: RunConfig, batches: Batches, images: Tensor) -> bool:
    """Whether all labelled rows show the same image, in every view, of which no loss over pairs can learn: what
    gradient it has is rounding, which Adam would make steps of."""
    if not (batches.classes and config.needs_pairs) or LOSSES[config.loss].facts["needs"] == "row":
        return False
    first = images[batches.classes[0][:1].to(images.device)]
    if batches.augment and (first != first.flatten()[0]).any():
        return False
    parts = torch.cat(batches.classes).to(images.device).split(ROWS_AT_ONCE // 4)
    return all(bool((images.index_select(0, part) == first).all()) for part in parts)


def explain_untrained(epochs: int, moved: bool, taught: bool, lr: float) -> str:
    """Why a training has taught nothing, in words: whether a weight of the encoder has moved, whether any term has
    given it a gradient."""
    within = f"in {epochs} epoch{'s' * (epochs > 1)}"
    if not taught:
        still = "no" if moved else "no weight of the encoder has moved: no"
        return f"{within} {still} loss gave it a gradient; the images may be all alike, or the loss unfit for them"
    return (
        f"{within} no weight of the encoder has moved: its steps are too small for single precision; raise lr (now "
        f"{lr:g})"
    )
