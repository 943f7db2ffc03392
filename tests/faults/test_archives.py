"""Files from nobody knows where: each is refused in one plain sentence, or taken in and can then be read; none takes
the memory or minutes, and none leaves anything behind."""

import io
import json
import os
import random
import re
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from semidml import cli
from semidml.config import RunConfig
from semidml.data import store, uploads
from semidml.execute import execute
from semidml.runs import listing, transfer
from tests.faults.bounds import bounded

REFUSED, TAKEN = "refused: ", "taken in"


class Case(NamedTuple):
    """A file, made of the parts of a good one, and what comes of it, as a pattern."""

    make: Callable[[dict[str, bytes]], bytes]
    expected: str


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a good run's zip."""
    config = RunConfig.of({"data": "digits", "model": "dml", "epochs": 1, "pl": 10, "device": "cpu"})
    run = listing.create_run(config, path=tmp_path_factory.mktemp("good") / "good")
    for _ in execute(run):
        pass
    file = io.BytesIO()
    transfer.export_zip(run, file)
    with zipfile.ZipFile(file) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, **more: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in (members | more).items():
            archive.writestr(name, content)
    return file.getvalue()


def imported(content: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What came of a zip given to the command line."""
    folder.mkdir(exist_ok=True)
    (folder / "file.zip").write_bytes(content)
    with bounded():
        code = cli.main(["runs", "import", str(folder / "file.zip")])
    said = capsys.readouterr()
    if code == 0:
        for run in (taken := listing.list_runs(include_shipped=False)):
            check_readable(run)
        assert taken
        return TAKEN
    assert code == 2 and said.out == ""
    runs = folder / "runs"
    assert not runs.exists() or not list(runs.iterdir()), "something was left behind"
    return checked_words(said.err.removeprefix("semidml: ").removesuffix("\n"))


def check_readable(run) -> None:
    """All that a run has can be read, or is said to be unreadable by ValueError."""
    run.status(), run.config(), run.history()
    for epoch in run.frames():
        run.frame(epoch)
    try:
        run.model()
    except ValueError as error:
        checked_words(str(error))


def checked_words(words: str) -> str:
    assert words and "\n" not in words and words.isprintable() and len(words) < 900, f"no plain sentence: {words!r}"
    return REFUSED + words


# ---- zips


def overlapping(parts: dict[str, bytes]) -> bytes:
    """A thousand members that are all the same bytes of the file."""
    inner = bytearray(packed({"good/frames/0001.npz": bytes(10**6)}))
    start = inner.index(b"PK\x01\x02")
    end = inner.index(b"PK\x05\x06")
    entry, directory = bytes(inner[start:end]), b""
    for number in range(900):
        directory += entry.replace(b"0001.npz", f"{number:04d}.npz".encode())
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 900, 900, len(directory), start, 0)
    return bytes(inner[:start]) + directory + tail


def with_attribute(mode: int) -> Callable[[dict[str, bytes]], bytes]:
    def make(parts: dict[str, bytes]) -> bytes:
        file = io.BytesIO(packed(parts))
        with zipfile.ZipFile(file, "a") as archive:
            info = zipfile.ZipInfo("good/frames/0099.npz")
            info.external_attr = (mode | 0o644) << 16
            archive.writestr(info, parts["good/frames/0001.npz"])
        return file.getvalue()

    return make


def encrypted(parts: dict[str, bytes]) -> bytes:
    content = bytearray(packed(parts))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def promised(size: int) -> Callable[[dict[str, bytes]], bytes]:
    """The first member's directory entry promises another size."""

    def make(parts: dict[str, bytes]) -> bytes:
        content = bytearray(packed(parts))
        at = content.index(b"PK\x01\x02")
        content[at + 24 : at + 28] = struct.pack("<L", size)
        return bytes(content)

    return make


def named(name: str) -> Callable[[dict[str, bytes]], bytes]:
    return lambda parts: packed(parts, **{name: b"{}"})


def replaced(name: str, content: bytes | Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], bytes]:
    """The zip with another content of one member."""

    def make(parts: dict[str, bytes]) -> bytes:
        other = content(parts[f"good/{name}"]) if callable(content) else content
        return packed(parts | {f"good/{name}": other})

    return make


def doubled(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO(packed(parts))
    with pytest.warns(UserWarning), zipfile.ZipFile(file, "a") as archive:
        archive.writestr("good/config.json", b"{}")
    return file.getvalue()


NOT_A_RUNS = "which is no file of a run"
ZIPS = {
    "as it was": Case(packed, TAKEN),
    "stored": Case(lambda parts: packed(parts, zipfile.ZIP_STORED), TAKEN),
    "behind a program": Case(lambda parts: b"MZ" + bytes(100_000) + packed(parts), TAKEN),
    "bzip2": Case(lambda parts: packed(parts, zipfile.ZIP_BZIP2), NOT_A_RUNS),
    "LZMA": Case(lambda parts: packed(parts, zipfile.ZIP_LZMA), NOT_A_RUNS),
    "encrypted": Case(encrypted, NOT_A_RUNS),
    "nested": Case(lambda parts: packed({"good/good.zip": packed(parts)}), NOT_A_RUNS),
    "a zip for a frame": Case(replaced("frames/0001.npz", packed({"a.zip": packed({"b": b""})})), "cannot be read"),
    "overlapping members": Case(overlapping, "no config.json|cannot be read"),
    "a device": Case(with_attribute(stat.S_IFBLK), f"{TAKEN}|{NOT_A_RUNS}"),
    "a pipe": Case(with_attribute(stat.S_IFIFO), f"{TAKEN}|{NOT_A_RUNS}"),
    "a link": Case(with_attribute(stat.S_IFLNK), NOT_A_RUNS),
    "promises 4 GB": Case(promised(0xFFFFFFF0), "unpacks to|no file of a run"),
    "promises nothing": Case(promised(0), "cannot be read|is damaged"),
    "promises 10 bytes": Case(promised(10), "cannot be read|is damaged"),
    "config.json twice": Case(doubled, "twice"),
    "two runs": Case(lambda parts: packed(parts | {f"x{k}": v for k, v in parts.items()}), TAKEN),
    "two runs of which one is damaged": Case(
        lambda parts: packed(parts | {f"x{k}": b"{" if "config" in k else v for k, v in parts.items()}),
        "cannot be read",
    ),
    "a name with a bell": Case(named("good/\a\x1b[31mred"), NOT_A_RUNS),
    "a name of 60,000 letters": Case(named("good/" + "a" * 60_000), NOT_A_RUNS),
    "a name in other letters": Case(named("good/config\u202ejson.exe"), NOT_A_RUNS),
    "a name in capitals": Case(named("good/CONFIG.JSON"), NOT_A_RUNS),
    "a name with a dot between": Case(named("good/./config.json"), NOT_A_RUNS),
    "a folder named as a file": Case(named("good/frames/0001.npz/"), NOT_A_RUNS),
    "a run named ..": Case(
        lambda parts: packed({k.replace("good/", "../"): v for k, v in parts.items()}), f"{TAKEN}|{NOT_A_RUNS}"
    ),
    "a run named with 300 letters": Case(
        lambda parts: packed({k.replace("good/", "a" * 300 + "/"): v for k, v in parts.items()}), TAKEN
    ),
}


# ---- arrays


def npy(header: str, content: bytes = bytes(64), version: bytes = b"\x01\x00", length: int | None = None) -> bytes:
    """A stored array with a header as it is given."""
    text = header.encode("latin1") + b"\n"
    size = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + version + size + text + content


def described(descr: str, shape: str = "(8, 2)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


def frame_of(latents: bytes) -> Callable[[dict[str, bytes]], bytes]:
    def change(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        return packed(members | {"latents.npy": latents})

    return replaced("frames/0001.npz", change)


HEADERS = {
    "objects": npy(described("'|O'")),
    "a record of objects": npy(described("[('a', '|O'), ('b', '<f4')]")),
    "bytes without a type": npy(described("'|V8'")),
    "text": npy(described("'<U1000'")),
    "dates": npy(described("'<M8[s]'")),
    "the other order of bytes": npy(described("'>f4'")),
    "columns first": npy(described("'<f4'", order="True")),
    "a side below zero": npy(described("'<f4'", "(-8, 2)")),
    "sides whose product wraps": npy(described("'<f4'", "(4294967296, 4294967296)")),
    "a side of 80 digits": npy(described("'<f4'", f"({'9' * 80}, 2)")),
    "sides that are no numbers": npy(described("'<f4'", "('a', None)")),
    "a hundred axes": npy(described("'<f4'", f"({'1,' * 100})")),
    "an expression": npy("__import__('os').system('touch was-here')"),
    "brackets without end": npy("[" * 20_000),
    "no dictionary": npy("7"),
    "another version": npy(described("'<f4'"), version=b"\x03\x00"),
    "a version of tomorrow": npy(described("'<f4'"), version=b"\x09\x00"),
    "a header of 4 GB": npy(described("'<f4'"), version=b"\x02\x00", length=0xFFFFFFFF),
    "a header cut short": npy(described("'<f4'"))[:20],
    "nothing": b"",
}
ARRAYS = {f"latents: {name}": Case(frame_of(header), "latents|not what a run") for name, header in HEADERS.items()}
ARRAYS["21 arrays"] = Case(
    replaced("frames/0001.npz", packed({f"{i}.npy": npy(described("'<f4'")) for i in range(21)})), "unpacks to|holds"
)


# ---- what is read as JSON


def json_with(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], bytes]:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return replaced(name, change)


JSONS = {
    "config: a number of 5,000 digits": Case(
        json_with("config.json", b'"epochs": 1', b'"epochs": ' + b"9" * 5000), "."
    ),
    "config: NaN": Case(json_with("config.json", b'"epochs": 1', b'"epochs": NaN'), REFUSED),
    "config: a lone surrogate": Case(json_with("config.json", b'"digits"', b'"\\ud800"'), REFUSED),
    "config: 100,000 brackets": Case(replaced("config.json", b'{"config": ' + b"[" * 100_000), "cannot be read"),
    "config: a path": Case(json_with("config.json", b'"digits"', b'"/etc/passwd"'), f"{TAKEN}|{REFUSED}"),
    "config: a giant network": Case(json_with("config.json", b'"latent_dim": 2', b'"latent_dim": 2000000000'), REFUSED),
    "config: not UTF-8": Case(replaced("config.json", b'{"config": "\xff\xfe"}'), "cannot be read"),
    "config: a list": Case(replaced("config.json", b"[]"), "must hold a JSON object"),
    "status: 3,000 letters": Case(
        json_with("status.json", b'"reason": ""', b'"reason": "' + b"x" * 3000 + b'"'), TAKEN
    ),
    "status: running": Case(json_with("status.json", b'"done"', b'"running"'), TAKEN),
    "status: nonsense": Case(replaced("status.json", b'{"state": 7, "updated": 1e999}'), f"{TAKEN}|{REFUSED}"),
    "history: 200,000 lines": Case(replaced("history.jsonl", lambda line: line * 100_000), "history.jsonl|too much"),
    "history: NaN": Case(replaced("history.jsonl", b'{"epoch": NaN}\n'), "history.jsonl"),
    "history: a line of 10 MB": Case(
        replaced("history.jsonl", b'{"epoch": "' + b"x" * 10**7 + b'"}\n'), "history.jsonl"
    ),
    "history: zeros": Case(replaced("history.jsonl", bytes(10**6)), "history.jsonl"),
    "metrics: 10,000 scores": Case(
        replaced("metrics.json", json.dumps({f"s{i}": 0.5 for i in range(10_000)}).encode()), f"{TAKEN}|{REFUSED}"
    ),
    "metrics: 1e999": Case(replaced("metrics.json", b'{"knn_accuracy": 1e999}'), "metrics.json"),
    "metrics: a name of 1,000 letters": Case(replaced("metrics.json", b'{"' + b"x" * 1000 + b'": 1}'), "metrics.json"),
}
RUNS = ZIPS | ARRAYS | JSONS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", RUNS.values(), ids=RUNS)
def test_a_run_from_elsewhere(parts, folder, capsys, tell, case, request):
    tell(f"a zip was imported: {request.node.callspec.id}", case.expected)
    came = imported(case.make(parts), folder, capsys)

    assert re.search(case.expected, came), came
    assert not (folder / "was-here").exists()


@pytest.mark.often(4, 150)
def test_a_run_some_of_whose_bytes_are_others(parts, folder, capsys, tell, number):
    """In the zip's own tables, or in one of its members, which then is packed as if it were whole."""
    chance = random.Random(f"bytes {number}")
    name = chance.choice(["", *parts])
    content = bytearray(parts[name] if name else packed(parts))
    start = 0 if chance.random() < 0.5 or name else max(0, len(content) - 1200)
    first_half = min(len(content), start + chance.choice([64, 300, len(content)]))
    for _ in range(chance.choice([1, 1, 3, 30])):
        content[chance.randrange(start, first_half)] = chance.randrange(256)
    tell(
        f"bytes {start} to {first_half} of {name or 'the zip'} were changed, drawn by {number}",
        f"{TAKEN}, or {REFUSED}",
    )
    imported(packed(parts | {name: bytes(content)}) if name else bytes(content), folder, capsys)


# ---- images


def picture(kind: str = "PNG", size: tuple[int, int] = (12, 12), mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, 7).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_with(*chunks: bytes, size: tuple[int, int] = (12, 12)) -> bytes:
    """A PNG of that size with further chunks before its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
    pixels = zlib.compress(bytes((min(size[0], 5000) + 1) * min(size[1], 5000)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def animated(kind: str) -> bytes:
    file = io.BytesIO()
    frames = [Image.new("RGB", (12, 12), (i, 0, 0)) for i in range(50)]
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    return file.getvalue()


SVG = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 12 12\n(was-here) (w) file closefile showpage\n%%EOF\n"
IMAGES = {
    "an animated GIF": animated("GIF"),
    "an animated WebP": animated("WEBP"),
    "an animated PNG": animated("PNG"),
    "SVG that reads files": SVG,
    "EPS that writes files": EPS,
    "PDF": picture("PDF"),
    "an icon": picture("ICO"),
    "a TIFF": picture("TIFF"),
    "a TIFF of pages without end": b"II*\x00\x08\x00\x00\x00" + struct.pack("<HI", 0, 8),
    "a PNG of 0 x 0": png_with(size=(0, 0)),
    "a PNG of 2 billion squared": png_with(size=(2**31 - 1, 2**31 - 1)),
    "a PNG of 1 x 2 billion": png_with(size=(1, 2**31 - 1)),
    "a PNG with 200 MB of text": png_with(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2 * 10**8), 1))),
    "a PNG with a palette of nothing": png_with(chunk(b"PLTE", b"")),
    "a PNG with an ICC profile of 200 MB": png_with(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2 * 10**8), 1))),
    "a PNG with broken sums": png_with(chunk(b"tEXt", b"a\0b")[:-1] + b"!"),
    "a JPEG with EXIF garbage": picture("JPEG", exif=b"Exif\0\0II*\x00" + bytes(range(256)) * 200),
    "a JPEG whose EXIF turns it": picture(
        "JPEG", (12, 20), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0"
    ),
    "a JPEG cut short": picture("JPEG", (80, 80))[:-200],
    "a JPEG of 65,500 a side": picture("JPEG")[:163] + b"\xff\xdc\xff\xdc" + picture("JPEG")[167:],
    "a BMP below zero": picture("BMP")[:18] + struct.pack("<ii", -12, -(2**31)) + picture("BMP")[26:],
    "CMYK": picture("JPEG", mode="CMYK"),
    "16 bits": picture("PNG", mode="I;16"),
    "floats": picture("TIFF", mode="F"),
    "transparent": picture("PNG", mode="RGBA"),
    "a program": b"\x7fELF" + bytes(4000),
    "nothing": b"",
    "one byte": b"\x89",
}


@pytest.mark.parametrize("content", IMAGES.values(), ids=IMAGES)
def test_an_image_from_elsewhere(folder, tell, content, request):
    tell(f"uploaded among eight good images: {request.node.callspec.id}", f"{TAKEN}, {TAKEN} without it, or {REFUSED}")
    good = {f"{name}/{i}.png": picture() for name in "ab" for i in range(4)}
    file = packed(good | {"a/odd.png": content, "b/odd.jpg": content}, zipfile.ZIP_STORED)
    with bounded():
        try:
            entry = uploads.save_upload("mine", file, "mine.zip", folder / "data")
        except ValueError as error:
            checked_words(str(error))
            assert os.listdir(folder / "data" / "uploads") == []
            return
        data = store.load(entry.name, folder=folder / "data")
    assert len(data.train.labels) + len(data.test.labels) in (8, 10)
    assert not (folder / "was-here").exists()


@pytest.mark.often(2, 60)
def test_an_upload_some_of_whose_bytes_are_others(folder, tell, number):
    chance = random.Random(f"upload {number}")
    rows = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, train_images=rows, train_labels=np.arange(60) % 3)
    zip_of_images = packed({f"{name}/{i}.png": picture() for name in "ab" for i in range(4)})
    kind = chance.choice(["npz", "zip"])
    content = bytearray(file.getvalue() if kind == "npz" else zip_of_images)
    for _ in range(chance.choice([1, 1, 3, 30])):
        content[chance.randrange(len(content))] = chance.randrange(256)
    tell(f"bytes of an uploaded .{kind} were changed, drawn by {number}", f"{TAKEN}, or {REFUSED}")
    with bounded():
        try:
            uploads.save_upload("mine", bytes(content), f"mine.{kind}", folder / "data")
        except ValueError as error:
            checked_words(str(error))
            assert os.listdir(folder / "data" / "uploads") == []
            return
        store.load("mine", folder=folder / "data")


@pytest.mark.whole
def test_the_command_line_says_what_is_no_zip_in_one_line(folder, tell):
    tell("a folder, a device and nothing were imported", "one line and exit code 2, for each")
    for name in (str(folder), "/dev/null", "/nowhere", "", "\udcff"):
        done = subprocess.run(
            [sys.executable, "-m", "semidml", "runs", "import", name],
            capture_output=True,
            text=True,
            errors="replace",
            cwd=Path(__file__).parents[2],
            timeout=100,
        )
        assert done.returncode == 2 and done.stderr.startswith("semidml: ") and done.stderr.count("\n") == 1, done
