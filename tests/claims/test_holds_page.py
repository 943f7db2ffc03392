"""The page Does it hold?: answers of all data sets, one claim with its runs, seeds that are added here and now."""

from pathlib import Path

import pytest

from semidml import tasks
from semidml.claims import evidence, training
from semidml.claims.plans import list_trainings
from semidml.claims.table import CLAIMS, GROUPS
from semidml.lessons import FEW_LABELS
from semidml.sweeps import sweep as folders
from semidml.sweeps.driver import train_sweep
from semidml.sweeps.reuse import find_or_create
from semidml.ui import claims as page
from tests.apptest import opened, press, words
from tests.sweeps.made import DIGEST, Engine

PAGE = "pages/12_Does_it_hold.py"
CLAIM = CLAIMS["1.3"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_CLAIMS", str(tmp_path / "claims"))
    monkeypatch.setattr(folders, "data_digest", lambda name, paths: DIGEST)
    monkeypatch.setattr(evidence, "SHIPPED", tmp_path / "nothing.parquet")
    monkeypatch.setattr(tasks, "_tasks", type(tasks._tasks)())
    return tmp_path


@pytest.fixture
def trained() -> None:
    """Evidence of one claim, with six seeds."""
    needed = list_trainings([CLAIM], "digits", range(6), True)
    for one in needed:
        for _ in train_sweep(find_or_create(one.plan), train_folders=Engine()):
            pass
    training.keep_evidence(needed, True)


def answers(app) -> dict[str, str]:
    """What each answer says, by claim and data set."""
    return {button.key.removeprefix("claim "): button.label for button in app.button if button.key.startswith("claim ")}


def test_without_evidence_every_answer_is_that_nothing_is_run():
    app = opened(PAGE)
    said = answers(app)
    assert len(said) == 3 * len([claim for claim in CLAIMS.values() if claim.group == "claim-1"])
    assert all("not run" in label for label in said.values())
    assert any(button.label == "Train until it is decided" for button in app.button)


def test_an_answer_is_shown_with_its_sentence_and_its_runs(trained):
    app = opened(PAGE, claim="1.3", data="digits", form="quick")
    assert answers(app)["1.3 digits"] == "Digits: :green[holds]"
    said = words(app)
    assert "1.3 on Digits: holds" in said
    assert "plain DML above DML autoencoder by 48.0 points" in said and "n = 6" in said
    links = [element.proto for element in app.get("page_link")]
    assert any(link.label == "Its runs" and "claims-digits-dml" in link.query_string for link in links)
    assert not any("until it is decided" in button.label for button in app.button)


def test_a_press_shows_another_claim_and_the_link_says_so(trained):
    app = opened(PAGE, claim="1.3", data="digits", form="quick")
    next(button for button in app.button if button.key == "claim 1.1 mnist").click().run()
    assert not app.exception
    assert "1.1 on MNIST: not run" in words(app)
    assert (app.query_params["claim"], app.query_params["data"]) == ("1.1", "mnist")


def test_what_a_link_asks_for_and_there_is_not_is_said():
    said = words(opened(PAGE, claim="9.9", data="*cifar*", form="huge"))
    for what in ("claim called `9.9`", "data called `*cifar*`", "form called `huge`"):
        assert what in said


def test_a_press_trains_until_it_is_decided(trained, monkeypatch):
    began = []
    monkeypatch.setattr(training, "decide_claim", lambda *given: began.append(given[:3]))
    app = opened(PAGE, claim="1.1", data="digits", form="quick")
    press(app, "Train until it is decided")
    assert began == [(CLAIMS["1.1"], "digits", True)]


def test_what_went_wrong_while_it_was_trained_is_said(monkeypatch):
    def fails(*given):
        raise ValueError("the data folder is gone")

    monkeypatch.setattr(training, "decide_claim", fails)
    app = press(opened(PAGE, claim="1.1", data="digits", form="quick"), "Train until it is decided")
    tasks.find_task((page.TASK, "1.1", "digits", True)).wait(10)
    assert "the data folder is gone" in words(app.run())


def test_damaged_evidence_is_said(folder):
    (folder / "claims").mkdir()
    (folder / "claims" / evidence.EVIDENCE).write_bytes(b"no table")
    assert "The evidence cannot be read" in words(opened(PAGE))


@pytest.mark.parametrize(("group", "title"), [(name, group.title) for name, group in GROUPS.items()])
def test_each_group_is_shown(group, title):
    app = opened(PAGE)
    app.button_group(key="group box").set_value(title).run()
    assert not app.exception
    own = [claim.name for claim in CLAIMS.values() if claim.group == group]
    assert {name.split()[0] for name in answers(app)} == set(own)
    assert app.query_params.get("claim", own[0]) == own[0]


def test_the_form_is_turned(trained):
    app = opened(PAGE, claim="1.3", data="digits", form="quick")
    app.button_group(key="form box").set_value("Full").run()
    assert "not run" in answers(app)["1.3 digits"] and app.query_params["form"] == "full"
    app.button_group(key="form box").set_value("Quick").run()
    assert "holds" in answers(app)["1.3 digits"]


def test_a_lesson_tells_what_the_evidence_says_of_its_claim(trained):
    app = opened("pages/5_Few_labels.py")
    app.radio[0].set_value(FEW_LABELS.prediction.choices[0]).run()
    press(app, "Show me")
    assert "1.3 With many labels plain DML is above the DML autoencoder. Digits: :green[holds]" in words(app)
    assert any(
        link.proto.page == "Does_it_hold" or "claim=1.1" in link.proto.query_string for link in app.get("page_link")
    )
