"""A run as a zip: written for others, and a stranger's taken in only when each of its files is what it says."""

import itertools
import json
import math
import re
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from semidml import files, zips
from semidml.config import RunConfig
from semidml.record import Record
from semidml.runs import (
    Run,
    Status,
    check_quota,
    checked_id,
    root,
    shipped,
    size_words,
    valid_id,
)

MOST_BYTES = 10**9  # of an unpacked zip
MOST_FILES = 1000
MOST_ARRAY_BYTES = 200 * 10**6  # of an unpacked npz
SMALL = 20 * 10**6  # of a JSON file
MOST_SIDE = 512  # pixels of an image
MOST_SHOWN = 1000  # reconstructions of a frame
MOST_FAR = 1e30  # of a latent, so that its square is finite in float64
MOST_LOG_VAR = 100.0
FILES = re.compile(
    r"config\.json|status\.json|metrics\.json|history\.jsonl|rows\.npz|(weights|state)\.safetensors"
    r"|frames/\d{4,6}\.npz|projections/[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\.npz"
)
FRAME = {  # array: dtype or dtypes, number of axes
    "latents": ("float32 float16", 2),  # see `runs.WIDE`
    "predictions": ("int16", 1),
    "reconstructions": ("uint8", 4),
    "component_means": ("float32", 2),
    "component_log_vars": ("float32", 2),
    "component_weights": ("float32", 1),
    "component_images": ("uint8", 4),
    "pseudo_inputs": ("uint8", 4),
    "clusters": ("int16", 1),
    "cluster_sizes": ("int32", 1),
    "cluster_entropies": ("float32", 1),
    "cluster_shown": ("int16", 1),
    "cluster_images": ("uint8", 4),
    "epoch": ("int64", 0),
    "step": ("int64", 0),
}
ROWS = {"split": ("uint8", 1), "row": ("int32", 1), "labels": ("int16", 1), "seen": ("bool", 1), "shown": ("int32", 1)}


def export_zip(run: Run, file: IO[bytes]) -> None:
    """Write the run as a zip that `import_zip` reads: its known files in a folder of its name."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(run.path.rglob("*")):
            name = path.relative_to(run.path).as_posix()
            if not _sent(name) or path.is_symlink():
                continue
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # replaced or thinned away while a run goes on
                continue
            if name == "status.json":
                content = files.as_json(asdict(replace(run.status(), owner={})))
            archive.writestr(f"{run.id}/{name}", content)


def import_zip(file: IO[bytes], name: str | None = None) -> Run:
    """A run from a zip of `export_zip`, under `name` or its own (with a number where that is taken).

    Only a run's own files are read, into a temporary folder that becomes the run when all of them are what they say.
    Raises ValueError in words; nothing stays behind.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            own, members = _members(archive)
            check_quota(sum(info.file_size for info in members.values()))
            if name is not None and (root() / checked_id(name)).exists():
                raise ValueError(f"there is already a run called {name}")
            root().mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=".import-", dir=root()))
            try:
                for path, info in members.items():
                    (folder / path).parent.mkdir(exist_ok=True)
                    with archive.open(info) as source, open(folder / path, "xb") as target:
                        shutil.copyfileobj(source, target)
                _check_folder(folder)
                folder.chmod(0o755)
                return _settle(folder, name, own)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OverflowError, RuntimeError) as error:
        raise ValueError(f"the zip cannot be read: {error}") from None


def _settle(folder: Path, name: str | None, own: str) -> Run:
    """Give the checked folder its name."""
    base = own if valid_id(own) else "imported"
    names = [name] if name else itertools.chain([base], (f"{base[:74]}-{i}" for i in range(2, 10_000)))
    for candidate in names:
        target = root() / candidate
        if not target.exists() and not (shipped() / candidate).exists():
            folder.rename(target)
            return Run(target)
    raise ValueError(f"there is already a run called {name or base}")


def _members(archive: zipfile.ZipFile) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """(name of the zip's one folder or '', {file of a run: where it is}). Raises ValueError for anything else."""
    infos = [
        i for i in archive.infolist() if not i.filename.startswith("__MACOSX/") and not i.filename.endswith(".DS_Store")
    ]
    if len(infos) > MOST_FILES:
        raise ValueError(f"the zip holds {len(infos)} files; a run has at most {MOST_FILES}")
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise ValueError(f"the zip unpacks to {size_words(total)}; at most {size_words(MOST_BYTES)} are allowed")
    tops = {info.filename.split("/")[0] for info in infos}
    own = tops.pop() if len(tops) == 1 and all("/" in info.filename for info in infos) else ""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        path = info.filename.removeprefix(f"{own}/") if own else info.filename
        if path in ("", "frames/", "projections/"):
            continue
        if (
            not _sent(path)
            or stat.S_ISLNK(info.external_attr >> 16)
            or info.flag_bits & 1
            or info.compress_type not in zips.PACKED
        ):
            raise ValueError(f"the zip holds {info.filename[:80]!r}, which is no file of a run")
        if path in members:
            raise ValueError(f"the zip holds {path} twice")
        if not path.endswith(".safetensors") and info.file_size > (
            MOST_ARRAY_BYTES if path.endswith(".npz") else SMALL
        ):
            raise ValueError(f"{path} unpacks to {size_words(info.file_size)}, which is too much")
        members[path] = info
    if "config.json" not in members:
        raise ValueError("the zip is not of a run: it has no config.json")
    return own, members


def _check_folder(folder: Path) -> None:
    """Raises ValueError unless every file is what its name says; config.json and status.json are written anew."""
    run = Run(folder)
    try:
        config = run.config()
    except ValueError as error:
        raise ValueError(f"the zip is not of a run that this version can read: {error}") from None
    details = run.details()
    clean: dict[str, Any] = {
        "config": config.model_dump(),
        "created": run.created(),
        "imported": time.time(),
        "paths": False,
    }
    for part in ("versions", "machine", "facts"):
        values = details.get(part, {})
        _require(isinstance(values, dict) and len(values) <= 50 and _plain(values), f"{part} of config.json")
        clean[part] = values
    if "data" in details:
        clean["data"] = _checked_data(details["data"])
    count = None
    if (folder / "rows.npz").exists():
        rows = _headers(folder / "rows.npz", ROWS)
        _require(set(rows) == set(ROWS), "rows.npz")
        count = rows["split"][0]
        _require(all(rows[name] == (count,) for name in ROWS if name != "shown"), "rows.npz")
        _check_rows(folder / "rows.npz", len(clean["data"]["class_names"]) if "data" in clean else None)
    for path in sorted(folder.glob("frames/*.npz")):
        shapes = _headers(path, FRAME)
        where = f"frames/{path.name}"
        _require({"latents", "predictions"} <= set(shapes) and count is not None, where)
        _require(shapes["latents"] == (count, config.latent_dim) and shapes["predictions"] == (count,), where)
        its = [shapes.get(f"component_{name}") for name in ("means", "log_vars", "weights")]
        k = its[0][0] if its[0] else 0
        _require(its in ([None] * 3, [(k, config.latent_dim), (k, config.latent_dim), (k,)]), where)
        pictured = [shapes[name][0] for name in ("component_images", "pseudo_inputs") if name in shapes]
        _require(all(number <= k for number in pictured), where)
        _require("data" in clean and shapes.get("reconstructions", rows["shown"])[0] == rows["shown"][0], where)
        image = tuple(clean["data"]["shape"])
        _require(all(shapes[name][1:] == image for name, its in FRAME.items() if its[1] == 4 and name in shapes), where)
        _check_values(path, shapes, len(clean["data"]["class_names"]), where)
        _check_clusters(path, shapes, where)
    for path in sorted(folder.glob("projections/*.npz")):
        _headers(path, None)
    for path in sorted(folder.glob("*.safetensors")):
        _check_tensors(path)
    if (folder / "metrics.json").exists():
        metrics = files.read_json(folder / "metrics.json")
        tables = {k: v for k, v in metrics.items() if k in ("failed", "notes")}
        _require(all(isinstance(v, dict) and _plain(v) for v in tables.values()), "metrics.json")
        scores = {k: v for k, v in metrics.items() if k not in tables}
        _require(_plain(scores) and not any(isinstance(v, str) for v in scores.values()), "metrics.json")
    if (folder / "history.jsonl").exists():
        _check_history(folder / "history.jsonl")
    files.replace_file(folder / "config.json", files.as_json(clean))
    files.replace_file(folder / "status.json", files.as_json(asdict(_imported_status(run, config))))


def _check_rows(path: Path, classes: int | None) -> None:
    """Raises ValueError unless the values of rows.npz are splits, labels of that many classes, and places in it."""
    with np.load(path, allow_pickle=False) as rows:
        split, labels, row, shown = (rows[name] for name in ("split", "labels", "row", "shown"))
    good = (split <= 1).all() and (row >= 0).all() and (labels >= 0).all()
    good = good and (classes is None or (labels < classes).all())
    good = good and len(shown) <= MOST_SHOWN and (shown >= 0).all() and (shown < len(split)).all()
    _require(bool(good), "rows.npz")


def _check_values(path: Path, shapes: Mapping[str, tuple[int, ...]], classes: int, where: str) -> None:
    """Raises ValueError unless a frame's predictions are classes, its numbers can be drawn, and its weights weigh."""
    with np.load(path, allow_pickle=False) as arrays:
        predictions = arrays["predictions"]
        _require(bool(((predictions >= 0) & (predictions < classes)).all()), where)
        for name in ("latents", "component_means", "component_log_vars", "component_weights"):
            if name in shapes:
                _require(bool((np.abs(arrays[name].astype(np.float64)) <= MOST_FAR).all()), where)  # which NaN is not
        if "component_log_vars" in shapes:
            _require(bool((np.abs(arrays["component_log_vars"]) <= MOST_LOG_VAR).all()), where)
        if "component_weights" in shapes:
            weights = arrays["component_weights"]
            _require(bool((weights >= 0).all() and weights.sum() > 0), where)


def _check_clusters(path: Path, shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Raises ValueError unless a frame holds all of its clusters, or none."""
    its = [name for name in FRAME if name.startswith("cluster")]
    if not any(name in shapes for name in its):
        return
    _require({"clusters", "cluster_sizes", "cluster_entropies"} <= set(shapes), where)
    _require(("cluster_shown" in shapes) == ("cluster_images" in shapes), where)
    k = shapes["cluster_sizes"]
    _require(shapes["clusters"] == shapes["predictions"] and shapes["cluster_entropies"] == k, where)
    numbers = [("clusters", shapes["clusters"])]
    if "cluster_shown" in shapes:
        numbers.append(("cluster_shown", shapes["cluster_images"][:1]))
    with np.load(path, allow_pickle=False) as arrays:
        for name, shape in numbers:
            _require(shapes[name] == shape and bool(((arrays[name] >= 0) & (arrays[name] < k[0])).all()), where)


def _require(holds: bool, where: str) -> None:
    if not holds:
        raise ValueError(f"{where} is not what a run holds there")


def _plain(values: Mapping[str, Any]) -> bool:
    """Short text and finite numbers only."""

    def plain(value: Any) -> bool:
        if isinstance(value, str):
            return len(value) <= 2000
        return value is None or (isinstance(value, int | float) and math.isfinite(value))

    return all(len(name) <= 100 and plain(value) for name, value in values.items())


def _checked_data(data: Any) -> dict[str, Any]:
    _require(isinstance(data, dict), "data of config.json")
    shape, names, title = data.get("shape"), data.get("class_names"), data.get("title")
    _require(isinstance(title, str) and len(title) <= 200, "data of config.json")
    _require(isinstance(names, list) and 1 <= len(names) <= 10_000, "class_names of config.json")
    _require(all(isinstance(name, str) and len(name) <= 200 for name in names), "class_names of config.json")
    _require(isinstance(shape, list) and len(shape) == 3, "shape of config.json")
    _require(all(isinstance(n, int) and 1 <= n <= MOST_SIDE for n in shape), "shape of config.json")
    _require(shape[0] in (1, 3), "shape of config.json")
    return {"title": title, "shape": shape, "class_names": names}


def _headers(path: Path, expected: Mapping[str, tuple[str, int]] | None) -> dict[str, tuple[int, ...]]:
    """Shapes of an npz's arrays, read without unpickling or allocating them.

    Raises ValueError when one is not as expected (dtype, axes), or, with no expectation, not of numbers.
    """
    shapes = {}
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        zips.check_packing(archive)
        if len(infos) > 20 or sum(info.file_size for info in infos) > MOST_ARRAY_BYTES:
            raise ValueError(f"{path.name} unpacks to more than {size_words(MOST_ARRAY_BYTES)}")
        for info in infos:
            name = info.filename.removesuffix(".npy")
            with archive.open(info) as file:
                try:
                    shape, _, dtype = zips.array_header(file)
                except ValueError as error:
                    raise ValueError(f"the header of {name[:40]!r} in {path.name} cannot be read: {error}") from None
                rest = sum(len(part) for part in iter(lambda: file.read(1 << 20), b""))
            known = expected is None and dtype.kind in "fiub" and len(shape) <= 4
            if expected and name in expected:
                known = str(dtype) in expected[name][0].split() and len(shape) == expected[name][1]
            if not known or name in shapes or rest != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{path.name} holds an array {name[:40]!r} ({dtype}, {shape}) that no run has there")
            shapes[name] = shape
    return shapes


def _check_tensors(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as tensors:
            names = list(tensors.keys())
            for name in names:
                tensors.get_slice(name).get_shape()
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"{path.name} does not hold weights in the safetensors format: {error}") from None
    if not names:
        raise ValueError(f"{path.name} holds no weights")


def _check_history(path: Path) -> None:

    previous = -1
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
            numbers = {k: record[k] for k in ("epoch", "step", "steps", "seconds")}
            tables = [record[k] for k in ("terms", "weights", "scores")]
            alarms = record["alarms"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError("history.jsonl is not a run's: a line is not a record") from None
        good = all(isinstance(v, int | float) and math.isfinite(v) for v in numbers.values())
        good = good and set(record) == {f.name for f in fields(Record)}
        good = good and all(isinstance(t, dict) and len(t) <= 100 and _plain(t) for t in tables)
        good = good and all(v is None or isinstance(v, int | float) for t in tables for v in t.values())
        good = good and isinstance(alarms, list) and all(isinstance(a, str) and len(a) <= 2000 for a in alarms)
        _require(bool(good) and isinstance(record["epoch"], int) and record["epoch"] > previous, "history.jsonl")
        previous = record["epoch"]


def _imported_status(run: Run, config: RunConfig) -> Status:
    """Done, failed or stopped as it was; what was running or waiting elsewhere is interrupted here."""
    try:
        was = run.recorded()
    except ValueError:
        was = Status("done" if (run.path / "weights.safetensors").exists() else "interrupted")
    state = "interrupted" if was.active else was.state
    records = run.path / "history.jsonl"
    lines = records.read_bytes().splitlines() if records.exists() else []
    latest = json.loads(lines[-1]) if lines else None
    reason = was.reason[:2000] if isinstance(was.reason, str) else ""
    epoch, steps = (latest["epoch"], latest["steps"]) if latest else (0, 0)
    return Status(state, reason, epoch, config.epochs, 0, steps, None, time.time(), {}, latest)


def _sent(name: str) -> bool:
    return bool(FILES.fullmatch(name))
