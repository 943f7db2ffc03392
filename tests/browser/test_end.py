"""The app's server is told to end while it trains."""

import re
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from semidml.runs.run import Run
from tests.browser.pages import press_train
from tests.server import SECONDS, running_app


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_keeps_the_last_epoch(browser: Browser, tmp_path: Path, number: int) -> None:
    with running_app(tmp_path) as app:
        context = browser.new_context()
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.goto(f"{app.url}/Train?data=digits&epochs=500", wait_until="domcontentloaded")
        press_train(page)
        page.get_by_text(re.compile(r"Training: epoch ([5-9]|\d\d+) of 500")).first.wait_for()
        (run,) = map(Run, app.runs.iterdir())
        app.process.send_signal(number)
        app.process.wait(SECONDS)
        context.close()
        late = time.monotonic() + SECONDS
        while not run.recorded().reason and time.monotonic() < late:  # of the worker, which ends after the server
            time.sleep(0.05)
    status = run.status()
    assert status.state == "interrupted" and status.epoch == run.resume_epoch() >= 5, status
    assert f"the app that started it ended; resume continues from epoch {status.epoch}" in status.reason
