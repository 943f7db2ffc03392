"""Rows without a label are no rows of a score that needs them; all others hold what they held."""

import numpy as np
import pytest

from semidml.scores import classifiers, components, protocol
from semidml.scores.clusters import cluster_scores
from semidml.scores.meaning import NO_TEST_LABEL, NO_TRAINING_LABEL
from semidml.scores.table import SCATTER, SCORES, Scored

CLASSES = 3
OF_SHAPE = {"mean_pairwise_distance", "spread", "effective_rank", "collapsed"}
MIXTURE = np.array([[0.0, 0], [3, 0], [0, 3]]), np.zeros((3, 2)), np.ones(3) / 3


def cloud(n, seed=0):
    """Three classes that overlap: latents (n, 2), labels (n,)."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % CLASSES
    return (MIXTURE[0][labels] + generator.normal(size=(n, 2))).astype(np.float32), labels


def some_without(n, seed):
    """As `cloud`, and every third row without a label; then which rows have one."""
    latents, labels = cloud(n, seed)
    has = np.arange(n) % 5 != 3
    return latents, np.where(has, labels, -1), has


def scores_of(kind, *given):
    scored = Scored(*given, CLASSES)
    return protocol.score_latents(scored, full=True) if kind == "final" else protocol.live_scores(scored)


@pytest.mark.parametrize("kind", ["final", "live"])
def test_scores_with_labels_are_those_of_the_rows_that_have_one(kind):
    train, train_labels, known = some_without(120, 0)
    test, test_labels, tested = some_without(90, 1)
    seen = np.flatnonzero(known)[:40]
    among = scores_of(kind, train, train_labels, seen, test, test_labels)
    place = np.cumsum(known) - 1
    alone = scores_of(kind, train[known], train_labels[known], place[seen], test[tested], test_labels[tested])
    assert set(among) - {"failed"} == set(alone) - {"failed"} and "failed" not in among
    for name in set(among) - {"notes"} - OF_SHAPE:
        assert among[name] == alone[name], name
    whole = scores_of(kind, *cloud(120, 0), np.arange(40), *cloud(90, 1))
    assert all(among[name] == whole[name] for name in OF_SHAPE if name in among)


def test_without_a_label_in_testing_what_needs_one_is_absent_with_the_reason():
    train, train_labels = cloud(120)
    test, _ = cloud(90, 1)
    found = scores_of("final", train, train_labels, np.arange(40), test, np.full(90, -1))
    assert set(found) - {"failed", "notes"} == OF_SHAPE and set(found["failed"].values()) == {NO_TEST_LABEL}
    expected = scores_of("final", train, train_labels, np.arange(40), *cloud(90, 1))
    assert (
        set(found["failed"]) == {name for name in expected if name in SCORES and not name.endswith(SCATTER)} - OF_SHAPE
    )
    live = scores_of("live", train, train_labels, np.arange(40), test, np.full(90, -1))
    assert set(live) == OF_SHAPE - {"collapsed"} and None not in live.values()
    assert protocol.live_retrieval(test, np.full(90, -1)) == {}
    assert protocol.floors(Scored(train, train_labels, np.arange(40), test, np.full(90, -1), CLASSES)) == {}


@pytest.mark.parametrize("classes", [0, CLASSES])
def test_without_any_label_at_all_there_is_the_shape(classes):
    (train, _), (test, _) = cloud(120), cloud(90, 1)
    nothing = Scored(train, np.full(120, -1), np.array([], np.int64), test, np.full(90, -1), classes)
    assert set(protocol.score_latents(nothing, full=True)) == OF_SHAPE | {"failed"}
    assert set(protocol.live_scores(nothing)) == OF_SHAPE - {"collapsed"} and protocol.floors(nothing) == {}


def test_labels_in_testing_alone_are_read_without_a_classifier():
    train, (test, labels) = cloud(120)[0], cloud(90, 1)
    given = Scored(train, np.full(120, -1), np.array([], np.int64), test, labels, CLASSES)
    found = protocol.score_latents(given, full=True)
    assert set(found["failed"].values()) == {NO_TRAINING_LABEL}
    assert {"knn_accuracy", "knn_accuracy_labelled", "mlp_ami_labelled"} <= set(found["failed"])
    assert not set(found["failed"]) & set(found) and found["recall_at_1"] > 0.5 and found["kmeans_ami"] > 0.3
    live = protocol.live_scores(given)
    assert "knn_accuracy" not in live and live["kmeans_ami"] is not None
    assert set(protocol.floors(given)) == {"pixel_recall_at_1"}


def test_the_prior_and_the_clustering_head_are_held_against_rows_with_a_label():
    latents, labels, has = some_without(90, 2)
    among, alone = (
        components.component_scores(z, y, *MIXTURE) for z, y in ((latents, labels), (latents[has], labels[has]))
    )
    same = {"component_ami", "component_nmi", "classes_alone"}
    assert {name: among[name] for name in same} == {name: alone[name] for name in same}
    assert among["component_distance"] == components.component_scores(*cloud(90, 2), *MIXTURE)["component_distance"]
    nothing = components.component_scores(latents, np.full(90, -1), *MIXTURE)
    assert [name for name, value in nothing.items() if value is None] == [n for n in nothing if n in same]
    assert set(components.floors(latents, np.full(90, -1), *MIXTURE).values()) == {None}
    logits = latents @ MIXTURE[0].T
    among, alone = cluster_scores(logits, labels), cluster_scores(logits[has], labels[has])
    assert all(among[name] == alone[name] for name in ("cluster_ami", "cluster_nmi", "cluster_accuracy"))
    nothing = cluster_scores(logits, np.full(90, -1))
    assert nothing["clusters_used"] == 3 and nothing["cluster_ami"] is None and nothing["cluster_accuracy"] is None


def test_what_if_counts_rows_without_a_label_after_the_classes():
    latents, labels, has = some_without(90, 2)
    away = (MIXTURE[0] + [[0, 0], [9, 9], [0, 0]], *MIXTURE[1:])
    change = components.what_if(latents, labels, MIXTURE, away, CLASSES)
    alone = components.what_if(latents[has], labels[has], MIXTURE, away, CLASSES)
    assert [len(counts) for counts in change.counts] == [4, 4] and change.component_ami == alone.component_ami
    assert [counts[:3] for counts in change.counts] == list(alone.counts)
    assert sum(change.counts[0]) == sum(components.what_if(*cloud(90, 2), MIXTURE, away, CLASSES).counts[0])
    assert components.what_if(latents, np.full(90, -1), MIXTURE, away, 0).component_ami is None


@pytest.mark.parametrize("disjoint", [False, True])
def test_rows_without_a_label_have_no_vote_and_are_told_a_class(disjoint):
    latents, labels, has = some_without(90, 3)
    split, seen = (np.arange(90) >= 60).astype(np.uint8), has & (np.arange(90) < 30)
    found = classifiers.predictions(latents, labels, seen, split, CLASSES, disjoint=disjoint)
    for row in range(90):
        voters = (
            np.flatnonzero((split == split[row]) & has & (np.arange(90) != row)) if disjoint else np.flatnonzero(seen)
        )
        near = voters[np.argsort(np.linalg.norm(latents[voters] - latents[row], axis=1))[:5]]
        assert found[row] == np.bincount(labels[near], minlength=CLASSES).argmax()
    none = classifiers.predictions(latents, np.full(90, -1), seen & False, split, 0, disjoint=False)
    assert set(none.tolist()) == {-1}
    tested = np.where(split == 1, labels, -1)
    found = classifiers.predictions(latents, tested, seen & False, split, CLASSES, disjoint=True)
    assert set(found[split == 0].tolist()) == {-1} and found[split == 1].min() >= 0


def test_a_seen_row_has_a_label():
    latents, labels, has = some_without(90, 3)
    with pytest.raises(ValueError, match="a seen row must have a label"):
        Scored(latents, labels, np.flatnonzero(~has)[:1], latents, labels, CLASSES)
    with pytest.raises(ValueError, match="between 0 and 2, or be -1 for none; got -2 to 2"):
        Scored(latents, np.where(has, labels, -2), np.array([0]), latents, labels, CLASSES)
