"""Data sets by name: what is here, and loading it. torch loads only when a data set is read."""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from semidml.data import DATASETS
from semidml.registry import Entry

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset

Progress = Callable[[float, str], None]
KEPT = 2  # data sets kept in memory
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")

_kept: OrderedDict[tuple, Dataset] = OrderedDict()
_lock = Lock()


def silent(fraction: float, text: str) -> None:
    """The progress of whoever does not look."""


def data_folder() -> Path:
    """Where data sets lie: SEMIDML_DATA, or ~/.cache/semidml."""
    return Path(os.environ.get("SEMIDML_DATA") or Path.home() / ".cache" / "semidml").expanduser().resolve()


def load(
    name: str,
    *,
    download: bool = False,
    progress: Progress = silent,
    allow_paths: bool = False,
    folder: Path | None = None,
) -> Dataset:
    """The data set called `name`: of the table, of an upload or, only with `allow_paths`, the path of an .npz file or
    of an image folder. The last two loaded are kept in memory, until their files change.

    Raises ValueError that says what was given, what there is and what to do; without `download` a data set of the
    table that is not here is such an error too."""
    folder = Path(folder) if folder else data_folder()
    place = _find(name, folder, allow_paths)
    key = (name, str(folder), _state(place, folder))
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    data = place.resolve()(place, folder, download, progress)
    with _lock:
        _kept[(name, str(folder), _state(place, folder))] = data  # a download has changed the state
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return data


def facts(name: str, allow_paths: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """train, test, classes, shape and official_train (rows) of a data set; more for those of the table, which are not
    loaded."""
    if name in DATASETS:
        known = dict(DATASETS[name].facts)
        return known | {"official_train": known["train"]}
    data = load(name, allow_paths=allow_paths, folder=folder)
    return {
        "train": len(data.train.labels),
        "test": len(data.test.labels),
        "classes": len(data.class_names),
        "shape": data.shape,
        "official_train": data.official_train,
        "notes": data.notes,
    } | ({"validation": len(data.validation.labels)} if data.validation else {})


def _find(name: str, folder: Path, allow_paths: bool) -> Entry | Path:
    """The table's entry or the place on the disk that a name stands for."""
    if name in DATASETS:
        return DATASETS[name]
    raise ValueError(f"there is no data set called {name[:80]!r}; there are {', '.join(DATASETS)}")


def _state(place: Entry | Path, folder: Path) -> tuple:
    """Changes when the files of a data set do."""
    files = [folder / f for f in place.facts["files"]] if isinstance(place, Entry) else [place]
    return tuple((f.stat().st_mtime_ns, f.stat().st_size) if f.exists() else None for f in files)


class Available(NamedTuple):
    """A data set that can be chosen by name."""

    name: str
    title: str
    kind: str  # "table" or "upload"
    here: bool  # whether it can be loaded without a download
    megabytes: float  # to download, or on the disk
    problem: str = ""  # why it cannot be read, in words


def available(folder: Path | None = None) -> list[Available]:
    """The data sets of the table, then the uploads by name."""
    folder = Path(folder) if folder else data_folder()
    table = [
        Available(e.name, e.title, "table", is_here(e.name, folder), e.facts["megabytes"]) for e in DATASETS.values()
    ]
    return table


def is_here(name: str, folder: Path | None = None) -> bool:
    """Whether a data set of the table can be loaded without a download."""
    folder = Path(folder) if folder else data_folder()
    return all((folder / f).is_file() or (folder / f"{f}.gz").is_file() for f in DATASETS[name].facts["files"])


def forget() -> None:
    """Drop the data sets kept in memory."""
    with _lock:
        _kept.clear()
