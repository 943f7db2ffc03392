"""Train the run in a folder, or score it anew, here and now: what a worker process, the command line and any other
machine call. It knows no process of ours and may be called twice.
"""

import platform
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semidml.config import RunConfig
from semidml.disk import files
from semidml.memory import cores
from semidml.runs import quota, trained_on
from semidml.runs.run import Run
from semidml.runs.writer import Writer
from semidml.tasks import NOT_KEPT, Progress
from semidml.words import is_full, trouble_words

if TYPE_CHECKING:  # at run time these would import torch
    from semidml.frames import Record
    from semidml.train.loop import Training

MACHINE = ("device", "device_name", "matmul_precision", "precision", "threads")  # of a training's facts


class Stop(Exception):
    """Somebody asked the run to stop."""


def execute(
    run: Run | Path | str,
    threads: int | None = None,
    full: bool = False,
    told: Callable[[], bool] = lambda: False,
    progress: Progress = lambda fraction, text: None,
    watched: bool = True,
) -> "Iterator[Record]":
    """Train or resume the run in a folder and write it there; gives each record once it is written. To stop is to stop
    iterating. A run that is done already gives its last record: whoever calls twice has the same result.

    Whatever goes wrong ends the run, not the caller: its status then says failed, and why. `threads` sets torch's
    threads and, on a CPU, its matrix precision for the whole process; without it they stay as they are. `full` adds the
    slow scores. `told` says whether this process was told to end: the run then stops as if somebody had asked for it.
    `progress` is told how far the reading of its data is.

    `watched` is false where nobody looks while it goes on, as at a cell of a sweep: weights and final scores are then
    the same to the bit, and what only a map in motion and curves of scores are drawn from is left out (`Training`,
    `Writer`); a run that was made so (`scored`) keeps its live scores. A run may be begun in one way and resumed in the
    other. What the app or the command line trains is watched, in a terminal or not: any page on the same disk can open
    it.

    Raises: ValueError when the run is damaged, or being written by somebody else.
    """
    run = run if isinstance(run, Run) else Run(run)
    if run.recorded().state == "done":
        yield from run.history()[-1:]
        return
    with Writer(run, told, watched) as writer:
        yield from train_in(writer, threads, full, progress)


def train_in(
    writer: Writer,
    threads: int | None = None,
    full: bool = False,
    progress: Progress = lambda fraction, text: None,
) -> "Iterator[Record]":
    """As `execute`, for who holds the run's writer."""
    config = writer.config
    try:
        _stop_if_asked(writer)
        training = open_training(writer, config, threads, progress)
        _stop_if_asked(writer)  # while the data were read
        for record in training:
            writer.tick(record, training)
            yield record
            _stop_if_asked(writer)
        writer.save_last_state()
        metrics = training.finish(full, lambda fraction, text: _stop_if_asked(writer))
        writer.finish(training, metrics, _score_test(writer, training))
        writer.end("done")
    except GeneratorExit:  # whoever iterates has stopped
        _end(writer, "stopped", "")
        raise
    except (Stop, KeyboardInterrupt):
        _end(writer, "stopped", "")
    except Exception as error:  # it ends this run, with its reason
        _end(writer, "failed", explain_failure(error, config), error)


def _score_test(writer: Writer, training: "Training") -> dict[str, Any] | None:
    """Scores of the test images by the same weights, where a run that is scored on held-out ones was asked for both."""
    details = writer.run.details()
    if writer.config.evaluate_on != "validation" or details.get("both") is not True:
        return None
    data = trained_on.load_data(writer.run)
    trained_on.check_data(writer.run, data)
    return training.score_test(data, lambda fraction, text: _stop_if_asked(writer))


def _stop_if_asked(writer: Writer) -> None:
    if writer.stopping():
        raise Stop


def open_training(
    writer: Writer, config: RunConfig, threads: int | None, progress: Progress = lambda fraction, text: None
) -> "Training":
    """The training of a run from where it was left, on this machine, which config.json then names. How far the reading
    of its data is, the run's status and `progress` are told; who asks the run to stop is heard meanwhile."""
    from semidml.train.device import fastest_precision, pick_device
    from semidml.train.loop import fit

    if threads is not None:
        import torch

        torch.set_num_threads(threads)
        if pick_device(config.device).type == "cpu":
            torch.set_float32_matmul_precision(fastest_precision())

    def tell(share: float, words: str) -> None:
        _stop_if_asked(writer)
        writer.prepare(share, words)
        progress(share, words)

    data = trained_on.load_data(writer.run, tell)
    trained_on.check_data(writer.run, data)
    scored = writer.watched or writer.run.details().get("scored") is True
    training = fit(config, data, writer.saved_state(), scored)
    trained_on.check_drawn(writer.run, training.rows(), data.name)
    machine = {name: training.facts[name] for name in MACHINE if name in training.facts}
    machine |= {"cores": cores(), "system": platform.system()}
    facts = {name: value for name, value in training.facts.items() if name not in MACHINE}
    writer.describe(machine=machine, facts=facts, data=trained_on.describe_data(data))
    return training


def _end(writer: Writer, state: str, why: str, error: Exception | None = None) -> None:
    """Keep the last finished epoch, if the disk takes it, and say how it ended."""
    try:
        if error is None or not is_full(error):
            writer.save_state()
        if error and not (is_full(error) or isinstance(error, ValueError | ArithmeticError | MemoryError)):
            (writer.path / "error.txt").write_text("".join(traceback.format_exception(error)))
    except OSError as further:
        why = "; ".join(part for part in (why, f"its last epochs could not be saved: {trouble_words(further)}") if part)
    writer.end(state, why)


def explain_failure(error: Exception, config: RunConfig) -> str:
    """Why a run failed, in words, and what to do about it."""
    if isinstance(error, quota.QuotaFull):
        return str(error)
    if is_full(error):
        return "the disk is full: delete some runs or other files, then resume"
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _lacks_memory(str(error).lower())):
        return (
            f"out of memory: lower batch_size (now {config.batch_size}) or labelled_per_class "
            f"(now {config.labelled_per_class}), or choose a smaller encoder than {config.encoder}"
        )
    if isinstance(error, ValueError | FloatingPointError):
        return str(error)
    if isinstance(error, OSError):
        return trouble_words(error)
    return f"{type(error).__name__}: {error}"


def _lacks_memory(words: str) -> bool:
    """Whether torch's words, in small letters, are those of a GPU or of a CPU whose memory is full."""
    return any(part in words for part in ("out of memory", "can't allocate memory", "not enough memory"))


def score_run(
    run: Run, full: bool = False, progress: Callable[[float, str], None] | None = None, keep: bool = False
) -> dict[str, Any]:
    """metrics.json's content, anew from a run's weights; `full` adds the forest and the MLP classifier. With `keep` it
    becomes the run's, beside scores that are there already; a shipped run's folder is left as it is. Where it cannot be
    stored, `progress` is told so last, and the scores are as good.

    Raises: ValueError when the run has no weights, or its data or their rows are not here."""
    from semidml.train import final

    config = run.config()
    model = run.model()
    data = trained_on.load_data(run, progress or (lambda fraction, text: None))
    splits, seen = trained_on.read_splits(run, data)
    metrics = final.score_model(model, config, splits, seen, full=full, progress=progress)
    if not keep:
        return metrics
    before = {} if run.damage() else run.metrics() or {}  # damaged ones are replaced
    metrics = {k: v for k, v in before.items() if k not in ("failed", "notes")} | metrics
    if not run.is_shipped:
        content = files.as_json(metrics)
        try:
            quota.check_more(run.path, len(content))
            files.replace_file(run.path / "metrics.json", content)
        except OSError as error:
            if progress is None:
                raise
            progress(1.0, f"{NOT_KEPT}: {trouble_words(error)}")
    return metrics
