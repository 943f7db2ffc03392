"""Folders of runs in which anything may stand: every page opens, the command line lists them, a run that was damaged
says so, and it can be deleted."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace as with_values
from pathlib import Path

import pytest

from semidml import cli
from semidml.config import RunConfig
from semidml.execute import execute
from semidml.runs import listing
from semidml.runs.process import this_process
from semidml.runs.run import Run
from semidml.runs.status import write_status
from tests.apptest import ROOT, opened
from tests.apptest import words as words_on
from tests.faults.bounds import bounded

Harm = Callable[[Path], object]
PAGES = ("pages/1_Train.py", "pages/2_Explore.py", "pages/8_Compare.py")
EVERY = ("", *(f"pages/{path.name}" for path in sorted((ROOT / "pages").glob("*.py"))))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    config = RunConfig.of({"data": "digits", "model": "dml-ae", "epochs": 2, "pl": 10, "device": "cpu"})
    run = listing.create_run(config, path=tmp_path_factory.mktemp("good") / "good")
    for _ in execute(run):
        pass
    return run.path


def written(name: str, content: bytes | str) -> Harm:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(data)


def changed(name: str, **values: object) -> Harm:
    """Values of a JSON file are others; a name with a dot leads into its config."""

    def harm(folder: Path) -> None:
        whole = json.loads((folder / name).read_text())
        for key, value in values.items():
            (whole["config"] if key in whole.get("config", {}) else whole)[key] = value
        (folder / name).write_text(json.dumps(whole))

    return harm


def replaced(name: str, make: Harm) -> Harm:
    def harm(folder: Path) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        make(path)

    return harm


def linked(name: str, target: str) -> Harm:
    return replaced(name, lambda path: path.symlink_to(target))


def lines(count: int) -> Harm:
    def harm(folder: Path) -> None:
        last = json.loads((folder / "history.jsonl").read_text().splitlines()[-1])
        text = json.dumps(last)
        start, end = text.split(f'"epoch": {last["epoch"]}', 1)
        with open(folder / "history.jsonl", "w") as file:
            file.writelines(f'{start}"epoch": {epoch}{end}\n' for epoch in range(count))

    return harm


MARKUP = (
    "<script>alert(1)</script> [a](javascript:alert(1)) $\\frac{1}{0}$ \x1b[31m :material/home: ![x](http://evil/x)"
)
HARMS: dict[str, Harm] = {
    "config.json of 200,000 brackets": written("config.json", '{"config":' + "[" * 200_000),
    "config.json with 30 MB of blanks": written("config.json", b'{"config": {}' + b" " * 3 * 10**7 + b"}"),
    "config.json with half a letter": changed("config.json", data="\ud800"),
    "config.json with a number of 400 digits": changed("config.json", latent_dim=10**400),
    "config.json made in the year 10^300": changed("config.json", created=1e300),
    "config.json made never": changed("config.json", created=None),
    "config.json with another method": changed("config.json", model="cbswr"),
    "config.json with data by a path": changed("config.json", data="../../../etc/passwd"),
    "config.json with markup for data": changed("config.json", data=MARKUP),
    "config.json with markup for facts": changed("config.json", facts={MARKUP: MARKUP}, machine={"device": MARKUP}),
    "config.json with facts of lists": changed("config.json", facts=[1], machine=[2], versions=7),
    "config.json with images below zero": changed("config.json", data={"shape": [-1, 0, 8], "class_names": []}),
    "config.json with images that are none": changed("config.json", data={"shape": "abc", "class_names": 7}),
    "config.json with class names of markup": changed(
        "config.json", data={"title": MARKUP, "shape": [1, 8, 8], "class_names": [MARKUP] * 10}
    ),
    "config.json that is a folder": replaced("config.json", lambda path: path.mkdir()),
    "config.json that is a pipe": replaced("config.json", os.mkfifo),
    "config.json linked to what never ends": linked("config.json", "/dev/zero"),
    "config.json linked to itself": linked("config.json", "config.json"),
    "status.json with half a letter": changed("status.json", reason="\udfff"),
    "status.json with a megabyte of markup": changed("status.json", state="failed", reason=MARKUP * 9000),
    "status.json of epoch -1 of 0": changed("status.json", state="running", epoch=-1, epochs=0, step=5, steps=0),
    "status.json of process 0": changed("status.json", state="running", owner={"pid": 0, "host": "x"}),
    "status.json of process -1 here": changed("status.json", state="running", owner={"pid": -1, "host": os.uname()[1]}),
    "status.json of a process of letters": changed("status.json", state="running", owner={"pid": "a", "boot": [1]}),
    "status.json of another time": changed("status.json", state="running", updated=1e300, started=-1e300, owner={}),
    "status.json with a latest of nothing": changed("status.json", state="stopped", latest={"epoch": "x"}),
    "status.json with alarms of markup": changed("status.json", latest={"alarms": [MARKUP]}),
    "status.json that is a pipe": replaced("status.json", os.mkfifo),
    "history.jsonl of NaN": written("history.jsonl", '{"epoch": NaN}\n'),
    "history.jsonl of zeros": written("history.jsonl", bytes(10**6)),
    "history.jsonl of 20,000 lines": lines(20_000),
    "history.jsonl that is a pipe": replaced("history.jsonl", os.mkfifo),
    "history.jsonl linked to what never ends": linked("history.jsonl", "/dev/zero"),
    "metrics.json of NaN": written("metrics.json", '{"knn_accuracy": NaN}'),
    "metrics.json of 1e999": written("metrics.json", '{"knn_accuracy": 1e999, "seconds": -1e999}'),
    "metrics.json of lists": written("metrics.json", '{"knn_accuracy": [1], "confusion": 7, "notes": 3, "failed": []}'),
    "metrics.json of 10^400": written("metrics.json", '{"knn_accuracy": 1' + "0" * 400 + "}"),
    "metrics.json with markup": written("metrics.json", json.dumps({"notes": {"knn_accuracy": MARKUP}, MARKUP: 1})),
    "no frames": lambda folder: shutil.rmtree(folder / "frames"),
    "frames linked elsewhere": linked("frames", "/etc"),
    "frames that are a file": replaced("frames", lambda path: path.write_bytes(b"x")),
    "a frame that is a folder": replaced("frames/0002.npz", lambda path: path.mkdir()),
    "a frame that is a pipe": replaced("frames/0002.npz", os.mkfifo),
    "a frame linked to what never ends": linked("frames/0002.npz", "/dev/zero"),
    "rows.npz of nothing": written("rows.npz", b""),
    "rows.npz that is a folder": replaced("rows.npz", lambda path: path.mkdir()),
    "weights of nothing": written("weights.safetensors", b""),
    "weights with a header of 2^63": written("weights.safetensors", b"\xff" * 7 + b"\x7f" + b"{}"),
    "weights that are a folder": replaced("weights.safetensors", lambda path: path.mkdir()),
    "a state of another run": written("state.safetensors", bytes(8)),
    "a state that is a folder": lambda folder: (folder / "state.safetensors").mkdir(),
    "a lock that is a folder": lambda folder: (folder / "lock").mkdir(),
    "a stop that is a folder": lambda folder: (folder / "stop").mkdir(),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def harmed(folder: Path, good: Path, name: str) -> Run:
    run = folder / re.sub(r"\W+", "-", name)
    shutil.copytree(good, run)
    HARMS[name](run)
    return Run(run)


def check_listed(capsys: pytest.CaptureFixture[str], *runs: Run) -> None:
    assert cli.main(["runs"]) == 0
    said = capsys.readouterr().out
    said.encode()
    for run in runs:
        assert f"\n{run.id} " in said, said


@pytest.mark.parametrize("name", HARMS)
def test_a_harmed_run_is_listed_and_deleted(good, folder, capsys, tell, name):
    tell(
        f"a run's folder had {name}",
        "it is listed with a state in words, and is deleted when asked, or why not is said",
    )
    run = harmed(folder, good, name)
    with bounded():
        status = run.status()
        status.reason.encode()
        check_listed(capsys, run)
        may_go = not status.active and name != "a lock that is a folder"  # whoever holds a lock keeps a run
        assert cli.main(["runs", "delete", run.id]) == (0 if may_go else 2)
    words = capsys.readouterr().err
    assert run.path.exists() is not may_go and words.count("\n") == (not may_go), words
    assert Path("/etc/passwd").is_file()


@pytest.mark.whole
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", HARMS)
def test_a_page_of_a_harmed_run_opens(good, folder, tell, name, page):
    tell(f"{page} was opened on a run whose folder had {name}", "the page opens, and says what is damaged")
    run = harmed(folder, good, name)
    with bounded(120):
        app = opened(page, run=run.id, runs=f"{run.id},digits-dml-all-labels")
        assert words_on(app)


def test_a_run_that_an_app_left_waiting_is_resumed_where_it_is_shown(folder, tell):
    tell("the app ended while a run waited, and its link was followed", "the page offers to resume it")
    run = listing.create_run(RunConfig.of({"data": "digits"}), "left")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    write_status(run, with_values(run.recorded(), owner=this_process() | {"pid": ended.pid}))
    labels = [button.label for button in opened("pages/1_Train.py", run="left").button]
    assert "Resume" in labels and "Stop" not in labels, labels


@pytest.mark.parametrize("page", EVERY)
def test_pages_open_beside_all_harmed_runs_at_once(good, folder, tell, page):
    tell(f"{page or 'Home'} was opened where every run is harmed in another way", "the page opens")
    for name in HARMS:
        harmed(folder, good, name)
    with bounded(240):
        app = opened(page)
        assert words_on(app)
