"""The page Clustering without labels: it opens, says what it knows of a run, answers queries, counts what labels are
worth; and Train and it keep their own knobs."""

import base64
import io
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from semidml import frames, presets
from semidml.config import RunConfig
from semidml.data import store, uploads
from semidml.execute import execute
from semidml.explore import clusters as explore_clusters
from semidml.explore.clusters import Cluster, comparator_configs
from semidml.jobs import queue
from semidml.methods import FORMULAS, VARIANTS
from semidml.plots.curves import entropy_curves
from semidml.runs import listing, places
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status
from semidml.ui import cache, clusters, labels_worth, links, pictures, query, scores
from semidml.ui.frame import MENU
from semidml.ui.knobs import config_of
from semidml.ui.words import values_of
from semidml.words import percent
from tests import apptest
from tests.apptest import checked, curves_of, map_of, press, scores_of, words

PAGE, TRAIN = "pages/9_Clusters.py", "pages/1_Train.py"
SETTINGS = {
    "whole": {"clusters": 10, "epochs": 2},
    "baseline": {"variant": "sme", "epochs": 1},
    "halves": {"split": "classes", "clusters": 5, "epochs": 1},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs of digits: `whole` has all terms, `baseline` trains no cluster, `halves` knows half the classes."""

    folder = tmp_path_factory.mktemp("trained")
    for name, knobs in SETTINGS.items():
        given = {"data": "digits", "model": "cbswr", "device": "cpu", "latent_dim": 8}
        run = listing.create_run(RunConfig.of(given | knobs), path=folder / name)
        for _ in execute(run):
            pass
        assert run.status().state == "done", run.status().reason
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Own folders, no run in them, no shipped runs."""
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(places, "shipped", lambda: tmp_path / "none")
    cache.forget_runs()
    yield tmp_path / "runs"


@pytest.fixture
def there(trained: Path, folder: Path) -> Path:
    """Own copies of the trained runs."""
    shutil.copytree(trained, folder)
    return folder


def opened(page: str = PAGE, **link: str) -> AppTest:
    return apptest.opened(page, **link)


def under_pictures(app: AppTest) -> list[list[str]]:
    """The captions of each strip of answers."""
    strips = [its.proto.body for its in app.get("html") if "query: " in its.proto.body]
    return [re.findall(r"<figcaption[^>]*>([^<]*)</figcaption>", strip) for strip in strips]


def pictured(app: AppTest) -> list[str]:
    """The clusters whose images are drawn, in order."""
    return re.findall(r'alt="(images of cluster \d+)"', "".join(its.proto.body for its in app.get("html")))


def keys(app: AppTest) -> set[str]:
    return {box.key for kind in (app.number_input, app.selectbox, app.segmented_control) for box in kind}


def chosen(app: AppTest) -> dict:
    return app.session_state["chosen knobs"]


# ---- without a run


def test_the_page_opens_alone_and_from_the_menu() -> None:
    app = opened()
    assert app.title[0].value == "Clustering without labels" and "Nothing has been trained here yet" in words(app)
    app = checked(opened(TRAIN).switch_page(PAGE).run())
    assert app.title[0].value == "Clustering without labels"
    assert PAGE in {page for section in MENU.values() for page, *_ in section}
    assert not next(button for button in app.button if button.label == "Train").disabled


def test_a_change_of_variant_shows_its_knobs_and_says_what_it_is() -> None:
    app = opened()
    for name, variant in VARIANTS.items():
        next(group for group in app.segmented_control if group.key == "variant").set_value(name).run()
        checked(app)
        assert f"**{variant.title}**: {variant.summary}" in words(app)
        head, pair = "clusters" in keys(app), "temperature" in keys(app)
        assert (head, pair) == (name != "sme", name != "clustering")
        assert ("reconstruction_weight" in keys(app)) == (name == "cbswr")
        assert app.query_params["model"] in ("cbswr", ["cbswr"])
        assert not next(button for button in app.button if button.label == "Train").disabled


@pytest.mark.parametrize("link", [{"variant": "sme"}, {"model": "cbswr", "variant": "sme"}])
def test_a_link_sets_the_variant_whether_or_not_it_names_the_model(link: dict) -> None:
    app = opened(**link)
    assert chosen(app) == {"model": "cbswr", "variant": "sme"} and "**SME**" in words(app)
    assert "clusters" not in keys(app)
    assert app.query_params["variant"] in ("sme", ["sme"]) and app.query_params["model"] in ("cbswr", ["cbswr"])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("variant", "all", "variant must be one of clustering, sme, cbs, cbswr"),
        ("clusters", "1", "clusters must be a whole number between 2 and 500, got 1"),
        ("temperature", "1e-9", "temperature must be between 0.001 and 100, got 1e-9"),
    ],
)
def test_what_a_link_says_wrongly_is_said(name: str, value: str, said: str) -> None:
    app = opened(model="cbswr", **{name: value})
    assert said in words(app) and name not in chosen(app)


@pytest.mark.parametrize("preset", presets.CLUSTERS, ids=lambda preset: preset.title)
def test_a_preset_sets_the_knobs(preset: presets.Preset) -> None:
    app = press(opened(epochs="3", variant="cbs"), preset.title)
    assert chosen(app) == preset.on("digits")
    assert app.session_state["variant"] == preset.values.get("variant", "cbswr")
    config = config_of(chosen(app))
    assert all(getattr(config, name) == value for name, value in preset.values.items()) and config.epochs != 3


def test_other_formulas_bring_their_knobs_and_each_can_be_moved() -> None:
    app = opened(clusters="7", lr="0.01", seed="3")
    app.selectbox(key="formulas").set_value("authors").run()
    config = config_of(chosen(checked(app)))
    assert (config.clusters, config.lr, config.seed) == (100, 0.001, 3) and config.head_dropout == 0.6
    assert app.number_input(key="momentum").value == 0 and app.number_input(key="clusters").value == 100
    assert FORMULAS["authors"].summary in words(app) and app.query_params["formulas"] in ("authors", ["authors"])
    assert not next(button for button in app.button if button.label == "Train").disabled
    app.number_input(key="head_dropout").set_value(0.0).run()
    moved = config_of(chosen(checked(app)))
    assert moved == config.model_copy(update={"head_dropout": 0.0})
    assert config_of(values_of(moved)) == moved, "Back to its knobs"
    app.selectbox(key="formulas").set_value("paper").run()
    assert config_of(chosen(checked(app))) == RunConfig.of({"model": "cbswr", "seed": 3})
    assert FORMULAS["authors"].summary not in words(app)


def test_a_link_to_the_authors_program_and_one_knob_set_back_says_the_same() -> None:
    config = RunConfig.of({"model": "cbswr", "formulas": "authors", "momentum": 0.9})
    app = opened(**links.link_of(config))
    assert config_of(chosen(app)) == config and app.number_input(key="momentum").value == 0.9


def test_knobs_are_shown_where_they_have_an_effect() -> None:
    app = opened(model="cbswr", twin_transform="photographs")
    assert "twin_colours" in keys(app) and "momentum" not in keys(app) and "l2" in keys(app)
    app.selectbox(key="optimizer").set_value("sgd").run()
    assert "momentum" in keys(checked(app)) and app.number_input(key="momentum").value == 0.9
    app.selectbox(key="twin_transform").set_value("signs").run()
    assert "twin_colours" not in keys(checked(app))


def test_steps_larger_than_all_images_are_refused_where_the_last_is_left_out() -> None:
    app = opened(model="cbswr", last_batch="dropped", batch_size="1298")
    assert "batch_size must be at most the number of training images, 1,297, got 1,298" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled
    app = opened(model="cbswr", last_batch="dropped", batch_size="1200", split="classes")
    assert "the training has 901 images of 5 classes: with last_batch dropped" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled


def test_another_data_set_has_its_own_number_of_epochs() -> None:
    """Ninety are right for the digits, and hours of MNIST."""
    app = press(opened(), "Best clusters")
    of_digits = chosen(app)["epochs"]
    next(box for box in app.selectbox if box.key == "data").set_value("mnist").run()
    assert config_of(chosen(checked(app))).epochs < of_digits / 10
    assert chosen(app)["clusters"] == 10


def test_knobs_that_cannot_be_trained_are_said_and_more_clusters_than_images_too() -> None:
    app = opened(model="cbswr", variant="sme", metric_weight="0")
    assert "all weights are 0, so that nothing would be trained" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled
    app = opened(model="cbswr", clusters="100", batch_size="32")
    assert "A step of 32 images cannot fill 100 clusters" in words(app)
    assert not next(button for button in app.button if button.label == "Train").disabled


def test_two_classes_cannot_be_split_into_halves() -> None:
    file = io.BytesIO()
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (40, 8, 8), dtype=np.uint8), np.arange(40) % 2
    np.savez(file, train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    uploads.save_upload("two", file.getvalue(), "two.npz")
    app = opened(model="cbswr", data="two", split="classes")
    assert "two has images of 2 classes; splitting by classes needs at least 3" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled
    assert "needs at least 3" not in words(opened(model="cbswr", data="two"))


# ---- the two methods and their knobs


def test_each_method_keeps_its_knobs_on_the_way_to_train_and_back() -> None:
    app = opened(TRAIN, model="dml", epochs="7", seed="3")
    labelled = dict(chosen(app))
    app.switch_page(PAGE).run()
    checked(app)
    assert chosen(app) == {"model": "cbswr"}
    press(app, "Best clusters")
    without = dict(chosen(app))
    app.switch_page(TRAIN).run()
    checked(app)
    assert chosen(app) == without and app.session_state["method"] == "twins"
    method = next(group for group in app.segmented_control if group.key == "method")
    method.set_value("square").run()
    checked(app)
    assert chosen(app) == labelled and "temperature" not in keys(app)
    app.switch_page(PAGE).run()
    assert chosen(checked(app)) == without
    app.switch_page(TRAIN).run()
    next(group for group in checked(app).segmented_control if group.key == "method").set_value("square").run()
    assert chosen(checked(app)) == labelled


def test_train_trains_without_labels_too(there: Path) -> None:
    app = opened(TRAIN, model="cbswr", variant="cbs", clusters="12", run="whole")
    said = words(app)
    assert chosen(app)["model"] == "cbswr" and "no label: clusters teach the metric" in said
    assert "square decoder" not in app.session_state and "alpha" not in {box.key for box in app.select_slider}
    assert {"variant", "clusters", "own_centroid", "clustering_weight"} <= keys(app)
    assert "Epoch 2 of 2 · 1,797 points" in said
    assert {"recall at 1", "k-means AMI", "cluster AMI"} <= set(scores_of(app))
    assert scores_of(app)["cluster AMI"]["value"] != "–"
    next(group for group in app.segmented_control if group.key == "method").set_value("square").run()
    assert "own_centroid" not in keys(checked(app)) and chosen(app) == {"model": "dml-ae"}


# ---- a finished run


def test_the_words_of_a_cluster_show_a_folders_name_as_text() -> None:
    of = Cluster(number=0, size=1, entropy=0.0, label=0, share=1.0, members=np.array([0]), drawn=None)
    assert clusters.cluster_words(of, ["<img src=x onerror=alert(1)>" + "y" * 100]).endswith(
        f"1 image, entropy 0.00; 100.0 % are <b>&lt;img src=x onerror=alert(1)&gt;{'y' * 32}</b>"
    )


def test_a_finished_run_shows_its_scores_clusters_and_curves(there: Path) -> None:
    app = opened(run="whole")
    run, said = listing.open_run("whole"), words(app)
    shown = {title: score["value"] for title, score in scores_of(app).items()}
    final, frame = run.metrics(), run.live()
    assert shown["recall at 1"] == scores.score_words("recall_at_1", final["recall_at_1"]) and shown["MAP@R"] != "–"
    assert shown["clusters used"] == str(final["clusters_used"])
    sizes = frame.cluster_sizes
    assert f"{(sizes > 0).sum()} of 10 clusters have images among the points drawn" in said and "ln K = 2.30" in said
    largest = int(sizes.argmax())
    entropy = frame.cluster_entropies[largest]
    (drawn,) = (its.proto.body for its in app.get("html") if "images of cluster" in its.proto.body)  # one element
    assert f"<b>{largest + 1}</b>: {sizes[largest]:,} images, entropy {entropy:.2f}" in drawn
    assert pictured(app) == [f"images of cluster {k + 1}" for k in np.argsort(-sizes, kind="stable") if sizes[k]]
    assert "all clusters" not in {toggle.key for toggle in app.toggle}, "all ten are there already"
    assert len(under_pictures(app)[0]) == 9 and "seen label" not in said
    assert map_of(app)["n"] == 1797 and map_of(app)["names"] == [str(digit) for digit in range(10)]
    assert "Images and their twins" in said and "At best all clusters are alike, ln K" in said
    assert [chart["title"] for chart in curves_of(app)] == ["Entropies", "Scores", "Loss"]
    assert "This variant does not train its clusters" not in said
    assert "0.3 × clustering" in said and "0.9 × metric" in said and "0.001 × reconstruction" in said


def test_a_projection_of_an_unfinished_epoch_is_not_taken_for_that_of_a_finished_one(there: Path) -> None:
    run = listing.open_run("whole")
    last = run.frames()[-1]
    np.savez(run.path / "frames" / "live.npz", **replace(run.frame(last), step=1).arrays())
    write_status(run, replace(run.recorded(), state="interrupted", reason="its process ended"))
    run.keep_projection(f"tsne-{last:04d}", points=np.ones((1797, 2), np.float32))
    app = opened(run="whole", plane="tsne")
    assert "Compute t-SNE of epoch 2" in {button.label for button in checked(app).button}
    assert "kept for now: its epoch is not over" in words(app) and "laid out by t-SNE" not in words(app)
    (run.path / "frames" / "live.npz").unlink()
    cache.forget_runs()
    assert "laid out by t-SNE" in words(checked(app.run()))


def test_damaged_files_are_said(there: Path) -> None:
    file = there / "whole" / "frames" / "0001.npz"
    file.write_bytes(file.read_bytes()[:-500])
    cache.forget_runs()
    app = opened(run="whole")
    app.select_slider(key="epoch whole").set_value(1).run()
    assert (
        "Here are the last points: the frame of epoch 1 is damaged and cannot be drawn: 0001"
        in checked(app).error[0].value
    )
    (there / "whole" / "metrics.json").write_text("{")
    assert "This run's folder is damaged: metrics.json cannot be read" in words(opened(run="whole"))


def test_more_clusters_than_fit_are_shown_when_asked_for(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "SHOWN_CLUSTERS", 3)
    app = opened(run="whole")
    shown = sum(listing.open_run("whole").live().cluster_sizes > 0)
    assert len(pictured(app)) == 3 and f"And {shown - 3} smaller ones." in words(app)
    app.toggle(key="all clusters").set_value(True).run()
    assert len(pictured(checked(app))) == shown and "smaller ones" not in words(app)


def test_the_map_takes_the_colours_of_clusters(there: Path) -> None:
    app = opened(run="whole")
    app.segmented_control(key="cluster colours").set_value("cluster").run()
    its = map_of(checked(app))
    used = set(np.unique(listing.open_run("whole").live().clusters) + 1)
    assert {f"cluster {number}" for number in used} <= set(its["names"])
    assert its["names_of_labels"] == [str(digit) for digit in range(10)], "a point still says its class"


@pytest.mark.parametrize("position", [3, 1500])
def test_a_query_is_answered_by_the_nearest_of_its_split(there: Path, position: int) -> None:
    app = opened(run="whole")
    app.session_state["query"] = {"whole": position}
    app.run()
    frame, rows = listing.open_run("whole").live(), listing.open_run("whole").rows()
    latents, labels, split = frame.latents.astype(float), rows["labels"], rows["split"]
    like = np.where(split == split[position], latents @ latents[position], -2)  # by cosine: all have length 1
    like[position] = -2
    known = np.argsort(-like)[:8]
    captions = under_pictures(checked(app))[0]
    right = [labels[i] == labels[position] for i in known]
    assert captions == [
        f"query: {labels[position]}",
        *(f"{'✓' if its else '✗'} {labels[i]}" for its, i in zip(right, known, strict=True)),
    ]
    assert f"of the {'training' if position == 3 else 'test'} images drawn" in words(app)
    assert f"{sum(right)} of them are of the query's class" in words(app) and map_of(app)["marked"] == [position]


def test_a_query_that_is_none_gives_way_to_the_first(there: Path) -> None:
    app = opened(run="whole")
    first = under_pictures(app)[0]
    for nonsense in ({"whole": 10**6}, {"whole": -1}, {"another": 3}):
        app.session_state["query"] = nonsense
        assert under_pictures(checked(app.run()))[0] == first


def test_an_earlier_epoch_is_shown_when_it_is_chosen(there: Path) -> None:
    app = opened(run="whole")
    next(slider for slider in app.select_slider if slider.key == "epoch whole").set_value(0).run()
    sizes = listing.open_run("whole").frame(0).cluster_sizes
    assert "Before training" in words(checked(app)) and f"{(sizes > 0).sum()} of 10 clusters" in words(app)


def test_a_variant_without_decoder_and_clusters_of_its_own(there: Path) -> None:
    app = opened(run="baseline")
    assert "This variant does not train its clusters" in words(app) and pictured(app)
    assert chosen(app)["variant"] == "sme", "the link brings the run's knobs"
    assert "this run: variant" not in words(app)


def test_a_run_of_new_classes_is_scored_by_retrieval_alone(there: Path) -> None:
    app = opened(run="halves")
    said = words(app)
    assert "classes that the training has not seen" in said and "kNN with all labels" not in said
    assert listing.open_run("halves").details()["facts"]["training_rows"] == 901
    assert labels_worth.trained_on(listing.open_run("halves")) == (901, 5)
    assert labels_worth.trained_on(listing.open_run("whole")) == (1297, 10)


def test_only_runs_without_labels_are_offered_and_anothers_is_passed_over(there: Path) -> None:
    other = listing.create_run(RunConfig(model="dml"), path=there / "labelled")
    write_status(other, Status("stopped", updated=time.time()))
    app = opened(run="labelled")
    offered = next(box for box in app.selectbox if box.key == "run shown")
    assert len(offered.options) == 3 and offered.value in SETTINGS and "is not here" not in words(app)
    assert "is not here (any more)" in words(opened(run="../../no-such-run"))


def test_a_run_whose_data_are_gone_says_so(there: Path) -> None:
    for name in SETTINGS:
        path = there / name / "config.json"
        details = json.loads(path.read_text())
        details["config"]["data"] = "lost"
        path.write_text(json.dumps(details))
        app = opened(run=name)
        assert "The pictures of this run cannot be shown" in words(app) and map_of(app)["n"] == (
            1797 if name != "halves" else len(listing.open_run(name).rows()["labels"])
        )
        assert set(scores_of(app)) >= {"recall at 1", "k-means NMI"}
        assert "clusters have images among the points drawn" in words(app)
        assert not under_pictures(app) and not pictured(app)


def test_a_run_of_a_release_without_clusters_says_so(there: Path) -> None:
    for path in (there / "whole" / "frames").glob("*.npz"):
        with np.load(path) as kept:
            frame = {name: its for name, its in kept.items() if not name.startswith("cluster")}
        np.savez(path, **frame)
    assert "This run has no clusters" in words(opened(run="whole"))


def test_a_run_whose_data_set_has_changed_since_says_so(there: Path) -> None:
    for name, change in (("whole", "shape"), ("baseline", "rows")):
        if change == "shape":
            path = there / name / "config.json"
            details = json.loads(path.read_text())
            details["data"]["shape"] = [1, 9, 9]
            path.write_text(json.dumps(details))
        else:
            path = there / name / "rows.npz"
            rows = dict(np.load(path))
            np.savez(path, **{**rows, "row": rows["row"] + 10_000})
        cache.forget_runs()
        for page in (PAGE, TRAIN, "pages/2_Explore.py"):
            app = opened(page, run=name)
            assert "another data set" in words(app), (page, change)
            assert map_of(app)["n"] == 1797 and not pictured(app)


def test_what_a_frame_shows_is_drawn_once(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    makers = {"make_twins": explore_clusters, "list_clusters": explore_clusters, "read_pictures": clusters}
    drawn = dict.fromkeys(makers, 0)
    for name, room in makers.items():
        real = getattr(room, name)

        def noted(*given, name: str = name, real=real):
            drawn[name] += 1
            return real(*given)

        monkeypatch.setattr(room, name, noted)
    for kept in (
        query.offered_images,
        query.answers,
        clusters.clusters_of,
        clusters.clusters_html,
        clusters.twins_html,
    ):
        kept.clear()
    app = opened(run="whole")
    once = dict(drawn)
    assert once["make_twins"] == once["list_clusters"] == 1 and once["read_pictures"]
    checked(app.run())
    assert drawn == once
    next(slider for slider in app.select_slider if slider.key == "epoch whole").set_value(0).run()
    checked(app)
    assert drawn["list_clusters"] == 2 and drawn["make_twins"] == 1 and drawn["read_pictures"] > once["read_pictures"]


def test_large_images_are_drawn_small(there: Path, digits, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from semidml.data.dataset import Split
    from semidml.scores import protocol

    large = [
        Split(part.images.repeat_interleave(32, 2).repeat_interleave(32, 3), part.labels)
        for part in (digits.train, digits.test)
    ]
    large = replace(digits, train=large[0], test=large[1])
    path = there / "baseline" / "config.json"
    details = json.loads(path.read_text())
    details["data"]["shape"] = [1, 256, 256]
    for name in ("digest", "pixels"):
        details["data"].pop(name)
    path.write_text(json.dumps(details))
    compared, floors = [], protocol.floors

    def noted(given):
        compared.extend([given.train.shape, given.test.shape])
        return floors(given)

    monkeypatch.setattr(protocol, "floors", noted)
    monkeypatch.setattr(store, "load", lambda name, **how: large)
    monkeypatch.setattr(clusters, "is_warm", lambda: True)
    cache.forget_runs()
    app = opened(run="baseline")
    assert compared == [(1297, 32 * 32), (500, 32 * 32)] and "pixels reduced to 32 x 32" in words(app)
    sources = re.findall(
        r"base64,([^\"]+)", "".join(its.proto.body for its in app.get("html") if "query: " in its.proto.body)
    )
    assert {Image.open(io.BytesIO(base64.b64decode(its))).size for its in sources} == {(128, 128)}
    strip = next(its.proto.body for its in app.get("html") if "over their twins" in its.proto.body)
    width, height = Image.open(io.BytesIO(base64.b64decode(strip.split("base64,")[1].split('"')[0]))).size
    assert (width, height) == (8 * 65 - 1, 5 * 65 - 1)
    cache.forget_runs()


def test_a_score_that_failed_says_why(there: Path) -> None:
    path = there / "whole" / "metrics.json"
    metrics = json.loads(path.read_text()) | {"kmeans_nmi": None, "failed": {"kmeans_nmi": "needs 10 distinct points"}}
    path.write_text(json.dumps(metrics))
    nmi = scores_of(opened(run="whole"))["k-means NMI"]
    assert nmi["value"] == "–" and nmi["help"].endswith("Not computed: needs 10 distinct points.")


def test_curves_of_a_long_training_are_thinned(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_RECORDS", 1)
    drawn, curves = [], entropy_curves

    def noted(records, *given):
        drawn.append(len(records))
        return curves(records, *given)

    monkeypatch.setattr(clusters, "entropy_curves", noted)
    opened(run="whole")
    assert len(listing.open_run("whole").history()) == 3 and drawn == [2]


def test_home_names_a_run_without_labels_by_a_score_without_labels(there: Path) -> None:
    home = opened("")
    said, links = words(home), [link.proto.label for link in home.get("page_link")]
    for run, title in (("whole", "CBSwR"), ("baseline", "SME")):
        assert f"**{title}**" in links
        assert f"**R@1 {percent(listing.open_run(run).metrics()['recall_at_1'])}**" in said
    assert "kNN on all labels" not in said


def test_a_prediction_among_new_classes_is_explained_by_rows_of_its_split(there: Path) -> None:
    app = opened("pages/2_Explore.py", run="halves")
    rows = listing.open_run("halves").rows()
    for position in (3, len(rows["split"]) - 3):
        app.session_state["chosen point"] = position
        said = checked(app.run()).header
        titles = [its for its in said if its.value.startswith("Nearest t")]
        own = "test" if rows["split"][position] == frames.TEST else "training"
        assert titles[0].value == f"Nearest {own} rows" and titles[0].proto.help.startswith("These vote")
        assert len(titles) == 2 and titles[1].proto.help.startswith("Rows of other classes")
        assert "Nearest seen labels" not in words(app)
    app.session_state["section"] = "Confusion"
    assert "by the 5 nearest of the other test rows drawn" in words(checked(app.run()))


# ---- what labels are worth


def labelled(folder: Path, config: RunConfig, state: str, recall: float | None, name: str) -> Run:
    """A run as a training leaves it."""
    run = listing.create_run(config, path=folder / name)
    write_status(run, Status(state, epoch=1, epochs=1, updated=time.time()))
    if recall is not None:
        (run.path / "metrics.json").write_text(json.dumps({"recall_at_1": recall}))
    return run


def wanted(name: str) -> dict[int, RunConfig]:
    run = listing.open_run(name)
    return comparator_configs(run.config(), *labels_worth.trained_on(run))


def test_without_trainings_with_labels_the_page_offers_them(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submitted = []
    monkeypatch.setattr(queue, "jobs", lambda: FakeJobs(submitted))
    app = opened(run="whole")
    level = percent(listing.open_run("whole").metrics()["recall_at_1"])
    assert f"the right neighbour of **{level}** of the test images" in words(app)
    press(app, "Train with 20, 50, 100, 200, 500, 1,000 labels")
    assert submitted == list(wanted("whole").values()) and len(submitted) == 6
    assert {config.model for config in submitted} == {"dml"} and {config.epochs for config in submitted} == {2}


class FakeJobs:
    """A supervisor that only notes what it is given."""

    def __init__(self, submitted: list):
        self.submitted = submitted

    def submit(self, config: RunConfig, visitor: str, parent: object = None) -> None:
        self.submitted.append(config)

    def queue(self) -> list:
        return []

    orphans = queue


@pytest.mark.parametrize("name", ["whole", "halves"])
def test_the_trainings_with_labels_see_as_many_as_they_say(name: str, there: Path, digits) -> None:
    from semidml.train.task import prepare

    settings = wanted(name)
    assert list(settings) == ([20, 50, 100, 200, 500, 1000] if name == "whole" else [20, 50, 100, 200, 500])
    for count, config in settings.items():
        assert len(prepare(config, digits)[1].rows) == count


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        ((-0.2, -0.1, 0.1), r"About \*\*71 labels\*\*"),  # half way from 50 to 100 on a logarithmic scale
        ((0.1, 0.2, 0.3), "20 labels are enough"),
        ((-0.3, -0.2, -0.1), "Not yet with 100"),
    ],
)
def test_finished_trainings_with_labels_say_what_labels_are_worth(there: Path, reached: tuple, said: str) -> None:
    level = listing.open_run("whole").metrics()["recall_at_1"]
    for (count, config), more in zip(wanted("whole").items(), reached, strict=False):
        labelled(there, config, "done", level + more, f"with-{count}")
    app = opened(run="whole")
    assert re.search(said, words(app)) and "What labels are worth" in [chart["title"] for chart in curves_of(app)]


def test_a_training_that_has_failed_is_offered_again_and_a_finished_one_is_taken(there: Path) -> None:
    """Two runs of the same setting, whichever was made first."""
    settings = wanted("halves")
    level = listing.open_run("halves").metrics()["recall_at_1"]
    for order in (("failed", "done"), ("done", "failed")):
        for count, config in list(settings.items())[:2]:
            for state in order:
                labelled(there, config, state, level + 0.1 if state == "done" else None, f"{state}-{count}")
        app = opened(run="halves")
        assert "20 labels are enough" in words(app)
        for path in there.glob("*-*"):
            shutil.rmtree(path)
    for count, config in settings.items():
        labelled(there, config, "failed", None, f"failed-{count}")
    app = opened(run="halves")
    assert "Train with 20, 50, 100, 200, 500 labels" in [button.label for button in app.button]


def test_failed_trainings_say_why_and_only_what_is_missing_is_offered(
    there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = []
    monkeypatch.setattr(queue, "jobs", lambda: FakeJobs(submitted))
    settings = wanted("halves")
    for count in (20, 100):
        labelled(there, settings[count], "done", 0.5, f"done-{count}")
    failed = labelled(there, settings[50], "failed", None, "failed-50")
    write_status(failed, Status("failed", reason="the loss was no longer finite", updated=time.time()))
    labelled(there, settings[20], "failed", None, "failed-20")
    app = opened(run="halves")
    said = words(app)
    assert "The training with 50 labels is failed: the loss was no longer finite." in said
    assert "The training with 20 labels" not in said, "another run of this setting is done"
    press(app, "Train with 50, 200, 500 labels")
    assert submitted == [settings[count] for count in (50, 200, 500)]


def test_the_setting_that_labels_are_held_against_is_named(there: Path) -> None:
    said = words(opened(run="whole"))
    assert "a convolutional network from scratch, 16 dimensions, triplet loss" in said
    assert (
        f"{2 * listing.open_run('whole').config().batch_size} images a step. Its 2 epochs and seed 0 are this run's"
        in said
    )


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("stopped", "This run was stopped before its end. When it is resumed and done"),
        ("failed", "This run has failed. When it is resumed and done"),
    ],
)
def test_a_run_that_ended_early_is_not_waited_for(there: Path, state: str, said: str) -> None:
    (there / "whole" / "metrics.json").unlink()
    write_status(listing.open_run("whole"), Status(state, epoch=1, epochs=2, updated=time.time()))
    assert said in words(opened(run="whole"))


def test_a_refused_training_is_said_by_the_whole_page(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Redrawn(Exception):
        pass

    def redraw() -> None:
        raise Redrawn

    monkeypatch.setattr(clusters.st, "rerun", redraw)
    monkeypatch.setattr(clusters.st, "session_state", {"outcome": (False, "there is no room")}, raising=False)
    with pytest.raises(Redrawn):
        labels_worth.draw_labels_worth(listing.open_run("whole"))


def test_a_run_of_the_largest_steps_can_be_compared(there: Path) -> None:
    path = there / "whole" / "config.json"
    details = json.loads(path.read_text())
    details["config"]["batch_size"] = 8192
    path.write_text(json.dumps(details))
    assert "8,192 images a step" in words(opened(run="whole"))


def test_trainings_that_wait_are_counted_and_not_offered_again(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "jobs", lambda: FakeJobs([]))
    for count, config in wanted("halves").items():
        labelled(there, config, "queued", None, f"with-{count}")
    said = words(opened(run="halves"))
    assert "5 of them still run or wait" in said or "of them still run" in said
