"""What a run is going to write, told from its settings before it begins, so that what would not fit is refused then."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from semidml.config import RunConfig
from semidml.data import store
from semidml.disk import locks
from semidml.methods import MODELS
from semidml.runs import places, quota
from semidml.runs.run import Run

MOST_FRAMES, FEWEST_FRAMES = 200, 20
WIDE = 16  # dimensions beyond which latents are kept in half precision, and fewer frames
RECORD = 1500  # bytes of an epoch's line in the history
HEADERS = 300  # bytes of an array in an .npz besides its numbers
SMALL = 60_000  # bytes of config.json, status.json, metrics.json, and of generators and names in a saved state
NEW = 3  # frames beside the kept ones: the newest, one in the middle of an epoch, and one that is being written
UNKNOWN: dict[str, Any] = {"train": 5000, "test": 5000, "classes": 10, "shape": (1, 28, 28)}  # data that are not here


def kept_frames(epochs: int, latent_dim: int = 2) -> set[int]:
    """The epochs whose frames are kept: all, or 200 of them, as even as whole numbers allow, with first and last;
    beyond 16 dimensions as many fewer as the frames are larger, down to 20."""
    most = max(FEWEST_FRAMES, MOST_FRAMES * WIDE // max(WIDE, latent_dim))
    if epochs < most:
        return set(range(epochs + 1))
    return {round(i * epochs / (most - 1)) for i in range(most)}


def run_bytes(config: RunConfig, known: Mapping[str, Any]) -> int:
    """Bytes that a run's folder takes while it is trained: frames, rows, history, and twice the saved state, of which
    the old one lies beside the new one until that is whole. known: facts of its data set (`store.facts`)."""
    weights, moments = _model_bytes(config, known)
    return _frames_bytes(config, known) + RECORD * (config.epochs + 1) + 2 * (weights + moments) + SMALL


def kept_bytes(config: RunConfig, paths: bool = False) -> int:
    """Bytes that a run's folder takes once it is done; of data that are not here, as of usual ones."""
    known = _facts_of(config, paths)
    return _frames_bytes(config, known) + RECORD * (config.epochs + 1) + _model_bytes(config, known)[0] + SMALL


def _frames_bytes(config: RunConfig, known: Mapping[str, Any]) -> int:
    """Bytes of all frames, see `View.frame`, and of the rows that they draw."""
    from semidml.train.task import SHOWN, WATCHED_TEST, WATCHED_TRAIN
    from semidml.train.views import PICTURED

    facts, pixels, width = MODELS[config.model].facts, math.prod(known["shape"]), config.latent_dim
    rows = min(WATCHED_TRAIN, known["train"]) + min(WATCHED_TEST, known["test"])
    frame = rows * width * (2 if width > WIDE else 4) + 2 * rows + 12 * HEADERS
    if config.trains_decoder:
        frame += SHOWN * pixels
    if facts["prior"]:
        frame += (8 * width + 4) * config.components + 2 * min(PICTURED, config.components) * pixels
    if facts["clusters"]:
        frame += 2 * rows + 8 * config.clusters + PICTURED * pixels
    return (len(kept_frames(config.epochs, width)) + NEW) * frame + rows * (1 + 4 + 2 + 1) + 6 * HEADERS


def _model_bytes(config: RunConfig, known: Mapping[str, Any]) -> tuple[int, int]:
    """Bytes of (the weights, the optimiser's moments of those that are trained): together they are a saved state."""
    from semidml.train.task import seeded_model

    model = seeded_model(config, tuple(known["shape"]), known["classes"], overwritten=True)
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    moments = {"adam": 2, "sgd": 1 if config.momentum else 0}[config.optimizer]
    return weights, moments * sum(parameter.nbytes for parameter in model.parameters())


def expected_bytes(config: RunConfig, paths: bool = False) -> int:
    """See `run_bytes`; of data that are not here, which end the run before it has written much, as of usual ones."""
    return run_bytes(config, _facts_of(config, paths))


def _facts_of(config: RunConfig, paths: bool) -> Mapping[str, Any]:
    try:
        return store.facts(config.data, allow_paths=paths)
    except ValueError:
        return UNKNOWN


def left_to_write(run: Run) -> int:
    """Bytes that a run which waits, trains or is resumed is still going to write."""
    details = run.details()
    expected = details.get("expects")  # none up to version 0.3
    if not isinstance(expected, int):
        expected = expected_bytes(run.config(), details.get("paths") is True)
    return max(0, expected - run.size())


def waiting_bytes(but: Run | None = None) -> int:
    """Bytes that the user's runs which wait or train are still going to write, `but` one."""
    folder = places.runs_folder()
    runs = [Run(path) for path in folder.iterdir() if places.valid_id(path.name)] if folder.is_dir() else []
    return sum(left_to_write(run) for run in runs if run != but and _is_active(run))


def _is_active(run: Run) -> bool:
    """Whether a run waits or trains; what cannot be read does neither."""
    try:
        return run.recorded().active and run.status().active
    except ValueError:
        return False


def check_fits(more: int, but: Run | None = None) -> None:
    """Raises ValueError when `more` bytes pass the quota or the disk, beside what is there and what other runs are
    still going to write."""
    quota.check_quota(more, waiting_bytes(but))


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Held by whoever checks what fits, until the run counts that was let in: of two that ask at once the second one
    sees the first."""
    places.runs_folder().mkdir(parents=True, exist_ok=True)
    with locks.alone(places.runs_folder() / ".quota.lock", lambda: None):
        yield
