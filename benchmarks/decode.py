"""How long many image files take: to the first word on how far it is, until they are decoded, and at the next start.

    python benchmarks/decode.py [--smoke | --write]

20,000 .png of 28 pixels and 2,000 .jpg of 500, in ten class folders, made in a temporary folder. One core and all cores
in turn, round after round, each with a data folder of its own and nothing in memory; medians, and the median of the
ratios within the rounds. The files lie in the system's memory by then: a slow disk takes longer. The longest silence is
that between two words on the progress.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import arguments, busy_words, machine, markdown, others_busy, report
from PIL import Image

from semidml import memory
from semidml.data import decoded, store

CLASSES = 10
WAYS = ("one core", "all cores")


class Files(NamedTuple):
    """A set of image files."""

    title: str
    suffix: str
    count: int
    side: int
    channels: int


WHOLE = (Files("PNG", ".png", 20_000, 28, 1), Files("JPEG", ".jpg", 2_000, 500, 3))
SMOKE = (Files("PNG", ".png", 60, 28, 1), Files("JPEG", ".jpg", 40, 100, 3))


class Start(NamedTuple):
    """Seconds of one reading of a set."""

    first: float  # to the first word
    silence: float  # the longest
    whole: float
    processor: float  # of this process and those that it started


def write_files(files: Files, top: Path) -> None:
    """Smooth images of chance, so that they pack as photographs do."""
    rng = np.random.default_rng(0)
    for number in range(files.count):
        folder = top / f"class {number % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (files.side // 8 + 2,) * 2 + (3,) * (files.channels == 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((files.side, files.side), Image.Resampling.BILINEAR)
        image.save(folder / f"{number:05d}{files.suffix}")


def measure(top: Path, folder: Path) -> tuple[Start, str]:
    """How long a set takes from nothing in memory, and its digest."""
    assert decoded.LARGE  # torch is loaded by now
    store.kept.clear()
    words, spent = [time.perf_counter()], sum(os.times()[:4])
    data = store.load(str(top), allow_paths=True, folder=folder, progress=lambda *_: words.append(time.perf_counter()))
    words.append(time.perf_counter())
    silences = [after - before for before, after in pairwise(words)]
    processor = sum(os.times()[:4]) - spent
    return Start(words[1] - words[0], max(silences), words[-1] - words[0], processor), data.digest


def on_one_core(act: Callable[[], tuple[Start, str]]) -> tuple[Start, str]:
    """Does it with one core only, where the system can be told so."""
    if not hasattr(os, "sched_setaffinity"):
        return act()
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        return act()
    finally:
        os.sched_setaffinity(0, cores)


def main() -> None:
    asked = arguments(__doc__)
    rounds, sets = (1, SMOKE) if asked.smoke else (3, WHOLE)
    before = others_busy(asked.smoke)
    numbers: dict = {"rounds": rounds, "cores": memory.cores()}
    table = []
    with tempfile.TemporaryDirectory() as made:
        for files in sets:
            top = Path(made) / files.title
            write_files(files, top)
            starts: dict[str, list[Start]] = {}
            digests = set()
            for number in range(rounds + 1):  # the first is not counted
                for way in WAYS:
                    folder = Path(made) / f"data {files.title} {way} {number}"
                    load = lambda top=top, folder=folder: measure(top, folder)  # noqa: E731
                    for start in ("first", "second"):
                        result, digest = on_one_core(load) if way == WAYS[0] else load()
                        digests.add(digest)
                        if number or rounds == 1:
                            starts.setdefault(f"{way}, {start} start", []).append(result)
            if len(digests) > 1:
                raise ValueError(f"the images of {files.title} differ between ways of reading them")
            medians = {name: Start(*map(statistics.median, zip(*own, strict=True))) for name, own in starts.items()}
            one, every = (starts[f"{way}, first start"] for way in WAYS)
            ratio = statistics.median(slow.whole / fast.whole for slow, fast in zip(one, every, strict=True))
            numbers[files.title] = {name: start._asdict() for name, start in medians.items()} | {"ratio": ratio}
            for name, start in medians.items():
                title = f"{files.count:,} {files.title} of {files.side} pixels"
                times = f"**{ratio:.1f}**" if name == f"{WAYS[1]}, first start" else ""
                table.append(
                    [
                        title,
                        name,
                        f"{start.first:.3f} s",
                        f"{start.silence:.2f} s",
                        f"{start.whole:.2f} s",
                        f"{start.processor:.2f} s",
                        times,
                    ]
                )
    after = others_busy(asked.smoke)
    numbers["others_busy_cores"] = [before, after]
    text = "\n\n".join(
        [
            f"Medians of {rounds} interleaved rounds, files in the system's memory; {machine()}. "
            f"{busy_words(before, after)}",
            markdown(
                ["files", "way", "first word", "longest silence", "all read", "of a processor", "times as fast"], table
            ),
        ]
    )
    report("decode", text, numbers, asked.write)


if __name__ == "__main__":
    main()
