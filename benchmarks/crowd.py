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
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from common import arguments, busy_words, machine, markdown, others_busy, report, served
from streamlit.proto.WidgetStates_pb2 import WidgetState
from tab import HOME, Tab

from semidml.data import store

LESSON, MAP = "Few labels", "semidml_map"
PAGES = {HOME: 1, "Train": 3, "Explore": 3, "Compare": 2, "Prior": 1, LESSON: 1, "Clusters": 1}  # how often opened
PRESSED = {  # what people press on a page, by the beginning of its label; a map's label is its component's name
    "Train": ("Decoder", "Prior", "Alpha", "Dimensions", "Labels", "Epoch", "Run"),
    "Explore": ("Run", "More about this run", "Colour", "Epoch", MAP),
    "Compare": ("Runs", "Points as they lie in"),
    "Clusters": ("Run", "Colour", "Epoch"),
}
NOT_PRESSED = ("Delete", "Method", "Data", "Device", "Knob to change", "New value", "New name")
SHARE_OF_PAGES = 0.3  # of the clicks open another page
COUNTED_EVERY = 100  # visits after which memory is measured again


class Form(NamedTuple):
    """How much is measured."""

    clicks_alone: int
    clicks: int  # of all who do not train, together
    visitors: int
    training: int  # of them
    epochs: int  # of each training
    pause: tuple[float, float]  # seconds between two clicks of a visitor
    counted_from: int  # visits after which memory is first measured
    rest: float  # seconds after the last visit; Streamlit keeps the last 128 for two minutes, should they come back


WHOLE = Form(100, 400, visitors=12, training=3, epochs=60, pause=(1.0, 2.0), counted_from=50, rest=125)
SMOKE = Form(2, 4, visitors=3, training=1, epochs=1, pause=(0.0, 0.1), counted_from=1, rest=0)


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


async def visit_once(url: str, page: str, chance: random.Random) -> None:
    """Opens a page, presses something there, and leaves."""
    async with Tab(url) as tab:
        await tab.open(page)
        if states := pressable(tab, chance):
            _, state, fragment = chance.choice(states)
            await tab.press(state, fragment)


async def visits(url: str, count: int, form: Form) -> dict[str, list[float]]:
    """Opens and closes as many visits, one after the other: megabytes, threads and descriptors of the server after some
    of them, after all, and after a rest; nothing where the system does not say."""
    held, chance, pages = {}, random.Random(0), list(PAGES)

    async def count_up(when: str) -> None:
        await asyncio.sleep(1)
        for server in processes_of(os.getpid())[:1]:
            held[when] = [server.megabytes, server.threads, descriptors(server)]

    for number in range(1, count + 1):
        await visit_once(url, pages[number % len(pages)], chance)
        if number in (form.counted_from, count) or number % COUNTED_EVERY == 0:
            await count_up(str(number))
    await asyncio.sleep(form.rest)
    await visit_once(url, HOME, chance)
    await count_up(f"{count}, {form.rest:.0f} s later")
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
    held = await visits(url, count, form)
    rows = [[when, *(f"{value:,.0f}" for value in values)] for when, values in held.items()]
    return markdown(["after visits", "MB", "threads", "descriptors"], rows), {"held": held}


async def measure(url: str, form: Form, sessions: int | None) -> tuple[str, dict[str, Any]]:
    """The crowd, or what as many visits leave; in a smoke run both."""
    await warm_up(url)
    texts, numbers = [], {}
    if not sessions or form == SMOKE:
        text, clicks = await compare(url, form)
        texts, numbers = [text], clicks
    if sessions or form == SMOKE:
        text, held = await count_visits(url, form, sessions or len(PAGES))
        texts, numbers = [*texts, text], numbers | held
    return "\n\n".join(texts), numbers


def main() -> None:
    asked = arguments(__doc__, sessions="open and close as many visits instead")
    form, before = SMOKE if asked.smoke else WHOLE, others_busy()
    with tempfile.TemporaryDirectory() as folder:
        places = {"SEMIDML_RUNS": folder, "SEMIDML_DATA": str(store.data_folder())}
        with served("app.py", **places) as (url, _):
            text, numbers = asyncio.run(measure(url, form, asked.sessions))
    text = f"{machine()}. {busy_words(before, others_busy())}\n\n{text}"
    report("crowd", text, numbers, asked.write)


if __name__ == "__main__":
    main()
