"""No page of another site reaches the server: neither one whose name is pointed at this machine, nor one of another
port of it. Requests are written to the socket as they are, since a client's library would mend them."""

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from semidml.ui import gate
from tests.server import running_app

KEY = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "A" * 22 + "==",
}
WEBSOCKET = ("GET", "/_stcore/stream")
PLACES = [  # all kinds of what Streamlit serves, and what it would show where nothing is
    WEBSOCKET,
    ("GET", "/"),
    ("GET", "/Train"),
    ("HEAD", "/"),
    ("GET", "/favicon.png"),
    ("GET", "/static/js/nothing.js"),
    ("GET", "/media/nothing.png"),
    ("GET", "/component/nothing/index.html"),
    ("GET", "/_stcore/bidi-components/nothing/index.js"),
    ("GET", "/_stcore/health"),
    ("GET", "/_stcore/host-config"),
    ("GET", "/_stcore/metrics"),
    ("GET", "/_stcore/agent/openapi.json"),
    ("POST", "/_stcore/agent/interact"),
    ("OPTIONS", "/_stcore/upload_file/session/file"),
    ("PUT", "/_stcore/upload_file/session/file"),
    ("DELETE", "/_stcore/upload_file/session/file"),
]
FOREIGN = [  # Host headers; PORT stands for ours
    "evil.example:PORT",
    "evil.example",
    "localhost.evil.example:PORT",
    "127.0.0.1.evil.example:PORT",
    "notlocalhost:PORT",
    "localhost@evil.example:PORT",
    "evil.example@localhost:PORT",
    "localhost:PORT/evil.example",
    "localhost:evil",
    "192.0.2.1:PORT",
    "[::2]:PORT",
    "[::1:PORT",
    ":PORT",
    "",
]
OURS = ["localhost:PORT", "127.0.0.1:PORT", "[::1]:PORT", "LocalHost:PORT", "localhost", "localhost:2222"]  # a tunnel


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The app as the README starts it, seen from another folder."""
    folder = tmp_path_factory.mktemp("app")
    with running_app(folder, cwd=folder) as server:
        yield server


@pytest.fixture(scope="module")
def class_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The app for a class: at every address of the machine, with two names of its own and a page that is welcome."""
    names = ("--server.allowedHosts=class.example", "--server.allowedHosts=*.school.example")
    options = ("--server.address=0.0.0.0", *names, "--server.corsAllowedOrigins=https://welcome.example")
    with running_app(tmp_path_factory.mktemp("class"), *options) as server:
        yield server


def ask(app: SimpleNamespace, place: tuple[str, str], *hosts: str, **headers: str) -> tuple[int, str]:
    """(status, head and body) of the answer to a request with these Host lines, or none, and further headers."""
    method, path = place
    lines = [f"{method} {path} HTTP/1.1", *(f"Host: {host}".replace("PORT", str(app.port)) for host in hosts)]
    headers = (KEY if place == WEBSOCKET else {"Connection": "close", "Content-Length": "0"}) | headers
    lines += [f"{name.replace('_', '-')}: {value}".replace("PORT", str(app.port)) for name, value in headers.items()]
    answer = b""
    with socket.create_connection(("127.0.0.1", app.port), timeout=60) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        while (part := connection.recv(65536)) and not (answer + part).startswith(b"HTTP/1.1 101"):
            answer += part
            if place == WEBSOCKET and b"\r\n\r\n" in answer:
                break
        answer += part
    return int(answer.split(b" ", 2)[1]), answer.decode(errors="replace")


@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_a_name_pointed_at_this_machine_reaches_nothing(app, place):
    status, answer = ask(app, place, "evil.example:PORT", Origin="http://evil.example:PORT")
    assert status == 403, answer
    if place[0] != "HEAD" and place != WEBSOCKET:
        assert "does not answer to the name evil.example" in answer


@pytest.mark.parametrize("host", FOREIGN)
def test_no_host_but_ours_is_answered(app, host):
    for place in (("GET", "/"), WEBSOCKET):
        status, answer = ask(app, place, host)
        assert status == 403 or (status == 400 and "Invalid HTTP request" in answer), answer


def test_a_request_says_once_which_host_it_asks_for(app):
    for place in (("GET", "/"), WEBSOCKET):
        for hosts in ((), ("localhost:PORT", "evil.example:PORT"), ("evil.example:PORT", "localhost:PORT")):
            assert ask(app, place, *hosts)[0] in (400, 403)


@pytest.mark.parametrize("host", OURS)
def test_our_names_are_answered(app, host):
    assert ask(app, ("GET", "/_stcore/health"), host)[0] == 200
    assert ask(app, ("GET", "/"), host)[0] == 200
    assert ask(app, WEBSOCKET, host, Origin=f"http://{host}")[0] == 101
    assert ask(app, WEBSOCKET, host)[0] == 101  # a program, which has no origin


@pytest.mark.parametrize(
    "origin", ["http://localhost:9999", "http://127.0.0.1:PORT", "http://evil.example", "null", ""]
)
@pytest.mark.parametrize("place", PLACES, ids=" ".join)
def test_a_page_of_another_origin_reaches_nothing(app, place, origin):
    assert ask(app, place, "localhost:PORT", Origin=origin)[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_foreign_page_may_link_but_neither_load_nor_frame(app, site):
    def asked(mode: str, dest: str, method: str = "GET") -> int:
        headers = {"Sec_Fetch_Site": site, "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": dest}
        return ask(app, (method, "/"), "localhost:PORT", **headers)[0]

    assert asked("navigate", "document") == 200
    assert {asked("navigate", "iframe"), asked("no-cors", "image"), asked("no-cors", "script")} == {403}
    assert asked("navigate", "document", "POST") == 403


def test_a_page_tells_browsers_to_stay_here_and_out_of_foreign_frames(app):
    _, answer = ask(app, ("GET", "/"), "localhost:PORT")
    policy = next(line for line in answer.splitlines() if line.lower().startswith("content-security-policy:"))
    assert "default-src 'self'" in policy and "frame-ancestors 'self'" in policy and "http" not in policy


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/", "/_stcore/%6detrics"])
def test_nobody_is_told_the_metrics(app, path):
    status, answer = ask(app, ("GET", path), "localhost:PORT", Sec_Fetch_Site="same-origin")
    assert status == 404 and "active_sessions" not in answer and "cache_memory" not in answer


def test_a_class_reaches_the_names_that_are_given(class_app):
    for host in ("class.example:PORT", "class.example", "room1.school.example"):
        assert ask(class_app, ("GET", "/"), host)[0] == 200
        assert ask(class_app, WEBSOCKET, host, Origin=f"http://{host}")[0] == 101
        assert ask(class_app, WEBSOCKET, host, Origin="https://welcome.example")[0] == 101
        assert ask(class_app, WEBSOCKET, host, Origin="http://evil.example")[0] == 403
    for host in ("localhost:PORT", "school.example", "evil-school.example", "evil.example"):
        assert ask(class_app, ("GET", "/"), host)[0] == 403
        assert ask(class_app, WEBSOCKET, host, Origin=f"http://{host}")[0] == 403


def test_where_the_list_is_empty_only_this_machine_is_answered(monkeypatch):
    """Streamlit then answers to any name."""
    monkeypatch.setattr(gate.st, "get_option", {"server.allowedHosts": []}.get)
    assert gate.is_answered("localhost:8000") and gate.is_answered("[::1]:8000") and gate.is_answered("127.0.0.1")
    assert not gate.is_answered("evil.example:8000") and not gate.is_answered("192.0.2.1")


def test_where_there_is_a_screen_a_browser_opens(tmp_path):
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}.part\nmv {opened}.part {opened}\n')
    browser.chmod(0o755)
    with running_app(tmp_path, STREAMLIT_SERVER_HEADLESS="false", BROWSER=f"{browser} %s") as server:
        late = time.monotonic() + 30
        while not opened.exists() and time.monotonic() < late:
            time.sleep(0.1)
        assert opened.read_text() == f"{server.url}/"
