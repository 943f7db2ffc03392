"""Gaussian priors with components that stay where they were put: one at the origin, or a mixture."""

import torch
from torch import Tensor

from semidml.priors import given
from semidml.priors.mixture import Mixture
from semidml.priors.places import place_components


class Gmm(Mixture):
    """sum_k w_k N(z; m_k, diag exp(v_k)) with equal weights unless others are given."""

    def __init__(
        self, means: Tensor, log_vars: Tensor, weights: Tensor | None = None, balanced: bool = False, samples: int = 1
    ):
        super().__init__()
        self.balanced, self.samples = balanced, samples
        weights = torch.full((len(means),), 1 / len(means)) if weights is None else weights / weights.sum()
        self.register_buffer("means", means.float())  # (K, D)
        self.register_buffer("log_vars", log_vars.float())  # (K, D)
        self.register_buffer("weights", weights.float())  # (K,)

    def components(self, posteriors: None = None) -> tuple[Tensor, Tensor, Tensor]:
        """means (K, D), log_vars (K, D), weights (K,)."""
        return self.means, self.log_vars, self.weights


class Unit(Gmm):
    """N(0, I), which has its KL divergence in closed form."""

    def __init__(self, latent_dim: int, shape: tuple[int, int, int] | None = None):
        super().__init__(torch.zeros(1, latent_dim), torch.zeros(1, latent_dim))

    def kl(self, z: Tensor, mean: Tensor, log_var: Tensor, posteriors: None = None) -> Tensor:
        """KL(N(mean, diag exp(log_var)) || N(0, I)) in nats, whatever z: (B, D), (B, D) -> (B,).

        1/2 sum_d (mean^2 + exp(log_var) - log_var - 1) (Kingma and Welling 2014, arXiv 1312.6114, appendix B)."""
        return (mean.square() + log_var.exp() - log_var - 1).sum(1) / 2


def build(
    latent_dim: int,
    shape: tuple[int, int, int],
    components: int,
    placement: str,
    component_spacing: float,
    component_log_var: float,
    positions: str = "",
    component_weights: str = "",
    balance: str = "none",
    kl_samples: int = 1,
) -> Gmm:
    """The mixture of these knobs; what cannot be placed is refused by RunConfig. On torch's meta device it has shapes
    and no numbers."""
    knobs = (latent_dim, components, placement, component_spacing, component_log_var, positions, component_weights)
    if torch.get_default_device().type == "meta":
        count = given.count(placement, components, latent_dim, positions)
        means = torch.empty(count, latent_dim)
        return Gmm(means, torch.empty_like(means), None, balance == "sinkhorn", kl_samples)
    means, log_vars, weights = (torch.from_numpy(array) for array in place_components(*knobs))
    return Gmm(means, log_vars, weights if component_weights else None, balance == "sinkhorn", kl_samples)
