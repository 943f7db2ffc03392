"""A large download lies on the disk until it is sent."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from starlette.applications import Starlette
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.web.server.starlette.starlette_routes import create_media_routes

from semidml.ui.take_away import OnDisk

LARGE = 64 << 20


def test_a_large_download_takes_no_memory_while_streamlit_keeps_it_and_arrives_whole(tmp_path: Path) -> None:
    part = os.urandom(1 << 20)

    def write(file) -> None:
        for _ in range(LARGE // len(part)):
            file.write(part)

    storage = MemoryMediaFileStorage("/media")
    manager, own = MediaFileManager(storage), psutil.Process()
    before = own.memory_full_info().uss
    placeholder = manager.add_deferred(
        lambda: OnDisk(write, tmp_path), "application/zip", "place of the button", "all.zip"
    )
    address = manager.execute_deferred(placeholder)
    held = own.memory_full_info().uss - before
    assert held < LARGE / 4, f"{held >> 20} MB of {LARGE >> 20}"
    assert not list(tmp_path.iterdir()), "nobody else sees the file, and it goes with the process"

    headers, body = ask(Starlette(routes=create_media_routes(storage, "")), address)
    assert b"all.zip" in headers[b"content-disposition"] and int(headers[b"content-length"]) == LARGE
    assert body == part * (LARGE // len(part))


def ask(app: Starlette, address: str) -> tuple[dict[bytes, bytes], bytes]:
    """Headers and content of what is at an address."""
    messages: list[dict] = []
    scope = {"type": "http", "method": "GET", "path": address, "headers": [], "query_string": b""}

    async def receive() -> dict:
        return {"type": "http.request"}

    async def send(message: dict) -> None:
        messages.append(message)

    with ThreadPoolExecutor(1) as pool:  # in this thread a browser's tests may have a loop that runs
        pool.submit(asyncio.run, app(scope, receive, send)).result()
    start, *rest = messages
    assert start["status"] == 200, start
    return dict(start["headers"]), b"".join(message["body"] for message in rest)
