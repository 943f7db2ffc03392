"""A sweep as a table: what is read of it, how soon, means over seeds, the best by held-out images alone."""

import json
import math
import random
import shutil
import statistics
import time
from dataclasses import replace

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from semidml.runs.process import this_process
from semidml.runs.status import write_status
from semidml.scores.table import SCORES
from semidml.sweeps import sweep
from semidml.sweeps import table as tables
from semidml.sweeps.driver import train_sweep
from semidml.sweeps.plan import Plan
from semidml.sweeps.table import as_table, best, gather, read_rows, read_table, waiting_row, write_table
from tests.sweeps.made import DIGEST, Engine, finish, plan

THOUSAND = {"axes": {"alpha": [i / 10 for i in range(10)], "pl": [float(i) for i in range(1, 11)]}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(sweep, "data_digest", lambda name, paths: DIGEST)


def scored(axes, seeds, scores, **base):
    """A table without folders: `scores` gives each cell's, by column, or None for one that waits."""
    made = plan(axes=axes, seeds=seeds, **base)
    made = Plan.of(made.model_dump() | {"data": dict.fromkeys(made.data_names, DIGEST)})
    rows = [waiting_row(cell) for cell in made.cells]
    for row in rows:
        if (given := scores(row)) is not None:
            row |= {"state": "done"} | given
    return as_table(made, rows)


def by_alpha(score, values):
    """Scores for `scored`, by (alpha, seed)."""
    return lambda row: {score: values[row["alpha"], row["seed"]]} if (row["alpha"], row["seed"]) in values else None


def trained(made):
    for _ in train_sweep(made, train_folders=Engine()):
        pass


# ---- read


def test_what_changed_since_the_table_was_written_is_read_anew():
    """A run that went on without the driver, or whose driver was killed before it wrote; others are not opened."""
    made = sweep.create_sweep(plan())
    trained(made)
    first, second = (made.run_of(cell.name) for cell in made.plan().cells[:2])
    finish(first, held_out=0.75)
    (second.path / "metrics.json").write_text("{")  # which nobody reads, since the status is as it was
    frame = read_table(made).frame
    assert list(frame["validation_knn_accuracy"])[:2] == [0.75, 0.5] and list(frame["state"]) == ["done"] * 4


@pytest.mark.parametrize("content", [None, b"", b"PAR1 nothing of the kind", "other columns"])
def test_a_table_that_is_lost_or_damaged_is_made_anew_of_the_runs(content):
    made = sweep.create_sweep(plan())
    trained(made)
    whole, path = read_table(made).frame, made.path / "table.parquet"
    if content is None:
        path.unlink()
    elif isinstance(content, str):
        pd.DataFrame({"alpha": [0.1], "cell": ["../../../etc"]}).to_parquet(path)
    else:
        path.write_bytes(content)
    pd.testing.assert_frame_equal(read_table(made).frame, whole)


def change_table(made, change):
    """Write table.parquet anew, by hand, with the types that it has."""
    path = made.path / "table.parquet"
    table = pa.Table.from_pandas(change(pq.read_table(path).to_pandas()), preserve_index=False)
    types = [(name, pa.string() if pa.types.is_large_string(kind) else kind) for name, kind in kinds_of(table)]
    pq.write_table(table.cast(pa.schema(types)), path)


def kinds_of(table):
    return [(field.name, field.type) for field in table.schema]


def with_column(name, value):
    return lambda frame: frame.assign(**{name: value if callable(value) else [value] * len(frame)})


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop(columns="changed"),
        lambda frame: frame.drop(columns="state"),
        with_column("seed", [0]),
        with_column("cell", 7),
        with_column("state", 3),
        with_column("state", "wonderful"),
        with_column("state", None),
        with_column("bytes", None),
        with_column("bytes", lambda frame: frame["bytes"].where(frame["seed"] == 0)),
        with_column("alpha", "0.1"),
        with_column("validation_knn_accuracy", "high"),
        lambda frame: pd.concat([frame] * 3000),
        with_column("why", "long" * 10**7),
    ],
)
def test_a_strange_table_is_made_anew_of_the_runs(change):
    """Of other columns or types, with more rows than a sweep has, with texts that would fill the memory."""
    made = sweep.create_sweep(plan())
    trained(made)
    whole = read_table(made).frame
    change_table(made, change)
    began = time.monotonic()
    pd.testing.assert_frame_equal(read_table(made).frame, whole)
    assert time.monotonic() - began < 5


def test_a_table_that_is_damaged_anywhere_is_made_anew_of_the_runs():
    made = sweep.create_sweep(plan())
    trained(made)
    whole, path = read_table(made).frame, made.path / "table.parquet"
    content, rng = path.read_bytes(), random.Random(0)
    for _ in range(60):
        damaged = bytearray(content)
        for at in rng.sample(range(len(content) // 2, len(content)), 3):
            damaged[at] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice([len(content), rng.randrange(len(content))])])
        frame = read_table(made).frame
        assert list(frame[["alpha", "seed", "cell"]].itertuples()) == list(
            whole[["alpha", "seed", "cell"]].itertuples()
        )


def test_a_million_rows_of_no_plan_are_not_read():
    made = sweep.create_sweep(plan())
    trained(made)
    whole = read_table(made).frame
    change_table(made, lambda frame: frame.iloc[[0] * 10**6])
    began = time.monotonic()
    pd.testing.assert_frame_equal(read_table(made).frame, whole)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("state", ["done", "running", "stopped"])
def test_a_row_without_a_run_waits_whatever_the_table_says(state):
    made = sweep.create_sweep(plan())
    rows = [waiting_row(cell) | {"state": state, "validation_knn_accuracy": 1.0} for cell in made.plan().cells]
    write_table(made, made.plan(), rows)
    table = read_table(made)
    assert table.counts["waiting"] == 4 and not table.scores
    steps = list(train_sweep(made, train_folders=(engine := Engine())))
    assert len(engine.begun) == 4 and steps[-1].counts["done"] == 4


@pytest.mark.parametrize("change", ["base", "data"])
def test_rows_of_another_base_or_other_data_are_not_those_of_the_plan(change):
    """plan.json was edited by hand after it was trained: nothing of what is planned now is done."""
    made = sweep.create_sweep(plan())
    trained(made)
    values = made.plan().model_dump()
    values |= {"base": values["base"] | {"epochs": 50}} if change == "base" else {"data": {"digits": DIGEST[::-1]}}
    (made.path / "plan.json").write_text(json.dumps(values))
    table = read_table(made)
    assert table.counts["waiting"] == 4 and not table.scores and not table.bytes
    assert list(table.frame["cell"]) == [cell.name for cell in made.plan().cells]


def test_scores_of_a_run_that_has_failed_count_nowhere():
    """Its worker was lost after it was done, or the table says so."""
    made = sweep.create_sweep(plan())
    for _ in train_sweep(made, train_folders=LostAfterwards()):
        pass
    table = read_table(made)
    assert list(table.frame["state"]) == ["failed", "done", "done", "done"]
    assert pd.isna(table.frame["validation_knn_accuracy"][0])
    assert list(gather(table, "validation_knn_accuracy")["n"]) == [1, 2]
    change_table(made, lambda frame: frame.assign(state="failed", validation_knn_accuracy=1.0))
    assert not read_table(made).scores


class LostAfterwards(Engine):
    """Says of the first run that it has failed, whatever its folder says."""

    def __call__(self, folders, **given):
        for event in super().__call__(folders, **given):
            is_first = event and event.state == "done" and event.folder.name == self.begun[0]
            yield replace(event, state="failed", why="could not be taken back") if is_first else event


def test_runs_that_have_ended_are_read_once_where_nobody_writes_the_table(monkeypatch):
    made = sweep.create_sweep(plan())
    trained(made)
    (made.path / "table.parquet").unlink()
    whole, read = read_table(made).frame, []
    monkeypatch.setattr(
        tables, "read_row", lambda row, run, read_row=tables.read_row: read.append(run) or read_row(row, run)
    )
    pd.testing.assert_frame_equal(read_table(made).frame, whole)
    assert read == []
    finish(made.run_of(made.plan().cells[0].name), held_out=0.75)
    assert read_table(made).frame["validation_knn_accuracy"][0] == 0.75 and len(read) == 1
    monkeypatch.setattr(tables, "MOST_CELLS", 2)
    finish(made.run_of(made.plan().cells[1].name))
    assert len(read_table(made).frame) == 4 and len(tables._ended) <= 2


def test_a_run_whose_driver_was_killed_is_interrupted_and_one_that_is_gone_waits():
    made = sweep.create_sweep(plan())
    trained(made)
    rows, status = read_rows(made, made.plan()), made.run_of(made.plan().cells[0].name).status()
    run = made.run_of(rows[0]["cell"])
    write_status(run, replace(status, state="running", owner=this_process() | {"pid": 2**22 + 1, "born": "1"}))
    shutil.rmtree(made.run_of(rows[1]["cell"]).path)
    table = read_table(made)
    assert list(table.frame["state"]) == ["interrupted", "waiting", "done", "done"]
    assert table.counts["waiting"] == 1 and pd.isna(table.frame["validation_knn_accuracy"][1])


def test_rows_of_an_older_release_are_read_under_their_names(monkeypatch):
    """Where a later release calls cells otherwise, finished runs are found by what they vary."""
    made = sweep.create_sweep(plan())
    trained(made)
    monkeypatch.setattr("semidml.sweeps.plan.DIGITS", 12)
    sweep._plan_in.cache_clear()
    assert len(made.plan().cells[0].name) == 12
    assert list(read_table(made).frame["state"]) == ["done"] * 4
    steps = list(train_sweep(made, train_folders=(engine := Engine())))
    assert engine.begun == [] and steps[-1].counts["done"] == 4
    sweep._plan_in.cache_clear()


def test_every_score_has_its_column_and_its_type():
    made = sweep.create_sweep(plan(axes={"model": ["dml-ae", "dml"], "latent_dim": [2, 3]}, seeds=[0]))
    trained(made)
    run = made.run_of(made.plan().cells[0].name)
    values = {name: 0.5 for name in SCORES}
    (run.path / "metrics.json").write_text(json.dumps(values | {"failed": {}, "notes": {}, "unheard": 1}))
    write_status(run, run.recorded())
    table = read_table(made)
    held = [name.removeprefix("validation_") for name in table.scores if name.startswith("validation_")]
    assert held == [name for name in SCORES if name != "seconds"]
    stored = pq.read_schema(made.path / "table.parquet")
    kinds = {name: str(stored.field(name).type) for name in ("model", "latent_dim", "seed", "state", "changed")}
    assert kinds == {"model": "string", "latent_dim": "int64", "seed": "int64", "state": "string", "changed": "int64"}
    assert list(table.frame["model"]) == ["dml-ae", "dml-ae", "dml", "dml"]


def test_a_thousand_cells_are_read_within_three_tenths_of_a_second(monkeypatch):
    """Of their folders only the times: no JSON file is opened. The time is the least of five on a busy machine."""
    made = sweep.create_sweep(plan(**THOUSAND, seeds=range(10)))
    whole, rows = made.plan(), []
    assert whole.count == 1000
    for cell in whole.cells:
        folder = made.path / "runs" / cell.name
        folder.mkdir()
        (folder / "status.json").write_text("none of these is read")
        scores = {f"{prefix}{name}": 0.5 for prefix in ("validation_", "test_") for name in list(SCORES)[:30]}
        rows.append(waiting_row(cell) | {"state": "done", "changed": tables.changed_at(folder)} | scores)
    write_table(made, whole, rows)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        table = read_table(made)
        times.append(time.perf_counter() - began)
    assert table.counts["done"] == 1000 and len(table.scores) >= 50
    assert min(times) <= 0.3, times


# ---- said


def test_means_over_seeds_are_those_of_statistics():
    values = {(0.1, 0): 0.4, (0.1, 1): 0.6, (0.1, 2): 0.65, (0.5, 0): 0.9}
    table = scored({"alpha": [0.1, 0.5, 0.9]}, [0, 1, 2], by_alpha("test_knn_accuracy", values))
    rows = gather(table, "test_knn_accuracy").to_dict("records")
    some = [0.4, 0.6, 0.65]
    assert rows[0] == {
        "alpha": 0.1,
        "mean": pytest.approx(statistics.mean(some)),
        "sd": pytest.approx(statistics.stdev(some)),
        **{"n": 3, "done": 3, "cells": 3},
    }
    assert rows[1]["mean"] == 0.9 and math.isnan(rows[1]["sd"]) and rows[1]["n"] == 1 and rows[1]["cells"] == 3
    assert math.isnan(rows[2]["mean"]) and rows[2]["n"] == 0


def test_other_axes_are_gathered_too_and_one_training_counts_once():
    """beta has no effect on a model without a prior: cells that differ in it alone are one training."""
    table = scored(
        {"model": ["dml", "dml-ae"], "beta": [1.0, 2.0], "pl": [1.0, 100.0]},
        [0, 1],
        lambda row: {"test_knn_accuracy": row["seed"] + row["pl"] / 1000},
    )
    rows = gather(table, "test_knn_accuracy", over=("seed", "beta")).to_dict("records")
    assert [(row["model"], row["pl"], row["n"], row["cells"]) for row in rows] == [
        ("dml", 1.0, 2, 2),
        ("dml", 100.0, 2, 2),
        ("dml-ae", 1.0, 2, 2),
        ("dml-ae", 100.0, 2, 2),
    ]
    every = gather(table, "test_knn_accuracy", over=("seed", "model", "beta", "pl"))
    assert len(every) == 1 and every["n"][0] == 8
    for over, score in ((("lr",), "test_knn_accuracy"), (("seed",), "knn_accuracy"), (("seed",), "test_none")):
        with pytest.raises(ValueError, match="there is no"):
            gather(table, score, over)


def test_refused_cells_are_rows_of_their_own():
    axes = {"latent_dim": [2, 3], "pl": [1, 100]}
    table = scored(axes, [0, 1], lambda row: None, model="dml-prior", prior="gmm", placement="lattice")
    rows = gather(table, "test_knn_accuracy", over=("seed", "pl")).to_dict("records")
    assert [(row["latent_dim"], row["cells"], row["done"]) for row in rows] == [(2, 4, 0), (3, 4, 0)]


def test_the_best_is_chosen_by_held_out_images_alone():
    table = scored(
        {"alpha": [0.1, 0.5, 0.9]},
        [0, 1],
        lambda row: {"validation_knn_accuracy": 0.6 - abs(row["alpha"] - 0.5), "test_knn_accuracy": row["alpha"]},
    )
    chosen = best(table)
    assert chosen.values == {"alpha": 0.5} and chosen.n == 2 and chosen.mean == 0.6 and chosen.test_mean == 0.5
    assert chosen.words == (
        "alpha 0.5: chosen by held-out images alone, kNN, all labels 0.600 ± 0.000 (n = 2 seeds); on the test images "
        "0.500 ± 0.000."
    )
    assert len(chosen.cells) == 2 and set(chosen.cells) < set(table.frame["cell"])


def test_what_is_better_lower_is_chosen_so():
    table = scored({"alpha": [0.1, 0.5]}, [0], lambda row: {"validation_reconstruction_mse": row["alpha"]})
    assert best(table, "reconstruction_mse").values == {"alpha": 0.1}
    assert "; on the test" not in best(table, "reconstruction_mse").words


def test_settings_are_compared_over_the_seeds_that_all_have():
    """An easy seed alone does not make a setting the best, and one that was trained first is not the only candidate."""
    values = {(0.1, 0): 0.95, (0.1, 1): 0.5, (0.5, 0): 0.9}
    easy = best(scored({"alpha": [0.1, 0.5, 0.9]}, [0, 1], by_alpha("validation_knn_accuracy", values)))
    assert easy.values == {"alpha": 0.1} and (easy.mean, easy.n, easy.among, easy.settings) == (0.95, 1, 2, 3)
    assert len(easy.cells) == 1 and "alpha 0.1: chosen among 2 of 3 settings by held-out images" in easy.words
    values |= {(0.5, 0): 0.99, (0.9, 0): 0.2}
    begun = best(scored({"alpha": [0.1, 0.5, 0.9]}, [0, 1], by_alpha("validation_knn_accuracy", values)))
    assert begun.values == {"alpha": 0.5} and (begun.mean, begun.n, begun.among, begun.settings) == (0.99, 1, 3, 3)


def test_the_best_on_test_images_is_of_the_seeds_that_chose_it():
    values = {(0.1, 0): 0.9, (0.1, 1): 0.1, (0.5, 1): 0.05, (0.1, 2): 0.3, (0.5, 2): 0.2}
    score = by_alpha("validation_knn_accuracy", values)
    table = scored(
        {"alpha": [0.1, 0.5]}, [0, 1, 2], lambda row: (s := score(row)) and s | {"test_knn_accuracy": 0.1 * row["seed"]}
    )
    chosen = best(table)
    assert chosen.mean == pytest.approx(0.2) and chosen.test_mean == pytest.approx(0.15) and chosen.n == 2


def test_a_setting_that_lacks_most_seeds_is_no_candidate_and_it_is_said():
    """As where all but one of its runs have failed: the others are compared over all seeds that they have."""
    values = {(alpha, seed): alpha for alpha in (0.1, 0.5) for seed in range(4)} | {(0.9, 0): 0.9}
    chosen = best(scored({"alpha": [0.1, 0.5, 0.9]}, range(4), by_alpha("validation_knn_accuracy", values)))
    assert chosen.values == {"alpha": 0.5} and (chosen.n, chosen.among, chosen.settings) == (4, 2, 3)
    apart = {(0.1, 0): 0.1, (0.1, 1): 0.1, (0.5, 2): 0.5}
    chosen = best(scored({"alpha": [0.1, 0.5]}, range(3), by_alpha("validation_knn_accuracy", apart)))
    assert chosen.values == {"alpha": 0.1} and (chosen.n, chosen.among, chosen.settings) == (2, 1, 2)


def test_without_held_out_images_none_is_the_best_and_it_is_said_what_to_do():
    table = scored({"alpha": [0.1, 0.5]}, [0], lambda row: {"test_knn_accuracy": 0.5}, evaluate_on="test")
    with pytest.raises(ValueError, match="settings are not chosen on these: make a sweep with evaluate_on validation"):
        best(table)
    with pytest.raises(ValueError, match="no run is done yet"):
        best(scored({"alpha": [0.1, 0.5]}, [0], lambda row: None))
    with pytest.raises(ValueError, match="spread has no better and worse; choose by one of knn_accuracy"):
        best(table, "spread")


def test_a_table_of_test_scores_alone_has_no_other():
    made = sweep.create_sweep(plan(evaluate_on="test"))
    trained(made)
    table = read_table(made)
    assert table.scores[0] == "test_knn_accuracy" and not [s for s in table.scores if s.startswith("validation_")]
