"""Data for the tests: digits come with scikit-learn; MNIST is read where a shared copy lies beside the project. And the
project's own scripts, run in their small form."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.faults.tally import write_tally

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def not_copied(folder: str, names: list[str]) -> set[str]:
    """What of a folder of the project a copy does without: the runs' folder is one of them, semidml/runs is none."""
    useless = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__")(folder, names)
    return useless | ({"runs", "tests"} if Path(folder) == ROOT else set())


SECOND_TRY = "passed at the second try only"  # a property of such a test's report: why the first has failed


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Tests of a file go to one process, for what they share, in the order of the files; those of a browser, which
    share an app too, are the longest and begin."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "browser" if nodeid.startswith("tests/browser/") else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return ByFile(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--whole", action="store_true", help="all of tests/faults, which takes long, not a few of a kind")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    write_tally(terminalreporter)
    for report in terminalreporter.stats.get("passed", []):
        if why := dict(report.user_properties).get(SECOND_TRY):
            terminalreporter.section(SECOND_TRY)
            terminalreporter.write_line(f"{report.nodeid}\n{why}")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """torch's threads wait for one another while other tests' processes keep the cores busy; one never waits."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def unscored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings without those live scores that take two thirds of an epoch of digits, of neighbours and of k-means, but
    in a test that is marked as one that asks them. All else of a record stays, what alarms read too."""
    if request.node.get_closest_marker("scored") is None:
        for name in ("live_scores", "live_retrieval"):
            monkeypatch.setattr(f"semidml.scores.protocol.{name}", lambda *rows: {})


@pytest.fixture(scope="session")
def digits():
    from semidml.data import store

    return store.load("digits")


@pytest.fixture(scope="session")
def mnist(tmp_path_factory):
    """MNIST from the shared folder; a test that asks for it has nothing to say where that folder is missing."""
    from semidml.data import store

    if not (SHARED / "MNIST").exists():
        pytest.skip("no copy of MNIST beside the project")
    folder = tmp_path_factory.mktemp("mnist")
    shutil.copytree(SHARED / "MNIST", folder / "MNIST", copy_function=shutil.copyfile)
    return store.load("mnist", folder=folder)


@pytest.fixture
def two_at_once(monkeypatch) -> Callable[[tuple[object, str], Callable, str], tuple[list, list]]:
    """Loads one data set in two threads, the first at its slow step until the other has been told that it waits."""

    def run(step: tuple[object, str], load: Callable, waiting: str) -> tuple[list, list]:
        """(arguments of each call of the function `step`, (module, name); what each thread's `load(progress)` gave).
        `waiting` is a pattern of what the other is told."""
        slow, told, calls, found = getattr(*step), Event(), [], []

        def held(*given):
            assert told.wait(10), "the other did not wait"
            calls.append(given)
            return slow(*given)

        def progress(share, text):
            if re.fullmatch(waiting, text):
                told.set()

        monkeypatch.setattr(*step, held)
        threads = [Thread(target=lambda: found.append(load(progress))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        monkeypatch.setattr(*step, slow)
        return calls, found

    return run


def numbers(value: object) -> list[float]:
    """All finite numbers within a value of JSON."""
    if isinstance(value, dict | list):
        return [one for part in (value.values() if isinstance(value, dict) else value) for one in numbers(part)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else []


FORKS = """
import os, runpy, sys
import sklearn.cluster, sklearn.metrics, sklearn.neighbors, torch._dynamo
import semidml.train
for name in map(str.strip, sys.stdin):
    if not (child := os.fork()):
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
for number in (1, 2):
    os.dup2(os.open(f"{sys.argv[1]}/{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
sys.argv = [f"benchmarks/{name}.py", "--smoke"]
sys.path[0] = "benchmarks"
runpy.run_path(sys.argv[0], run_name="__main__")
"""  # becomes one script after the other, each in a process of its own that has imported what all of them need


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Iterator[Callable[[str], None]]:
    """Runs a script of benchmarks/ in its small form, where there is no data set, in a copy of the project that it must
    leave as it was. The last line that it prints must be its name, its machine and numbers; JSON knows no NaN."""
    project, said = tmp_path_factory.mktemp("smoke") / "project", tmp_path_factory.mktemp("said")
    shutil.copytree(ROOT, project, ignore=not_copied)
    places = {"SEMIDML_DATA": tmp_path_factory.mktemp("data"), "SEMIDML_RUNS": tmp_path_factory.mktemp("runs")}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEMIDML_")}
    environment |= {name: str(place) for name, place in places.items()}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(project)}

    def files() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in project.rglob("*") if file.is_file() and file.suffix != ".pyc"}

    def no_number(word: str) -> None:
        raise AssertionError(f"the last line has {word}, which is not JSON")

    command = [sys.executable, "-c", FORKS, str(said)]
    with subprocess.Popen(command, cwd=project, env=environment, stdin=-1, stdout=-1, text=True) as forks:

        def run(name: str) -> None:
            before = files()
            print(name, file=forks.stdin, flush=True)
            assert forks.stdout.readline() == "0\n", (said / "2").read_text()[-3000:]
            assert files() == before, f"{name} --smoke wrote into the project"
            found = json.loads((said / "1").read_text().splitlines()[-1], parse_constant=no_number)
            assert found.pop("benchmark") == name
            assert re.search(r"\d cores, .*, torch \d", found.pop("machine"))
            assert numbers(found)

        yield run


@pytest.fixture
def benchmark(monkeypatch) -> Callable[[str], object]:
    """Imports a module of benchmarks/ by its name, as the scripts there import one another."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return __import__
