"""Cards of runs: no two alike, each a link; maps of many dimensions show their classes."""

import numpy as np
import pytest

from semidml import planes
from semidml.config import RunConfig
from semidml.runs import listing
from semidml.ui.names import Card, name_cards
from tests.apptest import opened, words


def test_no_two_shipped_runs_are_called_alike() -> None:
    cards = name_cards([run.config() for run in listing.list_runs() if run.is_shipped])
    assert len(cards) == len(set(cards)) >= 10
    assert {card.title for card in cards} >= {"Autoencoder", "DML autoencoder", "MetricVAE"}  # two were alike by name


def test_chips_tell_what_differs_and_nothing_else() -> None:
    few, wide = RunConfig(data="digits", pl=10), RunConfig(data="digits", pl=10, alpha=0.5, batch_size=32)
    alike = name_cards([few, wide])
    assert alike[1] == Card("DML autoencoder", ("Digits 8x8", "130 labels", "alpha 0.5", "batch size 32"))
    assert alike[0] == Card("DML autoencoder", ("Digits 8x8", "130 labels", "alpha 0.02", "batch size 256"))
    other = RunConfig(data="digits", model="metric-vae", alpha=1.0, latent_dim=4)
    assert name_cards([few, other])[1] == Card("VAE", ("Digits 8x8", "all labels", "VampPrior", "4 dimensions"))
    assert name_cards([few, few])[1].chips[-1] == "2 of 2"


def test_a_name_that_would_be_markdown_is_text(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semidml.ui.names.data_title", lambda config: "![x](http://elsewhere.example/y)")
    home = opened()
    assert "![x](" not in words(home) and "\\!\\[x\\]\\(http" in words(home)


def corners(classes: int, dimensions: int, each: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Classes as far from one another as each from every other, as clusters on a sphere come to lie."""
    labels = np.repeat(np.arange(classes), each)
    scatter = 0.05 * np.random.default_rng(0).normal(size=(len(labels), dimensions))
    return np.eye(classes, dimensions)[labels] + scatter, labels


def nearest_two(placed: np.ndarray, labels: np.ndarray) -> float:
    """The smallest distance of two classes' middles, in typical distances of a point from its own."""
    middles = np.stack([placed[labels == label].mean(0) for label in np.unique(labels)])
    apart = np.linalg.norm(middles[:, None] - middles[None], axis=-1)
    return float(apart[np.triu_indices(len(middles), 1)].min() / (placed - middles[labels]).std())


def test_classes_in_many_dimensions_come_apart_on_a_small_map() -> None:
    latents, labels = corners(10, 16)
    assert nearest_two(planes.in_plane(latents, labels)[0], labels) < 2  # PCA: a heap
    placed = planes.apart_in_plane(latents, labels)
    assert placed.shape == (400, 2) and nearest_two(placed, labels) > 4
    assert (placed == planes.apart_in_plane(latents, labels)).all()


def test_a_small_map_without_classes_or_of_two_dimensions_is_the_large_one() -> None:
    latents, labels = corners(4, 5)
    none = np.full_like(labels, -1)
    assert (planes.apart_in_plane(latents, none) == planes.in_plane(latents, none)[0]).all()
    assert (planes.apart_in_plane(latents[:, :2], labels) == latents[:, :2]).all()


def test_epochs_share_the_axes_of_the_last() -> None:
    latents, labels = corners(6, 8)
    half = planes.apart_in_plane(latents / 2, labels, latents)
    whole = planes.apart_in_plane(latents, labels, latents)
    assert np.allclose(half - whole / 2, (half - whole / 2)[0], atol=1e-5)


def test_points_that_coincide_have_a_small_map() -> None:
    labels = np.repeat(np.arange(5), 4)
    assert (planes.apart_in_plane(np.ones((20, 6)), labels) == 0).all()
