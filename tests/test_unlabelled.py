"""Training where some rows have no label, or none has: other labels are what they were, images are learned from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from semidml.config import RunConfig
from semidml.data import store
from semidml.data.dataset import Dataset, Split
from semidml.frames import TEST, Frame
from semidml.rules import explain_no_labels
from semidml.scores.meaning import NO_TEST_LABEL
from semidml.scores.table import SCORES
from semidml.train import task
from semidml.train.loop import fit

SMALL = {"data": "digits", "encoder": "mlp", "device": "cpu", "batch_size": 256}


def config_of(**knobs):
    return RunConfig.of(SMALL | {"epochs": 2} | knobs)


def without(split: Split, rows: torch.Tensor) -> Split:
    """A split with the labels of all but these rows removed."""
    labels = torch.full_like(split.labels, -1)
    labels[rows] = split.labels[rows]
    return split._replace(labels=labels)


def cut(data: Dataset, train: int, test: int) -> Dataset:
    parts = (Split(*(part[:n] for part in split)) for split, n in ((data.train, train), (data.test, test)))
    return replace(data, **dict(zip(("train", "test"), parts, strict=True)))


@pytest.fixture(scope="module")
def flat(digits):
    """Digits of which nobody has said what they are: no class, no label."""
    nothing = torch.tensor([], dtype=torch.int64)
    small = cut(digits, 400, 100)
    return replace(small, train=without(small.train, nothing), test=without(small.test, nothing), class_names=())


@pytest.mark.parametrize(
    "knobs",
    [
        {"model": "dml", "pl": 10},
        {"model": "dml-ae", "pl": 10, "label_sampling": "balanced", "augment": "on"},
        {"model": "metric-vae", "prior": "gmm", "pl": 5, "seed": 3},
    ],
    ids=["dml", "autoencoder", "prior"],
)
def test_labels_that_are_removed_are_as_labels_that_are_not_seen(digits, knobs):
    """The same rows seen, whether the others' labels are hidden from the training or gone: to the bit the same
    weights, and of the test rows the same scores by what was seen."""
    config = config_of(**knobs)
    _, seen = task.prepare(config, digits)
    removed = replace(digits, train=without(digits.train, seen.rows))
    assert removed.digest != digits.digest, "a run of one is not taken for a run of the other"
    hidden, gone = fit(config, digits), fit(config.model_copy(update={"pl": 100.0}), removed)
    assert gone.seen.rows.equal(hidden.seen.rows) and gone.facts["unlabelled_rows"] == 1297 - len(seen.rows)
    ends = [[record for record in training if record.ends_epoch] for training in (hidden, gone)]
    for before, after in zip(*ends, strict=True):  # in between a tick comes when its time has
        assert (before.terms, before.weights, before.steps) == (after.terms, after.weights, after.steps)
        assert before.scores["knn_accuracy_labelled"] == after.scores["knn_accuracy_labelled"]
    weights = gone.weights()
    assert all(tensor.equal(weights[name]) for name, tensor in hidden.weights().items())
    whole, sparse = hidden.finish(), gone.finish()
    of_all = {name for name in whole if name in SCORES and SCORES[name].fitted_on == "all"} | {"seconds"}
    assert {name: whole[name] for name in set(whole) - of_all} == {name: sparse[name] for name in set(sparse) - of_all}
    assert sparse["knn_accuracy"] == sparse["knn_accuracy_labelled"], "all labels are those that were seen"


def test_settings_chosen_on_validation_see_the_same_share_of_the_labels(digits):
    config = config_of(model="dml", pl=50, evaluate_on="validation")
    sparse = replace(digits, train=without(digits.train, torch.arange(600)))
    splits, seen = task.prepare(config, sparse)
    assert len(seen.rows) == 300 and len(splits.test.labels) == 60 and (splits.test.labels >= 0).all()
    assert len(splits.train.labels) == 1297 - 60 and (splits.train.labels[seen.rows] >= 0).all()


@pytest.mark.parametrize(
    "knobs",
    [
        {"model": "cbswr", "clusters": 8, "batch_size": 64},
        {"model": "dml-ae", "alpha": 1.0},
        {"model": "metric-vae", "prior": "gmm", "alpha": 1.0},
        {"model": "dml-ae", "alpha": 1.0, "loss": "proxy-anchor"},
    ],
    ids=["cbswr", "autoencoder", "vae", "idle proxies"],
)
def test_without_a_class_what_learns_from_images_trains_and_no_score_is_of_labels(flat, knobs):
    training = fit(config_of(**knobs), flat)
    records = list(training)
    metrics, frame = training.finish(), training.frame()
    failed = metrics.pop("failed")
    metrics.pop("notes", None)
    for scores in (metrics, *(record.scores for record in records if record.ends_epoch)):
        assert scores and not [name for name in scores if SCORES[name].needs_labels] and None not in scores.values()
    assert set(failed.values()) == {NO_TEST_LABEL} and {"knn_accuracy", "recall_at_1", "kmeans_ami"} <= set(failed)
    assert set(frame.rows["labels"].tolist()) == set(frame.predictions.tolist()) == {-1}
    assert not frame.wrong.any() and not frame.disjoint and not frame.rows["seen"].any()
    assert training.facts["seen_labels"] == 0 and training.facts["unlabelled_rows"] == 400
    assert ("component_ami" in failed) == ("prior" in knobs) and ("cluster_ami" in failed) == (
        knobs["model"] == "cbswr"
    )


@pytest.mark.parametrize(
    ("knobs", "instead"),
    [
        ({"model": "dml"}, "train cbswr, which needs no label, or dml-ae with alpha 1, which learns from images alone"),
        ({"model": "dml-ae", "schedule": "additive"}, "or dml-ae with gamma 0, which"),
        ({"model": "metric-vae", "prior": "unit"}, "or metric-vae with alpha 1"),
        ({"model": "dml-prior", "prior": "unit"}, "train cbswr"),
    ],
)
def test_what_learns_from_labels_is_refused_with_what_can_be_trained_instead(flat, knobs, instead):
    with pytest.raises(ValueError, match="no training image has a label") as refused:
        fit(config_of(**knobs), flat)
    assert instead in str(refused.value) == explain_no_labels(config_of(**knobs), 0, 0)


def test_what_is_proposed_instead_can_be_trained(flat):
    for model in ("dml", "dml-prior"):
        config = config_of(model=model, **({"prior": "unit"} if model == "dml-prior" else {}))
        for proposal in explain_no_labels(config, 0, 0).partition("train ")[2].split(", or "):
            name, _, more = proposal.partition(" with ")
            knob, value = more.split(",")[0].split() if more else ("seed", "0")
            chosen = {"model": name.split(",")[0], knob: float(value) if more else 0, "epochs": 1, "batch_size": 64}
            prior = {"prior": "unit"} if chosen["model"] == "metric-vae" else {}
            assert len(list(fit(config_of(**chosen | prior), flat))) >= 2


def odd(digits, train, test, classes=2):
    """Digits with other labels."""
    parts = [(digits.train, train), (digits.test, test)]
    splits = [Split(split.images[: len(labels)], torch.tensor(labels)) for split, labels in parts]
    return Dataset("odd", "Odd", *splits, None, tuple("abcdef"[:classes]))


@pytest.mark.parametrize(
    ("train", "test", "has", "lacks"),
    [
        ([0, 1, -1] * 40, [-1] * 60, {"spread"}, {"knn_accuracy", "recall_at_1"}),
        ([-1] * 120, [0, 1, -1] * 20, {"recall_at_1", "kmeans_ami"}, {"knn_accuracy", "knn_accuracy_labelled"}),
        ([0, 1, -1] * 40, [0, 1, 2] * 20, {"recall_at_1", "knn_accuracy", "seen_class_ceiling"}, set()),
        ([0] * 60 + [-1] * 60, [0, 1, -1] * 20, {"recall_at_1", "knn_accuracy_labelled"}, set()),
        ([0] + [-1] * 119, [0, 1, -1] * 20, {"recall_at_1", "knn_accuracy"}, set()),
        ([0] + [-1] * 119, [-1] * 60, {"spread"}, {"recall_at_1"}),
    ],
    ids=["training only", "testing only", "a class of test rows", "one class", "one label", "one label in all"],
)
@pytest.mark.parametrize("knobs", [{"model": "cbswr", "batch_size": 60}, {"model": "dml-ae"}], ids=["cbswr", "dml-ae"])
def test_labels_in_odd_places_work_or_are_refused_in_words(digits, train, test, has, lacks, knobs):
    data, config = odd(digits, train, test, 3), config_of(**knobs, epochs=1)
    if config.uses_labels and len(set(train) - {-1}) < 2:
        with pytest.raises(ValueError, match=r"(no training image has a label|of one class), and dml-ae learns"):
            fit(config, data)
        return
    training = fit(config, data)
    list(training)
    metrics, frame = training.finish(full=True), training.frame()
    assert has <= set(metrics) and lacks <= set(metrics["failed"] if lacks else ()) and not lacks & set(metrics)
    assert all(metrics[name] is not None for name in has)
    assert (frame.wrong <= (frame.rows["labels"] >= 0)).all()


def test_a_frame_is_right_or_wrong_only_where_both_are_known():
    rows = {"labels": np.array([0, -1, 1, 1, -1]), "split": np.array([0, 0, TEST, TEST, TEST])}
    frame = Frame(rows, np.zeros((5, 2), np.float32), np.array([1, 0, -1, 1, -1]))
    assert frame.told.tolist() == [True, False, False, True, False]
    assert frame.wrong.tolist() == [True, False, False, False, False]


def test_a_data_set_without_classes_is_trained_from_the_command_line(tmp_path, monkeypatch, capsys, flat):
    from semidml import cli
    from semidml.runs import trained_on, transfer
    from semidml.runs.run import Run

    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    store.kept.clear()
    file, out = tmp_path / "flat.npz", tmp_path / "runs" / "first"
    images = flat.train.images[:, 0].numpy()
    np.savez(file, train_images=images, train_labels=np.full(len(images), -1))
    common = ["train", "--data", str(file), "--epochs", "1", "--device", "cpu"]
    assert cli.main([*common, "--model", "cbswr", "--batch-size", "64", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "spread" in said and "kNN" not in said and f"that need labels are left out: {NO_TEST_LABEL}." in said
    assert cli.main([*common, "--model", "dml", "--out", str(tmp_path / "runs" / "second")]) == 1
    assert "no training image has a label, and dml learns from labels" in capsys.readouterr().err
    run = Run(out)
    data = store.load(str(file), allow_paths=True)
    assert trained_on.read_splits(run, data)[1].rows.tolist() == [] and run.details()["data"]["class_names"] == []
    with open(tmp_path / "it.zip", "wb") as zipped:
        transfer.export_zip(run, zipped)
    with open(tmp_path / "it.zip", "rb") as zipped:
        imported = transfer.import_zip(zipped, "again")
    assert (imported.rows()["labels"] == -1).all() and imported.metrics() == run.metrics()
