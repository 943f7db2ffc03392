"""Scores on a page."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from semidml.explore.titles import score_with_scatter, score_words
from semidml.frames import TEST
from semidml.runs.run import Run
from semidml.scatter import bundle
from semidml.scores.meaning import list_left_out
from semidml.scores.table import SCORES
from semidml.ui import cache
from semidml.ui.words import escape_markdown
from semidml.words import decimals

HEADLINES = 2  # scores of a card that are large


def remark_words(names: Iterable[str], notes: Mapping[str, str]) -> list[str]:
    """What there is to know of these scores, for Markdown: each remark once, with the scores that it is of."""
    titles: dict[str, list[str]] = {}
    for name in names:
        if name in notes:
            titles.setdefault(notes[name], []).append(SCORES[name].title)
    return [f"{', '.join(named)}: {escape_markdown(note)}" for note, named in titles.items()]


def difference_words(name: str, before: float | None, after: float | None) -> str:
    """`+1.2` (points of a percentage) or `-0.013`; a dash when one is missing."""
    if before is None or after is None:
        return "–"
    if SCORES[name].unit == "count":
        return decimals(after - before, 0, "+")
    if SCORES[name].unit == "share":
        return f"{decimals(100 * (after - before), 1, '+')} points"
    return decimals(after - before, 3, "+")


def score_rows(
    names: Iterable[str],
    columns: Mapping[str, Mapping[str, Any]],
    *,
    head: str = "score",
    difference: tuple[str, str, str] | None = None,
    in_brackets: bool = False,
    told: Mapping[str, Mapping[str, str]] | None = None,
) -> list[dict[str, str]]:
    """A table of scores: a row a score that is known in a column, a column the scores of a run. `difference`: title of
    a last column, and the two columns from which and to which it is. `in_brackets`: how each differs from the first.
    `told`: further columns, of words by score."""
    rows = []
    for name in names:
        values = {column: scores.get(name) for column, scores in columns.items()}
        if all(value is None for value in values.values()):
            continue
        row = {column: score_with_scatter(name, scores) for column, scores in columns.items()}
        first, *others = columns
        for column in others if in_brackets else ():
            if None not in (values[first], values[column]):
                row[column] += f" ({difference_words(name, values[first], values[column])})"
        if difference:
            title, before, after = difference
            row[title] = difference_words(name, values[before], values[after])
        row |= {column: words.get(name, "–") for column, words in (told or {}).items()}
        rows.append({head: SCORES[name].title} | row)
    return rows


def draw_score_table(key: str, rows: Sequence[Mapping[str, str]], told: Mapping[str, str] | None = None) -> None:
    """The rows of `score_rows`, each score with its help; `told`: that of rows which are no score's, by their first
    words. Of the same key it is one element of the page, whose numbers change in place."""
    draw = st.components.v2.component(
        bundle.SCORES, html=bundle.SCORES_HTML, css=bundle.css("help", "scores"), js=bundle.javascript("scores")
    )
    titles = {next(iter(row.values())) for row in rows}
    known = {score.title: score.summary for score in SCORES.values() if score.title in titles}
    lines = (tuple(rows[0]), *(tuple(row.values()) for row in rows))  # for a list Streamlit would load pandas
    draw(data={"rows": lines, "help": known | dict(told or {})}, key=key)


def scores_now(run: Run) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """(scores before training, scores now, why some are not known) of a run: now are the final ones once it is done,
    with their remarks under "notes"."""
    scored = [record.scores for record in run.history() if record.scores]
    final = run.metrics()
    now = final or (scored[-1] if scored else {})
    return scored[0] if scored else {}, now, (final or {}).get("failed", {})


def tests_labels(run: Run) -> bool:
    """Whether a test row that a run draws has a label; so it is taken to be until there are rows."""
    if not (run.path / "rows.npz").exists():
        return True
    rows = cache.read_rows(run)
    return bool((rows["labels"][rows["split"] == TEST] >= 0).any())


def score_row(
    names: Iterable[str],
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    failed: Mapping[str, str],
    *,
    always: Container[str] = (),
    words: str = "",
    of: str = "",
    key: str = "scores",
) -> None:
    """Scores with their scatter, and what they were before training, where that was scored; a dash for one that is not
    known (yet). Of those that are neither known nor in `always`, none. The first HEADLINES are large. They change in
    place, and of the same key they are one element of the page; `words` stand below them in plain text, of: the run.
    Below, why some could not be computed, and what there is to know of others ("notes" of now)."""
    shown = [name for name in names if name in always or name in now or name in before]
    told = [
        score_told(name, now, failed)
        | ({"before": f"before {score_words(name, before.get(name))}"} if name in before or not before else {})
        for name in shown
    ]
    draw_card(key, told, words=words, of=of)
    for icon, remarks in (("error", failed), ("info", now.get("notes", {}))):
        for remark in remark_words(shown, remarks):
            st.caption(f":material/{icon}: {remark}")
    for left_out in list_left_out({"failed": failed, **now}):
        st.caption(f":material/info: {left_out}")


def draw_card(
    key: str, told: Sequence[Mapping[str, str]], headlines: int = HEADLINES, words: str = "", of: str = ""
) -> None:
    """The component of `score_row`; told: see `score_told`, the first `headlines` of them large."""
    draw = st.components.v2.component(
        bundle.SCORECARD,
        html=bundle.SCORECARD_HTML,
        css=bundle.css("help", "scorecard"),
        js=bundle.javascript("scorecard"),
    )
    large, small = tuple(told[:headlines]), tuple(told[headlines:])  # for a list Streamlit would load pandas
    data = {"of": of, "headlines": large, "others": small, "words": words}
    draw(data=data, key=key)


def score_told(name: str, now: Mapping[str, Any], failed: Mapping[str, str]) -> dict[str, str]:
    """What a card says of a score, as plain text: title, value, what it was before, help."""
    reason = f" Not computed: {failed[name]}." if name in failed else ""
    told = {"name": name, "title": SCORES[name].title, "value": score_with_scatter(name, now), "before": ""}
    return told | {"help": f"{SCORES[name].summary}{reason}"}
