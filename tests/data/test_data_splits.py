"""Splits by classes hold every row once and no class twice; what suits images follows from what they are."""

from pathlib import Path

import numpy as np
import pytest
import torch

from semidml.data import DATASETS, augment, splits, store
from semidml.data.dataset import HELD_OUT_NOTE, Dataset, Split


def rows(labels: list[int], begin: int) -> Split:
    """Images that carry their own number, from `begin` on."""
    numbers = torch.arange(begin, begin + len(labels), dtype=torch.uint8)
    return Split(numbers[:, None, None, None].expand(-1, 1, 4, 4).contiguous(), torch.tensor(labels))


def data_of(*parts: list[int], classes: int, channels: int = 1, notes=()) -> Dataset:
    """Train, test and perhaps validation rows of these classes, numbered through."""
    begins = [sum(len(s) for s in parts[:i]) for i in range(len(parts))]
    made = [rows(labels, begin) for labels, begin in zip(parts, begins, strict=True)]
    made = [Split(images.expand(-1, channels, 4, 4), labels) for images, labels in made]
    validation = made[2] if len(made) > 2 else None
    return Dataset("odd", "Odd", made[0], made[1], validation, tuple(map(str, range(classes))), notes)


def numbered(split: Split) -> dict[int, int]:
    """{number of a row: its label}."""
    return dict(zip(split.images[:, 0, 0, 0].tolist(), split.labels.tolist(), strict=True))


def test_by_classes_gives_each_row_of_each_split_once_to_the_half_of_its_class():
    whole = data_of([4, 0, 1, 6, 4, 2], [0, 2, 6], [1, 4, 2], classes=8, notes=("a", HELD_OUT_NOTE))
    made = whole.by_classes()  # classes 0, 1, 2, 4 and 6 have rows: two are trained on, three are tested on
    assert numbered(made.train) == {1: 0, 2: 1, 6: 0, 9: 1}
    assert numbered(made.test) == {0: 4, 3: 6, 4: 4, 5: 2, 7: 2, 8: 6, 10: 4, 11: 2}
    assert made.disjoint and not whole.disjoint and made.validation is None
    assert made.class_names == whole.class_names and made.official_train == 4
    assert made.notes == (
        "a",
        "Split by classes: the first 2 of 5 classes are trained on, the other 3 are tested on.",
    )


def test_two_classes_cannot_be_split_by_classes():
    with pytest.raises(ValueError, match=r"Odd has images of 2 classes; splitting by classes needs at least 3"):
        data_of([0, 3, 0], [3, 0], classes=9).by_classes()
    assert data_of([0, 1], [2, 0], classes=3).by_classes().train.labels.tolist() == [0, 0]


@pytest.mark.parametrize(("classes", "held"), [(3, 2), (9, 2), (14, 2), (15, 3), (100, 20)])
def test_settings_for_new_classes_are_chosen_on_new_classes(classes, held):
    labels = [c for c in range(classes) for _ in range(2)]
    data = data_of(labels, [classes, classes + 1], classes=classes + 2)
    chosen = data.for_selection(0)
    assert chosen.test.labels.unique().tolist() == list(range(classes - held, classes)) and chosen.disjoint
    assert chosen.train.labels.unique().tolist() == list(range(classes - held))
    assert numbered(chosen.train) | numbered(chosen.test) == numbered(data.train)
    assert chosen.official_train == data.official_train == 2 * classes and chosen.held_back == 2 * held


@pytest.mark.parametrize("seed", range(20))
def test_rows_to_choose_on_are_of_all_classes_alike_and_leave_each_its_place(seed):
    """20 images of ten classes were once drawn so that a class was trained on no more."""
    sizes = np.random.default_rng(seed).integers(1, 40, 7)
    for own in ([c for c in range(10) for _ in range(2)], np.repeat(np.arange(7), sizes).tolist()):
        data = data_of(own, [0], classes=10)
        chosen = data.for_selection(seed)
        assert numbered(chosen.train) | numbered(chosen.test) == numbered(data.train)
        assert chosen.train.labels.unique().tolist() == sorted(set(own))
        of, held = (part.bincount(minlength=10).numpy() for part in (data.train.labels, chosen.test.labels))
        assert held.sum() == len(own) // 10 == chosen.held_back
        assert (np.abs(held - of * held.sum() / of.sum()) <= 1).all() and (held < np.maximum(of, 1)).all()


def test_rows_to_choose_on_are_drawn_by_the_seed():
    data = data_of([0] * 40 + [1] * 60, [0], classes=2)
    drawn = [tuple(numbered(data.for_selection(seed).test)) for seed in (0, 0, *range(1, 60))]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 60, "the same for the same seed"
    times = np.bincount(np.concatenate(drawn[1:]), minlength=100)
    assert (times[:40].sum(), times[40:].sum()) == (4 * 60, 6 * 60) and times.max() < 16, "none more than the others"


@pytest.mark.parametrize(
    ("own", "held"),
    [
        ([0, 0], {0: 1}),
        ([0, 1, 2, 3, 3], {3: 1}),
        ([*range(12), 12, 12, 12], {12: 1}),
        ([*range(40), 40, 40], {40: 1}),  # a tenth would be 4, and 41 classes have 42 rows
        ([*range(30), *[30] * 5], {30: 3}),
    ],
)
def test_a_class_of_one_row_is_trained_on_whole(own, held):
    chosen = data_of(own, [0], classes=41).for_selection(1)
    assert {c: n for c, n in enumerate(chosen.test.labels.bincount().tolist()) if n} == held


def test_where_each_class_has_one_row_none_is_held_out():
    with pytest.raises(ValueError, match=r"Odd has one training row of each class; holding some out .* add images"):
        data_of([0, 1, 2], [0], classes=4).for_selection(0)


def written(file: Path, train: list[int], *more: list[int], classes: int) -> Path:
    """An .npz with training and perhaps test and validation rows of these classes."""
    labels = dict(zip(("train", "test", "val"), (train, *more), strict=False))
    arrays = {f"{s}_images": np.zeros((len(y), 4, 4), np.uint8) for s, y in labels.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        file,
        **arrays,
        **{f"{s}_labels": y for s, y in labels.items()},
        class_names=np.array([str(c) for c in range(classes)], dtype=str),
    )
    return file


def trained_on(data: Dataset, split: str, evaluate_on: str) -> splits.Training:
    """What `splits.training` foretells, of the data set itself."""
    data = data.by_classes() if split == "classes" else data
    chosen = data.for_selection(0) if evaluate_on == "validation" else data
    classes = len(set(chosen.train.labels.tolist()) - {-1})
    return splits.Training(data.official_train, len(chosen.train.labels), classes, chosen.unlabelled)


@pytest.mark.parametrize("split", ["official", "classes"])
@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
@pytest.mark.parametrize("classes", [2, 3, 4, 5, 6, 9, 23])
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_what_a_split_trains_on_is_told_before_it_is_made(tmp_path, split, evaluate_on, classes, parts):
    """Classes of different sizes, and two more without a row."""
    own = [c for c in range(classes) for _ in range(3 + c % 4)]
    written(tmp_path / "uploads" / "Odd.npz", *[own, [*own[::2], 1], own[::3]][:parts], classes=classes + 2)
    data = store.load("Odd", folder=tmp_path)
    try:
        expected: object = trained_on(data, split, evaluate_on)
    except ValueError as error:
        expected = str(error)
    try:
        told: object = store.training("Odd", split, evaluate_on, tmp_path)
    except ValueError as error:
        told = str(error)
    assert told == expected
    assert isinstance(told, str) == (split == "classes" and classes < (6 if evaluate_on == "validation" else 3))


@pytest.mark.parametrize("own", [[*range(40), 40, 40], [0, 1, 2], [0, 0, 1], [0] * 30 + [1]])
def test_few_rows_a_class_are_counted_before_they_are_drawn(tmp_path, own):
    """Of classes of which some have test rows only."""
    written(tmp_path / "uploads" / "Odd.npz", own, [0, 41, 42], classes=44)
    data = store.load("Odd", folder=tmp_path)
    try:
        expected: object = trained_on(data, "official", "validation")
    except ValueError as error:
        expected = str(error)
    try:
        told: object = store.training("Odd", "official", "validation", tmp_path)
    except ValueError as error:
        told = str(error)
    assert told == expected and isinstance(told, str) == (own == [0, 1, 2])


@pytest.mark.parametrize("split", ["official", "classes"])
@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
@pytest.mark.parametrize("own", [[0, 1, 2, 3, 4, 5] * 4 + [-1] * 30, [-1] * 40, [3] + [-1] * 9, [2, 2] + [-1] * 9])
@pytest.mark.parametrize("more", [[], [[2, 3, -1, 5]], [[-1] * 4, [-1, 2]]])
def test_rows_without_a_label_are_counted_before_an_image_is_read(tmp_path, split, evaluate_on, own, more):
    """Among them a class that has test rows only, one row with a label, and none."""
    written(tmp_path / "uploads" / "Odd.npz", own, *more, classes=0 if max(own) < 0 and not more else 6)
    data = store.load("Odd", folder=tmp_path)
    try:
        expected: object = trained_on(data, split, evaluate_on)
    except ValueError as error:
        expected = str(error)
    try:
        told: object = store.training("Odd", split, evaluate_on, tmp_path)
    except ValueError as error:
        told = str(error)
    assert told == expected


def test_what_a_split_of_the_table_trains_on(tmp_path, digits):
    assert store.training("digits", "classes", "test") == trained_on(digits, "classes", "test") == (901, 901, 5, 0)
    assert store.training("digits", "classes", "validation") == trained_on(digits, "classes", "validation")
    assert store.training("mnist", "official", "validation") == (60_000, 54_000, 10, 0)
    assert store.training("mnist", "classes", "test") == (35_735, 35_735, 5, 0)
    assert store.training("cub200", "classes", "test") == (5864, 5864, 100, 0)
    assert store.training("cars196", "classes", "validation").classes == 98 - 19
    for entry in DATASETS.values():
        rows = sum(entry.facts.get(split, 0) for split in ("train", "validation", "test"))
        assert sum(entry.facts.get("by_class", (rows,))) == rows


def test_labels_that_are_here_say_more_of_medical_classes_than_the_table(tmp_path):
    both = store.training("organamnist", "classes", "test", tmp_path)
    assert both.official == round((34_561 + 6_491 + 17_778) * 5 / 11)
    written(tmp_path / "medmnist" / "organamnist.npz", [c for c in range(11) for _ in range(12 - c)], classes=11)
    assert store.training("organamnist", "classes", "test", tmp_path) == (50, 50, 5, 0)


def test_of_several_findings_two_classes_are_too_few_for_a_split_by_classes(tmp_path):
    several = {f"{s}_labels": np.eye(14, dtype=np.uint8)[:6] for s in ("train", "val", "test")}
    (tmp_path / "medmnist").mkdir()
    images = {name.replace("labels", "images"): np.zeros((6, 28, 28), np.uint8) for name in several}
    np.savez(tmp_path / "medmnist" / "chestmnist.npz", **images, **several)
    with pytest.raises(ValueError, match="ChestMNIST has images of 1 class; splitting by classes needs at least 3"):
        store.training("chestmnist", "classes", "test", tmp_path)


def test_too_few_classes_to_choose_settings_on_are_said():
    with pytest.raises(ValueError, match=r"Odd has 2 training classes.* needs at least 3"):
        data_of([0, 1, 0], [2, 3], classes=4).for_selection(0)


def test_rows_held_back_for_selection_do_not_come_back_by_classes():
    data = data_of([0, 1, 2, 3] * 5, [0, 1, 2, 3], classes=4).for_selection(0)
    made = data.by_classes()
    assert made.official_train == len(made.train.labels) and data.held_back == 2


def test_every_entry_says_which_transforms_suit_it_and_there_are_such():
    assert {entry.facts["twins"] for entry in DATASETS.values()} == set(augment.TWINS)
    photographs = {name for name, entry in DATASETS.items() if entry.facts["twins"] == "photographs"}
    assert photographs == {
        *("fashionmnist", "pathmnist", "dermamnist", "bloodmnist"),
        *("cub200", "cub200-256", "cars196", "cars196-256"),
    }


def test_what_suits_images_of_ones_own_follows_from_their_colour(digits):
    assert digits.twins == "signs"
    assert data_of([0, 1], [0, 1], classes=2).twins == "signs"
    assert data_of([0, 1], [0, 1], classes=2, channels=3).twins == "photographs"
