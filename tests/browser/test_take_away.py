"""What leaves: a page that plays from a file alone, and what Explore, Compare and a lesson hand out."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from semidml.figures import page as pages
from semidml.lessons import LESSONS
from semidml.runs import listing

PLACE = """root => {
    const {map} = root, {left, top, scale, width, height} = map.view.window(), {x, y} = map.cloud;
    const within = i => Math.abs((x[i] - left) * scale - width / 2) < width / 3
        && Math.abs((top - y[i]) * scale - height / 2) < height / 3;
    const i = Array.from(x, (_, k) => k).find(within), [atX, atY] = map.cloud.placeOf(i);
    const box = map.over.getBoundingClientRect();
    return [i, box.x + 40 + (atX - left) * scale, box.y + (top - atY) * scale];
}"""


@pytest.fixture
def alone(browser, tmp_path: Path) -> Iterator:
    """Opens a file in a browser that has no network; everything that is asked for is noted, and the test fails if that
    is anything but the file, or if the page complained."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce", offline=True)
    tab = context.new_page()
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    file = tmp_path / "taken.html"

    def open_file(content: bytes) -> Page:
        file.write_bytes(content)
        tab.goto(file.as_uri())
        expect(tab.locator("html[data-plays]")).to_be_attached()
        return tab

    yield open_file
    context.close()
    assert (asked, said) == ([file.as_uri()], [])


def test_a_run_plays_from_a_file(alone) -> None:
    run = listing.open_run("digits-ten-places")
    tab = alone(pages.run_page(run))
    over = tab.locator("canvas[data-drawn='1797']")
    expect(over).to_have_attribute("data-epoch", "30")
    expect(tab.locator("tr.now th")).to_have_text("30")
    root = tab.locator(".map")
    i, x, y = root.evaluate(PLACE)
    tab.mouse.move(x, y)
    rows = run.rows()
    split = ("training", "test")[rows["split"][i]]
    row = f"{split} row {rows['row'][i]:,} · class {rows['labels'][i]} · predicted {run.frame(30).predictions[i]}"
    expect(tab.locator(".told")).to_have_text(row)
    expect(tab.locator(".tip canvas")).to_be_visible()  # its image
    tab.mouse.click(x, y)
    assert root.evaluate("root => root.map.frame.marked") == [i]

    tab.get_by_role("slider", name="Epoch on the map").fill("0")
    expect(over).to_have_attribute("data-epoch", "0")
    expect(tab.locator("tr.now th")).to_have_text("0")
    expect(tab.get_by_text("epoch 0 of 30 · kNN 31.4 %")).to_be_visible()
    expect(tab.locator(".run")).to_have_attribute("data-frame", "0")  # with its own components
    assert root.evaluate("root => root.map.frame.marked") == [i]
    tab.get_by_role("button", name="Play").click()
    expect(over).to_have_attribute("data-epoch", "30")
    tab.set_viewport_size({"width": 390, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_compared_maps_are_linked_in_a_file(alone) -> None:
    runs = [listing.open_run(name) for name in ("digits-paper-prior", "digits-ten-places")]
    tab = alone(pages.comparison_page(runs))
    expect(tab.locator("canvas[data-drawn='1797']")).to_have_count(2)
    second = tab.locator(".map").nth(1)
    i, x, y = second.evaluate(PLACE)
    tab.mouse.click(x, y)
    for number in (0, 1):
        assert tab.locator(".map").nth(number).evaluate("root => root.map.frame.marked") == [i]


def test_a_lesson_in_a_file_asks_before_it_shows(alone) -> None:
    lesson = LESSONS["places"]
    tab = alone(pages.lesson_page(lesson))
    expect(tab.locator(".map").first).to_be_hidden()
    tab.get_by_label(lesson.prediction.choices[lesson.prediction.right]).check()
    tab.get_by_role("button", name="Show me").click()
    expect(tab.get_by_text("So it is:")).to_be_visible()
    expect(tab.locator("canvas[data-drawn='1797']")).to_have_count(3)
    expect(tab.locator(".map .room").first).to_be_visible()


def test_a_stranger_s_names_run_nothing_in_a_file(alone, tmp_path: Path) -> None:
    import json
    import shutil

    from semidml.runs.run import Run

    folder = tmp_path / "stranger"
    shutil.copytree(listing.open_run("digits-dml-60-labels").path, folder)
    config = json.loads((folder / "config.json").read_text())
    evil = "</script><img src=x onerror='window.ran=1'><b>"
    config["data"]["class_names"] = [evil, *config["data"]["class_names"][1:]]
    (folder / "config.json").write_text(json.dumps(config))
    tab = alone(pages.run_page(Run(folder)))
    expect(tab.locator(".legend").get_by_text("</script><img")).to_be_visible()  # as words
    assert tab.evaluate("window.ran") is None and tab.locator("img").count() == 0


def test_explore_compare_and_a_lesson_hand_out_files(page: Page) -> None:
    page.goto("/Explore?run=digits-ten-places", wait_until="domcontentloaded")
    expect(page.locator("canvas[data-drawn='1797']").first).to_be_visible()
    choose(page, "Downloads")
    assert b"coloured by class" in taken(page, "Map (SVG)")
    choose(page, "Prediction")
    files = (taken(page, "Map (SVG)") for _ in range(20))  # the page below follows the map
    assert any(b"coloured by predicted class" in file for file in files)
    assert taken(page, "Curves (PDF)").startswith(b"%PDF")
    page.get_by_role("button", name="Make the film (GIF)").click()
    expect(page.get_by_text(re.compile(r"film \(GIF\): .*, \d+ s")).first).to_be_visible()
    assert taken(page, "Save the film (GIF)").startswith(b"GIF89a")
    page.goto("/Compare?runs=digits-paper-prior,digits-ten-places", wait_until="domcontentloaded")
    page.get_by_role("button", name="Take it away").click()
    assert b"A comparison of runs" in taken(page, "Page (.html)")
    page.goto("/Places", wait_until="domcontentloaded")
    page.get_by_text(LESSONS["places"].prediction.choices[0]).click()
    page.get_by_role("button", name="Show me").click()
    assert b"## Predict" in taken(page, "Notebook (.ipynb)")


def choose(page: Page, name: str) -> None:
    """An option of a segmented control, on a page that stands still."""
    page.wait_for_timeout(300)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).first.click()


def taken(page: Page, name: str) -> bytes:
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return download.value.path().read_bytes()
