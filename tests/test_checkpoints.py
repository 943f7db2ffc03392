"""The runs that ship: small, whole, readable, and what they say of themselves is so."""

import numpy as np
import pytest

from semidml import runs, worker

SHIPPED = sorted(runs.shipped().iterdir())
PRIVATE = {"state.safetensors", "lock", "error.txt"}


def test_there_are_enough_and_they_are_small():
    assert len(SHIPPED) >= 4
    files = [file for folder in SHIPPED for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 4_500_000
    assert not PRIVATE & {file.name for file in files}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_run_is_whole(folder):
    run = runs.get(folder.name)
    assert run.is_shipped and run.status().state == "done" and not run.status().owner
    epochs = run.frames()
    assert epochs[0] == 0 and epochs[-1] == run.config().epochs == run.history()[-1].epoch
    first, last = run.frame(0)["latents"], run.frame(epochs[-1])["latents"]
    assert len(first) == len(run.rows()["labels"]) and not np.allclose(first, last)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_its_scores_come_out_again_from_its_weights(folder):
    run = runs.get(folder.name)
    anew, then = worker.evaluate_run(run), run.metrics()
    assert anew["collapsed"] == then["collapsed"]
    if then["collapsed"]:
        return  # neighbours among points that coincide are a matter of rounding
    for name in ("knn_accuracy", "knn_accuracy_labelled", "recall_at_1"):
        assert anew[name] == pytest.approx(then[name], abs=0.01), name


def test_some_of_them_show_a_collapse_and_say_so():
    alarms = {folder.name: runs.get(folder.name).history()[-1].alarms for folder in SHIPPED}
    collapsed = [name for name, said in alarms.items() if said]
    assert collapsed and all(runs.get(name).metrics()["collapsed"] is True for name in collapsed)
