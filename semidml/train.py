"""Training is something you iterate over.

    training = fit(config, data)
    for tick in training:
        print(tick.epoch, tick.terms, tick.scores)

Tick 0 is before training; then there is one at least every half second and one at the end of each epoch. To stop is
to stop iterating: the unfinished epoch is dropped, and `fit(config, data, state)` repeats it.
"""

import math
import platform
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from semidml import bias, evaluate
from semidml.config import RunConfig
from semidml.data.augment import affine
from semidml.data.batches import Batches
from semidml.data.dataset import Dataset
from semidml.data.labels import Seen, draw, hidden
from semidml.losses import LOSSES
from semidml.losses.pairs import pairs_of
from semidml.methods.latent import Batch, Latent, build, sampled
from semidml.priors.mixture import kl_monte_carlo
from semidml.record import COMPONENTS, Record

SECONDS_A_TICK = 0.4  # a step may still be running when it is over, and "at least every half second" is the promise
WATCHED_TRAIN, WATCHED_TEST, WATCHED_SEEN = 3500, 1500, 1000  # rows that the map draws and the live scores are of
SHOWN = 16  # of which reconstructions are kept in a frame
PICTURED = 32  # components that a frame keeps as images
ROWS_AT_ONCE = 4096  # rows encoded together outside of training
MOST_ERROR = 1e-5  # of a matrix product, relative, on a CPU
TRAIN, TEST = 0, 1  # values of rows()["split"]


def fit(config: RunConfig, data: Dataset, state: Mapping[str, Tensor] | None = None) -> "Training":
    """A training to iterate over, from the start or from a `Training.state()`. Raises ValueError when config and data
    do not fit.
    """
    return Training(config, data, state)


class Training:
    """See `fit`. Same config, data and machine: same records, seconds aside, however often it was stopped and
    resumed.
    """

    def __init__(self, config: RunConfig, data: Dataset, state: Mapping[str, Tensor] | None = None):
        self.config, self.device = config, pick_device(config.device)
        self.balances = config.entries()["schedule"].facts["balances"]
        self.data, self.seen = prepare(config, data)
        if problem := config.too_few(len(self.data.train.labels)):
            raise ValueError(problem)
        augment = self.data.augment_strength if config.augment == "on" else 0.0
        labels = hidden(self.data.train.labels, self.seen.rows)
        self.batches = Batches(labels, self.seen.rows, config.labelled_per_class, config.batch_size, augment)
        self.y = self.batches.y.to(self.device)
        self.pairs = pairs_of(self.y)
        self.images = self.data.train.images.to(self.device)
        self.method = seeded_model(config, self.data.shape, len(self.data.class_names)).to(self.device)
        if self.method.prior is not None and self.method.prior.pseudo_inputs is not None:
            self.method.prior.start(self.images, torch.Generator().manual_seed(config.seed))
        self.optimizer = torch.optim.Adam(self.method.parameters(), lr=config.lr, fused=self.device.type != "mps")
        self.generator = torch.Generator().manual_seed(config.seed)
        self.watched = watched_rows(self.data, self.seen.rows, config.seed)
        self.epoch, self.seconds = 0, 0.0
        self._draws = config.trains_decoder
        self._snapshot: dict[str, Tensor] = {}
        self._fresh = None  # the newest watched latents, at the same weights as the newest tick
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self._global_rng = torch.get_rng_state()
        if state:
            self._restore(state)
        self._keep()

    @property
    def facts(self) -> dict[str, str | int | float]:
        """What the config does not say: how many labels, draws, steps, on which device, at which precision."""
        name = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else platform.processor() or platform.machine()
        )
        return {
            "seen_labels": len(self.seen.rows),
            "label_redraws": self.seen.redraws,
            "training_rows": self.batches.n,
            "steps_an_epoch": self.batches.steps,
            "labelled_rows_a_step": len(self.y),
            "parameters": sum(p.numel() for p in self.method.parameters()),
            "device": self.device.type,
            "device_name": name,
            "matmul_precision": torch.get_float32_matmul_precision(),
            "threads": torch.get_num_threads(),
        }

    def __iter__(self) -> Iterator[Record]:
        if self.epoch == 0:
            yield self._tick(Means(), 0)
        while self.epoch < self.config.epochs:
            yield from self._one_epoch()

    def _one_epoch(self) -> Iterator[Record]:
        started = time.perf_counter()
        self.method.train()
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._global_rng)
            rows = self.batches.epoch(self.generator)
            labelled, images = rows.labelled.to(self.device), rows.images.to(self.device)
            views = None if rows.views is None else rows.views.to(self.device)
            since_tick, whole = Means(), Means()
            for step in range(self.batches.steps):
                terms, weights = self._step(step, labelled[step], None if views is None else views[step], images[step])
                since_tick.add(terms, weights)
                whole.add(terms, weights)
                last = step + 1 == self.batches.steps
                if not last and time.perf_counter() - started >= SECONDS_A_TICK:
                    self.seconds += time.perf_counter() - started
                    yield self._progress(since_tick, step + 1)
                    since_tick, started = Means(), time.perf_counter()
            self._global_rng = torch.get_rng_state()
        self.epoch += 1
        self.seconds += time.perf_counter() - started
        tick = self._tick(whole, 0)
        self._keep()
        yield tick

    def _step(self, step: int, labelled: Tensor, views: Tensor | None, images: Tensor) -> tuple[dict, dict]:
        """One step of the optimiser on the given rows; asks the device for nothing. Terms are (), weights are
        numbers or, where the schedule balances, ().
        """
        shares = self._shares(self.epoch + 1, step)
        weights = self.method.weights(*shares)
        active = [name for name, weight in weights.items() if weight != 0]
        if not active:  # alpha = 0 leaves the paper's even epochs without a loss
            return {}, weights
        self._set_lr(self.epoch * self.batches.steps + step)
        read = {self.method.reads[name] for name in active}
        shown = unit(self.images[labelled]) if "labelled" in read else None
        if shown is not None and views is not None:
            shown = affine(shown, views)
        batch = Batch(shown, self.y, self.pairs, unit(self.images[images]) if "images" in read else None)
        terms = self.method.terms(batch, active)
        if self.balances:
            weights = self.method.balanced(terms, *shares)
        self.optimizer.zero_grad(set_to_none=True)
        sum(weights[name] * term for name, term in terms.items()).backward()
        self.optimizer.step()
        return {name: term.detach() for name, term in terms.items()}, weights

    def _shares(self, epoch: int, step: int) -> tuple[float, float, float]:
        """Weights of the two losses and beta's share in a step; the metric loss alone while it warms up."""
        warming = (epoch - 1) * self.batches.steps + step < round(self.config.warmup_epochs * self.batches.steps)
        if warming:
            return 1.0, 0.0, 1.0
        return *self.config.weights(epoch, step), self._ramp(epoch, step)

    def _ramp(self, epoch: int, step: int) -> float:
        """beta's share: from 0 to 1 over its warm-up epochs, in a straight line (Bowman et al. 2016, arXiv 1511.06349,
        anneal it so)."""
        rising = self.config.beta_warmup_epochs * self.batches.steps
        return 1.0 if rising == 0 else min(1.0, ((epoch - 1) * self.batches.steps + step) / rising)

    def _set_lr(self, step: int) -> None:
        """Constant, or half a cosine from lr to 0 over the whole training (Loshchilov and Hutter 2017, arXiv
        1608.03983, eq. 5).
        """
        if self.config.lr_decay == "cosine":
            share = step / (self.config.epochs * self.batches.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.lr * (1 + math.cos(math.pi * share)) / 2

    # ---- what is seen of it

    def _progress(self, means: "Means", step: int) -> Record:
        self._fresh = None
        return Record(self.epoch, step, self.batches.steps, round(self.seconds, 3), *self._checked(means))

    def _tick(self, means: "Means", step: int) -> Record:
        terms, weights = self._checked(means)
        self._fresh = None
        latents = self._watched_latents()
        split, seen = self.watched["split"], self.watched["seen"]
        train, labels = latents[split == TRAIN], self.watched["labels"]
        scores = evaluate.live_scores(
            train,
            labels[split == TRAIN],
            np.flatnonzero(seen[split == TRAIN]),
            latents[split == TEST],
            labels[split == TEST],
            len(self.data.class_names),
            self.config.seed,
        )
        if self._draws:
            scores["reconstruction_mse"] = self._live_reconstruction_mse()
        if self.method.prior is not None:
            scores |= live_component_scores(latents[split == TEST], labels[split == TEST], components(self.method))
        alarms = [evaluate.collapse(latents, latent_scale(self.config)), one_for_all(scores)]
        return Record(
            self.epoch,
            step,
            self.batches.steps,
            round(self.seconds, 3),
            terms,
            weights,
            scores,
            [alarm for alarm in alarms if alarm and self.epoch],
        )

    def _checked(self, means: "Means") -> tuple[dict[str, float], dict[str, float]]:
        """Terms and weights as numbers. Raises FloatingPointError when a term is not finite."""
        terms, weights = means.numbers()
        broken = [name for name, value in terms.items() if not math.isfinite(value)]
        if broken:
            good = self._snapshot["epoch"].item()
            raise FloatingPointError(
                f"the {' and '.join(broken)} loss was no longer finite in epoch {good + 1}: lower lr "
                f"(now {self.config.lr:g}) or the loss's scale; the weights of epoch {good} are kept"
            )
        return terms, weights

    def rows(self) -> dict[str, np.ndarray]:
        """Which rows the map draws, the same in every frame: split (0 train, 1 test), row in that split, labels,
        seen, and the positions `shown` (m,) of those whose reconstructions a frame holds."""
        return self.watched

    def frame(self) -> dict[str, np.ndarray]:
        """What the map draws now: latents float32 (n, D), predictions int16 (n,) by the 5 nearest rows with a seen
        label; if there is a trained decoder, reconstructions uint8 (m, C, H, W); with a prior, its components float32:
        component_means (K, D), component_log_vars (K, D), component_weights (K,); of the first 32 the decoded means
        component_images and, with a VampPrior, pseudo_inputs, both uint8 (k, C, H, W)."""
        latents, labels = self._watched_latents(), self.watched["labels"]
        seen = np.flatnonzero(self.watched["seen"])
        nearest, _ = evaluate.knn(latents[seen], latents, min(evaluate.NEIGHBOURS, len(seen)))
        predictions = evaluate.vote(labels[seen][nearest], len(self.data.class_names))
        frame = {"latents": latents, "predictions": predictions.astype(np.int16)}
        if self.method.prior is not None:
            frame |= dict(zip(COMPONENTS, components(self.method), strict=True))
        if self._draws:
            z = torch.from_numpy(latents[self.watched["shown"]]).to(self.device)
            frame["reconstructions"] = pixels(self._decode(z))
            if self.method.prior is not None:
                means = torch.from_numpy(frame["component_means"][:PICTURED]).to(self.device)
                frame["component_images"] = pixels(self._decode(means))
        if self.method.prior is not None and self.method.prior.pseudo_inputs is not None:
            frame["pseudo_inputs"] = pixels(self.method.prior.pseudo_inputs[:PICTURED].detach())
        return frame

    def _watched_latents(self) -> np.ndarray:
        if self._fresh is None:
            images = [
                part.images[self._positions(split)]
                for split, part in ((TRAIN, self.data.train), (TEST, self.data.test))
            ]
            self._fresh = self.embed(torch.cat(images))
        return self._fresh

    def _positions(self, split: int) -> Tensor:
        return torch.from_numpy(self.watched["row"][self.watched["split"] == split]).long()

    def _live_reconstruction_mse(self) -> float:
        rows = self._positions(TEST)[:500]
        latents = self._watched_latents()[self.watched["split"] == TEST][:500]
        decoded = self._decode(torch.from_numpy(latents).to(self.device)).cpu()
        return float((decoded - unit(self.data.test.images[rows])).square().mean())

    @torch.no_grad()
    def embed(self, images: Tensor) -> np.ndarray:
        """Latents of images: uint8 (N, C, H, W) -> float32 (N, D)."""
        return embed(self.method, images, self.device)

    @torch.no_grad()
    def _decode(self, z: Tensor) -> Tensor:
        self.method.eval()
        decoded = self.method.decode(z)
        self.method.train()
        return decoded

    def finish(self, full: bool = False, progress: Callable[[float, str], None] | None = None) -> dict:
        """The final scores, on all rows: metrics.json's content. `full` adds the forest and the MLP classifier."""
        metrics = score(self.method, self.config, self.data, self.seen, self.device, full, progress)
        return metrics | {"seconds": round(self.seconds, 3)}

    # ---- what a resume needs

    def weights(self) -> dict[str, Tensor]:
        """The model's weights and buffers now, on the CPU."""
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.method.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Weights, Adam, generators, epoch and seconds at the end of the last finished epoch."""
        return dict(self._snapshot)

    def _keep(self) -> None:
        adam = {
            f"adam.{i}.{name}": value.detach().to("cpu", copy=True)
            for i, moments in self.optimizer.state_dict()["state"].items()
            for name, value in moments.items()
        }
        self._snapshot = {f"model.{name}": tensor for name, tensor in self.weights().items()} | adam
        self._snapshot |= {
            "generator": self.generator.get_state(),
            "global_generator": self._global_rng.clone(),
            "epoch": torch.tensor(self.epoch),
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Raises ValueError when the state is not one of this config's."""
        try:
            self.method.load_state_dict(
                {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
            )
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                if key.startswith("adam."):
                    _, i, name = key.split(".")
                    moments.setdefault(int(i), {})[name] = value
            whole = self.optimizer.state_dict() | {"state": moments}
            self.optimizer.load_state_dict(whole)
            self.generator.set_state(state["generator"])
            self._global_rng = state["global_generator"]
            self.epoch, self.seconds = int(state["epoch"]), float(state["seconds"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"the saved state does not belong to this config: {error}") from error


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


def pick_device(name: str) -> torch.device:
    """The device of that name; auto takes CUDA, then Apple's MPS, then the CPU. Raises ValueError where it is not to
    be had.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, is_there in there.items() if is_there))
    if not there[name]:
        raise ValueError(
            f"device {name} is not available on this machine; there is {', '.join(k for k, v in there.items() if v)}"
        )
    return torch.device(name)


def fastest_precision() -> str:
    """torch's matrix precision to set on a CPU: "medium", which takes another library's product and is about twice as
    fast, where that keeps float32's accuracy; "highest" where it rounds to bfloat16 instead. On a Xeon with AMX the
    relative error was 2e-3 instead of 6e-7 (n = 4 shapes, torch 2.15, November 2026). Leaves the setting as it was."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(256, 784, generator=generator), torch.randn(784, 256, generator=generator)
    exact, was = a.double() @ b.double(), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    error = float(((a @ b) - exact).abs().max() / exact.abs().max())
    torch.set_float32_matmul_precision(was)
    return "medium" if error < MOST_ERROR else "highest"


def prepare(config: RunConfig, data: Dataset) -> tuple[Dataset, Seen]:
    """The splits that a config trains and scores on, and the training rows whose labels it sees. pl counts in rows of
    the official training split. Where the schedule never weighs the metric loss, no label is used and any draw will
    do."""
    splits = data.for_selection(config.seed) if config.evaluate_on == "validation" else data
    seen = draw(
        splits.train.labels,
        config.pl,
        config.label_sampling,
        config.seed,
        official=len(data.train.labels),
        needs_pairs=config.uses_labels,
        views=config.augment == "on",
    )
    return splits, seen


def latent_scale(config: RunConfig) -> float:
    """The distance that the loss asks for in the latent space, which a collapse is measured by: the margin, where it is
    one of Euclidean distance; otherwise 1."""
    loss = LOSSES[config.loss]
    return config.margin if "margin" in loss.knobs and not loss.facts["normalised"] else 1.0


def seeded_model(config: RunConfig, shape: tuple[int, int, int], classes: int) -> Latent:
    """The untrained model; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return build(config, shape, classes)


def load_model(config: RunConfig, shape: tuple[int, int, int], classes: int, weights: Mapping[str, Tensor]) -> Latent:
    """The trained model on the CPU, in evaluation mode. Raises ValueError when the weights are not those of this
    config.
    """
    model = seeded_model(config, shape, classes)
    try:
        model.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise ValueError(f"the weights do not belong to this config: {error}") from error
    return model.eval()


def unit(images: Tensor) -> Tensor:
    """uint8 pixels as float32 in [0, 1]."""
    return images.float().div_(255)


def pixels(images: Tensor) -> np.ndarray:
    """Images in [0, 1] as uint8 on the CPU."""
    return (images * 255).round().to(torch.uint8).cpu().numpy()


@torch.no_grad()
def embed(method: Latent, images: Tensor, device: torch.device | str = "cpu") -> np.ndarray:
    """Latents of images, in evaluation mode: uint8 (N, C, H, W) -> float32 (N, D)."""
    was_training = method.training
    method.eval()
    parts = [method.embed(unit(part.to(device))).cpu() for part in images.split(ROWS_AT_ONCE)]
    method.train(was_training)
    return torch.cat(parts).numpy()


@torch.no_grad()
def score(
    method: Latent,
    config: RunConfig,
    data: Dataset,
    seen: Seen,
    device: torch.device | str = "cpu",
    full: bool = False,
    progress: Callable[[float, str], None] | None = None,
) -> dict:
    """metrics.json's content, anew from a model: what `evaluate` makes of the latents of all training and test rows.

    data, seen: what `prepare` gave."""

    def reconstruct(latents: np.ndarray) -> np.ndarray:
        return method.decode(torch.from_numpy(latents).to(device)).cpu().numpy()

    decoded = {"test_images": data.test.images.numpy(), "reconstruct": reconstruct} if config.trains_decoder else {}
    train, test = embed(method, data.train.images, device), embed(method, data.test.images, device)
    method.eval()
    found = evaluate.scores(
        train,
        data.train.labels.numpy(),
        seen.rows.numpy(),
        test,
        data.test.labels.numpy(),
        len(data.class_names),
        **decoded,
        full=full,
        seed=config.seed,
        scale=latent_scale(config),
        device=str(device),
        progress=progress,
    )
    return found if method.prior is None else found | prior_scores(method, config, data, test, device)


def prior_scores(
    method: Latent, config: RunConfig, data: Dataset, latents: np.ndarray, device: torch.device | str = "cpu"
) -> dict:
    """Scores of all test images that belong to a prior: `bias.component_scores` and its floors where it has more than
    one component, kl_nats, and elbo_nats if there is a trained decoder."""
    its, labels = components(method), data.test.labels.numpy()
    found = {}
    if len(its[0]) > 1 and np.isfinite(latents).all():
        found |= bias.component_scores(latents, labels, *its) | bias.floors(latents, labels, *its, config.seed)
    return found | elbo(method, data.test.images, device, config.seed, config.trains_decoder)


@torch.no_grad()
def elbo(method: Latent, images: Tensor, device: torch.device | str, seed: int, decoded: bool) -> dict[str, float]:
    """kl_nats and, if `decoded`, elbo_nats: means over images, with one sample of each posterior, drawn with the
    seed. The reconstruction is summed over pixels whatever the training did, and the balance is off."""
    method.eval()
    kl, negative_log_likelihood = 0.0, 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in images.split(ROWS_AT_ONCE // 4):
            x = unit(part.to(device))
            mean, log_var = method.posterior(x)
            z = sampled(mean, log_var)
            kl += float(divergence(method.prior, z, mean, log_var).sum())
            if decoded:
                per_row = method.reconstruction(z, x) * (1 if method.reduction == "sum" else x[0].numel())
                negative_log_likelihood += float(per_row) * len(x)
    found = {"kl_nats": kl / len(images)}
    return found | ({"elbo_nats": (kl + negative_log_likelihood) / len(images)} if decoded else {})


def divergence(prior: torch.nn.Module, z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(q(z|x) || p(z)) in nats, in closed form where there is one, else by the sample z: (B, D) x 3 -> (B,)."""
    if len(prior.components()[0]) == 1:
        return prior.kl(z[None], mean, log_var)
    return kl_monte_carlo(z[None], mean, log_var, prior.log_prob(z)[None])


@torch.no_grad()
def components(method: Latent) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The components of a model's prior: means (K, D), log_vars (K, D), weights (K,), float32."""
    was_training = method.training
    method.eval()
    found = tuple(part.detach().float().cpu().numpy() for part in method.prior.components())
    method.train(was_training)
    return found


def one_for_all(scores: Mapping[str, float | None]) -> str | None:
    """The alarm that one component of several holds everything, or None."""
    if scores.get("components_used") == 1:
        return "One component holds nearly all points: the prior's other components are empty."
    return None


def live_component_scores(latents: np.ndarray, labels: np.ndarray, its: tuple[np.ndarray, ...]) -> dict:
    """component_ami, components_used and component_distance of the watched test rows; none where there is one component
    only or a latent is not finite."""
    names = ("component_ami", "components_used", "component_distance")
    if len(its[0]) == 1 or not np.isfinite(latents).all():
        return {}
    found = bias.component_scores(latents, labels, *its)
    return {name: found[name] for name in names}


def watched_rows(data: Dataset, seen: Tensor, seed: int) -> dict[str, np.ndarray]:
    """The rows that are drawn and scored live: up to 1,000 with a seen label, others up to 3,500 of the training
    split, and up to 1,500 of the test split, all stratified by class and drawn with the seed. See `Training.rows`."""
    generator = torch.Generator().manual_seed(seed)
    is_seen = torch.zeros(len(data.train.labels), dtype=torch.bool)
    is_seen[seen] = True
    first = stratified(seen, data.train.labels, WATCHED_SEEN, generator)
    rest = torch.ones(len(data.train.labels), dtype=torch.bool)
    rest[first] = False
    more = stratified(rest.nonzero()[:, 0], data.train.labels, WATCHED_TRAIN - len(first), generator)
    train = torch.cat([first, more]).sort().values
    test = stratified(torch.arange(len(data.test.labels)), data.test.labels, WATCHED_TEST, generator).sort().values
    split = torch.cat([torch.full_like(train, TRAIN), torch.full_like(test, TEST)])
    shown = len(train) + first_of_each(data.test.labels[test], SHOWN)
    return {
        "split": split.to(torch.uint8).numpy(),
        "row": torch.cat([train, test]).to(torch.int32).numpy(),
        "labels": torch.cat([data.train.labels[train], data.test.labels[test]]).to(torch.int16).numpy(),
        "seen": torch.cat([is_seen[train], torch.zeros(len(test), dtype=torch.bool)]).numpy(),
        "shown": shown.to(torch.int32).numpy(),
    }


def stratified(rows: Tensor, labels: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """At most `most` of the rows, the classes' shares kept to within one row."""
    if len(rows) <= most:
        return rows
    shuffled = rows[torch.randperm(len(rows), generator=generator)]
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    return by_class[(torch.arange(most) * len(rows)) // most]


def first_of_each(labels: Tensor, most: int) -> Tensor:
    """Positions of up to `most` rows, class after class: the first of each, then the second, ..."""
    rank = torch.empty_like(labels)
    for c in labels.unique():
        rank[labels == c] = torch.arange(int((labels == c).sum()))
    return (rank * (labels.max() + 1) + labels).argsort()[:most]
