"""Pixels of one image as Pillow opened it, whatever kind they are of: upright, in 8 bits, on a ground. Torch-free but
for 16 bits a colour, which Pillow does not read."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, ImageOps

from semidml.data.values import EIGHT_BITS, SIXTEEN_BITS, Range, as_bytes, plain_range, understand_range

SIDES = (4, 256)  # pixels that an image may be wide or high
WHITE, BLACK, GREY = 255, 0, 128
FAINT = 1 / 8  # of the contrast that an image has on the ground that suits it best, below which it counts as invisible
TURNED = {"exif", "Raw profile type exif"}  # where a .png notes before its pixels how the camera was held,
TURNED_BEHIND = TURNED | {"xmp", "XML:com.adobe.xmp"}  # and behind them
DEEP = ("I", "F")  # modes of more than 8 bits a pixel, besides those that begin with I;16


class Look(NamedTuple):
    """What is decided once for all images of a set."""

    values: Range = EIGHT_BITS  # of the images of more than 8 bits
    ground: int = WHITE  # what is transparent becomes
    notes: tuple[str, ...] = ()
    ranges: tuple[Range, Range, Range] | None = None  # what deep images could be read in: see `look.Contrast`


def is_on_its_side(image: Image.Image) -> bool:
    """Whether width and height are those of the image turned, as a camera noted. A .tiff is told upright by Pillow; of
    a .png only what stands before the pixels is looked at, since more would unpack them."""
    if image.format == "TIFF" or (image.format == "PNG" and TURNED.isdisjoint(image.info)):
        return False
    return image.getexif().get(0x0112, 1) >= 5


def turn_upright(image: Image.Image) -> None:
    """Unpack an image, and turn it in place as the camera was held."""
    image.load()
    if image.format != "PNG" or not TURNED_BEHIND.isdisjoint(image.info):  # most tell nothing, and are many
        ImageOps.exif_transpose(image, in_place=True)


def is_deep(image: Image.Image) -> bool:
    mode = image.mode
    return mode in DEEP or mode.startswith("I;16")


def is_deep_colour(image: Image.Image) -> bool:
    """Whether a .png has 16 bits a colour, or 16 bits and transparency: Pillow keeps the upper 8 of them."""
    if image.format != "PNG" or not image.tile or is_deep(image):  # once it is unpacked there is no tile any more
        return False
    return any("16" in str(tile[3]) for tile in image.tile)


def read_deep_colour(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """The 16 bits of such an image, upright: (colours (H, W, 1 or 3), opaqueness (H, W, 1) where it has any).
    Raises: RuntimeError for a damaged file."""
    import torch
    from torchvision.io import ImageReadMode, decode_image

    image.fp.seek(0)
    content = torch.frombuffer(bytearray(image.fp.read()), dtype=torch.uint8)
    deep = decode_image(content, ImageReadMode.UNCHANGED, apply_exif_orientation=True).permute(1, 2, 0).numpy()
    return (deep, None) if deep.shape[2] in (1, 3) else (deep[..., :-1], deep[..., -1:])


def flatten_deep_colour(image: Image.Image, look: Look) -> Image.Image:
    """Such an image in 8 bits, upright; its transparency is kept."""
    colours, opaque = read_deep_colour(image)
    bands = [as_bytes(colours, look.values)] + ([] if opaque is None else [as_bytes(opaque, SIXTEEN_BITS)])
    joined = np.concatenate(bands, axis=2)
    return Image.fromarray(joined[..., 0] if joined.shape[2] == 1 else joined)


def in_colour(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or []).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return image.mode not in ("1", "L", "LA", "La") and not is_deep(image)


def flatten(image: Image.Image, mode: str, look: Look) -> Image.Image:
    """An image in 8 bits, grey (L) or colour (RGB)."""
    if is_deep(image):
        image = Image.fromarray(as_bytes(np.array(image), look.values))
    if image.mode == "LAB":
        lab, colours = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, lab, colours, outputMode="RGB")
    if image.has_transparency_data:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, (look.ground,) * 3), above)
    return image if image.mode == mode else image.convert(mode)


# ---- what is decided once for a set


class Measured(NamedTuple):
    """What the pixels of one image say of its set."""

    low: float = math.inf  # the least and the greatest number of a deep image, as here of another
    high: float = -math.inf
    whole: bool = True  # whether these are whole numbers
    faint: tuple[int, ...] = ()  # the grounds on which one that is transparent in parts could hardly be seen


def measure(image: Image.Image, deep: bool) -> Measured:
    """What an image says that is deep, or else transparent in parts."""
    if not deep:
        return Measured(faint=_faint_on(image))
    pixels = read_deep_colour(image)[0] if is_deep_colour(image) else np.array(image)
    own = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
    return Measured(float(own.min()), float(own.max()), pixels.dtype.kind != "f") if own.size else Measured()


def decide(measured: Iterable[Measured | None], values: str = "") -> Look:
    """What is decided of a set whose images say so; None says nothing. values: see `Choices`."""
    told = [own for own in measured if own is not None]
    low, high = min((own.low for own in told), default=math.inf), max((own.high for own in told), default=-math.inf)
    whole = all(own.whole for own in told)
    depth, words, ranges = EIGHT_BITS, "", None
    if low <= high:
        depth, words = understand_range(low, high, whole, values)
        ranges = plain_range(high, whole), understand_range(low, high, whole)[0], Range(low, high)
    ground = min(
        (WHITE, BLACK, GREY), key=lambda colour: sum(colour in own.faint for own in told)
    )  # the first of equals
    notes = (words,) if words else ()
    if ground != WHITE:
        name = "black" if ground == BLACK else "grey"
        notes += (
            f"What is transparent was made {name} in all images: on white, what some of them show would not be seen.",
        )
    return Look(depth, ground, notes, ranges)


def _faint_on(image: Image.Image) -> tuple[int, ...]:
    """The grounds on which an image could hardly be seen."""
    grey, opaque = (np.asarray(band, np.float32) for band in image.convert("RGBA").convert("LA").split())
    opaque = opaque / 255
    contrast = {colour: float((grey * opaque + colour * (1 - opaque)).std()) for colour in (WHITE, BLACK, GREY)}
    return tuple(colour for colour, own in contrast.items() if own < FAINT * max(contrast.values()))
