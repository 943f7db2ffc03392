"""The README is run, and so are the pages that it leads to: their commands parse, their links lead somewhere, their
numbers are those of the results, the reference is the code's, the map is the house's."""

import re
import shlex
import textwrap
from pathlib import Path

import pytest
import torch

from semidml import losses
from semidml.cli import parser, tables
from semidml.cli.train import do_train
from semidml.config import RunConfig, declared_knobs
from semidml.registry import Entry

ROOT = Path(__file__).parents[1]
PAGES = {name: (ROOT / name).read_text() for name in ("README.md", "benchmarks/RESULTS.md", "semidml/REFERENCE.md")}
README, RESULTS = PAGES["README.md"], PAGES["benchmarks/RESULTS.md"]
MAP, ADD = "A map of the house", "How to add"
NAME = re.compile(r"`((?:semidml|benchmarks|pages|checkpoints|tests)/[\w/.]*)`")
COMMAND = re.compile(r"^(?:# )?python -m semidml (.+)$|`python -m semidml ([^`]+)`", re.MULTILINE)
NUMBER = re.compile(r"[+-]?\d?\.\d{3} (?:± \.\d{3}|\[[^]]+\])")
COMMANDS = sorted({one or other for page in PAGES.values() for one, other in COMMAND.findall(page)})


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def section(title: str) -> str:
    """A section of the README, without its heading."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def headings(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them; a line of a code block is none."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_it_is_read_in_one_go():
    assert len(README.splitlines()) <= 220, "what is long belongs to RESULTS.md or REFERENCE.md"


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_parse(line):
    asked = parser().parse_args(shlex.split(line, comments=True))
    assert callable(asked.do)
    if asked.do is do_train:  # bounds, and what goes together
        RunConfig.of({name: value for name in declared_knobs() if (value := getattr(asked, name)) is not None})


def test_there_are_commands():
    assert len(COMMANDS) >= 10
    assert {"app", "test"} == set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    assert all(f"\n{target}:" in (ROOT / "Makefile").read_text() for target in ("app", "test"))


def test_the_reference_is_the_code_s():
    written = PAGES["semidml/REFERENCE.md"]
    assert written == f"{tables()}\n", "write it anew: python -m semidml knobs > semidml/REFERENCE.md"


def test_the_answers_are_those_of_the_results():
    numbers = NUMBER.findall(section("The answers so far"))
    assert len(numbers) > 20
    assert not [number for number in numbers if number not in RESULTS]


def test_its_python_trains(capsys):
    (block,) = blocks("python")
    exec(compile(block, "README", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) >= 4


def test_the_example_of_a_loss_is_a_loss():
    """It stands in the docstring of the table of losses: a file, and an entry."""
    _, file, entry = re.split(r"^\S.*mine\.py,$|^and an entry.*$", losses.__doc__, flags=re.MULTILINE)
    names: dict = {}
    exec(compile(textwrap.dedent(file), "mine.py", "exec"), names)
    its = eval(textwrap.dedent(entry).strip(), vars(losses))
    assert isinstance(its, Entry) and its.name not in losses.LOSSES
    assert its.facts.keys() == losses.LOSSES["triplet"].facts.keys()
    assert its.target == "semidml.losses.mine:build" and set(its.knobs) <= declared_knobs().keys()
    loss = names["build"](2, 3, **dict.fromkeys(its.knobs, 0.5))
    z = torch.tensor([[0.0, 0.0], [0.0, 2.0], [5.0, 0.0]], requires_grad=True)
    value = loss(z, torch.tensor([0, 0, 1]))
    assert value.item() == 1.5
    value.backward()
    assert z.grad.abs().sum() > 0


@pytest.mark.parametrize("name", PAGES)
def test_what_it_names_is_there(name):
    page, folder = PAGES[name], (ROOT / name).parent
    for place in NAME.findall(page.partition(f"\n## {MAP}\n")[0]):
        assert (ROOT / place).exists(), place
    for link in re.findall(r"\]\((?!http)([^)\s]+)\)", page):
        file, _, anchor = link.partition("#")
        target = (folder / file).resolve() if file else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target.read_text()), link


def test_the_map_is_the_house():
    """Every folder and every module that lies directly in semidml/ is in the map, and nothing that is not there; what
    is said of how to add lies there too."""
    (block,) = re.findall(r"```\n(.*?)```", section(MAP), re.DOTALL)
    assert len(block.splitlines()) <= 25
    lines = re.findall(r"^( *)([^\s,]+(?:, [^\s,]+)*)", block, re.MULTILINE)
    mapped = [f"{'semidml/' if indent else ''}{name}" for indent, names in lines for name in names.split(", ")]
    house = ROOT / "semidml"
    folders = {file.parent for file in house.rglob("*") if file.suffix in (".py", ".js", ".css")} - {house}
    rooms = [f"{folder.relative_to(ROOT)}/" for folder in folders]
    rooms += [str(file.relative_to(ROOT)) for file in house.glob("*.py") if file.name != "__init__.py"]
    missing = sorted(set(rooms) - set(mapped))
    invented = [name for name in [*mapped, *NAME.findall(section(ADD))] if not (ROOT / name).exists()]
    assert not missing and not invented, f"not in the map: {missing}; not in the house: {invented}"
    assert len(mapped) == len(set(mapped))
