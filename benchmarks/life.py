"""Life on two cores, measured in Chromium: how long a visitor waits.

    python benchmarks/life.py [--quick] [--readme]

Starts the app with folders of its own, opens it, presses Train, moves a knob while nothing and while MNIST trains,
presses Stop. Needs playwright (PyPI) and a Chromium, as the browser tests do, and MNIST in SEMIDML_DATA.
"""

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common import ROOT, arguments, machine, markdown, report
from playwright.sync_api import Browser, Page, sync_playwright

from semidml.data import store

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-background-networking"]
PICTURE = ROOT / "benchmarks" / "pictures" / "train.png"  # the README's, of MNIST in training
FRAME = re.compile(r"^(Epoch|Before training|In epoch).* points")


@contextmanager
def app(folder: str) -> Iterator[tuple[str, float]]:
    """The running app: its address and the seconds until it answered."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true", f"--server.port={port}"]
    places = {"SEMIDML_RUNS": folder, "SEMIDML_DATA": str(store.data_folder())}
    began = time.perf_counter()
    server = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | places, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while time.perf_counter() - began < 60:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield url, time.perf_counter() - began
    finally:
        server.terminate()
        server.wait(10)


def took(act: Callable[[], object], until: Callable[[], object]) -> float:
    """Seconds from the act until what it should bring is there."""
    began = time.perf_counter()
    act()
    until()
    return time.perf_counter() - began


def cold_start(browser: Browser, folder: str) -> tuple[float, float]:
    """Seconds until a new server answers, and from then until a new visitor reads its first page."""
    with app(folder) as (url, answers):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        heading = page.get_by_role("heading", name="See a latent space form")
        first_page = took(lambda: page.goto(url, wait_until="domcontentloaded"), heading.wait_for)
        page.close()
    return answers, first_page


def open_train(page: Page, url: str, **knobs: object) -> None:
    page.goto(f"{url}/Train?" + "&".join(f"{k}={v}" for k, v in knobs.items()), wait_until="domcontentloaded")
    page.get_by_role("button", name=re.compile(r"\bTrain$")).wait_for()
    page.wait_for_timeout(1500)


def press_train(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"\bTrain$")).click()


# From the click inside the browser until the page says what it should: without the driver's own way to the button.
CLICK = """async ([name, said]) => {
  const buttons = [...document.querySelectorAll('button, [role=radio]')];
  const places = '[data-testid="stMarkdownContainer"] p, [data-testid="stCaptionContainer"] p';
  const there = () => [...document.querySelectorAll(places)];
  const began = performance.now();
  buttons.find((button) => button.textContent.trim().endsWith(name)).click();
  while (!there().some((words) => words.textContent.startsWith(said))) {
    if (performance.now() - began > 60000) throw new Error(`${name}: the page does not say ${said}`);
    await new Promise((go) => setTimeout(go, 5));
  }
  return (performance.now() - began) / 1000;
}"""


# The same from the click on "Show me" until the maps of a lesson's three runs are drawn, each in a shadow root.
REVEAL = """async () => {
  const maps = () => [...document.querySelectorAll('*')].map(
    (it) => it.shadowRoot && it.shadowRoot.querySelector('canvas[data-drawn="1797"]'));
  const drawn = () => maps().filter((it) => it && it.dataset.epoch !== '0').length; // not the one from before training
  const began = performance.now();
  [...document.querySelectorAll('button')].find((button) => button.textContent.trim() === 'Show me').click();
  while (drawn() < 3) {
    if (performance.now() - began > 60000) throw new Error(`${drawn()} of three maps are drawn`);
    await new Promise((go) => setTimeout(go, 5));
  }
  return (performance.now() - began) / 1000;
}"""


# The same for places of Explore's map that hold no point, until what is decoded there is shown, and for strokes on the
# pad, until the page says where the image lies.
ASK = """async ([kind, count]) => {
  const roots = [...document.querySelectorAll('*')].map((it) => it.shadowRoot).filter(Boolean);
  const wanted = {place: 'canvas[data-drawn]', drawing: '.pad canvas'}[kind];
  const canvas = roots.map((it) => it.querySelector(wanted)).find(Boolean);
  const map = roots.map((it) => it.querySelector('.map')).find((it) => it?.map)?.map;
  const [element, begins] = {place: ['p strong', 'The place'], drawing: ['p', 'It lies at']}[kind];
  const words = () => [...document.querySelectorAll(element)].map((it) => it.textContent);
  const said = () => words().find((it) => it.startsWith(begins));
  const picture = () => document.querySelector('figure img'); // what is decoded comes first
  const send = (type, x, y) => {
    const box = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {};
    canvas.dispatchEvent(new PointerEvent(type, {clientX: box.x + x, clientY: box.y + y, button: 0, pointerId: 1}));
  };
  const waits = [];
  while (waits.length < count) {
    const [x, y] = [60 + 140 * Math.random(), 30 + 160 * Math.random()];
    if (kind === 'place' && map.nearest({offsetX: x, offsetY: y}) >= 0) continue;
    const [before, its] = [said(), picture()?.src];
    const unseen = () => picture()?.src === its || !picture()?.complete;
    const waiting = () => said() === before || !said() || (kind === 'place' && unseen());
    if (kind === 'drawing') canvas.nextElementSibling.click(); // a pad that is full would say the same again
    send('pointerdown', x, y);
    if (kind === 'drawing') send('pointermove', 60 + 140 * Math.random(), 30 + 160 * Math.random());
    const began = performance.now();
    send('pointerup', x, y);
    while (waiting()) {
      if (performance.now() - began > 20000) throw new Error(`no answer to the ${kind} ${x}, ${y}`);
      await new Promise((go) => setTimeout(go, 4));
    }
    waits.push((performance.now() - began) / 1000);
    await new Promise((go) => setTimeout(go, 900));
  }
  return waits;
}"""


# When the map of Train shows an epoch for the first time, by the clock that files' times are of.
SHOWN = """async (seconds) => {
  const roots = [...document.querySelectorAll('*')].map((it) => it.shadowRoot).filter(Boolean);
  const canvas = roots.map((it) => it.querySelector('canvas[data-drawn]')).find(Boolean);
  const shown = {[canvas.dataset.epoch]: null}; // since when is not known
  const until = performance.now() + 1000 * seconds;
  while (performance.now() < until) {
    if (!(canvas.dataset.epoch in shown)) shown[canvas.dataset.epoch] = Date.now() / 1000;
    await new Promise((go) => setTimeout(go, 10));
  }
  return shown;
}"""


def asked_times(browser: Browser, url: str, count: int) -> tuple[list[float], list[float]]:
    """Seconds from a click on an empty place to the picture of what is decoded there, and from a stroke's end to its
    place."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.goto(f"{url}/Explore?run=digits-dml-ae-60-labels", wait_until="domcontentloaded")
    page.get_by_text("1,797 points").first.wait_for()
    page.get_by_test_id("stButtonGroup").get_by_text("Your own image", exact=True).click()
    page.locator(".pad canvas").wait_for()
    page.wait_for_timeout(3000)
    drawn = page.evaluate(ASK, ["drawing", count + 1])[1:]  # the first loads the model
    page.wait_for_timeout(1000)
    places = page.evaluate(ASK, ["place", count + 1])[1:]
    page.close()
    return places, drawn


def lag(page: Page, folder: str, seconds: float) -> list[float]:
    """Seconds from a frame on the disk to its points on the map, of the epochs that end while one looks."""
    shown = page.evaluate(SHOWN, seconds)
    newest = max((it for it in Path(folder).iterdir() if (it / "frames").is_dir()), key=lambda it: it.stat().st_ctime)
    files = {epoch: newest / "frames" / f"{int(epoch):04d}.npz" for epoch, since in shown.items() if since}
    return [shown[epoch] - file.stat().st_mtime for epoch, file in files.items() if file.exists()]


def reveal(browser: Browser, url: str) -> float:
    """Seconds from a new visitor's "Show me" until the runs of a lesson are drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.goto(f"{url}/Places", wait_until="domcontentloaded")
    page.get_by_text("one small heap").click()
    page.wait_for_function(
        "[...document.querySelectorAll('button')].some((it) => it.textContent.trim() === 'Show me' && !it.disabled)"
    )
    page.wait_for_timeout(1000)
    seconds = page.evaluate(REVEAL)
    page.close()
    return seconds


def reruns(page: Page, count: int) -> list[float]:
    """Seconds of a rerun of Train: the switch of the model, until the page has described the other one."""
    waits = []
    for _ in range(count):
        for switch, described in (("No decoder", "Plain deep metric learning:"), ("Decoder", "DML autoencoder:")):
            waits.append(page.evaluate(CLICK, [switch, described]))
            page.wait_for_timeout(700)
    return waits


def measure(quick: bool) -> dict[str, float]:
    """Seconds, by what was waited for."""
    found: dict[str, float] = {}
    starts, reruns_each = (1, 1) if quick else (5, 10)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        answers, first_pages = zip(*(cold_start(browser, folder) for _ in range(starts)), strict=True)
        found["the server answers (median)"] = statistics.median(answers)
        found["first page of a cold app (median)"] = statistics.median(first_pages)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60_000)
        with app(folder) as (url, _):
            page.goto(url, wait_until="domcontentloaded")
            page.wait_for_timeout(20_000)  # the worker imports torch and warms up
            found["a lesson's runs revealed (median)"] = statistics.median(reveal(browser, url) for _ in range(starts))
            places, drawn = asked_times(browser, url, reruns_each)
            found["a click on an empty place decoded (median)"] = statistics.median(places)
            found["a drawn digit placed (median)"] = statistics.median(drawn)
            waits, stops = [], []
            for seed in range(starts):
                open_train(page, url, data="digits", epochs=400, seed=seed)
                waits.append(took(lambda: press_train(page), lambda: new_run_drawn(page)))
                page.wait_for_timeout(1000)
                stops.append(page.evaluate(CLICK, ["Stop", "Stopped"]))
            found["stop (median)"] = statistics.median(stops)
            found["click to first live frame, warm worker (median)"] = statistics.median(waits)
            open_train(page, url, data="mnist", epochs=500)
            idle = reruns(page, reruns_each)
            press_train(page)
            page.get_by_text(re.compile("^Training: epoch")).first.wait_for()
            page.wait_for_timeout(5000)
            busy = reruns(page, reruns_each)
            page.screenshot(path=str(PICTURE))
            lags = lag(page, folder, 10 if quick else 40)
            found["a frame of MNIST in training to the map (median)"] = statistics.median(lags)
            found["the same, longest"] = max(lags)
            found["page rerun, idle (median)"] = statistics.median(idle)
            found["page rerun, MNIST training (median)"] = statistics.median(busy)
        browser.close()
    return found


def new_run_drawn(page: Page) -> None:
    """Wait for the picture of the run just started, not of the one before: the page then says that it trains."""
    page.get_by_text(re.compile("^Training: epoch")).first.wait_for()
    page.get_by_text(FRAME).first.wait_for()


def main() -> None:
    asked = arguments(__doc__)
    found = measure(asked.quick)
    ratio = found["page rerun, MNIST training (median)"] / found["page rerun, idle (median)"]
    rows = [[name, f"{seconds:.2f} s"] for name, seconds in found.items()]
    rows.append(["rerun while training / idle", f"{ratio:.2f}"])
    text = f"One visitor in headless Chromium; {machine()}.\n\n" + markdown(["waiting for", "time"], rows)
    report("life", text, found | {"rerun_ratio": ratio}, asked.readme)


if __name__ == "__main__":
    main()
