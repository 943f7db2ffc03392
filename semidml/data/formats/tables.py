"""Tables: a .csv of a label and pixels, or of files and labels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any

import numpy as np

from semidml.data.choices import Choices
from semidml.data.file_labels import FileLabels, Row
from semidml.data.folders import IMAGES
from semidml.data.formats import check_bytes
from semidml.data.image_files import Member, keys_of
from semidml.data.label_values import check_letters, read_labels
from semidml.data.layout import Question
from semidml.data.names import LABEL_WORDS, split_of, tokens, words_of

FILE_WORDS = words_of("file filename filepath path image images img imagepath fname name id imagename imageid")
SPLIT_COLUMNS = words_of("split usage subset set partition fold")
FEW = 200  # rows of a table that tell what its columns are
MOST_COLUMNS = 300_000
MOST_DESCRIBING = 200  # columns of a table that describes files
MATCHING = 0.5  # share of these rows whose text names a file, for a column to be one of files


# ---- .csv


def read_pixels(member: Member, choices: Choices) -> tuple[dict[str, tuple[np.ndarray, np.ndarray | None]], tuple]:
    """({split: (pixels (N, P), labels)}, questions) of a .csv with a column a pixel, or with one of all of them.
    Raises: ValueError in words."""
    labels: list[np.ndarray] = []
    pixels: list[np.ndarray] = []
    parts: list[np.ndarray] = []
    questions: tuple = ()
    label: str | None = None
    size = 0
    for batch in _batches(member):
        names = list(batch.schema.names)
        if not pixels:
            label, questions = label_column(names, choices)
            if label is None:
                label, questions = _end_column(batch, member)
        own, part = _pixels(batch, [name for name in names if name != label], member)
        size += own.nbytes
        check_bytes(size, member.path)
        pixels.append(own)
        if label is not None:
            labels.append(batch.column(label).to_numpy(zero_copy_only=False))
        if part is not None:
            parts.append(part)
    if not pixels:
        raise ValueError(f"{member.path} holds no rows")
    every = np.concatenate(pixels)
    known = _plain(np.concatenate(labels)) if labels else None
    split = split_of(member.name) or "train"
    if not parts:
        return {split: (every, known)}, questions
    which = np.concatenate(parts)
    return {
        own: (every[which == own], None if known is None else known[which == own])
        for own in dict.fromkeys(which.tolist())
    }, questions


def _batches(member: Member) -> Iterator[Any]:
    """The rows of a .csv, a piece at a time. A first line of numbers alone is a row, not names."""
    import pyarrow
    from pyarrow import csv

    with member.open() as file:
        first = file.readline(1 << 24).decode("utf-8-sig", errors="replace").strip()
    separator = max((",", ";", "\t"), key=first.count)
    bare = bool(first) and all(_is_number(part) for part in first.split(separator))
    if first.count(separator) > MOST_COLUMNS:
        raise ValueError(f"{member.path} has {first.count(separator):,} columns; at most {MOST_COLUMNS:,} are read")
    try:
        with member.open() as file:
            reader = csv.open_csv(
                pyarrow.PythonFile(file, mode="r"),
                read_options=csv.ReadOptions(autogenerate_column_names=bare, block_size=1 << 24, use_threads=False),
                parse_options=csv.ParseOptions(delimiter=separator),
            )
            yield from reader
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise ValueError(f"{member.path} cannot be read as a table ({str(error)[:200]})") from error


def _is_number(text: str) -> bool:
    try:
        float(text.strip('" '))
    except ValueError:
        return False
    return True


def _is_text(batch: Any, name: str) -> bool:
    import pyarrow

    return pyarrow.types.is_string(batch.schema.field(name).type)


def label_column(names: list[str], choices: Choices) -> tuple[str | None, tuple[Question, ...]]:
    """(the column of the label, what to ask): one that is called so, or None."""
    if choices.label in names:
        return choices.label, ()
    called = [name for name in names if set(tokens(name)) & (LABEL_WORDS | {"class", "emotion"})]
    questions = ()
    if len(called) > 1:
        asked = f"There are several columns of labels, {', '.join(called[:20])}. Which one is to be read?"
        questions = (Question("label", asked, tuple(called), called[0]),)
    return (called[0] if called else None), questions


def _end_column(batch: Any, member: Member) -> tuple[str | None, tuple[Question, ...]]:
    """(the column of the label, what to ask) of a table that calls none so and has one more than a square number of
    pixels: the first or the last, of which labels are whole numbers, more than one, without gaps and few."""
    names = list(batch.schema.names)
    if not _is_square(len(names) - 1) or any(_is_text(batch, name) for name in names):
        return None, ()

    def is_unlike_labels(name: str) -> tuple[bool, bool, bool, int]:
        column = batch.column(name).to_numpy(zero_copy_only=False).astype(np.float64)
        values = np.unique(column[np.isfinite(column)])
        is_whole = bool(len(values)) and bool((values == np.rint(values)).all())
        has_gaps = is_whole and values[-1] - values[0] + 1 != len(values)
        return not is_whole, len(values) < 2, has_gaps, len(values)

    ends = names[0], names[-1]
    label = min(ends, key=is_unlike_labels)
    text = f"No column of {member.name} is called label. Is it the first, {ends[0]}, or the last, {ends[1]}?"
    return label, (Question("label", text, ends, label),)


def _is_square(count: int) -> bool:
    return any(
        count >= 16 and count % colours == 0 and round((count // colours) ** 0.5) ** 2 == count // colours
        for colours in (1, 3)
    )


def _pixels(batch: Any, names: list[str], member: Member) -> tuple[np.ndarray, np.ndarray | None]:
    """(pixels (N, P) in as few bytes as hold them, the split of each row where a column tells it)."""
    part = None
    for name in [name for name in _split_columns(batch) if name in names]:
        part = np.array([split or "train" for split in _splits_in(batch, name)])
        names = [other for other in names if other != name]
    text = [name for name in names if _is_text(batch, name)]
    if len(text) == 1 and " " in str(batch.column(text[0])[0]):
        rows = [np.array(str(row).split(), float) for row in batch.column(text[0]).to_pylist()]
        if len({len(row) for row in rows}) != 1:
            raise ValueError(f"the rows of {member.path} have pixels of several numbers")
        return _narrow(np.stack(rows)), part
    numeric = [name for name in names if not _is_text(batch, name)]
    while numeric and not _is_square(len(numeric)) and set(tokens(numeric[0])) & (FILE_WORDS | {"unnamed", "index"}):
        numeric = numeric[1:]
    if not _is_square(len(numeric)):
        raise ValueError(
            f"{member.path} has {len(numeric):,} columns of numbers beside the label, which make no square image; it "
            "must have a column a pixel, or a column that names image files beside it"
        )
    try:
        return _narrow(np.stack([batch.column(name).to_numpy(zero_copy_only=False) for name in numeric], axis=1)), part
    except (ValueError, TypeError) as error:
        raise ValueError(f"the pixels of {member.path} cannot be read as numbers ({error})") from error


def _narrow(numbers: np.ndarray) -> np.ndarray:
    """Whole numbers up to 255 as bytes; others as they are. Decided a piece at a time: pieces are joined as what holds
    them all."""
    if numbers.size and numbers.min() >= 0 and numbers.max() <= 255 and (numbers == np.rint(numbers)).all():
        return numbers.astype(np.uint8)
    return numbers.astype(np.float32)


def _plain(labels: np.ndarray) -> np.ndarray:
    """Labels of a table: text, or numbers with NaN where there are none.
    Raises: ValueError for texts too long for a label."""
    if labels.dtype != object:
        return labels
    texts = ["" if label is None else str(label) for label in labels]
    check_letters(max(map(len, texts), default=0), "the labels of the table")
    return np.array(texts)


def may_name_files(member: Member) -> bool:
    """Whether a .csv has a column that may name files. Raises: ValueError in words."""
    return any(_file_columns(batch) for batch in islice(_batches(member), 1))


def names_images(member: Member) -> bool:
    """Whether the first rows of a .csv look as if they named image files: most cells of a column end as these do, or
    are in a column called so and are no pixels. Raises: ValueError in words."""
    for batch in islice(_batches(member), 1):
        for column in _file_columns(batch):
            cells = [str(value) for value in batch.column(column).slice(0, FEW).to_pylist()]
            is_called = bool(set(tokens(column)) & FILE_WORDS)
            names = [cell for cell in cells if PurePath(cell).suffix.lower() in IMAGES]
            names += [cell for cell in cells if is_called and cell not in names and not _is_row_of_numbers(cell)]
            if names and len(names) >= MATCHING * len(cells):
                return True
    return False


def _is_row_of_numbers(cell: str) -> bool:
    parts = cell.split()
    return len(parts) > 1 and all(map(_is_number, parts))


def _file_columns(batch: Any) -> list[str]:
    """The columns that may name files: of text, or called as one of files is, and not as one of labels; a table with a
    column a pixel has none."""
    names = [str(name) for name in batch.schema.names]
    called = [name for name in names if set(tokens(name)) & FILE_WORDS and not set(tokens(name)) & LABEL_WORDS]
    text = [name for name in names if _is_text(batch, name) and name not in called]
    return [*called, *text] if len(names) <= MOST_DESCRIBING else []


def read_file_labels(member: Member, files: list[Member], choices: Choices) -> FileLabels | None:
    """What a .csv says of image files; None where no column names them. Raises: ValueError in words."""
    named: list[str] = []
    parted: list[str] = []
    written: list[np.ndarray] = []
    questions: tuple[Question, ...] = ()
    column = label = part = None
    known = {key for file in files for key in keys_of(file)}
    for batch in _batches(member):
        if column is None:
            columns = _file_columns(batch)
            column = next((name for name in columns if _names_files(batch.column(name).slice(0, FEW), known)), None)
            telling = [name for name in _split_columns(batch) if any(_splits_in(batch, name))]
            part = next((name for name in telling if name not in (column, choices.label)), None)
            rest = [name for name in batch.schema.names if name not in (column, part)]
            if column is None or not rest:
                return None
            label, questions = label_column(rest, choices)
            if label is None:
                label = rest[0]
                asked = f"Which column of {member.name} is the label?"
                questions = (Question("label", asked, tuple(rest), label),) if len(rest) > 1 else ()
        named += [str(file) for file in batch.column(column).to_pylist()]
        parted += _splits_in(batch, part) if part else [""] * len(batch)
        written.append(_plain(batch.column(label).to_numpy(zero_copy_only=False)))
    if not named:
        return None
    own = read_labels({"train": np.concatenate(written)}, None, choices)
    classes = [own.class_names[number] if number >= 0 else "" for number in own.splits["train"].tolist()]
    rows = tuple(Row(*told) for told in zip(named, classes, parted, strict=True))
    return FileLabels(rows, (*questions, *own.questions), own.notes)


def _split_columns(batch: Any) -> list[str]:
    """The columns that tell the split of each row."""
    return [name for name in batch.schema.names if set(tokens(name)) & SPLIT_COLUMNS and _is_text(batch, name)]


def _splits_in(batch: Any, name: str) -> list[str]:
    """The split of each row as a column tells it, "" where it tells none."""
    return [split_of(str(value)) for value in batch.column(name).to_pylist()]


def _names_files(column: Any, known: set[str]) -> bool:
    values = [str(value) for value in column.to_pylist()]
    return bool(values) and sum(value in known for value in values) >= MATCHING * len(values)
