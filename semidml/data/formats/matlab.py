"""MATLAB's files of SVHN's kind: arrays of numbers in a .mat up to version 7, through scipy; nothing else in them is
read."""

from __future__ import annotations

import io
import math
import struct
import zlib

from semidml.data.choices import Choices
from semidml.data.formats import MAX_BYTES, Arrays, check_bytes
from semidml.data.image_files import Member
from semidml.data.names import part_of, split_of

NUMBERS = {"double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "logical"}
WIDEST = 8  # bytes of a number
COMPRESSED = 15


def read_matlab(members: list[Member], choices: Choices) -> Arrays:
    """The images and labels of .mat files, of one a split or of one for all. Raises: ValueError in words."""
    from scipy.io import loadmat, whosmat
    from scipy.io.matlab import MatReadError

    splits: dict[str, dict] = {}
    left_out = []
    for member in members:
        check_bytes(member.size, member.path)
        with member.open() as file:
            content = file.read()
        _check_unpacked(content, member)
        try:
            known = whosmat(io.BytesIO(content))
            numeric = [name for name, _, kind in known if kind in NUMBERS]
            check_bytes(sum(math.prod(shape) for _, shape, kind in known if kind in NUMBERS) * WIDEST, member.path)
            arrays = loadmat(io.BytesIO(content), variable_names=numeric)
        except NotImplementedError as error:
            raise ValueError(
                f"{member.path} is of MATLAB 7.3, which is another format; save it from MATLAB in these two lines:\n"
                f"  load('{member.name}')\n  save('{member.name}', 'X', 'y', '-v7')"
            ) from error
        except (MatReadError, ValueError, TypeError, KeyError, IndexError, OSError, struct.error, zlib.error) as error:
            raise ValueError(f"{member.path} cannot be read as a MATLAB file ({error})") from error
        left_out += [
            (f"{member.name}: {name}", "no array of numbers") for name, _, kind in known if kind not in NUMBERS
        ]
        for name in numeric:
            split, part = part_of(name)
            if part in ("images", "labels"):
                own = splits.setdefault(split or split_of(member.name) or "train", {})
                own.setdefault(part, arrays[name])
            else:
                left_out.append((f"{member.name}: {name}", "neither images nor labels"))
    if "images" not in splits.get("train", {}):
        raise ValueError("there is no array of training images in the .mat files; call it X, its labels y")
    parts = {split: (own["images"], own.get("labels")) for split, own in splits.items() if "images" in own}
    return Arrays("MATLAB files", parts, None, (), tuple(left_out))


def _check_unpacked(content: bytes, member: Member) -> None:
    """Raises ValueError when the packed parts of a .mat unpack to more than is read."""
    order = ">" if content[126:128] == b"MI" else "<"
    at, size = 128, 0
    while at + 8 <= len(content) and content[126:128] in (b"IM", b"MI"):
        kind, length = struct.unpack_from(f"{order}2I", content, at)
        if kind == COMPRESSED:
            packed, unpacker = content[at + 8 : at + 8 + length], zlib.decompressobj()
            while packed and size <= MAX_BYTES:
                try:
                    size += len(unpacker.decompress(packed, 1 << 20))
                except zlib.error as error:
                    raise ValueError(f"{member.path} is damaged ({error})") from error
                packed = unpacker.unconsumed_tail
            check_bytes(size, member.path)
        at += 8 + length
