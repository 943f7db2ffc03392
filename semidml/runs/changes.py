"""What a person does to a run: stop, queue again, rename, delete. Of several who do it at once one does it, and the
others are told."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from semidml.disk import files, folders, locks
from semidml.runs import estimate, notes, places, process
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.runs.writer import read_holder, refuse_second
from semidml.words import is_full

OWN = {"config.json", "status.json", "lock", "history.jsonl", "rows.npz", "frames", "projections", "metrics.json"}
OWN |= {"test_metrics.json", "state.safetensors", "weights.safetensors"}
OWN |= {"stop", "error.txt", notes.FILE, notes.LOCK}  # all that a run's folder may hold


def stop(run: Run) -> None:
    """Ask whoever runs it to stop: within a tick.
    Raises: ValueError when it neither runs nor waits."""
    status = run.status()
    if not status.active:
        raise ValueError(f"{run.id} is not running: it is {status.state}")
    (run.path / "stop").touch()


def make_ready(run: Run) -> None:
    """Queue a run again that was stopped, interrupted, failed, or queued by a process that has ended.
    Raises: ValueError for any other, for one that somebody else has resumed meanwhile, and for one that would pass the
    quota."""
    _check_resumable(run)
    with _alone(run):
        _check_resumable(run)
        now = {"owner": process.this_process(), "epoch": run.resume_epoch(), "step": 0}
        queued = replace(run.status(), state="queued", reason="", **now)
        if run.path.parent != places.runs_folder():
            _write_queued(run, queued)
            return
        with estimate.one_at_a_time():
            estimate.check_fits(estimate.left_to_write(run), but=run)
            _write_queued(run, queued)


def _write_queued(run: Run, queued: Status) -> None:
    (run.path / "stop").unlink(missing_ok=True)
    write_status(run, replace(queued, updated=time.time()))


def _check_resumable(run: Run) -> None:
    _check_there(run)
    status = run.status()
    run.config()
    if run.is_shipped:
        raise ValueError(f"{run.id} ships with the project and cannot be resumed")
    if status.state not in ("stopped", "interrupted", "failed") and not run.is_orphan():
        whose = f", by {process.words_for(status.owner)}" if status.active else ""
        raise ValueError(f"{run.id} cannot be resumed: it is {status.state}{whose}")
    if run.is_complete():
        raise ValueError(f"{run.id} cannot be resumed: it was trained to its end, and would be erased")


def rename(run: Run, new: str) -> Run:
    """The run under its new name.
    Raises: ValueError while it runs or waits, or when the name is taken."""
    _check_idle(run, "renamed", ("running", "queued"))
    target, taken = run.path.with_name(places.checked_id(new)), f"there is already a run called {new}"
    if target.exists() or places.ships(new):
        raise ValueError(taken)
    with _alone(run):
        _check_idle(run, "renamed", ("running", "queued"))
        folders.move_folder(run.path, target, taken)
        (target / "lock").unlink(missing_ok=True)
    return Run(target)


def delete(run: Run) -> None:
    """Remove the folder.
    Raises: ValueError while it runs."""
    _check_idle(run, "deleted", ("running",))
    with _alone(run, makes_room=True):
        _check_idle(run, "deleted", ("running",))  # many a folder that is no run has a config.json:
        hidden = folders.hide_folder(run.path, lambda path: path.name in OWN or files.is_part(path), "run")
    folders.remove_hidden(hidden, run.id, "run")


@contextmanager
def _alone(run: Run, makes_room: bool = False) -> Iterator[None]:
    """Holds the run's lock for a moment, as its writer does while it writes. One that a writer of another machine may
    still hold, of which nothing is known here, is left with its name in it. What `makes_room` is done on a full disk,
    where there can be no lock, too.
    Raises: ValueError when the run is being written, or is gone."""
    path = run.path / "lock"
    try:
        handle = locks.take(path, lambda: refuse_second(run))
    except FileNotFoundError:
        raise ValueError(f"there is no run called {run.id!r}") from None
    except OSError as error:
        if not (makes_room and is_full(error)):
            raise
        yield
        return
    holder = read_holder(path)
    is_foreign = bool(holder) and not process.has_ended(holder, elsewhere=True)
    try:
        if not is_foreign:
            os.ftruncate(handle, 0)  # what a killed writer left there
        yield
    finally:
        if locks.is_at(handle, path) and not is_foreign:
            path.unlink()
        os.close(handle)


def _check_there(run: Run) -> None:
    if not run.path.is_dir():
        raise ValueError(f"there is no run called {run.id!r}")


def _check_idle(run: Run, what: str, busy: tuple[str, ...]) -> None:
    """Raises ValueError unless it is a run of the user's that is in none of the `busy` states."""
    _check_there(run)
    if not any((run.path / name).is_file() for name in ("config.json", "status.json")):
        raise ValueError(f"{run.path} does not hold a run: it is not {what}")
    if run.is_shipped:
        raise ValueError(f"{run.id} ships with the project and cannot be {what}")
    if run.sweep:
        raise ValueError(f"{run.path.name} is a run of the sweep {run.sweep} and cannot be {what} by itself")
    if (state := run.status().state) in busy:
        raise ValueError(f"{run.id} is {state}: stop it before it is {what}")
