"""What lies on a map's axes: points, regions, components, pictures; and the legend of their colours."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semidml.figures.canvas import INK, MOST_VECTOR, PALE, PAPER, Size, plain
from semidml.figures.lettering import LETTER, place_of
from semidml.figures.shown import Shown
from semidml.plots.colours import FAINT, rgb
from semidml.scatter.pack import MOST_RINGS, Drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = 20  # entries of a legend; more are counted
MARKERS = {"circle": "o", "diamond": "D", "square": "s", "triangle-up": "^", "cross": "P", "x": "X"}
MARK = "#d55e00"
CORNERS = 73  # of a ring


def draw_map(axes: "Axes", shown: Shown, size: Size, is_first: bool = True) -> None:
    """Points, regions, components, pictures and marks on axes. is_first: whether the axis up is named."""
    drawn, line = shown.drawn, size.line
    axes.set_facecolor(PAPER)
    for side in axes.spines.values():
        side.set(color=FAINT, linewidth=0.6 * line)
    axes.tick_params(labelsize=size.font * 0.74, colors=PALE, width=0.5 * line, length=2 * line, pad=1.6 * line)
    axes.grid(color="#e8ebef", linewidth=0.5 * line)
    axes.set_axisbelow(True)
    x, y = (drawn.x_range, drawn.y_range) if not shown.equal else equal_view(axes, drawn)
    axes.set(xlim=x, ylim=y)
    if not shown.equal:
        axes.set_yticks([])
    axes.set_xlabel(shown.across, fontsize=size.font * 0.8, color=INK, labelpad=1.2 * line)
    if is_first:
        axes.set_ylabel(shown.up, fontsize=size.font * 0.8, color=INK, labelpad=1.2 * line)
    draw_density(axes, drawn)
    draw_points(axes, drawn, size)
    draw_components(axes, drawn, line)
    draw_pictures(axes, drawn, size)
    for k in drawn.marked if len(drawn.marked) == 1 else ():
        axes.plot(*drawn.points[k], "o", mfc="none", mec=MARK, mew=1.2 * line, ms=8 * line)


def equal_view(axes: "Axes", drawn: Drawing) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of x and y that hold those of a drawing, with a unit as long across as up."""
    box = axes.get_window_extent()
    middles = [(low + high) / 2 for low, high in (drawn.x_range, drawn.y_range)]
    (x0, x1), (y0, y1) = drawn.x_range, drawn.y_range
    unit = max((x1 - x0) / box.width, (y1 - y0) / box.height) / 2
    reach = unit * box.width, unit * box.height
    x, y = ((middle - half, middle + half) for middle, half in zip(middles, reach, strict=True))
    return x, y


def draw_density(axes: "Axes", drawn: Drawing) -> None:
    """The regions that hold shares of the prior's mass, one faint shade on the other."""
    if drawn.density is None:
        return
    x, y, share = drawn.density
    for mass in drawn.masses:
        axes.contourf(x, y, share, levels=[-1.0, mass], colors=[INK], alpha=0.07, zorder=1)


def draw_points(axes: "Axes", drawn: Drawing, size: Size) -> list[Any]:
    """The points in their colours, mixed so that no class lies over another; where seen labels are few, these are
    ringed and lie on top. What was drawn."""
    rows = visible_rows(drawn)
    colours, diameter = point_colours(drawn), point_size(axes, len(rows), size)
    few = 0 < drawn.seen[rows].sum() <= len(rows) / 4
    order = np.random.default_rng(0).permutation(rows)
    layers = [order[~drawn.seen[order]], order[drawn.seen[order]]] if few else [order]
    symbols = np.array([drawn.looks[category][1] for category in drawn.categories])
    collections = []
    for number, layer in enumerate(layers):
        for symbol in dict.fromkeys(symbols[layer]):
            own = layer[symbols[layer] == symbol]
            ring = {"edgecolors": INK, "linewidths": 0.45 * size.line} if number else {"linewidths": 0}
            times = 1.5 if number else 1.0
            collections.append(
                axes.scatter(
                    *drawn.points[own].T, s=(times * diameter) ** 2, c=colours[own], marker=MARKERS.get(symbol, "o"),
                    alpha=min(0.9, max(0.55, diameter / 4)) if not number else 1.0, zorder=2 + number / 10,
                    rasterized=len(rows) > MOST_VECTOR, **ring,
                )
            )  # fmt: skip
    return collections


def visible_rows(drawn: Drawing) -> np.ndarray:
    """The points that are drawn."""
    shown = np.isfinite(drawn.points).all(axis=1)
    return np.flatnonzero(shown if drawn.away is None else shown & ~drawn.away)


def point_colours(drawn: Drawing) -> np.ndarray:
    """Each point's colour, float (n, 3) from 0 to 1, the greyer the less its strength."""
    colours = np.array([rgb(colour) for colour, _ in drawn.looks])[drawn.categories] / 255
    if drawn.strength is None:
        return colours
    strength = np.clip(drawn.strength, 0, 1)[:, None]
    return strength * colours + (1 - strength) * np.array(rgb(FAINT)) / 255


def point_size(axes: "Axes", n: int, size: Size) -> float:
    """A diameter in points that suits how many there are."""
    box = axes.get_position()
    width, height = axes.figure.get_size_inches()
    area = box.width * width * box.height * height * 72**2
    return float(np.clip(np.sqrt(0.16 * area / max(1, n)), *size.point))


def draw_components(axes: "Axes", drawn: Drawing, line: float) -> list[Any]:
    """The prior's components at one and two sigma, of more than MOST_RINGS a dot each, as the page's map has them; a
    faint line, or a small dot, is a small weight. What was drawn."""
    from matplotlib.collections import LineCollection

    if not len(drawn.ellipses):
        return []
    x, y, a, b, angle, weight = np.asarray(drawn.ellipses, float).T[..., None]  # (K, 1) each
    if len(drawn.ellipses) > MOST_RINGS:
        sides = (1.5 + 2.5 * weight[:, 0]) * line
        return [axes.scatter(x[:, 0], y[:, 0], s=sides**2, c=PAPER, edgecolors=INK, linewidths=0.6 * line, zorder=3)]
    around = np.linspace(0, 2 * np.pi, CORNERS)
    across, up = a * np.cos(around), b * np.sin(around)  # (K, CORNERS)
    turned = np.stack(
        [across * np.cos(angle) - up * np.sin(angle), across * np.sin(angle) + up * np.cos(angle)], axis=-1
    )
    middles, alphas = np.stack([x, y], axis=-1), 0.15 + 0.65 * weight[:, 0]
    drawn_lines = []
    for sigmas, width in ((1, 0.9), (2, 0.45)):
        lines = LineCollection(middles + sigmas * turned, linewidths=width * line, colors=INK, alpha=alphas, zorder=3)
        drawn_lines.append(axes.add_collection(lines, autolim=False))
    return drawn_lines


def draw_pictures(axes: "Axes", drawn: Drawing, size: Size) -> None:
    """Small pictures at the middles of components, the heavier first, each where it has room."""
    if drawn.pictures is None:
        return
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    each = list(zip(drawn.pictures, drawn.origins or drawn.ellipses, drawn.ellipses, strict=False))
    side, taken = 1.7 * size.font * axes.figure.dpi / 72, []  # in pixels
    for picture, (x, y, *_), _ in sorted(each, key=lambda known: -known[2][5]):
        at = axes.transData.transform((x, y))
        if any(np.abs(at - other).max() < side for other in taken):
            continue
        taken.append(at)
        image = picture.transpose(1, 2, 0)
        image = np.broadcast_to(image, (*image.shape[:2], 3))
        zoom = 1.6 * size.font / max(image.shape[:2])
        box = OffsetImage(image, zoom=zoom, interpolation="nearest")
        frame = {"edgecolor": INK, "linewidth": 0.4 * size.line, "boxstyle": "square,pad=0"}
        axes.add_artist(AnnotationBbox(box, (x, y), frameon=True, pad=0, bboxprops=frame, zorder=4))


def legend_entries(drawn: Drawing) -> list[tuple[str, str, str]]:
    """(name, colour, symbol) of the categories that are drawn, of many the first MOST_NAMED and how many more."""
    present = np.unique(drawn.categories[visible_rows(drawn)])
    entries = [(plain(drawn.names[k]), *drawn.looks[k]) for k in present[:MOST_NAMED]]
    more = len(present) - MOST_NAMED
    return entries + [(f"and {more:,} more", "none", "circle")] * (more > 0)


def legend_lines(drawn: Drawing, letters: float) -> int:
    """Lines that a legend in rows takes."""
    names = [name for name, _, _ in legend_entries(drawn)]
    columns = max(1, int(letters / (max(map(len, names), default=1) + 4)))
    return -(-len(names) // columns)


def draw_legend(
    figure: "Figure", drawn: Drawing, size: Size, x: float, y: float, width: float, height: float, is_row: bool = False
) -> None:
    """What the colours are, from x, y (its upper left corner, in inches) on; in rows, or one under the other."""
    from matplotlib.lines import Line2D

    entries, em = legend_entries(drawn), size.font / 72
    longest = max((len(name) for name, _, _ in entries), default=1)
    if is_row:
        columns = max(1, min(len(entries), int(width / (LETTER * em) / (longest + 4))))
    else:
        columns = 1 if len(entries) * 1.5 * em <= height else 2
    handles = [
        Line2D([], [], ls="", marker=MARKERS.get(symbol, "o"), mfc=colour, mec="none", ms=0.55 * size.font)
        for _, colour, symbol in entries
    ]
    legend = figure.legend(
        handles, ["-"] * len(entries), loc="upper left", bbox_to_anchor=place_of(figure, x, y), ncols=columns,
        fontsize=size.font * (0.86 if not is_row else 0.8), frameon=False, borderpad=0, borderaxespad=0,
        handletextpad=0.2, columnspacing=1.0, labelspacing=0.35, labelcolor=INK,
    )  # fmt: skip
    for text, (name, _, _) in zip(legend.get_texts(), entries, strict=True):
        text.set_text(name)  # a legend leaves out what begins with _
