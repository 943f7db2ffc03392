"""torchvision's GoogLeNet and residual networks as encoders, with a decoder of transposed convolutions.

GoogLeNet: Szegedy et al. 2015, arXiv 1409.4842. ResNet: He et al. 2016, arXiv 1512.03385. Both as torchvision has
them (GoogLeNet with batch normalisation, Ioffe and Szegedy 2015, and 3x3 in place of 5x5), the last layer made for the
latent space, or started from torchvision's ImageNet weights but for that layer.
"""

import math
import urllib.request
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision import models

from semidml.networks.conv import Crop
from semidml.networks.precision import LastLinear

SMALLEST = 32  # px a side: these networks halve an image five times
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, red green blue, in [0, 1]
MAP, WIDEST, NARROWEST = 7, 256, 16  # the decoder's first map has at most MAP px a side; its channels
PATIENCE = 10.0  # seconds for the server of the weights to answer


def build(
    make: Callable[..., nn.Module],
    weights: models.WeightsEnum,
    shape: tuple[int, int, int],
    latent_dim: int,
    decoder: bool,
    outputs: int | None = None,
    pretrained: str = "no",
) -> tuple[nn.Module, nn.Module | None]:
    """(encoder, decoder or None) for images (C, H, W), C 1 or 3: what torchvision's `make` makes, with its weights from
    ImageNet where `pretrained` is imagenet.

    Of GoogLeNet without its auxiliary heads, with two differences: no dropout before the last layer, which would shake
    the distances that a metric loss compares, and torch's own initial weights, because of the batch normalisation after
    each convolution. Its ImageNet weights expect pixels scaled to [-1, 1], which `transform_input` makes of
    standardised ones."""
    if shape[0] not in (1, 3):
        raise ValueError(f"this encoder takes images of 1 or 3 channels, got {shape[0]}")
    if pretrained not in ("no", "imagenet"):
        raise ValueError(f"pretrained must be no or imagenet, got {pretrained!r}")
    own = {"aux_logits": False, "init_weights": False, "dropout": 0.0, "transform_input": pretrained == "imagenet"}
    network = make(num_classes=outputs or latent_dim, **(own if make is models.GoogLeNet else {}))
    if pretrained == "imagenet":
        load(network, weights.url)
    with torch.random.fork_rng(devices=[]):  # it takes the weights of the one that it stands in for
        last = LastLinear(network.fc.in_features, network.fc.out_features)
    last.load_state_dict(network.fc.state_dict())
    network.fc = last
    return Backbone(network), decoder_of(shape, latent_dim) if decoder else None


googlenet = partial(build, models.GoogLeNet, models.GoogLeNet_Weights.IMAGENET1K_V1)
resnet18 = partial(build, models.resnet18, models.ResNet18_Weights.IMAGENET1K_V1)
resnet50 = partial(build, models.resnet50, models.ResNet50_Weights.IMAGENET1K_V2)


class Backbone(nn.Module):
    """(B, C, H, W) in [0, 1], grey or colour, any size -> what the network gives for it: (B, outputs)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if min(height, width) < SMALLEST:
            x = interpolate(x, (max(height, SMALLEST), max(width, SMALLEST)), mode="bilinear", align_corners=False)
        return self.network((x - self.mean) / self.deviation)  # one channel becomes three here: (B, 3, H', W')


def decoder_of(shape: tuple[int, int, int], latent_dim: int) -> nn.Sequential:
    """(B, D) -> pixel logits (B, C, H, W): a map of at most 7 px a side, doubled until it covers H x W, then cropped.

    Channels halve with each doubling, from 256 to no less than 16, as in Radford et al. 2016, arXiv 1511.06434
    (DCGAN), but for its width. At most 8 million parameters with D = 512, nearly all in the first layer."""
    channels, height, width = shape
    doublings = max(1, math.ceil(math.log2(max(height, width) / MAP)))
    small = (math.ceil(height / 2**doublings), math.ceil(width / 2**doublings))
    wide = [max(NARROWEST, WIDEST // 2**i) for i in range(doublings)]
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, WIDEST * small[0] * small[1], bias=False),
        nn.Unflatten(1, (WIDEST, *small)),
        nn.BatchNorm2d(WIDEST),
        nn.ReLU(),
    ]
    for n_in, n_out in pairwise(wide):
        layers += [_double(n_in, n_out, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
    return nn.Sequential(*layers, _double(wide[-1], channels), Crop(height, width))


def _double(n_in: int, n_out: int, bias: bool = True) -> nn.Module:
    return nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1, bias=bias)


def load(network: nn.Module, url: str) -> None:
    """Gives the network torchvision's weights of that address, all but its last layer `fc`, which keeps its own, and
    GoogLeNet's auxiliary heads: from torch's cache folder, or downloaded there and held against the hash in its name. A
    file that is there is taken as it is, as torch.hub does; no code in it is run.

    Raises: ValueError when they can be neither read nor had, which names the folder and the file to put there, or are
    not this network's."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    try:
        if not file.exists():  # torch.hub itself waits for ever for a server that does not answer
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PATIENCE).close()
        how = {"map_location": "cpu", "progress": False, "check_hash": True, "weights_only": True}
        weights = torch.hub.load_state_dict_from_url(url, **how)
    except Exception as error:  # a damaged file raises whatever its bytes happen to ask for
        if file.exists():
            raise ValueError(f"{file} cannot be read as weights; put it there anew, from {url}") from error
        raise ValueError(  # no network, no place on the disk, a hash that does not fit
            f"the ImageNet weights are not here and could not be downloaded ({error}): put {file.name} from {url} into "
            f"the folder {file.parent}, or choose pretrained = no"
        ) from error
    kept = {name: value for name, value in weights.items() if not name.startswith(("fc.", "aux1.", "aux2."))}
    own = {name: value for name, value in network.state_dict().items() if name.startswith("fc.")}
    try:
        network.load_state_dict(kept | own)
    except RuntimeError as error:
        raise ValueError(f"{file} does not hold the weights of this network: {error}") from error
