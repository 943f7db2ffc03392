"""Splits by classes hold every row once and no class twice; what suits images follows from what they are."""

import pytest
import torch

from semidml.data import DATASETS, augment
from semidml.data.dataset import HELD_OUT_NOTE, Dataset, Split


def rows(labels: list[int], begin: int) -> Split:
    """Images that carry their own number, from `begin` on."""
    numbers = torch.arange(begin, begin + len(labels), dtype=torch.uint8)
    return Split(numbers[:, None, None, None].expand(-1, 1, 4, 4).contiguous(), torch.tensor(labels))


def data_of(*splits: list[int], classes: int, channels: int = 1, notes=()) -> Dataset:
    """Train, test and perhaps validation rows of these classes, numbered through."""
    begins = [sum(len(s) for s in splits[:i]) for i in range(len(splits))]
    made = [rows(labels, begin) for labels, begin in zip(splits, begins, strict=True)]
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
