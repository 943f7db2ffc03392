"""What every run needs loaded, once for all workers of this machine.

To load torch and scikit-learn takes a worker about three seconds. Those of this machine's own cluster are forked from
one process that loads them while whoever trains a sweep still reads its plan (multiprocessing's fork server): the first
run begins sooner, a worker that takes another's place begins at once, and what is loaded is in memory once.
"""

import ctypes
import gc
import os
import sys
from importlib import import_module
from multiprocessing import forkserver, get_all_start_methods, get_context

from semidml import memory

MODULES = (
    *("torch", "torch._dynamo", "safetensors.torch"),  # an optimizer's first step imports the second
    *("sklearn.cluster", "sklearn.datasets", "sklearn.metrics", "sklearn.neighbors"),
    *("semidml.train.loop", "semidml.train.final", "semidml.sweeps.cell"),
)
TRIMMED = ("MALLOC_TRIM_THRESHOLD_", "65536")  # what Dask sets for workers, in bytes
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt, in glibc's malloc.h
KEEPS = 32 * 2**20  # bytes; glibc's own bound of what its thresholds adapt to

_is_warm = False


def begin_to_load() -> None:
    """Start the process from which workers are forked, unless it is there."""
    if can_fork():
        get_context("forkserver").set_forkserver_preload(list(MODULES))
        forkserver.ensure_running()


def can_fork() -> bool:
    """Whether workers of this machine are forked: not where it has GPUs, since what has asked for one before a fork
    cannot use it after."""
    return "forkserver" in get_all_start_methods() and not memory.list_gpus()


def load() -> None:
    """In a worker: load what its runs need, once a process."""
    global _is_warm
    if _is_warm:
        return
    for name in MODULES:
        import_module(name)
    keep_freed_memory()
    gc.freeze()  # what is there now stays: a collection after each run then takes milliseconds
    _is_warm = True


def limit_threads(threads: int) -> None:
    """How many threads the linear algebra of NumPy, SciPy and scikit-learn takes, whatever it was loaded with."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)


def keep_freed_memory() -> bool:
    """Undo what Dask sets for its workers, that a process returns each 64 KiB it frees to the system, and fetches it
    again for the next array: steps of the digits take 1.6 times as long by that. Tells whether there was anything to
    undo; what somebody else has set stays."""
    if sys.platform != "linux" or os.environ.get(TRIMMED[0]) != TRIMMED[1]:
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries than glibc have none
    return mallopt is not None and all([mallopt(MMAP_THRESHOLD, KEEPS), mallopt(TRIM_THRESHOLD, 2 * KEEPS)])
