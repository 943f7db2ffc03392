"""What a worker does: it trains the run of one folder, and says when it begins and how it ended.

A scheduler that loses a worker runs again what that one had finished: a run that is done answers with its result.
Nothing heavy is imported before the first run; from then on the process is warm.
"""

import gc
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from distributed import Worker, get_worker

from semidml import __version__
from semidml.execute import execute, explain_failure
from semidml.runs import trained_on
from semidml.runs.run import Run
from semidml.runs.writer import BeingWritten
from semidml.sweeps import parcels, warm

TOPIC = "semidml-cells"  # where workers say that a run begins
YIELDS = 10  # steps of priority below ordinary processes, and 5 below the app's own worker
FREE_SECONDS = 30.0  # in which a run becomes free whose writer has lost its scheduler, or was killed elsewhere
WAIT_SECONDS = 0.5
MOST_LOG = 20_000  # letters of a traceback that travel
LIVES = ("init", "starting", "running", "paused")  # of a worker that is not told to end

_stopped: set[str] = set()  # orders whose runs are to stop


def dask_setup(worker: Worker) -> None:
    """For a worker of this machine's own cluster: it takes the time that others leave, and Ctrl-C in the terminal is
    for its parent, which then asks it to stop."""
    if hasattr(os, "nice"):
        os.nice(YIELDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm.limit_threads(worker_threads())


def hear_stop(keys: Iterable[str]) -> None:
    """Stop the runs of some orders within a tick, or as soon as they begin."""
    _stopped.update(keys)


def say_version() -> str:
    """Of the package on a worker; where there is none, asking fails."""
    return __version__


def train_cell(order: dict[str, Any]) -> dict[str, Any]:
    """Train or resume the run of an order.

    order: {key, folder, token (name and content of a file beside the folder), version, identity, packed (zip or None)}
    Gives {state, why, seconds}, after a failure `log` too, and `packed` where this machine does not see the folder.
    state: done, failed or stopped; `unseen` when the folder is not seen and no zip was sent; `refused` when this worker
    cannot train it and another may; `again` when the worker was told to end meanwhile."""
    try:
        if order["version"] != __version__:
            wanted = f"semidml {__version__} is installed there, and {order['version']} where the runs are"
            return _refused(f"{wanted}: install the same version")
        folder = Path(order["folder"])
        if _sees(folder, order["token"]):
            return _train(Run(folder), order)
        if order["packed"] is None:
            return {"state": "unseen"}
        return _train_parcel(order)
    finally:
        _stopped.discard(order["key"])


def worker_threads() -> int:
    """Torch's threads in this worker: OMP_NUM_THREADS, which Dask sets to 1 where nobody else does."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(threads)) if threads.isdecimal() else 1


def _sees(folder: Path, token: tuple[str, str]) -> bool:
    """Whether this machine reads the disk that the folder is on, not one that has a folder of that name."""
    name, content = token
    try:
        return (folder.parent / name).read_text() == content
    except OSError:
        return False


def _refused(why: str) -> dict[str, Any]:
    return {"state": "refused", "why": f"on {socket.gethostname()}: {why}", "worker": get_worker().address}


def _train_parcel(order: dict[str, Any]) -> dict[str, Any]:
    run = parcels.open_parcel(order["packed"], order["identity"])
    answer = _train(run, order)
    if answer["state"] not in ("done", "failed", "stopped"):
        return answer
    try:
        return answer | {"packed": parcels.pack_run(run)}
    except ValueError as error:
        return answer | {"state": "failed", "why": str(error)}


def _train(run: Run, order: dict[str, Any]) -> dict[str, Any]:
    """Train a run that this machine sees."""
    began = time.monotonic()
    closes = _is_told_to_end(get_worker())
    try:
        if run.recorded().state != "done":
            if refusal := _find_refusal(run):
                return refusal
            if order["key"] in _stopped:
                return {"state": "stopped", "why": "stopped before it began", "seconds": 0.0}
            epoch = run.resume_epoch()
            get_worker().log_event(TOPIC, {"key": order["key"], "epoch": epoch, "host": socket.gethostname()})
            began = time.monotonic()
            _execute_when_free(run, lambda: order["key"] in _stopped or closes())
            gc.collect()
        status = run.status()
        answer: dict[str, Any] = {"state": status.state, "why": status.reason}
    except Exception as error:  # not the run's: it could not be begun, or its end not be written
        answer = {"state": "failed", "why": explain_failure(error, run.config()), "log": traceback.format_exc()}
    if answer["state"] == "stopped" and closes() and order["key"] not in _stopped:
        answer["state"] = "again"
    if (log := run.path / "error.txt").exists():
        answer["log"] = log.read_text()
    if "log" in answer:
        answer["log"] = answer["log"][-MOST_LOG:]
    return answer | {"seconds": time.monotonic() - began}


def _is_told_to_end(worker: Worker) -> Callable[[], bool]:
    return lambda: worker.status.name not in LIVES


def _find_refusal(run: Run) -> dict[str, Any] | None:
    """Why this machine cannot train a run and another may: its data are not here, or are others."""
    warm.load()
    try:
        trained_on.check_data(run, trained_on.load_data(run))
    except ValueError as error:
        return _refused(str(error))
    return None


def _execute_when_free(run: Run, told: Callable[[], bool]) -> None:
    """Train a run, once a worker has let go of it that trained it for a scheduler that is gone.
    Raises: BeingWritten when none has for half a minute."""
    late = time.monotonic() + FREE_SECONDS
    while True:
        try:
            for _ in execute(run, worker_threads(), told=told, watched=False):
                continue
            return
        except BeingWritten:
            if told() or time.monotonic() > late:
                raise
            time.sleep(WAIT_SECONDS)
