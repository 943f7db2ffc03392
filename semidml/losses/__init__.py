"""Metric losses: loss(z: (B, D), y: (B,)) -> (), one small file each. This table is torch-free.

`target` is a factory `build(latent_dim, classes, **knobs) -> loss`; what it returns is a function, or an nn.Module
where the loss has parameters of its own. A loss without a valid pair is 0 with a gradient path. `facts["scale"]` says
the unit.
"""

from semidml.registry import Entry, table

LOSSES = table(
    [
        Entry(
            "triplet",
            "triplet",
            "each positive nearer to its anchor than each negative, by a margin",
            "Schroff et al. 2015, arXiv 1503.03832; Hermans et al. 2017, arXiv 1703.07737",
            "semidml.losses.triplet:build",
            knobs=("margin", "mining"),
            facts={
                "scale": "Euclidean distance in the latent space; equals the margin when all points coincide",
                "pairs": True,
                "normalised": False,
            },
        ),
    ]
)
