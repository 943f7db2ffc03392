"""How many bytes of files that visitors send are in memory: bounded for each visitor and for all together.

Streamlit takes as many files as a page that is open is sent, each as large as `server.maxUploadSize`, whether or not
the page asked for them, and holds them in memory until some minutes after the page was closed. The intake stands before
that: a file that would be too much is refused with status 413 before any of it is read, and what the pages that were
closed had sent goes at once."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from semidml import memory
from semidml.words import size_words

UPLOAD, STREAM = "/_stcore/upload_file/", "/_stcore/stream"
FILES_A_VISITOR = 2  # of the largest size: one that is there, and one that comes in its place
SHARE = 4  # one part of so many of the memory for what is kept may be visitors' files
OVERHEAD = 64 << 10  # bytes that come around a file


class Intake:
    """ASGI middleware: see above."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._coming: Counter[str] = Counter()  # bytes of files that are on their way, by session
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "lifespan":  # the server's own start and end
            await self._live(scope, receive, send)
        elif scope["type"] == "websocket" and path.endswith(STREAM):
            try:
                await self.app(scope, receive, send)
            finally:
                drop_files_of_closed_pages()
        elif scope["type"] == "http" and scope["method"] == "PUT" and UPLOAD in path:
            await self._take(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What a server left that was killed goes at the start of the next one, beside its first answers; all else at
        the end."""
        sweeping = threading.Thread(target=sweep_left, name="sweep", daemon=True)
        sweeping.start()
        try:
            await self.app(scope, receive, send)
        finally:
            from semidml.ui import incoming

            sweeping.join()
            incoming.leave_all()

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = scope["path"].partition(UPLOAD)[2].partition("/")[0]
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():
            refusal = PlainTextResponse("A file must say in Content-Length how large it is.\n", status_code=411)
            await refusal(scope, receive, send)
            return
        with self._room(session, int(length)) as reason:
            if reason:
                await PlainTextResponse(f"{reason}\n", status_code=413)(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        drop_files_of_closed_pages()  # this one's may have been closed while the file came

    @contextmanager
    def _room(self, session: str, size: int) -> Iterator[str]:
        """Room for a file of `size` bytes while it comes; or why there is none, in a sentence."""
        with self._lock:
            reason = refusal(size, self._coming[session] + held_bytes(session), self._coming.total() + held_bytes())
            self._coming[session] += 0 if reason else size
        try:
            yield reason
        finally:
            with self._lock:
                self._coming[session] -= 0 if reason else size
                self._coming += Counter()  # without those that are 0


def refusal(size: int, of_visitor: int, of_all: int) -> str:
    """Why a file of `size` bytes is not taken while so many bytes of files are held; "" if it is."""
    largest = st.get_option("server.maxUploadSize") << 20
    if of_visitor + size > FILES_A_VISITOR * largest + OVERHEAD:
        return (
            f"This page has sent {size_words(of_visitor)} of files that are not read yet; with {size_words(size)} more "
            "it would be too much: remove one, or load the page anew."
        )
    most = max(largest + OVERHEAD, memory.budget_bytes() // SHARE)
    if of_all + size > most:
        return (
            f"Visitors have sent {size_words(of_all)} of the {size_words(most)} of files that are held at a time; try "
            "again in a minute."
        )
    if 2 * size > memory.free_bytes():
        return f"This machine has {size_words(memory.free_bytes())} of memory left, too little for this file."
    return ""


def held_bytes(session: str | None = None) -> int:
    """Bytes of the files that Streamlit holds, of a session or of all."""
    if not runtime.exists():
        return 0
    stored = runtime.get_instance().uploaded_file_mgr.file_storage
    sessions = list(stored.values()) if session is None else [stored.get(session, {})]
    return sum(len(file.data) for files in sessions for file in list(files.values()))


def drop_files_of_closed_pages() -> None:
    """Let go of what pages have sent that are closed now."""
    from semidml.ui import incoming  # numpy: the server answers before it is there

    incoming.leave_closed_pages()
    if not runtime.exists():
        return
    server = runtime.get_instance()
    for session in list(server.uploaded_file_mgr.file_storage):
        if not server.is_active_session(session):
            server.uploaded_file_mgr.remove_session_files(session)


def sweep_left() -> None:
    """Remove what a server that was killed has received and nobody added."""
    from semidml.data import store, uploads

    uploads.sweep(store.data_folder())


def let_go(file_id: str) -> None:
    """Let go of a file of this page that has been read."""
    context = get_script_run_ctx()
    if context is not None and runtime.exists():
        runtime.get_instance().uploaded_file_mgr.remove_file(context.session_id, file_id)
