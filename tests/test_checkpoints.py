"""The runs that ship: small, whole, readable, and what they say of themselves is so."""

import json
from pathlib import Path

import numpy as np
import pytest

from semidml.execute import score_run
from semidml.runs import listing, places
from semidml.scores import classifiers, collapse, components, protocol
from semidml.scores.table import Scored
from semidml.train.alarms import latent_scale

SHIPPED = sorted(places.shipped().iterdir())
PRIVATE = {"state.safetensors", "lock", "error.txt"}


def test_there_are_enough_and_they_are_small():
    assert len(SHIPPED) >= 4
    files = [file for folder in SHIPPED for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 4_500_000
    assert not PRIVATE & {file.name for file in files}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_shipped_run_is_whole(folder):
    run = listing.open_run(folder.name)
    assert run.is_shipped and run.status().state == "done" and not run.status().owner
    epochs = run.frames()
    assert epochs[0] == 0 and epochs[-1] == run.config().epochs == run.history()[-1].epoch
    first, last = run.frame(0).latents, run.frame(epochs[-1]).latents
    assert len(first) == len(run.rows()["labels"]) and not np.allclose(first, last)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_its_scores_come_out_again_from_its_weights(folder):
    run = listing.open_run(folder.name)
    anew, then = score_run(run), run.metrics()
    assert anew["collapsed"] == then["collapsed"]
    if then["collapsed"]:
        return  # neighbours among points that coincide are a matter of rounding
    for name in ("knn_accuracy", "knn_accuracy_labelled", "recall_at_1"):
        assert anew[name] == pytest.approx(then[name], abs=0.01), name


def test_some_of_them_show_a_collapse_and_say_so():
    alarms = {folder.name: listing.open_run(folder.name).history()[-1].alarms for folder in SHIPPED}
    collapsed = [name for name, said in alarms.items() if said]
    assert collapsed and all(listing.open_run(name).metrics()["collapsed"] is True for name in collapsed)


# ---- scores stay what they were

BEFORE = json.loads((Path(__file__).parent / "scores_of_0_1.json").read_text())  # by version 0.1, of the newest frames
OF_NEIGHBOURS = ("knn", "recall", "map")
ACCIDENTAL = 1e-6  # of MAP@R: some pairs of rows lie at one distance, and of these it took that of another class first


@pytest.mark.parametrize("name", BEFORE)
def test_scores_and_alarms_of_raw_latents_are_those_of_version_0_1(name):
    run = listing.open_run(name)
    frame, rows, config = run.frame(run.frames()[-1]), run.rows(), run.config()
    latents, labels, train = frame.latents.astype(np.float32), rows["labels"].astype(np.int64), rows["split"] == 0
    seen = np.flatnonzero(rows["seen"][train])
    given = Scored(latents[train], labels[train], seen, latents[~train], labels[~train], 10, config.seed)
    found = {
        "scores": protocol.score_latents(given, scale=latent_scale(config)),
        "live": protocol.live_scores(given),
    }
    if frame.components is not None and len(frame.component_means) > 1:
        found["scores"] |= components.component_scores(latents[~train], labels[~train], *frame.components)
    # Of a collapsed run rows coincide: which of them are neighbours was the order of the file, and is drawn now.
    drawn = OF_NEIGHBOURS if len(latents) - len(np.unique(latents, axis=0)) > 10 else ()
    assert bool(drawn) == (name == "digits-metric-vae-averaged")
    for part, then in ((part, BEFORE[name][part]) for part in found):
        for key, value in then.items():
            if not key.startswith(drawn):
                within = ACCIDENTAL if key == "map_at_r" else 1e-9
                assert found[part][key] == pytest.approx(value, abs=within, rel=0), key
        assert {key: found[part][key] for key in then} == pytest.approx(then, abs=0.01)
    assert collapse.collapse(latents, latent_scale(config)) == BEFORE[name]["alarm"]
    if not drawn:
        predicted = classifiers.predictions(latents, labels, rows["seen"], rows["split"], 10, disjoint=False)
        assert predicted[::37].tolist() == BEFORE[name]["predictions"]
