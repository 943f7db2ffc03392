"""A verdict: what became of a claim in one setting, as plain data and in words."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from semidml.sweeps.seeds import COUNT, DECIDING
from semidml.sweeps.table import score_of
from semidml.verdicts.looks import Look
from semidml.verdicts.pairs import NOT_RUN
from semidml.words import damage_words, decimals

Answer = Literal["holds", "fails", "equivalent", "undecided", "not run"]
Claim = Literal["above", "not below", "equal"]
FINDABLE = 1.4  # margins that COUNT seeds may scatter by, in sd, where a difference of two is found by 90 % of sweeps
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, config=STRICT)
class Tuning:
    """How the settings of one side were chosen: among how many tries, and whether by held-out images."""

    tries: int = Field(1, ge=1)  # 1: it was not tuned
    held_out: bool = True  # of a single try it says nothing

    @property
    def words(self) -> str:
        """`the best of 4 tries by held-out images`."""
        if self.tries == 1:
            return "not tuned"
        return f"the best of {self.tries} tries by {'held-out' if self.held_out else 'test'} images"


@dataclass(frozen=True, config=STRICT)
class Verdict:
    """Numbers are in the score's own unit; what cannot be computed is None. What each answer means: see `judge`."""

    answer: Answer
    claim: Claim
    a: str  # what the sides are called
    b: str
    score: str  # a column of a sweep's table; "" of differences from elsewhere
    margin: float = Field(gt=0)  # the smallest difference that counts, stated before the runs
    level: float = Field(gt=0, lt=1)  # of error, that this look may spend; the interval leaves out as much
    n: int = Field(ge=0)  # seeds that both sides have
    mean: float | None = None  # of A - B
    sd: float | None = None  # of the differences over seeds, with n - 1
    low: float | None = None  # ends of the BCa interval of the mean
    high: float | None = None
    p: float | None = None  # two-sided sign-flip p of no difference, exact
    p_holm: float | None = None  # the same, adjusted for all settings of the claim
    p_margin: float | None = None  # of a difference of a margin or more, either way; of "not below" downwards
    p_margin_holm: float | None = None
    share_above: float | None = None  # P(A > B): the share of seeds on which A is above B, ties half
    look: Look | None = None  # None: the only one, at the seeds that there were
    left_out: dict[str, int] = Field(default_factory=dict)  # seeds, by reason
    tuned: tuple[Tuning, Tuning] | None = None  # A and B; None where nothing is said of it
    remark: str = ""  # why nothing is decided

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Verdict":
        """A verdict from what `plain` gives, perhaps by way of JSON.
        Raises: ValueError when it is none."""
        try:
            return VERDICTS.validate_python(values)
        except ValidationError as error:
            raise ValueError(f"the verdict cannot be read: {damage_words(error)[:200]}") from None

    def plain(self) -> dict[str, Any]:
        """It as JSON has it."""
        return VERDICTS.dump_python(self, mode="json")

    @property
    def is_tuned_on_one_side(self) -> bool:
        """Whether one side had more tries than the other, or was chosen by other images."""
        if self.tuned is None:
            return False
        a, b = self.tuned
        return a.tries != b.tries or (a.tries > 1 and a.held_out != b.held_out)

    def words(self) -> str:
        """The difference and how sure it is, the answer, and what else is to be said: a sentence or a few."""
        if self.mean is None:
            return " ".join([f"No seed has a score of both {self.a} and {self.b}: not run.", *self._notes()])
        seeds = "1 seed" if self.n == 1 else f"n = {self.n} seeds"
        if self.low is not None:
            ends = f"{self._number(self.low)} to {self._number(self.high)}"
            seeds = f"{100 * (1 - self.level):.3g} % interval {ends}, {seeds}"
        return " ".join([f"{self._difference()} ({seeds}); {self._ending()}.", *self._notes()])

    def _difference(self) -> str:
        if (amount := self._number(abs(self.mean))) == self._number(0.0):
            return f"{self.a} and {self.b} do not differ by {self._number(self._step)}{self._unit}"
        return f"{self.a} {'above' if self.mean > 0 else 'below'} {self.b} by {amount}{self._unit}"

    def _ending(self) -> str:
        margin = f"{self._number(self.margin)}{self._unit}"
        if self.answer == "equivalent":
            return f"equivalent, since the whole interval lies within the margin of {margin}"
        if self.answer == "undecided":
            return f"undecided, since {self.remark}"
        stated = {
            "above": "it is above",
            "not below": f"it is not below by {margin} or more",
            "equal": f"both are equal within {margin}",
        }
        return f"the claim that {stated[self.claim]} {self.answer}"

    def _notes(self) -> list[str]:
        notes = []
        if self.n > 1 and self.low == self.high:
            notes.append("All differences are equal, so the interval is a point.")
        if (
            self.answer == "undecided"
            and self.n >= DECIDING
            and self.sd > FINDABLE * self.margin * math.sqrt(self.n / COUNT)
        ):
            notes.append(f"Seeds scatter by {self._number(self.sd)}{self._unit}: so few may miss even two margins.")
        reasons = [f"{count} {why}" for why, count in self.left_out.items() if self.n or why != NOT_RUN]
        if reasons:
            notes.append(f"Seeds left out: {', '.join(reasons)}.")
        if self.is_tuned_on_one_side:
            a, b = self.tuned
            notes.append(f"Tuned on one side: {self.a} {a.words}, {self.b} {b.words}.")
        if self.tuned and any(side.tries > 1 and not side.held_out for side in self.tuned):
            notes.append("Chosen by test images, so its score is too good.")
        if self.look and len(self.look.seeds) > 1:
            notes.append(f"This is {self.look.words}.")
        return notes

    @property
    def _kind(self) -> tuple[float, int, str]:
        """What a number is multiplied by, its digits behind the point, and its unit."""
        score = score_of(self.score)
        if score is None:
            return 1, 4, ""
        if score.unit in ("share", "yes or no"):
            return 100, 1, " points"
        return 1, score.digits, f" {score.unit}" if score.unit in ("nats", "seconds") else ""

    @property
    def _step(self) -> float:
        """The smallest number above 0 that is shown."""
        factor, digits, _ = self._kind
        return 10.0**-digits / factor

    @property
    def _unit(self) -> str:
        return self._kind[2]

    def _number(self, value: float) -> str:
        factor, digits, _ = self._kind
        return decimals(factor * value, digits)


VERDICTS = TypeAdapter(Verdict)
