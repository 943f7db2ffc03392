"""The live map against Plotly's, in Chromium: frames a second while its points are replaced each second.

    python benchmarks/map.py [--smoke | --write]

Serves a page of its own (this file, run by Streamlit) with clouds of ten classes that turn. Needs playwright (PyPI) and
a Chromium, as the browser tests do; WebGL is drawn by software where there is no GPU.
"""

import sys
from functools import cache
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from common import (
    arguments,
    busy_words,
    chromium,
    machine,
    markdown,
    others_busy,
    report,
    script,
    served,
    visitor,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECONDS, POINTS, MANY = 20, 70_000, 1_000_000
REST = 2000  # ms in which what is shown once only, when a page opens, is over
WATCH = """seconds => new Promise(done => {
    const long = [], beats = [];
    const observer = new PerformanceObserver(list => list.getEntries().forEach(it => long.push(it.duration)));
    observer.observe({entryTypes: ['longtask']});
    const began = performance.now();
    const beat = now => {
        beats.push(now);
        if (beats.length < 2 || now - began < 1000 * seconds) return requestAnimationFrame(beat);
        observer.disconnect();
        done({fps: (beats.length - 1) / (beats.at(-1) - beats[0]) * 1000, long});
    };
    requestAnimationFrame(beat);
})"""
DRAWN = script("""
  const [kind, count] = given;
  const canvas = () => inside('.map canvas[data-drawn]');
  const theirs = () => document.querySelector('.js-plotly-plot canvas');
  const ways = {map: () => +canvas()?.dataset.drawn > 0, plotly: theirs};
  await until(ways[kind], `the ${kind} of ${count} points`, 50);
""")
HEAP = "() => { gc(); return performance.memory.usedJSHeapSize / 1e6; }"
EPOCH = "root => Number(root.map.over.dataset.epoch)"
PAN = """(root, seconds) => new Promise(done => {
    const map = root.map, beats = [];
    const step = now => {
        beats.push(now);
        map.view.pan(3 * Math.sin(now / 300), 3 * Math.cos(now / 300));
        if (now - beats[0] < 1000 * seconds) return requestAnimationFrame(step);
        done((beats.length - 1) / (beats.at(-1) - beats[0]) * 1000);
    };
    requestAnimationFrame(step);
})"""
HOVER = """(root, times) => {
    const canvas = root.map.over, box = canvas.getBoundingClientRect(), took = [];
    for (let i = 0; i < times; i++) {
        const at = {clientX: box.x + 60 + Math.random() * (box.width - 80), clientY: box.y + 10 + Math.random() * 400};
        const began = performance.now();
        canvas.dispatchEvent(new PointerEvent('pointermove', at));
        took.push(performance.now() - began);
    }
    return took;
}"""


# ---- the page


@cache
def cloud(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, n)
    middles = 4 * np.stack([np.cos(np.arange(10) * 0.628), np.sin(np.arange(10) * 0.628)], axis=1)
    return (middles[labels] + rng.normal(size=(n, 2))).astype(np.float32), labels


def turned(n: int, epoch: int) -> np.ndarray:
    c, s = np.cos(0.2 * epoch), np.sin(0.2 * epoch)
    return cloud(n)[0] @ np.array([[c, -s], [s, c]], np.float32)


def serve() -> None:
    """The page: ?kind=map or plotly, ?n=, ?still=1 to keep the points."""
    import streamlit as st

    from semidml.plots import colours
    from semidml.scatter.pack import Drawing
    from semidml.ui import maps

    st.set_page_config(layout="wide")
    kind, n, still = st.query_params["kind"], int(st.query_params["n"]), "still" in st.query_params

    @st.fragment(run_every=None if still else 1.0)
    def draw() -> None:
        epoch = st.session_state["epoch"] = st.session_state.get("epoch", -1) + 1
        points, labels = turned(n, epoch), cloud(n)[1]
        if kind == "plotly":
            import plotly.graph_objects as go

            marker = {"color": labels, "size": 3}
            figure = go.Figure(go.Scattergl(x=points[:, 0], y=points[:, 1], mode="markers", marker=marker))
            figure.update_layout(uirevision="map", height=460)
            st.plotly_chart(figure, key="map")
            return
        none = np.zeros(n, bool)
        names, ranges = [str(digit) for digit in range(10)], ((-8.0, 8.0), (-8.0, 8.0))
        look = (names, colours.class_looks(10), *ranges, "ten clouds that turn", "clouds", epoch)
        maps.draw_map(Drawing(points, labels, none, none, *look), "map")

    with st.columns([2, 1], gap="medium")[0]:  # as wide as on Explore
        draw()


# ---- the measurement


def opened(browser: "Browser", url: str, kind: str, points: int, rest: int, still: bool = False) -> "Page":
    """A visitor's page with that map, once it shows all its points and `rest` ms have passed."""
    page = visitor(browser, height=800)
    page.goto(f"{url}/?kind={kind}&n={points}{'&still=1' * still}", wait_until="domcontentloaded")
    page.evaluate(DRAWN, [kind, points])
    page.wait_for_timeout(rest)
    return page


def measure(seconds: float, points: int, many: int, rest: int) -> dict[str, dict]:
    """Frames a second, long tasks (ms), heap (MB) and the time to find a point (ms), by the kind of map."""
    from playwright.sync_api import sync_playwright

    found: dict[str, dict] = {}
    with served(__file__) as (url, _), sync_playwright() as playwright:
        browser = chromium(playwright, "--js-flags=--expose-gc", "--enable-precise-memory-info")
        for kind in ("map", "plotly"):
            page = opened(browser, url, kind, points, rest)
            before = page.evaluate(HEAP)
            first = page.locator(".map").evaluate(EPOCH) if kind == "map" else 0
            its = page.evaluate(WATCH, seconds)
            found[kind] = {
                "points": points,
                "fps": its["fps"],
                "long": [round(duration) for duration in its["long"] if duration > 100],
                "heap": [before, page.evaluate(HEAP)],
            }
            if kind == "map":
                shown = page.locator(".map").evaluate(EPOCH) - first
                took = page.locator(".map").evaluate(HOVER, 200)
                found[kind] |= {"frames shown": shown, "hover": [median(took), max(took)]}
            page.close()
        page = opened(browser, url, "map", many, rest, still=True)
        took = page.locator(".map").evaluate(HOVER, 50)
        pan = page.locator(".map").evaluate(PAN, min(5, seconds))
        found["many"] = {"points": many, "fps": pan, "hover": [median(took), max(took)]}
        browser.close()
    return found


def main() -> None:
    asked = arguments(__doc__)
    seconds, points, many, rest = (1, 2_000, 20_000, 100) if asked.smoke else (SECONDS, POINTS, MANY, REST)
    before = others_busy(asked.smoke)
    found = measure(seconds, points, many, rest)
    after = others_busy(asked.smoke)
    ours, theirs, its_many = found["map"], found["plotly"], found["many"]
    rows = [
        (f"{points:,} points, live map", f"{ours['fps']:.0f}", _long(ours), _heap(ours)),
        (f"{points:,} points, Plotly Scattergl", f"{theirs['fps']:.1f}", _long(theirs), _heap(theirs)),
    ]
    text = "\n\n".join(
        [
            f"Points replaced each second for {seconds} s on a map as wide as Explore's at 1280 pixels, one visitor in "
            f"headless Chromium, WebGL by software; {machine()}. {busy_words(before, after)}",
            markdown(["map", "frames a second", "long tasks over 100 ms", "heap before and after"], rows),
            f"{ours['frames shown']} frames were shown. {many:,} are panned at {its_many['fps']:.0f} a second; "
            "while they move, as many are drawn as the machine can. The point under the mouse is found in "
            f"{ours['hover'][0]:.1f} ms (median; longest {ours['hover'][1]:.0f}) of {points:,} and "
            f"{its_many['hover'][0]:.0f} ms of {many:,}.",
        ]
    )
    report("map", text, found | {"others_busy_cores": [before, after]}, asked.write)


def _long(its: dict) -> str:
    return f"{len(its['long'])}, {sum(its['long']) / 1000:.1f} s" if its["long"] else "none"


def _heap(its: dict) -> str:
    return f"{its['heap'][0]:.0f}, {its['heap'][1]:.0f} MB"


if __name__ == "__main__":
    if "streamlit" in sys.modules:
        serve()
    else:
        main()
