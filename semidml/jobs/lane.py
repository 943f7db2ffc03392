"""One warm worker process and the jobs that wait for it."""

import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORKER = (sys.executable, "-P", "-m", "semidml.jobs.worker")
COLD = "--cold"  # to a worker: begin without what a training needs
CHECK_SECONDS = 2.0  # between two checks whether an idle worker has ended
LEAVE = 2.5  # seconds that a worker gets to leave when its pipe is closed
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)


@dataclass(frozen=True)
class Job:
    """Something for a worker to do, and who hears of it."""

    key: str
    message: dict[str, Any]
    heard: Callable[[dict[str, Any]], None]
    died: Callable[[str, int | None], None]  # the worker did: why, and its pid
    wanted: Callable[[], bool] = lambda: True  # still, when its turn has come
    visitor: str = ""  # who asked for it, where that is known
    turn: int = 0  # the round of visitors that it is in
    left: Callable[[], None] = lambda: None  # the app ends, and nobody will do it


class Lane:
    """A thread with one worker process, and the jobs that wait for it. The worker starts when needed, or ahead."""

    def __init__(self, name: str, command: Sequence[str], changed: threading.Condition):
        self.name, self.command, self.changed = name, list(command), changed
        self.waiting: deque[Job] = deque()
        self.current: Job | None = None
        self.ready = False
        self.warm = False
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self, warm: bool = False) -> None:
        """Have the thread; called with `changed` held."""
        self.warm = self.warm or warm
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._serve, name=f"jobs: {self.name}", daemon=True)
            self._thread.start()
        self.changed.notify_all()

    def put(self, job: Job, place: int | None = None) -> None:
        """Queue a job, behind all others or before the one at `place`; called with `changed` held."""
        if self._closed:
            job.left()
            return
        self.waiting.insert(len(self.waiting) if place is None else place, job)
        self.start()

    @property
    def pid(self) -> int | None:
        """Of the worker, None when there is none."""
        process = self._process
        return None if process is None else process.pid

    def close(self) -> None:
        """Close the pipe: the worker ends, and what it runs is interrupted."""
        with self.changed:
            self._closed = True
            self.changed.notify_all()
            process, thread = self._process, self._thread
        if process is not None:
            _close_pipe(process)
            try:
                process.wait(LEAVE)
            except subprocess.TimeoutExpired:
                process.kill()
        if thread is not None:
            thread.join(LEAVE)  # what it listened to has ended: it lets go of the process
        with self.changed:
            for job in [*filter(None, [self.current]), *self.waiting]:
                job.left()

    def _serve(self) -> None:
        while not self._closed:
            with self.changed:
                job = self.waiting.popleft() if self.waiting else None
                if job is None and self.current is not None:  # else two idle lanes keep one another awake
                    self.changed.notify_all()
                self.current = job
            if job is not None:
                if job.wanted():
                    self._do(job)
                continue
            if self.warm and self._process is None:
                self._start_ahead()
            with self.changed:
                if not self.waiting and not self._closed:
                    self.changed.wait(CHECK_SECONDS if self._process else None)
            if self._process is not None and self._process.poll() is not None:
                self._forget_worker()
        if self._process is not None:
            self._forget_worker()

    def _start_ahead(self) -> None:
        try:
            self._start_worker()
            if self._listen() is not None:
                return
        except OSError:
            traceback.print_exc()
        self.warm = False  # it cannot even begin: not again until somebody asks for something
        if self._process is not None:
            self._forget_worker()

    def _do(self, job: Job) -> None:
        """Give a job to the worker and listen until it has ended, or the worker has. One that was idle and ends before
        it begins costs nothing: a new one gets the job."""
        idle, began = self._process, False
        while True:
            try:
                self._send(job.message)
            except OSError as error:
                job.died(f"no worker process could be started: {error}", None)
                return
            was_idle = self._process is idle
            while (message := self._listen()) is not None:
                began = began or "began" in message
                job.heard(message)
                with self.changed:
                    self.changed.notify_all()
                if message.get("ended") == job.key:
                    return
            pid = self.pid
            why = self._forget_worker()
            if began or not was_idle or self._closed:
                break
        if not self._closed:
            job.died(why, pid)

    def _send(self, message: dict[str, Any]) -> None:
        """To the worker, or to a new one where the old has ended while it was idle."""
        line = json.dumps(message) + "\n"
        if self._process is not None and self._process.poll() is None and self._write(line):
            return
        if self._process is not None:
            self._forget_worker()
        self._start_worker()
        self._write(line)  # if it has ended at once, listening to it tells

    def _write(self, line: str) -> bool:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):  # it has ended, or the app does and has closed its pipe
            return False
        return True

    def _start_worker(self) -> None:
        package = str(Path(__file__).resolve().parents[2])
        paths, pipe = [package, *filter(None, [os.environ.get("PYTHONPATH")])], subprocess.PIPE
        env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, encoding="utf-8", env=env)
        with self.changed:
            self._process = process
            if self._closed:
                _close_pipe(process)

    def _listen(self) -> dict[str, Any] | None:
        """The worker's next line; None at its end."""
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        message = json.loads(line) if line.endswith("\n") else None
        if message is not None and message.get("ready"):
            with self.changed:
                self.ready = True
                self.changed.notify_all()
        return message

    def _forget_worker(self) -> str:
        """Let go of a worker that has ended or closed its output; in words, how it ended."""
        process = self._process
        assert process is not None and process.stdout is not None
        _close_pipe(process)
        try:
            code = process.wait(LEAVE)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        process.stdout.close()
        with self.changed:
            self._process, self.ready = None, False
            self.changed.notify_all()
        return f"the worker process ended ({_words_for_code(code)})"


def _close_pipe(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
    except BrokenPipeError:  # what was still to be written has no reader any more
        return


def _words_for_code(code: int) -> str:
    if code == -getattr(signal, "SIGKILL", 9):
        return "signal 9: killed, perhaps for lack of memory"
    if code < 0 and -code in CRASHES:
        return f"signal {-code}: a crash in native code"
    if code > 128:  # it was told to end, and put its things in order first
        code = 128 - code
    return f"signal {-code}" if code < 0 else f"exit code {code}; the terminal says more"
