"""Train: choose a setting, press Train, watch the points move."""

import time
from collections.abc import Callable

import streamlit as st

from semidml import evaluate, jobs, plots, runs, ui
from semidml.config import FEW, RunConfig, knobs
from semidml.data import labels, store
from semidml.methods import MODELS
from semidml.priors import PRIORS
from semidml.registry import Entry
from semidml.schedules import SCHEDULES

SECONDS_LIVE = 1.0
SECONDS_TO_STOP = 0.8  # a run stops within a tick, which is half a second
MOST_RECORDS = 200  # of a curve
PERCENTAGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
ALPHAS = (0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
GAMMAS = (0, 0.1, 0.3, 1, 3, 10, 20, 50, 100, 200, 500, 1000, 10_000)
DIMENSIONS = (1, 2, 3, 4, 6, 8, 10, 16, 32, 64)
HEADLINES = ("knn_accuracy", "knn_accuracy_labelled", "kmeans_ami", "component_ami", "reconstruction_mse")
ONLY_SOME = {"component_ami", "reconstruction_mse"}  # which not every model has
PIXELS = {"pixel_knn_accuracy": "kNN, all labels", "pixel_knn_accuracy_labelled": "kNN, seen labels"}


# ---- left: the knobs


def choose() -> RunConfig | None:
    """The knobs; the config that they make, or None after saying why they make none."""
    ui.square()
    model = MODELS[ui.current("model")]
    st.caption(f"**{model.title[0].upper()}{model.title[1:]}**: {model.summary}.  \n*{model.facts['claim']}*")
    ui.knob("data", options=ui.data_names(), format_func=ui.data_title)
    seen_slider()
    used = ui.used()
    if "alpha" in used:
        ui.knob("alpha", label=f"Alpha: weight of the {unsupervised(model)}", options=ALPHAS, slider=True)
        ui.ends("0: labels only", "1: prior only" if not model.facts["decoder"] else "1: images only")
    if "gamma" in used:
        ui.knob(
            "gamma", label=f"Gamma: weight of the labels beside the {unsupervised(model)}", options=GAMMAS, slider=True
        )
        ui.ends("0: prior only" if not model.facts["decoder"] else "0: images only", "labels above all")
    left, right = st.columns(2)
    with left:
        ui.knob("latent_dim", label="Dimensions", options=DIMENSIONS, format_func=str)
    with right:
        ui.knob("epochs")
    if "schedule" in used:
        ui.knob("schedule")
        st.caption(f"{SCHEDULES[ui.current('schedule')].summary}.")
    if "prior" in used:
        prior_knobs(used)
    of_prior = {name for entry in PRIORS.values() for name in entry.knobs} | {"beta", "beta_warmup_epochs"}
    with st.expander("More knobs", icon=":material/tune:"):
        for name, knob in knobs().items():
            if knob.group != FEW and name in used - of_prior:
                ui.knob(name)
    try:
        return ui.config()
    except ValueError as error:
        ui.trouble(error)
        return None


def unsupervised(model: Entry) -> str:
    """What a model's loss of all rows is made of, in words."""
    parts = ["reconstruction"] * model.facts["decoder"] + ["prior"] * model.facts["prior"]
    return " and the ".join(parts)


def prior_knobs(used: set[str]) -> None:
    """What a prior has of its own, and what a mixture offers."""
    names = [*PRIORS[ui.current("prior")].knobs, *(name for name in ("beta", "beta_warmup_epochs") if name in used)]
    place = st.container()
    with st.expander(f"The prior: {PRIORS[ui.current('prior')].title}", icon=":material/bubble_chart:"):
        for name in names:
            if name in used:
                ui.knob(name)
        simple = ui.current("placement") == "vertices" and not ui.current("component_weights")  # told without torch
        if ui.current("prior") == "gmm" and (ui.is_warm() or simple):
            try:
                place.caption(ui.prior_words(ui.config()))
            except ValueError as error:
                place.caption(f":material/block: {error}")
            st.page_link(ui.PRIOR, label="Play with it alone", icon=":material/bubble_chart:")


def seen_slider() -> None:
    """The labels that are seen: logarithmic, counted in labels."""
    pl = ui.current("pl")
    try:
        facts = store.facts(ui.current("data"))
    except ValueError:
        ui.knob("pl")
        return
    official = facts["train"]
    steps = {ui.seen_labels(step, official): step for step in (*PERCENTAGES, pl)}
    ui.knob("pl", options=steps.values(), slider=True, format_func=lambda step: f"{ui.seen_labels(step, official):,}")
    sampling = ui.current("label_sampling")
    st.caption(labels.describe(pl, official, sampling, facts["classes"]))


def start_button(config: RunConfig | None) -> None:
    """Train, with what it will take; or what stands in its way."""
    problem = config and cannot_work(config)
    if problem:
        st.warning(problem, icon=":material/block:")
        if config and not ui.is_here(config.data):
            st.page_link(ui.DATA, label="Fetch it on the page Data", icon=":material/download:")
    st.button(
        "Train",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=config is None or bool(problem),
        on_click=start,
        args=(config,),
    )
    if config and not problem:
        st.caption(ui.estimate(config))
    if error := st.session_state.pop("train error", None):
        ui.trouble(error)


def cannot_work(config: RunConfig) -> str:
    """Why this config cannot be trained here, in words; "" when nothing is known against it."""
    try:
        if not ui.is_here(config.data):
            return f"{ui.entry_title('data', config.data)} is not on this machine yet."
        facts = store.facts(config.data)
        return config.too_few(facts["train"]) or labels.problem(
            config.pl,
            facts["train"],
            config.label_sampling,
            facts["classes"],
            needs_pairs=config.uses_labels,
            views=config.augment == "on",
        )
    except ValueError as error:
        return str(error)


def queue(shown: str) -> None:
    """Other runs that wait, and those that an app which is gone left waiting."""
    supervisor = jobs.jobs()
    waiting = [run for run in supervisor.queue() if run.id != shown]
    orphans = [run for run in supervisor.orphans() if run.id != shown]
    if waiting:
        st.markdown("**Waiting for their turn**")
    for run in waiting:
        waiting_row(run, "Stop", stop)
    if orphans:
        st.markdown("**Left waiting when the app was last closed**")
    for run in orphans:
        waiting_row(run, "Resume", resume)


def waiting_row(run: runs.Run, word: str, do: Callable[[str], None]) -> None:
    words, button = st.columns([3, 1], vertical_alignment="center")
    words.caption(ui.run_words(run))
    button.button(word, key=f"{word} {run.id}", on_click=do, args=(run.id,), width="stretch")


def start(config: RunConfig) -> None:
    act(lambda: show(jobs.jobs().submit(config).id))


def resume(run_id: str) -> None:
    act(lambda: jobs.jobs().resume(run_id))


def stop(run_id: str) -> None:
    act(lambda: stop_wherever(run_id))


def stop_wherever(run_id: str) -> None:
    """Stops a run of this app, or one that was started elsewhere; waits a moment for it, so that the page that follows
    can already say so."""
    supervisor = jobs.jobs()
    run = runs.get(run_id)
    if run.path.parent == supervisor.root:
        supervisor.stop(run_id)
    else:
        run.stop()
    patience = time.monotonic() + SECONDS_TO_STOP
    while run.status().active and time.monotonic() < patience:
        time.sleep(0.02)


def delete(run_id: str) -> None:
    act(lambda: runs.get(run_id).delete())
    ui.forget_runs()


def act(what: Callable[[], object]) -> None:
    """Does it; an error is kept for the page to say."""
    try:
        what()
    except ValueError as error:
        st.session_state["train error"] = str(error)


def show(run_id: str) -> None:
    st.session_state["shown run"] = run_id


# ---- right: the picture


def pick_run() -> runs.Run | None:
    """The run that is shown: the link's, the one just started, the one that runs now, the newest; None without any."""
    there = {run.id: run for run in runs.list_runs()}
    asked = st.query_params.get("run")
    if asked and ui.is_news("run", asked):
        ui.wrote("run", asked)
        show(asked)
    wanted = st.session_state.get("shown run")
    if wanted and wanted not in there:
        st.info(f"The run `{wanted[:80]}` is not here (any more). Here is another one.", icon=":material/delete:")
        st.session_state.pop("shown run")
        wanted = None
    if not there:
        return None
    if not wanted:
        active = [run for run in there.values() if run.status().active]
        wanted = (active or list(there.values()))[0].id
    st.session_state["run shown"] = wanted
    chosen = st.selectbox(
        "Run",
        list(there),
        format_func=lambda run_id: ui.run_words(there[run_id]),
        key="run shown",
        on_change=lambda: show(st.session_state["run shown"]),
        help="Every run of this machine's folder, newest first, and the runs that come with the project.",
    )
    ui.wrote("run", chosen)
    show(chosen)
    st.query_params["run"] = chosen
    return there[chosen]


def moved_on(run: runs.Run, config: RunConfig | None) -> None:
    """Says so when the knobs differ from the shown run's."""
    if config is None:
        return
    try:
        its = run.config()
    except ValueError:
        return
    changes = ui.changes(its, config)
    if not changes:
        return
    words, button = st.columns([3, 1.3], vertical_alignment="center")
    words.caption(f":material/tune: The knobs have moved on since this run: {changes}.")
    button.button(
        "Back to its knobs", on_click=ui.set_knobs, args=(ui.values_of(its),), width="stretch", key="back to its knobs"
    )


def picture(run_id: str, was_active: bool) -> None:
    """All that changes while a run goes on."""
    state = st.session_state
    try:
        run = runs.get(run_id)
        status = run.status()
    except ValueError:
        st.rerun()
    if status.active != was_active or state.get("shown run") != run_id or "train error" in state:
        st.rerun()  # what stands outside of this part has to follow
    heading(run, status)
    if status.state == "failed" and not run.frames():
        return
    try:
        live = ui.look(run)
    except ValueError as error:
        ui.trouble(error)
        return
    if live is None:
        st.info(
            "Waiting for the first points: they come before the first step of the training.",
            icon=":material/hourglass_top:",
        )
        return
    newest, rows = live
    score_place, map_place = st.empty(), st.container()
    if not ui.is_warm():  # the floors need torch, which a cold app is still loading: the map does not wait for it
        with score_place.container():
            score_row({}, {}, {})
    frame = newest if status.active else replay(run, newest)
    with map_place:
        ui.run_map(run, frame, rows, newest, "map")
    with score_place.container():
        scores(run)
    ui.reconstructions(run, frame)
    prior_pictures(frame)
    curves(run)
    if status.state == "done":
        comparison(run)
    queue(run_id)


def heading(run: runs.Run, status: runs.Status) -> None:
    """State, progress, and what can be done now."""
    state, actions = st.columns([2, 1.2], vertical_alignment="center")
    with state:
        if status.active:
            text = ui.state_words(run, status)
            st.progress(status.fraction, text=text)
        else:
            st.markdown(ui.state_words(run, status))
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        if status.active:
            st.button("Stop", icon=":material/stop:", on_click=stop, args=(run.id,), key="stop")
        elif not run.is_shipped and status.state in ("stopped", "interrupted", "failed"):
            st.button("Resume", icon=":material/resume:", on_click=resume, args=(run.id,), key="resume", type="primary")
        if not status.active:
            with st.popover("Rerun", icon=":material/replay:", help="The same setting with one knob changed"):
                rerun_one(run)
            if not run.is_shipped:
                with st.popover("", icon=":material/delete:", help="Delete this run"):
                    st.write("Delete this run and its folder?")
                    st.button("Delete", icon=":material/delete:", on_click=delete, args=(run.id,), key="delete")
    if status.reason and status.state in ("failed", "interrupted"):
        st.warning(status.reason[0].upper() + status.reason[1:], icon=":material/warning:")
    for alarm in ui.alarms(status):
        st.warning(alarm, icon=":material/notification_important:")


def rerun_one(run: runs.Run) -> None:
    """The setting of a run with one knob changed."""
    try:
        config = run.config()
    except ValueError as error:
        ui.trouble(error)
        return
    names = [name for name in knobs() if name in config.used() and name not in ("data", "device")]
    name = st.selectbox("Knob to change", names, format_func=ui.title, key="rerun knob", index=names.index("seed"))
    known, value = knobs()[name], getattr(config, name)
    key = f"rerun value {name}"
    if known.choices:
        new = st.selectbox(
            "New value",
            known.choices,
            known.choices.index(value),
            key=key,
            format_func=lambda c: ui.entry_title(name, c),
        )
    else:
        new = st.text_input("New value", ui.shown(value), key=key)
    st.button(
        "Train with it", icon=":material/play_arrow:", on_click=start_changed, args=(config, name, new), key="rerun"
    )


def start_changed(config: RunConfig, name: str, value: object) -> None:
    def submit() -> None:
        changed = ui.config_of(ui.values_of(config) | {name: value})
        ui.set_knobs(ui.values_of(changed))
        show(jobs.jobs().submit(changed).id)

    act(submit)


def replay(run: runs.Run, newest: dict) -> dict:
    """The frame of the epoch that the visitor chose among those kept; at first the last."""
    epochs = run.frames()
    if len(epochs) < 2:
        return newest
    epoch = st.select_slider("Epoch", epochs, epochs[-1], key=f"epoch {run.id}", help="0 is before training.")
    return newest if epoch == epochs[-1] else ui.frame(run.id, epoch)


def scores(run: runs.Run) -> None:
    """Scores now and before training, above the floors that need no training."""
    scored = [record.scores for record in run.history() if record.scores]
    final = run.metrics()
    before, now = scored[0] if scored else {}, final or (scored[-1] if scored else {})
    floors = ui.floors(run.id) if ui.is_here(run.config().data) else {}
    score_row(before, now, (final or {}).get("failed", {}))
    words = [f"Scores of {'all test images' if final else 'the drawn test points'}"]
    words += [f"raw pixels {ui.percent(floors[name])} ({of})" for name, of in PIXELS.items() if name in floors]
    words += [f"chance {ui.percent(floors['chance'])}"] if floors else []
    words += [f"spread {now['spread']:.2g}"] if now.get("spread") is not None else []
    words += [f"effective rank {now['effective_rank']:.1f}"] if now.get("effective_rank") is not None else []
    if now.get("component_ami") is not None:
        words += [f"components used {now['components_used']:.0f}"]
        words += [f"distance to the own component {now['component_distance']:.2f} sigma a dimension"]
        kinds = {"component_ami_rotated": "latents turned", "component_ami_random": "components anywhere"}
        told = [f"{kind} {now[name]:.2f}" for name, kind in kinds.items() if now.get(name) is not None]
        words += [f"component AMI without their places: {', '.join(told)}"] if told else []
    st.caption(" · ".join(words))


def score_row(before: dict, now: dict, failed: dict) -> None:
    """The headline scores side by side, and what they were before training; dashes for those that are not known."""
    with st.container(horizontal=True):
        for name in HEADLINES:
            if name in ONLY_SOME and name not in now | before:
                continue
            title, protocol = evaluate.SCORE_TITLES[name]
            protocol += f" Not computed: {failed[name]}." if name in failed else ""
            was = f"before {ui.score_words(name, before.get(name))}"
            st.metric(
                title,
                ui.score_words(name, now.get(name)),
                was,
                delta_color="off",
                delta_arrow="off",
                help=protocol,
                width=150,
            )


def prior_pictures(frame: dict) -> None:
    """What the decoder makes of the components' means, and a VampPrior's pseudo-inputs."""
    strips = {
        "component_images": "The prior's components, decoded at their means",
        "pseudo_inputs": "The pseudo-inputs: images that were learned, whose latents are the prior's components",
    }
    for name, words in strips.items():
        if name in frame:
            st.markdown(f"**{words}**")
            ui.pixels(plots.image_sheet(frame[name], columns=min(16, len(frame[name])), scale=1), words)


def curves(run: runs.Run) -> None:
    """Loss terms times their weights, and scores, by epoch."""
    history = run.history()
    if len(history) < 3:
        return
    floors = ui.floors(run.id) if ui.is_here(run.config().data) else None
    every = -(-len(history) // MOST_RECORDS)
    drawn = [*history[:-1:every], history[-1]]
    state, dark = (run.id, len(history), ui.dark()), ui.dark()
    loss, score = st.columns(2)
    with loss:
        ui.chart("loss", state, lambda: plots.loss_curves(history, dark))
        st.caption(plots.loss_words(history))
    with score:
        ui.chart("scores", state, lambda: plots.score_curves(drawn, floors, evaluate.SCORE_TITLES, dark))


def comparison(run: runs.Run) -> None:
    """A finished run beside the one before it: what changed in the settings, what in the scores."""
    before = ui.run_before(run)
    if before is None:
        return
    then, now = before.metrics() or {}, run.metrics() or {}
    st.markdown("**Beside the run before it**")
    st.caption(f"{ui.run_words(before)}.  \nSettings: {ui.changes(before.config(), run.config()) or 'the same'}.")
    table = [
        {
            "score": evaluate.SCORE_TITLES[name][0],
            "before": ui.score_words(name, then.get(name)),
            "now": ui.score_words(name, now.get(name)),
            "difference": ui.difference_words(name, then.get(name), now.get(name)),
        }
        for name in HEADLINES
        if name in now or name in then
    ]
    st.dataframe(table, hide_index=True, width="stretch")


# ---- the page

ui.page("Train", ":material/play_circle:")
st.title("Train")
st.markdown(
    "Choose a setting, press **Train**, watch the points move. Each point is an image; its colour is its class."
)
ui.read_link()
knob_column, picture_column = st.columns([1, 2.6], gap="large")
with knob_column:
    config = choose()
    start_button(config)
with picture_column:
    run = pick_run()
    if run is None:
        with st.container(border=True, height=420, vertical_alignment="center", horizontal_alignment="center"):
            st.markdown("### Nothing has been trained here yet")
            st.markdown("Press **Train**: the digits need no download and take a few seconds.")
    else:
        moved_on(run, config)
        is_active = run.status().active
        live = st.fragment(picture, run_every=SECONDS_LIVE if is_active else None)
        live(run.id, is_active)
if config is not None:
    ui.write_link(config)
    ui.foot(config.command(), ui.python_of(config), linked=True)
