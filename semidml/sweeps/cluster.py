"""Where many runs are trained: on workers of this machine, or on a Dask cluster that stands already.

A Dask scheduler runs whatever it is sent. The one of this machine is bound to localhost and asks for a certificate that
only this process and its workers have, since other accounts of the machine reach localhost, too. Another is reached by
its address, tcp:// within a network that is trusted, tls:// with certificates of Dask's own configuration elsewhere.
"""

import asyncio
import logging
import os
from contextlib import ExitStack
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.comm import connect
from distributed.core import send_recv
from distributed.security import Security

from semidml import memory
from semidml.sweeps import warm
from semidml.words import size_words

WORKER_BYTES = 700 * 10**6  # of memory that a worker takes with torch, scikit-learn and a small data set
REACH_SECONDS = 4.0  # that a scheduler gets to answer
LOOPBACK = "127.0.0.1"
PRELOAD = "semidml.sweeps.cell"
METHOD = "distributed.worker.multiprocessing-method"
NO_DASHBOARD = {"dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}  # without an address it is open to all
LOGGERS = ("distributed", "distributed.client")  # of Dask, those with a handler of their own
SETTINGS = {  # of the cluster of this machine, whatever the user has configured for others
    "distributed.scheduler.allowed-failures": 0,  # the engine counts: a run that comes further is no bad one
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.nvml": False,
}


class Unreachable(ConnectionError):
    """No scheduler answers, or the one that did has gone."""


class Link:
    """A connection to a cluster, made by `open`; `close` ends it, and the cluster too where that is this machine's."""

    def __init__(self, scheduler: str | None, workers: int | None):
        self.scheduler, self.workers = scheduler, workers
        self.client: Client | None = None
        self._opened = ExitStack()

    @property
    def where(self) -> str:
        """The scheduler in words."""
        return (
            f"the scheduler at {self.scheduler}"
            if self.scheduler
            else "what hands the runs of this machine to its workers"
        )

    def open(self) -> None:
        """Connect; it takes seconds.
        Raises: Unreachable, ValueError in words."""
        self._opened.callback(_silence(logging.CRITICAL))
        if self.scheduler is None:
            self._opened.enter_context(dask.config.set(own_settings()))
            at: Any = self._opened.enter_context(_start_cluster(self.workers))
        else:
            at = self.scheduler
            _greet(self.scheduler)
        self.client = self._opened.enter_context(Client(at, timeout=REACH_SECONDS, set_as_default=False))

    def close(self) -> None:
        """End what was opened."""
        self._opened.close()


def _greet(scheduler: str) -> None:
    """Exchange a word with a scheduler: Dask's client would wait for ever for one that accepts and says nothing.
    Raises: Unreachable."""

    async def exchange() -> None:
        security = Security()  # of Dask's configuration
        comm = await connect(scheduler, timeout=REACH_SECONDS, **security.get_connection_args("client"))
        try:
            await send_recv(comm, op="identity", reply=True)
        finally:
            comm.abort()

    async def exchange_in_time() -> None:
        await asyncio.wait_for(exchange(), REACH_SECONDS)

    try:
        asyncio.run(exchange_in_time())
    except Exception as error:  # whatever somebody else's server answers, or a name server, or a certificate
        words = "what answers is something else" if isinstance(error, MemoryError) else str(error)
        why = (words.splitlines() or [type(error).__name__])[0][:200]
        raise Unreachable(
            f"no Dask scheduler answers at {scheduler}: start one there, or correct SEMIDML_SCHEDULER or --scheduler, "
            f"which is an address such as tcp://head:8786 ({why})"
        ) from None


def own_settings() -> dict[str, Any]:
    """Dask's configuration for the cluster of this machine: as it comes, with SETTINGS."""
    return dask.config.merge(*dask.config.defaults) | SETTINGS | ({METHOD: "forkserver"} if warm.can_fork() else {})


def _start_cluster(workers: int | None) -> SpecCluster:
    warm.begin_to_load()
    gpus = memory.list_gpus()
    count = workers or count_workers(memory.cores(), memory.free_bytes(), len(gpus))
    local = {"host": LOOPBACK, "protocol": "tls://", "security": Security.temporary()}  # made for this cluster alone
    scheduler = {"cls": Scheduler, "options": {**local, **NO_DASHBOARD}}
    options = {**local, **NO_DASHBOARD, "nthreads": 1, "memory_limit": 0, "preload": [PRELOAD]}
    options["silence_logs"] = logging.CRITICAL
    specs = {
        number: {"cls": Nanny, "options": {**options, "env": worker_environment(number, count, memory.cores(), gpus)}}
        for number in range(count)
    }
    return SpecCluster(workers=specs, scheduler=scheduler, security=local["security"], silence_logs=logging.CRITICAL)


def share_workers(taken: int) -> int:
    """How many workers of this machine a sweep gets that nobody has chosen, beside `taken` of other sweeps.
    Raises: ValueError where its memory holds none beside them."""
    free = memory.free_bytes()
    if taken and free < WORKER_BYTES:
        raise ValueError(
            f"{taken} {'worker' if taken == 1 else 'workers'} of this machine train other sweeps, and its memory holds "
            f"none beside them: {size_words(free)} are free, and one takes {size_words(WORKER_BYTES)}; stop another "
            "sweep, or wait until it is done"
        )
    return count_workers(memory.cores(), free, len(memory.list_gpus()), taken)


def count_workers(cores: int, free: int, gpus: int, taken: int = 0) -> int:
    """How many workers a machine gets that nobody has chosen: one a GPU or, without any, one a core, but for those that
    are taken, as far as `free` bytes of memory hold them; at least one."""
    return max(1, min((gpus or cores) - taken, free // WORKER_BYTES))


def worker_environment(number: int, workers: int, cores: int, gpus: list[str]) -> dict[str, str]:
    """Environment of one worker among several: its share of the cores, or fewer where OMP_NUM_THREADS says so, and the
    one GPU that torch will find, taken in turn. Where there are GPUs it is set before torch is imported there. Not run
    on a machine with GPUs yet."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    most = int(asked) if asked.isdecimal() and int(asked) else cores
    threads = str(max(1, min(most, cores // workers)))
    own = {name: threads for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return own | ({"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {})


def _silence(level: int) -> Any:
    """Keep Dask's own remarks off the terminal; gives what undoes it."""
    handlers = [handler for name in LOGGERS for handler in logging.getLogger(name).handlers]
    levels = [(handler, handler.level) for handler in handlers]
    for handler in handlers:
        handler.setLevel(level)
    return lambda: [handler.setLevel(before) for handler, before in levels]
