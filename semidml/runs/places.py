"""Where runs lie, and what their names may be."""

import os
import re
import secrets
import time
from pathlib import Path

from semidml.config import RunConfig

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"
CELLS = "runs"  # the folder of a sweep's runs
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
MADE_UP = re.compile(r".*-pl[\d.e-]+-\d{8}-\d{4}-[0-9a-f]{4}")


def runs_folder() -> Path:
    """The user's runs: SEMIDML_RUNS, or ./runs."""
    return Path(os.environ.get("SEMIDML_RUNS") or "runs").absolute()


def sweeps_folder() -> Path:
    """The user's sweeps, many runs each: SEMIDML_SWEEPS, or `sweeps` beside the folder of runs."""
    given = os.environ.get("SEMIDML_SWEEPS")
    return Path(given).absolute() if given else runs_folder().parent / "sweeps"


def claims_folder() -> Path:
    """The evidence of claims and its report: SEMIDML_CLAIMS, or `claims` beside the folder of runs."""
    given = os.environ.get("SEMIDML_CLAIMS")
    return Path(given).absolute() if given else runs_folder().parent / "claims"


def sweep_of(run_path: Path) -> str:
    """The name of the sweep that a run's folder is part of, as sweeps/NAME/runs/RUN; "" where it is part of none."""
    within = run_path.parent
    is_part = within.name == CELLS and within.parent.parent == sweeps_folder()
    return within.parent.name if is_part else ""


def id_of(run_path: Path) -> str:
    """What a run is called: its folder's name, behind that of its sweep where it is part of one: SWEEP/RUN."""
    sweep = sweep_of(run_path)
    return f"{sweep}/{run_path.name}" if sweep else run_path.name


def paths_of(run_id: str) -> list[Path]:
    """Where a run called so may lie: among the user's or the shipped ones or, called SWEEP/RUN, in its sweep.
    Raises: ValueError when none can be called so."""
    sweep, slash, name = run_id.partition("/")
    if slash and valid_id(sweep) and valid_id(name):
        return [sweeps_folder() / sweep / CELLS / name]
    return [folder / checked_id(run_id) for folder in (runs_folder(), shipped())]


def ships(run_id: str) -> bool:
    """Whether a run of that name comes with the project: another one would stand in its place."""
    return (shipped() / run_id).exists()


def shipped() -> Path:
    """The runs that come with the project: `checkpoints/` beside the package."""
    return SHIPPED


def valid_id(name: str) -> bool:
    """Whether a run may be called so: 1 to 80 letters, digits, `_`, `.`, `-`, beginning with a letter or digit."""
    return bool(ID.fullmatch(name))


def checked_id(name: str, whose: str = "run") -> str:
    """The name itself.
    Raises: ValueError when it is not a valid one."""
    if not valid_id(name):
        raise ValueError(
            f"a {whose}'s name is 1 to 80 letters, digits, '_', '.' or '-', beginning with a letter or a digit; "
            f"got {name[:90]!r}"
        )
    return name


def new_id(config: RunConfig) -> str:
    """A readable name that no other run has: digits-dml-ae-pl100-20261122-1504-k3f9."""
    data = re.sub(r"[^A-Za-z0-9]+", "-", Path(config.data).stem).strip("-")[:30] or "data"
    return f"{data}-{config.model}-pl{config.pl:g}-{time.strftime('%Y%m%d-%H%M')}-{secrets.token_hex(2)}"


def is_made_up(name: str) -> bool:
    """Whether a run is called as `new_id` calls it, and not as a person did."""
    return bool(MADE_UP.fullmatch(name))
