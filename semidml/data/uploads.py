"""Data sets that a visitor brings: received whole or not at all, checked, swept."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import numpy as np

from semidml import memory
from semidml.data import DATASETS, quota, store
from semidml.data.store import Available, Place
from semidml.disk import files

MAX_UPLOAD = 50 << 20
TOO_LARGE = f"the file is larger than {MAX_UPLOAD >> 20} MB; use fewer or smaller images"
CHUNK = 1 << 20  # bytes that are received at a time


def save_upload(name: str, file: bytes | BinaryIO, filename: str, folder: Path | None = None) -> Available:
    """Keep a visitor's data set, an .npz file in MedMNIST's layout or a .zip of class folders, under `name`. What it
    is, its content decides; `filename` serves the messages. It is read completely before it gets its name; of a .zip
    the images, all of one size by then, are kept as one .npz.
    Raises: ValueError that says what is wrong, or that there is no room for it, and then leaves nothing behind."""
    from semidml.data import npz

    name = name.strip()
    folder = Path(folder) if folder else store.data_folder()
    uploads = folder / "uploads"
    _check_free(name, uploads)
    uploads.mkdir(parents=True, exist_ok=True)
    files.sweep(uploads.glob(".*ing-*"))
    size = len(file) if isinstance(file, bytes) else getattr(file, "size", 0)
    if size > MAX_UPLOAD:
        raise ValueError(TOO_LARGE)
    with tempfile.TemporaryDirectory(dir=uploads, prefix=".incoming-") as spare:
        came = Path(spare) / "came"
        _reserve(folder, came, size, filename)
        _receive(io.BytesIO(file) if isinstance(file, bytes) else file, came)
        try:
            if not store.is_npz(came):
                came = _pack_images(came, folder, filename)
            npz.check(came)
        except ValueError as error:
            raise ValueError(f"{filename}: {error}") from error
        _check_free(name, uploads)
        came.chmod(0o644)
        place = uploads / f"{name}.npz"
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


def _pack_images(archive: Path, folder: Path, filename: str) -> Path:
    """An .npz, beside a .zip of class folders, of its images, which are decoded one by one onto the disk.
    Raises: ValueError in words."""
    from semidml.data import image_files, images, npz

    with image_files.list_images(archive) as items, ExitStack() as opened:
        plan = images.survey(items, most_pixels=images.MAX_ARCHIVE_PIXELS)
        images.check_bytes(plan, npz.MAX_BYTES)
        packed = archive.with_name("packed")
        _reserve(folder, packed, 2 * plan.bytes, filename)  # the pixels, and the file that they are put into
        places = {split: archive.with_name(f"{split} pixels") for split in plan.splits}
        pixel_files = {split: opened.enter_context(place.open("wb")) for split, place in places.items()}

        def place(split: str, row: int, pixels: np.ndarray) -> None:
            pixel_files[split].write(pixels.transpose(1, 2, 0).tobytes())

        labels, notes = images.decode_splits(plan, place)
        opened.close()
        with packed.open("wb") as file:
            npz.write(file, places, plan.shape, labels, plan.class_names, notes)
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
