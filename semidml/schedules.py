"""How the weights of the two losses change over a training: (epoch, step, the schedule's knob) -> (w_S, w_U).

L_S is the metric loss of the labelled rows, L_U the reconstruction (and, with a prior, the KL term) of all rows.
Epochs and steps count from 1 and 0: the paper's odd epochs are the first, the third, ... The first step of all has
every loss that a schedule ever weighs: from it `RunConfig` knows whether labels and images are used at all.

Plain metric learning first and then both losses, which Safir et al. name as future work for mixtures, is no schedule of
its own: `warmup_epochs` puts L_S alone before any of these.

A schedule whose fact `balances` is true multiplies L_U by lambda, the ratio of the two losses' gradients
(`Latent.balanced`): alpha is then their share whatever their scales, and any constant factor of L_U has no effect, be
it the number of pixels or, for a model without a decoder, beta. It costs two more short ways back: a step takes 1.1
(MNIST, conv) to 1.3 times (MNIST, VampPrior) the processor time of `joint`, 1.2 for the DML autoencoder (Intel Xeon, 2
cores, busy, one thread; median of 37 steps, conv 7; 2026-11-22).
"""

from semidml.registry import Entry, table


def by_epoch(epoch: int, step: int, alpha: float) -> tuple[float, float]:
    """Odd epochs (1 - alpha) L_S + alpha L_U, even epochs alpha L_U (Safir et al., SciPy 2022, doi
    10.25080/majora-212e5952-022)."""
    return (1 - alpha, alpha) if epoch % 2 == 1 else (0.0, alpha)


def by_batch(epoch: int, step: int, alpha: float) -> tuple[float, float]:
    """The same alternation from step to step, which Safir et al. name as future work."""
    return (1 - alpha, alpha) if step % 2 == 0 else (0.0, alpha)


def joint(epoch: int, step: int, alpha: float) -> tuple[float, float]:
    """(1 - alpha) L_S + alpha L_U in every step."""
    return 1 - alpha, alpha


def additive(epoch: int, step: int, gamma: float) -> tuple[float, float]:
    """L_U + gamma L_S in every step (Safir et al., last table).

    `joint` with gamma = (1 - alpha) / alpha, times 1 / alpha: Adam takes the same steps, but for its epsilon."""
    return gamma, 1.0


SAFIR = "Safir et al., SciPy 2022, doi 10.25080/majora-212e5952-022"
ALPHA = {"knobs": ("alpha",), "facts": {"balances": False, "side_by_side": ("alpha",)}}
SCHEDULES = table(
    [
        Entry(
            *("joint", "both losses in every step", "(1 - alpha) L_S + alpha L_U, always"),
            *(SAFIR, "semidml.schedules:joint"),
            **ALPHA,
        ),
        Entry(
            *("batch", "alternate by step", "as the paper's, but from step to step"),
            *(SAFIR, "semidml.schedules:by_batch"),
            **ALPHA,
        ),
        Entry(
            "epoch",
            "alternate by epoch (the paper)",
            "odd epochs (1 - alpha) L_S + alpha L_U, even epochs alpha L_U",
            *(SAFIR, "semidml.schedules:by_epoch"),
            **ALPHA,
        ),
        Entry(
            "additive",
            "metric loss added (the paper's last table)",
            "L_U + gamma L_S, always; alpha has no part in it",
            *(SAFIR, "semidml.schedules:additive"),
            knobs=("gamma",),
            facts={"balances": False, "side_by_side": ("gamma",)},
        ),
        Entry(
            "balanced",
            "both losses in every step, gradients balanced",
            "(1 - alpha) L_S + alpha lambda L_U, lambda making both gradients equally long at the encoder's last "
            "layer; a step takes 1.1 to 1.3 times as long",
            *("Esser et al., CVPR 2021, arXiv 2012.09841", "semidml.schedules:joint"),
            knobs=("alpha",),
            facts={"balances": True, "side_by_side": None},
        ),
    ]
)
