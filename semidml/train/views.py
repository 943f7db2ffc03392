"""What is seen of a training while it goes on."""

import numpy as np

from semidml.scores import components

PICTURED = 32  # components that a frame keeps as images


def live_component_scores(latents: np.ndarray, labels: np.ndarray, its: tuple[np.ndarray, ...]) -> dict:
    """component_ami, components_used and component_distance of the watched test rows; none where there is one component
    only or a latent is not finite."""
    names = ("component_ami", "components_used", "component_distance")
    if len(its[0]) == 1 or not np.isfinite(latents).all():
        return {}
    found = components.component_scores(latents, labels, *its)
    return {name: found[name] for name in names}
