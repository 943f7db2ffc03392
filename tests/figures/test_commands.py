"""`runs figure`, `film`, `notebook` and `page`, as a user types them."""

import json
from pathlib import Path

import pytest
from PIL import Image

from semidml.cli import main


@pytest.fixture(autouse=True)
def within(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_files_are_written_where_they_are_asked_for(capsys):
    act = ["runs", "figure", "digits-ten-places", "--out"]
    assert main([*act, "map.png", "--colour", "component", "--epoch", "13"]) == 0
    with Image.open("map.png") as picture:
        assert picture.size == (1920, 1080)
    assert main([*act, "map.svg", "--size", "column"]) == 0 and Path("map.svg").read_text().startswith("<?xml")
    assert main([*act, "curves.pdf", "--what", "curves"]) == 0 and Path("curves.pdf").read_bytes()[:4] == b"%PDF"
    assert main(["runs", "figure", "digits-ten-places", "digits-paper-prior", "--out", "both.png"]) == 0
    assert main(["runs", "notebook", "digits-ten-places"]) == 0
    assert json.loads(Path("digits-ten-places.ipynb").read_text())["nbformat"] == 4
    assert main(["runs", "page", "digits-ten-places", "digits-paper-prior", "--out", "both.html"]) == 0
    assert "A comparison of runs" in Path("both.html").read_text()
    assert capsys.readouterr().out.splitlines()[-2:] == ["digits-ten-places.ipynb", "both.html"]


def test_a_film_of_a_run_made_here(made):
    run = made(60)
    assert main(["runs", "film", run.id, "--out", "training.gif", "--rows", "test"]) == 0
    with Image.open("training.gif") as picture:
        assert picture.is_animated


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["figure", "nothing", "--out", "a.svg"], "there is no run called 'nothing'"),
        (["figure", "digits-ten-places", "--out", "a.jpg"], "must end in one of .svg, .pdf, .png; got 'a.jpg'"),
        (["film", "digits-ten-places", "--out", "a.avi"], "must end in one of .mp4, .gif; got 'a.avi'"),
        (["figure", "digits-dml-60-labels", "--out", "a.svg", "--colour", "component"], "has no prior"),
        (["figure", "digits-dml-60-labels", "--out", "a.svg", "--colour", "cluster"], "needs clusters"),
        (["page", "digits-ten-places", "--out", "no/where/a.html"], "is not there any more"),
        (["figure", *["digits-ten-places"] * 5, "--out", "a.svg"], "a comparison is of two to 4 runs; got 5"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_no_file(words, said, capsys):
    assert main(["runs", *words]) == 2
    assert said in capsys.readouterr().err and not list(Path().glob("a.*"))


def test_a_full_disk_is_said_and_what_was_there_stays(monkeypatch, capsys):
    import errno

    from semidml.disk import files

    Path("map.svg").write_text("mine")

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    whole = files.replace_file
    monkeypatch.setattr(files, "replace_file", lambda path, content: whole(path, full))
    assert main(["runs", "figure", "digits-ten-places", "--out", "map.svg"]) == 2
    assert "the disk is full" in capsys.readouterr().err and Path("map.svg").read_text() == "mine"
    assert list(Path().iterdir()) == [Path("map.svg")]
