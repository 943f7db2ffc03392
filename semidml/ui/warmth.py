"""What takes seconds to load, loaded beside the first pages: torch, scikit-learn, pandas, Plotly, the warm worker."""

import gc
import importlib
import importlib.abc
import importlib.machinery
import sys
import threading
import time
from collections.abc import Sequence
from types import ModuleType

import streamlit as st

from semidml.jobs import queue

HEAD_START = 2.0  # seconds that the first page has the processor to itself, before two processes load torch
BEFORE = {"torch": ("sklearn.datasets",)}  # what must be whole before a package begins to load


class Order(importlib.abc.MetaPathFinder):
    """Finds nothing; whoever imports a package of BEFORE loads first what would fail on half of it: scipy, and so
    scikit-learn, asks a torch that another thread is loading for what it does not have yet."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        for name in BEFORE.get(fullname, ()):
            importlib.import_module(name)
        return None


@st.cache_resource(max_entries=1)
def warm_up() -> threading.Thread:
    """Loads torch in a thread of the app and starts the warm worker, once a process. Returns the thread."""
    if not any(isinstance(finder, Order) for finder in sys.meta_path):
        sys.meta_path.insert(0, Order())

    def work() -> None:
        time.sleep(HEAD_START)
        queue.jobs().warm()
        import pandas  # noqa: F401 (whole, before Plotly: it fails on half of it)
        import plotly.graph_objects  # noqa: F401
        import torch  # noqa: F401

        gc.collect()
        gc.freeze()  # a collection holds up all visitors: 0.35 s with torch's objects, n = 50

    thread = threading.Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread


def is_warm() -> bool:
    """Whether torch is loaded in this process, whole."""
    torch = sys.modules.get("torch")
    return torch is not None and not getattr(torch.__spec__, "_initializing", False)
