"""What a run was trained on: told in its config.json and rows.npz, and checked wherever its images are used again."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semidml.runs.run import Run

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset
    from semidml.data.labels import Seen


def describe_data(data: "Dataset") -> dict[str, Any]:
    """What config.json holds of a data set that is trained on; up to version 0.2 there was no digest."""
    names = list(data.class_names)
    return {"title": data.title, "shape": list(data.shape), "class_names": names, "digest": data.digest}


def read_splits(run: Run, data: "Dataset") -> "tuple[Dataset, Seen]":
    """The splits that a run was trained and scored on, and the labels it saw (`task.prepare`).
    Raises: ValueError when `data` is not what it was trained on, or when its rows would be others."""
    from semidml.train.task import prepare

    check_data(run, data)
    splits, seen = prepare(run.config(), data)
    check_rows(run, splits)
    return splits, seen


def check_data(run: Run, data: "Dataset") -> None:
    """Raises ValueError when a data set is not what the run was trained on, as far as the run says what that was."""
    known = run.details().get("data") or {}
    shape, names, digest = (known.get(part) for part in ("shape", "class_names", "digest"))
    if shape and tuple(shape) != tuple(data.shape):
        raise ValueError(
            f"the images called {data.name} here are {_size_words(data.shape)}; the run was trained on "
            f"{_size_words(shape)}: another data set of the same name"
        )
    if names and list(names) != list(data.class_names):
        raise ValueError(
            f"the classes of {data.name} here are not those that the run was trained on: another data set of that name"
        )
    if digest and digest != data.digest:
        raise ValueError(
            f"the images or labels of {data.name} here are not those that {run.id} was trained on: this is another "
            "data set of that name; train the same setting again"
        )


def check_rows(run: Run, splits: "Dataset") -> None:
    """Raises ValueError when the rows that the frames draw are not those of `splits` (`task.prepare`), by their labels:
    what is shown would be other images, and what is scored some that the weights were trained on."""
    rows = _drawn_rows(run)
    for split, part in enumerate((splits.train, splits.test)) if rows else ():
        at, labels = (rows[name][rows["split"] == split].astype(np.int64) for name in ("row", "labels"))
        given = part.labels.numpy()
        if len(at) and (at.max() >= len(given) or (given[at] != labels).any()):
            raise ValueError(_other_rows(run, splits.name))


def check_drawn(run: Run, rows: Mapping[str, np.ndarray], name: str) -> None:
    """Raises ValueError when a training would draw other rows (`Training.rows`) than the frames that are there."""
    drawn = _drawn_rows(run)
    if drawn and not all(np.array_equal(drawn[key], rows[key]) for key in ("split", "row", "labels")):
        raise ValueError(_other_rows(run, name))


def _drawn_rows(run: Run) -> dict[str, np.ndarray] | None:
    return run.rows() if (run.path / "rows.npz").exists() else None


def _other_rows(run: Run, name: str) -> str:
    return (
        f"the rows that {run.id} draws are not those of {name} here: this is another data set of that name, or the run "
        "was made by a release that held out other rows for choosing settings; train the same setting again"
    )


def _size_words(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} pixels with {channels} channel{'s' * (channels != 1)}"
