"""What takes seconds to load is warm once it is whole."""

import sys

import pytest

from semidml.ui import warmth


def test_torch_that_is_half_loaded_is_not_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        class __spec__:
            _initializing = True

    monkeypatch.setitem(sys.modules, "torch", Half)
    assert not warmth.is_warm()
    Half.__spec__._initializing = False
    assert warmth.is_warm()
