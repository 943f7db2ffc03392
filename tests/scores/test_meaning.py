"""What means nothing is None with its reason, what means little carries a remark, and all else is left alone."""

import json

import numpy as np
import pytest
import torch

from semidml.scores import checks, meaning, protocol, retrieval, table
from semidml.scores.meaning import Judged

AGREEMENTS = {"knn_ami", "knn_ami_labelled", "knn1_ami_labelled", "kmeans_ami", "kmeans_nmi", "kmeans_accuracy"}
RECALLS = {f"recall_at_{k}" for k in table.RECALL_AT}
RETRIEVAL = RECALLS | {"map_at_r"}
ACCURACIES = {"knn_accuracy", "knn_accuracy_labelled", "knn1_accuracy_labelled"}
TRAINED_ON = np.repeat(np.arange(10), 12)


def scored(labels, *, train=TRAINED_ON, seen=None, dims=2, seed=0, **more):
    """Scores of noise with these test labels."""
    rng, labels, train = np.random.default_rng(seed), np.array(labels), np.array(train)
    seen = np.arange(len(train)) if seen is None else np.array(seen)
    latents = (rng.normal(size=(len(its), dims)) for its in (train, labels))
    found = protocol.score_latents(table.Scored(next(latents), train, seen, next(latents), labels, 10), **more)
    json.dumps(found, allow_nan=False)
    assert all(found[name] is None for name in found.get("failed", {}))
    assert all(found[name] is not None for name in found.get("notes", {}))
    return found


def live(labels, train=TRAINED_ON, seed=0):
    rng, labels, train = np.random.default_rng(seed), np.array(labels), np.array(train)
    latents = [rng.normal(size=(len(its), 2)) for its in (train, labels)]
    given = table.Scored(latents[0], train, np.arange(len(train)), latents[1], labels, 10)
    found = protocol.live_scores(given)
    return found | protocol.live_retrieval(latents[1], labels)


def without(found):
    return {name for name, value in found.items() if value is None}


@pytest.mark.parametrize("labels", [[3, 3], [3, 4]], ids=["of one class", "of two"])
def test_two_test_rows_agree_with_anything(labels):
    """AMI, NMI, recall and MAP@R were 1.0."""
    found = scored(labels)
    assert without(found) == AGREEMENTS | RETRIEVAL | {"effective_rank", "collapsed"} == set(found["failed"])
    assert found["failed"]["effective_rank"] == "two points always lie on a line"
    words = "all 2 test images are of class 3" if labels[1] == 3 else "no two test images are of one class"
    assert all(words in found["failed"][name] for name in AGREEMENTS | RETRIEVAL)
    assert found["notes"]["knn_accuracy"].startswith("of 2 test images only; each is 50 % of it")
    assert without(live(labels)) == {"knn_ami", "kmeans_ami", "kmeans_nmi", "effective_rank"} | RECALLS


def test_ten_rows_of_ten_classes_agree_with_any_ten_clusters():
    """k-means AMI was 1.0: each row is a cluster of its own."""
    found = scored(range(10))
    assert without(found) == AGREEMENTS | RETRIEVAL
    assert (
        0 <= found["knn_accuracy"] <= 1
        and "of 10 test images only; each is 10 % of it" in found["notes"]["knn_accuracy"]
    )
    assert without(live(range(10))) == {"knn_ami", "kmeans_ami", "kmeans_nmi"} | RECALLS


@pytest.mark.parametrize("rows", [1, 40])
def test_rows_of_one_class_have_no_classes_to_tell_apart(rows):
    found = scored([7] * rows)
    its_shape = {"mean_pairwise_distance", "spread", "effective_rank", "collapsed"} if rows == 1 else set()
    assert without(found) == AGREEMENTS | RETRIEVAL | its_shape
    assert ("the only test image is of class 7" if rows == 1 else "all 40 test images are of class 7") in found[
        "failed"
    ]["kmeans_ami"]
    assert without(scored([7] * 40, train=[7] * 30)) == AGREEMENTS | RETRIEVAL | ACCURACIES
    assert without(live([7] * 40, train=[7] * 30)) >= {
        "knn_accuracy",
        "knn_accuracy_labelled",
        "knn_ami",
        "recall_at_1",
    }


def test_recall_at_more_than_there_are_others_is_forced():
    """With two rows of other classes one's own is among any three."""
    found = scored([1, 1, 1, 2, 2])
    assert without(found) == {"recall_at_4", "recall_at_8"}
    assert "so few are of other classes that one of its own is always among 4" in found["failed"]["recall_at_4"]
    values = {scored([1, 1, 1, 2, 2], seed=seed)["recall_at_2"] for seed in range(20)}
    assert len(values) > 1, "not forced"


@pytest.mark.parametrize("labels", [[0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 2], [0, 0, 1, 1, 2, 3]])
def test_what_is_told_depends_on_the_latents_and_what_is_not_does_not(labels):
    """Of few rows, over random latents: eight times, and as often as it takes until what may differ has differed."""
    asked = RETRIEVAL | {"kmeans_ami", "kmeans_nmi", "kmeans_accuracy", "knn_accuracy"}
    values = {name: set() for name in asked}
    for seed in range(60):
        found = scored(labels, seed=seed, dims=3)
        for name in asked:
            values[name].add(found[name])
        forced = {name for name in asked if values[name] == {None}}
        if seed >= 7 and all(len(values[name]) > 1 for name in asked - forced):
            break
    assert all(len(values[name]) > 1 for name in asked - forced), values
    for seed in range(60):
        points = np.random.default_rng(seed).normal(size=(len(labels), 3))
        recall = dict(zip(table.RECALL_AT, retrieval.recall_at(points, np.array(labels)), strict=True))
        sizes = np.bincount(labels)[labels]
        assert all(recall[k] == (sizes > 1).mean() for k in recall if f"recall_at_{k}" in forced)


def test_a_score_of_fewer_than_30_rows_carries_a_remark():
    found = scored([0, 1, 2] * 4)
    assert found["notes"]["recall_at_1"] == "of 12 test images only; each is 8.3 % of it"
    assert found["notes"]["spread"] == found["notes"]["map_at_r"] == "of 12 test images only"
    assert set(found["notes"]) == {name for name in found if not name.endswith("_sd")} - {"notes"}
    assert "notes" not in scored([0, 1, 2] * 10), "30 are enough"


def test_a_class_of_one_row_is_told_where_it_matters():
    found = scored([0] * 20 + [1] * 19 + [7], class_names=[*"abcdefg", "h\n", "i", "j"])
    assert found["notes"]["recall_at_1"] == "class 7 has one test image: it can only be missed", (
        "its name is not one line"
    )
    assert found["notes"]["map_at_r"] == "class 7 has one test image: it is left out"
    assert "has one test image: k-means is to find a cluster for it alone" in found["notes"]["kmeans_ami"]
    assert "has one test image: of this class it says all or nothing" in found["notes"]["knn_accuracy"]
    assert not {"spread", "effective_rank", "seen_class_ceiling"} & set(found["notes"]) and "failed" not in found
    many = scored([0] * 40 + [1, 2, 3, 4, 5], class_names=list("abcdefghij"))["notes"]
    assert many["recall_at_1"] == "5 classes (b, c, d, ...) have one test image each: they can only be missed"


def test_of_the_rows_drawn_for_kmeans_the_remark_is_of_these():
    """A class may have one row among them, and several in all."""
    labels = np.repeat([0, 1, 2], [500, 490, 10])
    rows = next(n for n in range(40, 200) if (checks.subset(n, 0, labels)[0] == 2).sum() == 1)
    part = protocol._judge(
        ["kmeans_ami", "recall_at_1"], TRAINED_ON, TRAINED_ON, labels, *checks.subset(rows, 0, labels), 3, 2
    )
    assert part.notes == {"kmeans_ami": "class 2 has one drawn test image: k-means is to find a cluster for it alone"}
    assert part.failed == {}


@pytest.mark.parametrize("seen", [[5], [5, 40], [5, 40, 41, 100], [3, 4, 5, 6, 7, 8]])
def test_labels_that_decide_every_answer_are_told(seen):
    """All of one class, or no more than vote: wherever the latents lie, the accuracy is the same."""
    labels = np.arange(60) % 10
    found = scored(labels, seen=seen)
    its = TRAINED_ON[seen]
    winner = np.bincount(its).argmax()
    assert found["knn_accuracy_labelled"] == (labels == winner).mean() and found["knn_ami_labelled"] == 0
    assert f"class {winner}" in found["notes"]["knn_accuracy_labelled"]
    assert "wherever it lies" in found["notes"]["knn_accuracy_labelled"]
    assert ("knn1_accuracy_labelled" in found["notes"]) == (len(set(its.tolist())) == 1)
    assert "knn_accuracy" not in found["notes"]
    assert "notes" not in scored(labels, seen=[0, 1, 2, 20, 40, 41])


def test_remarks_come_beside_those_that_are_there():
    judged = Judged({"a": "nothing"}, {"b": "few", "c": "few", "d": "few"})
    scores = {"a": 1.0, "a_sd": 0.1, "b": 0.5, "c": None, "failed": {"c": "not finite"}, "notes": {"b": "unsettled"}}
    assert meaning.told(scores, judged) == {
        **{"a": None, "b": 0.5, "c": None},
        "failed": {"c": "not finite", "a": "nothing"},
        "notes": {"b": "unsettled; few"},
    }
    assert meaning.told({"e": 1.0}, judged) == {"e": 1.0}


OF_GROUPS = {"component_ami", "component_nmi", "component_ami_rotated", "cluster_ami", "cluster_accuracy"}


@pytest.mark.parametrize(
    ("labels", "forced"),
    [([4] * 40, OF_GROUPS | {"classes_alone"}), ([0, 1, 2, 3], OF_GROUPS), ([0] * 20 + [1] * 20, set())],
)
def test_components_and_clusters_agree_with_no_single_class(labels, forced):
    names = ("component_ami", "component_nmi", "component_ami_rotated", "components_used", "component_distance")
    names += ("classes_alone", "cluster_ami", "cluster_accuracy", "clusters_used", "kl_nats", "marginal_entropy")
    assert set(meaning.judge(names, np.array(labels)).failed) == forced
    assert {"components_used", "clusters_used"} <= set(meaning.judge(names, np.array([3])).failed)


def test_a_trained_prior_and_a_clustering_head_say_none_of_rows_of_one_class(digits):
    """At each tick, and at the end; no alarm says then that one component holds everything of a single row."""
    from dataclasses import replace

    from semidml.config import RunConfig
    from semidml.data.dataset import take
    from semidml.train.loop import fit

    threes = take(digits.test, (digits.test.labels == 3).nonzero().flatten()[:1])
    for how, names in (
        ({"model": "dml-prior", "prior": "gmm"}, ("component_ami", "component_ami_rotated", "components_used")),
        ({"model": "cbswr", "batch_size": 64}, ("cluster_ami", "cluster_nmi", "cluster_accuracy", "clusters_used")),
    ):
        training = fit(
            RunConfig.of({"data": "digits", "epochs": 1, "device": "cpu", **how}), replace(digits, test=threes)
        )
        ticks = [tick for tick in training if tick.scores]
        final = training.finish()
        for name in names:
            assert final[name] is None and name in final["failed"]
            assert all(tick.scores[name] is None for tick in ticks if name in tick.scores)
        assert final["failed"][names[0]].startswith("the only test image is of class 3")
        assert not [alarm for tick in ticks for alarm in tick.alarms if "component holds" in alarm]


def test_a_validation_split_of_few_rows_says_so(digits):
    """20 images of ten classes, two of each."""
    from dataclasses import replace

    from semidml.config import RunConfig
    from semidml.data.dataset import take
    from semidml.train.loop import fit

    rows = [row for c in range(10) for row in (digits.train.labels == c).nonzero().flatten()[:20].tolist()]
    few = replace(digits, train=take(digits.train, torch.tensor(rows)))
    training = fit(RunConfig(data="digits", epochs=1, evaluate_on="validation", pl=100, device="cpu"), few)
    assert training.data.test.labels.bincount().tolist() == [2] * 10
    assert training.data.train.labels.bincount().tolist() == [18] * 10
    for _ in training:
        pass
    found = training.finish()
    assert found["notes"]["knn_accuracy"] == "of 20 test images only; each is 5 % of it" and "failed" not in found


def test_floors_leave_out_what_means_nothing():
    images = np.arange(30, dtype=np.uint8).reshape(-1, 1)
    labels = np.arange(30) % 2
    alone = protocol.floors(table.Scored(images, labels, np.arange(30), images[:2], np.array([0, 1]), 2))
    assert set(alone) == {"chance", "pixel_knn_accuracy", "pixel_knn_accuracy_labelled"}
    one = protocol.floors(table.Scored(images, labels * 0, np.arange(30), images, labels * 0, 2))
    assert one == {"chance": 1.0}
