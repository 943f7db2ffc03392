"""Which files of a folder or an archive are images, of which split and class; none is decoded here."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from semidml.disk import zips

MAX_FILES = 1_000_000
MAX_DEPTH = 8  # folders above a file
MAX_FILE_BYTES = 64 << 20
MAX_ARCHIVE_BYTES = 1 << 30  # of all files of a .zip, unpacked
SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}


class Member(NamedTuple):
    """An image file: where it lies below the top, and how to open it."""

    parts: tuple[str, ...]
    open: Callable[[], BinaryIO]

    @property
    def path(self) -> str:
        return "/".join(self.parts)[-200:]


class Item(NamedTuple):
    """An image file and what it is an image of."""

    split: str  # train, val or test
    class_name: str
    member: Member


@contextmanager
def list_images(path: Path) -> Iterator[list[Item]]:
    """The image files of an image folder or of a .zip of one, open as long as the context is.
    Raises: ValueError in words."""
    with ExitStack() as opened:
        try:
            items = _placed(_walk(path, ()) if path.is_dir() else _listed(opened.enter_context(zipfile.ZipFile(path))))
        except OSError as error:
            raise ValueError(
                f"{error.filename or path} could not be looked at ({error.strerror}); try again"
            ) from error
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise ValueError(f"it cannot be read as a .zip file ({error}); make it anew") from error
        yield items  # what goes wrong then is not the archive's: each image is checked where it is opened


def _walk(path: Path, above: tuple[str, ...]) -> Iterator[Member]:
    """The files below a folder, in the order of their names. Links are refused: they may lead anywhere."""
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        parts = (*above, entry.name)
        if is_clutter(entry.name):
            continue
        if entry.is_symlink():
            raise ValueError(f"{'/'.join(parts)} is a link; put what it leads to there instead")
        if entry.is_dir():
            _check_depth(parts)
            yield from _walk(Path(entry.path), parts)
        elif entry.is_file():
            _check_size(parts, entry.stat().st_size)
            yield Member(parts, partial(open, entry.path, "rb"))


def _listed(archive: zipfile.ZipFile) -> Iterator[Member]:
    """The files of a .zip, in the order of their names. Names that lead out of it and links are refused."""
    members = sorted(archive.infolist(), key=lambda info: info.filename)
    if (size := sum(info.file_size for info in members)) > MAX_ARCHIVE_BYTES:
        raise ValueError(
            f"the .zip unpacks to {size / 2**30:,.1f} GiB; at most {MAX_ARCHIVE_BYTES / 2**30:g} GiB are read"
        )
    zips.check_packing(archive)
    for info in members:
        name = info.filename
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/") or "\\" in name or ".." in parts or (parts and parts[0][1:2] == ":"):
            raise ValueError(
                f"the .zip names {name[:80]!r}, which leads out of it; only plain folders and files are read"
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ValueError(f"the .zip holds a link, {name[:80]!r}; put what it leads to there instead")
        if info.is_dir() or any(is_clutter(part) for part in parts):
            continue
        _check_depth(parts)
        _check_size(parts, info.file_size)
        yield Member(parts, lambda info=info: io.BytesIO(zips.content(archive, info)))


def is_clutter(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def _check_depth(parts: tuple[str, ...]) -> None:
    if len(parts) > MAX_DEPTH:
        raise ValueError(
            f"{'/'.join(parts)[:80]!r} lies more than {MAX_DEPTH} folders deep; put images into class folders"
        )


def _check_size(parts: tuple[str, ...], size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ValueError(
            f"{'/'.join(parts)[-80:]!r} has {size / 2**20:,.0f} MiB; at most {MAX_FILE_BYTES >> 20} are read"
        )


def _placed(files: Iterable[Member]) -> list[Item]:
    """What each file is an image of. Folders around all the others are passed through, and files beside the
    class folders (a README) passed over."""
    members = list(islice(files, MAX_FILES + 1))
    if len(members) > MAX_FILES:
        raise ValueError(f"there are more than {MAX_FILES:,} files; at most that many are read")
    skip = 0
    while True:
        inside = [m for m in members if len(m.parts) > skip + 1]
        tops = {m.parts[skip] for m in inside}
        if len(tops) != 1 or all(len(m.parts) == skip + 2 for m in inside):
            break
        skip += 1
    if not inside:
        raise ValueError(
            "there are no class folders with images; put the images of each class into a folder of its name"
        )
    if "train" not in {SPLIT_NAMES.get(top.lower()) for top in tops} or not all(t.lower() in SPLIT_NAMES for t in tops):
        return [Item("train", m.parts[skip], m) for m in inside]
    if loose := next((m for m in inside if len(m.parts) < skip + 3), None):
        raise ValueError(f"{loose.path} is in no class folder; put the images of each class into a folder of its name")
    return [Item(SPLIT_NAMES[m.parts[skip].lower()], m.parts[skip + 1], m) for m in inside]
