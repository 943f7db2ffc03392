"""What the tests of scores read: Gaussians whose classes are known."""

import numpy as np


def blobs(n=600, dims=2, classes=5, apart=4.0, seed=0):
    """One Gaussian a class, its centre drawn anew."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return (rng.normal(size=(classes, dims)) * apart)[labels] + rng.normal(size=(n, dims)), labels


def halves(**how):
    """Train, labels, 40 seen rows, test, labels, classes: what `Scored` takes."""
    points, labels = blobs(**how)
    n = len(points) * 2 // 3
    return points[:n], labels[:n], np.arange(0, n, n // 40)[:40], points[n:], labels[n:], how.get("classes", 5)


def apart():
    """As `halves` when classes 0 to 4 are trained on and 5 to 7 are tested on."""
    points, labels = blobs(n=800, classes=8, dims=3)
    trained = labels < 5
    train, test = np.flatnonzero(trained), np.flatnonzero(~trained)
    return points[train], labels[train], np.arange(40), points[test], labels[test], 8
