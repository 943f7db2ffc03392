"""Answers beside the map: a point, a place, a line, a region."""

import numpy as np
import streamlit as st

from semidml.explore import decode, points, take_away
from semidml.explore.near import Near, nearest_rows, surroundings_of, training_rows_near, vote
from semidml.explore.pictures import mean_picture, read_pictures
from semidml.frames import SPLITS, TEST, TRAIN, Frame
from semidml.plots.pictures import image_strip
from semidml.runs.run import Run
from semidml.ui import cache, pictures
from semidml.ui.explorer import link, questions
from semidml.ui.frame import DATA, show_error
from semidml.ui.words import as_code
from semidml.words import class_name, percent

WORDS = {"train": "Training", "test": "Test"}
SMALL = 52  # pixels across, of a neighbour
BETWEEN = 9  # decoded along a line, and along each dimension
MOST_LISTED = 10_000  # points that a browser lists without delay; others are clicked, or found by their row on the map
MOST_WALKS = 16  # dimensions that are walked along


def draw_answer(run: Run, frame: Frame, names: list[str], visible: np.ndarray) -> None:
    """The right third: what was asked last."""
    if region := questions.asked_region(frame):
        draw_region(run, frame, names, region)
        return
    chosen = st.session_state.get("chosen point")
    listed = visible if len(visible) <= MOST_LISTED else visible[visible == chosen]
    options = listed.tolist()
    words = dict(zip(options, points.point_words(frame, names, options), strict=True))
    st.session_state["point"] = chosen if chosen in options else None  # each time: its words, and so the widget, change
    with st.container(horizontal=True, vertical_alignment="bottom"):
        position = st.selectbox(
            "Point",
            options,
            index=None,
            format_func=words.__getitem__,
            key="point",
            on_change=_take_listed,
            placeholder="Click the map, or choose here" if len(visible) <= MOST_LISTED else "Click the map",
        )
        wrong = visible[frame.wrong[visible]]
        st.button(
            "An error",
            icon=":material/casino:",
            on_click=lambda: questions.ask_point(int(np.random.default_rng().choice(wrong))),
            disabled=not len(wrong),
            key="an error",
            help=f"One of the {len(wrong):,} points drawn whose prediction is wrong.",
        )
    try:
        if st.session_state.get("line"):
            draw_line(run, frame, st.session_state["line"])
        elif st.session_state.get("chosen place"):
            draw_place(run, frame, names, st.session_state["chosen place"])
        elif position is not None:
            draw_point(run, frame, names, position)
        else:
            st.caption(
                "A point answers here with its image, its reconstruction, its label and its neighbours; an empty place "
                "with what the decoder makes of it; a box or lasso with what is in it; a line with what lies along it."
            )
    except ValueError as error:
        show_error(cut(error))


def _take_listed() -> None:
    """The point that was chosen in the list. The words of an epoch that is over, which a browser may still send, are
    no point."""
    point = st.session_state["point"]
    if not isinstance(point, str):
        questions.ask_point(point)


def cut(error: ValueError, most: int = 300) -> str:
    """An error's words, of which libraries may use many."""
    words = str(error)
    return words if len(words) <= most else f"{words[:most]} …"


def draw_point(run: Run, frame: Frame, names: list[str], position: int) -> None:
    """Image, reconstruction, label, prediction, neighbours."""
    rows = frame.rows
    label, prediction = rows["labels"][position], frame.predictions[position]
    seen = "its label was seen" if rows["seen"][position] else "its label was hidden"
    if rows["split"][position] == TEST:
        seen = "its label is for scoring only"
    seen = seen if label >= 0 else "which has no label"
    missing = pictures.say_missing(run)
    if not missing:
        draw_reconstruction(run, rows, position)
    elif not cache.has_data(run):
        st.page_link(DATA, label="Fetch it on the page Data", icon=":material/download:")
    mark = ":material/close:" if frame.wrong[position] else ":material/check:" if frame.told[position] else ""
    told = [f"Class {as_code(names[label])}"] if label >= 0 else []
    told += [f"prediction {as_code(names[prediction])} {mark}"] if prediction >= 0 else []
    st.markdown(
        f"{WORDS[SPLITS[rows['split'][position]]]} row {rows['row'][position]:,}, {seen}.  \n{' · '.join(told)}".strip()
    )
    kinds = {
        "Nearest seen labels": (rows["seen"], "These vote on the prediction"),
        "Nearest other rows": (~rows["seen"], "Hidden training rows and test rows"),
    }
    if frame.disjoint:
        train = rows["split"] == TRAIN
        votes, others = "These vote on the prediction: no test class was trained on", "Rows of other classes"
        kinds = {
            "Nearest training rows": (train, votes if train[position] else others),
            "Nearest test rows": (~train, others if train[position] else votes),
        }
        kinds = kinds if train[position] else dict(reversed(kinds.items()))
    elif not rows["seen"].any():
        kinds = {"Nearest other rows": (~rows["seen"], "Of all points drawn: no label was seen")}
    for title, (among, which) in kinds.items():
        near = nearest_rows(frame.compared, among, position)
        with st.container(gap="small"):
            about = "class and distance in the latent space, in all its dimensions, among the points drawn"
            st.header(title, anchor=False, help=f"{which}: {about}.")
            draw_neighbours(run, frame, names, near, bool(missing))
    if frame.latents.shape[1] > 2 and run.config().trains_decoder and not missing:
        draw_walks(run, frame, position)


def draw_walks(run: Run, frame: Frame, position: int) -> None:
    """What the decoder makes of a point that is moved along one dimension, the others as they are."""
    dimensions = min(MOST_WALKS, frame.latents.shape[1])
    with st.expander(f"Walk from here along each of {dimensions} dimensions", icon=":material/steps:"):
        path = decode.walks(frame.latents, position, BETWEEN)[:dimensions]  # (D, m, D)
        decoded = decode.decode_latents(cache.load_model(run), path.reshape(-1, path.shape[2]))
        strip = decoded.reshape(dimensions, BETWEEN, *decoded.shape[1:])
        pictures.draw_pixels(image_strip(list(strip), scale=1), "the point moved along each dimension, decoded")
        st.caption("A row a dimension, from two standard deviations below the mean of all points to two above.")


def draw_reconstruction(run: Run, rows: dict, position: int) -> None:
    """A point's image, and what the decoder makes of it."""
    original = read_pictures(cache.images_of(run), rows, [position])
    shown = {"image": original[0]}
    if not run.config().trains_decoder:
        words = "No reconstruction: this run has no decoder that was trained."
    else:
        try:
            decoded = decode.reconstruct(cache.load_model(run), original)
        except ValueError as error:
            words = f"No reconstruction: {cut(error)}"
        else:
            shown["reconstruction"] = decoded[0]
            squared = decode.squared_errors(original, decoded)[0]
            words = f"Squared error of the reconstruction: {squared:.4f}, by the newest weights kept"
    pictures.draw_pictures(shown.values(), shown, pictures.PICTURE)
    st.caption(words)


def draw_place(run: Run, frame: Frame, names: list[str], place: tuple[float, float]) -> None:
    """What the decoder makes of a place of the plane, how far the data are, what lies nearest."""
    st.header(f"The place {place[0]:.3g}, {place[1]:.3g}", anchor=False)
    latent = np.array([place], dtype=np.float32)
    around = surroundings_of(frame, latent[0])
    if run.config().trains_decoder:
        decoded = decode.decode_latents(cache.load_model(run), latent)
        pictures.draw_pictures(decoded, ["decoded"], pictures.PICTURE)
    else:
        st.caption("Nothing to decode: this run has no decoder that was trained.")
    voters, usual = around.voters.positions, cache.usual_distance(run, frame.epoch)
    label, far = vote(frame.rows["labels"][voters], len(names)), around.away / usual if usual else 0.0
    words = f"The {len(voters)} nearest seen labels would call it {as_code(names[label])}. " if label >= 0 else ""
    trust = "Here are data." if far <= 3 else "**Far from all data: what is decoded here rests on nothing.**"
    st.markdown(f"{words}The nearest training image is {far:.1f} times as far away as neighbours usually are. {trust}")
    with st.container(gap="small"):
        st.subheader("Nearest training images", anchor=False, help="Class and distance, among the points drawn.")
        draw_neighbours(run, frame, names, around.alike, bool(cache.missing_images(run)))
    st.button("Let go", icon=":material/close:", on_click=questions.ask, key="let go of place")


def draw_line(run: Run, frame: Frame, ends: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """What the decoder makes of places along a line."""
    st.header(f"From {ends[0][0]:.3g}, {ends[0][1]:.3g} to {ends[1][0]:.3g}, {ends[1][1]:.3g}", anchor=False)
    path = np.linspace(*np.array(ends, dtype=np.float32), BETWEEN)
    decoded = decode.decode_latents(cache.load_model(run), path)
    pictures.draw_pixels(image_strip([decoded], scale=1), "places along the line, decoded")
    usual = cache.usual_distance(run, frame.epoch)
    far = [training_rows_near(frame.latents, frame.rows, place, k=1).distances[0] for place in path]
    empty = sum(distance > 3 * usual for distance in far)
    st.caption(
        f"{BETWEEN} places, evenly spaced, decoded by the newest weights kept. "
        + (f"{empty} of them lie far from all data." if empty else "All of them lie near data.")
    )
    st.button("Let go", icon=":material/close:", on_click=questions.ask, key="let go of line")


def draw_neighbours(run: Run, frame: Frame, names: list[str], near: Near, without_images: bool) -> None:
    """Neighbours as pictures with class and distance, or as words."""
    if not len(near.positions):
        st.caption("There are none among the points drawn.")
        return
    labels = [class_name(names, c) for c in frame.rows["labels"][near.positions]]
    captions = [f"{label[:9]} · {d:.2g}" for label, d in zip(labels, near.distances, strict=True)]
    if without_images:
        st.caption(", ".join(captions))
        return
    images = read_pictures(cache.images_of(run), frame.rows, near.positions)
    pictures.draw_pictures(images, captions, SMALL)


def draw_region(run: Run, frame: Frame, names: list[str], region: list[int]) -> None:
    """How many points, of which classes, their mean image, the points nearest to their middle, and all to take away."""
    labels, told = points.with_unlabelled(frame.rows["labels"][region], names)
    counts = np.bincount(labels, minlength=len(told))
    head, button = st.columns([2, 1], vertical_alignment="center")
    head.header(f"{len(region):,} points chosen", anchor=False)
    button.button("Let go", icon=":material/close:", on_click=questions.ask, width="stretch", key="let go")
    words = [f"{int(frame.rows['seen'][region].sum()):,} with a seen label"]
    if judged := int(frame.told[region].sum()):
        of = "" if judged == len(region) else f" of {judged:,} with a label"
        words += [f"{percent(frame.wrong[region].sum() / judged)}{of} are predicted wrongly"]
    words[-1] += "" if link.fits(frame, region) else "; too many scattered points to be in the link"
    st.caption(f"{'; '.join(words)}.")
    pictures.draw_counts("region", told, {"points": counts.tolist()})
    if not (missing := pictures.say_missing(run)):
        mean = mean_picture(cache.images_of(run), frame.rows, region)
        pictures.draw_pictures([mean], ["mean image"], pictures.PICTURE)
    middle = frame.compared[region].mean(axis=0)
    with st.container(gap="small"):
        st.subheader("Nearest to its middle", anchor=False, help="Class and distance, among all training rows drawn.")
        near = training_rows_near(frame.compared, frame.rows, middle)
        draw_neighbours(run, frame, names, near, bool(missing))
    st.download_button(
        "These points (.csv)",
        lambda: take_away.as_csv(take_away.some_points(frame, region), names),
        f"{run.id}-region.csv",
        on_click="ignore",
        icon=":material/download:",
        key="region csv",
    )
