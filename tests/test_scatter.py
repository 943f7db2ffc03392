"""What the live map is sent: every point where it is, to a 65,535th of the picture, and nothing that could run."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from semidml.explore.drawing import draw_frame, ellipses
from semidml.explore.points import class_names, read_frame
from semidml.frames import TEST
from semidml.priors.density import MASSES, regions
from semidml.runs import listing
from semidml.scatter import bundle, pack
from semidml.scatter.sent import asked_of, box_of, drawn_of, line_of, middles_of, picked_of, region_of
from semidml.scatter.sheet import little_map


def packed(points, categories, **more) -> bytes:
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
    return pack.pack(
        pack.Drawing(np.asarray(points, np.float32).reshape(-1, 2), np.asarray(categories, int), **given | more)
    )


def unpacked(data: bytes) -> dict:
    """The layout in the module's own words, read anew."""
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    at = 4 + length
    assert at % 4 == 0
    columns = {}
    for name, kind in header["columns"]:
        columns[name] = np.frombuffer(data, f"<{kind}", header["n"], at)
        at += columns[name].nbytes
    its, drawn = header["density"], header["pictures"]
    below = np.frombuffer(data, np.uint8, its["rows"] * its["columns"] if its else 0, at) / 255
    size = [drawn[name] for name in ("count", "height", "width", "channels")] if drawn else [0]
    header["drawings"] = np.frombuffer(data, np.uint8, offset=at + len(below)).reshape(size)  # and nothing more
    low, high = np.array(header["bounds"][:2]), np.array(header["bounds"][2:])
    points = low + np.stack([columns.pop("x"), columns.pop("y")], axis=1) / 65_535 * (high - low)
    header["shares"] = below.reshape(its["rows"], its["columns"]) if its else None
    return header | {"points": points, **columns}


def test_points_arrive_where_they_are():
    points = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32) * (3, 0.01)
    labels, seen, test = np.arange(500) % 2, np.arange(500) % 3 == 0, np.arange(500) >= 400
    there = unpacked(packed(points, labels, seen=seen, test=test))
    step = (points.max(0) - points.min(0)) / 65_535
    assert (np.abs(there["points"] - points) <= 0.51 * step).all()
    assert (there["category"] == labels).all()
    assert ((there["flags"] & pack.SEEN > 0) == seen).all() and ((there["flags"] & pack.TEST > 0) == test).all()
    assert there["view"] == [-1, -2, 1, 2]


HEADER = [
    "version",
    "n",
    "left_out",
    "bounds",
    "columns",
    "view",
    "names",
    "looks",
    "names_of_labels",
    "words",
    "images",
    "images_of",
    "error_unit",
    "rings",
    "ellipses",
    "movable",
    "moves",
    "origins",
    "pictures",
    "modes",
    "density",
    "marked",
    "places",
    "tools",
    "shade",
    "lattice",
    "link",
    "address",
    "start",
    "run",
    "epoch",
    "dark",
]


def test_a_stored_frame_arrives_as_the_browser_reads_it():
    """From the folder of a run to the bytes: each point, its class, its prediction, its flags, and the rings."""
    run = listing.open_run("digits-paper-prior")
    frame = read_frame(run, run.frames()[-1])
    drawn = draw_frame(frame, frame.latents, class_names(run), ((-1, 1), (-2, 2)), words="a map", run=run.id)
    data = pack.pack(replace(drawn, predictions=frame.predictions, ellipses=ellipses(frame)))
    header = json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
    assert sorted(header) == sorted(HEADER) and (header["run"], header["epoch"]) == (run.id, frame.epoch)
    there = unpacked(data)
    assert np.abs(there["points"] - frame.latents).max() < 1e-5 * np.ptp(frame.latents)
    assert (there["category"] == frame.rows["labels"]).all() and (there["prediction"] == frame.predictions).all()
    assert ((there["flags"] & pack.SEEN > 0) == frame.rows["seen"]).all()
    assert ((there["flags"] & pack.TEST > 0) == (frame.rows["split"] == TEST)).all()
    assert np.allclose([ring[:2] for ring in there["ellipses"]], frame.component_means)


def test_points_that_are_not_finite_are_counted_and_not_drawn():
    there = unpacked(packed([[0, 0], [np.nan, 1], [2, np.inf], [4, 5]], [0, 1, 1, 1]))
    assert there["left_out"] == 2 and ((there["flags"] & pack.AWAY) > 0).tolist() == [False, True, True, False]
    assert np.allclose(there["points"][[0, 3]], [[0, 0], [4, 5]])
    assert unpacked(packed([[np.nan, 1]], [0]))["left_out"] == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_components_follow_the_density_row_by_row(channels):
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (3, channels, 5, 4), dtype=np.uint8)
    means = np.array([[-1.0, 0], [1, 0], [0, 1]])
    drawn = {"density": regions(means, np.zeros((3, 2)), np.ones(3) / 3), "masses": MASSES}
    ellipses = [(x, y, 1, 1, 0, 1) for x, y in means]
    there = unpacked(packed([[0, 0]], [0], ellipses=ellipses, origins=means - 1, pictures=pictures, **drawn))
    assert (there["drawings"] == pictures.transpose(0, 2, 3, 1)).all()
    assert there["origins"] == (means - 1).tolist() and there["shares"].shape == (96, 96)


def test_pictures_and_origins_belong_to_components():
    with pytest.raises(ValueError, match="at most 1 components"):
        packed([[0, 0]], [0], ellipses=[(0, 0, 1, 1, 0, 1)], pictures=np.zeros((2, 1, 5, 5), np.uint8))
    with pytest.raises(ValueError, match="at most 0 components"):
        packed([[0, 0]], [0], origins=[(0, 0)])


def test_what_the_mouse_asks_for_is_sent():
    points = np.random.default_rng(0).normal(size=(4, 2))
    its = {"labels": np.array([0, 1, 0, 1]), "predictions": np.array([0, 1, 1, 1]), "label_names": ["zero", "one"]}
    more = {"errors": np.array([0, 0.1, 0.2, np.nan]), "strength": np.array([0, 0.5, 1, 1])}
    away = np.array([False, True, False, False])
    there = unpacked(packed(points, [0, 0, 1, 1], away=away, marked=[2], places=[[0.5, 1]], **its, **more))
    assert there["label"].tolist() == [0, 1, 0, 1] and there["prediction"].tolist() == [0, 1, 1, 1]
    assert there["category"].tolist() == [0, 0, 1, 1] and there["names_of_labels"] == ["zero", "one"]
    assert np.allclose(there["error"] / 65_535 * there["error_unit"], [0, 0.1, 0.2, 0], atol=0.001)
    assert there["strength"].tolist() == [0, 128, 255, 255] and there["flags"].tolist() == [0, pack.AWAY, 0, 0]
    assert there["left_out"] == 0 and there["marked"] == [2] and there["places"] == [[0.5, 1.0]]


def headed(data: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def test_a_film_holds_every_epoch():
    clouds = [np.random.default_rng(k).normal(size=(50, 2)) * (k + 1) for k in range(3)]
    header, rest = headed(pack.pack_film("a", [0, 2, 5], clouds, ["", ".8", ".9"]))
    places = np.frombuffer(rest, "<u2").reshape(3, 2, 50).transpose(0, 2, 1)
    low, high = np.array(header["bounds"][:2]), np.array(header["bounds"][2:])
    assert np.allclose(low + places / 65_535 * (high - low), clouds, atol=1e-3)
    assert header["epochs"] == [0, 2, 5] and header["kind"] == "film" and header["n"] == 50


def test_a_film_begins_where_the_points_of_before_the_training_are():
    clouds = [np.random.default_rng(0).normal(size=(500, 2)) * spread for spread in (0.01, 1)]
    begin = headed(pack.pack_film("a", [0, 1], clouds, ["", ""]))[0]["begin"]
    low, high = np.percentile(clouds[0], [0.2, 99.8], axis=0)
    assert (begin[:2] <= low).all() and (begin[2:] >= high).all() and np.abs(begin).max() < 0.05
    assert headed(pack.pack_film("a", [3, 4], clouds, ["", ""]))[0]["begin"] is None
    low, high = pack.extent(np.full((9, 2), 3.0))
    assert (low < 3).all() and (high > 3).all()  # points in one place have an extent, too


def test_only_few_components_are_ringed_and_rows_and_clusters_arrive():
    rings = [(0, 0, 1, 1, 0, 1)] * (pack.MOST_RINGS + 1)
    assert unpacked(packed([[0, 0]], [0], ellipses=rings[:-1]))["rings"]
    assert not unpacked(packed([[0, 0]], [0], ellipses=rings))["rings"]
    placed = np.zeros((5, 2))
    assert len(little_map(placed, np.zeros(5, int), rings[:-1]).rings) == pack.MOST_RINGS
    assert little_map(placed, np.zeros(5, int), rings).rings == []
    there = unpacked(packed([[0, 0], [1, 1]], [0, 1], rows=np.array([70_000, 2]), clusters=np.array([3, -1])))
    assert there["row"].tolist() == [70_000, 2] and there["cluster"].tolist() == [3, pack.NONE]


def test_a_film_that_is_too_long_is_thinned_evenly():
    assert pack.thinned([0, 1, 2], 10) == [0, 1, 2]
    kept = pack.thinned(range(200), 70_000)
    assert kept[0] == 0 and kept[-1] == 199 and 4 * 70_000 * len(kept) <= pack.MOST_FILM and len(kept) == 42


def test_images_are_sent_row_by_row_and_made_smaller_when_they_are_many():
    images = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    header, rest = headed(pack.pack_images("a", images))
    assert (np.frombuffer(rest, np.uint8).reshape(2, 4, 5, 3) == images.transpose(0, 2, 3, 1)).all()
    assert (header["height"], header["width"], header["channels"]) == (4, 5, 3)
    header, rest = headed(pack.pack_images("a", np.zeros((1000, 3, 224, 224), np.uint8)))
    assert len(rest) <= pack.MOST_IMAGES and header["height"] == header["width"] == 56


def test_a_lattice_is_sent_with_its_box():
    header, rest = headed(pack.pack_lattice("a", (0, 1, 2, 3), np.full((6, 8, 1), 7, np.uint8)))
    assert header["box"] == [0, 1, 2, 3] and (header["height"], header["width"]) == (6, 8) and set(rest) == {7}


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
    program = bundle.javascript()
    for name in ("VERSION", "SEEN", "TEST", "AWAY"):
        assert f"const {name} = {getattr(pack, name)};" in program


def test_a_move_is_read():
    assert middles_of({"move": 3, "middles": [[0, 1.5], [2, -1]]}, 2) == (3, [(0.0, 1.5), (2.0, -1.0)])


@pytest.mark.parametrize(
    "sent",
    [None, {}, {"move": 1}, {"move": "x", "middles": []}, {"move": 1, "middles": [[0]]}, {"move": 1, "middles": 5}],
)
def test_a_move_that_is_none_is_refused(sent):
    with pytest.raises(ValueError, match="cannot be read"):
        middles_of(sent, 1)


def test_a_move_of_another_mixture_is_refused():
    with pytest.raises(ValueError, match="one of 1 components, and there are 4"):
        middles_of({"move": 1, "middles": [[0, 0]]}, 4)


def test_what_a_map_sends_is_read():
    assert asked_of({"x": 1, "y": "2.5", "point": 3}) == (1.0, 2.5, 3)
    assert region_of({"points": [5, 1, 1, 99, -1]}, 10) == [1, 5]
    assert line_of({"ends": [[0, 1], [2, 3]]}) == ((0, 1), (2, 3))
    assert box_of({"box": [0, 1, 2, 3], "width": 600, "height": 400}) == ((0, 1, 2, 3), 600, 400)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        {},
        [],
        5,
        {"x": "a", "y": 1, "point": 0},
        {"x": float("nan"), "y": 1, "point": 0},
        {"points": 3},
        {"points": ["a"]},
        {"ends": [[1, 2]]},
        {"ends": [[1, 2], [3]]},
        {"box": [1, 0, 0, 1], "width": 1, "height": 1},
        {"box": [0, 0, 1, 1], "width": 1e9, "height": 1},
    ],
)
def test_what_a_map_would_not_send_is_refused(sent):
    for read in (asked_of, lambda it: region_of(it, 5), line_of, box_of):
        with pytest.raises(ValueError, match="the map has sent a"):
            read(sent)


@pytest.mark.parametrize("program", [bundle.javascript(name) for name in ("map", "store", "pad", "gallery")])
def test_the_program_is_one_and_our_own_and_writes_names_as_text(program):
    assert "innerHTML" not in program and "eval(" not in program and "http" not in program + bundle.css()
    assert not re.search(r"^import ", program, re.MULTILINE) and program.count("export default") == 1


def test_a_drawing_is_read_and_anything_else_refused():
    assert (drawn_of({"pixels": [0, 255, 12, 3]}, 2, 2) == [[[0, 255], [12, 3]]]).all()
    for sent in (None, {"pixels": "x"}, {"pixels": [1, 2]}, {"pixels": [0, 0, 0, 256]}, {"pixels": [0, 0, 0, None]}):
        with pytest.raises(ValueError, match="the pad has sent"):
            drawn_of(sent, 2, 2)


def test_a_choice_of_a_gallery_is_read_and_anything_else_refused():
    assert [picked_of(sent, 3) for sent in (0, 2, "1")] == [0, 2, 1]
    for sent in (None, "x", [], {}, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="a choice that cannot be read"):
            picked_of(sent, 3)
    for sent in (-1, 3, 10**30):
        with pytest.raises(ValueError, match=f"the gallery has 3 images, and image {sent} was picked"):
            picked_of(sent, 3)
