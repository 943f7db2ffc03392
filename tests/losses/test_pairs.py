import torch

from semidml.losses.pairs import distances, pairs_of


def test_pairs_of_five_rows():
    pairs = pairs_of(torch.tensor([0, 0, 1, 0, 2]))
    assert list(zip(pairs.anchor.tolist(), pairs.positive.tolist(), strict=True)) == [
        (0, 1), (0, 3), (1, 0), (1, 3), (3, 0), (3, 1),
    ]  # fmt: skip
    assert pairs.negatives.int().tolist() == [
        [0, 0, 1, 0, 1],
        [0, 0, 1, 0, 1],
        [1, 1, 0, 1, 1],
        [0, 0, 1, 0, 1],
        [1, 1, 1, 1, 0],
    ]
    assert [set(s[f].tolist()) for s, f in zip(pairs.slots, pairs.filled, strict=True)] == [
        {1, 3}, {0, 3}, set(), {0, 1}, set(),
    ]  # fmt: skip


def test_the_same_image_in_the_same_view_is_no_positive():
    image = torch.tensor([4, 4, 7])
    pairs = pairs_of(torch.zeros(3, dtype=torch.int64), same_row=image[:, None] == image)
    assert list(zip(pairs.anchor.tolist(), pairs.positive.tolist(), strict=True)) == [(0, 2), (1, 2), (2, 0), (2, 1)]
    assert not pairs.negatives.any()


def test_one_row_has_no_pair():
    pairs = pairs_of(torch.tensor([3]))
    assert len(pairs.anchor) == 0
    assert pairs.slots.shape == (1, 1)
    assert not pairs.filled.any()


def test_distances_of_a_right_triangle():
    d = distances(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]))
    torch.testing.assert_close(d, torch.tensor([[0.0, 3, 4], [3, 0, 5], [4, 5, 0]]))


def test_near_points_far_from_the_origin_keep_their_distance():
    far = (
        torch.randn(100, 2, generator=torch.Generator().manual_seed(0)) * 1e-4 + 8.0
    )  # 100 rows: cdist would go by products
    exact = distances(far.double())
    torch.testing.assert_close(distances(far).double(), exact, rtol=1e-5, atol=0)


def test_the_gradient_is_finite_at_distance_zero():
    z = torch.zeros(5, 3, requires_grad=True)
    distances(z).sum().backward()
    assert torch.equal(z.grad, torch.zeros(5, 3))


def test_the_gradient_of_a_distance_is_a_unit_vector():
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    distances(z)[0, 1].backward()
    torch.testing.assert_close(z.grad, torch.tensor([[-0.6, -0.8], [0.6, 0.8]]))
