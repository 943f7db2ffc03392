"""Images are moved as their parameters say, and no farther."""

import math

import pytest
import torch
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import functional as torchvision

from semidml.data.augment import LUMA, TWINS, affine, affine_parameters, colour_parameters, recoloured, view
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


# ---- twins

UNMOVED, UNCOLOURED = torch.tensor([0.0, 1.0, 1.0, 0.0, 0.0, 0.0]), torch.tensor([1.0, 1.0, 1.0, 0.0])
UNCHANGED = {"signs": UNMOVED, "photographs": torch.cat([UNMOVED, UNCOLOURED])}


def drawn(kind, strength=1.0, seed=0, steps=40, rows=50):
    return TWINS[kind](steps, rows, torch.Generator().manual_seed(seed), strength)


@pytest.mark.parametrize("kind", TWINS)
def test_a_twins_amounts_follow_their_generator_and_vanish_with_strength_0(kind):
    first, unchanged = drawn(kind), UNCHANGED[kind].expand(40, 50, -1)
    assert first.shape == unchanged.shape and first.dtype == torch.float32 and first.device.type == "cpu"
    assert first.equal(drawn(kind)) and not first.equal(drawn(kind, seed=1))
    torch.testing.assert_close(drawn(kind, 0.0), unchanged, rtol=0, atol=1e-6)
    images = torch.rand(50, 3, 9, 14, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(view(images, drawn(kind, 0.0)[0]), images, rtol=0, atol=1e-5)


@pytest.mark.parametrize("strength", [0.5, 1.0, 4.0])
def test_signs_keep_to_their_reach_and_are_never_mirrored(strength):
    angle, x_scale, y_scale, shear, right, down = drawn("signs", strength).unbind(-1)
    most_shear = math.tan(math.radians(min(30 * strength, 60)))
    reaches = [
        (angle, math.radians(25) * strength),
        (x_scale.log(), 2 * math.log(1.25) * strength),  # of a mirrored one this is NaN
        (y_scale.log(), 2 * math.log(1.25) * strength),
        ((x_scale / y_scale).log(), 2 * math.log(1.25) * strength),
        (shear, most_shear),
        (right, 0.07 * strength),
        (down, 0.07 * strength),
    ]
    for amounts, reach in reaches:
        assert 0.9 * reach < amounts.abs().max() <= reach * (1 + 1e-5)


@pytest.mark.parametrize("strength", [0.5, 1.0, 4.0])
def test_crops_lie_within_the_image_and_keep_to_their_area_and_form(strength):
    angle, x_scale, y_scale, shear, right, down = drawn("photographs", strength)[..., :6].flatten(0, 1).unbind(-1)
    width, height = 1 / x_scale.abs(), 1 / y_scale
    assert not angle.any() and not shear.any() and (y_scale >= 1 - 1e-6).all()
    across, along = -right / x_scale, -down / y_scale  # of the crop's centre from the image's, in sides of the image
    assert (across.abs() + width / 2 <= 0.5 + 1e-5).all() and (along.abs() + height / 2 <= 0.5 + 1e-5).all()
    least, widest = max(1 - 0.8 * strength, 0.05), (4 / 3) ** min(strength, 1)
    area, form = width * height, width / height
    assert least * (1 - 1e-5) <= area.min() < least + 0.01 and 0.9 < area.max() <= 1 + 1e-6
    assert (form <= widest * (1 + 1e-5)).all() and (form >= (1 - 1e-5) / widest).all()
    assert abs((x_scale < 0).float().mean() - 0.5) < 0.05  # 2,000 drawn: four standard errors


def test_a_crop_is_a_slice_that_is_made_larger():
    """The left half of the columns, or a third by a third whose middle pixels fall on pixels."""
    images = torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    half = affine(images, torch.tensor([[0.0, 2, 1, 0, 0.5, 0]]).expand(2, 6))
    known = interpolate(images[..., :6], (9, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(half[..., :-1], known[..., :-1], rtol=0, atol=1e-5)  # the last looks over its edge
    top, left = 3, 6  # of the third: its centre is half a row above the middle, 2 columns to the right
    down, right = -3 * (top + 1.5 - 4.5) / 9, -3 * (left + 2 - 6) / 12
    third = affine(images, torch.tensor([[0.0, 3, 3, 0, right, down]]).expand(2, 6))
    torch.testing.assert_close(third[..., 1::3, 1::3], images[..., 3:6, 6:10], rtol=0, atol=1e-5)


def test_a_negative_scale_is_a_mirror():
    images = torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(0))
    mirrored = affine(images, torch.tensor([[0.0, -1, 1, 0, 0, 0]]).expand(2, 6))
    torch.testing.assert_close(mirrored, images.flip(-1), rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [11, 31])
def test_a_shear_moves_a_point_as_far_as_it_lies_below_the_centre(width):
    images = torch.zeros(1, 1, 11, width)
    images[0, 0, 5 + 3, width // 2] = 1
    moved = affine(images, torch.tensor([[0.0, 1, 1, 1 / 3, 0, 0]]))
    assert moved[0, 0, 5 + 3, width // 2 + 1] == pytest.approx(1, abs=1e-5)
    assert moved[0, 0, 5 + 3].sum() == pytest.approx(1, abs=1e-4)


def test_four_numbers_are_six_with_one_scale_and_no_shear():
    images = torch.rand(4, 1, 9, 12, generator=torch.Generator().manual_seed(0))
    four = affine_parameters(1, 4, torch.Generator().manual_seed(0))[0]
    six = torch.stack([four[:, 0], four[:, 1], four[:, 1], torch.zeros(4), four[:, 2], four[:, 3]], 1)
    torch.testing.assert_close(affine(images, six), affine(images, four))


# ---- colours


@pytest.mark.parametrize("strength", [0.5, 1.0, 4.0])
def test_colours_keep_to_their_reach_and_some_images_become_grey(strength):
    *factors, hue = drawn("photographs", strength)[..., 6:].flatten(0, 1).unbind(-1)
    grey = factors[2] == 0
    assert abs(grey.float().mean() - 0.2 * strength) < 0.04  # 2,000 drawn: four standard errors
    for amounts in (factors[0], factors[1], factors[2][~grey]):
        reach = min(0.4 * strength, 0.95)
        assert 0.9 * reach < (amounts - 1).abs().max() <= reach * (1 + 1e-5) and amounts.min() > 0.04
    reach = math.radians(18) * strength
    assert 0.95 * reach < hue.abs().max() <= reach * (1 + 1e-5)
    each = torch.stack([factors[0], factors[1], hue], 1)
    assert torch.corrcoef(each.T).fill_diagonal_(0).abs().max() < 0.1, "each amount is drawn by itself"


@pytest.mark.parametrize("which", ["brightness", "contrast", "saturation"])
def test_brightness_contrast_and_saturation_are_torchvision_s(which):
    images = torch.rand(4, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    amounts, factors = UNCOLOURED.repeat(4, 1), torch.tensor([0.0, 0.3, 1.1, 1.9])
    amounts[:, ("brightness", "contrast", "saturation").index(which)] = factors
    adjust = getattr(torchvision, f"adjust_{which}")
    known = [adjust(image, factor) for image, factor in zip(images, factors.tolist(), strict=True)]
    torch.testing.assert_close(recoloured(images, amounts), torch.stack(known), rtol=0, atol=5e-4)  # .2989 there


def test_all_at_once_is_one_after_the_other():
    """The order of torchvision's own: brightness, contrast, saturation. Colours so mild that none is cut."""
    images = 0.3 + 0.2 * torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    known = torchvision.adjust_contrast(torchvision.adjust_brightness(images, 1.2), 0.7)
    known = torchvision.adjust_saturation(known, 1.4)
    mixed = recoloured(images, torch.tensor([[1.2, 0.7, 1.4, 0.0]]))
    torch.testing.assert_close(mixed, known, rtol=0, atol=5e-4)


def test_a_third_of_a_turn_of_the_hues_swaps_the_channels_of_a_colour_without_grey():
    """Red becomes green, green blue, blue red, about their grey; greys stay."""
    weights = torch.tensor(LUMA)
    for channel in range(3):
        colour, then = torch.full((2, 3), 0.5)
        colour[channel] += 0.2
        grey = (weights @ colour).item()
        then[:] = grey + (colour - grey).roll(1)
        turned = recoloured(colour.view(1, 3, 1, 1), torch.tensor([[1.0, 1.0, 1.0, 2 * math.pi / 3]]))
        torch.testing.assert_close(turned.flatten(), then, rtol=0, atol=1e-5)
    greys = torch.rand(2, 1, 4, 4).expand(2, 3, 4, 4)
    torch.testing.assert_close(recoloured(greys, torch.tensor([[1.0, 1.0, 1.7, 1.3]]).expand(2, 4)), greys)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_images_of_any_channels_keep_their_shape_and_stay_between_0_and_1(channels):
    images = torch.rand(50, channels, 5, 8, generator=torch.Generator().manual_seed(0))
    amounts = colour_parameters(1, 50, torch.Generator().manual_seed(0), 4.0)[0]
    for given in (images, images.to(memory_format=torch.channels_last)):
        changed = recoloured(given, amounts)
        assert changed.shape == images.shape and changed.min() >= 0 and changed.max() <= 1
        alone = [recoloured(given[i : i + 1], amounts[i : i + 1])[0] for i in range(50)]
        torch.testing.assert_close(changed, torch.stack(alone))
    if channels == 1:
        known = torchvision.adjust_contrast(torchvision.adjust_brightness(0.4 * images[:1], 1.2), 0.7)
        torch.testing.assert_close(recoloured(0.4 * images[:1], torch.tensor([[1.2, 0.7, 0.0, 1.0]])), known)
