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


def fit_together(
    train: np.ndarray,
    train_labels: np.ndarray,
    seen: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    classes: int,
) -> None:
    if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
        raise ValueError(f"latents must be (N, D) and (M, D), got {train.shape} and {test.shape}")
    for latents, labels in ((train, train_labels), (test, test_labels)):
        if labels.shape != latents.shape[:1] or not len(labels):
            raise ValueError(f"{latents.shape[0]} latents need as many labels, and at least one; got {labels.shape}")
        if labels.min() < 0 or labels.max() >= classes:
            raise ValueError(f"labels must lie between 0 and {classes - 1}; got {labels.min()} to {labels.max()}")
    if len(seen) and (seen.min() < 0 or seen.max() >= len(train)):
        raise ValueError(f"seen rows must lie between 0 and {len(train) - 1}; got {seen.min()} to {seen.max()}")


def shared(train_labels: np.ndarray, test_labels: np.ndarray) -> bool:
    """Whether a test row is of a training class."""
    return bool(np.isin(test_labels, train_labels).any())


def _unit(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 255 if images.dtype == np.uint8 else images


def flat(rows: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    images, labels = rows
    return images.reshape(len(images), -1).astype(np.float32), labels
