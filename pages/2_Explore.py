"""Explore: choose a run, click a point, ask what lies behind it."""

import streamlit as st

from semidml.explore import points
from semidml.runs.run import Run
from semidml.ui import cache, frame, lineage, links, manage, runs, words
from semidml.ui.explorer import downloads, link, own, questions, sections
from semidml.ui.explorer.answers import cut
from semidml.ui.explorer.map import draw_explorer
from semidml.words import trouble_words

SECTIONS = {
    "Scores": sections.draw_scores,
    "Curves": sections.draw_curves,
    "Confusion": sections.draw_confusion,
    "Reconstructions": sections.draw_reconstructions,
    "Your own image": own.draw_own,
    "Points": sections.draw_table,
    "Downloads": downloads.draw_downloads,
}


def draw_heading(run: Run) -> None:
    """Where the run stands, and what is missing."""
    status = run.status()
    if status.active:
        st.fragment(runs.draw_progress, run_every=frame.SECONDS_LIVE)(run.id, len(run.frames()))
    else:
        st.markdown(words.state_words(run, status))
    runs.draw_reason(status, "It does not say why.")
    runs.draw_alarms(status)
    if status.reason and status.state not in ("failed", "interrupted"):
        st.caption(f"{words.reason_words(status)}.")
    if status.state in ("stopped", "interrupted", "failed") and run.is_own and not run.is_complete():
        frame.link_run(frame.TRAIN, "Resume it on the page Train", "resume", run)


def draw_run(run: Run, linked: str | None) -> None:
    """Everything about a run that can be read. linked: the run that the link is about."""
    draw_heading(run)
    epochs = run.frames()
    if links.begin_shown(link.PAGE, run.id, linked, link.PARTS):
        st.session_state["first look"] = True
        questions.ask()
    if not epochs:
        waiting = (
            "Its first points come before the first step of the training."
            if run.status().active
            else "It has stored no points: there is nothing to draw."
        )
        st.info(waiting, icon=":material/scatter_plot:")
        return
    links.follow_epoch(link.PAGE, run.id, epochs)
    epoch = questions.chosen_epoch(run, epochs)
    st.session_state["epoch below"] = (run.id, epoch)
    try:
        frame_now = cache.read_frame(run, epoch)
    except ValueError as error:
        frame.show_error(error)
        if len(epochs) > 1:
            questions.draw_epoch_slider(run, epochs)
        return
    names = points.class_names(run)
    is_asked = link.follow(run, frame_now)
    follow_section()
    links.say_problems(link.PAGE)
    if st.session_state.pop("first look", False) and not is_asked:  # so that it is seen at once what a point answers
        questions.ask_point(points.telling_point(frame_now))
    st.session_state["map first"] = True
    draw_explorer(run.id, epochs)
    lineage.draw_family(run, frame.EXPLORE)
    st.header("More about this run", anchor=False)
    section = st.segmented_control(
        "More about this run",
        list(SECTIONS),
        default="Scores",
        required=True,
        key="section",
        persist_state="session",
        label_visibility="collapsed",
    )
    links.write_parts(link.PAGE, {"section": section_name(section) if section != "Scores" else ""})
    try:
        SECTIONS[section](run, frame_now, names)
    except ValueError as error:
        frame.show_error(cut(error))
    frame.draw_recipe(
        f"python -m semidml evaluate {run.id}\npython -m semidml runs export {run.id} {run.id}.zip\n"
        f"{run.config().command()}",
        python_of(run),
    )


def section_name(title: str) -> str:
    """A section as the link calls it."""
    return title.lower().replace(" ", "-")


def follow_section() -> None:
    """Shows the section that the link asks for."""
    titles = {section_name(title): title for title in SECTIONS}

    def take(text: str) -> None:
        st.session_state["section"] = titles[links.choose_of("section", titles)(text)]

    links.follow_part(link.PAGE, "section", take)


def python_of(run: Run) -> str:
    return (
        "from semidml.explore.take_away import all_rows\n"
        f"from semidml.runs import listing, trained_on\n\nrun = listing.open_run({run.id!r})\n"
        "print(run.config(), run.metrics())\n"
        "rows = all_rows(run, trained_on.load_data(run))  # latents, predictions"
    )


frame.begin_page("Explore", ["run", *link.PARTS])
if st.session_state.pop("to train", False):
    st.switch_page(frame.TRAIN)
st.html("<style>[data-testid='stMetricLabel'] p {white-space: normal !important;}</style>")
bar = frame.draw_bar("Explore")
linked = st.query_params.get("run")  # before the page writes what it shows
with bar, st.container(key="inline explored"):
    run = runs.pick_explored()
with bar, st.popover("Manage", icon=":material/settings:"):
    manage.draw_management(run)
st.caption("Choose a run, **click a point**: its image, its reconstruction and its neighbours answer.")
with st.container():  # always there: what follows must not move, or an open menu would close
    manage.draw_outcome()
if run is None:
    with frame.draw_empty("There is no run yet"):
        st.page_link(frame.TRAIN, label="Train one: the digits take a few seconds", icon=":material/play_circle:")
else:
    try:
        draw_run(run, linked)
    except (ValueError, OSError) as error:
        reason = trouble_words(error) if isinstance(error, OSError) else error
        frame.show_error(f"This run cannot be shown: {reason}")
