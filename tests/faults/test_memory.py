"""Memory is bounded by what the machine has: what is kept, what is unpacked, what visitors send."""

import http.client
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from PIL import Image

from semidml import memory
from semidml.data import decoded, npz, quota, store, uploads
from semidml.ui.shared import Shared
from tests.server import running_app

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_kept", OrderedDict())
    monkeypatch.setattr(memory, "RESERVE", 1 << 40)  # however little this machine has free
    store.kept.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def arrays(rows: int = 200, shape: tuple[int, ...] = (10, 12), seed: int = 0, **more: np.ndarray) -> dict:
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, *shape), dtype=np.uint8)
    return {"train_images": pixels, "train_labels": np.arange(rows) % 4} | more


def packed(**named: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **named)
    return file.getvalue()


# ---- what is free


def write_group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_control_groups_are_looked_for_where_the_system_has_them():
    """A second line once set this place to the file that names the own group: no limit of a container was found."""
    mounts = Path("/proc/mounts")
    lines = mounts.read_text().splitlines() if mounts.exists() else []
    places = [line.split()[1] for line in lines if line.split()[2].startswith("cgroup")]
    if not places:
        pytest.skip("this system has no control groups")
    assert any(Path(place).is_relative_to(memory.GROUPS) for place in places)
    assert memory.OWN_GROUPS.is_file()


def test_a_container_leaves_what_its_group_allows_less_what_it_holds_for_good(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("0::/app/worker\n")
    stat = "anon 60000000\ninactive_file 25000000\nactive_file 15000000"
    write_group(tmp_path / "groups" / "app", memory__max=200_000_000, memory__current=100_000_000, memory__stat=stat)
    write_group(tmp_path / "groups" / "app" / "worker", memory__max="max", memory__current=1, memory__stat=stat)
    assert memory.machine_bytes() == 200_000_000 and memory.free_bytes() == 140_000_000
    assert memory.budget_bytes() == 50_000_000


def test_so_does_one_of_the_first_version_within_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    (tmp_path / "own").write_text("9:name=systemd:/\n4:cpu,memory:/docker/0123\n0::/\n")
    within = {"limit_in_bytes": 300_000_000, "usage_in_bytes": 120_000_000, "stat": "total_inactive_file 20000000"}
    write_group(tmp_path / "groups" / "memory", **{f"memory__{name}": value for name, value in within.items()})
    assert memory.machine_bytes() == 300_000_000 and memory.free_bytes() == 200_000_000
    write_group(tmp_path / "groups" / "memory", memory__limit_in_bytes=9223372036854771712)  # none
    assert memory.machine_bytes() > 300_000_000


def test_a_limit_of_the_process_itself_counts():
    code = "from semidml import memory; print(memory.free_bytes())"
    limited = f"import resource as r; r.setrlimit(r.RLIMIT_AS, (4 << 30, 4 << 30)); {code}"
    free = int(subprocess.run([sys.executable, "-c", limited], cwd=ROOT, capture_output=True, check=True).stdout)
    assert free < 4 << 30


# ---- what is kept


def test_what_has_not_been_used_for_longest_goes_whatever_it_is(monkeypatch):
    monkeypatch.setenv("SEMIDML_MEMORY", "1MB")
    gone = []
    for name in ("data", "model", "frame"):
        memory.keep(name, {hash(name): 400_000}, lambda name=name: gone.append(name))
        memory.touch("data")
    assert gone == ["model"] and memory.kept_bytes() == 800_000
    memory.keep("larger than all", {1: 5_000_000}, lambda: gone.append("larger than all"))
    assert gone == ["model", "frame", "data"]


def test_what_several_share_counts_once_and_a_view_counts_whole():
    whole = torch.zeros(1000, 100)
    memory.keep("whole", memory.buffers_of({"images": whole}), list)
    memory.keep("part", memory.buffers_of([whole[:10], np.zeros(1000)]), list)
    assert 400_000 + 8000 <= memory.kept_bytes() < 410_000
    assert sum(memory.buffers_of(torch.nn.Linear(100, 100)).values()) >= 40_400


def test_what_holds_what_holds_it_is_looked_at_once(monkeypatch):
    class Part:
        pass

    ring = [Part() for _ in range(12)]
    for part in ring:
        part.others, part.pixels = ring, np.zeros(100)
    looked, size = [], sys.getsizeof
    monkeypatch.setattr(memory.sys, "getsizeof", lambda value: looked.append(id(value)) or size(value))
    buffers = memory.buffers_of(ring[0])
    assert len(looked) == len(set(looked)) == 13  # the parts and the list of them
    assert sum(bytes == 800 for bytes in buffers.values()) == 12


def test_less_is_kept_while_the_machine_has_little_left(monkeypatch):
    monkeypatch.setattr(memory, "RESERVE", 10)
    monkeypatch.setattr(memory, "machine_bytes", lambda: 10_000_000)
    monkeypatch.setattr(memory, "free_bytes", lambda: 900_000)  # 100,000 too little
    gone = []
    for name in ("first", "second"):
        memory.keep(name, {hash(name): 400_000}, lambda name=name: gone.append(name))
    assert gone == ["first"]


def test_pages_keep_what_fits_and_forget_the_rest(monkeypatch):
    import streamlit as st

    from semidml.ui import cache

    monkeypatch.setenv("SEMIDML_MEMORY", "1MB")
    made = []

    @cache.bounded(st.cache_data(show_spinner=False))
    def copied(number: int, _frame: object = None) -> np.ndarray:
        made.append(("copied", number))
        return np.zeros(50_000)

    @cache.bounded(st.cache_resource(show_spinner=False), shared=True)
    def shared(number: int) -> np.ndarray:
        made.append(("shared", number))
        return np.zeros(50_000)

    copied(1), copied(2), copied(1, _frame=[]), shared(1)  # 400 kB each: the second copy goes
    assert made == [("copied", 1), ("copied", 2), ("shared", 1)] and memory.kept_bytes() == 800_000
    copied(1), shared(1)
    assert len(made) == 3
    copied(2)
    assert made[3:] == [("copied", 2)]


def test_what_visitors_share_is_in_the_same_budget_and_let_go_once(monkeypatch):
    monkeypatch.setenv("SEMIDML_MEMORY", "1MB")
    films, pictures = Shared(600_000), Shared(10**9)
    films.get("first", lambda: bytes(400_000))
    memory.keep("a data set", {1: 400_000}, list)
    films.get("first", bytes)  # is used again
    pictures.get("picture", lambda: np.zeros(50_000))
    assert films.held > 0 and memory.kept_bytes() < 900_000 and not memory.touch("a data set")
    memory.keep("another one", {2: 400_000}, list)
    assert not films.held and pictures.held
    films.get("second", lambda: bytes(400_000)), films.get("third", lambda: bytes(400_000))
    assert films.held < 600_000 and memory.kept_bytes() < 900_000, "what its own room sent away counts no more"
    pictures.clear(), films.clear()
    assert memory.kept_bytes() <= 400_000


# ---- what is unpacked


CHILD = """
import json, os, resource, sys
os.environ["SEMIDML_MEMORY"] = "40MB"
import torch
from semidml.data import decoded, images, npz, store, uploads
from pathlib import Path
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
folder, brought = Path(sys.argv[1]), Path(sys.argv[2])
before = peak()
with brought.open("rb") as file:
    uploads.save_upload("large", file, brought.name, folder)
added = peak()
data = store.load("large", folder=folder)
print(json.dumps({"added": added - before, "loaded": peak() - added, "pixels": data.train.images.nbytes}))
"""


@pytest.mark.parametrize("kind", ["npz", "zip"])
def test_what_is_large_is_unpacked_onto_the_disk_piece_by_piece(tmp_path, kind):
    """200 MB in a file of less than one; peaks stay near one piece."""
    if kind == "zip":
        brought = tmp_path / "large.zip"
        image = io.BytesIO()
        Image.new("RGB", (64, 64)).save(image, "PNG")
        with ZipFile(brought, "w") as archive:
            for row in range(4000):  # of 12 kB
                archive.writestr(f"class {row % 2}/{row}.png", image.getvalue())
    else:
        brought = tmp_path / "large.npz"
        pixels = np.zeros((50_000, 64, 64), np.uint8)
        np.savez_compressed(brought, train_images=pixels, train_labels=np.arange(50_000) % 2)
    command = [sys.executable, "-c", CHILD, str(tmp_path / "data"), str(brought)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    peaks = json.loads(done.stdout)
    assert peaks["pixels"] > (39 if kind == "zip" else 160) * 10**6
    assert max(peaks["added"], peaks["loaded"]) < 35 * 10**6, peaks  # pieces, and what torch and Pillow take at first


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("splits", ["train", "train test", "train val test"])
def test_what_lies_on_the_disk_is_what_would_be_in_memory(folder, monkeypatch, order, splits):
    given = arrays(shape=(10, 12, 3), class_names=np.array(["a", "b", "c", "d"]), notes=np.array(["A note."]))
    for number, split in enumerate(splits.split()):
        of_split = arrays(50 + 10 * number, (10, 12, 3), seed=number)
        given |= {f"{split}_{part}": of_split[f"train_{part}"] for part in ("images", "labels")}
    given = {name: np.asarray(array, order=order) for name, array in given.items()}
    uploads.save_upload("mine", packed(**given), "mine.npz", folder)
    small = store.load("mine", folder=folder)
    store.kept.clear()
    monkeypatch.setattr(decoded, "LARGE", 0)
    monkeypatch.setattr(npz, "CHUNK", 3000)
    large = store.load("mine", folder=folder)
    assert quota.decoded_sets(folder)
    for split, part in small.parts.items():
        assert large.parts[split].images.equal(part.images) and large.parts[split].labels.equal(part.labels)
    told = [(data.class_names, data.notes, data.digest, data.shape) for data in (small, large)]
    assert told[0] == told[1] and (small.validation is None) == (large.validation is None)
    halves = [data.by_classes() for data in (small, large)]
    assert halves[0].train.images.equal(halves[1].train.images)


def test_what_does_not_fit_into_the_memory_is_refused_before_it_is_unpacked(folder, monkeypatch):
    uploads.save_upload("mine", packed(**arrays()), "mine.npz", folder)
    monkeypatch.setattr(memory, "free_bytes", lambda: 30_000)
    monkeypatch.setattr(npz.Source, "images", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(ValueError, match=r"unpacking mine would take 24\.0 kB of memory, and 30\.0 kB are free"):
        store.load("mine", folder=folder)


def test_a_copy_of_half_the_classes_is_refused_where_there_is_no_memory_for_it(folder, monkeypatch):
    uploads.save_upload("mine", packed(**arrays()), "mine.npz", folder)
    monkeypatch.setattr(decoded, "LARGE", 0)
    data = store.load("mine", folder=folder)
    monkeypatch.setattr(memory, "free_bytes", lambda: 10_000)
    with pytest.raises(ValueError, match=r"a copy of \d+ images that do not lie side by side would take"):
        data.by_classes()


def test_a_full_disk_is_not_called_a_damaged_file(folder, monkeypatch):
    uploads.save_upload("mine", packed(**arrays()), "mine.npz", folder)
    monkeypatch.setattr(decoded, "LARGE", 0)

    def write_nothing(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decoded, "_header", write_nothing)
    with pytest.raises(ValueError, match=r"could not be written to .*No space left"):
        store.load("mine", folder=folder)


# ---- the quota of uploads and decoded images


def test_uploads_are_refused_in_words_when_they_would_pass_their_quota(folder, monkeypatch):
    monkeypatch.setenv("SEMIDML_DATA_QUOTA", "90kB")
    content = packed(**arrays())
    assert 20_000 < len(content) < 30_000
    for name in ("a", "b", "c"):
        uploads.save_upload(name, content, f"{name}.npz", folder)
    with pytest.raises(
        ValueError, match=r"d\.npz needs 24\.\d kB; uploads .* take 7\d\.\d kB of the 90\.0 kB .* c \(2"
    ):
        uploads.save_upload("d", content, "d.npz", folder)
    assert sorted(path.name for path in (folder / "uploads").iterdir()) == ["a.npz", "b.npz", "c.npz"]
    uploads.delete_upload("a", folder)
    uploads.save_upload("d", content, "d.npz", folder)


def test_the_images_of_a_zip_are_counted_before_they_are_decoded(folder, monkeypatch):
    from tests.data.test_data_uploads import png, zipped

    monkeypatch.setenv("SEMIDML_DATA_QUOTA", "50kB")
    content = zipped({f"{c}/{i}.png": png((64, 64), "RGB", value=i) for c in "ab" for i in range(4)})
    assert len(content) < 20_000
    with pytest.raises(ValueError, match=r"mine\.zip needs 196\.6 kB"):
        uploads.save_upload("mine", content, "mine.zip", folder)
    assert os.listdir(folder / "uploads") == []


def test_decoded_images_that_nobody_has_read_for_longest_make_room(folder, monkeypatch):
    monkeypatch.setattr(decoded, "LARGE", 0)
    content = {name: packed(**arrays(seed=seed)) for seed, name in enumerate("abc")}
    for name in "abc":
        uploads.save_upload(name, content[name], f"{name}.npz", folder)
    first = store.load("a", folder=folder)
    pixels = first.train.images.clone()
    store.load("b", folder=folder)
    for age, images in enumerate(reversed(quota.decoded_sets(folder))):
        os.utime(images.rest, (time.time() - 1000 * (age + 1),) * 2)
    oldest, newer = quota.decoded_sets(folder)
    store.kept.clear()
    store.load("a", folder=folder)  # the oldest is used again
    monkeypatch.setenv("SEMIDML_DATA_QUOTA", str(quota.used_bytes(folder) + 10_000))
    store.load("c", folder=folder)
    left = {images.pixels for images in quota.decoded_sets(folder)}
    assert oldest.pixels in left and newer.pixels not in left and len(left) == 2
    assert quota.used_bytes(folder) <= quota.allowed_bytes()
    store.kept.clear()
    assert store.load("b", folder=folder).train.images.shape == first.train.images.shape  # decoded anew
    assert first.train.images.equal(pixels), "whoever reads what has gone can go on"


def test_nothing_goes_where_it_would_not_be_enough(folder, monkeypatch):
    monkeypatch.setattr(decoded, "LARGE", 0)
    uploads.save_upload("a", packed(**arrays()), "a.npz", folder)
    store.load("a", folder=folder)
    monkeypatch.setenv("SEMIDML_DATA_QUOTA", str(quota.used_bytes(folder)))
    with pytest.raises(ValueError, match=r"large\.npz needs"):
        uploads.save_upload("large", packed(**arrays(2000)), "large.npz", folder)
    assert len(quota.decoded_sets(folder)) == 1


def test_of_uploads_that_come_at_once_no_more_are_kept_than_fit(folder, monkeypatch):
    monkeypatch.setenv("SEMIDML_DATA_QUOTA", "80kB")
    content, refusals = packed(**arrays()), []

    def bring(name: str) -> None:
        try:
            uploads.save_upload(name, content, f"{name}.npz", folder)
        except ValueError as error:
            refusals.append(error)

    threads = [threading.Thread(target=bring, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refusals) == 3 and len(store.uploads(folder)) == 3 and quota.used_bytes(folder) <= 80_000


# ---- what visitors send


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The app with room for little: files of at most 1 MB, 3 MB of all visitors together."""
    folder = tmp_path_factory.mktemp("app")
    with running_app(folder, "--server.maxUploadSize=1", SEMIDML_MEMORY="12MB") as server:
        yield server


class Visitor:
    """A page that is open: Streamlit's own WebSocket, spoken from here."""

    def __init__(self, app: SimpleNamespace):
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from websockets.sync.client import connect

        self.port = app.port
        self.opened = ExitStack()
        address = f"ws://127.0.0.1:{app.port}/_stcore/stream"
        self.socket = self.opened.enter_context(connect(address, subprotocols=["streamlit"], max_size=None))
        rerun = BackMsg()
        rerun.rerun_script.query_string = ""
        self.socket.send(rerun.SerializeToString())
        self.session = ""
        while not self.session:
            message = ForwardMsg()
            message.ParseFromString(self.socket.recv(60))
            if message.WhichOneof("type") == "new_session":
                self.session = message.new_session.initialize.session_id

    def put(self, name: str, size: int, **headers: str) -> tuple[int, str]:
        """(status, text) of what the server says to a file of that many bytes."""
        form = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.npz"\r\n\r\n'
        body = form + bytes(size) + b"\r\n--x--\r\n"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        cookie = self.cookie(connection)
        given = {"Content-Type": "multipart/form-data; boundary=x", **cookie, **headers}
        connection.request("PUT", f"/_stcore/upload_file/{self.session}/{name}", body, given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    @staticmethod
    def cookie(connection: http.client.HTTPConnection) -> dict[str, str]:
        """The token that Streamlit asks back of whoever sends files, as it gives it to any page."""
        connection.request("GET", "/_stcore/health")
        answer = connection.getresponse()
        answer.read()
        token = re.search(r"_streamlit_xsrf=([^;]+)", answer.headers.get("Set-Cookie") or "")
        return {"Cookie": f"_streamlit_xsrf={token[1]}", "X-Xsrftoken": token[1]} if token else {}

    def close(self) -> None:
        self.opened.close()


def test_a_page_is_sent_no_more_than_two_files_of_the_largest_size(app):
    visitor = Visitor(app)
    answers = [visitor.put(f"file-{number}", 900_000) for number in range(4)]
    assert [status for status, _ in answers] == [204, 204, 413, 413]
    assert "This page has sent 1.8 MB of files" in answers[2][1]
    visitor.close()


def test_all_pages_together_are_sent_no_more_than_fits_and_what_closed_ones_sent_goes_at_once(app):
    visitors = [Visitor(app) for _ in range(3)]
    answers = [visitor.put(f"file-{number}", 900_000) for visitor in visitors for number in range(2)]
    assert [status for status, _ in answers] == [204, 204, 204, 413, 413, 413]
    assert "Visitors have sent 2.7 MB of the 3.0 MB" in answers[-1][1]
    visitors[0].close()
    late = time.monotonic() + 20
    while (answer := visitors[2].put("file-9", 900_000))[0] == 413 and time.monotonic() < late:
        time.sleep(0.1)
    assert answer[0] == 204
    for visitor in visitors:
        visitor.close()


def test_a_file_that_does_not_say_how_large_it_is_is_not_taken(app):
    visitor = Visitor(app)
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=60)
    path = f"/_stcore/upload_file/{visitor.session}/file"
    connection.request(
        "PUT", path, iter([bytes(1000)] * 3), encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    answer = connection.getresponse()
    assert answer.status == 411 and b"Content-Length" in answer.read()
    connection.close()
    visitor.close()


def test_files_that_come_at_once_count_before_they_are_there(app):
    visitor, answers = Visitor(app), []
    threads = [
        threading.Thread(target=lambda name=name: answers.append(visitor.put(name, 1_000_000)[0])) for name in "abcdef"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= answers.count(204) <= 2 and answers.count(413) == 6 - answers.count(204)
    visitor.close()
