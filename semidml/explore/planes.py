"""The plane that Explore draws: fitted to one frame, drawn over others."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from semidml import planes
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.runs.run import Run


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
    shipped run. Raises ValueError when there is nothing to project."""
    points = flat(latents, method, run.config().seed, progress=progress)
    if keep and not run.is_shipped:
        run.keep_projection(f"{method}-{epoch:04d}", points=points)
    return points
