"""The sheet of a sweep as a figure: what the page's sheet has, cell for cell."""

import numpy as np
import pytest

from semidml.explore import drawing
from semidml.figures import canvas
from semidml.figures.sheet import sheet_figure
from semidml.plots.colours import CLASS_COLOURS, HEAT_COLOURS, heat_colour, ink_on
from semidml.runs import listing
from semidml.scatter.sheet import Axis, Scale, Sheet, SheetCell, little_map
from tests.figures.test_maps import assert_whole, texts

NAMES = ("digits-ten-places", "digits-paper-prior", "digits-dml-60-labels")


def made_sheet(columns: int = 3, rows: int = 2) -> Sheet:
    """Cells of which the last waits, and maps of runs that ship."""
    cells, maps = [], {}
    for number in range(columns * rows):
        share = number / (columns * rows)
        colour, waits = heat_colour(share), number == columns * rows - 1
        cells.append(
            SheetCell(["a cell"], "queued" if waits else "done", "…" if waits else f"{100 * share:.1f} %")
            if waits
            else SheetCell(["a cell"], "done", f"{100 * share:.1f} %", colour, ink_on(colour), number == 1)
        )
        frame = listing.open_run(NAMES[number % 3]).frame(30)
        if not waits:
            maps[number] = little_map(frame.latents, frame.rows["labels"], drawing.ellipses(frame))
    values = [f"{2.0**-k:.3g}" for k in range(columns)]
    scale = Scale(HEAT_COLOURS, "0.0 %", "83.3 %", [(0.12, "chance 10.0 %")])
    across, down = Axis("Alpha", values), Axis("Labels seen (%)", ["0.1", "100", "5", "6"][:rows])
    return Sheet("kNN, all labels: mean", "The points of each", across, down, cells, CLASS_COLOURS, scale, maps=maps)


@pytest.mark.parametrize("size", canvas.SIZES)
@pytest.mark.parametrize("shape", [(3, 2), (6, 1), (4, 4)])
def test_values_and_little_maps_lie_beside_each_other(size, shape):
    sheet = made_sheet(*shape)
    figure = sheet_figure(sheet, "labels", size)
    assert_whole(figure)
    values, maps = figure.axes[:2]
    colours = [tuple(patch.get_facecolor()) for patch in values.patches[:-1]]
    assert len(set(colours)) == len(sheet.cells) - 1  # each its own
    drawn = [points for points in maps.collections if len(points.get_offsets()) > 1]
    assert len(drawn) == len(sheet.maps)
    place = drawn[1].get_offsets()
    assert (np.floor(place[:, 0]) == 1).all() and (np.floor(place[:, 1]) == 0).all()  # within the second cell
    words = texts(canvas.as_bytes(figure, "svg"))
    assert {"labels", "kNN, all labels: mean", "The points of each", "Alpha", "Labels seen (%)"} <= set(words)
    assert "marked: chance 10.0 %" in words


def test_a_sweep_without_a_map_and_without_a_score_is_drawn():
    cells = [SheetCell(["a cell"], "queued", "…")] * 2
    sheet = Sheet("No score yet", "", Axis("Alpha", ["0.1", "0.5"]), Axis("", [""]), cells, CLASS_COLOURS)
    for size in canvas.SIZES:
        assert canvas.as_bytes(sheet_figure(sheet, "empty", size), "pdf").startswith(b"%PDF")
