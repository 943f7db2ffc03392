"""Colours and symbols of classes, and what else points are coloured by."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

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

Kind = Literal["class", "prediction", "seen", "error", "component", "cluster"]


def class_colour(number: int) -> str:
    """The colour of a class, as #rrggbb; the twenty-first starts anew."""
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def class_symbol(number: int) -> str:
    """The marker symbol of a class: the next one for each twenty classes."""
    return SYMBOLS[number // len(CLASS_COLOURS) % len(SYMBOLS)]


def class_looks(count: int) -> list[tuple[str, str]]:
    """(colour, symbol) of the first classes."""
    return [(class_colour(number), class_symbol(number)) for number in range(count)]


class Colouring(NamedTuple):
    """What the points of a map have their colours by: n points of K categories."""

    categories: np.ndarray  # int (n,)
    names: list[str]  # (K,)
    looks: list[tuple[str, str]]  # (K,): colour, symbol
    strength: np.ndarray | None = None  # (n,) 0 (grey) to 1


def colouring(
    kind: Kind,
    labels: np.ndarray,
    names: Sequence[str],
    *,
    seen: np.ndarray | None = None,
    predictions: np.ndarray | None = None,
    components: tuple[np.ndarray, np.ndarray] | None = None,
    clusters: np.ndarray | None = None,
) -> Colouring:
    """Points by their label ("class") or their prediction; by their label where that was seen ("seen") or where it was
    predicted wrongly ("error"), grey otherwise; or by the "component" of the prior that is most responsible, of
    `components`: each point's (n,) and how responsible it is (n,), the less, the greyer; or by its "cluster". Raises
    ValueError when what the kind needs is not given."""
    shown = {"component": components, "cluster": clusters, "seen": seen, "class": labels}.get(kind, predictions)
    if shown is None:
        needed = {"component": "components", "cluster": "clusters", "seen": "seen"}.get(kind, "predictions")
        raise ValueError(f"a map by {kind} needs {needed}")
    if kind in ("component", "cluster"):
        number, strength = shown if kind == "component" else (shown, None)
        count = int(number.max(initial=0)) + 1
        return Colouring(number, [f"{kind} {n}" for n in range(1, count + 1)], class_looks(count), strength)
    if kind in ("class", "prediction"):
        return Colouring(shown, list(names), class_looks(len(names)))
    strong, grey = (shown, "label not seen") if kind == "seen" else (labels != shown, "right")
    looks = [*class_looks(len(names)), (FAINT, "circle")]
    return Colouring(np.where(strong, labels, len(names)), [*names, grey], looks)


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
