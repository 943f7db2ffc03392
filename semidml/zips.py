"""An untrusted zip, read so that no member fills the memory, whatever its directory promises. Torch-free.

zipfile cuts what it has unpacked to the promised size, so what is unpacked at a time must be bounded as well: only
deflate can be asked for so many bytes and no more.
"""

import zipfile
import zlib
from typing import IO, NamedTuple

import numpy as np

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_packing(archive: zipfile.ZipFile) -> None:
    """Raises ValueError when a member is packed in a way whose unpacking has no bound: bzip2, LZMA."""
    for info in archive.infolist():
        if info.compress_type not in PACKED:
            raise ValueError(
                f"{info.filename[:80]!r} is packed by {_way(info.compress_type)}; only files packed by deflate, as is "
                "usual, or not packed at all are read"
            )


def _way(method: int) -> str:
    return {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}.get(method, f"method {method}")


def content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member of a checked archive, of which no more than the promised size is unpacked. Raises BadZipFile when it is
    not of that size."""
    with archive.open(info) as file:
        return file.read(info.file_size)


class Header(NamedTuple):
    """What a stored array says of itself."""

    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype


def array_header(file: IO[bytes]) -> Header:
    """The header at the start of a stored array; `file` then stands behind it. Raises ValueError when it cannot be
    read, BadZipFile and zlib.error when the archive around it is damaged."""
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
