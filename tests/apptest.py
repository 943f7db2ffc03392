"""The app as Streamlit's AppTest draws it, without a browser: what the tests of pages open, press and read."""

import json
from functools import cache
from pathlib import Path

import sklearn.datasets  # noqa: F401 (pages are those of an app that is warm, see frame.is_warm)
import torch  # noqa: F401
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from semidml.scatter import bundle

ROOT = Path(__file__).parents[1]
# AppTest looks for components in the metadata of every installed package whenever a page is opened, which takes longer
# than most of our pages do: once a process is enough.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def opened(page: str = "", **link: str) -> AppTest:
    """A page opened by a link: its file, "" for Home, and its query parameters."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    if page:
        app.switch_page(page)
    for name, value in link.items():
        app.query_params[name] = value
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    assert not app.get("doc_string"), "a bare expression was written to the page"
    return app


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click().run()
    return checked(app)


def words(app: AppTest) -> str:
    """All that the page says, kind by kind."""
    kinds = (
        app.title,
        app.header,
        app.subheader,
        app.markdown,
        app.caption,
        app.info,
        app.success,
        app.warning,
        app.error,
    )
    said = [element.value for kind in kinds for element in kind]
    drawn = [*sent_to(app, bundle.SCORECARD), *curves_of(app)]
    return "\n".join([*said, *(data["words"] for data in drawn)])


def sent_to(app: AppTest, name: str) -> list[dict]:
    """What the browser gets for each component of that name, of those that take numbers and words."""
    protos = [element.proto for element in app.get("bidi_component")]
    return [json.loads(proto.json) for proto in protos if proto.component_name == name]


def curves_of(app: AppTest) -> list[dict]:
    """The charts of curves of a page, see `plots.chart`."""
    return sent_to(app, bundle.CURVES)


def scores_of(app: AppTest) -> dict[str, dict]:
    """Scores as the page's cards show them, by title: value, what it was before, help."""
    cards = sent_to(app, bundle.SCORECARD)
    return {score["title"]: score for card in cards for score in [*card["headlines"], *card["others"]]}


def map_of(app: AppTest) -> dict:
    """The header of the first map of a page, as the browser gets it."""
    data = next(
        element.proto.bytes for element in app.get("bidi_component") if element.proto.component_name == bundle.NAME
    )
    return json.loads(data[4 : 4 + int.from_bytes(data[:4], "little")])
