"""Labels that tables give to image files: which file a row is of, of which class and which split. Torch-free.

A row names a file by any end of its path, with or without its suffix. A name that fits several files, as `3` fits
train/3.png and test/3.png, is of none of them, unless the row or its table is of one split: then it is of that one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from semidml.data import image_files
from semidml.data.image_files import Member
from semidml.data.layout import NAMED, Item, Layout, Question
from semidml.data.mute import without_mute
from semidml.data.names import split_of

SPLITS = ("train", "val", "test")


class Row(NamedTuple):
    """A row of a table."""

    name: str  # of a file, as the table has it
    label: str  # "" where there is none
    split: str = ""  # where a column tells it


class FileLabels(NamedTuple):
    """What a table says of image files."""

    rows: tuple[Row, ...]
    questions: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()


class _Told(NamedTuple):
    """What a table says of an image, by its place among all."""

    labels: dict[int, str]
    splits: dict[int, str]
    several: int  # names that fit several files
    torn: int  # images that have several labels


def label_by_tables(layout: Layout, tables: Mapping[Member, FileLabels]) -> Layout:
    """A layout whose images have the labels of tables, of which the first that has one for a file counts; those that
    no table names have none. A split that a column tells counts; that of a table's name where no folder is a split."""
    items, by_folder = layout.items, any(role in SPLITS for role in layout.folders.values())
    places = _places_of(items, {row.name for told in tables.values() for row in told.rows})
    of_table = {table: _split_of_table(table, layout) for table in tables}
    read = {
        table: _read(table, told.rows, items, places, of_table[table] if by_folder else None)
        for table, told in tables.items()
    }
    by_name = not by_folder and "train" in of_table.values()
    labels: dict[int, str] = {}
    splits: dict[int, str] = {}
    for table, told in read.items():
        own = dict.fromkeys(told.labels, of_table[table]) if by_name else {}
        for place, label in told.labels.items():
            if not labels.get(place):
                labels[place] = label
                splits[place] = told.splits.get(place) or own.get(place) or items[place].split
    labelled, mute = without_mute(
        [
            item._replace(class_name=labels.get(place) or None, split=splits.get(place, item.split))
            for place, item in enumerate(items)
        ]
    )
    asked = tuple(question for question in layout.questions if question.key != "level")
    return replace(
        layout,
        items=tuple(labelled),
        left_out=tuple(left for left in layout.left_out if left[0] not in {table.path for table in tables}),
        notes=(*layout.notes, *_notes(read, sum(map(bool, labels.values()))), *_own(tables, "notes"), *mute),
        questions=(*asked, *_own(tables, "questions")),
    )


def _split_of_table(table: Member, layout: Layout) -> str:
    """Which split a table is of: train, val, test or "". Its name tells, or a folder around it that was understood to
    be a split, or that holds no image and is called like one."""
    if split := split_of(table.name):
        return split
    for depth in range(len(table.parts) - 1, 0, -1):
        folder = "/".join(table.parts[:depth])
        if layout.folders.get(folder) in SPLITS:
            return layout.folders[folder]
        if folder not in layout.counts and (split := split_of(table.parts[depth - 1])):
            return split
    return ""


def _own(tables: Mapping[Member, FileLabels], field: str) -> tuple:
    """What all tables ask or note, once each."""
    return tuple(dict.fromkeys(told for table in tables.values() for told in getattr(table, field)))


def _places_of(items: Iterable[Item], wanted: set[str]) -> dict[str, list[int]]:
    """{name in a table: the places of the files that it fits}."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        for key in set(image_files.keys_of(item.member)) & wanted:
            places.setdefault(key, []).append(place)
    return places


def _read(
    table: Member, rows: Iterable[Row], items: tuple[Item, ...], places: Mapping[str, list[int]], split: str | None
) -> _Told:
    """What the rows of a table say of which image. split: of the table; None where no folder is a split."""
    meets = any(len(places.get(row.name, ())) > 1 for row in rows)  # files of several folders have one name
    labels: dict[int, set[str]] = {}
    splits: dict[int, str] = {}
    several = set()
    for row in rows:
        fits, own = places.get(row.name, []), "" if split is None else row.split or split
        if len(fits) > 1:
            fits = [place for place in fits if _is_beside(items[place].member, table, row.name)] or fits
        if own and meets:
            fits = [place for place in fits if items[place].split == own]
        if len(fits) > 1:
            several.add(row.name)
        elif fits:
            labels.setdefault(fits[0], set()).add(row.label)
            splits[fits[0]] = row.split
    one = {place: label for place, own in labels.items() for label in own if len(own) == 1}
    return _Told(one, splits, len(several), len(labels) - len(one))


def _is_beside(file: Member, table: Member, name: str) -> bool:
    """Whether a name is the whole path of a file, as seen from the folder of its table."""
    path = "/".join((*table.parts[:-1], name))
    return path in ("/".join(file.parts), "/".join(file.parts).removesuffix(file.suffix))


def _notes(read: Mapping[Member, _Told], labelled: int) -> list[str]:
    named = " and ".join(table.path for table in list(read)[:NAMED])
    notes = [f"The labels of {'1 image is' if labelled == 1 else f'{labelled:,} images are'} those of {named}."]
    for table, told in read.items():
        if told.several:
            names = "1 name" if told.several == 1 else f"{told.several:,} names"
            notes.append(
                f"{names} in {table.path} could be of several files, as of one in each of two folders: these files "
                "have no label of it. Write their folders before their names."
            )
        if told.torn:
            images = "1 image" if told.torn == 1 else f"{told.torn:,} images"
            notes.append(f"{table.path} has several labels for {images}, which therefore have none of it.")
    return notes
