"""Data sets: one uint8 tensor of images and one int64 tensor of labels. This table is torch-free.

`target` is a loader `load(entry, folder, download, progress) -> Dataset`; `defaults` are RunConfig fields that suit
the data (epochs so that an MLP needs well under a minute on two cores). `facts` say, before anything is loaded: train,
test and, where there is an official one, validation (rows), classes, shape (C, H, W), megabytes to download, licence,
source (a page to read), files: the paths below the data folder that hold it once it is here, and twins: which random
transforms suit the images, signs or photographs (`twins`). Where they apply: packed, an archive that the files are
unpacked from; folders, that must be there besides; by_hand, true of what nobody gives away any more; split, "classes"
where the field splits by classes (`Dataset.by_classes`); by_class, rows of each class in all splits, or half, rows of
the first half of the classes, for `store.training`.
"""

from dataclasses import replace

from semidml.registry import Entry, table

MANY_CLASSES = {"labelled_per_class": 10}  # a step holds no more of 200: see `labels.most_per_class`
MEDICAL = "semidml.data.med:load"
MEDICAL_SIDES = (64, 128, 224)  # pixels of MedMNIST+, besides 28
MEDMNIST_PAPER = "Yang et al. 2023, doi 10.1038/s41597-022-01721-8"


def augment_strength(shape: tuple[int, int, int]) -> float:
    """How strongly images (C, H, W) are turned, scaled and shifted: 1 is up to 12 degrees and 10 %, right for 28x28.

    Images of less than 16 pixels a side get half of it. At 8x8 a shift of 10 % is most of a pixel. Digits, plain DML,
    5-NN accuracy on held-out training rows at strengths 0 / 0.5 / 1: with all labels in 2-D .950 / .945 / .893, with a
    tenth of them .743 / .822 / .837 (+- .01 to .05, n=4, two CPU cores, November 2026)."""
    return 1.0 if min(shape[1:]) >= 16 else 0.5


def twins(shape: tuple[int, int, int]) -> str:
    """Which random transforms suit images (C, H, W) of which nothing else is known: `photographs` (crops, mirrored left
    to right half the time, in other colours) where they are in colour, else `signs` (small turns, scalings and shifts,
    never mirrored: digits, letters, X-rays and slices, in which left is not right)."""
    return "photographs" if shape[0] == 3 else "signs"


def _facts(
    rows: tuple[int, ...],
    classes: int,
    shape: tuple[int, int, int],
    megabytes: float,
    licence: str,
    source: str,
    files: tuple[str, ...],
    twins: str,
    **more: object,
) -> dict[str, object]:
    """rows: of train and test, or of train, validation and test."""
    splits = ("train", "test") if len(rows) == 2 else ("train", "validation", "test")
    known = {"classes": classes, "shape": shape, "megabytes": megabytes, "licence": licence, "source": source}
    return dict(zip(splits, rows, strict=True)) | known | {"files": files, "twins": twins, **more}


def _idx(
    title: str,
    summary: str,
    paper: str,
    folder: str,
    megabytes: int,
    licence: str,
    source: str,
    twins: str = "signs",
    by_class: tuple[int, ...] = (7000,) * 10,
) -> Entry:
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    files = tuple(f"{folder}/raw/{part}-ubyte" for part in parts)
    facts = _facts((60000, 10000), 10, (1, 28, 28), megabytes, licence, source, files, twins, by_class=by_class)
    target = "semidml.data.vision:load"
    return Entry(folder.lower(), title, summary, paper, target, defaults={"epochs": 5}, facts=facts)


def _med(
    title: str,
    summary: str,
    rows: tuple[int, int, int],
    classes: int,
    channels: int,
    megabytes: float,
    epochs: int,
    licence: str = "CC BY 4.0",
    organ: bool = False,
) -> Entry:
    name, shape = title.lower(), (channels, 28, 28)
    suits = "signs" if organ else twins(shape)  # an organ has a left and a right
    files = (f"medmnist/{name}.npz",)
    facts = _facts(rows, classes, shape, megabytes, licence, "https://medmnist.com", files, suits)
    return Entry(name, title, summary, MEDMNIST_PAPER, MEDICAL, (), {"epochs": epochs}, facts)


def _birds(name: str, side: int) -> Entry:
    paper, target = "Wah et al. 2011, Caltech technical report CNS-TR-2011-001", "semidml.data.fine_grained:load_birds"
    facts = _facts(
        *((5994, 5794), 200, (3, side, side), 1150, "none stated"),
        "https://www.vision.caltech.edu/datasets/cub_200_2011/",
        ("CUB_200_2011/images.txt", "CUB_200_2011/train_test_split.txt"),
        "photographs",
        **{"half": 5864, "folders": ("CUB_200_2011/images",), "packed": "CUB_200_2011.tgz", "split": "classes"},
    )
    title, summary = f"CUB-200-2011 {side}x{side}", "photographs of birds of 200 species"
    return Entry(name, title, summary, paper, target, defaults={"epochs": 20} | MANY_CLASSES, facts=facts)


def _cars(name: str, side: int) -> Entry:
    paper, target = "Krause et al. 2013, doi 10.1109/ICCVW.2013.77", "semidml.data.fine_grained:load_cars"
    parts = ("devkit/cars_meta", "devkit/cars_train_annos", "cars_test_annos_withlabels")
    folders = ("stanford_cars/cars_train", "stanford_cars/cars_test")
    facts = _facts(
        *((8144, 8041), 196, (3, side, side), 1957, "none stated"),
        "https://www.tensorflow.org/datasets/catalog/cars196",
        tuple(f"stanford_cars/{part}.mat" for part in parts),
        "photographs",
        **{"half": 8054, "folders": folders, "by_hand": True, "split": "classes"},
    )
    title, summary = f"Cars-196 {side}x{side}", "photographs of cars of 196 models"
    return Entry(name, title, summary, paper, target, defaults={"epochs": 15} | MANY_CLASSES, facts=facts)


DATASETS = table(
    [
        Entry(
            "digits",
            "Digits 8x8",
            "handwritten digits, bundled with scikit-learn",
            "Alpaydin and Kaynak 1998, doi 10.24432/C50P49",
            "semidml.data.bundled:load",
            defaults={"epochs": 60},
            facts=_facts(
                *((1297, 500), 10, (1, 8, 8), 0, "CC BY 4.0", "https://archive.ics.uci.edu/dataset/80", (), "signs"),
                by_class=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
            ),
        ),
        _idx(
            *("MNIST", "handwritten digits", "LeCun et al. 1998, doi 10.1109/5.726791"),
            *("MNIST", 12, "CC BY-SA 3.0", "http://yann.lecun.com/exdb/mnist/"),
            by_class=(6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958),
        ),
        _idx(
            *("Fashion-MNIST", "clothes and shoes, as a shop shows them"),
            *("Xiao et al. 2017, arXiv 1708.07747", "FashionMNIST", 31, "MIT"),
            "https://github.com/zalandoresearch/fashion-mnist",
            twins="photographs",
        ),
        _idx(
            *("Kuzushiji-MNIST", "cursive Japanese characters, each in several old forms"),
            *("Clanuwat et al. 2018, arXiv 1812.01718", "KMNIST", 21, "CC BY-SA 4.0"),
            "https://codh.rois.ac.jp/kmnist/",
        ),
        _med("PathMNIST", "tissue of the colon under the microscope", (89996, 10004, 7180), 9, 3, 206, 4),
        _med(
            "ChestMNIST",
            "chest X-rays with any of 14 findings (several labels), read here as two classes: no finding, a finding",
            *((78468, 11219, 22433), 2, 1, 83, 4),
        ),
        _med("DermaMNIST", "pigmented spots of the skin", (7007, 1003, 2005), 7, 3, 20, 30, "CC BY-NC 4.0"),
        _med("OCTMNIST", "retinas in optical coherence tomography", (97477, 10832, 1000), 4, 1, 55, 4),
        _med("PneumoniaMNIST", "X-rays of children's chests", (4708, 524, 624), 2, 1, 4.2, 40),
        _med(
            *("RetinaMNIST", "retinas, five grades of diabetic disease"),
            *((1080, 120, 400), 5, 3, 3.3, 100),
            organ=True,
        ),
        _med("BreastMNIST", "breasts in ultrasound", (546, 78, 156), 2, 1, 0.6, 150),
        _med("BloodMNIST", "blood cells under the microscope", (11959, 1712, 3421), 8, 3, 36, 20),
        _med("TissueMNIST", "cells of the kidney's cortex", (165466, 23640, 47280), 8, 1, 125, 3),
        _med("OrganAMNIST", "organs in axial CT slices", (34561, 6491, 17778), 11, 1, 38, 8),
        _med("OrganCMNIST", "organs in coronal CT slices", (12975, 2392, 8216), 11, 1, 16, 20),
        _med("OrganSMNIST", "organs in sagittal CT slices", (13932, 2452, 8827), 11, 1, 17, 20),
        _birds("cub200", 64),
        _birds("cub200-256", 256),
        _cars("cars196", 64),
        _cars("cars196-256", 256),
    ]
)


def find_entry(name: str) -> Entry | None:
    """The data set called `name` in the table, or one of MedMNIST at a larger side, `organamnist@64`; None where there
    is neither."""
    if name in DATASETS:
        return DATASETS[name]
    start, _, side = name.partition("@")
    entry = DATASETS.get(start)
    if entry is None or entry.target != MEDICAL or side not in map(str, MEDICAL_SIDES):
        return None
    pixels = int(side)
    megabytes = round(entry.facts["megabytes"] * (pixels / entry.facts["shape"][1]) ** 2)  # about: as much a pixel
    more = {
        "shape": (entry.facts["shape"][0], pixels, pixels),
        "megabytes": megabytes,
        "files": (f"medmnist/{start}_{side}.npz",),
    }
    return replace(entry, name=name, title=f"{entry.title} {side}x{side}", facts={**entry.facts, **more})
