"""What a visitor of a lesson does: predicts, sees the runs, turns a knob and watches it train beside them."""

import re

from playwright.sync_api import Page, expect


def test_a_lesson_is_predicted_revealed_and_turned(page: Page) -> None:
    page.goto("/Places", wait_until="domcontentloaded")
    expect(page.get_by_role("button", name="Show me")).to_be_disabled()
    expect(page.locator("canvas[data-epoch='0']").first).to_be_visible()
    expect(page.get_by_role("heading", name="Reveal")).to_have_count(0)
    page.get_by_text("four groups of points").click()
    page.get_by_role("button", name="Show me").click()
    expect(page.get_by_text("It is: one small heap").first).to_be_visible()
    expect(page.locator("canvas[data-epoch='0']")).to_have_count(0)  # the map from before training makes room
    expect(page.locator("canvas[data-drawn='1797']")).to_have_count(3)
    expect(page.locator("canvas[data-components='10']")).to_have_count(1)

    expect(page.get_by_role("heading", name="Check yourself").first).to_be_visible()
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    page.wait_for_timeout(1000)  # maps that are drawn push down what is below them, and a click would miss it
    page.get_by_role("button", name=re.compile(r"\bBreak it so$")).nth(1).click()  # trapped
    expect(page.get_by_text("component spacing 2.67 → 5, component log-variance -1 → -3").first).to_be_visible()
    expect(page.locator("canvas[data-drawn='1797']")).to_have_count(5)
    expect(page.get_by_text("One component holds nearly all points").first).to_be_visible()
    expect(page.get_by_text("Done", exact=True).first).to_be_visible()

    page.get_by_role("link", name=re.compile("The prior$")).click()  # and back: what was done is still there
    expect(page.get_by_role("heading", name="The prior", exact=True).first).to_be_visible()
    page.get_by_role("link", name=re.compile("Places$")).first.click()
    expect(page.get_by_text("It is: one small heap").first).to_be_visible()
    expect(page.locator("canvas[data-drawn='1797']")).to_have_count(5)
