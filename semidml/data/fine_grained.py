"""Birds and cars, told apart by kind: CUB-200-2011 (Wah et al. 2011) and Cars-196 (Krause et al. 2013), on which the
field of metric learning measures itself. Their images are decoded once, at the side that the entry of the table says.

CUB lies as its archive unpacks; Cars in torchvision's layout, since its first address is gone.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from semidml.data import decoded, image_files, images
from semidml.data.dataset import Dataset
from semidml.data.fetch import absent, fetch_all, unpack
from semidml.data.image_files import Member
from semidml.data.layout import Item
from semidml.disk.locks import alone
from semidml.registry import Entry
from semidml.tasks import Progress

CUB = "CUB_200_2011"
CUB_URL = f"https://data.caltech.edu/records/65de6-vp158/files/{CUB}.tgz"
CUB_MD5 = "97eceeb196236b17998738112f37df78"


def load_birds(entry: Entry, folder: Path, download: bool, progress: Progress) -> Dataset:
    """CUB-200-2011 with its official training and test rows.
    Raises: ValueError, saying what to do, when it is missing and cannot or should not be downloaded, or is damaged."""
    top = folder / CUB
    if not top.is_dir():
        _bring_birds(entry, folder, top, download, progress)
    try:
        paths, trains = (_numbered(top / name) for name in ("images.txt", "train_test_split.txt"))
        items = [
            _item("train" if trains[number] == "1" else "test", *path.split("/"), top / "images" / path)
            for number, path in paths.items()
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"is damaged ({type(error).__name__}: {error}): delete that folder and fetch it again"
        raise ValueError(f"{entry.title} in {top} {reason}") from error
    return _read(entry, folder, items, image_files.state_of(top), progress)


def _bring_birds(entry: Entry, folder: Path, top: Path, download: bool, progress: Progress) -> None:
    """Fetch and unpack the archive into `top`; if another is at it, wait for that."""
    packed = folder / f"{CUB}.tgz"
    if not download and not packed.is_file():
        raise absent(entry, folder, [packed.name], folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = f"{entry.title} is being unpacked by another already"
        with alone(folder / f".{CUB}.lock", lambda: progress(0.0, waiting)):
            if top.is_dir():
                return
            if not packed.is_file():
                fetch_all(entry, folder, [(packed, [CUB_URL], CUB_MD5)], download, progress)
            unpack(packed, CUB_MD5, CUB)
    except OSError as error:
        raise absent(entry, folder, [packed.name], folder, str(error)) from error


def load_cars(entry: Entry, folder: Path, download: bool, progress: Progress) -> Dataset:
    """Cars-196 with its official training and test rows, as torchvision's `StanfordCars` finds them.
    Raises: ValueError, saying what to put where, when it is missing, or is damaged."""
    from scipy.io.matlab import MatReadError
    from torchvision.datasets import StanfordCars

    top = folder / "stanford_cars"
    needed = [folder / file for file in entry.facts["files"]]
    folders = [folder / place for place in entry.facts["folders"]]
    if not all(file.is_file() for file in needed) or not all(place.is_dir() for place in folders):
        names = [str(file.relative_to(top)) for file in needed]
        names.append(f"and the folders {' and '.join(place.name for place in folders)}")
        raise absent(entry, folder, names, top)
    try:
        items = []
        for split in ("train", "test"):
            source = StanfordCars(str(folder), split=split)
            for path, label in source._samples:
                name = f"{int(label) + 1:03d}.{str(source.classes[int(label)]).replace('/', '-')}"
                items.append(_item(split, name, Path(path).name, Path(path)))
    except (MatReadError, RuntimeError, ValueError, TypeError, KeyError, IndexError, OSError) as error:
        raise ValueError(f"{entry.title} in {top} is damaged ({error}): put those files there anew") from error
    return _read(entry, folder, items, image_files.state_of(top), progress)


def _numbered(file: Path) -> dict[str, str]:
    """{number: text} of a file with a number and a text in each line."""
    return dict(line.split(maxsplit=1) for line in file.read_text().strip().splitlines())


def _item(split: str, class_name: str, name: str, path: Path) -> Item:
    return Item(split, class_name, Member((class_name, name), partial(open, path, "rb")))


def _read(entry: Entry, folder: Path, items: Iterable[Item], state: str, progress: Progress) -> Dataset:
    """The data set of image files whose classes are called `001.Black_footed_Albatross`, at the entry's side."""
    side = entry.facts["shape"][1]
    place = decoded.Place(folder, f"{entry.name} {side}", state)
    try:
        if not place.is_there():
            plan = images.survey(list(items), side, progress=progress, title=f"{entry.title}: ")
            decoded.keep(plan, place, entry.title, decoded.MAX_BYTES, progress)
        data = decoded.read(place, entry.name, entry.title)
    except ValueError as error:
        raise ValueError(f"{entry.title}: {error}") from error
    return replace(data, class_names=tuple(name.partition(".")[2].replace("_", " ") for name in data.class_names))
