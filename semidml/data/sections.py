"""In which order the rows of a large set of image files lie in its one file.

The file has the rows that a split takes side by side, for the data set's own splits and for `Dataset.by_classes`, so
that every split is a view of it and nothing is loaded whole. With A, B the training and test rows of the first half of
the classes, a, b those of its last classes (`splits.last_classes`), and D, C those of the second half, it reads
b B A a D C B b: b B A a | D C are the halves, A a D is training, C B b is test, and B A trains where settings are
chosen on new classes. Validation rows lie beside the test rows, and once more at the end. Rows without a label, of
which training is the half that may learn from them, lie before all others and, those of training, before A.
"""

from collections.abc import Sequence

import numpy as np

from semidml.data import npz, splits
from semidml.data.dataset import first_half, held_note, held_rows
from semidml.data.images import Damaged, Plan
from semidml.data.layout import Item

# Of the file, each a part of the classes ("no" of them for rows without a label) and a split; some follow once more.
SECTIONS = ["no val", "no test", "last val", "last test", "first val", "first test", "no train", "first train"]
SECTIONS += ["last train", "second train", "second val", "second test"]
AGAIN = ["first test", "last test", "no test", "first val", "last val", "second val", "no val"]

Sections = dict[str, list[Item]]


def hold_out(plan: Plan) -> list[Item]:
    """The readable items, of which some training ones become test ones."""
    train = [item for item in plan.readable if item.split == "train"]
    labels = plan.labels(train)
    npz.check_classes(labels)
    held = held_rows(labels).tolist()
    parted = [item._replace(split="test") if out else item for item, out in zip(train, held, strict=True)]
    return parted + [item for item in plan.readable if item.split != "train"]


def part_rows(plan: Plan, items: list[Item]) -> Sections:
    """The items of each section, class after class."""
    first = [plan.class_names[c] for c in first_half(plan.labels(items)).tolist()]
    held = splits.last_classes(len(first))
    part_of = dict.fromkeys(first, "first") | dict.fromkeys(first[-held:] if held < len(first) else (), "last")
    sections: Sections = {key: [] for key in SECTIONS}
    number = {name: c for c, name in enumerate(plan.class_names)}
    for item in sorted(items, key=lambda item: number.get(item.class_name, -1)):
        part = "no" if item.class_name is None else part_of.get(item.class_name, "second")
        sections[f"{part} {item.split}"].append(item)
    return sections


def describe_rows(
    plan: Plan, kept: Sections, damaged: Sequence[Damaged], held_out: bool, told: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """What lies beside the pixels: see `decoded.Place.rest`. told: further notes on the pixels."""
    ends = dict(zip(SECTIONS, np.cumsum([len(kept[key]) for key in SECTIONS]).tolist(), strict=True))
    total = ends["second test"]
    test_end = total + sum(len(kept[f"{part} test"]) for part in ("first", "last", "no"))
    labels = plan.labels([item for key in (*SECTIONS, *AGAIN) for item in kept[key]]).numpy()
    tested = plan.labels([item for items in kept.values() for item in items if item.split == "test"])
    notes = (*plan.all_notes(damaged), *((held_note(tested),) if held_out else ()), *told)
    return {
        "labels": labels,
        "class_names": np.array(plan.class_names, dtype=str),
        "notes": np.array(notes, dtype=str),
        "train": np.array((ends["first test"], ends["second train"])),
        "test": np.array((ends["second val"], test_end)),
        "val": np.array((test_end, len(labels))),
        "first": np.array((0, ends["last train"])),
        "second": np.array((ends["last train"], total)),
    }
