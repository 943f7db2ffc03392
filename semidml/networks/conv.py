"""Convolutional encoder with batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) and its mirror image."""

from torch import Tensor, nn

CHANNELS = (16, 32)
HIDDEN = 128


def build(shape: tuple[int, int, int], latent_dim: int, decoder: bool, outputs: int | None = None):
    """(encoder, decoder or None) for images (C, H, W); the decoder crops to H x W what is not a multiple of 4. The
    encoder has `outputs` numbers a row, D unless said."""
    channels, height, width = shape
    flat = CHANNELS[1] * -(-height // 4) * -(-width // 4)
    encode = nn.Sequential(
        *_down(channels, CHANNELS[0]),
        *_down(CHANNELS[0], CHANNELS[1]),
        nn.Flatten(),
        nn.Linear(flat, HIDDEN, bias=False),
        nn.BatchNorm1d(HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, outputs or latent_dim),
    )
    return encode, _decoder(shape, latent_dim) if decoder else None


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


def _down(n_in: int, n_out: int) -> list[nn.Module]:
    return [nn.Conv2d(n_in, n_out, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
