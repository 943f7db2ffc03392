"""A tick of a training in small numbers, as a line of history.jsonl. No torch here: pages read many of them."""

import json
from dataclasses import asdict, dataclass, field

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
