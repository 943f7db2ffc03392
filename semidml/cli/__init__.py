"""The command line: python -m semidml train | evaluate | fit-prior | runs | sweep | sweeps | reproduce | data | knobs.
Same names, bounds and errors as the pages. A file a family of commands.
"""

import argparse
import sys
from collections.abc import Sequence

from semidml import __version__
from semidml.cli import data, reproduce, runs, sweeps, train
from semidml.cli.command import add_command
from semidml.cli.reference import tables
from semidml.words import trouble_words


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command; what was asked for wrongly is said in one line on stderr, with exit status 2."""
    asked = parser().parse_args(words)
    try:
        return asked.do(asked) or 0
    except (ValueError, OSError) as error:
        words = trouble_words(error) if isinstance(error, OSError) else error
        print(f"semidml: {words}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("semidml: stopped", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole command line; the options of `train` and `sweep` are the knobs of RunConfig."""
    top = argparse.ArgumentParser(prog="python -m semidml", description="Latent spaces from a few labels.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for family in (train, runs, sweeps, reproduce, data):
        family.add_commands(commands)
    about = "tables of models, losses, data sets, knobs and scores, in Markdown"
    add_command(commands, "knobs", lambda asked: print(tables()), about)
    return top
