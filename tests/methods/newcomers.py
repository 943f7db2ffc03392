"""Two methods that the tables do not have: each is its file and one entry, as `semidml.methods` asks for."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from semidml.networks.precision import through
from semidml.registry import Entry


class BarlowTwins(nn.Module):
    """Embeddings whose dimensions agree between an image and its twin and tell different things (Zbontar et al. 2021,
    arXiv 2103.03230, eq. 1): no label, no decoder."""

    reads: ClassVar = dict.fromkeys(("invariance", "redundancy"), ("images", "twins"))
    half = False

    def __init__(self, encoder: nn.Module, marginal_weight: float):
        super().__init__()
        self.encoder, self.marginal_weight = encoder, marginal_weight

    def weights(self, w_s, w_u, ramp=1.0):
        return {"invariance": 1.0, "redundancy": self.marginal_weight}

    def noise(self, batch, active, generator):
        return None

    def terms(self, batch, active):
        a, b = through(self.encoder, torch.cat([batch.images, batch.twins]), self.half).chunk(2)  # (B, D)
        a, b = ((z - z.mean(0)) / (z.std(0) + 1e-6) for z in (a, b))
        correlation = a.T @ b / len(a)  # (D, D)
        own = correlation.diagonal()
        found = {"invariance": (own - 1).square().sum(), "redundancy": correlation.square().sum() - own.square().sum()}
        return {name: found[name] for name in active}

    def embed(self, x: Tensor) -> Tensor:
        return self.encoder(x)


def barlow_twins(config, shape, classes):
    encoder, _ = config.make("encoder", shape, config.latent_dim, False)
    return BarlowTwins(encoder, config.marginal_weight)


class SupervisedAutoencoder(nn.Module):
    """An autoencoder from whose latents a linear map tells the classes (Le, Patterson and White 2018, NeurIPS 31):
    labels and a decoder, and no schedule between them."""

    reads: ClassVar = {"classes": ("labelled",), "reconstruction": ("images",)}
    half = False

    def __init__(self, encoder: nn.Module, decoder: nn.Module, dimensions: int, classes: int, weight: float):
        super().__init__()
        self.encoder, self.decoder, self.weight = encoder, decoder, weight
        self.classifier = nn.Linear(dimensions, classes)

    def weights(self, w_s, w_u, ramp=1.0):
        return {"classes": 1.0, "reconstruction": self.weight}

    def noise(self, batch, active, generator):
        return None

    def terms(self, batch, active):
        found = {}
        if "classes" in active:
            found["classes"] = cross_entropy(self.classifier(through(self.encoder, batch.labelled, self.half)), batch.y)
        if "reconstruction" in active:
            logits = self.decoder(through(self.encoder, batch.images, self.half))
            found["reconstruction"] = binary_cross_entropy_with_logits(logits, batch.images)
        return found

    def embed(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).sigmoid()


def supervised_autoencoder(config, shape, classes):
    encoder, decoder = config.make("encoder", shape, config.latent_dim, True)
    return SupervisedAutoencoder(encoder, decoder, config.latent_dim, classes, config.reconstruction_weight)


NO_FACTS = {"decoder": False, "prior": False, "labels": False, "clusters": False, "directions": False}
NEWCOMERS = {
    "barlow-twins": Entry(
        "barlow-twins",
        "Barlow Twins",
        "dimensions that agree between an image and its twin, and tell different things",
        "Zbontar et al. 2021, arXiv 2103.03230",
        "newcomers:barlow_twins",
        knobs=("twin_transform", "twin_strength", "twin_colours", "twin_views", "marginal_weight"),
        defaults={"latent_dim": 6, "marginal_weight": 0.05},
        facts=NO_FACTS
        | {"claim": "no label and no cluster: twins teach the space"}
        | {"most": {"latent_dim": (128, "which correlates every dimension with every other")}},
    ),
    "supervised-ae": Entry(
        "supervised-ae",
        "supervised autoencoder",
        "a reconstruction of all rows, and a linear classifier of the labelled ones",
        "Le, Patterson and White 2018, NeurIPS 31",
        "newcomers:supervised_autoencoder",
        knobs=("labelled_per_class", "augment", "reconstruction_weight"),
        defaults={"reconstruction_weight": 2.0},
        facts=NO_FACTS | {"decoder": True, "labels": True, "claim": "a classifier in place of a metric loss"},
    ),
}
