"""Methods that the tables do not have."""

from importlib import import_module
from pathlib import Path

import pytest

from semidml.methods import MODELS
from semidml.registry import Entry


@pytest.fixture
def newcomers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    """{name: entry} of `newcomers.py`, in the table of models and nowhere else."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    entries = import_module("newcomers").NEWCOMERS
    for name, entry in entries.items():
        monkeypatch.setitem(MODELS, name, entry)
    return entries
