"""Whoever no longer waits for a file that is looked at ends its reading, in whichever format it is."""

import csv
import io
import struct
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import scipy.io
from PIL import Image

from semidml.data import watched
from semidml.data.image_files import Member
from semidml.data.look import COMPARED, look
from semidml.data.reading import READ

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
LABELS = np.arange(12) % 2


class Left(Exception):
    """What a page raises where nobody waits any longer."""


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_folder(place: Path) -> Path:
    for split, first in (("train", 0), ("test", 6)):
        for row in range(first, first + 6):
            file = place / split / "ab"[row % 2] / f"{row}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(png(IMAGES[row % 6]))
    return place


def write_npz(place: Path) -> Path:
    np.savez(place / "x.npz", train_images=IMAGES, train_labels=LABELS)
    return place / "x.npz"


def write_npy(place: Path) -> Path:
    np.save(place / "x_train.npy", IMAGES)
    np.save(place / "y_train.npy", LABELS)
    return place


def write_parquet(place: Path) -> Path:
    cells = [{"bytes": png(row), "path": None} for row in IMAGES]
    pyarrow.parquet.write_table(pyarrow.table({"image": cells, "label": LABELS}), place / "x.parquet")
    return place / "x.parquet"


def write_matlab(place: Path) -> Path:
    scipy.io.savemat(place / "x.mat", {"X": np.moveaxis(IMAGES, 0, -1)[:, :, None].repeat(3, 2), "y": LABELS[:, None]})
    return place / "x.mat"


def write_csv(place: Path) -> Path:
    with (place / "x.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[y, *x.ravel()] for x, y in zip(IMAGES, LABELS, strict=True)])
    return place / "x.csv"


def write_idx(place: Path) -> Path:
    for name, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS.astype(np.uint8))):
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (place / f"train-{name}-ubyte").write_bytes(head + array.tobytes())
    return place


FORMATS = [write_folder, write_npz, write_npy, write_parquet, write_matlab, write_csv, write_idx]


@pytest.mark.parametrize("write", FORMATS)
def test_a_look_that_nobody_waits_for_ends_while_the_file_is_read(tmp_path, monkeypatch, write):
    monkeypatch.setattr(watched, "BETWEEN", 0.0)
    path, told = write(tmp_path / "x" if write is write_folder else tmp_path), []

    def leave(fraction: float, text: str) -> None:
        told.append(text)
        if text == READ:
            raise Left

    if write is write_npz:  # in MedMNIST's layout it is unpacked a piece at a time, which has words of its own
        np.savez(path, X=IMAGES, y=LABELS)
    with pytest.raises(Left):
        look(str(path), folder=tmp_path / "data", progress=leave)
    told.clear()
    known = look(str(path), folder=tmp_path / "data", progress=lambda fraction, text: told.append(text))
    assert sum(map(sum, (own.values() for own in known.counts.values()))) == 12 and READ in told


@pytest.mark.parametrize("write", [write_folder, write_npy])
def test_the_search_for_test_images_that_are_training_images_can_be_ended(tmp_path, monkeypatch, write):
    monkeypatch.setattr(watched, "BETWEEN", 0.0)

    def leave(fraction: float, text: str) -> None:
        if text == COMPARED:
            raise Left

    with pytest.raises(Left):
        look(str(write(tmp_path)), folder=tmp_path / "data", progress=leave)


def test_a_watched_file_is_read_as_it_is_and_tells_of_itself_now_and_then(monkeypatch):
    content, count = bytes(range(256)) * 20_000, []
    file = watched.watch(Member(("x",), lambda: io.BytesIO(content)), lambda: count.append(1)).open()
    assert file.read(10) == content[:10] and file.tell() == 10 and len(count) == 1
    assert file.seek(-5, io.SEEK_END) == len(content) - 5 and file.read() == content[-5:]
    file.seek(0)
    assert file.read() == content and len(count) > 5
    file.close()
    told = []
    beat = watched.Beat(lambda fraction, text: told.append(text), "it is read")
    for _ in range(1000):
        beat()
    assert told == [], "what is quick needs no word"
    clock = iter(np.arange(0, 1, 0.03))
    monkeypatch.setattr(watched.time, "monotonic", lambda: next(clock))
    beat = watched.Beat(lambda fraction, text: told.append(text), "it is read")
    for _ in range(8):
        beat()
    assert told == ["it is read", "it is read"]
    monkeypatch.undo()
    monkeypatch.setattr(watched, "BETWEEN", 0.0)
    ended = watched.Beat(lambda fraction, text: told.append(text), "it is read")
    ended.end()
    ended()
    assert len(told) == 2
