"""Train what claims need, sweep after sweep, here and now, and keep what that gives as evidence."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from semidml.claims import evidence
from semidml.claims.evidence import EVIDENCE, Row
from semidml.claims.plans import Training
from semidml.runs import places
from semidml.sweeps import reuse
from semidml.sweeps.sweep import Sweep


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
    they had; it is written there.
    Raises: ValueError where it is damaged, OSError when the disk does not take it."""
    file = (folder or places.claims_folder()) / EVIDENCE
    new = evidence.gather_rows(trainings, quick)
    fresh = {row["sweep"] for row in new}
    rows = [row for row in evidence.read_rows(file) if row["sweep"] not in fresh] + new
    evidence.write_rows(rows, file)
    return rows
