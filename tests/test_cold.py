"""A server that has just started shows every page, and its map, before torch, pandas or Plotly is loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAPS = ["1_Train", "2_Explore", "4_Prior", "5_Few_labels", "6_Places", "7_MetricVAE", "8_Compare", "9_Clusters"]
PLAIN = ["", "3_Data", "10_Many_at_once", "11_Runs"]  # whose pages have no live map: the first is Home
VERDICTS = "12_Does_it_hold"  # opened last: it computes, and needs scipy for that
SCRIPT = """
import json, sys
import streamlit as st
from streamlit.testing.v1 import AppTest  # which loads Plotly itself
for name in [name for name in sys.modules if name.split(".")[0] in ("plotly", "pandas")]:
    del sys.modules[name]

from semidml.ui import cache, frame, maps

frame.warm_up = lambda: None  # which loads them beside the pages
draw_map, drawn = maps.draw_map, []

def draw_and_stop(*given, **more):
    draw_map(*given, **more)
    drawn.append(True)
    st.stop()  # charts come after the map, and may take what they need

maps.draw_map, st.dataframe = draw_and_stop, lambda *given, **more: st.stop()
HEAVY = ("torch", "torchvision", "pandas", "plotly", "sklearn", "scipy", "umap")
told = {}
for page in sys.argv[1:]:
    drawn.clear()
    app = AppTest.from_file("app.py", default_timeout=300)
    if page:
        app.switch_page(f"pages/{page}.py")
    app.run()
    assert not app.exception, (page, app.exception)
    told[page] = [len(app.title), len(drawn), sorted(set(HEAVY) & set(sys.modules))]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """{page: [its titles, its live maps, what heavy was loaded until then]} of one process that opens all of them."""
    folder = tmp_path_factory.mktemp("cold")
    variables = {"SEMIDML_RUNS": str(folder / "runs"), "SEMIDML_DATA": str(folder / "data")}
    command = [sys.executable, "-c", SCRIPT, *PLAIN, *MAPS, VERDICTS]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("page", [*PLAIN, *MAPS])
def test_a_page_and_its_map_wait_for_nothing_heavy(told: dict[str, list], page: str) -> None:
    titles, live_maps, loaded = told[page]
    assert titles == 1 and live_maps == (page in MAPS) and loaded == []


def test_verdicts_are_there_without_torch_and_tables(told: dict[str, list]) -> None:
    titles, live_maps, loaded = told[VERDICTS]
    assert titles == 1 and live_maps == 0 and loaded == ["scipy"]
