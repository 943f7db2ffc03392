"""The parts of CBSwR against their definitions written out, and against the authors' functions where values of these
are at hand."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import normalize

from semidml.losses import twins

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "cbswr_official.json"


@pytest.fixture(scope="module")
def golden():
    if not GOLDEN.exists():
        pytest.skip("the values of the authors' functions do not lie beside the project")
    return json.loads(GOLDEN.read_text())


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def agrees(value, gradient_of, known, gradient):
    assert value.item() == pytest.approx(known, rel=1e-9, abs=1e-12)
    (found,) = torch.autograd.grad(value, gradient_of)
    assert torch.allclose(found, tensor(gradient), rtol=1e-8, atol=1e-10)


def rows(n=8, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(n, d, generator=generator, dtype=torch.float64), dim=1).requires_grad_()


# ---- the authors' values


def test_rim_is_the_authors(golden):
    for case in golden["rim"]["cases"]:
        for name, known in case.items():
            if name in ("name", "logits"):
                continue
            logits = tensor(case["logits"]).requires_grad_()
            if name.startswith("official_pipeline"):
                value = twins.rim_of_authors(logits, float(name.rpartition("mu")[2]))
            elif name == "paper_eq1_lambda1_no_R":
                value = twins.rim(logits)
                marginal, conditional = twins.entropies(logits)
                assert marginal.item() == pytest.approx(known["H_marg_nats"], abs=1e-12)
                assert conditional.item() == pytest.approx(known["H_cond_nats"], abs=1e-12)
            else:
                continue
            agrees(value, logits, known["value"], known["grad_logits"])


def test_sme_is_the_authors(golden):
    for case in golden["sme_batch_criterion"]["cases"]:
        f = tensor(case["embeddings"]).requires_grad_()
        agrees(twins.sme(f, case["T"]), f, case["value"], case["grad_embeddings"])


def test_the_center_softmax_is_the_authors(golden):
    its = golden["center_batch"]
    assert its["cases"]
    for case in its["cases"]:
        clusters = torch.tensor(case["assignment"])
        sizes = torch.bincount(clusters, minlength=case["K"])
        assert torch.nonzero(sizes).ravel().tolist() == case["nonempty_clusters"]
        g = torch.zeros(case["K"], case["dim"], dtype=torch.float64)
        g[case["nonempty_clusters"]] = tensor(case["centroid_embeddings"])
        for script, own_in_sum in (("train_py", False), ("loss_py", True)):
            if script not in case:
                continue
            f = tensor(golden["embeddings"][case["embeddings_key"]]).requires_grad_()
            value = twins.center_softmax(f, g, sizes, clusters, case["T"], case["alpha"], own_in_sum)
            agrees(value, f, case[script]["value"], case[script]["grad_embeddings"])


def test_a_step_is_the_authors(golden):
    its = golden["step_without_bn_dropout"]
    for case in its["cases"]:
        pooled = tensor(its["P"]).requires_grad_()
        leaves = {name: tensor(its[name]).requires_grad_() for name in ("W", "b", "V", "c")}
        f = normalize(pooled @ leaves["W"].T + leaves["b"], dim=1)
        logits = f @ leaves["V"].T + leaves["c"]
        shown = normalize(logits, dim=1) if case["logits_l2_normalised"] else logits
        assert torch.allclose(shown, tensor(case["s"]))
        clusters = shown[: len(shown) // 2].argmax(1).repeat(2)
        assert clusters.tolist() == case["assignment"]
        means, sizes = twins.centroids(pooled.detach(), clusters, logits.shape[1])
        assert torch.allclose(means[case["nonempty"]], tensor(case["centroid_repr"]))
        g = normalize(means @ leaves["W"].T + leaves["b"], dim=1)
        metric = twins.center_softmax(f, g, sizes, clusters, its["T"], its["alpha"], own_in_sum=False)
        assert metric.item() == pytest.approx(case["L_m"], rel=1e-9)
        if not case["logits_l2_normalised"]:
            continue
        rim = twins.rim_of_authors(logits, its["mu"])
        assert rim.item() == pytest.approx(case["L_rim"], rel=1e-9)
        total = 0.9 * metric + 0.3 * rim
        for name, found in zip(
            ("pooled", *leaves), torch.autograd.grad(total, [pooled, *leaves.values()]), strict=True
        ):
            assert torch.allclose(found, tensor(case[f"grad_{name}"]), rtol=1e-7, atol=1e-9), name


# ---- the definitions


def test_sme_is_its_definition():
    f, t = rows().detach(), 0.3
    total = 0.0
    for i in range(8):
        weights = {j: math.exp(float(f[i] @ f[j]) / t) for j in range(8) if j != i}
        p = {j: weight / sum(weights.values()) for j, weight in weights.items()}
        twin = (i + 4) % 8
        total += math.log(p[twin]) + sum(math.log(1 - p[j]) for j in p if j != twin)
    assert twins.sme(f, t).item() == pytest.approx(-total / 8)


@pytest.mark.parametrize("own_in_sum", [True, False])
def test_the_center_softmax_is_its_definition(own_in_sum):
    f, g, t, clusters = rows().detach(), rows(4, 5, 1).detach(), 0.3, [0, 1, 3, 1, 0, 1, 3, 1]  # nobody is in 2
    total = 0.0
    for i, c in enumerate(clusters):
        a = {u: math.exp(float(f[i] @ g[u]) / t) for u in (0, 1, 3)}
        near = math.exp(float(f[i] @ f[(i + 4) % 8]) / t)
        total += math.log(near / sum(weight for u, weight in a.items() if own_in_sum or u != c))
        total += 0.7 * sum(math.log(1 - a[u] / sum(a.values())) for u in a if u != c)
    sizes = torch.bincount(torch.tensor(clusters), minlength=4)
    value = twins.center_softmax(f, g, sizes, torch.tensor(clusters), t, 0.7, own_in_sum)
    assert value.item() == pytest.approx(-total / 8)


@pytest.mark.parametrize("own_in_sum", [True, False])
def test_one_cluster_only_gives_no_nan(own_in_sum):
    f, clusters = rows().detach().float().requires_grad_(), torch.full((8,), 2)
    g, sizes = twins.centroids(f, clusters, 4)
    value = twins.center_softmax(f, normalize(g, dim=1), sizes, clusters, own_in_sum=own_in_sum)
    value.backward()
    assert value.item() == 0 and f.grad.isfinite().all() and not f.grad.any()


def test_points_on_a_centroid_of_another_cluster_give_no_nan():
    f = torch.eye(4)[[0, 0, 1, 1, 0, 0, 1, 1]].requires_grad_()
    clusters = torch.tensor([1, 1, 0, 0, 1, 1, 0, 0])  # each lies on the other's centroid
    value = twins.center_softmax(f, torch.eye(4)[:2], torch.tensor([4, 4]), clusters, temperature=0.01)
    value.backward()
    assert value.isfinite() and f.grad.isfinite().all()


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.02])
def test_the_log_of_the_rest_has_its_gradient_where_single_precision_rounds_a_probability_to_one(temperature):
    """A row on another cluster's centroid: p is 1 - 5e-22 at T = .02, and only in double precision told from 1."""
    cosines = torch.tensor([[1.0, 0.02, -0.3], [0.9, 0.95, -1.0], [0.1, 0.1, 0.1]], dtype=torch.float64)
    where = torch.tensor([[True, False, True], [True, True, False], [True, True, True]])
    found = {}
    for dtype in (torch.float32, torch.float64):
        s = (cosines / temperature).to(dtype).requires_grad_()
        value = twins._log_of_rest(s, where).sum()
        value.backward()
        found[dtype] = value.item(), s.grad.double()
    assert found[torch.float32][0] == pytest.approx(found[torch.float64][0], rel=1e-5)
    assert torch.allclose(found[torch.float32][1], found[torch.float64][1], atol=1e-4)
    assert found[torch.float32][1][0, 0] < -0.1, "it is pushed away"
    rest = 1 - (cosines / temperature).softmax(1)
    if temperature == 1:
        assert found[torch.float64][0] == pytest.approx(rest.log()[where].sum().item(), rel=1e-12)


def test_no_gradient_passes_centroids_or_partners():
    f, g = rows(), rows(3, 5, 1)
    clusters = torch.tensor([0, 1, 2, 0] * 2)
    twins.center_softmax(f, g, torch.bincount(clusters, minlength=3), clusters).backward()
    assert g.grad is None and f.grad.any()


def test_centroids_are_means_and_zero_where_there_is_no_row():
    x = torch.arange(12.0).reshape(6, 2)
    means, sizes = twins.centroids(x, torch.tensor([0, 0, 2, 2, 2, 0]), 4)
    assert sizes.tolist() == [3, 0, 3, 0]
    assert torch.equal(means, torch.stack([x[[0, 1, 5]].mean(0), x[:0].sum(0), x[2:5].mean(0), x[:0].sum(0)]))


def test_rim_is_lowest_for_sure_and_even_clusters():
    even = 50 * torch.eye(4)[[0, 1, 2, 3] * 2]
    assert twins.rim(even).item() == pytest.approx(-math.log(4))
    assert twins.rim(torch.zeros(8, 4)).item() == pytest.approx(0, abs=1e-6)
    assert twins.rim(50 * torch.eye(4)[[0] * 8]).item() == pytest.approx(0, abs=1e-6)
    assert twins.rim(even, 2).item() == pytest.approx(-2 * math.log(4))


def test_scaled_logits_can_hardly_be_sure():
    sure = 50 * torch.eye(32)
    conditional = twins.entropies(normalize(sure, dim=1))[1]
    assert conditional.item() / math.log(32) > 0.99


def test_the_twin_cross_entropy_wants_the_same_sure_cluster():
    logits = torch.tensor([[9.0, 0], [0, 9], [9, 0], [0, 9]], dtype=torch.float64)
    assert twins.twin_cross_entropy(logits).item() < 0.01 < 4 < twins.twin_cross_entropy(logits[[0, 1, 3, 2]]).item()
    y = logits.softmax(1)
    known = -sum((y[i] * y[(i + 2) % 4].log()).sum() for i in range(4)) / 4
    assert twins.twin_cross_entropy(logits).item() == pytest.approx(known.item())
