"""A sweep's table laid out over one or two of its knobs: a setting a cell, with its runs and the mean of a score. Where
nothing but seeds is varied, a seed a cell.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semidml.scores.table import PIXELS, SCORES
from semidml.sweeps.plan import Plan
from semidml.sweeps.table import HELD_OUT, Row, Table, gather, score_of
from semidml.ui.scores import score_words
from semidml.ui.words import entry_title, knob_title, short_value
from semidml.words import decimals

PARTS = ("running", "stopped", "interrupted", "waiting", "failed")  # what is said of a setting, the first that applies
SEED = "seed"  # lies along the bottom where no knob does
COMPONENT_FLOORS = ("component_ami_rotated", "component_ami_random")


@dataclass(frozen=True)
class Setting:
    """A combination of values: its runs by seed as rows of the table, and mean, sd and n of a score of those that are
    done; mean is NaN without any, sd of a single one."""

    values: Mapping[str, Any]
    runs: Sequence[Row]
    mean: float = math.nan
    sd: float = math.nan
    n: int = 0
    floors: Sequence[tuple[float, str]] = ()  # of its own: what needs no training, and its words
    words: str = ""  # its values

    @property
    def state(self) -> str:
        """done, or what stands in the way of that."""
        states = {run["state"] for run in self.runs}
        return next((state for state in PARTS if state in states), "done")


@dataclass(frozen=True)
class Lattice:
    """Settings row by row, the row of the first value first. rows: "" where only one knob is varied."""

    columns: str
    rows: str
    column_values: Sequence[Any]
    row_values: Sequence[Any]
    settings: Sequence[Setting]

    def place_of(self, cell: str) -> int:
        """The number of the setting of the run with this name; -1 where there is none."""
        places = (i for i, setting in enumerate(self.settings) if any(run["cell"] == cell for run in setting.runs))
        return next(places, -1) if cell else -1


def choice_words(name: str, value: Any) -> str:
    """A knob's value as it is read."""
    return entry_title(name, short_value(value))


def score_title(column: str) -> str:
    """A score of a sweep as it is read: kNN, all labels, of held-out images."""
    score = score_of(column)
    if score is None:
        return column
    title = score.title if score.title.startswith(("kNN", "k-means")) else score.title[:1].upper() + score.title[1:]
    return f"{title}, of {'held-out' if column.startswith(HELD_OUT) else 'test'} images"


def mean_words(column: str, mean: float, sd: float, n: int) -> str:
    """A mean over seeds as it is read: 93.1 ± 0.4 % (n = 3)."""
    score = score_of(column)
    if score is None or not n:
        return "no score yet"
    if score.unit == "yes or no":
        return f"{100 * mean:.0f} % of {n} seed{'s' * (n > 1)}"
    if math.isnan(sd):
        return f"{score_words(score.name, mean)} (n = {n})"
    if score.unit == "share":
        return f"{decimals(100 * mean, 1)} ± {100 * sd:.1f} % (n = {n})"
    digits = 1 if score.unit == "count" else score.digits
    return f"{decimals(mean, digits)} ± {sd:.{max(2, digits)}f} (n = {n})"


def short_words(column: str, mean: float) -> str:
    """A mean in a small place: without its unit, which the title says."""
    score = score_of(column)
    if score is None or math.isnan(mean):
        return ""
    return decimals(100 * mean, 0) if score.unit in ("share", "yes or no") else decimals(mean, score.digits)


def unit_words(column: str) -> str:
    """What a title says of the numbers in the cells."""
    score = score_of(column)
    return ", in\u00a0%" if score is not None and score.unit in ("share", "yes or no") else ""


def lay_out(table: Table, plan: Plan, score: str, columns: str, rows: str, fixed: Mapping[str, Any]) -> Lattice:
    """The settings over these knobs, of other varied knobs the `fixed` values; columns: SEED where none is varied.
    score: a column of the table, "" for none."""
    choices = plan.axes or {SEED: plan.seeds}
    across, along = choices[columns], choices[rows] if rows else [None]
    names, over = list(choices), ("seed",) if plan.axes else ()
    means = {}
    if score:
        for row in gather(table, score, over).to_dict("records"):
            means[tuple(row[name] for name in names)] = (row["mean"], row["sd"], row["n"])
    own_floors = gather_floors(table, score, names, over)
    runs: dict[tuple, list[Row]] = {}
    for row in table.frame.to_dict("records"):
        runs.setdefault(tuple(row[name] for name in names), []).append(row)
    settings = []
    told = {
        (name, value): f"{knob_title(name)} {choice_words(name, value)}" for name in names for value in choices[name]
    }
    for low in along:
        for wide in across:
            values = {**fixed, columns: wide} | ({rows: low} if rows else {})
            key = tuple(values[name] for name in names)
            mean, sd, n = means.get(key, (math.nan, math.nan, 0))
            shown = {name: values[name] for name in (columns, *([rows] if rows else []))}
            words = ", ".join(told[axis] for axis in shown.items())
            settings.append(Setting(shown, runs.get(key, []), mean, sd, int(n), own_floors.get(key, []), words))
    return Lattice(columns, rows, across, along, settings)


def gather_floors(
    table: Table, score: str, names: Sequence[str], over: Sequence[str] = ("seed",)
) -> dict[tuple, list[tuple[float, str]]]:
    """What each setting has of its own for floors of a score: those of component AMI, of its own latents."""
    floors: dict[tuple, list[tuple[float, str]]] = {}
    known = score_of(score) if score else None
    if known is None or known.name != "component_ami":
        return floors
    for name in COMPONENT_FLOORS:
        column, words = f"{score.removesuffix(known.name)}{name}", SCORES[name].title.removeprefix("floor: ")
        if column not in table.frame:
            continue
        for row in gather(table, column, over).to_dict("records"):
            if row["n"]:
                floors.setdefault(tuple(row[knob] for knob in names), []).append((row["mean"], words))
    return floors


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest of some values that may be NaN; 0 and 1 without any."""
    known = [value for value in values if not math.isnan(value)]
    return (min(known), max(known)) if known else (0.0, 1.0)


def list_floors(table: Table, score: str, pixels: Mapping[str, float]) -> list[tuple[float, str]]:
    """What needs no training and is the same for all settings, beside a score: (value, words). pixels: see
    `cache.read_floors`, of any of the runs."""
    known = score_of(score)
    if known is None:
        return []
    floors = []
    if known.unit == "share" and known.fitted_on and (chance := pixels.get("chance")) is not None:
        floors.append((chance, "chance"))
    varies_labels = known.fitted_on == "seen" and "pl" in table.axes  # then each setting has another
    if not varies_labels and (level := pixels.get(f"{PIXELS}{known.name}")) is not None:
        floors.append((level, "raw pixels"))
    return floors
