"""Runs: all of them as a table; sort, filter, tag, note, compare, export, delete."""

import streamlit as st

from semidml.runs import lineage, listed
from semidml.ui import links, manage
from semidml.ui.frame import SECONDS_IDLE, TRAIN, begin_page, draw_bar, draw_empty
from semidml.ui.names import list_words, name_rows, shared_chips
from semidml.ui.table import acts, columns, details, filters
from semidml.ui.words import plain_markdown

begin_page("Runs", filters.PARTS)
bar = draw_bar("Runs")
with bar.container(key="about"):
    st.caption("Every run of this machine's folder, and those that come with the project. Choose some to act on them.")
filters.read_link()


def draw_runs() -> None:
    """Filters, acts, table and the run that is chosen alone."""
    rows = listed.list_rows()
    if not rows:
        with draw_empty("No run is here yet"):
            st.page_link(TRAIN, label="Train one on the digits", icon=":material/play_circle:")
        return
    manage.draw_outcome()
    links.say_problems(filters.PAGE)
    asked = filters.choose_query(rows)
    called = list_words(rows) if asked.text else {}
    shown = asked.apply(rows, called.get)
    cards = name_rows(shown)
    acts_place, count_place = st.container(), st.container()
    chosen = columns.draw_table(shown, cards, lineage.list_families(rows), asked)
    with acts_place:
        acts.draw_acts(shown, chosen)
    with count_place:
        same = shared_chips(cards)
        common = f" All of them: {plain_markdown(', '.join(same))}." if same else ""
        st.caption(f"{len(shown):,} of {len(rows):,} runs.{common}")
    if len(chosen) == 1:
        details.draw_details(chosen[0], cards[shown.index(chosen[0])])
    filters.write_link(asked, [row.name for row in chosen])
    with st.expander("The same without the page", icon=":material/terminal:"):
        st.code(filters.command_of(asked), language="bash", wrap_lines=True)


goes_on = any(row.state in ("queued", "running") for row in listed.list_rows(include_shipped=False))
st.fragment(draw_runs, run_every=SECONDS_IDLE if goes_on else None)()
