"""A run, read: its config, status, history, frames and weights."""

import contextlib
import os
import re
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from semidml.config import RunConfig
from semidml.disk import files
from semidml.frames import Frame, Record
from semidml.runs import heartbeat, places, process, quota, tensors
from semidml.runs.status import Status
from semidml.scores import collapse
from semidml.words import damage_words

if TYPE_CHECKING:  # at run time these would import torch
    from torch import nn

MOST_HISTORIES = 64  # kept in memory

# What is made of the same content once is not made again: a page asks each run in a list for its config, when it was
# made and whether its scores can be read, and a crowd does so all the time. The content itself is read anew.
MOST_CONTENTS = 512
ORDINARY = 32 << 10  # bytes of a content that is kept


PARTS = ("machine", "facts", "data", "versions")  # of config.json beside the config: an object each


def for_contents(read: Callable) -> Callable:
    """What a function reads in a file's content is kept for the last MOST_CONTENTS contents of an ordinary size."""
    kept = lru_cache(MOST_CONTENTS)(read)

    @wraps(read)
    def ask(content: bytes, *more: Any) -> Any:
        return (kept if len(content) <= ORDINARY else read)(content, *more)

    return ask


@for_contents
def _config_in(content: bytes) -> RunConfig:
    details = files.json_object(content, "config.json")
    values = details.get("config")
    if not isinstance(values, dict):
        raise ValueError("config.json has no config")
    if wrong := [part for part in PARTS if not isinstance(details.get(part, {}), dict)]:
        raise ValueError(f"config.json is damaged: {wrong[0]} must be an object")
    return RunConfig.kept(values)


@for_contents
def _time_in(content: bytes) -> float:
    return float(files.json_object(content, "config.json")["created"])


@for_contents
def _check_scores(content: bytes, name: str) -> None:
    """Raises ValueError unless these are scores, finite numbers or None, with remarks in words on some of them."""
    for title, value in files.json_object(content, name).items():
        if title in ("notes", "failed"):
            if not isinstance(value, dict) or not all(isinstance(words, str) for words in value.values()):
                raise ValueError(f"{name} is damaged: {title} must hold texts")
        elif value is not None and not (isinstance(value, int | float) and abs(value) <= sys.float_info.max):
            raise ValueError(f"{name} is damaged: {title[:40]!r} must be a finite number")


_read: OrderedDict[Path, tuple[int, bytes, list[Record]]] = OrderedDict()  # bytes read, the last of them, their records
_read_lock = threading.Lock()


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """What is half precision in the file comes as float32.
    Raises: ValueError that names the file when it is damaged or none, FileNotFoundError when it is not there."""
    with files.open_plain(path) as file:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                whole = dict(arrays)
        except Exception as error:  # numpy reads headers as Python: a damaged one can raise nearly anything
            raise ValueError(f"{path.name} is damaged: {error}") from None
    return {name: array.astype(np.float32) if array.dtype == np.float16 else array for name, array in whole.items()}


def _arrays_if_there(path: Path) -> dict[str, np.ndarray] | None:
    try:
        return _read_arrays(path)
    except FileNotFoundError:
        return None


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
        """Its name among all runs: SWEEP/RUN where it is one of a sweep."""
        return places.id_of(self.path)

    @property
    def is_shipped(self) -> bool:
        return self.path.parent == places.shipped()

    @property
    def sweep(self) -> str:
        """The name of the sweep that it is part of; "" where it is part of none."""
        return places.sweep_of(self.path)

    @property
    def is_own(self) -> bool:
        """Whether it is the user's to rename, delete and resume by itself: no shipped one, none of a sweep."""
        return not (self.is_shipped or self.sweep)

    def details(self) -> dict[str, Any]:
        """config.json: config, versions, created, paths; once started machine, facts, data (`describe_data`) too.
        Raises: ValueError when it cannot be read."""
        return files.read_json(self.path / "config.json")

    def config(self) -> RunConfig:
        """Raises ValueError when config.json is damaged or not of this version."""
        return _config_in(files.read_content(self.path / "config.json"))

    def created(self) -> float:
        """When the run was made, in seconds since 1970; by its folder where config.json says nothing that can be."""
        try:
            made = _time_in(files.read_content(self.path / "config.json"))
        except (ValueError, KeyError, TypeError, OverflowError):
            made = -1.0
        if 0 <= made <= time.time() + files.CLOCKS_DIFFER:
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
                self._check_metrics()
        except ValueError as error:
            return Status("failed", f"this run's folder is damaged: {error}")
        status = replace(status, epochs=epochs)
        if status.state == "queued" and (self.path / "stop").exists():
            return replace(status, state="stopped", reason="stopped before it began")
        if status.state == "running":
            if process.has_ended(status.owner):
                return replace(status, state="interrupted", reason=f"its process ended; {self.resume_words()}")
            is_here, whose = process.is_here(status.owner), f"its process ({process.words_for(status.owner)})"
            silent, is_seen = heartbeat.listen(self.path, status, is_here)
            if silent > heartbeat.STALE:
                reason = f"{whose} was last heard of {silent:.0f} s ago; {self.resume_words()}"
                return replace(status, state="interrupted", reason=reason)
            if not (is_here or is_seen):
                return replace(status, reason=f"{whose} is not this machine's; as far as is known here it runs")
        return status

    def recorded(self) -> Status:
        """What status.json says, whatever has become of its process since.
        Raises: ValueError when it is damaged."""
        values = files.read_json(self.path / "status.json")
        try:
            return Status(**values)
        except ValidationError as error:
            raise ValueError(f"status.json is damaged: {damage_words(error)}") from None

    def damage(self) -> str:
        """What of its settings, its state and its scores cannot be read, in words; "" where all can."""
        try:
            self.config()
            self.recorded()
            self._check_metrics()
        except ValueError as error:
            return str(error)
        return ""

    def is_orphan(self) -> bool:
        """Whether it waits for a process that has ended."""
        status = self.status()
        return status.state == "queued" and process.has_ended(status.owner, elsewhere=True)

    def resume_epoch(self) -> int:
        """The finished epochs that a resume would start from; 0 when it would start anew."""
        path = self.path / tensors.STATE
        return tensors.read_epoch(path) if path.exists() else 0

    def resume_words(self) -> str:
        epoch = self.resume_epoch()
        return f"resume continues from epoch {epoch}" if epoch else "resume starts anew"

    def history(self) -> list[Record]:
        """The records of the finished epochs, in order; a last line without its end is not one yet. What was read
        before is not parsed again unless the file was cut or replaced.
        Raises: ValueError that names the file when it is damaged."""
        path = self.path / "history.jsonl"
        with _read_lock:
            at, tail, records = _read.pop(path, (0, b"", []))
        try:
            with files.open_plain(path) as file:
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
        except ValidationError as error:
            raise ValueError(f"{path.name} is damaged: {damage_words(error)}") from None
        with _read_lock:
            _read[path] = (at + len(whole), (tail + whole)[-200:], records)
            while len(_read) > MOST_HISTORIES:
                _read.popitem(last=False)
        return list(records)

    def frames(self) -> list[int]:
        """The epochs of which there is a frame, in order."""
        try:
            names = os.listdir(self.path / "frames")
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(int(name[:-4]) for name in names if re.fullmatch(r"\d{4,6}\.npz", name))

    def frame(self, epoch: int) -> Frame:
        """What the map draws after an epoch.
        Raises: FileNotFoundError when there is none (any more: frames are thinned), ValueError when it is damaged."""
        name = f"{epoch:04d}.npz"
        return replace(self._frame_of(_read_arrays(self.path / "frames" / name), name), epoch=epoch)

    def _frame_of(self, arrays: dict[str, np.ndarray], name: str) -> Frame:
        """The frame in a file, its latents directions where only those were trained: up to version 0.1 they had
        lengths."""
        config = self.config()
        try:
            frame = Frame.of(arrays, self.rows(), config.by_direction)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{name} is damaged: it does not hold a whole frame ({error})") from None
        if not config.on_sphere or frame.latents.ndim != 2 or not len(frame.latents):
            return frame
        lengths = np.linalg.norm(frame.latents.astype(np.float64), axis=1)
        is_whole = np.abs(lengths - 1).max() < 0.01  # or by half precision
        return frame if is_whole else replace(frame, latents=collapse.directions(frame.latents))

    def live(self) -> Frame | None:
        """The newest frame, one in the middle of an epoch included; None before the first. Raises as `frame`."""
        for _ in range(3):  # what was listed may be thinned away before it is opened
            epochs = self.frames()
            live = _arrays_if_there(self.path / "frames" / "live.npz")
            if live and (not epochs or live["epoch"] >= epochs[-1]):
                return self._frame_of(live, "live.npz")
            if not epochs:
                return None
            with contextlib.suppress(FileNotFoundError):
                return self.frame(epochs[-1])
        return None

    def rows(self) -> dict[str, np.ndarray]:
        """Which rows the frames draw: see `Training.rows`.
        Raises: FileNotFoundError before the run has begun."""
        return _read_arrays(self.path / "rows.npz")

    def metrics(self) -> dict[str, Any] | None:
        """The final scores, None while there are none.
        Raises: ValueError when they are damaged."""
        return self._scores_in("metrics.json")

    def test_metrics(self) -> dict[str, Any] | None:
        """The scores of the test images, of a run whose final scores are of held-out ones and that was asked for both:
        settings are chosen by the latter. None where there are none.
        Raises: ValueError when they are damaged."""
        return self._scores_in("test_metrics.json")

    def _scores_in(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        if not path.exists():
            return None
        content = files.read_content(path)
        _check_scores(content, path.name)
        return files.json_object(content, path.name)

    def _check_metrics(self) -> None:
        """Raises ValueError where there are final scores that cannot be read."""
        for name in ("metrics.json", "test_metrics.json"):
            self._scores_in(name)

    def size(self) -> int:
        """Bytes on disk."""
        return files.folder_size(self.path)

    def model(self) -> "nn.Module":
        """The model with its final weights, or with those of the last saved state, on the CPU: see `task.load_model`.
        Raises: ValueError when there are none yet, or not of this config."""
        from semidml.train.task import load_model

        config, data = self.config(), self.details().get("data")
        try:
            saved = tensors.read_weights(self.path, config, data)
        except FileNotFoundError:
            raise ValueError(f"{self.id} has no weights yet") from None
        except ValueError as error:
            raise ValueError(f"the weights of {self.id} cannot be used: {error}") from None
        return load_model(config, tuple(data["shape"]), len(data["class_names"]), saved)

    def projection(self, name: str) -> dict[str, np.ndarray] | None:
        """A cached projection, or None."""
        return _arrays_if_there(self.path / "projections" / f"{places.checked_id(name)}.npz")

    def keep_projection(self, name: str, **arrays: np.ndarray) -> None:
        """Cache a projection in the folder.
        Raises: QuotaFull where it would pass the quota."""
        folder = self.path / "projections"
        folder.mkdir(exist_ok=True)
        quota.check_more(self.path, sum(array.nbytes for array in arrays.values()))
        path = folder / f"{places.checked_id(name)}.npz"
        files.replace_file(path, lambda file: np.savez(file, **arrays), durable=False)

    def is_complete(self) -> bool:
        """Whether it was trained to its end, whatever else is damaged: it has weights, and no state to go on from."""
        return (self.path / "weights.safetensors").exists() and not (self.path / "state.safetensors").exists()
