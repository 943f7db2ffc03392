"""Formats besides folders of images, and pixels of other kinds: read as they are meant, or refused with what to do."""

import bz2
import csv
import gzip
import io
import json
import lzma
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import scipy.io
from PIL import Image, ImageCms

from semidml import cli
from semidml.data import DATASETS, decoded, find_entry, images, npz, reading, store, uploads
from semidml.data.choices import Choices, file_for, keep_choices, parse_choices
from semidml.data.label_values import read_labels
from semidml.data.look import look
from semidml.data.values import as_bytes, understand_range

N = 24


def pixels(n=N, side=8) -> np.ndarray:
    """Grey images (n, side, side), all different, from black to white."""
    values = np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8)
    values[:, 0, 0], values[:, 0, 1] = 0, 255
    return values


def labels(n=N) -> np.ndarray:
    return np.arange(n) % 3


def load(path, folder):
    return store.load(str(path), allow_paths=True, folder=folder)


def rows(*splits) -> list[tuple[bytes, int]]:
    return sorted((x.numpy().tobytes(), int(y)) for split in splits for x, y in zip(*split, strict=True))


def expected(values: np.ndarray, numbers) -> list[tuple[bytes, int]]:
    return sorted((row.tobytes(), int(y)) for row, y in zip(values, numbers, strict=True))


def saved(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def png(image: Image.Image, kind="PNG", **more) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **more)
    return file.getvalue()


def put(top: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        place = top / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return top


# ---- numpy


NAMES = [
    ("X", "y"),
    ("images", "labels"),
    ("data", "target"),
    ("train_x", "train_y"),
    ("Xtr", "ytr"),
    ("arr_0", "arr_1"),
]
NAMES += [("x_train", "y_train"), ("train_data", "train_targets"), ("trainX", "trainY"), ("features", "class")]


@pytest.mark.parametrize("images, classes", NAMES)
def test_arrays_are_known_by_any_usual_names(tmp_path, folder, images, classes):
    data = load(saved(tmp_path / "x.npz", **{images: pixels(), classes: labels()}), folder)
    assert rows(data.train, data.test) == expected(pixels(), labels())


ARRAYS = {
    "from 0 to 1": lambda x: (x / 255).astype(np.float32),
    "from -1 to 1": lambda x: x / 127.5 - 1,
    "floats to 255": lambda x: x.astype(float),
    "16 bits, all": lambda x: x.astype(np.uint16) * 257,
    "16 bits, 10 used": lambda x: x.astype(np.uint16) * 4,
    "16 bits, 8 used": lambda x: x.astype(np.uint16),
    "int64": lambda x: x.astype(np.int64),
    "below zero": lambda x: x.astype(np.int16) * 8 - 1000,
    "one more axis": lambda x: x[..., None],
    "channels first": lambda x: x[:, None],
    "flat": lambda x: x.reshape(len(x), -1),
    "rows last": lambda x: np.moveaxis(x, 0, -1),
    "opaque": lambda x: np.stack([x, x, x, np.full_like(x, 255)], -1),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_numbers_and_axes_are_read_as_they_are_meant(tmp_path, folder, kind):
    data = load(saved(tmp_path / "x.npz", train_images=ARRAYS[kind](pixels()), train_labels=labels()), folder)
    grey = [split._replace(images=split.images[:, :1]) for split in (data.train, data.test)]
    assert rows(*grey) == expected(pixels(), labels())


def test_true_and_false_are_white_and_black_and_colours_of_rows_are_found(tmp_path, folder):
    bits = pixels() > 127
    data = load(saved(tmp_path / "bits.npz", X=bits, y=labels()), folder)
    assert rows(data.train, data.test) == expected(bits * np.uint8(255), labels())
    colour = np.random.default_rng(0).integers(0, 256, (N, 3, 8, 8), dtype=np.uint8)
    data = load(saved(tmp_path / "cifar.npz", data=colour.reshape(N, -1), labels=labels()), folder)
    assert rows(data.train, data.test) == expected(colour, labels())


def test_bytes_of_0_and_1_are_black_and_white(tmp_path, folder):
    bits = (pixels() > 127).astype(np.uint8)
    data = load(saved(tmp_path / "bits.npz", train_images=bits, train_labels=labels()), folder)
    assert rows(data.train, data.test) == expected(bits * 255, labels())
    assert "Pixels are 0 or 1: black or white." in data.notes


@pytest.mark.parametrize("kind", ["arrays", "turned arrays", "files"])
@pytest.mark.parametrize("bits", [1, 2])
def test_bytes_of_0_and_1_are_black_and_white_however_large_the_set(tmp_path, folder, monkeypatch, kind, bits):
    values, read = pixels() % (2 * bits), []
    if kind == "files":
        path = put(tmp_path / "set", {f"{y}/{i}.png": png(Image.fromarray(values[i])) for i, y in enumerate(labels())})
    else:
        order = np.asfortranarray if kind == "turned arrays" else np.ascontiguousarray
        path = saved(tmp_path / "x.npz", train_images=order(values), train_labels=labels())
    for large in (False, True):
        monkeypatch.setattr(decoded, "LARGE", 0 if large else 1 << 30)
        store.kept.clear()
        read.append(load(path, folder))
    small, large = read
    assert set(small.train.images.unique().tolist()) == ({0, 255} if bits == 1 else {0, 1, 2, 3})
    assert rows(small.train, small.test) == rows(large.train, large.test)
    assert kind == "files" or small.pixels == large.pixels
    assert [note for note in small.notes if "0 and 1" in note] == [note for note in large.notes if "0 and 1" in note]


def test_images_without_a_label_in_arrays_of_their_own_are_of_training(tmp_path, folder):
    given = {"unlabeled_images": 255 - pixels()[:9], "X_test": pixels()[:5] // 2}
    data = load(saved(tmp_path / "x.npz", X_train=pixels(), y_train=labels(), **given), folder)
    assert (data.train.labels == -1).sum() == 14 and (data.test.labels >= 0).all()
    unlabelled = [(x, y) for x, y in rows(data.train) if y == -1]
    both = np.concatenate([255 - pixels()[:9], pixels()[:5] // 2])
    assert unlabelled == expected(both, [-1] * 14)
    assert [note[:16] for note in data.notes[:2]] == ["5 test images we", "9 further images"]


FINE, COARSE = labels(), labels() // 2
TESTED = {
    "y_fine_test": (FINE, ("y_coarse_test", "y_fine_test")),
    "coarse alone": (None, ("y_coarse_test",)),
    "others": (None, ("labels_a_test", "labels_b_test")),
}


@pytest.mark.parametrize("case", TESTED)
@pytest.mark.parametrize("choice", ["", "y_fine_train"])
def test_the_labels_of_a_test_are_those_that_training_learns(tmp_path, folder, case, choice):
    """CIFAR-100's fine labels of training were read beside coarse ones of the test."""
    given, names = TESTED[case]
    known = {"y_fine_train": FINE[:16], "y_coarse_train": COARSE[:16]}
    known |= {name: (FINE if "fine" in name else COARSE)[16:] for name in names}
    path = saved(tmp_path / "x.npz", x_train=pixels()[:16], x_test=pixels()[16:], **known)
    keep_choices(file_for(folder, path), Choices(label=choice))
    data = load(path, folder)
    if given is None:
        assert (data.train.labels < 0).sum() == 8 and set(data.class_names) == {"0", "1", "2"}
        told = "The test images are read without a label: none of"
        assert any(note.startswith(told) and "called as y_fine_train" in note for note in data.notes)
    else:
        assert data.test.labels.tolist() == FINE[16:].tolist()


def test_the_images_of_a_test_are_of_the_set_that_training_sees(tmp_path, folder):
    more = {"x_small_train": pixels()[:16, ::2, ::2], "x_small_test": pixels()[16:, ::2, ::2]}
    more |= {"x_a_train": pixels()[:16], "x_a_test": pixels()[16:], "y_train": FINE[:16], "y_test": FINE[16:]}
    path = saved(tmp_path / "x.npz", **more)
    keep_choices(file_for(folder, path), Choices(images="x_a_train"))
    data = load(path, folder)
    assert rows(data.train, data.test) == expected(pixels(), FINE) and data.shape == (1, 8, 8)


def test_one_hot_labels_names_and_what_is_neither(tmp_path, folder):
    one_hot = np.eye(3)[labels()]
    one_hot[:4] = 0
    names, extra = np.array(["a", "b", "c"]), np.zeros(5)
    data = load(saved(tmp_path / "x.npz", X=pixels(), y=one_hot, class_names=names, extra=extra), folder)
    given = np.where(np.arange(N) < 4, -1, labels())
    assert data.class_names == ("a", "b", "c") and rows(data.train, data.test) == expected(pixels(), given)
    assert any("extra (neither images nor labels)" in note for note in data.notes)


@pytest.mark.parametrize(
    "written, classes, given",
    [
        (np.array([0.0, np.nan, 2.0, 0.0]), ("0", "2"), [0, -1, 1, 0]),
        (np.array(["cat", "", "dog", "cat"]), ("cat", "dog"), [0, -1, 1, 0]),
        (np.array([7, -1, 10, 7]), ("7", "10"), [0, -1, 1, 0]),
        (np.array([-1, 1, 1, -1]), ("-1", "1"), [0, 1, 1, 0]),
        (np.array([True, False, True, True]), ("0", "1"), [1, 0, 1, 1]),
    ],
)
def test_what_is_no_label(written, classes, given):
    known = read_labels({"train": written}, None, Choices())
    assert known.splits["train"].tolist() == given
    assert known.class_names == classes or known.class_names == ("False", "True")


def test_255_on_most_rows_of_one_split_is_asked_about():
    """A large test with labels must not hide it."""
    trained = np.where(np.arange(400) < 360, 255, np.arange(400) % 3)
    known = read_labels({"train": trained, "test": np.arange(400) % 3}, None, Choices())
    assert [question.key for question in known.questions] == ["no_label"]
    assert known.questions[0].text.startswith("360 of 400 training rows have the label 255.")
    every = read_labels({"train": trained, "test": trained}, None, Choices())
    assert every.questions[0].text.startswith("720 of 800 rows have the label 255.")
    assert not read_labels({"train": np.arange(256), "test": np.arange(256)}, None, Choices()).questions


def test_minus_100_is_no_label_as_pytorch_has_it_and_can_be_said_to_be():
    labels = np.array([0, -100, 1, -1])
    known = read_labels({"train": labels}, None, Choices())
    assert known.splits["train"].tolist() == [0, -1, 1, -1] and "1 rows have the label -100" in known.notes[0]
    said = read_labels({"train": labels}, None, Choices(no_label="-100"))
    assert said.class_names == ("-1", "0", "1") and said.splits["train"].tolist() == [1, -1, 2, 0]
    other = Choices(no_label="-1,-9")
    assert read_labels({"train": np.array([0, -9, 1])}, None, other).splits["train"].tolist() == [0, -1, 1]
    with pytest.raises(ValueError, match="has -9 in row 1"):
        read_labels({"train": np.array([0, -9, 1])}, None, Choices())


def test_labels_that_count_from_one_are_those_of_as_many_class_names():
    known = read_labels({"train": np.array([3, 1, -1]), "test": np.array([2])}, ["a", "b", "c"], Choices())
    assert known.splits["train"].tolist() == [2, 0, -1] and known.splits["test"].tolist() == [1]
    assert known.notes == ("Labels count from 1 to 3, as many as there are class_names: 1 is a.",)
    for labels in ([0, 3], [1, 4]):
        with pytest.raises(ValueError, match="labels must be 0 to 2"):
            read_labels({"train": np.array(labels)}, ["a", "b", "c"], Choices())


@pytest.mark.parametrize("word", ["-1", "-100", "unlabeled", "None", "NA", "n/a", "null", "NULL", "?", "not labelled"])
@pytest.mark.parametrize("form", ["U", "S"])
def test_text_that_says_so_is_no_label_and_that_is_said(word, form):
    written = {"train": np.array(["cat", word, "dog", f" {word} ", "unsupported"], form)}
    known = read_labels(written, None, Choices())
    assert known.class_names == ("cat", "dog", "unsupported")
    assert known.splits["train"].tolist() == [0, -1, 1, -1, 2]
    assert [f"2 rows have the label {word!r}" in note for note in known.notes] == [True] * (word != "-1")
    as_class = read_labels(written, None, Choices(no_label="nan"))
    assert word in as_class.class_names and (as_class.splits["train"] >= 0).all()
    named = read_labels(written, ["cat", "dog", word, "unsupported"], Choices())
    assert named.splits["train"].tolist() == [0, 2, 1, 2, 3]


def test_what_is_chosen_for_no_label_may_be_text_where_labels_of_a_split_are_numbers():
    written = {"train": np.array(["1", "unlabeled"]), "test": np.array([1, 2])}
    known = read_labels(written, None, Choices(no_label="unlabeled"))
    assert known.class_names == ("1", "2") and known.splits["train"].tolist() == [0, -1]


def test_text_of_minus_one_and_one_is_asked_as_numbers_are():
    known = read_labels({"train": np.array(["-1", "1", "1"])}, None, Choices())
    assert known.class_names == ("-1", "1") and [question.key for question in known.questions] == ["no_label"]
    assert read_labels({"train": np.array([b"\xff", b"a"])}, None, Choices()).class_names == ("\\xff", "a")


def test_text_labels_take_little_more_memory_than_the_array(monkeypatch):
    written = np.array(["a" * 100, "b", "c", "-1"] * 50_000, "S200")
    tracemalloc.start()
    read_labels({"train": written}, None, Choices())
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2.5 * written.nbytes
    with pytest.raises(ValueError, match="the train labels have up to 100,000 letters; labels of at most 200"):
        read_labels({"train": np.zeros(40, "S100000")}, None, Choices())


def test_a_table_with_a_label_as_long_as_a_book_is_refused_before_each_row_takes_its_room(tmp_path, folder):
    files = {f"{i}.png": png(Image.fromarray(x)) for i, x in enumerate(pixels())}
    files["labels.csv"] = b"id,label\n" + b"".join(b"%d,a\n" % i for i in range(23)) + b"23," + b"x" * 5000 + b"\n"
    with pytest.raises(ValueError, match="the labels of the table have up to 5,000 letters"):
        load(put(tmp_path / "set", files), folder)


@pytest.mark.parametrize(
    "written, words",
    [
        (np.array([0.5, 1.0]), "whole numbers"),
        (np.array([1e300, 1.0]), "whole numbers"),
        (np.array([2**63, 1], dtype=np.uint64), "has 9223372036854775808 in row 0"),
        (np.array([1 + 2j, 1]), "must be whole numbers or text"),
        (np.zeros((2, 2, 2)), "one label an image"),
    ],
)
def test_what_are_no_labels_at_all(written, words):
    with pytest.raises(ValueError, match=words):
        read_labels({"train": written}, None, Choices())


def test_an_array_larger_than_what_is_read_is_refused_by_its_header(tmp_path, folder, monkeypatch):
    from semidml.data import formats
    from semidml.data.formats import numpy_files

    monkeypatch.setattr(formats, "MAX_BYTES", 1000)
    monkeypatch.setattr(numpy_files, "_load", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match=r"unpacks to .* GiB"):
        load(saved(tmp_path / "x.npz", X=pixels(), y=labels()), folder)


# ---- tables


def test_a_table_of_pixels_looks_at_nothing_beside_it(tmp_path, folder, monkeypatch):
    """As FER-2013's does, whose column Usage is text."""
    place = tmp_path / "home"
    place.mkdir()
    (place / "link").symlink_to(tmp_path)
    with (place / "fer.csv").open("w", newline="") as file:
        rows_of = [[y, " ".join(map(str, x.ravel())), "Training"] for x, y in zip(pixels(), labels(), strict=True)]
        csv.writer(file).writerows([["emotion", "pixels", "Usage"], *rows_of])
    with monkeypatch.context() as patch:
        patch.setattr(reading.os, "walk", lambda *_: pytest.fail("it looked beside the table"))
        data = load(place / "fer.csv", folder)
    assert rows(data.train, data.test) == expected(pixels(), labels())


def test_a_table_of_files_reads_those_beside_it_and_leaves_out_links(tmp_path, folder):
    place = tmp_path / "set"
    (place / "pictures").mkdir(parents=True)
    for row, image in enumerate(pixels()):
        (place / "pictures" / f"{row}.png").write_bytes(png(Image.fromarray(image)))
    (tmp_path / "secret.png").write_bytes(png(Image.fromarray(pixels()[0])))
    (place / "linked.png").symlink_to(tmp_path / "secret.png")
    (place / "up").symlink_to(tmp_path)
    (place / ".hidden").mkdir()
    (place / ".hidden" / "x.png").write_bytes(b"x")
    with (place / "train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "label"], *enumerate(f"k{label}" for label in labels())])
    data = load(place / "train.csv", folder)
    assert rows(data.train, data.test) == expected(pixels(), labels())


@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("corner", ["any", "black"])
def test_a_csv_without_a_head_has_its_label_first_or_last_and_it_is_asked(tmp_path, folder, place, corner):
    images = pixels().copy()
    images[:, 0, 0] = np.arange(N) * 10
    if corner == "black":
        images[:, 0, 0] = images[:, -1, -1] = 0  # as of MNIST: a single number, but no label
    table = [[y, *x.ravel()] if place == "first" else [*x.ravel(), y] for x, y in zip(images, labels(), strict=True)]
    with (tmp_path / "bare.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    data = load(tmp_path / "bare.csv", folder)
    assert rows(data.train, data.test) == expected(images, labels())
    (asked,) = look(str(tmp_path / "bare.csv"), folder=folder).questions
    assert (asked.key, asked.options, asked.default) == ("label", ("f0", "f64"), "f0" if place == "first" else "f64")
    other = look(str(tmp_path / "bare.csv"), Choices(label="f64" if place == "first" else "f0"), folder)
    assert other.classes != data.class_names


def test_a_csv_without_a_head_and_one_with_fractions(tmp_path, folder):
    with (tmp_path / "bare.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[y, *x.ravel()] for x, y in zip(pixels(), labels(), strict=True)])
    data = load(tmp_path / "bare.csv", folder)
    assert rows(data.train, data.test) == expected(pixels(), labels())
    with (tmp_path / "parts.csv").open("w", newline="") as file:
        head = [f"p{i}" for i in range(64)]
        csv.writer(file).writerows([[*head, "class"]])
        csv.writer(file).writerows([[*(x.ravel() / 255), f"k{y}"] for x, y in zip(pixels(), labels(), strict=True)])
    data = load(tmp_path / "parts.csv", folder)
    assert data.class_names == ("k0", "k1", "k2") and rows(data.train, data.test) == expected(pixels(), labels())


def test_a_csv_with_pixels_in_one_column_and_a_split_in_another(tmp_path, folder):
    use = ["Training"] * 18 + ["PublicTest"] * 6
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerow(["emotion", "pixels", "Usage"])
        every = zip(labels(), pixels(), use, strict=True)
        csv.writer(file).writerows([[y, " ".join(map(str, x.ravel())), part] for y, x, part in every])
    data = load(tmp_path / "faces.csv", folder)
    assert rows(data.train) == expected(pixels()[:18], labels()[:18])
    assert rows(data.test) == expected(pixels()[18:], labels()[18:])


@pytest.mark.parametrize("suffix", ["", ".png"])
@pytest.mark.parametrize("way", ["folder", "file", "zip"])
def test_a_csv_of_files_and_labels(tmp_path, folder, suffix, way):
    files = {f"images/{i}.png": png(Image.fromarray(x)) for i, x in enumerate(pixels())}
    lines = ["id,breed", *(f"{i}{suffix},{'abc'[y]}" for i, y in enumerate(labels()[:20]))]
    files["labels.csv"] = "\n".join(lines).encode()
    top = put(tmp_path / "set", files)
    place = top / "labels.csv" if way == "file" else top
    if way == "zip":
        place = tmp_path / "set.zip"
        with zipfile.ZipFile(place, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    data = load(place, folder)
    given = [*labels()[:20], -1, -1, -1, -1]
    assert data.class_names == ("a", "b", "c") and rows(data.train, data.test) == expected(pixels(), given)


def test_of_several_tables_the_one_to_be_filled_in_does_not_count(tmp_path, folder):
    files = {f"train/t{i}.png": png(Image.fromarray(x)) for i, x in enumerate(pixels()[:16])}
    files |= {f"test/s{i}.png": png(Image.fromarray(x)) for i, x in enumerate(pixels()[16:])}
    files["sample_submission.csv"] = b"image_id,kind\n" + b"".join(b"s%d,0\n" % i for i in range(8))
    files["train.csv"] = b"image_id,kind\n" + b"".join(b"t%d,%d\n" % (i, i % 4 - 1) for i in range(16))
    data = load(put(tmp_path / "set", files), folder)
    assert data.class_names == ("0", "1", "2")
    given = [i % 4 - 1 for i in range(16)] + [-1] * 8
    assert rows(data.train, data.test) == expected(pixels(), given)
    assert data.notes[0] == "The labels of 12 images are those of train.csv." and "8 test images" in data.notes[1]


def parquet(path: Path, which: slice, hub: bool = True) -> None:
    """A Parquet file as the hub writes image sets."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"bytes": png(Image.fromarray(x)), "path": None} for x in pixels()[which]]
    table = pyarrow.table({"image": cells, "label": labels()[which].tolist()})
    features = {"info": {"features": {"image": {"_type": "Image"}, "label": {"names": ["z", "m", "a"]}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)} if hub else None)
    pyarrow.parquet.write_table(table, path, row_group_size=5)


def test_parquet_as_the_hub_writes_it(tmp_path, folder):
    parquet(tmp_path / "set" / "data" / "train-00000-of-00001.parquet", slice(0, 18))
    parquet(tmp_path / "set" / "data" / "test-00000-of-00001.parquet", slice(18, N))
    data = load(tmp_path / "set", folder)
    assert data.class_names == ("z", "m", "a"), "in the order of the hub"
    assert rows(data.train) == expected(pixels()[:18], labels()[:18])
    assert rows(data.test) == expected(pixels()[18:], labels()[18:])
    parquet(tmp_path / "plain.parquet", slice(0, N), hub=False)
    assert load(tmp_path / "plain.parquet", folder).class_names == ("0", "1", "2")


# ---- IDX and MATLAB


def idx(values: np.ndarray, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, kind, values.ndim, *values.shape) + values.tobytes()


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_by_their_usual_names(tmp_path, folder, packed):
    files = {
        f"{split}-{part}-idx{axes}-ubyte": idx(values[which].astype(np.uint8))
        for split, which in (("train", slice(0, 18)), ("t10k", slice(18, N)))
        for part, axes, values in (("images", 3, pixels()), ("labels", 1, labels()))
    }
    files = {f"{name}.gz": gzip.compress(content) for name, content in files.items()} if packed else files
    put(tmp_path / "raw", files)
    for place in (tmp_path / "raw", tmp_path / "raw" / next(iter(files))):
        data = load(place, folder)
        assert rows(data.train) == expected(pixels()[:18], labels()[:18]) and len(data.test.labels) == 6


def test_an_idx_file_that_promises_what_it_has_not_is_refused(tmp_path, folder):
    put(tmp_path, {"train-images-idx3-ubyte": struct.pack(">HBB3I", 0, 8, 3, 4_000_000, 28, 28)})
    with pytest.raises(ValueError, match=r"unpacks to 2\.9 GiB"):
        load(tmp_path / "train-images-idx3-ubyte", folder)
    put(tmp_path, {"train-images-idx3-ubyte": struct.pack(">HBB3I", 0, 8, 3, 400, 28, 28)})
    with pytest.raises(ValueError, match="promises 313,600 bytes and has 0"):
        load(tmp_path / "train-images-idx3-ubyte", folder)


def test_matlab_files_of_svhn_s_kind(tmp_path, folder):
    colour = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
    (tmp_path / "set").mkdir()
    for split, which in (("train", slice(0, 18)), ("test", slice(18, N))):
        known = {"X": np.moveaxis(colour[which], 0, -1), "y": labels()[which][:, None] + 1, "meta": {"a": 1}}
        scipy.io.savemat(tmp_path / "set" / f"{split}_32x32.mat", known, do_compression=True)
    data = load(tmp_path / "set", folder)
    assert data.class_names == ("1", "2", "3")
    assert rows(data.train) == expected(colour[:18].transpose(0, 3, 1, 2), labels()[:18])
    assert any("train_32x32.mat: meta (no array of numbers)" in note for note in data.notes)


def test_a_matlab_file_that_unpacks_to_too_much_is_refused(tmp_path, folder, monkeypatch):
    from semidml.data.formats import matlab

    scipy.io.savemat(tmp_path / "x.mat", {"X": np.zeros((64, 64, 64)), "y": np.zeros(64)}, do_compression=True)
    monkeypatch.setattr(matlab, "MAX_BYTES", 1 << 16)
    monkeypatch.setattr("semidml.data.formats.MAX_BYTES", 1 << 16)
    with pytest.raises(ValueError, match="unpacks to"):
        load(tmp_path / "x.mat", folder)


# ---- what is refused


@pytest.mark.parametrize("name", ["data_batch_1", "train.pkl", "model.pt"])
def test_a_pickle_is_refused_with_the_two_lines_that_convert_it(tmp_path, folder, name):
    place = put(tmp_path / "set", {name: pickle.dumps({"data": 1})})
    for path in (place / name, place):
        with pytest.raises(ValueError, match=r"is a pickle, which could run code(.|\n)*load\((.|\n)*numpy\.savez"):
            load(path, folder)


@pytest.mark.parametrize(
    "name, pack",
    [
        ("set.tar.xz", lzma.compress),
        ("set.tar.bz2", bz2.compress),
        ("labels.csv.gz", gzip.compress),
        ("x", gzip.compress),
    ],
)
def test_what_is_packed_otherwise_is_refused_with_what_to_do(tmp_path, folder, name, pack):
    (tmp_path / name).write_bytes(pack(b"label,pixels\n" * 1000))
    with pytest.raises(ValueError, match=rf"{name} is packed by (xz|bzip2|gzip): unpack it first"):
        load(tmp_path / name, folder)
    with pytest.raises(ValueError, match="unpack it first"):
        uploads.save_upload("mine", (tmp_path / name).read_bytes(), name, folder)


def test_a_torch_file_that_is_a_zip_is_refused_as_a_pickle(tmp_path, folder):
    import torch

    torch.save({"images": torch.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match=r"x\.pt is a pickle.*\n  data = torch\.load\('x\.pt'\)"):
        load(tmp_path / "x.pt", folder)


# ---- pixels


def two_classes(make) -> dict[str, bytes]:
    return {f"{'ab'[i % 2]}/{i}.x": make(x) for i, x in enumerate(pixels(8))}


def grey(*splits) -> list[bytes]:
    return sorted(x.tobytes() for split in splits for x in split.images[:, 0].numpy())


def exif_turned(kind: str):
    def make(x: np.ndarray) -> bytes:
        exif = Image.Exif()
        exif[0x0112] = 6
        more = {"lossless": True} if kind == "WEBP" else {}
        return png(Image.fromarray(x).convert("RGB").transpose(Image.Transpose.ROTATE_90), kind, exif=exif, **more)

    return make


def white_strokes(x: np.ndarray) -> bytes:
    return png(Image.merge("LA", (Image.new("L", x.shape, 255), Image.fromarray(x))))


KINDS = {
    "EXIF in PNG": exif_turned("PNG"),
    "EXIF in WebP": exif_turned("WEBP"),
    "EXIF in TIFF": exif_turned("TIFF"),
    "12 bits in TIFF": lambda x: png(Image.fromarray(x.astype(np.uint16) * 16), "TIFF"),
    "10 bits in PNG": lambda x: png(Image.fromarray(x.astype(np.uint16) * 4)),
    "32 bits": lambda x: png(Image.fromarray(x.astype(np.int32) * 1000), "TIFF"),
    "floats": lambda x: png(Image.fromarray((x / 255).astype(np.float32)), "TIFF"),
    "CMYK": lambda x: png(Image.merge("CMYK", (*[Image.fromarray(255 - x)] * 3, Image.new("L", x.shape, 0))), "TIFF"),
    "palette": lambda x: png(Image.fromarray(x).convert("P")),
    "white on clear": white_strokes,
}


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_of_many_kinds_are_seen_as_they_are(tmp_path, folder, kind):
    data = load(put(tmp_path / "set", two_classes(KINDS[kind])), folder)
    assert grey(data.train, data.test) == sorted(x.tobytes() for x in pixels(8))


def deep_png(values: np.ndarray) -> bytes:
    """A .png of 16 bits a colour, (H, W, 2, 3 or 4), which Pillow does not write."""
    height, width, bands = values.shape
    kind = {2: 4, 3: 2, 4: 6}[bands]
    rows_of = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    parts = [b"IHDR" + head, b"IDAT" + zlib.compress(rows_of), b"IEND"]
    chunks = (struct.pack(">I", len(p) - 4) + p + struct.pack(">I", zlib.crc32(p)) for p in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("opaque", [False, True])
def test_16_bits_a_colour_are_read_in_the_range_of_the_set(tmp_path, folder, bits, opaque):
    def make(x: np.ndarray) -> bytes:
        values = np.repeat(x[..., None], 3, 2).astype(np.uint16) * {8: 1, 10: 4, 12: 16, 16: 257}[bits]
        return deep_png(np.concatenate([values, np.full_like(values[..., :1], 65535)], 2) if opaque else values)

    data = load(put(tmp_path / "set", two_classes(make)), folder)
    assert data.shape == (3, 8, 8) and grey(data.train, data.test) == sorted(x.tobytes() for x in pixels(8))


def test_one_bit_and_lab_are_seen_as_they_are(tmp_path, folder):
    bits = load(put(tmp_path / "bits", two_classes(lambda x: png(Image.fromarray(x > 127)))), folder)
    assert grey(bits.train, bits.test) == sorted(((x > 127) * np.uint8(255)).tobytes() for x in pixels(8))
    lab = ImageCms.createProfile("LAB")

    def in_lab(x: np.ndarray) -> bytes:
        colour = Image.fromarray(x).convert("RGB")
        return png(ImageCms.profileToProfile(colour, ImageCms.createProfile("sRGB"), lab, outputMode="LAB"), "TIFF")

    data = load(put(tmp_path / "lab", two_classes(in_lab)), folder)
    shown = np.stack([np.frombuffer(row, np.uint8) for row in grey(data.train, data.test)]).astype(int)
    truth = np.stack([np.frombuffer(x.tobytes(), np.uint8) for x in sorted(pixels(8), key=lambda x: x.tobytes())])
    assert np.abs(np.sort(shown.ravel()) - np.sort(truth.ravel())).max() < 8


def test_black_and_white_strokes_on_transparency_in_one_set_lie_on_one_ground(tmp_path, folder):
    def strokes(x: np.ndarray) -> bytes:
        ink = 255 if x.sum() % 2 else 0
        return png(Image.merge("LA", (Image.new("L", x.shape, ink), Image.fromarray(x))))

    data = load(put(tmp_path / "set", two_classes(strokes)), folder)
    assert any("made grey in all images" in note for note in data.notes)
    assert all(x.float().std() > 20 for split in (data.train, data.test) for x in split.images)


@pytest.mark.parametrize(
    "low, high, whole, ends",
    [
        *((0, 255, True, (0, 255)), (0, 200, True, (0, 255)), (0, 16, True, (0, 16)), (0, 65000, True, (0, 65535))),
        *((300, 4000, True, (300, 4000)), (0, 1, False, (0, 1)), (-1, 1, False, (-1, 1)), (-3.5, 9, False, (-3.5, 9))),
    ],
)
def test_the_range_that_numbers_are_read_in(low, high, whole, ends):
    assert tuple(understand_range(low, high, whole)[0]) == ends
    most = 65535 if whole and high > 255 else 255
    assert tuple(understand_range(low, high, whole, "as they are")[0]) == (0, most)
    assert tuple(understand_range(low, high, whole, "stretched")[0]) == (low, high)


def test_what_is_no_number_is_black():
    given = np.array([[0.0, np.nan, np.inf, 1.0]])
    assert as_bytes(given, understand_range(0, 1, False)[0]).tolist() == [[0, 0, 255, 255]]


# ---- choices, uploads, sizes


def test_choices_for_a_path_are_kept_in_the_data_folder_and_read_again(tmp_path, folder, monkeypatch, capsys):
    monkeypatch.setenv("SEMIDML_DATA", str(folder))
    files = {f"{top}/{c}/{i}.png": png(Image.fromarray(pixels()[i])) for top in "xy" for i, c in enumerate("pqpq")}
    top = put(tmp_path / "set", files)
    before = sorted(tmp_path.rglob("*"))
    assert load(top, folder).class_names == ("x", "y")
    assert cli.main(["data", "look", str(top), "level=2", "--keep"]) == 0
    assert "2 classes: p (4), q (4)." in capsys.readouterr().out
    assert load(top, folder).class_names == ("p", "q")
    assert sorted(path for path in tmp_path.rglob("*") if folder not in path.parents) == sorted({*before, folder})
    assert cli.main(["data", "look", str(top), "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert known["classes"] == ["p", "q"] and known["choices"]["level"] == "2"
    assert cli.main(["data", "look", str(top), "--forget", "--keep"]) == 0
    assert load(top, folder).class_names == ("x", "y")
    assert cli.main(["data", "look", str(top), "colour=2"]) == 2
    assert "'colour=2' is no choice" in capsys.readouterr().err


def test_large_sets_are_decoded_anew_for_other_choices(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(decoded, "LARGE", 0)
    files = {f"{top}/{c}/{i}.png": png(Image.fromarray(pixels()[i])) for top in "xy" for i, c in enumerate("pqpq")}
    top = put(tmp_path / "set", files)
    assert load(top, folder).class_names == ("x", "y")
    keep_choices(file_for(folder, top.resolve()), Choices(level="2"))
    assert load(top, folder).class_names == ("p", "q")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"level": 2}', '{"level": "zero"}', '{"folders": {"a": "b"}}', '{"x": 1}', '{"values": "odd"}']
)
def test_damaged_choices_are_refused_in_words(text):
    with pytest.raises(ValueError, match="the choices kept for these data cannot be read"):
        parse_choices(text)


def test_an_upload_of_another_layout_is_kept_as_it_was_read(tmp_path, folder):
    content = saved(tmp_path / "x.npz", X=(pixels() / 255).astype(np.float32), y=np.eye(3)[labels()]).read_bytes()
    uploads.save_upload("mine", content, "x.npz", folder)
    data = store.load("mine", folder=folder)
    assert rows(data.train, data.test) == expected(pixels(), labels())
    assert "Pixel values from 0 to 1 were read as black to white." in data.notes
    assert store.facts("mine", folder=folder)["by_class"] == (8, 8, 8)


def test_the_choices_of_an_upload_lie_beside_it_and_go_with_it(tmp_path, folder):
    several = (np.random.default_rng(0).random((N, 4)) < 0.4).astype(np.uint8)
    content = saved(tmp_path / "x.npz", X=pixels(), y=several).read_bytes()
    uploads.save_upload("mine", content, "x.npz", folder, Choices(label="2"))
    assert store.load("mine", folder=folder).class_names == ("without 2", "with 2")
    assert parse_choices((folder / "uploads" / "mine.semidml.json").read_text()) == Choices(label="2")
    uploads.delete_upload("mine", folder)
    assert list((folder / "uploads").iterdir()) == []


def test_an_upload_of_rows_without_a_label_makes_the_round_trip(folder):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i, x in enumerate(pixels()):
            archive.writestr(f"{i}.png", png(Image.fromarray(x)))
    uploads.save_upload("flat", file.getvalue(), "flat.zip", folder)
    data = store.load("flat", folder=folder)
    assert data.class_names == () and rows(data.train, data.test) == expected(pixels(), [-1] * N)
    uploads.save_upload("idx", idx(pixels()), "train-images-idx3-ubyte", folder)
    assert len(store.load("idx", folder=folder).train.labels) == 19


def test_what_could_be_read_before_keeps_its_digest(tmp_path, folder):
    """Digests of version 0.2, of an .npz, class folders and full 16 bits."""
    first = load(saved(tmp_path / "x.npz", train_images=pixels(), train_labels=labels()), folder)
    assert first.digest == "1f4d4b3692049910b9ac2485ba3e5b229af44cf017105b2840b10ce3c02f4d15"
    files = {
        f"c{y}/{i:02d}.png": png(Image.fromarray(x)) for i, (x, y) in enumerate(zip(pixels(), labels(), strict=True))
    }
    assert (
        load(put(tmp_path / "set", files), folder).digest
        == "24bfe6f1394302e5b17dc61fe59539d8d5cabb398d542a4f241d1ee0ee64de23"
    )
    deep = {name: png(Image.fromarray(x.astype(np.uint16) * 251)) for name, x in zip(files, pixels(), strict=True)}
    assert (
        load(put(tmp_path / "deep", deep), folder).digest
        == "fce9f9b1769ac269bde57ce59b3937068048e515328e5d6fa9b4323de1f0d876"
    )


def test_reading_many_files_says_how_far_it_is(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(images, "TOLD", 4)
    top, told = put(tmp_path / "set", two_classes(lambda x: png(Image.fromarray(x)))), []
    store.load(str(top), allow_paths=True, folder=folder, progress=lambda share, text: told.append(text))
    assert told == [
        "set: looking for what has changed",
        "set: its files are listed",
        "set: 0 of 8 files looked at",
        "set: 4 of 8 files looked at",
        "set: 0 of 8 images decoded",
        "set: 4 of 8 images decoded",
    ]


def test_look_says_what_load_reads(tmp_path, folder):
    files = two_classes(lambda x: png(Image.fromarray(x))) | {"unlabeled/0.png": png(Image.fromarray(pixels()[9]))}
    known = look(str(put(tmp_path / "set", files | {"a/notes.txt": b"x"})), folder=folder)
    data = load(tmp_path / "set", folder)
    assert known.classes == data.class_names and known.shape == data.shape
    assert sum(known.counts["train"].values()) == 8 and known.unlabelled == {"train": 1}
    assert ("a/notes.txt", "not an image") in known.left_out
    assert set(known.pictures) == {"a", "b", ""}
    with Image.open(io.BytesIO(known.pictures["a"][0])) as image:
        assert np.array_equal(np.array(image), pixels()[0])
    assert json.loads(json.dumps(known.as_json()))["unlabelled"] == {"train": 1}
    assert any("8 images with a label and 1 without a label" in sentence for sentence in known.sentences())


@pytest.mark.parametrize("side", [64, 128, 224])
def test_medmnist_at_other_sizes_is_known_by_name(folder, side):
    entry = find_entry(f"organamnist@{side}")
    assert entry.facts["shape"] == (1, side, side) and entry.facts["train"] == 34561
    place = folder / "medmnist" / f"organamnist_{side}.npz"
    place.parent.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (22, side, side), dtype=np.uint8)
    named = {
        f"{s}_{p}": a for s in npz.SPLITS for p, a in (("images", images), ("labels", np.arange(22)[:, None] % 11))
    }
    saved(place, **named)
    data = store.load(f"organamnist@{side}", folder=folder)
    assert data.shape == (1, side, side) and data.class_names[0] == "bladder" and data.twins == "signs"
    assert store.is_here(f"organamnist@{side}", folder) and not store.is_here("organamnist", folder)
    with pytest.raises(ValueError, match=f"bloodmnist_{side}.npz"):
        store.load(f"bloodmnist@{side}", folder=folder)


@pytest.mark.parametrize("name", ["organamnist@65", "mnist@64", "organamnist@", "@64", "digits@64"])
def test_no_other_size_is_one(name):
    assert find_entry(name) is None and name not in DATASETS
