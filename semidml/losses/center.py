"""Center loss: each row near the moving center of its class, alone or beside a softmax classifier."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

RATE = 0.5  # alpha of eq. 4, the paper's value


class CenterLoss(nn.Module):
    """Mean over rows of 1/2 ||z_i - c_{y_i}||^2: (B, D), (B,) -> (), in squared Euclidean distance.

    Wen, Zhang, Li and Qiao, ECCV 2016, doi 10.1007/978-3-319-46478-7_31, eq. 2, as a mean where the paper writes a sum.
    The centers have no gradient: after each forward pass in training mode with gradients on they move by eq. 4,

        c_j <- c_j - RATE * sum_{i: y_i = j} (c_j - z_i) / (1 + #{i: y_i = j}),

    and start at 0. They are a buffer, so a resume has them; a move makes a new tensor (`semidml.train.step`). Alone the
    loss is least where all rows coincide: it collapses."""

    centers: Tensor

    def __init__(self, latent_dim: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("centers", torch.zeros(classes, latent_dim))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        from_center = z - self.centers[y]  # (B, D)
        if self.training and torch.is_grad_enabled():
            self.centers = self.moved(from_center.detach(), y)
        return from_center.square().sum(1).mean() / 2

    def moved(self, from_center: Tensor, y: Tensor) -> Tensor:
        """The centers (K, D) after one step of eq. 4 with rows z_i - c_{y_i} (B, D)."""
        sums = torch.zeros_like(self.centers).index_add_(0, y, from_center)  # (K, D)
        counts = self.centers.new_zeros(len(self.centers)).index_add_(0, y, torch.ones_like(from_center[:, 0]))  # (K,)
        return self.centers + RATE * sums / (1 + counts[:, None])


class SoftmaxCenterLoss(nn.Module):
    """Cross-entropy of a linear classifier of z + center_weight * center loss: (B, D), (B,) -> ().

    In nats, and squared Euclidean distance times the weight. Eq. 5 of the same paper, both terms as means over rows.
    The classifier (eq. 1) is learned with the rest."""

    def __init__(self, latent_dim: int, classes: int, center_weight: float) -> None:
        super().__init__()
        self.classifier = nn.Linear(latent_dim, classes)
        self.center = CenterLoss(latent_dim, classes)
        self.register_buffer("center_weight", torch.tensor(float(center_weight)), persistent=False)

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(self.classifier(z), y) + self.center_weight * self.center(z, y)
