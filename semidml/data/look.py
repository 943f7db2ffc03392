"""What a file, folder or archive was understood to be, before anything is added or trained: `look`. Its result is plain
values, and what `store.load` reads is exactly that."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semidml.data import findings, store
from semidml.data.choices import Choices
from semidml.data.layout import Question
from semidml.data.values import EIGHT_BITS
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.data.images import Plan
    from semidml.data.reading import Reading

PICTURES = 3  # of a class that are shown
MOST_PICTURES = 60  # of all
SAMPLED = 200  # images of a folder that tell whether all are alike
FEW = 3  # images of a class below which it is named
SHOWN_FILES = 20
TITLES = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Understood:
    """What data were understood to be. Splits are called train, val and test, and counted before any are held out."""

    name: str
    kind: str  # in words: an image folder, an .npz file, ...
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]  # {split: {class: images}}
    unlabelled: Mapping[str, int]  # {split: images without a label}
    shape: tuple[int, int, int]  # (C, H, W), as they are read
    folders: Mapping[str, str]  # {folder: what it is}: see `choices.ROLES`; without those that name classes
    level: str  # of folders that names the class, where folders do
    levels: tuple[tuple[str, ...], ...]  # a few names of each level
    merged: tuple[tuple[str, ...], ...]  # names of one class
    left_out: tuple[tuple[str, str], ...]  # (file, why)
    values: tuple[float, float] | None  # the numbers that pixels are written in, where they are not 8 bits of an image
    shared: Mapping[str, int]  # {split: images that are training images too}
    only_tested: tuple[str, ...]  # classes without a training image
    alike: bool  # whether all training images looked at are one
    notes: tuple[str, ...]  # what was decided, in sentences
    questions: tuple[Question, ...]
    choices: Choices
    pictures: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)  # {class or "": some of its images as .png}

    def as_json(self) -> dict[str, Any]:
        """All but the pictures, in what JSON knows."""
        known = {key: value for key, value in asdict(self).items() if key != "pictures"}
        return known | {"questions": [question._asdict() for question in self.questions]}

    def sentences(self) -> list[str]:
        """What was understood, in words."""
        channels, height, width = self.shape
        colour = "colour" if channels == 3 else "grey"
        total = sum(sum(own.values()) for own in self.counts.values()) + sum(self.unlabelled.values())
        told = [f"{self.name}: {self.kind}, {total:,} images, read as {width} x {height} pixels in {colour}."]
        for split, own in self.counts.items():
            bare = self.unlabelled.get(split, 0)
            without = f" and {bare:,} without a label" if bare else ""
            told.append(f"{TITLES[split].capitalize()}: {sum(own.values()):,} images with a label{without}.")
        if self.classes:
            sizes = Counter({name: sum(own.get(name, 0) for own in self.counts.values()) for name in self.classes})
            named = ", ".join(f"{name} ({sizes[name]:,})" for name in self.classes[:SHOWN_FILES])
            more = f" and {len(self.classes) - SHOWN_FILES:,} more" if len(self.classes) > SHOWN_FILES else ""
            told.append(f"{len(self.classes):,} classes: {named}{more}.")
        else:
            told.append(
                "There are no classes: what needs no label can be trained, and scores that need labels are absent."
            )
        told += [f"Folder {folder}: {role}." for folder, role in list(self.folders.items())[:SHOWN_FILES]]
        told += list(self.notes)
        told += [f"Left out: {path} ({why})." for path, why in self.left_out[:SHOWN_FILES]]
        if len(self.left_out) > SHOWN_FILES:
            told.append(f"Left out: {len(self.left_out) - SHOWN_FILES:,} more.")
        return told + [_asked(question) for question in self.questions]


def _asked(question: Question) -> str:
    """A question, what holds until it is answered, and what else can be said, in words."""
    options = " or ".join(option or "nothing" for option in question.options)
    return f"Asked: {question.text} Say {question.key}={options}; until then it is {question.default or 'nothing'}."


def look(
    name: str,
    choices: Choices | None = None,
    folder: Path | None = None,
    pictures: bool = True,
    progress: Progress = lambda fraction, text: None,
) -> Understood:
    """What the data at a path, or an upload, are understood to be with some choices, or those that are kept. progress:
    is told how many files are listed and looked at.
    Raises: ValueError in words where they cannot be read."""
    from semidml.data import images, reading

    folder = Path(folder) if folder else store.data_folder()
    place = store.find_place(name, folder)
    chosen = place.choices(folder) if choices is None else choices
    title = place.path.name
    try:
        with reading.open_reading(place.path, chosen, lambda text: progress(0.0, text)) as content:
            if content.arrays:
                return _of_arrays(title, content, chosen, pictures)
            most = math.inf if place.path.is_dir() else images.MAX_ARCHIVE_PIXELS
            plan = images.plan(content, chosen, place.side, most, progress)
            return _of_files(title, content, plan, chosen, pictures)
    except ValueError as error:
        raise ValueError(f"{title}: {error}") from error


def _of_arrays(title: str, content: Reading, choices: Choices, pictures: bool) -> Understood:
    own = content.arrays
    labels = {split: part.labels.numpy() for split, part in own.splits.items()}
    rows = {split: part.images.numpy() for split, part in own.splits.items()}
    shared = findings.count_shared({split: findings.row_digests(part) for split, part in rows.items()})
    alike = findings.are_alike(rows["train"])
    shown = _samples(own.class_names, labels, lambda split, row: rows[split][row]) if pictures else {}
    return _described(
        *(title, content, choices, own.class_names, labels, rows["train"].shape[1:], shared, alike, shown),
        *(content.notes, (own.low, own.high)),
    )


def _of_files(title: str, content: Reading, plan: Plan, choices: Choices, pictures: bool) -> Understood:
    from semidml.data import images

    of_split: dict[str, list] = {}
    for item in plan.readable:
        of_split.setdefault(item.split, []).append(item)
    digests = findings.file_digests({split: [item.member for item in own] for split, own in of_split.items()})
    labels = {split: plan.labels(own).numpy() for split, own in of_split.items()}
    trained = of_split.get("train", [])
    sample = trained[:: max(1, len(trained) // SAMPLED)]
    decoded = [pixels for _, pixels in images.decoded(plan, sample) if isinstance(pixels, np.ndarray)]
    alike = bool(decoded) and findings.are_alike(np.stack(decoded))

    def decode(split: str, row: int) -> np.ndarray | None:
        pixels = next(images.decoded(plan, [of_split[split][row]]))[1]
        return pixels if isinstance(pixels, np.ndarray) else None

    shown = _samples(plan.class_names, labels, decode) if pictures else {}
    notes = plan.all_notes(plan.damaged)
    shared = findings.count_shared(digests) if digests else {}
    if digests is None:
        notes += ("Whether test images are training images too was not looked at: the files are too large.",)
    ends = None if plan.look.values == EIGHT_BITS else tuple(plan.look.values)
    left = (*content.left_out, *(tuple(file) for file in plan.damaged))
    return _described(
        *(title, content, choices, plan.class_names, labels, plan.shape, shared, alike, shown, notes, ends, left)
    )


def _described(
    title: str,
    content: Reading,
    choices: Choices,
    class_names: tuple[str, ...],
    labels: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
    shared: Mapping[str, int],
    alike: bool,
    pictures: Mapping[str, tuple[bytes, ...]],
    notes: tuple[str, ...],
    values: tuple[float, float] | None,
    left_out: tuple[tuple[str, str], ...] | None = None,
) -> Understood:
    counts = {
        split: {
            class_names[c]: n
            for c, n in enumerate(np.bincount(own[own >= 0], minlength=len(class_names)).tolist())
            if n
        }
        for split, own in labels.items()
    }
    trained = counts.get("train", {})
    only_tested = tuple(
        name for name in class_names if name not in trained and any(name in own for own in counts.values())
    )
    few = [name for name in class_names if 0 < sum(own.get(name, 0) for own in counts.values()) < FEW]
    known = content.layout
    return Understood(
        *(title, content.kind, class_names, counts),
        {split: int((own < 0).sum()) for split, own in labels.items() if (own < 0).any()},
        tuple(int(side) for side in shape),
        known.folders if known else {},
        known.level if known else "",
        known.levels if known else (),
        known.merged if known else (),
        content.left_out if left_out is None else left_out,
        *(values, shared, only_tested, alike),
        (*notes, *findings.remarks(shared, alike, only_tested, few)),
        *(content.questions, choices, pictures),
    )


def _samples(
    class_names: tuple[str, ...], labels: Mapping[str, np.ndarray], decode: Any
) -> dict[str, tuple[bytes, ...]]:
    """{class, or "" of rows without a label: some of its images as .png}, of training where there are any."""
    from PIL import Image

    shown: dict[str, tuple[bytes, ...]] = {}
    each = max(1, min(PICTURES, MOST_PICTURES // (len(class_names) + 1)))
    for number in range(-1, min(len(class_names), MOST_PICTURES)):
        rows = [(split, int(row)) for split, own in labels.items() for row in np.flatnonzero(own == number)[:each]]
        files = []
        for pixels in (decode(split, row) for split, row in rows[:each]):
            if pixels is not None:
                file = io.BytesIO()
                Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, "PNG")
                files.append(file.getvalue())
        if files:
            shown[class_names[number] if number >= 0 else ""] = tuple(files)
    return shown
