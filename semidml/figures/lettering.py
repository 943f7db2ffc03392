"""Words and axes at places of a figure, in inches from its lower left corner."""

import textwrap
from typing import TYPE_CHECKING, Any

from semidml.figures.canvas import INK, PALE, Size, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TEXT = 1_500  # letters
LETTER = 0.54  # of a letter's height, its width on average


def axes_at(figure: "Figure", left: float, bottom: float, width: float, height: float) -> "Axes":
    """Axes at a place in inches."""
    wide, tall = figure.get_size_inches()
    return figure.add_axes((left / wide, bottom / tall, width / wide, height / tall))


def place_of(figure: "Figure", x: float, y: float) -> tuple[float, float]:
    wide, tall = figure.get_size_inches()
    return x / wide, y / tall


def write(figure: "Figure", size: Size, x: float, y: float, text: str, font: float, **look: Any) -> None:
    """Words with their upper left corner at x, y in inches."""
    look = {"color": INK, "ha": "left", "va": "top"} | look
    figure.text(*place_of(figure, x, y), text, fontsize=font, **look)


def write_lines(
    figure: "Figure", size: Size, x: float, y: float, text: str, letters: float, times: float, most: int, **look: Any
) -> float:
    """Words folded to a width in letters; where the next line may begin."""
    for line in fold(text, letters, most):
        write(figure, size, x, y, line, times * size.font, **look)
        y -= 1.3 * times * size.font / 72
    return y - 0.3 * times * size.font / 72 * bool(text)


def write_pair(
    figure: "Figure", size: Size, x: float, y: float, width: float, title: str, value: str, times: float
) -> float:
    """A score: its title at the left, its value at the right; where the next line may begin."""
    letters = width / (LETTER * times * size.font / 72) - len(value) - 1
    write(figure, size, x, y, plain(title, max(8, int(letters))), times * size.font, color=PALE)
    write(figure, size, x + width, y, value, times * size.font, ha="right", weight="bold")
    return y - 1.45 * times * size.font / 72


def write_heading(figure: "Figure", size: Size, title: str, settings: str, words: str) -> float:
    """Title, settings and what is drawn; how far down from the top they reach, in inches."""
    em, y = size.font / 72, size.height - 0.7 * size.font / 72
    letters = (size.width - 2 * em) / (LETTER * em)
    y = write_lines(figure, size, em, y, title, letters / 1.35, 1.35, weight="bold", most=2)
    y = write_lines(figure, size, em, y, settings, letters / 0.86, 0.86, color=INK, most=3)
    y = write_lines(figure, size, em, y, words, letters / 0.86, 0.86, color=PALE, most=1)
    return size.height - y + 0.3 * em


def fold(text: str, letters: float, most: int) -> list[str]:
    lines = textwrap.wrap(plain(text, MOST_TEXT), max(8, int(letters)))
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1][: max(1, int(letters) - 1)]}…"]
