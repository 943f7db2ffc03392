"""The page Many at once: plans in the words of the command line, a sweep in each of its states, a cell and its runs."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from semidml import tasks
from semidml.disk import files
from semidml.plots.colours import HEAT_COLOURS, heat_colour, ink_on
from semidml.plots.many import Curve, band_curves, line_colour
from semidml.presets import GRIDS
from semidml.runs import places, process
from semidml.runs.run import Run
from semidml.scatter import bundle
from semidml.scatter.sheet import Axis, Sheet, SheetCell, little_map, pack_sheet
from semidml.sweeps import attended
from semidml.sweeps import sweep as folders
from semidml.sweeps.driver import train_sweep
from semidml.sweeps.plan import Plan
from semidml.sweeps.sweep import Sweep
from semidml.sweeps.table import changed_at, read_table, waiting_row, write_table
from semidml.ui import cache
from semidml.ui.many import effort, planner, shown
from semidml.ui.many import sheet as sheets
from semidml.ui.many.lattice import lay_out, list_floors, mean_words
from semidml.ui.many.planner import Chosen
from semidml.words import size_words
from tests.apptest import checked, curves_of, opened, press, words
from tests.sweeps.made import DIGEST, Engine, plan

PAGE = "pages/10_Many_at_once.py"
TWO = {"alpha": [0.1, 0.5, 0.9], "latent_dim": [2, 4]}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(folders, "data_digest", lambda name, paths: DIGEST)
    return tmp_path


def made(engine: Engine | None = None, **how: object) -> Sweep:
    """A sweep whose runs ended as the engine says."""
    sweep = folders.create_sweep(plan(**{"axes": TWO} | how))
    for _ in train_sweep(sweep, train_folders=engine or Engine()):
        pass
    return sweep


def component(app: AppTest, name: str) -> dict | None:
    """What the browser gets for a component: its header, or its numbers; None where it is not drawn."""
    for element in app.get("bidi_component"):
        if element.proto.component_name == name:
            data = element.proto.bytes
            if data:
                return json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
            return json.loads(element.proto.json)
    return None


def box(app: AppTest, key: str) -> object:
    kinds = (app.text_input, app.selectbox, app.multiselect, app.number_input, app.checkbox, app.segmented_control)
    return next(widget for kind in kinds for widget in kind if widget.key == key)


def link_of(app: AppTest) -> dict[str, str]:
    return {name: text if isinstance(text, str) else text[-1] for name, text in app.query_params.items()}


def command_of(app: AppTest) -> str:
    return next(code.value for code in app.code if "semidml sweep" in code.value)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


# ---- the plan


def test_without_a_sweep_it_says_what_to_do() -> None:
    app = opened(PAGE)
    assert "No sweep has been trained here yet" in words(app) and component(app, bundle.SHEET) is None
    assert "36 runs**: 4 × 3 × 3 seeds" in words(app)
    assert link_of(app) == {"columns": "alpha=0.02,0.1,0.5,0.9", "rows": "pl=5,20,100", "seeds": "3"}


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: grid.name)
def test_a_preset_sets_knobs_axes_and_seeds(grid) -> None:
    app = press(opened(PAGE), grid.title)
    counts = [len(values) for values in grid.axes.values()]
    assert f"**{np.prod(counts) * grid.seeds} runs**: {counts[0]} × {counts[1]} × {grid.seeds} seeds" in words(app)
    assert not next(button for button in app.button if button.label == "Train").disabled
    command = command_of(app)
    made_of = Plan.of(
        {"name": grid.name, "base": dict(grid.values), "seeds": list(range(grid.seeds))}
        | {"axes": {name: list(values) for name, values in grid.axes.items()}}
    )
    assert command == made_of.command()


def test_the_link_holds_the_plan() -> None:
    app = press(opened(PAGE), GRIDS[0].title)
    link = link_of(app)
    again = opened(PAGE, **link)
    for page in (app, again):
        assert "--vary alpha=0.02,0.1,0.3,0.6,0.9,0.98 --seeds 2" in command_of(page)
    assert "--placement lattice" in command_of(again)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ({"columns": "alpha=0.1,2"}, "alpha must be between 0 and 1, got 2"),
        ({"columns": "alpha=0.1,0.1"}, "alpha has the value 0.1 twice"),
        (
            {"columns": "alpha=0..1/900", "rows": "lr=0.001..0.1/900"},
            "900 x 900 x 3 are 2,430,000 runs",
        ),
        ({"columns": "alpha=0.1", "seeds": "-1"}, "seeds are how many, like 10, or which, like 3,5,8; got '-1'"),
        ({"columns": "alpha=0.1", "seeds": "3,3"}, "the seed 3 is there twice"),
        ({"columns": "latent_dim=many"}, "latent_dim must be a whole number"),
        ({"columns": "<script>=1"}, "no knob called `<script>` can be varied"),
        ({"run": "../x"}, "There is no run called `../x` here to start from"),
    ],
)
def test_what_cannot_be_is_said_as_on_the_command_line(link: dict, said: str) -> None:
    app = opened(PAGE, **link)
    assert said in words(app)
    if "columns" in link and "script" not in link["columns"]:
        assert next(button for button in app.button if button.label == "Train").disabled


def test_a_run_is_a_start() -> None:
    app = opened(PAGE, run="digits-paper-prior", columns="alpha=0.1,0.5")
    command = command_of(app)
    assert "--model dml-prior" in command and "--vary alpha=0.1,0.5" in command and "--alpha" not in command
    assert "run" not in app.query_params


def test_values_are_typed_and_a_knob_brings_its_own() -> None:
    app = opened(PAGE)
    box(app, "many knob 1").set_value("model").run()
    assert "--vary model=dml,dml-ae,dml-prior" in command_of(checked(app))
    box(app, "many values 1 model").set_value(["dml"]).run()
    box(app, "many values 0 alpha").set_value("0..1/3").run()
    assert "--vary alpha=0,0.5,1 --vary model=dml" in command_of(checked(app))
    box(app, "many knob 1").set_value("").run()
    assert "9 runs**: 3 × 3 seeds" in words(checked(app))


def test_typed_values_stay_where_the_browser_tells_late_of_their_knob() -> None:
    """On a busy machine the box answers after a preset has set it, as if the visitor had chosen what it shows."""
    app = opened(PAGE, columns="pl=5,20", rows="lr=0.001,0.01")
    app.session_state["chosen axes"] = Chosen((("pl", "5,20"), ("alpha", "0.1")), "1", "")
    box(app, "many knob 1").set_value("alpha").run()
    assert "--vary pl=5,20 --vary alpha=0.1 " in command_of(checked(app))


def test_settings_that_cannot_be_trained_are_said_before() -> None:
    app = opened(PAGE, model="dml", columns="pl=0.1,100", seeds="1")
    assert "1 setting cannot be trained" in words(app) and "a metric loss needs at least 3" in words(app)
    assert not next(button for button in app.button if button.label == "Train").disabled
    app = opened(PAGE, model="dml", columns="pl=0.1,0.11", seeds="1")
    assert "Every setting cannot be trained" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled


def test_data_that_are_not_here_are_said() -> None:
    app = opened(PAGE, columns="data=digits,mnist", seeds="1")
    assert "MNIST is not on this machine yet" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled


def test_what_is_here_already_is_counted_and_train_finds_its_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = made(name="digits-dml-ae-by-alpha", axes={"alpha": [0.1, 0.5]}, seeds=[0, 1])
    app = opened(PAGE, columns="alpha=0.1,0.5,0.9", seeds="2", epochs="1")
    assert "6 runs**: 3 × 2 seeds; 4 are here already" in words(app)
    started: list[Sweep] = []
    monkeypatch.setattr("semidml.sweeps.attended.start", started.append)
    press(app, "Train")
    assert started == [sweep] and sweep.plan().count == 6
    other = opened(PAGE, columns="alpha=0.1", seeds="1", epochs="2")
    press(other, "Train")
    assert started[1].name == "digits-dml-ae-by-alpha-2" and sweep.plan().count == 6


def test_train_says_what_else_the_sweep_lacks_that_it_goes_on_with() -> None:
    """A sweep of the same setting is trained whole, also where a part of it is asked for."""
    folders.create_sweep(plan(name="digits-dml-ae-by-alpha", axes={"alpha": [0.1, 0.5, 0.9]}, seeds=range(4)))
    said = words(opened(PAGE, columns="alpha=0.5", seeds="1", epochs="1"))
    assert "**1 run**: 1 × 1 seed." in said
    assert "the sweep `digits-dml-ae-by-alpha`, which lacks 11 runs besides: **Train** trains all 12." in said
    said = words(opened(PAGE, columns="alpha=0.1,0.5,0.9", seeds="4", epochs="1"))
    assert "**12 runs**: 3 × 4 seeds." in said and "besides" not in said


def test_a_quota_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semidml.ui.frame.is_warm", lambda: True)
    monkeypatch.setenv("SEMIDML_SWEEPS_QUOTA", "much")
    effort.room_words.clear()
    assert "SEMIDML_SWEEPS_QUOTA must be a size such as 500MB or 2GB" in words(opened(PAGE))


def test_a_union_that_is_too_large_is_said_before() -> None:
    axes = {"alpha": [number / 100 for number in range(101)]}
    folders.create_sweep(plan(name="digits-dml-ae-by-alpha", axes=axes, seeds=range(90)))
    app = opened(PAGE, columns="alpha=0.015", seeds="100", epochs="1")
    assert "102 x 100 are 10,200 runs; a sweep has at most 10,000" in words(app)
    assert next(button for button in app.button if button.label == "Train").disabled


def test_the_recipe_goes_on_in_the_sweep_that_was_just_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semidml.sweeps.engine.train_folders", Engine())
    made(name="digits-dml-ae-by-alpha", epochs=2)
    sweep = made(name="digits-dml-ae-by-alpha-2", axes={"alpha": [0.1, 0.5]})
    app = opened(PAGE, columns="alpha=0.1,0.5", seeds="2", epochs="1")
    assert command_of(app).endswith("--name digits-dml-ae-by-alpha-2")
    program = next(code.value for code in app.code if "train_sweep" in code.value)
    exec(program, {"__name__": "__main__"})
    assert sorted(folders.list_sweeps(), key=lambda known: known.name)[1] == sweep and len(folders.list_sweeps()) == 2


# ---- a sweep that is shown


def test_a_finished_sweep_fills_the_sheet() -> None:
    made(seeds=[0, 2])
    app = opened(PAGE, sweep="first")
    drawn = component(app, bundle.SHEET)
    assert drawn["columns"] == {"title": "Alpha", "values": ["0.1", "0.5", "0.9"]}
    assert drawn["rows"] == {"title": "Latent dimensions", "values": ["2", "4"]}
    assert [cell["text"] for cell in drawn["cells"]] == ["11", "51", "91"] * 2  # alpha + seed / 100
    assert drawn["cells"][1]["words"] == ["Alpha 0.5, Latent dimensions 2", "51.0 ± 1.4 % (n = 2)"]
    assert drawn["cells"][0]["colour"] == HEAT_COLOURS[0] and drawn["cells"][2]["colour"] == HEAT_COLOURS[-1]
    assert "12 of 12 runs are done. Made just now, 24 s of training." in words(app) and not app.get("progress")
    assert "chosen by held-out images alone" in words(app) and "Alpha 0.9" in words(app).replace("\\", "")
    assert "kNN, all labels 91.0 ± 1.4 % (n = 2); on the test images 0.0 ± 0.0 % (n = 2). Fewer than 6" in words(app)
    assert not {"Stop", "Go on"} & set(labels(app))
    box(app, "score box").set_value("test_knn_accuracy").run()
    assert [cell["text"] for cell in component(checked(app), bundle.SHEET)["cells"]] == ["80", "40", "0"] * 2
    assert (
        "Alpha 0.9" in words(app).replace("\\", "") and link_of(app)["score"] == "test_knn_accuracy"
    )  # the best stays the best


def test_its_plan_comes_with_its_link_and_a_chosen_cell_leads_to_its_runs() -> None:
    sweep = made()
    cell = sweep.plan().cells[3]
    app = opened(PAGE, sweep="first", cell=cell.name)
    assert "--vary alpha=0.1,0.5,0.9 --vary latent_dim=2,4" in command_of(app)
    assert component(app, bundle.SHEET)["chosen"] == 4
    assert "**Alpha 0.5, Latent dimensions 4**: 50.5 ± 0.7 % (n = 2)" in words(app)
    linked = [link.proto for link in app.get("page_link")]
    explored = [link.query_string for link in linked if link.label == "Explore" and link.query_string]
    assert [name for name in explored if cell.name in name] and len(explored) == 2
    compared = [link.query_string for link in linked if link.label == "Compare its seeds"]
    assert len(compared) == 1 and compared[0].count("first") == 2


def test_a_cell_and_a_score_that_the_link_names_and_are_not_there_are_said() -> None:
    made()
    app = opened(PAGE, sweep="first", cell="0123456789abcdef", score="knn")
    assert "This sweep has no run called `0123456789abcdef`" in words(app) and "no score called `knn`" in words(app)
    assert component(app, bundle.SHEET)["chosen"] == -1


def test_runs_that_failed_say_why_and_a_sweep_that_was_stopped_goes_on() -> None:
    sweep = folders.create_sweep(plan(axes=TWO))
    steps = train_sweep(sweep, train_folders=Engine({1: ("failed", "the loss is not finite")}))
    for progress in steps:
        if progress.ended == 4:
            sweep.stop()
    app = opened(PAGE, sweep="first")
    assert "1 failed" in [e.label for e in app.expander] and "1 ×: the loss is not finite" in words(app)
    drawn = component(app, bundle.SHEET)["cells"]
    assert drawn[3]["state"] == "waiting" and "the loss is not finite" in drawn[3]["words"]
    assert drawn[5]["state"] in ("waiting", "stopped") and drawn[5]["text"] == ""
    assert "Go on" in labels(app) and "**Go on** trains what is missing" in words(app)


def test_a_sweep_that_is_trained_says_how_far_it_is_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = folders.create_sweep(plan(axes=TWO))
    with folders.held(sweep, named=True):
        app = opened(PAGE, sweep="first")
        assert "Stop" in labels(app) and "Go on" not in labels(app)
        assert "Sweep first" in [link.proto.label for link in app.get("page_link")] and "Nothing runs" not in words(app)
        assert "0 of 12 runs are done · starting" in next(bar.proto.text for bar in app.get("progress"))
        monkeypatch.setattr("semidml.ui.many.shown.SECONDS_TO_STOP", 0.0)
        press(app, "Stop")
        assert (sweep.path / "stop").exists()


def test_a_sweep_that_is_about_to_be_trained_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = folders.create_sweep(plan(axes=TWO))
    command = [sys.executable, "-c", "import sys; sys.stdin.readline()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        monkeypatch.setitem(attended._started, sweep.path, process)
        app = press(opened(PAGE, sweep="first"), "Stop")
        assert process.wait(10) == 0 and not app.error, words(app)
    assert "Go on" in labels(opened(PAGE, sweep="first"))


def test_a_driver_that_was_killed_is_told_apart() -> None:
    sweep = folders.create_sweep(plan(axes=TWO))
    ended = process.this_process() | {"pid": 2**22 - 3, "born": "1"}
    files.replace_file(sweep.path / "lock", files.as_json(ended))
    app = opened(PAGE, sweep="first")
    assert "the process that did so has ended" in words(app) and "Go on" in labels(app)
    (sweep.path / "lock").unlink()
    (sweep.path / "driver.log").write_text("The app was closed, and this sweep stopped with it.\n")
    assert "The app was closed, and this sweep stopped with it. **Go on**" in words(opened(PAGE, sweep="first"))


def test_a_damaged_plan_is_said_and_can_be_deleted() -> None:
    sweep = made()
    (sweep.path / "plan.json").write_text('{"name": "first", "axes": {"alpha": [7]}, "seeds": [0]}')
    app = opened(PAGE, sweep="first")
    assert "plan.json of the sweep first is damaged: alpha must be between 0 and 1, got 7" in words(app)
    assert next(button for button in app.button if button.label == "Delete").disabled
    box(app, "sure of first").check().run()
    press(app, "Delete")
    assert not sweep.path.exists() and "`first` is deleted" in words(app)


def test_a_sweep_that_the_link_names_and_is_gone_is_said() -> None:
    made()
    assert "There is no sweep called `gone` here" in words(opened(PAGE, sweep="gone"))


def test_values_and_seeds_are_added_and_it_is_renamed_and_deleted_when_sure() -> None:
    sweep = made()
    app = opened(PAGE, sweep="first")
    box(app, "many section").set_value("This sweep").run()
    box(app, "add alpha first").set_value("0.95").run()
    box(app, "add seeds first").set_value("2,").run()
    press(app, "Add")
    assert sweep.plan().count == 4 * 2 * 3 and "12 runs are added to `first`" in words(app)
    box(app, "add alpha first").set_value("7").run()
    press(app, "Add")
    assert "alpha must be between 0 and 1, got 7" in words(app) and sweep.plan().count == 24
    box(app, "new name of first").set_value("../second").run()
    press(app, "Rename")
    assert "a sweep's name is 1 to 80" in words(app)
    box(app, "new name of first").set_value("second").run()
    press(app, "Rename")
    assert "It is called `second` now" in words(app) and [s.name for s in folders.list_sweeps()] == ["second"]
    assert next(button for button in app.button if button.label == "Delete").disabled
    box(app, "sure of second").check().run()
    press(app, "Delete")
    assert not folders.list_sweeps() and "No sweep has been trained here yet" in words(app)


def test_curves_parallel_coordinates_and_the_table_say_the_same() -> None:
    sweep = made()
    app = opened(PAGE, sweep="first")
    (curves,) = curves_of(app)
    assert [line["name"] for line in curves["series"]] == ["Latent dimensions 2", "Latent dimensions 4"]
    assert np.allclose(curves["series"][0]["y"], [0.105, 0.505, 0.905])
    assert "one standard deviation to either side (n = 2)" in words(app)
    box(app, "many section").set_value("Parallel coordinates").run()
    lines = component(checked(app), bundle.PARALLEL)
    assert [axis["title"] for axis in lines["axes"]][:3] == ["Alpha", "Latent dimensions", "kNN, all labels"]
    assert len(lines["lines"]) == 6 and lines["lines"][0]["at"][:3] == [0.0, 0.0, 0.0]
    box(app, "many section").set_value("Table").run()
    assert len(checked(app).dataframe[0].value) == 12 and not curves_of(app)
    box(app, "many only alpha").set_value([0.5]).run()
    assert len(checked(app).dataframe[0].value) == 4 and "4 of 12 runs" in words(app)
    assert len(read_table(sweep).frame) == 12


def test_knobs_that_lie_along_no_edge_are_chosen() -> None:
    made(axes={"alpha": [0.1, 0.5], "latent_dim": [2, 4], "pl": [50, 100]}, seeds=[0])
    app = opened(PAGE, sweep="first")
    assert box(app, "many fixed pl").options == ["50.0", "100.0"] or box(app, "many fixed pl").value == 50
    box(app, "many edges").set_value("Labels seen × Alpha").run()
    drawn = component(checked(app), bundle.SHEET)
    assert drawn["columns"]["values"] == ["50", "100"] and drawn["rows"]["values"] == ["0.1", "0.5"]


def test_a_plan_of_three_knobs_is_started_from_whole_and_is_in_the_link() -> None:
    sweep = made(axes={"alpha": [0.1, 0.5], "latent_dim": [2, 4], "pl": [50, 100]}, seeds=[0])
    linked = opened(PAGE, sweep="first")
    assert command_of(linked).endswith("--vary pl=50,100 --seeds 1 --name first")
    app = opened(PAGE)
    box(app, "many section").set_value("This sweep").run()
    app = press(app, "Start from its plan")
    assert command_of(app) == command_of(linked) and link_of(app)["third"] == "pl=50,100"
    again = opened(PAGE, **{name: text for name, text in link_of(app).items() if name != "sweep"})
    assert "--vary alpha=0.1,0.5 --vary latent_dim=2,4 --vary pl=50,100" in command_of(again)
    box(app, "many knob 2").set_value("").run()
    assert "4 runs**: 2 × 2 × 1 seed" in words(checked(app)) and "third" not in link_of(app)
    assert sweep.plan().count == 8


def test_every_cell_has_the_little_map_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shipped runs, put in the place of two cells."""
    monkeypatch.setattr(sheets, "SECONDS_MAPS", 60.0)
    sweep = folders.create_sweep(plan(axes={"alpha": [0.1, 0.5]}, seeds=[0]))
    for cell, name in zip(sweep.plan().cells, ("digits-paper-prior", "digits-dml-all-labels"), strict=True):
        shutil.copytree(places.shipped() / name, sweep.run_of(cell.name).path)
    drawn = component(opened(PAGE, sweep="first"), bundle.SHEET)
    assert drawn["draws_maps"] and [little["cell"] for little in drawn["maps"]] == [0, 1]
    assert [little["count"] for little in drawn["maps"]] == [600, 600]
    assert [len(little["rings"]) for little in drawn["maps"]] == [4, 0]
    (sweep.run_of(sweep.plan().cells[0].name).path / "rows.npz").write_bytes(b"damaged")
    sheets.little_maps.clear()
    drawn = component(opened(PAGE, sweep="first"), bundle.SHEET)
    assert [little["cell"] for little in drawn["maps"]] == [1]


def test_maps_that_take_too_long_are_read_at_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    sheets.little_maps.clear()
    sweep = made()
    lattice = lay_out(read_table(sweep), sweep.plan(), "", "alpha", "latent_dim", {})
    monkeypatch.setattr(sheets, "SECONDS_MAPS", -1.0)
    assert sheets.read_maps(sweep, lattice, None) == ({}, True)
    monkeypatch.setattr(sheets, "SECONDS_MAPS", 60.0)
    assert sheets.read_maps(sweep, lattice, None) == ({}, False)  # none of these runs has a frame
    sheets.little_maps.clear()
    monkeypatch.setattr(sheets, "SECONDS_MAPS", -1.0)
    monkeypatch.setattr(sheets, "MOST_MAPS", 5)  # more are not drawn, and so not read
    assert sheets.read_maps(sweep, lattice, None) == ({}, False)


def test_looks_that_take_long_are_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for each look of two seconds would leave nothing for anybody else."""
    sweep, reruns = made(), []
    monkeypatch.setattr(shown.st, "session_state", {})
    monkeypatch.setattr(shown.st, "rerun", lambda: reruns.append(shown.seconds_between()))
    for every, took in ((1.0, 0.1), (1.0, 2.0), (8.0, 2.0), (8.0, 0.1), (1.0, 0.1), (None, 9.0)):
        shown.follow(sweep, False, every, lambda *_: None, clock=iter((0.0, took)).__next__)
    assert reruns == [8.0, 1.0]


def test_the_room_of_a_sweep_is_told_without_a_walk_through_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    table = read_table(made())
    monkeypatch.setattr(Sweep, "size", lambda sweep: 1 / 0)
    app = opened(PAGE, sweep="first")
    box(app, "many section").set_value("This sweep").run()
    assert f"**`first`** · {size_words(table.bytes)}" in words(checked(app))


def test_plans_that_are_kept_are_bounded_by_their_cells() -> None:
    for number in range(24):
        axes = {"alpha": [each / 1000 + number / 10000 for each in range(900)]}
        planner.plan_of(files.as_json({"name": "x", "base": {}, "axes": axes, "seeds": list(range(2))}))
    assert 0 < planner.plans.held <= planner.plans.room


def thousand() -> Sweep:
    """A sweep of 1,000 settings, done, as far as its table and its folders' times tell."""
    axes = {"alpha": [number / 50 for number in range(50)], "lr": [number / 1e4 for number in range(1, 21)]}
    sweep, rows = folders.create_sweep(plan(axes=axes, seeds=[0])), []
    for number, cell in enumerate(sweep.plan().cells):
        run = sweep.run_of(cell.name)
        run.path.mkdir()
        (run.path / "status.json").write_text("{}")
        ended = {"state": "done", "seconds": 2.0, "bytes": 9, "changed": changed_at(run.path)}
        rows.append(waiting_row(cell) | ended | {"validation_knn_accuracy": number / 1000})
    write_table(sweep, sweep.plan(), rows)
    return sweep


def test_a_thousand_cells_are_drawn_in_time() -> None:
    sweep, took = thousand(), []
    for _ in range(5):
        began = time.perf_counter()
        lattice = lay_out(read_table(sweep), sweep.plan(), "validation_knn_accuracy", "alpha", "lr", {})
        maps, _ = sheets.read_maps(sweep, lattice, None)
        pack_sheet(sheets.build_sheet(lattice, "validation_knn_accuracy", [], "", maps))
        took.append(time.perf_counter() - began)
    assert min(took) < 1.5, took  # on a busy machine: .3 s is asked of a quiet one
    app = opened(PAGE, sweep="first")
    assert len(component(app, bundle.SHEET)["cells"]) == 1000 and not app.warning


# ---- what is drawn


def test_a_heap_among_its_priors_components_is_drawn_as_a_heap() -> None:
    heap, classes = np.random.default_rng(0).normal(0, 0.01, (300, 2)), np.zeros(300, int)
    alone = little_map(heap, classes)
    rings = [[x, y, 1.0, 1.0, 0.0, 1.0] for x, y in ((-3, 0), (3, 0), (0, 3))]
    among = little_map(heap, classes, rings)
    assert np.ptp(alone.points[:, 0].astype(int)) > 200 and np.ptp(among.points[:, 0].astype(int)) < 4
    assert among.rings[0][:3] == [0.125, 0.3125, 0.125] and not len(little_map(heap * np.nan, classes).points)


def test_a_sheet_is_packed_with_its_maps_behind_the_header() -> None:
    points = little_map(np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 10)
    cells = [SheetCell(["a"], "done", "1", "#440154", "#ffffff"), SheetCell(["b"], "waiting")]
    columns, rows = Axis("Alpha", ["0.1", "0.5"]), Axis("", [""])
    packed = pack_sheet(Sheet("score", "maps", columns, rows, cells, ["#000000"], maps={1: points}))
    length = int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4 : 4 + length])
    assert header["maps"] == [{"cell": 1, "count": 50, "rings": []}]
    assert packed[4 + length :] == points.points.tobytes() and header["cells"][1]["colour"] == ""
    with pytest.raises(ValueError, match="need 2 cells, got 1"):
        pack_sheet(Sheet("score", "maps", columns, rows, cells[:1], []))


def test_colours_of_a_heat_map_are_legible() -> None:
    assert (
        heat_colour(-1) == HEAT_COLOURS[0]
        and heat_colour(2) == HEAT_COLOURS[-1]
        and heat_colour(0.25) == HEAT_COLOURS[1]
    )
    assert (ink_on("#440154"), ink_on("#fde725")) == ("#ffffff", "#10161e")
    assert len({line_colour(number, 9) for number in range(9)}) == 9


def test_floors_are_those_of_the_score() -> None:
    sweep = made()
    table, pixels = read_table(sweep), {"chance": 0.1, "pixel_knn_accuracy": 0.9, "pixel_knn_accuracy_labelled": 0.5}
    assert list_floors(table, "test_knn_accuracy", pixels) == [(0.1, "chance"), (0.9, "raw pixels")]
    assert list_floors(table, "test_kmeans_ami", pixels) == []
    lattice = lay_out(table, sweep.plan(), "validation_knn_accuracy", "alpha", "latent_dim", {})
    drawn = sheets.build_sheet(lattice, "validation_knn_accuracy", [(0.505, "raw pixels")], "", {})
    assert [cell.at_floor for cell in drawn.cells] == [True, True, False] * 2
    assert drawn.cells[0].words[-1] == "not above raw pixels" and drawn.scale.marks[0][0] == pytest.approx(0.5)


@pytest.mark.parametrize("axes", [{"alpha": [0.1, 0.9]}, {"alpha": [0.1, 0.9], "evaluate_on": ["test", "validation"]}])
def test_floors_are_of_the_images_that_the_score_is_of(axes: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the images that a run draws, which are held out, say nothing of scores on the test images."""

    def floors_of(run: Run) -> tuple[dict[str, float], str]:
        level = 0.9 if run.config().evaluate_on == "validation" else 0.7
        return {"chance": 0.1, "pixel_knn_accuracy": level}, ""

    monkeypatch.setattr(cache, "floors_or_reason", floors_of)
    monkeypatch.setattr("semidml.ui.frame.is_warm", lambda: True)
    monkeypatch.setattr(tasks.Task, "wait", lambda task, seconds, wait=tasks.Task.wait: wait(task, 60.0))
    made(axes=axes)
    told = {}
    for score in ("validation_knn_accuracy", "test_knn_accuracy"):
        marks = component(opened(PAGE, sweep="first", score=score), bundle.SHEET)["scale"]["marks"]
        told[score] = [mark["words"] for mark in marks]
    of_test = ["chance 10.0 %", "raw pixels 70.0 %"] if "evaluate_on" in axes else []
    assert told == {"validation_knn_accuracy": ["chance 10.0 %", "raw pixels 90.0 %"], "test_knn_accuracy": of_test}


def test_means_in_words() -> None:
    nan = float("nan")
    assert mean_words("test_knn_accuracy", 0.931, 0.004, 3) == "93.1 ± 0.4 % (n = 3)"
    assert mean_words("test_kmeans_ami", 0.5, nan, 1) == "0.50 (n = 1)"
    assert mean_words("test_collapsed", 0.5, 0.7, 2) == "50 % of 2 seeds"
    assert mean_words("test_knn_accuracy", nan, nan, 0) == "no score yet"
    chart = band_curves("kNN", "a", ["1", "2"], [Curve("kNN", [0.5, nan], [nan, nan], ["", ""])], [(0.1, "chance")])
    sent = chart.sent()
    assert sent["series"][0]["y"] == [0.5, None] and sent["x"]["ticks"] == [[0, "1"], [1, "2"]]
    assert chart.y.low < 0.1 < 0.5 < chart.y.high


def test_the_programs_are_whole_and_ask_nobody() -> None:
    for name in ("sheet", "curves", "parallel", "scorecard"):
        program = bundle.javascript(name)
        assert "import " not in re.sub(r"//.*", "", program) and "innerHTML" not in program and "eval(" not in program
        assert set(re.findall(r"https?://[^\"]+", program)) <= {"http://www.w3.org/2000/svg"}
