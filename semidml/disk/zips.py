"""An untrusted zip, read so that no member fills the memory, whatever its directory promises. Torch-free.

zipfile cuts what it has unpacked to the promised size, so what is unpacked at a time must be bounded as well: only
deflate can be asked for so many bytes and no more.
"""

import math
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from semidml.words import size_words

MOST_TOLD = 200  # letters of what Python says of a damaged archive: it repeats bytes of the file, thousands of them
MOST_ARRAY_BYTES = 200 * 10**6  # of an unpacked npz


def headers(path: Path, expected: Mapping[str, tuple[str, int]] | None) -> dict[str, tuple[int, ...]]:
    """Shapes of an npz's arrays, read without unpickling or allocating them.
    Raises: ValueError when one is not as expected (dtype, axes), or, with no expectation, not of numbers."""
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        check_packing(archive)
        if len(infos) > 20 or sum(info.file_size for info in infos) > MOST_ARRAY_BYTES:
            raise ValueError(f"{path.name} unpacks to more than {size_words(MOST_ARRAY_BYTES)}")
        for info in infos:
            name = info.filename.removesuffix(".npy")
            with archive.open(info) as file:
                try:
                    shape, _, dtype = array_header(file)
                except ValueError as error:
                    raise ValueError(f"the header of {name[:40]!r} in {path.name} cannot be read: {error}") from None
                rest = sum(len(part) for part in iter(lambda: file.read(1 << 20), b""))
            known = expected is None and dtype.kind in "fiub" and len(shape) <= 4
            if expected and name in expected:
                known = str(dtype) in expected[name][0].split() and len(shape) == expected[name][1]
            if not known or name in shapes or rest != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{path.name} holds an array {name[:40]!r} ({dtype}, {shape}) that no run has there")
            shapes[name] = shape
    return shapes


PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_packing(archive: zipfile.ZipFile) -> None:
    """Raises ValueError when a member is packed in a way whose unpacking has no bound: bzip2, LZMA."""
    for info in archive.infolist():
        if info.compress_type not in PACKED:
            names = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}
            packed = f"is packed by {names.get(info.compress_type, f'method {info.compress_type}')}"
            only = "only files packed by deflate, as is usual, or not packed at all are read"
            raise ValueError(f"{info.filename[:80]!r} {packed}; {only}")


def content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member of a checked archive, of which no more than the promised size is unpacked.
    Raises: BadZipFile when it is not of that size."""
    with archive.open(info) as file:
        return file.read(info.file_size)


class Header(NamedTuple):
    """What a stored array says of itself."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype


def array_header(file: IO[bytes]) -> Header:
    """The header at the start of a stored array; `file` then stands behind it.
    Raises: ValueError when it cannot be read, BadZipFile and zlib.error when the archive around it is damaged."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"format {version} is not known")
        return Header(*readers[version](file))
    except (zipfile.BadZipFile, zlib.error):
        raise
    except Exception as error:  # numpy reads it as Python: a forged one can raise nearly anything
        raise ValueError((str(error).splitlines() or [type(error).__name__])[0]) from None
