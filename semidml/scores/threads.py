"""Native code on one thread, where its threads would wait for one another."""

from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def on_one_thread() -> AbstractContextManager:
    """A context in which scikit-learn, and what numpy and scipy multiply with, have one thread. The libraries are
    looked for once a process, which takes 3 ms (two busy cores, November 2026), a tenth of a tick."""
    return _libraries().limit(limits=1)


@cache
def _libraries() -> "ThreadpoolController":
    import sklearn.cluster  # noqa: F401  brings all of them
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
