"""A preload of Dask workers that makes one odd, by its environment:

ODD_VERSION=0.1.0   as if it had another release
ODD_BLIND=1         as if it did not see the disk that the runs are on
ODD_DEADLY=name     runs of that name end its process as soon as they begin
ODD_STUMBLES=name   runs of that name end its process as soon as they have come an epoch further
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from semidml import execute
from semidml.runs import writer
from semidml.sweeps import cell


def dask_setup(worker: Any) -> None:
    if version := os.environ.get("ODD_VERSION"):
        cell.__version__ = version
    if os.environ.get("ODD_BLIND"):
        cell._sees = lambda folder, token: False
    deadly, stumbles = (os.environ.get(name) for name in ("ODD_DEADLY", "ODD_STUMBLES"))

    def train(run: Any, *given: Any, **options: Any) -> Iterator[Any]:
        name, began = Path(run.path).name, run.resume_epoch()
        if name == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if name == stumbles:
            writer.STATE_EVERY = 0.0
        for tick in execute.execute(run, *given, **options):
            if name == stumbles and began < run.resume_epoch() < run.config().epochs:
                os.kill(os.getpid(), signal.SIGKILL)
            yield tick

    cell.execute = train
