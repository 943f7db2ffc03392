"""The shape of a cloud: a ball, a line, a point."""

import numpy as np
import pytest

from semidml.scores import collapse
from tests.scores.clouds import blobs


@pytest.mark.parametrize("dims", [1, 2, 7, 64])
def test_effective_rank_of_a_ball_is_its_dimension_and_of_a_line_one(dims):
    rng = np.random.default_rng(0)
    assert collapse.effective_rank(rng.normal(size=(20_000, dims))) == pytest.approx(dims, rel=0.01)
    line = rng.normal(size=(500, 1)) * rng.normal(size=(1, dims))
    assert collapse.effective_rank(line * 1e-20) == pytest.approx(1, abs=1e-4)


def test_effective_rank_is_that_of_the_singular_values():
    points = blobs(dims=4)[0]
    values = np.linalg.svd(points - points.mean(0), compute_uv=False)
    p = values / values.sum()
    assert collapse.effective_rank(points) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_distance_and_spread_are_those_of_a_normal_cloud():
    points = np.random.default_rng(0).normal(size=(5_000, 3)) * 2
    assert collapse.spread(points) == pytest.approx(2, rel=0.02)
    assert collapse.mean_pairwise_distance(points) == pytest.approx(
        2 * 4 / np.sqrt(np.pi), rel=0.02
    )  # E |x - y|, D = 3


def test_collapse_is_said_for_a_point_and_a_line_only():
    cloud = np.random.default_rng(0).normal(size=(500, 2))
    assert collapse.collapse(cloud) is None
    assert collapse.collapse(cloud[:, :1]) is None
    assert "nearly coincide" in collapse.collapse(cloud * 0.01)
    assert "nearly coincide" in collapse.collapse(np.ones((50, 2)))
    assert collapse.collapse(cloud * 0.01, scale=0.01) is None
    assert "on a line" in collapse.collapse(cloud * [1, 0.005])
    assert "not finite" in collapse.collapse(cloud * np.nan)
