"""How fast a step is, beside the usual way, and beside what the machine could do.

    python benchmarks/throughput.py [--smoke | --write]

One network (784-512-10 and its mirror), batches of 128, one thread, MNIST; every way is timed in turn, round after
round, so that a busy machine slows all alike; medians and ratios within the rounds. Lightning's way is that of the
paper: torchvision items through a DataLoader, one item at a time. It needs pytorch-lightning (pip install
pytorch-lightning); without it that line is left out and said to be.

The steps of the app itself, an autoencoder's and a VAE's with its own network (784-256-128-10), 256 images and, for the
first, 200 labelled ones, are timed at each precision, and as the knob's auto takes it. What bfloat16 costs in accuracy
is a matter of benchmarks/precision.py.

Equal work: the triplet losses are compared with pytorch-metric-learning's defaults (embeddings normalised, margin
.05, mean over the triplets above zero) on the same batches, their values and gradients checked to 1e-6 first.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import torch
from common import ROOT, arguments, busy_words, machine, markdown, others_busy, report
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

from semidml.config import RunConfig
from semidml.data import store
from semidml.data.batches import Batches
from semidml.data.dataset import Dataset, Split
from semidml.losses.pairs import pairs_of
from semidml.losses.triplet import triplet_loss
from semidml.methods.latent import Batch, Latent
from semidml.networks.mlp import HIDDEN, layers
from semidml.networks.precision import bfloat16_pays
from semidml.train.device import fastest_precision
from semidml.train.loop import fit
from semidml.train.outputs import to_unit

BATCH, MARGIN = 128, 0.05
SHAPE, SIZES = (1, 28, 28), (784, 512, 10)  # of an image; of the encoder's layers
STEPS = {  # of the app
    "autoencoder step": {"model": "dml-ae", "alpha": 0.1, "latent_dim": 10},
    "VAE step": {"model": "metric-vae", "prior": "unit", "alpha": 1, "latent_dim": 10},
}


def network(decoder: bool) -> tuple[nn.Module, nn.Module | None]:
    """Encoder 784-512-10 and, if asked for, its mirror, always with the same weights."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), *layers(SIZES))
    return encoder, nn.Sequential(*layers(SIZES[::-1]), nn.Unflatten(1, SHAPE)) if decoder else None


def images(rows: int | None) -> Split:
    """MNIST's training images or, of a smoke run, so many rows of noise in their place."""
    if rows is None:
        return store.load("mnist", download=True).train
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (rows, *SHAPE), generator=generator, dtype=torch.uint8)
    return Split(pixels, torch.arange(rows) % 10)


def ours_autoencoder(steps: int, data: Split, half_precision: bool = False) -> Callable[[], int]:
    """Our step: rows of a uint8 tensor, metric loss of half of the batch, reconstruction of the other half: 128
    images. half_precision: its networks in bfloat16.
    """
    half = BATCH // 2
    batches = Batches(data.labels, torch.arange(len(data.labels)), half // 10, half, 0.0)
    loss, prior = partial(triplet_loss, reduction="nonzero"), None
    setting = RunConfig.of({"model": "dml-ae", "latent_dim": 10, "likelihood": "bernoulli", "reconstruction": "sum"})
    model = Latent(setting, *network(True), prior, loss)
    model.half = half_precision
    pairs, y = pairs_of(batches.y), batches.y
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    rows = batches.epoch(torch.Generator().manual_seed(0))
    order = itertools.cycle(range(batches.steps))

    def run() -> int:
        for step in itertools.islice(order, steps):
            labelled, images = (data.images.index_select(0, its[step]) for its in (rows.labelled, rows.images))
            terms = model.terms(Batch(to_unit(labelled), y, pairs, to_unit(images)), ("metric", "reconstruction"))
            optimizer.zero_grad(set_to_none=True)
            (0.5 * terms["metric"] + 0.5 * terms["reconstruction"]).backward()
            optimizer.step()
        return steps * (len(y) + half)

    return run


def app_step(steps: int, data: Split, precision: str, knobs: dict) -> Callable[[], int]:
    """A training of the app, step by step."""
    config = RunConfig.of({"precision": precision, "device": "cpu", "epochs": 1} | knobs)
    training = fit(config, Dataset("mnist", "MNIST", data, data, None, tuple("0123456789")))
    training.method.train()
    rows = training.batches.epoch(training.generator)
    order = itertools.cycle(range(training.batches.steps))
    labelled = training.batches.y.shape[0] if config.uses_labels else 0

    def run() -> int:
        for step in itertools.islice(order, steps):
            training._step(step, rows.labelled[step], None, rows.images[step], None, None)
        return steps * (labelled + config.batch_size)

    return run


def app_flop(knobs: dict) -> float:
    """Operations of the matrix products of one sample of that step, as `step_flop` counts them."""
    config = RunConfig.of(knobs)
    sizes = [784, *HIDDEN, config.latent_dim]
    down, up = ([a * b for a, b in itertools.pairwise(its)] for its in (sizes, sizes[::-1]))
    down[-1] *= 2 if config.prior != "none" else 1
    decoded = config.batch_size / (config.batch_size + (200 if config.uses_labels else 0))
    return 2 * (3 * sum(down) - down[0]) + 2 * 3 * sum(up) * decoded


def lightning_autoencoder(steps: int, smoke: bool) -> Callable[[], tuple[int, float]]:
    """The paper's way: torchvision's items, a DataLoader, a LightningModule; the library's triplet loss, the same
    weights.
    """
    import logging

    import pytorch_lightning as lightning
    from pytorch_metric_learning.losses import TripletMarginLoss
    from torch.utils.data import DataLoader
    from torchvision.datasets import MNIST, FakeData
    from torchvision.transforms import ToTensor

    class Autoencoder(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = network(True)
            self.loss = TripletMarginLoss()

        def training_step(self, batch: tuple, index: int) -> torch.Tensor:
            x, y = batch
            half = BATCH // 2
            z = self.encoder(x)
            logits = self.decoder(z[half:])
            reconstruction = binary_cross_entropy_with_logits(logits, x[half:], reduction="sum") / half
            return 0.5 * self.loss(z[:half], y[:half]) + 0.5 * reconstruction

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

        def on_train_start(self) -> None:  # what comes before is the trainer's own preparation, and not counted
            self.began = time.perf_counter()

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    if smoke:
        items = FakeData(5 * BATCH, SHAPE, transform=ToTensor())
    else:
        items = MNIST(str(store.data_folder()), train=True, transform=ToTensor())
    loader = DataLoader(items, batch_size=BATCH, shuffle=True, drop_last=True)
    model = Autoencoder()

    def run() -> tuple[int, float]:
        trainer = lightning.Trainer(
            max_steps=steps, max_epochs=-1, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(model, loader)
        return steps * BATCH, time.perf_counter() - model.began

    return run


def fixed_batches(data: Split, count: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    order = torch.randperm(len(data.labels), generator=torch.Generator().manual_seed(0))
    return [(to_unit(data.images[rows]), data.labels[rows]) for rows in order[: count * BATCH].split(BATCH)]


def triplet_loop(steps: int, data: Split, loss: Callable[..., torch.Tensor]) -> Callable[[], int]:
    """A bare loop over ready batches: encoder, loss, Adam, the same for both losses."""
    encoder, _ = network(False)
    optimizer = torch.optim.Adam(encoder.parameters(), fused=True)
    batches = itertools.cycle(fixed_batches(data, 50))

    def run() -> int:
        for x, y in itertools.islice(batches, steps):
            optimizer.zero_grad(set_to_none=True)
            loss(encoder(x), y).backward()
            optimizer.step()
        return steps * BATCH

    return run


def loss_alone(steps: int, data: Split, loss: Callable[..., torch.Tensor]) -> Callable[[], int]:
    """What is not the same in the two loops: the loss of ready latents and its gradient."""
    encoder, _ = network(False)
    with torch.no_grad():
        latents = [(encoder(x), y) for x, y in fixed_batches(data, 50)]
    batches = itertools.cycle((z.requires_grad_(), y) for z, y in latents)

    def run() -> int:
        for z, y in itertools.islice(batches, steps):
            torch.autograd.grad(loss(z, y), z)
        return steps * BATCH

    return run


def ours(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return triplet_loss(normalize(z), y, margin=MARGIN, reduction="nonzero")


def library() -> Callable[..., torch.Tensor]:
    from pytorch_metric_learning.losses import TripletMarginLoss

    return TripletMarginLoss()


def differences(precision: torch.dtype, data: Split) -> dict[str, float]:
    """Largest difference of value and of gradient between the two losses, over ten batches in that precision."""
    encoder, _ = network(False)
    values, gradients = [], []
    for x, y in fixed_batches(data, 10):
        z = encoder(x).detach().to(precision)
        found = []
        for loss in (ours, library()):
            leaf = z.clone().requires_grad_()
            value = loss(leaf, y)
            value.backward()
            found.append((value.item(), leaf.grad))
        values.append(abs(found[0][0] - found[1][0]))
        gradients.append((found[0][1] - found[1][1]).abs().max().item())
    return {"value": max(values), "gradient": max(gradients)}


def gemm(steps: int, dtype: torch.dtype = torch.float32) -> Callable[[], float]:
    """The machine's own rate on the largest product of the step: (128, 784) x (784, 512), in floating-point
    operations.
    """
    a, b = torch.randn(BATCH, 784).to(dtype), torch.randn(784, 512).to(dtype)

    def run() -> float:
        for _ in range(steps):
            a @ b
        return 2.0 * BATCH * 784 * 512 * steps

    return run


def step_flop() -> float:
    """Operations of the matrix products of one sample of the autoencoder step: forward once, backward twice (the first
    layer needs no gradient of its input); half of the samples pass the decoder."""
    layers = [784 * 512, 512 * 10]
    encoder = 2 * (3 * sum(layers) - layers[0])
    decoder = 2 * 3 * sum(layers)
    return encoder + decoder / 2


def rounds(ways: dict[str, Callable], count: int) -> dict[str, list[float]]:
    """Units a second of each way, in turn, after one round that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(count + 1):
        for name, run in ways.items():
            began = time.perf_counter()
            done = run()
            done, seconds = done if isinstance(done, tuple) else (done, time.perf_counter() - began)
            if number:
                rates[name].append(done / seconds)
    return rates


def memory(data: str) -> float:
    """Peak memory of a process that trains an epoch of that data set as the worker does, in megabytes."""
    code = (
        "import resource, semidml.execute as e, semidml.runs.listing as r; from semidml.config import RunConfig;"
        f"run = r.create_run(RunConfig.of(dict(data='{data}', epochs=1, pl=100)));"
        "list(e.execute(run, threads=1)); assert run.status().state == 'done', run.status();"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"SEMIDML_RUNS": folder}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    return float(done.stdout.split()[-1])


def main() -> None:
    asked = arguments(__doc__)
    torch.set_num_threads(1)
    precision = fastest_precision()
    torch.set_float32_matmul_precision(precision)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    steps, count = (2, 1) if asked.smoke else (40, 9)
    data = images(500 if asked.smoke else None)
    difference, rounded = differences(torch.float64, data), differences(torch.float32, data)
    if max(difference.values()) > 1e-6:
        raise ValueError(f"the two triplet losses differ: {difference}")
    ways = {
        "DML autoencoder, semidml": ours_autoencoder(steps, data),
        "triplet loop, semidml": triplet_loop(steps, data, ours),
        "triplet loop, pytorch-metric-learning": triplet_loop(steps, data, library()),
        "triplet loss alone, semidml": loss_alone(steps, data, ours),
        "triplet loss alone, pytorch-metric-learning": loss_alone(steps, data, library()),
        "GEMM": gemm(steps * 5),
    }
    short = bfloat16_pays("cpu")
    if short:
        ways["GEMM in bfloat16"] = gemm(steps * 5, torch.bfloat16)
        ways["DML autoencoder, semidml, bfloat16"] = ours_autoencoder(steps, data, half_precision=True)
    for name, knobs in STEPS.items():
        for taken in ("float32", "auto", *(["bfloat16"] if short else [])):
            ways[f"{name}, {taken}"] = app_step(steps, data, taken, knobs)
    if there := find_spec("pytorch_lightning") is not None:
        ways["DML autoencoder, Lightning over torchvision items"] = lightning_autoencoder(steps, asked.smoke)
    before = others_busy(asked.smoke)
    rates = rounds(ways, count)
    after = others_busy(asked.smoke)

    def ratio(a: str, b: str) -> float:
        return statistics.median(x / y for x, y in zip(rates[a], rates[b], strict=True))

    samples = {name: statistics.median(values) for name, values in rates.items() if not name.startswith("GEMM")}
    triplet = ratio("triplet loop, semidml", "triplet loop, pytorch-metric-learning")
    alone = ratio("triplet loss alone, semidml", "triplet loss alone, pytorch-metric-learning")
    share = ratio("DML autoencoder, semidml", "GEMM") * step_flop()
    numbers = {
        "samples_a_second": samples,
        "triplet_ratio": triplet,
        "triplet_alone_ratio": alone,
        "gemm_share": share,
        "difference": difference,
        "rounded": rounded,
        "others_busy_cores": [before, after],
    }
    rows = [[name, f"{value:,.0f}"] for name, value in samples.items()]
    lines = [
        f"- triplet loop: **{triplet:.1f} times** pytorch-metric-learning's; the loss alone, without the encoder and "
        f"the optimiser that both loops share, **{alone:.1f} times**; values within "
        f"{difference['value']:.0e}, gradients within {difference['gradient']:.0e} in double precision "
        f"({rounded['value']:.0e}, {rounded['gradient']:.0e} in single)"
    ]
    if there:
        name = "DML autoencoder, Lightning over torchvision items"
        numbers["lightning_ratio"] = ratio("DML autoencoder, semidml", name)
        told = f"- DML autoencoder step: **{numbers['lightning_ratio']:.1f} times** Lightning over torchvision items"
        if short:
            numbers["lightning_ratio_bfloat16"] = ratio("DML autoencoder, semidml, bfloat16", name)
            told += f", in bfloat16 **{numbers['lightning_ratio_bfloat16']:.1f} times**"
        lines.insert(0, told)
    else:
        lines.insert(0, "- pytorch-lightning is not installed: not compared")
    lines.append(
        f"- our step's matrix products: **{share:.0%}** of the machine's own GEMM rate, data and Adam included"
    )
    shares = {"float32": "GEMM"} | ({"bfloat16": "GEMM in bfloat16"} if short else {})
    for name, knobs in STEPS.items():
        its = {taken: ratio(f"{name}, {taken}", f"{name}, float32") for taken in ("auto", *list(shares)[1:])}
        rate = {taken: ratio(f"{name}, {taken}", own) * app_flop(knobs) for taken, own in shares.items()}
        numbers[name] = {"times_float32": its, "gemm_share": rate}
        told = [f"{taken} **{times:.2f} times** float32's" for taken, times in its.items()]
        told += [f"{share:.0%} of the machine's own {taken} GEMM rate" for taken, share in rate.items()]
        lines.append(f"- {name} of the app: {'; '.join(told)}")
    lines += [] if short else ["- this processor has no bfloat16 maths: auto takes float32, and bfloat16 was not timed"]
    numbers["worker_megabytes"] = memory("digits" if asked.smoke else "mnist")
    lines.append(f"- MNIST in training, peak of the worker process: **{numbers['worker_megabytes']:,.0f} MB**")
    text = "\n\n".join(
        [
            f"784-512-10, batch {BATCH}, one thread, medians of {count} interleaved rounds of {steps} steps, "
            f"matrix precision {precision}; {machine()}. {busy_words(before, after)}",
            markdown(["way", "samples a second"], rows),
            "\n".join(lines),
        ]
    )
    report("throughput", text, numbers, asked.write)


if __name__ == "__main__":
    main()
