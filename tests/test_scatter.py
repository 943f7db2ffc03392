"""What the live map is sent: every point where it is, to a 65,535th of the picture, and nothing that could run."""

import json

import numpy as np
import pytest

from semidml import scatter


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
    cells = int(np.prod(header["ground"][:2])) if header["ground"] else 0
    assert at % 4 == 0 and len(data) == at + 7 * n + cells
    x, y, classes = np.frombuffer(data, "<u2", 3 * n, at).reshape(3, n)
    low, high = np.array(header["bounds"][:2]), np.array(header["bounds"][2:])
    points = low + np.stack([x, y], axis=1) / 65_535 * (high - low)
    arrays = {"points": points, "classes": classes, "flags": np.frombuffer(data, np.uint8, n, at + 6 * n)}
    return header | arrays | {"cells": np.frombuffer(data, np.uint8, cells, at + 7 * n)}


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


def test_a_ground_arrives_in_256_shades():
    values = np.array([[0.0, 0.5, 1.0], [2.0, 1.5, 0.25]])
    there = unpacked(packed([[0, 0]], [0], ground=(values, (-1, 2), (3, 4))))
    assert there["ground"] == [2, 3, -1, 3, 2, 4]
    assert np.abs(there["cells"].reshape(2, 3) / 255 * 2 - values).max() <= 1 / 255
    assert not unpacked(packed([[0, 0]], [0], ground=(np.zeros((2, 2)), (0, 1), (0, 1))))["cells"].any()


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
