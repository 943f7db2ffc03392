"""Data sets by name: what is here, loading it, and uploads. torch loads only when a data set is read."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from semidml import memory
from semidml.data import DATASETS, MEDICAL, find_entry, splits
from semidml.data.choices import Choices, file_for, read_choices
from semidml.data.fingerprint import READ_AS, digest_files
from semidml.data.splits import Training
from semidml.registry import Entry
from semidml.tasks import Progress

if TYPE_CHECKING:
    from semidml.data.dataset import Dataset

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}")
NAME_RULE = "a name has 1 to 64 letters, digits, blanks and _ . -, and starts with a letter or digit"
SIDES = (8, 512)  # pixels that images of a folder may be given a side, after an @
LOOK = 5.0  # seconds between two looks at every file of a folder whose images are in memory

kept: dict[tuple, Dataset] = {}  # within the budget of `memory`
_looks: dict[Path, tuple[float, str]] = {}  # of folders: when one began, and what was seen
lock = RLock()


def data_folder() -> Path:
    """Where data sets lie: SEMIDML_DATA, or ~/.cache/semidml."""
    return Path(os.environ.get("SEMIDML_DATA") or Path.home() / ".cache" / "semidml").expanduser().resolve()


def load(
    name: str,
    *,
    download: bool = False,
    progress: Progress = lambda fraction, text: None,
    allow_paths: bool = False,
    folder: Path | None = None,
) -> Dataset:
    """The data set called `name`: of the table, of an upload or, only with `allow_paths`, the path of an .npz file, of
    an image folder or of a .zip of one. `@SIDE` after the path of a folder or .zip, as in `birds@256`, has the images
    SIDE pixels a side. It is kept in memory while that has room, until its files change; that a file of a folder was
    written anew is noticed after LOOK seconds.
    Raises: ValueError that says what was given, what there is and what to do; a data set of the table that is not here
    is such an error too, unless `download` fetches it."""
    folder = Path(folder) if folder else data_folder()
    place, began = _find(name, folder, allow_paths), time.monotonic()
    if isinstance(place, Place):
        progress(0.0, f"{place.title(name)}: looking for what has changed")
    key = (name, str(folder), _state(place, folder))
    with lock:
        if key in kept:
            memory.touch(("data", key))
            return kept[key]
    if isinstance(place, Entry):
        data = place.resolve()(place, folder, download, progress)
    else:
        data = _read(place, name, folder, progress, began)
    if isinstance(place, Entry):
        key = (name, str(folder), _state(place, folder))  # of what is downloaded: the state anew
    with lock:
        for older in [older for older in kept if older[:2] == key[:2]]:
            _let_go(older)
        kept[key] = data
    memory.keep(("data", key), memory.buffers_of(data), lambda: _let_go(key))
    return data


def _let_go(key: tuple) -> None:
    with lock:
        kept.pop(key, None)
    memory.forget(("data", key))


def facts(
    name: str,
    allow_paths: bool = False,
    folder: Path | None = None,
    progress: Progress = lambda fraction, text: None,
) -> dict[str, Any]:
    """train, test and, where there is one, validation (rows), classes and shape (C, H, W) of a data set; of the table's
    more, of others by_class (rows of each class, in all splits), where some class has no training row training_classes
    (how many have), and where some row has no label labelled ({split: rows with one}). Images are read only where there
    is no other way, in an image folder."""
    if entry := find_entry(name):
        return dict(entry.facts)
    folder = Path(folder) if folder else data_folder()
    place = _find(name, folder, allow_paths)
    if isinstance(place, Place) and not place.side and not place.choices(folder) and is_plain(place.path):
        from semidml.data import npz

        return npz.facts(place.path, most=most_bytes(place))
    data = load(name, allow_paths=allow_paths, folder=folder, progress=progress)
    from semidml.data.dataset import label_facts

    labels = {split: part.labels for split, part in data.parts.items()}
    return label_facts(labels, len(data.class_names), data.shape)


def training(name: str, split: str, evaluate_on: str, folder: Path | None = None) -> Training:
    """What RunConfig's `split` and `evaluate_on` train on: see `splits.training`. Of the table's data sets, a half's
    rows are those of equally large classes where neither the table nor labels that are here say more.
    Raises: ValueError where too little would be left, and as `facts` does."""
    folder = Path(folder) if folder else data_folder()
    entry = find_entry(name)
    known, title = facts(name, folder=folder), entry.title if entry else name
    if split == "classes" and entry and entry.target == MEDICAL:
        from semidml.data import med

        known |= {"by_class": rows} if (rows := med.by_class(entry, folder)) else {}
    return splits.training(known, title, split, evaluate_on)


class Place(NamedTuple):
    """A file or folder, an upload or not, and the side in pixels that its images are to have."""

    path: Path
    is_upload: bool
    side: int | None = None

    @property
    def decoded_of(self) -> str:
        """What its decoded images are of: see `decoded.Place`."""
        return f"{self.path} {self.side}"

    def title(self, name: str) -> str:
        """What the data set of that name is called."""
        return name if NAME.fullmatch(name) else self.path.stem + (f" at {self.side} pixels" if self.side else "")

    def choices(self, folder: Path) -> Choices:
        """What was chosen on how it is read; of an upload nothing is left to choose, since it is kept as it was read.
        Raises: ValueError in words for a damaged file of choices."""
        return Choices() if self.is_upload and self.path.is_file() else read_choices(file_for(folder, self.path))


@dataclass(frozen=True)
class Available:
    """A data set that can be chosen by name."""

    name: str
    title: str
    kind: str  # "table" or "upload"
    here: bool  # whether it can be loaded without a download
    megabytes: float  # to download, or on the disk
    facts: Mapping[str, Any] = field(default_factory=dict)  # as from `facts`; of an image folder, empty
    problem: str = ""  # why it cannot be read, in words


def available(folder: Path | None = None) -> list[Available]:
    """The data sets of the table, then the uploads by name."""
    folder = Path(folder) if folder else data_folder()
    entries = [
        Available(e.name, e.title, "table", is_here(e.name, folder), e.facts["megabytes"], e.facts)
        for e in DATASETS.values()
    ]
    return entries + [uploaded(name, place) for name, place in uploads(folder).items()]


def is_here(name: str, folder: Path | None = None) -> bool:
    """Whether a data set of the table can be loaded without a download."""
    folder = Path(folder) if folder else data_folder()
    entry = find_entry(name)
    if entry is None:
        raise ValueError(f"there is no data set called {name[:80]!r} in the table")
    facts = entry.facts
    if "packed" in facts and (folder / facts["packed"]).is_file():
        return True
    return all((folder / f).is_file() or (folder / f"{f}.gz").is_file() for f in facts["files"]) and all(
        (folder / f).is_dir() for f in facts.get("folders", ())
    )


def _find(name: str, folder: Path, allow_paths: bool) -> Entry | Place:
    """The table's entry, or the place on the disk that a name stands for."""
    if entry := find_entry(name):
        return entry
    if path := upload(name, folder / "uploads"):
        return Place(path, True)
    if allow_paths and (place := _path(name)):
        return place
    own = ", ".join(uploads(folder))
    there_are = f"there are {', '.join(DATASETS)}" + (f", and the uploads {own}" if own else "")
    if allow_paths:
        where = "" if os.path.isabs(name) else f" in {os.getcwd()}"
        raise ValueError(f"there is no data set, file or folder called {name[:200]!r}{where}; {there_are}")
    if not NAME.fullmatch(name) or name.endswith(".npz"):
        raise ValueError(
            f"{name[:80]!r} is not the name of a data set ({NAME_RULE}); paths are read from the command line only: "
            f"upload the file on the Data page; {there_are}"
        )
    raise ValueError(f"there is no data set called {name[:80]!r}; {there_are}")


def settle_name(name: str, folder: Path | None = None) -> str:
    """The name under which the data set that `name` names is found from any folder: a path becomes absolute.
    Raises: ValueError when there is none."""
    place = _find(name, Path(folder) if folder else data_folder(), True)
    return name if isinstance(place, Entry) or place.is_upload else os.path.abspath(os.path.expanduser(name))


def find_place(name: str, folder: Path) -> Place:
    """Where the data of a path or an upload lie.
    Raises: ValueError for a data set of the table, and where there are none."""
    place = _find(name, folder, True)
    if isinstance(place, Entry):
        raise ValueError(f"{name} is a data set of the table, whose reading leaves nothing to choose")
    return place


def _path(name: str) -> Place | None:
    """The file or folder that a path names, perhaps with a side after it.
    Raises: ValueError for a side that images cannot have."""
    if "\0" in name:
        return None
    if (path := Path(name).expanduser()).exists():
        return Place(path.resolve(), False)
    start, at, side = name.rpartition("@")
    if not at or not start or not (path := Path(start).expanduser()).exists():
        return None
    if not re.fullmatch("[0-9]{1,4}", side) or not SIDES[0] <= int(side) <= SIDES[1]:
        raise ValueError(
            f"{name[:200]!r} asks for images of {side[:20]!r} pixels a side; after the @ of a path there must be a "
            f"whole number from {SIDES[0]} to {SIDES[1]}"
        )
    return Place(path.resolve(), False, int(side))


def upload(name: str, uploads: Path) -> Path | None:
    """Where the upload called `name` lies, if it is there, inside, and no link to elsewhere."""
    if not NAME.fullmatch(name) or name in DATASETS:
        return None
    for place, exists in ((uploads / f"{name}.npz", Path.is_file), (uploads / name, Path.is_dir)):
        if exists(place) and not place.is_symlink():
            return place
    return None


def uploads(folder: Path) -> dict[str, Path]:
    """{name: place} of every upload, by name."""
    top = folder / "uploads"
    names = {path.stem if path.suffix == ".npz" and path.is_file() else path.name for path in top.glob("*")}
    return {name: place for name in sorted(names) if (place := upload(name, top))}


def uploaded(name: str, place: Path) -> Available:
    from semidml.data import npz, reading

    files = [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files) / 1e6
    try:
        known = npz.facts(place) if place.is_file() and (is_plain(place) or not reading.is_arrays(place)) else {}
    except ValueError as error:
        return Available(name, name, "upload", False, size, problem=str(error))
    return Available(name, name, "upload", True, size, known)


def _read(place: Place, name: str, folder: Path, progress: Progress, since: float) -> Dataset:
    """The data set at a place on the disk. since: when it was asked for."""
    title, choices = place.title(name), place.choices(folder)
    try:
        if not choices and not place.side and is_plain(place.path):
            return _read_plain(place, name, title, folder, progress)
        return _read_any(place, choices, name, title, folder, progress, since)
    except ValueError as error:
        raise ValueError(f"{title}: {error}") from error


def most_bytes(place: Place) -> int:
    """Bytes of pixels that are read: of what lies on this machine as many as are decoded into a file."""
    from semidml.data import decoded, npz

    return npz.MAX_BYTES if place.is_upload else decoded.MAX_BYTES


def _read_plain(place: Place, name: str, title: str, folder: Path, progress: Progress) -> Dataset:
    """The data set of an .npz file in MedMNIST's layout: in memory or, if large, in a file of decoded images."""
    from semidml.data import decoded, image_files, npz

    most = most_bytes(place)
    if npz.pixel_bytes(place.path, most) <= decoded.most_in_memory():
        return _remarked(npz.read(place.path, name, title))
    kept = decoded.Place(folder, place.decoded_of, f"{image_files.state_of(place.path)} {READ_AS}")
    if not kept.is_there():
        decoded.keep_arrays(place.path, kept, title, most, progress)
    return decoded.read(kept, name, title)


def _read_any(
    place: Place, choices: Choices, name: str, title: str, folder: Path, progress: Progress, since: float
) -> Dataset:
    """The data set at a place, in any format: in memory or, if image files are many, in a file of decoded ones, which
    those that take long to decode have as well."""
    from semidml.data import decoded, decoders, image_files, images, npz, reading

    path, side, told = place.path, place.side, f"{title}: "
    state = _looked_into(path, since) if path.is_dir() else image_files.state_of(path)
    kept, read = decoded.Place(folder, place.decoded_of, f"{state} {READ_AS} {choices.as_json()}"), None
    if not kept.is_there():
        with reading.open_reading(path, choices, lambda share, text: progress(share, told + text)) as content:
            if content.arrays:
                if side:
                    raise ValueError(f"the images of {content.kind} are read as they are; leave @{side} away")
                return _remarked(npz.assemble(name, title, *content.arrays[:3]))
            pixels = math.inf if path.is_dir() else images.MAX_ARCHIVE_PIXELS
            most = most_bytes(place)
            if decoders.cost_of([item.member for item in content.items]) >= decoders.SHARED_FROM:
                ready = min(decoded.most_in_memory(), memory.free_bytes() // 4)
                planning = partial(images.plan, content, choices, side, pixels, progress, ready, told)
                read = decoded.take_in(planning, kept, title, most, progress)
            else:
                plan = images.plan(content, choices, side, pixels, progress, title=told)
                if plan.bytes <= decoded.most_in_memory():
                    memory.check_free(plan.bytes, f"decoding {title}")
                    read = images.in_memory(plan, progress, told)._replace(files=digest_files(*plan.digested))
                else:
                    decoded.keep(plan, kept, title, most, progress)
    if read := read or decoded.read_whole(kept):
        return replace(_remarked(npz.assemble(name, title, *read[:3])), files=read.files)
    return decoded.read(kept, name, title)


def _remarked(data: Dataset) -> Dataset:
    """A data set in memory with what is odd about its images in its notes."""
    from semidml.data import findings

    data = _brightened(data)
    rows = {split: part.images.numpy() for split, part in data.parts.items()}
    shared = findings.count_shared({split: findings.row_digests(own) for split, own in rows.items()})
    return replace(data, notes=(*data.notes, *findings.remarks(shared, findings.are_alike(rows["train"]))))


def _brightened(data: Dataset) -> Dataset:
    """A data set whose pixels are 0 and 1 throughout with 255 for 1: as bytes they would all look black."""
    if max(int(part.images.max()) for part in data.parts.values()) != 1:
        return data
    from semidml.data.values import BLACK_OR_WHITE

    parts = {split: part._replace(images=part.images * 255) for split, part in data.parts.items()}
    notes = (*data.notes, BLACK_OR_WHITE)
    return replace(data, train=parts["train"], test=parts["test"], validation=parts.get("validation"), notes=notes)


def is_plain(path: Path) -> bool:
    """Whether a file is an .npz in MedMNIST's layout, by its content."""
    from semidml.data import npz, reading

    return path.is_file() and reading.is_arrays(path) and npz.is_plain(path)


def _state(place: Entry | Place, folder: Path) -> tuple:
    """Changes when the files of a data set do."""
    if isinstance(place, Entry):
        files = [folder / f for f in place.facts["files"]]
    else:
        top = place.path
        files = [top, *sorted(p for p in top.glob("**/") if p != top)] if top.is_dir() else [top]
        files += [] if place.is_upload else [file_for(folder, top)]
    times = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) if f.exists() else None for f in files)
    return (
        times
        if isinstance(place, Entry) or not place.path.is_dir()
        else (*times, _looked_into(place.path, time.monotonic() - LOOK))
    )


def _looked_into(folder: Path, since: float) -> str:
    """Changes when a file of a folder is written anew, which its folder does not tell; as of a look that began after
    `since`."""
    from semidml.data import image_files

    when, state = _looks.get(folder, (-math.inf, ""))
    if when < since:
        when = time.monotonic()
        state = image_files.state_of(folder)
        _looks[folder] = when, state
    return state
