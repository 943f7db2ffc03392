"""The live map: points that the browser draws from bytes, in a few milliseconds, while the next ones are computed.

    st.components.v2.component(NAME, html=HTML, css=css(), js=javascript())(data=pack(points, labels, ...), key="map")

`map.js` beside this file draws what `pack` packs. Both know this layout, little endian:

    uint32      bytes of the header, a multiple of four
    header      JSON, filled up with spaces; `version` says which layout this is
    uint16 (n)  x, in 65,535ths of the header's bounds; then uint16 (n) y, then uint16 (n) class, then uint8 (n) flags
    uint8       where the header's `density` is not null: its rows x columns, from the lowest row up, in 255ths

A map whose components can be moved sends the trigger value `moved`, {"move": its number, "middles": [[x, y], ...]},
each time that one was dropped; `middles_of` reads it.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 2
NAME = "semidml_map"
HTML = '<div class="map"></div>'
SEEN, TEST = 1, 2  # flags of a point
FINE = 65_535


def pack(
    points: np.ndarray,
    labels: np.ndarray,
    *,
    seen: np.ndarray,
    test: np.ndarray,
    names: Sequence[str],
    looks: Sequence[tuple[str, str]],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    words: str,
    images: bool = True,
    ellipses: Sequence[Sequence[float]] = (),
    movable: bool = False,
    moves: int = 0,
    modes: Sequence[Sequence[float]] = (),
    density: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    masses: Sequence[float] = (),
    run: str = "",
    epoch: int = 0,
    dark: bool | None = None,
) -> bytes:
    """Points (n, 2) of the plane with their classes (n,) as the bytes that `map.js` draws.

    seen, test: (n,) bool, whether the label is seen and whether the image is a test image. names, looks: of each class
    its name (drawn as text, never as HTML) and its (colour, shape). x_range, y_range: what the map shows at first,
    with equal scales. words: the map in a sentence, for those who don't see it. images: whether each point is one, of
    which the map tells its split. ellipses: drawn at one and two times their half axes: middle x, y, half axes a, b,
    angle of a in radians, weight 0 to 1; if they are movable, by mouse, touch or keys, `moves` is the number of the
    last move that they show. modes: crosses, x and y of each. density: of a prior, as `priors.density.Regions`: x
    (columns,), y (rows,), shares (rows, columns); the regions that hold each of `masses` lie faintly under the points.
    With another run or other classes the visitor's zoom is dropped; dark is only sent so that another theme means a new
    drawing. Points that are not finite are left out; the header's `left_out` counts them."""
    finite = np.isfinite(points).all(axis=1)
    points, labels = points[finite].astype(np.float64), labels[finite]
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (np.zeros(2), np.ones(2))
    extent = np.maximum(high - low, 1e-12)
    place = np.round((points - low) / extent * FINE).astype("<u2")
    flags = SEEN * seen[finite].astype(np.uint8) + TEST * test[finite].astype(np.uint8)
    header = {
        "version": VERSION,
        "n": len(points),
        "left_out": int((~finite).sum()),
        "bounds": [*low.tolist(), *(low + extent).tolist()],
        "view": [x_range[0], y_range[0], x_range[1], y_range[1]],
        "names": list(names),
        "looks": [list(look) for look in looks],
        "words": words,
        "images": images,
        "ellipses": [[float(value) for value in ellipse] for ellipse in ellipses],
        "movable": movable,
        "moves": moves,
        "modes": [[float(value) for value in mode] for mode in modes],
        "density": None if density is None else _grid(density[0], density[1], masses),
        "run": run,
        "epoch": epoch,
        "dark": dark,
    }
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    columns = (place[:, 0], place[:, 1], labels.astype("<u2"), flags)
    below = b"" if density is None else np.round(255 * density[2]).astype(np.uint8).tobytes()
    return len(text).to_bytes(4, "little") + text + b"".join(column.tobytes() for column in columns) + below


def _grid(x: np.ndarray, y: np.ndarray, masses: Sequence[float]) -> dict[str, object]:
    box = [float(edge) for edge in (x[0], y[0], x[-1], y[-1])]
    return {"box": box, "columns": len(x), "rows": len(y), "masses": list(masses)}


def middles_of(moved: Any, count: int) -> tuple[int, list[tuple[float, float]]]:
    """(number of the move, the middles of all `count` components after it) as a browser has sent them. Raises
    ValueError for anything else: who can open the page can send what they like."""
    try:
        move, middles = int(moved["move"]), [(float(x), float(y)) for x, y in moved["middles"]]
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError("the map has sent a move that cannot be read") from None
    if len(middles) != count:
        raise ValueError(f"the map has moved one of {len(middles)} components, and there are {count}")
    return move, middles


@cache
def javascript() -> str:
    """The component's program."""
    return (Path(__file__).parent / "map.js").read_text()


@cache
def css() -> str:
    """The component's look."""
    return (Path(__file__).parent / "map.css").read_text()
