"""What is not one page as it opens can be read and used by everybody too: a lesson that is revealed, a card, which is
one link wherever it is clicked, and what is not there yet."""

import re

from playwright.sync_api import Page, expect

from tests.browser.access import check_both_themes, check_headings
from tests.browser.pages import open_page


def test_axe_finds_nothing_serious_where_a_lesson_is_revealed(page: Page) -> None:
    open_page(page, "/Few_labels")
    page.get_by_role("radio").first.check(force=True)
    page.get_by_role("button", name="Show me").click()
    expect(page.get_by_role("heading", name="Check yourself")).to_be_visible()
    check_both_themes(page)
    check_headings(page)


def test_a_card_is_one_click(page: Page) -> None:
    """The picture leads to the run as the title does, and a keyboard meets a card once."""
    open_page(page, "/")
    card = page.locator("[class*=st-key-card-run]").filter(has_text="VampPrior")
    expect(card.get_by_role("link")).to_have_count(1)
    expect(card.get_by_role("img", name=re.compile("Map of the run MetricVAE, .*VampPrior"))).to_be_visible()
    heights = page.evaluate(
        "() => [...document.querySelectorAll('[class*=st-key-card-run]')].slice(0, 4).map(card => card.offsetHeight)"
    )
    assert len(heights) == 4 and max(heights) - min(heights) <= 1
    card.get_by_role("img").scroll_into_view_if_needed()
    box = card.get_by_role("img").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(re.compile("Train.*run=digits-metric-vae"))


def test_what_is_not_there_yet_is_a_picture(page: Page) -> None:
    open_page(page, "/Many_at_once")
    empty = page.locator(".st-key-empty")
    expect(empty.get_by_role("heading", name="No sweep has been trained here yet")).to_be_visible()
    page.wait_for_function("document.querySelector('.st-key-empty img').naturalWidth > 0")
