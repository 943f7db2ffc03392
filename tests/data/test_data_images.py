"""Image folders: what cannot be read is left out and named, a side can be asked for, and large sets lie in one
memory-mapped file of which every split is a view."""

import errno
import gc
import io
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from semidml.data import decoded, decoding, image_files, images, layout, npz, quota, splits, store, uploads
from semidml.data.choices import Choices
from semidml.data.dataset import HELD_OUT_NOTE
from semidml.data.images import Damaged
from semidml.disk import locks


@pytest.fixture
def on_disk(monkeypatch):
    """Every data set is a large one."""
    monkeypatch.setattr(decoded, "LARGE", 0)


def picture(value=0, size=(12, 12), mode="L", kind="PNG") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, value).save(file, kind)
    return file.getvalue()


def noise(kind="JPEG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), dtype=np.uint8)).save(file, kind)
    return file.getvalue()


def put(top: Path, files: dict[str, bytes]) -> str:
    """Write files below a folder; its path as a name."""
    for name, content in files.items():
        place = top / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return str(top)


def classes(n=5, rows=10, above="") -> dict[str, bytes]:
    """Class folders c0, c1 ... whose images are all of one brightness each, another for each image."""
    return {f"{above}c{c}/{i:02d}.png": picture(c * rows + i) for c in range(n) for i in range(rows)}


def load(name, folder):
    return store.load(name, allow_paths=True, folder=folder)


def values(split) -> dict[int, int]:
    """{brightness: label}."""
    return dict(zip(split.images[:, 0, 0, 0].tolist(), split.labels.tolist(), strict=True))


def inside(part: torch.Tensor, whole: torch.Tensor) -> bool:
    """Whether a tensor's memory is a part of another's."""
    storage = whole.untyped_storage()
    end = part.data_ptr() + part.numel()
    return storage.data_ptr() <= part.data_ptr() and end <= storage.data_ptr() + storage.nbytes()


def files_in(folder: Path) -> list[str]:
    return sorted(p.suffix for p in (folder / "decoded").iterdir())


# ---- what cannot be read


@pytest.mark.parametrize("large", [False, True])
def test_what_cannot_be_read_is_left_out_counted_and_named(tmp_path, folder, large, monkeypatch):
    if large:
        monkeypatch.setattr(decoded, "LARGE", 0)
    files = classes(2) | {"c0/05.png": noise()[:2000], "c1/notes.txt": b"hello"}
    data = load(put(tmp_path / "set", files), folder)
    assert data.notes == (
        "2 of 21 files could not be read and were left out: c1/notes.txt (not an image), c0/05.png (damaged)",
        HELD_OUT_NOTE,
    )
    expected = {c * 10 + i: c for c in range(2) for i in range(10) if (c, i) != (0, 5)}
    shown = {v: y for split in (data.train, data.test) for v, y in values(split).items()}
    assert shown == expected and len(data.train.labels) + len(data.test.labels) == 19
    assert data.shape == (3, 64, 64), "the damaged one's header says colour"


def test_a_single_file_is_named_in_the_singular_and_at_most_five_of_many(tmp_path, folder):
    one = classes(2) | {"c0/x.png": b"hello"}
    assert load(put(tmp_path / "one", one), folder).notes[0] == (
        "1 of 21 files could not be read and was left out: c0/x.png (not an image)"
    )
    many = classes(2) | {f"c0/x{i}.png": b"hello" for i in range(12)}
    assert load(put(tmp_path / "many", many), folder).notes[0].endswith(", c0/x2.png (not an image) and 7 more")


@pytest.mark.parametrize("large", [False, True])
def test_a_folder_of_which_too_little_can_be_read_is_refused(tmp_path, folder, large, monkeypatch):
    if large:
        monkeypatch.setattr(decoded, "LARGE", 0)
    cut = noise()[:2000]
    with pytest.raises(ValueError, match=r"11 of 21 files could not be read .* at least half must be images"):
        load(put(tmp_path / "half", classes(1) | {f"c1/{i}.jpg": cut for i in range(10)} | {"c1/t": b"x"}), folder)
    with pytest.raises(ValueError, match=r"the class folder c2 is left without an image: 3 of 23 files"):
        load(put(tmp_path / "class", classes(2) | {f"c2/{i}.jpg": cut for i in range(3)}), folder)
    with pytest.raises(ValueError, match=r"the split val is left without an image"):
        given = classes(2, above="train/") | classes(2, above="test/") | {"val/c0/1.jpg": cut}
        load(put(tmp_path / "split", given), folder)
    assert not large or files_in(folder) == []


def test_limits_still_refuse_the_whole(tmp_path, folder):
    with pytest.raises(ValueError, match="at least 4"):
        load(put(tmp_path / "tiny", classes(2) | {"c0/x": picture(size=(2, 2))}), folder)


def test_three_images_are_enough_and_fewer_are_refused_in_words(tmp_path, folder):
    data = load(put(tmp_path / "three", {f"{n}.png": picture() for n in ("a/1", "a/2", "b/1")}), folder)
    assert (data.train.labels.tolist(), data.test.labels.tolist()) == ([0, 1], [0])
    with pytest.raises(ValueError, match="no class has two images"):
        load(put(tmp_path / "two", {f"{n}.png": picture() for n in ("a/1", "b/1")}), folder)
    with pytest.raises(ValueError, match="all of one class; there must be two classes or more"):
        one_class = {f"{c}/{i}.png": picture() for c in ("train/a", "test/a", "test/b") for i in range(3)}
        load(put(tmp_path / "one class", one_class), folder)
    with pytest.raises(ValueError, match="no class folders with images, and nothing else that is read"):
        load(put(tmp_path / "texts", {f"{i}.txt": b"hello" for i in range(3)}), folder)


def test_a_grey_image_among_coloured_ones_becomes_a_coloured_one(tmp_path, folder):
    red = {f"{c}/{i}.jpg": picture((200, 10, 10), mode="RGB", kind="JPEG") for c in "ab" for i in range(3)}
    data = load(put(tmp_path / "set", red | {"a/grey.png": picture(77)}), folder)
    shown = torch.cat([data.train.images, data.test.images])
    grey = shown[(shown[:, :1] == shown).all((1, 2, 3))]
    assert data.shape == (3, 12, 12) and len(shown) == 7
    assert len(grey) == 1 and grey.unique().tolist() == [77]


def test_what_is_kept_of_damaged_files_holds_no_image(tmp_path):
    """Those were kept alive by the errors: megabytes each, of a file that may have a few bytes."""
    folder = put(tmp_path / "set", classes(2) | {f"c0/x{i}.png": noise("PNG")[:9000] for i in range(4)})
    gc.collect()
    before = sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects())
    with image_files.list_members(Path(folder)) as members:
        plan = images.survey(list(layout.read_layout(members, Choices()).items))
        come = list(images.decoded(plan, plan.readable))
    damaged = [one for _, one in come if isinstance(one, Damaged)]
    assert damaged == [(f"c0/x{i}.png", "damaged") for i in range(4)] and plan.damaged == []
    assert sum(issubclass(type(thing), Image.Image) for thing in gc.get_objects()) == before


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ENOENT, errno.ESTALE])
@pytest.mark.parametrize("when", ["examine", "read_pixels"])
def test_what_the_machine_cannot_bring_is_no_damage(tmp_path, folder, monkeypatch, number, when):
    name, there = put(tmp_path / "set", classes(2)), getattr(decoding, when)

    def fail():
        raise OSError(number, os.strerror(number))

    def sometimes(member, *more):
        return there(member._replace(open=fail) if member.parts[1] == "05.png" else member, *more)

    monkeypatch.setattr(decoding, when, sometimes)
    with pytest.raises(ValueError, match=rf"c0/05\.png could not be read \({os.strerror(number)}\), which is no fault"):
        load(name, folder)
    monkeypatch.undo()
    assert load(name, folder).notes == (HELD_OUT_NOTE,), "nothing was left out for good"


def test_a_full_memory_is_no_damage(tmp_path, folder, monkeypatch):
    name = put(tmp_path / "set", classes(2))

    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image, "open", full)
    with pytest.raises(MemoryError):
        load(name, folder)


@pytest.mark.parametrize("small", [decoding.SMALL, 0], ids=["read at once", "read in parts"])
def test_a_seek_to_before_the_begin_is_damage(tmp_path, folder, monkeypatch, small):
    name, at_hand = put(tmp_path / "set", classes(2)), decoding._at_hand
    monkeypatch.setattr(decoding, "SMALL", small)

    def back(file, size):
        opened = at_hand(file, size)
        if file.name.endswith("c1/03.png"):
            opened.seek(-1)
        return opened

    monkeypatch.setattr(decoding, "_at_hand", back)
    assert "c1/03.png (damaged)" in load(name, folder).notes[0]


# ---- a side


@pytest.mark.parametrize("side", [8, 100, 512])
def test_a_side_after_the_path_scales_the_shorter_side_and_keeps_the_middle(tmp_path, folder, side):
    wide = Image.new("L", (90, 30), 0)
    wide.paste(255, (30, 0, 60, 30))  # the middle square is white
    file = io.BytesIO()
    wide.save(file, "PNG")
    name = put(tmp_path / "set", {f"{c}/{i}.png": file.getvalue() for c in "ab" for i in range(2)})
    data = load(f"{name}@{side}", folder)
    assert data.shape == (1, side, side) and data.train.images.float().mean() > 240
    assert data.title == f"set at {side} pixels" and data.name == f"{name}@{side}"
    assert load(name, folder).shape == (1, 64, 64)
    assert store.facts(f"{name}@{side}", True, folder)["shape"] == (1, side, side)


@pytest.mark.parametrize("side", ["7", "513", "big", "", "8.5", "-9", "٦٤"])
def test_a_side_that_cannot_be_is_refused_in_words(tmp_path, folder, side):
    name = put(tmp_path / "set", classes(2, 2))
    with pytest.raises(ValueError, match="there must be a whole number from 8 to 512"):
        load(f"{name}@{side}", folder)
    with pytest.raises(ValueError, match="command line only"):
        store.load(f"{name}@64", folder=folder)


def test_a_zip_takes_a_side_too_an_npz_does_not_and_a_name_with_an_at_is_a_name(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file, content in classes(2, 4).items():
            archive.writestr(file, content)
    assert load(f"{tmp_path / 'set.zip'}@20", folder).shape == (1, 20, 20)
    with open(tmp_path / "set.npz", "wb") as file:
        np.savez(file, train_images=np.zeros((6, 9, 9), np.uint8), train_labels=np.arange(6) % 2)
    with pytest.raises(ValueError, match="read as they are; leave @20 away"):
        load(f"{tmp_path / 'set.npz'}@20", folder)
    assert load(put(tmp_path / "birds@20", classes(2, 4)), folder).shape == (1, 12, 12)


# ---- large sets


@pytest.mark.parametrize("kind", ["one split", "train and test", "train, test and val"])
def test_decoded_images_are_those_in_memory_and_every_split_is_a_view_of_the_file(tmp_path, folder, kind, monkeypatch):
    if kind == "one split":
        files = classes(5)
    else:
        parts = [("train", 0), ("test", 1)] + [("val", 2)] * (kind == "train, test and val")
        files = {
            f"{split}/c{c}/{i}.png": picture(60 * s + c * 8 + i)
            for split, s in parts
            for c in range(5)
            for i in range(8)
        }
    name = put(tmp_path / "set", files)
    small = load(name, folder)
    assert not (folder / "decoded").exists()
    monkeypatch.setattr(decoded, "LARGE", 0)
    store.kept.clear()
    large = load(name, folder)
    assert files_in(folder) == [".npy", ".npz"]
    for mine, other in ((large, small), (large.by_classes(), small.by_classes())):
        assert (mine.class_names, mine.notes, mine.shape) == (other.class_names, other.notes, other.shape)
        for split in ("train", "test", "validation"):
            got, expected = getattr(mine, split), getattr(other, split)
            assert (got is None) == (expected is None)
            if got and (kind != "one split" or mine.disjoint):
                assert values(got) == values(expected)
            if got:
                assert got.labels.bincount(minlength=5).equal(expected.labels.bincount(minlength=5))
                assert got.images.is_contiguous() and inside(got.images, large.train.images)
    both = values(large.train) | values(large.test)
    assert both == values(small.train) | values(small.test) and not values(large.train).keys() & values(large.test)


def test_what_was_decoded_is_not_decoded_again_until_a_file_changes(tmp_path, folder, on_disk, monkeypatch):
    name = put(tmp_path / "set", classes(3))
    first = load(f"{name}@16", folder)
    monkeypatch.setattr(decoding, "read_pixels", lambda *_: pytest.fail("it was decoded again"))
    store.kept.clear()
    again = load(f"{name}@16", folder)
    assert again is not first and again.train.images.equal(first.train.images)
    monkeypatch.undo()
    monkeypatch.setattr(decoded, "LARGE", 0)
    before = set((folder / "decoded").iterdir())
    load(f"{name}@20", folder)
    assert before < set((folder / "decoded").iterdir()), "another side is another file"
    put(tmp_path / "set", {"c0/new.png": picture(200)})
    store.kept.clear()
    new = load(f"{name}@16", folder)
    assert 200 in values(new.train) | values(new.test)
    assert not before & set((folder / "decoded").iterdir()) and files_in(folder) == [".npy", ".npy", ".npz", ".npz"]
    assert first.train.images.equal(again.train.images), "whoever reads the old file can go on"


def test_a_file_changed_in_place_is_decoded_anew(tmp_path, folder, on_disk):
    name = put(tmp_path / "set", classes(3))
    load(name, folder)
    put(tmp_path / "set", {"c0/00.png": picture(222)})
    os.utime(tmp_path / "set" / "c0" / "00.png", (1, 1))
    store.kept.clear()
    data = load(name, folder)
    assert 222 in values(data.train) | values(data.test)


def test_two_at_once_decode_once_and_the_other_is_told_that_it_waits(tmp_path, folder, on_disk, two_at_once):
    name = put(tmp_path / "set", classes(3))
    calls, found = two_at_once(
        (decoding, "read_pixels"),
        lambda progress: store.load(name, allow_paths=True, folder=folder, progress=progress),
        "set: its images are being decoded by another already",
    )
    members = [given[0].parts for given in calls]
    assert len(members) == len(set(members)) == 30
    assert found[0].train.images.equal(found[1].train.images)
    assert files_in(folder) == [".npy", ".npz"], "the lock is gone"


def test_a_lock_is_free_again_when_its_holder_was_killed(tmp_path):
    lock = tmp_path / "lock"
    code = "from pathlib import Path; from semidml.disk import locks; import os, signal, sys\n"
    code += "with locks.alone(Path(sys.argv[1]), lambda: None): os.kill(os.getpid(), signal.SIGKILL)"
    root = Path(images.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code, str(lock)], cwd=root).returncode == -signal.SIGKILL
    assert lock.exists()

    def stop():
        raise KeyboardInterrupt

    free = locks.alone(lock, lambda: pytest.fail("it was not free"))
    with free, pytest.raises(KeyboardInterrupt), locks.alone(lock, stop):
        pytest.fail("two hold it")
    assert not lock.exists()


def test_an_upload_goes_with_its_decoded_images(tmp_path, folder, on_disk):
    put(folder / "uploads" / "mine", classes(3))
    store.load("mine", folder=folder)
    load(put(tmp_path / "other", classes(3)), folder)
    assert files_in(folder) == [".npy", ".npy", ".npz", ".npz"]
    uploads.delete_upload("mine", folder)
    assert files_in(folder) == [".npy", ".npz"]
    with pytest.raises(ValueError, match="no data set called 'mine'"):
        store.load("mine", folder=folder)


def test_what_systems_leave_behind_changes_no_state_and_a_link_that_leads_nowhere_is_said(tmp_path, folder, on_disk):
    name, top = put(tmp_path / "set", classes(3)), tmp_path / "set"
    before = image_files.state_of(top)
    (top / "c0" / ".#00.png").symlink_to("somebody@nowhere.1:2")  # Emacs's lock
    put(top, {"c1/Thumbs.db": b"x", ".git/head": b"x", "__MACOSX/c0/00.png": b"x"})
    assert image_files.state_of(top) == before and load(name, folder).shape == (1, 12, 12)
    (top / "c0" / "new.png").symlink_to(tmp_path / "nowhere")
    store.kept.clear()
    with pytest.raises(ValueError, match=r"c0/new\.png is a link; put what it leads to there instead"):
        load(name, folder)


def test_a_file_that_vanishes_while_it_is_looked_at_is_said_in_words(tmp_path, folder, monkeypatch):
    name, is_clutter = put(tmp_path / "set", classes(3)), image_files.is_clutter

    def take_away(name):
        if name == "00.png":  # the folder is listed by now
            (tmp_path / "set" / "c0" / name).unlink(missing_ok=True)
        return is_clutter(name)

    monkeypatch.setattr(image_files, "is_clutter", take_away)
    with pytest.raises(ValueError, match=r"c0/00\.png could not be looked at \(No such file or directory\)"):
        load(name, folder)


def test_writing_to_the_images_leaves_the_file_as_it_is(tmp_path, folder, on_disk):
    name = put(tmp_path / "set", classes(3))
    data = load(name, folder)
    kept = data.train.images.clone()
    data.train.images.zero_()
    store.kept.clear()
    assert load(name, folder).train.images.equal(kept)


def test_a_file_larger_than_the_memory_is_mapped_for_reading(tmp_path, folder, on_disk, monkeypatch):
    name = put(tmp_path / "set", classes(3))
    data, load_array = load(name, folder), np.load

    def refuse(path, mmap_mode=None, **more):
        if mmap_mode == "c":
            raise OSError(12, "Cannot allocate memory")
        return load_array(path, mmap_mode=mmap_mode, **more)

    monkeypatch.setattr(decoded.np, "load", refuse)
    store.kept.clear()
    again = load(name, folder)
    assert again is not data and again.train.images.equal(data.train.images)


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, folder, on_disk, monkeypatch):
    monkeypatch.setattr(quota, "SPARE_BYTES", 1 << 60)
    with pytest.raises(ValueError, match=r"set: decoding set needs .* and the disk has .* left: there is no upload to"):
        load(put(tmp_path / "set", classes(3)), folder)
    assert files_in(folder) == []


def test_whoever_stops_leaves_nothing_behind_and_what_was_killed_is_swept_away(tmp_path, folder, on_disk, monkeypatch):
    name = put(tmp_path / "set", classes(3))
    (folder / "decoded").mkdir(parents=True)
    for part, age in ((".old.part", 7200), (".new.part", 0)):
        (folder / "decoded" / part).write_bytes(b"x")
        now = (folder / "decoded" / part).stat().st_mtime
        os.utime(folder / "decoded" / part, (now - age,) * 2)

    def stop(share, text):
        if share:
            raise KeyboardInterrupt

    monkeypatch.setattr(images, "TOLD", 7)
    with pytest.raises(KeyboardInterrupt):
        store.load(name, allow_paths=True, folder=folder, progress=stop)
    assert [p.name for p in (folder / "decoded").iterdir()] == [".new.part"]


def test_the_progress_of_decoding_is_told_and_rises(tmp_path, folder, on_disk, monkeypatch):
    monkeypatch.setattr(images, "TOLD", 7)
    told = []
    name = put(tmp_path / "set", classes(3))
    store.load(name, allow_paths=True, folder=folder, progress=lambda *words: told.append(words))
    assert [round(30 * share) for share, _ in told if share] == [7, 14, 21, 28]
    assert "set: 7 of 30 images decoded" in [text for _, text in told]


def test_a_folder_of_a_path_may_be_larger_than_an_upload(tmp_path, folder, on_disk, monkeypatch):
    monkeypatch.setattr(npz, "MAX_BYTES", 1000)
    name = put(tmp_path / "set", classes(3))
    assert len(load(name, folder).train.labels) == 24
    put(folder / "uploads" / "mine", classes(3))
    with pytest.raises(ValueError, match=r"mine: 30 images of 12 x 12 pixels in grey are .* are read"):
        store.load("mine", folder=folder)
    monkeypatch.setattr(decoded, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="30 images of 20 x 20 pixels"):
        load(f"{name}@20", folder)


def test_a_large_set_without_a_test_split_or_classes_is_refused_as_a_small_one_is(tmp_path, folder, on_disk):
    with pytest.raises(ValueError, match="no class has two images"):
        load(put(tmp_path / "two", {f"{n}.png": picture() for n in ("a/1", "b/1")}), folder)
    with pytest.raises(ValueError, match="all of one class"):
        one_class = {f"{c}/{i}.png": picture() for c in ("train/a", "test/a", "test/b") for i in range(3)}
        load(put(tmp_path / "one class", one_class), folder)


def test_settings_can_be_chosen_on_large_sets_and_by_classes(tmp_path, folder, on_disk):
    data = load(put(tmp_path / "set", classes(10, 6)), folder)
    rows = data.for_selection(0)
    assert rows.official_train == data.official_train and rows.halves is None
    assert len(rows.by_classes().train.labels) + len(rows.by_classes().test.labels) == data.official_train
    chosen = data.by_classes().for_selection(0)
    assert chosen.test.labels.unique().tolist() == [3, 4] and chosen.official_train == 30


@pytest.mark.parametrize("above", [(), ("train/", "test/"), ("train/", "test/", "val/")])
def test_what_trains_while_settings_are_chosen_on_new_classes_is_never_copied(tmp_path, folder, monkeypatch, above):
    files = (
        {
            f"{top}c{c}/{i}.png": picture(40 * s + 4 * c + i)
            for s, top in enumerate(above)
            for c in range(10)
            for i in range(4)
        }
        if above
        else classes(10, 6)
    )
    name = put(tmp_path / "set", files)
    small = load(name, folder).by_classes()
    expected = small.for_selection(0)
    store.kept.clear()
    monkeypatch.setattr(decoded, "LARGE", 0)
    whole = load(name, folder)
    half, size = whole.by_classes(), 12 * 12
    held = int((half.train.labels >= 3).sum())
    monkeypatch.setattr(splits, "MAX_COPIED", held * size)
    chosen = half.for_selection(0)
    assert inside(chosen.train.images, whole.train.images) and chosen.train.labels.unique().tolist() == [0, 1, 2]
    assert values(half.train) == values(small.train) and values(half.test) == values(small.test)
    assert values(chosen.train) == values(expected.train) and values(chosen.test) == values(expected.test)
    monkeypatch.setattr(splits, "MAX_COPIED", held * size - 1)
    with pytest.raises(ValueError, match=rf"^{held} images of 144 bytes each do not lie side by side.* take fewer or"):
        half.for_selection(0)


def test_the_rows_left_when_some_are_held_out_are_not_copied_by_the_gigabyte(tmp_path, folder, on_disk, monkeypatch):
    data = load(put(tmp_path / "set", classes(5)), folder)
    monkeypatch.setattr(splits, "MAX_COPIED", 20 * 144)
    with pytest.raises(ValueError, match=r"36 images of 144 bytes .*bring a validation split \(a folder val\)"):
        data.for_selection(0)
