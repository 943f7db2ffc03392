"""Images are moved as their parameters say, and no farther."""

import math

import pytest
import torch

from semidml.data.augment import affine, affine_parameters
from semidml.data.batches import Batches

STILL = torch.tensor([[0.0, 1.0, 0.0, 0.0]])


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 28), (1, 8, 8), (3, 20, 36)])
def test_the_identity_gives_the_image_back(shape):
    images = torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(affine(images, STILL.expand(5, 4)), images, rtol=0, atol=1e-5)


def test_a_shift_by_whole_pixels_moves_pixels():
    images = torch.zeros(1, 1, 10, 20)
    images[0, 0, 4, 7] = 1
    moved = affine(images, torch.tensor([[0.0, 1.0, 3 / 20, 2 / 10]]))  # three to the right, two down
    assert moved[0, 0, 6, 10] == pytest.approx(1, abs=1e-5) and moved.sum() == pytest.approx(1, abs=1e-4)


def test_a_quarter_turn_is_a_quarter_turn():
    images = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    turned = affine(images, torch.tensor([[math.pi / 2, 1.0, 0.0, 0.0]]))
    torch.testing.assert_close(turned, images.rot90(-1, (2, 3)), rtol=0, atol=1e-5)


def test_a_turn_keeps_lengths_where_images_are_not_square():
    images = torch.zeros(1, 1, 11, 31)
    images[0, 0, 5, 15 + 4] = 1  # four pixels to the right of the centre
    turned = affine(images, torch.tensor([[math.pi / 2, 1.0, 0.0, 0.0]]))
    assert turned[0, 0, 5 + 4, 15] == pytest.approx(1, abs=1e-4)


def test_a_larger_scale_makes_things_larger():
    images = torch.zeros(1, 1, 28, 28)
    images[0, 0, 10:18, 10:18] = 1
    grown = affine(images, torch.tensor([[0.0, 1.1, 0.0, 0.0]]))
    assert grown.sum() == pytest.approx(64 * 1.1**2, rel=0.02)


def test_each_image_moves_by_its_own_row():
    images = torch.rand(4, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    parameters = affine_parameters(1, 4, torch.Generator().manual_seed(0))[0]
    together = affine(images, parameters)
    for i in range(4):
        torch.testing.assert_close(together[i], affine(images[i : i + 1], parameters[i : i + 1])[0])


def test_parameters_lie_within_twelve_degrees_and_ten_percent_and_follow_their_generator():
    drawn = affine_parameters(50, 40, torch.Generator().manual_seed(1))
    assert drawn.shape == (50, 40, 4) and drawn.device.type == "cpu" and drawn.dtype == torch.float32
    away = (drawn - STILL[0]).flatten(0, 1).abs().amax(0)
    reach = torch.tensor([math.radians(12), 0.1, 0.1, 0.1])
    assert (away <= reach + 1e-6).all() and (away > 0.95 * reach).all()
    assert drawn.equal(affine_parameters(50, 40, torch.Generator().manual_seed(1)))
    gentle = affine_parameters(50, 40, torch.Generator().manual_seed(1), strength=0.25)
    torch.testing.assert_close(gentle - STILL[0], 0.25 * (drawn - STILL[0]), rtol=0, atol=1e-6)


def test_what_suits_the_data_does_not_change_the_class(digits):
    """The nearest of all training images to a moved one is of its class, and mostly the image itself."""
    images, labels = digits.train.images.float() / 255, digits.train.labels
    rows = len(labels)
    parameters = affine_parameters(1, rows, torch.Generator().manual_seed(0), digits.augment_strength)[0]
    nearest = torch.cdist(affine(images, parameters).flatten(1), images.flatten(1)).argmin(1)
    assert (labels[nearest] == labels).float().mean() > 0.98
    assert (nearest == torch.arange(rows)).float().mean() > 0.7


def test_an_epoch_of_augmented_batches_keeps_to_the_strength():
    labels, rows = torch.arange(10).repeat(4), torch.arange(40)

    def views(strength):
        batches = Batches(labels, rows, per_class=3, batch_size=8, augment=strength)
        return batches.epoch(torch.Generator().manual_seed(0)).views

    assert views(0.5).shape == (5, 30, 4)
    torch.testing.assert_close(views(0.5) - STILL[0], 0.5 * (views(1) - STILL[0]), rtol=0, atol=1e-6)
