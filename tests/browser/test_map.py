"""The map alone, in a page without Streamlit: what it draws, what it tells, what it does not run."""

import base64
import json
import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from semidml.scatter import pack, sent
from tests.browser.alone import FOUR, LOOKS, PIXELS, over, packed, place, show, told

LOSE = "document.querySelector('#a .map').map.points.gl.getExtension('WEBGL_lose_context').loseContext()"


def colour_at(page: Page, point: int) -> tuple[int, ...]:
    """The colour of the layer of points where a point is, whatever draws it; read in the frame in which it is drawn."""
    script = """([id, i, pixels]) => {
        const map = document.querySelector(`#${id} .map`).map, its = map.view.window(), [x, y] = map.cloud.placeOf(i);
        map.drawing = null; // what is drawn can only be read in the same frame
        map.paint();
        const at = [(x - its.left) * its.scale, (its.top - y) * its.scale].map(Math.round);
        return eval(pixels)(map.canvas, [...at, 1, 1]);
    }"""
    return tuple(page.evaluate(script, ["a", point, PIXELS]))


def test_points_are_drawn_where_they_are_in_their_colours(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0]))
    for by in ("webgl", "canvas"):
        expect(over(bare)).to_have_attribute("data-drawn-by", by)
        for point, category in enumerate([0, 1, 2, 0]):
            colour = [int(LOOKS[category][0][k : k + 2], 16) for k in (1, 3, 5)]
            assert np.allclose(colour_at(bare, point)[:3], colour, atol=40), (by, point)
        if by == "webgl":
            bare.evaluate(LOSE)
    assert bare.locator("#a .legend button").all_inner_texts() == ["a", "b", "c"]
    assert bare.locator("#a table td").all_inner_texts()[:4] == ["a", "2", "0.00", "-0.50"]
    expect(bare.get_by_role("application", name="a map")).to_have_count(1)


def test_lost_webgl_is_replaced_and_the_sample_is_said(bare: Page) -> None:
    n = 20_000
    points = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    show(bare, packed(np.concatenate([FOUR, points]), [0, 1, 2, 0] + [1] * n, seen=np.arange(n + 4) < 4))
    bare.evaluate(LOSE)
    expect(over(bare)).to_have_attribute("data-drawn-by", "canvas")
    expect(bare.locator("#a .note")).to_have_text("5,000 of 20,004 points are drawn: there is no WebGL here")
    assert sum(colour_at(bare, 0)) > 0  # a point with a seen label is among them


def test_a_click_a_box_a_lasso_and_a_line_are_told(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0]))
    bare.mouse.click(*place(bare, 1))
    x, y = place(bare, 0)
    bare.mouse.click(x, y - 60)
    first, empty = told(bare, "asked")
    assert first["point"] == 1 and np.allclose([first["x"], first["y"]], 0.5, atol=0.02)
    assert empty["point"] == -1 and empty["x"] == pytest.approx(-0.5, abs=0.02) and empty["y"] > -0.45

    left = [place(bare, 0), place(bare, 2)]  # lower left, upper left
    for tool in ("Box", "Lasso"):
        bare.get_by_role("button", name=tool).first.click()
        path = [(left[1][0] - 30, left[1][1] - 30), (left[1][0] + 30, left[1][1] - 30)]
        path += [(left[0][0] + 30, left[0][1] + 30)] + ([(left[0][0] - 30, left[0][1] + 30)] if tool == "Lasso" else [])
        bare.mouse.move(*path[0])
        bare.mouse.down()
        for corner in path[1:]:
            bare.mouse.move(*corner, steps=4)
        bare.mouse.up()
    assert [sorted(its["points"]) for its in told(bare, "region")] == [[0, 2], [0, 2]]
    over(bare).press("Escape")
    assert told(bare, "region")[-1]["points"] == []

    bare.get_by_role("button", name="Line").first.click()
    bare.mouse.move(*place(bare, 0))
    bare.mouse.down()
    bare.mouse.move(*place(bare, 1), steps=4)
    bare.mouse.up()
    assert np.allclose(told(bare, "line")[0]["ends"], [[-0.5, -0.5], [0.5, 0.5]], atol=0.02)


def test_zoom_and_hidden_classes_survive_new_points_and_another_run_forgets(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0]))
    span = "document.querySelector('#a .map').map.view.window().scale"
    whole = bare.evaluate(span)
    over(bare).press("+")
    over(bare).press("ArrowLeft")
    bare.get_by_role("button", name="b", exact=True).click()
    zoomed = bare.evaluate(span)
    assert zoomed == pytest.approx(1.25 * whole)
    bare.wait_for_function("document.querySelector('#a canvas[data-shown=\"3\"]')")
    show(bare, packed(np.array(FOUR) * 0.9, [0, 1, 2, 0], epoch=1))
    assert bare.evaluate(span) == zoomed
    expect(over(bare)).to_have_attribute("data-shown", "3")
    bare.get_by_role("button", name="a", exact=True).dblclick()  # alone
    bare.wait_for_function("document.querySelector('#a canvas[data-shown=\"2\"]')")
    over(bare).dblclick(position={"x": 300, "y": 40})
    assert bare.evaluate(span) == whole
    bare.keyboard.down("Control")
    bare.mouse.wheel(0, -200)
    bare.keyboard.up("Control")
    assert bare.evaluate(span) > whole
    show(bare, packed(FOUR, [0, 1, 2, 0], run="another"))
    assert bare.evaluate(span) == whole
    expect(over(bare)).to_have_attribute("data-shown", "4")


def test_two_fingers_zoom(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0]))
    bare.evaluate(
        """() => {
            const canvas = document.querySelector('#a canvas[data-drawn]');
            canvas.setPointerCapture = () => {};
            const send = (type, pointerId, clientX) => canvas.dispatchEvent(new PointerEvent(
                type, {pointerId, clientX, clientY: 200, button: 0, pointerType: 'touch', bubbles: true}));
            send('pointerdown', 1, 300); send('pointerdown', 2, 400);
            send('pointermove', 2, 500); send('pointerup', 1, 300); send('pointerup', 2, 500);
        }"""
    )
    view = "document.querySelector('#a .map').map.view"
    assert bare.evaluate(f"{view}.window().scale / {view}.fitted().scale") == pytest.approx(2)
    assert told(bare, "asked") == []


def test_points_glide_unless_less_motion_is_wanted(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0]))
    there = "([i]) => document.querySelector('#a .map').map.cloud.placeOf(i)[0]"
    new = base64.b64encode(packed(np.add(FOUR, [0.4, 0]), [0, 1, 2, 0], epoch=1)).decode()
    bare.evaluate("text => void show('a', text)", new)
    assert bare.evaluate(there, [0]) < 0.1  # on its way from -0.5 to -0.1
    bare.wait_for_function("document.querySelector('#a canvas[data-gliding=false][data-epoch=\"1\"]')")
    assert bare.evaluate(there, [0]) == pytest.approx(-0.1, abs=1e-3)
    bare.emulate_media(reduced_motion="reduce")
    bare.evaluate("text => void show('a', text)", base64.b64encode(packed(FOUR, [0, 1, 2, 0], epoch=2)).decode())
    assert bare.evaluate(there, [0]) == pytest.approx(-0.5, abs=1e-3)


def grey(value: int) -> np.ndarray:
    return np.full((1, 6, 6), value, np.uint8)


def test_the_image_at_the_mouse_is_the_points_own_after_filtering_and_scrubbing(bare: Page) -> None:
    labels, predicted = np.array([0, 1, 2, 0]), np.array([0, 2, 2, 0])
    images = np.stack([grey(value) for value in (10, 80, 150, 220)])
    clouds = [np.array(FOUR), -np.array(FOUR) * 0.8]
    more = {"predictions": predicted, "images_of": "r", "test": np.array([False, True, False, False])}
    bare.evaluate("text => store({data: bytes(text)})", base64.b64encode(pack.pack_images("r", images)).decode())
    film = base64.b64encode(pack.pack_film("r", [0, 3], clouds, ["", "kNN 90 %"])).decode()

    def seen(point: int) -> tuple[str, int]:
        bare.mouse.move(5, 5)
        bare.mouse.move(*place(bare, point))
        expect(bare.locator("#a .tip")).to_be_visible()
        return bare.locator("#a .tip").inner_text(), bare.locator("#a .tip canvas").evaluate(PIXELS, [2, 2, 1, 1])[0]

    show(bare, packed(FOUR, labels, **more))
    assert seen(1) == ("b · predicted c · test image", 80)
    assert seen(3) == ("a · predicted right · training image, label not seen", 220)
    away = np.array([True, False, False, True])  # filtered by rows, and by the legend
    show(bare, packed(FOUR, labels, away=away, **more))
    bare.get_by_role("button", name="b", exact=True).click()
    assert seen(2)[1] == 150
    bare.mouse.move(*place(bare, 0))
    expect(bare.locator("#a .tip")).to_be_hidden()

    bare.evaluate("text => store({data: bytes(text)})", film)
    expect(bare.locator("#a .film")).to_be_visible()
    expect(bare.locator("#a .film span")).to_have_text("epoch 0 of 3")
    bare.get_by_role("button", name="One epoch on").click()
    expect(bare.locator("#a .film span")).to_have_text("epoch 3 of 3 · kNN 90 %")
    bare.wait_for_function("document.querySelector('#a canvas[data-gliding=false][data-epoch=\"3\"]')")
    bare.wait_for_function("told.some(([, name]) => name === 'epoch')")
    assert told(bare, "epoch") == [3]
    assert seen(2)[1] == 150 and bare.evaluate("document.querySelector('#a .map').map.cloud.placeOf(2)[0]") > 0.3


def test_a_point_without_a_label_or_a_prediction_says_so(bare: Page) -> None:
    known = {"labels": np.array([0, -1, 2, -1]), "predictions": np.array([0, 2, -1, -1])}
    show(bare, packed(FOUR, [0, 1, 2, 1], label_names=["a", "b", "c"], **known))
    said = []
    for point in range(4):
        bare.mouse.move(5, 5)
        bare.mouse.move(*place(bare, point))
        expect(bare.locator("#a .tip")).to_be_visible()
        said.append(bare.locator("#a .tip").inner_text().partition(" · training")[0])
    assert said == ["a · predicted right", "no label · predicted c", "c", "no label"]


def test_a_film_plays_and_stays_ahead_of_the_page(bare: Page) -> None:
    clouds = [np.array(FOUR) * (1 - k / 20) for k in range(13)]
    film = pack.pack_film("r", range(13), clouds, [""] * 13)
    show(bare, packed(clouds[12], [0, 1, 2, 0], epoch=12, marked=[1]))
    bare.evaluate("text => store({data: bytes(text)})", base64.b64encode(film).decode())
    bare.get_by_role("button", name="Play").click()
    expect(bare.locator("#a .film span")).to_have_text(re.compile("epoch [1-9] of 12"))
    bare.evaluate("text => void show('a', text)", base64.b64encode(packed(clouds[12], [0, 1, 2, 0], epoch=12)).decode())
    assert 1 <= int(bare.locator("#a .film input").input_value()) < 12  # the page's own frame does not take it there
    expect(bare.locator("#a .film span")).to_have_text("epoch 12 of 12")
    expect(bare.get_by_role("button", name="Play")).to_be_visible()
    bare.wait_for_function("told.some(([, name]) => name === 'epoch')")
    assert told(bare, "epoch") == [12]


def test_linked_maps_share_zoom_choices_and_the_mouse(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0], link="x"))
    show(bare, packed(np.array(FOUR) * 10, [0, 1, 2, 0], run="s", link="x", x_range=(-10, 10), y_range=(-10, 10)), "b")
    over(bare).press("+")
    nearer = "id => (view => view.window().scale / view.fitted().scale)(document.querySelector(`#${id} .map`).map.view)"
    assert bare.evaluate(nearer, "b") == pytest.approx(bare.evaluate(nearer, "a")) == pytest.approx(1.25)
    bare.locator("#b").get_by_role("button", name="b", exact=True).click()
    bare.wait_for_function("document.querySelector('#a canvas[data-shown=\"3\"]')")
    bare.mouse.move(*place(bare, 2))
    assert bare.evaluate("document.querySelector('#b .map').map.marked()") == [2]
    assert bare.evaluate("document.querySelector('#a .map').map.marked()") == []


def test_what_is_shown_stays_while_components_are_moved(bare: Page) -> None:
    rings = [(x, y, 0.2, 0.2, 0.0, 1.0) for x, y in FOUR]
    window = "(its => [its.x, its.y, its.scale])(document.querySelector('#a .map').map.view.window())"
    wide = {"x_range": (-4.0, 1.0), "y_range": (-1.0, 4.0)}

    def shown(move: int, **more: object) -> list[float]:
        show(bare, packed(FOUR, [0, 1, 2, 0], ellipses=rings, movable=True, moves=move, **more))
        return bare.evaluate(window)

    first = shown(0)
    box = bare.get_by_role("button", name=re.compile("^component 1 of 4")).bounding_box()
    bare.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    bare.mouse.down()
    bare.mouse.move(box["x"] - 40, box["y"], steps=3)
    assert shown(0, **wide) == first  # a frame that arrives meanwhile
    bare.mouse.up()
    assert shown(0, **wide) == first  # and one that the page sent before it knew of the move
    assert shown(1, **wide) == first  # the page's answer
    assert shown(1, **wide) == first
    bare.get_by_role("button", name="Show everything").click()
    fitted = shown(1, **wide)
    assert fitted[2] < first[2] and shown(1) == first  # it follows the frame again

    bare.get_by_role("button", name=re.compile("^component 1 of 4")).press("ArrowLeft")
    assert shown(1) == first
    bare.wait_for_function("told.filter(([, name]) => name === 'moved').length === 2")
    assert shown(2, **wide) == first
    assert shown(2, x_range=(-9.0, 1.0), y_range=(-1.0, 9.0))[2] < fitted[2]  # grown by something else than a move

    for _ in range(20):
        bare.get_by_role("button", name=re.compile("^component 1 of 4")).press("Shift+ArrowLeft")
    handles = "document.querySelector('#a .map').map.handles"
    bare.wait_for_function(f"!{handles}.moving")  # slow keys may end more moves than one
    moves = bare.evaluate(f"{handles}.moves")
    at_edge = shown(2, x_range=(-9.0, 1.0), y_range=(-1.0, 9.0))
    assert moves > 2 and shown(moves, x_range=(-20.0, 1.0))[2] < at_edge[2]  # pushed against the edge, it gets room


def test_a_lattice_lies_under_the_points_and_asks_for_what_is_seen(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0], lattice=True))
    bare.wait_for_function("told.some(([, name]) => name === 'seen')")
    box, *_ = sent.box_of(told(bare, "seen")[-1])
    assert box[0] <= -1 and box[2] >= 1
    picture = np.full((8, 8, 1), 200, np.uint8)
    data = pack.pack_lattice("r", box, picture)
    bare.evaluate("text => store({data: bytes(text)})", base64.b64encode(data).decode())
    x, y = place(bare, 0)
    corner = over(bare).bounding_box()
    spot = [round(x - corner["x"]) + 40, round(y - corner["y"]), 1, 1]
    under = bare.locator("#a .room > canvas").first
    bare.wait_for_timeout(200)
    assert under.evaluate(PIXELS, spot) == pytest.approx([200, 200, 200, 153], abs=3)
    over(bare).press("+")
    bare.wait_for_function("told.filter(([, name]) => name === 'seen').length === 2")
    assert sent.box_of(told(bare, "seen")[-1])[0][0] > box[0]


def test_a_label_is_text_whatever_it_says(bare: Page) -> None:
    evil = "<img src=x onerror=window.ran=1>"
    show(bare, packed(FOUR, [0, 1, 2, 0], names=[evil, "b", "c"], words=evil))
    bare.mouse.move(*place(bare, 0))
    expect(bare.locator("#a .tip")).to_contain_text(evil)
    assert bare.locator("#a .legend").inner_text().startswith(evil)
    bare.wait_for_timeout(300)
    assert bare.evaluate("window.ran") is None and bare.locator("#a img").count() == 0


@pytest.mark.parametrize("n", [0, 1, 2_000_000])
def test_any_number_of_points(bare: Page, n: int) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (n, 2)).astype(np.float32)
    show(bare, packed(points, np.arange(n) % 3))
    expect(over(bare)).to_have_attribute("data-drawn", str(n))
    if n:
        bare.mouse.move(*place(bare, n - 1))
        expect(bare.locator("#a .tip")).to_be_visible()


def test_points_that_are_not_finite_are_counted_and_said(bare: Page) -> None:
    show(bare, packed([*FOUR, [np.nan, 0], [np.inf, 1]], [0, 1, 2, 0, 1, 1]))
    expect(over(bare)).to_have_attribute("data-drawn", "4")
    expect(over(bare)).to_have_attribute("data-shown", "4")
    expect(bare.locator("#a .note")).to_have_text("2 points are not finite and not drawn")


def test_a_map_that_is_gone_is_forgotten(bare: Page) -> None:
    show(bare, packed(FOUR, [0, 1, 2, 0]))
    left: Callable[[], int] = lambda: bare.evaluate("semidmlKept.maps.size")  # noqa: E731
    assert left() == 1
    bare.evaluate("() => { const its = document.querySelector('#a .map').map; its.root.remove(); its.close(); }")
    assert left() == 0


def test_bytes_of_another_version_are_refused(bare: Page) -> None:
    header = json.dumps({"version": 1}).encode()
    header += b" " * (-len(header) % 4)
    text = base64.b64encode(len(header).to_bytes(4, "little") + header).decode()
    said = bare.evaluate("text => { try { show('b', text) } catch (error) { return error.message } }", text)
    assert said == f"the map draws version {pack.VERSION}, got 1"
