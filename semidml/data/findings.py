"""What is odd about images and labels, found before anybody trains on them: images that are all alike, test images that
are training images too, classes that only the test has. Torch-free: arrays and files are looked at as bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

import numpy as np

from semidml.data.image_files import Member
from semidml.data.names import SPLIT_TITLES

MAX_HASHED = 2 << 30  # bytes of files that are read to find those that are the same
DIGEST_BYTES = 16


def row_digests(images: np.ndarray, beat: Callable[[], object] = lambda: None) -> list[bytes]:
    """A digest of each row of (N, ...), equal where the rows are. beat: called at each, and may raise to end it."""
    digests = []
    for row in images:
        beat()
        digests.append(blake2b(np.ascontiguousarray(row), digest_size=DIGEST_BYTES).digest())
    return digests


def digest_file(member: Member, beat: Callable[[], object] = lambda: None) -> bytes:
    """A digest of what a file holds. beat: called at each piece, and may raise to end it."""
    with member.open() as file:
        content = blake2b(digest_size=DIGEST_BYTES)
        while chunk := file.read(1 << 20):
            beat()
            content.update(chunk)
    return content.digest()


def file_digests(
    files: Mapping[str, Sequence[Member]], digest: Callable[[Member], bytes] = digest_file
) -> dict[str, list[bytes]] | None:
    """{split: a digest of each file} of those that are as large as one of another split, the others left away; None
    where these are too many bytes to read."""
    sizes = {split: {member.size for member in own} for split, own in files.items()}
    shared = {split: set().union(*(other for name, other in sizes.items() if name != split), set()) for split in sizes}
    alike = {split: [member for member in own if member.size in shared[split]] for split, own in files.items()}
    if sum(member.size for own in alike.values() for member in own) > MAX_HASHED:
        return None
    return {split: [digest(member) for member in own] for split, own in alike.items()}


def count_shared(digests: Mapping[str, Iterable[bytes]]) -> dict[str, int]:
    """{split: how many of its images are training images too}."""
    known = set(digests.get("train", ()))
    return {split: sum(one in known for one in own) for split, own in digests.items() if split != "train"}


def are_alike(images: np.ndarray) -> bool:
    """Whether all rows of (N, ...) are one image; of a single row nothing is said."""
    return len(images) > 1 and all((row == images[0]).all() for row in images[1:])


def remarks(
    shared: Mapping[str, int], alike: bool, only_tested: Sequence[str] = (), few: Sequence[str] = ()
) -> tuple[str, ...]:
    """What was found, in sentences. only_tested: classes without a training image; few: classes of
    which there are fewer than three."""
    told = []
    if alike:
        told.append("All training images are alike: there is nothing to learn from them.")
    for split, count in shared.items():
        if count:
            are = "image is a training image" if count == 1 else "images are training images"
            told.append(f"{count:,} {SPLIT_TITLES.get(split, split)} {are} too: scores flatter.")
    if only_tested:
        told.append(f"Classes without a training image: {_listed(only_tested)}.")
    if few:
        told.append(f"Classes with fewer than three images: {_listed(few)}.")
    return tuple(told)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10:,} more" if len(names) > 10 else "")
