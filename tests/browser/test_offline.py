"""A class without a network sees what others see: formulas are set, and the browser itself asks no other host. Of each
page as it opens `test_each_page.py` says so."""

from playwright.sync_api import Page, expect

from tests.browser.pages import settled


def test_formulas_are_set_without_a_network(page: Page, foreign: list[str]) -> None:
    page.goto("/Places", wait_until="domcontentloaded")
    page.get_by_role("button", name="The maths").click()
    expect(page.locator(".katex").first).to_be_visible()
    settled(page)
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
