"""What a file, a folder or an archive holds, in whichever format: image files with their splits and classes, or arrays.
Nothing is decoded here but arrays."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from semidml.data import folders, image_files, layout
from semidml.data.choices import Choices
from semidml.data.file_labels import label_by_tables
from semidml.data.image_files import Member
from semidml.data.layout import Item, Layout, Question
from semidml.data.names import is_predicted
from semidml.data.once import Once
from semidml.data.watched import Beat, watch
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.data import arrays
    from semidml.data.formats import Arrays

READ = "its files are read"
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
BRINGS = "a folder or a .zip or .tar.gz of class folders, .npz, .npy, .csv, IDX, Parquet or MATLAB's .mat are read"
PACKED = {  # how files begin that are packed
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x1f\x9d": "compress",
}
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
    beat = Beat(progress, READ)
    if path.is_file():
        own = Member((path.name,), partial(open, path, "rb"))
        _refuse_pickle(own)
        if is_arrays(path):
            yield _of_arrays(partial(_read_packed, [watch(own, beat)]), choices, once, beat)
            return
    with ExitStack() as opened:
        members = opened.enter_context(image_files.list_members(path, progress))
        if path.is_file() and len(members) == 1 and members[0].parts == (path.name,):
            reading = _of_file(path, members[0], choices, opened, once, beat)
        else:
            kind = "image folder" if path.is_dir() else "archive of images"
            reading = _of_tree(members, choices, kind, opened, once, beat)
        beat.end()  # from here on who decodes tells how far it is
        yield reading


def is_arrays(path: Path) -> bool:
    """Whether a file is a .zip of numpy's arrays, by its content; of one that cannot be opened, who reads it tells."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError):
        return False
    suffixes = {Path(name).suffix.lower() for name in names}
    return ".npy" in suffixes and not suffixes & folders.IMAGES


def _of_file(path: Path, member: Member, choices: Choices, opened: ExitStack, once: Once | None, beat: Beat) -> Reading:
    """A single file, with those beside it that belong to it."""
    from semidml.data.formats import idx, tables

    beside = [member]
    if member.suffix == ".npy":
        beside = _siblings(path, lambda other: other.suffix == ".npy")
    elif idx.is_idx(member):
        own = idx.prefix_of(member)
        beside = _siblings(path, lambda other: idx.is_idx(other) and idx.prefix_of(other) == own)
    elif member.suffix in (".csv", ".tsv") and tables.names_images(member):
        pictures = _pictures_around(path, beat)
        if known := tables.read_file_labels(member, pictures, choices):
            own = layout.read_layout(pictures, choices, beat)
            return _of_layout(label_by_tables(own, {member: known}), "table of files and labels")
    return _of_tree(beside, choices, "file", opened, once, beat)


def _siblings(path: Path, belongs: Callable[[Member], bool]) -> list[Member]:
    """The files in the folder of a file that belong to it, itself among them."""
    files = sorted(other for other in path.parent.iterdir() if other.is_file() and not other.is_symlink())
    members = [Member((other.name,), partial(open, other, "rb"), other.stat().st_size) for other in files]
    return [member for member in members if belongs(member)]


def _pictures_around(path: Path, beat: Beat) -> list[Member]:
    """The images beside a file and below, in the order of their names. Links, folders that may not be read and
    what lies too deep are left out.
    Raises: ValueError where there are too many."""
    pictures = []
    for folder, inside, files in os.walk(path.parent):
        beat()
        above = Path(folder).relative_to(path.parent).parts
        inside[:] = [name for name in inside if len(above) < image_files.MAX_DEPTH and not image_files.is_clutter(name)]
        for name in files:
            file = Path(folder, name)
            if file.suffix.lower() in folders.IMAGES and file.is_file() and not file.is_symlink():
                pictures.append(Member((*above, name), partial(open, file, "rb"), file.stat().st_size))
        if len(pictures) > image_files.MAX_FILES:
            raise ValueError(
                f"there are more than {image_files.MAX_FILES:,} images beside it; at most that many are read"
            )
    return sorted((member for member in pictures if not image_files.is_clutter(member.name)), key=lambda own: own.parts)


def _of_tree(
    members: list[Member], choices: Choices, kind: str, opened: ExitStack, once: Once | None, beat: Beat
) -> Reading:
    """The files of a folder or an archive, or of some that belong together."""
    from semidml.data.formats import parquet, tables

    if any(member.suffix in folders.IMAGES for member in members):
        known = layout.read_layout(members, choices, beat)
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
                return _of_layout(label_by_tables(known, described), f"{kind} with a table of labels")
        return _of_layout(known, kind)
    if read := _arrays_of([watch(member, beat) for member in members]):
        return _of_arrays(read, choices, once, beat)
    if own := [watch(member, beat) for member in members if member.suffix == ".parquet"]:
        packed = parquet.read_parquet(own, choices, opened)
        return Reading(
            "Parquet files", packed.items, packed.class_names, notes=packed.notes, questions=packed.questions
        )
    for member in members:
        _refuse_pickle(member)
    if members and any(folders.looks_like_image(member) for member in members):
        return _of_layout(layout.read_layout(members, choices, beat), kind)
    if kind == "file":
        _refuse_packed(members[0])
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


def _of_arrays(read: Callable[[Choices], Arrays], choices: Choices, once: Once | None, beat: Beat) -> Reading:
    from semidml.data import arrays

    if once is None:
        known = arrays.understand(source := read(choices), choices, beat=beat)
    else:
        key = _source_key(choices, once)
        source = once.get_large(key, partial(read, choices))
        known = arrays.understand(source, choices, lambda own, make: once.get_large((*key, *own), make), beat)
    notes = known.notes
    if source.left_out:
        notes += (f"{layout.LEFT_OUT}{', '.join(f'{name} ({why})' for name, why in source.left_out[:5])}.",)
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


def _refuse_packed(member: Member) -> None:
    """Raises ValueError for a file that is packed in a way that is not read."""
    with member.open() as file:
        start = file.read(8)
    for mark, packing in PACKED.items():
        if start.startswith(mark):
            raise ValueError(
                f"{member.path} is packed by {packing}: unpack it first, and bring the file, or a .zip or .tar.gz of "
                "the folder that is in it"
            )


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
