"""What a link says of Explore's map, both ways: colour, rows, plane, layers, epoch, where components of the prior were
put, what was asked last, and zoom.

A part that is as it is at first is left out. The map itself keeps its zoom, its filter and what its legend hides in the
address (`links.OF_MAPS`). An image of the visitor's own is in no link."""

import base64
import re
import zlib
from typing import Any

import numpy as np
import streamlit as st

from semidml.frames import SPLITS, Frame, Rows
from semidml.planes import PROJECTIONS
from semidml.runs.run import Run
from semidml.ui import links
from semidml.ui.explorer import controls, questions, what_if
from semidml.ui.explorer.controls import Controls

PAGE = "explore"
QUESTIONS = ("point", "place", "region", "line")
PARTS = ("colour", "rows", "plane", "layers", "epoch", "moved", *QUESTIONS, "section", *links.OF_MAPS)
NOTHING = "none"  # in the place of a point: nothing is asked; of layers: there is none
MOST_REGION = 4000  # characters of a region: of larger ones there is no link


def follow(run: Run, frame: Frame) -> bool:
    """Draws and asks what the link says; whether it says what is asked."""
    state, asked = st.session_state, False

    def take_choice(name: str, key: str, choices: Any) -> None:
        links.follow_part(PAGE, name, lambda text: state.update({key: links.choose_of(name, choices)(text)}))

    take_choice("colour", "colour", controls.offer_colours(run, frame))
    take_choice("rows", "part", controls.PARTS)
    take_choice("plane", "projection", PROJECTIONS if run.config().latent_dim > 2 else ("pca",))
    offered = controls.offer_layers(run, frame)

    def take_layers(text: str) -> None:
        names = [] if text == NOTHING else text[: links.MOST_NUMBERS].split(",")
        chosen = {links.choose_of("layers", offered)(name) for name in names}
        state.update({layer.key: name in chosen for name, layer in offered.items()})

    def take_moved(text: str) -> None:
        if "movable" not in offered:
            raise ValueError("moved must be of a run in two dimensions whose prior has components")
        what_if.follow_moved(run, frame, text)
        state[offered["movable"].key] = True
        questions.ask(**{"what if": True})

    links.follow_part(PAGE, "layers", take_layers)
    links.follow_view(PAGE)
    asked |= links.follow_part(PAGE, "moved", take_moved)
    for name, read in (
        ("point", lambda text: {"chosen point": point_of(text, frame.rows)}),
        ("place", lambda text: {"chosen place": links.numbers_of("place", 2)(text)}),
        ("region", lambda text: {"region": region_of(text, len(frame.latents))}),
        ("line", lambda text: {"line": ends_of(text)}),
    ):
        asked |= links.follow_part(PAGE, name, lambda text, read=read: questions.ask(**read(text)))
    return asked


def write(run: Run, frame: Frame, chosen: Controls, epochs: list[int]) -> None:
    """Puts what is looked at into the link."""
    epoch = questions.chosen_epoch(run, epochs)
    offered = controls.offer_layers(run, frame)
    layers = [name for name in offered if getattr(chosen, name)]
    is_first = layers == [name for name, layer in offered.items() if layer.first]
    first = next(iter(controls.offer_colours(run, frame)))
    parts = {
        "colour": chosen.colour if chosen.colour != first else "",
        "rows": chosen.part if chosen.part != "both" else "",
        "plane": chosen.method if chosen.method != "pca" else "",
        "layers": "" if is_first else ",".join(layers) or NOTHING,
        "epoch": str(epoch) if epoch != epochs[-1] else "",
        "moved": what_if.moved_text(what_if.list_moved(run, frame)) if chosen.movable else "",
    }
    is_what_if = parts["moved"] and st.session_state.get("what if")  # without another question the link asks that
    links.write_parts(PAGE, parts | (dict.fromkeys(QUESTIONS, "") if is_what_if else write_question(frame)))


def write_question(frame: Frame) -> dict[str, str]:
    """What is asked last, as the link has it."""
    parts, state = dict.fromkeys(QUESTIONS, ""), st.session_state
    if region := questions.asked_region(frame):
        text = region_text(region, len(frame.latents))
        return parts | ({"region": text} if len(text) <= MOST_REGION else {"point": NOTHING})
    if line := state.get("line"):
        return parts | {"line": links.numbers_text(np.ravel(line))}
    if place := state.get("chosen place"):
        return parts | {"place": links.numbers_text(place)}
    point = state.get("chosen point")
    return parts | {"point": NOTHING if point is None else point_text(point, frame.rows)}


def fits(frame: Frame, region: list[int]) -> bool:
    """Whether the link has room for a region."""
    return len(region_text(region, len(frame.latents))) <= MOST_REGION


def point_text(position: int, rows: Rows) -> str:
    """A point by its image, which is the same in every run of these data: test-42."""
    return f"{SPLITS[rows['split'][position]]}-{rows['row'][position]}"


def point_of(text: str, rows: Rows) -> int | None:
    """The position of the point that a link names; None where it names none. Raises: ValueError in words."""
    if text == NOTHING:
        return None
    match = re.fullmatch(rf"({'|'.join(SPLITS)})-(\d{{1,9}})", text[:40], re.ASCII)
    if not match:
        raise ValueError(f"point must be a row as {SPLITS[-1]}-42, got {text[:60]!r}")
    at = np.flatnonzero((rows["split"] == SPLITS.index(match[1])) & (rows["row"] == int(match[2])))
    if not len(at):
        raise ValueError(f"the row {text} is not among the points drawn")
    return int(at[0])


def region_text(region: list[int], count: int) -> str:
    """A region among so many points: a bit a point, compressed."""
    bits = np.zeros(count, bool)
    bits[region] = True
    packed = base64.urlsafe_b64encode(zlib.compress(np.packbits(bits).tobytes(), 9)).decode().rstrip("=")
    return f"{count}.{packed}"


def region_of(text: str, count: int) -> list[int]:
    """The positions of the points of a region. Raises: ValueError in words."""
    drawn, _, packed = text.partition(".")
    size = -(-count // 8)
    try:
        if len(text) > MOST_REGION or drawn != str(count):
            raise ValueError
        content = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        bits = zlib.decompressobj().decompress(content, size + 1)
        if len(bits) != size:
            raise ValueError
    except (ValueError, zlib.error):
        raise ValueError("region must be one of these points, as this page writes it") from None
    return np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8), count=count)).tolist()


def ends_of(text: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """The two ends of a line. Raises: ValueError in words."""
    x0, y0, x1, y1 = links.numbers_of("line", 4)(text)
    return (x0, y0), (x1, y1)
