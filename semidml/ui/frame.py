"""What every page has: menu, head, foot, style, and the words while something loads."""

import random
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from semidml.data import quota as images
from semidml.data import store
from semidml.disk.files import folder_size
from semidml.lessons import LESSONS
from semidml.methods import METHODS
from semidml.plots.colours import UNLABELLED, class_colour
from semidml.runs import listed, places
from semidml.runs import quota as runs
from semidml.runs.run import Run
from semidml.scatter import bundle
from semidml.sweeps import quota as sweep_quota
from semidml.sweeps.sweep import list_sweeps
from semidml.tasks import Task, find_task
from semidml.ui import incoming, words
from semidml.ui.glossary import draw_glossary
from semidml.ui.unread import say_unread
from semidml.ui.warmth import is_warm, warm_up
from semidml.words import size_words

ROOT = Path(__file__).resolve().parents[2]
TRAIN, EXPLORE, DATA, PRIOR = "pages/1_Train.py", "pages/2_Explore.py", "pages/3_Data.py", "pages/4_Prior.py"
COMPARE, MANY = "pages/8_Compare.py", "pages/10_Many_at_once.py"
RUNS, HOLDS = "pages/11_Runs.py", "pages/12_Does_it_hold.py"
MENU = {
    "Play": [
        ("app.py", "Home", ":material/home:"),
        (TRAIN, "Train", ":material/play_circle:"),
        (EXPLORE, "Explore", ":material/travel_explore:"),
        (COMPARE, "Compare", ":material/compare:"),
        (MANY, "Many at once", ":material/grid_on:"),
        (HOLDS, "Does it hold?", ":material/balance:"),
        (RUNS, "Runs", ":material/table_rows:"),
    ],
    "Learn": [
        *((lesson.page, lesson.menu, ":material/school:") for lesson in LESSONS.values()),
        *((m.facts["page"], m.title, ":material/workspaces:") for m in METHODS.values() if "page" in m.facts),
        (PRIOR, "The prior", ":material/bubble_chart:"),
    ],
    "Data": [(DATA, "Data", ":material/image:")],
}
TAB_ICON = (  # (x, y, class) of dots in a square of 32 by 32
    *((5, 11, 0), (13, 5, 0), (14, 14, 0)),
    *((26, 9, 8), (27, 19, 8)),
    *((8, 24, 1), (17, 27, 1)),
)
EMPTY_DOTS, EMPTY_GROUPS = 45, ((25, 30), (72, 42), (38, 76))  # of the picture where there is nothing yet
SIDEBAR = 240  # pixels wide; folded away on a phone
QUICK = 0.4  # seconds that something may take before the page says how far it is
BETWEEN = 0.2  # seconds between two words on that
SECONDS_LIVE = 1.0  # between two looks at a run that trains
SECONDS_IDLE = 5.0  # between two looks at what runs, when nothing on the page depends on it
LIVE = "live"  # key of the container of what changes by itself: there nothing fades while it is computed anew
STYLE = """<style>
.stApp {--map-height: clamp(320px, 100dvh - 18rem, 60rem);}
[data-testid="stMainBlockContainer"] {padding: 0.6rem 1.6rem 3rem; max-width: 1500px;}
[data-testid="stHeader"] {height: 3rem; background: none; pointer-events: none;}
[data-testid="stHeader"] :is([data-testid="stToolbar"], [data-testid="stToolbar"] div) {pointer-events: none;}
[data-testid="stHeader"] :is(button, [data-testid="stStatusWidget"], [data-testid="stStatusWidget"] *)
  {pointer-events: auto;}
.stApp:has([data-testid="stExpandSidebarButton"]) :is([data-testid="stHeading"] h1) {padding-left: 2.6rem !important;}
[data-testid="stLayoutWrapper"]:has(> .st-key-bar) {position: sticky; top: 0; z-index: 100;
  margin: -0.6rem -1.6rem 0; width: calc(100% + 3.2rem); max-width: none;}
.st-key-bar {padding: 0.45rem 7.9rem 0.45rem 1.6rem; min-height: 3.4rem; background: BACKGROUND;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent);}
.st-key-picture-turn, .st-key-picture-break {--map-height: clamp(280px, 100dvh - 18.7rem, 60rem);}
:is(.st-key-picture-turn, .st-key-picture-break) {gap: 0.5rem;}
:is(.st-key-picture-turn, .st-key-picture-break) [data-testid="stVerticalBlock"] {gap: 0.4rem;}
.st-key-picture-turn h2 {padding-top: 0.2rem !important;}
.st-key-picture-turn h3, .st-key-picture-turn h3 * {white-space: nowrap; overflow: hidden; text-overflow: ellipsis;}
[class*="st-key-awaited"] {min-height: var(--map-height); border-radius: 0.5rem;
  border: 1px dashed color-mix(in srgb, currentColor 30%, transparent);}
.st-key-picture-sides {--map-height: clamp(280px, 100dvh - 20rem, 60rem);}
.newest {display: flex; gap: 1.1rem; line-height: 1.2; white-space: nowrap; font-variant-numeric: tabular-nums;}
.newest div {min-width: 8.2rem;}
.newest b {font-size: 1.2rem; margin-right: 0.35rem;}
.newest span {font-size: 0.8rem; opacity: 0.85;}
.newest span:first-child {display: block;}
.scores-seen .newest {visibility: hidden;}
[data-testid="stMainBlockContainer"]:has(:is(.st-key-compared-3, .st-key-compared-4)) {max-width: 2400px;}
[class*="st-key-cut"] p {white-space: nowrap; overflow: hidden; text-overflow: ellipsis;}
.st-key-progress p {font-size: 0.92rem; line-height: 1.3;}
.st-key-floors {min-height: 3rem;}
[class*="st-key-inline"] :is([data-testid="stSelectbox"], [data-testid="stButtonGroup"])
  {display: flex; flex-direction: row; align-items: center; gap: 0.6rem;}
[class*="st-key-inline"] [data-testid="stWidgetLabel"] {flex: none; gap: 0.4rem; margin: 0;}
[class*="st-key-inline"] [data-testid="stSelectbox"] > div:last-child {flex: 1; min-width: 0;}
[data-testid="stButtonGroup"] [role="radiogroup"] {flex-wrap: wrap; row-gap: 0.3rem; min-width: 0;}
[data-testid="stMarkdownContainer"]:has(> table) {overflow-x: auto;}
[data-testid="stSidebarHeader"] {height: 3.4rem; margin-bottom: -1rem;}
[data-testid="stElementContainer"]:has([data-testid^="stBidiComponent"]), [class*="st-key-live"] [data-stale="true"] {
  opacity: 1 !important; transition: none !important;}
[data-testid="stSidebarUserContent"] {padding-left: 1rem; padding-right: 1rem;}
[data-testid="stSidebarContent"] [data-testid="stVerticalBlock"] {gap: 0.45rem;}
h1 {font-size: 1.6rem !important; padding: 0.1rem 0 !important;}
h2 {padding-top: 1.2rem !important;}
[data-testid="stColumn"] h2 {font-size: 1.2rem !important; padding-top: 0.6rem !important;}
h3 {padding-top: 0.4rem !important;}
[data-testid="stCaptionContainer"] {opacity: 0.8;}
[data-testid="stBaseButton-primary"]:enabled, [data-testid="stMultiSelect"] [data-tag] * {
    color: light-dark(#ffffff, #0f141b);
}
.st-key-gallery {
    display: grid; grid-template-columns: repeat(auto-fill, minmax(min(14rem, 45%), 1fr)); gap: 1rem;
    align-items: stretch !important;
}
[class*="st-key-card-"] {position: relative;}
[class*="st-key-card-"]:hover {border-color: currentColor;}
[class*="st-key-card-"] [data-testid="stElementContainer"], [class*="st-key-card-"] [data-testid="stPageLink"],
[class*="st-key-card-"] [data-testid="stPageLink"] * {
    position: static;
}
[class*="st-key-card-"] [data-testid="stPageLink"] a::after {content: ""; position: absolute; inset: 0; z-index: 1;}
.st-key-gallery > div {display: flex; height: auto; min-width: 0;}
.st-key-gallery > div > div {min-width: 0;}
[class*="st-key-card-run"] [data-testid="stPageLink"] a {padding: 0; line-height: 1.3; background: none;}
[class*="st-key-card-"] [data-testid="stPageLink"] p {white-space: normal; overflow: visible;}
[class*="st-key-card-run"] strong {font-size: 1.05rem;}
.st-key-empty {min-height: 20rem;}
.st-key-empty h2, .st-key-empty p, .st-key-empty [data-testid="stHtml"] {text-align: center;}
.st-key-empty img {width: 16rem; max-width: 100%;}
[data-testid="stElementContainer"]:has(.unseen) {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
}
[data-testid="stCode"] .token.parameter {color: inherit !important;}
.katex-display {padding: 0.2rem 0.4rem;}
.brand {font-size: 1.1rem; font-weight: 650;}
[data-testid="stLayoutWrapper"]:has(> .st-key-copy-link) {
    position: fixed; top: 0.95rem; right: 3.2rem; width: auto !important; z-index: 999991;
}
[data-testid="stButtonGroup"] button {padding-left: 0.6rem; padding-right: 0.6rem;}
[data-testid="stLayoutWrapper"]:has(> .st-key-knobs) .stSlider, .st-key-knobs .stSlider {padding-bottom: 0;}
.st-key-beside-a-button {min-height: 2.5rem; justify-content: center;}
.st-key-knobs {gap: 0.55rem;}
.st-key-knobs [data-testid="stButton"] button {min-height: 2.1rem; padding: 0.1rem 0.55rem;}
@media (max-width: 640px) {
.stApp, .st-key-picture-turn, .st-key-picture-break, .st-key-picture-sides {--map-height: 26rem;}
[data-testid="stMainBlockContainer"] {padding-left: 1rem; padding-right: 1rem;}
[data-testid="stLayoutWrapper"]:has(> .st-key-bar) {margin: -0.6rem -1rem 0; width: calc(100% + 2rem);}
.st-key-bar {padding: 0.4rem 8.2rem 0.4rem 1rem; gap: 0.4rem 0.6rem;}
[data-testid="stLayoutWrapper"]:has(> .st-key-bar .st-key-about) {position: static;}
[data-testid="stLayoutWrapper"]:has(> :is(.st-key-about, .st-key-inline-explored)) {flex: 1 1 100%;}
.st-key-bar > [data-testid="stLayoutWrapper"]:has(> :is(.st-key-about, .st-key-inline-explored)) {order: 3;}
[data-testid="stColumn"]:has(.st-key-knobs) {order: 1;}
/* a phone has one column: what one presses, the map, the knobs, the rest */
.st-key-trainer :is([data-testid="stColumn"], [data-testid="stVerticalBlock"], [data-testid="stLayoutWrapper"])
  :is([data-testid="stVerticalBlock"], [data-testid="stLayoutWrapper"]):has(.st-key-picture, .st-key-details),
.st-key-trainer [data-testid="stColumn"]:has(.st-key-picture),
.st-key-bar :is([data-testid="stVerticalBlock"], [data-testid="stLayoutWrapper"]):has(.st-key-state), .st-key-state
  {display: contents;}
.st-key-picture, .st-key-details, [data-testid="stLayoutWrapper"]:has(> :is(.st-key-inline-run, .st-key-below))
  {flex: 1 1 100%; min-width: 100%;}
.st-key-details {order: 2;}
[data-testid="stLayoutWrapper"]:has(> .st-key-below) {order: 3;}
[data-testid="stLayoutWrapper"]:has(> .st-key-progress) {flex: 1 1 100%; order: 1;}
[data-testid="stElementContainer"]:has(> [data-testid="stHtml"] .newest) {order: 2;}
}
</style>"""
FOLLOW = """export default function ({ data }) {
  const before = window.semidmlPress ?? 0;
  window.semidmlPress = data.press;
  if (data.press <= before) return;
  const end = Date.now() + 5000; // what a press brings may come late, and grow
  let stopped = false; // the visitor goes elsewhere
  const stop = () => (stopped = true);
  for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
    addEventListener(kind, stop, { once: true, passive: true, capture: true });
  }
  const mapsOf = (part) =>
    [...part.querySelectorAll("*")].flatMap(({ shadowRoot }) => [...(shadowRoot?.querySelectorAll(".room") ?? [])]);
  const look = () => {
    if (stopped || Date.now() > end) return;
    setTimeout(look, 200);
    const part = document.querySelector(`.st-key-${data.to}`);
    if (!part) return;
    const bar = Math.max(document.querySelector(".st-key-bar")?.getBoundingClientRect().bottom ?? 0, 0);
    const [margin, { top, bottom }] = [bar + 8, part.getBoundingClientRect()];
    const lowest = Math.max(...mapsOf(part).map((map) => map.getBoundingClientRect().bottom), 0) || bottom;
    if ((top >= bar && lowest <= innerHeight) || Math.abs(top - margin) < 2) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    part.style.scrollMarginTop = `${margin}px`;
    part.scrollIntoView({ behavior: calm ? "auto" : "smooth" });
  };
  setTimeout(look, 100);
}"""


def begin_page(title: str, reads: Collection[str] = ()) -> None:
    """The first call of every page: title of the tab, menu, what runs now, footer. Writes no heading. reads: the parts
    of a link that the page reads; it says which others there are."""
    st.set_page_config(
        page_title=title if title == "semidml" else f"{title} · semidml",
        page_icon=_tab_icon(),
        layout="wide",
        initial_sidebar_state=SIDEBAR,
    )
    st.session_state["arrived"] = st.session_state.get("page") != title  # from another page, or in a new tab
    st.session_state["page"] = title
    if title != "Data":
        incoming.leave()
    light, dark = (st.get_option(f"theme.{name}.backgroundColor") or "Canvas" for name in ("light", "dark"))
    st.html(STYLE.replace("BACKGROUND", f"light-dark({light}, {dark})"))
    with st.container(key="copy-link", horizontal=True, width="content", gap="xsmall"):
        draw_glossary()
        component = st.components.v2.component
        component(bundle.LINK, html=bundle.LINK_HTML, css=bundle.css("link"), js=bundle.javascript("link"))()
    warm_up()

    with st.sidebar:
        st.html('<div class="brand">semidml</div>')
        for group, links in MENU.items():
            st.caption(group)
            for path, label, page_icon in links:
                st.page_link(path, label=label, icon=page_icon)
        st.space("small")
        draw_running()
        if not is_warm():
            await_warmth()
    say_unread(reads)


def draw_bar(title: str) -> DeltaGenerator:
    """The bar that stays in sight while one scrolls: it begins with the page's title, and has room for what one presses
    and what one reads most."""
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small", key="bar")
    bar.title(title, width="content")
    return bar


def follow(part: str) -> None:
    """What was pressed shows itself in a part of the page, a container's key: the page that is drawn next brings it
    into sight, see `follow_press`."""
    number = st.session_state.get("pressed", (0, ""))[0]
    st.session_state["pressed"] = number + 1, part


def follow_press() -> None:
    """Scrolls to the part of the page that the last press is shown in, once, where the window does not show it."""
    number, part = st.session_state.get("pressed", (0, ""))
    with st.container(key="follow", height=1, border=False):
        send = st.components.v2.component("semidml_follow", html="", js=FOLLOW)
        send(data={"press": number, "to": part}, key="follow press", height="content")


def _tab_icon() -> str:
    """A map of three classes, as an address that holds the picture: Streamlit's own icons of tabs are asked of a host
    elsewhere."""
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="4.5" fill="{class_colour(label)}"/>' for x, y, label in TAB_ICON)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">{dots}</svg>'
    return f"data:image/svg+xml,{quote(svg)}"


def draw_empty(title: str) -> DeltaGenerator:
    """What stands where something will be: a cloud that turns into groups, and a heading. Whoever calls it writes into
    the container that it gives what to do next."""
    place = st.container(border=True, key="empty", vertical_alignment="center", horizontal_alignment="center")
    with place:
        st.html(f'<img src="{_empty_picture()}" alt="">')
        st.header(title, anchor=False)
    return place


def _empty_picture() -> str:
    """Grey dots without order, and beside them the same in three groups with the colours of three classes, as an
    address that holds the picture."""
    chance, dots = random.Random(4), []
    for number in range(EMPTY_DOTS):
        label, (x, y) = number % len(EMPTY_GROUPS), EMPTY_GROUPS[number % len(EMPTY_GROUPS)]
        dots.append((chance.uniform(8, 92), chance.uniform(12, 88), UNLABELLED, 0.6))
        dots.append((156 + chance.gauss(x, 5), chance.gauss(y, 5), class_colour(label), 1))
    drawn = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{c}" opacity="{o}"/>' for x, y, c, o in dots)
    arrow = f'<path d="M112 50h26m-8-7 8 7-8 7" fill="none" stroke="{UNLABELLED}" stroke-width="2"/>'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 100">{drawn}{arrow}</svg>'
    return f"data:image/svg+xml,{quote(svg)}"


@st.fragment(run_every=SECONDS_IDLE)
def draw_running() -> None:
    """What runs now, as a link to Train or Many at once; below it, quietly, device, data folder and quota."""
    running = [row.run for row in listed.list_rows(include_shipped=False) if row.state == "running"]
    for run in running:
        status = run.status()
        label = f"Epoch {status.epoch} of {status.epochs}"
        link_run(TRAIN, label, "progress_activity", run, help=words.setting_words(run.config()))
    sweeps = [sweep.name for sweep in list_sweeps() if sweep.driver()]
    for name in sweeps:
        st.page_link(MANY, label=f"Sweep {name}", icon=":material/progress_activity:", query_params={"sweep": name})
    if not running and not sweeps:
        st.caption("Nothing runs now.")
    many = f"Sweeps: {share_words(sweeps_bytes(), sweep_quota.allowed_bytes)}  \n" if list_sweeps() else ""
    st.caption(
        f"Device: {device_name()}  \nData: `{words.short_path(store.data_folder())}`  \n"
        f"Runs: {share_words(runs_bytes(), runs.allowed_bytes)}  \n{many}"
        f"Uploads and decoded images: {share_words(images.used_bytes(store.data_folder()), images.allowed_bytes)}"
    )


@st.cache_data(max_entries=8, ttl=60, show_spinner=False)
def _folder_bytes(folder: str) -> int:
    return folder_size(Path(folder))


@st.cache_data(max_entries=8, ttl=SECONDS_IDLE, show_spinner=False)
def _runs_bytes(folder: str) -> int:
    return folder_size(Path(folder))


def runs_bytes() -> int:
    """Bytes that all runs of the user take, some seconds old at most: a page that is drawn does not wait for a walk
    through thousands of files."""
    return _runs_bytes(str(places.runs_folder()))


def sweeps_bytes() -> int:
    """Bytes that all sweeps take, at most a minute old: thousands of runs are not measured at each look."""
    return _folder_bytes(str(places.sweeps_folder()))


def share_words(used: int, allowed: Callable[[], int]) -> str:
    """How much is taken of what may be: 1.2 MB of 2.0 GB. Where nobody can say how much may be, the page says why."""
    try:
        return f"{size_words(used)} of {size_words(allowed())}"
    except ValueError as error:
        show_error(error)
        return f"{size_words(used)} of an unknown quota"


def device_name() -> str:
    """The device that `auto` takes, once torch is loaded."""
    torch = sys.modules.get("torch")
    if not is_warm():
        return "looking …"
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "Apple GPU" if torch.backends.mps.is_available() else "CPU"


@st.fragment(run_every=SECONDS_LIVE)
def await_warmth() -> None:
    """Draws the page anew once torch is loaded: with images, floors, and whatever else waited for it."""
    if is_warm():
        st.rerun()


def link_run(page: str, label: str, icon: str, run: Run, **more: Any) -> None:
    """A link to a page that shows a run."""
    st.page_link(page, label=label, icon=f":material/{icon}:", query_params={"run": run.id}, **more)


def draw_recipe(command: str, python: str, *, linked: bool = False) -> None:
    """The same without the page: the command line and the Python that do what the page did. linked: so does its
    address."""
    with st.expander("The same without the page", icon=":material/terminal:"):
        if linked:
            st.caption("The address of this page is a link to this setting.")
        st.code(command, language="bash", wrap_lines=True)
        st.code(python, language="python", wrap_lines=True)


def draw_task(key: tuple, words_of: Callable[[Task], str]) -> None:
    """How far work in the background is, in words; draws the page anew when it has ended."""
    task = find_task(key)
    if task is None or task.done:
        st.rerun()
    st.progress(task.fraction, text=words_of(task))


def wait_for(task: Task) -> None:
    """Wait for work in the background, and say how far it is where that takes longer than QUICK."""
    if not task.wait(QUICK).done:
        with st.empty():
            while not task.wait(BETWEEN).done:
                st.progress(task.fraction, text=f"{words.escape_markdown(task.text)} …")
            st.container()


def show_error(error: Exception | str) -> None:
    """An error's own words, as they are."""
    st.error(words.escape_markdown(str(error)), icon=":material/error:")
