"""Clustering without labels: choose a variant of CBSwR, train it, look at its map, clusters, twins and queries."""

import html
import math

import numpy as np
import streamlit as st

from semidml import explore, jobs, planes, plots, presets, runs, scatter, ui
from semidml.config import FEW, RunConfig, knobs
from semidml.explore import Points
from semidml.methods import FORMULAS, VARIANTS, method_of
from semidml.score_table import PIXELS, SCORES, live_where, shown_at
from semidml.ui import controls, explorer

MODEL = presets.CLUSTERS[0].values["model"]  # what a link to the page means that names none
METHOD = method_of(MODEL).name
SECONDS_LIVE = 1.0
SHOWN_CLUSTERS, MEMBERS = 12, 8
QUERIES, ANSWERS = 16, 8
PLAIN, VIEWS = 8, 4  # images whose twins are shown, and how many of each
COLOURS = {"class": "Class", "cluster": "Cluster"}
IN_HEAD = {"variant", "clusters", "temperature", "twins_weight"}  # beside those of the group FEW
SHARP = 128  # pixels a side, at most, of an answer, which is shown at 84; of what is shown smaller, `reduced`'s own


# ---- left: the knobs


def choose() -> RunConfig | None:
    """The knobs; the config that they make, or None after saying why they make none."""
    st.markdown("**Start from**")
    with st.container(horizontal=True):
        for preset in presets.CLUSTERS:
            values = preset.on(ui.current("data"))
            st.button(
                preset.title, key=f"preset {preset.title}", help=preset.words, on_click=ui.set_knobs, args=(values,)
            )
    ui.knob("variant", horizontal=True)
    variant = VARIANTS[ui.current("variant")]
    st.caption(f"**{variant.title}**: {variant.summary}. *{variant.paper}*")
    ui.knob("data", options=ui.data_names(), format_func=ui.data_title)
    used = ui.used()
    formulas = FORMULAS[ui.current("formulas")]
    if "formulas" in used and formulas.defaults:
        st.caption(f"**{formulas.title.capitalize()}**: {formulas.summary}.")
    left, right = st.columns(2)
    with left:
        for name in ("clusters", "epochs"):
            if name in used:
                ui.knob(name)
    with right:
        for name in ("temperature", "twins_weight"):
            if name in used:
                ui.knob(name)
    with st.expander("More knobs", icon=":material/tune:"):
        for name, knob in knobs().items():
            if name in used - IN_HEAD and (knob.group != FEW):
                ui.knob(name)
    try:
        return ui.config()
    except ValueError as error:
        ui.trouble(error)
        return None


# ---- right: what becomes of it


def picture(run_id: str, was_active: bool) -> None:
    """All that changes while a run goes on."""
    found = controls.live_run(run_id, was_active)
    if found is None:
        return
    run, status, newest, rows = found
    if "clusters" not in newest:
        st.info("This run has no clusters: its folder was made by another release.", icon=":material/warning:")
        return
    scores(run)
    frame = newest if status.active else controls.replay(run, newest)
    draw_map(run, frame, rows, newest, status.active)
    query(run, frame, rows)
    its_clusters(run, frame, rows)
    twins(run)
    curves(run)
    controls.queue(run_id)


def scores(run: runs.Run) -> None:
    """The headline scores, now and before training, and what needs no training beside them."""
    before, now, failed = ui.scores_of(run)
    ui.score_row(shown_at("clusters"), before, now, failed, always=live_where("always", "retrieval"))
    floors, why = its_floors(run)
    words = [f"Scores of {'all test images' if run.metrics() else 'the drawn test points'}"]
    if (floor := floors.get(f"{PIXELS}recall_at_1")) is not None:
        words.append(f"{ui.pixels_words(run)} {ui.percent(floor)} (recall at 1, of the drawn)")
    if now.get("knn_accuracy") is not None:
        words.append(f"kNN with all labels {ui.percent(now['knn_accuracy'])}")
    if run.config().split == "classes":
        words.append("classes that the training has not seen")
    st.caption(" · ".join([*words, *([why] if why else [])]))


def its_floors(run: runs.Run) -> tuple[dict[str, float], str]:
    """See `ui.floors_or_why`; nothing before torch is there, and without the data set."""
    return ui.floors_or_why(run) if ui.is_warm() and ui.is_here(run.config().data) else ({}, "")


def draw_map(run: runs.Run, frame: dict, rows: dict, newest: dict, is_active: bool) -> None:
    """The map, in the colours of classes or clusters; a click asks for a point's neighbours."""
    left, right = st.columns(2)
    with left:
        colour = st.segmented_control(
            "Colours",
            list(COLOURS),
            default="class",
            format_func=COLOURS.get,
            key="cluster colours",
            required=True,
        )
    with right:
        method = st.segmented_control(
            "Plane",
            list(planes.PROJECTIONS),
            default="pca",
            format_func=lambda name: planes.PROJECTIONS[name].title,
            key="cluster plane",
            required=True,
            disabled=is_active,
            help="PCA while it trains. "
            + " ".join(f"{entry.title}: {entry.summary}." for entry in planes.PROJECTIONS.values()),
        )
    drawn, how = planes.in_plane(frame["latents"], rows["labels"], newest["latents"])
    if method != "pca" and not is_active and frame["latents"].shape[1] > 2:
        made = explorer.projection(run, points_of(frame, rows), method, step=int(frame["step"]))
        if made is not None:
            drawn, how = (
                made,
                f"{frame['latents'].shape[1]} dimensions, laid out by {planes.PROJECTIONS[method].title}",
            )
    names = ui.class_names(run)
    its = plots.colouring(colour, rows["labels"], names, predictions=frame["predictions"], clusters=frame["clusters"])
    view = f"{run.id} {method if 'laid out' in how else ''}"
    x_range, y_range = ui.extent(view, drawn, [])
    words = ui.frame_words(run, frame, rows, how)
    chosen = st.session_state.get("query", {}).get(run.id)
    packed = scatter.pack(
        drawn,
        its.categories,
        seen=np.zeros(len(drawn), bool),
        test=rows["split"] == explore.TEST,
        names=its.names,
        looks=its.looks,
        labels=rows["labels"],
        label_names=names,
        predictions=frame["predictions"],
        x_range=x_range,
        y_range=y_range,
        words=f"Map of the embeddings. {words}",
        marked=[chosen] if chosen is not None and chosen < len(drawn) else [],
        tools=["pick"],
        images_of=run.id,
        run=view,
        epoch=int(frame["epoch"]),
        dark=ui.dark(),
    )

    def asked(sent: object) -> None:
        try:
            position = scatter.asked_of(sent)[2]
        except ValueError as error:
            st.session_state["train error"] = str(error)
            return
        if 0 <= position < len(drawn):
            ask(run.id, position)

    ui.live_map(packed, f"cluster map {run.id}", asked=asked)
    if not explorer.missing_images(run):
        ui.for_maps(explorer.packed_images(run.id, explore.stamp(run, "rows.npz")), f"images {run.id}")
    st.caption(f"{words}. Click a point: it becomes the query.")


def points_of(frame: dict, rows: dict) -> Points:
    """A frame as the projections take it."""
    return Points(int(frame["epoch"]), frame["latents"], frame["predictions"], rows)


# ---- a query and its answers


def ask(run_id: str, position: int) -> None:
    st.session_state["query"] = {run_id: position}


def query(run: runs.Run, frame: dict, rows: dict) -> None:
    """An image that the visitor picks, and its nearest other images of the same split, right and wrong marked."""
    st.header("Ask for what is alike")
    if missing := explorer.missing_images(run):
        st.info(missing, icon=":material/hide_image:")
        return
    names = ui.class_names(run)
    offered = [int(position) for position in rows["shown"][:QUERIES]]
    chosen = st.session_state.get("query", {}).get(run.id, offered[0])
    chosen = chosen if 0 <= chosen < len(rows["labels"]) else offered[0]
    words = [f"query: an image of {names[rows['labels'][position]]}" for position in offered]
    key = f"gallery {run.id}"

    def picked() -> None:
        try:
            ask(run.id, offered[scatter.picked_of(st.session_state[key]["picked"], len(offered))])
        except ValueError as error:
            st.session_state["train error"] = str(error)

    draw = st.components.v2.component(
        scatter.GALLERY, html=scatter.GALLERY_HTML, css=scatter.css(), js=scatter.gallery_javascript()
    )
    gallery = {
        "images": offered_images(run.id, seen_last(run)),
        "words": words,
        "chosen": offered.index(chosen) if chosen in offered else -1,
    }
    draw(data=gallery, key=key, on_picked_change=picked, height="content")
    picture, words_below = answers(run.id, chosen, seen_last(run, frame), frame, rows, names)
    st.html(picture)
    st.caption(words_below)


def seen_last(run: runs.Run, frame: dict | None = None) -> tuple[int, ...]:
    """A key for what is drawn of a run, or of one frame of it: while nothing new is written, nothing is drawn anew."""
    its = () if frame is None else (int(frame["epoch"]), int(frame.get("step", 0)))
    return (*explore.stamp(run, "config.json", "rows.npz"), *its)


@st.cache_data(max_entries=16, show_spinner=False)
def offered_images(run_id: str, key: tuple) -> list[str]:
    """The images that can be picked, as addresses."""
    run = runs.get(run_id)
    rows = run.rows()
    images = explore.pictures(explorer.images_of(run), rows, rows["shown"][:QUERIES])
    return [ui.source_of(image) for image in explore.reduced(images)]


@st.cache_data(max_entries=64, show_spinner=False)
def answers(run_id: str, chosen: int, key: tuple, _frame: dict, _rows: dict, _names: list[str]) -> tuple[str, str]:
    """(a query with its answers as HTML, what they are in words)."""
    labels, split = _rows["labels"], _rows["split"]
    near = explore.nearest(_frame["latents"], split == split[chosen], chosen, ANSWERS).positions
    shown = explore.reduced(explore.pictures(explorer.images_of(runs.get(run_id)), _rows, [chosen, *near]), SHARP)
    right = labels[near] == labels[chosen]
    captions = [f"query: {_names[labels[chosen]]}"]
    captions += [f"{'✓' if its else '✗'} {_names[labels[i]]}" for its, i in zip(right, near, strict=True)]
    of = explorer.WORDS[explore.SPLITS[split[chosen]]].lower()
    words = (
        f"The {len(near)} nearest of the {of} images drawn, by cosine, nearest first; {int(right.sum())} of them are "
        "of the query's class. Pick an image above, or click a point of the map."
    )
    return ui.pictures_of(shown, captions, 84), words


# ---- clusters


def its_clusters(run: runs.Run, frame: dict, rows: dict) -> None:
    """For each cluster its centroid decoded, its images, its size, its entropy."""
    found = clusters_of(run.id, seen_last(run, frame), frame, rows)
    count = len(frame["cluster_sizes"])
    st.header("The clusters")
    st.caption(
        f"{len(found)} of {count} clusters have images among the points drawn. Entropy: how unsure the head is of "
        f"these images, in nats, at most ln K = {math.log(count):.2f}. Classes are named for the eye only: no label "
        "was used."
    )
    if missing := explorer.missing_images(run):
        st.info(missing, icon=":material/hide_image:")
        return
    many = len(found) > SHOWN_CLUSTERS
    show_all = many and st.toggle(f"Show all {len(found)}", key="all clusters", value=False)
    most, names = len(found) if show_all else SHOWN_CLUSTERS, ui.class_names(run)
    st.html(drawn_clusters(run.id, most, seen_last(run, frame), found[:most], rows, names))
    if len(found) > most:
        st.caption(f"And {len(found) - most} smaller ones.")


@st.cache_data(max_entries=32, show_spinner=False)
def clusters_of(run_id: str, key: tuple, _frame: dict, _rows: dict) -> list[explore.Cluster]:
    return explore.clusters(_frame, _rows, MEMBERS)


@st.cache_data(max_entries=16, show_spinner=False)
def drawn_clusters(
    run_id: str, most: int, key: tuple, _found: list[explore.Cluster], _rows: dict, _names: list[str]
) -> str:
    """For each cluster its words over its centroid decoded and its images, as HTML: one element of the page, so that a
    frame takes the place of the one before at once, and no cluster is seen twice."""
    data = explorer.images_of(runs.get(run_id))
    width = MEMBERS + any(cluster.drawn is not None for cluster in _found)
    shown = "".join(
        f'<figure style="margin: 0"><figcaption style="margin-bottom: 0.25rem">{cluster_words(cluster, _names)}'
        f"</figcaption>{strip(cluster, explore.pictures(data, _rows, cluster.members), width)}</figure>"
        for cluster in _found
    )
    return (
        '<div style="display: grid; gap: 1rem 1.5rem; align-items: end; '
        f'grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr))">{shown}</div>'
    )


def strip(cluster: explore.Cluster, images: np.ndarray, width: int) -> str:
    """A cluster's centroid decoded and its images side by side, as HTML."""
    shown = images if cluster.drawn is None else np.concatenate([cluster.drawn[None], images])
    shown = np.concatenate([shown, np.repeat(shown[:1] * 0, width - len(shown), axis=0)])  # alike in width
    return ui.pixels_of(plots.image_strip([explore.reduced(shown)], scale=1), f"images of cluster {cluster.number + 1}")


def cluster_words(cluster: explore.Cluster, names: list[str]) -> str:
    """What a cluster is, as HTML."""
    commonest = html.escape(names[cluster.label][:60])
    return (
        f"<b>{cluster.number + 1}</b>: {cluster.size:,} image{'s' * (cluster.size != 1)}, "
        f"entropy {cluster.entropy:.2f}; {ui.percent(cluster.share)} are <b>{commonest}</b>"
    )


# ---- twins


def twins(run: runs.Run) -> None:
    """Originals over some of their twins."""
    if explorer.missing_images(run):
        return
    st.header("Images and their twins")
    st.html(drawn_twins(run.id, seen_last(run)))
    both = run.config().twin_views == "both"
    st.caption(
        f"First row: training images. Below: {VIEWS} draws of their twins. "
        + (
            "In a step the image is transformed as well, another way."
            if both
            else "In a step the image stays as it is."
        )
    )


@st.cache_data(max_entries=16, show_spinner=False)
def drawn_twins(run_id: str, key: tuple) -> str:
    """Some images of a run over their twins, as HTML; the same in all its frames."""
    run = runs.get(run_id)
    rows, data = run.rows(), explorer.images_of(run)
    there = np.flatnonzero(rows["split"] == explore.TRAIN)
    images = explore.pictures(data, rows, there[:: max(1, len(there) // PLAIN)][:PLAIN])
    sheet = [explore.reduced(part) for part in (images, *explore.views(run.config(), data, images, VIEWS))]
    return ui.pixels_of(plots.image_strip(sheet, scale=1), "images over their twins")


# ---- curves


def curves(run: runs.Run) -> None:
    """Entropies with the best reachable values; Recall@K and NMI; the loss terms."""
    history, config = run.history(), run.config()
    if len(history) < 2:
        return
    st.header("How it went")
    dark, state = ui.dark(), (run.id, len(history), ui.dark())
    best = math.log(config.clusters)
    drawn, (floors, _) = ui.thinned(history), its_floors(run)
    left, right = st.columns(2)
    with left:
        ui.chart("entropies", state, lambda: plots.entropy_curves(drawn, best, dark))
        unused = " This variant does not train its clusters." if "clusters" not in config.used() else ""
        st.caption(f"At best all clusters are alike, ln K, and each image is sure, 0.{unused}")
    with right:
        ui.chart("retrieval", state, lambda: plots.score_curves(drawn, floors, dark, place="retrieval"))
        st.caption("Of the drawn test points: Recall@K, and NMI of k-means with as many clusters as classes.")
    ui.chart("loss", state, lambda: plots.loss_curves(history, dark))
    st.caption(plots.loss_words(history))


# ---- what labels are worth


def labels_worth(run: runs.Run) -> None:
    """Plain deep metric learning with more and more labels, beside a finished run without any."""
    if "train error" in st.session_state:
        st.rerun()  # a training was refused: what says so stands outside
    st.header("What are labels worth?")
    level = None if run.damage() else (run.metrics() or {}).get("recall_at_1")
    if level is None:
        st.caption(no_level(run.status().state))
        return
    if gone := explorer.missing_images(run):
        st.info(gone, icon=":material/hide_image:")
        return
    try:
        wanted = explore.with_labels(run.config(), *trained_on(run))
    except ValueError as error:
        ui.trouble(error)
        return
    if not wanted:
        st.caption(f"There are too few training images to be compared with {explore.LABEL_COUNTS[0]} labels.")
        return
    found, ended = trainings(wanted)
    missing = {count: config for count, config in wanted.items() if count not in found}
    st.markdown(
        f"This run found, without a label, the right neighbour of **{ui.percent(level)}** of the test images. Plain "
        "deep metric learning with the same images, the same split and as many epochs can learn from labels. How many "
        "does it need?"
    )
    st.caption(comparator_words(next(iter(wanted.values()))))
    if missing:
        st.button(
            f"Train with {', '.join(f'{count:,}' for count in missing)} labels",
            icon=":material/play_arrow:",
            on_click=controls.act,
            args=(lambda: [jobs.jobs().submit(config) for config in missing.values()],),
            help=f"{len(missing)} short trainings, one after another.",
        )
    for count in missing:
        if count in ended:
            status = ended[count].status()
            reason = f": {ui.inert(status.reason)}" if status.reason else ""
            st.caption(f":material/error: The training with {count:,} labels is {status.state}{reason}.")
    done = {count: (other.metrics() or {}).get("recall_at_1") for count, other in found.items()}
    done = {count: score for count, score in done.items() if score is not None}
    waiting = sum(other.status().active for other in found.values())
    if waiting:
        st.caption(f"{waiting} of them still run or wait. This part looks anew every {ui.SECONDS_IDLE:.0f} seconds.")
    if not done:
        return
    counts, reached = list(done), list(done.values())
    ui.chart(
        "worth",
        (run.id, tuple(counts), ui.dark()),
        lambda: plots.worth_curve(counts, reached, level, SCORES["recall_at_1"].title, ui.dark()),
    )
    worth = explore.labels_worth(counts, reached, level)
    if worth is None:
        st.markdown(f"Not yet with {counts[-1]:,}: this run without labels is ahead of each of them.")
    elif worth <= counts[0]:
        st.markdown(f"{counts[0]:,} labels are enough.")
    else:
        st.markdown(f"About **{worth:,.0f} labels**: there plain deep metric learning comes as far (one seed).")


def no_level(state: str) -> str:
    """Why a run has no score yet that labels could be held against."""
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
        f"Whatever this run has, that is a {ui.entry_title('encoder', config.encoder)} network from scratch, "
        f"{config.latent_dim} dimensions, {ui.entry_title('loss', config.loss)} loss, images {augmented}, labels drawn "
        f"evenly from the classes, {config.batch_size:,} images a step. Its {config.epochs:,} "
        f"epoch{'s' * (config.epochs != 1)} and seed {config.seed} are this run's."
    )


def trainings(wanted: dict[int, RunConfig]) -> tuple[dict[int, runs.Run], dict[int, runs.Run]]:
    """(the run of each setting that has a score or will have one, the newest of those that ended without), by the
    number of labels. Where there are several, a finished one comes first."""
    count_of, states = {config: count for count, config in wanted.items()}, {"done": {}, "active": {}, "ended": {}}
    for run in reversed(runs.list_runs()):  # the newest last
        if (count := count_of.get(controls.its_config(run))) is not None:
            status = run.status()
            kind = "done" if status.state == "done" else "active" if status.active else "ended"
            states[kind][count] = run
    found = states["active"] | states["done"]
    return {count: found[count] for count in wanted if count in found}, states["ended"]


def trained_on(run: runs.Run) -> tuple[int, int]:
    """(training images that the labels seen are a percentage of: the official ones, or those of half of the classes,
    with what is held out of them; how many classes they have). Raises ValueError when they are not on this machine."""
    config = run.config()
    if config.split == "official":
        return ui.official_rows(config.data), len(ui.class_names(run))
    its = explorer.images_of(run)
    held = len(its.test.labels) if config.evaluate_on == "validation" else 0
    return len(its.train.labels) + held, len(its.train.labels.unique())
