"""What evidence says, on made-up runs whose answer is known."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from semidml.claims import evidence, report
from semidml.claims.evidence import SCHEMA, judge_claims
from semidml.claims.grounds import GROUNDS
from semidml.claims.plans import Setting, list_settings
from semidml.claims.table import CLAIMS
from semidml.runs import listing

SEEDS = range(10)


def rows_of(side, setting, scores, tried=None, held_out=None, **more):
    """Finished runs of a side, one a seed."""
    plain = dict.fromkeys(SCHEMA.names) | {"data": "mnist", "form": "full", "state": "done", "seconds": 1.0}
    same = {"side": side.name, "pl": setting.pl, "latent_dim": setting.latent_dim, "sweep": f"of-{side.name}"}
    rows = []
    for seed in SEEDS:
        tested = {f"test_{name}": float(values[seed]) for name, values in scores.items()}
        held = {f"validation_{name}": value for name, value in (held_out or {}).items()}
        own = {"tried": json.dumps(tried or {}), "seed": seed, "cell": f"{side.name}{seed}{tried}"}
        rows.append(plain | same | tested | held | own | more)
    return rows


def around(mean, sd=0.004, seed=0):
    return mean + sd * np.random.default_rng(seed).standard_normal(len(SEEDS))


def both_sides(claim, a, b):
    rows = []
    for number, setting in enumerate(list_settings(claim, GROUNDS["mnist"])):
        rows += rows_of(claim.a, setting, {claim.score: around(a, seed=number)})
        rows += rows_of(claim.b, setting, {claim.score: around(b, seed=100 + number)})
    return rows


@pytest.mark.parametrize("a, b, answer", [(0.9, 0.7, "holds"), (0.7, 0.9, "fails"), (0.8, 0.8, "equivalent")])
def test_a_claim_is_judged_by_its_sides(a, b, answer):
    claim = CLAIMS["1.1"]
    (finding,) = judge_claims(both_sides(claim, a, b), [claim], "mnist")
    assert set(finding.verdicts) == set(list_settings(claim, GROUNDS["mnist"]))
    assert {verdict.answer for verdict in finding.verdicts.values()} == {answer}
    first = next(iter(finding.verdicts.values()))
    assert first.n == 10 and first.mean == pytest.approx(a - b, abs=0.01)


def test_nothing_is_said_of_what_is_not_run():
    claim = CLAIMS["1.1"]
    (finding,) = judge_claims([], [claim], "mnist")
    assert {verdict.answer for verdict in finding.verdicts.values()} == {"not run"}
    assert report.answer_words(finding) == "not run"
    report.html_report([finding], False, listing.versions())


def test_runs_that_failed_of_the_other_form_or_of_other_data_do_not_count():
    claim = CLAIMS["1.1"]
    rows = both_sides(claim, 0.9, 0.7)
    for change in ({"state": "failed"}, {"form": "quick"}, {"data": "digits"}):
        (finding,) = judge_claims([row | change for row in rows], [claim], "mnist")
        assert set(finding.answers) == {"not run"}


def test_only_seeds_that_both_sides_have_are_paired():
    claim = CLAIMS["1.1"]
    rows = [row for row in both_sides(claim, 0.9, 0.7) if not (row["side"] == claim.b.name and row["seed"] < 3)]
    (finding,) = judge_claims(rows, [claim], "mnist")
    assert {verdict.n for verdict in finding.verdicts.values()} == {7}


def test_what_is_tried_is_chosen_on_held_out_images_never_on_test_images():
    claim, setting = CLAIMS["1.7"], Setting(10.0, 10)
    assert claim.a.tries and claim.b.tries
    rows = []
    for side, good in ((claim.a, 0.9), (claim.b, 0.8)):
        knob, values = next(iter(side.tries.items()))
        for value in values:
            is_best = value == values[1]  # on held-out images; on test images the others look better
            scores = {claim.score: around(good if is_best else 0.99)}
            rows += rows_of(side, setting, scores, {knob: value}, {claim.score: 0.9 if is_best else 0.5})
    (finding,) = judge_claims(rows, [claim], "mnist")
    assert finding.means["a", setting] == pytest.approx(0.9, abs=0.01)
    assert finding.chosen[claim.a.name, setting] == {"alpha": claim.a.tries["alpha"][1]}
    assert finding.verdicts[setting].answer == "holds"  # not below


def test_while_a_try_is_missing_nothing_is_chosen():
    claim, setting = CLAIMS["1.7"], Setting(10.0, 10)
    knob, values = next(iter(claim.a.tries.items()))
    rows = [
        row
        for value in values[1:]
        for row in rows_of(claim.a, setting, {claim.score: around(0.9)}, {knob: value}, {claim.score: 0.9})
    ]
    (finding,) = judge_claims(rows, [claim], "mnist")
    assert finding.verdicts[setting].answer == "not run"


def test_tries_are_compared_over_the_seeds_that_all_have():
    claim, setting = CLAIMS["1.7"], Setting(10.0, 10)
    knob, values = next(iter(claim.a.tries.items()))
    rows = []
    for value in values:
        of_value = rows_of(claim.a, setting, {claim.score: around(0.9)}, {knob: value}, {claim.score: 0.6})
        if value == values[0]:  # one seed alone, a lucky one
            of_value = [row | {f"validation_{claim.score}": 0.99} for row in of_value[:1]]
            of_value[0]["seed"] = 77
        rows += of_value
    (finding,) = judge_claims(rows, [claim], "mnist")
    assert finding.verdicts[setting].answer == "not run"


def test_two_scores_of_the_same_runs_are_compared():
    claim, setting = CLAIMS["2.4"], Setting(100.0, 2)
    rows = rows_of(claim.a, setting, {"component_ami": around(0.9), "component_ami_rotated": around(0.7)})
    (finding,) = judge_claims(rows, [claim], "mnist")
    assert finding.verdicts[setting].answer == "holds"
    assert finding.verdicts[setting].mean == pytest.approx(0.2, abs=0.01)


def test_a_level_is_compared_with():
    claim = CLAIMS["2.3"]
    rows = [
        row for s in list_settings(claim, GROUNDS["mnist"]) for row in rows_of(claim.a, s, {"collapsed": [1.0] * 10})
    ]
    (finding,) = judge_claims(rows, [claim], "mnist")
    assert set(finding.answers) == {"holds"}


def test_a_contrast_is_of_gains():
    claim = CLAIMS["3.4"]
    rows = []
    for dim, gain in ((2, 0.3), (10, 0.05)):
        for side, level in ((claim.a, 0.6 + gain), (claim.b, 0.6)):
            for value in next(iter(side.tries.values())):
                tried = {next(iter(side.tries)): value}
                scores = {claim.score: around(level, seed=dim)}
                rows += rows_of(side, Setting(100.0, dim), scores, tried, {claim.score: 0.5})
    (finding,) = judge_claims(rows, [claim], "mnist")
    (verdict,) = finding.verdicts.values()
    assert verdict.answer == "holds" and verdict.mean == pytest.approx(0.25, abs=0.01)


def test_evidence_is_kept_and_read(tmp_path):
    rows = both_sides(CLAIMS["1.1"], 0.9, 0.7)
    rows[0]["seconds"] = float("nan")
    file = tmp_path / "claims" / "evidence.parquet"
    assert evidence.read_rows(file) == []
    evidence.write_rows(rows, file)
    assert evidence.read_rows(file) == [rows[0] | {"seconds": None}, *rows[1:]]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table at all"])
def test_a_damaged_file_is_said(tmp_path, content):
    (tmp_path / "evidence.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"evidence\.parquet is damaged"):
        evidence.read_rows(tmp_path / "evidence.parquet")


def test_the_report_has_the_numbers_of_the_verdicts_and_no_program():
    claim = replace(CLAIMS["1.1"], statement="A <script>alert(1)</script> & more.")
    findings = judge_claims(both_sides(claim, 0.9, 0.7), [claim, CLAIMS["2.3"]], "mnist")
    page = report.html_report(findings, False, listing.versions()).decode()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert set(re.findall(r"https?://[^' ]*", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    for setting, verdict in findings[0].verdicts.items():
        words = report.difference_words(findings[0], setting)
        assert words in page
        told = [float(number) for number in re.findall(r"[+-]\d?\.\d+", words)]
        assert told == pytest.approx([verdict.mean, verdict.low, verdict.high], abs=6e-4)
    table = report.claim_table(findings)
    assert "**holds**" in table and "**not run**" in table


def test_what_ships_answers_every_claim_on_the_digits():
    """The quick form, six seeds, by `python -m semidml reproduce all --quick`."""
    findings = judge_claims(evidence.read_rows(evidence.SHIPPED), list(CLAIMS.values()), "digits", True)
    assert [finding.claim.name for finding in findings] == list(CLAIMS)
    assert {verdict.n for finding in findings for verdict in finding.verdicts.values()} == {6}
    answers = {finding.claim.name: set(finding.answers) for finding in findings}
    assert answers["2.1"] == {"holds"} and answers["1.4"] == {"holds"}
    assert all(verdict.words() for finding in findings for verdict in finding.verdicts.values())
