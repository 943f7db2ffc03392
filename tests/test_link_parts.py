"""What one looks at is in the link: a page that is opened by it anew shows the same and writes the same link."""

import base64
import zlib
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from semidml.execute import execute
from semidml.lessons import PLACES
from semidml.runs import listing
from semidml.runs.parent import name_parent
from semidml.ui import lesson_link, links
from semidml.ui.explorer import link
from tests.apptest import checked, map_of, opened, press, words

TRAIN, EXPLORE, PRIOR = "pages/1_Train.py", "pages/2_Explore.py", "pages/4_Prior.py"
COMPARE, CLUSTERS = "pages/8_Compare.py", "pages/9_Clusters.py"
RUN = "digits-ten-places"  # it ships, with frames of the epochs 0, 2, 7, 13, 21 and 30
TWO = "digits-paper-prior,digits-ten-places"
COUNT = 1797
REGION = link.region_text(list(range(100, 160)), COUNT)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    return tmp_path


def link_of(app: AppTest) -> dict[str, str]:
    """The address of a page, part by part."""
    return {name: text if isinstance(text, str) else text[-1] for name, text in app.query_params.items()}


def problems(app: AppTest) -> list[str]:
    return [element.value for element in app.warning if "link" in element.icon]


@pytest.mark.parametrize(
    ("page", "parts"),
    [
        (TRAIN, {"run": RUN, "epoch": "7", "view": "0.5,1,3"}),
        (EXPLORE, {"run": RUN, "colour": "component", "rows": "test", "layers": "density", "epoch": "13"}),
        (EXPLORE, {"run": RUN, "point": "test-12", "section": "confusion", "view": "0.5,1,3"}),
        (EXPLORE, {"run": RUN, "place": "0.5,-1.25"}),
        (EXPLORE, {"run": RUN, "region": REGION}),
        (EXPLORE, {"run": RUN, "filter": "class:3,answer:wrong,error:0.01..", "hidden": "0,4", "point": "none"}),
        (EXPLORE, {"run": RUN, "layers": "density,movable", "moved": "4:1.5,-0.5;2:0,1"}),
        (EXPLORE, {"run": RUN, "layers": "density,movable", "moved": "2:0,1", "point": "test-12", "epoch": "13"}),
        (EXPLORE, {"run": "digits-dml-ae-60-labels", "line": "0,0,1,2", "layers": "lattice"}),
        (EXPLORE, {"run": "digits-dml-ae-10-d", "plane": "tsne", "point": "none"}),
        (COMPARE, {"runs": TWO, "colour": "error", "flown": "B", "view": "1,1,3"}),
        (PRIOR, {"placement": "given", "positions": "0,0; 3,1", "component_weights": "1,2", "component_log_var": "-2"}),
        (PRIOR, {"run": "digits-dml-all-labels", "decoder": "digits-dml-ae-60-labels", "view": "1,1,3"}),
        (CLUSTERS, {"run": "digits-best-clusters", "colour": "cluster", "point": "test-7", "epoch": "0"}),
        (PLACES.page, {"said": "2", "epoch": "7", "start": "digits-paper-prior", "knob": "alpha", "to": "0.05"}),
        (PLACES.page, {"said": "1", "answer": "12.5"}),
    ],
)
def test_a_link_is_followed_and_written_again(page: str, parts: dict[str, str]) -> None:
    app = opened(page, **parts)
    assert not problems(app)
    assert link_of(app).items() >= parts.items()
    again = opened(page, **link_of(app))
    assert link_of(again) == link_of(app) and not problems(again)


def test_a_map_shows_what_the_link_says() -> None:
    app = opened(EXPLORE, run=RUN, colour="error", rows="test", epoch="13", point="test-12", view="0.5,1,3")
    drawn = map_of(app)
    rows = listing.open_run(RUN).rows()
    (position,) = np.flatnonzero((rows["split"] == 1) & (rows["row"] == 12))
    assert drawn["marked"] == [position] and drawn["epoch"] == 13 and "right" in drawn["names"]
    assert drawn["start"] == [0.5, 1, 3] and drawn["address"] == "view"
    assert map_of(opened(EXPLORE, run=RUN, region=REGION))["marked"] == list(range(100, 160))
    assert map_of(opened(EXPLORE, run=RUN, place="0.5,-1.25"))["places"] == [[0.5, -1.25]]
    assert map_of(opened(EXPLORE, run=RUN, point="none"))["marked"] == []


def test_components_lie_where_the_link_says_and_what_that_would_change_is_answered() -> None:
    app = opened(EXPLORE, run=RUN, moved="4:1.5,-0.5;2:0,1")
    means = listing.open_run(RUN).frame(30).component_means
    places = np.array(map_of(app)["ellipses"])[:, :2]
    assert np.allclose(places[[3, 1]], [[1.5, -0.5], [0, 1]]) and map_of(app)["movable"]
    others = [number for number in range(10) if number not in (1, 3)]
    assert np.allclose(places[others], means[others]) and np.allclose(map_of(app)["origins"], means)
    assert "What if 2 components were elsewhere" in words(app)
    press(app, "Put back")
    assert "moved" not in link_of(app) and np.allclose(np.array(map_of(app)["ellipses"])[:, :2], means)


@pytest.mark.parametrize(
    ("run", "text", "said"),
    [
        (RUN, "11:0,0", "moved must be components from 1 to 10 with their places, got '11:0,0'"),
        (RUN, "²:0,0", "moved must be components from 1 to 10"),
        (RUN, "1:0", "moved must be 2 numbers"),
        (RUN, "1:1e5,0", "a component can be moved to places within"),
        ("digits-dml-ae-60-labels", "1:0,0", "moved must be of a run in two dimensions whose prior has components"),
    ],
)
def test_components_are_not_moved_by_what_no_page_has_written(run: str, text: str, said: str) -> None:
    app = opened(EXPLORE, run=run, moved=text)
    assert [said in problem for problem in problems(app)] == [True]
    assert "moved" not in link_of(app) and "point" in link_of(app), "the first look is as without"


def test_what_a_visitor_changes_is_in_the_link_and_what_is_as_at_first_is_not() -> None:
    app = opened(EXPLORE, run=RUN)
    assert set(link_of(app)) == {"run", "point"}
    app.segmented_control(key="colour").set_value("error").run()
    app.segmented_control(key="section").set_value("Curves").run()
    assert link_of(checked(app)).items() >= {"colour": "error", "section": "curves"}.items()
    app.segmented_control(key="colour").set_value("class").run()
    assert "colour" not in link_of(checked(app))


def test_another_run_has_nothing_of_the_link_of_the_one_before() -> None:
    app = opened(EXPLORE, run=RUN, point="test-12", epoch="13", view="0.5,1,3")
    app.selectbox(key="explored run").set_value("digits-metric-vae").run()
    link = link_of(checked(app))
    assert link["run"] == "digits-metric-vae" and not {"epoch", "view"} & set(link) and link["point"] != "test-12"
    assert map_of(app)["start"] == []


def test_a_link_to_another_run_with_the_same_point_is_followed_within_a_session() -> None:
    app = opened(EXPLORE, run=RUN, point="test-12")
    app.query_params.clear()
    app.query_params["run"], app.query_params["point"] = "digits-metric-vae", "test-12"
    assert link_of(checked(app.run())) == {"run": "digits-metric-vae", "point": "test-12"}


def test_a_region_of_thousands_fits_into_a_link_unless_it_is_scattered() -> None:
    """A cap on the address: servers take 8,000 characters of it."""
    scattered = np.flatnonzero(np.random.default_rng(0).random(70_000) < 0.5).tolist()
    assert len(link.region_text(scattered, 70_000)) > link.MOST_REGION
    fits = np.flatnonzero(np.random.default_rng(0).random(5000) < 0.5).tolist()
    text = link.region_text(fits, 5000)
    assert len(text) < 1000 and link.region_of(text, 5000) == fits


@pytest.mark.parametrize(
    "text",
    ["", "x", "5000", "5000.", "5000.!", "1.eNpjAAAAAQAB", f"{COUNT}.eNo", "5000." + "A" * 10_000, "-1.eNpjAAAAAQAB"],
)
def test_a_region_that_no_page_has_written_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="region must be one of these points"):
        link.region_of(text, 5000)


def test_a_region_that_would_unpack_to_a_gigabyte_is_refused_at_its_size() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(bytes(2_000_000), 9)).decode()
    assert len(bomb) < link.MOST_REGION
    with pytest.raises(ValueError, match="region must be one of these points"):
        link.region_of(f"5000.{bomb}", 5000)


def test_a_problem_of_a_part_stays_until_that_part_is_changed() -> None:
    app = opened(EXPLORE, run=RUN, colour="pink", rows="all")
    assert len(problems(app)) == 2 and len(problems(checked(app.run()))) == 2
    app.segmented_control(key="colour").set_value("error").run()
    assert ["rows must be one of both, train, test here" in said for said in problems(checked(app.run()))] == [True]


def test_a_mixture_that_the_page_cannot_show_is_refused_in_words() -> None:
    for parts, said in (
        ({"placement": "lattice", "components": "400"}, "this page shows at most"),
        ({"latent_dim": "3"}, "it must be a Gaussian mixture in two dimensions"),
        ({"prior": "unit"}, "it must be a Gaussian mixture in two dimensions"),
    ):
        app = opened(PRIOR, **parts)
        assert [said in problem for problem in problems(app)] == [True]
        assert "component_log_var" not in link_of(app), "it is the paper's still"


def test_train_with_a_mixture_of_a_link_brings_it_whole() -> None:
    app = opened(PRIOR, placement="lattice", components="7", component_spacing="3", schedule="joint", alpha="0.3")
    press(app, "Train with it")
    knobs = app.session_state["chosen knobs"]
    assert (knobs["components"], knobs["component_spacing"], knobs["alpha"]) == (7, 3.0, 0.3)


def test_a_lesson_s_own_run_is_in_its_link(folders: Path) -> None:
    side = PLACES.sides[1]
    config = lesson_link.change_side(side, {"epochs": 1})
    parent = name_parent(listing.open_run(side.run))
    for _ in execute(listing.create_run(config, "turned", parent=parent)):
        pass
    app = opened(PLACES.page, said="2", run="turned")
    assert not problems(app) and "Yours: epochs 30 → 1" in words(app) and link_of(app) == {"said": "2", "run": "turned"}
    listing.create_run(config, "strange")
    for said, run in (("2", "strange"), ("2", side.run), ("2", "../../etc/passwd")):
        assert len(problems(opened(PLACES.page, said=said, run=run))) == 1
    assert "Reveal" not in [header.value for header in opened(PLACES.page, run="turned").header], (
        "nothing was predicted"
    )


def test_a_break_keeps_its_title_in_a_link() -> None:
    broken = PLACES.breaks[0]
    side = PLACES.sides[broken.side]
    run = listing.create_run(lesson_link.change_side(side, broken.values), "broken")
    assert lesson_link.place_started(PLACES, side, run) == (lesson_link.BREAK, broken.title)


def test_numbers_of_a_link_are_finite_and_as_many_as_they_should_be() -> None:
    assert links.numbers_of("view", 3)("1,-2.5,3e2") == (1, -2.5, 300)
    for text in ("", "1,2", "1,2,nan", "1,2,inf", "1,2,1e7", "1,2,3,4", "1,2,x", "1," * 9000):
        with pytest.raises(ValueError, match="view must be 3 numbers"):
            links.numbers_of("view", 3)(text)
