"""What memory is free, and what is kept in it: all that this process keeps, together, has one budget.

Whoever keeps something in memory that can be had again says so to `keep`, with its buffers and with how to let go of
it; whoever uses it again says so to `touch`. When more is kept than the budget allows, what has not been used for
longest goes, whatever it is: a data set, a model, frames or packed pictures.
"""

import os
import re
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil

from semidml.words import size_setting, size_words

if TYPE_CHECKING:
    import numpy as np

SHARE = 4  # one part of so many of the machine's memory is the budget
RESERVE = 16  # one part of so many stays free
GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
DEEPEST = 12  # lists within lists whose buffers are counted

Buffers = dict[int, int]  # {address: bytes}


# ---- what there is


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def list_gpus() -> list[str]:
    """This machine's NVIDIA GPUs as CUDA_VISIBLE_DEVICES names them, asked without loading torch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() and name.strip() != "-1"]
    devices = [path for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
    return [str(number) for number in range(len(devices))]  # CUDA counts those that a container sees from 0


def machine_bytes() -> int:
    """Bytes of memory that this machine has, or that a control group (a container) leaves to it."""
    return min([psutil.virtual_memory().total, *(group.most for group in _groups())])


def free_bytes() -> int:
    """Bytes that this process may still take without anybody being pushed out of memory: the least of what the system
    has available, what its control groups leave, and what its own limit on addresses does."""
    left = [psutil.virtual_memory().available, *(group.most - group.taken for group in _groups())]
    try:
        import resource
    except ImportError:  # Windows
        return max(0, min(left))
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        left.append(limit - psutil.Process().memory_info().vms)
    return max(0, min(left))


def check_free(size: int, what: str) -> None:
    """Raises ValueError, with both numbers, unless `size` bytes for `what` fit twice into what is free: as much again
    is needed to work with them."""
    free = free_bytes()
    if 2 * size > free:
        raise ValueError(
            f"{what} would take {size_words(size)} of memory, and {size_words(free)} are free, of which half can be "
            "given to it; close other programs, or use fewer or smaller images"
        )


class Group(NamedTuple):
    """A control group's memory in bytes: the most it may take, and what it has taken for good."""

    most: int
    taken: int


def _groups() -> Iterator[Group]:
    """The control groups with a limit that this process is in, and those above them; none but on Linux."""
    if not OWN_GROUPS.exists():
        return
    for line in OWN_GROUPS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = GROUPS, ("memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            top, names = GROUPS / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            continue
        own = PurePosixPath(path.lstrip("/"))
        for folder in dict.fromkeys((own, *own.parents)):  # within a container all but the top may be out of sight
            if group := _group(top / folder, *names):
                yield group


def _group(folder: Path, limit: str, usage: str, prefix: str) -> Group | None:
    """The group in a folder, if it has a limit. Pages of files are not counted: they go where memory is needed."""
    try:
        most, taken = (folder / limit).read_text().strip(), int((folder / usage).read_text())
        facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    if not most.isdecimal() or int(most) >= 1 << 60:  # "max", or what version 1 says for it
        return None
    of_files = sum(int(facts.get(f"{prefix}{name}", 0)) for name in ("inactive_file", "active_file"))
    return Group(int(most), max(0, taken - of_files))


# ---- what is kept


class Kept(NamedTuple):
    buffers: Buffers
    let_go: Callable[[], object]


_kept: OrderedDict[Hashable, Kept] = OrderedDict()  # the least recently used first
_mapped: set[int] = set()  # addresses of files that are mapped: the system holds them, and lets go of them itself
_lock = threading.RLock()


def budget_bytes() -> int:
    """Bytes that all that is kept may take: SEMIDML_MEMORY, or a quarter of the machine's memory.
    Raises: ValueError when the variable cannot be read."""
    return size_setting("SEMIDML_MEMORY", str(machine_bytes() // SHARE))


def kept_bytes() -> int:
    """Bytes of all that is kept; what several of them share counts once."""
    with _lock:
        return sum({at: size for kept in _kept.values() for at, size in kept.buffers.items()}.values())


def keep(key: Hashable, buffers: Buffers, let_go: Callable[[], object]) -> None:
    """Note that something is kept, used just now, and let go of what is beyond the budget, or of as much as the machine
    lacks to have one part in RESERVE of its memory free. The newest stays in any case."""
    with _lock:
        _kept[key] = Kept(buffers, let_go)
        _kept.move_to_end(key)
        allowed = min(budget_bytes(), kept_bytes() + free_bytes() - machine_bytes() // RESERVE)
        gone = []
        while len(_kept) > 1 and kept_bytes() > allowed:
            gone.append(_kept.popitem(last=False)[1])
    for kept in gone:
        kept.let_go()


def touch(key: Hashable) -> bool:
    """Note that something kept was used; whether it is still there."""
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
        return key in _kept


def forget(key: Hashable) -> None:
    """Note that something is kept no longer."""
    with _lock:
        _kept.pop(key, None)


def note_mapped(array: "np.memmap") -> None:
    """An array that is a file's content in place takes none of the budget."""
    address = array.ctypes.data
    _mapped.add(address)
    weakref.finalize(array, _mapped.discard, address)


def buffers_of(value: Any) -> Buffers:
    """{address: bytes} of what a value holds: arrays, tensors, modules, text, and what containers and objects hold, at
    most DEEPEST within one another. Views of one buffer are that buffer, whole; what is held twice, or holds what holds
    it, is looked at once."""
    buffers: Buffers = {}
    visited: dict[int, Any] = {}  # with the values, so that no other gets one's place
    level = [value]
    for _ in range(DEEPEST + 1):
        new = {id(part): part for part in level if id(part) not in visited}
        visited |= new
        level = [part for held in new.values() for part in _count(held, buffers)]
    return buffers


def _count(value: Any, buffers: Buffers) -> list[Any]:
    """Adds a value's own bytes to the buffers; what it holds."""
    if hasattr(value, "ctypes") and hasattr(value, "nbytes"):  # an array; numpy need not be loaded to ask
        while hasattr(value.base, "ctypes"):
            value = value.base
        buffers |= _counted(value.ctypes.data, value.nbytes)
        return []
    if hasattr(value, "untyped_storage"):  # a tensor; torch need not be loaded to ask
        storage = value.untyped_storage()
        buffers |= _counted(storage.data_ptr(), storage.nbytes())
        return []
    buffers[id(value)] = sys.getsizeof(value)
    if hasattr(value, "state_dict"):  # a module
        value = value.state_dict()
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []


def _counted(address: int, size: int) -> Buffers:
    return {} if address in _mapped else {address: size}
