"""Clustering without labels: choose a variant of CBSwR, train it, look at its map, clusters, twins and queries."""

import math

import numpy as np
import streamlit as st

from semidml import evaluate, explore, jobs, plots, presets, runs, scatter, ui
from semidml.config import FEW, RunConfig, knobs
from semidml.explore import Points
from semidml.methods import VARIANTS
from semidml.ui import controls, explorer

SECONDS_LIVE = 1.0
HEADLINES = ("recall_at_1", "kmeans_nmi", "kmeans_ami", "cluster_accuracy", "clusters_used", "map_at_r")
ALWAYS = ("recall_at_1", "kmeans_nmi", "kmeans_ami")
SHOWN_CLUSTERS, MEMBERS = 12, 8
QUERIES, ANSWERS = 16, 8
PLAIN, VIEWS = 8, 4  # images whose twins are shown, and how many of each
COLOURS = {"class": "Class", "cluster": "Cluster"}
IN_HEAD = {"variant", "data", "clusters", "temperature", "twins_weight", "epochs", "pl", "latent_dim"}


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
    if not status.active:
        ui.wrote("cluster epoch", int(frame["epoch"]))
    draw_map(run, frame, rows, newest, status.active)
    query(run, frame, rows)
    its_clusters(run, frame, rows)
    twins(run, rows)
    curves(run)
    controls.queue(run_id)


def scores(run: runs.Run) -> None:
    """The headline scores, now and before training, and what needs no training beside them."""
    scored = [record.scores for record in run.history() if record.scores]
    final = run.metrics()
    before, now = scored[0] if scored else {}, final or (scored[-1] if scored else {})
    with st.container(horizontal=True):
        for name in HEADLINES:
            if name not in ALWAYS and name not in now | before:
                continue
            title, protocol = evaluate.SCORE_TITLES[name]
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
    floors = ui.floors(run.id) if ui.is_warm() and ui.is_here(run.config().data) else {}
    words = [f"Scores of {'all test images' if final else 'the drawn test points'}"]
    if "pixel_recall_at_1" in floors:
        words.append(f"raw pixels {ui.percent(floors['pixel_recall_at_1'])} (recall at 1, of the drawn)")
    if now.get("knn_accuracy") is not None:
        words.append(f"kNN with all labels {ui.percent(now['knn_accuracy'])}")
    if run.config().split == "classes":
        words.append("classes that the training has not seen")
    st.caption(" · ".join(words))


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
            list(explore.PROJECTIONS),
            default="pca",
            format_func=lambda name: explore.PROJECTIONS[name].title,
            key="cluster plane",
            required=True,
            disabled=is_active,
            help="PCA while it trains. "
            + " ".join(f"{entry.title}: {entry.summary}." for entry in explore.PROJECTIONS.values()),
        )
    drawn, how = ui.flat(frame, newest)
    if method != "pca" and not is_active and frame["latents"].shape[1] > 2:
        made = explorer.projection(run, points_of(frame, rows), method)
        if made is not None:
            drawn, how = (
                made,
                f"{frame['latents'].shape[1]} dimensions, laid out by {explore.PROJECTIONS[method].title}",
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
    return Points(int(frame["epoch"]), frame["latents"], frame["predictions"], None, rows)


# ---- a query and its answers


def ask(run_id: str, position: int) -> None:
    st.session_state["query"] = {run_id: position}


def query(run: runs.Run, frame: dict, rows: dict) -> None:
    """An image that the visitor picks, and its nearest other images of the same split, right and wrong marked."""
    st.header("Ask for what is alike")
    if missing := explorer.missing_images(run):
        st.info(missing, icon=":material/hide_image:")
        return
    data, names = explorer.images_of(run), ui.class_names(run)
    offered = [int(position) for position in rows["shown"][:QUERIES]]
    chosen = st.session_state.get("query", {}).get(run.id, offered[0])
    chosen = chosen if 0 <= chosen < len(rows["labels"]) else offered[0]
    images = explore.pictures(data, rows, offered)
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
        "images": [ui.source_of(image) for image in images],
        "words": words,
        "chosen": offered.index(chosen) if chosen in offered else -1,
    }
    draw(data=gallery, key=key, on_picked_change=picked, height="content")
    near = nearest(frame["latents"], rows["split"], chosen)
    its = rows["labels"][chosen]
    shown = explore.pictures(data, rows, [chosen, *near])
    captions = [f"query: {names[its]}"]
    captions += [f"{'✓' if rows['labels'][i] == its else '✗'} {names[rows['labels'][i]]}" for i in near]
    ui.pictures(shown, captions, 84)
    right = int((rows["labels"][near] == its).sum())
    split = explorer.WORDS[explore.SPLITS[rows["split"][chosen]]].lower()
    st.caption(
        f"The {len(near)} nearest of the {split} images drawn, by cosine, nearest first; {right} of them are of the "
        "query's class. Pick an image above, or click a point of the map."
    )


def nearest(latents: np.ndarray, split: np.ndarray, position: int) -> np.ndarray:
    """The nearest other rows of the same split, nearest first: positions (ANSWERS,) or fewer."""
    there = np.flatnonzero(split == split[position])
    far = np.square(latents[there].astype(np.float32) - latents[position].astype(np.float32)).sum(axis=1)
    order = there[np.argsort(far, kind="stable")]
    return order[order != position][:ANSWERS]


# ---- clusters


def its_clusters(run: runs.Run, frame: dict, rows: dict) -> None:
    """For each cluster its centroid decoded, its images, its size, its entropy."""
    found = explore.clusters(frame, rows, MEMBERS)
    count = len(frame["cluster_sizes"])
    st.header("The clusters")
    st.caption(
        f"{len(found)} of {count} clusters have images among the points drawn. Entropy: how unsure the head is of "
        f"these images, in nats, at most ln K = {math.log(count):.2f}. Classes are named for the eye only: no label "
        "was used."
    )
    missing, names = explorer.missing_images(run), ui.class_names(run)
    if missing:
        st.info(missing, icon=":material/hide_image:")
        return
    most = len(found) if st.toggle(f"Show all {len(found)}", key="all clusters", value=False) else SHOWN_CLUSTERS
    data = explorer.images_of(run)
    for left, right in zip(found[:most:2], [*found[1:most:2], None], strict=False):
        for column, cluster in zip(st.columns(2, gap="medium"), (left, right), strict=True):
            if cluster is not None:
                with column:
                    a_cluster(cluster, explore.pictures(data, rows, cluster.members), names)
    if len(found) > most:
        st.caption(f"And {len(found) - most} smaller ones.")


def a_cluster(cluster: explore.Cluster, images: np.ndarray, names: list[str]) -> None:
    with st.container(gap="small"):
        st.markdown(
            f"**{cluster.number + 1}**: {cluster.size:,} image{'s' * (cluster.size != 1)}, "
            f"entropy {cluster.entropy:.2f}; {ui.percent(cluster.share)} are {ui.plain(names[cluster.label])}"
        )
        shown = images if cluster.drawn is None else np.concatenate([cluster.drawn[None], images])
        shown = np.concatenate([shown, np.repeat(shown[:1] * 0, 1 + MEMBERS - len(shown), axis=0)])  # alike in width
        ui.pixels(plots.image_strip([shown], scale=1), f"images of cluster {cluster.number + 1}")


# ---- twins


def twins(run: runs.Run, rows: dict) -> None:
    """Originals over some of their twins."""
    if explorer.missing_images(run):
        return
    st.header("Images and their twins")
    data = explorer.images_of(run)
    there = np.flatnonzero(rows["split"] == explore.TRAIN)
    positions = there[:: max(1, len(there) // PLAIN)][:PLAIN]
    images = explore.pictures(data, rows, positions)
    made = explore.views(run.config(), data, images, VIEWS)
    ui.pixels(plots.image_strip([images, *made], scale=1), "images over their twins")
    both = run.config().twin_views == "both"
    st.caption(
        f"First row: training images. Below: {VIEWS} draws of their twins. "
        + (
            "In a step the image is transformed as well, another way."
            if both
            else "In a step the image stays as it is."
        )
    )


# ---- curves


def curves(run: runs.Run) -> None:
    """Entropies with the best reachable values; Recall@K and NMI; the loss terms."""
    history, config = run.history(), run.config()
    if len(history) < 2:
        return
    st.header("How it went")
    dark, state = ui.dark(), (run.id, len(history), ui.dark())
    best = math.log(config.clusters)
    floors = ui.floors(run.id) if ui.is_warm() and ui.is_here(config.data) else None
    titles = evaluate.SCORE_TITLES
    left, right = st.columns(2)
    with left:
        ui.chart("entropies", state, lambda: plots.entropy_curves(history, best, titles, dark))
        unused = " This variant does not train its clusters." if "clusters" not in config.used() else ""
        st.caption(f"At best all clusters are alike, ln K, and each image is sure, 0.{unused}")
    with right:
        ui.chart(
            "retrieval", state, lambda: plots.score_curves(history, floors, titles, dark, keys=plots.RETRIEVAL_CURVES)
        )
        st.caption("Of the drawn test points: Recall@K, and NMI of k-means with as many clusters as classes.")
    ui.chart("loss", state, lambda: plots.loss_curves(history, dark))
    st.caption(plots.loss_words(history))


# ---- what labels are worth


def labels_worth(run: runs.Run) -> None:
    """Plain deep metric learning with more and more labels, beside a finished run without any."""
    st.header("What are labels worth?")
    level = (run.metrics() or {}).get("recall_at_1")
    if level is None:
        st.caption("When this run is done: how many labels plain deep metric learning needs to come as far.")
        return
    if gone := explorer.missing_images(run):
        st.info(gone, icon=":material/hide_image:")
        return
    wanted = explore.with_labels(run.config(), training_rows(run))
    there = {other.config(): other for other in usable() if other.config() in wanted.values()}
    found = {count: there[config] for count, config in wanted.items() if config in there}
    missing = [config for count, config in wanted.items() if count not in found]
    st.markdown(
        f"This run found, without a label, the right neighbour of **{ui.percent(level)}** of the test images. Plain "
        "deep metric learning with the same images, the same split and as many epochs can learn from labels. How many "
        "does it need?"
    )
    if missing:
        st.button(
            f"Train with {', '.join(f'{count:,}' for count in wanted)} labels",
            icon=":material/play_arrow:",
            on_click=controls.act,
            args=(lambda: [jobs.jobs().submit(config) for config in missing],),
            help=f"{len(missing)} short trainings, one after another.",
        )
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
        lambda: plots.worth_curve(counts, reached, level, evaluate.SCORE_TITLES["recall_at_1"][0], ui.dark()),
    )
    worth = explore.labels_worth(counts, reached, level)
    if worth is None:
        st.markdown(f"Not yet with {counts[-1]:,}: this run without labels is ahead of each of them.")
    elif worth <= counts[0]:
        st.markdown(f"{counts[0]:,} labels are enough.")
    else:
        st.markdown(f"About **{worth:,.0f} labels**: there plain deep metric learning comes as far (one seed).")


def usable() -> list[runs.Run]:
    """Runs of plain deep metric learning that have a score or will have one, the finished ones last."""
    states = {run: run.status() for run in runs.list_runs() if controls.its_model(run) == "dml"}
    ends = [run for run, status in states.items() if status.state == "done"]
    return [run for run, status in states.items() if status.active] + ends


def training_rows(run: runs.Run) -> int:
    """Training images that the labels seen are a percentage of: the official ones, or those of half of the classes,
    with what is held out of them. Raises ValueError when they are not on this machine."""
    config = run.config()
    if config.split == "official":
        return ui.official_rows(config.data)
    its = explorer.images_of(run)
    return len(its.train.labels) + (len(its.test.labels) if config.evaluate_on == "validation" else 0)
