"""Long work in a thread of the app's process that a page can watch."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from semidml.words import trouble_words

Progress = Callable[[float, str], None]
NOT_KEPT = "not kept with the run"  # how the last text of work begins whose result could not be stored


class Task(threading.Thread):
    """Work in a background thread: how far it is, and then its result or what went wrong. Read from any thread."""

    def __init__(self, work: Callable[[Progress], Any]):
        super().__init__(name="explore", daemon=True)
        self.fraction, self.text = 0.0, "waiting for its turn"
        self.result: Any = None
        self.error: str = ""  # in words; empty while there is none
        self.asked = time.monotonic()
        self._work = work

    @property
    def done(self) -> bool:
        return not self.is_alive()

    @property
    def seconds(self) -> float:
        """Since it was asked for."""
        return time.monotonic() - self.asked

    def wait(self, seconds: float | None = None) -> "Task":
        self.join(seconds)
        return self

    def run(self) -> None:
        try:
            self.result = self._work(self._progress)
        except OSError as error:
            self.error = trouble_words(error)
        except Exception as error:  # whatever it was, the page says it
            self.error = str(error) or type(error).__name__

    def _progress(self, fraction: float, text: str) -> None:
        self.fraction, self.text = min(1.0, max(0.0, fraction)), text


KEPT_TASKS = 32
_tasks: OrderedDict[tuple, Task] = OrderedDict()
_tasks_lock = threading.Lock()


def start_task(key: tuple, work: Callable[[Progress], Any]) -> Task:
    """The task called `key`: the one that runs, or a new one."""
    with _tasks_lock:
        running = _tasks.get(key)
        if running is not None and not running.done:
            return running
        made = Task(work)
        made.start()  # before others find it: who waits for what has not begun is refused
        _tasks[key] = made
        _tasks.move_to_end(key)
        for old in [k for k, t in _tasks.items() if t.done][: max(0, len(_tasks) - KEPT_TASKS)]:
            del _tasks[old]
        return made


def find_task(key: tuple) -> Task | None:
    """The task called `key`, running or over, if anyone started it in this process."""
    return _tasks.get(key)


def forget_task(key: tuple) -> None:
    """Drop a task that is over."""
    with _tasks_lock:
        if key in _tasks and _tasks[key].done:
            del _tasks[key]
