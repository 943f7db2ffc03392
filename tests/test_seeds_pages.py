"""One click trains a run's setting with ten seeds; Train, Explore, Compare and Many at once tell mean, sd and n."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from semidml.config import RunConfig
from semidml.execute import execute
from semidml.plots.curves import compared_curves, score_curves
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.scatter import bundle
from semidml.sweeps import seeds
from semidml.sweeps import sweep as folders
from semidml.sweeps.driver import train_sweep
from semidml.sweeps.seeds import Band, Spread
from semidml.sweeps.sweep import Sweep
from semidml.ui.scores import score_words
from tests.apptest import checked, curves_of, opened, press, words
from tests.sweeps.made import Engine, finish, plan, train_here
from tests.test_many_page import box, command_of, component, link_of

TRAIN, EXPLORE, COMPARE = "pages/1_Train.py", "pages/2_Explore.py", "pages/8_Compare.py"
MANY = "pages/10_Many_at_once.py"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Run, Sweep]]:
    """A run of digits, another of another setting, and a sweep of the first with three seeds."""
    folder = tmp_path_factory.mktemp("seeds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMIDML_RUNS", str(folder / "runs"))
        patch.setenv("SEMIDML_DATA", str(folder / "data"))
        runs = []
        for name, alpha in (("first", 0.1), ("other", 0.5)):
            config = RunConfig.of({"data": "digits", "epochs": 2, "batch_size": 256, "alpha": alpha, "device": "cpu"})
            runs.append(listing.create_run(config, name))
            for _ in execute(runs[-1]):
                pass
        sweep = folders.create_sweep(seeds.plan_seeds(runs[0], 3))
        for _ in train_sweep(sweep, train_folders=train_here):
            pass
        yield *runs, sweep


def told(app: object, head: str) -> list[str]:
    """The column of a table on a page."""
    tables = [element.value for element in app.dataframe if head in element.value]
    return list(tables[0][head]) if tables else []


def test_one_click_turns_a_run_into_ten_and_leads_to_them(trained, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other, sweep = trained
    started: list[Sweep] = []
    monkeypatch.setattr("semidml.sweeps.attended.start", started.append)
    for page in (TRAIN, EXPLORE):
        app = press(opened(page, run=other.id), "The same with 10 seeds")
        assert app.title[0].value == "Many at once" and not app.error
        assert started.pop().plan().seeds == list(range(10))
        for made in folders.list_sweeps():
            if made != sweep:
                folders.delete(made)


def test_a_setting_that_cannot_be_trained_any_more_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    finish(listing.create_run(RunConfig.of({"data": "digits"}), "first"))
    monkeypatch.setattr("semidml.ui.controls.cannot_work", lambda config: "There is no room.")
    app = opened(EXPLORE, run="first")
    assert "There is no room." not in words(app)  # without points there is nothing to repeat
    app = opened(TRAIN, run="first")
    button = next(button for button in app.button if button.label == "The same with 10 seeds")
    assert button.disabled and "There is no room." in words(app)


def test_scores_stand_beside_those_of_the_other_seeds(trained) -> None:
    run, _, sweep = trained
    member = sweep.run_of(sweep.plan().cells[1].name)
    expected = seeds.spread_scores(seeds.find_siblings(run), ["knn_accuracy"])["knn_accuracy"]
    shown = f"{100 * expected.mean:.1f} ± {100 * expected.sd:.1f} % (n = 3)"
    for page in (TRAIN, EXPLORE):
        for each in (run, member):
            app = opened(page, run=each.id)
            assert shown in told(app, "over seeds"), page
            assert score_words("knn_accuracy", each.metrics()["knn_accuracy"]) in told(app, "this run")
            assert "The same with 3 seeds" in words(app)
            assert not [button for button in app.button if button.label == "The same with 10 seeds"]


def test_curves_of_explore_have_a_band_over_seeds(trained) -> None:
    app = opened(EXPLORE, run=trained[0].id)
    box(app, "section").set_value("Curves").run()
    assert "A band is the mean over 3 seeds" in words(checked(app))
    assert any("mean of seeds" in curve["name"] for chart in curves_of(app) for curve in chart["series"])


def test_compare_tells_seeds_once_a_setting(trained) -> None:
    run, other, sweep = trained
    member = sweep.run_of(sweep.plan().cells[2].name)
    app = opened(COMPARE, runs=f"{run.id},{member.id},{other.id}")
    assert "A, B over seeds" in words(app) and "(n = 3)" in words(app) and "C over seeds" not in words(app)
    assert "Bands: mean and one standard deviation" in words(app)


def test_many_at_once_shows_a_sweep_of_seeds(trained) -> None:
    sweep = trained[2]
    app = opened(MANY, sweep=sweep.name)
    drawn = component(app, bundle.SHEET)
    assert drawn["columns"] == {"title": "Seed", "values": ["0", "1", "2"]} and len(drawn["maps"]) == 3
    assert "each seed" in drawn["title"] and "(n = 3), mean and standard deviation over seeds" in words(app)
    assert "**Best**" not in words(app) and "best(table)" not in "".join(code.value for code in app.code)
    (curves,) = curves_of(app)
    assert [words for _, words in curves["x"]["ticks"]] == ["0", "1", "2"] and curves["x"]["title"] == "Epoch"
    assert curves["series"][0]["sds"][2] > 0
    assert "--vary" not in command_of(app) and link_of(app)["columns"] == "seed"
    box(app, "many section").set_value("Scores").run()
    assert any("(n = 3)" in row for row in told(checked(app), "over seeds"))


def test_seeds_alone_are_planned_by_link_and_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    app = opened(MANY, columns="seed", seeds="7", alpha="0.3")
    assert "**7 runs**: 7 seeds." in words(app) and "--alpha 0.3" in command_of(app)
    box(app, "many knob 0").set_value("alpha").run()
    assert "--vary alpha=" in command_of(checked(app)) and "seed" not in link_of(app)["columns"]
    box(app, "many knob 0").set_value("seed").run()
    assert "--vary" not in command_of(checked(app)) and "**7 runs**" in words(app)
    listing.create_run(RunConfig.of({"data": "digits"}), "first")
    sweep = folders.create_sweep(plan(axes={}, seeds=[0, 1]))
    for _ in train_sweep(sweep, train_folders=Engine()):
        pass
    app = opened(MANY, sweep="first", cell=sweep.plan().cells[1].name)
    assert component(app, bundle.SHEET)["chosen"] == 1 and "No run is done yet that has scores" in words(app)


def test_a_band_is_drawn_from_one_sd_below_to_one_above() -> None:
    band = Band([0, 1], [Spread(0.5, 0.1, 3), Spread(0.8, math.nan, 1)])
    for chart in (
        score_curves([], bands={"knn_accuracy": band}),
        compared_curves({"A": []}, "knn_accuracy", "kNN", bands={"A": band}),
    ):
        (mean,) = chart.series
        assert mean.kind == "mean" and mean.labelled, "no curve of a run names it"
        assert (mean.x, mean.y, mean.sds) == ([0, 1], [0.5, 0.8], [0.1, 0.0])
        assert mean.words[0] == "0.500 ± 0.100 (n = 3)" and mean.more["n"] == [3, 1]
