"""What a run was trained on: told in its config.json and rows.npz, and checked wherever its images are used again."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from semidml.data import find_entry, store
from semidml.runs.run import Run
from semidml.tasks import Progress
from semidml.words import list_names

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset
    from semidml.data.labels import Seen


def describe_data(data: "Dataset") -> dict[str, Any]:
    """What config.json holds of a data set that is trained on: what it is made of, and fingerprints of its labels, its
    pixels and, where it was read from image files, of these. Up to version 0.2 there was no digest, up to 0.3 no other
    fingerprint than that."""
    told = {"title": data.title, "shape": list(data.shape), "class_names": list(data.class_names)}
    told |= {"rows": _rows_of(data), "digest": data.digest, "labels": data.label_digest}
    prints = {"pixels": data.pixels, "files": data.files}
    return told | {name: digest for name, digest in prints.items() if digest}


def digest_of(told: Any) -> str:
    """The digest of a data set by what a run tells of it, `describe_data`: of its labels and of its image files or,
    where there are none, its pixels, so that it is the same on a machine whose library decodes files with other last
    bits. "" of a run of an older release, which tells too little."""
    known = told if isinstance(told, Mapping) else {}
    content = known.get("files") or known.get("pixels") or known.get("digest")
    if not content or "labels" not in known:
        return ""
    return hashlib.sha256(f"{known['labels']} {content}".encode()).hexdigest()


def load_data(run: Run, progress: Progress = lambda fraction, text: None) -> "Dataset":
    """The data set that a run's config names, from a path only where the command line has allowed that; not yet
    compared with what it was trained on. progress: is told how far its reading is.
    Raises: ValueError when it is not here."""
    return store.load(run.config().data, allow_paths=allows_path(run), progress=progress)


def allows_path(run: Run) -> bool:
    """Whether its data set may be a path: of a run that this machine's command line has made. An import has none."""
    return run.details().get("paths") is True


def is_of_path(run: Run) -> bool:
    """Whether its data set lies at a path that the command line was given, and is neither one of the table nor an
    upload."""
    name = run.config().data
    return allows_path(run) and not (find_entry(name) or store.upload(name, store.data_folder() / "uploads"))


def read_splits(run: Run, data: "Dataset") -> "tuple[Dataset, Seen]":
    """The splits that a run was trained and scored on, and the labels it saw (`task.prepare`).
    Raises: ValueError when `data` is not what it was trained on, or when its rows would be others."""
    from semidml.train.task import prepare

    check_data(run, data)
    splits, seen = prepare(run.config(), data)
    check_rows(run, splits)
    return splits, seen


def check_data(run: Run, data: "Dataset") -> None:
    """Raises ValueError that names what differs when a data set is not what the run was trained on or, before that, is
    planned for, as far as the run says what that is."""
    details = run.details()
    planned, trained = details.get("planned_data"), details.get("data") or {}
    differences = list_differences(trained, data)
    if not differences and planned and planned != digest_of(describe_data(data)):
        differences = ["some of its images or labels are others"]
    if differences:
        raise ValueError(
            f"{data.name} here is another data set than the one that {run.id} "
            f"{'was trained on' if trained else 'is planned for'}: "
            f"{'; '.join(differences)}. Bring that one back, or train the same setting again"
        )


def list_differences(known: Mapping[str, Any], data: "Dataset") -> list[str]:
    """What of a data set differs from what config.json holds of one (`describe_data`), in words; images that were read
    from the same files are the same, whatever the last bits of their pixels."""
    words = []
    if (shape := known.get("shape")) and tuple(shape) != tuple(data.shape):
        words.append(f"its images are {_size_words(data.shape)}, they were {_size_words(shape)}")
    if (names := known.get("class_names")) is not None and list(names) != list(data.class_names):
        words += _class_differences(names, data.class_names)
    rows, were = _rows_of(data), known.get("rows")
    if were and were != rows:
        splits = [split for split in {**rows, **were} if rows.get(split) != were.get(split)]
        words += [f"it has {rows.get(split, 0):,} {split} images, it had {were.get(split, 0):,}" for split in splits]
    if words:
        return words
    if (labels := known.get("labels")) and labels != data.label_digest:
        return ["labels of its images are others, or its images stand in another order"]
    is_compared = False
    for name in ("files", "pixels"):  # the cheaper one first
        if known.get(name) and (now := getattr(data, name)):
            if known[name] == now:
                return []
            is_compared = True
    if not is_compared and known.get("digest", data.digest) == data.digest:
        return []
    return ["some of its images are others, or stand in another order" if labels else "its images or labels are others"]


def _rows_of(data: "Dataset") -> dict[str, int]:
    """Rows of each split."""
    return {split: len(part.labels) for split, part in data.parts.items()}


def _class_differences(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """How class names differ, in words."""
    new, gone = (list((Counter(a) - Counter(b)).elements()) for a, b in ((now, before), (before, now)))
    words = [f"it did not have the class{'es' * (len(new) > 1)} {list_names(new)}"] if new else []
    words += [f"it has no class {list_names(gone, 'or')} any more"] if gone else []
    return words or ["its classes stand in another order"]


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
