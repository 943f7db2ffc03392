"""A sweep that a page trains ends with the page's server, and goes on where it was."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from semidml.sweeps import attended
from semidml.sweeps import sweep as folders
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import read_table
from tests.sweeps.made import DIGEST, plan

ROOT = Path(__file__).parents[2]
SERVER = """
import sys, time
from semidml.sweeps import attended, sweep
attended.start(sweep.open_sweep("first"))
print("started", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    return tmp_path


def wait_until(holds, seconds: float = 120.0) -> None:
    late = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < late
        time.sleep(0.1)


@pytest.mark.parametrize("end", [subprocess.Popen.kill, subprocess.Popen.terminate], ids=["killed", "told"])
def test_it_ends_with_the_process_that_started_it_whatever_ends_that(end) -> None:
    sweep = folders.create_sweep(plan(axes={"alpha": [0.1, 0.5]}, seeds=[0], epochs=400))
    with subprocess.Popen([sys.executable, "-c", SERVER], cwd=ROOT, stdout=subprocess.PIPE) as server:
        wait_until(lambda: bool(sweep.driver()))
        wait_until(lambda: read_table(sweep).counts["running"] > 0)
        workers = psutil.Process(sweep.driver()["pid"]).children(recursive=True)
        assert len(workers) > 1
        end(server)
    wait_until(lambda: not sweep.driver(), 30)
    wait_until(lambda: not any(worker.is_running() for worker in workers), 30)
    assert attended.last_words(sweep)[-1] == attended.CLOSED
    assert not {"running", "done", "failed"} & set(read_table(sweep).frame["state"])


def test_its_words_are_kept_where_it_cannot_be_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "data_digest", lambda name, paths: DIGEST)  # other data than those that are here
    sweep = folders.create_sweep(plan(seeds=[0]))
    attended.start(sweep)
    with pytest.raises(ValueError, match="the sweep first is being trained already"):
        attended.start(sweep)
    wait_until(lambda: not attended.is_starting(sweep))
    assert "the images or labels of digits here are not those of the sweep first" in attended.last_words(sweep)[-1]
    assert not sweep.driver()


def test_it_is_stopped_before_it_is_at_it() -> None:
    """Until its process has the lock, no driver is known that could be asked."""
    sweep = folders.create_sweep(plan(axes={"alpha": [0.1, 0.5]}, seeds=[0], epochs=400))
    attended.start(sweep)
    assert not sweep.driver() and attended.is_starting(sweep)
    attended.stop(sweep)
    wait_until(lambda: not attended.is_starting(sweep), 60)
    assert set(read_table(sweep).frame["state"]) == {"waiting"} and attended.last_words(sweep) == []
    with pytest.raises(ValueError, match="the sweep first is not being trained"):
        attended.stop(sweep)


def test_no_log_has_no_words(tmp_path: Path) -> None:
    assert attended.last_words(Sweep(tmp_path)) == [] and not attended.is_starting(Sweep(tmp_path))
