"""How fast images are retrieved: recall at 1, 2, 4, 8 and MAP@R, beside the full matrix of distances.

    python benchmarks/retrieval.py [--smoke | --write]

10,000 rows of 128 dimensions in 100 classes, each a Gaussian, every row searched for among the others; ours and numpy's
in turn, round after round, so that a busy machine slows both alike; medians, and the median of the ratios within the
rounds. numpy computes all distances as |x|^2 - 2 x y + |y|^2 in one matrix of single precision and selects with the
faster of argsort and argpartition; its scores must be ours. Then 60,000 rows, ours alone (a full matrix would take
14.4 GB), each in a process of its own for its peak of memory; MAP@R there with 10 classes, so that R is about 6,000.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
from common import ROOT, arguments, busy_words, machine, markdown, others_busy, report

from semidml.scores.retrieval import map_at_r, recall_at
from semidml.scores.table import RECALL_AT

DIM, APART = 128, 0.7  # of the classes' centres, in deviations of a class and dimension
MOST = max(RECALL_AT)


def clustered(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(M, 128) single precision and labels (M,)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, rows)
    points = APART * rng.normal(size=(classes, DIM))[labels] + rng.normal(size=(rows, DIM))
    return points.astype(np.float32), labels


def distances(points: np.ndarray) -> np.ndarray:
    """Squared, of all pairs, infinite to itself: (M, M)."""
    squares = np.square(points).sum(1)
    matrix = points @ points.T
    matrix *= -2
    matrix += squares
    matrix += squares[:, None]
    np.fill_diagonal(matrix, np.inf)
    return matrix


def by_sort(matrix: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(matrix, axis=1)[:, :k]


def by_partition(matrix: np.ndarray, k: int) -> np.ndarray:
    near = np.argpartition(matrix, k - 1, axis=1)[:, :k]
    return np.take_along_axis(near, np.argsort(np.take_along_axis(matrix, near, 1), axis=1), 1)


Select = Callable[[np.ndarray, int], np.ndarray]


def full_recall(points: np.ndarray, labels: np.ndarray, select: Select) -> tuple[float, ...]:
    hits = labels[select(distances(points), MOST)] == labels[:, None]
    return tuple(float(hits[:, :k].any(1).mean()) for k in RECALL_AT)


def full_map(points: np.ndarray, labels: np.ndarray, select: Select) -> tuple[float, ...]:
    others = np.bincount(labels)[labels] - 1
    position = np.arange(1, others.max() + 1)
    hits = (labels[select(distances(points), others.max())] == labels[:, None]) & (position <= others[:, None])
    return (float(((hits.cumsum(1) / position * hits).sum(1) / others).mean()),)


def alone(what: str, rows: int, classes: int) -> tuple[float, float]:
    """Seconds of one of our scores in a process of its own, after a small call that loads what it needs, and the peak
    of that process's memory in megabytes, everything included."""
    code = (
        "import resource, sys, time; sys.path.insert(0, 'benchmarks'); import retrieval as r; import numpy as np;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024;"
        f"data = np.load(sys.argv[1]), np.load(sys.argv[2]); r.{what}(*r.clustered(500, 5));"
        f"began = time.perf_counter(); r.{what}(*data); print(time.perf_counter() - began, peak())"
    )
    with tempfile.TemporaryDirectory() as folder:  # to draw the rows there would raise the peak
        files = [f"{folder}/{name}.npy" for name in ("points", "labels")]
        for file, values in zip(files, clustered(rows, classes), strict=True):
            np.save(file, values)
        done = subprocess.run(
            [sys.executable, "-c", code, *files], cwd=ROOT, capture_output=True, text=True, check=True
        )
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


def main() -> None:
    asked = arguments(__doc__)
    rows, classes, count = (500, 10, 1) if asked.smoke else (10_000, 100, 3)
    many = 2_000 if asked.smoke else 60_000
    before = others_busy(asked.smoke)
    points, labels = clustered(rows, classes)
    ways: dict[str, dict[str, Callable[[], tuple[float, ...]]]] = {
        "recall": {
            "semidml": lambda: recall_at(points, labels),
            "argsort": lambda: full_recall(points, labels, by_sort),
            "argpartition": lambda: full_recall(points, labels, by_partition),
        },
        "map_at_r": {
            "semidml": lambda: (map_at_r(points, labels),),
            "argsort": lambda: full_map(points, labels, by_sort),
            "argpartition": lambda: full_map(points, labels, by_partition),
        },
    }
    numbers: dict = {"rows": rows, "dim": DIM, "classes": classes, "rounds": count, "many": many}
    table = []
    for score, its in ways.items():
        seconds: dict[str, list[float]] = {name: [] for name in its}
        found: dict[str, tuple[float, ...]] = {}
        for number in range(count + 1):  # the first is not counted
            for name, run in its.items():
                began = time.perf_counter()
                found[name] = run()
                if number:
                    seconds[name].append(time.perf_counter() - began)
        for name in ("argsort", "argpartition"):
            if not np.allclose(found[name], found["semidml"], atol=1e-3):  # theirs in single precision
                raise ValueError(f"{score} by {name} is {found[name]}, ours {found['semidml']}")
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        best = min("argsort", "argpartition", key=medians.__getitem__)
        ratio = statistics.median(b / a for a, b in zip(seconds["semidml"], seconds[best], strict=True))
        numbers[score] = {"seconds": medians, "numpy": best, "ratio": ratio, "value": found["semidml"]}
        title = "recall at 1, 2, 4, 8" if score == "recall" else "MAP@R"
        table.append([title, f"{medians['semidml']:.2f} s", f"{medians[best]:.2f} s ({best})", f"**{ratio:.1f}**"])
    lines = []
    for what, its_classes, title in (("recall_at", 100, "recall at 1, 2, 4, 8"), ("map_at_r", 10, "MAP@R")):
        spent, megabytes = alone(what, many, its_classes)
        numbers[f"many_{what}"] = {"seconds": spent, "peak_megabytes": megabytes, "classes": its_classes}
        lines.append(
            f"- {title} of {many:,} rows in {its_classes} classes: **{spent:.1f} s**, the process holds at most "
            f"{megabytes:,.0f} MB"
        )
    after = others_busy(asked.smoke)
    numbers["others_busy_cores"] = [before, after]
    text = "\n\n".join(
        [
            f"{rows:,} x {DIM}, {classes} classes, each row searched for among all others, medians of {count} "
            f"interleaved rounds; {machine()}. {busy_words(before, after)}",
            markdown(["score", "semidml", "full matrix, numpy", "times as fast"], table),
            "\n".join(lines),
        ]
    )
    report("retrieval", text, numbers, asked.write)


if __name__ == "__main__":
    main()
