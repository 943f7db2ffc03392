"""The app on a free port with its own folders of runs and data, and a Chromium that looks at it.

Buttons are found by the end of their names: some releases of Streamlit put the icon's name before the words."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from _pytest.runner import CallInfo, runtestprotocol

from semidml.runs.run import Run
from semidml.sweeps.sweep import Sweep
from tests.conftest import SECOND_TRY
from tests.server import SECONDS, running_app

FLAGS = (
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",  # software that draws as a GPU would is slow: a third of what Chromium takes
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STILL = """document.addEventListener('DOMContentLoaded', () => {
    const style = document.createElement('style');
    style.textContent = '*, *::before, *::after {animation: none !important; transition: none !important}';
    document.head.append(style);
})"""  # what turns while the app works is drawn sixty times a second, by software


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """On CI a test of a browser that fails is tried once more, since a busy machine can be late for it; the summary
    names each that needed it. A test that fails twice has failed."""
    if not os.environ.get("CI"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=item.parent)  # what the module shares stays for a second try
    if any(report.failed for report in reports):
        first = reports
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if not any(report.failed for report in reports):
            why = next(str(report.longrepr) for report in first if report.failed)
            reports[-1].user_properties.append((SECOND_TRY, why[-1500:]))
    else:
        rest = CallInfo.from_call(lambda: item.session._setupstate.teardown_exact(nextitem), "teardown")
        reports.append(item.ihook.pytest_runtest_makereport(item=item, call=rest))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The running app: url, folders of runs and of data, the server's process."""
    with running_app(tmp_path_factory.mktemp("app")) as server:
        yield server


@pytest.fixture(scope="package")
def browser() -> Iterator[object]:
    """Chromium: the system's, or Playwright's own. Without either the tests are skipped, but on CI they fail. Where
    there is one, its shell without windows, whose new tab takes a third of the time."""
    sync_api = (
        pytest.importorskip("playwright.sync_api")
        if not os.environ.get("CI")
        else __import__("playwright.sync_api", fromlist=["sync_playwright"])
    )
    with sync_api.sync_playwright() as playwright:
        try:
            system = shutil.which("chromium-headless-shell") or shutil.which("chromium")
            chromium = playwright.chromium.launch(executable_path=system, args=list(FLAGS))
        except sync_api.Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"there is no Chromium here: {error}")
        sync_api.expect.set_options(timeout=SECONDS * 1000)
        yield chromium
        chromium.close()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: CallInfo) -> Iterator[None]:
    report = yield
    item.stash[FAILED] = report.failed or (report.when != "setup" and item.stash.get(FAILED, False))
    return report


class Tab:
    """A tab that tests use one after the other, since a new one reads and compiles all of the app anew, which is half
    of what a page takes. Each test finds it empty and as it was at first; after one that failed there is a new one."""

    def __init__(self, browser: object, script: str = "", **options: object):
        """`script` runs on each page before its own."""
        self._browser, self._script, self._options, self._tab = browser, script, options, None

    def _open(self) -> object:
        context = self._browser.new_context(**self._options)
        context.add_init_script(self._script)
        context.set_default_timeout(SECONDS * 1000)
        self._tab = context.new_page()
        return self._tab

    @contextmanager
    def lend(self, item: pytest.Item) -> Iterator[object]:
        """To one test, which fails if the page threw an exception."""
        tab = self._tab or self._open()
        thrown: list[str] = []

        def note(error: object) -> None:
            thrown.append(str(error))

        tab.on("pageerror", note)
        yield tab
        tab.remove_listener("pageerror", note)
        self.close() if item.stash.get(FAILED, False) else self._empty()
        assert not thrown

    def _empty(self) -> None:
        tab = self._tab
        for other in tab.context.pages:
            if other != tab:
                other.close()
        tab.unroute_all()
        if tab.url.startswith("http"):
            tab.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        tab.goto("about:blank")  # its visitor is gone
        tab.context.clear_cookies()
        tab.context.clear_permissions()
        tab.mouse.move(0, 0)
        tab.set_viewport_size(self._options["viewport"])
        motion = self._options.get("reduced_motion", "no-preference")
        tab.emulate_media(media="screen", color_scheme="light", reduced_motion=motion)

    def close(self) -> None:
        if self._tab:
            self._tab.context.close()
        self._tab = None


@pytest.fixture(scope="package")
def app_tab(browser, app) -> Iterator[Tab]:
    tab = Tab(browser, STILL, viewport={"width": 1280, "height": 1000}, base_url=app.url, reduced_motion="reduce")
    yield tab
    tab.close()


@pytest.fixture
def page(app: SimpleNamespace, app_tab: Tab, request: pytest.FixtureRequest) -> Iterator[object]:
    """An empty tab, 1280 wide, of somebody who wants less motion; the test fails if the page threw an exception or
    showed one."""
    with app_tab.lend(request.node) as tab:
        yield tab
        shown = [box.inner_text() for box in tab.locator('[data-testid="stException"]').all()]
    end_trainings(app)
    assert not shown


def end_trainings(app: SimpleNamespace) -> None:
    """Stops what a test has begun to train in the app and has left: the next one has the machine, and its turn."""
    sweeps = app.runs.parent / "sweeps"
    active = [run for run in map(Run, app.runs.iterdir()) if run.status().active]
    active += [sweep for sweep in map(Sweep, sweeps.iterdir()) if sweep.driver()] if sweeps.is_dir() else []
    for work in active:
        (work.path / "stop").touch()
    late = time.monotonic() + SECONDS
    while any(work.status().active if isinstance(work, Run) else work.driver() for work in active):
        assert time.monotonic() < late, f"these go on: {[work.path.name for work in active]}"
        time.sleep(0.05)


@pytest.fixture
def foreign(page, app) -> Iterator[list[str]]:
    """What the page asks of other hosts."""
    asked: list[str] = []

    def note(request: object) -> None:
        if not re.match(rf"(blob:)?{re.escape(app.url)}/|data:|blob:null|about:", request.url):
            asked.append(request.url)

    def note_socket(socket: object) -> None:
        if app.url[4:] + "/" not in socket.url:
            asked.append(socket.url)

    page.on("request", note)
    page.on("websocket", note_socket)
    yield asked
    page.remove_listener("request", note)
    page.remove_listener("websocket", note_socket)


@pytest.fixture(scope="package")
def map_tab(browser) -> Iterator[Tab]:
    tab = Tab(browser, viewport={"width": 800, "height": 1050})
    yield tab
    tab.close()


@pytest.fixture
def bare(map_tab: Tab, request: pytest.FixtureRequest) -> Iterator[object]:
    """A page with the map's program and room for two maps; the test fails if it threw."""
    from tests.browser.alone import prepare_alone  # where there is no Playwright, this file is read nevertheless

    with map_tab.lend(request.node) as tab:
        prepare_alone(tab)
        yield tab
