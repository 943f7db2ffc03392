"""What a visitor of The prior does with a component: drag it, move it by keys, and read what becomes of the modes."""

import re

from playwright.sync_api import Locator, Page, expect


def ready(page: Page) -> None:
    """Four separate components."""
    page.goto("/Prior", wait_until="domcontentloaded")
    expect(page.get_by_text("they merge into 1 mode").first).to_be_visible()
    page.get_by_role("button", name=re.compile(r"\bTighter$")).click()
    expect(page.get_by_text("4 components, the nearest two 2 apart, sigma 0.37: 4 modes.").first).to_be_visible()
    expect(ring(page, 4)).to_have_attribute("aria-label", "component 4 of 4 at 1.00, 1.00")


def ring(page: Page, number: int) -> Locator:
    """The handle of a component."""
    return page.get_by_role("button", name=re.compile(f"^component {number} of 4 at "))


def middle(handle: Locator) -> tuple[float, float]:
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, handle: Locator, onto: Locator | None = None) -> None:
    """Onto another component, or a little to the left."""
    handle.hover()  # which waits until the page stands still
    page.mouse.down()
    x, y = middle(onto or handle)
    page.mouse.move(x if onto else x - 30, y, steps=5)
    expect(page.locator("canvas[data-ahead='true']").first).to_be_visible()
    page.mouse.up()


def test_a_component_is_dragged_onto_another_and_their_modes_merge(page: Page) -> None:
    ready(page)
    drag(page, ring(page, 1), onto=ring(page, 2))
    expect(page.get_by_text("3 modes").first).to_be_visible()
    expect(
        page.locator("canvas[data-ahead='false']").first
    ).to_be_visible()  # density and modes are those of this place
    expect(page.get_by_role("combobox", name="Placement")).to_have_value("given")
    expect(ring(page, 1)).to_have_attribute(
        "aria-label", ring(page, 2).get_attribute("aria-label").replace("2 of", "1 of")
    )

    page.get_by_role("button", name=re.compile(r"\bTrain with it$")).click()
    page.wait_for_url(re.compile("placement=given"))
    assert "positions=" in page.url and "component_spacing" not in page.url
    page.get_by_role("button", name=re.compile(r"\bStop$")).click()
    expect(page.get_by_text("Stopped", exact=True).first).to_be_visible()


def test_a_component_is_moved_by_keys_and_stays_in_focus(page: Page) -> None:
    ready(page)
    ring(page, 4).focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("4 components, the nearest two 2 apart, sigma 0.37: 4 modes.").first).to_be_visible()
    expect(page.get_by_role("combobox", name="Placement")).to_have_value("given")
    expect(ring(page, 4)).to_be_focused()
    x = float(re.search(r"at (\S+),", ring(page, 4).get_attribute("aria-label"))[1])
    assert x > 1.5
    page.keyboard.press("ArrowDown")
    expect(ring(page, 4)).not_to_have_attribute("aria-label", re.compile(r", 1\.00$"))


def test_of_two_quick_drags_neither_is_taken_back(page: Page) -> None:
    ready(page)
    for number in (1, 2):
        drag(page, ring(page, number))
    expect(page.locator("canvas[data-ahead='false']").first).to_be_visible()  # the page has answered the second
    for number in (1, 2):
        expect(ring(page, number)).not_to_have_attribute("aria-label", re.compile(r"at −1\.00,"))
