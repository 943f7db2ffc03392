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


def test_the_glossary_is_a_press_away_searched_and_linked(page: Page) -> None:
    open_page(page, "/Data?word=score-kmeans_ami")
    dialog = page.get_by_role("dialog", name="Glossary")
    article = dialog.get_by_role("article").filter(has_text="k-means of the test latents")
    expect(article).to_be_focused()
    check_both_themes(page)
    article.get_by_role("button", name="AMI", exact=True).click()
    expect(dialog.get_by_role("article").filter(has_text="two ways to group")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert "word=" not in page.url
    page.get_by_role("button", name="Glossary").click()
    expect(dialog.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("nats")
    expect(dialog.get_by_role("heading", level=3).first).to_have_text("nats")
    expect(dialog.get_by_role("status")).to_have_text(re.compile(r"^\d+ of \d+$"))
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
