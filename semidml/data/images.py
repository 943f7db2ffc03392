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

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from semidml.data import decoders, decoding, npz
from semidml.data.choices import Choices
from semidml.data.dataset import Split
from semidml.data.decoding import FORMATS, SIDE, Damaged, Examined, Header, Refused, Shape
from semidml.data.image_files import Member
from semidml.data.layout import Item
from semidml.data.names import sort_classes
from semidml.data.once import Once
from semidml.data.pixels import WHITE, Look, Measured, decide
from semidml.data.reading import Reading
from semidml.tasks import Progress

TOLD = 100  # files between two words on the progress
NAMED = 5  # files that a note of those left out names
MAX_ARCHIVE_PIXELS = 1_000_000_000  # of all images of a .zip, so that a small one cannot keep the machine busy for long

DECODED_SHARE = 0.95  # of the time that reading takes, where all is decoded while the headers are read

Notes = tuple[str, ...]
Ready = dict[Member, np.ndarray | Damaged]


class Plan(NamedTuple):
    """What is to be decoded, as the files' headers have it."""

    items: list[Item]
    readable: list[Item]  # those whose headers could be read
    class_names: tuple[str, ...]
    shape: Shape  # of all of them: (C, H, W)
    as_they_are: bool  # they have that shape already
    damaged: list[Damaged]
    look: Look
    others: tuple[Damaged, ...]  # files beside the images that are none
    notes: tuple[str, ...]  # what was understood of their folders, in sentences
    digests: dict[Member, bytes]  # SHA-256 of the files, where they were read whole with the headers
    ready: Ready  # pixels that were decoded with the headers; each leaves when it is asked for

    @property
    def bytes(self) -> int:
        return len(self.readable) * math.prod(self.shape)

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(item.split for item in self.items))

    @property
    def digested(self) -> tuple[list[Item], tuple[str, str], dict[Member, bytes]]:
        """What `fingerprint.digest_files` is of: its items, what was decided on their decoding, and what is known."""
        return self.readable, (str(self.look.values), str(self.look.ground)), self.digests

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
    files: str = ""  # `fingerprint.digest_files` of its files, once it is known


def survey(
    items: list[Item],
    side: int | None = None,
    most_pixels: float = math.inf,
    others: Sequence[tuple[str, str]] = (),
    notes: Sequence[str] = (),
    values: str = "",
    class_names: tuple[str, ...] | None = None,
    progress: Progress = lambda fraction, text: None,
    most_ready: int = 0,
    title: str = "",
    once: Once | None = None,
) -> Plan:
    """What the headers of image files say: which can be read, the shape of them all, and what is decided for all.
    others: (path, reason) of files beside them that are left out; notes: on their folders; values: see `Choices`;
    class_names: in an order of their own; progress: is told of every TOLD files, in words that begin with `title`;
    most_ready: bytes of pixels that are decoded while a file is open, as a set of such images would have them, so that
    each file of most sets is opened once; once: what earlier surveys have read.
    Raises: ValueError in words."""
    class_names = class_names or sort_classes(item.class_name for item in items if item.class_name is not None)
    if len(class_names) > npz.MAX_CLASSES:
        raise ValueError(f"there are {len(class_names):,} class folders; at most {npz.MAX_CLASSES:,} classes are read")
    headers: dict[Item, Header] = {}
    measured: list[Measured] = []
    ready: Ready = {}
    digests: dict[Member, bytes] = {}
    damaged, pixels, room = [], 0, most_ready

    def tell() -> None:
        share = len(ready) / len(items) * DECODED_SHARE
        progress(share, f"{title}{len(headers) + len(damaged):,} of {len(items):,} files looked at")

    once = once or Once()
    known = [once.find(("examined", item.member.parts)) for item in items]
    members = [item.member for item, outcome in zip(items, known, strict=True) if outcome is None]
    given = lambda: (side, room > 0, most_ready > 0, most_pixels - pixels)  # noqa: E731
    each = 3 * (side or SIDE) ** 2 if most_ready else 0
    with closing(decoders.outcomes(decoding.examine_all, members, given, each, tell)) as outcomes:
        for item, earlier in zip(items, known, strict=True):
            area, outcome = earlier or next(outcomes)
            pixels += area
            if pixels > most_pixels:
                raise Refused(
                    f"the images have more than {most_pixels / 1e6:,.0f} million pixels together; no more are read: "
                    f"scale them down first, they become {side or SIDE} x {side or SIDE} anyway"
                )
            if earlier is None:
                small = outcome._replace(pixels=None) if isinstance(outcome, Examined) else outcome
                once.keep(("examined", item.member.parts), (area, small))
            if isinstance(outcome, Damaged):
                damaged.append(outcome)
                continue
            if headers and len(headers) % TOLD == 0:
                tell()
            headers[item] = outcome.header
            if outcome.measured:
                measured.append(outcome.measured)
            if outcome.digest:
                digests[item.member] = outcome.digest
            if outcome.pixels is not None and room > 0:
                ready[item.member] = outcome.pixels
                room -= getattr(outcome.pixels, "nbytes", 0)
    check_left(items, list(headers), damaged)
    look = decide(measured, values)
    shape, as_they_are = decoding.common_shape(list(headers.values()), side)
    fit = {header: _is_as_decided(header, side, shape, as_they_are, look) for header in set(headers.values())}
    for item, header in headers.items():
        if not fit[header]:
            ready.pop(item.member, None)
    left = tuple(Damaged(*other) for other in others)
    readable = list(headers)
    return Plan(*(items, readable, class_names, shape, as_they_are, damaged, look, left, tuple(notes), digests, ready))


def _is_as_decided(header: Header, side: int | None, shape: Shape, as_they_are: bool, look: Look) -> bool:
    """Whether what `decoding.examine` made of an image is what the whole set makes of it; but that a grey one among
    coloured ones has all three colours alike."""
    own, is_as_it_is = decoding.common_shape([header], side)
    return own[1:] == shape[1:] and is_as_it_is == as_they_are and not (header.clear and look.ground != WHITE)


def plan(
    content: Reading,
    choices: Choices,
    side: int | None = None,
    most_pixels: float = math.inf,
    progress: Progress = lambda fraction, text: None,
    most_ready: int = 0,
    title: str = "",
    once: Once | None = None,
) -> Plan:
    """The plan of the image files that were found; see `survey`."""
    return survey(
        *(list(content.items), side, most_pixels, content.others, content.notes, choices.values),
        class_names=content.class_names,
        progress=progress,
        most_ready=most_ready,
        title=title,
        once=once,
    )


def in_memory(plan: Plan, progress: Progress = lambda fraction, text: None, title: str = "") -> Read:
    """The images of a plan, decoded. `progress` is told of every TOLD images.
    Raises: ValueError when they are too many, or too few can be read."""
    counts = Counter(item.split for item in plan.readable)
    images = {split: torch.empty(counts[split], *plan.shape, dtype=torch.uint8) for split in plan.splits}

    rows = {split: own.numpy() for split, own in images.items()}

    def place(split: str, row: int, pixels: np.ndarray) -> None:
        rows[split][row] = pixels

    labels, notes = decode_splits(plan, place, progress, title)
    splits = {split: Split(images[split][: len(y)], y) for split, y in labels.items()}
    return Read(splits, plan.class_names, notes)


def decode_splits(
    plan: Plan,
    place: Callable[[str, int, np.ndarray], object],
    progress: Progress = lambda fraction, text: None,
    title: str = "",
) -> tuple[dict[str, Tensor], Notes]:
    """Decode the images of a plan one after the other and give each to `place`, with its split and its row there; the
    labels of those that could be read (N,) by split, and which could not.
    Raises: ValueError when they are too many, or too few can be read."""
    check_bytes(plan, npz.MAX_BYTES)
    damaged, kept = list(plan.damaged), {split: [] for split in plan.splits}
    order = [item for split in kept for item in plan.readable if item.split == split]
    for item, pixels in told(plan, order, title, progress):
        if isinstance(pixels, Damaged):
            damaged.append(pixels)
        else:
            place(item.split, len(kept[item.split]), pixels)
            kept[item.split].append(item)
    check_left(plan.items, [item for items in kept.values() for item in items], damaged)
    return {split: plan.labels(items) for split, items in kept.items()}, plan.all_notes(damaged)


def told(
    plan: Plan, items: Sequence[Item], title: str, progress: Progress
) -> Iterator[tuple[Item, np.ndarray | Damaged]]:
    """As `decoded`; progress is told of every TOLD images, ready ones among them, and while one takes long."""
    had, done = len(plan.ready), 0

    def tell() -> None:
        share = max(DECODED_SHARE * had, done) / max(1, len(items))
        progress(share, f"{title}{done:,} of {len(items):,} images decoded")

    with closing(decoded(plan, items, tell)) as stream:
        for item, pixels in stream:
            if done and done % TOLD == 0:
                tell()
            done += 1
            yield item, pixels


def decoded(
    plan: Plan, items: Sequence[Item], beat: Callable[[], object] = lambda: None
) -> Iterator[tuple[Item, np.ndarray | Damaged]]:
    """Each item with its pixels, uint8 (C, H, W), or with what is wrong with its file. To be closed where it is not
    gone through to its end: other processes may be at it. beat: called now and then, and may raise to end it."""
    is_ready = [item.member in plan.ready for item in items]
    missing = [item.member for item, ready in zip(items, is_ready, strict=True) if not ready]
    shape, as_they_are, look = plan.shape, plan.as_they_are, plan.look
    each = math.prod(shape)
    with closing(decoders.outcomes(decoding.read_all, missing, lambda: (shape, as_they_are, look), each, beat)) as read:
        for item, ready in zip(items, is_ready, strict=True):
            pixels = plan.ready.pop(item.member) if ready else next(read)
            if isinstance(pixels, np.ndarray) and len(pixels) < shape[0]:
                pixels = np.repeat(pixels, shape[0], axis=0)  # a grey one among coloured ones
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
