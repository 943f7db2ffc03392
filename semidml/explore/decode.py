"""What a trained decoder draws: places, walks, lattices, reconstructions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semidml import frames
from semidml.explore import pictures
from semidml.frames import Rows

if TYPE_CHECKING:
    from torch.nn import Module

    from semidml.data.dataset import Dataset
    from semidml.runs.run import Run


AT_ONCE = 1024  # images encoded or decoded together
MOST_LATTICE = 700  # images of decoded places on a map


def decode_latents(model: "Module", latents: np.ndarray) -> np.ndarray:
    """What the decoder draws for latents (m, D): uint8 (m, C, H, W). Raises ValueError where there is no decoder."""
    import torch

    with torch.inference_mode():
        parts = [model.decode(part) for part in torch.tensor(np.asarray(latents, np.float32)).split(AT_ONCE)]
    return (torch.cat(parts) * 255).round().to(torch.uint8).numpy()


def decode_grid(model: "Module", x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What the decoder of a 2-D run draws at each x (columns,) and y (rows,): uint8 (rows, columns, C, H, W)."""
    across, down = np.meshgrid(x, y)
    images = decode_latents(model, np.stack([across.ravel(), down.ravel()], axis=1))
    return images.reshape(len(y), len(x), *images.shape[1:])


def squared_errors(images: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """Mean over pixels (0 to 1) of the squared difference, of each pair: uint8 (m, C, H, W) twice -> float64 (m,)."""
    difference = (images.astype(np.float64) - decoded) / 255
    return (difference**2).reshape(len(images), -1).mean(axis=1)


def reconstruct(model: "Module", images: np.ndarray) -> np.ndarray:
    """Images, encoded and decoded again: uint8 (m, C, H, W) -> uint8 (m, C, H, W)."""
    return decode_latents(model, encode_images(model, images))


def encode_images(model: "Module", images: np.ndarray) -> np.ndarray:
    """uint8 (m, C, H, W) -> float32 (m, D)."""
    import torch

    from semidml.train.outputs import embed

    return embed(model, torch.from_numpy(np.ascontiguousarray(images)))


class Reconstructed(NamedTuple):
    """Test points with what became of them, in the order of their error."""

    positions: np.ndarray  # int64 (m,)
    errors: np.ndarray  # float64 (m,), mean squared error over pixels in [0, 1]
    originals: np.ndarray  # uint8 (m, C, H, W)
    decoded: np.ndarray  # uint8 (m, C, H, W)


def reconstruct_points(model: "Module", data: "Dataset", rows: Rows) -> Reconstructed:
    """Every drawn test point, encoded and decoded, the best first. data: the run's splits."""
    positions = np.flatnonzero(rows["split"] == frames.TEST)
    originals = pictures.read_pictures(data, rows, positions)
    parts = [(part, reconstruct(model, part)) for part in pictures.read_in_parts(data, rows, positions)]
    decoded = np.concatenate([drawn for _, drawn in parts])
    errors = np.concatenate([squared_errors(*part) for part in parts])  # (m,)
    order = np.argsort(errors, kind="stable")
    return Reconstructed(positions[order], errors[order], originals[order], decoded[order])


def errors_of_points(run: "Run", data: "Dataset") -> np.ndarray:
    """Squared error of each drawn point's reconstruction by the newest weights: float64 (n,). data: the run's splits.
    Raises ValueError where there are no weights."""
    rows, model = run.rows(), run.model()
    parts = pictures.read_in_parts(data, rows, np.arange(len(rows["row"])))
    return np.concatenate([squared_errors(part, reconstruct(model, part)) for part in parts])


def decode_lattice(model: "Module", latents: np.ndarray, side: int = 16) -> np.ndarray:
    """What the decoder draws on a square lattice over the points of a 2-D run (2nd to 98th percentile of each axis):
    uint8 (side, side, C, H, W), the first at the upper left. Raises ValueError for other dimensions."""
    if latents.shape[1] != 2:
        raise ValueError(f"a lattice needs 2 latent dimensions; this run has {latents.shape[1]}")
    (left, low), (right, high) = np.percentile(latents, [2, 98], axis=0)
    return decode_grid(model, np.linspace(left, right, side), np.linspace(high, low, side))


def decode_box(
    model: "Module", box: Sequence[float], width: float, height: float
) -> tuple[tuple[float, float, float, float], np.ndarray]:
    """(box, picture uint8 (h, w, C)) of what the decoder of a 2-D run draws over the part x0, y0, x1, y1 of the plane
    that a map of width x height pixels shows, one image each 28 to 56 pixels, at most MOST_LATTICE in all. The box is
    that of the images' edges."""
    x0, y0, x1, y1 = box
    side = max(28.0, (width * height / MOST_LATTICE) ** 0.5)
    columns, rows = max(1, round(width / side)), max(1, round(height / side))
    x = x0 + (np.arange(columns) + 0.5) / columns * (x1 - x0)
    y = y1 - (np.arange(rows) + 0.5) / rows * (y1 - y0)
    grid = decode_grid(model, x, y)
    images = pictures.reduce_images(grid.reshape(-1, *grid.shape[2:]), 32)  # (rows * columns, C, h, w)
    tiles = images.reshape(rows, columns, *images.shape[1:]).transpose(0, 3, 1, 4, 2)
    return (x0, y0, x1, y1), tiles.reshape(rows * images.shape[2], columns * images.shape[3], images.shape[1])


def walks(latents: np.ndarray, position: int, steps: int) -> np.ndarray:
    """A point moved along each dimension alone, from two standard deviations below the mean of all points (n, D) to
    two above: float32 (D, steps, D)."""
    mean, spread = latents.mean(axis=0), latents.std(axis=0)
    path = np.tile(latents[position], (len(mean), steps, 1)).astype(np.float32)
    each = np.arange(len(mean))
    path[each, :, each] = mean[:, None] + spread[:, None] * np.linspace(-2, 2, steps)
    return path
