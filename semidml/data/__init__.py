"""Data sets: one uint8 tensor of images and one int64 tensor of labels. This table is torch-free.

`target` is a loader `load(entry, folder, download, progress) -> Dataset`; `facts` say, before anything is loaded: train, test
(rows), classes, shape (C, H, W), megabytes to download, licence, source; `defaults` are RunConfig fields that suit the data.
"""

from semidml.registry import Entry, table

DATASETS = table(
    [
        Entry(
            "digits",
            "Digits 8x8",
            "handwritten digits, bundled with scikit-learn",
            "Alpaydin and Kaynak 1998, doi 10.24432/C50P49",
            "semidml.data.bundled:load",
            defaults={"epochs": 60},
            facts={"train": 1297, "test": 500, "classes": 10, "shape": (1, 8, 8), "megabytes": 0},
        ),
        Entry(
            "mnist",
            "MNIST",
            "handwritten digits",
            "LeCun et al. 1998, doi 10.1109/5.726791",
            "semidml.data.vision:load",
            defaults={"epochs": 5},
            facts={"train": 60000, "test": 10000, "classes": 10, "shape": (1, 28, 28), "megabytes": 12},
        ),
    ]
)
