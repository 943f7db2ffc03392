"""Settings with a name and a reason: what Home, the page The prior and the lessons offer. Torch-free."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from semidml.config import RunConfig


class Preset(NamedTuple):
    """A setting that shows something."""

    title: str
    words: str  # what it shows
    values: Mapping[str, Any]  # knobs; those that it does not name keep their defaults
    times: float = 1  # as many epochs as are usual for its data set

    def config(self, **others: Any) -> RunConfig:
        """The setting with other values for some knobs. Raises ValueError in words."""
        return RunConfig.of({**self.values, **others})

    def on(self, data: str) -> dict[str, Any]:
        """The knobs on a data set."""
        values = {**self.values, "data": data}
        return values | ({"epochs": round(self.times * RunConfig.of(values).epochs)} if self.times > 1 else {})


class Grid(NamedTuple):
    """Settings that show something together: what they share, what is varied, and with how many seeds."""

    name: str  # of the sweep
    title: str
    words: str  # what it shows
    values: Mapping[str, Any]  # knobs that all of them share
    axes: Mapping[str, Sequence[Any]]  # the values of one or two others
    seeds: int


DIGITS_STEPS = {"batch_size": 64, "epochs": 30}  # the digits are few: steps enough for a prior
PAPERS_MIXTURE = {"placement": "vertices", "component_spacing": 2.0, "component_log_var": 1.0}
LATTICE = {"placement": "lattice", "components": 10, "component_spacing": 2.67, "component_log_var": -1.0}
BALANCED = {"schedule": "joint", "balance": "sinkhorn", "alpha": 0.2}
TEN_PLACES = {"model": "dml-prior", "prior": "gmm"} | LATTICE | BALANCED

START = (  # on Home
    Preset(
        "Labels only",
        "Plain deep metric learning: all labels of the digits, no decoder. Classes part, nothing else is asked for.",
        {"data": "digits", "model": "dml"},
    ),
    Preset(
        "Images only",
        "An autoencoder: alpha is 1, so no label is used. What looks alike lies together, and classes overlap.",
        {"data": "digits", "model": "dml-ae", "alpha": 1.0},
    ),
    Preset(
        "A few labels and all images",
        "The DML autoencoder with 5 % of the labels: does the reconstruction help when labels are few?",
        {"data": "digits", "model": "dml-ae", "pl": 5.0, "alpha": 0.02},
    ),
    Preset(
        "Ten places for ten classes",
        "A prior with ten components on a lattice, shared out evenly: each class finds its own, nobody says which.",
        {"data": "digits", "warmup_epochs": 1.0} | TEN_PLACES | DIGITS_STEPS,
    ),
)
MIXTURES = (  # on the page The prior; each in the plane
    Preset(
        "The paper's",
        "Vertices of a square, 2 apart, with log-variance 1. The four hills melt into one, so the prior has no places "
        "to offer; trained by turns at a large alpha, the latents collapse onto it.",
        PAPERS_MIXTURE | {"schedule": "epoch", "alpha": 0.5},
    ),
    Preset(
        "Tighter",
        "The same places with log-variance -2: four hills with valleys between them.",
        PAPERS_MIXTURE | {"component_log_var": -2.0, "schedule": "joint", "alpha": 0.1, "warmup_epochs": 1.0},
    ),
    Preset(
        "Ten on a lattice",
        "A place for each of ten classes. With balanced responsibilities each class moves to one of its own, and "
        "nobody says which.",
        LATTICE | BALANCED | {"warmup_epochs": 0.25},
    ),
    Preset(
        "Ten on a ring",
        "As many places, all at the rim. In two dimensions the metric loss puts some classes in the middle, where "
        "this prior has nothing.",
        LATTICE | {"placement": "sphere", "component_spacing": 2.5} | BALANCED | {"warmup_epochs": 0.25},
    ),
)

CLUSTERS = (  # on the page Clustering without labels; the data set is the visitor's
    Preset(
        "The paper's",
        "CBSwR with the paper's weights, 32 clusters, and what suits small images.",
        {"model": "cbswr"},
    ),
    Preset(
        "Best clusters",
        "As many clusters as classes (ten), and an image and its twin in the same one: clusters become classes.",
        {"model": "cbswr", "variant": "cbs", "clusters": 10, "batch_size": 128, "lr": 0.002}
        | {"clustering_weight": 2.0, "marginal_weight": 4.0, "twins_weight": 2.0}
        | {"twin_strength": 0.7, "temperature": 0.1},
        times=2,
    ),
    Preset(
        "The authors' program",
        "CBSwR as its authors' own program has it: plain gradient descent, 100 clusters, dropout, nearest neighbours "
        "among the positives. Theirs starts from ImageNet's weights; from scratch it learns little: of the digits "
        "fewer right neighbours than The paper's finds (93 % against 95 %), no image is sure of its cluster, and what "
        "is drawn of clusters stays pale.",
        {"model": "cbswr", "formulas": "authors"},
    ),
    Preset(
        "Photographs",
        "For cars, birds and the like at 64 pixels: a deeper encoder, twins in stronger colours and many small "
        "clusters, so that an image is told from nearly every other.",
        {"model": "cbswr", "encoder": "conv-deep", "clusters": 256, "batch_size": 128, "lr": 0.002}
        | {"twin_transform": "photographs", "twin_strength": 0.6, "twin_colours": 2.0, "temperature": 0.1},
        times=3.6,  # 36 epochs of a visitor's own images, as measured on Cars-196
    ),
)

GRIDS = (  # on the page Many at once
    Grid(
        "when-does-the-prior-collapse",
        "When does the prior collapse?",
        "Ten places in the plane. How wide may they be, and how strongly may the prior pull, before ten classes become "
        "one heap?",
        {"data": "digits", "latent_dim": 2, "warmup_epochs": 1.0, "batch_size": 64, "epochs": 15}
        | {name: value for name, value in TEN_PLACES.items() if name not in ("alpha", "component_log_var")},
        {"component_log_var": (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0), "alpha": (0.02, 0.1, 0.3, 0.6, 0.9, 0.98)},
        seeds=2,
    ),
    Grid(
        "what-are-labels-worth",
        "What are labels worth?",
        "Labels alone, with a reconstruction, and with a prior too, from 1 % of the labels to all of them.",
        {"data": "digits", "latent_dim": 10, "epochs": 15},
        {"pl": (1.0, 2.0, 5.0, 20.0, 100.0), "model": ("dml", "dml-ae", "metric-vae")},
        seeds=3,
    ),
    Grid(
        "which-loss",
        "Which loss?",
        "Metric losses beside one another, with few labels and with all.",
        {"data": "digits", "model": "dml", "latent_dim": 10, "epochs": 15},
        {
            "loss": ("triplet", "contrastive", "supcon", "lifted-structure", "multi-similarity", "proxy-anchor"),
            "pl": (5.0, 100.0),
        },
        seeds=3,
    ),
)

COMPARATOR: Mapping[str, Any] = {  # plain deep metric learning, with which a run without labels is compared
    **{"model": "dml", "encoder": "conv", "latent_dim": 16, "augment": "on", "label_sampling": "balanced"}
}

# ---- the runs that ship: what the lessons reveal, and something to look at on the first visit

IN_PLANE = {"data": "digits", "latent_dim": 2} | DIGITS_STEPS
FEW = {"pl": 4.6}  # 60 of the digits' 1,297 training labels
PAPERS_TURNS = {"schedule": "epoch", "alpha": 0.5}
SHIPPED: Mapping[str, Mapping[str, Any]] = {  # the folder in checkpoints/: its setting; lists keep this order
    "digits-dml-all-labels": IN_PLANE | {"model": "dml"},
    "digits-dml-60-labels": IN_PLANE | FEW | {"model": "dml"},
    "digits-autoencoder-60-labels": IN_PLANE | FEW | {"model": "dml-ae", "alpha": 1.0},
    "digits-dml-ae-60-labels": IN_PLANE | FEW | {"model": "dml-ae"} | PAPERS_TURNS,
    "digits-paper-prior": IN_PLANE | {"model": "dml-prior"} | PAPERS_MIXTURE | PAPERS_TURNS,
    "digits-ten-places": {**START[3].values, "latent_dim": 2},
    "digits-metric-vae": IN_PLANE | {"model": "metric-vae", "alpha": 0.02},
    "digits-best-clusters": {**CLUSTERS[1].on("digits"), "latent_dim": 16},
    "digits-metric-vae-averaged": IN_PLANE | {"model": "metric-vae", "reconstruction": "mean"} | PAPERS_TURNS,
    "digits-dml-ae-10-d": {"data": "digits", "model": "dml-ae", "latent_dim": 10, "epochs": 5, "batch_size": 16},
}
