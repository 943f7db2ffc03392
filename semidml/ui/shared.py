"""Values that all visitors share: made once, by who asks first, and kept in memory while there is room."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from functools import wraps
from typing import Any

import numpy as np

from semidml import memory


class Shared:
    """Values by key, of at most `room` bytes together, and within the budget of `memory`; those that nobody has asked
    for the longest go first. They are shared as they are: nobody may change one. A key holds whatever the value depends
    on, so that it is another one when that has changed. (Of Streamlit's caches one copies a value for each who asks,
    and both count values, not bytes.)

    As a decorator it shares what a function gives of the same arguments, which are the key then:

        @Shared(room=1_000_000)
        def packed(name): ...
    """

    def __init__(self, room: int):
        self.room = room
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()  # value and its bytes
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int] | None = None) -> Any:
        """The value of that key; `make` gives it where it is not known. Who asks while it is made waits for it. `size`
        gives its bytes, where `size_of` cannot. Raises what `make` raises: then nothing is kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                memory.touch((id(self), key))
                return self._kept[key][0]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    return self._kept[key][0]
            try:
                value = freeze(make())
                held = (size or size_of)(value)
                with self._lock:
                    self._kept[key] = (value, held)
                    while self.held > self.room and len(self._kept) > 1:
                        memory.forget((id(self), self._kept.popitem(last=False)[0]))
            finally:
                with self._lock:
                    self._making.pop(key, None)
        buffers = {id(value): held} if size else memory.buffers_of(value)
        memory.keep((id(self), key), buffers, lambda: self._let_go(key))
        return value

    def find(self, key: Hashable) -> Any | None:
        """The value of that key where it is known; None where it would have to be made."""
        with self._lock:
            return self._kept[key][0] if key in self._kept else None

    def _let_go(self, key: Hashable) -> None:
        with self._lock:
            self._kept.pop(key, None)

    def __call__(self, make: Callable) -> Callable:
        @wraps(make)
        def kept(*given: Any) -> Any:
            return self.get(given, lambda: make(*given))

        kept.clear = self.clear
        return kept

    @property
    def held(self) -> int:
        """Bytes of all values that are kept."""
        return sum(size for _, size in self._kept.values())

    def clear(self) -> None:
        """Keeps nothing any more."""
        with self._lock:
            for key in self._kept:
                memory.forget((id(self), key))
            self._kept.clear()


def size_of(value: Any) -> int:
    """Bytes of a value: of arrays as they are, of what holds some as their sum, of others what Python says."""
    return sum(part.nbytes if isinstance(part, np.ndarray) else sys.getsizeof(part) for part in parts_of(value))


def freeze(value: Any) -> Any:
    """The value itself, in whose arrays nobody can write any more."""
    for part in parts_of(value):
        if isinstance(part, np.ndarray):
            part.setflags(write=False)
    return value


def parts_of(value: Any) -> Iterator[Any]:
    """What dataclasses, dictionaries, lists and tuples hold in the end."""
    if hasattr(value, "__dataclass_fields__"):
        value = vars(value)
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list | tuple):
        yield value
        return
    for part in value:
        yield from parts_of(part)
