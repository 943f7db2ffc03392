"""An untrusted .npz file in MedMNIST's layout, which is that of uploads too, read so that it can neither run code nor
fill the memory. One in any other layout is read by `formats.numpy_files`.

train_images (N, H, W) or (N, H, W, 3) uint8, train_labels (N,) or (N, 1) whole numbers, -1 where there is none; the
same for val_ and test_, both optional; class_names and notes (sentences on how it was made), optional too. What the zip
directory and each array's header promise is checked before anything is unpacked, and no more than that is unpacked;
object arrays, which could run code, are refused.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from semidml.data.choices import Choices
from semidml.data.dataset import HELD_OUT_NOTE, Dataset, Split, held_rows, label_facts, take
from semidml.data.formats.numpy_files import MAX_HEADER, read_header
from semidml.data.label_values import read_labels
from semidml.disk import zips
from semidml.disk.zips import Header

SPLITS = ("train", "val", "test")
NAMES = (*(f"{split}_{part}" for split in SPLITS for part in ("images", "labels")), "class_names", "notes")
MAX_BYTES = 2 << 30  # of pixels, in all splits together
MAX_ROWS = 2_000_000  # in all splits together
MAX_CLASSES = 1000
MAX_NAME_BYTES = 800  # of a class, at four bytes a letter
MAX_NOTES, MAX_NOTE_BYTES = 10, 8000
MAX_LABELS_A_ROW = 64
SIDES = (4, 256)  # pixels that an image may be wide or high
CHUNK = 1 << 24  # bytes of pixels that are unpacked at a time


def read(path: Path, name: str, title: str, single: Callable[[np.ndarray], np.ndarray] | None = None) -> Dataset:
    """The data set in an .npz file. `single` makes one label of a row of several: (N, L) -> (N,).
    Raises: ValueError that says what is wrong with the file and what is allowed."""
    with _opened(path) as archive:
        headers = _checked(archive, several=single is not None)
        labels, class_names, notes = _classes(archive, headers, single)
        splits = {s: Split(_images(archive, f"{s}_images", headers[f"{s}_images"]), y) for s, y in labels.items()}
    return assemble(name, title, splits, class_names, notes)


def is_plain(path: Path) -> bool:
    """Whether a file keeps to this layout in the names, axes and types of its arrays.
    Raises: ValueError in words for a file that cannot be read at all."""
    with _opened(path) as archive:
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


def facts(path: Path, single: Callable[[np.ndarray], np.ndarray] | None = None) -> dict[str, Any]:
    """The facts of `store.facts` of what `read` would give, without unpacking an image.
    Raises: ValueError as `read` does."""
    with _opened(path) as archive:
        headers = _checked(archive, several=single is not None)
        labels, class_names, _ = _classes(archive, headers, single)
    shape = headers["train_images"].shape
    shape = (*shape[3:], *shape[1:3]) if len(shape) == 4 else (1, *shape[1:])
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
        splits, notes = splits | {"train": take(whole, ~held), "test": take(whole, held)}, (*notes, HELD_OUT_NOTE)
    return Dataset(name, title, splits["train"], splits["test"], splits.get("val"), class_names, notes)


def check_classes(labels: Tensor) -> None:
    """Raises ValueError unless training labels are of two classes, or there are none at all."""
    if len(labels[labels >= 0].unique()) == 1:
        raise ValueError("the training images are all of one class; there must be two classes or more")


def write(file: BinaryIO, splits: dict[str, Split], class_names: tuple[str, ...], notes: tuple[str, ...] = ()) -> None:
    """Write splits in the layout that `read` reads."""
    arrays = {"class_names": np.array(class_names, dtype=str)} | ({"notes": np.array(notes)} if notes else {})
    for s, (images, labels) in splits.items():
        pixels = images.permute(0, 2, 3, 1).numpy()  # (N, H, W, C)
        arrays |= {f"{s}_images": pixels if pixels.shape[-1] == 3 else pixels[..., 0], f"{s}_labels": labels.numpy()}
    np.savez(file, **arrays)  # not compressed: photographs gain a tenth, and take seconds


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The file as a zip archive; what zipfile and zlib find wrong becomes a ValueError."""
    try:
        with zipfile.ZipFile(path) as archive:
            zips.check_packing(archive)
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise ValueError(f"it cannot be read as an .npz file ({error}); save one with numpy.savez") from error


def _checked(archive: zipfile.ZipFile, several: bool) -> dict[str, Header]:
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
    if (size := sum(int(np.prod(shape, dtype=object)) for shape in pixels)) > MAX_BYTES:
        raise ValueError(
            f"the file promises {size / 2**30:,.1f} GiB of pixels; at most {MAX_BYTES / 2**30:g} GiB are read"
        )
    if "class_names" in headers:
        rule = "class_names must be a plain list of text, one name a class, of at most 200 letters"
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
    archive: zipfile.ZipFile, headers: dict[str, Header], single: Callable[[np.ndarray], np.ndarray] | None
) -> tuple[dict[str, Tensor], tuple[str, ...], tuple[str, ...]]:
    """Each split's labels, 0 to K - 1 or -1, the names of the K classes (the file's own, or the labels as written), and
    what is to be said of them."""
    written = {s: _array(archive, f"{s}_labels") for s in SPLITS if f"{s}_labels" in headers}
    names = [str(name) for name in _array(archive, "class_names")] if "class_names" in headers else None
    labels = read_labels(written, names, Choices(), single)
    if len(labels.class_names) > MAX_CLASSES:
        values = f"the labels take {len(labels.class_names):,} different values"
        raise ValueError(f"{values}; at most {MAX_CLASSES:,} classes are read")
    own = _array(archive, "notes") if "notes" in headers else ()
    notes = tuple(dict.fromkeys((*map(str, own), *labels.notes)))
    return {s: torch.from_numpy(y) for s, y in labels.splits.items()}, labels.class_names, notes


def _images(archive: zipfile.ZipFile, name: str, header: Header) -> Tensor:
    """(N, C, H, W) uint8, unpacked piece by piece into its place, so that no second copy is made."""
    count, height, width = header.shape[:3]
    channels = 3 if len(header.shape) == 4 else 1
    if header.fortran_order:
        pixels = _array(archive, name).reshape(count, height, width, channels)
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    images = torch.empty(count, channels, height, width, dtype=torch.uint8)
    view = images.numpy()
    size = channels * height * width
    step = max(1, CHUNK // size)
    with archive.open(f"{name}.npy") as stream:
        stream.read(archive.getinfo(f"{name}.npy").file_size - count * size)  # the header
        for first in range(0, count, step):
            rows = min(step, count - first)
            piece = np.frombuffer(stream.read(rows * size), np.uint8).reshape(rows, height, width, channels)
            view[first : first + rows] = piece.transpose(0, 3, 1, 2)
    return images
