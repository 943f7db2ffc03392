"""Models: what can be trained. `latent.py` is the square of the first paper; this table names its corners.

`facts` are the two switches: does the model have a decoder, does it have a prior.
"""

from semidml.registry import Entry, table

SAFIR = "Safir et al., SciPy 2022, doi 10.25080/majora-212e5952-022"
LATENT = "semidml.methods.latent:build"
MODELS = table(
    [
        Entry(
            "dml",
            "plain deep metric learning",
            "an encoder and a metric loss of the labelled rows; unlabelled rows are not used",
            SAFIR,
            LATENT,
            defaults={"prior": "none"},
            facts={"decoder": False, "prior": False, "claim": "the baseline of every claim"},
        ),
        Entry(
            "dml-ae",
            "DML autoencoder",
            "a metric loss of the labelled rows and a reconstruction of all rows, weighted against each other",
            SAFIR,
            LATENT,
            knobs=("schedule", "warmup_epochs", "reconstruction", "likelihood"),
            defaults={"prior": "none"},
            facts={"decoder": True, "prior": False, "claim": "claim 1: a reconstruction helps when labels are few"},
        ),
        Entry(
            "dml-prior",
            "DML with a prior",
            "a metric loss of the labelled rows and the distance of all rows' posteriors from a prior",
            SAFIR,
            LATENT,
            knobs=("schedule", "warmup_epochs", "prior", "beta", "beta_warmup_epochs"),
            defaults={"prior": "gmm"},
            facts={"decoder": False, "prior": True, "claim": "claim 2: what a chosen prior does to the latent space"},
        ),
        Entry(
            "metric-vae",
            "MetricVAE",
            "a variational autoencoder with any of the priors, and a metric loss of the labelled rows",
            SAFIR,
            LATENT,
            knobs=(
                *("schedule", "warmup_epochs", "reconstruction", "likelihood"),
                *("prior", "beta", "beta_warmup_epochs"),
            ),
            defaults={"prior": "vamp"},
            facts={"decoder": True, "prior": True, "claim": "claim 3: a VampPrior and a metric loss, trained jointly"},
        ),
    ]
)
