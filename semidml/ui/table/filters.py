"""Which runs the table shows, and in which order: chosen by presses or typed, and told by the link."""

import shlex
from collections.abc import Iterable, Sequence

import streamlit as st

from semidml.config import declared_knobs
from semidml.runs import notes, query
from semidml.runs.listed import Listed
from semidml.runs.query import CREATED, RELATIONS, WORDS, Condition, Query
from semidml.scores.table import SCORES
from semidml.ui import links, manage
from semidml.ui.words import entry_title, knob_title
from semidml.words import percent, value_words

PAGE = "runs"
PARTS = ("search", "where", "tag", "sort", "runs")  # of its link
SEARCH, WHERE, TAGS, SORT, REVERSE = (f"runs {name}" for name in ("search", "where", "tags", "sort", "reverse"))
CHOSEN, MOST_CHOSEN = "chosen runs", 20  # names in the session, and how many of them a link tells
BETWEEN = ";"  # conditions of a link; no condition has one
FIELDS = {"name": "Name", "state": "State", "tag": "Tag", "note": "Note", CREATED: "When it was made"}
MOST_OFFERED = 200  # values of a field, to be chosen from
KEPT = {"persist_state": "session"}


def read_link() -> None:
    """Sets the filters as the link says."""
    state = st.session_state

    def take_search(text: str) -> None:
        state[SEARCH] = text[: query.MOST_TEXT]

    def take_conditions(text: str) -> None:
        parts = [part for part in text.split(BETWEEN) if part.strip()]
        conditions = tuple(map(query.parse_condition, parts[: query.MOST_CONDITIONS + 1]))
        state[WHERE] = list(dict.fromkeys(map(str, Query(conditions).where)))

    def take_tags(text: str) -> None:
        state[TAGS] = list(Query(tags=tuple(notes.split_tags(text))).tags)

    def take_sort(text: str) -> None:
        state[SORT], state[REVERSE] = Query(sort=text.removeprefix("-")).sort, text.startswith("-")

    def take_chosen(text: str) -> None:
        state[CHOSEN] = text.split(",")[:MOST_CHOSEN]  # those that are not here are none of the table's

    takers = {"search": take_search, "where": take_conditions, "tag": take_tags, "sort": take_sort}
    takers["runs"] = take_chosen
    for name, take in takers.items():
        links.follow_part(PAGE, name, take)


def write_link(asked: Query, chosen: Sequence[str]) -> None:
    """Puts the filters, and the runs that are chosen, into the link."""
    order = f"{'-' * asked.reverse}{asked.sort or CREATED}" if asked.sort or asked.reverse else ""
    parts = {"search": asked.text, "where": BETWEEN.join(map(str, asked.where)), "tag": ",".join(asked.tags)}
    links.write_parts(PAGE, parts | {"sort": order, "runs": ",".join(chosen[:MOST_CHOSEN])})


def choose_query(rows: Sequence[Listed]) -> Query:
    """The widgets of the filters, and what they ask for."""
    fields = list_used_fields(rows)
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        with st.container(width=180):
            about = {"placeholder": "name, setting, note", "max_chars": query.MOST_TEXT}
            text = st.text_input("Search", key=SEARCH, **about, **KEPT)
        with st.container(width=290):
            where = draw_conditions()
        with st.popover("Filter", icon=":material/filter_alt:", help="By a knob, a score, a state, a tag"):
            draw_new(rows, fields)
        with st.container(width=160):
            tags = draw_tags(rows)
        with st.container(width=240):
            sort, is_reversed = draw_order(fields)
    sort = "" if sort == CREATED else sort
    return Query(tuple(map(query.parse_condition, where)), tuple(tags), text or "", sort, is_reversed)


def draw_conditions() -> list[str]:
    """The conditions that hold, each of which can be taken away, and a place to type another."""
    kept = st.session_state.get(WHERE, [])
    return st.multiselect(
        "Conditions",
        kept,
        format_func=condition_words,
        key=WHERE,
        accept_new_options=True,
        on_change=take_typed,
        placeholder="Type one, such as pl<1",
        help="A knob or a score, one of < <= = != >= > ~ (contains), a value; or press Filter. All of them hold.",
        max_selections=query.MOST_CONDITIONS,
        **KEPT,
    )


def take_typed() -> None:
    """What was typed becomes a condition, or is said to be none."""
    texts, conditions = st.session_state[WHERE], {}

    def read() -> None:
        problems = []
        for text in texts:
            try:
                conditions[str(query.parse_condition(text))] = True
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError(problems[0])

    manage.perform(read)
    st.session_state[WHERE] = list(conditions)


def draw_new(rows: Sequence[Listed], fields: Sequence[str]) -> None:
    """A condition by presses: what, how, which value."""
    field = st.selectbox("What", [name for name in fields if name != CREATED], format_func=field_title, key="new field")
    how = query.relations_of(field)
    relation = st.selectbox("How", how, format_func=RELATIONS.__getitem__, key=f"new relation {how}")
    offered = offered_values(rows, field)
    key = f"new value {field}"
    if offered and relation in ("=", "!="):
        value = st.selectbox("Value", offered, format_func=lambda text: entry_title(field, text), key=key)
    else:
        value = st.text_input("Value", key=f"{key} typed", max_chars=query.MOST_TEXT, help=range_words(rows, field))
    act = {"on_click": add_condition, "args": (field, relation, value), "disabled": not value}
    st.button("Add the filter", key="add filter", icon=":material/add:", **act)


def add_condition(field: str, relation: str, value: str) -> None:
    def add() -> None:
        condition = query.make_condition(field, relation, value)
        kept = [*st.session_state.get(WHERE, []), str(condition)]
        st.session_state[WHERE] = list(map(str, Query(tuple(map(query.parse_condition, dict.fromkeys(kept)))).where))

    manage.perform(add)


def draw_tags(rows: Iterable[Listed]) -> list[str]:
    known = list_tags(rows)
    kept = [tag for tag in st.session_state.get(TAGS, []) if tag not in known]  # of a link, or gone by now
    return st.multiselect("Tags", [*known, *kept], key=TAGS, placeholder="any" if known else "none yet", **KEPT)


def list_tags(rows: Iterable[Listed]) -> list[str]:
    """The tags that these runs have, by the letter."""
    return sorted({tag for row in rows for tag in row.notes.tags}, key=str.casefold)


def draw_order(fields: Sequence[str]) -> tuple[str, bool]:
    kept = st.session_state.get(SORT)
    offered = [CREATED, "name", "state", *(name for name in fields if name not in (*WORDS, CREATED))]
    offered += [kept] if kept and kept not in offered else []
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):
        sort = st.selectbox(
            "Sort by", offered, format_func=field_title, key=SORT, help="The newest and the best come first.", **KEPT
        )
        is_reversed = st.toggle(":material/swap_vert:", key=REVERSE, help="The other way round", **KEPT)
    return sort, is_reversed


# ---- fields and words


def list_used_fields(rows: Iterable[Listed]) -> list[str]:
    """Fields of which some of these runs have a value: words, knobs, scores."""
    knobs = set().union(*(row.used for row in rows))
    scores = set().union(*(row.scores for row in rows))
    known = [
        *(n for n in declared_knobs() if n in knobs),
        *(n for n, s in SCORES.items() if n in scores and not s.is_scatter),
    ]
    return [CREATED, *WORDS, *known]


def field_title(field: str) -> str:
    """A field as it is read."""
    if field in SCORES:
        return SCORES[field].title
    return FIELDS.get(field) or knob_title(field)


def offered_values(rows: Iterable[Listed], field: str) -> list[str]:
    """The values of a field of words among these runs, where they are few enough to choose from."""
    if not query.is_text(field) or field == "note":
        return []
    values = {str(value) for row in rows for value in query.values_of(row, field) if value is not None}
    return sorted(values, key=str.casefold) if len(values) <= MOST_OFFERED else []


def range_words(rows: Iterable[Listed], field: str) -> str | None:
    """From where to where the values of a number reach among these runs; None of words."""
    if query.is_text(field):
        return None
    values = [value for row in rows if (value := query.value_of(row, field)) is not None]
    return f"Here from {number_words(field, min(values))} to {number_words(field, max(values))}." if values else None


def number_words(field: str, value: float) -> str:
    return percent(value) if field in SCORES and SCORES[field].unit == "share" else value_words(value)


def condition_words(text: str) -> str:
    """A condition as it is read: `Labels seen < 1`. What is none yet stands as it was typed."""
    try:
        condition: Condition = query.parse_condition(text)
    except ValueError:
        return text
    value = condition.value
    told = entry_title(condition.field, value) if isinstance(value, str) else number_words(condition.field, value)
    return f"{field_title(condition.field)} {condition.relation} {told}"


def command_of(asked: Query) -> str:
    """The command that lists the same."""
    words = [f"--where {shlex.quote(str(condition))}" for condition in asked.where]
    words += [f"--tag {shlex.quote(tag)}" for tag in asked.tags]
    words += [f"--search {shlex.quote(asked.text)}"] if asked.text else []
    words += [f"--sort {asked.sort}"] if asked.sort else []
    words += ["--reverse"] if asked.reverse else []
    return " ".join(["python -m semidml runs", *words])
