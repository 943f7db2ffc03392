"""What a model gives rows, in parts that fit into memory."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from semidml.config import RunConfig
from semidml.scores import collapse

ROWS_AT_ONCE = 4096  # rows encoded together outside of training, as far as
PIXELS_AT_ONCE = 1 << 25  # that many numbers go


class Outputs(NamedTuple):
    """What a model gives rows: latents float32 (N, D); with clusters of its own also representations (N, R) and the
    clustering head's logits (N, K)."""

    latents: np.ndarray
    representations: np.ndarray | None = None
    logits: np.ndarray | None = None


def as_compared(config: RunConfig, latents: np.ndarray) -> np.ndarray:
    """Latents (N, D) as scores compare them: of length 1 where the loss trains their directions alone, which those of a
    model on the sphere are already."""
    return collapse.directions(latents) if config.by_direction and not config.on_sphere else latents


def to_unit(images: Tensor) -> Tensor:
    """uint8 pixels as float32 in [0, 1]."""
    return images.float().div_(255)


def to_pixels(images: Tensor) -> np.ndarray:
    """Images in [0, 1] as uint8 on the CPU."""
    return (images * 255).round().to(torch.uint8).cpu().numpy()


def embed(method: nn.Module, images: Tensor, device: torch.device | str = "cpu") -> np.ndarray:
    """Latents of images, in evaluation mode: uint8 (N, C, H, W) -> float32 (N, D)."""
    return in_parts(method, lambda x: (method.embed(x),), images, device)[0]


def outputs_of(method: nn.Module, images: Tensor, clusters: bool, device: torch.device | str = "cpu") -> Outputs:
    """Everything that a model, perhaps with clusters of its own, says of images, in evaluation mode: uint8 (N, C, H, W)
    -> see `Outputs`."""
    if not clusters:
        return Outputs(embed(method, images, device))
    representations, latents, logits = in_parts(method, method.heads, images, device)
    return Outputs(latents, representations, logits)


@torch.no_grad()
def in_parts(
    method: nn.Module, outputs: Callable[[Tensor], tuple[Tensor, ...]], images: Tensor, device: torch.device | str
) -> list[np.ndarray]:
    was_training = method.training
    method.eval()
    rows = max(1, min(ROWS_AT_ONCE, PIXELS_AT_ONCE // images[0].numel()))
    parts = [[part.cpu() for part in outputs(to_unit(some.to(device)))] for some in images.split(rows)]
    method.train(was_training)
    return [torch.cat(part).numpy() for part in zip(*parts, strict=True)]


@torch.no_grad()
def prior_components(method: nn.Module) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The components of a model's prior: means (K, D), log_vars (K, D), weights (K,), float32."""
    was_training = method.training
    method.eval()
    components = tuple(part.detach().float().cpu().numpy() for part in method.prior.components())
    method.train(was_training)
    return components
