"""Of a tree of files: which are images, of which split and class, what has no label, what is left out. Torch-free.

A folder beside others is a split where all of them are called like splits; it is passed through where it stands alone
around the others; else it names a class. Splits may lie above or below the classes. What was understood can be changed
folder by folder (`Choices.folders`), and the level that names the class too (`Choices.level`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from semidml.data import names
from semidml.data.choices import Choices
from semidml.data.image_files import Member
from semidml.data.mute import without_mute
from semidml.data.names import words_of

IMAGES = words_of(".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .gif .webp .tif .tiff .ppm .pgm .pbm .pnm .mpo")
OTHERS = words_of(
    ".txt .csv .tsv .json .xml .md .yaml .yml .html .htm .pdf .py .ipynb .m .mat .npy .npz .pkl .pickle .pt .pth .h5 "
    ".hdf5 .log .doc .docx .xls .xlsx .rtf .sh .cfg .ini .zip .gz .tar .mp4 .avi .wav .db .sqlite .parquet .arff"
)
STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", *(b"P%d" % n for n in range(1, 7)))

NO_LABEL = "-1"  # what a folder of images without a label may be called, but not beside 1 alone
NAMED = 5  # folders that a note names

Folder = tuple[str, ...]


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


def read_layout(members: list[Member], choices: Choices) -> Layout:
    """What the files of a tree are.
    Raises: ValueError when none of them is an image."""
    tree = _Tree(members)
    if not tree.count[()]:
        raise ValueError(
            f"there are no images among the {len(members):,} files; put the images of each class into a folder"
        )
    walk = _Walk(tree, choices)
    walk.visit((), "", ())
    return _finish(walk, choices)


def looks_like_image(member: Member) -> bool:
    """Whether a file is an image by its name or, where that says nothing, by its first bytes; a damaged one of an
    archive is none."""
    if member.suffix in IMAGES:
        return True
    if member.suffix in OTHERS:
        return False
    try:
        with member.open() as file:
            return file.read(8).startswith(STARTS)
    except ValueError:
        return False


# ---- the tree


class _Tree:
    """The folders of some files, and how many images lie below each."""

    def __init__(self, members: list[Member]) -> None:
        self.count: Counter[Folder] = Counter()  # images in and below a folder
        self.inside: dict[Folder, list[str]] = {}  # its folders that hold images, in order
        self.files: dict[Folder, list[tuple[Member, bool]]] = {}  # its own files, and whether they look like images
        for member in members:
            folder, is_image = member.parts[:-1], looks_like_image(member)
            self.files.setdefault(folder, []).append((member, is_image))
            if is_image:
                for depth in range(len(folder) + 1):
                    self.count[folder[:depth]] += 1
        for folder in self.count:
            if folder:
                self.inside.setdefault(folder[:-1], []).append(folder[-1])
        self.beside: dict[Folder, list[Member]] = {}  # files below a folder, in folders that hold no image
        for folder, own in self.files.items():
            above = folder
            while above and above not in self.count:
                above = above[:-1]
            if above != folder:
                self.beside.setdefault(above, []).extend(member for member, _ in own)
        self.order = {member.parts: place for place, member in enumerate(members)}
        self.depths = self._split_depths()

    def loose(self, folder: Folder) -> int:
        return sum(is_image for _, is_image in self.files.get(folder, ()))

    def groups(self) -> Iterator[tuple[Folder, list[str]]]:
        yield from self.inside.items()

    def _split_depths(self) -> set[int]:
        """How deep folders lie that part a whole group of siblings into training and more."""
        return {len(folder) for folder, group in self.groups() if _parts_splits(group)}

    def roles(self, folder: Folder, choices: Choices) -> dict[str, str]:
        """{name: role} of the folders in a folder."""
        group = self.inside.get(folder, [])
        known = self._understood(folder, group)
        for name in group:
            known[name] = choices.folders.get("/".join((*folder, name)), known[name])
        if any(names.is_mask(name) and role == "class" for name, role in known.items()):
            known |= {name: "class" for name, role in known.items() if role == "passed through" and len(group) > 1}
        return known

    def _understood(self, folder: Folder, group: list[str]) -> dict[str, str]:
        if _parts_splits(group) or (
            len(folder) in self.depths and all(names.split_of(name) and not names.rest_of(name) for name in group)
        ):
            return {name: _role_beside_splits(name) for name in group}
        pictures = [name for name in group if names.is_container(name)]
        if pictures and all(names.is_mask(name) or names.is_container(name) for name in group):
            masks = [name for name in group if names.is_mask(name) and name not in pictures]
            if masks and len(pictures) == 1:
                return {name: "left out" if name in masks else "passed through" for name in group}
        if len(group) == 1 and not self.loose(folder):
            return {group[0]: "passed through" if self._is_wrapper(folder, group[0]) else "class"}
        none = {name for name in group if names.is_unlabelled(name) or (name == NO_LABEL and len(group) > 2)}
        plain = [name for name in group if name not in none]
        says_nothing = len(plain) == 1 and not names.rest_of(plain[0])  # `labelled` beside `unlabelled`
        return {
            name: "unlabelled"
            if name not in plain
            else "passed through"
            if says_nothing and self.inside.get((*folder, name))
            else "class"
            for name in group
        }

    def _is_wrapper(self, folder: Folder, name: str) -> bool:
        """Whether a folder that is alone in another says nothing: it is called `images`, as one above it, or like a
        split; or nothing names a class yet, nor does it part anything."""
        above = {part.casefold() for part in folder}
        if names.is_container(name) or name.casefold() in above:
            return True
        if any(names.split_of(part) and names.split_of(part) == names.split_of(name) for part in folder):
            return True
        return all(len(self.inside.get(folder[:depth], ())) == 1 for depth in range(len(folder) + 1))


def _parts_splits(group: list[str]) -> bool:
    """Whether a group of folders is training and test (or validation) folders, perhaps with more beside them. What all
    their names share says nothing: `seg_train`, `seg_test`; `train_station`, `test_tube` are no splits."""
    plain = [name for name in group if not _is_aside(name)]
    called = [name for name in plain if names.split_of(name)]
    alike = [names.rest_of(name) for name in group if name in called or _is_aside(name)]
    shared = frozenset.intersection(*alike) if len(alike) > 1 else frozenset()
    parting = [name for name in called if names.rest_of(name) <= shared]
    kinds, strange = {names.split_of(name) for name in parting}, len(plain) - len(parting)
    if "train" not in kinds:
        return False
    if len(kinds) > 1:
        return strange < len(parting)
    return not strange and len(group) > len(plain)  # training beside what has no label, is predicted or a mask


def _is_aside(name: str) -> bool:
    return names.is_unlabelled(name) or names.is_predicted(name) or names.is_mask(name)


def _role_beside_splits(name: str) -> str:
    if names.is_unlabelled(name) or names.is_predicted(name):
        return "unlabelled"
    return "left out" if names.is_mask(name) else names.split_of(name) or "left out"


# ---- the walk


class _Walk:
    """Each image with its split and the folders that may name its class."""

    def __init__(self, tree: _Tree, choices: Choices) -> None:
        self.tree, self.choices = tree, choices
        self.rows: list[tuple[str, Folder | None, Member, bool]] = []  # split or "", folders or None, looks like one
        self.folders: dict[str, str] = {}
        self.left_out: list[tuple[str, str]] = []

    def visit(self, folder: Folder, split: str, classes: Folder | None) -> None:
        for member, is_image in self.tree.files.get(folder, ()):
            if is_image or classes:
                self.rows.append((split, classes, member, is_image))
            else:
                self.left_out.append((member.path, "not an image"))
        for name, role in self.tree.roles(folder, self.choices).items():
            inner = (*folder, name)
            if role != "class" and classes is not None:
                self.folders["/".join(inner)] = role
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
        self.left_out += [(member.path, "not an image") for member in self.tree.beside.get(folder, ())]


def _finish(walk: _Walk, choices: Choices) -> Layout:
    rows = sorted(walk.rows, key=lambda row: walk.tree.order[row[2].parts])
    level, levels, questions = _level(walk, rows, choices)
    named = [
        (split or "train", _name_at(classes, level), member, is_image) for split, classes, member, is_image in rows
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
        if (not is_image and member.suffix in OTHERS) or (name is not None and name not in merging):
            others.append((member.path, "not an image"))
        else:
            items.append(Item(split, None if name is None else merging[name], member))
    items, mute = without_mute(items)
    notes += mute
    merged = tuple(tuple(own) for own in together.values() if len(own) > 1)
    notes += _notes_on_merged(merged)
    left_out = (*walk.left_out, *others)
    notes += _notes_on_folders(walk)
    questions += _questions_on_folders(walk)
    counts = {"/".join(folder): count for folder, count in sorted(walk.tree.count.items()) if folder}
    return Layout(
        *(tuple(items), walk.folders, left_out, tuple(others), level, levels, merged, tuple(notes), tuple(questions)),
        counts,
    )


def _difference(own: tuple[str, ...]) -> str:
    return "the case of letters" if len({name.casefold() for name in own}) == 1 else "the way letters are stored"


def _name_at(classes: Folder | None, level: str) -> str | None:
    """The class that folders name at a level; None where they do not reach it."""
    if not classes:
        return None
    if level == "all":
        return "/".join(classes)
    return classes[int(level) - 1] if len(classes) >= int(level) else None


def _level(
    walk: _Walk, rows: list[tuple[str, Folder | None, Member, bool]], choices: Choices
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
    if choices.level not in ("", "all") and int(choices.level) > max(depth, 1):
        raise ValueError(f"level {choices.level} names no class: images lie {depth} folders deep below the splits")
    questions = []
    if depth > 1:
        told = "; ".join(f"{at + 1}: {', '.join(level)}" for at, level in enumerate(shown))
        text = f"Folders lie {depth} deep. Which level names the class? {told}; or all of them together?"
        options = (*(str(at + 1) for at in range(depth)), "all")
        questions.append(Question("level", text, options, default))
    return choices.level or default, shown, questions


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
    for role, words in (("left out", "are left out"), ("unlabelled", "were read as images without a label")):
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
        elif role == "left out":
            text = f"What are the {count:,} images in {folder}, which lies beside training and test?"
            options = ("left out", "train", "val", "test", "unlabelled")
        elif role == "unlabelled" and names.is_predicted(name):
            text = f"Are the {count:,} images in {folder} to be learned from without a label, or left out?"
            options = ("unlabelled", "left out")
        if text:
            questions.append(
                Question(f"folder:{folder}", text, options, "unlabelled" if role == "unlabelled" else "left out")
            )
    return questions
