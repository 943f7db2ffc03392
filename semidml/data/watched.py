"""Files whose reading is told of while it goes on, so that whoever no longer waits for it can end it. Torch-free."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import BinaryIO

from semidml.data.image_files import Member
from semidml.tasks import Progress

BETWEEN = 0.1  # seconds between two words
CHUNK = 1 << 20


class Beat:
    """Called often, it tells `progress` now and then, which may raise to end what is done; after `end` it is silent."""

    def __init__(self, progress: Progress, text: str) -> None:
        self.progress, self.text = progress, text
        self._last, self._ended = time.monotonic(), False

    def __call__(self) -> None:
        now = time.monotonic()
        if not self._ended and now - self._last >= BETWEEN:
            self._last = now
            self.progress(0.0, self.text)

    def end(self) -> None:
        self._ended = True


def watch(member: Member, beat: Callable[[], object]) -> Member:
    """The same file, which calls `beat` at each piece that is read of it."""
    return member._replace(open=lambda: watch_file(member.open(), beat))


def watch_file(file: BinaryIO, beat: Callable[[], object]) -> BinaryIO:
    return io.BufferedReader(_Watched(file, beat), CHUNK)


class _Watched(io.RawIOBase):
    def __init__(self, file: BinaryIO, beat: Callable[[], object]) -> None:
        self._file, self._beat = file, beat

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:
        self._beat()
        piece = self._file.read(min(len(buffer), CHUNK))
        buffer[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        pieces = []
        while piece := self.read(CHUNK):
            pieces.append(piece)
        return b"".join(pieces)

    def close(self) -> None:
        self._file.close()
        super().close()
