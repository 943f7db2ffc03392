"""CBSwR's terms, against their definitions written out and against the authors' step."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from semidml.config import RunConfig
from semidml.losses import twins
from semidml.methods import VARIANTS, Batch
from semidml.methods.cbswr import CLUSTERING, METRIC, RECONSTRUCTION, TWINS, Dropout, Head, build

SHAPE = (1, 8, 8)
GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "cbswr_official.json"
ALL = (CLUSTERING, METRIC, RECONSTRUCTION, TWINS)


def model(**values):
    torch.manual_seed(0)
    return build(RunConfig.of({"model": "cbswr", "clusters": 4, "latent_dim": 5} | values), SHAPE, 10)


def batch(rows: int = 6, seed: int = 0) -> Batch:
    """Images and twins that resemble them; no label at all."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(rows, *SHAPE, generator=generator)
    return Batch(None, None, None, images, 0.9 * images + 0.1 * torch.rand(rows, *SHAPE, generator=generator))


def plain(made, representations: int, dimensions: int, clusters: int):
    """The model with rows of numbers for images, in float64: no encoder, and instead of batch normalisation a factor
    that spreads the rows over clusters."""
    torch.manual_seed(0)
    made.encoder = nn.Identity()
    made.embedding = nn.Linear(representations, dimensions)
    made.clustering = Head(dimensions, clusters, dropout=0)
    made.clustering[0] = nn.Identity()
    with torch.no_grad():
        made.clustering[1].weight *= 5
    return made.double()


def in_one_cluster(made, cluster: int = 1):
    """Every image is surely of that cluster."""
    with torch.no_grad():
        made.clustering[1].weight.zero_()
        made.clustering[1].bias.zero_()[cluster] = 20
    return made


# ---- what is trained


def test_each_variant_has_the_terms_of_its_row_in_the_ablation():
    weights = {variant: model(variant=variant).weights(0.2, 0.8) for variant in VARIANTS}
    assert weights == {
        "clustering": {CLUSTERING: 0.3, TWINS: 0.0},
        "sme": {METRIC: 0.9},
        "cbs": {CLUSTERING: 0.3, TWINS: 0.0, METRIC: 0.9},
        "cbswr": {CLUSTERING: 0.3, TWINS: 0.0, METRIC: 0.9, RECONSTRUCTION: 0.001},
    }


def test_weights_are_the_knobs_whatever_a_schedule_says():
    made = model(clustering_weight=1.5, twins_weight=0.25, metric_weight=0.5, reconstruction_weight=2.0)
    known = {CLUSTERING: 1.5, TWINS: 0.25, METRIC: 0.5, RECONSTRUCTION: 2.0}
    assert made.weights(1.0, 0.0) == made.weights(0.0, 1.0, 0.5) == known


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_that_a_variant_uses_gets_a_gradient(variant):
    made = model(variant=variant)
    active = [name for name, weight in made.weights(1, 1).items() if weight]
    sum(made.terms(batch(), active).values()).backward()
    without = {name for name, its in made.named_parameters() if its.grad is None or not its.grad.any()}
    assert without == {name for name in dict(made.named_parameters()) if variant == "sme" and "clustering" in name}
    assert (made.decoder is None) == (variant != "cbswr")


def test_a_decoder_whose_weight_is_0_is_not_built():
    made = model(reconstruction_weight=0)
    assert made.decoder is None and made.weights(1, 1)[RECONSTRUCTION] == 0
    with pytest.raises(ValueError, match="no decoder: choose the variant cbswr"):
        made.draw(torch.zeros(1, 128))


def test_a_place_of_the_embedding_cannot_be_drawn():
    with pytest.raises(ValueError, match="cannot draw a place in its embedding"):
        model().decode(torch.zeros(1, 5))


def test_only_what_is_asked_for_is_computed():
    made = model()
    made.decoder.forward = None  # would fail if it were called
    assert made.terms(batch(), [METRIC, TWINS]).keys() == {METRIC, TWINS}
    assert made.terms(batch(), []) == {}


# ---- the terms


@pytest.fixture
def rows():
    """Eight rows of six numbers, the last four the twins of the first."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    return torch.cat([x, x + 0.2 * torch.randn(4, 6, generator=generator, dtype=torch.float64)])


def given(made, rows, active):
    half = len(rows) // 2
    return made.terms(Batch(None, None, None, rows[:half], rows[half:]), active)


def test_clusters_are_judged_by_the_papers_formula_or_by_the_authors(rows):
    made = plain(model(l2=0.5, marginal_weight=1.7), 6, 5, 4)
    logits = made.clustering(normalize(made.embedding(rows), dim=1))
    marginal, conditional = twins.entropies(logits)
    regulariser = 0.5 / 2 * sum(w.item() ** 2 for w in made.clustering[1].weight.flatten())
    assert given(made, rows, [CLUSTERING])[CLUSTERING].item() == pytest.approx(
        (conditional - 1.7 * marginal).item() + regulariser
    )
    theirs = plain(model(l2=0.5, marginal_weight=1.7, formulas="authors"), 6, 5, 4)
    theirs.load_state_dict(made.state_dict())
    known = twins.rim_of_authors(logits, 1.7)
    assert torch.allclose(given(theirs, rows, [CLUSTERING])[CLUSTERING], known)


@pytest.mark.parametrize("own", ["spared", "counted"])
def test_the_metric_loss_is_the_center_softmax_of_embedded_means(rows, own):
    made = plain(model(own_centroid=own, temperature=0.3, variant="cbs"), 6, 5, 4)
    f = normalize(made.embedding(rows), dim=1)
    clusters = made.clustering(f)[:4].argmax(1).repeat(2)
    assert len(clusters.unique()) > 1
    g = torch.zeros(4, 5, dtype=torch.float64)
    for k in clusters.unique():
        g[k] = normalize(made.embedding(rows[clusters == k].mean(0)), dim=0)
    sizes = torch.bincount(clusters, minlength=4)
    known, other = (twins.center_softmax(f, g, sizes, clusters, 0.3, own_in_sum=its) for its in (False, True))
    known, other = (known, other) if own == "spared" else (other, known)
    term = given(made, rows, [METRIC])[METRIC]
    assert term.item() == pytest.approx(known.item()) and abs((term - other).item()) > 0.01


def test_without_clusters_the_metric_loss_is_the_baselines(rows):
    made = plain(model(variant="sme", temperature=0.3), 6, 5, 4)
    assert torch.allclose(given(made, rows, [METRIC])[METRIC], twins.sme(normalize(made.embedding(rows), dim=1), 0.3))


def test_a_twin_belongs_where_its_image_does(rows):
    """Also one that the head would put elsewhere, had it been asked."""
    made = plain(model(variant="cbs"), 6, 5, 4)
    mixed = torch.cat([rows[:4], rows[4:].roll(1, 0)])
    f = normalize(made.embedding(mixed), dim=1)
    asked = made.clustering(f).argmax(1)
    clusters = asked[:4].repeat(2)
    assert not torch.equal(asked, clusters)
    means, sizes = twins.centroids(mixed, clusters, 4)
    g = normalize(made.embedding(means), dim=1)
    known = twins.center_softmax(f, g, sizes, clusters, made.temperature, own_in_sum=False)
    assert known != 0 and given(made, mixed, [METRIC])[METRIC].item() == pytest.approx(known.item())


def test_the_order_of_pairs_means_nothing_and_who_is_whose_twin_does(rows):
    made = plain(model(twins_weight=1), 6, 5, 4)
    order = torch.tensor([2, 0, 3, 1])
    active = [CLUSTERING, METRIC, TWINS]
    first = given(made, rows, active)
    turned = given(made, torch.cat([rows[:4][order], rows[4:][order]]), active)
    mixed = given(made, torch.cat([rows[:4], rows[4:][order]]), active)
    for name in active:
        assert turned[name].item() == pytest.approx(first[name].item()), name
    assert mixed[CLUSTERING].item() == pytest.approx(first[CLUSTERING].item())
    assert mixed[METRIC] > first[METRIC] + 0.1 and mixed[TWINS] > first[TWINS]


@pytest.mark.parametrize("clusters", [3, 40])  # 40: more than rows, decoded row by row
def test_the_reconstruction_is_its_double_loop(clusters):
    """With an encoder and a decoder of one layer each, whose drawings differ."""
    made, given_batch = model(clusters=clusters), batch()
    made.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128))
    made.decoder = nn.Sequential(nn.Linear(128, 64), nn.Unflatten(1, SHAPE))
    with torch.no_grad():
        made.decoder[0].weight *= 20
    both = torch.cat([given_batch.images, given_batch.twins])
    representations, _, logits = made.heads(both)
    own = logits[:6].argmax(1).tolist() * 2
    assert len(set(own)) > 1
    total, count = 0.0, 0
    for i, image in enumerate(both):
        same = [j for j in range(12) if own[j] == own[i]]
        mean = sum(representations[j] for j in same) / len(same)
        drawn = made.draw(mean[None])[0]
        for pixel, its in zip(image.flatten().tolist(), drawn.flatten().tolist(), strict=True):
            total, count = total + (pixel - its) ** 2, count + 1
    term = made.terms(given_batch, [RECONSTRUCTION])[RECONSTRUCTION]
    assert term.item() == pytest.approx(total / count, rel=1e-5)


def test_embeddings_have_length_one_and_are_what_heads_says():
    made, x = model().eval(), batch().images
    representations, f, logits = made.heads(x)
    assert (representations.shape, f.shape, logits.shape) == ((6, 128), (6, 5), (6, 4))
    assert torch.equal(made.embed(x), f) and torch.allclose(f.norm(dim=1), torch.ones(6))


# ---- as its authors run it


def test_the_authors_head_is_batch_normalisation_dropout_and_a_linear_map():
    kinds = [type(layer) for layer in model(formulas="authors").clustering]
    assert kinds == [nn.BatchNorm1d, Dropout, nn.Linear]
    assert model(formulas="authors").clustering[1].p == 0.6 and issubclass(Dropout, nn.Dropout)
    assert [type(layer) for layer in model().clustering] == [nn.BatchNorm1d, nn.Linear]


def test_weights_fit_a_head_with_and_without_dropout():
    plain_head, theirs = model(), model(formulas="authors", clusters=4)
    theirs.load_state_dict(plain_head.state_dict())
    assert (
        plain_head.state_dict().keys() == theirs.state_dict().keys() >= {"clustering.0.weight", "clustering.1.weight"}
    )
    f = torch.randn(6, 5)
    assert torch.equal(plain_head.eval().clustering(f), theirs.eval().clustering(f))


def test_dropout_leaves_out_its_share_keeps_the_mean_and_follows_its_noise():
    drop, x = Dropout(0.6), torch.full((400, 500), 2.0, requires_grad=True)
    noise, other = torch.rand(2, 400, 500, generator=torch.Generator().manual_seed(3))
    first = drop(x, noise)
    assert first.unique().tolist() == pytest.approx([0, 5])  # 2 / .4
    assert (first == 0).float().mean().item() == pytest.approx(0.6, abs=0.005)
    assert first.mean().item() == pytest.approx(2, abs=0.03)
    (gradient,) = torch.autograd.grad(first.sum(), x)
    assert torch.equal(gradient > 0, first > 0)
    assert torch.equal(drop(x, noise), first) and not torch.equal(drop(x, other), first)
    assert drop.eval()(x) is x


@pytest.mark.parametrize("channels", [1, 3])
def test_centred_targets_are_images_less_the_authors_mean_colour(channels):
    """The term is the error of the same drawing from (pixel - mean), the means 122.77, 115.95, 102.98 of 255."""
    torch.manual_seed(0)
    values = {"model": "cbswr", "clusters": 3, "latent_dim": 5, "encoder": "conv", "targets": "centred"}
    made = build(RunConfig.of(values), (channels, 8, 8), 10)
    images, views = torch.rand(2, 4, channels, 8, 8)
    inner, drawn = made.decoder.forward, []
    made.decoder.forward = lambda z: drawn.append(inner(z)) or drawn[-1]
    term = made.terms(Batch(None, None, None, images, views), [RECONSTRUCTION])[RECONSTRUCTION]
    own = made.heads(torch.cat([images, views]))[2][:4].argmax(1).repeat(2)
    mean = torch.tensor([122.7717, 115.9465, 102.9801])
    mean = (mean if channels == 3 else mean.mean()[None])[:, None, None] / 255
    known = (drawn[0].sigmoid()[own] - (torch.cat([images, views]) - mean)).square().mean()
    assert term.item() == pytest.approx(known.item(), rel=1e-5)
    shown = made.draw(torch.randn(3, 128))
    assert shown.min() > 0.4 and shown.max() <= 1, "what is drawn is an image again: the mean colour is added"
    assert "mean_colour" not in made.state_dict() and model().mean_colour is None


# ---- the edges


CASES = {
    "one cluster only": ({}, 6),
    "two clusters, one of them empty": ({"clusters": 2}, 6),
    "more clusters than rows": ({"clusters": 50}, 6),
    "two images": ({}, 2),
    "two images and 500 clusters": ({"clusters": 500}, 2),
    "the lowest temperature": ({"temperature": 0.001}, 6),
    "the authors' formulas": ({"formulas": "authors"}, 6),
    "nearly all of the head dropped": ({"head_dropout": 0.95}, 6),
    "two dimensions": ({"latent_dim": 2}, 6),
}


@pytest.mark.parametrize("own", ["spared", "counted"])
@pytest.mark.parametrize("case", CASES)
def test_terms_and_gradients_are_finite(case, own):
    values, size = CASES[case]
    made = model(own_centroid=own, **values)
    if "one" in case:
        in_one_cluster(made)
    rows = batch(size)
    noise = made.noise(rows, ALL, torch.Generator().manual_seed(0))
    terms = made.terms(rows._replace(noise=noise), ALL)
    assert terms.keys() == set(ALL)
    for name, term in terms.items():
        assert term.shape == () and term.isfinite(), name
        for parameter, its in zip(
            made.named_parameters(),
            torch.autograd.grad(term, list(made.parameters()), retain_graph=True, allow_unused=True),
            strict=True,
        ):
            assert its is None or its.isfinite().all(), (name, parameter[0])


def test_images_all_alike_give_finite_gradients():
    """All rows in one place: an empty data set of blank images."""
    made, blank = model(), torch.zeros(6, *SHAPE)
    terms = made.terms(Batch(None, None, None, blank, blank), ALL)
    sum(terms.values()).backward()
    assert all(term.isfinite() for term in terms.values())
    assert all(its.grad is None or its.grad.isfinite().all() for its in made.parameters())


def test_steps_in_one_cluster_are_counted_and_their_metric_loss_rests():
    made = in_one_cluster(model())
    terms = made.terms(batch(), [METRIC, RECONSTRUCTION])
    made.terms(batch(seed=1), [METRIC])
    assert made.lonely_steps == 2 and terms[METRIC] == 0 and terms[RECONSTRUCTION] > 0
    spread = model()
    spread.terms(batch(), [METRIC])
    assert spread.lonely_steps == 0
    assert "lonely_steps" not in spread.state_dict(), "a count of one epoch is no part of a model"


# ---- the authors' step


def test_a_step_of_the_model_is_the_authors():
    """L_m, L_rim and the gradients of .9 L_m + .3 L_rim, of the model's own terms, which embed, assign and average.
    Their program in float64, without batch normalisation and dropout."""
    if not GOLDEN.exists():
        pytest.skip("the values of the authors' functions do not lie beside the project")
    its = json.loads(GOLDEN.read_text())["step_without_bn_dropout"]

    def known(values):
        return torch.tensor(values, dtype=torch.float64)

    pooled = known(its["P"]).requires_grad_()
    values = {"formulas": "authors", "temperature": its["T"], "marginal_weight": its["mu"], "variant": "cbs"}
    made = plain(model(**values), pooled.shape[1], *known(its["W"]).shape[:1], len(its["V"]))
    leaves = {
        "W": made.embedding.weight,
        "b": made.embedding.bias,
        "V": made.clustering[1].weight,
        "c": made.clustering[1].bias,
    }
    with torch.no_grad():
        for name, leaf in leaves.items():
            leaf.copy_(known(its[name]))
    assert its["alpha"] == 1 and len(its["cases"]) == 2
    terms = given(made, pooled, [CLUSTERING, METRIC])
    weights = made.weights(1, 1)
    for case in its["cases"]:
        assert terms[METRIC].item() == pytest.approx(case["L_m"], rel=1e-6)
    case = next(case for case in its["cases"] if case["logits_l2_normalised"])
    assert terms[CLUSTERING].item() == pytest.approx(case["L_rim"], rel=1e-6)
    total = sum(weights[name] * term for name, term in terms.items())
    assert total.item() == pytest.approx(case["total_.9Lm+.3Lrim"], rel=1e-6)
    found = torch.autograd.grad(total, [pooled, *leaves.values()])
    for name, gradient in zip(("pooled", *leaves), found, strict=True):
        assert torch.allclose(gradient, known(case[f"grad_{name}"]), rtol=1e-6, atol=1e-9), name
