"""Runs that travel between machines without a common disk, as the zip that export makes, checked at both ends."""

import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semidml.data import store
from semidml.disk import files
from semidml.runs import quota, transfer
from semidml.runs.run import Run
from semidml.runs.trained_on import digest_of
from semidml.runs.writer import Writer
from semidml.words import size_words

MOST_SENT = 200 * 10**6  # bytes of a run's zip
FROM_WORKERS = ("versions", "machine", "facts", "data")  # of config.json: what only who trains knows


def pack_run(run: Run) -> bytes:
    """The run as a zip: its config, and what is there of it already.
    Raises: ValueError when that is too large to be sent."""
    packed = io.BytesIO()
    transfer.export_zip(run, packed)
    if packed.tell() > MOST_SENT:
        raise ValueError(
            f"{run.id} takes {size_words(packed.tell())}, and at most {size_words(MOST_SENT)} are sent between "
            "machines: give them a disk that they share, or choose a smaller model or fewer epochs"
        )
    return packed.getvalue()


def cells_folder() -> Path:
    """Where this machine trains runs of machines with which it shares no disk."""
    return store.data_folder() / "cells"


def open_parcel(packed: bytes, identity: str) -> Run:
    """The run of a zip, to be trained on this machine; where it was begun here before and has come further than the
    zip, it goes on from there. What others left here more than an hour ago is removed.
    Raises: ValueError when the zip is no run's; OSError."""
    folder = cells_folder()
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder / identity)
    files.sweep(path for path in folder.iterdir() if path != run.path)
    fresh = transfer.unpack_zip(io.BytesIO(packed), folder)
    if run.path.exists() and not run.damage() and _reached(run) >= _reached(Run(fresh)):
        shutil.rmtree(fresh)
        return run
    shutil.rmtree(run.path, ignore_errors=True)
    fresh.rename(run.path)
    return run


def _reached(run: Run) -> float:
    """The epoch that a run would go on from; beyond all of them when it is done."""
    return float("inf") if run.recorded().state == "done" else run.resume_epoch()


def take_back(run: Run, packed: bytes) -> None:
    """Give a run's folder what another machine has made of it.
    Raises: ValueError, and the folder is as it was, when the zip is not of this run; OSError, QuotaFull."""
    if len(packed) > MOST_SENT:
        raise ValueError(f"a worker sent {size_words(len(packed))}; at most {size_words(MOST_SENT)} are taken")
    folder = transfer.unpack_zip(io.BytesIO(packed), run.path.parent)
    try:
        returned, own = Run(folder), run.details()
        _check_same(run, returned)
        quota.check_more(run.path, returned.size())
        parts = {name: part for name, part in returned.details().items() if name in FROM_WORKERS}
        files.replace_file(folder / "config.json", files.as_json(own | parts))
        with Writer(run):
            _replace_content(run.path, folder)
        os.replace(folder / "status.json", run.path / "status.json")  # the last: until then it is begun and not ended
        (run.path / "stop").unlink(missing_ok=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_same(run: Run, returned: Run) -> None:
    """Raises ValueError unless a run that came back has the config that was sent, and was trained on the same data."""
    sent, came = run.details(), returned.details().get("data") or {}
    wanted = {sent.get("planned_data"), digest_of(sent.get("data"))} - {None, ""}
    if returned.config() != run.config() or (came and wanted - {digest_of(came)}) or _is_other(sent.get("data"), came):
        raise ValueError(f"what a worker sent back as {run.id} is another run")


def _is_other(sent: Mapping[str, Any] | None, came: Mapping[str, Any]) -> bool:
    """Whether data differ, where a release up to 0.3 has told of one of them, which knew one digest alone."""
    is_old = sent and came and not (digest_of(sent) and digest_of(came))
    return bool(is_old) and sent.get("digest") != came.get("digest")


def _replace_content(folder: Path, other: Path) -> None:
    """Move the files of one run's folder into another, but for status.json, and remove what has no counterpart."""
    names = {path.relative_to(other).as_posix() for path in other.rglob("*") if path.is_file()} - {"status.json"}
    gone = [*folder.glob("frames/*.npz"), *folder.glob("*.safetensors"), *folder.glob("*metrics.json")]
    for path in gone:
        if path.relative_to(folder).as_posix() not in names:
            path.unlink(missing_ok=True)
    for name in sorted(names):
        (folder / name).parent.mkdir(exist_ok=True)
        os.replace(other / name, folder / name)
