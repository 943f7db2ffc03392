"""What the map is sent: numbers packed for the browser."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

VERSION = 4
SEEN, TEST, AWAY = 1, 2, 4  # flags of a point
FINE = 65_535
MOST_FILM = 12_000_000  # bytes of a film; of more epochs an even part is sent
MOST_IMAGES = 12_000_000  # bytes of the images shown at the mouse


def pack(
    points: np.ndarray,
    categories: np.ndarray,
    *,
    seen: np.ndarray,
    test: np.ndarray,
    names: Sequence[str],
    looks: Sequence[tuple[str, str]],
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    words: str,
    images: bool = True,
    labels: np.ndarray | None = None,
    label_names: Sequence[str] | None = None,
    predictions: np.ndarray | None = None,
    strength: np.ndarray | None = None,
    errors: np.ndarray | None = None,
    away: np.ndarray | None = None,
    ellipses: Sequence[Sequence[float]] = (),
    movable: bool = False,
    moves: int = 0,
    origins: Sequence[Sequence[float]] = (),
    pictures: np.ndarray | None = None,
    modes: Sequence[Sequence[float]] = (),
    density: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    masses: Sequence[float] = (),
    marked: Sequence[int] = (),
    places: Sequence[Sequence[float]] = (),
    tools: Sequence[str] = (),
    shade: bool = False,
    lattice: bool = False,
    link: str = "",
    images_of: str = "",
    run: str = "",
    epoch: int = 0,
    dark: bool | None = None,
) -> bytes:
    """Points (n, 2) of the plane with their categories (n,) as the bytes that `map.js` draws.

    seen, test: (n,) bool, whether the label is seen and whether the image is a test image. names, looks: of each
    category its name (drawn as text, never as HTML) and its (colour, shape). x_range, y_range: what the map shows at
    first, with equal scales. words: the map in a sentence, for those who don't see it.

    For the words at the mouse: images, whether each point is one, of which the map tells its split; labels (n,) with
    label_names, where categories are not the classes; predictions (n,); errors (n,), of reconstruction. images_of:
    whose images (`pack_images`) are shown. strength: (n,) 0 to 1, how much of its category's colour a point has, grey
    otherwise. away: (n,) bool, points that are not drawn.

    ellipses: drawn at one and two times their half axes: middle x, y, half axes a, b, angle of a in radians, weight 0
    to 1; if they are movable, by mouse, touch or keys, `moves` is the number of the last move that they show. origins:
    of each the place from which a dashed line leads to it, where that is another. pictures: uint8 (k, C, H, W), drawn
    small at the origins, if there are any, else the middles of the first k. modes: crosses, x and y of each. density:
    of a prior, as `priors.density.Regions`: x (columns,), y (rows,), shares (rows, columns); the regions that hold each
    of `masses` lie faintly under the points.

    marked: points that are chosen: one is ringed, of more the others are paled. places: x and y of places that are
    chosen. tools: what the page listens to, of TOOLS. shade: whether places without data are hatched. lattice: whether
    decoded places (`pack_lattice`) lie under the points. Maps with the same `link` share zoom and choices; with another
    run the zoom is dropped; dark is only sent so that another theme means a new drawing.

    Points that are not finite are not drawn; the header's `left_out` counts them."""
    if len(origins) > len(ellipses) or (pictures is not None and len(pictures) > len(ellipses)):
        raise ValueError(f"origins and pictures must be of at most {len(ellipses)} components")
    finite = np.isfinite(points).all(axis=1)
    flags = SEEN * seen.astype(np.uint8) + TEST * test.astype(np.uint8)
    flags += AWAY * (~finite if away is None else ~finite | away).astype(np.uint8)
    place, bounds = _fine(np.where(finite[:, None], points, np.nan))
    columns = [("x", "u2", place[:, 0]), ("y", "u2", place[:, 1]), ("category", "u2", categories)]
    columns += [(name, "u2", its) for name, its in (("label", labels), ("prediction", predictions)) if its is not None]
    columns += [("flags", "u1", flags)]
    unit = 1.0
    if strength is not None:
        columns += [("strength", "u1", np.round(255 * np.clip(strength, 0, 1)))]
    if errors is not None:
        unit = float(np.nanmax(errors, initial=1e-12))
        columns += [("error", "u1", np.round(255 * np.nan_to_num(errors) / unit))]
    header = {
        "n": len(points),
        "left_out": int((~finite).sum()),
        "bounds": bounds,
        "columns": [[name, kind] for name, kind, _ in columns],
        "view": [x_range[0], y_range[0], x_range[1], y_range[1]],
        "names": list(names),
        "looks": [list(look) for look in looks],
        "names_of_labels": list(label_names or names),
        "words": words,
        "images": images,
        "images_of": images_of,
        "error_unit": unit,
        "ellipses": _floats(ellipses),
        "movable": movable,
        "moves": moves,
        "origins": _floats(origins),
        "pictures": None if pictures is None else _sizes(pictures),
        "modes": _floats(modes),
        "density": None if density is None else _grid(density[0], density[1], masses),
        "marked": [int(i) for i in marked],
        "places": _floats(places),
        "tools": list(tools),
        "shade": shade,
        "lattice": lattice,
        "link": link,
        "run": run,
        "epoch": epoch,
        "dark": dark,
    }
    parts = [np.asarray(its).astype(f"<{kind}").tobytes() for _, kind, its in columns]
    if density is not None:
        parts += [np.round(255 * density[2]).astype(np.uint8).tobytes()]
    if pictures is not None:
        parts += [np.ascontiguousarray(pictures.transpose(0, 2, 3, 1)).tobytes()]
    return _headed(header, *parts)


def pack_images(run: str, images: np.ndarray) -> bytes:
    """Images uint8 (n, C, H, W), C 1 or 3, of a run's points in their order, for the mouse; at most MOST_IMAGES bytes:
    larger ones are thinned to every other pixel until they fit."""
    while images.size > MOST_IMAGES and min(images.shape[2:]) > 1:
        images = images[:, :, ::2, ::2]
    n, channels, height, width = images.shape
    header = {"kind": "images", "run": run, "n": n, "height": height, "width": width, "channels": channels}
    return _headed(header, np.ascontiguousarray(images.transpose(0, 2, 3, 1)).tobytes())


def pack_film(run: str, epochs: Sequence[int], clouds: Sequence[np.ndarray], scores: Sequence[str]) -> bytes:
    """A run's points (n, 2) at each of its epochs, with a few words on each epoch. `thinned` says which epochs fit."""
    place, bounds = _fine(np.concatenate(clouds))
    n = len(clouds[0])
    header = {"kind": "film", "run": run, "n": n, "epochs": list(epochs), "scores": list(scores), "bounds": bounds}
    return _headed(header, place.reshape(len(epochs), n, 2).transpose(0, 2, 1).astype("<u2").tobytes())


def thinned(epochs: Sequence[int], n: int) -> list[int]:
    """Of a run's epochs with n points an even part that fits into MOST_FILM, with the first and the last."""
    most = max(2, MOST_FILM // (4 * max(1, n)))
    if len(epochs) <= most:
        return list(epochs)
    return [epochs[i] for i in np.unique(np.linspace(0, len(epochs) - 1, most).round().astype(int))]


def pack_lattice(run: str, box: Sequence[float], picture: np.ndarray) -> bytes:
    """A picture uint8 (height, width, C), C 1 or 3, of what is decoded in the box x0, y0, x1, y1 of the map."""
    height, width, channels = picture.shape
    header = {"kind": "lattice", "run": run, "box": [float(edge) for edge in box]}
    header |= {"height": height, "width": width, "channels": channels}
    return _headed(header, np.ascontiguousarray(picture).tobytes())


def _headed(header: dict[str, Any], *parts: bytes) -> bytes:
    text = json.dumps({"version": VERSION, **header}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + b"".join(parts)


def _fine(points: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """(places (n, 2) in 65,535ths of the bounds, the bounds x0, y0, x1, y1); NaN lies at 0."""
    points = points.astype(np.float64)
    there = points[np.isfinite(points).all(axis=1)]
    low, high = (there.min(axis=0), there.max(axis=0)) if len(there) else (np.zeros(2), np.ones(2))
    extent = np.maximum(high - low, 1e-12)
    place = np.nan_to_num(np.round((points - low) / extent * FINE))
    return place, [*low.tolist(), *(low + extent).tolist()]


def _sizes(images: np.ndarray) -> dict[str, int]:
    return dict(zip(("count", "channels", "height", "width"), images.shape, strict=True))


def _floats(rows: Sequence[Sequence[float]]) -> list[list[float]]:
    return [[float(value) for value in row] for row in rows]


def _grid(x: np.ndarray, y: np.ndarray, masses: Sequence[float]) -> dict[str, object]:
    box = [float(edge) for edge in (x[0], y[0], x[-1], y[-1])]
    return {"box": box, "columns": len(x), "rows": len(y), "masses": list(masses)}
