"""MNIST's own format, IDX (LeCun et al. 1998), packed by gzip or not; EMNIST's letters stand transposed in it."""

from __future__ import annotations

import gzip
import math
import re
import struct
import zlib
from contextlib import ExitStack

import numpy as np

from semidml.data.choices import Choices
from semidml.data.formats import Arrays, check_bytes
from semidml.data.image_files import Member
from semidml.data.layout import Question
from semidml.data.names import part_of

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
NAMED = re.compile(r"(^|[-_.])idx[1-4]?[-_.]ubyte(\.gz)?$|\.idx[1-4]?(\.gz)?$", re.IGNORECASE)


def is_idx(member: Member) -> bool:
    return bool(NAMED.search(member.name))


def read_idx(members: list[Member], choices: Choices) -> Arrays:
    """The sets of images and labels in IDX files. Raises: ValueError in words."""
    sets = {prefix_of(member): None for member in members}
    prefix = choices.images if choices.images in sets else next(iter(sets))
    splits: dict[str, dict[str, np.ndarray]] = {}
    for member in (member for member in members if prefix_of(member) == prefix):
        array = _read(member)
        split = part_of(member.name)[0] or "train"
        splits.setdefault(split, {})["images" if array.ndim > 1 else "labels"] = array
    if "images" not in splits.get("train", {}):
        raise ValueError("there are no training images among the IDX files; put train-images-idx3-ubyte beside them")
    left_out = tuple((member.path, "of another set") for member in members if prefix_of(member) != prefix)
    questions = []
    if len(sets) > 1:
        text = f"There are several sets, {', '.join(sets)}. Which one is to be read?"
        questions.append(Question("images", text, tuple(sets), next(iter(sets))))
    parts = {split: (own["images"], own.get("labels")) for split, own in splits.items() if "images" in own}
    return Arrays(
        *("IDX files, as MNIST's", parts, None, (), left_out, tuple(questions)), transposed="emnist" in prefix.lower()
    )


def prefix_of(member: Member) -> str:
    """What the names of the files of one set share: `emnist-letters`."""
    start = re.split(r"[-_.]?(images?|labels?)[-_.]?idx", member.name, maxsplit=1, flags=re.IGNORECASE)[0]
    return re.sub(r"[-_.]?(train|test|t10k|val(id)?)$", "", start, flags=re.IGNORECASE) or "the set"


def _read(member: Member) -> np.ndarray:
    try:
        with ExitStack() as opened:
            file = opened.enter_context(member.open())
            if file.read(2) == b"\x1f\x8b":
                file.seek(0)
                file = opened.enter_context(gzip.GzipFile(fileobj=file))
            else:
                file.seek(0)
            zero, kind, axes = struct.unpack(">HBB", file.read(4))
            if zero or kind not in TYPES or not 1 <= axes <= 4:
                raise ValueError(f"{member.path} is not an IDX file: it does not begin as one")
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            dtype = np.dtype(TYPES[kind])
            size = math.prod(shape) * dtype.itemsize
            check_bytes(size, member.path)
            content = file.read(size)
    except (struct.error, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{member.path} cannot be read as an IDX file ({error})") from error
    if len(content) != size:
        raise ValueError(f"{member.path} promises {size:,} bytes and has {len(content):,}")
    return np.frombuffer(content, dtype).reshape(shape)
