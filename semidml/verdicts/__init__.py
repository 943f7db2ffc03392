"""Whether a claim holds: paired differences of a sweep, how sure they are, and an answer with a bounded error.

`differences` takes them from a sweep's table, `judge` gives a `Verdict` a setting; `judge.py` says what answers mean.
"""

from semidml.verdicts.judge import judge
from semidml.verdicts.looks import UNTIL_DECIDED, Look, plan_shares
from semidml.verdicts.pairs import Paired, Setting, differences, setting_words
from semidml.verdicts.verdict import Tuning, Verdict

__all__ = [
    "UNTIL_DECIDED",
    "Look",
    "Paired",
    "Setting",
    "Tuning",
    "Verdict",
    "differences",
    "judge",
    "plan_shares",
    "setting_words",
]
