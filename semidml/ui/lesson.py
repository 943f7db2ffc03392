"""The pages under Learn: one frame for every lesson of `semidml.lessons`. A page is `draw_lesson("few labels")`."""

import re
from typing import Any

import numpy as np
import streamlit as st

from semidml.config import declared_knobs
from semidml.frames import TEST, Frame
from semidml.lessons import LESSONS, PAPER, Lesson, Side
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scores.components import fitted_floor
from semidml.ui import cache, lesson_link, manage, maps, pictures, scores
from semidml.ui.frame import EXPLORE, LIVE, ROOT, SECONDS_LIVE, TRAIN, begin_page, draw_recipe, link_run, show_error
from semidml.ui.runs import draw_alarms, draw_state
from semidml.ui.words import change_words, entry_title, knob_title, python_of, setting_words
from semidml.words import value_words


def draw_lesson(name: str) -> None:
    """The whole page of a lesson. Nothing of the answer is drawn before the visitor has predicted."""
    lesson = LESSONS[name]
    begin_page(lesson.title, lesson_link.PARTS)
    st.title(lesson.title)
    st.markdown(lesson.claim)
    with st.expander("The maths, and where the paper says it", icon=":material/functions:"):
        for line in lesson.maths:
            st.latex(line)
        st.markdown(f"{lesson.maths_words}  \n[{lesson.source}]({PAPER}).")
    lesson_link.follow(lesson, progress_of(lesson))
    ask_prediction(lesson)
    if not progress_of(lesson).get("revealed"):
        draw_before(lesson)
    else:
        for draw in (draw_sides, offer_turn, offer_breaks, draw_started, draw_answer, ask_check):
            draw(lesson)
        commands = "\n".join(f"# {side.title}\n{side.config().command()}" for side in lesson.sides)
        draw_recipe(commands, python_of(lesson.sides[lesson.turn].config()), linked=True)
    lesson_link.write(lesson, progress_of(lesson))


def progress_of(lesson: Lesson) -> dict[str, Any]:
    """What this visitor has done in a lesson; it outlives a visit to another page."""
    return st.session_state.setdefault(f"lesson {lesson.name}", {})


def ask_prediction(lesson: Lesson) -> None:
    """The question, and once it is answered what is so."""
    asked, mine = lesson.prediction, progress_of(lesson)
    st.header("Predict")
    revealed, key = bool(mine.get("revealed")), f"predict {lesson.name}"
    chosen = st.radio(asked.question, asked.choices, index=mine.get("chosen"), key=key, disabled=revealed)
    if not revealed:

        def reveal() -> None:
            mine.update(revealed=True, chosen=asked.choices.index(chosen))

        st.button("Show me", type="primary", disabled=chosen is None, on_click=reveal)
        return
    answered, right = asked.choices[mine["chosen"]], asked.choices[asked.right]
    if answered == right:
        st.success(f"You said: {answered}. **So it is.**", icon=":material/check_circle:")
    else:
        st.info(f"You said: {answered}. It is: **{right}**.", icon=":material/lightbulb:")
    st.markdown(asked.why)


def draw_before(lesson: Lesson) -> None:
    """The map before training, which gives nothing away."""
    picture, words = st.columns([1, 1], vertical_alignment="center")
    run = listing.open_run(lesson.sides[-1].run)
    first = cache.read_frame(run, 0)
    with picture:
        maps.draw_run_map(run, first, first, f"before {lesson.name}")
    words.markdown(
        "So it looks **before training**: each point is an image of a digit, its colour the class. What follows once "
        "you have chosen: the trained runs side by side, a knob to turn, ways to break it, and the answer so far."
    )


def draw_sides(lesson: Lesson) -> None:
    """The shipped runs side by side, at an epoch of the visitor's, and their scores."""
    st.header("Reveal")
    sides = [(side, listing.open_run(side.run)) for side in lesson.sides]
    epochs = lesson_link.common_epochs(lesson)
    epoch = st.select_slider("Epoch", epochs, epochs[-1], key=f"epoch of {lesson.name}", help="0 is before training.")
    for column, (side, run) in zip(st.columns(len(sides)), sides, strict=True):
        with column:
            st.subheader(side.title, anchor=False)
            st.markdown(side.words)
            frame = cache.read_frame(run, epoch)
            maps.draw_run_map(run, frame, cache.read_frame(run, epochs[-1]), f"map {side.run}")
            pictures.draw_reconstructions(run, frame)
            link_run(EXPLORE, "Explore this run", "travel_explore", run)
    config = sides[0][1].config()
    st.caption(
        f"{setting_words(config).partition(',')[0]}, {config.epochs} epochs, the same "
        "seed. A point is an image, a colour a class; rings are the prior's components at one and two sigma. Scores "
        "after the last epoch:"
    )
    pictures.draw_table(score_table(lesson))


def score_table(lesson: Lesson) -> list[dict[str, str]]:
    """One row a score, one column a side."""
    columns = {side.title: listing.open_run(side.run).metrics() or {} for side in lesson.sides}
    rows = scores.score_rows(lesson.scores, columns, head="of all test images")
    if lesson.floor:
        plain, prior = (lesson.sides[side] for side in lesson.floor)
        low = fitted_ami(plain.run, prior.run)
        cells = {"of all test images": "component AMI without any prior", plain.title: f"{low:.2f}"}
        rows.append(dict.fromkeys(rows[0], "") | cells)
    return rows


@st.cache_data(max_entries=8, show_spinner=False)
def fitted_ami(plain: str, prior: str) -> float:
    """The component AMI that a run without a prior has on another run's components; see `components.fitted_floor`. Of
    the test images that its map draws."""
    frame, components = last_frame(listing.open_run(plain)), last_frame(listing.open_run(prior)).components
    test = frame.rows["split"] == TEST
    return float(np.mean(fitted_floor(frame.latents[test], frame.rows["labels"][test], *components)))


def last_frame(run: Run) -> Frame:
    return cache.read_frame(run, run.frames()[-1])


def offer_turn(lesson: Lesson) -> None:
    """One knob changed, everything else and the seed as in a shipped run, trained live."""
    st.header("Turn one knob")
    start, knob, value, go = st.columns([1.3, 1.3, 1.3, 1], vertical_alignment="bottom")
    titles = [side.title for side in lesson.sides]
    with start:
        title = st.selectbox("Start from", titles, lesson.turn, key=f"turn from {lesson.name}")
    side = lesson.sides[titles.index(title)]
    turnable = lesson_link.turnable(lesson, side)
    with knob:
        name = st.selectbox("Knob", turnable, format_func=knob_title, key=f"turn knob {lesson.name} {side.run}")
    value_now, options = getattr(side.config(), name), lesson_link.turned_values(lesson, side, name)
    with value:
        to = st.selectbox(
            f"From {knob_words(name, value_now)} to",
            options,
            format_func=lambda option: knob_words(name, option),
            key=f"turn to {lesson.name} {side.run} {name}",
            help=f"{declared_knobs()[name].help.capitalize()}.",
        )
    words = f"{side.title}, with {knob_title(name).lower()} {knob_words(name, to)}"
    act = {"on_click": start_run, "args": (lesson, side, {name: to}, words)}
    go.button("Train it", type="primary", icon=":material/play_arrow:", width="stretch", **act)


def knob_words(name: str, value: Any) -> str:
    """A knob's value in words."""
    return f"{value_words(value)} %" if name == "pl" else entry_title(name, value_words(value))


def offer_breaks(lesson: Lesson) -> None:
    """Changes that make it fail, each with its reason."""
    st.header("Break it")
    for column, broken in zip(st.columns(max(2, len(lesson.breaks))), lesson.breaks, strict=False):
        with column, st.container(border=True):
            st.subheader(broken.title, anchor=False)
            st.markdown(broken.why)
            args = (lesson, lesson.sides[broken.side], dict(broken.values), broken.title)
            st.button("Break it so", icon=":material/bolt:", key=f"break {broken.title}", on_click=start_run, args=args)


def start_run(lesson: Lesson, side: Side, values: dict[str, Any], title: str) -> None:
    def submit() -> None:
        run = manage.queue_run(lesson_link.change_side(side, values), listing.open_run(side.run))
        progress_of(lesson).update(run=run.id, beside=side.run, title=title)

    manage.perform(submit, failed=manage.NOT_STARTED)


def draw_started(lesson: Lesson) -> None:
    """The run that the visitor started, beside the one that it is a change of."""
    mine = progress_of(lesson)
    manage.draw_outcome()
    if mine.get("run") is None:
        return
    try:
        is_active = listing.open_run(mine["run"]).status().active
    except ValueError:  # deleted elsewhere
        mine.pop("run")
        st.caption("The run that was trained here has been deleted.")
        return
    with st.container(key=LIVE):
        st.fragment(draw_side_by_side, run_every=SECONDS_LIVE if is_active else None)(lesson, is_active)


def draw_side_by_side(lesson: Lesson, was_active: bool) -> None:
    mine = progress_of(lesson)
    try:
        run, beside = listing.open_run(mine["run"]), listing.open_run(mine["beside"])
        status = run.status()
    except (KeyError, ValueError):
        st.rerun()
    if status.active != was_active:
        st.rerun()
    draw_state(run, status)
    draw_alarms(status)
    mine_place, beside_place = st.columns(2)
    with mine_place:
        st.subheader(mine["title"], anchor=False)
        st.markdown(change_words(beside.config(), run.config()))
        try:
            newest = cache.read_newest(run)
        except ValueError as error:
            show_error(error)
            return
        if newest is None:
            st.info("Waiting for the first points.", icon=":material/hourglass_top:")
        else:
            maps.draw_run_map(run, newest, newest, "map of mine")
            pictures.draw_reconstructions(run, newest)
        link_run(TRAIN, "Look at it on Train", "arrow_forward", run)
    with beside_place:
        st.subheader(next(s.title for s in lesson.sides if s.run == beside.id), anchor=False)
        st.markdown("Shipped, the same seed")
        last = last_frame(beside)
        maps.draw_run_map(beside, last, last, "map beside mine")
        pictures.draw_reconstructions(beside, last)
    kind = "of all test images" if run.metrics() else "so far, of the drawn test images; shipped: of all"
    columns = {"mine": scores.scores_now(run)[1], "shipped": beside.metrics() or {}}
    difference = ("difference", "shipped", "mine")
    if rows := scores.score_rows(lesson.scores, columns, head=kind, difference=difference):
        pictures.draw_table(rows)


def draw_answer(lesson: Lesson) -> None:
    """What is known so far: the benchmark's tables, as RESULTS.md has them."""
    st.header("The answer so far")
    st.markdown(lesson.answer)
    with st.expander("The tables: n, intervals, floors, both protocols", icon=":material/table_chart:"):
        st.markdown(read_tables(lesson.table))
        st.caption(f"Written by `python benchmarks/{lesson.table}.py --write`.")


@st.cache_data(max_entries=8, show_spinner=False)
def read_tables(name: str) -> str:
    """What a benchmark wrote into RESULTS.md between its marks."""
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    table = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", results, re.DOTALL)
    return table.group(1) if table else "This benchmark has not been run yet."


def ask_check(lesson: Lesson) -> None:
    """A question whose answer is a number among the sides' scores."""
    asked = lesson.check
    st.header("Check yourself")
    number, button = st.columns([3, 1], vertical_alignment="bottom")
    question, key = f"{asked.question} (in {asked.unit})", f"check {lesson.name}"
    answered = number.number_input(question, value=None, step=0.1, format="%.1f", key=key)
    key = f"check button {lesson.name}"
    if button.button("Check", disabled=answered is None, key=key, width="stretch"):
        progress_of(lesson)["answer"] = answered
    if answered is None or progress_of(lesson).get("answer") != answered:
        return
    right = right_answer(lesson)
    if abs(answered - right) <= asked.tolerance:
        st.success(f"Yes: {right:.1f} {asked.unit}. {asked.why}", icon=":material/check_circle:")
    else:
        st.info(f"Not quite: it is {right:.1f} {asked.unit}. {asked.why}", icon=":material/lightbulb:")


def right_answer(lesson: Lesson) -> float:
    """The number that a lesson's check asks for, from the shipped runs' scores."""
    asked = lesson.check
    metrics = [listing.open_run(side.run).metrics() or {} for side in lesson.sides]
    base = 0.0 if asked.minus is None else metrics[asked.minus][asked.score]
    return asked.times * (metrics[asked.of][asked.score] - base)
