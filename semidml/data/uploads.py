"""Data sets that a visitor brings: received whole or not at all, checked, swept."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import BinaryIO

from semidml.data import DATASETS, store
from semidml.data.choices import Choices, keep_choices
from semidml.data.store import Available, Place
from semidml.disk import files

MAX_UPLOAD = 50 << 20


def save_upload(
    name: str, file: bytes | BinaryIO, filename: str, folder: Path | None = None, choices: Choices | None = None
) -> Available:
    """Keep a visitor's data set, a file in any format that `reading` knows, under `name`. What it is, its content
    decides and, where that has no mark of its own (a table, IDX), `filename`. It is read completely before it gets its
    name; what is not in MedMNIST's layout is kept in it, as it was read, and what was chosen lies beside it as JSON.
    Raises: ValueError that says what is wrong, and then leaves nothing behind."""
    from semidml.data import images, npz, reading

    name, choices = name.strip(), choices or Choices()
    uploads = (Path(folder) if folder else store.data_folder()) / "uploads"
    _check_free(name, uploads)
    uploads.mkdir(parents=True, exist_ok=True)
    files.sweep(uploads.glob(".*ing-*"))
    with tempfile.TemporaryDirectory(dir=uploads, prefix=".incoming-") as spare:
        came = Path(spare) / "file" / (re.sub(r"[^\w.-]", "_", Path(filename).name)[-80:] or "came")
        came.parent.mkdir()
        brought = file if isinstance(file, bytes) else file.read(MAX_UPLOAD + 1)
        if len(brought) > MAX_UPLOAD:
            raise ValueError(f"the file is larger than {MAX_UPLOAD >> 20} MB; use fewer or smaller images")
        came.write_bytes(brought)
        try:
            if not choices and store.is_plain(came):
                npz.read(came, name, name)
            else:
                with reading.open_reading(came, choices) as found:
                    if found.arrays:
                        content = found.arrays[:3]
                    else:
                        content = images.in_memory(images.plan(found, choices, None, images.MAX_ARCHIVE_PIXELS))
                npz.assemble(name, name, *content)
                came = Path(spare) / "kept"
                with came.open("wb") as kept:
                    npz.write(kept, *content)
        except ValueError as error:
            raise ValueError(f"{filename}: {error}") from error
        _check_free(name, uploads)
        came.chmod(0o644)
        place = uploads / f"{name}.npz"
        keep_choices(uploads / f"{name}.semidml.json", choices)
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
        (uploads / f"{name}.semidml.json").unlink(missing_ok=True)
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
