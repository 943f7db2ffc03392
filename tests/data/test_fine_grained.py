"""Birds and cars: read in the layouts that their makers and torchvision gave them, here with small files."""

import hashlib
import io
import socket
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from semidml.data import DATASETS, fetch, fine_grained, store
from semidml.data.dataset import Dataset

BIRDS = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross", "004.Groove_billed_Ani")
CARS = ("AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Ram C/V Cargo Van Minivan 2012", "Audi S5 Coupe 2012")
ROWS = 6  # of a class; two of three are trained on


def jpeg(value: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (90, 70), (value, value // 2, 10)).save(file, "JPEG", quality=95)
    return file.getvalue()


def bright(c: int, i: int) -> int:
    return 40 * c + 6 * i + 8


def cub_files() -> dict[str, bytes]:
    """CUB's layout; the numbers of the images do not follow their classes."""
    files, images, splits = {"attributes.txt": b"1 has_bill_shape::curved"}, [], []
    for i in range(ROWS):
        for c, name in enumerate(BIRDS):
            path = f"{name}/{name[4:]}_{i:04d}.jpg"
            files[f"CUB_200_2011/images/{path}"] = jpeg(bright(c, i))
            images.append(f"{len(images) + 1} {path}")
            splits.append(f"{len(images)} {int(i % 3 > 0)}")
    files["CUB_200_2011/images.txt"] = "\n".join([*images, ""]).encode()
    files["CUB_200_2011/train_test_split.txt"] = "\n".join([*splits, ""]).encode()
    return files


def tgz(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def put(top: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    return top


def put_cars(folder: Path) -> Path:
    """Cars-196 as torchvision's StanfordCars reads it; classes are numbered from 1."""
    top = folder / "stanford_cars"
    (top / "devkit").mkdir(parents=True)
    savemat(top / "devkit" / "cars_meta.mat", {"class_names": np.array(CARS, dtype=object)})
    boxes = ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")
    kind = [*((box, "O") for box in boxes), ("class", "O"), ("fname", "O")]
    for split, where in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        (top / f"cars_{split}").mkdir()
        rows = [(c, i) for i in range(ROWS) for c in range(len(CARS)) if (i % 3 > 0) == (split == "train")]
        marks = np.zeros((1, len(rows)), dtype=kind)
        for n, (c, i) in enumerate(rows):
            marks[0, n] = (1, 1, 50, 50, np.uint8(c + 1), f"{n + 1:05d}.jpg")
            (top / f"cars_{split}" / f"{n + 1:05d}.jpg").write_bytes(jpeg(bright(c, i)))
        savemat(top / where, {"annotations": marks})
    return folder


def are_right(data: Dataset, side: int, names: list[str]) -> None:
    """Every image is there once, in its split, with its class."""
    assert data.shape == (3, side, side) and data.class_names == tuple(names) and data.twins == "photographs"
    assert (len(data.train.labels), len(data.test.labels)) == (16, 8)
    for split, wanted in ((data.train, True), (data.test, False)):
        expected = sorted((bright(c, i), c) for c in range(4) for i in range(ROWS) if (i % 3 > 0) == wanted)
        shown = split.images[:, 0].float().mean((1, 2)).tolist()
        found = sorted(zip(shown, split.labels.tolist(), strict=True))
        assert [c for _, c in found] == [c for _, c in expected]
        assert np.allclose([v for v, _ in found], [v for v, _ in expected], atol=3)
    apart = data.by_classes()
    assert apart.train.labels.unique().tolist() == [0, 1] and apart.test.labels.unique().tolist() == [2, 3]
    assert len(apart.train.labels) == len(apart.test.labels) == 2 * ROWS
    storage = data.train.images.untyped_storage().data_ptr()
    for split in (data.train, data.test, apart.train, apart.test):
        assert split.images.untyped_storage().data_ptr() == storage, "a view of the memory-mapped file"


BIRD_NAMES = ["Black footed Albatross", "Laysan Albatross", "Sooty Albatross", "Groove billed Ani"]


@pytest.mark.parametrize(("name", "side"), [("cub200", 64), ("cub200-256", 256)])
def test_an_unpacked_archive_of_birds_is_read(name, side, tmp_path):
    put(tmp_path, cub_files())
    assert store.is_here(name, tmp_path)
    are_right(store.load(name, folder=tmp_path), side, BIRD_NAMES)
    assert len(list((tmp_path / "decoded").glob("*.npy"))) == 1


def test_a_packed_archive_of_birds_is_checked_and_unpacked(tmp_path, monkeypatch):
    packed = tgz(cub_files())
    put(tmp_path, {"CUB_200_2011.tgz": packed})
    assert store.is_here("cub200", tmp_path)
    with pytest.raises(ValueError, match=r"CUB_200_2011\.tgz is damaged .*delete it and fetch it again"):
        store.load("cub200", folder=tmp_path)
    monkeypatch.setattr(fine_grained, "CUB_MD5", hashlib.md5(packed).hexdigest())
    are_right(store.load("cub200", folder=tmp_path), 64, BIRD_NAMES)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["CUB_200_2011", "CUB_200_2011.tgz", "decoded"]


def test_two_at_once_unpack_once_and_a_folder_that_has_come_meanwhile_will_do(tmp_path, monkeypatch, two_at_once):
    packed = tgz(cub_files())
    put(tmp_path, {"CUB_200_2011.tgz": packed})
    monkeypatch.setattr(fine_grained, "CUB_MD5", hashlib.md5(packed).hexdigest())
    unpack = fine_grained.unpack
    unpacked, found = two_at_once(
        (fine_grained, "unpack"),
        lambda progress: store.load("cub200", folder=tmp_path, progress=progress),
        ".*unpacked by another.*",
    )
    assert len(unpacked) == 1 and [len(data.train.labels) for data in found] == [16, 16]
    unpack(tmp_path / "CUB_200_2011.tgz", fine_grained.CUB_MD5, "CUB_200_2011")  # as where a shared disk knows no locks
    assert sorted(p.name for p in tmp_path.iterdir()) == ["CUB_200_2011", "CUB_200_2011.tgz", "decoded"]


def test_birds_are_fetched_with_the_official_checksum_and_address(tmp_path, monkeypatch):
    packed = tgz(cub_files())
    asked = []

    def give(mirrors, path, md5, report, limit):
        asked.append((mirrors, path.name, md5, limit > 1_150_585_339))
        path.write_bytes(packed)
        monkeypatch.setattr(fine_grained, "CUB_MD5", hashlib.md5(packed).hexdigest())
        return len(packed)

    monkeypatch.setattr(fetch, "fetch", give)
    assert not store.is_here("cub200", tmp_path)
    assert len(store.load("cub200", download=True, folder=tmp_path).train.labels) == 16
    address = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
    assert asked == [([address], "CUB_200_2011.tgz", "97eceeb196236b17998738112f37df78", True)]


@pytest.mark.parametrize("evil", ["../evil", "CUB_200_2011/../../evil"])
def test_an_archive_that_would_write_elsewhere_is_refused(evil, tmp_path, monkeypatch):
    packed = tgz(cub_files() | {evil: b"x"})
    put(tmp_path / "data", {"CUB_200_2011.tgz": packed})
    monkeypatch.setattr(fine_grained, "CUB_MD5", hashlib.md5(packed).hexdigest())
    with pytest.raises(ValueError, match=r"could not be unpacked .*outside the destination"):
        store.load("cub200", folder=tmp_path / "data")
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["CUB_200_2011.tgz"]
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_a_damaged_bird_is_left_out_and_named_a_missing_one_refuses_all_and_a_missing_list_is_damage(tmp_path):
    put(tmp_path, cub_files())
    bird = tmp_path / "CUB_200_2011" / "images" / BIRDS[0] / "Black_footed_Albatross_0001.jpg"
    bird.write_bytes(b"hello")
    data = store.load("cub200", folder=tmp_path)
    assert len(data.train.labels) == 15
    assert data.notes == (
        "1 of 24 files could not be read and was left out: "
        "001.Black_footed_Albatross/Black_footed_Albatross_0001.jpg (not an image)",
    )
    bird.unlink()
    store.kept.clear()
    with pytest.raises(ValueError, match=r"Albatross_0001\.jpg could not be read \(No such file.*see that it is there"):
        store.load("cub200", folder=tmp_path)
    (tmp_path / "CUB_200_2011" / "images.txt").unlink()
    with pytest.raises(ValueError, match=r"CUB_200_2011 is damaged .*images\.txt.*: delete that folder"):
        store.load("cub200", folder=tmp_path)


@pytest.mark.parametrize("name", ["cub200", "cub200-256"])
def test_without_a_network_folder_and_file_of_the_birds_are_named_within_seconds(name, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=rf"data fetch {name}`, or put CUB_200_2011\.tgz into {tmp_path} "):
        store.load(name, folder=tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(fine_grained, "CUB_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/CUB_200_2011.tgz")
        start = time.perf_counter()
        with pytest.raises(ValueError, match=rf"could not be downloaded .*put CUB_200_2011\.tgz into {tmp_path} "):
            store.load(name, download=True, folder=tmp_path)
    assert time.perf_counter() - start < 5 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "side"), [("cars196", 64), ("cars196-256", 256)])
def test_cars_are_read_through_torchvision(name, side, tmp_path):
    put_cars(tmp_path)
    assert store.is_here(name, tmp_path)
    (tmp_path / "stanford_cars" / "cars_test").rename(tmp_path / "elsewhere")
    assert not store.is_here(name, tmp_path), "the lists alone are not enough"
    (tmp_path / "elsewhere").rename(tmp_path / "stanford_cars" / "cars_test")
    are_right(store.load(name, folder=tmp_path), side, [car.replace("/", "-") for car in CARS])


@pytest.mark.parametrize("download", [False, True])
def test_cars_are_never_fetched_and_folder_and_files_are_named(download, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch.socket, "create_connection", lambda *_, **__: pytest.fail("a connection was tried"))
    words = r"the address that it came from is gone.*put devkit/cars_meta\.mat, .*cars_train and cars_test into "
    with pytest.raises(ValueError, match=f"{words}{tmp_path / 'stanford_cars'}"):
        store.load("cars196", download=download, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_damaged_lists_of_cars_are_said(tmp_path):
    put_cars(tmp_path)
    (tmp_path / "stanford_cars" / "devkit" / "cars_train_annos.mat").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"stanford_cars is damaged .*put those files there anew"):
        store.load("cars196", folder=tmp_path)


def test_the_table_counts_as_the_papers_do():
    for name, rows, classes in (("cub200", 11_788, 200), ("cars196", 16_185, 196)):
        for entry in (DATASETS[name], DATASETS[f"{name}-256"]):
            facts = entry.facts
            assert (facts["train"] + facts["test"], facts["classes"]) == (rows, classes)
            assert "split" not in entry.defaults, "the official split stays the default: that is said where one trains"
        assert DATASETS[f"{name}-256"].facts["shape"] == (3, 256, 256)
