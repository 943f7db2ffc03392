"""What a run has stored to draw: frames and planes; and what its points are called."""

import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from semidml import frames, planes
from semidml.frames import Frame
from semidml.scores import components
from semidml.tasks import NOT_KEPT, Progress
from semidml.words import NO_LABEL, class_name, trouble_words

if TYPE_CHECKING:
    from semidml.runs.run import Run


def read_frame(run: "Run", epoch: int) -> Frame:
    """The stored frame of an epoch.

    Raises ValueError in words when it is not there or cannot be read, and when the run's config cannot."""
    try:
        run.config()
    except ValueError as error:
        raise ValueError(f"the config.json of {run.id} is damaged: {error}") from None
    try:
        frame = run.frame(epoch)
        lengths = {len(frame.latents), len(frame.predictions), *(len(frame.rows[key]) for key in frames.ROW_KEYS)}
    except FileNotFoundError:
        raise ValueError(f"epoch {epoch} is not among the frames that {run.id} has kept") from None
    except (KeyError, TypeError, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the frame of epoch {epoch} is damaged and cannot be drawn: {error}") from None
    if frame.latents.ndim != 2 or len(lengths) != 1 or not len(frame.latents):
        raise ValueError(f"the frame of epoch {epoch} is damaged and cannot be drawn: its arrays differ in length")
    if not np.isfinite(frame.latents).all():
        raise ValueError(f"the frame of epoch {epoch} cannot be drawn: some latents are not finite numbers")
    return frame


def telling_point(frame: Frame) -> int:
    """The position of a point to begin with: a test row whose prediction is wrong, else the first test row."""
    test = np.flatnonzero(frame.rows["split"] == frames.TEST)
    wrong = test[frame.wrong[test]]
    return int([*wrong[:1], *test[:1], 0][0])


def point_words(frame: Frame, names: Sequence[str], positions: Sequence[int]) -> list[str]:
    """These points in a few words each: `test 123 · 7`, or `test 123 · 7, taken for 2`."""
    at = np.asarray(positions, dtype=np.int64)
    values = (*(frame.rows[key] for key in ("split", "row", "labels")), frame.predictions)
    every = zip(*(value[at] for value in values), strict=True)
    return [
        f"{frames.SPLITS[split]} {row:,} · {class_name(names, label)}"
        + (f", taken for {names[taken]}" if taken not in (label, -1) else "")
        for split, row, label, taken in every
    ]


def most_responsible(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """(component (n,) that is most responsible for each point, how responsible it is (n,), at least 1 / K). Raises
    ValueError for points without a prior."""
    if frame.components is None:
        raise ValueError("this run has no prior: no component is responsible for its points")
    shares = components.responsibilities(frame.latents, *frame.components)
    return shares.argmax(1), shares.max(1)


def read_plane(run: "Run", epoch: int, method: str) -> np.ndarray | None:
    """A projection that is cached with the run, (n, 2), or None. A damaged one counts as none."""
    try:
        arrays = run.projection(f"{method}-{epoch:04d}")
        placed = None if arrays is None else np.asarray(arrays["points"], dtype=np.float32)
    except (KeyError, ValueError, OSError, EOFError):
        return None
    is_plane = placed is not None and placed.ndim == 2 and placed.shape[1] == 2 and np.isfinite(placed).all()
    return placed if is_plane else None


def compute_plane(
    run: "Run",
    epoch: int,
    method: str,
    latents: np.ndarray,
    progress: Progress,
    keep: bool = True,
    flat: Callable[..., np.ndarray] = planes.project,
) -> np.ndarray:
    """Computes a projection, float32 (n, 2), by `flat`. It is cached with the run if it is to be kept, but for a
    shipped run; where that fails, `progress` is told so last, and the projection is as good.
    Raises: ValueError when there is nothing to project."""
    points = flat(latents, method, run.config().seed, progress=progress)
    if keep and not run.is_shipped:
        try:
            run.keep_projection(f"{method}-{epoch:04d}", points=points)
        except OSError as error:
            progress(1.0, f"{NOT_KEPT}: {trouble_words(error)}")
    return points


def stamp(run: "Run", *names: str) -> tuple[int, ...]:
    """Times and sizes of files of a run: changes when one of them does. A key for caches: names may be used again."""
    numbers: list[int] = []
    for name in names:
        try:
            file = (run.path / name).stat()
        except OSError:
            numbers.append(0)
        else:
            numbers += [file.st_mtime_ns, file.st_size]
    return tuple(numbers)


def weights_stamp(run: "Run") -> tuple[int, ...]:
    """A stamp of a run's newest weights."""
    return stamp(run, "weights.safetensors", "state.safetensors")


def class_names(run: "Run") -> list[str]:
    """The names of a run's classes: its own, else numbers for as many as its rows are of. None where no row has a
    label."""
    names = (run.details().get("data") or {}).get("class_names") or range(1 + int(run.rows()["labels"].max()))
    return [str(name) for name in names]


def with_unlabelled(labels: np.ndarray, names: Sequence[str], none: str = NO_LABEL) -> tuple[np.ndarray, list[str]]:
    """Labels (n,) numbered so that rows without one come after the classes, and what these numbers are called: just the
    classes where every row has a label."""
    has = labels >= 0
    return (labels, list(names)) if has.all() else (np.where(has, labels, len(names)), [*names, none])


def in_charts(names: Sequence[str], most: int = 24) -> list[str]:
    """Names as Plotly may draw them: it reads a part of HTML, so `<` and `&` are escaped; long ones are cut."""
    cut = [name if len(name) <= most else f"{name[: most - 1]}…" for name in names]
    return [name.replace("&", "&amp;").replace("<", "&lt;") for name in cut]
