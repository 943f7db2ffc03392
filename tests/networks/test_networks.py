"""Every encoder and its mirror: shapes, any image size, gradients everywhere."""

import urllib.error

import pytest
import torch

from semidml.networks import ENCODERS, backbones

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 28, 28), (3, 13, 18), (1, 1, 1)]
SMALL = [entry for entry in ENCODERS.values() if "pretrained" not in entry.knobs]
LARGE = ["googlenet", "resnet18"]  # resnet50 is resnet18's code with other numbers, and slow: once is enough
CASES = [
    *[(entry.name, shape, dim) for entry in SMALL for shape in SHAPES for dim in (1, 2, 64)],
    *[(name, shape, 3) for name in LARGE for shape in [(1, 8, 8), (1, 28, 28), (3, 13, 40), (3, 64, 64)]],
    ("resnet50", (1, 28, 28), 2),
]
QUICK = [*SMALL, *[ENCODERS[name] for name in LARGE]]


@pytest.mark.parametrize(("name", "shape", "dim"), CASES, ids=str)
def test_shapes_both_ways_and_a_gradient_for_every_parameter(name, shape, dim):
    torch.manual_seed(0)
    encoder, decoder = ENCODERS[name].resolve()(shape, dim, decoder=True)
    x = torch.rand(8, *shape)
    z = encoder(x)
    logits = decoder(z)
    assert z.shape == (8, dim) and logits.shape == (8, *shape)
    logits.square().sum().backward()
    for network in (encoder, decoder):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.name)
def test_without_a_decoder_there_is_none_and_the_encoder_is_the_same(entry):
    made = []
    for with_decoder in (False, True):
        torch.manual_seed(0)
        made.append(entry.resolve()((1, 8, 8), 2, decoder=with_decoder))
    assert made[0][1] is None
    alone, together = (encoder.state_dict() for encoder, _ in made)
    assert alone.keys() == together.keys() and all(torch.equal(alone[name], together[name]) for name in alone)


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.name)
def test_in_evaluation_a_row_does_not_depend_on_its_neighbours(entry):
    encoder, _ = entry.resolve()((1, 8, 8), 2, decoder=False)
    encoder.eval()
    x = torch.rand(6, 1, 8, 8)
    assert torch.allclose(encoder(x)[:1], encoder(x[:1]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("entry", QUICK, ids=lambda entry: entry.name)
def test_a_gaussian_encoder_has_as_many_outputs_as_asked(entry):
    encoder, decoder = entry.resolve()((3, 28, 28), 4, True, 8)
    assert encoder(torch.rand(2, 3, 28, 28)).shape == (2, 8)
    assert decoder(torch.rand(2, 4)).shape == (2, 3, 28, 28)


# --- torchvision's backbones


@pytest.mark.parametrize("side", [1, 7, 8, 28, 56, 57, 64, 224, 225, 256])
def test_a_decoder_covers_any_size_with_few_parameters(side):
    decoder = backbones.decoder_of((3, side, side), 512)
    assert sum(p.numel() for p in decoder.parameters()) < 10e6
    assert decoder(torch.rand(2, 512)).shape == (2, 3, side, side)


def test_grey_is_colour_thrice_scaled_up_and_in_imagenets_units():
    seen = []
    encoder = backbones.Backbone(torch.nn.Identity()).eval()
    encoder.network.register_forward_hook(lambda module, inputs, output: seen.append(output))
    grey = torch.rand(2, 1, 8, 40)
    encoder(grey)
    encoder(grey.expand(-1, 3, -1, -1))
    assert seen[0].shape == (2, 3, 32, 40) and torch.equal(seen[0], seen[1])
    white = encoder(torch.ones(1, 3, 64, 64))
    assert torch.allclose(
        white[0, :, 5, 5], torch.tensor([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    )


def test_what_a_backbone_cannot_do_is_refused_in_words():
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        backbones.resnet18((2, 28, 28), 2, False)
    with pytest.raises(ValueError, match="no or imagenet, got 'yes'"):
        backbones.resnet18((1, 28, 28), 2, False, pretrained="yes")


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """torch's cache folder, empty, on a machine without a network."""

    def offline(*how, **more):
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr("torch.hub.urlopen", offline)
    return tmp_path / "hub" / "checkpoints"


OFFICIAL = {
    "googlenet": "googlenet-1378be20.pth",
    "resnet18": "resnet18-f37072fd.pth",
    "resnet50": "resnet50-11ad3fa6.pth",
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_weights_that_cannot_be_had_are_said_with_folder_and_file(name, checkpoints):
    with pytest.raises(ValueError, match="no network") as refused:
        ENCODERS[name].resolve()((1, 28, 28), 2, False, pretrained="imagenet")
    assert str(checkpoints) in str(refused.value) and OFFICIAL[name] in str(refused.value)


@pytest.mark.parametrize("name", LARGE)
def test_weights_in_the_cache_folder_are_loaded_but_for_the_last_layer(name, checkpoints):
    from torchvision import models

    theirs = models.get_model(
        name, num_classes=1000, **({"init_weights": False, "transform_input": True} if name == "googlenet" else {})
    )  # as torchvision itself makes GoogLeNet where it is given its weights
    checkpoints.mkdir(parents=True)
    torch.save(theirs.state_dict(), checkpoints / OFFICIAL[name])
    encoder, _ = ENCODERS[name].resolve()((3, 64, 64), 5, False, pretrained="imagenet")
    theirs.fc = encoder.network.fc
    x = torch.rand(2, 3, 64, 64)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    unit = (x - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
    z = encoder.eval()(x)
    assert z.shape == (2, 5) and torch.allclose(z, theirs.eval()(unit), rtol=1e-4, atol=1e-5)


def test_a_file_that_is_not_these_weights_is_said_so(checkpoints):
    checkpoints.mkdir(parents=True)
    file = checkpoints / OFFICIAL["resnet18"]
    for spoil in (lambda: file.write_bytes(b"half a download"), lambda: torch.save({"layer": torch.ones(2)}, file)):
        spoil()
        with pytest.raises(ValueError, match=OFFICIAL["resnet18"]):
            backbones.resnet18((1, 28, 28), 2, False, pretrained="imagenet")
