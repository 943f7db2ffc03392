"""A run's numbers to take away: arrays, tables, archives."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from semidml import frames
from semidml.frames import Frame
from semidml.runs import trained_on
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset
    from semidml.runs.run import Run


def all_rows(run: "Run", data: "Dataset", progress: Progress = lambda fraction, text: None) -> dict[str, np.ndarray]:
    """Every training and test row through the final weights: split uint8 (n,) (0 train, 1 test), row int32, labels
    int16 (-1 for none), seen bool, predictions int16 (`classifiers.predictions`) and latents float32 (n, D).

    data: as loaded; progress: is told how far it is."""
    from semidml.scores import classifiers
    from semidml.train.outputs import as_compared, embed

    splits, drawn = trained_on.read_splits(run, data)
    model = run.model()
    progress(0.1, "encodes the images")
    parts = [embed(model, part.images) for part in (splits.train, splits.test)]
    latents, n_train = np.concatenate(parts), len(parts[0])
    labels = np.concatenate([part.labels.numpy() for part in (splits.train, splits.test)])
    rows = drawn.rows.numpy()
    seen, split = np.zeros(len(latents), dtype=bool), (np.arange(len(latents)) >= n_train).astype(np.uint8)
    seen[rows] = True
    progress(0.6, "predicts the classes")
    compared, classes = as_compared(run.config(), latents), len(splits.class_names)
    predicted = classifiers.predictions(compared, labels, seen, split, classes, disjoint=splits.disjoint)
    return {
        "split": split,
        "row": np.concatenate([np.arange(len(part)) for part in parts]).astype(np.int32),
        "labels": labels.astype(np.int16),
        "seen": seen,
        "predictions": predicted.astype(np.int16),
        "latents": latents,
    }


def some_points(frame: Frame, positions: Sequence[int]) -> dict[str, np.ndarray]:
    """Some of the points drawn, in the form of `all_rows`."""
    at = np.asarray(positions, dtype=np.int64)
    rows = {key: frame.rows[key][at] for key in frames.ROW_KEYS}
    return rows | {"predictions": frame.predictions[at], "latents": frame.latents[at]}


def as_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Plain arrays as a compressed .npz, without pickles."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def as_csv(arrays: Mapping[str, np.ndarray], class_names: Sequence[str]) -> bytes:
    """`all_rows` as a table: split, row, label, seen, prediction, then z1 to zD; UTF-8, one header line. What has no
    label, or no prediction, has an empty cell there. A class name that a spreadsheet would take for a formula is led by
    an apostrophe."""
    import pandas as pd

    names = [f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name for name in class_names]
    names = np.array([*names, ""])  # the last one is that of -1
    table = pd.DataFrame(arrays["latents"], columns=[f"z{i + 1}" for i in range(arrays["latents"].shape[1])])
    table.insert(0, "split", np.array(frames.SPLITS)[arrays["split"]])
    table.insert(1, "row", arrays["row"])
    table.insert(2, "label", names[arrays["labels"]])
    table.insert(3, "seen", arrays["seen"].astype(int))
    table.insert(4, "prediction", names[arrays["predictions"]])
    return table.to_csv(index=False, float_format="%.6g", na_rep="nan", lineterminator="\n").encode()
