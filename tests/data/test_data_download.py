"""Downloads arrive whole and checked or not at all, from a server of our own; without a network that is said at
once."""

import gzip
import hashlib
import http.server
import io
import shutil
import socket
import struct
import threading
import time
from pathlib import Path

import medmnist.info
import numpy as np
import pytest
from torchvision import datasets

from semidml.data import DATASETS, decoded, fetch, npz, store

SHARED = Path(__file__).parents[3] / "shared" / "data" / "MNIST" / "raw"
KINDS = {"mnist": "MNIST", "fashionmnist": "FashionMNIST", "kmnist": "KMNIST"}


def idx(values: np.ndarray) -> bytes:
    """An array of uint8 in the format of MNIST's files."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def official(rows=(60, 20)) -> dict[str, bytes]:
    """Small files in MNIST's layout."""
    rng, files = np.random.default_rng(0), {}
    for part, n in zip(("train", "t10k"), rows, strict=True):
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(idx(rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)))
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(idx((np.arange(n) % 10).astype(np.uint8)))
    return files


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def server():
    """(address, files that it gives): a web server on this machine."""
    files: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = files.get(self.path.strip("/"))
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"") + files.get("promised too much", 0)))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_):
            """Say nothing."""

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/", files
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def nowhere():
    """An address that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.fixture(params=KINDS)
def idx_set(request, monkeypatch):
    """(name, torchvision's class, its files) with the checksums of small files."""
    source, files = getattr(datasets, KINDS[request.param]), official()
    monkeypatch.setattr(source, "resources", [(name, md5(content)) for name, content in files.items()])
    store.kept.clear()
    return request.param, source, files


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
    """A data folder with MNIST's packed files: the official ones where they lie beside the project, else small ones."""
    raw = tmp_path / "MNIST" / "raw"
    if SHARED.exists():
        shutil.copytree(SHARED, raw, copy_function=shutil.copyfile)
        raw.chmod(0o755)
    else:
        raw.mkdir(parents=True)
        for name, content in official().items():
            (raw / name).write_bytes(content)
        monkeypatch.setattr(datasets.MNIST, "resources", [(name, md5(content)) for name, content in official().items()])
    store.kept.clear()
    return tmp_path


def parts_left(folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.suffix not in (".gz", "")]


def test_packed_files_are_unpacked_without_a_network(mnist_folder):
    data = store.load("mnist", folder=mnist_folder)
    assert data.class_names == tuple("0123456789") and data.shape == (1, 28, 28)
    assert store.is_here("mnist", mnist_folder)
    start = time.process_time()  # of the processor: a busy machine is no fault of ours
    store.kept.clear()
    again = store.load("mnist", folder=mnist_folder)
    assert again.train.images.equal(data.train.images) and time.process_time() - start < 3
    if SHARED.exists():
        assert (len(data.train.labels), len(data.test.labels)) == (60_000, 10_000)
        assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_a_download_is_complete_and_its_progress_rises(idx_set, server, tmp_path, monkeypatch):
    name, source, files = idx_set
    url, served = server
    served |= {f"d/{file}": content for file, content in files.items()}
    monkeypatch.setattr(source, "mirrors", [f"{url}missing/", f"{url}d/"])  # the first has nothing
    assert not store.is_here(name, tmp_path)
    told = []
    data = store.load(
        name, download=True, progress=lambda fraction, text: told.append((fraction, text)), folder=tmp_path
    )
    assert (len(data.train.labels), len(data.test.labels)) == (60, 20)
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions) and len(fractions) > 4 and fractions[-1] == 1
    assert "train-images-idx3-ubyte.gz" in told[0][1] and "MB" in told[0][1]
    assert store.is_here(name, tmp_path) and parts_left(tmp_path) == []
    monkeypatch.setattr(fetch, "fetch", lambda *_: pytest.fail("it was fetched again"))
    store.kept.clear()
    store.load(name, download=True, folder=tmp_path)


def test_only_what_is_missing_is_fetched(idx_set, server, tmp_path, monkeypatch):
    name, source, files = idx_set
    url, served = server
    raw = tmp_path / source.__name__ / "raw"
    raw.mkdir(parents=True)
    for i, (file, content) in enumerate(files.items()):
        if i == 2:
            served[file] = content
        else:
            (raw / file).write_bytes(content)
    monkeypatch.setattr(source, "mirrors", [url])
    assert len(store.load(name, download=True, folder=tmp_path).test.labels) == 20


def test_another_checksum_is_refused_and_nothing_stays(idx_set, server, tmp_path, monkeypatch):
    name, source, files = idx_set
    url, served = server
    served |= {file: content[:-1] + b"?" for file, content in files.items()}
    monkeypatch.setattr(source, "mirrors", [url])
    with pytest.raises(ValueError, match=r"could not be downloaded .*another checksum"):
        store.load(name, download=True, folder=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [] and not store.is_here(name, tmp_path)


def test_a_connection_that_ends_early_is_no_download(idx_set, server, tmp_path, monkeypatch):
    name, source, files = idx_set
    url, served = server
    served |= files | {"promised too much": 1000}
    monkeypatch.setattr(source, "mirrors", [url])
    with pytest.raises(ValueError, match=r"the connection ended after [\d,]+ of"):
        store.load(name, download=True, folder=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_who_stops_a_download_leaves_nothing_behind(idx_set, server, tmp_path, monkeypatch):
    name, source, files = idx_set
    url, served = server
    served |= files
    monkeypatch.setattr(source, "mirrors", [url])

    def stop(fraction, text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.load(name, download=True, progress=stop, folder=tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_server_that_never_ends_is_cut_off(server, tmp_path):
    url, served = server
    served["file"] = bytes(300_000)
    with pytest.raises(OSError, match="sends more than"):
        fetch.fetch([f"{url}file"], tmp_path / "file", md5(served["file"]), lambda received: None, limit=100_000)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_download_left_is_swept_away(server, tmp_path):
    import os

    url, served = server
    served["file"] = b"hello"
    for name, age in ((".file.old.part", 7200), (".file.new.part", 0)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    assert fetch.fetch([f"{url}file"], tmp_path / "file", md5(b"hello"), lambda received: None, limit=100) == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == [".file.new.part", "file"]


def test_a_damaged_packed_file_is_refused(idx_set, tmp_path):
    name, source, files = idx_set
    raw = tmp_path / source.__name__ / "raw"
    raw.mkdir(parents=True)
    for file, content in files.items():
        (raw / file).write_bytes(content[:-3])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz is damaged .*delete it and fetch it again"):
        store.load(name, folder=tmp_path)


def test_a_damaged_plain_file_is_refused(idx_set, tmp_path):
    name, source, files = idx_set
    raw = tmp_path / source.__name__ / "raw"
    raw.mkdir(parents=True)
    for file, content in files.items():
        (raw / file).with_suffix("").write_bytes(gzip.decompress(content)[:1000])
    with pytest.raises(ValueError, match=r"is damaged .*delete that folder"):
        store.load(name, folder=tmp_path)


@pytest.mark.parametrize("name", [n for n, e in DATASETS.items() if e.facts["files"] and "by_hand" not in e.facts])
def test_without_download_the_message_says_how_to_get_it(name, tmp_path):
    with pytest.raises(ValueError, match=f"`python -m semidml data fetch {name}`, or put .* into {tmp_path}"):
        store.load(name, folder=tmp_path)


@pytest.mark.parametrize("name", ["mnist", "organamnist"])
def test_with_the_network_as_it_is_here_or_without_one_it_is_said_within_five_seconds(
    name, tmp_path, monkeypatch, nowhere
):
    """Names that do not exist and doors that are closed, found out for real."""
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["https://mirror.invalid/", nowhere])
    monkeypatch.setitem(medmnist.info.INFO["organamnist"], "url", "https://mirror.invalid/organamnist.npz")
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"could not be downloaded .*mirror\.invalid.* connect to the network, or put"):
        store.load(name, download=True, folder=tmp_path)
    assert time.perf_counter() - start < 5
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_network_that_swallows_everything_is_given_up_after_three_seconds(tmp_path, monkeypatch):
    never = threading.Event()

    def swallow(*_, **__):
        never.wait(20)
        raise TimeoutError

    monkeypatch.setattr(fetch.socket, "create_connection", swallow)
    start = time.perf_counter()
    with pytest.raises(
        ValueError, match=r"could not be downloaded \(.*no answer within 3 s.*train-images-idx3-ubyte\.gz"
    ):
        store.load("mnist", download=True, folder=tmp_path)
    assert time.perf_counter() - start < 5
    never.set()


def test_a_proxy_is_what_is_knocked_at(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert fetch._door("https://zenodo.org/x") == ("proxy.example", 3128)
    assert fetch._door("https://inside.example/x") == ("inside.example", 443)
    assert fetch._door("http://other.example/x") == ("other.example", 80)


# ---- MedMNIST


def med_file(flag: str) -> bytes:
    info = DATASETS[flag].facts
    rng, shape = np.random.default_rng(0), info["shape"]
    pixels = (28, 28) if shape[0] == 1 else (28, 28, 3)
    named = {}
    for split, n in (("train", 40), ("val", 10), ("test", 20)):
        named[f"{split}_images"] = rng.integers(0, 256, (n, *pixels), dtype=np.uint8)
        columns = 14 if flag == "chestmnist" else 1
        labels = rng.integers(0, 2, (n, columns)) if columns > 1 else np.arange(n)[:, None] % info["classes"]
        labels[0] = 0
        named[f"{split}_labels"] = labels.astype(np.uint8)
    file = io.BytesIO()
    np.savez_compressed(file, **named)
    return file.getvalue()


@pytest.mark.parametrize("flag", ["organamnist", "bloodmnist", "chestmnist"])
def test_a_medmnist_file_is_downloaded_and_read(flag, server, tmp_path, monkeypatch):
    url, served = server
    served["file"] = med_file(flag)
    monkeypatch.setitem(medmnist.info.INFO[flag], "url", f"{url}file")
    monkeypatch.setitem(medmnist.info.INFO[flag], "MD5", md5(served["file"]))
    told = []
    data = store.load(flag, download=True, progress=lambda fraction, text: told.append(fraction), folder=tmp_path)
    assert [len(s.labels) for s in (data.train, data.validation, data.test)] == [40, 10, 20]
    assert data.shape == DATASETS[flag].facts["shape"] and len(data.class_names) == DATASETS[flag].facts["classes"]
    assert told == sorted(told) and told[-1] == 1
    assert [p.name for p in (tmp_path / "medmnist").iterdir()] == [f"{flag}.npz"]
    assert data.class_names[0] == {"organamnist": "bladder", "bloodmnist": "basophil"}.get(flag, "no finding")


@pytest.mark.parametrize("flag", ["bloodmnist", "chestmnist"])
def test_one_that_is_large_is_unpacked_into_a_file_and_is_not_called_damaged(tmp_path, monkeypatch, flag):
    (tmp_path / "medmnist").mkdir()
    (tmp_path / "medmnist" / f"{flag}.npz").write_bytes(med_file(flag))
    small, told = store.load(flag, folder=tmp_path), []
    store.kept.clear()
    monkeypatch.setattr(decoded, "LARGE", 0)
    monkeypatch.setattr(npz, "MAX_BYTES", 1000)
    large = store.load(flag, folder=tmp_path, progress=lambda *words: told.append(words))
    assert len(list((tmp_path / "decoded").glob("*.npy"))) == 1 and told[-1][0] == 1
    assert large.digest == small.digest and large.class_names == small.class_names
    monkeypatch.setenv("SEMIDML_DATA_QUOTA", "1KB")
    (tmp_path / "medmnist" / f"{flag}.npz").touch()
    store.kept.clear()
    with pytest.raises(ValueError, match="SEMIDML_DATA_QUOTA"):
        store.load(flag, folder=tmp_path)


def test_a_medmnist_file_put_there_by_hand_is_read_and_a_damaged_one_refused(tmp_path):
    (tmp_path / "medmnist").mkdir()
    place = tmp_path / "medmnist" / "breastmnist.npz"
    place.write_bytes(med_file("breastmnist"))
    assert store.load("breastmnist", folder=tmp_path).class_names == ("malignant", "normal, benign")
    place.write_bytes(med_file("breastmnist")[:500])
    with pytest.raises(ValueError, match="delete that file and fetch it again"):
        store.load("breastmnist", folder=tmp_path)
