"""Notebooks that run as they are, and pages in which nothing of a run is more than words."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from semidml.figures import notebook, page
from semidml.lessons import LESSONS
from semidml.runs import listing, transfer

ROOT = Path(__file__).parents[2]
RUN = """
import sys, nbformat
from nbclient import NotebookClient
book = nbformat.read(sys.argv[1], 4)
nbformat.validate(book)
NotebookClient(book, timeout=300).execute()
for cell in book.cells:
    for output in cell.get("outputs", []):
        assert output.output_type != "error"
        print(cell.id, output.output_type, *output.get("data", {"text": output.get("text")}))
"""


def executed(content: bytes, folder: Path) -> str:
    """What a fresh kernel gives for a notebook in a folder: kinds of output."""
    (folder / "book.ipynb").write_bytes(content)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "book.ipynb"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_notebook_of_a_run_runs_from_its_zip(tmp_path):
    source = listing.open_run("digits-dml-ae-60-labels")
    with (tmp_path / "sent.zip").open("wb") as file:
        transfer.export_zip(source, file)
    content = notebook.run_notebook(source).replace(b"'digits-dml-ae-60-labels'", b"'sent'")
    told = executed(content, tmp_path)
    assert told.count("image/png") >= 3 and "text/html" in told  # map, curves, decoded places; scores


def test_the_notebook_of_a_lesson_runs(tmp_path):
    told = executed(notebook.lesson_notebook(LESSONS["places"]), tmp_path)
    assert told.count("image/png") >= 2 and "stream" in told  # a comparison, curves; a training


def test_every_notebook_is_python_and_opens_its_runs(places, deep):
    books = [notebook.run_notebook(deep), notebook.comparison_notebook([places, deep])]
    books += [notebook.lesson_notebook(lesson) for lesson in LESSONS.values()]
    for book in map(json.loads, books):
        code = ["".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
        for cell in code:
            compile(cell, "cell", "exec")
        assert any("open_source" in cell and "digits-" in cell for cell in code)


def test_a_run_is_opened_by_name_folder_and_zip(made, tmp_path, monkeypatch):
    run = made()
    with (tmp_path / "away.zip").open("wb") as file:
        transfer.export_zip(run, file)
    monkeypatch.chdir(tmp_path)
    assert transfer.open_source(run.id) == run == transfer.open_source(str(run.path))
    for name in ("away", "away.zip", str(tmp_path / "away.zip")):
        opened = transfer.open_source(name)
        assert opened.id == "away" and opened.frames() == run.frames() and opened.path != run.path
    with pytest.raises(ValueError, match="there is no run called 'nothing'"):
        transfer.open_source("nothing")
    (tmp_path / "bad.zip").write_bytes(b"PK no")
    with pytest.raises(ValueError, match="zip cannot be read"):
        transfer.open_source("bad")


HOSTILE = "</script><img src=x onerror=alert(1)>"


def test_what_a_run_says_of_itself_cannot_run(made):
    run = made(names=(HOSTILE, "b"))
    text = page.run_page(run).decode()
    assert "<img" not in text and text.count("</script>") == 2
    book = json.loads(notebook.run_notebook(run))
    assert not any("<img" in cell["source"] for cell in book["cells"])


def test_only_the_page_s_own_program_may_run(places):
    text = page.run_page(places).decode()
    (program,) = re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)[1]
    assert policy == f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:"


def test_a_page_of_many_points_holds_an_even_part_of_the_epochs(made):
    run = made(70_000, epochs=14)
    text = page.run_page(run).decode()
    (runs,) = re.findall(r'id="runs">(.*?)</script>', text)
    (data,) = json.loads(runs)
    assert data["epochs"][0] == 0 and data["epochs"][-1] == 13 and 2 <= len(data["epochs"]) < 14
    assert len(text) < 32_000_000


def test_what_makes_no_page_is_refused_in_words(made, places):
    for make in (page.run_page, notebook.run_notebook):
        with pytest.raises(ValueError, match="has stored no points"):
            make(made(epochs=0) if make is page.run_page else listing.open_run("made-200-2-0"))
    for make in (page.comparison_page, notebook.comparison_notebook):
        with pytest.raises(ValueError, match="a comparison is of two to 4 runs; got 1"):
            make([places])
