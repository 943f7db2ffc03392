"""Which run another one was made from: its parent, told in config.json by its name and by when it was made, so that it
is found under another name too, and no other run is taken for it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from semidml.disk import files
from semidml.runs import listing
from semidml.runs.run import Run, for_contents

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,79})?"  # SWEEP/RUN where it is one of a sweep


class Parent(BaseModel):
    """What config.json says of the run that another one was made from."""

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


@for_contents
def _parent_in(content: bytes) -> Parent | None:
    return read_parent(files.json_object(content, "config.json"))


def parent_of(run: Run) -> Parent | None:
    """What a run says of its parent; None of one that was made from none, of one that a release made which did not
    tell it, and of a damaged one."""
    try:
        return _parent_in(files.read_content(run.path / "config.json"))
    except ValueError:  # whoever shows the run says so
        return None


def find_parent(run: Run) -> Run | None:
    """The run that this one was made from, whatever it is called now; None where it has none, or it is gone."""
    parent = parent_of(run)
    return parent and _find(parent)


def _find(parent: Parent) -> Run | None:
    try:
        named = listing.open_run(parent.id)
    except ValueError:  # renamed, or gone
        named = None
    if named and named.created() == parent.created:
        return named
    return next((run for run in listing.list_runs() if run.created() == parent.created), None)


def list_children(run: Run) -> list[Run]:
    """The runs that were made from this one, newest first; those of sweeps are told by their sweep."""
    created = run.created()
    told = [(other, parent) for other in listing.list_runs() if (parent := parent_of(other))]
    return [other for other, parent in told if parent.created == created and _find(parent) == run]
