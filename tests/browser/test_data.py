"""What a visitor of Data does: look at images, fetch without a network, bring own images, delete them."""

import io
import re
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.pages import press_train
from tests.server import SECONDS


def opened(page: Page, link: str = "") -> None:
    page.goto(f"/Data{link}", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="Data", exact=True).first).to_be_visible()
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget], [data-testid=stSkeleton]')")


def npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def bring(page: Page, name: str, content: bytes) -> None:
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    page.locator("input[type=file]").set_input_files(file)


def add(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(rf"\bAdd {re.escape(name)}$")).click()


def send_another(page: Page) -> None:
    page.get_by_role("button", name=re.compile(r"\bSend another file$")).click()


def test_digits_are_looked_at_and_lead_to_train(page: Page) -> None:
    opened(page)
    expect(page.get_by_text("1,297 training · 500 test images of 8 x 8 pixels").first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    expect(page.get_by_text("130 of 1,297 labels").first).to_be_visible()
    page.get_by_role("link", name="Train with these labels").click()
    expect(page.get_by_role("heading", name="Train", exact=True).first).to_be_visible()
    expect(page.get_by_text("130 of 1,297 labels").first).to_be_visible()


def test_a_fetch_that_cannot_work_names_folder_and_file(page: Page, app) -> None:
    (app.data / "KMNIST").write_text("in the way: also with a network nothing can be fetched into this folder")
    opened(page, "?data=kmnist")
    expect(page.get_by_text("Licence: CC BY-SA 4.0").first).to_be_visible()
    page.get_by_role("button", name="Fetch Kuzushiji-MNIST (21 MB)").click()
    said = page.get_by_test_id("stAlert").get_by_text(re.compile("could not be downloaded"))
    expect(said).to_be_visible()
    expect(said).to_contain_text("train-images-idx3-ubyte.gz")
    expect(said).to_contain_text(str(app.data / "KMNIST" / "raw"))
    expect(page.get_by_role("button", name="Fetch Kuzushiji-MNIST (21 MB)")).to_be_enabled()


def test_own_images_are_taken_in_or_refused_in_words(page: Page, app) -> None:
    images = np.random.default_rng(0).integers(0, 255, (40, 6, 6), dtype=np.uint8)
    names = np.array(["<img src=x onerror=alert(1)>", "dogs"])
    opened(page)
    bring(page, "longer.npz", npz(train_images=images, train_labels=np.arange(50) % 2))
    expect(
        page.get_by_text("longer.npz: train_labels has 50 labels, but train_images has 40 images").first
    ).to_be_visible()
    send_another(page)
    bring(page, "objects.npz", npz(train_images=np.array([images, None], dtype=object), train_labels=np.arange(2)))
    expect(page.get_by_text("could run code and is refused").first).to_be_visible()
    send_another(page)
    bring(page, "mine.npz", npz(train_images=images, train_labels=np.arange(40) % 2, class_names=names))
    expect(page.get_by_text("Nothing is added yet").first).to_be_visible()
    expect(page.get_by_text("<img src=x onerror=alert(1)>", exact=True).first).to_be_visible()  # as text
    assert not (app.data / "uploads" / "mine.npz").exists()
    add(page, "mine")
    expect(page.get_by_text("mine is here").first).to_be_visible()
    expect(page.get_by_text("32 training · 8 test images of 6 x 6 pixels").first).to_be_visible()
    expect(page.locator(".js-plotly-plot").first.get_by_text("<img src=x onerror").first).to_be_visible()  # as text
    assert (app.data / "uploads" / "mine.npz").exists()

    page.get_by_test_id("stPopover").get_by_role("button", name="Delete").click()
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("None yet. They are kept").first).to_be_visible()
    assert not (app.data / "uploads" / "mine.npz").exists()


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_nested_folders_are_understood_otherwise_added_and_trained_on(page: Page, app) -> None:
    """Two levels of classes in training and test: seen at once, changed, added, trained on; and what is sent is gone
    when its visitor goes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for k, kind in enumerate(("round/eight", "round/zero", "straight/four", "straight/one")):
            for i in range(20):
                file.writestr(f"shapes/{'test' if i < 5 else 'train'}/{kind}/{i}.png", png(100 * k + i))
    opened(page)
    bring(page, "shapes.zip", archive.getvalue())
    expect(page.get_by_text("80 images").first).to_be_visible()
    expect(page.get_by_role("row", name="Training 60 0 2")).to_be_visible()
    expect(page.get_by_role("row", name="Test 20 0 2")).to_be_visible()
    assert not list((app.data / "uploads").glob("*.npz")) and list((app.data / "uploads").glob(".incoming-*"))
    page.get_by_text("Level 2: eight, four, one, zero").click()
    expect(page.get_by_role("row", name="Training 60 0 4")).to_be_visible()
    expect(page.get_by_text("15 training · 5 test")).to_have_count(4)
    add(page, "shapes")
    expect(page.get_by_text("shapes is here").first).to_be_visible()
    expect(page.get_by_text("Folder level 2 names the class").first).to_be_visible()
    assert [path.name for path in (app.data / "uploads").glob("*")] != [] and not list(app.data.rglob(".incoming-*"))

    page.get_by_role("link", name="Train with these labels").click()
    expect(page.get_by_role("heading", name="Train", exact=True).first).to_be_visible()
    press_train(page)
    expect(page.get_by_text(re.compile("^Done")).first).to_be_visible()

    opened(page)
    bring(page, "again.zip", archive.getvalue())
    expect(page.get_by_text("Nothing is added yet").first).to_be_visible()
    page.goto("/Prior", wait_until="domcontentloaded")
    expect(page.get_by_role("heading", name="The prior").first).to_be_visible()
    wait_until_gone(app.data / "uploads")


def wait_until_gone(uploads: Path) -> None:
    late = time.monotonic() + SECONDS
    while list(uploads.glob(".incoming-*")):
        assert time.monotonic() < late, "what was sent is still there"
        time.sleep(0.1)
