"""What a training shows of itself, known once: a tick in small numbers, and a frame, what the map draws of an epoch.
No torch here: pages read many of them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    pass


Rows = Mapping[str, np.ndarray]
TRAIN, TEST = 0, 1  # values of rows["split"]
SPLITS = ("train", "test")
ROW_KEYS = ("split", "row", "labels", "seen")


# ---- what a run has stored


class Points(NamedTuple):
    """What a run's map draws after an epoch: n points of D dimensions, and the rows behind them (`Training.rows`)."""

    epoch: int
    latents: np.ndarray  # float32 (n, D)
    predictions: np.ndarray  # int16 (n,), see `classifiers.predictions`
    rows: dict[str, np.ndarray]  # split, row, labels, seen: (n,) each
    components: tuple[np.ndarray, ...] | None = None  # of the prior: means (K, D), log_vars (K, D), weights (K,)
    pictures: np.ndarray | None = None  # uint8 (k, C, H, W) of the first k <= K components
    are_pseudo_inputs: bool = False  # the pictures; else they are what the decoder makes of the components' means
    by_direction: bool = False  # nothing but directions was learned

    @property
    def compared(self) -> np.ndarray:
        """The latents as neighbours are found by: of length 1 where the loss learned from directions alone."""
        from semidml.scores import collapse

        return collapse.directions(self.latents) if self.by_direction else self.latents

    def as_compared(self, latent: np.ndarray) -> np.ndarray:
        """Another latent (D,) in the same way."""
        from semidml.scores import collapse

        return collapse.directions(latent[None])[0] if self.by_direction else latent

    @property
    def wrong(self) -> np.ndarray:
        """Whether the prediction is not the label: bool (n,)."""
        return self.predictions != self.rows["labels"]

    @property
    def disjoint(self) -> bool:
        """Whether no class has both training and test rows, so that rows of the same split vote on a prediction."""
        train, test = (self.rows["labels"][self.rows["split"] == split] for split in (TRAIN, TEST))
        return not np.isin(test, train).any()


COMPONENTS = ("component_means", "component_log_vars", "component_weights")  # the prior's, of a frame


@dataclass(frozen=True)
class Record:
    """A tick in small numbers. Terms are means over the steps since the last tick in which they were computed; a term
    that no step computed is absent. `weights` are means over all these steps: a term's share of the loss is weight
    times term, about so where a schedule balances and the weights move from step to step."""

    epoch: int  # finished epochs
    step: int  # steps into the unfinished epoch, 0 at an epoch's end
    steps: int  # of an epoch
    seconds: float  # of training so far, scoring and saving not counted
    terms: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    scores: dict[str, float | None] = field(default_factory=dict)
    alarms: list[str] = field(default_factory=list)

    @property
    def ends_epoch(self) -> bool:
        return self.step == 0

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), allow_nan=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Record":
        return cls(**json.loads(line))


FRAME = {  # array: dtype or dtypes, number of axes
    "latents": ("float32 float16", 2),  # see `writer.WIDE`
    "predictions": ("int16", 1),
    "reconstructions": ("uint8", 4),
    "component_means": ("float32", 2),
    "component_log_vars": ("float32", 2),
    "component_weights": ("float32", 1),
    "component_images": ("uint8", 4),
    "pseudo_inputs": ("uint8", 4),
    "clusters": ("int16", 1),
    "cluster_sizes": ("int32", 1),
    "cluster_entropies": ("float32", 1),
    "cluster_shown": ("int16", 1),
    "cluster_images": ("uint8", 4),
    "epoch": ("int64", 0),
    "step": ("int64", 0),
}
ROWS = {"split": ("uint8", 1), "row": ("int32", 1), "labels": ("int16", 1), "seen": ("bool", 1), "shown": ("int32", 1)}
