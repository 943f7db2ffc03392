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
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import repeat

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from semidml import frames
from semidml.config import RunConfig
from semidml.data.augment import affine, view
from semidml.data.batches import Batches
from semidml.data.dataset import Dataset
from semidml.data.labels import hidden
from semidml.frames import COMPONENTS, Record
from semidml.losses import LOSSES
from semidml.losses.pairs import pairs_of
from semidml.methods import MODELS, Batch
from semidml.networks.precision import bfloat16_crawls
from semidml.rules import explain_too_few
from semidml.scores import classifiers, neighbours, protocol
from semidml.scores.clusters import cluster_scores, clustered
from semidml.train import device, final, task
from semidml.train.alarms import collapse, one_for_all
from semidml.train.outputs import (
    ROWS_AT_ONCE,
    Outputs,
    as_compared,
    embed,
    in_parts,
    outputs_of,
    prior_components,
    to_pixels,
    to_unit,
)
from semidml.train.step import Means, descend
from semidml.train.views import PICTURED, live_component_scores

SECONDS_A_TICK = 0.4  # a step may still be running when it is over, and "at least every half second" is the promise
MOST_ON_DEVICE = 8 << 30  # bytes of training images that are moved to the device whole
ASKED = 20  # times in an epoch that a loss without a gradient so far is asked whether it has one
ROUNDING = 1e-6  # of a gradient beside its loss: what single precision may make of one that is 0
SOUGHT = 2048  # rows whose neighbours are looked for together: some tenths of a second among 60,000
NEAREST = 0.5  # how often a neighbour takes a twin's place, as in the authors' program of CBSwR


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
        self.config, self.device = config, device.pick_device(config.device)
        self.balances = "schedule" in config.used() and config.entries()["schedule"].facts["balances"]
        self.data, self.seen = task.prepare(config, data)
        if problem := explain_too_few(config, len(self.data.train.labels)):
            raise ValueError(problem)
        augment = self.data.augment_strength if config.augment == "on" else 0.0
        labels = hidden(self.data.train.labels, self.seen.rows)
        learned_from = self.seen.rows if config.uses_labels else self.seen.rows[:0]
        self.batches = Batches(
            labels,
            learned_from,
            config.labelled_per_class,
            config.batch_size,
            augment,
            task.twins_of(config, self.data),
            config.drops_last,
        )
        self.y = self.batches.y.to(self.device)
        self.pairs = pairs_of(self.y) if len(self.y) else None
        images = self.data.train.images
        self.images = images if images.nbytes > MOST_ON_DEVICE else images.to(self.device)
        made = task.seeded_model(config, self.data.shape, len(self.data.class_names), overwritten=bool(state))
        self.layout = torch.channels_last if self.device.type == "cpu" else torch.preserve_format
        self.method = made.to(self.device, memory_format=self.layout)  # a step of a convolution in two thirds the time
        facts = MODELS[config.model].facts
        self.has_clusters, self.prior = facts["clusters"], self.method.prior if facts["prior"] else None
        if self.prior is not None and self.prior.pseudo_inputs is not None:
            self.prior.start(self.images, torch.Generator().manual_seed(config.seed))
        self.method.half = device.takes_bfloat16(config, self.data.shape, self.device)
        # Terms that can teach nothing, whatever rounding says; how often others were asked in this epoch.
        of_labels = {term for term, rows in self.method.reads.items() if rows == ("labelled",)}
        self._mute, self._asked = of_labels if self._sees_one_image() else set(), Counter()
        self.optimizer = device.optimizer_of(config, self.method, self.device)
        self.generator, self.noise = (torch.Generator().manual_seed(config.seed) for _ in range(2))  # of rows; of steps
        self.watched = task.watched_rows(self.data, self.seen.rows, config.seed)
        self.epoch, self.seconds = 0, 0.0
        self._draws = config.trains_decoder
        self._snapshot: dict[str, Tensor] = {}
        self._fresh: Outputs | None = None  # of the watched rows, at the same weights as the newest tick
        self._teaching: set[str] = set()  # terms that have given the encoder a gradient
        self._moved = False  # whether a weight of the encoder has changed since the start
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
            "precision": "bfloat16" if self.method.half else "float32",
            "threads": torch.get_num_threads(),
        }

    def __iter__(self) -> Iterator[Record]:
        if self.epoch == 0:
            yield self._tick(Means(), 0)
        while self.epoch < self.config.epochs:
            yield from self._one_epoch()

    def _one_epoch(self) -> Iterator[Record]:
        started = time.perf_counter()
        self._asked.clear()
        self.method.train()
        rows = self.batches.epoch(self.generator)
        labelled, images = rows.labelled.to(self.device), rows.images.to(self.device)
        views, twins = (None if part is None else part.to(self.device) for part in (rows.views, rows.twins))
        partners = self._partners(rows.images) if self.config.seeks_neighbours else repeat(None)
        since_tick, whole = Means(), Means()
        for step in range(self.batches.steps):
            its_views, its_twins = (None if part is None else part[step] for part in (views, twins))
            its = (labelled[step], its_views, images[step], next(partners), its_twins)
            terms, weights = self._step(step, *its)
            since_tick.add(terms, weights)
            whole.add(terms, weights)
            last = step + 1 == self.batches.steps
            if not last and time.perf_counter() - started >= SECONDS_A_TICK:
                self.seconds += time.perf_counter() - started
                yield self._progress(since_tick, step + 1)
                since_tick, started = Means(), time.perf_counter()
        self.epoch += 1
        self.seconds += time.perf_counter() - started
        tick = self._tick(whole, 0)
        self._keep()
        yield tick

    def _partners(self, images: Tensor) -> Iterator[Tensor]:
        """For the rows (steps, B) of an epoch's steps, step by step, the training rows that their twins are views of
        (B,): by a toss each row itself, or the other row nearest to it by the cosine of representations, of images as
        they are, by the weights at the epoch's start. No label is asked. Rows of some steps are looked for together,
        so that ticks come in between."""
        encoder = self.method.encoder
        directions = in_parts(self.method, lambda x: (normalize(encoder(x), dim=1),), self.images, self.device)[0]
        moved = torch.rand(len(directions), generator=self.generator) < NEAREST  # (N,)
        for some in images.split(max(1, SOUGHT // images.shape[1])):
            partners = some.flatten()
            sought = partners[moved[partners]]
            nearest = neighbours.others(directions, 1, str(self.device), of=sought.numpy())[:, 0]
            partners = partners.masked_scatter(moved[partners], torch.from_numpy(nearest))
            yield from partners.view_as(some).to(self.device)

    def _step(
        self,
        step: int,
        labelled: Tensor,
        views: Tensor | None,
        images: Tensor,
        partners: Tensor | None,
        twins: Tensor | None,
    ) -> tuple[dict, dict]:
        """One step of the optimiser on the given rows; asks the device for nothing but whether a term that has taught
        nothing so far does (`_teaches`). Terms are (), weights are numbers or, where the schedule balances, ()."""
        shares = self._shares(self.epoch + 1, step)
        weights = self.method.weights(*shares)
        active = [name for name, weight in weights.items() if weight != 0]
        if not active:  # alpha = 0 leaves the paper's even epochs without a loss
            return {}, weights
        self._set_lr(self.epoch * self.batches.steps + step)
        terms = self.method.terms(self._batch(active, labelled, views, images, partners, twins), active)
        unknown = [n for n in active if n not in self._teaching | self._mute and self._asked[n] < ASKED]
        self._asked.update(unknown)
        self._teaching |= {name for name in unknown if self._teaches(terms[name])}
        if self.balances:
            weights = self.method.balanced(terms, *shares)
        descend(self.optimizer, terms, weights)
        return {name: term.detach() for name, term in terms.items()}, weights

    def _batch(
        self,
        active: list[str],
        labelled: Tensor,
        views: Tensor | None,
        images: Tensor,
        partners: Tensor | None,
        twins: Tensor | None,
    ) -> Batch:
        """What these terms read of the given rows, and their noise. Twins are views of `partners`, or of the images
        where these are None."""
        read = {rows for name in active for rows in self.method.reads[name]}
        shown = self._rows(labelled) if "labelled" in read else None
        if shown is not None and views is not None:
            shown = affine(shown, views)
        plain, its_twins = self._rows(images) if "images" in read else None, None
        if "twins" in read:
            its_twins = view(plain if partners is None else self._rows(partners), twins[-len(plain) :])
            plain = plain if len(twins) == len(plain) else view(plain, twins[: len(plain)])
        batch = Batch(shown, self.y, self.pairs, plain, its_twins)
        noise = self.method.noise(batch, active, self.noise)
        return batch if noise is None else batch._replace(noise=noise.to(self.device))

    def _teaches(self, term: Tensor) -> bool:
        """Whether a term has a gradient with respect to the encoder, beyond rounding. Asks the device for numbers, so
        it is called only until a term has had one, in its first step, and else a few times an epoch."""
        weights = list(self.method.encoder.parameters())
        gradients = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
        largest = max((float(g.abs().max()) for g in gradients if g is not None), default=0.0)
        return not largest <= ROUNDING * abs(float(term.detach()))  # NaN teaches: it is said as what it is

    def _sees_one_image(self) -> bool:
        """Whether all labelled rows show the same image, in every view, of which no loss over pairs can learn: what
        gradient it has is rounding, which Adam would make steps of."""
        if not (self.batches.classes and self.config.needs_pairs) or LOSSES[self.config.loss].facts["needs"] == "row":
            return False
        first = self.images[self.batches.classes[0][:1].to(self.images.device)]
        if self.batches.augment and (first != first.flatten()[0]).any():
            return False
        parts = torch.cat(self.batches.classes).to(self.images.device).split(ROWS_AT_ONCE // 4)
        return all(bool((self.images.index_select(0, part) == first).all()) for part in parts)

    def _nothing_trained(self) -> str:
        """Why a training has taught nothing, in words."""
        epochs = f"in {self.epoch} epoch{'s' * (self.epoch > 1)}"
        if not self._teaching:
            still = "no weight of the encoder has moved: no" if not self._moved else "no"
            return f"{epochs} {still} loss gave it a gradient; the images may be all alike, or the loss unfit for them"
        return (
            f"{epochs} no weight of the encoder has moved: its steps are too small for single precision; raise lr (now "
            f"{self.config.lr:g})"
        )

    def _rows(self, rows: Tensor) -> Tensor:
        """Training images in [0, 1] on the device; of images that stay on the CPU only these are moved."""
        return to_unit(self.images.index_select(0, rows.to(self.images.device)).to(self.device))

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
        compared = as_compared(self.config, latents)
        split, seen = self.watched["split"], self.watched["seen"]
        labels = self.watched["labels"]
        scores = protocol.live_scores(
            compared[split == frames.TRAIN],
            labels[split == frames.TRAIN],
            np.flatnonzero(seen[split == frames.TRAIN]),
            compared[split == frames.TEST],
            labels[split == frames.TEST],
            len(self.data.class_names),
            self.config.seed,
        )
        if self._draws:
            scores["reconstruction_mse"] = self._live_reconstruction_mse()
        if self.prior is not None:
            scores |= live_component_scores(
                latents[split == frames.TEST], labels[split == frames.TEST], prior_components(self.method)
            )
        if self.has_clusters:
            scores |= protocol.live_retrieval(
                latents[split == frames.TEST], labels[split == frames.TEST], self.config.seed
            )
            scores |= cluster_scores(self._watched_outputs().logits[split == frames.TEST], labels[split == frames.TEST])
        alarms = [collapse(self.config, latents, len(self.data.class_names)), one_for_all(scores), self._lonely()]
        alarms += [
            f"The {name} loss has given the encoder no gradient so far: nothing is learned from it."
            for name in terms
            if name not in self._teaching
        ]
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

    def _lonely(self) -> str | None:
        """The alarm that steps since the last one had all their images in one cluster, or None."""
        if not self.has_clusters or not (steps := int(self.method.lonely_steps)):
            return None
        self.method.lonely_steps.zero_()
        return f"One cluster held all images of a step, {steps:,} times in this epoch: its metric loss rested there."

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
        component_images and, with a VampPrior, pseudo_inputs, both uint8 (k, C, H, W); with clusters of its own, what
        `clusters` gives. Where no test class was trained on, a prediction is that of the 5 nearest other rows of the
        same split."""
        latents = self._watched_latents()
        frame = {"latents": latents, "predictions": self._predictions(latents).astype(np.int16)}
        if self.has_clusters:
            frame |= self.clusters()
        if self.prior is not None:
            frame |= dict(zip(COMPONENTS, prior_components(self.method), strict=True))
        if self._draws:
            z = torch.from_numpy(latents[self.watched["shown"]]).to(self.device)
            frame["reconstructions"] = to_pixels(self._decode(z))
            if self.prior is not None:
                means = torch.from_numpy(frame["component_means"][:PICTURED]).to(self.device)
                frame["component_images"] = to_pixels(self._decode(means))
        if self.prior is not None and self.prior.pseudo_inputs is not None:
            frame["pseudo_inputs"] = to_pixels(self.prior.pseudo_inputs[:PICTURED].detach())
        return frame

    def _predictions(self, latents: np.ndarray) -> np.ndarray:
        labels, seen, split = (self.watched[name] for name in ("labels", "seen", "split"))
        classes, compared = len(self.data.class_names), as_compared(self.config, latents)
        return classifiers.predictions(compared, labels, seen, split, classes, disjoint=self.data.disjoint)

    @torch.no_grad()
    def clusters(self) -> dict[str, np.ndarray]:
        """The clustering head's view of the watched rows: clusters int16 (n,), the likeliest of each; cluster_sizes
        int32 (K,); cluster_entropies float32 (K,), the mean entropy of the rows of each, in nats, NaN where there is
        none. If centroids are drawn: cluster_shown int16 (k,), the largest, and cluster_images uint8 (k, C, H, W),
        what the decoder makes of the mean representation of their watched training rows."""
        outputs = self._watched_outputs()
        clusters, sizes, entropies = clustered(outputs.logits)
        found = {
            "clusters": clusters.astype(np.int16),
            "cluster_sizes": sizes.astype(np.int32),
            "cluster_entropies": entropies.astype(np.float32),
        }
        if not self.config.draws_clusters:
            return found
        train = self.watched["split"] == frames.TRAIN
        counts = np.bincount(clusters[train], minlength=len(sizes))
        shown = np.argsort(-counts, kind="stable")[:PICTURED]
        shown = shown[counts[shown] > 0]
        means = [outputs.representations[train & (clusters == k)].mean(0) for k in shown]
        self.method.eval()
        drawn = self.method.draw(torch.from_numpy(np.stack(means)).to(self.device))
        self.method.train()
        return found | {"cluster_shown": shown.astype(np.int16), "cluster_images": to_pixels(drawn)}

    def _watched_latents(self) -> np.ndarray:
        return self._watched_outputs().latents

    def _watched_outputs(self) -> "Outputs":
        if self._fresh is None:
            images = [
                part.images[self._positions(split)]
                for split, part in ((frames.TRAIN, self.data.train), (frames.TEST, self.data.test))
            ]
            self._fresh = outputs_of(self.method, torch.cat(images), self.has_clusters, self.device)
        return self._fresh

    def _positions(self, split: int) -> Tensor:
        return torch.from_numpy(self.watched["row"][self.watched["split"] == split]).long()

    def _live_reconstruction_mse(self) -> float:
        rows = self._positions(frames.TEST)[:500]
        latents = self._watched_latents()[self.watched["split"] == frames.TEST][:500]
        decoded = self._decode(torch.from_numpy(latents).to(self.device)).cpu()
        return float((decoded - to_unit(self.data.test.images[rows])).square().mean())

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
        """The final scores, on all rows: metrics.json's content. `full` adds the forest and the MLP classifier. Raises
        ValueError after a training in which no weight of the encoder has moved, or only by rounding: its scores would
        be of no training."""
        if self.epoch and not (self._moved and self._teaching):
            raise ValueError(self._nothing_trained())
        metrics = final.score_model(self.method, self.config, self.data, self.seen, self.device, full, progress)
        return metrics | {"seconds": round(self.seconds, 3)}

    # ---- what a resume needs

    def weights(self) -> dict[str, Tensor]:
        """The model's weights and buffers now, on the CPU."""
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in self.method.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Weights, the optimiser's moments, generators, epoch and seconds at the end of the last finished epoch."""
        return dict(self._snapshot)

    def _keep(self) -> None:
        moments = {
            f"adam.{i}.{name}": value.detach().to("cpu", copy=True)
            for i, its in self.optimizer.state_dict()["state"].items()
            for name, value in its.items()
        }
        weights = {f"model.{name}": tensor for name, tensor in self.weights().items()}
        trained = [f"model.encoder.{name}" for name, _ in self.method.encoder.named_parameters()]
        before = self._snapshot
        self._moved |= bool(before) and any(not torch.equal(before[name], weights[name]) for name in trained)
        self._snapshot = weights | moments | {f"teaching.{name}": torch.tensor(True) for name in self._teaching}
        self._snapshot |= {
            "moved": torch.tensor(self._moved),
            "half": torch.tensor(self.method.half),
            "generator": self.generator.get_state(),
            "noise_generator": self.noise.get_state(),
            "epoch": torch.tensor(self.epoch),
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }

    def _laid_out(self, moment: Tensor) -> Tensor:
        """A moment that may come from a file, in memory as its parameter: the fused optimiser goes by memory alone."""
        return moment.to(memory_format=self.layout) if moment.dim() == 4 else moment

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
                    moments.setdefault(int(i), {})[name] = self._laid_out(value)
            whole = self.optimizer.state_dict() | {"state": moments}
            self.optimizer.load_state_dict(whole)
            self.generator.set_state(state["generator"])
            older = "global_generator"  # torch's own, which was set aside for these numbers up to version 0.2
            self.noise.set_state(state[older if older in state else "noise_generator"])
            self.epoch, self.seconds = int(state["epoch"]), float(state["seconds"])
            self._moved = bool(state.get("moved", True))  # up to version 0.1 none of these was noted
            if self.config.precision == "auto":  # goes on as it was begun, if this machine can
                self.method.half = bool(state.get("half", False)) and not bfloat16_crawls(self.device.type)
            noted = {key.removeprefix("teaching.") for key in state if key.startswith("teaching.")}
            self._teaching = noted if "moved" in state else set(self.method.reads)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(f"the saved state does not belong to this config: {error}") from error
