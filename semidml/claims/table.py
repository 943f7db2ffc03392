"""The claims of both papers, and our own questions to them, as data: two sides, a score, a margin, settings.

A claim says that a score of one side is above that of another, not below it, or equal to it, by more than a margin that
was fixed before anything was trained. Both sides see the same images, the same labels and the same seeds.

The papers: Safir et al., Variational Autoencoders For Semi-Supervised Deep Metric Learning, SciPy 2022; Nguyen et al.,
Deep Metric Learning Meets Deep Clustering, BMVC 2020.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from semidml.presets import BALANCED, CLUSTERS, PAPERS_MIXTURE, PAPERS_TURNS
from semidml.scores.table import SCORES
from semidml.words import value_words


class Group(NamedTuple):
    """Claims about one thing."""

    title: str
    about: str


GROUPS = {
    "claim-1": Group("Reconstruction", "With few labels a reconstruction helps a metric loss, with many it costs"),
    "claim-2": Group("Prior", "A prior: it collapses to the null model, or it induces a bias"),
    "claim-3": Group("MetricVAE", "A metric loss in a variational autoencoder"),
    "cbswr": Group("Clusters", "Clusters teach a metric, and a reconstruction helps them"),
}
POINT = 0.01  # of accuracy and the like: what one would call a difference


@dataclass(frozen=True)
class Side:
    """A way of training. `tries`: knobs whose values are chosen on held-out images, in each setting by itself."""

    name: str  # of its sweeps
    title: str
    knobs: Mapping[str, Any]
    tries: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    has_places: bool = False  # whether the prior that suits the data set, see `Ground.places`, is added
    times: float = 1  # as many epochs as are usual

    @property
    def count(self) -> int:
        """How many settings are tried of each of its trainings."""
        count = 1
        for values in self.tries.values():
            count *= len(values)
        return count


@dataclass(frozen=True)
class Claim:
    """One sentence about two sides."""

    name: str
    group: str  # a key of GROUPS
    statement: str  # in our words
    source: str  # where the paper has it; "" of a question of our own
    a: Side
    b: Side | float  # another side, or a number: a level that is known
    score: str = "knn_accuracy"  # of a
    score_b: str = ""  # of b, where it is another one
    relation: Literal["above", "not below", "equal"] = "above"
    margin: float = POINT
    labels: tuple[str, ...] = ("all",)  # keys of `Ground.labels`
    dims: tuple[int, ...] = (2, 10)  # latent dimensions; none: the model's own
    contrast: bool = False  # whether the gain in the first of dims is claimed to be above that in the last

    @property
    def sides(self) -> tuple[Side, ...]:
        return (self.a, self.b) if isinstance(self.b, Side) and self.b != self.a else (self.a,)

    @property
    def b_score(self) -> str:
        return self.score_b or self.score

    @property
    def titles(self) -> tuple[str, str]:
        """What the sides are called; of two scores of the same runs, these."""
        if self.contrast:
            dims = f"the gain over {self.b.title} in"
            return f"{dims} {min(self.dims)} dimensions", f"{dims} {max(self.dims)}"
        if self.b == self.a:
            return SCORES[self.score].title, SCORES[self.b_score].title
        return self.a.title, self.b.title if isinstance(self.b, Side) else value_words(self.b)

    @property
    def tuned(self) -> tuple[int, int]:
        """How many settings were tried of each side."""
        return self.a.count, self.b.count if isinstance(self.b, Side) else self.a.count


# ---- sides

JOINT = {"schedule": "joint"}
DML = Side("dml", "plain DML", {"model": "dml"})
AUTOENCODER = Side("autoencoder", "autoencoder", {"model": "dml-ae", "alpha": 1.0} | {"schedule": "epoch"})
DML_AE = Side("dml-ae", "DML autoencoder", {"model": "dml-ae"} | PAPERS_TURNS)
DML_TUNED = Side("dml-tuned", "plain DML", {"model": "dml"}, {"margin": (0.3, 1.0, 3.0)})
DML_AE_TUNED = Side(
    "dml-ae-joint", "DML autoencoder, jointly", {"model": "dml-ae"} | JOINT, {"alpha": (0.1, 0.5, 0.85)}
)
PAPERS_PRIOR = Side(
    "paper-prior", "DML with the paper's mixture", {"model": "dml-prior"} | PAPERS_MIXTURE | PAPERS_TURNS
)
UNIT = Side("unit-prior", "DML with a unit Gaussian", {"model": "dml-prior", "prior": "unit"} | PAPERS_TURNS)
PLACES = Side("places", "DML with a place for each class", {"model": "dml-prior", "prior": "gmm"} | BALANCED, {}, True)
PRIOR_TUNED = Side(
    "prior-joint",
    "DML with a tight mixture, jointly",
    {"model": "dml-prior", "prior": "gmm", "component_log_var": -2.0} | JOINT,
    {"alpha": (0.02, 0.05, 0.2)},
)
AVERAGED = Side(
    "metric-vae-averaged",
    "MetricVAE by turns, averaged over pixels",
    {"model": "metric-vae", "reconstruction": "mean"} | PAPERS_TURNS,
)
SUMMED = Side("metric-vae-summed", "MetricVAE by turns, summed over pixels", {"model": "metric-vae"} | PAPERS_TURNS)
METRIC_VAE = Side("metric-vae", "MetricVAE, jointly", {"model": "metric-vae"} | JOINT, {"alpha": (0.001, 0.02, 0.3)})
VAE = Side("vae", "VAE", {"model": "metric-vae", "alpha": 1.0} | JOINT, {"beta": (0.5, 1.0, 2.0)})
SME, CBS, CBSWR = (Side(name, name.upper(), {"model": "cbswr", "variant": name}) for name in ("sme", "cbs", "cbswr"))
BEST = Side("best-clusters", "our clusters", CLUSTERS[1].values, times=CLUSTERS[1].times)

# ---- claims

FIRST, SECOND = "Safir et al. 2022", "Nguyen et al. 2020"
FEW, MANY = ("few",), ("many",)
SEEN, NMI, RECALL = "knn_accuracy_labelled", "kmeans_nmi", "recall_at_1"


def _claims(group: str, *rows: Mapping[str, Any], **shared: Any) -> tuple[Claim, ...]:
    """Claims of a group, numbered, with what they share."""
    number = group.removeprefix("claim-")
    return tuple(Claim(f"{number}.{place}", group, **(shared | row)) for place, row in enumerate(rows, 1))


def _says(statement: str, source: str, a: Side, b: Side | float, **more: Any) -> dict[str, Any]:
    return {"statement": statement, "source": source, "a": a, "b": b, **more}


_ALL = (
    *_claims(
        "claim-1",
        _says(
            "With few labels the DML autoencoder is far above plain DML.",
            *(FIRST, DML_AE, DML),
            labels=FEW,
            margin=0.05,
        ),
        _says("With few labels the autoencoder alone is above plain DML.", FIRST, AUTOENCODER, DML, labels=FEW),
        _says("With many labels plain DML is above the DML autoencoder.", FIRST, DML, DML_AE, labels=MANY),
        _says("With many labels plain DML is above the autoencoder.", FIRST, DML, AUTOENCODER, labels=MANY),
        _says("With few labels the labels add to the autoencoder.", "", DML_AE, AUTOENCODER, labels=FEW),
        _says(
            "Read from the few seen labels, the DML autoencoder is above plain DML.",
            *("", DML_AE, DML),
            labels=FEW,
            score=SEEN,
        ),
        _says(
            "Both losses in each step: with many labels a reconstruction costs nothing.",
            *("", DML_AE_TUNED, DML_TUNED),
            labels=MANY,
            relation="not below",
        ),
    ),
    *_claims(
        "claim-2",
        _says("With the paper's mixture the model falls far below plain DML.", FIRST, DML, PAPERS_PRIOR, margin=0.05),
        _says("With a unit Gaussian as prior it falls far below plain DML, too.", FIRST, DML, UNIT, margin=0.05),
        _says(
            "The paper's mixture collapses: all latents lie in one heap.", FIRST, PAPERS_PRIOR, 0.5, score="collapsed"
        ),
        _says(
            "A mixture induces a bias: classes settle on its components.",
            *(FIRST, PLACES, PLACES),
            score="component_ami",
            score_b="component_ami_rotated",
            margin=0.1,
            dims=(2,),
        ),
        _says("A tight mixture raises accuracy.", FIRST, PRIOR_TUNED, DML_TUNED, labels=FEW + MANY),
        _says(
            "It raises accuracy read from the seen labels.",
            *("", PRIOR_TUNED, DML_TUNED),
            labels=FEW + MANY,
            score=SEEN,
        ),
        dims=(2, 4),
    ),
    *_claims(
        "claim-3",
        _says(
            "By turns, its reconstruction averaged, the MetricVAE is far below plain DML.",
            *(FIRST, DML, AVERAGED),
            margin=0.05,
        ),
        _says("Summed over pixels instead, it is far above that.", "", SUMMED, AVERAGED, margin=0.05),
        _says("Both losses in each step lift the VAE.", FIRST, METRIC_VAE, VAE, labels=("many", "all")),
        _says("They lift it most in few dimensions.", FIRST, METRIC_VAE, VAE, contrast=True),
        _says(
            "With few labels they lift it, too, read from these labels.",
            *("", METRIC_VAE, VAE),
            labels=FEW,
            score=SEEN,
        ),
        _says("The MetricVAE is above plain DML.", "", METRIC_VAE, DML_TUNED, labels=("few", "all")),
    ),
    *_claims(
        "cbswr",
        _says("Clusters help a metric without labels: CBS above SME.", SECOND, CBS, SME, score=NMI),
        _says("They help its nearest neighbours, too.", SECOND, CBS, SME, score=RECALL),
        _says("A reconstruction helps: CBSwR above CBS.", SECOND, CBSWR, CBS, score=NMI),
        _says("It helps the nearest neighbours, too.", SECOND, CBSWR, CBS, score=RECALL),
        _says("With an image and its twin in one cluster it is above CBSwR.", "", BEST, CBSWR, score=NMI),
        dims=(),
    ),
)
CLAIMS: Mapping[str, Claim] = {claim.name: claim for claim in _ALL}


def choose_claims(names: Sequence[str]) -> list[Claim]:
    """The claims of these names, of groups, of `all`; in the order of the table.
    Raises: ValueError for what is none."""
    known = {"all", *GROUPS, *CLAIMS}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(
            f"there is no claim called {unknown[0][:60]!r}; there are all, {', '.join(GROUPS)}, {', '.join(CLAIMS)}"
        )
    return [claim for claim in CLAIMS.values() if {"all", claim.group, claim.name} & set(names)]
