"""What takes seconds to load comes in an order in which nothing is asked for half of it, whichever thread is first."""

import subprocess
import sys
from pathlib import Path

import pytest

from semidml.ui import warmth

SCRIPT = """
import sys
from semidml.ui import warmth
sys.meta_path.insert(0, warmth.Order())
import torch
print(torch.known)
"""


def test_whoever_imports_torch_has_loaded_before_what_would_fail_on_half_of_it(tmp_path: Path) -> None:
    """It is stood in for by a module that says what was loaded, whole, as it began."""
    for name, needed in warmth.BEFORE.items():
        known = f"[name in sys.modules and not sys.modules[name].__spec__._initializing for name in {needed!r}]"
        (tmp_path / f"{name}.py").write_text(f"import sys\nknown = {known}\n")
    command = [sys.executable, "-c", SCRIPT]
    environment = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}", "PATH": "/usr/bin:/bin"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert said.stdout.splitlines()[-1:] == ["[True]"], said.stderr[-2000:]


def test_torch_that_is_half_loaded_is_not_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Half:
        class __spec__:
            _initializing = True

    monkeypatch.setitem(sys.modules, "torch", Half)
    assert not warmth.is_warm()
    Half.__spec__._initializing = False
    assert warmth.is_warm()
