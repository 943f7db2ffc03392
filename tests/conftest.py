"""Data for the tests: digits come with scikit-learn; MNIST is read where a shared copy lies beside the project."""

import shutil
from pathlib import Path

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
