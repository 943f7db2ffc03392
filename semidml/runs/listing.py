"""Find runs and make new ones."""

import platform
import shutil
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semidml import __version__
from semidml.config import RunConfig
from semidml.disk import files
from semidml.presets import SHIPPED
from semidml.runs import places, process, quota
from semidml.runs.places import checked_id, new_id, runs_folder, ships, valid_id
from semidml.runs.run import Run, write_status
from semidml.runs.status import Status

if TYPE_CHECKING:  # at run time these would import torch
    pass


def open_run(run_id: str) -> "Run":
    """The run of that name, the user's before a shipped one. Raises ValueError when there is none."""
    checked_id(run_id)
    for folder in (runs_folder(), places.shipped()):
        path = folder / run_id
        if path.is_dir() and not path.is_symlink():
            return Run(path)
    raise ValueError(f"there is no run called {run_id!r}")


def list_runs(include_shipped: bool = True) -> list["Run"]:
    """All runs: the user's, newest first, then those that ship, as `SHIPPED` has them. A damaged folder is among them,
    with a status that says so."""
    found = []
    for folder in (runs_folder(), places.shipped()) if include_shipped else (runs_folder(),):
        if folder.is_dir():
            found += [
                Run(path)
                for path in folder.iterdir()
                if valid_id(path.name)
                and path.is_dir()
                and not path.is_symlink()
                and ((path / "config.json").exists() or (path / "status.json").exists())
            ]
    found.sort(key=lambda run: (run.created(), run.id), reverse=True)
    order = {name: place for place, name in enumerate(SHIPPED)}
    return sorted(found, key=lambda run: order.get(run.id, len(order)) if run.is_shipped else -1)


# ---- making


def create_run(
    config: RunConfig,
    run_id: str | None = None,
    path: Path | str | None = None,
    owner: Mapping[str, Any] | None = None,
    paths: bool = False,
) -> Run:
    """A new run, queued: in the runs' folder under `run_id` or a new name, or at `path`, wherever that is.

    `paths` (command line only) allows `config.data` to be a path. Raises ValueError when the name is taken or the quota
    is used up.
    """
    if path is None:
        target = runs_folder() / checked_id(new_id(config) if run_id is None else run_id)
    else:
        target = Path(path).absolute()
        checked_id(target.name)
    if target.parent == runs_folder():
        if ships(target.name):
            raise ValueError(f"there is already a run called {target.name}: it ships with the project")
        quota.sweep_runs()
        quota.check_quota()
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.mkdir()
    except FileExistsError:
        raise ValueError(f"there is already a run called {target.name}") from None
    run = Run(target)
    try:
        details = {"config": config.model_dump(), "created": time.time(), "paths": paths, "versions": versions()}
        files.replace_file(target / "config.json", files.as_json(details))
        owner = dict(owner or process.this_process())
        write_status(run, Status("queued", epochs=config.epochs, updated=time.time(), owner=owner))
    except BaseException:
        shutil.rmtree(target)
        raise
    return run


def versions() -> dict[str, str]:
    """Versions of python, torch and semidml, without importing torch."""
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "none"
    return {"python": platform.python_version(), "torch": torch, "semidml": __version__}
