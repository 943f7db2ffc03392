"""MNIST and its kin, through torchvision: its addresses, checksums and readers."""

from pathlib import Path

from semidml.data.dataset import Dataset, Split
from semidml.data.fetch import fetch_all, unpack
from semidml.registry import Entry
from semidml.tasks import Progress

CLASSES = {"mnist": "MNIST", "fashionmnist": "FashionMNIST", "kmnist": "KMNIST"}


def load(entry: Entry, folder: Path, download: bool, progress: Progress) -> Dataset:
    """60,000 training and 10,000 test images (1, 28, 28). Files that are here packed only (.gz) are unpacked.
    Raises: ValueError, saying what to do, when files are damaged, or missing and not to be downloaded."""
    from torchvision import datasets

    source = getattr(datasets, CLASSES[entry.name])
    raw = folder / source.__name__ / "raw"
    packed = {raw / name: md5 for name, md5 in source.resources if not (raw / name).with_suffix("").is_file()}
    missing = [
        (path, [m + path.name for m in source.mirrors], md5) for path, md5 in packed.items() if not path.is_file()
    ]
    if missing:
        fetch_all(entry, folder, missing, download, progress)
    for path, md5 in packed.items():
        unpack(path, md5, path.stem)
    try:
        made = [source(str(folder), train=train) for train in (True, False)]
    except (ValueError, TypeError, RuntimeError, AssertionError, OSError) as error:
        raise ValueError(
            f"{entry.title} in {raw} is damaged ({error}): delete that folder and fetch it again"
        ) from error
    train, test = (Split(m.data[:, None].contiguous(), m.targets.long()) for m in made)
    names = tuple(name.split(" - ")[0] for name in source.classes)  # "0 - zero" is 0
    return Dataset(entry.name, entry.title, train, test, None, names)
