"""Tags and notes: plain text in the run's folder, bounded, safe against several writers, travelling with the run."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from semidml.config import RunConfig
from semidml.disk import locks
from semidml.runs import changes, listed, listing, notes, transfer
from semidml.runs.run import Run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    return listing.create_run(RunConfig(), "first")


def test_tags_and_note_are_kept_and_stay_with_the_run_under_another_name(run: Run) -> None:
    notes.change_tags(run, ["seed study", "Paper"])
    notes.change_tags(run, ["paper", "b"], remove=["SEED STUDY"])
    notes.write_note(run, "  first line\r\nsecond\tline  \n")
    assert notes.read_notes(run) == notes.Notes(tags=["b", "Paper"], note="first line\nsecond line")
    (run.path / "stop").touch()  # it waits no longer
    moved = changes.rename(run, "second")
    assert notes.read_notes(moved).tags == ["b", "Paper"]
    notes.change_tags(moved, remove=["b", "paper"])
    notes.write_note(moved, "")
    assert not (moved.path / notes.FILE).exists() and notes.read_notes(moved) == notes.Notes()
    notes.change_tags(moved, ["again"])
    changes.delete(moved)
    assert not moved.path.exists()


def test_of_many_who_tag_at_once_none_is_lost(run: Run) -> None:
    tags = [f"tag {number}" for number in range(notes.MOST_TAGS)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda tag: notes.change_tags(run, [tag]), tags))
    assert set(notes.read_notes(run).tags) == set(tags)
    with pytest.raises(ValueError, match="at most 20 tags; first would have 21"):
        notes.change_tags(run, ["one more"])
    assert set(notes.read_notes(run).tags) == set(tags)


def test_a_note_that_was_changed_in_another_tab_is_not_written_over(run: Run) -> None:
    notes.write_note(run, "theirs", before="")
    with pytest.raises(ValueError, match="changed by somebody else meanwhile"):
        notes.write_note(run, "mine", before="")
    assert notes.read_notes(run).note == "theirs"
    assert notes.write_note(run, "theirs", before="").note == "theirs"  # pressed twice
    assert notes.write_note(run, "mine", before="theirs").note == "mine"


def test_who_waits_too_long_for_another_writer_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "SECONDS_TO_WAIT", 0.0)
    refused = pytest.raises(ValueError, match="somebody else writes of first now")
    with locks.alone(run.path / notes.LOCK, lambda: None), refused:
        notes.change_tags(run, ["late"])
    assert notes.change_tags(run, ["late"]).tags == ["late"]


@pytest.mark.parametrize(
    "tag",
    ["", " ", "a,b", "a;b", "x" * 41, "x" * 10**6, "\x1b[2J", "turned\u202eround", "half \ud83d", "nul\0"],
)
def test_what_is_no_tag_is_refused_in_words(run: Run, tag: str) -> None:
    with pytest.raises(ValueError, match="a tag is 1 to 40 letters") as refused:
        notes.change_tags(run, ["good", tag])
    assert str(refused.value).isprintable() and len(str(refused.value)) < 300
    assert notes.read_notes(run) == notes.Notes() and not (run.path / notes.FILE).exists()


def test_a_hostile_note_is_plain_text(run: Run) -> None:
    text = "![x](http://elsewhere.example) \x1b[2J \u202eabc \ud83d ../../etc \0 <script>"
    kept = notes.write_note(run, text).note
    assert "![x](http://elsewhere.example)" in kept and "<script>" in kept
    assert all(line.isprintable() for line in kept.split("\n"))
    with pytest.raises(ValueError, match=r"at most 4,000 characters, got 4,001"):
        notes.write_note(run, "x" * 4001)
    assert notes.read_notes(run).note == kept


def test_a_run_that_ships_or_is_gone_takes_none(run: Run) -> None:
    with pytest.raises(ValueError, match="ships with the project"):
        notes.change_tags(listing.open_run("digits-ten-places"), ["mine"])
    with pytest.raises(ValueError, match="there is no run called 'gone'"):
        notes.write_note(Run(run.path.with_name("gone")), "x")


FORGED = {
    "not json": b"{",
    "code": b'{"tags": [], "note": "", "run": "import os"}',
    "a list": b"[]",
    "many": json.dumps({"tags": [f"t{number}" for number in range(21)]}).encode(),
    "long": json.dumps({"note": "x" * 4001}).encode(),
    "turned": json.dumps({"tags": ["a\u202eb"]}).encode(),
    "controls": json.dumps({"note": "\x1b[2J"}).encode(),
    "numbers": b'{"tags": [1]}',
    "half a letter": b'{"note": "\\ud83d"}',
}


@pytest.mark.parametrize("kind", FORGED)
def test_forged_notes_are_said_to_be_damaged_and_never_imported(run: Run, kind: str) -> None:
    (run.path / notes.FILE).write_bytes(FORGED[kind])
    with pytest.raises(ValueError, match=r"notes\.json"):
        notes.read_notes(run)
    row = listed.read_row(str(run.path))
    assert row.notes == notes.Notes() and "notes.json" in row.problem and row.config == run.config()
    file = io.BytesIO()
    transfer.export_zip(run, file)
    with pytest.raises(ValueError, match=r"notes\.json"):
        transfer.import_zip(file, "forged")
    assert [path.name for path in run.path.parent.iterdir() if path.name != ".lock"] == ["first"]


def test_tags_and_note_travel_with_the_run(run: Run) -> None:
    notes.change_tags(run, ["paper"])
    notes.write_note(run, "two\nlines")
    file = io.BytesIO()
    transfer.export_zip(run, file)
    assert "first/notes.json" in zipfile.ZipFile(file).namelist()
    assert notes.read_notes(transfer.import_zip(file, "back")) == notes.read_notes(run)
    notes.change_tags(run, remove=["paper"])
    notes.write_note(run, "")
    transfer.export_zip(run, without := io.BytesIO())  # which an older release reads
    assert "first/notes.json" not in zipfile.ZipFile(without).namelist()
