"""What a file, a folder or an archive holds, in whichever format: image files with their splits and classes, or arrays.
Nothing is decoded here but arrays."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from semidml.data import image_files, layout
from semidml.data.choices import Choices
from semidml.data.image_files import Member
from semidml.data.layout import Item, Layout, Question
from semidml.data.names import is_predicted
from semidml.data.once import Once
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.data import arrays
    from semidml.data.formats import Arrays
    from semidml.data.formats.tables import FileLabels

PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
BRINGS = "a folder or a .zip or .tar.gz of class folders, .npz, .npy, .csv, IDX, Parquet or MATLAB's .mat are read"
CONVERT = {
    "torch": "  data = torch.load({0!r})\n"
    "  numpy.savez('data.npz', train_images=data['images'], train_labels=data['labels'])",
    "pickle": "  data = pickle.load(open({0!r}, 'rb'), encoding='latin1')\n"
    "  numpy.savez('data.npz', train_images=data['data'], train_labels=data['labels'])",
}


@dataclass(frozen=True)
class Reading:
    """What is there: either image files or arrays."""

    kind: str  # in words
    items: tuple[Item, ...] = ()
    class_names: tuple[str, ...] | None = None  # where their order is given
    others: tuple[tuple[str, str], ...] = ()  # (path, why) of files in class folders that are no images
    left_out: tuple[tuple[str, str], ...] = ()  # of all that is left out
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    layout: Layout | None = None
    arrays: arrays.Understood | None = None


@contextmanager
def open_reading(
    path: Path,
    choices: Choices,
    progress: Progress = lambda fraction, text: None,
    once: Once | None = None,
) -> Iterator[Reading]:
    """What is at a path; image files can be opened as long as the context is. progress: is told how many are listed;
    once: what earlier readings of it have read.
    Raises: ValueError in words."""
    if path.is_file():
        _refuse_pickle(Member((path.name,), partial(open, path, "rb")))
        if is_arrays(path):
            yield _of_arrays(partial(read_npz, path), choices, once)
            return
    with ExitStack() as opened:
        members = opened.enter_context(image_files.list_members(path, progress))
        if path.is_file() and len(members) == 1 and members[0].parts == (path.name,):
            yield _of_file(path, members[0], choices, opened, once)
        else:
            yield _of_tree(members, choices, "image folder" if path.is_dir() else "archive of images", opened, once)


def is_arrays(path: Path) -> bool:
    """Whether a file is a .zip of numpy's arrays, by its content; of one that cannot be opened, who reads it tells."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        return False
    suffixes = {Path(name).suffix.lower() for name in names}
    return ".npy" in suffixes and not suffixes & layout.IMAGES


def _of_file(path: Path, member: Member, choices: Choices, opened: ExitStack, once: Once | None) -> Reading:
    """A single file, with those beside it that belong to it."""
    from semidml.data.formats import idx, tables

    beside = [member]
    if member.suffix == ".npy":
        beside = _siblings(path, lambda other: other.suffix == ".npy")
    elif idx.is_idx(member):
        own = idx.prefix_of(member)
        beside = _siblings(path, lambda other: idx.is_idx(other) and idx.prefix_of(other) == own)
    elif member.suffix in (".csv", ".tsv") and tables.may_name_files(member):
        with image_files.list_members(path.parent) as around:
            pictures = [other for other in around if other.suffix in layout.IMAGES]
        if known := tables.read_file_labels(member, pictures, choices):
            own = layout.read_layout(pictures, choices)
            return _of_layout(_labelled(own, {member: known}), "table of files and labels")
    return _of_tree(beside, choices, "file", opened, once)


def _siblings(path: Path, belongs: object) -> list[Member]:
    """The files in the folder of a file that belong to it, itself among them."""
    files = sorted(other for other in path.parent.iterdir() if other.is_file() and not other.is_symlink())
    members = [Member((other.name,), partial(open, other, "rb"), other.stat().st_size) for other in files]
    return [member for member in members if belongs(member)]


def _labelled(known: Layout, described: dict[Member, FileLabels]) -> Layout:
    """A layout with the labels of tables, of which the first that names a file counts."""
    labels = {file: label for table in reversed(described.values()) for file, label in table.labels.items()}
    questions = tuple(dict.fromkeys(question for table in described.values() for question in table.questions))
    return layout.label_by_table(known, labels, [member.path for member in described], questions)


def _of_tree(
    members: list[Member], choices: Choices, kind: str, opened: ExitStack, once: Once | None = None
) -> Reading:
    """The files of a folder or an archive, or of some that belong together."""
    from semidml.data.formats import tables

    if any(member.suffix in layout.IMAGES for member in members):
        known = layout.read_layout(members, choices)
        if not known.class_names:
            pictures = [item.member for item in known.items]
            described = {
                member: table
                for member in members
                if member.suffix in (".csv", ".tsv")
                and not is_predicted(member.name)
                and tables.may_name_files(member)
                and (table := tables.read_file_labels(member, pictures, choices))
            }
            if described:
                return _of_layout(_labelled(known, described), f"{kind} with a table of labels")
        return _of_layout(known, kind)
    if read := _arrays_of(members):
        return _of_arrays(read, choices, once)
    if parquet := [member for member in members if member.suffix == ".parquet"]:
        packed = tables.read_parquet(parquet, choices, opened)
        known = tuple(packed.items)
        return Reading("Parquet files", known, packed.class_names, questions=packed.questions)
    for member in members:
        _refuse_pickle(member)
    if members and any(layout.looks_like_image(member) for member in members):
        return _of_layout(layout.read_layout(members, choices), kind)
    if kind == "file":
        raise ValueError(
            f"it is neither an .npz file nor a .zip of class folders, nor of another format that is read: {BRINGS}"
        )
    raise ValueError(f"there are no class folders with images, and nothing else that is read: {BRINGS}")


def _arrays_of(members: list[Member]) -> Callable[[Choices], Arrays] | None:
    """What reads the arrays of the first format of which there are files; None where there are none."""
    from semidml.data.formats import idx, matlab, numpy_files

    if packed := [member for member in members if member.suffix == ".npz"]:
        return partial(_read_packed, packed)
    if own := [member for member in members if member.suffix == ".npy"]:
        return partial(numpy_files.read_npy, own)
    if own := [member for member in members if idx.is_idx(member)]:
        return partial(idx.read_idx, own)
    if own := [member for member in members if member.suffix == ".mat"]:
        return partial(matlab.read_matlab, own)
    own = [member for member in members if member.suffix in (".csv", ".tsv")]
    return partial(_read_tables, own) if own else None


def _read_packed(packed: list[Member], choices: Choices) -> Arrays:
    """The arrays of the first .npz of some."""
    with packed[0].open() as file:
        source = read_npz(io.BytesIO(file.read()) if not hasattr(file, "fileno") else file, choices)
    return source._replace(left_out=(*source.left_out, *((member.path, "one more file") for member in packed[1:])))


def _read_tables(members: list[Member], choices: Choices) -> Arrays:
    """The pixels in tables."""
    from semidml.data.formats import Arrays, tables

    splits, questions = {}, ()
    for member in members:
        own_splits, asked = tables.read_pixels(member, choices)
        splits, questions = splits | own_splits, questions or asked
    if "train" not in splits and len(splits) == 1:
        splits = {"train": next(iter(splits.values()))}
    return Arrays("a table of pixels", splits, questions=questions)


def read_npz(file: object, choices: Choices) -> Arrays:
    """The arrays of an .npz, a path or an open file. Raises: ValueError in words."""
    from semidml.data.formats import numpy_files

    with numpy_files.damage_in_words(), zipfile.ZipFile(file) as archive:
        return numpy_files.read_npz(archive, choices)


def _of_arrays(read: Callable[[Choices], Arrays], choices: Choices, once: Once | None) -> Reading:
    from semidml.data import arrays

    if once is None:
        known = arrays.understand(source := read(choices), choices)
    else:
        key = _source_key(choices, once)
        source = once.get_large(key, partial(read, choices))
        known = arrays.understand(source, choices, lambda own, make: once.get_large((*key, *own), make))
    notes = known.notes
    if source.left_out:
        notes += (f"Left out: {', '.join(f'{name} ({why})' for name, why in source.left_out[:5])}.",)
    known = known._replace(notes=notes)
    return Reading(source.kind, arrays=known, left_out=source.left_out, notes=notes, questions=known.questions)


def _source_key(choices: Choices, once: Once) -> tuple[str, str, str]:
    """Under which arrays are kept: of which choice of images and, where a format has labels to choose from, of which
    of these."""
    plain = "arrays", choices.images, ""
    known = once.find(plain)
    asks = known is None or any(question.key == "label" for question in known.questions)
    return ("arrays", choices.images, choices.label) if asks else plain


def _of_layout(known: Layout, kind: str) -> Reading:
    left = known.left_out
    return Reading(kind, known.items, None, known.others, left, known.notes, known.questions, known)


def _refuse_pickle(member: Member) -> None:
    """Raises ValueError for a file that Python would have to unpickle, which can run code."""
    with member.open() as file:
        start = file.read(2)
    if member.suffix in PICKLES or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        way = CONVERT["torch" if member.suffix in (".pt", ".pth") else "pickle"].format(member.name)
        raise ValueError(
            f"{member.path} is a pickle, which could run code and is refused; where you trust it, convert it in these "
            f"two lines:\n{way}"
        )
