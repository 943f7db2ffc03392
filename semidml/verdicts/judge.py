"""Whether a claim holds, setting by setting, with an error that is bounded over all settings and all looks.

**What "holds" means.** "A above B" holds where two things are so (a dual criterion: Roychoudhury, Scheuer and
Neuenschwander 2018, doi 10.1177/1740774518770661): chance does not explain it, that is, superiority is shown, by Holm's
adjusted p and by an interval that lies above 0; and it matters, that is, the mean difference is at least the margin.
The error is of the first: it is bounded. The second is an estimate. To ask that the whole interval lies above the
margin ("superiority by a margin") would need half the noise: a difference of two margins would then have one margin
less to be seen by.

**The others.** Equivalence and non-inferiority are shown where the interval lies within the margin on both sides, or on
one, and two one-sided tests at the margin agree (TOST: Schuirmann 1987, doi 10.1007/BF01068419; each at half the level,
as for a 95 % interval).

| claim | holds | fails |
| --- | --- | --- |
| above | above 0 beyond chance, mean >= margin | below 0 beyond chance, and not equivalent |
| not below | above -margin beyond chance | below 0 beyond chance, mean <= -margin |
| equal | within +-margin beyond chance | other than 0 beyond chance, mean at least a margin from 0 |

So "A not below B" fails just where "B above A" holds. A claim "above" whose difference lies within +-margin beyond
chance is equivalent. All else is undecided, and nothing is decided with fewer than 6 seeds, whose p could not be
below .0625. With more and more seeds each answer becomes that of the true difference. "Above" is of numbers: of a score
where less is better, the claim is put the other way round.

**How sure.** A claim that is not so is said to hold with a chance of at most `level / 2`, over all its settings and
looks, and to fail with as much: exactly so where the differences are symmetric when A and B are alike. They are where
only chance tells A's scores from B's, however skewed these are. Where instead means are equal and shapes are not (A
mostly a bit better, rarely collapsed) no test of a mean on ten numbers can be exact (Bahadur and Savage 1956, doi
10.1214/aoms/1177728077); the margin protects there while seeds scatter by no more than 1.5 margins or so. Past that, a
skewness of -1 lets about 5 % of single claims hold and 7 % of those with five settings, one of -2 about 8 % and 16 %.
Equivalence is a family of its own, with the same error.

With 10 seeds a true difference of two margins is found in at least 90 % of sweeps where the differences' standard
deviation over seeds is at most 1.4 margins (97 % of normal ones, 92 % with a skewness of -1). tests/test_verdicts.py
simulates all of this.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import get_args

import numpy as np

from semidml.sweeps.seeds import DECIDING
from semidml.verdicts.looks import Look, plan_shares
from semidml.verdicts.pairs import NOT_RUN, Paired, Setting
from semidml.verdicts.resampling import bca_interval, flip_p, holm
from semidml.verdicts.verdict import Claim, Tuning, Verdict

ROUNDING = 1e-9  # relative: what floats may lack of a margin, or a p exceed a level by
TOO_SMALL = "it is more than chance, but may be less than the margin"
CHANCE = "chance may explain it"
PAST_MARGIN = "the interval reaches past the margin"


@dataclass(frozen=True)
class Measured:
    """What S settings with n seeds each say, each (S,). The p's are those of each setting by itself."""

    mean: np.ndarray
    sd: np.ndarray  # with n - 1; NaN of a single seed, as the interval is
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray  # of no difference
    p_margin: np.ndarray  # of a difference of a margin or more
    share_above: np.ndarray


def judge(
    settings: Mapping[Setting, Paired | Sequence[float]],
    *,
    margin: float,
    claim: Claim = "above",
    look: Look | None = None,
    level: float = 0.05,
    tuned: tuple[Tuning, Tuning] | None = None,
) -> dict[Setting, Verdict]:
    """The verdict on one claim in each of its settings: these are one family, in which Holm's correction counts.

    settings: all settings of the claim, with their differences A - B, see `pairs.differences`. margin: the smallest
    difference that counts, in the score's own unit (.01 is one point of accuracy), stated before the runs. claim: what
    is said of A beside B. look: which look this is of those that were planned; none for a single one, at the seeds that
    there are. level: of error, of all looks together. tuned: how the settings of either side were chosen.
    Raises: ValueError for a margin, a level or a claim that cannot be, or differences that are no numbers."""
    _check(margin, claim, level)
    pairs = {setting: _as_paired(values) for setting, values in settings.items()}
    count = max(len(pairs), look.settings if look else 1)
    share = plan_shares(look.seeds, level, count)[look.number] if look else level
    measured = _measure_by_seeds(pairs, margin, claim, share or level)
    p_holm, p_margin_holm = holm(measured.p, count), holm(measured.p_margin, count)
    answers = decide(measured, p_holm, p_margin_holm, margin, claim, share)
    is_apart = (p_holm <= share * (1 + ROUNDING)) & ((measured.low > 0) | (measured.high < 0))
    is_past = (measured.low < -margin) | ((measured.high > margin) & (claim == "equal"))
    reasons = np.where(is_apart, TOO_SMALL, np.where(is_past & (claim != "above"), PAST_MARGIN, CHANCE))
    columns = vars(measured) | {"p_holm": p_holm, "p_margin_holm": p_margin_holm}
    verdicts = {}
    for place, (setting, paired) in enumerate(pairs.items()):
        n = len(paired.values)
        early = _too_early(paired, look, count, share)
        answer = "not run" if not n else "undecided" if early else str(answers[place])
        numbers = {name: column[place] for name, column in columns.items()}
        verdicts[setting] = Verdict(
            answer,
            claim,
            paired.a,
            paired.b,
            paired.score,
            margin,
            share or level,
            n,
            **{name: float(value) if math.isfinite(value) else None for name, value in numbers.items()},
            look=look,
            left_out=dict(paired.left_out),
            tuned=tuned,
            remark=(early or str(reasons[place])) if answer == "undecided" else "",
        )
    return verdicts


def decide(
    measured: Measured, p_holm: np.ndarray, p_margin_holm: np.ndarray, margin: float, claim: Claim, share: float
) -> np.ndarray:
    """(S,): "holds", "fails", "equivalent" or "undecided", by the table above; share: what this look may spend."""
    is_sure, is_inside = (p <= share * (1 + ROUNDING) for p in (p_holm, p_margin_holm))
    is_above, is_below = is_sure & (measured.low > 0), is_sure & (measured.high < 0)
    is_large = np.abs(measured.mean) >= margin * (1 - ROUNDING)
    not_below = is_inside & (measured.low > -margin * (1 - ROUNDING))
    within = not_below & (measured.high < margin * (1 - ROUNDING))
    if claim == "above":
        rules = {"equivalent": within, "holds": is_above & is_large, "fails": is_below}
    elif claim == "not below":
        rules = {"holds": not_below, "fails": is_below & is_large}
    else:
        rules = {"holds": within, "fails": (is_above | is_below) & is_large}
    return np.select(list(rules.values()), list(rules), "undecided")


def measure(differences: np.ndarray, margin: float, claim: Claim, level: float) -> Measured:
    """(S, n) -> what they say; n >= 1. level: what the interval leaves out."""
    differences = np.asarray(differences, dtype=float)
    if differences.shape[1] > 1:
        spread = differences.std(axis=1, ddof=1), *bca_interval(differences, level)
    else:
        spread = (np.full(len(differences), np.nan),) * 3
    p, p_margin = flip_p(differences), margin_p(differences, margin, claim)
    above = (differences > 0).mean(axis=1) + (differences == 0).mean(axis=1) / 2
    return Measured(differences.mean(axis=1), *spread, p, p_margin, above)


def margin_p(differences: np.ndarray, margin: float, claim: Claim) -> np.ndarray:
    """(S, n) -> (S,): the sign-flip p of a difference of a margin or more; 1 where the mean is no smaller.

    Of "not below" downwards, else the larger of both ways, as two one-sided tests are read together. Each is the
    two-sided p, twice the one-sided: so it agrees with an interval that leaves out half on each side."""
    upwards = _smaller_p(-differences, margin)
    return upwards if claim == "not below" else np.maximum(upwards, _smaller_p(differences, margin))


def _smaller_p(differences: np.ndarray, margin: float) -> np.ndarray:
    """(S, n) -> (S,): the p of a difference of a margin upwards or more; 1 where the mean is no smaller."""
    beyond = differences - margin
    beyond = np.where(np.abs(beyond) > ROUNDING * margin, beyond, 0.0)
    return np.where(beyond.mean(axis=1) < 0, flip_p(beyond), 1.0)


def _measure_by_seeds(pairs: Mapping[Setting, Paired], margin: float, claim: Claim, level: float) -> Measured:
    """What each setting says, those with the same number of seeds at once; of one without any all is NaN but p, 1."""
    columns = {entry.name: np.full(len(pairs), np.nan) for entry in fields(Measured)}
    columns |= {name: np.ones(len(pairs)) for name in ("p", "p_margin")}
    every = [paired.values for paired in pairs.values()]
    for n in {len(values) for values in every if values}:
        places = [place for place, values in enumerate(every) if len(values) == n]
        measured = measure(np.array([every[place] for place in places]), margin, claim, level)
        for name, column in columns.items():
            column[places] = getattr(measured, name)
    return Measured(**columns)


def _too_early(paired: Paired, look: Look | None, settings: int, share: float) -> str:
    """Why nothing can be decided yet, whatever the differences are; "" where something can."""
    n = len(paired.values)
    there = n + sum(count for why, count in paired.left_out.items() if why != NOT_RUN)
    if look and there < look.seeds[look.number]:
        return f"{there} of the {look.seeds[look.number]} seeds of this look are there"
    if n < DECIDING:
        return f"fewer than {DECIDING} seeds decide nothing"
    if settings * 2.0 ** (1 - n) > share * (1 + ROUNDING):
        return f"with {settings} settings more than {n} seeds are needed to decide"
    return ""


def _as_paired(values: Paired | Sequence[float]) -> Paired:
    paired = values if isinstance(values, Paired) else Paired(tuple(map(float, values)), tuple(range(len(values))))
    if wrong := [value for value in paired.values if not math.isfinite(value)]:
        raise ValueError(f"a difference must be a number, got {wrong[0]}")
    return paired


def _check(margin: float, claim: str, level: float) -> None:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"the margin must be above 0, got {margin}")
    if not 0 < level < 1:
        raise ValueError(f"the level must lie between 0 and 1, got {level}")
    if claim not in get_args(Claim):
        raise ValueError(f"a claim is one of {', '.join(get_args(Claim))}; got {claim!r}")
