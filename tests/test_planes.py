"""Dimensions to two: principal components are scikit-learn's; what cannot be laid out is said in words."""

import numpy as np
import pytest

from semidml import planes
from semidml.scores import classifiers
from tests.scores.clouds import blobs


def test_pca_is_scikit_learns_up_to_sign():
    from sklearn.decomposition import PCA

    points = blobs(dims=5)[0].astype(np.float32)
    ours, theirs = planes.project(points, "pca"), PCA(2).fit_transform(points)
    assert np.allclose(np.abs(ours), np.abs(theirs), atol=1e-3)


def test_tsne_keeps_clusters_together():
    """As UMAP does, which tests/test_jobs.py asks the worker for: it is compiled once a process, for ten seconds."""
    points, labels = blobs(120, dims=6, classes=3, apart=10)
    told = []
    flat = planes.project(points, "tsne", seed=1, progress=lambda fraction, text: told.append(fraction))
    assert flat.shape == (120, 2) and flat.dtype == np.float32
    assert (classifiers.knn_classify(flat, labels, flat, 3) == labels).mean() > 0.95
    assert told[0] == 0 and told[-1] == 1


def test_projections_say_what_they_need():
    with pytest.raises(ValueError, match="at least 5 rows"):
        planes.project(np.zeros((4, 3)), "pca")
    with pytest.raises(ValueError, match="pca, umap, tsne"):
        planes.project(np.zeros((9, 3)), "sne")


CLOUD = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("latents", "words"),
    [
        (np.full((40, 3), 0.7, np.float32), "all 40 rows are equal, as far as float32 can tell"),
        (np.where(np.arange(15).reshape(5, 3) % 2, 0.0, -0.0), "all 5 rows are equal"),
        ((0.7 + 1e-30 * CLOUD).astype(np.float32), "all 40 rows are equal"),
        (0.7 + 1e-12 * CLOUD.astype(np.float64), "all 40 rows are equal"),
        (np.float32(1000) + np.float32(2**-14) * (CLOUD > 0), "all 40 rows are equal"),  # one step of float32
        (1e-200 * CLOUD.astype(np.float64), "all 40 rows are equal"),
        (CLOUD[:4], "at least 5 rows, got 4"),
        (np.where(CLOUD > 2, np.nan, CLOUD), "1 of 40 rows hold numbers that are not finite"),
        (np.where(CLOUD > 2, np.inf, CLOUD), "1 of 40 rows hold numbers that are not finite"),
        (1e300 * CLOUD.astype(np.float64), "float32 does not hold them"),
        (np.zeros((9, 0), np.float32), "all 9 rows are equal"),
    ],
)
@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_what_cannot_be_laid_out_is_told_before_a_library_is_asked(latents, words, method):
    with pytest.raises(ValueError, match=words):
        planes.to_project(latents, method)


def test_latents_of_an_ordinary_size_are_projected_as_they_are():
    for latents in (CLOUD, 1000 * CLOUD, CLOUD / 1000, CLOUD + 50, np.where(CLOUD > 1, CLOUD, 0)):
        assert (planes.to_project(latents, "tsne") == latents.astype(np.float32)).all()
    assert (planes.to_project(CLOUD[:, :1], "umap") == np.pad(CLOUD[:, :1], ((0, 0), (0, 1)))).all()


@pytest.mark.parametrize(("size", "where"), [(1e-30, 0), (1e-44, 0), (1e-8, 0), (1e30, 0), (3e37, 0), (1, 1e5)])
def test_an_honest_spread_of_any_size_is_brought_to_one_that_the_libraries_can_square(size, where):
    latents = (where + size * CLOUD.astype(np.float64)).astype(np.float32)
    points = planes.to_project(latents, "tsne")
    assert points.dtype == np.float32 and 0.5 < np.abs(points).max() <= 1
    exact = latents.astype(np.float64)
    distances = np.linalg.norm(exact[1:] - exact[0], axis=1) / np.linalg.norm(points[1:] - points[0], axis=1)
    assert np.log2(distances) == pytest.approx(round(np.log2(distances[0])), abs=1e-5), (
        "but for a power of two the same"
    )


@pytest.mark.parametrize("latents", [np.zeros((9, 3)), np.full((9, 3), 1e-42), 1e30 * CLOUD, np.eye(9, 2) * 3e38])
def test_principal_components_are_finite_wherever_the_latents_are(latents):
    latents = latents.astype(np.float32)
    places = planes.project(latents, "pca")
    assert places.dtype == np.float32 and np.isfinite(places).all()
    assert np.ptp(places.astype(np.float64), axis=0).max() <= 4 * np.ptp(latents.astype(np.float64), axis=0).max()


def test_places_that_float32_does_not_hold_are_said():
    with pytest.raises(ValueError, match="found no finite place for 2 of 9 rows: choose another one"):
        planes.project(np.diag([3.3e38, 0, 0, 0, 0, 0, 0, 0, -3.3e38]) @ np.ones((9, 9)), "pca")
    with pytest.raises(ValueError, match="no finite place for 1 of 2 rows"):
        planes.finite_places(np.array([[0, np.nan], [1, 2]]))
