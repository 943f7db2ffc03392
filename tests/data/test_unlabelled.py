"""Rows without a label: read, split, drawn and told as what they are."""

import numpy as np
import pytest
import torch

from semidml.data import npz, store, uploads
from semidml.data.choices import Choices
from semidml.data.dataset import HELD_UNLABELLED_NOTE, Dataset, Split, held_rows
from semidml.data.label_values import read_labels
from semidml.data.labels import describe, draw, problem


@pytest.fixture
def folder(tmp_path):
    store.kept.clear()
    (tmp_path / "uploads").mkdir()
    return tmp_path


def written(folder, labels, name="own", **more):
    """An .npz with training rows of these labels; what is read of it."""
    images = np.arange(len(labels) * 16, dtype=np.uint32).astype(np.uint8).reshape(-1, 4, 4)
    np.savez(folder / "uploads" / f"{name}.npz", train_images=images, train_labels=labels, **more)
    return store.load(name, folder=folder)


def of_testing(count):
    return {"test_images": np.zeros((count, 4, 4), np.uint8)}


def rows_of(labels, test=(0, 1), classes=3):
    splits = (Split(torch.zeros(len(y), 1, 4, 4, dtype=torch.uint8), torch.tensor(y)) for y in (labels, test))
    return Dataset("own", "Own", *splits, None, tuple("abc"[:classes]))


@pytest.mark.parametrize(
    "labels, given, names",
    [
        (np.array([3, -1, 5, 3, -1]), np.array([-1, 5]), ("3", "5")),
        (np.array([3.0, np.nan, 5, 3, np.nan]), np.array([np.nan, 5]), ("3", "5")),
        (np.array([3, -1, 5, 3, -1], np.float32), np.array([-1, 5], np.float32), ("3", "5")),
        (np.array(["b", "", "c", "b", ""]), np.array(["", "c"]), ("b", "c")),
    ],
)
def test_minus_one_nan_and_an_empty_text_are_no_label(folder, labels, given, names):
    data = written(folder, labels, **of_testing(2), test_labels=given)
    assert data.train.labels.tolist() == [0, -1, 1, 0, -1] and data.test.labels.tolist() == [-1, 1]
    assert data.class_names == names and data.official_train == 3 and data.unlabelled == 2
    facts = store.facts("own", folder=folder)
    assert facts["labelled"] == {"train": 3, "test": 1} and facts["by_class"] == (2, 2) and facts["train"] == 5


@pytest.mark.parametrize("labels", [np.full(10, -1), np.full(10, np.nan), np.full(10, "")])
def test_a_data_set_may_have_no_class_at_all(folder, labels):
    data = written(folder, labels)
    assert data.class_names == () and data.official_train == 0 and data.notes == (HELD_UNLABELLED_NOTE,)
    assert (data.train.labels == -1).all() and len(data.train.labels) == 8 and len(data.test.labels) == 2
    facts = store.facts("own", folder=folder)
    assert (facts["train"], facts["test"], facts["classes"]) == (8, 2, 0) and facts["by_class"] == ()


def test_what_is_written_without_a_class_is_read_again(folder):
    pixels = folder / "pixels"
    pixels.write_bytes(bytes(9 * 16))
    with open(folder / "uploads" / "own.npz", "wb") as file:
        npz.write(file, {"train": pixels}, (1, 4, 4), {"train": torch.full((9,), -1)}, ())
    assert store.load("own", folder=folder).class_names == ()


def test_one_class_and_rows_without_a_label_are_read(folder):
    data = written(folder, np.array([7, 7, 7, 7, 7, -1, -1, -1]))
    assert data.class_names == ("7",) and data.unlabelled == 3 and data.test.labels.tolist() == [0]


@pytest.mark.parametrize("others, asked", [(3, True), (40, False)])
def test_255_on_most_rows_is_a_class_and_a_question(folder, others, asked):
    labels = np.array([0, 1] * (others // 2) + [255] * 20)
    data = written(folder, labels, **of_testing(1), test_labels=[1])
    assert data.class_names == ("0", "1", "255") and data.unlabelled == 0
    assert bool([note for note in data.notes if "255" in note and note.endswith("It is read as a class.")]) == asked


def test_an_upload_without_labels_is_kept_whole(folder):
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    np.savez(folder / "it.npz", train_images=images, train_labels=np.full(12, -1))
    made = uploads.save_upload("mine", (folder / "it.npz").read_bytes(), "it.npz", folder=folder)
    assert made.facts["labelled"] == {"train": 0, "test": 0} and store.load("mine", folder=folder).unlabelled == 10


def test_rows_held_out_for_testing_have_a_label_where_two_of_a_class_do():
    labels = torch.tensor([0] * 10 + [1] * 5 + [2] + [-1] * 40)
    assert labels[held_rows(labels)].tolist() == [0, 0, 1]
    few = torch.tensor([0] + [-1] * 10)
    assert few[held_rows(few)].tolist() == [-1, -1]
    with pytest.raises(ValueError, match="no class has two images"):
        held_rows(torch.tensor([0, 1, -1]))


def test_where_all_rows_have_a_label_those_held_out_are_as_before():
    labels = torch.arange(4).repeat(25)
    with_more = torch.cat([labels, torch.full((50,), -1)])
    assert (
        held_rows(labels).sum() == 20
        and held_rows(with_more)[:100].sum() == 20
        and not held_rows(with_more)[100:].any()
    )


def test_settings_are_chosen_on_rows_with_a_label_and_the_others_stay_in_training():
    data = rows_of([0, 1, 2] * 20 + [-1] * 100, test=[0, 1, 2])
    chosen = data.for_selection(0)
    assert chosen.test.labels.bincount().tolist() == [2, 2, 2] and chosen.unlabelled == 100
    assert chosen.official_train == data.official_train == 60 and chosen.held_back == 6
    without = rows_of([-1] * 100, test=[0, 1, 2]).for_selection(0)
    single = rows_of([0] + [-1] * 100, test=[0, 1, 2]).for_selection(0)
    assert single.test.labels.tolist() == [-1] * 10 and single.official_train == 1 and single.held_back == 0
    assert without.test.labels.tolist() == [-1] * 10 and without.official_train == 0 and without.held_back == 0


def test_a_split_by_classes_leaves_out_what_may_be_of_either_half():
    made = rows_of([0, 1, 2, -1, -1], test=[0, 1, -1]).by_classes()
    assert made.train.labels.tolist() == [0, 0] and made.test.labels.tolist() == [1, 2, 1]
    assert made.notes[-1].endswith("3 images without a label may be of either, and are left out.")
    with pytest.raises(ValueError, match="Own has images of 0 classes; splitting by classes needs at least 3"):
        rows_of([-1] * 5, test=[-1], classes=0).by_classes()


@pytest.mark.parametrize(
    "train, test, disjoint", [([0, -1], [1, -1], True), ([-1], [1], True), ([0, 1], [-1], False), ([-1], [-1], False)]
)
def test_classes_are_new_to_testing_only_where_test_rows_have_some(train, test, disjoint):
    assert rows_of(train, test).disjoint == disjoint


def test_a_row_without_a_label_is_never_drawn_and_changes_no_draw():
    labels = torch.arange(5).repeat(30)
    place = torch.randperm(400, generator=torch.Generator().manual_seed(0))[:150].sort().values
    sparse = torch.full((400,), -1)
    sparse[place] = labels
    for sampling in ("uniform", "balanced"):
        alone = draw(labels, 20, sampling, 3, 150, 1, False)
        among = draw(sparse, 20, sampling, 3, 150, 1, False)
        assert place[alone.rows].equal(among.rows) and len(among.rows) == 30


def test_without_a_label_nothing_is_drawn_and_a_metric_loss_is_refused():
    nothing = torch.full((9,), -1)
    assert len(draw(nothing, 100, "uniform", 0, 0, 0, False).rows) == 0
    with pytest.raises(ValueError, match="no training image has a label"):
        draw(nothing, 100, "uniform", 0, 0, 1, False)
    assert problem(100, 0, "uniform", 0, 1, False) and not problem(100, 0, "uniform", 0, 0, False)


@pytest.mark.parametrize(
    "given, words",
    [
        ((10, 600, "uniform", 10, 50_000), "60 of 600 labels (about 6 a class), 50,000 images without"),
        ((100, 600, "uniform", 10, 50_000), "all 600 labels, 50,000 images without"),
        ((100, 1, "uniform", 1, 1), "the only label, 1 image without"),
        ((100, 0, "uniform", 0, 9), "no labels, 9 images without"),
        ((10, 600, "uniform", 10, 0), "60 of 600 labels (about 6 a class)"),
    ],
)
def test_what_is_seen_is_told_of_what_has_labels(given, words):
    assert describe(*given) == words


@pytest.mark.parametrize("kind", ["float32", "float64", "int8"])
def test_a_number_in_one_part_is_the_text_of_another(kind):
    labels = read_labels({"train": np.array(["3", "4"]), "test": np.array([3, 4], kind)}, None, Choices())
    assert labels.class_names == ("3", "4") and labels.splits["test"].tolist() == [0, 1]
