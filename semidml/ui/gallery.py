"""Cards of finished runs: a small map, a short title, chips for what tells a run from the others, its score."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from semidml.config import RunConfig, declared_knobs
from semidml.explore.titles import data_title, labels_words
from semidml.methods import MODELS
from semidml.runs.run import Run
from semidml.scores.meaning import list_left_out
from semidml.ui import frame, living
from semidml.ui.words import (
    entry_title,
    escape_markdown,
    knob_title,
    plain_markdown,
    short_value,
)
from semidml.words import age_words, percent

MOST_CHIPS = 2  # of the knobs that tell two cards apart
PLAIN_DIMENSIONS = 2  # which a map needs, and a chip need not tell


class Card(NamedTuple):
    """What a run is called in the gallery, as plain text."""

    title: str
    chips: tuple[str, ...]


def draw_gallery(runs: Sequence[Run]) -> None:
    """A card a run, all of one height, each a single link to the run."""
    named = zip(runs, name_cards([run.config() for run in runs]), strict=True)
    with st.container(key="gallery"):
        for number, (run, card) in enumerate(named):
            with st.container(border=True, key=f"card-run-{number}", height="stretch", gap="xsmall"):
                draw_card(run, card)


def draw_card(run: Run, card: Card) -> None:
    metrics = run.metrics() or {}
    living.draw_small_map(run, ", ".join([card.title, *card.chips]))
    st.page_link(frame.TRAIN, label=f"**{plain_markdown(card.title)}**", query_params={"run": run.id})
    st.markdown(" ".join(f":gray-badge[{plain_markdown(chip)}]" for chip in card.chips))
    score, title, remark = headline_words(run, metrics)
    st.markdown(f"**{score}**  \n:small[{title}{remark}]")
    kind = "; all points coincide" if metrics.get("collapsed") else ""
    st.caption(f"{'Shipped' if run.is_shipped else age_words(run.created()).capitalize()}{kind}")


def name_cards(configs: Sequence[RunConfig]) -> list[Card]:
    """What the runs of these configs are called beside one another: no two alike. A chip tells the data, the labels,
    the prior and the dimensions; where that is the same of two, also the knobs in which they differ, and where they
    are of one setting, which of them it is."""
    plain = [name_card(config) for config in configs]
    cards = []
    for config, card in zip(configs, plain, strict=True):
        alike = [other for other, called in zip(configs, plain, strict=True) if called == card]
        cards.append(card._replace(chips=(*card.chips, *tell_apart(config, alike))))
    counts, numbers = Counter(cards), Counter()
    for position, card in enumerate(cards):
        if counts[card] > 1:
            numbers[card] += 1
            cards[position] = card._replace(chips=(*card.chips, f"{numbers[card]} of {counts[card]}"))
    return cards


def tell_apart(config: RunConfig, others: Sequence[RunConfig]) -> list[str]:
    """Chips for a few knobs in which a config differs from some of the others: what was chosen by name first, then
    numbers, and of those what is not the default."""
    known, used, changed = declared_knobs(), config.used(), config.changed()
    names = [name for name in known if name in used and any(getattr(o, name) != getattr(config, name) for o in others)]
    names.sort(key=lambda name: (name not in changed, not known[name].choices))
    return [knob_chip(name, config) for name in names[:MOST_CHIPS]]


def name_card(config: RunConfig) -> Card:
    """A config by itself: the model, called by what it is where labels have no weight, and what it learns from."""
    facts, used = MODELS[config.model].facts, config.used()
    family = "variant" if "variant" in used else "model"
    title = entry_title(family, getattr(config, family))
    if "alpha" in used and config.alpha == 1:
        title = facts.get("alone", title)
    chips = [data_title(config), labels_words(config)]
    chips += [entry_title("prior", config.prior)] if "prior" in used and config.prior != "none" else []
    chips += [f"{config.latent_dim} dimensions"] if config.latent_dim != PLAIN_DIMENSIONS else []
    return Card(title[0].upper() + title[1:], tuple(chips))


def knob_chip(name: str, config: RunConfig) -> str:
    """A knob and its value, `alpha 0.5`."""
    return f"{knob_title(name).lower()} {short_value(getattr(config, name))}"


def headline_words(run: Run, metrics: dict) -> tuple[str, str, str]:
    """(the score of a run that tells most, what it is, what there is to know of it or ""): one that fits nothing to
    labels where the run saw none, and where no test class was trained on."""
    retrieved = "recall_at_1" in metrics and "knn_accuracy" not in metrics
    by_recall = retrieved or not MODELS[run.config().model].facts["labels"]
    if left_out := [words for words in list_left_out(metrics) if not {"recall_at_1", "knn_accuracy"} & set(metrics)]:
        return "no labels", left_out[0].rstrip("."), ""
    name = "recall_at_1" if by_recall else "knn_accuracy"
    note = metrics.get("notes", {}).get(name, "")
    remark, share = f" ({escape_markdown(note)})" if note else "", percent(metrics.get(name))
    if by_recall:
        return f"R@1 {share}", "Nearest other test image of the same class", remark
    return share, "kNN on all labels", remark
