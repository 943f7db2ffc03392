"""What fails before it began leaves nothing behind, from the command line and from the page; a step fits itself to the
classes there are."""

import io
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from semidml import memory
from semidml.cli import main
from semidml.config import RunConfig
from semidml.data import store, uploads
from semidml.data.batches import Batches
from semidml.data.labels import describe_step, fit_per_class, too_large
from semidml.execute import execute
from semidml.jobs.queue import Jobs
from semidml.runs import listing, places
from semidml.runs.run import Run
from semidml.train import loop
from tests.apptest import opened, press, words

TRAIN = "pages/1_Train.py"
QUICK = ("--epochs", "1", "--device", "cpu")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    store.kept.clear()


def pack(classes: int = 2, rows: int = 12, side: int = 8) -> bytes:
    """An .npz of so many classes with as many training rows each, and two test rows of each."""
    rng, file = np.random.default_rng(0), io.BytesIO()
    arrays = {}
    for split, each in (("train", rows), ("test", 2)):
        labels = np.repeat(np.arange(classes), each)
        arrays |= {f"{split}_images": rng.integers(0, 256, (len(labels), side, side), np.uint8)}
        arrays |= {f"{split}_labels": labels}
    np.savez(file, **arrays)
    return file.getvalue()


def tree(top: Path) -> list[str]:
    return sorted(str(path.relative_to(top)) for path in top.rglob("*"))


# ---- from the command line


def lay(top: Path) -> None:
    """Data of each kind, good and bad."""
    (top / "good.npz").write_bytes(pack())
    (top / "broken.npz").write_bytes(pack()[:-500])
    (top / "one class.npz").write_bytes(pack(classes=1))
    np.save(top / "unlabelled.npy", np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8))
    (top / "text").mkdir()
    (top / "text" / "a.txt").write_text("no image")


EARLY = {
    "typo": (("--data", "typo"), "there is no data set, file or folder called 'typo'"),
    "knob": (("--data", "good.npz", "--alpha", "2"), "alpha must be between 0 and 1, got 2"),
    "fetch": (("--data", "mnist"), "python -m semidml data fetch mnist"),
    "broken": (("--data", "broken.npz"), "broken"),
    "unreadable": (("--data", "text"), "there are no class folders with images"),
    "one class": (("--data", "one class.npz"), "the training images are all of one class"),
    "unlabelled": (("--data", "unlabelled.npy"), "no training image has a label, and dml-ae learns from labels"),
    "labels": (("--data", "good.npz", "--pl", "4"), "a metric loss needs at least 3"),
    "combination": (("--data", "good.npz", "--model", "dml", "--prior", "gmm"), "dml has no prior"),
    "pseudo-inputs": (
        ("--data", "good.npz", "--model", "metric-vae", "--pseudo-inputs", "50"),
        "pseudo_inputs must be at most the number of training images, 24, got 50",
    ),
    "device": (("--data", "good.npz", "--device", "mps"), "device mps is not available"),
}


@pytest.mark.parametrize("name", EARLY)
def test_what_fails_before_it_began_leaves_nothing_and_the_name_free(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lay(tmp_path)
    asked, said = EARLY[name]
    before = tree(tmp_path)
    assert main(["train", *QUICK, *asked, "--out", "new/deep/X"]) != 0
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert tree(tmp_path) == before
    assert main(["train", "--data", "good.npz", *QUICK, "--out", "new/deep/X"]) == 0
    assert Run(tmp_path / "new" / "deep" / "X").status().state == "done"


def test_so_it_is_among_the_runs(capsys):
    assert main(["train", "--pl", "0.01", *QUICK]) == 1 and "1 label" in capsys.readouterr().err
    assert listing.list_runs(include_shipped=False) == []


def test_too_little_memory_or_quota_leaves_nothing(tmp_path, monkeypatch, capsys):
    (tmp_path / "good.npz").write_bytes(pack())
    words = ["train", "--data", str(tmp_path / "good.npz"), *QUICK, "--out", str(places.runs_folder() / "X")]
    with monkeypatch.context() as patch:
        patch.setattr(memory, "free_bytes", lambda: 100)
        assert main(words) == 1 and "of memory" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(loop, "View", lambda *given, **more: torch.empty(1 << 60))
        assert main(words) == 1 and "semidml: failed: out of memory: lower batch_size" in capsys.readouterr().err
    monkeypatch.setenv("SEMIDML_QUOTA", "1kB")
    assert main(words) == 2 and "SEMIDML_QUOTA" in capsys.readouterr().err
    assert listing.list_runs(include_shipped=False) == []


def test_a_place_that_holds_something_is_left_as_it_is(tmp_path, monkeypatch, capsys):
    for name in ("full", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "mine.txt").write_text("precious")
    (tmp_path / "file").write_text("precious")
    before = tree(tmp_path)
    for name in ("full", "file", "empty"):
        assert main(["train", "--pl", "0.01", *QUICK, "--out", str(tmp_path / name)]) != 0
        assert "there is already" in capsys.readouterr().err or name == "empty"
        assert tree(tmp_path) == before and (tmp_path / "full" / "mine.txt").read_text() == "precious"


def test_what_is_stopped_before_it_began_leaves_nothing(tmp_path, monkeypatch):
    real = store.load

    def load(*given, **more):
        os.kill(os.getpid(), signal.SIGTERM)
        return real(*given, **more)

    monkeypatch.setattr(store, "load", load)
    assert main(["train", *QUICK, "--out", str(tmp_path / "X")]) == 128 + signal.SIGTERM
    assert not (tmp_path / "X").exists()


def test_what_began_is_kept(tmp_path, monkeypatch):
    """A run that fails after its first record is there, with its reason."""
    monkeypatch.setattr(loop.Training, "_one_epoch", lambda self: (_ for _ in ()).throw(ValueError("it broke")))
    assert main(["train", *QUICK, "--out", str(tmp_path / "X")]) == 1
    assert Run(tmp_path / "X").status().reason.startswith("it broke") and Run(tmp_path / "X").history()


# ---- from the page


def test_train_on_an_upload_that_has_vanished_leaves_nothing(tmp_path):
    uploads.save_upload("mine", pack(), "mine.npz")
    app = opened(TRAIN, data="mine")
    uploads.delete_upload("mine")
    press(app, "Train")
    assert "mine" in words(app) and not app.exception
    assert listing.list_runs(include_shipped=False) == []


@pytest.mark.parametrize(
    ("content", "knobs", "said"),
    [
        (None, {}, "there is no data set called 'mine'"),
        (pack(classes=1), {}, "the images with a label are all of one class, and dml-ae learns from labels"),
        (pack()[:-500], {}, "mine"),
        (pack(), {"pl": 4.0}, "a metric loss needs at least 3"),
        (pack(), {"model": "metric-vae", "prior": "vamp", "pseudo_inputs": 50}, "pseudo_inputs must be at most"),
    ],
    ids=["vanished", "one class", "broken", "few labels", "pseudo-inputs"],
)
def test_what_cannot_be_trained_is_not_queued(tmp_path, content, knobs, said):
    if content:
        (tmp_path / "data" / "uploads").mkdir(parents=True)
        (tmp_path / "data" / "uploads" / "mine.npz").write_bytes(content)
    jobs = Jobs(tmp_path / "runs")
    try:
        with pytest.raises(ValueError, match=said):
            jobs.submit(RunConfig.of({"data": "mine"} | knobs))
        assert jobs.queue() == [] and not (tmp_path / "runs").exists()
    finally:
        jobs.close()


# ---- steps that fit themselves


@pytest.mark.parametrize(("classes", "rows", "each"), [(136, 20, 14), (1000, 3, 2), (136, 5, None)])
def test_many_classes_train_at_the_default(tmp_path, classes, rows, each, capsys):
    (tmp_path / "many.npz").write_bytes(pack(classes, rows))
    data = str(tmp_path / "many.npz")
    assert main(["train", "--data", data, *QUICK, "--out", str(tmp_path / "X")]) == 0
    error, run = capsys.readouterr().err, Run(tmp_path / "X")
    assert run.config().labelled_per_class == 20, "the setting stays the default"
    assert run.details()["facts"].get("labelled_per_class") == each
    assert run.details()["facts"]["labelled_rows_a_step"] == classes * (each or rows)
    assert (f"note: labelled_per_class is {each} here" in error) == (each is not None)
    if each:
        assert main(["train", "--data", data, *QUICK, "--labelled-per-class", "25", "--out", str(tmp_path / "Y")]) == 1
        assert f"lower labelled_per_class to {each}" in capsys.readouterr().err and not (tmp_path / "Y").exists()


def test_many_classes_train_from_the_page_and_it_says_so(tmp_path):
    uploads.save_upload("mine", pack(136, 20), "mine.npz")
    app = opened(TRAIN, data="mine", epochs="1", augment="on")
    assert not next(button for button in app.button if button.label == "Train").disabled
    run = listing.create_run(RunConfig(data="mine", epochs=1, device="cpu"), "many")
    assert list(execute(run))
    assert "labelled_per_class is 14 here" in words(opened(TRAIN, run="many"))


def test_a_step_holds_what_it_held_wherever_that_fitted():
    """The default changes nothing where it could be trained before."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        sizes, views = rng.integers(1, 60, rng.integers(2, 400)).tolist(), bool(rng.integers(2))
        each = fit_per_class(sizes, 20, views)
        before, now = ([m if views else min(m, size) for size in sizes] for m in (20, each))
        assert 2 <= each <= 20 and too_large(now, each) == ""
        assert now == before or too_large(before, 20)
        if each < 20:
            assert too_large([each + 1 if views else min(each + 1, size) for size in sizes], each + 1)


def test_more_classes_than_two_rows_each_fit_are_refused_as_before():
    labels = torch.arange(1500).repeat(2)
    with pytest.raises(ValueError, match=r"1500 seen classes .* or see fewer classes"):
        Batches(labels, torch.arange(3000), 20, 16, 0.0, fits=True)


def test_only_the_default_fits_itself():
    assert RunConfig().fits_per_class and not RunConfig(labelled_per_class=19).fits_per_class
    assert (
        RunConfig(data="cub200").fits_per_class and not RunConfig(data="cub200", labelled_per_class=20).fits_per_class
    )
    assert describe_step({"labelled_per_class": "<b>"}) == describe_step({}) == ""
