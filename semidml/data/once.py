"""What was read of files, kept for as long as somebody looks at them. Torch-free."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from semidml import memory

MOST_KEPT = 500_000  # small things, a few of each file
NOTHING = object()


class Once:
    """Results under keys: whoever asks for one again gets it without anything being read."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Any] = {}
        self._large: set[Hashable] = set()

    def find(self, key: Hashable) -> Any:
        """What is kept under `key`; None where nothing is, or no longer."""
        return self._kept.get(key)

    def keep(self, key: Hashable, value: Any) -> None:
        """Keep something small under `key`."""
        if len(self._kept) >= MOST_KEPT:
            self.close()
        self._kept[key] = value

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is kept under `key`, or is made now. What `make` raises is not kept."""
        value = self._kept.get(key, NOTHING)
        if value is NOTHING:
            value = make()
            self.keep(key, value)
        return value

    def get_large(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The same of what takes much memory: it is kept while the budget of `memory` has room for it."""
        value = self.get(key, make)
        self._large.add(key)
        memory.keep((self, key), memory.buffers_of(value), partial(self._drop, key))
        return value

    def close(self) -> None:
        """Keep nothing any longer."""
        for key in list(self._large):
            self._drop(key)
        self._kept.clear()

    def _drop(self, key: Hashable) -> None:
        self._kept.pop(key, None)
        self._large.discard(key)
        memory.forget((self, key))
