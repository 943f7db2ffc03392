"""Explore and Data open, answer, and say what is missing or wrong; AppTest draws them without a browser."""

import base64
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from semidml import frames, memory, tasks
from semidml.config import RunConfig
from semidml.data import store, uploads
from semidml.execute import execute, score_run
from semidml.explore.points import read_frame, stamp
from semidml.jobs import queue
from semidml.jobs.queue import Jobs
from semidml.priors import given
from semidml.runs import lineage, listing, places, transfer
from semidml.scatter import pack
from semidml.scores import components
from semidml.tasks import Progress
from semidml.train import task as training
from semidml.ui import cache, maps, pictures
from semidml.ui.explorer import answers, what_if, whole
from tests.apptest import checked, opened, scores_of, words

ROOT = Path(__file__).parents[1]
TRAIN, EXPLORE, DATA, COMPARE = "pages/1_Train.py", "pages/2_Explore.py", "pages/3_Data.py", "pages/8_Compare.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs of digits: `sphere`, of a loss by direction, `plane`, an autoencoder in 2 dimensions, `deep`,
    without a decoder in 4, and, with a prior in 2, `places` (four components, no decoder) and `vamp` (40
    pseudo-inputs)."""

    folder = tmp_path_factory.mktemp("trained")
    settings = {
        "sphere": {"model": "dml", "loss": "supcon", "latent_dim": 4, "epochs": 1},
        "plane": {"model": "dml-ae", "alpha": 0.1, "epochs": 3},
        "deep": {"model": "dml", "latent_dim": 4, "epochs": 2},
        "places": {"model": "dml-prior", "prior": "gmm", "epochs": 2},
        "vamp": {"model": "metric-vae", "prior": "vamp", "epochs": 1, "pseudo_inputs": 40},
    }
    for name, knobs in settings.items():
        run = listing.create_run(
            RunConfig.of({"data": "digits", "pl": 10, "device": "cpu", **knobs}), path=folder / name
        )
        for _ in execute(run):
            pass
        assert run.status().state == "done", run.status().reason
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Own copies of the runs, own data, no shipped runs."""
    shutil.copytree(trained, tmp_path / "runs")
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(places, "shipped", lambda: tmp_path / "none")
    yield tmp_path / "runs"


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


# ---- Explore


def test_a_run_opens_with_a_point_that_answers(folder: Path) -> None:
    app = opened(EXPLORE, run="plane")
    said = words(app)
    assert "1,797 points: 1,297 training and 500 test rows" in said
    assert "130 with a seen label" in said and "Squared error of the reconstruction" in said
    assert "Nearest seen labels" in said and "Nearest other rows" in said
    assert set(scores_of(app)) >= {"kNN", "1-NN", "k-means AMI", "recall at 1", "spread"}
    assert app.query_params["run"] in ("plane", ["plane"])  # a list in Streamlit 1.64


def test_a_loss_by_direction_is_said_and_its_full_scores_stand_beside_those_with_lengths(folder: Path) -> None:
    score_run(listing.open_run("sphere"), full=True, keep=True)
    app = opened(EXPLORE, run="sphere")
    said = "The loss supervised contrastive learns from directions alone: each latent is scaled to length 1"
    assert words(app).count(said) == 2, "under the map and under the scores"
    assert "With lengths" in words(app) and "bfloat16" not in words(app)
    assert {"MAP@R", "MAP@R, raw"} <= set(scores_of(app))
    assert said not in words(opened(EXPLORE, run="deep")) and "made by version" not in words(app)
    path = listing.open_run("sphere").path / "config.json"
    details = json.loads(path.read_text())
    path.write_text(json.dumps(details | {"versions": details["versions"] | {"semidml": "0.1.0"}}))
    assert "were made by version `0.1.0`, of latents with their lengths" in words(opened(EXPLORE, run="sphere"))


def test_a_run_that_trained_in_bfloat16_says_so(folder: Path) -> None:
    run = listing.open_run("plane")
    details = json.loads((run.path / "config.json").read_text())
    assert details["machine"]["precision"] == "float32", "small images: not taken by itself"
    details["machine"]["precision"] = "bfloat16"
    (run.path / "config.json").write_text(json.dumps(details))
    assert "Its networks trained in bfloat16" in words(opened(EXPLORE, run="plane"))


def test_without_runs_the_page_leads_to_train(folder: Path) -> None:
    shutil.rmtree(folder)
    assert "There is no run yet" in words(opened(EXPLORE))


@pytest.mark.parametrize(("page", "link"), [(EXPLORE, {"run": "plane"}), (COMPARE, {"runs": "plane,deep"})])
def test_the_python_that_a_page_shows_runs(folder: Path, page: str, link: dict[str, str]) -> None:
    program = next(block.value for block in opened(page, **link).code if block.language == "python")
    values: dict[str, object] = {}
    exec(program, values)
    if page == EXPLORE:
        assert values["rows"]["latents"].shape == (1797, 2)
    else:
        assert [run.id for run in values["some"]] == ["plane", "deep"]


@pytest.mark.parametrize("name", ["../../etc", "gone", "<script>alert(1)</script>", "a\0b", ""])
def test_a_link_to_no_run_is_said(folder: Path, name: str) -> None:
    app = opened(EXPLORE, run=name)
    assert "There is no run called" in app.warning[0].value
    assert app.selectbox(key="explored run").value in ("plane", "deep", "places", "vamp")


def test_an_image_that_is_dropped_gets_a_place_and_a_class(folder: Path) -> None:
    from sklearn.datasets import load_digits

    app = opened(EXPLORE, run="plane")
    app.session_state["section"] = "Your own image"
    checked(app.run())
    assert "Draw on the pad, or drop an image" in words(app)
    digit = load_digits().images[0] * 255 / 16
    file = io.BytesIO()
    Image.fromarray((255 - digit).astype(np.uint8)).resize((80, 80), 0).save(file, "PNG")  # dark on light, as on paper
    app.get("file_uploader")[-1].upload("zero.png", file.getvalue(), "image/png").run()
    checked(app)
    assert "Its class: by the 5 nearest seen labels" in words(app) and app.session_state["own place"][0] == "plane"
    app.get("file_uploader")[-1].upload("bad.png", b"no image", "image/png").run()
    assert "bad.png is not an image that can be read" in checked(app).error[0].value


def test_two_runs_are_compared(folder: Path) -> None:
    app = opened(COMPARE)
    assert "Choose two runs" in words(app)
    app.multiselect(key="compared").set_value(["plane", "deep"]).run()
    checked(app)
    said = words(app)
    assert "| Latent dimensions | 2 | 4 |" in said and "| Epochs | 3 | 2 |" in said and "of A's variance" in said
    assert "| Alpha | 0.1 | – |" in said and "| Seed | 0 | 0 |" not in said
    (equal,) = [box for box in app.expander if "knobs are equal" in box.label]
    assert (
        "| Seed | 0 |" in equal.markdown[0].value
        and f"{equal.markdown[0].value.count(chr(10)) - 1} knobs" in equal.label
    )
    assert "**A** · DML autoencoder · alpha 0.1" in said and "**B** · plain deep metric learning · " in said
    app.multiselect(key="compared").set_value(["plane"]).run()
    assert "Choose a second run" in words(checked(app))
    assert "no run with points called `../../etc`" in words(opened(COMPARE, runs="plane,../../etc"))


@pytest.mark.parametrize(
    "section", ["Scores", "Curves", "Confusion", "Reconstructions", "Your own image", "Points", "Downloads"]
)
@pytest.mark.parametrize("run", ["plane", "deep"])
def test_every_section_opens(folder: Path, run: str, section: str) -> None:
    app = opened(EXPLORE, run=run)
    app.session_state["section"] = section
    checked(app.run())
    assert not app.error
    if (run, section) == ("deep", "Reconstructions"):
        assert "no decoder that was trained" in app.info[-1].value
    if section == "Points":
        assert len(app.dataframe[-1].value) == 1797


@pytest.mark.parametrize("colour", ["class", "prediction", "seen", "error"])
def test_every_colour_and_part_is_drawn(folder: Path, colour: str) -> None:
    app = opened(EXPLORE, run="plane")
    app.session_state["colour"], app.session_state["part"] = colour, "test"
    assert "500 points: 500 test rows" in words(checked(app.run()))


def test_more_than_two_dimensions_are_drawn_by_pca_until_another_map_is_asked_for(folder: Path) -> None:
    app = opened(EXPLORE, run="deep")
    assert "PCA of 4 dimensions: the plane holds" in words(app)
    app.session_state["projection"] = "umap"
    app.run()
    assert "about 13 s" in words(app) and "PCA of 4 dimensions" in words(app)
    points = np.random.default_rng(0).normal(size=(1797, 2)).astype(np.float32)
    listing.open_run("deep").keep_projection("umap-0002", points=points)
    assert "UMAP of 4 dimensions" in words(checked(app.run()))


def test_the_choice_of_a_projection_is_the_only_press(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def plane(self, run, epoch, method, latents, progress, kept):
        asked.append((run.id, epoch, method, kept))
        return latents[:, :2]

    monkeypatch.setattr(queue.Jobs, "plane", plane)
    app = opened(EXPLORE, run="deep")
    app.segmented_control(key="projection").set_value("umap").run()
    for task in list(tasks._tasks.values()):
        task.wait(60)
    assert "UMAP of 4 dimensions" in words(checked(app.run())) and asked == [("deep", 2, "umap", True)]
    assert [slider.label for slider in app.select_slider] == ["Epoch"]
    app.segmented_control(key="projection").set_value("pca").run()
    app.segmented_control(key="projection").set_value("umap").run()
    assert len(asked) == 1 and "UMAP of 4 dimensions" in words(checked(app)), "it is there already"


def computed(app: AppTest, method: str, epoch: int = 2) -> AppTest:
    """Explore after a projection was asked for and has ended."""
    app.session_state["projection"] = method
    checked(app.run())
    app.button(key="compute projection").click().run()
    for task in list(tasks._tasks.values()):
        task.wait(60)
    return checked(app.run())


@pytest.mark.parametrize("noise", [0.0, 1e-30])
def test_an_imported_run_of_equal_latents_is_not_projected_and_says_why(folder: Path, noise: float) -> None:
    for file in (folder / "deep" / "frames").glob("*.npz"):
        with np.load(file) as arrays:
            frame = dict(arrays)
        frame["latents"] = (0.5 + noise * np.arange(4 * 1797).reshape(1797, 4)).astype(frame["latents"].dtype)
        np.savez(file, **frame)
    sent = io.BytesIO()
    transfer.export_zip(listing.open_run("deep"), sent)
    run = transfer.import_zip(sent, "equal")
    app = opened(EXPLORE, run="equal")
    for method in ("tsne", "umap"):
        assert "all 1,797 rows are equal" in computed(app, method).error[0].value
        assert app.button(key="compute projection").label.startswith("Compute"), "it can be tried again"
        assert "PCA of 4 dimensions: the plane holds 0" in words(app)
    assert not run.projection("tsne-0002") and queue.jobs().questions.pid is None
    assert not checked(opened(EXPLORE, run="plane")).error and not checked(opened(COMPARE, runs="equal,deep")).error


@pytest.mark.parametrize(("size", "said"), [(1e-30, ""), (1e30, ""), (3e38, "found no finite place for")])
def test_latents_of_any_size_are_drawn_or_said(folder: Path, size: float, said: str) -> None:
    for file in (folder / "deep" / "frames").glob("*.npz"):
        with np.load(file) as arrays:
            frame = dict(arrays)
        latents = frame["latents"].astype(np.float64)
        frame["latents"] = (latents / np.abs(latents).max() * size).astype(np.float32)
        np.savez(file, **frame)
    app = opened(EXPLORE, run="deep")
    if said:
        assert said in app.error[0].value
    else:
        assert not app.error and "PCA of 4 dimensions: the plane holds" in words(app)


DIES_ONCE = """
import json, os, sys
from pathlib import Path
import numpy as np
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"began": asked["job"]}), flush=True)
    first = Path(__file__).with_name("died")
    if not first.exists():
        first.touch()
        os.kill(os.getpid(), 11)
    np.savez(asked["into"], places=np.load(asked["given"])["latents"][:, :2])
    print(json.dumps({"ended": asked["job"], "state": "done", "reason": "", "found": None}), flush=True)
"""


def test_a_projection_that_ends_its_process_is_said_until_it_is_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "dies_once.py"
    script.write_text(DIES_ONCE)
    supervisor = Jobs(folder, [sys.executable, str(script)])
    monkeypatch.setattr(queue, "jobs", lambda: supervisor)
    app = computed(opened(EXPLORE, run="deep"), "tsne")
    for page in (app, app.run(), opened(EXPLORE, run="deep")):  # another visitor sees it too
        page.session_state["projection"] = "tsne"
        said = checked(page.run()).error[0].value
        assert said.startswith("t-SNE of epoch 2 of deep could not be computed: the worker process ended (signal 11")
        assert "The app and all runs are unharmed: compute it once more" in said
    again = computed(app, "tsne")
    assert not again.error and "t-SNE of 4 dimensions" in words(again)
    supervisor.close()


def test_why_all_rows_could_not_be_taken_away_is_said(folder: Path) -> None:
    run = listing.open_run("deep")
    key = ("all rows", str(run.path), *stamp(run, "weights.safetensors"))

    def died(progress: Progress) -> None:
        raise ValueError("All rows of deep could not be computed: the worker process ended (signal 9)")

    tasks.start_task(key, died).wait(10)
    app = opened(EXPLORE, run="deep")
    app.session_state["section"] = "Downloads"
    assert "All rows of deep could not be computed" in checked(app.run()).error[0].value


def test_the_point_stays_when_the_epoch_moves(folder: Path) -> None:
    app = opened(EXPLORE, run="plane")
    app.selectbox(key="point").set_value(7).run()
    app.session_state["epoch plane"] = 1  # as the map's scrubber says
    app.session_state["section"] = "Confusion"
    checked(app.run())
    assert app.selectbox(key="point").value == 7 and "After epoch 1:" in words(app)
    assert app.selectbox(key="explored run").value == "plane"


@pytest.mark.parametrize("content", ["other", "empty", "cut"])
def test_a_damaged_frame_is_said_and_another_epoch_is_drawn(folder: Path, content: str) -> None:
    file = folder / "plane" / "frames" / "0003.npz"
    file.write_bytes({"other": b"not a zip", "empty": b"", "cut": file.read_bytes()[:-500]}[content])
    app = opened(EXPLORE, run="plane")
    assert "epoch 3 is damaged" in app.error[0].value
    app.select_slider(key="epoch plane").set_value(2).run()
    assert not checked(app).error and "1,797 points" in words(app)


def test_home_and_train_say_that_a_map_is_damaged(folder: Path) -> None:
    file = folder / "plane" / "frames" / "0003.npz"
    file.write_bytes(file.read_bytes()[:-500])
    cache.forget_runs()  # what another test has kept of its run of that name
    home = opened()
    assert words(home).count("The newest map of this run cannot be drawn: `0003.npz is damaged") == 1
    assert "0003.npz is damaged" in words(opened("pages/1_Train.py", run="plane"))


def test_an_older_frame_that_is_damaged_is_said_and_the_last_is_drawn(folder: Path) -> None:
    file = folder / "plane" / "frames" / "0001.npz"
    file.write_bytes(file.read_bytes()[:-500])
    app = opened(TRAIN, run="plane")
    app.select_slider(key="epoch plane").set_value(1).run()
    assert (
        "Here are the last points: the frame of epoch 1 is damaged and cannot be drawn: 0001"
        in checked(app).error[0].value
    )
    assert "Epoch 3 of 3" in words(app)


@pytest.mark.parametrize("page", ["", TRAIN, EXPLORE, "pages/4_Prior.py", COMPARE])
def test_scores_that_are_damaged_are_said_and_no_page_falls(folder: Path, page: str) -> None:
    (folder / "plane" / "metrics.json").write_text("{")
    app = opened(page, run="plane", runs="plane,deep")
    assert "metrics.json" not in words(opened(page, run="vamp", runs="vamp,deep")), "another run is shown as it is"
    if page in (TRAIN, EXPLORE):
        assert "This run's folder is damaged: metrics.json cannot be read" in words(app)
    if page == COMPARE:
        assert "There is no run with points called `plane`" in words(app)


def test_damaged_histories_and_weights_are_said(folder: Path) -> None:
    with (folder / "plane" / "history.jsonl").open("ab") as file:
        file.write(b"\0\0\n")
    assert "history.jsonl is damaged" in opened(TRAIN, run="plane").error[0].value
    for name in ("plane", "vamp", "places"):
        (folder / name / "weights.safetensors").write_bytes(b"")
    cache.forget_runs()
    assert "weights" in words(opened("pages/4_Prior.py", decoder="plane"))
    (folder / "vamp" / "metrics.json").write_text("{")
    assert "Resume" not in labels(opened(TRAIN, run="vamp")), "it would erase a run that was trained to its end"


def test_a_run_that_was_made_anew_elsewhere_is_drawn_anew(folder: Path) -> None:
    run = listing.open_run("plane")
    before = cache.read_frame(run, 1)
    assert before.latents.shape == (1797, 2) and len(before.rows["shown"]) == 16
    shutil.rmtree(folder / "plane")  # by the command line, which tells no page
    shutil.copytree(folder / "deep", folder / "plane")
    assert cache.read_frame(run, 1).latents.shape == (1797, 4) and before.latents.shape == (1797, 2)
    assert (cache.read_frame(run, 2).latents != cache.read_frame(run, 1).latents).any()
    assert "4 dimensions" in words(opened(EXPLORE, run="plane"))


def test_each_run_is_rerun_with_its_own_value(folder: Path) -> None:
    app = opened(TRAIN, run="plane")
    app.text_input(key="rerun value plane seed").set_value("77").run()
    assert checked(opened(TRAIN, run="vamp")).text_input(key="rerun value vamp seed").value == "0"
    app.query_params["run"] = "vamp"
    assert checked(app.run()).text_input(key="rerun value vamp seed").value == "0"


def test_a_quota_that_cannot_be_read_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMIDML_QUOTA", "lots")
    for page in ("", TRAIN, EXPLORE):
        app = opened(page, run="plane")
        assert any("SEMIDML_QUOTA must be a size" in error.value for error in (*app.error, *app.sidebar.error))


def test_a_strangers_words_stay_words(folder: Path) -> None:
    bad = "![x](https://example.org/x.png) [y](https://example.org)"
    status = json.loads((folder / "plane" / "status.json").read_text())
    status |= {"state": "failed", "reason": bad, "latest": status["latest"] | {"alarms": [bad]}}
    (folder / "plane" / "status.json").write_text(json.dumps(status))
    (folder / "plane" / "metrics.json").unlink()
    for page in (TRAIN, EXPLORE):
        said = [box.value for box in opened(page, run="plane").warning]
        assert sum("example.org" in words for words in said) == 2
        assert not any(re.search(r"(?<!\\)\[", words) for words in said)
    said = words(opened(TRAIN, run=f"a` {bad} `b"))
    assert "The run `a' ![x](https://example.org" in said


@pytest.mark.parametrize("content", ["missing", "other lengths", "objects"])
def test_frames_that_lie_are_refused(folder: Path, content: str) -> None:
    path = folder / "plane" / "rows.npz"
    rows = dict(np.load(path))
    if content == "missing":
        path.unlink()
    elif content == "other lengths":
        np.savez(path, **{**rows, "labels": rows["labels"][:5]})
    else:
        np.savez(path, **{**rows, "labels": np.array([None] * len(rows["labels"]), dtype=object)})
    assert len(opened(EXPLORE, run="plane").error) == 1


# ---- what if


def moved(app: AppTest, run: str, epoch: int, component: int, to: tuple[float, float]) -> AppTest:
    """As after a drag on the map, whose component AppTest cannot hear."""
    its = listing.open_run(run)
    means = its.frame(epoch).component_means.copy()
    means[component] = to
    frame = (run, epoch, *stamp(its, f"frames/{epoch:04d}.npz"))
    app.session_state["moved components"], app.session_state["moved last"] = (frame, means), component
    app.session_state["what if"] = True
    return checked(app.run())


def what_if_page(run: str) -> AppTest:
    app = opened(EXPLORE, run=run)
    return checked(app.toggle(key="movable").set_value(True).run())


def test_what_if_counts_the_points_that_are_drawn(folder: Path) -> None:
    app = moved(what_if_page("places"), "places", 2, 1, (900, 900))
    said = words(app)
    assert "What if component 2 were at 900, 900" in said and "Nothing is trained" in said
    frame = listing.open_run("places").frame(2)
    own, _ = components.component_of(frame.latents, *frame.components)
    assert f"Of the 1,797 drawn, {(own == 1).sum():,} belong to it now and 0 would then" in said
    app.segmented_control(key="part").set_value("test").run()
    test = listing.open_run("places").rows()["split"] == frames.TEST
    assert f"Of the 500 drawn, {(own[test] == 1).sum():,} belong to it now and 0 would then" in words(checked(app))


def test_what_was_moved_can_be_put_back_after_another_question(folder: Path) -> None:
    app = moved(what_if_page("places"), "places", 2, 1, (1, 2))
    app.session_state["what if"], app.session_state["chosen point"] = False, 7
    checked(app.run())
    assert "Components of the prior have been moved" in words(app) and "Nearest seen labels" in words(app)
    checked(app.button(key="ask again").click().run())
    assert "What if component 2 were at 1, 2" in words(app)
    checked(app.button(key="put back").click().run())
    assert "What if component" not in words(app) and "moved components" not in app.session_state


@pytest.mark.parametrize("other", ["epoch", "run", "run without a prior"])
def test_what_was_moved_is_put_back_in_another_frame(folder: Path, other: str) -> None:
    app = moved(what_if_page("places"), "places", 2, 1, (1, 2))
    if other == "epoch":
        app.session_state["epoch places"] = 1
    else:
        app.session_state["explored"] = "vamp" if other == "run" else "deep"
        app.query_params["run"] = app.session_state["explore link"] = app.session_state["explored"]
        app.query_params.pop("moved", None)  # as the page takes it out where another run is chosen
    checked(app.run())
    assert "moved components" not in app.session_state and "What if component" not in words(app)


def test_what_if_without_weights_still_offers_a_way_back(folder: Path) -> None:
    (folder / "vamp" / "weights.safetensors").unlink()
    app = moved(what_if_page("vamp"), "vamp", 1, 3, (1, 2))
    assert app.button(key="put back") and len(app.error) == 1
    assert "train what if" not in [button.key for button in app.button], "a VampPrior's components cannot be given"


def test_what_if_trains_with_the_components_as_they_lie(folder: Path) -> None:
    app = moved(what_if_page("places"), "places", 2, 1, (1.25, 2))
    checked(app.button(key="train what if").click().run())
    knobs = app.session_state["chosen knobs"]
    assert knobs["placement"] == "given" and given.positions_of(knobs["positions"])[1] == (1.25, 2)
    made = listing.open_run(app.session_state["shown run"])
    assert made.config() == RunConfig.of(knobs) and lineage.find_parent(made) == listing.open_run("places")


@pytest.mark.parametrize("to", [(1e300, 0), (float("nan"), 0), (1001, 0), (0, float("-inf"))])
def test_a_component_is_not_moved_to_nowhere(folder: Path, monkeypatch: pytest.MonkeyPatch, to: tuple) -> None:
    state: dict = {}
    monkeypatch.setattr(what_if.st, "session_state", state, raising=False)
    run = listing.open_run("places")
    with pytest.raises(ValueError, match="within 1000 of the origin"):
        what_if.move(run, read_frame(run, 2), 3, [to, (0, 0), (1, 1), (2, 2)])
    assert state == {"component moves": 3}, "the map waits for the number of its move"


def test_pictures_of_components_are_said(folder: Path) -> None:
    app = opened(EXPLORE, run="vamp")
    assert "Small pictures: the first 32 of 40 pseudo-inputs" in words(checked(app))
    assert "The dots of no class's colour are the 40 components, by weight" in words(app)
    app.toggle(key="pseudo-inputs shown").set_value(False).run()
    assert "Small pictures" not in words(checked(app)) and "density" not in [toggle.key for toggle in app.toggle]
    assert "pictures" not in [toggle.key for toggle in opened(EXPLORE, run="places").toggle], "no decoder, no pictures"


def test_all_points_are_drawn_on_demand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, count in {"WATCHED_SEEN": 20, "WATCHED_TRAIN": 100, "WATCHED_TEST": 50}.items():
        monkeypatch.setattr(training, name, count)
    run = listing.create_run(RunConfig(data="digits", model="dml", epochs=1, device="cpu"), path=folder / "few")
    for _ in execute(run):
        pass
    sent: list[pack.Drawing] = []
    monkeypatch.setattr(memory, "free_bytes", lambda: 1 << 40)  # a machine that is full keeps nothing
    monkeypatch.setattr(maps, "draw_map", lambda drawn, key, **listeners: sent.append(drawn))
    app = checked(opened(EXPLORE, run="few"))
    assert len(sent[-1].points) == 150
    next(button for button in app.button if button.label == "All 1,797 points").click().run()
    known = tasks.find_task(whole._key_of(run)).wait(120)
    assert known.done and not known.error
    app.run()
    first, every = sent[0], sent[-1]
    assert len(every.points) == 1797 and every.run == first.run
    assert (every.rows[:150] == first.rows).all() and np.allclose(every.points[:150], first.points, atol=1e-5)
    train, test = (len(part.labels) for part in store.load("digits").parts.values())
    assert sorted(every.rows[~every.test]) == list(range(train)) and sorted(every.rows[every.test]) == list(range(test))
    assert f"1,797 points: {train:,} training and {test} test rows, each through the weights" in words(checked(app))
    assert memory.touch(whole._key_of(run)), "counted within the budget of memory"
    next(button for button in app.button if button.label.startswith("Back to the 150")).click().run()
    assert len(sent[-1].points) == 150 and "All 1,797 points" in labels(app)


def test_words_of_an_epoch_that_is_over_are_no_point(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict = {"point": "test 18 · 3, taken for 8", "chosen point": 7}
    monkeypatch.setattr(answers.st, "session_state", state, raising=False)
    answers._take_listed()
    assert state["chosen point"] == 7
    state["point"] = 3
    answers._take_listed()
    assert state["chosen point"] == 3


def test_the_view_begins_at_the_points_and_only_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps.st, "session_state", {}, raising=False)
    heap, rings = np.random.default_rng(0).normal(0, 0.01, (500, 2)), [(3.0, 0, 1, 1, 0, 1), (-3.0, 0, 1, 1, 0, 1)]

    def widths(spread: float, begins: bool) -> tuple[float, float]:
        x, y = maps.map_extent("a run", spread * heap, rings, begins)
        return x[1] - x[0], y[1] - y[0]

    first = widths(1, True)
    assert max(first) < 0.2, "the points of before the training, not giant rings around a dot"
    then = widths(20, True)
    assert first < then < (4, 4), "as the points move"
    assert widths(20, False)[0] > 8 and widths(1, True)[0] > 8, "after the first epoch all of the prior, and for good"


def test_of_too_many_rows_an_even_part_is_gathered_with_those_drawn_first() -> None:
    split = np.repeat([0, 1], [60, 40]).astype(np.uint8)
    row = np.concatenate([np.arange(60), np.arange(40)]).astype(np.int32)
    arrays = {"split": split, "row": row, "labels": row % 3, "seen": row < 5, "predictions": row % 2}
    arrays["latents"] = np.stack([split, row], axis=1).astype(np.float32)
    rows = {"split": np.array([1, 0]), "row": np.array([39, 7]), "shown": np.array([1])}
    every = whole.gather(arrays, rows)
    assert every["latents"][:2].tolist() == [[1, 39], [0, 7]] and len(np.unique(every["latents"], axis=0)) == 100
    part = whole.gather(arrays, rows, most=20)
    assert len(part["latents"]) == 20 and part["latents"][:2].tolist() == [[1, 39], [0, 7]]
    assert 6 <= (part["rows"]["split"] == 1).sum() <= 9 and (part["rows"]["row"] == part["latents"][:, 1]).all()


def test_pictures_show_captions_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(pictures.st, "html", sent.append)
    colour = np.zeros((3, 5, 4), np.uint8)
    pictures.draw_pictures([colour, np.zeros((1, 28, 28), np.uint8)], ['<img src=x onerror="alert(1)">', "it's"], 100)
    assert "<img src=x" not in sent[0] and "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;" in sent[0]
    files = [base64.b64decode(part.partition('"')[0]) for part in sent[0].split("base64,")[1:]]
    assert [Image.open(io.BytesIO(file)).size for file in files] == [(4, 5), (28, 28)]
    assert [Image.open(io.BytesIO(file)).mode for file in files] == ["RGB", "L"]


def test_a_run_deleted_while_it_is_shown(folder: Path) -> None:
    app = opened(EXPLORE, run="plane")
    shutil.rmtree(folder / "plane")
    checked(app.run())
    assert app.selectbox(key="explored run").value in ("deep", "places", "vamp")


def test_a_damaged_folder_is_said(folder: Path) -> None:
    (folder / "plane" / "config.json").write_text("{")
    app = opened(EXPLORE, run="plane")
    assert "damaged" in words(app)


def test_a_damaged_setting_is_blamed_on_its_file(folder: Path) -> None:
    path = folder / "plane" / "config.json"
    details = json.loads(path.read_text())
    details["config"]["latent_dim"] = "many"
    path.write_text(json.dumps(details))
    said = words(opened(EXPLORE, run="plane"))
    assert "the config.json of plane is damaged: latent_dim must be" in said and "the frame of" not in said


def test_a_run_whose_data_are_not_here_keeps_its_map(folder: Path) -> None:
    path = folder / "plane" / "config.json"
    details = json.loads(path.read_text())
    details["config"]["data"] = "kmnist"
    path.write_text(json.dumps(details))
    app = opened(EXPLORE, run="plane")
    assert "The pictures of this run cannot be shown" in words(app) and "1,797 points" in words(app)
    app.session_state["section"] = "Reconstructions"
    assert not checked(app.run()).error


def test_a_failed_run_shows_its_reason_and_its_last_frames(folder: Path) -> None:
    path = folder / "plane" / "status.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"state": "failed", "reason": "the loss was no longer finite"})
    )
    (folder / "plane" / "metrics.json").unlink()
    app = opened(EXPLORE, run="plane")
    assert "The loss was no longer finite" in app.warning[0].value
    assert "1,797 points" in words(app) and "final scores are computed at a run's end" in words(app)


def test_a_score_that_failed_is_shown_with_its_reason(folder: Path) -> None:
    path = folder / "plane" / "metrics.json"
    metrics = json.loads(path.read_text()) | {"kmeans_ami": None, "failed": {"kmeans_ami": "needs 10 distinct points"}}
    path.write_text(json.dumps(metrics))
    app = opened(EXPLORE, run="plane")
    assert "k-means AMI could not be computed: needs 10 distinct points" in words(app)
    assert scores_of(app)["k-means AMI"]["value"] == "–"


def test_remarks_and_scatter_stand_beside_the_scores(folder: Path) -> None:
    path, few = folder / "plane" / "metrics.json", "of 12 test images only"
    metrics = json.loads(path.read_text()) | {"kmeans_ami": 0.4812, "kmeans_ami_sd": 0.0104, "recall_at_2": None}
    metrics |= {"kmeans_accuracy": 0.91, "kmeans_accuracy_sd": 0.004, "notes": {"recall_at_1": few, "map_at_r": few}}
    path.write_text(json.dumps(metrics | {"failed": {"recall_at_2": "all 12 test images are of class 3"}}))
    app = opened(EXPLORE, run="plane")
    shown = {title: score["value"] for title, score in scores_of(app).items()}
    assert shown["k-means AMI"] == "0.48 ± 0.01" and shown["k-means accuracy"] == "91.0 ± 0.4 %"
    assert shown["recall at 2"] == "–" and not [label for label in shown if "scatter" in label]
    captions = [caption.value for caption in app.caption]
    assert any("recall at 1, MAP@R: of 12 test images only" in caption for caption in captions)
    assert any("recall at 2 could not be computed: all 12 test images are of class 3" in c for c in captions)


def test_compared_scores_have_their_scatter_and_their_remarks(folder: Path) -> None:
    path = folder / "plane" / "metrics.json"
    metrics = json.loads(path.read_text()) | {"kmeans_ami": 0.4812, "kmeans_ami_sd": 0.0104}
    path.write_text(json.dumps(metrics | {"notes": {"kmeans_ami": "class 7 has one test image"}}))
    app = opened(COMPARE, runs="plane,deep")
    assert "0.48 ± 0.01" in words(app) and "**A**, k-means AMI: class 7 has one test image" in words(app)


def test_rename_and_delete(folder: Path) -> None:
    app = opened(EXPLORE, run="plane")
    app.text_input(key="new name plane").set_value("../up").run()
    app.button(key="rename").click().run()
    assert "a run's name is 1 to 80 letters" in words(checked(app))
    app.text_input(key="new name plane").set_value("flat").run()
    app.button(key="rename").click().run()
    assert checked(app).query_params["run"] in ("flat", ["flat"]) and (folder / "flat").is_dir()
    assert app.button(key="delete run").disabled
    app.checkbox(key="sure flat").check().run()
    app.button(key="delete run").click().run()
    assert not (folder / "flat").exists() and checked(app).selectbox(key="explored run").value != "flat"


def test_forest_and_mlp_are_computed_beside_the_page_and_kept(folder: Path) -> None:
    app = opened(EXPLORE, run="plane")
    app.button(key="slow scores").click().run()
    checked(app)
    for task in list(tasks._tasks.values()):
        task.wait(120)
    labels_shown = set(scores_of(checked(app.run())))
    assert "random forest" in labels_shown and "MLP" in labels_shown
    assert json.loads((folder / "plane" / "metrics.json").read_text())["seconds"] > 0
    assert queue.jobs().questions.pid not in (None, queue.jobs().training.pid), "not in the app's process"
    queue.jobs().close()


# ---- Data


def test_data_shows_what_is_here(folder: Path) -> None:
    app = opened(DATA)
    assert "1,297 training · 500 test images of 8 x 8 pixels, grey, in 10 classes" in words(app)
    assert "130 of 1,297 labels" in words(app)
    table = app.dataframe[-1].value
    assert list(table[table["Here"]]["Data set"]) == ["Digits 8x8"] and "OrganAMNIST" in set(table["Data set"])


@pytest.mark.parametrize("name", ["../../etc", "<b>x</b>", "/etc/passwd"])
def test_a_link_to_no_data_set_is_said(folder: Path, name: str) -> None:
    app = opened(DATA, data=name)
    assert "There is no data set called" in app.warning[0].value and app.selectbox(key="data set").value == "digits"


def test_a_fetch_without_a_network_names_folder_and_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from semidml.data import fetch

    monkeypatch.setattr(fetch, "unreachable", lambda urls, *seconds: dict.fromkeys(urls, "no network"))
    app = opened(DATA, data="kmnist")
    assert "Fetch Kuzushiji-MNIST (21 MB)" in labels(app) and "CC BY-SA 4.0" in words(app)
    app.button(key="fetch").click().run()
    tasks.find_task(("fetch", "kmnist")).wait(20)
    said = checked(app.run()).error[0].value
    assert "no network" in said and "KMNIST/raw" in said and "train-images-idx3-ubyte.gz" in said
    assert str(store.data_folder()) in said
    tasks.forget_task(("fetch", "kmnist"))


def test_a_setting_that_cannot_be_drawn_says_why(folder: Path) -> None:
    app = opened(DATA)
    app.select_slider(key="seen pl digits").set_value(0.01).run()
    assert "a metric loss needs at least 3" in checked(app).error[0].value
    app.select_slider(key="seen pl digits").set_value(1.0).run()
    app.selectbox(key="seen sampling").set_value("balanced").run()
    assert "1 or 2 a class" in words(checked(app))


def small_npz(rows: int = 40, named: int = 40) -> bytes:
    images = np.random.default_rng(0).integers(0, 255, (rows, 6, 6), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, train_images=images, train_labels=np.arange(named) % 2, class_names=np.array(["<i>a</i>", "b"]))
    return file.getvalue()


def test_an_upload_is_shown_and_deleted(folder: Path) -> None:
    uploads.save_upload("mine", small_npz(), "mine.npz")
    app = opened(DATA, data="mine")
    assert "32 training · 8 test images of 6 x 6 pixels" in words(app) and "were held out" in app.info[0].value
    app.button(key="delete mine").click().run()
    assert checked(app).selectbox(key="data set").value == "digits"
    assert "None yet. They are kept in the data folder" in words(app)


def test_a_damaged_upload_is_said(folder: Path) -> None:
    uploads.save_upload("mine", small_npz(), "mine.npz")
    (store.data_folder() / "uploads" / "mine.npz").write_bytes(b"torn")
    app = opened(DATA, data="mine")
    assert "cannot be read as an .npz file" in app.error[0].value


@pytest.mark.parametrize("page", [EXPLORE, DATA])
def test_opening_a_page_loads_nothing_heavy_itself(page: str) -> None:
    import ast

    tree = ast.parse((ROOT / page).read_text())
    imported: Callable[[ast.AST], list[str]] = lambda node: (  # noqa: E731
        [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    )
    found = {
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(node)
    }
    assert not found & {"torch", "sklearn", "umap", "torchvision", "scipy"}
