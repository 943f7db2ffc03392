"""Training is something you iterate over.

    training = fit(config, data)
    for tick in training:
        print(tick.epoch, tick.terms, tick.scores)

Tick 0 is before training; then there is one at least every half second and one at the end of each epoch. To stop is
to stop iterating: the unfinished epoch is dropped, and `fit(config, data, state)` repeats it.

Where nobody looks, `fit(config, data, watched=False)` trains the same weights and does not look at them on its way.
"""

import math
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import repeat

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from semidml.config import RunConfig
from semidml.data.augment import affine, view
from semidml.data.batches import Batches
from semidml.data.dataset import Dataset
from semidml.data.labels import hidden
from semidml.frames import Frame, Record
from semidml.losses.pairs import pairs_of
from semidml.methods import MODELS, Batch
from semidml.networks.precision import bfloat16_crawls
from semidml.rules import explain_too_few
from semidml.scores import neighbours
from semidml.train import alarms, device, final, task
from semidml.train.outputs import embed, in_parts, to_unit
from semidml.train.step import Means, descend
from semidml.train.views import View

SECONDS_A_TICK = 0.4  # a step may still be running when it is over, and "at least every half second" is the promise
MOST_ON_DEVICE = 8 << 30  # bytes of training images that are moved to the device whole
ASKED = 20  # times in an epoch that a loss without a gradient so far is asked whether it has one
SOUGHT = 2048  # rows whose neighbours are looked for together: some tenths of a second among 60,000
NEAREST = 0.5  # how often a neighbour takes a twin's place, as in the authors' program of CBSwR


def fit(
    config: RunConfig, data: Dataset, state: Mapping[str, Tensor] | None = None, watched: bool = True
) -> "Training":
    """A training to iterate over, from the start or from a `Training.state()`.
    Raises: ValueError when config and data do not fit."""
    return Training(config, data, state, watched)


class Training:
    """See `fit`. Same config, data and machine: same records, seconds aside, however often it was stopped and
    resumed.

    One that is not `watched` has the same terms, weights and final scores. Its records have no live scores, and of the
    alarms those that are read from latents are raised at its end alone: they take a third of an epoch of digits."""

    def __init__(
        self, config: RunConfig, data: Dataset, state: Mapping[str, Tensor] | None = None, watched: bool = True
    ):
        self.config, self.watched, self.device = config, watched, device.pick_device(config.device)
        self.balances = "schedule" in config.used() and config.entries()["schedule"].facts["balances"]
        self.data, self.seen = task.prepare(config, data)
        if problem := explain_too_few(config, len(self.data.train.labels)):
            raise ValueError(problem)
        augment = self.data.augment_strength if config.augment == "on" else 0.0
        labels = hidden(self.data.train.labels, self.seen.rows)
        learned_from = self.seen.rows if config.uses_labels else self.seen.rows[:0]
        twins, sizes = task.twins_of(config, self.data), (config.labelled_per_class, config.batch_size)
        fits = config.fits_per_class
        self.batches = Batches(labels, learned_from, *sizes, augment, twins, config.drops_last, fits)
        self.y = self.batches.y.to(self.device)
        self.pairs = pairs_of(self.y) if len(self.y) else None
        images = self.data.train.images
        self.images = images if images.nbytes > MOST_ON_DEVICE else images.to(self.device)
        made = task.seeded_model(config, self.data.shape, len(self.data.class_names), overwritten=bool(state))
        self.layout = torch.channels_last if self.device.type == "cpu" else torch.preserve_format
        self.method = made.to(self.device, memory_format=self.layout)  # a step of a convolution in two thirds the time
        if MODELS[config.model].facts["prior"] and self.method.prior.pseudo_inputs is not None:
            self.method.prior.start(self.images, torch.Generator().manual_seed(config.seed))
        self.method.half = device.takes_bfloat16(config, self.data.shape, self.device)
        # Terms that can teach nothing, whatever rounding says; how often others were asked in this epoch.
        of_labels = {term for term, rows in self.method.reads.items() if rows == ("labelled",)}
        one_image = alarms.shows_one_image(config, self.batches, self.images)
        self._mute, self._asked = of_labels if one_image else set(), Counter()
        self.optimizer = device.optimizer_of(config, self.method, self.device)
        self.generator, self.noise = (torch.Generator().manual_seed(config.seed) for _ in range(2))  # of rows; of steps
        self.view = View(self.method, config, self.data, self.seen.rows, self.device)
        self.epoch, self.seconds = 0, 0.0
        self._snapshot: dict[str, Tensor] = {}
        self._teaching: set[str] = set()  # terms that have given the encoder a gradient
        self._moved = False  # whether a weight of the encoder has changed since the start
        if state:
            self._restore(state)
        self._keep()

    @property
    def facts(self) -> dict[str, str | int | float]:
        """What the config does not say: how many labels, draws, steps, on which device, at which precision."""
        config, is_cuda = self.config, self.device.type == "cuda"
        name = torch.cuda.get_device_name(self.device) if is_cuda else platform.processor() or platform.machine()
        return {
            "seen_labels": len(self.seen.rows),
            "label_redraws": self.seen.redraws,
            "training_rows": self.batches.n,
            **({"unlabelled_rows": self.data.unlabelled} if self.data.unlabelled else {}),
            "steps_an_epoch": self.batches.steps,
            "labelled_rows_a_step": len(self.y),
            **({"labelled_per_class": each} if (each := self.batches.per_class) != config.labelled_per_class else {}),
            "parameters": sum(p.numel() for p in self.method.parameters()),
            "device": self.device.type,
            "device_name": name,
            "matmul_precision": torch.get_float32_matmul_precision(),
            "precision": "bfloat16" if self.method.half else "float32",
            "threads": torch.get_num_threads(),
        }

    def __iter__(self) -> Iterator[Record]:
        if self.epoch == 0:
            yield self._tick(Means())
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
            of_step = (None if part is None else part[step] for part in (labelled, views, images, twins))
            terms, weights = self._step(step, *of_step, next(partners))
            since_tick.add(terms, weights)
            whole.add(terms, weights)
            last = step + 1 == self.batches.steps
            if not last and time.perf_counter() - started >= SECONDS_A_TICK:
                self.seconds += time.perf_counter() - started
                yield self._progress(since_tick, step + 1)
                since_tick, started = Means(), time.perf_counter()
        self.epoch += 1
        self.seconds += time.perf_counter() - started
        tick = self._tick(whole)
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

    def _step(self, step: int, *rows: Tensor | None) -> tuple[dict, dict]:
        """One step of the optimiser on the given rows (`_batch`); asks the device for nothing but whether a term that
        has taught nothing so far does (`alarms.gives_gradient`). Terms are (), weights are numbers or, where the
        schedule balances, ()."""
        shares = self._shares(self.epoch + 1, step)
        weights = self.method.weights(*shares)
        active = [name for name, weight in weights.items() if weight != 0]
        if not active:  # alpha = 0 leaves the paper's even epochs without a loss
            return {}, weights
        self._set_lr(self.epoch * self.batches.steps + step)
        terms = self.method.terms(self._batch(active, *rows), active)
        unknown = [n for n in active if n not in self._teaching | self._mute and self._asked[n] < ASKED]
        self._asked.update(unknown)
        self._teaching |= {name for name in unknown if alarms.gives_gradient(terms[name], self.method.encoder)}
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
        twins: Tensor | None,
        partners: Tensor | None,
    ) -> Batch:
        """What these terms read of the given rows, and their noise. Twins are views of `partners`, or of the images
        where these are None."""
        read = {rows for name in active for rows in self.method.reads[name]}
        shown = self._unit_images(labelled) if "labelled" in read else None
        if shown is not None and views is not None:
            shown = affine(shown, views)
        plain, twin = self._unit_images(images) if "images" in read else None, None
        if "twins" in read:
            twin = view(plain if partners is None else self._unit_images(partners), twins[-len(plain) :])
            plain = plain if len(twins) == len(plain) else view(plain, twins[: len(plain)])
        batch = Batch(shown, self.y, self.pairs, plain, twin)
        noise = self.method.noise(batch, active, self.noise)
        return batch if noise is None else batch._replace(noise=noise.to(self.device))

    def _unit_images(self, rows: Tensor) -> Tensor:
        """Training images in [0, 1] on the device; of images that stay on the CPU only these are moved."""
        return to_unit(self.images.index_select(0, rows.to(self.images.device)).to(self.device))

    def _shares(self, epoch: int, step: int) -> tuple[float, float, float]:
        """Weights of the two losses and beta's share in a step; the metric loss alone while it warms up. The share goes
        from 0 to 1 over its own warm-up, in a straight line (Bowman et al. 2016, arXiv 1511.06349, anneal it so)."""
        done = (epoch - 1) * self.batches.steps + step
        if done < round(self.config.warmup_epochs * self.batches.steps):
            return 1.0, 0.0, 1.0
        rising = self.config.beta_warmup_epochs * self.batches.steps
        return *self.config.weights(epoch, step), 1.0 if rising == 0 else min(1.0, done / rising)

    def _set_lr(self, step: int) -> None:
        """Constant, or half a cosine from lr to 0 over the whole training (Loshchilov and Hutter 2017, arXiv
        1608.03983, eq. 5)."""
        if self.config.lr_decay == "cosine":
            share = step / (self.config.epochs * self.batches.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.lr * (1 + math.cos(math.pi * share)) / 2

    # ---- what is seen of it

    def _progress(self, means: Means, step: int) -> Record:
        """Raises: FloatingPointError when a term is not finite."""
        self.view.forget()
        terms, weights = means.numbers()
        if broken := [name for name, value in terms.items() if not math.isfinite(value)]:
            good = self._snapshot["epoch"].item()
            raise FloatingPointError(
                f"the {' and '.join(broken)} loss was no longer finite in epoch {good + 1}: lower lr "
                f"(now {self.config.lr:g}) or the loss's scale; the weights of epoch {good} are kept"
            )
        return Record(self.epoch, step, self.batches.steps, round(self.seconds, 3), terms, weights)

    def _tick(self, means: Means) -> Record:
        record, scores = self._progress(means, 0), self.view.scores() if self.watched else {}
        if not self.epoch:
            return replace(record, scores=scores)
        told: list[str] = []
        if self.watched or self.epoch == self.config.epochs:
            latents, used = self.view.outputs().latents, (scores or self.view.prior_scores()).get("components_used")
            told += alarms.of_latents(self.config, latents, len(self.data.class_names), used)
        silent = [name for name in record.terms if name not in self._teaching]
        return replace(record, scores=scores, alarms=told + alarms.of_steps(self.config, self.method, silent))

    def rows(self) -> dict[str, np.ndarray]:
        """Which rows the map draws, the same in every frame: split (0 train, 1 test), row in that split, labels (-1 for
        none), seen, and the positions `shown` (m,) of those whose reconstructions a frame holds."""
        return self.view.rows

    def frame(self) -> Frame:
        """What the map draws now; which epoch and step that is, is the record's matter."""
        return self.view.frame()

    def embed(self, images: Tensor) -> np.ndarray:
        """Latents of images: uint8 (N, C, H, W) -> float32 (N, D)."""
        return embed(self.method, images, self.device)

    def finish(self, full: bool = False, progress: Callable[[float, str], None] | None = None) -> dict:
        """The final scores, on all rows: metrics.json's content. `full` adds the forest and the MLP classifier. Raises
        ValueError after a training in which no weight of the encoder has moved, or only by rounding: its scores would
        be of no training."""
        if self.epoch and not (self._moved and self._teaching):
            raise ValueError(alarms.explain_untrained(self.epoch, self._moved, bool(self._teaching), self.config.lr))
        metrics = final.score_model(self.method, self.config, self.data, self.seen, self.device, full, progress)
        return metrics | {"seconds": round(self.seconds, 3)}

    def score_test(self, data: Dataset, progress: Callable[[float, str], None] | None = None) -> dict:
        """As `finish`, of the test images of the whole data set that the training is of, where it holds others out."""
        splits = task.with_test(self.config, data, self.data)
        return final.score_model(self.method, self.config, splits, self.seen, self.device, progress=progress)

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
            for i, moments in self.optimizer.state_dict()["state"].items()
            for name, value in moments.items()
        }
        weights = {f"model.{name}": tensor for name, tensor in self.weights().items()}
        trained = [f"model.encoder.{name}" for name, _ in self.method.encoder.named_parameters()]
        before = self._snapshot
        if before and not self._moved:
            self._moved = any(not torch.equal(before[name], weights[name]) for name in trained)
        teaching = {f"teaching.{name}": torch.tensor(True) for name in self._teaching}
        rest = {
            "moved": torch.tensor(self._moved),
            "half": torch.tensor(self.method.half),
            "generator": self.generator.get_state(),
            "noise_generator": self.noise.get_state(),
            "epoch": torch.tensor(self.epoch),
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }
        self._snapshot = weights | moments | teaching | rest  # in one step: an interruption finds it whole

    def _restore(self, state: Mapping[str, Tensor]) -> None:
        """Raises ValueError when the state is not one of this config's."""
        try:
            weights = {k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")}
            self.method.load_state_dict(weights)
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in state.items():
                if key.startswith("adam."):  # in memory as its parameter: the fused optimiser goes by memory alone
                    _, i, name = key.split(".")
                    laid_out = value.to(memory_format=self.layout) if value.dim() == 4 else value
                    moments.setdefault(int(i), {})[name] = laid_out
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})
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
