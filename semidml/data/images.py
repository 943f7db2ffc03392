"""Image files in one folder a class, from the disk or from a .zip, read so that they can neither run code nor fill the
memory.

Every image is brought to one size: as they are when all are alike and at most 64 pixels a side, else the shorter side
is scaled to 64 and the middle square kept. Colour where any is in colour. What a file is, its content decides, not its
name; its size is read from its header before it is unpacked. From a .zip nothing is unpacked to the disk.
"""

import io
import os
import stat
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps

from semidml.data import npz
from semidml.data.dataset import Split

SIDE = 64
MAX_FILES = 1_000_000
MAX_DEPTH = 8  # folders above a file
MAX_PIXELS = 50_000_000  # of one image
MAX_FILE_BYTES = 64 << 20
MAX_ARCHIVE_BYTES = 1 << 30  # of all files of a .zip, unpacked
MAX_ARCHIVE_PIXELS = 1_000_000_000  # of all images of a .zip, so that a small one cannot keep the machine busy for long
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")  # read by Pillow itself; others may start other programs
SPLIT_NAMES = {"train": "train", "training": "train", "test": "test", "val": "val", "valid": "val", "validation": "val"}


class Member(NamedTuple):
    """An image file: where it lies below the top, and how to open it."""

    parts: tuple[str, ...]
    open: Callable[[], BinaryIO]

    @property
    def path(self) -> str:
        return "/".join(self.parts)[-200:]


class Looks(NamedTuple):
    """What an image's header says."""

    width: int
    height: int
    colour: bool


def read_folder(path: Path) -> tuple[dict[str, Split], tuple[str, ...]]:
    """(splits, class names) of a folder of class folders, perhaps below train/, test/ and val/. Raises ValueError in
    words."""
    return _read(_walk(path, ()), most_pixels=None)


def read_zip(path: Path) -> tuple[dict[str, Split], tuple[str, ...]]:
    """(splits, class names) of a .zip of such a folder. Raises ValueError that says what is wrong with it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(_listed(archive), MAX_ARCHIVE_PIXELS)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"it cannot be read as a .zip file ({error}); make it anew") from error


def read_one(content: bytes, name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """An image file as uint8 of that shape (C, H, W): its middle, scaled. Raises ValueError in words for what is no
    image, is damaged, or is too large."""
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{name} has more than {MAX_FILE_BYTES >> 20} MB")
    member = Member((name,), lambda: io.BytesIO(content))
    with _pillow_warnings():
        _look(member)
        return _pixels(member, shape, as_it_is=False)


def _read(members: Iterable[Member], most_pixels: int | None) -> tuple[dict[str, Split], tuple[str, ...]]:
    found = list(islice(members, MAX_FILES + 1))
    if len(found) > MAX_FILES:
        raise ValueError(f"there are more than {MAX_FILES:,} files; at most that many are read")
    placed = _placed(found)
    class_names = sorted({class_name for _, class_name, _ in placed})
    if len(class_names) > npz.MAX_CLASSES:
        raise ValueError(f"there are {len(class_names):,} class folders; at most {npz.MAX_CLASSES:,} classes are read")
    with _pillow_warnings():
        looks = [_look(member) for _, _, member in placed]
        pixels = sum(look.width * look.height for look in looks)
        if most_pixels and pixels > most_pixels:
            raise ValueError(
                f"the images have {pixels / 1e6:,.0f} million pixels together; at most "
                f"{most_pixels / 1e6:,.0f} million are read: scale them down first, they become {SIDE} x {SIDE} anyway"
            )
        shape, as_they_are = _common_shape(looks)
        if (size := len(looks) * int(np.prod(shape))) > npz.MAX_BYTES:
            raise ValueError(f"{len(looks):,} images of {shape} are {size / 2**30:.1f} GiB; at most 2 GiB are read")
        splits = {}
        for split in dict.fromkeys(split for split, _, _ in placed):
            own = [(class_names.index(c), member) for s, c, member in placed if s == split]
            images = torch.empty(len(own), *shape, dtype=torch.uint8)
            for i, (_, member) in enumerate(own):
                images[i] = torch.from_numpy(_pixels(member, shape, as_they_are))
            splits[split] = Split(images, torch.tensor([label for label, _ in own]))
    return splits, tuple(class_names)


def _walk(path: Path, above: tuple[str, ...]) -> Iterator[Member]:
    """The files below a folder, in the order of their names. Links are refused: they may lead anywhere."""
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        parts = (*above, entry.name)
        if _is_clutter(entry.name):
            continue
        if entry.is_symlink():
            raise ValueError(f"{'/'.join(parts)} is a link; put what it leads to there instead")
        if entry.is_dir():
            _check_depth(parts)
            yield from _walk(Path(entry.path), parts)
        elif entry.is_file():
            _check_size(parts, entry.stat().st_size)
            yield Member(parts, partial(open, entry.path, "rb"))


def _listed(archive: zipfile.ZipFile) -> Iterator[Member]:
    """The files of a .zip, in the order of their names. Names that lead out of it and links are refused."""
    members = sorted(archive.infolist(), key=lambda info: info.filename)
    if (size := sum(info.file_size for info in members)) > MAX_ARCHIVE_BYTES:
        raise ValueError(
            f"the .zip unpacks to {size / 2**30:,.1f} GiB; at most {MAX_ARCHIVE_BYTES / 2**30:g} GiB are read"
        )
    for info in members:
        name = info.filename
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/") or "\\" in name or ".." in parts or (parts and parts[0][1:2] == ":"):
            raise ValueError(
                f"the .zip names {name[:80]!r}, which leads out of it; only plain folders and files are read"
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ValueError(f"the .zip holds a link, {name[:80]!r}; put what it leads to there instead")
        if info.is_dir() or any(_is_clutter(part) for part in parts):
            continue
        _check_depth(parts)
        _check_size(parts, info.file_size)
        yield Member(parts, lambda info=info: io.BytesIO(archive.read(info)))


def _is_clutter(name: str) -> bool:
    """Whether a file or folder is one that systems leave behind."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def _check_depth(parts: tuple[str, ...]) -> None:
    if len(parts) > MAX_DEPTH:
        raise ValueError(
            f"{'/'.join(parts)[:80]!r} lies more than {MAX_DEPTH} folders deep; put images into class folders"
        )


def _check_size(parts: tuple[str, ...], size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise ValueError(
            f"{'/'.join(parts)[-80:]!r} has {size / 2**20:,.0f} MiB; at most {MAX_FILE_BYTES >> 20} are read"
        )


def _placed(members: list[Member]) -> list[tuple[str, str, Member]]:
    """(split, class name, file) of each file. Folders around all the others are passed through, and files beside the
    class folders (a README) passed over."""
    skip = 0
    while True:
        inside = [m for m in members if len(m.parts) > skip + 1]
        tops = {m.parts[skip] for m in inside}
        if len(tops) != 1 or all(len(m.parts) == skip + 2 for m in inside):
            break
        skip += 1
    if not inside:
        raise ValueError(
            "there are no class folders with images; put the images of each class into a folder of its name"
        )
    if "train" not in {SPLIT_NAMES.get(top.lower()) for top in tops} or not all(t.lower() in SPLIT_NAMES for t in tops):
        return [("train", m.parts[skip], m) for m in inside]
    if loose := next((m for m in inside if len(m.parts) < skip + 3), None):
        raise ValueError(f"{loose.path} is in no class folder; put the images of each class into a folder of its name")
    return [(SPLIT_NAMES[m.parts[skip].lower()], m.parts[skip + 1], m) for m in inside]


@contextmanager
def _pillow_warnings() -> Iterator[None]:
    """Pillow's warning of an image with very many pixels is an error here; its others, of odd metadata, are of no
    interest."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(member: Member) -> Iterator[Image.Image]:
    """An image whose header alone has been read. Whatever Pillow then finds wrong with the file becomes a
    ValueError."""
    try:
        with member.open() as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            f"{member.path} has too many pixels ({error}); at most {MAX_PIXELS // 10**6} million are read"
        ) from error
    except Refused:
        raise
    except Exception as error:  # Pillow's readers raise nearly everything on damaged files
        raise ValueError(
            f"{member.path} is not an image that can be read ({', '.join(FORMATS)}), or is damaged"
        ) from error


class Refused(ValueError):
    """Said of an image that Pillow can read and we do not want."""


def _look(member: Member) -> Looks:
    """What an image's header says, if it keeps to the limits."""
    with _opened(member) as image:
        width, height = reversed(image.size) if _lies_on_its_side(image) else image.size
        if width * height > MAX_PIXELS:
            raise Refused(
                f"{member.path} is {width:,} x {height:,} pixels; at most {MAX_PIXELS // 10**6} million are read"
            )
        if min(width, height) < npz.SIDES[0]:
            raise Refused(f"{member.path} is {width} x {height} pixels; each side must have at least {npz.SIDES[0]}")
        if image.mode in ("I", "F"):
            raise Refused(f"{member.path} has 32-bit pixels, whose white is not known; save it with 8 or 16 bits")
        return Looks(width, height, _in_colour(image))


def _lies_on_its_side(image: Image.Image) -> bool:
    """Whether a camera noted that width and height are to be swapped."""
    return image.format in ("JPEG", "MPO") and image.getexif().get(0x0112, 1) >= 5


def _in_colour(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or []).reshape(-1, 3)
        return bool((palette != palette[:, :1]).any())
    return image.mode not in ("1", "L", "LA", "La") and not image.mode.startswith("I;16")


def _common_shape(looks: list[Looks]) -> tuple[tuple[int, int, int], bool]:
    """((C, H, W), whether the images have it already)."""
    channels = 3 if any(look.colour for look in looks) else 1
    sizes = {(look.height, look.width) for look in looks}
    if len(sizes) == 1 and max(next(iter(sizes))) <= SIDE:
        return (channels, *sizes.pop()), True
    return (channels, SIDE, SIDE), False


def _pixels(member: Member, shape: tuple[int, int, int], as_it_is: bool) -> np.ndarray:
    """An image as uint8 (C, H, W); what is transparent becomes white."""
    with _opened(member) as image:
        if not as_it_is:
            image.draft(None, (2 * shape[2], 2 * shape[1]))  # a large JPEG need not be unpacked whole
        upright = ImageOps.exif_transpose(image) if image.format in ("JPEG", "MPO") else image
        flat = _flat(upright, "RGB" if shape[0] == 3 else "L")
        if not as_it_is:
            flat = ImageOps.fit(flat, (shape[2], shape[1]))
        return np.array(flat).reshape(*shape[1:], shape[0]).transpose(2, 0, 1)


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """An image in 8 bits, grey (L) or colour (RGB), on white."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.array(image).astype(np.uint32) // 257).astype(np.uint8))
    if image.has_transparency_data:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    return image.convert(mode)
