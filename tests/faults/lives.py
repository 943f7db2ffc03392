"""What the campaign does to runs and their processes, and what of a run must be as if nobody had disturbed it."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from semidml.config import RunConfig
from semidml.jobs.queue import Jobs
from semidml.runs.run import Run
from tests.test_jobs import PACKAGE, until

SETTINGS = [  # of short runs whose folders differ: in their loss, their prior, what they draw of numbers by chance
    {"model": "dml", "epochs": 30},
    {"model": "dml-ae", "epochs": 20, "pl": 20},
    {"model": "metric-vae", "epochs": 15, "latent_dim": 3},
    {"model": "dml-prior", "epochs": 20, "components": 4, "schedule": "joint"},
    {"model": "cbswr", "epochs": 12, "clusters": 10},
    {"model": "dml-ae", "epochs": 15, "loss": "proxy-anchor", "optimizer": "sgd"},
]
ENDINGS = ("SIGKILL", "SIGKILL", "SIGTERM", "SIGSTOP", "SIGINT", "SIGHUP")


def setting(number: int) -> RunConfig:
    return RunConfig.of({"data": "digits", "device": "cpu"} | SETTINGS[number % len(SETTINGS)])


def words_for(config: RunConfig) -> list[str]:
    """The options of a config on the command line."""
    values = {"data": config.data, "model": config.model, **config.changed()}
    return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]


# ---- what a run is


def records(run: Run) -> list[str]:
    return [replace(record, seconds=0).to_json() for record in run.history()]


def content(run: Run) -> dict[str, Any]:
    """All that a finished run's folder holds, but for times, machine and projections."""
    files = {path.relative_to(run.path).as_posix(): path for path in run.path.rglob("*") if path.is_file()}
    parts: dict[str, Any] = {"history": records(run)}
    for name, path in files.items():
        if name.endswith(".npz"):
            with np.load(path) as arrays:
                parts[name] = {
                    key: digest(repr((a.dtype, a.shape)).encode() + a.tobytes()) for key, a in arrays.items()
                }
        elif name.endswith(".safetensors"):
            parts[name] = digest(path.read_bytes())
        elif name == "metrics.json":
            parts[name] = {key: value for key, value in run.metrics().items() if key != "seconds"}
        else:
            parts[name] = "is there"
    return parts


def digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def differences(run: Run, other: dict[str, Any]) -> list[str]:
    """In what a finished run differs from the content of another."""
    own = content(run)
    return sorted(name for name in own.keys() | other.keys() if own.get(name) != other.get(name))


# ---- how it is disturbed


def end_process(pid: int, how: str) -> None:
    """Send a signal; one that is stopped, or lives on after the signal, is killed some time later."""
    try:
        os.kill(pid, getattr(signal, how))
        if how != "SIGKILL":
            deadline = time.monotonic() + 3
            while how != "SIGSTOP" and is_alive(pid) and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.2 * (how == "SIGSTOP"))
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it has ended by itself
        return


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


MOMENTS = {  # of a run's life, as what its folder then has
    "begins": "",
    "trains": "",
    "writes its state": ".state.safetensors.*",
    "writes its status": ".status.json.*",
    "writes a frame": "frames/.*",
    "writes its config": ".config.json.*",
    "writes its weights": ".weights.safetensors.*",
}


def wait_for_moment(run: Run, moment: str, chance: random.Random, goes_on: Callable[[], bool]) -> None:
    """Until a process is in the midst of that, or the run has ended."""
    if moment == "begins":
        time.sleep(chance.uniform(0, 3))
        return
    until(lambda: run.status().state != "queued" or not goes_on())
    if moment == "trains":
        time.sleep(chance.uniform(0, 1.5))
        return
    deadline = time.monotonic() + 10
    while goes_on() and time.monotonic() < deadline and not list(run.path.glob(MOMENTS[moment])):
        time.sleep(0.0005)


def heed_signals() -> None:
    """In a child: as in a terminal, whatever these tests run in ignores."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start_command(folder: Path, *words: str, **variables: str) -> subprocess.Popen:
    """The command line, in a process of its own."""
    environment = command_environment() | {"SEMIDML_RUNS": str(folder)} | variables
    command = [sys.executable, "-m", "semidml", *words]
    return subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True, preexec_fn=heed_signals)


def command_environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": PACKAGE}


class Campaign:
    """Runs that are trained, disturbed and resumed one after the other, beside undisturbed ones of the same setting."""

    def __init__(self, folder: Path):
        self.supervisor = Jobs(folder / "runs")
        self._undisturbed: dict[str, dict[str, Any]] = {}
        self._begun = 0
        self.run: Run | None = None
        self.finished: list[Run] = []

    def undisturbed(self, config: RunConfig) -> dict[str, Any]:
        """The content of a run of that config that nobody disturbed."""
        key = config.model_dump_json()
        if key not in self._undisturbed:
            run = self.trained(self.supervisor.submit(config))
            self._undisturbed[key] = content(run)
        return self._undisturbed[key]

    def trained(self, run: Run) -> Run:
        until(lambda: run not in self.supervisor.queue() and run != self.supervisor.running())
        assert run.status().state == "done", run.status()
        return run

    def next_config(self) -> RunConfig:
        config = setting(self._begun)
        self.undisturbed(config)
        self._begun += 1
        return config

    def check(self, run: Run) -> None:
        """What is there of a run is as if nobody had disturbed it."""
        expected = self.undisturbed(run.config())
        if run.status().state == "done":
            self.check_equal(run, expected)
            return
        assert run.status().state in ("interrupted", "stopped"), run.status()
        own = records(run)
        assert own == expected["history"][: len(own)], "its history differs from that of a run that nobody disturbed"
        assert run.resume_epoch() <= len(own) - 1 or not own, "its state is ahead of its history"
        for epoch in run.frames():
            run.frame(epoch)

    def check_equal(self, run: Run, expected: dict[str, Any]) -> None:
        assert (missed := differences(run, expected)) == [], f"differs from an undisturbed run in {', '.join(missed)}"

    def close(self) -> None:
        self.supervisor.close()
