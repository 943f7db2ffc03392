"""Fully connected encoder and its mirror image."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

from semidml.networks.precision import LastLinear

HIDDEN = (256, 128)


def build(shape: tuple[int, int, int], latent_dim: int, decoder: bool, outputs: int | None = None):
    """(encoder, decoder or None) for images (C, H, W): pixels -> hidden ... -> D, and D -> ... hidden -> pixels. The
    encoder has `outputs` numbers a row, D unless said."""
    hidden = [*layers([prod(shape), *HIDDEN]), nn.ReLU()]
    encode = nn.Sequential(nn.Flatten(), *hidden, LastLinear(HIDDEN[-1], outputs or latent_dim))
    if not decoder:
        return encode, None
    return encode, nn.Sequential(*layers([latent_dim, *HIDDEN[::-1], prod(shape)]), nn.Unflatten(1, shape))


def layers(sizes: Sequence[int]) -> list[nn.Module]:
    """Linear maps between the sizes, a ReLU between each two."""
    made: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        made += [nn.Linear(n_in, n_out), nn.ReLU()]
    return made[:-1]
