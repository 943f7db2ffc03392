"""What runs are called beside one another: a short title, and chips for what tells each from the others."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import streamlit as st

from semidml.config import RunConfig, declared_knobs
from semidml.explore.titles import data_title, labels_words
from semidml.methods import MODELS
from semidml.runs import listed
from semidml.runs.listed import Listed
from semidml.runs.places import is_made_up
from semidml.runs.run import Run
from semidml.ui.words import entry_title, knob_title, short_value
from semidml.words import printable

MOST_CHIPS = 2  # of the knobs that tell two cards apart
PLAIN_DIMENSIONS = 2  # which a map needs, and a chip need not tell
MOST_KNOWN = 4096  # names in a session
IN_CARD = ("data", "split", "evaluate_on", "pl", "model", "variant", "prior", "latent_dim")  # what `name_card` reads


class Card(NamedTuple):
    """What a run is called beside others, as plain text."""

    title: str
    chips: tuple[str, ...]


def name_cards(configs: Sequence[RunConfig]) -> list[Card]:
    """What the runs of these configs are called beside one another: no two alike. A chip tells the data, the labels,
    the prior and the dimensions; where that is the same of two, also the knobs in which they differ, and where they
    are of one setting, which of them it is."""
    plain: dict[tuple, Card] = {}
    alike: dict[Card, list[RunConfig]] = defaultdict(list)
    for config in configs:
        key = _card_key(config)
        if key not in plain:
            plain[key] = name_card(config)
        alike[plain[key]].append(config)
    differing = {card: differing_knobs(group) for card, group in alike.items()}
    cards = []
    for config in configs:
        card = plain[_card_key(config)]
        cards.append(card._replace(chips=(*card.chips, *tell_apart(config, differing[card]))))
    counts, numbers = Counter(cards), Counter()
    for position, card in enumerate(cards):
        if counts[card] > 1:
            numbers[card] += 1
            cards[position] = card._replace(chips=(*card.chips, f"{numbers[card]} of {counts[card]}"))
    return cards


def _card_key(config: RunConfig) -> tuple:
    return (*(getattr(config, name) for name in IN_CARD), config.alpha == 1)


def differing_knobs(configs: Sequence[RunConfig]) -> list[str]:
    """The knobs that do not have one value in all of these configs."""
    if len(configs) < 2:
        return []
    return [name for name in declared_knobs() if len({getattr(config, name) for config in configs}) > 1]


def tell_apart(config: RunConfig, differing: Sequence[str]) -> list[str]:
    """Chips for a few of the knobs in which a config differs from others: what was chosen by name first, then numbers,
    and of those what is not the default."""
    if not differing:
        return []
    known, (used, changed) = declared_knobs(), _knobs_of(config)
    names = [name for name in differing if name in used]
    names.sort(key=lambda name: (name not in changed, not known[name].choices))
    return [knob_chip(name, config) for name in names[:MOST_CHIPS]]


@lru_cache(maxsize=4096)
def _knobs_of(config: RunConfig) -> tuple[frozenset[str], frozenset[str]]:
    """(knobs that have an effect, those that are not as what suits the data and the model)."""
    return frozenset(config.used()), frozenset(config.changed())


def name_card(config: RunConfig) -> Card:
    """A config by itself: the model, called by what it is where labels have no weight, and what it learns from."""
    facts, used = MODELS[config.model].facts, config.used()
    family = "variant" if "variant" in used else "model"
    title = entry_title(family, getattr(config, family))
    if "alpha" in used and config.alpha == 1:
        title = facts.get("alone", title)
    chips = [printable(data_title(config)), labels_words(config)]
    chips += [entry_title("prior", config.prior)] if "prior" in used and config.prior != "none" else []
    chips += [f"{config.latent_dim} dimensions"] if config.latent_dim != PLAIN_DIMENSIONS else []
    return Card(title[0].upper() + title[1:], tuple(chips))


def knob_chip(name: str, config: RunConfig) -> str:
    """A knob and its value, `alpha 0.5`."""
    return f"{knob_title(name).lower()} {short_value(getattr(config, name))}"


def name_rows(rows: Sequence[Listed]) -> list[Card]:
    """What these runs are called beside one another; a damaged one is called so."""
    cards = iter(name_cards([row.config for row in rows if row.config]))
    return [next(cards) if row.config else Card("Damaged", ()) for row in rows]


def list_words(rows: Sequence[Listed]) -> dict[Listed, str]:
    """The same as words, to be searched."""
    return {row: " ".join([card.title, *card.chips]) for row, card in zip(rows, name_rows(rows), strict=True)}


def shared_chips(cards: Sequence[Card]) -> tuple[str, ...]:
    """The chips that all cards have, of more than one."""
    if len(cards) < 2:
        return ()
    common = set(cards[0].chips).intersection(*(card.chips for card in cards[1:]))
    return tuple(chip for chip in cards[0].chips if chip in common)


def choice_words(runs: Iterable[Run]) -> dict[str, str]:
    """What runs are called in a select box, by name: a title, what tells it from the others, when it was made, and the
    name where a person gave it one. A box knows its choices by their words: a run that this visitor has seen in a list
    keeps its words, whatever is trained since."""
    rows = [row for run in runs if (row := listed.read_row(str(run.path)))]
    known: dict[str, tuple[float, str]] = st.session_state.setdefault("names of runs", {})
    names = {row.name for row in rows}
    taken = {words for name, (_, words) in known.items() if name in names}
    cards = name_rows(rows)
    common = shared_chips(cards)
    for row, card in zip(rows, cards, strict=True):
        name = row.name
        if name in known and known[name][0] == row.created:
            continue
        words = _choice(row, card._replace(chips=tuple(chip for chip in card.chips if chip not in common)))
        if words in taken:
            words = f"{words} · {name[-4:]}"
        known[name] = row.created, words
        taken.add(words)
    if len(known) > MOST_KNOWN:
        st.session_state["names of runs"] = {name: known[name] for name in names}
    return {row.name: known[row.name][1] for row in rows}


def _choice(row: Listed, card: Card) -> str:
    if row.run.is_shipped:
        return " · ".join((card.title, *card.chips, "shipped"))
    when = time.strftime("%-d %b, %H:%M", time.localtime(row.created))
    own = () if is_made_up(row.run.path.name) else (row.name,)
    return " · ".join((card.title, *card.chips, *own, when))
