"""The one writer of a run's folder."""

import json
import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semidml.disk import files, locks
from semidml.frames import Record
from semidml.runs import heartbeat, listing, process, quota, tensors
from semidml.runs.estimate import WIDE, kept_frames
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.words import trouble_words

if TYPE_CHECKING:  # at run time these would import torch
    from torch import Tensor

    from semidml.train.loop import Training

HEARTBEAT = 2.0  # seconds between two writes of status.json while running
STATE_EVERY = 5.0  # seconds between two writes of state.safetensors
TICK_SECONDS = 0.5  # that a tick gets to be written when the process must end
LIVE_EVERY = 1.0  # seconds between two frames in the middle of an epoch


class BeingWritten(ValueError):
    """Somebody else writes the run: 'first is being written by pid 7 on box'."""


class Writer:
    """The one writer of a run. As a context it holds the lock and sends the heartbeat. `told`: whether its process was
    told to end. Of a run that is not `watched` frames of its start and its end are written, no more than one heartbeat
    every two seconds whatever its ticks, and a saved state once there is something to lose.
    Raises: BeingWritten when somebody else is writing; ValueError when the run is damaged."""

    def __init__(self, run: Run, told: Callable[[], bool] = lambda: False, watched: bool = True):
        self.run, self.path, self._told, self.watched = run, run.path, told, watched
        self.config = run.config()
        self._kept = kept_frames(self.config.epochs, self.config.latent_dim)
        self._room = quota.Room(self.path)
        self._lock_file = self._take_lock()
        now = time.time()
        owner, epochs = process.this_process(), self.config.epochs
        self._begun = Status("running", epochs=epochs, started=now, updated=now, owner=owner)
        self._record: Record | None = None  # the newest
        self._prepared: dict[str, Any] = {}  # of the status: what is done before the first tick
        self._mutex = threading.Lock()  # over status.json
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._is_settled = False  # the last status is written
        self._ticking = threading.Lock()  # over a tick
        self._saving = threading.Lock()  # over the state
        self._finished: dict[str, Tensor] | None = None  # the state at the end of the last epoch of the history
        self._problem: OSError | None = None  # of the heartbeat
        self._history: int | None = None  # a file descriptor
        self._last = -1  # epoch of the last line of the history
        self._stray: list[int] = []  # frames to remove at the next one
        self._state_epoch, self._frame_due = 0, 0.0
        self._state_due = 0.0 if watched else time.monotonic() + STATE_EVERY
        try:
            if run.recorded().state != "queued":  # a stop before this; while it waited it was meant for this
                (self.path / "stop").unlink(missing_ok=True)
            folders = (self.path, self.path / "frames", self.path / "projections")
            files.sweep((part for folder in folders for part in folder.glob(".*") if files.is_part(part)), 0)
            (self.path / "frames").mkdir(exist_ok=True)
            (self.path / "error.txt").unlink(missing_ok=True)
            write_status(run, self._begun, durable=False)  # its heartbeat follows
        except BaseException:
            self._release_lock()
            raise
        self._heart = threading.Thread(target=self._beat, name=f"heartbeat of {run.id}", daemon=True)
        self._heart.start()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_heart()
        if self._history is not None:
            os.close(self._history)
            self._history = None
        self._release_lock()

    # -- the lock: the system's, which ends with its holder, and the file's content for machines that share the disk

    def _take_lock(self) -> int:
        path = self.path / "lock"
        handle = locks.take(path, lambda: refuse_second(self.run))
        try:
            holder = read_holder(path)
            lives = holder and not process.has_ended(holder) and holder != process.this_process()
            # Of another machine no lock is seen; its heartbeat comes even over what a resume has just written.
            if lives and (self.run.status().state == "running" or self._beats()):
                refuse_second(self.run)
            os.ftruncate(handle, 0)
            os.pwrite(handle, files.as_json(process.this_process()), 0)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _beats(self) -> bool:
        return heartbeat.is_replaced(self.path / "status.json", 2.5 * HEARTBEAT)

    def _release_lock(self) -> None:
        (self.path / "lock").unlink(missing_ok=True)
        os.close(self._lock_file)

    # -- the status and its heartbeat

    def _beat(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(HEARTBEAT)
            self._wake.clear()
            try:
                self._write_heartbeat()
                self._problem = None
            except OSError as error:  # the training thread raises it at its next tick
                self._problem = error
            self._ended.wait(0.05)  # at most so often, however many ticks there are

    def _write_heartbeat(self) -> None:
        with self._mutex:
            if not self._ended.is_set():
                write_status(self.run, self._status_now(), durable=False, passing=True)

    def _status_now(self, **parts: Any) -> Status:
        """Where the run stands by its newest record, with other parts in their place."""
        now: dict[str, Any] = {"updated": time.time()} | (
            {} if self._record or self._ended.is_set() else self._prepared
        )
        if record := self._record:
            now |= {"epoch": record.epoch, "step": record.step, "steps": record.steps, "latest": asdict(record)}
        return replace(self._begun, **now | parts)

    def _stop_heart(self) -> None:
        self._ended.set()
        self._wake.set()
        self._heart.join()

    def stopping(self) -> bool:
        """Whether somebody asked for a stop, or told the process to end."""
        return self._told() or (self.path / "stop").exists()

    # -- beginning

    def saved_state(self) -> "dict[str, Tensor] | None":
        """What to resume from, None to begin anew; history and frames are cut to it.
        Raises: ValueError when it is damaged."""
        state = None
        if (self.path / tensors.STATE).exists():
            try:
                state = tensors.read_state(self.path, self.config, self.run.details().get("data"))
            except ValueError as error:
                raise ValueError(f"{tensors.STATE} cannot be used ({error}); delete it to begin anew") from None
            self._state_epoch = int(state["epoch"])
        self._cut(self._state_epoch if state else -1)
        return state

    def _cut(self, epoch: int) -> None:
        """Drop what came after an epoch."""
        path = self.path / "history.jsonl"
        text = path.read_bytes() if path.exists() else b""
        lines = text[: text.rfind(b"\n") + 1].splitlines(keepends=True)
        lines = [line for line in lines if json.loads(line)["epoch"] <= epoch]
        kept = b"".join(lines)
        files.replace_file(path, kept, durable=kept != text)  # a file of this run's own, whatever lay there
        self._history = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._last = json.loads(lines[-1])["epoch"] if lines else -1
        for later in (frame for frame in self.run.frames() if frame > epoch):
            self._frame_path(later).unlink()
        self._stray += [frame for frame in self.run.frames() if frame not in self._kept]
        for name in ("frames/live.npz", "weights.safetensors", "metrics.json", "test_metrics.json"):
            (self.path / name).unlink(missing_ok=True)
        for file in self.path.glob("projections/*.npz"):
            of = file.stem.rpartition("-")[2]
            if of.isdecimal() and int(of) > epoch:
                file.unlink()

    def describe(self, **parts: dict[str, Any]) -> None:
        """Add machine, data and facts to config.json."""
        details = self.run.details() | {"versions": listing.versions()} | parts
        files.replace_file(self.path / "config.json", files.as_json(details))

    def prepare(self, share: float, words: str) -> None:
        """Say in the status what is done before the first step, and how far that is, 0 to 1. It stays until the first
        tick; the heartbeat writes it."""
        is_new = not self._prepared
        self._prepared = {"preparing": words, "prepared": min(1.0, max(0.0, share))}
        if is_new:
            self._wake.set()

    # -- while it goes on

    def tick(self, record: Record, training: "Training") -> None:
        """Write what is new.
        Raises: OSError when the disk does not take it, or the quota (`quota.QuotaFull`)."""
        if self._problem is not None:
            raise self._problem
        line = record.to_json()  # at every tick: what JSON cannot hold is then an error here, not in the heartbeat
        with self._ticking:
            if record.ends_epoch:
                self._end_of_epoch(record, line, training)
            elif self.watched and time.monotonic() >= self._frame_due:
                began = time.monotonic()
                self._save_frame(self.path / "frames" / "live.npz", record, training, durable=False)
                self._pace(began)
            self._record = record
        if self.watched:
            self._wake.set()

    def _end_of_epoch(self, record: Record, line: str, training: "Training") -> None:
        if not (self.path / "rows.npz").exists():
            rows = training.rows()
            self._room.take(_size(rows))
            files.replace_file(self.path / "rows.npz", lambda file: np.savez(file, **rows))
        epoch, began = record.epoch, time.monotonic()
        is_end = epoch in (0, self.config.epochs)
        is_kept = is_end or (self.watched and epoch in self._kept)
        if is_kept or (self.watched and began >= self._frame_due):
            self._save_frame(self._frame_path(epoch), record, training, durable=is_kept)
            for stray in self._stray:
                if stray != epoch:
                    self._frame_path(stray).unlink(missing_ok=True)
            self._stray = [] if is_kept else [epoch]
            self._pace(began)
            (self.path / "frames" / "live.npz").unlink(missing_ok=True)  # not before: the map would fall back
        if epoch > self._last:
            self._append(line.encode() + b"\n")
            self._last = epoch
        self._finished = training.state()
        if epoch and time.monotonic() >= self._state_due:
            self.save_state()

    def _frame_path(self, epoch: int) -> Path:
        return self.path / "frames" / f"{epoch:04d}.npz"

    def _pace(self, began: float) -> None:
        """No frame that need not be kept for the next second, nor before ten times what the last one took."""
        now = time.monotonic()
        self._frame_due = now + max(LIVE_EVERY, 10 * (now - began))

    def _save_frame(self, path: Path, record: Record, training: "Training", durable: bool) -> None:
        # Not compressed: measured on 20,000 rows, deflate takes 16 ms instead of 1 and saves a fifth.
        arrays = replace(training.frame(), epoch=record.epoch, step=record.step).arrays()
        if arrays["latents"].shape[1] > WIDE:
            arrays["latents"] = arrays["latents"].astype(np.float16)
        self._room.take(_size(arrays))
        files.replace_file(path, lambda file: np.savez(file, **arrays), durable)

    def _append(self, line: bytes) -> None:
        """Append to the history; on an error what was written of the line is taken back."""
        assert self._history is not None
        end = os.fstat(self._history).st_size
        try:
            written = 0
            while written < len(line):
                written += os.write(self._history, line[written:])
        except OSError:
            os.ftruncate(self._history, end)
            raise

    def save_state(self, durable: bool = True) -> None:
        """Save what a resume needs, as of the last epoch of the history, unless that is saved already or is not finite.
        Any thread may ask for it."""
        import torch
        from safetensors.torch import save

        self._state_due = time.monotonic() + STATE_EVERY
        with self._saving:
            state = self._finished
            epoch = 0 if state is None else int(state["epoch"])
            if epoch <= self._state_epoch or not all(torch.isfinite(t).all() for t in state.values()):
                return
            content = save({name: tensor.contiguous() for name, tensor in state.items()})
            self._room.take(len(content))
            files.replace_file(self.path / "state.safetensors", content, durable)
            self._state_epoch = epoch

    def save_last_state(self) -> None:
        """Save the state of a training that went to its end, whose scores may take long; of one that nobody watches
        only if the last is as old as one may be."""
        if self.watched or time.monotonic() >= self._state_due:
            self.save_state()

    # -- ending

    def finish(self, training: "Training", metrics: dict[str, Any], tested: dict[str, Any] | None = None) -> None:
        """Write the weights and scores of a training that went to its end; `tested`: those of the test images, where
        the others are of held-out ones."""
        from safetensors.torch import save

        weights = {name: tensor.contiguous() for name, tensor in training.weights().items()}
        content = save(weights)
        self._room.take(len(content))
        files.replace_file(self.path / "weights.safetensors", content)
        files.replace_file(self.path / "metrics.json", files.as_json(_finite(metrics)))
        if tested is not None:
            files.replace_file(self.path / "test_metrics.json", files.as_json(_finite(tested)))

    def end(self, state: str, reason: str = "") -> Status:
        """The last status: done, stopped or failed. The unfinished epoch is dropped, and, when done, the state."""
        self._stop_heart()
        if state != "done":
            (self.path / "frames" / "live.npz").unlink(missing_ok=True)
            saved = self.run.resume_epoch()
            reason = "; ".join(part for part in (reason, self.run.resume_words() if saved else "") if part)
        with self._mutex:
            status = self._settle(state, reason, self._last if self._last >= 0 else self.run.resume_epoch())
        if state == "done":
            (self.path / "state.safetensors").unlink(missing_ok=True)
        (self.path / "stop").unlink(missing_ok=True)
        return status

    def interrupted(self, reason: str) -> None:
        """From another thread, when this process must end now: let the training go no further, keep the last finished
        epoch, if the disk takes it, and say so in status.json. Nothing waits for the disk's own caches."""
        self._ticking.acquire(timeout=TICK_SECONDS)  # never given back
        self._ended.set()
        try:
            self.save_state(durable=False)
        except OSError as error:
            reason = f"{reason}; its last epochs could not be saved: {trouble_words(error)}"
        with self._mutex:
            if not self._is_settled:
                reason = f"{reason}; {self.run.resume_words()}"
                self._settle("interrupted", reason, self.run.resume_epoch(), durable=False)

    def _settle(self, state: str, reason: str, epoch: int, durable: bool = True) -> Status:
        """Write the last status, of a finished epoch."""
        ended: dict[str, Any] = {"state": state, "reason": reason, "epoch": epoch, "step": 0}
        now = self._record or Record(0, 0, 0, 0.0)
        if now.step or now.epoch != epoch:
            records = [record for record in self.run.history() if record.epoch <= epoch]
            ended["latest"] = asdict(records[-1]) if records else None
        status = self._status_now(**ended, owner={})  # nobody writes it any more; a run may be sent to others
        write_status(self.run, status, durable)
        self._is_settled = True
        return status


def refuse_second(run: Run) -> None:
    """Raises BeingWritten that names who writes a run, if its lock says so; that says nothing while somebody holds it
    for a moment, to change what only one may change."""
    if holder := read_holder(run.path / "lock"):
        raise BeingWritten(f"{run.id} is being written by {process.words_for(holder)}")


def read_holder(lock: Path) -> dict[str, Any]:
    """The process that a lock file names; nothing where it is nobody's."""
    try:
        return files.read_json(lock)
    except ValueError:  # empty: nobody's
        return {}


def _size(arrays: Mapping[str, np.ndarray]) -> int:
    """Bytes of arrays in a file, but for their headers."""
    return sum(np.asarray(array).nbytes for array in arrays.values())


def _finite(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Scores with null for what is not finite, and its reason under `failed`."""
    broken = {k for k, v in metrics.items() if isinstance(v, float) and not math.isfinite(v)}
    finite = {k: None if k in broken else v for k, v in metrics.items()}
    failed = {**{k: "not finite" for k in sorted(broken)}, **metrics.get("failed", {})}
    return finite | ({"failed": failed} if failed or "failed" in metrics else {})
