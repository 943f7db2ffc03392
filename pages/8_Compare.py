"""Compare: two to four runs side by side, what differs in their settings and scores, points that fly between them."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import streamlit as st

from semidml import planes
from semidml.config import RunConfig
from semidml.explore import drawing, points
from semidml.plots.curves import compared_curves
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scores.table import SCORES, shown_at
from semidml.ui import cache, links, maps, pictures, seeds, take_away
from semidml.ui.compared import draw_settings, tell_apart
from semidml.ui.explorer import controls
from semidml.ui.frame import TRAIN, begin_page, draw_bar, draw_empty, draw_recipe, show_error
from semidml.ui.names import choice_words
from semidml.ui.runs import runs_of_sweeps
from semidml.ui.scores import remark_words, score_rows
from semidml.ui.words import as_code, run_words
from semidml.words import percent

MOST = 4
LETTERS = "ABCD"
NUMBERS = [name for name, score in SCORES.items() if not score.is_scatter and score.unit != "yes or no"]
PAGE, PARTS = "compare", ("colour", "flown", *links.OF_MAPS)  # of its link, beside the runs
BEGIN_WITH = ("digits-paper-prior", "digits-ten-places")  # the paper's prior and one with places for ten classes


def pick_runs() -> list[Run]:
    """The runs that are compared: the link's, or those chosen here; those that have points to draw."""
    asked, state = links.asked_of_link("runs", "runs compared"), st.session_state
    names = list(dict.fromkeys(name for name in (asked or "").split(",") if name))
    every = {run.id: run for run in listing.list_runs()}
    every |= runs_of_sweeps([*names[: 2 * MOST], *state.get("compared", ())])
    known = {name: run for name, run in every.items() if run.frames() and not run.damage()}
    if asked is not None:
        state["compared"] = [name for name in names if name in known][:MOST]
        for sentence in link_problems(names, known):
            st.warning(sentence, icon=":material/link_off:")
    state["compared"] = [name for name in state.get("compared", BEGIN_WITH) if name in known]
    words = choice_words(known.values())
    chosen = st.multiselect(
        "Runs",
        list(known),
        format_func=words.__getitem__,
        key="compared",
        max_selections=MOST,
        placeholder="Choose two to four runs",
        label_visibility="collapsed",
    )
    if chosen:
        links.write_choice("runs", "runs compared", ",".join(chosen))
    else:
        st.query_params.pop("runs", None)
    return [known[name] for name in chosen]


def link_problems(names: list[str], known: Collection[str]) -> list[str]:
    """What of the runs that the link names cannot be compared, in sentences."""
    if not names:
        return ["The link names no run."]
    missing, here = ([name for name in names if (name in known) == is_here] for is_here in (False, True))
    sentences = []
    if missing:
        more = f" and {len(missing) - MOST:,} more" if len(missing) > MOST else ""
        called = f"{', '.join(map(as_code, missing[:MOST]))}{more}"
        sentences.append(f"There is no run with points called {called} here (any more): the others are compared.")
    if len(here) > MOST:
        sentences.append(f"The link names {len(here):,} runs: the first {MOST} are compared.")
    return sentences


def configs_of(some: list[Run]) -> dict[str, RunConfig]:
    """Their settings, by letter."""
    return dict(zip(LETTERS, (run.config() for run in some), strict=False))


def share_points(some: list[Run]) -> bool:
    """Whether these runs draw the same rows of the same data, so that a point of one is a point of the others."""
    first, *others = [cache.read_rows(run) for run in some]
    data = {run.config().data for run in some}
    return len(data) == 1 and all(
        np.array_equal(first[name], other[name]) for other in others for name in ("split", "row")
    )


def draw_scores(some: list[Run], names: Iterable[str], **how: Any) -> None:
    """These scores of the runs and how they differ (see `score_rows`), what there is to know of them, and why some are
    missing, run for run."""
    metrics = {letter: run.metrics() or {} for letter, run in zip(LETTERS, some, strict=False)}
    if rows := score_rows(
        names, metrics, told=seeds.tell_spreads(dict(zip(LETTERS, some, strict=False)), names), **how
    ):
        pictures.draw_table(rows)
    else:
        st.caption("None of these runs has final scores (yet).")
    for letter, scores in metrics.items():
        for icon, key in (("info", "notes"), ("error", "failed")):
            for remark in remark_words(names, scores.get(key, {})):
                st.caption(f":material/{icon}: **{letter}**, {remark}")


def draw_maps(some: list[Run], linked: bool) -> None:
    """A map a run, under what it alone has; zoom, hidden classes, chosen points and the point at the mouse are shared
    where points are."""
    link = "compared" if linked else ""
    with st.container(key=f"compared {len(some)}"):
        columns, words_place = st.columns(len(some), gap="small"), st.container()
    with st.container(horizontal=True, key="inline colour"):
        colour = controls.choose_common_colour(PAGE, {run: cache.read_newest(run) for run in some})
    differing, words = tell_apart(configs_of(some)), []
    for column, letter, run in zip(columns, LETTERS, some, strict=False):
        epochs = run.frames()
        frame = cache.read_frame(run, epochs[-1])
        with column:
            with st.container(key=f"cut {letter}"):  # the table below has all of it
                st.caption(f"**{letter}** · {differing[letter] or run_words(run)}")
            page = PAGE if run == some[0] else ""  # zoom is shared, or the first map's alone
            shared = {"link": link, "colour": colour, "page": page, "told": True, "under": False}
            words.append(maps.draw_run_map(run, frame, frame, f"compared {run.id}", **shared))
            maps.send_images(run)
            maps.send_film(run, run.id, epochs)
    is_same = len(set(words)) == 1
    for place, sentence in zip([words_place] if is_same else columns, words, strict=False):
        place.caption(sentence)


def draw_curves(some: list[Run]) -> None:
    histories = {letter: run.history() for letter, run in zip(LETTERS, some, strict=False)}
    drawn = {letter: pictures.thinned_history(history) for letter, history in histories.items()}
    names = shown_at("compared")
    siblings = {letter: seeds.find(run) for letter, run in zip(LETTERS, some, strict=False)}
    bands = {letter: seeds.read_bands(known, names) for letter, known in siblings.items() if known}
    for column, name in zip(st.columns(len(names)), names, strict=True):
        own = {letter: known[name] for letter, known in bands.items() if name in known}
        with column:
            chart = compared_curves(drawn, name, SCORES[name].title, own)
            pictures.draw_scores(f"compared {name}", list(chain(*histories.values())), chart)
    if any(bands.values()):
        st.caption("Bands: mean and one standard deviation to either side over the seeds of a run's setting.")


def draw_flight(some: list[Run]) -> None:
    """The points of one map, flying from where one run puts them to where another does."""
    st.header("Fly from one to the other", anchor=False)
    letters = list(LETTERS[: len(some)])

    def take(text: str) -> None:
        st.session_state["flown"] = links.choose_of("flown", letters)(text)

    links.follow_part(PAGE, "flown", take)
    if st.session_state.get("flown") not in letters:
        st.session_state["flown"] = "A"
    to = st.segmented_control("Points as they lie in", letters, key="flown", required=True)
    links.write_parts(PAGE, {"flown": to if to != "A" else ""})
    clouds, missed = [], {"A": 0.0}
    frames = [cache.read_frame(run, run.frames()[-1]) for run in some]
    for letter, frame in zip(letters, frames, strict=True):
        cloud, _ = planes.in_plane(frame.latents, frame.rows["labels"])
        if clouds:
            cloud, missed[letter] = planes.aligned(cloud, clouds[0])
        clouds.append(cloud)
    everything = np.concatenate(clouds)
    low, high = np.percentile(everything, [0.2, 99.8], axis=0)
    margin = 0.05 * (high - low)
    ranges = [(float(low[axis] - margin[axis]), float(high[axis] + margin[axis])) for axis in (0, 1)]
    drawn = drawing.draw_frame(
        frames[0],
        clouds[letters.index(to)],
        points.class_names(some[0]),
        ranges,
        words=f"Map of the points as run {to} puts them",
        run="flight " + " ".join(run.id for run in some),
    )
    maps.draw_map(replace(drawn, images_of=some[0].id, epoch=letters.index(to)), "flight")
    st.caption(
        "Each run's map is moved, turned, mirrored and scaled to lie on A's as well as it can (Procrustes), since a "
        "latent space has no up. "
        + " ".join(
            f"{letter} misses {percent(share)} of A's variance." for letter, share in missed.items() if letter != "A"
        )
    )


def draw_runs(some: list[Run]) -> None:
    linked = share_points(some)
    draw_maps(some, linked)
    if not linked:
        st.caption(
            "These runs draw different images, so their maps are not linked: choose runs of the same data and seed."
        )
    left, right = st.columns(2, gap="large")
    with left:
        draw_settings(configs_of(some))
    with right:
        st.header("What differs in the scores, at the end of the trainings", anchor=False)
        draw_scores(some, shown_at("compare"), difference=("B - A", "A", "B") if len(some) == 2 else None)
    draw_curves(some)
    if linked:
        draw_flight(some)
    with st.expander("All scores", icon=":material/table:"):
        st.markdown("Final scores, and in brackets the difference from A")
        draw_scores(some, NUMBERS, in_brackets=True)
    take_away.draw_comparison(some)
    draw_recipe(
        "\n".join(f"python -m semidml evaluate {run.id}" for run in some),
        "from semidml.runs import listing\n\n"
        f"some = [listing.open_run(name) for name in {[run.id for run in some]!r}]\n"
        "for run in some:\n    print(run.id, run.config().changed(), run.metrics())",
        linked=True,
    )


begin_page("Compare", ["runs", *PARTS])
linked = st.query_params.get("runs")
draw_bar("Compare").container(key="about").caption(
    "Choose two to four runs: what differs in their settings, what it does to their maps and scores. The first is the "
    "one that the others are compared with."
)
chosen, problem_place = pick_runs(), st.container()
if len(chosen) < 2:
    with draw_empty("Choose a second run" if chosen else "Choose two runs"):
        st.page_link(TRAIN, label="Or train one with one knob changed", icon=":material/play_circle:")
else:
    try:
        links.begin_shown(PAGE, ",".join(run.id for run in chosen), linked, PARTS)
        links.follow_view(PAGE)
        draw_runs(chosen)
        with problem_place:
            links.say_problems(PAGE)
    except (ValueError, FileNotFoundError) as error:
        show_error(f"These runs cannot be compared: {error}")
