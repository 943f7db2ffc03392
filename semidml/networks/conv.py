"""Convolutional encoders with batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) and a decoder that mirrors
the small one."""

import math
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from semidml.networks.precision import LastLinear

SMALL = ((16, 32), (5, 5))  # channels and kernels of the convolutions
DEEP = ((32, 64, 128, 256), (5, 3, 3, 3))  # twice as many, each with twice the channels of the one before
HIDDEN = 128


def build(
    shape: tuple[int, int, int],
    latent_dim: int,
    decoder: bool,
    outputs: int | None = None,
    layers: tuple[tuple[int, ...], tuple[int, ...]] = SMALL,
) -> tuple[nn.Module, nn.Module | None]:
    """(encoder, decoder or None) for images (C, H, W); the decoder, always the small one's, crops to H x W what is not
    a multiple of 4. The encoder has `outputs` numbers a row, D unless said."""
    channels, height, width = shape
    widths, kernels = layers
    halved = 2 ** len(widths)
    flat = widths[-1] * math.ceil(height / halved) * math.ceil(width / halved)
    convolutions: list[nn.Module] = []
    for (n_in, n_out), kernel in zip(pairwise((channels, *widths)), kernels, strict=True):  # half the side, rounded up
        convolution = nn.Conv2d(n_in, n_out, kernel, stride=2, padding=kernel // 2, bias=False)
        convolutions += [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]
    hidden = [nn.Flatten(), nn.Linear(flat, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN), nn.ReLU()]
    encoder = nn.Sequential(*convolutions, *hidden, LastLinear(HIDDEN, outputs or latent_dim))
    return encoder, _decoder(shape, latent_dim) if decoder else None


deep = partial(build, layers=DEEP)


def _decoder(shape: tuple[int, int, int], latent_dim: int) -> nn.Module:
    channels, height, width = shape
    (hidden, wide), _ = SMALL
    small = (wide, -(-height // 4), -(-width // 4))
    flat = small[0] * small[1] * small[2]
    return nn.Sequential(
        nn.Linear(latent_dim, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, flat, bias=False),
        nn.BatchNorm1d(flat),
        nn.ReLU(),
        nn.Unflatten(1, small),
        nn.ConvTranspose2d(wide, hidden, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU(),
        nn.ConvTranspose2d(hidden, channels, 4, stride=2, padding=1),
        Crop(height, width),
    )


class Crop(nn.Module):
    """(B, C, H', W') -> (B, C, height, width): the upper left part."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.height, : self.width]
