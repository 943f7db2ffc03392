"""What a visitor of Compare sees: two runs' maps that share zoom and mouse, and points that fly between them."""

import re

from playwright.sync_api import Page, expect


def test_two_runs_are_linked_and_points_fly_between_them(page: Page) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/Compare?runs=digits-paper-prior,digits-ten-places", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Compare", exact=True).first).to_be_visible()
    expect(page.get_by_text("What differs in the settings").first).to_be_visible()
    maps = page.locator("canvas[data-drawn='1797']")
    expect(maps).to_have_count(3)
    expect(page.get_by_text(re.compile("B misses .* of A's variance")).first).to_be_visible()
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    page.wait_for_timeout(1000)

    first, second, flown = (page.locator(".map").nth(number) for number in range(3))
    first.get_by_role("button", name="Zoom in").click()
    nearer = "root => root.map.view.window().scale / root.map.view.fitted().scale"
    assert abs(first.evaluate(nearer) - 1.5) < 0.01 and abs(second.evaluate(nearer) - 1.5) < 0.01
    assert abs(flown.evaluate(nearer) - 1) < 0.01
    second.get_by_role("button", name="3", exact=True).click()
    expect(first.locator("canvas[data-shown]")).not_to_have_attribute("data-shown", "1797")
    second.scroll_into_view_if_needed()
    place = """root => {
        const {map} = root, its = map.view.window(), box = map.over.getBoundingClientRect();
        const inside = i => !map.cloud.isHidden(i) && Math.abs(map.cloud.x[i] - its.x) * its.scale < its.width / 4
            && Math.abs(map.cloud.y[i] - its.y) * its.scale < its.height / 4;
        const i = Array.from(map.cloud.x, (_, k) => k).find(inside), [x, y] = map.cloud.placeOf(i);
        return [box.x + 40 + (x - its.left) * its.scale, box.y + (its.top - y) * its.scale];
    }"""
    page.mouse.move(*second.evaluate(place))
    expect(page.locator(".map .tip").nth(1)).to_be_visible()
    pointed = int(second.locator("canvas[data-pointed]").get_attribute("data-pointed"))
    assert pointed >= 0 and first.evaluate("root => root.map.pointed") == pointed

    before = flown.evaluate("root => root.map.cloud.placeOf(5)")
    page.get_by_test_id("stButtonGroup").get_by_text("B", exact=True).click()
    expect(flown.locator("canvas[data-epoch='1'][data-gliding='false']")).to_be_visible()
    assert flown.evaluate("root => root.map.cloud.placeOf(5)") != before


def test_nothing_is_wider_than_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/Compare?runs=digits-dml-60-labels,digits-dml-ae-60-labels", wait_until="domcontentloaded")
    expect(page.locator("canvas[data-drawn='1797']")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
