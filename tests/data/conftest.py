"""What tests of data sets share: nothing kept in memory from test to test, a data folder of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from semidml.data import store


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    store.kept.clear()
    yield
    store.kept.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder."""
    return tmp_path / "data"
