"""What the page Data says of a file before it is added, and each choice there, as AppTest draws it."""

import asyncio
import io
import itertools
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from semidml.data import arrays, decoders, decoding, images, store, uploads
from semidml.data.choices import Choices, read_choices
from semidml.data.formats import numpy_files
from semidml.ui import frame, incoming, intake
from semidml.ui import words as ui_words
from tests.apptest import ROOT, checked, opened, press, words

DATA = "pages/3_Data.py"
MAKER = Path(__file__).parents[2] / "shared" / "cases" / "make_cases.py"
SIDE = 12


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(frame, "QUICK", 60.0)


def png(seed: int, deep: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint16) * deep if deep else pixels).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def rows(count: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8)


def nested() -> dict[str, bytes]:
    """Two levels of classes in training and test, images without a label, masks, and one folder that is neither."""
    kinds = ("round/zero", "round/eight", "straight/one", "straight/four")
    files = {f"train/{kind}/{i}.png": png(10 * k + i) for k, kind in enumerate(kinds) for i in range(6)}
    files |= {f"test/{kind}/{i}.png": png(10 * k + i + 5) for k, kind in enumerate(kinds) for i in range(3)}
    return files | {f"unlabeled/{i}.png": png(100 + i) for i in range(4)} | {"extra/0.png": png(200), "README.md": b"x"}


def bring(name: str, content: bytes) -> AppTest:
    """The page after a file has been sent."""
    app = opened(DATA)
    app.file_uploader[0].set_value((name, content, "application/octet-stream"))
    return checked(app.run())


def brought(app: AppTest) -> incoming.Brought:
    return app.session_state[incoming.BROUGHT]


def control(app: AppTest, start: str) -> object:
    """The control whose label begins so."""
    kinds = (*app.radio, *app.selectbox, *app.checkbox, *app.text_input)
    return next(element for element in kinds if element.label.startswith(start))


def choose(app: AppTest, start: str, value: object) -> AppTest:
    control(app, start).set_value(value)
    return checked(app.run())


def add(app: AppTest) -> AppTest:
    next(button for button in app.button if button.label.startswith("Add ")).click().run()
    return checked(app)


def held_files(folder: Path) -> list[str]:
    """What lies in a data folder, but for folders and for what the quota locks."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != ".quota.lock"
    )


def test_what_was_understood_is_said_before_anything_is_added(tmp_path: Path) -> None:
    app = bring("shapes.zip", zipped(nested()))
    said = words(app)
    assert "`shapes.zip` (archive of images): **40 images** of 12 x 12 pixels, grey. Nothing is added yet" in said
    assert "| Training | 24 | 4 | 2 |" in said and "| Test | 12 | 0 | 2 |" in said and "2 classes" in said
    assert "4 test images are training images too" in "".join(warning.value for warning in app.warning)
    cards = "".join(body for element in app.get("html") if "width: 9.2rem" in (body := element.proto.body))
    for told in ("without a label", "12 training · 6 test", "4 training"):
        assert told in cards
    assert cards.count("data:image/png;base64,") == 9  # three of each of two classes, and of what has no label
    assert control(app, "Folder `train`").value == "train" and control(app, "Folder `test`").value == "test"
    assert control(app, "Folder `unlabeled`").value == "unlabelled"
    assert "extra/ (1 images) (neither training nor test)" in "".join(text.value for text in app.text)
    assert "README.md (not an image)" in "".join(text.value for text in app.text)
    (spool, lock) = held_files(tmp_path / "data")
    assert re.fullmatch(r"uploads/\.incoming-\w+/file/shapes.zip", spool) and lock.endswith("/held")
    assert not store.uploads(tmp_path / "data")


ALL = ("round/eight", "round/zero", "straight/four", "straight/one")
TWO = ("round", "straight")


@pytest.mark.parametrize(
    ("start", "value", "classes", "trained", "choices"),
    [
        ("Folders lie 2 deep", "2", ("eight", "four", "one", "zero"), 28, Choices(level="2")),
        ("Folders lie 2 deep", "all", ALL, 28, Choices(level="all")),
        ("Folder `test`", "val", TWO, 28, Choices(folders={"test": "val"})),
        ("Folder `test`", "unlabelled", TWO, 40, Choices(folders={"test": "unlabelled"})),
        ("Folder `unlabeled`", "left out", TWO, 24, Choices(folders={"unlabeled": "left out"})),
        ("What are the 1 images in extra", "unlabelled", TWO, 29, Choices(folders={"extra": "unlabelled"})),
    ],
)
def test_a_choice_on_folders_reads_them_anew_and_is_kept_with_the_set(
    tmp_path: Path, start: str, value: str, classes: tuple[str, ...], trained: int, choices: Choices
) -> None:
    app = choose(bring("shapes.zip", zipped(nested())), start, value)
    understood = brought(app).known
    assert understood.classes == classes and brought(app).choices == choices and control(app, start).value == value
    assert sum(understood.counts["train"].values()) + understood.unlabelled.get("train", 0) == trained
    app = add(app)
    data = store.load("shapes", folder=tmp_path / "data")
    held = 0 if "test" in understood.counts else len(data.test.labels)
    assert data.class_names == classes and len(data.train.labels) + held == trained
    assert read_choices(uploads.choices_of("shapes")) == choices
    assert f"Chosen when it was added: {ui_words.plain_markdown(choices.sentences()[0])}" in words(app)
    assert held_files(tmp_path / "data") == ["uploads/shapes.npz", "uploads/shapes.semidml.json"]


def test_a_folder_whose_name_has_an_equals_sign_can_be_chosen_for() -> None:
    """As Hive names the folders of a table."""
    files = {f"label={kind}/{i}.png": png(10 * k + i) for k, kind in enumerate(("cat", "cow", "dog")) for i in range(5)}
    app = choose(bring("hive.zip", zipped(files)), "Another folder", "label=cat")
    app = choose(app, "Folder `label=cat`", "unlabelled")
    assert brought(app).choices == Choices(folders={"label=cat": "unlabelled"})
    assert brought(app).known.unlabelled == {"train": 5} and control(app, "Folder `label=cat`").value == "unlabelled"
    assert any("folder:label=cat=unlabelled" in code.value for code in app.code)


def test_files_of_a_flat_archive_may_name_the_class(tmp_path: Path) -> None:
    app = bring("pets.zip", zipped({f"{'cat' if i % 2 else 'dog'}.{i}.png": png(i) for i in range(12)}))
    assert brought(app).known.classes == () and control(app, "Files are called").value == ""
    app = choose(app, "Files are called", "names")
    assert brought(app).known.classes == ("cat", "dog") and control(app, "Files are called").value == "names"
    add(app)
    assert store.load("pets", folder=tmp_path / "data").class_names == ("cat", "dog")


def test_training_images_of_one_class_can_be_learned_from_without_a_label(tmp_path: Path) -> None:
    places = ("train/good", "test/good", "test/broken")
    app = bring(
        "bottle.zip", zipped({f"{place}/{i}.png": png(10 * k + i) for k, place in enumerate(places) for i in range(6)})
    )
    assert next(button for button in app.button if button.label.startswith("Add ")).disabled
    app = choose(app, "All 6 training images are of one class, good", "unlabelled")
    assert brought(app).known.unlabelled == {"train": 6} and not brought(app).known.problem
    add(app)
    data = store.load("bottle", folder=tmp_path / "data")
    assert data.class_names == ("broken", "good") and (data.train.labels == -1).all() and len(data.test.labels) == 12


def test_a_choice_is_undone_where_it_was_made_and_all_of_them_at_once(tmp_path: Path) -> None:
    app = bring("shapes.zip", zipped(nested()))
    first = words(app)
    app = choose(app, "Folder `unlabeled`", "left out")
    assert words(app) != first
    app = choose(app, "Folder `unlabeled`", "unlabelled")
    assert brought(app).choices == Choices() and words(app) == first
    app = choose(choose(app, "Folders lie 2 deep", "2"), "Another folder", "train/round")
    app = choose(app, "Folder `train/round`", "unlabelled")
    assert brought(app).choices == Choices(level="2", folders={"train/round": "unlabelled"})
    assert brought(app).known.unlabelled == {"train": 16}
    app = press(app, "As it was understood at first")
    assert brought(app).choices == Choices() and words(app) == first


def test_of_several_labels_one_is_chosen(tmp_path: Path) -> None:
    several = (np.random.default_rng(1).random((40, 3)) < 0.4).astype(np.uint8)
    app = bring("chest.npz", npz(train_images=rows(), train_labels=several))
    assert brought(app).known.classes == ("none", "any")
    for value, classes in (("commonest", ("none", "0", "1", "2")), ("2", ("without 2", "with 2"))):
        app = choose(app, "A row may have any of 3 labels", value)
        assert brought(app).known.classes == classes
    add(app)
    assert store.load("chest", folder=tmp_path / "data").class_names == ("without 2", "with 2")


def test_255_may_be_no_label_and_that_may_be_taken_back(tmp_path: Path) -> None:
    labels = np.where(np.arange(40) % 4, 255, np.arange(40) // 4 % 2).astype(np.uint8)
    tested = {"test_images": rows(8, 1), "test_labels": labels[::4][:8]}
    app = bring("few.npz", npz(train_images=rows(), train_labels=labels, **tested))
    assert "255" in brought(app).known.classes
    app = choose(app, "30 of 48 rows have the label 255", "-1,255")
    assert brought(app).known.classes == ("0", "1") and brought(app).known.unlabelled == {"train": 30}
    app = choose(app, "30 of 48 rows have the label 255", "")
    assert brought(app).choices == Choices() and "255" in brought(app).known.classes
    app = choose(app, "Labels that say there is none", "0")
    assert brought(app).known.classes == ("1", "255")
    app = choose(app, "Labels that say there is none", "x")
    assert "no_label must be whole numbers" in "".join(error.value for error in app.error)
    assert next(button for button in app.button if button.label.startswith("Add ")).disabled
    assert not choose(app, "Labels that say there is none", "").error


def test_masks_beside_images_are_asked_about() -> None:
    files = {f"{folder}/{i}.png": png(i) for folder in ("images", "masks") for i in range(6)}
    app = bring("cells.zip", zipped(files))
    assert brought(app).known.classes == () and control(app, "Are the 6 images in masks").value == "left out"
    app = choose(app, "Are the 6 images in masks", "class")
    assert brought(app).known.classes == ("images", "masks")
    app = choose(app, "Are the 6 images in masks", "left out")
    assert brought(app).known.classes == () and brought(app).choices == Choices()


@pytest.mark.parametrize("kind", ["zip", "npz"])
def test_a_dark_set_of_16_bits_is_shown_as_it_is_and_stretched(kind: str, tmp_path: Path) -> None:
    if kind == "zip":
        app = bring("dark.zip", zipped({f"{'ab'[i % 2]}/{i}.png": png(i, deep=16) for i in range(12)}))
    else:
        app = bring("dark.npz", npz(train_images=rows(12).astype(np.uint16) * 16, train_labels=np.arange(12) % 2))
    contrast = brought(app).known.contrast
    brightest = [max(int(np.array(Image.open(io.BytesIO(file))).max()) for file in side) for side in contrast[3:]]
    assert brightest[0] < 20 and brightest[1] > 240
    assert "as they are: 0 is black, 65535 is white" in "".join(element.proto.body for element in app.get("html"))
    app = choose(app, "The numbers of pixels", "as they are")
    add(app)
    assert store.load("dark", folder=tmp_path / "data").train.images.max() < 20


def test_arrays_may_be_turned(tmp_path: Path) -> None:
    app = bring("turned.npz", npz(train_images=rows(), train_labels=np.arange(40) % 2))
    app = choose(app, "Swap rows and columns", True)
    assert brought(app).choices == Choices(transposed="yes") and control(app, "Swap rows").value
    app = choose(app, "Swap rows and columns", False)
    assert brought(app).choices == Choices() and not control(app, "Swap rows").value
    add(choose(app, "Swap rows and columns", True))
    data = store.load("turned", folder=tmp_path / "data")
    seen = {image.numpy().tobytes() for part in (data.train, data.test) for image in part.images[:, 0]}
    assert seen == {image.T.tobytes() for image in rows()}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"train_images": np.zeros((12, SIDE, SIDE), np.uint8), "train_labels": np.arange(12) % 2}, "images are alike"),
        (
            {"test_images": rows()[:7], "test_labels": np.arange(7) % 2},
            "7 test images are training images too",
        ),
        (
            {"test_images": rows(6, 1), "test_labels": np.arange(6) % 3},
            "Classes without a training image\\: 2",
        ),
    ],
)
def test_what_is_odd_is_said_before(arrays: dict[str, np.ndarray], said: str) -> None:
    app = bring("odd.npz", npz(**{"train_images": rows(), "train_labels": np.arange(40) % 2} | arrays))
    assert said in "".join(warning.value for warning in app.warning)
    assert not next(button for button in app.button if button.label.startswith("Add ")).disabled


def test_what_cannot_be_a_data_set_is_said_before_and_cannot_be_added(tmp_path: Path) -> None:
    app = bring("one.npz", npz(train_images=rows(), train_labels=np.zeros(40, int)))
    assert "So it cannot be added: the training images are all of one class" in words(app)
    assert next(button for button in app.button if button.label.startswith("Add ")).disabled
    press(app, "Do not add")
    app = bring("broken.zip", b"this is no archive")
    assert "broken.zip: it is neither an .npz file nor" in words(app)
    press(app, "Send another file")
    assert held_files(tmp_path / "data") == []


def test_what_is_sent_goes_when_it_is_not_added_or_its_visitor_leaves(tmp_path: Path) -> None:
    content = npz(train_images=rows(), train_labels=np.arange(40) % 2)
    app = bring("mine.npz", content)
    assert len(held_files(tmp_path / "data")) == 2
    assert press(app, "Do not add").file_uploader and held_files(tmp_path / "data") == []
    app = bring("mine.npz", content)
    checked(app.switch_page("app.py").run())
    assert held_files(tmp_path / "data") == []
    checked(app.switch_page(DATA).run())
    assert "Nothing is added yet" not in words(app) and app.file_uploader


def test_a_file_that_went_meanwhile_is_told(tmp_path: Path) -> None:
    app = bring("mine.npz", npz(train_images=rows(), train_labels=np.arange(40) % 2))
    brought(app).incoming.remove()
    checked(app.run())
    assert "What you sent is no longer here" in words(app) and app.file_uploader


def test_a_name_is_suggested_and_one_that_is_taken_is_refused_in_words(tmp_path: Path) -> None:
    content = npz(train_images=rows(), train_labels=np.arange(40) % 2)
    add(bring("mine.npz", content))
    app = bring("mine.npz", content)
    assert control(app, "Name it").value == "mine-2"
    app = add(choose(app, "Name it", "Mine"))
    assert "there is a data set called Mine already" in words(app) and "Nothing is added yet" in words(app)
    app = add(choose(app, "Name it", "other"))
    assert "`other` is here" in words(app) and list(store.uploads(tmp_path / "data")) == ["mine", "other"]


def test_another_choice_decodes_and_reads_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    several = (np.random.default_rng(1).random((40, 3)) < 0.4).astype(np.uint8)
    sent = {
        "shapes.zip": (
            zipped(nested() | {f"train/round/zero/{i}d.png": png(i, 16) for i in range(3)}),
            "Folders lie",
            "2",
        ),
        "chest.npz": (npz(X=rows(), y=several), "A row may have", "commonest"),
    }

    def refuse(*given: object) -> None:
        raise AssertionError(f"{given} was read again")

    for name, (content, start, value) in sent.items():
        app = bring(name, content)
        before = brought(app).known
        with monkeypatch.context() as patch:
            for place in ("_opened", "_read_header", "_pixels_of", "_measure"):
                patch.setattr(decoding, place, refuse)
            patch.setattr(numpy_files, "_load", refuse)
            patch.setattr(arrays, "in_bytes", refuse)
            app = choose(app, start, value)
        assert not app.error, words(app)
        assert brought(app).known.classes != before.classes


def wait_at_the_tenth(monkeypatch: pytest.MonkeyPatch, step: str, is_said: Callable[[], bool]) -> None:
    """From now on files are read one after the other, and the tenth only once the page has said what it is to say."""
    read, files, late = getattr(decoding, step), itertools.count(1), time.monotonic() + 60

    def wait_and_read(*given: object) -> object:
        if next(files) == 10:
            while not is_said() and time.monotonic() < late:
                time.sleep(0.01)
        return read(*given)

    monkeypatch.setattr(decoders, "BATCH_COST", 1)
    monkeypatch.setattr(decoding, step, wait_and_read)


def test_a_look_that_takes_long_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(frame, "QUICK", 0.0)
    monkeypatch.setattr(frame, "BETWEEN", 0.01)
    monkeypatch.setattr(images, "TOLD", 4)
    monkeypatch.setattr(st, "progress", lambda fraction, text="": told.append(text))
    wait_at_the_tenth(monkeypatch, "_read_header", lambda: "8 of 40 files looked at …" in told)
    app = bring("shapes.zip", zipped(nested()))
    assert "**40 images**" in words(app) and "8 of 40 files looked at …" in told


def test_a_data_set_whose_reading_takes_long_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in nested().items():
        file = tmp_path / "data" / "uploads" / "shapes" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    told = []
    monkeypatch.setattr(frame, "QUICK", 0.0)
    monkeypatch.setattr(frame, "BETWEEN", 0.01)
    monkeypatch.setattr(images, "TOLD", 4)
    monkeypatch.setattr(st, "progress", lambda fraction, text="": told.append((fraction, text)))
    wait_at_the_tenth(monkeypatch, "_pixels_of", lambda: (0.2, "shapes: 8 of 40 images decoded …") in told)
    app = opened(DATA, data="shapes")
    assert "Training images, a row for each class" in words(app)
    assert (0.2, "shapes: 8 of 40 images decoded …") in told


def test_a_data_set_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "data" / "uploads" / "empty").mkdir(parents=True)
    app = opened(DATA, data="empty")
    assert [error.value for error in app.error] and "empty: there are no class folders" in words(app)


def test_what_a_server_left_that_was_killed_goes_and_what_lives_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    code = (
        "import io, os\nfrom semidml.data import uploads\n"
        "uploads.receive(io.BytesIO(b'what was sent'), 'mine.npz')\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    living = uploads.receive(b"what is sent", "other.npz", folder)
    left = [path.parent.parent for path in folder.rglob("mine.npz")]
    assert left == [] and living.is_here()  # the next that came has swept
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert list(folder.rglob("mine.npz"))
    uploads.sweep(folder)
    assert not list(folder.rglob("mine.npz")) and living.is_here()
    os.utime(living.path.parent.parent, (0, 0))
    uploads.sweep(folder)
    assert not living.is_here()  # nobody has touched it for an hour
    living.remove()


def test_the_server_lets_go_of_what_was_left_when_it_begins_and_of_all_when_it_ends(tmp_path: Path) -> None:
    folder, served = tmp_path / "data", []
    left = folder / "uploads" / ".incoming-left"
    left.mkdir(parents=True)
    (left / uploads.HELD).touch()
    bring("mine.npz", npz(train_images=rows(), train_labels=np.arange(40) % 2))
    assert not left.exists()  # whoever sends a file sweeps
    left.mkdir()
    (left / uploads.HELD).touch()

    async def serve(scope: object, receive: object, send: object) -> None:
        late = time.monotonic() + 60
        while left.exists() and time.monotonic() < late:
            await asyncio.sleep(0.01)
        served.extend(held_files(folder))

    with ThreadPoolExecutor(1) as pool:  # a browser's tests leave the main thread a loop that runs
        pool.submit(asyncio.run, intake.Intake(serve)({"type": "lifespan"}, None, None)).result()
    assert len(served) == 2 and not left.exists() and held_files(folder) == []


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not MAKER.exists():
        pytest.skip("no cases beside the project")
    top = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(MAKER), str(top)], check=True, capture_output=True)
    return top


@pytest.mark.parametrize(
    "name",
    [
        *("npz_minus1.npz", "npz_255.npz", "npz_chest.npz", "npz_uint16.npz", "npz_nchw.npz", "npz_keras.npz"),
        *(
            "training_testing",
            "seg",
            "tinyin",
            "test_loose",
            "class_split",
            "img_mask",
            "casediff",
            "withunlab",
            "loose",
        ),
        *("png16_12bit", "white_alpha", "backslash.zip", "withnpy.zip", "train.csv", "images.tar.gz", "idx"),
    ],
)
def test_each_case_is_shown_and_is_added_as_it_was_shown(cases: Path, tmp_path: Path, name: str) -> None:
    place = cases / name
    files = {str(file.relative_to(place)): file.read_bytes() for file in sorted(place.rglob("*")) if file.is_file()}
    content = zipped(files) if place.is_dir() else place.read_bytes()
    app = bring(place.name if place.is_file() else f"{name}.zip", content)
    shown = brought(app).known
    assert not app.error and "Nothing is added yet" in words(app)
    app = add(app)
    assert not app.error, words(app)
    data = store.load(app.session_state["looked at"], folder=tmp_path / "data")
    count = sum(sum(own.values()) for own in shown.counts.values()) + sum(shown.unlabelled.values())
    assert data.class_names == shown.classes and data.shape == shown.shape
    assert sum(len(part.labels) for part in data.parts.values()) == count
