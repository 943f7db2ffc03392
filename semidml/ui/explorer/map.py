"""The map of a run that answers: its points, what was asked of it last, and the answer beside it.

What the visitor asks for - a click on a point or an empty place, a box, a lasso, a line - stays in the session until
the next question or another run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from semidml.explore import drawing, points
from semidml.explore.decode import decode_box
from semidml.frames import TEST, TRAIN, Frame
from semidml.planes import PROJECTIONS
from semidml.priors.density import MASSES
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scatter import pack
from semidml.scatter.sent import TOOLS, asked_of, box_of, line_of, middles_of, region_of
from semidml.ui import cache, links, maps
from semidml.ui.explorer import answers, controls, downloads, link, planes, questions, what_if, whole
from semidml.ui.explorer.controls import Controls
from semidml.ui.frame import show_error
from semidml.ui.manage import draw_outcome, perform
from semidml.ui.words import direction_words


@st.fragment
def draw_explorer(run_id: str, epochs: list[int]) -> None:
    """Controls, map and answer of a run that has frames."""
    if st.session_state.get("to train"):
        st.rerun()  # a part of a page that leaves it confuses the browser: the whole page does
    try:
        run = listing.open_run(run_id)
        names = points.class_names(run)
        epoch = questions.chosen_epoch(run, epochs)
        if st.session_state.get("epoch below", (run_id, epoch)) != (run_id, epoch):
            st.rerun()  # what lies below is of another epoch
        frame = cache.read_frame(run, epoch)
        chosen = controls.choose_controls(run, frame)
        downloads.keep_pace()
    except (ValueError, FileNotFoundError) as error:
        show_error(error)
        return
    frame = whole.take_frame(run, frame, epochs, chosen)
    link.write(run, frame, chosen, epochs)
    draw_outcome()
    after = what_if.place_components(run, frame, chosen.movable)
    map_column, answer_column = st.columns([2, 1], gap="medium")

    # After a click the map is there already, and the answer is what is waited for.
    map_is_first, visible = st.session_state.pop("map first", False), questions.positions_of(frame, chosen.part)
    for column in (map_column, answer_column) if map_is_first else (answer_column, map_column):
        with column:
            if column is map_column:
                draw_map(run, frame, after, names, chosen, epochs)
            elif chosen.movable and st.session_state.get("what if"):
                what_if.draw_answer(run, frame, after, names, visible)
            else:
                if after is not frame:
                    what_if.draw_reminder()
                answers.draw_answer(run, frame, names, visible)


def draw_map(run: Run, before: Frame, frame: Frame, names: list[str], chosen: Controls, epochs: list[int]) -> None:
    """The map, what belongs to all its frames, and what is drawn in words. `before` has the components where the run
    has them, `frame` where the visitor has put them."""
    map_place = st.container()
    is_projected = chosen.method != "pca"  # of its own for each epoch: the map's own scrubber needs one plane for all
    if is_projected and len(epochs) > 1:
        questions.draw_epoch_slider(run, epochs)
    try:
        placed, axes = planes.in_plane(run, frame, chosen.method, epochs[-1])
    except ValueError as error:
        show_error(error)
        return
    plane = frame.latents.shape[1] == 2
    visible = questions.positions_of(frame, chosen.part)
    rings, first_rings = [], []
    if frame.latents.shape[1] > 1 and (not axes or axes.startswith("PCA")):  # others have no place for what is no point
        axes_of = cache.read_frame(run, epochs[-1]).latents if axes else None
        rings, first_rings = (drawing.ellipses(moved, axes_of) for moved in (frame, before))
    view = f"{run.id} {chosen.method if axes.startswith(tuple(entry.title for entry in PROJECTIONS.values())) else ''}"
    decodes, missing = plane and run.config().trains_decoder, cache.missing_images(run)
    region, point = questions.asked_region(frame), st.session_state.get("chosen point")
    places = [st.session_state["chosen place"]] if st.session_state.get("chosen place") else []
    own = st.session_state.get("own place")
    if own and own[0] == run.id and (plane or axes.startswith("PCA")):
        places.append(own[1])
    pictures = frame.pictures if chosen.pictures and rings else None
    of_prior = [*prior_words(frame, chosen.colour, chosen.density, axes), *picture_words(frame, pictures)]
    words = " ".join([map_words(run, frame, chosen.part, len(visible), axes), *of_prior])
    ranges = maps.map_extent(view, placed, first_rings, begins=frame.epoch == 0)
    about = f"Map of the latent space. {words}"
    drawn = drawing.draw_frame(frame, placed, names, ranges, words=about, run=view, colour=chosen.colour)
    drawn = replace(
        drawn,
        away=~np.isin(np.arange(len(placed)), visible),
        images_of=run.id,
        predictions=frame.predictions,
        errors=point_errors(run, len(placed)) if not missing else None,
        ellipses=rings,
        movable=chosen.movable,
        moves=st.session_state.get("component moves", 0),
        origins=before.component_means if chosen.movable and rings else (),
        pictures=pictures,
        density=maps.prior_regions(frame) if chosen.density else None,
        masses=MASSES,
        marked=region or ([point] if point is not None and point < len(placed) else []),
        places=places,
        tools=[name for name in TOOLS if name != "line" or decodes],
        shade=decodes,
        lattice=chosen.lattice,
        address="view",
        start=links.start_of(link.PAGE, view),
    )

    def heard(read: Callable[[Any], Any], act: Callable[[Any], None]) -> Callable[[Any], None]:
        return lambda sent: perform(lambda: act(read(sent)))

    def dropped(moved: tuple) -> None:
        what_if.move(run, frame, *moved)
        questions.ask(**{"what if": True})

    listeners = dict(
        moved=heard(lambda sent: middles_of(sent, len(rings)), dropped),
        asked=heard(asked_of, lambda asked: questions.ask_at(*asked, count=len(placed), places=plane)),
        region=heard(lambda sent: region_of(sent, len(placed)), questions.ask_region),
        line=heard(line_of, lambda ends: questions.ask(line=ends)),
        epoch=heard(int, lambda epoch: st.session_state.update({f"epoch {run.id}": epoch})),
        seen=heard(box_of, lambda box: st.session_state.update({"lattice box": (run.id, box)})),
    )
    with map_place:
        maps.draw_map(drawn, f"map {run.id}", **listeners)
    maps.send_images(run)
    if not is_projected:
        maps.send_film(run, view, epochs)
    if chosen.lattice:
        send_lattice(run, view)
    st.caption(words)
    whole.draw_offer(run, frame, epochs, chosen)


def send_lattice(run: Run, view: str) -> None:
    """Decoded places of the part that the map has said it shows."""
    known = st.session_state.get("lattice box")
    if not known or known[0] != run.id:
        return
    try:
        box, picture = decode_box(cache.load_model(run), *known[1])
    except ValueError as error:
        st.caption(f"Places cannot be decoded: {answers.cut(error)}")
        return
    maps.send_to_maps(pack.pack_lattice(view, box, picture), f"lattice {run.id}")


def point_errors(run: Run, count: int) -> np.ndarray | None:
    """Errors of reconstruction of so many points; None where they are known of fewer."""
    errors = cache.point_errors(run)
    return errors if errors is not None and len(errors) == count else None


def prior_words(frame: Frame, colour: str, density: bool, axes: str) -> list[str]:
    """What is drawn of the prior, in sentences."""
    if frame.components is None:
        return []
    words = maps.many_words(frame)
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


def picture_words(frame: Frame, pictures: np.ndarray | None) -> list[str]:
    """What the small pictures are, in a sentence."""
    if pictures is None:
        return []
    components = len(frame.components[0])
    which = f"the first {len(pictures)} of {components}" if len(pictures) < components else f"the {components}"
    what = "pseudo-inputs" if frame.pseudo_inputs is not None else "components' middles, decoded"
    return [f"Small pictures: {which} {what}, each where the run has its component and, as one zooms in, room."]


def map_words(run: Run, frame: Frame, part: str, n: int, axes: str) -> str:
    """What is drawn, and of how many."""
    split = frame.rows["split"]
    counts = {"train": (split == TRAIN).sum(), "test": (split == TEST).sum()}
    which = " and ".join(
        f"{counts[p]:,} {'training' if p == 'train' else p}" for p in ("train", "test") if part in ("both", p)
    )
    seen = int(frame.rows["seen"].sum())
    hatched = frame.latents.shape[1] == 2 and run.config().trains_decoder
    drawn = f"drawn with the seed {run.config().seed}, classes in their proportions"
    if len(split) > len(cache.read_rows(run)["row"]):
        drawn = "each through the weights of the end"
    words = [f"{n:,} points: {which} rows, {drawn}; {seen:,} with a seen label (ringed where they are few)."]
    words += ["Hatched places are far from all data: what is decoded there rests on nothing."] if hatched else []
    return " ".join([*words, axes, direction_words(run)]).strip()
