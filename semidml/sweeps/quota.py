"""How much sweeps may hold on the disk: a driver begins no run past it."""

import shutil
from pathlib import Path

from semidml import words
from semidml.disk import files
from semidml.runs import places
from semidml.runs.quota import QuotaFull

VARIABLE, QUOTA = "SEMIDML_SWEEPS_QUOTA", "20GB"
SPARE_BYTES = 100 * 10**6  # that stay free on the disk


def allowed_bytes() -> int:
    """Bytes that all sweeps may take together: SEMIDML_SWEEPS_QUOTA ('500MB', '2 GB', or bytes), by default 20 GB.
    Raises: ValueError when that cannot be read."""
    return words.size_setting(VARIABLE, QUOTA)


def used_bytes() -> int:
    """Bytes that all sweeps take now."""
    return files.folder_size(places.sweeps_folder())


class Room:
    """What a driver may still write. All sweeps are measured once; then it counts the runs that end."""

    def __init__(self) -> None:
        self.used = used_bytes()

    def take(self, size: int) -> None:
        """Count a run that has ended."""
        self.used += size

    def check(self) -> None:
        """Raises QuotaFull, in words, where no further run should begin, ValueError where the quota cannot be read."""
        if self.used >= (allowed := allowed_bytes()):
            raise QuotaFull(
                f"the sweeps take {words.size_words(self.used)} of the {words.size_words(allowed)} they may: delete "
                f"some first; {VARIABLE} sets how much they may take"
            )
        if (free := _free_bytes()) < SPARE_BYTES:
            raise QuotaFull(
                f"the disk of {places.sweeps_folder()} has {words.size_words(free)} left: delete some runs, sweeps or "
                "other files first"
            )

    def lack_words(self, more: int) -> str:
        """What is to be said before `more` bytes are written; "" where they fit."""
        left = min(allowed_bytes() - self.used, _free_bytes() - SPARE_BYTES)
        if more <= left:
            return ""
        return (
            f"these runs will take about {words.size_words(more)}, and there is room for "
            f"{words.size_words(max(0, left))}: as many as fit are trained"
        )


def _free_bytes() -> int:
    folder = places.sweeps_folder()
    there: Path = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free
