"""What a file, folder or archive was understood to be, before anything is added or trained: `look`. Its result is plain
values, and what `store.load` reads is exactly that."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semidml.data import findings, store
from semidml.data.choices import Choices
from semidml.data.image_files import Member
from semidml.data.layout import Item, Question
from semidml.data.once import Once
from semidml.data.values import BLACK_OR_WHITE, EIGHT_BITS, Range
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


class Contrast(NamedTuple):
    """A few images whose numbers are no bytes, twice."""

    plain: Range  # what would be black and white if the numbers were taken as they are
    read: Range  # what is, unless something else is chosen
    extremes: Range  # the least and the greatest number
    before: tuple[bytes, ...]  # .png, as they are
    after: tuple[bytes, ...]  # .png, as they are read


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
    notes: tuple[str, ...]  # what was decided and found, in sentences
    problem: str  # why this cannot be a data set, in words; else empty
    remarks: tuple[str, ...]  # of the notes those on what is odd
    questions: tuple[Question, ...]
    choices: Choices
    folder_counts: Mapping[str, int]  # {each folder that holds images: how many lie in and below it}
    swapped: bool | None  # whether rows and columns of arrays were; None of image files
    pictures: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict)  # {class or "": some of its images as .png}
    contrast: Contrast | None = None  # where the numbers of pixels are no bytes

    def as_json(self) -> dict[str, Any]:
        """All but the pictures, in what JSON knows."""
        known = {key: value for key, value in asdict(self).items() if key not in ("pictures", "contrast")}
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
        told += [f"So it cannot be read: {self.problem}."] if self.problem else []
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
    once: Once | None = None,
) -> Understood:
    """What the data at a path, or an upload, are understood to be with some choices, or those that are kept. progress:
    is told how far it is, and may raise to end it; once: what earlier looks at the same files have read.
    Raises: ValueError in words where they cannot be read."""
    from semidml.data import images, reading

    folder = Path(folder) if folder else store.data_folder()
    place, once = store.find_place(name, folder), once or Once()
    chosen = place.choices(folder) if choices is None else choices
    title = place.path.name
    try:
        if not chosen and not place.side and store.is_plain(place.path):
            return once.get("plain", lambda: _of_plain(title, place, pictures, progress))
        with reading.open_reading(place.path, chosen, progress, once) as content:
            if content.arrays:
                return _of_arrays(title, content, chosen, pictures, once)
            most = math.inf if place.path.is_dir() else images.MAX_ARCHIVE_PIXELS
            plan = images.plan(content, chosen, place.side, most, progress, once=once)
            return _of_files(title, content, plan, chosen, pictures, progress, once)
    except ValueError as error:
        raise ValueError(f"{title}: {error}") from error


def _of_plain(title: str, place: store.Place, pictures: bool, progress: Progress) -> Understood:
    """Of an .npz in MedMNIST's layout, of which no more is unpacked at a time than a piece."""
    from semidml.data import npz, reading

    with npz.opened(place.path, most=store.most_bytes(place)) as source:
        labels = {split: own.numpy() for split, own in source.labels.items()}
        picked = _picked(source.class_names, labels)
        wanted = {row for rows in picked.values() for row in rows} if pictures else set()
        digests: dict[str, list[bytes]] = {split: [] for split in labels}
        rows: dict[tuple[str, int], np.ndarray] = {}
        brightest, count, done = 0, sum(map(len, labels.values())), 0
        for split, own in digests.items():
            for piece in source.pieces(split):
                rows |= {
                    (s, row): piece[row - len(own)]
                    for s, row in wanted
                    if s == split and 0 <= row - len(own) < len(piece)
                }
                brightest = max(brightest, int(piece.max()))
                own += findings.row_digests(piece)
                done += len(piece)
                progress(done / count, f"{done:,} of {count:,} images looked at")
        factor, notes = (255, (BLACK_OR_WHITE,)) if brightest == 1 else (1, ())
        content = reading.Reading("an .npz file", notes=(*source.notes, *notes), questions=source.questions)
        shown = (
            _pictures(source.class_names, picked, lambda split, row: _as_png(rows[split, row] * factor))
            if pictures
            else {}
        )
        alike = len(digests["train"]) > 1 and len(set(digests["train"])) == 1
        shared, values = findings.count_shared(digests), (0.0, float(brightest))
        return _described(
            *(title, content, Choices(), source.class_names, labels, source.shape, shared, alike, shown),
            *(content.notes, values),
        )


def _of_arrays(title: str, content: Reading, choices: Choices, pictures: bool, once: Once) -> Understood:
    own = content.arrays
    labels = {split: part.labels.numpy() for split, part in own.splits.items()}
    rows = {split: part.images.numpy() for split, part in own.splits.items()}
    of = (
        choices.images,
        choices.label,
        choices.values,
        own.swapped,
        tuple((split, len(y)) for split, y in labels.items()),
    )
    digests = once.get_large(("digests", *of), lambda: {s: findings.row_digests(part) for s, part in rows.items()})
    alike = len(digests["train"]) > 1 and len(set(digests["train"])) == 1
    picked = _picked(own.class_names, labels)
    shown = _pictures(own.class_names, picked, lambda split, row: _as_png(rows[split][row])) if pictures else {}
    contrast = None
    if own.ranges and pictures:
        from semidml.data.arrays import in_bytes

        sides = (in_bytes(own.written, ends) for ends in own.ranges[:2])
        contrast = Contrast(*own.ranges, *(tuple(map(_as_png, side)) for side in sides))
    return _described(
        *(title, content, choices, own.class_names, labels, rows["train"].shape[1:]),
        *(findings.count_shared(digests), alike, shown, content.notes, (own.low, own.high), None, contrast),
    )


def _of_files(
    title: str, content: Reading, plan: Plan, choices: Choices, pictures: bool, progress: Progress, once: Once
) -> Understood:
    of_split: dict[str, list] = {}
    for item in plan.readable:
        of_split.setdefault(item.split, []).append(item)

    def digest(member: Member) -> bytes:
        return once.get(("digest", member.parts), lambda: findings.digest_file(member))

    digests = findings.file_digests({split: [item.member for item in own] for split, own in of_split.items()}, digest)
    labels = {split: plan.labels(own).numpy() for split, own in of_split.items()}

    trained = of_split.get("train", [])
    sample = trained[:: max(1, len(trained) // SAMPLED)]
    picked = _picked(plan.class_names, labels) if pictures else {}
    wanted = [of_split[split][row] for rows in picked.values() for split, row in rows]
    decoded = _decode(plan, [*sample, *wanted], progress, once)
    seen = [image.digest for item in sample if (image := decoded[item.member])]
    alike = len(seen) > 1 and len(set(seen)) == 1

    def draw(split: str, row: int) -> bytes | None:
        image = decoded[of_split[split][row].member]
        return image and image.picture

    shown = _pictures(plan.class_names, picked, draw)
    contrast = None
    if plan.look.ranges and pictures:
        few = sample[:: max(1, len(sample) // PICTURES)][:PICTURES]
        sides = []
        for ends in plan.look.ranges[:2]:
            side = _decode(plan._replace(look=plan.look._replace(values=ends)), few, progress, once)
            sides.append(tuple(image.picture for image in side.values() if image))
        contrast = Contrast(*plan.look.ranges, *sides)
    notes = plan.all_notes(plan.damaged)
    shared = findings.count_shared(digests) if digests else {}
    if digests is None:
        notes += ("Whether test images are training images too was not looked at: the files are too large.",)
    ends = None if plan.look.values == EIGHT_BITS else tuple(plan.look.values)
    left = (*content.left_out, *(tuple(file) for file in plan.damaged))
    return _described(
        *(title, content, choices, plan.class_names, labels, plan.shape, shared, alike, shown, notes, ends, left),
        contrast,
    )


class Decoded(NamedTuple):
    """An image file as it is read."""

    digest: bytes  # of its pixels
    picture: bytes  # .png


def _decode(plan: Plan, items: Sequence[Item], progress: Progress, once: Once) -> dict[Member, Decoded | None]:
    """{file: the image in it, or None where it is damaged} of some of a plan's; those that `once` has are not read."""
    from semidml.data import images

    keys = {item: ("decoded", item.member.parts, plan.shape, plan.look.values, plan.look.ground) for item in items}
    images_of = {item: once.find(key) for item, key in keys.items()}
    missing = [item for item, image in images_of.items() if image is None]
    with closing(images.told(plan, missing, "What a sample shows: ", progress)) as stream:
        for item, pixels in stream:
            is_image = isinstance(pixels, np.ndarray)
            image = Decoded(findings.row_digests(pixels[None])[0], _as_png(pixels)) if is_image else pixels
            images_of[item] = image
            once.keep(keys[item], image)
    return {item.member: image if isinstance(image, Decoded) else None for item, image in images_of.items()}


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
    contrast: Contrast | None = None,
) -> Understood:
    labels = {split: labels[split] for split in TITLES if split in labels}
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
    held, problem = _held_out(labels, len(class_names))
    few = [name for name in class_names if 0 < sum(own.get(name, 0) for own in counts.values()) < FEW]
    remarks = findings.remarks(shared, alike, only_tested, few)
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
        (*notes, *held, *remarks),
        *(problem, remarks, content.questions, choices),
        *(
            known.counts if known else {},
            None if content.items else bool(content.arrays and content.arrays.swapped),
            pictures,
            contrast,
        ),
    )


def _held_out(labels: Mapping[str, np.ndarray], classes: int) -> tuple[tuple[str, ...], str]:
    """(what is said of test rows that are held out, why this cannot be a data set, or "")."""
    import torch

    from semidml.data import dataset, npz

    trained = torch.from_numpy(labels["train"]) if "train" in labels else torch.empty(0, dtype=torch.int64)
    if not len(trained):
        return (), "there are no training images; say which folder holds them"
    if classes > npz.MAX_CLASSES:
        return (), f"there are {classes:,} classes; at most {npz.MAX_CLASSES:,} are read"
    try:
        npz.check_classes(trained)
        held = () if "test" in labels else (dataset.held_note(trained[dataset.held_rows(trained)]),)
    except ValueError as error:
        return (), str(error)
    return held, ""


def _picked(class_names: tuple[str, ...], labels: Mapping[str, np.ndarray]) -> dict[int, list[tuple[str, int]]]:
    """{class, or -1 of rows without a label: some of its rows as (split, row)}, of training where there are any."""
    each = max(1, min(PICTURES, MOST_PICTURES // (len(class_names) + 1)))
    return {
        number: [
            (split, int(row))
            for split in TITLES
            if split in labels
            for row in np.flatnonzero(labels[split] == number)[:each]
        ][:each]
        for number in range(-1, min(len(class_names), MOST_PICTURES))
    }


def _pictures(
    class_names: tuple[str, ...],
    picked: Mapping[int, list[tuple[str, int]]],
    draw: Callable[[str, int], bytes | None],
) -> dict[str, tuple[bytes, ...]]:
    """{class, or "" of rows without a label: some of its images as .png}. draw: a row of a split as .png."""
    shown = {}
    for number, rows in picked.items():
        if files := [file for split, row in rows if (file := draw(split, row))]:
            shown[class_names[number] if number >= 0 else ""] = tuple(files)
    return shown


def _as_png(pixels: np.ndarray) -> bytes:
    """An image, uint8 (C, H, W), as a file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()
