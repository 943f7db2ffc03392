"""What visitors share is made once, told apart by its key, and bounded in bytes."""

import json
import os
import threading
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from semidml import memory
from semidml.config import RunConfig, declared_knobs
from semidml.frames import Frame
from semidml.runs import listing
from semidml.ui import pictures
from semidml.ui.shared import Shared, size_of
from tests.apptest import curves_of


def test_a_value_is_made_once_and_is_the_same_for_all():
    shared, made = Shared(100), []

    def make():
        made.append(1)
        return b"value"

    assert shared.get("key", make) is shared.get("key", make)
    assert shared.get("other key", make) == b"value" and len(made) == 2


def test_who_asks_while_a_value_is_made_waits_for_it():
    shared, made, begun, values = Shared(1000), [], threading.Event(), []

    def make():
        made.append(1)
        begun.set()
        time.sleep(0.2)
        return b"slow"

    threads = [threading.Thread(target=lambda: values.append(shared.get("key", make))) for _ in range(4)]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(made) == 1 and values == 4 * [b"slow"]


def test_one_value_that_takes_long_holds_up_no_other():
    shared, release = Shared(1000), threading.Event()
    slow = threading.Thread(target=lambda: shared.get("slow", lambda: release.wait(10)))
    slow.start()
    assert shared.get("quick", lambda: b"there") == b"there" and slow.is_alive()
    release.set()
    slow.join(10)


def test_what_could_not_be_made_is_tried_again():
    shared = Shared(100)

    def fail():
        raise ValueError("a damaged frame")

    for _ in range(2):
        with pytest.raises(ValueError, match="a damaged frame"):
            shared.get("key", fail)
    assert shared.get("key", lambda: b"mended") == b"mended"


def test_what_nobody_has_asked_for_the_longest_goes_when_there_is_no_room():
    shared, arrays = Shared(25), {name: np.zeros(10, np.uint8) for name in "abc"}
    shared.get("a", lambda: arrays["a"])
    shared.get("b", lambda: arrays["b"])
    shared.get("a", lambda: None)
    shared.get("c", lambda: arrays["c"])
    assert shared.held == 20
    assert shared.get("a", lambda: None) is arrays["a"] and shared.get("c", lambda: None) is arrays["c"]
    assert shared.get("b", lambda: "made anew") == "made anew"


def test_a_function_s_answers_are_shared_by_its_arguments():
    asked = []

    @Shared(room=1000)
    def double(number):
        asked.append(number)
        return 2 * number

    assert [double(1), double(2), double(1)] == [2, 4, 2] and asked == [1, 2]
    double.clear()
    assert double(1) == 2 and asked == [1, 2, 1]


def test_nobody_can_write_into_what_all_share():
    shared = Shared(1000)
    latents = shared.get("frame", lambda: {"latents": np.zeros(3), "words": ["as they are"]})["latents"]
    with pytest.raises(ValueError, match="read-only"):
        latents[0] = 1


def test_the_bytes_of_a_frame_are_those_of_its_arrays():
    rows = {"split": np.zeros(5, np.uint8), "row": np.zeros(5, np.int32)}
    frame = Frame(rows=rows, latents=np.zeros((5, 2), np.float32), predictions=np.zeros(5, np.int16))
    assert 5 * (1 + 4 + 8 + 2) <= size_of(frame) < 5 * (1 + 4 + 8 + 2) + 1000


def page_with_a_chart():
    import plotly.graph_objects as go
    import streamlit as st

    from semidml.ui import pictures

    def draw(dark):
        st.session_state["drawn"] = True
        return go.Figure(go.Scatter(y=[1, 2]))

    pictures.draw_chart("two visitors", ("a state", 1), draw)


def test_a_chart_that_one_visitor_has_seen_is_not_drawn_again_for_another():
    pictures.figures.clear()
    first, second = (AppTest.from_function(page_with_a_chart).run(timeout=60) for _ in range(2))
    assert not first.exception and not second.exception
    assert "drawn" in first.session_state and "drawn" not in second.session_state
    specs = [json.loads(page.get("plotly_chart")[0].proto.spec) for page in (first, second)]
    assert specs[0] == specs[1] and specs[0]["data"][0]["y"] == [1, 2]


def page_before_the_first_epoch():
    from semidml.plots.curves import score_curves
    from semidml.ui import pictures

    pictures.draw_scores("scores", [], score_curves([], epochs=30))
    pictures.draw_losses([], 30)


def test_curves_have_their_place_and_axes_before_there_is_anything_to_draw():
    app = AppTest.from_function(page_before_the_first_epoch).run(timeout=60)
    scores, loss = curves_of(app)
    assert not app.info and not scores["series"] + loss["series"]
    assert (scores["x"]["high"], loss["x"]["high"]) == (30.0, 30.6)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path))
    return listing.create_run(RunConfig(data="digits", epochs=3), "kept")


def test_a_config_is_made_once_of_the_same_file_and_anew_of_another(run, monkeypatch):
    config = run.config()
    monkeypatch.setattr(RunConfig, "kept", lambda values: pytest.fail("it was made again"))
    assert run.config() is config and run.created() == run.created()
    monkeypatch.undo()
    file, before = run.path / "config.json", (run.path / "config.json").stat()
    file.write_text(file.read_text().replace('"epochs": 3', '"epochs": 7'))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size and time
    assert run.config().epochs == 7


def test_scores_that_were_damaged_since_are_said_to_be(run):
    scores = run.path / "metrics.json"
    scores.write_text("{}")
    assert run.damage() == ""
    scores.write_text("[]")
    assert run.damage() == "metrics.json must hold a JSON object"


def test_knobs_are_declared_once_and_nobody_may_change_them():
    assert declared_knobs() is declared_knobs()
    with pytest.raises(TypeError):
        declared_knobs()["alpha"] = None


def test_no_visitor_waits_for_a_collection_after_each_run_of_a_page():
    settings = tomllib.loads((Path(__file__).parents[1] / ".streamlit" / "config.toml").read_text())
    assert settings["runner"]["postScriptGC"] is False


def test_a_value_whose_bytes_are_told_is_not_searched_for_them(monkeypatch):
    def refuse(value):
        raise AssertionError("a figure of Plotly holds hundreds of thousands of objects")

    monkeypatch.setattr(memory, "buffers_of", refuse)
    figures, figure, before = Shared(room=1000), object(), memory.kept_bytes()
    assert figures.get("key", lambda: figure, size=lambda value: 300) is figure
    assert memory.kept_bytes() == before + 300
    figures.clear()
    assert memory.kept_bytes() == before
