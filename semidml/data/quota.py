"""How much uploads and decoded images may hold on the disk, together. Torch-free."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from semidml.disk import files, locks
from semidml.words import size_setting, size_words

QUOTA = "10GB"
VARIABLE = "SEMIDML_DATA_QUOTA"
SPARE_BYTES = 256 << 20  # that stay free on the disk


class Decoded(NamedTuple):
    """Decoded images of a data set: when they were last read, and their files."""

    used: float
    pixels: Path
    rest: Path

    @property
    def size(self) -> int:
        return self.pixels.stat().st_size + self.rest.stat().st_size

    def remove(self) -> None:
        for path in (self.rest, self.pixels):
            path.unlink(missing_ok=True)


def allowed_bytes() -> int:
    """Bytes that uploads and decoded images may take: SEMIDML_DATA_QUOTA, by default 10 GB.
    Raises: ValueError when that cannot be read."""
    return size_setting(VARIABLE, QUOTA)


def used_bytes(folder: Path) -> int:
    """Bytes that the uploads and the decoded images in a data folder take now, half received and half decoded ones
    too."""
    return sum(files.folder_size(folder / part) for part in ("uploads", "decoded"))


def decoded_sets(folder: Path) -> list[Decoded]:
    """The decoded images in a data folder, those first that nobody has read for longest."""
    sets = []
    for rest in (folder / "decoded").glob("*.npz"):
        pixels = rest.with_suffix(".npy")
        if not rest.name.startswith(".") and pixels.exists():
            sets.append(Decoded(rest.stat().st_mtime, pixels, rest))
    return sorted(sets)


def left_bytes(folder: Path) -> int:
    """Bytes that may still be uploaded, with all decoded images gone, which can be made again; at least 0."""
    made_again = sum(images.size for images in decoded_sets(folder))
    return max(0, allowed_bytes() - used_bytes(folder) + made_again)


def make_room(folder: Path, more: int, title: str) -> None:
    """Make room for `more` bytes: the decoded images that nobody has read for longest go, as many as must.
    Raises: ValueError, naming what could be deleted, when they would not fit even then; nothing has gone then."""
    lack = _lack(folder, more)
    if lack <= 0:
        return
    going = []
    for images in decoded_sets(folder):
        if lack <= 0:
            break
        lack -= images.size
        going.append(images)
    if lack > 0:
        raise ValueError(_refusal(folder, more, title))
    for images in going:
        images.remove()


def _lack(folder: Path, more: int) -> int:
    """By how many bytes `more` pass the quota, or what the disk has left; less than 0 where they don't."""
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    return max(used_bytes(folder) + more - allowed_bytes(), more + SPARE_BYTES - free)


def _refusal(folder: Path, more: int, title: str) -> str:
    uploads = [
        path for path in (folder / "uploads").glob("*") if not path.name.startswith(".") and path.suffix != ".json"
    ]
    sizes = sorted(((_size(path), path.name.removesuffix(".npz")) for path in uploads), reverse=True)
    largest = ", ".join(f"{name} ({size_words(size)})" for size, name in sizes[:3])
    then = f"delete uploads first, the largest are {largest}" if largest else "there is no upload to delete"
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    return (
        f"{title} needs {size_words(more)}; uploads and decoded images take {size_words(used_bytes(folder))} of the "
        f"{size_words(allowed_bytes())} they may, and the disk has {size_words(free)} left: {then}; {VARIABLE} sets "
        "how much they may take, SEMIDML_DATA where they lie"
    )


def _size(path: Path) -> int:
    return files.folder_size(path) if path.is_dir() else path.stat().st_size


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Held by whoever asks for room, until its file counts: of two that ask at once the second one sees the first."""
    folder.mkdir(parents=True, exist_ok=True)
    with locks.alone(folder / ".quota.lock", lambda: None):
        yield
