"""Imports go down the house only, and what opens the first page imports nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = [  # the lowest first; modules of one floor do not import one another, but for those of one room
    ["semidml", "semidml.registry", "semidml.words", "semidml.glossary"],
    ["semidml.disk", "semidml.disk.*", "semidml.memory", "semidml.tasks"],
    ["semidml.data", "semidml.losses", "semidml.networks", "semidml.priors", "semidml.methods", "semidml.schedules"],
    ["semidml.priors.given"],
    ["semidml.rules"],
    ["semidml.config"],
    ["semidml.presets"],
    ["semidml.lessons"],
    ["semidml.data.*", "semidml.data.formats.*", "semidml.losses.*", "semidml.networks.*", "semidml.priors.*"],
    ["semidml.methods.*"],
    ["semidml.scores", "semidml.scores.*"],
    ["semidml.frames"],
    ["semidml.planes", "semidml.plots", "semidml.plots.*", "semidml.scatter", "semidml.scatter.*"],
    ["semidml.train", "semidml.train.*"],
    ["semidml.runs", "semidml.runs.*"],
    ["semidml.explore", "semidml.explore.*"],
    ["semidml.execute"],
    ["semidml.jobs", "semidml.jobs.*", "semidml.sweeps", "semidml.sweeps.*"],
    ["semidml.verdicts", "semidml.verdicts.*"],
    ["semidml.claims", "semidml.claims.*"],
    ["semidml.figures", "semidml.figures.*"],
    [
        "semidml.cli",
        "semidml.cli.*",
        "semidml.ui",
        *(f"semidml.ui{room}.*" for room in ("", ".explorer", ".many", ".table")),
    ],
    ["semidml.__main__", "pages.*"],
    ["app"],
]
TYPES = {("semidml.rules", "semidml.config")}  # imported for the type of an argument alone
FILES = [
    *sorted((ROOT / "semidml").rglob("*.py")),
    *sorted((ROOT / "pages").glob("*.py")),
    ROOT / "app.py",
]
HEAVY = {"torch", "torchvision", "pandas", "plotly", "sklearn", "scipy", "umap", "medmnist", "pytorch_metric_learning"}
HEAVY |= {"matplotlib", "fontTools", "av"}


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int:
    parent = module.rpartition(".")[0]
    for level, names in enumerate(FLOORS):
        if module in names or (parent and f"{parent}.*" in names):
            return level
    raise AssertionError(f"{module} has no floor in the house: give it one in FLOORS")


def room_of(module: str) -> str:
    """The folder of semidml that a module lies in, whole, or semidml itself."""
    return ".".join(module.split(".")[:2]) if (ROOT / Path(*module.split(".")[:2])).is_dir() else "semidml"


def imports_of(file: Path) -> list[str]:
    """Modules of ours that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = ROOT.joinpath(*node.module.split("."), alias.name)
                is_module = submodule.with_suffix(".py").exists() or submodule.is_dir()
                found.append(f"{node.module}.{alias.name}" if is_module else node.module)
    return [name for name in found if name.split(".")[0] in ("semidml", "pages", "app", "home")]


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_go_down_only(file):
    importer = module_of(file)
    for imported in imports_of(file):
        if (importer, imported) in TYPES:
            continue
        same_room = room_of(importer) == room_of(imported) != "semidml"
        assert floor_of(imported) < floor_of(importer) or same_room or imported == importer, (
            f"{importer} imports {imported}"
        )


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_only_the_interface_imports_streamlit(file):
    imported = {name.split(".")[0] for node in ast.walk(ast.parse(file.read_text())) for name in names_in(node)}
    module = module_of(file)
    assert "streamlit" not in imported or module == "app" or module.startswith(("semidml.ui", "pages."))


def names_in(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_the_interface_opens_without_torch():
    code = f"import sys, semidml.ui, semidml.cli; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_server_answers_before_numpy_is_there():
    """`streamlit run` imports app.py and answers only then; the first page may load more."""
    code = "import sys, runpy; runpy.run_path('app.py', run_name='app'); print({'numpy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stdout + done.stderr
