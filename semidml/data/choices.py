"""What somebody chose about how their data are to be read, where what was understood is not what they mean. Torch-free.

Kept as JSON: beside an upload; for a path below the data folder, never in the person's own folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from semidml.disk.files import replace_file

ROLE_WORDS = {
    "train": "training images",
    "val": "validation images",
    "test": "test images",
    "unlabelled": "images without a label",
    "left out": "left out",
    "passed through": "says nothing, what is in it counts",
    "class": "names a class",
}
ROLES = tuple(ROLE_WORDS)
VALUES = ("", "as they are", "stretched")
ALL, NAMES = "all", "names"  # of `Choices.level`
OF_FOLDER = "folder:"  # how the key of a choice begins that is of a folder
MAX_FOLDERS = 1000
MAX_TEXT = 400
MAX_BYTES = 1 << 20  # of a kept file


@dataclass(frozen=True)
class Choices:
    """Each empty where what was understood is right.

    level: which folder level names the class, `1` the outermost below the splits, or `all`, the whole way as one name,
    or `names`: the files' own do, by what stands before the number in them.
    folders: {folder, with / between its parts: one of ROLES}. label: of several labels a row, `any` (two classes: none,
    any), `commonest`, or the name or number of one; of a table, the column of the label. images: the column or array
    of the images. no_label: labels that say that there is none, with commas between them. values: `as they are` or
    `stretched` to the set's own range. transposed: `yes` or `no`, whether rows and columns of the images are swapped.
    """

    level: str = ""
    folders: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    images: str = ""
    no_label: str = ""
    values: str = ""
    transposed: str = ""

    def __post_init__(self) -> None:
        for known in fields(self):
            value = getattr(self, known.name)
            if known.name != "folders" and (not isinstance(value, str) or len(value) > MAX_TEXT):
                raise ValueError(f"{known.name} must be a text of at most {MAX_TEXT} letters, got {value!r:.80}")
        is_number = self.level.isascii() and self.level.isdigit() and int(self.level)
        if self.level not in ("", ALL, NAMES) and not is_number:
            raise ValueError(f"level must be 1, 2, ..., {ALL} or {NAMES}, got {self.level[:40]!r}")
        if self.values not in VALUES:
            raise ValueError(f"values must be 'as they are' or 'stretched', got {self.values[:40]!r}")
        if self.transposed not in ("", "yes", "no"):
            raise ValueError(f"transposed must be yes or no, got {self.transposed[:40]!r}")
        if not isinstance(self.folders, Mapping) or len(self.folders) > MAX_FOLDERS:
            raise ValueError(f"folders must be at most {MAX_FOLDERS:,} folders, each with what it is")
        for folder, role in self.folders.items():
            if role not in ROLES:
                raise ValueError(f"the folder {folder[:80]!r} can be {', '.join(ROLES)}; got {role!r:.40}")

    def __bool__(self) -> bool:
        """Whether anything was chosen."""
        return self != Choices()

    def as_json(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value}, sort_keys=True)

    def sentences(self) -> list[str]:
        """What was chosen, in words."""
        told = {
            "level": {
                ALL: "All folder levels together name the class.",
                NAMES: "What stands before the number in a file's name is its class.",
            }.get(self.level, f"Folder level {self.level} names the class."),
            "label": f"Of several labels the one that is read is {self.label}.",
            "images": f"Of several sets of images the one that is read is {self.images}.",
            "no_label": f"What says that there is no label is {self.no_label}.",
            "values": f"The numbers of pixels are {self.values}.",
            "transposed": f"Rows and columns of the images are {'' if self.transposed == 'yes' else 'not '}swapped.",
        }
        folders = [f"Folder {folder}: {ROLE_WORDS[role]}." for folder, role in self.folders.items()]
        return [sentence for name, sentence in told.items() if getattr(self, name)] + folders

    def words(self) -> list[str]:
        """These choices as `with_words` reads them."""
        plain = [known.name for known in fields(self) if known.name != "folders" and getattr(self, known.name)]
        folders = [f"{OF_FOLDER}{folder}={role}" for folder, role in self.folders.items()]
        return [f"{name}={getattr(self, name)}" for name in plain] + folders

    def value_of(self, key: str) -> str:
        """What was chosen for a key, as a question names it; "" for nothing."""
        if key.startswith(OF_FOLDER):
            return self.folders.get(key.removeprefix(OF_FOLDER), "")
        return getattr(self, key)

    def with_value(self, key: str, value: str) -> Choices:
        """These choices with another value for a key, as a question names it."""
        if key.startswith(OF_FOLDER):
            return replace(self, folders={**self.folders, key.removeprefix(OF_FOLDER): value})
        return replace(self, **{key: value})

    def without(self, key: str) -> Choices:
        """These choices but for one, as a question names it: `level`, `folder:extra`."""
        if not key.startswith(OF_FOLDER):
            return replace(self, **{key: ""})
        folder = key.removeprefix(OF_FOLDER)
        return replace(self, folders={name: role for name, role in self.folders.items() if name != folder})

    def with_words(self, words: list[str]) -> Choices:
        """These choices and others in words: `level=2`, `folder:extra=left out`.
        Raises: ValueError for a word that is no choice."""
        chosen = self
        names = [known.name for known in fields(self) if known.name != "folders"]
        for word in words:
            parts = (
                word.rpartition("=") if word.startswith(OF_FOLDER) else word.partition("=")
            )  # a folder's name has some
            name, equals, value = parts
            if not equals or (name not in names and not name.startswith(OF_FOLDER)):
                raise ValueError(
                    f"{word[:80]!r} is no choice; there are {', '.join(names)} and folder:NAME, each with =VALUE"
                )
            chosen = chosen.with_value(name, value)
        return chosen


def parse_choices(text: str) -> Choices:
    """Choices from their JSON.
    Raises: ValueError in words."""
    try:
        known: dict[str, Any] = json.loads(text)
        if not isinstance(known, dict):
            raise ValueError("it is no table")
        return Choices(**known)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"the choices kept for these data cannot be read ({error}); choose again") from error


def file_for(folder: Path, path: Path) -> Path:
    """Where the choices for a path are kept below a data folder."""
    return folder / "decoded" / f"{sha256(str(path).encode()).hexdigest()[:16]}.semidml.json"


def read_choices(file: Path) -> Choices:
    """The choices in a file; none where there is no file.
    Raises: ValueError in words for a damaged file."""
    if not file.is_file():
        return Choices()
    with file.open("rb") as opened:
        content = opened.read(MAX_BYTES)
    return parse_choices(content.decode(errors="replace"))


def keep_choices(file: Path, choices: Choices) -> None:
    """Write choices, whole or not at all; without any, remove what is there."""
    if not choices:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, choices.as_json().encode())
