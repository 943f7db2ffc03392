"""What a visitor of Train sees: the map appears, its points move, a run stops and goes on, links carry the knobs."""

import json
import os
import re
import secrets
import signal
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from semidml.config import RunConfig
from semidml.runs import listing
from semidml.runs.status import Status, write_status
from tests.browser.pages import press_train


def ready(page: Page, path: str) -> None:
    page.goto(path, wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Train", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"\bTrain$")).first).to_be_visible()


def state_of(folder: Path) -> dict:
    """status.json of the newest run."""
    newest = max((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda p: p.stat().st_ctime)
    return json.loads((newest / "status.json").read_text()) | {"id": newest.name}


def test_a_run_is_trained_seen_and_scored(page: Page, app) -> None:
    ready(page, "/Train?data=digits&model=dml-ae&epochs=13&seed=1")
    press_train(page)
    expect(page.get_by_text("Epoch 13 of 13 · 1,797 points").first).to_be_visible()  # no other run has so many
    expect(page.locator("canvas[data-drawn='1797']").first).to_be_visible()
    expect(page.get_by_text("Done", exact=True).first).to_be_visible(timeout=60_000)
    page.get_by_role("combobox", name="Dimensions").click()  # any move: the page goes on showing this run
    page.get_by_role("option", name="4", exact=True).click()
    expect(page.get_by_text("The knobs have moved on since this run: latent dimensions 2 → 4.").first).to_be_visible()
    accuracy = page.locator(".scorecard .headlines .value").first
    expect(accuracy).to_have_text(re.compile(r"\d+\.\d %"))
    assert float(accuracy.inner_text().removesuffix(" %")) > 50  # chance is 10 %
    expect(page.get_by_alt_text("images over their reconstructions").first).to_be_visible()
    assert state_of(app.runs)["state"] == "done"


def test_another_page_has_nothing_to_say_of_a_link_that_was_left(page: Page) -> None:
    """The browser drops the parts of an address that another page would not read."""
    ready(page, "/Train?model=dml&seed=3&foo=1")
    expect(page.get_by_text("No page reads this part of the link: foo. It changes nothing.")).to_be_visible()
    for name in ("Explore", "Compare", "Data", "Train"):
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", name=name, exact=True).first).to_be_visible()
        expect(page.get_by_text("Nothing runs now.").first).to_be_visible()
        expect(page.get_by_text(re.compile("part of the link"))).to_have_count(0)


def test_the_map_answers_the_mouse(page: Page) -> None:
    ready(page, "/Train?run=digits-dml-all-labels")
    canvas = page.locator("canvas[data-drawn='1797']")
    expect(canvas).to_be_visible()
    expect(
        page.get_by_role("application", name=re.compile("^Map of the latent space.*1,797 points")).first
    ).to_be_visible()
    corner = canvas.bounding_box()
    tip = page.locator(".tip")
    for x, y in ((x, y) for x in range(100, 500, 8) for y in range(60, 420, 8)):
        page.mouse.move(corner["x"] + x, corner["y"] + y)
        if tip.is_visible():
            break
    expect(tip).to_have_text(re.compile(r"^\d · (test image \d+|training image [\d,]+, label (not )?seen)$"))

    name = tip.inner_text()[0]
    page.get_by_role("button", name=name, exact=True).click()  # its class is hidden
    expect(canvas).not_to_have_attribute("data-shown", "1797")
    page.mouse.move(corner["x"] + x, corner["y"] + y)
    assert tip.is_hidden() or not tip.inner_text().startswith(name)
    window = "root => JSON.stringify(root.map.view.window())"
    whole = page.locator(".map").first.evaluate(window)
    page.mouse.move(corner["x"] + 200, corner["y"] + 200)
    page.mouse.down()
    page.mouse.move(corner["x"] + 260, corner["y"] + 220, steps=3)
    page.mouse.up()
    assert page.locator(".map").first.evaluate(window) != whole
    canvas.dblclick()
    assert page.locator(".map").first.evaluate(window) == whole


def test_a_run_stops_and_goes_on_and_a_killed_worker_is_said(page: Page, app) -> None:
    ready(page, "/Train?data=digits&model=dml&epochs=2000&seed=2")
    press_train(page)
    expect(page.get_by_text(re.compile(r"^(Training: epoch|Waiting|Starting)")).first).to_be_visible()
    caption = page.get_by_text(re.compile(r"^(Epoch|Before training|In epoch).* points")).first
    expect(caption).to_be_visible()
    expect(caption).not_to_have_text(caption.inner_text())  # the frame moves on; 2,000 epochs outlast any slow page
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped", exact=True).first).to_be_visible()
    stopped = state_of(app.runs)
    assert stopped["state"] == "stopped"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(re.compile("^Training: epoch")).first).to_be_visible()
    time.sleep(1)
    running = state_of(app.runs)
    assert running["epoch"] >= stopped["epoch"] and running["state"] == "running"

    other_tab = page.context.new_page()  # watches the same run
    ready(other_tab, f"/Train?run={running['id']}")
    expect(other_tab.get_by_text(re.compile("^Training: epoch")).first).to_be_visible()
    other_tab.close()

    os.kill(running["owner"]["pid"], signal.SIGKILL)
    expect(page.get_by_text("Interrupted", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Resume").first).to_be_visible()
    expect(page.get_by_text(re.compile("killed|process ended")).first).to_be_visible()


def test_a_prior_is_placed_trained_with_and_drawn(page: Page) -> None:
    page.goto("/Prior", wait_until="domcontentloaded")
    expect(page.get_by_text("they merge into 1 mode").first).to_be_visible()
    page.get_by_role("button", name="Ten on a lattice").click()
    expect(page.get_by_text("10 modes").first).to_be_visible()
    page.get_by_role("button", name=re.compile(r"\bTrain with it$")).click()
    expect(page.get_by_role("heading", name="Train", exact=True).first).to_be_visible()
    page.wait_for_url(re.compile("placement=lattice"))
    expect(page.locator("canvas[data-components='10'][data-regions='2']").first).to_be_visible()  # it trains already
    expect(page.get_by_text(re.compile("components used")).first).to_be_visible()
    page.get_by_role("button", name=re.compile(r"\bStop$")).click()
    expect(page.get_by_text("Stopped", exact=True).first).to_be_visible()


def test_the_link_carries_the_knobs(page: Page) -> None:
    ready(page, "/Train?data=digits&model=dml-ae&alpha=0.5&latent_dim=4&seed=7")
    expect(page.get_by_role("combobox", name="Dimensions")).to_have_value("4")
    page.wait_for_url(re.compile(r"alpha=0\.5"))
    assert "latent_dim=4" in page.url and "seed=7" in page.url
    page.get_by_text("No decoder", exact=True).click()
    page.wait_for_url(re.compile(r"model=dml(&|$)"))
    assert "alpha" not in page.url  # plain metric learning has no alpha
    page.reload(wait_until="domcontentloaded")
    expect(page.get_by_text("python -m semidml train", exact=False).first).to_be_attached()


def test_quick_moves_of_a_switch_set_no_other_knob(page: Page) -> None:
    ready(page, "/Train?data=digits")
    for _ in range(5):
        page.get_by_text("No decoder", exact=True).click()
        page.get_by_text("Decoder", exact=True).last.click()
    page.wait_for_timeout(3000)
    page.get_by_role("spinbutton", name="Epochs").fill("7")
    page.get_by_role("spinbutton", name="Epochs").press("Enter")
    page.wait_for_url(re.compile("epochs=7"))
    assert not re.search(r"alpha=(?!0\.02(&|$))", page.url)  # it is told where the run that is shown has another
    assert "model=dml-ae" in page.url


def test_labels_seen_keep_their_share_when_the_data_change(page: Page) -> None:
    ready(page, "/Train?data=digits&pl=5")
    expect(page.get_by_text("65 of 1,297 labels").first).to_be_visible()
    page.get_by_role("combobox", name="Data", exact=True).click()
    page.get_by_role("option", name="MNIST", exact=True).click()
    expect(page.get_by_text("3,000 of 60,000 labels").first).to_be_visible()
    expect(page.get_by_text("MNIST is not on this machine yet").first).to_be_visible()
    page.get_by_text("No decoder", exact=True).click()
    page.wait_for_url(re.compile(r"model=dml(&|$)"))
    assert "pl=5" in page.url
    expect(page.get_by_text("3,000 of 60,000 labels").first).to_be_visible()


def test_a_wrong_link_is_said_and_nothing_else_happens(page: Page) -> None:
    ready(page, "/Train?alpha=99&data=../../no-such-place&seed=5&nonsense=1")
    expect(page.get_by_text("alpha must be between 0 and 1, got 99").first).to_be_visible()
    expect(page.get_by_text(re.compile("data must be one of .*no-such-place")).first).to_be_visible()
    page.wait_for_url(re.compile("seed=5"))
    assert "99" not in page.url.partition("?")[2] and "no-such-place" not in page.url


def test_a_run_is_deleted_while_it_is_shown(page: Page, app) -> None:
    run = listing.create_run(RunConfig(), path=app.runs / f"soon-gone-{secrets.token_hex(2)}")
    write_status(run, Status("stopped", updated=time.time()))
    ready(page, f"/Train?run={run.id}")
    page.get_by_role("button", name="delete", exact=False).first.click()
    page.get_by_role("button", name=re.compile(r"\bDelete$")).click()
    expect(page.get_by_text("is not here (any more)").first).to_be_visible()
    assert not run.path.exists()
