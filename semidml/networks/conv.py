"""Convolutional encoders with batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) and a decoder that mirrors
the small one."""

import math
from itertools import pairwise

from torch import Tensor, nn

from semidml.networks.precision import LastLinear

CHANNELS, KERNELS = (16, 32), (5, 5)
DEEP_CHANNELS, DEEP_KERNELS = (32, 64, 128, 256), (5, 3, 3, 3)
HIDDEN = 128


def build(shape: tuple[int, int, int], latent_dim: int, decoder: bool, outputs: int | None = None):
    """(encoder, decoder or None) for images (C, H, W); the decoder crops to H x W what is not a multiple of 4. The
    encoder has `outputs` numbers a row, D unless said."""
    encode = _encoder(shape, CHANNELS, KERNELS, outputs or latent_dim)
    return encode, _decoder(shape, latent_dim) if decoder else None


def deep(shape: tuple[int, int, int], latent_dim: int, decoder: bool, outputs: int | None = None):
    """`build` with twice as many convolutions in the encoder, each with twice the channels of the one before: for
    photographs. Its decoder is the small one's, which takes little time beside it."""
    encode = _encoder(shape, DEEP_CHANNELS, DEEP_KERNELS, outputs or latent_dim)
    return encode, _decoder(shape, latent_dim) if decoder else None


def _encoder(shape: tuple[int, int, int], widths: tuple[int, ...], kernels: tuple[int, ...], outputs: int) -> nn.Module:
    channels, height, width = shape
    halved = 2 ** len(widths)
    flat = widths[-1] * math.ceil(height / halved) * math.ceil(width / halved)
    convolutions = [
        layer
        for (n_in, n_out), kernel in zip(pairwise((channels, *widths)), kernels, strict=True)
        for layer in _down(n_in, n_out, kernel)
    ]
    return nn.Sequential(
        *convolutions,
        nn.Flatten(),
        nn.Linear(flat, HIDDEN, bias=False),
        nn.BatchNorm1d(HIDDEN),
        nn.ReLU(),
        LastLinear(HIDDEN, outputs),
    )


def _decoder(shape: tuple[int, int, int], latent_dim: int) -> nn.Module:
    channels, height, width = shape
    small = (CHANNELS[1], -(-height // 4), -(-width // 4))
    flat = small[0] * small[1] * small[2]
    return nn.Sequential(
        nn.Linear(latent_dim, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, flat, bias=False),
        nn.BatchNorm1d(flat),
        nn.ReLU(),
        nn.Unflatten(1, small),
        nn.ConvTranspose2d(CHANNELS[1], CHANNELS[0], 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(CHANNELS[0]),
        nn.ReLU(),
        nn.ConvTranspose2d(CHANNELS[0], channels, 4, stride=2, padding=1),
        Crop(height, width),
    )


class Crop(nn.Module):
    """(B, C, H', W') -> (B, C, height, width): the upper left part."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        return x[..., : self.height, : self.width]


def _down(n_in: int, n_out: int, kernel: int) -> list[nn.Module]:
    """Half the side, rounded up."""
    convolution = nn.Conv2d(n_in, n_out, kernel, stride=2, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]
