"""Find runs and make new ones."""

import platform
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from semidml import __version__
from semidml.config import RunConfig
from semidml.disk import files, folders
from semidml.runs import estimate, listed, places, process, quota
from semidml.runs.parent import Parent
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status


def open_run(run_id: str, *folders: Path) -> Run:
    """The run of that name in the first of some folders that has one; without any, the user's before a shipped one. One
    of a sweep is called SWEEP/RUN, and lies there.
    Raises: ValueError when there is none."""
    within = [folder / places.checked_id(run_id) for folder in folders] or places.paths_of(run_id)
    for path in within:
        if path.is_dir() and not path.is_symlink():
            return Run(path)
    raise ValueError(f"there is no run called {run_id!r}")


def list_runs(include_shipped: bool = True) -> list[Run]:
    """All runs: the user's, newest first, then those that ship, as `SHIPPED` has them; damaged ones too."""
    return [row.run for row in listed.list_rows(include_shipped)]


def create_run(
    config: RunConfig,
    run_id: str | None = None,
    path: Path | str | None = None,
    paths: bool = False,
    both: bool = False,
    scored: bool = False,
    planned_data: str = "",
    parent: Parent | None = None,
) -> Run:
    """A new run, queued: in the runs' folder under `run_id` or a new name, or at `path`, wherever that is.

    `paths` (command line only) allows `config.data` to be a path. `both`: whether a run whose scores are of held-out
    images is scored on the test images, too. `scored`: whether each epoch has live scores even where nobody watches.
    `planned_data`: the digest (`trained_on.digest_of`) of the data that it is for; any others are then refused.
    `parent`: the run that it is made from (`parent.name_parent`).
    Raises: ValueError when the name is taken, or when it would pass the quota, beside what other runs still write."""
    if path is None:
        target = places.runs_folder() / places.checked_id(places.new_id(config) if run_id is None else run_id)
    else:
        target = Path(path).absolute()
        places.checked_id(target.name)
    details = {"config": config.model_dump(), "created": time.time(), "paths": paths, "versions": versions()}
    details |= ({"both": True} if both else {}) | ({"scored": True} if scored else {})
    details |= {"planned_data": planned_data} if planned_data else {}
    details |= {"parent": parent.model_dump()} if parent else {}
    if target.parent != places.runs_folder():
        return _write_new(target, config, details)
    if places.ships(target.name):
        raise ValueError(f"there is already a run called {target.name}: it ships with the project")
    quota.sweep_runs()
    quota.check_quota()
    details["expects"] = estimate.expected_bytes(config, paths)
    with estimate.one_at_a_time():
        estimate.check_fits(details["expects"])
        return _write_new(target, config, details)


@contextmanager
def new_run(config: RunConfig, path: Path | str | None = None, paths: bool = False) -> Iterator[Run]:
    """A new run (`create_run`) for who trains it in the block. Where nothing of it was trained when the block ends,
    however it ends, no folder is left that was not there before.
    Raises: as `create_run`."""
    target = places.runs_folder() if path is None else Path(path).absolute()
    absent = [folder for folder in (target, *target.parents) if not folder.exists()]
    run = create_run(config, path=path, paths=paths)
    try:
        yield run
    finally:
        if not run.history():
            shutil.rmtree(run.path)
            if path is not None and target not in absent:
                target.mkdir()
            for folder in absent:
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()


def _write_new(target: Path, config: RunConfig, details: dict[str, Any]) -> Run:
    """A new run's folder, with its config.json and status.json, whole or not at all.
    Raises: ValueError when the name is taken."""
    taken = f"there is already a run called {target.name}"
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    if target.exists():
        raise ValueError(taken)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".new-{secrets.token_hex(8)}")
    part.mkdir()
    try:
        files.replace_file(part / "config.json", files.as_json(details))
        owner = process.this_process()
        write_status(Run(part), Status("queued", epochs=config.epochs, updated=time.time(), owner=owner))
        folders.move_folder(part, target, taken)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Run(target)


def versions() -> dict[str, str]:
    """Versions of python, torch and semidml, without importing torch."""
    return {"python": platform.python_version(), "torch": _torch_version(), "semidml": __version__}


@cache
def _torch_version() -> str:
    return version("torch")
