"""What one act of a stranger may take at most."""

import contextlib
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS = 60.0  # of processor time it is far less; a busy machine is late
BYTES = 900 * 10**6  # beyond what the process had: the largest array that is let in is 200 MB
HOLDER = Path("/proc/self")


class Late(Exception):
    """Something took too long."""


@contextlib.contextmanager
def bounded(seconds: float = SECONDS, size: int = BYTES) -> Iterator[None]:
    """What is done within takes no longer, waits for nothing for ever, and no more memory, where the system tells."""

    def end(*_: object) -> None:
        raise Late(f"it took more than {seconds:.0f} s")

    before = _memory("VmRSS")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    if held := _memory("VmSize"):  # what asks for ever more gets an error, before the machine ends us
        resource.setrlimit(resource.RLIMIT_AS, (held + 4 * size, limits[1]))
    with contextlib.suppress(OSError):  # not Linux: then only time is bounded
        (HOLDER / "clear_refs").write_text("5")
    handler = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    began = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert time.monotonic() - began <= seconds
    grown = _memory("VmHWM") - before
    assert grown <= size, f"it took {grown / 1e6:,.0f} MB of memory"


def _memory(what: str) -> int:
    """Bytes: VmRSS that the process has, VmHWM the most that it had; 0 where the system does not say."""
    try:
        lines = (HOLDER / "status").read_text().splitlines()
    except OSError:
        return 0
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))
