"""Clusters of a run that has its own, and what labels are worth beside them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from semidml.config import RunConfig, declared_knobs
from semidml.data.labels import most_per_class
from semidml.frames import Frame
from semidml.presets import COMPARATOR

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset


LABEL_COUNTS = (20, 50, 100, 200, 500, 1_000, 2_000, 5_000)  # with which plain deep metric learning is compared


class Cluster(NamedTuple):
    """A cluster of a frame."""

    number: int
    size: int  # rows drawn that belong to it
    entropy: float  # mean of these rows' cluster probabilities, in nats
    label: int  # its commonest class, -1 where no row has a label
    share: float  # of that class among its rows with a label, 0 to 1; NaN without
    members: np.ndarray  # int64 (m,), positions of the rows nearest to its middle
    drawn: np.ndarray | None  # uint8 (C, H, W), what the decoder makes of its mean representation


def list_clusters(frame: Frame, members: int = 8) -> list[Cluster]:
    """The clusters of a frame that have rows, the largest first."""
    has_images = frame.cluster_images is not None
    pictures = dict(zip(frame.cluster_shown, frame.cluster_images, strict=True)) if has_images else {}
    clusters = []
    for number in np.argsort(-frame.cluster_sizes, kind="stable"):
        own = np.flatnonzero(frame.clusters == number)
        if not len(own):
            break
        labels, latents = frame.rows["labels"][own], frame.latents[own]
        counts = np.bincount(labels[labels >= 0])
        far = np.square(latents - latents.mean(axis=0)).sum(axis=1)
        nearest, entropy = own[np.argsort(far, kind="stable")[:members]], float(frame.cluster_entropies[number])
        label, share = (int(counts.argmax()), float(counts.max() / counts.sum())) if counts.size else (-1, math.nan)
        clusters.append(Cluster(int(number), len(own), entropy, label, share, nearest, pictures.get(number)))
    return clusters


def make_twins(config: RunConfig, data: "Dataset", images: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Twins of images as a training of this config makes them: uint8 (m, C, H, W) -> uint8 (count, m, C, H, W). Raises
    ValueError for a model that has none."""
    import torch

    from semidml.data.augment import view
    from semidml.train.outputs import to_pixels, to_unit
    from semidml.train.task import twins_of

    how = twins_of(config, data)
    if how is None:
        raise ValueError(f"{config.model} has no twins")
    amounts = how.amounts(count, len(images), torch.Generator().manual_seed(seed))
    plain = to_unit(torch.from_numpy(np.ascontiguousarray(images)))
    return np.stack([to_pixels(view(plain, amount)) for amount in amounts])


def comparator_configs(
    config: RunConfig, rows: int, classes: int, counts: Sequence[int] = LABEL_COUNTS
) -> dict[int, RunConfig]:
    """Plain deep metric learning (`presets.COMPARATOR`) on the data of a run without labels, with as many epochs: its
    setting by the number of labels seen, of `rows` training images of so many classes."""
    each = declared_knobs()["labelled_per_class"]
    same = {name: getattr(config, name) for name in ("data", "split", "evaluate_on", "epochs", "seed", "device")}
    own = {"labelled_per_class": max(int(each.low), min(each.default, most_per_class(classes)))}
    steps = {"batch_size": min(2 * config.batch_size, int(declared_knobs()["batch_size"].high))}  # as with twins
    return {
        count: RunConfig.of(COMPARATOR | same | own | steps | {"pl": 100 * count / rows})
        for count in counts
        if count <= rows
    }


def labels_worth(counts: Sequence[int], scores: Sequence[float], level: float) -> float | None:
    """The number of labels at which a score first reaches `level`, between two counts in proportion on a logarithmic
    scale; the smallest count if that is enough; None where no count is. counts: rising."""
    for i, (count, score) in enumerate(zip(counts, scores, strict=True)):
        if score >= level:
            if i == 0:
                return float(count)
            share = (level - scores[i - 1]) / (score - scores[i - 1])
            return float(np.exp(np.log(counts[i - 1]) + share * (np.log(count) - np.log(counts[i - 1]))))
    return None
