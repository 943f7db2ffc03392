"""Paired differences of a sweep: A minus B, seed by seed, on the same data with the same seen labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from semidml.sweeps.plan import read_value
from semidml.sweeps.table import HELD_OUT, TESTED, Table, score_of
from semidml.words import value_words

Setting = tuple[tuple[str, Any], ...]  # an axis and its value, in the order of the axes that were asked for
PAIRING = ("data", "split", "evaluate_on", "pl", "label_sampling")  # with the seed: which labels are seen
FAILED, NOT_RUN, NO_SCORE, ONE_TRAINING = "failed", "not run", "without the score", "one training on both sides"


@dataclass(frozen=True)
class Paired:
    """The differences of one setting, and what was left out of them."""

    values: tuple[float, ...]  # A minus B, in the score's own unit; 0 where the scores differ by rounding alone
    seeds: tuple[int, ...]  # of these values
    a: str = "A"  # what the sides are called
    b: str = "B"
    score: str = ""  # the column that they are of
    left_out: Mapping[str, int] = field(
        default_factory=dict
    )  # seeds by reason: FAILED, NOT_RUN, NO_SCORE, ONE_TRAINING


def setting_words(setting: Setting) -> str:
    """`latent_dim 10, pl 0.1`; of no axis `all`."""
    return ", ".join(f"{name} {value_words(value)}" for name, value in setting) or "all"


def differences(
    table: Table,
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    score: str,
    axes: Sequence[str] = (),
    names: tuple[str, str] | None = None,
) -> dict[Setting, Paired]:
    """Of each setting, that is each combination of values of `axes` that either side has, the differences A - B.

    a, b: the varied knobs' values on either side, such as {"model": "dml-ae"} and {"model": "dml"}; together with
    `axes` they say all that the sweep varies. score: a column of scores, such as `test_knn_accuracy`. names: what the
    sides are called; by default their knobs.

    A seed is left out, and counted, where either side failed, has not run, has no such score, or where both sides are
    one training, since what differs has no effect there. Where a side was tuned in each setting, ask for each by itself
    with its own values, and put the answers together.
    Raises: ValueError where the sides are no pair, in words."""
    _check(table, a, b, score, axes)
    a, b = ({name: read_value(name, value) for name, value in side.items()} for side in (a, b))
    sides = [_rows_of(table, side, score, axes) for side in (a, b)]
    settings = dict.fromkeys([setting for side in sides for setting, _ in side])
    seeds = dict.fromkeys(table.frame["seed"].tolist())
    called = names or (_side_words(a), _side_words(b))
    return {
        setting: _pair([tuple(side.get((setting, seed)) for side in sides) for seed in seeds], seeds, called, score)
        for setting in settings
    }


def _check(table: Table, a: Mapping[str, Any], b: Mapping[str, Any], score: str, axes: Sequence[str]) -> None:
    if score_of(score) is None:
        raise ValueError(f"there is no score called {score!r}: they begin with {HELD_OUT} or {TESTED}")
    if unknown := [name for name in (*a, *b, *axes) if name not in table.axes]:
        varied = ", ".join(table.axes) or "seeds alone"
        raise ValueError(f"this sweep does not vary {unknown[0]}: it varies {varied}")
    if twice := [name for name in axes if name in a or name in b]:
        raise ValueError(f"{twice[0]} makes the settings, so it is the same on both sides: name it once")
    if dict(a) == dict(b):
        raise ValueError(f"both sides are {_side_words(a)}: there is nothing to compare")
    if apart := [name for name in PAIRING if (name in a or name in b) and a.get(name) != b.get(name)]:
        raise ValueError(
            f"the sides differ in {apart[0]}: a pair was trained on the same data with the same seen labels"
        )


def _rows_of(table: Table, side: Mapping[str, Any], score: str, axes: Sequence[str]) -> dict[tuple[Setting, int], dict]:
    """The row of each (setting, seed) on one side; of cells that are one training the first.
    Raises: ValueError where no row, or more than one training, is meant."""
    frame = table.frame
    for name, value in side.items():
        frame = frame[frame[name] == value]
    if frame.empty:
        raise ValueError(f"no run of this sweep has {_side_words(side)}")
    columns = ["cell", "state", "seed", *axes, *([score] if score in frame else [])]
    rows: dict[tuple[Setting, int], dict] = {}
    for row in frame[columns].to_dict("records"):
        key = tuple((name, row[name]) for name in axes), row["seed"]
        if key in rows and rows[key]["cell"] != row["cell"]:
            open_axes = [name for name in table.axes if name not in (*side, *axes) and frame[name].nunique() > 1]
            raise ValueError(
                f"{open_axes[0]} is varied too: say its value on each side, or name it among the axes of the settings"
            )
        rows.setdefault(key, row)
    return rows


def _pair(rows: Sequence[tuple], seeds: Sequence[int], names: tuple[str, str], score: str) -> Paired:
    values, kept, left_out = [], [], {}
    for seed, (first, second) in zip(seeds, rows, strict=True):
        if why := _unusable(first, second, score):
            left_out[why] = left_out.get(why, 0) + 1
            continue
        close = math.isclose(first[score], second[score], rel_tol=1e-9, abs_tol=1e-12)
        values.append(0.0 if close else first[score] - second[score])
        kept.append(seed)
    return Paired(tuple(values), tuple(kept), *names, score, left_out)


def _unusable(first: dict | None, second: dict | None, score: str) -> str:
    """Why two rows are no pair; "" where they are."""
    sides = [side for side in (first, second) if side]
    if any(side["state"] == "failed" for side in sides):
        return FAILED
    if len(sides) < 2 or any(side["state"] != "done" for side in sides):
        return NOT_RUN
    if first["cell"] and first["cell"] == second["cell"]:
        return ONE_TRAINING
    return "" if all(_has(side, score) for side in sides) else NO_SCORE


def _has(row: dict, score: str) -> bool:
    return row.get(score) is not None and math.isfinite(row[score])


def _side_words(side: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value_words(value)}" for name, value in side.items()) or "the rest"
