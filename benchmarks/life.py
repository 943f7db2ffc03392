"""Life on two cores, measured in Chromium: how long a visitor waits.

    python benchmarks/life.py [--smoke | --write]

Starts the app with folders of its own, opens it, presses Train, moves a knob while nothing and while MNIST trains,
presses Stop. Needs playwright (PyPI) and a Chromium, as the browser tests do, and MNIST in SEMIDML_DATA; a smoke run
trains the digits. Waits for what it needs, on a busy machine for PATIENCE seconds, and then says what did not come.
"""

import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import (
    PATIENCE,
    ROOT,
    arguments,
    busy_words,
    chromium,
    machine,
    markdown,
    others_busy,
    press,
    report,
    script,
    served,
    visitor,
)
from playwright.sync_api import Browser, Page, expect, sync_playwright

from semidml.data import store

PICTURE = ROOT / "benchmarks" / "pictures" / "train.png"  # the README's, of MNIST in training


class Form(NamedTuple):
    """How much is measured."""

    knobs: dict[str, object]  # of what trains while the model's switch is moved
    starts: int  # of the app, of lessons, of runs
    asks: int  # clicks, strokes and turns of the switch
    frames: int  # whose way to the map is timed
    uncounted: int  # first ones, which load what the others find loaded: the worker's torch, the model that answers
    pause: int  # ms, from an answer to the next question


WHOLE = Form({"data": "mnist"}, starts=5, asks=10, frames=10, uncounted=1, pause=900)
SMOKE = Form({"data": "digits", "batch_size": 16}, starts=1, asks=1, frames=2, uncounted=0, pause=100)


# ---- what is timed inside the browser, without the driver's own way to the button


# From the click until the page says what it should.
CLICK = script("""
  const [name, said] = given;
  const places = '[data-testid="stMarkdownContainer"] p, [data-testid="stCaptionContainer"] p';
  const says = () => [...document.querySelectorAll(places)].some((words) => words.textContent.startsWith(said));
  const its = (it) => it.textContent.trim().endsWith(name) && !it.disabled;
  const buttons = () => [...document.querySelectorAll('button, [role=radio]')];
  const button = await until(() => buttons().find(its), `a button ${name}`);
  await until(() => !says(), `a page that does not say ${said} before ${name} is pressed`);
  const began = performance.now();
  button.click();
  await until(says, `what ${name} brings, a page that says ${said},`);
  return (performance.now() - began) / 1000;
""")


# From the click on "Train" until the page says that it trains and what the picture of that run shows.
LIVE = script("""
  const says = (pattern) => [...document.querySelectorAll('p')].some((words) => pattern.test(words.textContent));
  const its = (it) => it.textContent.trim().endsWith('Train') && !it.disabled; // an icon's name stands before it
  const button = await until(() => [...document.querySelectorAll('button')].find(its), 'the button Train');
  await until(() => !says(/^Training: epoch/), 'a page on which nothing trains');
  const began = performance.now();
  button.click();
  await until(() => says(/^Training: epoch/), 'a page that says that it trains');
  await until(() => says(/^(Epoch|Before training|In epoch).* points/), 'the first frame of the run');
  await until(() => inside('canvas[data-drawn]'), 'the map of the run');
  return (performance.now() - began) / 1000;
""")


# From the click on "Show me" until the maps of a lesson's three runs are drawn, each in a shadow root.
REVEAL = script("""
  const maps = () => roots().map((it) => it.querySelector('canvas[data-drawn="1797"]')).filter(Boolean);
  const drawn = () => maps().filter((it) => it.dataset.epoch !== '0').length; // not the one from before training
  const its = (it) => it.textContent.trim() === 'Show me' && !it.disabled;
  const button = await until(() => [...document.querySelectorAll('button')].find(its), 'the button Show me');
  const began = performance.now();
  button.click();
  await until(() => drawn() >= 3, 'the third map of the lesson');
  return (performance.now() - began) / 1000;
""")


# For places of Explore's map that hold no point, until what is decoded there is shown, and for strokes on the pad,
# until the page says where the image lies.
ASK = script("""
  const [kind, count, pause] = given;
  const wanted = {place: 'canvas[data-drawn]', drawing: '.pad canvas'}[kind];
  const [element, begins] = {place: ['h2', 'The place'], drawing: ['p', 'It lies at']}[kind];
  const said = () => [...document.querySelectorAll(element)].map((it) => it.textContent)
    .find((it) => it.startsWith(begins));
  const picture = () => document.querySelector('figure img'); // what is decoded comes first
  const map = () => inside('.map')?.map;
  const send = (canvas, type, x, y) => {
    const box = canvas.getBoundingClientRect();
    canvas.setPointerCapture = () => {};
    canvas.dispatchEvent(new PointerEvent(type, {clientX: box.x + x, clientY: box.y + y, button: 0, pointerId: 1}));
  };
  const anywhere = () => [60 + 140 * Math.random(), 30 + 160 * Math.random()];
  const empty = () => {
    const [x, y] = anywhere();
    return map()?.nearest({offsetX: x, offsetY: y}) < 0 && [x, y];
  };
  const waits = [];
  while (waits.length < count) {
    const canvas = await until(() => inside(wanted), `a canvas for a ${kind}`);
    const [x, y] = kind === 'place' ? await until(empty, 'a place without a point') : anywhere();
    const [before, its] = [said(), picture()?.src];
    const unseen = () => picture()?.src === its || !picture()?.complete;
    const waiting = () => said() === before || !said() || (kind === 'place' && unseen());
    if (kind === 'drawing') canvas.nextElementSibling.click(); // a pad that is full would say the same again
    send(canvas, 'pointerdown', x, y);
    if (kind === 'drawing') send(canvas, 'pointermove', ...anywhere());
    const began = performance.now();
    send(canvas, 'pointerup', x, y);
    await until(() => !waiting(), `an answer to the ${kind} ${x}, ${y}`, 4);
    waits.push((performance.now() - began) / 1000);
    await new Promise((go) => setTimeout(go, pause));
  }
  return waits;
""")


# When the map of Train shows so many further epochs for the first time, by the clock that files' times are of.
SHOWN = script("""
  let canvas;
  const epoch = () => {
    if (!canvas?.isConnected) canvas = inside('canvas[data-drawn]'); // a page that is drawn anew has another
    return canvas?.dataset.epoch;
  };
  const shown = {[await until(epoch, 'the map of the run in training')]: null}; // since when is not known
  for (let count = 0; count < given; count++) {
    const next = await until(() => epoch() && !(epoch() in shown) && epoch(), 'the next epoch on the map');
    shown[next] = Date.now() / 1000;
  }
  return shown;
""")


def first_page(browser: Browser, url: str) -> float:
    """Seconds until a new visitor reads the first page."""
    page = visitor(browser)
    began = time.perf_counter()
    page.goto(url, wait_until="domcontentloaded")
    page.get_by_role("heading", name="See a latent space form").wait_for()
    seconds = time.perf_counter() - began
    page.close()
    return seconds


def open_train(page: Page, url: str, **knobs: object) -> None:
    page.goto(f"{url}/Train?" + "&".join(f"{k}={v}" for k, v in knobs.items()), wait_until="domcontentloaded")
    page.get_by_role("button", name=re.compile(r"\bTrain$")).wait_for()
    page.wait_for_timeout(1500)


def asked_times(browser: Browser, url: str, form: Form) -> tuple[list[float], list[float]]:
    """Seconds from a click on an empty place to the picture of what is decoded there, and from a stroke's end to its
    place."""
    page = visitor(browser, height=1400)
    page.goto(f"{url}/Explore?run=digits-dml-ae-60-labels", wait_until="domcontentloaded")
    page.get_by_text("1,797 points").first.wait_for()
    press(page, page.get_by_test_id("stButtonGroup").get_by_text("Your own image", exact=True))
    page.locator(".pad canvas").wait_for()
    page.wait_for_timeout(3 * form.pause)
    count = form.asks + form.uncounted
    drawn = page.evaluate(ASK, ["drawing", count, form.pause])
    page.wait_for_timeout(form.pause)
    places = page.evaluate(ASK, ["place", count, form.pause])
    page.close()
    return places[form.uncounted :], drawn[form.uncounted :]


def lag(page: Page, folder: str, frames: int) -> list[float]:
    """Seconds from a frame on the disk to its points on the map, of the next epochs that end. Raises RuntimeError where
    the run has written none of these frames."""
    newest = max((it for it in Path(folder).iterdir() if (it / "frames").is_dir()), key=lambda it: it.stat().st_ctime)
    with written_frames(newest / "frames") as written:
        shown = page.evaluate(SHOWN, frames)
    lags = [since - written[int(epoch)] for epoch, since in shown.items() if since and int(epoch) in written]
    if not lags:
        raise RuntimeError(f"of the epochs {', '.join(shown)}, which the map has shown, {newest} has written no frame")
    return lags


@contextmanager
def written_frames(folder: Path) -> Iterator[dict[int, float]]:
    """When the first frame of each epoch was written, by epoch, while the block lasts, be it of the epoch's end, which
    a run soon thins away, or of the middle of the next one, which the next such frame replaces."""
    written: dict[int, float] = {}
    ended = threading.Event()
    live, seen = folder / "live.npz", 0.0

    def watch() -> None:
        nonlocal seen
        while not ended.wait(0.02):
            for file in folder.glob("[0-9]*.npz"):
                with suppress(FileNotFoundError):
                    written.setdefault(int(file.stem), file.stat().st_mtime)
            with suppress(FileNotFoundError):
                if (changed := live.stat().st_mtime) != seen:
                    with np.load(live, allow_pickle=False) as arrays:
                        written.setdefault(int(arrays["epoch"]), changed)
                    seen = changed

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield written
    finally:
        ended.set()
        watcher.join()


def reveal(browser: Browser, url: str) -> float:
    """Seconds from a new visitor's "Show me" until the runs of a lesson are drawn."""
    page = visitor(browser)
    page.goto(f"{url}/Places", wait_until="domcontentloaded")
    page.get_by_text("one small heap").click()
    expect(page.get_by_role("button", name="Show me")).to_be_enabled(timeout=1000 * PATIENCE)
    page.wait_for_timeout(1000)
    seconds = page.evaluate(REVEAL)
    page.close()
    return seconds


def reruns(page: Page, form: Form) -> list[float]:
    """Seconds of a rerun of Train: the switch of the model, until the page has described the other one."""
    waits = []
    for _ in range(form.asks):
        for switch, described in (("No decoder", "Plain deep metric learning:"), ("Decoder", "DML autoencoder:")):
            waits.append(page.evaluate(CLICK, [switch, described]))
            page.wait_for_timeout(form.pause)
    return waits


def measure(form: Form, picture: Path) -> dict[str, list[float]]:
    """Seconds, by what was waited for. `picture` is where the page with a run in training is kept."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        places = {"SEMIDML_RUNS": folder, "SEMIDML_DATA": str(store.data_folder())}
        browser = chromium(playwright)
        answered, firsts = found["the server answers"], found["first page of a cold app"] = [], []
        for _ in range(form.starts - 1):
            with served("app.py", **places) as (url, seconds):
                answered.append(seconds)
                firsts.append(first_page(browser, url))
        with served("app.py", **places) as (url, seconds):
            answered.append(seconds)
            firsts.append(first_page(browser, url))
            page = visitor(browser)
            waits, stops = [], []  # first, so that torch is there, in the app and its worker, for what follows
            for seed in range(form.starts + form.uncounted):
                open_train(page, url, data="digits", epochs=10_000, seed=seed)
                waits.append(page.evaluate(LIVE))
                page.wait_for_timeout(1000)
                stops.append(page.evaluate(CLICK, ["Stop", "Stopped"]))
            found["stop"] = stops[form.uncounted :]
            found["click to first live frame, warm worker"] = waits[form.uncounted :]
            found["a lesson's runs revealed"] = [reveal(browser, url) for _ in range(form.starts)]
            found["a click on an empty place decoded"], found["a drawn digit placed"] = asked_times(browser, url, form)
            open_train(page, url, epochs=10_000, **form.knobs)
            idle = reruns(page, form)
            page.evaluate(LIVE)
            page.wait_for_timeout(5 * form.pause)
            busy = reruns(page, form)
            page.screenshot(path=str(picture))
            found["a frame of MNIST in training to the map"] = lag(page, folder, form.frames)
            found["page rerun, idle"] = idle
            found["page rerun, MNIST training"] = busy
        browser.close()
    return found


def main() -> None:
    asked = arguments(__doc__)
    before = others_busy(asked.smoke)
    with tempfile.TemporaryDirectory() as aside:
        found = measure(SMOKE, Path(aside) / PICTURE.name) if asked.smoke else measure(WHOLE, PICTURE)
    after = others_busy(asked.smoke)
    medians = {name: statistics.median(seconds) for name, seconds in found.items()}
    ratio = medians["page rerun, MNIST training"] / medians["page rerun, idle"]
    rows = [[name, len(seconds), f"{medians[name]:.2f} s", f"{max(seconds):.2f} s"] for name, seconds in found.items()]
    rows.append(["rerun while training / idle", "", f"{ratio:.2f}", ""])
    text = f"One visitor in headless Chromium; {machine()}. {busy_words(before, after)}\n\n" + markdown(
        ["waiting for", "times", "median", "longest"], rows
    )
    longest = {name: max(seconds) for name, seconds in found.items()}
    numbers = {"medians": medians, "longest": longest, "rerun_ratio": ratio, "others_busy_cores": [before, after]}
    report("life", text, numbers, asked.write)


if __name__ == "__main__":
    main()
