"""What labels are worth beside clusters found without any."""

import streamlit as st

from semidml import words
from semidml.config import RunConfig
from semidml.data import store
from semidml.explore import clusters, points
from semidml.plots import curves
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scores.table import SCORES
from semidml.ui import cache, frame, manage, pictures
from semidml.ui.scores import tests_labels
from semidml.ui.words import config_of, entry_title, escape_markdown


def draw_labels_worth(run: Run) -> None:
    """Plain deep metric learning with more and more labels, beside a finished run without any."""
    if manage.has_outcome():
        st.rerun()  # a training was refused: what says so stands outside
    st.header("What are labels worth?")
    level = None if run.damage() else (run.metrics() or {}).get("recall_at_1")
    if level is None:
        st.caption(no_level(run.status().state, tests_labels(run)))
        return
    if pictures.say_missing(run):
        return
    try:
        wanted = clusters.comparator_configs(run.config(), *trained_on(run))
    except ValueError as error:
        frame.show_error(error)
        return
    if not wanted:
        st.caption(f"There are too few training images with a label to train with {clusters.LABEL_COUNTS[0]} of them.")
        return
    trained, ended = trainings(wanted)
    missing = {count: config for count, config in wanted.items() if count not in trained}
    st.markdown(
        f"This run found, without a label, the right neighbour of **{words.percent(level)}** of the test images. Plain "
        "deep metric learning with the same images, the same split and as many epochs can learn from labels. How many "
        "does it need?"
    )
    st.caption(comparator_words(next(iter(wanted.values()))))
    if missing:
        st.button(
            f"Train with {', '.join(f'{count:,}' for count in missing)} labels",
            icon=":material/play_arrow:",
            on_click=manage.perform,
            args=(lambda: manage.queue_runs(list(missing.values())), "", manage.NOT_STARTED),
            help=f"{len(missing)} short trainings, one after another.",
        )
    for count in missing:
        if count in ended:
            status = ended[count].status()
            reason = f": {escape_markdown(status.reason)}" if status.reason else ""
            st.caption(f":material/error: The training with {count:,} labels is {status.state}{reason}.")
    scored = {count: (other.metrics() or {}).get("recall_at_1") for count, other in trained.items()}
    scored = {count: score for count, score in scored.items() if score is not None}
    waiting = sum(other.status().active for other in trained.values())
    if waiting:
        st.caption(f"{waiting} of them still run or wait. This part looks anew every {frame.SECONDS_IDLE:.0f} seconds.")
    if not scored:
        return
    counts, reached = list(scored), list(scored.values())
    title = SCORES["recall_at_1"].title
    pictures.draw_curves("worth", curves.worth_curve(counts, reached, level, title))
    worth = clusters.labels_worth(counts, reached, level)
    if worth is None:
        st.markdown(f"Not yet with {counts[-1]:,}: this run without labels is ahead of each of them.")
    elif worth <= counts[0]:
        st.markdown(f"{counts[0]:,} labels are enough.")
    else:
        st.markdown(f"About **{worth:,.0f} labels**: there plain deep metric learning comes as far (one seed).")


def no_level(state: str, tested: bool = True) -> str:
    """Why a run has no score yet that labels could be held against; tested: whether test rows have labels."""
    if not tested:
        return "No test image has a label: nothing tells how right this run's neighbours are."
    if state == "done":
        return "This run has no recall at 1 that labels could be held against."
    before = f"This run was {state} before its end. " if state in ("stopped", "interrupted") else ""
    before = "This run has failed. " if state == "failed" else before
    when = "When it is resumed and done" if before else "When this run is done"
    return f"{before}{when}: how many labels plain deep metric learning needs to come as far."


def comparator_words(config: RunConfig) -> str:
    """How plain deep metric learning is set here, whatever the run without labels has."""
    augmented = "turned, scaled and shifted" if config.augment == "on" else "as they are"
    return (
        f"Whatever this run has, that is a {entry_title('encoder', config.encoder)} network from scratch, "
        f"{config.latent_dim} dimensions, {entry_title('loss', config.loss)} loss, images {augmented}, labels drawn "
        f"evenly from the classes, {config.batch_size:,} images a step. Its {config.epochs:,} "
        f"epoch{'s' * (config.epochs != 1)} and seed {config.seed} are this run's."
    )


def trainings(wanted: dict[int, RunConfig]) -> tuple[dict[int, Run], dict[int, Run]]:
    """(the run of each setting that has a score or will have one, the newest of those that ended without), by the
    number of labels. Where there are several, a finished one comes first."""
    count_of, states = {config: count for count, config in wanted.items()}, {"done": {}, "active": {}, "ended": {}}
    for run in reversed(listing.list_runs()):  # the newest last
        if (count := count_of.get(config_of(run))) is not None:
            status = run.status()
            kind = "done" if status.state == "done" else "active" if status.active else "ended"
            states[kind][count] = run
    trained = states["active"] | states["done"]
    return {count: trained[count] for count in wanted if count in trained}, states["ended"]


def trained_on(run: Run) -> tuple[int, int]:
    """(training images that the labels seen are a percentage of: the official ones, or those of half of the classes,
    with what is held out of them; how many classes they have). Raises ValueError when they are not on this machine."""
    config = run.config()
    if config.split == "official":
        names = points.class_names(run)
        return store.training(config.data, "official", "test").official, len(names)
    splits = cache.images_of(run)
    known = splits.train.labels[splits.train.labels >= 0]
    held = int((splits.test.labels >= 0).sum()) if config.evaluate_on == "validation" else 0
    return len(known) + held, len(known.unique())
