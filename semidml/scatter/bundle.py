"""The JavaScript of the map and its siblings, each as one module."""

import re
from functools import cache
from pathlib import Path

NAME, STORE, PAD, GALLERY = "semidml_map", "semidml_store", "semidml_pad", "semidml_gallery"
LINK = "semidml_link"
LINK_HTML = (
    '<div class="link"><button type="button" title="Copies the link to this page as you see it">'
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" '
    'aria-hidden="true"><path d="M10 14a5 5 0 0 0 7 0l3-3a5 5 0 0 0-7-7l-1 1"/>'
    '<path d="M14 10a5 5 0 0 0-7 0l-3 3a5 5 0 0 0 7 7l1-1"/></svg>'
    '<span>Copy link</span></button><span role="status"></span></div>'
)
SCORES, SCORES_HTML = "semidml_scores", '<div class="scores"></div>'
GLOSSARY, GLOSSARY_HTML = "semidml_glossary", '<div class="glossary"></div>'
FORCES, FORCES_HTML = "semidml_forces", '<div class="forces"></div>'
HEADLINES = "semidml_headlines"
SHEET, PARALLEL = "semidml_sheet", "semidml_parallel"
CURVES, SCORECARD = "semidml_curves", "semidml_scorecard"
CURVES_HTML, SCORECARD_HTML = '<div class="curves"></div>', '<div class="scorecard"></div>'
GALLERY_HTML = '<div class="gallery" role="group"></div>'
HTML, PAD_HTML = '<div class="map"></div>', '<div class="map pad"></div>'
MANY_HTML = {name: f'<div class="{name.removeprefix("semidml_")}"></div>' for name in (SHEET, PARALLEL)}


@cache
def javascript(entry: str = "map") -> str:
    """A program, whole: of the map; of the "store" that draws nothing and keeps what belongs to a run; of the "pad" on
    which a visitor draws, which takes {"height", "width"} and sends `drawn` {"pixels"}; of the "gallery", which takes
    {"images": addresses, "words", "chosen": which or -1} and sends `picked`, the number of an image; of the "link" that
    copies the page's address; of the "glossary", see `ui.glossary`; of the "forces" on points, see `forces.py`; of the
    "sheet" of many runs, see `sheet.py`, and of "parallel" coordinates, see `plots.many`; of "curves", see
    `plots.chart`; of the "scorecard", which takes {"of": the run, "headlines", "others", "words"}, each score as
    {"name", "title", "value", "before", "help"}; of the table of "scores", which takes {"rows": of texts, "help": by
    the first text of a row}; of the "headlines" that a bar shows while the card is out of sight, {"card": its
    container's key}; of the "page" that plays without a server, see `figures.page`.

    An inline module of a Streamlit component cannot import from beside itself: each imported module becomes a function
    that is called once and gives its exports."""
    modules: dict[str, str] = {}  # each after those that it imports

    def link_module(name: str) -> str:
        text = (Path(__file__).parent / f"{name}.js").read_text()
        return re.sub(r'^import (\{.*?\}) from "\./(\w+)\.js";', take_import, text, flags=re.MULTILINE | re.DOTALL)

    def take_import(match: re.Match[str]) -> str:
        if match[2] not in modules:
            text = link_module(match[2])
            exports = ", ".join(re.findall(r"^export (?:const|function|class) (\w+)", text, flags=re.MULTILINE))
            text = re.sub(r"^export (default )?", "", text, flags=re.MULTILINE)
            modules[match[2]] = f"(() => {{\n{text}\nreturn {{ {exports} }};\n}})();"
        return f"const {match[1]} = {match[2]}Module;"

    program = link_module(entry)
    return "\n".join([*(f"const {name}Module = {text}" for name, text in modules.items()), program])


@cache
def css(*names: str) -> str:
    """The look of the map and its siblings, of what is named: "map" by default, "many" runs' charts, "curves", the
    "scorecard" and the table of "scores", both with "help", "forces", the "glossary"."""
    return "\n".join((Path(__file__).parent / f"{name}.css").read_text() for name in names or ("map",))
