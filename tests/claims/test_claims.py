"""Claims are data: they name known scores, settings that can be trained, and sweeps that two claims share."""

import pytest

from semidml.claims.grounds import GROUNDS
from semidml.claims.plans import Setting, knobs_of, list_settings, list_trainings
from semidml.claims.table import CLAIMS, GROUPS, choose_claims
from semidml.config import RunConfig
from semidml.scores.table import SCORES


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_says_what_can_be_measured(claim):
    assert claim.group in GROUPS and claim.statement.endswith(".")
    assert {claim.score, claim.b_score} <= SCORES.keys()
    assert claim.margin > 0
    assert all(set(claim.labels) <= ground.labels.keys() for ground in GROUNDS.values())
    better = {SCORES[score].better for score in (claim.score, claim.b_score)} - {""}
    assert better <= {"higher"}, "above is better only of scores of which more is better"


def test_both_sides_are_tuned_alike_where_one_is():
    uneven = {name: claim.tuned for name, claim in CLAIMS.items() if len(set(claim.tuned)) > 1}
    assert not uneven


def test_a_side_that_is_compared_with_one_that_is_tuned_holds_the_same_images_out():
    for claim in CLAIMS.values():
        held = {knobs_of(side, GROUNDS["digits"]).get("evaluate_on") for side in claim.sides}
        assert len(held) == 1, claim.name


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("data", GROUNDS)
def test_every_cell_of_every_claim_can_be_trained(data, quick):
    trainings = list_trainings(list(CLAIMS.values()), data, range(2), quick)
    names = [training.plan.name for training in trainings]
    assert len(set(names)) == len(names)
    assert not [cell.problem for training in trainings for cell in training.plan.cells if cell.problem]
    asked = {
        (side.name, setting)
        for claim in CLAIMS.values()
        for side in claim.sides
        for setting in list_settings(claim, GROUNDS[data], quick)
    }
    planned = {
        (training.side.name, Setting(pl, training.latent_dim))
        for training in trainings
        for pl in training.plan.axes["pl"]
    }
    assert planned == asked


def test_what_two_claims_ask_is_trained_once():
    one, both = (list_trainings(choose_claims(names), "digits", range(2)) for names in (["1.1"], ["1.1", "1.2"]))
    assert {t.plan.name for t in one} < {t.plan.name for t in both}
    assert len({t.plan.name for t in both if t.side.name == "dml"}) == 2  # dimensions


def test_the_quick_form_asks_less():
    whole, quick = (
        sum(t.plan.count for t in list_trainings(list(CLAIMS.values()), "mnist", range(6), quick))
        for quick in (False, True)
    )
    assert quick < whole / 2


def test_the_papers_own_numbers_of_labels_are_those_of_mnist():
    few, many = (GROUNDS["mnist"].labels[kind] for kind in ("few", "many"))
    assert [60_000 * pl / 100 for pl in (*few, *many)] == pytest.approx([6, 60, 6_000])


def test_a_model_with_its_own_number_of_epochs_keeps_it():
    knobs = knobs_of(CLAIMS["cbswr.1"].a, GROUNDS["mnist"])
    assert "epochs" not in knobs
    best = CLAIMS["cbswr.5"].a
    usual = RunConfig.of({"data": "mnist", **best.knobs}).epochs
    assert knobs_of(best, GROUNDS["mnist"])["epochs"] == round(best.times * usual)


def test_claims_are_chosen_by_name_group_or_all():
    assert choose_claims(["all"]) == list(CLAIMS.values())
    assert {claim.group for claim in choose_claims(["claim-2"])} == {"claim-2"}
    assert [claim.name for claim in choose_claims(["3.1", "1.2"])] == ["1.2", "3.1"]
    with pytest.raises(ValueError, match="there is no claim called 'claim-9'"):
        choose_claims(["claim-9"])
