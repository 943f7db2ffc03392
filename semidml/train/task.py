"""What a training is of: rows, seen labels, watched rows, the untrained or loaded model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from semidml import frames
from semidml.config import RunConfig
from semidml.data.batches import Twins
from semidml.data.dataset import Dataset, known
from semidml.data.labels import Seen, draw
from semidml.methods import MODELS
from semidml.rules import explain_no_labels

WATCHED_TRAIN, WATCHED_TEST, WATCHED_SEEN = 3500, 1500, 1000  # rows that the map draws and the live scores are of
SHOWN = 16  # of which reconstructions are kept in a frame


def prepare(config: RunConfig, data: Dataset) -> tuple[Dataset, Seen]:
    """The splits that a config trains and scores on, and the training rows whose labels it sees. pl counts in labels of
    the official training split, as many as rows where each has one. Where the schedule never weighs the metric loss, no
    label is used and any draw will do.
    Raises: ValueError where labels are to be learned from, and too few are there."""
    if config.split == "classes":
        data = data.by_classes()
    splits = data.for_selection(config.seed) if config.evaluate_on == "validation" else data
    labels = known(splits.train.labels)
    if problem := explain_no_labels(config, len(labels), len(labels.unique())):
        raise ValueError(problem)
    seen = draw(
        splits.train.labels,
        config.pl,
        config.label_sampling,
        config.seed,
        official=data.official_train,
        needs_pairs=config.needs_pairs,
        views=config.augment == "on",
    )
    return splits, seen


def with_test(config: RunConfig, data: Dataset, splits: Dataset) -> Dataset:
    """The splits of `prepare`, with the test images of the data set in the place of held-out ones."""
    return replace(splits, test=(data.by_classes() if config.split == "classes" else data).test)


def twins_of(config: RunConfig, data: Dataset) -> Twins | None:
    """How the twins of a data set's images are made; None for a model that has none."""
    if "twin_strength" not in config.used():
        return None
    kind = data.twins if config.twin_transform == "auto" else config.twin_transform
    strength = config.twin_strength * (data.augment_strength if kind == "signs" else 1.0)
    return Twins(kind, strength, config.twin_views == "both", config.twin_colours)


def seeded_model(config: RunConfig, shape: tuple[int, int, int], classes: int, overwritten: bool = False) -> nn.Module:
    """The untrained model; torch's global generator is left as it was. overwritten: whether all its weights are about
    to be loaded, so that those of ImageNet need not be there."""
    if overwritten:
        config = config.model_copy(update={"pretrained": "no"})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return MODELS[config.model].resolve()(
            config, shape, max(classes, 1)
        )  # a loss that idles has a proxy all the same


def load_model(
    config: RunConfig, shape: tuple[int, int, int], classes: int, weights: Mapping[str, Tensor]
) -> nn.Module:
    """The trained model on the CPU, in evaluation mode.
    Raises: ValueError when the weights are not those of this config."""
    model = seeded_model(config, shape, classes, overwritten=True)
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ValueError(f"the weights do not belong to this config: {error}") from error
    return model.eval()


def watched_rows(data: Dataset, seen: Tensor, seed: int) -> dict[str, np.ndarray]:
    """The rows that are drawn and scored live: up to 1,000 with a seen label, others up to 3,500 of the training
    split, and up to 1,500 of the test split, all stratified by class and drawn with the seed. See `Training.rows`."""
    generator = torch.Generator().manual_seed(seed)
    is_seen = torch.zeros(len(data.train.labels), dtype=torch.bool)
    is_seen[seen] = True
    first = stratified(seen, data.train.labels, WATCHED_SEEN, generator)
    rest = torch.ones(len(data.train.labels), dtype=torch.bool)
    rest[first] = False
    more = stratified(rest.nonzero()[:, 0], data.train.labels, WATCHED_TRAIN - len(first), generator)
    train = torch.cat([first, more]).sort().values
    test = stratified(torch.arange(len(data.test.labels)), data.test.labels, WATCHED_TEST, generator).sort().values
    split = torch.cat([torch.full_like(train, frames.TRAIN), torch.full_like(test, frames.TEST)])
    labels = data.test.labels[test].numpy()
    shown = len(train) + balanced_positions(labels, np.argsort(labels, kind="stable"), SHOWN)
    return {
        "split": split.to(torch.uint8).numpy(),
        "row": torch.cat([train, test]).to(torch.int32).numpy(),
        "labels": torch.cat([data.train.labels[train], data.test.labels[test]]).to(torch.int16).numpy(),
        "seen": torch.cat([is_seen[train], torch.zeros(len(test), dtype=torch.bool)]).numpy(),
        "shown": shown.astype(np.int32),
    }


def stratified(rows: Tensor, labels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most `most` of the rows, the classes' shares kept to within one row."""
    if len(rows) <= most:
        return rows
    shuffled = rows[torch.randperm(len(rows), generator=generator)]
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    return by_class[(torch.arange(most) * len(rows)) // most]


def balanced_positions(values: np.ndarray, order: Sequence[int] | np.ndarray, most: int) -> np.ndarray:
    """At most `most` positions, as many of each value as there are of the one with fewest, in the order given.

    values: (N,), one of each position; order: positions."""
    ranked = np.asarray(order, dtype=np.int64)
    rank = np.empty(len(ranked), dtype=np.int64)
    for value in np.unique(values[ranked]):
        own = np.flatnonzero(values[ranked] == value)
        rank[own] = np.arange(len(own))
    return ranked[np.argsort(rank, kind="stable")][:most]
