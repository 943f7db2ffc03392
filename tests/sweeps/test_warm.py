"""What workers have loaded before their first run, and what of Dask's settings for them is undone."""

import json
import os
import subprocess
import sys

import pytest

from semidml.sweeps import cluster, warm
from tests.apptest import ROOT

FETCHES = """
import json, resource, sys
import numpy as np
from semidml.sweeps import warm

def fetches():  # pages that the system has to give for arrays that come and go, as a step's do
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(200):
        np.ones(200_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

fetches()
before, undone = fetches(), warm.keep_freed_memory()
fetches()
print(json.dumps([before, undone, fetches()]))
"""


def measure(**variables: str) -> tuple[int, bool, int]:
    """Pages fetched before, whether something was undone, pages fetched after."""
    rest = {name: value for name, value in os.environ.items() if name != warm.TRIMMED[0]}
    command = [sys.executable, "-c", FETCHES]
    said = subprocess.run(command, env=rest | variables, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(json.loads(said))


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_a_worker_of_dasks_keeps_what_it_frees_for_the_next_step():
    before, undone, after = measure(**dict([warm.TRIMMED]))
    assert undone and before > 50_000 and after < before / 50
    assert measure()[1] is False
    assert measure(**{warm.TRIMMED[0]: "1000000"})[1] is False, "somebody has chosen it"


def test_dask_still_sets_what_is_undone():
    name, value = warm.TRIMMED
    assert str(cluster.own_settings()["distributed"]["nanny"]["pre-spawn-environ"][name]) == value


def test_workers_with_a_gpu_are_not_forked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert not warm.can_fork() and cluster.METHOD not in cluster.own_settings()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert warm.can_fork() and cluster.own_settings()[cluster.METHOD] == "forkserver"


LOADED = """
import json, sys
from semidml.sweeps.warm import MODULES
from importlib import import_module
import threading
for name in MODULES:
    import_module(name)
before = set(sys.modules)
from semidml.config import RunConfig
from semidml.data import store
from semidml.train.loop import fit
import torch
print(json.dumps([threading.active_count(), torch.cuda.is_initialized()]))
training = fit(RunConfig(data="digits", epochs=1, device="cpu"), store.load("digits"))
for _ in training:
    pass
training.finish()
heavy = {"torch", "sklearn", "scipy", "pandas"}
print(json.dumps(sorted(name for name in set(sys.modules) - before if name.partition(".")[0] in heavy)))
"""


def test_a_run_finds_loaded_what_it_needs_and_no_thread_is_begun_before_the_fork():
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (threads, cuda), late = map(json.loads, done.splitlines())
    assert threads == 1 and cuda is False
    assert len(late) < 20, late
