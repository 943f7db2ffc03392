"""Every encoder and its mirror: shapes, any image size, gradients everywhere."""

import pytest
import torch

from semidml.networks import ENCODERS

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 28, 28), (3, 13, 18), (1, 1, 1)]


@pytest.mark.parametrize("entry", ENCODERS.values(), ids=lambda entry: entry.name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dim", [1, 2, 64])
def test_shapes_both_ways_and_a_gradient_for_every_parameter(entry, shape, dim):
    torch.manual_seed(0)
    encoder, decoder = entry.resolve()(shape, dim, decoder=True)
    x = torch.rand(8, *shape)
    z = encoder(x)
    logits = decoder(z)
    assert z.shape == (8, dim) and logits.shape == (8, *shape)
    logits.square().sum().backward()
    for network in (encoder, decoder):
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("entry", ENCODERS.values(), ids=lambda entry: entry.name)
def test_without_a_decoder_there_is_none_and_the_encoder_is_the_same(entry):
    made = []
    for with_decoder in (False, True):
        torch.manual_seed(0)
        made.append(entry.resolve()((1, 8, 8), 2, decoder=with_decoder))
    assert made[0][1] is None
    assert made[0][0].state_dict().keys() == made[1][0].state_dict().keys()


@pytest.mark.parametrize("entry", ENCODERS.values(), ids=lambda entry: entry.name)
def test_in_evaluation_a_row_does_not_depend_on_its_neighbours(entry):
    encoder, _ = entry.resolve()((1, 8, 8), 2, decoder=False)
    encoder.eval()
    x = torch.rand(6, 1, 8, 8)
    assert torch.allclose(encoder(x)[:1], encoder(x[:1]), atol=1e-6)
