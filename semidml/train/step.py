"""A step of a training without hidden inputs: parameters, buffers, a batch with the noise that was drawn for it and the
weights of its terms go in, terms and new state come out.

    terms, buffers = terms_of(method, parameters, buffers, batch, active)
    descend(optimizer, terms, weights)

A training of one model takes `method.terms(batch, active)`, the same of the parameters and buffers that the model
itself holds. `terms_of` changes nothing that it is given and draws nothing, so that `torch.func.vmap` maps it over
several models that are stepped together, side by side: each tensor with one more axis, the models', in front. `descend`
is then one optimiser over all of them, since each model's loss has a gradient with respect to its own parameters alone
and what our optimisers do is done to each number by itself; it has one learning rate.

Models can be stepped together where they differ in `seed` and in knobs that the fact `side_by_side` of their entries
names, as long as their batches have the same shapes and the same terms have a weight. None in its place says that a
choice cannot: a loss of a library that asks for sizes, a schedule that asks for gradients on the way.
"""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from semidml.methods import Batch

Tensors = dict[str, Tensor]


def terms_of(
    method: nn.Module, parameters: Tensors, buffers: Tensors, batch: Batch, active: Collection[str]
) -> tuple[Tensors, Tensors]:
    """(the active terms of a batch, each (), and the buffers after it) of a method with these parameters and buffers in
    place of its own, which stay as they are."""
    given = parameters | {name: buffer.clone() for name, buffer in buffers.items()}
    return functional_call(
        _Terms(method), {f"method.{name}": tensor for name, tensor in given.items()}, (batch, active)
    )


class _Terms(nn.Module):
    """What `functional_call` calls: terms, and the buffers that they left."""

    def __init__(self, method: nn.Module):
        super().__init__()
        self.method = method

    def forward(self, batch: Batch, active: Collection[str]) -> tuple[Tensors, Tensors]:
        return self.method.terms(batch, active), dict(self.method.named_buffers())


def descend(optimizer: torch.optim.Optimizer, terms: Tensors, weights: Mapping[str, float | Tensor]) -> None:
    """One step of the optimiser down the weighted sum of terms: all (), or all (M,) of M models."""
    loss = sum(weights[name] * term for name, term in terms.items())
    optimizer.zero_grad(set_to_none=True)
    loss.backward(torch.ones_like(loss))
    optimizer.step()


class Means:
    """Sums of loss terms and of their weights, kept on the device until somebody asks for numbers."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.weights: dict[str, float | Tensor] = {}
        self.steps = 0

    def add(self, terms: Mapping[str, Tensor], weights: Mapping[str, float | Tensor]) -> None:
        self.steps += 1
        for name, term in terms.items():
            self.sums[name] = self.sums[name] + term if name in self.sums else term
            self.counts[name] = self.counts.get(name, 0) + 1
        for name, weight in weights.items():
            self.weights[name] = self.weights.get(name, 0.0) + weight

    def numbers(self) -> tuple[dict[str, float], dict[str, float]]:
        """(mean of each computed term, mean weight of each term)."""
        terms = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        return terms, {name: float(total) / self.steps for name, total in self.weights.items()}
