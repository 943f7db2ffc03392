"""The pages under Learn: one frame for every lesson of `semidml.lessons`. A page is `draw_lesson("few labels")`."""

import re
from typing import Any

import numpy as np
import streamlit as st

from semidml.config import declared_knobs
from semidml.frames import TEST, Frame
from semidml.lessons import LESSONS, PAPER, Lesson, Side
from semidml.plots.colours import class_colour, ink_on
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scatter import bundle, forces
from semidml.scores.components import fitted_floor
from semidml.ui import cache, claims, controls, lesson_link, manage, maps, moments, pictures, scores, take_away
from semidml.ui.frame import (
    EXPLORE,
    LIVE,
    ROOT,
    SECONDS_LIVE,
    TRAIN,
    begin_page,
    draw_bar,
    draw_recipe,
    follow,
    follow_press,
    link_run,
    show_error,
)
from semidml.ui.lesson_link import BREAK, TURN
from semidml.ui.runs import draw_alarms, draw_reason, draw_state, draw_waiting
from semidml.ui.words import change_words, entry_title, knob_title, python_of, setting_words
from semidml.words import decimals, value_words

FLOOR = "component AMI without any prior"
FLOOR_HELP = (
    "What the score would be if the prior had done nothing: the latents of the run without a prior, scaled and turned "
    "at random onto the other run's components, mean of 20. What a prior is said to do has to lie above it."
)


def draw_lesson(name: str) -> None:
    """The whole page of a lesson. Nothing of the answer is drawn before the visitor has predicted."""
    lesson = LESSONS[name]
    begin_page(lesson.title, lesson_link.PARTS)
    draw_bar(lesson.title)
    head = st.container(horizontal=True, vertical_alignment="center")
    head.container(key="about").markdown(lesson.claim)
    with head, st.popover("The maths", icon=":material/functions:", help="And where the paper says it"):
        for line in lesson.maths:
            st.latex(line)
        st.markdown(f"{lesson.maths_words}  \n[{lesson.source}]({PAPER}).")
    lesson_link.follow(lesson, progress_of(lesson))
    is_revealed = bool(progress_of(lesson).get("revealed"))
    if not is_revealed:
        question, picture = st.columns([1, 1.3], gap="medium")
        with question:
            ask_prediction(lesson)
        with picture:
            draw_before(lesson)
    else:
        ask_prediction(lesson)
        with st.container(key="picture-sides"):
            draw_sides(lesson)
    draw_pull(lesson, is_revealed)
    if is_revealed:
        with st.container(key="picture-turn"):
            offer_turn(lesson)
            draw_started(lesson, TURN)
        offer_breaks(lesson)
        with st.container(key="picture-break"):
            draw_started(lesson, BREAK)
        draw_answer(lesson)
        ask_check(lesson)
        take_away.draw_lesson(lesson)
        commands = "\n".join(f"# {side.title}\n{side.config().command()}" for side in lesson.sides)
        draw_recipe(commands, python_of(lesson.sides[lesson.turn].config()), linked=True)
    lesson_link.write(lesson, progress_of(lesson))
    follow_press()


def progress_of(lesson: Lesson) -> dict[str, Any]:
    """What this visitor has done in a lesson; it outlives a visit to another page."""
    return st.session_state.setdefault(f"lesson {lesson.name}", {})


def ask_prediction(lesson: Lesson) -> None:
    """The question, and once it is answered what is so."""
    asked, mine = lesson.prediction, progress_of(lesson)
    st.header("Predict")
    if not mine.get("revealed"):
        chosen = st.radio(asked.question, asked.choices, mine.get("chosen"), key=f"predict {lesson.name}")

        def reveal() -> None:
            mine.update(revealed=True, chosen=asked.choices.index(chosen))
            follow("picture-sides")

        st.button("Show me", type="primary", disabled=chosen is None, on_click=reveal)
        return
    st.markdown("\n".join([asked.question, "", *(f"- {choice}" for choice in asked.choices)]))
    answered, right = asked.choices[mine["chosen"]], asked.choices[asked.right]
    if answered == right:
        st.success(f"You said: {answered}. **So it is.**", icon=":material/check_circle:")
    else:
        st.info(f"You said: {answered}. It is: **{right}**.", icon=":material/lightbulb:")
    st.markdown(asked.why)


def draw_before(lesson: Lesson) -> None:
    """The map before training, which gives nothing away."""
    run = listing.open_run(lesson.sides[-1].run)
    first = cache.read_frame(run, 0)
    maps.draw_run_map(run, first, first, f"before {lesson.name}")
    st.markdown(
        "So it looks **before training**: each point is an image of a digit, its colour the class. What follows once "
        "you have chosen: the trained runs side by side, a knob to turn, ways to break it, and the answer so far."
    )


def draw_sides(lesson: Lesson) -> None:
    """The shipped runs side by side, at an epoch of the visitor's, and their scores."""
    st.header("Reveal")
    sides = [(side, listing.open_run(side.run)) for side in lesson.sides]
    epochs = lesson_link.common_epochs(lesson)
    map_place = st.container()
    epoch = st.select_slider("Epoch", epochs, epochs[-1], key=f"epoch of {lesson.name}", help="0 is before training.")
    with map_place:
        columns = st.columns(len(sides))
    for column, (side, run) in zip(columns, sides, strict=True):
        with column:
            st.subheader(side.title, anchor=False)
            st.markdown(side.words)
            frame = cache.read_frame(run, epoch)
            maps.draw_run_map(run, frame, cache.read_frame(run, epochs[-1]), f"map {side.run}")
    for column, (_, run) in zip(st.columns(len(sides)), sides, strict=True):
        with column:
            pictures.draw_reconstructions(run, cache.read_frame(run, epoch))
            link_run(EXPLORE, "Explore this run", "travel_explore", run)
    config = sides[0][1].config()
    is_end = epoch == epochs[-1]
    when = "at the end of the trainings" if is_end else f"{moments.when_words(epoch).lower()}, of the test points drawn"
    st.caption(
        f"{setting_words(config).partition(',')[0]}, {config.epochs} epochs, the same "
        "seed. A point is an image, a colour a class; rings are the prior's components at one and two sigma. "
        f"Scores {when}:"
    )
    told = {FLOOR: FLOOR_HELP}
    scores.draw_score_table(f"scores {lesson.name}", score_table(lesson, None if is_end else epoch), told)


def draw_pull(lesson: Lesson, is_revealed: bool) -> None:
    """Points that one drags, and what each term of the lesson's loss does to them. Before the prediction with what
    gives nothing away: a single hill, and no other way to sum over pixels."""
    pull = lesson.pull
    st.header("What each term does to a point")
    st.markdown(pull.words_after if is_revealed else pull.words)
    shown = (pull.priors, pull.reductions) if is_revealed else (pull.priors[:1], pull.reductions[:1])
    draw = st.components.v2.component(
        bundle.FORCES, html=bundle.FORCES_HTML, css=bundle.css("forces"), js=bundle.javascript("forces")
    )
    looks = [(class_colour(label), ink_on(class_colour(label))) for label in range(len(forces.CLASSES))]
    draw(data=forces.scene(looks, pull.terms, shown[0], pull.alpha, shown[1]), key=f"pull {lesson.name} {is_revealed}")


def score_table(lesson: Lesson, epoch: int | None = None) -> list[dict[str, str]]:
    """One row a score, one column a side; of an epoch, of the last by default."""
    runs = {side.title: listing.open_run(side.run) for side in lesson.sides}
    if epoch is None:
        columns = {title: run.metrics() or {} for title, run in runs.items()}
    else:
        columns = {title: moments.read_moment(run, cache.read_frame(run, epoch)).now for title, run in runs.items()}
    head = "of all test images" if epoch is None else "of the test points drawn"
    rows = scores.score_rows(lesson.scores, columns, head=head)
    if lesson.floor and epoch is None:
        plain, prior = (lesson.sides[side] for side in lesson.floor)
        low = fitted_ami(plain.run, prior.run)
        cells = {"of all test images": FLOOR, plain.title: decimals(low, 2)}
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
    act = {"on_click": start_run, "args": (lesson, side, {name: to}, "Yours", TURN)}
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
            args = (lesson, lesson.sides[broken.side], dict(broken.values), broken.title, BREAK)
            st.button("Break it so", icon=":material/bolt:", key=f"break {broken.title}", on_click=start_run, args=args)


def start_run(lesson: Lesson, side: Side, values: dict[str, Any], title: str, part: str) -> None:
    """Trains a change of a side; it is shown in the part of the page where that was pressed."""

    def submit() -> None:
        run = manage.queue_run(lesson_link.change_side(side, values), listing.open_run(side.run))
        lesson_link.started(progress_of(lesson))[part] = {"run": run.id, "beside": side.run, "title": title}

    progress_of(lesson)["pressed"] = part
    manage.perform(submit, failed=manage.NOT_STARTED)
    follow(f"picture-{part}")


def draw_started(lesson: Lesson, part: str) -> None:
    """The run that the visitor started in this part of the page, beside the one that it is a change of."""
    mine = progress_of(lesson)
    if mine.get("pressed") == part:
        manage.draw_outcome()
    runs = lesson_link.started(mine)
    if part not in runs:
        return
    try:
        is_active = listing.open_run(runs[part]["run"]).status().active
    except ValueError:  # deleted elsewhere
        runs.pop(part)
        st.caption("The run that was trained here has been deleted.")
        return
    with st.container(key=f"{LIVE}-{part}"):
        every = SECONDS_LIVE if is_active else None
        st.fragment(draw_side_by_side, run_every=every)(lesson, part, is_active)


def draw_side_by_side(lesson: Lesson, part: str, was_active: bool) -> None:
    runs = lesson_link.started(progress_of(lesson))
    try:
        trained = runs[part]
        run, beside = listing.open_run(trained["run"]), listing.open_run(trained["beside"])
        status = run.status()
    except (KeyError, ValueError):
        st.rerun()
    if status.active != was_active:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container():
            draw_state(run, status)
        if status.active and not run.is_orphan():
            act = {"on_click": controls.stop_run, "args": (run.id,), "key": f"stop {part}"}
            st.button("Stop", icon=":material/stop:", **act)
    draw_waiting(run, status)
    draw_reason(status)
    last, newest = last_frame(beside), None
    mine_place, beside_place = st.columns(2)
    with mine_place:
        head_map(part, trained["title"], change_words(beside.config(), run.config()) or "nothing changed")
        try:
            newest = cache.read_newest(run)
        except ValueError as error:
            show_error(error)
            return
        if newest is None:
            with st.container(key=f"awaited-{part}", vertical_alignment="center", horizontal_alignment="center"):
                st.markdown(":material/hourglass_top: Its map comes here with its first points.", width="content")
        else:
            maps.draw_run_map(run, newest, newest, f"map of mine {part}")
            draw_alarms(status)
            pictures.draw_reconstructions(run, newest)
        link_run(TRAIN, "Look at it on Train", "arrow_forward", run)
    with beside_place:
        head_map(part, next(side.title for side in lesson.sides if side.run == beside.id), "shipped, the same seed")
        maps.draw_run_map(beside, last, last, f"map beside mine {part}")
        pictures.draw_reconstructions(beside, last)
    here = None if newest is None else moments.read_moment(run, newest)
    kind = f"yours: {here.words[0].lower()}{here.words[1:]}; shipped: at the end" if here else "shipped: at the end"
    columns = {"yours": here.now if here else {}, "shipped": beside.metrics() or {}}
    difference = ("difference", "shipped", "yours")
    if rows := scores.score_rows(lesson.scores, columns, head=kind, difference=difference):
        scores.draw_score_table(f"scores of mine {part}", rows)
    if here and (words := moments.late_words(here, lesson.scores)):
        st.caption(f":material/schedule: {words}.")


def head_map(part: str, title: str, words: str) -> None:
    """What a map is of: of a knob that was turned in one line, so that the map is large; of what may be several, as a
    way to break it is, in two."""
    if part == TURN:
        st.subheader(f"{title}: {words}", anchor=False)
        return
    st.subheader(title, anchor=False)
    with st.container(key=f"cut {part} {title}"):
        st.markdown(words)


def draw_answer(lesson: Lesson) -> None:
    """What is known so far: the claim's verdicts by data set, and the benchmark's tables, as RESULTS.md has them."""
    st.header("The answer so far")
    st.markdown(lesson.answer)
    claims.draw_summary(lesson.claims)
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
        st.success(f"Yes: {decimals(right, 1)} {asked.unit}. {asked.why}", icon=":material/check_circle:")
    else:
        st.info(f"Not quite: it is {decimals(right, 1)} {asked.unit}. {asked.why}", icon=":material/lightbulb:")


def right_answer(lesson: Lesson) -> float:
    """The number that a lesson's check asks for, from the shipped runs' scores."""
    asked = lesson.check
    metrics = [listing.open_run(side.run).metrics() or {} for side in lesson.sides]
    base = 0.0 if asked.minus is None else metrics[asked.minus][asked.score]
    return asked.times * (metrics[asked.of][asked.score] - base)
