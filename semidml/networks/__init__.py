"""Encoders and their mirrored decoders. This table is torch-free.

`target` is `build(shape, latent_dim, decoder, outputs) -> (encoder, decoder or None)` for images of shape (C, H, W),
with the entry's knobs as further arguments by name:
the encoder maps (B, C, H, W) in [0, 1] to (B, outputs), the decoder (B, D) to pixel logits (B, C, H, W). A Gaussian
encoder has 2 D outputs, a mean and a log-variance. `facts`: how many features a backbone pools before its last layer;
from how many pixels on products in bfloat16 have been shown to be as accurate and faster, where a processor has them
(benchmarks/precision.py).
"""

from semidml.registry import Entry, table

CONV = "Ioffe and Szegedy 2015, arXiv 1502.03167"
ENCODERS = table(
    [
        Entry(
            *("mlp", "fully connected", "hidden layers of 256 and 128 units, ReLU"),
            *("Rumelhart et al. 1986, doi 10.1038/323533a0", "semidml.networks.mlp:build"),
            facts={"bfloat16": 784},
        ),
        Entry(
            *("conv", "convolutional", "two strided convolutions with batch normalisation, then 128 units"),
            *(CONV, "semidml.networks.conv:build"),
        ),
        Entry(
            *("conv-deep", "deeper convolutional"),
            "four strided convolutions with batch normalisation, then 128 units: for photographs",
            *(CONV, "semidml.networks.conv:deep"),
        ),
        Entry(
            *("googlenet", "GoogLeNet", "torchvision's, 22 layers of parallel convolutions; a GPU helps"),
            *("Szegedy et al. 2015, arXiv 1409.4842", "semidml.networks.backbones:googlenet"),
            knobs=("pretrained",),
            facts={"features": 1024},
        ),
        Entry(
            *("resnet18", "ResNet-18", "torchvision's, 18 layers with shortcuts; a GPU helps"),
            *("He et al. 2016, arXiv 1512.03385", "semidml.networks.backbones:resnet18"),
            knobs=("pretrained",),
            facts={"features": 512},
        ),
        Entry(
            *("resnet50", "ResNet-50", "torchvision's, 50 layers with shortcuts; needs a GPU"),
            *("He et al. 2016, arXiv 1512.03385", "semidml.networks.backbones:resnet50"),
            knobs=("pretrained",),
            facts={"features": 2048},
        ),
    ]
)
