"""Whether the writer of a run is still heard of: by what changes, never by comparing the clocks of two machines.

A writer replaces status.json every two seconds. Whoever looks twice sees that it changed or, by their own monotonic
clock, for how long it did not. At a first look the disk is the clock: what is written there now gets its time, as
status.json did. What was seen first stays there as a note, so that another process that looks later knows since when
nothing has changed, whatever time the file itself claims. Where nothing can be written, a first look believes that a
run goes on, unless that would be a day old.
"""

import time
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from semidml.disk import files
from semidml.runs.status import Status

STALE = 15.0  # seconds without a heartbeat after which a run counts as interrupted
NOTE = ".heard.part"  # which the next writer sweeps away, and no zip takes along
MOST_RUNS = 1000  # whose heartbeats are remembered


class Heard(NamedTuple):
    """What a look at a run has heard."""

    mark: str  # of the heartbeat
    at: float  # when it was new, as far as is known, by this process's monotonic clock
    looked: float  # when it was looked at last, by that clock
    has_changed: bool  # since this process first looked


_heard: OrderedDict[Path, Heard] = OrderedDict()
_heard_lock = Lock()


def listen(folder: Path, status: Status, is_here: bool) -> tuple[float, bool]:
    """(seconds for which nothing has been heard of a running run, whether a heartbeat has been seen to come).
    is_here: whether its process is known to live on this machine, so that a first look need not ask the disk."""
    now, mark = time.monotonic(), repr((status.updated, status.epoch, status.step))
    with _heard_lock:
        before = _heard.get(folder)
    if before is None or (before.mark != mark and now - before.looked > STALE):
        silent = 0.0 if is_here else _silence_on_disk(folder, mark)
        heard = Heard(mark, now - silent, now, False)
    elif before.mark != mark:
        heard = Heard(mark, now, now, True)
    else:
        heard = before._replace(looked=now)
    with _heard_lock:
        _heard[folder] = heard
        _heard.move_to_end(folder)
        while len(_heard) > MOST_RUNS:
            _heard.popitem(last=False)
    return now - heard.at, heard.has_changed


def forget(folder: Path | None = None) -> None:
    """Forget what was heard of a run, or of all, as a new process would begin."""
    with _heard_lock:
        _heard.clear() if folder is None else _heard.pop(folder, None)


def is_replaced(path: Path, seconds: float) -> bool:
    """Whether somebody replaces or changes a file within so many seconds."""
    before, until = _state_of(path), time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.1)
        if _state_of(path) != before:
            return True
    return False


def _state_of(path: Path) -> tuple[int, ...]:
    try:
        state = path.stat()
    except FileNotFoundError:
        return ()
    return state.st_ino, state.st_mtime_ns, state.st_size


def _silence_on_disk(folder: Path, mark: str) -> float:
    """Seconds for which status.json is known to say the same, by the disk's own clock."""
    path, note = folder / "status.json", folder / NOTE
    try:
        now, written = files.disk_time(folder), path.stat().st_mtime
        if note.exists() and note.read_text() == mark:
            return max(0.0, now - written, now - note.stat().st_mtime)
        files.replace_file(note, mark.encode(), durable=False)
        return max(0.0, now - written)
    except FileNotFoundError:  # the folder is gone, or its writer sweeps
        return 0.0
    except OSError:  # it can only be read, or is full
        silent = time.time() - path.stat().st_mtime
        return silent if silent > files.CLOCKS_DIFFER else 0.0
