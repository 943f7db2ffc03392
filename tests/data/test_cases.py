"""Data as people bring them, each case of ../shared/cases read as its owner means it: classes, counts and pixels."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from semidml.data import store
from semidml.data.choices import Choices
from semidml.data.dataset import Split
from semidml.data.look import look

MAKER = Path(__file__).parents[3] / "shared" / "cases" / "make_cases.py"
pytestmark = pytest.mark.skipif(not MAKER.exists(), reason="no cases beside the project")
DIGITS = load_digits()
PIXELS = np.kron(np.minimum(255, DIGITS.images * 16).astype(np.uint8), np.ones((1, 3, 3), np.uint8))
LABELS = DIGITS.target
TWO = np.flatnonzero(LABELS < 2)  # the rows of the digits that the cases of class folders show
NAMES = tuple(str(digit) for digit in range(10))


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Path:
    top = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(MAKER), str(top)], check=True, capture_output=True)
    return top


@pytest.fixture
def load(cases, tmp_path):
    store.kept.clear()
    return lambda name: store.load(str(cases / name), allow_paths=True, folder=tmp_path / "data")


def rows(*splits: Split) -> set[tuple[bytes, int]]:
    """{(pixels, label)} of all rows."""
    return {(x.numpy().tobytes(), int(y)) for split in splits for x, y in zip(split.images, split.labels, strict=True)}


def digits(which, label) -> set[tuple[bytes, int]]:
    """The same of some rows of the digits, whose label a function gives."""
    return {(PIXELS[row].tobytes(), label(LABELS[row])) for row in which}


def plain(label) -> int:
    return int(label)


def named(label) -> int:
    """The number of the class folder, of one and zero."""
    return 1 - int(label)


def none(label) -> int:
    return -1


def test_minus_one_is_no_label(load):
    data = load("npz_minus1.npz")
    assert data.class_names == NAMES and (data.train.labels == -1).sum() == 360
    seen = data.train.labels >= 0
    assert data.train.labels[seen].tolist() == LABELS[:400][np.arange(400) % 10 == 0].tolist()
    assert rows(data.test) == digits(range(400, 600), plain)


def test_255_with_most_rows_is_asked_about_and_is_no_label_where_that_is_said(load, cases, tmp_path):
    assert load("npz_255.npz").class_names == (*NAMES, "255")
    known = look(str(cases / "npz_255.npz"), folder=tmp_path)
    assert [question.key for question in known.questions] == ["no_label"] and "255" in known.questions[0].text
    said = look(str(cases / "npz_255.npz"), Choices(no_label="-1,255"), tmp_path)
    assert said.classes == NAMES and said.unlabelled == {"train": 360}


def test_a_folder_called_unlabeled_has_no_label(load):
    data = load("withunlab")
    assert data.class_names == ("one", "zero")
    expected = digits(TWO[:12], named) | digits(range(40), none)
    assert rows(data.train, data.test) == expected and (data.test.labels >= 0).all()


def test_a_flat_folder_has_no_classes(load):
    data = load("loose")
    assert data.class_names == () and rows(data.train, data.test) == digits(range(30), none)


@pytest.mark.parametrize("name", ["training_testing", "class_split", "seg", "train_dev"])
def test_splits_are_seen_under_other_names_and_levels(load, name):
    data = load(name)
    assert data.class_names == ("one", "zero")
    if name == "class_split":
        tested = [row for k in (0, 1) for row in np.flatnonzero(k == LABELS)[:3]]
        trained = [row for k in (0, 1) for row in np.flatnonzero(k == LABELS)[3:10]]
    else:
        trained, tested = TWO[:12], TWO[:12] if name == "seg" else TWO[:6]
    unlabelled = digits(range(6), none) if name == "seg" else set()
    if name == "train_dev":
        assert rows(data.validation) == digits(tested, named)
        assert rows(data.train, data.test) == digits(trained, named)
    else:
        assert rows(data.test) == digits(tested, named)
        assert rows(data.train) == digits(trained, named) | unlabelled


@pytest.mark.parametrize("name", ["tinyin", "test_loose"])
def test_test_images_without_classes_are_images_without_a_label(load, name):
    data = load(name)
    assert data.class_names == (("n01", "n02") if name == "tinyin" else ("one", "zero"))
    assert (data.train.labels == -1).sum() == (14 if name == "tinyin" else 6) and (data.test.labels >= 0).all()
    assert len(data.train.labels) + len(data.test.labels) == (30 if name == "tinyin" else 18)
    assert "without a label" in data.notes[0]


def test_masks_are_asked_about_and_left_out_until_it_is_said_that_they_are_a_class(load, cases, tmp_path):
    data = load("img_mask")
    assert data.class_names == () and rows(data.train, data.test) == digits(range(12), none)
    assert "12 images in masks are left out" in data.notes[0]
    known = look(str(cases / "img_mask"), folder=tmp_path)
    assert [question.key for question in known.questions] == ["folder:masks"]
    both = look(str(cases / "img_mask"), Choices(folders={"masks": "class"}), tmp_path)
    assert both.counts == {"train": {"images": 12, "masks": 12}}


def test_classes_that_differ_by_case_are_one(load):
    data = load("casediff")
    assert data.class_names == ("one", "zero") and rows(data.test) == digits(TWO[:6], named)
    assert any("zero and Zero are one class" in note for note in data.notes)


def test_numbers_stand_in_their_order(load):
    data = load("numbers")
    assert data.class_names == tuple(str(n) for n in range(12))
    assert data.train.labels.tolist() == sorted(data.train.labels.tolist(), key=lambda c: str(c))


KINDS = [row for k in (0, 1) for row in np.flatnonzero(k == LABELS)[:6]]


@pytest.mark.parametrize("name", ["png16", "png16_12bit", "png16_8bit"])
def test_the_range_of_a_set_of_16_bits_is_read_and_said(load, name):
    data = load(name)
    assert rows(data.train, data.test) == digits(KINDS, named)
    assert any("stretched" in note for note in data.notes) == (name == "png16_12bit")


def test_strokes_on_transparency_are_seen(load):
    white, black = load("white_alpha"), load("black_alpha")
    assert rows(white.train, white.test) == digits(KINDS, named)
    inverted = {((255 - PIXELS[row]).tobytes(), named(LABELS[row])) for row in KINDS}
    assert rows(black.train, black.test) == inverted
    assert any("made black" in note for note in white.notes) and not any("made" in note for note in black.notes)


def test_a_turn_in_exif_is_undone_in_png_as_in_jpeg(load):
    turned, jpeg = load("exif_png"), load("exif_jpg")
    assert rows(turned.train, turned.test) == digits(KINDS, named)
    for split, other in ((turned.train, jpeg.train), (turned.test, jpeg.test)):
        assert (split.images.int() - other.images.int()).abs().float().mean() < 12


def test_images_that_are_all_alike_are_said(load, cases, tmp_path):
    assert any("All training images are alike" in note for note in load("npz_blank.npz").notes)
    assert look(str(cases / "npz_blank.npz"), folder=tmp_path).alike


def test_test_images_that_are_training_images_are_counted(load, cases, tmp_path):
    assert "100 test images are training images too: scores flatter." in load("npz_duplicates.npz").notes
    assert look(str(cases / "npz_duplicates.npz"), folder=tmp_path).shared == {"test": 100}
    assert look(str(cases / "seg"), folder=tmp_path).shared == {"test": 12}


def test_classes_that_only_the_test_has_and_small_ones_are_said(cases, tmp_path):
    known = look(str(cases / "npz_newclass.npz"), folder=tmp_path)
    assert known.only_tested == ("5", "6", "7", "8", "9") and any("without a training image" in n for n in known.notes)
    small = look(str(cases / "npz_imbalanced.npz"), folder=tmp_path)
    assert any(note == "Classes with fewer than three images: 1, 2." for note in small.notes)


@pytest.mark.parametrize("name", ["npz_float01.npz", "npz_uint16.npz", "X.npy"])
def test_arrays_of_other_numbers_and_files_are_read(load, name):
    data = load(name)
    assert data.class_names == NAMES and rows(data.train, data.test) == digits(range(400), plain)


def test_arrays_with_channels_first_and_under_other_names_are_read(load):
    data = load("npz_nchw.npz")
    assert data.shape == (3, 24, 24) and len(data.train.labels) + len(data.test.labels) == 400
    assert (data.train.images == data.train.images[:, :1]).all()
    keras = load("npz_keras.npz")
    assert rows(keras.train) == digits(range(400), plain) and rows(keras.test) == digits(range(400, 500), plain)


def test_class_names_as_objects_are_refused_with_how_to_save_them(load):
    with pytest.raises(ValueError, match=r"class_names.*could run code(.|\n)*astype\(str\)\n *numpy.savez"):
        load("npz_objnames.npz")


def test_of_several_labels_one_is_made_as_is_chosen(load, cases, tmp_path):
    written = np.load(cases / "npz_chest.npz")["train_labels"]
    assert load("npz_chest.npz").train.labels.tolist() == written.any(1).astype(int).tolist()
    path = str(cases / "npz_chest.npz")
    third = look(path, Choices(label="3"), tmp_path)
    assert third.counts["train"] == {"without 3": int((written[:, 3] == 0).sum()), "with 3": int(written[:, 3].sum())}
    common = look(path, Choices(label="commonest"), tmp_path)
    assert common.classes[0] == "none" and common.counts["train"]["none"] == int((written.sum(1) == 0).sum())
    assert common.questions[0].key == "label" and "commonest" in common.questions[0].options


def test_a_table_and_idx_and_archives_are_read(load):
    table = load("train.csv")
    assert table.class_names == NAMES and rows(table.train, table.test) == digits(range(50), plain)
    idx = load("idx")
    turned = {(PIXELS[row].T.tobytes(), int(LABELS[row])) for row in range(300)}
    assert rows(idx.train) == turned and any("swapped" in note for note in idx.notes)
    assert len(idx.test.labels) == 100
    for name in ("images.tar.gz", "backslash.zip", "withnpy.zip"):
        data = load(name)
        assert data.class_names == ("one", "zero") and rows(data.train, data.test) == digits(TWO[:12], named)
    assert "zero/embedding.npy (not an image)" in data.notes[0]
