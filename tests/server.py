"""The app as a process of its own, started as the README says, for tests that speak to it from outside."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]
SECONDS = 180  # how long a busy machine may take to start it


@contextmanager
def running_app(folder: Path, *options: str, cwd: Path = ROOT, **variables: str) -> Iterator[SimpleNamespace]:
    """The running app: url, port, folders of runs and of data within `folder`, the server's process, and what it has
    written, log(). `options` follow the command, `variables` are added to the environment."""
    runs, data = folder / "runs", folder / "data"
    runs.mkdir(exist_ok=True)  # it may be started again where it was killed
    data.mkdir(exist_ok=True)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    variables = {"SEMIDML_RUNS": str(runs), "SEMIDML_DATA": str(data), "STREAMLIT_SERVER_HEADLESS": "true"} | variables
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), f"--server.port={port}", *options]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+") as output:

        def log() -> str:
            output.seek(0)
            return output.read()

        server = subprocess.Popen(command, cwd=cwd, env=os.environ | variables, stdout=output, stderr=subprocess.STDOUT)
        try:
            late = time.monotonic() + SECONDS
            while not answers(f"{url}/_stcore/health"):
                if server.poll() is not None or time.monotonic() > late:
                    pytest.fail(f"the app did not start within {SECONDS} s:\n{log()[-3000:]}")
                time.sleep(0.1)
            yield SimpleNamespace(url=url, port=port, runs=runs, data=data, process=server, log=log)
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def answers(url: str) -> bool:
    """Whether a server answers there, be it with a refusal."""
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
