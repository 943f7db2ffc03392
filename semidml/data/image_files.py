"""The files of a folder or an archive (.zip, .tar, .tar.gz), each with a way to open it; none is decoded here."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from semidml.disk import zips
from semidml.tasks import Progress

MAX_FILES = 1_000_000
TOLD = 1000  # files between two words while they are listed
MAX_DEPTH = 8  # folders above a file
MAX_FILE_BYTES = 64 << 20  # of an image
MAX_ARCHIVE_BYTES = 1 << 30  # of all files of an archive, unpacked
MAX_TAR_NOTE_BYTES = 1 << 20  # of a long name or a further header in a .tar, which are read whole
TAR_NOTES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)  # what a further header may be
WINDOWS = 0  # what a .zip says of the system that it was made on
CHUNK = 1 << 20
CLUTTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found", "$recycle.bin", "#recycle")
CLUTTER += ("recycler", "system volume information", "@tmp", "#snapshot", "__pycache__", "icon\r")
ONLY_PLAIN = "only plain folders and files are read"


class Member(NamedTuple):
    """A file: where it lies below the top, how to open it, and its size in bytes, where that is known."""

    parts: tuple[str, ...]
    open: Callable[[], BinaryIO]
    size: int = 0

    @property
    def path(self) -> str:
        return "/".join(self.parts)[-200:]

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def suffix(self) -> str:
        return os.path.splitext(self.parts[-1])[1].lower()


@contextmanager
def list_members(path: Path, progress: Progress = lambda fraction, text: None) -> Iterator[list[Member]]:
    """The files of a folder or an archive in the order of their names, or a single file; open as long as the context
    is. What systems leave behind does not count. `progress` is told of every TOLD files.
    Raises: ValueError in words."""
    with ExitStack() as opened:
        try:
            members = []
            progress(0.0, "its files are listed")
            for member in islice(_files_at(path, opened), MAX_FILES + 1):
                members.append(member)
                if len(members) % TOLD == 0:
                    progress(0.0, f"{len(members):,} files listed")
        except OSError as error:
            if isinstance(error, gzip.BadGzipFile | tarfile.TarError):
                raise ValueError(
                    f"it cannot be read as a .tar.gz file ({str(error)[: zips.MOST_TOLD]}); make it anew"
                ) from error
            raise ValueError(
                f"{error.filename or path} could not be looked at ({error.strerror}); try again"
            ) from error
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise ValueError(
                f"it cannot be read as a .zip file ({str(error)[: zips.MOST_TOLD]}); make it anew"
            ) from error
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise ValueError(
                f"it cannot be read as a .tar file ({str(error)[: zips.MOST_TOLD]}); make it anew"
            ) from error
        if len(members) > MAX_FILES:
            raise ValueError(f"there are more than {MAX_FILES:,} files; at most that many are read")
        yield members  # what goes wrong then is not the archive's: each file is checked where it is opened


def _files_at(path: Path, opened: ExitStack) -> Iterable[Member]:
    if path.is_dir():
        return _walk(path, ())
    kind = kind_of(path)
    if kind == "zip":
        return list_zip(opened.enter_context(zipfile.ZipFile(path)))
    if kind == "tar":
        file = opened.enter_context(_unpacked(path))
        _check_tar(file)
        return _list_tar(opened.enter_context(tarfile.open(fileobj=file, mode="r:")))
    return [Member((path.name,), partial(open, path, "rb"), path.stat().st_size)]


def kind_of(path: Path) -> str:
    """Which archive a file is, by its content: zip, tar (packed by gzip or not) or file."""
    with open(path, "rb") as file:
        start = file.read(512)
        if start[:2] == b"\x1f\x8b":
            file.seek(0)
            try:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    start = unpacked.read(512)
            except (OSError, EOFError, zlib.error):
                return "file"
    if start[257:262] == b"ustar":
        return "tar"
    return "zip" if zipfile.is_zipfile(path) else "file"


# ---- folders


def _walk(path: Path, above: tuple[str, ...]) -> Iterator[Member]:
    """The files below a folder, in the order of their names. Links are refused: they may lead anywhere."""
    with os.scandir(path) as entries:
        known = sorted(entries, key=lambda entry: entry.name)
    for entry in known:
        parts = (*above, entry.name)
        if is_clutter(entry.name):
            continue
        if entry.is_symlink():
            raise ValueError(f"{'/'.join(parts)} is a link; put what it leads to there instead")
        if entry.is_dir():
            _check_depth(parts)
            yield from _walk(Path(entry.path), parts)
        elif entry.is_file():
            yield Member(parts, partial(open, entry.path, "rb"), entry.stat().st_size)


def is_clutter(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind."""
    return name.startswith((".", "~$")) or name.lower() in CLUTTER


def state_of(path: Path) -> str:
    """Changes when a file, or one below a folder, does; of a link, the link itself. Clutter does not count.
    Raises: ValueError in words where the system cannot say."""
    try:
        if not path.is_dir():
            return str(_times(path.lstat()))
        return str([(name, *_times(entry.stat(follow_symlinks=False))) for name, entry in _entries(path, "")])
    except OSError as error:
        raise ValueError(
            f"{error.filename or path} could not be looked at ({error.strerror}); if its files were changing, try again"
        ) from error


def _entries(folder: Path | str, above: str) -> Iterator[tuple[str, os.DirEntry]]:
    """(its path below the top, itself) of every file below a folder, folder by folder, but for clutter. What a link
    leads to is not looked into."""
    with os.scandir(folder) as entries:
        known = sorted((entry for entry in entries if not is_clutter(entry.name)), key=lambda e: e.name)
    folders = [entry for entry in known if entry.is_dir()]
    yield from ((above + entry.name, entry) for entry in known if not entry.is_dir())
    for entry in folders:
        if not entry.is_symlink():
            yield from _entries(entry.path, f"{above}{entry.name}/")


def _times(known: os.stat_result) -> tuple[int, int]:
    return known.st_mtime_ns, known.st_size


# ---- archives


def list_zip(archive: zipfile.ZipFile) -> Iterator[Member]:
    """The files of a .zip, in the order of their names. Names that lead out of it and links are refused; names with the
    backslashes and the letters of another system are read as that system meant them."""
    members = sorted(archive.infolist(), key=lambda info: info.filename)
    _check_sizes(".zip", sum(info.file_size for info in members))
    zips.check_packing(archive)
    letters = _letters_of(members)
    for info in members:
        name = info.orig_filename if info.flag_bits & 0x800 else info.orig_filename.encode("cp437").decode(letters)
        parts = _parts_of(".zip", name.replace("\\", "/"))
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ValueError(f"the .zip holds a link, {name[:80]!r}; put what it leads to there instead")
        if not parts or name.endswith(("/", "\\")) or any(is_clutter(part) for part in parts):
            continue
        yield Member(parts, partial(_bring, ".zip", name, partial(zips.content, archive, info)), info.file_size)


def _bring(kind: str, name: str, read: Callable[[], bytes]) -> BinaryIO:
    """A file of an archive.
    Raises: ValueError in words where it is damaged."""
    try:
        return io.BytesIO(read())
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, tarfile.TarError) as error:
        why = str(error)[: zips.MOST_TOLD]
        raise ValueError(f"{name[-80:]!r} in the {kind} is damaged ({why}); make the {kind} anew") from error


def _letters_of(members: Sequence[zipfile.ZipInfo]) -> str:
    """Which encoding the names of a .zip have that do not say it: of those that they can be in, UTF-8, which Windows
    does not write so, then Chinese (GBK, where most signs are those in common use), else the format's own, cp437."""
    told = [info for info in members if not info.flag_bits & 0x800 and not info.orig_filename.isascii()]
    written = b"\n".join(info.orig_filename.encode("cp437") for info in told)
    from_windows = bool(told) and all(info.create_system == WINDOWS for info in told)
    for letters in ("gbk", "utf-8") if from_windows else ("utf-8", "gbk"):
        try:
            text = written.decode(letters)
        except UnicodeDecodeError:
            continue
        signs = [sign for sign in text if not sign.isascii()]
        if letters == "utf-8" or 2 * sum(map(_is_common_sign, signs)) > len(signs):
            return letters
    return "cp437"


def _is_common_sign(sign: str) -> bool:
    """Whether a Chinese sign is among the 6,763 of GB 2312: GBK has three times as many, and pairs of other letters
    that look like GBK are seldom among these."""
    try:
        return "\u4e00" <= sign <= "\u9fff" and bool(sign.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def _list_tar(archive: tarfile.TarFile) -> Iterator[Member]:
    """The files of a .tar, in the order of their names. Names that lead out of it, links and devices are refused."""
    members = sorted(archive.getmembers(), key=lambda info: info.name)
    _check_sizes(".tar", sum(info.size for info in members))
    for info in members:
        parts = _parts_of(".tar", info.name)
        if any(is_clutter(part) for part in parts) or info.isdir():
            continue
        if not info.isreg() or info.issparse():
            kind = "a link" if info.issym() or info.islnk() else "what is no plain file"
            raise ValueError(f"the .tar holds {kind}, {info.name[:80]!r}; {ONLY_PLAIN}")
        read = partial(lambda info: archive.extractfile(info).read(), info)
        yield Member(parts, partial(_bring, ".tar", info.name, read), info.size)


def _parts_of(kind: str, name: str) -> tuple[str, ...]:
    """The folders and the name of a file in an archive.
    Raises: ValueError for one that leads out of it."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or "\0" in name or (parts and parts[0][1:2] == ":"):
        raise ValueError(f"the {kind} names {name[:80]!r}, which leads out of it; {ONLY_PLAIN}")
    _check_depth(parts[:-1])
    return parts


@contextmanager
def _unpacked(path: Path) -> Iterator[BinaryIO]:
    """A .tar, unpacked into a file without a name if it is packed by gzip: a packed one cannot be read in any order."""
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            file.seek(0)
            yield file
            return
        file.seek(0)
        with tempfile.TemporaryFile() as whole:
            size = 0
            with gzip.GzipFile(fileobj=file) as packed:
                while chunk := packed.read(CHUNK):
                    size += len(chunk)
                    _check_sizes(".tar.gz", size)
                    whole.write(chunk)
            whole.seek(0)
            yield whole


def _check_tar(file: BinaryIO) -> None:
    """Raises ValueError for a .tar with a further header so large that reading it would fill the memory."""
    at, end = 0, file.seek(0, os.SEEK_END)
    while at < end:
        file.seek(at)
        header = file.read(tarfile.BLOCKSIZE)
        if len(header) < tarfile.BLOCKSIZE or not header.strip(b"\0"):
            break
        info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        if info.type not in (*tarfile.SUPPORTED_TYPES, *TAR_NOTES) or info.size < 0:
            raise ValueError(f"the .tar holds what is no plain file, {info.name[:80]!r}; {ONLY_PLAIN}")
        if not info.isreg() and info.size > MAX_TAR_NOTE_BYTES:
            raise ValueError("the .tar holds a name of more than a million letters; make it anew")
        blocks = -(-info.size // tarfile.BLOCKSIZE) if info.isreg() or info.type not in tarfile.REGULAR_TYPES else 0
        at += tarfile.BLOCKSIZE * (1 + blocks)
    file.seek(0)


def _check_depth(folders: Sequence[str]) -> None:
    if len(folders) > MAX_DEPTH:
        raise ValueError(
            f"{'/'.join(folders)[:80]!r} lies more than {MAX_DEPTH} folders deep; put images into class folders"
        )


def _check_sizes(kind: str, size: int) -> None:
    if size > MAX_ARCHIVE_BYTES:
        raise ValueError(
            f"the {kind} unpacks to {size / 2**30:,.1f} GiB; at most {MAX_ARCHIVE_BYTES / 2**30:g} GiB are read"
        )


def check_size(member: Member) -> None:
    """Raises ValueError for a file that is too large to be an image."""
    if member.size > MAX_FILE_BYTES:
        raise ValueError(
            f"{member.path[-80:]!r} has {member.size / 2**20:,.0f} MiB; at most {MAX_FILE_BYTES >> 20} are read"
        )


def keys_of(member: Member) -> Iterator[str]:
    """How a table may name a file: by any end of its path, with or without its suffix."""
    for first in range(len(member.parts)):
        path = "/".join(member.parts[first:])
        yield path
        yield path.removesuffix(member.suffix) if path.lower().endswith(member.suffix) else path
