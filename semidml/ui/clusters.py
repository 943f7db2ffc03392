"""Clustering without labels: choose a variant of CBSwR, train it, look at its map, clusters, twins and queries."""

import html
import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import streamlit as st

from semidml import planes, presets
from semidml.config import RunConfig
from semidml.explore import clusters, drawing, points
from semidml.explore.clusters import Cluster
from semidml.explore.pictures import read_pictures, reduce_images
from semidml.frames import TRAIN, Frame, Rows
from semidml.methods import FORMULAS, VARIANTS, method_of
from semidml.plots.curves import entropy_curves, score_curves
from semidml.plots.pictures import image_strip
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.runs.status import Status
from semidml.scatter.sent import asked_of
from semidml.scores.table import PIXELS
from semidml.ui import cache, knobs, links, manage, maps, moments, pictures, query, runs
from semidml.ui.explorer import link
from semidml.ui.explorer import planes as projections
from semidml.ui.frame import is_warm
from semidml.ui.scores import tests_labels
from semidml.ui.words import frame_words, pixels_words
from semidml.words import decimals, percent

MODEL = presets.CLUSTERS[0].values["model"]  # what a link to the page means that names none
METHOD = method_of(MODEL).name
SHOWN_CLUSTERS, MEMBERS = 12, 8
PLAIN, VIEWS = 8, 4  # images whose twins are shown, and how many of each
COLOURS = {"class": "Class", "cluster": "Cluster"}
IN_HEAD = {"variant", "clusters", "temperature", "twins_weight"}  # beside those of the group FEW


def choose_config() -> RunConfig | None:
    """The knobs; the config that they make, or None after saying why they make none."""
    st.caption("Start from")
    with st.container(horizontal=True, gap="xsmall"):
        for preset in presets.CLUSTERS:
            values = preset.on(knobs.current_value("data"))
            st.button(
                preset.title, key=f"preset {preset.title}", help=preset.words, on_click=knobs.set_knobs, args=(values,)
            )
    knobs.draw_knob("variant", horizontal=True)
    variant = VARIANTS[knobs.current_value("variant")]
    st.caption(f"**{variant.title}**: {variant.summary}. *{variant.paper}*")
    knobs.draw_knob("data", options=knobs.data_names())
    used = knobs.used_of(knobs.chosen_knobs())
    formulas = FORMULAS[knobs.current_value("formulas")]
    if "formulas" in used and formulas.defaults:
        st.caption(f"**{formulas.title.capitalize()}**: {formulas.summary}.")
    for column, names in zip(st.columns(2), (("clusters", "epochs"), ("temperature", "twins_weight")), strict=True):
        with column:
            for name in names:
                if name in used:
                    knobs.draw_knob(name)
    return knobs.draw_more_knobs(IN_HEAD)


def draw_shown(run: Run, status: Status, newest: Frame) -> Frame:
    """The map of a run at the epoch that is chosen, the newest while it goes on."""
    if newest.clusters is None:
        st.info("This run has no clusters: its folder was made by another release.", icon=":material/warning:")
        return newest
    follow_link(run, newest)
    map_place = st.container()
    with st.container():
        shown = runs.choose_epoch(run, newest, status.active)
    with map_place:
        draw_map(run, shown, newest, status.active)
    return shown


def draw_details(run: Run, status: Status, frame: Frame) -> None:
    """What else changes while a run goes on."""
    if frame.clusters is None:
        return
    draw_floors(run, frame)
    with st.container():
        query.draw_query(run, frame)
    with st.container():
        draw_curves(run)
    with st.container():
        draw_clusters(run, frame)  # they become more while a run goes on: what moves would stand below
    with st.container():
        draw_twins(run)


def follow_link(run: Run, frame: Frame) -> None:
    """Draws and asks what the link says of the map."""
    page, state = runs.page_name(), st.session_state

    def take(key: str, name: str, choices: Iterable[str]) -> None:
        links.follow_part(page, name, lambda text: state.update({key: links.choose_of(name, list(choices))(text)}))

    def take_point(text: str) -> None:
        if (position := link.point_of(text, frame.rows)) is not None:
            query.ask(run.id, position)

    take("cluster colours", "colour", COLOURS)
    take("cluster plane", "plane", planes.PROJECTIONS)
    links.follow_part(page, "point", take_point)


def draw_floors(run: Run, frame: Frame) -> None:
    """What needs no training, and what else the scores of a frame say."""
    now, words = moments.read_moment(run, frame).now, []
    floors, why = cache.floors_or_reason(run) if is_warm() else ({}, "")
    if (floor := floors.get(f"{PIXELS}recall_at_1")) is not None:
        words.append(f"{pixels_words(run)} {percent(floor)} (recall at 1, of the drawn)")
    if now.get("knn_accuracy") is not None:
        words.append(f"kNN with all labels {percent(now['knn_accuracy'])}")
    if run.config().split == "classes":
        words.append("classes that the training has not seen")
    if words or why:
        with st.container(key="floors"):
            st.caption(f"To hold the scores against: {' · '.join([*words, *([why] if why else [])])}")


def draw_map(run: Run, frame: Frame, newest: Frame, is_active: bool) -> None:
    """The map, in the colours of classes or clusters; a click asks for a point's neighbours."""
    first = "class" if (frame.rows["labels"] >= 0).any() else "cluster"
    with st.container(horizontal=True, gap="medium", key="inline map"):
        colour = st.segmented_control(
            "Colours",
            list(COLOURS),
            default=first,
            format_func=COLOURS.get,
            key="cluster colours",
            required=True,
        )
        method = st.segmented_control(
            "Plane",
            list(planes.PROJECTIONS),
            default="pca",
            format_func=lambda name: planes.PROJECTIONS[name].title,
            key="cluster plane",
            required=True,
            disabled=is_active,
            on_change=lambda: projections.begin(run, frame, st.session_state["cluster plane"]),
            help=" ".join(["PCA while it trains.", *(f"{p.title}: {p.summary}." for p in planes.PROJECTIONS.values())]),
        )
    dimensions = frame.latents.shape[1]
    placed, how = planes.in_plane(frame.latents, frame.rows["labels"], newest.latents)
    view = f"{run.id} "
    map_place = st.container()
    if method != "pca" and not is_active and dimensions > 2:
        projected = projections.draw_projection(run, frame, method)
        if projected is not None:
            placed, view = projected, f"{view}{method}"
            how = f"{dimensions} dimensions, laid out by {planes.PROJECTIONS[method].title}"
    words = frame_words(run, frame, how)
    chosen, names = st.session_state.get("query", {}).get(run.id), points.class_names(run)
    about = {"words": f"Map of the embeddings. {words}", "run": view}
    drawn = drawing.draw_frame(frame, placed, names, maps.map_extent(view, placed), **about, colour=colour)
    parts = {"colour": colour if colour != first else "", "plane": method if method != "pca" else ""}
    parts["point"] = "" if chosen is None or chosen >= len(placed) else link.point_text(chosen, frame.rows)
    links.write_parts(runs.page_name(), parts)
    drawn = replace(
        drawn,
        address="view",
        start=links.start_of(runs.page_name(), view),
        seen=np.zeros(len(placed), bool),
        predictions=frame.predictions,
        marked=[chosen] if chosen is not None and chosen < len(placed) else [],
        tools=["pick"],
        images_of=run.id,
    )

    def ask(sent: object) -> None:
        position = asked_of(sent)[2]
        if 0 <= position < len(placed):
            query.ask(run.id, position)

    with map_place:
        maps.draw_map(drawn, f"cluster map {run.id}", asked=lambda sent: manage.perform(lambda: ask(sent)))
    maps.send_images(run)
    st.caption(f"{words}. Click a point: it becomes the query.")


def draw_clusters(run: Run, frame: Frame) -> None:
    """For each cluster its centroid decoded, its images, its size, its entropy."""
    key = query.seen_last(run, frame)
    drawn = clusters_of(run.id, key, frame)
    count = len(frame.cluster_sizes)
    st.header("The clusters")
    st.caption(
        f"{len(drawn)} of {count} clusters have images among the points drawn. Entropy: how unsure the head is of "
        f"these images, in nats, at most ln K = {math.log(count):.2f}. "
        + ("Classes are named for the eye only: no label was used." if (frame.rows["labels"] >= 0).any() else "")
    )
    if pictures.say_missing(run):
        return
    many = len(drawn) > SHOWN_CLUSTERS
    show_all = many and st.toggle(f"Show all {len(drawn)}", key="all clusters", value=False)
    most, names = len(drawn) if show_all else SHOWN_CLUSTERS, points.class_names(run)
    st.html(clusters_html(run.id, most, key, drawn[:most], frame.rows, names))
    if len(drawn) > most:
        st.caption(f"And {len(drawn) - most} smaller ones.")


@cache.bounded(st.cache_data(show_spinner=False))
def clusters_of(run_id: str, key: tuple, _frame: Frame) -> list[Cluster]:
    return clusters.list_clusters(_frame, MEMBERS)


@cache.bounded(st.cache_data(show_spinner=False))
def clusters_html(run_id: str, most: int, key: tuple, _clusters: list[Cluster], _rows: Rows, _names: list[str]) -> str:
    """For each cluster its words over its centroid decoded and its images, as HTML: one element of the page, so that a
    frame takes the place of the one before at once, and no cluster is seen twice."""
    data = cache.images_of(listing.open_run(run_id))
    width = MEMBERS + any(cluster.drawn is not None for cluster in _clusters)
    shown = "".join(
        f'<figure style="margin: 0"><figcaption style="margin-bottom: 0.25rem">{cluster_words(cluster, _names)}'
        f"</figcaption>{cluster_html(cluster, read_pictures(data, _rows, cluster.members), width)}</figure>"
        for cluster in _clusters
    )
    return (
        '<div style="display: grid; gap: 1rem 1.5rem; align-items: end; '
        f'grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr))">{shown}</div>'
    )


def cluster_html(cluster: Cluster, images: np.ndarray, width: int) -> str:
    """A cluster's centroid decoded and its images side by side, as HTML."""
    shown = images if cluster.drawn is None else np.concatenate([cluster.drawn[None], images])
    shown = np.concatenate([shown, np.repeat(shown[:1] * 0, width - len(shown), axis=0)])  # alike in width
    return pictures.pixels_html(image_strip([reduce_images(shown)], scale=1), f"images of cluster {cluster.number + 1}")


def cluster_words(cluster: Cluster, names: list[str]) -> str:
    """What a cluster is, as HTML."""
    images = f"{cluster.size:,} image{'s' * (cluster.size != 1)}"
    words = f"<b>{cluster.number + 1}</b>: {images}, entropy {decimals(cluster.entropy, 2)}"
    if cluster.label < 0:
        return words
    return f"{words}; {percent(cluster.share)} are <b>{html.escape(names[cluster.label][:60])}</b>"


def draw_twins(run: Run) -> None:
    """Originals over some of their twins."""
    if cache.missing_images(run):
        return
    st.header("Images and their twins")
    st.html(twins_html(run.id, query.seen_last(run)))
    step = "is transformed as well, another way" if run.config().twin_views == "both" else "stays as it is"
    st.caption(f"First row: training images. Below: {VIEWS} draws of their twins. In a step the image {step}.")


@cache.bounded(st.cache_data(show_spinner=False))
def twins_html(run_id: str, key: tuple) -> str:
    """Some images of a run over their twins, as HTML; the same in all its frames."""
    run = listing.open_run(run_id)
    rows, data = run.rows(), cache.images_of(run)
    train = np.flatnonzero(rows["split"] == TRAIN)
    images = read_pictures(data, rows, train[:: max(1, len(train) // PLAIN)][:PLAIN])
    sheet = [reduce_images(part) for part in (images, *clusters.make_twins(run.config(), data, images, VIEWS))]
    return pictures.pixels_html(image_strip(sheet, scale=1), "images over their twins")


def draw_curves(run: Run) -> None:
    """Entropies with the best reachable values; Recall@K and NMI; the loss terms."""
    history, config = run.history(), run.config()
    st.header("How it went")
    floors, best = cache.floors_or_reason(run)[0] if is_warm() else {}, math.log(config.clusters)
    drawn = pictures.thinned_history(history)
    left, right = st.columns(2)
    with left:
        pictures.draw_scores("entropies", history, entropy_curves(drawn, best, config.epochs))
        unused = " This variant does not train its clusters." if "clusters" not in config.used() else ""
        st.caption(f"At best all clusters are alike, ln K, and each image is sure, 0.{unused}")
    with right:
        if tests_labels(run):
            chart = score_curves(drawn, floors, place="retrieval", epochs=config.epochs)
            pictures.draw_scores("retrieval", history, chart)
            st.caption("Of the drawn test points: Recall@K, and NMI of k-means with as many clusters as classes.")
    pictures.draw_losses(history, config.epochs)
