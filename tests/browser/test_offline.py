"""A class without a network sees what others see: no page asks another host for anything, and icons are icons."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Request, Route, expect

PATHS = [
    "/",
    "/Train",
    "/Explore",
    "/Compare",
    "/Few_labels",
    "/Places",
    "/MetricVAE",
    "/Clusters",
    "/Prior",
    "/Data",
    "/Many_at_once",
]
ICONS = """() => [...document.querySelectorAll('[data-testid=stIconMaterial]')]
    .map(icon => ({icon, box: icon.getBoundingClientRect(), size: parseFloat(getComputedStyle(icon).fontSize)}))
    .filter(({box}) => box.width > 0)
    .map(({icon, box, size}) => ({
        name: icon.textContent,
        squares: box.width / size,
        overflows: icon.scrollWidth > Math.ceil(box.width) + 1,
        there: document.fonts.check(`${size}px ${getComputedStyle(icon).fontFamily}`, icon.textContent),
    }))"""
TAB = """async () => {
    const image = new Image();
    image.src = document.querySelector("link[rel='shortcut icon']").href;
    await image.decode();
    return image.src;
}"""


@pytest.fixture
def foreign(page: Page, app) -> Iterator[list[str]]:
    """What the page asks of other hosts, none of which answers."""
    asked: list[str] = []

    def is_foreign(address: str) -> bool:
        return not re.match(rf"(blob:)?{re.escape(app.url)}/|data:|blob:null|about:", address)

    def note(request: Request) -> None:
        if is_foreign(request.url):
            asked.append(request.url)

    def cut(route: Route) -> None:
        route.abort() if is_foreign(route.request.url) else route.continue_()

    page.on("request", note)
    page.on("websocket", lambda socket: asked.append(socket.url) if app.url[4:] + "/" not in socket.url else None)
    page.route("**/*", cut)
    yield asked


def settle(page: Page) -> None:
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    page.wait_for_timeout(700)


@pytest.mark.parametrize("path", PATHS)
def test_no_page_asks_another_host_and_icons_are_icons(page: Page, foreign: list[str], path: str) -> None:
    page.goto(path, wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    settle(page)
    for expander in page.locator("[data-testid=stExpander] details").all():
        if expander.get_attribute("open") is None:
            expander.locator("> summary").click()
    for tab in page.get_by_role("tab").all():
        tab.click()
    settle(page)

    assert not foreign
    icons = page.evaluate(ICONS)
    names = {icon["name"] for icon in icons}
    assert {"home", "play_circle", "travel_explore", "school"} <= names
    words = [icon for icon in icons if icon["squares"] > 1.3 or icon["overflows"] or not icon["there"]]
    assert not words
    assert page.evaluate(TAB).startswith("data:image/svg+xml,")


def test_formulas_are_set_without_a_network(page: Page, foreign: list[str]) -> None:
    page.goto("/Places", wait_until="domcontentloaded")
    page.get_by_role("button", name="The maths").click()
    expect(page.locator(".katex").first).to_be_visible()
    settle(page)
    assert page.evaluate("document.fonts.check('16px KaTeX_Main')") and not foreign


def test_what_a_page_would_ask_of_another_host_is_not_asked(page: Page) -> None:
    """Whatever is written on a page, as a picture in a run's name: the browser itself refuses."""
    page.goto("/Data", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    reached: list[str] = []
    page.route("http://elsewhere.example/**", lambda route: (reached.append(route.request.url), route.abort()))
    blocked = page.evaluate(
        """() => new Promise(resolve => {
            const blocked = [];
            document.addEventListener("securitypolicyviolation", event => {
                blocked.push(event.blockedURI);
                if (blocked.length == 2) resolve(blocked);
            });
            document.body.append(Object.assign(new Image(), {src: "http://elsewhere.example/picture.png"}));
            fetch("http://elsewhere.example/words").catch(() => null);
        })"""
    )
    assert len(blocked) == 2 and not reached
