"""The server, started as the README says: killed while a browser shows a run, shared, flooded, spoken to in nonsense.
It is started again or goes on, and the runs end as if nothing had happened."""

import asyncio
import random
import re
import select
import socket
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from semidml.config import RunConfig
from semidml.runs.run import Run
from semidml.ui.links import link_of
from tests.browser.conftest import browser  # noqa: F401
from tests.faults.lives import MOMENTS, Campaign, end_process, setting, wait_for_moment
from tests.server import SECONDS, answers, running_app
from tests.test_jobs import until

AS_IF = "started again, it shows the run as interrupted and resumes it; what is there equals an undisturbed run's"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    made = Campaign(tmp_path_factory.mktemp("beside"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    with running_app(tmp_path_factory.mktemp("app")) as server:
        yield server


def press(tab: Any, label: str) -> None:
    tab.get_by_role("button", name=re.compile(rf"\b{label}$")).first.click(timeout=SECONDS * 1000)


def train_by_browser(tab: Any, server: SimpleNamespace, config: RunConfig) -> Run:
    """Open Train by a link and press the button; the new run."""
    before = set(server.runs.iterdir())
    tab.goto(f"{server.url}/Train?{urlencode(link_of(config))}", wait_until="domcontentloaded")
    press(tab, "Train")
    (path,) = until(lambda: [p for p in set(server.runs.iterdir()) - before if (p / "status.json").exists()], SECONDS)
    return Run(path)


def resume_by_browser(tab: Any, server: SimpleNamespace, run: Run) -> None:
    tab.goto(f"{server.url}/Train?run={run.id}", wait_until="domcontentloaded")
    press(tab, "Resume")
    until(lambda: run.status().active or run.status().state == "done", SECONDS)


# ---- killed


@pytest.mark.often(1, 20)
def test_the_server_is_killed(campaign, folder, browser, tell, number):  # noqa: F811
    chance = random.Random(f"server {number}")
    moment, how = chance.choice(list(MOMENTS)), chance.choice(("SIGKILL", "SIGKILL", "SIGTERM", "SIGSTOP", "SIGINT"))
    tell(f"{how} to the server when its run {moment}, while a browser showed it", AS_IF)
    with running_app(folder) as server:
        tab = browser.new_page()
        if campaign.run is None:
            run = campaign.run = train_by_browser(tab, server, campaign.next_config())
        else:
            run = campaign.run
            resume_by_browser(tab, server, run)
        wait_for_moment(run, moment, chance, lambda: run.status().active)
        end_process(server.process.pid, how)
        server.process.wait()
        tab.close()
    until(lambda: not run.status().active or run.is_orphan())
    if not run.is_orphan():
        campaign.check(run)
    if run.status().state == "done":
        campaign.finished.append(run)
        campaign.run = None


def test_runs_whose_server_was_killed_end_as_if_nobody_had(campaign, folder, browser, tell):  # noqa: F811
    tell("the server was started once more, and its last run resumed by the browser", "all equal undisturbed ones")
    if (run := campaign.run) is not None:
        with running_app(folder) as server:
            tab = browser.new_page()
            resume_by_browser(tab, server, run)
            until(lambda: not run.status().active)
            tab.close()
        campaign.finished.append(run)
    assert campaign.finished
    for run in campaign.finished:
        assert run.status().state == "done", run.status()
        campaign.check(run)


@pytest.mark.whole
def test_a_tab_is_closed_while_its_run_trains(campaign, app, browser, tell):  # noqa: F811
    tell("a tab pressed Train and was closed", "the run goes on, and ends as an undisturbed one")
    tab = browser.new_page()
    run = train_by_browser(tab, app, setting(1))
    tab.close()
    until(lambda: not run.status().active)
    assert run.status().state == "done"
    campaign.check(run)


@pytest.mark.whole
def test_two_servers_have_one_folder(campaign, tmp_path, browser, tell):  # noqa: F811
    tell("two servers on one folder train at once, and each is shown the other's run", "both runs end undisturbed")
    with running_app(tmp_path) as first, running_app(tmp_path) as second:
        tabs = [browser.new_page() for _ in range(2)]
        runs = [train_by_browser(*pair, setting(0)) for pair in zip(tabs, (first, second), strict=True)]
        tabs[0].goto(f"{first.url}/Train?run={runs[1].id}")
        tabs[1].goto(f"{second.url}/Train?run={runs[0].id}")
        for run in runs:
            until(lambda run=run: not run.status().active and not (run.path / "lock").exists())
            assert run.status().state == "done"
            campaign.check(run)
        for tab in tabs:
            assert not tab.locator('[data-testid="stException"]').count()
            tab.close()


# ---- flooded


def in_a_loop_of_its_own(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Playwright holds this thread's loop."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work()).result()


def memory_of(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS:"))


def test_a_flood_of_visits(app, benchmark, pytestconfig, tell):
    visits, at_once = (240, 12) if pytestconfig.getoption("whole") else (16, 4)
    tell(f"{visits} visits, {at_once} at once, opened a page and left", "the server answers, within 600 MB more memory")
    tab = benchmark("tab").Tab

    async def visit(number: int) -> None:
        async with tab(app.url) as visitor:
            await visitor.open(("", "Train", "Explore", "Prior")[number % 4])

    async def flood() -> None:
        for start in range(0, visits, at_once):
            await asyncio.gather(*(visit(number) for number in range(start, start + at_once)))

    in_a_loop_of_its_own(lambda: visit(1))
    before = memory_of(app.process.pid)
    in_a_loop_of_its_own(flood)
    in_a_loop_of_its_own(lambda: visit(1))
    assert memory_of(app.process.pid) - before < 600
    assert "Traceback" not in app.log()


# ---- nonsense


def asked(**values: object) -> bytes:
    message = BackMsg()
    for name, value in values.items():
        setattr(message.rerun_script, name, value)
    return message.SerializeToString()


def widgets(count: int, kind: str, value: object) -> bytes:
    message = BackMsg()
    for number in range(count):
        state = message.rerun_script.widget_states.widgets.add(id=f"$$ID-{number}")
        setattr(state, kind, value)
    return message.SerializeToString()


def noise(number: int) -> bytes:
    chance = random.Random(number)
    content = bytearray(asked(query_string="run=digits-dml-all-labels", page_name="Explore"))
    for _ in range(3):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


MESSAGES: dict[str, bytes | str] = {
    "nothing": b"",
    "text": "hello",
    "random bytes": random.Random(0).randbytes(10_000),
    "ten megabytes": bytes(10_000_000),
    "a page that is not": asked(page_script_hash="no such page"),
    "a page of 100,000 letters": asked(page_name="x" * 100_000),
    "a query of a million letters": asked(query_string="run=" + "x" * 1_000_000, page_name="Explore"),
    "a query of control characters": asked(query_string="run=%00%0a%1b%5b31m%ff&run=2&alpha=nan", page_name="Train"),
    "a part of a page that is not": asked(fragment_id="no such part"),
    "100,000 widgets": widgets(100_000, "string_value", "x"),
    "a widget of 5 MB": widgets(1, "string_value", "x" * 5_000_000),
    "a widget of NaN": widgets(1, "double_value", float("nan")),
    "a trigger of broken JSON": widgets(1, "json_trigger_value", "{"),
    **{f"a message with other bytes, {number}": noise(number) for number in range(5)},
}


def check_serves(app: SimpleNamespace) -> None:
    assert app.process.poll() is None and answers(f"{app.url}/_stcore/health")
    address = f"ws://127.0.0.1:{app.port}/_stcore/stream"
    with connect(address, subprotocols=["streamlit"], max_size=None) as tab:
        tab.send(asked(page_name="Train"))
        assert tab.recv(timeout=SECONDS)


@pytest.mark.parametrize("content", MESSAGES.values(), ids=MESSAGES)
def test_a_message_that_no_page_sends(app, tell, content, request):
    tell(
        f"sent over the WebSocket: {request.node.callspec.id}", "the connection is closed or goes on; others are served"
    )
    address = f"ws://127.0.0.1:{app.port}/_stcore/stream"
    try:
        with connect(address, subprotocols=["streamlit"], max_size=None, close_timeout=1) as tab:
            tab.send(asked(page_name="Train"))
            tab.recv(timeout=SECONDS)
            tab.send(content)
            tab.recv(timeout=SECONDS)
    except ConnectionClosed:
        pass  # it may be
    check_serves(app)


REQUESTS = {
    "nothing at all": b"",
    "half a request": b"GET / HTTP/1.1\r\nHost: localhost",
    "headers without end": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200_000,
    "a header of a megabyte": b"GET / HTTP/1.1\r\nHost: localhost:PORT\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
    "a path of a megabyte": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n",
    "a path that leads out": b"GET /../../../etc/passwd HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n",
    "a path that leads out of what is static": (
        b"GET /static/..%2f..%2f..%2fetc/passwd HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n"
    ),
    "zeros": bytes(100_000),
    "a body longer than told": b"POST / HTTP/1.1\r\nHost: localhost:PORT\r\nContent-Length: 1\r\n\r\n" + bytes(10**6),
    "a length below zero": b"PUT /_stcore/upload_file/a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "a file of nobody": (
        b"PUT /_stcore/upload_file/nobody/x HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\nContent-Type: "
        b"multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 10**6
    ),
    "a handshake of another version": (
        b"GET /_stcore/stream HTTP/1.1\r\nHost: localhost:PORT\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n\r\n"
    ),
}


@pytest.mark.parametrize("content", REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_no_browser_sends(app, tell, content, request):
    tell(f"sent to the server, twenty at once: {request.node.callspec.id}", "nothing is told, and others are served")
    sockets = [socket.create_connection(("127.0.0.1", app.port), timeout=2) for _ in range(20)]
    for connection in sockets:
        with suppress(OSError):  # closed, or full
            connection.sendall(content.replace(b"PORT", str(app.port).encode()))
    told, silent, late = b"", set(sockets), time.monotonic() + 2
    while silent and (left := late - time.monotonic()) > 0:
        for connection in select.select(silent, [], [], left)[0]:
            silent.discard(connection)
            with suppress(OSError):  # closed
                told += connection.recv(65536)
    check_serves(app)
    for connection in sockets:
        connection.close()
    assert b"root:" not in told and b"Traceback" not in told
