"""What axe-core says of a page, and the order of its headings."""

from itertools import pairwise

import pytest
from playwright.sync_api import Page

from tests.browser.pages import settled

axe = pytest.importorskip("axe_playwright_python.sync_playwright")
GRAVE = {"serious", "critical"}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}  # what a theme alone can break
LEVELS = "() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(heading => Number(heading.tagName[1]))"
THEME = "document.querySelector('.stApp') && getComputedStyle(document.querySelector('.stApp')).colorScheme"


def list_grave(page: Page, **options: object) -> list[str]:
    """What axe-core calls serious or critical on the page as it is: rule, element, and the numbers behind it."""
    return [
        f"{violation['id']}: {node['html'][:200]} {[check.get('data') for check in node['any']][:1]}"
        for violation in axe.Axe().run(page, options={"resultTypes": ["violations"]} | options).response["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def check_both_themes(page: Page) -> None:
    for theme, options in (("light", {}), ("dark", {"runOnly": COLOURS})):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(f"{THEME} == '{theme}'")
        settled(page)
        grave = list_grave(page, **options)
        assert not grave, (theme, grave)


def check_headings(page: Page) -> None:
    """One of the first level, at the beginning, and none that is more than a level below the one before."""
    levels = page.evaluate(LEVELS)
    assert levels[0] == 1 and levels.count(1) == 1, levels
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
