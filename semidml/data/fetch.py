"""Downloads: a file arrives whole and checked, or not at all; without a network that is said within seconds."""

import os
import socket
import tarfile
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import BinaryIO
from urllib.parse import urlsplit

from semidml.disk.files import sweep, whole_file
from semidml.registry import Entry
from semidml.tasks import Progress

CONNECT_SECONDS = 3.0  # to find out whether there is a network at all
STALL_SECONDS = 30.0  # without a byte
CHUNK = 1 << 16


def fetch_all(
    entry: Entry, folder: Path, files: Sequence[tuple[Path, Sequence[str], str]], download: bool, progress: Progress
) -> None:
    """Download files (path, mirrors, MD5) of a data set, which lie side by side, one after the other.
    Raises: ValueError, saying what to do, when they should not or cannot be downloaded."""
    names, place = [path.name for path, *_ in files], files[0][0].parent
    if not download:
        raise absent(entry, folder, names, place)
    whole, done = entry.facts["megabytes"] * 1e6, 0
    try:
        for path, mirrors, md5 in files:

            def report(received: int, path: Path = path, done: int = done) -> None:
                text = f"{entry.title}: {path.name}, {(done + received) / 1e6:.1f} of about {whole / 1e6:g} MB"
                progress(min((done + received) / whole, 0.99), text)

            done += fetch(mirrors, path, md5, report, limit=int(2 * whole + 1e6))
    except OSError as error:
        raise absent(entry, folder, names, place, str(error)) from error
    progress(1.0, f"{entry.title} is here")


def fetch(mirrors: Sequence[str], path: Path, md5: str, report: Callable[[int], None], limit: int) -> int:
    """Bring one file from the first mirror that gives it with the right MD5; its size in bytes. `report` hears the
    bytes received so far, which never fall.
    Raises: OSError with each mirror's reason; then `path` is as it was."""
    from torchvision.datasets.utils import check_integrity

    reasons = unreachable(mirrors)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent.glob(f".{path.name}.*.part"))
    most = 0

    def rising(received: int) -> None:
        nonlocal most
        most = max(most, received)
        report(most)

    for url in (url for url in mirrors if url not in reasons):
        try:
            with whole_file(path) as file:
                size = _receive(url, file, rising, limit)
                file.flush()
                if not check_integrity(file.name, md5):
                    raise OSError(f"what it sent has another checksum than {md5}")
            return size
        except (OSError, HTTPException) as error:
            reasons[url] = str(error)
    raise OSError("; ".join(f"{urlsplit(url).hostname}: {reason}" for url, reason in reasons.items()))


def unreachable(urls: Sequence[str], seconds: float = CONNECT_SECONDS) -> dict[str, str]:
    """{url: reason} of the addresses whose host, or the proxy that leads to it, takes no connection within `seconds`.
    All are tried at once, in threads, because looking up a name has no time limit of its own."""
    reasons = dict.fromkeys(urls, f"no answer within {seconds:g} s")

    def knock(url: str) -> None:
        try:
            socket.create_connection(_door(url), timeout=seconds).close()
            reasons.pop(url, None)
        except OSError as error:
            reasons[url] = error.strerror or str(error)

    threads = [Thread(target=knock, args=(url,), daemon=True) for url in reasons]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(reasons)


def _door(url: str) -> tuple[str, int]:
    """(host, port) that a request for `url` connects to."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.netloc):
        parts = urlsplit(proxy if "//" in proxy else f"http://{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _receive(url: str, file: BinaryIO, report: Callable[[int], None], limit: int) -> int:
    """Write what `url` gives to `file`; its size in bytes."""
    request = urllib.request.Request(url, headers={"User-Agent": "semidml"})
    received = 0
    with urllib.request.urlopen(request, timeout=STALL_SECONDS) as response:
        promised = response.length
        while chunk := response.read(CHUNK):
            received += len(chunk)
            if received > limit:
                raise OSError(f"it sends more than {limit / 1e6:.0f} MB")
            file.write(chunk)
            report(received)
    if promised and received < promised:
        raise OSError(f"the connection ended after {received:,} of {promised:,} bytes")
    return received


def absent(entry: Entry, folder: Path, names: Sequence[str], place: Path, reason: str = "") -> ValueError:
    """The error for a data set that is not here: why, and what to do. Files of those names belong into `place`."""
    if entry.facts.get("by_hand"):
        start = f"{entry.title} is not in {folder}, and the address that it came from is gone: find a copy, and"
    elif reason:
        start = f"{entry.title} is not in {folder} and could not be downloaded ({reason}): connect to the network, or"
    else:
        fetched = f"fetch it on the Data page or with `python -m semidml data fetch {entry.name}`"
        start = f"{entry.title} is not in {folder}: {fetched}, or"
    return ValueError(f"{start} put {', '.join(names)} into {place} (from {entry.facts['source']})")


def unpack(packed: Path, md5: str, name: str) -> None:
    """Put the file of a checked .gz, or the folder `name` of a checked .tgz, beside it, whole or not at all; one that
    has come meanwhile will do.
    Raises: ValueError for another checksum, and for an archive that would write elsewhere."""
    from torchvision.datasets.utils import check_integrity, extract_archive

    if not check_integrity(packed, md5):
        raise ValueError(f"{packed} is damaged (its checksum is not {md5}): delete it and fetch it again")
    try:
        with tempfile.TemporaryDirectory(dir=packed.parent, prefix=".unpack-") as spare:
            if packed.suffix == ".tgz":
                with tarfile.open(packed, "r:gz") as archive:
                    archive.extractall(spare, filter="data")
            else:
                extract_archive(str(packed), spare)
            try:
                os.replace(Path(spare) / name, packed.with_name(name))
            except OSError:
                if not packed.with_name(name).is_dir():
                    raise
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{packed} could not be unpacked ({error}); its folder must be writable, and the disk have room"
        ) from error
