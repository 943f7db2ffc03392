"""What a visitor of Explore does: recolour the map, click a point, project, read, take away, rename, delete."""

import io
import json
import re
import secrets
import shutil
import zipfile

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

PLACE = """(row) => {
    const plot = document.querySelector('.js-plotly-plot'), frame = plot?._fullLayout, size = frame?._size;
    for (const trace of plot?._fullData ?? []) for (let i = 0; i < trace.x.length; i++)
        if (trace.customdata[i] === row)
            return [frame.xaxis.l2p(trace.x[i]) + size.l, frame.yaxis.l2p(trace.y[i]) + size.t];
    return null;
}"""
MARKED = """() => document.querySelector('.js-plotly-plot')._fullData
    .flatMap(trace => Array.from(trace.selectedpoints || [], i => trace.customdata[i]))"""
INSIDE = """(except) => {
    const plot = document.querySelector('.js-plotly-plot'), frame = plot._fullLayout, all = [];
    for (const trace of plot._fullData) for (let i = 0; i < trace.x.length; i++)
        all.push([frame.xaxis.l2p(trace.x[i]), frame.yaxis.l2p(trace.y[i]), trace.customdata[i]]);
    const within = (at, most) => at > 40 && at < most - 40;
    const seen = all.filter(p => p[2] !== except && within(p[0], frame._size.w) && within(p[1], frame._size.h));
    const room = p => Math.min(...all.filter(q => q !== p).map(q => Math.hypot(p[0] - q[0], p[1] - q[1])));
    return seen.reduce((best, p) => room(p) > room(best) ? p : best)[2];
}"""  # the row of the point that is farthest from others among those that the zoomed map shows
SPAN = "() => document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range"


@pytest.fixture(scope="module")
def trained(app):
    """Finished runs in the app's folder: explore-plane (2-D, decoder), explore-deep (4-D), explore-rename."""
    from semidml import runs, worker
    from semidml.config import RunConfig

    settings = {
        "explore-plane": {"model": "dml-ae", "alpha": 0.1, "epochs": 3},
        "explore-deep": {"model": "dml", "latent_dim": 4, "epochs": 2},
        "explore-rename": {"model": "dml", "epochs": 1},
    }
    for name, knobs in settings.items():
        run = runs.create(RunConfig.of({"data": "digits", "pl": 10, "device": "cpu", **knobs}), path=app.runs / name)
        for _ in worker.execute(run):
            pass
        assert run.status().state == "done", run.status().reason
    return app.runs


def opened(page: Page, run: str) -> None:
    page.goto(f"/Explore?run={run}", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Explore", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"1,797 points")).first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    settled(page)


def settled(page: Page) -> None:
    page.wait_for_timeout(300)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")
    page.wait_for_function("document.querySelector('.js-plotly-plot')?._fullData?.length > 1")


def option(page: Page, name: str) -> Locator:
    """An option of a segmented control."""
    return page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True)


def traces(page: Page) -> list[str]:
    return page.evaluate("document.querySelector('.js-plotly-plot')._fullData.map(trace => trace.name)")


def click_point(page: Page, row: int) -> None:
    box, place = page.locator(".js-plotly-plot").first.bounding_box(), page.evaluate(PLACE, row)
    page.mouse.move(box["x"] + place[0], box["y"] + place[1])
    page.wait_for_timeout(200)
    page.mouse.click(box["x"] + place[0], box["y"] + place[1])


def open_menu(page: Page) -> None:
    settled(page)
    menu = page.get_by_role("button", name="Manage")
    if menu.get_attribute("aria-expanded") != "true":
        menu.click()


def lonely(folder, run: str, seed: int = 0) -> int:
    """The position of the point that lies farthest from its nearest neighbour: a click there hits no other."""
    from semidml.runs import Run

    at = Run(folder / run)
    latents = at.frame(at.frames()[-1])["latents"]
    inside = np.flatnonzero((np.abs(latents - np.median(latents, 0)) < 1.5 * latents.std(0)).all(1))
    distances = np.linalg.norm(latents[inside, None] - latents[None], axis=2)
    distances[np.arange(len(inside)), inside] = np.inf
    return int(inside[np.argsort(distances.min(1))[-1 - seed]])


def test_a_click_on_a_point_answers_and_keeps_the_zoom(page: Page, trained) -> None:
    opened(page, "explore-plane")
    row = lonely(trained, "explore-plane")
    click_point(page, row)
    rows = np.load(trained / "explore-plane" / "rows.npz")
    split = ("Training", "Test")[rows["split"][row]]
    expect(page.get_by_text(re.compile(rf"{split} row {rows['row'][row]:,}, its label")).first).to_be_visible()
    expect(page.get_by_text("reconstruction", exact=True).first).to_be_visible()
    settled(page)
    assert page.evaluate(MARKED) == [row]
    images = page.get_by_test_id("stImage").locator("img")
    expect(images).to_have_count(12)  # itself, its reconstruction, two times five neighbours
    assert images.first.evaluate("image => image.naturalWidth") >= 136

    box = page.locator(".js-plotly-plot").first.bounding_box()
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 450, box["y"] + 450, steps=4)
    page.mouse.up()
    page.wait_for_timeout(500)
    zoomed, other = page.evaluate(SPAN), page.evaluate(INSIDE, row)
    click_point(page, other)
    split = ("Training", "Test")[rows["split"][other]]
    expect(page.get_by_text(re.compile(rf"{split} row {rows['row'][other]:,}, its label")).first).to_be_visible()
    settled(page)
    assert page.evaluate(SPAN) == zoomed
    page.wait_for_function(f"JSON.stringify(({MARKED})()) === '[{other}]'")


def test_colours_rows_and_epochs_redraw_the_map(page: Page, trained) -> None:
    opened(page, "explore-plane")
    assert "0" in traces(page) and "right" not in traces(page)
    option(page, "Error").click()
    page.wait_for_function(
        "document.querySelector('.js-plotly-plot')?._fullData?.some(trace => trace.name === 'right')"
    )
    option(page, "Seen or hidden").click()
    page.wait_for_function(
        "document.querySelector('.js-plotly-plot')?._fullData?.some(trace => trace.name === 'label not seen')"
    )
    option(page, "Test").click()
    expect(page.get_by_text(re.compile("^500 points: 500 test rows")).first).to_be_visible()
    option(page, "Both").click()
    before = page.evaluate(PLACE, 0)
    page.get_by_role("slider", name="Epoch").press("Home")
    old = json.dumps(before, separators=(",", ":"))
    page.wait_for_function(f"(place => place && JSON.stringify(place) !== '{old}')(({PLACE})(0))")


def test_four_dimensions_are_projected(page: Page, trained) -> None:
    from semidml.runs import Run

    opened(page, "explore-deep")
    expect(page.get_by_text(re.compile("PCA of 4 dimensions: the plane holds")).first).to_be_visible()
    expect(page.get_by_text(re.compile("no decoder that was trained")).first).to_be_visible()
    option(page, "t-SNE").click()
    expect(page.get_by_role("button", name="Compute t-SNE of epoch 2").first).to_be_visible()
    Run(trained / "explore-deep").keep_projection("tsne-0002", points=np.eye(1797, 2, dtype=np.float32))
    option(page, "Test").click()
    expect(page.get_by_text(re.compile("t-SNE of 4 dimensions")).first).to_be_visible()


def test_scores_confusion_and_reconstructions_are_read(page: Page, trained) -> None:
    opened(page, "explore-plane")
    expect(page.get_by_text("Read with the seen labels").first).to_be_visible()
    option(page, "Confusion").click()
    expect(page.get_by_text("predicted", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile("of the 500 test rows drawn are right")).first).to_be_visible()
    option(page, "Reconstructions").click()
    expect(page.get_by_text(re.compile("^Worst")).first).to_be_visible()
    expect(page.get_by_text("What the decoder makes of each place of the map").first).to_be_visible()


def test_everything_can_be_taken_away(page: Page, trained) -> None:
    opened(page, "explore-plane")
    option(page, "Downloads").click()
    got = {}
    for name in ("NumPy (.npz)", "Table (.csv)", "Scores (.json)", "Config (.json)", "Whole run (.zip)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        got[name] = download.value.path().read_bytes()
    with np.load(io.BytesIO(got["NumPy (.npz)"]), allow_pickle=False) as arrays:
        assert arrays["latents"].shape == (1797, 2) and set(arrays["split"]) == {0, 1}
    assert got["Table (.csv)"].splitlines()[0] == b"split,row,label,seen,prediction,z1,z2"
    assert json.loads(got["Scores (.json)"])["knn_accuracy"] > 0.2
    assert json.loads(got["Config (.json)"])["config"]["pl"] == 10
    assert "explore-plane/rows.npz" in zipfile.ZipFile(io.BytesIO(got["Whole run (.zip)"])).namelist()


def test_a_run_is_renamed_sent_away_deleted_and_taken_in_again(page: Page, trained) -> None:
    from semidml import explore
    from semidml.runs import Run

    name = f"explore-{secrets.token_hex(2)}"
    shutil.copytree(trained / "explore-rename", trained / name)
    zipped = explore.as_zip(Run(trained / name))
    opened(page, name)
    open_menu(page)
    page.get_by_role("textbox", name="New name").fill(f"{name}-now")
    page.get_by_role("textbox", name="New name").press("Enter")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_text(f"is called {name}-now now").first).to_be_visible()
    page.wait_for_url(re.compile(f"run={name}-now"))
    assert (trained / f"{name}-now").is_dir() and not (trained / name).exists()

    open_menu(page)
    sure = page.get_by_text("Delete it with all its files")
    expect(sure).to_have_count(1)  # while a page is drawn anew, the old run's is still there
    expect(page.get_by_role("button", name=re.compile(r"\bDelete$"))).to_be_disabled()
    sure.click()
    page.get_by_role("button", name=re.compile(r"\bDelete$")).click()
    expect(page.get_by_text(f"{name}-now is deleted").first).to_be_visible()
    assert not (trained / f"{name}-now").exists()

    for file, content, said in (
        ("bad.zip", b"nonsense", "the zip cannot be read"),
        ("run.zip", zipped, "The run is here"),
    ):
        open_menu(page)
        expect(page.locator("input[type=file]")).to_have_count(1)  # after a failed import: the new, empty one
        page.locator("input[type=file]").set_input_files(
            {"name": file, "mimeType": "application/zip", "buffer": content}
        )
        page.get_by_role("button", name=re.compile(r"\bImport$")).click()
        expect(page.get_by_text(said).first).to_be_visible()
    page.wait_for_url(re.compile(f"run={name}$"))


def test_nothing_is_wider_than_a_phone(page: Page, trained) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/Explore?run=explore-plane", "/Data"):
        page.goto(path, wait_until="domcontentloaded")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
