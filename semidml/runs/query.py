"""Which of many runs: conditions on knobs, scores, state, name, tags and note, a search for words, an order.

A condition is typed as `pl<1`, `knn_accuracy>=90%`, `model=dml-ae`, `note~seed`: a field, a relation, a value; ~ is
"contains". Pages and command line share it."""

import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from semidml.config import declared_knobs
from semidml.runs.listed import Listed
from semidml.runs.status import Status
from semidml.scores.table import SCORES
from semidml.words import value_words

MOST_TEXT, MOST_CONDITIONS = 200, 20  # characters of a condition or a search, conditions of a query
RELATIONS = {
    "<": "is below",
    "<=": "is at most",
    "=": "is",
    "!=": "is not",
    ">=": "is at least",
    ">": "is above",
    "~": "contains",
}
OF_TEXT = ("=", "!=", "~")
WORDS = ("name", "state", "tag", "note")  # fields beside knobs and scores
CREATED = "created"  # the order in which runs are listed
STATES = get_args(Status.__annotations__["state"])
FORM = re.compile(r"\s*(\w+)\s*(<=|>=|!=|==|=|<|>|~)(.*)", re.DOTALL)

Value = str | float | None


@dataclass(frozen=True)
class Condition:
    """What a run must be: `field relation value`, as in `pl<1`."""

    field: str
    relation: str
    value: str | float

    def __str__(self) -> str:
        return f"{self.field}{self.relation}{value_words(self.value)}"

    def holds(self, row: Listed) -> bool:
        """Whether a run is so. What it does not have, as a score or a knob without effect, is neither below nor above
        nor equal to anything."""
        values = [value for value in values_of(row, self.field) if value is not None]
        if self.relation == "!=":
            return not any(self._is_equal(value) for value in values)
        if self.relation == "=":
            return any(self._is_equal(value) for value in values)
        if self.relation == "~":
            return any(str(self.value).casefold() in str(value).casefold() for value in values)
        return any(_compare(value, self.relation, self.value) for value in values)

    def _is_equal(self, value: str | float) -> bool:
        if isinstance(value, str):
            return value.casefold() == str(self.value).casefold()
        return math.isclose(value, self.value, rel_tol=1e-9, abs_tol=1e-12)


def _compare(value: float, relation: str, other: float) -> bool:
    return {"<": value < other, "<=": value <= other, ">": value > other, ">=": value >= other}[relation]


def values_of(row: Listed, field: str) -> Sequence[Value]:
    """What a run has of a field: several tags, one of anything else; None where it has none."""
    if field in SCORES:
        return (row.scores.get(field),)
    if field == "tag":
        return row.notes.tags
    if field == "note":
        return (row.notes.note,)
    if field == "name":
        return (row.name,)
    if field == "state":
        return (row.state,)
    if field == CREATED:
        return (row.created,)
    return (getattr(row.config, field) if row.config and field in row.used else None,)


def value_of(row: Listed, field: str) -> Value:
    """What a run has of a knob or a score."""
    return next(iter(values_of(row, field)), None)


def is_text(field: str) -> bool:
    """Whether a field is a text, which is neither below nor above another."""
    return field in WORDS or (field not in SCORES and declared_knobs()[field].kind not in (int, float))


def relations_of(field: str) -> tuple[str, ...]:
    """The relations in which a field can be asked for."""
    return OF_TEXT if is_text(field) else tuple(name for name in RELATIONS if name != "~")


def list_fields() -> list[str]:
    """All fields of conditions: words, knobs, scores."""
    return [*WORDS, *declared_knobs(), *SCORES]


def choices_of(field: str) -> tuple[str, ...]:
    """The values that a field can have, where these are few and known."""
    if field == "state":
        return STATES
    known = declared_knobs().get(field)
    return known.choices if known and field != "data" else ()  # of data sets there may be uploads


def make_condition(field: str, relation: str, value: str) -> Condition:
    """A condition of three words.
    Raises: ValueError in words where they make none."""
    relation, value = "=" if relation == "==" else relation, value.strip()
    if field not in list_fields():
        raise ValueError(
            f"there is no knob or score called {field[:40]!r}: `python -m semidml knobs` lists them, as does the page "
            f"Runs; besides there are {', '.join(WORDS)}"
        )
    if relation not in relations_of(field):
        raise ValueError(f"{field} can be asked for by {' '.join(relations_of(field))}, got {relation[:10]!r}")
    if len(value) > MOST_TEXT or not value.isprintable() or ";" in value:
        raise ValueError(f"the value of {field} must be a short plain text without semicolon, got {value[:40]!r}")
    if is_text(field):
        choices = choices_of(field)
        if relation != "~" and choices and value.casefold() not in map(str.casefold, choices):
            raise ValueError(f"{field} must be one of {', '.join(choices)}, got {value[:40]!r}")
        if relation == "~" and not value:
            raise ValueError(f"{field} must contain something, got nothing")
        return Condition(field, relation, value)
    return Condition(field, relation, _read_number(field, value))


def _read_number(field: str, text: str) -> float:
    is_share = field in SCORES and SCORES[field].unit == "share"
    try:
        number = float(text.removesuffix("%")) / (100 if is_share and text.endswith("%") else 1)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (text.endswith("%") and not (is_share or field == "pl")):
        form = "a number such as 0.9 or 90%" if is_share else "a number"
        raise ValueError(f"{field} must be compared with {form}, got {text[:40]!r}")
    return number


def parse_condition(text: str) -> Condition:
    """The condition of a text such as `pl<1`.
    Raises: ValueError in words."""
    parts = FORM.fullmatch(text) if len(text) <= 2 * MOST_TEXT else None
    if parts is None:
        raise ValueError(
            f"a condition reads as pl<1 or model=dml-ae, with one of {' '.join(RELATIONS)}; got {text[:40]!r}"
        )
    return make_condition(*parts.groups())


@dataclass(frozen=True)
class Query:
    """Which runs, and in which order. All conditions hold, all tags are there, all words are found; no order: the
    newest first."""

    where: tuple[Condition, ...] = ()
    tags: tuple[str, ...] = ()
    text: str = ""
    sort: str = ""
    reverse: bool = False

    def __post_init__(self) -> None:
        if len(self.where) > MOST_CONDITIONS or len(self.tags) > MOST_CONDITIONS:
            raise ValueError(f"there may be at most {MOST_CONDITIONS} conditions and as many tags")
        if self.sort and self.sort not in (CREATED, *list_fields()):
            raise ValueError(f"runs can be sorted by {CREATED}, a knob or a score, got {self.sort[:40]!r}")

    @property
    def fields(self) -> list[str]:
        """Knobs and scores that it asks for."""
        names = dict.fromkeys([*(condition.field for condition in self.where), self.sort])
        return [name for name in names if name and name not in (*WORDS, CREATED)]

    def apply(self, rows: Iterable[Listed], told: Callable[[Listed], str] = lambda row: "") -> list[Listed]:
        """The rows that are asked for, in order. told: what else of a row is searched."""
        searched = self.text[:MOST_TEXT].casefold().split()
        chosen = [row for row in rows if self._holds(row) and _contains(row, searched, told)]
        return sort_rows(chosen, self.sort, self.reverse) if self.sort or self.reverse else chosen

    def _holds(self, row: Listed) -> bool:
        tags = {tag.casefold() for tag in row.notes.tags}
        return all(tag.casefold() in tags for tag in self.tags) and all(c.holds(row) for c in self.where)


def _contains(row: Listed, searched: Collection[str], told: Callable[[Listed], str]) -> bool:
    if not searched:
        return True
    text = "\n".join((row.name, *row.notes.tags, row.notes.note, told(row))).casefold()
    return all(word in text for word in searched)


def sort_rows(rows: Iterable[Listed], field: str, reverse: bool = False) -> list[Listed]:
    """Rows in the order of a field: scores from the best on, the time of making from the newest, all else from the
    lowest; `reverse` turns that. What has no value comes last."""
    field = field or CREATED
    falls = (field == CREATED or (field in SCORES and SCORES[field].better != "lower")) != reverse
    keyed = [(value_of(row, field), row) for row in rows]
    have = [(value.casefold() if isinstance(value, str) else value, row) for value, row in keyed if value is not None]
    have.sort(key=lambda pair: pair[0], reverse=falls)
    return [row for _, row in have] + [row for value, row in keyed if value is None]
