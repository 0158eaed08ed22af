import pytest
import torch

from msaf_bench.analyzers.cost.system import module_cost
from msaf_bench.components.backbones.segnet import SegNetHead, _unpool, segnet


def network(num_classes, decoder, last):
    backbone = segnet(decoder=decoder)
    return torch.nn.Sequential(backbone, SegNetHead(backbone.channels, num_classes, last=last))


@pytest.mark.slow
def test_the_narrow_one_with_a_last_relu_is_the_official_mc_network(golden):
    net = golden.fill(network(12, "narrow", "relu"))
    golden.check("mc_bayesian_segnet_12cls_dropout_off", net(golden.frame(0, 96, 128)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decoder", "last", "num_classes", "parameters", "gflops"),
    [
        ("narrow", "relu", 12, 24_877_464, 152.7),
        ("narrow", "norm", 11, 24_876_675, 152.7),
        ("original", "convolution", 11, 29_486_411, 226.2),
    ],
)
def test_the_sizes_and_costs_are_the_published_ones(decoder, last, num_classes, parameters, gflops):
    with torch.device("meta"):
        net = network(num_classes, decoder, last)
    cost = module_cost(net, (1, 3, 360, 480))
    assert cost.total_params == parameters
    assert 2e-9 * cost.total_macs == pytest.approx(gflops, rel=0.01)


@pytest.mark.parametrize("size", [(24, 32), (33, 47), (1, 2)])
@pytest.mark.parametrize("decoder", ["original", "narrow"])
def test_any_size_comes_back(size, decoder):
    net = segnet(width=2, decoder=decoder).eval()
    assert net(torch.randn(1, 3, *size)).f5.shape == (1, 2, *size)


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_unpooling_puts_maxima_back(size):
    x = torch.randn(2, 3, *size).double()
    pooled, index = torch.nn.functional.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
    expected = torch.zeros_like(x)
    for i in range(0, size[0], 2):
        for j in range(0, size[1], 2):
            window = x[..., i : i + 2, j : j + 2]
            expected[..., i : i + 2, j : j + 2] = window * (
                window == window.amax((2, 3), keepdim=True)
            )
    torch.testing.assert_close(_unpool(pooled, index, x.shape[-2:]), expected)


def test_dropout_is_in_the_three_coarsest_stages_of_both_sides():
    net = segnet(width=2).eval()
    calls = []
    net.dropout.register_forward_hook(lambda module, args, out: calls.append(tuple(out.shape[1:])))
    net(torch.randn(1, 3, 32, 64))
    assert calls == [(8, 4, 8), (16, 2, 4), (16, 1, 2), (16, 2, 4), (8, 4, 8), (4, 8, 16)]
