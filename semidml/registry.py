"""Entries of the families' tables: what can be chosen, in plain data, resolved to code only when it is used."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar


@dataclass(frozen=True)
class Entry:
    """One line of a family's table: a loss, a data set, an encoder, a schedule, a model.

    `knobs` names the RunConfig fields that this choice reads; `defaults` holds the values of RunConfig fields that
    suit it better than the general ones; `facts` holds whatever else a page wants to say without importing the code."""

    name: str
    title: str
    summary: str
    paper: str = ""
    target: str = ""  # "module:function"
    knobs: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def resolve(self) -> Callable[..., Any]:
        """The function or class behind `target`, imported now."""
        module, _, attribute = self.target.partition(":")
        return getattr(import_module(module), attribute)


Kind = TypeVar("Kind", bound=Entry)


def table(entries: Iterable[Kind]) -> dict[str, Kind]:
    """{name: entry} in the order given.

    Raises: ValueError when two entries share a name."""
    named: dict[str, Kind] = {}
    for entry in entries:
        if entry.name in named:
            raise ValueError(f"two entries are called {entry.name}")
        named[entry.name] = entry
    return named


def choose(family: Mapping[str, Kind], name: str, role: str) -> Kind:
    """The entry called `name`.

    Raises: ValueError that lists what there is."""
    if name not in family:
        raise ValueError(f"{role} must be one of {', '.join(family)}; got {name[:60]!r}")
    return family[name]
