"""The draw of seen labels holds what it promises."""

import numpy as np
import pytest
import torch

from semidml.config import RunConfig
from semidml.data import DATASETS
from semidml.data.labels import describe, draw, hidden, most_per_class, problem, too_large
from semidml.data.splits import seen_labels

SIX = dict(pl=0.01, sampling="uniform", official=60_000, needs_pairs=True, views=False)


@pytest.fixture(scope="module")
def labels():
    """Ten classes as frequent as MNIST's."""
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    return torch.arange(10).repeat_interleave(torch.tensor(counts))


@pytest.mark.parametrize("pl, n", [(0.01, 6), (0.1, 60), (10, 6000), (100, 60_000), (0.005, 3)])
@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_as_many_labels_as_pl_says(labels, pl, n, sampling):
    seen = draw(labels, pl, sampling, 0, 60_000, needs_pairs=False, views=False)
    assert len(seen.rows) == n == seen_labels(pl, 60_000)
    assert len(seen.rows.unique()) == n and seen.rows.equal(seen.rows.sort().values)
    assert seen.rows.dtype == torch.int64 and seen.redraws == 0


def test_balanced_is_equal_up_to_one(labels):
    for seed in range(5):
        rows = draw(labels, 0.025, "balanced", seed, 60_000, True, False).rows
        assert sorted(labels[rows].bincount().tolist()) == [1] * 5 + [2] * 5


def test_the_rest_of_a_balanced_draw_falls_on_random_classes(labels):
    counts = sum(
        labels[draw(labels, 0.025, "balanced", seed, 60_000, True, False).rows].bincount() for seed in range(60)
    )
    assert counts.sum() == 900 and counts.min() > 70 and counts.max() < 110


def test_a_class_short_of_rows_gives_all_it_has():
    labels = torch.tensor([0] * 3 + [1] * 50 + [2] * 47)
    rows = draw(labels, 30, "balanced", 0, 100, True, False).rows
    assert sorted(labels[rows].bincount().tolist()) == [3, 13, 14]


def test_the_seed_decides(labels):
    first, again, other = (draw(labels, seed=seed, **SIX) for seed in (5, 5, 6))
    assert first.rows.equal(again.rows) and first.redraws == again.redraws
    assert not first.rows.equal(other.rows)


def test_fewer_labels_are_a_part_of_more(labels):
    few, more = (set(draw(labels, pl, "uniform", 1, 60_000, True, False).rows.tolist()) for pl in (0.1, 1))
    assert few < more


def test_six_labels_are_drawn_again_in_fifteen_percent_and_then_hold_a_pair(labels):
    """Without a pair: six of ten classes, all different, 10!/4!/10^6 = .151."""
    redraws = []
    for seed in range(1500):
        seen = draw(labels, seed=seed, **SIX)
        counts = labels[seen.rows].bincount()
        assert counts.max() >= 2 and (counts > 0).sum() >= 2
        redraws.append(seen.redraws)
    assert np.mean([n > 0 for n in redraws]) == pytest.approx(0.151, abs=0.03)  # three deviations of 1,500 draws
    assert max(redraws) >= 2


def test_two_views_of_a_row_are_a_pair_so_two_labels_do(labels):
    for seed in range(50):
        seen = draw(labels, 0.003, "uniform", seed, 60_000, True, views=True)
        assert len(labels[seen.rows].unique()) == 2
    assert draw(labels, 0.01, "balanced", 0, 60_000, True, views=True).redraws == 0


def test_labels_seen_are_a_share_of_the_official_rows_though_some_are_held_back(labels):
    assert len(draw(labels[:54_000], 10, "uniform", 0, 60_000, True, False).rows) == 6000
    assert len(draw(labels[:54_000], 100, "uniform", 0, 60_000, True, False).rows) == 54_000


@pytest.mark.parametrize(
    "pl, sampling, views, words",
    [
        (0.003, "uniform", False, "is 2 labels: a metric loss needs at least 3"),
        (0.001, "uniform", True, "is 1 label: a metric loss needs at least 2"),
        (0.01, "balanced", False, "is 6 labels: balanced over 10 classes, no class has two"),
    ],
)
def test_what_cannot_work_is_refused_with_its_numbers(labels, pl, sampling, views, words):
    with pytest.raises(ValueError, match=words) as refused:
        draw(labels, pl, sampling, 0, 60_000, True, views)
    assert str(refused.value) == problem(pl, 60_000, sampling, 10, True, views)
    enough = float(str(refused.value).split()[-1])
    assert problem(enough, 60_000, sampling, 10, True, views) == ""
    assert seen_labels(pl, 60_000) == len(draw(labels, pl, sampling, 0, 60_000, False, views).rows)


def test_three_labels_of_organamnist_can_work():
    assert problem(0.01, 34_561, "uniform", 11, True, False) == ""


def test_images_without_a_pair_anywhere_are_refused():
    with pytest.raises(ValueError, match="none of the 20 classes has two images"):
        draw(torch.arange(20), 100, "uniform", 0, 20, True, False)
    with pytest.raises(ValueError, match="needs two"):
        draw(torch.zeros(20, dtype=torch.int64), 100, "uniform", 0, 20, True, False)


def test_a_hopeless_draw_ends():
    labels = torch.zeros(2_000_00, dtype=torch.int64)
    labels[0] = 1
    with pytest.raises(ValueError, match="1,001 draws of 3 labels"):
        draw(labels[:60_000], 0.005, "uniform", 0, 60_000, True, False)


def test_an_unknown_sampling_is_refused(labels):
    with pytest.raises(ValueError, match="uniform or balanced, got 'odd'"):
        draw(labels, 1, "odd", 0, 60_000, True, False)


def test_hidden_labels_are_minus_one():
    assert hidden(torch.tensor([3, 4, 5, 6]), torch.tensor([1, 3])).tolist() == [-1, 4, -1, 6]


@pytest.mark.parametrize(
    "pl, sampling, words",
    [
        (0.1, "uniform", "60 of 60,000 labels (about 6 a class)"),
        (0.1, "balanced", "60 of 60,000 labels (6 a class)"),
        (0.025, "balanced", "15 of 60,000 labels (1 or 2 a class)"),
        (0.01, "uniform", "6 of 60,000 labels (at most 6 of 10 classes)"),
        (100, "uniform", "all 60,000 labels"),
    ],
)
def test_in_words(pl, sampling, words):
    assert describe(pl, 60_000, sampling, 10) == words


@pytest.mark.parametrize("classes", [1, 2, 10, 98, 196, 200, 1000, 2048])
def test_the_largest_block_is_the_largest_that_a_step_can_hold(classes):
    most = most_per_class(classes)
    assert too_large([most] * classes, most) == "" and most > 0
    words = too_large([most + 1] * classes, most + 1)
    assert f"{classes} seen classes with up to {most + 1} labelled rows each" in words
    assert f"make {classes * (most + 1):,} rows" in words
    assert words.endswith(f"to {most}" if most > 1 else "or see fewer classes")


def test_no_data_set_of_the_table_has_too_many_classes_for_a_step():
    for name, entry in DATASETS.items():
        each = RunConfig(data=name).labelled_per_class
        assert too_large([each] * entry.facts["classes"], each) == ""
