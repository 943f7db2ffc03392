"""Fingerprints: digests by which the data that a run saw are known again, on this machine and on others.

Of images that were read from image files there are two. `Dataset.pixels` is of what was decoded; another release of a
JPEG library gives other last bits of the same files, and so another digest. `digest_files` is of the files' own bytes,
which are the same everywhere. Whichever of the two agrees, the images are the same.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # at run time these would make the first page wait
    import numpy as np
    from torch import Tensor

    from semidml.data.image_files import Member
    from semidml.data.layout import Item

READ_AS = "layout 3"  # another number when this release makes other pixels of the same files
CHUNK = 64 << 20  # bytes of images that are digested at once


def digest_files(items: "Iterable[Item]", decided: object = "", known: "Mapping[Member, bytes] | None" = None) -> str:
    """Of the bytes of image files in the order of their rows, whatever they are called, of the split that each is of,
    and of what was `decided` on their decoding: 64 hexadecimal digits. known: SHA-256 of files that were read already,
    which are not read again; of others 100,000 files of 3 kB take 14 s, of 60 kB 72 s, once they are in the system's
    cache (measured on 20,000 and 5,000, one of two busy cores, November 2026).
    Raises: ValueError in words for a file that the system does not bring."""
    whole = hashlib.sha256(f"{READ_AS} {decided}".encode())
    known = known or {}
    for item in items:
        member = item.member
        whole.update(f"{item.split}\n".encode())
        if member in known:
            whole.update(known[member])
            continue
        try:
            with member.open() as file:
                whole.update(hashlib.sha256(file.read()).digest())
        except OSError as error:
            raise ValueError(
                f"{member.path} could not be read ({error.strerror or error}); see that it is there and may be read, "
                "and try again"
            ) from error
    return whole.hexdigest()


def digest_labels(splits: "Iterable[Tensor]") -> str:
    """Of the labels (N,) of each split, in their order: 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for labels in splits:
        whole.update(hashlib.sha256(labels.numpy().tobytes()).digest())
    return whole.hexdigest()


class PixelDigest:
    """Of all images of a data set, every byte: those of a split may come in pieces, in their order."""

    def __init__(self) -> None:
        self._splits: dict[str, hashlib._Hash] = {}

    def add(self, split: str, images: "np.ndarray") -> None:
        """Further images of a split: uint8 (n, C, H, W), contiguous."""
        if len(images):
            self._splits.setdefault(split, hashlib.sha256()).update(memoryview(images).cast("B"))

    def hexdigest(self) -> str:
        """64 hexadecimal digits."""
        named = sorted((split, digest.hexdigest()) for split, digest in self._splits.items())
        return hashlib.sha256(repr(named).encode()).hexdigest()


def digest_pixels(splits: "dict[str, Tensor]") -> str:
    """Of all images (N, C, H, W) of each split, piece by piece: as `PixelDigest`."""
    whole = PixelDigest()
    for split, images in splits.items():
        rows = max(1, CHUNK // max(1, images[0].numel()))
        for first in range(0, len(images), rows):
            whole.add(split, images[first : first + rows].contiguous().numpy())
    return whole.hexdigest()
