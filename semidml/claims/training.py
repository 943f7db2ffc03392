"""Train what claims need, sweep after sweep, here and now, and keep what that gives as evidence."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from semidml.claims import evidence
from semidml.claims.evidence import EVIDENCE, Row
from semidml.claims.plans import Training, list_trainings
from semidml.claims.table import Claim
from semidml.disk import locks
from semidml.runs import places
from semidml.sweeps import attended, reuse
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import read_table
from semidml.tasks import Progress
from semidml.verdicts import UNTIL_DECIDED

LOOK_EVERY = 0.5  # seconds between two looks at a sweep that another process trains


def train_all(
    trainings: Sequence[Training], train: Callable[[Sweep], bool], told: Callable[[int, Sweep], None]
) -> bool:
    """Train what these sweeps lack, one after the other, each by `train`, which says whether it came to its end: if
    not, no other is begun. `told` hears of the number and the sweep that is next. Whether all came to their end.
    Raises: what `reuse.find_or_create` and `train` raise."""
    for number, training in enumerate(trainings):
        sweep = reuse.find_or_create(training.plan)
        told(number, sweep)
        if not train(sweep):
            return False
    return True


def keep_evidence(trainings: Iterable[Training], quick: bool, folder: Path | None = None) -> list[Row]:
    """The evidence in a folder, the user's own where none is named, with what these sweeps have now in place of what
    they had; it is written there. Several may do so at once: what each brings stays.
    Raises: ValueError where it is damaged, OSError when the disk does not take it."""
    file = (folder or places.claims_folder()) / EVIDENCE
    new = evidence.gather_rows(trainings, quick)
    fresh = {row["sweep"] for row in new}
    file.parent.mkdir(parents=True, exist_ok=True)
    with locks.alone(file.with_suffix(".lock"), lambda: None):  # whoever holds it writes a small file
        rows = [row for row in evidence.read_rows(file) if row["sweep"] not in fresh] + new
        evidence.write_rows(rows, file)
    return rows


# ---- in the background


def decide_claim(
    claim: Claim, data: str, quick: bool, progress: Progress, is_stopping: Callable[[], bool] = lambda: False
) -> None:
    """Train what a claim lacks on a data set, each sweep in a process of its own that ends with this one, with more and
    more seeds until it is decided, the planned looks are over or `is_stopping` says so. Evidence is kept look by look.
    Raises: as `train_all` and `keep_evidence`."""
    for seeds in UNTIL_DECIDED:
        needed = list_trainings([claim], data, range(seeds), quick)

        def tell(number: int, sweep: Sweep, seeds: int = seeds, count: int = len(needed)) -> None:
            progress(number / count, f"{seeds} seeds: {sweep.name}, {number + 1} of {count}")

        ended = train_all(needed, lambda sweep: _train_attended(sweep, is_stopping), tell)
        rows = keep_evidence(needed, quick)
        (finding,) = evidence.judge_claims(rows, [claim], data, quick, UNTIL_DECIDED)
        if not ended or "undecided" not in finding.answers:
            return


def _train_attended(sweep: Sweep, is_stopping: Callable[[], bool]) -> bool:
    """Train a sweep in a process of its own, or wait for who trains it; whether nobody stopped it.
    Raises: ValueError with the last words of a process that ended before the sweep did."""
    if not sweep.driver() and not attended.is_starting(sweep):
        attended.start(sweep)
    while attended.is_starting(sweep) or sweep.driver():
        if is_stopping():
            attended.stop(sweep)
            return False
        time.sleep(LOOK_EVERY)
    counts = read_table(sweep).counts
    if counts["done"] + counts["failed"] < sum(counts.values()) and not is_stopping():
        said = attended.last_words(sweep)
        raise ValueError(f"the sweep {sweep.name} ended before it was done: {said[-1] if said else 'it said nothing'}")
    return not is_stopping()
