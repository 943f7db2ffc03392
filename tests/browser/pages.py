"""How tests of a browser open a page, and what they ask of its window."""

import re

from playwright.sync_api import Locator, Page, expect

LAPTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
TALL = 0.6  # of the window's height: a map that stands alone or beside one other
ROOM = ".map .room"
RUN = "run=digits-ten-places"


def settled(page: Page) -> None:
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")


def open_page(page: Page, path: str) -> None:
    page.goto(path, wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    settled(page)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=re.compile(rf"\b{name}$")).first


def press_train(page: Page) -> None:
    """Once the page stands still: on a busy machine what is pressed while it is drawn may move away before it is let
    go."""
    expect(button(page, "Train")).to_be_enabled()
    settled(page)
    button(page, "Train").click()


def is_whole(part: Locator, below: float = 0) -> bool:
    """Whether the window shows all of it, under what lies over its upper edge."""
    box, window = part.bounding_box(), part.page.viewport_size
    return (
        box["y"] >= below - 1
        and box["y"] + box["height"] <= window["height"] + 1
        and box["x"] >= 0
        and box["x"] + box["width"] <= window["width"] + 1
    )


def bar_end(page: Page) -> float:
    """Where the bar ends, which stands at the top of the window wherever it is scrolled to."""
    box = page.locator(".st-key-bar").bounding_box()
    assert abs(box["y"]) <= 1, "the bar stays in sight"
    return box["y"] + box["height"]
