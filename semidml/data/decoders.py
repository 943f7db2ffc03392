"""Image files read by several processes at once, one a core: `python -m semidml.data.decoders` is one of them.

Measured on two cores, threads instead win nothing on small files, whose time Python takes and not Pillow. The processes
are our own and not multiprocessing's: those would run the app's page once more, and live on when the app is killed.
Each takes a pickled (function, files, ...) from its standard input, answers with what that returns, and ends when its
input does.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from io import BytesIO
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

from semidml import memory
from semidml.data import image_files
from semidml.data.image_files import Member

FILE_COST = 5000  # bytes of a photograph that take as long to decode as it takes to open any file
SHARED_FROM = 25 << 20  # cost of files, half a second or more, that is worth the start of processes
BATCH_COST = 5 << 18  # of files that a process is given at a time: some hundredths of a second
BATCH_BYTES = 8 << 20  # of pixels that it then answers with
PROCESS_BYTES = 512 << 20  # that decoding an image of the most pixels may take
BEAT = 0.2  # seconds between two calls of `beat`, however long an image takes
YIELDS = 5  # steps of priority below the app's: pages go first

Answers = list[Any]


def cost_of(members: Sequence[Member]) -> int:
    """How long files take to decode, as bytes of photographs that take as long."""
    return sum(FILE_COST + member.size for member in members)


def outcomes(
    function: Callable[..., Answers],
    members: Sequence[Member],
    given: Callable[[], tuple],
    each: int,
    beat: Callable[[], object],
) -> Iterator[Any]:
    """What `function(files, *given())`, of `decoding`, says of each file, in their order, as one process would; what is
    an exception is raised. each: bytes that it answers with of a file; beat: called now and then while it goes on, and
    may raise to end it.
    Raises: ValueError where a process ends before its time, as one that is killed."""
    workers = _count_workers(members)
    batches = _batches(members, each)
    answered = (
        _share_out(function, batches, given, workers, beat)
        if workers > 1
        else (function(batch, *given()) for batch in batches)
    )
    with closing(answered):  # an exception that is kept would keep the processes
        for answers in answered:
            beat()
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
                yield answer


def _count_workers(members: Sequence[Member]) -> int:
    """How many processes are worth their start, and have the memory."""
    if cost_of(members) < SHARED_FROM:
        return 1
    return min(memory.cores(), memory.free_bytes() // PROCESS_BYTES)


def _batches(members: Sequence[Member], each: int) -> Iterator[list[Member]]:
    batch: list[Member] = []
    cost = 0
    for member in members:
        own = cost_of([member])
        if batch and (cost + own > BATCH_COST or (len(batch) + 1) * each > BATCH_BYTES):
            yield batch
            batch, cost = [], 0
        batch.append(member)
        cost += own
    if batch:
        yield batch


def _share_out(
    function: Callable[..., Answers],
    batches: Iterator[list[Member]],
    given: Callable[[], tuple],
    workers: int,
    beat: Callable[[], object],
) -> Iterator[Answers]:
    """The answers to each batch, in order; when the iteration ends, however it ends, no process is left."""
    with ExitStack() as opened:
        idle: SimpleQueue[_Decoder] = SimpleQueue()
        threads = opened.enter_context(ThreadPoolExecutor(workers, "decoders"))
        for _ in range(workers):
            try:
                decoder = _Decoder()
            except OSError as error:
                if idle.empty():
                    raise ValueError(
                        f"the system starts no process to decode images ({error.strerror}); end other programs"
                    ) from error
                break  # there are some already
            opened.callback(decoder.end)  # before the threads, which then wait for nothing
            idle.put(decoder)

        def ask(batch: list[Member], more: tuple) -> Answers:
            decoder = idle.get()
            try:
                return decoder.ask(function, batch, more)
            finally:
                idle.put(decoder)

        pending: deque[Future[Answers]] = deque()
        opened.callback(lambda: [future.cancel() for future in pending])
        for batch in batches:
            pending.append(threads.submit(ask, [_sendable(member) for member in batch], given()))
            if len(pending) >= workers + 2:
                yield _wait(pending.popleft(), beat)
        while pending:
            yield _wait(pending.popleft(), beat)


def _wait(answers: "Future[Answers]", beat: Callable[[], object]) -> Answers:
    while True:
        try:
            return answers.result(BEAT)
        except TimeoutError:
            if answers.done():
                raise
            beat()


def _sendable(member: Member) -> Member:
    """A file that another process can open: one of an archive takes its content along, or what is wrong with it."""
    if isinstance(member.open, partial) and member.open.func is open:
        return member
    if member.size > image_files.MAX_FILE_BYTES:
        return member._replace(open=_never_opened)
    try:
        with member.open() as file:
            return member._replace(open=partial(BytesIO, file.read()))
    except MemoryError:
        raise
    except Exception as error:  # what it means is said where files are opened
        return member._replace(open=partial(_raise, error))


def _raise(error: Exception) -> NoReturn:
    raise error


def _never_opened() -> NoReturn:
    raise AssertionError("a file that is too large is refused before it is opened")


class _Decoder:
    """A process that reads files."""

    def __init__(self) -> None:
        package = str(Path(__file__).resolve().parents[2])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        env = os.environ | threads | {"PYTHONPATH": os.pathsep.join(paths)}
        # -P: what lies in the working folder, as a PIL.py, is no library
        command, pipe = [sys.executable, "-P", "-m", "semidml.data.decoders"], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env)

    def ask(self, function: Callable[..., Answers], batch: list[Member], more: tuple) -> Answers:
        """What `function(batch, *more)` returns there.
        Raises: ValueError where the process has ended."""
        try:
            pickle.dump((function, batch, more), self._process.stdin, pickle.HIGHEST_PROTOCOL)
            self._process.stdin.flush()
            return pickle.load(self._process.stdout)
        except (BrokenPipeError, EOFError, pickle.UnpicklingError) as error:  # the last of half an answer
            code = self._process.wait()
            why = f"signal {-code}" if code < 0 else f"status {code}"
            killed = ": killed, perhaps for lack of memory" if code == -getattr(signal, "SIGKILL", 9) else ""
            raise ValueError(
                f"a process that decodes images has ended ({why}{killed}) at {batch[0].path} or one of the "
                f"{len(batch) - 1:,} files after it; try again, and if it ends there again, take those files away"
            ) from error

    def end(self) -> None:
        """It has nothing to lose."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        try:
            self._process.stdin.close()
        except BrokenPipeError:  # what was still to be written has no reader any more
            return


def main() -> None:
    """Answers until there are no more questions."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for who asks
    if hasattr(os, "nice"):
        os.nice(max(0, YIELDS - os.nice(0)))
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    while True:
        try:
            function, batch, more = pickle.load(sys.stdin.buffer)
            pickle.dump(function(batch, *more), out, pickle.HIGHEST_PROTOCOL)
            out.flush()
        except (EOFError, BrokenPipeError):  # who asks has ended
            os._exit(0)


if __name__ == "__main__":
    main()
