"""What a visitor of Home sees first, and where its links lead."""

import re

from playwright.sync_api import Page, expect


def opened(page: Page) -> None:
    page.goto("/", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()


def test_home_says_what_this_is_and_leads_to_train(page: Page) -> None:
    opened(page)
    page.get_by_role("link", name="Set the knobs so").nth(1).click()
    expect(page.get_by_role("heading", name="Train", exact=True).first).to_be_visible()
    page.wait_for_url(re.compile("alpha=1"))


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", "/Train", "/Prior", "/Places"):
        page.goto(path, wait_until="domcontentloaded")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        page.wait_for_timeout(1000)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
