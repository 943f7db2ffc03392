"""How far a run has come: its status.json."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from semidml.frames import Record

if TYPE_CHECKING:  # at run time these would import torch
    pass


STATES = ("queued", "running", "done", "failed", "stopped", "interrupted")


# ---- reading


@dataclass(frozen=True)
class Status:
    """Where a run stands. Times are seconds since 1970."""

    state: str
    reason: str = ""
    epoch: int = 0  # finished
    epochs: int = 0  # of the config
    step: int = 0  # into the unfinished epoch
    steps: int = 0  # of an epoch
    started: float | None = None
    updated: float = 0.0
    owner: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] | None = None  # the newest record, as JSON has it

    @property
    def active(self) -> bool:
        """Queued or running."""
        return self.state in ("queued", "running")

    @property
    def record(self) -> Record | None:
        """The newest record, one in the middle of an epoch included."""
        if self.latest is None:
            return None
        return Record(**self.latest)

    @property
    def fraction(self) -> float:
        """Share of the training that is done, 0 to 1."""
        part = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.epoch + part) / self.epochs) if self.epochs else 0.0
