"""What a link says of a page, both ways: the knobs, and which run or data set is shown."""

import itertools
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from semidml.config import RunConfig, declared_knobs
from semidml.methods import models_of
from semidml.ui import knobs, words
from semidml.ui.unread import list_repeated
from semidml.words import value_words

MOST_SAID = 400  # characters of what is wrong with a part
MOST_NUMBERS = 200  # characters of a part of a link that is some numbers
MOST_FAR = 1e6  # of a place that a link names
OF_MAPS = ("view", "filter", "hidden")  # parts that a run's map itself keeps in the address, see `scatter/address.js`
SECONDS_OLD = 10.0  # for which a request may carry an address that was replaced since


def read_link(method: str = "", run_id: str = "", run_knobs: Mapping[str, Any] | None = None) -> None:
    """Sets the knobs as the link says, if it is not the one that this page wrote; a link is a whole setting: knobs
    that it does not name are those of the run that it brings, if `run_id` and `run_knobs` say so, else their defaults.
    On a page of one method, if it is named, the model is one of that. What is wrong with the link stays on the page
    until a knob moves."""
    known, state = declared_knobs(), st.session_state
    raw = {name: st.query_params[name] for name in st.query_params if name in known}
    if run_id or (raw and is_new("knobs", raw)):
        brought = dict(run_knobs or {})
        explicit, wrong = parse_knobs(raw, brought.get("model"))
        problems, values = list_repeated(known), brought | explicit
        knobs.set_knobs(values, run_id)
        values = knobs.chosen_knobs()
        state["link's own knobs"] = bool(explicit)
        if method and values.setdefault("model", next(iter(models_of(method)))) not in models_of(method):
            problems.append(f"the model {values['model']} is another page's, and so are the link's other knobs")
            knobs.switch_method(method)
        config = _config_or_none(knobs.chosen_knobs())
        for name, problem in wrong.items():
            instead = config and value_words(getattr(config, name))
            problems.append(f"{cut(problem)}; {cut(instead) if instead else 'its default'} is used instead")
        if config and knobs.chosen_knobs() is values:
            idle = [name for name, value in explicit.items() if getattr(config, name) != value]
            problems += [f"{name} has no effect with the other choices" for name in idle]
        state["link problems"] = problems
        note_written("knobs", raw)
    for problem in state.get("link problems", []):
        sentence = words.escape_markdown(words.printable(problem))
        st.warning(f"The link was not followed in one place: {sentence}.", icon=":material/link_off:")


def parse_knobs(raw: Mapping[str, str], model: str | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """(knobs that are valid, what is wrong with each of the others), of this model where they name none."""
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for name, text in raw.items():
        try:
            if name == "data" and text not in knobs.data_names():
                raise ValueError(f"data must be one of {', '.join(knobs.data_names())}, got {text[:60]!r}")
            of_prior = raw.get("model", model) if name == "prior" else None
            values[name] = getattr(RunConfig.of(({"model": of_prior} if of_prior else {}) | {name: text}), name)
        except ValueError as error:
            wrong[name] = str(error)
    return values, wrong


def _config_or_none(values: Mapping[str, Any]) -> RunConfig | None:
    """The config of these knobs; None where they do not go together, which the page says."""
    try:
        return knobs.config_of(values)
    except ValueError:
        return None


def cut(text: str) -> str:
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]} …"


def write_link(config: RunConfig, shown: RunConfig | None = None) -> None:
    """Puts the knobs into the link, under the names of the command line; other parameters stay. shown: the setting of
    the run that the link names, whose knobs whoever opens it gets where it says nothing else."""
    link = link_of(config)
    if shown:
        differ = [name for name in config.used() if getattr(config, name) != getattr(shown, name)]
        link = {name: value_words(getattr(config, name)) for name in differ} | link
    others = {name: st.query_params[name] for name in st.query_params if name not in declared_knobs()}
    if dict(st.query_params) != others | link:
        st.query_params.from_dict(others | link)
    note_written("knobs", link)


def choose_linked(
    parameter: str,
    choices: Mapping[str, str],
    kept: str,
    say_gone: Callable[[str], object],
    *,
    key: str,
    prefer: Sequence[Callable[[str], bool]] = (),
    **box: Any,
) -> str | None:
    """The select box of what a page shows, and the name chosen, None without any: what the link asks for, else what was
    chosen here before, else the first that is preferred, by the first of these ways that prefers any, else the first.
    `choices` has each name's words. The choice is kept in the session under `kept`, where a callback may change it, and
    in the link. `say_gone` tells of a name that the link asks for and that is no choice."""
    asked, state = asked_of_link(parameter, kept), st.session_state
    if asked in choices:
        state[kept] = asked
    elif asked is not None:
        say_gone(asked)
    if not choices:
        st.query_params.pop(parameter, None)
        return None
    if state.get(kept) not in choices:
        state[kept] = next(itertools.chain(*(filter(prefers, choices) for prefers in prefer), choices))
    state[key] = state[kept]  # each time: its words, and so the widget, change
    name = st.selectbox(
        options=list(choices),
        format_func=choices.__getitem__,
        key=key,
        on_change=lambda: state.update({kept: state[key]}),
        **box,
    )
    state[kept] = name
    write_choice(parameter, kept, name)
    return name


def asked_of_link(parameter: str, part: str) -> str | None:
    """What the link asks for under this parameter, where that is news for this part of a page."""
    asked = st.query_params.get(parameter)
    if asked is None or not is_new(part, asked):
        return None
    note_written(part, asked)
    return asked


def write_parts(page: str, parts: Mapping[str, str]) -> None:
    """Puts what a page shows into the link, part by part, and takes out what is as it is without; see `follow_part`."""
    problems = st.session_state.get("problems of parts", {}).get(page, {})
    for name, text in parts.items():
        note_written(f"{page} {name}", text)
        if name in problems and problems[name][1] != text:  # until it is changed here
            if problems[name][1] is None:
                problems[name] = problems[name][0], text
            else:
                del problems[name]
    link = {name: st.query_params[name] for name in st.query_params if name not in parts}
    link |= {name: text for name, text in parts.items() if text}
    if dict(st.query_params) != link:
        st.query_params.from_dict(link)


def follow_part(page: str, name: str, take: Callable[[str], object]) -> bool:
    """Gives `take` what the link asks for under this name, where that is news for the page; whether it took it. What
    it raises in words is kept for `say_problems`."""
    asked = st.query_params.get(name)
    if not asked or not is_new(f"{page} {name}", asked):
        return False
    note_written(f"{page} {name}", asked)
    try:
        take(asked)
    except ValueError as error:
        keep_problems(page, {name: str(error)})
        return False
    st.session_state.get("problems of parts", {}).get(page, {}).pop(name, None)
    return True


def begin_shown(page: str, run_id: str, linked: str | None, parts: Iterable[str]) -> bool:
    """Whether another run is shown on a page than before: what the link says of it is news then, whatever it said of
    another one. The parts of a link that is about another run, `linked`, are dropped."""
    state = st.session_state
    if state.get(f"{page} shows") == run_id:
        return False
    state[f"{page} shows"] = run_id
    state.get("problems of parts", {}).pop(page, None)
    state.get("linked views", {}).pop(page, None)
    if linked not in (None, run_id):
        write_parts(page, dict.fromkeys(parts, ""))
    else:
        for name in parts:
            state.get("links written", {}).pop(f"{page} {name}", None)
    return True


def follow_epoch(page: str, run_id: str, epochs: Iterable[int]) -> None:
    """Looks at the epoch of a run that the link asks for, if there is a frame of it."""

    def take(text: str) -> None:
        kept = {str(epoch): epoch for epoch in epochs}
        st.session_state[f"epoch {run_id}"] = kept[choose_of("epoch", kept)(text)]

    follow_part(page, "epoch", take)


def follow_view(page: str) -> None:
    """Notes what the map of a page is to show at first, see `start_of`."""

    def take(text: str) -> None:
        part = numbers_of("view", 3)(text)
        if part[2] <= 0:
            raise ValueError("view must be x and y of the middle and what is spanned, which is more than 0")
        st.session_state.setdefault("linked views", {})[page] = part, None

    follow_part(page, "view", take)


def start_of(page: str, drawn: str) -> tuple[float, ...]:
    """What the link asks the map of a page to show at first: of the run, or plane, that was drawn first since, nothing
    of others."""
    views = st.session_state.get("linked views", {})
    part, known = views.get(page, ((), None))
    if part and known is None:
        views[page] = part, drawn
    return part if known in (None, drawn) else ()


def keep_problems(page: str, problems: Mapping[str, str]) -> None:
    """Keeps what is wrong with parts of a page's link, for `say_problems`."""
    kept = st.session_state.setdefault("problems of parts", {}).setdefault(page, {})
    kept.update({name: (problem, None) for name, problem in problems.items()})


def say_problems(page: str) -> None:
    """Says which parts of the link a page did not follow, each until what it is about is changed on the page."""
    for problem, _ in st.session_state.get("problems of parts", {}).get(page, {}).values():
        sentence = words.escape_markdown(words.printable(cut(problem)))
        st.warning(f"The link was not followed in one place: {sentence}.", icon=":material/link_off:")


def choose_of(name: str, choices: Collection[str]) -> Callable[[str], str]:
    """Reads a part of a link that is one of some names. Raises: ValueError in words."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)} here, got {text[:60]!r}")
        return text

    return read


def numbers_of(name: str, count: int) -> Callable[[str], tuple[float, ...]]:
    """Reads a part of a link that is so many numbers, as 1.5,2. Raises: ValueError in words."""

    def read(text: str) -> tuple[float, ...]:
        try:
            numbers = tuple(float(number) for number in text[:MOST_NUMBERS].split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != count or not all(abs(number) <= MOST_FAR for number in numbers):
            form = "a number" if count == 1 else f"{count} numbers with commas between them"
            raise ValueError(f"{name} must be {form}, got {text[:60]!r}")
        return numbers

    return read


def numbers_text(numbers: Iterable[float]) -> str:
    """Numbers as they stand in a link."""
    return ",".join(f"{number:.5g}" for number in numbers)


def write_choice(parameter: str, part: str, name: str) -> None:
    """Puts what is shown into the link."""
    note_written(part, name)
    if st.query_params.get(parameter) != name:
        st.query_params[parameter] = name


def is_new(part: str, value: object) -> bool:
    """Whether what the address says came from outside. A request may carry an address that is some writes old, so what
    this page wrote itself within the last seconds is no news, unless the visitor has just come from elsewhere."""
    known = st.session_state.setdefault("links written", {}).get(part, [])
    own = [old for old, until in known if until is None or time.monotonic() < until]
    return value not in own or (bool(st.session_state.get("arrived")) and value != own[-1])


def note_written(part: str, value: object) -> None:
    """Notes what the address says from now on."""
    written = st.session_state.setdefault("links written", {})
    known = [(old, until) for old, until in written.get(part, []) if until is None or time.monotonic() < until]
    if not known or known[-1][0] != value:
        until = time.monotonic() + SECONDS_OLD
        known = [(old, until if end is None else end) for old, end in known if old != value]
        written[part] = [*known, (value, None)]


def link_of(config: RunConfig) -> dict[str, str]:
    """Query parameters that give this config."""
    return {"data": config.data, "model": config.model} | {
        name: value_words(value) for name, value in config.changed().items()
    }
