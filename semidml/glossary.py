"""The field's words in a student's words. Torch-free.

What a knob, a score, a loss, a prior or a network is says its own entry (`config`, `scores.table`, `losses`, ...); here
stand the words that those use. The glossary of the pages has all of them, see `ui.glossary`."""

from typing import NamedTuple


class Word(NamedTuple):
    """A word of the field. `also`: other words for it, or forms of it, that somebody may look for."""

    title: str
    meaning: str
    also: tuple[str, ...] = ()


WORDS = (
    Word(
        "latent", "The few numbers that a network makes of an image: its place on the map.", ("embedding", "code", "z")
    ),
    Word(
        "latent space",
        "Where the latents lie. With two dimensions it is a plane, and the map shows it as it is; with more "
        "it shows a projection.",
        ("embedding space", "dimension"),
    ),
    Word("encoder", "The network that turns an image into its latent.", ("network",)),
    Word(
        "decoder",
        "The network that draws an image from a latent. What it draws of an image's own latent is its reconstruction.",
    ),
    Word(
        "autoencoder", "An encoder and a decoder, trained to draw each image again from its latent. It needs no label."
    ),
    Word(
        "label",
        "The class of an image, told to the training. Labels are dear, images are cheap: the question of this "
        "program is what a few of them are worth.",
        ("class",),
    ),
    Word(
        "seen label",
        "A label that the training may use. From it those of all other training images are hidden.",
        ("hidden label", "few labels"),
    ),
    Word("semi-supervised", "Learning from many images of which few have a label.", ("supervised", "unsupervised")),
    Word(
        "metric learning",
        "Training an encoder so that distance means likeness: images of a class lie near one another, others far.",
        ("DML", "deep metric learning", "metric loss"),
    ),
    Word(
        "loss",
        "A number that is the smaller the better the network does; training makes it small. It is often a sum of "
        "terms, each with a weight.",
        ("term", "L"),
    ),
    Word(
        "gradient",
        "In which direction, and how steeply, a loss rises. Training moves against it: on the drawing of a "
        "lesson these are the arrows.",
    ),
    Word(
        "anchor, positive, negative",
        "Of a triplet: an image, another one of its class, and one of another class.",
        ("anchor", "positive", "negative", "pair"),
    ),
    Word(
        "hard and semi-hard",
        "Which triplets count. Hard: the farthest positive with the nearest negative. Semi-hard: "
        "the nearest negative that is farther than the positive.",
        ("semihard", "hard negative"),
    ),
    Word(
        "twin",
        "A second view of an image, turned, shifted or with other colours; without labels it stands in for "
        "another image of the same class.",
        ("augmentation", "transform", "view"),
    ),
    Word(
        "reconstruction",
        "What the decoder draws of an image's latent; and the loss that compares both, pixel by pixel.",
        ("reconstruct",),
    ),
    Word(
        "likelihood",
        "How probable the model thinks an image is. Its logarithm, with a minus, is the reconstruction "
        "loss: -log p(x | z).",
        ("log-likelihood", "negative log-likelihood", "bernoulli", "gaussian likelihood", "p(x|z)"),
    ),
    Word("nats", "Unit of information, with the natural logarithm: 1 nat is 1.44 bits.", ("nat", "bit")),
    Word(
        "prior",
        "Where latents should lie before any image was seen: hills of probability in the latent space, "
        "whatever the labels.",
        ("p(z)",),
    ),
    Word(
        "posterior",
        "Where the latent of one image lies: with a prior not a point but a small Gaussian, q(z|x).",
        ("q(z|x)",),
    ),
    Word("Gaussian", "A round hill of probability, known by its middle and its width.", ("normal distribution",)),
    Word(
        "sigma",
        "Width of a Gaussian, the standard deviation; 68 % of a bell curve lie within one. A log-variance v is "
        "a sigma of exp(v / 2).",
        ("standard deviation", "log-variance", "variance", "sd"),
    ),
    Word("mixture", "Several Gaussians together, each with a weight.", ("Gaussian mixture", "GMM")),
    Word("component", "One Gaussian of a mixture: a ring on the map. Those that hold points are in use."),
    Word(
        "mode",
        "A hilltop of a density. Equal components nearer than two sigma share one, and then offer one place only.",
        ("modes", "hill"),
    ),
    Word(
        "responsibility",
        "How much of a point belongs to a component, between 0 and 1: the share of the density there "
        "that is that component's.",
        ("responsible",),
    ),
    Word(
        "Sinkhorn",
        "Scaling rows and columns of a table by turns until both have the wanted sums; here, so that each "
        "component gets its share of the points.",
        ("balanced",),
    ),
    Word(
        "KL divergence",
        "How far one distribution is from another, in nats; 0 when they are the same. In the loss: how "
        "far an image's posterior is from the prior.",
        ("KL", "Kullback-Leibler"),
    ),
    Word(
        "variational autoencoder",
        "An autoencoder whose latents are small Gaussians that a prior holds together.",
        ("VAE", "MetricVAE"),
    ),
    Word(
        "ELBO",
        "Evidence lower bound, what a variational autoencoder maximises: how well it draws, less the KL "
        "divergence. Negative, a bound on -log p(x).",
        ("evidence", "bound"),
    ),
    Word("pseudo-input", "A learned image whose posterior is a component of a VampPrior.", ("pseudo-inputs",)),
    Word(
        "collapse",
        "All latents lie in one place or on a line, so that they tell nothing any more.",
        ("collapsed", "heap"),
    ),
    Word(
        "null model",
        "What knows nothing of the image, as always naming the commonest class. Whatever is worth "
        "something must be better.",
        ("chance",),
    ),
    Word(
        "floor",
        "What a score would be without any training, or without what it is to show: chance, neighbours among "
        "raw pixels.",
        ("baseline",),
    ),
    Word("accuracy", "Share of the test images whose class is named right."),
    Word(
        "kNN",
        "A classifier that asks the nearest neighbours: the class that most of them have.",
        ("nearest neighbours", "neighbour", "5-NN"),
    ),
    Word("random forest", "A classifier that lets many trees of questions vote."),
    Word("MLP", "Multi-layer perceptron, a small network; as a classifier, with one hidden layer.", ("perceptron",)),
    Word("k-means", "Parts points into k groups, each around its middle, without labels.", ("clustering",)),
    Word(
        "cluster", "A group of points that lie, or are put, together, whatever their labels.", ("centroid", "clusters")
    ),
    Word("mutual information", "How much knowing the cluster of an image tells of its class.", ("MI",)),
    Word(
        "AMI",
        "Adjusted mutual information of two ways to group the same images: 0 is chance, 1 is the same groups.",
        ("adjusted mutual information",),
    ),
    Word(
        "NMI",
        "Normalised mutual information, between 0 and 1, not adjusted for chance: many small groups raise it.",
        ("normalised mutual information",),
    ),
    Word("entropy", "How undecided a distribution is: 0 when all is sure, ln K when K outcomes are alike.", ("H(Y)",)),
    Word("recall at k", "Share of the images with one of their own class among their k nearest.", ("R@1", "recall")),
    Word(
        "precision",
        "Of the images that are nearest to one, the share of its own class, as in MAP@R and R-precision.",
        ("MAP", "R-precision", "retrieval"),
    ),
    Word(
        "protocol",
        "How a score is made. Here mostly: a classifier fitted on all labels, or on the seen ones only.",
        ("fitted on",),
    ),
    Word(
        "training, validation, test",
        "Images to learn from, to choose settings by, and to score with at the end.",
        ("split", "held-out", "test images", "validation"),
    ),
    Word("epoch", "One pass over all training images.", ("epochs", "pass")),
    Word("batch", "The images of one step.", ("step", "mini-batch")),
    Word("learning rate", "How long the steps against the gradient are.", ("Adam", "SGD", "optimizer", "momentum")),
    Word("schedule", "When which loss counts: in every step, or by turns.", ("joint", "alternate", "turns", "warm-up")),
    Word(
        "seed",
        "Where all chance begins: the same seed and setting give the same run. Several seeds show what is luck.",
        ("random", "n"),
    ),
    Word(
        "95 % interval",
        "Made anew many times, 95 of 100 such intervals would hold the true value. One that holds 0 "
        "says: this difference may be luck.",
        ("confidence interval", "interval", "mean ± sd"),
    ),
    Word("paired", "Compared seed by seed, so that what both runs share by luck falls out.", ("paired difference",)),
    Word(
        "projection",
        "Many dimensions drawn in two; what is near there need not have been near.",
        ("PCA", "UMAP", "t-SNE", "plane"),
    ),
    Word("density", "How much probability, or how many points, there is around a place."),
    Word("ablation", "Leaving one part out, to see what it was worth.", ("CBS", "SME")),
    Word("confusion", "A table of which class was taken for which.", ("confusion matrix",)),
)
