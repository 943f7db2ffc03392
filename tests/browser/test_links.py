"""Links of Train, Compare, Explore and The prior, copied by the page's button and opened in a fresh browser, give the
same view; the other pages' links are opened anew in `tests/test_link_parts.py`, without a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import STILL
from tests.server import SECONDS

MAP = """root => {
    const {frame, view, epoch} = root.map, {x, y, width, height, scale} = view.window();
    const around = [x, y, Math.min(width, height) / scale].map(value => Number(value.toPrecision(3)));
    const {cloud, filter, legend} = root.map;
    const moved = frame.origins.length ? frame.ellipses.map(([x, y]) => [x.toFixed(3), y.toFixed(3)]) : [];
    return {epoch, around, marked: [...frame.marked], places: frame.places, names: frame.names, zoomed: !!view.chosen,
        shown: cloud.count, filtered: filter.words, hidden: legend.text, moved};
}"""
RUN = "digits-dml-ae-60-labels"


@pytest.fixture
def fresh(browser: Browser, app) -> Iterator[Page]:
    """A tab of another browser, smaller, that knows nothing of the first one."""
    context = browser.new_context(viewport={"width": 1100, "height": 900}, base_url=app.url, reduced_motion="reduce")
    context.add_init_script(STILL)
    context.set_default_timeout(SECONDS * 1000)
    yield context.new_page()
    context.close()


def copied(page: Page) -> str:
    """The link that the page's button copies."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    return page.evaluate("navigator.clipboard.readText()")


def settled(page: Page) -> None:
    page.wait_for_timeout(300)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")


def the_map(page: Page, number: int = 0) -> Locator:
    expect(page.locator(".map canvas[data-drawn]").nth(number)).to_be_visible()
    return page.locator(".map").nth(number)


def zoom(page: Page, number: int = 0) -> None:
    """Twice nearer, and to another place."""
    shown = the_map(page, number)
    for _ in range(2):
        shown.get_by_role("button", name="Zoom in").click()
    shown.evaluate("root => root.map.view.pan(40, -30)")
    page.wait_for_url(re.compile(r"[?&]view="))


def option(page: Page, name: str) -> None:
    settled(page)
    page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).first.click()


def same_map(page: Page, fresh: Page, number: int = 0) -> dict:
    """What both maps show, which is the same."""
    settled(page)
    shown = the_map(page, number).evaluate(MAP)
    settled(fresh)
    assert the_map(fresh, number).evaluate(MAP) == shown
    return shown


def test_explore_s_map_is_seen_again(page: Page, fresh: Page) -> None:
    page.goto(f"/Explore?run={RUN}", wait_until="domcontentloaded")
    the_map(page)
    option(page, "Error")
    option(page, "Test")
    page.wait_for_url(re.compile("colour=error.*rows=test"))
    option(page, "Confusion")
    page.wait_for_url(re.compile("section=confusion"))
    page.get_by_role("slider", name="Epoch on the map").press("Home")
    page.wait_for_url(re.compile("epoch=0"))
    zoom(page)
    settled(page)
    link = copied(page)
    fresh.goto(link, wait_until="domcontentloaded")
    expect(fresh.get_by_text(re.compile("^500 points: 500 test rows")).first).to_be_visible()
    expect(fresh.get_by_text(re.compile("^After epoch 0:")).first).to_be_visible()
    shown = same_map(page, fresh)
    assert shown["epoch"] == 0 and shown["zoomed"] and "right" in shown["names"] and len(shown["marked"]) == 1
    assert copied(fresh) == link, "which writes the same link"
    expect(fresh.get_by_text(re.compile("link was not followed|part of the link"))).to_have_count(0)

    the_map(page).evaluate("root => root.map.tell('region', {points: [5, 6, 900, 1500], count: 4})")
    page.wait_for_url(re.compile("region="))
    expect(page.get_by_text("4 points chosen").first).to_be_visible()
    fresh.goto(copied(page), wait_until="domcontentloaded")
    expect(fresh.get_by_text("4 points chosen").first).to_be_visible()
    assert same_map(page, fresh)["marked"] == [5, 6, 900, 1500]
    the_map(page).evaluate("root => root.map.tell('asked', {x: 0.25, y: -0.5, point: -1})")
    page.wait_for_url(re.compile("place="))
    fresh.goto(copied(page), wait_until="domcontentloaded")
    expect(fresh.get_by_text(re.compile("0.25, -0.5")).first).to_be_visible()
    assert same_map(page, fresh)["places"] == [[0.25, -0.5]]


def test_moved_components_are_seen_again(page: Page, fresh: Page) -> None:
    page.goto("/Explore?run=digits-ten-places&layers=density,movable", wait_until="domcontentloaded")
    the_map(page)
    handles = page.locator(".map .handles button")
    expect(handles).to_have_count(10)
    settled(page)
    handles.nth(1).press("Shift+ArrowRight")
    expect(page.get_by_text(re.compile("^What if component 2 were at ")).first).to_be_visible()
    page.wait_for_url(re.compile("moved=2%3A"))
    fresh.goto(copied(page), wait_until="domcontentloaded")
    expect(fresh.get_by_text(re.compile("^What if component 2 were at ")).first).to_be_visible()
    told = page.get_by_text(re.compile("^Nothing is trained")).first
    assert fresh.get_by_text(re.compile("^Nothing is trained")).first.inner_text() == told.inner_text()
    settled(page), settled(fresh)
    moved, again = (the_map(tab).evaluate(MAP)["moved"] for tab in (page, fresh))
    assert len(moved) == 10 and again == moved


def filter_by(page: Page, field: str, value: str, number: int = 0) -> None:
    shown = the_map(page, number)
    if not shown.get_by_role("search").is_visible():
        shown.get_by_role("button", name="Filter and search").click()
    shown.get_by_label(field, exact=True).select_option(value)
    page.wait_for_url(re.compile("[?&]filter="))


def test_train_s_run_its_knobs_and_its_map_are_seen_again(page: Page, fresh: Page) -> None:
    page.goto(f"/Train?run={RUN}&epochs=7", wait_until="domcontentloaded")
    filter_by(page, "Class", "3")
    filter_by(page, "Images", "test")
    zoom(page)
    settled(page)
    fresh.goto(copied(page), wait_until="domcontentloaded")
    shown = same_map(page, fresh)
    assert shown["zoomed"] and 0 < shown["shown"] < 60 and shown["filtered"] == f"{shown['shown']} of 1,797 shown"
    assert fresh.get_by_role("spinbutton", name="Epochs").input_value() == "7"
    assert "filter=class%3A3%2Csplit%3Atest" in copied(fresh) == copied(page)
    expect(fresh.get_by_text(re.compile("link was not followed|part of the link"))).to_have_count(0)


def test_compared_maps_are_seen_again(page: Page, fresh: Page) -> None:
    page.goto(f"/Compare?runs=digits-paper-prior,{RUN}", wait_until="domcontentloaded")
    expect(page.locator("canvas[data-drawn='1797']")).to_have_count(3)
    filter_by(page, "Answer", "wrong", 1)
    the_map(page).locator(".legend button", has_text="4").click()
    page.wait_for_url(re.compile("[?&]hidden=4"))
    zoom(page)
    settled(page)
    fresh.set_viewport_size(page.viewport_size)  # how far the second map follows the first, is a matter of their shapes
    fresh.goto(copied(page), wait_until="domcontentloaded")
    expect(fresh.locator("canvas[data-drawn='1797']")).to_have_count(3)
    first, second = (same_map(page, fresh, number) for number in (0, 1))
    assert first["hidden"] == second["hidden"] == "4" and first["zoomed"] and second["zoomed"]
    assert first["filtered"] != second["filtered"], "each asks its own points"
    assert copied(fresh) == copied(page)


def test_a_filter_that_is_of_no_points_is_said_and_those_of_another_run_are_dropped(fresh: Page) -> None:
    fresh.goto(f"/Explore?run={RUN}&filter=class:12", wait_until="domcontentloaded")
    expect(the_map(fresh).locator(".filter .count")).to_have_text(
        "The link asks for a filter that these points do not have: class:12"
    )
    assert the_map(fresh).evaluate(MAP)["shown"] == 1797
    the_map(fresh).get_by_label("Class", exact=True).select_option("3")
    fresh.wait_for_url(re.compile("filter=class%3A3"))
    settled(fresh)
    fresh.get_by_role("combobox", name="Run").first.click()
    fresh.get_by_role("option").filter(has_text=re.compile("MetricVAE.*shipped")).first.click()
    fresh.wait_for_url(re.compile("run=digits-metric-vae[^&]*(?!.*filter)"))
    settled(fresh)
    assert the_map(fresh).evaluate(MAP)["shown"] == 1797 and "filter" not in fresh.url


def test_a_mixture_is_seen_again(page: Page, fresh: Page) -> None:
    page.goto("/Prior", wait_until="domcontentloaded")
    the_map(page)
    page.get_by_role("button", name="Ten on a lattice").click()
    page.wait_for_url(re.compile("placement=lattice"))
    expect(page.locator("canvas[data-components='10']").first).to_be_visible()
    settled(page)
    zoom(page)
    fresh.goto(copied(page), wait_until="domcontentloaded")
    expect(fresh.locator("canvas[data-components='10']").first).to_be_visible()
    assert same_map(page, fresh)["zoomed"]
    ellipses = "root => root.map.frame.ellipses"
    assert the_map(fresh).evaluate(ellipses) == the_map(page).evaluate(ellipses)
