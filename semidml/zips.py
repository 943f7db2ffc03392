"""A stranger's zip, read so that no member fills the memory, whatever its directory promises. Torch-free.

zipfile cuts what it has unpacked to the promised size, so what is unpacked at a time must be bounded as well: only
deflate can be asked for so many bytes and no more.
"""

import zipfile

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
