"""What a sweep trains: a base setting, values of up to four knobs, seeds. Each combination is a cell, which has a name
by its config and its data; without any knob it is one setting, with each seed. Torch-free.
"""

import hashlib
import json
import math
import re
import shlex
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, TypeAdapter, ValidationError, model_validator

from semidml import memory
from semidml.config import FAMILIES, RunConfig, allowed, declared_knobs
from semidml.registry import choose
from semidml.runs import listing, places
from semidml.runs.parent import Parent
from semidml.words import damage_words, value_words

CELL_BYTES = 6000  # of memory that a cell takes
MOST_AXES, MOST_VALUES, MOST_SEEDS, MOST_CELLS = 4, 1000, 1000, 10_000
DIGITS = 16  # hexadecimal, of a cell's name
DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Cell:
    """One combination: the varied knobs' values and a seed. Two of them may be one training, where what differs has no
    effect: then they have one name."""

    values: Mapping[str, Any]  # by knob, in the order of the axes
    seed: int
    config: RunConfig | None  # none where it is refused
    problem: str = ""  # why it is refused, in words
    name: str = ""  # of its run's folder; "" where it is refused, or its data are not known yet


class Plan(BaseModel):
    """Base, axes and seeds of a sweep: `Plan.of` gives errors in words. Scores are of held-out images and of the test
    images both, unless base or axes say `evaluate_on`: settings are chosen on the former."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    base: dict[str, Any] = Field(
        default_factory=dict
    )  # knobs that are the same in all cells; others have their default
    axes: dict[str, list[Any]]  # values of each varied knob
    seeds: list[StrictInt]
    data: dict[str, str] = Field(default_factory=dict)  # the digest of each data set; none before they are looked at
    paths: StrictBool = False  # whether data may be paths: on the command line only
    versions: dict[str, str] = Field(default_factory=listing.versions)
    created: float = Field(default_factory=time.time, ge=0)
    parent: Parent | None = None  # the run whose setting it has, of a sweep that was made from one

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Plan":
        """A plan from names and values; values of knobs may be text.
        Raises: ValueError that says what is allowed, in words; also where every cell is refused."""
        try:
            plan = cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            own = first.get("ctx", {}).get("error")
            raise ValueError(str(own) if own else f"the plan cannot be used: {damage_words(error)[:200]}") from None
        if all(cell.problem for cell in plan.cells):
            raise ValueError(f"every setting of this sweep is refused: {plan.cells[0].problem}")
        return plan

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, values: Any) -> Any:
        """Knobs as they are kept; both kinds of scores where nothing is said of them."""
        if not isinstance(values, Mapping):
            return values
        base, axes = values.get("base", {}), values.get("axes")
        if isinstance(base, Mapping) and isinstance(axes, Mapping) and all(isinstance(v, list) for v in axes.values()):
            base = {name: read_value(name, value) for name, value in base.items()}
            axes = {name: [read_value(name, value) for value in axis[: MOST_VALUES + 1]] for name, axis in axes.items()}
            if "evaluate_on" not in axes:
                base.setdefault("evaluate_on", "validation")
            return {**values, "base": base, "axes": axes}
        return values

    @model_validator(mode="after")
    def _bounded(self) -> "Plan":
        places.checked_id(self.name, "sweep")
        if len(self.axes) > MOST_AXES:
            raise ValueError(f"a sweep varies at most {MOST_AXES} knobs, got {len(self.axes)}")
        for name, values in self.axes.items():
            if name in self.base:
                raise ValueError(f"{name} is varied, and is set to {value_words(self.base[name])} as well: do one")
            _check_values(name, values)
        if "seed" in self.base or "seed" in self.axes:
            raise ValueError("seeds are no knob of a sweep's setting: give them as seeds")
        if not 1 <= len(self.seeds) <= MOST_SEEDS:
            raise ValueError(f"a sweep has 1 to {MOST_SEEDS:,} seeds, got {len(self.seeds):,}")
        for seed in self.seeds:
            read_value("seed", seed)
        if twice := _first_twice(self.seeds):
            raise ValueError(f"the seed {twice[0]} is there twice")
        if self.count > MOST_CELLS:
            factors = " x ".join(f"{len(values):,}" for values in (*self.axes.values(), self.seeds))
            raise ValueError(f"{factors} are {self.count:,} runs; a sweep has at most {MOST_CELLS:,}")
        if self.data and set(self.data) != set(self.data_names):
            raise ValueError(f"a sweep of {', '.join(self.data_names)} has digests of {', '.join(self.data)[:200]}")
        if wrong := [name for name, digest in self.data.items() if not DIGEST.fullmatch(digest)]:
            raise ValueError(f"the digest of the data {wrong[0][:60]!r} is not one: 64 hexadecimal digits")
        return self

    @property
    def count(self) -> int:
        """How many cells it has."""
        return math.prod(map(len, self.axes.values())) * len(self.seeds)

    @property
    def scores_both(self) -> bool:
        """Whether runs that are scored on held-out images are scored on the test images, too: where settings are
        chosen, so not where there is but one."""
        return bool(self.axes)

    @property
    def data_names(self) -> list[str]:
        """The data sets that it trains on."""
        return self.axes.get("data") or [self.base.get("data", RunConfig.model_fields["data"].default)]

    @cached_property
    def cells(self) -> list[Cell]:
        """All of them, the seeds outermost: a sweep that is stopped has all settings of its first seeds. They are made
        anew where memory had no room for them any more."""
        settings = []
        for chosen in product(*self.axes.values()):
            values = dict(zip(self.axes, chosen, strict=True))
            try:
                settings.append((values, RunConfig.of(self.base | values), ""))
            except ValueError as error:
                settings.append((values, None, str(error)))
        decided = [decide(config) if config else {} for _, config, _ in settings]
        cells = []
        for seed in self.seeds:
            for (values, config, problem), known in zip(settings, decided, strict=True):
                own = config and config.model_copy(update={"seed": seed})
                digest = self.data.get(own.data) if own else None
                name = cell_name(known | {"seed": seed}, digest) if digest else ""
                cells.append(Cell(values, seed, own, problem, name))
        key, plan = ("cells", id(self)), weakref.ref(self)
        memory.keep(key, {id(cells): CELL_BYTES * len(cells)}, lambda: (own := plan()) and vars(own).pop("cells", None))
        weakref.finalize(self, memory.forget, key)
        return cells

    def same_setting(self, other: "Plan") -> bool:
        """Whether it varies the same knobs about the same setting, on data of the same names: the same values of these
        knobs are then the same training, whatever is written and what is left to its default."""
        if set(self.axes) != set(other.axes):
            return False
        if self.base == other.base:
            return True
        merged = [dict.fromkeys([*values, *other.axes[name]]) for name, values in self.axes.items()]
        settings = (dict(zip(self.axes, chosen, strict=True)) for chosen in product(*merged))
        return all(_decided(self.base | values) == _decided(other.base | values) for values in settings)

    def extended(self, axes: Mapping[str, Sequence[Any]], seeds: Sequence[int] = ()) -> "Plan":
        """With further values and seeds; those that are there already stay as they are.
        Raises: ValueError for a knob that is not varied, and as `of`."""
        if unknown := [name for name in axes if name not in self.axes]:
            raise ValueError(
                f"{self.name} does not vary {unknown[0]}: it varies {', '.join(self.axes) or 'seeds alone'}"
            )
        more = {name: [read_value(name, value) for value in axes.get(name, ())] for name in self.axes}
        whole = {name: list(dict.fromkeys([*values, *more[name]])) for name, values in self.axes.items()}
        kept = self.model_dump() | {"axes": whole, "seeds": list(dict.fromkeys([*self.seeds, *seeds]))}
        return Plan.of(kept | {"data": self.data if "data" not in axes else {}})

    def command(self) -> str:
        """The command line that does the same."""
        words = ["python -m semidml sweep"]
        for name, value in self.base.items():
            if (name, value) != ("evaluate_on", "validation"):
                mark = "=" if declared_knobs()[name].form else " "  # such a text may begin with a minus
                words.append(f"--{name.replace('_', '-')}{mark}{shlex.quote(value_words(value))}")
        words += [f"--vary {shlex.quote(axis_text(name, values))}" for name, values in self.axes.items()]
        return " ".join([*words, f"--seeds {seeds_text(self.seeds)}", f"--name {self.name}"])


def decide(config: RunConfig) -> dict[str, Any]:
    """The knobs that have an effect, with their values."""
    used = config.used()
    return {name: value for name, value in config.model_dump().items() if name in used}


def _decided(values: Mapping[str, Any]) -> dict[str, Any]:
    """The knobs that have an effect, with their values; none where the setting is refused."""
    try:
        return decide(RunConfig.of(values))
    except ValueError:
        return {}


def cell_name(values: Mapping[str, Any], digest: str) -> str:
    """The name of the run with these knobs, of those that have an effect, on data with this digest."""
    content = json.dumps({"config": values, "data": digest}, sort_keys=True, allow_nan=False)
    return hashlib.sha256(content.encode()).hexdigest()[:DIGITS]


@lru_cache
def _reader(name: str) -> TypeAdapter:
    field = RunConfig.model_fields[name]
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))


def read_value(name: str, value: Any) -> Any:
    """A knob's value by itself, perhaps given as text; of a fraction ten digits count, as many as are shown.
    Raises: ValueError that says what is allowed."""
    if name not in (known := declared_knobs()):
        raise ValueError(f"there is no knob called {str(name)[:60]!r}; there are {', '.join(known)}")
    if name in FAMILIES and name != "data" and isinstance(value, str):
        return choose(FAMILIES[name], value, name).name
    try:
        read = _reader(name).validate_python(str(value) if isinstance(value, bool) else value)
    except ValidationError as error:
        own = error.errors()[0].get("ctx", {}).get("error")
        given = value_words(value)[:60] or "nothing"
        raise ValueError(str(own) if own else f"{name} must be {allowed(known[name])}, got {given}") from None
    return float(value_words(read)) if isinstance(read, float) else read


def _first_twice(values: Iterable[Any]) -> list[Any]:
    """The first value that is there twice, in a list; an empty one where none is."""
    before = set()
    for value in values:
        if value in before:
            return [value]
        before.add(value)
    return []


def _check_values(name: str, values: Sequence[Any]) -> None:
    if not 1 <= len(values) <= MOST_VALUES:
        count = "more" if len(values) > MOST_VALUES else len(values)
        raise ValueError(f"{name} must have 1 to {MOST_VALUES:,} values, got {count}")
    if twice := _first_twice(values):
        raise ValueError(f"{name} has the value {value_words(twice[0])} twice")


def name_by(base: Mapping[str, Any], axes: Iterable[str]) -> str:
    """What a sweep is called by its data, its model and what it varies, if anything but seeds: the same plan has the
    same name."""
    fields, varied = RunConfig.model_fields, list(axes)
    parts = [str(base.get(name, fields[name].default)) for name in ("data", "model") if name not in varied]
    words = "-".join([*(Path(part).stem for part in parts), *(["by", *varied] if varied else ["seeds"])])
    return re.sub(r"[^A-Za-z0-9]+", "-", words).strip("-")[:80]


def parse_axis(text: str) -> tuple[str, list[Any]]:
    """(the knob, its values) of `alpha=0.01,0.1,0.5` or `alpha=0..1/5`, five values from 0 to 1. Where a value has
    commas itself, as positions have, they are parted by bars: `positions=0,0;3,0|0,0;0,3`.
    Raises: ValueError in words."""
    name, equals, rest = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        raise ValueError(f"what is varied is written like alpha=0.01,0.1,0.5; got {text[:60]!r}")
    known = declared_knobs().get(name)
    if known and known.kind in (int, float) and (span := _read_range(rest.strip())):
        return name, _range_values(name, *span)
    is_text = bool(known and known.form)
    by_bars = (rest if is_text else rest.removesuffix("|")).split("|")
    parts = [part.strip() for part in (by_bars if is_text or "|" in rest else rest.split(","))]
    if len(parts) > MOST_VALUES:
        raise ValueError(f"{name} must have 1 to {MOST_VALUES:,} values, got {len(parts):,}")
    return name, [read_value(name, part) for part in parts]


def _read_range(text: str) -> tuple[str, str, int] | None:
    """(first, last, count) of `0..1/5`: so many values from the first to the last, evenly; None of anything else."""
    span, _, count = text.rpartition("/")
    first, _, last = span.partition("..")
    return (first, last, int(count)) if first and last and re.fullmatch(r"[0-9]{1,9}", count) else None


def _range_values(name: str, first: str, last: str, count: int) -> list[Any]:
    if not 2 <= count <= MOST_VALUES:
        raise ValueError(f"a range of {name} must have 2 to {MOST_VALUES:,} values, got {count:,}")
    low, high = read_value(name, first), read_value(name, last)
    return [read_value(name, low + (high - low) * i / (count - 1)) for i in range(count)]


def parse_axes(texts: Iterable[str]) -> dict[str, list[Any]]:
    """{knob: values} of some texts, see `parse_axis`.
    Raises: ValueError for a knob that is there twice, and as `parse_axis`."""
    axes: dict[str, list[Any]] = {}
    for name, values in map(parse_axis, texts):
        if name in axes:
            raise ValueError(f"{name} is varied twice: give all its values at once")
        axes[name] = values
    return axes


def parse_seeds(text: str) -> list[int]:
    """The seeds of `10`, as many from 0, or of `3,5,8`, these; `3,` is one seed.
    Raises: ValueError in words."""
    parts = [part.strip() for part in text.split(",")]
    if wrong := [part for part in parts if not re.fullmatch(r"[0-9]{1,10}", part) and (part or len(parts) == 1)]:
        raise ValueError(f"seeds are how many, like 10, or which, like 3,5,8; got {wrong[0][:40]!r}")
    if len(parts) > 1:
        return [int(part) for part in parts if part]
    if not 1 <= int(text) <= MOST_SEEDS:
        raise ValueError(f"a sweep has 1 to {MOST_SEEDS:,} seeds, got {int(text):,}")
    return list(range(int(text)))


def axis_text(name: str, values: Sequence[Any]) -> str:
    """An axis as `parse_axis` reads it."""
    words, is_text = [value_words(value) for value in values], bool(declared_knobs()[name].form)
    if is_text or not any("," in word for word in words):
        return f"{name}={('|' if is_text else ',').join(words)}"
    return f"{name}={'|'.join(words)}{'|' * (len(words) == 1)}"


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds as `parse_seeds` reads them."""
    if list(seeds) == list(range(len(seeds))):
        return str(len(seeds))
    return ",".join(map(str, seeds)) + "," * (len(seeds) == 1)
