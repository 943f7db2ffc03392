"""Parquet as the hub of data sets writes images: a column of packed ones, and one of labels."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

from semidml.data.choices import Choices
from semidml.data.formats.tables import SPLIT_COLUMNS, label_column
from semidml.data.image_files import MAX_ARCHIVE_BYTES, MAX_FILES, Member
from semidml.data.layout import Item, Question
from semidml.data.mute import without_mute
from semidml.data.names import is_no_label, split_of, tokens

MAX_PIECE = 256 << 20  # bytes of images of a group of rows that are in memory at a time
MOST_ROWS = 1000  # of a piece


class Packed(NamedTuple):
    """The images in a table."""

    items: tuple[Item, ...]
    class_names: tuple[str, ...] | None  # in the order of the hub's own description, where there is one
    notes: tuple[str, ...]
    questions: tuple[Question, ...]


class Columns(NamedTuple):
    """What the columns of a file are."""

    images: str
    label: str | None
    split: str | None
    questions: tuple[Question, ...]


def read_parquet(members: list[Member], choices: Choices, opened: ExitStack) -> Packed:
    """The images of tables with a column of packed ones; which split a row is of, a column tells, or the name of its
    file or folder. Files stay open as long as `opened` is.
    Raises: ValueError in words."""
    from pyarrow import ArrowException

    items: list[Item] = []
    questions: tuple[Question, ...] = ()
    names: list[str] | None = None
    size = rows = 0
    for member in members:
        try:
            file = _open_file(opened.enter_context(member.open()), opened)
            groups = [file.metadata.row_group(g) for g in range(file.num_row_groups)]
            size, rows = size + sum(group.total_byte_size for group in groups), rows + file.metadata.num_rows
            _check_size(member, size, rows, max((group.total_byte_size for group in groups), default=0))
            columns = _columns(file, choices, member)
            questions = questions or columns.questions
            names = _hub_names(file, columns.label)
            labels = _classes(_values(file, columns.label), names, member)
            splits = [split_of(str(value)) for value in _values(file, columns.split)]
        except (ArrowException, OSError) as error:
            raise ValueError(f"{member.path} cannot be read as a Parquet file ({str(error)[:200]})") from error
        cells, own = _Cells(file, columns.images), _split_of_file(member)
        row = 0
        for number, group in enumerate(groups):
            each = _column_bytes(group, columns.images) // max(1, group.num_rows)
            for place in range(group.num_rows):
                cell = Member((*member.parts, f"{row:08d}"), partial(cells.open, number, place), each)
                items.append(Item(splits[row] or own, labels[row], cell))
                row += 1
    items, notes = without_mute(items)
    used = {item.class_name for item in items}
    order = tuple(name for name in names if name in used) if names else ()
    return Packed(tuple(items), order if len(order) == len(used - {None}) else None, tuple(notes), questions)


def _open_file(stream: Any, opened: ExitStack) -> Any:
    """A file whose columns of text are read as the few texts that they may be of."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    plain = ParquetFile(stream)
    text = [field.name for field in plain.schema_arrow if pyarrow.types.is_string(field.type)]
    text += [field.name for field in plain.schema_arrow if pyarrow.types.is_large_string(field.type)]
    return opened.enter_context(ParquetFile(stream, read_dictionary=text, metadata=plain.metadata))


def _split_of_file(member: Member) -> str:
    """Which split the name of a file is of, or that of a folder it lies in."""
    return next((split for part in reversed(member.parts) if (split := split_of(part))), "train")


def _check_size(member: Member, size: int, rows: int, largest: int) -> None:
    """Raises ValueError for tables that promise too much: rows of nothing take no room in a file, but each becomes a
    file to open."""
    if rows > MAX_FILES:
        raise ValueError(f"{member.path} promises {rows:,} rows, with those before it; at most {MAX_FILES:,} are read")
    if size > MAX_ARCHIVE_BYTES * 64:
        raise ValueError(f"{member.path} promises {size / 2**30:,.0f} GiB; no more than 64 GiB are read")
    if largest > MAX_ARCHIVE_BYTES:
        raise ValueError(f"{member.path} has a group of rows of more than 1 GiB; write it in smaller groups")


def _columns(file: Any, choices: Choices, member: Member) -> Columns:
    import pyarrow

    schema, types = file.schema_arrow, pyarrow.types
    images = [
        field.name
        for field in schema
        if types.is_binary(field.type)
        or types.is_large_binary(field.type)
        or (types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0)
    ]
    if not images:
        raise ValueError(
            f"{member.path} has no column of packed images among {', '.join(schema.names[:10])}; the hub writes one "
            "called image, with bytes and path"
        )
    image = choices.images if choices.images in images else images[0]
    kinds = {field.name: _value_type(field.type) for field in schema}
    text = {name for name, kind in kinds.items() if types.is_string(kind) or types.is_large_string(kind)}
    numbers = {name for name, kind in kinds.items() if types.is_integer(kind) or types.is_boolean(kind)}
    fractions = {name for name, kind in kinds.items() if types.is_floating(kind)}
    split = next(
        (
            name
            for name in schema.names
            if name in text and name != choices.label and set(tokens(name)) & SPLIT_COLUMNS
            if any(split_of(str(value)) for value in _values(file, name))
        ),
        None,
    )
    plain = [name for name in schema.names if name in text | numbers | fractions and name != split]
    if choices.label in plain:
        return Columns(image, choices.label, split, ())
    label, questions = label_column(plain, choices)
    if label is None and len(plain) == 1 and (plain[0] in numbers or _are_whole(file, plain[0], fractions)):
        label = plain[0]
    return Columns(image, label, split, questions)


def _value_type(kind: Any) -> Any:
    """The type of the values of a column: pandas keeps categories apart from their numbers."""
    import pyarrow

    return kind.value_type if pyarrow.types.is_dictionary(kind) else kind


def _are_whole(file: Any, name: str, fractions: set[str]) -> bool:
    """Whether a column of numbers with a point has whole ones alone, as pandas makes of integers of which some lack."""
    return name in fractions and all(v is None or math.isnan(v) or v.is_integer() for v in _values(file, name))


def _values(file: Any, column: str | None) -> list:
    """The values of a column, a row each; None without one. Those of a row that are alike are one object: a text that
    many rows share takes the room of one in a file, too."""
    if column is None:
        return [None] * file.metadata.num_rows
    values = []
    for chunk in file.read(columns=[column]).column(0).chunks:
        if hasattr(chunk, "dictionary"):
            own = [*chunk.dictionary.to_pylist(), None]
            values += [own[-1 if place is None else place] for place in chunk.indices.to_pylist()]
        else:
            values += chunk.to_pylist()
    return values


def _hub_names(file: Any, label: str | None) -> list[str] | None:
    """The class names that the hub's own description of the columns has."""
    metadata = file.schema_arrow.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        names = features.get(label, {}).get("names")
    except (ValueError, AttributeError, RecursionError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def _classes(values: Sequence[Any], names: list[str] | None, member: Member) -> list[str | None]:
    """The class of each row.
    Raises: ValueError for fractions."""
    known = {value: _class_of(value, names, member) for value in set(values)}
    return [known[value] for value in values]


def _class_of(value: Any, names: list[str] | None, member: Member) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"the labels of {member.path} must be whole numbers or text, one a class; got {value:g}")
    number = int(value) if isinstance(value, int | float) else None
    if names and number is not None and 0 <= number < len(names):
        return names[number]
    text = str(value if number is None else number)
    return None if is_no_label(text) and text not in (names or ()) else text


def _column_bytes(group: Any, column: str) -> int:
    """Bytes of a column in a group of rows, unpacked, but for what a dictionary spares."""
    parts = [group.column(number) for number in range(group.num_columns)]
    return sum(part.total_uncompressed_size for part in parts if part.path_in_schema.split(".")[0] == column)


class _Cells:
    """The images of a file, read piece by piece in their order: where one is asked for that lies before the piece in
    memory, its group of rows is read from its begin again. A piece is of so few rows that even where a file has one
    image for all of them (a dictionary) it takes at most MAX_PIECE bytes."""

    def __init__(self, file: Any, column: str) -> None:
        self._file, self._column = file, column
        self._group = -1
        self._first = 0  # row of the group that is the first of the piece
        self._piece: Any = ()
        self._pieces: Iterator[Any] = iter(())

    def open(self, group: int, place: int) -> io.BytesIO:
        """The image in a row of a group of rows."""
        if group != self._group or place < self._first:
            whole = _column_bytes(self._file.metadata.row_group(group), self._column)
            rows = min(MOST_ROWS, max(1, MAX_PIECE // max(1, whole)))
            self._pieces = self._file.iter_batches(rows, row_groups=[group], columns=[self._column])
            self._group, self._first, self._piece = group, 0, ()
        while place >= self._first + len(self._piece):
            self._first += len(self._piece)
            self._piece = next(self._pieces).column(0)
        value = self._piece[place - self._first].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        return io.BytesIO(content or b"")
