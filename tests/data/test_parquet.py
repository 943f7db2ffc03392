"""Parquet: which columns are read, as what, in which order, and how little a small file may cost."""

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from semidml.data import decoded
from semidml.data.choices import Choices
from semidml.data.formats import parquet
from semidml.data.look import look
from semidml.data.reading import open_reading
from tests.data.test_formats import N, expected, labels, load, pixels, png, rows

CELLS = [{"bytes": png(Image.fromarray(image)), "path": None} for image in pixels()]


def write(path, group=5, images=CELLS, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table({"image": images, **columns}), path, row_group_size=group)
    return path


NAMED = [("cat", "dog", "cow")[label] for label in labels()]
COLUMNS = {
    "floats": [float(label) for label in labels()],
    "floats of which some lack": [None if row < 4 else float(label) for row, label in enumerate(labels())],
    "-100": [-100 if row < 4 else label for row, label in enumerate(labels())],
    "NaN": [np.nan if row < 4 else float(label) for row, label in enumerate(labels())],
    "true and false": [bool(label) for label in labels()],
    "categories": pyarrow.array(pandas.Categorical(NAMED)),
    "large text": pyarrow.array(NAMED, pyarrow.large_string()),
    "text of which some says none": ["unlabeled" if row < 4 else name for row, name in enumerate(NAMED)],
}


@pytest.mark.parametrize(
    "kind, name", [*((kind, "label") for kind in COLUMNS), *((kind, "digit") for kind in list(COLUMNS)[:5])]
)
def test_labels_of_every_type_are_read(tmp_path, folder, kind, name):
    data = load(write(tmp_path / "x.parquet", **{name: COLUMNS[kind]}), folder)
    given = labels()
    if kind == "true and false":
        names, given = ("0", "1"), given.astype(bool)
    elif kind in ("categories", "large text", "text of which some says none"):
        names, given = ("cat", "cow", "dog"), np.array([0, 2, 1])[given]
    else:
        names = ("0", "1", "2")
    if "some" in kind or kind in ("NaN", "-100"):
        given = [-1 if row < 4 else label for row, label in enumerate(given)]
    assert data.class_names == names and rows(data.train, data.test) == expected(pixels(), given)


def test_fractions_are_no_labels(tmp_path, folder):
    fractions = np.linspace(0.1, 0.9, N)
    with pytest.raises(ValueError, match=r"the labels of x\.parquet must be whole numbers or text, one a class; got"):
        load(write(tmp_path / "x.parquet", label=fractions), folder)
    assert load(write(tmp_path / "y.parquet", height=fractions), folder).class_names == ()


def test_a_column_tells_the_split_of_each_row(tmp_path, folder):
    split = ["train", "train", "test", "validation"] * 6
    data = load(write(tmp_path / "train.parquet", label=labels(), split=split), folder)
    for part, first in ((data.test, 2), (data.validation, 3)):
        assert rows(part) == expected(pixels()[first::4], labels()[first::4])
    assert len(data.train.labels) == 12


def test_test_rows_whose_labels_are_held_back_are_of_training(tmp_path, folder):
    write(tmp_path / "set" / "train.parquet", images=CELLS[:16], label=labels()[:16])
    write(tmp_path / "set" / "test.parquet", images=CELLS[16:], label=np.full(8, -1))
    data = load(tmp_path / "set", folder)
    assert (data.train.labels < 0).sum() == 8 and (data.test.labels >= 0).all()
    assert any(note.startswith("8 test images were read as images without a label") for note in data.notes)


def test_rows_of_nothing_are_counted_before_they_are_read(tmp_path, folder, monkeypatch):
    nothing = pyarrow.nulls(N, pyarrow.binary())
    path = write(tmp_path / "x.parquet", images=nothing)
    monkeypatch.setattr(parquet, "MAX_FILES", N - 1)
    monkeypatch.setattr(parquet, "_values", lambda file, column: pytest.fail("values were read"))
    with pytest.raises(ValueError, match=f"promises {N} rows"):
        look(str(path), Choices(), folder)


def test_what_a_dictionary_spares_does_not_fill_the_memory(tmp_path, monkeypatch):
    """A thousand rows of one megabyte are a file of a few."""
    write(tmp_path / "x.parquet", images=[bytes(1 << 20)] * 1000, group=1000, label=["x" * (1 << 20)] * 1000)
    monkeypatch.setattr(parquet, "MAX_PIECE", 8 << 20)
    before = pyarrow.total_allocated_bytes()
    with open_reading(tmp_path / "x.parquet", Choices()) as content:
        assert len({id(item.class_name) for item in content.items}) == 1
        most = 0
        for item in content.items[:20]:
            assert len(item.member.open().read()) == 1 << 20
            most = max(most, pyarrow.total_allocated_bytes() - before)
    assert most < 64 << 20


@pytest.mark.parametrize("large", [False, True])
def test_each_group_of_rows_is_read_a_few_times_however_classes_lie(tmp_path, folder, monkeypatch, large):
    """Class after class, each group was read once a class."""
    monkeypatch.setattr(decoded, "LARGE", 0 if large else 1 << 30)
    path, groups = write(tmp_path / "x.parquet", group=3, label=labels()), []
    plain = pyarrow.parquet.ParquetFile.iter_batches

    def counted(self, *args, **more):
        groups.extend(more["row_groups"])
        return plain(self, *args, **more)

    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", counted)
    data = load(path, folder)
    assert rows(data.train, data.test) == expected(pixels(), labels())
    assert len(groups) <= 3 * (N // 3), "its headers, its bytes, its pixels"


def test_rows_close_up_over_those_that_turn_out_to_be_damaged(tmp_path, folder, monkeypatch):
    """Each row is written to its place before it is known that one before it cannot be read."""
    monkeypatch.setattr(decoded, "LARGE", 0)
    monkeypatch.setattr(decoded, "CHUNK", 100)
    broken = (0, 7, 8, 23)
    images = [{"bytes": cell["bytes"][:60] if row in broken else cell["bytes"]} for row, cell in enumerate(CELLS)]
    data = load(write(tmp_path / "x.parquet", images=images, label=labels()), folder)
    left = [row for row in range(N) if row not in broken]
    assert rows(data.train, data.test) == expected(pixels()[left], labels()[left])
    halves = data.by_classes()
    assert set(halves.train.labels.tolist()) == {0} and set(halves.test.labels.tolist()) == {1, 2}
    assert rows(halves.train, halves.test) == rows(data.train, data.test)
    assert any("4 of 24 files could not be read" in note for note in data.notes)
