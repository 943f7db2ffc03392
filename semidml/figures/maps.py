"""Maps as figures: one run, or two to four side by side, drawn as the page draws them.

What is drawn is a `scatter.pack.Drawing`, the same that the live map is sent: colours, components, regions, pictures
and chosen points are those that the page shows.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from semidml.figures.canvas import PALE, SIZES, Size, alone, new_figure
from semidml.figures.lettering import LETTER, axes_at, fold, write, write_heading, write_lines, write_pair
from semidml.figures.marks import draw_legend, draw_map, legend_lines
from semidml.figures.shown import LETTERS, MOST_RUNS, Shown, with_common_view
from semidml.registry import choose

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@alone()
def map_figure(shown: Shown, size: str = "slide") -> "Figure":
    """The map of a run, with legend, setting and scores. size: of SIZES."""
    chosen = choose(SIZES, size, "a size")
    return _wide_map(shown, chosen) if chosen.is_wide else _column_maps([shown], chosen)


@alone()
def comparison_figure(several: Sequence[Shown], size: str = "slide") -> "Figure":
    """Two to four runs side by side with one legend and, where they have the same kind of plane, common axes.
    Raises: ValueError for fewer or more runs."""
    if not 2 <= len(several) <= MOST_RUNS:
        raise ValueError(f"a comparison is of two to {MOST_RUNS} runs; got {len(several)}")
    chosen = choose(SIZES, size, "a size")
    several = with_common_view(several)
    return _wide_maps(several, chosen) if chosen.is_wide else _column_maps(several, chosen)


def _wide_map(shown: Shown, size: Size) -> "Figure":
    figure, em = new_figure(size), size.font / 72
    top = write_heading(figure, size, shown.title, shown.settings, shown.words)
    bottom, left = 3.2 * em, 5.2 * em
    side = size.height - top - bottom
    wide = min(1.6 * side, size.width - left - 19 * em)
    axes = axes_at(figure, left, bottom, wide, side)
    draw_map(axes, shown, size)
    x, y = left + wide + 1.6 * em, size.height - top
    y = _write_scores(figure, size, shown, x, y)
    note = fold(shown.note, (size.width - x - em) / (LETTER * 0.62 * em), 4)
    least = bottom + (0.4 + 0.85 * len(note)) * em
    draw_legend(figure, shown.drawn, size, x, y - 0.6 * em, size.width - x - em, y - least)
    for number, line in enumerate(reversed(note)):
        write(figure, size, x, bottom + 0.85 * (number + 1) * em, line, 0.62 * size.font, color=PALE)
    return figure


def _wide_maps(several: Sequence[Shown], size: Size) -> "Figure":
    figure, em, n = new_figure(size), size.font / 72, len(several)
    names = [tuple(shown.drawn.names) for shown in several]
    top = write_heading(figure, size, " · ".join(dict.fromkeys(shown.title.split(",")[0] for shown in several)), "", "")
    legend = 2.6 * em if len(set(names)) == 1 else 0.6 * em
    left, gap = 4.2 * em, (3.4 if n < 4 else 2.9) * em
    side = (size.width - left - em - (n - 1) * gap) / n
    room = size.height - top - legend
    tall = min(side, room - 12.5 * em)
    for position, shown in enumerate(several):
        x = left + position * (side + gap)
        axes = axes_at(figure, x, size.height - top - 1.9 * em - tall, side, tall)
        draw_map(axes, shown, size, is_first=position == 0)
        write(figure, size, x, size.height - top - 0.2 * em, LETTERS[position], size.font * 1.15, weight="bold")
        y = size.height - top - 1.9 * em - tall - 3.2 * em
        letters = side / (LETTER * 0.8 * em)
        y = write_lines(figure, size, x, y, shown.title, letters, 0.8, weight="bold", most=2)
        y = write_lines(figure, size, x, y, shown.settings, letters * 1.1, 0.72, color=PALE, most=2)
        for title, value in shown.scores[: max(1, int((y - legend) / (1.25 * em)))]:
            y = write_pair(figure, size, x, y, side, title, value, 0.72)
    if len(set(names)) == 1:
        draw_legend(
            figure, several[0].drawn, size, left, legend - 0.5 * em, size.width - left - em, legend, is_row=True
        )
    return figure


def _column_maps(several: Sequence[Shown], size: Size) -> "Figure":
    """Under each other in a column: a heading, one map or rows of two, under them the legend."""
    em, n = size.font / 72, len(several)
    letters = (size.width - em) / (LETTER * em)
    across = 1 if n == 1 else 2
    left, right, gap = 3.6 * em, 0.6 * em, 3.2 * em
    side = (size.width - left - right - (across - 1) * gap) / across
    tall = 0.9 * side if n == 1 else side
    small = [fold(f"{LETTERS[k]} · {shown.title}", side / (LETTER * 0.86 * em), 4) for k, shown in enumerate(several)]
    heading = fold(several[0].title, letters * 0.92, 3) if n == 1 else []
    below = fold(_facts(several[0]), letters / 0.86, 9) if n == 1 else []
    over = 0.0 if n == 1 else max(map(len, small)) * 1.15 * em + 0.3 * em
    score = 0.0 if n == 1 else 3 * 1.15 * em
    row = over + tall + 2.9 * em + score + (0.0 if n == 1 else 0.8 * em)
    rows = -(-n // across)
    same = len({tuple(shown.drawn.names) for shown in several}) == 1
    lines = legend_lines(several[0].drawn, letters) if same else 0
    height = 0.6 * em + len(heading) * 1.45 * em + rows * row + lines * 1.45 * em + len(below) * 1.15 * em + 0.8 * em
    figure = new_figure(size, height)
    y = height - 0.6 * em
    for line in heading:
        write(figure, size, 0.5 * em, y, line, size.font * 1.08, weight="bold")
        y -= 1.45 * em
    for position, shown in enumerate(several):
        x = left + position % across * (side + gap)
        top = y - position // across * row
        for number, line in enumerate(small[position] if n > 1 else ()):
            write(
                figure,
                size,
                x,
                top - number * 1.15 * em,
                line,
                size.font * 0.86,
                weight="bold",
            )
        draw_map(axes_at(figure, x, top - over - tall, side, tall), shown, size, is_first=position % across == 0)
        at = top - over - tall - 2.9 * em
        for title, value in shown.scores[:3] if n > 1 else ():
            at = write_pair(figure, size, x, at, side, title, value, 0.8)
    y -= rows * row
    if same:
        draw_legend(figure, several[0].drawn, size, 0.5 * em, y, size.width - em, lines * 1.45 * em, is_row=True)
        y -= lines * 1.45 * em
    for line in below:
        write(figure, size, 0.5 * em, y, line, size.font * 0.86, color=PALE)
        y -= 1.15 * em
    return figure


def _facts(shown: Shown) -> str:
    scores = "; ".join(f"{title} {value}" for title, value in shown.scores)
    parts = [_sentence(shown.settings), _sentence(shown.words), f"{scores} ({shown.scores_of})" if scores else ""]
    return " ".join([*(f"{part}." for part in parts if part), shown.note])


def _write_scores(figure: "Figure", size: Size, shown: Shown, x: float, y: float) -> float:
    """Scores, one under the other; where what follows may begin."""
    em, width = size.font / 72, size.width - x - size.font / 72
    if not shown.scores:
        return y
    for title, value in shown.scores[:7]:
        y = write_pair(figure, size, x, y, width, title, value, 0.74)
    write(figure, size, x, y - 0.2 * em, f"of {shown.scores_of}", 0.66 * size.font, color=PALE)
    return y - 1.6 * em


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
