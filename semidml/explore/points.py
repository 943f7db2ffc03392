"""A stored frame of a run as points."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from semidml import frames
from semidml.frames import COMPONENTS, Points
from semidml.scores import components

if TYPE_CHECKING:
    from semidml.runs.run import Run


MOST_PICTURED = 64  # components that have a picture on a map


def read_points(run: "Run", epoch: int) -> Points:
    """The stored frame of an epoch. Raises ValueError in words when it is not there or cannot be read."""
    try:
        frame, rows = run.frame(epoch), run.rows()
        prior = tuple(frame[key] for key in COMPONENTS) if COMPONENTS[0] in frame else None
        its_rows, shown = {key: rows[key] for key in frames.ROW_KEYS}, _pictures(frame)
        learned = shown is not None and "pseudo_inputs" in frame
        by_direction, latents = run.config().by_direction, frame["latents"]
        found = Points(epoch, latents, frame["predictions"], its_rows, prior, shown, learned, by_direction)
        lengths = {len(found.latents), len(found.predictions), *(len(values) for values in found.rows.values())}
    except FileNotFoundError:
        raise ValueError(f"epoch {epoch} is not among the frames that {run.id} has kept") from None
    except (KeyError, TypeError, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the frame of epoch {epoch} is damaged and cannot be drawn: {error}") from None
    if found.latents.ndim != 2 or len(lengths) != 1 or not len(found.latents):
        raise ValueError(f"the frame of epoch {epoch} is damaged and cannot be drawn: its arrays differ in length")
    if not np.isfinite(found.latents).all():
        raise ValueError(f"the frame of epoch {epoch} cannot be drawn: some latents are not finite numbers")
    return found


def _pictures(frame: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """A frame's pictures of its components, no more than there are components; None where there are none to draw."""
    pictures = frame.get("pseudo_inputs", frame.get("component_images"))
    means = frame.get(COMPONENTS[0])
    if pictures is None or means is None or pictures.ndim != 4 or pictures.dtype != np.uint8 or not pictures.size:
        return None
    return pictures[: min(len(means), MOST_PICTURED)]


def telling_point(points: Points) -> int:
    """The position of a point to begin with: a test row whose prediction is wrong, else the first test row."""
    test = np.flatnonzero(points.rows["split"] == frames.TEST)
    wrong = test[points.wrong[test]]
    return int([*wrong[:1], *test[:1], 0][0])


def point_words(points: Points, names: Sequence[str]) -> list[str]:
    """Each point in a few words: `test 123 · 7`, or `test 123 · 7, taken for 2`."""
    rows = points.rows
    every = zip(rows["split"], rows["row"], rows["labels"], points.predictions, strict=True)
    return [
        f"{frames.SPLITS[split]} {row:,} · {names[label]}" + (f", taken for {names[taken]}" if taken != label else "")
        for split, row, label, taken in every
    ]


def most_responsible(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """(component (n,) that is most responsible for each point, how responsible it is (n,), at least 1 / K). Raises
    ValueError for points without a prior."""
    if points.components is None:
        raise ValueError("this run has no prior: no component is responsible for its points")
    shares = components.responsibilities(points.latents, *points.components)
    return shares.argmax(1), shares.max(1)


def stamp(run: "Run", *names: str) -> tuple[int, ...]:
    """Times and sizes of files of a run: changes when one of them does. A key for caches: names may be used again."""
    found: list[int] = []
    for name in names:
        try:
            about = (run.path / name).stat()
        except OSError:
            found.append(0)
        else:
            found += [about.st_mtime_ns, about.st_size]
    return tuple(found)


def weights_stamp(run: "Run") -> tuple[int, ...]:
    """A stamp of a run's newest weights."""
    return stamp(run, "weights.safetensors", "state.safetensors")


def class_names(run: "Run", points: Points | None = None) -> list[str]:
    """The names of a run's classes: its own, else numbers for as many as occur among the points."""
    known = (run.details().get("data") or {}).get("class_names")
    occur = 0 if points is None else 1 + int(max(points.rows["labels"].max(), points.predictions.max()))
    names = [str(name) for name in known] if known else []
    return names + [str(c) for c in range(len(names), occur)]


def in_charts(names: Sequence[str], most: int = 24) -> list[str]:
    """Names as Plotly may draw them: it reads a part of HTML, so `<` and `&` are escaped; long ones are cut."""
    cut = [name if len(name) <= most else f"{name[: most - 1]}…" for name in names]
    return [name.replace("&", "&amp;").replace("<", "&lt;") for name in cut]
