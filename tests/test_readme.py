"""The README is run: its commands parse, its Python works, its reference is the code's, its loss is a loss."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from semidml.cli import parser, tables

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


COMMANDS = [
    shlex.split(line, comments=True)[3:]
    for block in blocks("sh")
    for line in block.splitlines()
    if line.startswith("python -m semidml")
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_its_commands_parse(words):
    assert callable(parser().parse_args(words).do)


def test_there_are_commands():
    assert len(COMMANDS) >= 5


def test_the_reference_is_the_code_s():
    reference = (ROOT / "semidml" / "REFERENCE.md").read_text()
    assert reference == f"{tables()}\n", "write it anew: python -m semidml knobs > semidml/REFERENCE.md"


def test_its_python_trains(capsys):
    block = next(block for block in blocks("python") if "fit(" in block)
    exec(compile(block, "README", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) >= 4


def test_its_own_loss_is_a_loss():
    block = next(block for block in blocks("python") if "def my_loss" in block)
    names: dict = {}
    exec(compile(block, "README", "exec"), names)
    loss = names["build"](2, 3, margin=0.5)
    z = torch.tensor([[0.0, 0.0], [0.0, 2.0], [5.0, 0.0]], requires_grad=True)
    value = loss(z, torch.tensor([0, 0, 1]))
    assert value.item() == 1.5
    value.backward()
    assert z.grad.abs().sum() > 0


def test_what_it_names_is_there():
    for name in re.findall(r"`((?:semidml|benchmarks|pages|checkpoints)/[a-z_/.]*[a-z_/])`", README):
        if name != "semidml/losses/mine.py":
            assert (ROOT / name).exists(), name
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).exists(), picture
