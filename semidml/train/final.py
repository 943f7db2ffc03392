"""The final scores of a trained model, on all rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from semidml.config import RunConfig
from semidml.data.dataset import Dataset
from semidml.data.labels import Seen
from semidml.methods import MODELS
from semidml.methods.latent import sampled
from semidml.priors.mixture import kl_monte_carlo
from semidml.scores import checks, clusters, components, meaning, protocol
from semidml.scores.table import Scored
from semidml.train import alarms
from semidml.train.outputs import ROWS_AT_ONCE, as_compared, embed, in_parts, outputs_of, prior_components, to_unit


@torch.no_grad()
def score_model(
    method: nn.Module,
    config: RunConfig,
    data: Dataset,
    seen: Seen,
    device: torch.device | str = "cpu",
    full: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> dict:
    """metrics.json's content, anew from a model, of all training and test rows.

    data, seen: what `prepare` gave."""

    facts, truth = MODELS[config.model].facts, data.test.labels.numpy()

    def reconstruct(latents: np.ndarray) -> np.ndarray:
        return method.decode(torch.from_numpy(latents).to(device)).cpu().numpy()

    def scored(train: np.ndarray, test: np.ndarray, round: int, **more: Any) -> dict:
        def within(fraction: float, text: str) -> None:
            if progress:
                progress((round + fraction) / rounds, text)

        labels, classes = data.train.labels.numpy(), len(data.class_names)
        given = Scored(train, labels, seen.rows.numpy(), test, truth, classes, config.seed)
        how = {"device": str(device), "progress": within, "class_names": data.class_names} | more
        return protocol.score_latents(given, **how)

    train = embed(method, data.train.images, device)
    outputs = outputs_of(method, data.test.images, facts["clusters"], device)
    test = outputs.latents
    how: dict[str, Any] = {"full": full, "scale": alarms.latent_scale(config)}
    if config.trains_decoder:
        how["reconstruction_mse"] = lambda: checks.reconstruction_mse_of(data.test.images.numpy(), test, reconstruct)
    method.eval()
    both = full and config.loss_by_direction
    rounds = 2 if both else 1
    scores = scored(as_compared(config, train), as_compared(config, test), 0, **how)
    if config.by_direction and scores["collapsed"] is not None:
        scores["collapsed"] = alarms.collapse(config, test, len(data.class_names), config.seed) is not None
    if both:
        images = (data.train.images, data.test.images)
        parts = (in_parts(method, lambda x: (method.with_lengths(x),), part, device)[0] for part in images)
        further = protocol.as_raw(scored(*parts, 1))
        scores |= {k: scores.get(k, {}) | v if k in ("failed", "notes") else v for k, v in further.items()}
    more = prior_scores(method, config, data, test, device) if facts["prior"] else {}
    if outputs.logits is not None:
        more |= clusters.cluster_scores(outputs.logits, truth)
    return meaning.told(scores | more, meaning.judge(more, truth, class_names=data.class_names))


def prior_scores(
    method: nn.Module, config: RunConfig, data: Dataset, latents: np.ndarray, device: torch.device | str = "cpu"
) -> dict:
    """Scores of all test images that belong to a prior: `components.component_scores` and its floors where it has more
    than one component, kl_nats, and elbo_nats if there is a trained decoder."""
    prior, labels = prior_components(method), data.test.labels.numpy()
    scores = {}
    if len(prior[0]) > 1 and np.isfinite(latents).all():
        scores |= components.component_scores(latents, labels, *prior)
        scores |= components.floors(latents, labels, *prior, config.seed)
    return scores | elbo(method, data.test.images, device, config.seed, config.trains_decoder)


@torch.no_grad()
def elbo(method: nn.Module, images: Tensor, device: torch.device | str, seed: int, decoded: bool) -> dict[str, float]:
    """kl_nats and, if `decoded`, elbo_nats: means over images, with one sample of each posterior, drawn with the seed,
    the KL divergence in closed form where there is one. The reconstruction is summed over pixels whatever the training
    did, and the balance is off."""
    method.eval()
    kl, negative_log_likelihood = 0.0, 0.0
    is_single = len(method.prior.components()[0]) == 1  # then the divergence has a closed form
    generator = torch.Generator().manual_seed(seed)
    for part in images.split(ROWS_AT_ONCE // 4):
        x = to_unit(part.to(device))
        mean, log_var = method.posterior(x)
        z = sampled(mean, log_var, torch.randn(mean.shape, generator=generator).to(mean))
        if is_single:
            divergence = method.prior.kl(z[None], mean, log_var)
        else:
            divergence = kl_monte_carlo(z[None], mean, log_var, method.prior.log_prob(z)[None])
        kl += float(divergence.sum())
        if decoded:
            negative_log_likelihood += float(method.nll(z, x)) * len(x)
    means = {"kl_nats": kl / len(images)}
    return means | ({"elbo_nats": (kl + negative_log_likelihood) / len(images)} if decoded else {})
