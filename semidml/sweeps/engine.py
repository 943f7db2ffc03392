"""Train the runs of many folders, as many at a time as there are workers, and tell what comes of each.

    for event in train_folders(folders, stop=lambda: False):
        if event is not None:
            print(event.folder.name, event.state, event.why)

It knows folders of runs only. Of a worker that is lost the run goes on elsewhere from its last epoch; one that loses
its worker three times without coming further has failed, as one has that ends with an error, and the others go on.
"""

import hashlib
import json
import os
import queue
import secrets
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from distributed import Client, Future, KilledWorker

from semidml import __version__
from semidml.disk import files
from semidml.runs.run import Run
from semidml.runs.writer import Writer
from semidml.sweeps import cell as worker_side
from semidml.sweeps import parcels
from semidml.sweeps.cluster import Link, Unreachable
from semidml.words import trouble_words

BEAT = 0.4  # seconds without news after which None is given
REFRESH = 2.0  # seconds between two looks at which workers there are
AHEAD = 2  # runs a thread of a worker that the scheduler knows of: no more, however many there are
ATTEMPTS = 3  # of a run whose workers are lost before it comes further
EARLY_ATTEMPTS = 12  # of one whose workers are lost before it begins: those that wait beside a bad one lose theirs, too
RESULT_SECONDS = 5.0  # that an answer gets to arrive
TOKEN = ".shared-"  # begins the name of a file by which a worker knows this disk


@dataclass(frozen=True)
class Event:
    """What happened to a run. seconds: of its last attempt, from its beginning on a worker."""

    folder: Path
    state: Literal["running", "done", "failed", "stopped"]
    why: str = ""
    seconds: float = 0.0


@dataclass
class Cell:
    """A run that the scheduler knows of."""

    run: Run
    data: str  # which data it asks for: their name, and what is known of them
    identity: str  # of the run, the same whoever sends it
    key: str = ""  # of the order that is out
    future: Future | None = None
    lost: int = 0  # attempts that lost their worker since it last came further
    early: int = 0  # attempts that lost their worker before it said that it begins
    epoch: int = 0  # that it went on from, as far as is known
    ordered: int = 0  # the epoch from which its order was to go on
    is_running: bool = False
    is_away: bool = False  # its zip has been sent
    allowed: frozenset[str] = field(default_factory=frozenset)  # workers, where not all are


def train_folders(
    folders: Iterable[Path],
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    told: Callable[[str], None] = lambda words: None,
) -> Iterator[Event | None]:
    """Train or resume the run in each folder; give what happens to them in the order in which it does, and None at
    least each half second. Folders are asked for as workers become free. A run that is done already is told so.

    Without `scheduler` (or SEMIDML_SCHEDULER), the address of a Dask scheduler, it has `workers` processes of its own,
    by default one a core or GPU, which end with this process. `stop`, asked each half second, ends it: those that train
    stop within a tick, with an event, and those that wait are left as they are, without one; so does closing the
    iterator. `told` hears what somebody should know of the workers, in sentences.

    Start it in a process whose main module may be imported again, as that of `python -m semidml` may: never in
    Streamlit's.
    Raises: Unreachable in words where no scheduler answers, or when it goes; the same again goes on then. Whatever
    `folders` raises."""
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    link = Link(scheduler or os.environ.get("SEMIDML_SCHEDULER") or None, workers)
    try:
        yield from _in_background(link.open)
        yield from Engine(link, told).train(iter(folders), stop)
    finally:
        link.close()


def _in_background(act: Callable[[], None]) -> Iterator[None]:
    """Do something slow, with a beat while it takes."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(act)
        while not wait([done], BEAT).done:
            yield None
        done.result()


class Engine:
    """The runs that are out, and what is heard of them."""

    def __init__(self, link: Link, told: Callable[[str], None]):
        assert link.client is not None
        self.link, self.told = link, told
        self.client: Client = link.client
        self.cells: dict[str, Cell] = {}  # by the key of their order
        self.inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()  # (key, what its worker says or None)
        self.token = (f"{TOKEN}{secrets.token_hex(8)}", secrets.token_hex(16))
        self.tokens: set[Path] = set()  # files of that name
        self.threads: dict[str, int] = {}  # of each worker there is
        self.unfit: dict[str, dict[str, str]] = {}  # {data asked for: {worker: why it cannot train on them}}
        self.sends = False  # zips: some worker does not see the folders
        self.is_stopping = self.is_exhausted = False
        self._due = 0.0
        self._orders = 0

    def train(self, folders: Iterator[Path], stop: Callable[[], bool]) -> Iterator[Event | None]:
        """See `train_folders`."""
        self.client.subscribe_topic(worker_side.TOPIC, self._hear_worker)
        try:
            while True:
                if not self.is_stopping and stop():
                    self._begin_to_stop()
                if monotonic() >= self._due:
                    yield from self._refresh()
                yield from self._feed(folders)
                if not self.cells and (self.is_stopping or self.is_exhausted):
                    return
                self._forward_stops()
                yield from self._hear()
        finally:
            for token in self.tokens:
                token.unlink(missing_ok=True)
            if self.cells and self.client.status == "running":
                self._begin_to_stop()

    # ---- orders

    def _feed(self, folders: Iterator[Path]) -> Iterator[Event]:
        """Hand out runs, a few more than there are threads for them."""
        while not (self.is_stopping or self.is_exhausted) and len(self.cells) < self._room():
            folder = next(folders, None)
            if folder is None:
                self.is_exhausted = True
                return
            run = Run(folder)
            try:
                if run.recorded().state != "queued":
                    (run.path / "stop").unlink(missing_ok=True)  # a stop before this
                cell = Cell(run, _data_of(run), _identity_of(run), epoch=run.resume_epoch())
            except ValueError as error:
                yield Event(run.path, "failed", f"this run's folder is damaged: {error}")
                continue
            yield from self._submit(cell)

    def _room(self) -> int:
        return AHEAD * max(1, sum(self.threads.values()))

    def _submit(self, cell: Cell) -> Iterator[Event]:
        """Hand out a run, or say why no worker can have it."""
        unfit = self.unfit.get(cell.data, {})
        if unfit:
            self.threads = dict(self._ask(self.client.nthreads))  # one that has just come may be fit
        cell.allowed = frozenset(self.threads.keys() - unfit.keys()) if unfit else frozenset()
        if unfit and not cell.allowed:
            yield self._fail(cell, "; ".join(sorted(set(unfit.values()))), 0.0)
            return
        try:
            packed = parcels.pack_run(cell.run) if self.sends else None
        except (ValueError, OSError) as error:
            yield self._fail(cell, trouble_words(error) if isinstance(error, OSError) else str(error), 0.0)
            return
        self._put_token(cell.run.path.parent)
        self._orders += 1
        cell.key = f"semidml-{self.token[0].removeprefix(TOKEN)}-{self._orders}"
        cell.is_running, cell.is_away, cell.ordered = False, packed is not None, cell.epoch
        order = {"key": cell.key, "folder": str(cell.run.path), "token": self.token, "version": __version__}
        order |= {"identity": cell.identity, "packed": packed}
        self.cells[cell.key] = cell
        allowed = {"workers": sorted(cell.allowed)} if cell.allowed else {}
        cell.future = self.client.submit(worker_side.train_cell, order, key=cell.key, pure=False, **allowed)
        cell.future.add_done_callback(self._hear_end)

    def _put_token(self, parent: Path) -> None:
        path = parent / self.token[0]
        if path not in self.tokens:
            files.sweep(parent.glob(f"{TOKEN}*"))
            path.write_text(self.token[1])
            self.tokens.add(path)

    # ---- news

    def _hear_worker(self, event: tuple[float, dict[str, Any]]) -> None:
        """Called in Dask's thread, with what any worker of the cluster says: perhaps to another of us."""
        self.inbox.put((event[1]["key"], event[1]))

    def _hear_end(self, future: Future) -> None:
        self.inbox.put((future.key, None))

    def _hear(self) -> Iterator[Event | None]:
        """The next news, or a beat."""
        try:
            key, message = self.inbox.get(timeout=BEAT)
        except queue.Empty:
            yield None
            return
        cell = self.cells.get(key)
        if cell is None:  # another's, or given up
            return
        if message is None:
            yield from self._end(cell)
            return
        if message["epoch"] > cell.epoch:
            cell.epoch, cell.lost = message["epoch"], 0
        cell.is_running, cell.early = True, 0
        yield Event(cell.run.path, "running", f"from epoch {cell.epoch}" if cell.epoch else "")

    def _end(self, cell: Cell) -> Iterator[Event]:
        """What came of an order."""
        future = cell.future
        assert future is not None
        if future.status == "cancelled":  # not by us: then the run would not be out any more
            raise self._gone()
        is_error = future.status == "error"
        try:
            answer = future.exception(timeout=RESULT_SECONDS) if is_error else future.result(timeout=RESULT_SECONDS)
        except TimeoutError:  # its worker is lost, and another one is asked
            future.add_done_callback(self._hear_end)
            return
        except (OSError, RuntimeError, CancelledError):
            raise self._gone() from None
        del self.cells[cell.key]
        if is_error:
            yield from self._end_in_error(cell, answer)
            return
        if answer["state"] == "refused":
            self.unfit.setdefault(cell.data, {})[answer["worker"]] = answer["why"]
            self.told(f"A worker does not take part: {answer['why']}.")
        elif answer["state"] == "unseen":
            self.sends = True
        if answer["state"] in ("refused", "unseen", "again"):
            if not self.is_stopping:
                yield from self._submit(cell)
            return
        yield self._settle(cell, answer)

    def _settle(self, cell: Cell, answer: dict[str, Any]) -> Event:
        """The end of a run, with what its worker sent of it."""
        if "packed" in answer:
            try:
                parcels.take_back(cell.run, answer["packed"])
            except (ValueError, OSError) as error:
                why = trouble_words(error) if isinstance(error, OSError) else str(error)
                return self._fail(cell, f"it was trained, and could not be taken back: {why}", answer["seconds"])
        if answer["state"] in ("done", "stopped"):
            return Event(cell.run.path, answer["state"], answer["why"], answer["seconds"])
        return self._fail(cell, answer["why"], answer["seconds"], answer.get("log", ""))

    def _end_in_error(self, cell: Cell, error: BaseException) -> Iterator[Event]:
        """The worker was lost, or could not do what it was asked to."""
        if isinstance(error, KilledWorker):
            cell.epoch = max(cell.epoch, cell.run.resume_epoch())
            if cell.epoch > cell.ordered:  # Dask does not know that the run came further between the workers it lost
                cell.lost = 1
            elif cell.is_running:
                cell.lost += error.allowed_failures + 1
            else:  # it was still waiting there, most likely; if not, it ends each of its workers before it begins
                cell.early += 1
                cell.lost = ATTEMPTS if cell.early >= EARLY_ATTEMPTS else cell.lost
            times = f"{cell.early} times before it began" if cell.early else f"{cell.lost} times before it came further"
            why = f"its worker process ended {times}, the last time killed or crashed"
        else:
            self._find_unfit(cell.data)
            cell.lost += 1
            why = f"{type(error).__name__}: {error}"
        if cell.lost >= ATTEMPTS:
            yield self._fail(cell, why, 0.0)
        elif not self.is_stopping:
            yield from self._submit(cell)

    def _fail(self, cell: Cell, why: str, seconds: float, log: str = "") -> Event:
        """A run has failed; its folder says so too, if that takes it."""
        try:
            if cell.run.recorded().state != "failed":
                with Writer(cell.run) as writer:
                    writer.end("failed", why)
            if log:
                (cell.run.path / "error.txt").write_text(log)
        except (ValueError, OSError) as error:
            words = trouble_words(error) if isinstance(error, OSError) else str(error)
            why = f"{why}; its folder does not say so: {words}"
        return Event(cell.run.path, "failed", why, seconds)

    # ---- workers

    def _refresh(self) -> Iterator[Event]:
        """See which workers there are, and order anew what waits for none of them."""
        before, self.threads = self.threads, dict(self._ask(self.client.nthreads))
        now = monotonic()
        self._due = now + (REFRESH if self.threads else BEAT)
        if not self.threads and before:
            self.told("No worker is there any more: what is left waits for the next.")
        for token in self.tokens:
            os.utime(token)  # a later sweep would take it for one that a killed process left
        for cell in list(self.cells.values()):
            if cell.allowed and not cell.is_running and not cell.allowed & self.threads.keys():
                self._withdraw([cell])
                yield from self._submit(cell)

    def _find_unfit(self, data: str) -> None:
        """Of an error that may be a worker's, not the run's: find those that lack the package, or have another one."""
        answers = self._ask(self.client.run, worker_side.say_version, on_error="return")
        for worker, answer in answers.items():
            if isinstance(answer, BaseException):
                why = f"the worker {worker} cannot load semidml {__version__} ({answer}): install it there"
                if worker not in self.unfit.setdefault(data, {}):
                    self.told(f"A worker does not take part: {why}.")
                self.unfit[data][worker] = why

    # ---- stopping

    def _begin_to_stop(self) -> None:
        """Tell those that train, and take back those that wait."""
        self.is_stopping = True
        self._tell_to_stop(list(self.cells))
        self._withdraw([cell for cell in self.cells.values() if not cell.is_running])

    def _withdraw(self, cells: list[Cell]) -> None:
        self._ask(self.client.cancel, [cell.future for cell in cells])
        for cell in cells:
            del self.cells[cell.key]

    def _tell_to_stop(self, keys: list[str]) -> None:
        if keys:
            self._ask(self.client.run, worker_side.hear_stop, keys, on_error="ignore")  # a worker may be gone by now

    def _forward_stops(self) -> None:
        """Tell workers elsewhere of the stop files here; while all stop, whoever took over a run meanwhile too."""
        away = [cell for cell in self.cells.values() if cell.is_running and (cell.is_away or self.is_stopping)]
        self._tell_to_stop([c.key for c in away if self.is_stopping or (c.run.path / "stop").exists()])

    def _ask(self, call: Callable[..., Any], *given: Any, **options: Any) -> Any:
        """What the scheduler answers.
        Raises: Unreachable when it does not."""
        try:
            return call(*given, **options)
        except (OSError, RuntimeError, CancelledError):
            raise self._gone() from None

    def _gone(self) -> Unreachable:
        return Unreachable(
            f"{self.link.where} has gone, or cannot be reached any more: what was trained is kept, and the same "
            "again goes on from there"
        )


def _data_of(run: Run) -> str:
    """Tells which data a run asks for: what one worker cannot give, another run of other data may still have there."""
    details = run.details()
    return json.dumps([run.config().data, details.get("planned_data"), details.get("data")], sort_keys=True)


def _identity_of(run: Run) -> str:
    """Tells a run from all others wherever it is sent: by its name, when it was made, and its config."""
    parts = [run.id, run.created(), run.config().model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
