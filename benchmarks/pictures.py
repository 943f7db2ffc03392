"""The README's pictures of Explore, Compare and Clustering without labels, taken from the app with the runs that ship,
and of Many at once with the sweep of its first question, which is trained for it.

    python benchmarks/pictures.py [--smoke]

--smoke takes them without waiting for what comes last, of a sweep of four short runs, and keeps none. Needs playwright
(PyPI) and a Chromium, as the browser tests do. The picture of Train is life.py's.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from common import PATIENCE, ROOT, arguments, chromium, markdown, press, report, served, visitor
from playwright.sync_api import Page, expect, sync_playwright

from semidml import presets
from semidml.sweeps.plan import Plan

PICTURES = ROOT / "benchmarks" / "pictures"
LAST, SMOKE = 4000, 100  # ms in which pictures beside the maps come; in a smoke run nothing is waited for
HEIGHTS = {"explore": 1000, "compare": 1150, "clusters": 1320, "many": 880}  # pixels; all are 1280 wide
FILM = "ten-places.gif"
SWEEP = presets.GRIDS[0]


def ready(page: Page, maps: int, rest: int) -> None:
    """All maps are drawn and stand still, and `rest` ms have passed in which pictures beside them come."""
    drawn = page.locator("canvas[data-drawn='1797'][data-gliding='false']")
    expect(drawn).to_have_count(maps, timeout=1000 * PATIENCE)
    page.wait_for_timeout(rest)


def explore(page: Page, url: str, rest: int) -> None:
    page.goto(f"{url}/Explore?run=digits-ten-places", wait_until="domcontentloaded")
    ready(page, 1, rest)
    press(page, page.get_by_text("Prior's density", exact=True))
    box = page.locator(".map canvas[data-drawn]").bounding_box()
    page.mouse.click(box["x"] + 0.62 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_timeout(rest)


def compare(page: Page, url: str, rest: int) -> None:
    page.goto(f"{url}/Compare?runs=digits-paper-prior,digits-ten-places", wait_until="domcontentloaded")
    ready(page, 3, rest)


def clusters(page: Page, url: str, rest: int) -> None:
    page.goto(f"{url}/Clusters?run=digits-best-clusters", wait_until="domcontentloaded")
    ready(page, 1, rest)
    press(page, page.get_by_text("t-SNE", exact=True))
    if rest > SMOKE:
        expect(page.get_by_text(re.compile("laid out by t-SNE")).first).to_be_visible(timeout=1000 * PATIENCE)
    ready(page, 1, rest)


def train(folder: str, rest: int) -> None:
    """The sweep of the first question, by the command line."""
    short = {"epochs": 1} if rest <= SMOKE else {}
    axes = {name: list(values[:2] if short else values) for name, values in SWEEP.axes.items()}
    seeds = [0] if short else list(range(SWEEP.seeds))
    plan = Plan.of({"name": SWEEP.name, "base": dict(SWEEP.values) | short, "axes": axes, "seeds": seeds})
    command = [sys.executable, *shlex.split(plan.command())[1:]]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"SEMIDML_SWEEPS": folder}, check=True, capture_output=True)


def many(page: Page, url: str, rest: int) -> None:
    page.goto(f"{url}/Many_at_once?sweep={SWEEP.name}&score=validation_component_ami", wait_until="domcontentloaded")
    expect(page.get_by_text(re.compile(r"of \d+ runs are done")).first).to_be_visible(timeout=1000 * PATIENCE)
    page.wait_for_timeout(2 * rest)


def film(file: Path) -> None:
    """The training of the run that shows ten places filling, by the command line."""
    command = [sys.executable, "-m", "semidml", "runs", "film", "digits-ten-places", "--out", str(file)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def take(folder: Path, rest: int) -> dict[str, int]:
    """Puts the pictures into that folder; the bytes of each."""
    with tempfile.TemporaryDirectory() as top, sync_playwright() as playwright:
        places = {"SEMIDML_RUNS": f"{top}/runs", "SEMIDML_SWEEPS": f"{top}/sweeps"}
        train(places["SEMIDML_SWEEPS"], rest)
        browser = chromium(playwright)
        page = visitor(browser)
        with served("app.py", **places) as (url, _):
            for show in (explore, compare, clusters, many):
                page.set_viewport_size({"width": 1280, "height": HEIGHTS[show.__name__]})
                show(page, url, rest)
                page.screenshot(path=str(folder / f"{show.__name__}.png"))
        browser.close()
    film(folder / FILM)
    return {name: (folder / name).stat().st_size for name in (*(f"{name}.png" for name in HEIGHTS), FILM)}


def main() -> None:
    asked = arguments(__doc__, table=False)
    with tempfile.TemporaryDirectory() as aside:
        sizes = take(Path(aside), rest=SMOKE) if asked.smoke else take(PICTURES, rest=LAST)
    text = markdown(["picture", "kB"], [[name, f"{size / 1000:,.0f}"] for name, size in sizes.items()])
    report("pictures", text, {"bytes": sizes})


if __name__ == "__main__":
    main()
