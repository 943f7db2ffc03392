"""A sweep as a folder: plan.json, runs, table.parquet. It is found, made, changed and deleted here."""

import errno
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from semidml.data import store
from semidml.disk import files, folders, locks
from semidml.runs import heartbeat, listing, places, process, trained_on, transfer
from semidml.runs.run import Run
from semidml.runs.writer import read_holder
from semidml.sweeps.plan import Cell, Plan, cell_name, decide
from semidml.words import is_full

PLAN, TABLE, STOP, LOCK, LOG = "plan.json", "table.parquet", "stop", "lock", "driver.log"
OWN = {PLAN, TABLE, STOP, LOCK, LOG, places.CELLS}  # all that a sweep's folder may hold
BEAT = 2.0  # seconds between two signs of life of a driver: its lock file is touched


@lru_cache(64)
def _plan_in(content: bytes) -> Plan:
    return Plan.of(files.json_object(content, PLAN))


class Sweep:
    """A handle of a sweep's folder; it holds nothing but the path, and each call reads what is there now."""

    def __init__(self, path: Path | str):
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"Sweep({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sweep) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    def plan(self) -> Plan:
        """What it trains.
        Raises: ValueError when plan.json cannot be used, whoever has changed it."""
        try:
            plan = _plan_in(files.read_content(self.path / PLAN))
        except ValueError as error:
            raise ValueError(f"{PLAN} of the sweep {self.name} is damaged: {error}") from None
        return plan if plan.name == self.name else plan.model_copy(update={"name": self.name})

    def run_of(self, cell: str) -> Run:
        """The run of a cell, whether it is there or not.
        Raises: ValueError for what no cell is called."""
        return Run(self.path / places.CELLS / places.checked_id(cell))

    def driver(self) -> dict[str, Any]:
        """The process that trains it now, see `process.this_process`; nothing where none is known to."""
        lock = self.path / LOCK
        holder = read_holder(lock)
        if not holder or process.has_ended(holder):
            return {}
        return holder if process.is_here(holder) or self._is_touched(lock) else {}

    def _is_touched(self, lock: Path) -> bool:
        """Whether another machine's driver has given a sign of life lately, by the disk's clock where it tells."""
        try:
            now = files.disk_time(self.path)
        except OSError:  # it can only be read, or is full
            now = time.time()
        try:
            return now - lock.stat().st_mtime < heartbeat.STALE
        except FileNotFoundError:
            return False

    def stop(self) -> None:
        """Ask whoever trains it to stop: its running cells within a tick.
        Raises: ValueError when nobody does."""
        if not self.driver():
            raise ValueError(f"the sweep {self.name} is not being trained")
        (self.path / STOP).touch()

    def size(self) -> int:
        """Bytes on disk."""
        return files.folder_size(self.path)


def open_sweep(name: str) -> Sweep:
    """The user's sweep of that name.
    Raises: ValueError when there is none."""
    path = places.sweeps_folder() / places.checked_id(name, "sweep")
    if not (path / PLAN).exists() or path.is_symlink():
        raise ValueError(f"there is no sweep called {name!r}")
    return Sweep(path)


def list_sweeps() -> list[Sweep]:
    """The user's sweeps, the one that was changed last first; damaged ones too."""
    folder = places.sweeps_folder()
    paths = [path for path in folder.iterdir() if places.valid_id(path.name)] if folder.is_dir() else []
    paths = [path for path in paths if (path / PLAN).is_file() and not path.is_symlink()]
    changed = {path: time for path in paths if (time := _changed_at(path))}
    return [Sweep(path) for path in sorted(changed, key=lambda path: (-changed[path], path.name))]


def _changed_at(folder: Path) -> float:
    """When a folder was changed; 0 of one that was deleted since it was listed."""
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def with_digests(plan: Plan) -> Plan:
    """A plan that says which data it is of, so that its cells have names. It reads the data that are not said yet.
    Raises: ValueError when data are not here."""
    if plan.data:
        return plan
    digests = {name: data_digest(name, plan.paths) for name in plan.data_names}
    return Plan.of(plan.model_dump() | {"data": digests})


def data_digest(name: str, paths: bool) -> str:
    """The digest (`trained_on.digest_of`) of a data set as it is here.
    Raises: ValueError when it is not here."""
    return trained_on.digest_of(trained_on.describe_data(store.load(name, allow_paths=paths)))


def check_data(plan: Plan) -> None:
    """Raises ValueError when data here are not those that a sweep was planned with."""
    for name, digest in plan.data.items():
        if data_digest(name, plan.paths) != digest:
            raise ValueError(
                f"the images or labels of {name} here are not those of the sweep {plan.name}: this is another data set "
                "of that name; make a new sweep of it"
            )


def create_sweep(plan: Plan) -> Sweep:
    """A new sweep of this plan, of which nothing is trained yet.
    Raises: ValueError when its name is taken, or its data are not here."""
    plan, folder = with_digests(plan), places.sweeps_folder()
    target, taken = folder / plan.name, f"there is already a sweep called {plan.name}"
    folder.mkdir(parents=True, exist_ok=True)
    _sweep_leftovers()
    if target.exists():
        raise ValueError(taken)
    part = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        _write_plan(part, plan)
        (part / places.CELLS).mkdir()
        part.chmod(0o755)
        folders.move_folder(part, target, taken)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Sweep(target)


def _write_plan(folder: Path, plan: Plan) -> None:
    files.replace_file(folder / PLAN, files.as_json(plan.model_dump()))


def _sweep_leftovers() -> None:
    """Remove what a process left that was killed while it made or deleted a sweep."""
    files.sweep([*places.sweeps_folder().glob(".new-*"), *places.sweeps_folder().glob(".deleted-*")])


@contextmanager
def held(sweep: Sweep, named: bool = False, makes_room: bool = False) -> Iterator[int | None]:
    """Holds the sweep's lock, alone among all processes; gives its file descriptor. named: whether the lock says who
    holds it, as a driver's does, and whoever comes meanwhile is told; else they wait a moment. What `makes_room` is
    done on a full disk, where there can be no lock, too.
    Raises: ValueError while it is being trained, or when it is gone."""
    path = sweep.path / LOCK
    try:
        handle = locks.take(path, lambda: _refuse(sweep, read_holder(path)))
    except FileNotFoundError:
        raise ValueError(f"there is no sweep called {sweep.name!r}") from None
    except OSError as error:
        if not (makes_room and is_full(error)):
            raise
        yield None
        return
    try:
        holder = read_holder(path)
        own = process.this_process()
        is_other = any(holder.get(name) != value for name, value in own.items())
        lives = holder and not process.has_ended(holder) and is_other
        if lives and heartbeat.is_replaced(path, 2.5 * BEAT):  # of another machine, whose lock is not seen
            _refuse(sweep, holder)
        os.ftruncate(handle, 0)
        if named:
            os.pwrite(handle, files.as_json(own), 0)
    except BaseException:
        os.close(handle)
        raise
    try:
        yield handle
    finally:
        if locks.is_at(handle, path):
            path.unlink()
        os.close(handle)


def tell_workers(lock: int, workers: int) -> None:
    """Say in a lock that is held how many workers of this machine train its sweep."""
    content = files.as_json(process.this_process() | {"workers": workers})
    os.pwrite(lock, content, 0)
    os.ftruncate(lock, len(content))


def count_workers_of_others(sweep: Sweep) -> int:
    """Workers of this machine that other sweeps have now, as far as their drivers tell."""
    holders = [other.driver() for other in list_sweeps() if other != sweep]
    told = [holder.get("workers") for holder in holders if process.is_here(holder)]
    return sum(workers for workers in told if isinstance(workers, int) and workers > 0)


def _refuse(sweep: Sweep, holder: Mapping[str, Any]) -> None:
    """Raises ValueError that names who trains a sweep, where that is known."""
    if holder:
        raise ValueError(f"the sweep {sweep.name} is being trained by {process.words_for(holder)}: stop it first")


def extend(sweep: Sweep, axes: Mapping[str, Sequence[Any]], seeds: Sequence[int] = ()) -> int:
    """Add values and seeds to its plan; how many cells that adds. Nothing is trained yet.
    Raises: ValueError while it is being trained, and as `Plan.extended`."""
    with held(sweep):
        plan = sweep.plan()
        longer = with_digests(plan.extended(axes, seeds))
        if changed := [name for name, digest in plan.data.items() if longer.data[name] != digest]:
            raise ValueError(f"the images or labels of {changed[0]} here are not those of the sweep {sweep.name}")
        _write_plan(sweep.path, longer)
    return longer.count - plan.count


def rename(sweep: Sweep, new: str) -> Sweep:
    """The sweep under its new name.
    Raises: ValueError while it is being trained, or when the name is taken."""
    target = sweep.path.with_name(places.checked_id(new, "sweep"))
    taken = f"there is already a sweep called {new}"
    with held(sweep):
        if target.exists():
            raise ValueError(taken)
        folders.move_folder(sweep.path, target, taken)
        (target / LOCK).unlink(missing_ok=True)
    return Sweep(target)


def delete(sweep: Sweep) -> None:
    """Remove the folder with all runs.
    Raises: ValueError while it is being trained, or where it holds what is not a sweep's."""
    with held(sweep, makes_room=True):
        hidden = folders.hide_folder(sweep.path, lambda path: path.name in OWN or files.is_part(path), "sweep")
    folders.remove_hidden(hidden, sweep.name, "sweep")


def export_zip(sweep: Sweep, file: IO[bytes]) -> None:
    """Write the sweep as a zip: its plan, its table and the known files of all its runs, in a folder of its name.
    Raises: ValueError when it is gone."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (PLAN, TABLE):
            if (sweep.path / name).exists():
                archive.writestr(f"{sweep.name}/{name}", (sweep.path / name).read_bytes())
        for run in list_runs(sweep):
            transfer.write_run(run, archive, f"{sweep.name}/{places.CELLS}/{run.path.name}")


def list_runs(sweep: Sweep) -> list[Run]:
    """The runs that are there, of cells of its plan or not any more, by name."""
    folder = sweep.path / places.CELLS
    names = sorted(_names_in(folder))
    return [sweep.run_of(name) for name in names if places.valid_id(name) and (folder / name / "config.json").exists()]


def find_elsewhere(sweep: Sweep, cells: Sequence[Cell]) -> dict[str, Run]:
    """Finished runs of these cells, by name, in other sweeps and, of a sweep that varies nothing but seeds, among the
    runs that were trained one by one."""
    wanted, known = {cell.name: cell for cell in cells}, {}
    plan = sweep.plan()
    for other in list_sweeps():
        folder = other.path / places.CELLS
        for name in (wanted.keys() - known.keys()).intersection(_names_in(folder) if other != sweep else ()):
            if _is_result(run := Run(folder / name), wanted[name], plan.scores_both):
                known[name] = run
    return known if plan.axes else known | find_alone(cells)


def _names_in(folder: Path) -> list[str]:
    """What lies in a folder; nothing in one that is deleted."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def find_alone(cells: Sequence[Cell]) -> dict[str, Run]:
    """Finished runs of these cells, by name, that are in no sweep: the user's, the newest first, and shipped ones."""
    wanted, alone = {cell.name: cell for cell in cells if cell.name}, {}
    settings = {cell.config for cell in wanted.values()}
    for run in listing.list_runs() if wanted else ():
        try:
            name = name_run(run) if run.config() in settings else ""
        except ValueError:  # damaged: the lists of runs say so
            continue
        if name in wanted and name not in alone and _is_result(run, wanted[name], False):
            alone[name] = run
    return alone


def name_run(run: Run) -> str:
    """What a cell with a run's config, on the data that it saw, is called; "" where it does not say what these were.
    Raises: ValueError when the run is damaged."""
    digest = trained_on.digest_of(run.details().get("data"))
    return cell_name(decide(run.config()), digest) if digest else ""


def _is_result(run: Run, cell: Cell, scores_both: bool) -> bool:
    """Whether a run is what this release would make of a cell, finished, with its scores; a damaged one is not."""
    try:
        if run.recorded().state != "done" or run.config() != cell.config or run.damage():
            return False
        versions, now = run.details().get("versions", {}), listing.versions()
        is_scored = not scores_both or run.test_metrics() is not None or run.config().evaluate_on == "test"
    except ValueError:
        return False
    return is_scored and all(versions.get(name) == now[name] for name in ("semidml", "torch"))


def take_over(run: Run, sweep: Sweep, cell: str) -> Run:
    """A finished run from elsewhere as that of a cell, whole or not at all: large files, which nobody changes in place,
    are shared where the disk can, so that they take no room twice.
    Raises: FileNotFoundError when it is deleted meanwhile; OSError."""
    target = sweep.path / places.CELLS / cell
    part = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        shutil.copytree(run.path, part, dirs_exist_ok=True, ignore=_not_taken, copy_function=_link_or_copy)
        folders.move_folder(part, target, f"there is already a run called {target.name}")
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, shutil.Error) and not (run.path / "config.json").exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(run.path)) from None
        raise
    return Run(target)


def _not_taken(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in (LOCK, STOP) or name.startswith(".")}


def _link_or_copy(source: str, target: str) -> None:
    if source.endswith((".npz", ".safetensors")):
        with suppress(OSError):  # of a disk that knows no links: then it is copied
            os.link(source, target)
            return
    shutil.copy2(source, target)
