"""A process that trains, or answers: `python -m semidml.worker` takes jobs on its standard input and ends when that
closes. What it computes may end it, by a fault of native code too: the app has a new one then, and words.

Both ways a line is a JSON object:

    in   {"run": path}                              train or resume the run in that folder
         {"ask": "projection", "job": name, ...}    a question of ANSWERS, with what it needs; "given" and "into" are
                                                    files of arrays (.npz without pickles): the asker's, the answer's
    out  {"ready": true}                            torch is loaded; with `--cold` nothing is, before it is needed
         {"began": job}                             job is the path or the name
         {"at": job, "fraction": 0.3, "text": ""}   of a question
         {"ended": job, "state": "done", "reason": "", "found": {...}}    found: a question's answer, but for its arrays

`execute` is what it does with a run; the command line does the same in its own process.
"""

import errno
import gc
import json
import os
import platform
import queue
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from semidml import explore, planes
from semidml.config import RunConfig
from semidml.runs import Run, Status, Writer

if TYPE_CHECKING:  # at run time these would import torch
    from semidml.data.dataset import Dataset
    from semidml.record import Record
    from semidml.train import Training

MACHINE = ("device", "device_name", "matmul_precision", "precision", "threads")  # of a training's facts
COLD = "--cold"
PARENT_GONE = "the app that started it ended"
_writing: list[Writer] = []  # the run of this process, for whoever must end it in a hurry
_folders: list[Path] = []  # of the question that it answers: temporary, and the asker's to remove while there is one


class Stop(Exception):
    """Somebody asked the run to stop."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execute(run: Run | Path | str, threads: int | None = None, full: bool = False) -> "Iterator[Record]":
    """Train or resume a run and write its folder; gives each record once it is written. To stop is to stop iterating.

    Whatever goes wrong ends the run, not the caller: its status then says failed, and why. `threads` sets torch's
    threads and, on a CPU, its matrix precision for the whole process; without it they stay as they are. `full` adds the
    slow scores. Raises ValueError when the run is done already, damaged, or being written by somebody else.
    """
    run = run if isinstance(run, Run) else Run(run)
    config = run.config()
    if run.recorded().state == "done":
        raise ValueError(f"{run.id} is done; it cannot be trained further")
    with Writer(run) as writer:
        _writing.append(writer)
        try:
            yield from _train(writer, config, threads, full)
        finally:
            _writing.remove(writer)


def _train(writer: Writer, config: RunConfig, threads: int | None, full: bool) -> "Iterator[Record]":
    training = None
    try:
        _stop_if_asked(writer)
        training = open_training(writer, config, threads)
        for record in training:
            writer.tick(record, training)
            yield record
            _stop_if_asked(writer)
        writer.save_state(training)
        writer.finish(training, training.finish(full, lambda fraction, text: _stop_if_asked(writer)))
        writer.end("done")
    except GeneratorExit:  # whoever iterates has stopped
        _end(writer, training, "stopped", "")
        raise
    except (Stop, KeyboardInterrupt):
        _end(writer, training, "stopped", "")
    except Exception as error:  # it ends this run, with its reason
        _end(writer, None if is_full(error) else training, "failed", reason(error, config), error)


def _stop_if_asked(writer: Writer) -> None:
    if writer.stopping():
        raise Stop


def open_training(writer: Writer, config: RunConfig, threads: int | None) -> "Training":
    """The training of a run from where it was left, on this machine, which config.json then names."""
    from semidml.data import store
    from semidml.train import fastest_precision, fit, pick_device

    if threads is not None:
        import torch

        torch.set_num_threads(threads)
        if pick_device(config.device).type == "cpu":
            torch.set_float32_matmul_precision(fastest_precision())
    data = store.load(config.data, allow_paths=writer.run.details().get("paths") is True)
    training = fit(config, data, writer.saved_state())
    writer.run.check_drawn(training.rows(), data.name)
    machine = {name: training.facts[name] for name in MACHINE if name in training.facts}
    machine |= {"cores": cores(), "system": platform.system()}
    facts = {name: value for name, value in training.facts.items() if name not in MACHINE}
    images = {"title": data.title, "shape": list(data.shape), "class_names": list(data.class_names)}
    writer.describe(machine=machine, facts=facts, data=images)
    return training


def _end(writer: Writer, training: "Training | None", state: str, why: str, error: Exception | None = None) -> None:
    """Keep the last finished epoch, if the disk takes it, and say how it ended."""
    try:
        if training is not None:
            writer.save_state(training)
        if (
            error is not None
            and not is_full(error)
            and not isinstance(error, ValueError | ArithmeticError | MemoryError)
        ):
            (writer.path / "error.txt").write_text("".join(traceback.format_exception(error)))
    except OSError as further:
        why = "; ".join(part for part in (why, f"its last epochs could not be saved: {further.strerror}") if part)
    writer.end(state, why)


def is_full(error: BaseException) -> bool:
    """Whether the disk, or somebody's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def reason(error: Exception, config: RunConfig) -> str:
    """Why a run failed, in words, and what to do about it."""
    if is_full(error):
        return "the disk is full: delete some runs or other files, then resume"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "out of memory" in str(error).lower()):
        return (
            f"out of memory: lower batch_size (now {config.batch_size}) or labelled_per_class "
            f"(now {config.labelled_per_class}), or choose a smaller encoder than {config.encoder}"
        )
    if isinstance(error, ValueError | FloatingPointError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def evaluate_run(run: Run, full: bool = False, progress: Callable[[float, str], None] | None = None) -> dict[str, Any]:
    """metrics.json's content, anew from a run's weights. Raises ValueError when it has none, or its data or their rows
    are not here."""
    from semidml import train
    from semidml.data import store

    config = run.config()
    model = run.model()
    data = store.load(config.data, allow_paths=run.details().get("paths") is True)
    splits, seen = train.prepare(config, data)
    run.check_rows(splits)
    return train.score(model, config, splits, seen, full=full, progress=progress)


# ---- the process


def main() -> None:
    """See the module. Ends the process within a second of the end of its standard input, whatever it is doing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the app, which then closes the pipe
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
    from semidml.data import store
    from semidml.train import fit

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


def leave() -> None:
    """End this process now; a run in it is marked as interrupted if that can be done in time. The asker is gone: what
    it left for an answer is removed."""
    for writer in _writing:
        marking = threading.Thread(target=writer.interrupted, args=(PARENT_GONE,), daemon=True)
        marking.start()
        marking.join(0.7)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def say(out: TextIO, **message: Any) -> None:
    """One line of the protocol."""
    try:
        out.write(json.dumps(message) + "\n")
    except BrokenPipeError:
        leave()


def _do_run(out: TextIO, path: str) -> None:
    say(out, began=path)
    try:
        for _ in execute(path, worker_threads()):
            continue
        status = Run(path).status()
    except Exception as error:  # not the run's: it could not be begun or its end not be written
        status = Status("failed", str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
        traceback.print_exception(error)
    say(out, ended=path, state=status.state, reason=status.reason)


def _answer(out: TextIO, asked: dict[str, Any]) -> None:
    job = asked["job"]

    def progress(fraction: float, text: str) -> None:
        say(out, at=job, fraction=fraction, text=text)

    _folders[:] = [Path(asked["into"]).parent]
    say(out, began=job)
    try:
        found, arrays = ANSWERS[asked["ask"]](asked, progress)
        with open(asked["into"], "wb") as file:
            np.savez(file, **arrays)
    except Exception as error:  # whatever it was, who asked is told
        if not isinstance(error, ValueError):
            traceback.print_exception(error)
        say(out, ended=job, state="failed", reason=_words(error))
    else:
        say(out, ended=job, state="done", reason="", found=found)


def _words(error: Exception) -> str:
    """Why a question has no answer, in words."""
    if is_full(error):
        return "the disk is full: delete some runs or other files, then ask again"
    if isinstance(error, MemoryError):
        return "out of memory: end other programs or runs, then ask again"
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"


# ---- answers: (plain values, arrays) to a question


def _projection(asked: dict[str, Any], progress: explore.Progress) -> tuple[Any, dict[str, np.ndarray]]:
    with np.load(asked["given"], allow_pickle=False) as given:
        latents = given["latents"]
    return None, {"places": planes.project(latents, asked["method"], asked["seed"], progress=progress)}


def _scores(asked: dict[str, Any], progress: explore.Progress) -> tuple[Any, dict[str, np.ndarray]]:
    return explore.all_scores(*_run_and_data(asked), progress), {}


def _prior(asked: dict[str, Any], progress: explore.Progress) -> tuple[Any, dict[str, np.ndarray]]:
    _limit_torch()
    fitted = explore.fit_prior(Run(asked["run"]), asked["components"], asked["seed"])
    return {"config": fitted.config.model_dump(mode="json"), "rows": fitted.rows}, {}


def _rows(asked: dict[str, Any], progress: explore.Progress) -> tuple[Any, dict[str, np.ndarray]]:
    return None, explore.everything(*_run_and_data(asked))


ANSWERS = {"projection": _projection, "scores": _scores, "prior": _prior, "rows": _rows}


def _run_and_data(asked: dict[str, Any]) -> "tuple[Run, Dataset]":
    from semidml.data import store

    _limit_torch()
    run = Run(asked["run"])
    return run, store.load(run.config().data)


def _limit_torch() -> None:
    import torch

    torch.set_num_threads(worker_threads())


if __name__ == "__main__":
    main()
