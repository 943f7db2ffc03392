"""Makes the runs that ship, `presets.SHIPPED`, anew in checkpoints/, with the command line, and makes them small.

    python benchmarks/shipped.py [--smoke]

They are replaced only when all are trained; --smoke trains one for an epoch and replaces none. A few frames of each
are kept, their latents rounded to half precision; who trained them is left out.
"""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from common import ROOT, arguments, markdown, report

from semidml import presets
from semidml.config import RunConfig
from semidml.runs import places
from semidml.runs.run import Run

FRAMES, FRAMES_10D = 6, 3  # of a run, first and last among them


def make(name: str, values: Mapping[str, Any], into: Path) -> int:
    """Trains a run into that folder and makes it small; its bytes."""
    folder = into / name
    words = [sys.executable, *shlex.split(RunConfig.of(values).command())[1:], "--out", str(folder)]
    trained = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if trained.returncode:
        raise RuntimeError(f"{name} was not trained:\n{trained.stderr[-2000:]}")
    run = Run(folder)
    epochs = run.frames()
    most = FRAMES if run.config().latent_dim == 2 else FRAMES_10D
    kept = {epochs[round(share**1.6 * (len(epochs) - 1))] for share in np.linspace(0, 1, most)}  # most happens early
    for epoch in epochs:
        file = folder / "frames" / f"{epoch:04d}.npz"
        if epoch not in kept:
            file.unlink()
            continue
        arrays = run.frame(epoch).arrays()
        arrays["latents"] = arrays["latents"].astype(np.float16).astype(np.float32)
        np.savez_compressed(file, **arrays)
    status = folder / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"owner": {}}))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    asked = arguments(__doc__, table=False)
    wanted = dict(presets.SHIPPED)
    if asked.smoke:
        wanted = {name: {**values, "epochs": 1, "warmup_epochs": 0.0} for name, values in list(wanted.items())[:1]}
    with TemporaryDirectory() as place:
        sizes = {name: make(name, values, Path(place)) for name, values in wanted.items()}
        (Path(place) / "old").mkdir()
        if not asked.smoke:  # only now, when all of them are there
            for folder in places.shipped().iterdir():
                Run(folder).config()  # refuses what is no run
                shutil.move(folder, Path(place) / "old" / folder.name)
            for name in wanted:
                shutil.move(Path(place) / name, places.shipped() / name)
    text = markdown(["run", "kB"], [[name, f"{size / 1000:,.0f}"] for name, size in sizes.items()])
    report("shipped", text, {"bytes": sum(sizes.values()), **sizes})


if __name__ == "__main__":
    main()
