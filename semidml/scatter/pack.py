"""What the map is sent: numbers packed for the browser."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

VERSION = 5
SEEN, TEST, AWAY = 1, 2, 4  # flags of a point
FINE = 65_535
NONE = 65_535  # in the place of a label, a prediction or a cluster that there is not
MOST_RINGS = 24  # components that are each drawn as rings: those of more would be one black band
MOST_FILM = 12_000_000  # bytes of a film; of more epochs an even part is sent
MOST_IMAGES = 12_000_000  # bytes of the images shown at the mouse


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a map shows: n points of the plane in K categories, and what lies under and over them.

    Points that are not finite are not drawn; the header's `left_out` counts them. Maps with the same `link` share zoom
    and choices; with another run the zoom is dropped.

    Raises ValueError where origins or pictures are of more components than there are ellipses."""

    points: np.ndarray  # (n, 2)
    categories: np.ndarray  # int (n,)
    seen: np.ndarray  # bool (n,), whether the label is seen
    test: np.ndarray  # bool (n,), whether the image is a test image
    names: Sequence[str]  # (K,), drawn as text, never as HTML
    looks: Sequence[tuple[str, str]]  # (K,): colour, shape
    x_range: tuple[float, float]  # what the map shows at first, with equal scales
    y_range: tuple[float, float]
    words: str  # the map in a sentence, for those who don't see it
    run: str = ""
    epoch: int = 0
    dark: bool | None = None  # sent only so that another theme means a new drawing
    strength: np.ndarray | None = None  # (n,) 0 to 1: how much of its category's colour a point has, grey otherwise
    away: np.ndarray | None = None  # bool (n,), points that are not drawn

    # for the words and the image at the mouse, and to filter and search by
    images: bool = True  # whether each point is one, of which the map tells its split
    images_of: str = ""  # whose images (`pack_images`) are shown
    labels: np.ndarray | None = None  # (n,), with `label_names`, where categories are not the classes; -1 for none
    label_names: Sequence[str] | None = None
    predictions: np.ndarray | None = None  # (n,), -1 for none
    errors: np.ndarray | None = None  # (n,), of reconstruction
    rows: np.ndarray | None = None  # (n,), the number of each image in its split; without them nothing is filtered
    clusters: np.ndarray | None = None  # (n,), -1 for none

    # the prior's components, under and over the points
    ellipses: Sequence[Sequence[float]] = ()  # drawn at one and two times their half axes: middle x, y, half axes a, b,
    #                                           angle of a in radians, weight 0 to 1; of more than MOST_RINGS the
    #                                           middles, and rings only of one that is pointed at
    movable: bool = False  # by mouse, touch or keys
    moves: int = 0  # the number of the last move that the ellipses show
    origins: Sequence[Sequence[float]] = ()  # of each the place from which a dashed line leads to it, if it is another
    pictures: np.ndarray | None = None  # uint8 (k, C, H, W), drawn small at the origins, else the first k middles
    modes: Sequence[Sequence[float]] = ()  # crosses, x and y of each
    density: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None  # as `priors.density.Regions`
    masses: Sequence[float] = ()  # the regions that hold each of them lie faintly under the points

    # what the visitor does there
    marked: Sequence[int] = ()  # points that are chosen: one is ringed, of more the others are paled
    places: Sequence[Sequence[float]] = ()  # x and y of places that are chosen
    tools: Sequence[str] = ()  # what the page listens to, of TOOLS
    shade: bool = False  # whether places without data are hatched
    lattice: bool = False  # whether decoded places (`pack_lattice`) lie under the points
    link: str = ""
    address: str = ""  # the part of the page's address that tells what the map shows, "" for none
    start: Sequence[float] = ()  # what a link asks it to show at first: x, y of the middle, what its shorter side spans

    def __post_init__(self) -> None:
        most = len(self.ellipses)
        if len(self.origins) > most or (self.pictures is not None and len(self.pictures) > most):
            raise ValueError(f"origins and pictures must be of at most {most} components")


AS_THEY_ARE = ("words", "images", "images_of", "movable", "moves", "shade", "lattice", "link", "address")
AS_THEY_ARE += ("run", "epoch", "dark")


def pack(drawing: Drawing) -> bytes:
    """A drawing as the bytes that `map.js` draws."""
    finite = np.isfinite(drawing.points).all(axis=1)
    away = ~finite if drawing.away is None else ~finite | drawing.away
    flagged = ((SEEN, drawing.seen), (TEST, drawing.test), (AWAY, away))
    flags = sum(flag * marked.astype(np.uint8) for flag, marked in flagged)
    place, bounds = _fine(np.where(finite[:, None], drawing.points, np.nan))
    unit = 1.0 if drawing.errors is None else float(np.nanmax(drawing.errors, initial=1e-12))
    optional = [("label", drawing.labels), ("prediction", drawing.predictions), ("cluster", drawing.clusters)]
    columns = [("x", "u2", place[:, 0]), ("y", "u2", place[:, 1]), ("category", "u2", drawing.categories)]
    columns += [
        (name, "u2", np.where(values < 0, NONE, np.asarray(values, np.int64)))
        for name, values in optional
        if values is not None
    ]
    columns += [] if drawing.rows is None else [("row", "u4", drawing.rows)]
    columns += [("flags", "u1", flags)]
    if drawing.strength is not None:
        columns += [("strength", "u1", np.round(255 * np.clip(drawing.strength, 0, 1)))]
    if drawing.errors is not None:
        columns += [("error", "u2", np.round(FINE * np.nan_to_num(drawing.errors) / unit))]
    density, pictures = drawing.density, drawing.pictures
    header = {name: getattr(drawing, name) for name in AS_THEY_ARE} | {
        "n": len(drawing.points),
        "left_out": int((~finite).sum()),
        "bounds": bounds,
        "columns": [[name, kind] for name, kind, _ in columns],
        "view": [drawing.x_range[0], drawing.y_range[0], drawing.x_range[1], drawing.y_range[1]],
        "names": list(drawing.names),
        "looks": [list(look) for look in drawing.looks],
        "names_of_labels": list(drawing.label_names or drawing.names),
        "error_unit": unit,
        "rings": len(drawing.ellipses) <= MOST_RINGS,
        "pictures": None,
        "density": None,
        "marked": [int(i) for i in drawing.marked],
        "tools": list(drawing.tools),
        "start": [float(value) for value in drawing.start],
    }
    for name in ("ellipses", "origins", "modes", "places"):
        header[name] = [[float(value) for value in row] for row in getattr(drawing, name)]
    parts = [np.asarray(values).astype(f"<{kind}").tobytes() for _, kind, values in columns]
    if density is not None:
        x, y, share = density
        box = [float(edge) for edge in (x[0], y[0], x[-1], y[-1])]
        header["density"] = {"box": box, "columns": len(x), "rows": len(y), "masses": list(drawing.masses)}
        parts += [np.round(255 * share).astype(np.uint8).tobytes()]
    if pictures is not None:
        header["pictures"] = dict(zip(("count", "channels", "height", "width"), pictures.shape, strict=True))
        parts += [pictures.transpose(0, 2, 3, 1).tobytes()]
    return headed(header, *parts)


def pack_images(run: str, images: np.ndarray) -> bytes:
    """Images uint8 (n, C, H, W), C 1 or 3, of a run's points in their order, for the mouse; at most MOST_IMAGES bytes:
    larger ones are thinned to every other pixel until they fit."""
    while images.size > MOST_IMAGES and min(images.shape[2:]) > 1:
        images = images[:, :, ::2, ::2]
    n, channels, height, width = images.shape
    header = {"kind": "images", "run": run, "n": n, "height": height, "width": width, "channels": channels}
    return headed(header, images.transpose(0, 2, 3, 1).tobytes())


def pack_film(run: str, epochs: Sequence[int], clouds: Sequence[np.ndarray], scores: Sequence[str]) -> bytes:
    """A run's points (n, 2) at each of its epochs, with a few words on each epoch. `thinned` says which epochs fit.
    Before training (epoch 0) the map shows `begin`, where the points are then, and glides out from there."""
    place, bounds = _fine(np.concatenate(clouds))
    n = len(clouds[0])
    header = {"kind": "film", "run": run, "n": n, "epochs": list(epochs), "scores": list(scores), "bounds": bounds}
    header["begin"] = [float(edge) for edge in np.concatenate(extent(clouds[0]))] if epochs[0] == 0 else None
    return headed(header, place.reshape(len(epochs), n, 2).transpose(0, 2, 1).astype("<u2").tobytes())


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
    return headed(header, picture.tobytes())


def headed(header: dict[str, Any], *parts: bytes) -> bytes:
    """A header as JSON, and behind it the bytes that it tells of."""
    text = json.dumps({"version": VERSION, **header}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return len(text).to_bytes(4, "little") + text + b"".join(parts)


def extent(points: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(lowest, highest x and y (2,)) of what shows points (n, 2) with a twentieth of room at each side: all but the
    outermost 0.2 % of them at either side, and these other places (m, 2) whole. Never without an inside."""
    low, high = np.percentile(points, [0.2, 99.8], axis=0)
    for places in others:
        low, high = np.minimum(low, places.min(0)), np.maximum(high, places.max(0))
    middle, half = (low + high) / 2, (high - low) / 2
    half = np.maximum(1.1 * half, 1e-4 * (1 + np.abs(middle)))
    return middle - half, middle + half


def _fine(points: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """(places (n, 2) in 65,535ths of the bounds, the bounds x0, y0, x1, y1); NaN lies at 0."""
    points = points.astype(np.float64)
    finite = points[np.isfinite(points).all(axis=1)]
    low, high = (finite.min(axis=0), finite.max(axis=0)) if len(finite) else (np.zeros(2), np.ones(2))
    extent = np.maximum(high - low, 1e-12)
    place = np.nan_to_num(np.round((points - low) / extent * FINE))
    return place, [*low.tolist(), *(low + extent).tolist()]
