"""Image files in one folder a class, from the disk or from a .zip, read so that they can neither run code nor fill the
memory.

Every image is brought to one size: as they are when all are alike and at most 64 pixels a side, else the shorter side
is scaled to 64, or to the side asked for, and the middle square kept. Colour where any is in colour. What a number of
more than 8 bits means, and on what what is transparent lies, is decided once for the whole set (`Look`). A file that is
no image or a damaged one is left out, and that is noted; one that breaks a limit, or that this machine cannot bring,
refuses them all. What a file is, its content decides, not its name; its size is read from its header before
it is unpacked. From a .zip nothing is unpacked to the disk.
"""

from __future__ import annotations

import errno
import io
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from semidml.data import image_files, npz
from semidml.data.choices import Choices
from semidml.data.dataset import Split
from semidml.data.image_files import Member
from semidml.data.layout import Item
from semidml.data.names import sort_classes
from semidml.data.once import Once
from semidml.data.pixels import (
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
)
from semidml.data.reading import Reading
from semidml.data.values import SIXTEEN_BITS
from semidml.tasks import Progress

SIDE = 64
TOLD = 100  # files between two words on the progress
NAMED = 5  # files that a note of those left out names
MAX_PIXELS = 50_000_000  # of one image
MAX_ARCHIVE_PIXELS = 1_000_000_000  # of all images of a .zip, so that a small one cannot keep the machine busy for long
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # read by Pillow itself; others may start other programs


Notes = tuple[str, ...]


class Header(NamedTuple):
    """What an image's header says."""

    width: int
    height: int
    colour: bool
    deep: bool  # more than 8 bits a pixel
    clear: bool  # perhaps transparent in parts


class Plan(NamedTuple):
    """What is to be decoded, as the files' headers have it."""

    items: list[Item]
    readable: list[Item]  # those whose headers could be read
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]  # of all of them: (C, H, W)
    as_they_are: bool  # they have that shape already
    damaged: list[Damaged]
    look: Look = Look()
    others: tuple[Damaged, ...] = ()  # files beside the images that are none
    notes: tuple[str, ...] = ()  # what was understood of their folders, in sentences

    @property
    def bytes(self) -> int:
        return len(self.readable) * math.prod(self.shape)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.split for item in self.items))

    @property
    def digested(self) -> tuple[list[Member], tuple[str, str]]:
        """What `fingerprint.digest_files` is of: its files, and what was decided on their decoding."""
        return [item.member for item in self.readable], (str(self.look.values), str(self.look.ground))

    def labels(self, items: list[Item]) -> Tensor:
        """The classes of some of its items, 0 to K - 1, and -1 where there is none: int64 (n,)."""
        number: dict[str | None, int] = {name: c for c, name in enumerate(self.class_names)} | {None: -1}
        return torch.tensor([number[item.class_name] for item in items], dtype=torch.int64)

    def all_notes(self, damaged: Sequence[Damaged]) -> tuple[str, ...]:
        """What the description of the set says of its reading, once all of its damaged files are known."""
        files = len(self.items) + len(self.others)
        return (*left_out(files, [*self.others, *damaged]), *self.notes, *self.look.notes)


class Read(NamedTuple):
    splits: dict[str, Split]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]  # which files were left out


class Refused(ValueError):
    """Said of an image that Pillow can read and we do not want, and of a file that may be whole but did not come."""


class Damaged(NamedTuple):
    """A file that is no image, or a damaged one: it is left out. Not an exception: those keep alive what was at hand
    when they were raised, here whole images, and a plan holds many."""

    path: str
    reason: str


class Unreadable(ValueError):
    """Said of what becomes `Damaged` where there are other files."""

    def __init__(self, damaged: Damaged):
        super().__init__(f"{damaged.path} is not an image that can be read ({', '.join(FORMATS)}), or is damaged")
        self.damaged = damaged


def read_one(content: bytes, name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """An image file as uint8 of that shape (C, H, W): its middle, scaled.
    Raises: ValueError in words for what is no image, is damaged, or is too large."""
    if len(content) > image_files.MAX_FILE_BYTES:
        raise ValueError(f"{name} has more than {image_files.MAX_FILE_BYTES >> 20} MB")
    member = Member((name,), lambda: io.BytesIO(content))
    with _pillow_warnings():
        header = _read_header(member)
        return _pixels(member, shape, False, _decide({member: header}, "", Once()))


def survey(
    items: list[Item],
    side: int | None = None,
    most_pixels: int | None = None,
    others: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
    values: str = "",
    class_names: tuple[str, ...] | None = None,
    progress: Progress = lambda fraction, text: None,
    once: Once | None = None,
) -> Plan:
    """What the headers of image files say: which can be read, the shape of them all, and what is decided for all.
    others: (path, reason) of files beside them that are left out; notes: on their folders; values: see `Choices`;
    class_names: in an order of their own; progress: is told of every TOLD files; once: what earlier surveys have read.
    Raises: ValueError in words."""
    class_names = class_names or sort_classes(item.class_name for item in items if item.class_name is not None)
    if len(class_names) > npz.MAX_CLASSES:
        raise ValueError(f"there are {len(class_names):,} class folders; at most {npz.MAX_CLASSES:,} classes are read")
    headers: dict[Item, Header] = {}
    damaged, pixels, once = [], 0, once or Once()

    def count(own: int) -> None:
        nonlocal pixels
        pixels += own
        if most_pixels and pixels > most_pixels:
            raise Refused(
                f"the images have more than {most_pixels / 1e6:,.0f} million pixels together; no more are read: scale "
                f"them down first, they become {side or SIDE} x {side or SIDE} anyway"
            )

    with _pillow_warnings():
        for done, item in enumerate(items):
            if done and done % TOLD == 0:
                progress(0.0, f"{done:,} of {len(items):,} files looked at")
            key = "header", item.member.parts
            try:
                if known := once.find(key):
                    count(known.width * known.height)
                headers[item] = once.get(key, partial(_read_header, item.member, count))
            except Unreadable as error:
                damaged.append(error.damaged)
    check_left(items, list(headers), damaged)
    look = _decide({item.member: header for item, header in headers.items()}, values, once)
    shape = _common_shape(list(headers.values()), side)
    left = tuple(Damaged(*other) for other in others)
    return Plan(items, list(headers), class_names, *shape, damaged, look, left, tuple(notes))


def plan(
    content: Reading,
    choices: Choices,
    side: int | None = None,
    most_pixels: int | None = None,
    progress: Progress = lambda fraction, text: None,
    once: Once | None = None,
) -> Plan:
    """The plan of the image files that were found; see `survey`."""
    return survey(
        *(list(content.items), side, most_pixels, content.others, content.notes, choices.values),
        class_names=content.class_names,
        progress=progress,
        once=once,
    )


def in_memory(plan: Plan, progress: Progress = lambda fraction, text: None) -> Read:
    """The images of a plan, decoded. `progress` is told of every TOLD images.
    Raises: ValueError when they are too many, or too few can be read."""
    counts = Counter(item.split for item in plan.readable)
    images = {split: torch.empty(counts[split], *plan.shape, dtype=torch.uint8) for split in plan.splits}

    def place(split: str, row: int, pixels: np.ndarray) -> None:
        images[split][row] = torch.from_numpy(pixels)

    labels, notes = decode_splits(plan, place, progress)
    splits = {split: Split(images[split][: len(y)], y) for split, y in labels.items()}
    return Read(splits, plan.class_names, notes)


def decode_splits(
    plan: Plan,
    place: Callable[[str, int, np.ndarray], object],
    progress: Progress = lambda fraction, text: None,
) -> tuple[dict[str, Tensor], Notes]:
    """Decode the images of a plan one after the other and give each to `place`, with its split and its row there; the
    labels of those that could be read (N,) by split, and which could not.
    Raises: ValueError when they are too many, or too few can be read."""
    check_bytes(plan, npz.MAX_BYTES)
    damaged, kept, done = list(plan.damaged), {split: [] for split in plan.splits}, 0
    for split, items in kept.items():
        for item, pixels in decoded(plan, (item for item in plan.readable if item.split == split)):
            if done and done % TOLD == 0:
                progress(done / len(plan.readable), f"{done:,} of {len(plan.readable):,} images decoded")
            done += 1
            if isinstance(pixels, Damaged):
                damaged.append(pixels)
            else:
                place(split, len(items), pixels)
                items.append(item)
    check_left(plan.items, [item for items in kept.values() for item in items], damaged)
    return {split: plan.labels(items) for split, items in kept.items()}, plan.all_notes(damaged)


def decoded(plan: Plan, items: Iterable[Item]) -> Iterator[tuple[Item, np.ndarray | Damaged]]:
    """Each item with its pixels, uint8 (C, H, W), or with what is wrong with its file."""
    for item in items:
        with _pillow_warnings():
            try:
                pixels: np.ndarray | Damaged = _pixels(item.member, plan.shape, plan.as_they_are, plan.look)
            except Unreadable as error:
                pixels = error.damaged
        yield item, pixels


def check_bytes(plan: Plan, most: int) -> None:
    """Raises ValueError when the pixels of a plan are more than `most` bytes."""
    if plan.bytes > most:
        channels, height, width = plan.shape
        colour = "colour" if channels == 3 else "grey"
        raise ValueError(
            f"{len(plan.readable):,} images of {width} x {height} pixels in {colour} are "
            f"{plan.bytes / 2**30:.1f} GiB; at most {most / 2**30:g} GiB are read"
        )


def check_left(items: list[Item], readable: list[Item], damaged: list[Damaged]) -> None:
    """Raises ValueError when most files could not be read, or no file of a split or of a class."""
    if not damaged:
        return
    named = left_out(len(items), damaged)[0]
    if 2 * len(damaged) > len(items):
        raise ValueError(f"{named}; at least half must be images ({', '.join(FORMATS)})")
    for field in ("split", "class_name"):
        left = {getattr(item, field) for item in readable}
        left.add(None)
        if empty := next((name for item in items if (name := getattr(item, field)) not in left), None):
            kind = "the split" if field == "split" else "the class folder"
            raise ValueError(f"{kind} {empty[:80]} is left without an image: {named}")


def left_out(files: int, damaged: list[Damaged]) -> tuple[str, ...]:
    """The note on files that could not be read, if there are any."""
    if not damaged:
        return ()
    named = ", ".join(f"{file.path[-80:]} ({file.reason})" for file in damaged[:NAMED])
    more = f" and {len(damaged) - NAMED:,} more" if len(damaged) > NAMED else ""
    were = "was" if len(damaged) == 1 else "were"
    return (f"{len(damaged):,} of {files:,} files could not be read and {were} left out: {named}{more}",)


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """Pillow's warning of an image with very many pixels is an error here; its others, of odd metadata, are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(member: Member) -> Iterator[Image.Image]:
    """An image whose header alone has been read. Whatever Pillow then finds wrong with the file becomes `Unreadable`;
    what is wrong with this machine does not: a full memory stays a MemoryError, and a file that the system cannot bring
    is `Refused`, since it may be whole."""
    try:
        with member.open() as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused(
            f"{member.path} has too many pixels ({error}); at most {MAX_PIXELS // 10**6} million are read"
        ) from error
    except (Refused, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise nearly everything on damaged files
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):  # Pillow's own have no number, and
            raise Refused(  # a damaged file may have it look before the file's begin
                f"{member.path} could not be read ({error.strerror}), which is no fault of the image: see that it is "
                "there and may be read, and try again"
            ) from error
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else "damaged"
        raise Unreadable(Damaged(member.path, reason)) from error


def _read_header(member: Member, count: Callable[[int], None] = lambda pixels: None) -> Header:
    """What an image's header says, if it keeps to the limits. `count` is told its pixels before any are unpacked, as
    the palette of some needs, and may raise `Refused`."""
    image_files.check_size(member)
    with _opened(member) as image:
        count(image.width * image.height)
        width, height = reversed(image.size) if is_on_its_side(image) else image.size
        if width * height > MAX_PIXELS:
            raise Refused(
                f"{member.path} is {width:,} x {height:,} pixels; at most {MAX_PIXELS // 10**6} million are read"
            )
        if min(width, height) < npz.SIDES[0]:
            raise Refused(f"{member.path} is {width} x {height} pixels; each side must have at least {npz.SIDES[0]}")
        deep = is_deep(image) or is_deep_colour(image)
        return Header(width, height, in_colour(image), deep, image.has_transparency_data)


def _common_shape(headers: list[Header], side: int | None) -> tuple[tuple[int, int, int], bool]:
    """((C, H, W), whether the images have it already)."""
    channels = 3 if any(header.colour for header in headers) else 1
    if side:
        return (channels, side, side), False
    sizes = {(header.height, header.width) for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= SIDE:
        return (channels, *sizes.pop()), True
    return (channels, SIDE, SIDE), False


def _pixels(member: Member, shape: tuple[int, int, int], as_it_is: bool, look: Look) -> np.ndarray:
    """An image as uint8 (C, H, W), upright."""
    with _opened(member) as image:
        if not as_it_is:
            image.draft(None, (2 * shape[2], 2 * shape[1]))  # a large JPEG need not be unpacked whole
        by_pillow = look.values == SIXTEEN_BITS or not is_deep_colour(image)
        upright = ImageOps.exif_transpose(image) if by_pillow else flatten_deep_colour(image, look)
        flat = flatten(upright, "RGB" if shape[0] == 3 else "L", look)
        if flat.size != (shape[2], shape[1]) or not as_it_is:
            flat = ImageOps.fit(flat, (shape[2], shape[1]))
        return np.array(flat).reshape(*shape[1:], shape[0]).transpose(2, 0, 1)


# ---- what is decided once for a set


def _decide(headers: dict[Member, Header], values: str, once: Once) -> Look:
    """The look of a set: its deep images, and those that are transparent in parts, are unpacked once more for it."""
    special = ((member, header.deep) for member, header in headers.items() if header.deep or header.clear)
    return decide(
        [once.get(("measured", member.parts), partial(_measure, member, deep)) for member, deep in special], values
    )


def _measure(member: Member, deep: bool) -> Measured | None:
    """What an image says of its set; None for a damaged one, which is named where its pixels are read."""
    try:
        with _pillow_warnings(), _opened(member) as image:
            return measure(image, deep)
    except Unreadable:
        return None
