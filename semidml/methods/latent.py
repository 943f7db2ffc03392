"""The latent model of the first paper: an encoder, perhaps a decoder, and a metric loss of the labelled rows.

    L = w_S L_S + w_U L_U,   L_S = metric loss of the labelled rows,   L_U = reconstruction of all rows

(Safir et al., SciPy 2022, doi 10.25080/majora-212e5952-022.) Without a decoder there is no L_U: this is plain deep
metric learning.
"""

from collections.abc import Callable, Collection
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from semidml.config import RunConfig
from semidml.losses.pairs import Pairs
from semidml.methods import MODELS

METRIC, RECONSTRUCTION = "metric", "reconstruction"


class Batch(NamedTuple):
    """Rows of a step, in [0, 1]; None where no active term reads them. `y` and `pairs` belong to `labelled` and are the
    same in every step of a run."""

    labelled: Tensor | None  # (L, C, H, W)
    y: Tensor  # (L,)
    pairs: Pairs | None
    images: Tensor | None  # (B, C, H, W)


class Latent(nn.Module):
    """Encoder, perhaps a decoder, metric loss; `terms` gives the loss terms of a batch, `embed` the latents of
    images.
    """

    reads: ClassVar = {METRIC: "labelled", RECONSTRUCTION: "images"}  # which rows of a Batch a term needs

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module | None,
        loss: Callable[..., Tensor],
        takes_pairs: bool,
        likelihood: str,
        reduction: str,
    ):
        super().__init__()
        self.encoder, self.decoder, self.loss = encoder, decoder, loss
        self.takes_pairs, self.likelihood, self.reduction = takes_pairs, likelihood, reduction

    def weights(self, w_s: float, w_u: float) -> dict[str, float]:
        """The weight of each term, from those of L_S and L_U; without an L_U that of L_S is 1."""
        return {METRIC: w_s, RECONSTRUCTION: w_u} if self.decoder else {METRIC: 1.0}

    def terms(self, batch: Batch, active: Collection[str]) -> dict[str, Tensor]:
        """The active terms, each (); what is not asked for is not computed.

        Labelled and unlabelled rows pass the encoder side by side, so that batch normalisation sees both.
        """
        rows = [getattr(batch, self.reads[name]) for name in (METRIC, RECONSTRUCTION) if name in active]
        z = self.encoder(torch.cat(rows) if len(rows) > 1 else rows[0])  # (L + B, D)
        found: dict[str, Tensor] = {}
        if METRIC in active:
            labelled = z[: len(batch.y)]
            pairs = {"pairs": batch.pairs} if self.takes_pairs else {}
            found[METRIC] = self.loss(labelled, batch.y, **pairs)
        if RECONSTRUCTION in active:
            found[RECONSTRUCTION] = self.reconstruction(z[-len(batch.images) :], batch.images)
        return found

    def reconstruction(self, z: Tensor, images: Tensor) -> Tensor:
        """-log p(x | z), in nats, mean over rows, `sum` or `mean` over pixels: (B, D), (B, C, H, W) -> ().

        bernoulli: binary cross-entropy of each pixel; gaussian: 1/2 (x - x')^2, a unit variance without its constant.
        """
        logits = self.decoder(z)
        if self.likelihood == "bernoulli":
            per_pixel = binary_cross_entropy_with_logits(logits, images)
        else:
            per_pixel = mse_loss(logits.sigmoid(), images) / 2
        return per_pixel * images[0].numel() if self.reduction == "sum" else per_pixel

    def embed(self, x: Tensor) -> Tensor:
        """Latents of images: (B, C, H, W) in [0, 1] -> (B, D)."""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """Images of latents: (B, D) -> (B, C, H, W) in [0, 1]. Raises ValueError for a model without a decoder."""
        if self.decoder is None:
            raise ValueError("this model has no decoder: nothing was trained that could draw an image; choose dml-ae")
        return self.decoder(z).sigmoid()


def build(config: RunConfig, shape: tuple[int, int, int], classes: int) -> Latent:
    """The model of a config, its weights drawn from torch's global generator."""
    chosen = config.entries()
    encoder, decoder = chosen["encoder"].resolve()(
        shape, config.latent_dim, decoder=MODELS[config.model].facts["decoder"]
    )
    entry = chosen["loss"]
    loss = entry.resolve()(config.latent_dim, classes, **{name: getattr(config, name) for name in entry.knobs})
    return Latent(encoder, decoder, loss, entry.facts["pairs"], config.likelihood, config.reconstruction)
