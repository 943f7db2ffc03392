"""The evidence of claims: a row a run, from the tables of their sweeps; and what it says, claim by claim.

It is kept as one Parquet file, from which each verdict is computed anew: no verdict is ever written by hand.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from semidml.claims.grounds import GROUNDS
from semidml.claims.plans import Setting, Training, list_settings
from semidml.claims.table import CLAIMS, Claim, Side
from semidml.disk import files
from semidml.runs import places
from semidml.sweeps.parquet import HELD_OUT, TESTED
from semidml.sweeps.sweep import open_sweep
from semidml.sweeps.table import read_table
from semidml.verdicts import Tuned, Verdict, judge

EVIDENCE = "evidence.parquet"
MOST_ROWS, MOST_BYTES = 100_000, 50 * 10**6  # of a file of evidence
SHIPPED = places.SHIPPED / "claims.parquet"
SCORES = sorted({score for claim in CLAIMS.values() for score in (claim.score, claim.b_score)})
COLUMNS = {  # beside scores
    "data": pa.string(),
    "form": pa.string(),  # quick or full
    "side": pa.string(),
    "pl": pa.float64(),
    "latent_dim": pa.int64(),
    "tried": pa.string(),  # the values of the side's tries, as JSON
    "seed": pa.int64(),
    "sweep": pa.string(),
    "cell": pa.string(),
    "state": pa.string(),
    "seconds": pa.float64(),
}
SCHEMA = pa.schema(
    [*COLUMNS.items(), *((f"{prefix}{score}", pa.float64()) for prefix in (TESTED, HELD_OUT) for score in SCORES)]
)
Row = dict[str, Any]


# ---- rows


def gather_rows(trainings: Iterable[Training], quick: bool = False) -> list[Row]:
    """A row a cell of the sweeps that are there; of a sweep that is not there none.
    Raises: ValueError when a sweep cannot be read."""
    rows: list[Row] = []
    for training in trainings:
        try:
            sweep = open_sweep(training.plan.name)
        except ValueError:  # not begun yet: its claims are not run
            continue
        same = {"data": training.data, "form": form_of(quick), "side": training.side.name, "sweep": sweep.name}
        for cell in read_table(sweep).frame.to_dict("records"):
            tried = {knob: cell[knob] for knob in training.side.tries}
            own = {"pl": cell["pl"], "latent_dim": training.latent_dim, "tried": json.dumps(tried)}
            rows.append({name: cell.get(name) for name in SCHEMA.names} | same | own)
    return rows


def form_of(quick: bool) -> str:
    return "quick" if quick else "full"


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Replace a file of evidence, whole or not at all.
    Raises: OSError when the disk does not take it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = [{name: _known(row.get(name)) for name in SCHEMA.names} for row in rows]
    table = pa.Table.from_pylist(known, schema=SCHEMA)
    files.replace_file(path, lambda file: pq.write_table(table, file, compression="zstd"))


def _known(value: Any) -> Any:
    """A value of a table; none where it is no number."""
    return None if isinstance(value, float) and math.isnan(value) else value


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of evidence; none where there is no file.
    Raises: ValueError where it is none, or too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.name} is too large for evidence")
        table = pq.read_table(path)
    except FileNotFoundError:
        return []
    except pa.ArrowException as error:
        raise ValueError(f"{path.name} is damaged: {error}") from None
    if not table.schema.equals(SCHEMA) or table.num_rows > MOST_ROWS:
        raise ValueError(f"{path.name} is no evidence of this release: gather it anew with `reproduce`")
    return table.to_pylist()


def known_rows() -> list[Row]:
    """The evidence that ships, and the user's own, which stands in place of what ships of the same sweep.
    Raises: ValueError where a file is damaged."""
    own = read_rows(places.claims_folder() / EVIDENCE)
    fresh = {row["sweep"] for row in own}
    return own + [row for row in read_rows(SHIPPED) if row["sweep"] not in fresh]


# ---- what it says


@dataclass(frozen=True)
class Finding:
    """What the evidence says of a claim on a data set. verdicts: by setting; of a contrast there is one, at the first.
    chosen: what was chosen of each side's tries, by side and setting. cells: (sweep, run) of both sides, by setting."""

    claim: Claim
    data: str
    verdicts: Mapping[Setting, Verdict]
    chosen: Mapping[tuple[str, Setting], Mapping[str, Any]] = field(default_factory=dict)
    cells: Mapping[Setting, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    means: Mapping[tuple[str, Setting], float] = field(default_factory=dict)  # of each side's score, by side

    @property
    def answers(self) -> dict[str, int]:
        """In how many settings each answer is given."""
        counts: dict[str, int] = {}
        for verdict in self.verdicts.values():
            counts[str(verdict.answer)] = counts.get(str(verdict.answer), 0) + 1
        return counts


@dataclass(frozen=True)
class _Measured:
    """A side in a setting: its score by seed, what was chosen, and its runs."""

    scores: Mapping[int, float]
    chosen: Mapping[str, Any]
    cells: tuple[tuple[str, str], ...]


def judge_claims(
    rows: Sequence[Row], claims: Sequence[Claim], data: str, quick: bool = False, **look: Any
) -> list[Finding]:
    """What the evidence says of each of these claims on a data set. look: see `verdicts.judge`."""
    known: dict[tuple[str, Setting], list[Row]] = {}
    for row in rows:
        if row["data"] == data and row["form"] == form_of(quick) and row["state"] == "done":
            known.setdefault((row["side"], Setting(row["pl"], row["latent_dim"])), []).append(row)
    return [_judge(known, claim, data, list_settings(claim, GROUNDS[data], quick), look) for claim in claims]


def _judge(
    known: Mapping[tuple[str, Setting], list[Row]],
    claim: Claim,
    data: str,
    settings: Sequence[Setting],
    look: Mapping[str, Any],
) -> Finding:
    differences, chosen, cells, means = {}, {}, {}, {}
    for setting in settings:
        first = _measure(known.get((claim.a.name, setting), ()), claim.a, claim.score)
        second = _measure_second(known, claim, setting, first)
        shared = sorted(first.scores.keys() & second.scores.keys())
        differences[setting] = {seed: first.scores[seed] - second.scores[seed] for seed in shared}
        cells[setting] = tuple(dict.fromkeys((*first.cells, *second.cells)))
        for place, side, measured in (("a", claim.a, first), ("b", claim.b, second)):
            if shared:
                means[place, setting] = fmean(measured.scores[seed] for seed in shared)
            if isinstance(side, Side) and measured.chosen:
                chosen[side.name, setting] = measured.chosen
    if claim.contrast:
        differences = _contrast(differences)
    tuned = Tuned(*claim.tuned)
    compared = {setting: list(by_seed.values()) for setting, by_seed in differences.items()}
    verdicts = judge(compared, margin=claim.margin, claim=claim.relation, tuned=tuned, **look)
    return Finding(claim, data, verdicts, chosen, cells, means)


def _measure_second(
    known: Mapping[tuple[str, Setting], list[Row]], claim: Claim, setting: Setting, first: _Measured
) -> _Measured:
    if isinstance(claim.b, Side):
        return _measure(known.get((claim.b.name, setting), ()), claim.b, claim.b_score)
    return _Measured(dict.fromkeys(first.scores, claim.b), {}, ())


def _measure(rows: Sequence[Row], side: Side, score: str) -> _Measured:
    """A side's score on the test images by seed, of what is best on held-out images where something is chosen: over
    the seeds with which all of it was tried."""
    by_try: dict[str, dict[int, Row]] = {}
    for row in rows:
        if row[f"{TESTED}{score}"] is not None:
            by_try.setdefault(row["tried"], {})[row["seed"]] = row
    seeds = set.intersection(*map(set, by_try.values())) if by_try else set()
    if not seeds or len(by_try) < side.count:  # not all of them are there yet
        return _Measured({}, {}, ())
    compared = {tried: [known[seed] for seed in sorted(seeds)] for tried, known in by_try.items()}
    tried = max(compared, key=lambda one: _held_out(compared[one], score)) if side.tries else next(iter(compared))
    scores = {row["seed"]: float(row[f"{TESTED}{score}"]) for row in compared[tried]}
    return _Measured(scores, json.loads(tried), tuple((row["sweep"], row["cell"]) for row in compared[tried]))


def _held_out(rows: Sequence[Row], score: str) -> float:
    """The mean of a score of held-out images."""
    values = [row[f"{HELD_OUT}{score}"] for row in rows if row[f"{HELD_OUT}{score}"] is not None]
    return fmean(values) if values else -math.inf


def _contrast(differences: Mapping[Setting, Mapping[int, float]]) -> dict[Setting, dict[int, float]]:
    """How far the gain in the fewest dimensions exceeds that in the most, by number of labels."""
    contrasts = {}
    for pl in dict.fromkeys(setting.pl for setting in differences):
        dims = [setting for setting in differences if setting.pl == pl]
        few, many = differences[min(dims)], differences[max(dims)]
        contrasts[min(dims)] = {seed: few[seed] - many[seed] for seed in sorted(few.keys() & many.keys())}
    return contrasts
