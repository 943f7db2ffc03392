"""A run is a folder: one writer, any number of readers, no database. Here they are made, read, listed and moved.

    config.json          the RunConfig, whole, with versions, machine, and what the data and the training were
    status.json          queued | running | done | failed | stopped | interrupted, and how far; a heartbeat
    lock                 host and pid of the one writer
    history.jsonl        one record a line, of each finished epoch
    rows.npz             which rows the frames draw
    frames/0003.npz      what the map draws after epoch 3; frames/live.npz in the middle of an epoch
    state.safetensors    what a resume needs; gone when the run is done
    weights.safetensors  the weights of the end
    metrics.json         the final scores
    projections/x.npz    a cache: latents brought to two dimensions
    stop                 whoever creates this file stops the run

All but the history is written under a temporary name and then replaced, so a reader sees a whole file or none.
"""

import errno
import json
import math
import os
import platform
import re
import secrets
import shutil
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semidml import __version__, files
from semidml.config import RunConfig
from semidml.locks import is_at, try_lock
from semidml.presets import SHIPPED
from semidml.record import Record

if TYPE_CHECKING:  # at run time these would import torch
    from torch import Tensor, nn

    from semidml.data.dataset import Dataset
    from semidml.train import Training

STATES = ("queued", "running", "done", "failed", "stopped", "interrupted")
HEARTBEAT = 2.0  # seconds between two writes of status.json while running
DAY = 86400.0  # seconds by which the clock of another machine may be ahead
STALE = 15.0  # seconds without a heartbeat after which a run counts as interrupted
STATE_EVERY = 5.0  # seconds between two writes of state.safetensors
LIVE_EVERY = 1.0  # seconds between two frames in the middle of an epoch
MOST_FRAMES, FEWEST_FRAMES = 200, 20
WIDE = 16  # dimensions beyond which latents are kept in half precision, and fewer frames
SWEEP_AFTER = 3600.0  # seconds after which what a killed process left half done is removed
QUOTA = "2GB"
OWN = {"config.json", "status.json", "lock", "history.jsonl", "rows.npz", "frames", "projections", "metrics.json"}
OWN |= {"state.safetensors", "weights.safetensors", "stop", "error.txt"}  # all that a run's folder may hold
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


# ---- where runs are


def root() -> Path:
    """The user's runs: SEMIDML_RUNS, or ./runs."""
    return Path(os.environ.get("SEMIDML_RUNS") or "runs").absolute()


def _ships(run_id: str) -> bool:
    """Whether a run of that name comes with the project: another one would stand in its place."""
    return (shipped() / run_id).exists()


def shipped() -> Path:
    """The runs that come with the project: `checkpoints/` beside the package."""
    return Path(__file__).resolve().parent.parent / "checkpoints"


def valid_id(name: str) -> bool:
    """Whether a run may be called so: 1 to 80 letters, digits, `_`, `.`, `-`, beginning with a letter or digit."""
    return bool(ID.fullmatch(name))


def checked_id(name: str) -> str:
    """The name itself. Raises ValueError when it is not a valid one."""
    if not valid_id(name):
        raise ValueError(
            "a run's name is 1 to 80 letters, digits, '_', '.' or '-', beginning with a letter or a digit; "
            f"got {name[:90]!r}"
        )
    return name


def new_id(config: RunConfig) -> str:
    """A readable name that no other run has: digits-dml-ae-pl100-20261122-1504-k3f9."""
    data = re.sub(r"[^A-Za-z0-9]+", "-", Path(config.data).stem).strip("-")[:30] or "data"
    return f"{data}-{config.model}-pl{config.pl:g}-{time.strftime('%Y%m%d-%H%M')}-{secrets.token_hex(2)}"


def get(run_id: str) -> "Run":
    """The run of that name, the user's before a shipped one. Raises ValueError when there is none."""
    checked_id(run_id)
    for folder in (root(), shipped()):
        path = folder / run_id
        if path.is_dir() and not path.is_symlink():
            return Run(path)
    raise ValueError(f"there is no run called {run_id!r}")


def list_runs(include_shipped: bool = True) -> list["Run"]:
    """All runs: the user's, newest first, then those that ship, as `SHIPPED` has them. A damaged folder is among them,
    with a status that says so."""
    found = []
    for folder in (root(), shipped()) if include_shipped else (root(),):
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
    places = {name: place for place, name in enumerate(SHIPPED)}
    return sorted(found, key=lambda run: places.get(run.id, len(places)) if run.is_shipped else -1)


# ---- who writes


def _place() -> str:
    """This boot of this machine (and container), where a pid means something; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    """When the process began, in the system's ticks; empty where the system does not tell, None when there is none."""
    if os.name != "posix":
        return ""  # os.kill would end it there
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""


def this_process() -> dict[str, Any]:
    """host, pid, place and birth of this process: what `owner` and `lock` hold."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "place": _place(), "born": _born(os.getpid())}


def has_ended(owner: Mapping[str, Any], elsewhere: bool = False) -> bool:
    """Whether that process is known to have ended. Of another host's nothing is known. One of this host's name but of
    another boot or container counts as ended when `elsewhere` is true (a heartbeat tells more where there is one)."""
    if not owner.get("pid") or owner.get("host") != socket.gethostname():
        return False
    if owner.get("place") != _place():
        return elsewhere
    born = _born(owner["pid"])
    return born is None or born != (owner.get("born") or "")


def words_for(owner: Mapping[str, Any]) -> str:
    return f"pid {owner.get('pid', 'unknown')} on {owner.get('host', 'an unknown machine')}"


# ---- files


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """What is half precision in the file comes as float32. Raises ValueError that names the file when it is damaged,
    FileNotFoundError when it is not there."""
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {
                    name: its.astype(np.float32) if its.dtype == np.float16 else its for name, its in arrays.items()
                }
        except Exception as error:  # numpy reads headers as Python: a damaged one can raise nearly anything
            raise ValueError(f"{path.name} is damaged: {error}") from None


def _arrays_if_there(path: Path) -> dict[str, np.ndarray] | None:
    try:
        return _read_arrays(path)
    except FileNotFoundError:
        return None


# ---- quota

UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def quota() -> int:
    """Bytes that the user's runs may take: SEMIDML_QUOTA ('500MB', '2 GB', or bytes), by default 2 GB.

    Raises ValueError when that cannot be read.
    """
    text = os.environ.get("SEMIDML_QUOTA") or QUOTA
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", text.strip().upper())
    unit = match and (match[2] if match[2] in UNITS else match[2] + "B")
    if not match or unit not in UNITS:
        raise ValueError(f"SEMIDML_QUOTA must be a size such as 500MB or 2GB, got {text!r}")
    return int(float(match[1]) * UNITS[unit])


def usage() -> int:
    """Bytes that the user's runs take now."""
    return files.folder_size(root())


def size_words(size: float) -> str:
    """1234567 -> '1.2 MB'."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def sweep() -> None:
    """Remove what a process left that was killed while it deleted or imported a run."""
    files.sweep([*root().glob(".deleted-*"), *root().glob(".import-*")], SWEEP_AFTER)


def check_quota(more: int = 0, folder: Path | None = None) -> None:
    """Raises ValueError, naming what could be deleted, when the runs (of `folder`) and `more` bytes pass the quota."""
    folder = folder or root()
    used, allowed = files.folder_size(folder), quota()
    if used + more < allowed:
        return
    sizes = [(files.folder_size(path), path.name) for path in folder.iterdir() if valid_id(path.name)] if used else []
    largest = ", ".join(f"{name} ({size_words(size)})" for size, name in sorted(sizes, reverse=True)[:3])
    raise ValueError(
        f"the runs take {size_words(used)} of the {size_words(allowed)} they may"
        + (f", and this needs {size_words(more)} more" if more else "")
        + (f": delete some first, the largest are {largest}" if largest else "")
        + "; SEMIDML_QUOTA sets how much they may take"
    )


# ---- reading


@dataclass(frozen=True)
class Status:
    """Where a run stands. Times are seconds since 1970."""

    state: str
    reason: str = ""
    epoch: int = 0  # finished
    epochs: int = 0  # of the config
    step: int = 0  # into the unfinished epoch
    steps: int = 0  # of an epoch
    started: float | None = None
    updated: float = 0.0
    owner: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] | None = None  # the newest record, as JSON has it

    @property
    def active(self) -> bool:
        """Queued or running."""
        return self.state in ("queued", "running")

    @property
    def record(self) -> Record | None:
        """The newest record, one in the middle of an epoch included."""
        if self.latest is None:
            return None
        return Record(**self.latest)

    @property
    def fraction(self) -> float:
        """Share of the training that is done, 0 to 1."""
        part = self.step / self.steps if self.steps else 0.0
        return min(1.0, (self.epoch + part) / self.epochs) if self.epochs else 0.0


class Run:
    """A handle of a run's folder; it holds nothing but the path, and each call reads what is there now."""

    def __init__(self, path: Path | str):
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def is_shipped(self) -> bool:
        return self.path.parent == shipped()

    def details(self) -> dict[str, Any]:
        """config.json as it is: config, versions, created, paths; once started also machine, facts and data (title,
        shape, class_names). Raises ValueError when it cannot be read."""
        return files.read_json(self.path / "config.json")

    def config(self) -> RunConfig:
        """Raises ValueError when config.json is damaged or not of this version."""
        values = self.details().get("config")
        if not isinstance(values, dict):
            raise ValueError("config.json has no config")
        return RunConfig.kept(values)

    def created(self) -> float:
        """When the run was made, in seconds since 1970; the folder's own time where config.json does not say, or what
        cannot be."""
        try:
            made = float(self.details()["created"])
        except (ValueError, KeyError, TypeError, OverflowError):
            made = -1.0
        if 0 <= made <= time.time() + DAY:
            return made
        try:
            return self.path.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def status(self) -> Status:
        """Where it stands. What cannot be read is `failed` with its reason; nothing is raised."""
        try:
            epochs = self.config().epochs
            status = self.recorded()
            if status.state == "done":
                self.metrics()
        except ValueError as error:
            return Status("failed", f"this run's folder is damaged: {error}")
        status = replace(status, epochs=epochs)
        if status.state == "queued" and (self.path / "stop").exists():
            return replace(status, state="stopped", reason="stopped before it began")
        if status.state == "running":
            silent = time.time() - status.updated
            if has_ended(status.owner):
                return replace(status, state="interrupted", reason=f"its process ended; {self.resume_words()}")
            if silent > STALE:
                heard = f"its process ({words_for(status.owner)}) was last heard of {silent:.0f} s ago"
                return replace(status, state="interrupted", reason=f"{heard}; {self.resume_words()}")
        return status

    def recorded(self) -> Status:
        """What status.json says, whatever has become of its process since. Raises ValueError when it is damaged."""
        values = files.read_json(self.path / "status.json")
        known = {f.name for f in fields(Status)}
        try:
            status = Status(**{name: value for name, value in values.items() if name in known})
        except TypeError as error:
            raise ValueError(f"status.json cannot be read: {error}") from None
        if status.state not in STATES:
            raise ValueError(f"status.json has the unknown state {str(status.state)[:40]!r}")
        if not isinstance(status.updated, int | float) or not isinstance(status.owner, dict):
            raise ValueError("status.json is damaged")
        return status

    def damage(self) -> str:
        """What of its settings, its state and its scores cannot be read, in words; "" where all can."""
        try:
            self.config()
            self.recorded()
            self.metrics()
        except ValueError as error:
            return str(error)
        return ""

    def is_orphan(self) -> bool:
        """Whether it waits for a process that has ended."""
        try:
            status = self.recorded()
        except ValueError:
            return False
        stopped = (self.path / "stop").exists()
        return status.state == "queued" and not stopped and has_ended(status.owner, elsewhere=True)

    def resume_epoch(self) -> int:
        """The finished epochs that a resume would start from; 0 when it would start anew."""
        path = self.path / "state.safetensors"
        if not path.exists():
            return 0
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="np") as tensors:
                return int(tensors.get_tensor("epoch"))
        except (SafetensorError, OSError, TypeError, ValueError, OverflowError):  # damaged, or a stranger's
            return 0

    def resume_words(self) -> str:
        epoch = self.resume_epoch()
        return f"resume continues from epoch {epoch}" if epoch else "resume starts anew"

    def history(self) -> list[Record]:
        """The records of the finished epochs, in order. A last line without its end is not one yet."""
        return _history(self.path / "history.jsonl")

    def frames(self) -> list[int]:
        """The epochs of which there is a frame, in order."""
        return _frames(self.path)

    def frame(self, epoch: int) -> dict[str, np.ndarray]:
        """What the map draws after an epoch: see `Training.frame`; also epoch and step, (). Raises FileNotFoundError
        when there is none (any more: frames are thinned)."""
        return self._as_shown(_read_arrays(self.path / "frames" / f"{epoch:04d}.npz"))

    def _as_shown(self, frame: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A frame whose latents are directions where nothing but directions was trained: up to version 0.1 such frames
        held lengths as well."""
        latents = frame.get("latents")
        try:
            on_sphere = self.config().on_sphere
        except ValueError:  # whoever shows the run says so; its points are drawn as they are
            return frame
        if latents is None or not on_sphere or latents.ndim != 2:
            return frame
        lengths = np.linalg.norm(latents.astype(np.float64), axis=1, keepdims=True)
        if not len(latents) or np.abs(lengths - 1).max() < 0.01:  # or by half precision
            return frame
        return frame | {"latents": (latents / np.where(lengths > 0, lengths, 1)).astype(latents.dtype)}

    def live(self) -> dict[str, np.ndarray] | None:
        """The newest frame, one in the middle of an epoch included; None before the first."""
        for _ in range(3):  # what was listed may be thinned away before it is opened
            epochs = self.frames()
            live = _arrays_if_there(self.path / "frames" / "live.npz")
            if live and (not epochs or live["epoch"] >= epochs[-1]):
                return self._as_shown(live)
            newest = _arrays_if_there(self.path / "frames" / f"{epochs[-1]:04d}.npz") if epochs else None
            if newest or not epochs:
                return newest and self._as_shown(newest)
        return None

    def stamp(self) -> tuple[Any, ...]:
        """Changes whenever there is something new to draw: compare it to know whether to look further."""
        status = self.status()
        return (
            status.state,
            status.epoch,
            status.step,
            _mtime(self.path / "frames"),
            _mtime(self.path / "metrics.json"),
        )

    def rows(self) -> dict[str, np.ndarray]:
        """Which rows the frames draw: see `Training.rows`. Raises FileNotFoundError before the run has begun."""
        return _read_arrays(self.path / "rows.npz")

    def check_rows(self, splits: "Dataset") -> None:
        """Raises ValueError when the rows that the frames draw are not those of `splits` (`train.prepare`), by their
        labels: what is shown would be other images, and what is scored some that the weights were trained on."""
        if not (self.path / "rows.npz").exists():
            return
        rows = self.rows()
        for split, part in enumerate((splits.train, splits.test)):
            at, labels = (rows[name][rows["split"] == split].astype(np.int64) for name in ("row", "labels"))
            its = part.labels.numpy()
            if len(at) and (at.max() >= len(its) or (its[at] != labels).any()):
                raise ValueError(self._other_rows(splits.name))

    def check_drawn(self, rows: Mapping[str, np.ndarray], name: str) -> None:
        """Raises ValueError when a training on the data set of that name would draw other rows than the frames that
        are there already: see `Training.rows`."""
        if not (self.path / "rows.npz").exists():
            return
        its = self.rows()
        if not all(np.array_equal(its[key], rows[key]) for key in ("split", "row", "labels")):
            raise ValueError(self._other_rows(name))

    def _other_rows(self, name: str) -> str:
        return (
            f"the rows that {self.id} draws are not those of {name} here: this is another data set of that name, or "
            "the run was made by a release that held out other rows for choosing settings; train the same setting again"
        )

    def metrics(self) -> dict[str, Any] | None:
        """The final scores, None while there are none."""
        return files.read_json(self.path / "metrics.json") if (self.path / "metrics.json").exists() else None

    def size(self) -> int:
        """Bytes on disk."""
        return files.folder_size(self.path)

    def model(self) -> "nn.Module":
        """The model with its final weights, or with those of the last saved state, on the CPU: see `train.load_model`.
        Raises ValueError when there are none yet, or not of this config."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from semidml.train import load_model

        try:
            if (self.path / "weights.safetensors").exists():
                weights = load_file(self.path / "weights.safetensors")
            else:
                state = load_file(self.path / "state.safetensors")
                weights = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
        except FileNotFoundError:
            raise ValueError(f"{self.id} has no weights yet") from None
        except SafetensorError as error:
            raise ValueError(f"the weights of {self.id} cannot be read: {error}") from None
        data = self.details().get("data")
        if not data:
            raise ValueError(f"{self.id} does not say which images it was trained on")
        return load_model(self.config(), tuple(data["shape"]), len(data["class_names"]), weights)

    def projection(self, name: str) -> dict[str, np.ndarray] | None:
        """A cached projection, or None."""
        return _arrays_if_there(self.path / "projections" / f"{checked_id(name)}.npz")

    def keep_projection(self, name: str, **arrays: np.ndarray) -> None:
        """Cache a projection in the folder."""
        folder = self.path / "projections"
        folder.mkdir(exist_ok=True)
        files.replace_file(folder / f"{checked_id(name)}.npz", lambda file: np.savez(file, **arrays), durable=False)

    # ---- moving it about

    def stop(self) -> None:
        """Ask whoever runs it to stop: within a tick. Raises ValueError when it neither runs nor waits."""
        status = self.status()
        if not status.active:
            raise ValueError(f"{self.id} is not running: it is {status.state}")
        (self.path / "stop").touch()

    def make_ready(self, owner: Mapping[str, Any] | None = None) -> None:
        """Queue a run again that was stopped, interrupted, failed, or queued by a process that has ended.

        Raises ValueError for any other.
        """
        status = self.status()
        self.config()
        if self.is_shipped:
            raise ValueError(f"{self.id} ships with the project and cannot be resumed")
        if status.state not in ("stopped", "interrupted", "failed") and not self.is_orphan():
            raise ValueError(f"{self.id} cannot be resumed: it is {status.state}")
        if self.is_complete():
            raise ValueError(f"{self.id} cannot be resumed: it was trained to its end, and would be erased")
        epoch = self.resume_epoch()
        (self.path / "stop").unlink(missing_ok=True)
        owner = dict(owner or this_process())
        write_status(
            self, replace(status, state="queued", reason="", owner=owner, epoch=epoch, step=0, updated=time.time())
        )

    def is_complete(self) -> bool:
        """Whether it was trained to its end, whatever else is damaged: it has weights, and no state to go on from."""
        return (self.path / "weights.safetensors").exists() and not (self.path / "state.safetensors").exists()

    def rename(self, new: str) -> "Run":
        """The run under its new name. Raises ValueError while it runs or waits, or when the name is taken."""
        self._may_change("renamed", idle=True)
        target = self.path.with_name(checked_id(new))
        if target.exists() or _ships(new):
            raise ValueError(f"there is already a run called {new}")
        self.path.rename(target)
        return Run(target)

    def delete(self) -> None:
        """Remove the folder. Raises ValueError while it runs."""
        self._may_change("deleted", idle=False)
        strange = [path.name for path in self.path.iterdir() if path.name not in OWN and ".tmp" not in path.name]
        if strange:  # many a folder that is no run has a config.json
            raise ValueError(
                f"{self.path} holds what is not a run's ({', '.join(sorted(strange)[:3])}): it is not deleted"
            )
        hidden = self.path.with_name(f".deleted-{self.id}-{secrets.token_hex(4)}")
        self.path.rename(hidden)  # at once gone for every reader
        shutil.rmtree(hidden)

    def _may_change(self, what: str, idle: bool) -> None:
        if not self.path.is_dir():
            raise ValueError(f"there is no run called {self.id!r}")
        if not any((self.path / name).is_file() for name in ("config.json", "status.json")):
            raise ValueError(f"{self.path} does not hold a run: it is not {what}")
        if self.is_shipped:
            raise ValueError(f"{self.id} ships with the project and cannot be {what}")
        state = self.status().state
        if state == "running" or (idle and state == "queued"):
            raise ValueError(f"{self.id} is {state}: stop it before it is {what}")


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _frames(path: Path) -> list[int]:
    try:
        names = os.listdir(path / "frames")
    except FileNotFoundError:
        return []
    return sorted(int(name[:-4]) for name in names if re.fullmatch(r"\d{4,6}\.npz", name))


_read: OrderedDict[Path, tuple[int, bytes, list[Record]]] = OrderedDict()  # bytes read, the last of them, their records
_read_lock = threading.Lock()
MOST_HISTORIES = 64  # kept in memory


def _history(path: Path) -> list[Record]:
    """Records of a history file; what was read before is not parsed again unless the file was cut or replaced. Raises
    ValueError that names it when it is damaged."""
    with _read_lock:
        at, tail, records = _read.pop(path, (0, b"", []))
    try:
        with open(path, "rb") as file:
            file.seek(at - len(tail))
            if file.read(len(tail)) != tail:
                file.seek(0)
                at, tail, records = 0, b"", []
            text = file.read()
    except FileNotFoundError:
        return []
    whole = text[: text.rfind(b"\n") + 1]
    try:
        records = records + [Record.from_json(line) for line in whole.splitlines()]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path.name} is damaged: {error}") from None
    with _read_lock:
        _read[path] = (at + len(whole), (tail + whole)[-200:], records)
        while len(_read) > MOST_HISTORIES:
            _read.popitem(last=False)
    return list(records)


# ---- making


def create(
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
        target = root() / checked_id(new_id(config) if run_id is None else run_id)
    else:
        target = Path(path).absolute()
        checked_id(target.name)
    if target.parent == root():
        if _ships(target.name):
            raise ValueError(f"there is already a run called {target.name}: it ships with the project")
        sweep()
        check_quota()
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
        owner = dict(owner or this_process())
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


def write_status(run: Run, status: Status, durable: bool = True) -> None:
    """Replace status.json. On a full disk it is written over in place, which needs no room."""
    path, content = run.path / "status.json", files.as_json(asdict(status))
    try:
        files.replace_file(path, content, durable)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not durable:
            raise
        with open(path, "r+b") as file:
            file.write(content)
            file.truncate()


# ---- writing


def kept_frames(epochs: int, latent_dim: int = 2) -> set[int]:
    """The epochs whose frames are kept: all, or 200 of them, as even as whole numbers allow, with first and last;
    beyond 16 dimensions as many fewer as the frames are larger, down to 20."""
    most = max(FEWEST_FRAMES, MOST_FRAMES * WIDE // max(WIDE, latent_dim))
    if epochs < most:
        return set(range(epochs + 1))
    return {round(i * epochs / (most - 1)) for i in range(most)}


class Writer:
    """The one writer of a run. As a context it holds the lock and sends the heartbeat.

    Raises ValueError when somebody else is writing: 'first is being written by pid 7 on box'.
    """

    def __init__(self, run: Run):
        self.run, self.path = run, run.path
        self.config = run.config()
        self._kept = kept_frames(self.config.epochs, self.config.latent_dim)
        self._lock_file = self._take_lock()
        now = time.time()
        self._status = Status("running", epochs=self.config.epochs, started=now, updated=now, owner=this_process())
        self._mutex = threading.Lock()  # over status.json
        self._wake = threading.Event()
        self._ended = False
        self._problem: OSError | None = None  # of the heartbeat
        self._history: int | None = None  # a file descriptor
        self._last = -1  # epoch of the last line of the history
        self._stray: list[int] = []  # frames to remove at the next one
        self._state_epoch, self._state_due, self._frame_due = 0, 0.0, 0.0
        try:
            if run.recorded().state != "queued":  # a stop before this; while it waited it was meant for this
                (self.path / "stop").unlink(missing_ok=True)
            self._clear_temporaries()
            (self.path / "frames").mkdir(exist_ok=True)
            (self.path / "error.txt").unlink(missing_ok=True)
            self._write_status(durable=True)
        except BaseException:
            self._release_lock()
            raise
        self._heart = threading.Thread(target=self._beat, name=f"heartbeat of {run.id}", daemon=True)
        self._heart.start()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_heart()
        if self._history is not None:
            os.close(self._history)
            self._history = None
        self._release_lock()

    # -- the lock: the system's, which ends with its holder, and the file's content for machines that share the disk

    def _take_lock(self) -> int:
        path = self.path / "lock"
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                holder = self._holder(handle)
                if not try_lock(handle):
                    raise ValueError(f"{self.run.id} is being written by {words_for(holder)}")
                if not is_at(handle, path):
                    os.close(handle)
                    continue  # its holder removed it in between
                self._refuse_fresh(self._holder(handle))
                os.ftruncate(handle, 0)
                os.pwrite(handle, files.as_json(this_process()), 0)
                return handle
            except BaseException:
                os.close(handle)
                raise

    @staticmethod
    def _holder(handle: int) -> dict[str, Any]:
        try:
            holder = json.loads(os.pread(handle, 4096, 0) or b"{}")
        except ValueError:
            return {}
        return holder if isinstance(holder, dict) else {}

    def _refuse_fresh(self, holder: dict[str, Any]) -> None:
        """For a holder on another machine, whose lock this one may not see: a fresh heartbeat keeps everybody out."""
        if holder and not has_ended(holder) and holder != this_process() and self.run.status().state == "running":
            raise ValueError(f"{self.run.id} is being written by {words_for(holder)}")

    def _release_lock(self) -> None:
        (self.path / "lock").unlink(missing_ok=True)
        os.close(self._lock_file)

    # -- the status and its heartbeat

    def _beat(self) -> None:
        while not self._ended:
            self._wake.wait(HEARTBEAT)
            self._wake.clear()
            try:
                self._write_status(durable=False)
                self._problem = None
            except OSError as error:  # the training thread raises it at its next tick
                self._problem = error
            time.sleep(0.05)  # at most so often, however many ticks there are

    def _write_status(self, durable: bool) -> None:
        with self._mutex:
            if not self._ended:
                write_status(self.run, replace(self._status, updated=time.time()), durable)

    def _stop_heart(self) -> None:
        self._ended = True
        self._wake.set()
        self._heart.join()

    def stopping(self) -> bool:
        """Whether somebody asked for a stop."""
        return (self.path / "stop").exists()

    # -- beginning

    def saved_state(self) -> "dict[str, Tensor] | None":
        """What to resume from, None to begin anew; history and frames are cut to it.

        Raises ValueError when it is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        state = None
        if (self.path / "state.safetensors").exists():
            try:
                state = load_file(self.path / "state.safetensors")
                self._state_epoch = int(state["epoch"])
            except (SafetensorError, KeyError) as error:
                raise ValueError(f"state.safetensors cannot be read ({error}); delete it to begin anew") from None
        self._cut(self._state_epoch if state else -1)
        return state

    def _cut(self, epoch: int) -> None:
        """Drop what came after an epoch."""
        path = self.path / "history.jsonl"
        lines = []
        if path.exists():
            text = path.read_bytes()
            lines = text[: text.rfind(b"\n") + 1].splitlines(keepends=True)
        lines = [line for line in lines if json.loads(line)["epoch"] <= epoch]
        files.replace_file(path, b"".join(lines))
        self._history = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._last = json.loads(lines[-1])["epoch"] if lines else -1
        for there in self.run.frames():
            if there > epoch:
                self._frame_path(there).unlink()
            elif there not in self._kept:
                self._stray.append(there)
        for name in ("frames/live.npz", "weights.safetensors", "metrics.json"):
            (self.path / name).unlink(missing_ok=True)
        for file in self.path.glob("projections/*.npz"):
            of = file.stem.rpartition("-")[2]
            if of.isdecimal() and int(of) > epoch:
                file.unlink()

    def _clear_temporaries(self) -> None:
        """What a writer left that was killed."""
        folders = (self.path, self.path / "frames", self.path / "projections")
        files.sweep((left for folder in folders for end in ("part", "tmp") for left in folder.glob(f".*.{end}")), 0)

    def describe(self, **parts: dict[str, Any]) -> None:
        """Add machine, data and facts to config.json."""
        files.replace_file(
            self.path / "config.json", files.as_json(self.run.details() | {"versions": versions()} | parts)
        )

    # -- while it goes on

    def tick(self, record: Record, training: "Training") -> None:
        """Write what is new. Raises OSError when the disk does not take it."""
        if self._problem is not None:
            raise self._problem
        line = record.to_json()  # at every tick: what JSON cannot hold is then an error here, not in the heartbeat
        if record.ends_epoch:
            self._end_of_epoch(record, line, training)
        elif time.monotonic() >= self._frame_due:
            began = time.monotonic()
            self._save_frame(self.path / "frames" / "live.npz", record, training, durable=False)
            self._pace(began)
        self._status = replace(
            self._status, epoch=record.epoch, step=record.step, steps=record.steps, latest=asdict(record)
        )
        self._wake.set()

    def _end_of_epoch(self, record: Record, line: str, training: "Training") -> None:
        if not (self.path / "rows.npz").exists():
            rows = training.rows()
            files.replace_file(self.path / "rows.npz", lambda file: np.savez(file, **rows))
        epoch, began = record.epoch, time.monotonic()
        is_kept = epoch in self._kept
        if is_kept or began >= self._frame_due:
            self._save_frame(self._frame_path(epoch), record, training, durable=is_kept)
            for stray in self._stray:
                if stray != epoch:
                    self._frame_path(stray).unlink(missing_ok=True)
            self._stray = [] if is_kept else [epoch]
            self._pace(began)
        (self.path / "frames" / "live.npz").unlink(missing_ok=True)
        if epoch > self._last:
            self._append(line.encode() + b"\n")
            self._last = epoch
        if epoch and time.monotonic() >= self._state_due:
            self.save_state(training)

    def _frame_path(self, epoch: int) -> Path:
        return self.path / "frames" / f"{epoch:04d}.npz"

    def _pace(self, began: float) -> None:
        """No frame that need not be kept for the next second, nor before ten times what the last one took."""
        now = time.monotonic()
        self._frame_due = now + max(LIVE_EVERY, 10 * (now - began))

    def _save_frame(self, path: Path, record: Record, training: "Training", durable: bool) -> None:
        # Not compressed: measured on 20,000 rows, deflate takes 16 ms instead of 1 and saves a fifth.
        frame = training.frame() | {"epoch": np.int64(record.epoch), "step": np.int64(record.step)}
        if frame["latents"].shape[1] > WIDE:
            frame["latents"] = frame["latents"].astype(np.float16)
        files.replace_file(path, lambda file: np.savez(file, **frame), durable)

    def _append(self, line: bytes) -> None:
        """Append to the history; on an error what was written of the line is taken back."""
        assert self._history is not None
        end = os.fstat(self._history).st_size
        try:
            written = 0
            while written < len(line):
                written += os.write(self._history, line[written:])
        except OSError:
            os.ftruncate(self._history, end)
            raise

    def save_state(self, training: "Training") -> None:
        """Save what a resume needs, as of the last finished epoch, unless that is saved already or is not finite."""
        import torch
        from safetensors.torch import save

        self._state_due = time.monotonic() + STATE_EVERY
        state = training.state()
        epoch = int(state["epoch"])
        if epoch <= self._state_epoch or not all(torch.isfinite(t).all() for t in state.values()):
            return
        files.replace_file(
            self.path / "state.safetensors", save({name: tensor.contiguous() for name, tensor in state.items()})
        )
        self._state_epoch = epoch

    # -- ending

    def finish(self, training: "Training", metrics: dict[str, Any]) -> None:
        """Write the weights and scores of a training that went to its end."""
        from safetensors.torch import save

        weights = {name: tensor.contiguous() for name, tensor in training.weights().items()}
        files.replace_file(self.path / "weights.safetensors", save(weights))
        files.replace_file(self.path / "metrics.json", files.as_json(_finite(metrics)))

    def end(self, state: str, reason: str = "") -> Status:
        """The last status: done, stopped or failed. The unfinished epoch is dropped, and, when done, the state."""
        self._stop_heart()
        if state != "done":
            (self.path / "frames" / "live.npz").unlink(missing_ok=True)
            saved = self.run.resume_epoch()
            reason = "; ".join(part for part in (reason, self.run.resume_words() if saved else "") if part)
        epoch = self._last if self._last >= 0 else self.run.resume_epoch()
        latest = self._status.latest if self._status.step == 0 else self._last_line()
        ended = {"state": state, "reason": reason, "epoch": epoch, "step": 0, "latest": latest, "updated": time.time()}
        status = replace(self._status, **ended, owner={})  # nobody writes it any more; a run may be sent to others
        write_status(self.run, status)
        if state == "done":
            (self.path / "state.safetensors").unlink(missing_ok=True)
        (self.path / "stop").unlink(missing_ok=True)
        return status

    def _last_line(self) -> dict[str, Any] | None:
        path = self.path / "history.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return json.loads(lines[-1]) if lines else None

    def interrupted(self, reason: str, seconds: float = 0.5) -> None:
        """From another thread, when this process must end now: say so in status.json if that is possible in time."""
        if self._mutex.acquire(timeout=seconds):
            self._ended = True
            status = replace(self._status, state="interrupted", step=0, updated=time.time())
            write_status(self.run, replace(status, reason=f"{reason}; {self.run.resume_words()}"), durable=False)


def _finite(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Scores with null for what is not finite, and its reason under `failed`."""
    broken = {k for k, v in metrics.items() if isinstance(v, float) and not math.isfinite(v)}
    found = {k: None if k in broken else v for k, v in metrics.items()}
    failed = {**{k: "not finite" for k in sorted(broken)}, **metrics.get("failed", {})}
    return found | ({"failed": failed} if failed or "failed" in metrics else {})
