"""What the benchmarks share: runs that are measured once and kept, tables for the README, a line about the machine."""

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # a script's own folder is on the path, the project is not
RESULTS = ROOT / "benchmarks" / "results"


def arguments(about: str) -> argparse.Namespace:
    """--quick, --readme and whatever every benchmark takes."""
    ask = argparse.ArgumentParser(description=about)
    ask.add_argument("--quick", action="store_true", help="a small form, in seconds, that shows that it runs")
    ask.add_argument("--readme", action="store_true", help="write the table into README.md")
    return ask.parse_args()


def machine() -> str:
    """The machine in words: processor, cores, torch, date."""
    import torch

    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return f"{name}, {os.cpu_count()} cores{gpu}, torch {torch.__version__.partition('+')[0]}, {datetime.date.today()}"


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def spread(values: Iterable[float | None], digits: int = 3) -> str:
    """Mean and sample standard deviation as `.958 ± .002`; the mean alone of a single value; a dash of none."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean = f"{statistics.mean(known):.{digits}f}".removeprefix("0")
    return mean if len(known) == 1 else f"{mean} ± {statistics.stdev(known):.{digits}f}".replace("± 0.", "± .")


def interval(differences: list[float]) -> str:
    """Mean of paired differences with its 95 % interval (Student's t)."""
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.3f}"
    from scipy.stats import t

    half = t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def report(name: str, text: str, numbers: dict, into_readme: bool) -> None:
    """Prints the text and, as the last line, the numbers as JSON; writes the text between the README's markers of
    that name.
    """
    if into_readme:
        file = ROOT / "README.md"
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = file.read_text().partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"README.md has no place for the table: {begin} ... {end}")
        file.write_text(f"{before}{begin}\n{text}\n{end}{after}")
    print(text)
    print(json.dumps({"benchmark": name, "machine": machine(), **numbers}))


class Kept:
    """Results by key in a file of JSON lines, each with the machine it is of, so that a benchmark that was interrupted
    goes on where it was, perhaps elsewhere."""

    def __init__(self, file: Path):
        self.file = file
        lines = file.read_text().splitlines() if file.exists() else []
        found = [json.loads(line) for line in lines]
        self.known = {line["key"]: line["result"] for line in found}
        self.machines = {line["key"]: line.get("machine") for line in found}

    def get(self, key: str, measure: Callable[[], dict]) -> dict:
        """The result of that key, measured now if it is not known."""
        if key not in self.known:
            self.known[key], self.machines[key] = measure(), machine()
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as out:
                line = {"key": key, "machine": self.machines[key], "result": self.known[key]}
                out.write(json.dumps(line) + "\n")
        return self.known[key]

    def measured_on(self, part: str = "") -> str:
        """The machines, in words, of the results whose key has that part."""
        names = {name or "a machine not noted" for key, name in self.machines.items() if part in key}
        return "; ".join(sorted(names))


def key(values: dict) -> str:
    """A run as text: its knobs in order."""
    return " ".join(f"{name}={values[name]}" for name in sorted(values))


def run_all(wanted: list[dict], kept: "Kept", measure: Callable[[dict], dict]) -> None:
    """Measures what is not known yet, two runs at a time."""
    missing = {key(values): values for values in wanted if key(values) not in kept.known}
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        for name, result in zip(missing, pool.map(measure, missing.values()), strict=True):
            kept.get(name, lambda result=result: result)
            print(name, {k: round(v, 4) for k, v in result.items() if isinstance(v, float)}, flush=True)
