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
SYMBOLS = (
    "circle",
    "diamond",
    "square",
    "triangle-up",
    "cross",
    "x",
)  # class 20 has the colour of class 0 and another symbol
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
    if kind == "component":
        if components is None:
            raise ValueError("a map by component needs components")
        component, responsible = components
        count = int(component.max(initial=0)) + 1
        return Colouring(component, component_names(count), class_looks(count), responsible)
    if kind == "cluster":
        if clusters is None:
            raise ValueError("a map by cluster needs clusters")
        count = int(clusters.max(initial=0)) + 1
        return Colouring(clusters, [f"cluster {number}" for number in range(1, count + 1)], class_looks(count))
    if kind == "prediction":
        if predictions is None:
            raise ValueError("a map by prediction needs predictions")
        return Colouring(predictions, list(names), class_looks(len(names)))
    if kind == "class":
        return Colouring(labels, list(names), class_looks(len(names)))
    strong = seen if kind == "seen" else None if predictions is None else labels != predictions
    if strong is None:
        raise ValueError(f"a map by {kind} needs {'seen' if kind == 'seen' else 'predictions'}")
    grey = {"seen": "label not seen", "error": "right"}[kind]
    looks = [*class_looks(len(names)), (FAINT, "circle")]
    return Colouring(np.where(strong, labels, len(names)), [*names, grey], looks)


def component_names(count: int) -> list[str]:
    """Names of a prior's components, counted from 1."""
    return [f"component {number}" for number in range(1, count + 1)]


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
