"""Where a run comes from and what came of it: its parent, its children, and how it differs from its parent."""

import streamlit as st

from semidml.runs import lineage
from semidml.runs.run import Run
from semidml.scores.table import shown_at
from semidml.sweeps.sweep import Sweep, list_sweeps
from semidml.ui import frame
from semidml.ui.scores import score_rows
from semidml.ui.words import as_code, change_words, config_of, run_words

MOST_CHILDREN = 4  # that are told one by one


def draw_beside_parent(run: Run) -> None:
    """A finished run beside the one that it was made from: what changed in the settings, what in the scores. Nothing of
    a run that was made from none."""
    told, parent = lineage.parent_of(run), lineage.find_parent(run)
    if told is None:
        return
    if parent is None:
        st.caption(f"It was made from the run {as_code(told.id)}, which is not here (any more) to compare with.")
        return
    before, after = config_of(parent), config_of(run)
    if before is None or after is None:
        st.caption(f"It was made from the run {as_code(parent.id)}, whose folder is damaged.")
        return
    st.header("Beside the run that it was made from", anchor=False)
    changes = change_words(before, after) or "the same"
    words, link = st.columns([4, 1], vertical_alignment="center")
    words.caption(f"{run_words(parent)}.  \nSettings: {changes}.")
    with link:
        both = f"{parent.id},{run.id}"
        st.page_link(frame.COMPARE, label="Compare them", icon=":material/compare:", query_params={"runs": both})
    columns = {"before": parent.metrics() or {}, "now": run.metrics() or {}}
    rows = score_rows(shown_at("train"), columns, difference=("difference", "before", "now"))
    st.dataframe(rows, hide_index=True, width="stretch")


def draw_family(run: Run, page: str) -> None:
    """Links to the run that this one was made from and to those that were made from it; what differs, in words."""
    told = lineage.parent_of(run)
    children, sweeps = lineage.list_children(run), list_sweeps_of(run)
    if not (told or children or sweeps):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if told and (parent := lineage.find_parent(run)):
            frame.link_run(page, f"Made from: {parent.id}", "arrow_upward", parent, help=differ_words(parent, run))
        elif told:
            st.caption(f"Made from the run {as_code(told.id)}, which is not here (any more).")
        for child in children[:MOST_CHILDREN]:
            frame.link_run(page, differ_words(run, child), "subdirectory_arrow_right", child, help=run_words(child))
        if len(children) > MOST_CHILDREN:
            st.caption(f"and {len(children) - MOST_CHILDREN:,} more that were made from it")
        for sweep in sweeps:
            label, query = f"Its setting with other seeds: {sweep.name}", {"sweep": sweep.name}
            st.page_link(frame.MANY, label=label, icon=":material/grid_on:", query_params=query)


def differ_words(before: Run, after: Run) -> str:
    """What differs between the settings of two runs, in words."""
    configs = config_of(before), config_of(after)
    return (change_words(*configs) or "the same setting") if all(configs) else "damaged"


def list_sweeps_of(run: Run) -> list[Sweep]:
    """The sweeps that were made from a run."""
    return [sweep for sweep in list_sweeps() if _made_from(sweep, run)]


def _made_from(sweep: Sweep, run: Run) -> bool:
    try:
        parent = sweep.plan().parent
    except ValueError:  # damaged, which is said where it is shown
        return False
    return parent is not None and parent.created == run.created() and parent.id == run.id
