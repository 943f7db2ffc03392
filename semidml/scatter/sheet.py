"""What the sheet of many runs is sent: a field of cells with their colours and words, and the little map of each.

Behind the header, see `pack.headed`, lie three bytes a point of each little map: x, y and class. `sheet.js` draws it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from semidml.scatter.pack import MOST_RINGS, headed

VERSION = 1
FINE = 255
MOST_POINTS = 600  # of a little map
ALL_POINTS = 90_000  # of all together: of more maps each has fewer
FEWEST = 60
MOST_MAPS = 1000  # beyond, each would be some pixels large


class LittleMap(NamedTuple):
    """A run's points in a square, small: uint8 (n, 3), x and y in 255ths and the class's colour; rings: its prior's
    components, x, y, two half axes in shares of the square, angle in radians."""

    points: np.ndarray
    rings: list[list[float]]


NO_MAP = LittleMap(np.zeros((0, 3), np.uint8), [])


@dataclass(frozen=True)
class SheetCell:
    """A setting on a sheet. colour and ink: of its value and of what is written on that, "" where it has none."""

    words: Sequence[str]  # what the mouse and screen readers are told, the first line above
    state: str
    text: str = ""  # that stands in it where there is room
    colour: str = ""
    ink: str = ""
    at_floor: bool = False  # it is not above what needs no training


@dataclass(frozen=True)
class Axis:
    """A knob along an edge: its title, and its values in words."""

    title: str
    values: Sequence[str]


@dataclass(frozen=True)
class Scale:
    """The scale of colours, evenly: words at both ends, and floors on it as (where, 0 to 1; words)."""

    colours: Sequence[str]
    low: str
    high: str
    marks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True)
class Sheet:
    """Cells row by row, the row of the first value first; maps by the number of their cell; looks: the colours of their
    points."""

    title: str
    maps_title: str
    columns: Axis
    rows: Axis
    cells: Sequence[SheetCell]
    looks: Sequence[str]
    scale: Scale | None = None
    chosen: int = -1
    maps: Mapping[int, LittleMap] = field(default_factory=dict)


def pack_sheet(sheet: Sheet) -> bytes:
    """The bytes that `sheet.js` draws.
    Raises: ValueError when the cells do not fill rows and columns."""
    count = len(sheet.columns.values) * len(sheet.rows.values)
    if len(sheet.cells) != count:
        raise ValueError(f"{len(sheet.rows.values)} rows and columns need {count} cells, got {len(sheet.cells)}")
    draws_maps = count <= MOST_MAPS
    most = max(FEWEST, min(MOST_POINTS, ALL_POINTS // count))
    maps = {number: little.points[:most] for number, little in sheet.maps.items()} if draws_maps else {}
    header: dict[str, Any] = {
        "version": VERSION,
        "title": sheet.title,
        "maps_title": sheet.maps_title,
        "draws_maps": draws_maps,
        "columns": {"title": sheet.columns.title, "values": list(sheet.columns.values)},
        "rows": {"title": sheet.rows.title, "values": list(sheet.rows.values)},
        "cells": [_cell(cell) for cell in sheet.cells],
        "scale": None,
        "chosen": sheet.chosen,
        "looks": list(sheet.looks),
        "maps": [
            {"cell": number, "count": len(points), "rings": sheet.maps[number].rings} for number, points in maps.items()
        ],
    }
    if scale := sheet.scale:
        marks = [{"at": at, "words": words} for at, words in scale.marks]
        header["scale"] = {"low": scale.low, "high": scale.high, "colours": list(scale.colours), "marks": marks}
    return headed(header, *(points.tobytes() for points in maps.values()))


def _cell(cell: SheetCell) -> dict[str, Any]:
    told = {"words": list(cell.words), "state": cell.state, "text": cell.text, "at_floor": cell.at_floor}
    return told | {"colour": cell.colour, "ink": cell.ink}


def little_map(placed: np.ndarray, colours: np.ndarray, rings: Sequence[Sequence[float]] = ()) -> LittleMap:
    """Points in the plane (n, 2), with the numbers of their colours (n,), in a square that holds all but the outermost
    half per cent at each side and the components' rings (see `drawing.ellipses`), so that a heap is seen to be one. Of
    more than MOST_RINGS none is drawn."""
    rows = np.flatnonzero(np.isfinite(placed).all(axis=1))
    if not len(rows):
        return NO_MAP
    rows = np.random.default_rng(0).permutation(rows)[:MOST_POINTS]  # no class lies on all others
    points = placed[rows].astype(np.float64)
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    if rings:
        middles, reach = np.array([ring[:2] for ring in rings]), np.array([max(ring[2:4]) for ring in rings])[:, None]
        low, high = np.minimum(low, (middles - reach).min(0)), np.maximum(high, (middles + reach).max(0))
    middle, side = (low + high) / 2, max(float((high - low).max()), 1e-9)
    place = np.round(((points - middle) / side + 0.5).clip(0, 1) * FINE)
    drawn = [
        [(x - middle[0]) / side + 0.5, (y - middle[1]) / side + 0.5, a / side, b / side, angle]
        for x, y, a, b, angle, _ in (rings if len(rings) <= MOST_RINGS else ())
    ]
    shown = [[round(float(number), 4) for number in ring] for ring in drawn]
    return LittleMap(np.column_stack([place, colours[rows]]).astype(np.uint8), shown)
