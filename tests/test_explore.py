"""What a point answers agrees with image, latent and model behind it; work in the background ends in words."""

import csv
import io
import threading
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from semidml import frames, planes, tasks
from semidml.config import RunConfig
from semidml.data.batches import Batches
from semidml.execute import execute, score_run
from semidml.explore import clusters, decode, prior, take_away
from semidml.explore import pictures as pictures_module
from semidml.explore.near import nearest_rows, training_rows_near, usual_distance, vote
from semidml.explore.pictures import centre_image, is_inverted, mean_picture, read_pictures, small_pictures
from semidml.explore.points import class_names, compute_plane, read_frame, read_plane
from semidml.runs import listing, transfer
from semidml.runs.trained_on import read_splits
from semidml.scores import checks
from semidml.train.task import balanced_positions
from semidml.ui.take_away import OnDisk


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(autouse=True)
def _here(folder, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(folder))


def trained(path, **knobs):

    run = listing.create_run(RunConfig.of({"data": "digits", "pl": 10, "device": "cpu", **knobs}), path=path)
    for _ in execute(run):
        pass
    assert run.status().state == "done", run.status().reason
    return run


@pytest.fixture(scope="module")
def plane_run(folder):
    return trained(folder / "plane", model="dml-ae", alpha=0.1, epochs=8)


@pytest.fixture
def of_an_older_release(folder, digits, monkeypatch, tmp_path):
    """A run whose 129 rows to choose on were drawn from all rows, whatever their class."""
    from semidml.data.dataset import Dataset, take

    def drawn(self, seed):
        order = torch.randperm(len(self.train.labels), generator=torch.Generator().manual_seed(seed))
        train, test = (take(self.train, rows.sort().values) for rows in (order[129:], order[:129]))
        return replace(self, train=train, test=test, held_back=129, halves=None)

    monkeypatch.setattr(Dataset, "for_selection", drawn)
    run = trained(tmp_path / "older", model="dml-ae", epochs=2, evaluate_on="validation")
    monkeypatch.undo()
    monkeypatch.setenv("SEMIDML_RUNS", str(folder))
    return run


@pytest.fixture(scope="module")
def deep_run(folder):
    return trained(folder / "deep", model="dml", latent_dim=4, epochs=3)


# ---- losses by direction


def test_an_older_frame_with_lengths_is_read_as_the_directions_that_its_loss_learned(folder):
    run = trained(folder / "sphere", model="dml", loss="supcon", epochs=1)
    frame = run.frame(1)
    stretched = frame.latents * np.random.default_rng(0).uniform(0.5, 3, (len(frame.latents), 1))
    np.savez(run.path / "frames" / "0001.npz", **replace(frame, latents=stretched.astype(np.float32)).arrays())
    found = read_frame(run, 1)
    assert np.allclose(found.latents, frame.latents, atol=1e-6)
    assert np.allclose(np.linalg.norm(found.latents, axis=1), 1, atol=1e-6)


def test_neighbours_of_a_loss_by_direction_are_those_that_vote(folder, digits):
    """With a decoder latents keep their lengths, and neighbours are found by direction as scores are."""
    run = trained(folder / "with-lengths", model="dml-ae", loss="supcon", latent_dim=4, epochs=2)
    found = read_frame(run, 2)
    assert np.linalg.norm(found.latents, axis=1).std() > 0.01
    assert np.allclose(np.linalg.norm(found.compared, axis=1), 1, atol=1e-6)
    test = np.flatnonzero(found.rows["split"] == frames.TEST)[:50]
    for position in test:
        near = nearest_rows(found.compared, found.rows["seen"], position)
        assert vote(found.rows["labels"][near.positions], 10) == found.predictions[position]
    its = found.as_compared(3 * found.latents[test[0]])
    assert np.allclose(its, found.compared[test[0]], atol=1e-6)
    everything = take_away.all_rows(run, digits)
    assert (everything["predictions"] == everything["labels"]).mean() > 0.5


# ---- a point and its pictures


def test_a_points_picture_encodes_to_its_latent(plane_run, digits):
    rows, frame = plane_run.rows(), plane_run.frame(8)
    positions = [0, 700, len(rows["row"]) - 1]
    images = read_pictures(read_splits(plane_run, digits)[0], rows, positions)
    assert images.shape == (3, 1, 8, 8) and images.dtype == np.uint8
    latents = decode.encode_images(plane_run.model(), images)
    assert latents == pytest.approx(frame.latents[positions], abs=1e-4)


def test_pictures_of_a_run_that_chose_on_validation_come_from_its_own_split(folder, digits):
    run = trained(folder / "validation", model="dml", epochs=1, evaluate_on="validation")
    rows = run.rows()
    data = read_splits(run, digits)[0]
    position = len(rows["row"]) - 1
    assert rows["split"][position] == frames.TEST
    assert data.test.labels[int(rows["row"][position])] == rows["labels"][position]
    image = read_pictures(data, rows, [position])[0]
    assert (image == data.test.images[int(rows["row"][position])].numpy()).all()
    assert len(data.test.labels) == 129, "a tenth of the training rows, not the official test split"


def enlarged(data, times):
    """Images of `times` as many pixels a side."""

    from semidml.data.dataset import Split

    parts = [
        Split(part.images.repeat_interleave(times, 2).repeat_interleave(times, 3), part.labels)
        for part in (data.train, data.test)
    ]
    return replace(data, train=parts[0], test=parts[1])


def test_many_large_images_are_taken_some_at_a_time(plane_run, digits, monkeypatch):
    rows, large, taken, pictures = plane_run.rows(), enlarged(digits, 9), [], read_pictures

    def noted(data, rows, positions):
        taken.append(len(positions))
        return pictures(data, rows, positions)

    monkeypatch.setattr(pictures_module, "PIXELS_AT_ONCE", 100 * 72 * 72 + 1)
    monkeypatch.setattr(pictures_module, "read_pictures", noted)
    found = small_pictures(large, rows)
    assert max(taken) == 100 and sum(taken) == len(rows["row"]) and found.shape[2:] == (24, 24)
    everything = pictures(digits, rows, np.arange(len(rows["row"])))
    assert (found == everything.repeat(3, axis=2).repeat(3, axis=3)).all()
    positions = list(range(5, 555, 2))
    mean = everything[positions].astype(float).mean(axis=0).round().astype(np.uint8)
    assert (mean_picture(digits, rows, positions) == mean).all()


def test_large_images_are_decoded_some_at_a_time(plane_run, digits, monkeypatch):
    rows, taken, reconstruct = plane_run.rows(), [], decode.reconstruct
    whole = decode.reconstruct_points(plane_run.model(), digits, rows)

    def noted(model, images):
        taken.append(len(images))
        return reconstruct(model, images)

    monkeypatch.setattr(pictures_module, "PIXELS_AT_ONCE", 100 * 64)
    monkeypatch.setattr(decode, "reconstruct", noted)
    found = decode.reconstruct_points(plane_run.model(), digits, rows)
    assert max(taken) == 100 and found.errors == pytest.approx(whole.errors, abs=1e-6)
    decode.errors_of_points(plane_run, digits)
    assert max(taken) == 100 and sum(taken) == 500 + len(rows["row"])


def test_another_data_set_of_the_same_name_is_refused(plane_run, digits):

    from semidml.data.dataset import Split

    larger = [Split(part.images.repeat(1, 1, 2, 2), part.labels) for part in (digits.train, digits.test)]
    with pytest.raises(ValueError, match=r"16 x 16 pixels .* 8 x 8 pixels"):
        read_splits(plane_run, replace(digits, train=larger[0], test=larger[1]))
    with pytest.raises(ValueError, match="classes"):
        read_splits(plane_run, replace(digits, class_names=tuple("abcdefghij")))


def test_nearest_is_the_nearest_of_a_line():
    seen = np.array([True, False, True, False, True])
    latents = np.array([[0.0], [1], [3], [7], [100]], dtype=np.float32)
    near = nearest_rows(latents, seen, 2, k=2)
    assert near.positions.tolist() == [0, 4] and near.distances.tolist() == [3, 97]
    near = nearest_rows(latents, ~seen, 1)
    assert near.positions.tolist() == [3] and near.distances.tolist() == [6], "not itself, and no more than there are"
    assert nearest_rows(latents, np.zeros(5, bool), 0).positions.tolist() == []


def test_grouped_takes_turns_between_classes():
    values = np.array([0, 0, 0, 1, 1, 2])
    assert balanced_positions(values, [2, 1, 0, 4, 3, 5], most=4).tolist() == [2, 4, 5, 1]


def test_neighbours_in_a_collapsed_space_are_not_the_first_rows_of_the_file():
    latents, labels = np.zeros((600, 2), np.float32), np.repeat(np.arange(3), 200)
    rows = {"split": np.zeros(600, np.uint8), "seen": np.ones(600, bool)}
    for near in (
        nearest_rows(latents, rows["seen"], 7, 300),
        training_rows_near(latents, rows, np.zeros(2), k=300),
    ):
        counts = np.bincount(labels[near.positions], minlength=3)
        assert counts.sum() == 300 == len(set(near.positions.tolist())) and counts.min() > 80
    latents[100:105, 0] = -1
    near = training_rows_near(latents, rows, np.array([-1.0, 0]), k=6)
    assert set(near.positions[:5].tolist()) == {100, 101, 102, 103, 104} and near.distances.tolist() == [0] * 5 + [1]


def test_a_run_that_chose_on_other_rows_shows_none_of_these(of_an_older_release, digits):
    """Nor is it scored on images that it was trained on."""

    other = "the rows that older draws are not those of digits here: .* held out other rows for choosing settings"
    for ask in (
        lambda: read_splits(of_an_older_release, digits),
        lambda: take_away.all_rows(of_an_older_release, digits),
        lambda: score_run(of_an_older_release, full=True, keep=True),
        lambda: score_run(of_an_older_release),
    ):
        with pytest.raises(ValueError, match=other):
            ask()


def test_a_run_that_chose_on_other_rows_is_not_resumed_on_these(of_an_older_release):

    run = of_an_older_release
    first = listing.create_run(run.config(), path=run.path.with_name("stopped"))
    ticks = execute(first)
    while next(ticks).epoch < 1:
        pass
    ticks.close()
    assert first.status().state == "stopped" and first.status().epoch == 1
    (first.path / "rows.npz").write_bytes((run.path / "rows.npz").read_bytes())
    assert list(execute(first)) == []
    assert first.status().state == "failed" and "held out other rows for choosing" in first.status().reason


# ---- the decoder


def test_reconstructions_are_sorted_and_their_error_is_theirs(plane_run, digits):
    rows = plane_run.rows()
    found = decode.reconstruct_points(plane_run.model(), read_splits(plane_run, digits)[0], rows)
    assert len(found.positions) == (rows["split"] == frames.TEST).sum() == 500
    assert (np.diff(found.errors) >= 0).all() and found.errors[0] < found.errors[-1]
    assert found.errors[3] == pytest.approx(
        checks.reconstruction_mse(found.originals[3:4], found.decoded[3:4]), rel=1e-4
    )
    assert found.errors.mean() == pytest.approx(plane_run.metrics()["reconstruction_mse"], rel=0.01)


def test_lattice_runs_from_the_upper_left(plane_run):
    model, latents = plane_run.model(), plane_run.frame(8).latents
    images = decode.decode_lattice(model, latents, side=3)
    corner = np.array([[np.percentile(latents[:, 0], 2), np.percentile(latents[:, 1], 98)]])
    assert images.shape == (3, 3, 1, 8, 8)
    assert (images[0, 0] == decode.decode_latents(model, corner)[0]).all()


def test_without_a_decoder_that_is_said(deep_run):
    assert not deep_run.config().trains_decoder
    with pytest.raises(ValueError, match="no decoder"):
        decode.decode_latents(deep_run.model(), np.zeros((1, 4)))
    with pytest.raises(ValueError, match="2 latent dimensions"):
        decode.decode_lattice(deep_run.model(), np.zeros((5, 4)))


# ---- maps in the plane


def test_pca_keeps_the_distances_of_points_in_a_plane():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(50, 2)) * [3, 1]
    latents = (flat @ np.linalg.qr(rng.normal(size=(5, 5)))[0][:2]).astype(np.float32)
    points = planes.project(latents, "pca", axes_of=latents)
    assert np.linalg.norm(points[3] - points[7]) == pytest.approx(np.linalg.norm(latents[3] - latents[7]), rel=1e-5)
    assert planes.variance_kept(latents, points) == pytest.approx(1, abs=1e-5)
    assert points == pytest.approx(planes.project(latents, "pca"), abs=1e-4), "the same as alone"


def test_epochs_share_their_axes(deep_run):
    last, before = deep_run.frame(3).latents, deep_run.frame(2).latents
    alone = planes.project(last, "pca", axes_of=last)
    beside = planes.project(np.concatenate([before, last]), "pca", axes_of=last)
    assert beside[len(before) :] == pytest.approx(alone, abs=1e-4)


def test_a_projection_is_computed_once_and_kept_with_the_run(deep_run):
    latents = deep_run.frame(3).latents[:60]
    assert read_plane(deep_run, 3, "tsne") is None
    said = []
    points = compute_plane(deep_run, 3, "tsne", latents, lambda fraction, text: said.append(text))
    assert points.shape == (60, 2) and np.isfinite(points).all() and said
    assert (read_plane(deep_run, 3, "tsne") == points).all()
    assert read_plane(deep_run, 2, "tsne") is None, "another epoch is another projection"
    (deep_run.path / "projections" / "tsne-0003.npz").write_bytes(b"torn")
    assert read_plane(deep_run, 3, "tsne") is None


def test_what_cannot_be_projected_is_said():
    with pytest.raises(ValueError, match="not finite"):
        planes.project(np.full((9, 3), np.nan, np.float32), "pca", axes_of=np.full((9, 3), np.nan, np.float32))
    with pytest.raises(ValueError, match="at least 5"):
        planes.project(np.zeros((2, 3), np.float32), "tsne")
    with pytest.raises(ValueError, match="projection must be one of pca, umap, tsne"):
        planes.project(np.zeros((9, 3), np.float32), "magic")
    with pytest.raises(ValueError, match="not finite"):
        planes.project(np.full((9, 3), np.nan, np.float32), "pca", axes_of=np.eye(9, 3, dtype=np.float32))


@pytest.mark.parametrize("axes_of", [np.ones((1, 3)), np.ones((9, 3)), np.eye(9, 3) * 1e-40, np.eye(9, 3) * 1e38])
def test_a_map_by_pca_has_a_place_for_every_row(axes_of):
    latents = np.concatenate([axes_of, np.eye(3)]).astype(np.float32)
    points = planes.project(latents, "pca", axes_of=axes_of.astype(np.float32))
    assert points.shape == (len(latents), 2) and np.isfinite(points).all()
    assert planes.project(latents[:, :1], "pca", axes_of=latents[:, :1]).shape == (len(latents), 2), "of a line too"


# ---- to take away


def test_everything_agrees_with_the_scores_and_survives_a_file(deep_run, digits):
    found = take_away.all_rows(deep_run, digits)
    assert len(found["row"]) == 1797 and found["seen"].sum() == 130 and not found["seen"][1297:].any()
    test = found["split"] == frames.TEST
    right = (found["labels"] == found["predictions"])[test].mean()
    assert right == pytest.approx(deep_run.metrics()["knn_accuracy_labelled"], abs=0.004)
    with np.load(io.BytesIO(take_away.as_npz(found)), allow_pickle=False) as arrays:
        assert (arrays["latents"] == found["latents"]).all()
    lines = list(csv.reader(io.StringIO(take_away.as_csv(found, digits.class_names).decode())))
    assert lines[0] == ["split", "row", "label", "seen", "prediction", "z1", "z2", "z3", "z4"] and len(lines) == 1798
    assert lines[-1][:2] == ["test", "499"] and float(lines[-1][8]) == pytest.approx(found["latents"][-1, 3], rel=1e-4)


def test_where_no_test_class_was_trained_on_everything_predicts_as_the_map_does(folder, digits):
    run = trained(folder / "halves", model="dml", epochs=1, split="classes", pl=100)
    found, last = take_away.all_rows(run, digits), read_frame(run, 1)
    assert len(last.latents) == len(found["latents"]) == 1797 and last.disjoint, "all rows are drawn"
    assert (found["predictions"] == last.predictions).mean() > 0.995  # ties aside
    test = found["split"] == frames.TEST
    assert (found["predictions"] == found["labels"])[test].mean() > 0.5
    assert set(found["predictions"][test]) == {5, 6, 7, 8, 9}


def test_a_class_name_is_no_formula():
    arrays = {
        "split": np.zeros(1, int),
        "row": np.zeros(1, int),
        "labels": np.zeros(1, int),
        "seen": np.ones(1, bool),
        "predictions": np.zeros(1, int),
        "latents": np.zeros((1, 1)),
    }
    assert b"'=1+1" in take_away.as_csv(arrays, ["=1+1"])


def test_the_zip_holds_the_run(deep_run, tmp_path):
    with zipfile.ZipFile(io.BytesIO(OnDisk(partial(transfer.export_zip, deep_run), tmp_path).read())) as archive:
        assert "deep/config.json" in archive.namelist() and "deep/frames/0003.npz" in archive.namelist()


# ---- work in the background


def test_a_task_tells_how_far_it_is_and_gives_its_result():
    go = threading.Event()

    def work(progress):
        progress(0.5, "half")
        go.wait(5)
        return 42

    task = tasks.start_task(("test", 1), work)
    assert tasks.start_task(("test", 1), work) is task, "the same work is not begun twice"
    while task.text != "half":
        task.wait(0.01)
    assert not task.done and task.fraction == 0.5
    go.set()
    assert task.wait(5).done and task.result == 42 and not task.error
    assert tasks.find_task(("test", 1)) is task
    tasks.forget_task(("test", 1))
    assert tasks.find_task(("test", 1)) is None


def test_a_task_that_goes_wrong_says_so():
    def work(progress):
        raise ValueError("no such thing")

    task = tasks.start_task(("test", 2), work).wait(5)
    assert task.done and task.result is None and task.error == "no such thing"


# ---- a prior from a run


def test_a_prior_is_fitted_to_all_training_images_of_a_run(deep_run, digits):
    found = prior.fit_prior(deep_run)
    assert found.rows == "all 1,297 training images"
    config = found.config
    assert (config.model, config.prior, config.placement, config.latent_dim) == ("dml-prior", "gmm", "given", 4)
    assert config.component_count() == 10 and config.pl == 10 and config.epochs == 3
    assert set(config.changed()) <= config.used()
    assert prior.fit_prior(deep_run) == found and prior.fit_prior(deep_run, 3).config.component_count() == 3


def test_a_run_with_a_decoder_keeps_it(plane_run):
    config = prior.fit_prior(plane_run).config
    assert (config.model, config.prior, config.alpha) == ("metric-vae", "gmm", 0.1)


def test_where_the_images_are_not_here_the_prior_is_fitted_to_the_map(deep_run, digits, monkeypatch):
    from semidml.data import store

    latents, _ = prior.training_latents(deep_run)

    def missing(name, **how):
        raise ValueError(f"{name} is not here")

    monkeypatch.setattr(store, "load", missing)
    drawn, words = prior.training_latents(deep_run)
    assert words == "the 1,297 training images of its map, since its images cannot be read: digits is not here"
    assert drawn == pytest.approx(latents, abs=1e-4)


def test_no_prior_is_fitted_to_a_run_that_is_not_done_or_has_collapsed(folder, monkeypatch):
    run = listing.create_run(RunConfig.of({"data": "digits"}), path=folder / "waiting")
    with pytest.raises(ValueError, match="waiting is queued: a prior is fitted to the latents of a finished run"):
        prior.fit_prior(run)
    with pytest.raises(ValueError, match=r"digits-metric-vae-averaged has collapsed.*All points nearly coincide"):
        prior.fit_prior(listing.open_run("digits-metric-vae-averaged"))


# ---- places of the plane, lines, regions, own images


ROWS = {
    "split": np.array([0, 0, 0, 1]),
    "row": np.arange(4),
    "labels": np.array([0, 1, 1, 0]),
    "seen": np.array([True, True, False, False]),
}
FOUR = np.array([[0, 0], [1, 0], [2, 0], [3, 0]], dtype=np.float32)


def test_what_lies_nearest_to_a_place():
    near = training_rows_near(FOUR, ROWS, np.array([2.2, 0]))
    assert near.positions.tolist() == [2, 1, 0] and near.distances == pytest.approx([0.2, 1.2, 2.2])
    assert training_rows_near(FOUR, ROWS, np.array([2.2, 0]), seen=True).positions.tolist() == [1, 0]
    assert training_rows_near(FOUR, ROWS, np.array([2.9, 0]), k=1).positions.tolist() == [2]
    assert vote(np.array([1, 1, 0]), 2) == 1 and vote(np.array([], int), 2) == -1


def test_the_usual_distance_is_that_of_neighbours():
    assert usual_distance(np.array([[0.0], [1], [2], [4]])) == pytest.approx(1)
    assert usual_distance(np.zeros((5, 2))) == 0


def test_a_walk_moves_one_dimension_at_a_time():
    latents = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    path = decode.walks(latents, 7, 5)
    assert path.shape == (3, 5, 3)
    for d in range(3):
        others = [e for e in range(3) if e != d]
        assert (path[d][:, others] == latents[7, others]).all()
        assert path[d, 2, d] == pytest.approx(latents[:, d].mean(), abs=1e-6) and (np.diff(path[d, :, d]) > 0).all()


def test_a_lattice_over_a_part_shows_what_is_decoded_there(plane_run):
    model = plane_run.model()
    box, picture = decode.decode_box(model, (-2, -1, 2, 3), 560, 560)
    assert box == (-2, -1, 2, 3) and picture.shape == (160, 160, 1)  # 20 x 20 images of 8 x 8
    one = decode.decode_latents(model, np.array([[-2 + 4 * 2.5 / 20, 3 - 4 * 1.5 / 20]]))[
        0, 0
    ]  # column 2, row 1 from the top
    assert (picture[8:16, 16:24, 0] == one).all()
    assert decode.decode_box(model, (0, 0, 1, 1), 4000, 4000)[1].size <= 800 * 64


def test_maps_are_turned_and_scaled_onto_one_another():
    points = np.random.default_rng(0).normal(size=(40, 2))
    turned = 3 * points @ np.array([[0, -1], [1, 0]]) + 5
    moved, missed = planes.aligned(turned, points)
    assert np.allclose(moved, points, atol=1e-5) and missed == pytest.approx(0, abs=1e-9)
    assert planes.aligned(np.random.default_rng(1).normal(size=(40, 2)), points)[1] > 0.5
    assert planes.aligned(np.zeros((40, 2)), points)[1] == 1


def test_every_point_has_an_error(plane_run, digits):
    data = read_splits(plane_run, digits)[0]
    errors, best = (
        decode.errors_of_points(plane_run, data),
        decode.reconstruct_points(plane_run.model(), data, plane_run.rows()),
    )
    assert errors.shape == (1797,) and errors[best.positions] == pytest.approx(best.errors)


def test_some_points_can_be_taken_away(plane_run):
    found = read_frame(plane_run, 8)
    lines = take_away.as_csv(take_away.some_points(found, [3, 5]), [str(c) for c in range(10)]).decode().splitlines()
    assert len(lines) == 3 and lines[1].split(",")[1] == str(found.rows["row"][3])


def test_an_own_image_is_centred_and_turned_to_light_on_dark(digits):
    image = np.zeros((1, 8, 8), np.uint8)
    image[0, :2, :2] = 200
    moved = centre_image(image)
    assert moved.sum() == image.sum() and (moved[0, 3:5, 3:5] == 200).all()
    assert (centre_image(np.zeros((1, 8, 8), np.uint8)) == 0).all()
    others = digits.train.images[:50].numpy()
    assert is_inverted(255 - image, others) and not is_inverted(image, others)


# ---- clusters


def test_clusters_are_told_largest_first_with_their_middles():
    """Two clusters on a line; the third holds nobody, and only the first has a drawing."""
    latents = np.array([[0.0], [1], [10], [11], [12], [30]])
    labels = np.array([1, 0, 2, 2, 2, 1])
    frame = frames.Frame(
        {"labels": labels},
        latents,
        labels,
        clusters=np.array([3, 3, 0, 0, 0, 0], np.int16),
        cluster_sizes=np.array([4, 0, 0, 2]),
        cluster_entropies=np.array([0.5, np.nan, np.nan, 1.0]),
        cluster_shown=np.array([3], np.int16),
        cluster_images=np.full((1, 1, 2, 2), 7, np.uint8),
    )
    first, second = clusters.list_clusters(frame, members=2)
    assert (first.number, first.size, first.entropy, first.label, first.share) == (0, 4, 0.5, 2, 0.75)
    assert first.members.tolist() == [4, 3], "its middle is at 15.75"
    assert (second.number, second.size, second.entropy, second.share) == (3, 2, 1.0, 0.5)
    assert first.drawn is None and (second.drawn == 7).all()
    frame = replace(frame, cluster_shown=None, cluster_images=None)
    assert [cluster.drawn for cluster in clusters.list_clusters(frame)] == [None, None]


def test_what_labels_are_worth_is_read_between_two_counts():
    counts, scores = [10, 100, 1000], [0.2, 0.6, 0.8]
    assert clusters.labels_worth(counts, scores, 0.7) == pytest.approx(10**2.5)  # half way, on a logarithmic scale
    assert clusters.labels_worth(counts, scores, 0.3) == pytest.approx(10**1.25)
    for level, known in ((0.1, 10), (0.2, 10), (0.6, 100), (0.8, 1000)):
        assert clusters.labels_worth(counts, scores, level) == pytest.approx(known)
    assert clusters.labels_worth(counts, scores, 0.81) is None and clusters.labels_worth([], [], 0.5) is None
    assert clusters.labels_worth([10, 100, 1000], [0.7, 0.5, 0.9], 0.6) == 10, "the first that reaches it"


def test_labels_are_compared_on_the_same_data_split_epochs_and_seed():
    given = {"data": "mnist", "split": "classes", "evaluate_on": "validation", "epochs": 3, "seed": 4}
    made = clusters.comparator_configs(RunConfig.of({"model": "cbswr", "pl": 5.0, **given}), 300, 10)
    assert list(made) == [20, 50, 100, 200]
    for count, config in made.items():
        assert config.pl == pytest.approx(100 * count / 300) and (config.model, config.augment) == ("dml", "on")
        assert {name: getattr(config, name) for name in given} == given


@pytest.mark.parametrize(("classes", "each"), [(10, 20), (98, 17), (200, 10), (1000, 2)])
def test_labels_of_many_classes_are_compared_in_steps_that_can_be_made(classes, each):
    made = clusters.comparator_configs(RunConfig(model="cbswr"), 40 * classes, classes)
    assert {config.labelled_per_class for config in made.values()} == {each}
    Batches(torch.arange(classes).repeat(40), torch.arange(40 * classes), each, 256, 1.0)  # which raises nothing


def test_a_run_of_large_steps_is_compared_with_the_largest_there_are():
    settings = clusters.comparator_configs(RunConfig(model="cbswr", batch_size=5_000), 1297, 10)
    assert {config.batch_size for config in settings.values()} == {8192}
    settings = clusters.comparator_configs(RunConfig(model="cbswr", batch_size=64), 1297, 10)
    assert {config.batch_size for config in settings.values()} == {128}


def test_a_frame_says_what_a_file_holds_and_is_made_of_it_again():
    latents, labels = np.zeros((3, 2), np.float32), np.zeros(3, np.int16)
    rows = {"labels": labels}
    frame = frames.Frame(rows, latents, labels, pseudo_inputs=np.zeros((1, 1, 2, 2), np.uint8), epoch=4, step=7)
    held = frame.arrays()
    assert list(held) == ["latents", "predictions", "pseudo_inputs", "epoch", "step"] and held["step"].dtype == np.int64
    again = frames.Frame.of(held, rows)
    assert (again.epoch, again.step, again.clusters) == (4, 7, None) and again.pseudo_inputs is held["pseudo_inputs"]
    with pytest.raises(KeyError, match="component_weights"):
        frames.Frame.of(held | {"component_means": latents, "component_log_vars": latents}, rows)


def test_classes_without_names_are_numbers(plane_run, monkeypatch):
    assert class_names(plane_run) == [str(digit) for digit in range(10)]
    monkeypatch.setattr(type(plane_run), "details", lambda run: {"data": {"class_names": []}})
    assert class_names(plane_run) == [str(digit) for digit in range(10)]
