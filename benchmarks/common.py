"""What the benchmarks share: runs that are measured once and kept, tables for RESULTS.md, a line about the machine,
pages that are served and a Chromium that looks at them."""

import argparse
import datetime
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # a script's own folder is on the path, the project is not
RESULTS = ROOT / "benchmarks" / "results"
TABLES = ROOT / "benchmarks" / "RESULTS.md"
SINGLE = {"precision": "float32"}  # of every run whose scores are in a table, but for those of precision.py
PATIENCE = 180  # seconds that a busy machine may take for what comes within three on a quiet one
FLAGS = ("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking")


def arguments(about: str, table: bool = True, **counts: str) -> argparse.Namespace:
    """What every benchmark takes: --smoke or, where it has a table, --write; and further options that take a count,
    by their name, each with what it does in words."""
    ask = argparse.ArgumentParser(description=about)
    one = ask.add_mutually_exclusive_group()
    one.add_argument("--smoke", action="store_true", help="a small form, in seconds, that shows that it runs; no file")
    if table:
        one.add_argument("--write", action="store_true", help="write the table into benchmarks/RESULTS.md")
    for name, words in counts.items():
        ask.add_argument(f"--{name}", type=int, metavar="N", help=words)
    ask.set_defaults(write=False)
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


def others_busy(smoke: bool = False) -> float | None:
    """Cores of this machine that are busy while this process waits a second, or a little in a smoke run: what others
    take, and a measurement then lacks. None where the system doesn't say."""
    file = Path("/proc/stat")
    if not file.exists():
        return None

    def ticks() -> list[int]:  # user, nice, system, idle, waiting for a disk, interrupts (2), taken by other machines
        return [int(word) for word in file.read_text().split("\n", 1)[0].split()[1:9]]

    before = ticks()
    time.sleep(0.05 if smoke else 1.0)
    spent = [after - first for after, first in zip(ticks(), before, strict=True)]
    return (os.cpu_count() or 1) * (1 - (spent[3] + spent[4]) / max(1, sum(spent)))


def busy_words(before: float | None, after: float | None) -> str:
    """What `others_busy` gave before and after a measurement, as a sentence."""
    if before is None or after is None:
        return "How busy others kept the machine is not known."
    return f"Others kept {before:.1f} of {os.cpu_count()} cores busy before the measurement and {after:.1f} after it."


def spread(values: Iterable[float | None], digits: int = 3) -> str:
    """Mean and sample standard deviation as `.958 ± .002`; the mean alone of a single value; a dash of none."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean = f"{statistics.mean(known):.{digits}f}".removeprefix("0")
    return mean if len(known) == 1 else f"{mean} ± {statistics.stdev(known):.{digits}f}".replace("± 0.", "± .")


def interval(differences: list[float], digits: int = 3) -> str:
    """Mean of paired differences with its 95 % interval (Student's t)."""
    mean = statistics.mean(differences)
    if len(differences) < 2:
        return f"{mean:+.{digits}f}"
    from scipy.stats import t

    half = t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.{digits}f} [{mean - half:+.{digits}f}, {mean + half:+.{digits}f}]"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def report(name: str, text: str, numbers: dict, write: bool = False) -> None:
    """Prints the text and, as the last line, the numbers as JSON; writes the text, if asked to, between the marks of
    that name in RESULTS.md. Raises ValueError where there are none."""
    if write:
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = TABLES.read_text().partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{TABLES.name} has no place for the table: {begin} ... {end}")
        TABLES.write_text(f"{before}{begin}\n{text}\n{end}{after}")
    print(text)
    print(json.dumps({"benchmark": name, "machine": machine(), **numbers}))


class Kept:
    """Results by key in a file of JSON lines, each with the machine it is of, so that a benchmark that was interrupted
    goes on where it was, perhaps elsewhere. Without a file, in a smoke run, they are kept in memory only."""

    def __init__(self, file: Path | None):
        self.file = file
        lines = file.read_text().splitlines() if file is not None and file.exists() else []
        found = [json.loads(line) for line in lines]
        self.known = {line["key"]: line["result"] for line in found}
        self.machines = {line["key"]: line.get("machine") for line in found}

    def get(self, key: str, measure: Callable[[], dict]) -> dict:
        """The result of that key, measured now if it is not known."""
        if key not in self.known:
            self.known[key], self.machines[key] = measure(), machine()
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                with self.file.open("a") as out:
                    line = {"key": key, "machine": self.machines[key], "result": self.known[key]}
                    out.write(json.dumps(line) + "\n")
        return self.known[key]

    @property
    def threads(self) -> int:
        """torch's threads of a run that has the machine alone: one on every core; in a smoke run one, since many wait
        long for one another where others keep the cores busy."""
        return 1 if self.file is None else os.cpu_count() or 1

    def alone(self, values: dict, measure: Callable[[dict, int], dict]) -> dict:
        """The result of a run once more with nothing beside it, for its seconds; of a smoke run its only one."""
        if self.file is None:
            return self.known[key(values)]
        return self.get(f"alone: {key(values)}", lambda: measure(values, self.threads))

    def measured_on(self, part: str = "") -> str:
        """The machines, in words, of the results whose key has that part."""
        names = {name or "a machine not noted" for key, name in self.machines.items() if part in key}
        return "; ".join(sorted(names))


def results_of(name: str, smoke: bool) -> Kept:
    """The results of the benchmark of that name; of a smoke run none but its own."""
    return Kept(None if smoke else RESULTS / f"{name}.jsonl")


def key(values: dict) -> str:
    """A run as text: its knobs in order."""
    return " ".join(f"{name}={values[name]}" for name in sorted(values))


def run_all(wanted: list[dict], kept: Kept, measure: Callable[[dict], dict]) -> None:
    """Measures what is not known yet, two runs at a time; of a smoke run one after the other in this process, since to
    load torch in others takes longer than its runs do."""
    missing = {key(values): values for values in wanted if key(values) not in kept.known}
    if kept.file is None:
        for name, values in missing.items():
            told(name, kept.get(name, lambda values=values: measure(values)))
        return
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        for name, result in zip(missing, pool.map(measure, missing.values()), strict=True):
            told(name, kept.get(name, lambda result=result: result))


def told(name: str, result: dict) -> None:
    print(name, {k: round(v, 4) for k, v in result.items() if isinstance(v, float)}, flush=True)


# ---- pages


@contextmanager
def served(script: str, **places: str) -> Iterator[tuple[str, float]]:
    """A page run by Streamlit on a free port, with these environment variables: its address and the seconds until it
    answered. Raises RuntimeError with the server's last words where that is not within PATIENCE seconds; prints them
    where it ends before it is told to."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true", f"--server.port={port}"]
    command += ["--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile("w+") as log:
        began = time.perf_counter()
        server = subprocess.Popen(command, cwd=ROOT, env=os.environ | places, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not answers(url):
                seconds = time.perf_counter() - began
                if server.poll() is not None or seconds > PATIENCE:
                    log.seek(0)
                    raise RuntimeError(f"{script} was not served after {seconds:.0f} s:\n{log.read()[-3000:]}")
                time.sleep(0.02)
            yield url, time.perf_counter() - began
        finally:
            if server.poll() is not None:
                log.seek(0)
                print(f"{script} ended by itself ({server.returncode}):\n{log.read()[-3000:]}", file=sys.stderr)
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
    except OSError:
        return False
    return True


def chromium(playwright: "Playwright", *flags: str) -> "Browser":
    """The system's Chromium, or its shell without windows where that is all there is, or Playwright's own."""
    system = shutil.which("chromium") or shutil.which("chromium-headless-shell")
    return playwright.chromium.launch(executable_path=system, args=[*FLAGS, *flags])


def visitor(browser: "Browser", height: int = 1000) -> "Page":
    """A new tab, 1280 pixels wide, that waits patiently for whatever it waits for."""
    page = browser.new_page(viewport={"width": 1280, "height": height})
    page.set_default_timeout(1000 * PATIENCE)
    return page


def press(page: "Page", one: "Locator") -> None:
    """Clicks it on a page that stands still: while one is drawn anew, old parts stand beside the new ones."""
    page.wait_for_timeout(300)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    one.first.click()


def script(body: str) -> str:
    """JavaScript for `page.evaluate`, a function of `given`, in which `await until(found, what)` gives what found()
    gives as soon as that is something, and throws an error in words when it does not come."""
    return (
        f"""async (given) => {{
  const until = async (found, what, pause = 5) => {{
    const began = performance.now();
    for (let it = found(); ; it = found()) {{
      if (it) return it;
      if (performance.now() - began > {1000 * PATIENCE}) throw new Error(`${{what}} did not come in {PATIENCE} s`);
      await new Promise((go) => setTimeout(go, pause));
    }}
  }};
  const roots = () => [...document.querySelectorAll('*')].map((it) => it.shadowRoot).filter(Boolean);
  const inside = (wanted) => roots().map((it) => it.querySelector(wanted)).find(Boolean);
"""
        + body
        + "}"
    )
