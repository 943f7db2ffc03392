"""What one window holds: the button, the knobs and the whole map, on a laptop of 1366 x 768; on a phone the map follows
the press."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

LAPTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
TALL = 0.6  # of the window's height: a map that stands alone or beside one other
ROOM = ".map .room"
RUN = "run=digits-ten-places"


def opened(page: Page, path: str, window: dict[str, int]) -> None:
    page.set_viewport_size(window)
    page.goto(path, wait_until="domcontentloaded")
    expect(page.locator(".map canvas[data-drawn]").first).to_be_visible()
    settled(page)


def settled(page: Page) -> None:
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=re.compile(rf"\b{name}$")).first


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


@pytest.mark.parametrize(
    ("path", "controls"),
    [
        (f"/Train?{RUN}", ["Train", "Rerun"]),
        ("/Clusters?run=digits-best-clusters", ["Train", "Best clusters"]),
        (f"/Explore?{RUN}", ["Manage"]),
        ("/Compare?runs=digits-paper-prior,digits-ten-places", []),
        ("/Prior", ["Train with it", "Ten on a lattice"]),
        *((f"/{lesson}", ["Show me"]) for lesson in ("Few_labels", "Places", "MetricVAE")),
    ],
)
def test_a_laptop_shows_what_one_presses_and_the_whole_map(page: Page, path: str, controls: list[str]) -> None:
    opened(page, path, LAPTOP)
    for part in (page.get_by_role("heading", level=1), *(button(page, name) for name in controls)):
        expect(part).to_be_visible()
        assert is_whole(part), part
    assert page.get_by_role("heading", level=1).bounding_box()["y"] <= 24, "no empty space above the title"
    end, maps = bar_end(page), page.locator(ROOM)
    for number in range(2 if "Compare" in path else 1):
        assert is_whole(maps.nth(number), below=end)
        box = maps.nth(number).bounding_box()
        assert box["height"] >= TALL * LAPTOP["height"] and box["width"] >= 0.9 * box["height"], "large, and square"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if "Compare" not in path and "Explore" not in path:
        return
    film = page.locator(".map .film").first  # its scrubber too
    expect(film).to_be_visible()
    assert is_whole(film)


def test_while_a_run_goes_on_stop_progress_scores_and_map_are_in_one_window(page: Page) -> None:
    opened(page, "/Train?data=digits&model=dml-ae&epochs=2000&seed=21", LAPTOP)
    button(page, "Train").click()
    expect(page.get_by_text(re.compile("^Training: epoch")).first).to_be_visible()
    expect(page.locator(".newest b").first).to_have_text(re.compile(r"^\d+\.\d %$"))
    card, in_bar = page.locator(".st-key-score-card"), page.locator(".newest")
    expect(card).to_contain_text(re.compile("kNN, all labels"))
    expect(in_bar).to_be_hidden()  # the card beside the map says the same
    parts = [button(page, "Train"), button(page, "Stop"), page.get_by_role("progressbar").first]
    parts += [page.locator(".newest"), page.locator(ROOM).first]
    assert all(map(is_whole, parts))
    page.mouse.move(900, 500)
    page.locator(".st-key-details").first.scroll_into_view_if_needed()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollBy(0, 400)")
    end = bar_end(page)
    assert all(part.bounding_box()["y"] < end for part in parts[:-1]), "what one presses and reads scrolls along"
    expect(in_bar).to_be_visible()
    expect(in_bar.get_by_text(re.compile("epoch|before training")).first).to_be_visible()
    button(page, "Stop").click()
    expect(page.get_by_text("Stopped", exact=True).first).to_be_visible()


def test_on_a_phone_the_map_follows_the_press(page: Page) -> None:
    opened(page, f"/Train?{RUN}&data=digits&model=dml&epochs=40&seed=22", PHONE)
    room, knob = page.locator(ROOM).first, page.get_by_role("spinbutton", name="Epochs")
    assert is_whole(room, below=bar_end(page))
    assert room.bounding_box()["y"] < knob.bounding_box()["y"], "the map comes before the knobs"
    knob.scroll_into_view_if_needed()
    assert not is_whole(room, below=bar_end(page))
    button(page, "Train").click()
    expect(page.get_by_text(re.compile("^Training: epoch|^Done")).first).to_be_visible()
    expect(page.locator(".map canvas[data-drawn]").first).to_be_visible()
    page.wait_for_function(
        """() => {
            const shown = document.querySelector('.st-key-picture')?.getBoundingClientRect();
            return shown && shown.top >= 0 && shown.top < 250;
        }"""
    )
    assert is_whole(room, below=bar_end(page))


def test_on_a_phone_the_map_of_a_prior_follows_its_presets(page: Page) -> None:
    opened(page, "/Prior", PHONE)
    preset = button(page, "Ten on a ring")
    preset.scroll_into_view_if_needed()
    preset.click()
    expect(page.get_by_text(re.compile("^10 components")).first).to_be_visible()
    page.wait_for_function("document.querySelector('.st-key-picture').getBoundingClientRect().top > -20")
    assert is_whole(page.locator(ROOM).first)


def test_a_lesson_brings_what_was_pressed_for_into_the_window(page: Page) -> None:
    opened(page, "/Places", LAPTOP)
    page.get_by_text("four groups of points").click()
    button(page, "Show me").click()
    maps = page.locator(ROOM)
    expect(maps).to_have_count(3)
    page.wait_for_function("document.querySelector('.st-key-picture-sides').getBoundingClientRect().top < 120")
    settled(page)
    assert all(is_whole(maps.nth(number), below=bar_end(page)) for number in range(3))
    button(page, "Train it").click()
    expect(maps).to_have_count(5)
    expect(page.get_by_text(re.compile("^Training: epoch|^Done")).first).to_be_visible()
    page.wait_for_function("document.querySelector('.st-key-picture-turn').getBoundingClientRect().top < 120")
    assert all(is_whole(maps.nth(number), below=bar_end(page)) for number in (3, 4))
    assert all(maps.nth(number).bounding_box()["height"] >= TALL * LAPTOP["height"] for number in (3, 4))
    assert is_whole(button(page, "Train it"), below=bar_end(page))
