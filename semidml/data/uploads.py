"""Data sets that a visitor brings: received whole or not at all, checked, swept."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import BinaryIO

from semidml.data import DATASETS, store
from semidml.data.store import Available, Place
from semidml.disk import files

MAX_UPLOAD = 50 << 20


def save_upload(name: str, file: bytes | BinaryIO, filename: str, folder: Path | None = None) -> Available:
    """Keep a visitor's data set, an .npz file in MedMNIST's layout or a .zip of class folders, under `name`. What it
    is, its content decides; `filename` serves the messages. It is read completely before it gets its name; of a .zip
    the images, all of one size by then, are kept as one .npz.
    Raises: ValueError that says what is wrong, and then leaves nothing behind."""
    from semidml.data import image_files, images, npz

    name = name.strip()
    uploads = (Path(folder) if folder else store.data_folder()) / "uploads"
    _check_free(name, uploads)
    uploads.mkdir(parents=True, exist_ok=True)
    files.sweep(uploads.glob(".*ing-*"))
    with tempfile.TemporaryDirectory(dir=uploads, prefix=".incoming-") as spare:
        came = Path(spare) / "came"
        brought = file if isinstance(file, bytes) else file.read(MAX_UPLOAD + 1)
        if len(brought) > MAX_UPLOAD:
            raise ValueError(f"the file is larger than {MAX_UPLOAD >> 20} MB; use fewer or smaller images")
        came.write_bytes(brought)
        try:
            if store.is_npz(came):
                npz.read(came, name, name)
            else:
                with image_files.list_images(came) as items:
                    content = images.in_memory(images.survey(items, most_pixels=images.MAX_ARCHIVE_PIXELS))
                npz.assemble(name, name, *content)
                came = came.with_name("kept")
                with came.open("wb") as kept:
                    npz.write(kept, *content)
        except ValueError as error:
            raise ValueError(f"{filename}: {error}") from error
        _check_free(name, uploads)
        came.chmod(0o644)
        place = uploads / f"{name}.npz"
        os.replace(came, place)
    return store.uploaded(name, place)


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


def _check_free(name: str, uploads: Path) -> None:
    """Raises ValueError unless a new upload may be called `name`."""
    if not store.NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} cannot be the name of a data set: {store.NAME_RULE}")
    taken = {n.lower() for n in (*DATASETS, *store.uploads(uploads.parent))}
    if name.lower() in taken or (uploads / f"{name}.npz").is_symlink() or (uploads / name).is_symlink():
        raise ValueError(f"there is a data set called {name} already; choose another name, or delete that upload first")
