"""What a training shows of itself, known once: a tick in small numbers, and a frame, what the map draws of an epoch.
No torch here: pages read many of them.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from pydantic import TypeAdapter

from semidml.scores import collapse

Rows = Mapping[str, np.ndarray]
TRAIN, TEST = 0, 1  # values of rows["split"]
SPLITS = ("train", "test")
ROW_KEYS = ("split", "row", "labels", "seen")
ROWS = {"split": ("uint8", 1), "row": ("int32", 1), "labels": ("int16", 1), "seen": ("bool", 1), "shown": ("int32", 1)}
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
COMPONENTS = ("component_means", "component_log_vars", "component_weights")  # the prior's, of a frame
MOST_PICTURED = 64  # components that have a picture on a map


@dataclass(frozen=True, eq=False)
class Frame:
    """What a run's map draws after an epoch, or in the middle of one: n points of D dimensions and the rows behind
    them. Each array is called as in the file (FRAME, `Training.frame`); what a run has none of is None."""

    rows: Rows  # see `Training.rows`
    latents: np.ndarray  # float32 (n, D)
    predictions: np.ndarray  # int16 (n,), see `classifiers.predictions`
    epoch: int = 0  # finished epochs
    step: int = 0  # steps into the unfinished epoch, 0 at an epoch's end
    by_direction: bool = False  # nothing but directions was learned
    reconstructions: np.ndarray | None = None  # uint8 (m, C, H, W), of rows["shown"]
    component_means: np.ndarray | None = None  # of the prior: (K, D)
    component_log_vars: np.ndarray | None = None  # (K, D)
    component_weights: np.ndarray | None = None  # (K,)
    component_images: np.ndarray | None = None  # uint8 (k, C, H, W): what the decoder makes of the first k means
    pseudo_inputs: np.ndarray | None = None  # uint8 (k, C, H, W)
    clusters: np.ndarray | None = None  # int16 (n,)
    cluster_sizes: np.ndarray | None = None  # int32 (K,)
    cluster_entropies: np.ndarray | None = None  # float32 (K,)
    cluster_shown: np.ndarray | None = None  # int16 (k,): those that have an image
    cluster_images: np.ndarray | None = None  # uint8 (k, C, H, W)

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], rows: Rows, by_direction: bool = False) -> "Frame":
        """A frame from what a training shows, or a file holds.

        Raises TypeError where latents or predictions are missing, KeyError where a part of the components is."""
        known = {name: arrays[name] for name in FRAME if name in arrays}
        known |= {name: arrays[name] for name in COMPONENTS if COMPONENTS[0] in arrays}
        counts = {name: int(known[name]) for name in ("epoch", "step") if name in known}
        return cls(rows=rows, by_direction=by_direction, **known | counts)

    @property
    def components(self) -> tuple[np.ndarray, ...] | None:
        """The prior's, as functions of a mixture take them: means (K, D), log_vars (K, D), weights (K,)."""
        return None if self.component_means is None else tuple(getattr(self, name) for name in COMPONENTS)

    @property
    def pictures(self) -> np.ndarray | None:
        """The pseudo-inputs, else the decoded means, of no more components than there are: uint8 (k, C, H, W); None
        where there are none to draw."""
        pictures = self.component_images if self.pseudo_inputs is None else self.pseudo_inputs
        if pictures is None or self.component_means is None or pictures.ndim != 4 or pictures.dtype != np.uint8:
            return None
        return pictures[: min(len(self.component_means), MOST_PICTURED)] if pictures.size else None

    @property
    def compared(self) -> np.ndarray:
        """The latents as neighbours are found by: of length 1 where the loss learned from directions alone."""
        return collapse.directions(self.latents) if self.by_direction else self.latents

    def as_compared(self, latent: np.ndarray) -> np.ndarray:
        """Another latent (D,) in the same way."""
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
        """Raises ValidationError when the line is no record."""
        return RECORD.validate_json(line, strict=True)


RECORD = TypeAdapter(Record)  # reads a line in a third of the time that json and Record take
