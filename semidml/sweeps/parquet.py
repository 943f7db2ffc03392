"""table.parquet: the rows of a sweep in a file. Whoever may write into the folder may have written it, so nothing of it
is read before its size, its types and its length are seen; what cannot be used is made anew from the runs' folders.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from semidml.config import declared_knobs
from semidml.disk import files
from semidml.scores.table import SCORES
from semidml.sweeps.plan import MOST_CELLS, Plan

HELD_OUT, TESTED = "validation_", "test_"  # how the columns of scores begin
STATES = ("done", "running", "waiting", "stopped", "interrupted", "failed")
KINDS = {int: pa.int64(), float: pa.float64(), str: pa.string()}
PLAIN = {  # columns beside knobs and scores
    "cell": pa.string(),  # its run's name; "" of a setting that is refused
    "state": pa.string(),  # one of STATES
    "why": pa.string(),  # it failed or stopped
    "seconds": pa.float64(),  # of training; the only one that may lack
    "bytes": pa.int64(),  # on the disk, once it has ended
    "changed": pa.int64(),  # when the status.json was written that this row is of, in ns by the disk's clock
}
MOST_BYTES = 50 * 10**6  # of the file, of its columns, of its texts: 10,000 runs with 100 scores take 8 MB
SCORE_COLUMNS = [f"{prefix}{name}" for prefix in (HELD_OUT, TESTED) for name in SCORES]
Row = dict[str, Any]


def as_arrow(plan: Plan, rows: Sequence[Row]) -> pa.Table:
    """Rows as a typed table: knobs, seed, PLAIN, the scores that there are in the order of their table."""
    there = {name for row in rows for name in row}
    scores = [(name, pa.float64()) for name in SCORE_COLUMNS if name in there]
    return pa.Table.from_pylist(list(rows), schema=pa.schema([*known_fields(plan), *scores]))


def known_fields(plan: Plan) -> list[tuple[str, pa.DataType]]:
    """The columns that every table of a plan has."""
    knobs = [(name, KINDS[declared_knobs()[name].kind]) for name in plan.axes]
    return [*knobs, ("seed", pa.int64()), *PLAIN.items()]


def read_file(path: Path, plan: Plan) -> list[Row]:
    """The rows of a file, those with a value in each column that needs one; none where there is no file, or where it is
    damaged, too large or no table of such a plan. Scores are those of runs that are done.
    Raises: OSError when the disk does not give it."""
    try:
        with files.open_plain(path) as file:
            rows = _read_columns(file, plan)
    except (ValueError, FileNotFoundError, MemoryError, pa.ArrowException):  # see above: it is made anew
        return []
    except OSError as error:
        if error.errno is None:  # so Arrow calls what is damaged
            return []
        raise
    needed = [name for name, _ in known_fields(plan) if name != "seconds"]
    rows = [row for row in rows if row["state"] in STATES and all(row[name] is not None for name in needed)]
    return [
        {name: value for name, value in row.items() if name not in SCORE_COLUMNS or _has_score(row, value)}
        for row in rows
    ]


def _has_score(row: Row, value: float | None) -> bool:
    return row["state"] == "done" and value is not None


def _read_columns(file: BinaryIO, plan: Plan) -> list[Row]:
    """Raises ValueError or what Arrow raises where the file is none of this plan's."""
    if os.fstat(file.fileno()).st_size > MOST_BYTES:
        raise ValueError("the file is too large")
    opened = pq.ParquetFile(file)
    schema, told = opened.schema_arrow, opened.metadata
    if told.num_rows > MOST_CELLS or told.num_row_groups > MOST_CELLS or len(set(schema.names)) < len(schema.names):
        raise ValueError("it has too many rows, or a column twice")
    if sum(told.row_group(number).total_byte_size for number in range(told.num_row_groups)) > MOST_BYTES:
        raise ValueError("it unpacks to too much")
    types = {field.name: field.type for field in schema}
    scores = [name for name in SCORE_COLUMNS if name in types]
    needed = dict(known_fields(plan)) | dict.fromkeys(scores, pa.float64())
    if any(types.get(name) != kind for name, kind in needed.items()):
        raise ValueError("it has other columns")
    texts = [name for name, kind in needed.items() if kind == pa.string()]
    file.seek(0)  # a text that is there often is kept once: unpacked before it is counted, it could fill the memory
    packed = pq.ParquetFile(file, read_dictionary=texts).read(list(needed))
    if packed.num_rows > MOST_CELLS or sum(_text_bytes(packed[name]) for name in texts) > MOST_BYTES:
        raise ValueError("its texts are too long")
    return packed.to_pylist()


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Bytes of all texts of a column that keeps each once."""
    lengths = [pc.binary_length(part.dictionary).take(part.indices) for part in column.chunks]
    return sum(pc.sum(part).as_py() or 0 for part in lengths)
