"""Digits: 1,797 images of 8x8 pixels that come with scikit-learn, as they are."""

from pathlib import Path

import torch

from semidml.data.dataset import Dataset, Split, take
from semidml.registry import Entry
from semidml.tasks import Progress

TEST_ROWS = 500
SPLIT_SEED = 0


def load(entry: Entry, folder: Path, download: bool, progress: Progress) -> Dataset:
    """Digits with 1,297 training and 500 test rows, drawn once, stratified by class, with a fixed seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    pixels = torch.from_numpy(digits.images)[:, None]  # (N, 1, 8, 8), 0 to 16
    whole = Split((pixels * 255 / 16).round().to(torch.uint8), torch.from_numpy(digits.target).long())
    rows = range(len(whole.labels))
    parted = train_test_split(rows, test_size=TEST_ROWS, random_state=SPLIT_SEED, stratify=digits.target)
    train, test = (take(whole, torch.tensor(part)) for part in parted)
    names = tuple(str(name) for name in digits.target_names)
    return Dataset(entry.name, entry.title, train, test, None, names)
