"""The 2-D data sets of MedMNIST (Yang et al. 2023, doi 10.1038/s41597-022-01721-8), 28 pixels a side, or 64, 128 or 224
where the name says so: `organamnist@64`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semidml.data import decoded, image_files, npz
from semidml.data.dataset import Dataset
from semidml.data.fetch import fetch_all
from semidml.registry import Entry
from semidml.tasks import Progress


def load(entry: Entry, folder: Path, download: bool, progress: Progress) -> Dataset:
    """Training, validation and test images (C, 28, 28), or as large as the entry says, of a checked download or of a
    file put there by hand.
    Raises: ValueError, saying what to do, when it is missing and cannot or should not be downloaded, or is damaged."""
    from medmnist.info import INFO

    name, _, side = entry.name.partition("@")
    info, path = INFO[name], _file(entry, folder)
    if not path.is_file():
        which = f"_{side}" if side else ""
        fetch_all(entry, folder, [(path, [info[f"url{which}"]], info[f"MD5{which}"])], download, progress)
    single = _single(info)
    try:
        is_large = npz.pixel_bytes(path, decoded.MAX_BYTES, single) > decoded.most_in_memory()
        data = None if is_large else npz.read(path, entry.name, entry.title, single)
    except ValueError as error:
        raise ValueError(
            f"{entry.title} in {path} is damaged ({error}): delete that file and fetch it again"
        ) from error
    data = data or _read_large(path, entry, folder, progress, single)
    names = ("no finding", "a finding") if single else tuple(info["label"].get(name, name) for name in data.class_names)
    return replace(data, class_names=names)


def _read_large(path: Path, entry: Entry, folder: Path, progress: Progress, single: npz.Single | None) -> Dataset:
    place = decoded.Place(folder, entry.name, image_files.state_of(path))
    if not place.is_there():
        decoded.keep_arrays(path, place, entry.title, decoded.MAX_BYTES, progress, single)
    return decoded.read(place, entry.name, entry.title)


def by_class(entry: Entry, folder: Path) -> tuple[int, ...] | None:
    """Rows of each class, in all splits; None where the file is not here.
    Raises: ValueError for a damaged file."""
    from medmnist.info import INFO

    path = _file(entry, folder)
    if not path.is_file():
        return None
    return npz.facts(path, _single(INFO[entry.name.partition("@")[0]]), decoded.MAX_BYTES)["by_class"]


def _file(entry: Entry, folder: Path) -> Path:
    return folder / entry.facts["files"][0]


def _single(info: dict[str, Any]) -> npz.Single | None:
    """What makes one label of several."""
    return any_finding if info["task"].startswith("multi-label") else None


def any_finding(labels: np.ndarray) -> np.ndarray:
    """1 for a row of labels (N, L) with any finding, else 0: (N,)."""
    return labels.reshape(len(labels), -1).any(1).astype(np.int64)
