"""The table of runs: a row a run, with what tells it from the others, its scores, its tags and where it comes from."""

import hashlib
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from semidml.runs import query
from semidml.runs.lineage import Family
from semidml.runs.listed import Listed
from semidml.runs.query import Query
from semidml.scores.table import SCORES, shown_at
from semidml.ui.names import Card, shared_chips
from semidml.ui.table.filters import CHOSEN, field_title
from semidml.words import printable

HEIGHT = 430  # pixels: what is chosen, and what can be done with it, stay in the same window
Config = dict[str, Any]


def draw_table(rows: Sequence[Listed], cards: Sequence[Card], family: Family, asked: Query) -> list[Listed]:
    """The table, and the rows that are chosen in it. A choice is kept by name: whatever the filters show, and whoever
    trains or deletes meanwhile, no other run takes the place of one that was chosen."""
    names = [row.name for row in rows]
    chosen = [name for name in st.session_state.get(CHOSEN, []) if name in set(names)]
    st.session_state[CHOSEN] = chosen
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    key = f"table of runs {digest}"  # of these rows: a choice that was on its way is of no others
    places = {name: place for place, name in enumerate(names)}
    selection = {"selection": {"rows": [places[name] for name in chosen], "columns": [], "cells": []}}
    if st.session_state.get(key, selection)["selection"]["rows"] != selection["selection"]["rows"]:
        st.session_state[key] = selection
    values, config = make_columns(rows, cards, family, asked)

    def take() -> None:
        picked = st.session_state[key]["selection"]["rows"]
        st.session_state[CHOSEN] = [names[place] for place in picked if 0 <= place < len(names)]

    st.dataframe(
        values,
        height=min(HEIGHT, 40 + 35 * max(1, len(rows))),
        hide_index=True,
        column_config=config,
        key=key,
        on_select=take,
        selection_mode="multi-row",
        selection_default=selection,
        placeholder="–",
        alt=f"{len(rows):,} runs with their settings, scores, tags and notes",
    )
    kept = set(st.session_state[CHOSEN])
    return [row for row in rows if row.name in kept]


def make_columns(
    rows: Sequence[Listed], cards: Sequence[Card], family: Family, asked: Query
) -> tuple[dict[str, list], dict[str, Config]]:
    """(values by column, how each column is shown)."""
    common, column = set(shared_chips(cards)), st.column_config
    values: dict[str, list] = {"title": [card.title for card in cards]}
    config: dict[str, Config] = {"title": column.TextColumn("Run", width=170, pinned=True)}
    values["chips"] = [[chip for chip in card.chips if chip not in common] for card in cards]
    config["chips"] = column.ListColumn("What tells it apart", width=280)
    told = dict.fromkeys([*asked.fields, *shown_at("runs")])
    for name in told:
        if name not in SCORES:
            values[name] = [query.value_of(row, name) for row in rows]
            config[name] = knob_column(name)
        elif name in asked.fields or any(name in row.scores for row in rows):
            values[name] = [row.scores.get(name) for row in rows]
            config[name] = score_column(name)
    values["state"] = [row.state.capitalize() for row in rows]
    config["state"] = column.TextColumn("State", width=90)
    values["made"] = ["shipped" if row.run.is_shipped else time_words(row.created) for row in rows]
    config["made"] = column.TextColumn("Made", width=130)
    values["tags"] = [row.notes.tags for row in rows]
    config["tags"] = column.ListColumn("Tags", width=160)
    values["note"] = [row.notes.note.partition("\n")[0] for row in rows]
    config["note"] = column.TextColumn("Note", width=200)
    if family.parents or any(row.parent for row in rows):
        values["parent"] = [parent_words(row, family) for row in rows]
        config["parent"] = column.TextColumn("Made from", width=150, help="The run whose setting was changed.")
        values["children"] = [[child.id for child in family.children.get(row.run, ())] for row in rows]
        config["children"] = column.ListColumn("Made into", width=150, help="Runs that were made from it.")
    values["name"] = [row.name for row in rows]
    config["name"] = column.TextColumn("Name", width=260)
    if any(row.problem for row in rows):
        values["problem"] = [printable(row.problem) for row in rows]
        config["problem"] = column.TextColumn("What is damaged", width=300)
    return values, config


def score_column(name: str) -> Config:
    score = SCORES[name]
    form = "percent" if score.unit == "share" else "%.0f" if score.unit == "count" else f"%.{score.digits}f"
    return st.column_config.NumberColumn(score.title, format=form, help=score.summary, width=120)


def knob_column(name: str) -> Config:
    if query.is_text(name):
        return st.column_config.TextColumn(field_title(name), width=120)
    return st.column_config.NumberColumn(field_title(name), format="%g", width=110)


def time_words(seconds: float) -> str:
    """When a run was made, so that the words sort as the times do."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M") if seconds < time.time() + 1e9 else "–"


def parent_words(row: Listed, family: Family) -> str:
    if parent := family.parents.get(row.run):
        return parent.id
    return f"{row.parent.id}, which is gone" if row.parent else ""
