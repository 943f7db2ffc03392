"""Of a tree of files: which are images, of which split and class, what has no label, what is left out. Torch-free.

What a folder is, `folders` tells. What was understood can be changed folder by folder (`Choices.folders`), and so can
the level that names the class (`Choices.level`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePath
from typing import NamedTuple

from semidml.data import names
from semidml.data.choices import ALL, NAMES, OF_FOLDER, Choices
from semidml.data.folders import OTHERS, Folder, Tree
from semidml.data.image_files import Member
from semidml.data.mute import without_mute

SUSPECT = "255"  # a number that many write for no label
LEFT_OUT = "Left out: "  # how a note begins that lists what is
FEWEST = 2  # files of a class that their names tell
NOTED = ("left out", "unlabelled")  # roles of folders that a note tells
NAMED = 5  # folders that a note names


class Item(NamedTuple):
    """An image file and what it is an image of."""

    split: str  # train, val or test
    class_name: str | None  # None: without a label
    member: Member


class Question(NamedTuple):
    """What a person should say; until then, the default holds."""

    key: str  # what of `Choices` answers it
    text: str
    options: tuple[str, ...]
    default: str


@dataclass(frozen=True)
class Layout:
    """What a tree of files was understood to be."""

    items: tuple[Item, ...]
    folders: dict[str, str]  # {folder: its role}: see `choices.ROLES`; without those that name classes
    left_out: tuple[tuple[str, str], ...]  # (path, why)
    others: tuple[tuple[str, str], ...]  # of these the files in class folders that are no images
    level: str  # that names the class: 1, 2, ... or all
    levels: tuple[tuple[str, ...], ...]  # the names of each level there is, a few of them
    merged: tuple[tuple[str, ...], ...]  # names of one class that differ by case or by Unicode form
    notes: tuple[str, ...]
    questions: tuple[Question, ...]
    counts: Mapping[str, int]  # {each folder that holds images: how many lie in and below it}

    @property
    def class_names(self) -> tuple[str, ...]:
        return names.sort_classes(item.class_name for item in self.items if item.class_name is not None)


def read_layout(members: list[Member], choices: Choices, beat: Callable[[], object] = lambda: None) -> Layout:
    """What the files of a tree are. beat: called now and then, and may raise to end it.
    Raises: ValueError when none of them is an image."""
    tree = Tree(members, beat)
    if not tree.count[()]:
        raise ValueError(
            f"there are no images among the {len(members):,} files; put the images of each class into a folder"
        )
    walk = _Walk(tree, choices, beat)
    walk.visit((), "", ())
    return _finish(walk, choices)


# ---- the walk


class _Walk:
    """Each image with its split and the folders that may name its class."""

    def __init__(self, tree: Tree, choices: Choices, beat: Callable[[], object] = lambda: None) -> None:
        self.tree, self.choices, self.beat = tree, choices, beat
        self.rows: list[tuple[str, Folder | None, Member, bool]] = []  # split or "", folders or None, looks like one
        self.folders: dict[str, str] = {}
        self.left_out: list[tuple[str, str]] = []
        self.of_class: dict[str, str] = {}  # {folder of masks beside the images of a class: the class}

    def visit(self, folder: Folder, split: str, classes: Folder | None) -> None:
        self.beat()
        for member, is_image in self.tree.files.get(folder, ()):
            if is_image or classes:
                self.rows.append((split, classes, member, is_image))
            else:
                self.left_out.append((member.path, _why_left_out(member)))
        for name, role in self.tree.roles(folder, self.choices).items():
            inner = (*folder, name)
            if role != "class" and classes is not None:
                self.folders["/".join(inner)] = role
            if names.is_mask(name) and classes and self.tree.loose(folder):
                self.of_class["/".join(inner)] = classes[-1]
            if role == "left out":
                why = (
                    "masks"
                    if names.is_mask(name)
                    else "chosen"
                    if "/".join(inner) in self.choices.folders
                    else "neither training nor test"
                )
                self.left_out.append((f"{'/'.join(inner)}/ ({self.tree.count[inner]:,} images)", why))
            elif role == "unlabelled":
                self.visit(inner, split, None)
            elif role == "class":
                self.visit(inner, split, None if classes is None else (*classes, name))
            else:
                self.visit(inner, role if role in ("train", "val", "test") else split, classes)
        self.left_out += [(member.path, _why_left_out(member)) for member in self.tree.beside.get(folder, ())]


def _why_left_out(member: Member) -> str:
    if member.suffix in (".csv", ".tsv"):
        return "a table that was not read"
    tells = set(names.tokens(PurePath(member.name).stem)) & (names.LABEL_WORDS | names.MASKS)
    return "labels that were not read" if tells and member.suffix in (".txt", ".json", ".xml") else "not an image"


def _finish(walk: _Walk, choices: Choices) -> Layout:
    rows = sorted(walk.rows, key=lambda row: walk.tree.order[row[2].parts])
    level, levels, questions = _level(rows, choices)
    named = [
        (split or "train", _name_at(classes, level, member), member, is_image)
        for split, classes, member, is_image in rows
    ]
    parted = {split for split, *_ in named}
    used: dict[str, dict[str, None]] = {split: {} for split in ("train", "val", "test") if split in parted}
    for split, name, _, is_image in named:
        if name is not None and is_image:
            used[split][name] = None
    merging = names.merge_names({split: tuple(own) for split, own in used.items()})
    together: dict[str, dict[str, None]] = {}
    for name, own in merging.items():
        together.setdefault(own, {})[name] = None
    items, others, notes = [], [], []
    for split, name, member, is_image in named:
        walk.beat()
        if (not is_image and member.suffix in OTHERS) or (name is not None and name not in merging):
            others.append((member.path, _why_left_out(member)))
        else:
            items.append(Item(split, None if name is None else merging[name], member))
    items, mute = without_mute(items)
    notes += mute
    merged = tuple(tuple(own) for own in together.values() if len(own) > 1)
    notes += _notes_on_merged(merged)
    left_out = (*walk.left_out, *others)
    notes += _notes_on_folders(walk)
    questions += _questions_on_folders(walk) + _questions_on_suspects(walk) + _questions_on_one_class(walk, items)
    counts = {"/".join(folder): count for folder, count in sorted(walk.tree.count.items()) if folder}
    return Layout(
        *(tuple(items), walk.folders, left_out, tuple(others), level, levels, merged, tuple(notes), tuple(questions)),
        counts,
    )


def _difference(own: tuple[str, ...]) -> str:
    return "the case of letters" if len({name.casefold() for name in own}) == 1 else "the way letters are stored"


def _name_at(classes: Folder | None, level: str, member: Member) -> str | None:
    """The class that folders name at a level, or the file itself; None where they do not reach it."""
    if level == NAMES:
        return None if classes is None else names.before_number(member.name)
    if not classes:
        return None
    if level == ALL:
        return "/".join(classes)
    return classes[int(level) - 1] if len(classes) >= int(level) else None


def _level(
    rows: list[tuple[str, Folder | None, Member, bool]], choices: Choices
) -> tuple[str, tuple[tuple[str, ...], ...], list[Question]]:
    """(the level that names the class, the names at each level, what is to be asked). The outermost level is taken at
    which training images are of two classes."""
    trained = [classes for split, classes, _, is_image in rows if classes and is_image and split in ("", "train")]
    every = [classes for _, classes, _, is_image in rows if classes and is_image]
    depth = max(map(len, every), default=0)
    levels = [{classes[at] for classes in every if len(classes) > at} for at in range(depth)]
    own = [{classes[at] for classes in trained if len(classes) > at} for at in range(depth)]
    shown = tuple(
        (*names.sort_classes(level)[:NAMED], *([f"{len(level) - NAMED:,} more"] if len(level) > NAMED else []))
        for level in levels
    )
    default = str(next((at + 1 for at, level in enumerate(own) if len(level) > 1), 1))
    if choices.level not in ("", ALL, NAMES) and int(choices.level) > max(depth, 1):
        raise ValueError(f"level {choices.level} names no class: images lie {depth} folders deep below the splits")
    questions = []
    if depth > 1:
        told = "; ".join(f"{at + 1}: {', '.join(level)}" for at, level in enumerate(shown))
        text = f"Folders lie {depth} deep. Which level names the class? {told}; or all of them together?"
        options = (*(str(at + 1) for at in range(depth)), ALL)
        questions.append(Question("level", text, options, default))
    elif not depth:
        questions += _question_on_names([member.name for _, classes, member, _ in rows if classes is not None])
    return choices.level or default, shown, questions


def _question_on_names(files: list[str]) -> list[Question]:
    """What is to be asked of files that no folder names a class of: whether dogs_1.png and cats_1.png do so, where such
    names are few and most files have one."""
    first: dict[str, str] = {}
    count: Counter[str] = Counter()
    for file in files:
        if (name := names.before_number(file)) is not None:
            first.setdefault(name, file)
            count[name] += 1
    if len(count) < 2 or 2 * count.total() < len(files) or FEWEST * len(count) > count.total():
        return []
    few = [name for name, _ in count.most_common(NAMED)]
    text = (
        f"Files are called {first[few[0]]} and {first[few[1]]}: is what stands before the number the class? "
        f"Then there are {len(count):,}: {', '.join(few)}{', ...' if len(count) > NAMED else ''}; else there is none."
    )
    return [Question("level", text, ("", NAMES), "")]


def _notes_on_merged(merged: tuple[tuple[str, ...], ...]) -> list[str]:
    """That names are those of one class, in one sentence for all."""
    if not merged:
        return []
    named = "; ".join(f"{' and '.join(own)} are one class" for own in merged[:NAMED])
    more = f"; so are {len(merged) - NAMED:,} more" if len(merged) > NAMED else ""
    return [f"{named}{more}: their names differ by {_difference(merged[0])} only."]


def _notes_on_folders(walk: _Walk) -> list[str]:
    """What is said of folders that name no class: in few words, since the words are kept with the data set."""
    notes = []
    for role, words in zip(NOTED, ("are left out", "were read as images without a label"), strict=True):
        folders = [folder for folder, own in walk.folders.items() if own == role]
        count = sum(walk.tree.count[tuple(folder.split("/"))] for folder in folders)
        more = f" and {len(folders) - NAMED:,} more folders" if len(folders) > NAMED else ""
        if folders:
            named = ", ".join(folder[-80:] for folder in folders[:NAMED])
            notes.append(f"The {count:,} images in {named}{more} {words}.")
    return notes


def _questions_on_folders(walk: _Walk) -> list[Question]:
    questions = []
    for folder, role in walk.folders.items():
        name = folder.rpartition("/")[2]
        count, text = walk.tree.count[tuple(folder.split("/"))], ""
        if folder in walk.choices.folders:
            continue
        if names.is_mask(name) and role == "left out":
            text = f"Are the {count:,} images in {folder} masks to leave out, or a class of their own?"
            options: tuple[str, ...] = ("left out", "class")
            if folder in walk.of_class:
                text = f"Are the {count:,} images in {folder} masks to leave out, or images of {walk.of_class[folder]}?"
                options = ("left out", "passed through")
        elif role == "left out":
            text = f"What are the {count:,} images in {folder}, which lies beside training and test?"
            options = ("left out", "train", "val", "test", "unlabelled")
        elif role == "unlabelled" and names.may_be_unlabelled(name):
            text = f"Are the {count:,} images in {folder} without a label, or a class of their own?"
            options = ("unlabelled", "class")
        elif role == "unlabelled" and names.is_predicted(name):
            text = f"Are the {count:,} images in {folder} to be learned from without a label, or left out?"
            options = ("unlabelled", "left out")
        if text:
            questions.append(
                Question(f"{OF_FOLDER}{folder}", text, options, "unlabelled" if role == "unlabelled" else "left out")
            )
    return questions


def _questions_on_suspects(walk: _Walk) -> list[Question]:
    """What is to be asked of folders called 255 among numbers, which hold most of their images."""
    questions = []
    for folder, group in walk.tree.groups():
        path, total = (*folder, SUSPECT), sum(walk.tree.count[(*folder, name)] for name in group)
        if (
            SUSPECT not in group
            or len(group) < 3
            or not all(map(str.isdecimal, group))
            or 2 * walk.tree.count[path] <= total
        ):
            continue
        key = "/".join(path)
        if key not in walk.choices.folders and walk.tree.roles(folder, walk.choices)[SUSPECT] == "class":
            text = f"{walk.tree.count[path]:,} of {total:,} images lie in {key}. Is that a class, or no label?"
            questions.append(Question(f"{OF_FOLDER}{key}", text, ("class", "unlabelled"), "class"))
    return questions


def _questions_on_one_class(walk: _Walk, items: list[Item]) -> list[Question]:
    """Where all training images are of one class and others are tested, as those without a fault are: whether they are
    to be learned from without a label, since a single class cannot be told from any other."""
    trained = {item.class_name for item in items if item.split == "train"}
    tested = [item for item in items if item.split != "train" and item.class_name is not None]
    if len(trained) != 1 or None in trained or {item.class_name for item in tested} <= trained:
        return []
    folders = [item.member.parts[:-1] for item in items if item.split == "train"]
    ends = zip(min(folders), max(folders), strict=False)
    above = tuple(name for name, _ in takewhile(lambda pair: pair[0] == pair[1], ends))  # of all of them
    if not above or any(item.member.parts[: len(above)] == above for item in tested):
        return []
    folder, (name,) = "/".join(above), trained
    role = walk.folders.get(folder, "class")
    text = (
        f"All {len(folders):,} training images are of one class, {name}. Are they to be learned from without a label?"
    )
    return [Question(f"{OF_FOLDER}{folder}", text, (role, "unlabelled"), role)]
