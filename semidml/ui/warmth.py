"""What takes seconds to load, loaded beside the first pages: torch, scikit-learn, pandas, Plotly, the warm worker."""

import gc
import sys
import threading
import time

import streamlit as st

from semidml.jobs import queue

HEAD_START = 2.0  # seconds that the first page has the processor to itself, before two processes load torch


@st.cache_resource(max_entries=1)
def warm_up() -> threading.Thread:
    """Loads torch in a thread of the app and starts the warm worker, once a process. Returns the thread."""

    def work() -> None:
        time.sleep(HEAD_START)
        queue.jobs().warm()
        import pandas  # noqa: F401 (whole, before Plotly: it fails on half of it)
        import plotly.graph_objects  # noqa: F401
        import sklearn.datasets  # noqa: F401 (the digits are its; whole, before torch: scipy fails on half a torch)
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
