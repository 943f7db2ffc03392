"""A sweep as a folder, and who trains it: only what is missing, whole after a stop, a kill, a full disk."""

import errno
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semidml.data import store
from semidml.disk import files
from semidml.runs import changes, listing, transfer
from semidml.runs.process import this_process
from semidml.runs.status import write_status
from semidml.sweeps import driver, quota, sweep
from semidml.sweeps.driver import seconds_left, train_sweep
from semidml.sweeps.plan import Plan
from semidml.sweeps.table import read_table
from tests.sweeps.made import DIGEST, Engine, plan, train_here

ROOT = Path(__file__).parents[2]
DATA_DIGEST = sweep.data_digest  # which most tests do without


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Folders of one's own; data are said to be those of DIGEST."""
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sweep, "data_digest", lambda name, paths: DIGEST)
    return tmp_path / "sweeps"


def trained(made, engine=None, **more):
    """How far each step was; the engine that was used."""
    engine = engine or Engine()
    return list(train_sweep(made, train_folders=engine, **more)), engine


def states(made):
    return list(read_table(made).frame["state"])


def names(made):
    return [cell.name for cell in made.plan().cells]


def start_code(code, *given):
    """A process that runs some code, of which lines can be read."""
    words = [sys.executable, "-c", f"import os, sys, time\n{code}", *map(str, given)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


# ---- found, made, changed, deleted


def test_a_sweep_is_a_folder_beside_the_runs(folder, monkeypatch, tmp_path):
    made = sweep.create_sweep(plan())
    assert made.path == folder / "first" and made == sweep.open_sweep("first") and sweep.list_sweeps() == [made]
    assert made.plan().data == {"digits": DIGEST} and all(names(made)) and states(made) == ["waiting"] * 4
    assert sorted(path.name for path in made.path.iterdir()) == ["plan.json", "runs"]
    with pytest.raises(ValueError, match="there is already a sweep called first"):
        sweep.create_sweep(plan())
    monkeypatch.setenv("SEMIDML_SWEEPS", str(tmp_path / "elsewhere"))
    assert sweep.list_sweeps() == [] and sweep.create_sweep(plan()).path == tmp_path / "elsewhere" / "first"


@pytest.mark.parametrize("name", ["../first", "..", "", "a/b", "/etc", ".hidden", "x" * 200, "none"])
def test_no_name_leads_out_of_the_folder(name):
    sweep.create_sweep(plan())
    with pytest.raises(ValueError, match=r"a sweep's name is|there is no sweep called"):
        sweep.open_sweep(name)
    if name != "none":
        with pytest.raises(ValueError, match="a sweep's name is"):
            sweep.rename(sweep.open_sweep("first"), name)


def test_a_plan_that_was_changed_by_hand_is_used_within_bounds_and_refused_beyond():
    made = sweep.create_sweep(plan())
    values = json.loads((made.path / "plan.json").read_text())
    (made.path / "plan.json").write_text(json.dumps(values | {"seeds": [0]}))
    assert made.plan().count == 2 and states(made) == ["waiting"] * 2
    for change in ({"seeds": [-1]}, {"more": 1}, {"data": {"digits": "abc"}}, {"axes": {"alpha": [2]}}):
        (made.path / "plan.json").write_text(json.dumps(values | change))
        with pytest.raises(ValueError, match=r"plan.json of the sweep first is damaged: "):
            made.plan()
    (made.path / "plan.json").write_text("{")
    with pytest.raises(ValueError, match=r"plan.json cannot be read"):
        trained(made)


def test_other_data_of_that_name_are_refused(monkeypatch):
    made = sweep.create_sweep(plan())
    monkeypatch.setattr(sweep, "data_digest", lambda name, paths: DIGEST[::-1])
    with pytest.raises(ValueError, match="the images or labels of digits here are not those of the sweep first"):
        trained(made)
    assert made.driver() == {} and not (made.path / "lock").exists()


def test_data_are_known_by_their_files_labels_and_pixels(tmp_path):
    """Other last bits of the same files are the same data; other labels, pixels or files are not."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        for number in range(6):
            (tmp_path / "birds" / label).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (28, 28), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "birds" / label / f"{number}.png")
    birds = str(tmp_path / "birds")
    first = DATA_DIGEST(birds, True)
    assert re.fullmatch("[0-9a-f]{64}", first) and first == DATA_DIGEST(birds, True) != DATA_DIGEST("digits", True)
    shutil.move(tmp_path / "birds" / "a" / "0.png", tmp_path / "birds" / "b" / "6.png")
    store.kept.clear()
    assert DATA_DIGEST(birds, True) != first


def test_rename_and_delete():
    made = sweep.create_sweep(plan())
    trained(made)
    other = sweep.rename(made, "second")
    assert other.plan().name == "second" and states(other) == ["done"] * 4 and not made.path.exists()
    sweep.create_sweep(plan())
    with pytest.raises(ValueError, match="there is already a sweep called first"):
        sweep.rename(other, "first")
    (other.path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds what is not a sweep's \(notes.txt\): it is not deleted"):
        sweep.delete(other)
    (other.path / "notes.txt").unlink()
    sweep.delete(other)
    assert [found.name for found in sweep.list_sweeps()] == ["first"]
    with pytest.raises(ValueError, match="there is no sweep called 'second'"):
        sweep.delete(other)


def test_an_export_holds_plan_table_and_runs(tmp_path):
    made = sweep.create_sweep(plan())
    trained(made)
    with open(tmp_path / "first.zip", "wb") as file:
        sweep.export_zip(made, file)
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        within = set(archive.namelist())
        status = json.loads(archive.read(f"first/runs/{names(made)[0]}/status.json"))
    own = {f"first/runs/{name}/{part}" for name in names(made) for part in ("config.json", "test_metrics.json")}
    assert {"first/plan.json", "first/table.parquet"} | own <= within and status["owner"] == {}


# ---- trained


def test_each_cell_is_trained_once_and_tells_both_scores():
    made = sweep.create_sweep(plan())
    steps, engine = trained(made)
    assert engine.begun == names(made) and steps[-1].counts["done"] == steps[-1].all == 4
    frame = read_table(made).frame
    assert list(frame["alpha"]) == [0.1, 0.5, 0.1, 0.5] and list(frame["seed"]) == [0, 0, 1, 1]
    assert list(frame["validation_knn_accuracy"]) == [0.1, 0.5, 0.11, 0.51]
    assert list(frame["test_knn_accuracy"]) == pytest.approx([0.8, 0.4, 0.8, 0.4])
    assert (frame["seconds"] == 2.0).all() and (frame["bytes"] > 0).all()
    assert not (made.path / "lock").exists() and trained(made)[1].begun == []


def test_a_sweep_trains_digits_in_this_process(monkeypatch, unscored):
    """Real runs: those of held-out images are scored on the test images too, by the same weights."""
    monkeypatch.setattr(sweep, "data_digest", DATA_DIGEST)
    made = sweep.create_sweep(plan(seeds=[0]))
    trained(made, train_here)
    table = read_table(made)
    assert states(made) == ["done", "done"] and (table.frame["test_knn_accuracy"] > 0.2).all()
    run = made.run_of(names(made)[0])
    held, tested = run.metrics(), run.test_metrics()
    assert held.keys() - tested.keys() == {"seconds"} and held["knn_accuracy"] != tested["knn_accuracy"]
    assert run.config().evaluate_on == "validation" and not run.damage()


def test_data_that_are_replaced_while_a_sweep_is_trained_are_not_trained_on(monkeypatch, tmp_path, unscored):
    """Not by further cells, nor are the test images of a run those of other data than its training's."""
    monkeypatch.setattr(sweep, "data_digest", DATA_DIGEST)
    rng = np.random.default_rng(0)

    def write(labels):
        arrays = {"x_train": rng.integers(0, 255, (200, 8, 8), dtype=np.uint8), "y_train": labels}
        np.savez(tmp_path / "own.npz", **arrays, x_test=arrays["x_train"][:50], y_test=labels[:50])

    write(np.arange(200) % 4)
    base = {"data": str(tmp_path / "own.npz"), "epochs": 1}
    axes = {"alpha": [0.1, 0.5]}
    made = sweep.create_sweep(Plan.of({"name": "first", "base": base, "axes": axes, "seeds": [0, 1], "paths": True}))
    steps = train_sweep(made, train_folders=train_here)
    for step in steps:
        if step.counts["done"] == 1:
            write(np.arange(200) // 2 % 4)
            break
    assert [words for step in steps for words in step.news if "than the one that first/" in words]
    assert states(made) == ["done", "failed", "failed", "failed"]
    run = made.run_of(names(made)[1])
    assert "is planned for" in run.status().reason and not run.history()
    write(np.arange(200) % 4)
    details = made.run_of(names(made)[0]).details()
    with pytest.raises(ValueError, match="are not those of the sweep first"):  # the labels are, the pixels are not
        trained(made, train_here)
    assert details["planned_data"] == made.plan().data[details["config"]["data"]]


def test_a_run_is_not_scored_on_test_images_of_other_data(monkeypatch, unscored):
    from semidml import execute
    from semidml.runs import trained_on

    run = listing.create_run(plan().cells[0].config, "own", both=True)
    load, count = trained_on.load_data, []

    def load_other(run, *given):
        count.append(1)
        data = load(run, *given)
        return data if len(count) == 1 else replace(data, test=data.train)

    monkeypatch.setattr(trained_on, "load_data", load_other)
    list(execute.execute(run))
    assert run.status().state == "failed" and "another data set" in run.status().reason and len(count) == 2


@pytest.mark.parametrize("lacking", ["status.json", "config.json"])
def test_weights_whose_folder_is_not_whole_are_left_where_they_are(lacking):
    made = sweep.create_sweep(plan(seeds=[0]))
    trained(made)
    first, second = (made.run_of(name) for name in names(made))
    (first.path / "state.safetensors").write_bytes(b"weights")
    (first.path / lacking).unlink()
    (second.path / lacking).unlink()
    for path in second.path.glob("*metrics.json"):  # as one that was killed while it was made
        path.unlink()
    if lacking == "config.json":
        for run in (first, second):
            write_status(run, replace(run.recorded(), state="stopped"))
    _, engine = trained(made)
    assert engine.begun == names(made)[1:] and (first.path / "state.safetensors").read_bytes() == b"weights"
    frame = read_table(made).frame
    assert list(frame["state"]) == ["failed", "done"] and f"its folder has no {lacking}" in frame["why"][0]


def test_a_run_of_other_data_in_a_cell_is_left_alone_and_one_that_tells_less_is_told_which():
    made = sweep.create_sweep(plan(seeds=[0]))
    cells = made.plan().cells
    runs = [listing.create_run(cell.config, path=made.path / "runs" / cell.name) for cell in cells]
    other = runs[0].details() | {"data": {"labels": "a", "pixels": "b"}}
    (runs[0].path / "config.json").write_bytes(files.as_json(other))
    _, engine = trained(made)
    assert engine.begun == [cells[1].name] and runs[1].details()["planned_data"] == DIGEST
    assert "its folder holds a run of other data" in read_table(made).frame["why"][0]


def test_test_scores_are_those_of_the_weights_on_the_test_images(monkeypatch, unscored):
    from semidml.execute import execute
    from semidml.train import final, task

    run = listing.create_run(plan().cells[0].config, "own", both=True)
    list(execute(run))
    config, data = run.config(), store.load("digits")
    splits, seen = task.prepare(config, data)
    whole = task.with_test(config, data, splits)
    assert len(whole.test.labels) == len(data.test.labels) and len(whole.train.labels) < len(data.train.labels)
    anew = final.score_model(run.model(), config, whole, seen)
    assert anew == pytest.approx(run.test_metrics(), abs=1e-6)
    alone = listing.create_run(plan().cells[0].config, "alone")
    list(execute(alone))
    assert alone.test_metrics() is None and alone.metrics() == pytest.approx(run.metrics() | alone.metrics())


@pytest.mark.parametrize("asked", [{"both": True}, {"scored": True}, {"planned_data": "ab" * 32}, {}])
def test_what_a_run_was_asked_for_travels_with_it(asked):
    """To a worker without a common disk, which trains what it is sent."""
    run, packed = listing.create_run(plan().cells[0].config, "own", **asked), io.BytesIO()
    transfer.export_zip(run, packed)
    details = transfer.import_zip(packed, "sent").details()
    assert {name: details[name] for name in ("both", "scored", "planned_data") if name in details} == asked


def test_more_values_and_seeds_train_what_is_new_alone():
    made = sweep.create_sweep(plan())
    trained(made)
    assert sweep.extend(made, {"alpha": [0.1, 0.9]}, [2]) == 5
    assert states(made).count("waiting") == 5 and states(made).count("done") == 4
    before = set(names(made)) - {cell.name for cell in plan().cells}
    _, engine = trained(made)
    assert len(engine.begun) == 5 and set(engine.begun) <= before and set(states(made)) == {"done"}


def test_a_cell_that_another_sweep_has_finished_is_taken_from_there():
    first = sweep.create_sweep(plan())
    trained(first)
    second = sweep.create_sweep(plan("second", {"alpha": [0.5, 0.7]}))
    steps, engine = trained(second)
    assert len(engine.begun) == 2 and steps[-1].counts["done"] == 4 and states(second) == ["done"] * 4
    shared = set(names(first)) & set(names(second))
    assert len(shared) == 2 and not shared & set(engine.begun)
    assert {run.path.name for run in sweep.list_runs(second)} == set(names(second))
    sweep.delete(first)
    assert states(second) == ["done"] * 4 and read_table(second).frame["validation_knn_accuracy"][0] == 0.5


def test_the_first_finished_run_of_a_cell_is_taken_whoever_else_has_a_folder_of_it():
    """Another sweep that has begun it, and the sweep itself where it waits, do not stand in the way."""
    for name in ("older", "newer"):
        trained(sweep.create_sweep(plan(name, seeds=[0])))
    newer, made = sweep.open_sweep("newer"), sweep.create_sweep(plan(seeds=[0]))
    os.utime(newer.path)
    for run in sweep.list_runs(newer):
        (run.path / "status.json").write_text(json.dumps({"state": "stopped"}))
    cell = made.plan().cells[0]
    waiting = listing.create_run(cell.config, path=made.path / "runs" / cell.name)
    _, engine = trained(made)
    assert engine.begun == [] and states(made) == ["done"] * 2 and waiting.metrics()


def test_what_was_begun_in_a_cell_is_not_given_up_for_a_run_from_elsewhere():
    trained(sweep.create_sweep(plan("other", seeds=[0])))
    made = sweep.create_sweep(plan(seeds=[0]))
    cell = made.plan().cells[0]
    begun = listing.create_run(cell.config, path=made.path / "runs" / cell.name)
    (begun.path / "state.safetensors").write_bytes(b"weights")
    damaged = listing.create_run(made.plan().cells[1].config, path=made.path / "runs" / made.plan().cells[1].name)
    (damaged.path / "status.json").write_text("{")
    _, engine = trained(made)
    assert cell.name in engine.begun and begun.path.joinpath("state.safetensors").exists()


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_a_run_that_is_deleted_while_it_is_taken_is_trained_here(monkeypatch, moment):
    other = sweep.create_sweep(plan("other", seeds=[0]))
    trained(other)
    made, find, copy = sweep.create_sweep(plan(seeds=[0])), driver.find_elsewhere, sweep._link_or_copy

    def find_and_delete(*given):
        runs = find(*given)
        sweep.delete(other)
        return runs

    def copy_and_delete(source, target):
        copy(source, target)
        if other.path.exists():
            sweep.delete(other)

    if moment == "before":
        monkeypatch.setattr(driver, "find_elsewhere", find_and_delete)
    else:
        monkeypatch.setattr(sweep, "_link_or_copy", copy_and_delete)
    _, engine = trained(made)
    assert len(engine.begun) == 2 and states(made) == ["done"] * 2
    assert sorted(os.listdir(made.path / "runs")) == sorted(names(made))


def test_a_sweep_that_is_deleted_while_sweeps_are_listed_is_none_of_them(monkeypatch):
    first, second = sweep.create_sweep(plan()), sweep.create_sweep(plan("second"))
    is_symlink = Path.is_symlink
    monkeypatch.setattr(
        Path, "is_symlink", lambda path: (path == second.path and shutil.rmtree(path)) or is_symlink(path)
    )
    assert sweep.list_sweeps() == [first] and not second.path.exists()


def test_runs_that_are_shared_take_no_room_twice():
    other = sweep.create_sweep(plan("other", seeds=[0]))
    trained(other)
    for run in sweep.list_runs(other):
        (run.path / "weights.safetensors").write_bytes(bytes(10**6))
    made = sweep.create_sweep(plan())
    (made.path / "runs" / ".import-left").mkdir()
    trained(made)
    assert 2 * 10**6 < quota.used_bytes() < 2.5 * 10**6 and made.size() > 2 * 10**6
    assert sorted(os.listdir(made.path / "runs")) == sorted(names(made))


def test_what_was_taken_over_counts_in_the_room_there_is(monkeypatch):
    monkeypatch.setattr(sweep.os, "link", lambda *given: _no_links())
    other = sweep.create_sweep(plan("other", seeds=[0]))
    trained(other)
    for run in sweep.list_runs(other):
        (run.path / "weights.safetensors").write_bytes(bytes(10**6))
    made = sweep.create_sweep(plan())
    monkeypatch.setenv("SEMIDML_SWEEPS_QUOTA", "3MB")
    with pytest.raises(quota.QuotaFull, match=r"the sweeps take 4\.\d MB of the 3.0 MB they may"):
        trained(made)
    assert states(made) == ["done", "done", "waiting", "waiting"]


def _no_links():
    raise OSError(errno.EPERM, "this disk knows no links")


def test_other_versions_than_those_of_runs_that_are_done_are_said():
    made = sweep.create_sweep(plan(seeds=[0]))
    trained(made)
    for run in sweep.list_runs(made):
        details = run.details()
        details["versions"]["torch"] = "1.0"
        (run.path / "config.json").write_bytes(files.as_json(details))
    steps, _ = trained(made)
    assert not [step.news for step in steps if step.news]  # nothing is left to train
    sweep.extend(made, {}, [1])
    steps, _ = trained(made)
    (words,) = [words for step in steps for words in step.news]
    assert words.startswith(
        "some runs of this sweep were made with torch 1.0, those that follow are made with semidml "
    )


def test_a_driver_that_is_long_at_its_data_gives_signs_of_life(monkeypatch):
    made = sweep.create_sweep(plan(seeds=[0]))
    monkeypatch.setattr(driver, "BEAT", 0.05)
    beaten, lock = [], made.path / "lock"

    def read_long(name, paths):
        os.utime(lock, (0, 0))
        until = time.monotonic() + 20
        while lock.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.02)
        beaten.append(lock.stat().st_mtime)
        return DIGEST

    monkeypatch.setattr(sweep, "data_digest", read_long)
    trained(made)
    assert beaten and beaten[0] > 0


def test_workers_of_other_sweeps_on_this_machine_are_taken(monkeypatch):
    from semidml.sweeps import cluster

    first, second = sweep.create_sweep(plan()), sweep.create_sweep(plan("second"))
    monkeypatch.setattr(cluster.memory, "cores", lambda: 4)
    monkeypatch.setattr(cluster.memory, "list_gpus", list)
    monkeypatch.setattr(cluster.memory, "free_bytes", lambda: 3 * cluster.WORKER_BYTES)
    with sweep.held(first, named=True) as lock, sweep.held(second, named=True) as other:
        assert driver._choose_engine(first, lock, None, None)[1] == 3 == first.driver()["workers"]
        assert driver._choose_engine(second, other, None, None)[1] == 1 == second.driver()["workers"]
        assert first.driver().items() >= this_process().items()
        assert driver._choose_engine(second, other, "tcp://head:8786", None)[1] is None
        monkeypatch.setattr(cluster.memory, "free_bytes", lambda: cluster.WORKER_BYTES - 1)
        with pytest.raises(
            ValueError, match=r"3 workers of this machine train other sweeps, and its memory holds none"
        ):
            driver._choose_engine(second, other, None, None)
        assert driver._choose_engine(second, other, None, 2)[1] == 2  # as many as somebody asks for
    assert driver._choose_engine(second, None, None, None)[1] == 1


@pytest.mark.parametrize("change", ["state", "config", "versions", "tested"])
def test_what_is_no_result_of_a_cell_is_not_taken(change):
    """Unfinished, of another setting, of another release, without the scores of the test images."""
    first = sweep.create_sweep(plan(seeds=[0]))
    trained(first)
    for run in sweep.list_runs(first):
        details = run.details()
        if change == "state":
            (run.path / "status.json").write_text(json.dumps({"state": "stopped"}))
        elif change == "tested":
            (run.path / "test_metrics.json").unlink()
        elif change == "config":
            details["config"]["lr"] = 0.5
        else:
            details["versions"]["semidml"] = "0.1"
        (run.path / "config.json").write_bytes(files.as_json(details))
    _, engine = trained(sweep.create_sweep(plan("second", seeds=[0])))
    assert len(engine.begun) == 2


def test_knobs_without_effect_share_one_training():
    made = sweep.create_sweep(plan(axes={"model": ["dml", "dml-ae"], "beta": [1, 2]}, seeds=[0], alpha=0.5))
    _, engine = trained(made)
    assert len(engine.begun) == 2 and states(made) == ["done"] * 4
    assert read_table(made).counts["done"] == 4 and list(read_table(made).frame["beta"]) == [1, 2, 1, 2]


def test_failed_and_refused_cells_tell_why_and_the_others_go_on():
    axes = {"latent_dim": [2, 3]}
    made = sweep.create_sweep(plan(axes=axes, seeds=[0, 1, 2], model="dml-prior", prior="gmm", placement="lattice"))
    steps, engine = trained(made, Engine({0: ("failed", "out of memory"), 1: ("lost", "its worker died three times")}))
    frame = read_table(made).frame
    assert list(frame["state"]) == ["failed"] * 4 + ["done", "failed"] and len(engine.begun) == 3
    assert list(frame["why"])[::2] == ["out of memory", "its worker died three times", ""]
    assert all(why.startswith("a lattice lies in the plane") for why in frame["why"][1::2])
    news = [words for step in steps for words in step.news]
    assert f"latent_dim 2, seed 0 ({engine.begun[0]}) failed: out of memory" in news
    _, again = trained(made)  # what failed is tried again, what is refused is not
    assert again.begun == engine.begun[:2] and states(made) == ["done", "failed"] * 3


# ---- stopped, killed, full


def test_a_stop_leaves_the_rest_and_the_same_again_trains_it():
    made = sweep.create_sweep(plan())
    engine, steps = Engine(), []
    with closing(train_sweep(made, train_folders=engine)) as progress:
        for step in progress:
            steps.append(step)
            if step.counts["done"] == 1 and not (made.path / "stop").exists():
                made.stop()
    assert steps[-1].is_stopping and states(made) == ["done", "waiting", "waiting", "waiting"]
    assert not (made.path / "stop").exists()
    with pytest.raises(ValueError, match="the sweep first is not being trained"):
        made.stop()
    _, again = trained(made)
    assert again.begun == names(made)[1:] and states(made) == ["done"] * 4


def test_who_stops_iterating_stops_it():
    made = sweep.create_sweep(plan())
    progress = train_sweep(made, train_folders=Engine())
    while next(progress).counts["done"] < 2:
        assert made.driver() == this_process()
    progress.close()
    assert made.driver() == {} and states(made).count("done") == 2
    assert trained(made)[1].begun == names(made)[2:]


def test_two_do_not_train_one_sweep():
    made = sweep.create_sweep(plan())
    progress = train_sweep(made, train_folders=Engine())
    next(progress)
    for act in (
        lambda: trained(made),
        lambda: sweep.extend(made, {"alpha": [0.9]}),
        lambda: sweep.rename(made, "second"),
        lambda: sweep.delete(made),
    ):
        with pytest.raises(ValueError, match=rf"first is being trained by pid {os.getpid()} on .*: stop it first"):
            act()
    progress.close()
    assert sweep.extend(made, {"alpha": [0.9]}) == 2


def test_a_driver_of_another_machine_is_seen_by_its_touch():
    made = sweep.create_sweep(plan())
    lock = made.path / "lock"
    lock.write_bytes(files.as_json(this_process() | {"host": "elsewhere", "place": "there"}))
    assert made.driver()["host"] == "elsewhere"
    hour = time.time() - 3600
    os.utime(lock, (hour, hour))
    assert made.driver() == {}
    beats = start_code("import os, time\nprint(1, flush=True)\nwhile True: os.utime(sys.argv[1]); time.sleep(.5)", lock)
    try:
        assert beats.stdout.readline() == "1\n"
        with pytest.raises(ValueError, match=r"is being trained by pid .* on elsewhere"):
            trained(made)
    finally:
        beats.kill()
        beats.communicate()
    assert lock.exists()
    assert trained(made)[1].begun == names(made)


KILLED = """
from tests.sweeps.made import DIGEST, Engine
from semidml.sweeps import driver, sweep
from semidml.runs import listing
import os, signal, sys
sweep.data_digest = lambda name, paths: DIGEST
moment, count = sys.argv[1], [0]
def dies(number):
    count[0] += 1
    if count[0] == number:
        os.kill(os.getpid(), signal.SIGKILL)
if moment == "writes the table":
    write = driver.write_table
    driver.write_table = lambda *given: (dies(2), write(*given))
if moment == "makes a run":
    change = listing.write_status
    listing.write_status = lambda *given, **more: (dies(2), change(*given, **more))
if moment == "takes a run":
    link = sweep._link_or_copy
    sweep._link_or_copy = lambda *given: (dies(3), link(*given))
for step in driver.train_sweep(sweep.open_sweep("first"), train_folders=Engine()):
    if moment == "hears" and step.counts["done"] == 2:
        dies(1)
"""


@pytest.mark.parametrize("moment", ["hears", "writes the table", "makes a run", "takes a run"])
def test_a_driver_is_killed_anywhere_and_the_same_again_goes_on(moment):
    if moment == "takes a run":
        trained(sweep.create_sweep(plan("other")))
    made = sweep.create_sweep(plan())
    killed = subprocess.run([sys.executable, "-c", KILLED, moment], cwd=ROOT, capture_output=True, text=True)
    assert killed.returncode == -9, killed.stderr
    assert made.driver() == {} and set(states(made)) <= {"done", "waiting", "interrupted"}
    done = [name for name, state in zip(names(made), states(made), strict=True) if state == "done"]
    _, engine = trained(made)
    assert states(made) == ["done"] * 4 and not set(engine.begun) & set(done)
    assert sorted(os.listdir(made.path / "runs")) == sorted(names(made))
    assert sorted(os.listdir(made.path)) == ["plan.json", "runs", "table.parquet"]


def test_a_disk_that_is_full_ends_it_in_order(monkeypatch):
    made = sweep.create_sweep(plan())
    create, count = listing.create_run, []

    def fill(*given, **more):
        count.append(1)
        if len(count) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return create(*given, **more)

    monkeypatch.setattr(driver.listing, "create_run", fill)
    with pytest.raises(OSError, match="No space left"):
        trained(made)
    assert states(made) == ["done", "done", "waiting", "waiting"] and made.driver() == {}
    assert len(trained(made)[1].begun) == 2 and set(states(made)) == {"done"}


def test_no_run_is_begun_past_the_quota(monkeypatch):
    made = sweep.create_sweep(plan())
    monkeypatch.setenv("SEMIDML_SWEEPS_QUOTA", f"{quota.used_bytes() + 1000}B")
    with pytest.raises(quota.QuotaFull, match=r"the sweeps take .* delete some first; SEMIDML_SWEEPS_QUOTA sets"):
        trained(made)
    assert states(made) == ["done", "waiting", "waiting", "waiting"]
    monkeypatch.setenv("SEMIDML_SWEEPS_QUOTA", "1GB")
    steps, engine = trained(made)
    assert len(engine.begun) == 3 and not [step.news for step in steps if step.news]


def test_what_will_not_fit_is_said_before(monkeypatch):
    made = sweep.create_sweep(plan())
    monkeypatch.setenv("SEMIDML_SWEEPS_QUOTA", "1MB")
    steps, _ = trained(made)
    (words,) = [words for step in steps for words in step.news]
    assert words.startswith("these runs will take about ") and "as many as fit are trained" in words


def test_a_folder_that_holds_another_run_is_left_alone():
    made = sweep.create_sweep(plan(seeds=[0]))
    config = plan(lr=0.5).cells[0].config
    run = listing.create_run(config, path=made.path / "runs" / names(made)[0])
    _, engine = trained(made)
    assert engine.begun == names(made)[1:] and run.config() == config
    assert "its folder holds a run of another setting" in read_table(made).frame["why"][0]


# ---- a run of a sweep among others


def test_runs_of_a_sweep_are_in_no_list_and_opened_by_their_link(tmp_path):
    made = sweep.create_sweep(plan())
    trained(made)
    own = listing.create_run(plan().cells[0].config, "own")
    assert listing.list_runs(include_shipped=False) == [own]
    run = listing.open_run(f"first/{names(made)[0]}")
    assert run.id == f"first/{names(made)[0]}" and run.sweep == "first" and run.path.parent == made.path / "runs"
    assert own.sweep == "" and own.is_own and not run.is_own
    for name in ("first/../../runs/own", "../runs/own", "first/", "/own", "first/runs/x", "first/none", "a/b/c"):
        with pytest.raises(ValueError, match=r"80 letters|there is no run called"):
            listing.open_run(name)
    (made.path / "runs" / "link").symlink_to(own.path)
    with pytest.raises(ValueError, match="there is no run called"):
        listing.open_run("first/link")


def test_a_run_of_a_sweep_is_neither_renamed_nor_deleted_by_itself():
    made = sweep.create_sweep(plan())
    trained(made)
    run = made.run_of(names(made)[0])
    for act in (changes.delete, lambda run: changes.rename(run, "mine")):
        with pytest.raises(ValueError, match="is a run of the sweep first and cannot be"):
            act(run)
    assert run.path.exists()


def test_time_left_goes_by_what_was_measured():
    assert seconds_left(10.0, 0, 4) is None and seconds_left(10.0, 5, 4) == 8.0
    assert seconds_left(10.0, 5, 0) == 0.0
