"""Networks in bfloat16 while they train: products of matrices in half the bits, everything else in single precision.

Where a processor has bfloat16 maths (AVX-512 BF16, AMX) its products are about twice as fast and more; without, torch
imitates them, 65 times slower (1 against 65 GFLOP/s on a machine with AVX2). Not measured on a GPU, where auto goes by
the same timing of one small product. Weights, the optimiser, losses, distances, divergences and every score stay in
float32.
"""

import time
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

FASTER = 1.4  # times float32's rate that bfloat16's must be to be taken, so that the choice does not hang on noise
CRAWLS = 0.5  # times float32's rate: far below what any noise makes of real bfloat16 maths
PRODUCT = (128, 256, 256)  # (rows, inputs, outputs) that is timed: small, since it takes 17 ms where bfloat16 is slow
ROUNDS = 9


class LastLinear(nn.Linear):
    """A linear map in its weights' precision whatever its surroundings: what distances and divergences are of."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def through(network: nn.Module, x: Tensor, half: bool) -> Tensor:
    """What a network makes of x, float32; `half`: by products in bfloat16 (torch's autocast)."""
    if not half:
        return network(x)
    with torch.autocast(x.device.type, torch.bfloat16):
        return network(x).float()


def bfloat16_pays(device: str) -> bool:
    """Whether products of matrices in bfloat16, conversion included, are at least `FASTER` times as fast here."""
    return bfloat16_rate(device) >= FASTER


def bfloat16_crawls(device: str) -> bool:
    """Whether this machine has no bfloat16 maths and imitates it: a run that was begun with it goes on without."""
    return bfloat16_rate(device) < CRAWLS


@cache
def bfloat16_rate(device: str) -> float:
    """How many times as fast products of matrices in bfloat16 are here, conversion included. Timed once a process: the
    fastest of some rounds, since other programs only ever slow one down."""
    m, k, n = PRODUCT
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(*shape, generator=generator).to(device) for shape in ((m, k), (k, n)))
    half = b.bfloat16()
    single, short = [], []
    for number in range(ROUNDS):
        single.append(_seconds(lambda: a @ b, device))
        short.append(_seconds(lambda: a.bfloat16() @ half, device))
        if number and min(short) > 5 * min(single):  # imitated: more rounds would take long and change nothing
            break
    return min(single) / min(short)


def _seconds(act: Callable[[], object], device: str) -> float:
    wait = getattr(torch, device).synchronize  # until a device has done what it was given; a CPU always has
    wait()
    began = time.perf_counter()
    act()
    wait()
    return time.perf_counter() - began
