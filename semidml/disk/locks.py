"""One at a time: who makes a large file out of others holds a lock, so that another page or process waits for it."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there two may do the same work, and the later one's files count
    fcntl = None  # type: ignore[assignment]

LOOK_SECONDS = 0.1  # between two looks whether it is free
WITHOUT = (errno.ENOLCK, errno.ENOTSUP)  # of a shared disk without such locks


@contextmanager
def alone(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Holds the lock file `path`, whose folder there must be, alone among all threads and processes of this machine;
    removes it at the end. The system frees it when its holder ends, however it ends. `wait` is called while another
    holds it, and may raise to wait no longer.
    Raises: OSError where there can be no such file."""
    if fcntl is None:
        yield
        return
    handle = take(path, wait)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def take(path: Path, wait: Callable[[], None]) -> int:
    """The file descriptor of a lock file that is locked and lies at `path` still; see `alone`."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            is_free = try_lock(handle)
            if is_free and is_at(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not is_free:
            wait()
            time.sleep(LOOK_SECONDS)


def try_lock(handle: int) -> bool:
    """Lock an open file unless another process or thread holds it; whether that went well, or nobody could tell.
    Raises: OSError for any other trouble."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in WITHOUT:
            raise
    return True


def is_left(path: Path) -> bool:
    """Whether nobody holds the lock file `path` any longer, as when its holder was killed; False where there is no such
    file, or nobody can tell."""
    if fcntl is None:
        return False
    try:
        handle = os.open(path, os.O_RDWR)
    except (FileNotFoundError, PermissionError):  # not there, or another user's
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or on a disk without such locks
        return False
    finally:
        os.close(handle)
    return True


def is_at(handle: int, path: Path) -> bool:
    """Whether a file lies at `path` still: its holder may have removed it after it was opened here."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
