"""numpy's files: an .npz under any usual names of its arrays, or .npy files beside one another."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath

import numpy as np

from semidml.data.choices import Choices
from semidml.data.formats import UNLABELLED, Arrays, check_bytes
from semidml.data.image_files import Member
from semidml.data.layout import Question
from semidml.data.names import is_unlabelled, part_of, rest_of_array
from semidml.disk import zips
from semidml.disk.zips import Header

MAX_HEADER = 1 << 14
MAX_ROWS = 2_000_000  # of an array
SPLITS = ("train", "val", "test")


@contextmanager
def damage_in_words() -> Iterator[None]:
    """What zipfile and zlib find wrong, and the system, while a file is read, becomes a ValueError."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise ValueError(
            f"it cannot be read as an .npz file ({str(error)[: zips.MOST_TOLD]}); save one with numpy.savez"
        ) from error


def read_npz(archive: zipfile.ZipFile, choices: Choices) -> Arrays:
    """The arrays of an .npz, whatever they are called. Raises: ValueError in words."""
    headers, loads = {}, {}
    zips.check_packing(archive)
    for info in archive.infolist():
        if not info.filename.endswith(".npy"):
            continue
        name = PurePath(info.filename).name.removesuffix(".npy")
        if info.flag_bits & 1:
            raise ValueError(f"{info.filename} in the file is encrypted; save one with numpy.savez")
        if name in headers:
            raise ValueError("the file holds an array twice; save it anew with numpy.savez")
        with archive.open(info) as stream:
            headers[name] = read_header(stream.read(MAX_HEADER), info.filename, info.file_size)
        loads[name] = lambda info=info: _load(archive, info)
    return _arranged("an .npz file", headers, loads, choices)


def read_npy(members: list[Member], choices: Choices) -> Arrays:
    """The arrays of .npy files. Raises: ValueError in words."""
    headers, loads = {}, {}
    for member in members:
        name = member.name.removesuffix(".npy")
        with member.open() as file:
            headers[name] = read_header(file.read(MAX_HEADER), member.path, member.size)
        loads[name] = lambda member=member: _load_member(member)
    return _arranged("arrays in .npy files", headers, loads, choices)


def read_header(start: bytes, name: str, size: int) -> Header:
    """What an array says of itself, if the size of its file agrees.
    Raises: ValueError in words, for arrays of Python objects too."""
    file = io.BytesIO(start)
    try:
        header = zips.array_header(file)
    except ValueError as error:
        raise ValueError(f"{name} in the file is not a numpy array ({error})") from error
    if header.dtype.hasobject:
        own = name.removesuffix(".npy")
        kind = "int" if part_of(own)[1] == "labels" else "str" if part_of(own)[1] == "names" else "numpy.uint8"
        raise ValueError(
            f"{name} is an array of Python objects, which could run code and is refused; save plain numbers or text:\n"
            f"  {own} = numpy.array({own}.tolist()).astype({kind})\n"
            f"  numpy.savez('data.npz', {own}={own})  # and the rest"
        )
    promised = file.tell() + int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize
    if any(n < 0 for n in header.shape) or promised != size:
        raise ValueError(f"{name} promises another size than the {size:,} bytes that the file lists for it")
    return header


def _load(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _load_member(member: Member) -> np.ndarray:
    with member.open() as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _arranged(
    kind: str, headers: Mapping[str, Header], loads: Mapping[str, Callable[[], np.ndarray]], choices: Choices
) -> Arrays:
    """Which array is what, by its name or, where that says nothing, by its shape."""
    check_bytes(sum(int(np.prod(h.shape, dtype=object)) * h.dtype.itemsize for h in headers.values()), "the file")
    for name, header in headers.items():
        if header.shape and max(header.shape) > MAX_ROWS:
            raise ValueError(f"{name} has {max(header.shape):,} rows; at most {MAX_ROWS:,} are read")
    images: dict[str, list[str]] = {}
    labels: dict[str, list[str]] = {}
    named, notes, aside = None, (), []
    for name, header in headers.items():
        split, part = part_of(name)
        text = header.dtype.kind in "US" and len(header.shape) == 1
        if name == "notes" and text:
            notes = tuple(str(note) for note in loads[name]())
        elif part == "names" or (part == "labels" and text and _is_name_list(header, headers)):
            named = loads[name]() if text else named
        elif part == "images" and len(header.shape) > 1 and header.dtype.kind in "fiub" and is_unlabelled(name):
            images.setdefault(UNLABELLED, []).append(name)
        elif part == "images" and len(header.shape) > 1 and header.dtype.kind in "fiub":
            images.setdefault(split or "train", []).append(name)
        elif part == "labels" and header.shape:
            labels.setdefault(split or "train", []).append(name)
        else:
            aside.append(name)
    if not images:
        images, labels, aside = _by_shape(headers)
    if "train" not in images:
        raise ValueError(
            f"there is no array of training images among {', '.join(list(headers)[:8]) or 'none'}; call it "
            "train_images or X_train, its labels train_labels or y_train"
        )
    questions, splits, others, chosen, chosen_label = [], {}, [], "", ""
    for split in (split for split in (*SPLITS, UNLABELLED) if split in images):
        of_labels = labels.get(split, [])
        own = _chosen(images[split], choices.images, chosen, images["train"]) or images[split][0]
        label = _chosen(of_labels, choices.label, chosen_label, labels.get("train", []))
        if split == "train":
            chosen, chosen_label = own, label
        elif of_labels and not label:
            notes += (
                f"The {split} images are read without a label: none of {', '.join(of_labels)} is called as "
                f"{chosen_label}, which is read for training.",
            )
        if len(of_labels) > 1 and split == "train":
            text = f"There are several arrays of labels, {', '.join(of_labels)}. Which one is to be read?"
            questions.append(Question("label", text, tuple(of_labels), of_labels[0]))
        others += [name for name in (*images[split], *of_labels) if name not in (own, label)]
        splits[split] = loads[own](), loads[label]() if label else None
    class_names = None if named is None else tuple(str(n) for n in named)
    left_out = tuple((name, "neither images nor labels") for name in aside)
    left_out += tuple((name, "another is read") for name in others)
    return Arrays(kind, splits, class_names, notes, left_out, tuple(questions))


def _is_name_list(header: Header, headers: Mapping[str, Header]) -> bool:
    """Whether an array of text is of class names rather than of labels: no array of images is as long."""
    return all(len(other.shape) < 2 or other.shape[0] != header.shape[0] for other in headers.values())


def _chosen(names: list[str], choice: str, partner: str, trained: list[str]) -> str:
    """Which of several arrays of a split is read: what is chosen, else what is called as its `partner` of those of
    training but for the split, else the only one, where training has only one; "" where there is none."""
    if choice in names:
        return choice
    if not partner:
        return names[0] if names else ""
    alike = [name for name in names if rest_of_array(name) == rest_of_array(partner)]
    return alike[0] if alike else names[0] if len(names) == len(trained) == 1 else ""


def _by_shape(headers: Mapping[str, Header]) -> tuple[dict[str, list[str]], dict[str, list[str]], list[str]]:
    """(images, labels, what is neither) of arrays whose names say nothing, as `arr_0`, by shape and order: the first
    array of images is of training, the second of the test; labels are as long as their images."""
    images: dict[str, list[str]] = {}
    labels: dict[str, list[str]] = {}
    free = [name for name, header in headers.items() if header.shape]
    for name in list(free):
        header = headers[name]
        if len(header.shape) < 3 or header.dtype.kind not in "fiub" or len(images) == 2:
            continue
        split = "test" if images else "train"
        images[split] = [name]
        free.remove(name)
        fits = [n for n in free if headers[n].shape[0] in header.shape and len(headers[n].shape) < 3]
        if fits:
            labels[split] = fits[:1]
            free.remove(fits[0])
    return images, labels, free
