"""What stands below the map: scores, curves, confusion, reconstructions, table."""

import numpy as np
import streamlit as st

from semidml import tasks
from semidml.data import store
from semidml.explore import decode, points
from semidml.explore.decode import Reconstructed
from semidml.frames import SPLITS, TEST, Frame
from semidml.jobs import queue
from semidml.methods import MODELS
from semidml.plots.counts import confusion_figure
from semidml.plots.curves import score_curves
from semidml.plots.pictures import image_strip, lattice_image
from semidml.runs.run import Run
from semidml.scores import agreement
from semidml.scores.meaning import list_left_out
from semidml.scores.table import GROUPS, SCORES, shown_at
from semidml.tasks import Task
from semidml.ui import cache, pictures, seeds
from semidml.ui.cache import images_of, missing_images
from semidml.ui.explorer import questions
from semidml.ui.frame import SECONDS_LIVE, draw_task, show_error
from semidml.ui.scores import HEADLINES, draw_card, remark_words, score_told
from semidml.ui.words import direction_words, escape_markdown, pixels_words
from semidml.words import percent

LATTICE = 560  # pixels across, of decoded places
PAIRS = 12  # of the best and of the worst reconstructions


@cache.until_changed(
    st.cache_data(show_spinner="Encoding and decoding the test points …"),
    *("weights.safetensors", "state.safetensors", "rows.npz"),
)
def reconstructed(run: Run, epoch: int) -> Reconstructed:
    return decode.reconstruct_points(cache.load_model(run), images_of(run), cache.read_frame(run, epoch).rows)


def draw_scores(run: Run, frame: Frame, names: list[str]) -> None:
    """All scores with their scatter and remarks, what failed with its reason, and the slow ones on demand."""
    key = ("scores", str(run.path), *points.stamp(run, "weights.safetensors"))
    task = tasks.find_task(key)
    metrics = run.metrics()
    is_unkept = task is not None and task.text.startswith(tasks.NOT_KEPT)
    if task is not None and task.done and not task.error and (run.is_shipped or is_unkept):
        metrics = task.result
    if is_unkept:
        st.warning(f"These scores were computed and are shown for now, but {task.text}.", icon=":material/save:")
    if metrics is None:
        st.info(
            "The final scores are computed at a run's end, on all rows; this one has none (yet). "
            "Its curves have those on the way.",
            icon=":material/hourglass_empty:",
        )
        return
    seeds.draw_seeds(run, shown_at("compare"))
    rows_words, failed, notes = fitted_words(run), metrics.get("failed", {}), metrics.get("notes", {})
    large = [name for name in shown_at("compare") if metrics.get(name) is not None][:HEADLINES]
    draw_card("large scores", [score_told(name, metrics, failed) for name in large], of=run.id)
    for group in GROUPS.values():
        known = [name for name, score in SCORES.items() if name in metrics and score.group == group.name]
        known = [name for name in known if not SCORES[name].is_scatter]  # it stands beside its score
        if not known:
            continue
        st.subheader(group.title, anchor=False)
        st.caption(group.summary)
        told = [score_told(name, metrics, failed) | {"title": SCORES[name].short_title} for name in known]
        about = [" ".join(filter(None, [SCORES[name].summary, notes.get(name, ""), rows_words])) for name in known]
        told = [score | {"help": words} for score, words in zip(told, about, strict=True)]
        draw_card(f"scores of {group.name}", told, headlines=0, of=run.id)
        for name in filter(failed.__contains__, known):
            reason = escape_markdown(failed[name])
            st.caption(f":material/error: {SCORES[name].title} could not be computed: {reason}")
        for remark in remark_words(known, notes):
            st.caption(f":material/info: {remark}")
    for words in list_left_out(metrics):
        st.caption(f":material/info: {words}")
    st.caption(f"{rows_words} {direction_words(run)}".strip())
    draw_slow_scores(run, task, key, metrics)


def fitted_words(run: Run) -> str:
    """How many rows the scores are of."""
    facts = run.details().get("facts") or {}
    try:
        sizes = store.facts(run.config().data)
    except ValueError:
        return f"{facts.get('seen_labels', 'An unknown number of')} seen labels."
    if run.config().split == "classes":
        rows = f"{facts['training_rows']:,} rows" if "training_rows" in facts else "rows"
        return f"Trained on {rows} of the first half of the classes, scored on classes that it has not seen."
    on = "validation" if run.config().evaluate_on == "validation" else "test"
    n = f"{sizes[on]:,}" if on in sizes else "held-out"
    train, seen = facts.get("training_rows", sizes["train"]), facts.get("seen_labels", 0)
    train -= facts.get("unlabelled_rows", 0)
    half = (run.details().get("machine") or {}).get("precision") == "bfloat16"
    rounded = " Its networks trained in bfloat16; scores are of single precision." if half else ""
    if not train:
        return f"Trained without a label; scored on {n} {on} rows.{rounded}"
    return f"Fitted on {train:,} training rows or on the {seen:,} seen labels; scored on {n} {on} rows.{rounded}"


def draw_slow_scores(run: Run, task: Task | None, key: tuple, metrics: dict) -> None:
    """Random forest and MLP classifier, in the background."""
    if task is not None and not task.done:
        words_of = "Forest and MLP: {0.text}, {0.seconds:.0f} s".format
        st.fragment(draw_task, run_every=SECONDS_LIVE)(key, words_of)
        return
    if task is not None and task.error:
        show_error(task.error)
    if "mlp_accuracy" in metrics:
        return
    missing = missing_images(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Add random forest and MLP",
            icon=":material/forest:",
            disabled=bool(missing),
            on_click=tasks.start_task,
            args=(key, lambda progress: queue.jobs().all_scores(run, progress)),
            key="slow scores",
        )
        kept = "shown until the app ends" if run.is_shipped else "kept with the run"
        st.caption(missing or f"About 20 s each for 60,000 rows, in the background; {kept}.")


def draw_curves(run: Run, frame: Frame, names: list[str]) -> None:
    try:
        history = run.history()
    except (ValueError, KeyError, TypeError) as error:
        show_error(f"history.jsonl is damaged: {error}")
        return
    if len(history) < 2:
        st.info("Curves need two finished epochs.", icon=":material/show_chart:")
        return
    loss, score = st.columns(2)
    low, why = ({}, "") if missing_images(run) else cache.floors_or_reason(run)
    with loss:
        pictures.draw_losses(history)
    with score:
        siblings = seeds.find(run)
        bands = seeds.read_bands(siblings, shown_at("curves")) if siblings else {}
        pictures.draw_scores("scores", history, score_curves(pictures.thinned_history(history), low, bands=bands))
    words = ["Scores of every epoch are of the points drawn; the final ones are of all rows."]
    words += [seeds.band_words(siblings)] if siblings and bands else []
    words += [f"Dashed: {pixels_words(run)}."] if low else []
    st.caption(" ".join([*words, why]).strip())


def draw_confusion(run: Run, frame: Frame, names: list[str]) -> None:
    """Which class is taken for which, among the test rows drawn that have a label and a prediction."""
    test = (frame.rows["split"] == TEST) & frame.told
    labels, predictions = frame.rows["labels"][test], frame.predictions[test]
    if not len(labels):
        st.info("No test row drawn has a label and a prediction, so none is right or wrong.")
        return
    counts = agreement.count_pairs(labels, predictions, len(names), len(names))
    state, titles = (*names, counts.tobytes()), points.in_charts(names)
    pictures.draw_chart("confusion", state, lambda dark: confusion_figure(counts, titles, dark))
    right = percent(agreement.accuracy(labels, predictions))
    voters = "other test rows drawn: no test class was trained on" if frame.disjoint else "seen labels drawn"
    st.caption(
        f"After epoch {frame.epoch}: {right} of the {len(labels):,} test rows drawn are right, "
        f"by the 5 nearest of the {voters}."
    )


def draw_reconstructions(run: Run, frame: Frame, names: list[str]) -> None:
    """Best and worst reconstructions of the test rows drawn; of a plane, what the decoder makes of its places."""
    if not run.config().trains_decoder:
        able = next(entry.title for entry in MODELS.values() if entry.facts["decoder"])
        st.info(
            f"This run has no decoder that was trained: there is nothing to reconstruct. The {able} has one.",
            icon=":material/hide_image:",
        )
        return
    if pictures.say_missing(run):
        return
    model = cache.load_model(run)
    redrawn = reconstructed(run, frame.epoch)
    for title, some in (("Best", slice(0, PAIRS)), ("Worst", slice(-1, -PAIRS - 1, -1))):
        errors = redrawn.errors[some]
        st.subheader(title, anchor=False)
        strip = image_strip([redrawn.originals[some], redrawn.decoded[some]])
        pictures.draw_pixels(strip, f"{title.lower()} images over their reconstructions")
        st.caption(f"Squared error {errors[0]:.4f} to {errors[-1]:.4f}; images over their reconstructions.")
    st.caption(
        f"Of the {len(redrawn.positions):,} test rows drawn, with the weights of the end; mean over pixels from 0 to 1."
    )
    if frame.latents.shape[1] == 2:
        st.subheader("What the decoder makes of each place of the map", anchor=False)
        lattice = lattice_image(decode.decode_lattice(model, frame.latents))
        with st.container(width=LATTICE):
            pictures.draw_pixels(lattice, "a lattice of decoded places")
        st.caption("A lattice from the 2nd to the 98th percentile of each axis, upwards as in the map.")


def draw_table(run: Run, frame: Frame, names: list[str]) -> None:
    """The points drawn as a table; a row that is chosen answers beside the map."""
    rows, label = frame.rows, np.array([*names, None], dtype=object)  # the last one is that of -1
    columns = {
        "Split": np.array(SPLITS)[rows["split"]],
        "Row": rows["row"],
        "Class": label[rows["labels"]],
        "Prediction": label[frame.predictions],
        "Right": np.where(frame.told, ~frame.wrong, None),
        "Seen": rows["seen"],
        **{f"z{i + 1}": frame.latents[:, i] for i in range(frame.latents.shape[1])},
    }

    def answer_chosen() -> None:
        if rows := st.session_state["table"]["selection"]["rows"]:
            questions.ask_point(int(rows[0]))

    st.dataframe(
        columns,
        hide_index=True,
        width="stretch",
        height=380,
        key="table",
        on_select=answer_chosen,
        selection_mode="single-row",
    )
    st.caption(f"{len(frame.latents):,} points after epoch {frame.epoch}. A row that is chosen answers beside the map.")
