"""The map alone, in a page without Streamlit, for the tests of what it does there."""

import base64

import numpy as np
from playwright.sync_api import Page

from semidml.scatter import bundle, pack, sent

LOOKS = [("#3377cc", "circle"), ("#ffcc00", "square"), ("#aa2200", "triangle-up")]
SETUP = """async ([program, store, css]) => {
    document.body.innerHTML = '<div id="a" style="width: 700px"></div><div id="b" style="width: 700px"></div>';
    const style = document.createElement('style');
    style.textContent = css + ':root {--st-text-color: rgb(28, 36, 48)}';
    document.head.append(style);
    const load = (text) => import(URL.createObjectURL(new Blob([text], {type: 'text/javascript'})));
    window.draw = (await load(program)).default;
    window.store = (await load(store)).default;
    window.told = [];
    window.bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    window.show = (id, text) => {
        const parentElement = document.getElementById(id);
        parentElement.firstChild ?? parentElement.insertAdjacentHTML('beforeend', '<div class="map"></div>');
        const setTriggerValue = (name, value) => told.push([id, name, value]);
        draw({data: bytes(text), parentElement, setTriggerValue});
        return parentElement.firstChild.map;
    };
}"""
PIXELS = """(canvas, [x, y, w, h]) => {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const draw = copy.getContext('2d', {willReadFrequently: true});
    draw.drawImage(canvas, 0, 0);
    return [...draw.getImageData(x, y, w, h).data];
}"""


def prepare_alone(tab: Page) -> None:
    """Gives an empty page the map's program and room for two maps."""
    tab.evaluate(SETUP, [bundle.javascript(), bundle.javascript("store"), bundle.css()])


def packed(points: object, categories: object, **more: object) -> bytes:
    points = np.asarray(points, np.float32).reshape(-1, 2)
    none = np.zeros(len(points), bool)
    given = {"seen": none, "test": none, "names": ["a", "b", "c"], "looks": LOOKS, "run": "r", "words": "a map"}
    given |= {"x_range": (-1.0, 1.0), "y_range": (-1.0, 1.0), "tools": sent.TOOLS}
    return pack.pack(pack.Drawing(points, np.asarray(categories, int), **given | more))


def to_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def keep(page: Page, data: bytes) -> None:
    """Sends what belongs to a run and not to one frame of it."""
    page.evaluate("text => store({data: bytes(text)})", to_text(data))


def show(page: Page, data: bytes, at: str = "a") -> None:
    page.evaluate("([id, text]) => void show(id, text)", [at, to_text(data)])
    page.wait_for_function("id => document.querySelector(`#${id} canvas[data-gliding=false]`)", arg=at)


def told(page: Page, name: str) -> list:
    return [value for _, its, value in page.evaluate("told") if its == name]


def place(page: Page, point: int, at: str = "a") -> tuple[float, float]:
    """Where a point is on the screen."""
    return tuple(
        page.evaluate(
            """([id, i]) => {
                const {view, cloud, over} = document.querySelector(`#${id} .map`).map, [x, y] = cloud.placeOf(i);
                const box = over.getBoundingClientRect(), {left, top, scale} = view.window();
                return [box.x + 40 + (x - left) * scale, box.y + (top - y) * scale];
            }""",
            [at, point],
        )
    )


def over(page: Page, at: str = "a") -> object:
    return page.locator(f"#{at} canvas[data-drawn]")


FOUR = [[-0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [0.5, -0.5]]
