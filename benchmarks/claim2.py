"""The paper's second claim on MNIST: when a prior collapses, when it induces a bias, and whether it helps.

    python benchmarks/claim2.py [--smoke | --write]

Safir et al., SciPy 2022, report every model with a prior at the level of the null model. Every run is kept in
benchmarks/results/claim2.jsonl. Two processes, one thread each, float32.
"""

import math
import statistics
from typing import TYPE_CHECKING

from common import SINGLE, Kept, arguments, interval, key, machine, markdown, report, results_of, run_all, spread

from semidml.config import RunConfig

if TYPE_CHECKING:
    from semidml.train.loop import Training

DATA = "mnist"
PAPER = {"model": "dml-prior", "schedule": "epoch", "alpha": 0.5, "epochs": 4}  # vertices 2 apart, log-variance 1
VAE = {"model": "metric-vae", "latent_dim": 10, "schedule": "epoch", "alpha": 0.5, "epochs": 4}
CUBE = {
    "model": "dml-prior", "latent_dim": 4, "component_log_var": -2, "alpha": 0.1, "warmup_epochs": 1, "epochs": 4,
}  # fmt: skip
LATTICE = {
    "model": "dml-prior", "placement": "lattice", "component_spacing": 2.67, "component_log_var": -1,
    "alpha": 0.2, "warmup_epochs": 0.25, "epochs": 5,
}  # fmt: skip
PLANE = LATTICE | {"balance": "sinkhorn"}
RING = PLANE | {"placement": "sphere", "component_spacing": 8 * math.sin(math.pi / 10)}  # a circle of radius 4
CONV = PLANE | {"encoder": "conv", "epochs": 7}
LONG_START = CONV | {"pl": 1, "augment": "on", "warmup_epochs": 2, "alpha": 0.05}  # picked on held-out images, one seed
NULL = {  # what: settings, seeds
    "d=2, 60,000 labels": (PAPER | {"latent_dim": 2, "pl": 100}, 5),
    "d=2, 6,000 labels": (PAPER | {"latent_dim": 2, "pl": 10}, 5),
    "d=4, 60,000 labels": (PAPER | {"latent_dim": 4, "pl": 100}, 5),
    "d=4, 6,000 labels": (PAPER | {"latent_dim": 4, "pl": 10}, 5),
    "MetricVAE, d=10, reconstruction averaged": (VAE | {"reconstruction": "mean"}, 3),
    "MetricVAE, d=10, reconstruction summed": (VAE | {"reconstruction": "sum"}, 3),
}
BIAS = {
    "d=4, 16 vertices, log-variance -2": (CUBE, 5),
    "d=2, ten on a lattice, balanced": (PLANE, 5),
    "the same, not balanced": (LATTICE, 5),
    "the same on a ring, balanced": (RING, 3),
    "lattice, balanced, conv": (CONV, 3),
    "lattice, components given to classes by force (upper bound)": (LATTICE | {"forced": True}, 5),
    "lattice, balanced, 600 labels": (PLANE | {"pl": 1}, 3),
    "lattice, balanced, 600 labels, conv, augmentation": (CONV | {"pl": 1, "augment": "on"}, 3),
    "the same after two metric-only epochs, alpha .05": (LONG_START, 3),
}
FLOORS = {  # plain DML of the same seeds, its latents turned and scaled to fit these components
    "plain DML, d=4, read by the 16 vertices": ({"model": "dml", "latent_dim": 4, "epochs": 4}, CUBE, 5),
    "plain DML, d=2, read by the lattice": ({"model": "dml", "latent_dim": 2, "epochs": 5}, PLANE, 5),
}
HELP = {  # no decoder, d=4, six epochs; what the prior adds to plain DML
    "DML": {"model": "dml"},
    "unit": {"model": "dml-prior", "prior": "unit", "alpha": 0.05},
    "mixture": {"model": "dml-prior", "prior": "gmm", "component_log_var": -2, "alpha": 0.05},
}
LABELS = {0.1: "60", 1: "600", 10: "6,000"}


def measure(values: dict, threads: int = 1) -> dict:
    """One run in this process: 5-NN of the test images, both protocols, spread, alarm, component scores; of a run
    without a prior, the floors of the components that `read_by` names. With `forced`, see `force`."""
    import torch

    from semidml.data import store
    from semidml.priors.gmm import Gmm
    from semidml.scores import agreement, classifiers, collapse, components
    from semidml.train import final, task
    from semidml.train.loop import fit

    torch.set_num_threads(threads)
    given = {name: value for name, value in values.items() if name not in ("read_by", "forced")}
    training = fit(RunConfig.of(SINGLE | given), store.load(given["data"], download=True))
    if values.get("forced"):
        force(training)
    for tick in training:
        alarms, seconds = tick.alarms, tick.seconds
    data, seen, classes = training.data, training.seen.rows.numpy(), len(training.data.class_names)
    gallery, test = training.embed(data.train.images), training.embed(data.test.images)
    labels, truth = data.train.labels.numpy(), data.test.labels.numpy()
    found = {"seconds": seconds, "alarm": bool(alarms), "spread": collapse.spread(test)}
    for name, rows in (("knn_accuracy", slice(None)), ("knn_accuracy_labelled", seen)):
        predicted = classifiers.knn_classify(gallery[rows], labels[rows], test, classes)
        found[name] = agreement.accuracy(truth, predicted)
        found[name.replace("accuracy", "ami")] = agreement.ami(truth, predicted)
    if training.method.prior is not None:
        found |= final.prior_scores(training.method, training.config, data, test)
    if "read_by" in values:
        its: Gmm = task.seeded_model(RunConfig.of(values["read_by"]), data.shape, classes).prior
        found["floor"] = components.fitted_floor(
            test, truth, *(part.numpy() for part in its.components()), seed=given["seed"]
        )
    return found


def force(training: "Training") -> None:
    """An upper bound of what the balance can find: each image is told its class's component. When the prior comes in,
    classes and components are matched so that the squared distances of the classes' means are least (Hungarian
    algorithm); from then on the KL term of an image is -log N(z; m_c, v) - H(q), c its class's component."""
    import torch
    from scipy.optimize import linear_sum_assignment

    from semidml.priors.mixture import log_joint

    labels, step, prior = training.data.train.labels.to(training.device), training._step, training.method.prior
    means, log_vars, weights = prior.components()
    of_step: list[torch.Tensor] = []  # the classes of the step's images
    places: list[torch.Tensor] = []  # the component of each class, once it is known

    def stepped(number: int, labelled: torch.Tensor, views: torch.Tensor | None, images: torch.Tensor, *more) -> tuple:
        of_step[:] = [labels[images.to(labels.device)]]
        return step(number, labelled, views, images, *more)

    def kl(z: torch.Tensor, mean: torch.Tensor, log_var: torch.Tensor, posteriors: None = None) -> torch.Tensor:
        if not places:
            latents = torch.from_numpy(training.embed(training.data.train.images)).to(means)
            centres = torch.stack([latents[labels == c].mean(0) for c in labels.unique()])
            matched = linear_sum_assignment(torch.cdist(centres, means).square().cpu())[1]
            places.append(torch.from_numpy(matched).to(labels))
        joint = log_joint(z, means, log_vars, weights.log()).mean(0)  # (B, K)
        entropy = (log_var + math.log(2 * math.pi) + 1).sum(1) / 2  # (B,)
        return -joint.gather(1, places[0][of_step[0]][:, None])[:, 0] - entropy

    training._step, prior.kl = stepped, kl


def seeded(values: dict, n: int) -> list[dict]:
    return [{"data": DATA, "pl": 100, "seed": seed} | values for seed in range(n)]


def floor_runs(plain: dict, read_by: dict, n: int) -> list[dict]:
    return [run | {"read_by": {"data": DATA} | read_by} for run in seeded(plain, n)]


def help_runs(model: str, pl: float, n: int) -> list[dict]:
    return seeded(HELP[model] | {"latent_dim": 4, "epochs": 6, "pl": pl}, n)


def cost_of_samples(rounds: int) -> dict:
    """Training seconds of an epoch with the Monte Carlo KL of 16 components over those with the closed form of the unit
    Gaussian, d=4: the median over rounds in turn, in this process."""
    import torch

    from semidml.data import store
    from semidml.train.loop import fit

    torch.set_num_threads(1)
    data, ratios = store.load(DATA, download=True), []
    for _ in range(rounds):
        seconds = []
        for prior in ("unit", "gmm"):
            values = {"data": DATA, "model": "dml-prior", "prior": prior, "latent_dim": 4, "epochs": 1}
            seconds.append([tick.seconds for tick in fit(RunConfig.of(SINGLE | values), data)][-1])
        ratios.append(seconds[1] / seconds[0])
    return {"ratio": statistics.median(ratios)}


def time_alone(values: dict, kept: Kept) -> float:
    """Training seconds of the first seed with nothing beside it, torch's threads on every core."""
    run = seeded(values, 1)[0]
    return kept.alone(run, measure)["seconds"]


# ---- tables


def null_table(kept: Kept) -> str:
    rows = []
    for what, (values, n) in NULL.items():
        found = [kept.known[key(run)] for run in seeded(values, n)]
        alarmed = sum(one["alarm"] for one in found)
        columns = [spread(one[name] for one in found) for name in ("knn_accuracy", "knn_ami", "spread")]
        rows.append([what, *columns, f"{alarmed} of {n}"])
    return markdown(["the paper's setting", "accuracy, all labels", "AMI", "spread of the latents", "alarm"], rows)


def bias_table(kept: Kept) -> str:
    rows = []
    for what, (values, n) in BIAS.items():
        found = [kept.known[key(run)] for run in seeded(values, n)]
        columns = [spread(one[name] for one in found) for name in ("knn_accuracy", "component_ami")]
        distance = spread((one["component_distance"] for one in found), 2)
        alone = ", ".join(str(one["classes_alone"]) for one in found)
        rows.append([what, *columns, distance, alone, f"{time_alone(values, kept):.0f}"])
    for what, (plain, read_by, n) in FLOORS.items():
        found = [kept.known[key(run)] for run in floor_runs(plain, read_by, n)]
        turned = [one for run in found for one in run["floor"]]
        accuracy = spread(one["knn_accuracy"] for one in found)
        rows.append([f"*floor: {what}*", accuracy, f"{spread(turned)}, best {max(turned):.3f}", "", "", ""])
    head = [
        "setting",
        "accuracy, all labels",
        "component AMI",
        "sigmas a dimension to the own component",
        "classes alone",
        "seconds",
    ]
    return markdown(head, rows)


def help_table(pls: list[float], n: int, kept: Kept) -> str:
    rows = []
    for pl in pls:
        found = {model: [kept.known[key(run)] for run in help_runs(model, pl, n)] for model in HELP}
        for protocol, name in (("all labels", "knn_accuracy"), ("seen labels", "knn_accuracy_labelled")):
            gaps = [
                interval([a[name] - b[name] for a, b in zip(found[model], found["DML"], strict=True)])
                for model in ("unit", "mixture")
            ]
            rows.append([LABELS[pl], protocol, *(spread(one[name] for one in of) for of in found.values()), *gaps])
    return markdown(["labels", "fitted on", *HELP, "unit minus DML", "mixture minus DML"], rows)


def main() -> None:
    global DATA
    asked = arguments(__doc__)
    pls, n_help = ([10], 1) if asked.smoke else ([0.1, 1, 10], 5)
    if asked.smoke:
        DATA, LABELS[10] = "digits", "130"
        for table in (NULL, BIAS):
            shown = {what: it for what, it in table.items() if what == next(iter(table)) or it[0].get("forced")}
            table.clear()
            table.update({what: (values | {"epochs": 1, "warmup_epochs": 0}, 1) for what, (values, _) in shown.items()})
        for what, (plain, read_by, _) in list(FLOORS.items()):
            FLOORS[what] = (plain | {"epochs": 1}, read_by, 1)
    kept = results_of("claim2", asked.smoke)
    run_all([run for values, n in BIAS.values() for run in seeded(values, n)], kept, measure)
    run_all([run for plain, by, n in FLOORS.values() for run in floor_runs(plain, by, n)], kept, measure)
    run_all([run for values, n in NULL.values() for run in seeded(values, n)], kept, measure)
    run_all([run for pl in pls for model in HELP for run in help_runs(model, pl, n_help)], kept, measure)
    cost = kept.get("cost of samples", lambda: cost_of_samples(1 if asked.smoke else 7))["ratio"]
    text = "\n\n".join(
        [
            f"MNIST, mean ± sd over seeds, one thread, float32, {machine()}. 5-NN accuracy on the test set.",
            f"**The null.** Alternating by epoch, alpha .5, components at the vertices 2 apart with log-variance 1:\n\n"
            f"{null_table(kept)}",
            "**The bias, induced.** Joint, 60,000 labels unless said; seconds of training, alone on both cores:\n\n"
            f"{bias_table(kept)}",
            f"**Does it help?** d=4, no decoder, alpha .05, {n_help} seeds, paired differences with 95 % intervals:\n\n"
            f"{help_table(pls, n_help, kept)}",
            f"An epoch with one sample of the KL divergence from 16 components takes {cost:.2f} times as long as with "
            "the closed form of the unit Gaussian (median of 7 rounds).",
        ]
    )
    report("claim2", text, {"runs": len(kept.known)}, asked.write)


if __name__ == "__main__":
    main()
