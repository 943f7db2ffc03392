"""Train a sweep in a process of its own that ends with the one which started it, as the app's does.

    python -m semidml.sweeps.attended NAME        until it is done, or it reads a word or the end of what it reads

What it says is kept in the sweep's driver.log. However either process ends, the sweep goes on where it was.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

from semidml.sweeps.sweep import LOG, Sweep, open_sweep
from semidml.words import trouble_words

PACKAGE = Path(__file__).resolve().parents[2]
CLOSED = "The app was closed, and this sweep stopped with it."
STOP_WORD = b"stop\n"  # what it is told to stop by; the end of what it reads is that of whoever started it
MOST_LOG = 4000  # bytes that are read of its end

_started: dict[Path, subprocess.Popen] = {}  # processes of this one, by the sweep's folder


def start(sweep: Sweep) -> None:
    """Train a sweep in a process that ends with this one. `Sweep.driver` tells when it is at it, `stop` stops it.
    Raises: ValueError while it is being trained, OSError when it cannot be started."""
    if sweep.driver() or is_starting(sweep):
        raise ValueError(f"the sweep {sweep.name} is being trained already")
    command = [sys.executable, "-P", "-m", "semidml.sweeps.attended", sweep.name]
    paths = [str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "SEMIDML_SWEEPS": str(sweep.path.parent)}
    with open(sweep.path / LOG, "wb") as log:
        own = {"stdin": subprocess.PIPE, "stdout": log, "stderr": log, "start_new_session": True}
        process = subprocess.Popen(command, env=environment, **own)
    _started[sweep.path] = process
    threading.Thread(target=_await_end, args=(process,), name=f"sweep {sweep.name}", daemon=True).start()


def stop(sweep: Sweep) -> None:
    """Ask whoever trains a sweep to stop, also a process of this one that is not at it yet, which `Sweep.stop` does not
    know.
    Raises: ValueError when nobody trains it."""
    process = _started.get(sweep.path)
    if process is None or process.returncode is not None:
        sweep.stop()
        return
    try:
        os.write(process.stdin.fileno(), STOP_WORD)
    except (OSError, ValueError):  # it has ended meanwhile, and its pipe is closed
        raise ValueError(f"the sweep {sweep.name} is not being trained") from None
    if (driver := sweep.driver()) and driver.get("pid") != process.pid:  # somebody else was sooner
        sweep.stop()


def _await_end(process: subprocess.Popen) -> None:
    """Leaves no zombie, which would look alive, and no open pipe."""
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def is_starting(sweep: Sweep) -> bool:
    """Whether a process of this one is there to train it, and perhaps not yet at it."""
    process = _started.get(sweep.path)
    return process is not None and process.returncode is None


def last_words(sweep: Sweep) -> list[str]:
    """The last lines that the process which trained it said, the last one last; none where none was started so."""
    try:
        with open(sweep.path / LOG, "rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - MOST_LOG))
            return [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return []


def main(name: str) -> int:
    """Train it, and say what somebody should know."""
    from semidml.sweeps.driver import train_sweep

    told, closed = threading.Event(), threading.Event()

    def watch() -> None:
        if not os.read(0, 4096):
            closed.set()
        told.set()

    threading.Thread(target=watch, daemon=True).start()
    try:
        for progress in train_sweep(open_sweep(name), told=told.is_set):
            for words in progress.news:
                print(words, flush=True)
    except (ValueError, OSError) as error:
        print(trouble_words(error) if isinstance(error, OSError) else error, flush=True)
        return 1
    if closed.is_set():
        print(CLOSED, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
