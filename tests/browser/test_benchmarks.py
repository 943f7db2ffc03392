"""The scripts of benchmarks/ that drive a Chromium, in their small form, and how they wait for a page on a busy
machine."""

from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))
SCRIPTS = [file.stem for file in FILES if file.stem != "common" and "playwright" in file.read_text()]
LATE = """() => setTimeout(() => {
  const root = document.body.attachShadow({mode: 'open'});
  root.innerHTML = '<canvas data-drawn="5" data-epoch="1"></canvas>';
  setTimeout(() => root.querySelector('canvas').remove(), 300);
  setTimeout(() => { root.innerHTML = '<canvas data-drawn="5" data-epoch="2"></canvas>'; }, 600);
}, 300)"""


@pytest.mark.parametrize("name", SCRIPTS)
def test_its_small_form_runs_and_ends_with_its_numbers(browser, smoke, name):
    """The browser is here for what it says of a machine without one; a script starts its own."""
    smoke(name)


def test_a_map_that_comes_late_and_is_made_anew_is_waited_for(browser, benchmark):
    page = browser.new_page()
    page.evaluate(LATE)
    shown = page.evaluate(benchmark("life").SHOWN, 1)
    page.close()
    assert shown["1"] is None  # since when is not known
    assert shown.keys() == {"1", "2"}
    assert shown["2"] > 0


def test_what_does_not_come_is_said_in_words(browser, benchmark, monkeypatch):
    common = benchmark("common")
    monkeypatch.setattr(common, "PATIENCE", 0.2)
    page = browser.new_page()
    with pytest.raises(Exception, match=r"the third map did not come in 0\.2 s"):
        page.evaluate(common.script("await until(() => inside('canvas'), 'the third map');"))
    page.close()
