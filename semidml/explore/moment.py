"""The scores of one frame: those that a tick would have had at that moment, as far as the points that are drawn tell
them."""

from typing import Any

import numpy as np

from semidml.explore import points
from semidml.frames import TEST, Frame, Record
from semidml.methods import MODELS
from semidml.runs.run import Run
from semidml.scores.table import Scored


def record_of(history: list[Record], frame: Frame) -> Record | None:
    """The record of a frame's moment; None where its scores were not taken, as in the middle of an epoch."""
    alike = (r for r in reversed(history) if (r.epoch, r.step) == (frame.epoch, frame.step) and r.scores)
    return next(alike, None)


def epochs_of(history: list[Record], frame: Frame) -> float:
    """Epochs that a frame is into the training: 0.6 after 60 % of the first."""
    steps = next((record.steps for record in reversed(history) if record.steps), 0)
    return frame.epoch + (frame.step / steps if steps else 0.0)


def score_frame(run: Run, frame: Frame) -> dict[str, Any]:
    """The live scores of a frame's points, as `train.views` takes them at the end of an epoch; without those that need
    more than the latents, as the error of a reconstruction. 20 to 90 ms."""
    from semidml.scores import components, protocol  # these load scikit-learn

    config, test, labels = run.config(), frame.rows["split"] == TEST, frame.rows["labels"]
    latents, compared = frame.latents, frame.compared
    seen, classes = np.flatnonzero(frame.rows["seen"][~test]), len(points.class_names(run))
    given = Scored(compared[~test], labels[~test], seen, compared[test], labels[test], classes, config.seed)
    scores = protocol.live_scores(given)
    if frame.components and len(frame.components[0]) > 1 and np.isfinite(latents).all():
        of_components = components.component_scores(latents[test], labels[test], *frame.components)
        live = ("component_ami", "components_used", "component_distance")
        scores |= {name: of_components[name] for name in live}
    if MODELS[config.model].facts["clusters"]:
        scores |= protocol.live_retrieval(latents[test], labels[test], config.seed)
    return protocol.known_scores(scores, labels[test])
