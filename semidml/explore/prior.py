"""A prior for another run from a run's own latents."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semidml import frames
from semidml.config import RunConfig
from semidml.explore import points
from semidml.runs import trained_on
from semidml.scores import checks

if TYPE_CHECKING:
    from semidml.runs.run import Run


MOST_FITTED = 10_000  # training images to which a prior is fitted: more change nothing that can be seen


class Fitted(NamedTuple):
    """A mixture fitted to a run's latents."""

    config: RunConfig  # trains anew, with the mixture as its prior
    rows: str  # which latents it was fitted to, in words


def training_latents(run: "Run", seed: int = 0) -> tuple[np.ndarray, str]:
    """(latents (N, D) of a run's training images, which these are, in words): all of them, or `MOST_FITTED` drawn with
    the seed; where the images are not here, those that its last frame holds. Raises ValueError when there are none."""
    try:
        images = trained_on.read_splits(run, trained_on.load_data(run))[0].train.images
    except ValueError as error:
        epochs = run.frames()
        if not epochs:
            raise ValueError(f"{run.id} has kept no map, and its images cannot be read: {error}") from None
        last = points.read_frame(run, epochs[-1])
        latents = last.latents[last.rows["split"] == frames.TRAIN]
        return latents, f"the {len(latents):,} training images of its map, since its images cannot be read: {error}"
    from semidml.train.outputs import embed

    (rows,) = checks.subset(MOST_FITTED, seed, np.arange(len(images)))
    words = "all" if len(rows) == len(images) else f"{MOST_FITTED:,} of"
    return embed(run.model(), images[rows]), f"{words} {len(images):,} training images"


def fit_prior(run: "Run", components: int | None = None, seed: int = 0) -> Fitted:
    """A mixture fitted to a finished run's latents, to be the prior of another; as many components as classes unless
    told. (Safir et al. 2022 leave such a prior to future work.) Raises ValueError in words for a run that is not done,
    one that has collapsed, and where there are neither classes nor a number of components."""
    from semidml.priors.fit import fit
    from semidml.train.alarms import collapse

    status, config = run.status(), run.config()
    if status.state != "done":
        raise ValueError(f"{run.id} is {status.state}: a prior is fitted to the latents of a finished run")
    latents, rows = training_latents(run, seed)
    if collapsed := collapse(config, latents, len(points.class_names(run)), seed):
        raise ValueError(f"{run.id} has collapsed, there is nothing to fit: {collapsed}")
    if components is None:
        components = len(points.class_names(run))
        if not components:
            raise ValueError(f"no image of {run.id} has a label, so there are no classes: say how many components")
    return Fitted(after(config, fit(latents, components, seed)), rows)


def after(config: RunConfig, fitted: dict[str, Any]) -> RunConfig:
    """The setting that trains anew what `config` trained, with the fitted mixture as its prior. Raises ValueError in
    words where a knob of the mixture is out of bounds, and for a model that has no counterpart with a prior."""
    from semidml.methods import MODELS, with_prior

    model = with_prior(config.model)
    if model is None:
        raise ValueError(
            f"{MODELS[config.model].title} has no counterpart with a prior that could be trained anew: choose a run "
            f"of one of the models {', '.join(name for name in MODELS if with_prior(name))}"
        )
    old = {name: value for name, value in config.changed().items() if name in config.used()}
    new = {"data": config.data} | old | {"model": model, "prior": "gmm"} | fitted
    used = RunConfig.of(new).used()
    return RunConfig.of({name: value for name, value in new.items() if name in used})
