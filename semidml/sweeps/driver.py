"""Train what a sweep lacks: hand its runs to an engine, hear what comes of them, keep the table.

Wherever it ends, by a stop, a kill or a full disk, the next start trains what has no finished run.
"""

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from semidml.disk import files
from semidml.runs import estimate, listing, places
from semidml.runs.run import Run
from semidml.runs.trained_on import digest_of
from semidml.sweeps import quota, warm
from semidml.sweeps.parquet import STATES, Row
from semidml.sweeps.plan import Cell
from semidml.sweeps.sweep import (
    BEAT,
    LOCK,
    STOP,
    Sweep,
    check_data,
    count_workers_of_others,
    find_elsewhere,
    held,
    take_over,
    tell_workers,
)
from semidml.sweeps.table import changed_at, failed_row, read_row, read_rows, write_table
from semidml.words import value_words

CONFIG, STATUS = "config.json", "status.json"  # of a run
WRITE_EVERY = 1.0  # seconds between two writes of the table
WRITE_SHARE = 20  # of the time between them at most one part in so many is spent on writing
MEASURED = 5  # settings whose runs are estimated, of many; runs that are asked for their versions
COMPARED = ("semidml", "torch")  # versions by which the same run may be another


class Event(Protocol):
    """What an engine tells of a run's folder."""

    folder: Path
    state: str  # running, done, failed or stopped
    why: str
    seconds: float


class TrainFolders(Protocol):
    """What trains many folders: see `engine.train_folders`. It gives None, or an event, at least each half second."""

    def __call__(
        self,
        folders: Iterable[Path],
        *,
        scheduler: str | None,
        workers: int | None,
        stop: Callable[[], bool],
        told: Callable[[str], None],
    ) -> Iterator[Event | None]: ...


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    counts: Mapping[str, int]  # cells in each state, see `table.STATES`
    seconds_left: float | None  # by what was measured since this start; None before
    news: tuple[str, ...] = ()  # since the last one, in sentences
    is_stopping: bool = False

    @property
    def ended(self) -> int:
        """Cells that are done or have failed."""
        return self.counts["done"] + self.counts["failed"]

    @property
    def all(self) -> int:
        return sum(self.counts.values())


def train_sweep(
    sweep: Sweep,
    *,
    train_folders: TrainFolders | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    told: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Train the cells of a sweep that have no finished run; gives how far it is, at least each half second. A cell that
    another sweep has finished is taken from there. To stop is to stop iterating; `told` says whether this process was
    told to end, and a file `stop` in the sweep's folder does as well: what runs then stops within a tick.

    train_folders: the engine, `semidml.sweeps.engine`'s where none is given; it gets `scheduler` and `workers`.
    Raises: ValueError while somebody else trains it, when its data here are others, or where nothing would fit; OSError
    when the disk does not take the table; what the engine raises. The same again goes on then."""
    if train_folders is None and not _address(scheduler):
        warm.begin_to_load()
    with held(sweep, named=True) as lock, _alive(lock):
        driver = Driver(sweep, told)
        try:
            yield from driver.prepare()
            if driver.is_stopping():  # before workers are started
                return
            if train_folders is None:
                train_folders, workers = _choose_engine(sweep, lock, scheduler, workers)
            events = train_folders(
                driver.feed(), scheduler=scheduler, workers=workers, stop=driver.is_stopping, told=driver.note
            )
            with closing(events):
                yield from driver.listen(events)
        finally:
            driver.write(durable=True)
            (sweep.path / STOP).unlink(missing_ok=True)
    if driver.problem is not None:
        raise driver.problem


@contextmanager
def _alive(lock: int | None) -> Iterator[None]:
    """Gives signs of life while a lock is held, whatever takes long meanwhile: else another machine would take the
    driver for gone."""
    ended = threading.Event()

    def beat() -> None:
        while lock is not None and not ended.wait(BEAT):
            os.utime(lock)

    thread = threading.Thread(target=beat, name="sign of life", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _choose_engine(
    sweep: Sweep, lock: int | None, scheduler: str | None, workers: int | None
) -> tuple[TrainFolders, int | None]:
    """The engine of Dask, and how many workers of this machine it gets: those that other sweeps have are taken. None
    where a scheduler has workers already.
    Raises: ValueError where the memory holds no further one."""
    from semidml.sweeps.cluster import share_workers  # Dask takes a second to import
    from semidml.sweeps.engine import train_folders

    if not _address(scheduler):
        workers = workers or share_workers(count_workers_of_others(sweep))
        if lock is not None:
            tell_workers(lock, workers)
    return train_folders, workers


def _address(scheduler: str | None) -> str | None:
    """Of the cluster that was asked for; None for one of this machine's own."""
    return scheduler or os.environ.get("SEMIDML_SCHEDULER") or None


class Driver:
    """The rows of a sweep that is being trained. Its lock is held."""

    def __init__(self, sweep: Sweep, told: Callable[[], bool]):
        self.sweep, self.told = sweep, told
        (sweep.path / STOP).unlink(missing_ok=True)  # of before this start
        self.plan = sweep.plan()
        check_data(self.plan)
        self.rows = read_rows(sweep, self.plan)
        self.at: dict[str, list[int]] = {}  # rows of each run: several where a knob has no effect
        for position, row in enumerate(self.rows):
            if row["cell"]:
                self.at.setdefault(row["cell"], []).append(position)
        self.missing = [name for name, rows in self.at.items() if self.rows[rows[0]]["state"] != "done"]
        self.counts = Counter(row["state"] for row in self.rows)
        self.room = quota.Room()
        self.problem: Exception | None = None  # for which no further run is begun
        self._news: list[str] = []
        self._write_due = 0.0
        self._began, self._ended, self._left = time.monotonic(), 0, set(self.missing)  # runs since this start
        runs = sweep.path / places.CELLS
        runs.mkdir(exist_ok=True)
        files.sweep([*runs.glob(".new-*"), *runs.glob(".import-*")], 0)  # of a driver that was killed

    def prepare(self) -> Iterator[Progress]:
        """Take what other sweeps have finished, and see what is left."""
        self.write()
        yield self.progress()
        cells = self._cells(self.missing)
        for name, run in find_elsewhere(self.sweep, cells).items():
            own = self.sweep.run_of(name)
            if _is_waiting(own):
                shutil.rmtree(own.path)
            if own.path.exists():
                continue
            try:
                taken = take_over(run, self.sweep, name)
            except FileNotFoundError:  # somebody deletes it meanwhile: then it is trained here
                continue
            self._set(name, read_row(self._row(name), taken))
            self._left.discard(name)
            yield self._beat()
        if len(self._left) < len(self.missing):
            self.room = quota.Room()
        self.missing = [name for name in self.missing if name in self._left]
        self._note_versions()
        self._note_size([cell for cell in cells if cell.name in self._left])
        self._began = time.monotonic()

    def _cells(self, names: Iterable[str]) -> list[Cell]:
        """The cells of these runs, one each, in the order of the plan. A run that the table knows by another name than
        this release would give it goes on under that."""
        cells = self.plan.cells
        return [replace(cells[self.at[name][0]], name=name) for name in names]

    def _note_versions(self) -> None:
        """Says where runs that are done were made with other versions than those that are to be trained; a few are
        asked."""
        done = [name for name, rows in self.at.items() if self.rows[rows[0]]["state"] == "done"] if self._left else []
        now, others = listing.versions(), set()
        for name in done[:: max(1, len(done) // MEASURED)]:
            try:
                versions = self.sweep.run_of(name).details().get("versions")
            except ValueError:  # its config.json is damaged: its own page says so
                continue
            known = versions if isinstance(versions, dict) else {}
            others |= {f"{part} {known[part]}" for part in COMPARED if known.get(part, now[part]) != now[part]}
        if others:
            before, after = (
                " and ".join(parts) for parts in (sorted(others), (f"{part} {now[part]}" for part in COMPARED))
            )
            self.note(
                f"some runs of this sweep were made with {before}, those that follow are made with {after}: a "
                "difference between them may be one of these versions"
            )

    def _note_size(self, cells: list[Cell]) -> None:
        """Says where these runs may take more room than there is: as many as fit are trained."""
        some = cells[:: max(1, len(cells) // MEASURED)]
        sizes = [estimate.kept_bytes(cell.config, self.plan.paths) for cell in some if cell.config]
        if sizes and (words := self.room.lack_words(len(cells) * max(sizes))):
            self.note(words)

    # ---- what the engine asks

    def is_stopping(self) -> bool:
        return self.told() or (self.sweep.path / STOP).exists()

    def note(self, words: str) -> None:
        """Something that whoever watches should know, in a sentence."""
        self._news.append(words)

    def feed(self) -> Iterator[Path]:
        """The folders of the missing runs, each made ready when it is asked for. Where something stands in the way of
        all further ones, they end, and what trains goes on."""
        for cell in self._cells(self.missing):
            if self.is_stopping():
                return
            try:
                self.room.check()
                run = self._ready(cell)
            except (ValueError, OSError) as error:
                self.problem = error
                return
            if run is not None:
                yield run.path

    def _ready(self, cell: Cell) -> Run | None:
        """The run of a cell, made or as it was left; None where its folder holds another one.
        Raises: OSError when the disk does not take it."""
        assert cell.config is not None
        run = self.sweep.run_of(cell.name)
        lacks = [part for part in (CONFIG, STATUS) if not (run.path / part).exists()]
        if lacks and run.path.exists():
            if _holds_results(run.path):
                why = f"its folder has no {lacks[0]}, and holds what was trained; move or delete it to train this cell"
                self._fail(cell.name, why)
                return None
            shutil.rmtree(run.path)  # whoever made it was killed before it was whole
        planned = self.plan.data[cell.config.data]
        if not run.path.exists():
            both, scored = self.plan.scores_both and cell.config.evaluate_on == "validation", not self.plan.axes
            more = {"paths": self.plan.paths, "both": both, "scored": scored, "planned_data": planned}
            more["parent"] = self.plan.parent
            return listing.create_run(cell.config, path=run.path, **more)
        (run.path / STOP).unlink(missing_ok=True)  # of before this start
        try:
            details, is_other = run.details(), run.config() != cell.config
        except ValueError as error:
            why = f"its folder is damaged: {error}; delete it to train this cell anew"
        else:
            if not is_other and digest_of(details.get("data")) in ("", planned):
                if details.get("planned_data") != planned:  # of a release that did not tell it
                    files.replace_file(run.path / CONFIG, files.as_json(details | {"planned_data": planned}))
                return run
            why = f"its folder holds a run of {'another setting' if is_other else 'other data'}; delete it to train "
            why += "this cell"
        self._fail(cell.name, why)
        return None

    # ---- what the engine tells

    def listen(self, events: Iterable[Event | None]) -> Iterator[Progress]:
        """Hears it, keeps the table, and gives how far the sweep is."""
        for event in events:
            if event is not None and event.folder.name in self.at:
                self._hear(event)
            yield self._beat()
        yield self.progress()

    def _hear(self, event: Event) -> None:
        name = event.folder.name
        run, row = self.sweep.run_of(name), self._row(name)
        if event.state == "running":
            self._set(name, row | {"state": "running", "why": "", "changed": changed_at(run.path)})
            return
        fresh, self._ended = read_row(row, run), self._ended + 1
        self._left.discard(name)
        if event.state == "failed" and fresh["state"] != "failed":
            fresh = failed_row(fresh, event.why)
        elif event.state == "done" and fresh["state"] != "done":
            fresh = failed_row(fresh, fresh["why"] or "it was said to be done, and its folder is not")
        self._set(name, fresh)
        self.room.take(fresh["bytes"] - row["bytes"])
        if fresh["state"] == "failed":
            self.note(f"{self._words_of(name)} failed: {fresh['why']}")

    def _fail(self, name: str, why: str) -> None:
        self._set(name, failed_row(self._row(name), why))
        self._left.discard(name)
        self.note(f"{self._words_of(name)} failed: {why}")

    def _words_of(self, name: str) -> str:
        """What a run is, in words: `alpha 0.5, seed 1 (0123456789abcdef)`."""
        row = self._row(name)
        return f"{', '.join(f'{knob} {value_words(row[knob])}' for knob in (*self.plan.axes, 'seed'))} ({name})"

    # ---- the table

    def _row(self, name: str) -> Row:
        return self.rows[self.at[name][0]]

    def _set(self, name: str, row: Row) -> None:
        """The row of a run, in each place where it stands."""
        own = {*self.plan.axes, "seed"}
        for position in self.at[name]:
            kept = {name: self.rows[position][name] for name in own}
            self.counts[self.rows[position]["state"]] -= 1
            self.rows[position] = row | kept
            self.counts[row["state"]] += 1

    def _beat(self) -> Progress:
        """Write the table when it is due.
        Raises: OSError when the disk does not take it."""
        if time.monotonic() >= self._write_due:
            self.write()
        return self.progress()

    def write(self, durable: bool = False) -> None:
        began = time.monotonic()
        write_table(self.sweep, self.plan, self.rows, durable)
        now = time.monotonic()
        self._write_due = now + max(WRITE_EVERY, WRITE_SHARE * (now - began))

    def progress(self) -> Progress:
        counts = {state: self.counts[state] for state in STATES}
        seconds = seconds_left(time.monotonic() - self._began, self._ended, len(self._left))
        news, self._news = tuple(self._news), []
        return Progress(counts, seconds, news, self.is_stopping())


def _is_waiting(run: Run) -> bool:
    """Whether a run's folder is there and nothing of it was begun, nor is it being begun."""
    if not all((run.path / part).exists() for part in (CONFIG, STATUS)) or _holds_results(run.path):
        return False
    try:
        return run.recorded().state == "queued" and not (run.path / LOCK).exists()
    except ValueError:  # damaged, as is said when it is to be trained
        return False


def _holds_results(folder: Path) -> bool:
    """Whether a run's folder holds more than what is there before it begins."""
    return any(path.name not in (CONFIG, STATUS, LOCK, STOP) and not files.is_part(path) for path in folder.iterdir())


def seconds_left(seconds: float, ended: int, left: int) -> float | None:
    """How long `left` runs take when `ended` took so many seconds, as many at a time as before; None where none has."""
    return seconds / ended * left if ended else None
