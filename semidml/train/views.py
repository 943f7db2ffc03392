"""What is seen of a training while it goes on: the frame that the map draws, and scores of the watched rows."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from semidml.config import RunConfig
from semidml.data.dataset import Dataset
from semidml.frames import COMPONENTS, TEST, Frame
from semidml.methods import MODELS
from semidml.scores import classifiers, components, protocol
from semidml.scores.clusters import cluster_scores, clustered
from semidml.scores.table import Scored
from semidml.train.outputs import Outputs, as_compared, outputs_of, prior_components, to_pixels, to_unit
from semidml.train.task import watched_rows

PICTURED = 32  # components that a frame keeps as images
RECONSTRUCTED = 500  # test rows whose reconstructions are scored
COMPONENT_SCORES = ("component_ami", "components_used", "component_distance")


class View:
    """What is seen of a model in training, by its weights at the last `forget`. seen: the rows (S,) of training whose
    labels it sees."""

    def __init__(self, method: nn.Module, config: RunConfig, data: Dataset, seen: Tensor, device: torch.device):
        self.method, self.config, self.data, self.device = method, config, data, device
        self.rows = watched_rows(data, seen, config.seed)
        self.is_test = self.rows["split"] == TEST
        facts = MODELS[config.model].facts
        self.has_clusters, self.prior = facts["clusters"], method.prior if facts["prior"] else None
        self._outputs: Outputs | None = None

    def forget(self) -> None:
        """The weights are others now."""
        self._outputs = None

    def outputs(self) -> Outputs:
        """What the model gives the watched rows (n,)."""
        if self._outputs is None:
            parts = ((self.data.train, ~self.is_test), (self.data.test, self.is_test))
            images = [part.images[torch.from_numpy(self.rows["row"][of]).long()] for part, of in parts]
            self._outputs = outputs_of(self.method, torch.cat(images), self.has_clusters, self.device)
        return self._outputs

    def scores(self) -> dict[str, float | None]:
        """The live scores, of the watched rows."""
        latents, test = self.outputs().latents, self.is_test
        labels, compared = self.rows["labels"], as_compared(self.config, latents)
        seen, classes, seed = np.flatnonzero(self.rows["seen"][~test]), len(self.data.class_names), self.config.seed
        given = Scored(compared[~test], labels[~test], seen, compared[test], labels[test], classes, seed)
        scores = protocol.live_scores(given)
        if self.config.trains_decoder:
            images = self.data.test.images[torch.from_numpy(self.rows["row"][test][:RECONSTRUCTED]).long()]
            decoded = self._decode(latents[test][:RECONSTRUCTED]).cpu()
            scores["reconstruction_mse"] = float((decoded - to_unit(images)).square().mean())
        scores |= self.prior_scores()
        if self.has_clusters:
            scores |= protocol.live_retrieval(latents[test], labels[test], seed)
            scores |= cluster_scores(self.outputs().logits[test], labels[test])
        return protocol.known_scores(scores, labels[test])

    def prior_scores(self) -> dict[str, float | None]:
        """Those of the live scores that are of the prior's components; none where it has a single one."""
        latents, labels = self.outputs().latents[self.is_test], self.rows["labels"][self.is_test]
        prior = () if self.prior is None else prior_components(self.method)
        if not prior or len(prior[0]) < 2 or not np.isfinite(latents).all():
            return {}
        of_components = components.component_scores(latents, labels, *prior)
        return {name: of_components[name] for name in COMPONENT_SCORES}

    def frame(self) -> Frame:
        """What the map draws now; pictures are of the first 32 components. Where no test class was trained on, a
        prediction is that of the 5 nearest other rows of the same split."""
        latents = self.outputs().latents
        parts = self._clusters() if self.has_clusters else {}
        if self.prior is not None:
            parts |= dict(zip(COMPONENTS, prior_components(self.method), strict=True))
            if self.prior.pseudo_inputs is not None:
                parts["pseudo_inputs"] = to_pixels(self.prior.pseudo_inputs[:PICTURED].detach())
        if self.config.trains_decoder:
            parts["reconstructions"] = to_pixels(self._decode(latents[self.rows["shown"]]))
            if self.prior is not None:
                parts["component_images"] = to_pixels(self._decode(parts["component_means"][:PICTURED]))
        labels, seen, split = (self.rows[name] for name in ("labels", "seen", "split"))
        classes, compared = len(self.data.class_names), as_compared(self.config, latents)
        predicted = classifiers.predictions(compared, labels, seen, split, classes, disjoint=self.data.disjoint)
        return Frame(self.rows, latents, predicted.astype(np.int16), by_direction=self.config.by_direction, **parts)

    @torch.no_grad()
    def _clusters(self) -> dict[str, np.ndarray]:
        """The clustering head's view of the watched rows. Centroids, if they are drawn, are those of the clusters with
        the most watched training rows, whose mean representations the decoder is given."""
        outputs, train = self.outputs(), ~self.is_test
        clusters, sizes, entropies = clustered(outputs.logits)
        frame = {
            "clusters": clusters.astype(np.int16),
            "cluster_sizes": sizes.astype(np.int32),
            "cluster_entropies": entropies.astype(np.float32),
        }
        if not self.config.draws_clusters:
            return frame
        counts = np.bincount(clusters[train], minlength=len(sizes))
        shown = np.argsort(-counts, kind="stable")[:PICTURED]
        shown = shown[counts[shown] > 0]
        means = np.stack([outputs.representations[train & (clusters == k)].mean(0) for k in shown])
        drawn = self._decode(means, self.method.draw)
        return frame | {"cluster_shown": shown.astype(np.int16), "cluster_images": to_pixels(drawn)}

    @torch.no_grad()
    def _decode(self, codes: np.ndarray, decode: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """What the decoder, or `decode`, makes of codes, in evaluation mode."""
        self.method.eval()
        decoded = (decode or self.method.decode)(torch.from_numpy(codes).to(self.device))
        self.method.train()
        return decoded
