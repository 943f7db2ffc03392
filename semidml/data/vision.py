"""MNIST and its kin through torchvision."""

from collections.abc import Callable
from pathlib import Path

from semidml.data.dataset import Dataset, Split
from semidml.registry import Entry


def load(entry: Entry, folder: Path, download: bool, progress: Callable[[float], None]) -> Dataset:
    from torchvision.datasets import MNIST

    made = [MNIST(str(folder), train=train, download=download) for train in (True, False)]
    train, test = (Split(m.data[:, None].contiguous(), m.targets.long()) for m in made)
    return Dataset(entry.name, entry.title, train, test, None, tuple(str(i) for i in range(10)))
