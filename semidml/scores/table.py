"""The table of scores: what each is called, says and is of, how it is read and where it stands. One entry a score.

Pages, command line, README, remarks and final scoring read it here. A new score is one function and one entry: with a
`target`, "module:function", final scoring calls the function with a `Scored` and keeps its number under the entry's
name; every page then shows it in its group and unit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from semidml.registry import Entry, choose, table

NEIGHBOURS = 5  # of the kNN classifier: scikit-learn's default; Safir et al. 2022 do not say theirs
RECALL_AT = (1, 2, 4, 8)
KMEANS_STARTS, KMEANS_ROWS = 20, 10_000
SCATTER = "_sd"  # ends the name of a score's standard deviation
RAW = "_raw"  # ends the names of scores of latents with their lengths, where the others are of directions
PIXELS = "pixel_"  # begins the names of scores of raw images, which need no training

GROUPS = table(
    Entry(*row)
    for row in (
        ("all labels", "Read with all labels", "a classifier fitted on every training label, as most papers do"),
        (
            "seen labels",
            "Read with the seen labels",
            "a classifier fitted on those only: what a user with them would get",
        ),
        ("no labels", "Read without labels", "clusters and neighbours of the latents"),
        ("space", "The space itself", "its shape, and what the training took"),
        ("lengths", "With lengths", "the same of raw latents, however long, though the loss trained their directions"),
    )
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


@dataclass(frozen=True, eq=False)
class Scored:
    """What scores are of, and what the function of an entry with a `target` gets. That raises ValueError in words where
    the score cannot be computed.

    A label of -1 is none. The function of an entry that needs labels gets test rows with one only (`labelled`).

    Raises: ValueError when shapes or numbers do not fit together."""

    train: np.ndarray  # (N, D) latents
    train_labels: np.ndarray  # (N,), -1 for none
    seen: np.ndarray  # rows of train whose labels the training saw
    test: np.ndarray  # (M, D) latents
    test_labels: np.ndarray  # (M,), -1 for none
    classes: int
    seed: int = 0

    def __post_init__(self) -> None:
        train, test, seen = self.train, self.test, self.seen
        if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
            raise ValueError(f"latents must be (N, D) and (M, D), got {train.shape} and {test.shape}")
        for latents, labels in ((train, self.train_labels), (test, self.test_labels)):
            if labels.shape != latents.shape[:1] or not len(labels):
                raise ValueError(f"{len(latents)} latents need as many labels, and at least one; got {labels.shape}")
            if labels.min() < -1 or labels.max() >= self.classes:
                bounds = f"{labels.min()} to {labels.max()}"
                raise ValueError(f"labels must lie between 0 and {self.classes - 1}, or be -1 for none; got {bounds}")
        if len(seen) and (seen.min() < 0 or seen.max() >= len(train)):
            raise ValueError(f"seen rows must lie between 0 and {len(train) - 1}; got {seen.min()} to {seen.max()}")
        if len(seen) and self.train_labels[seen].min() < 0:
            raise ValueError("a seen row must have a label")

    @property
    def every(self) -> tuple[np.ndarray, np.ndarray]:
        """The training rows with a label: latents (n, D), labels (n,)."""
        return _with_label(self.train, self.train_labels)

    @property
    def few(self) -> tuple[np.ndarray, np.ndarray]:
        """The training rows whose label was seen: latents (n, D), labels (n,)."""
        return self.train[self.seen], self.train_labels[self.seen]

    @property
    def tested(self) -> tuple[np.ndarray, np.ndarray]:
        """The test rows with a label: latents (m, D), labels (m,)."""
        return _with_label(self.test, self.test_labels)

    @property
    def labelled(self) -> "Scored":
        """The same without the test rows that have no label.
        Raises: ValueError when none has one."""
        return replace(self, test=self.tested[0], test_labels=self.tested[1])

    @property
    def shares_classes(self) -> bool:
        """Whether a test row is of a training class."""
        return bool(np.isin(self.tested[1], self.every[1]).any())


def _with_label(latents: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = labels >= 0
    return (latents, labels) if known.all() else (latents[known], labels[known])


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
    # See `meaning.judge`; classes: another share of test rows that is told by their labels.
    kind: Literal["agreement", "recall", "precision", "shape", "line", "sharing", "classes", ""] = ""
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
    def needs_labels(self) -> bool:
        """Whether it is of test rows with a label: where none has one there is no such score."""
        return bool(self.fitted_on) or self.kind in ("agreement", "recall", "precision", "sharing", "classes")

    @property
    def is_scatter(self) -> bool:
        """Whether it is the standard deviation of the score called the same without `_sd`."""
        return self.name.endswith(SCATTER)


def shown_at(place: str) -> list[str]:
    """Names of the scores of a place, in order.

    Raises: ValueError where there is no such place."""
    choose(PLACES, place, "a place")
    return sorted((name for name in SCORES if place in SCORES[name].places), key=lambda name: SCORES[name].rank)


def live_where(*conditions: str, labels: bool = True) -> set[str]:
    """Names of the scores that a tick has under these conditions, see `Score.live`, and by whether test rows have
    labels."""
    live = {score.name for score in SCORES.values() if score.live in conditions}
    return live if labels else without_labels(live)


def without_labels(names: Iterable[str]) -> set[str]:
    """Those of these scores that there are where no test row has a label."""
    return {name for name in names if not SCORES[name].needs_labels}


def _score(name: str, title: str, **facts: Any) -> Callable[[str], Score]:
    """Gives the score whose summary it is told."""
    return lambda summary: Score(name, title, summary, **facts)


def _classifier(name: str, title: str, words: str, fitted_on: Literal["all", "seen"], **facts: Any) -> Score:
    """The accuracy of a classifier, or its AMI, as the name says."""
    is_ami, labels = "_ami" in name, f"{fitted_on} labels"
    facts |= {"kind": "agreement"} if is_ami else {"unit": "share"}
    ends = f".{_AMI}" if is_ami else "; share that is right, 0 to 1." if fitted_on == "all" else "; 0 to 1."
    facts |= {"better": "higher", "group": labels, "fitted_on": fitted_on}
    return Score(name, f"{title}{' AMI' * is_ami}, {labels}", f"{_FITTED[fitted_on]} {words}{ends}", **facts)


def _second(score: Score, ending: str, words: str, **changes: str) -> Score:
    """A score that comes with another: it stands beside it, and is computed with it."""
    names = {"name": f"{score.name}{ending}", "title": f"{score.title}, {words}"}
    return replace(score, **names, target="", places=(), live="", lengths=False, **changes)


def _scatter(score: Score) -> Score:
    words = f"Standard deviation of {score.title} over restarts, each the best of {KMEANS_STARTS} starts"
    words += " (from a bootstrap over the starts that were made)."
    return _second(score, SCATTER, "scatter", summary=words, better="")


def _raw(score: Score) -> Score:
    words = "Of the latents as they are, however long, though the loss trains directions alone."
    return _second(score, RAW, "raw", summary=f"{score.summary} {words}", group="lengths")


_FITTED = {
    "all": "A classifier fitted on all training images with all their labels, scored on the test images, as most "
    "papers do.",
    "seen": "A classifier fitted on the seen labels only, scored on the test images: what a user with those labels "
    "would get.",
}
_AMI = " Adjusted mutual information of predicted and true classes: 0 is chance, 1 is perfect."
_NOT_ADJUSTED = "but not adjusted for chance; 0 to 1."
_FIVE = f"{NEIGHBOURS} nearest neighbours"
_FEWER = f"{_FIVE}, or as many as there are labels"
_NEAREST = "The nearest label decides, so no ties"
_SLOW = {"random_forest": ("random forest", "100 trees"), "mlp": ("MLP", "One hidden layer of 100 units")}

_COMPONENT_FLOORS = (
    ("rotated", "latents turned", "of the same test latents turned at random around their mean, mean of 20."),
    ("random", "components anywhere", "with as many components at random places among the test latents, mean of 20."),
    ("permuted", "labels permuted", "with permuted labels, mean of 20; about 0."),
)

_HEADLINES = ("train", "compare", "runs", "curves", "compared")
_FIVE_NEAR, _ONE_NEAR = {"neighbours": NEIGHBOURS, "lengths": True}, {"neighbours": 1, "lengths": True}
_AGREES = {"kind": "agreement", "better": "higher"}
_KNN = {"live": "classes", **_FIVE_NEAR}
_WITHOUT_LABELS = {"better": "higher", "group": "no labels", "lengths": True}
_OF_KMEANS = {**_WITHOUT_LABELS, "kind": "agreement", "rows": "drawn"}
_RECALL = {**_WITHOUT_LABELS, "kind": "recall", "unit": "share", "live": "retrieval"}
_ON_PIXELS = {"unit": "share", "neighbours": NEIGHBOURS}
_CLUSTERS = {"group": "no labels", "live": "clusters"}
_DECODED = {"digits": 3, "better": "lower", "live": "decoder", "places": ("train", "compare"), "rank": 15}
_SHAPE = {"live": "always", "lengths": True}

_KMEANS = (
    _score("kmeans_ami", "k-means AMI", live="always", places=("clusters", *_HEADLINES), rank=9, **_OF_KMEANS)(
        f"k-means of the test latents, of many a drawn {KMEANS_ROWS:,}, as many clusters as classes, best of "
        f"{KMEANS_STARTS} starts, no labels used.{_AMI}"
    ),
    _score("kmeans_nmi", "k-means NMI", live="retrieval", places=("clusters", "retrieval"), rank=8, **_OF_KMEANS)(
        "As k-means AMI but not adjusted for chance, so that many small clusters raise it; 0 to 1."
    ),
    _score("kmeans_accuracy", "k-means accuracy", unit="share", **_OF_KMEANS)(
        "Share of the test images whose cluster is that of their class, clusters of k-means and classes paired one to "
        "one as suits best; 0 to 1."
    ),
)
_ENTRIES = (
    _classifier("knn_accuracy", "kNN", _FIVE, "all", places=_HEADLINES, rank=1, **_KNN),
    _classifier("knn_ami", "kNN", _FIVE, "all", places=("curves",), rank=3, **_KNN),
    _classifier("knn_accuracy_labelled", "kNN", _FEWER, "seen", places=_HEADLINES[:-1], rank=2, **_KNN),
    _classifier("knn_ami_labelled", "kNN", _FEWER, "seen", **_FIVE_NEAR),
    _classifier("knn1_accuracy_labelled", "1-NN", _NEAREST, "seen", **_ONE_NEAR),
    _classifier("knn1_ami_labelled", "1-NN", _NEAREST, "seen", **_ONE_NEAR),
    _score("seen_class_ceiling", "ceiling of the seen classes", unit="share", group="seen labels", kind="classes")(
        "Share of the test images whose class has a seen label: no score on seen labels can be higher; 0 to 1."
    ),
    *_KMEANS,
    *map(_scatter, _KMEANS),
    *(
        _score(f"recall_at_{k}", f"recall at {k}", places=places, rank=rank, neighbours=k, **_RECALL)(
            f"Share of the test images with one of their class among their {k} nearest other test images, of "
            "several at one distance any by chance; 0 to 1."
        )
        for rank, k in enumerate(RECALL_AT, 4)
        for places in [("train", "clusters", "retrieval") if k == 1 else ("retrieval",)]
    ),
    _score("map_at_r", "MAP@R", kind="precision", places=("clusters",), rank=14, **_WITHOUT_LABELS)(
        "Mean average precision of each test image's R nearest other test images, R being how many others its "
        "class has, of several at one distance any by chance; 0 to 1."
    ),
    *(
        _classifier(f"{name}_{score}{ending}", title, words, fitted_on)
        for name, (title, words) in _SLOW.items()
        for fitted_on, ending in (("all", ""), ("seen", "_labelled"))
        for score in ("accuracy", "ami")
    ),
    _score("reconstruction_mse", "reconstruction error", **_DECODED)(
        "Mean over pixels of the squared difference of test image and reconstruction, pixels from 0 to 1."
    ),
    _score("component_ami", "component AMI", live="prior", places=("train", "compare"), rank=10, **_AGREES)(
        f"Do the prior's components know the classes? Each test latent's most responsible component.{_AMI} "
        "Separate clusters score high wherever they lie: hold it against its floors."
    ),
    _score("component_nmi", "component NMI", **_AGREES)(f"As component AMI, {_NOT_ADJUSTED}"),
    *(
        Score(f"component_ami_{name}", f"floor: {title}", f"component AMI {words}", kind="agreement")
        for name, title, words in _COMPONENT_FLOORS
    ),
    _score("components_used", "components used", unit="count", live="prior")(
        "Components that are the most responsible one of at least 1 % of an even share of the test images."
    ),
    _score("classes_alone", "classes on components of their own", unit="count", better="higher", kind="sharing")(
        "Classes whose commonest component is no other class's commonest, of the test images."
    ),
    _score("component_distance", "own component, sigmas a dimension", live="prior")(
        "Mean over test latents, in that component's sigmas, root mean square over dimensions; 1 is a typical sample."
    ),
    _score("kl_nats", "KL", unit="nats")(
        "Mean over test images of KL(q(z|x) || p(z)), in nats, closed form or one sample each."
    ),
    _score("elbo_nats", "negative ELBO", unit="nats", better="lower")(
        "Mean over test images of reconstruction, summed over pixels, plus KL, in nats: an upper bound on "
        "-log p(x) with the bernoulli likelihood, up to a constant with the gaussian."
    ),
    _score("cluster_ami", "cluster AMI", places=("train",), rank=13, **_AGREES, **_CLUSTERS)(
        f"Do the clustering head's own clusters know the classes? Each test image's likeliest cluster.{_AMI}"
    ),
    _score("cluster_nmi", "cluster NMI", **_AGREES, **_CLUSTERS)(f"As cluster AMI, {_NOT_ADJUSTED}"),
    _score("cluster_accuracy", "cluster accuracy", unit="share", places=("clusters",), rank=11, **_AGREES, **_CLUSTERS)(
        "Share of the test images whose likeliest cluster is their class's, at the best one-to-one assignment "
        "of clusters to classes; 0 to 1."
    ),
    _score("clusters_used", "clusters used", unit="count", places=("clusters",), rank=12, **_CLUSTERS)(
        "Clusters that are the likeliest one of a test image."
    ),
    _score("marginal_entropy", "H(Y), clusters together", unit="nats", better="higher", **_CLUSTERS)(
        "Entropy of the mean cluster probabilities of the test images, in nats; at best ln K, all clusters alike."
    ),
    _score("conditional_entropy", "H(Y|X), an image's clusters", unit="nats", better="lower", **_CLUSTERS)(
        "Mean entropy of a test image's cluster probabilities, in nats; at best 0, sure."
    ),
    _score("mean_pairwise_distance", "mean distance of two points", kind="shape", **_SHAPE)(
        "Euclidean, of the test latents, over all pairs of at most 2,000 of them, in latent units."
    ),
    _score("spread", "spread", kind="shape", **_SHAPE)(
        "Standard deviation of the test latents a dimension (root of the mean variance), in latent units."
    ),
    _score("effective_rank", "effective rank", kind="line", **_SHAPE)(
        "Directions that the test latents use: exp of the entropy of their singular values; 1 a line, D a ball."
    ),
    _score("collapsed", "collapsed", unit="yes or no", kind="line")(
        "Whether all test latents nearly coincide or lie on a line."
    ),
    _score("chance", "chance", unit="share", rows="none", kind="classes")(
        "Accuracy of always naming the commonest training class."
    ),
    _score(f"{PIXELS}knn_accuracy", "kNN on pixels, all labels", fitted_on="all", **_ON_PIXELS)(
        f"{_FIVE} of the raw images: at most 5,000 x 2,000 rows."
    ),
    _score(f"{PIXELS}knn_accuracy_labelled", "kNN on pixels, seen labels", fitted_on="seen", **_ON_PIXELS)(
        f"{_FIVE} of the raw images among the seen labels, scored on at most 2,000 test images."
    ),
    _score(f"{PIXELS}recall_at_1", "recall at 1 on pixels", unit="share", kind="recall", neighbours=1)(
        "Recall at 1 of the raw images of at most 2,000 test images."
    ),
    _score("seconds", "seconds", unit="seconds", better="lower", rows="none")("Time spent in training."),
)
# In the order in which lists show them, those of raw latents last.
SCORES: dict[str, Score] = table((*_ENTRIES, *(_raw(score) for score in _ENTRIES if score.lengths)))
