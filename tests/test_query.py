"""Which runs: conditions, tags, words, order; and the rows that a list keeps of runs."""

import json
import os
import time
from pathlib import Path

import pytest

from semidml.config import RunConfig
from semidml.disk import files
from semidml.runs import lineage, listed, listing, notes, process
from semidml.runs.listed import Listed
from semidml.runs.parent import name_parent
from semidml.runs.query import Query, choices_of, list_fields, parse_condition, relations_of
from semidml.runs.run import Run
from semidml.runs.status import Status, write_status


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def make_run(name: str, scores: dict | None = None, **knobs: object) -> Run:
    run = listing.create_run(RunConfig.of(knobs), name)
    if scores is not None:
        files.replace_file(run.path / "metrics.json", files.as_json(scores))
        write_status(run, Status("done", epochs=run.config().epochs))
    return run


def names(*where: str, **more: object) -> list[str]:
    asked = Query(tuple(map(parse_condition, where)), **more)
    return [row.run.id for row in asked.apply(listed.list_rows(include_shipped=False))]


@pytest.fixture
def three() -> None:
    make_run("few", {"knn_accuracy": 0.5, "kmeans_ami": None}, pl=10)
    make_run("many", {"knn_accuracy": 0.9, "reconstruction_mse": 0.2}, model="dml", pl=50)
    make_run("waits", model="dml-ae", alpha=0.5)


def test_conditions_ask_for_knobs_scores_states_names_tags_and_notes(three: None) -> None:
    assert names("pl<=10") == ["few"] and set(names("pl > 10")) == {"many", "waits"}
    assert names("knn_accuracy>=90%") == ["many"] and names("knn_accuracy<0.9") == ["few"]
    assert names("model=DML") == ["many"] and set(names("model!=dml")) == {"few", "waits"}
    assert names("state=queued") == ["waits"] and names("name~AI") == ["waits"]
    assert names("pl<=50", "knn_accuracy>0.6") == ["many"]
    notes.change_tags(listing.open_run("few"), ["Seed study"])
    notes.write_note(listing.open_run("many"), "look again\nat the reconstruction")
    assert names("tag=seed study") == names("tag~seed") == names(tags=("SEED STUDY",)) == ["few"]
    assert names("note~again") == names(text="reconstruction Look") == ["many"] and names(text="few again") == []


def test_what_a_run_does_not_have_is_neither_below_nor_above_nor_equal(three: None) -> None:
    """A knob without effect, a score that is not known."""
    assert names("alpha<=1") == names("alpha>=0") == ["waits", "few"]  # dml has no reconstruction to weigh
    assert names("alpha!=0.5") == ["many", "few"]
    assert names("kmeans_ami>=0") == names("kmeans_ami<=0") == []


def test_an_order_goes_from_the_best_on_and_ends_with_what_has_none(three: None) -> None:
    assert names(sort="knn_accuracy") == ["many", "few", "waits"]
    assert names(sort="knn_accuracy", reverse=True) == ["few", "many", "waits"]
    assert names(sort="reconstruction_mse")[0] == "many" and names(sort="pl") == ["few", "many", "waits"]
    assert names() == ["waits", "many", "few"] == names(sort="created") and names(reverse=True) == names()[::-1]


@pytest.mark.parametrize("field", list_fields())
def test_each_field_can_be_asked_for_by_each_of_its_relations(field: str) -> None:
    make_run("first", {"knn_accuracy": 0.5})
    value = next(iter(choices_of(field)), "1")
    for relation in relations_of(field):
        assert set(names(f"{field}{relation}{value}")) <= {"first"}
    assert names(sort=field) == ["first"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a condition reads as pl<1"),
        ("pl", "a condition reads as pl<1"),
        ("pl<", "pl must be compared with a number"),
        ("pl<nan", "pl must be compared with a number"),
        ("pl<1e999", "pl must be compared with a number"),
        ("seed=90%", "seed must be compared with a number"),
        ("nothing=1", "there is no knob or score called 'nothing'"),
        ("__class__=1", "there is no knob or score called '__class__'"),
        ("model<dml", "model can be asked for by = != ~"),
        ("pl~1", "pl can be asked for by"),
        ("model=dmm", "model must be one of dml"),
        ("state=gone", "state must be one of"),
        ("name~", "name must contain something"),
        ("note~a;b", "must be a short plain text without semicolon"),
        ("name~a\x1b[2J", "must be a short plain text without semicolon"),
        ("name~a\u202eb", "must be a short plain text without semicolon"),
        ("name~" + "x" * 201, "must be a short plain text without semicolon"),
        ("x" * 10**6 + "<1", "a condition reads as"),
        ("name=../../etc/passwd\0", "must be a short plain text without semicolon"),
    ],
)
def test_what_is_no_condition_is_refused_in_words(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        parse_condition(text)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 1500


def test_a_condition_reads_as_it_is_typed() -> None:
    for text in ("pl<1", "model=dml-ae", "note~a b", "knn_accuracy>=0.9", "tag!=x"):
        assert str(parse_condition(text)) == text
    with pytest.raises(ValueError, match="sorted by created, a knob or a score"):
        Query(sort="size")


# ---- rows


def test_a_row_follows_whatever_changes_in_the_folder() -> None:
    run = make_run("first", {"knn_accuracy": 0.5})

    def row() -> Listed:
        return next(row for row in listed.list_rows() if row.run == run)

    assert row() is row() and row().scores == {"knn_accuracy": 0.5} and row().state == "done"
    files.replace_file(run.path / "metrics.json", files.as_json({"knn_accuracy": 0.6}))
    assert row().scores == {"knn_accuracy": 0.6}
    notes.change_tags(run, ["a"])
    assert row().notes.tags == ["a"]
    write_status(run, Status("running", owner=process.this_process() | {"born": "0"}, updated=time.time()))
    assert row().state == run.status().state == "interrupted"
    (run.path / "metrics.json").write_text("{")
    write_status(run, Status("done"))
    assert row().state == "failed" and "metrics.json" in row().problem
    (run.path / "config.json").write_text("[]")
    assert row().config is None and listing.list_runs()[0] == run
    for name in ("config.json", "status.json"):
        (run.path / name).unlink()
    assert run not in listing.list_runs()


def test_a_thousand_runs_are_listed_again_without_reading_one(own_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_run("first", {"knn_accuracy": 0.5}).path
    content = {name: (first / name).read_bytes() for name in ("status.json", "metrics.json")}
    details = json.loads((first / "config.json").read_bytes())
    for number in range(999):
        (folder := own_runs / f"run-{number}").mkdir()
        for name, text in content.items():
            (folder / name).write_bytes(text)
        (folder / "config.json").write_bytes(files.as_json(details | {"created": 1e9 + number}))
    assert len(listed.list_rows(include_shipped=False)) == 1000
    monkeypatch.setattr(files, "open_plain", None)  # nothing is opened any more
    begin = time.process_time()
    assert len(listed.list_rows()) > 1000 and [run.id for run in listing.list_runs()][:2] == ["first", "run-998"]
    assert time.process_time() - begin < 1  # 0.05 s, n = 5, November 2026


def test_links_and_what_is_no_run_are_not_listed(own_runs: Path) -> None:
    run = make_run("first")
    os.symlink(run.path, own_runs / "link")
    (own_runs / ".hidden").mkdir()
    (own_runs / "empty").mkdir()
    (own_runs / "file").touch()
    assert [row.run for row in listed.list_rows(include_shipped=False)] == [run]


def test_a_family_is_known_by_when_its_runs_were_made(own_runs: Path) -> None:
    parent = make_run("first", {})
    child = listing.create_run(parent.config(), "second", parent=name_parent(parent))
    orphan = listing.create_run(parent.config(), "third", parent=name_parent(child))
    other = make_run("other", {})
    family = lineage.list_families(listed.list_rows())
    assert family.parents == {child: parent, orphan: child}
    assert family.children == {parent: [child], child: [orphan]} and other not in family.parents
    rows = [row for row in listed.list_rows() if row.run != child]
    assert lineage.list_families(rows).parents == {}
