"""Runs that ship, and small ones made by hand of what figures have to bear."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from semidml.config import RunConfig
from semidml.disk import files
from semidml.runs import listing
from semidml.runs.run import Run
from semidml.runs.status import Status


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUNS", "SWEEPS", "DATA"):
        monkeypatch.setenv(f"SEMIDML_{name}", str(tmp_path / name.lower()))


@pytest.fixture
def places() -> Run:
    """Ten places: two dimensions, ten components, six kept epochs."""
    return listing.open_run("digits-ten-places")


@pytest.fixture
def deep() -> Run:
    """Ten dimensions."""
    return listing.open_run("digits-dml-ae-10-d")


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Run]:
    """A run's folder by hand: `made(rows, dimensions, epochs, names)`."""

    def make(rows: int = 200, dimensions: int = 2, epochs: int = 2, names: tuple[str, ...] = ("a", "b")) -> Run:
        folder = tmp_path / "runs" / f"made-{rows}-{dimensions}-{epochs}"
        (folder / "frames").mkdir(parents=True)
        random = np.random.default_rng(0)
        config = RunConfig.of(
            {"data": "digits", "model": "dml", "latent_dim": dimensions, "epochs": max(1, epochs - 1)}
        )
        data = {"title": "Made", "shape": [1, 8, 8], "class_names": list(names)}
        (folder / "config.json").write_bytes(
            files.as_json({"config": config.model_dump(), "created": 1.0, "data": data})
        )
        (folder / "status.json").write_bytes(files.as_json(asdict(Status("done"))))
        labels = random.integers(0, len(names), rows).astype(np.int16)
        np.savez(
            folder / "rows.npz",
            split=(np.arange(rows) % 2).astype(np.uint8), row=np.arange(rows, dtype=np.int32), labels=labels,
            seen=np.zeros(rows, bool), shown=np.zeros(0, np.int32),
        )  # fmt: skip
        for epoch in range(epochs):
            latents = (random.normal(size=(rows, dimensions)) + epoch * labels[:, None]).astype(np.float32)
            arrays = {"latents": latents, "predictions": labels, "epoch": np.int64(epoch), "step": np.int64(0)}
            np.savez(folder / "frames" / f"{epoch:04d}.npz", **arrays)
        return Run(folder)

    return make
