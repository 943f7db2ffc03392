"""Looking more than once: seeds are added until a claim is decided, and the looks share one error."""

from collections.abc import Sequence

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from semidml.sweeps.seeds import COUNT, DECIDING

UNTIL_DECIDED = (6, 10, 20)
EARLY = 2 / 3  # of the error, that looks may take together which need more than an equal share


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Look:
    """Which of the looks this is that were planned before the first seed.

    seeds: how many there are at each, ascending. number: of this look, from 0. settings: how many the claim has; 0 for
    as many as are given. What an earlier look has decided stays so and is not given again: settings says then how many
    there were, since all count in Holm's correction.
    Raises: ValueError for looks that cannot be."""

    seeds: tuple[int, ...] = (COUNT,)
    number: int = 0
    settings: int = 0

    def __post_init__(self) -> None:
        if not self.seeds or list(self.seeds) != sorted(set(self.seeds)) or self.seeds[0] < 1:
            raise ValueError(f"looks are at more seeds each time, such as 6, 10, 20; got {_listed(self.seeds)}")
        if not 0 <= self.number < len(self.seeds):
            raise ValueError(f"there are {len(self.seeds)} looks, numbered from 0; got {self.number}")
        if self.settings < 0:
            raise ValueError(f"a claim has at least one setting, got {self.settings}")

    @property
    def words(self) -> str:
        """`look 2 of 3, at 10 seeds`."""
        return f"look {self.number + 1} of {len(self.seeds)}, at {self.seeds[self.number]} seeds"


def plan_shares(seeds: Sequence[int], level: float = 0.05, settings: int = 1) -> tuple[float, ...]:
    """What each look may spend of an error of `level`: together at most that, so that by Bonferroni's inequality the
    chance of being wrong at any look is at most `level`.

    A look at n seeds of a claim with S settings decides something only if its share is at least S 2^(1 - n), Holm's
    adjusted p of all signs alike. So looks have equal shares, but for one that needs more: it gets what it needs, or
    nothing, where looks before the last would take more than EARLY of the error together. With one setting a look at 6,
    10 and 20 seeds spends .03125, .009375 and .009375; with two or more the first decides and spends nothing."""
    shares = dict.fromkeys(range(len(seeds)), 0.0)
    undecided, left = list(shares), level
    for number, n in enumerate(seeds):
        need = settings * 2.0 ** (1 - n) if n >= DECIDING else level + 1
        if need > left / len(undecided) and (number < len(seeds) - 1 or need > left):
            undecided.remove(number)
            if need + level - left <= EARLY * level:
                shares[number], left = need, left - need
    return tuple(left / len(undecided) if number in undecided else share for number, share in shares.items())


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"
