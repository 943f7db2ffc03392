"""Clusters that stand already, as somebody would start them, and drivers of the engine in processes of their own."""

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
from distributed import Client

from semidml.config import RunConfig
from semidml.runs import listing
from semidml.runs.run import Run
from tests.test_jobs import LONG, PACKAGE, until

QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical", "OMP_NUM_THREADS": "1"}
CLOSED = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")  # without an address it is open to all
ODD = str(Path(__file__).with_name("odd_worker.py"))


def make_run(path: Path, **knobs: Any) -> Run:
    """A run of the digits that takes a second."""
    return listing.create_run(RunConfig.of({"data": "digits", "device": "cpu", "epochs": 2} | knobs), path=path)


def surroundings(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a process whose data and caches lie in a folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SEMIDML_", "DASK_"))}
    places = {"SEMIDML_DATA": folder / "data", "SEMIDML_RUNS": folder / "runs", "XDG_CACHE_HOME": folder / "cache"}
    return own | {"PYTHONPATH": PACKAGE} | {name: str(place) for name, place in places.items()} | variables


class Forked:
    """A process that the nursery has become. It speaks as subprocess.Popen does."""

    def __init__(self, pid: int):
        self.pid, self._process = pid, psutil.Process(pid)

    def poll(self) -> int | None:
        return None if self._process.is_running() else 0

    def kill(self) -> None:
        self._process.kill()

    def wait(self) -> None:
        self._process.wait(LONG)


@cache
def open_nursery() -> subprocess.Popen:
    """The nursery of these tests; it ends with them."""
    command = [sys.executable, "-m", "tests.sweeps.nursery"]
    with tempfile.TemporaryDirectory() as folder:
        environment = surroundings(Path(folder), **QUIET)
        nursery = subprocess.Popen(command, env=environment, cwd=PACKAGE, stdin=-1, stdout=-1, text=True)
    atexit.register(nursery.communicate)
    return nursery


class Cluster:
    """A scheduler and workers, each a process that the tests may kill. They are forked from one that has loaded what
    they need, but for workers that are `cold`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"scheduler-{time.monotonic_ns()}.json"
        words = ["--host", "127.0.0.1", "--port", "0", *CLOSED[:1], "--scheduler-file", str(file)]
        self.processes: list[Forked | subprocess.Popen] = [self._fork("dask_scheduler", words, {})]
        until(file.exists)
        self.address: str = until(lambda: _address_in(file))

    @property
    def scheduler(self) -> Forked | subprocess.Popen:
        return self.processes[0]

    def add_worker(
        self, name: str, *, again: bool = False, cold: bool = False, **variables: str
    ) -> Forked | subprocess.Popen:
        """A worker. again: it is begun anew when it ends. cold: a worker with a nanny, as somebody starts it from the
        command line. variables: see odd_worker.py."""
        words = [self.address, "--nthreads", "1", *CLOSED, "--name", name, "--preload", ODD]
        words += ["--local-directory", str(self.folder)] + ([] if cold else ["--no-nanny"])
        if cold:
            self.processes.append(self._start("dask_worker", words, variables))
        else:
            self.processes.append(self._fork("dask_worker", words, variables, again))
        return self.processes[-1]

    def wait_for_workers(self, count: int) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=LONG)

    def _start(self, module: str, words: list[str], variables: dict[str, str]) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *words]
        environment = surroundings(self.folder, **QUIET, **variables)
        with open(self.folder / "log.txt", "ab") as log:
            return subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=log)

    def _fork(self, module: str, words: list[str], variables: dict[str, str], again: bool = False) -> Forked:
        order = {"module": f"distributed.cli.{module}", "words": words, "again": again}
        order |= {"folder": str(self.folder), "log": str(self.folder / "log.txt")}
        order["variables"] = surroundings(self.folder, **QUIET, **variables)
        nursery = open_nursery()
        print(json.dumps(order), file=nursery.stdin, flush=True)
        return Forked(int(nursery.stdout.readline()))

    def close(self) -> None:
        for process in reversed(self.processes):
            end_tree(process)


def _address_in(file: Path) -> str:
    try:
        return json.loads(file.read_text())["address"]
    except ValueError:  # half of it is written
        return ""


def end_tree(process: Forked | subprocess.Popen) -> None:
    """End a process that the tests have started, and what it has started."""
    if process.poll() is None:
        os.kill(process.pid, signal.SIGSTOP)  # lest it start more meanwhile
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
    process.wait()


DRIVER = """
import json, sys, time
from pathlib import Path
from semidml.sweeps import warm
from semidml.sweeps.engine import train_folders

def main():
    asked = json.loads(sys.argv[1])
    if asked["often"]:
        warm.MODULES = ["tests.sweeps.warm"]
    began = last = time.monotonic()
    longest = 0.0
    folders = map(Path, asked["folders"])
    stop = Path(asked["stop"]).exists
    try:
        for event in train_folders(folders, scheduler=asked["scheduler"], workers=asked["workers"], stop=stop):
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            if event is not None:
                line = {"name": event.folder.name, "state": event.state, "why": event.why, "seconds": event.seconds}
                print(json.dumps(line | {"at": now - began}), flush=True)
    except Exception as error:
        print(json.dumps({"error": type(error).__name__, "words": str(error)}), flush=True)
    print(json.dumps({"longest": longest}), flush=True)

if __name__ == "__main__":
    main()
"""


class Driver:
    """A process that trains folders. often: workers of its own keep their runs' states each half second, not each
    five."""

    def __init__(
        self,
        folder: Path,
        runs: list[Run],
        scheduler: str | None = None,
        workers: int = 2,
        often: bool = False,
        **variables: str,
    ):
        script = folder / "driver.py"
        script.write_text(DRIVER)
        self.stop_file = folder / "stop everything"
        self.stop_file.unlink(missing_ok=True)
        asked = {"folders": [str(run.path) for run in runs], "scheduler": scheduler, "workers": workers}
        asked["often"] = often
        command = [sys.executable, str(script), json.dumps(asked | {"stop": str(self.stop_file)})]
        environment = surroundings(folder, **variables)
        self.process = subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True)
        self.lines: list[dict[str, Any]] = []
        self.cluster: Cluster | None = None  # that stands for it alone

    def events(self) -> Iterator[dict[str, Any]]:
        """Its lines as they come."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(json.loads(line))
            yield self.lines[-1]

    def wait_for(self, name: str, state: str) -> dict[str, Any]:
        """The line that says so, perhaps one that came before another that was waited for."""
        for event in chain(list(self.lines), self.events()):
            if (event.get("name"), event.get("state")) == (name, state):
                return event
        raise AssertionError(f"{name} was never {state}: {self.lines}, {self.errors()}")

    def finish(self) -> list[dict[str, Any]]:
        """All its lines, once it has ended by itself."""
        for _ in self.events():
            continue
        assert self.process.wait() == 0, self.errors()
        return self.lines

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def workers(self) -> list[psutil.Process]:
        """The processes that are forked from the one which it has started for that."""
        started = psutil.Process(self.process.pid).children()
        return [worker for child in started for worker in child.children()]


@contextmanager
def driver(*given: Any, **options: Any) -> Iterator[Driver]:
    made = Driver(*given, **options)
    try:
        yield made
    finally:
        end_tree(made.process)
        for stream in (made.process.stdout, made.process.stderr):
            stream.close()
