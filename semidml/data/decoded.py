"""Large sets of image files: decoded once, image by image, into one memory-mapped file, and read from there.

Every split is a view of that file (see `sections`), and nothing is loaded whole.
"""

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from semidml import memory
from semidml.data import images, npz, quota
from semidml.data.dataset import Dataset, Split, held_note, held_rows
from semidml.data.fingerprint import PixelDigest, digest_files
from semidml.data.images import Damaged, Plan
from semidml.data.sections import AGAIN, SECTIONS, Sections, describe_rows, hold_out, part_rows
from semidml.data.values import BLACK_OR_WHITE
from semidml.disk import files
from semidml.disk.locks import alone
from semidml.tasks import Progress

LARGE = 512 << 20  # bytes of pixels from which they are kept in a file
MAX_BYTES = 64 << 30  # of pixels in a file
CHUNK = 1 << 24
LAYOUT = "1"  # another number when files of older versions are to be made anew


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


def most_in_memory() -> int:
    """Bytes of pixels of a data set up to which they are kept in memory: LARGE, or less where memory is scarce."""
    return min(LARGE, memory.budget_bytes() // 4)


def keep(plan: Plan, place: Place, title: str, most: int, progress: Progress) -> None:
    """Decode the images of a plan into their file, whole or not at all; if another is at it, wait for its file.
    Raises: ValueError when there are too many, the disk has no room for them, or too few can be read."""
    images.check_bytes(plan, most)
    _make(place, title, progress, lambda: _keep(plan, place, title, progress))


def keep_arrays(
    path: Path, place: Place, title: str, most: int, progress: Progress, single: npz.Single | None = None
) -> None:
    """Unpack the images of an .npz file into their file, as `keep` does those of a plan, in the file's own order:
    training rows, test rows, validation rows. `single` makes one label of a row of several.
    Raises: ValueError when something is wrong with the file, it has more than `most` bytes of pixels, or the disk has
    no room."""
    _make(place, title, progress, lambda: _keep_arrays(path, place, title, most, progress, single))


def take_in(
    make_plan: Callable[[], Plan], place: Place, title: str, most: int, progress: Progress
) -> images.Read | None:
    """Plan and decode many image files, once: if another is at it, wait for what it keeps. The images, if they are few
    enough for the memory: they are kept whole as well, or it is said in their notes why not. None if they lie in their
    file.
    Raises: ValueError as `keep` does, and in words of the plan."""
    with _alone(place, title, progress) as trouble:
        if place.is_there():
            return None
        plan = make_plan()
        images.check_bytes(plan, most)
        if plan.bytes <= most_in_memory():
            memory.check_free(plan.bytes, f"decoding {title}")
            read = images.in_memory(plan, progress, f"{title}: ")._replace(files=digest_files(*plan.digested))
            trouble = trouble or _keep_whole(read, place, title)
            said = (f"Its decoded images are not kept, and every start decodes them: {trouble}.",) if trouble else ()
            return read._replace(notes=(*read.notes, *said))
        if trouble:
            raise ValueError(trouble)
        _in_words(place, title, lambda: _keep(plan, place, title, progress))
    return None


@contextmanager
def _alone(place: Place, title: str, progress: Progress) -> Iterator[str]:
    """Holds the lock of a place; gives why it cannot be written to, in words, or ""."""
    folder, lock = place.pixels.parent, place.pixels.with_name(f".{place.pixels.stem}.lock")
    with ExitStack() as opened:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            opened.enter_context(
                alone(lock, lambda: progress(0.0, f"{title}: its images are being decoded by another already"))
            )
            files.sweep(folder.glob(".*.part"))
            trouble = ""
        except OSError as error:
            trouble = _unwritable(place, title, error)
        yield trouble


def _unwritable(place: Place, title: str, error: OSError) -> str:
    return (
        f"the decoded images of {title} could not be written to {place.pixels.parent} ({error}); name another data "
        "folder in SEMIDML_DATA"
    )


def _make(place: Place, title: str, progress: Progress, write: Callable[[], None]) -> None:
    with _alone(place, title, progress) as trouble:
        if trouble:
            raise ValueError(trouble)
        if not place.is_there():
            _in_words(place, title, write)


def _in_words(place: Place, title: str, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as error:
        raise ValueError(_unwritable(place, title, error)) from error


def _keep_whole(read: images.Read, place: Place, title: str) -> str:
    """Write images that are in memory, split after split; why that could not be, in words, or ""."""

    def write() -> None:
        parts = list(read.splits.values())
        rows, shape = sum(len(part.labels) for part in parts), parts[0].images.shape[1:]
        with new_pixels(place, rows * math.prod(shape), title) as file:
            _header(file, (rows, *shape))
            for part in parts:
                file.write(part.images.numpy().data)
            with files.whole_file(place.rest) as beside:
                np.savez(
                    beside,
                    labels=torch.cat([part.labels for part in parts]).numpy(),
                    class_names=np.array(read.class_names, dtype=str),
                    notes=np.array(read.notes, dtype=str),
                    splits=np.array(list(read.splits), dtype=str),
                    rows=np.array([len(part.labels) for part in parts]),
                    files=np.array(read.files),
                )
        remove(place.folder, place.of, but=place)

    try:
        _in_words(place, title, write)
    except ValueError as error:
        return str(error)
    return ""


def read_whole(place: Place) -> images.Read | None:
    """Images that were kept whole, in memory; None where a file has those of a set too large for it."""
    with np.load(place.rest) as rest:
        if "splits" not in rest:
            return None
        labels, rows, names = torch.from_numpy(rest["labels"]), rest["rows"].tolist(), rest["splits"].tolist()
        class_names, notes = (tuple(str(text) for text in rest[key]) for key in ("class_names", "notes"))
        of_files = str(rest["files"])
    _note_use(place)
    pixels = torch.from_numpy(np.load(place.pixels))
    cut = zip(names, pixels.split(rows), labels.split(rows), strict=True)
    return images.Read({name: Split(*part) for name, *part in cut}, class_names, notes, of_files)


def _keep(plan: Plan, place: Place, title: str, progress: Progress) -> None:
    held_out = all(item.split != "test" for item in plan.readable)
    sections = part_rows(plan, hold_out(plan) if held_out else plan.readable)
    rows = sum(len(sections[key]) for key in (*SECTIONS, *AGAIN))
    with new_pixels(place, rows * math.prod(plan.shape), title) as file:
        kept, damaged, told = _write(file, plan, sections, rows, title, progress)
        images.check_left(plan.items, [item for items in kept.values() for item in items], damaged)
        with files.whole_file(place.rest) as beside:
            np.savez(
                beside,
                **describe_rows(plan, kept, damaged, held_out, told),
                files=np.array(digest_files(*plan.digested)),
            )
    remove(place.folder, place.of, but=place)


def _keep_arrays(
    path: Path, place: Place, title: str, most: int, progress: Progress, single: npz.Single | None
) -> None:
    with npz.opened(path, single, most) as source:
        labels, total = source.labels, sum(len(y) for y in source.labels.values())
        npz.check_classes(labels["train"])
        held = torch.zeros(len(labels["train"]), dtype=torch.bool) if "test" in labels else held_rows(labels["train"])
        parts = {"train": labels["train"][~held], "test": labels.get("test", labels["train"][held])}
        parts["val"] = labels.get("val", labels["train"][:0])
        ends = dict(zip(parts, np.cumsum([len(y) for y in parts.values()]).tolist(), strict=True))
        rest = {part: np.array((ends[part] - len(y), ends[part])) for part, y in parts.items()}
        factor = _factor(pixels.max() for split in labels for pixels in source.pieces(split, spare=place.pixels.parent))
        told = (BLACK_OR_WHITE,) if factor > 1 else ()
        notes = (*source.notes, *((held_note(parts["test"]),) if held.any() else ()), *told)
        rest |= {
            "labels": torch.cat(list(parts.values())).numpy(),
            "first": np.zeros(2, int),
            "second": np.zeros(2, int),
        }
        rest |= {"class_names": np.array(source.class_names, dtype=str), "notes": np.array(notes, dtype=str)}
        done, digest = 0, PixelDigest()
        with new_pixels(place, total * math.prod(source.shape), title) as file:
            start, size = _header(file, (total, *source.shape)), math.prod(source.shape)
            at = {part: start + size * int(rest[part][0]) for part in parts}  # where a part's next rows go

            def append(part: str, pixels: np.ndarray) -> None:
                file.seek(at[part])
                pixels = np.ascontiguousarray(pixels)
                file.write(pixels.data)
                digest.add("validation" if part == "val" else part, pixels)
                at[part] += pixels.nbytes

            for split in labels:
                row = 0
                for pixels in source.pieces(split, spare=place.pixels.parent):
                    pixels = pixels * factor if factor > 1 else pixels
                    out = held[row : row + len(pixels)].numpy() if split == "train" else np.zeros(len(pixels), bool)
                    append(split, pixels[~out])
                    append("test", pixels[out])
                    row += len(pixels)
                    done += len(pixels)
                    progress(done / total, f"{title}: {done:,} of {total:,} images unpacked")
            with files.whole_file(place.rest) as beside:
                np.savez(beside, **rest, pixels=np.array(digest.hexdigest()))
    remove(place.folder, place.of, but=place)


@contextmanager
def new_pixels(place: Place, size: int, title: str) -> Iterator[BinaryIO]:
    """The file of pixels that is about to be written: from now on it counts with its `size`, for which decoded images
    that nobody has read for longest make room.
    Raises: ValueError when there is no room for it."""
    with ExitStack() as opened:
        with quota.one_at_a_time(place.folder):
            quota.make_room(place.folder, size, f"decoding {title}")
            file = opened.enter_context(files.whole_file(place.pixels))
            file.truncate(size)
        yield file


def remove(folder: Path, of: str, but: Place | None = None) -> None:
    """Remove the decoded images of what is no more, in all its states but one. Whoever reads them can go on."""
    for old in (folder / "decoded").glob(f"{_digest(of)}-*"):
        if but is None or old.stem != but.pixels.stem:
            old.unlink(missing_ok=True)


def _note_use(place: Place) -> None:
    """What was read last goes last: see `quota.make_room`."""
    with suppress(PermissionError):  # somebody else's folder
        os.utime(place.rest)


def read(place: Place, name: str, title: str) -> Dataset:
    """The data set in the file of decoded images; its splits are views of the memory-mapped file."""
    _note_use(place)
    with np.load(place.rest) as rest:
        labels = torch.from_numpy(rest["labels"])
        spans = {key: slice(*rest[key].tolist()) for key in ("train", "test", "val", "first", "second")}
        class_names, notes = (tuple(str(text) for text in rest[key]) for key in ("class_names", "notes"))
        of_files, of_pixels = (str(rest[key]) if key in rest else "" for key in ("files", "pixels"))
    pixels = _mapped(place.pixels)
    cut = {key: Split(pixels[rows], labels[rows]) for key, rows in spans.items()}
    npz.check_classes(cut["train"].labels)
    validation = cut["val"] if len(cut["val"].labels) else None
    halves = (cut["first"], cut["second"]) if len(cut["first"].labels) else None
    known = {"halves": halves, "files": of_files, "told_pixels": of_pixels}
    return Dataset(name, title, cut["train"], cut["test"], validation, class_names, notes, **known)


# ---- the file


def _mapped(path: Path) -> Tensor:
    """The array of a file, memory-mapped: what is written to it stays in memory. Linux maps a file that is larger than
    the memory for reading only; nobody may write to that."""
    try:
        pixels = np.load(path, mmap_mode="c")
    except OSError:
        pixels = np.load(path, mmap_mode="r")
    memory.note_mapped(pixels)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(pixels)


def _write(
    file: BinaryIO, plan: Plan, sections: Sections, rows: int, title: str, progress: Progress
) -> tuple[Sections, list[Damaged], tuple[str, ...]]:
    """Write the rows of all sections; (the items that could be read, what is wrong with the others, notes). They are
    decoded in the order of their files, in which tables are read piece by piece, each into its place."""
    start, size = _header(file, (rows, *plan.shape)), math.prod(plan.shape)
    order = [item for items in sections.values() for item in items]
    file_place = {item.member: place for place, item in enumerate(plan.readable)}
    by_file = sorted(range(len(order)), key=lambda row: file_place[order[row].member])
    wrong: dict[int, Damaged] = {}  # by row
    brightest = 0
    with closing(images.told(plan, [order[row] for row in by_file], f"{title}: ", progress)) as stream:
        for row, (_, pixels) in zip(by_file, stream, strict=True):
            if isinstance(pixels, Damaged):
                wrong[row] = pixels
            else:
                brightest = max(brightest, int(pixels.max()))
                file.seek(start + row * size)
                file.write(pixels.tobytes())
    _close_up(file, start, size, len(order), sorted(wrong))
    if (factor := _factor([brightest])) > 1:
        _multiply(file, start, factor)
    kept: Sections = {key: [] for key in SECTIONS}
    row, begin, begins = 0, start, {}
    for key, items in sections.items():
        kept[key] = [item for place, item in enumerate(items, row) if place not in wrong]
        begins[key], begin = begin, begin + size * len(kept[key])
        row += len(items)
    for key in AGAIN:
        _repeat(file, begins[key], len(kept[key]) * size)
    written = (file.tell() - start) // size
    file.truncate()
    if _header(file, (written, *plan.shape)) != start:
        raise AssertionError("numpy keeps room in a header for any number of rows")
    return kept, [*plan.damaged, *wrong.values()], (BLACK_OR_WHITE,) if factor > 1 else ()


def _factor(brightest: Iterable[int]) -> int:
    """What pixels are multiplied by, of which some are no brighter than these: 255 where they are 0 and 1 throughout,
    which would all look black. As soon as one is brighter no more are asked for."""
    most = 0
    for own in brightest:
        most = max(most, int(own))
        if most > 1:
            break
    return 255 if most == 1 else 1


def _multiply(file: BinaryIO, start: int, factor: int) -> None:
    """Multiply the bytes from a place on to where the file stands, which it does then again."""
    end = file.tell()
    for at in range(start, end, CHUNK):
        file.seek(at)
        piece = np.frombuffer(file.read(min(CHUNK, end - at)), np.uint8)
        file.seek(at)
        file.write((piece * np.uint8(factor)).data)


def _close_up(file: BinaryIO, start: int, size: int, rows: int, holes: list[int]) -> None:
    """Move rows up over those that hold nothing; the file then stands behind the last one."""
    end = start + size * (holes[0] if holes else rows)
    for hole, following in pairwise([*holes, rows]):
        begin, until = start + size * (hole + 1), start + size * following
        for at in range(begin, until, CHUNK):
            file.seek(at)
            piece = file.read(min(CHUNK, until - at))
            file.seek(end)
            file.write(piece)
            end += len(piece)
    file.seek(end)


def _header(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Begin the file with the header of a uint8 array; its size in bytes."""
    file.seek(0)
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.tell()


def _repeat(file: BinaryIO, begin: int, size: int) -> None:
    """Append bytes of the file itself."""
    end = file.tell()
    for done in range(0, size, CHUNK):
        file.seek(begin + done)
        piece = file.read(min(CHUNK, size - done))
        file.seek(end + done)
        file.write(piece)


def _digest(text: str) -> str:
    return sha256(f"{LAYOUT} {text}".encode()).hexdigest()[:16]
