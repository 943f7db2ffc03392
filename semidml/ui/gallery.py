"""Cards of finished runs: a small map, a short title, chips for what tells a run from the others, its score."""

from collections.abc import Sequence

import streamlit as st

from semidml.methods import MODELS
from semidml.runs.run import Run
from semidml.scores.meaning import list_left_out
from semidml.ui import frame, living
from semidml.ui.names import Card, name_cards
from semidml.ui.words import escape_markdown, plain_markdown
from semidml.words import age_words, percent


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
