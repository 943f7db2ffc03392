"""Sweeps from the command line, each command as a user types it."""

import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from semidml.cli import main
from semidml.cli import sweeps as sweep_commands
from semidml.config import RunConfig
from semidml.sweeps import sweep
from semidml.sweeps.driver import Progress
from semidml.sweeps.table import read_table
from tests.sweeps.made import DIGEST, Engine, plan

ROOT = Path(__file__).parents[2]
VARY = ["sweep", "--epochs", "1", "--vary", "alpha=0.1,0.5", "--seeds", "2", "--name", "first"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(sweep, "data_digest", lambda name, paths: DIGEST)
    return tmp_path


@pytest.fixture
def use(monkeypatch):
    """Puts an engine in the place of that of Dask."""

    def put(engine=None):
        engine = engine or Engine()
        monkeypatch.setattr("semidml.sweeps.engine.train_folders", engine)
        return engine

    put()
    return put


def test_sweep_trains_and_prints_means(use, capsys):
    assert main(VARY) == 0
    said = capsys.readouterr()
    lines = [re.split("  +", line) for line in said.out.splitlines()]
    assert lines[0] == ["alpha", "validation_knn_accuracy", "test_knn_accuracy", "validation_kmeans_ami"]
    assert lines[1] == ["0.1", "0.1050 ± 0.0071 (n = 2)", "0.8000 ± 0.0000 (n = 2)", "0.2500 ± 0.0000 (n = 2)"]
    assert said.out.splitlines()[-1] == (
        "best: alpha 0.5: chosen by held-out images alone, kNN, all labels 0.505 ± 0.007 (n = 2 seeds); on the test "
        "images 0.400 ± 0.000."
    )
    assert "python -m semidml sweep --epochs 1 --vary alpha=0.1,0.5 --seeds 2 --name first" in said.err


def test_the_same_again_and_the_name_go_on_with_what_is_missing(use, capsys):
    assert main(VARY) == 0
    again = use()
    assert main(VARY) == 0 and main(["sweep", "first"]) == 0 and again.begun == []
    assert main(["sweeps", "add", "first", "--vary", "alpha=0.9", "--seeds", "3"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1].startswith("5 runs are added: train them with python -m semidml sweep")
    )
    assert main(["sweeps", "resume", "first"]) == 0 and len(again.begun) == 5
    assert main([*VARY[:4], "alpha=0.1,0.7", *VARY[5:]]) == 0 and len(again.begun) == 8
    assert "3 runs are added to first" in capsys.readouterr().err


def test_without_a_name_the_same_command_is_the_same_sweep(use):
    words = [word for word in VARY if word not in ("--name", "first")]
    assert main(words) == 0
    again = use()
    assert main(words) == 0 and again.begun == []
    assert [made.name for made in sweep.list_sweeps()] == ["digits-dml-ae-by-alpha"]


def test_a_default_that_is_written_makes_no_other_sweep(use, capsys):
    """What the page writes of a setting is more than what is typed."""
    assert main(VARY) == 0
    again = use()
    assert main([*VARY, "--model", "dml-ae", "--lr", str(RunConfig.model_fields["lr"].default)]) == 0
    assert again.begun == [] and len(sweep.list_sweeps()) == 1
    assert main([*VARY, "--lr", "0.5"]) == 2 and "of another plan" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sweep"], "say what is varied, like --vary alpha=0.01,0.1,0.5"),
        (["sweep", "none"], "there is no sweep called 'none'"),
        (["sweep", "first", "--vary", "alpha=0.9"], "first has its plan: go on with `sweep first`, add to it with"),
        (["sweep", "first", "--epochs", "2"], "first has its plan"),
        (["sweep", "--vary", "alpha=0.1,2"], "alpha must be between 0 and 1, got 2"),
        (["sweep", "--vary", "alpha=0.1", "--vary", "alpha=0.2"], "alpha is varied twice"),
        (["sweep", "--vary", "alpha=0.1", "--alpha", "0.2"], "alpha is varied, and is set to 0.2 as well: do one"),
        (["sweep", "--vary", "alpha=0..1/1000", "--vary", "pl=1..100/1000"], "runs; a sweep has at most 10,000"),
        (["sweep", "--vary", "alpha=0.1", "--seeds", "0"], "a sweep has 1 to 1,000 seeds, got 0"),
        (["sweep", "--vary", "alpha=0.1", "--seeds", "1,1"], "the seed 1 is there twice"),
        (["sweep", "--vary", "alpha=0.1", "--name", "../x"], "a sweep's name is 1 to 80 letters"),
        (["sweep", "--vary", "alpha=0.1", "--name", "first"], "there is already a sweep called first, of another plan"),
        (["sweeps", "add", "first"], "say what is added: --vary KNOB=VALUES, --seeds SEEDS"),
        (["sweeps", "add", "first", "--vary", "pl=1"], "first does not vary pl: it varies alpha"),
        (["sweeps", "stop", "first"], "the sweep first is not being trained"),
        (["sweeps", "rename", "first", "a b"], "a sweep's name is 1 to 80 letters"),
        (["sweeps", "export", "first", "first.txt"], "a sweep is written to a .zip, a .csv or a .parquet"),
        (["sweeps", "delete", "../runs"], "a sweep's name is 1 to 80 letters"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(use, capsys, words, said):
    sweep.create_sweep(plan())
    assert main(words) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("semidml: ") and err.count("\n") == 1
    assert [made.name for made in sweep.list_sweeps()] == ["first"]


def test_a_path_is_kept_whole_and_one_that_is_not_there_is_said(use, folder, monkeypatch, capsys):
    for number in range(8):
        place = folder / "birds" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 20 * number).save(place)
    monkeypatch.chdir(folder)
    assert main(["sweep", "--data", "birds", "--vary", "alpha=0.1", "--seeds", "1"]) == 0
    (made,) = sweep.list_sweeps()
    assert made.name == "birds-dml-ae-by-alpha" and made.plan().base["data"] == str(folder / "birds")
    assert main(["sweep", "--data", "typo", "--vary", "alpha=0.1"]) == 2
    assert "there is no data set, file or folder called 'typo'" in capsys.readouterr().err
    assert sweep.list_sweeps() == [made]


def test_the_table_of_sweeps(use, capsys, folder):
    assert main(VARY) == 0
    sweep.create_sweep(plan("second"))
    damaged = sweep.create_sweep(plan("third"))
    (damaged.path / "plan.json").write_text("{}")
    capsys.readouterr()
    assert main(["sweeps"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert re.search(r"4 / 4 +0 +ended +\d+\.\d kB +alpha 0.5: chosen by held-out images alone", lines["first"])
    assert re.search(r"0 / 4 +0 +stopped .* not said: no run is done yet", lines["second"])
    assert "damaged" in lines["third"] and "plan.json of the sweep third is damaged" in lines["third"]


def test_failures_are_counted_told_and_make_the_exit_status(use, capsys):
    use(Engine({1: ("failed", "out of memory")}))
    assert main(VARY) == 1
    assert "failed: out of memory" in capsys.readouterr().err
    assert main(["sweeps", "show", "first"]) == 0
    said = capsys.readouterr()
    assert "1 failed: out of memory" in said.err and "(n = 1)" in said.out and "(n = 2)" in said.out


def test_the_bar_on_a_terminal_moves(monkeypatch):
    """It is drawn while runs end, not only when all have."""
    terminal, inside = pty.openpty()
    termios.tcsetwinsize(inside, (24, 120))
    os.set_blocking(terminal, False)
    counts = dict.fromkeys(("done", "running", "waiting", "stopped", "interrupted", "failed"), 0)
    with open(inside, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with sweep_commands.progress_bar() as draw:
            for done in range(1, 5):
                draw(Progress(counts | {"done": done, "waiting": 5 - done}, None))
                time.sleep(1.2 * sweep_commands.BAR_EVERY)
            said = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert all(f"{done} of 5 done" in said for done in range(1, 5)), said


def test_exports(use, folder, capsys):
    assert main(VARY) == 0
    for name in ("first.zip", "first.csv", "first.parquet"):
        assert main(["sweeps", "export", "first", str(folder / name)]) == 0
    frame = read_table(sweep.open_sweep("first")).frame.drop(columns="changed")
    for read, name in ((pd.read_csv, "first.csv"), (pd.read_parquet, "first.parquet")):
        again = read(folder / name)
        assert list(again.columns) == list(frame.columns) and list(again["cell"]) == list(frame["cell"])
        assert list(again["test_knn_accuracy"]) == list(frame["test_knn_accuracy"])
    with zipfile.ZipFile(folder / "first.zip") as archive:
        assert "first/table.parquet" in archive.namelist()
    assert main(["sweeps", "rename", "first", "second"]) == 0 and main(["sweeps", "delete", "second"]) == 0
    assert sweep.list_sweeps() == []


STARTED = """
import sys, time, types
from tests.sweeps import made
from semidml.sweeps import sweep
sweep.data_digest = lambda name, paths: made.DIGEST
class Slow(made.Engine):
    def __call__(self, folders, **given):
        for event in super().__call__(folders, **given):
            time.sleep(0.3)
            yield event
sys.modules["semidml.sweeps.engine"] = types.SimpleNamespace(train_folders=Slow())
from semidml.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_told_to_end_it_stops_in_order_and_says_how_to_go_on(how, code):
    words = [sys.executable, "-c", STARTED, *VARY[:6], "20", "--epochs", "60", *VARY[7:]]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not any(made.driver() and read_table(made).counts["done"] for made in sweep.list_sweeps()):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
        process.send_signal(how)
        said = process.communicate(timeout=120)
    assert process.returncode == code, said
    assert "semidml: stopped: go on with python -m semidml sweep first" in said[1] and "(n = " in said[0]
    made = sweep.open_sweep("first")
    states = set(read_table(made).frame["state"])
    assert states == {"done", "waiting"} and not made.driver() and not (made.path / "stop").exists()
