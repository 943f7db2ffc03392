"""Scores of induced bias: do classes live on the components of the prior, and would they without it?

A point belongs to its most responsible component. A run's scores are of test latents; numpy in, plain numbers out.
"""

import math
from typing import NamedTuple

import numpy as np

from semidml.priors.density import log_joint
from semidml.scores import agreement, checks, meaning

ROTATIONS = 20  # of the floors


def component_of(
    latents: np.ndarray, means: np.ndarray, log_vars: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(the most responsible component of each row (N,), its distance to that component in the component's sigmas, root
    mean square over dimensions (N,)): (N, D), (K, D), (K, D), (K,)."""
    own = log_joint(latents, means, log_vars, weights).argmax(1)
    squares = (latents.astype(np.float64) - means[own]) ** 2 * np.exp(-log_vars[own].astype(np.float64))  # (N, D)
    return own, np.sqrt(squares.mean(1))


def responsibilities(latents: np.ndarray, means: np.ndarray, log_vars: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """p(k | z) = w_k N(z; m_k, v_k) / p(z): (N, D), (K, D), (K, D), (K,) -> (N, K), each row sums to 1."""
    joint = log_joint(latents, means, log_vars, weights)
    shares = np.exp(joint - joint.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def component_scores(
    latents: np.ndarray, labels: np.ndarray, means: np.ndarray, log_vars: np.ndarray, weights: np.ndarray
) -> dict[str, float | None]:
    """component_ami, component_nmi, components_used (by at least 1 % of a component's even share), component_distance
    (mean, in sigmas a dimension), classes_alone (whose commonest component is no other class's) of latents (N, D) with
    labels (N,), -1 for none. None where one means nothing (`meaning.judge`), as those of classes where no row has one.

    Raises: ValueError when latents are not finite."""
    own, distance = component_of(checks.finite(latents), means, log_vars, weights)
    rows, has = np.bincount(own, minlength=len(means)), labels >= 0
    pairs = agreement.count_pairs(labels[has], own[has], int(labels.max()) + 1, len(means))
    commonest = pairs[pairs.any(1)].argmax(1)  # of each class that has rows
    scores = {
        "component_ami": agreement.ami(labels[has], own[has]),
        "component_nmi": agreement.nmi(labels[has], own[has]),
        "components_used": int((rows > 0.01 * len(latents) / len(means)).sum()),
        "component_distance": float(distance.mean()),
        "classes_alone": int((np.bincount(commonest) == 1).sum()),
    }
    return scores | dict.fromkeys(meaning.judge(scores, labels).failed)


def floors(
    latents: np.ndarray, labels: np.ndarray, means: np.ndarray, log_vars: np.ndarray, weights: np.ndarray, seed: int = 0
) -> dict[str, float | None]:
    """What component_ami would be for other reasons than the prior, each a mean over draws of the seed, None where it
    means nothing (`meaning.judge`):

    - component_ami_rotated: the latents turned at random around their mean. Given latents of a run without any prior it
      is the floor of the prior's effect (any ten separate clusters score high); given a run's own latents it says how
      much hangs on these places.
    - component_ami_random: as many components of the same spread, drawn from a Gaussian with the latents' variance.
    - component_ami_permuted: labels permuted; about 0 by construction."""
    generator, has = np.random.default_rng(seed), labels >= 0
    centre, spread = latents.mean(0), latents.std()
    rotated = turn_at_random(latents - centre, centre, generator)
    places = [centre + spread * generator.normal(size=means.shape) for _ in range(ROTATIONS)]
    own = component_of(latents, means, log_vars, weights)[0]
    draws = {
        "rotated": [component_ami(turned, labels, means, log_vars, weights) for turned in rotated],
        "random": [component_ami(latents, labels, place, log_vars, weights) for place in places],
        "permuted": [agreement.ami(generator.permutation(labels[has]), own[has]) for _ in range(ROTATIONS)],
    }
    means_of_draws = {f"component_ami_{name}": float(np.mean(values)) for name, values in draws.items()}
    return means_of_draws | dict.fromkeys(meaning.judge(means_of_draws, labels).failed)


def component_ami(latents: np.ndarray, labels: np.ndarray, *mixture: np.ndarray) -> float:
    """See `component_scores`."""
    has = labels >= 0
    return agreement.ami(labels[has], component_of(latents[has], *mixture)[0])


def fitted_floor(
    latents: np.ndarray, labels: np.ndarray, means: np.ndarray, log_vars: np.ndarray, weights: np.ndarray, seed: int = 0
) -> list[float]:
    """component_ami that latents (N, D) of a run *without* this prior would have: moved to the components' middle,
    scaled to the mixture's spread, and turned at random, 20 times. What a prior is said to do has to lie above it."""
    generator = np.random.default_rng(seed)
    size = math.sqrt(float((means.var(axis=0) + np.exp(log_vars).mean(axis=0)).mean()))
    points = (latents - latents.mean(axis=0)) * size / latents.std() if latents.std() else latents
    rotated = turn_at_random(points, means.mean(axis=0), generator)
    return [component_ami(turned, labels, means, log_vars, weights) for turned in rotated]


class WhatIf(NamedTuple):
    """What components of a prior at other places would change at once, while the latents stay where they are; pairs are
    before and after."""

    moved: list[int]  # the components that lie elsewhere
    counts: tuple[list[int], list[int]]  # (C,) points of each class whose most responsible component is one of those,
    #                                      then, where there are such, those without a label
    component_ami: tuple[float, float] | None  # of all points with a label; None where there is none
    surprise: tuple[float, float]  # mean of -log p(z) over the points, in nats


def what_if(
    latents: np.ndarray,
    labels: np.ndarray,
    before: tuple[np.ndarray, np.ndarray, np.ndarray],
    after: tuple[np.ndarray, np.ndarray, np.ndarray],
    classes: int,
) -> WhatIf:
    """Points (n, D) with labels (n,), -1 for none, of C `classes` under a mixture, means (K, D), log_vars (K, D) and
    weights (K,), and under the same with other means."""
    moved, has = np.flatnonzero((before[0] != after[0]).any(1)), labels >= 0
    numbered, groups = np.where(has, labels, classes), classes + (not has.all())
    told = []
    for mixture in (before, after):
        joint = log_joint(latents, *mixture)
        own = joint.argmax(1)
        counts = np.bincount(numbered[np.isin(own, moved)], minlength=groups).tolist()
        told.append((counts, agreement.ami(labels[has], own[has]), float(-np.logaddexp.reduce(joint, axis=1).mean())))
    counts, amis, surprise = zip(*told, strict=True)
    return WhatIf(moved.tolist(), counts, amis if has.any() else None, surprise)


def turn_at_random(latents: np.ndarray, centre: np.ndarray, generator: np.random.Generator) -> list[np.ndarray]:
    """Latents (N, D) turned at random around 0 and moved to a centre (D,), ROTATIONS times."""
    return [latents @ rotation(latents.shape[1], generator) + centre for _ in range(ROTATIONS)]


def rotation(dimensions: int, generator: np.random.Generator) -> np.ndarray:
    """A rotation or reflection, uniform over all of them (Mezzadri 2007, arXiv math-ph/0609050): (D, D)."""
    q, r = np.linalg.qr(generator.normal(size=(dimensions, dimensions)))
    return q * np.sign(np.diag(r))
