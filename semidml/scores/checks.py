"""What scores are given: finite, of one shape, or refused in words."""

from collections.abc import Callable

import numpy as np


def reconstruction_mse(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """Mean over pixels and rows of the squared difference; both (M, C, H, W), uint8 (then over 255) or in [0, 1]."""
    if images.shape != reconstructions.shape:
        raise ValueError(f"images {images.shape} and reconstructions {reconstructions.shape} must have the same shape")
    return float(np.square(_unit(finite(images)) - _unit(finite(reconstructions))).mean(dtype=np.float64))


def reconstruction_mse_of(
    images: np.ndarray, latents: np.ndarray, reconstruct: Callable[[np.ndarray], np.ndarray], rows: int = 1_000
) -> float:
    finite(latents)
    parts = [slice(i, i + rows) for i in range(0, len(images), rows)]
    errors = [reconstruction_mse(images[part], np.asarray(reconstruct(latents[part]))) for part in parts]
    return float(np.average(errors, weights=[len(images[part]) for part in parts]))


def finite(values: np.ndarray) -> np.ndarray:
    """The same values; raises ValueError when rows hold NaN or infinity."""
    bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if bad.any():
        raise ValueError(f"{bad.sum():,} of {len(values):,} rows hold numbers that are not finite")
    return values


def subset(rows: int, seed: int, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same random rows of each array, in order, at most `rows`; the arrays themselves when they are no longer."""
    n = len(arrays[0])
    if n <= rows:
        return arrays
    chosen = np.sort(np.random.default_rng(seed).choice(n, rows, replace=False))
    return tuple(array[chosen] for array in arrays)


def require_rows(rows: np.ndarray) -> np.ndarray:
    """The same rows; raises ValueError when there is none."""
    if not len(rows):
        raise ValueError("there is no row to learn from; at least one seen label is needed")
    return rows


def _unit(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images
