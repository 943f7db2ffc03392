"""Metric losses of pytorch-metric-learning as they are: its modules, called as loss(z, y) -> ().

Settings are the library's defaults but for the knobs that an argument means the same as. Proxies and class weights are
parameters, drawn here from torch's global generator, which the caller seeds. These losses look up labels on the device
and back, so a step of theirs cannot be captured.
"""

import torch
from pytorch_metric_learning import losses
from pytorch_metric_learning.distances import DotProductSimilarity
from torch import Tensor, nn
from torch.nn.functional import normalize


def multi_similarity(latent_dim: int, classes: int) -> nn.Module:
    """Wang et al. 2019, arXiv 1904.06627, eq. 16: soft maxima of a row's similarities to positives and negatives.

    Of cosines; alpha 2, beta 50, base .5; all pairs, without the paper's mining."""
    return losses.MultiSimilarityLoss()


def circle(latent_dim: int, classes: int) -> nn.Module:
    """Sun et al. 2020, arXiv 2002.10857, eq. 6: each similarity pulled the harder the farther it is from its optimum.

    Of cosines times gamma = 80; m .4."""
    return losses.CircleLoss()


def n_pairs(latent_dim: int, classes: int) -> nn.Module:
    """Sohn 2016 (NIPS), eq. 7: one pair of each class, cross-entropy over the other classes' positives by dot product.

    In nats, of z as it is, as in the paper; the library's default is cosines. It takes the first two rows of each class
    in the batch and leaves the others aside."""
    return losses.NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=False))


def proxy_anchor(latent_dim: int, classes: int) -> nn.Module:
    """Kim et al. 2020, arXiv 2003.13911, eq. 4: a learned proxy of each class as the anchor of all rows. Of
    cosines times alpha = 32; margin .1."""
    return losses.ProxyAnchorLoss(num_classes=classes, embedding_size=latent_dim)


class Angular(losses.AngularLoss):
    """Wang et al. 2017, arXiv 1708.01682, eq. 8: the angle at the negative, seen from anchor and positive, below 40
    degrees.

    The library's, with all rows on the unit sphere: it puts only anchors and positives there, not the negatives."""

    def __init__(self, latent_dim: int, classes: int):
        super().__init__()

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return super().forward(normalize(embeddings, dim=1), labels)


class ArcFace(losses.ArcFaceLoss):
    """Deng et al. 2019, arXiv 1801.07698, eq. 3: softmax of cosines to class weights, the own angle 28.6 degrees wider.

    In nats; the temperature is 1 / `scale`. The library's, with cosines kept off 1 and -1, where the arc cosine has no
    gradient and gives NaN: in few dimensions a row meets its class weight exactly sooner or later (always where
    latent_dim is 1)."""

    def __init__(self, latent_dim: int, classes: int, temperature: float):
        super().__init__(num_classes=classes, embedding_size=latent_dim, scale=1 / temperature)

    def get_angles(self, cosine_of_target_classes: Tensor) -> Tensor:
        return torch.acos(cosine_of_target_classes.clamp(-1 + 1e-6, 1 - 1e-6))
