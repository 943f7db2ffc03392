"""A score is one entry and one function: what is computed, drawn, listed and exported follows from these."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest

from semidml import cli
from semidml.cli import shown
from semidml.config import RunConfig
from semidml.execute import execute, score_run
from semidml.runs import listing, places, transfer
from semidml.scores import protocol
from semidml.scores.table import GROUPS, PLACES, SCORES, Score, Scored, live_where, shown_at
from tests.apptest import opened, scores_of


def centroid_accuracy(given: Scored) -> float:
    """Share of the test rows that are nearest to the mean of their own class's training rows."""
    if len(given.test) < 3:
        raise ValueError("three test rows are needed")
    present = np.unique(given.train_labels)
    means = np.stack([given.train[given.train_labels == label].mean(0) for label in present])
    near = np.linalg.norm(given.test[:, None] - means, axis=2).argmin(1)
    return float((present[near] == given.test_labels).mean())


@pytest.fixture
def added(monkeypatch):
    entry = Score(
        "centroid_accuracy",
        "nearest centroid, all labels",
        "Share of the test images nearest to the mean of their class.",
        target=f"{__name__}:centroid_accuracy",
        unit="share",
        better="higher",
        group="all labels",
        places=("train", "compare", "runs"),
        fitted_on="all",
    )
    monkeypatch.setitem(SCORES, entry.name, entry)
    return entry


@pytest.fixture
def run(tmp_path, monkeypatch, added):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(places, "shipped", lambda: tmp_path / "none")
    run = listing.create_run(RunConfig.of({"data": "digits", "model": "dml", "epochs": 1, "pl": 20, "device": "cpu"}))
    for _ in execute(run):
        pass
    assert run.status().state == "done", run.status().reason
    return run


def test_a_new_score_is_computed_shown_listed_and_exported(run, added, capsys, tmp_path):
    value = run.metrics()[added.name]
    read = f"{100 * value:.1f} %"
    assert 0.2 < value < 1 and score_run(run)[added.name] == value

    tiles = scores_of(opened("pages/2_Explore.py", run=run.id))
    assert tiles["nearest centroid"]["value"] == read, "its group says the labels"
    tiles = scores_of(opened("pages/1_Train.py", run=run.id))
    assert tiles[added.title]["value"] == read and list(tiles)[-1] == added.title, "without a rank it stands last"
    shutil.copytree(run.path, run.path.parent / "other")
    compared = opened("pages/8_Compare.py", runs=f"{run.id},other")
    rows = "".join(markdown.value for markdown in compared.markdown)
    assert rows.count(added.title) == 2 and read in rows and "+0.0 points" in rows

    assert cli.main(["runs"]) == 0
    head, line, *_ = capsys.readouterr().out.splitlines()
    assert head.split()[-1] == added.name and line.split()[-1] == f"{value:.4f}"
    shown.show_scores(run.metrics())
    assert f"{added.title:52} {value:.4f}" in capsys.readouterr().out
    row = f"| `{added.name}` | {added.title} | {added.summary} | share | higher | read with all labels |"
    assert row in cli.tables().splitlines()
    file = io.BytesIO()
    transfer.export_zip(run, file)
    with zipfile.ZipFile(file) as packed:
        name = next(name for name in packed.namelist() if name.endswith("metrics.json"))
        assert json.loads(packed.read(name))[added.name] == value


def halves(test_labels):
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(4), 20)
    test_labels = np.array(test_labels)
    latents = (rng.normal(size=(len(its), 2)) + its[:, None] for its in (labels, test_labels))
    return next(latents), labels, np.arange(8), next(latents), test_labels, 5


def test_a_new_score_is_judged_like_the_others(added):
    """Few rows are told, a single class too; what cannot be computed is null with its reason, and where no test class
    was trained on there is none."""
    found = protocol.score_latents(Scored(*halves([0, 1, 2, 3] * 3)))
    assert found["notes"][added.name] == "of 12 test images only; each is 8.3 % of it"
    found = protocol.score_latents(Scored(*halves([0, 1])))
    assert found[added.name] is None and found["failed"][added.name] == "three test rows are needed"
    assert added.name not in protocol.score_latents(Scored(*halves([4] * 10)))


def test_what_an_entry_says_wrongly_is_said():
    with pytest.raises(ValueError, match="the group of a must be one of all labels, seen labels"):
        Score("a", "a", "A.", group="none")
    with pytest.raises(ValueError, match=r"places of a must be of train, .*; got nowhere"):
        Score("a", "a", "A.", places=("train", "nowhere"))
    with pytest.raises(ValueError, match=r"a place must be one of train, .*; got 'nowhere'"):
        shown_at("nowhere")


def test_every_group_and_place_has_scores():
    assert {score.group for score in SCORES.values()} == set(GROUPS)
    assert all(shown_at(place) for place in PLACES)
    live = {name for place in ("curves", "retrieval", "compared") for name in shown_at(place)}
    assert not [name for name in live if not SCORES[name].live], "a curve of what no tick has"


@pytest.mark.parametrize(
    ("knobs", "conditions"),
    [
        ({"model": "dml"}, {"always", "classes"}),
        ({"model": "dml-ae", "split": "classes"}, {"always", "decoder"}),
        ({"model": "dml-prior", "prior": "gmm"}, {"always", "classes", "prior"}),
        ({"model": "cbswr", "batch_size": 64}, {"always", "classes", "retrieval", "clusters"}),
    ],
    ids=["dml", "new classes", "prior", "clusters"],
)
def test_a_tick_has_the_scores_that_the_table_says(digits, knobs, conditions):
    from semidml.train.loop import fit

    ticks = fit(RunConfig.of({"data": "digits", "epochs": 1, "device": "cpu", **knobs}), digits)
    assert set(next(iter(ticks)).scores) == live_where(*conditions)


def test_every_title_says_its_rows_or_its_unit():
    for name, score in SCORES.items():
        assert score.title and len(score.title) < 40 and score.summary.endswith("."), name
