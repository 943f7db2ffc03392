"""Checks of an imported run: nothing in it is believed before it is read whole and in bounds."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from semidml import frames
from semidml.config import RunConfig
from semidml.disk import files, zips
from semidml.frames import Record
from semidml.runs import notes, tensors
from semidml.runs.parent import read_parent
from semidml.runs.run import Run
from semidml.runs.status import Status
from semidml.runs.tensors import MOST_FAR, Pictured
from semidml.words import damage_words

MOST_SHOWN = 1000  # reconstructions of a frame
MOST_LOG_VAR = 100.0
MOST_WEIGHTS = 10**9  # bytes of a model, as of an unpacked zip

Shapes = dict[str, tuple[int, ...]]
Name = Annotated[str, Field(max_length=200)]
DIGEST = "[0-9a-f]{64}"
Digest = Annotated[str, Field(pattern=f"^{DIGEST}$")]


class Images(Pictured):
    """All that config.json says of a run's images: see `trained_on.describe_data`."""

    title: Name
    class_names: list[Name] = Field(max_length=10_000)
    digest: Digest = ""  # none up to version 0.2; of what follows none up to 0.3
    rows: dict[Literal["train", "test", "validation"], Annotated[int, Field(ge=1, le=10**9)]] = Field(default={})
    labels: Digest = ""
    pixels: Digest = ""
    files: Digest = ""


def check_folder(folder: Path) -> None:
    """Raises ValueError unless every file is what its name says; config.json and status.json are written anew."""
    run = Run(folder)
    try:
        config = run.config()
    except ValueError as error:
        raise ValueError(f"the zip is not of a run that this version can read: {error}") from None
    details = run.details()
    clean: dict[str, Any] = {"config": config.model_dump(), "created": run.created(), "imported": time.time()}
    clean["paths"] = False
    clean |= {name: True for name in ("both", "scored") if details.get(name) is True}
    if "planned_data" in details:
        planned = details["planned_data"]
        _require(isinstance(planned, str) and bool(re.fullmatch(DIGEST, planned)), "planned_data of config.json")
        clean["planned_data"] = planned
    if "parent" in details:
        parent = read_parent(details)
        _require(parent is not None, "parent of config.json")
        clean["parent"] = parent.model_dump()
    for part in ("versions", "machine", "facts"):
        values = details.get(part, {})
        _require(isinstance(values, dict) and len(values) <= 50 and _plain(values), f"{part} of config.json")
        clean[part] = values
    if "data" in details:
        try:
            clean["data"] = Images.model_validate(details["data"]).model_dump(exclude_unset=True)
        except ValidationError as error:
            raise ValueError(f"data of config.json is not what a run holds there: {damage_words(error)}") from None
    rows = None
    if (folder / "rows.npz").exists():
        rows = zips.headers(folder / "rows.npz", frames.ROWS)
        lengths = {rows.get(name) for name in frames.ROWS if name != "shown"}
        _require(set(rows) == set(frames.ROWS) and len(lengths) == 1, "rows.npz")
        _check_rows(folder / "rows.npz", len(clean["data"]["class_names"]) if "data" in clean else None)
    for path in sorted(folder.glob("frames/*.npz")):
        _check_frame(path, config, rows, clean.get("data"))
    for path in sorted(folder.glob("projections/*.npz")):
        zips.headers(path, None)
    tensors.check_saved(folder, config, clean.get("data"), MOST_WEIGHTS)
    for name in ("metrics.json", "test_metrics.json"):
        if (folder / name).exists():
            _check_scores(files.read_json(folder / name), name)
    if (folder / "history.jsonl").exists():
        _check_history(folder / "history.jsonl")
    if (folder / notes.FILE).exists():
        written = notes.read_notes(run)
        files.replace_file(folder / notes.FILE, files.as_json(written.model_dump()))
    files.replace_file(folder / "config.json", files.as_json(clean))
    files.replace_file(folder / "status.json", files.as_json(asdict(_imported_status(run, config))))


def _check_scores(metrics: dict[str, Any], name: str) -> None:
    tables = {k: v for k, v in metrics.items() if k in ("failed", "notes")}
    _require(all(isinstance(v, dict) and _plain(v) for v in tables.values()), name)
    scores = {k: v for k, v in metrics.items() if k not in tables}
    _require(_plain(scores) and not any(isinstance(v, str) for v in scores.values()), name)


def _check_rows(path: Path, classes: int | None) -> None:
    """Raises ValueError unless the values of rows.npz are splits, labels of that many classes or -1 for none, and
    places in it; what was seen is a label."""
    with np.load(path, allow_pickle=False) as rows:
        split, labels, row, shown, seen = (rows[name] for name in ("split", "labels", "row", "shown", "seen"))
    good = (split <= 1).all() and (row >= 0).all() and (labels >= -1).all() and (labels[seen] >= 0).all()
    good = good and (classes is None or (labels < classes).all())
    good = good and len(shown) <= MOST_SHOWN and (shown >= 0).all() and (shown < len(split)).all()
    _require(bool(good), "rows.npz")


def _check_frame(path: Path, config: RunConfig, rows: Shapes | None, data: dict[str, Any] | None) -> None:
    """Raises ValueError unless a frame is of its run's rows (the shapes of rows.npz) and images, its predictions are
    classes, its numbers can be drawn, its weights weigh, and it holds all of its components and clusters, or none."""
    shapes, where = zips.headers(path, frames.FRAME), f"frames/{path.name}"
    _require({"latents", "predictions"} <= set(shapes) and rows is not None and data is not None, where)
    count, shown, image, dim = rows["split"][0], rows["shown"][0], tuple(data["shape"]), config.latent_dim
    _require(shapes["latents"] == (count, dim) and shapes["predictions"] == (count,), where)
    prior = [shapes.get(name) for name in frames.COMPONENTS]
    k = prior[0][0] if prior[0] else 0
    _require(prior in ([None] * 3, [(k, dim), (k, dim), (k,)]), where)
    _require(all(shapes[name][0] <= k for name in ("component_images", "pseudo_inputs") if name in shapes), where)
    _require(shapes.get("reconstructions", (shown,))[0] == shown, where)
    pictures = [name for name, (_, axes) in frames.FRAME.items() if axes == 4 and name in shapes]
    _require(all(shapes[name][1:] == image for name in pictures), where)
    with np.load(path, allow_pickle=False) as arrays:
        whole = dict(arrays)
    numbers = [whole[name].astype(np.float64) for name in ("latents", *frames.COMPONENTS) if name in whole]
    _require(all((np.abs(values) <= MOST_FAR).all() for values in numbers), where)  # which NaN is not
    _require(_below(whole["predictions"], len(data["class_names"]), least=-1), where)
    if prior[0]:
        weights = whole["component_weights"]
        _require(bool((weights >= 0).all() and weights.sum() > 0), where)
        _require(bool((np.abs(whole["component_log_vars"]) <= MOST_LOG_VAR).all()), where)
    if any(name.startswith("cluster") for name in whole):
        _require(_are_clusters(whole), where)


def _are_clusters(frame: dict[str, np.ndarray]) -> bool:
    """Whether a frame holds all of its clusters."""
    if not {"clusters", "cluster_sizes", "cluster_entropies"} <= set(frame):
        return False
    k, drawn, images = frame["cluster_sizes"].shape, frame.get("cluster_shown"), frame.get("cluster_images")
    whole = frame["clusters"].shape == frame["predictions"].shape and frame["cluster_entropies"].shape == k
    if drawn is None or images is None:
        return whole and _below(frame["clusters"], k[0]) and drawn is images
    return whole and _below(frame["clusters"], k[0]) and drawn.shape == images.shape[:1] and _below(drawn, k[0])


def _below(numbers: np.ndarray, count: int, least: int = 0) -> bool:
    return bool(((numbers >= least) & (numbers < count)).all())


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


def _check_history(path: Path) -> None:
    previous = -1
    for line in path.read_bytes().splitlines():
        try:
            record = Record.from_json(line)
        except ValidationError:
            raise ValueError("history.jsonl is not a run's: a line is not a record") from None
        tables = (record.terms, record.weights, record.scores, {"seconds": record.seconds})
        good = all(len(table) <= 100 and _plain(table) for table in tables) and record.epoch > previous
        good = good and all(len(alarm) <= 2000 for alarm in record.alarms)
        _require(good and json.loads(line).keys() == asdict(record).keys(), "history.jsonl")
        previous = record.epoch


def _imported_status(run: Run, config: RunConfig) -> Status:
    """Done, failed or stopped as it was; what was running or waiting elsewhere is interrupted here."""
    try:
        was = run.recorded()
    except ValueError:
        was = Status("done" if (run.path / "weights.safetensors").exists() else "interrupted")
    state, reason = ("interrupted", "") if was.active else (was.state, was.reason[:2000])
    records = run.history()
    epoch, steps, latest = (records[-1].epoch, records[-1].steps, asdict(records[-1])) if records else (0, 0, None)
    return Status(state, reason, epoch, config.epochs, 0, steps, None, time.time(), {}, latest)
