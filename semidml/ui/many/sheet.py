"""The sheet of a sweep: its heat map and little maps, and the runs of the cell that is chosen."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st

from semidml import planes
from semidml.explore import drawing
from semidml.plots.colours import CLASS_COLOURS, HEAT_COLOURS, UNLABELLED, heat_colour, ink_on
from semidml.runs.run import Run
from semidml.scatter import bundle, sent
from semidml.scatter.sheet import MOST_MAPS, NO_MAP, Axis, LittleMap, Scale, Sheet, SheetCell, little_map, pack_sheet
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import Row, score_of
from semidml.ui import frame, links, take_away
from semidml.ui.many.lattice import (
    SEED,
    Lattice,
    Setting,
    bounds,
    choice_words,
    mean_words,
    score_title,
    short_words,
    unit_words,
)
from semidml.ui.scores import score_words
from semidml.ui.shared import Shared
from semidml.ui.words import escape_markdown, knob_title
from semidml.words import seconds_words

SECONDS_MAPS = 0.12  # of a look that are spent on reading maps: the others are read at the next looks
MOST_TOLD = 12  # runs of a setting that are listed
MOST_COMPARED = 4
STATE_WORDS = {"done": "done", "running": "training", "waiting": "to do", "failed": "failed"}
MARKS = {"running": "…", "failed": "×"}  # in a cell without a number

little_maps = Shared(64_000_000)


def read_map(run: Run) -> LittleMap:
    """The newest points of a run, small; none where it has none that can be read."""
    try:
        newest = run.live()
    except (ValueError, OSError):  # Explore, where the cell leads, says what is wrong with it
        newest = None
    if newest is None:
        return NO_MAP
    placed, _ = planes.in_plane(newest.latents, newest.rows["labels"])
    labels, count = newest.rows["labels"], len(CLASS_COLOURS)
    return little_map(placed, np.where(labels >= 0, labels % count, count), drawing.ellipses(newest))


def read_maps(sweep: Sweep, lattice: Lattice, seed: int | None) -> tuple[dict[int, LittleMap], bool]:
    """(the little map of each setting, of its run with this seed or, without that, its first; whether some are still to
    be read). None where there are too many settings to draw any."""
    if len(lattice.settings) > MOST_MAPS:
        return {}, False
    maps, late, is_late = {}, time.monotonic() + SECONDS_MAPS, False
    for number, setting in enumerate(lattice.settings):
        row = run_drawn(setting, seed)
        if row is None:
            continue
        key = (str(sweep.path), row["cell"], row["changed"])
        known = little_maps.find(key)
        if known is None and time.monotonic() > late:
            is_late = True
            continue
        cell = row["cell"]
        known = known or little_maps.get(key, lambda cell=cell: read_map(sweep.run_of(cell)))
        if len(known.points):
            maps[number] = known
    return maps, is_late


def run_drawn(setting: Setting, seed: int | None) -> Row | None:
    begun = [run for run in setting.runs if run["cell"] and run["changed"]]
    return next((run for run in begun if run["seed"] == seed), begun[0] if begun else None)


def build_sheet(
    lattice: Lattice, score: str, floors: Sequence[tuple[float, str]], chosen: str, maps: Mapping[int, LittleMap]
) -> Sheet:
    """What is drawn of a lattice."""
    means = [setting.mean for setting in lattice.settings]
    low, high = bounds(means)
    known = score_of(score)
    if known is not None and known.unit in ("share", "yes or no"):
        low, high = bounds([low, high, *(at for at, _ in floors)])  # the floors lie on the scale
    unit = high - low or 1.0
    cells = []
    for setting in lattice.settings:
        beaten = [words for at, words in (*floors, *setting.floors) if setting.n and setting.mean <= at]
        colour = "" if math.isnan(setting.mean) else heat_colour((setting.mean - low) / unit)
        text = short_words(score, setting.mean) or MARKS.get(setting.state, "")
        words, ink = cell_words(setting, score, beaten), ink_on(colour) if colour else ""
        cells.append(SheetCell(words, setting.state, text, colour, ink, bool(beaten)))
    scale = None
    if known is not None and not all(map(math.isnan, means)):
        marks = [
            ((at - low) / unit, f"{words} {score_words(known.name, at)}") for at, words in floors if low <= at <= high
        ]
        ends = [
            f"{100 * end:.0f} %" if known.unit == "yes or no" else score_words(known.name, end) for end in (low, high)
        ]
        scale = Scale(HEAT_COLOURS, *ends, marks)
    of_cells = "each seed" if lattice.columns == SEED else "mean over seeds"
    title = f"{score_title(score)}: {of_cells}{unit_words(score)}" if score else "No score yet"
    return Sheet(
        title,
        "The points of each, by class",
        axis_of(lattice.columns, lattice.column_values),
        axis_of(lattice.rows, lattice.row_values),
        cells,
        [*CLASS_COLOURS, UNLABELLED],
        scale,
        lattice.place_of(chosen),
        maps,
    )


def axis_of(knob: str, values: Sequence[object]) -> Axis:
    if not knob:
        return Axis("", [""])
    return Axis(knob_title(knob) + (" (%)" if knob == "pl" else ""), [choice_words(knob, value) for value in values])


def cell_words(setting: Setting, score: str, beaten: Sequence[str]) -> list[str]:
    """What is told of a cell."""
    lines = [setting.words]
    if setting.n:
        lines.append(mean_words(score, setting.mean, setting.sd, setting.n))
    states = [run["state"] for run in setting.runs]
    if set(states) != {"done"}:
        lines.append(
            ", ".join(f"{states.count(state)} {STATE_WORDS.get(state, state)}" for state in dict.fromkeys(states))
        )
    lines += [f"not above {words}" for words in beaten]
    reasons = dict.fromkeys(run["why"] for run in setting.runs if run["state"] == "failed" and run["why"])
    return lines + [reason[:160] for reason in list(reasons)[:1]]


def draw_sheet(sheet: Sheet, pick: Callable[[int], None], name: str) -> None:
    """The component; `pick` is told the number of a cell that was chosen. name: of the sweep."""
    draw = st.components.v2.component(
        bundle.SHEET, html=bundle.MANY_HTML[bundle.SHEET], css=bundle.css("many"), js=bundle.javascript("sheet")
    )

    def hear() -> None:
        pick(sent.picked_of(st.session_state["sheet"]["picked"], len(sheet.cells)))

    draw(data=pack_sheet(sheet), key="sheet", on_picked_change=hear)
    take_away.draw_sheet(sheet, name)
    if any(cell.at_floor for cell in sheet.cells):
        st.caption("▲ is not above what needs no training: the cell says what.")


def draw_chosen(sweep: Sweep, setting: Setting, score: str) -> None:
    """The runs of the cell that is chosen."""
    st.markdown(f"**{escape_markdown(setting.words)}**: {mean_words(score, setting.mean, setting.sd, setting.n)}")
    known = score_of(score)
    begun = [row for row in setting.runs if row["cell"] and row["changed"]]
    for row in setting.runs[:MOST_TOLD]:
        words, link = st.columns([3, 1.4], vertical_alignment="center")
        value = row.get(score)
        has_value = known is not None and value is not None and not math.isnan(value)
        parts = [f"Seed {row['seed']}", STATE_WORDS.get(row["state"], row["state"])]
        parts += [score_words(known.name, value)] if has_value and known else []
        seconds = row["seconds"]
        parts += [seconds_words(seconds)] if seconds is not None and not math.isnan(seconds) else []
        words.caption(" · ".join(parts) + (f"  \n{escape_markdown(row['why'])}" if row["why"] else ""))
        if row in begun:
            with link:
                frame.link_run(frame.EXPLORE, "Explore", "travel_explore", sweep.run_of(row["cell"]))
    if len(setting.runs) > MOST_TOLD:
        st.caption(f"And {len(setting.runs) - MOST_TOLD} more seeds: the table has them all.")
    compared = [sweep.run_of(row["cell"]).id for row in begun if row["state"] == "done"][:MOST_COMPARED]
    if len(dict.fromkeys(compared)) > 1:
        label = f"Compare {len(compared)} of its seeds" if len(begun) > len(compared) else "Compare its seeds"
        link = {"runs": ",".join(dict.fromkeys(compared))}
        st.page_link(frame.COMPARE, label=label, icon=":material/compare:", query_params=link)


def choose_cell(lattice: Lattice, number: int) -> None:
    """A cell was chosen: the page and its link keep its first run's name."""
    names = [run["cell"] for run in lattice.settings[number].runs if run["cell"]]
    st.session_state["chosen cell"] = names[0] if names else ""
    if names:
        links.write_choice("cell", "chosen cell", names[0])
