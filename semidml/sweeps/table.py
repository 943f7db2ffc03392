"""A sweep as a table: one row a cell, with its knobs, its state and every score; means over seeds; the best setting.

Scores stand under `validation_` and the score's name where they are of held-out images, under `test_` where they are of
the test images. The driver writes the table; whoever reads it looks anew at those runs only that have changed since.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from semidml.config import RunConfig
from semidml.disk import files
from semidml.runs import places
from semidml.runs.run import Run
from semidml.runs.trained_on import digest_of
from semidml.scores.table import SCORES, Score, shown_at
from semidml.sweeps.parquet import HELD_OUT, STATES, TESTED, Row, as_arrow, read_file
from semidml.sweeps.plan import MOST_CELLS, Cell, Plan
from semidml.sweeps.sweep import TABLE, Sweep
from semidml.words import decimals, value_words

if TYPE_CHECKING:  # at run time it takes as long as what a page without a table needs
    import pandas as pd

WAITING = "waiting"


@dataclass(frozen=True)
class Table:
    """frame: a row a cell, in the order of the plan, with the columns `axes`, "seed", those of PLAIN, and scores."""

    frame: "pd.DataFrame"
    axes: tuple[str, ...]

    @property
    def scores(self) -> list[str]:
        """The columns that are scores, those of held-out images first."""
        return [name for name in self.frame.columns if score_of(name)]

    @property
    def counts(self) -> dict[str, int]:
        """How many cells are in each of STATES."""
        states = self.frame["state"].value_counts()
        return {state: int(states.get(state, 0)) for state in STATES}

    @property
    def bytes(self) -> int:
        """Bytes on the disk of the runs that have ended."""
        return int(self.frame.drop_duplicates("cell")["bytes"].sum())


def score_of(column: str) -> Score | None:
    """The score that a column has; None of other columns."""
    for prefix in (HELD_OUT, TESTED):
        if column.startswith(prefix):
            return SCORES.get(column.removeprefix(prefix))
    return None


def prefix_of(evaluate_on: str) -> str:
    """How the columns of scores begin that a run with this `evaluate_on` shows: of the images that its map draws."""
    return HELD_OUT if evaluate_on == "validation" else TESTED


# ---- rows


def waiting_row(cell: Cell) -> Row:
    """The row of a cell whose run is not there."""
    state = {"state": "failed", "why": cell.problem} if cell.problem else {"state": WAITING, "why": ""}
    plain = {"cell": cell.name, "seconds": None, "bytes": 0, "changed": 0}
    return {**cell.values, "seed": cell.seed, **plain, **state}


def failed_row(row: Row, why: str) -> Row:
    """A cell's row where its run has failed: its scores, if it had any, are no result."""
    return {name: value for name, value in row.items() if score_of(name) is None} | {"state": "failed", "why": why}


def read_row(row: Row, run: Run) -> Row:
    """A cell's row as its run's folder has it now."""
    changed = changed_at(run.path)  # before anything is read: what changes meanwhile is read once more
    known = {name: value for name, value in row.items() if score_of(name) is None}
    if not changed:
        return known | {"state": WAITING, "why": "", "seconds": None, "bytes": 0, "changed": 0}
    status = run.status()
    ended = {"state": WAITING if status.state == "queued" else status.state, "why": status.reason}
    ended |= {"bytes": 0 if status.active else run.size(), "changed": changed}
    ended["seconds"] = (status.latest or {}).get("seconds")
    return known | ended | (read_scores(run) if status.state == "done" else {})


def read_scores(run: Run) -> Row:
    """The scores of a finished run, by column."""
    metrics, tested = run.metrics() or {}, run.test_metrics() or {}
    prefix = prefix_of(run.config().evaluate_on)
    named = {f"{prefix}{name}": value for name, value in metrics.items()}
    named |= {f"{TESTED}{name}": value for name, value in tested.items()}
    return {name: float(value) for name, value in named.items() if value is not None and _is_of_rows(name)}


def _is_of_rows(column: str) -> bool:
    """Whether it is a score of images: seconds have a column of their own."""
    score = score_of(column)
    return score is not None and score.unit != "seconds"


def changed_at(folder: Path) -> int:
    """When a run's status was written, in ns by the disk's clock; 0 where there is none."""
    try:
        return (folder / "status.json").stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


# ---- the file


def write_table(sweep: Sweep, plan: Plan, rows: Sequence[Row], durable: bool = False) -> None:
    """Replace table.parquet, whole or not at all; durable: see `files.whole_file`.
    Raises: OSError when the disk does not take it."""
    table = as_arrow(plan, rows)
    files.replace_file(sweep.path / TABLE, lambda file: pq.write_table(table, file), durable)


def stored_rows(sweep: Sweep, plan: Plan) -> list[Row]:
    """A row a cell of the plan, as table.parquet has it; where that has none, is damaged, is of another plan or is not
    there, of a cell that waits: all else is then read from its run's folder."""
    stored = {_key(plan, row): row for row in read_file(sweep.path / TABLE, plan)}
    rows = []
    for cell in plan.cells:
        row = stored.get((*cell.values.values(), cell.seed))
        rows.append(row if row and _is_of(row, cell, sweep, plan) else waiting_row(cell))
    return rows


def _key(plan: Plan, row: Row) -> tuple:
    return (*(row.get(name) for name in plan.axes), row.get("seed"))


def _is_of(row: Row, cell: Cell, sweep: Sweep, plan: Plan) -> bool:
    """Whether a row is a cell's, by its name: one that was written before plan.json was changed is not. An older
    release may have called it otherwise: then by the run's own config and data."""
    if not cell.config or row["cell"] == cell.name:
        return cell.config is not None
    folder = sweep.path / places.CELLS / row["cell"]
    return places.valid_id(row["cell"]) and _has_config(
        folder, row["changed"], cell.config, plan.data.get(cell.config.data, "")
    )


@lru_cache(MOST_CELLS)
def _has_config(folder: Path, changed: int, config: RunConfig, digest: str) -> bool:
    """Whether the run in a folder, as it was at a time, is of this config, on data with this digest."""
    run = Run(folder)
    try:
        details, own = run.details(), run.config()
    except ValueError:  # damaged: nothing of it is a result
        return False
    return own == config and (digest_of(details.get("data")) or details.get("planned_data")) == digest


def read_rows(sweep: Sweep, plan: Plan) -> list[Row]:
    """A row a cell as it is now: those whose runs have changed since table.parquet was written are read anew.
    Raises: OSError when the runs cannot be looked at."""
    is_driven, folder, read = bool(sweep.driver()), sweep.path / places.CELLS, {}
    rows = []
    for row in stored_rows(sweep, plan):
        if name := row["cell"]:
            if name not in read:  # of two cells that are one training
                read[name] = changed_at(folder / name)
            if read[name] != row["changed"] or not _tells_state(row, folder / name):
                row = _read_anew(row, folder / name, read[name])
            if row["state"] == "running" and not is_driven and row["changed"] == read[name]:
                row = read_row(row, Run(folder / name))  # of a driver that has ended
        rows.append(row)
    return rows


_ended: dict[tuple[Path, int], Row] = {}  # what runs tell that have ended, by folder and time; 50 MB at most


def _read_anew(row: Row, folder: Path, changed: int) -> Row:
    """`read_row`, which of a run that has ended is kept: where nobody writes the table, its runs are not read again at
    each look."""
    told = _ended.get((folder, changed))
    if told is None:
        told = read_row({}, Run(folder))
        if told["state"] in ("done", "failed") and told["changed"] == changed:
            while len(_ended) >= MOST_CELLS:
                _ended.pop(next(iter(_ended)), None)
            _ended[folder, changed] = told
    return {name: value for name, value in row.items() if score_of(name) is None} | told


def _tells_state(row: Row, folder: Path) -> bool:
    """Whether a row may say what it does: where no status was ever written, that a cell waits, or why the folder that
    is there cannot be used."""
    return bool(row["changed"]) or row["state"] == WAITING or (row["state"] == "failed" and folder.exists())


def read_table(sweep: Sweep) -> Table:
    """The table of a sweep as it is now.
    Raises: ValueError when its plan cannot be read."""
    plan = sweep.plan()
    return as_table(plan, read_rows(sweep, plan))


def as_table(plan: Plan, rows: Sequence[Row]) -> Table:
    return Table(as_arrow(plan, rows).to_pandas(), tuple(plan.axes))


def write_csv(table: Table, file: BinaryIO) -> None:
    """The table as CSV, in UTF-8; empty where there is no value."""
    file.write(table.frame.drop(columns="changed").to_csv(index=False).encode())


def write_parquet(table: Table, file: BinaryIO) -> None:
    """The table as Parquet, by itself."""
    pq.write_table(pa.Table.from_pandas(table.frame.drop(columns="changed"), preserve_index=False), file)


# ---- what it says


def gather(table: Table, score: str, over: Sequence[str] = ("seed",)) -> "pd.DataFrame":
    """Of each setting, that is each combination of the axes that are not gathered `over`: these axes, and the score's
    mean, sd (with n - 1; none of one run) and n, the runs that have it; `done` and `cells`, the runs that are done and
    all. A training that stands in several cells counts once. In the order of the plan.

    score: a column of scores, such as `test_knn_accuracy`; where no run has it, mean and sd are NaN and n is 0.
    Raises: ValueError for what is no axis, "seed" or score."""
    import pandas as pd

    if unknown := [name for name in over if name not in (*table.axes, "seed")]:
        raise ValueError(f"there is no axis called {unknown[0]!r}; there are {', '.join((*table.axes, 'seed'))}")
    if score_of(score) is None:
        raise ValueError(f"there is no score called {score!r}: they begin with {HELD_OUT} or {TESTED}")
    kept = [name for name in (*table.axes, "seed") if name not in over]
    frame = table.frame.reindex(columns=[*table.axes, "seed", "cell", "state", score])
    named = frame[frame["cell"] != ""].drop_duplicates([*kept, "cell"])
    frame = pd.concat([named, frame[frame["cell"] == ""]]).sort_index()
    frame = frame.assign(score=frame[score].astype(float), is_done=frame["state"] == "done")
    groups = frame.groupby(kept, sort=False) if kept else frame.groupby(lambda row: 0)
    gathered = groups.agg(
        mean=("score", "mean"),
        sd=("score", "std"),
        n=("score", "count"),
        done=("is_done", "sum"),
        cells=("cell", "size"),
    )
    return gathered.reset_index() if kept else gathered.reset_index(drop=True)


class Best(NamedTuple):
    """The setting that is best on held-out images."""

    values: dict[str, Any]  # of the varied knobs
    score: str  # a key of SCORES
    mean: float  # of held-out images, over n seeds
    sd: float  # NaN of a single seed
    n: int
    test_mean: float  # of the test images, by the same runs; NaN where they were not scored on them
    test_sd: float
    cells: tuple[str, ...]  # these runs
    among: int  # settings that were compared, over the same seeds wherever these have any in common
    settings: int  # that the sweep has, but for refused ones

    @property
    def words(self) -> str:
        """What was chosen and how, in a sentence."""
        setting = ", ".join(f"{name} {value_words(value)}" for name, value in self.values.items())
        title, shown = SCORES[self.score].title, f"{decimals(self.mean, 3)}{_sd_words(self.sd)}"
        tested = (
            ""
            if math.isnan(self.test_mean)
            else f"; on the test images {decimals(self.test_mean, 3)}{_sd_words(self.test_sd)}"
        )
        seeds = "1 seed" if self.n == 1 else f"{self.n} seeds"
        among = "" if self.among == self.settings else f" among {self.among} of {self.settings} settings"
        return f"{setting}: chosen{among} by held-out images alone, {title} {shown} (n = {seeds}){tested}."


def _sd_words(sd: float) -> str:
    return "" if math.isnan(sd) else f" ± {sd:.3f}"


def best(table: Table, score: str = "knn_accuracy") -> Best:
    """The setting with the best mean of a score over seeds, of held-out images: the test images choose nothing.
    While some settings have more seeds than others, they are compared over the seeds that all have that are compared:
    those with at least half as many as the one with the most.
    Raises: ValueError where there is but one setting, where no run is scored on held-out images, with what must be set,
    or where no value of this score is better than another."""
    import pandas as pd

    if not table.axes:
        raise ValueError("there is one setting, with several seeds: there is nothing to choose")
    if score not in SCORES or not (better := SCORES[score].better):
        raise ValueError(f"{score} has no better and worse; choose by one of {', '.join(chosen_by())}")
    column = f"{HELD_OUT}{score}"
    if column not in table.frame or table.frame[column].isna().all():
        raise ValueError(_no_held_out(table, score))
    compared = _compared(table, column)
    gathered = gather(compared, column)
    first = gathered.loc[gathered["mean"].idxmax() if better == "higher" else gathered["mean"].idxmin()]
    values = {name: first[name] for name in table.axes}
    own = compared.frame[(compared.frame[list(table.axes)] == pd.Series(values)).all(axis=1)]
    tested = own[f"{TESTED}{score}"] if f"{TESTED}{score}" in own else pd.Series(dtype=float)
    values = {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}
    numbers = (float(first["mean"]), float(first["sd"]), int(first["n"]), float(tested.mean()), float(tested.std()))
    named = table.frame[table.frame["cell"] != ""]
    return Best(values, score, *numbers, tuple(own["cell"]), len(gathered), len(named.groupby(list(table.axes))))


def _compared(table: Table, column: str) -> Table:
    """The runs by which settings are compared, see `best`. Where the settings have no seed in common, those with the
    most seeds are compared."""
    axes = list(table.axes)
    frame = table.frame[table.frame[column].notna()]
    counts = frame.groupby(axes)["seed"].transform("nunique")
    strong = frame[counts * 2 >= counts.max()]
    having = strong.groupby("seed")["seed"].transform("size")
    common = strong[having == len(strong.groupby(axes))]
    return Table(frame[counts == counts.max()] if common.empty else common, table.axes)


def _no_held_out(table: Table, score: str) -> str:
    if not table.counts["done"]:
        return "no run is done yet, so none is the best"
    if any(name.startswith(HELD_OUT) for name in table.scores):
        return f"no run has the score {score} of held-out images"
    return (
        "these runs were scored on the test images alone, and settings are not chosen on these: make a sweep with "
        "evaluate_on validation, which holds training images out and scores both"
    )


def chosen_by() -> list[str]:
    """The scores that settings are usually chosen by, the usual one first."""
    return [name for name in shown_at("runs") if SCORES[name].better]


def headline(table: Table) -> str:
    """The first of the usual scores that runs of this table have of held-out images, or of test images where they have
    none of these; "" where they have neither."""
    columns = [f"{prefix}{name}" for prefix in (HELD_OUT, TESTED) for name in chosen_by()]
    return next((name for name in columns if name in table.frame and table.frame[name].notna().any()), "")


def list_means(table: Table, score: str) -> list[tuple[Mapping[str, Any], str]]:
    """(a setting's values, its mean ± sd and n in words), of each setting."""
    rows = gather(table, score).to_dict("records")
    return [({name: row[name] for name in table.axes}, number_words(row["mean"], row["sd"], row["n"])) for row in rows]


def number_words(mean: float, sd: float, n: int) -> str:
    """`0.936 ± 0.003 (n = 3)`; a dash where there is none."""
    return "-" if not n else f"{decimals(mean, 4)}{'' if math.isnan(sd) else f' ± {sd:.4f}'} (n = {n})"
