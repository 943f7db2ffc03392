"""Data sets that a visitor brings: received whole or not at all, checked, swept."""

from __future__ import annotations

import io
import os
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from semidml import memory
from semidml.data import DATASETS, quota, store
from semidml.data.choices import Choices, keep_choices
from semidml.data.store import Available, Place
from semidml.disk import files

MAX_UPLOAD = 50 << 20
TOO_LARGE = f"the file is larger than {MAX_UPLOAD >> 20} MB; use fewer or smaller images"
CHUNK = 1 << 20  # bytes that are received at a time


def save_upload(
    name: str, file: bytes | BinaryIO, filename: str, folder: Path | None = None, choices: Choices | None = None
) -> Available:
    """Keep a visitor's data set, a file in any format that `reading` knows, under `name`. What it is, its content
    decides and, where that has no mark of its own (a table, IDX), `filename`. It is read completely before it gets its
    name; what is not in MedMNIST's layout is kept in it, as it was read, and what was chosen lies beside it as JSON.
    Raises: ValueError that says what is wrong, or that there is no room for it, and then leaves nothing behind."""
    from semidml.data import npz

    name, choices = name.strip(), choices or Choices()
    folder = Path(folder) if folder else store.data_folder()
    uploads = folder / "uploads"
    _check_free(name, uploads)
    uploads.mkdir(parents=True, exist_ok=True)
    files.sweep(uploads.glob(".*ing-*"))
    size = len(file) if isinstance(file, bytes) else getattr(file, "size", 0)
    if size > MAX_UPLOAD:
        raise ValueError(TOO_LARGE)
    with tempfile.TemporaryDirectory(dir=uploads, prefix=".incoming-") as spare:
        came = Path(spare) / "file" / (re.sub(r"[^\w.-]", "_", Path(filename).name)[-80:] or "came")
        came.parent.mkdir()
        _reserve(folder, came, size, filename)
        _receive(io.BytesIO(file) if isinstance(file, bytes) else file, came)
        try:
            if choices or not store.is_plain(came):
                came = _pack(came, Path(spare), folder, filename, choices)
            npz.check(came)
        except ValueError as error:
            raise ValueError(f"{filename}: {error}") from error
        _check_free(name, uploads)
        came.chmod(0o644)
        place = uploads / f"{name}.npz"
        keep_choices(uploads / f"{name}.semidml.json", choices)
        os.replace(came, place)
    return store.uploaded(name, place)


def _reserve(folder: Path, place: Path, size: int, filename: str) -> None:
    """A file of so many bytes, which counts from now on.
    Raises: ValueError when there is no room for it."""
    with quota.one_at_a_time(folder):
        quota.make_room(folder, size, filename)
        with place.open("wb") as file:
            file.truncate(size)


def _receive(file: BinaryIO, place: Path) -> None:
    """Copy what a visitor sends into a file that is there.
    Raises: ValueError when it is more than may be."""
    received = 0
    with place.open("wb") as target:
        while piece := file.read(CHUNK):
            received += len(piece)
            if received > MAX_UPLOAD:
                raise ValueError(TOO_LARGE)
            target.write(piece)


def _pack(came: Path, spare: Path, folder: Path, filename: str, choices: Choices) -> Path:
    """An .npz in `spare` of what came in another format, read as is chosen; image files are decoded one by one onto the
    disk.
    Raises: ValueError in words."""
    from semidml.data import images, npz, reading

    with reading.open_reading(came, choices) as content, ExitStack() as opened:
        packed, known = spare / "packed", content.arrays
        if known:
            size, splits, shape = known.bytes, tuple(known.splits), tuple(known.splits["train"].images.shape[1:])
        else:
            plan = images.plan(content, choices, None, images.MAX_ARCHIVE_PIXELS)
            images.check_bytes(plan, npz.MAX_BYTES)
            size, splits, shape = plan.bytes, plan.splits, plan.shape
        _reserve(folder, packed, 2 * size, filename)  # the pixels, and the file that they are put into
        places = {split: spare / f"{split} pixels" for split in splits}
        pixel_files = {split: opened.enter_context(place.open("wb")) for split, place in places.items()}

        def place(split: str, row: int, pixels: np.ndarray) -> None:
            pixel_files[split].write(pixels.transpose(1, 2, 0).tobytes())

        if known:
            labels, names, notes = {split: part.labels for split, part in known.splits.items()}, *known[1:3]
            for split, part in known.splits.items():
                for row, pixels in enumerate(part.images.numpy()):
                    place(split, row, pixels)
        else:
            (labels, notes), names = images.decode_splits(plan, place), plan.class_names
        opened.close()
        with packed.open("wb") as file:
            npz.write(file, places, shape, labels, names, notes)
    return packed


def delete_upload(name: str, folder: Path | None = None) -> None:
    """Remove an upload, and its decoded images.
    Raises: ValueError when there is none of that name."""
    folder = Path(folder) if folder else store.data_folder()
    uploads = folder / "uploads"
    place = store.upload(name, uploads)
    if place is None:
        known = ", ".join(store.uploads(folder)) or "none"
        raise ValueError(f"there is no upload called {name[:80]!r}; there are {known}")
    with tempfile.TemporaryDirectory(dir=uploads, prefix=".outgoing-") as spare:
        (uploads / f"{name}.semidml.json").unlink(missing_ok=True)
        os.replace(place, Path(spare) / "gone")  # gone for readers at once, though a folder takes a while
    if (folder / "decoded").is_dir():
        from semidml.data import decoded

        decoded.remove(folder, Place(place, True).decoded_of)
    with store.lock:
        for key in [key for key in store.kept if key[0] == name]:
            del store.kept[key]
            memory.forget(("data", key))


def _check_free(name: str, uploads: Path) -> None:
    """Raises ValueError unless a new upload may be called `name`."""
    if not store.NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} cannot be the name of a data set: {store.NAME_RULE}")
    taken = {n.lower() for n in (*DATASETS, *store.uploads(uploads.parent))}
    if name.lower() in taken or (uploads / f"{name}.npz").is_symlink() or (uploads / name).is_symlink():
        raise ValueError(f"there is a data set called {name} already; choose another name, or delete that upload first")
