"""How far a run has come: its status.json."""

from dataclasses import asdict, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from semidml.disk import files
from semidml.words import is_full

if TYPE_CHECKING:
    from semidml.runs.run import Run

Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, config=ConfigDict(strict=True))
class Status:
    """Where a run stands. Times are seconds since 1970. What a later version may have added is left out."""

    state: Literal["queued", "running", "done", "failed", "stopped", "interrupted"]
    reason: str = ""
    epoch: Count = 0  # finished
    epochs: Count = 0  # of the config
    step: Count = 0  # into the unfinished epoch
    steps: Count = 0  # of an epoch
    started: float | None = None
    updated: float = 0.0
    owner: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] | None = None  # the newest record, as JSON has it
    preparing: str = ""  # what is done before the first step, in words: many images are decoded
    prepared: Annotated[float, Field(ge=0, le=1)] = 0.0  # the share of that which is done

    @property
    def active(self) -> bool:
        """Queued or running."""
        return self.state in ("queued", "running")

    @property
    def fraction(self) -> float:
        """Share of the training that is done, 0 to 1."""
        part = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.epoch + part) / self.epochs) if self.epochs else 0.0


def write_status(run: "Run", status: Status, durable: bool = True, passing: bool = False) -> None:
    """Replace status.json. On a full disk it is written over in place, which needs no room, unless what it says is
    `passing`, a heartbeat: then the run hears of the full disk."""
    path, content = run.path / "status.json", files.as_json(asdict(status))
    try:
        files.replace_file(path, content, durable)
    except OSError as error:
        if passing or not is_full(error):
            raise
        with open(path, "r+b") as file:
            file.write(content)
            file.truncate()
