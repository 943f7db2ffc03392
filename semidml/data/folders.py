"""Of a tree of files: what each folder is. Torch-free.

A folder beside others is a split where all of them are called like splits; it is passed through where it stands alone
around the others; else it names a class. Splits may lie above or below the classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from semidml.data import names
from semidml.data.choices import Choices
from semidml.data.image_files import Member
from semidml.data.names import words_of

IMAGES = words_of(".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .gif .webp .tif .tiff .ppm .pgm .pbm .pnm .mpo")
OTHERS = words_of(
    ".txt .csv .tsv .json .xml .md .yaml .yml .html .htm .pdf .py .ipynb .m .mat .npy .npz .pkl .pickle .pt .pth .h5 "
    ".hdf5 .log .doc .docx .xls .xlsx .rtf .sh .cfg .ini .zip .gz .tar .mp4 .avi .wav .db .sqlite .parquet .arff"
)
STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"BM", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", *(b"P%d" % n for n in range(1, 7)))
NO_LABEL = "-1"  # what a folder of images without a label may be called, but not beside 1 alone

Folder = tuple[str, ...]


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


class Tree:
    """The folders of some files, and how many images lie below each."""

    def __init__(self, members: list[Member], beat: Callable[[], object] = lambda: None) -> None:
        self.count: Counter[Folder] = Counter()  # images in and below a folder
        self.inside: dict[Folder, list[str]] = {}  # its folders that hold images, in order
        self.files: dict[Folder, list[tuple[Member, bool]]] = {}  # its own files, and whether they look like images
        for member in members:
            beat()
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
        splits = names.splits_of(name for name in group if not _is_aside(name))
        if _parts_splits(group) or (
            len(folder) in self.depths and all(splits.get(name) and not names.rest_of(name) for name in group)
        ):
            return {name: _role_beside_splits(name, splits.get(name, "")) for name in group}
        pictures = [name for name in group if names.is_container(name)]
        if pictures and all(names.is_mask(name) or names.is_container(name) for name in group):
            masks = [name for name in group if names.is_mask(name) and name not in pictures]
            if masks and len(pictures) == 1:
                return {name: "left out" if name in masks else "passed through" for name in group}
        if len(group) == 1 and not self.loose(folder):
            return {group[0]: "passed through" if self._is_wrapper(folder, group[0]) else "class"}
        masks = {name for name in group if self._is_beside_images(folder, name)}
        group = [name for name in group if name not in masks]
        none = {name for name in group if names.is_unlabelled(name)}
        if len(group) - len(none) > 2:
            none |= {name for name in group if name == NO_LABEL or names.may_be_unlabelled(name)}
        plain = [name for name in group if name not in none]
        says_nothing = len(plain) == 1 and not names.rest_of(plain[0])  # `labelled` beside `unlabelled`
        return dict.fromkeys(masks, "left out") | {
            name: "unlabelled"
            if name not in plain
            else "passed through"
            if says_nothing and self.inside.get((*folder, name))
            else "class"
            for name in group
        }

    def _is_beside_images(self, folder: Folder, name: str) -> bool:
        """Whether a folder is one of masks of the images that lie beside it: alone with them, or not many more."""
        loose, group = self.loose(folder), self.inside[folder]
        of_loose = all(map(names.is_mask, group)) or 2 * loose >= self.count[(*folder, name)]
        return names.is_mask(name) and loose > 0 and of_loose

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
    splits = names.splits_of(plain)
    called = [name for name in plain if splits[name]]
    alike = [names.rest_of(name) for name in group if name in called or _is_aside(name)]
    shared = frozenset.intersection(*alike) if len(alike) > 1 else frozenset()
    parting = [name for name in called if names.rest_of(name) <= shared]
    kinds, strange = {splits[name] for name in parting}, len(plain) - len(parting)
    if "train" not in kinds:
        return False
    if len(kinds) > 1:
        return strange < len(parting)
    return not strange and len(group) > len(plain)  # training beside what has no label, is predicted or a mask


def _is_aside(name: str) -> bool:
    return _has_no_label(name) or names.is_mask(name)


def _has_no_label(name: str) -> bool:
    return names.is_unlabelled(name) or names.may_be_unlabelled(name) or names.is_predicted(name)


def _role_beside_splits(name: str, split: str) -> str:
    if _has_no_label(name):
        return "unlabelled"
    return "left out" if names.is_mask(name) else split or "left out"
