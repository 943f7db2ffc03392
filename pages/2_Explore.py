"""Explore: choose a run, click a point, ask what lies behind it."""

from typing import Any

import numpy as np
import streamlit as st

from semidml import evaluate, explore, jobs, plots, runs, transfer, ui
from semidml.data import store
from semidml.explore import SPLITS, TEST, Points
from semidml.methods import MODELS
from semidml.score_table import GROUPS, SCATTER, SCORES
from semidml.ui import explorer, own
from semidml.ui.explorer import computing, cut, images_of, missing_images

SECTIONS = ("Scores", "Curves", "Confusion", "Reconstructions", "Your own image", "Points", "Downloads")
SECONDS_LIVE = 1.0
LATTICE, TILE, WIDE_TILE = 560, 146, 190  # pixels across: of decoded places, a score, one with its scatter
PAIRS = 12  # of the best and of the worst reconstructions


# ---- which run


def pick() -> runs.Run | None:
    """The run that the page is about: the link's, or the one chosen here; None when there is none."""
    there = {run.id: run for run in runs.list_runs()}
    asked = st.query_params.get("run")
    if asked is not None and asked != st.session_state.get("explore link"):
        st.session_state["explore link"] = asked
        if asked in there:
            st.session_state["explored"] = asked
        else:
            st.warning(f"There is no run called {ui.plain(asked)} here (any more).", icon=":material/link_off:")
    if not there:
        st.query_params.pop("run", None)
        return None
    if st.session_state.get("explored") not in there:
        st.session_state["explored"] = first_choice(list(there.values())).id
    st.session_state["explored run"] = st.session_state["explored"]  # each time: its words, and so the widget, change
    words = {run.id: ui.run_words(run) for run in there.values()}  # now: they change while a run goes on
    chosen = st.selectbox(
        "Run",
        list(there),
        format_func=words.__getitem__,
        key="explored run",
        on_change=lambda: st.session_state.update({"explored": st.session_state["explored run"]}),
        help="Every run of this machine's folder, newest first, then the runs that come with the project.",
    )
    st.session_state["explore link"] = st.query_params["run"] = chosen
    return there[chosen]


def first_choice(there: list[runs.Run]) -> runs.Run:
    """The newest run that has something to show, else the newest."""
    return next((run for run in there if run.frames()), there[0])


def heading(run: runs.Run) -> None:
    """Where the run stands, and what is missing."""
    status = run.status()
    if status.active:
        st.fragment(going_on, run_every=SECONDS_LIVE)(run.id, len(run.frames()))
    else:
        st.markdown(ui.state_words(run, status))
    if status.state in ("failed", "interrupted"):
        st.warning(ui.reason(status) or "It does not say why.", icon=":material/warning:")
    elif status.reason:
        st.caption(f"{ui.reason(status)}.")
    if status.state in ("stopped", "interrupted", "failed") and not run.is_shipped and not run.is_complete():
        st.page_link(
            ui.TRAIN, label="Resume it on the page Train", icon=":material/resume:", query_params={"run": run.id}
        )
    for alarm in ui.alarms(status):
        st.warning(alarm, icon=":material/notification_important:")


def going_on(run_id: str, frames: int) -> None:
    """Progress of a run that goes on, and a way to its newest points; what is drawn stays until it is asked for."""
    try:
        run = runs.get(run_id)
    except ValueError:
        st.rerun()
    status = run.status()
    if not status.active:
        st.rerun()
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.progress(status.fraction, text=ui.state_words(run, status))
    new = len(run.frames()) - frames
    if new and button.button(f"Show {new} new epoch{'s' * (new > 1)}", key="show new", width="stretch"):
        st.session_state.pop(f"epoch {run_id}", None)
        st.rerun()


@st.cache_data(max_entries=8, show_spinner="Encoding and decoding the test points …")
def reconstructed(run_id: str, epoch: int, stamp: tuple) -> explore.Reconstructed:
    run = runs.get(run_id)
    return explore.reconstructions(ui.model(run), images_of(run), explorer.points(run, epoch).rows)


# ---- below the map


def scores(run: runs.Run, found: Points, names: list[str]) -> None:
    """All scores with their scatter and remarks, what failed with its reason, and the slow ones on demand."""
    key = ("scores", str(run.path), *explore.stamp(run, "weights.safetensors"))
    task = explore.task(key)
    metrics = run.metrics()
    if task is not None and task.done and not task.error and run.is_shipped:
        metrics = task.result
    if metrics is None:
        st.info(
            "The final scores are computed at a run's end, on all rows; this one has none (yet). "
            "Its curves have those on the way.",
            icon=":material/hourglass_empty:",
        )
        return
    rows_words, failed, notes = score_rows(run), metrics.get("failed", {}), metrics.get("notes", {})
    for group in GROUPS.values():
        there = [name for name, score in SCORES.items() if name in metrics and score.group == group.name]
        there = [name for name in there if not SCORES[name].is_scatter]  # it stands beside its score
        if not there:
            continue
        st.markdown(f"**{group.title}** :gray[{group.summary}]")
        with st.container(horizontal=True, gap="small"):
            for name in there:
                score = SCORES[name]
                about_it = " ".join(filter(None, [score.summary, ui.inert(notes.get(name, "")), rows_words]))
                width = TILE if metrics.get(f"{name}{SCATTER}") is None else WIDE_TILE
                value = ui.scattered(name, metrics)
                st.metric(score.short_title, value, help=about_it, width=width, border=True)
        for name in there:
            if name in failed:
                title = SCORES[name].title
                st.caption(f":material/error: {title} could not be computed: {ui.inert(failed[name])}")
        for remark in ui.remarks(there, notes):
            st.caption(f":material/info: {remark}")
    st.caption(f"{rows_words} {ui.of_directions(run)}".strip())
    slow_scores(run, task, key, metrics)


def score_rows(run: runs.Run) -> str:
    """How many rows the scores are of."""
    facts = run.details().get("facts") or {}
    try:
        of = store.facts(run.config().data)
    except ValueError:
        return f"{facts.get('seen_labels', 'An unknown number of')} seen labels."
    if run.config().split == "classes":
        rows = f"{facts['training_rows']:,} rows" if "training_rows" in facts else "rows"
        return f"Trained on {rows} of the first half of the classes, scored on classes that it has not seen."
    on = "validation" if run.config().evaluate_on == "validation" else "test"
    n = f"{of[on]:,}" if on in of else "held-out"
    train, seen = facts.get("training_rows", of["train"]), facts.get("seen_labels", 0)
    half = (run.details().get("machine") or {}).get("precision") == "bfloat16"
    rounded = " Its networks trained in bfloat16; scores are of single precision." if half else ""
    return f"Fitted on {train:,} training rows or on the {seen:,} seen labels; scored on {n} {on} rows.{rounded}"


def slow_scores(run: runs.Run, task: explore.Task | None, key: tuple, metrics: dict) -> None:
    """Random forest and MLP classifier, in the background."""
    if task is not None and not task.done:
        st.fragment(computing, run_every=SECONDS_LIVE)(key, "Forest and MLP")
        return
    if task is not None and task.error:
        ui.trouble(task.error)
    if "mlp_accuracy" in metrics:
        return
    missing = missing_images(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Add random forest and MLP",
            icon=":material/forest:",
            disabled=bool(missing),
            on_click=start_scores,
            args=(run, key),
            key="slow scores",
        )
        kept = "shown until the app ends" if run.is_shipped else "kept with the run"
        st.caption(missing or f"About 20 s each for 60,000 rows, in the background; {kept}.")


def start_scores(run: runs.Run, key: tuple) -> None:
    explore.start(key, lambda progress: jobs.jobs().all_scores(run, progress))


def curves(run: runs.Run, found: Points, names: list[str]) -> None:
    """Loss terms and scores by epoch."""
    try:
        history = run.history()
    except (ValueError, KeyError, TypeError) as error:
        ui.trouble(f"history.jsonl is damaged: {error}")
        return
    if len(history) < 2:
        st.info("Curves need two finished epochs.", icon=":material/show_chart:")
        return
    loss, score = st.columns(2)
    low, why = ({}, "") if missing_images(run) else ui.floors_or_why(run)
    state = ("explore", run.id, explore.stamp(run, "history.jsonl"), ui.dark())
    with loss:
        ui.chart("loss", state, lambda: plots.loss_curves(history, ui.dark()))
        st.caption(plots.loss_words(history))
    with score:
        drawn = ui.thinned(history)
        ui.chart("scores", state, lambda: plots.score_curves(drawn, low, ui.dark()))
    words = ["Scores of every epoch are of the points drawn; the final ones are of all rows."]
    words += [f"Dashed: {ui.pixels_words(run)}."] if low else []
    st.caption(" ".join([*words, why]).strip())


def confusion(run: runs.Run, found: Points, names: list[str]) -> None:
    """Which class is taken for which, among the test rows drawn."""
    test = found.rows["split"] == TEST
    labels, predictions = found.rows["labels"][test], found.predictions[test]
    if not len(labels):
        st.info("No test row is drawn.")
        return
    counts = evaluate.confusion(labels, predictions, len(names))
    state, shown = (tuple(names), counts.tobytes(), ui.dark()), explore.in_charts(names)
    ui.chart("confusion", state, lambda: plots.confusion_figure(counts, shown, ui.dark()))
    right = ui.percent(evaluate.accuracy(labels, predictions))
    voters = "other test rows drawn: no test class was trained on" if found.disjoint else "seen labels drawn"
    st.caption(
        f"After epoch {found.epoch}: {right} of the {len(labels):,} test rows drawn are right, "
        f"by the 5 nearest of the {voters}."
    )


def reconstructions(run: runs.Run, found: Points, names: list[str]) -> None:
    """Best and worst reconstructions of the test rows drawn; of a plane, what the decoder makes of its places."""
    if not explore.decoder_trained(run):
        an_able = next(entry.title for entry in MODELS.values() if entry.facts["decoder"])
        st.info(
            f"This run has no decoder that was trained: there is nothing to reconstruct. The {an_able} has one.",
            icon=":material/hide_image:",
        )
        return
    missing = missing_images(run)
    if missing:
        st.info(missing, icon=":material/hide_image:")
        return
    its_model = ui.model(run)
    done = reconstructed(
        run.id, found.epoch, explore.stamp(run, "weights.safetensors", "state.safetensors", "rows.npz")
    )
    for title, some in (("Best", slice(0, PAIRS)), ("Worst", slice(-1, -PAIRS - 1, -1))):
        errors = done.errors[some]
        st.markdown(
            f"**{title}** · squared error {errors[0]:.4f} to {errors[-1]:.4f}; images over their reconstructions"
        )
        st.image(plots.image_strip([done.originals[some], done.decoded[some]]), width="stretch")
    st.caption(
        f"Of the {len(done.positions):,} test rows drawn, with the weights of the end; mean over pixels from 0 to 1."
    )
    if found.latents.shape[1] == 2:
        st.markdown("**What the decoder makes of each place of the map**")
        st.image(plots.lattice_image(explore.lattice(its_model, found.latents)), width=LATTICE)
        st.caption("A lattice from the 2nd to the 98th percentile of each axis, upwards as in the map.")


def table(run: runs.Run, found: Points, names: list[str]) -> None:
    """The points drawn as a table; a row that is chosen answers beside the map."""
    rows, label = found.rows, np.array(names, dtype=object)
    columns = {
        "Split": np.array(SPLITS)[rows["split"]],
        "Row": rows["row"],
        "Class": label[rows["labels"]],
        "Prediction": label[found.predictions],
        "Right": ~found.wrong,
        "Seen": rows["seen"],
        **{f"z{i + 1}": found.latents[:, i] for i in range(found.latents.shape[1])},
    }
    st.dataframe(
        columns,
        hide_index=True,
        width="stretch",
        height=380,
        key="table",
        on_select=chose_in_table,
        selection_mode="single-row",
    )
    st.caption(f"{len(found.latents):,} points after epoch {found.epoch}. A row that is chosen answers beside the map.")


def chose_in_table() -> None:
    if chosen := st.session_state["table"]["selection"]["rows"]:
        explorer.choose_point(int(chosen[0]))


def downloads(run: runs.Run, found: Points, names: list[str]) -> None:
    """Everything to take away; made when it is asked for."""
    missing = missing_images(run)
    has_weights = (run.path / "weights.safetensors").exists()
    why = missing or ("" if has_weights else "This run has no final weights (yet).")
    run_id = run.id

    key = ("all rows", str(run.path), *explore.stamp(run, "weights.safetensors"))

    def everything() -> dict[str, np.ndarray]:
        task = explore.start(key, lambda _: jobs.jobs().everything(runs.get(run_id))).wait()
        if task.error:
            raise ValueError(task.error)
        explore.forget(key)  # large, and in the visitor's hands
        return task.result

    if (task := explore.task(key)) and task.error:
        ui.trouble(task.error)  # a button for a download can only say that there is none
    st.markdown("**Latents, labels and predictions of all rows**, training and test, by the weights of the end")
    with st.container(horizontal=True):
        st.download_button(
            "NumPy (.npz)",
            lambda: explore.as_npz(everything()),
            f"{run_id}-latents.npz",
            on_click="ignore",
            icon=":material/download:",
            disabled=bool(why),
            key="npz",
        )
        st.download_button(
            "Table (.csv)",
            lambda: explore.as_csv(everything(), names),
            f"{run_id}-latents.csv",
            on_click="ignore",
            icon=":material/download:",
            disabled=bool(why),
            key="csv",
        )
    if why:
        st.caption(why)
    st.markdown("**The run**")
    metrics = run.metrics()
    with st.container(horizontal=True):
        st.download_button(
            "Scores (.json)",
            explore.as_json(metrics or {}),
            f"{run_id}-scores.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
            disabled=metrics is None,
            key="scores json",
        )
        st.download_button(
            "Config (.json)",
            explore.as_json(run.details()),
            f"{run_id}-config.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
            key="config json",
        )
        st.download_button(
            "Whole run (.zip)",
            lambda: explore.as_zip(runs.get(run_id)),
            f"{run_id}.zip",
            "application/zip",
            on_click="ignore",
            icon=":material/folder_zip:",
            key="run zip",
            help=f"{runs.size_words(run.size())}; it can be imported again, here or elsewhere.",
        )


# ---- management


def manage(run: runs.Run | None) -> None:
    """Rename, delete, export, import, and the quota."""
    if run is not None:
        st.markdown(f"{ui.plain(run.id)} · {runs.size_words(run.size())}")
        if run.is_shipped:
            st.caption("This run comes with the project: it cannot be renamed or deleted.")
        else:
            new = st.text_input("New name", max_chars=80, key=f"new name {run.id}", placeholder=run.id)
            st.button("Rename", on_click=rename, args=(run.id,), disabled=not new, icon=":material/edit:", key="rename")
            sure = st.checkbox("Delete it with all its files", key=f"sure {run.id}")
            st.button(
                "Delete", on_click=delete, args=(run.id,), disabled=not sure, icon=":material/delete:", key="delete run"
            )
        st.divider()
    file = st.file_uploader(
        "Import a run (.zip)", type=["zip"], key=f"import {st.session_state.setdefault('import round', 0)}"
    )
    st.button("Import", on_click=bring, args=(file,), disabled=file is None, icon=":material/upload:", key="import run")
    try:
        used, quota = runs.usage(), runs.quota()
    except ValueError:  # the sidebar says so
        return
    st.progress(
        min(1.0, used / quota) if quota else 1.0, text=f"Runs take {runs.size_words(used)} of {runs.size_words(quota)}"
    )


def rename(run_id: str) -> None:
    new = st.session_state[f"new name {run_id}"].strip()
    act(lambda: choose(runs.get(run_id).rename(new)), f"It is called {ui.plain(new)} now.")
    ui.forget_runs()


def delete(run_id: str) -> None:
    act(lambda: runs.get(run_id).delete(), f"{ui.plain(run_id)} is deleted.")
    ui.forget_runs()


def bring(file: Any) -> None:
    """Takes the file in; either way the uploader is empty afterwards, so that no second click meets this file again."""

    def take() -> None:
        choose(transfer.import_zip(file))
        ui.forget_runs()

    act(take, "The run is here.")
    st.session_state["import round"] += 1


def choose(run: runs.Run) -> None:
    st.session_state["explored"] = st.session_state["explore link"] = run.id
    st.query_params["run"] = run.id


def act(what: Any, done: str) -> None:
    """Does it, and keeps for the page what came of it."""
    try:
        what()
    except (ValueError, FileNotFoundError) as error:
        st.session_state["explore said"] = (False, str(error))
    else:
        st.session_state["explore said"] = (True, done)


def what_came_of_it() -> None:
    if said := st.session_state.pop("explore said", None):
        well, words = said
        if well:
            st.success(words, icon=":material/check:")
        else:
            ui.trouble(words)


# ---- the page


def show(run: runs.Run) -> None:
    """Everything about a run that can be read."""
    heading(run)
    epochs = run.frames()
    if st.session_state.get("explored before") != run.id:
        st.session_state.update({"explored before": run.id, "first look": True})
        explorer.forget_question()
    if not epochs:
        waiting = (
            "Its first points come before the first step of the training."
            if run.status().active
            else "It has stored no points: there is nothing to draw."
        )
        st.info(waiting, icon=":material/scatter_plot:")
        return
    epoch = explorer.chosen_epoch(run, epochs)
    st.session_state["epoch below"] = (run.id, epoch)
    try:
        found = explorer.points(run, epoch)
    except ValueError as error:
        ui.trouble(error)
        if len(epochs) > 1:
            explorer.epoch_slider(run, epochs)
        return
    names = explore.class_names(run, found)
    if st.session_state.pop("first look", False):  # so that it is seen at once what a point answers
        explorer.choose_point(explore.telling_point(found))
    st.session_state["map first"] = True
    explorer.show(run.id, epochs)
    section = st.segmented_control(
        "More about this run",
        SECTIONS,
        default="Scores",
        required=True,
        key="section",
        persist_state="session",
        label_visibility="collapsed",
    )
    parts = dict(zip(SECTIONS, (scores, curves, confusion, reconstructions, own.show, table, downloads), strict=True))
    try:
        parts[section](run, found, names)
    except ValueError as error:
        ui.trouble(cut(error))
    ui.foot(
        f"python -m semidml evaluate {run.id}\npython -m semidml runs export {run.id} {run.id}.zip\n"
        f"{run.config().command()}",
        python_of(run),
    )


def python_of(run: runs.Run) -> str:
    return (
        f"from semidml import explore, runs\nfrom semidml.data import store\n\nrun = runs.get({run.id!r})\n"
        "print(run.config(), run.metrics())\n"
        "everything = explore.everything(run, store.load(run.config().data))  # latents, predictions"
    )


ui.page("Explore", ":material/travel_explore:")
if st.session_state.pop("to train", False):
    st.switch_page(ui.TRAIN)
st.html("<style>[data-testid='stMetricLabel'] p {white-space: normal !important;}</style>")
st.title("Explore")
st.markdown("Choose a run, **click a point**: its image, its reconstruction and its neighbours answer.")
with st.container():  # always there: what follows must not move, or an open menu would close
    what_came_of_it()
choice, more = st.columns([5, 1], vertical_alignment="bottom")
with choice:
    run = pick()
with more, st.popover("Manage", icon=":material/settings:", width="stretch"):
    manage(run)
if run is None:
    with st.container(border=True, height=320, vertical_alignment="center", horizontal_alignment="center"):
        st.markdown("### There is no run yet")
        st.page_link(ui.TRAIN, label="Train one: the digits take a few seconds", icon=":material/play_circle:")
else:
    try:
        show(run)
    except (ValueError, FileNotFoundError) as error:
        ui.trouble(f"This run cannot be shown: {error}")
