"""What comes of an act of a visitor on a disk that is full, on one that can only be read, and on a run whose folder is
gone under it: words for it, everything as it was, and what was computed is shown even where it cannot be kept.

The disks are real ones, small file systems in memory; where a system lets no test mount one these tests are left out.
"""

import errno
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from semidml import tasks
from semidml.cli import main
from semidml.config import RunConfig
from semidml.data import quota as data_quota
from semidml.data import uploads
from semidml.execute import execute, score_run
from semidml.jobs import lane, queue
from semidml.jobs.queue import Jobs
from semidml.runs import listing, transfer
from semidml.runs.quota import QuotaFull
from semidml.runs.run import Run
from semidml.words import trouble_words
from tests.apptest import checked, opened, press, words
from tests.test_jobs import PRETENDER

TRAIN, EXPLORE = "pages/1_Train.py", "pages/2_Explore.py"
FULL, READ_ONLY = "the disk is full: delete some runs or other files", "can only be read: make it writable"


class Disk:
    """A file system of four megabytes."""

    def __init__(self, path: Path):
        self.path = path

    def break_down(self, how: str) -> str:
        """Fill it, or let it only be read; what is then said."""
        if how == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", self.path], check=True)
            return READ_ONLY
        with pytest.raises(OSError, match="No space left"), open(self.path / "ballast", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        return FULL


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", path], capture_output=True, text=True)
    if mounting.returncode:
        pytest.skip(f"this system lets no test mount a disk: {mounting.stderr.strip()}")
    yield Disk(path)
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run in three dimensions and a stopped one."""
    folder = tmp_path_factory.mktemp("trained")
    for name, epochs in (("deep", 1), ("halted", 3)):
        config = RunConfig.of({"model": "dml", "latent_dim": 3, "epochs": epochs, "pl": 10, "device": "cpu"})
        for record in execute(listing.create_run(config, path=folder / name)):
            if name == "halted" and record.epoch == 1:
                break
    assert [Run(folder / name).status().state for name in ("deep", "halted")] == ["done", "stopped"]
    return folder


@pytest.fixture
def home(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The runs' folder, on the disk if the test has one, and a worker that needs no torch: it answers a projection with
    the first two of three dimensions."""
    root = tmp_path / "disk" if (tmp_path / "disk").exists() else tmp_path
    shutil.copytree(trained, root / "runs")
    monkeypatch.setenv("SEMIDML_RUNS", str(root / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(root / "data"))
    monkeypatch.setattr(lane, "LEAVE", 0.2)
    monkeypatch.setattr(data_quota, "SPARE_BYTES", 0)  # the disk is small
    (tmp_path / "pretender.py").write_text(PRETENDER)
    supervisor = Jobs(root / "runs", [sys.executable, str(tmp_path / "pretender.py")])
    monkeypatch.setattr(queue, "jobs", lambda: supervisor)
    monkeypatch.setattr(tasks, "_tasks", type(tasks._tasks)())
    yield root / "runs"
    supervisor.close()


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fails(app: AppTest, failed: str, how: str = "read-only") -> None:
    """The last act has, in one message: where the disk is full it was not begun, because nothing would fit."""
    said = [error.value for error in app.error]
    if how == "full":
        assert any(words.startswith(("the disk ", "a.npz needs ")) and " 0 B left" in words for words in said), said
    else:
        assert any(f"{failed}, and nothing has changed: " in words and READ_ONLY in words for words in said), said


# ---- on a disk that takes nothing


def test_train_says_what_came_of_its_acts_where_the_disk_can_only_be_read(disk: Disk, home: Path) -> None:
    before, app = content(home), opened(TRAIN, run="halted")
    disk.break_down("read-only")
    for label, failed in (
        ("Train", "The training could not be started"),
        ("Resume", "`halted` could not be resumed"),
        ("Delete", "`halted` could not be deleted"),
    ):
        fails(press(app, label), failed)
        assert content(home) == before


def test_train_says_what_came_of_its_acts_on_a_full_disk_and_can_make_room(disk: Disk, home: Path) -> None:
    app = opened(TRAIN, run="halted")
    names = sorted(home.iterdir())
    disk.break_down("full")
    fails(press(app, "Train"), "", "full")
    assert sorted(home.iterdir()) == names
    assert not press(app, "Delete").error and sorted(home.iterdir()) == [home / "deep"]


def test_the_runs_of_a_disk_that_can_only_be_read_keep_their_names(disk: Disk, home: Path) -> None:
    before, app = content(home), opened(EXPLORE, run="halted")
    disk.break_down("read-only")
    app.text_input(key="new name halted").set_value("other").run()
    fails(press(app, "Rename"), "`halted` could not be renamed")
    app.checkbox(key="sure halted").check().run()
    app.button(key="delete run").click().run()
    fails(checked(app), "`halted` could not be deleted")
    assert content(home) == before


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_projection_that_cannot_be_kept_is_shown_all_the_same(disk: Disk, home: Path, how: str) -> None:
    app = opened(EXPLORE, run="deep")
    app.session_state["projection"] = "tsne"
    checked(app.run())
    reason = disk.break_down(how)
    app.button(key="compute projection").click().run()
    for task in tasks._tasks.values():
        task.wait(60)
    said = words(checked(app.run()))
    assert "t-SNE of 3 dimensions" in said and not app.error
    assert "This projection was computed and is shown for now, but not kept with the run: " in said and reason in said
    assert not (home / "deep" / "projections").exists() or not list((home / "deep" / "projections").iterdir())


def test_scores_that_cannot_be_kept_are_given_all_the_same(disk: Disk, home: Path) -> None:
    reason, told, run = disk.break_down("full"), [], listing.open_run("deep")
    before = run.metrics()
    scores = score_run(run, progress=lambda fraction, text: told.append(text), keep=True)
    assert scores["knn_accuracy"] == pytest.approx(before["knn_accuracy"]) and run.metrics() == before
    assert told[-1].startswith(f"not kept with the run: {reason}")
    with pytest.raises(OSError, match="No space"):
        score_run(run, keep=True)  # nobody would hear of it


def performed(act: str, **given: object) -> AppTest:
    """A page that does one act, whose code this is, and says what came of it."""
    lines = [
        "import io, streamlit as st",
        "from semidml.ui import incoming, manage",
        "st.session_state['import round'] = 0",
    ]
    app = AppTest.from_string("\n".join([*lines, act, "manage.draw_outcome()"]), default_timeout=60)
    for name, value in given.items():
        app.session_state[name] = value
    return checked(app.run())


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_an_import_that_finds_no_room_leaves_nothing_behind(disk: Disk, home: Path, how: str) -> None:
    sent = io.BytesIO()
    transfer.export_zip(listing.open_run("deep"), sent)
    names = sorted(home.iterdir())
    disk.break_down(how)
    act = "class Sent(io.BytesIO):\n    file_id = 'sent'\nmanage.bring(Sent(st.session_state['sent']))"
    app = performed(act, sent=sent.getvalue())
    fails(app, "The run could not be imported", how)
    assert sorted(home.iterdir()) == names


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_an_upload_that_finds_no_room_leaves_nothing_behind(disk: Disk, home: Path, how: str) -> None:
    y, noise = np.repeat(np.arange(2), 20), np.random.default_rng(0).integers(0, 255, (40, 8, 8))
    sent = io.BytesIO()
    np.savez(
        sent, train_images=noise.astype(np.uint8), train_labels=y, test_images=noise.astype(np.uint8), test_labels=y
    )
    uploads.save_upload("first", sent.getvalue(), "first.npz")
    before = content(disk.path / "data")
    disk.break_down(how)
    act = "sent = io.BytesIO(st.session_state['sent'])\nsent.name, sent.size = 'a.npz', len(sent.getvalue())\n"
    act += "manage.perform(lambda: incoming.take_in(sent), '', '`a.npz` could not be taken in')"
    app = performed(act, sent=sent.getvalue())
    fails(app, "`a.npz` could not be taken in", how)
    assert content(disk.path / "data") == before


def test_the_command_line_says_it_in_a_line(disk: Disk, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reason = disk.break_down("full")
    assert main(["runs", "export", "deep", str(disk.path / "deep.zip")]) == 2
    assert f"semidml: {reason}" in capsys.readouterr().err and not list(disk.path.glob("*.zip*"))
    reason = disk.break_down("read-only")
    for act in (["rename", "deep", "other"], ["delete", "deep"], ["resume", "halted"], ["export", "deep", f"{home}/z"]):
        assert main(["runs", *act]) == 2
        said = capsys.readouterr().err
        assert said.startswith("semidml: the folder ") and reason in said and "Traceback" not in said


# ---- with the folder gone


def test_acts_on_a_run_that_is_gone_say_so(home: Path) -> None:
    for label in ("Resume", "Delete"):
        app = opened(TRAIN, run="halted")
        (home / "halted").rename(home / ".away")
        assert "there is no run called 'halted'" in words(press(app, label)), label
        (home / ".away").rename(home / "halted")
    app = opened(EXPLORE, run="halted")
    app.text_input(key="new name halted").set_value("other").run()
    shutil.rmtree(home / "halted")
    assert "there is no run called 'halted'" in words(press(app, "Rename"))


def test_a_projection_of_a_run_that_is_gone_says_so(home: Path) -> None:
    app = opened(EXPLORE, run="deep")
    app.session_state["projection"] = "tsne"
    checked(app.run())
    shutil.rmtree(home / "deep")
    app.button(key="compute projection").click().run()
    (task,) = tasks._tasks.values()
    assert "config.json is missing" in task.wait(60).error
    assert "There is no run called `deep`" in words(checked(app))


def test_a_run_that_is_gone_is_no_empty_zip(home: Path) -> None:
    run = listing.open_run("deep")
    shutil.rmtree(run.path)
    file = io.BytesIO()
    with pytest.raises(ValueError, match="there is no run called 'deep'"):
        transfer.export_zip(run, file)
    assert not zipfile.is_zipfile(file)


def test_a_page_whose_run_goes_while_it_is_drawn_shows_another(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = Run.history

    def late(run: Run) -> list:
        records = history(run)
        if run.id == "halted" and run.path.exists():
            shutil.rmtree(run.path)  # after the page has opened it
        return records

    monkeypatch.setattr(Run, "history", late)
    assert "The run `halted` is not here (any more)" in words(opened(TRAIN, run="halted"))


# ---- words


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), FULL),
        (OSError(errno.EROFS, "Read-only file system", "/a/b"), "the folder /a can only be read: make it writable"),
        (PermissionError(errno.EACCES, "no", "/a/b"), "this program has no right to change the folder /a"),
        (FileNotFoundError(errno.ENOENT, "no", "/a/b"), "b is not there any more: it has been deleted or moved"),
        (OSError(errno.EFBIG, "File too large"), "larger than this system lets it"),
        (OSError(errno.EIO, "Input/output error", "/a/b"), "the system says 'Input/output error' of /a/b"),
        (QuotaFull("the runs take 2.0 GB of the 2.0 GB they may"), "the runs take 2.0 GB of the 2.0 GB they may"),
        (OSError("it sends more than 5 MB"), "it sends more than 5 MB"),
    ],
)
def test_what_the_system_has_against_it_is_told_in_words(error: OSError, said: str) -> None:
    assert said in trouble_words(error) and "Errno" not in trouble_words(error)

    def work(progress: tasks.Progress) -> None:
        raise error

    assert said in tasks.start_task((error,), work).wait(10).error
