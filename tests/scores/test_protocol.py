"""Scores of a latent space: those of their parts, blind to hidden labels, honest when they cannot be had."""

import json
import time

import numpy as np
import pytest

from semidml.scores import agreement, checks, classifiers, collapse, neighbours, protocol, retrieval
from semidml.scores.clusters import kmeans, kmeans_scores
from semidml.scores.table import RAW, RECALL_AT, SCORES, Scored
from tests.scores.clouds import apart, blobs, halves


@pytest.mark.parametrize("dims", [1, 2, 12])
def test_scores_are_whole_and_fit_into_json(dims):
    result = protocol.score_latents(Scored(*halves(dims=dims), seed=1))
    assert "failed" not in result and "notes" not in result
    assert set(result) == set(SCORES) - {
        *(k for k in SCORES if k.startswith(("random_forest", "mlp", "pixel", "component", "cluster"))),
        *("reconstruction_mse", "chance", "seconds", "classes_alone", "kl_nats", "elbo_nats"),
        *("marginal_entropy", "conditional_entropy"),
        *(k for k in SCORES if k.endswith(RAW)),
    }
    assert all(type(value) in (float, bool) for value in result.values())
    json.dumps(result, allow_nan=False)
    assert result == protocol.score_latents(Scored(*halves(dims=dims), seed=1))


def test_scores_are_those_of_the_parts():
    train, labels, seen, test, test_labels, classes = halves(apart=1.5)
    result = protocol.score_latents(Scored(train, labels, seen, test, test_labels, classes))
    few = classifiers.knn_classify(train[seen], labels[seen], test, classes, 1)
    assert result["knn1_accuracy_labelled"] == (few == test_labels).mean()
    assert result["knn1_ami_labelled"] == agreement.ami(test_labels, few)
    assert 0.3 < result["knn_accuracy_labelled"] < 0.99
    assert result["recall_at_1"] < result["recall_at_2"] < result["recall_at_4"] < result["recall_at_8"]


@pytest.mark.parametrize("full", [False, True])
def test_labels_that_are_not_seen_change_no_score_on_seen_labels(full):
    train, labels, seen, test, test_labels, classes = halves(n=300)
    hidden = np.setdiff1d(np.arange(len(labels)), seen)
    other = labels.copy()
    other[hidden] = np.random.default_rng(5).permutation(labels[hidden])
    ours, theirs = (
        protocol.score_latents(Scored(train, y, seen, test, test_labels, classes), full=full) for y in (labels, other)
    )
    blind = [
        k
        for k in ours
        if k.endswith("_labelled") or k == "seen_class_ceiling" or k.startswith(("kmeans", "recall", "map"))
    ]
    assert len(blind) == (20 if full else 16) and {k: ours[k] for k in blind} == {k: theirs[k] for k in blind}
    assert ours["knn_accuracy"] != theirs["knn_accuracy"]


def test_full_scores_learn_what_is_easy():
    result = protocol.score_latents(Scored(*halves(n=2_400, apart=10)), full=True)
    for name in ("random_forest", "mlp"):
        assert result[f"{name}_accuracy"] > 0.98 and result[f"{name}_ami"] > 0.95
        assert result[f"{name}_accuracy_labelled"] > 0.9


def test_a_fit_that_does_not_settle_is_used_and_noted(monkeypatch):
    from sklearn.neural_network import MLPClassifier

    start = MLPClassifier.__init__
    monkeypatch.setattr(MLPClassifier, "__init__", lambda self, **how: start(self, **how | {"max_iter": 3}))
    said = []
    train, labels, _, test, _, _ = halves(n=300, apart=0.5)
    predicted = classifiers.mlp_classify(train, labels, test, 0, said.append)
    assert len(predicted) == len(test) and said == ["the MLP had not settled after 3 passes"]


def test_one_seen_label_is_enough_for_every_classifier():
    train, labels, _, test, test_labels, classes = halves(n=300)
    result = protocol.score_latents(Scored(train, labels, np.array([7]), test, test_labels, classes), full=True)
    share = (test_labels == labels[7]).mean()
    for name in ("knn", "knn1", "random_forest", "mlp"):
        assert result[f"{name}_accuracy_labelled"] == share == result["seen_class_ceiling"]
        assert result[f"{name}_ami_labelled"] == 0


def test_no_seen_label_fails_in_words_and_leaves_the_rest():
    train, labels, _, test, test_labels, classes = halves()
    result = protocol.score_latents(Scored(train, labels, np.array([], np.int64), test, test_labels, classes))
    assert result["knn_accuracy_labelled"] is None and result["knn1_ami_labelled"] is None
    assert "at least one seen label" in result["failed"]["knn_accuracy_labelled"]
    assert result["knn_accuracy"] > 0.5 and result["seen_class_ceiling"] == 0


def test_latents_that_are_not_finite_fail_in_words():
    train, labels, seen, test, test_labels, classes = halves()
    test[3] = np.nan
    result = protocol.score_latents(Scored(train, labels, seen, test, test_labels, classes), full=True)
    assert all(result[k] is None for k in result if k not in ("failed", "seen_class_ceiling"))
    assert set(result["failed"].values()) == {"1 of 200 rows hold numbers that are not finite"}
    json.dumps(result, allow_nan=False)
    live = protocol.live_scores(Scored(train, labels, seen, test, test_labels, classes))
    assert set(live.values()) == {None}


def test_a_collapsed_space_is_said_so():
    train, labels, seen, test, test_labels, classes = halves()
    result = protocol.score_latents(Scored(train * 0, labels, seen, test * 0, test_labels, classes))
    assert result["collapsed"] is True and result["spread"] == 0 == result["mean_pairwise_distance"]
    assert set(result["failed"]) == {"kmeans_ami", "kmeans_nmi", "kmeans_accuracy", "effective_rank"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test": np.zeros((200, 3))}, "latents must be"),
        ({"train_labels": np.zeros(3, int)}, "as many labels"),
        ({"classes": 3}, "between 0 and 2"),
        ({"seen": np.array([400])}, "between 0 and 399"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, words):
    names = ("train", "train_labels", "seen", "test", "test_labels", "classes")
    with pytest.raises(ValueError, match=words):
        Scored(**dict(zip(names, halves(), strict=True)) | change)


def test_progress_goes_from_nothing_to_all():
    told = []
    protocol.score_latents(Scored(*halves()), progress=lambda fraction, text: told.append((fraction, text)))
    fractions = [fraction for fraction, _ in told]
    assert fractions[0] == 0 and fractions[-1] == 1 and fractions == sorted(fractions) and all(text for _, text in told)


def test_live_scores_are_the_scores_of_small_sets():
    given = Scored(*halves())
    live, final = protocol.live_scores(given), protocol.score_latents(given)
    assert set(live) == {"knn_accuracy", "knn_ami", "knn_accuracy_labelled", "kmeans_ami", "mean_pairwise_distance",
                         "spread", "effective_rank"}  # fmt: skip
    for name in set(live) - {"kmeans_ami"}:  # of fewer starts
        assert live[name] == pytest.approx(final[name]), name


def test_scores_of_classes_that_were_not_trained_on_are_those_that_need_no_training_class():
    train, labels, seen, test, test_labels, classes = apart()
    result = protocol.score_latents(Scored(*apart()), full=True)
    assert set(result) == {
        *("kmeans_ami", "kmeans_nmi", "kmeans_accuracy", "kmeans_ami_sd", "kmeans_nmi_sd", "kmeans_accuracy_sd"),
        *("map_at_r", *(f"recall_at_{k}" for k in RECALL_AT)),
        *("mean_pairwise_distance", "spread", "effective_rank", "collapsed"),
    }
    expected = kmeans_scores(test, test_labels, 3)[:3]  # as many clusters as classes are tested, not 8
    assert (result["kmeans_ami"], result["kmeans_nmi"], result["kmeans_accuracy"]) == expected
    live = protocol.live_scores(Scored(*apart()))
    assert set(live) == {"kmeans_ami", "mean_pairwise_distance", "spread", "effective_rank"}
    assert live["kmeans_ami"] == agreement.ami(test_labels, kmeans(test, 3, 3, rounds=15))
    floors = protocol.floors(Scored(train, labels, seen, test, test_labels, classes))
    assert floors == {"pixel_recall_at_1": pytest.approx(result["recall_at_1"], abs=0.01)}


def test_live_retrieval_is_that_of_a_small_set():
    _, _, _, test, test_labels, _ = apart()
    live = protocol.live_retrieval(test, test_labels)
    recall = retrieval.recall_at(test, test_labels)
    assert live == {
        **{f"recall_at_{k}": value for k, value in zip(RECALL_AT, recall, strict=True)},
        "kmeans_nmi": agreement.nmi(test_labels, kmeans(test, 3, 1, rounds=15)),
    }
    points, labels = blobs(30_000)
    assert protocol.live_retrieval(points, labels, 1) == protocol.live_retrieval(points, labels, 1)
    assert protocol.live_retrieval(points, labels, 1) != protocol.live_retrieval(points, labels, 2)
    assert set(protocol.live_retrieval(points * np.nan, labels).values()) == {None}
    collapsed = protocol.live_retrieval(points * 0, labels)
    assert collapsed["kmeans_nmi"] is None and collapsed["recall_at_1"] is not None


def test_live_scores_are_quick():
    given = Scored(*halves(n=30_000, classes=10))
    protocol.live_scores(given)  # imports
    spans = []
    for _ in range(5):
        start = time.perf_counter()
        protocol.live_scores(given)
        spans.append(time.perf_counter() - start)
    assert min(spans) < 0.25  # 0.02 to 0.035 on two busy cores


def test_reconstruction_error_is_the_mean_square_in_units_of_the_range():
    images = np.zeros((3, 1, 2, 2), np.uint8)
    assert checks.reconstruction_mse(images, np.full((3, 1, 2, 2), 0.5)) == 0.25
    assert checks.reconstruction_mse(images, images + 255) == 1
    with pytest.raises(ValueError, match="same shape"):
        checks.reconstruction_mse(images, images[:2])


def test_scores_reconstruct_in_parts_what_was_embedded():
    train, labels, seen, _, _, classes = halves(n=2_000)
    images = np.random.default_rng(0).random((len(train), 1, 1, 2)).astype(np.float32)
    sizes = []

    def reconstruct(latents):
        sizes.append(len(latents))
        return latents.reshape(-1, 1, 1, 2)

    test = images.reshape(-1, 2) + np.float32(0.1)
    result = protocol.score_latents(
        Scored(train, labels, seen, test, labels, classes),
        reconstruction_mse=lambda: checks.reconstruction_mse_of(images, test, reconstruct),
    )
    assert result["reconstruction_mse"] == pytest.approx(0.01, rel=1e-4)
    assert sum(sizes) == len(images) and max(sizes) <= 1_000


def test_floors_are_chance_and_pixels():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 60 + [1] * 40)
    images = (labels[:, None] * 200 + rng.integers(0, 50, (100, 16))).astype(np.uint8)
    found = protocol.floors(Scored(images, labels, np.array([0, 1, 2, 70, 71, 72]), images, labels, 2))
    assert found == {
        "chance": 0.6,
        "pixel_knn_accuracy": 1.0,
        "pixel_knn_accuracy_labelled": 1.0,
        "pixel_recall_at_1": 1.0,
    }
    assert set(found) <= set(SCORES)


def test_floors_of_one_test_row_have_no_recall():
    images = np.array([0, 190, 200, 210, 205], np.uint8).reshape(-1, 1)
    given = Scored(images[:4], np.array([0, 1, 1, 1]), np.array([0, 2, 3]), images[4:], np.array([1]), 2)
    found = protocol.floors(given)
    assert found == {"chance": 1.0, "pixel_knn_accuracy": 1.0, "pixel_knn_accuracy_labelled": 1.0}
    single = Scored(images[:2], np.array([0, 0]), np.array([0]), images[4:], np.array([1]), 2)
    assert protocol.floors(single) == {}


@pytest.mark.parametrize("seen", ["all", "some"])
def test_what_reads_the_same_rows_is_fitted_once(monkeypatch, seen):
    """Where every label is seen, classifiers of all labels and of the seen ones are the same."""
    train, labels, few, *rest = halves(n=300, apart=1.5)
    seen_rows = np.arange(len(labels)) if seen == "all" else few
    asked: list[str] = []
    for owner, name in ((neighbours, "knn"), (classifiers, "forest_classify"), (classifiers, "mlp_classify")):
        answer = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *of, answer=answer, name=name: asked.append(name) or answer(*of))
    result = protocol.score_latents(Scored(train, labels, seen_rows, *rest), full=True)
    assert asked == [name for name in ("knn", "forest_classify", "mlp_classify") for _ in range(1 + (seen == "some"))]
    for name in ("knn_accuracy", "knn_ami", "random_forest_accuracy", "mlp_ami"):
        assert (result[name] == result[f"{name}_labelled"]) == (seen == "all")


def test_points_that_are_far_apart_are_no_heap_at_first_sight(monkeypatch):
    """The middle tells what all pairs of points would; where they are near it, pairs are asked."""
    asked, distance = [], collapse.mean_pairwise_distance
    monkeypatch.setattr(collapse, "mean_pairwise_distance", lambda *of, **how: asked.append(1) or distance(*of, **how))
    points = blobs(n=2_000)[0]
    assert collapse.coincide(points) is None and not asked
    assert "nearly coincide" in collapse.coincide(points / 1e4) and asked
    for scale in np.geomspace(0.5, 20, 40):  # about where it turns
        heap = distance(points) < collapse.COINCIDE * scale * 10
        assert bool(collapse.coincide(points, scale * 10)) == heap
    assert "cannot be read" in collapse.coincide(points[:1]) and "cannot be read" in collapse.coincide(points[:0])
