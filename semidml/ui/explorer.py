"""The map of a run that answers: its points, what was asked of it last, and the answer beside it.

    ui.explorer.show(run, epochs)      controls, map and answer; they rerun by themselves
    ui.explorer.chosen_epoch(run, epochs)

What the visitor asks for - a click on a point or an empty place, a box, a lasso, a line - stays in the session until
the next question or another run."""

from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from semidml import explore, jobs, planes, plots, runs, scatter, ui
from semidml.data import store
from semidml.data.dataset import Dataset
from semidml.explore import SPLITS, TEST, TRAIN, Points
from semidml.planes import PROJECTIONS
from semidml.priors import PRIORS
from semidml.priors.density import MASSES
from semidml.record import COMPONENTS
from semidml.ui import what_if

COLOURS = {"class": "Class", "prediction": "Prediction", "seen": "Seen or hidden", "error": "Error"}
OF_PRIOR = {"component": "Component"}
PARTS = {"both": "Both", "train": "Training", "test": "Test"}
WORDS = {"train": "Training", "test": "Test"}
SECONDS_LIVE = 1.0
SECONDS_ERRORS = 0.15  # for which the map waits for the errors of reconstruction
SMALL = 52  # pixels across, of a neighbour
BETWEEN = 9  # decoded along a line, and along each dimension
MOST_WALKS = 16  # dimensions that are walked along
NO_QUESTION = {"chosen point": None, "chosen place": None, "region": [], "line": None, "what if": False}


class Controls(NamedTuple):
    """How the map is drawn."""

    colour: str  # of COLOURS or OF_PRIOR
    part: str  # of PARTS
    method: str  # of PROJECTIONS
    density: bool  # of the prior
    lattice: bool  # decoded places under the points
    pictures: bool  # at the prior's components
    movable: bool  # whether these can be dragged


# ---- caches: by file times, since a name may be used again


@st.cache_data(max_entries=64, show_spinner=False)
def points_of(run_id: str, epoch: int, stamp: tuple) -> Points:
    return explore.points(runs.get(run_id), epoch)


def points(run: runs.Run, epoch: int) -> Points:
    """The stored frame of an epoch. Raises ValueError in words."""
    return points_of(run.id, epoch, explore.stamp(run, f"frames/{epoch:04d}.npz", "rows.npz"))


def usual_distance(run: runs.Run, found: Points) -> float:
    return usual_distance_of(run.id, found.epoch, explore.stamp(run, f"frames/{found.epoch:04d}.npz"), found.latents)


@st.cache_data(max_entries=64, show_spinner=False)
def usual_distance_of(run_id: str, epoch: int, stamp: tuple, _latents: np.ndarray) -> float:
    return explore.usual_distance(_latents)


def images_of(run: runs.Run) -> Any:
    """The run's splits of its data set. Raises ValueError when they are not on this machine."""
    data = store.load(run.config().data)
    return kept_splits(run.id, explore.stamp(run, "config.json", "rows.npz"), data)[0]


@st.cache_resource(max_entries=2, show_spinner=False, hash_funcs={Dataset: id})  # which its answer keeps alive
def kept_splits(run_id: str, stamp: tuple, data: Dataset) -> tuple[Dataset, Dataset]:
    run = runs.get(run_id)
    splits = explore.splits_of(run, data)
    if (run.path / "rows.npz").exists():
        rows = run.rows()
        explore.pictures(splits, rows, furthest(rows))  # raises ValueError where such rows are not there
    return splits, data


def furthest(rows: explore.Rows) -> list[int]:
    """The position of the last row that is drawn of each split."""
    its = (np.flatnonzero(rows["split"] == split) for split in (TRAIN, TEST))
    return [int(there[rows["row"][there].argmax()]) for there in its if len(there)]


def missing_images(run: runs.Run) -> str:
    """Why the pictures cannot be shown, in words; "" when they can."""
    try:
        with st.spinner("Loading the images …"):
            images_of(run)
    except ValueError as error:
        return f"The pictures of this run cannot be shown: {error}"
    return ""


@st.cache_data(max_entries=4, show_spinner=False)
def packed_images(run_id: str, stamp: tuple) -> bytes:
    """The images of a run's drawn points, for the mouse."""
    run = runs.get(run_id)
    rows = run.rows()
    return scatter.pack_images(run_id, explore.small_pictures(images_of(run), rows))


@st.cache_data(max_entries=4, show_spinner=False)
def packed_film(run_id: str, name: str, epochs: tuple[int, ...], stamp: tuple) -> bytes | None:
    """A run's points at its epochs, in the plane of the last one; None where a frame is damaged."""
    run = runs.get(run_id)
    try:
        last = points(run, epochs[-1])
        kept = scatter.thinned(epochs, len(last.latents))
        clouds = [planes.in_plane(points(run, epoch).latents, last.rows["labels"], last.latents)[0] for epoch in kept]
        scores = {record.epoch: record.scores.get("knn_accuracy") for record in run.history() if record.scores}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # the frame's own words are shown when it is chosen
    words = [f"kNN {ui.percent(scores[epoch])}" if scores.get(epoch) is not None else "" for epoch in kept]
    return scatter.pack_film(name, kept, clouds, words)


# ---- the map


def chosen_epoch(run: runs.Run, epochs: list[int]) -> int:
    """The epoch that is looked at: the last, until another is chosen."""
    key = f"epoch {run.id}"
    if st.session_state.get(key) not in epochs:
        st.session_state[key] = epochs[-1]
    return st.session_state[key]


def forget_question() -> None:
    """Nothing has been asked."""
    st.session_state.update(NO_QUESTION)


@st.fragment
def show(run_id: str, epochs: list[int]) -> None:
    """Controls, map and answer of a run that has frames."""
    if st.session_state.get("to train"):
        st.rerun()  # a part of a page that leaves it confuses the browser: the whole page does
    try:
        run = runs.get(run_id)
        names = explore.class_names(run)
        epoch = chosen_epoch(run, epochs)
        if st.session_state.get("epoch below", (run_id, epoch)) != (run_id, epoch):
            st.rerun()  # what lies below is of another epoch
        found = points(run, epoch)
        chosen = controls(run, found)
        if len(epochs) > 1 and chosen.method != "pca":  # the map's own scrubber needs one plane for all epochs
            epoch_slider(run, epochs)
    except (ValueError, FileNotFoundError) as error:
        ui.trouble(error)
        return
    if said := st.session_state.pop("map said", ""):
        ui.trouble(said)
    after = what_if.placed(run, found, chosen.movable)
    map_column, answer_column = st.columns([2, 1], gap="medium")

    def its_map() -> None:
        with map_column:
            draw_map(run, found, after, names, chosen, epochs)

    def its_answer() -> None:
        with answer_column:
            visible = positions_of(found, chosen.part)
            if chosen.movable and st.session_state.get("what if"):
                able = explore.decoder_trained(run)
                decode = (lambda places: explore.decode(ui.model(run), places)) if able else None
                what_if.answer(run, found, after, names, visible, decode)
            else:
                if after is not found:
                    what_if.reminder()
                answer(run, found, names, visible)

    # After a click the map is there already, and the answer is what is waited for.
    for draw in (its_map, its_answer) if st.session_state.pop("map first", False) else (its_answer, its_map):
        draw()


def controls(run: runs.Run, found: Points) -> Controls:
    """The widgets above the map."""
    dimensions, prior = run.config().latent_dim, PRIORS[run.config().prior]
    colours = COLOURS | (OF_PRIOR if prior.facts.get("components") else {})
    if st.session_state.get("colour") not in colours:  # the run before had components
        st.session_state["colour"] = "class"
    density = lattice = pictures = movable = False
    method = "pca"
    few = found.components is not None and len(found.components[0]) <= ui.MOST_ELLIPSES
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        common: dict[str, Any] = {"required": True, "persist_state": "session"}
        colour = st.segmented_control(
            "Colour", colours, format_func=colours.get, default="class", key="colour", **common
        )
        part = st.segmented_control("Rows", PARTS, format_func=PARTS.get, default="both", key="part", **common)
        if dimensions > 2:
            method = st.segmented_control(
                f"{dimensions} dimensions, drawn by",
                PROJECTIONS,
                format_func=lambda name: PROJECTIONS[name].title,
                default="pca",
                key="projection",
                help="  \n".join(f"**{entry.title}**: {entry.summary}." for entry in PROJECTIONS.values()),
                **common,
            )
        if dimensions == 2 and prior.facts:
            density = st.toggle(
                "Prior's density",
                key="density",
                persist_state="session",
                help=f"The smallest regions that hold {' and '.join(f'{mass:.0%}' for mass in MASSES)} of the prior.",
            )
        if dimensions == 2 and explore.decoder_trained(run):
            lattice = st.toggle(
                "Decoded places",
                key="lattice",
                persist_state="session",
                help="What the decoder makes of each place of the map, under the points; finer when you zoom in.",
            )
        if dimensions > 1 and few and found.pictures is not None and method == "pca":
            pictures = st.toggle(
                "Pseudo-inputs" if found.are_pseudo_inputs else "Components' pictures",
                key="pictures",
                persist_state="session",
                help="The learned images whose latents are the prior's components, drawn where these lie."
                if found.are_pseudo_inputs
                else "What the decoder makes of the middle of each component, drawn there.",
            )
        if dimensions == 2 and few and np.isfinite(found.components[0]).all():
            movable = st.toggle(
                "What if",
                key="movable",
                persist_state="session",
                on_change=what_if.put_back,
                help="Drag a component of the prior, or move it with the arrow keys: what would change?",
            )
    return Controls(colour, part, method, density, lattice, pictures, movable)


def epoch_slider(run: runs.Run, epochs: list[int]) -> int:
    """The epoch that is drawn, by a slider of the page."""
    # The value is also given as the default: the slider may appear long after the epoch was chosen on the map.
    chosen = chosen_epoch(run, epochs)
    return st.select_slider("Epoch", epochs, chosen, key=f"epoch {run.id}", help="0 is before training.")


def in_plane(run: runs.Run, found: Points, method: str, last: int) -> tuple[np.ndarray, str]:
    """(points as they are drawn, (n, 2); what the axes are, in words)."""
    dimensions = found.latents.shape[1]
    if dimensions > 2 and method != "pca":
        made = projection(run, found, method)
        if made is not None:
            return made, f"{PROJECTIONS[method].title} of {dimensions} dimensions"
    axes_of = points(run, last).latents if dimensions > 2 else None
    drawn, how = planes.in_plane(found.latents, found.rows["labels"], axes_of)
    if dimensions <= 2:
        return drawn, how
    kept = planes.variance_kept(found.latents, drawn)
    return drawn, f"PCA of {dimensions} dimensions: the plane holds {ui.percent(kept)} of the variance"


def projection(run: runs.Run, found: Points, method: str, step: int = 0) -> np.ndarray | None:
    """A projection that is there already, else a button that computes it in the background, or how far that is. Of a
    frame in the middle of the epoch after the found one, after so many steps, it is not kept with the run."""
    file = "live" if step else f"{found.epoch:04d}"
    key = ("projection", str(run.path), method, found.epoch, step, *explore.stamp(run, f"frames/{file}.npz"))
    made = None if step else explore.plane(run, found.epoch, method)
    task = explore.task(key)
    if made is None and task is not None and task.done and not task.error:
        made = task.result
    if made is not None and len(made) == len(found.latents):
        return made
    title = PROJECTIONS[method].title
    if task is not None and not task.done:
        st.fragment(computing, run_every=SECONDS_LIVE)(key, title)
        return None
    if task is not None and task.error:
        ui.trouble(task.error)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            f"Compute {title} of epoch {found.epoch}",
            icon=":material/function:",
            on_click=explore.start,
            args=(
                key,
                lambda progress: jobs.jobs().plane(run, found.epoch, method, found.latents, progress, not step),
            ),
            key="compute projection",
        )
        loads = "Its import alone takes about 13 s the first time. " if method == "umap" else ""
        kept = "for now: its epoch is not over" if step else "with the run"
        st.caption(f"{loads}Computed once, then kept {kept}; until then PCA is drawn.")
    return None


def computing(key: tuple, title: str) -> None:
    """How far work in the background is; draws the page anew when it has ended."""
    task = explore.task(key)
    if task is None or task.done:
        st.rerun()
    st.progress(task.fraction, text=f"{title}: {task.text}, {task.seconds:.0f} s")


def draw_map(
    run: runs.Run, before: Points, found: Points, names: list[str], chosen: Controls, epochs: list[int]
) -> None:
    """The map, what belongs to all its frames, and what is drawn in words. `before` has the components where the run
    has them, `found` where the visitor has put them."""
    colour, part, method, density, lattice, *_ = chosen
    try:
        drawn, axes = in_plane(run, found, method, epochs[-1])
    except ValueError as error:
        ui.trouble(error)
        return
    plane = found.latents.shape[1] == 2
    rows, there, frame = found.rows, prior_frame(before), prior_frame(found)
    visible = positions_of(found, part)
    components = explore.most_responsible(found) if colour == "component" else None
    its = plots.colouring(
        colour, rows["labels"], names, seen=rows["seen"], predictions=found.predictions, components=components
    )
    rings = []
    if found.latents.shape[1] > 1 and (not axes or axes.startswith("PCA")):  # others have no place for what is no point
        axes_of = {"latents": points(run, epochs[-1]).latents} if axes else None
        rings = ui.ellipses(frame, axes_of)
    view = f"{run.id} {method if axes.startswith(tuple(entry.title for entry in PROJECTIONS.values())) else ''}"
    decodes, missing = plane and explore.decoder_trained(run), missing_images(run)
    x_range, y_range = ui.extent(view, drawn, ui.ellipses(there, axes_of) if rings else [])
    region, point = asked_region(found), st.session_state.get("chosen point")
    marked = region or ([point] if point is not None and point < len(drawn) else [])
    places = [st.session_state["chosen place"]] if st.session_state.get("chosen place") else []
    own = st.session_state.get("own place")
    if own and own[0] == run.id and (plane or axes.startswith("PCA")):
        places.append(own[1])
    pictures = found.pictures if chosen.pictures and rings else None
    words = " ".join(
        [
            map_words(run, found, part, len(visible), axes),
            *prior_words(found, colour, density, axes),
            *picture_words(found, pictures),
        ]
    )
    packed = scatter.pack(
        drawn,
        its.categories,
        seen=rows["seen"],
        test=rows["split"] == TEST,
        names=its.names,
        looks=its.looks,
        labels=rows["labels"],
        label_names=names,
        predictions=found.predictions,
        strength=its.strength,
        errors=point_errors(run) if not missing else None,
        away=~np.isin(np.arange(len(drawn)), visible),
        x_range=x_range,
        y_range=y_range,
        words=f"Map of the latent space. {words}",
        ellipses=rings,
        movable=chosen.movable,
        moves=what_if.moves(),
        origins=before.components[0] if chosen.movable and rings else (),
        pictures=pictures,
        density=ui.density(frame) if density else None,
        masses=MASSES,
        marked=marked,
        places=places,
        tools=[name for name in scatter.TOOLS if name != "line" or decodes],
        shade=decodes,
        lattice=lattice,
        images_of=run.id,
        run=view,
        epoch=found.epoch,
        dark=ui.dark(),
    )

    def heard(read: Any, act: Any) -> Any:
        def listen(sent: Any) -> None:
            try:
                act(read(sent))
            except ValueError as error:
                st.session_state["map said"] = str(error)

        return listen

    def dropped(moved: tuple) -> None:
        what_if.move(run, found, *moved)
        forget_question()
        st.session_state["what if"] = True

    ui.live_map(
        packed,
        f"map {run.id}",
        moved=heard(lambda sent: scatter.middles_of(sent, len(rings)), dropped),
        asked=heard(scatter.asked_of, lambda asked: ask(*asked, count=len(drawn), places=plane)),
        region=heard(lambda sent: scatter.region_of(sent, len(drawn)), choose_region),
        line=heard(scatter.line_of, choose_line),
        epoch=heard(int, lambda epoch: st.session_state.update({f"epoch {run.id}": epoch})),
        seen=heard(scatter.box_of, lambda box: st.session_state.update({"lattice box": (run.id, box)})),
    )
    if not missing:
        ui.for_maps(packed_images(run.id, explore.stamp(run, "rows.npz")), f"images {run.id}")
    if len(epochs) > 1 and (not axes or not axes.startswith(("UMAP", "t-SNE"))):
        stamp = explore.stamp(run, *(f"frames/{epoch:04d}.npz" for epoch in (epochs[0], epochs[-1])))
        film = packed_film(run.id, view, tuple(epochs), stamp)
        if film:
            ui.for_maps(film, f"film {run.id}")
    if lattice:
        send_lattice(run, view)
    st.caption(words)


def point_errors(run: runs.Run) -> np.ndarray | None:
    """Errors of reconstruction, (n,), once they are known: many images take a while, in which the map is there. None
    before, and where the run has no decoder or no weights that fit, which `image_and_reconstruction` says."""
    if not explore.decoder_trained(run):
        return None
    key = ("errors", str(run.path), *explore.weights_stamp(run), *explore.stamp(run, "rows.npz"))
    data = images_of(run)
    task = explore.task(key) or explore.start(key, lambda _: explore.errors_of_points(runs.get(run.id), data))
    return task.wait(SECONDS_ERRORS).result


def send_lattice(run: runs.Run, view: str) -> None:
    """Decoded places of the part that the map has said it shows."""
    known = st.session_state.get("lattice box")
    if not known or known[0] != run.id:
        return
    try:
        box, picture = explore.lattice_over(ui.model(run), *known[1])
    except ValueError as error:
        st.caption(f"Places cannot be decoded: {cut(error)}")
        return
    ui.for_maps(scatter.pack_lattice(view, box, picture), f"lattice {run.id}")


def prior_words(found: Points, colour: str, density: bool, axes: str) -> list[str]:
    """What is drawn of the prior, in sentences."""
    if found.components is None:
        return []
    words = []
    if colour == "component":
        words += ["A point has the colour of its most responsible component, the greyer, the more others share in it."]
    if density:
        words += [f"The shaded regions hold {' and '.join(f'{mass:.0%}' for mass in MASSES)} of the prior's mass."]
    if axes.startswith("PCA"):
        words += [
            "The prior is drawn as ellipses only: the plane is a shadow of all dimensions, in which the density's "
            "regions would lie on top of one another and no longer hold their shares."
        ]
    return words


def prior_frame(found: Points) -> dict[str, np.ndarray]:
    """What `ui.ellipses` and `ui.density` read of a frame."""
    return {} if found.components is None else dict(zip(COMPONENTS, found.components, strict=True))


def picture_words(found: Points, pictures: np.ndarray | None) -> list[str]:
    """What the small pictures are, in a sentence."""
    if pictures is None:
        return []
    components = len(found.components[0])
    of = f"the first {len(pictures)} of {components}" if len(pictures) < components else f"the {components}"
    what = "pseudo-inputs" if found.are_pseudo_inputs else "components' middles, decoded"
    return [f"Small pictures: {of} {what}, each where the run has its component."]


def positions_of(found: Points, part: str) -> np.ndarray:
    split = found.rows["split"]
    return np.arange(len(split)) if part == "both" else np.flatnonzero(split == (TRAIN if part == "train" else TEST))


def map_words(run: runs.Run, found: Points, part: str, n: int, axes: str) -> str:
    """What is drawn, and of how many."""
    split = found.rows["split"]
    counts = {"train": (split == TRAIN).sum(), "test": (split == TEST).sum()}
    which = " and ".join(
        f"{counts[p]:,} {'training' if p == 'train' else p}" for p in ("train", "test") if part in ("both", p)
    )
    seen = int(found.rows["seen"].sum())
    hatched = found.latents.shape[1] == 2 and explore.decoder_trained(run)
    words = [
        f"{n:,} points: {which} rows, drawn with the seed {run.config().seed}, classes in their proportions; "
        f"{seen:,} with a seen label (ringed where they are few)."
    ]
    words += ["Hatched places are far from all data: what is decoded there rests on nothing."] if hatched else []
    return " ".join([*words, axes, ui.of_directions(run)]).strip()


# ---- what was asked


def ask(x: float, y: float, point: int, *, count: int, places: bool) -> None:
    """A click: on a point, or on an empty place of the plane."""
    if 0 <= point < count:
        choose_point(point)
    elif places:
        forget_question()
        st.session_state["chosen place"] = (x, y)


def choose_point(position: int | None) -> None:
    """The point that answers."""
    forget_question()
    st.session_state["chosen point"] = position


def choose_region(chosen: list[int]) -> None:
    if len(chosen) == 1:
        choose_point(chosen[0])
        return
    forget_question()
    st.session_state["region"] = chosen


def choose_line(ends: tuple) -> None:
    forget_question()
    st.session_state["line"] = ends


def asked_region(found: Points) -> list[int]:
    return [position for position in st.session_state.get("region", []) if position < len(found.latents)]


def chose_in_list() -> None:
    choose_point(st.session_state["point"])


def chose_error(wrong: np.ndarray) -> None:
    choose_point(int(np.random.default_rng().choice(wrong)))


# ---- the answer


def answer(run: runs.Run, found: Points, names: list[str], visible: np.ndarray) -> None:
    """The right third: what was asked last."""
    if region := asked_region(found):
        a_region(run, found, names, region)
        return
    options, words = visible.tolist(), explore.point_words(found, names)
    chosen = st.session_state.get("chosen point")
    st.session_state["point"] = chosen if chosen in options else None  # each time: its words, and so the widget, change
    with st.container(horizontal=True, vertical_alignment="bottom"):
        position = st.selectbox(
            "Point",
            options,
            index=None,
            format_func=words.__getitem__,
            key="point",
            on_change=chose_in_list,
            placeholder="Click the map, or choose here",
        )
        wrong = visible[found.wrong[visible]]
        st.button(
            "An error",
            icon=":material/casino:",
            on_click=chose_error,
            args=(wrong,),
            disabled=not len(wrong),
            key="an error",
            help=f"One of the {len(wrong):,} points drawn whose prediction is wrong.",
        )
    try:
        if st.session_state.get("line"):
            a_line(run, found, st.session_state["line"])
        elif st.session_state.get("chosen place"):
            a_place(run, found, names, st.session_state["chosen place"])
        elif position is not None:
            a_point(run, found, names, position)
        else:
            st.caption(
                "A point answers here with its image, its reconstruction, its label and its neighbours; an empty place "
                "with what the decoder makes of it; a box or lasso with what is in it; a line with what lies along it."
            )
    except ValueError as error:
        ui.trouble(cut(error))


def cut(words: object, most: int = 300) -> str:
    """An error's words, of which libraries may use many."""
    return str(words) if len(str(words)) <= most else f"{str(words)[:most]} …"


def a_point(run: runs.Run, found: Points, names: list[str], position: int) -> None:
    """Image, reconstruction, label, prediction, neighbours."""
    rows = found.rows
    label, prediction = names[rows["labels"][position]], names[found.predictions[position]]
    seen = "its label was seen" if rows["seen"][position] else "its label was hidden"
    if rows["split"][position] == TEST:
        seen = "its label is for scoring only"
    missing = missing_images(run)
    if missing:
        st.info(missing, icon=":material/hide_image:")
        if not ui.is_here(run.config().data):
            st.page_link(ui.DATA, label="Fetch it on the page Data", icon=":material/download:")
    else:
        image_and_reconstruction(run, rows, position)
    mark = ":material/check:" if label == prediction else ":material/close:"
    st.markdown(
        f"{WORDS[SPLITS[rows['split'][position]]]} row {rows['row'][position]:,}, {seen}.  \n"
        f"Class {ui.plain(label)} · prediction {ui.plain(prediction)} {mark}"
    )
    kinds = {
        "Nearest seen labels": (rows["seen"], "These vote on the prediction"),
        "Nearest other rows": (~rows["seen"], "Hidden training rows and test rows"),
    }
    if found.disjoint:
        train = rows["split"] == TRAIN
        votes, others = "These vote on the prediction: no test class was trained on", "Rows of other classes"
        kinds = {
            "Nearest training rows": (train, votes if train[position] else others),
            "Nearest test rows": (~train, others if train[position] else votes),
        }
        kinds = kinds if train[position] else dict(reversed(kinds.items()))
    for title, (among, which) in kinds.items():
        near = explore.nearest(found.compared, among, position)
        with st.container(gap="small"):
            about = "class and distance in the latent space, in all its dimensions, among the points drawn"
            st.markdown(f"**{title}**", help=f"{which}: {about}.")
            neighbours(run, found, names, near, bool(missing))
    if found.latents.shape[1] > 2 and explore.decoder_trained(run) and not missing:
        walks(run, found, position)


def walks(run: runs.Run, found: Points, position: int) -> None:
    """What the decoder makes of a point that is moved along one dimension, the others as they are."""
    dimensions = min(MOST_WALKS, found.latents.shape[1])
    with st.expander(f"Walk from here along each of {dimensions} dimensions", icon=":material/steps:"):
        path = explore.walks(found.latents, position, BETWEEN)[:dimensions]  # (D, m, D)
        decoded = explore.decode(ui.model(run), path.reshape(-1, path.shape[2]))
        strip = decoded.reshape(dimensions, BETWEEN, *decoded.shape[1:])
        ui.pixels(plots.image_strip(list(strip), scale=1), "the point moved along each dimension, decoded")
        st.caption("A row a dimension, from two standard deviations below the mean of all points to two above.")


def image_and_reconstruction(run: runs.Run, rows: dict, position: int) -> None:
    original = explore.pictures(images_of(run), rows, [position])
    shown, captions = [original[0]], ["image"]
    words = ""
    if not explore.decoder_trained(run):
        words = "No reconstruction: this run has no decoder that was trained."
    else:
        try:
            decoded = explore.reconstruct(ui.model(run), original)
        except ValueError as error:
            words = f"No reconstruction: {cut(error)}"
        else:
            shown.append(decoded[0])
            captions.append("reconstruction")
            words = (
                f"Squared error of the reconstruction: {explore.squared_errors(original, decoded)[0]:.4f}, "
                "by the newest weights kept"
            )
    ui.pictures(shown, captions, ui.PICTURE)
    if words:
        st.caption(words)


def a_place(run: runs.Run, found: Points, names: list[str], place: tuple[float, float]) -> None:
    """What the decoder makes of a place of the plane, how far the data are, what lies nearest."""
    st.markdown(f"**The place {place[0]:.3g}, {place[1]:.3g}**")
    latent = np.array([place], dtype=np.float32)
    near = explore.nearest_to(found.latents, found.rows, latent[0], of_training=True)
    if explore.decoder_trained(run):
        decoded = explore.decode(ui.model(run), latent)
        ui.pictures(decoded, ["decoded"], ui.PICTURE)
    else:
        st.caption("Nothing to decode: this run has no decoder that was trained.")
    asked = found.as_compared(latent[0])
    votes = explore.nearest_to(found.compared, found.rows, asked, of_training=True, seen=True)
    alike = explore.nearest_to(found.compared, found.rows, asked, of_training=True)
    said = explore.vote(found.rows["labels"][votes.positions], len(names))
    usual = usual_distance(run, found)
    far = float(near.distances[0]) / usual if len(near.distances) and usual else 0.0
    words = (
        f"The {len(votes.positions)} nearest seen labels would call it {ui.plain(names[said])}. " if said >= 0 else ""
    )
    trust = "Here are data." if far <= 3 else "**Far from all data: what is decoded here rests on nothing.**"
    st.markdown(f"{words}The nearest training image is {far:.1f} times as far away as neighbours usually are. {trust}")
    with st.container(gap="small"):
        st.markdown("**Nearest training images**", help="Class and distance, among the points drawn.")
        neighbours(run, found, names, alike, bool(missing_images(run)))
    st.button("Let go", icon=":material/close:", on_click=forget_question, key="let go of place")


def a_line(run: runs.Run, found: Points, ends: tuple[tuple[float, float], tuple[float, float]]) -> None:
    """What the decoder makes of places along a line."""
    st.markdown(f"**From {ends[0][0]:.3g}, {ends[0][1]:.3g} to {ends[1][0]:.3g}, {ends[1][1]:.3g}**")
    path = np.linspace(*np.array(ends, dtype=np.float32), BETWEEN)
    ui.pixels(plots.image_strip([explore.decode(ui.model(run), path)], scale=1), "places along the line, decoded")
    usual = usual_distance(run, found)
    far = [explore.nearest_to(found.latents, found.rows, place, of_training=True, k=1).distances[0] for place in path]
    empty = sum(distance > 3 * usual for distance in far)
    st.caption(
        f"{BETWEEN} places, evenly spaced, decoded by the newest weights kept. "
        + (f"{empty} of them lie far from all data." if empty else "All of them lie near data.")
    )
    st.button("Let go", icon=":material/close:", on_click=forget_question, key="let go of line")


def neighbours(run: runs.Run, found: Points, names: list[str], near: explore.Near, without_images: bool) -> None:
    """Neighbours as pictures with class and distance, or as words."""
    if not len(near.positions):
        st.caption("There are none among the points drawn.")
        return
    labels = [names[c] for c in found.rows["labels"][near.positions]]
    captions = [f"{label[:9]} · {d:.2g}" for label, d in zip(labels, near.distances, strict=True)]
    if without_images:
        st.caption(", ".join(captions))
        return
    images = explore.pictures(images_of(run), found.rows, near.positions)
    ui.pictures(images, captions, SMALL)


def a_region(run: runs.Run, found: Points, names: list[str], region: list[int]) -> None:
    """How many points, of which classes, their mean image, the points nearest to their middle, and all to take away."""
    labels = found.rows["labels"][region]
    counts = np.bincount(labels, minlength=len(names))
    head, button = st.columns([2, 1], vertical_alignment="center")
    head.markdown(f"**{len(region):,} points chosen**")
    button.button("Let go", icon=":material/close:", on_click=forget_question, width="stretch", key="let go")
    wrong = ui.percent(float(found.wrong[region].mean()))
    st.caption(f"{int(found.rows['seen'][region].sum()):,} with a seen label; {wrong} are predicted wrongly.")
    state, shown = (tuple(names), tuple(counts), ui.dark()), explore.in_charts(names)
    ui.chart("region", state, lambda: plots.class_counts(shown, {"points": counts.tolist()}, ui.dark()))
    missing = missing_images(run)
    if missing:
        st.info(missing, icon=":material/hide_image:")
    else:
        ui.pictures([explore.mean_picture(images_of(run), found.rows, region)], ["mean image"], ui.PICTURE)
    middle = found.compared[region].mean(axis=0)
    with st.container(gap="small"):
        st.markdown("**Nearest to its middle**", help="Class and distance, among all training rows drawn.")
        near = explore.nearest_to(found.compared, found.rows, middle, of_training=True)
        neighbours(run, found, names, near, bool(missing))
    st.download_button(
        "These points (.csv)",
        lambda: explore.as_csv(explore.some_points(found, region), names),
        f"{run.id}-region.csv",
        on_click="ignore",
        icon=":material/download:",
        key="region csv",
    )
