"""One image file: what its header says, and its pixels. Torch-free: whole processes do nothing else (`decoders`)."""

from __future__ import annotations

import errno
import hashlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import TracebackType
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from semidml.data import image_files
from semidml.data.image_files import Member
from semidml.data.pixels import (
    SIDES,
    Look,
    Measured,
    decide,
    flatten,
    flatten_deep_colour,
    in_colour,
    is_deep,
    is_deep_colour,
    is_on_its_side,
    measure,
    turn_upright,
)
from semidml.data.values import SIXTEEN_BITS

SIDE = 64  # in pixels, of images that are not all alike and small
SMALL = 1 << 20  # bytes of a file that is read at once
MAX_PIXELS = 50_000_000  # of one image
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # read by Pillow itself; others may start other programs

Shape = tuple[int, int, int]  # (C, H, W)


class Header(NamedTuple):
    """What an image's header says."""

    width: int
    height: int
    colour: bool
    deep: bool  # more than 8 bits a pixel
    clear: bool  # perhaps transparent in parts


class Damaged(NamedTuple):
    """A file that is no image, or a damaged one: it is left out. Not an exception: those keep alive what was at hand
    when they were raised, here whole images, and a plan holds many."""

    path: str
    reason: str


class Examined(NamedTuple):
    """An image file that was opened once."""

    header: Header
    measured: Measured | None  # what it says of its set; None where it has no say, or could not be unpacked
    pixels: np.ndarray | Damaged | None  # as a set of such images would have them; None where they were not asked for
    digest: bytes  # SHA-256 of the file, where it was asked for


class Refused(ValueError):
    """Said of an image that Pillow can read and we do not want, and of a file that may be whole but did not come."""


class TooManyPixels(Refused):
    """Said of a file before it is unpacked, by who counts."""


class Unreadable(ValueError):
    """Said of what becomes `Damaged` where there are other files."""

    def __init__(self, damaged: Damaged):
        super().__init__(f"{damaged.path} is not an image that can be read ({', '.join(FORMATS)}), or is damaged")
        self.damaged = damaged


def read_content(content: bytes, name: str, shape: Shape) -> np.ndarray:
    """The content of an image file as uint8 of that shape (C, H, W): its middle, scaled.
    Raises: ValueError in words for what is no image, is damaged, or is too large."""
    if len(content) > image_files.MAX_FILE_BYTES:
        raise ValueError(f"{name} has more than {image_files.MAX_FILE_BYTES >> 20} MB")
    member = Member((name,), lambda: io.BytesIO(content))
    with _pillow_warnings():
        return read_pixels(member, shape, False, decide([examine(member, None).measured])).copy()


# ---- many files


def examine_all(
    members: Sequence[Member], side: int | None, with_pixels: bool, digested: bool, most: float
) -> list[tuple[int, Examined | Damaged | None] | Exception]:
    """Of each file its pixels, however many are unpacked, and what `examine` says of it, or what it raises. The file at
    which they would be more than `most` is not unpacked, and the last: it has None."""
    outcomes: list[tuple[int, Examined | Damaged | None] | Exception] = []
    area = 0

    def count(own: int) -> None:
        nonlocal area, most
        area, most = own, most - own
        if most < 0:
            raise TooManyPixels

    with _pillow_warnings():
        for member in members:
            area = 0
            try:
                examined = examine(member, side, with_pixels, digested, count)
                outcomes.append((area, examined))
            except Unreadable as error:
                outcomes.append((area, error.damaged))
            except TooManyPixels:
                return [*outcomes, (area, None)]
            except (ValueError, MemoryError) as error:
                return [*outcomes, error]  # nobody asks for the others
    return outcomes


def read_all(
    members: Sequence[Member], shape: Shape, as_it_is: bool, look: Look
) -> list[np.ndarray | Damaged | Exception]:
    """What `read_pixels` gives of each file, or what it raises."""
    outcomes: list[np.ndarray | Damaged | Exception] = []
    with _pillow_warnings():
        for member in members:
            try:
                outcomes.append(read_pixels(member, shape, as_it_is, look))
            except Unreadable as error:
                outcomes.append(error.damaged)
            except (ValueError, MemoryError) as error:
                return [*outcomes, error]
    return outcomes


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """Pillow's warning of an image with very many pixels is an error here; its others, of odd metadata, are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


# ---- one file


def examine(
    member: Member,
    side: int | None,
    with_pixels: bool = False,
    digested: bool = False,
    count: Callable[[int], None] = lambda pixels: None,
) -> Examined:
    """The header of a file, if it keeps to the limits, what it says of its set and, if asked for, its digest and its
    pixels as they would be in a set of images like it. An image of more than 8 bits has none before the range of all is
    known. `count` is told its pixels before any are unpacked, as the palette of some needs, and may raise `Refused`.
    Raises: Unreadable; ValueError in words."""
    image_files.check_size(member)
    with _opened(member) as (image, file):
        count(image.width * image.height)
        header, pixels = _read_header(image, member), None
        measured = _measure(image, member, header.deep) if header.deep or header.clear else None
        if with_pixels and not header.deep:
            try:
                with _in_words(member):
                    pixels = _pixels_of(image, *_own_shape(header, side), Look())
            except Unreadable as error:
                pixels = error.damaged
            except (Refused, MemoryError):
                pixels = None  # it is read once more at its turn, and what is wrong is said then
        digest = b""
        if digested:
            digest = _digest(file)
        return Examined(header, measured, pixels, digest)


def read_pixels(member: Member, shape: Shape, as_it_is: bool, look: Look) -> np.ndarray:
    """An image as uint8 (C, H, W), upright.
    Raises: Unreadable; ValueError in words."""
    with _opened(member) as (image, _):
        return _pixels_of(image, shape, as_it_is, look)


@contextmanager
def _opened(member: Member) -> Iterator[tuple[Image.Image, BinaryIO]]:
    """An image whose header alone has been read, and its file."""
    with _in_words(member), member.open() as opened:
        file = _at_hand(opened, member.size)
        with Image.open(file, formats=FORMATS) as image:
            yield image, file


def _at_hand(file: BinaryIO, size: int) -> BinaryIO:
    """A small file as a whole, for what reads it twice; a large one, or one of another size than it was, as it is."""
    if not 0 < size <= SMALL:
        return file
    content = file.read(size + 1)
    if len(content) <= size:
        return io.BytesIO(content)
    file.seek(0)
    return file


def _digest(file: BinaryIO) -> bytes:
    """SHA-256 of a file, wherever it stands."""
    if isinstance(file, io.BytesIO):
        return hashlib.sha256(file.getbuffer()).digest()
    file.seek(0)
    return hashlib.file_digest(file, "sha256").digest()


class _in_words:
    """A context in which whatever Pillow finds wrong with a file becomes `Unreadable`; what is wrong with this machine
    does not: a full memory stays a MemoryError, and a file that the system cannot bring is `Refused`, since it may be
    whole."""

    def __init__(self, member: Member):
        self.member = member

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, Refused | Unreadable | MemoryError):
            return
        path = self.member.path
        if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
            raise Refused(
                f"{path} has too many pixels ({error}); at most {MAX_PIXELS // 10**6} million are read"
            ) from error
        # Pillow's own errors have no number, and a damaged file may have it look before the file's begin.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise Refused(
                f"{path} could not be read ({error.strerror}), which is no fault of the image: see that it is there "
                "and may be read, and try again"
            ) from error
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else "damaged"
        raise Unreadable(Damaged(path, reason)) from error


def _read_header(image: Image.Image, member: Member) -> Header:
    width, height = reversed(image.size) if is_on_its_side(image) else image.size
    if width * height > MAX_PIXELS:
        raise Refused(f"{member.path} is {width:,} x {height:,} pixels; at most {MAX_PIXELS // 10**6} million are read")
    if min(width, height) < SIDES[0]:
        raise Refused(f"{member.path} is {width} x {height} pixels; each side must have at least {SIDES[0]}")
    deep = is_deep(image) or is_deep_colour(image)
    return Header(width, height, in_colour(image), deep, image.has_transparency_data)


def _measure(image: Image.Image, member: Member, deep: bool) -> Measured | None:
    """None for a damaged image: it is named where its pixels are read."""
    try:
        with _in_words(member):
            return measure(image, deep)
    except Unreadable:
        return None


def _pixels_of(image: Image.Image, shape: Shape, as_it_is: bool, look: Look) -> np.ndarray:
    """An open image as uint8 (C, H, W), upright."""
    if not as_it_is:
        image.draft(None, (2 * shape[2], 2 * shape[1]))  # a large JPEG need not be unpacked whole
    if look.values == SIXTEEN_BITS or not is_deep_colour(image):
        turn_upright(image)
        upright = image
    else:
        upright = flatten_deep_colour(image, look)
    flat = flatten(upright, "RGB" if shape[0] == 3 else "L", look)
    if flat.size != (shape[2], shape[1]) or not as_it_is:
        flat = ImageOps.fit(flat, (shape[2], shape[1]))
    return np.frombuffer(flat.tobytes(), np.uint8).reshape(*shape[1:], shape[0]).transpose(2, 0, 1)


@lru_cache(256)
def _own_shape(header: Header, side: int | None) -> tuple[Shape, bool]:
    """`common_shape` of a set of images like this one."""
    return common_shape([header], side)


def common_shape(headers: Sequence[Header], side: int | None) -> tuple[Shape, bool]:
    """((C, H, W), whether the images have it already): see `images`."""
    channels = 3 if any(header.colour for header in headers) else 1
    if side:
        return (channels, side, side), False
    sizes = {(header.height, header.width) for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= SIDE:
        return (channels, *sizes.pop()), True
    return (channels, SIDE, SIDE), False
