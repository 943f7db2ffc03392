"""Many image files: read by several processes, once, as one process would read them; stopped without a trace."""

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from semidml import memory
from semidml.config import RunConfig
from semidml.data import (
    decoded,
    decoders,
    decoding,
    fingerprint,
    image_files,
    images,
    layout,
    npz,
    quota,
    reading,
    store,
)
from semidml.data.choices import Choices
from semidml.data.look import look
from semidml.data.once import Once
from semidml.execute import execute
from semidml.runs import listing
from semidml.ui import words

ROOT = Path(__file__).parents[2]
MAKERS = {  # of an image (80, 70) and a number: how it is saved
    "grey.png": lambda image, n: image.convert("L").save,
    "colour.jpg": lambda image, n: partial(image.save, quality=80),
    "turned.jpg": lambda image, n: partial(image.save, exif=turned(1 + n % 8)),
    "palette.gif": lambda image, n: image.convert("P").save,
    "clear.png": lambda image, n: cleared(image).save,
    "deep.png": lambda image, n: Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 200).save,
    "plain.bmp": lambda image, n: image.save,
    "bits.png": lambda image, n: image.convert("1").save,
    "film.webp": lambda image, n: image.save,
    "page.tif": lambda image, n: image.save,
}


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def cleared(image: Image.Image) -> Image.Image:
    """White on nothing: on white it could not be seen."""
    alpha = image.convert("L").point(lambda value: 255 * (value > 128))
    white = Image.new("RGBA", image.size, (255, 255, 255, 0))
    white.putalpha(alpha)
    return white


def pictures(count: int, size: tuple[int, int] = (80, 70)) -> list[Image.Image]:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (count, 9, 8, 3), dtype=np.uint8)
    return [Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC) for pixels in small]


def write_set(top: Path, kinds: list[str], count: int = 60, classes: int = 3, **size: tuple[int, int]) -> Path:
    """Class folders of images of these kinds in turn, with a damaged file and one that is none in the first."""
    for number, image in enumerate(pictures(count, **size)):
        kind = kinds[number % len(kinds)]
        folder = top / f"c{number % classes}"
        folder.mkdir(parents=True, exist_ok=True)
        MAKERS[kind](image, number)(folder / f"{number:04d}.{kind.rpartition('.')[2]}")
    broken = io.BytesIO()
    pictures(1, (300, 300))[0].save(broken, "JPEG")
    (top / "c0" / "0100.jpg").write_bytes(broken.getvalue()[:2000])
    (top / "c1" / "notes.png").write_bytes(b"hello")
    return top


def write_zip(top: Path) -> Path:
    place = top.with_suffix(".zip")
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(top.rglob("*.*")):
            archive.write(file, file.relative_to(top))
    return place


@pytest.fixture(autouse=True)
def nothing_kept():
    store.kept.clear()
    store._looks.clear()


def share(monkeypatch, cores: int = 2) -> list[object]:
    """From now on every set is one of many files, on a machine of so many cores; the processes that are started."""
    started, start = [], decoders._Decoder

    def note():
        started.append(start())
        return started[-1]

    monkeypatch.setattr(decoders, "_Decoder", note)
    monkeypatch.setattr(decoders, "SHARED_FROM", 0)
    monkeypatch.setattr(decoders, "BATCH_COST", 60_000)
    monkeypatch.setattr(memory, "cores", lambda: cores)
    return started


def load(name, folder, **more):
    return store.load(str(name), allow_paths=True, folder=folder, **more)


def equal(one, other) -> bool:
    told = [
        (data.notes, data.class_names, data.files, data.pixels if data.files == "" else "") for data in (one, other)
    ]
    return told[0] == told[1] and all(
        part.images.equal(other.parts[split].images) and part.labels.equal(other.parts[split].labels)
        for split, part in one.parts.items()
    )


def children(process: psutil.Process | None = None) -> list[psutil.Process]:
    """The processes that a process has begun; of this one those since the test began, beside which it may have others,
    as the app that browser tests look at."""
    own = (process or psutil.Process()).children(recursive=True)
    return own if process else [child for child in own if child not in _before]


_before: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    _before.clear()
    _before.update(psutil.Process().children(recursive=True))


# ---- equal to the bit


@pytest.mark.parametrize("side", ["", "@40"])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    "kinds",
    [
        ["grey.png"],
        ["colour.jpg", "turned.jpg"],
        ["bits.png", "colour.jpg", "palette.gif"],
        ["clear.png"],
        list(MAKERS),
    ],
    ids=" ".join,
)
def test_several_processes_give_what_one_gives(tmp_path, folder, monkeypatch, kinds, large, side):
    if large:
        monkeypatch.setattr(decoded, "LARGE", 0)
    name = f"{write_set(tmp_path / 'set', kinds)}{side}"
    one = load(name, folder / "one")
    assert "2 of 62 files could not be read" in one.notes[0] and "c0/0100.jpg (damaged)" in one.notes[0]
    started = share(monkeypatch)
    several = load(name, folder / "several")
    assert len(started) >= 2 and equal(one, several) and one.digest == several.digest
    assert children() == []
    store.kept.clear()
    monkeypatch.setattr(reading, "open_reading", lambda *_: pytest.fail("the files were read again"))
    again = load(name, folder / "several")
    assert again is not several and equal(one, again), "a second start reads what was kept"


@pytest.mark.parametrize("place", [lambda top: top, write_zip], ids=["folder", "zip"])
def test_processes_look_at_files_too_and_a_second_look_opens_none_of_them_again(tmp_path, folder, monkeypatch, place):
    """Nor a damaged one; and how far a look is, is told."""
    name, other = (
        str(place(write_set(tmp_path / "set", ["grey.png", "clear.png"]))),
        Choices(folders={"c2": "left out"}),
    )
    plain, changed = look(name, Choices(), folder), look(name, other, folder)
    started, told, once = share(monkeypatch), [], Once()
    monkeypatch.setattr(decoders, "SHARED_FROM", 1)
    known = look(name, Choices(), folder, progress=lambda share, words: told.append((share, words)), once=once)
    assert known == plain and len(started) == 4 and children() == []
    assert "1 of 62 files could not be read" in known.notes[0]
    assert told[0] == (0.0, "its files are listed")
    assert any(words.endswith("of 62 files looked at") for _, words in told)
    assert any(words.startswith("What a sample shows: ") and share > 0.2 for share, words in told)
    started.clear()
    monkeypatch.setattr(decoding, "_opened", lambda member: pytest.fail(f"{member.path} was opened again"))
    assert look(name, other, folder, once=once) == changed != plain and started == []


@pytest.mark.parametrize("words", ["files looked at", "images decoded"])
def test_whoever_stops_a_look_leaves_no_process(tmp_path, folder, monkeypatch, words):
    top, started = write_set(tmp_path / "set", ["grey.png"]), share(monkeypatch)

    def stop(share, text):
        if text.endswith(words):
            raise InterruptedError(text)

    with pytest.raises(InterruptedError, match=words):
        look(str(top), Choices(), folder, progress=stop)
    assert started and children() == []


def test_an_npz_that_lies_here_is_looked_at_however_large_it_is(tmp_path, folder, monkeypatch):
    place, pixels = tmp_path / "x.npz", np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    np.savez(place, train_images=pixels, train_labels=np.arange(20) % 2)
    monkeypatch.setattr(npz, "MAX_BYTES", 1000)
    monkeypatch.setattr(decoded, "LARGE", 500)
    assert look(str(place), Choices(), folder).counts == {"train": {"0": 10, "1": 10}}
    assert len(load(place, folder).train.labels) == 16
    monkeypatch.setattr(decoded, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="GiB of pixels"):
        look(str(place), Choices(), folder)


@pytest.mark.parametrize("size", [(20, 20), (80, 70)])
def test_so_they_do_of_an_archive(tmp_path, folder, monkeypatch, size):
    place = write_zip(write_set(tmp_path / "set", ["grey.png", "clear.png", "colour.jpg"], size=size))
    one = load(place, folder / "one")
    assert share(monkeypatch) == [] and equal(one, load(place, folder / "several"))


def test_without_a_test_split_of_its_own_or_with_one_rows_stand_in_the_same_order(tmp_path, folder, monkeypatch):
    for split in ("train", "val", "test"):
        write_set(tmp_path / "set" / split, ["grey.png"], 24)
    one = load(tmp_path / "set", folder / "one")
    share(monkeypatch)
    assert equal(one, load(tmp_path / "set", folder / "several")) and one.validation is not None


def test_what_does_not_fit_into_the_memory_that_is_given_is_decoded_at_its_turn(tmp_path, monkeypatch):
    top = write_set(tmp_path / "set", list(MAKERS))
    with image_files.list_members(top) as members:
        items = list(layout.read_layout(members, Choices()).items)
        plans = [images.survey(items, most_ready=most) for most in (0, 100_000, 1 << 30)]
        sizes = [sum(getattr(pixels, "nbytes", 0) for pixels in plan.ready.values()) for plan in plans]
        assert sizes[0] == 0 < sizes[1] < 150_000 < sizes[2]
        reads = [images.in_memory(plan) for plan in plans]
    assert not plans[2].ready, "what was taken is let go"
    for read in reads[1:]:
        assert read.notes == reads[0].notes and read.splits["train"].images.equal(reads[0].splits["train"].images)


# ---- once


def test_each_file_is_opened_once_and_at_a_second_start_none(tmp_path, folder, monkeypatch):
    place, opened, at_hand = write_set(tmp_path / "set", ["grey.png"]), [], decoding._at_hand
    share(monkeypatch, cores=1)
    monkeypatch.setattr(decoding, "_at_hand", lambda file, size: opened.append(file.name) or at_hand(file, size))
    first = load(place, folder)
    assert len(opened) == len(set(opened)) == 62
    assert sorted(path.suffix for path in (folder / "decoded").iterdir()) == [".npy", ".npz"]
    store.kept.clear()
    assert equal(first, load(place, folder)) and len(opened) == 62
    (place / "c2" / "0002.png").write_bytes((place / "c2" / "0005.png").read_bytes())
    os.utime(place / "c2" / "0002.png", (1, 1))
    store.kept.clear()
    assert not equal(first, load(place, folder)) and len(opened) == 124
    assert len(list((folder / "decoded").iterdir())) == 2, "those of the older state are gone"


def test_files_are_digested_while_they_are_open(tmp_path, monkeypatch):
    """To know the data on another machine took each file once more."""
    top = write_set(tmp_path / "set", list(MAKERS))
    with image_files.list_members(top) as members:
        plan = images.survey(list(layout.read_layout(members, Choices()).items), most_ready=1000)
        files, decided, known = plan.digested
        assert len(known) == len(files) == 61 and plan.ready
        expected = fingerprint.digest_files(files, decided)
        shutil.rmtree(top)
        assert fingerprint.digest_files(files, decided, known) == expected


def test_two_at_once_decode_once(tmp_path, folder, monkeypatch, two_at_once):
    place = write_set(tmp_path / "set", ["grey.png"], 30)
    share(monkeypatch, cores=1)
    calls, sets = two_at_once(
        (decoding, "examine"),
        lambda progress: load(place, folder, progress=progress),
        "set: its images are being decoded by another already",
    )
    assert len(calls) == 32 and equal(*sets)


@pytest.mark.parametrize("why", ["quota", "folder"])
def test_what_cannot_be_kept_is_read_all_the_same_and_that_is_said(tmp_path, folder, monkeypatch, why):
    place = write_set(tmp_path / "set", ["grey.png"])
    one = load(place, folder / "one")
    share(monkeypatch)
    if why == "quota":
        monkeypatch.setenv(quota.VARIABLE, "1KB")
    else:
        folder.mkdir(exist_ok=True)
        (folder / "decoded").write_bytes(b"a file is in the way")
    data = load(place, folder)
    assert data.train.images.equal(one.train.images)
    assert data.notes[1].startswith("Its decoded images are not kept, and every start decodes them: ")
    assert why == "folder" or list((folder / "decoded").iterdir()) == []
    monkeypatch.setattr(decoded, "LARGE", 0)
    store.kept.clear()
    with pytest.raises(ValueError, match="SEMIDML_DATA"):
        load(place, folder)


# ---- a sign of life


def test_the_first_word_comes_before_the_first_look_and_the_share_never_falls(tmp_path, folder, monkeypatch):
    place, told = write_set(tmp_path / "set", ["grey.png"]), []
    share(monkeypatch)
    monkeypatch.setattr(images, "TOLD", 10)
    monkeypatch.setattr(image_files, "TOLD", 10)
    state_of = image_files.state_of
    monkeypatch.setattr(image_files, "state_of", lambda path: told.append((0, "looks")) or state_of(path))
    load(place, folder, progress=lambda *words: told.append(words))
    shares, texts = zip(*told, strict=True)
    assert texts[:3] == ("set: looking for what has changed", "looks", "set: its files are listed")
    assert list(shares) == sorted(shares) and 0.5 < shares[-1] <= 1
    assert {"set: 60 files listed", "set: 30 of 62 files looked at", "set: 50 of 61 images decoded"} <= set(texts)


def test_who_waits_for_a_slow_image_is_told_so_too(tmp_path):
    def slow(members):
        time.sleep(0.7)
        return [None] * len(members)

    beats = []
    members = [image_files.Member((f"{i}.png",), partial(open, "x", "rb")) for i in range(3)]
    with decoders.ThreadPoolExecutor(1) as threads:
        assert decoders._wait(threads.submit(slow, members), lambda: beats.append(1)) == [None] * 3
    assert len(beats) >= 2


def test_a_run_that_waits_for_its_images_says_so_and_heeds_a_stop(tmp_path, folder, monkeypatch):
    place, told = write_set(tmp_path / "set", ["grey.png"]), []
    monkeypatch.setenv("SEMIDML_DATA", str(folder))
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    run = listing.create_run(RunConfig(data=str(place), epochs=1), paths=True)  # which reads them as well
    store.kept.clear()
    share(monkeypatch)

    def progress(fraction, text):
        told.append((text, run.status().preparing))
        if "images decoded" in text or "looked at" in text:
            deadline = time.monotonic() + 10
            while not run.status().preparing and time.monotonic() < deadline:  # the heartbeat writes it
                time.sleep(0.02)
            told.append((text, run.status().preparing))
            assert words.state_words(run, run.status()) == f"{run.status().preparing} (0 %)"
            (run.path / "stop").touch()

    assert list(execute(run, progress=progress)) == []
    assert told[0][0] == "set: looking for what has changed" and any(shown.startswith("set: ") for _, shown in told)
    assert (run.status().state, run.status().preparing) == ("stopped", "")
    assert list((folder / "decoded").iterdir()) == [] and children() == []


# ---- stopped


def test_a_process_that_is_killed_is_said_in_words_and_nothing_stays(tmp_path, folder, monkeypatch):
    place, killed = write_set(tmp_path / "set", ["colour.jpg"], 200), []
    started = share(monkeypatch)

    def kill(fraction, text):
        if started and not killed:
            killed.append(started[0]._process.pid)
            os.kill(killed[0], signal.SIGKILL)

    why = r"set: a process that decodes images has ended \(signal 9: killed, .*\) at c\d/\d+\.jpg"
    with pytest.raises(ValueError, match=why):
        load(place, folder, progress=kill)
    assert killed and list((folder / "decoded").iterdir()) == [] and children() == []
    assert not [thread.name for thread in threading.enumerate() if "decoders" in thread.name]
    assert len(load(place, folder).train.labels) > 100, "and it can be tried again"


def test_who_stops_in_the_middle_leaves_nothing(tmp_path, folder, monkeypatch):
    place = write_set(tmp_path / "set", ["colour.jpg"], 200)
    started = share(monkeypatch)

    def stop(fraction, text):
        if fraction:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(place, folder, progress=stop)
    assert started and list((folder / "decoded").iterdir()) == [] and children() == []


CODE = """
import sys
from pathlib import Path
from semidml import memory
from semidml.data import decoders, store
decoders.SHARED_FROM, decoders.BATCH_COST, memory.cores = 0, 60_000, lambda: 2
told = lambda share, text: print(text, flush=True)
store.load(sys.argv[1], allow_paths=True, folder=Path(sys.argv[2]), progress=told)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_who_started_it(tmp_path, folder, how):
    place = write_set(tmp_path / "set", ["colour.jpg"])
    for file in [*place.rglob("*.jpg")]:
        for copy in range(40):
            os.link(file, file.with_name(f"{copy}-{file.name}"))
    command = [sys.executable, "-c", CODE, str(place), str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=subprocess.DEVNULL, text=True) as process:
        deadline, decoding_ones = time.monotonic() + 60, []
        while len(decoding_ones) < 2 and time.monotonic() < deadline:
            assert process.poll() is None
            decoding_ones = children(psutil.Process(process.pid))
        os.kill(process.pid, how)
        assert process.wait(20) in (-how, 130, 1)
    assert len(decoding_ones) == 2
    _, alive = psutil.wait_procs(decoding_ones, timeout=10)
    assert not alive and not list((folder / "decoded").glob("*.np[yz]"))


# ---- limits


def test_what_lies_in_the_working_folder_is_no_library(tmp_path, folder, monkeypatch):
    """A PIL.py there, as a pupil may have, ended every process."""
    place, work = write_set(tmp_path / "set", ["grey.png"]), tmp_path / "work"
    for name in ("PIL", "numpy", "struct"):
        (work / name).mkdir(parents=True)
        (work / name / "__init__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(work)
    started = share(monkeypatch)
    assert len(load(place, folder).class_names) == 3 and len(started) > 1


def test_the_pixels_of_an_archive_are_counted_in_all_processes(tmp_path, folder, monkeypatch):
    place = write_zip(write_set(tmp_path / "set", ["grey.png"]))
    share(monkeypatch)
    monkeypatch.setattr(images, "MAX_ARCHIVE_PIXELS", 40 * 80 * 70)
    with pytest.raises(ValueError, match="the images have more than 0 million pixels together"):
        load(place, folder)
    assert list((folder / "decoded").iterdir()) == [] and children() == []


def test_an_image_that_refuses_them_all_ends_the_processes_at_once(tmp_path, folder, monkeypatch):
    place = write_set(tmp_path / "set", ["grey.png"])
    Image.new("L", (3, 3)).save(place / "c0" / "0000.png")
    share(monkeypatch)
    with pytest.raises(ValueError, match=r"c0/0000\.png is 3 x 3 pixels; each side must have at least 4") as refused:
        load(place, folder)
    assert refused.tb and children() == [], "whoever holds the error holds no process"


def test_an_npz_beyond_the_bound_of_uploads_is_unpacked_into_a_file(tmp_path, folder, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 9, 8, 3), dtype=np.uint8)
    np.savez_compressed(tmp_path / "set.npz", train_images=pixels, train_labels=np.arange(60) % 3)
    one = load(tmp_path / "set.npz", folder)
    monkeypatch.setattr(npz, "MAX_BYTES", 10_000)
    monkeypatch.setattr(decoded, "LARGE", 5_000)
    store.kept.clear()
    told = []
    large = load(tmp_path / "set.npz", folder, progress=lambda *words: told.append(words))
    assert told[0][0] == 0 and told[-1][0] == 1 and len(list((folder / "decoded").glob("*.npy"))) == 1
    rows = {split: {bytes(row.numpy()) for row in part.images} for split, part in one.parts.items()}
    assert rows == {split: {bytes(row.numpy()) for row in part.images} for split, part in large.parts.items()}
    assert store.facts(str(tmp_path / "set.npz"), True, folder)["train"] == 48
    (folder / "uploads").mkdir()
    (tmp_path / "set.npz").rename(folder / "uploads" / "mine.npz")
    with pytest.raises(ValueError, match="at most"):
        store.load("mine", folder=folder)
    monkeypatch.setattr(decoded, "MAX_BYTES", 10_000)
    (folder / "uploads" / "mine.npz").rename(tmp_path / "set.npz")
    store.kept.clear()
    with pytest.raises(ValueError, match="the file promises"):
        load(tmp_path / "set.npz", folder)


def test_few_processes_are_started_where_memory_is_scarce(monkeypatch):
    members = [image_files.Member((f"{i}.png",), partial(open, "x", "rb"), 1 << 20) for i in range(100)]
    monkeypatch.setattr(memory, "cores", lambda: 16)
    monkeypatch.setattr(memory, "free_bytes", lambda: 5 * decoders.PROCESS_BYTES)
    assert decoders._count_workers(members) == 5
    assert decoders._count_workers(members[:10]) == 1
