"""MNIST and its kin, through torchvision: its addresses, checksums and readers."""

import os
import tempfile
from pathlib import Path
from typing import Any

from semidml.data.dataset import Dataset, Split
from semidml.data.fetch import absent, fetch_all
from semidml.registry import Entry
from semidml.tasks import Progress

CLASSES = {"mnist": "MNIST", "fashionmnist": "FashionMNIST", "kmnist": "KMNIST"}


def load(entry: Entry, folder: Path, download: bool, progress: Progress) -> Dataset:
    """60,000 training and 10,000 test images (1, 28, 28). Files that are here only packed (.gz) are checked and
    unpacked.

    Raises: ValueError, saying what to do, when files are missing and cannot or should not be downloaded, or are
    damaged."""
    from torchvision import datasets

    source = getattr(datasets, CLASSES[entry.name])
    raw = folder / source.__name__ / "raw"
    fetch_missing(entry, source, folder, raw, download, progress)
    for packed, md5 in source.resources:
        unpack(raw / packed, md5)
    try:
        made = [source(str(folder), train=train) for train in (True, False)]
    except (ValueError, TypeError, RuntimeError, AssertionError, OSError) as error:
        raise ValueError(
            f"{entry.title} in {raw} is damaged ({error}): delete that folder and fetch it again"
        ) from error
    train, test = (Split(m.data[:, None].contiguous(), m.targets.long()) for m in made)
    names = tuple(name.split(" - ")[0] for name in source.classes)  # "0 - zero" is 0
    return Dataset(entry.name, entry.title, train, test, None, names)


def fetch_missing(entry: Entry, source: Any, folder: Path, raw: Path, download: bool, progress: Progress) -> None:
    """Download the files of torchvision's data set `source` that are neither packed nor unpacked in `raw`."""
    names = [packed for packed, _ in source.resources]
    missing = [
        (raw / packed, [mirror + packed for mirror in source.mirrors], md5)
        for packed, md5 in source.resources
        if not (raw / packed).is_file() and not (raw / packed).with_suffix("").is_file()
    ]
    if missing and not download:
        raise absent(entry, folder, names, f"{source.__name__}/raw")
    try:
        if missing:
            fetch_all(entry, missing, progress)
    except OSError as error:
        raise absent(entry, folder, names, f"{source.__name__}/raw", str(error)) from error


def unpack(packed: Path, md5: str) -> None:
    """Put the content of a checked .gz file beside it, whole or not at all.

    Raises: ValueError for another checksum."""
    from torchvision.datasets.utils import check_integrity, extract_archive

    plain = packed.with_suffix("")
    if plain.is_file():
        return
    if not check_integrity(packed, md5):
        raise ValueError(f"{packed} is damaged (its checksum is not {md5}): delete it and fetch it again")
    try:
        with tempfile.TemporaryDirectory(dir=packed.parent, prefix=".unpack-") as spare:
            extract_archive(str(packed), spare)
            os.replace(Path(spare) / plain.name, plain)
    except OSError as error:
        raise ValueError(f"{packed} could not be unpacked ({error}); its folder must be writable") from error
