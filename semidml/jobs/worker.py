"""A process that trains, or answers: `python -m semidml.jobs.worker` takes jobs on its standard input and ends when
that closes. What it computes may end it, by a fault of native code too: the app has a new one then, and words.

Both ways a line is a JSON object:

    in   {"run": path}                              train or resume the run in that folder
         {"ask": "projection", "job": name, ...}    a question of ANSWERS, with what it needs; "given" and "into" are
                                                    files of arrays (.npz without pickles): the asker's, the answer's
    out  {"ready": true}                            torch is loaded; with `--cold` nothing is, before it is needed
         {"began": job}                             job is the path or the name
         {"at": job, "fraction": 0.3, "text": ""}   of a question
         {"ended": job, "state": "done", "reason": "", "found": {...}}    found: a question's answer, but for its arrays

What it does with a run is `execute.train_in`; the command line does the same in its own process.
"""

import gc
import json
import os
import queue
import shutil
import signal
import sys
import threading
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from semidml import planes
from semidml.config import RunConfig
from semidml.data import store
from semidml.execute import score_run, train_in
from semidml.explore import prior, take_away
from semidml.jobs.lane import COLD
from semidml.memory import cores
from semidml.runs import trained_on
from semidml.runs.run import Run
from semidml.runs.status import Status
from semidml.runs.writer import Writer
from semidml.tasks import Progress
from semidml.words import is_full, trouble_words

PARENT_GONE = "the app that started it ended"
YIELDS = 5  # steps of priority below the app's: a training takes what pages leave, which is all while nobody clicks
MARK_SECONDS = 1.5  # to keep the last finished epoch, and to say so, before this process ends
_writing: list[Writer] = []  # of the run that is trained now, for whoever must end it in a hurry
_folders: list[Path] = []  # of the question that it answers: temporary, and the asker's to remove while there is one


# ---- the process


def main() -> None:
    """See the module. Ends the process within two seconds of the end of its standard input, or of a signal to end,
    whatever it is doing."""
    if hasattr(os, "nice"):
        os.nice(YIELDS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the app, which then closes the pipe
    if os.name == "posix":
        _heed_signals()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print must not get into the protocol
    sys.stdout = sys.stderr
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(asked,), name="standard input", daemon=True).start()
    if COLD not in sys.argv[1:]:
        warm_up(asked)
    say(out, ready=True)
    while True:
        message = asked.get()
        if "ask" in message:
            _answer(out, message)
        else:
            _do_run(out, message["run"])
        gc.collect()


def warm_up(asked: "queue.Queue[dict[str, Any]]") -> None:
    """Load torch and what else a run needs and, unless somebody waits already, train on the digits for a moment."""
    import torch

    import_module("safetensors.torch")
    from semidml.train.loop import fit

    torch.set_num_threads(worker_threads())
    if asked.empty():
        training = fit(RunConfig(data="digits", epochs=1, device="cpu"), store.load("digits"))
        for _ in training:
            training.frame()
        training.finish()
    gc.freeze()  # what is there now stays: measured, a collection takes 0.4 s otherwise


def worker_threads() -> int:
    """Torch's threads in a worker: a core is left to the app and its pages."""
    return max(1, cores() - 1)


def _listen(asked: "queue.Queue[dict[str, Any]]") -> None:
    for line in sys.stdin:
        asked.put(json.loads(line))
    leave()


def _heed_signals() -> None:
    """Leave when told to by a signal: in a thread, which nothing native that goes on in the main one holds up."""
    told, tells = os.pipe()
    os.set_blocking(tells, False)
    signal.set_wakeup_fd(tells)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, lambda *_: None)

    def wait() -> None:
        number = os.read(told, 1)[0]
        leave(f"its process was told to end (signal {number})", 128 + number)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def leave(why: str = PARENT_GONE, code: int = 0) -> None:
    """End this process now; of a run in it the last finished epoch is kept and it is marked as interrupted, if time
    allows; what an asker left is removed."""
    for writer in _writing:
        marking = threading.Thread(target=writer.interrupted, args=(why,), daemon=True)
        marking.start()
        marking.join(MARK_SECONDS)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(code)


def say(out: TextIO, **message: Any) -> None:
    """One line of the protocol."""
    try:
        out.write(json.dumps(message) + "\n")
    except BrokenPipeError:
        leave()


def _do_run(out: TextIO, path: str) -> None:
    say(out, began=path)
    try:
        run = Run(path)
        if run.recorded().state != "done":
            with Writer(run) as writer:
                _writing[:] = [writer]
                for _ in train_in(writer, worker_threads()):
                    continue
        status = run.status()
    except Exception as error:  # not the run's: it could not be begun or its end not be written
        status = Status("failed", _explain(error))
        traceback.print_exception(error)
    _writing.clear()
    say(out, ended=path, state=status.state, reason=status.reason)


def _answer(out: TextIO, asked: dict[str, Any]) -> None:
    job = asked["job"]

    def progress(fraction: float, text: str) -> None:
        say(out, at=job, fraction=fraction, text=text)

    _folders[:] = [Path(asked["into"]).parent]
    say(out, began=job)
    try:
        values, arrays = ANSWERS[asked["ask"]](asked, progress)
        with open(asked["into"], "wb") as file:
            np.savez(file, **arrays)
    except Exception as error:  # whatever it was, who asked is told
        if not isinstance(error, ValueError):
            traceback.print_exception(error)
        say(out, ended=job, state="failed", reason=_explain(error))
    else:
        say(out, ended=job, state="done", reason="", found=values)


def _explain(error: Exception) -> str:
    """Why a question has no answer, in words."""
    if is_full(error):
        return "the disk is full: delete some runs or other files, then ask again"
    if isinstance(error, OSError):
        return trouble_words(error)
    if isinstance(error, MemoryError):
        return "out of memory: end other programs or runs, then ask again"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


# ---- answers: (plain values, arrays) to a question


def _projection(asked: dict[str, Any], progress: Progress) -> tuple[Any, dict[str, np.ndarray]]:
    with np.load(asked["given"], allow_pickle=False) as given:
        latents = given["latents"]
    return None, {"places": planes.project(latents, asked["method"], asked["seed"], progress=progress)}


def _scores(asked: dict[str, Any], progress: Progress) -> tuple[Any, dict[str, np.ndarray]]:
    return score_run(_run_asked_about(asked), full=True, progress=progress, keep=True), {}


def _prior(asked: dict[str, Any], progress: Progress) -> tuple[Any, dict[str, np.ndarray]]:
    fitted = prior.fit_prior(_run_asked_about(asked), asked["components"], asked["seed"])
    return {"config": fitted.config.model_dump(mode="json"), "rows": fitted.rows}, {}


def _rows(asked: dict[str, Any], progress: Progress) -> tuple[Any, dict[str, np.ndarray]]:
    run = _run_asked_about(asked)
    progress(0.0, "reads the images")
    return None, take_away.all_rows(run, trained_on.load_data(run), progress)


ANSWERS = {"projection": _projection, "scores": _scores, "prior": _prior, "rows": _rows}


def _run_asked_about(asked: dict[str, Any]) -> Run:
    """The run of a question that takes torch, which then leaves a core to the app."""
    import torch

    torch.set_num_threads(worker_threads())
    return Run(asked["run"])


if __name__ == "__main__":
    main()
