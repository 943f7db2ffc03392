"""What the live map is sent: every point where it is, to a 65,535th of the picture, and nothing that could run."""

import json

import numpy as np
import pytest

from semidml import scatter
from semidml.priors.density import MASSES, regions


def packed(points, labels, **more) -> bytes:
    n = len(points)
    given = {
        "seen": np.zeros(n, bool),
        "test": np.zeros(n, bool),
        "names": ["a", "b"],
        "looks": [("#112233", "circle"), ("#445566", "square")],
        "x_range": (-1.0, 1.0),
        "y_range": (-2.0, 2.0),
        "words": "two classes",
    }
    return scatter.pack(np.asarray(points, np.float32).reshape(-1, 2), np.asarray(labels, int), **given | more)


def unpacked(data: bytes) -> dict:
    """The layout in the module's own words, read anew."""
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    n, at = header["n"], 4 + length
    its = header["density"]
    below = np.frombuffer(data, np.uint8, offset=at + 7 * n) / 255
    assert at % 4 == 0 and len(below) == (its["rows"] * its["columns"] if its else 0)
    x, y, classes = np.frombuffer(data, "<u2", 3 * n, at).reshape(3, n)
    low, high = np.array(header["bounds"][:2]), np.array(header["bounds"][2:])
    points = low + np.stack([x, y], axis=1) / 65_535 * (high - low)
    header["shares"] = below.reshape(its["rows"], its["columns"]) if its else None
    return header | {"points": points, "classes": classes, "flags": np.frombuffer(data, np.uint8, n, at + 6 * n)}


def test_points_arrive_where_they_are():
    points = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32) * (3, 0.01)
    labels, seen, test = np.arange(500) % 2, np.arange(500) % 3 == 0, np.arange(500) >= 400
    there = unpacked(packed(points, labels, seen=seen, test=test))
    step = (points.max(0) - points.min(0)) / 65_535
    assert (np.abs(there["points"] - points) <= 0.51 * step).all()
    assert (there["classes"] == labels).all()
    assert ((there["flags"] & scatter.SEEN > 0) == seen).all() and ((there["flags"] & scatter.TEST > 0) == test).all()
    assert there["view"] == [-1, -2, 1, 2]


def test_points_that_are_not_finite_are_counted_not_sent():
    there = unpacked(packed([[0, 0], [np.nan, 1], [2, np.inf], [4, 5]], [0, 1, 1, 1]))
    assert there["left_out"] == 2 and there["classes"].tolist() == [0, 1]
    assert np.allclose(there["points"], [[0, 0], [4, 5]])


@pytest.mark.parametrize("points", [[], [[3.0, 3.0]], [[3.0, 3.0], [3.0, 3.0]]])
def test_no_point_and_points_in_one_place(points):
    there = unpacked(packed(points, [0] * len(points)))
    assert there["n"] == len(points) and np.allclose(there["points"], 3)


def test_a_density_arrives_below_the_points():
    means = np.array([[0.0, 0.0], [4.0, 1.0]])
    its = regions(means, np.zeros((2, 2)), np.array([0.3, 0.7]))
    there = unpacked(packed([[1, 2], [3, 4]], [0, 1], density=its, masses=MASSES))
    assert np.allclose(there["points"], [[1, 2], [3, 4]]) and there["density"]["masses"] == [0.5, 0.9]
    assert np.abs(there["shares"] - its.share).max() <= 0.51 / 255
    assert there["density"]["box"] == [its.x[0], its.y[0], its.x[-1], its.y[-1]]
    assert unpacked(packed([[1, 2]], [0]))["density"] is None


def test_the_program_draws_the_version_that_is_packed():
    assert f"const VERSION = {scatter.VERSION};" in scatter.javascript()


def test_a_move_is_read():
    assert scatter.middles_of({"move": 3, "middles": [[0, 1.5], [2, -1]]}, 2) == (3, [(0.0, 1.5), (2.0, -1.0)])


@pytest.mark.parametrize(
    "sent",
    [None, {}, {"move": 1}, {"move": "x", "middles": []}, {"move": 1, "middles": [[0]]}, {"move": 1, "middles": 5}],
)
def test_a_move_that_is_none_is_refused(sent):
    with pytest.raises(ValueError, match="cannot be read"):
        scatter.middles_of(sent, 1)


def test_a_move_of_another_mixture_is_refused():
    with pytest.raises(ValueError, match="one of 1 components, and there are 4"):
        scatter.middles_of({"move": 1, "middles": [[0, 0]]}, 4)


def test_the_program_is_our_own_and_writes_names_as_text():
    program = scatter.javascript()
    assert "innerHTML" not in program and "eval(" not in program and "import " not in program.split("\n", 12)[-1]
    assert "http" not in program + scatter.css()
