"""Data sets that a visitor brings: received whole or not at all, checked, swept."""

from __future__ import annotations

import io
import math
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from semidml import memory
from semidml.data import DATASETS, quota, store
from semidml.data.choices import Choices, keep_choices
from semidml.data.store import Available, Place
from semidml.disk import files, locks
from semidml.tasks import Progress

if TYPE_CHECKING:
    import numpy as np

MAX_UPLOAD = 50 << 20
TOO_LARGE = f"the file is larger than {MAX_UPLOAD >> 20} MB; use fewer or smaller images"
HELD = "held"  # the lock of what was received
CHUNK = 1 << 20  # bytes that are received at a time


class Incoming:
    """A visitor's file, in a hidden folder beside the uploads until it is added or removed. It counts in the quota, is
    held by this process as long as that lives, and goes when nobody has touched it for an hour and room is asked for.

    path: the file; filename: what its visitor calls it; folder: the data folder."""

    def __init__(self, file: BinaryIO, size: int, filename: str, folder: Path):
        """Receive a file of `size` bytes.
        Raises: ValueError when it is larger than may be, or there is no room; then nothing is left."""
        uploads = folder / "uploads"
        uploads.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        if size > MAX_UPLOAD:
            raise ValueError(TOO_LARGE)
        self.folder, self.filename = folder, filename
        self._spare = Path(tempfile.mkdtemp(dir=uploads, prefix=".incoming-"))
        self._held: int | None = None
        self.path = self._spare / "file" / (re.sub(r"[^\w.-]", "_", Path(filename).name)[-80:] or "came")
        try:
            self._held = locks.take(self._spare / HELD, lambda: None)
            self.path.parent.mkdir()
            _reserve(folder, {self.path: size}, filename)
            _receive(file, self.path, size)
        except BaseException:
            self.remove()
            raise

    def is_here(self) -> bool:
        """Whether the file is there still; if so it counts as used now."""
        if self.path.is_file():
            os.utime(self._spare)
        return self.path.is_file()

    def add(
        self,
        name: str,
        choices: Choices | None = None,
        progress: Progress = lambda fraction, text: None,
    ) -> Available:
        """Keep it as the data set `name`, read as is chosen. It is read completely before it gets its name; what is not
        in MedMNIST's layout is kept in it, as it was read, and what was chosen lies beside it as JSON.
        Raises: ValueError that says what is wrong, or that there is no room for it; then it stays as it was."""
        from semidml.data import npz

        uploads, choices = self.folder / "uploads", choices or Choices()
        place = uploads / f"{name}.npz"
        _check_free(name, uploads)
        with tempfile.TemporaryDirectory(dir=self._spare) as spare:
            came = self.path
            try:
                if choices or not store.is_plain(came):
                    came = _pack(came, Path(spare), self.folder, self.filename, choices, progress)
                npz.check(came)
            except ValueError as error:
                raise ValueError(f"{self.filename}: {error}") from error
            came.chmod(0o644)
            with quota.one_at_a_time(self.folder):  # whoever counts meanwhile would see it at neither place
                _check_free(name, uploads)
                keep_choices(choices_of(name, self.folder), choices)
                os.replace(came, place)
        self.remove()
        return store.uploaded(name, place)

    def remove(self) -> None:
        """Leave nothing of it but what was added."""
        shutil.rmtree(self._spare, ignore_errors=True)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def save_upload(
    name: str, file: bytes | BinaryIO, filename: str, folder: Path | None = None, choices: Choices | None = None
) -> Available:
    """Keep a visitor's data set, a file in any format that `reading` knows, under `name`. What it is, its content
    decides and, where that has no mark of its own (a table, IDX), `filename`. See `Incoming.add`.
    Raises: ValueError that says what is wrong, or that there is no room for it, and then leaves nothing behind."""
    name, folder = name.strip(), Path(folder) if folder else store.data_folder()
    _check_free(name, folder / "uploads")
    incoming = receive(file, filename, folder)
    try:
        return incoming.add(name, choices)
    finally:
        incoming.remove()


def receive(file: bytes | BinaryIO, filename: str, folder: Path | None = None) -> Incoming:
    """A visitor's file on the disk: see `Incoming`."""
    opened = io.BytesIO(file) if isinstance(file, bytes) else file
    return Incoming(opened, _size_of(opened), filename, Path(folder) if folder else store.data_folder())


def _size_of(file: BinaryIO) -> int:
    """Bytes that a file will bring, as it says or as its end tells; the most that may come where nothing does."""
    if (size := getattr(file, "size", None)) is not None:
        return size
    if not file.seekable():
        return MAX_UPLOAD
    here = file.tell()
    size = file.seek(0, os.SEEK_END) - here
    file.seek(here)
    return size


def sweep(folder: Path) -> None:
    """Remove what processes that are gone have received or were deleting, and what nobody has touched for an hour."""
    uploads = folder / "uploads"
    files.sweep((spare for spare in uploads.glob(".incoming-*") if locks.is_left(spare / HELD)), seconds=0)
    files.sweep(uploads.glob(".*ing-*"))


def choices_of(name: str, folder: Path | None = None) -> Path:
    """Where it lies what was chosen when an upload was added, if anything was."""
    return (Path(folder) if folder else store.data_folder()) / "uploads" / f"{name}.semidml.json"


def name_for(filename: str, folder: Path | None = None) -> str:
    """A free name for a data set that comes in a file of that name."""
    folder = Path(folder) if folder else store.data_folder()
    stem = re.sub(r"(\.(tar|gz|tgz|zip|npz|npy|csv|tsv|parquet|mat))+$", "", Path(filename).name, flags=re.IGNORECASE)
    stem = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9 _.-]", "", stem)[:48].strip() or "my-images"
    taken = _taken(folder / "uploads")
    return next(name for n in count(1) if (name := stem if n == 1 else f"{stem}-{n}").lower() not in taken)


def _reserve(folder: Path, sizes: Mapping[Path, int], filename: str) -> None:
    """Files of so many bytes, which count from now on. Who writes to them opens them with `_reserved`.
    Raises: ValueError when there is no room for them."""
    with quota.one_at_a_time(folder):
        quota.make_room(folder, sum(sizes.values()), filename)
        for place, size in sizes.items():
            with place.open("wb") as file:
                file.truncate(size)


@contextmanager
def _reserved(place: Path) -> Iterator[BinaryIO]:
    """A reserved file, open to be written from its begin on: it keeps its size until all is written, and ends there."""
    with place.open("r+b") as file:
        yield file
        file.truncate(file.tell())


def _receive(file: BinaryIO, place: Path, size: int) -> None:
    """Copy what a visitor sends into a file that is reserved for it.
    Raises: ValueError when it is more than may be, or than it said."""
    received = 0
    with _reserved(place) as target:
        while piece := file.read(CHUNK):
            received += len(piece)
            if received > MAX_UPLOAD:
                raise ValueError(TOO_LARGE)
            if received > size:
                raise ValueError(f"the file is larger than the {size:,} bytes that were announced; send it again")
            target.write(piece)


def _pack(came: Path, spare: Path, folder: Path, filename: str, choices: Choices, progress: Progress) -> Path:
    """An .npz in `spare` of what came in another format, read as is chosen; image files are decoded one by one onto the
    disk.
    Raises: ValueError in words."""
    from semidml.data import images, npz, reading

    with reading.open_reading(came, choices) as content, ExitStack() as opened:
        packed, known = spare / "packed", content.arrays
        if known:
            rows, shape = (
                {s: len(part.labels) for s, part in known.splits.items()},
                known.splits["train"].images.shape[1:],
            )
        else:
            plan = images.plan(content, choices, None, images.MAX_ARCHIVE_PIXELS, progress)
            images.check_bytes(plan, npz.MAX_BYTES)
            counted = Counter(item.split for item in plan.readable)
            rows, shape = {split: counted[split] for split in plan.splits}, plan.shape
        places = {split: spare / f"{split} pixels" for split in rows}
        sizes = {places[split]: count * math.prod(shape) for split, count in rows.items()}
        _reserve(folder, {**sizes, packed: sum(sizes.values())}, filename)
        pixel_files = {split: opened.enter_context(_reserved(place)) for split, place in places.items()}

        def place(split: str, row: int, pixels: np.ndarray) -> None:
            pixel_files[split].write(pixels.transpose(1, 2, 0).tobytes())

        if known:
            labels, names, notes = {split: part.labels for split, part in known.splits.items()}, *known[1:3]
            for split, part in known.splits.items():
                for row, pixels in enumerate(part.images.numpy()):
                    place(split, row, pixels)
        else:
            (labels, notes), names = images.decode_splits(plan, place, progress), plan.class_names
        opened.close()
        with _reserved(packed) as file:
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
        choices_of(name, folder).unlink(missing_ok=True)
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
    if name.lower() in _taken(uploads) or (uploads / f"{name}.npz").is_symlink() or (uploads / name).is_symlink():
        raise ValueError(f"there is a data set called {name} already; choose another name, or delete that upload first")


def _taken(uploads: Path) -> set[str]:
    """The names that data sets have, in small letters."""
    return {name.lower() for name in (*DATASETS, *store.uploads(uploads.parent))}
