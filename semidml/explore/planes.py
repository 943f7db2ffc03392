"""The plane that Explore draws: fitted to one frame, drawn over others."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from semidml import planes
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.runs.run import Run


# ---- maps in two dimensions


def read_plane(run: "Run", epoch: int, method: str) -> np.ndarray | None:
    """A projection that is cached with the run, (n, 2), or None. A damaged one counts as none."""
    try:
        found = run.projection(f"{method}-{epoch:04d}")
        points = None if found is None else np.asarray(found["points"], dtype=np.float32)
    except (KeyError, ValueError, OSError, EOFError):
        return None
    return (
        points
        if points is not None and points.ndim == 2 and points.shape[1] == 2 and np.isfinite(points).all()
        else None
    )


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
    shipped run. Raises ValueError when there is nothing to project."""
    points = flat(latents, method, run.config().seed, progress=progress)
    if keep and not run.is_shipped:
        run.keep_projection(f"{method}-{epoch:04d}", points=points)
    return points
