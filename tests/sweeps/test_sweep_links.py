"""A run of a sweep is in no list of a page, and every page opens it by its link."""

import shutil
from pathlib import Path

import pytest

from semidml.runs import places
from semidml.sweeps import sweep
from tests.apptest import opened, words
from tests.sweeps.made import DIGEST, plan

ROOT = Path(__file__).parents[2]
SHIPPED = ("digits-dml-all-labels", "digits-paper-prior")


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """The ids of two runs of a sweep: shipped ones, put in the place of two of its cells."""
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(sweep, "data_digest", lambda name, paths: DIGEST)
    made = sweep.create_sweep(plan("many", seeds=[0]))
    for cell, shipped in zip(made.plan().cells, SHIPPED, strict=True):
        shutil.copytree(places.shipped() / shipped, made.run_of(cell.name).path)
    return [f"many/{cell.name}" for cell in made.plan().cells]


def options(app, label):
    return next(box for box in app.selectbox if box.label == label).options


@pytest.mark.parametrize("page", ["pages/1_Train.py", "pages/2_Explore.py"])
def test_a_page_opens_a_run_of_a_sweep_by_its_link(cells, page):
    app = opened(page, run=cells[0])
    assert app.query_params["run"] in (cells[0], [cells[0]]) and "no run called" not in words(app)
    assert not [button for button in app.button if button.label in ("Resume", "Delete", "Rename")]
    assert len(options(app, "Run")) == len(options(opened(page), "Run")) + 1
    gone = opened(page, run="many/0000000000000000")
    assert "many/0000000000000000" in words(gone)


def test_compare_opens_runs_of_a_sweep_by_their_link(cells):
    app = opened("pages/8_Compare.py", runs=",".join(cells))
    assert app.multiselect[0].value == cells and "no run" not in words(app)
    none = opened("pages/8_Compare.py", runs="many/0000000000000000,../x,many/../x")
    assert "There is no run with points called" in words(none)


def test_the_gallery_and_lists_have_none_of_them(cells):
    assert not [name for name in cells if name in words(opened())]
    assert all("many" not in option for option in options(opened("pages/2_Explore.py"), "Run"))
