"""What the link of a lesson says, both ways: what was predicted, the epoch, the knob that is turned, the run that was
trained beside a shipped one, and the answer of the check. Of a lesson that was not answered yet it says nothing."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from semidml.config import RunConfig
from semidml.lessons import Lesson, Side
from semidml.runs import lineage, listing
from semidml.runs.run import Run
from semidml.ui import knobs, links
from semidml.ui.words import values_of
from semidml.words import value_words

TURN, BREAK = "turn", "break"  # parts of the page in which a visitor trains
PARTS = ("said", "epoch", "start", "knob", "to", "run", "answer")


def follow(lesson: Lesson, mine: dict[str, Any]) -> None:
    """Takes into `mine`, what this visitor has done, and into the widgets what the link says; says what it cannot."""
    state = st.session_state

    def take_said(text: str) -> None:
        choices = [str(number) for number in range(1, len(lesson.prediction.choices) + 1)]
        chosen = choices.index(links.choose_of("said", choices)(text))
        mine.update(revealed=True, chosen=chosen)
        state[f"predict {lesson.name}"] = lesson.prediction.choices[chosen]

    links.follow_part(_page(lesson), "said", take_said)
    if mine.get("revealed"):
        _follow_turn(lesson)
        links.follow_part(_page(lesson), "run", lambda text: mine.update(read_started(lesson, text)))
        links.follow_part(_page(lesson), "answer", lambda text: take_answer(lesson, mine, text))
    links.say_problems(_page(lesson))


def _page(lesson: Lesson) -> str:
    return f"lesson {lesson.name}"


def _follow_turn(lesson: Lesson) -> None:
    """Epoch, and the knob that is turned: of which shipped run, which one, and to what."""
    page, name = _page(lesson), lesson.name
    sides = {side.run: side for side in lesson.sides}
    kept = {str(epoch): epoch for epoch in common_epochs(lesson)}

    def take(key: str, part: str, choices: Mapping[str, Any]) -> None:
        links.follow_part(
            page, part, lambda text: st.session_state.update({key: choices[links.choose_of(part, choices)(text)]})
        )

    take(f"epoch of {name}", "epoch", kept)
    take(f"turn from {name}", "start", {run: side.title for run, side in sides.items()})
    side = chosen_side(lesson)
    take(f"turn knob {name} {side.run}", "knob", {knob: knob for knob in turnable(lesson, side)})
    knob = chosen_knob(lesson, side)
    options = {value_words(value): value for value in turned_values(lesson, side, knob)}
    take(f"turn to {name} {side.run} {knob}", "to", options)


def common_epochs(lesson: Lesson) -> list[int]:
    """The epochs of which all shipped runs of a lesson have a frame."""
    return sorted(set.intersection(*(set(listing.open_run(side.run).frames()) for side in lesson.sides)))


def chosen_side(lesson: Lesson) -> Side:
    """The shipped run that a knob is turned of."""
    title = st.session_state.get(f"turn from {lesson.name}")
    return next((side for side in lesson.sides if side.title == title), lesson.sides[lesson.turn])


def turnable(lesson: Lesson, side: Side) -> list[str]:
    """The knobs of the lesson that have an effect in a shipped run."""
    return [name for name in lesson.knobs if name in side.config().used()]


def chosen_knob(lesson: Lesson, side: Side) -> str:
    """The knob that is turned."""
    names = turnable(lesson, side)
    chosen = st.session_state.get(f"turn knob {lesson.name} {side.run}")
    return chosen if chosen in names else names[0]


def turned_values(lesson: Lesson, side: Side, knob: str) -> list[Any]:
    """To what a knob can be turned."""
    return [value for value in lesson.knobs[knob] if value != getattr(side.config(), knob)]


def started(mine: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The run that a visitor trained in each part of the page, TURN and BREAK: its name, that of the one `beside` which
    it stands, and what it is called there."""
    return mine.setdefault("started", {})


def read_started(lesson: Lesson, names: str) -> dict[str, Any]:
    """What a visitor had done who trained these runs here, two at most, one in each part of the page. Raises:
    ValueError in words where no run of the lesson is the parent of one."""
    parts = {}
    for name in names.split(","):
        run = listing.open_run(name)
        parent = lineage.find_parent(run)
        side = next((side for side in lesson.sides if parent and side.run == parent.id), None)
        if side is None:
            raise ValueError(f"the run {name} was not made from one of this lesson's")
        part, title = place_started(lesson, side, run)
        if part in parts:
            raise ValueError(f"the runs {parts[part]['run']} and {name} have the same place in the lesson")
        parts[part] = {"run": run.id, "beside": side.run, "title": title}
    return {"started": parts}


def place_started(lesson: Lesson, side: Side, run: Run) -> tuple[str, str]:
    """In which part of the page a run was trained, and what it is called there: a way to break it, or the knob that was
    turned."""
    for broken in lesson.breaks:
        if lesson.sides[broken.side] == side and change_side(side, broken.values) == run.config():
            return BREAK, broken.title
    return TURN, "Yours"


def change_side(side: Side, values: Mapping[str, Any]) -> RunConfig:
    """A shipped run's setting with other values. Raises: ValueError in words."""
    return knobs.config_of(values_of(side.config()) | values)


def take_answer(lesson: Lesson, mine: dict[str, Any], text: str) -> None:
    """The answer of the check. Raises: ValueError in words where it is no number."""
    (answer,) = links.numbers_of("answer", 1)(text)
    mine["answer"] = st.session_state[f"check {lesson.name}"] = answer


def write(lesson: Lesson, mine: dict[str, Any]) -> None:
    """Puts what was done into the link."""
    parts = dict.fromkeys(PARTS, "")
    if mine.get("revealed"):
        state, name = st.session_state, lesson.name
        side = chosen_side(lesson)
        knob = chosen_knob(lesson, side)
        values = turned_values(lesson, side, knob)
        to = state.get(f"turn to {name} {side.run} {knob}", values[0])
        last = common_epochs(lesson)[-1]
        epoch = state.get(f"epoch of {name}", last)
        parts |= {
            "said": str(mine["chosen"] + 1),
            "epoch": str(epoch) if epoch != last else "",
            "start": side.run if side != lesson.sides[lesson.turn] else "",
            "knob": knob if knob != turnable(lesson, side)[0] else "",
            "to": value_words(to) if to != values[0] else "",
            "run": ",".join(run["run"] for _, run in sorted(started(mine).items(), reverse=True)),
            "answer": f"{mine['answer']:g}" if mine.get("answer") is not None else "",
        }
    links.write_parts(_page(lesson), parts)
