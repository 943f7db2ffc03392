"""Whether a claim holds: each number against scipy or by hand, and by simulation how often an answer is wrong."""

import itertools
import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from semidml.sweeps.plan import Plan
from semidml.sweeps.table import as_table, waiting_row
from semidml.verdicts import (
    UNTIL_DECIDED,
    Look,
    Paired,
    Tuning,
    Verdict,
    differences,
    judge,
    plan_shares,
    resampling,
    setting_words,
)
from semidml.verdicts.judge import Measured, decide, margin_p
from semidml.verdicts.resampling import bca_interval, flip_p, holm
from tests.sweeps.made import DIGEST, plan
from tests.test_layers import HEAVY, ROOT

SCORE = "test_knn_accuracy"
SAMPLES = {
    "normal": lambda rng, size: rng.normal(0.3, 1.0, size),
    "skewed": lambda rng, size: rng.exponential(1.0, size) - 0.6,
    # steps of accuracy, with ties and zeros; whole, since sums must be equal to the last bit for scipy
    "discrete": lambda rng, size: rng.integers(-2, 4, size).astype(float),
    "an outlier": lambda rng, size: np.where(np.arange(size[-1]) == 0, 100.0, rng.normal(0, 0.01, size)),
}


# ---- the sign-flip test


def all_flips(values):
    """The p of a sign-flip test by adding one difference after the other to all sums."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return np.mean(np.abs(sums) >= abs(sum(values)) - 1e-9 * np.abs(values).sum())


@pytest.mark.parametrize("n", [2, 3, 6, 9])
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_p_is_that_of_scipy_s_permutation_test(sample, n):
    rows = SAMPLES[sample](np.random.default_rng(n), (5, n))

    def size(values, axis):  # sums of flipped signs in steps of 1e-9: scipy compares as exactly as sums are rounded
        return np.round(np.abs(values.sum(axis=axis)), 9)

    for row, p in zip(rows, flip_p(rows), strict=True):
        settings = {"permutation_type": "samples", "alternative": "greater", "n_resamples": np.inf, "vectorized": True}
        assert p == pytest.approx(stats.permutation_test((row,), size, **settings).pvalue, abs=1e-12)


def test_the_p_of_twenty_seeds_is_exact():
    rows = np.random.default_rng(0).normal(0.4, 1.0, (4, 20)).round(1)
    assert flip_p(rows) == pytest.approx([all_flips(row) for row in rows], abs=0)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 10, 20, 21])
def test_differences_of_one_sign_have_the_smallest_p_there_is(n):
    row = np.random.default_rng(n).uniform(0.1, 1.0, (1, n))
    assert flip_p(row) == flip_p(-row) == flip_p(row * 1e-9) == 2.0 ** (1 - n)


def test_zeros_decide_nothing_and_ties_count():
    row = np.array([[0.3, 0.1, 0.2, 0.4, 0.25, -0.05]])
    assert flip_p(np.hstack([row, np.zeros((1, 4))])) == pytest.approx(flip_p(row), abs=1e-12)
    assert flip_p(np.zeros((1, 8))) == 1.0
    tied = np.array([[0.1 + 0.2, -0.3, 0.1, 0.7 - 0.6]])  # in floats .1 + .2 is more than .3, and .7 - .6 less than .1
    assert flip_p(tied) == flip_p(np.array([[3.0, -3.0, 1.0, 1.0]])) == 0.75


def test_more_seeds_than_can_be_listed_are_drawn(monkeypatch):
    rows = np.random.default_rng(3).normal(0.5, 1.0, (6, 12))
    exact = flip_p(rows)
    monkeypatch.setattr(resampling, "EXACT_UP_TO", 11)
    assert flip_p(rows) == pytest.approx(exact, abs=5 * 0.5 / math.sqrt(99_999))
    assert flip_p(np.ones((1, 50))) == 1 / 100_000  # never 0


# ---- the interval


@pytest.mark.parametrize("level, resamples, within", [(0.05, 99_999, 0.12), (0.05, 9_999, 0.35), (0.02, 99_999, 0.3)])
@pytest.mark.parametrize("n", [6, 10])
@pytest.mark.parametrize("sample", SAMPLES)
def test_the_interval_is_scipy_s_within_what_resamples_scatter(sample, n, level, resamples, within):
    """Its ends lie between those that scipy gives for a little more and a little less of the level: what shares of so
    many resamples may be wrong by, three standard errors or so."""
    row = SAMPLES[sample](np.random.default_rng(7), (1, n))

    def scipy_interval(level):
        return stats.bootstrap(row, np.mean, n_resamples=99_999, confidence_level=1 - level, rng=0).confidence_interval

    (low,), (high,) = bca_interval(row, level, resamples)
    wide, narrow, tie = scipy_interval(level * (1 - within)), scipy_interval(level * (1 + within)), 1e-9
    assert wide.low - tie <= low <= narrow.low + tie
    assert narrow.high - tie <= high <= wide.high + tie


def test_the_interval_moves_scales_and_turns_with_the_differences():
    row = SAMPLES["skewed"](np.random.default_rng(2), (1, 10))
    low, high = bca_interval(row, 0.05)
    others = np.vstack([np.ones(10), 3 * row + 2, -row, SAMPLES["normal"](np.random.default_rng(4), (3, 10))])
    lows, highs = bca_interval(others, 0.05)
    assert (lows[0], highs[0]) == (1, 1)
    assert (lows[1], highs[1]) == pytest.approx((3 * low[0] + 2, 3 * high[0] + 2))
    assert (lows[2], highs[2]) == pytest.approx((-high[0], -low[0]))


def test_no_sample_has_an_interval_that_is_no_number():
    """All small samples of three values, among them equal ones and those with a single value that is not."""
    for n in range(2, 8):
        rows = np.array(list(itertools.combinations_with_replacement([-0.002, 0.0, 0.002], n)))
        for level in (0.5, 0.05, 1e-4):
            low, high = bca_interval(rows, level)
            assert np.isfinite(low).all() and np.isfinite(high).all()
            assert (low <= high + 1e-12).all()
            assert (low >= rows.min(axis=1) - 1e-12).all() and (high <= rows.max(axis=1) + 1e-12).all()


# ---- several settings, several looks


def test_holm_is_the_step_down_of_its_paper():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(p, settings=6) == pytest.approx([0.05, 0.12, 0.12, 0.03])
    assert holm(np.vstack([p, p[::-1]])) == pytest.approx(np.vstack([holm(p), holm(p)[::-1]]))
    assert holm(np.array([0.9, 0.8])).max() == 1.0


def test_each_look_spends_what_lets_it_decide_or_nothing():
    assert plan_shares((10,)) == (0.05,)
    assert plan_shares(UNTIL_DECIDED) == pytest.approx((0.03125, 0.009375, 0.009375))
    assert plan_shares(UNTIL_DECIDED, settings=4) == pytest.approx((0, 0.025, 0.025))
    assert plan_shares((5,)) == (0,)
    plans = [(6, 10, 20), (6, 7, 8), (6, 8, 10, 12, 20), (10, 20), (5, 6), (9,)]
    for seeds, settings, level in itertools.product(plans, (1, 2, 3, 7, 16, 40), (0.05, 0.1, 0.01)):
        shares = plan_shares(seeds, level, settings)
        assert sum(shares) <= level + 1e-12
        for n, share in zip(seeds, shares, strict=True):
            assert share == 0 or (n >= 6 and share >= settings * 2.0 ** (1 - n) - 1e-12)
        if settings * 2.0 ** (1 - seeds[-1]) <= level / 3 and seeds[-1] >= 6:
            assert shares[-1] >= level / 3 / len(seeds)  # looks before leave enough to the last


@pytest.mark.parametrize(
    "wrong", [{"seeds": ()}, {"seeds": (10, 6)}, {"seeds": (6, 10), "number": 2}, {"settings": -1}]
)
def test_looks_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError):
        Look(**wrong)


# ---- pairs


def scored(axes, seeds, rows_of, **base):
    """A table without folders: `rows_of` gives what each row has beside its knobs, None for one that waits."""
    made = plan(axes=axes, seeds=seeds, **base)
    made = Plan.of(made.model_dump() | {"data": dict.fromkeys(made.data_names, DIGEST)})
    rows = [waiting_row(cell) for cell in made.cells]
    for row in rows:
        if (own := rows_of(row)) is not None:
            row |= {"state": "done"} | own
    return as_table(made, rows)


def by_model(row):
    gain = {"dml-ae": 0.1, "dml": 0.0}[row["model"]] / row["pl"]
    return {SCORE: 0.5 + row["seed"] / 100 + gain}


MODELS = {"model": ["dml-ae", "dml"], "pl": [1.0, 10.0]}
SIDES = {"model": "dml-ae"}, {"model": "dml"}


def test_differences_are_paired_by_seed_within_each_setting():
    table = scored(MODELS, range(6), by_model)
    paired = differences(table, *SIDES, SCORE, ["pl"])
    assert list(paired) == [(("pl", 1.0),), (("pl", 10.0),)]
    assert [setting_words(setting) for setting in paired] == ["pl 1", "pl 10"]
    first, second = paired.values()
    assert first.values == pytest.approx([0.1] * 6) and second.values == pytest.approx([0.01] * 6)
    assert first.seeds == tuple(range(6)) and not first.left_out
    assert (first.a, first.b, first.score) == ("model dml-ae", "model dml", SCORE)
    assert differences(table, *SIDES, SCORE, ["pl"], ("with", "without"))[("pl", 1.0),].a == "with"


def test_what_only_one_side_has_is_left_out_and_counted():
    def rows_of(row):
        own = {("dml-ae", 0): {"state": "failed"}, ("dml", 1): None, ("dml", 2): {SCORE: None}, ("dml-ae", 3): {}}
        own |= {("dml", 4): {"state": "stopped"}, ("dml-ae", 5): {SCORE: math.nan}}
        return own.get((row["model"], row["seed"]), by_model(row))

    (paired,) = differences(scored(MODELS | {"pl": [1.0]}, range(8), rows_of), *SIDES, SCORE, ["pl"]).values()
    assert paired.seeds == (6, 7)
    assert paired.left_out == {"failed": 1, "not run": 2, "without the score": 3}


def test_scores_that_differ_by_rounding_are_equal():
    table = scored(MODELS, [0], lambda row: {SCORE: 0.1 + 0.2 if row["model"] == "dml" else 0.3})
    assert [paired.values for paired in differences(table, *SIDES, SCORE, ["pl"]).values()] == [(0.0,), (0.0,)]


def test_one_training_on_both_sides_is_no_pair():
    """Plain DML has no alpha: what has two values there is one run."""
    table = scored({"alpha": [0.1, 0.5]}, [0, 1], lambda row: {SCORE: 0.5}, model="dml")
    (paired,) = differences(table, {"alpha": 0.1}, {"alpha": 0.5}, SCORE).values()
    assert paired.values == () and paired.left_out == {"one training on both sides": 2}


def test_an_axis_without_effect_on_a_side_need_not_be_named_there():
    axes = {"model": ["dml-ae", "dml"], "alpha": [0.1, 0.5]}
    table = scored(axes, [0, 1], lambda row: {SCORE: 0.5 if row["model"] == "dml" else row["alpha"]})
    (paired,) = differences(table, {"model": "dml-ae", "alpha": 0.1}, {"model": "dml"}, SCORE).values()
    assert paired.values == pytest.approx([-0.4, -0.4])
    with pytest.raises(ValueError, match="alpha is varied too"):
        differences(table, *SIDES, SCORE)


def test_values_may_be_text_or_be_off_by_rounding():
    table = scored({"alpha": [0.3, 0.5]}, [0], lambda row: {SCORE: row["alpha"]})
    (paired,) = differences(table, {"alpha": "0.5"}, {"alpha": 0.1 + 0.2}, SCORE).values()
    assert paired.values == pytest.approx([0.2])
    assert (paired.a, paired.b) == ("alpha 0.5", "alpha 0.3")


def test_a_sweep_s_table_is_judged():
    """From rows to sentences: a setting where the reconstruction helps, one where it does not yet, one that waits."""

    def rows_of(row):
        gain = {1.0: 0.2, 10.0: 0.0}.get(row["pl"]) if row["model"] == "dml-ae" else 0.0
        noise = np.random.default_rng((row["seed"], int(row["pl"]), row["model"] == "dml")).normal(0, 0.02)
        return None if gain is None else {SCORE: 0.7 + row["seed"] / 50 + gain + noise}

    table = scored(MODELS | {"pl": [1.0, 10.0, 100.0]}, range(10), rows_of)
    verdicts = judge(differences(table, *SIDES, SCORE, ["pl"], ("with", "without")), margin=0.01)
    assert [verdict.answer for verdict in verdicts.values()] == ["holds", "undecided", "not run"]
    holds, undecided, not_run = (verdict.words() for verdict in verdicts.values())
    assert holds.startswith("with above without by ") and holds.endswith(
        "n = 10 seeds); the claim that it is above holds."
    )
    assert "undecided, since chance may explain it. Seeds scatter by" in undecided
    assert not_run == "No seed has a score of both with and without: not run."


@pytest.mark.parametrize(
    "a, b, score, axes, words",
    [
        (*SIDES, "knn_accuracy", [], "no score called"),
        (*SIDES, SCORE, ["margin"], "does not vary margin"),
        ({"alpha": 1}, SIDES[1], SCORE, [], "does not vary alpha"),
        (SIDES[0], SIDES[0], SCORE, ["pl"], "nothing to compare"),
        (*SIDES, SCORE, ["model"], "same on both sides"),
        ({"pl": 1.0}, {"pl": 10.0}, SCORE, ["model"], "differ in pl"),
        ({"model": "metric-vae"}, SIDES[1], SCORE, ["pl"], "no run of this sweep has model metric-vae"),
    ],
)
def test_sides_that_are_no_pair_are_refused_in_words(a, b, score, axes, words):
    with pytest.raises(ValueError, match=words):
        differences(scored(MODELS, [0], by_model), a, b, score, axes)


# ---- answers


def answer(values, claim="above", margin=0.01, **more):
    (verdict,) = judge({(): values}, margin=margin, claim=claim, **more).values()
    return verdict.answer


def about(mean, spread=0.001, n=10):
    """n differences with this mean whose sd is `spread`."""
    values = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return mean + spread * values / values.std(ddof=1)


@pytest.mark.parametrize(
    "mean, spread, above, not_below, equal",
    [
        (0.03, 0.001, "holds", "holds", "fails"),
        (-0.03, 0.001, "fails", "fails", "fails"),
        (0.0, 0.001, "equivalent", "holds", "holds"),
        (0.004, 0.001, "equivalent", "holds", "holds"),  # more than chance, and less than matters
        (-0.004, 0.001, "equivalent", "holds", "holds"),
        (0.008, 0.005, "undecided", "holds", "undecided"),  # more than chance, perhaps more than the margin
        (-0.008, 0.005, "fails", "undecided", "undecided"),
        (0.0, 0.05, "undecided", "undecided", "undecided"),
        (0.02, 0.05, "undecided", "undecided", "undecided"),
        (0.012, 0.004, "holds", "holds", "fails"),
    ],
)
def test_each_claim_has_the_answer_of_where_the_differences_lie(mean, spread, above, not_below, equal):
    values = about(mean, spread)
    assert (answer(values), answer(values, "not below"), answer(values, "equal")) == (above, not_below, equal)


def test_a_claim_and_its_opposite_fit_together():
    """B is above A just where A not being below B fails; both being equal fails just where either is above."""
    rng, answers = np.random.default_rng(5), set()
    for mean, spread in itertools.product(np.linspace(-0.03, 0.03, 13), (0.001, 0.004, 0.01)):
        values = tuple(rng.normal(mean, spread, 10))
        turned = tuple(-value for value in values)
        assert (answer(turned) == "holds") == (answer(values, "not below") == "fails")
        assert (answer(values, "equal") == "fails") == ("holds" in (answer(values), answer(turned)))
        assert answer(values, "equal") == answer(turned, "equal")
        assert answer(values) != "holds" or answer(turned) == "fails"
        answers.add(answer(values))
    assert answers == {"holds", "fails", "equivalent", "undecided"}


def test_a_margin_that_is_just_reached_counts_whatever_floats_say():
    assert answer([0.1 + 0.2] * 10, margin=0.3) == answer([0.7 - 0.6] * 10, margin=0.1) == "holds"


def test_nothing_is_decided_by_fewer_than_six_seeds():
    for level in (0.05, 0.5):
        assert answer([0.1] * 5, level=level) == answer([0.1], level=level) == "undecided"
        assert answer([0.1] * 6, level=level) == "holds"
    assert answer([]) == "not run"
    assert judge({}, margin=0.01) == {}


def test_several_settings_are_one_family():
    """What a single setting would show, one of five does not: Holm's p is five times as large."""
    values = [*about(0.03, 0.001, 9), -0.012]  # p = 4 / 2^10 x 2
    assert answer(values) == "holds"
    family = judge({name: values if not name else about(0.0, 0.05) for name in range(30)}, margin=0.01)
    assert family[0].answer == "undecided" and family[0].p_holm == pytest.approx(30 * family[0].p)
    alone = judge({0: values}, margin=0.01, look=Look(settings=30))[0]
    assert alone.answer == "undecided" and alone.p_holm == family[0].p_holm


def test_a_look_waits_for_its_seeds_and_keeps_to_its_share():
    look = Look(UNTIL_DECIDED, 1)
    assert answer(about(0.03), look=look) == "holds"
    early = judge({(): about(0.03, n=8)}, margin=0.01, look=look)[()]
    assert early.answer == "undecided" and "8 of the 10 seeds" in early.words()
    failed = Paired(tuple(about(0.03, n=8)), tuple(range(8)), left_out={"failed": 2})
    assert answer(failed, look=look) == "holds"
    assert answer(replace(failed, left_out={"not run": 2}), look=look) == "undecided"
    weak = about(0.012, 0.0145)
    assert 0.01 < flip_p(weak[None])[0] < 0.05
    assert answer(weak) == "holds" and answer(weak, look=look) == "undecided"
    verdict = judge({(): weak}, margin=0.01, look=look)[()]
    assert verdict.level == pytest.approx(0.009375) and "99.1 % interval" in verdict.words()
    assert verdict.high - verdict.low > np.ptp(bca_interval(weak[None], 0.05))


def test_six_seeds_of_two_settings_are_told_to_be_too_few():
    both = judge({name: [0.1] * 6 for name in range(2)}, margin=0.01, look=Look(UNTIL_DECIDED, 0))
    assert {verdict.answer for verdict in both.values()} == {"undecided"}
    assert "with 2 settings more than 6 seeds are needed" in both[0].words()
    assert answer([0.1] * 6, look=Look(UNTIL_DECIDED, 0)) == "holds"


def test_a_verdict_is_the_same_each_time_and_whatever_else_is_judged():
    values = {name: tuple(np.random.default_rng(name).normal(0.01, 0.02, 10)) for name in range(3)}
    first, again = (judge(values, margin=0.01) for _ in range(2))
    assert first == again
    alone = judge({1: values[1]}, margin=0.01)[1]
    assert (alone.low, alone.high, alone.p) == pytest.approx((first[1].low, first[1].high, first[1].p))


@pytest.mark.parametrize(
    "wrong",
    [{"margin": 0.0}, {"margin": math.nan}, {"level": 0.0}, {"claim": "better"}, {"values": [0.1, math.inf]}],
)
def test_what_cannot_be_judged_is_refused(wrong):
    values = wrong.pop("values", [0.1] * 6)
    with pytest.raises(ValueError):
        judge({(): values}, **{"margin": 0.01} | wrong)


def test_a_page_that_shows_verdicts_waits_for_nothing_heavy():
    code = f"import sys, semidml.verdicts; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


# ---- words and JSON


def told(values, left_out=(), **more):
    paired = Paired(tuple(values), tuple(range(len(values))), "DML autoencoder", "plain DML", SCORE, dict(left_out))
    return judge({(): paired}, **{"margin": 0.01} | more)[()]


SENTENCES = {
    "DML autoencoder above plain DML by 12.5 points (95 % interval 12.2 to 12.8, n = 10 seeds); the claim that it is "
    "above holds.": ([0.12] * 5 + [0.13] * 5, {}),
    "DML autoencoder below plain DML by 12.5 points (95 % interval -12.8 to -12.2, n = 10 seeds); the claim that it is "
    "above fails.": ([-0.12] * 5 + [-0.13] * 5, {}),
    "DML autoencoder and plain DML do not differ by 0.1 points (95 % interval -0.1 to 0.1, n = 10 seeds); equivalent, "
    "since the whole interval lies within the margin of 1.0 points.": ([0.001, -0.001] * 5, {}),
    "DML autoencoder above plain DML by 20.0 points (1 seed); undecided, since fewer than 6 seeds decide nothing.": (
        [0.2],
        {},
    ),
    "No seed has a score of both DML autoencoder and plain DML: not run. Seeds left out: 2 failed.": (
        [],
        {"left_out": {"failed": 2}},
    ),
    "DML autoencoder above plain DML by 5.0 points (95 % interval 5.0 to 5.0, n = 6 seeds); the claim that both are "
    "equal within 1.0 points fails. All differences are equal, so the interval is a point.": (
        [0.05] * 6,
        {"claim": "equal"},
    ),
}


@pytest.mark.parametrize("words", SENTENCES)
def test_a_verdict_is_a_sentence(words):
    values, more = SENTENCES[words]
    assert told(values, **more).words() == words


def test_what_is_tuned_on_one_side_says_so():
    values = about(0.05)
    for tuned, is_said in [
        (None, False),
        ((Tuning(4), Tuning(4)), False),
        ((Tuning(), Tuning(1, False)), False),
        ((Tuning(4), Tuning()), True),
        ((Tuning(4), Tuning(4, held_out=False)), True),
    ]:
        verdict = told(values, tuned=tuned)
        assert verdict.is_tuned_on_one_side == is_said == ("Tuned on one side" in verdict.words())
        assert verdict.answer == "holds"
    assert "plain DML the best of 4 tries by test images" in verdict.words()


def test_a_noisy_undecided_verdict_says_that_more_seeds_are_needed():
    assert "Seeds scatter by 5.0 points: so few may miss even two margins." in told(about(0.0, 0.05)).words()
    assert "scatter" not in told(about(0.008, 0.005)).words()


def test_a_verdict_goes_to_json_and_back():
    look, tuned = Look(UNTIL_DECIDED, 1), (Tuning(4), Tuning(2, False))
    for values in (about(0.03), [0.1], [], [0.0] * 10, about(0.001, 0.05)):
        for more in ({}, {"look": look, "tuned": tuned, "left_out": {"failed": 3}, "claim": "not below"}):
            verdict = told(values, **more)
            text = json.dumps(verdict.plain(), allow_nan=False)
            assert Verdict.of(json.loads(text)) == verdict
            assert Verdict.of(json.loads(text)).words() == verdict.words()


def test_json_that_is_no_verdict_is_refused():
    plain = told(about(0.03)).plain()
    for wrong in (
        {"answer": "surely"},
        {"mean": math.nan},
        {"n": -1},
        {"margin": 0},
        {"unknown": 1},
        {"look": {"seeds": []}},
    ):
        with pytest.raises(ValueError, match="the verdict cannot be read"):
            Verdict.of(plain | wrong)


# ---- how often answers are wrong, and how often right

SWEEPS = 10_000
SURE = 0.999


def at_most(count):
    """What a share is at most, of which `count` of SWEEPS were seen (Clopper and Pearson), but for 1 in 1,000."""
    return stats.beta.ppf(SURE, count + 1, SWEEPS - count)


def at_least(count):
    return stats.beta.ppf(1 - SURE, count, SWEEPS - count + 1)


DRAWN = {  # of mean 0 and standard deviation 1 or so
    "normal": lambda rng, size: rng.normal(size=size),
    # sides with one and the same skewed distribution
    "skewed sides": lambda rng, size: np.subtract(*rng.lognormal(size=(2, *size))) / 3,
    # mostly above 0, rarely far below: the direction in which a sign test errs; skewness -1
    "skewed": lambda rng, size: (4 - rng.gamma(4, size=size)) / 2,
    "very skewed": lambda rng, size: 1 - rng.exponential(size=size),  # skewness -2
    # of 1/500, where the sd is 3 steps: many ties and zeros
    "discrete": lambda rng, size: np.round(3 * rng.normal(size=size)) / 3,
}


def draw(drawn, settings, seeds, sweeps=SWEEPS):
    """(sweeps, settings, n) differences of as many seeds as the last look has."""
    return DRAWN[drawn](np.random.default_rng(2026), (sweeps, settings, seeds[-1]))


def simulate(rows, seeds, margin, claim="above", resamples=999):
    """(sweeps, settings, n) -> (sweeps, settings) twice: where "holds" and where "fails" is said, at any of the looks.
    What is decided gets no more seeds. An interval is computed where the p lets anything be decided."""
    sweeps, settings, _ = rows.shape
    answers = np.full((sweeps, settings), "undecided")
    for n, share in zip(seeds, plan_shares(seeds, settings=settings), strict=True):
        if not share:
            continue
        own = rows[:, :, :n].reshape(-1, n)
        p = holm(flip_p(own).reshape(sweeps, settings)).ravel()
        inside = np.ones_like(p)  # "equivalent" would only stop sweeps that might err later
        if claim != "above":
            inside = holm(margin_p(own, margin, claim).reshape(sweeps, settings)).ravel()
        low, high = np.full((2, len(own)), np.nan)
        some = (np.minimum(p, inside) <= share) & (answers.ravel() == "undecided")
        low[some], high[some] = bca_interval(own[some], share, resamples)
        measured = Measured(own.mean(axis=1), p, low, high, p, inside, p)
        own_answers = decide(measured, p, inside, margin, claim, share).reshape(sweeps, settings)
        answers = np.where(answers == "undecided", own_answers, answers)
    return answers == "holds", answers == "fails"


TINY = 1e-9  # a margin that asks nothing of the mean: the worst for the error
WIDE = 1 / 1.4  # the sd is 1.4 margins


@pytest.mark.parametrize(
    "drawn, settings, seeds, margin",
    [
        ("normal", 1, (10,), TINY),
        ("skewed sides", 1, (10,), TINY),
        ("skewed", 1, (10,), WIDE),
        ("discrete", 1, (10,), TINY),
        ("normal", 5, (10,), TINY),
        ("skewed", 5, (10,), WIDE),
        ("discrete", 5, (10,), TINY),
        ("normal", 1, UNTIL_DECIDED, TINY),
        ("skewed", 1, UNTIL_DECIDED, WIDE),
        ("discrete", 1, UNTIL_DECIDED, TINY),
        ("normal", 3, (6, 10, 14), TINY),
    ],
)
def test_without_a_difference_a_claim_seldom_holds(drawn, settings, seeds, margin):
    holds, fails = simulate(draw(drawn, settings, seeds), seeds, margin)
    wrong = holds.any(axis=1).sum()
    assert at_most(wrong) <= 0.05, wrong / SWEEPS
    assert wrong >= 10  # it can be wrong
    if drawn != "skewed":  # there signs are as likely either way, so half of the error is on each side
        assert wrong <= stats.binom.ppf(SURE, SWEEPS, 0.025)
        assert (holds | fails).any(axis=1).sum() <= stats.binom.ppf(SURE, SWEEPS, 0.05)


@pytest.mark.parametrize(
    "drawn, settings, most", [("skewed", 5, 0.08), ("very skewed", 1, 0.1), ("very skewed", 5, 0.18)]
)
def test_means_that_are_equal_where_shapes_are_not_are_told_apart_more_often(drawn, settings, most):
    """What no test of a mean can help, and how much it is: more than 5 % where the margin is far below the scatter, not
    where it is as it should be."""
    rows = draw(drawn, settings, (10,))
    assert 0.05 < simulate(rows, (10,), TINY)[0].any(axis=1).mean() < most
    assert at_most(simulate(rows, (10,), WIDE)[0].any(axis=1).sum()) <= 0.05


@pytest.mark.parametrize("claim", ["not below", "equal"])
def test_what_is_a_margin_below_seldom_holds_to_be_as_good(claim):
    holds, _ = simulate(draw("normal", 1, (10,)) - WIDE, (10,), WIDE, claim)
    assert holds.sum() <= stats.binom.ppf(SURE, SWEEPS, 0.025)


@pytest.mark.parametrize("drawn, settings", [("normal", 1), ("skewed", 1), ("discrete", 1), ("normal", 5)])
def test_a_difference_of_two_margins_is_found_by_ten_seeds(drawn, settings):
    holds, _ = simulate(draw(drawn, settings, (10,)) + 2 * WIDE, (10,), WIDE)
    for setting in range(settings):
        assert at_least(holds[:, setting].sum()) >= 0.9


def test_what_is_simulated_is_what_is_judged():
    """Sweep by sweep and look by look, with seeds added to what is undecided."""
    rows = draw("normal", 3, UNTIL_DECIDED, sweeps=30) + 0.7
    holds, fails = simulate(rows, UNTIL_DECIDED, 0.5, resamples=resampling.RESAMPLES)
    for sweep in range(len(rows)):
        answers = dict.fromkeys(range(3), "undecided")
        for number, n in enumerate(UNTIL_DECIDED):
            judged = judge(dict(enumerate(rows[sweep, :, :n])), margin=0.5, look=Look(UNTIL_DECIDED, number))
            answers |= {key: judged[key].answer for key, answer in answers.items() if answer == "undecided"}
        assert [answer == "holds" for answer in answers.values()] == list(holds[sweep])
        assert [answer == "fails" for answer in answers.values()] == list(fails[sweep])
    assert 0.5 < holds.mean() < 1
