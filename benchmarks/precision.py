"""What training in bfloat16 costs in accuracy, on MNIST: paired runs that differ in nothing else.

    python benchmarks/precision.py [--smoke | --write]

The precision auto takes bfloat16 for encoders of which this table shows no loss, where the machine is faster with it
(`semidml.networks.precision`). How much faster is a matter of benchmarks/throughput.py. Every run is kept in
benchmarks/results/precision.jsonl; two processes, one thread each. On a processor without bfloat16 maths it takes
hours.
"""

import statistics

from common import Kept, arguments, interval, key, markdown, report, results_of, run_all, spread

from semidml.config import RunConfig

DATA, EPOCHS, SEEDS = "mnist", 5, 10
PRECISIONS = ("float32", "bfloat16")
SETTINGS = {  # what, its knobs
    "DML autoencoder, d=10, all labels": {"model": "dml-ae", "latent_dim": 10, "alpha": 0.1},
    "DML autoencoder, d=10, 600 labels": {"model": "dml-ae", "latent_dim": 10, "alpha": 0.5, "pl": 1},
    "VAE, d=10": {"model": "metric-vae", "prior": "unit", "latent_dim": 10, "alpha": 1},
    "plain DML, d=2, all labels": {"model": "dml", "latent_dim": 2},
}
MOST = 0.003  # of a mean loss in accuracy


def measure(values: dict) -> dict:
    """One run in this process: its final scores."""
    import torch

    from semidml.data import store
    from semidml.train.device import fastest_precision
    from semidml.train.loop import fit

    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(fastest_precision())
    training = fit(RunConfig.of(values), store.load(values["data"], download=True))
    for tick in training:
        seconds = tick.seconds
    found = training.finish()
    names = ("knn_accuracy", "knn_accuracy_labelled", "map_at_r", "reconstruction_mse", "elbo_nats")
    return {name: found[name] for name in names if name in found} | {"seconds": seconds}


def runs_of(values: dict, precision: str) -> list[dict]:
    common = {"data": DATA, "epochs": EPOCHS, "precision": precision}
    return [common | values | {"seed": seed} for seed in range(SEEDS)]


def table(kept: Kept) -> tuple[str, dict[str, float]]:
    """A line for each setting, and the mean difference of each setting's accuracy."""
    rows, differences = [], {}
    for what, values in SETTINGS.items():
        single, short = ([kept.known[key(run)] for run in runs_of(values, precision)] for precision in PRECISIONS)
        cells = []
        for name, digits in (("knn_accuracy", 4), ("knn_accuracy_labelled", 4), ("elbo_nats", 1)):
            if name not in single[0]:
                cells += ["-", "-"]
                continue
            paired = [b[name] - a[name] for a, b in zip(single, short, strict=True)]
            cells += [" / ".join(spread((run[name] for run in runs), digits) for runs in (single, short))]
            cells += [interval(paired, digits)]
            if name == "knn_accuracy":
                differences[what] = statistics.mean(paired)
        rows.append([what, *cells])
    head = ["setting", "accuracy, all labels", "difference", "seen labels", "difference", "negative ELBO", "difference"]
    return markdown(head, rows), differences


def main() -> None:
    global DATA, EPOCHS, SEEDS
    asked = arguments(__doc__)
    if asked.smoke:
        DATA, EPOCHS, SEEDS = "digits", 1, 2
        for what in list(SETTINGS)[1:3]:
            del SETTINGS[what]
    kept = results_of("precision", asked.smoke)
    wanted = [run for values in SETTINGS.values() for p in PRECISIONS for run in runs_of(values, p)]
    run_all(wanted, kept, measure)
    text, differences = table(kept)
    loss, gain = min(differences.values()), max(differences.values())
    words = (
        f"MNIST, mlp, {EPOCHS} epochs, n = {SEEDS} seeds, mean ± sd of float32 / bfloat16, paired differences with 95 "
        f"% intervals; {kept.measured_on()}."
    )
    end = f"Mean differences in accuracy lie between {loss:+.4f} and {gain:+.4f}; a loss of {MOST:g} was allowed."
    report("precision", f"{words}\n\n{text}\n\n{end}", {"differences": differences}, asked.write)


if __name__ == "__main__":
    main()
