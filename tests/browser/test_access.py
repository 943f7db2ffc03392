"""Every page can be read and used by everybody: axe-core finds nothing serious in either theme, headings are in order,
and a card is one link wherever it is clicked."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
PATHS = [
    *("/", "/Train", "/Explore?run=digits-ten-places", "/Compare", "/Few_labels", "/Places", "/MetricVAE"),
    *("/Clusters", "/Prior", "/Data", "/Many_at_once"),
]
GRAVE = {"serious", "critical"}
SETTLED = "!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')"
UNFOLD = """() => document.querySelectorAll('[data-testid=stExpander] details:not([open]) > summary')
    .forEach(summary => summary.click())"""
LEVELS = "() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(heading => Number(heading.tagName[1]))"
THEME = "document.querySelector('.stApp') && getComputedStyle(document.querySelector('.stApp')).colorScheme"


def list_grave(page: Page) -> list[str]:
    """What axe-core calls serious or critical on the page as it is: rule, element, and the numbers behind it."""
    return [
        f"{violation['id']}: {node['html'][:200]} {[check.get('data') for check in node['any']][:1]}"
        for violation in axe.Axe().run(page).response["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def check_both_themes(page: Page) -> None:
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(f"{THEME} == '{theme}'")
        page.wait_for_function(SETTLED)
        assert list_grave(page) == [], theme


def check_headings(page: Page) -> None:
    """One of the first level, at the beginning, and none that is more than a level below the one before."""
    levels = page.evaluate(LEVELS)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels


def open_page(page: Page, path: str) -> None:
    page.goto(path, wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    page.wait_for_function(SETTLED)


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_serious_on_a_page(page: Page, path: str) -> None:
    open_page(page, path)
    page.evaluate(UNFOLD)
    check_both_themes(page)
    check_headings(page)


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
