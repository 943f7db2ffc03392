"""Which run another one was made from: its parent, told in config.json by its name and by when it was made, so that it
is found under another name too, and no other run is taken for it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from semidml.runs import listed, listing
from semidml.runs.listed import Listed
from semidml.runs.parent import Parent
from semidml.runs.run import Run


class Family(NamedTuple):
    """Parents and children among some runs."""

    parents: dict[Run, Run]
    children: dict[Run, list[Run]]  # in the order of the runs


def list_families(rows: Iterable[Listed]) -> Family:
    """The parent of each run that has one among these, and the children of each that has some."""
    rows, made = list(rows), defaultdict(list)
    for row in rows:
        made[row.created].append(row.run)
    family = Family({}, defaultdict(list))
    for row in rows:
        if row.parent is None or not (alike := made.get(row.parent.created)):
            continue
        parent = next((run for run in alike if run.id == row.parent.id), alike[0])
        family.parents[row.run] = parent
        family.children[parent].append(row.run)
    return Family(family.parents, dict(family.children))


def parent_of(run: Run) -> Parent | None:
    """What a run says of its parent; None of one that was made from none, of one that a release made which did not
    tell it, and of a damaged one."""
    row = listed.read_row(str(run.path))
    return row and row.parent


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
    return next((row.run for row in listed.list_rows() if row.created == parent.created), None)


def list_children(run: Run) -> list[Run]:
    """The runs that were made from this one, newest first; those of sweeps are told by their sweep."""
    created = run.created()
    told = [(row.run, row.parent) for row in listed.list_rows() if row.parent]
    return [other for other, parent in told if parent.created == created and _find(parent) == run]
