"""What one window holds while something happens: the button, the progress and the whole map, on a laptop of 1366 x 768;
on a phone the map follows the press. Of each page as it opens `test_each_page.py` says so."""

import re

from playwright.sync_api import Page, expect

from tests.browser.pages import LAPTOP, PHONE, ROOM, RUN, TALL, bar_end, button, is_whole, press_train, settled

SCROLL = """() => {
    document.querySelector('[data-testid=stMain]').scrollBy(0, 400);
    return document.querySelector('.st-key-score-card').getBoundingClientRect().top < 0;
}"""


def opened(page: Page, path: str, window: dict[str, int]) -> None:
    page.set_viewport_size(window)
    page.goto(path, wait_until="domcontentloaded")
    expect(page.locator(".map canvas[data-drawn]").first).to_be_visible()
    settled(page)


def test_while_a_run_goes_on_stop_progress_scores_and_map_are_in_one_window(page: Page) -> None:
    opened(page, "/Train?data=digits&model=dml-ae&epochs=2000&seed=21", LAPTOP)
    press_train(page)
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
    page.mouse.wheel(0, 100)  # from here on nothing follows the press any more: the visitor goes elsewhere
    page.wait_for_function(SCROLL)  # the page grows as what is below the map comes
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
    press_train(page)
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
