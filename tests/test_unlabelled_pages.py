"""Every page of data and runs of which some rows have no label, or none has: nothing of a class is told of those."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from semidml.config import RunConfig
from semidml.data import store
from semidml.execute import execute
from semidml.explore import drawing, points, take_away
from semidml.explore.clusters import list_clusters
from semidml.explore.dataset import class_counts
from semidml.frames import TEST
from semidml.plots.colours import FAINT, UNLABELLED
from semidml.plots.pictures import map_image
from semidml.runs import listing, places
from semidml.scatter import pack
from semidml.scores.table import SCORES
from semidml.ui import cache
from tests.apptest import checked, map_of, opened, scores_of, words

TRAIN, EXPLORE, DATA = "pages/1_Train.py", "pages/2_Explore.py", "pages/3_Data.py"
PRIOR, COMPARE, CLUSTERS = "pages/4_Prior.py", "pages/8_Compare.py", "pages/9_Clusters.py"
SETTINGS = {
    "flat clusters": {"data": "flat", "model": "cbswr", "latent_dim": 8, "clusters": 10, "epochs": 2},
    "flat images": {"data": "flat", "model": "metric-vae", "prior": "gmm", "alpha": 1.0, "epochs": 2},
    "mixed": {"data": "mixed", "model": "metric-vae", "prior": "gmm", "alpha": 0.1, "epochs": 2},
    "mixed clusters": {"data": "mixed", "model": "cbswr", "latent_dim": 8, "clusters": 10, "epochs": 1},
}
TITLES = {score.title for score in SCORES.values() if score.needs_labels}
TITLES |= {score.short_title for score in SCORES.values() if score.needs_labels}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits) -> Iterator[Path]:
    """`flat`: 2,000 images without a class. `mixed`: digits of which a tenth of the training labels and half of the
    test labels are known. Finished runs on them."""
    top = tmp_path_factory.mktemp("unlabelled")
    (top / "data" / "uploads").mkdir(parents=True)
    images = np.concatenate([part.images[:, 0].numpy() for part in (digits.train, digits.test)])
    images = np.concatenate([images, np.roll(images[:203], 1, axis=2)])
    np.savez(top / "data" / "uploads" / "flat.npz", train_images=images, train_labels=np.full(2000, -1))
    train, test = (
        np.where(np.arange(len(y)) % m, -1, y) for y, m in ((digits.train.labels, 10), (digits.test.labels, 2))
    )
    arrays = {"train_images": digits.train.images[:, 0].numpy(), "test_images": digits.test.images[:, 0].numpy()}
    names = [f"digit {number}" for number in range(10)]
    np.savez(top / "data" / "uploads" / "mixed.npz", **arrays, train_labels=train, test_labels=test, class_names=names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMIDML_DATA", str(top / "data"))
        store.kept.clear()
        for name, knobs in SETTINGS.items():
            run = listing.create_run(
                RunConfig.of({"device": "cpu"} | knobs), path=top / "runs" / name.replace(" ", "-")
            )
            for _ in execute(run):
                pass
            assert run.status().state == "done", run.status().reason
    return top


@pytest.fixture(autouse=True)
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for part in ("runs", "data"):
        shutil.copytree(trained / part, tmp_path / part)
        monkeypatch.setenv(f"SEMIDML_{part.upper()}", str(tmp_path / part))
    monkeypatch.setattr(places, "shipped", lambda: tmp_path / "none")
    store.kept.clear()
    cache.forget_runs()
    return tmp_path


def told_scores(app: AppTest) -> set[str]:
    """The scores shown whose value is of labels."""
    return set(scores_of(app)) & TITLES


def strips(app: AppTest) -> list[list[str]]:
    bodies = [element.proto.body for element in app.get("html") if "query: " in element.proto.body]
    return [re.findall(r"<figcaption[^>]*>([^<]*)</figcaption>", body) for body in bodies]


def train_button(app: AppTest):
    return next(button for button in app.button if button.label == "Train")


def test_clusters_of_a_flat_folder_are_seen_and_asked_without_a_class():
    app = opened(CLUSTERS, run="flat-clusters")
    said, header = words(app), map_of(app)
    assert header["n"] == 2000 and all(name.startswith("cluster ") for name in header["names"])
    assert re.search(r"\d+ of 10 clusters have images", said) and "named for the eye" not in said
    assert not told_scores(app) and "clusters used" in scores_of(app)
    assert "scores that need labels are left out: no test image has a label." in said
    (drawn,) = (element.proto.body for element in app.get("html") if "images of cluster" in element.proto.body)
    assert "% are" not in drawn and "nan" not in drawn and re.search(r"<b>\d+</b>: \d+ images?, entropy", drawn)
    assert strips(app) == [["query: no label", *["no label"] * 8]] and "of the query's class" not in said
    assert "No test image has a label: nothing tells how right" in said
    app.segmented_control(key="cluster colours").set_value("class").run()
    assert map_of(checked(app))["names"] == ["no label"] and map_of(app)["looks"] == [[UNLABELLED, "circle"]]


def test_train_shows_a_run_without_a_class_and_refuses_before_it_is_pressed():
    app = opened(TRAIN, run="flat-images", data="flat", model="metric-vae", prior="gmm", alpha="1")
    assert not told_scores(app) and map_of(app)["names"] == ["no label"] and "No image has a label." in words(app)
    assert not train_button(app).disabled
    app = opened(TRAIN, data="flat", model="dml")
    said = (
        "no training image has a label, and dml learns from labels of two classes or more: train cbswr, which needs no"
    )
    assert train_button(app).disabled and said in words(app)
    assert not train_button(opened(TRAIN, data="flat", model="cbswr")).disabled
    app = opened(TRAIN, data="mixed", model="dml", pl="50")
    assert "65 of 130 labels (about 6 a class), 1,167 images without" in words(app) and not train_button(app).disabled


@pytest.mark.parametrize("name", ["flat-images", "mixed", "flat-clusters"])
def test_explore_answers_for_rows_without_a_label(name):
    run = listing.open_run(name)
    frame = run.live()
    app = opened(EXPLORE, run=name)
    app.session_state["chosen point"] = position = int(np.flatnonzero(frame.rows["labels"] < 0)[0])
    checked(app.run())
    assert "which has no label" in words(app) and "Class `" not in words(app)
    app.session_state["chosen point"] = None
    app.session_state["region"] = [position, position + 1, position + 2, 3]
    checked(app.run())
    colours = app.segmented_control(key="colour").options
    assert ("Prediction" in colours) == (name == "mixed") == ("Error" in colours)
    assert ("Cluster" in colours) == (name == "flat-clusters") == ("Class" not in colours)
    if name == "flat-clusters":
        assert all(called.startswith("cluster ") for called in map_of(app)["names"]), "a map in one grey says nothing"
        return
    for colour in ("class", *(("prediction", "seen", "error") if name == "mixed" else ())):
        app.segmented_control(key="colour").set_value(colour).run()
        header = map_of(checked(app))
        assert len(header["names"]) == len(header["looks"])
        assert ("no label" in " ".join(header["names"])) == (colour != "prediction")
    if name == "flat-images":
        app.session_state["region"], app.session_state["chosen place"] = [], (0.0, 0.0)
        checked(app.run())
        assert "nearest seen labels would call it" not in words(app)


def test_every_section_of_explore_is_drawn_with_and_without_a_label():
    for name in ("flat-images", "mixed", "flat-clusters"):
        app = opened(EXPLORE, run=name)
        sections = next(group for group in app.segmented_control if "Confusion" in group.options)
        for section in sections.options:
            next(g for g in app.segmented_control if "Confusion" in g.options).set_value(section).run()
            said = words(checked(app))
            if section == "Scores":
                assert bool(told_scores(app)) == (name == "mixed")
                assert ("scores that need labels are left out" in said) == (name != "mixed")
            if section == "Confusion":
                assert ("No test row drawn has a label" in said) == (name != "mixed")
                assert name != "mixed" or "of the 250 test rows drawn are right" in said


def test_what_if_a_component_were_elsewhere_counts_rows_without_a_label():
    for name in ("flat-images", "mixed"):
        app = opened(EXPLORE, run=name)
        app.toggle(key="movable").set_value(True).run()
        frame = listing.open_run(name).live()
        moved = frame.component_means.copy()
        moved[0] += 5
        stamp = points.stamp(listing.open_run(name), f"frames/{frame.epoch:04d}.npz")
        app.session_state["moved components"] = (name, frame.epoch, *stamp), moved
        app.session_state["what if"] = True
        said = words(checked(app.run()))
        assert "Nothing is trained: the points stay." in said and ("- AMI" in said) == (name == "mixed")


def test_data_counts_rows_without_a_label():
    app = opened(DATA, data="flat")
    said = words(app)
    assert "1,600 training · 400 test images of 8 x 8 pixels, grey, without classes." in said
    assert "Images with a label: 0 of 1,600 training · 0 of 400 test." in said
    assert "No training image has a label: what learns from images alone can be trained" in said
    app = opened(DATA, data="mixed")
    said = words(app)
    assert "Images with a label: 130 of 1,297 training · 250 of 500 test." in said
    assert "130 labels, 1,167 images without" in said
    names, train, test = class_counts(store.load("mixed"))
    assert names[-1] == "no label" and train[-1] == 1167 and test[-1] == 250 and sum(train) == 1297


def test_home_compare_and_the_prior_know_runs_without_a_label():
    home = words(opened())
    assert ":gray-badge[flat] :gray-badge[no labels]" in home and "**no labels**" in home
    assert ":gray-badge[mixed] :gray-badge[all labels]" in home
    opened(PRIOR)
    app = opened(COMPARE, runs="flat-images,mixed")
    said = words(app)
    assert "cannot be compared" not in said and "What differs in the scores" in said
    assert re.search(r"\*\*A\*\*, [^\n]*kNN, all labels[^\n]*: no test image has a label", said)


def test_a_table_to_take_away_has_empty_cells():
    run = listing.open_run("mixed")
    rows = take_away.all_rows(run, store.load("mixed"))
    table = pd.read_csv(pd.io.common.BytesIO(take_away.as_csv(rows, points.class_names(run))))
    assert table["label"].isna().sum() == 1167 + 250 and table["prediction"].notna().all()
    assert set(table["label"].dropna()) == {f"digit {number}" for number in range(10)}
    flat = take_away.all_rows(listing.open_run("flat-images"), store.load("flat"))
    table = pd.read_csv(pd.io.common.BytesIO(take_away.as_csv(flat, [])))
    assert len(table) == 2000 and table["label"].isna().all() and table["prediction"].isna().all()


def test_maps_have_a_grey_for_what_has_no_label():
    run = listing.open_run("mixed")
    frame, names = run.live(), points.class_names(run)
    unlabelled = frame.rows["labels"] < 0
    for kind in ("class", "seen", "error"):
        colouring = drawing.colour_points(frame, names, kind)
        looks = np.array([colour for colour, _ in colouring.looks])[colouring.categories]
        assert (looks[unlabelled] == UNLABELLED).all() and (looks[~unlabelled] != UNLABELLED).all()
    hidden = ~frame.rows["seen"] & ~unlabelled
    colouring = drawing.colour_points(frame, names, "seen")
    assert {colouring.looks[c][0] for c in colouring.categories[hidden]} == {FAINT} != {UNLABELLED}
    assert hidden[frame.rows["split"] == TEST].sum() == 250
    ranges = ((0.0, 1.0), (0.0, 1.0))
    drawn = drawing.draw_frame(frame, frame.latents, names, ranges, words="", run="")
    packed = pack.pack(replace(drawn, labels=frame.rows["labels"], predictions=frame.predictions))
    start = 4 + int.from_bytes(packed[:4], "little") + 6 * len(unlabelled)  # after the header, x, y and the category
    assert (
        np.frombuffer(packed, "<u2", len(unlabelled), start)
        == np.where(unlabelled, pack.NONE, frame.rows["labels"].astype(int))
    ).all()
    grey = map_image(np.zeros((1, 2)), np.array([-1]))
    assert grey != map_image(np.zeros((1, 2)), np.array([19])) and grey != map_image(np.zeros((1, 2)), np.array([0]))


def test_a_cluster_is_named_by_its_rows_with_a_label():
    run = listing.open_run("mixed-clusters")
    frame = run.live()
    for cluster in list_clusters(frame):
        own = frame.rows["labels"][frame.clusters == cluster.number]
        known = own[own >= 0]
        if len(known):
            assert cluster.share == pytest.approx(np.bincount(known).max() / len(known)) and 0 < cluster.share <= 1
        else:
            assert cluster.label == -1
    app = opened(CLUSTERS, run="mixed-clusters")
    app.session_state["query"] = {"mixed-clusters": int(np.flatnonzero(frame.rows["labels"] >= 0)[0])}
    captions = strips(checked(app.run()))[0]
    assert re.fullmatch(r"query: digit \d", captions[0])
    assert all(re.fullmatch(r"([✓✗] digit \d|no label)", caption) for caption in captions[1:])
