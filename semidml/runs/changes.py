"""What a person does to a run: stop, queue again, rename, delete."""

import secrets
import shutil
import time
from dataclasses import replace

from semidml.disk import files
from semidml.runs import estimate, places, process
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status

OWN = {"config.json", "status.json", "lock", "history.jsonl", "rows.npz", "frames", "projections", "metrics.json"}
OWN |= {"state.safetensors", "weights.safetensors", "stop", "error.txt"}  # all that a run's folder may hold


def stop(run: Run) -> None:
    """Ask whoever runs it to stop: within a tick.
    Raises: ValueError when it neither runs nor waits."""
    status = run.status()
    if not status.active:
        raise ValueError(f"{run.id} is not running: it is {status.state}")
    (run.path / "stop").touch()


def make_ready(run: Run) -> None:
    """Queue a run again that was stopped, interrupted, failed, or queued by a process that has ended.
    Raises: ValueError for any other, and for one that would pass the quota."""
    status = run.status()
    run.config()
    if run.is_shipped:
        raise ValueError(f"{run.id} ships with the project and cannot be resumed")
    if status.state not in ("stopped", "interrupted", "failed") and not run.is_orphan():
        raise ValueError(f"{run.id} cannot be resumed: it is {status.state}")
    if run.is_complete():
        raise ValueError(f"{run.id} cannot be resumed: it was trained to its end, and would be erased")
    epoch = run.resume_epoch()
    queued = replace(status, state="queued", reason="", owner=process.this_process(), epoch=epoch, step=0)
    if run.path.parent != places.runs_folder():
        _write_queued(run, queued)
        return
    with estimate.one_at_a_time():
        estimate.check_fits(estimate.left_to_write(run), but=run)
        _write_queued(run, queued)


def _write_queued(run: Run, queued: Status) -> None:
    (run.path / "stop").unlink(missing_ok=True)
    write_status(run, replace(queued, updated=time.time()))


def rename(run: Run, new: str) -> Run:
    """The run under its new name.
    Raises: ValueError while it runs or waits, or when the name is taken."""
    _check_idle(run, "renamed", ("running", "queued"))
    target = run.path.with_name(places.checked_id(new))
    if target.exists() or places.ships(new):
        raise ValueError(f"there is already a run called {new}")
    run.path.rename(target)
    return Run(target)


def delete(run: Run) -> None:
    """Remove the folder.
    Raises: ValueError while it runs."""
    _check_idle(run, "deleted", ("running",))
    strange = [path.name for path in run.path.iterdir() if path.name not in OWN and not files.is_part(path)]
    if strange:  # many a folder that is no run has a config.json
        raise ValueError(f"{run.path} holds what is not a run's ({', '.join(sorted(strange)[:3])}): it is not deleted")
    hidden = run.path.with_name(f".deleted-{run.id}-{secrets.token_hex(4)}")
    run.path.rename(hidden)  # at once gone for every reader
    shutil.rmtree(hidden)


def _check_idle(run: Run, what: str, busy: tuple[str, ...]) -> None:
    """Raises ValueError unless it is a run of the user's that is in none of the `busy` states."""
    if not run.path.is_dir():
        raise ValueError(f"there is no run called {run.id!r}")
    if not any((run.path / name).is_file() for name in ("config.json", "status.json")):
        raise ValueError(f"{run.path} does not hold a run: it is not {what}")
    if run.is_shipped:
        raise ValueError(f"{run.id} ships with the project and cannot be {what}")
    if (state := run.status().state) in busy:
        raise ValueError(f"{run.id} is {state}: stop it before it is {what}")
