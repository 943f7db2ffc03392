"""Becomes Dask's commands, each in a process of its own that has loaded what all of them need: a process that loads
torch takes three seconds, one that has it none.

It reads orders, a line of JSON each: module, words, folder, log, variables, and `again`, whether the process is begun
anew when it ends, as a nanny does. It answers with the process's number; at the end of what it reads it ends."""

import json
import os
import runpy
import signal
import sys
import time

from distributed.cli import dask_scheduler, dask_worker

from tests.sweeps import warm

PAUSE = 0.1  # seconds before a process that has ended is begun anew


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies: nobody asks how they ended
    for line in sys.stdin:
        if not (child := os.fork()):
            become(json.loads(line))
            return
        print(child, flush=True)


def become(order: dict) -> None:
    """Be the process that was asked for, or what begins it anew."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while order["again"] and (child := os.fork()):
        os.waitpid(child, 0)
        time.sleep(PAUSE)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    os.chdir(order["folder"])
    os.environ.update(order["variables"])
    sys.argv = [order["module"], *order["words"]]
    del sys.modules[order["module"]]  # it is run, as by python -m, not imported
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    assert {dask_scheduler, dask_worker, warm}  # loaded
    main()
