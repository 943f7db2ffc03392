"""Data for the tests: digits come with scikit-learn; MNIST is read where a shared copy lies beside the project."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """torch's threads wait for one another while other tests' processes keep the cores busy; one never waits."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits():
    from semidml.data import store

    return store.load("digits")


@pytest.fixture(scope="session")
def mnist(tmp_path_factory):
    """MNIST from the shared folder; a test that asks for it has nothing to say where that folder is missing."""
    from semidml.data import store

    if not (SHARED / "MNIST").exists():
        pytest.skip("no copy of MNIST beside the project")
    folder = tmp_path_factory.mktemp("mnist")
    shutil.copytree(SHARED / "MNIST", folder / "MNIST", copy_function=shutil.copyfile)
    return store.load("mnist", folder=folder)


@pytest.fixture
def two_at_once(monkeypatch) -> Callable[[tuple[object, str], Callable, str], tuple[list, list]]:
    """Loads one data set in two threads, the first at its slow step until the other has been told that it waits."""

    def run(step: tuple[object, str], load: Callable, waiting: str) -> tuple[list, list]:
        """(arguments of each call of the function `step`, (module, name); what each thread's `load(progress)` gave).
        `waiting` is a pattern of what the other is told."""
        slow, told, calls, found = getattr(*step), Event(), [], []

        def held(*given):
            assert told.wait(10), "the other did not wait"
            calls.append(given)
            return slow(*given)

        def progress(share, text):
            if re.fullmatch(waiting, text):
                told.set()

        monkeypatch.setattr(*step, held)
        threads = [Thread(target=lambda: found.append(load(progress))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        monkeypatch.setattr(*step, slow)
        return calls, found

    return run
