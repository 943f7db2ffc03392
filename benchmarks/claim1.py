"""The paper's first claim on MNIST, the levels that a user may expect, and what a reconstruction adds beyond its own
worth.

    python benchmarks/claim1.py [--smoke | --write]

Safir et al., SciPy 2022: a DML autoencoder is far above plain DML at 6 and 60 labels, below it at 6,000; the
autoencoder alone (alpha = 1) is above plain DML up to 60 labels. Every run is kept in
benchmarks/results/claim1.jsonl. Two processes, one thread each; settings are chosen on 6,000 held-out training images
with their labels, the test set is only scored.
"""

import itertools
import statistics
from functools import partial

from common import SINGLE, Kept, arguments, interval, key, machine, markdown, report, results_of, run_all, spread

from semidml.config import RunConfig

DATA = "mnist"
LABELS = {0.01: "6", 0.1: "60", 1: "600", 10: "6,000", 100: "60,000"}
FEW, MANY = (0.01, 0.1), 10  # percentages of labels that the text of the paper sets against each other
PAPER = {"schedule": "epoch", "epochs": 6, "loss": "triplet"}
CORNERS = {  # of the paper's comparison
    "DML": {"model": "dml", "alpha": 0.5},
    "autoencoder (alpha 1)": {"model": "dml-ae", "alpha": 1},
    "DML autoencoder": {"model": "dml-ae", "alpha": 0.5},
}
GRID = {"alpha": (0.02, 0.1, 0.3, 0.6, 0.85), "margin": (0.3, 1.0)}


def measure(values: dict, threads: int = 1, precision: str = "medium") -> dict:
    """One run in this process: 5-NN and 1-NN of the test images, both protocols, and its training seconds."""
    import torch

    from semidml.data import store
    from semidml.scores import agreement, classifiers
    from semidml.train.loop import fit

    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    training = fit(RunConfig.of(SINGLE | values), store.load(values["data"], download=True))
    for tick in training:
        seconds = tick.seconds
    data, seen, classes = training.data, training.seen.rows.numpy(), len(training.data.class_names)
    train, test = training.embed(data.train.images), training.embed(data.test.images)
    labels, truth = data.train.labels.numpy(), data.test.labels.numpy()
    found = {"seconds": seconds, "label_redraws": training.seen.redraws}
    for name, rows, k in (
        ("knn_accuracy", slice(None), 5),
        ("knn_accuracy_labelled", seen, 5),
        ("knn1_accuracy_labelled", seen, 1),
    ):
        predicted = classifiers.knn_classify(train[rows], labels[rows], test, classes, k)
        found[name] = agreement.accuracy(truth, predicted)
    return found


def base(dim: int, pl: float, seed: int, **values: object) -> dict:
    return {"data": DATA, "latent_dim": dim, "pl": pl, "seed": seed} | values


def paper_runs(dim: int, pl: float, seeds: range, corner: str) -> list[dict]:
    return [base(dim, pl, seed, **PAPER, **CORNERS[corner]) for seed in seeds]


def paper_table(dims: list[int], pls: list[float], seeds: range, kept: Kept) -> str:
    """Accuracy of each corner, both protocols, and whether the text's pattern holds in the means."""
    rows = []
    for dim, pl in itertools.product(dims, pls):
        found = {c: [kept.known[key(v)] for v in paper_runs(dim, pl, seeds, c)] for c in CORNERS}
        rows.append([dim, LABELS[pl], *(both(results) for results in found.values())])
    return markdown(["d", "labels", *CORNERS], rows)


def both(results: list[dict]) -> str:
    """All labels / seen labels only."""
    return " / ".join(spread(r[name] for r in results) for name in ("knn_accuracy", "knn_accuracy_labelled"))


def pattern(dim: int, seeds: range, kept: Kept) -> list[tuple[str, bool]]:
    """The sentences of the paper's text, and whether they hold here in the means over the seeds (classifier on all
    labels).
    """

    def mean(pl: float, corner: str) -> float:
        return statistics.mean(kept.known[key(v)]["knn_accuracy"] for v in paper_runs(dim, pl, seeds, corner))

    dml, ae, joint = CORNERS
    return [
        (
            "DML autoencoder far above DML (by .05) at 6 and 60 labels",
            all(mean(p, joint) > mean(p, dml) + 0.05 for p in FEW),
        ),
        ("DML above the DML autoencoder at 6,000 labels", mean(MANY, dml) > mean(MANY, joint)),
        ("autoencoder above DML at 6 and 60 labels", all(mean(p, ae) > mean(p, dml) for p in FEW)),
        ("autoencoder below DML at 6,000 labels", mean(MANY, ae) < mean(MANY, dml)),
        (
            "DML autoencoder above the autoencoder (by .01) at 6 and 60 labels",
            all(mean(p, joint) > mean(p, ae) + 0.01 for p in FEW),
        ),
    ]


# ---- settings chosen on held-out images, then scored on the test set beside both baselines

CHOSEN = {"latent_dim": 10, "epochs": 6, "schedule": "joint", "loss": "triplet"}


def candidates(model: str) -> list[dict]:
    """What may be chosen: alpha and margin of the DML autoencoder, margin of plain DML."""
    if model == "dml":
        return [{"model": model, "margin": margin} for margin in GRID["margin"]]
    return [{"model": model, "alpha": a, "margin": m} for a, m in itertools.product(GRID["alpha"], GRID["margin"])]


def selection_runs(pl: float, model: str, seeds: range) -> list[list[dict]]:
    """For each candidate, its runs on the validation rows."""
    return [
        [base(10, pl, s, **(CHOSEN | candidate | {"evaluate_on": "validation"})) for s in seeds]
        for candidate in candidates(model)
    ]


def choose(pl: float, model: str, seeds: range, kept: Kept) -> dict:
    """The candidate with the best mean validation accuracy of the classifier on all labels."""
    means = [
        statistics.mean(kept.known[key(run)]["knn_accuracy"] for run in runs)
        for runs in selection_runs(pl, model, seeds)
    ]
    return max(zip(means, candidates(model), strict=True), key=lambda pair: pair[0])[1]


def chosen_runs(pl: float, seeds: range, selected_on: range, kept: Kept) -> dict[str, list[dict]]:
    """The runs on the test set of the two baselines and of the DML autoencoder, as chosen."""
    settings = {
        "DML": choose(pl, "dml", selected_on, kept),
        "autoencoder": {"model": "dml-ae", "alpha": 1},
        "DML autoencoder": choose(pl, "dml-ae", selected_on, kept),
    }
    return {name: [base(10, pl, s, **(CHOSEN | values)) for s in seeds] for name, values in settings.items()}


def chosen_table(pls: list[float], seeds: range, selected_on: range, kept: Kept) -> tuple[str, dict]:
    """Test scores as chosen, and paired differences (same seed, same seen labels) with 95 % intervals."""
    rows, numbers = [], {}
    for pl in pls:
        runs = chosen_runs(pl, seeds, selected_on, kept)
        found = {name: [kept.known[key(v)] for v in values] for name, values in runs.items()}
        picked = runs["DML autoencoder"][0]
        gaps = {
            name: [
                a["knn_accuracy"] - b["knn_accuracy"]
                for a, b in zip(found["DML autoencoder"], found[name], strict=True)
            ]
            for name in ("DML", "autoencoder")
        }
        numbers[LABELS[pl]] = {name: statistics.mean(gap) for name, gap in gaps.items()}
        rows.append(
            [
                LABELS[pl],
                f"{picked['alpha']:g}, {picked['margin']:g}",
                *(both(results) for results in found.values()),
                *(interval(gap) for gap in gaps.values()),
            ]
        )
    head = ["labels", "alpha, margin", "DML", "autoencoder", "DML autoencoder", "minus DML", "minus autoencoder"]
    return markdown(head, rows), numbers


# ---- levels that a user may expect

PLANE = {"model": "dml", "pl": 100, "latent_dim": 2, "epochs": 8, "encoder": "conv", "lr": 0.002}
LEVELS = [  # what, its settings, the level to reach on all labels
    ("DML, d=10, 6,000 labels", {"model": "dml", "pl": 10, "latent_dim": 10, "epochs": 6}, 0.955),
    (
        "DML + augmentation, d=10, 6,000 labels",
        {"model": "dml", "pl": 10, "latent_dim": 10, "epochs": 8, "augment": "on"},
        0.970,
    ),
    (
        "DML + augmentation, d=10, 60,000 labels",
        {"model": "dml", "pl": 100, "latent_dim": 10, "epochs": 8, "augment": "on"},
        0.978,
    ),
    (
        "DML, d=2, 60,000 labels, conv",
        PLANE,
        0.965,
    ),
]


def level_runs(values: dict, seeds: range) -> list[dict]:
    return [{"data": DATA, "lr_decay": "cosine", "seed": s} | values for s in seeds]


def time_alone(values: dict, kept: Kept) -> float:
    """Training seconds of the first seed with nothing beside it, torch's threads on every core, in float32."""
    run = level_runs(values, range(1))[0]
    return kept.alone(run, partial(measure, precision="highest"))["seconds"]


def level_table(seeds: range, kept: Kept) -> str:
    rows = []
    for what, values, wanted in LEVELS:
        found = [kept.known[key(v)] for v in level_runs(values, seeds)]
        rows.append([what, both(found), f"{wanted:.3f}".removeprefix("0"), f"{time_alone(values, kept):.0f}"])
    return markdown(["setting", "accuracy: all labels / seen labels", "wanted", "seconds of training, alone"], rows)


def main() -> None:
    global DATA, FEW, MANY
    asked = arguments(__doc__)
    seeds, selected_on = (range(1), range(1)) if asked.smoke else (range(3), range(1))
    dims, chosen_pls = ([10], [20]) if asked.smoke else ([10, 2], [0.1, 1, 10])
    if asked.smoke:
        DATA, FEW, MANY = "digits", (5,), 20
        LABELS.update({5: "65", 20: "259"})
        PAPER["epochs"] = CHOSEN["epochs"] = 1
        GRID.update(alpha=(0.3, 0.9), margin=(1.0,))
        LEVELS[:] = [(what, values | {"epochs": 1}, wanted) for what, values, wanted in LEVELS[:1]]
    pls = [*FEW, MANY]
    kept = results_of("claim1", asked.smoke)
    run_all([v for d in dims for p in pls for c in CORNERS for v in paper_runs(d, p, seeds, c)], kept, measure)
    models = ("dml", "dml-ae")
    run_all(
        [v for p in chosen_pls for m in models for runs in selection_runs(p, m, selected_on) for v in runs],
        kept,
        measure,
    )
    run_all(
        [v for p in chosen_pls for runs in chosen_runs(p, seeds, selected_on, kept).values() for v in runs],
        kept,
        measure,
    )

    run_all([v for _, values, _ in LEVELS for v in level_runs(values, seeds)], kept, measure)

    told = [(dim, *line) for dim in dims for line in pattern(dim, seeds, kept)]
    chosen, gaps = chosen_table(chosen_pls, seeds, selected_on, kept)
    text = "\n\n".join(
        [
            f"MNIST, n = {len(seeds)} seeds, mean ± sd, one thread, {machine()}. Cells: 5-NN accuracy on the "
            "test set, classifier fitted on **all training labels / the seen labels only**. Matrix products rounded to "
            'bfloat16 (torch\'s precision "medium" on this processor), other than in the app, but for the timings.',
            f"**The paper's schedule** (by epoch, alpha .5, {PAPER['epochs']} epochs, triplet loss):",
            paper_table(dims, pls, seeds, kept),
            "\n".join(f"- d={dim}: {what}: **{'yes' if holds else 'no'}**" for dim, what, holds in told),
            f"**Both losses in each step** (d=10, {CHOSEN['epochs']} epochs); alpha and margin chosen with the labels "
            f"of 6,000 held-out images ({len(selected_on)} seed); paired differences on all labels, 95 % intervals:",
            chosen,
            "**Levels** (cosine decay of the learning rate; conv: lr .002):",
            level_table(seeds, kept),
        ]
    )
    pattern_holds = {f"d={d} {what}": holds for d, what, holds in told}
    numbers = {"pattern": pattern_holds, "differences": gaps, "runs": kept.known}
    report("claim1", text, numbers, asked.write)


if __name__ == "__main__":
    main()
