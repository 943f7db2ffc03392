"""A run among those that differ from it in the seed alone: the one click that trains them, and what they tell."""

from collections.abc import Iterable, Mapping

import streamlit as st

from semidml.memory import cores
from semidml.runs.run import Run
from semidml.scores.table import SCORES
from semidml.sweeps import seeds
from semidml.sweeps.plan import Plan
from semidml.sweeps.seeds import Band, Siblings
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import Table, prefix_of
from semidml.ui import cache, controls, frame, manage
from semidml.ui.many import effort
from semidml.ui.many.lattice import mean_words
from semidml.ui.scores import score_rows
from semidml.ui.words import as_code, config_of, seconds_of_alike
from semidml.words import seconds_words

STARTED = "sweep of seeds started"  # of the session: where the page leads when it is drawn next


def find(run: Run) -> Siblings | None:
    """The runs of its setting with other seeds, see `seeds.find_siblings`; None where it or its sweep is damaged, which
    is said where they are shown."""
    try:
        return seeds.find_siblings(run)
    except ValueError:
        return None


def siblings_of(sweep: Sweep, plan: Plan, table: Table) -> Siblings:
    """All runs of a sweep that varies nothing but seeds."""
    return Siblings(sweep, table, prefix_of(plan.base["evaluate_on"]))


def draw_seeds(run: Run, names: Iterable[str]) -> None:
    """These scores of a finished run beside mean, sd and n over the seeds of its setting; or the button that trains
    them."""
    if name := st.session_state.pop(STARTED, ""):
        st.switch_page(frame.MANY, query_params={"sweep": name})
    siblings = find(run)
    if siblings is None:
        draw_button(run)
        return
    count, done = len(siblings.table.frame), len(siblings.runs)
    words, link = st.columns([3, 1], vertical_alignment="center")
    of = f"{done} of {count} are done" if done < count else "all are done"
    words.markdown(f"**The same with {count} seeds**: {of}, in the sweep {as_code(siblings.sweep.name)}")
    link.page_link(
        frame.MANY, label="Many at once", icon=":material/grid_on:", query_params={"sweep": siblings.sweep.name}
    )
    told = tell_spreads({"": run}, names)
    rows = score_rows(names, {"this run": run.metrics() or {}}, told={"over seeds": next(iter(told.values()), {})})
    if rows and told:
        st.dataframe(rows, hide_index=True, width="stretch")


def draw_button(run: Run) -> None:
    """Trains a run's setting with further seeds, and leads to the page that shows them."""
    config = config_of(run)
    if config is None or run.status().state != "done":
        return
    problem, seconds = controls.cannot_work(config), seconds_of_alike(config)
    further = seeds.COUNT - 1
    time = f", about {seconds_words(seconds * further / min(cores(), further))}," if seconds else ""
    button, words = st.columns([1, 2.4], vertical_alignment="center")
    words.caption(problem or f"One run says little: {further} further seeds{time} tell how far its scores scatter.")
    label = f"The same with {seeds.COUNT} seeds"
    act = {"on_click": start, "args": (run,), "disabled": bool(problem), "key": f"seeds {run.id}"}
    button.button(label, icon=":material/grid_on:", width="stretch", **act)


def start(run: Run) -> None:
    """Trains them; what is drawn next leads there. A click is heard so even where the page is drawn anew meanwhile."""
    if manage.perform(lambda: effort.start(seeds.plan_seeds(run)), failed=manage.NOT_STARTED):
        st.session_state[STARTED] = st.session_state["shown sweep"]


def tell_spreads(runs: Mapping[str, Run], names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Columns of mean, sd and n over seeds, in words by score, of some runs by letter: one for all that share a
    setting; none for those without others."""
    letters: dict[tuple, list[str]] = {}
    words: dict[tuple, dict[str, str]] = {}
    for letter, run in runs.items():
        if siblings := find(run):
            key = (siblings.sweep, *siblings.table.frame["cell"])
            letters.setdefault(key, []).append(letter)
            words[key] = spread_words(siblings, names)
    return {f"{', '.join(letters[key])} over seeds".strip(): told for key, told in words.items() if told}


def spread_words(siblings: Siblings, names: Iterable[str]) -> dict[str, str]:
    """Mean, sd and n of each of these scores that a run has: 87.1 ± 1.2 % (n = 10)."""
    spreads = seeds.spread_scores(siblings, names)
    return {name: mean_words(f"{siblings.prefix}{name}", *spread) for name, spread in spreads.items()}


@cache.until_changed(st.cache_data(show_spinner=False), "history.jsonl")
def live_scores(run: Run) -> seeds.LiveScores:
    """See `seeds.scores_by_epoch`."""
    return seeds.scores_by_epoch(run)


def read_bands(siblings: Siblings, names: Iterable[str]) -> dict[str, Band]:
    """The bands of these live scores over the seeds that are done."""
    return seeds.spread_history([live_scores(run) for run in siblings.runs], names)


def band_words(siblings: Siblings) -> str:
    """What a band is, in a sentence."""
    return f"A band is the mean over {len(siblings.runs)} seeds, with one standard deviation to either side."


def draw_table(siblings: Siblings) -> None:
    """Mean, sd and n of every score."""
    told = spread_words(siblings, SCORES)
    st.dataframe(
        [{"score": SCORES[name].title, "over seeds": words} for name, words in told.items()],
        hide_index=True,
        width="stretch",
        height=min(560, 38 + 35 * max(1, len(told))),
    )
