"""What the commands share: a command, a run by its name, signals that are heeded, data read under a progress bar."""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from semidml.data import store
from semidml.runs import listing
from semidml.runs.run import Run


def add_command(commands: Any, name: str, do: Callable[..., int | None], about: str, *words: str) -> Any:
    """A command, what it does (None is exit status 0) and the words that it takes: a run by `run`, others as named."""
    command = commands.add_parser(name, help=about)
    command.set_defaults(do=do)
    for word in words:
        command.add_argument(word, help="id or folder of a run" if word == "run" else None)
    return command


def find_run(name: str) -> Run:
    """A run by its id or, if the folder is one of a run, by its folder. Raises ValueError when there is none: a folder
    without the files of a run is never taken for one, because runs can be deleted and renamed."""
    folder = Path(name)
    if folder.is_dir() and not folder.is_symlink() and (folder / "config.json").is_file():
        return Run(folder)
    return listing.open_run(name)


@contextmanager
def heeded_signals() -> Iterator[list[int]]:
    """The signals to end that came within the block, where they are told instead of ending the process: Ctrl-C,
    SIGTERM, a closed terminal. A second Ctrl-C raises KeyboardInterrupt: what goes on may take long to hear of it."""
    signals: list[int] = []

    def tell(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        if len(signals) > 1 and number == signal.SIGINT:
            raise KeyboardInterrupt

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]  # as under nohup
    before = {number: signal.signal(number, tell) for number in heeded}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def percent_bar() -> Iterator[Callable[[float, str], None]]:
    """A progress bar on stderr, from the first word on, which goes at the end. What it gives is called with the share
    that is done, 0 to 1, and what is done now."""
    with ExitStack() as opened:
        bars: list[tqdm] = []

        def progress(share: float, what: str) -> None:
            if not bars:
                bars.append(opened.enter_context(tqdm(total=100, unit="%", file=sys.stderr, leave=False)))
            bars[0].set_description_str(what, refresh=False)
            bars[0].n = round(100 * share)
            bars[0].refresh()

        yield progress


def read_data(names: Iterable[str]) -> None:
    """Read the data sets of those names, or at paths, under a progress bar: who asks for them next has them at once.
    Raises: ValueError as `store.facts` does."""
    with percent_bar() as progress:
        for name in names:
            store.facts(name, allow_paths=True, progress=progress)
