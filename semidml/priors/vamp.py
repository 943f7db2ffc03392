"""VampPrior: the mixture of the posteriors of K pseudo-inputs, which are learned in image space.

p(z) = 1/K sum_k q(z | u_k)          (Tomczak and Welling 2018, arXiv 1705.07120, eq. 9)

A pixel of u_k lies in [0, 1]. It is a free number that is reflected at 0 and at 1 (`reflected`), so that its gradient
has the same size everywhere. The authors' program cuts a free number off instead (a hard tanh), which has no gradient
at its bounds, where four of five pixels of images like MNIST's begin: those would never move.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from semidml.priors.mixture import Mixture, Posteriors


class Vamp(Mixture):
    """See the module. `encode` gives the posteriors of images; it is set by the model that owns the encoder."""

    encode: Callable[[Tensor], Posteriors]
    older_names: ClassVar = {"pixels": "free"}  # in weights of version 0.1

    def __init__(
        self, latent_dim: int, shape: tuple[int, int, int], pseudo_inputs: int, pseudo_init: str, kl_samples: int = 1
    ):
        super().__init__()
        self.samples = kl_samples
        self.from_images = pseudo_init == "images"
        self.free = nn.Parameter((0.5 + 0.1 * torch.randn(pseudo_inputs, *shape)).clamp(0, 1))  # (K, C, H, W)

    @property
    def pseudo_inputs(self) -> Tensor:
        """(K, C, H, W) in [0, 1]."""
        return reflected(self.free)

    @torch.no_grad()
    def start(self, images: Tensor, generator: torch.Generator) -> None:
        """Takes images drawn without replacement, uint8 (N, C, H, W), for the pseudo-inputs if that was chosen;
        there must be as many."""
        if self.from_images:
            rows = torch.randperm(len(images), generator=generator)[: len(self.free)]
            self.free.copy_(images[rows.to(images.device)].float() / 255)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Weights of runs made up to version 0.1 hold `pixels`, which were cut off at 0 and 1: the same images."""
        if f"{prefix}pixels" in state_dict:
            state_dict[f"{prefix}free"] = state_dict.pop(f"{prefix}pixels").clamp(0, 1)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def components(self, posteriors: Posteriors | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """means (K, D), log_vars (K, D), weights (K,), from the posteriors of the pseudo-inputs if they are at hand."""
        means, log_vars = self.encode(self.pseudo_inputs) if posteriors is None else posteriors
        return means, log_vars, means.new_full((len(means),), 1 / len(means))


def reflected(free: Tensor) -> Tensor:
    """Any number as one in [0, 1], the same where it is there already: 1.2 -> 0.8, -0.1 -> 0.1, elementwise.

    A triangle wave of period 2. Its slope is 1 or -1, never 0: 1 at both bounds."""
    wave = free.remainder(2)
    return torch.where(wave > 1, 2 - wave, wave)
