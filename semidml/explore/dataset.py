"""A data set before training: counts, a few images of each class, which labels would be seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semidml.config import RunConfig
from semidml.explore import pictures, points

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset


def class_counts(data: "Dataset") -> tuple[list[str], list[int], list[int]]:
    """(class names, training rows of each class, test rows of each); rows without a label, where there are some, come
    last, as if they were a class."""
    train, test = data.train.labels.numpy(), data.test.labels.numpy()
    numbers, names = points.with_unlabelled(np.concatenate([train, test]), data.class_names)
    parts = (numbers[: len(train)], numbers[len(train) :])
    return names, *(np.bincount(part, minlength=len(names)).tolist() for part in parts)


def images_of_each_class(data: "Dataset", classes: Sequence[int], most: int, seed: int) -> list[np.ndarray]:
    """Training images of each of the classes of `class_counts`, drawn with the seed, at most `most`, `reduced`: a list
    of uint8 (m, C, h, w)."""
    labels, rng = data.train.labels.numpy(), np.random.default_rng(seed)
    labels = np.where(labels >= 0, labels, len(data.class_names))
    rows = [np.flatnonzero(labels == c) for c in classes]
    return [pictures.reduce_images(data.train.images[rng.permutation(of_class)[:most]].numpy()) for of_class in rows]


class SeenImages(NamedTuple):
    """The training images whose labels a setting sees."""

    n: int  # seen labels
    redraws: int  # draws thrown away because a metric loss could not have learned from them
    counts: list[int]  # of each class
    images: np.ndarray  # uint8 (m, C, h, w), class after class, `reduced`


def seen_images(config: RunConfig, data: "Dataset", most: int) -> SeenImages:
    """What `config` sees of the labels, with at most `most` of its images, as many of each class as there are of the
    rarest. Raises ValueError when no draw can teach a metric loss."""
    from semidml.train.task import balanced_positions, prepare

    splits, drawn = prepare(config, data)
    rows, labels = drawn.rows.numpy(), splits.train.labels.numpy()
    shown = balanced_positions(labels, rows, most)
    shown = shown[np.argsort(labels[shown], kind="stable")]
    counts = np.bincount(labels[rows], minlength=len(data.class_names)).tolist()
    return SeenImages(len(rows), drawn.redraws, counts, pictures.reduce_images(splits.train.images[shown].numpy()))
