"""What a visitor does with many runs: a filter is typed, two of the runs are ticked, and compared."""

import re

from playwright.sync_api import Page, expect

ROW = 35  # pixels of a row of the table, and of its head


def tick(page: Page, row: int) -> None:
    """Ticks a row of the table, the first is 1."""
    page.locator(".dvn-scroller").click(position={"x": 16, "y": ROW * row + ROW // 2})


def test_a_filter_leads_to_runs_that_are_ticked_and_compared(page: Page) -> None:
    page.goto("/Runs", wait_until="domcontentloaded")
    expect(page.get_by_text(re.compile(r"^\d+ of \d+ runs")).first).to_be_visible()
    box = page.get_by_role("combobox", name="Conditions")
    box.fill("name~60-labels")
    box.press("Enter")
    expect(page.get_by_text(re.compile(r"^3 of \d+ runs")).first).to_be_visible()
    page.wait_for_url(re.compile("where=name"))
    expect(page.get_by_test_id("data-grid-canvas")).to_be_visible()
    tick(page, 1)
    expect(page.get_by_text("1 chosen").first).to_be_visible()
    tick(page, 3)
    expect(page.get_by_text("2 chosen").first).to_be_visible()
    page.get_by_role("link", name=re.compile("Compare$")).last.click()
    expect(page.get_by_role("heading", name="Compare", exact=True).first).to_be_visible()
    page.wait_for_url(re.compile("digits-dml-60-labels(,|%2C)digits-dml-ae-60-labels"))


def test_the_table_is_no_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/Runs?runs=digits-ten-places", wait_until="domcontentloaded")
    expect(page.get_by_text("1 chosen").first).to_be_visible()
    expect(page.get_by_test_id("data-grid-canvas")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
