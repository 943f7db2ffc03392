"""The sheet of a sweep as a figure: the heat map of a score, and beside it the little map of each setting.

What is drawn is a `scatter.sheet.Sheet`, the same that the page is sent.
"""

from typing import TYPE_CHECKING

import numpy as np

from semidml.figures.canvas import INK, PALE, SIZES, Size, alone, new_figure, plain
from semidml.figures.lettering import LETTER, axes_at, fold, write, write_lines
from semidml.plots.colours import FAINT, rgb
from semidml.registry import choose
from semidml.scatter.sheet import FINE, MOST_MAPS, Sheet

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TICKS = 24  # values that are named along an edge; of more every second, third, ...


@alone()
def sheet_figure(sheet: Sheet, name: str, size: str = "slide") -> "Figure":
    """The heat map of a sweep and, where there are some, the little maps of its settings. size: of SIZES."""
    chosen = choose(SIZES, size, "a size")
    em, columns, rows = chosen.font / 72, len(sheet.columns.values), len(sheet.rows.values)
    letters = max(len(_short(value)) for value in sheet.rows.values)
    left = (1.2 + 0.62 * letters + 1.6 * bool(sheet.rows.title)) * em
    below = 4.2 * em + 4.0 * em * (sheet.scale is not None)
    count = 2 if sheet.maps and len(sheet.cells) <= MOST_MAPS else 1
    if chosen.is_wide:
        figure, top = new_figure(chosen), chosen.height - 3.6 * em
        width = (chosen.width - count * left - em - (count - 1) * 2 * em) / count
        tall = top - below - 1.8 * em
        places = [(left + k * (width + left + 2 * em), below) for k in range(count)]
    else:
        width = chosen.width - left - em
        tall = min(width, width * rows / columns)
        each = tall + 3.8 * em
        figure = new_figure(chosen, 3.4 * em + count * each + below - 2 * em)
        top = figure.get_size_inches()[1] - 2.6 * em
        places = [(left, top - 1.8 * em - tall - k * each) for k in range(count)]
    high = figure.get_size_inches()[1] - 0.7 * em
    write_lines(figure, chosen, 0.7 * em, high, plain(name, 60), 200, 1.25, weight="bold", most=1)
    for number, (x, y) in enumerate(places):
        axes = axes_at(figure, x, y, width, tall)
        _dress(axes, sheet, chosen)
        title = sheet.title if not number else sheet.maps_title
        line = fold(title, width / (LETTER * 0.9 * em), 1)[0]
        write(figure, chosen, x, y + tall + 1.4 * em, line, 0.9 * chosen.font)
        (_draw_values if not number else _draw_maps)(axes, sheet, chosen, width / columns, tall / rows)
    if sheet.scale is not None:
        _draw_scale(figure, sheet, chosen, places[0][0], places[-1][1] - 5.6 * em, width)
    return figure


def _dress(axes: "Axes", sheet: Sheet, size: Size) -> None:
    """A field of cells, the first at the upper left, with the values of both knobs at its edges."""
    columns, rows = sheet.columns, sheet.rows
    axes.set(xlim=(0, len(columns.values)), ylim=(len(rows.values), 0))
    for side in axes.spines.values():
        side.set_visible(False)
    every = -(-len(columns.values) // MOST_TICKS)
    axes.set_xticks([k + 0.5 for k in range(len(columns.values))][::every], [*map(_short, columns.values)][::every])
    every = -(-len(rows.values) // MOST_TICKS)
    axes.set_yticks([k + 0.5 for k in range(len(rows.values))][::every], [*map(_short, rows.values)][::every])
    axes.tick_params(length=0, labelsize=0.78 * size.font, colors=INK)
    axes.set_xlabel(columns.title, fontsize=0.85 * size.font, color=INK)
    tall = axes.get_window_extent().height / axes.figure.dpi * 72  # points
    font = min(0.85 * size.font, tall / (LETTER * max(1, len(rows.title))))
    axes.set_ylabel(rows.title, fontsize=font, color=INK)


def _draw_values(axes: "Axes", sheet: Sheet, size: Size, width: float, height: float) -> None:
    """Each cell in the colour of its value, with the value where there is room."""
    from matplotlib.patches import Rectangle

    columns = len(sheet.columns.values)
    for number, cell in enumerate(sheet.cells):
        x, y = number % columns, number // columns
        look = {"facecolor": cell.colour, "edgecolor": "white"} if cell.colour else {"fill": False, "edgecolor": FAINT}
        axes.add_patch(Rectangle((x + 0.02, y + 0.02), 0.96, 0.96, linewidth=0.5 * size.line, **look))
        text = f"{cell.text}{' ▲' * cell.at_floor}"
        font = min(size.font, 72 * min(width / (LETTER * max(3, len(text)) * 1.15), height * 0.6))
        if font >= 0.35 * size.font:
            look = {"color": cell.ink or PALE, "fontsize": font, "ha": "center", "va": "center"}
            axes.text(x + 0.5, y + 0.5, text, **look)


def _draw_maps(axes: "Axes", sheet: Sheet, size: Size, width: float, height: float) -> None:
    """The points of each cell in a square of its middle."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    columns, colours = len(sheet.columns.values), np.array([rgb(colour) for colour in sheet.looks]) / 255
    side = min(width, height)
    across, up = 0.94 * side / width, 0.94 * side / height  # of the square, in cells
    around = np.linspace(0, 2 * np.pi, 49)
    for number in range(len(sheet.cells)):
        x, y = number % columns + 0.5 - across / 2, number // columns + 0.5 - up / 2
        axes.add_patch(Rectangle((x, y), across, up, fill=False, edgecolor="#e3e7ec", linewidth=0.4 * size.line))
        if number not in sheet.maps:
            continue
        points, rings = sheet.maps[number]
        at, looks = points[:, :2] / FINE, colours[points[:, 2] % len(colours)]
        axes.scatter(
            x + at[:, 0] * across, y + (1 - at[:, 1]) * up, s=(72 * side * 0.022) ** 2, c=looks,
            linewidths=0, rasterized=len(sheet.maps) * len(points) > 20_000,
        )  # fmt: skip
        lines = []
        for middle_x, middle_y, a, b, angle in rings:
            along, aside = a * np.cos(around), b * np.sin(around)
            ring_x = middle_x + along * np.cos(angle) - aside * np.sin(angle)
            ring_y = middle_y + along * np.sin(angle) + aside * np.cos(angle)
            inside = ((ring_x >= 0) & (ring_x <= 1) & (ring_y >= 0) & (ring_y <= 1))[:, None]
            lines.append(np.where(inside, np.stack([x + ring_x * across, y + (1 - ring_y) * up], axis=1), np.nan))
        if lines:
            axes.add_collection(LineCollection(lines, colors=INK, linewidths=0.35 * size.line, alpha=0.6))


def _draw_scale(figure: "Figure", sheet: Sheet, size: Size, x: float, y: float, width: float) -> None:
    """The colours of the values, with both ends and the floors."""
    scale, em = sheet.scale, size.font / 72
    long = min(width, 22 * em)
    axes = axes_at(figure, x, y, long, 0.7 * em)
    ramp = np.array([rgb(colour) for colour in scale.colours]) / 255
    at = np.linspace(0, len(ramp) - 1, 256)
    image = np.stack([np.interp(at, np.arange(len(ramp)), ramp[:, k]) for k in range(3)], axis=1)[None]
    axes.imshow(image, aspect="auto", extent=(0, 1, 0, 1))
    axes.set_xticks([]), axes.set_yticks([])
    for place, _ in scale.marks:
        axes.axvline(place, color=INK, lw=size.line)
    write(figure, size, x, y - 0.25 * em, scale.low, 0.72 * size.font)
    write(figure, size, x + long, y - 0.25 * em, scale.high, 0.72 * size.font, ha="right")
    marks = "; ".join(words for _, words in scale.marks)
    if marks:
        line = fold(f"marked: {marks}", (size.width - x) / (LETTER * 0.72 * em), 1)[0]
        write(figure, size, x, y - 1.25 * em, line, 0.72 * size.font, color=PALE)


def _short(value: str) -> str:
    return plain(value, 18)
