"""Colours and symbols of classes."""

from typing import Literal

# The first ten were searched for (sRGB in steps of 17, farthest points with swaps): the smallest distance of two in
# OKLab is 0.108 over normal, protan, deutan and tritan vision (Machado et al. 2009), against 0.061 for Petroff's ten
# (arXiv 2107.02270) and 0.007 for Plotly's own. The next ten are the farthest from those before them, 0.062. Contrast
# at least 1.5 to white, 2.4 to near black.
CLASS_COLOURS = (
    *("#3377cc", "#ffcc00", "#aa2200", "#22ddff", "#883388", "#ff8888", "#aa9900", "#9999ff", "#ee3388", "#5511ee"),
    *("#00bb66", "#bb6622", "#bb44ff", "#99dd88", "#cc0055", "#00ccbb", "#cc77bb", "#006622", "#bbbb00", "#7722bb"),
)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")  # one for each twenty classes
FAINT = "#b4bac4"  # points that are not the matter
UNLABELLED = "#747b86"  # points of no class

Kind = Literal["class", "prediction", "seen", "error", "component", "cluster"]


def class_colour(number: int) -> str:
    """The colour of a class, as #rrggbb; the twenty-first starts anew."""
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def class_looks(count: int) -> list[tuple[str, str]]:
    """(colour, marker symbol) of the first classes: the next symbol for each twenty."""
    symbols = [SYMBOLS[number // len(CLASS_COLOURS) % len(SYMBOLS)] for number in range(count)]
    return [(class_colour(number), symbol) for number, symbol in enumerate(symbols)]


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
