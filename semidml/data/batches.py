"""Which rows each step of an epoch takes: labelled ones as constant blocks of classes, and all rows in passes.

Everything random of an epoch is drawn at its start, on the CPU, from one generator: the same seed gives the same rows
on every device, and a step has static shapes.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from semidml.data.augment import TWINS, affine_parameters
from semidml.data.labels import fit_per_class, too_large


class Epoch(NamedTuple):
    labelled: Tensor  # int64 (steps, L), rows of the training split
    views: Tensor | None  # float32 (steps, L, 4), the affine parameters of the labelled rows
    images: Tensor  # int64 (steps, B)
    twins: Tensor | None = None  # float32 (steps, B or 2 B, 6 or 10), for `augment.view` of [the images and] twins


class Twins(NamedTuple):
    """How the views of an image are made: the kind of transform, of `augment.TWINS`, what multiplies its amounts,
    whether the image itself is transformed too, as its twin is, and what multiplies changes of colours once more."""

    kind: str
    strength: float
    both: bool
    colours: float = 1.0

    def amounts(self, steps: int, rows: int, generator: torch.Generator) -> Tensor:
        """For `augment.view` of as many images in each of `steps` steps: float32 (steps, rows, 6 or 10)."""
        return TWINS[self.kind](steps, rows, generator, self.strength, self.colours)


class Batches:
    """Row numbers for the steps of each epoch, for N training rows of which `seen` have a label.

    A step holds `per_class` rows of each seen class, or all of them where a class has fewer; where rows are
    augmented, a class with fewer fills its block with further views of its rows. `y` is the same in every step, so
    that pairs are found once."""

    def __init__(
        self,
        labels: Tensor,
        seen: Tensor,
        per_class: int,
        batch_size: int,
        augment: float,
        twins: Twins | None = None,
        drop_last: bool = False,
        fits: bool = False,
    ):
        """labels: (N,), read at the `seen` rows (n,) only, which may be none; augment: strength of the augmentation, 0
        for none (`Dataset.augment_strength`); drop_last: whether rows that are too few for a step are left out of an
        epoch, instead of filled up; fits: whether `per_class` becomes as many as fit into a step.
        Raises: ValueError when a step would be too large."""
        self.n, self.batch_size, self.augment, self.twins = len(labels), batch_size, augment, twins
        self.steps = self.n // batch_size if drop_last else -(-self.n // batch_size)
        shown = labels[seen]
        self.classes = [seen[shown == c] for c in shown.unique().tolist()]
        if fits:
            per_class = fit_per_class([len(rows) for rows in self.classes], per_class, views=bool(augment))
        self.per_class = per_class
        self.blocks = [per_class if augment else min(per_class, len(rows)) for rows in self.classes]
        blocks = [labels[rows[:1]].expand(m) for rows, m in zip(self.classes, self.blocks, strict=True)]
        self.y = torch.cat([labels[:0], *blocks])
        if problem := too_large(self.blocks, per_class):
            raise ValueError(problem)

    def epoch(self, generator: torch.Generator) -> Epoch:
        """The rows of the next epoch, on the CPU."""
        blocks = [self._block(rows, m, generator) for rows, m in zip(self.classes, self.blocks, strict=True)]
        labelled = torch.cat([torch.empty(self.steps, 0, dtype=torch.int64), *blocks], dim=1)
        views = None
        if self.augment:
            views = affine_parameters(self.steps, labelled.shape[1], generator, self.augment)
        # Every row once, in random order; a last step that is not full is filled up from the start, or left out.
        order, size = torch.randperm(self.n, generator=generator), self.steps * self.batch_size
        images, twins = order.repeat(-(-size // self.n))[:size].view(self.steps, -1), None
        if self.twins:
            views_a_step = self.batch_size * (2 if self.twins.both else 1)
            twins = self.twins.amounts(self.steps, views_a_step, generator)
        return Epoch(labelled, views, images, twins)

    def _block(self, rows: Tensor, m: int, generator: torch.Generator) -> Tensor:
        """(steps, m) of a class's rows; passes over the class, cut into steps so that none holds a row twice."""
        copies = rows.repeat(-(-m // len(rows)))  # more than one only where views of a row may meet
        steps_a_pass = len(copies) // m
        passes = [
            copies[torch.randperm(len(copies), generator=generator)[: steps_a_pass * m]]
            for _ in range(-(-self.steps // steps_a_pass))
        ]
        return torch.cat(passes).view(-1, m)[: self.steps]
