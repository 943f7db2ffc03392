"""What a visitor of Explore does: recolour the map, click a point, project, read, take away, rename, delete."""

import io
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import zipfile

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

PLACE = """(root, row) => {
    const {map} = root, {left, top, scale} = map.view.window(), [x, y] = map.cloud.placeOf(row);
    const box = map.over.getBoundingClientRect();
    return [box.x + 40 + (x - left) * scale, box.y + (top - y) * scale];
}"""
INSIDE = """(root, except) => {
    const map = root.map, its = map.view.window(), {x, y} = map.cloud;
    const all = Array.from(x, (_, i) => [(x[i] - its.left) * its.scale, (its.top - y[i]) * its.scale, i]);
    const within = (at, most) => at > 40 && at < most - 40;
    const seen = all.filter(p => p[2] !== except && within(p[0], its.width) && within(p[1], its.height));
    const room = p => Math.min(...all.filter(q => q !== p).map(q => Math.hypot(p[0] - q[0], p[1] - q[1])));
    return seen.reduce((best, p) => room(p) > room(best) ? p : best)[2];
}"""  # the row of the point that is farthest from others among those that the zoomed map shows
WHAT_WORKS = {"schedule": "joint", "alpha": 0.05, "component_spacing": 4, "component_log_var": -1}
MARKED = "root => root.map.frame.marked"


@pytest.fixture(scope="module")
def trained(app):
    """Finished runs in the app's folder: explore-plane (2-D, decoder), explore-deep (4-D), explore-rename."""
    from semidml.config import RunConfig
    from semidml.execute import execute
    from semidml.runs import listing

    settings = {
        "explore-plane": {"model": "dml-ae", "alpha": 0.1, "epochs": 3},
        "explore-deep": {"model": "dml", "latent_dim": 4, "epochs": 2},
        "explore-rename": {"model": "dml", "epochs": 1},
        "explore-places": {"model": "dml-prior", "prior": "gmm", "epochs": 2, **WHAT_WORKS},
        "explore-vamp": {"model": "metric-vae", "prior": "vamp", "epochs": 1, "pseudo_inputs": 40},
    }
    for name, knobs in settings.items():
        run = listing.create_run(
            RunConfig.of({"data": "digits", "pl": 10, "device": "cpu", **knobs}), path=app.runs / name
        )
        for _ in execute(run):
            pass
        assert run.status().state == "done", run.status().reason
    return app.runs


def opened(page: Page, run: str) -> None:
    page.goto(f"/Explore?run={run}", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Explore", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"1,797 points")).first).to_be_visible()
    expect(page.locator("canvas[data-drawn='1797'][data-gliding='false']").first).to_be_visible()
    settled(page)


def settled(page: Page) -> None:
    page.wait_for_timeout(300)
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")


def option(page: Page, name: str) -> Locator:
    """An option of a segmented control, on a page that stands still."""
    settled(page)
    return page.get_by_test_id("stButtonGroup").get_by_text(name, exact=True).first


def steady(element: Locator) -> dict[str, float]:
    """Where an element is once nothing above it moves it any more."""
    element.scroll_into_view_if_needed()
    seen = [element.bounding_box()]
    while len(seen) < 4 or seen[-1] != seen[-4]:
        element.page.wait_for_timeout(200)
        seen.append(element.bounding_box())
        assert len(seen) < 200, "it never stands still"
    return seen[-1]


def the_map(page: Page) -> Locator:
    return page.locator(".map").first


def legend(page: Page) -> list[str]:
    return page.locator(".map .legend button").all_inner_texts()


def click_point(page: Page, row: int) -> None:
    the_map(page).scroll_into_view_if_needed()
    page.mouse.click(*the_map(page).evaluate(PLACE, row))


def open_menu(page: Page) -> None:
    settled(page)
    menu = page.get_by_role("button", name="Manage")
    if menu.get_attribute("aria-expanded") != "true":
        menu.click()


def lonely(folder, run: str, seed: int = 0) -> int:
    """The position of the point that lies farthest from its nearest neighbour: a click there hits no other."""
    from semidml.runs.run import Run

    at = Run(folder / run)
    latents = at.frame(at.frames()[-1]).latents
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
    assert the_map(page).evaluate(MARKED) == [row]
    images = page.locator("figure img")
    expect(images).to_have_count(12)  # itself, its reconstruction, two times five neighbours
    assert images.first.evaluate("image => image.getBoundingClientRect().width") == 136

    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
    zoomed = the_map(page).evaluate("root => root.map.view.window()")
    other = the_map(page).evaluate(INSIDE, row)
    click_point(page, other)
    split = ("Training", "Test")[rows["split"][other]]
    expect(page.get_by_text(re.compile(rf"{split} row {rows['row'][other]:,}, its label")).first).to_be_visible()
    settled(page)
    assert the_map(page).evaluate("root => root.map.view.window()") == zoomed
    assert the_map(page).evaluate(MARKED) == [other]


def test_an_empty_place_a_region_and_a_line_answer(page: Page, trained) -> None:
    opened(page, "explore-plane")
    corner = the_map(page).locator("canvas[data-drawn]").bounding_box()
    page.mouse.click(corner["x"] + 48, corner["y"] + 8)  # the outermost corner, where no point lies
    expect(page.get_by_text(re.compile("^The place ")).first).to_be_visible()
    expect(page.get_by_text("Far from all data: what is decoded here rests on nothing.").first).to_be_visible()
    expect(page.get_by_text("decoded", exact=True).first).to_be_visible()

    page.get_by_role("button", name="Box").click()
    page.mouse.move(corner["x"] + 45, corner["y"] + 5)
    page.mouse.down()
    page.mouse.move(corner["x"] + corner["width"] - 5, corner["y"] + corner["height"] - 27, steps=4)
    page.mouse.up()
    chosen = page.get_by_text(re.compile(r"^[\d,]+ points chosen$")).first
    expect(chosen).to_be_visible()
    count = int(chosen.inner_text().split()[0].replace(",", ""))
    assert 1_700 < count <= 1_797  # the outermost lie beyond what the map shows at first
    with page.expect_download() as download:
        page.get_by_role("button", name="These points (.csv)").click()
    assert len(download.value.path().read_text().splitlines()) == count + 1
    page.get_by_role("button", name="Let go").click()
    expect(chosen).to_have_count(0)

    page.get_by_role("button", name="Line").click()
    page.mouse.move(corner["x"] + 100, corner["y"] + 100)
    page.mouse.down()
    page.mouse.move(corner["x"] + 300, corner["y"] + 300, steps=4)
    page.mouse.up()
    expect(page.get_by_alt_text("places along the line, decoded").first).to_be_visible()


def test_decoded_places_lie_under_the_points(page: Page, trained) -> None:
    opened(page, "explore-plane")
    page.get_by_text("Decoded places", exact=True).click()
    box = "root => root.map.lattice?.box.map(edge => edge.toFixed(3)).join()"
    expect(the_map(page)).to_be_visible()
    for _ in range(600):
        if before := the_map(page).evaluate(box):
            break
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Zoom in").click()
    for _ in range(600):
        if (after := the_map(page).evaluate(box)) != before:
            break
        page.wait_for_timeout(100)
    assert after and before and float(after.split(",")[0]) > float(before.split(",")[0])


def test_the_image_at_the_mouse_is_the_points_own(page: Page, trained) -> None:
    from sklearn.datasets import load_digits

    opened(page, "explore-plane")
    row, rows = lonely(trained, "explore-plane"), np.load(trained / "explore-plane" / "rows.npz")
    page.wait_for_function("globalThis.semidmlKept?.images.size > 0")
    page.mouse.move(*the_map(page).evaluate(PLACE, row))
    expect(page.locator(".map .tip").first).to_be_visible()
    drawn = page.locator(".map .tip canvas").first.evaluate(
        "it => [...it.getContext('2d').getImageData(0, 0, 8, 8).data].filter((_, i) => i % 4 === 0)"
    )
    images = (load_digits().images * 255 / 16).round().astype(int).reshape(-1, 64)
    same = np.flatnonzero((np.abs(images - drawn) <= 1).all(1))
    assert len(same) >= 1 and rows["labels"][row] in load_digits().target[same]
    expect(page.locator(".map .tip").first).to_contain_text(f"{rows['labels'][row]} · predicted")


def test_a_drawn_digit_gets_a_place_a_class_and_its_reconstruction(page: Page, trained) -> None:
    opened(page, "explore-plane")
    option(page, "Your own image").click()
    pad = page.locator(".pad canvas").first
    expect(pad).to_be_visible()
    settled(page)
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 110, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 105, box["y"] + 190, steps=8)
    page.mouse.up()
    expect(page.get_by_text(re.compile("^Its class: by the 5 nearest seen labels")).first).to_be_visible()
    expect(page.get_by_text("as the encoder sees it", exact=True).first).to_be_visible()
    marked = """async root => {
        for (let i = 0; i < 100 && !root.map.frame.places.length; i++) await new Promise(end => setTimeout(end, 50));
        return root.map.frame.places.length;
    }"""  # the answer is there before the map above has marked its place
    assert the_map(page).evaluate(marked) == 1


def test_a_component_is_moved_and_what_if_is_answered(page: Page, trained) -> None:
    opened(page, "explore-places")
    page.get_by_text("What if", exact=True).click()
    handles = page.locator(".map .handles button")
    expect(handles).to_have_count(4)
    settled(page)
    before = the_map(page).evaluate("root => root.map.frame.ellipses.map(([x, y]) => [x, y])")
    box = steady(handles.nth(1))
    page.mouse.move(box["x"] + 13, box["y"] + 13)
    page.mouse.down()
    page.mouse.move(box["x"] + 53, box["y"] - 47, steps=4)
    page.mouse.up()
    expect(page.get_by_text(re.compile("^What if component 2 were at ")).first).to_be_visible()
    expect(
        page.get_by_text(re.compile("^Nothing is trained: the points stay. Of the 1,797 drawn")).first
    ).to_be_visible()
    expect(page.get_by_text(re.compile("^AMI ")).first).to_be_visible()
    expect(page.locator("canvas[data-ahead='false']").first).to_be_visible()
    after = the_map(page).evaluate("root => root.map.frame.ellipses.map(([x, y]) => [x, y])")
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True, True]
    assert the_map(page).evaluate("root => root.map.frame.origins") == before

    page.get_by_role("button", name="Put back").click()
    expect(page.get_by_text(re.compile("^What if component 2")).first).to_have_count(0)
    settled(page)
    assert the_map(page).evaluate("root => root.map.frame.ellipses.map(([x, y]) => [x, y])") == before

    handles.nth(0).press("ArrowRight")
    expect(page.get_by_text(re.compile("^What if component 1 were at ")).first).to_be_visible()
    page.get_by_role("button", name="Train with it").click()
    expect(page.get_by_role("heading", name="Train", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile("4 components")).first).to_be_visible()


def test_a_filter_stays_from_epoch_to_epoch_and_a_row_that_is_typed_answers(page: Page, trained) -> None:
    opened(page, "explore-plane")
    the_map(page).locator("canvas[data-drawn]").press("/")
    page.get_by_label("Answer", exact=True).select_option("wrong")
    count = the_map(page).locator(".filter .count")
    expect(count).to_have_text(re.compile(r"^\d+ of 1,797 shown$"))
    last = count.inner_text()
    page.get_by_role("button", name="One epoch back").click()
    page.get_by_role("button", name="One epoch back").click()
    expect(page.locator("canvas[data-epoch='1'][data-gliding='false']").first).to_be_visible()
    expect(count).not_to_have_text(last)  # the errors of that epoch, once the page has sent them
    expect(count).to_have_text(re.compile(r"^\d+ of 1,797 shown$"))
    page.get_by_label("Row", exact=True).fill("test 12")
    page.get_by_label("Row", exact=True).press("Enter")
    expect(page.get_by_text(re.compile("^Test row 12, its label is for scoring only")).first).to_be_visible()
    expect(count).to_contain_text("test image 12")


def test_pseudo_inputs_lie_on_the_map(page: Page, trained) -> None:
    from semidml.runs.run import Run

    opened(page, "explore-vamp")
    expect(page.locator("canvas[data-pictures='32']").first).to_be_visible()
    expect(page.get_by_text(re.compile("Small pictures: the first 32 of 40 pseudo-inputs")).first).to_be_visible()
    data = "root.map.frame.drawings[31].getContext('2d').getImageData(0, 0, 8, 8).data"
    drawn = the_map(page).evaluate(f"root => [...{data}].filter((_, i) => i % 4 === 0)")
    assert drawn == Run(trained / "explore-vamp").frame(1).pseudo_inputs[31].ravel().tolist()


def test_colours_rows_and_epochs_redraw_the_map(page: Page, trained) -> None:
    opened(page, "explore-plane")
    assert legend(page) == [str(digit) for digit in range(10)]
    option(page, "Error").click()
    expect(page.locator(".map .legend button", has_text="right").first).to_be_visible()
    option(page, "Seen or hidden").click()
    expect(page.locator(".map .legend button", has_text="label not seen").first).to_be_visible()
    option(page, "Test").click()
    expect(page.get_by_text(re.compile("^500 points: 500 test rows")).first).to_be_visible()
    expect(page.locator("canvas[data-shown='500']").first).to_be_visible()
    option(page, "Both").click()
    expect(page.locator("canvas[data-shown='1797']").first).to_be_visible()
    option(page, "Confusion").click()
    expect(page.get_by_text(re.compile("^After epoch 3:")).first).to_be_visible()
    page.get_by_role("slider", name="Epoch on the map").press("Home")
    expect(page.locator("canvas[data-epoch='0']").first).to_be_visible()
    expect(page.get_by_text(re.compile("^After epoch 0:")).first).to_be_visible()  # what lies below follows
    expect(page.locator(".map .film span").first).to_have_text(re.compile("epoch 0 of 3"))


def test_four_dimensions_are_projected(page: Page, trained) -> None:
    from semidml.runs.run import Run

    shutil.rmtree(trained / "explore-deep" / "projections", ignore_errors=True)
    opened(page, "explore-deep")
    expect(page.get_by_text(re.compile("PCA of 4 dimensions: the plane holds")).first).to_be_visible()
    expect(page.get_by_text(re.compile("no decoder that was trained")).first).to_be_visible()
    expect(page.locator(".map .film").first).to_be_visible()
    option(page, "t-SNE").click()  # one press
    expect(page.get_by_text(re.compile("t-SNE of 4 dimensions")).first).to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(1)
    assert Run(trained / "explore-deep").projection("tsne-0002")["points"].shape == (1797, 2)
    page.get_by_role("slider", name="Epoch").press("ArrowLeft")
    expect(page.get_by_role("button", name="Compute t-SNE of epoch 1").first).to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(1)


@pytest.fixture
def alike(app, monkeypatch):
    """Trains an autoencoder in three dimensions in which all images have one place at the end: `fast` by a step that is
    far too large, `black` of images that are all black. Gives its number of epochs."""
    from semidml.config import RunConfig
    from semidml.data import uploads
    from semidml.execute import execute
    from semidml.runs import listing

    monkeypatch.setenv("SEMIDML_DATA", str(app.data))
    settings = {
        "fast": {"data": "digits", "alpha": 1, "lr": 1, "epochs": 2, "seed": 1},
        "black": {"data": "black", "epochs": 1},
    }

    def train(name: str) -> int:
        if name == "black":
            file, black, labels = io.BytesIO(), np.zeros((120, 8, 8), np.uint8), np.arange(120) % 3
            np.savez(file, train_images=black, train_labels=labels, test_images=black[:60], test_labels=labels[:60])
            uploads.save_upload("black", file.getvalue(), "black.npz")
        config = RunConfig.of({"model": "dml-ae", "latent_dim": 3, "device": "cpu", **settings[name]})
        for _ in execute(listing.create_run(config, path=app.runs / name)):
            pass
        return config.epochs

    yield train
    for name in settings:
        shutil.rmtree(app.runs / name, ignore_errors=True)
    (app.data / "uploads" / "black.npz").unlink(missing_ok=True)


@pytest.mark.parametrize(("run", "method"), [("fast", "t-SNE"), ("black", "t-SNE"), ("black", "UMAP")])
def test_images_that_all_have_one_place_are_not_projected_and_the_app_goes_on(page, app, alike, run, method) -> None:
    last = alike(run)
    page.goto(f"/Explore?run={run}", wait_until="domcontentloaded")
    expect(page.get_by_text(re.compile("PCA of 3 dimensions: the plane holds 0")).first).to_be_visible()
    option(page, method).click()
    expect(page.get_by_text(re.compile(r"all [\d,]+ rows are equal, as far as float32 can tell")).first).to_be_visible()
    expect(page.get_by_role("button", name=f"Compute {method} of epoch {last}")).to_be_enabled()
    assert app.process.poll() is None, "the server still runs"
    page.goto("/Data", wait_until="domcontentloaded")
    expect(page.get_by_text(re.compile("1,297 training")).first).to_be_visible()


def test_a_projection_whose_process_is_killed_says_so_and_the_app_goes_on(page: Page, app, trained) -> None:
    shutil.copytree(trained / "explore-deep", trained / "explore-killed", ignore=shutil.ignore_patterns("projections"))
    opened(page, "explore-killed")  # of which no answer is kept in the app either
    option(page, "t-SNE").click()
    expect(page.get_by_text(re.compile("t-SNE: t-SNE: laying out")).first).to_be_visible()
    os.kill(answering(app.process.pid), signal.SIGSEGV)
    expect(page.get_by_text(re.compile("the worker process ended .signal 11")).first).to_be_visible()
    expect(page.get_by_text(re.compile("The app and all runs are unharmed")).first).to_be_visible()
    page.get_by_role("button", name="Compute t-SNE of epoch 2").click()
    expect(page.get_by_text(re.compile("t-SNE of 4 dimensions")).first).to_be_visible()


def answering(app: int) -> int:
    """The process that answers the questions of an app."""
    words = ["ps", "-o", "pid=,args=", "--ppid", str(app)]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return int(next(line for line in lines if "semidml.jobs.worker --cold" in line).split()[0])


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
    from semidml.runs import transfer
    from semidml.runs.run import Run

    name = f"explore-{secrets.token_hex(2)}"
    shutil.copytree(trained / "explore-rename", trained / name)
    zipped = io.BytesIO()
    transfer.export_zip(Run(trained / name), zipped)
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
        ("run.zip", zipped.getvalue(), "The run is here"),
    ):
        open_menu(page)
        expect(page.locator("input[type=file]")).to_have_count(1)  # after a failed import: the new, empty one
        page.locator("input[type=file]").set_input_files(
            {"name": file, "mimeType": "application/zip", "buffer": content}
        )
        page.get_by_role("button", name=re.compile(r"\bImport$")).click()
        expect(page.get_by_text(said).first).to_be_visible()
    page.wait_for_url(re.compile(rf"run={name}(&|$)"))


def test_nothing_is_wider_than_a_phone(page: Page, trained) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/Explore?run=explore-plane", "/Data"):
        page.goto(path, wait_until="domcontentloaded")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
