"""Tables beside image files: which file a row is of, of which class and which split."""

import io

import pytest

from semidml.data import layout
from semidml.data.choices import Choices
from semidml.data.file_labels import label_by_tables
from semidml.data.formats import tables
from semidml.data.image_files import Member


def read(paths: str, **written: str) -> layout.Layout:
    """Files with the labels of tables, of which __ in a name is a folder: train__labels="id,label|0,a"."""
    members = [Member(tuple(path.split("/")), lambda: io.BytesIO(b"")) for path in sorted(paths.split())]
    known, described = layout.read_layout(members, Choices()), {}
    for name, text in sorted(written.items()):
        content = text.replace("|", "\n").encode()
        table = Member(tuple(f"{name}.csv".split("__")), lambda content=content: io.BytesIO(content))
        described[table] = tables.read_file_labels(table, members, Choices())
    return label_by_tables(known, described)


def told(known: layout.Layout) -> dict[str, tuple[str, str | None]]:
    """{file: (split, class)}."""
    return {item.member.path: (item.split, item.class_name) for item in known.items}


SPLITS = "train/0.png train/1.png train/2.png train/3.png test/0.png test/1.png"
TRAIN = {"train/0.png": "a", "train/1.png": "b", "train/2.png": "a", "train/3.png": "b"}


def test_a_table_of_training_labels_no_test_image_of_the_same_name():
    known = read(SPLITS, train="id,label|0,a|1,b|2,a|3,b")
    assert {file: label for file, (split, label) in told(known).items() if label} == TRAIN
    both = told(read(SPLITS, train="id,label|0,a|1,b|2,a|3,b", test="id,label|0,b|1,a"))
    assert both == {file: ("train", label) for file, label in TRAIN.items()} | {
        "test/0.png": ("test", "b"),
        "test/1.png": ("test", "a"),
    }


def test_a_row_of_another_split_s_table_names_no_file_that_happens_to_be_called_so():
    known = read("train/0.png train/1.png test/0.png test/1.png test/2.png", train="id,label|0,a|1,b|2,a")
    assert told(known)["test/2.png"] == ("train", None), "row 2 is of a training image that is gone"


def test_a_name_that_fits_several_files_labels_none_of_them_and_that_is_said():
    known = read(SPLITS, labels="id,label|0,a|1,b|2,a|3,b")
    assert {file for file, (_, label) in told(known).items() if label} == {"train/2.png", "train/3.png"}
    assert any(note.startswith("2 names in labels.csv could be of several files") for note in known.notes)
    folders = read(
        SPLITS, labels="file,label|train/0.png,a|train/1.png,b|train/2.png,a|train/3.png,b|test/0.png,b|test/1.png,a"
    )
    assert told(folders)["test/0.png"] == ("test", "b") and "several files" not in " ".join(folders.notes)


@pytest.mark.parametrize("table", ["train__labels", "train__images"])
def test_a_table_in_a_folder_is_of_the_files_there(table):
    known = read(SPLITS, **{table: "id,label|0,a|1,b|2,a|3,b"})
    assert {file: label for file, (_, label) in told(known).items() if label} == TRAIN


@pytest.mark.parametrize("top", ["my_test", "training_data"])
def test_a_folder_around_them_all_that_is_called_like_a_split_says_nothing(top):
    paths = " ".join(f"{top}/{path}" for path in SPLITS.split())
    known = read(paths, **{f"{top}__labels": "id,label|0,a|1,b|2,a|3,b"})
    assert {file for file, (_, label) in told(known).items() if label} == {f"{top}/train/2.png", f"{top}/train/3.png"}
    known = read(paths, **{f"{top}__train_labels__all": "id,label|0,a|1,b|2,a|3,b"})
    assert {file for file, (_, label) in told(known).items() if label} == {f"{top}/{file}" for file in TRAIN}


def test_a_column_tells_which_of_several_files_a_row_is_of():
    known = told(read(SPLITS, labels="id,split,label|0,train,a|1,train,b|2,train,a|3,train,b|0,test,b|1,test,a"))
    assert known["test/0.png"] == ("test", "b") and known["train/0.png"] == ("train", "a")
    assert all(label for _, label in known.values())


def test_a_file_with_several_labels_has_none_and_that_is_said():
    known = read("0.png 1.png 2.png 3.png", labels="id,label|0,a|1,b|2,a|2,b|3,b|3,b")
    assert [label for _, label in told(known).values()] == ["a", "b", None, "b"]
    assert "labels.csv has several labels for 1 image, which therefore have none of it." in known.notes


def test_a_column_tells_the_split_of_each_file():
    flat = " ".join(f"images/{i}.png" for i in range(6))
    written = "filename,split,label|0.png,train,a|1.png,train,b|2.png,val,a|3.png,test,b|4.png,test,a|5.png,train,a"
    known = told(read(flat, labels=written))
    assert [split for split, _ in known.values()] == ["train", "train", "val", "test", "test", "train"]
    assert [label for _, label in known.values()] == ["a", "b", "a", "b", "a", "a"]
    plain = told(read(flat, labels=written.replace("split", "set").replace("train", "x").replace("test", "y")))
    assert {split for split, _ in plain.values()} == {"train", "val"}


def test_the_names_of_tables_tell_the_split_where_no_folder_does():
    flat = " ".join(f"images/{i}.png" for i in range(6))
    known = told(read(flat, train="id,label|0,a|1,b|2,a|3,b", test="id,label|4,a|5,b"))
    assert [split for split, _ in known.values()] == ["train"] * 4 + ["test"] * 2
    assert {split for split, _ in told(read(flat, test="id,label|4,a|5,b")).values()} == {"train"}
