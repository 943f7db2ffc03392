"""Labels that nobody gave beside labels that are hidden: OrganAMNIST with nine in ten of its labels removed.

    python benchmarks/removed_labels.py [--smoke | --write]

One run of each pair trains on the official file and sees pl = 10 % of its labels. For the other those labels are all
that a file still has, -1 stands for the others, and the run sees 100 %. Both learn from all images. Classifiers are
fitted on the labels that were seen. Every run is kept in benchmarks/results/removed_labels.jsonl; a smoke run takes
the digits.
"""

import tempfile
from pathlib import Path

import numpy as np
from common import Kept, arguments, key, markdown, report, results_of, run_all, spread

from semidml.config import RunConfig

DATA, EPOCHS, SEEDS, PL = "organamnist", 5, 3, 10
SETTINGS = {  # what, its knobs
    "plain DML, d=10": {"model": "dml", "latent_dim": 10},
    "DML autoencoder, d=2": {"model": "dml-ae", "latent_dim": 2},
    "MetricVAE, VampPrior, d=2": {"model": "metric-vae", "prior": "vamp", "latent_dim": 2},
}
SCORES = ("knn_accuracy_labelled", "kmeans_ami", "map_at_r", "reconstruction_mse")


def measure(values: dict) -> dict:
    """One run in this process: some of its final scores, all its losses by epoch, how many rows it saw labelled."""
    import torch

    from semidml.data import store
    from semidml.train import task
    from semidml.train.device import fastest_precision
    from semidml.train.loop import fit

    torch.set_num_threads(1)
    torch.set_float32_matmul_precision(fastest_precision())
    config = RunConfig.of({name: value for name, value in values.items() if name != "labels"})
    data = store.load(config.data, download=True)
    if values["labels"] == "removed":
        data = without_labels(data, task.prepare(config, data)[1].rows)
        config = config.model_copy(update={"pl": 100.0})
    training = fit(config, data)
    losses = [record.terms for record in training if record.ends_epoch]
    metrics = training.finish()
    facts = {"seen": training.facts["seen_labels"], "unlabelled": training.facts.get("unlabelled_rows", 0)}
    return {name: metrics[name] for name in SCORES if name in metrics} | facts | {"losses": losses}


def without_labels(data, rows):
    """The data set of an .npz in which only these training rows (n,) have a label, read as a visitor's is."""
    from semidml.data import store

    with tempfile.TemporaryDirectory() as folder:
        path, arrays = Path(folder) / "partly.npz", {"class_names": np.array(data.class_names)}
        for split, (images, labels) in data.parts.items():
            arrays[f"{split.replace('validation', 'val')}_images"] = images.permute(0, 2, 3, 1).numpy().squeeze()
            arrays[f"{split.replace('validation', 'val')}_labels"] = labels.numpy().copy()
        removed = np.ones(len(data.train.labels), bool)
        removed[rows.numpy()] = False
        arrays["train_labels"][removed] = -1
        np.savez(path, **arrays)
        return store.load(str(path), allow_paths=True)


def runs_of(values: dict, labels: str) -> list[dict]:
    common = {"data": DATA, "epochs": EPOCHS, "pl": PL, "precision": "float32", "labels": labels}
    return [common | values | {"seed": seed} for seed in range(SEEDS)]


def table(kept: Kept) -> tuple[str, int, int]:
    """A line for each setting; how many pairs there are, and how many of them are equal in all that was kept."""
    rows, pairs, equal = [], 0, 0
    for what, values in SETTINGS.items():
        hidden, removed = (
            [kept.known[key(run)] for run in runs_of(values, labels)] for labels in ("hidden", "removed")
        )
        same = [
            {k: v for k, v in a.items() if k != "unlabelled"} == {k: v for k, v in b.items() if k != "unlabelled"}
            for a, b in zip(hidden, removed, strict=True)
        ]
        pairs, equal = pairs + len(same), equal + sum(same)
        cells = [spread(run.get(name) for run in runs) for name in SCORES[:3] for runs in (hidden, removed)]
        rows.append(
            [what, f"{removed[0]['seen']:,}", f"{removed[0]['unlabelled']:,}", *cells, f"{sum(same)} of {SEEDS}"]
        )
    head = ["setting", "labels", "rows without", "accuracy, hidden", "removed", "k-means AMI, hidden", "removed"]
    return markdown([*head, "MAP@R, hidden", "removed", "pairs equal to the bit"], rows), pairs, equal


def main() -> None:
    global DATA, EPOCHS, SEEDS
    asked = arguments(__doc__)
    if asked.smoke:
        DATA, EPOCHS, SEEDS = "digits", 1, 1
    kept = results_of("removed_labels", asked.smoke)
    wanted = [
        run for values in SETTINGS.values() for labels in ("hidden", "removed") for run in runs_of(values, labels)
    ]
    run_all(wanted, kept, measure)
    text, pairs, equal = table(kept)
    words = (
        f"OrganAMNIST, mlp, {EPOCHS} epochs, n = {SEEDS} seeds, mean ± sd; accuracy is that of 5 nearest neighbours "
        f"among the seen labels; {kept.measured_on()}."
    )
    report("removed_labels", f"{words}\n\n{text}", {"pairs": pairs, "equal": equal}, asked.write)


if __name__ == "__main__":
    main()
