"""An untrusted .npz file in MedMNIST's layout, which is that of uploads too, read so that it can neither run code nor
fill the memory. One in any other layout is read by `formats.numpy_files`.

train_images (N, H, W) or (N, H, W, 3) uint8, train_labels (N,) or (N, 1) whole numbers, -1 where there is none; the
same for val_ and test_, both optional; class_names and notes (sentences on how it was made), optional too. What the zip
directory and each array's header promise is checked before anything is unpacked, and no more than that is unpacked;
object arrays, which could run code, are refused.
"""

import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor

from semidml import memory
from semidml.data.choices import Choices
from semidml.data.dataset import Dataset, Split, held_note, held_rows, known, label_facts, take
from semidml.data.formats.numpy_files import MAX_HEADER, damage_in_words, read_header
from semidml.data.label_values import MAX_LETTERS, read_labels
from semidml.data.layout import Question
from semidml.data.pixels import SIDES
from semidml.disk import zips
from semidml.disk.zips import Header

Single = Callable[[np.ndarray], np.ndarray]  # one label of several: (N, L) -> (N,)
SPLITS = ("train", "val", "test")
NAMES = (*(f"{split}_{part}" for split in SPLITS for part in ("images", "labels")), "class_names", "notes")
MAX_BYTES = 2 << 30  # of pixels, in all splits together; of a file that lies here already more may be read
MAX_ROWS = 2_000_000  # in all splits together
MAX_CLASSES = 1000
MAX_NAME_BYTES = 4 * MAX_LETTERS  # of a class, at four bytes a letter
MAX_NOTES, MAX_NOTE_BYTES = 10, 8000
MAX_LABELS_A_ROW = 64
CHUNK = 1 << 22  # bytes of pixels that are unpacked at a time


def read(path: Path, name: str, title: str, single: Single | None = None) -> Dataset:
    """The data set in an .npz file. `single` makes one label of a row of several: (N, L) -> (N,).
    Raises: ValueError that says what is wrong with the file and what is allowed."""
    with opened(path, single) as source:
        memory.check_free(source.pixel_bytes, f"unpacking {title}")
        splits = {s: Split(source.images(s), y) for s, y in source.labels.items()}
    return assemble(name, title, splits, source.class_names, source.notes)


def check(path: Path) -> None:
    """Read a file whole, of which no more is unpacked at a time than CHUNK.
    Raises: ValueError as `read` does."""
    with opened(path) as source:
        check_classes(source.labels["train"])
        if "test" not in source.labels:
            held_rows(source.labels["train"])
        for split in source.labels:
            source.check(split)


def pixel_bytes(path: Path, most: int | None = None, single: Single | None = None) -> int:
    """Bytes of the images of a file once they are unpacked, as its headers have them.
    Raises: ValueError as `read` does, and where they are more than `most`, without it MAX_BYTES."""
    with opened(path, single, most) as source:
        return source.pixel_bytes


def is_plain(path: Path) -> bool:
    """Whether a file keeps to this layout in the names, axes and types of its arrays.
    Raises: ValueError in words for a file that cannot be read at all."""
    with damage_in_words(), zipfile.ZipFile(path) as archive:
        zips.check_packing(archive)
        members = archive.infolist()
        names = [member.filename.removesuffix(".npy") for member in members]
        if not {"train_images", "train_labels"} <= set(names) <= set(NAMES) or len(set(names)) < len(names):
            return False
        headers = {n: _header(archive, member) for n, member in zip(names, members, strict=True)}
    images = [h for n, h in headers.items() if n.endswith("_images")]
    labels = [h for n, h in headers.items() if n.endswith("_labels")]
    return (
        all(f"{split}_labels" in headers for split in SPLITS if f"{split}_images" in headers)
        and all(h.dtype == np.uint8 and (len(h.shape) == 3 or (len(h.shape) == 4 and h.shape[3] == 3)) for h in images)
        and not any(
            headers[f"{split}_images"].shape[:1] != headers[f"{split}_labels"].shape[:1] == h.shape[-1:]
            for split in SPLITS
            if (h := headers.get(f"{split}_images"))
        )  # rows may stand last
        and all(h.dtype.kind in "iub" and (len(h.shape) == 1 or h.shape[1:] == (1,)) for h in labels)
    )


def facts(path: Path, single: Single | None = None, most: int | None = None) -> dict[str, Any]:
    """The facts of `store.facts` of what `read` would give, without unpacking an image.
    Raises: ValueError as `read` does, and where its pixels are more than `most` bytes, without it MAX_BYTES."""
    with opened(path, single, most) as source:
        labels, class_names, shape = source.labels, source.class_names, source.shape
    labels = {"validation" if s == "val" else s: y for s, y in labels.items()}
    if "test" not in labels:
        whole, held = labels["train"], held_rows(labels["train"])
        labels |= {"train": whole[~held], "test": whole[held]}
    return label_facts(labels, len(class_names), shape)


def assemble(
    name: str, title: str, splits: dict[str, Split], class_names: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Dataset:
    """A Dataset of the splits there are: train, perhaps val, and test, which is held out where there is none."""
    check_classes(splits["train"].labels)
    if "test" not in splits:
        whole, held = splits["train"], held_rows(splits["train"].labels)
        notes = (*notes, held_note(whole.labels[held]))
        splits = splits | {"train": take(whole, ~held), "test": take(whole, held)}
    return Dataset(name, title, splits["train"], splits["test"], splits.get("val"), class_names, notes)


def check_classes(labels: Tensor) -> None:
    """Raises ValueError where all training images have one and the same label. Where some have none, of one class or
    of no class at all, there is what needs no label to train."""
    if len(labels.unique()) < 2 and len(known(labels)):
        raise ValueError(
            "the training images are all of one class; there must be two classes or more, or no labels at all"
        )


def write(
    file: BinaryIO,
    pixels: Mapping[str, Path],
    shape: tuple[int, int, int],
    labels: Mapping[str, Tensor],
    class_names: tuple[str, ...],
    notes: tuple[str, ...] = (),
) -> None:
    """Write splits in the layout that `read` reads. pixels: of each split a file of its images (N, H, W, C), bytes
    without a header; shape: (C, H, W). Not compressed: photographs gain a tenth, and take seconds."""
    arrays = {f"{split}_labels": y.numpy() for split, y in labels.items()} | {
        "class_names": np.array(class_names, dtype=str)
    }
    arrays |= {"notes": np.array(notes)} if notes else {}
    of_image = (*shape[1:], 3) if shape[0] == 3 else shape[1:]
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        for split, place in pixels.items():
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(labels[split]), *of_image)}
            with archive.open(f"{split}_images.npy", "w", force_zip64=True) as member, place.open("rb") as source:
                np.lib.format.write_array_header_1_0(member, header)
                shutil.copyfileobj(source, member, CHUNK)


@contextmanager
def opened(path: Path, single: Single | None = None, most: int | None = None) -> Iterator["Source"]:
    """A file whose promises all keep to the limits, its pixels to `most` bytes, without it MAX_BYTES, with its
    labels read and no image unpacked.
    Raises: ValueError that says what is wrong with the file and what is allowed."""
    with ExitStack() as files:
        with damage_in_words():
            archive = files.enter_context(zipfile.ZipFile(path))
            zips.check_packing(archive)
            headers = _checked(archive, single is not None, most)
            source = Source(archive, headers, *_classes(archive, headers, single))
        yield source


class Source(NamedTuple):
    """An open file: its labels (N,) by split, 0 to K - 1 or -1, the names of the K classes, notes, questions."""

    archive: zipfile.ZipFile
    headers: dict[str, Header]
    labels: dict[str, Tensor]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    questions: tuple[Question, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, height, width, *channels = self.headers["train_images"].shape
        return (channels[0] if channels else 1, height, width)

    @property
    def pixel_bytes(self) -> int:
        return sum(map(len, self.labels.values())) * math.prod(self.shape)

    def images(self, split: str) -> Tensor:
        """(N, C, H, W) uint8, unpacked piece by piece into its place, so that no second copy is made."""
        images = torch.empty(len(self.labels[split]), *self.shape, dtype=torch.uint8)
        view, row = images.numpy(), 0
        for piece in self.pieces(split):
            view[row : row + len(piece)] = piece
            row += len(piece)
        return images

    def check(self, split: str) -> None:
        """Unpack a split's images piece by piece, and keep none: what the zip's checksum finds wrong is raised."""
        with self._stream(split) as stream:
            while _read(stream, CHUNK):
                pass

    def _stream(self, split: str) -> IO[bytes]:
        with damage_in_words():
            return self.archive.open(f"{split}_images.npy")

    def pieces(self, split: str, spare: Path | None = None) -> Iterator[np.ndarray]:
        """A split's images in order, uint8 (n, C, H, W), at most CHUNK bytes at a time; where an array is stored last
        axis first, it is unpacked whole before: into a file in the folder `spare`, whose pages the system holds while
        it has room for them, or into memory without."""
        header = self.headers[f"{split}_images"]
        count, (channels, height, width) = header.shape[0], self.shape
        size = channels * height * width
        step = max(1, CHUNK // size)
        with self._stream(split) as stream:
            _read(stream, self.archive.getinfo(f"{split}_images.npy").file_size - count * size)  # the header
            if header.fortran_order:
                yield from _turned(stream, header, step, (channels, height, width), spare)
                return
            for first in range(0, count, step):
                rows = min(step, count - first)
                piece = np.frombuffer(_read(stream, rows * size), np.uint8).reshape(rows, height, width, channels)
                yield piece.transpose(0, 3, 1, 2)


def _read(stream: IO[bytes], size: int) -> bytes:
    with damage_in_words():
        return stream.read(size)


def _turned(
    stream: IO[bytes], header: Header, step: int, shape: tuple[int, int, int], spare: Path | None
) -> Iterator[np.ndarray]:
    """The images of an array whose first axis runs fastest, `step` at a time: see `Source.pieces`."""
    channels, height, width = shape
    with ExitStack() as files:
        if spare:
            whole = files.enter_context(tempfile.TemporaryFile(dir=spare))
            while content := _read(stream, CHUNK):
                whole.write(content)
            whole.flush()
            array = np.memmap(whole, np.uint8, "r", shape=header.shape, order="F")
        else:
            content = b"".join(iter(lambda: _read(stream, CHUNK), b""))
            array = np.frombuffer(content, np.uint8).reshape(header.shape, order="F")
        for first in range(0, header.shape[0], step):
            rows = array[first : first + step]
            yield rows.reshape(len(rows), height, width, channels).transpose(0, 3, 1, 2)


def _checked(archive: zipfile.ZipFile, several: bool, most: int | None) -> dict[str, Header]:
    """{array: header} of a file whose promises all keep to the limits."""
    members = archive.infolist()
    names = [member.filename.removesuffix(".npy") for member in members]
    if unknown := [n for n in names if n not in NAMES]:
        raise ValueError(f"the file holds {unknown[0][:60]!r}; only {', '.join(NAMES)} are read")
    if len(set(names)) < len(names):
        raise ValueError("the file holds an array twice; save it anew with numpy.savez")
    headers = {n: _header(archive, member) for n, member in zip(names, members, strict=True)}
    for s in SPLITS:
        images, labels = f"{s}_images", f"{s}_labels"
        if images not in headers and labels not in headers and s != "train":
            continue
        for wanted in (images, labels):
            if wanted not in headers:
                raise ValueError(f"the file has no {wanted}; there must be {images} and {labels}")
        _check_images(images, headers[images])
        _check_labels(labels, headers[labels], several)
        rows, labelled = headers[images].shape[0], headers[labels].shape[0]
        if rows != labelled:
            raise ValueError(
                f"{labels} has {labelled:,} labels, but {images} has {rows:,} images; there must be as many"
            )
        if headers[images].shape[1:] != headers["train_images"].shape[1:]:
            raise ValueError(
                f"{images} has images of shape {headers[images].shape[1:]}, train_images of shape "
                f"{headers['train_images'].shape[1:]}; all must have one shape"
            )
    pixels = [h.shape for n, h in headers.items() if n.endswith("_images")]
    if (rows := sum(shape[0] for shape in pixels)) > MAX_ROWS:
        raise ValueError(f"the file promises {rows:,} images; at most {MAX_ROWS:,} are read")
    if (size := sum(int(np.prod(shape, dtype=object)) for shape in pixels)) > (most := most or MAX_BYTES):
        raise ValueError(f"the file promises {size / 2**30:,.1f} GiB of pixels; at most {most / 2**30:g} GiB are read")
    if "class_names" in headers:
        rule = f"class_names must be a plain list of text, one name a class, of at most {MAX_LETTERS} letters"
        _check_text(headers["class_names"], rule, MAX_NAME_BYTES)
        if (names := headers["class_names"].shape[0]) > MAX_CLASSES:
            raise ValueError(f"class_names has {names:,} names; at most {MAX_CLASSES:,} classes are read")
    if "notes" in headers:
        rule = f"notes must be a plain list of text, each of at most {MAX_NOTE_BYTES // 4:,} letters"
        _check_text(headers["notes"], rule, MAX_NOTE_BYTES)
        if (notes := headers["notes"].shape[0]) > MAX_NOTES:
            raise ValueError(f"there are {notes:,} notes; at most {MAX_NOTES} are read")
    return headers


def _header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header:
    """What an array says of itself, if the zip directory agrees; only the first bytes are unpacked."""
    name = member.filename
    if member.flag_bits & 1:
        raise ValueError(f"{name} in the file is encrypted; save one with numpy.savez")
    with archive.open(member) as stream:
        return read_header(stream.read(MAX_HEADER), name, member.file_size)


def _check_images(name: str, header: Header) -> None:
    shape = header.shape
    if header.dtype != np.uint8:
        raise ValueError(
            f"{name} is {header.dtype}; it must be uint8, 0 to 255: for values from 0 to 1 save "
            "(255 * images).round().astype('uint8')"
        )
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3):
        raise ValueError(f"{name} has shape {shape}; it must be (N, H, W) for grey or (N, H, W, 3) for colour images")
    if not shape[0]:
        raise ValueError(f"{name} is empty; each split that is there must hold at least one image")
    if not all(SIDES[0] <= side <= SIDES[1] for side in shape[1:3]):
        raise ValueError(
            f"{name} has images of {shape[1]} x {shape[2]} pixels; {SIDES[0]} to {SIDES[1]} a side are read"
        )


def _check_labels(name: str, header: Header, several: bool) -> None:
    shape, most = header.shape, MAX_LABELS_A_ROW if several else 1
    if header.dtype.kind not in "iub":
        raise ValueError(f"{name} is {header.dtype}; labels must be whole numbers")
    if len(shape) not in (1, 2) or (len(shape) == 2 and not 1 <= shape[1] <= most):
        raise ValueError(f"{name} has shape {shape}; it must be (N,) or (N, 1), one label an image")


def _check_text(header: Header, rule: str, most_bytes: int) -> None:
    if header.dtype.kind != "U" or len(header.shape) != 1 or header.dtype.itemsize > most_bytes:
        raise ValueError(rule)


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """A small array, whole."""
    with archive.open(f"{name}.npy") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _classes(
    archive: zipfile.ZipFile, headers: dict[str, Header], single: Single | None
) -> tuple[dict[str, Tensor], tuple[str, ...], tuple[str, ...], tuple[Question, ...]]:
    """Each split's labels, 0 to K - 1 or -1, the names of the K classes (the file's own, or the labels as written),
    what is to be said of them, and to be asked."""
    written = {s: _array(archive, f"{s}_labels") for s in SPLITS if f"{s}_labels" in headers}
    names = [str(name) for name in _array(archive, "class_names")] if "class_names" in headers else None
    labels = read_labels(written, names, Choices(), single)
    if len(labels.class_names) > MAX_CLASSES:
        values = f"the labels take {len(labels.class_names):,} different values"
        raise ValueError(f"{values}; at most {MAX_CLASSES:,} classes are read")
    own = _array(archive, "notes") if "notes" in headers else ()
    notes = tuple(dict.fromkeys((*map(str, own), *labels.notes)))
    splits = {s: torch.from_numpy(y) for s, y in labels.splits.items()}
    return splits, labels.class_names, notes, labels.questions
