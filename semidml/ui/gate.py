"""Who is answered: visitors of the server's own pages, at the names it answers to, and no page of another site.

Streamlit looks at `server.allowedHosts` for WebSockets only, and takes a page of any other port of this machine for one
of its own. A page elsewhere whose name is pointed at this machine (DNS rebinding), or a page of another program of this
machine, could so train and delete runs. The gate stands before all that Streamlit serves and asks the same two settings
of it: `server.allowedHosts`, the names, and `server.corsAllowedOrigins`, pages elsewhere that are let in nevertheless.
It also tells browsers that a page of ours asks no other host for anything, and stands in no foreign frame.

To serve a class: --server.address 0.0.0.0 --server.allowedHosts class.example, once for each name or address that is
typed (the list then is these alone); --browser.serverAddress class.example prints that address at the start. Behind a
proxy that hands on another Host than the visitor's: --server.corsAllowedOrigins https://class.example, too."""

import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")  # where the setting is empty, which would let Streamlit answer to any name
EVERYWHERE = ("0.0.0.0", "::")  # addresses to listen on, not to visit
METRICS = "/_stcore/metrics"  # how many visit and what memory they take: no page of ours asks, so nobody is told
POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; frame-ancestors 'self'"


class Gate:
    """ASGI middleware: a request or a WebSocket that `refusal` names a reason for gets it, as text, with status 403."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        if scope["type"] not in ("http", "websocket"):  # the server's own start and end
            answer = self.app
        elif reason := refusal(Headers(scope=scope), scope.get("method", "GET")):
            answer = PlainTextResponse(f"{reason}\n", status_code=403, headers={"x-content-type-options": "nosniff"})
        elif scope["path"].rstrip("/").endswith(METRICS):
            answer = PlainTextResponse("There is nothing here.\n", status_code=404)
        else:
            answer = self.app
        await answer(scope, receive, send_with_policy)


def refusal(headers: Headers, method: str) -> str | None:
    """Why a request with these headers is not answered, in a sentence; None if it is.

    A browser names the page that asks: in Origin, which no page can forge, where it opens a WebSocket, sends anything
    or reads across origins; otherwise in Sec-Fetch-Site. A program names none and is let in. A link that somebody
    follows from elsewhere opens the page as a document of its own, and only so."""
    hosts = headers.getlist("host")
    if len(hosts) != 1:
        return "A request must say once which host it asks for."
    (host,) = hosts
    if not is_answered(host):
        name = hostname(host) or host
        return (
            f"This server does not answer to the name {name}. Whoever starts it can add a name with "
            f"--server.allowedHosts, once for each."
        )
    origins = headers.getlist("origin")
    welcome = [origin.strip() for origin in st.get_option("server.corsAllowedOrigins")]
    for origin in origins:
        if urlsplit(origin).netloc.lower() != host.lower() and origin not in welcome:
            return f"Pages of {origin} may not speak to this server."
    is_foreign = not origins and headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
    arrives = (method, headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("GET", "navigate", "document")
    return "Pages of another site may link to this server, but not use it." if is_foreign and not arrives else None


def is_answered(host: str) -> bool:
    """Whether the server answers to this Host, a name or an address with or without a port: `server.allowedHosts` read
    as Streamlit reads it, where `*.class.example` stands for all names below and `*` for any."""
    name = hostname(host)
    patterns = [pattern.strip().lower().rstrip(".") for pattern in st.get_option("server.allowedHosts") or LOOPBACK]
    return name is not None and any(
        pattern in ("*", name) or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in patterns
    )


def hostname(host: str) -> str | None:
    """The name or address within a Host header, in small letters; None if it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # ValueError if it is no port
    except ValueError:
        return None
    return parts.hostname.rstrip(".") if parts.hostname and parts.netloc == host and "@" not in host else None


@asynccontextmanager
async def opened_browser(_app: object) -> AsyncIterator[None]:
    """While the server runs: a browser that shows it, where there is a screen. Streamlit opens one only for a server
    without a gate."""
    if not st.get_option("server.headless"):
        threading.Thread(target=webbrowser.open, args=(address(),), daemon=True).start()
    yield


def address() -> str:
    """The address of the first page, for a browser on this machine."""
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    listens = st.get_option("server.address")
    host = st.get_option("browser.serverAddress") if listens in (None, "", *EVERYWHERE) else listens
    host = f"[{host}]" if ":" in host else host
    path = st.get_option("server.baseUrlPath").strip("/")
    return f"{scheme}://{host}:{st.get_option('browser.serverPort')}/{path}"
