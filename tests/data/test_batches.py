"""Rows of steps: constant blocks of seen classes beside passes over all rows."""

import pytest
import torch

from semidml.data.batches import Batches, Twins

LABELS = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)


def batches(seen, per_class=4, batch_size=16, augment=0.0) -> Batches:
    labels = torch.full_like(LABELS, -1)
    labels[seen] = LABELS[seen]
    return Batches(labels, torch.tensor(seen), per_class, batch_size, augment)


def epoch(made: Batches, seed: int = 0):
    return made.epoch(torch.Generator().manual_seed(seed))


def test_a_pass_shows_every_row_and_fills_only_the_last_step():
    rows = epoch(batches([0, 1, 60, 61])).images
    assert rows.shape == (7, 16) and rows.flatten()[:100].sort().values.tolist() == list(range(100))


def test_rows_too_few_for_a_last_step_are_left_out_where_asked():
    made = Batches(LABELS, torch.arange(0), 4, 16, 0.0, Twins("signs", 1.0, True), drop_last=True)
    rows = epoch(made)
    assert made.steps == 6 and rows.images.shape == (6, 16) and rows.twins.shape == (6, 32, 6)
    assert len(rows.images.unique()) == 96, "no row twice"
    generator = torch.Generator().manual_seed(0)
    seen = torch.cat([made.epoch(generator).images.flatten() for _ in range(4)])
    assert len(seen.unique()) == 100, "others are left out in the next epoch"
    whole = Batches(LABELS, torch.arange(0), 4, 20, 0.0, drop_last=True)
    assert torch.equal(epoch(whole).images, epoch(Batches(LABELS, torch.arange(0), 4, 20, 0.0)).images)


def test_each_step_holds_the_same_labels_in_the_same_places():
    made = batches([*range(10), *range(50, 60), 80, 81])
    assert made.y.tolist() == [0] * 4 + [1] * 4 + [2] * 2  # class 2 has only two seen rows
    for step in epoch(made).labelled:
        assert torch.equal(LABELS[step], made.y)
        assert len(step.unique()) == len(step), "a row is its own positive only as two different augmented views"


def test_only_seen_rows_come_as_labelled_ones_and_all_of_them_do():
    seen = [*range(0, 50, 3), *range(50, 80, 4), 85]
    assert set(epoch(batches(seen, batch_size=4)).labelled.flatten().tolist()) == set(seen)


def test_augmented_views_fill_the_block_of_a_class_with_few_rows():
    made = batches([0, 1, 50], augment=1.0)
    assert made.y.tolist() == [0] * 4 + [1] * 4
    rows = epoch(made)
    assert rows.views.shape == (7, 8, 4)
    assert all(step[4:].tolist() == [50] * 4 and set(step[:4].tolist()) == {0, 1} for step in rows.labelled)
    assert len(rows.views[0, 4:].unique(dim=0)) == 4, "each of them is another view"


def test_the_seed_decides_and_an_epoch_differs_from_the_next():
    made = batches([*range(20), *range(50, 70)])
    assert torch.equal(epoch(made, 1).labelled, epoch(made, 1).labelled)
    generator = torch.Generator().manual_seed(1)
    first, second = made.epoch(generator), made.epoch(generator)
    assert not torch.equal(first.images, second.images) and not torch.equal(first.labelled, second.labelled)


def test_fewer_rows_than_a_batch():
    assert epoch(batches([0, 1, 50, 51], batch_size=256)).images.shape == (1, 256)


def test_too_large_a_step_is_refused():
    labels = torch.arange(1500).repeat(2)
    with pytest.raises(ValueError, match=r"1500 seen classes .* lower labelled_per_class"):
        Batches(labels, torch.arange(3000), 2, 16, 0.0)


@pytest.mark.parametrize(("both", "views"), [(True, 32), (False, 16)])
def test_a_step_has_amounts_for_each_twin_and_if_asked_for_each_image(both, views):
    made = Batches(LABELS, torch.arange(0), 4, 16, 0.0, Twins("signs", 1.0, both))
    rows = epoch(made)
    assert rows.twins.shape == (7, views, 6) and rows.labelled.shape == (7, 0) and len(made.y) == 0
    assert len(rows.twins.flatten(0, 1).unique(dim=0)) == 7 * views, "each view is another one"
    assert torch.equal(rows.twins, epoch(made).twins) and not torch.equal(rows.twins, epoch(made, 1).twins)


def test_a_crop_is_drawn_for_photographs_and_weaker_where_it_is_asked():
    def areas(kind, strength):
        amounts = epoch(Batches(LABELS, torch.arange(0), 4, 16, 0.0, Twins(kind, strength, True))).twins
        return 1 / (amounts[..., 1] * amounts[..., 2]).abs()  # of the scales

    assert areas("photographs", 1.0).max() <= 1 + 1e-6 < areas("signs", 1.0).max()
    assert areas("photographs", 1.0).min() < 0.4 < 0.6 <= areas("photographs", 0.5).min() + 1e-6


def test_colours_change_more_than_crops_where_it_is_asked():
    plain, more, none = (
        epoch(Batches(LABELS, torch.arange(0), 4, 16, 0.0, Twins("photographs", 0.5, True, colours))).twins
        for colours in (1.0, 2.0, 0.0)
    )
    assert torch.equal(plain[..., :6], more[..., :6]), "the same crops"
    still = torch.tensor([1.0, 1.0, 1.0, 0.0])  # brightness, contrast, saturation, hue
    assert torch.equal(none[..., 6:], still.expand_as(none[..., 6:]))
    kept = (plain[..., 8] > 0) & (more[..., 8] > 0)  # neither grey
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close((more[..., 6:] - still)[kept], 2 * (plain[..., 6:] - still)[kept])
    signs = (
        epoch(Batches(LABELS, torch.arange(0), 4, 16, 0.0, Twins("signs", 1.0, True, colours))).twins
        for colours in (1.0, 3.0)
    )
    assert torch.equal(*signs), "signs have no colours"


def test_twins_change_nothing_about_the_rows_of_the_first_epoch():
    plain, twinned = (Batches(LABELS, torch.arange(0), 4, 16, 0.0, its) for its in (None, Twins("signs", 1.0, True)))
    assert torch.equal(epoch(plain).images, epoch(twinned).images) and epoch(plain).twins is None
