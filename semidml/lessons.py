"""What the pages under Learn say, one lesson a claim of the first paper: Safir et al., SciPy 2022. Torch-free.

A lesson asks before it shows: predict, reveal shipped runs side by side, turn one knob, break it, the answer so far,
check yourself. The runs are those of `presets.SHIPPED`; all numbers on the pages come from runs.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from semidml import presets
from semidml.config import RunConfig

PAPER = "https://doi.org/10.25080/majora-212e5952-022"


class Side(NamedTuple):
    """A shipped run, and what it stands for."""

    run: str
    title: str
    words: str

    def config(self) -> RunConfig:
        return RunConfig.of(presets.SHIPPED[self.run])


class Prediction(NamedTuple):
    """Asked before anything is shown."""

    question: str
    choices: tuple[str, ...]
    right: int  # position among the choices
    why: str  # told with the answer


class Break(NamedTuple):
    """One change that makes it fail, and why."""

    title: str
    why: str
    side: int  # of which side it is a change
    values: Mapping[str, Any]


class Check(NamedTuple):
    """A question whose answer is a number that the sides' scores have."""

    question: str
    unit: str
    tolerance: float
    score: str  # of metrics.json
    of: int  # the side
    minus: int | None = None  # less the same score of that side
    times: float = 1.0
    why: str = ""


class Pull(NamedTuple):
    """Points that one drags, and what terms of the loss do to them; see `scatter.forces`."""

    terms: tuple[str, ...]  # of forces.TERMS
    alpha: float
    words: str  # what to try before the prediction
    words_after: str  # what to try once it is made
    priors: tuple[str, ...] = ()  # of forces.PRIORS_SHOWN; before the prediction the first alone
    reductions: tuple[str, ...] = ("sum",)  # values of the knob; before the prediction the first alone


class Lesson(NamedTuple):
    """One claim."""

    name: str
    page: str
    menu: str  # its name in the menu
    title: str
    claim: str
    maths: tuple[str, ...]  # LaTeX
    maths_words: str
    source: str  # where in the paper
    prediction: Prediction
    sides: tuple[Side, ...]
    scores: tuple[str, ...]  # of metrics.json, in the table
    knobs: Mapping[str, tuple[Any, ...]]  # what may be turned, and to what
    turn: int  # the side that is turned at first
    breaks: tuple[Break, ...]
    answer: str
    table: str  # the benchmark whose tables in benchmarks/RESULTS.md are the answer so far
    claims: str  # the group of `claims.table` whose verdicts are, too
    check: Check
    pull: Pull
    floor: tuple[int, int] | None = None  # the side without a prior whose latents are read by that side's components


FEW_LABELS = Lesson(
    name="few labels",
    page="pages/5_Few_labels.py",
    menu="Few labels",
    title="Few labels, many images",
    claim="With a handful of labels, a metric loss alone leaves most of the latent space to chance. The paper's first "
    "claim: a **reconstruction loss of all images** helps then, and costs once there are enough labels.",
    maths=(
        r"L = w_S\, L_S + w_U\, L_U, \qquad L_U = -\log p(x \mid z)",
        r"\text{odd epochs } (1-\alpha) L_S + \alpha "
        r"L_U, \quad \text{even epochs } \alpha L_U",
    ),
    maths_words="L_S is the triplet loss of the labelled rows, L_U the reconstruction of all rows, summed over pixels. "
    "Without a decoder there is no L_U: plain deep metric learning. With alpha 1 no label is used: an autoencoder.",
    source="Safir et al. 2022, their model *DML autoencoder* and its results with 0.01, 0.1 and 10 percent of the "
    "labels",
    prediction=Prediction(
        "Digits, two latent dimensions, 60 labels are seen. A classifier is then fitted on **these 60 labels only**. "
        "In which latent space is it right most often?",
        (
            "labels only (plain metric learning)",
            "images only (an autoencoder, no label used in training)",
            "labels and images by turns (the paper's DML autoencoder)",
        ),
        2,
        "Both together read best from the 60 labels. But look at the other row: a classifier fitted on *all* labels, "
        "as most papers score, finds the autoencoder about as good, which never saw a label in training. So with "
        "that protocol most of the gain over plain metric learning is the autoencoder's alone; it takes the second "
        "protocol to see what labels and images do together.",
    ),
    sides=(
        Side("digits-dml-60-labels", "Labels only", "60 labels, no decoder"),
        Side("digits-autoencoder-60-labels", "Images only", "alpha 1: no label used"),
        Side("digits-dml-ae-60-labels", "The paper's setting", "both by turns, alpha .5"),
    ),
    scores=("knn_accuracy", "knn_accuracy_labelled", "kmeans_ami", "reconstruction_mse"),
    knobs={
        "alpha": (0.1, 0.02, 0.2, 0.5, 0.9),
        "pl": (1.0, 0.4, 4.6, 20.0, 100.0),
        "schedule": ("joint", "batch", "epoch"),
        "augment": ("off", "on"),
        "latent_dim": (2, 4, 10),
    },
    turn=2,
    breaks=(
        Break(
            "All labels",
            "With every label seen, the same setting falls behind plain metric learning on all labels (the run "
            "`digits-dml-all-labels`): the plane has too little room to draw every image and to part every class, and "
            "the even epochs undo what the odd ones built. More labels want a smaller alpha.",
            2,
            {"pl": 100.0},
        ),
        Break(
            "Five labels",
            "Five labels hold at most five classes, so the classifier of the seen labels cannot be right on the "
            "others, whatever the space looks like; the one fitted on all labels hides that.",
            2,
            {"pl": 0.4},
        ),
    ),
    answer="On MNIST the pattern of the paper holds at 6, 60 and 6,000 labels, in 2 and in 10 dimensions. What does "
    "not hold is that the labels add to the autoencoder at 6 and 60 labels, when all labels fit the classifier.",
    table="claim1",
    claims="claim-1",
    check=Check(
        "By how many percentage points does the paper's setting beat labels only, read from the seen labels?",
        *("points", 1.0, "knn_accuracy_labelled", 2, 0, 100.0),
        "It is the difference of two cells in the table of scores.",
    ),
    pull=Pull(
        ("triplet", "reconstruction"),
        0.2,
        "The **triplet** draws a point whose label is seen to its class and pushes it from the others; the rest it "
        "leaves alone. The **reconstruction** draws every point to where a decoder draws its image, whatever its "
        "label: the pale pictures.",
        "Switch the reconstruction off and let it run: only points with a full frame move. Then the triplet off: "
        "images gather by their looks. With both, each point goes where the two pulls cancel. What does alpha do?",
    ),
)

PLACES = Lesson(
    name="places",
    page="pages/6_Places.py",
    menu="Places",
    title="A prior, and where classes settle",
    claim="A prior says where latents should lie, whatever their labels. The paper's second claim: a **Gaussian "
    "mixture induces a bias**, its components become the classes' places. It reports its models with a prior at the "
    "level of the null model. Why, and when not?",
    maths=(
        r"L_U = \mathrm{KL}\big(q(z|x)\,\|\,p(z)\big), \qquad p(z) = \sum_k \tfrac1K\, \mathcal N(z;\, m_k,\, \sigma^2 "
        r"I)",
        r"\text{two equal components merge into one mode when } \lVert m_1 - m_2 \rVert < 2 \sigma",
    ),
    maths_words="The KL divergence from a mixture is estimated by samples. *Balanced*: the responsibilities of a batch "
    "are scaled so that each component gets an even share (Sinkhorn), which keeps every component in use. No label "
    "says which class belongs to which component.",
    source="Safir et al. 2022, their model *DML with a prior*: 2^d components at the vertices of {-1, 1}^d with "
    "log-variance 1, trained by turns",
    prediction=Prediction(
        "The paper's mixture in the plane: four components, 2 apart, each with a sigma of 1.65, trained by turns with "
        "alpha .5 on **all** labels. What will the map look like?",
        (
            "four groups of points, one at each component",
            "ten groups, one for each class: the labels win",
            "one small heap: the points fall together",
        ),
        2,
        "The four hills melt into one, so the prior offers no places; and in every second epoch it acts alone and "
        "pulls all images to the middle. What works: ten tight components with valleys between them, a small alpha, "
        "an epoch of metric loss first, and both losses in each step. Then ten classes live in ten places.",
    ),
    sides=(
        Side("digits-paper-prior", "The paper's setting", "4 wide components, by turns, alpha .5"),
        Side("digits-ten-places", "What works", "10 tight components, balanced, joint"),
        Side("digits-dml-all-labels", "No prior", "plain metric learning: the floor"),
    ),
    scores=(
        *("knn_accuracy", "kmeans_ami", "component_ami", "component_ami_rotated"),
        *("classes_alone", "component_distance", "spread"),
    ),
    knobs={
        "component_log_var": (1.0, 0.0, -1.0, -2.0, -3.0),
        "alpha": (0.02, 0.05, 0.2, 0.5, 0.9),
        "schedule": ("joint", "batch", "epoch"),
        "balance": ("none", "sinkhorn"),
        "pl": (1.0, 4.6, 20.0, 100.0),
        "placement": ("vertices", "lattice", "sphere"),
        "component_spacing": (2.0, 2.67, 4.0),
    },
    turn=1,
    breaks=(
        Break(
            "Too much prior",
            "Alpha .9 with everything else as it works: the KL term outweighs the metric loss, and classes sink into "
            "one or two components, where all points are cheap.",
            1,
            {"alpha": 0.9},
        ),
        Break(
            "Trapped",
            "Very tight components far apart, without the metric loss's head start and without the balance: the "
            "component that is nearest at the start catches every point, and no gradient leads from one hill to the "
            "next.",
            1,
            {"component_spacing": 5.0, "component_log_var": -3.0, "balance": "none", "warmup_epochs": 0.0},
        ),
    ),
    answer="On MNIST the paper's setting collapses in each of five seeds; with tight components on a lattice, "
    "balanced, all ten classes live on components of their own. Separate clusters score a high component AMI wherever "
    "they lie, so it stands beside its floors. And the prior organises, it does not raise accuracy: no paired "
    "difference lies above 0.",
    table="claim2",
    claims="claim-2",
    check=Check(
        "In the map of what works, how far does a test image lie from the middle of its own component, in that "
        "component's sigmas a dimension? (1 is a typical sample of the prior.)",
        *("sigmas", 0.2, "component_distance", 1, None, 1.0),
        "The table has it in its row on the own component: the mean over images of the root mean square over the "
        "dimensions. Below 1, so the classes lie more tightly than the prior's own samples would.",
    ),
    pull=Pull(
        ("triplet", "prior"),
        0.5,
        "The rings are a **prior** at one and two sigma. It draws each point up its hill, whatever the label; the "
        "**triplet** parts the points whose labels it sees. Let it run, and drag a point away.",
        "Now choose the prior. Four wide hills are one: everything falls to its middle. Of three separate ones the "
        "nearest catches nearly all. Start again and *Share the points out evenly*: each class whose labels are seen "
        "takes a hill of its own, and nobody says which.",
        ("unit", "paper", "three"),
    ),
    floor=(2, 1),
)

METRIC_VAE = Lesson(
    name="metric vae",
    page="pages/7_MetricVAE.py",
    menu="MetricVAE",
    title="The MetricVAE, and what a scale can do",
    claim="The paper's third model gives a variational autoencoder a metric loss and a **VampPrior**, whose components "
    "are the posteriors of learned images. By turns it finds the null model again; training both losses together "
    "helps. A hidden scale decides.",
    maths=(
        r"L = w_S\, L_S + w_U \big( -\log p(x|z) + \beta\, \mathrm{KL}(q(z|x)\,\|\,p(z)) \big)",
        r"p(z) = \frac1K \sum_k q(z \mid u_k), \qquad u_k \text{ learned images}",
    ),
    maths_words="The evidence lower bound sums -log p(x|z) over pixels: some tens of nats for a digit of 8 x 8. "
    "Averaged over the pixels it is a fraction of a nat, and any KL divergence outweighs it.",
    source="Safir et al. 2022, their *MetricVAE* with a VampPrior (Tomczak and Welling 2018, arXiv 1705.07120), "
    "alternating and, in the last table, joint",
    prediction=Prediction(
        "A MetricVAE on all labels of the digits, trained by turns with alpha .5. Its reconstruction error is "
        "**averaged** over the pixels where the bound wants the sum. What becomes of it?",
        (
            "blurred reconstructions, but classes apart: the labels hold the map",
            "all latents coincide and every reconstruction is the same picture",
            "nothing much: a constant factor is taken care of by Adam",
        ),
        1,
        "Averaged over 64 pixels the reconstruction weighs a sixty-fourth. The KL divergence is cheapest when all "
        "images have the same posterior, and nothing pays for telling them apart: the latents collapse, the decoder "
        "draws the mean image. Adam takes care of a factor of the whole loss, not of one term. Summed, with both "
        "losses in each step and a small alpha, the same model parts the classes; its bound is the worse, as alpha "
        ".02 nearly gives it up for them.",
    ),
    sides=(
        Side("digits-metric-vae-averaged", "The null model", "averaged over pixels, by turns, alpha .5"),
        Side("digits-metric-vae", "What works", "summed, both in each step, alpha .02"),
    ),
    scores=("knn_accuracy", "kmeans_ami", "elbo_nats", "kl_nats", "reconstruction_mse", "spread"),
    knobs={
        "schedule": ("epoch", "joint", "batch"),
        "alpha": (0.1, 0.005, 0.02, 0.5, 1.0),
        "reconstruction": ("sum", "mean"),
        "prior": ("unit", "gmm", "vamp"),
        "pl": (1.0, 4.6, 20.0, 100.0),
        "beta": (0.1, 1.0, 4.0),
        "latent_dim": (2, 4, 10),
    },
    turn=1,
    breaks=(
        Break(
            "Averaged, both losses in each step",
            "Is it the turns or the scale? Alpha .5 again, averaged over the pixels, but with both losses in each "
            "step: it collapses as well. So the scale alone is enough; the turns are not to blame.",
            1,
            {"reconstruction": "mean", "alpha": 0.5},
        ),
        Break(
            "Images only",
            "Alpha 1 is the plain variational autoencoder: a better bound, and classes that overlap in two dimensions.",
            1,
            {"alpha": 1.0},
        ),
    ),
    answer="On MNIST, in 10 dimensions and by turns, it collapses in each of three seeds if averaged, in none if "
    "summed (table of claim 2). Trained jointly the MetricVAE beats the variational autoencoder at 6,000 and 60,000 "
    "labels, most in few dimensions; at 60 labels only read from the seen ones. It beats plain metric learning with "
    "the same augmentation only in 10 dimensions, with 60 labels and a classifier that has them all; and a unit "
    "Gaussian is as accurate as the VampPrior.",
    table="claim3",
    claims="claim-3",
    check=Check(
        "How many nats of KL divergence from the prior does an image cost in the run that works?",
        *("nats", 1.0, "kl_nats", 1, None, 1.0),
        "It bounds what the latents can tell of the image. Most of it is another price: the classes lie far from where "
        "the prior expects them, which alpha .02 hardly charges.",
    ),
    pull=Pull(
        ("triplet", "reconstruction", "prior"),
        0.5,
        "All three at once. The **triplet** parts the classes whose labels are seen, the **reconstruction** draws each "
        "point to where the decoder draws its image (the pale pictures), the **prior** pulls all to its middle.",
        "Switch the triplet off and let it run: images hold their places. Then average the reconstruction over the "
        "pixels: its arrows shrink to a twenty-fifth, and the prior wins whatever alpha is.",
        ("unit", "three"),
        ("sum", "mean"),
    ),
)

LESSONS = {lesson.name: lesson for lesson in (FEW_LABELS, PLACES, METRIC_VAE)}
