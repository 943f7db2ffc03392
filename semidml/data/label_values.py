"""What labels as they are written mean: which class a row is of, and which rows have no label. Torch-free.

-1, -100, NaN, empty text and text as "unlabeled" or "n/a" are no label. Of several labels a row, one is made as
`Choices.label` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from semidml.data.choices import Choices
from semidml.data.labels import whole_labels
from semidml.data.layout import Question
from semidml.data.names import SPLIT_TITLES, is_no_label, sort_classes

NO_LABEL = -1
MOST_EXACT = 2.0**53  # up to which a float tells whole numbers apart
MAX_LABELS_A_ROW = 64
IGNORED = -100  # what PyTorch's losses leave out
SUSPECT = 255  # what many write for no label, in bytes
COMMONEST_SHARE = 0.5
MAX_LETTERS = 200  # of a label: it becomes the name of a class
PLAIN_NONE = ("nan", "-1")  # text that is no label without a word on it, as the number is
NAMED = 5
TWO_OR_NONE = Question("no_label", "Labels are -1 and 1: are these two classes, or is -1 no label?", ("", "-1"), "")


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
    is_text = any(labels.dtype.kind in "SU" for labels in flat.values())
    plain = {split: _checked(labels, split, choices, is_text) for split, labels in flat.items()}
    if is_text:
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


def _checked(labels: np.ndarray, split: str, choices: Choices, is_text: bool) -> np.ndarray:
    """Labels (N,) as whole numbers or text; negative ones are those alone that say that there is none. is_text: those
    of some split are text, and so may be what was chosen to say that there is none.
    Raises: ValueError in words."""
    if labels.dtype.kind in "SU":
        check_letters(labels.dtype.itemsize // (4 if labels.dtype.kind == "U" else 1), f"the {split} labels")
        return labels
    if labels.dtype.kind == "f":
        own = labels[~np.isnan(labels)].astype(np.float64)
        if (np.abs(own) > MOST_EXACT).any() or (own != np.rint(own)).any():
            raise ValueError(
                f"the {split} labels must be whole numbers, one a class; got fractions or numbers too large"
            )
        return np.where(np.isnan(labels), NO_LABEL, labels)
    if labels.dtype.kind not in "iub":
        raise ValueError(f"the {split} labels are {labels.dtype}; labels must be whole numbers or text")
    none = _chosen_numbers(choices) if choices.no_label and not is_text else [IGNORED]
    whole_labels(f"{split}_labels", np.where(np.isin(labels, none), 0, labels) if labels.dtype.kind == "i" else labels)
    return labels.astype(np.int64)


def check_letters(letters: int, name: str) -> None:
    """Raises ValueError for text too long for a label: an array has as much room for each as for the longest."""
    if letters > MAX_LETTERS:
        raise ValueError(f"{name} have up to {letters:,} letters; labels of at most {MAX_LETTERS} are read")


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
        return np.array([], int), (), (TWO_OR_NONE,)
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
    """Labels that are text: an empty one, or one that says so (`names.is_no_label`), is none, unless it is among
    `class_names`; what is chosen counts instead."""
    texts, places = {}, {}  # of each split: the texts there are, and which of them a row has
    for split, labels in plain.items():
        values, places[split] = np.unique(labels, return_inverse=True)
        texts[split] = [_as_text(value) for value in values]
    every = {text for own in texts.values() for text in own}
    if choices.no_label:
        none = {"", "nan", *(part.strip().lower() for part in choices.no_label.split(","))}
        none = {text for text in every if text.lower() in none}
    elif every == {"-1", "1"} and class_names is None:
        none, questions = set(), (*questions, TWO_OR_NONE)
    else:
        none = {text for text in every if is_no_label(text) and text not in (class_names or ())}
        notes += _notes_on_none(none, texts, places)
    names = sort_classes(every - none)
    if class_names is not None and set(names) <= set(class_names):
        names = tuple(class_names)
    number = {name: place for place, name in enumerate(names)}
    splits = {
        split: np.array([number.get(text, NO_LABEL) for text in own], np.int64)[places[split].reshape(-1)]
        for split, own in texts.items()
    }
    return Labels(splits, names, notes, questions)


def _as_text(label: Any) -> str:
    """A label as text without space around it, a number as a whole one; bytes that are no UTF-8 as their numbers."""
    label = int(label) if isinstance(label, float | np.floating) else label
    return (label.decode("utf-8", "backslashreplace") if isinstance(label, bytes) else str(label)).strip()


def _notes_on_none(none: set[str], texts: Mapping[str, list[str]], places: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """How many rows have a label that says that there is none, where it says so in words."""
    counts: Counter[str] = Counter()
    for split, own in texts.items():
        for text, count in zip(own, np.bincount(places[split].reshape(-1), minlength=len(own)).tolist(), strict=True):
            counts[text] += count
    told = sorted(text for text in none if text and text.lower() not in PLAIN_NONE)
    if not told:
        return ()
    count = sum(counts[text] for text in told)
    named = ", ".join(repr(text[:40]) for text in told[:NAMED])
    rows = "1 row has" if count == 1 else f"{count:,} rows have"
    return (f"{rows} the label {named}, which says that there is none; no_label=nan would make it a class.",)


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
