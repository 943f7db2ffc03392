"""CBSwR: deep metric learning with deep clustering, without labels (Nguyen et al., BMVC 2020, arXiv 2009.04091).

Images and their twins (each image transformed at random) pass an encoder G; an embedding module F, one linear map,
places each representation on the unit sphere; a clustering head gives each embedding a probability a cluster; a decoder
draws representations.

    L = w_m L_m + w_c (L_rim + R) + w_r L_rec + w_t L_twins

L_m is the center-based softmax, L_rim the negative mutual information of images and clusters with R the l2 regulariser
of the clustering head, L_rec the squared error between each image and what the decoder draws of its cluster's mean
representation; the paper has w_m = .9, w_c = .3, w_r = .001. L_twins, the cross-entropy between the clusters of an
image and of its twin, is ours, and off by default. `VARIANTS` of `semidml.methods` are the rows of the paper's
ablation.

`formulas` chooses between the paper and its authors' program (github.com/aioz-ai/BMVC20_CBSwR, train.py) where these
differ:

    paper     L_rim = H(Y|X) - mu H(Y) in nats, of the logits as they are, and R
    authors   L_rim = H(Y|X) / ln n + 1 - mu H(Y) / ln K of logits scaled to length 1, and no R

With `authors` the knobs that have a value in their program start from it (`FORMULAS` of `semidml.methods`), and each
can be set back alone, to see what it does. What remains different, and nothing else that we know of, stands line by
line in benchmarks/RESULTS.md, "Where we differ from the papers".

From scratch on small images it learns slowly, though no step falls into one cluster. Digits, 46 epochs, n=3 seeds: of
500 test images Recall@1 .926 (untrained .892, `formulas` paper .950), NMI of k-means .576 (.483, .716), 84 of 100
clusters in use, none surely, since the loss scales their logits to length 1. MNIST, one epoch, n=1: Recall@1 .944
(.791, .975), NMI .729 (.309, .852), 99 in use (November 2026). The decoder hardly moves with a weight of .001 at such
steps: what it draws of clusters stays pale.

What is not the paper's by default, with `formulas` paper, beside that list: Adam with a falling learning rate, T = .2,
with which k-means finds classes better at the same Recall@1, a last step that is filled up, and mu, which the paper's
equations do not have: they give their lambda to both entropies; here mu weighs H(Y) alone, and lambda is w_c. Only the
twin is transformed: batch normalisation then knows images as they are, too (MNIST, one epoch, 6,000 held-out images,
November 2026: Recall@1 .966 and .969, n=2 seeds, instead of .946 with SME and both transformed). The batch
normalisation before the head, which the paper does not mention, is its authors': from scratch and with plain SGD half
of all batches fell into one cluster without it.

The authors' two files differ in the first sum of L_m: their training script leaves a row's own centroid out
(`own_centroid` spared, the default here), their loss file counts it, which pushes each image from its own cluster. With
it clusters come apart: NMI of k-means .62 to .67 instead of .80 to .84 (MNIST, one epoch, n=3 settings, seed 0, 6,000
held-out images, November 2026).
"""

from collections import OrderedDict
from collections.abc import Collection
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from semidml.config import RunConfig
from semidml.losses import twins
from semidml.methods import VARIANTS, Batch
from semidml.networks.precision import through

CLUSTERING, METRIC, RECONSTRUCTION, TWINS = "clustering", "metric", "reconstruction", "twins"
MEAN_COLOUR = (122.7717, 115.9465, 102.9801)  # of ImageNet, red green blue, of 255: what the authors subtract
REPRESENTATION = 128  # numbers that G gives an image; a backbone gives the features that it pools


class CBSwR(nn.Module):
    """See the module; `terms` gives the loss terms of a batch, `heads` embeddings and cluster logits of images."""

    reads: ClassVar = dict.fromkeys((CLUSTERING, METRIC, RECONSTRUCTION, TWINS), ("images", "twins"))
    prior, half = None, False

    def __init__(self, config: RunConfig, encoder: nn.Module, decoder: nn.Module | None, width: int, channels: int):
        """width: numbers that the encoder gives an image; channels: of the images."""
        super().__init__()
        self.encoder, self.decoder, self.drops = encoder, decoder, config.head_dropout > 0
        self.embedding = nn.Linear(width, config.latent_dim)
        self.clustering = Head(config.latent_dim, config.clusters, config.head_dropout)
        self.term_weights, self.by_centroids = config.term_weights(), VARIANTS[config.variant].facts["centroids"]
        self.as_authors, self.spares_own = config.formulas == "authors", config.own_centroid == "spared"
        for name in ("temperature", "marginal_weight", "l2"):
            self.register_buffer(name, torch.tensor(float(getattr(config, name))), persistent=False)
        centred = config.targets == "centred" and config.draws_clusters
        self.register_buffer("mean_colour", mean_colour(channels) if centred else None, persistent=False)
        self.register_buffer("lonely_steps", torch.zeros(()), persistent=False)  # all of a step in one cluster

    def weights(self, w_s: float, w_u: float | Tensor, ramp: float = 1.0) -> dict[str, float | Tensor]:
        """The weight of each term, its own whatever a schedule says."""
        return self.term_weights

    def noise(self, batch: Batch, active: Collection[str], generator: torch.Generator) -> Tensor | None:
        """Even numbers in [0, 1) that say what the head's dropout leaves out: (n, D); None without dropout."""
        if not self.drops:
            return None
        return torch.rand(2 * len(batch.images), self.embedding.out_features, generator=generator)

    def terms(self, batch: Batch, active: Collection[str]) -> dict[str, Tensor]:
        """The active terms, each (). Images and twins pass the encoder side by side."""
        both = torch.cat([batch.images, batch.twins])  # (n, C, H, W)
        representations = through(self.encoder, both, self.half)  # (n, R)
        f = self._embedded(representations)  # (n, D)
        logits = self.clustering(f, batch.noise)  # (n, K)
        values: dict[str, Tensor] = {}
        if CLUSTERING in active:
            values[CLUSTERING] = self._rim(logits)
        if TWINS in active:
            values[TWINS] = twins.twin_cross_entropy(logits)
        if METRIC in active and not self.by_centroids:
            values[METRIC] = twins.sme(f, self.temperature)
        if (METRIC in active and self.by_centroids) or RECONSTRUCTION in active:
            clusters = logits[: len(batch.images)].argmax(1).repeat(2)  # (n,) a twin belongs where its image does
            means, sizes = twins.centroids(representations, clusters, logits.shape[1])
            self.lonely_steps = self.lonely_steps + ((sizes > 0).sum() < 2)
        if METRIC in active and self.by_centroids:
            g = self._embedded(means.detach())
            values[METRIC] = twins.center_softmax(
                f, g, sizes, clusters, self.temperature, own_in_sum=not self.spares_own
            )
        if RECONSTRUCTION in active:
            values[RECONSTRUCTION] = self._reconstruction(both, means, sizes, clusters)
        return values

    def _rim(self, logits: Tensor) -> Tensor:
        """L_rim, and R = l2 / 2 sum of the head's squared weights: (n, K) -> ()."""
        if self.as_authors:
            return twins.rim_of_authors(logits, self.marginal_weight)
        return twins.rim(logits, self.marginal_weight) + self.l2 / 2 * self.clustering[-1].weight.square().sum()

    def _reconstruction(self, images: Tensor, means: Tensor, sizes: Tensor, clusters: Tensor) -> Tensor:
        """Mean over rows and pixels of (image - decoded mean representation of its cluster)^2, the image perhaps less
        its mean colour, of which a decoder that ends in a sigmoid reaches what is brighter. A cluster without a row
        takes the mean of all, so that it does not disturb batch normalisation."""
        images = images if self.mean_colour is None else images - self.mean_colour
        share = sizes / sizes.sum()
        means = torch.where(sizes[:, None] > 0, means, share @ means)  # (K, R)
        if len(means) > len(images):
            return (through(self.decoder, means[clusters], self.half).sigmoid() - images).square().mean()
        drawn = through(self.decoder, means, self.half).sigmoid()
        return (drawn.index_select(0, clusters) - images).square().mean()

    def _embedded(self, representations: Tensor) -> Tensor:
        return normalize(self.embedding(representations), dim=1)

    def embed(self, x: Tensor) -> Tensor:
        """Embeddings of images, each of length 1: (B, C, H, W) in [0, 1] -> (B, D)."""
        return self._embedded(self.encoder(x))

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Representations, embeddings and cluster logits of images: (B, C, H, W) in [0, 1] -> (B, R), (B, D),
        (B, K)."""
        representations = self.encoder(x)
        f = self._embedded(representations)
        return representations, f, self.clustering(f)

    def decode(self, z: Tensor) -> Tensor:
        """Raises ValueError: embeddings have no decoder, see `draw`."""
        raise ValueError("CBSwR draws representations of clusters, and cannot draw a place in its embedding")

    def draw(self, representations: Tensor) -> Tensor:
        """Images of representations: (B, R) -> (B, C, H, W) in [0, 1].

        Raises: ValueError for a variant without a decoder."""
        if self.decoder is None:
            raise ValueError("this variant has no decoder: choose the variant cbswr")
        drawn = self.decoder(representations).sigmoid()
        return drawn if self.mean_colour is None else (drawn + self.mean_colour).clamp(0, 1)


class Dropout(nn.Dropout):
    """torch's (Srivastava et al. 2014, JMLR 15), but what is left out is said by even numbers in [0, 1) of the same
    shape: a run is the same on any device, and a resume repeats it."""

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        if not self.training:
            return x
        return x * (noise >= self.p).to(x) / (1 - self.p)


class Head(nn.Sequential):
    """The clustering head, embeddings (B, D) -> logits (B, K): batch normalisation, dropout, a linear map. Its layers
    keep their names with and without dropout, so that weights fit both."""

    def __init__(self, dimensions: int, clusters: int, dropout: float):
        layers = {"0": nn.BatchNorm1d(dimensions)}
        layers |= {"dropout": Dropout(dropout)} if dropout else {}
        super().__init__(OrderedDict(layers | {"1": nn.Linear(dimensions, clusters)}))

    def forward(self, f: Tensor, noise: Tensor | None = None) -> Tensor:
        """noise: what its dropout asks for while it trains."""
        for layer in self:
            f = layer(f, noise) if isinstance(layer, Dropout) else layer(f)
        return f


def mean_colour(channels: int) -> Tensor:
    """The authors' mean colour, in [0, 1], of images of 3 channels or, the mean of the three, of another number: (C, 1,
    1)."""
    mean = torch.tensor(MEAN_COLOUR) / 255
    return (mean if channels == 3 else mean.mean().expand(channels)).clone()[:, None, None]


def build(config: RunConfig, shape: tuple[int, int, int], classes: int) -> CBSwR:
    """The model of a config, its weights drawn from torch's global generator."""
    features = config.entries()["encoder"].facts.get("features")
    width = features or REPRESENTATION
    encoder, decoder = config.make("encoder", shape, width, config.draws_clusters)
    if features:
        encoder.network.fc = nn.Identity()
    return CBSwR(config, encoder, decoder, width, shape[0])
