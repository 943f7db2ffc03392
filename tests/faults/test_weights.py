"""Weights and states that are not what their run's own config makes, in a zip and in a folder put there by hand."""

import io
import json
import math
import os
import shutil
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from semidml.runs import changes, listing, places, tensors, transfer
from semidml.runs.run import Run
from semidml.runs.writer import Writer

OLD = Path(__file__).parents[1] / "old_runs"
DONE, STOPPED, VAE = OLD / "old-upload", OLD / "old-stopped", OLD / "old-metric-vae"
WEIGHTS, STATE = "weights.safetensors", "state.safetensors"
FIRST = "encoder.0.weight"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def unpacked(content: bytes) -> tuple[dict, bytes]:
    """(header, all tensors' bytes) of a safetensors file."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def packed(header: dict | str, content: bytes) -> bytes:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + content


def changed(path: Path, name: str, values: np.ndarray | None, kind: str | None = None) -> bytes:
    """The file with another tensor of that name, or without it."""
    header, content = unpacked(path.read_bytes())
    parts = {key: (entry, content[slice(*entry["data_offsets"])]) for key, entry in header.items()}
    parts.pop(name, None)
    if values is not None:
        kinds = {"float32": "F32", "float64": "F64", "int64": "I64", "uint8": "U8", "bool": "BOOL", "float16": "F16"}
        entry = {"dtype": kind or kinds[str(values.dtype)], "shape": list(values.shape)}
        parts[name] = (entry, values.tobytes())
    at, table = 0, {}
    for key, (entry, some) in parts.items():
        table[key] = entry | {"data_offsets": [at, at + len(some)]}
        at += len(some)
    return packed(table, b"".join(some for _, some in parts.values()))


def of(path: Path, name: str) -> np.ndarray:
    """A tensor of a file, float32."""
    header, content = unpacked(path.read_bytes())
    entry = header[name]
    return np.frombuffer(content[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"]).copy()


def with_first(value: float) -> bytes:
    values = of(DONE / WEIGHTS, FIRST)
    values.flat[7] = value
    return changed(DONE / WEIGHTS, FIRST, values)


def of_header(change) -> bytes:
    """The weights with a header that `change` has changed."""
    header, content = unpacked((DONE / WEIGHTS).read_bytes())
    return packed(change(header) or header, content)


def shifted(header: dict) -> None:
    """Two tensors at one place."""
    entry = header["encoder.8.bias"]
    header["encoder.4.bias"]["data_offsets"] = [entry["data_offsets"][0], entry["data_offsets"][1]]


def named_twice(header: dict) -> str:
    text = json.dumps(header)
    return text[:-1] + f', "{FIRST}": {json.dumps(header[FIRST])}}}'


def many(count: int) -> bytes:
    """A file of so many empty tensors."""
    return packed({f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(count)}, b"")


FORGED = {
    "100,000 tensors": lambda: many(100_000),
    "1,000 tensors": lambda: many(1000),
    "none": lambda: packed({}, b""),
    "no bytes": lambda: b"",
    "seven bytes": lambda: bytes(7),
    "a header longer than the file": lambda: struct.pack("<Q", 2**63) + b"{}",
    "a huge header": lambda: struct.pack("<Q", 10**7) + b" " * 10**7,
    "no JSON": lambda: packed("{", b""),
    "a deep header": lambda: packed("[" * 100_000, b""),
    "a list": lambda: packed("[1]", b""),
    "a name twice": lambda: of_header(named_twice),
    "overlap": lambda: of_header(shifted),
    "a gap": lambda: packed(*(lambda header, content: (header, content + bytes(4)))(*unpacked(with_first(0.5)))),
    "cut": lambda: (DONE / WEIGHTS).read_bytes()[:-4],
    "negative offsets": lambda: of_header(lambda header: header[FIRST].update(data_offsets=[-4, 0])),
    "a giant shape": lambda: of_header(lambda header: header[FIRST].update(shape=[2**62, 2**62])),
    "an extra key": lambda: of_header(lambda header: header[FIRST].update(code="print()")),
    "a missing tensor": lambda: changed(DONE / WEIGHTS, FIRST, None),
    "one more": lambda: changed(DONE / WEIGHTS, "more", np.zeros(3, np.float32)),
    "no dimension": lambda: changed(DONE / WEIGHTS, FIRST, np.zeros((0, 1, 5, 5), np.float32)),
    "another shape": lambda: changed(DONE / WEIGHTS, FIRST, of(DONE / WEIGHTS, FIRST).transpose(3, 0, 1, 2).copy()),
    "a number in a list": lambda: changed(DONE / WEIGHTS, "encoder.1.num_batches_tracked", np.ones(1, np.int64)),
    "int64": lambda: changed(DONE / WEIGHTS, FIRST, of(DONE / WEIGHTS, FIRST).astype(np.int64)),
    "float64": lambda: changed(DONE / WEIGHTS, FIRST, of(DONE / WEIGHTS, FIRST).astype(np.float64)),
    "float16": lambda: changed(DONE / WEIGHTS, FIRST, of(DONE / WEIGHTS, FIRST).astype(np.float16)),
    "bool": lambda: changed(DONE / WEIGHTS, FIRST, of(DONE / WEIGHTS, FIRST) > 0),
    "bfloat16": lambda: changed(DONE / WEIGHTS, FIRST, of(DONE / WEIGHTS, FIRST).astype(np.float16), "BF16"),
    "complex": lambda: changed(DONE / WEIGHTS, FIRST, of(DONE / WEIGHTS, FIRST).astype(np.float64), "C64"),
    "not a number": lambda: with_first(math.nan),
    "infinite": lambda: with_first(-math.inf),
    "far": lambda: with_first(3e38),
    "a negative variance": lambda: changed(
        DONE / WEIGHTS, "encoder.1.running_var", -of(DONE / WEIGHTS, "encoder.1.running_var")
    ),
    "a negative count": lambda: changed(DONE / WEIGHTS, "encoder.1.num_batches_tracked", np.array(-1)),
    "of another method": (OLD / "old-cbswr" / WEIGHTS).read_bytes,
    "a state": (STOPPED / STATE).read_bytes,
}


def zipped(source: Path, **changes_of: bytes | None) -> io.BytesIO:
    """A run's zip with other files in place of its own; `__` in a name stands for the dot."""
    file = io.BytesIO()
    others = {name.replace("__", "."): content for name, content in changes_of.items()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.is_file() and name not in others:
                archive.write(path, f"run/{name}")
        for name, content in others.items():
            if content is not None:
                archive.writestr(f"run/{name}", content)
    return file


@pytest.mark.parametrize("kind", FORGED)
def test_forged_weights_are_refused_at_once_wherever_they_come_from(folder, kind):
    content = FORGED[kind]()
    began = time.process_time()
    with pytest.raises(ValueError, match=r"weights\.safetensors"):
        transfer.import_zip(zipped(DONE, weights__safetensors=content))
    assert not list(folder.iterdir())
    shutil.copytree(DONE, folder / "by-hand")
    (folder / "by-hand" / WEIGHTS).write_bytes(content)
    with pytest.raises(ValueError, match="the weights of by-hand cannot be used") as refusal:
        Run(folder / "by-hand").model()
    assert len(str(refusal.value)) < 600, "what is wrong is said, not the whole file"
    assert Run(folder / "by-hand").status().state == "done"  # its map can still be looked at
    assert time.process_time() - began < 10  # 23 s of each load with 100,000 tensors


def test_weights_that_are_small_are_taken():
    run = transfer.import_zip(zipped(DONE, weights__safetensors=with_first(1e-42)))
    assert run.model().state_dict()[FIRST].flatten()[7] != 0


def test_metadata_and_another_order_are_taken():
    header, content = unpacked((DONE / WEIGHTS).read_bytes())
    content = packed({"__metadata__": {"format": "pt"}} | dict(reversed(header.items())), content)
    assert transfer.import_zip(zipped(DONE, weights__safetensors=content)).model()


NO_FRAMES = {"frames/0000.npz": None, "frames/0004.npz": None}


@pytest.mark.parametrize("values", [{"latent_dim": 512}, {"encoder": "mlp"}, {"model": "cbswr", "prior": "none"}])
def test_weights_of_another_config_are_refused(values):
    details = json.loads((DONE / "config.json").read_text())
    details["config"] |= values
    with pytest.raises(ValueError, match="does not belong to this run's config"):
        transfer.import_zip(zipped(DONE, config__json=json.dumps(details).encode(), **NO_FRAMES))


def test_a_giant_model_is_refused_without_being_made():
    details = json.loads((VAE / "config.json").read_text())
    details["config"] |= {"encoder": "mlp", "pseudo_inputs": 500}
    details["data"]["shape"] = [3, 512, 512]
    began = time.process_time()
    with pytest.raises(ValueError, match=r"the model of this run has 3\.\d GB; at most 1\.0 GB are taken"):
        transfer.import_zip(zipped(VAE, config__json=json.dumps(details).encode(), **NO_FRAMES))
    assert time.process_time() - began < 10


def test_weights_of_nobody_knows_which_images_are_refused():
    details = json.loads((DONE / "config.json").read_text())
    del details["data"]
    with pytest.raises(ValueError, match="does not say which images it was trained on"):
        transfer.import_zip(zipped(DONE, config__json=json.dumps(details).encode(), **NO_FRAMES))


MOMENT = "adam.0.exp_avg_sq"
STATES = {
    "no epoch": lambda: changed(STOPPED / STATE, "epoch", None),
    "a negative epoch": lambda: changed(STOPPED / STATE, "epoch", np.array(-1)),
    "an epoch beyond the last": lambda: changed(STOPPED / STATE, "epoch", np.array(10**6)),
    "half an epoch": lambda: changed(STOPPED / STATE, "epoch", np.array(0.5)),
    "no time": lambda: changed(STOPPED / STATE, "seconds", np.array(math.nan)),
    "no generator": lambda: changed(STOPPED / STATE, "generator", None),
    "a short generator": lambda: changed(STOPPED / STATE, "generator", np.zeros(8, np.uint8)),
    "a forged generator": lambda: changed(STOPPED / STATE, "generator", np.full(5056, 255, np.uint8)),
    "no first moment": lambda: changed(STOPPED / STATE, "adam.0.exp_avg", None),
    "a negative moment": lambda: changed(STOPPED / STATE, MOMENT, -1 - of(STOPPED / STATE, MOMENT)),
    "a moment of nobody": lambda: changed(STOPPED / STATE, "adam.99.step", np.array(1, np.float32)),
    "another optimiser's": lambda: changed(STOPPED / STATE, "adam.0.momentum_buffer", of(STOPPED / STATE, MOMENT)),
    "a strange flag": lambda: changed(STOPPED / STATE, "moved", np.array(7, np.uint8), "BOOL"),
    "a loss that it lacks": lambda: changed(STOPPED / STATE, "teaching.nothing", np.array(True)),
    "not a number": lambda: changed(STOPPED / STATE, "model.encoder.0.weight", of(STOPPED / STATE, MOMENT) * math.nan),
    "weights alone": (DONE / WEIGHTS).read_bytes,
    "100,000 tensors": lambda: many(100_000),
}


@pytest.mark.parametrize("kind", STATES)
def test_a_forged_state_is_neither_taken_in_nor_resumed(folder, kind):
    content = STATES[kind]()
    with pytest.raises(ValueError, match=r"state\.safetensors"):
        transfer.import_zip(zipped(STOPPED, state__safetensors=content))
    assert not list(folder.iterdir())
    shutil.copytree(STOPPED, folder / "by-hand")
    (folder / "by-hand" / STATE).write_bytes(content)
    run = Run(folder / "by-hand")
    assert run.status().state == "stopped" and run.resume_epoch() in (0, 1, 10**6)
    with Writer(run) as writer, pytest.raises(ValueError, match="delete it to begin anew"):
        writer.saved_state()
    assert len(run.history()) == len(Run(STOPPED).history()), "nothing is cut to a state that is refused"


def test_a_pipe_in_place_of_weights_does_not_keep_anybody_waiting(folder):
    shutil.copytree(DONE, folder / "pipe")
    (folder / "pipe" / WEIGHTS).unlink()
    os.mkfifo(folder / "pipe" / WEIGHTS)
    with pytest.raises(ValueError, match="is not a file"):
        Run(folder / "pipe").model()


@pytest.mark.parametrize("name", sorted(path.name for path in places.shipped().iterdir()))
def test_what_ships_is_what_its_config_makes(name):
    run = Run(places.shipped() / name)
    tensors.check_saved(run.path, run.config(), run.details()["data"], 10**9)


def test_an_old_state_goes_on_after_its_journey():
    run = transfer.import_zip(zipped(STOPPED), "back")
    assert run.resume_epoch() == 1 and run.model()
    changes.make_ready(run)
    with Writer(listing.open_run("back")) as writer:
        state = writer.saved_state()
    assert int(state["epoch"]) == 1 and torch.isfinite(state["model.encoder.0.weight"]).all()
