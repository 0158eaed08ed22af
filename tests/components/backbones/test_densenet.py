import pytest
import torch

from msaf_bench.components.backbones.densenet import DenseBlock, LinearHead, fc_densenet103


@pytest.mark.slow
def test_the_size_is_that_of_the_official_mc_network():
    with torch.device("meta"):
        net = fc_densenet103()
        head = LinearHead(net.channels, 12)
    assert sum(p.numel() for part in (net, head) for p in part.parameters()) == 9_322_348


def test_it_has_103_convolutions():
    convolutions = [
        m
        for m in fc_densenet103(width=3).modules()
        if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)
    ]
    assert len(convolutions) + 1 == 103  # the head has one


@pytest.mark.slow
@pytest.mark.parametrize("size", [(24, 32), (33, 47), (1, 2)])
def test_any_size_comes_back(size):
    net = fc_densenet103(width=3).eval()
    assert net(torch.randn(1, 3, *size)).f5.shape == (1, net.channels[2], *size)


def test_a_layer_reads_all_before_it():
    block = DenseBlock(2, 3, 3).eval()
    x = torch.randn(1, 2, 4, 4)
    one = block.layers[0](x)
    two = block.layers[1](torch.cat((x, one), 1))
    three = block.layers[2](torch.cat((x, one, two), 1))
    torch.testing.assert_close(block(x), torch.cat((one, two, three), 1))


def test_dropout_follows_every_convolution_but_the_first_and_the_enlarging_ones():
    net = fc_densenet103(width=3)
    assert sum(isinstance(m, torch.nn.Dropout2d) for m in net.modules()) == 102 - 1 - 5
