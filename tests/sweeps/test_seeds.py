"""One setting with several seeds: a finished run counts as there, and its scores are told with mean, sd and n."""

import math
import statistics
from pathlib import Path

import pytest

from semidml.cli import main
from semidml.config import RunConfig
from semidml.data import store
from semidml.disk import files
from semidml.execute import execute
from semidml.runs import listing, trained_on
from semidml.runs.run import Run
from semidml.sweeps import seeds
from semidml.sweeps import sweep as folders
from semidml.sweeps.driver import train_sweep
from semidml.sweeps.plan import Plan
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import best, gather, read_table
from tests.sweeps.made import Engine, finish, plan, train_here


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    return tmp_path


def finished(name: str = "first", **values: object) -> Run:
    """A run of digits that says it is done, with its scores and what its data were, without any weight."""
    run = listing.create_run(RunConfig.of({"data": "digits", "epochs": 1} | values), name)
    details = run.details() | {"data": trained_on.describe_data(store.load("digits"))}
    (run.path / "config.json").write_bytes(files.as_json(details))
    finish(run, 0.5, 0.83)
    return run


def trained(sweep: Sweep) -> Engine:
    engine = Engine()
    for _ in train_sweep(sweep, train_folders=engine):
        pass
    return engine


@pytest.mark.parametrize(("seed", "expected"), [(0, list(range(10))), (7, list(range(10))), (42, [42, *range(9)])])
def test_the_plan_has_ten_seeds_and_the_runs_own_among_them(seed: int, expected: list[int]) -> None:
    run = finished(seed=seed, alpha=0.3, latent_dim=4, model="metric-vae", prior="gmm")
    made = seeds.plan_seeds(run)
    assert made.seeds == expected and not made.axes and made.name == "digits-metric-vae-seeds"
    configs = {cell.seed: cell.config for cell in made.cells}
    assert configs[seed] == run.config()
    assert configs[expected[1]] == run.config().model_copy(update={"seed": expected[1]})
    assert Plan.of({**made.model_dump()}).cells == made.cells


@pytest.mark.parametrize("evaluate_on", ["test", "validation"])
def test_a_finished_run_is_found_and_the_other_seeds_are_trained(evaluate_on: str) -> None:
    run = finished(seed=3, evaluate_on=evaluate_on)
    (run.path / "lock").touch()
    sweep = folders.create_sweep(seeds.plan_seeds(run))
    engine = trained(sweep)
    cell = next(cell.name for cell in sweep.plan().cells if cell.seed == 3)
    assert len(engine.begun) == 9 and cell not in engine.begun and folders.name_run(run) == cell
    table = read_table(sweep)
    assert table.counts["done"] == 10 and run.status().state == "done"
    assert not (sweep.run_of(cell).path / "lock").exists()


@pytest.mark.parametrize("change", ["data", "older", "state", "knob", "damaged"])
def test_what_is_another_training_is_not_taken(change: str) -> None:
    """On other data, of a release that did not say on which, unfinished, of another setting, damaged."""
    run = finished()
    planned = seeds.plan_seeds(run, 2)
    details = run.details()
    if change == "data":
        details["data"]["labels"] = "0" * 64
    elif change == "older":
        del details["data"]["labels"]
    elif change == "knob":
        details["config"]["lr"] = 0.5
    elif change == "state":
        (run.path / "status.json").write_text('{"state": "stopped"}')
    (run.path / "config.json").write_bytes(b"{" if change == "damaged" else files.as_json(details))
    assert len(trained(folders.create_sweep(planned)).begun) == 2


def test_runs_of_a_sweep_of_settings_are_not_taken_from_single_runs() -> None:
    """They are scored on both kinds of images."""
    run = finished(alpha=0.5, evaluate_on="validation")
    (run.path / "test_metrics.json").unlink()
    assert len(trained(folders.create_sweep(plan(axes={"alpha": [0.5]}, seeds=[0]))).begun) == 1


def test_siblings_of_a_run_in_no_sweep_in_one_of_seeds_and_in_one_of_settings() -> None:
    run = finished(alpha=0.5)
    assert seeds.find_siblings(run) is None
    sweep = folders.create_sweep(seeds.plan_seeds(run, 4))
    trained(sweep)
    other = finished("other", alpha=0.6)
    assert seeds.find_siblings(other) is None
    for each in (run, sweep.run_of(sweep.plan().cells[2].name)):
        siblings = seeds.find_siblings(each)
        assert siblings is not None and siblings.sweep == sweep and len(siblings.runs) == 4
        spread = seeds.spread_scores(siblings, ["knn_accuracy", "macro_f1"])
        values = [0.83, 0.4, 0.4, 0.4]  # the run's own, and those of the engine: 0.9 - alpha
        assert spread.keys() == {"knn_accuracy"} and spread["knn_accuracy"].n == 4
        assert spread["knn_accuracy"].mean == pytest.approx(statistics.fmean(values))
        assert spread["knn_accuracy"].sd == pytest.approx(statistics.stdev(values))
    settings = folders.create_sweep(plan("settings", {"alpha": [0.1, 0.5]}, seeds=[0, 1, 2]))
    trained(settings)
    cell = settings.plan().cells[1]
    siblings = seeds.find_siblings(settings.run_of(cell.name))
    assert siblings is not None and list(siblings.table.frame["seed"]) == [0, 1, 2]
    assert {each.config().alpha for each in siblings.runs} == {0.5}
    assert seeds.spread_scores(siblings, ["knn_accuracy"])["knn_accuracy"].mean == pytest.approx(0.51)  # held out
    alone = folders.create_sweep(plan("alone", {"alpha": [0.7]}, seeds=[0]))
    trained(alone)
    assert seeds.find_siblings(folders.list_runs(alone)[0]) is None


def test_a_sweep_of_seeds_has_one_setting_and_no_best() -> None:
    sweep = folders.create_sweep(plan(axes={}, seeds=[0, 1, 2], alpha=0.5))
    trained(sweep)
    table = read_table(sweep)
    row = gather(table, "validation_knn_accuracy").iloc[0]
    assert (
        (row["n"], row["cells"]) == (3, 3) and row["mean"] == pytest.approx(0.51) and row["sd"] == pytest.approx(0.01)
    )
    assert list(gather(table, "validation_knn_accuracy", ())["mean"]) == pytest.approx([0.5, 0.51, 0.52])
    with pytest.raises(ValueError, match="there is one setting"):
        best(table)
    with pytest.raises(ValueError, match="does not vary alpha: it varies seeds alone"):
        sweep.plan().extended({"alpha": [0.1]})
    assert folders.extend(sweep, {}, [5]) == 1 and len(trained(sweep).begun) == 1


def test_a_band_is_of_the_runs_that_have_an_epoch() -> None:
    histories = [{0: {"knn_accuracy": 0.1}, 1: {"knn_accuracy": 0.5}}, {0: {"knn_accuracy": 0.3}, 1: {}}, {}]
    band = seeds.spread_history(histories, ["knn_accuracy", "kmeans_ami"])
    assert band.keys() == {"knn_accuracy"} and band["knn_accuracy"].epochs == [0, 1]
    first, last = band["knn_accuracy"].spreads
    assert first == pytest.approx((0.2, statistics.stdev([0.1, 0.3]), 2))
    assert (last.mean, last.n) == (0.5, 1) and math.isnan(last.sd)


def test_its_runs_have_live_scores_and_are_the_same_training_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig.of({"data": "digits", "epochs": 2, "batch_size": 256, "device": "cpu", "latent_dim": 4})
    run = listing.create_run(config, "first")
    for _ in execute(run):
        pass
    sweep = folders.create_sweep(seeds.plan_seeds(run, 2))
    for _ in train_sweep(sweep, train_folders=train_here):
        pass
    siblings = seeds.find_siblings(run)
    assert siblings is not None and len(siblings.runs) == 2
    histories = [seeds.scores_by_epoch(each) for each in siblings.runs]
    assert [list(history) for history in histories] == [[0, 1, 2]] * 2
    bands = seeds.spread_history(histories, ["knn_accuracy"])
    assert [spread.n for spread in bands["knn_accuracy"].spreads] == [2, 2, 2]
    again = listing.create_run(siblings.runs[1].config(), "again")
    for _ in execute(again):
        pass
    weights = [(each.path / "weights.safetensors").read_bytes() for each in (again, siblings.runs[1])]
    assert weights[0] == weights[1] and again.frames() == [0, 1, 2]


def test_seeds_alone_from_the_command_line(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semidml.sweeps.engine.train_folders", Engine())
    assert main(["sweep", "--alpha", "0.5", "--epochs", "1", "--seeds", "3"]) == 0
    printed = capsys.readouterr()
    assert "n = 3" in printed.out and "best" not in printed.out
    sweep = folders.open_sweep("digits-dml-ae-seeds")
    assert "python -m semidml sweep" in printed.err and sweep.plan().command() in printed.err
    assert sweep.plan().count == 3 and "--vary" not in sweep.plan().command()
    assert main(["sweeps"]) == 0 and "there is one setting" in capsys.readouterr().out
