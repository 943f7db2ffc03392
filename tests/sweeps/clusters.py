"""Clusters that stand already, as somebody would start them, and drivers of the engine in processes of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
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


class Cluster:
    """A scheduler and workers, each a process that the tests may kill."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"scheduler-{time.monotonic_ns()}.json"
        words = [
            "dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(file),
        ]
        self.processes = [self._start(words, {})]
        until(file.exists)
        self.address: str = until(lambda: _address_in(file))

    @property
    def scheduler(self) -> subprocess.Popen:
        return self.processes[0]

    def add_worker(self, name: str, *, nanny: bool = True, **variables: str) -> subprocess.Popen:
        """A worker. variables: see odd_worker.py."""
        words = ["dask_worker", self.address, "--nthreads", "1", *CLOSED, "--name", name, "--preload", ODD]
        words += ["--local-directory", str(self.folder)] + ([] if nanny else ["--no-nanny"])
        self.processes.append(self._start(words, variables))
        return self.processes[-1]

    def wait_for_workers(self, count: int) -> None:
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=LONG)

    def _start(self, words: list[str], variables: dict[str, str]) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.{words[0]}", *words[1:]]
        environment = surroundings(self.folder, **QUIET, **variables)
        log = open(self.folder / "log.txt", "ab")  # noqa: SIM115 - the process has it
        try:
            return subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=log)
        finally:
            log.close()

    def close(self) -> None:
        for process in reversed(self.processes):
            end_tree(process)


def _address_in(file: Path) -> str:
    try:
        return json.loads(file.read_text())["address"]
    except ValueError:  # half of it is written
        return ""


def end_tree(process: subprocess.Popen) -> None:
    """End a process that the tests have started, and what it has started."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
    process.wait()


DRIVER = """
import json, sys, time
from pathlib import Path
from semidml.sweeps.engine import train_folders

def main():
    asked = json.loads(sys.argv[1])
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
    """A process that trains folders."""

    def __init__(self, folder: Path, runs: list[Run], scheduler: str | None = None, workers: int = 2, **variables: str):
        script = folder / "driver.py"
        script.write_text(DRIVER)
        self.stop_file = folder / "stop everything"
        self.stop_file.unlink(missing_ok=True)
        asked = {"folders": [str(run.path) for run in runs], "scheduler": scheduler, "workers": workers}
        command = [sys.executable, str(script), json.dumps(asked | {"stop": str(self.stop_file)})]
        environment = surroundings(folder, **variables)
        self.process = subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True)
        self.lines: list[dict[str, Any]] = []

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
        """The processes that it has started, but for multiprocessing's tracker."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@contextmanager
def driver(*given: Any, **options: Any) -> Iterator[Driver]:
    made = Driver(*given, **options)
    try:
        yield made
    finally:
        end_tree(made.process)
        for stream in (made.process.stdout, made.process.stderr):
            stream.close()
