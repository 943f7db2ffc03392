"""The JavaScript of the map and its siblings, each as one module."""

import re
from functools import cache
from pathlib import Path

NAME, STORE, PAD, GALLERY = "semidml_map", "semidml_store", "semidml_pad", "semidml_gallery"
GALLERY_HTML = '<div class="gallery" role="group"></div>'
HTML, PAD_HTML = '<div class="map"></div>', '<div class="map pad"></div>'


@cache
def javascript(entry: str = "map") -> str:
    """A program, whole: of the map; of the "store" that draws nothing and keeps what belongs to a run; of the "pad" on
    which a visitor draws, which takes {"height", "width"} and sends `drawn` {"pixels"}; of the "gallery", which takes
    {"images": addresses, "words", "chosen": which or -1} and sends `picked`, the number of an image.

    An inline module of a Streamlit component cannot import from beside itself: each imported module becomes a function
    that is called once and gives its exports."""
    done: dict[str, str] = {}

    def named(name: str) -> str:
        text = (Path(__file__).parent / f"{name}.js").read_text()

        def imported(match: re.Match[str]) -> str:
            if match[2] not in done:
                done[match[2]] = _closed(named(match[2]))
            return f"const {match[1]} = {match[2]}Module;"

        return re.sub(r'^import (\{.*?\}) from "\./(\w+)\.js";', imported, text, flags=re.MULTILINE | re.DOTALL)

    last = named(entry)
    return "\n".join([*(f"const {name}Module = {text}" for name, text in done.items()), last])


def _closed(module: str) -> str:
    module = re.sub(r"^export default ", "", module, flags=re.MULTILINE)
    names = re.findall(r"^export (?:const|function|class) (\w+)", module, flags=re.MULTILINE)
    module = re.sub(r"^export ", "", module, flags=re.MULTILINE)
    return f"(() => {{\n{module}\nreturn {{ {', '.join(names)} }};\n}})();"


@cache
def css() -> str:
    """The component's look."""
    return (Path(__file__).parent / "map.css").read_text()
