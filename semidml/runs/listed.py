"""Runs as the rows of a list: what lists ask of each run, read once and again only when one of its files has changed.

A thousand runs are so listed in some hundredths of a second, where to read each would take seconds."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from semidml.config import RunConfig
from semidml.presets import SHIPPED
from semidml.runs import places
from semidml.runs.notes import FILE, NOTHING, Notes, read_notes
from semidml.runs.parent import Parent, read_parent
from semidml.runs.run import Run
from semidml.scores.table import SCORES

READ = ("config.json", "status.json", "metrics.json", "test_metrics.json", FILE)  # of a run's folder, for its row
MOST_KEPT = 4096  # rows in memory, of some kB each, beside those of the list that was asked for last

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class Listed:
    """A run as a row of a list."""

    run: Run
    name: str  # `Run.id`
    created: float  # seconds since 1970
    state: str  # see `Status`
    config: RunConfig | None  # None where it cannot be read
    used: frozenset[str]  # knobs that have an effect
    scores: Mapping[str, float]  # final ones that are known
    notes: Notes
    parent: Parent | None
    problem: str  # what of its folder cannot be read, in words


_kept: dict[str, tuple[Stamp, Listed]] = {}  # by the folder of a run


def list_rows(include_shipped: bool = True) -> list[Listed]:
    """All runs: the user's, newest first, then those that ship, as `SHIPPED` has them; damaged ones too."""
    own = _rows_in(places.runs_folder())
    own.sort(key=lambda row: (row.created, row.run.path.name), reverse=True)
    shipped = _rows_in(places.shipped()) if include_shipped and places.shipped() != places.runs_folder() else []
    order = {name: place for place, name in enumerate(SHIPPED)}
    shipped.sort(key=lambda row: (row.created, row.run.path.name), reverse=True)
    shipped.sort(key=lambda row: order.get(row.run.path.name, len(order)))
    rows = own + shipped
    if len(_kept) > MOST_KEPT + len(rows):
        listed = {str(row.run.path) for row in rows}
        for path in [path for path in list(_kept) if path not in listed]:
            _kept.pop(path, None)
    return rows


def _rows_in(folder: Path) -> list[Listed]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if places.valid_id(e.name) and e.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    rows = (read_row(f"{folder}/{name}") for name in names)
    return [row for row in rows if row is not None]


def read_row(path: str) -> Listed | None:
    """The row of the run whose folder is at `path`; None where there is no run."""
    stamp = tuple(_stamp(f"{path}/{name}") for name in READ)
    if not any(stamp[0] + stamp[1]):
        return None
    known = _kept.get(path)
    if known is None or known[0] != stamp:
        known = stamp, _read(Run(path))
        _kept[path] = known
    row = known[1]
    if row.state in ("queued", "running"):  # what else has become of it is not in its folder alone
        return replace(row, state=row.run.status().state)
    return row


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        told = os.stat(path)
    except OSError:
        return 0, 0, 0
    return told.st_mtime_ns, told.st_size, told.st_ino


def _read(run: Run) -> Listed:
    config, used, problem, scores, notes, parent = None, frozenset(), "", {}, NOTHING, None
    state = run.status().state
    try:
        recorded = run.recorded().state
        state = recorded if recorded in ("queued", "running") else state  # so that it is asked anew each time
        config = run.config()
        used, parent = frozenset(config.used()), read_parent(run.details())
        scores = {
            sys.intern(name): float(v) for name, v in (run.metrics() or {}).items() if name in SCORES and v is not None
        }
        notes = read_notes(run)
    except ValueError as error:
        problem = str(error)
    return Listed(run, run.id, run.created(), state, config, used, scores, notes, parent, problem)
