"""Fully connected encoder and its mirror image."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import nn

HIDDEN = (256, 128)


def build(shape: tuple[int, int, int], latent_dim: int, decoder: bool, hidden: Sequence[int] = HIDDEN):
    """(encoder, decoder or None) for images (C, H, W): pixels -> hidden ... -> D, and D -> ... hidden -> pixels."""
    sizes = [prod(shape), *hidden, latent_dim]
    encode = nn.Sequential(nn.Flatten(), *layers(sizes))
    return encode, nn.Sequential(*layers(sizes[::-1]), nn.Unflatten(1, shape)) if decoder else None


def layers(sizes: Sequence[int]) -> list[nn.Module]:
    """Linear maps between the sizes, a ReLU between each two."""
    made: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        made += [nn.Linear(n_in, n_out), nn.ReLU()]
    return made[:-1]
