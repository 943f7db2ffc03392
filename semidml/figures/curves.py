"""The curves of a training, or of two to four, as figures: the loss taken apart, and the scores by epoch."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from semidml.explore import titles
from semidml.figures.canvas import INK, PALE, SIZES, Size, alone, new_figure, plain
from semidml.figures.lettering import LETTER, axes_at, fold, write, write_heading
from semidml.figures.shown import LETTERS, MOST_RUNS, differing_words
from semidml.frames import Record
from semidml.plots.curves import epoch_by_epoch, loss_share
from semidml.plots.style import LINE_COLOURS
from semidml.registry import choose
from semidml.scores.table import SCORES, shown_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from semidml.runs.run import Run

Line = tuple[str, list[float], list[float]]  # name, epochs, values


@alone()
def curves_figure(run: "Run", size: str = "slide") -> "Figure":
    """A run's loss terms, each times its weight, stacked, and its live scores. size: of SIZES.
    Raises: ValueError in words before its first epoch."""
    records, chosen = run.history(), choose(SIZES, size, "a size")
    if not epoch_by_epoch(records):
        raise ValueError(f"{run.id} has no curves yet: its first epoch is not over")
    config = run.config()
    title, words = titles.setting_words(config), ", ".join(titles.unusual_words(config))
    figure, (left, right) = _axes_beside(chosen, title, words, (0.0, 9.5))
    draw_losses(left, records, chosen)
    named = [(SCORES[name].title, name) for name in shown_at("curves")]
    lines = [line for title, name in named if (line := score_line(records, name, title))[1]]
    right.set_ylim(0, 1.02)
    draw_lines(right, lines, chosen, "score", "nobody watched this training: only its end was scored")
    return figure


@alone()
def compared_curves_figure(runs: Sequence["Run"], size: str = "slide") -> "Figure":
    """Scores of two to four runs by epoch, a line a run.
    Raises: ValueError for fewer or more, and where none was scored."""
    if not 2 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"a comparison is of two to {MOST_RUNS} runs; got {len(runs)}")
    chosen, histories = choose(SIZES, size, "a size"), [run.history() for run in runs]
    names = [name for name in shown_at("compared") if any(score_line(h, name, "")[1] for h in histories)][:2]
    if not names:
        raise ValueError("these runs have no curves: no epoch of them was scored")
    told = zip(LETTERS, runs, differing_words([run.config() for run in runs]), strict=False)
    about = "; ".join(
        f"{letter}: {titles.setting_words(run.config())}{', ' * bool(words)}{words}" for letter, run, words in told
    )
    figure, axes = _axes_beside(chosen, "Scores by epoch", about, [1.5] * len(names))
    for own, name in zip(axes, names, strict=True):
        lines = [score_line(h, name, letter) for letter, h in zip(LETTERS, histories, strict=False)]
        draw_lines(own, [line for line in lines if line[1]], chosen, SCORES[name].title)
    return figure


def score_line(records: Iterable[Record], score: str, name: str) -> Line:
    """A live score by epoch."""
    known = [record for record in records if record.scores.get(score) is not None]
    epochs = [record.epoch + record.step / record.steps if record.steps else float(record.epoch) for record in known]
    return name, epochs, [float(record.scores[score] or 0) for record in known]


def draw_losses(axes: "Axes", records: Sequence[Record], size: Size) -> None:
    """Each loss term times its weight, a bar an epoch; what is negative hangs below zero."""
    drawn = epoch_by_epoch(records)
    x = [record.epoch if record.step == 0 else record.epoch + 1 for record in drawn]
    over, under = [0.0] * len(x), [0.0] * len(x)
    handles = {}
    for number, name in enumerate(sorted({name for record in drawn for name in record.terms})):
        shares = [loss_share(record, name) or 0.0 for record in drawn]
        base = [under[k] if share < 0 else over[k] for k, share in enumerate(shares)]
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        handles[plain(name)] = axes.bar(x, shares, 0.86 if len(x) < 60 else 1.0, base, color=colour, linewidth=0)
        for k, share in enumerate(shares):
            (under if share < 0 else over)[k] += share
    _dress(axes, size, "epoch", "weight × term")
    legend = axes.legend(
        list(handles.values()), ["-"] * len(handles), fontsize=0.76 * size.font, frameon=False, labelcolor=INK
    )
    for text, name in zip(legend.get_texts(), handles, strict=True):
        text.set_text(name)


def draw_lines(axes: "Axes", lines: Sequence[Line], size: Size, title: str, empty: str = "") -> None:
    """Lines with their names at their ends, which are moved apart where they meet."""
    _dress(axes, size, "epoch", title)
    if not lines:
        axes.text(
            0.5, 0.5, empty, transform=axes.transAxes, ha="center", fontsize=0.8 * size.font, color=PALE, wrap=True
        )
        return
    for number, (_, x, y) in enumerate(lines):
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        axes.plot(x, y, "-o", color=colour, lw=size.line, ms=1.7 * size.line if len(x) < 40 else 0)
    last = max(x[-1] for _, x, _ in lines)
    axes.set_xlim(0, last * 1.005 or 1)
    low, high = axes.get_ylim()
    room = 1.15 * 0.8 * size.font / (axes.get_window_extent().height / axes.figure.dpi * 72) * (high - low)
    places = _moved_apart([y[-1] for _, _, y in lines], room)
    for number, ((name, _, _), at) in enumerate(zip(lines, places, strict=True)):
        colour = LINE_COLOURS[number % len(LINE_COLOURS)]
        axes.annotate(
            name, (1, at), (3 * size.line, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
            va="center", fontsize=0.8 * size.font, color=colour, annotation_clip=False,
        )  # fmt: skip


def _moved_apart(places: Sequence[float], room: float) -> list[float]:
    """The same places, in the same order, at least `room` apart."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for _ in range(20):
        for low, high in pairwise(order):
            lack = room - (moved[high] - moved[low])
            if lack > 0:
                moved[low], moved[high] = moved[low] - lack / 2, moved[high] + lack / 2
    return moved


def _dress(axes: "Axes", size: Size, across: str, up: str) -> None:
    axes.grid(color="#e8ebef", linewidth=0.5 * size.line, axis="y")
    axes.set_axisbelow(True)
    for name, side in axes.spines.items():
        side.set(color="#b4bac4", linewidth=0.6 * size.line, visible=name in ("left", "bottom"))
    axes.tick_params(labelsize=0.74 * size.font, colors=PALE, width=0.5 * size.line, length=2 * size.line)
    axes.set_xlabel(across, fontsize=0.8 * size.font, color=INK)
    axes.set_ylabel(up, fontsize=0.8 * size.font, color=INK)


def _axes_beside(size: Size, title: str, words: str, rooms: Sequence[float]) -> tuple["Figure", list["Axes"]]:
    """Axes side by side on a slide, one under the other in a column, with rooms at their right for names, in letters'
    heights."""
    em, count = size.font / 72, len(rooms)
    if size.is_wide:
        figure = new_figure(size)
        top = write_heading(figure, size, title, words, "")
        left, gap = 4.6 * em, 5.4 * em
        width = (size.width - left - sum(rooms) * em - (len(rooms) - 1) * gap) / len(rooms)
        tall = size.height - top - 4 * em
        starts = [left + k * (width + gap) + sum(rooms[:k]) * em for k in range(len(rooms))]
        return figure, [axes_at(figure, start, 3.4 * em, width, tall) for start in starts]
    lines = fold(title, size.width / (LETTER * em), 3)
    about = fold(words, size.width / (LETTER * 0.86 * em), 6)
    tall = 0.46 * size.width
    height = (1.0 + 1.4 * len(lines) + 1.15 * len(about)) * em + count * (tall + 4 * em)
    figure, y = new_figure(size, height), height - 0.6 * em
    for line in lines:
        write(figure, size, 0.5 * em, y, line, 1.08 * size.font, weight="bold")
        y -= 1.4 * em
    for line in about:
        write(figure, size, 0.5 * em, y, line, 0.86 * size.font, color=PALE)
        y -= 1.15 * em
    width = size.width - (5 + max(rooms)) * em
    return figure, [
        axes_at(figure, 4.4 * em, y - 0.4 * em - (k + 1) * tall - k * 4 * em, width, tall) for k in range(count)
    ]
