"""The table of scores: what each is called, says and is of, how it is read and where it stands. One entry a score.

Pages, command line, README, remarks and final scoring read it here. A new score is one function and one entry: with a
`target`, "module:function", final scoring calls the function with a `Scored` and keeps its number under the entry's
name; every page then shows it in its group and unit."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from semidml.registry import Entry, choose, table

NEIGHBOURS = 5  # of the kNN classifier: scikit-learn's default; Safir et al. 2022 do not say theirs
RECALL_AT = (1, 2, 4, 8)
KMEANS_STARTS, KMEANS_ROWS = 20, 10_000
SCATTER = "_sd"  # ends the name of a score's standard deviation
RAW = "_raw"  # ends the names of scores of latents with their lengths, where the others are of directions
PIXELS = "pixel_"  # begins the names of scores of raw images, which need no training

GROUPS = table(
    [
        Entry("all labels", "Read with all labels", "a classifier fitted on every training label, as most papers do"),
        Entry(
            "seen labels",
            "Read with the seen labels",
            "a classifier fitted on those only: what a user with them would get",
        ),
        Entry("no labels", "Read without labels", "clusters and neighbours of the latents"),
        Entry("space", "The space itself", "its shape, and what the training took"),
        Entry(
            "lengths", "With lengths", "the same of raw latents, however long, though the loss trained their directions"
        ),
    ]
)
PLACES = {
    "train": "side by side on Train, and beside the run before",
    "clusters": "side by side on the page of clusters",
    "compare": "what differs, on Compare",
    "runs": "a column of `python -m semidml runs`",
    "curves": "a curve by epoch",
    "retrieval": "a curve by epoch on the page of clusters",
    "compared": "a curve by epoch on Compare",
}


class Scored(NamedTuple):
    """What final scoring has, and gives the function of an entry with a `target`. Raise ValueError in words where the
    score cannot be computed."""

    train: np.ndarray  # (N, D) latents
    train_labels: np.ndarray  # (N,)
    seen: np.ndarray  # rows of train whose labels the training saw
    test: np.ndarray  # (M, D) latents
    test_labels: np.ndarray  # (M,)
    classes: int
    seed: int


@dataclass(frozen=True)
class Score(Entry):
    """One score: `name` is its key in metrics.json, `summary` says of which rows it is and its range."""

    unit: Literal["share", "count", "number", "nats", "seconds", "yes or no"] = "number"
    digits: int = 2  # that are shown of a number, behind the point
    better: Literal["higher", "lower", ""] = ""
    group: str = "space"  # a key of GROUPS
    places: tuple[str, ...] = ()  # keys of PLACES
    rank: int = 100  # in the order of a place
    # When a tick has it: always; where test images are of training classes; where there is a clustering head
    # (retrieval: of its latents, clusters: of its own clusters), a decoder, a prior. "": it is a final score alone.
    live: Literal["always", "classes", "retrieval", "clusters", "decoder", "prior", ""] = ""
    rows: Literal["test", "drawn", "none"] = "test"  # drawn: those that k-means gets; none: it is not of rows
    fitted_on: Literal["all", "seen", ""] = ""  # labels that a classifier knows
    kind: Literal["agreement", "recall", "precision", "shape", "line", "sharing", ""] = ""  # see `meaning.judge`
    neighbours: int = 0  # how many of them it looks at
    lengths: bool = False  # whether there is a second one of raw latents, see RAW

    def __post_init__(self) -> None:
        choose(GROUPS, self.group, f"the group of {self.name}")
        if unknown := set(self.places) - set(PLACES):
            raise ValueError(f"places of {self.name} must be of {', '.join(PLACES)}; got {', '.join(sorted(unknown))}")

    @property
    def short_title(self) -> str:
        """The title without what its group says already."""
        return self.title.removesuffix(f", {self.group}")

    @property
    def is_scatter(self) -> bool:
        """Whether it is the standard deviation of the score called the same without `_sd`."""
        return self.name.endswith(SCATTER)


def shown_at(place: str) -> list[str]:
    """Names of the scores of a place, in order. Raises ValueError where there is no such place."""
    if place not in PLACES:
        raise ValueError(f"a place must be one of {', '.join(PLACES)}; got {place!r}")
    there = [score for score in SCORES.values() if place in score.places]
    return [score.name for score in sorted(there, key=lambda score: score.rank)]


def live_where(*conditions: str) -> set[str]:
    """Names of the scores that a tick has under these conditions, see `Score.live`."""
    return {score.name for score in SCORES.values() if score.live in conditions}


_FEW = (
    "A classifier fitted on the seen labels only, scored on the test images: what a user with those labels would get."
)
_ALL = "A classifier fitted on all training images with all their labels, scored on the test images, as most papers do."
_AMI = " Adjusted mutual information of predicted and true classes: 0 is chance, 1 is perfect."


def _classifier(name: str, title: str, words: str, fitted_on: Literal["all", "seen"], **more: object) -> Score:
    """The accuracy of a classifier, or its AMI, as the name says."""
    is_ami, labels = "_ami" in name, f"{fitted_on} labels"
    ends = f".{_AMI}" if is_ami else "; share that is right, 0 to 1." if fitted_on == "all" else "; 0 to 1."
    return Score(
        name,
        f"{title}{' AMI' if is_ami else ''}, {labels}",
        f"{_ALL if fitted_on == 'all' else _FEW} {words}{ends}",
        unit="number" if is_ami else "share",
        better="higher",
        group=labels,
        fitted_on=fitted_on,
        kind="agreement" if is_ami else "",
        **more,
    )


def _of_kmeans(name: str, title: str, summary: str, **more: object) -> Score:
    return Score(
        name, title, summary, better="higher", group="no labels", rows="drawn", kind="agreement", lengths=True, **more
    )


def _of_components(name: str, title: str, summary: str, **more: object) -> Score:
    return Score(name, title, summary, kind="agreement", **more)


def _of_clusters(name: str, title: str, summary: str, **more: object) -> Score:
    return Score(name, title, summary, group="no labels", live="clusters", **more)


def _scatter(score: Score) -> Score:
    words = f"Standard deviation of {score.title} over restarts, each the best of {KMEANS_STARTS} starts"
    words += " (from a bootstrap over the starts that were made)."
    return _second(score, SCATTER, "scatter", summary=words, better="")


def _raw(score: Score) -> Score:
    words = "Of the latents as they are, however long, though the loss trains directions alone."
    return _second(score, RAW, "raw", summary=f"{score.summary} {words}", group="lengths")


def _second(score: Score, ending: str, words: str, **changes: str) -> Score:
    """A score that comes with another: it stands beside it, and is computed with it."""
    names = {"name": f"{score.name}{ending}", "title": f"{score.title}, {words}"}
    return replace(score, **names, target="", places=(), live="", lengths=False, **changes)


_FIVE = f"{NEIGHBOURS} nearest neighbours"
_FIVE_OR_FEWER = f"{_FIVE}, or as many as there are labels"
_NEAREST = "The nearest label decides, so no ties"
_HIDDEN = "One hidden layer of 100 units"
_KMEANS = (
    _of_kmeans(
        "kmeans_ami",
        "k-means AMI",
        f"k-means of the test latents, of many a drawn {KMEANS_ROWS:,}, as many clusters as classes, best of "
        f"{KMEANS_STARTS} starts, no labels used.{_AMI}",
        places=("train", "clusters", "compare", "runs", "curves", "compared"),
        rank=9,
        live="always",
    ),
    _of_kmeans(
        "kmeans_nmi",
        "k-means NMI",
        "As k-means AMI but not adjusted for chance, so that many small clusters raise it; 0 to 1.",
        places=("clusters", "retrieval"),
        rank=8,
        live="retrieval",
    ),
    _of_kmeans(
        "kmeans_accuracy",
        "k-means accuracy",
        "Share of the test images whose cluster is that of their class, clusters of k-means and classes paired one to "
        "one as suits best; 0 to 1.",
        unit="share",
    ),
)

_ENTRIES = (
    _classifier(
        "knn_accuracy",
        "kNN",
        _FIVE,
        "all",
        places=("train", "compare", "runs", "curves", "compared"),
        rank=1,
        live="classes",
        neighbours=NEIGHBOURS,
        lengths=True,
    ),
    _classifier(
        "knn_ami", "kNN", _FIVE, "all", places=("curves",), rank=3, live="classes", neighbours=NEIGHBOURS, lengths=True
    ),
    _classifier(
        "knn_accuracy_labelled",
        "kNN",
        _FIVE_OR_FEWER,
        "seen",
        places=("train", "compare", "runs", "curves"),
        rank=2,
        live="classes",
        neighbours=NEIGHBOURS,
        lengths=True,
    ),
    _classifier("knn_ami_labelled", "kNN", _FIVE_OR_FEWER, "seen", neighbours=NEIGHBOURS, lengths=True),
    _classifier("knn1_accuracy_labelled", "1-NN", _NEAREST, "seen", neighbours=1, lengths=True),
    _classifier("knn1_ami_labelled", "1-NN", _NEAREST, "seen", neighbours=1, lengths=True),
    Score(
        "seen_class_ceiling",
        "ceiling of the seen classes",
        "Share of the test images whose class has a seen label: no score on seen labels can be higher; 0 to 1.",
        unit="share",
        group="seen labels",
    ),
    *_KMEANS,
    *map(_scatter, _KMEANS),
    *(
        Score(
            f"recall_at_{k}",
            f"recall at {k}",
            f"Share of the test images with one of their class among their {k} nearest other test images, of "
            "several at one distance any by chance; 0 to 1.",
            unit="share",
            better="higher",
            group="no labels",
            places=("train", "clusters", "retrieval") if k == 1 else ("retrieval",),
            rank=4 + RECALL_AT.index(k),
            live="retrieval",
            kind="recall",
            neighbours=k,
            lengths=True,
        )
        for k in RECALL_AT
    ),
    Score(
        "map_at_r",
        "MAP@R",
        "Mean average precision of each test image's R nearest other test images, R being how many others its "
        "class has, of several at one distance any by chance; 0 to 1.",
        better="higher",
        group="no labels",
        places=("clusters",),
        rank=14,
        kind="precision",
        lengths=True,
    ),
    _classifier("random_forest_accuracy", "random forest", "100 trees", "all"),
    _classifier("random_forest_ami", "random forest", "100 trees", "all"),
    _classifier("random_forest_accuracy_labelled", "random forest", "100 trees", "seen"),
    _classifier("random_forest_ami_labelled", "random forest", "100 trees", "seen"),
    _classifier("mlp_accuracy", "MLP", _HIDDEN, "all"),
    _classifier("mlp_ami", "MLP", _HIDDEN, "all"),
    _classifier("mlp_accuracy_labelled", "MLP", _HIDDEN, "seen"),
    _classifier("mlp_ami_labelled", "MLP", _HIDDEN, "seen"),
    Score(
        "reconstruction_mse",
        "reconstruction error",
        "Mean over pixels of the squared difference of test image and reconstruction, pixels from 0 to 1.",
        digits=3,
        better="lower",
        places=("train", "compare"),
        rank=15,
        live="decoder",
    ),
    _of_components(
        "component_ami",
        "component AMI",
        f"Do the prior's components know the classes? Each test latent's most responsible component.{_AMI} "
        "Separate clusters score high wherever they lie: hold it against its floors.",
        better="higher",
        places=("train", "compare"),
        rank=10,
        live="prior",
    ),
    _of_components(
        "component_nmi", "component NMI", "As component AMI, but not adjusted for chance; 0 to 1.", better="higher"
    ),
    _of_components(
        "component_ami_rotated",
        "floor: latents turned",
        "component AMI of the same test latents turned at random around their mean, mean of 20.",
    ),
    _of_components(
        "component_ami_random",
        "floor: components anywhere",
        "component AMI with as many components at random places among the test latents, mean of 20.",
    ),
    _of_components(
        "component_ami_permuted", "floor: labels permuted", "component AMI with permuted labels, mean of 20; about 0."
    ),
    Score(
        "components_used",
        "components used",
        "Components that are the most responsible one of at least 1 % of an even share of the test images.",
        unit="count",
        live="prior",
    ),
    Score(
        "classes_alone",
        "classes on components of their own",
        "Classes whose commonest component is no other class's commonest, of the test images.",
        unit="count",
        better="higher",
        kind="sharing",
    ),
    Score(
        "component_distance",
        "own component, sigmas a dimension",
        "Mean over test latents, in that component's sigmas, root mean square over dimensions; 1 is a typical sample.",
        live="prior",
    ),
    Score(
        "kl_nats",
        "KL",
        "Mean over test images of KL(q(z|x) || p(z)), in nats, closed form or one sample each.",
        unit="nats",
    ),
    Score(
        "elbo_nats",
        "negative ELBO",
        "Mean over test images of reconstruction, summed over pixels, plus KL, in nats: an upper bound on "
        "-log p(x) with the bernoulli likelihood, up to a constant with the gaussian.",
        unit="nats",
        better="lower",
    ),
    _of_clusters(
        "cluster_ami",
        "cluster AMI",
        f"Do the clustering head's own clusters know the classes? Each test image's likeliest cluster.{_AMI}",
        better="higher",
        places=("train",),
        rank=13,
        kind="agreement",
    ),
    _of_clusters(
        "cluster_nmi",
        "cluster NMI",
        "As cluster AMI, but not adjusted for chance; 0 to 1.",
        better="higher",
        kind="agreement",
    ),
    _of_clusters(
        "cluster_accuracy",
        "cluster accuracy",
        "Share of the test images whose likeliest cluster is their class's, at the best one-to-one assignment "
        "of clusters to classes; 0 to 1.",
        unit="share",
        better="higher",
        places=("clusters",),
        rank=11,
        kind="agreement",
    ),
    _of_clusters(
        "clusters_used",
        "clusters used",
        "Clusters that are the likeliest one of a test image.",
        unit="count",
        places=("clusters",),
        rank=12,
    ),
    _of_clusters(
        "marginal_entropy",
        "H(Y), clusters together",
        "Entropy of the mean cluster probabilities of the test images, in nats; at best ln K, all clusters alike.",
        unit="nats",
        better="higher",
    ),
    _of_clusters(
        "conditional_entropy",
        "H(Y|X), an image's clusters",
        "Mean entropy of a test image's cluster probabilities, in nats; at best 0, sure.",
        unit="nats",
        better="lower",
    ),
    Score(
        "mean_pairwise_distance",
        "mean distance of two points",
        "Euclidean, of the test latents, over all pairs of at most 2,000 of them, in latent units.",
        live="always",
        kind="shape",
        lengths=True,
    ),
    Score(
        "spread",
        "spread",
        "Standard deviation of the test latents a dimension (root of the mean variance), in latent units.",
        live="always",
        kind="shape",
        lengths=True,
    ),
    Score(
        "effective_rank",
        "effective rank",
        "Directions that the test latents use: exp of the entropy of their singular values; 1 a line, D a ball.",
        live="always",
        kind="line",
        lengths=True,
    ),
    Score(
        "collapsed",
        "collapsed",
        "Whether all test latents nearly coincide or lie on a line.",
        unit="yes or no",
        kind="line",
    ),
    Score("chance", "chance", "Accuracy of always naming the commonest training class.", unit="share", rows="none"),
    Score(
        f"{PIXELS}knn_accuracy",
        "kNN on pixels, all labels",
        f"{_FIVE} of the raw images: at most 5,000 x 2,000 rows.",
        unit="share",
        fitted_on="all",
        neighbours=NEIGHBOURS,
    ),
    Score(
        f"{PIXELS}knn_accuracy_labelled",
        "kNN on pixels, seen labels",
        f"{_FIVE} of the raw images among the seen labels, scored on at most 2,000 test images.",
        unit="share",
        fitted_on="seen",
        neighbours=NEIGHBOURS,
    ),
    Score(
        f"{PIXELS}recall_at_1",
        "recall at 1 on pixels",
        "Recall at 1 of the raw images of at most 2,000 test images.",
        unit="share",
        kind="recall",
        neighbours=1,
    ),
    Score("seconds", "seconds", "Time spent in training.", unit="seconds", better="lower", rows="none"),
)
# In the order in which lists show them, those of raw latents last.
SCORES: dict[str, Score] = table((*_ENTRIES, *(_raw(score) for score in _ENTRIES if score.lengths)))
