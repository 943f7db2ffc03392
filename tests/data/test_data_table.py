"""What the table says of a data set is true of it."""

import subprocess
import sys

import pytest
import torch
from medmnist.info import INFO

from semidml.data import DATASETS, augment_strength, store
from semidml.data.dataset import Dataset, Split, held_rows
from semidml.data.med import any_finding

FLAGS = [flag for flag in INFO if not flag.endswith("3d")]


@pytest.mark.parametrize("flag", FLAGS)
def test_medmnist_facts_are_those_of_the_package(flag):
    info, facts = INFO[flag], DATASETS[flag].facts
    rows = info["n_samples"]
    assert (facts["train"], facts["validation"], facts["test"]) == (rows["train"], rows["val"], rows["test"])
    assert facts["shape"] == (info["n_channels"], 28, 28)
    assert facts["licence"] == info["license"]
    assert facts["classes"] == (2 if info["task"].startswith("multi-label") else len(info["label"]))


def test_every_two_dimensional_medmnist_is_in_the_table():
    assert {name for name, entry in DATASETS.items() if entry.target.startswith("semidml.data.med:")} == set(FLAGS)


@pytest.mark.parametrize("entry", DATASETS.values(), ids=DATASETS)
def test_every_entry_says_where_it_is_from_and_resolves(entry):
    assert {"train", "test", "classes", "shape", "megabytes", "licence", "source", "files"} <= set(entry.facts)
    assert entry.paper and callable(entry.resolve())
    steps = entry.defaults["epochs"] * -(-entry.facts["train"] // 256)
    assert 300 <= steps <= 2500, "an MLP takes 5 to 20 ms a step on two cores"


def test_the_table_and_the_store_load_no_torch():
    code = (
        "import sys; from semidml.data import store; store.available(); store.facts('mnist'); "
        "import semidml.data.labels; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_digits_are_1297_and_500_disjoint_rows_of_all_ten_classes(digits):
    assert (len(digits.train.labels), len(digits.test.labels)) == (1297, 500)
    assert digits.shape == (1, 8, 8) and digits.official_train == 1297
    assert digits.train.images.max() == 255
    seen = {image.numpy().tobytes() for image in digits.train.images}
    assert sum(image.numpy().tobytes() in seen for image in digits.test.images) == 0
    share = digits.test.labels.bincount() / (digits.test.labels.bincount() + digits.train.labels.bincount())
    assert (share - 500 / 1797).abs().max() < 0.01


def test_digits_are_the_same_each_time(digits):
    store.kept.clear()
    again = store.load("digits")
    assert again is not digits and again.train.images.equal(digits.train.images)
    assert store.load("digits") is again


def test_settings_are_chosen_on_training_rows_that_are_taken_away(digits):
    chosen = digits.for_selection(3)
    assert (len(chosen.test.labels), len(chosen.train.labels)) == (129, 1168)
    assert chosen.official_train == 1297
    rows = torch.cat([chosen.train.images, chosen.test.images]).flatten(1)
    assert torch.sort(rows.sum(1)).values.equal(torch.sort(digits.train.images.flatten(1).sum(1)).values)
    assert not digits.for_selection(4).test.images.equal(chosen.test.images)


def test_settings_are_chosen_on_the_official_validation_split_where_there_is_one():
    splits = [Split(torch.full((4, 1, 8, 8), i, dtype=torch.uint8), torch.tensor([0, 1, 0, 1])) for i in range(3)]
    chosen = Dataset("x", "x", splits[0], splits[1], splits[2], ("a", "b")).for_selection(0)
    assert chosen.test.images.unique().tolist() == [2] and chosen.official_train == 4


def test_a_fifth_of_each_class_is_held_out_and_never_all_of_it():
    labels = torch.tensor([0] * 50 + [1] * 10 + [2] * 2 + [3])
    held = held_rows(labels)
    assert labels[held].bincount(minlength=4).tolist() == [10, 2, 1, 0]
    assert held.equal(held_rows(labels))
    with pytest.raises(ValueError, match="no class has two images"):
        held_rows(torch.tensor([0, 1]))


def test_small_images_are_augmented_more_gently(digits):
    assert digits.augment_strength == augment_strength((1, 8, 8)) < augment_strength((1, 28, 28)) == 1


def test_many_findings_are_one_class():
    import numpy as np

    assert any_finding(np.array([[0, 0, 0], [0, 1, 0], [1, 1, 1]])).tolist() == [0, 1, 1]
