"""The device, the precision and the optimiser of a training."""

import math
from functools import cache

import torch
from torch import nn

from semidml.config import RunConfig
from semidml.networks.precision import bfloat16_crawls, bfloat16_pays

MOST_ERROR = 1e-5  # of a matrix product, relative, on a CPU


def pick_device(name: str) -> torch.device:
    """The device of that name; auto takes CUDA, then Apple's MPS, then the CPU.
    Raises: ValueError where it is not to be had."""
    usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    here = [kind for kind, is_usable in usable.items() if is_usable]
    if name == "auto":
        return torch.device(here[0])
    if name not in here:
        raise ValueError(f"device {name} is not available on this machine; there is {', '.join(here)}")
    return torch.device(name)


@cache
def fastest_precision() -> str:
    """torch's matrix precision to set on a CPU: "medium", which takes another library's product and is about twice as
    fast, where that keeps float32's accuracy; "highest" where it rounds to bfloat16 instead. On a Xeon with AMX the
    relative error was 2e-3 instead of 6e-7 (n = 4 shapes, torch 2.15, November 2026). Leaves the setting as it was; a
    machine is asked once a process."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(256, 784, generator=generator), torch.randn(784, 256, generator=generator)
    exact, was = a.double() @ b.double(), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    error = float(((a @ b) - exact).abs().max() / exact.abs().max())
    torch.set_float32_matmul_precision(was)
    return "medium" if error < MOST_ERROR else "highest"


def takes_bfloat16(config: RunConfig, shape: tuple[int, int, int], device: torch.device) -> bool:
    """Whether the networks train in bfloat16, for images (C, H, W) on a device: as the config says or, where it leaves
    that open, where it is known to be as accurate and this machine is faster with it."""
    if config.precision != "auto":
        return config.precision == "bfloat16"
    enough = config.entries()["encoder"].facts.get("bfloat16")
    return enough is not None and math.prod(shape) >= enough and bfloat16_pays(device.type)


def machine_remarks(config: RunConfig) -> list[str]:
    """What is worth knowing of a training on this machine before it begins, in sentences."""
    asks = config.precision == "bfloat16" and config.device in ("auto", "cpu")
    if asks and bfloat16_crawls(pick_device(config.device).type):
        return [
            "This processor has no bfloat16 maths: torch imitates it, many times slower than float32. Choose precision "
            "auto or float32."
        ]
    return []


def optimizer_of(config: RunConfig, method: nn.Module, device: torch.device) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba 2015, arXiv 1412.6980), or stochastic gradient descent with momentum, or with 0 without (not
    fused: torch's fused form fails where a parameter has its first gradient after the others, as a decoder has after a
    warm-up)."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(method.parameters(), lr=config.lr, momentum=config.momentum)
    return torch.optim.Adam(method.parameters(), lr=config.lr, fused=device.type != "mps")
