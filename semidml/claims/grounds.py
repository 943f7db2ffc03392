"""The data sets on which claims are asked: how many labels are few there, how long one trains, what their recipe is.

The papers' numbers of labels are of MNIST; on another data set as many labels are another percentage.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from semidml.presets import DIGITS_STEPS, LATTICE


class Ground(NamedTuple):
    """A data set as claims see it."""

    data: str
    title: str
    labels: Mapping[str, tuple[float, ...]]  # percentages of labels, pl, that are "few", "some", "many" and "all"
    knobs: Mapping[str, Any]  # of every training here
    quick: Mapping[str, Any]  # instead, where minutes must do
    places: Mapping[str, Any]  # what suits a prior with a place for each class here, see `presets.LATTICE`


GROUNDS: Mapping[str, Ground] = {
    ground.data: ground
    for ground in (
        Ground(
            "digits",
            "Digits",
            {"few": (1.0, 4.6), "some": (20.0,), "many": (50.0,), "all": (100.0,)},
            DIGITS_STEPS,
            {**DIGITS_STEPS, "epochs": 10},
            LATTICE | {"warmup_epochs": 1.0},
        ),
        Ground(
            "mnist",
            "MNIST",
            {"few": (0.01, 0.1), "some": (1.0,), "many": (10.0,), "all": (100.0,)},
            {"epochs": 6},
            {"epochs": 2},
            LATTICE | {"warmup_epochs": 0.25},
        ),
        Ground(
            "organamnist",
            "OrganAMNIST",
            {"few": (0.1, 1.0), "some": (4.0,), "many": (10.0,), "all": (100.0,)},
            {"epochs": 6},
            {"epochs": 3},
            LATTICE | {"components": 11, "warmup_epochs": 1.0, "encoder": "conv"},
        ),
    )
}
