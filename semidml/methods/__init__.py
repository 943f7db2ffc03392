"""Models: what can be trained. `latent.py` is the square of the first paper, `cbswr.py` the second paper; these tables
name the square's corners, the variants of the second, and how far it follows its authors' program.

A model is one file and one line of MODELS; no other code asks for it by its name. Its entry says

    target          "module:build"; `build(config, shape (C, H, W), classes)` gives the method, below
    knobs           fields of `RunConfig` that it reads, which pages, the command line and links offer with it; with
                    `loss`, `schedule`, `prior` or `variant` also those of the entry that is chosen there
    defaults        values of knobs that suit it better than the general ones
    facts           decoder     can it draw its latents
                    prior       does it have a prior; its knobs then have `prior`, and its defaults one
                    labels      does it learn from labels
                    clusters    does it have clusters of its own
                    directions  are its latents directions; where it asks for the knob `loss`, the loss decides instead
                    claim       what it is for, in a sentence that pages show
    and perhaps     alone       what it is called where alpha is 1, so that no label has a say
                    method      which of METHODS it belongs to: its models share what a visitor sets. Without, the model
                                is a method of its own, called by its title
                    images      how many passing by are a good training on two cores, where that is known
                    side_by_side  knobs that may differ between models that are stepped together (`semidml.train.step`),
                                beside those that the entries of its loss, prior, schedule or variant name
                    most        {knob: (its largest value, why: "which ...")}; entries of other families may say so too

A method is an `nn.Module` with

    reads                    {term: names of the fields of a Batch that it needs}
    weights(w_S, w_U, ramp)  {term: its weight in a step}; one that asks for no schedule has its own
    noise(batch, active, generator)  the numbers of chance that these terms of a batch need, drawn on the CPU, or None
    terms(batch, active)     {term: ()} of those that are asked for; all chance in it is the batch's noise, and a buffer
                             that changes is given anew, so that it can be mapped over models (`semidml.train.step`)
    encoder                  the part that must learn, or nothing was trained
    embed(x)                 (B, C, H, W) in [0, 1] -> (B, D), of length 1 where nothing reads lengths (`on_sphere`)

and, where its facts, knobs or schedule ask for it,

    decode(z)                decoder: (B, D) -> (B, C, H, W) in [0, 1]
    prior                    prior: a module of `semidml.priors`
    posterior(x)             prior: (B, C, H, W) -> means (B, D), log-variances (B, D)
    nll(z, x)                decoder and prior: (B, D), (B, C, H, W) -> (), -log p(x | z) in nats, a mean over rows
    with_lengths(x)          the knob `loss`: as `embed`, but however long
    heads(x)                 clusters: (B, C, H, W) -> representations (B, R), embeddings (B, D), cluster logits (B, K)
    lonely_steps             clusters: (), steps so far whose images all lay in one cluster
    draw(representations)    clusters and the knob `reconstruction_weight`: (B, R) -> (B, C, H, W)
    balanced(terms, w_S, w_U, ramp)  the weights of a schedule that balances

Whoever trains it sets `half`: whether what passes `networks.precision.through` is multiplied in bfloat16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from semidml.registry import Entry, table

if TYPE_CHECKING:
    from torch import Tensor


class Batch(NamedTuple):
    """Rows of a step, in [0, 1]; None where no active term reads them. `y` and `pairs` belong to `labelled` and are the
    same in every step of a run."""

    labelled: Tensor | None  # (L, C, H, W)
    y: Tensor  # (L,)
    pairs: tuple[Tensor, ...] | None  # of `semidml.losses.pairs`
    images: Tensor | None  # (B, C, H, W)
    twins: Tensor | None = None  # (B, C, H, W), the images transformed at random
    noise: Tensor | None = None  # what the method's `noise` drew for it, of the model's type and on its device


SAFIR = "Safir et al., SciPy 2022, doi 10.25080/majora-212e5952-022"
NGUYEN = "Nguyen et al., BMVC 2020, arXiv 2009.04091"
LATENT = "semidml.methods.latent:build"
LABELLED = ("loss", "labelled_per_class", "augment")  # knobs of a loss of labelled rows
_TURNS = ("schedule", "warmup_epochs")
_DECODER, _PRIOR = ("reconstruction", "likelihood"), ("prior", "beta", "beta_warmup_epochs")
_HEAD = ("clusters", "formulas", "head_dropout", "clustering_weight", "marginal_weight", "l2", "twins_weight")
_PAIR = ("metric_weight", "temperature")
_HEAD_NUMBERS = ("clustering_weight", "marginal_weight", "l2", "twins_weight")  # that may differ side by side

MOST_COMPARED = 2_048  # images in a step of SME: some matrices of (2 x 2,048)^2 numbers, 67 MB each

METHODS = table(  # what a visitor switches between first; `page` and what it `shows` where a method has one of its own
    [
        Entry(
            *("square", "With labels"),
            "an encoder and a metric loss of the labelled rows, perhaps with a decoder and a prior",
            SAFIR,
        ),
        Entry(
            *("twins", "Without labels", "CBSwR, which learns from images and their transformed twins"),
            NGUYEN,
            facts={"page": "pages/9_Clusters.py", "shows": "clusters, twins, queries"},
        ),
    ]
)
SQUARE = {"method": "square", "decoder": False, "prior": False, "labels": True, "clusters": False, "directions": False}

VARIANTS = table(
    [
        Entry(
            *("clustering", "Clusters", "only clustering: sure and even clusters, nothing else"),
            "Gomes, Krause and Perona 2010, NIPS 23",
            knobs=_HEAD,
            facts={"terms": ("clustering", "twins"), "centroids": False, "side_by_side": _HEAD_NUMBERS},
        ),
        Entry(
            *("sme", "SME", "each image finds its twin among all others: the paper's baseline"),
            "Ye et al. 2019, arXiv 1904.03436",
            knobs=_PAIR,
            facts={
                **{"terms": ("metric",), "centroids": False, "side_by_side": _PAIR},
                "most": {"batch_size": (MOST_COMPARED, "which compares every image of a step with every other")},
            },
        ),
        Entry(
            *("cbs", "CBS", "clusters, and each image near its twin and far from other clusters' centroids"),
            NGUYEN,
            knobs=(*_HEAD, *_PAIR, "own_centroid"),
            facts={
                **{"terms": ("clustering", "twins", "metric"), "centroids": True},
                "side_by_side": (*_HEAD_NUMBERS, *_PAIR),
            },
        ),
        Entry(
            *("cbswr", "CBSwR", "CBS, and each image drawn from its cluster's centroid"),
            NGUYEN,
            knobs=(*_HEAD, *_PAIR, "own_centroid", "reconstruction_weight", "targets"),
            facts={
                **{"terms": ("clustering", "twins", "metric", "reconstruction"), "centroids": True},
                "side_by_side": (*_HEAD_NUMBERS, *_PAIR, "reconstruction_weight"),
            },
        ),
    ]
)

FORMULAS = table(
    [
        Entry(
            *("paper", "paper"),
            "the clustering loss as the paper writes it, with what suits small images trained from scratch",
            NGUYEN,
        ),
        Entry(
            "authors",
            "authors' program",
            "the clustering loss of the authors' program, and the knobs as it sets them: dropout in the head, plain "
            "gradient descent, 100 clusters, nearest neighbours among the positives",
            "github.com/aioz-ai/BMVC20_CBSwR, train.py",
            defaults={
                **{"clusters": 100, "head_dropout": 0.6, "own_centroid": "spared", "temperature": 0.1},
                **{"targets": "centred", "positives": "neighbours", "twin_views": "both", "twin_colours": 0.0},
                **{"batch_size": 64, "last_batch": "dropped", "lr": 0.001, "lr_decay": "none"},
                **{"optimizer": "sgd", "momentum": 0.0},
            },
        ),
    ]
)

MODELS = table(
    [
        Entry(
            *("dml", "plain deep metric learning"),
            "an encoder and a metric loss of the labelled rows; unlabelled rows are not used",
            *(SAFIR, LATENT),
            knobs=LABELLED,
            defaults={"prior": "none"},
            facts=SQUARE | {"claim": "the baseline of every claim"},
        ),
        Entry(
            *("dml-ae", "DML autoencoder"),
            "a metric loss of the labelled rows and a reconstruction of all rows, weighted against each other",
            *(SAFIR, LATENT),
            knobs=(*LABELLED, *_TURNS, *_DECODER),
            defaults={"prior": "none"},
            facts=SQUARE
            | {"decoder": True, "alone": "autoencoder"}
            | {"claim": "claim 1: a reconstruction helps when labels are few"},
        ),
        Entry(
            *("dml-prior", "DML with a prior"),
            "a metric loss of the labelled rows and the distance of all rows' posteriors from a prior",
            *(SAFIR, LATENT),
            knobs=(*LABELLED, *_TURNS, *_PRIOR),
            defaults={"prior": "gmm"},
            facts=SQUARE
            | {"prior": True, "side_by_side": ("beta",)}
            | {"claim": "claim 2: what a chosen prior does to the latent space"},
        ),
        Entry(
            *("metric-vae", "MetricVAE"),
            "a variational autoencoder with any of the priors, and a metric loss of the labelled rows",
            *(SAFIR, LATENT),
            knobs=(*LABELLED, *_TURNS, *_DECODER, *_PRIOR),
            defaults={"prior": "vamp"},
            facts=SQUARE
            | {"decoder": True, "prior": True, "alone": "VAE", "side_by_side": ("beta",)}
            | {"claim": "claim 3: a VampPrior and a metric loss, trained jointly"},
        ),
        Entry(
            *("cbswr", "CBSwR", "embeddings and clusters of images and their transformed twins, without any label"),
            *(NGUYEN, "semidml.methods.cbswr:build"),
            knobs=(
                *("variant", "twin_transform", "twin_strength", "twin_colours", "twin_views"),
                *("positives", "last_batch"),
            ),
            defaults={
                **{"prior": "none", "encoder": "conv", "latent_dim": 128, "temperature": 0.2, "twin_strength": 0.85},
                **{"batch_size": 64, "lr_decay": "cosine"},
            },
            facts={"method": "twins", "decoder": False, "prior": False}
            | {"labels": False, "clusters": True, "directions": True}
            | {"images": 60_000, "claim": "no label: clusters teach the metric"},
        ),
    ]
)


def method_of(model: str) -> Entry:
    """The method that a model belongs to: an entry of METHODS, or its own."""
    entry = MODELS[model]
    return METHODS[entry.facts["method"]] if "method" in entry.facts else entry


def methods() -> dict[str, Entry]:
    """{name: method}, in the order of their first models."""
    return {method.name: method for method in map(method_of, MODELS)}


def models_of(method: str) -> dict[str, Entry]:
    """{name: model} of a method."""
    return {name: entry for name, entry in MODELS.items() if method_of(name).name == method}


def corners_of(method: str) -> dict[tuple[bool, bool], str]:
    """{(has a decoder, has a prior): the model} of a method whose models are told apart by these two switches and stand
    at all four corners; empty for any other."""
    models = models_of(method)
    corners = {(entry.facts["decoder"], entry.facts["prior"]): name for name, entry in models.items()}
    return corners if len(corners) == len(models) == 4 else {}


def with_prior(model: str) -> str | None:
    """The model of the same method that has a prior, and a decoder as this one has; None where there is none."""
    models = models_of(method_of(model).name)
    having = {entry.facts["decoder"]: name for name, entry in models.items() if entry.facts["prior"]}
    return having.get(MODELS[model].facts["decoder"])
