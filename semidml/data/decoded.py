"""Large sets of image files: decoded once, image by image, into one memory-mapped file, and read from there.

The file has the rows that a split takes side by side, for the data set's own splits and for `Dataset.by_classes`, so
that every split is a view of it and nothing is loaded whole. With A, B the training and test rows of the first half of
the classes, a, b those of its last classes (`splits.last_classes`), and D, C those of the second half, it reads
b B A a D C B b: b B A a | D C are the halves, A a D is training, C B b is test, and B A trains where settings are
chosen on new classes. Validation rows lie beside the test rows, and once more at the end. Rows without a label, of
which training is the half that may learn from them, lie before all others and, those of training, before A.
"""

import math
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from semidml.data import image_files, images, npz, splits
from semidml.data.dataset import HELD_OUT_NOTE, Dataset, Split, first_half, held_rows
from semidml.data.images import Damaged, Plan
from semidml.data.layout import Item
from semidml.disk import files
from semidml.disk.locks import alone
from semidml.tasks import Progress

LARGE = 512 << 20  # bytes of pixels from which they are kept in a file
MAX_BYTES = 64 << 30  # of pixels in a file
SPARE_BYTES = 256 << 20  # that stay free on the disk
CHUNK = 1 << 24
TOLD = 100  # images between two words on the progress
LAYOUT = "1"  # another number when files of older versions are to be made anew
# Of the file, each a part of the classes ("no" of them for rows without a label) and a split; some follow once more.
SECTIONS = ["no val", "no test", "last val", "last test", "first val", "first test", "no train", "first train"]
SECTIONS += ["last train", "second train", "second val", "second test"]
AGAIN = ["first test", "last test", "no test", "first val", "last val", "second val", "no val"]

Sections = dict[str, list[Item]]


class Place(NamedTuple):
    """Where the decoded images of a data set lie: a file for what they are of (a path, a side), in one state."""

    folder: Path  # the data folder
    of: str
    state: str

    @property
    def pixels(self) -> Path:
        return self.folder / "decoded" / f"{_digest(self.of)}-{_digest(self.state)}.npy"

    @property
    def rest(self) -> Path:
        """Labels, names, notes and where the splits begin and end."""
        return self.pixels.with_suffix(".npz")

    def is_there(self) -> bool:
        return self.pixels.is_file() and self.rest.is_file()


def state_of(path: Path) -> str:
    """Changes when a file, or one below a folder, does; of a link, the link itself. Clutter does not count.
    Raises: ValueError in words where the system cannot say."""
    try:
        if not path.is_dir():
            return str(_times(path))
        return str([(str(file.relative_to(path)), *_times(file)) for file in _files(path)])
    except OSError as error:
        raise ValueError(
            f"{error.filename or path} could not be looked at ({error.strerror}); if its files were changing, try again"
        ) from error


def keep(plan: Plan, place: Place, title: str, most: int, progress: Progress) -> None:
    """Decode the images of a plan into their file, whole or not at all; if another is at it, wait for its file.
    Raises: ValueError when there are too many, the disk has no room for them, or too few can be read."""
    images.check_bytes(plan, most)
    folder, lock = place.pixels.parent, place.pixels.with_name(f".{place.pixels.stem}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(lock, lambda: progress(0.0, f"{title}: its images are being decoded by another already")):
            if not place.is_there():
                files.sweep(folder.glob(".*.part"))
                _keep(plan, place, title, progress)
    except OSError as error:
        raise ValueError(
            f"the decoded images of {title} could not be written to {folder} ({error}); name another data folder in "
            "SEMIDML_DATA"
        ) from error


def _keep(plan: Plan, place: Place, title: str, progress: Progress) -> None:
    held_out = all(item.split != "test" for item in plan.readable)
    sections = _sections(plan, _held_out(plan) if held_out else plan.readable)
    rows = sum(len(sections[key]) for key in (*SECTIONS, *AGAIN))
    _check_room(place.pixels.parent, rows * math.prod(plan.shape), title)
    with files.whole_file(place.pixels) as file:
        kept, damaged = _write(file, plan, sections, rows, title, progress)
        images.check_left(plan.items, [item for items in kept.values() for item in items], damaged)
        with files.whole_file(place.rest) as beside:
            np.savez(beside, **_rest(plan, kept, damaged, held_out))
    remove(place.folder, place.of, but=place)


def remove(folder: Path, of: str, but: Place | None = None) -> None:
    """Remove the decoded images of what is no more, in all its states but one. Whoever reads them can go on."""
    for old in (folder / "decoded").glob(f"{_digest(of)}-*"):
        if but is None or old.stem != but.pixels.stem:
            old.unlink(missing_ok=True)


def read(place: Place, name: str, title: str) -> Dataset:
    """The data set in the file of decoded images; its splits are views of the memory-mapped file."""
    with np.load(place.rest) as rest:
        labels = torch.from_numpy(rest["labels"])
        spans = {key: slice(*rest[key].tolist()) for key in ("train", "test", "val", "first", "second")}
        class_names, notes = (tuple(str(text) for text in rest[key]) for key in ("class_names", "notes"))
    pixels = _mapped(place.pixels)
    cut = {key: Split(pixels[rows], labels[rows]) for key, rows in spans.items()}
    npz.check_classes(cut["train"].labels)
    validation = cut["val"] if len(cut["val"].labels) else None
    halves = cut["first"], cut["second"]
    return Dataset(name, title, cut["train"], cut["test"], validation, class_names, notes, halves=halves)


# ---- the layout


def _held_out(plan: Plan) -> list[Item]:
    """The readable items, of which some training ones become test ones."""
    train = [item for item in plan.readable if item.split == "train"]
    labels = plan.labels(train)
    npz.check_classes(labels)
    held = held_rows(labels).tolist()
    parted = [item._replace(split="test") if out else item for item, out in zip(train, held, strict=True)]
    return parted + [item for item in plan.readable if item.split != "train"]


def _sections(plan: Plan, items: list[Item]) -> Sections:
    """The items of each section, class after class."""
    first = [plan.class_names[c] for c in first_half(plan.labels(items)).tolist()]
    held = splits.last_classes(len(first))
    part_of = dict.fromkeys(first, "first") | dict.fromkeys(first[-held:] if held < len(first) else (), "last")
    sections: Sections = {key: [] for key in SECTIONS}
    number = {name: c for c, name in enumerate(plan.class_names)}
    for item in sorted(items, key=lambda item: number.get(item.class_name, -1)):
        part = "no" if item.class_name is None else part_of.get(item.class_name, "second")
        sections[f"{part} {item.split}"].append(item)
    return sections


def _rest(plan: Plan, kept: Sections, damaged: Sequence[Damaged], held_out: bool) -> dict[str, np.ndarray]:
    """What lies beside the pixels: see `Place.rest`."""
    ends = dict(zip(SECTIONS, np.cumsum([len(kept[key]) for key in SECTIONS]).tolist(), strict=True))
    total = ends["second test"]
    test_end = total + sum(len(kept[f"{part} test"]) for part in ("first", "last", "no"))
    labels = plan.labels([item for key in (*SECTIONS, *AGAIN) for item in kept[key]]).numpy()
    notes = (*plan.all_notes(damaged), *((HELD_OUT_NOTE,) if held_out else ()))
    return {
        "labels": labels,
        "class_names": np.array(plan.class_names, dtype=str),
        "notes": np.array(notes, dtype=str),
        "train": np.array((ends["first test"], ends["second train"])),
        "test": np.array((ends["second val"], test_end)),
        "val": np.array((test_end, len(labels))),
        "first": np.array((0, ends["last train"])),
        "second": np.array((ends["last train"], total)),
    }


# ---- the file


def _mapped(path: Path) -> Tensor:
    """The array of a file, memory-mapped: what is written to it stays in memory. Linux maps a file that is larger than
    the memory for reading only; nobody may write to that."""
    try:
        pixels = np.load(path, mmap_mode="c")
    except OSError:
        pixels = np.load(path, mmap_mode="r")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(pixels)


def _write(
    file: BinaryIO, plan: Plan, sections: Sections, rows: int, title: str, progress: Progress
) -> tuple[Sections, list[Damaged]]:
    """Write the rows of all sections; (the items that could be read, what is wrong with the others)."""
    kept: Sections = {key: [] for key in SECTIONS}
    damaged = list(plan.damaged)
    start = _header(file, (rows, *plan.shape))
    size, begins, done = math.prod(plan.shape), {}, 0
    for key, items in sections.items():
        begins[key] = file.tell()
        for item, pixels in images.decoded(plan, items):
            done += 1
            if done % TOLD == 0:
                progress(done / len(plan.readable), f"{title}: {done:,} of {len(plan.readable):,} images decoded")
            if isinstance(pixels, Damaged):
                damaged.append(pixels)
            else:
                file.write(pixels.tobytes())
                kept[key].append(item)
    for key in AGAIN:
        _repeat(file, begins[key], len(kept[key]) * size)
    written = (file.tell() - start) // size
    if _header(file, (written, *plan.shape)) != start:
        raise AssertionError("numpy keeps room in a header for any number of rows")
    return kept, damaged


def _header(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Begin the file with the header of a uint8 array; its size in bytes."""
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _repeat(file: BinaryIO, begin: int, size: int) -> None:
    """Append bytes of the file itself."""
    end = file.seek(0, os.SEEK_END)
    for done in range(0, size, CHUNK):
        file.seek(begin + done)
        piece = file.read(min(CHUNK, size - done))
        file.seek(end + done)
        file.write(piece)


def _check_room(folder: Path, size: int, title: str) -> None:
    """Raises ValueError unless the disk has room for `size` bytes."""
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise ValueError(
            f"the decoded images of {title} take {size / 2**30:.2f} GiB in {folder}, which has "
            f"{free / 2**30:.2f} GiB free; make room, or name another data folder in SEMIDML_DATA"
        )


def _digest(text: str) -> str:
    return sha256(f"{LAYOUT} {text}".encode()).hexdigest()[:16]


def _files(top: Path) -> Iterator[Path]:
    """Every file below a folder, folder by folder, but for clutter."""

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(top, onerror=fail):
        folders[:] = sorted(name for name in folders if not image_files.is_clutter(name))
        yield from (Path(folder) / name for name in sorted(names) if not image_files.is_clutter(name))


def _times(path: Path) -> tuple[int, int]:
    known = path.lstat()
    return known.st_mtime_ns, known.st_size
