"""Where runs lie, and what their names may be."""

import os
import re
import secrets
import time
from pathlib import Path

from semidml.config import RunConfig

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


def runs_folder() -> Path:
    """The user's runs: SEMIDML_RUNS, or ./runs."""
    return Path(os.environ.get("SEMIDML_RUNS") or "runs").absolute()


def ships(run_id: str) -> bool:
    """Whether a run of that name comes with the project: another one would stand in its place."""
    return (shipped() / run_id).exists()


def shipped() -> Path:
    """The runs that come with the project: `checkpoints/` beside the package."""
    return SHIPPED


def valid_id(name: str) -> bool:
    """Whether a run may be called so: 1 to 80 letters, digits, `_`, `.`, `-`, beginning with a letter or digit."""
    return bool(ID.fullmatch(name))


def checked_id(name: str) -> str:
    """The name itself.
    Raises: ValueError when it is not a valid one."""
    if not valid_id(name):
        raise ValueError(
            "a run's name is 1 to 80 letters, digits, '_', '.' or '-', beginning with a letter or a digit; "
            f"got {name[:90]!r}"
        )
    return name


def new_id(config: RunConfig) -> str:
    """A readable name that no other run has: digits-dml-ae-pl100-20261122-1504-k3f9."""
    data = re.sub(r"[^A-Za-z0-9]+", "-", Path(config.data).stem).strip("-")[:30] or "data"
    return f"{data}-{config.model}-pl{config.pl:g}-{time.strftime('%Y%m%d-%H%M')}-{secrets.token_hex(2)}"
