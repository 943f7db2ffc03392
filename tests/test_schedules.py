"""Schedules as the paper's text has them."""

import pytest

from semidml.config import RunConfig, declared_knobs
from semidml.schedules import SCHEDULES, additive, by_batch, by_epoch, joint


def test_by_epoch_is_the_paper_s():
    """Odd epochs (1 - alpha) L_S + alpha L_U, even epochs alpha L_U."""
    assert [by_epoch(epoch, 7, 0.25) for epoch in (1, 2, 3, 4)] == [(0.75, 0.25), (0, 0.25), (0.75, 0.25), (0, 0.25)]


def test_by_batch_alternates_within_an_epoch():
    assert [by_batch(2, step, 0.25) for step in (0, 1, 2)] == [(0.75, 0.25), (0, 0.25), (0.75, 0.25)]


def test_joint_is_the_same_in_every_step():
    assert {joint(epoch, step, 0.25) for epoch in (1, 2) for step in (0, 1)} == {(0.75, 0.25)}


def test_additive_is_the_papers_last_table():
    """L_U + gamma L_S, which is joint with gamma = (1 - alpha) / alpha, times 1 / alpha."""
    alpha = 0.2
    w_s, w_u = additive(3, 4, (1 - alpha) / alpha)
    assert (alpha * w_s, alpha * w_u) == pytest.approx(joint(3, 4, alpha)) and w_u == 1


@pytest.mark.parametrize("entry", SCHEDULES.values(), ids=lambda entry: entry.name)
def test_each_schedule_weighs_with_one_knob_and_begins_with_all_that_it_weighs(entry):
    (name,) = entry.knobs
    for value in (declared_knobs()[name].low, 0.3, 1.0):
        config = RunConfig(schedule=entry.name, **{name: value})
        first = config.weights()
        assert first == entry.resolve()(1, 0, value) and min(first) >= 0
        for epoch in (1, 2, 3, 4):
            for step in (0, 1, 2, 3):
                assert all(w in (0, at_first) for w, at_first in zip(config.weights(epoch, step), first, strict=True))


def test_what_a_schedule_uses_is_asked_of_it():
    """alpha = 1 is images only, but not where gamma weighs."""
    assert not RunConfig(alpha=1).uses_labels and RunConfig(alpha=1, schedule="additive").uses_labels
    assert not RunConfig(gamma=0, schedule="additive").uses_labels
    assert RunConfig(gamma=0, schedule="additive", warmup_epochs=1).uses_labels
    assert not RunConfig(alpha=0).trains_decoder and RunConfig(alpha=0, schedule="additive").trains_decoder
    assert not RunConfig(epochs=2, warmup_epochs=2).trains_decoder and not RunConfig(model="dml").trains_decoder


def test_a_model_without_a_loss_is_refused_whatever_its_schedule():
    with pytest.raises(ValueError, match="gamma = 0 leaves dml without any loss"):
        RunConfig.of({"model": "dml", "schedule": "additive", "gamma": 0})
    RunConfig.of({"model": "dml", "schedule": "additive", "alpha": 1})


def test_only_the_knob_of_the_chosen_schedule_has_an_effect():
    for entry in SCHEDULES.values():
        used = RunConfig(schedule=entry.name).used()
        assert used & {"alpha", "gamma"} == set(entry.knobs)
        assert not RunConfig(model="dml", schedule=entry.name).used() & {"alpha", "gamma"}
