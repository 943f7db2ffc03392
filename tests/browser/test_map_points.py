"""The map alone: points that are filtered, searched for and reached by keys; many components; a view that glides; the
map on the whole screen."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from semidml.scatter import pack
from tests.browser.alone import FOUR, keep, over, packed, place, show, to_text, told

VIEW = "document.querySelector('#a .map').map.view"
ROWS = {
    "labels": np.array([0, 1, 2, 0]),
    "predictions": np.array([0, 2, 2, -1]),
    "seen": np.array([True, False, False, False]),
    "test": np.array([False, False, True, True]),
    "rows": np.array([7, 1200, 7, 3]),
    "errors": np.array([0.1, 0.2, 0.3, 0.4]),
}


def choose(page: Page, field: str, value: str, at: str = "a") -> None:
    page.locator(f"#{at}").get_by_label(field, exact=True).select_option(value)


def shown(page: Page, at: str = "a") -> str:
    return page.locator(f"#{at} .filter .count").inner_text()


def count_colours(page: Page) -> dict[str, int]:
    """How many pixels of the upper layer have each colour, those without any left out."""
    return over(page).evaluate(
        """canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), counts = {};
            for (let i = 0; i < data.length; i += 4) {
                if (!data[i + 3]) continue;
                const colour = data.subarray(i, i + 4).join(' ');
                counts[colour] = (counts[colour] ?? 0) + 1;
            }
            return counts;
        }"""
    )


def test_points_are_filtered_by_what_is_known_of_them_and_stay_so(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0], **ROWS))
    bare.get_by_role("button", name="Filter and search").click()
    expect(bare.get_by_role("search")).to_be_visible()
    asked = {
        "Class": ("a", 2),
        "Prediction": ("c", 2),
        "Answer": ("wrong", 1),
        "Images": ("test", 2),
        "Label": ("not seen", 3),
    }
    for field, (value, count) in asked.items():
        choose(bare, field, value)
        assert shown(bare) == f"{count} of 4 shown", field
        expect(over(bare)).to_have_attribute("data-shown", str(count))
        choose(bare, field, "any")
    assert shown(bare) == "4 points"
    bare.get_by_label("Error of reconstruction, at least").fill("0.15")
    bare.get_by_label("Error of reconstruction, at most").fill("0.35")
    assert shown(bare) == "2 of 4 shown"
    choose(bare, "Answer", "wrong")
    assert shown(bare) == "1 of 4 shown"  # both conditions
    bare.mouse.move(*place(bare, 0))
    expect(bare.locator("#a .tip")).to_be_hidden()  # what is filtered out does not answer

    others = ROWS | {"predictions": np.array([0, 2, 1, -1])}
    show(bare, packed(np.multiply(FOUR, 0.9), [0, 1, 2, 0], epoch=1, **others))
    assert shown(bare) == "2 of 4 shown"  # the next epoch's points are asked the same
    expect(bare.locator("#a .note")).to_have_text("filtered: 2 of 4 shown")
    bare.get_by_role("button", name="Clear").click()
    expect(over(bare)).to_have_attribute("data-shown", "4")
    choose(bare, "Class", "a")
    show(bare, packed(FOUR, [0, 1, 2, 0], run="another", **ROWS))
    expect(over(bare)).to_have_attribute("data-shown", "4")


def test_linked_maps_share_the_filter_and_one_that_comes_later_takes_it_over(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0], link="x", **ROWS))
    bare.locator("#a").get_by_role("button", name="Filter and search").click()
    choose(bare, "Answer", "wrong")
    theirs = ROWS | {"predictions": np.array([1, 2, 1, 0])}
    show(bare, packed(FOUR, [0, 1, 2, 0], run="s", link="x", **theirs), "b")
    expect(over(bare, "b")).to_have_attribute("data-shown", "3")  # its own errors
    choose(bare, "Answer", "right")
    expect(over(bare, "b")).to_have_attribute("data-shown", "1")


def test_a_row_that_is_typed_is_chosen_and_the_view_goes_there(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0], **ROWS))
    whole = bare.evaluate(f"{VIEW}.window().scale")
    over(bare).press("/")
    row = bare.get_by_label("Row")
    row.fill("1,200")
    row.press("Enter")
    bare.wait_for_selector("#a canvas[data-gliding=false]")
    assert told(bare, "asked")[-1]["point"] == 1
    bare.wait_for_function(f"!{VIEW}.glide")
    x, y, scale = bare.evaluate(f"(its => [its.x, its.y, its.scale])({VIEW}.window())")
    assert np.allclose([x, y], FOUR[1], atol=1e-3) and scale >= 4 * whole
    assert shown(bare) == "b · predicted c · training image 1,200, label not seen · error 0.200"
    for point in (0, 2, 0):
        row.fill("7")
        row.press("Enter")
        assert told(bare, "asked")[-1]["point"] == point  # a number of both splits: one after the other
    row.fill("test 7")
    row.press("Enter")
    assert told(bare, "asked")[-1]["point"] == 2
    for wrong, words in (("8", "Row 8 is not among the points drawn."), ("x", "Type the number of an image")):
        row.fill(wrong)
        row.press("Enter")
        assert shown(bare).startswith(words)
    choose(bare, "Class", "b")
    row.fill("test 3")
    row.press("Enter")
    assert bare.evaluate("document.querySelector('#a .map').map.cloud.isHidden(3)") is False  # shown though not of b


def test_the_keys_go_from_point_to_point_and_choose(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0], marked=[0], **ROWS))
    at = "document.querySelector('#a .map').map.cursor.at"
    live = bare.locator("#a [aria-live]").first
    walked = []
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        over(bare).press(key)
        walked.append(bare.evaluate(at))
    assert walked == [3, 1, 2, 0]
    assert live.text_content() == "a · predicted right · training image 7, label seen · error 0.100"
    expect(bare.locator("#a .tip")).to_be_visible()
    over(bare).press("ArrowLeft")
    assert bare.evaluate(at) == 0 and live.text_content() == "No point lies further that way."
    over(bare).press("ArrowUp")
    over(bare).press("Enter")
    assert told(bare, "asked")[-1]["point"] == 2
    before = bare.evaluate(f"{VIEW}.window().x")
    over(bare).press("Shift+ArrowRight")
    assert bare.evaluate(f"{VIEW}.window().x") > before and bare.evaluate(at) == 2
    named = bare.get_by_role("application", name="a map")
    help_id = named.get_attribute("aria-describedby")
    assert bare.locator(f"[id='{help_id}']").text_content().startswith("Arrow keys go from point to point")
    assert bare.locator("#a table caption").text_content() == "a map"


def test_many_components_are_dots_and_the_one_pointed_at_has_rings(bare: Page) -> None:
    spots = np.random.default_rng(0).uniform(-0.9, 0.9, (100, 2))
    rings = [(x, y, 0.5, 0.5, 0.0, 1.0 if k == 0 else 0.5) for k, (x, y) in enumerate(spots)]

    def inked() -> int:
        return sum(count_colours(bare).values())

    show(bare, packed([[5, 5]], [0], ellipses=rings, x_range=(-1.5, 1.5), y_range=(-1.5, 1.5)))
    few = inked()
    assert 0 < few < 0.05 * 640 * 440  # dots, not a black band of 200 ellipses
    script = "([x, y]) => { const its = document.querySelector('#a .map').map, w = its.view.window();"
    script += "const b = its.over.getBoundingClientRect();"
    script += "return [b.x + 40 + (x - w.left) * w.scale, b.y + (w.top - y) * w.scale]; }"
    bare.mouse.move(*bare.evaluate(script, spots[0].tolist()))
    expect(bare.locator("#a .tip")).to_have_text("component 1 of 100 · weight 2.0 %")
    bare.wait_for_timeout(100)
    with_rings = inked()
    assert with_rings > few + 300
    show(bare, packed([[5, 5]], [0], ellipses=rings[:10], x_range=(-1.5, 1.5), y_range=(-1.5, 1.5)))
    assert inked() > with_rings  # ten are all ringed


def test_pictures_are_drawn_where_they_have_room(bare: Page) -> None:
    rings = [(-0.5, 0, 0.1, 0.1, 0, 0.5), (-0.48, 0, 0.1, 0.1, 0, 1.0), (0.5, 0, 0.1, 0.1, 0, 0.5)]
    pictures = np.stack([np.full((1, 6, 6), value, np.uint8) for value in (60, 120, 180)])
    show(bare, packed([[5, 5]], [0], ellipses=rings, pictures=pictures))

    def values() -> set[int]:
        counts = count_colours(bare)
        return {value for value in (60, 120, 180) if counts.get(f"{value} {value} {value} 255", 0) > 100}

    assert values() == {120, 180}  # the heavier of two that lie on one another
    bare.evaluate(f"{VIEW}.showPart({{x: -0.49, y: 0, scale: 6000}})")
    bare.wait_for_timeout(200)
    assert values() == {60, 120}


def test_the_view_begins_at_the_points_and_glides_out_as_they_move(bare: Page) -> None:
    clouds = [np.multiply(FOUR, 0.01), np.multiply(FOUR, 1.0), np.multiply(FOUR, 1.2)]
    show(bare, packed(clouds[2], [0, 1, 2, 0], epoch=2))
    whole = bare.evaluate(f"{VIEW}.window().scale")
    keep(bare, pack.pack_film("r", range(3), clouds, [""] * 3))
    for _ in range(2):
        bare.get_by_role("button", name="One epoch back").click()
    bare.wait_for_selector("#a canvas[data-gliding=false][data-epoch='0']")
    begun = bare.evaluate(f"{VIEW}.window().scale")
    assert begun > 20 * whole  # the points of before the training fill the map
    on_its_way = bare.evaluate(
        """() => {
            const map = document.querySelector('#a .map').map, seen = [];
            map.film.step(1);
            return new Promise((done) => {
                const watch = () => {
                    seen.push(map.view.window().scale);
                    if (map.view.glide) return requestAnimationFrame(watch);
                    done(seen);
                };
                watch();
            });
        }"""
    )
    assert on_its_way[0] > 10 * whole and on_its_way[-1] == pytest.approx(whole)
    assert (np.diff(on_its_way) <= 0).all() and sum(1.1 * whole < scale < 0.9 * begun for scale in on_its_way) >= 2

    before = bare.evaluate("text => void show('a', text)", to_text(packed(clouds[2], [0, 1, 2, 0], epoch=2, run="s")))
    assert before is None
    bare.wait_for_selector("#a canvas[data-gliding=false]")
    wide = packed(clouds[2], [0, 1, 2, 0], epoch=2, run="s", x_range=(-4.0, 4.0), y_range=(-4.0, 4.0))
    bare.evaluate("text => void show('a', text)", to_text(wide))
    assert bare.evaluate(f"{VIEW}.window().scale") > 0.9 * whole  # a frame that shows more does not jump either
    bare.wait_for_function(f"!{VIEW}.glide")
    assert bare.evaluate(f"{VIEW}.window().scale") == pytest.approx(whole / 4)


def test_the_map_is_presented_on_the_whole_screen(bare: Page) -> None:
    clouds = [np.multiply(FOUR, 1 - k / 8) for k in range(4)]
    show(bare, packed(clouds[3], [0, 1, 2, 0], epoch=3, **ROWS))
    keep(bare, pack.pack_film("r", range(4), clouds, [""] * 4))
    small = bare.locator("#a .film span").evaluate("it => parseFloat(getComputedStyle(it).fontSize)")
    over(bare).press("f")
    full = bare.locator("#a .map.presented")
    expect(full).to_be_visible()
    bare.wait_for_function("document.fullscreenElement !== null || document.querySelector('.map:popover-open')")
    box, screen = full.bounding_box(), bare.viewport_size
    assert box["width"] >= screen["width"] and box["height"] >= screen["height"] and (box["x"], box["y"]) == (0, 0)
    room = bare.locator("#a .room").bounding_box()
    assert room["height"] > 0.7 * box["height"] and room["width"] > 0.7 * box["width"]
    assert bare.locator("#a .film span").evaluate("it => parseFloat(getComputedStyle(it).fontSize)") > 1.5 * small
    over(bare).press("ArrowLeft")
    over(bare).press("ArrowLeft")
    expect(bare.locator("#a .film span")).to_have_text("epoch 1 of 3")
    over(bare).press("ArrowRight")
    expect(bare.locator("#a .film span")).to_have_text("epoch 2 of 3")
    over(bare).press(" ")
    expect(bare.get_by_role("button", name="Pause")).to_be_visible()
    over(bare).press(" ")
    expect(bare.get_by_role("button", name="Play")).to_be_visible()
    over(bare).press("Escape")
    expect(full).to_have_count(0)
    bare.wait_for_function("document.fullscreenElement === null && !document.querySelector('.map:popover-open')")
    refuse = "() => {document.querySelector('#a .map').requestFullscreen = () => Promise.reject(new TypeError())}"
    bare.evaluate(refuse)
    bare.get_by_role("button", name="Full screen").click()  # where there is no full screen
    expect(full).to_be_visible()
    assert full.bounding_box()["width"] >= screen["width"]
    over(bare).press("f")
    expect(full).to_have_count(0)
