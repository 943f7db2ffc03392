"""Folders that are there whole or not at all, while others look."""

import errno
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from semidml.words import trouble_words


def move_folder(folder: Path, target: Path, taken: str) -> None:
    """Rename a folder; one that holds anything does not give way.
    Raises: ValueError that says `taken`; OSError."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise ValueError(taken) from None
        raise


def hide_folder(folder: Path, is_own: Callable[[Path], bool], kind: str) -> Path:
    """Rename a folder, so that it is gone for every reader at once; where it lies then, for `remove_hidden`. A process
    that is killed between the two leaves it to `files.sweep`. kind: what it is, as `run`.
    Raises: ValueError where it holds what is not its own; OSError."""
    strange = sorted(path.name for path in folder.iterdir() if not is_own(path))
    if strange:
        raise ValueError(f"{folder} holds what is not a {kind}'s ({', '.join(strange[:3])}): it is not deleted")
    hidden = folder.with_name(f".deleted-{folder.name}-{secrets.token_hex(4)}")
    folder.rename(hidden)
    return hidden


def remove_hidden(hidden: Path, name: str, kind: str) -> None:
    """Remove what `hide_folder` has hidden. name, kind: what it was.
    Raises: ValueError in words where some of it is still there."""
    try:
        shutil.rmtree(hidden)
    except OSError as error:
        kept = f"{name} is no longer a {kind}, but not all of its files could be removed from {hidden}"
        raise ValueError(f"{kept}: {trouble_words(error)}") from None
