"""Metric losses: loss(z: (B, D), y: (B,)) -> (), one small file each. This table is torch-free.

`target` is a factory `build(latent_dim, classes, **knobs) -> loss`; what it returns is a function, or an nn.Module
where the loss has parameters or centers of its own, which then belong to the model. `facts` say

    needs       what a batch must hold for the loss to say anything: a row, a pair, a positive pair, a triplet (a
                positive and a negative of one anchor), or two positive pairs, of two classes; without it the loss is 0
                with a gradient path
    pairs       it takes loss(z, y, pairs=...)
    static      a step has static shapes and asks the device for nothing (with `pairs`: where they are given)
    normalised  it looks at directions only, as if z lay on the unit sphere: in 2-D that is a circle, and in one
                dimension, where a direction is a sign, there is nothing to learn. Scores are then of directions
    distances   it looks at distances between rows only: moving all of them changes nothing
    every_row   all rows of a batch count
    side_by_side  knobs that may differ between models that are stepped together (`semidml.train.step`); None where a
                model with this loss cannot be

A loss of your own is a file, semidml/losses/mine.py,

    from functools import partial

    from torch import Tensor

    from semidml.losses.pairs import Pairs, distances, pairs_of


    def build(latent_dim: int, classes: int, margin: float):
        return partial(my_loss, margin=margin)


    def my_loss(z: Tensor, y: Tensor, margin: float, pairs: Pairs | None = None) -> Tensor:
        # mean distance of positives beyond the margin: (B, D), (B,) -> ()
        pairs = pairs_of(y) if pairs is None else pairs
        return (distances(z)[pairs.anchor, pairs.positive] - margin).clamp_min(0).sum() / max(1, len(pairs.anchor))

and an entry of this table:

    Entry("mine", "my loss", "positives within the margin", "", "semidml.losses.mine:build", knobs=("margin",),
          facts=_facts("positive pair", **BY_DISTANCE))
"""

from typing import Any

from semidml.registry import Entry, table


def _facts(needs: str, side_by_side: tuple[str, ...] | None = None, **others: bool) -> dict[str, Any]:
    usual = {"pairs": False, "static": False, "normalised": False, "distances": False, "every_row": True}
    return {"needs": needs, "side_by_side": side_by_side} | usual | others


BY_DISTANCE = {"pairs": True, "static": True, "distances": True}
BY_DIRECTION = {"pairs": True, "static": True, "normalised": True}
WEN = "Wen, Zhang, Li and Qiao 2016, doi 10.1007/978-3-319-46478-7_31"

LOSSES = table(
    [
        Entry(
            *("triplet", "triplet", "each positive nearer to its anchor than each negative, by a margin"),
            "Schroff et al. 2015, arXiv 1503.03832; Hermans et al. 2017, arXiv 1703.07737",
            "semidml.losses.triplet:build",
            knobs=("margin", "mining"),
            facts=_facts("triplet", ("margin",), **BY_DISTANCE),
        ),
        Entry(
            *("contrastive", "contrastive", "positives together, negatives at least a margin apart"),
            *("Hadsell, Chopra and LeCun 2006, doi 10.1109/CVPR.2006.100", "semidml.losses.contrastive:build"),
            knobs=("margin",),
            facts=_facts("pair", ("margin",), **BY_DISTANCE),
        ),
        Entry(
            *("supcon", "supervised contrastive"),
            "each row must pick its positives out of all other rows, by direction",
            *("Khosla et al. 2020, arXiv 2004.11362", "semidml.losses.supcon:build"),
            knobs=("temperature",),
            facts=_facts("positive pair", ("temperature",), **BY_DIRECTION),
        ),
        Entry(
            *("center", "softmax + center", "a linear classifier, and each row near the moving center of its class"),
            *(WEN, "semidml.losses.center:SoftmaxCenterLoss"),
            knobs=("center_weight",),
            facts=_facts("row", ("center_weight",), static=True),
        ),
        Entry(
            *("center-only", "center alone"),
            "each row near its class's moving center, nothing else: it collapses, and is here so that one can see it",
            *(WEN, "semidml.losses.center:CenterLoss"),
            facts=_facts("row", (), static=True),
        ),
        Entry(
            *("lifted-structure", "lifted structure"),
            "each positive pair against all negatives of both of its rows, smoothly",
            *("Oh Song et al. 2016, arXiv 1511.06452", "semidml.losses.lifted:build"),
            knobs=("margin",),
            facts=_facts("triplet", ("margin",), **BY_DISTANCE),
        ),
        Entry(
            *("ntxent", "NT-Xent", "each positive must win against all negatives of its anchor, by direction"),
            *("Chen et al. 2020, arXiv 2002.05709", "semidml.losses.ntxent:build"),
            knobs=("temperature",),
            facts=_facts("triplet", ("temperature",), **BY_DIRECTION),
        ),
        Entry(
            *("multi-similarity", "multi-similarity"),
            "soft maxima of each row's similarities to positives and to negatives",
            *("Wang et al. 2019, arXiv 1904.06627", "semidml.losses.pml:multi_similarity"),
            facts=_facts("pair", normalised=True),
        ),
        Entry(
            *("circle", "circle", "each similarity pulled the harder the farther it is from its optimum"),
            *("Sun et al. 2020, arXiv 2002.10857", "semidml.losses.pml:circle"),
            facts=_facts("triplet", normalised=True),
        ),
        Entry(
            *("n-pairs", "N-pairs"),
            "one pair of each class (the first in the batch) against the other classes, by dot product",
            *("Sohn 2016, NIPS 29", "semidml.losses.pml:n_pairs"),
            facts=_facts("two positive pairs", (), every_row=False),
        ),
        Entry(
            *("angular", "angular", "the angle under which a negative sees anchor and positive is kept small"),
            *("Wang et al. 2017, arXiv 1708.01682", "semidml.losses.pml:Angular"),
            facts=_facts("triplet", (), normalised=True),
        ),
        Entry(
            *("proxy-anchor", "proxy anchor", "a learned proxy of each class is the anchor of all rows"),
            *("Kim et al. 2020, arXiv 2003.13911", "semidml.losses.pml:proxy_anchor"),
            facts=_facts("row", normalised=True),
        ),
        Entry(
            *("arcface", "ArcFace"),
            "a classifier by angle, with 28.6 degrees between each row's own class and the others",
            *("Deng et al. 2019, arXiv 1801.07698", "semidml.losses.pml:ArcFace"),
            knobs=("temperature",),
            facts=_facts("row", normalised=True),
        ),
    ]
)
