"""What a link says that a page does not follow is said in words: which part, and what is used instead."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from semidml.lessons import LESSONS, PLACES
from semidml.runs import places
from semidml.ui import lesson_link, mixture
from semidml.ui.explorer import link as explored
from tests import apptest
from tests.apptest import ROOT, checked

TRAIN, EXPLORE, DATA = "pages/1_Train.py", "pages/2_Explore.py", "pages/3_Data.py"
PRIOR, COMPARE, CLUSTERS = "pages/4_Prior.py", "pages/8_Compare.py", "pages/9_Clusters.py"
MANY, RUNS, HOLDS = "pages/10_Many_at_once.py", "pages/11_Runs.py", "pages/12_Does_it_hold.py"
PAGES = [
    "",
    TRAIN,
    EXPLORE,
    DATA,
    PRIOR,
    COMPARE,
    CLUSTERS,
    MANY,
    RUNS,
    HOLDS,
    *(lesson.page for lesson in LESSONS.values()),
]
SHIPPED = sorted(path.name for path in places.shipped().iterdir())
LONG = "x" * 10_000
MARKDOWN = "![picture](http://evil.example/x.png) <img src=x onerror=alert(1)> :red[word] `code"
CONTROL = "a\0\x07\x1b[31m\u202eb\r\n# Heading"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SEMIDML_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SEMIDML_DATA", str(tmp_path / "data"))
    return tmp_path


def opened(page: str, **link: str | list[str]) -> AppTest:
    return apptest.opened(page, **link)


def said(app: AppTest) -> list[str]:
    """What is said of the link."""
    return [
        element.value for element in (*app.warning, *app.info) if "link" in element.icon or "delete" in element.icon
    ]


def test_a_good_link_is_followed_in_silence() -> None:
    assert not said(opened(TRAIN, alpha="0.5", model="dml-ae", run=SHIPPED[0]))
    assert not said(opened(EXPLORE, run=SHIPPED[0])) and not said(opened(COMPARE, runs=",".join(SHIPPED[:4])))
    assert not said(opened(DATA, data="digits")) and not said(opened(CLUSTERS, clusters="10"))


@pytest.mark.parametrize("page", PAGES)
def test_a_part_that_no_page_reads_is_said_on_every_page(page: str) -> None:
    """However long, many, and full of what has a meaning elsewhere."""
    strange = {"foo": "1", MARKDOWN: "2", CONTROL: "3", LONG: LONG, **{f"more{i}": LONG for i in range(20)}}
    app = opened(page, **strange)
    (sentence,) = [sentence for sentence in said(app) if "No page reads" in sentence]
    assert "`foo`" in sentence and " and 21 more" in sentence and len(sentence) < 400
    assert "\0" not in sentence and "\n" not in sentence and "\u202e" not in sentence
    assert LONG[:100] not in str([element.value for element in (*app.markdown, *app.warning, *app.info, *app.error)])
    outside = "".join(part for part in sentence.split("`")[::2])
    assert "http" not in outside and "<" not in outside, "what the link says is code and nothing else"


@pytest.mark.parametrize(
    ("page", "link", "name"),
    [
        (EXPLORE, {"run": SHIPPED[0], "alpha": "0.5"}, "alpha"),
        (EXPLORE, {"runs": ",".join(SHIPPED[:2])}, "runs"),
        (COMPARE, {"run": SHIPPED[0]}, "run"),
        (DATA, {"run": SHIPPED[0]}, "run"),
        (TRAIN, {"runs": SHIPPED[0]}, "runs"),
        (CLUSTERS, {"runs": SHIPPED[0]}, "runs"),
        (MANY, {"runs": SHIPPED[0]}, "runs"),
        (TRAIN, {"columns": "alpha=0.1"}, "columns"),
        (PRIOR, {"columns": "alpha=0.1"}, "columns"),
        (COMPARE, {"point": "test-1"}, "point"),
        ("", {"model": "dml"}, "model"),
        (next(iter(LESSONS.values())).page, {"seed": "1"}, "seed"),
    ],
)
def test_another_page_s_part_is_said(page: str, link: dict[str, str], name: str) -> None:
    assert f"This part of the link is for another page: `{name}`. It changes nothing here." in said(
        opened(page, **link)
    )


@pytest.mark.parametrize(
    ("page", "link", "sentence"),
    [
        (EXPLORE, {"run": [SHIPPED[1], SHIPPED[0]]}, "The link has `run` 2 times, and the last one counts."),
        (DATA, {"data": ["mnist"] * 50 + ["digits"]}, "The link has `data` 51 times, and the last one counts."),
        (COMPARE, {"runs": ["a", ",".join(SHIPPED[:2])]}, "The link has `runs` 2 times, and the last one counts."),
        (TRAIN, {"alpha": ["0.1", "0.5"]}, "the link has `alpha` 2 times, and the last one counts."),
        (TRAIN, {"run": ["a", SHIPPED[0]]}, "The link has `run` 2 times, and the last one counts."),
    ],
)
def test_a_part_that_is_there_more_than_once_is_said(page: str, link: dict, sentence: str) -> None:
    app = opened(page, **link)
    assert any(sentence in told for told in said(app))
    if page == TRAIN and "alpha" in link:
        assert app.session_state["alpha"] == 0.5


@pytest.mark.parametrize(
    ("name", "value", "words", "instead"),
    [
        ("alpha", "99", "alpha must be between 0 and 1, got 99", "0.02"),
        ("alpha", "inf", "got inf", "0.02"),
        ("alpha", "NaN", "got NaN", "0.02"),
        ("alpha", "-0.0001", "got -0.0001", "0.02"),
        ("alpha", LONG, "got xxx", "0.02"),
        ("alpha", CONTROL, "alpha must be between 0 and 1", "0.02"),
        ("seed", "9" * 5000, "seed must be a whole number between 0", "0"),
        ("latent_dim", "2.5", "latent_dim must be a whole number", "2"),
        ("model", LONG, "model must be one of dml", "dml-ae"),
        ("model", MARKDOWN, "model must be one of dml", "dml-ae"),
        ("loss", CONTROL, "loss must be one of", "triplet"),
        ("data", LONG, "data must be one of digits", "digits"),
        ("data", MARKDOWN, "data must be one of digits", "digits"),
        ("positions", LONG, "positions must be", "its default"),
        ("positions", "1,2;" * 4000, "positions must be", "its default"),
        ("component_weights", "1,nan", "component_weights must", "its default"),
        ("epochs", "", "epochs must be a whole number between 1 and 10000, got nothing", "60"),
        ("device", "tpu", "device must be one of", "auto"),
    ],
)
def test_a_value_that_cannot_be_is_said_with_what_is_used_instead(name, value, words, instead) -> None:
    app = opened(TRAIN, **{name: value})
    (sentence,) = said(app)
    assert words in sentence and f"; {instead} is used instead." in sentence and len(sentence) < 600
    assert sentence.isprintable() and not sentence.replace("\\[", "").count("["), "nothing in it comes alive"
    assert said(checked(app.run())) == [sentence], "it stays until a knob moves"


def test_a_knob_without_effect_is_said() -> None:
    (sentence,) = said(opened(TRAIN, model="dml", clusters="7"))
    assert "clusters has no effect with the other choices" in sentence
    assert not said(opened(TRAIN, model="dml", prior="none")), "it is so anyway"


def test_another_method_s_model_is_said_on_the_page_of_one() -> None:
    app = opened(CLUSTERS, model="dml", loss="contrastive")
    assert ["the model dml is another page's" in sentence for sentence in said(app)] == [True]
    assert len(said(checked(app.run()))) == 1
    (sentence,) = said(opened(CLUSTERS, model="gan", clusters="7"))
    assert "model must be one of" in sentence and "cbswr is used instead" in sentence


@pytest.mark.parametrize("name", ["gone", LONG, MARKDOWN, CONTROL, "", "../../etc/passwd"])
@pytest.mark.parametrize(
    ("page", "part"), [(TRAIN, "run"), (EXPLORE, "run"), (CLUSTERS, "run"), (COMPARE, "runs"), (DATA, "data")]
)
def test_what_is_not_here_is_said_and_not_echoed_at_length(page: str, part: str, name: str) -> None:
    (sentence,) = said(opened(page, **{part: name}))
    assert len(sentence) < 300 and sentence.isprintable()
    assert any(words in sentence for words in ("Here is another one", "the others are compared", "names no run"))
    assert "http" not in "".join(sentence.split("`")[::2])


@pytest.mark.parametrize("name", ["gone", LONG, MARKDOWN, CONTROL, "../../etc/passwd"])
@pytest.mark.parametrize("part", ["sweep", "columns", "rows", "run", "seeds"])
def test_what_a_plan_cannot_be_is_said_and_not_echoed_at_length(part: str, name: str) -> None:
    app = opened(MANY, **{part: name})
    sentences = [*said(app), *(element.value for element in app.error)]
    assert sentences and all(len(sentence) < 400 for sentence in sentences)
    assert not any("http" in "".join(re.split("[`']", sentence)[::2]) for sentence in sentences)


@pytest.mark.parametrize("value", [LONG, MARKDOWN, CONTROL, "1,2,nan"])
@pytest.mark.parametrize(
    ("page", "link", "names"),
    [
        (TRAIN, {"run": "digits-ten-places"}, ("epoch", "view")),
        # its filter and what its legend hides are read, and said, by the map
        (EXPLORE, {"run": "digits-ten-places"}, [p for p in explored.PARTS if p not in ("filter", "hidden")]),
        (COMPARE, {"runs": "digits-paper-prior,digits-ten-places"}, ("colour", "flown", "view")),
        (PRIOR, {}, mixture.PARTS),
        (CLUSTERS, {"run": "digits-best-clusters"}, ("colour", "plane", "point", "epoch", "view")),
        (PLACES.page, {"said": "1"}, [name for name in lesson_link.PARTS if name != "said"]),
    ],
)
def test_what_a_page_cannot_show_is_said_part_by_part(page: str, link: dict, names: Iterable[str], value: str) -> None:
    """All parts of a page at once; what they are not is said in a sentence each, and the page is as without them."""
    app = opened(page, **dict.fromkeys(names, value), **link)
    sentences = said(app)
    assert len(sentences) == len(names) and all(len(sentence) < 500 for sentence in sentences)
    assert all(sentence.replace("\n", "").isprintable() for sentence in sentences)
    assert not any("[" in sentence.replace("\\[", "") for sentence in sentences), "nothing in it comes alive"
    kept = {name for name in names if name in app.query_params and app.query_params[name] in (value, [value])}
    assert kept <= {"view"}, "what was not followed does not stay in the link, but for what the map writes"


def test_a_run_of_another_page_is_said() -> None:
    (sentence,) = said(opened(CLUSTERS, run="digits-dml-60-labels"))
    assert sentence == "The run `digits-dml-60-labels` is another page's. Here is another one."


def test_more_runs_than_can_be_compared_are_said() -> None:
    app = opened(COMPARE, runs=",".join([*SHIPPED[:6], SHIPPED[0], *(f"gone{i}" for i in range(500))]))
    assert said(app) == [
        "There is no run with points called `gone0`, `gone1`, `gone2`, `gone3` and 496 more here (any more): the "
        "others are compared.",
        "The link names 6 runs: the first 4 are compared.",
    ]
    assert app.multiselect(key="compared").value == SHIPPED[:4]


def test_the_home_of_these_tests_knows_every_page() -> None:
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "pages").glob("*.py")} == set(PAGES) - {""}
