"""Nothing blinks or jumps while a run goes on: each frame of the browser is looked at, from the first points on."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import press_train

TRAIN = "/Train?data=digits&model=dml-ae&epochs=30&batch_size=16&seed=77"
CLUSTERS = "/Clusters?data=digits&model=cbswr&clusters=10&epochs=12&seed=77"
WATCH = """([count, grows, slack]) => {
  const parts = {map: ['.map', 0], score: ['.scorecard', 0]};
  for (let n = 0; n < count; n++) parts[`chart ${n + 1}`] = ['.curves', n];
  const within = (root) => [...root.querySelectorAll("*")]
    .flatMap((e) => [e, ...(e.shadowRoot ? within(e.shadowRoot) : [])]);
  const own = {};
  for (const [name, [selector, n]] of Object.entries(parts))
    own[name] = within(document).filter((e) => e.matches(selector))[n];
  const around = (element) => {
    const all = [];
    for (let e = element; e; e = e.parentElement ?? e.getRootNode().host) all.push(e);
    return all;
  };
  const place = (element, name) => {  // on the page, however far that is scrolled
    const {x, y, width, height} = element.getBoundingClientRect();
    const top = y + document.querySelector('[data-testid="stMain"]').scrollTop;
    return [x, top, width, ...(name === grows ? [] : [height])].map(Math.round).join(' ');
  };
  const seen = {frames: 0, changes: 0, removed: 0, missing: [], faded: 0, moved: []};
  const places = Object.fromEntries(Object.entries(own).map(([name, element]) => [name, place(element, name)]));
  const told = {};
  new MutationObserver((records) => {
    const gone = records.flatMap(({removedNodes}) => [...removedNodes]);
    for (const element of Object.values(own)) if (gone.some((node) => node.contains(element))) seen.removed++;
  }).observe(document.body, {childList: true, subtree: true});
  const look = () => {
    if (seen.over) return;
    seen.frames++;
    for (const [name, element] of Object.entries(own)) {
      const {width, height} = element.getBoundingClientRect();
      if (!element.isConnected || width < 20 || height < 20 || !element.childElementCount) {
        seen.missing.push(`${name} in frame ${seen.frames}: ${element.isConnected} ${width} ${height}`);
        continue;
      }
      if (around(element).some((e) => getComputedStyle(e).opacity < 1)) seen.faded++;
      const now = place(element, name);
      const old = places[name].split(' ');
      if (now.split(' ').some((value, i) => Math.abs(value - old[i]) > slack)) {
        seen.moved.push(`${name} in frame ${seen.frames}: ${places[name]} -> ${now}`);
        places[name] = now;
      }
      if (element.textContent !== told[name]) seen.changes++;
      told[name] = element.textContent;
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  window.watched = seen;
}"""


@pytest.mark.parametrize(
    ("path", "charts", "grows", "slack"),
    # On Clusters a score that is known at the end comes last, with nothing below it, and the bar, whose title is long,
    # is two pixels higher for as many frames when the run ends.
    [(TRAIN, 2, "", 0), (CLUSTERS, 3, "score", 2)],
    ids=["Train", "Clusters"],
)
def test_no_chart_map_or_score_is_ever_absent_moved_or_resized_while_a_run_goes_on(
    page: Page, path: str, charts: int, grows: str, slack: int
) -> None:
    page.goto(path, wait_until="domcontentloaded")
    expect(page.locator("canvas[data-drawn]").first).to_be_visible()  # of another run
    press_train(page)
    expect(page.get_by_text(re.compile("^Training: epoch")).first).to_be_visible()
    expect(page.locator("canvas[data-drawn='1797']").first).to_be_visible()
    expect(page.locator(".curves")).to_have_count(charts)
    page.evaluate(WATCH, [charts, grows, slack])
    expect(page.get_by_text("Done", exact=True).first).to_be_visible()
    page.wait_for_timeout(1500)  # what comes at the end has come
    seen = page.evaluate("() => { watched.over = true; return watched; }")
    assert seen["frames"] > 60 and seen["changes"] > 12, seen
    assert not seen["removed"] and not seen["missing"] and not seen["faded"], seen
    assert not seen["moved"], seen


def test_curves_are_read_with_mouse_and_keys_as_a_table_and_as_a_file(page: Page) -> None:
    page.goto("/Train?run=digits-metric-vae", wait_until="domcontentloaded")
    loss, scores = (page.locator(".curves").nth(n) for n in (0, 1))
    tip = scores.locator(".reading")
    for name in ("kNN, all labels", "k-means AMI", "chance"):
        expect(scores.locator("svg text", has_text=name).first).to_be_visible()  # at the ends of the curves
    drawing = scores.locator("svg")
    drawing.scroll_into_view_if_needed()
    room = drawing.bounding_box()
    page.mouse.move(room["x"] + 0.4 * room["width"], room["y"] + 0.5 * room["height"])
    expect(tip.locator("b")).to_have_text(re.compile(r"^epoch \d+$"))
    expect(tip.locator("div", has_text="kNN, all labels").first).to_contain_text(re.compile(r"0\.\d{3}$"))
    drawing.focus()
    page.keyboard.press("Home")
    expect(tip.locator("b")).to_have_text("epoch 0")
    page.keyboard.press("ArrowRight")
    expect(tip.locator("b")).to_have_text("epoch 1")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()

    before = loss.bounding_box()
    loss.get_by_role("button", name="Table").click()
    expect(loss.locator("tbody tr")).to_have_count(30)
    expect(loss.locator("th").first).to_have_text("epoch")
    assert loss.bounding_box() == before, "the table takes the place of the curves"
    with page.expect_download() as download:
        loss.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("epoch,kl,kl: weight,kl: term,metric,") and len(lines) == 31
    share, weight, term = map(float, lines[-1].split(",")[1:4])
    assert abs(share - weight * term) < 1e-9

    score = page.get_by_role("button", name=re.compile("^kNN, seen labels: "))
    score.focus()
    expect(page.get_by_role("tooltip")).to_contain_text("what a user with those labels would get")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_be_hidden()
