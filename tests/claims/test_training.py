"""What claims need is trained sweep after sweep; wherever it ends, the same again goes on and says the same."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from semidml.claims import evidence, training
from semidml.claims.plans import list_trainings
from semidml.claims.table import CLAIMS, choose_claims
from semidml.cli import main
from semidml.cli import reproduce as command
from semidml.sweeps import attended, driver, reuse
from semidml.sweeps import sweep as folders
from tests.sweeps.made import DIGEST, Engine

CLAIM = CLAIMS["1.3"]  # two sides of which nothing is chosen


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_CLAIMS", str(tmp_path / "claims"))
    monkeypatch.setattr(folders, "data_digest", lambda name, paths: DIGEST)
    return tmp_path


@pytest.fixture
def engine(monkeypatch) -> Iterator[Engine]:
    """Trains sweeps as told, in no time: `Engine.begun` has the runs."""
    engine, whole = Engine(), driver.train_sweep

    def train_sweep(sweep, **given):
        return whole(sweep, train_folders=engine, told=given.get("told", lambda: False))

    def train_attended(sweep, is_stopping):
        for _ in train_sweep(sweep):
            pass
        return not is_stopping()

    monkeypatch.setattr(driver, "train_sweep", train_sweep)
    monkeypatch.setattr(training, "_train_attended", train_attended)
    yield engine


def test_the_command_trains_judges_and_reports(engine, folder, capsys):
    assert main(["reproduce", "1.3", "1.4", "--quick", "--data", "digits"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"\| 1\.3 \|.*\*\*holds\*\*: \+0\.480 \[\+0\.480, \+0\.480\], n = 6", said)
    needed = list_trainings(choose_claims(["1.3", "1.4"]), "digits", range(6), True)
    assert len(engine.begun) == sum(one.plan.count for one in needed)
    page = (folder / "claims" / command.REPORT).read_text()
    assert "+0.480 [+0.480, +0.480], n = 6" in page and "1.4 With many labels" in page


def test_the_same_again_trains_nothing_and_says_the_same(engine, folder, capsys):
    words = ["reproduce", "1.3", "--quick"]
    assert main(words) == 0
    first, count = capsys.readouterr().out, len(engine.begun)
    rows = evidence.read_rows(folder / "claims" / evidence.EVIDENCE)
    assert main(words) == 0
    assert capsys.readouterr().out == first and len(engine.begun) == count
    assert evidence.read_rows(folder / "claims" / evidence.EVIDENCE) == rows


def test_stopped_in_the_middle_it_goes_on_to_the_same_table(engine, folder, capsys, monkeypatch):
    words, whole = ["reproduce", "1.3", "--quick"], training.train_all
    monkeypatch.setattr(training, "train_all", lambda needed, *how: whole(needed[:1], *how) and False)
    assert main(words) == 1
    assert "not run" in capsys.readouterr().out
    monkeypatch.setattr(training, "train_all", whole)
    count = len(engine.begun)
    assert main(words) == 0
    went_on = capsys.readouterr().out
    assert len(engine.begun) == 2 * count, "what was there is trained again"
    for sweep in folders.list_sweeps():
        folders.delete(sweep)
    assert main(words) == 0
    assert capsys.readouterr().out == went_on


def test_more_seeds_train_the_new_ones_alone(engine):
    assert main(["reproduce", "1.3", "--quick", "--seeds", "6"]) == 0
    count = len(engine.begun)
    assert main(["reproduce", "1.3", "--quick", "--seeds", "8"]) == 0
    assert len(engine.begun) == count + 2 * 2  # two seeds, two sides


def test_until_it_is_decided_no_more_seeds_are_trained_than_that_needs(engine, capsys):
    assert main(["reproduce", "1.3", "--quick", "--until-decided"]) == 0
    assert "**holds**" in capsys.readouterr().out
    assert len(engine.begun) == 2 * 6


def test_judging_alone_trains_nothing(engine, capsys):
    assert main(["reproduce", "1.3", "--quick", "--judge"]) == 0
    assert "**not run**" in capsys.readouterr().out and not engine.begun


@pytest.mark.parametrize(
    "words, problem",
    [
        (["claim-9"], "there is no claim called 'claim-9'"),
        (["--data", "cifar"], "cifar"),
        (["--seeds", "0"], "seeds must be 1 or more"),
        (["--seeds", "6", "--until-decided"], "not both"),
    ],
)
def test_what_is_asked_wrongly_is_said(engine, capsys, words, problem):
    assert main(["reproduce", *words]) == 2
    assert problem in capsys.readouterr().err


def test_a_claim_is_decided_in_the_background(engine, folder):
    told = []
    training.decide_claim(CLAIM, "digits", True, lambda share, words: told.append((share, words)))
    assert [words for _, words in told] == [
        "6 seeds: claims-digits-dml-d2-quick, 1 of 2",
        "6 seeds: claims-digits-dml-ae-d2-quick, 2 of 2",
    ]
    (finding,) = evidence.judge_claims(evidence.known_rows(), [CLAIM], "digits", True)
    assert finding.answers == {"holds": 1}


def test_stopped_in_the_background_it_begins_no_other_sweep(engine, folder):
    training.decide_claim(CLAIM, "digits", True, lambda share, words: None, lambda: True)
    assert [sweep.name for sweep in folders.list_sweeps()] == ["claims-digits-dml-d2-quick"]


def test_evidence_of_another_claim_stays(engine, folder):
    assert main(["reproduce", "1.3", "--quick"]) == 0
    assert main(["reproduce", "2.1", "--quick"]) == 0
    sides = {row["side"] for row in evidence.read_rows(folder / "claims" / evidence.EVIDENCE)}
    assert sides == {"dml", "dml-ae", "paper-prior"}


def test_a_sweep_of_that_name_that_is_another_one_is_said(engine, capsys):
    plan = list_trainings([CLAIM], "digits", range(2), True)[0].plan
    reuse.find_or_create(plan.model_copy(update={"base": plan.base | {"lr": 0.5}}))
    assert main(["reproduce", "1.3", "--quick"]) == 2
    assert "give this one another name" in capsys.readouterr().err


def test_two_that_keep_evidence_at_once_lose_nothing(engine, folder, monkeypatch):
    claims = [CLAIMS["1.3"], CLAIMS["2.1"]]
    needed = [list_trainings([claim], "digits", range(2), True) for claim in claims]
    for sweeps in needed:
        training.train_all(sweeps, lambda sweep: bool(list(driver.train_sweep(sweep))), lambda *words: None)
    read = evidence.read_rows

    def read_slowly(file):
        rows = read(file)
        time.sleep(0.3)  # in which the other would read the same
        return rows

    monkeypatch.setattr(evidence, "read_rows", read_slowly)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda sweeps: training.keep_evidence(sweeps, True), needed))
    assert {row["side"] for row in read(folder / "claims" / evidence.EVIDENCE)} == {"dml", "dml-ae", "paper-prior"}


def test_a_process_that_ends_before_its_sweep_is_said(folder, monkeypatch):
    sweep = reuse.find_or_create(list_trainings([CLAIM], "digits", range(2), True)[0].plan)
    monkeypatch.setattr(attended, "start", lambda sweep: (sweep.path / folders.LOG).write_text("the disk is full\n"))
    with pytest.raises(ValueError, match="ended before it was done: the disk is full"):
        training._train_attended(sweep, lambda: False)
