"""Priors p(z) over the latent space. This table is torch-free.

`target` is `build(latent_dim, shape, **knobs) -> nn.Module` with

    log_prob(z)            (B, D) -> (B,), in nats
    sample(n, generator)   -> (n, D)
    components()           means (K, D), log_vars (K, D), weights (K,)
    kl(z, mean, log_var)   KL(N(mean, diag exp(log_var)) || p) in nats: (B, D), (B, D) -> (B,), in closed form or by
                           `samples` samples z (S, B, D) of that Gaussian

A prior whose components come from the encoder has `pseudo_inputs` (K, C, H, W), None otherwise; `components` and `kl`
take their `posteriors` where they are at hand. The fact `components` says whether it has more than one; `side_by_side`
which knobs may differ between models that are stepped together (`semidml.train.step`).
"""

from semidml.registry import Entry, table

SAFIR = "Safir et al., SciPy 2022, doi 10.25080/majora-212e5952-022"
MOST_COMPONENTS = 1024  # of the vertices: ten dimensions
IDLE = {  # knobs of a mixture that have no effect with a placement
    "vertices": {"positions", "components"},  # as many as a cube has
    "lattice": {"positions"},
    "sphere": {"positions"},
    "given": {"components", "component_spacing"},
}

PRIORS = table(
    [
        Entry("none", "no prior", "latents lie where the losses put them"),
        Entry(
            *("unit", "unit Gaussian", "one round hill around the origin"),
            *("Kingma and Welling 2014, arXiv 1312.6114", "semidml.priors.gmm:Unit"),
            facts={"components": False, "side_by_side": ()},
        ),
        Entry(
            *("gmm", "Gaussian mixture"),
            "hills at chosen places; as the paper has it, at the vertices of a cube, or where you put them",
            *(SAFIR, "semidml.priors.gmm:build"),
            knobs=(
                *("placement", "positions", "components", "component_spacing", "component_log_var"),
                *("component_weights", "balance", "kl_samples"),
            ),
            facts={"components": True, "side_by_side": ("component_spacing", "component_log_var", "component_weights")},
        ),
        Entry(
            *("vamp", "VampPrior", "a mixture of the posteriors of learned pseudo-inputs"),
            *("Tomczak and Welling 2018, arXiv 1705.07120", "semidml.priors.vamp:Vamp"),
            knobs=("pseudo_inputs", "pseudo_init", "kl_samples"),
            facts={"components": True, "side_by_side": ("pseudo_init",)},
        ),
    ]
)
