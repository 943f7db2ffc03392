"""A crowd on two cores: how long a click takes of one visitor alone, and of each of twelve.

    python benchmarks/crowd.py [--smoke | --write] [--sessions 600]

Starts the app with folders of its own and speaks to it as a browser's tab does, by Streamlit's messages over a
WebSocket: it opens pages, moves widgets, clicks points of maps, keeps what may be kept, and asks for the living parts
of a page as often as their timers say. A click lasts until the server has run the page, or the part of it that was
clicked. Three of the twelve train the digits, again and again. With --sessions it opens and closes as many visits
instead, one after the other, and says what is left of them in memory.
"""

import asyncio
import json
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import PATIENCE, arguments, busy_words, machine, markdown, others_busy, report, served
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

from semidml.data import store

HOME, LESSON, MAP = "", "Few labels", "semidml_map"
PAGES = {HOME: 1, "Train": 3, "Explore": 3, "Compare": 2, "Prior": 1, LESSON: 1, "Clusters": 1}  # how often opened
PRESSED = {  # what people press on a page, by the beginning of its label; a map's label is its component's name
    "Train": ("Decoder", "Prior", "Alpha", "Dimensions", "Labels", "Epoch", "Run"),
    "Explore": ("Run", "More about this run", "Colour", "Epoch", MAP),
    "Compare": ("Runs", "Points as they lie in"),
    "Clusters": ("Run", "Colour", "Epoch"),
}
NOT_PRESSED = ("Delete", "Method", "Data", "Device", "Knob to change", "New value", "New name")
SHARE_OF_PAGES = 0.3  # of the clicks open another page
KEPT_RUNS = 2  # runs of a page for which a browser keeps large messages that it was not sent again
COUNTED_EVERY = 100  # visits after which memory is measured again
WHOLE_RUN = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_WITH_COMPILE_ERROR)


class Form(NamedTuple):
    """How much is measured."""

    clicks_alone: int
    clicks: int  # of all who do not train, together
    visitors: int
    training: int  # of them
    epochs: int  # of each training
    pause: tuple[float, float]  # seconds between two clicks of a visitor
    counted_from: int  # visits after which memory is first measured


WHOLE = Form(120, 400, visitors=12, training=3, epochs=60, pause=(1.0, 2.0), counted_from=50)
SMOKE = Form(2, 4, visitors=3, training=1, epochs=1, pause=(0.0, 0.1), counted_from=1)


# ---- a visitor's browser


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


# ---- what a visitor does


def changed(kind: str, widget: Any, chance: random.Random) -> WidgetState | None:
    """Another value of a widget; None where it has none, or is none."""
    state = WidgetState(id=getattr(widget, "id", ""))
    if not state.id or getattr(widget, "disabled", False):
        return None
    if kind in ("selectbox", "radio") and len(widget.options) > 1:
        state.string_value = chance.choice(widget.options)
    elif kind == "slider" and len(widget.options) > 1:
        state.string_array_value.data.append(chance.choice(widget.options))
    elif kind == "slider" and not widget.options and widget.max > widget.min:
        steps = max(1, round((widget.max - widget.min) / (widget.step or 1)))
        state.double_array_value.data.append(widget.min + chance.randrange(steps) * (widget.step or 1))
    elif kind == "button_group" and len(widget.options) > 1:
        state.string_array_value.data.append(chance.choice(widget.options).content)
    elif kind == "multiselect" and len(widget.options) > 2:
        state.string_array_value.data.extend(chance.sample(list(widget.options), 2))
    elif kind == "checkbox":
        state.bool_value = not widget.value if widget.set_value else chance.random() < 0.5
    elif kind == "bidi_component" and widget.component_name == MAP:
        state.id = f"$$STREAMLIT_INTERNAL_KEY_{widget.id}__events"
        click = {"x": 0.0, "y": 0.0, "point": chance.randrange(500)}
        state.json_trigger_value = json.dumps([{"event": "asked", "value": click}])
    else:
        return None
    return state


def label_of(kind: str, widget: Any) -> str:
    return widget.component_name if kind == "bidi_component" else getattr(widget, "label", "")


def pressable(tab: Tab, chance: random.Random) -> list[tuple[str, WidgetState, str]]:
    """(label, the state after it was pressed, part of the page) of what people press on this page."""
    states = []
    for kind, widget, fragment in tab.elements():
        label = label_of(kind, widget)
        wanted = label.startswith(PRESSED[tab.page]) if tab.page in PRESSED else not label.startswith(NOT_PRESSED)
        if wanted and (state := changed(kind, widget, chance)):
            states.append((label, state, fragment))
    return states


Waits = dict[str, list[float]]  # seconds of the clicks on each page


async def look_around(tab: Tab, waits: Waits, form: Form, chance: random.Random, goes_on: Callable[[], bool]) -> None:
    """Clicks through pages and widgets, with a pause to think before each."""
    while goes_on():
        await asyncio.sleep(chance.uniform(*form.pause))
        states = pressable(tab, chance)
        if not states or chance.random() < SHARE_OF_PAGES:
            others = {name: often for name, often in PAGES.items() if name != tab.page}
            (page,) = chance.choices(list(others), list(others.values()))
            waits[page].append(await tab.open(page))
        else:
            page = tab.page
            _, state, fragment = chance.choice(states)
            waits[page].append(await tab.press(state, fragment))


async def train_again(tab: Tab, waits: Waits, form: Form, chance: random.Random, goes_on: Callable[[], bool]) -> None:
    """Trains the digits, watches until that has ended, and trains again."""
    while goes_on():
        knobs = f"data=digits&epochs={form.epochs}&seed={chance.randrange(1000)}"
        waits["Train"].append(await tab.open("Train", knobs))
        await asyncio.sleep(chance.uniform(*form.pause))
        button = next(widget for kind, widget, _ in tab.elements() if kind == "button" and widget.label == "Train")
        waits["Train"].append(await tab.press(WidgetState(id=button.id, trigger_value=True)))
        while goes_on() and any(seconds <= 1 for seconds, _ in tab.timers.values()):  # the run's picture is alive
            await asyncio.sleep(0.2)


# ---- what it costs


class Process(NamedTuple):
    """A process of this machine, at a moment."""

    number: int
    parent: int
    seconds: float  # of a processor
    megabytes: float
    threads: int


def processes_of(parent: int) -> list[Process]:
    """A process's children and theirs, its own first; none where the system does not say."""
    every = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            pages = int((folder / "statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        size = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        every.append(Process(int(folder.name), int(fields[1]), seconds, size, int(fields[17])))
    below, parents = [], [parent]
    while parents:
        children = [process for process in every if process.parent in parents]
        below, parents = below + children, [process.number for process in children]
    return below


def descriptors(process: Process) -> int:
    return len(list(Path(f"/proc/{process.number}/fd").iterdir()))


class Share(NamedTuple):
    """What the app takes of the machine while something goes on."""

    server: float  # cores
    workers: float  # cores, of the processes that train and answer
    megabytes: float  # of the server, at the end
    threads: int


async def measured(work: Awaitable[object]) -> Share | None:
    """Does it; None where the system does not say what it takes."""
    before, began = processes_of(os.getpid()), time.perf_counter()
    await work
    after, seconds = processes_of(os.getpid()), time.perf_counter() - began
    if not after:
        return None
    spent = {process.number: process.seconds for process in before}
    cores = [(process.seconds - spent.get(process.number, 0.0)) / seconds for process in after]
    return Share(cores[0], sum(cores[1:]), after[0].megabytes, after[0].threads)


async def crowd(url: str, form: Form, visitors: int, training: int, clicks: int) -> tuple[Waits, Share | None]:
    """So many visitors at once, until those who do not train have clicked so often together."""
    waits: Waits = defaultdict(list)
    trained: Waits = defaultdict(list)
    tabs = [Tab(url) for _ in range(visitors)]

    def goes_on() -> bool:
        return sum(map(len, waits.values())) < clicks

    async def visit(number: int, tab: Tab) -> None:
        act, kept = (train_again, trained) if number < training else (look_around, waits)
        async with tab:
            await tab.open(HOME)
            await act(tab, kept, form, random.Random(f"visitor {number}"), goes_on)

    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            for number, tab in enumerate(tabs):
                group.create_task(visit(number, tab))

    share = await measured(together())
    waits["Train, by those who train"] = trained["Train"]
    return waits, share


async def warm_up(url: str) -> None:
    """Has every page drawn and a run trained, so that all is loaded."""
    async with Tab(url) as tab:
        for page in (*PAGES, *PAGES):
            await tab.open(page)
    once = WHOLE._replace(epochs=1, pause=(0.0, 0.0))
    async with Tab(url) as tab:
        turns = iter((True, True, False))
        await train_again(tab, defaultdict(list), once, random.Random(0), lambda: next(turns, False))


async def visits(url: str, count: int, form: Form) -> list[dict[str, float]]:
    """Opens and closes as many visits, one after the other: what the server holds after some of them, and after all."""
    held, chance = [], random.Random(0)
    for number in range(1, count + 1):
        async with Tab(url) as tab:
            await tab.open(list(PAGES)[number % len(PAGES)])
            if states := pressable(tab, chance):
                _, state, fragment = chance.choice(states)
                await tab.press(state, fragment)
        if number in (form.counted_from, count) or number % COUNTED_EVERY == 0:
            await asyncio.sleep(1)
            server, *_ = processes_of(os.getpid())
            names = ("visits", "megabytes", "threads", "descriptors")
            held.append(dict(zip(names, (number, server.megabytes, server.threads, descriptors(server)), strict=True)))
            print(held[-1], flush=True)
    return held


# ---- the table


def described(seconds: list[float]) -> list[str]:
    """How many clicks, their median, their 95th percentile."""
    if not seconds:
        return ["0", "-", "-"]
    return [str(len(seconds)), f"{np.median(seconds):.2f} s", f"{np.percentile(seconds, 95):.2f} s"]


def all_of(waits: Waits) -> list[float]:
    return [second for seconds in waits.values() for second in seconds]


def share_words(share: Share | None) -> str:
    if share is None:
        return "what the app took is not known"
    return (
        f"the server took {share.server:.2f} cores, {share.megabytes:,.0f} MB and {share.threads} threads, its workers "
        f"{share.workers:.2f} cores"
    )


async def compare(url: str, form: Form) -> tuple[str, dict[str, Any]]:
    """One visitor, then the crowd: a table, and its numbers."""
    await warm_up(url)
    alone, share_alone = await crowd(url, form, 1, 0, form.clicks_alone)
    many, share_many = await crowd(url, form, form.visitors, form.training, form.clicks)
    pages = [page for page in (*PAGES, "Train, by those who train") if alone[page] or many[page]]
    rows = [[page.replace("_", " ") or "Home", *described(alone[page]), *described(many[page])] for page in pages]
    rows.append(["**all**", *described(all_of(alone)), *described(all_of(many))])
    names = ("clicks", "median", "95 %")
    head = ["page", *(f"{name}, alone" for name in names), *(f"{name}, {form.visitors} visitors" for name in names)]
    text = f"{markdown(head, rows)}\n\nAlone {share_words(share_alone)}; of {form.visitors} {share_words(share_many)}."
    numbers = {
        name: {
            "clicks": len(seconds),
            "median": float(np.median(seconds)),
            "p95": float(np.percentile(seconds, 95)),
            "share": share and share._asdict(),
        }
        for name, seconds, share in (("alone", all_of(alone), share_alone), ("crowd", all_of(many), share_many))
    }
    return text, numbers


async def count_visits(url: str, form: Form, count: int) -> tuple[str, dict[str, Any]]:
    """What is left of visits that have ended: a table, and its numbers."""
    await warm_up(url)
    held = await visits(url, count, form)
    text = markdown(list(held[0]), [[f"{value:,.0f}" for value in line.values()] for line in held])
    return text, {"held": held}


def main() -> None:
    asked = arguments(__doc__, sessions="open and close as many visits instead")
    form, before = SMOKE if asked.smoke else WHOLE, others_busy()
    with tempfile.TemporaryDirectory() as folder:
        places = {"SEMIDML_RUNS": folder, "SEMIDML_DATA": str(store.data_folder())}
        with served("app.py", **places) as (url, _):
            work = count_visits(url, form, asked.sessions) if asked.sessions else compare(url, form)
            text, numbers = asyncio.run(work)
    text = f"{machine()}. {busy_words(before, others_busy())}\n\n{text}"
    report("crowd", text, numbers, asked.write)


if __name__ == "__main__":
    main()
