"""Makes the runs that ship, `presets.SHIPPED`, anew in checkpoints/, with the command line, and makes them small.

    python benchmarks/shipped.py [--quick]

A few frames of each are kept, their latents rounded to half precision; who trained them is left out.
"""

import json
import shlex
import subprocess
import sys

import numpy as np
from common import ROOT, arguments

from semidml import presets, runs
from semidml.config import RunConfig

FRAMES, FRAMES_10D = 6, 3  # of a run, first and last among them


def make(name: str, values: dict) -> int:
    """Trains a run and makes it small; its bytes."""
    folder = runs.shipped() / name
    words = [sys.executable, *shlex.split(RunConfig.of(values).command())[1:], "--out", str(folder)]
    trained = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if trained.returncode:
        raise RuntimeError(f"{name} was not trained:\n{trained.stderr[-2000:]}")
    run = runs.get(name)
    epochs = run.frames()
    most = FRAMES if run.config().latent_dim == 2 else FRAMES_10D
    kept = {epochs[round(share**1.6 * (len(epochs) - 1))] for share in np.linspace(0, 1, most)}  # most happens early
    for epoch in epochs:
        file = folder / "frames" / f"{epoch:04d}.npz"
        if epoch not in kept:
            file.unlink()
            continue
        frame = run.frame(epoch)
        frame["latents"] = frame["latents"].astype(np.float16).astype(np.float32)
        np.savez_compressed(file, **frame)
    status = folder / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"owner": {}}))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    asked = arguments(__doc__)
    wanted = dict(list(presets.SHIPPED.items())[:1]) if asked.quick else dict(presets.SHIPPED)
    for folder in runs.shipped().iterdir():
        if folder.name in wanted or not asked.quick:
            runs.get(folder.name)  # refuses what is no run
            for file in sorted(folder.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
            folder.rmdir()
    sizes = {name: make(name, values) for name, values in wanted.items()}
    print(json.dumps({"benchmark": "shipped", "bytes": sum(sizes.values()), **sizes}))


if __name__ == "__main__":
    main()
