"""A run as a zip: written for others, and a stranger's taken in only when each of its files is what it says."""

import atexit
import itertools
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from semidml.disk import files, zips
from semidml.runs import estimate, listing, places, untrusted
from semidml.runs.run import Run
from semidml.words import size_words

MOST_BYTES = 10**9  # of an unpacked zip
MOST_FILES = 1000  # of a run
MOST_RUNS = 50  # in one zip
FILES = re.compile(
    r"config\.json|status\.json|notes\.json|(test_)?metrics\.json|history\.jsonl|rows\.npz|(weights|state)\.safetensors"
    r"|frames/\d{4,6}\.npz|projections/[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\.npz"
)


def export_zip(run: Run, file: IO[bytes]) -> None:
    """Write the run as a zip that `import_zip` reads: its known files in a folder of its name.
    Raises: ValueError when the run is gone."""
    if not (run.path / "config.json").exists():
        raise ValueError(f"there is no run called {run.id!r}")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        write_run(run, archive, run.path.name)


def export_zips(runs: Sequence[Run], file: IO[bytes]) -> None:
    """Write several runs as one zip that `import_zips` reads: a folder each.
    Raises: ValueError when one is gone, or they are too many."""
    if len(runs) > MOST_RUNS:
        raise ValueError(f"at most {MOST_RUNS} runs go into one zip, got {len(runs):,}")
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for run in runs:
            if not (run.path / "config.json").exists():
                raise ValueError(f"there is no run called {run.id!r}")
            write_run(run, archive, run.path.name)


def write_run(run: Run, archive: zipfile.ZipFile, folder: str) -> None:
    """Write a run's known files into a folder of an archive."""
    for path in sorted(run.path.rglob("*")):
        name = path.relative_to(run.path).as_posix()
        if not FILES.fullmatch(name) or path.is_symlink():
            continue
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # replaced or thinned away while a run goes on
            continue
        if name == "status.json":
            content = files.as_json(asdict(replace(run.status(), owner={})))
        archive.writestr(f"{folder}/{name}", content)


def import_zip(file: IO[bytes], name: str | None = None) -> Run:
    """A run from a zip of `export_zip`, under `name` or its own (with a number where that is taken).

    Only a run's own files are read, into a temporary folder that becomes the run when all of them are what they say.
    Raises: ValueError in words; nothing stays behind."""
    with _opened(file) as archive:
        own, members = _members(_infos(archive))
        if name is not None and (places.runs_folder() / places.checked_id(name)).exists():
            raise ValueError(f"there is already a run called {name}")
        with estimate.one_at_a_time():
            estimate.check_fits(sum(info.file_size for info in members.values()))
            folder = _unpack(archive, members, places.runs_folder())
            try:
                return _settle(folder, name, own)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise


def import_zips(file: IO[bytes]) -> list[Run]:
    """The runs of a zip of `export_zip` or `export_zips`, each under its own name (with a number where that is taken).
    Raises: ValueError in words; nothing stays behind, of none of them."""
    with _opened(file) as archive:
        parts = [_members(infos) for infos in _split(_infos(archive))]
        folders: list[Path] = []
        runs: list[Run] = []
        with estimate.one_at_a_time():
            estimate.check_fits(sum(info.file_size for _, members in parts for info in members.values()))
            try:
                for _, members in parts:
                    folders.append(_unpack(archive, members, places.runs_folder()))
                for folder, (own, _) in zip(folders, parts, strict=True):
                    runs.append(_settle(folder, None, own))
                return runs
            except BaseException:
                for folder in (*folders, *(run.path for run in runs)):
                    shutil.rmtree(folder, ignore_errors=True)
                raise


def open_source(source: str) -> Run:
    """A run by its name, its folder or its zip, as a notebook names it; of a name that no run has, by NAME.zip in the
    working folder. What a zip holds is checked as by `import_zip`, and is there until the process ends.
    Raises: ValueError in words when there is none."""
    path = Path(source)
    if (path / "config.json").is_file() and not path.is_symlink():
        return Run(path)
    beside = Path(f"{path.name}.zip")
    if path.suffix == ".zip" and path.is_file():
        return _read_zip(path)
    try:
        return listing.open_run(source)
    except ValueError:
        if not beside.is_file():
            raise
    return _read_zip(beside)


def _read_zip(path: Path) -> Run:
    """The run of a zip, in a temporary folder of this process, under the zip's own name."""
    parent = Path(tempfile.mkdtemp(prefix="semidml-"))
    atexit.register(shutil.rmtree, parent, ignore_errors=True)
    with path.open("rb") as file:
        folder = unpack_zip(file, parent)
    named = parent / (path.stem if places.valid_id(path.stem) else "run")
    folder.rename(named)
    return Run(named)


def unpack_zip(file: IO[bytes], parent: Path) -> Path:
    """A new folder in `parent` with the checked run of a zip, for whoever asks to rename it; its name is a hidden one.
    Raises: ValueError in words; nothing stays behind."""
    with _opened(file) as archive:
        return _unpack(archive, _members(_infos(archive))[1], parent)


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """A zip that is read within; what is wrong with it is a ValueError in words."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, OverflowError, NotImplementedError) as error:
        raise ValueError(f"the zip cannot be read: {str(error)[: zips.MOST_TOLD]}") from None


def _unpack(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], parent: Path) -> Path:
    """A folder in `parent` with these files of a run, whole and checked or not at all."""
    folder = Path(tempfile.mkdtemp(prefix=".import-", dir=parent))
    try:
        for path, info in members.items():
            (folder / path).parent.mkdir(exist_ok=True)
            with archive.open(info) as source, open(folder / path, "xb") as target:
                shutil.copyfileobj(source, target)
        untrusted.check_folder(folder)
        folder.chmod(0o755)
        return folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _settle(folder: Path, name: str | None, own: str) -> Run:
    """Give the checked folder its name."""
    base = own if places.valid_id(own) else "imported"
    names = [name] if name else itertools.chain([base], (f"{base[:74]}-{i}" for i in range(2, 10_000)))
    for candidate in names:
        target = places.runs_folder() / candidate
        if not target.exists() and not (places.shipped() / candidate).exists():
            folder.rename(target)
            return Run(target)
    raise ValueError(f"there is already a run called {name or base}")


def _infos(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """What a zip holds, without what a Mac adds.
    Raises: ValueError where it is too large."""
    infos = [
        i for i in archive.infolist() if not i.filename.startswith("__MACOSX/") and not i.filename.endswith(".DS_Store")
    ]
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise ValueError(f"the zip unpacks to {size_words(total)}; at most {size_words(MOST_BYTES)} are allowed")
    return infos


def _split(infos: list[zipfile.ZipInfo]) -> list[list[zipfile.ZipInfo]]:
    """What a zip holds, run by run: a folder each, or all of it where not all lies in folders.
    Raises: ValueError where there are too many."""
    if not all("/" in info.filename for info in infos):
        return [infos]
    parts = defaultdict(list)
    for info in infos:
        parts[info.filename.split("/")[0]].append(info)
    if len(parts) > MOST_RUNS:
        raise ValueError(f"the zip holds {len(parts):,} folders; at most {MOST_RUNS} runs are taken in at once")
    return list(parts.values()) or [infos]


def _members(infos: list[zipfile.ZipInfo]) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """(name of a run's folder or '', {file of a run: where it is}).
    Raises: ValueError for anything else."""
    if len(infos) > MOST_FILES:
        raise ValueError(f"the zip holds {len(infos)} files; a run has at most {MOST_FILES}")
    tops = {info.filename.split("/")[0] for info in infos}
    own = tops.pop() if len(tops) == 1 and all("/" in info.filename for info in infos) else ""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        path = info.filename.removeprefix(f"{own}/") if own else info.filename
        if path in ("", "frames/", "projections/"):
            continue
        is_link, is_encrypted = stat.S_ISLNK(info.external_attr >> 16), info.flag_bits & 1
        if not FILES.fullmatch(path) or is_link or is_encrypted or info.compress_type not in zips.PACKED:
            raise ValueError(f"the zip holds {info.filename[:80]!r}, which is no file of a run")
        if path in members:
            raise ValueError(f"the zip holds {path} twice")
        most = zips.MOST_ARRAY_BYTES if path.endswith(".npz") else files.MOST_JSON
        if not path.endswith(".safetensors") and info.file_size > most:
            raise ValueError(f"{path} unpacks to {size_words(info.file_size)}, which is too much")
        members[path] = info
    if "config.json" not in members:
        raise ValueError("the zip is not of a run: it has no config.json")
    return own, members
