"""The evidence of claims: a row a run, from the tables of their sweeps; and what it says, claim by claim.

It is kept as one Parquet file, from which each verdict is computed anew: no verdict is ever written by hand.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from semidml.verdicts import Look, Paired, Tuning, Verdict, judge

EVIDENCE = "evidence.parquet"
ROUNDING = 1e-12  # of scores
OPEN = ("undecided", "not run")  # answers that more seeds may change
MOST_ROWS, MOST_BYTES = 100_000, 50 * 10**6  # of a file of evidence
SHIPPED = Path(__file__).with_name("shipped.parquet")  # of `reproduce all --quick`: the page opens with answers
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
        with pq.ParquetFile(path) as file:  # `pq.read_table` would import pandas
            table = file.read()
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


def stamps() -> tuple[tuple[str, int], ...]:
    """What tells whether `known_rows` would give others: each file's path and time, in ns."""
    times = []
    for file in (places.claims_folder() / EVIDENCE, SHIPPED):
        try:
            times.append((str(file), file.stat().st_mtime_ns))
        except FileNotFoundError:
            times.append((str(file), 0))
    return tuple(times)


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
            counts[verdict.answer] = counts.get(verdict.answer, 0) + 1
        return counts


@dataclass(frozen=True)
class _Measured:
    """A side in a setting: its score by seed, what was chosen, and its runs."""

    scores: Mapping[int, float]
    chosen: Mapping[str, Any]
    cells: tuple[tuple[str, str], ...]


def judge_claims(
    rows: Sequence[Row], claims: Sequence[Claim], data: str, quick: bool = False, looks: Sequence[int] = ()
) -> list[Finding]:
    """What the evidence says of each of these claims on a data set: once, at the seeds that are there, or at so many
    seeds in turn, `looks`, as far as they are there. What a look has decided later ones leave as it is."""
    known: dict[tuple[str, Setting], list[Row]] = {}
    for row in rows:
        if row["data"] == data and row["form"] == form_of(quick) and row["state"] == "done":
            known.setdefault((row["side"], Setting(row["pl"], row["latent_dim"])), []).append(row)
    findings = []
    for claim in claims:
        settings = list_settings(claim, GROUNDS[data], quick)
        finding = _judge(known, claim, data, settings)
        if looks:
            finding = replace(finding, verdicts=_judge_in_turn(known, claim, data, settings, looks))
        findings.append(finding)
    return findings


def _judge_in_turn(
    known: Mapping[tuple[str, Setting], list[Row]],
    claim: Claim,
    data: str,
    settings: Sequence[Setting],
    looks: Sequence[int],
) -> dict[Setting, Verdict]:
    verdicts: dict[Setting, Verdict] = {}
    for number, count in enumerate(looks):
        first = {place: [row for row in rows if row["seed"] < count] for place, rows in known.items()}
        look = Look(tuple(looks), number, len(settings))
        for setting, verdict in _judge(first, claim, data, settings, look).verdicts.items():
            earlier = verdicts.get(setting)
            if earlier is None or (earlier.answer in OPEN and verdict.n == count):
                verdicts[setting] = verdict
    return verdicts


def _judge(
    known: Mapping[tuple[str, Setting], list[Row]],
    claim: Claim,
    data: str,
    settings: Sequence[Setting],
    look: Look | None = None,
) -> Finding:
    pairs, chosen, cells, means = {}, {}, {}, {}
    for setting in settings:
        first = _measure(known.get((claim.a.name, setting), ()), claim.a, claim.score)
        second = _measure_second(known, claim, setting, first)
        seeds = sorted(first.scores.keys() & second.scores.keys())
        pairs[setting] = _pair(claim, {seed: first.scores[seed] - second.scores[seed] for seed in seeds})
        cells[setting] = tuple(dict.fromkeys((*first.cells, *second.cells)))
        for place, side, measured in (("a", claim.a, first), ("b", claim.b, second)):
            if seeds:
                means[place, setting] = fmean(measured.scores[seed] for seed in seeds)
            if isinstance(side, Side) and measured.chosen:
                chosen[side.name, setting] = measured.chosen
    if claim.contrast:
        pairs = _contrast(claim, pairs)
    tuned = tuple(Tuning(count) for count in claim.tuned)
    if look:
        look = replace(look, settings=len(pairs))
    verdicts = judge(pairs, margin=claim.margin, claim=claim.relation, tuned=tuned, look=look)
    return Finding(claim, data, verdicts, chosen, cells, means)


def _pair(claim: Claim, by_seed: Mapping[int, float]) -> Paired:
    """Differences by seed as `judge` has them; what differs by rounding alone does not differ."""
    values = tuple(0.0 if abs(value) < ROUNDING else value for value in by_seed.values())
    return Paired(values, tuple(by_seed), *claim.titles, f"{TESTED}{claim.score}")


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


def _contrast(claim: Claim, pairs: Mapping[Setting, Paired]) -> dict[Setting, Paired]:
    """How far the gain in the fewest dimensions exceeds that in the most, by number of labels."""
    contrasts = {}
    for pl in dict.fromkeys(setting.pl for setting in pairs):
        dims = [setting for setting in pairs if setting.pl == pl]
        few, many = (dict(zip(pairs[of].seeds, pairs[of].values, strict=True)) for of in (min(dims), max(dims)))
        gains = {seed: few[seed] - many[seed] for seed in few if seed in many}
        contrasts[min(dims)] = _pair(claim, gains)
    return contrasts
