"""Schedules as the paper's text has them."""

import pytest

from semidml.schedules import SCHEDULES, by_batch, by_epoch, joint


def test_by_epoch_is_the_paper_s():
    """Odd epochs (1 - alpha) L_S + alpha L_U, even epochs alpha L_U."""
    assert [by_epoch(epoch, 7, 0.25) for epoch in (1, 2, 3, 4)] == [(0.75, 0.25), (0, 0.25), (0.75, 0.25), (0, 0.25)]


def test_by_batch_alternates_within_an_epoch():
    assert [by_batch(2, step, 0.25) for step in (0, 1, 2)] == [(0.75, 0.25), (0, 0.25), (0.75, 0.25)]


def test_joint_is_the_same_in_every_step():
    assert {joint(epoch, step, 0.25) for epoch in (1, 2) for step in (0, 1)} == {(0.75, 0.25)}


@pytest.mark.parametrize("entry", SCHEDULES.values(), ids=lambda entry: entry.name)
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_weights_are_shares_of_one_at_most(entry, alpha):
    schedule = entry.resolve()
    for epoch in (1, 2):
        for step in (0, 1):
            w_s, w_u = schedule(epoch, step, alpha)
            assert w_s in (0, 1 - alpha) and w_u == alpha
