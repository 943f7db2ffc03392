"""A run is of the data that it saw: whatever else stands under the same name is refused, in words that name what
differs; the same images are the same wherever they lie and whatever decodes them."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semidml.cli import main
from semidml.config import RunConfig
from semidml.data import decoded, decoding, fingerprint, image_files, layout, npz, store
from semidml.data.choices import Choices, file_for, keep_choices
from semidml.execute import execute, score_run
from semidml.explore import prior, take_away
from semidml.runs import changes, listing, places, trained_on, transfer
from semidml.runs.run import Run
from semidml.ui import cache
from tests.apptest import opened, words

SIDE = 16
QUICK = ["--epochs", "2", "--device", "cpu"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    store.kept.clear()
    monkeypatch.setattr(store, "LOOK", 0.0)  # a file that is written anew is seen at once


def picture(number: int, form: str = "PNG") -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (SIDE, SIDE), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def make_folder(top: Path, classes: str = "ab", each: int = 15, form: str = "PNG") -> Path:
    for c, name in enumerate(classes):
        (top / name).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            (top / name / f"{i:02d}.{form.lower()}").write_bytes(picture(100 * c + i, form))
    return top


def train(data: str, run_id: str = "first", *more: str) -> Run:
    assert main(["train", "--data", data, *QUICK, *more, "--out", str(places.runs_folder() / run_id)]) == 0
    return listing.open_run(run_id)


def add_class(top: Path) -> None:
    make_folder(top, "c")


def drop_class(top: Path) -> None:
    shutil.rmtree(top / "b")


def rename_class(top: Path) -> None:
    (top / "b").rename(top / "z")


def add_image(top: Path) -> None:
    (top / "a" / "99.png").write_bytes(picture(999))


def replace_image(top: Path) -> None:
    (top / "b" / "07.png").write_bytes(picture(999))


def swap_images(top: Path) -> None:
    first, second = top / "a" / "00.png", top / "a" / "01.png"
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])


def move_image(top: Path) -> None:
    """One of each class becomes one of the other."""
    (top / "a" / "14.png").rename(top / "b" / "aa.png")
    (top / "b" / "00.png").rename(top / "a" / "14.png")


CHANGES = {
    add_class: "it did not have the class c",
    drop_class: "it has no class a or b any more",  # what is left is a flat folder of images
    rename_class: "it did not have the class z; it has no class b any more",
    add_image: "train images, it had",
    replace_image: "some of its images are others, or stand in another order",
    swap_images: "some of its images are others, or stand in another order",
    move_image: "some of its images are others",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_folder_that_has_changed_is_refused_with_what_differs(tmp_path, change, capsys):
    top = make_folder(tmp_path / "birds")
    run = train(str(top))
    capsys.readouterr()
    assert main(["evaluate", "first"]) == 0 and "nan" not in capsys.readouterr().out
    change(top)
    said = f"{top} here is another data set than the one that first was trained on: "
    assert main(["evaluate", "first"]) == 2
    error = capsys.readouterr().err
    assert said in error and CHANGES[change] in error
    for ask in (score_run, lambda run: take_away.all_rows(run, trained_on.load_data(run))):
        with pytest.raises(ValueError, match="another data set") as refused:
            ask(run)
        assert CHANGES[change] in str(refused.value)
    assert f"since its images cannot be read: {said}" in prior.training_latents(run)[1]


def test_a_resume_with_other_data_is_refused_and_goes_on_with_the_right_ones(tmp_path, capsys):
    top = make_folder(tmp_path / "birds")
    config = RunConfig(data=str(top), epochs=4, device="cpu")
    run = listing.create_run(config, "first", paths=True)
    for record in execute(run):
        if record.ends_epoch and record.epoch == 1:
            changes.stop(run)
    replace_image(top)
    assert main(["runs", "resume", "first"]) == 1
    assert "some of its images are others" in capsys.readouterr().err and run.status().state == "failed"
    (top / "b" / "07.png").write_bytes(picture(107))
    assert main(["runs", "resume", "first"]) == 0 and run.history()[-1].epoch == 4


def test_another_side_is_another_data_set(tmp_path):
    top = make_folder(tmp_path / "birds")
    run = train(f"{top}@20")
    details = json.loads((run.path / "config.json").read_text())
    details["config"]["data"] = f"{top}@24"
    (run.path / "config.json").write_text(json.dumps(details))
    with pytest.raises(ValueError, match="its images are 24 x 24 pixels with 1 channel, they were 20 x 20 pixels"):
        score_run(run)


def test_a_relative_path_is_found_from_another_folder(tmp_path, monkeypatch):
    make_folder(tmp_path / "here" / "birds")
    monkeypatch.chdir(tmp_path / "here")
    for data, name in (("birds", "first"), ("./birds@20", "second")):
        run = train(data, name)
        assert run.config().data == str(tmp_path / "here" / "birds") + "@20" * ("@" in data)
    make_folder(tmp_path / "elsewhere" / "birds", "xyz")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["evaluate", "first"]) == 0 and main(["evaluate", "second"]) == 0
    assert prior.training_latents(listing.open_run("first"))[1] == "all 24 training images"


def test_a_relative_path_of_an_older_run_that_is_not_here_says_where_it_was_looked_for(tmp_path, monkeypatch, capsys):
    run = train(str(make_folder(tmp_path / "birds")))
    details = json.loads((run.path / "config.json").read_text())
    details["config"]["data"] = "birds"
    (run.path / "config.json").write_text(json.dumps(details))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["evaluate", "first"]) == 2
    assert f"file or folder called 'birds' in {tmp_path / 'elsewhere'}" in capsys.readouterr().err


def of_another_library(monkeypatch) -> None:
    """Decodes as another release of a JPEG library would: the last bits are others."""
    real = decoding.read_pixels
    monkeypatch.setattr(decoding, "read_pixels", lambda *given: real(*given) ^ 1)
    store.kept.clear()


@pytest.mark.parametrize("large", [False, True], ids=["in memory", "on the disk"])
def test_the_same_files_are_the_same_images_whatever_decodes_them(tmp_path, monkeypatch, large):
    monkeypatch.setattr(decoded, "LARGE", 0 if large else decoded.LARGE)
    top = make_folder(tmp_path / "birds", form="JPEG")
    run = train(str(top))
    pixels = trained_on.load_data(run).train.images.clone()
    shutil.rmtree(tmp_path / "data", ignore_errors=True)
    of_another_library(monkeypatch)
    assert not trained_on.load_data(run).train.images.equal(pixels)
    trained_on.read_splits(run, trained_on.load_data(run))
    (top / "a" / "03.jpeg").write_bytes(picture(999, "JPEG"))
    with pytest.raises(ValueError, match="some of its images are others"):
        trained_on.read_splits(run, trained_on.load_data(run))


def test_training_and_test_that_change_places_are_other_data(tmp_path):
    """On another machine, whose library decodes the files otherwise, their files alone tell it."""
    top, place = make_folder(tmp_path / "birds" / "p", form="JPEG").parent, tmp_path / "data"
    for path in sorted(top.glob("p/*/*")):
        other = top / "q" / path.relative_to(top / "p")
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(picture(1000 + int(path.stem), "JPEG"))
    read = []
    for roles in ({"p": "train", "q": "test"}, {"p": "test", "q": "train"}):
        keep_choices(file_for(place, top), Choices(folders=roles))
        read.append(store.load(str(top), allow_paths=True))
    first, turned = read
    known = trained_on.describe_data(first) | {"pixels": "0" * 64}
    assert trained_on.list_differences(known, first) == [] and trained_on.list_differences(known, turned)


def test_the_same_pixels_are_the_same_images_whatever_holds_them(tmp_path):
    """Files packed anew, moved, in an archive, as arrays: what was decoded is the same."""
    top = make_folder(tmp_path / "birds")
    run, data = train(str(top)), store.load(str(top), allow_paths=True)
    with zipfile.ZipFile(tmp_path / "birds.zip", "w") as archive:
        for path in sorted(top.rglob("*.png"), reverse=True):
            archive.write(path, path.relative_to(top))
    for path in top.rglob("*.png"):
        Image.open(path).save(path, compress_level=0)
    top.rename(tmp_path / "moved")
    for place in (tmp_path / "birds.zip", tmp_path / "moved"):
        trained_on.check_data(run, store.load(str(place), allow_paths=True))
    arrays = {f"{s}_{kind}": getattr(data.parts[s], kind).numpy() for s in data.parts for kind in ("images", "labels")}
    np.savez(tmp_path / "birds.npz", **arrays, class_names=np.array(data.class_names))
    trained_on.check_data(run, store.load(str(tmp_path / "birds.npz"), allow_paths=True))


def test_one_of_many_images_is_missed_by_nobody(tmp_path, monkeypatch):
    """A sample of the pixels would not have it: it is every byte that counts."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (2000, 64, 64), np.uint8), np.arange(2000) % 2
    other = pixels.copy()
    other[1235, 5, 5] ^= 1
    told = []
    for large in (False, True):
        monkeypatch.setattr(decoded, "LARGE", 0 if large else 1 << 30)
        monkeypatch.setattr(npz, "CHUNK", 1 << 20)
        for content in (pixels, other):
            np.savez(tmp_path / "x.npz", train_images=content, train_labels=labels)
            told.append(store.load(str(tmp_path / "x.npz"), allow_paths=True))
    first, changed, on_disk, changed_on_disk = told
    assert first.digest == changed.digest and first.pixels != changed.pixels
    assert (on_disk.pixels, changed_on_disk.pixels) == (first.pixels, changed.pixels)
    assert on_disk.told_pixels and trained_on.list_differences(trained_on.describe_data(first), on_disk) == []
    assert trained_on.list_differences(trained_on.describe_data(on_disk), changed)


def test_what_an_older_run_says_of_its_data_is_enough(tmp_path):
    """Up to version 0.3 a digest of labels and some pixels, before that shapes and names alone."""
    data = store.load(str(make_folder(tmp_path / "birds")), allow_paths=True)
    now = trained_on.describe_data(data)
    assert set(now) == {"title", "shape", "class_names", "rows", "digest", "labels", "pixels", "files"}
    for known in ({}, {"shape": [1, 16, 16], "class_names": ["a", "b"]}, {"digest": now["digest"]}):
        assert trained_on.list_differences(known, data) == []
    assert trained_on.list_differences({"digest": "0" * 64}, data) == ["its images or labels are others"]
    assert trained_on.list_differences(now | {"files": "0" * 64}, data) == [], "the pixels are the same"
    assert trained_on.list_differences(now | {"pixels": "0" * 64}, data) == [], "the files are the same"
    assert trained_on.list_differences(now | {"pixels": "0" * 64, "files": "0" * 64}, data)


def test_an_imported_run_knows_its_data(tmp_path):
    top = make_folder(tmp_path / "birds")
    run = train(str(top))
    file = io.BytesIO()
    transfer.export_zip(run, file)
    back = transfer.import_zip(file, "back")
    assert back.details()["data"] == run.details()["data"]
    replace_image(top)
    with pytest.raises(ValueError, match="some of its images are others"):
        trained_on.check_data(back, store.load(str(top), allow_paths=True))


def test_a_file_that_cannot_be_brought_is_said(tmp_path):
    member = next(iter(make_folder(tmp_path / "birds").rglob("*.png")))
    with image_files.list_members(tmp_path / "birds") as members:
        items = layout.read_layout(members, Choices()).items
        assert len(fingerprint.digest_files(items)) == 64
        member.unlink()
        with pytest.raises(ValueError, match=r"\.png could not be read \(No such file or directory\)"):
            fingerprint.digest_files(items)


def test_pages_show_pictures_of_what_the_command_line_trained_on_alone(tmp_path):
    """A path was given by who sits at this machine; a run that came as a zip may not have one opened."""
    top = make_folder(tmp_path / "birds")
    run, file = train(str(top)), io.BytesIO()
    assert trained_on.is_of_path(run) and cache.missing_images(run) == ""
    assert cache.read_floors(run)
    transfer.export_zip(run, file)
    back = transfer.import_zip(file, "back")
    assert not trained_on.is_of_path(back) and "paths are read from the command line only" in cache.missing_images(back)
    top.rename(tmp_path / "elsewhere")
    store.kept.clear()
    cache.forget_runs()
    app = opened("pages/2_Explore.py", run=run.id)
    assert "The pictures of this run cannot be shown: there is no" in words(app)
    assert "Fetch it on the page Data" not in [link.proto.label for link in app.get("page_link")]
