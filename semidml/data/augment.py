"""Turns, scalings, shifts, crops, mirrorings and other colours of images, each image its own, on the device they lie
on; their amounts are drawn on the CPU. torchvision's transforms draw one amount for a whole batch, so the maps of the
pixels and of their colours are put together here; torch's grid_sample and one matrix product an image draw them.

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
SIGN_DEGREES, SIGN_SCALE, SIGN_SHEAR, SIGN_SHIFT = 25.0, 0.25, 30.0, 0.07  # of twins
SMALLEST_CROP = 0.2  # of the image's area, as in Ye et al. 2019, arXiv 1904.03436
WIDEST_CROP = 4 / 3  # width over height, and its inverse
COLOUR, HUE_DEGREES, GREY = 0.4, 18.0, 0.2  # brightness, contrast and saturation; hue; the share that becomes grey
MOST_COLOUR = 0.95  # an image always keeps a twentieth of each
LUMA = (0.299, 0.587, 0.114)  # what red, green and blue add to grey (ITU-R BT.601)


def affine_parameters(steps: int, rows: int, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Amounts for `rows` images in each of `steps` steps: (steps, rows, 4) float32 on the CPU, each uniform around the
    identity (0, 1, 0, 0): angle in radians, scale, shift to the right and down in sides of the image, by `strength`."""
    reach = torch.tensor([math.radians(DEGREES), SCALE, SHIFT, SHIFT]) * strength
    amounts = (2 * torch.rand(steps, rows, 4, generator=generator) - 1) * reach
    amounts[..., 1] += 1
    return amounts


def sign_parameters(
    steps: int, rows: int, generator: torch.Generator, strength: float = 1.0, colours: float = 1.0
) -> Tensor:
    """Amounts for twins of digits, letters and the like, never mirrored: (steps, rows, 6) float32 on the CPU, as
    `affine` takes them. Rotation up to 25 degrees, scale up to 25 % and each axis as much again, shear up to 30
    degrees, shift up to 7 %, times `strength`; no change of colours, whatever `colours` says."""
    u = 2 * torch.rand(steps, rows, 7, generator=generator) - 1
    angle = u[..., 0] * math.radians(SIGN_DEGREES) * strength
    shear = torch.tan(u[..., 1] * math.radians(min(SIGN_SHEAR * strength, 60)))
    x_scale, y_scale = ((u[..., 2] + u[..., axis]) * math.log(1 + SIGN_SCALE) * strength for axis in (3, 4))
    shift = u[..., 5:] * SIGN_SHIFT * strength
    return torch.stack([angle, x_scale.exp(), y_scale.exp(), shear, shift[..., 0], shift[..., 1]], -1)


def crop_parameters(steps: int, rows: int, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Amounts for crops that fill the image again, each mirrored half the time: (steps, rows, 6) float32 on the CPU,
    as `affine` takes them. The crop's area is uniform from 1 - .8 `strength` (at least a twentieth) to 1 of the image,
    its width over height log-uniform between 3/4 and 4/3 (nearer to 1 where `strength` is below 1), its place uniform;
    with strength 0 the image stays as it is."""
    random = torch.rand(steps, rows, 5, generator=generator)
    area = 1 - random[..., 0] * min((1 - SMALLEST_CROP) * strength, 0.95)
    ratio = ((2 * random[..., 1] - 1) * math.log(WIDEST_CROP) * min(strength, 1.0)).exp()
    width, height = (area * ratio).sqrt().clamp_max(1), (area / ratio).sqrt().clamp_max(1)  # shares of the sides
    across, down = (random[..., 2] - 0.5) * (1 - width), (random[..., 3] - 0.5) * (1 - height)  # of the crop's centre
    mirror, none = torch.where(random[..., 4] < 0.5 * (strength > 0), -1.0, 1.0), torch.zeros_like(area)
    return torch.stack([none, mirror / width, 1 / height, none, -mirror * across / width, -down / height], -1)


def colour_parameters(steps: int, rows: int, generator: torch.Generator, strength: float = 1.0) -> Tensor:
    """Amounts for `recoloured`: (steps, rows, 4) float32 on the CPU. Brightness, contrast and saturation uniform up to
    40 % around 1 (at most 95 %), hue up to 18 degrees either way, each times `strength`; a share of .2 `strength`
    of the rows has saturation 0. These changes are those of Ye et al. 2019, whose hues turn farther."""
    u = 2 * torch.rand(steps, rows, 3, generator=generator) - 1
    hue, grey = torch.rand(2, steps, rows, generator=generator)
    factors = 1 + u * min(COLOUR * strength, MOST_COLOUR)
    factors[..., 2] *= grey >= GREY * strength
    return torch.cat([factors, ((2 * hue - 1) * math.radians(HUE_DEGREES) * strength)[..., None]], -1)


def photograph_parameters(
    steps: int, rows: int, generator: torch.Generator, strength: float = 1.0, colours: float = 1.0
) -> Tensor:
    """Amounts for twins of photographs, crops in other colours: (steps, rows, 10) float32 on the CPU, those of
    `crop_parameters` at this strength and of `colour_parameters` at `colours` times it."""
    crops = crop_parameters(steps, rows, generator, strength)
    return torch.cat([crops, colour_parameters(steps, rows, generator, colours * strength)], -1)


# By `Dataset.twins`, how an image's views differ: amounts for `view`.
TWINS = {"signs": sign_parameters, "photographs": photograph_parameters}


def view(images: Tensor, parameters: Tensor) -> Tensor:
    """Images (B, C, H, W) in [0, 1] as their rows of `parameters` say, on any device: (B, 4) or (B, 6) for `affine`
    alone, (B, 10) for `affine` and then `recoloured`."""
    moved = affine(images, parameters[:, :6])
    return recoloured(moved, parameters[:, 6:]) if parameters.shape[1] > 6 else moved


def recoloured(images: Tensor, amounts: Tensor) -> Tensor:
    """Images (B, C, H, W) in [0, 1] in other colours, cut to [0, 1], on any device. A row of `amounts` (B, 4) has
    factors of an image's brightness, of its contrast about its mean grey and of its saturation, and an angle in radians
    by which its hues turn about the axis of greys; what has not three channels has neither saturation nor hue.

    Brightness b, contrast c and saturation s are those of torchvision's `adjust_brightness`, `adjust_contrast` and
    `adjust_saturation`, but cut to [0, 1] once, at the end. Together they are one affine map of an image's colours, so
    with grey y = w . x of a pixel x, its mean m over the image, and H the turn:
    x -> c b (1 w' + s H (I - 1 w')) x + (1 - c) b m."""
    brightness, contrast, saturation, hue = amounts.to(images.device, images.dtype)[..., None, None].unbind(1)
    rows = images.flatten(2)  # (B, C, H W)
    channels = rows.shape[1]
    like = {"device": images.device, "dtype": images.dtype}
    luma = torch.tensor(LUMA, **like) if channels == 3 else torch.full((channels,), 1 / channels, **like)  # (C,)
    grey_mean = rows.mean(2) @ luma  # (B,)
    offset = (1 - contrast) * brightness * grey_mean[:, None, None]  # (B, 1, 1)
    if channels != 3:
        return (rows * (brightness * contrast) + offset).clamp(0, 1).view_as(images)
    grey, identity = luma.expand(3, 3), torch.eye(3, **like)  # grey x is y in each channel
    across = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], **like) / math.sqrt(3)  # cross product with the axis
    turn = hue.cos() * identity + hue.sin() * across + (1 - hue.cos()) / 3  # (B, 3, 3), Rodrigues
    matrix = brightness * contrast * (grey + saturation * (turn @ (identity - grey)))
    return (matrix @ rows + offset).clamp(0, 1).view_as(images)


def affine(images: Tensor, parameters: Tensor) -> Tensor:
    """Images (B, C, H, W), each turned, sheared, scaled about its centre, then shifted by its row of `parameters`, on
    any device: (B, 4) angle in radians, scale, shift to the right and down in sides of the image; or (B, 6) angle, a
    scale for each axis, negative where it is mirrored, tangent of the shear, and the shifts.

    Bilinear; what comes in from outside continues the border. A pixel at p of the result is taken from
    R(-angle) Shear(-) Scale^-1 (p - shift), p measured in pixels from the centre."""
    _, _, height, width = images.shape
    parts = parameters.to(images.device, images.dtype).unbind(1)  # (B,) each
    angle, x_scale, y_scale, shear, right, down = parts if len(parts) == 6 else (*parts[:2], parts[1], 0.0, *parts[2:])
    cos, sin = torch.cos(angle), torch.sin(angle)
    across, along = width / 2, height / 2  # pixels in one unit of grid_sample's coordinates
    matrix = torch.stack(  # (B, 2, 2)
        [
            cos / x_scale,
            (sin - shear * cos) / y_scale * (along / across),
            -sin / x_scale * (across / along),
            (cos + shear * sin) / y_scale,
        ],
        1,
    ).view(-1, 2, 2)
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
