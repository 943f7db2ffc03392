"""What `look` says and asks in words: nothing twice, and what it says to type is what is read."""

import io
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semidml.data.choices import Choices
from semidml.data.look import look

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)


def write_folder(place: Path, files: str) -> Path:
    for number, name in enumerate(files.split(" ")):
        file = place / name.replace("~", " ")
        file.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        Image.fromarray(IMAGES[number % len(IMAGES)]).save(content, "PNG")
        file.write_bytes(content.getvalue() if file.suffix == ".png" else b"a,b\n1,2\n")
    return place


def understand(path: Path, **choices: object):
    return look(str(path), Choices(**choices), path.parent / "data", pictures=False)


def asked(known) -> list[str]:
    return [sentence for sentence in known.sentences() if sentence.startswith("Asked: ")]


SPLITS = "train/a/0.png train/a/1.png train/b/0.png train/b/1.png test/a/0.png test/b/0.png"


def test_what_is_said_to_type_is_what_is_read(tmp_path):
    path = write_folder(tmp_path / "x", f"{SPLITS} more~pics/0.png masks/0.png")
    sentences = asked(understand(path))
    assert len(sentences) == 2
    for sentence in sentences:
        typed = sentence.partition(" Say ")[2].partition("; until then")[0]
        key, _, options = typed.partition("=")
        words = [f"{key}={option}" for option in options.split(" or ")]
        assert len(words) in (2, 5)
        for word in words:
            (read,) = shlex.split(word)
            assert understand(path, folders=Choices().with_words([read]).folders)


def test_what_is_answered_by_nothing_is_to_be_left_away(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, X=IMAGES, y=np.where(np.arange(24) % 4, 255, np.arange(24) // 4 % 2))
    known = understand(path)
    (sentence,) = asked(known)
    assert sentence == (
        "Asked: 18 of 24 rows have the label 255. Is that a class, or no label? "
        "Say no_label=-1,255, or leave it away, as now."
    )
    assert sum("have the label 255" in told for told in known.sentences()) == 1
    assert any(note.endswith("It is read as a class.") for note in known.notes), "the data set itself keeps it"


def test_nothing_is_told_twice(tmp_path):
    colours = IMAGES[:, None].repeat(3, 1)
    y = np.arange(24) % 2
    np.savez(
        tmp_path / "x.npz", X_train=colours, y_train=y, X_test=255 - colours[:8], y_test=y[:8], depth=np.zeros(3), k=y
    )
    told = understand(tmp_path / "x.npz").sentences()
    assert [sum(name in sentence for sentence in told) for name in ("depth", "k (neither")] == [1, 1]
    assert sum("colours were read as the axis before" in sentence for sentence in told) == 1
    path = write_folder(tmp_path / "cells", "images/0.png images/1.png masks/0.png masks/1.png broken/README.md")
    told = understand(path).sentences()
    assert [sentence for sentence in told if "masks" in sentence] == [
        "The 2 images in masks are left out.",
        "Asked: Are the 2 images in masks masks to leave out, or a class of their own? "
        "Say folder:masks='left out' or class; until then it is left out.",
    ]
    assert "Left out: broken/README.md (not an image)." in told


def test_a_table_and_labels_that_were_not_read_are_called_so(tmp_path):
    beside = "labels.csv test/val_annotations.txt train/a/labels.csv notes.txt train/a/notes.txt annotations.json"
    known = understand(write_folder(tmp_path / "x", f"{SPLITS} {beside}"))
    assert dict(known.left_out) == {
        "labels.csv": "a table that was not read",
        "train/a/labels.csv": "a table that was not read",
        "test/val_annotations.txt": "labels that were not read",
        "annotations.json": "labels that were not read",
        "notes.txt": "not an image",
        "train/a/notes.txt": "not an image",
    }


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (1, "Pixel values are numbers from 0 to 255."),
        (257, "Pixel values reach 65535: they were read as 16 bits, 65535 is white."),
    ],
)
def test_how_whole_numbers_of_more_bits_are_read_is_said(tmp_path, factor, said):
    images = IMAGES.astype(np.uint16) * factor
    images[0, 0, 0] = 255 * factor
    np.savez(tmp_path / "x.npz", train_images=images, train_labels=np.arange(24) % 2)
    assert said in understand(tmp_path / "x.npz").notes
    for number, pixels in enumerate(images):
        place = tmp_path / "folder" / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place)
    assert said in understand(tmp_path / "folder").notes
