"""The glossary of every page: the field's words, and every score, knob, loss, prior and network by its own words."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import streamlit as st

from semidml.config import FAMILIES, declared_knobs
from semidml.explore.titles import knob_title
from semidml.glossary import WORDS
from semidml.registry import Entry
from semidml.scatter import bundle
from semidml.scores.table import SCORES

LINKED = "word"  # the part of a link that opens it at a word, on every page
KINDS = {  # families of entries: what one of them is called
    "model": "model",
    "loss": "metric loss",
    "prior": "prior",
    "schedule": "schedule",
    "encoder": "network",
    "variant": "variant of CBSwR",
}
MOST_SEEN = 5  # other words that an entry leads to
MOST_ASKED = 60  # characters of a word in a link


class Explained(NamedTuple):
    """An entry of the glossary."""

    name: str  # in links
    title: str
    kind: str
    meaning: str
    also: tuple[str, ...] = ()
    see: tuple[str, ...] = ()  # names of words that it uses


def draw_glossary() -> None:
    """The button that opens the glossary; open, where the link names a word, which then leaves the link."""
    state = st.session_state
    if asked := st.query_params.get(LINKED):
        del st.query_params[LINKED]
        state["asked word"] = {"word": asked[:MOST_ASKED], "number": state.get("asked word", {}).get("number", 0) + 1}
    draw = st.components.v2.component(
        bundle.GLOSSARY, html=bundle.GLOSSARY_HTML, css=bundle.css("link", "glossary"), js=bundle.javascript("glossary")
    )
    draw(data={"words": explained(), "open": state.get("asked word")}, key="glossary")


def explained() -> tuple[dict[str, Any], ...]:
    """All entries as the browser gets them: the words A to Z, then scores, knobs and what the families' tables have."""
    return _explained(tuple((family, tuple(FAMILIES[family])) for family in KINDS))


@cache
def _explained(families: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[dict[str, Any], ...]:
    """Of these families and names, of which a page asks many times."""
    entries = [*_words(), *_scores(), *_knobs()]
    for family, names in families:
        entries += [_of_table(family, FAMILIES[family][name]) for name in names]
    return tuple(entry._replace(see=_see(entry))._asdict() for entry in entries)


def _words() -> list[Explained]:
    in_order = sorted(WORDS, key=lambda word: word.title.lower())
    return [Explained(_name_of(word.title), word.title, "", word.meaning, word.also) for word in in_order]


def _scores() -> Iterator[Explained]:
    """Every score but those that come with another: its scatter, or the same of raw latents."""
    for score in SCORES.values():
        if find_score(score.name) == f"score-{score.name}":
            yield Explained(f"score-{score.name}", score.title, "score", score.summary, (score.name,))


def find_score(name: str) -> str:
    """The name of the entry that explains a score: its own, or that of the one which it comes with."""
    base = re.sub(r"(_sd|_raw)+$", "", name)
    return f"score-{base if base in SCORES else name}"


def _knobs() -> Iterator[Explained]:
    for knob in declared_knobs().values():
        yield Explained(f"knob-{knob.name}", knob_title(knob.name), "knob", f"{_capital(knob.help)}.", (knob.name,))


def _of_table(family: str, entry: Entry) -> Explained:
    source = f" {entry.paper}." if entry.paper else ""
    return Explained(
        f"{family}-{entry.name}", entry.title, KINDS[family], f"{_capital(entry.summary)}.{source}", (entry.name,)
    )


def _see(entry: Explained) -> tuple[str, ...]:
    """The words that an entry uses, by title or another name for it, in the order of its text."""
    text, places = f"{entry.title}. {entry.meaning}".lower(), {}
    for word in WORDS:
        forms = "|".join(re.escape(form.lower()) for form in (word.title, *word.also) if len(form) > 1)
        match = re.search(rf"(?<![\w-])(?:{forms})s?(?![\w-])", text)
        if match and _name_of(word.title) != entry.name:
            places[_name_of(word.title)] = match.start()
    return tuple(sorted(places, key=places.get)[:MOST_SEEN])


def _name_of(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
