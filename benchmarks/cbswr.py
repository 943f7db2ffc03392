"""Clustering without labels: the second paper's ablation, its sweep of K, its seconds an epoch, and what labels are
worth.

    python benchmarks/cbswr.py [--smoke | --write]

Nguyen et al., BMVC 2020, arXiv 2009.04091, tables 2 to 4, on MNIST and, where the environment variable SEMIDML_CARS
names an image folder or .zip of Cars-196, on its classes split in halves. Every run is kept in
benchmarks/results/cbswr.jsonl. Two processes, one thread each; the seconds are of seed 0 alone, torch's threads on
every core. Settings were chosen on 6,000 held-out training images of MNIST, seeds 0 to 2, and on the last 32 or 49
training classes of Cars-196, seeds 0 and 1; RESULTS.md tells of each setting of Cars-196 whose scores of the test
classes were looked at. The last epoch is scored on the test set, no score chooses an epoch.
"""

import os
import statistics
from functools import partial
from pathlib import Path

from common import SINGLE, Kept, arguments, interval, key, markdown, report, results_of, run_all, spread

from semidml.config import RunConfig
from semidml.data import DATASETS
from semidml.explore.clusters import comparator_configs, labels_worth
from semidml.methods import VARIANTS
from semidml.presets import CLUSTERS

DATA, CARS = "mnist", "cars196-half-64px"
EPOCHS = {DATA: 1, CARS: 36}
PRESETS = {preset.title: preset for preset in CLUSTERS}
BEST, PHOTOGRAPHS = PRESETS["Best clusters"], PRESETS["Photographs"]
SMALL: dict = {}  # what a smoke run has of less
KMEANS = ("kmeans_ami", "kmeans_nmi", "kmeans_accuracy")
SWEEP = (10, 32, 100)  # clusters
FEWER = range(2)  # seeds of the sweep and of what labels are worth
LABELS = (50, 200, 1_000, 5_000)
COLUMNS = {
    "recall_at_1": "R@1",
    "map_at_r": "MAP@R",
    "knn_accuracy": "kNN",
    "kmeans_nmi": "NMI",
    "kmeans_ami": "AMI",
    "kmeans_accuracy": "k-means accuracy",
    "cluster_accuracy": "cluster accuracy",
    "clusters_used": "clusters used",
}


def load(name: str):
    """A data set by the name that the results have for it."""
    from semidml.data import store

    if name == CARS:
        return store.load(str(Path(os.environ["SEMIDML_CARS"]).resolve()), allow_paths=True)
    return store.load(name, download=True)


def measure(values: dict, threads: int = 1) -> dict:
    """One run in this process: scores of all test images, and the seconds of training."""
    import torch

    from semidml.scores import agreement, classifiers, clusters, retrieval
    from semidml.scores.clusters import cluster_scores
    from semidml.train.device import fastest_precision
    from semidml.train.loop import fit
    from semidml.train.outputs import outputs_of

    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(fastest_precision())
    training = fit(RunConfig.of(SINGLE | values), load(values["data"]))
    for tick in training:
        seconds = tick.seconds
    data, outputs = training.data, outputs_of(training.method, training.data.test.images, training.view.has_clusters)
    test, labels = outputs.latents, data.test.labels.numpy()
    found = {"seconds": seconds, "recall_at_1": retrieval.recall_at(test, labels, (1,))[0]}
    if outputs.logits is None:
        return found
    found |= dict(zip(KMEANS, clusters.kmeans_scores(test, labels, len(set(labels.tolist())))[:3], strict=True))
    found |= {"map_at_r": retrieval.map_at_r(test, labels)} | cluster_scores(outputs.logits, labels)
    if not data.disjoint:
        train, its = training.embed(data.train.images), data.train.labels.numpy()
        predicted = classifiers.knn_classify(train, its, test, len(data.class_names))
        found["knn_accuracy"] = agreement.accuracy(labels, predicted)
    return found


def pixels(name: str, centred: bool = False) -> dict:
    """The same scores of pixels, and of random labels in place of clusters; raw, or less the mean image of the training
    split and scaled to length 1, as embeddings are."""
    import numpy as np

    from semidml.scores import agreement, classifiers, clusters, retrieval
    from semidml.train.task import prepare

    data, _ = prepare(RunConfig.of(base(name)), load(name))
    mean = flat(data.train.images).mean(0) if centred else 0

    def rows_of(images) -> np.ndarray:
        rows = flat(images) - mean
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if centred else rows

    rows, labels = rows_of(data.test.images), data.test.labels.numpy()
    classes = len(np.unique(labels))
    found = dict(zip(KMEANS, clusters.kmeans_scores(rows, labels, classes)[:3], strict=True))
    found["recall_at_1"] = retrieval.recall_at(rows, labels, (1,))[0]
    found["map_at_r"] = retrieval.map_at_r(rows, labels)
    if not data.disjoint:
        train, its = rows_of(data.train.images), data.train.labels.numpy()
        found["knn_accuracy"] = agreement.accuracy(labels, classifiers.knn_classify(train, its, rows, classes))
    shuffled = np.random.default_rng(0).integers(0, classes, len(labels))
    return found | {"random_nmi": agreement.nmi(labels, shuffled)}


def flat(images):
    """Images (N, C, H, W), uint8 -> (N, C H W) float32 in [0, 1]."""
    return images.flatten(1).numpy().astype("float32") / 255


def base(name: str, **values: object) -> dict:
    where = {**PHOTOGRAPHS.values, "split": "classes"} if name == CARS else {}
    return {"model": "cbswr", "epochs": EPOCHS[name]} | where | values | {"data": name}


def settings(name: str) -> dict[str, dict]:
    """The rows of the ablation."""
    found = {entry.title: base(name, variant=entry.name) for entry in VARIANTS.values()}
    return found | ({"best clusters (ours)": base(name, **(BEST.on(name) | SMALL))} if name == DATA else {})


def table(name: str, seeds: range, kept: Kept) -> str:
    its_pixels = kept.get(f"pixels {name}", partial(pixels, name))
    centred = kept.get(f"centred pixels {name}", partial(pixels, name, centred=True))
    columns = [
        column
        for column in COLUMNS
        if name == DATA or column in ("recall_at_1", "map_at_r", "kmeans_nmi", "kmeans_ami")
    ]
    rows = [
        [title, *(spread([its.get(column)]) for column in columns), "0"]
        for title, its in (("raw pixels", its_pixels), ("pixels, centred and of length 1", centred))
    ]
    for title, values in settings(name).items():
        found = [kept.known[key(values | {"seed": seed})] for seed in seeds]
        cells = [spread((r.get(c) for r in found), 0 if c == "clusters_used" else 3) for c in columns]
        alone = kept.alone(values | {"seed": 0}, measure)
        rows.append([title, *cells, f"{alone['seconds']:.0f}"])
    text = markdown([name, *(COLUMNS[column] for column in columns), "seconds alone"], rows)
    return f"{text}\n\nNMI of as many clusters drawn at random: {its_pixels['random_nmi']:.3f}."


def order(name: str, seeds: range, kept: Kept) -> str:
    """Whether SME < CBS < CBSwR, by paired differences of Recall@1 and NMI."""
    lines = []
    for low, high in (("sme", "cbs"), ("cbs", "cbswr"), ("clustering", "cbswr")):
        runs = [
            [kept.known[key(base(name, variant=variant) | {"seed": seed})] for seed in seeds] for variant in (low, high)
        ]
        gaps = {
            COLUMNS[score]: interval([b[score] - a[score] for a, b in zip(*runs, strict=True)])
            for score in ("recall_at_1", "kmeans_nmi")
        }
        told = ", ".join(f"{score} {gap}" for score, gap in gaps.items())
        lines.append(f"- {VARIANTS[high].title} above {VARIANTS[low].title}: {told}")
    return "\n".join(lines)


def sweep_runs(seeds: range) -> dict[int, list[dict]]:
    return {
        k: [base(DATA, variant="cbswr") | ({} if k == 32 else {"clusters": k}) | {"seed": seed} for seed in seeds]
        for k in SWEEP
    }


def sweep_table(seeds: range, kept: Kept) -> str:
    rows = []
    for k, runs in sweep_runs(seeds).items():
        found = [kept.known[key(values)] for values in runs]
        cells = [spread((r[c] for r in found), 0 if c == "clusters_used" else 3) for c in SWEPT]
        rows.append([k, *cells])
    return markdown(["K", *(COLUMNS[c] for c in SWEPT)], rows)


SWEPT = ("recall_at_1", "kmeans_nmi", "kmeans_ami", "clusters_used")


def decoder_words(name: str, kept: Kept) -> str:
    """Seconds an epoch with and without the decoder, alone."""
    seconds = {
        variant: kept.alone(base(name, variant=variant) | {"seed": 0}, measure)["seconds"] / EPOCHS[name]
        for variant in ("cbs", "cbswr")
    }
    with_it, without = seconds["cbswr"], seconds["cbs"]
    return f"{name}: {with_it:.1f} s with the decoder, {without:.1f} s without ({with_it / without:.2f} times)"


def worth_runs(seeds: range) -> dict[int, list[dict]]:
    """Plain deep metric learning by the number of labels, as the page Clustering without labels trains it."""
    config = RunConfig.of(base(DATA))
    return {
        count: [its.model_dump() | {"seed": seed} for seed in seeds]
        for count, its in comparator_configs(config, DATASETS[DATA].facts["train"], 10, LABELS).items()
    }


def worth_words(seeds: range, kept: Kept) -> tuple[str, dict]:
    """What labels are worth: the number at which plain deep metric learning reaches Recall@1 without labels."""
    runs = worth_runs(seeds)
    reached = {
        count: [kept.known[f"labels {count} seed {values['seed']}"]["recall_at_1"] for values in its]
        for count, its in runs.items()
    }
    means = [statistics.mean(values) for values in reached.values()]
    rows = [[f"{count:,}" for count in reached], [spread(values) for values in reached.values()]]
    text = markdown(["labels", *rows[0]], [["R@1 of plain DML", *rows[1]]])
    told, worth = [], {}
    for title, values in settings(DATA).items():
        if title in ("CBSwR", "best clusters (ours)"):
            level = statistics.mean(kept.known[key(values | {"seed": s})]["recall_at_1"] for s in seeds)
            worth[title] = labels_worth(list(runs), means, level)
            count = "more than all of these" if worth[title] is None else f"about {worth[title]:,.0f}"
            epochs = f"{values['epochs']} epoch{'s' * (values['epochs'] > 1)}"
            told.append(f"{title} (R@1 {level:.3f}, {epochs}): {count} labels")
    return f"{text}\n\nWorth of no label at all: {'; '.join(told)}.", worth


def main() -> None:
    global DATA, FEWER, LABELS, SWEEP
    asked = arguments(__doc__)
    names = [DATA] + ([CARS] if os.environ.get("SEMIDML_CARS") else [])
    seeds = {DATA: range(4), CARS: range(3)}
    if asked.smoke:
        DATA, FEWER, LABELS, SWEEP, SMALL["epochs"] = "digits", range(1), (50, 200), (10,), 1
        names, seeds, EPOCHS[DATA] = [DATA], {DATA: range(1)}, 1
    kept = results_of("cbswr", asked.smoke)
    for name in names:
        run_all([v | {"seed": seed} for v in settings(name).values() for seed in seeds[name]], kept, measure)
    parts = []
    for name in names:
        its_table, where = table(name, seeds[name], kept), kept.measured_on(f"data={name} ")
        parts += [f"**{name}**, n = {len(seeds[name])} seeds, {where}:", its_table, order(name, seeds[name], kept)]
    run_all([values for its in sweep_runs(FEWER).values() for values in its], kept, measure)
    parts += ["**K**, the number of clusters (CBSwR on MNIST, n = 2):", sweep_table(FEWER, kept)]
    labelled = {f"labels {count} seed {v['seed']}": v for count, its in worth_runs(FEWER).items() for v in its}
    for name, values in labelled.items():
        kept.get(name, partial(measure, values, kept.threads))
    told, worth = worth_words(FEWER, kept)
    how = f"MNIST, n = 2; {EPOCHS[DATA]} epoch, conv, 16 dimensions, augmented; {kept.measured_on('labels ')}"
    parts += [f"**What labels are worth** ({how}):", told]
    parts += ["**Seconds an epoch**, alone: " + "; ".join(decoder_words(name, kept) for name in names) + "."]
    head = (
        "Mean ± sd, one thread. NMI and AMI of k-means with as many clusters as test classes, best of 20 "
        "starts; kNN: 5 neighbours among all training labels; cluster accuracy: the clustering head's own clusters, "
        "best one-to-one assignment. Seconds: training of seed 0 alone, both cores. The last epoch is scored."
    )
    report("cbswr", "\n\n".join([head, *parts]), {"worth": worth, "runs": kept.known}, asked.write)


if __name__ == "__main__":
    main()
