"""Each page is opened once, as a link to a shipped run opens it, and asked all that holds of every page: a laptop's
window shows what one presses and the whole map; axe-core finds nothing serious in either theme, and headings are in
order; icons are icons, and no other host is asked for anything."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import check_both_themes, check_headings
from tests.browser.pages import LAPTOP, ROOM, RUN, TALL, bar_end, button, is_whole, open_page, settled

UNFOLD = """() => document.querySelectorAll('[data-testid=stExpander] details:not([open]) > summary')
    .forEach(summary => summary.click())"""
ICONS = """() => [...document.querySelectorAll('[data-testid=stIconMaterial]')]
    .map(icon => ({icon, box: icon.getBoundingClientRect(), size: parseFloat(getComputedStyle(icon).fontSize)}))
    .filter(({box}) => box.width > 0)
    .map(({icon, box, size}) => ({
        name: icon.textContent,
        squares: box.width / size,
        overflows: icon.scrollWidth > Math.ceil(box.width) + 1,
        there: document.fonts.check(`${size}px ${getComputedStyle(icon).fontFamily}`, icon.textContent),
    }))"""
ICON_OF_TAB = """async () => {
    const image = new Image();
    image.src = document.querySelector("link[rel='shortcut icon']").href;
    await image.decode();
    return image.src;
}"""


def check_window(page: Page, controls: list[str], maps: int, scrubber: bool) -> None:
    """The window shows the title, what one presses, and all of so many large maps, the last with its scrubber."""
    for part in (page.get_by_role("heading", level=1), *(button(page, name) for name in controls)):
        expect(part).to_be_visible()
        assert is_whole(part), part
    assert page.get_by_role("heading", level=1).bounding_box()["y"] <= 24, "no empty space above the title"
    end, rooms = bar_end(page), page.locator(ROOM)
    for number in range(maps):
        assert is_whole(rooms.nth(number), below=end)
        box = rooms.nth(number).bounding_box()
        assert box["height"] >= TALL * LAPTOP["height"] and box["width"] >= 0.9 * box["height"], "large, and square"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if scrubber:
        film = page.locator(".map .film").first
        expect(film).to_be_visible()
        assert is_whole(film)


def check_icons(page: Page) -> None:
    icons = page.evaluate(ICONS)
    assert {icon["name"] for icon in icons} >= {"home", "play_circle", "travel_explore", "school"}
    assert [icon for icon in icons if icon["squares"] > 1.3 or icon["overflows"] or not icon["there"]] == []
    assert page.evaluate(ICON_OF_TAB).startswith("data:image/svg+xml,")


@pytest.mark.parametrize(
    ("path", "controls", "maps"),
    [
        ("/", [], 0),
        (f"/Train?{RUN}", ["Train", "Rerun"], 1),
        (f"/Explore?{RUN}", ["Manage"], 1),
        ("/Compare?runs=digits-paper-prior,digits-ten-places", [], 2),
        *((f"/{lesson}", ["Show me"], 1) for lesson in ("Few_labels", "Places", "MetricVAE")),
        ("/Clusters?run=digits-best-clusters", ["Train", "Best clusters"], 1),
        ("/Prior", ["Train with it", "Ten on a lattice"], 1),
        ("/Data", [], 0),
        ("/Many_at_once", [], 0),
        ("/Runs", [], 0),
        ("/Does_it_hold", [], 0),
    ],
)
def test_a_page_is_in_sight_can_be_read_and_needs_no_network(
    page: Page, foreign: list[str], path: str, controls: list[str], maps: int
) -> None:
    page.set_viewport_size(LAPTOP)
    open_page(page, path)
    if maps:
        expect(page.locator(".map canvas[data-drawn]").nth(maps - 1)).to_be_visible()
        settled(page)
        check_window(page, controls, maps, scrubber="Compare" in path or "Explore" in path)
    page.evaluate(UNFOLD)
    check_both_themes(page)
    check_headings(page)
    for tab in page.get_by_role("tab").all():
        tab.click()
    settled(page)
    check_icons(page)
    assert foreign == []
