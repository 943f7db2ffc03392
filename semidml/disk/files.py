"""Files that are whole or not there, and what folders hold."""

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

MOST_JSON = 20 * 10**6  # bytes of a file of JSON
STALE_SECONDS = 3600.0  # after which what a killed process left behind is removed
CLOCKS_DIFFER = 86400.0  # seconds by which the clock of another machine may be ahead


@contextmanager
def whole_file(path: Path, durable: bool = False) -> Iterator[BinaryIO]:
    """A file to write and read that gets its name when the block ends well, so that nobody ever sees half of it, and
    leaves nothing behind otherwise. durable: whether it is on the disk by then; not needed where it is written again
    within seconds, or can be made anew.
    """
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    try:
        with open(part, "w+b") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def is_part(path: Path) -> bool:
    """Whether a file is, by its name, one that `whole_file` was writing: up to version 0.2 these ended in .tmp."""
    return path.name.startswith(".") and path.suffix in (".part", ".tmp")


def replace_file(path: Path, content: bytes | Callable[[BinaryIO], object], durable: bool = True) -> None:
    """Write a file whole or not at all: see `whole_file`. content: bytes, or what writes them into an open file."""
    with whole_file(path, durable) as file:
        file.write(content) if isinstance(content, bytes) else content(file)


def disk_time(folder: Path) -> float:
    """The time that a folder's disk gives to what is written there now, in seconds since 1970: to be held against the
    times of other files there, whoever wrote them, and whatever the clock of this machine says.
    Raises: OSError where nothing can be written."""
    handle, part = tempfile.mkstemp(dir=folder, prefix=".time.", suffix=".part")
    os.close(handle)
    try:
        return os.stat(part).st_mtime
    finally:
        Path(part).unlink(missing_ok=True)


def sweep(leftovers: Iterable[Path], seconds: float = STALE_SECONDS) -> None:
    """Remove files and folders that nobody has changed for so long, by their disk's clock: what killed processes left
    behind. Where a full disk cannot be asked, what is a day older than that goes."""
    for left in leftovers:
        try:
            stale = not seconds or _disk_time_or_before(left.parent) - left.stat().st_mtime >= seconds
        except FileNotFoundError:  # its maker has finished since it was listed
            continue
        if stale and left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        elif stale:
            left.unlink(missing_ok=True)


def _disk_time_or_before(folder: Path) -> float:
    try:
        return disk_time(folder)
    except OSError:
        return time.time() - CLOCKS_DIFFER


def as_json(value: Any) -> bytes:
    """A value as readable JSON.
    Raises: ValueError for NaN and infinities."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def open_plain(path: Path) -> BinaryIO:
    """A file opened to be read, if it is one: a pipe may wait for ever, and a device never end.
    Raises: FileNotFoundError; ValueError that names the file when it is something else or cannot be opened."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError(f"{path.name} cannot be read: it is no plain file")
    return os.fdopen(handle, "rb")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file: see `json_object`.
    Raises: ValueError that names the file when it is missing or holds none."""
    return json_object(read_content(path), path.name)


def read_content(path: Path) -> bytes:
    """What a file of at most 20 MB holds.
    Raises: ValueError that names it when it is missing, larger, or cannot be read."""
    try:
        with open_plain(path) as file:
            content = file.read(MOST_JSON + 1)
    except FileNotFoundError:
        raise ValueError(f"{path.name} is missing") from None
    if len(content) > MOST_JSON:
        raise ValueError(f"{path.name} cannot be read: it is larger than {MOST_JSON / 1e6:.0f} MB")
    return content


def json_object(content: bytes, name: str) -> dict[str, Any]:
    """The object in the content of a JSON file of that name, whose texts are whole letters: no page could show half of
    one.
    Raises: ValueError that names it when it holds none."""
    try:
        value = json.loads(content)
        if rb"\ud" in content.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} must hold a JSON object")
    return value


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; links are not followed, and what has several names there counts once."""
    total, shared = 0, set()
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):  # replaced or deleted since it was listed
                told = os.lstat(os.path.join(folder, name))
                if told.st_nlink == 1 or (told.st_dev, told.st_ino) not in shared:
                    total += told.st_size
                if told.st_nlink > 1:
                    shared.add((told.st_dev, told.st_ino))
    return total
