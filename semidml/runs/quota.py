"""How much the user's runs may hold on the disk, before one is written and while one is."""

import errno
import shutil
import time
from pathlib import Path

from semidml import words
from semidml.disk import files
from semidml.runs import places

QUOTA = "2GB"
LOOK_SECONDS = 5.0  # between two measurements of all runs while one is written
LOOK_SHARE = 50  # of the time between them at most one part in so many is spent on measuring


class QuotaFull(OSError):
    """Said where a run would grow past the quota; to whoever catches a full disk it is one."""

    def __init__(self, reason: str):
        super().__init__(errno.EDQUOT, reason)

    def __str__(self) -> str:
        return self.strerror


def allowed_bytes() -> int:
    """Bytes that the user's runs may take: SEMIDML_QUOTA ('500MB', '2 GB', or bytes), by default 2 GB.
    Raises: ValueError when that cannot be read."""
    return words.size_setting("SEMIDML_QUOTA", QUOTA)


def used_bytes() -> int:
    """Bytes that the user's runs take now."""
    return files.folder_size(places.runs_folder())


def sweep_runs() -> None:
    """Remove what a process left that was killed while it made, deleted or imported a run."""
    folder = places.runs_folder()
    files.sweep([path for kind in ("new", "deleted", "import") for path in folder.glob(f".{kind}-*")])


def check_quota(more: int = 0, waiting: int = 0) -> None:
    """Raises ValueError, naming what could be deleted, when the runs, what those that wait or train are still going to
    write (`waiting`), and `more` bytes pass the quota or what the disk has left."""
    used, allowed = used_bytes(), allowed_bytes()
    if used + waiting + more >= allowed:
        raise ValueError(
            f"the runs take {words.size_words(used)} of the {words.size_words(allowed)} they may"
            + _further_words(more, waiting)
            + _delete_words()
            + "; SEMIDML_QUOTA sets how much they may take"
        )
    folder = next(path for path in (places.runs_folder(), *places.runs_folder().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if waiting + more > free:
        raise ValueError(
            f"the disk of {places.runs_folder()} has {words.size_words(free)} left"
            + _further_words(more, waiting)
            + _delete_words()
        )


def _further_words(more: int, waiting: int) -> str:
    """What is going to be written, to follow what is there."""
    parts = [f"those that wait or train will write up to {words.size_words(waiting)}"] if waiting else []
    parts += [f"this needs {words.size_words(more)} more"] if more else []
    return f", and {' and '.join(parts)}" if parts else ""


def _delete_words(but: str = "") -> str:
    """What to do about it: the largest runs, `but` one, to be deleted."""
    folder = places.runs_folder()
    paths = folder.iterdir() if folder.is_dir() else []
    paths = [path for path in paths if places.valid_id(path.name) and path.name != but]
    sizes = sorted(((files.folder_size(path), path.name) for path in paths), reverse=True)
    largest = ", ".join(f"{name} ({words.size_words(size)})" for size, name in sizes[:3])
    return f": delete some first, the largest are {largest}" if largest else ""


class Room:
    """What a run may still write. All runs are measured every few seconds only; in between counts what this run
    writes itself."""

    def __init__(self, path: Path):
        self.path = path
        self.is_bounded = path.parent == places.runs_folder()  # a run elsewhere has no quota
        self._measured = self._written = 0
        self._due = 0.0

    def take(self, more: int) -> None:
        """Count `more` bytes that are about to be written.
        Raises: QuotaFull, in words, when they pass the quota: nothing of them should be written then."""
        if not self.is_bounded:
            return
        allowed = allowed_bytes()
        if time.monotonic() >= self._due or self._measured + self._written + more > allowed:
            self._measure()
        if self._measured + more > allowed:
            raise QuotaFull(
                f"the runs take {words.size_words(self._measured)} of the {words.size_words(allowed)} they may, and "
                f"this one needs {words.size_words(more)} more{_delete_words(self.path.name)}; SEMIDML_QUOTA sets how "
                "much they may take"
            )
        self._written += more

    def _measure(self) -> None:
        began = time.monotonic()
        self._measured, self._written = used_bytes(), 0
        now = time.monotonic()
        self._due = now + max(LOOK_SECONDS, LOOK_SHARE * (now - began))


def check_more(run_path: Path, more: int) -> None:
    """Raises QuotaFull when a run's folder must not grow by `more` bytes; one outside of the runs' folder may."""
    Room(run_path).take(more)
