"""The README's pictures of Explore, Compare and Clustering without labels, taken from the app with the runs that ship.

    python benchmarks/pictures.py

Needs playwright (PyPI) and a Chromium, as the browser tests do. The picture of Train is life.py's.
"""

import re
import shutil
import tempfile

from life import FLAGS, PICTURE, app
from playwright.sync_api import Page, expect, sync_playwright


def ready(page: Page, maps: int) -> None:
    """All maps are drawn and stand still."""
    expect(page.locator("canvas[data-drawn='1797'][data-gliding='false']")).to_have_count(maps, timeout=60_000)
    page.wait_for_timeout(4000)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, app(folder) as (url, _):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"{url}/Explore?run=digits-ten-places", wait_until="domcontentloaded")
        ready(page, 1)
        page.get_by_text("Prior's density", exact=True).click()
        box = page.locator(".map canvas[data-drawn]").bounding_box()
        page.mouse.click(box["x"] + 0.62 * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(3000)
        page.screenshot(path=str(PICTURE.with_name("explore.png")))
        page.set_viewport_size({"width": 1280, "height": 1150})
        page.goto(f"{url}/Compare?runs=digits-paper-prior,digits-ten-places", wait_until="domcontentloaded")
        ready(page, 3)
        page.screenshot(path=str(PICTURE.with_name("compare.png")))
        page.set_viewport_size({"width": 1280, "height": 1320})
        page.goto(f"{url}/Clusters?run=digits-best-clusters", wait_until="domcontentloaded")
        ready(page, 1)
        page.get_by_role("button", name="Back to its knobs").click()
        ready(page, 1)
        page.get_by_text("t-SNE", exact=True).click()
        page.get_by_role("button", name=re.compile("Compute t-SNE")).click()
        expect(page.get_by_text(re.compile("laid out by t-SNE")).first).to_be_visible(timeout=60_000)
        ready(page, 1)
        page.screenshot(path=str(PICTURE.with_name("clusters.png")))
        browser.close()


if __name__ == "__main__":
    main()
