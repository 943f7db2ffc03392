"""What a training shows of itself, known once: a tick in small numbers, and a frame, what the map draws of an epoch.
No torch here: pages read many of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, get_origin, get_type_hints

import numpy as np
from pydantic import TypeAdapter

from semidml.scores import collapse

Rows = Mapping[str, np.ndarray]
TRAIN, TEST = 0, 1  # values of rows["split"]
SPLITS = ("train", "test")
ROW_KEYS = ("split", "row", "labels", "seen")
ROWS = {"split": ("uint8", 1), "row": ("int32", 1), "labels": ("int16", 1), "seen": ("bool", 1), "shown": ("int32", 1)}
COMPONENTS = ("component_means", "component_log_vars", "component_weights")  # the prior's, of a frame
MOST_PICTURED = 64  # components that have a picture on a map


@dataclass(frozen=True, eq=False)
class Frame:
    """What a run's map draws after an epoch, or in the middle of one: n points of D dimensions and the rows behind
    them. What a file may hold is annotated with its dtypes there and its number of axes; what a run has none of is
    None."""

    rows: Rows  # see `Training.rows`
    latents: Annotated[np.ndarray, "float32 float16", 2]  # float32 (n, D); in a file perhaps half, see `estimate.WIDE`
    predictions: Annotated[np.ndarray, "int16", 1]  # (n,), see `classifiers.predictions`; -1 where there is none
    clusters: Annotated[np.ndarray | None, "int16", 1] = None  # (n,), the likeliest of each
    cluster_sizes: Annotated[np.ndarray | None, "int32", 1] = None  # (K,)
    cluster_entropies: Annotated[np.ndarray | None, "float32", 1] = None  # (K,) in nats, NaN where empty
    cluster_shown: Annotated[np.ndarray | None, "int16", 1] = None  # (k,): those that have an image
    cluster_images: Annotated[np.ndarray | None, "uint8", 4] = None  # (k, C, H, W), of their mean representations
    component_means: Annotated[np.ndarray | None, "float32", 2] = None  # of the prior: (K, D)
    component_log_vars: Annotated[np.ndarray | None, "float32", 2] = None  # (K, D)
    component_weights: Annotated[np.ndarray | None, "float32", 1] = None  # (K,)
    reconstructions: Annotated[np.ndarray | None, "uint8", 4] = None  # (m, C, H, W), of rows["shown"]
    component_images: Annotated[np.ndarray | None, "uint8", 4] = None  # (k, C, H, W), of the first k means
    pseudo_inputs: Annotated[np.ndarray | None, "uint8", 4] = None  # (k, C, H, W)
    epoch: Annotated[int, "int64", 0] = 0  # finished epochs
    step: Annotated[int, "int64", 0] = 0  # steps into the unfinished epoch, 0 at an epoch's end
    by_direction: bool = False  # nothing but directions was learned

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], rows: Rows, by_direction: bool = False) -> "Frame":
        """A frame from what a file holds.

        Raises: KeyError where latents, predictions or a part of the components are missing."""
        needed = ("latents", "predictions", *(COMPONENTS if COMPONENTS[0] in arrays else ()))
        known = {name: arrays[name] for name in FRAME if name in arrays or name in needed}
        counts = {name: int(known[name]) for name in ("epoch", "step") if name in known}
        return cls(rows=rows, by_direction=by_direction, **known | counts)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file holds of it."""
        values = {name: getattr(self, name) for name in FRAME}
        return {name: np.asarray(value) for name, value in values.items() if value is not None}

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
        """Whether the prediction is not the label: bool (n,); never where either is missing."""
        return self.told & (self.predictions != self.rows["labels"])

    @property
    def told(self) -> np.ndarray:
        """Whether there are both a label and a prediction, which is then right or wrong: bool (n,)."""
        return (self.rows["labels"] >= 0) & (self.predictions >= 0)

    @property
    def disjoint(self) -> bool:
        """Whether test rows have classes, and no class has both training and test rows, so that rows of the same split
        vote on a prediction; see `Dataset.disjoint`."""
        labels, split = self.rows["labels"], self.rows["split"]
        train, test = (labels[(split == part) & (labels >= 0)] for part in (TRAIN, TEST))
        return len(test) > 0 and not np.isin(test, train).any()


_HINTS = get_type_hints(Frame, include_extras=True)
FRAME = {name: hint.__metadata__ for name, hint in _HINTS.items() if get_origin(hint) is Annotated}


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
        return json.dumps(vars(self), allow_nan=False)  # `asdict` would copy all of it, and take as long again

    @classmethod
    def from_json(cls, line: str | bytes) -> "Record":
        """Raises ValidationError when the line is no record."""
        return RECORD.validate_json(line, strict=True)


RECORD = TypeAdapter(Record)  # reads a line in a third of the time that json and Record take
