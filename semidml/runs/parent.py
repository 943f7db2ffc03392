"""What a run's config.json says of the run that it was made from."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semidml.runs.run import Run

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,79})?"  # SWEEP/RUN where it is one of a sweep


class Parent(BaseModel):
    """The run that another one was made from: its name, and when it was made, by which it is known under any name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = Field(pattern=f"^{NAME}$")
    created: float = Field(ge=0)  # seconds since 1970


def name_parent(run: Run) -> Parent:
    """A run as its children remember it."""
    return Parent(id=run.id, created=run.created())


def read_parent(details: dict[str, Any]) -> Parent | None:
    """The parent in the content of a config.json; None where it names none that can be."""
    try:
        return Parent.model_validate(details.get("parent"))
    except ValidationError:
        return None
