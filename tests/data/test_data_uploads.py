"""What a visitor brings: read as it is meant, refused in words, and never left behind half."""

import io
import os
import stat
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections import OrderedDict

import numpy as np
import pytest
import torch
from PIL import Image

from semidml import memory
from semidml.data import decoding, image_files, images, npz, store, uploads


def rng():
    return np.random.default_rng(0)


def arrays(n=40, shape=(12, 10), classes=4, **more):
    pixels = rng().integers(0, 256, (n, *shape), dtype=np.uint8)
    return {"train_images": pixels, "train_labels": np.arange(n) % classes} | more


def packed(**named) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **named)
    return file.getvalue()


def png(size=(12, 12), mode="L", value=None, kind="PNG") -> bytes:
    depth = len(Image.new(mode, (1, 1)).getbands())
    values = rng().integers(0, 256, (size[1], size[0], depth), dtype=np.uint8)
    if value is not None:
        values[:] = value
    file = io.BytesIO()
    Image.fromarray(values[..., 0] if depth == 1 else values).save(file, kind)
    return file.getvalue()


def zipped(files: dict[str, bytes], way=zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", way) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def forged_png(width, height) -> bytes:
    """A PNG whose header promises pixels that are not there."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = b"IDAT" + zlib.compress(b"\0")
    parts = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (chunk, end, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def forged_npz(header: str, size: int, name="train_images") -> bytes:
    """An .npz whose first array has any header, and zeros that hardly take space."""
    text = header.encode().ljust(117) + b"\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(f"{name}.npy", "w", force_zip64=True) as out,
    ):
        out.write(start)
        for _ in range(size // (1 << 20)):
            out.write(bytes(1 << 20))
        out.write(bytes(size % (1 << 20)))
    return file.getvalue()


# ---- what is read


@pytest.mark.parametrize("shape", [(12, 10), (12, 10, 3)])
@pytest.mark.parametrize("column", [False, True])
def test_an_npz_comes_back_as_it_was(folder, shape, column):
    given = arrays(shape=shape)
    given |= {
        f"{s}_{part}": a[:12]
        for s in ("val", "test")
        for part, a in (("images", given["train_images"]), ("labels", given["train_labels"]))
    }
    written = given | {k: v[:, None] for k, v in given.items() if column and k.endswith("labels")}
    kept = uploads.save_upload("mine", packed(**written), "mine.npz", folder)
    data = store.load("mine", folder=folder)
    back = data.train.images.permute(0, 2, 3, 1).numpy()
    assert np.array_equal(back if len(shape) == 3 else back[..., 0], given["train_images"])
    assert data.train.labels.tolist() == given["train_labels"].tolist()
    assert len(data.validation.labels) == len(data.test.labels) == 12
    assert [note.partition(" are")[0] for note in data.notes] == ["12 test images", "12 validation images"], "alike"
    assert kept.facts == store.facts("mine", folder=folder)
    rows = {"train": 40, "test": 12, "validation": 12, "classes": 4, "by_class": (16,) * 4}
    assert kept.facts == rows | {"shape": data.shape}


def test_arrays_in_fortran_order_and_in_pieces_are_the_same(folder, monkeypatch):
    given = arrays(shape=(9, 8, 3))
    uploads.save_upload("c", packed(**given), "c.npz", folder)
    uploads.save_upload(
        "f", packed(**given | {"train_images": np.asfortranarray(given["train_images"])}), "f.npz", folder
    )
    whole = store.load("c", folder=folder).train.images
    assert store.load("f", folder=folder).train.images.equal(whole)
    monkeypatch.setattr(npz, "CHUNK", 7 * 216)
    store.kept.clear()
    assert store.load("c", folder=folder).train.images.equal(whole)


def test_without_a_test_split_a_fifth_is_held_out_and_said(folder):
    given = arrays(n=50, classes=5)
    kept = uploads.save_upload("mine", packed(**given), "mine.npz", folder)
    data = store.load("mine", folder=folder)
    assert data.test.labels.bincount().tolist() == [2] * 5 and "20 % of each class" in data.notes[0]
    assert (kept.facts["train"], kept.facts["test"]) == (40, 10) == (len(data.train.labels), len(data.test.labels))
    rows = {row.tobytes() for row in data.train.images.numpy()} | {row.tobytes() for row in data.test.images.numpy()}
    assert len(rows) == 50


def test_labels_may_be_any_whole_numbers_from_0_on_and_classes_may_have_names(folder):
    given = arrays()
    uploads.save_upload("odd", packed(**given | {"train_labels": given["train_labels"] * 7}), "odd.npz", folder)
    assert store.load("odd", folder=folder).class_names == ("0", "7", "14", "21")
    names = np.array(["a", "b", "c", "d", "e"])
    uploads.save_upload("named", packed(**given, class_names=names), "named.npz", folder)
    assert store.load("named", folder=folder).class_names == tuple(names)


def test_a_zip_of_class_folders_makes_the_round_trip(folder):
    files = {f"top/{c}/{i}.png": png(value=100 * j + i) for j, c in enumerate(("cat", "dog")) for i in range(10)}
    clutter = {"__MACOSX/top/cat/._0.png": b"x", "top/cat/.DS_Store": b"x", "top/README.txt": b"hello"}
    uploads.save_upload("pets", zipped(files | clutter), "pets.zip", folder)
    data = store.load("pets", folder=folder)
    assert data.class_names == ("cat", "dog") and data.shape == (1, 12, 12)
    for split, n in ((data.train, 16), (data.test, 4)):
        assert len(split.labels) == n
        assert ((split.images[:, 0, 0, 0] >= 100) == split.labels.bool()).all()
    assert os.listdir(folder / "uploads") == ["pets.npz"]


def test_an_image_folder_is_read_from_a_path_and_from_the_uploads(folder, tmp_path):
    for split, n in (("train", 3), ("test", 2)):
        for c in ("a", "b"):
            place = tmp_path / "set" / split / c
            place.mkdir(parents=True)
            for i in range(n):
                (place / f"{i}.whatever").write_bytes(png(size=(90, 70), mode="RGB", value=(200, 10, 10), kind="JPEG"))
    path = str(tmp_path / "set")
    data = store.load(path, allow_paths=True, folder=folder)
    assert data.shape == (3, 64, 64) and (len(data.train.labels), len(data.test.labels)) == (6, 4)
    assert len(data.notes) == 2 and "alike" in data.notes[0] and "4 test images" in data.notes[1]
    assert data.train.images[:, 0].float().mean() > 190 and data.train.images[:, 1].float().mean() < 20
    facts = store.facts(path, allow_paths=True, folder=folder)
    assert (facts["train"], facts["test"], facts["by_class"]) == (6, 4, (5, 5))
    with pytest.raises(ValueError, match="command line only"):
        store.load(path, folder=folder)
    (folder / "uploads").mkdir(parents=True)
    (tmp_path / "set").rename(folder / "uploads" / "set")
    assert store.load("set", folder=folder).train.images.equal(data.train.images)
    assert [a.name for a in store.available(folder) if a.kind == "upload"] == ["set"]
    uploads.delete_upload("set", folder)
    assert os.listdir(folder / "uploads") == []


def test_images_of_many_kinds_become_one(folder):
    wide, tall, grey = png((200, 80), "RGB"), png((65, 300)), io.BytesIO()
    deep = Image.fromarray(np.full((30, 30), 65535, dtype=np.uint16))
    deep.save(grey, "PNG")
    clear = png((30, 30), "RGBA", value=(0, 0, 0, 0))
    palette = io.BytesIO()
    Image.new("P", (30, 30), 0).save(palette, "GIF")
    two = {f"a/{i}": x for i, x in enumerate((wide, tall))} | {
        f"b/{i}": x for i, x in enumerate((grey.getvalue(), clear))
    }
    uploads.save_upload("mix", zipped(two | {"b/2": palette.getvalue()}), "mix.zip", folder)
    data = store.load("mix", folder=folder)
    assert data.shape == (3, 64, 64)
    b = [x for s in (data.train, data.test) for x, y in zip(s.images, s.labels, strict=True) if y == 1]
    assert sorted(int(x.unique().item()) for x in b) == [0, 255, 255], "16-bit white, transparent on white, black"


def test_small_equal_images_stay_as_they_are(folder):
    files = {f"{c}/{i}.png": png((16, 20)) for c in "ab" for i in range(3)}
    uploads.save_upload("small", zipped(files), "small.zip", folder)
    data = store.load("small", folder=folder)
    assert data.shape == (1, 20, 16)
    with Image.open(io.BytesIO(files["a/0.png"])) as image:
        assert np.array_equal(data.train.images[0, 0].numpy(), np.array(image))


def test_a_damaged_image_is_left_out_of_an_upload_and_the_upload_says_so(folder):
    given = two_folders(cut=png((60, 60))[:-300], text=b"hello", other=png((20, 20), "RGB", value=(9, 9, 9)))
    kept = uploads.save_upload("mine", zipped(given), "mine.zip", folder)
    data = store.load("mine", folder=folder)
    assert data.notes[0] == "2 of 9 files could not be read and were left out: a/text.png (not an image), " + (
        "a/cut.png (damaged)"
    )
    assert "20 % of each class" in data.notes[1]
    assert len(data.train.labels) + len(data.test.labels) == 7 == kept.facts["train"] + kept.facts["test"]


# ---- what is refused


def object_array() -> np.ndarray:
    return np.array([{"a": 1}, None], dtype=object)


def encrypted_npz() -> bytes:
    """An archive whose directory says of its first member that it is encrypted."""
    content = bytearray(zipped({"train_images.npy": b"hello"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


BAD_NPZ = {
    "no pixels": (lambda: packed(**arrays() | {"train_images": np.zeros(40)}), "no array of training images"),
    "objects": (lambda: packed(train_images=object_array(), train_labels=np.arange(2)), "Python objects"),
    "object labels": (lambda: packed(**arrays() | {"train_labels": object_array()}), "Python objects"),
    "more labels": (lambda: packed(**arrays() | {"train_labels": np.arange(41) % 4}), "41 labels.*40 images"),
    "float labels": (lambda: packed(**arrays() | {"train_labels": np.full(40, 0.5)}), "whole numbers"),
    "many labels a row": (lambda: packed(**arrays() | {"train_labels": np.zeros((40, 65), int)}), "65 labels a row"),
    "one class": (lambda: packed(**arrays(classes=1)), "all of one class"),
    "too many classes": (lambda: packed(**arrays(n=1500, shape=(4, 4), classes=1500)), "at most 1,000 classes"),
    "no images": (lambda: packed(train_labels=arrays()["train_labels"]), "no array of training images"),
    "empty": (lambda: packed(train_images=np.zeros((0, 8, 8), np.uint8), train_labels=np.zeros(0, int)), "is empty"),
    "five channels": (lambda: packed(**arrays(shape=(8, 8, 5))), "colour images"),
    "flat": (lambda: packed(**arrays(shape=(65,))), "65 numbers a row, which make no square image"),
    "too small": (lambda: packed(**arrays(shape=(2, 2))), "4 to 256 a side"),
    "other test shape": (
        lambda: packed(**arrays(), test_images=np.zeros((2, 9, 9), np.uint8), test_labels=np.arange(2)),
        "one shape",
    ),
    "labels beyond names": (lambda: packed(**arrays(), class_names=np.array(["a", "b"])), "labels must be 0 to 1"),
    "no archive": (lambda: b"not a zip", "cannot be read as an .npz file"),
    "nothing": (lambda: b"", "cannot be read as an .npz file"),
    "cut short": (lambda: packed(**arrays())[:-40], "neither|cannot be read"),
    "a bomb": (
        lambda: forged_npz("{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000, 28, 28)}", 1 << 22),
        "promises another size",
    ),
    "long notes": (lambda: packed(**arrays(), notes=np.array(["x" * 2001])), "at most 2,000 letters"),
    "many notes": (lambda: packed(**arrays(), notes=np.array(["x"] * 11)), "there are 11 notes"),
    "a huge header": (
        lambda: forged_npz("{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 80 + ", 9, 9)}", 1 << 10),
        "promises another size|not a numpy array",
    ),
    "no header": (lambda: zipped({"train_images.npy": b"hello"}), "not a numpy array"),
    "bzip2": (lambda: zipped({"train_images.npy": b"hello"}, zipfile.ZIP_BZIP2), "packed by bzip2; only"),
    "encrypted": (encrypted_npz, "train_images.npy in the file is encrypted"),
}


@pytest.mark.parametrize("case", BAD_NPZ)
def test_a_bad_npz_is_refused_in_words_and_leaves_nothing(folder, case):
    make, words = BAD_NPZ[case]
    with pytest.raises(ValueError, match=words) as refused:
        uploads.save_upload("mine", make(), "mine.npz", folder)
    assert str(refused.value).startswith("mine.npz: ")
    assert os.listdir(folder / "uploads") == []
    assert all(there.kind == "table" for there in store.available(folder))


@pytest.mark.parametrize(
    "content", [packed(**arrays()), zipped({"a/1.png": png(), "a/2.png": png(), "b/1.png": png()})]
)
def test_trouble_of_the_machine_is_not_said_to_be_the_file_s(folder, content, monkeypatch):
    """torch has no room for the images, in the block of whoever reads an archive."""

    def no_room(*_: object, **__: object) -> None:
        raise RuntimeError("not enough memory")

    uploads.save_upload("mine", content, "mine", folder)
    monkeypatch.setattr(torch, "empty", no_room)
    with pytest.raises(RuntimeError, match="not enough memory"):
        store.load("mine", folder=folder)


def test_an_honest_bomb_is_refused_before_it_is_unpacked(folder, monkeypatch):
    monkeypatch.setattr(npz, "MAX_BYTES", 1 << 24)
    bomb = forged_npz("{'descr': '|u1', 'fortran_order': False, 'shape': (65536, 32, 32)}", 1 << 26)
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        start = archive.read("train_images.npy")
    labels = io.BytesIO()
    np.save(labels, np.zeros(65536, dtype=np.uint8))
    both = zipped({"train_images.npy": start, "train_labels.npy": labels.getvalue()})
    assert len(both) < 1 << 18
    monkeypatch.setattr(npz.Source, "check", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match=r"promises 0\.1 GiB of pixels"):
        uploads.save_upload("mine", both, "mine.npz", folder)
    monkeypatch.setattr(npz, "MAX_ROWS", 1000)
    with pytest.raises(ValueError, match="promises 65,536 images; at most 1,000"):
        uploads.save_upload("mine", both, "mine.npz", folder)


def linked_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("a/1.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("b/1.png", png())
    return file.getvalue()


def two_folders(**more: bytes) -> dict[str, bytes]:
    return {f"{c}/{i}.png": png() for c in "ab" for i in range(3)} | {f"a/{k}.png": v for k, v in more.items()}


def lying_zip(size: int, told: int) -> bytes:
    """A zip of class folders one of whose files unpacks to so many bytes, and its directory tells others."""
    whole = bytearray(zipped(two_folders(big=bytes(size))))
    at = -1
    for _ in range(2):  # its own header, and the directory
        at = whole.index(struct.pack("<I", size), at + 1)
        whole[at : at + 4] = struct.pack("<I", told)
    return bytes(whole)


BAD_ZIP = {
    "bzip2": (lambda: zipped(two_folders(), zipfile.ZIP_BZIP2), "packed by bzip2; only"),
    "LZMA": (lambda: zipped(two_folders(), zipfile.ZIP_LZMA), "packed by LZMA; only"),
    "slip": (lambda: zipped(two_folders() | {"../../a/evil.png": png()}), "leads out of it"),
    "absolute": (lambda: zipped(two_folders() | {"/a/evil.png": png()}), "leads out of it"),
    "backslashes": (lambda: zipped(two_folders() | {"..\\a\\evil.png": png()}), "leads out of it"),
    "drive": (lambda: zipped(two_folders() | {"C:/a/evil.png": png()}), "leads out of it"),
    "link": (linked_zip, "holds a link"),
    "no images": (lambda: zipped({"readme.txt": b"hello"}), "no class folders"),
    "empty": (lambda: zipped({}), "no class folders"),
    "one class": (
        lambda: zipped({f"{c}/{i}.png": png() for c in ("train/a", "test/a", "test/b") for i in range(3)}),
        "all of one class",
    ),
    "a class of texts": (
        lambda: zipped(two_folders() | {"c/1.png": b"hello", "c/2.png": b"hello"}),
        r"the class folder c is left without an image: 2 of 8 files .*c/1\.png \(not an image\)",
    ),
    "mostly texts": (lambda: zipped(two_folders(**dict.fromkeys("uvwxyz1", b"hello"))), "7 of 12 files .*and 2 more"),
    "nothing but texts": (lambda: zipped({"a/1.png": b"hello", "b/1.png": b"hello"}), "2 of 2 files .*at least half"),
    "a test split of texts": (
        lambda: zipped({f"train/{k}": v for k, v in two_folders().items()} | {"test/a/1.png": b"hello"}),
        "the split test is left without an image",
    ),
    "50,000 x 50,000": (lambda: zipped(two_folders(big=forged_png(50_000, 50_000))), "a/big.png has too many pixels"),
    "12,000 x 12,000": (lambda: zipped(two_folders(big=forged_png(12_000, 12_000))), "a/big.png has too many pixels"),
    "8,000 x 8,000": (lambda: zipped(two_folders(big=forged_png(8_000, 8_000))), "is 8,000 x 8,000 pixels"),
    "many large ones": (
        lambda: zipped(two_folders(**{str(i): forged_png(7_000, 7_000) for i in range(21)})),
        "more than 1,000 million pixels together",
    ),
    "2 x 2": (lambda: zipped(two_folders(tiny=png((2, 2)))), "each side must have at least 4"),
    "deep": (lambda: zipped(two_folders() | {"a/" * 9 + "x.png": png()}), "folders deep"),
}


@pytest.mark.parametrize("case", BAD_ZIP)
def test_a_bad_zip_is_refused_in_words_and_leaves_nothing(folder, case):
    make, words = BAD_ZIP[case]
    with pytest.raises(ValueError, match=words):
        uploads.save_upload("mine", make(), "mine.zip", folder)
    assert os.listdir(folder / "uploads") == []
    assert sorted(p.name for p in folder.parent.iterdir()) == ["data"]


def test_no_more_is_unpacked_than_the_zip_promises(folder):
    zeros = 234_567_891
    small = lying_zip(zeros, 1000)
    assert len(small) < 1 << 19
    tracemalloc.start()
    try:
        uploads.save_upload("mine", small, "mine.zip", folder)
        assert tracemalloc.get_traced_memory()[1] < zeros / 16
    finally:
        tracemalloc.stop()
    assert "a/big.png" in store.load("mine", folder=folder).notes[0]


def test_the_pixels_of_damaged_images_count_too_and_none_is_unpacked_beyond_the_limit(folder, monkeypatch):
    """The palette of an indexed image is known only once all of it is unpacked, which these do not survive."""
    monkeypatch.setattr(images, "MAX_ARCHIVE_PIXELS", 5 * 2000**2 + 1000)
    file = io.BytesIO()
    Image.new("P", (2000, 2000)).save(file, "GIF")
    cut = {f"cut{i}": file.getvalue()[:-2000] for i in range(6)}
    looked, flat = [], decoding.in_colour
    monkeypatch.setattr(decoding, "in_colour", lambda image: looked.append(image.size) or flat(image))
    with pytest.raises(ValueError, match="more than 20 million pixels together"):
        uploads.save_upload("mine", zipped(two_folders(**cut)), "mine.zip", folder)
    assert looked.count((2000, 2000)) == 5


def test_a_zip_that_unpacks_to_too_much_is_refused(folder, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_ARCHIVE_BYTES", 1 << 20)
    with pytest.raises(ValueError, match="unpacks to"):
        uploads.save_upload("mine", zipped(two_folders(zeros=bytes(2 << 20))), "mine.zip", folder)
    monkeypatch.setattr(image_files, "MAX_FILES", 4)
    with pytest.raises(ValueError, match="more than 4 files"):
        uploads.save_upload("mine", zipped(two_folders()), "mine.zip", folder)


def test_an_upload_has_at_most_fifty_megabytes(folder, monkeypatch):
    class Endless(io.RawIOBase):
        def read(self, size=-1):
            return bytes(size)

    with pytest.raises(ValueError, match="larger than 50 MB"):
        uploads.save_upload("mine", Endless(), "mine.npz", folder)
    assert os.listdir(folder / "uploads") == []


class Nested(io.BytesIO):
    """A file in the middle of which the next visitor's comes."""

    def __init__(self, size: int, then):
        super().__init__(bytes(size))
        self.then = then

    def read(self, size=-1):
        piece = super().read(1000)
        if self.tell() == 2000:
            self.then()
        return piece


def test_what_is_on_its_way_counts_in_the_quota_until_it_is_there(folder, monkeypatch):
    """A file that was reserved was made empty when the first byte came: three of 40 % each were taken."""
    monkeypatch.setenv("SEMIDML_DATA_QUOTA", "100kB")
    taken = []

    def receive(more: int) -> None:
        file = Nested(40_000, lambda: receive(more - 1) if more > 1 else None)
        taken.append(uploads.receive(file, "x.npz", folder))

    with pytest.raises(ValueError, match=r"x\.npz needs 40.* of the 100"):
        receive(3)
    assert taken == [] and os.listdir(folder / "uploads") == []
    receive(2)
    assert [incoming.path.stat().st_size for incoming in taken] == [40_000, 40_000]
    for incoming in taken:
        incoming.remove()


def test_a_file_that_is_larger_than_it_said_is_refused(folder):
    file = io.BytesIO(bytes(2000))
    file.size = 1000
    with pytest.raises(ValueError, match="larger than the 1,000 bytes that were announced"):
        uploads.save_upload("mine", file, "mine.npz", folder)
    assert os.listdir(folder / "uploads") == []


def test_what_is_unpacked_for_an_upload_counts_in_the_quota_until_it_is_there(folder, monkeypatch):
    from semidml.data import quota

    files, used = zipped({f"{c}/{i}.png": png((32, 32)) for c in "ab" for i in range(20)}), []
    plain = images.decode_splits

    def decode(plan, place, progress):
        def placed(*args):
            place(*args)
            used.append(quota.used_bytes(folder))

        return plain(plan, placed, progress)

    monkeypatch.setattr(images, "decode_splits", decode)
    uploads.save_upload("mine", files, "mine.zip", folder)
    pixels = 40 * 32 * 32
    assert len(used) == 40 and all(2 * pixels <= now - len(files) < 2 * pixels + 100 for now in used)
    assert quota.used_bytes(folder) < 1.2 * pixels and len(store.load("mine", folder=folder).train.labels) == 32


@pytest.mark.parametrize("name", ["", " ", "..", "../x", "/x", "a/b", "a\\b", "a\0b", ".hidden", "x" * 65, "é", "a\n"])
def test_no_name_leads_out_of_the_folder(folder, tmp_path, name):
    (tmp_path / "x.npz").write_bytes(packed(**arrays()))
    if name.strip() != "a":
        with pytest.raises(ValueError, match="cannot be the name"):
            uploads.save_upload(name, packed(**arrays()), "mine.npz", folder)
    with pytest.raises(ValueError, match="is not the name of a data set"):
        store.load(name, folder=folder)
    with pytest.raises(ValueError, match="no upload called"):
        uploads.delete_upload(name, folder)
    assert (tmp_path / "x.npz").exists()


def test_links_in_the_folder_are_not_followed(folder, tmp_path):
    (folder / "uploads").mkdir(parents=True)
    (tmp_path / "outside.npz").write_bytes(packed(**arrays()))
    (folder / "uploads" / "link.npz").symlink_to(tmp_path / "outside.npz")
    with pytest.raises(ValueError, match="no data set called 'link'"):
        store.load("link", folder=folder)
    with pytest.raises(ValueError, match="no upload called"):
        uploads.delete_upload("link", folder)
    inside = folder / "uploads" / "set" / "a"
    inside.mkdir(parents=True)
    (inside / "x.png").symlink_to(tmp_path / "outside.npz")
    with pytest.raises(ValueError, match=r"a/x\.png is a link"):
        store.load("set", folder=folder)


def test_names_of_the_table_and_of_other_uploads_are_taken(folder):
    uploads.save_upload("Mine", packed(**arrays()), "mine.npz", folder)
    for name in ("mine", "MNIST", "digits", "Mine"):
        with pytest.raises(ValueError, match="already"):
            uploads.save_upload(name, packed(**arrays()), "mine.npz", folder)
    uploads.delete_upload("Mine", folder)
    uploads.save_upload("mine", packed(**arrays()), "mine.npz", folder)


def test_an_image_of_a_folder_that_is_mended_in_its_place_is_read(folder, monkeypatch):
    for name, content in two_folders().items():
        file = folder / "uploads" / "mine" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    whole = (folder / "uploads" / "mine" / "a" / "1.png").read_bytes()
    broken = folder / "uploads" / "mine" / "a" / "0.png"
    broken.write_bytes(whole[:60])
    first = store.load("mine", folder=folder)
    assert "a/0.png" in first.notes[0]
    broken.write_bytes(whole)
    assert store.load("mine", folder=folder) is first, "every file was looked at a moment ago"
    monkeypatch.setattr(store, "LOOK", 0.0)
    mended = store.load("mine", folder=folder)
    assert not any("a/0.png" in note for note in mended.notes)
    assert len(mended.train.labels) + len(mended.test.labels) == 6
    assert store.load("mine", folder=folder) is mended


def test_a_file_that_changes_is_read_anew_and_a_deleted_one_is_forgotten(folder):
    uploads.save_upload("mine", packed(**arrays()), "mine.npz", folder)
    first = store.load("mine", folder=folder)
    assert store.load("mine", folder=folder) is first
    uploads.delete_upload("mine", folder)
    with pytest.raises(ValueError, match="no data set called 'mine'"):
        store.load("mine", folder=folder)
    uploads.save_upload("mine", packed(**arrays(n=60)), "mine.npz", folder)
    assert store.load("mine", folder=folder).official_train == 48


def test_data_sets_are_kept_while_they_fit_the_budget(folder, monkeypatch):
    for name in "abcd":
        uploads.save_upload(name, packed(**arrays(n=400)), "mine.npz", folder)  # of 52 kB each, in memory
    monkeypatch.setattr(memory, "_kept", OrderedDict())
    monkeypatch.setattr(memory, "RESERVE", 1 << 40)
    monkeypatch.setenv("SEMIDML_MEMORY", "200kB")
    first = [store.load(name, folder=folder) for name in "abcd"]
    assert 150_000 < memory.kept_bytes() < 200_000
    for name, data in list(zip("abcd", first, strict=True))[1:]:
        assert store.load(name, folder=folder) is data
    assert store.load("a", folder=folder) is not first[0]


def test_a_damaged_upload_is_listed_with_its_problem(folder):
    (folder / "uploads").mkdir(parents=True)
    (folder / "uploads" / "broken.npz").write_bytes(b"hello")
    broken = store.available(folder)[-1]
    assert broken.name == "broken" and not broken.here and "cannot be read" in broken.problem


def test_reading_images_leaves_warnings_as_they_were(folder):
    before = list(warnings.filters)
    uploads.save_upload("mine", zipped(two_folders()), "mine.zip", folder)
    assert warnings.filters == before
