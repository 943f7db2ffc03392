"""What a visitor of Many at once sees: from a question to the runs of a cell, by mouse and by keyboard."""

import re
from types import SimpleNamespace

from playwright.sync_api import Page, expect

from tests.browser.pages import press_train, settled

MINUTES = 180_000  # two trainings, and the workers that begin, on a busy machine


def fill(page: Page, label: str, text: str) -> None:
    settled(page)  # what is typed while the page is drawn anew may be taken back
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Enter")


def test_from_a_question_to_the_runs_of_a_cell(page: Page) -> None:
    page.goto("/Many_at_once", wait_until="domcontentloaded")
    page.get_by_role("button", name="When does the prior collapse?").click()
    expect(page.get_by_text(re.compile(r"72 runs: 6 × 6 × 2 seeds"))).to_be_visible()
    fill(page, "Values of component log-variance", "-2,1")
    expect(page.get_by_text(re.compile(r"24 runs: 2 × 6 × 2 seeds"))).to_be_visible()
    fill(page, "Values of alpha", "0.1")
    expect(page.get_by_text(re.compile(r"4 runs: 2 × 1 × 2 seeds"))).to_be_visible()
    fill(page, "Seeds", "1")
    expect(page.get_by_text(re.compile(r"2 runs: 2 × 1 × 1 seed\b"))).to_be_visible()
    press_train(page)

    heat, maps = page.locator(".heat .field button"), page.locator(".maps .field button")
    expect(heat).to_have_count(2, timeout=MINUTES)
    heat.first.evaluate("button => { button.stays = true; }")
    expect(page.get_by_text("2 of 2 runs are done")).to_be_visible(timeout=MINUTES)
    expect(heat.first).to_have_text(re.compile(r"\d+"))
    assert heat.first.evaluate("button => button.stays")  # the sheet was filled, not made anew
    assert page.locator(".maps canvas").evaluate(
        "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(part => part > 0)"
    )

    maps.first.hover()
    expect(page.locator(".sheet .tip")).to_contain_text("Component log-variance -2")
    heat.first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".sheet .tip")).to_contain_text("Component log-variance 1")
    page.keyboard.press("Enter")
    expect(heat.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(maps.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile(r"cell=[0-9a-f]{16}"))
    page.get_by_role("link", name="Explore").nth(1).click()
    expect(page.get_by_role("heading", name="Explore", exact=True).first).to_be_visible()
    expect(page).to_have_url(re.compile(r"run=digits-dml-prior-by-component-log-var-alpha(%2F|/)[0-9a-f]{16}"))
    expect(page.locator(".map canvas").first).to_be_visible()


def test_one_click_turns_a_run_into_the_same_with_ten_seeds(page: Page, app: SimpleNamespace) -> None:
    page.goto("/Train?data=digits&model=dml&epochs=3&seed=4&batch_size=300", wait_until="domcontentloaded")
    press_train(page)
    click = page.get_by_role("button", name=re.compile("The same with 10 seeds$"))
    click.click(timeout=MINUTES)
    expect(page.get_by_role("heading", name="Many at once", exact=True).first).to_be_visible()
    expect(page).to_have_url(re.compile("sweep=digits-dml-seeds"))
    heat = page.locator(".heat .field button")
    expect(heat).to_have_count(10, timeout=MINUTES)
    expect(heat.nth(4)).to_have_text(re.compile(r"\d+"), timeout=MINUTES)  # the run's own seed: it is here already
    expect(page.get_by_text(re.compile(r"\(n = \d+\), mean and standard deviation over seeds"))).to_be_visible()
    page.get_by_role("button", name=re.compile(r"\bStop$")).click()
    expect(page.get_by_role("button", name=re.compile(r"\bGo on$"))).to_be_visible(timeout=MINUTES)
