"""The sweeps that claims need: one a data set, side and dimension, over the percentages of labels that are asked of it.
What two claims ask is trained once."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

from semidml.claims.grounds import GROUNDS, Ground
from semidml.claims.table import Claim, Side
from semidml.config import RunConfig
from semidml.methods import MODELS
from semidml.sweeps.plan import Plan

SEEDS, QUICK_SEEDS = 10, 6  # fewer than six decide nothing, see `semidml.verdicts`


class Setting(NamedTuple):
    """Where a claim is asked: the percentage of labels, and the latent dimensions."""

    pl: float
    latent_dim: int


class Training(NamedTuple):
    """A sweep that is needed: what is trained of a side on a data set in so many dimensions."""

    data: str
    side: Side
    latent_dim: int
    plan: Plan


def list_settings(claim: Claim, ground: Ground, quick: bool = False) -> list[Setting]:
    """Where a claim is asked on a data set; in the quick form with one number of labels of each kind and in the first
    of its dimensions, unless these are what it is about."""
    shares = [pl for kind in claim.labels for pl in ground.labels[kind][-1 if quick else 0 :]]
    dims = claim.dims or (_own_dimensions(claim.a, ground),)
    return [Setting(pl, dim) for pl, dim in product(shares, dims[:1] if quick and not claim.contrast else dims)]


def _own_dimensions(side: Side, ground: Ground) -> int:
    """The latent dimensions that suit a side on a data set."""
    return RunConfig.of({"data": ground.data, **side.knobs}).latent_dim


def knobs_of(side: Side, ground: Ground, quick: bool = False) -> dict[str, Any]:
    """What all trainings of a side on a data set share. What is chosen is chosen on held-out images; a side of which
    nothing is trains on all training images. A model that has a number of epochs of its own keeps it."""
    has_own_epochs = "images" in MODELS[side.knobs["model"]].facts
    shared = {} if has_own_epochs else ground.quick if quick else ground.knobs
    places = ground.places if side.has_places else {}
    plain = {} if side.tries else {"evaluate_on": "test"}
    knobs = {"data": ground.data, **plain, **shared, **places, **side.knobs}
    return knobs | ({"epochs": round(side.times * RunConfig.of(knobs).epochs)} if side.times > 1 else {})


def list_trainings(claims: Sequence[Claim], data: str, seeds: Sequence[int], quick: bool = False) -> list[Training]:
    """What must be trained to judge these claims on a data set, in the order of the claims.
    Raises: ValueError where a setting is refused."""
    ground = GROUNDS[data]
    asked: dict[tuple[str, int], dict[float, None]] = {}
    sides = {side.name: side for claim in claims for side in claim.sides}
    for claim in claims:
        for setting, side in product(list_settings(claim, ground, quick), claim.sides):
            asked.setdefault((side.name, setting.latent_dim), {})[setting.pl] = None
    return [
        Training(data, sides[name], dim, plan_of(sides[name], ground, dim, list(shares), seeds, quick))
        for (name, dim), shares in asked.items()
    ]


def plan_of(
    side: Side, ground: Ground, latent_dim: int, shares: Sequence[float], seeds: Sequence[int], quick: bool
) -> Plan:
    """The sweep of a side.
    Raises: ValueError where every setting is refused."""
    name = f"claims-{ground.data}-{side.name}-d{latent_dim}{'-quick' if quick else ''}"
    base = knobs_of(side, ground, quick) | {"latent_dim": latent_dim}
    axes = {"pl": sorted(shares), **{knob: list(values) for knob, values in side.tries.items()}}
    return Plan.of({"name": name, "base": base, "axes": axes, "seeds": list(seeds)})
