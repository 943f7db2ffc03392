"""Component scores: what they say of points on, off and beside the components."""

import numpy as np
import pytest

from semidml.scores import components

MEANS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
LOG_VARS, WEIGHTS = np.zeros((4, 2)), np.full(4, 0.25)


def points(n: int = 400, sigma: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % 4
    return MEANS[labels] + sigma * np.random.default_rng(0).normal(size=(n, 2)), labels


def test_classes_on_components_of_their_own():
    found = components.component_scores(*points(), MEANS, LOG_VARS, WEIGHTS)
    assert found["component_ami"] == pytest.approx(1) and found["component_nmi"] == pytest.approx(1)
    assert found["components_used"] == 4 and found["classes_alone"] == 4
    assert found["component_distance"] == pytest.approx(np.sqrt(np.pi / 4), abs=0.05)  # mean of a Rayleigh / sqrt 2


def test_two_classes_that_share_a_component_are_not_alone():
    latents, labels = points()
    latents[labels == 1] = latents[labels == 0]
    found = components.component_scores(latents, labels, MEANS, LOG_VARS, WEIGHTS)
    assert found["classes_alone"] == 2 and found["components_used"] == 3
    assert found["component_ami"] < 0.9


def test_a_heavier_component_takes_the_middle():
    middle = np.array([[5.0, 0.0]])
    own, distance = components.component_of(middle, MEANS, LOG_VARS, np.array([0.1, 0.7, 0.1, 0.1]))
    assert own.tolist() == [1] and distance[0] == pytest.approx(5 / np.sqrt(2))


def test_it_is_the_definition_written_out():
    generator = np.random.default_rng(1)
    latents, means = generator.normal(size=(50, 3)), generator.normal(size=(7, 3))
    log_vars, weights = generator.normal(size=(7, 3)), generator.dirichlet(np.ones(7))
    squares = (latents[:, None] - means) ** 2 / np.exp(log_vars)  # (N, K, D)
    by_hand = (np.log(weights) - (squares + log_vars).sum(2) / 2).argmax(1)
    own, distance = components.component_of(latents, means, log_vars, weights)
    assert (own == by_hand).all() and len(set(own.tolist())) > 3
    assert np.allclose(distance, np.sqrt(squares[np.arange(50), by_hand].mean(1)))


def test_responsibilities_are_bayes_rule_and_agree_with_the_component():
    generator = np.random.default_rng(2)
    latents, means = generator.normal(size=(60, 3)), generator.normal(size=(5, 3))
    log_vars, weights = generator.normal(size=(5, 3)), generator.dirichlet(np.ones(5))
    squares = (latents[:, None] - means) ** 2 / np.exp(log_vars)
    parts = weights * np.exp(-(squares + log_vars).sum(2) / 2)
    found = components.responsibilities(latents, means, log_vars, weights)
    assert np.allclose(found, parts / parts.sum(1, keepdims=True)) and np.allclose(found.sum(1), 1)
    assert (found.argmax(1) == components.component_of(latents, means, log_vars, weights)[0]).all()


def test_far_from_everything_somebody_is_still_responsible():
    found = components.responsibilities(np.array([[1e4, 0.0]]), MEANS, LOG_VARS, np.array([0.5, 0.5, 0.0, 0.0]))
    assert found[0].tolist() == [0, 1, 0, 0]


def test_floors():
    latents, labels = points()
    found = components.floors(latents, labels, MEANS, LOG_VARS, WEIGHTS)
    assert abs(found["component_ami_permuted"]) < 0.02
    assert 0.3 < found["component_ami_rotated"] < 1, "separate clusters score wherever they lie"
    assert 0.3 < found["component_ami_random"] < 1


@pytest.mark.parametrize("labels", [np.zeros(40, int), np.arange(40)], ids=["one class", "one row a class"])
def test_components_tell_no_classes_apart_where_there_are_none(labels):
    """AMI and NMI were 0 or 1, as the components had it."""
    for sigma in (1.0, 1e-3):
        latents, _ = points(40, sigma)
        found = components.component_scores(latents, labels, MEANS, LOG_VARS, WEIGHTS)
        assert found["component_ami"] is None and found["component_nmi"] is None
        assert found["components_used"] == 4 and (found["classes_alone"] is None) == (labels[1] == 0)
        assert set(components.floors(latents, labels, MEANS, LOG_VARS, WEIGHTS).values()) == {None}
    alone = components.component_scores(latents[:1], labels[:1], MEANS, LOG_VARS, WEIGHTS)
    assert alone["components_used"] is None and alone["component_distance"] < 1


def test_what_if_a_component_were_elsewhere():
    latents, labels = points()
    away = MEANS.copy()
    away[3] = [50, 50]
    its = components.what_if(latents, labels, (MEANS, LOG_VARS, WEIGHTS), (away, LOG_VARS, WEIGHTS), 4)
    assert its.moved == [3] and its.counts == ([0, 0, 0, 100], [0, 0, 0, 0])
    assert its.component_ami[0] == pytest.approx(1) and its.component_ami[1] < 0.9
    squares = ((latents[:, None] - away) ** 2).sum(2)  # (n, K), the definition with unit variances
    surprise = -np.log((0.25 * np.exp(-squares / 2) / (2 * np.pi)).sum(1)).mean()
    assert its.surprise[1] == pytest.approx(surprise) and its.surprise[1] > its.surprise[0]


def test_what_if_nothing_were_moved():
    mixture = MEANS, LOG_VARS, WEIGHTS
    its = components.what_if(*points(), mixture, mixture, 4)
    assert its.moved == [] and its.counts == ([0] * 4, [0] * 4)
    assert its.component_ami[0] == its.component_ami[1] and its.surprise[0] == its.surprise[1]


def test_rotations_keep_distances_and_are_uniform():
    generator = np.random.default_rng(0)
    turned = np.stack([components.rotation(3, generator) for _ in range(4000)])
    assert np.allclose(turned @ turned.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.abs(turned.mean(0)).max() < 0.04 and np.abs((turned**2).mean(0) - 1 / 3).max() < 0.03
