"""What a visitor of Clustering without labels sees: the run trains, the map and the clusters come, queries answer."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.pages import press_train


def ready(page: Page, path: str) -> None:
    page.goto(path, wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Clustering without labels", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"\bTrain$")).first).to_be_enabled()


def settled(page: Page) -> None:
    page.wait_for_timeout(300)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")


def option(page: Page, name: str) -> Locator:
    """An option of a segmented control, on a page that stands still."""
    settled(page)
    return page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).first


def answers(page: Page) -> list[str]:
    """The words under the query and its answers."""
    strip = page.locator("figcaption", has_text="query:").first.locator("xpath=ancestor::div[1]")
    return strip.locator("figcaption").all_inner_texts()


def test_digits_are_clustered_without_labels_and_queries_answer(page: Page) -> None:
    ready(page, "/Clusters?model=cbswr&clusters=10&epochs=3&seed=11&twins_weight=1")
    press_train(page)
    expect(page.get_by_text("Epoch 3 of 3 · 1,797 points").first).to_be_visible()
    expect(page.locator("canvas[data-drawn='1797']").first).to_be_visible()
    expect(page.get_by_text("Done", exact=True).first).to_be_visible()
    expect(
        page.get_by_text(re.compile(r"^\d+ of 10 clusters have images among the points drawn")).first
    ).to_be_visible()
    expect(page.get_by_alt_text(re.compile(r"^images of cluster \d+$")).first).to_be_visible()
    expect(page.get_by_alt_text("images over their twins").first).to_be_visible()
    expect(page.get_by_text(re.compile(r"clusters used", re.IGNORECASE)).first).to_be_visible()

    gallery = page.get_by_role("button", name=re.compile("^query: an image of"))
    expect(gallery).to_have_count(16)
    expect(gallery.nth(0)).to_have_attribute("aria-pressed", "true")
    settled(page)
    before = answers(page)
    assert len(before) == 9 and sum(words[0] in "✓✗" for words in before) == 8
    settled(page)
    gallery.nth(3).click()
    expect(gallery.nth(3)).to_have_attribute("aria-pressed", "true")
    expect(gallery.nth(0)).to_have_attribute("aria-pressed", "false")
    digit = gallery.nth(3).get_attribute("aria-label")[-1]
    expect(page.locator("figcaption", has_text=f"query: {digit}").first).to_be_visible()
    settled(page)
    after = answers(page)
    assert after != before and after[0] == f"query: {digit}"
    assert all((words[0] == "✓") == (words[2:] == digit) for words in after[1:])

    option(page, "Cluster").click()
    expect(page.locator(".map").first.get_by_role("button", name=re.compile(r"^cluster \d+$")).first).to_be_visible()
    option(page, "Class").click()
    expect(page.locator(".map").first.get_by_role("button", name="7", exact=True).first).to_be_visible()


def test_a_click_on_the_map_asks_for_a_points_neighbours(page: Page) -> None:
    ready(page, "/Clusters?model=cbswr&clusters=10&epochs=1&seed=12")
    press_train(page)
    expect(page.get_by_text("Done", exact=True).first).to_be_visible()
    expect(page.get_by_text("Epoch 1 of 1 · 1,797 points").first).to_be_visible()
    canvas = page.locator("canvas[data-drawn='1797']").first
    expect(canvas).to_be_visible()
    gallery = page.get_by_role("button", name=re.compile("^query: an image of"))
    expect(gallery).to_have_count(16)
    settled(page)
    canvas.scroll_into_view_if_needed()
    corner, tip = canvas.bounding_box(), page.locator(".tip").first
    for x, y in ((x, y) for x in range(100, 500, 8) for y in range(60, 420, 8)):
        page.mouse.move(corner["x"] + x, corner["y"] + y)
        if tip.is_visible():
            break
    digit = tip.inner_text()[0]
    page.mouse.click(corner["x"] + x, corner["y"] + y)
    expect(page.locator("button[aria-pressed='true'][aria-label^='query: an image']")).to_have_count(0)
    expect(page.locator("figcaption", has_text=f"query: {digit}").first).to_be_visible()


def test_what_cannot_be_trained_is_said(page: Page) -> None:
    page.goto("/Clusters?variant=sme&metric_weight=0", wait_until="domcontentloaded")
    expect(page.get_by_text("all weights are 0, so that nothing would be trained").first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"\bTrain$")).first).to_be_disabled()
    option(page, "CBS").click()
    expect(page.get_by_role("button", name=re.compile(r"\bTrain$")).first).to_be_enabled()
