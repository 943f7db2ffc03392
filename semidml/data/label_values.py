"""What labels as they are written mean: which class a row is of, and which rows have no label. Torch-free.

-1, -100, NaN and empty text are no label. Of several labels a row, one is made as `Choices.label` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from semidml.data.choices import Choices
from semidml.data.labels import whole_labels
from semidml.data.layout import Question
from semidml.data.names import SPLIT_TITLES, sort_classes

NO_LABEL = -1
MOST_EXACT = 2.0**53  # up to which a float tells whole numbers apart
MAX_LABELS_A_ROW = 64
IGNORED = -100  # what PyTorch's losses leave out
SUSPECT = 255  # what many write for no label, in bytes
COMMONEST_SHARE = 0.5


class Labels(NamedTuple):
    """What labels were understood to be."""

    splits: dict[str, np.ndarray]  # int64 (N,), 0 to K - 1, and NO_LABEL
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()


def read_labels(
    written: Mapping[str, np.ndarray],
    class_names: Sequence[str] | None,
    choices: Choices,
    single: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Labels:
    """The labels of each split. `class_names`: of the classes 0, 1, ...; without any, classes go by their labels.
    `single` makes one label of a row of several, (N, L) -> (N,), and then nothing is asked.
    Raises: ValueError for what are no labels."""
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    if single:
        flat = {split: single(labels) for split, labels in written.items()}
    else:
        flat, names, notes, questions = _one_a_row(written, class_names, choices)
        class_names = names
    plain = {split: _checked(labels, split, choices) for split, labels in flat.items()}
    if any(labels.dtype.kind == "U" for labels in plain.values()):
        return _of_text(plain, class_names, choices, notes, questions)
    values = {split: labels.astype(np.int64) for split, labels in plain.items()}
    none, more_notes, more_questions = _none_values(values, class_names, choices)
    known = np.setdiff1d(np.concatenate(list(values.values())), none)
    if class_names is None:
        order, names = known, tuple(str(value) for value in known)
    else:
        order, names = np.arange(len(class_names)), tuple(class_names)
        if len(known) and known[0] > 0 and known[-1] == len(names):
            order = order + 1
            more_notes += (
                f"Labels count from 1 to {len(names):,}, as many as there are class_names: 1 is {names[0]}.",
            )
        elif len(known) and (known[0] < 0 or known[-1] >= len(names)):
            raise ValueError(
                f"with {len(names)} class_names labels must be 0 to {len(names) - 1}; got {known[0]} to {known[-1]}"
            )
    return Labels(
        {split: _numbered(labels, order, none) for split, labels in values.items()},
        *(names, (*notes, *more_notes), (*questions, *more_questions)),
    )


def _checked(labels: np.ndarray, split: str, choices: Choices) -> np.ndarray:
    """Labels (N,) as whole numbers or text; negative ones are those alone that say that there is none.
    Raises: ValueError in words."""
    if labels.dtype.kind in "SU":
        return labels.astype(str)
    if labels.dtype.kind == "f":
        own = labels[~np.isnan(labels)].astype(np.float64)
        if (np.abs(own) > MOST_EXACT).any() or (own != np.rint(own)).any():
            raise ValueError(
                f"the {split} labels must be whole numbers, one a class; got fractions or numbers too large"
            )
        return np.where(np.isnan(labels), NO_LABEL, labels)
    if labels.dtype.kind not in "iub":
        raise ValueError(f"the {split} labels are {labels.dtype}; labels must be whole numbers or text")
    none = _chosen_numbers(choices) if choices.no_label else [IGNORED]
    whole_labels(f"{split}_labels", np.where(np.isin(labels, none), 0, labels) if labels.dtype.kind == "i" else labels)
    return labels.astype(np.int64)


def _numbered(labels: np.ndarray, order: np.ndarray, none: np.ndarray) -> np.ndarray:
    return np.where(np.isin(labels, none), NO_LABEL, np.searchsorted(order, labels)).astype(np.int64)


def _none_values(
    labels: Mapping[str, np.ndarray], class_names: Sequence[str] | None, choices: Choices
) -> tuple[np.ndarray, tuple[str, ...], tuple[Question, ...]]:
    """(labels that say that there is none, what to say of them, what to ask)."""
    if choices.no_label:
        return np.array(_chosen_numbers(choices)), (), ()
    every = np.concatenate(list(labels.values()))
    values = np.unique(every)
    if values.tolist() == [-1, 1] and class_names is None:
        text = "Labels are -1 and 1: are these two classes, or is -1 no label?"
        return np.array([], int), (), (Question("no_label", text, ("", "-1"), ""),)
    none, notes = np.array([NO_LABEL, IGNORED]), ()
    if ignored := int((every == IGNORED).sum()):
        notes = (
            f"{ignored:,} rows have the label {IGNORED}, which PyTorch leaves out: they are read as without a label.",
        )
    if class_names is not None and SUSPECT in values and len(class_names) <= SUSPECT:
        count = (every == SUSPECT).sum()
        note = f"{count:,} rows have the label 255, which names no class: they are read as rows without a label."
        return np.append(none, SUSPECT), (*notes, note), ()
    if values.size and values[-1] == SUSPECT:
        for kind, own in (("", every), *((f"{SPLIT_TITLES.get(split, split)} ", own) for split, own in labels.items())):
            count = int((own == SUSPECT).sum())
            if count > COMMONEST_SHARE * len(own):
                text = f"{count:,} of {len(own):,} {kind}rows have the label 255. Is that a class, or no label?"
                notes += (f"{text} It is read as a class.",)
                return none, notes, (Question("no_label", text, ("", "-1,255"), ""),)
    return none, notes, ()


def _chosen_numbers(choices: Choices) -> list[int]:
    """The numbers that were chosen to say that there is no label.
    Raises: ValueError in words."""
    try:
        return [int(np.int64(int(part))) for part in choices.no_label.split(",")]
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"no_label must be whole numbers, with commas between; got {choices.no_label[:40]!r}"
        ) from error


def _of_text(
    plain: Mapping[str, np.ndarray],
    class_names: Sequence[str] | None,
    choices: Choices,
    notes: tuple[str, ...],
    questions: tuple[Question, ...],
) -> Labels:
    """Labels that are text: an empty one, or "nan", is none."""
    none = {"", "nan", *(part.strip() for part in choices.no_label.split(","))}
    stripped = {split: np.char.strip(labels.astype(str)) for split, labels in plain.items()}
    names = sort_classes(
        str(n) for labels in stripped.values() for n in np.unique(labels) if str(n).lower() not in none
    )
    if class_names is not None and set(names) <= set(class_names):
        names = tuple(class_names)
    number = {name: place for place, name in enumerate(names)}
    splits = {
        split: np.array([number.get(str(label), NO_LABEL) for label in labels], np.int64)
        for split, labels in stripped.items()
    }
    return Labels(splits, names, notes, questions)


# ---- several labels a row


def _one_a_row(
    written: Mapping[str, np.ndarray], class_names: Sequence[str] | None, choices: Choices
) -> tuple[dict[str, np.ndarray], Sequence[str] | None, tuple[str, ...], tuple[Question, ...]]:
    """(one label a row, class names, notes, questions) of labels (N,), (N, 1) or (N, L)."""
    columns = {labels.reshape(len(labels), -1).shape[1] if labels.ndim > 1 else 1 for labels in written.values()}
    if len(columns) > 1 or any(labels.ndim > 2 for labels in written.values()):
        raise ValueError("labels must be (N,) or (N, 1), one label an image, or (N, L), as many in each split")
    count = columns.pop()
    if count == 1:
        return {split: labels.reshape(-1) for split, labels in written.items()}, class_names, (), ()
    if count > MAX_LABELS_A_ROW and not _is_one_hot(written):
        raise ValueError(f"there are {count:,} labels a row; at most {MAX_LABELS_A_ROW} are read")
    if _is_one_hot(written):
        flat = {s: np.where(y.any(1), y.argmax(1), NO_LABEL) for s, y in written.items()}
        names = class_names if class_names is not None and len(class_names) == count else None
        return flat, names, (f"Labels are one of {count} columns a row (one-hot); the column is the class.",), ()
    own = [str(name) for name in class_names] if class_names is not None and len(class_names) == count else None
    names = own or [str(column) for column in range(count)]
    if any(labels.dtype.kind not in "iubf" for labels in written.values()):
        raise ValueError(f"there are {count} labels a row, which are no numbers; bring one label an image")
    if all(np.isin(labels, (0, 1)).all() for labels in written.values()):
        return _of_several(written, names, choices)
    column = names.index(choices.label) if choices.label in names else 0
    text = f"There are {count} labels a row. Which one is to be read?"
    question = Question("label", text, tuple(names), names[0])
    note = f"Of {count} labels a row, the one called {names[column]} is read."
    return {split: labels[:, column] for split, labels in written.items()}, None, (note,), (question,)


def _is_one_hot(written: Mapping[str, np.ndarray]) -> bool:
    """Whether each row has a single 1 among zeros; some may have none, which are then without a label."""
    if any(labels.dtype.kind not in "iubf" or labels.ndim != 2 for labels in written.values()):
        return False
    sums = np.concatenate([labels.sum(1) for labels in written.values()])
    plain = all(np.isin(labels, (0, 1)).all() for labels in written.values())
    return bool(plain and sums.max(initial=0) == 1 and (sums == 1).mean() > COMMONEST_SHARE)


def _of_several(
    written: Mapping[str, np.ndarray], names: list[str], choices: Choices
) -> tuple[dict[str, np.ndarray], Sequence[str] | None, tuple[str, ...], tuple[Question, ...]]:
    """Rows that may have any of several labels: two classes, or the commonest label of each row."""
    count, chosen = len(names), choices.label or "any"
    text = f"A row may have any of {count} labels. Which of them is the class?"
    question = Question("label", text, ("any", "commonest", *names), "any")
    if chosen == "commonest":
        often = np.sum([labels.sum(0) for labels in written.values()], axis=0)
        flat = {s: np.where(y.any(1), (y.astype(bool) * (1 + often)).argmax(1) + 1, 0) for s, y in written.items()}
        note = f"A row may have any of {count} labels; the one that is commonest in the set is its class."
        return flat, ("none", *names), (note,), (question,)
    if chosen == "any":
        note = f"A row may have any of {count} labels; two classes are read: none of them, any of them."
        return {s: y.any(1).astype(np.int64) for s, y in written.items()}, ("none", "any"), (note,), (question,)
    if chosen not in names:
        raise ValueError(f"there is no label {chosen[:40]!r}; there are any, commonest, {', '.join(names)}")
    column = names.index(chosen)
    note = f"A row may have any of {count} labels; two classes are read: without and with {chosen}."
    classes = (f"without {chosen}", f"with {chosen}")
    return {s: y[:, column].astype(np.int64) for s, y in written.items()}, classes, (note,), (question,)
