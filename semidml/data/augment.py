"""Small turns, scalings and shifts of images, on the device they lie on; their amounts are drawn on the CPU.

Rotation up to 12 degrees, scale and shift up to 10 %: what helped in our measurements on MNIST with few labels. At 8x8
the same amounts hurt; `semidml.data.augment_strength` says what suits a shape.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

DEGREES = 12.0
SCALE = 0.1
SHIFT = 0.1  # of the image's side


def affine_parameters(steps: int, rows: int, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Amounts for `rows` images in each of `steps` steps: (steps, rows, 4) float32 on the CPU, each uniform around the
    identity (0, 1, 0, 0): angle in radians, scale, shift to the right and down in sides of the image. `strength`
    multiplies them."""
    reach = torch.tensor([math.radians(DEGREES), SCALE, SHIFT, SHIFT]) * strength
    amounts = (2 * torch.rand(steps, rows, 4, generator=generator) - 1) * reach
    amounts[..., 1] += 1
    return amounts


def affine(images: Tensor, parameters: Tensor) -> Tensor:
    """Images (B, C, H, W), each turned, scaled about its centre, then shifted by its row of `parameters` (B, 4), on
    any device.

    Bilinear; what comes in from outside continues the border. A pixel at p of the result is taken from
    R(-angle) (p - shift) / scale, p measured in pixels from the centre."""
    _, _, height, width = images.shape
    angle, scale, right, down = parameters.to(images.device, images.dtype).unbind(1)  # (B,) each
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    across, along = width / 2, height / 2  # pixels in one unit of grid_sample's coordinates
    matrix = torch.stack([cos, sin * (along / across), -sin * (across / along), cos], 1).view(-1, 2, 2)  # (B, 2, 2)
    shift = 2 * torch.stack([right, down], 1)  # (B, 2)
    offset = -(matrix * shift[:, None]).sum(2)  # (B, 2)
    # An affine map is a function of the column plus one of the row: added as (B, 1, W, 2) + (B, H, 1, 2), which took
    # a tenth of the time of a matrix product with all pixels (200 x 28 x 28 on one CPU core, 0.2 against 2 to 3 ms,
    # n=300, November 2026).
    columns = (matrix[:, :, 0, None] * _centres(width, images)).transpose(1, 2)[:, None]
    rows = (matrix[:, :, 1, None] * _centres(height, images)).transpose(1, 2)[:, :, None] + offset[:, None, None]
    return grid_sample(images, columns + rows, mode="bilinear", padding_mode="border", align_corners=False)


def _centres(side: int, like: Tensor) -> Tensor:
    """Centres of a side's pixels in grid_sample's coordinates, -1 to 1 from edge to edge: (side,)."""
    return (2 * torch.arange(side, device=like.device, dtype=like.dtype) + 1) / side - 1
