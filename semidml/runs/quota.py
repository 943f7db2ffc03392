"""How much the user's runs may hold on the disk."""

import os
import re

from semidml import words
from semidml.disk import files
from semidml.runs import places

QUOTA = "2GB"


def allowed_bytes() -> int:
    """Bytes that the user's runs may take: SEMIDML_QUOTA ('500MB', '2 GB', or bytes), by default 2 GB.
    Raises: ValueError when that cannot be read."""
    text = os.environ.get("SEMIDML_QUOTA") or QUOTA
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip().upper())
    if not match:
        raise ValueError(f"SEMIDML_QUOTA must be a size such as 500MB or 2GB, got {text!r}")
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2] or " "))


def used_bytes() -> int:
    """Bytes that the user's runs take now."""
    return files.folder_size(places.runs_folder())


def sweep_runs() -> None:
    """Remove what a process left that was killed while it deleted or imported a run."""
    files.sweep([*places.runs_folder().glob(".deleted-*"), *places.runs_folder().glob(".import-*")])


def check_quota(more: int = 0) -> None:
    """Raises ValueError, naming what could be deleted, when the runs and `more` bytes pass the quota."""
    used, allowed = used_bytes(), allowed_bytes()
    if used + more < allowed:
        return
    paths = [path for path in places.runs_folder().iterdir() if places.valid_id(path.name)] if used else []
    sizes = [(files.folder_size(path), path.name) for path in paths]
    largest = ", ".join(f"{name} ({words.size_words(size)})" for size, name in sorted(sizes, reverse=True)[:3])
    raise ValueError(
        f"the runs take {words.size_words(used)} of the {words.size_words(allowed)} they may"
        + (f", and this needs {words.size_words(more)} more" if more else "")
        + (f": delete some first, the largest are {largest}" if largest else "")
        + "; SEMIDML_QUOTA sets how much they may take"
    )
