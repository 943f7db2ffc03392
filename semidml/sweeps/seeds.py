"""The same setting with other seeds: what a number of one run is worth is told by the runs beside it.

A run can be turned into a sweep that varies nothing but seeds; a run of any sweep has the others of its setting.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from semidml.config import RunConfig
from semidml.runs.parent import name_parent
from semidml.runs.run import Run
from semidml.sweeps.plan import Plan, name_by
from semidml.sweeps.sweep import Sweep, list_sweeps, name_run, open_sweep
from semidml.sweeps.table import Table, gather, prefix_of, read_table

COUNT = 10
DECIDING = 6  # fewer decide nothing between two settings: a paired sign test of five is at best 6 %, two-sided
LiveScores = Mapping[int, Mapping[str, float | None]]  # by epoch


class Siblings(NamedTuple):
    """The runs of one setting in a sweep, the run itself among them. table: a row a seed, without any axis."""

    sweep: Sweep
    table: Table
    prefix: str  # of the columns that hold the scores which its runs show: see `prefix_of`

    @property
    def runs(self) -> list[Run]:
        """Those that are done."""
        done = self.table.frame[self.table.frame["state"] == "done"]
        return [self.sweep.run_of(cell) for cell in done["cell"]]


class Spread(NamedTuple):
    """Mean of n values and their standard deviation with n - 1, NaN of a single one."""

    mean: float
    sd: float
    n: int


class Band(NamedTuple):
    """The spread of a live score over runs, by epoch."""

    epochs: list[int]
    spreads: list[Spread]


def plan_seeds(run: Run, count: int = COUNT) -> Plan:
    """A sweep of a run's setting with `count` seeds from 0, its own among them; a finished run counts as there.
    Raises: ValueError when the run is damaged."""
    config = run.config()
    base = {"data": config.data, "model": config.model} | config.changed() | {"evaluate_on": config.evaluate_on}
    base.pop("seed", None)
    seeds = list(range(count)) if config.seed < count else [config.seed, *range(count - 1)]
    made_from = {"parent": name_parent(run)}
    return Plan.of({"name": name_by(base, ()), "base": base, "axes": {}, "seeds": seeds} | made_from)


def find_siblings(run: Run) -> Siblings | None:
    """The runs that differ from this one in the seed alone: of its own sweep or, of a run that is in none, of the
    newest sweep of seeds that has its setting on its data. None without any sweep, or where that has one seed.
    Raises: ValueError when the run or its sweep is damaged."""
    if run.sweep:
        sweep, cell = open_sweep(run.sweep), run.path.name
    else:
        cell = name_run(run)
        holders = [sweep for sweep in list_sweeps() if cell and cell in _cells_of_seeds(sweep, run.config())]
        if not holders:
            return None
        sweep = holders[0]
    table = read_table(sweep)
    frame = table.frame
    own = frame[frame["cell"] == cell]
    if own.empty:  # the plan has it no more
        return None
    for axis in table.axes:
        frame = frame[frame[axis] == own[axis].iloc[0]]
    if len(frame) < 2:
        return None
    own_scores = prefix_of(run.config().evaluate_on)
    return Siblings(sweep, Table(frame.drop(columns=list(table.axes)), ()), own_scores)


def _cells_of_seeds(sweep: Sweep, config: RunConfig) -> set[str]:
    """The cells of a sweep of this model on these data that varies nothing but seeds; of another or a damaged one
    none."""
    try:
        plan = sweep.plan()
    except ValueError:  # Many at once, where it is shown, says so
        return set()
    is_like = plan.base.get("model", config.model) == config.model and plan.data_names == [config.data]
    return {cell.name for cell in plan.cells} if is_like and not plan.axes else set()


def spread_scores(siblings: Siblings, names: Iterable[str]) -> dict[str, Spread]:
    """Of each of these scores that a run has: mean, sd and n over the seeds."""
    spreads = {}
    for name in names:
        column = f"{siblings.prefix}{name}"
        if column in siblings.table.frame:
            row = gather(siblings.table, column).iloc[0]
            if row["n"]:
                spreads[name] = Spread(float(row["mean"]), float(row["sd"]), int(row["n"]))
    return spreads


def scores_by_epoch(run: Run) -> LiveScores:
    """The live scores of a run at each epoch's end that has any.
    Raises: ValueError when its history is damaged."""
    return {record.epoch: record.scores for record in run.history() if record.ends_epoch and record.scores}


def spread_history(histories: Sequence[LiveScores], names: Iterable[str]) -> dict[str, Band]:
    """Of each of these live scores, epoch by epoch, its spread over the runs that have it. histories: see
    `scores_by_epoch`."""
    epochs, bands = sorted({epoch for history in histories for epoch in history}), {}
    for name in names:
        at = {epoch: _known([history.get(epoch, {}) for history in histories], name) for epoch in epochs}
        at = {epoch: values for epoch, values in at.items() if values}
        if at:
            bands[name] = Band(list(at), [spread_of(values) for values in at.values()])
    return bands


def _known(some: Iterable[Mapping[str, float | None]], name: str) -> list[float]:
    values = [scores.get(name) for scores in some]
    return [value for value in values if value is not None and math.isfinite(value)]


def spread_of(values: Sequence[float]) -> Spread:
    return Spread(fmean(values), stdev(values) if len(values) > 1 else math.nan, len(values))
