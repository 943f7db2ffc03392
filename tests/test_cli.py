"""The command line on real digits, each command as a user types it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from semidml.cli import main
from semidml.data import image_files, store
from semidml.runs import listing
from semidml.runs.parent import name_parent
from semidml.scores.table import SCORES
from semidml.sweeps import reuse
from semidml.train import device

ROOT = Path(__file__).parents[1]
TRAIN = ["train", "--data", "digits", "--epochs", "3", "--pl", "20"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))


@pytest.fixture
def finished(tmp_path, capsys):
    """A finished run of three epochs."""
    assert main([*TRAIN, "--out", str(tmp_path / "runs" / "first")]) == 0
    capsys.readouterr()
    return listing.open_run("first")


def test_train_prints_scores_and_leaves_a_run(tmp_path, capsys):
    assert main([*TRAIN, "--out", str(tmp_path / "runs" / "first")]) == 0
    said = capsys.readouterr().out
    assert SCORES["knn_accuracy"].title in said and said.splitlines()[-1].startswith("done in ")
    run = listing.open_run("first")
    assert run.status().state == "done" and [r.epoch for r in run.history()] == [0, 1, 2, 3]
    assert run.metrics()["knn_accuracy"] > 0.5


def test_a_run_whose_weights_never_moved_failed_and_says_why(tmp_path, capsys):
    words = ["train", "--data", "digits", "--model", "dml", "--epochs", "2", "--lr", "1e-30"]
    assert main([*words, "--out", str(tmp_path / "runs" / "still")]) == 1
    status = listing.open_run("still").status()
    assert status.state == "failed" and "in 2 epochs no weight of the encoder has moved" in status.reason
    assert status.reason in capsys.readouterr().err and listing.open_run("still").metrics() is None


def test_evaluate_prints_what_the_run_recorded(finished, capsys):
    assert main(["evaluate", str(finished.path)]) == 0
    anew, then = json.loads(capsys.readouterr().out), finished.metrics()
    assert anew.keys() == then.keys() - {"seconds"}
    assert anew == pytest.approx({k: v for k, v in then.items() if k != "seconds"}, abs=0.01)


def test_a_full_evaluation_adds_forest_and_mlp(finished, capsys):
    assert main(["evaluate", "first", "--full"]) == 0
    anew = json.loads(capsys.readouterr().out)
    for name in ("random_forest_accuracy", "random_forest_ami_labelled", "mlp_accuracy_labelled", "mlp_ami"):
        assert 0 < anew[name] <= 1


def test_scores_are_printed_with_scatter_reasons_and_remarks(capsys):
    from semidml.cli.shown import show_scores

    show_scores(
        {
            **{"knn_accuracy": 0.5, "kmeans_ami": 0.48, "kmeans_ami_sd": 0.0123, "recall_at_1": None},
            "failed": {"recall_at_1": "no two test images are of one class: none can be found"},
            "notes": {"knn_accuracy": "of 12 test images only; each is 8.3 % of it"},
        }
    )
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "kNN, all labels 0.5000 of 12 test images only; each is 8.3 % of it",
        "k-means AMI 0.4800 ± 0.0123",
        "recall at 1 - no two test images are of one class: none can be found",
    ]


def test_a_prior_fitted_to_a_run_is_printed_as_a_command_that_trains_with_it(finished, tmp_path, capsys):
    assert main(["fit-prior", "first", "--components", "5", "--seed", "1"]) == 0
    said = capsys.readouterr()
    assert "fitted to all 1,297 training images, without their labels" in said.err
    words = shlex.split(said.out)
    assert words[:4] == ["python", "-m", "semidml", "train"]
    assert main([*words[3:], "--epochs", "1", "--out", str(tmp_path / "runs" / "second")]) == 0
    means = listing.open_run("second").live().component_means
    assert means.shape == (5, 2) and "metric-vae" in words


def test_the_table_of_runs(finished, capsys):
    assert main(["runs"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("first "))
    assert "done" in line and "dml-ae" in line and f"{finished.metrics()['knn_accuracy']:.4f}" in line


def test_the_table_of_runs_names_parent_and_children_whatever_they_are_called_now(finished, tmp_path, capsys):
    for name, parent in (("second", finished), ("third", listing.open_run("digits-dml-60-labels"))):
        path = tmp_path / "runs" / name
        listing.create_run(finished.config(), path=path, parent=name_parent(parent))
    assert main(["runs", "rename", "first", "renamed"]) == 0 and main(["runs"]) == 0
    told = capsys.readouterr().out.splitlines()
    below = {line.split()[0]: told[at + 1] for at, line in enumerate(told[:-1]) if not line.startswith(" ")}
    assert below["renamed"] == "  made into second" and below["second"] == "  made from renamed"
    assert below["third"] == "  made from digits-dml-60-labels" and below["digits-dml-60-labels"] == "  made into third"
    assert main(["runs", "delete", "renamed"]) == 0 and main(["runs"]) == 0
    assert "  made from first, which is gone" in capsys.readouterr().out.splitlines()


def test_the_table_of_runs_marks_what_is_to_be_said_of_a_score(finished, capsys):
    """Each remark and reason once, below; a terminal's control characters never."""
    metrics = finished.metrics() | {"knn_accuracy": 0.5, "knn_accuracy_labelled": 0.25, "kmeans_ami": None}
    few = "of 12 test images only"
    metrics |= {"notes": {"knn_accuracy": few, "knn_accuracy_labelled": few}, "failed": {"kmeans_ami": "\x1b[2Jno"}}
    (finished.path / "metrics.json").write_text(json.dumps(metrics))
    assert main(["runs"]) == 0
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if line.startswith("first "))
    assert line.split()[-6:] == ["0.5000", "[1]", "0.2500", "[1]", "-", "[2]"]
    assert said.splitlines()[-2:] == [f"[1] {few}", "[2] [2Jno"]
    assert max(len(line) for line in said.splitlines()) < 160


def test_rename_export_import_delete(finished, tmp_path, capsys):
    assert main(["runs", "rename", "first", "second"]) == 0
    assert main(["runs", "export", "second", str(tmp_path / "second.zip")]) == 0
    assert main(["runs", "import", str(tmp_path / "second.zip"), "--name", "third"]) == 0
    assert listing.open_run("third").metrics() == listing.open_run("second").metrics()
    assert main(["runs", "delete", "second"]) == 0
    assert main(["runs", "delete", "second"]) == 2
    assert "there is no run called 'second'" in capsys.readouterr().err


def test_an_export_of_no_run_leaves_the_file_that_is_there(finished, tmp_path, capsys):
    there = tmp_path / "keep.zip"
    there.write_bytes(b"mine")
    assert main(["runs", "export", "nosuch", str(there)]) == 2 and there.read_bytes() == b"mine"
    assert main(["runs", "export", "first", str(tmp_path / "nowhere" / "x.zip")]) == 2
    assert main(["runs", "import", str(tmp_path / "none.zip")]) == 2
    assert capsys.readouterr().err.count("semidml: ") == 3


def test_a_run_with_damaged_scores_is_listed(finished, capsys):
    (listing.open_run("first").path / "metrics.json").write_text("{")
    assert main(["runs"]) == 0
    assert "metrics.json cannot be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--alpha", "nan"], "alpha must be between 0 and 1, got nan"),
        (["train", "--pl", "0"], "pl must be above 0 and at most 100, got 0"),
        (["train", "--epochs", "1000000000"], "epochs must be a whole number between 1 and 10000"),
        (["train", "--data", "no/such/place"], "no/such/place"),
        (["evaluate", "../../no-such-place"], "../../no-such-place"),
        (["fit-prior", "no-such-run"], "no-such-run"),
        (["fit-prior", "digits-metric-vae-averaged"], "digits-metric-vae-averaged has collapsed"),
        (["fit-prior", "digits-dml-all-labels", "--components", "0"], "components must be between 1 and 1,024, got 0"),
        (["fit-prior", "digits-dml-all-labels", "--seed", "-1"], "seed must be between 0 and 2147483647, got -1"),
        (["runs", "resume", "nothing"], "there is no run called 'nothing'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line_and_nothing_is_left(words, said, tmp_path, capsys):
    status = main(words)
    err = capsys.readouterr().err
    assert status != 0 and said in err and "Traceback" not in err
    assert not [run for run in listing.list_runs(include_shipped=False) if run.status().state == "done"]


@pytest.mark.parametrize("act", [["delete"], ["rename", "other"], ["resume"], ["stop"]], ids=lambda act: act[0])
def test_a_folder_that_is_no_run_is_left_alone(act, tmp_path, capsys):
    """Only a folder with a run's config.json is a run, however it is named."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file.txt").write_text("keep me")
    assert main(["runs", act[0], str(precious), *act[1:]]) == 2
    assert (precious / "file.txt").read_text() == "keep me" and not (tmp_path / "other").exists()


def test_a_folder_with_more_than_a_run_in_it_is_not_deleted(tmp_path, capsys):
    """A config.json alone makes no run: a project of somebody's may have one."""
    (tmp_path / "project").mkdir()
    for name in ("config.json", "thesis.tex"):
        (tmp_path / "project" / name).write_text("{}")
    assert main(["runs", "delete", str(tmp_path / "project")]) == 2
    assert "thesis.tex" in capsys.readouterr().err and (tmp_path / "project" / "thesis.tex").exists()


def test_the_table_of_data_says_what_can_be_fetched_and_what_must_be_found(capsys, tmp_path):
    (tmp_path / "data" / "uploads").mkdir(parents=True)
    (tmp_path / "data" / "uploads" / "broken.npz").write_bytes(b"hello")
    assert main(["data"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[2:]}
    assert lines["digits"].endswith("  yes") and lines["mnist"].endswith("  no: python -m semidml data fetch mnist")
    for name in ("cars196", "cars196-256"):
        assert "fetch" not in lines[name]
        assert (
            "no: put stanford_cars/devkit/cars_meta.mat, " in lines[name] and "stanford_cars/cars_test" in lines[name]
        )
    assert "no: it cannot be read as an .npz file" in lines["broken"]


def test_too_few_labels_are_refused_in_words(capsys):
    assert main(["train", "--data", "digits", "--pl", "0.01", "--epochs", "1"]) == 1
    assert "1 label" in capsys.readouterr().err


def test_a_knob_without_effect_is_named(tmp_path, capsys):
    main(["train", "--model", "dml", "--likelihood", "gaussian", "--epochs", "1", "--out", str(tmp_path / "r")])
    assert "without effect here: likelihood" in capsys.readouterr().err


def test_what_the_machine_only_imitates_is_said_before_a_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(device, "bfloat16_crawls", lambda device: True)
    asked = ["train", "--model", "dml", "--epochs", "1", "--device", "cpu", "--precision"]
    main([*asked, "bfloat16", "--out", str(tmp_path / "half")])
    assert "note: This processor has no bfloat16 maths" in capsys.readouterr().err
    main([*asked, "float32", "--out", str(tmp_path / "single")])
    assert "bfloat16" not in capsys.readouterr().err


def test_what_is_worth_knowing_is_said_before_a_training(tmp_path, capsys):
    asked = ["--model", "cbswr", "--clusters", "100", "--batch-size", "64", "--epochs", "1"]
    main(["train", *asked, "--out", str(tmp_path / "r")])
    assert "A step of 64 images cannot fill 100 clusters" in capsys.readouterr().err


def test_the_readme_s_command_runs_as_a_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "semidml", "train", "--epochs", "2", "--out", str(tmp_path / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "kNN, all labels" in done.stdout and (tmp_path / "run" / "weights.safetensors").exists()


def test_many_files_are_read_under_a_bar_that_is_there_at_once(tmp_path, capsys, monkeypatch):
    for number in range(8):
        place = tmp_path / "set" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 20 * number).save(place)
    heard = []
    look_at = image_files.state_of

    def listen(path):
        heard.append(capsys.readouterr().err)
        return look_at(path)

    monkeypatch.setattr(image_files, "state_of", listen)
    words = ["train", "--data", str(tmp_path / "set"), "--alpha", "1", "--epochs", "1", "--labelled-per-class", "2"]
    assert main(words) == 0
    assert "set: looking for what has changed:   0%" in heard[0]
    assert main(["data", "look", str(tmp_path / "set")]) == 0
    assert "its files are listed:   0%" in capsys.readouterr().err
    heard.clear()
    monkeypatch.setattr(store, "_looks", {})
    monkeypatch.setattr(reuse, "find_or_create", lambda plan: int("no sweep is made here"))
    assert main(["sweep", "--data", str(tmp_path / "set"), "--vary", "alpha=0.1,0.5"]) == 2
    assert "set: looking for what has changed:   0%" in heard[0]


def test_runs_are_asked_for_sorted_tagged_and_noted(finished, tmp_path, capsys):
    for name, pl in (("few", 5), ("more", 50)):
        listing.create_run(finished.config().model_copy(update={"pl": float(pl)}), path=tmp_path / "runs" / name)

    def told(*words):
        assert main(["runs", *words]) == 0
        return capsys.readouterr().out.splitlines()

    def listed(*words):
        return [
            line.split()[0] for line in told(*words)[1:] if not line.startswith((" ", "digits-")) and "of" not in line
        ]

    assert listed("--where", "pl<=20", "--where", "epochs=3") == ["few", "first"]
    assert listed("--where", "state=queued", "--sort", "pl") == ["few", "more"]
    assert listed("--where", "state=queued", "--sort", "pl", "--reverse") == ["more", "few"]
    assert told("--where", "knn_accuracy>200%")[1].startswith("0 of ")
    assert told("tag", "few", "seed study, paper", "a") == ["a, paper, seed study"]
    assert told("tag", "few", "b", "--remove", "a", "gone", "B") == ["b, paper, seed study"] == told("tag", "few")
    assert told("note", "few", "look\nagain") == ["look", "again"] == told("note", "few")
    lines = told("--tag", "Paper", "--search", "AGAIN")
    assert lines[1].startswith("few ") and lines[2:4] == ["  tags: b, paper, seed study", "  note: look …"]
    assert told("note", "few", "") == ["few has no note"] and told("tag", "more") == ["more has no tags"]
    for words, problem in (
        (["--where", "p<1"], "there is no knob or score called 'p'"),
        (["--sort", "size"], "sorted by created, a knob or a score"),
        (["--tag", "a,b"], "a tag is 1 to 40 letters"),
        (["tag", "digits-ten-places", "mine"], "ships with the project"),
        (["note", "none", "x"], "no run called 'none'"),
    ):
        assert main(["runs", *words]) == 2 and problem in capsys.readouterr().err
