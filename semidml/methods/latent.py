"""The latent model of the first paper: an encoder, perhaps a decoder, perhaps a prior, and a metric loss of the
labelled rows.

    L = w_S L_S + w_U L_U,   L_S = metric loss of the labelled rows,   L_U = reconstruction + beta KL(q(z|x) || p(z))

(Safir et al., SciPy 2022, doi 10.25080/majora-212e5952-022.) L_U has the parts that there are: without decoder and
prior this is plain deep metric learning. With a prior the encoder is Gaussian, q(z|x) = N(mean, diag exp(log_var)), and
the losses see samples of it. `semidml.schedules` says what w_S and w_U are in a step.
"""

from collections.abc import Callable, Collection
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss, normalize

from semidml.config import RunConfig
from semidml.losses.bernoulli import bernoulli_nll
from semidml.methods import MODELS, Batch
from semidml.networks.precision import through

Loss = Callable[..., Tensor]  # see `semidml.losses`
METRIC, RECONSTRUCTION, KL = "metric", "reconstruction", "kl"
MOST_RATIO = 1e4  # of two gradients, as in Esser et al.
SMALL = 1e-8  # beside a gradient's norm: far below that of a reconstruction averaged over pixels


class Latent(nn.Module):
    """Encoder, perhaps a decoder, perhaps a prior, metric loss; `terms` gives the loss terms of a batch, `embed` the
    latents of images."""

    half = False
    reads: ClassVar = {METRIC: ("labelled",), RECONSTRUCTION: ("images",), KL: ("images",)}

    def __init__(
        self, config: RunConfig, encoder: nn.Module, decoder: nn.Module | None, prior: nn.Module | None, loss: Loss
    ):
        super().__init__()
        self.encoder, self.decoder, self.prior, self.loss = encoder, decoder, prior, loss
        self.dimensions, self.on_sphere = config.latent_dim, config.on_sphere
        self.takes_pairs = config.entries()["loss"].facts["pairs"]
        self.likelihood, self.reduction, self.beta = config.likelihood, config.reconstruction, config.beta
        if prior is not None and prior.pseudo_inputs is not None:
            prior.encode = self.posterior

    def weights(self, w_s: float, w_u: float | Tensor, ramp: float = 1.0) -> dict[str, float | Tensor]:
        """The weight of each term, from those of L_S and L_U and beta's share `ramp`; without an L_U that of L_S is
        1."""
        if self.decoder is None and self.prior is None:
            return {METRIC: 1.0}
        decoded = {RECONSTRUCTION: w_u} if self.decoder else {}
        return {METRIC: w_s} | decoded | ({KL: w_u * self.beta * ramp} if self.prior else {})

    def balanced(
        self, terms: dict[str, Tensor], w_s: float, w_u: float, ramp: float = 1.0
    ) -> dict[str, float | Tensor]:
        """As `weights`, with those of L_U times lambda, a tensor (), so that on the encoder's last layer the gradients
        of w_S L_S and w_U lambda L_U are as w_S to w_U; where only one of the losses is there, just `weights`.

        lambda = |dL_S / dW| / (|dL_U / dW| + 1e-8), W the last layer's weights, no gradient through lambda: the
        adaptive weight of Esser, Rombach and Ommer 2021, arXiv 2012.09841, eq. 7. It is cut at 10,000, and is 1 where
        L_S has no gradient (all triplets satisfied), or L_U would rest as well. There it weighs an adversarial loss on
        the decoder's last layer and has 1e-4 beside the norm. GradNorm (Chen et al. 2018, arXiv 1711.02257) is its
        relative that learns the weights."""
        inner = self.weights(1.0, 1.0, ramp)
        unsupervised = [inner[name] * term for name, term in terms.items() if name != METRIC]
        if METRIC not in terms or not unsupervised:
            return self.weights(w_s, w_u, ramp)
        of_s, of_u = (self._at_last_layer(loss) for loss in (terms[METRIC], sum(unsupervised)))
        ratio = (of_s / (of_u + SMALL)).clamp(max=MOST_RATIO)
        return self.weights(w_s, w_u * torch.where(of_s > 0, ratio, 1.0), ramp)

    def _at_last_layer(self, loss: Tensor) -> Tensor:
        """Norm of a loss's gradient with respect to the weights of the encoder's last layer: () -> ()."""
        last = [module for module in self.encoder.modules() if isinstance(module, nn.Linear)][-1]
        (gradient,) = torch.autograd.grad(loss, last.weight, retain_graph=True)
        return gradient.norm()

    def noise(self, batch: Batch, active: Collection[str], generator: torch.Generator) -> Tensor | None:
        """Standard normal numbers of the samples that the losses see, of the active terms' rows: (L + S B, D), the
        first sample of every row, then the images' further ones; None without a prior."""
        if self.prior is None:
            return None
        labelled, images = (0 if rows is None else len(rows) for rows in self._rows(batch, active))
        numbers = [labelled + images] + [images] * (self.prior.samples - 1 if KL in active else 0)
        drawn = [torch.randn(number, self.dimensions, generator=generator) for number in numbers]
        return torch.cat(drawn) if len(drawn) > 1 else drawn[0]

    def _rows(self, batch: Batch, active: Collection[str]) -> tuple[Tensor | None, Tensor | None]:
        """The labelled rows (L, C, H, W) and the images (B, C, H, W) that the active terms read, None for none."""
        images = batch.images if {RECONSTRUCTION, KL} & set(active) else None
        return batch.labelled if METRIC in active else None, images

    def terms(self, batch: Batch, active: Collection[str]) -> dict[str, Tensor]:
        """The active terms, each (); what is not asked for is not computed.

        All rows pass the encoder side by side, pseudo-inputs too, so that batch normalisation sees them together."""
        labelled, images = self._rows(batch, active)
        pseudo = self.prior.pseudo_inputs if KL in active else None  # (K, C, H, W)
        groups = [rows for rows in (labelled, images, pseudo) if rows is not None]
        n_pseudo = 0 if pseudo is None else len(pseudo)
        outputs = through(self.encoder, torch.cat(groups) if len(groups) > 1 else groups[0], self.half)
        outputs, posteriors = outputs[: len(outputs) - n_pseudo], outputs[len(outputs) - n_pseudo :]
        mean, log_var = self._parts(outputs)
        z = mean if log_var is None else sampled(mean, log_var, batch.noise[: len(mean)])  # (L + B, D)

        values: dict[str, Tensor] = {}
        if labelled is not None:
            pairs = {"pairs": batch.pairs} if self.takes_pairs else {}
            values[METRIC] = self.loss(z[: len(labelled)], batch.y, **pairs)
        if images is None:
            return values
        first = len(z) - len(images)
        if RECONSTRUCTION in active:
            values[RECONSTRUCTION] = self.reconstruction(z[first:], images)
        if KL in active:
            mean, log_var = mean[first:], log_var[first:]
            further = batch.noise[len(z) :].reshape(-1, len(images), self.dimensions)  # (S - 1, B, D)
            samples = torch.stack([z[first:], *(sampled(mean, log_var, noise) for noise in further)])
            given = None if pseudo is None else self._parts(posteriors)
            values[KL] = self.prior.kl(samples, mean, log_var, given).mean()
        return values

    def _parts(self, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and, with a prior, log-variance: (B, D) or (B, 2 D) -> (B, D), (B, D) or None."""
        return (outputs, None) if self.prior is None else tuple(outputs.chunk(2, dim=1))

    def reconstruction(self, z: Tensor, images: Tensor) -> Tensor:
        """-log p(x | z), in nats, mean over rows, `sum` or `mean` over pixels: (B, D), (B, C, H, W) -> ().

        bernoulli: binary cross-entropy of each pixel; gaussian: 1/2 (x - x')^2, a unit variance without its constant.
        """
        logits = through(self.decoder, z, self.half and self.training)
        if self.likelihood == "bernoulli" and self.training:
            per_pixel = bernoulli_nll(logits, images)
        elif self.likelihood == "bernoulli":  # scores stay torch's, to the bit
            per_pixel = binary_cross_entropy_with_logits(logits, images)
        else:
            per_pixel = mse_loss(logits.sigmoid(), images) / 2
        return per_pixel * images[0].numel() if self.reduction == "sum" else per_pixel

    def nll(self, z: Tensor, images: Tensor) -> Tensor:
        """As `reconstruction`, but summed over pixels whatever the training does: (B, D), (B, C, H, W) -> ()."""
        return self.reconstruction(z, images) * (1 if self.reduction == "sum" else images[0].numel())

    def embed(self, x: Tensor) -> Tensor:
        """Latents of images, with a prior their posteriors' means: (B, C, H, W) in [0, 1] -> (B, D); of length 1 where
        nothing that was trained reads lengths."""
        return normalize(self.with_lengths(x), dim=1) if self.on_sphere else self.with_lengths(x)

    def with_lengths(self, x: Tensor) -> Tensor:
        """As `embed`, but as the encoder gives them, however long: (B, C, H, W) in [0, 1] -> (B, D)."""
        return self._parts(self.encoder(x))[0]

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x): (B, C, H, W) in [0, 1] -> (B, D), (B, D).

        Raises: ValueError for a model without a prior."""
        mean, log_var = self._parts(self.encoder(x))
        if log_var is None:
            raise ValueError("this model has no prior, and its encoder gives points, not distributions")
        return mean, log_var

    def decode(self, z: Tensor) -> Tensor:
        """Images of latents: (B, D) -> (B, C, H, W) in [0, 1].

        Raises: ValueError for a model without a decoder."""
        if self.decoder is None:
            raise ValueError(
                "this model has no decoder: nothing was trained that could draw an image; choose dml-ae or metric-vae"
            )
        return self.decoder(z).sigmoid()


def sampled(mean: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    """A sample of N(mean, diag exp(log_var)) with a gradient, of standard normal noise (Kingma and Welling 2014, arXiv
    1312.6114, eq. 4): (B, D), (B, D), (B, D) -> (B, D)."""
    return mean + (log_var / 2).exp() * noise


def build(config: RunConfig, shape: tuple[int, int, int], classes: int) -> Latent:
    """The model of a config, its weights drawn from torch's global generator."""
    facts = MODELS[config.model].facts
    outputs = config.latent_dim * (2 if facts["prior"] else 1)
    encoder, decoder = config.make("encoder", shape, config.latent_dim, facts["decoder"], outputs)
    loss = config.make("loss", config.latent_dim, classes)
    prior = config.make("prior", config.latent_dim, shape) if facts["prior"] else None
    return Latent(config, encoder, decoder, prior, loss)
