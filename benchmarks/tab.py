"""A browser's tab, as far as a Streamlit server can tell: it opens pages, changes widgets, keeps what may be kept and
asks for the living parts of a page as often as their timers say, by Streamlit's messages over a WebSocket."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from common import PATIENCE
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

HOME = ""  # the name of the first page
KEPT_RUNS = 2  # runs of a page for which a browser keeps large messages that it was not sent again
WHOLE_RUN = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_WITH_COMPILE_ERROR)


class Shown(NamedTuple):
    """An element of the page, and the run of the page that has drawn it last."""

    delta: Delta
    run: int


class Tab:
    """A browser's tab, as far as the server can tell one from it. Use as an async context manager."""

    def __init__(self, url: str):
        self.address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self.pages: dict[str, str] = {}  # hash by name
        self.page, self.query = HOME, ""
        self.shown: dict[tuple[int, ...], Shown] = {}  # by place
        self.kept: dict[str, tuple[Delta, int]] = {}  # large messages by hash, and the run that used them last
        self.timers: dict[str, tuple[float, float]] = {}  # of each living part: seconds, when it is due
        self.states: dict[str, WidgetState] = {}  # of what was moved on this page
        self.run, self.runs_whole, self.asked_by_timer = 0, False, False
        self.ends: asyncio.Queue[int | Exception] = asyncio.Queue()
        self.tasks: list[asyncio.Task[None]] = []
        self.socket: ClientConnection

    async def __aenter__(self) -> "Tab":
        self.socket = await connect(self.address, subprotocols=["streamlit"], max_size=None, compression=None)
        self.tasks = [asyncio.create_task(work()) for work in (self._listen, self._follow_timers)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await self.socket.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def open(self, page: str, query: str = "") -> float:
        """Goes to a page by its name; seconds until it is there."""
        self.page, self.states = page, {}
        return await self._click(page=page, query=query)

    async def press(self, state: WidgetState, fragment: str = "") -> float:
        """Changes a widget; seconds until the page, or the part that has the widget, was run."""
        if not state.HasField("trigger_value") and not state.HasField("json_trigger_value"):
            self.states[state.id] = state
        return await self._click(state, fragment=fragment)

    def elements(self) -> Iterator[tuple[str, Any, str]]:
        """(kind, element, the living part that it belongs to or "") of all that is shown."""
        for delta, _ in self.shown.values():
            kind = delta.new_element.WhichOneof("type")
            yield kind, getattr(delta.new_element, kind), delta.fragment_id

    def words(self) -> str:
        """What the page says."""
        return "\n".join(getattr(element, "body", "") for kind, element, _ in self.elements() if kind == "markdown")

    async def _click(self, *states: WidgetState, fragment: str = "", page: str | None = None, query: str = "") -> float:
        began = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            while fragment and self.asked_by_timer:  # such runs come one after the other
                await asyncio.sleep(0.005)
            while not self.ends.empty():
                self.ends.get_nowait()
            await self._ask(*states, fragment=fragment, page=page, query=query)
            ends = (*WHOLE_RUN, *([ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY] if fragment else []))
            while (end := await self.ends.get()) not in ends:
                if isinstance(end, Exception):
                    raise end
        for kind, element, _ in self.elements():
            if kind == "exception":
                raise RuntimeError(f"the page {self.page or 'Home'} shows {element.type}: {element.message}")
        return time.perf_counter() - began

    async def _ask(
        self, *states: WidgetState, fragment: str = "", page: str | None = None, query: str = "", timer: bool = False
    ) -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string = self.query if page is None else query
        if self.pages:
            asked.page_script_hash = self.pages[self.page]
        else:
            asked.page_name = self.page.replace(" ", "_")
        asked.fragment_id, asked.is_auto_rerun = fragment, timer
        asked.cached_message_hashes.extend(self.kept)
        known = self.states | {state.id: state for state in states}
        asked.widget_states.widgets.extend(known.values())
        await self.socket.send(message.SerializeToString())

    async def _follow_timers(self) -> None:
        """Asks for the living parts that are due."""
        while True:
            await asyncio.sleep(0.05)
            for fragment, (seconds, due) in list(self.timers.items()):
                if time.monotonic() >= due and not self.asked_by_timer:
                    self.timers[fragment], self.asked_by_timer = (seconds, time.monotonic() + seconds), True
                    await self._ask(fragment=fragment, timer=True)

    async def _listen(self) -> None:
        try:
            async for sent in self.socket:
                message = ForwardMsg()
                message.ParseFromString(sent)
                self._read(message)
        except Exception as error:  # who waits for an answer raises it
            self.ends.put_nowait(error)

    def _read(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._begin_run(message)
        elif kind in ("delta", "ref_hash"):
            self._show(message)
        elif kind == "navigation":
            self._arrive(message)
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            seconds = message.auto_rerun.interval
            self.timers[message.auto_rerun.fragment_id] = (seconds, time.monotonic() + seconds)
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.timers.pop(fragment, None)
        elif kind == "script_finished":
            self._end_run(set(message.metadata.run.fragment_ids), message.script_finished)

    def _begin_run(self, message: ForwardMsg) -> None:
        if self.runs_whole and message.metadata.run.fragment_ids:  # Streamlit may lose the word that a run has ended
            self._end_run(set(), ForwardMsg.FINISHED_SUCCESSFULLY)
        self.run += 1
        self.runs_whole = not message.metadata.run.fragment_ids
        if self.runs_whole:
            self.timers.clear()

    def _arrive(self, message: ForwardMsg) -> None:
        """At the page that the server says, which may have sent its visitor on."""
        pages = message.navigation.app_pages
        self.pages = {HOME if page.is_default else page.page_name: page.page_script_hash for page in pages}
        names = {code: name for name, code in self.pages.items()}
        self.page = names[message.navigation.page_script_hash]

    def _show(self, message: ForwardMsg) -> None:
        place = tuple(message.metadata.delta_path)
        delta = self.kept[message.ref_hash][0] if message.ref_hash else message.delta
        if message.ref_hash or message.metadata.cacheable:
            self.kept[message.ref_hash or message.hash] = (delta, self.run)
        if delta.WhichOneof("type") == "new_element":
            self.shown[place] = Shown(delta, self.run)
        elif place in self.shown:  # a block stands there now
            del self.shown[place]

    def _end_run(self, parts: set[str], status: int) -> None:
        """What was not drawn again by a run of the page, or of these parts of it, is gone."""
        if status in WHOLE_RUN or parts:
            self.shown = {
                place: shown
                for place, shown in self.shown.items()
                if shown.run == self.run or (parts and shown.delta.fragment_id not in parts)
            }
        if not parts:
            self.runs_whole = False
            self.kept = {name: kept for name, kept in self.kept.items() if kept[1] > self.run - KEPT_RUNS}
        self.asked_by_timer = False
        self.ends.put_nowait(status)
