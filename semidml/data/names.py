"""What the names of folders, files and arrays say: a split, rows without a label, masks, a class; and in which order
classes stand. Torch-free."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath


def words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SPLITS = {
    "train": "train training trn learn learning trainval",
    "val": "val valid validation validate validating dev devel development",
    "test": "test testing tst eval evaluation evaluate holdout heldout",
}
SPLIT_TITLES = {"train": "training", "val": "validation", "test": "test"}
SPLIT_WORDS = {word: split for split, words in _SPLITS.items() for word in words.split()}
SHORT = {"tr": "train", "te": "test", "va": "val"}  # which may be words of their own: Turkish, Telugu
GALLERY, QUERIES = words_of("gallery galleries"), words_of("query queries probe probes")  # searched in, searched for
PREDICTED = words_of("pred predict prediction predictions submission submit inference")
MASKS = words_of(
    "mask masks segmentation segmentations annotation annotations annot labelmap labelmaps groundtruth gt labels label"
)
CONTAINERS = words_of(
    "image images img imgs pic pics picture pictures photo photos data dataset jpg jpgs jpeg jpegs jpegimages png pngs "
    "frames raw files all"
)
NEUTRAL = CONTAINERS | words_of("set split sets splits folder dir labelled labeled official original orig")
UNLABELLED = re.compile("unlabel|nolabel|notlabel|withoutlabel|unsup(?!port)|unannotat|untagged|nonlabel")
MAYBE_UNLABELLED = words_of("none null nan noclass unclassified unclassed notclassified")
NO_LABELS = words_of("nan none null na n/a ? -1 -100")  # what is written where a label is missing
IMAGE_WORDS = words_of("x images image img imgs data pixels features samples inputs input pictures")
LABEL_WORDS = words_of("y labels label lbl target targets classes class categories category")


def tokens(name: str) -> list[str]:
    """The words of a name in small letters, without numbers: `seg_trainSet2` is seg, train, set."""
    parted = re.sub("([a-z])([A-Z])", r"\1 \2", unicodedata.normalize("NFC", name))
    words = re.findall("[^\\W\\d_]+", parted.casefold())
    return [part for word in words for part in _unglued(word)]


def _unglued(word: str) -> list[str]:
    """`trainset` is train, set."""
    for tail in ("set", "data", "images", "image", "imgs", "img", "split"):
        if word.endswith(tail) and word[: -len(tail)] in SPLIT_WORDS:
            return [word[: -len(tail)], tail]
    return [word]


def split_of(name: str) -> str:
    """Which split the words of a name are of: train, val or test; "" for none, or for several, but that training and
    validation together, `train_val`, are to be trained on."""
    splits = {SPLIT_WORDS[word] for word in tokens(name) if word in SPLIT_WORDS}
    if splits == {"train", "val"}:
        return "train"
    return splits.pop() if len(splits) == 1 else ""


def splits_of(group: Iterable[str]) -> dict[str, str]:
    """{name: which split it is of, or ""} of names beside one another: where all are of splits, `tr` and `te` are, too;
    so is a gallery beside queries, which is trained on where nothing else is."""
    words = {name: set(tokens(name)) for name in group}
    splits = {name: split_of(name) for name in words}
    short = {name: SHORT[word] for name, own in words.items() for word in own if word in SHORT}
    if all(splits[name] or name in short for name in words):
        splits |= short
    galleries, queries = ([name for name, own in words.items() if own & known] for known in (GALLERY, QUERIES))
    if galleries and queries:
        searched = "test" if "train" in splits.values() else "train"
        splits |= dict.fromkeys(galleries, searched) | dict.fromkeys(queries, "test")
    return splits


def rest_of(name: str) -> frozenset[str]:
    """The words of a name that neither tell a split nor say nothing."""
    nothing = SPLIT_WORDS.keys() | SHORT.keys() | NEUTRAL | GALLERY | QUERIES
    return frozenset(word for word in tokens(name) if word not in nothing)


def is_unlabelled(name: str) -> bool:
    return "unlab" in tokens(name) or bool(UNLABELLED.search(_letters(name)))


def may_be_unlabelled(name: str) -> bool:
    """Whether a name is one of no label or of a class without a thing: `None`, `no_class`."""
    return _letters(name) in MAYBE_UNLABELLED


def _letters(name: str) -> str:
    return re.sub("[\\W\\d_]", "", name.casefold())


def is_no_label(label: str) -> bool:
    """Whether a label that is text says that there is none."""
    own = label.strip().casefold()
    return not own or own in NO_LABELS or is_unlabelled(own)


def is_predicted(name: str) -> bool:
    return bool(PREDICTED & set(tokens(name)))


def is_mask(name: str) -> bool:
    """Whether a folder is called as one of masks is: `masks`, `train_masks`, `ground_truth`; not `with_mask`."""
    words = tokens(name.replace("ground_truth", "groundtruth").replace("ground-truth", "groundtruth"))
    known = NEUTRAL | MASKS | SPLIT_WORDS.keys()
    return bool(MASKS & set(words)) and all(word in known for word in words)


def is_container(name: str) -> bool:
    words = tokens(name)
    return bool(words) and all(word in CONTAINERS for word in words)


def sort_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Class names in the order that a person counts in: 2 before 10, `img2` before `img10`."""
    own = set(names)
    values = {name: _number(name) for name in own}
    if all(value is not None for value in values.values()):
        return tuple(sorted(own, key=lambda name: (values[name], name)))
    return tuple(sorted(own, key=lambda name: (re.sub("[0-9]+", lambda digits: digits[0].zfill(20), name), name)))


def _number(name: str) -> float | None:
    try:
        value = float(name)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in name else None


def merge_names(used: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """{class name: the name that it goes by}, of the names used in each split, training first. Names that are one in
    Unicode's composed form are one class; so are those that differ by case, unless one split has several of them."""
    composed = {split: {_composed(name) for name in names} for split, names in used.items()}
    by_case: dict[str, list[str]] = {}
    for names in composed.values():
        for name in sorted(names):
            known = by_case.setdefault(name.casefold(), [])
            if name not in known:
                known.append(name)
    counts = [Counter(map(str.casefold, names)) for names in composed.values()]
    apart = {case for own in counts for case, count in own.items() if count > 1}
    merged = {}
    for names in used.values():
        for name in names:
            own = _composed(name)
            merged[name] = own if own.casefold() in apart else by_case[own.casefold()][0]
    return merged


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip() or name


def before_number(file: str) -> str | None:
    """What stands before the number at the end of a file's name, but for its suffix: `dogs` of dogs_1.png, `cat` of
    cat.0.jpg; None where there is no number, or nothing before it."""
    stem, ends = PurePath(file).stem, []
    for belongs in (_says_nothing, str.isdecimal, _says_nothing):
        ends.append(len(stem))
        while stem and belongs(stem[-1]):
            stem = stem[:-1]
    has_number = ends[1] > ends[2]
    return stem if has_number and any(map(str.isalpha, stem)) else None


def _says_nothing(letter: str) -> bool:
    return not letter.isalnum()


def part_of(name: str) -> tuple[str, str]:
    """What the name of an array says: (train, val, test or "", images, labels, names or ""). `x_train`, `trainY`,
    `test_labels`, `class_names`."""
    words = [part for word in tokens(name) for part in _unglued_letter(word)]
    if {"names", "name"} & set(words) and (set(words) & (LABEL_WORDS | {"class"}) or len(words) == 1):
        return "", "names"
    splits = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    split = "test" if "t10k" in name.casefold() else splits.pop() if len(splits) == 1 else ""
    if set(words) & LABEL_WORDS:
        return split, "labels"
    return split, "images" if set(words) & IMAGE_WORDS else ""


def rest_of_array(name: str) -> tuple[str, ...]:
    """The words and numbers of the name of an array but for those of its split: what arrays that belong together have
    in common. `y_fine_train` and `y_fine_test` are y, fine."""
    parts = re.findall("[^\\W\\d_]+|[0-9]+", unicodedata.normalize("NFC", name).replace("t10k", "test"))
    words = [part for own in parts for word in tokens(own) or [own] for part in _unglued_letter(word)]
    return tuple(word for word in words if word not in SPLIT_WORDS and word not in ("set", "split"))


def _unglued_letter(word: str) -> list[str]:
    """`xtrain` and `ytr` are x, train and y, train."""
    if word[:1] in "xy" and (word[1:] in SPLIT_WORDS or word[1:] in SHORT):
        return [word[0], SHORT.get(word[1:], word[1:])]
    return [SHORT.get(word, word)]
